/*
 * tables.c - the resolved rotation, as a receipt records it.
 */
#include <math.h>

#include "job/extend.h"

static void write_table(rw_json_writer *w, const rw_rope_group *group, const rw_rope_table *table,
                        const char *identity) {
    rw_json_begin_object(w);
    rw_json_member_string(w, "layers", rw_layers_name(group->layers));
    rw_json_member_u64(w, "length", table->length);
    rw_json_member_string(w, "method", rw_rope_method_name(group->spec.method));
    rw_json_member_string(w, "table_sha256", identity);
    rw_json_member_u64(w, "regime", table->regime);
    rw_json_member_double(w, "ramp_low", table->ramp_low);
    rw_json_member_double(w, "ramp_high", table->ramp_high);
    rw_json_member_double(w, "attention_factor", table->attention_factor);
    rw_json_member_double(w, "logit_scale", table->logit_scale);
    rw_json_end_object(w);
}

static rw_status write_at(rw_json_writer *w, const rw_rope_group *group, uint64_t length,
                          rw_error *err) {
    rw_rope_table table;
    char identity[65];
    RW_TRY(rw_rope_table_build(&group->spec, length, &table, err));
    RW_TRY(rw_rope_table_identity(&table, identity, err));
    write_table(w, group, &table, identity);
    return RW_OK;
}

rw_status rw_tables_write(rw_json_writer *w, const rw_rope_set *set, uint64_t native,
                          uint64_t context, rw_error *err) {
    rw_status status = RW_OK;
    rw_json_begin_array(w);
    for (uint32_t i = 0; i < set->count && status == RW_OK; i++) {
        if (rw_rope_depends_on_length(&set->group[i].spec))
            status = write_at(w, &set->group[i], native, err);
        if (status == RW_OK)
            status = write_at(w, &set->group[i], context, err);
    }
    rw_json_end_array(w);
    return status;
}

/* Where each method was published. */
static const struct {
    rw_rope_method method;
    const char *paper;
} papers[] = {
    {RW_ROPE_LINEAR, "arXiv:2306.15595"},   {RW_ROPE_NTK_BY_PARTS, "arXiv:2309.00071"},
    {RW_ROPE_YARN, "arXiv:2309.00071"},     {RW_ROPE_LLAMA3, "arXiv:2407.21783"},
    {RW_ROPE_LONGROPE, "arXiv:2402.13753"},
};

static void write_papers(rw_json_writer *w, rw_rope_method method) {
    rw_json_key(w, "papers");
    rw_json_begin_array(w);
    rw_json_string(w, "arXiv:2104.09864"); /* RoPE itself */
    for (size_t i = 0; i < sizeof papers / sizeof *papers; i++)
        if (papers[i].method == method)
            rw_json_string(w, papers[i].paper);
    rw_json_end_array(w);
}

/* attention_factor is what multiplies cos and sin; attn_factor, as llama.cpp and the original code
   have it, multiplies what the method would take by itself (YaRN: 0.1 ln s + 1). */
static rw_status write_amplitude(rw_json_writer *w, const rw_rope_spec *spec, uint64_t context,
                                 rw_error *err) {
    rw_rope_table applied, own;
    rw_rope_spec plain = *spec;
    plain.attention_factor = NAN;
    RW_TRY(rw_rope_table_build(spec, context, &applied, err));
    RW_TRY(rw_rope_table_build(&plain, context, &own, err));
    rw_json_member_double(w, "attn_factor", applied.attention_factor / own.attention_factor);
    rw_json_member_double(w, "attention_factor", applied.attention_factor);
    return RW_OK;
}

rw_status rw_long_context_write(rw_json_writer *w, const rw_plan_result *plan,
                                const rw_rope_set *rotation, rw_error *err) {
    const rw_rope_group *group = rw_rope_set_find(rotation, RW_LAYERS_FULL);
    const rw_rope_spec *spec = group ? &group->spec : &rotation->group[0].spec;
    bool ramp = spec->method == RW_ROPE_YARN || spec->method == RW_ROPE_NTK_BY_PARTS;
    rw_json_begin_object(w);
    rw_json_member_string(w, "method", rw_rope_method_name(plan->method));
    rw_json_member_double(w, "factor", plan->factor);
    rw_json_member_u64(w, "original_max_position_embeddings", plan->native);
    rw_json_member_u64(w, "new_max_position_embeddings", plan->context);
    RW_TRY(write_amplitude(w, spec, plan->context, err));
    rw_json_member_double(w, "beta_fast", ramp ? spec->beta_fast : NAN);
    rw_json_member_double(w, "beta_slow", ramp ? spec->beta_slow : NAN);
    write_papers(w, plan->method);
    rw_json_key(w, "tables");
    RW_TRY(rw_tables_write(w, rotation, plan->native, plan->context, err));
    rw_json_end_object(w);
    return RW_OK;
}
