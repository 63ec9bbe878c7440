/*
 * names.c - items by name.
 */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/internal.h"

static int compare_text(rw_str a, rw_str b) {
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_items(const void *a, const void *b) {
    const rw_str *x = *(const rw_str *const *)a, *y = *(const rw_str *const *)b;
    int order = compare_text(*x, *y);
    return order ? order : (x > y) - (x < y); /* of twins, the later one is the duplicate */
}

rw_status rw_names_build(rw_arena *arena, const void *items, size_t stride, size_t count,
                         rw_names *out, const rw_str **duplicate, rw_error *err) {
    size_t bytes;
    *duplicate = NULL;
    if (!rw_mul_size(count, sizeof(void *), &bytes))
        return rw_fail_memory(err, "names", SIZE_MAX);
    if (count == 0)
        return RW_OK;
    out->sorted = rw_arena_alloc(arena, bytes);
    if (!out->sorted)
        return rw_fail_memory(err, "names", bytes);
    out->count = count;
    for (size_t i = 0; i < count; i++)
        out->sorted[i] = (const rw_str *)(const void *)((const char *)items + i * stride);
    qsort(out->sorted, count, sizeof(void *), compare_items);
    for (size_t i = 1; i < count && !*duplicate; i++)
        if (rw_str_equal(*out->sorted[i - 1], *out->sorted[i]))
            *duplicate = out->sorted[i];
    return RW_OK;
}

const void *rw_names_find(const rw_names *names, rw_str name) {
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_text(*names->sorted[middle], name);
        if (order == 0)
            return names->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
