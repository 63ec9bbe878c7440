/*
 * map.c - tensor data as mapped memory.
 */
#include "checkpoint/internal.h"

struct rw_tensor_map {
    rw_context *ctx;
    size_t count;
    struct mapped_file {
        uint64_t begin, end; /* of the tensors' bytes in the file; equal: it has none */
        rw_mapping mapping;
    } files[];
};

static void find_ranges(rw_tensor_map *map, const rw_checkpoint *checkpoint) {
    for (size_t i = 0; i < checkpoint->tensor_count; i++) {
        const rw_tensor *tensor = &checkpoint->tensors[i];
        struct mapped_file *file = &map->files[tensor->file];
        uint64_t end;
        if (tensor->bytes == 0)
            continue;
        if (__builtin_add_overflow(tensor->offset, tensor->bytes, &end))
            end = UINT64_MAX; /* then the file is too short, which mapping it finds out */
        bool first = file->begin == file->end;
        file->begin = first || tensor->offset < file->begin ? tensor->offset : file->begin;
        file->end = first || end > file->end ? end : file->end;
    }
}

static rw_status map_files(rw_tensor_map *map, const rw_checkpoint *checkpoint, rw_error *err) {
    for (size_t i = 0; i < map->count; i++) {
        struct mapped_file *file = &map->files[i];
        if (file->end - file->begin > SIZE_MAX)
            return rw_fail_memory(err, checkpoint->files[i].path, SIZE_MAX);
        RW_TRY(rw_file_map(&checkpoint->files[i], file->begin, (size_t)(file->end - file->begin),
                           &file->mapping, err));
    }
    return RW_OK;
}

rw_status rw_tensor_map_create(const rw_checkpoint *checkpoint, rw_tensor_map **out,
                               rw_error *err) {
    *out = NULL;
    size_t bytes = sizeof(rw_tensor_map) + checkpoint->file_count * sizeof(struct mapped_file);
    rw_tensor_map *map = rw_calloc(checkpoint->ctx, 1, bytes);
    if (!map)
        return rw_fail_memory(err, checkpoint->path, bytes);
    map->ctx = checkpoint->ctx;
    map->count = checkpoint->file_count;
    find_ranges(map, checkpoint);
    rw_status status = map_files(map, checkpoint, err);
    if (status != RW_OK)
        rw_tensor_map_free(map);
    else
        *out = map;
    return status;
}

void rw_tensor_map_free(rw_tensor_map *map) {
    if (!map)
        return;
    for (size_t i = 0; i < map->count; i++)
        rw_file_unmap(&map->files[i].mapping);
    rw_free(map->ctx, map);
}

const void *rw_tensor_map_bytes(const rw_tensor_map *map, const rw_tensor *tensor) {
    const struct mapped_file *file = &map->files[tensor->file];
    return file->mapping.data ? file->mapping.data + (tensor->offset - file->begin) : NULL;
}

bool rw_dtype_in_place(rw_dtype dtype) {
    return dtype != RW_Q2_K && dtype != RW_Q3_K && dtype != RW_DTYPE_OTHER;
}
