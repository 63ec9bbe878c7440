/*
 * checkpoint.c - what kind of thing a path is (by content, not by name), and the view of it that
 * is the same for all kinds.
 */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/internal.h"

#define CONFIG_MAX ((uint64_t)16 << 20)

/* ---- parts shared by all formats ------------------------------------------------------------- */

bool rw_plain_file_name(rw_str name) {
    if (name.size == 0 || rw_str_is(name, ".") || rw_str_is(name, ".."))
        return false;
    return !memchr(name.data, '/', name.size) && !memchr(name.data, 0, name.size);
}

/* Room for one more element. */
static rw_status make_room(rw_context *ctx, void **items, size_t used, size_t *capacity,
                           size_t stride, const char *where, rw_error *err) {
    if (used < *capacity)
        return RW_OK;
    size_t wanted = *capacity ? *capacity * 2 : 16, bytes;
    if (!rw_mul_size(wanted, stride, &bytes))
        return rw_fail_memory(err, where, SIZE_MAX);
    void *grown = rw_grow(ctx, *items, *capacity * stride, bytes);
    if (!grown)
        return rw_fail_memory(err, where, bytes);
    *items = grown;
    *capacity = wanted;
    return RW_OK;
}

rw_status rw_checkpoint_add_file(rw_checkpoint *checkpoint, const char *path, uint32_t *index,
                                 rw_error *err) {
    void *items = checkpoint->files;
    RW_TRY(make_room(checkpoint->ctx, &items, checkpoint->file_count, &checkpoint->file_capacity,
                     sizeof *checkpoint->files, path, err));
    checkpoint->files = items;
    RW_TRY(rw_file_open(checkpoint->ctx, path, &checkpoint->files[checkpoint->file_count], err));
    *index = (uint32_t)checkpoint->file_count++;
    return RW_OK;
}

rw_status rw_checkpoint_add_tensor(rw_checkpoint *checkpoint, const rw_tensor *tensor,
                                   rw_error *err) {
    void *items = checkpoint->tensors;
    RW_TRY(make_room(checkpoint->ctx, &items, checkpoint->tensor_count,
                     &checkpoint->tensor_capacity, sizeof *checkpoint->tensors, checkpoint->path,
                     err));
    checkpoint->tensors = items;
    checkpoint->tensors[checkpoint->tensor_count++] = *tensor;
    return RW_OK;
}

static rw_status index_tensors(rw_checkpoint *checkpoint, rw_error *err) {
    const rw_str *twin;
    RW_TRY(rw_names_build(&checkpoint->arena, checkpoint->tensors, sizeof *checkpoint->tensors,
                          checkpoint->tensor_count, &checkpoint->tensor_names, &twin, err));
    if (!twin)
        return RW_OK;
    const rw_tensor *tensor = (const rw_tensor *)(const void *)twin;
    return rw_fail(err, RW_ERR_INPUT, "checkpoint.duplicate_tensor",
                   checkpoint->files[tensor->file].path,
                   "the tensor '%.*s' occurs twice: readers would disagree about its values",
                   (int)twin->size, twin->data);
}

/* ---- config.json ----------------------------------------------------------------------------- */

static rw_status load_config(rw_checkpoint *checkpoint, const rw_file *file, rw_error *err) {
    if (file->size > CONFIG_MAX)
        return rw_fail(err, RW_ERR_INPUT, "checkpoint.config_size", file->path,
                       "the file has %llu bytes; a config.json has a few thousand",
                       (unsigned long long)file->size);
    checkpoint->config_size = (size_t)file->size;
    checkpoint->config_bytes = rw_alloc(checkpoint->ctx, checkpoint->config_size + 1);
    if (!checkpoint->config_bytes)
        return rw_fail_memory(err, file->path, checkpoint->config_size);
    RW_TRY(rw_file_read(file, 0, checkpoint->config_bytes, checkpoint->config_size, err));
    RW_TRY(rw_json_parse_python(&checkpoint->arena, rw_checkpoint_config_text(checkpoint),
                                file->path, &checkpoint->config, err));
    if (checkpoint->config->type == RW_JSON_OBJECT)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "checkpoint.config", file->path,
                   "the file holds JSON but no object, so it is no model's config.json");
}

/* ---- formats --------------------------------------------------------------------------------- */

static void drop_weights(rw_checkpoint *checkpoint) {
    while (checkpoint->file_count > 1)
        rw_file_close(&checkpoint->files[--checkpoint->file_count]);
    checkpoint->tensor_count = 0;
}

