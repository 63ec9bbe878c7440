/*
 * config_edit.c - changes to config.json as splices of byte ranges.
 *
 * No JSON library gives back the bytes it read (number spelling, escapes, white space), so nothing
 * is ever printed from the tree: the text is cut at the ranges the reader recorded. Each change is
 * applied and parsed at once, so that later ones see it.
 */
#include <string.h>

#include "checkpoint/config_edit.h"

struct rw_config_edit {
    rw_context *ctx;
    rw_arena arena; /* the tree before, paths and values of the wishes */
    const char *where;
    rw_config_doc before, now;
    rw_buf now_bytes;
    rw_arena now_arena;
    rw_config_wish *wishes;
    size_t count, capacity;
};

/* ---- splicing -------------------------------------------------------------------------------- */

static void adopt(rw_config_edit *edit, rw_buf *bytes, rw_arena *arena, const rw_json *root) {
    rw_buf_free(&edit->now_bytes);
    rw_arena_free(&edit->now_arena);
    edit->now_bytes = *bytes;
    edit->now_arena = *arena;
    edit->now = (rw_config_doc){{bytes->data, bytes->size}, root};
}

/* Puts `with` in place of [begin, end). Fails, with nothing changed, when the result is not JSON:
   nesting that became too deep. */
static rw_status splice(rw_config_edit *edit, uint64_t begin, uint64_t end, const rw_buf *with,
                        rw_error *err) {
    rw_str text = edit->now.text;
    rw_buf bytes = {.ctx = edit->ctx};
    rw_arena arena = {.ctx = edit->ctx};
    const rw_json *root;
    rw_buf_append(&bytes, text.data, (size_t)begin);
    if (with)
        rw_buf_append(&bytes, with->data, with->size);
    rw_buf_append(&bytes, text.data + end, text.size - (size_t)end);
    rw_status status = with ? rw_buf_status(with, err) : RW_OK;
    if (status == RW_OK)
        status = rw_buf_status(&bytes, err);
    if (status == RW_OK)
        status =
            rw_json_parse_python(&arena, (rw_str){bytes.data, bytes.size}, edit->where, &root, err);
    if (status == RW_OK) {
        adopt(edit, &bytes, &arena, root);
        return RW_OK;
    }
    rw_buf_free(&bytes);
    rw_arena_free(&arena);
    return status;
}

/* ---- setting --------------------------------------------------------------------------------- */

static bool filled(const rw_json *node) {
    return node->count > 0;
}

/* Whether members of this object stand on lines of their own. */
static bool is_broken(rw_str text, const rw_json *object) {
    const rw_json *first = object->first;
    return rw_config_breaks(text, object->begin, first ? first->key_begin : object->end);
}

/* A container keeps the layout of the one it replaces; else it is laid out as the file's others. */
static bool fits_one_line(const rw_config_style *style, const rw_config_doc *value, rw_str text,
                          const rw_json *replaced, const rw_json *parent) {
    if (replaced && filled(replaced))
        return !rw_config_breaks(text, replaced->begin, replaced->end);
    if (filled(parent) && !is_broken(text, parent))
        return true;
    return value->root->type == RW_JSON_ARRAY ? style->inline_arrays : style->inline_objects;
}

static rw_status replace_value(rw_config_edit *edit, const rw_json *node,
                               const rw_config_doc *value, rw_error *err) {
    rw_config_doc old = {edit->now.text, node};
    if (rw_config_same(&old, value))
        return RW_OK;
    rw_config_style style = rw_config_style_of(&edit->now);
    rw_buf with = {.ctx = edit->ctx};
    bool scalar = node->type != RW_JSON_OBJECT && node->type != RW_JSON_ARRAY;
    rw_config_render(
        &with, &style, value, rw_config_indent(edit->now.text, node->begin),
        fits_one_line(&style, value, edit->now.text, scalar ? NULL : node, node->parent));
    rw_status status = splice(edit, node->begin, node->end, &with, err);
    rw_buf_free(&with);
    return status;
}

/* The way from the last member to a new one is that from the last but one to the last. */
static void append_separator(rw_buf *out, const rw_config_style *style, rw_str text,
                             const rw_json *parent, const rw_json *before_last,
                             const rw_json *last) {
    if (before_last) {
        rw_buf_append(out, text.data + before_last->end,
                      (size_t)(last->key_begin - before_last->end));
        return;
    }
    rw_buf_char(out, ',');
    if (is_broken(text, parent))
        rw_buf_append(out, text.data + parent->begin + 1,
                      (size_t)(last->key_begin - parent->begin - 1));
    else
        rw_buf_text(out, style->gap);
}

static rw_str colon_of(const rw_config_style *style, rw_str text, const rw_json *sibling) {
    if (rw_config_breaks(text, sibling->key_end, sibling->begin))
        return style->colon;
    return (rw_str){text.data + sibling->key_end, (size_t)(sibling->begin - sibling->key_end)};
}

