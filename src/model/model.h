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

#include "arch/memory.h"
#include "backend/backend.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "ropewalk/rope.h"
#include "tokenizer/tokenizer.h"

typedef struct rw_model rw_model;
typedef struct rw_session rw_session;

/* Prepares the weights: those of types that the kernels read as they are stay where they lie in
   the files, which are mapped; the others are widened to float32. The files must not be cut short
   while the model lives; `checkpoint` may be closed, `arch` must outlive the model. `pairing` of
   the q/k weights follows the container (GGUF of the llama family: interleaved). Refuses what the
   engine cannot run: model.unsupported names the part. Codes: model.missing_tensor, model.shape,
   model.dtype, model.not_finite (with the tensor's name), file.truncated, RW_ERR_MEMORY before
   allocating what cannot fit. */
rw_status rw_model_load(rw_context *ctx, const rw_checkpoint *checkpoint, const rw_arch *arch,
                        rw_model **out, rw_error *err);
void rw_model_free(rw_model *model);
const rw_arch *rw_model_arch(const rw_model *model);

/* The checkpoint's tokenizer (tokenizer.json, or the GGUF's own). Checks that the vocabulary fits
   the model: model.vocabulary. An architecture that is not run is refused here already
   (model.unsupported): its tokenizer may be as new, and is not what its user must hear of. */
rw_status rw_model_tokenizer(rw_context *ctx, const rw_checkpoint *checkpoint, const rw_arch *arch,
                             rw_tokenizer **out, rw_error *err);

/* What the user may trade exactness for. Zero is exact: float32 throughout. int8 leaves the
   projection of the values and the logits in float32, where rounding costs most. */
typedef struct rw_engine {
    rw_cache_type cache;
    rw_arithmetic arithmetic;
} rw_engine;

/* By the names of the command line; NULL leaves a field as it is. Codes, RW_ERR_USAGE:
   arch.kv_type, model.arithmetic. */
rw_status rw_engine_read(const char *kv_type, const char *arithmetic, rw_engine *engine,
                         rw_error *err);
const char *rw_arithmetic_name(rw_arithmetic arithmetic); /* "f32", "int8" */
/* Members "kv_type" and "arithmetic", into an open object. */
void rw_engine_write(rw_json_writer *w, const rw_engine *engine);

/* A method whose table depends on the length (dynamic NTK, LongRoPE) can be resolved in two ways.

   Pinned, at `length`: what protocol `prefix` defines, and what a runtime does that knows the
   window it serves. Every position has one rotation, so feeding tokens one by one gives what
   feeding them at once gives, within rounding, for every method.

   Growing, at the length that each call of rw_session_forward reaches: what transformers does. No
   two positions of one attention are ever rotated by different tables (which transformers' cache of
   rotated keys lets happen):
   - dynamic NTK: the cache holds raw keys, which are turned by the present table when they are
     read. In the first layer that is what reading everything at once gives; deeper layers' keys
     and values were computed from streams that older tables shaped, and stay so: recomputing them
     would be a whole prompt a token.
   - LongRoPE changes its factors once, beyond the original window. Then everything is read again
     under the long factors, so the result is that of reading it at once. */
typedef struct rw_session_options {
    const rw_rope_set *rope;
    uint64_t capacity; /* tokens the cache holds */
    uint64_t length;   /* pinned: where; 0: capacity */
    bool growing;
    rw_engine engine;
} rw_session_options;

/* What such a session takes: `kv` and `activations` are the table that allocates. */
void rw_session_memory(const rw_model *model, const rw_session_options *options, rw_memory *out);

/* Codes: model.capacity, model.rope, arch.kv_type; RW_ERR_MEMORY model.memory before anything is
   allocated, with the largest capacity that fits. */
rw_status rw_session_create(const rw_model *model, const rw_session_options *options,
                            rw_session **out, rw_error *err);
void rw_session_free(rw_session *session);
/* Forgets the tokens, keeps the memory; a new rotation may be given (NULL: the same), the engine
   and whether it grows stay. */
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

/* ---- a sequence's rows, out and in ------------------------------------------------------------

   So that a long sequence can be gone on with in another process: its cache is handed out part by
   part as it grows, and taken in again part by part, by a session made with the same options over
   the same model. What is read behind it then gives the bits that it would have given. */

typedef struct rw_row_sink {
    void *user;
    rw_status (*put)(void *user, const void *bytes, size_t size, rw_error *err);
} rw_row_sink;

typedef struct rw_row_source {
    void *user;
    rw_status (*get)(void *user, void *bytes, size_t size, rw_error *err);
} rw_row_source;

/* Hands out what the session holds of positions [from, its length), in pieces that take no memory
   to speak of: the bits of the cache, raw keys and the tokens of a session that grows included. Of
   a layer with a window, rows that it has forgotten are not there. A part must begin where the one
   before ended. RW_ERR_USAGE model.rows: `from` lies behind the length; or LongRoPE changed its
   factors since (the rows before were read again, so begin anew at 0). */
rw_status rw_session_save(rw_session *session, uint64_t from, const rw_row_sink *sink,
                          rw_error *err);
/* Takes positions [the session's length, to) from a part that began there and ended at `to`. A
   failure leaves the session to be reset. RW_ERR_INPUT model.rows: this is no such part. (Bits that
   were changed are not noticed: who keeps parts hashes them.) */
rw_status rw_session_restore(rw_session *session, uint64_t to, const rw_row_source *source,
                             rw_error *err);

/* What the whole process has in memory now, asked of the system: bytes of its own (anonymous), and
   of mapped files. 0: not known. */
typedef struct rw_resident {
    uint64_t anonymous, mapped;
} rw_resident;
rw_resident rw_resident_now(void);

#endif
