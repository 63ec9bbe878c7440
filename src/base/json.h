/*
 * json.h - a strict JSON reader that keeps where everything stood, and a writer.
 *
 * The reader serves both reading and byte-exact editing: every node keeps the byte range of its
 * text, members keep the range of their key, numbers keep their spelling. Duplicate keys, invalid
 * UTF-8, nesting beyond RW_JSON_DEPTH_MAX and trailing bytes are refused with the offset.
 * A UTF-8 byte order mark in front is skipped (and so preserved by an edit).
 */
#ifndef RW_BASE_JSON_H
#define RW_BASE_JSON_H

#include "base/base.h"

enum { RW_JSON_DEPTH_MAX = 256 };

typedef enum rw_json_type {
    RW_JSON_NULL,
    RW_JSON_BOOL,
    RW_JSON_NUMBER,
    RW_JSON_STRING,
    RW_JSON_ARRAY,
    RW_JSON_OBJECT,
    RW_JSON_NOT_FINITE /* only from rw_json_parse_python; no typed read takes it for a number */
} rw_json_type;

typedef struct rw_json {
    rw_json_type type;
    bool boolean;
    bool is_integer;             /* number written without '.', 'e' or 'E'                    */
    double number;               /* nearest double                                            */
    rw_str string;               /* decoded (escapes resolved), arena memory or the text      */
    rw_str key;                  /* decoded, when this node is a member of an object          */
    uint64_t begin, end;         /* byte range of the value in the text                       */
    uint64_t key_begin, key_end; /* byte range of the key with its quotes                 */
    size_t count;                /* elements or members                                       */
    struct rw_json *first;       /* first child                                               */
    struct rw_json *next;        /* next sibling                                              */
    struct rw_json *parent;
} rw_json;

/* Parses `text`, which must outlive the tree; nodes live in `arena`. `where` names the file in
   errors ("json.syntax", "json.depth", "json.duplicate_key", "json.utf8"). */
rw_status rw_json_parse(rw_arena *arena, rw_str text, const char *where, const rw_json **out,
                        rw_error *err);

/* The same for files that Python writes: its json module, which config.json and
   tokenizer_config.json come from, also knows NaN, Infinity and -Infinity, and reads 1e999 as
   infinite. They become values of a type of their own, so that a file that carries them can be read
   and edited as long as nobody needs a number there. */
rw_status rw_json_parse_python(rw_arena *arena, rw_str text, const char *where, const rw_json **out,
                               rw_error *err);

/* Member of an object by key; NULL when `object` is NULL, no object, or has no such key. */
const rw_json *rw_json_get(const rw_json *object, const char *key);
/* Walks "a.b.c"; keys that contain dots cannot be reached this way. */
const rw_json *rw_json_path(const rw_json *root, const char *dotted);

/* Typed reads. `*_or` give the fallback when the node is NULL or of another type. */
double rw_json_number_or(const rw_json *node, double fallback);
uint64_t rw_json_u64_or(const rw_json *node, uint64_t fallback); /* integral, 0 .. 2^53 */
bool rw_json_bool_or(const rw_json *node, bool fallback);
rw_str rw_json_string_or(const rw_json *node, const char *fallback);
bool rw_json_is_null(const rw_json *node); /* NULL pointer or JSON null */

/* ---- writer -------------------------------------------------------------------------------- */

/* Appends JSON to a buffer; commas, indentation and quoting are its business. Misuse (a value
   without a key inside an object, say) is an assertion, as it can only be a defect. Doubles are
   written shortest-round-trip; NaN and infinities become null. indent 0 writes one line. */
typedef struct rw_json_writer {
    rw_buf *out;
    unsigned indent;
    unsigned depth;
    bool after_key;
    uint64_t has_items[RW_JSON_DEPTH_MAX / 64 + 1]; /* a bit per depth */
    uint64_t is_object[RW_JSON_DEPTH_MAX / 64 + 1];
} rw_json_writer;

void rw_json_begin_object(rw_json_writer *w);
void rw_json_end_object(rw_json_writer *w);
void rw_json_begin_array(rw_json_writer *w);
void rw_json_end_array(rw_json_writer *w);
void rw_json_key(rw_json_writer *w, const char *key);
void rw_json_string(rw_json_writer *w, const char *text); /* NULL writes null */
void rw_json_str(rw_json_writer *w, rw_str text);
void rw_json_double(rw_json_writer *w, double value);
void rw_json_u64(rw_json_writer *w, uint64_t value);
void rw_json_i64(rw_json_writer *w, int64_t value);
void rw_json_bool(rw_json_writer *w, bool value);
void rw_json_null(rw_json_writer *w);
void rw_json_raw(rw_json_writer *w, rw_str json); /* already JSON, inserted as it is */

/* key and value in one call */
void rw_json_member_string(rw_json_writer *w, const char *key, const char *text);
void rw_json_member_double(rw_json_writer *w, const char *key, double value);
void rw_json_member_u64(rw_json_writer *w, const char *key, uint64_t value);
void rw_json_member_bool(rw_json_writer *w, const char *key, bool value);
void rw_json_member_null(rw_json_writer *w, const char *key);

/* Appends `text` quoted and escaped. */
void rw_json_quote(rw_buf *out, rw_str text);

#endif
