/*
 * foreign.c - the K-score of kolm-ai/kolmogorov-stack (src/kscore.js, version 1).
 */
#include "measure/foreign.h"

#include <math.h>

static double clamp(double value) {
    return fmin(fmax(value, 0), 1);
}

double rw_kolm_k_v1(const rw_foreign *inputs) {
    const rw_foreign *f = inputs;
    if (isnan(f->accuracy) || isnan(f->coverage) || isnan(f->bytes) || isnan(f->seconds) ||
        isnan(f->usd_per_call))
        return NAN;
    double size = clamp(1 - log2(fmax(1, f->bytes / 1024)) / 30);
    double latency = 1 / (1 + f->seconds * 1e6 / 1e5);
    double cost = 1 / (1 + 1000 * f->usd_per_call);
    double k = 0.40 * clamp(f->accuracy) +
               0.15 * (size + clamp(latency) + clamp(cost) + clamp(f->coverage));
    return round(k * 1e4) / 1e4;
}

void rw_foreign_write(rw_json_writer *w, const rw_foreign *inputs) {
    double k = rw_kolm_k_v1(inputs);
    rw_json_key(w, "foreign");
    rw_json_begin_object(w);
    rw_json_key(w, "kolm_k_v1");
    if (isnan(k)) {
        rw_json_null(w);
    } else {
        rw_json_begin_object(w);
        rw_json_member_double(w, "k", k);
        rw_json_member_double(w, "ships_from", 0.85);
        rw_json_member_double(w, "accuracy", inputs->accuracy);
        rw_json_member_double(w, "coverage", inputs->coverage);
        rw_json_member_double(w, "bytes", inputs->bytes);
        rw_json_member_double(w, "median_seconds", inputs->seconds);
        rw_json_member_double(w, "usd_per_call", inputs->usd_per_call);
        rw_json_end_object(w);
    }
    rw_json_end_object(w);
}
