/*
 * json_keys.c - the hash set behind the search for repeated keys.
 */
#include "base/json_keys.h"

#include <string.h>

#include "base/internal.h"

enum { LINEAR_MAX = 16 };

__extension__ typedef unsigned __int128 uint128;

/* High and low half of a 64x64 multiplication, folded: every input bit moves every output bit. */
static uint64_t fold(uint64_t a, uint64_t b) {
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_key(rw_str key, uint64_t seed) {
    uint64_t state = fold(seed ^ 0x9E3779B97F4A7C15u, key.size ^ 0xD1B54A32D192ED03u);
    for (size_t at = 0; at < key.size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = key.size - at;
        memcpy(&word, key.data + at, left < sizeof word ? left : sizeof word);
        state = fold(state ^ word, seed | 1);
        state = fold(state ^ seed, 0x9E3779B97F4A7C15u);
    }
    return state;
}

/* The slot that holds `key`, or the empty one where it belongs. */
static size_t find_slot(const rw_context *ctx, const rw_json_keys *keys, rw_str key) {
    size_t mask = keys->capacity - 1;
    size_t slot = (size_t)hash_key(key, ctx->hash_seed) & mask;
    while (keys->slots[slot] && !rw_str_equal(keys->slots[slot]->key, key))
        slot = (slot + 1) & mask;
    return slot;
}

/* Fills a larger table from the object's own list, which has every member so far. */
static rw_status grow(rw_context *ctx, rw_json_keys *keys, const rw_json *object) {
    size_t capacity = keys->capacity ? keys->capacity * 2 : (size_t)LINEAR_MAX * 4;
    const rw_json **slots = rw_calloc(ctx, capacity, sizeof(void *));
    if (!slots)
        return RW_ERR_MEMORY;
    rw_free(ctx, (void *)keys->slots);
    *keys = (rw_json_keys){.slots = slots, .capacity = capacity};
    for (const rw_json *member = object->first; member; member = member->next)
        slots[find_slot(ctx, keys, member->key)] = member;
    return RW_OK;
}

static rw_status add_linear(const rw_json *object, const rw_json *member) {
    for (const rw_json *other = object->first; other; other = other->next)
        if (rw_str_equal(other->key, member->key))
            return RW_NO;
    return RW_OK;
}

rw_status rw_json_keys_add(rw_context *ctx, rw_json_keys *keys, const rw_json *object,
                           const rw_json *member) {
    if (object->count < LINEAR_MAX)
        return add_linear(object, member);
    if (object->count >= keys->capacity / 2)
        RW_TRY(grow(ctx, keys, object));
    size_t slot = find_slot(ctx, keys, member->key);
    if (keys->slots[slot])
        return RW_NO;
    keys->slots[slot] = member;
    return RW_OK;
}

void rw_json_keys_free(rw_context *ctx, rw_json_keys *keys) {
    rw_free(ctx, (void *)keys->slots);
    *keys = (rw_json_keys){0};
}
