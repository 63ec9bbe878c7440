/*
 * write.c - the plan's JSON.
 */
#include "plan/internal.h"

static void write_window(rw_json_writer *w, const char *key, uint64_t value) {
    if (value)
        rw_json_member_u64(w, key, value);
    else
        rw_json_member_null(w, key);
}

/* Which position axis turns which pairs; text turns by all of them alike. */
static void write_mrope(rw_json_writer *w, const rw_rope_spec *spec) {
    uint32_t count = 4;
    while (count && !spec->mrope_section[count - 1])
        count--;
    if (!count)
        return;
    rw_json_key(w, "mrope");
    rw_json_begin_object(w);
    rw_json_key(w, "section");
    rw_json_begin_array(w);
    for (uint32_t i = 0; i < count; i++)
        rw_json_u64(w, spec->mrope_section[i]);
    rw_json_end_array(w);
    rw_json_member_bool(w, "interleaved", spec->mrope_interleaved);
    rw_json_end_object(w);
}

void rw_rope_group_members(rw_json_writer *w, const rw_rope_group *group, uint64_t length) {
    const rw_rope_spec *spec = &group->spec;
    rw_rope_table table;
    char identity[65];
    bool built = rw_rope_table_build(spec, length, &table, NULL) == RW_OK &&
                 rw_rope_table_identity(&table, identity, NULL) == RW_OK;
    rw_json_member_string(w, "layers", rw_layers_name(group->layers));
    rw_json_member_string(w, "path", group->path);
    rw_json_member_string(w, "method", rw_rope_method_name(spec->method));
    rw_json_member_double(w, "theta", spec->theta);
    rw_json_member_u64(w, "head_dim", spec->head_dim);
    rw_json_member_u64(w, "rotary_dim", spec->rotary_dim);
    rw_json_member_string(w, "pairing", rw_pairing_name(spec->pairing));
    rw_json_member_double(w, "factor", spec->factor);
    write_window(w, "original_context", spec->original_context);
    rw_json_member_double(w, "attention_factor", built ? table.attention_factor : NAN);
    rw_json_member_double(w, "logit_scale", spec->logit_scale);
    rw_json_member_double(w, "ramp_low", built ? table.ramp_low : NAN);
    rw_json_member_double(w, "ramp_high", built ? table.ramp_high : NAN);
    write_mrope(w, spec);
    rw_json_key(w, "inv_freq");
    rw_json_begin_array(w);
    for (uint32_t k = 0; built && k < table.pairs; k++)
        rw_json_double(w, table.inv_freq[k]);
    rw_json_end_array(w);
    rw_json_member_string(w, "table_sha256", built ? identity : NULL);
}

/* One rotation, resolved at `length`. */
void rw_rope_group_write(rw_json_writer *w, const rw_rope_group *group, uint64_t length) {
    rw_json_begin_object(w);
    rw_rope_group_members(w, group, length);
    rw_json_end_object(w);
}

static void write_set(rw_json_writer *w, const char *key, const rw_rope_set *set, uint64_t length) {
    rw_json_key(w, key);
    rw_json_begin_array(w);
    for (uint32_t i = 0; i < set->count; i++)
        rw_rope_group_write(w, &set->group[i], length);
    rw_json_end_array(w);
}

static void write_targets(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan) {
    rw_json_key(w, "targets");
    rw_json_begin_object(w);
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        const char *why = NULL;
        bool yes = rw_dialect_expressible((rw_runtime)i, source, &plan->after, plan->context, &why);
        rw_json_key(w, rw_runtime_name((rw_runtime)i));
        rw_json_begin_object(w);
        rw_json_member_bool(w, "expressible", yes);
        rw_json_member_string(w, "why", why);
        rw_json_member_bool(w, "target", (plan->targets & 1u << i) != 0);
        rw_json_end_object(w);
    }
    rw_json_end_object(w);
}

/* "transformers" is the newest one. */
static bool emit_wanted(const rw_plan_result *plan, rw_runtime runtime) {
    if (!plan->emit)
        return runtime != RW_TRANSFORMERS4_EARLY;
    if (strcmp(plan->emit, "transformers") == 0)
        return runtime == RW_TRANSFORMERS5;
    return strcmp(plan->emit, rw_runtime_name(runtime)) == 0;
}

static void write_emit(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan) {
    rw_json_key(w, "emit");
    rw_json_begin_object(w);
    for (unsigned i = 0; i < RW_RUNTIME_COUNT && !plan->nothing_to_do; i++) {
        const char *text = NULL;
        if (emit_wanted(plan, (rw_runtime)i) &&
            rw_dialect_emit((rw_runtime)i, source, &plan->after, plan->context, &text, NULL) ==
                RW_OK &&
            text)
            rw_json_member_string(w, rw_runtime_name((rw_runtime)i), text);
    }
    rw_json_end_object(w);
}

void rw_plan_write(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan) {
    const rw_rope_group *primary = rw_plan_primary(&plan->after);
    rw_json_member_u64(w, "native", plan->native);
    rw_json_member_string(w, "native_source", source->native_source);
    rw_json_member_u64(w, "context", plan->context);
    rw_json_member_string(w, "method", rw_rope_method_name(plan->method));
    rw_json_member_double(w, "factor", plan->factor);
    rw_json_member_bool(w, "nothing_to_do", plan->nothing_to_do);
    write_set(w, "rope", &plan->after, plan->context);
    write_set(w, "before", &plan->before, plan->native);
    rw_json_key(w, "bands");
    if (primary)
        rw_plan_write_bands(w, &primary->spec, plan->context);
    else
        rw_json_null(w);
    write_targets(w, source, plan);
    rw_json_key(w, "companions");
    rw_companions_write(w, source, plan->companion);
    rw_json_key(w, "cost");
    rw_plan_write_cost(w, source, plan);
    rw_json_key(w, "memory");
    rw_plan_write_memory(w, source, plan);
    write_emit(w, source, plan);
    rw_json_key(w, "diagnostics");
    rw_diagnostics_write(w, &plan->diagnostics);
}
