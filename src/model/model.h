/*
 * model.h - the forward pass over arch's records.
 *
 * A model is weights, prepared for the backend once. A session is one sequence: a rotation, a KV
 * cache, scratch. So the same weights are measured under two rotations without loading twice.
 *
 * Thread-safety: a model is immutable after loading; sessions of one model may be used one at a
 * time (they share the context's thread pool). A session's results are the same bits for any
 * thread count.
 */
#ifndef RW_MODEL_MODEL_H
#define RW_MODEL_MODEL_H

#include "arch/arch.h"
#include "checkpoint/checkpoint.h"
#include "ropewalk/rope.h"
#include "tokenizer/tokenizer.h"

typedef struct rw_model rw_model;
typedef struct rw_session rw_session;

/* Reads and prepares the weights. `arch` must outlive the model. `pairing` of the q/k weights
   follows the container (GGUF of the llama family: interleaved). Refuses what the engine cannot
   run: model.unsupported names the part. Codes: model.missing_tensor, model.shape, model.dtype,
   model.not_finite (with the tensor's name), RW_ERR_MEMORY before allocating what cannot fit. */
rw_status rw_model_load(rw_context *ctx, const rw_checkpoint *checkpoint, const rw_arch *arch,
                        rw_model **out, rw_error *err);
void rw_model_free(rw_model *model);
const rw_arch *rw_model_arch(const rw_model *model);

/* The checkpoint's tokenizer (tokenizer.json, or the GGUF's own). Checks that the vocabulary fits
   the model: model.vocabulary. */
rw_status rw_model_tokenizer(rw_context *ctx, const rw_checkpoint *checkpoint, const rw_arch *arch,
                             rw_tokenizer **out, rw_error *err);

typedef struct rw_session_options {
    const rw_rope_set *rope;
    uint64_t capacity; /* tokens the cache holds */
    uint64_t length;   /* length-dependent methods resolve here; 0: capacity */
} rw_session_options;

/* Bytes that a session of `capacity` takes (KV, rows, scratch), from the table that allocates. */
rw_status rw_session_bytes(const rw_model *model, uint64_t capacity, size_t *out, rw_error *err);

rw_status rw_session_create(const rw_model *model, const rw_session_options *options,
                            rw_session **out, rw_error *err);
void rw_session_free(rw_session *session);
/* Forgets the tokens, keeps the memory; a new rotation may be given (NULL: the same). */
rw_status rw_session_reset(rw_session *session, const rw_session_options *options, rw_error *err);

/* What a forward call shall say of positions [first, first + count) of the tokens it is given.
   Every pointer may be NULL. Memory for it is vocabulary-sized, never count x vocabulary. */
typedef struct rw_outputs {
    size_t first, count;
    const int32_t *target; /* [count] token whose NLL is wanted; < 0: none */
    double *nll;           /* [count] -ln p(target), nats */
    int32_t *argmax;       /* [count] */
    float *logits;         /* [count][vocab]: for few positions */
} rw_outputs;

/* Appends `n` tokens to the session and computes `outputs` (NULL: none). The prompt is cut into
   chunks inside; `task` names the progress line (NULL: silent). RW_ERR_CANCELLED leaves the
   session to be reset. Codes: model.token_range, model.capacity. */
rw_status rw_session_forward(rw_session *session, const int32_t *tokens /* [n] */, size_t n,
                             const rw_outputs *outputs, const char *task, rw_error *err);

uint64_t rw_session_length(const rw_session *session);

#endif
