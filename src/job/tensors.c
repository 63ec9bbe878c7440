/*
 * tensors.c - the weights as one number: what a patch must not change.
 */
#include <string.h>

#include "base/parallel.h"
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

/* ---- files and tensors from one reading ------------------------------------------------------ */

typedef struct joint_pass {
    rw_context *ctx;
    const rw_checkpoint *checkpoint;
    rw_hasher *tensors, *file;
    uint8_t *piece; /* [PIECE] */
    size_t size;    /* of the piece that is there */
    uint64_t at;    /* in the file */
    uint32_t file_index;
    size_t next; /* tensor to come, or being hashed */
    uint64_t *count;
    uint64_t done, total;
} joint_pass;

/* One reading will do when the tensors lie in the order in which they are listed. */
static bool lie_in_order(const rw_checkpoint *checkpoint) {
    uint64_t end = 0;
    uint32_t file = 0;
    for (size_t i = 0; i < rw_checkpoint_tensor_count(checkpoint); i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(checkpoint, i);
        uint64_t size = rw_checkpoint_file(checkpoint, tensor->file)->size;
        if (tensor->file < file || (tensor->file == file && tensor->offset < end) ||
            tensor->offset > size || tensor->bytes > size - tensor->offset)
            return false;
        file = tensor->file;
        end = tensor->offset + tensor->bytes;
    }
    return true;
}

/* The part of `tensor` that lies in the piece. */
static void feed_tensor(joint_pass *p, const rw_tensor *tensor) {
    uint64_t begin = tensor->offset > p->at ? tensor->offset : p->at;
    uint64_t end = tensor->offset + tensor->bytes, piece_end = p->at + p->size;
    if (belongs_to_rotation(tensor->name))
        return;
    if (tensor->offset >= p->at) {
        hash_description(p->tensors, tensor);
        ++*p->count;
    }
    end = end < piece_end ? end : piece_end;
    if (end > begin)
        rw_hasher_update(p->tensors, p->piece + (begin - p->at), (size_t)(end - begin));
}

/* `last`: no piece of this file follows, so that an empty tensor at its end is taken too. */
static void feed_tensors(joint_pass *p, bool last) {
    uint64_t piece_end = p->at + p->size;
    for (; p->next < rw_checkpoint_tensor_count(p->checkpoint); p->next++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(p->checkpoint, p->next);
        if (tensor->file != p->file_index || (tensor->offset >= piece_end && !last))
            return;
        feed_tensor(p, tensor);
        if (tensor->offset + tensor->bytes > piece_end)
            return; /* goes on in the next piece */
    }
}

/* The two hashes of a piece at the same time: each takes as long as reading it. */
static void hash_tile(void *user, size_t tile, unsigned worker) {
    joint_pass *p = user;
    (void)worker;
    if (tile == 0)
        rw_hasher_update(p->file, p->piece, p->size);
    else
        feed_tensors(p, p->at + p->size == rw_checkpoint_file(p->checkpoint, p->file_index)->size);
}

static rw_status hash_file_pieces(joint_pass *p, const rw_file *file, rw_error *err) {
    for (p->at = 0; p->at < file->size; p->at += p->size) {
        uint64_t left = file->size - p->at;
        p->size = left < PIECE ? (size_t)left : PIECE;
        RW_TRY(rw_file_read(file, p->at, p->piece, p->size, err));
        rw_parallel_for(p->ctx, 2, hash_tile, p);
        RW_TRY(rw_check_cancel(p->ctx, err));
        p->done += p->size;
        rw_progress(p->ctx, "hash", p->done, p->total, "bytes");
    }
    return RW_OK;
}

static rw_status hash_file(joint_pass *p, rw_file_list *list, rw_error *err) {
    const rw_file *file = rw_checkpoint_file(p->checkpoint, p->file_index);
    rw_sha256 digest;
    RW_TRY(rw_hasher_create(p->ctx, &p->file, err));
    rw_status status = hash_file_pieces(p, file, err);
    if (status == RW_OK)
        status = rw_hasher_finish(p->file, &digest, err);
    else
        rw_hasher_free(p->file);
    if (status == RW_OK)
        rw_list_take(list, file->path, file->size, &digest);
    return status;
}

static rw_status hash_files(joint_pass *p, rw_file_list *list, rw_error *err) {
    size_t files = rw_checkpoint_file_count(p->checkpoint);
    *p->count = 0;
    for (size_t i = 0; i < files; i++)
        p->total += rw_checkpoint_file(p->checkpoint, i)->size;
    for (size_t i = 0; i < files; i++) {
        p->file_index = (uint32_t)i;
        RW_TRY(hash_file(p, list, err));
    }
    return RW_OK;
}

rw_status rw_tensors_hash_files(rw_context *ctx, const rw_checkpoint *checkpoint,
                                rw_file_list *list, uint64_t *count, rw_sha256 *out,
                                rw_error *err) {
    joint_pass pass = {.ctx = ctx, .checkpoint = checkpoint, .count = count};
    if (!lie_in_order(checkpoint))
        return rw_tensors_hash(ctx, checkpoint, count, out, err); /* the list hashes its files */
    pass.piece = rw_alloc(ctx, PIECE);
    if (!pass.piece)
        return rw_fail_memory(err, "hash", PIECE);
    rw_status status = rw_hasher_create(ctx, &pass.tensors, err);
    if (status == RW_OK) {
        status = hash_files(&pass, list, err);
        if (status == RW_OK)
            status = rw_hasher_finish(pass.tensors, out, err);
        else
            rw_hasher_free(pass.tensors);
    }
    rw_free(ctx, pass.piece);
    return status;
}