/* Without weights, whatever is wrong with them is no error, but running out of memory is. */
static rw_status open_weights(rw_checkpoint *checkpoint, unsigned flags, rw_error *err) {
    if (!(flags & RW_OPEN_NO_WEIGHTS)) {
        RW_TRY(rw_safetensors_open(checkpoint, err));
        return index_tensors(checkpoint, err);
    }
    rw_status status = rw_safetensors_open(checkpoint, NULL);
    if (status == RW_OK)
        status = index_tensors(checkpoint, NULL);
    if (status == RW_OK)
        return RW_OK;
    drop_weights(checkpoint);
    return status == RW_ERR_MEMORY ? rw_fail_memory(err, checkpoint->path, 0) : RW_OK;
}

static rw_status open_directory(rw_checkpoint *checkpoint, unsigned flags, rw_error *err) {
    uint32_t file;
    checkpoint->format = RW_FORMAT_HF;
    checkpoint->directory = checkpoint->path;
    char *path = rw_arena_format(&checkpoint->arena, "%s/config.json", checkpoint->path);
    if (!path)
        return rw_fail_memory(err, checkpoint->path, strlen(checkpoint->path));
    if (!rw_path_exists(path))
        return rw_fail(err, RW_ERR_INPUT, "checkpoint.no_config", checkpoint->path,
                       "the directory has no config.json; name a directory that has one, or a "
                       ".gguf file itself");
    RW_TRY(rw_checkpoint_add_file(checkpoint, path, &file, err));
    RW_TRY(load_config(checkpoint, &checkpoint->files[file], err));
    return open_weights(checkpoint, flags, err);
}

static const char *directory_of(rw_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return rw_arena_text(arena, path, slash == path ? 1 : (size_t)(slash - path));
}

/* White space and a byte order mark may stand in front of the object. */
static bool looks_like_json(const char *start, size_t size) {
    size_t i = size >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (i < size && (start[i] == ' ' || (start[i] >= '\t' && start[i] <= '\r')))
        i++;
    return i < size && (start[i] == '{' || start[i] == '[' || start[i] == '"');
}

static rw_status unknown_format(const rw_file *file, const char *start, size_t size,
                                rw_error *err) {
    if (size > 8 && start[8] == '{' && rw_load_u64(start) <= file->size)
        return rw_fail(err, RW_ERR_INPUT, "checkpoint.bare_safetensors", file->path,
                       "this is a safetensors file without its config.json: name the directory "
                       "that holds both");
    return rw_fail_at(err, RW_ERR_INPUT, "checkpoint.format", file->path, 0,
                      "the file is neither a GGUF nor a config.json (%llu bytes): name a model "
                      "directory, a .gguf file or a config.json",
                      (unsigned long long)file->size);
}

static rw_status open_file(rw_checkpoint *checkpoint, unsigned flags, rw_error *err) {
    uint32_t index;
    char start[64];
    checkpoint->directory = directory_of(&checkpoint->arena, checkpoint->path);
    if (!checkpoint->directory)
        return rw_fail_memory(err, checkpoint->path, strlen(checkpoint->path));
    RW_TRY(rw_checkpoint_add_file(checkpoint, checkpoint->path, &index, err));
    const rw_file *file = &checkpoint->files[index];
    size_t size = file->size < sizeof start ? (size_t)file->size : sizeof start;
    RW_TRY(rw_file_read(file, 0, start, size, err));
    if (size >= 4 && memcmp(start, rw_gguf_magic, 4) == 0) {
        checkpoint->format = RW_FORMAT_GGUF;
        RW_TRY(rw_gguf_open(checkpoint, flags, err));
        return index_tensors(checkpoint, err);
    }
    checkpoint->format = RW_FORMAT_CONFIG;
    if (looks_like_json(start, size))
        return load_config(checkpoint, file, err);
    return unknown_format(file, start, size, err);
}

static rw_status open_path(rw_checkpoint *checkpoint, const char *path, unsigned flags,
                           rw_error *err) {
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    checkpoint->path = rw_arena_text(&checkpoint->arena, path, size);
    if (!checkpoint->path)
        return rw_fail_memory(err, path, size);
    return rw_path_is_directory(path) ? open_directory(checkpoint, flags, err)
                                      : open_file(checkpoint, flags, err);
}

rw_status rw_checkpoint_open(rw_context *ctx, const char *path, unsigned flags, rw_checkpoint **out,
                             rw_error *err) {
    *out = NULL;
    rw_checkpoint *checkpoint = rw_calloc(ctx, 1, sizeof *checkpoint);
    if (!checkpoint)
        return rw_fail_memory(err, path, sizeof *checkpoint);
    checkpoint->ctx = ctx;
    checkpoint->arena.ctx = ctx;
    rw_status status = open_path(checkpoint, path, flags, err);
    if (status != RW_OK)
        rw_checkpoint_close(checkpoint);
    else
        *out = checkpoint;
    return status;
}

