/*
 * memory.c - 64-byte aligned blocks over an allocator that promises no alignment.
 *
 * A caller's allocator gets one block that is larger than wanted; the aligned part lies inside it
 * with the block's own address just in front. The C library can align by itself, and then the
 * block ends where it should, so that a sanitizer sees the first byte behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/internal.h"

enum { ALIGNMENT = 64 };

bool rw_mul_size(size_t a, size_t b, size_t *out) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool rw_add_size(size_t a, size_t b, size_t *out) {
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

static void *alloc_from_caller(rw_context *ctx, size_t size) {
    size_t whole;
    if (!rw_add_size(size, sizeof(void *) + ALIGNMENT - 1, &whole))
        return NULL;
    char *block = ctx->options.realloc(ctx->options.user, NULL, whole);
    if (!block)
        return NULL;
    uintptr_t first = (uintptr_t)block + sizeof(void *);
    uintptr_t aligned = (first + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    void **pointer = (void **)(block + (aligned - (uintptr_t)block));
    pointer[-1] = block;
    return pointer;
}

void *rw_alloc(rw_context *ctx, size_t size) {
    if (size == 0)
        size = 1; /* NULL means failure and nothing else */
    if (size > PTRDIFF_MAX)
        return NULL;
    if (ctx->options.realloc)
        return alloc_from_caller(ctx, size);
    void *pointer = NULL;
    return posix_memalign(&pointer, ALIGNMENT, size) == 0 ? pointer : NULL;
}

void *rw_calloc(rw_context *ctx, size_t count, size_t size) {
    size_t bytes;
    if (!rw_mul_size(count, size, &bytes))
        return NULL;
    void *pointer = rw_alloc(ctx, bytes);
    if (pointer)
        memset(pointer, 0, bytes);
    return pointer;
}

void *rw_grow(rw_context *ctx, void *pointer, size_t old_size, size_t new_size) {
    void *grown = rw_alloc(ctx, new_size);
    if (!grown)
        return NULL;
    if (pointer) {
        memcpy(grown, pointer, old_size < new_size ? old_size : new_size);
        rw_free(ctx, pointer);
    }
    return grown;
}

void rw_free(rw_context *ctx, void *pointer) {
    if (!pointer)
        return;
    if (!ctx->options.realloc) {
        free(pointer);
        return;
    }
    ctx->options.realloc(ctx->options.user, ((void **)pointer)[-1], 0);
}
