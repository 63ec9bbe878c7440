/*
 * config_style.c - the layout of a config.json, learned from the file and applied to new values.
 */
#include <string.h>

#include "checkpoint/config_edit.h"

static bool is_container(const rw_json *node) {
    return node->type == RW_JSON_OBJECT || node->type == RW_JSON_ARRAY;
}

bool rw_config_breaks(rw_str text, uint64_t begin, uint64_t end) {
    return end > begin && memchr(text.data + begin, '\n', (size_t)(end - begin)) != NULL;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

rw_str rw_config_indent(rw_str text, uint64_t at) {
    uint64_t line = at;
    while (line > 0 && text.data[line - 1] != '\n')
        line--;
    rw_str indent = {text.data + line, 0};
    while (line + indent.size < text.size && is_blank(indent.data[indent.size]))
        indent.size++;
    return indent;
}

/* ---- learning -------------------------------------------------------------------------------- */

static const rw_json *next_node(const rw_json *node, const rw_json *root) {
    if (node->first)
        return node->first;
    while (node != root && !node->next)
        node = node->parent;
    return node == root ? NULL : node->next;
}

/* The first filled container of that type below the root stands on one line. */
static bool stands_on_one_line(const rw_config_doc *doc, rw_json_type type) {
    const rw_json *node = next_node(doc->root, doc->root);
    while (node && !(node->type == type && node->count > 0))
        node = next_node(node, doc->root);
    return node && !rw_config_breaks(doc->text, node->begin, node->end);
}

static const char *learn_newline(const rw_config_doc *doc) {
    rw_str text = doc->text;
    const char *start = text.data + doc->root->begin;
    const char *end = memchr(start, '\n', (size_t)(doc->root->end - doc->root->begin));
    if (!end)
        return NULL;
    return end > start && end[-1] == '\r' ? "\r\n" : "\n";
}

static rw_str learn_unit(const rw_config_doc *doc) {
    const rw_json *first = doc->root->first;
    if (first && rw_config_breaks(doc->text, doc->root->begin, first->key_begin))
        return rw_config_indent(doc->text, first->key_begin);
    return rw_str_of("  ");
}

static rw_str learn_colon(const rw_config_doc *doc) {
    const rw_json *first = doc->root->first;
    if (!first || rw_config_breaks(doc->text, first->key_end, first->begin))
        return rw_str_of(": ");
    return (rw_str){doc->text.data + first->key_end, (size_t)(first->begin - first->key_end)};
}

/* What follows the first comma that has something behind it on its line. */
static const char *learn_gap(const rw_config_doc *doc, rw_str colon) {
    for (const rw_json *node = doc->root; node; node = next_node(node, doc->root)) {
        if (!node->next)
            continue;
        bool member = node->parent->type == RW_JSON_OBJECT;
        uint64_t behind = member ? node->next->key_begin : node->next->begin;
        if (!rw_config_breaks(doc->text, node->end, behind))
            return doc->text.data[behind - 1] == ',' ? "" : " ";
    }
    return colon.size > 1 ? " " : "";
}

rw_config_style rw_config_style_of(const rw_config_doc *doc) {
    rw_config_style style = {
        .newline = learn_newline(doc), .unit = learn_unit(doc), .colon = learn_colon(doc)};
    style.gap = learn_gap(doc, style.colon);
    style.inline_arrays = !style.newline || stands_on_one_line(doc, RW_JSON_ARRAY);
    style.inline_objects = !style.newline || stands_on_one_line(doc, RW_JSON_OBJECT);
    return style;
}

/* ---- applying -------------------------------------------------------------------------------- */

typedef struct rendering {
    rw_buf *out;
    const rw_config_style *style;
    rw_str source; /* of the value */
    rw_str indent; /* of its first line */
} rendering;

static void break_line(const rendering *r, unsigned depth) {
    rw_buf_text(r->out, r->style->newline);
    rw_buf_append(r->out, r->indent.data, r->indent.size);
    for (unsigned i = 0; i < depth; i++)
        rw_buf_append(r->out, r->style->unit.data, r->style->unit.size);
}

static void copy_range(const rendering *r, uint64_t begin, uint64_t end) {
    rw_buf_append(r->out, r->source.data + begin, (size_t)(end - begin));
}

/* Depth is bounded by the reader's RW_JSON_DEPTH_MAX. */
static void render(const rendering *r, const rw_json *node, unsigned depth, bool on_one_line) {
    if (!is_container(node)) {
        copy_range(r, node->begin, node->end);
        return;
    }
    bool object = node->type == RW_JSON_OBJECT;
    rw_buf_char(r->out, object ? '{' : '[');
    for (const rw_json *child = node->first; child; child = child->next) {
        if (!on_one_line)
            break_line(r, depth + 1);
        if (object) {
            copy_range(r, child->key_begin, child->key_end);
            rw_buf_append(r->out, r->style->colon.data, r->style->colon.size);
        }
        bool array = child->type == RW_JSON_ARRAY;
        render(r, child, depth + 1,
               on_one_line || (array ? r->style->inline_arrays : r->style->inline_objects));
        if (child->next)
            rw_buf_char(r->out, ',');
        if (child->next && on_one_line)
            rw_buf_text(r->out, r->style->gap);
    }
    if (node->first && !on_one_line)
        break_line(r, depth);
    rw_buf_char(r->out, object ? '}' : ']');
}

void rw_config_render(rw_buf *out, const rw_config_style *style, const rw_config_doc *value,
                      rw_str indent, bool on_one_line) {
    rendering r = {out, style, value->text, indent};
    render(&r, value->root, 0, on_one_line || !style->newline);
}
