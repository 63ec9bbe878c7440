/*
 * checkpoint.h - containers and nothing else: safetensors, GGUF and config.json as bytes, values
 * and tensors by name. What the names mean is the business of arch and dialect.
 *
 * A checkpoint is hostile until parsed. Opening reads headers only (memory is bounded by the
 * header, never by the tensors); tensor bytes are read on request, and every read is checked
 * against what the file still holds. Immutable once open; reads may come from several threads.
 */
#ifndef RW_CHECKPOINT_CHECKPOINT_H
#define RW_CHECKPOINT_CHECKPOINT_H

#include "base/base.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

typedef enum rw_format {
    RW_FORMAT_HF,     /* a directory with config.json, with or without weights */
    RW_FORMAT_CONFIG, /* a bare config.json                                    */
    RW_FORMAT_GGUF    /* one file, or the first of a split series              */
} rw_format;

typedef enum rw_dtype {
    RW_F32,
    RW_F16,
    RW_BF16,
    RW_Q8_0,
    RW_Q4_0,
    RW_Q4_1,
    RW_Q5_0,
    RW_Q5_1,
    RW_Q2_K,
    RW_Q3_K,
    RW_Q4_K,
    RW_Q5_K,
    RW_Q6_K,
    RW_DTYPE_OTHER /* known to the container, its bytes can be copied but not read as numbers */
} rw_dtype;

const char *rw_dtype_name(rw_dtype dtype);
/* Elements and bytes of one block (1 and 4 for F32, 32 and 20 for Q4_1). */
void rw_dtype_block(rw_dtype dtype, uint32_t *elements, uint32_t *bytes);

/* GGUF stops at 4; safetensors has no limit, and vision towers ship 5 (a 3-D convolution). */
enum { RW_MAX_DIMS = 8 };

typedef struct rw_tensor {
    rw_str name;
    rw_dtype dtype;
    const char *dtype_name; /* as the container spells it: "BF16", "Q4_1", "I64" */
    uint32_t ggml_type;     /* a GGUF's own number for it */
    uint32_t n_dims;
    uint64_t shape[RW_MAX_DIMS]; /* row-major, outermost first (a GGUF's order reversed) */
    uint64_t elements;
    uint64_t bytes;  /* of a type not known: up to the next tensor */
    uint32_t file;   /* index into the checkpoint's files */
    uint64_t offset; /* in that file */
} rw_tensor;

typedef struct rw_checkpoint rw_checkpoint;
typedef struct rw_gguf rw_gguf;

/* A missing or damaged weight file is no error: an HF checkpoint then has no tensors, and a GGUF
   may end anywhere behind its header (reads beyond its end fail with file.truncated), and the later
   files of a split series may be missing (then it is not edited: "gguf.split"). */
enum { RW_OPEN_NO_WEIGHTS = 1 };

/* Opens a directory, a GGUF or a config.json. Codes: checkpoint.*, safetensors.*, gguf.*, json.*,
   file.*; all RW_ERR_INPUT with file and offset. */
rw_status rw_checkpoint_open(rw_context *ctx, const char *path, unsigned flags, rw_checkpoint **out,
                             rw_error *err);
void rw_checkpoint_close(rw_checkpoint *checkpoint); /* NULL is fine */

rw_format rw_checkpoint_format(const rw_checkpoint *checkpoint);
const char *rw_checkpoint_path(const rw_checkpoint *checkpoint);

/* HF forms: the parsed config.json and its bytes; NULL / empty for a GGUF. */
const rw_json *rw_checkpoint_config(const rw_checkpoint *checkpoint);
rw_str rw_checkpoint_config_text(const rw_checkpoint *checkpoint);
/* A small file beside it (tokenizer_config.json, receipt.json, ...) loaded into `out`;
   RW_ERR_INPUT "file.missing" when it is not there. In an HF directory, or beside the file. */