void rw_checkpoint_close(rw_checkpoint *checkpoint) {
    if (!checkpoint)
        return;
    rw_context *ctx = checkpoint->ctx;
    rw_gguf_free(checkpoint->gguf);
    for (size_t i = 0; i < checkpoint->file_count; i++)
        rw_file_close(&checkpoint->files[i]);
    rw_free(ctx, checkpoint->files);
    rw_free(ctx, checkpoint->tensors);
    rw_free(ctx, checkpoint->config_bytes);
    rw_arena_free(&checkpoint->arena);
    rw_free(ctx, checkpoint);
}

/* ---- looking --------------------------------------------------------------------------------- */

rw_format rw_checkpoint_format(const rw_checkpoint *checkpoint) {
    return checkpoint->format;
}

const char *rw_checkpoint_path(const rw_checkpoint *checkpoint) {
    return checkpoint->path;
}

const rw_json *rw_checkpoint_config(const rw_checkpoint *checkpoint) {
    return checkpoint->config;
}

rw_str rw_checkpoint_config_text(const rw_checkpoint *checkpoint) {
    return (rw_str){checkpoint->config_bytes, checkpoint->config_size};
}

const rw_gguf *rw_checkpoint_gguf(const rw_checkpoint *checkpoint) {
    return checkpoint->gguf;
}

rw_status rw_checkpoint_sidecar(const rw_checkpoint *checkpoint, const char *name, uint64_t limit,
                                rw_buf *out, rw_error *err) {
    rw_arena arena = {.ctx = checkpoint->ctx};
    if (!rw_plain_file_name(rw_str_of(name)))
        return rw_fail(err, RW_ERR_INPUT, "file.missing", name,
                       "a file beside the model has no '/' in its name");
    char *path = rw_arena_format(&arena, "%s/%s", checkpoint->directory, name);
    rw_status status = path ? rw_file_load(checkpoint->ctx, path, limit, out, err)
                            : rw_fail_memory(err, name, strlen(name));
    rw_arena_free(&arena);
    return status;
}

size_t rw_checkpoint_tensor_count(const rw_checkpoint *checkpoint) {
    return checkpoint->tensor_count;
}

const rw_tensor *rw_checkpoint_tensor_at(const rw_checkpoint *checkpoint, size_t index) {
    return index < checkpoint->tensor_count ? &checkpoint->tensors[index] : NULL;
}

const rw_tensor *rw_checkpoint_tensor(const rw_checkpoint *checkpoint, const char *name) {
    return rw_names_find(&checkpoint->tensor_names, rw_str_of(name));
}

size_t rw_checkpoint_file_count(const rw_checkpoint *checkpoint) {
    return checkpoint->file_count;
}

const rw_file *rw_checkpoint_file(const rw_checkpoint *checkpoint, size_t index) {
    return index < checkpoint->file_count ? &checkpoint->files[index] : NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

static rw_status bad_read(const rw_tensor *tensor, rw_error *err) {
    return rw_fail(err, RW_ERR_INTERNAL, "checkpoint.range", tensor->name.data,
                   "a read beyond the tensor's end, or not at a block's");
}

rw_status rw_tensor_read(const rw_checkpoint *checkpoint, const rw_tensor *tensor, uint64_t begin,
                         void *out, size_t size, rw_error *err) {
    if (begin > tensor->bytes || size > tensor->bytes - begin)
        return bad_read(tensor, err);
    if (size == 0)
        return RW_OK;
    return rw_file_read(&checkpoint->files[tensor->file], tensor->offset + begin, out, size, err);
}

static rw_status not_numbers(const rw_tensor *tensor, rw_error *err) {
    bool unknown = strncmp(tensor->dtype_name, "type ", 5) == 0;
    return rw_fail(err, RW_ERR_INPUT, unknown ? "gguf.unknown_type" : "checkpoint.dtype",
                   tensor->name.data,
                   "the tensor is stored as %s, which ropewalk does not read as numbers: convert "
                   "the model to F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or a K-quant",
                   tensor->dtype_name);
}

rw_status rw_tensor_read_f32(const rw_checkpoint *checkpoint, const rw_tensor *tensor,
                             uint64_t first, uint64_t count, float *out, rw_error *err) {
    if (tensor->dtype == RW_DTYPE_OTHER)
        return not_numbers(tensor, err);
    uint32_t elements, bytes;
    rw_dtype_block(tensor->dtype, &elements, &bytes);
    if (first % elements || count % elements || first > tensor->elements ||
        count > tensor->elements - first)
        return bad_read(tensor, err);
    char packed[32768];
    uint64_t piece = sizeof packed / bytes; /* in blocks */
    for (uint64_t block = first / elements, left = count / elements; left;) {
        uint64_t now = left < piece ? left : piece;
        RW_TRY(
            rw_tensor_read(checkpoint, tensor, block * bytes, packed, (size_t)(now * bytes), err));
        rw_dtype_to_f32(tensor->dtype, packed, out, (size_t)(now * elements));
        out += now * elements;
        block += now;
        left -= now;
    }
    return RW_OK;
}
