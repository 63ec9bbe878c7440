/*
 * hash.c - SHA-256 of bytes, file ranges and files.
 */
#include "base/hash.h"

#include <openssl/evp.h>

#include "base/internal.h"

enum { PIECE = 1 << 20 };

struct rw_hasher {
    rw_context *ctx;
    EVP_MD_CTX *digest;
    bool failed;
};

rw_status rw_hasher_create(rw_context *ctx, rw_hasher **out, rw_error *err) {
    rw_hasher *hasher = rw_calloc(ctx, 1, sizeof *hasher);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    *out = NULL;
    if (!hasher || !digest) {
        EVP_MD_CTX_free(digest);
        rw_free(ctx, hasher);
        rw_fail_memory(err, "hash", sizeof *hasher);
        return RW_ERR_MEMORY;
    }
    hasher->ctx = ctx;
    hasher->digest = digest;
    hasher->failed = EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1;
    *out = hasher;
    return RW_OK;
}

void rw_hasher_update(rw_hasher *hasher, const void *bytes, size_t size) {
    if (size > 0 && EVP_DigestUpdate(hasher->digest, bytes, size) != 1)
        hasher->failed = true;
}

rw_status rw_hasher_finish(rw_hasher *hasher, rw_sha256 *out, rw_error *err) {
    bool good = !hasher->failed && EVP_DigestFinal_ex(hasher->digest, out->bytes, NULL) == 1;
    rw_hasher_free(hasher);
    if (good)
        return RW_OK;
    return rw_fail(err, RW_ERR_INTERNAL, "hash.failed", NULL,
                   "the cryptographic library could not compute a SHA-256");
}

void rw_hasher_free(rw_hasher *hasher) {
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->digest);
    rw_free(hasher->ctx, hasher);
}

rw_status rw_sha256_bytes(rw_context *ctx, rw_str bytes, rw_sha256 *out, rw_error *err) {
    rw_hasher *hasher;
    RW_TRY(rw_hasher_create(ctx, &hasher, err));
    rw_hasher_update(hasher, bytes.data, bytes.size);
    return rw_hasher_finish(hasher, out, err);
}

static rw_status hash_pieces(rw_context *ctx, rw_hasher *hasher, const rw_file *file,
                             uint64_t offset, uint64_t size, void *piece, rw_error *err) {
    for (uint64_t done = 0; done < size;) {
        uint64_t left = size - done;
        size_t step = left < PIECE ? (size_t)left : PIECE;
        RW_TRY(rw_check_cancel(ctx, err));
        RW_TRY(rw_file_read(file, offset + done, piece, step, err));
        rw_hasher_update(hasher, piece, step);
        done += step;
        rw_progress(ctx, "hash", done, size, "bytes");
    }
    return RW_OK;
}

rw_status rw_sha256_range(rw_context *ctx, const rw_file *file, uint64_t offset, uint64_t size,
                          rw_sha256 *out, rw_error *err) {
    if (offset > file->size || size > file->size - offset)
        return rw_fail_at(err, RW_ERR_INPUT, "file.truncated", file->path, file->size,
                          "the file ends before the %llu bytes at %llu that are to be hashed",
                          (unsigned long long)size, (unsigned long long)offset);
    rw_hasher *hasher;
    RW_TRY(rw_hasher_create(ctx, &hasher, err));
    size_t piece_size = size < PIECE ? (size_t)size : PIECE;
    void *piece = rw_alloc(ctx, piece_size);
    rw_status status = piece ? hash_pieces(ctx, hasher, file, offset, size, piece, err)
                             : rw_fail_memory(err, "hash", piece_size);
    rw_free(ctx, piece);
    if (status == RW_OK)
        return rw_hasher_finish(hasher, out, err);
    rw_hasher_free(hasher);
    return status;
}

rw_status rw_sha256_file(rw_context *ctx, const char *path, rw_sha256 *out, rw_error *err) {
    rw_file file;
    RW_TRY(rw_file_open(ctx, path, &file, err));
    rw_status status = rw_sha256_range(ctx, &file, 0, file.size, out, err);
    rw_file_close(&file);
    return status;
}

void rw_sha256_hex(const rw_sha256 *digest, char out[65]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof digest->bytes; i++) {
        out[2 * i] = digits[digest->bytes[i] >> 4];
        out[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    out[64] = '\0';
}