rw_status rw_checkpoint_sidecar(const rw_checkpoint *checkpoint, const char *name, uint64_t limit,
                                rw_buf *out, rw_error *err);

/* GGUF form: its metadata; NULL otherwise. */
const rw_gguf *rw_checkpoint_gguf(const rw_checkpoint *checkpoint);

size_t rw_checkpoint_tensor_count(const rw_checkpoint *checkpoint);
const rw_tensor *rw_checkpoint_tensor_at(const rw_checkpoint *checkpoint, size_t index);
const rw_tensor *rw_checkpoint_tensor(const rw_checkpoint *checkpoint, const char *name);

/* Raw bytes [begin, begin + size) of the tensor. */
rw_status rw_tensor_read(const rw_checkpoint *checkpoint, const rw_tensor *tensor, uint64_t begin,
                         void *out, size_t size, rw_error *err);
/* Elements [first, first + count) as float32; first and count are multiples of the block.
   RW_ERR_INPUT "checkpoint.dtype" or "gguf.unknown_type" for types that are not read as numbers. */
rw_status rw_tensor_read_f32(const rw_checkpoint *checkpoint, const rw_tensor *tensor,
                             uint64_t first, uint64_t count, float *out, rw_error *err);
/* Widens `count` elements of packed `bytes` (a whole number of blocks). */
void rw_dtype_to_f32(rw_dtype dtype, const void *bytes, float *out, size_t count);

/* The tensors' bytes as memory: what lies in each file from its first tensor to the end of its
   last, mapped read-only; headers are not. It does not need the checkpoint once it is made. A file
   that has become shorter than its header says is refused: file.truncated. */
typedef struct rw_tensor_map rw_tensor_map;
rw_status rw_tensor_map_create(const rw_checkpoint *checkpoint, rw_tensor_map **out, rw_error *err);
void rw_tensor_map_free(rw_tensor_map *map); /* NULL is fine */
/* The tensor's first byte, at any alignment. */
const void *rw_tensor_map_bytes(const rw_tensor_map *map, const rw_tensor *tensor);
/* Types whose numbers the engine's kernels read where they lie; the others are widened. */
bool rw_dtype_in_place(rw_dtype dtype);

/* The files it is made of (weights and config), for hashing. */
size_t rw_checkpoint_file_count(const rw_checkpoint *checkpoint);
const rw_file *rw_checkpoint_file(const rw_checkpoint *checkpoint, size_t index);

/* ---- GGUF metadata --------------------------------------------------------------------------- */

typedef enum rw_gguf_type {
    RW_GGUF_U8,
    RW_GGUF_I8,
    RW_GGUF_U16,
    RW_GGUF_I16,
    RW_GGUF_U32,
    RW_GGUF_I32,
    RW_GGUF_F32,
    RW_GGUF_BOOL,
    RW_GGUF_STRING,
    RW_GGUF_ARRAY,
    RW_GGUF_U64,
    RW_GGUF_I64,
    RW_GGUF_F64
} rw_gguf_type;

typedef struct rw_gguf_value {
    rw_str key;
    rw_gguf_type type;
    rw_gguf_type element_type; /* of an array */
    uint64_t count;            /* of an array */
    /* Scalars, widened: integers in `integer` (signed ones two's complement), floats in `real`. */
    uint64_t integer;
    double real;
    rw_str string;       /* a string, or the raw bytes of an array */
    uint64_t begin, end; /* byte range in the file: key, type and value */
} rw_gguf_value;

size_t rw_gguf_count(const rw_gguf *gguf);
const rw_gguf_value *rw_gguf_at(const rw_gguf *gguf, size_t index);
const rw_gguf_value *rw_gguf_get(const rw_gguf *gguf, const char *key);
/* Typed reads with any integer or float width; false when missing or of another kind. */
bool rw_gguf_u64(const rw_gguf *gguf, const char *key, uint64_t *out);
bool rw_gguf_double(const rw_gguf *gguf, const char *key, double *out);
bool rw_gguf_string(const rw_gguf *gguf, const char *key, rw_str *out);
bool rw_gguf_bool(const rw_gguf *gguf, const char *key, bool *out);
/* Array of strings into `arena`; array of numbers likewise (integers and floats as double). */
rw_status rw_gguf_strings(const rw_gguf *gguf, const char *key, rw_arena *arena, rw_str **out,
                          size_t *count, rw_error *err);