static rw_status add_behind(rw_config_edit *edit, const rw_json *parent, rw_str key,
                            const rw_config_doc *value, rw_error *err) {
    rw_str text = edit->now.text;
    rw_config_style style = rw_config_style_of(&edit->now);
    const rw_json *before_last = NULL, *last = parent->first;
    for (; last->next; last = last->next)
        before_last = last;
    rw_buf with = {.ctx = edit->ctx};
    append_separator(&with, &style, text, parent, before_last, last);
    rw_json_quote(&with, key);
    rw_str colon = colon_of(&style, text, last);
    rw_buf_append(&with, colon.data, colon.size);
    rw_config_render(&with, &style, value, rw_config_indent(text, last->key_begin),
                     fits_one_line(&style, value, text, NULL, parent));
    rw_status status = splice(edit, last->end, last->end, &with, err);
    rw_buf_free(&with);
    return status;
}

/* Fills an empty object. */
static rw_status add_first(rw_config_edit *edit, const rw_json *parent, rw_str key,
                           const rw_config_doc *value, rw_error *err) {
    rw_str text = edit->now.text, indent = rw_config_indent(text, parent->begin);
    rw_config_style style = rw_config_style_of(&edit->now);
    const rw_json *above = parent->parent;
    bool on_one_line =
        !style.newline || (above && (style.inline_objects ||
                                     (above->type == RW_JSON_OBJECT && !is_broken(text, above))));
    rw_buf with = {.ctx = edit->ctx}, inner = {.ctx = edit->ctx};
    rw_buf_append(&inner, indent.data, indent.size);
    rw_buf_append(&inner, style.unit.data, style.unit.size);
    rw_buf_char(&with, '{');
    if (!on_one_line) {
        rw_buf_text(&with, style.newline);
        rw_buf_append(&with, inner.data, inner.size);
    }
    rw_json_quote(&with, key);
    rw_buf_append(&with, style.colon.data, style.colon.size);
    rw_config_render(&with, &style, value, (rw_str){inner.data, inner.size}, on_one_line);
    if (!on_one_line) {
        rw_buf_text(&with, style.newline);
        rw_buf_append(&with, indent.data, indent.size);
    }
    rw_buf_char(&with, '}');
    rw_status status = rw_buf_status(&inner, err);
    if (status == RW_OK)
        status = splice(edit, parent->begin, parent->end, &with, err);
    rw_buf_free(&with);
    rw_buf_free(&inner);
    return status;
}

/* ---- removing -------------------------------------------------------------------------------- */

/* With its comma: the one behind it, or for the last member the one in front. */
static rw_status cut(rw_config_edit *edit, const rw_json *node, rw_error *err) {
    const rw_json *parent = node->parent, *before = NULL;
    if (node->next)
        return splice(edit, node->key_begin, node->next->key_begin, NULL, err);
    for (const rw_json *child = parent->first; child != node; child = child->next)
        before = child;
    if (before)
        return splice(edit, before->end, node->end, NULL, err);
    return splice(edit, parent->begin + 1, parent->end - 1, NULL, err);
}

/* ---- wishes ---------------------------------------------------------------------------------- */

static rw_status copy_key(rw_config_edit *edit, const char *key, rw_str *out, rw_error *err) {
    out->size = strlen(key);
    out->data = rw_arena_text(&edit->arena, key, out->size);
    if (!out->data)
        return rw_fail_memory(err, edit->where, out->size);
    if (!rw_utf8_valid(*out, NULL))
        return rw_fail(err, RW_ERR_INPUT, "checkpoint.config_path", edit->where,
                       "'%s' can't be a key: it is not UTF-8", key);
    return RW_OK;
}

/* The plain returns tell the static analysers what rw_fail hides from them. */
static rw_status copy_path(rw_config_edit *edit, const char *const *path, rw_config_wish *wish,
                           rw_error *err) {
    size_t depth = 0;
    while (path[depth])
        depth++;
    if (depth == 0 || depth > RW_JSON_DEPTH_MAX) {
        rw_fail(err, RW_ERR_INPUT, "checkpoint.config_path", edit->where,
                "a path of %zu keys cannot be edited", depth);
        return RW_ERR_INPUT;
    }
    rw_str *keys = rw_arena_alloc(&edit->arena, depth * sizeof *keys);
    if (!keys) {
        rw_fail_memory(err, edit->where, depth * sizeof *keys);
        return RW_ERR_MEMORY;
    }
    for (size_t i = 0; i < depth; i++)
        RW_TRY(copy_key(edit, path[i], &keys[i], err));
    wish->path = keys;
    wish->depth = depth;
    return RW_OK;
}

static rw_status copy_value(rw_config_edit *edit, const char *json, rw_config_wish *wish,
                            rw_error *err) {
    wish->value.text.size = strlen(json);
    wish->value.text.data = rw_arena_text(&edit->arena, json, wish->value.text.size);
    if (!wish->value.text.data)
        return rw_fail_memory(err, edit->where, wish->value.text.size);
    return rw_json_parse(&edit->arena, wish->value.text, wish->path[wish->depth - 1].data,
                         &wish->value.root, err);
}

