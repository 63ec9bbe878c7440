/*
 * memory.c - what a run of this engine takes on this machine, from the same table that allocates.
 */
#include <unistd.h>

#include "arch/memory.h"
#include "plan/internal.h"

static uint64_t machine_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

static uint64_t saturating_sum(const rw_memory *m) {
    uint64_t total = m->weights;
    total = total + m->kv < total ? UINT64_MAX : total + m->kv;
    return total + m->activations < total ? UINT64_MAX : total + m->activations;
}

static uint64_t total_at(const rw_source *source, uint64_t context, rw_memory *m) {
    unsigned threads = rw_context_threads(source->arena->ctx);
    rw_arch_memory(&source->arch, context, 0, threads, m);
    return saturating_sum(m);
}

/* Largest window whose run fits into `limit`, 0: none. */
static uint64_t largest_context(const rw_source *source, uint64_t limit) {
    rw_memory m;
    uint64_t low = 0, high = RW_PLAN_CONTEXT_MAX;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (total_at(source, middle, &m) <= limit)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void rw_plan_write_memory(rw_json_writer *w, const rw_source *source, uint64_t context) {
    rw_memory m = {0};
    uint64_t total = 0, machine = machine_bytes();
    bool known = source->arch.family && source->arch.n_layers;
    if (known)
        total = total_at(source, context, &m);
    rw_json_begin_object(w);
    if (!known || !total) {
        rw_json_member_null(w, "total");
        rw_json_member_string(w, "why", "the sizes of this architecture are not known");
    } else {
        rw_json_member_u64(w, "context", context);
        rw_json_member_u64(w, "weights", m.weights);
        rw_json_member_u64(w, "kv", m.kv);
        rw_json_member_u64(w, "activations", m.activations);
        rw_json_member_u64(w, "total", total);
        rw_json_member_u64(w, "machine", machine);
        rw_json_member_bool(w, "fits", machine == 0 || total <= machine);
        rw_json_member_u64(w, "largest_context", largest_context(source, machine));
    }
    rw_json_end_object(w);
}
