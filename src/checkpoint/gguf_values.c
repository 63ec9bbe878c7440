/*
 * gguf_values.c - metadata of an open GGUF by key.
 */
#include <string.h>

#include "checkpoint/internal.h"

size_t rw_gguf_count(const rw_gguf *gguf) {
    return gguf->count;
}

const rw_gguf_value *rw_gguf_at(const rw_gguf *gguf, size_t index) {
    return index < gguf->count ? &gguf->values[index] : NULL;
}

const rw_gguf_value *rw_gguf_get(const rw_gguf *gguf, const char *key) {
    return gguf ? rw_names_find(&gguf->keys, rw_str_of(key)) : NULL;
}

typedef enum number_kind { NOT_A_NUMBER, UNSIGNED, SIGNED, REAL } number_kind;

static const number_kind kinds[] = {
    [RW_GGUF_U8] = UNSIGNED,        [RW_GGUF_I8] = SIGNED,         [RW_GGUF_U16] = UNSIGNED,
    [RW_GGUF_I16] = SIGNED,         [RW_GGUF_U32] = UNSIGNED,      [RW_GGUF_I32] = SIGNED,
    [RW_GGUF_F32] = REAL,           [RW_GGUF_BOOL] = NOT_A_NUMBER, [RW_GGUF_STRING] = NOT_A_NUMBER,
    [RW_GGUF_ARRAY] = NOT_A_NUMBER, [RW_GGUF_U64] = UNSIGNED,      [RW_GGUF_I64] = SIGNED,
    [RW_GGUF_F64] = REAL,
};

bool rw_gguf_u64(const rw_gguf *gguf, const char *key, uint64_t *out) {
    const rw_gguf_value *value = rw_gguf_get(gguf, key);
    if (!value)
        return false;
    number_kind kind = kinds[value->type];
    if (kind != UNSIGNED && !(kind == SIGNED && (int64_t)value->integer >= 0))
        return false;
    *out = value->integer;
    return true;
}

bool rw_gguf_double(const rw_gguf *gguf, const char *key, double *out) {
    const rw_gguf_value *value = rw_gguf_get(gguf, key);
    number_kind kind = value ? kinds[value->type] : NOT_A_NUMBER;
    if (kind == REAL)
        *out = value->real;
    else if (kind == SIGNED)
        *out = (double)(int64_t)value->integer;
    else if (kind == UNSIGNED)
        *out = (double)value->integer;
    return kind != NOT_A_NUMBER;
}

bool rw_gguf_string(const rw_gguf *gguf, const char *key, rw_str *out) {
    const rw_gguf_value *value = rw_gguf_get(gguf, key);
    if (!value || value->type != RW_GGUF_STRING)
        return false;
    *out = value->string;
    return true;
}

bool rw_gguf_bool(const rw_gguf *gguf, const char *key, bool *out) {
    const rw_gguf_value *value = rw_gguf_get(gguf, key);
    if (!value || value->type != RW_GGUF_BOOL)
        return false;
    *out = value->integer != 0;
    return true;
}

/* NULL: there is no such array (RW_ERR_INPUT). */
static const rw_gguf_value *get_array(const rw_gguf *gguf, const char *key, rw_error *err) {
    const rw_gguf_value *value = rw_gguf_get(gguf, key);
    if (value && value->type == RW_GGUF_ARRAY)
        return value;
    if (value)
        rw_fail_at(err, RW_ERR_INPUT, "gguf.key_type", gguf->path, value->begin,
                   "the key '%s' is not an array", key);
    else
        rw_fail(err, RW_ERR_INPUT, "gguf.missing_key", gguf->path,
                "the key '%s' is not there: convert the model again with a current converter", key);
    return NULL;
}

/* `count` elements of `stride` bytes, or NULL (RW_ERR_MEMORY). The count was checked against the
 * file when it was read. */
static void *allocate(rw_arena *arena, const rw_gguf *gguf, uint64_t count, size_t stride,
                      rw_error *err) {
    size_t bytes;
    void *out = NULL;
    if (!rw_mul_size((size_t)count, stride, &bytes))
        bytes = SIZE_MAX;
    else
        out = rw_arena_alloc(arena, bytes ? bytes : 1);
    if (!out)
        rw_fail_memory(err, gguf->path, bytes);
    return out;
}

rw_status rw_gguf_strings(const rw_gguf *gguf, const char *key, rw_arena *arena, rw_str **out,
                          size_t *count, rw_error *err) {
    *out = NULL;
    *count = 0;
    const rw_gguf_value *value = get_array(gguf, key, err);
    if (!value)
        return RW_ERR_INPUT;
    if (value->element_type != RW_GGUF_STRING)
        return rw_fail_at(err, RW_ERR_INPUT, "gguf.key_type", gguf->path, value->begin,
                          "the key '%s' is not an array of strings", key);
    rw_str *strings = allocate(arena, gguf, value->count, sizeof *strings, err);
    if (!strings)
        return RW_ERR_MEMORY;
    const char *p = value->string.data;
    for (uint64_t i = 0; i < value->count; i++) { /* lengths were checked when it was read */
        strings[i] = (rw_str){p + 8, (size_t)rw_load_u64(p)};
        p += 8 + strings[i].size;
    }
    *out = strings;
    *count = (size_t)value->count;
    return RW_OK;
}

rw_status rw_gguf_numbers(const rw_gguf *gguf, const char *key, rw_arena *arena, double **out,
                          size_t *count, rw_error *err) {
    *out = NULL;
    *count = 0;
    const rw_gguf_value *value = get_array(gguf, key, err);
    if (!value)
        return RW_ERR_INPUT;
    if (value->element_type == RW_GGUF_STRING)
        return rw_fail_at(err, RW_ERR_INPUT, "gguf.key_type", gguf->path, value->begin,
                          "the key '%s' is not an array of numbers", key);
    double *numbers = allocate(arena, gguf, value->count, sizeof *numbers, err);
    if (!numbers)
        return RW_ERR_MEMORY;
    size_t size = rw_gguf_type_size(value->element_type);
    for (uint64_t i = 0; i < value->count; i++)
        numbers[i] = rw_gguf_number(value->string.data + i * size, value->element_type);
    *out = numbers;
    *count = (size_t)value->count;
    return RW_OK;
}
