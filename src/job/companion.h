/*
 * companion.h - a draft that follows its target: planned and extended in the same call.
 */
#ifndef RW_JOB_COMPANION_H
#define RW_JOB_COMPANION_H

#include "plan/plan.h"

/* Plans `draft` for the window of `target`, by the same wishes resolved for its own config: the
   method is the target's, the factor reaches as far from the draft's own native window. `request`
   gets what it was planned by. A draft whose window suffices already gives nothing_to_do. Errors
   name the draft's path. */
rw_status rw_companion_plan(const rw_plan_options *options, const rw_plan_result *target,
                            const rw_source *draft, rw_plan_options *request, rw_plan_result *out,
                            rw_error *err);

#endif
