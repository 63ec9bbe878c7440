/*
 * arena.c - many small objects with one lifetime, cut from growing blocks.
 */
#include <string.h>

#include "base/internal.h"

enum { ARENA_ALIGNMENT = 16, ARENA_FIRST = 4096, ARENA_LARGEST = 1 << 20 };

struct rw_arena_block {
    struct rw_arena_block *next;
    size_t capacity;
    _Alignas(ARENA_ALIGNMENT) char bytes[];
};

static size_t free_bytes(const rw_arena *arena) {
    return arena->blocks->capacity - arena->used;
}

static struct rw_arena_block *new_block(rw_arena *arena, size_t capacity) {
    size_t whole;
    if (!rw_add_size(capacity, sizeof(struct rw_arena_block), &whole))
        return NULL;
    struct rw_arena_block *block = rw_alloc(arena->ctx, whole);
    if (block)
        block->capacity = capacity;
    return block;
}

/* A large object gets a block of its own behind the newest one, whose rest stays in use. */
static void *alloc_large(rw_arena *arena, size_t size) {
    struct rw_arena_block *block = new_block(arena, size);
    if (!block)
        return NULL;
    if (arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = NULL;
        arena->blocks = block;
        arena->used = size;
    }
    return memset(block->bytes, 0, size);
}

static bool start_block(rw_arena *arena) {
    size_t capacity = arena->blocks ? arena->blocks->capacity * 2 : ARENA_FIRST;
    if (capacity > ARENA_LARGEST)
        capacity = ARENA_LARGEST;
    struct rw_arena_block *block = new_block(arena, capacity);
    if (!block)
        return false;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
    return true;
}

void *rw_arena_alloc(rw_arena *arena, size_t size) {
    size_t rounded;
    if (!rw_add_size(size ? size : 1, ARENA_ALIGNMENT - 1, &rounded))
        return NULL;
    rounded -= rounded % ARENA_ALIGNMENT;
    if (!arena->blocks || rounded > free_bytes(arena)) {
        if (rounded > ARENA_FIRST / 4)
            return alloc_large(arena, rounded);
        if (!start_block(arena))
            return NULL;
    }
    void *pointer = arena->blocks->bytes + arena->used;
    arena->used += rounded;
    return memset(pointer, 0, rounded);
}

char *rw_arena_text(rw_arena *arena, const char *bytes, size_t length) {
    size_t size;
    if (!rw_add_size(length, 1, &size))
        return NULL;
    char *copy = rw_arena_alloc(arena, size);
    if (copy && length)
        memcpy(copy, bytes, length);
    return copy;
}

char *rw_arena_format(rw_arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    char *text = NULL;
    int length = rw_vformat(NULL, 0, format, arguments);
    if (length >= 0)
        text = rw_arena_alloc(arena, (size_t)length + 1);
    if (text)
        rw_vformat(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void rw_arena_free(rw_arena *arena) {
    while (arena->blocks) {
        struct rw_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        rw_free(arena->ctx, block);
    }
    arena->used = 0;
}
