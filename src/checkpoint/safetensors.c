/*
 * safetensors.c - a JSON header of names, types, shapes and byte ranges in front of the data
 * (layout and limits: the README of the safetensors project), in one file or in shards.
 *
 * The ranges must tile the data exactly; a reader that tolerates overlaps or holes lets two readers
 * see two different models.
 */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/internal.h"

#define HEADER_MAX ((uint64_t)100000000)
#define INDEX_MAX ((uint64_t)100000000)

typedef struct type_row {
    const char *name;
    uint32_t bits; /* of one element */
    rw_dtype dtype;
} type_row;

static const type_row types[] = {
    {"F32", 32, RW_F32},
    {"F16", 16, RW_F16},
    {"BF16", 16, RW_BF16},
    {"BOOL", 8, RW_DTYPE_OTHER},
    {"U8", 8, RW_DTYPE_OTHER},
    {"I8", 8, RW_DTYPE_OTHER},
    {"F8_E5M2", 8, RW_DTYPE_OTHER},
    {"F8_E4M3", 8, RW_DTYPE_OTHER},
    {"F8_E8M0", 8, RW_DTYPE_OTHER},
    {"F6_E2M3", 6, RW_DTYPE_OTHER},
    {"F6_E3M2", 6, RW_DTYPE_OTHER},
    {"F4", 4, RW_DTYPE_OTHER},
    {"U16", 16, RW_DTYPE_OTHER},
    {"I16", 16, RW_DTYPE_OTHER},
    {"U32", 32, RW_DTYPE_OTHER},
    {"I32", 32, RW_DTYPE_OTHER},
    {"U64", 64, RW_DTYPE_OTHER},
    {"I64", 64, RW_DTYPE_OTHER},
    {"F64", 64, RW_DTYPE_OTHER},
    {"C64", 64, RW_DTYPE_OTHER},
};

static const type_row *find_type(rw_str name) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (rw_str_is(name, types[i].name))
            return &types[i];
    return NULL;
}

/* ---- one entry of the header ----------------------------------------------------------------- */

typedef struct header {
    rw_checkpoint *checkpoint;
    uint32_t file;
    const char *path;
    uint64_t data_begin, data_size;
    rw_error *err;
} header;

/* Node offsets count from the header's first byte, which is byte 8 of the file. */
static rw_status bad_entry(const header *h, const rw_json *node, const char *code,
                           const char *what) {
    return rw_fail_at(h->err, RW_ERR_INPUT, code, h->path, 8 + node->key_begin, "tensor '%.*s' %s",
                      (int)node->key.size, node->key.data, what);
}

/* A whole number below 2^53, which no file reaches. */
static bool whole_number(const rw_json *node, uint64_t *out) {
    *out = rw_json_u64_or(node, UINT64_MAX);
    return node && node->type == RW_JSON_NUMBER && node->is_integer && *out != UINT64_MAX;
}

static rw_status entry_shape(const header *h, const rw_json *node, rw_tensor *tensor) {
    const rw_json *shape = rw_json_get(node, "shape");
    if (!shape || shape->type != RW_JSON_ARRAY)
        return bad_entry(h, node, "safetensors.shape", "has no shape: the file is damaged");
    if (shape->count > RW_MAX_DIMS)
        return bad_entry(h, node, "safetensors.shape", "has more than 8 dimensions");
    tensor->elements = 1;
    for (const rw_json *size = shape->first; size; size = size->next) {
        uint64_t *slot = &tensor->shape[tensor->n_dims++];
        if (!whole_number(size, slot) ||
            __builtin_mul_overflow(tensor->elements, *slot, &tensor->elements))
            return bad_entry(h, node, "safetensors.shape",
                             "has a shape that is no list of sizes: the file is damaged");
    }
    return RW_OK;
}

static rw_status entry_range(const header *h, const rw_json *node, rw_tensor *tensor) {
    const rw_json *range = rw_json_get(node, "data_offsets");
    uint64_t begin, end;
    if (!range || range->type != RW_JSON_ARRAY || range->count != 2 ||
        !whole_number(range->first, &begin) || !whole_number(range->first->next, &end))
        return bad_entry(h, node, "safetensors.offsets",
                         "has no data_offsets [begin, end]: the file is damaged");
    if (begin > end || end > h->data_size)
        return bad_entry(h, node, "safetensors.range",
                         "lies beyond the end of the file: it is cut short or damaged, fetch it "
                         "again");
    tensor->offset = h->data_begin + begin;
    tensor->bytes = end - begin;
    return RW_OK;
}

