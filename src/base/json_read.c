/*
 * json_read.c - the strict reader (RFC 8259). Iterative: open containers are a stack of fixed
 * height, so no input can exhaust the machine's own.
 */
#include <string.h>

#include "base/internal.h"
#include "base/json.h"
#include "base/json_keys.h"
#include "base/json_scan.h"

typedef struct frame {
    rw_json *node;
    rw_json *last; /* newest child */
    rw_json_keys keys;
} frame;

typedef struct parser {
    rw_json_scan scan;
    frame *frames; /* RW_JSON_DEPTH_MAX of them */
    unsigned depth;
    rw_json *root;
} parser;

static frame *top(parser *p) {
    return p->depth ? &p->frames[p->depth - 1] : NULL;
}

static rw_json *new_node(parser *p, rw_error *err) {
    rw_json *node = rw_arena_alloc(p->scan.arena, sizeof *node);
    if (!node)
        rw_fail_memory(err, p->scan.where, sizeof *node);
    return node;
}

/* ---- members --------------------------------------------------------------------------------- */

static rw_status fail_duplicate(parser *p, const rw_json *member, rw_error *err) {
    rw_str key = member->key;
    int shown = key.size < 80 ? (int)key.size : 80;
    p->scan.at = (size_t)member->key_begin;
    return rw_json_scan_fail(&p->scan, "json.duplicate_key", err,
                             "the key \"%.*s\" appears twice in one object; readers would disagree "
                             "on which counts, so remove one",
                             shown, key.data);
}

/* `"key" :` in front of a value. */
static rw_status read_key(parser *p, rw_json *member, rw_error *err) {
    rw_json_scan *scan = &p->scan;
    if (rw_json_scan_peek(scan) != '"')
        return rw_json_scan_expected(scan, "a key in double quotes", err);
    member->key_begin = scan->at;
    RW_TRY(rw_json_scan_string(scan, &member->key, err));
    member->key_end = scan->at;
    rw_status status = rw_json_keys_add(scan->arena->ctx, &top(p)->keys, top(p)->node, member);
    if (status == RW_NO)
        return fail_duplicate(p, member, err);
    if (status != RW_OK)
        return rw_fail_memory(err, scan->where, top(p)->keys.capacity * 2 * sizeof(void *));
    rw_json_scan_space(scan);
    if (rw_json_scan_peek(scan) != ':')
        return rw_json_scan_expected(scan, "':' behind the key", err);
    scan->at++;
    rw_json_scan_space(scan);
    return RW_OK;
}

static void link_child(parser *p, rw_json *node) {
    frame *parent = top(p);
    if (!parent) {
        p->root = node;
        return;
    }
    node->parent = parent->node;
    parent->node->count++;
    if (parent->last)
        parent->last->next = node;
    else
        parent->node->first = node;
    parent->last = node;
}

/* ---- values ---------------------------------------------------------------------------------- */

static rw_status open_container(parser *p, rw_json *node, char bracket, rw_error *err) {
    if (p->depth == RW_JSON_DEPTH_MAX)
        return rw_json_scan_fail(&p->scan, "json.depth", err,
                                 "arrays and objects are nested more than %d deep",
                                 (int)RW_JSON_DEPTH_MAX);
    node->type = bracket == '{' ? RW_JSON_OBJECT : RW_JSON_ARRAY;
    p->frames[p->depth++] = (frame){.node = node};
    p->scan.at++;
    return RW_OK;
}

static void close_container(parser *p) {
    frame *closing = top(p);
    rw_json_keys_free(p->scan.arena->ctx, &closing->keys);
    p->scan.at++;
    closing->node->end = p->scan.at;
    p->depth--;
}

/* One value, or the opening bracket of one. */
static rw_status read_value(parser *p, rw_error *err) {
    rw_json_scan *scan = &p->scan;
    rw_json *node = new_node(p, err);
    if (!node)
        return RW_ERR_MEMORY;
    if (p->depth && top(p)->node->type == RW_JSON_OBJECT)
        RW_TRY(read_key(p, node, err));
    node->begin = scan->at;
    int first = rw_json_scan_peek(scan);
    link_child(p, node);
    if (first == '{' || first == '[')
        return open_container(p, node, (char)first, err);
    RW_TRY(rw_json_scan_scalar(scan, node, err));
    node->end = scan->at;
    return RW_OK;
}

/* What may stand behind a value or an opening bracket: the closing one, or a comma. */
static rw_status read_between(parser *p, bool *done, rw_error *err) {
    rw_json_scan *scan = &p->scan;
    bool is_object = top(p)->node->type == RW_JSON_OBJECT;
    bool is_first = top(p)->node->count == 0;
    int next = rw_json_scan_peek(scan);
    *done = next == (is_object ? '}' : ']');
    if (*done) {
        close_container(p);
        return RW_OK;
    }
    if (is_first)
        return RW_OK;
    if (next != ',')
        return rw_json_scan_expected(scan, is_object ? "',' or '}'" : "',' or ']'", err);
    scan->at++;
    rw_json_scan_space(scan);
    next = rw_json_scan_peek(scan);
    if (next == '}' || next == ']')
        return rw_json_scan_expected(scan, "a value behind the comma", err);
    return RW_OK;
}

static rw_status read_document(parser *p, rw_error *err) {
    rw_json_scan_space(&p->scan);
    RW_TRY(read_value(p, err));
    while (p->depth) {
        bool closed;
        rw_json_scan_space(&p->scan);
        RW_TRY(read_between(p, &closed, err));
        if (!closed)
            RW_TRY(read_value(p, err));
    }
    rw_json_scan_space(&p->scan);
    if (p->scan.at < p->scan.text.size)
        return rw_json_scan_expected(&p->scan, "nothing more behind the value", err);
    return RW_OK;
}

static rw_status parse(rw_arena *arena, rw_str text, const char *where, bool not_finite,
                       const rw_json **out, rw_error *err) {
    static const char mark[] = "\xEF\xBB\xBF"; /* byte order mark */
    frame frames[RW_JSON_DEPTH_MAX];
    parser p = {.scan = {.arena = arena, .text = text, .where = where, .not_finite = not_finite},
                .frames = frames};
    *out = NULL;
    if (text.size >= 3 && memcmp(text.data, mark, 3) == 0)
        p.scan.at = 3;
    rw_status status = read_document(&p, err);
    while (p.depth)
        rw_json_keys_free(arena->ctx, &frames[--p.depth].keys);
    if (status == RW_OK)
        *out = p.root;
    return status;
}

rw_status rw_json_parse(rw_arena *arena, rw_str text, const char *where, const rw_json **out,
                        rw_error *err) {
    return parse(arena, text, where, false, out, err);
}

rw_status rw_json_parse_python(rw_arena *arena, rw_str text, const char *where, const rw_json **out,
                               rw_error *err) {
    return parse(arena, text, where, true, out, err);
}