rw_status rw_gguf_numbers(const rw_gguf *gguf, const char *key, rw_arena *arena, double **out,
                          size_t *count, rw_error *err);

/* ---- writing: config.json as text ------------------------------------------------------------ */

/* Changes to a JSON text that leave every other byte as it was: order, indentation, line ends,
   number spelling, escapes, byte order mark. Paths are keys from the root, NULL-terminated. */
typedef struct rw_config_edit rw_config_edit;

/* `text` must be valid JSON with an object at the root and outlive the edit. */
rw_status rw_config_edit_begin(rw_context *ctx, rw_str text, const char *where,
                               rw_config_edit **out, rw_error *err);
/* Sets the value at `path` to `json` (already JSON, one line or indented from column 0: it is
   re-indented in the file's own style). Adds the last key (behind its last sibling) when it is
   not there; the objects above it must exist ("checkpoint.config_path"). A value that is there
   with the same spelling stays as it is; several sets and removes see each other in turn. */
rw_status rw_config_edit_set(rw_config_edit *edit, const char *const *path, const char *json,
                             rw_error *err);
/* Removes a member with its comma; nothing to remove is fine. */
rw_status rw_config_edit_remove(rw_config_edit *edit, const char *const *path, rw_error *err);
/* The edited text into `out`; re-parsed and checked to differ only where meant. Frees `edit`. */
rw_status rw_config_edit_finish(rw_config_edit *edit, rw_buf *out, rw_error *err);
void rw_config_edit_abort(rw_config_edit *edit);

/* ---- writing: GGUF --------------------------------------------------------------------------- */

/* Changes to a GGUF's metadata and small tensors; all other tensor bytes are copied as they are
   (reflinked or copy_file_range'd where possible), order and alignment kept. */
typedef struct rw_gguf_edit rw_gguf_edit;

/* A split series is one model and becomes one file: its tensors in the order of the files, the
   metadata of the first (the only ones that llama.cpp reads), without the split.* keys. `gguf` must
   outlive the edit. */
rw_status rw_gguf_edit_begin(const rw_checkpoint *gguf, rw_gguf_edit **out, rw_error *err);
/* Changed keys keep their place; new ones go to the end. */
rw_status rw_gguf_edit_set_u32(rw_gguf_edit *edit, const char *key, uint32_t value, rw_error *err);
rw_status rw_gguf_edit_set_f32(rw_gguf_edit *edit, const char *key, float value, rw_error *err);
rw_status rw_gguf_edit_set_string(rw_gguf_edit *edit, const char *key, const char *value,
                                  rw_error *err);
rw_status rw_gguf_edit_set_bool(rw_gguf_edit *edit, const char *key, bool value, rw_error *err);
rw_status rw_gguf_edit_remove(rw_gguf_edit *edit, const char *key, rw_error *err);
/* Adds or replaces a one-dimensional F32 tensor; drops one (missing is fine). */
rw_status rw_gguf_edit_set_tensor(rw_gguf_edit *edit, const char *name, const float *values,
                                  uint64_t count, rw_error *err);
rw_status rw_gguf_edit_drop_tensor(rw_gguf_edit *edit, const char *name, rw_error *err);
/* Writes the file at `path` (a temporary name of an rw_output) and reads its header back. Frees
   `edit`, also on failure. */
rw_status rw_gguf_edit_finish(rw_gguf_edit *edit, const char *path, rw_error *err);
void rw_gguf_edit_abort(rw_gguf_edit *edit);

#endif
