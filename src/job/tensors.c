/*
 * tensors.c - the weights as one number: what a patch must not change.
 */
#include <string.h>

#include "job/extend.h"

enum { PIECE = 1 << 20 };

/* ggml keeps the rotation's factors as tensors: rope_freqs.weight, rope_factors_long.weight. */
static bool belongs_to_rotation(rw_str name) {
    static const char *const starts[] = {"rope_freqs.", "rope_factors_"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (name.size > strlen(starts[i]) && memcmp(name.data, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static void hash_u64(rw_hasher *hasher, uint64_t value) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    rw_hasher_update(hasher, bytes, sizeof bytes);
}

static void hash_description(rw_hasher *hasher, const rw_tensor *tensor) {
    hash_u64(hasher, tensor->name.size);
    rw_hasher_update(hasher, tensor->name.data, tensor->name.size);
    hash_u64(hasher, strlen(tensor->dtype_name));
    rw_hasher_update(hasher, tensor->dtype_name, strlen(tensor->dtype_name));
    hash_u64(hasher, tensor->n_dims);
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        hash_u64(hasher, tensor->shape[i]);
    hash_u64(hasher, tensor->bytes);
}

typedef struct tensor_pass {
    rw_context *ctx;
    const rw_checkpoint *checkpoint;
    rw_hasher *hasher;
    void *piece; /* [PIECE] */
    uint64_t done, total;
} tensor_pass;

static rw_status hash_bytes(tensor_pass *pass, const rw_tensor *tensor, rw_error *err) {
    for (uint64_t at = 0; at < tensor->bytes;) {
        uint64_t left = tensor->bytes - at;
        size_t size = left < PIECE ? (size_t)left : PIECE;
        RW_TRY(rw_check_cancel(pass->ctx, err));
        RW_TRY(rw_tensor_read(pass->checkpoint, tensor, at, pass->piece, size, err));
        rw_hasher_update(pass->hasher, pass->piece, size);
        at += size;
        pass->done += size;
        rw_progress(pass->ctx, "hash tensors", pass->done, pass->total, "bytes");
    }
    return RW_OK;
}

static rw_status hash_all(tensor_pass *pass, uint64_t *count, rw_error *err) {
    size_t most = rw_checkpoint_tensor_count(pass->checkpoint);
    *count = 0;
    for (size_t i = 0; i < most; i++)
        pass->total += rw_checkpoint_tensor_at(pass->checkpoint, i)->bytes;
    for (size_t i = 0; i < most; i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(pass->checkpoint, i);
        if (belongs_to_rotation(tensor->name))
            continue;
        hash_description(pass->hasher, tensor);
        RW_TRY(hash_bytes(pass, tensor, err));
        ++*count;
    }
    return RW_OK;
}

rw_status rw_tensors_hash(rw_context *ctx, const rw_checkpoint *checkpoint, uint64_t *count,
                          rw_sha256 *out, rw_error *err) {
    tensor_pass pass = {.ctx = ctx, .checkpoint = checkpoint};
    pass.piece = rw_alloc(ctx, PIECE);
    if (!pass.piece)
        return rw_fail_memory(err, "tensor hash", PIECE);
    rw_status status = rw_hasher_create(ctx, &pass.hasher, err);
    if (status == RW_OK) {
        status = hash_all(&pass, count, err);
        if (status == RW_OK)
            status = rw_hasher_finish(pass.hasher, out, err);
        else
            rw_hasher_free(pass.hasher);
    }
    rw_free(ctx, pass.piece);
    return status;
}
