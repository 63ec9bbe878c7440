/*
 * hash.h - SHA-256 (OpenSSL's, which uses the SHA instructions where there are any).
 */
#ifndef RW_BASE_HASH_H
#define RW_BASE_HASH_H

#include "base/base.h"
#include "base/file.h"

typedef struct rw_sha256 {
    uint8_t bytes[32];
} rw_sha256;

typedef struct rw_hasher rw_hasher;

rw_status rw_hasher_create(rw_context *ctx, rw_hasher **out, rw_error *err);
void rw_hasher_update(rw_hasher *hasher, const void *bytes, size_t size);
/* Finishes and frees. A failure inside (never seen) is reported here. */
rw_status rw_hasher_finish(rw_hasher *hasher, rw_sha256 *out, rw_error *err);
/* Gives up instead of finishing; NULL is fine. */
void rw_hasher_free(rw_hasher *hasher);

rw_status rw_sha256_bytes(rw_context *ctx, rw_str bytes, rw_sha256 *out, rw_error *err);
/* A range of a file, read in pieces, with progress (`task` "hash") and cancel. */
rw_status rw_sha256_range(rw_context *ctx, const rw_file *file, uint64_t offset, uint64_t size,
                          rw_sha256 *out, rw_error *err);
rw_status rw_sha256_file(rw_context *ctx, const char *path, rw_sha256 *out, rw_error *err);

/* 64 lower-case digits and NUL. */
void rw_sha256_hex(const rw_sha256 *digest, char out[65]);

#endif
