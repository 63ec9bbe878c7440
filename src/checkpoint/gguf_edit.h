/*
 * gguf_edit.h - what the GGUF editor's two halves share: collecting changes, writing the file.
 */
#ifndef RW_CHECKPOINT_GGUF_EDIT_H
#define RW_CHECKPOINT_GGUF_EDIT_H

#include "checkpoint/internal.h"

typedef struct rw_edit_value {
    rw_str key;
    rw_str bytes; /* key, type and value as the file has them, or will */
} rw_edit_value;

typedef struct rw_edit_tensor {
    rw_gguf_info info;    /* offset, begin and end are the writer's business */
    uint64_t size;        /* in bytes                                        */
    uint32_t file;        /* which of the source's files has them            */
    uint64_t from;        /* where in that file                              */
    const uint8_t *bytes; /* new contents instead, little-endian             */
} rw_edit_tensor;

struct rw_gguf_edit {
    rw_context *ctx;
    const rw_checkpoint *source;
    rw_arena arena;
    rw_edit_value *values;
    size_t value_count, value_capacity;
    rw_edit_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    bool tensors_changed; /* or the source is a series, whose data lie in several files */
};

rw_status rw_gguf_edit_write(const rw_gguf_edit *edit, const char *path, rw_error *err);

#endif
