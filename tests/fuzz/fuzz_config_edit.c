/*
 * config.json patching. Input: a line with a dotted path, a line with a JSON value, then the file.
 * Every granted edit must verify; adding a member and removing it, or setting a scalar and setting
 * it back, must give the old bytes.
 */
#include "checkpoint/checkpoint.h"
#include "fuzz_support.h"

enum { KEYS_MAX = 8 };

typedef struct job {
    rw_str text;
    const char *path[KEYS_MAX + 1];
    char *value;
} job;

/* Cuts a line off `*rest`; NUL-terminated copy. */
static char *line(const uint8_t **rest, size_t *left) {
    const uint8_t *end = *left ? memchr(*rest, '\n', *left) : NULL;
    size_t size = end ? (size_t)(end - *rest) : *left;
    char *out = strndup((const char *)*rest, size);
    *rest += size + (end != NULL);
    *left -= size + (end != NULL);
    return out;
}

static rw_buf finish(rw_config_edit *edit) {
    rw_error err = {0};
    rw_buf out = {.ctx = fuzz_context()};
    if (rw_config_edit_finish(edit, &out, &err) != RW_OK) {
        fprintf(stderr, "[%s] %s\n", err.code, err.message);
        abort();
    }
    return out;
}

static rw_config_edit *begin(const job *j) {
    rw_config_edit *edit;
    rw_error err = {0};
    if (rw_config_edit_begin(fuzz_context(), j->text, "config.json", &edit, &err) == RW_OK)
        return edit;
    fuzz_refused(&err);
    return NULL;
}

static void must_be_unchanged(const job *j, rw_config_edit *edit) {
    rw_buf out = finish(edit);
    if (out.size != j->text.size || memcmp(out.data, j->text.data, out.size) != 0) {
        fprintf(stderr, "was:\n%.*s\nis:\n%s\n", (int)j->text.size, j->text.data, out.data);
        abort();
    }
    rw_buf_free(&out);
}

static void set(const job *j) {
    rw_config_edit *edit = begin(j);
    rw_error err = {0};
    if (!edit)
        return;
    if (rw_config_edit_set(edit, j->path, j->value, &err) != RW_OK) {
        fuzz_refused(&err);
        must_be_unchanged(j, edit);
        return;
    }
    rw_buf out = finish(edit);
    rw_buf_free(&out);
}

static const rw_json *find(const rw_json *root, const char *const *path, const rw_json **parent) {
    for (; *path; path++) {
        *parent = root;
        root = rw_json_get(root, *path);
    }
    return root;
}

static void there_and_back(const job *j) {
    rw_arena arena = {.ctx = fuzz_context()};
    const rw_json *root, *parent = NULL, *node = NULL;
    rw_config_edit *edit = NULL;
    bool reversible = false;
    if (rw_json_parse_python(&arena, j->text, "config.json", &root, NULL) == RW_OK)
        edit = begin(j);
    if (edit) {
        node = find(root, j->path, &parent);
        reversible = node ? node->type != RW_JSON_OBJECT && node->type != RW_JSON_ARRAY &&
                                node->type != RW_JSON_NOT_FINITE /* none is ever written */
                          : parent && parent->type == RW_JSON_OBJECT && parent->count > 0;
    }
    if (reversible && rw_config_edit_set(edit, j->path, j->value, NULL) == RW_OK) {
        rw_status status;
        if (node) {
            const char *old = rw_arena_text(&arena, j->text.data + node->begin,
                                            (size_t)(node->end - node->begin));
            status = rw_config_edit_set(edit, j->path, old, NULL);
        } else {
            status = rw_config_edit_remove(edit, j->path, NULL);
        }
        if (status != RW_OK)
            abort();
        must_be_unchanged(j, edit);
    } else {
        rw_config_edit_abort(edit);
    }
    rw_arena_free(&arena);
}

static void drop(const job *j) {
    rw_config_edit *edit = begin(j);
    rw_error err = {0};
    if (!edit)
        return;
    if (rw_config_edit_remove(edit, j->path, &err) != RW_OK)
        fuzz_refused(&err);
    rw_config_edit_set(edit, j->path, j->value, NULL);
    rw_buf out = finish(edit);
    rw_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    job j = {.value = NULL};
    char *path = line(&data, &size), *save = NULL;
    size_t keys = 0;
    j.value = line(&data, &size);
    j.text = (rw_str){(const char *)data, size};
    for (char *key = strtok_r(path, ".", &save); key && keys < KEYS_MAX;
         key = strtok_r(NULL, ".", &save))
        j.path[keys++] = key;
    if (keys) {
        set(&j);
        there_and_back(&j);
        drop(&j);
    }
    free(path);
    free(j.value);
    return 0;
}
