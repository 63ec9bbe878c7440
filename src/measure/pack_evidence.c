/*
 * pack_evidence.c - do the answers hang on what the pack says they hang on?
 */
#include <math.h>

#include "measure/pack.h"

static bool is_counted(const rw_pack_result *result, size_t beyond) {
    bool counts = result->outcome == RW_PACK_RIGHT || result->outcome == RW_PACK_WRONG;
    return counts && !isnan(result->evidence_gain) && result->length > beyond;
}

static rw_status weigh(rw_context *ctx, const rw_pack_run *run, size_t beyond, uint64_t seed,
                       rw_pack_evidence *out, rw_error *err) {
    rw_share *shares = rw_calloc(ctx, run->count + 1, sizeof *shares);
    *out = (rw_pack_evidence){.gain = NAN};
    if (!shares)
        return rw_fail_memory(err, "pack", run->count * sizeof *shares);
    for (size_t i = 0; i < run->count; i++)
        if (is_counted(&run->results[i], beyond))
            shares[out->items++] = (rw_share){run->results[i].evidence_gain, 1};
    out->gain = rw_share_mean(shares, out->items);
    rw_status status = rw_bootstrap(ctx, shares, out->items, seed, &out->ci, err);
    rw_free(ctx, shares);
    return status;
}

rw_status rw_pack_weigh_evidence(rw_context *ctx, rw_pack_run *run, uint64_t seed, rw_error *err) {
    RW_TRY(weigh(ctx, run, 0, seed, &run->evidence, err));
    return weigh(ctx, run, run->native, seed, &run->evidence_long, err);
}
