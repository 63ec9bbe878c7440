/*
 * memory.h - does it fit? One model, one device, one choice of types.
 */
#ifndef RW_PLAN_MEMORY_H
#define RW_PLAN_MEMORY_H

#include "arch/memory.h"
#include "plan/devices.h"
#include "plan/footprint.h"
#include "plan/internal.h"

/* ---- our own engine, on this machine (engine.c) ---------------------------------------------- */

/* What a run takes by the table that allocates; what the weights take is known from the headers of
   their files, and taken to be 16 bits a number where there are none. */
void rw_plan_memory(const rw_source *source, uint64_t context, rw_cache_type cache, rw_memory *out);
/* The members "context" .. "largest_context" of the plan's memory. */
void rw_plan_engine_write(rw_json_writer *w, const rw_source *source, uint64_t context,
                          rw_cache_type cache);

/* ---- any runtime, on a device ---------------------------------------------------------------- */

typedef struct rw_fit {
    rw_weight_type weights;
    rw_kv_type kv;
} rw_fit;

/* Can a runtime on this device keep these types? */
bool rw_fit_offered(const rw_device *device, rw_fit fit);
/* Bytes for one sequence of `context` tokens; UINT64_MAX: not known. */
uint64_t rw_fit_bytes(const rw_footprint *model, const rw_device *device, rw_fit fit,
                      uint64_t context);
/* The longest sequence that fits, at most RW_PLAN_CONTEXT_MAX; 0: the weights alone don't. */
uint64_t rw_fit_largest(const rw_footprint *model, const rw_device *device, rw_fit fit);

#endif
