/*
 * gguf_open.c - a GGUF's tensor entries as checked tensors, and split series as one model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/internal.h"

/* ---- one file -------------------------------------------------------------------------------- */

static rw_status bad_tensor(const rw_gguf *gguf, const rw_gguf_info *info, const char *code,
                            const char *what, rw_error *err) {
    return rw_fail_at(err, RW_ERR_INPUT, code, gguf->path, info->begin, "tensor '%.*s' %s",
                      (int)info->name.size, info->name.data, what);
}

static bool multiply(uint64_t *product, uint64_t factor) {
    return !__builtin_mul_overflow(*product, factor, product);
}

/* Shape, element count and, for a known type, size. A size that is not known is UINT64_MAX. */
static rw_status measure_tensor(const rw_gguf *gguf, const rw_gguf_info *info, rw_tensor *tensor,
                                rw_error *err) {
    const rw_ggml_type *type = rw_ggml_type_find(info->type);
    tensor->n_dims = info->n_dims;
    tensor->elements = 1;
    for (uint32_t i = 0; i < info->n_dims; i++) {
        tensor->shape[info->n_dims - 1 - i] = info->dims[i];
        if (!multiply(&tensor->elements, info->dims[i]))
            return bad_tensor(gguf, info, "gguf.shape",
                              "has more elements than 64 bits count: the file is damaged", err);
    }
    tensor->bytes = UINT64_MAX;
    if (!type)
        return RW_OK;
    uint64_t row = info->n_dims ? info->dims[0] : 1;
    if (row % type->elements != 0)
        return bad_tensor(gguf, info, "gguf.shape",
                          "has rows that are no whole number of blocks "
                          "of its type: the file is damaged",
                          err);
    tensor->bytes = tensor->elements / type->elements;
    if (!multiply(&tensor->bytes, type->bytes) || tensor->bytes == UINT64_MAX)
        return bad_tensor(gguf, info, "gguf.shape",
                          "has more bytes than 64 bits count: the file is damaged", err);
    return RW_OK;
}

static rw_status place_tensor(const rw_gguf *gguf, const rw_gguf_info *info, rw_tensor *tensor,
                              rw_error *err) {
    if (info->offset % gguf->alignment != 0)
        return bad_tensor(gguf, info, "gguf.offset",
                          "does not begin at a multiple of the alignment: the file is damaged",
                          err);
    if (__builtin_add_overflow(gguf->data_begin, info->offset, &tensor->offset))
        return bad_tensor(gguf, info, "gguf.offset", "begins beyond 64 bits: the file is damaged",
                          err);
    return RW_OK;
}

