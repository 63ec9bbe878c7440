/*
 * memory.c - what a run of our engine takes at the native window, at the new one and between.
 */
#include "job/memory.h"
#include "job/extend.h"
#include "plan/memory.h"

enum { STEPS_MAX = 8 };

void rw_memory_taken_write(rw_json_writer *w, const rw_source *source, uint64_t capacity,
                           rw_cache_type cache, rw_resident most) {
    rw_memory planned;
    rw_plan_memory(source, capacity, cache, &planned);
    rw_json_key(w, "memory");
    rw_json_begin_object(w);
    rw_json_member_u64(w, "tokens", capacity);
    rw_json_member_u64(w, "planned", planned.total);
    rw_json_member_u64(w, "anonymous", most.anonymous);
    rw_json_member_u64(w, "mapped", most.mapped);
    rw_json_end_object(w);
}

static void write_step(rw_json_writer *w, const rw_extending *job, uint64_t context) {
    rw_memory m = {0};
    rw_plan_memory(&job->source, context, job->engine.cache, &m);
    rw_json_begin_object(w);
    rw_json_member_u64(w, "context", context);
    rw_json_member_u64(w, "weights", m.weights);
    rw_json_member_u64(w, "kv", m.kv);
    rw_json_member_u64(w, "activations", m.activations);
    rw_json_member_u64(w, "program", m.program);
    rw_json_member_u64(w, "mapped", m.mapped);
    rw_json_end_object(w);
}

/* Doubling from the native window, or in larger steps where those would be many. */
void rw_memory_steps_write(rw_json_writer *w, const rw_extending *job) {
    const rw_plan_result *plan = job->plan;
    rw_json_begin_array(w);
    if (job->source.arch.family && job->source.arch.n_layers && plan->native) {
        unsigned shift = 1;
        while (shift < 9 && plan->context / plan->native >> (shift * (STEPS_MAX - 1)))
            shift++;
        for (uint64_t context = plan->native; context < plan->context; context <<= shift)
            write_step(w, job, context);
        write_step(w, job, plan->context);
    }
    rw_json_end_array(w);
}
