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

/* The next tensor from *at on that is not the rotation's; NULL behind the last. */
static const rw_tensor *next_tensor(const rw_checkpoint *checkpoint, size_t *at) {
    for (; *at < rw_checkpoint_tensor_count(checkpoint); ++*at) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(checkpoint, *at);
        if (!belongs_to_rotation(tensor->name))
            return tensor;
    }
    return NULL;
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

static bool same_description(const rw_tensor *a, const rw_tensor *b) {
    return rw_str_equal(a->name, b->name) && strcmp(a->dtype_name, b->dtype_name) == 0 &&
           a->n_dims == b->n_dims &&
           memcmp(a->shape, b->shape, a->n_dims * sizeof *a->shape) == 0 && a->bytes == b->bytes;
}

rw_status rw_tensor_reading_begin(rw_context *ctx, const rw_checkpoint *checkpoint,
                                  const rw_checkpoint *twin, rw_tensor_reading *out,
                                  rw_error *err) {
    *out = (rw_tensor_reading){.ctx = ctx, .checkpoint = checkpoint, .twin = twin, .same = twin};
    size_t at = 0;
    for (const rw_tensor *t; (t = next_tensor(checkpoint, &at)) != NULL; at++)
        out->total += t->bytes;
    out->piece = rw_alloc(ctx, twin ? 2 * PIECE : PIECE);
    if (!out->piece)
        return rw_fail_memory(err, "tensor hash", PIECE);
    return rw_hasher_create(ctx, &out->hasher, err);
}

static void begin_tensor(rw_tensor_reading *r, const rw_tensor *tensor) {
    hash_description(r->hasher, tensor);
    r->count++;
    if (!r->same)
        return;
    const rw_tensor *other = next_tensor(r->twin, &r->twin_next);
    r->same = other && same_description(tensor, other);
}

static rw_status read_piece(rw_tensor_reading *r, const rw_tensor *tensor, rw_error *err) {
    uint64_t left = tensor->bytes - r->at;
    size_t size = left < PIECE ? (size_t)left : PIECE;
    RW_TRY(rw_tensor_read(r->checkpoint, tensor, r->at, r->piece, size, err));
    rw_hasher_update(r->hasher, r->piece, size);
    if (r->same) {
        const rw_tensor *other = rw_checkpoint_tensor_at(r->twin, r->twin_next);
        RW_TRY(rw_tensor_read(r->twin, other, r->at, r->piece + PIECE, size, err));
        r->same = memcmp(r->piece, r->piece + PIECE, size) == 0;
    }
    r->at += size;
    r->done += size;
    return RW_OK;
}

rw_status rw_tensor_reading_go_on(rw_tensor_reading *r, uint64_t bytes, rw_error *err) {
    uint64_t until = r->done + bytes;
    while (r->done < until) {
        const rw_tensor *tensor = next_tensor(r->checkpoint, &r->next);
        if (!tensor)
            break;
        RW_TRY(rw_check_cancel(r->ctx, err));
        if (r->at == 0)
            begin_tensor(r, tensor);
        RW_TRY(read_piece(r, tensor, err));
        if (r->at < tensor->bytes)
            continue;
        r->at = 0;
        r->next++;
        r->twin_next++;
    }
    return RW_OK;
}

rw_status rw_tensor_reading_finish(rw_tensor_reading *r, rw_sha256 *out, rw_error *err) {
    while (next_tensor(r->checkpoint, &r->next)) /* empty ones behind the last byte, too */
        RW_TRY(rw_tensor_reading_go_on(r, PIECE, err));
    rw_hasher *hasher = r->hasher;
    r->hasher = NULL;
    if (r->same && next_tensor(r->twin, &r->twin_next))
        r->same = false;
    return rw_hasher_finish(hasher, out, err);
}

void rw_tensor_reading_end(rw_tensor_reading *r) {
    rw_hasher_free(r->hasher);
    rw_free(r->ctx, r->piece);
    r->hasher = NULL;
    r->piece = NULL;
}

rw_status rw_tensors_hash(rw_context *ctx, const rw_checkpoint *checkpoint, uint64_t *count,
                          rw_sha256 *out, rw_error *err) {
    rw_tensor_reading reading;
    rw_status status = rw_tensor_reading_begin(ctx, checkpoint, NULL, &reading, err);
    while (status == RW_OK && reading.done < reading.total) {
        status = rw_tensor_reading_go_on(&reading, 16 * PIECE, err);
        rw_progress(ctx, "hash tensors", reading.done, reading.total, "bytes");
    }
    if (status == RW_OK)
        status = rw_tensor_reading_finish(&reading, out, err);
    *count = reading.count;
    rw_tensor_reading_end(&reading);
    return status;
}
