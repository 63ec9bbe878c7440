/*
 * internal.h - what the files of the plan room share.
 */
#ifndef RW_PLAN_INTERNAL_H
#define RW_PLAN_INTERNAL_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan/plan.h"

/* Positions are formed in float32 by the runtimes; from 2^24 on neighbours are the same number. */
#define RW_PLAN_CONTEXT_MAX (UINT64_C(1) << 24)

/* What the checkpoint is scaled by already. */
typedef struct rw_existing {
    bool scaled;
    rw_rope_method method;
    double factor;
    bool from_receipt; /* only our receipt says so: the file itself looks unscaled */
} rw_existing;

/* One decision, before it is turned into specs. */
typedef struct rw_decision {
    rw_rope_method method;
    double factor;
    uint64_t original; /* L0 */
    double theta;      /* of the unscaled rotation; 0: as the checkpoint has it */
    bool keep;         /* --compound: the existing parameters stay, only the factor changes */
    bool sliding;      /* --layers all: sliding layers are scaled too */
} rw_decision;

/* ---- scaling.c: flags to specs --------------------------------------------------------------- */

/* The method that was named, or `usual` when none was; RW_ERR_USAGE for an unknown name. */
rw_status rw_plan_method(const rw_scaling_options *scaling, rw_rope_method usual,
                         rw_rope_method *out, rw_error *err);
/* `before` with its full-attention rotations scaled as decided; sliding ones stay as they are,
   unless the decision has them too. */
rw_status rw_plan_apply(const rw_rope_set *before, const rw_decision *decision,
                        const rw_scaling_options *scaling, rw_rope_set *after, rw_error *err);
/* Warns of flags that the method does not look at. */
void rw_plan_note_unused(const rw_scaling_options *scaling, rw_rope_method method,
                         rw_diagnostics *diagnostics);

rw_existing rw_plan_existing(const rw_source *source, const rw_rope_set *before);
/* Theta before our own earlier patch, from its receipt; 0 when there is nothing to go back to. */
double rw_plan_theta_before(const rw_source *source);

/* The rotation of the layers that see everything. */
const rw_rope_group *rw_plan_primary(const rw_rope_set *set);

/* ---- guards.c
 * ------------------------------------------------------------------------------------ */

/* Largest factor that a method is known to bear without training. */
double rw_plan_stable_factor(rw_rope_method method);

rw_status rw_guard_context(uint64_t context, rw_error *err);
rw_status rw_guard_shrink(uint64_t native, uint64_t context, rw_error *err);
rw_status rw_guard_existing(const rw_source *source, const rw_existing *existing, uint64_t native,
                            const rw_plan_options *options, rw_error *err);
rw_status rw_guard_factor(const rw_decision *decision, bool force, rw_diagnostics *diagnostics,
                          rw_error *err);
/* Contradictions found while reading the source (severity error) stop a plan. */
rw_status rw_guard_source(const rw_source *source, rw_error *err);

/* ---- advice.c: what the user should know, though it stops nothing
 * --------------------------------- */

void rw_plan_advise(const rw_source *source, rw_plan_result *plan);

/* ---- targets.c
 * ------------------------------------------------------------------------------------ */

/* Named targets must all be able to say plan->after; default ones that cannot are left out, with a
   warning. */
rw_status rw_plan_targets(const rw_source *source, const char *names, rw_plan_result *plan,
                          rw_error *err);

/* ---- memory_guard.c -------------------------------------------------------------------------- */

/* Fills plan->devices; refuses one that cannot, warns of one that is too small. */
rw_status rw_plan_check_devices(const rw_source *source, const char *names, rw_plan_result *plan,
                                rw_error *err);

/* ---- parts of the JSON
 * ------------------------------------------------------------------------------ */

void rw_plan_write_bands(rw_json_writer *w, const rw_rope_spec *spec, uint64_t context);
void rw_plan_write_memory(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan);
void rw_plan_write_cost(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan);

#endif