/* Types this program has not heard of keep their bytes; they fail when read as numbers. */
static rw_status entry_type(const header *h, const rw_json *node, rw_tensor *tensor) {
    const rw_json *name = rw_json_get(node, "dtype");
    if (!name || name->type != RW_JSON_STRING)
        return bad_entry(h, node, "safetensors.dtype", "has no dtype: the file is damaged");
    const type_row *type = find_type(name->string);
    tensor->dtype = type ? type->dtype : RW_DTYPE_OTHER;
    tensor->dtype_name =
        type ? type->name
             : rw_arena_text(&h->checkpoint->arena, name->string.data, name->string.size);
    if (!tensor->dtype_name)
        return rw_fail_memory(h->err, h->path, name->string.size);
    uint64_t bits;
    if (type && (__builtin_mul_overflow(tensor->elements, type->bits, &bits) || bits % 8 != 0 ||
                 bits / 8 != tensor->bytes))
        return bad_entry(h, node, "safetensors.size",
                         "has data_offsets that don't fit its shape and dtype: the file is "
                         "damaged");
    return RW_OK;
}

static rw_status add_entry(const header *h, const rw_json *node) {
    rw_tensor tensor = {.file = h->file};
    if (node->type != RW_JSON_OBJECT)
        return bad_entry(h, node, "safetensors.header", "is not described by an object");
    RW_TRY(entry_shape(h, node, &tensor));
    RW_TRY(entry_range(h, node, &tensor));
    RW_TRY(entry_type(h, node, &tensor));
    tensor.name.size = node->key.size;
    tensor.name.data = rw_arena_text(&h->checkpoint->arena, node->key.data, node->key.size);
    if (!tensor.name.data)
        return rw_fail_memory(h->err, h->path, node->key.size);
    return rw_checkpoint_add_tensor(h->checkpoint, &tensor, h->err);
}

/* ---- tiling ---------------------------------------------------------------------------------- */

