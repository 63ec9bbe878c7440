/*
 * config_edit.h - the parts of the config.json editor.
 */
#ifndef RW_CHECKPOINT_CONFIG_EDIT_H
#define RW_CHECKPOINT_CONFIG_EDIT_H

#include "checkpoint/checkpoint.h"

/* A JSON text and its tree. */
typedef struct rw_config_doc {
    rw_str text;
    const rw_json *root;
} rw_config_doc;

/* How a file is laid out. */
typedef struct rw_config_style {
    const char *newline;                /* "\n", "\r\n"; NULL when the file is one line */
    rw_str unit;                        /* one level of indentation                      */
    rw_str colon;                       /* between a key and its value                    */
    const char *gap;                    /* behind a comma within a line: "" or " "        */
    bool inline_arrays, inline_objects; /* containers below the root stand on one line */
} rw_config_style;

rw_config_style rw_config_style_of(const rw_config_doc *doc);
/* Whether the bytes from `begin` to `end` hold a line end. */
bool rw_config_breaks(rw_str text, uint64_t begin, uint64_t end);
/* The white space in front of the line that byte `at` is on. */
rw_str rw_config_indent(rw_str text, uint64_t at);
/* Appends `value` in that style; `indent` is that of the line it begins on. */
void rw_config_render(rw_buf *out, const rw_config_style *style, const rw_config_doc *value,
                      rw_str indent, bool on_one_line);

/* One wish: set `path` to `value`, or (value.root NULL) remove it. */
typedef struct rw_config_wish {
    const rw_str *path;
    size_t depth;
    rw_config_doc value;
} rw_config_wish;

/* Same structure, key order and spelling of every scalar; layout may differ. */
bool rw_config_same(const rw_config_doc *a, const rw_config_doc *b);
/* Whether `after` is `before` with the wishes granted in turn, and nothing else. */
bool rw_config_granted(const rw_config_doc *before, const rw_config_doc *after,
                       const rw_config_wish *wishes, size_t count);

#endif