/* Remembers a wish that was granted, for the verification. */
static rw_status remember(rw_config_edit *edit, const rw_config_wish *wish, rw_error *err) {
    if (edit->count == edit->capacity) {
        size_t capacity = edit->capacity ? 2 * edit->capacity : 16, bytes;
        if (!rw_mul_size(capacity, sizeof *wish, &bytes))
            return rw_fail_memory(err, edit->where, SIZE_MAX);
        void *grown = rw_grow(edit->ctx, edit->wishes, edit->capacity * sizeof *wish, bytes);
        if (!grown)
            return rw_fail_memory(err, edit->where, bytes);
        edit->wishes = grown;
        edit->capacity = capacity;
    }
    edit->wishes[edit->count++] = *wish;
    return RW_OK;
}

/* The object that holds the last key, or NULL; `*member` is that key's node, or NULL. */
static const rw_json *resolve(const rw_config_edit *edit, const rw_config_wish *wish,
                              const rw_json **member) {
    const rw_json *parent = edit->now.root;
    for (size_t i = 0; i + 1 < wish->depth; i++)
        parent = rw_json_get(parent, wish->path[i].data);
    if (!parent || parent->type != RW_JSON_OBJECT)
        return NULL;
    *member = rw_json_get(parent, wish->path[wish->depth - 1].data);
    return parent;
}

rw_status rw_config_edit_set(rw_config_edit *edit, const char *const *path, const char *json,
                             rw_error *err) {
    rw_config_wish wish = {NULL, 0, {{NULL, 0}, NULL}};
    RW_TRY(copy_path(edit, path, &wish, err));
    RW_TRY(copy_value(edit, json, &wish, err));
    const rw_json *member = NULL, *parent = resolve(edit, &wish, &member);
    rw_str key = wish.path[wish.depth - 1];
    if (!parent)
        return rw_fail(err, RW_ERR_INPUT, "checkpoint.config_path", edit->where,
                       "'%s' can't be set: there is no object to hold it", key.data);
    RW_TRY(remember(edit, &wish, err));
    rw_status status = member           ? replace_value(edit, member, &wish.value, err)
                       : filled(parent) ? add_behind(edit, parent, key, &wish.value, err)
                                        : add_first(edit, parent, key, &wish.value, err);
    if (status != RW_OK)
        edit->count--;
    return status;
}

rw_status rw_config_edit_remove(rw_config_edit *edit, const char *const *path, rw_error *err) {
    rw_config_wish wish = {NULL, 0, {{NULL, 0}, NULL}};
    RW_TRY(copy_path(edit, path, &wish, err));
    const rw_json *member = NULL;
    if (!resolve(edit, &wish, &member) || !member)
        return RW_OK;
    RW_TRY(remember(edit, &wish, err));
    rw_status status = cut(edit, member, err);
    if (status != RW_OK)
        edit->count--;
    return status;
}

/* ---- begin and end --------------------------------------------------------------------------- */

static rw_status begin(rw_config_edit *edit, rw_str text, rw_error *err) {
    const rw_json *root;
    RW_TRY(rw_json_parse_python(&edit->arena, text, edit->where, &root, err));
    if (root->type != RW_JSON_OBJECT)
        return rw_fail(err, RW_ERR_INPUT, "checkpoint.config", edit->where,
                       "the file holds JSON but no object, so it is no model's config.json");
    edit->before = edit->now = (rw_config_doc){text, root};
    return RW_OK;
}

rw_status rw_config_edit_begin(rw_context *ctx, rw_str text, const char *where,
                               rw_config_edit **out, rw_error *err) {
    *out = NULL;
    rw_config_edit *edit = rw_calloc(ctx, 1, sizeof *edit);
    if (!edit)
        return rw_fail_memory(err, where, sizeof *edit);
    edit->ctx = ctx;
    edit->arena.ctx = edit->now_arena.ctx = ctx;
    edit->now_bytes.ctx = ctx;
    edit->where = rw_arena_text(&edit->arena, where, strlen(where));
    rw_status status = edit->where ? begin(edit, text, err) : rw_fail_memory(err, where, 0);
    if (status != RW_OK)
        rw_config_edit_abort(edit);
    else
        *out = edit;
    return status;
}

rw_status rw_config_edit_finish(rw_config_edit *edit, rw_buf *out, rw_error *err) {
    rw_status status = RW_OK;
    if (!rw_config_granted(&edit->before, &edit->now, edit->wishes, edit->count))
        status = rw_fail(err, RW_ERR_INTERNAL, "checkpoint.config_edit", edit->where,
                         "the edited text differs from the old one where nothing was meant to "
                         "change; this is a defect, please report it with the file");
    if (status == RW_OK) {
        rw_buf_append(out, edit->now.text.data, edit->now.text.size);
        status = rw_buf_status(out, err);
    }
    rw_config_edit_abort(edit);
    return status;
}

void rw_config_edit_abort(rw_config_edit *edit) {
    if (!edit)
        return;
    rw_context *ctx = edit->ctx;
    rw_buf_free(&edit->now_bytes);
    rw_arena_free(&edit->now_arena);
    rw_arena_free(&edit->arena);
    rw_free(ctx, edit->wishes);
    rw_free(ctx, edit);
}
