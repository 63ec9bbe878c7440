/*
 * plan.h - from a checkpoint, a target length and the user's flags to one decision: method, factor,
 * spec, warnings, what fits. Guards live here. Reads no weights.
 */
#ifndef RW_PLAN_PLAN_H
#define RW_PLAN_PLAN_H

#include "arch/memory.h"
#include "dialect/dialect.h"
#include "ropewalk/job.h"

typedef struct rw_plan_result {
    bool nothing_to_do; /* context equals the native window and nothing else was asked */
    uint64_t native, context;
    rw_rope_method method;
    double factor;
    rw_rope_set before; /* what the checkpoint rotates by today (its home reader)           */
    rw_rope_set after;  /* what it shall rotate by, rounded to what every target can store  */
    rw_targets targets;
    const struct rw_device *devices; /* [device_count] that were named (plan/devices.h) */
    size_t device_count;
    const char *emit;      /* the runtime whose command was asked for (borrowed), or NULL: all */
    rw_cache_type cache;   /* that memory is counted for */
    const char *companion; /* path of the draft that follows (borrowed), or NULL */
    rw_diagnostics diagnostics;
} rw_plan_result;

/* The plan for `options` (path is ignored, source is given). Refusals are RW_ERR_REFUSED with codes
   plan.shrink, plan.already_scaled, plan.unstable_factor, plan.not_expressible, ...; the message
   names the numbers and the ways on. */
rw_status rw_plan_make(const rw_source *source, const rw_plan_options *options, rw_plan_result *out,
                       rw_error *err);

/* The set that results from trying `scaling` in memory (measure, generate): no guard refuses;
   what a guard would have said becomes a warning. Method NULL or "none": the checkpoint as it is.
 */
rw_status rw_plan_try(const rw_source *source, const rw_scaling_options *scaling, uint64_t context,
                      rw_rope_set *out, rw_diagnostics *diagnostics, rw_error *err);

/* Writes the members "native" .. "diagnostics" of the plan's JSON into an open object. */
void rw_plan_write(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan);

/* One B of the JSON contract (a rotation resolved at `length`), shared by inspect and plan. */
void rw_rope_group_write(rw_json_writer *w, const rw_rope_group *group, uint64_t length);
/* Its members, into an open object. */
void rw_rope_group_members(rw_json_writer *w, const rw_rope_group *group, uint64_t length);

#endif
