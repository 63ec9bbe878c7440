/*
 * internal.h - what the files of this room share.
 */
#ifndef RW_MODEL_INTERNAL_H
#define RW_MODEL_INTERNAL_H

#include "arch/memory.h"
#include "backend/backend.h"
#include "model/model.h"

/* Vectors are buffers of float32; a handle of NULL is a weight that this model doesn't have. */
typedef struct rw_model_layer {
    rw_buffer attention_norm, ffn_norm;           /* [hidden] */
    rw_buffer post_attention_norm, post_ffn_norm; /* [hidden] */
    rw_linear q, k, v, o;
    rw_buffer q_bias, k_bias, v_bias, o_bias;
    rw_buffer q_norm, k_norm; /* [qk_dim] */
    rw_linear gate, up, down;
    rw_buffer gate_bias, up_bias, down_bias;
} rw_model_layer;

struct rw_model {
    rw_context *ctx;
    rw_backend *backend;
    const rw_arch *arch;
    rw_tensor_map *map;     /* the files' pages, which linear weights refer to */
    rw_linear embedding;    /* [vocab][hidden] */
    rw_linear output;       /* [vocab][hidden]; empty when tied */
    rw_buffer final_norm;   /* [hidden] */
    rw_model_layer *layers; /* [n_layers] */
};

/* Can the engine run it? Codes: model.unsupported. */
rw_status rw_model_check_arch(const rw_arch *arch, rw_error *err);

/* The linear layer that makes logits. */
const rw_linear *rw_model_head(const rw_model *model);

/* What the machine (or the control group) has left; UINT64_MAX: not known. */
uint64_t rw_memory_available(void);
/* RW_ERR_MEMORY when `bytes` are more than that. */
rw_status rw_model_check_memory(uint64_t bytes, const char *what, rw_error *err);

/* Is a NaN or an infinity among the numbers of `bytes`, rows of `type`? Of block types the scales
   decide. On the context's threads. */
bool rw_weights_finite(rw_context *ctx, rw_dtype type, const void *bytes, uint64_t elements);

/* Keys and values of one layer, as the engine's type. Row i holds position first + i. Keys are
   rotated, or raw where the session says so. */
typedef struct rw_cache {
    rw_buffer k; /* [rows][n_kv_heads * qk_dim] */
    rw_buffer v; /* [rows][n_kv_heads * v_dim]  */
    uint64_t rows;
    uint64_t first;
} rw_cache;

/* Rotations by kind of layer. */
enum { RW_ROTATION_FULL, RW_ROTATION_SLIDING, RW_ROTATION_COUNT };

enum { RW_ROWS_PIECE = 256 }; /* positions whose cos and sin are made at once */

typedef struct rw_rotation {
    bool used; /* does the model have such layers that rotate? */
    bool raw;  /* keys are cached raw */
    rw_rope_spec spec;
    rw_rope_table table;
    uint64_t key_rows; /* raw: positions whose cos and sin are there */
} rw_rotation;

struct rw_session {
    const rw_model *model;
    uint64_t capacity, length;
    size_t chunk;
    bool growing, replays; /* replays: a change of table reads everything again */
    uint64_t reread;       /* length at which that last happened; 0: never */
    rw_engine engine;
    rw_rotation rotation[RW_ROTATION_COUNT];
    float *rows[2];   /* host: cos and sin of a few positions, [RW_ROWS_PIECE][pairs] */
    rw_cache *caches; /* [n_layers] */
    rw_buffer scratch[RW_SCRATCH_COUNT];
};

/* Tokens [position, position + count) of the sequence, on their way through the layers. */
typedef struct rw_span {
    uint64_t position;
    size_t count;
} rw_span;

/* Where a layer keeps what a backward pass would need. Inference hands every layer the same
   scratch; training hands each layer memory of its own. */
typedef struct rw_layer_slots {
    rw_view stream;    /* [count][hidden] the layer's input; its output afterwards */
    rw_view attention; /* [count][heads * v_dim] O   */
    rw_view lse;       /* [count][heads]             */
} rw_layer_slots;

/* Runs one layer over `span`: appends its keys and values to the cache and updates the stream. */
rw_status rw_layer_forward(rw_session *session, uint32_t index, const rw_span *span,
                           const rw_layer_slots *slots, rw_error *err);

/* Bytes of one position of a layer's keys and of its values. */
void rw_session_row_bytes(const rw_session *session, uint32_t index, size_t *k, size_t *v);
/* Forgets rows of a layer: those before position `first`, of all before `end`. */
rw_status rw_session_drop_rows(rw_session *session, uint32_t index, uint64_t first, uint64_t end,
                               rw_error *err);

/* Enqueues `op` with the session's workspace. */
rw_status rw_session_run(rw_session *session, const rw_op *op, rw_error *err);
/* [count][columns] of a scratch buffer, float32. */
rw_view rw_session_scratch(const rw_session *session, rw_scratch scratch, size_t count,
                           size_t columns);
/* Does a session keep raw keys, or its tokens, for these rotations? */
void rw_rotation_needs(const rw_rope_set *set, bool growing, bool *raw_keys, bool *history);
/* Resolves options->rope for the session's layers. */
rw_status rw_session_rotate_by(rw_session *session, const rw_session_options *options,
                               rw_error *err);
/* Rows of cos (or sin) for one kind of layer: in `scratch`, from row `first` on. */
rw_view rw_session_angles(const rw_session *session, rw_scratch scratch, int rotation, size_t first,
                          size_t count);
int rw_rotation_of(const rw_layer *layer);
rw_element rw_session_element(const rw_session *session); /* of the cache */
/* Before `n` tokens are appended: the tables at the length they reach, when the session grows.
 *again: everything must be read again under them. */
rw_status rw_session_resolve(rw_session *session, size_t n, bool *again, rw_error *err);
/* Cos and sin of the span for every kind of layer, and of all keys where they are raw. */
rw_status rw_session_make_rows(rw_session *session, uint64_t position, size_t count, rw_error *err);
void rw_session_forget(rw_session *session);
rw_status rw_session_norm(rw_session *session, rw_view x, const rw_buffer *weight, rw_view out,
                          rw_error *err);

#endif
