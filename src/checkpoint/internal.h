/*
 * internal.h - what the files of this room share and nobody else sees.
 */
#ifndef RW_CHECKPOINT_INTERNAL_H
#define RW_CHECKPOINT_INTERNAL_H

#include "checkpoint/checkpoint.h"

/* ---- names ----------------------------------------------------------------------------------- */

/* Names in bytewise order, for binary search. Not a hash table: a hostile header chooses its names,
   and n log n holds for every choice. */
typedef struct rw_names {
    const rw_str **sorted;
    size_t count;
} rw_names;

/* Each of `count` items of `stride` bytes begins with its rw_str name; they must not move
   afterwards. `*duplicate` is an item whose name another one has, or NULL. */
rw_status rw_names_build(rw_arena *arena, const void *items, size_t stride, size_t count,
                         rw_names *out, const rw_str **duplicate, rw_error *err);
/* The item with that name, or NULL. */
const void *rw_names_find(const rw_names *names, rw_str name);

/* ---- the checkpoint -------------------------------------------------------------------------- */

struct rw_checkpoint {
    rw_context *ctx;
    rw_arena arena; /* paths, tensor names, the config's tree */
    rw_format format;
    const char *path;
    const char *directory; /* where sidecars lie */
    rw_file *files;
    size_t file_count, file_capacity;
    char *config_bytes;
    size_t config_size;
    const rw_json *config;
    rw_gguf *gguf;
    rw_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    rw_names tensor_names;
};

/* Opens `path` as one more file of the checkpoint; `*index` is its number. */
rw_status rw_checkpoint_add_file(rw_checkpoint *checkpoint, const char *path, uint32_t *index,
                                 rw_error *err);
rw_status rw_checkpoint_add_tensor(rw_checkpoint *checkpoint, const rw_tensor *tensor,
                                   rw_error *err);
/* True for a name that stays in its directory. */
bool rw_plain_file_name(rw_str name);

/* Adds the tensors of DIR/model.safetensors, or of the shards its index names. */
rw_status rw_safetensors_open(rw_checkpoint *checkpoint, rw_error *err);
/* Adds the tensors of one safetensors file that is already among the files. */
rw_status rw_safetensors_header(rw_checkpoint *checkpoint, uint32_t file, rw_error *err);

/* ---- GGUF ------------------------------------------------------------------------------------ */

enum { RW_GGUF_DIMS = 4, RW_GGUF_NAME_MAX = 65535 };
extern const unsigned char rw_gguf_magic[4];

/* A tensor's entry as the file has it. */
typedef struct rw_gguf_info {
    rw_str name;
    uint32_t n_dims;
    uint64_t dims[RW_GGUF_DIMS]; /* innermost first */
    uint32_t type;
    uint64_t offset;     /* from the start of the data */
    uint64_t begin, end; /* byte range of this entry   */
} rw_gguf_info;

struct rw_gguf {
    rw_context *ctx;
    rw_arena arena;
    const char *path; /* of the file; lives as long as that is open */
    uint32_t version;
    uint32_t alignment;
    char *bytes; /* the file from byte 0 to the end of the tensor entries, at least */
    size_t loaded, capacity;
    rw_gguf_value *values;
    size_t count, value_capacity;
    rw_names keys;
    rw_gguf_info *infos;
    size_t info_count, info_capacity;
    uint64_t infos_begin, infos_end, data_begin;
};

/* Reads the header of `file`. */
rw_status rw_gguf_read(rw_context *ctx, const rw_file *file, rw_gguf **out, rw_error *err);
void rw_gguf_free(rw_gguf *gguf); /* NULL is fine */

/* Opens the checkpoint's first file, and the rest of a split series, as GGUF. */
rw_status rw_gguf_open(rw_checkpoint *checkpoint, unsigned flags, rw_error *err);

/* A type of the ggml library: its block, and what ropewalk makes of it. */
typedef struct rw_ggml_type {
    const char *name;
    uint32_t id;
    uint32_t elements, bytes; /* of a block */
    rw_dtype dtype;
} rw_ggml_type;

/* NULL when the type is not known. */
const rw_ggml_type *rw_ggml_type_find(uint32_t id);

/* One scalar (a boolean is 0 or 1) as double. */
double rw_gguf_number(const void *bytes, rw_gguf_type type);

/* Bytes of one scalar of a metadata type; 0 for strings, arrays and unknown types. */
size_t rw_gguf_type_size(uint32_t type);

/* ---- little-endian loads and stores ---------------------------------------------------------- */

static inline uint16_t rw_load_u16(const void *p) {
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t rw_load_u32(const void *p) {
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t rw_load_u64(const void *p) {
    const uint8_t *b = p;
    return rw_load_u32(b) | (uint64_t)rw_load_u32(b + 4) << 32;
}

static inline void rw_store_u32(void *p, uint32_t v) {
    uint8_t *b = p;
    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(v >> (8 * i));
}

static inline void rw_store_u64(void *p, uint64_t v) {
    uint8_t *b = p;
    rw_store_u32(b, (uint32_t)v);
    rw_store_u32(b + 4, (uint32_t)(v >> 32));
}

#endif