static rw_status name_tensor(rw_checkpoint *checkpoint, const rw_gguf_info *info, rw_tensor *tensor,
                             rw_error *err) {
    const rw_ggml_type *type = rw_ggml_type_find(info->type);
    tensor->name.size = info->name.size;
    tensor->name.data = rw_arena_text(&checkpoint->arena, info->name.data, info->name.size);
    tensor->dtype = type ? type->dtype : RW_DTYPE_OTHER;
    tensor->ggml_type = info->type;
    tensor->dtype_name =
        type ? type->name : rw_arena_format(&checkpoint->arena, "type %u", info->type);
    if (!tensor->name.data || !tensor->dtype_name)
        return rw_fail_memory(err, checkpoint->path, info->name.size);
    return RW_OK;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static int compare_ranges(const void *a, const void *b) {
    const rw_tensor *x = *(rw_tensor *const *)a, *y = *(rw_tensor *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* `limit` is where the next tensor begins, or the end of the file. */
static rw_status check_range(const rw_file *file, rw_tensor *tensor, uint64_t limit, bool last,
                             rw_error *err) {
    if (tensor->offset <= limit) {
        if (tensor->bytes == UINT64_MAX) /* a type of unknown size reaches to the next one */
            tensor->bytes = limit - tensor->offset;
        if (tensor->bytes <= limit - tensor->offset)
            return RW_OK;
    }
    return rw_fail_at(err, RW_ERR_INPUT, last ? "gguf.truncated" : "gguf.overlap", file->path,
                      tensor->offset,
                      "tensor '%.*s' reaches beyond %s: the file is damaged, fetch it again",
                      (int)tensor->name.size, tensor->name.data,
                      last ? "the end of the file" : "the start of the next tensor");
}

/* A header alone (the first bytes of a download) is enough without weights: what lies beyond the
   file is then found out by whoever reads it. A type of unknown size still reaches to the next
   tensor, lest a copy leave it out. */
static void settle_unknown(rw_tensor *tensor, uint64_t limit) {
    if (tensor->bytes == UINT64_MAX)
        tensor->bytes = tensor->offset < limit ? limit - tensor->offset : 0;
}

/* The tensors from `first` on belong to `file`: none may overlap another or the file's end. */
static rw_status check_ranges(rw_checkpoint *checkpoint, size_t first, const rw_file *file,
                              unsigned flags, rw_error *err) {
    size_t count = checkpoint->tensor_count - first;
    rw_tensor **sorted = rw_calloc(checkpoint->ctx, count + 1, sizeof(void *));
    rw_status status = RW_OK;
    if (!sorted)
        return rw_fail_memory(err, file->path, count * sizeof(void *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &checkpoint->tensors[first + i];
    qsort(sorted, count, sizeof(void *), compare_ranges);
    for (size_t i = 0; i < count && status == RW_OK; i++) {
        bool last = i + 1 == count;
        uint64_t limit = last ? file->size : sorted[i + 1]->offset;
        if (flags & RW_OPEN_NO_WEIGHTS)
            settle_unknown(sorted[i], limit);
        else
            status = check_range(file, sorted[i], limit < file->size ? limit : file->size,
                                 limit >= file->size, err);
    }
    rw_free(checkpoint->ctx, sorted);
    return status;
}

static rw_status add_tensors(rw_checkpoint *checkpoint, const rw_gguf *gguf, uint32_t file,
                             unsigned flags, rw_error *err) {
    size_t first = checkpoint->tensor_count;
    for (size_t i = 0; i < gguf->info_count; i++) {
        rw_tensor tensor = {.file = file};
        RW_TRY(measure_tensor(gguf, &gguf->infos[i], &tensor, err));
        RW_TRY(place_tensor(gguf, &gguf->infos[i], &tensor, err));
        RW_TRY(name_tensor(checkpoint, &gguf->infos[i], &tensor, err));
        RW_TRY(rw_checkpoint_add_tensor(checkpoint, &tensor, err));
    }
    return check_ranges(checkpoint, first, &checkpoint->files[file], flags, err);
}

/* ---- split series ---------------------------------------------------------------------------- */

/* llama.cpp's gguf-split: NAME-00001-of-00003.gguf, all metadata in the first file, and in each
   split.no (from 0), split.count and split.tensors.count. */
enum { SPLIT_MAX = 99999, SPLIT_TAIL = sizeof "-00001-of-00003.gguf" - 1 };

static rw_status bad_split(const char *path, const char *what, rw_error *err) {
    return rw_fail(err, RW_ERR_INPUT, "gguf.split", path, "%s", what);
}

static rw_status split_path(rw_checkpoint *checkpoint, uint64_t no, uint64_t count, char **out,
                            rw_error *err) {
    const char *path = checkpoint->path;
    size_t size = strlen(path);
    char tail[64];
    snprintf(tail, sizeof tail, "-00001-of-%05u.gguf", (unsigned)count);
    if (size < SPLIT_TAIL || strcmp(path + size - SPLIT_TAIL, tail) != 0)
        return bad_split(path,
                         "the first file of a split series must keep its name, "
                         "NAME-00001-of-0000N.gguf, for the others to be found",
                         err);
    *out = rw_arena_format(&checkpoint->arena, "%.*s-%05u-of-%05u.gguf", (int)(size - SPLIT_TAIL),
                           path, (unsigned)(no + 1), (unsigned)count);
    return *out ? RW_OK : rw_fail_memory(err, path, size);
}

static rw_status add_part(rw_checkpoint *checkpoint, const char *path, uint64_t no, uint64_t count,
                          unsigned flags, rw_error *err) {
    uint32_t file = 0;
    uint64_t its_no = 0, its_count = 0;
    rw_gguf *part = NULL;
    RW_TRY(rw_checkpoint_add_file(checkpoint, path, &file, err));
    RW_TRY(rw_gguf_read(checkpoint->ctx, &checkpoint->files[file], &part, err));
    bool fits = rw_gguf_u64(part, "split.no", &its_no) && its_no == no &&
                rw_gguf_u64(part, "split.count", &its_count) && its_count == count;
    rw_status status = fits ? add_tensors(checkpoint, part, file, flags, err)
                            : bad_split(path, "the file does not belong to this split series", err);
    rw_gguf_free(part);
    return status;
}

static rw_status add_parts(rw_checkpoint *checkpoint, unsigned flags, rw_error *err) {
    uint64_t count = 0, no = 0, tensors = 0;
    if (!rw_gguf_u64(checkpoint->gguf, "split.count", &count) || count <= 1)
        return RW_OK;
    rw_gguf_u64(checkpoint->gguf, "split.no", &no);
    if (no != 0)
        return bad_split(checkpoint->path,
                         "this is a later file of a split series: name the "
                         "first one, ...-00001-of-0000N.gguf",
                         err);
    if (count > SPLIT_MAX)
        return bad_split(checkpoint->path, "split.count is absurd: the file is damaged", err);
    for (uint64_t i = 1; i < count; i++) {
        char *path = NULL;
        RW_TRY(split_path(checkpoint, i, count, &path, err));
        if ((flags & RW_OPEN_NO_WEIGHTS) && !rw_path_exists(path))
            return RW_OK;
        RW_TRY(add_part(checkpoint, path, i, count, flags, err));
    }
    if (rw_gguf_u64(checkpoint->gguf, "split.tensors.count", &tensors) &&
        tensors != checkpoint->tensor_count)
        return bad_split(checkpoint->path,
                         "the files of the series hold another number of tensors "
                         "than split.tensors.count says: they are not of one series",
                         err);
    return RW_OK;
}

rw_status rw_gguf_open(rw_checkpoint *checkpoint, unsigned flags, rw_error *err) {
    RW_TRY(rw_gguf_read(checkpoint->ctx, &checkpoint->files[0], &checkpoint->gguf, err));
    RW_TRY(add_tensors(checkpoint, checkpoint->gguf, 0, flags, err));
    return add_parts(checkpoint, flags, err);
}
