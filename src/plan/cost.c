/*
 * cost.c - what short text will pay, where somebody measured it. No formula predicts it, so a case
 * that is not in the table is null and says so.
 */
#include "plan/internal.h"

typedef struct measured_cost {
    rw_rope_method method;
    double factor;
    double nats; /* rise of the mean NLL within the native window, without training */
    const char *basis;
} measured_cost;

static const measured_cost costs[] = {
    {RW_ROPE_LINEAR, 2, 0.1403,
     "one report: LLaMA, 512 tokens, perplexity 5.91 to 6.80 (ggml-org/llama.cpp#1967)"},
    {RW_ROPE_YARN, 4, 0.1706,
     "one small model (5.5 M parameters, trained at 512): perplexity 9.88 to 11.67 at 512 "
     "(transformers 5.17); larger models pay less"},
};

void rw_plan_write_cost(rw_json_writer *w, const rw_plan_result *plan) {
    const measured_cost *found = NULL;
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (costs[i].method == plan->method && costs[i].factor == plan->factor)
            found = &costs[i];
    bool none = plan->nothing_to_do || plan->method == RW_ROPE_NONE;
    rw_json_begin_object(w);
    if (found || none)
        rw_json_member_double(w, "nats", none ? 0 : found->nats);
    else
        rw_json_member_null(w, "nats");
    rw_json_member_string(w, "basis",
                          none    ? "nothing changes"
                          : found ? found->basis
                                  : "nothing published for this method and factor: measure it");
    rw_json_end_object(w);
}
