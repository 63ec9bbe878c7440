/*
 * json_keys.h - finds a key that an object has twice (part of the JSON reader).
 *
 * A vocabulary has 150 000 keys, so comparing all pairs is out: beyond a handful of members each
 * object gets a hash set. It is keyed with a random seed, so that a hostile file can't be made
 * of keys that collide.
 */
#ifndef RW_BASE_JSON_KEYS_H
#define RW_BASE_JSON_KEYS_H

#include "base/json.h"

/* Zero-initialised is empty. */
typedef struct rw_json_keys {
    const rw_json **slots; /* open addressing, power of two, at most half full */
    size_t capacity;
} rw_json_keys;

/* Adds `member`, the newest of `object` and not yet linked into it. RW_NO: the key is there. */
rw_status rw_json_keys_add(rw_context *ctx, rw_json_keys *keys, const rw_json *object,
                           const rw_json *member);
void rw_json_keys_free(rw_context *ctx, rw_json_keys *keys);

#endif