static int compare_ranges(const void *a, const void *b) {
    const rw_tensor *x = *(const rw_tensor *const *)a, *y = *(const rw_tensor *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static rw_status check_tiles(const header *h, const rw_tensor **sorted, size_t count) {
    uint64_t end = h->data_begin;
    for (size_t i = 0; i < count; i++) {
        const rw_tensor *tensor = sorted[i];
        if (tensor->offset != end)
            return rw_fail_at(h->err, RW_ERR_INPUT,
                              tensor->offset < end ? "safetensors.overlap" : "safetensors.hole",
                              h->path, tensor->offset,
                              "tensor '%.*s' should begin at byte %llu, where the one before it "
                              "ends: the file is damaged",
                              (int)tensor->name.size, tensor->name.data, (unsigned long long)end);
        end += tensor->bytes;
    }
    if (end == h->data_begin + h->data_size)
        return RW_OK;
    return rw_fail_at(h->err, RW_ERR_INPUT, "safetensors.hole", h->path, end,
                      "%llu bytes behind the last tensor belong to none: the file is damaged",
                      (unsigned long long)(h->data_begin + h->data_size - end));
}

static rw_status check_ranges(const header *h, size_t first) {
    size_t count = h->checkpoint->tensor_count - first;
    const rw_tensor **sorted = rw_calloc(h->checkpoint->ctx, count + 1, sizeof(void *));
    if (!sorted)
        return rw_fail_memory(h->err, h->path, count * sizeof(void *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &h->checkpoint->tensors[first + i];
    qsort(sorted, count, sizeof(void *), compare_ranges);
    rw_status status = check_tiles(h, sorted, count);
    rw_free(h->checkpoint->ctx, sorted);
    return status;
}

/* ---- one file -------------------------------------------------------------------------------- */

static rw_status parse_header(const header *h, rw_str text) {
    rw_arena arena = {.ctx = h->checkpoint->ctx};
    const rw_json *root;
    size_t first = h->checkpoint->tensor_count;
    rw_status status = rw_json_parse(&arena, text, h->path, &root, h->err);
    if (status == RW_ERR_INPUT && h->err && h->err->offset != RW_NO_OFFSET)
        h->err->offset += 8; /* counted from the start of the file */
    if (status == RW_OK && root->type != RW_JSON_OBJECT)
        status = rw_fail_at(h->err, RW_ERR_INPUT, "safetensors.header", h->path, 8,
                            "the header is not a JSON object: the file is damaged");
    if (status == RW_OK)
        for (const rw_json *node = root->first; node && status == RW_OK; node = node->next)
            if (!rw_str_is(node->key, "__metadata__"))
                status = add_entry(h, node);
    rw_arena_free(&arena);
    return status == RW_OK ? check_ranges(h, first) : status;
}

static rw_status header_size(const rw_file *file, uint64_t *size, rw_error *err) {
    char start[9];
    if (file->size < sizeof start)
        return rw_fail_at(err, RW_ERR_INPUT, "safetensors.truncated", file->path, 0,
                          "the file has %llu bytes, too few for a safetensors header",
                          (unsigned long long)file->size);
    RW_TRY(rw_file_read(file, 0, start, sizeof start, err));
    *size = rw_load_u64(start);
    if (*size > HEADER_MAX || *size > file->size - 8)
        return rw_fail_at(err, RW_ERR_INPUT,
                          *size > HEADER_MAX ? "safetensors.header_size" : "safetensors.truncated",
                          file->path, 0,
                          "the header claims %llu bytes of a file of %llu (100 MB at most are "
                          "possible): it is cut short or no safetensors file",
                          (unsigned long long)*size, (unsigned long long)file->size);
    if (*size == 0 || start[8] != '{')
        return rw_fail_at(err, RW_ERR_INPUT, "safetensors.header", file->path, 8,
                          "the header does not begin with '{': the file is damaged");
    return RW_OK;
}

rw_status rw_safetensors_header(rw_checkpoint *checkpoint, uint32_t file, rw_error *err) {
    const rw_file *source = &checkpoint->files[file];
    uint64_t size = 0;
    RW_TRY(header_size(source, &size, err));
    char *text = rw_alloc(checkpoint->ctx, (size_t)size);
    if (!text)
        return rw_fail_memory(err, source->path, (size_t)size);
    header h = {checkpoint, file, source->path, 8 + size, source->size - 8 - size, err};
    rw_status status = rw_file_read(source, 8, text, (size_t)size, err);
    if (status == RW_OK)
        status = parse_header(&h, (rw_str){text, (size_t)size});
    rw_free(checkpoint->ctx, text);
    return status;
}

/* ---- shards ---------------------------------------------------------------------------------- */

/* What of model.safetensors.index.json is being worked on. */
typedef struct shard_index {
    rw_checkpoint *checkpoint;
    rw_arena arena;
    const char *path;
    const rw_json *map; /* tensor name -> shard name */
    rw_str *wanted;     /* shard name of each entry  */
    rw_names by_shard;
    rw_error *err;
} shard_index;

static rw_status parse_index(shard_index *index, rw_str text) {
    const rw_json *root;
    RW_TRY(rw_json_parse(&index->arena, text, index->path, &root, index->err));
    index->map = rw_json_get(root, "weight_map");
    if (!index->map || index->map->type != RW_JSON_OBJECT || index->map->count == 0)
        return rw_fail(index->err, RW_ERR_INPUT, "safetensors.index", index->path,
                       "there is no weight_map with tensors in it: fetch the file again");
    for (const rw_json *node = index->map->first; node; node = node->next)
        if (node->type != RW_JSON_STRING || !rw_plain_file_name(node->string))
            return rw_fail_at(index->err, RW_ERR_INPUT, "safetensors.shard_name", index->path,
                              node->begin,
                              "tensor '%.*s' names a shard that is no file of this directory",
                              (int)node->key.size, node->key.data);
    return RW_OK;
}

static rw_status sort_shards(shard_index *index) {
    size_t count = 0, bytes;
    const rw_str *twin; /* expected: many tensors share a shard */
    if (!rw_mul_size(index->map->count, sizeof *index->wanted, &bytes))
        return rw_fail_memory(index->err, index->path, SIZE_MAX);
    index->wanted = rw_arena_alloc(&index->arena, bytes);
    if (!index->wanted)
        return rw_fail_memory(index->err, index->path, bytes);
    for (const rw_json *node = index->map->first; node; node = node->next)
        index->wanted[count++] = node->string;
    return rw_names_build(&index->arena, index->wanted, sizeof *index->wanted, count,
                          &index->by_shard, &twin, index->err);
}

static rw_status add_shard(shard_index *index, rw_str name) {
    rw_checkpoint *checkpoint = index->checkpoint;
    uint32_t file;
    char *path =
        rw_arena_format(&index->arena, "%s/%.*s", checkpoint->directory, (int)name.size, name.data);
    if (!path)
        return rw_fail_memory(index->err, index->path, name.size);
    RW_TRY(rw_checkpoint_add_file(checkpoint, path, &file, index->err));
    return rw_safetensors_header(checkpoint, file, index->err);
}

static rw_status add_shards(shard_index *index) {
    for (size_t i = 0; i < index->by_shard.count; i++) {
        rw_str name = *index->by_shard.sorted[i];
        if (i == 0 || !rw_str_equal(name, *index->by_shard.sorted[i - 1]))
            RW_TRY(add_shard(index, name));
    }
    return RW_OK;
}

static rw_str base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return rw_str_of(slash ? slash + 1 : path);
}

/* Each tensor of the map must be in the shard the map names. */
static rw_status check_map(shard_index *index) {
    const rw_checkpoint *checkpoint = index->checkpoint;
    const rw_str *twin; /* reported once all files are open */
    rw_names names = {0};
    RW_TRY(rw_names_build(&index->arena, checkpoint->tensors, sizeof *checkpoint->tensors,
                          checkpoint->tensor_count, &names, &twin, index->err));
    for (const rw_json *node = index->map->first; node; node = node->next) {
        const rw_tensor *tensor = rw_names_find(&names, node->key);
        if (!tensor || !rw_str_equal(node->string, base_name(checkpoint->files[tensor->file].path)))
            return rw_fail_at(index->err, RW_ERR_INPUT, "safetensors.index", index->path,
                              node->key_begin, "tensor '%.*s' is not in the shard '%.*s'",
                              (int)node->key.size, node->key.data, (int)node->string.size,
                              node->string.data);
    }
    return RW_OK;
}

static rw_status open_index(rw_checkpoint *checkpoint, const char *path, rw_error *err) {
    shard_index index = {.checkpoint = checkpoint, .path = path, .err = err};
    rw_buf text = {.ctx = checkpoint->ctx};
    index.arena.ctx = checkpoint->ctx;
    rw_status status = rw_file_load(checkpoint->ctx, path, INDEX_MAX, &text, err);
    if (status == RW_OK)
        status = parse_index(&index, (rw_str){text.data, text.size});
    if (status == RW_OK)
        status = sort_shards(&index);
    if (status == RW_OK)
        status = add_shards(&index);
    if (status == RW_OK)
        status = check_map(&index);
    rw_arena_free(&index.arena);
    rw_buf_free(&text);
    return status;
}

rw_status rw_safetensors_open(rw_checkpoint *checkpoint, rw_error *err) {
    uint32_t file;
    const char *directory = checkpoint->directory;
    char *single = rw_arena_format(&checkpoint->arena, "%s/model.safetensors", directory);
    char *index = rw_arena_format(&checkpoint->arena, "%s/model.safetensors.index.json", directory);
    if (!single || !index)
        return rw_fail_memory(err, directory, strlen(directory));
    if (rw_path_exists(single)) {
        RW_TRY(rw_checkpoint_add_file(checkpoint, single, &file, err));
        return rw_safetensors_header(checkpoint, file, err);
    }
    if (rw_path_exists(index))
        return open_index(checkpoint, index, err);
    return rw_fail(err, RW_ERR_INPUT, "checkpoint.no_weights", directory,
                   "there is no model.safetensors and no model.safetensors.index.json; other "
                   "weight formats (pytorch_model.bin) are not read, convert them first");
}
