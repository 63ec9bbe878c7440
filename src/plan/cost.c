/*
 * cost.c - what short text will pay, where somebody measured it on a model of about this size. No
 * formula predicts it: a case that is not in the table is null and says so.
 */
#include "plan/internal.h"

typedef struct measured_cost {
    rw_rope_method method;
    double factor;
    double parameters; /* of the model that was measured; it speaks for a quarter to four times */
    double nats;       /* rise of the mean NLL within the native window, without training */
    const char *basis;
} measured_cost;

static const measured_cost costs[] = {
    {RW_ROPE_LINEAR, 2, 7e9, 0.1403,
     "one report: LLaMA, 512 tokens, perplexity 5.91 to 6.80 (ggml-org/llama.cpp#1967)"},
    {RW_ROPE_YARN, 4, 5.5e6, 0.1706,
     "a model of 5.5 million parameters trained at 512 tokens: perplexity 9.88 to 11.67 at 512"},
};

static const measured_cost *find_cost(const rw_source *source, const rw_plan_result *plan) {
    double size = (double)source->arch.parameters;
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (costs[i].method == plan->method && costs[i].factor == plan->factor &&
            size >= costs[i].parameters / 4 && size <= costs[i].parameters * 4)
            return &costs[i];
    return NULL;
}

void rw_plan_write_cost(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan) {
    const measured_cost *found = find_cost(source, plan);
    rw_json_begin_object(w);
    if (plan->nothing_to_do) {
        rw_json_member_double(w, "nats", 0);
        rw_json_member_string(w, "basis", "nothing changes");
    } else if (found) {
        rw_json_member_double(w, "nats", found->nats);
        rw_json_member_string(w, "basis", found->basis);
    } else {
        rw_json_member_null(w, "nats");
        rw_json_member_string(w, "basis",
                              "nothing published for this method, factor and size: measure it");
    }
    rw_json_end_object(w);
}
