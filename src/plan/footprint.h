/*
 * footprint.h - what a model takes on a device: bytes of its weights, its cache and its states, in
 * the types that runtimes keep them in. One sequence; the model as it was read, not as our engine
 * runs it (that is arch/memory.h).
 */
#ifndef RW_PLAN_FOOTPRINT_H
#define RW_PLAN_FOOTPRINT_H

#include "dialect/dialect.h"

typedef enum rw_weight_type { RW_WEIGHTS_BF16, RW_WEIGHTS_8_BIT, RW_WEIGHTS_4_BIT } rw_weight_type;
typedef enum rw_kv_type { RW_KV_F16, RW_KV_8_BIT, RW_KV_FP8 } rw_kv_type;
enum { RW_WEIGHT_TYPES = 3, RW_KV_TYPES = 3 };

typedef struct rw_footprint {
    rw_arch arch;        /* n_layers 0: the layers are not known        */
    uint64_t parameters; /* 0: not known                                */
    uint64_t active;     /* what one token is multiplied with; 0: so    */
    uint64_t embedding;  /* of the parameters: embedding and output     */
    const char *counted; /* "tensors" or "config"; NULL: not known      */
} rw_footprint;

rw_status rw_footprint_read(const rw_source *source, rw_footprint *out, rw_error *err);

bool rw_footprint_is_known(const rw_footprint *model); /* layers and parameters */

const char *rw_weight_type_name(rw_weight_type type);
const char *rw_kv_type_name(rw_kv_type type);

/* Bytes; UINT64_MAX: not known, or more than can be said. */
uint64_t rw_footprint_weights(const rw_footprint *model, rw_weight_type type);
/* The cache for `context` tokens, a sliding layer's being its window, and recurrent states. */
uint64_t rw_footprint_kv(const rw_footprint *model, rw_kv_type type, uint64_t context);

#endif
