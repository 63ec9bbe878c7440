/*
 * prove.c - proof of effect: every target's reader resolves the written bytes again, and the tables
 * are compared as numbers, not as words.
 */
#include "dialect/internal.h"

typedef struct verdict {
    bool equivalent;
    const char *why; /* arena text, when not */
    rw_layers layers;
    rw_rope_difference worst;
} verdict;

/* Compares one rotation at one length; keeps the worse of it and what is there. */
static rw_status compare_at(const rw_source *source, const rw_rope_group *plan,
                            const rw_rope_group *read, uint64_t length, verdict *out,
                            rw_error *err) {
    rw_rope_table a, b;
    rw_rope_difference difference;
    RW_TRY(rw_rope_table_build(&plan->spec, length, &a, err));
    RW_TRY(rw_rope_table_build(&read->spec, length, &b, err));
    rw_rope_compare(&a, &b, length, &difference);
    bool first = out->worst.max_angle == 0 && out->equivalent && difference.equivalent;
    if (!first && difference.equivalent && difference.max_angle <= out->worst.max_angle)
        return RW_OK;
    if (!out->equivalent && difference.equivalent)
        return RW_OK;
    out->worst = difference;
    out->layers = plan->layers;
    if (difference.equivalent)
        return RW_OK;
    out->equivalent = false;
    out->why = difference.comparable
                   ? rw_arena_format(source->arena,
                                     "pair %u turns otherwise: %.3g radians apart at %llu tokens; "
                                     "amplitude off by %.3g",
                                     difference.worst_pair, difference.max_angle,
                                     (unsigned long long)length, difference.amplitude)
                   : "another number of dims rotates";
    return RW_OK;
}

static rw_status compare_sets(const rw_source *source, const rw_rope_set *planned,
                              const rw_rope_set *read, uint64_t context, verdict *out,
                              rw_error *err) {
    for (uint32_t i = 0; i < planned->count; i++) {
        const rw_rope_group *plan = &planned->group[i];
        const rw_rope_group *now = rw_rope_set_find(read, plan->layers);
        if (!now && plan->layers == RW_LAYERS_ALL)
            now = rw_primary_group(read);
        if (!now) {
            out->equivalent = false;
            out->why = "it does not rotate this kind of layer at all";
            return RW_OK;
        }
        RW_TRY(compare_at(source, plan, now, context, out, err));
        if (rw_rope_depends_on_length(&plan->spec) || rw_rope_depends_on_length(&now->spec))
            RW_TRY(compare_at(source, plan, now, plan->spec.original_context, out, err));
    }
    return RW_OK;
}

static rw_status judge(const rw_source *source, rw_runtime runtime, const rw_rope_set *planned,
                       uint64_t context, verdict *out, rw_error *err) {
    *out = (verdict){.equivalent = true};
    rw_rope_set *set = rw_arena_alloc(source->arena, sizeof *set);
    if (!set)
        return rw_fail_memory(err, "rotation", sizeof *set);
    rw_error why = {0};
    rw_status status = rw_dialect_read(runtime, source, set, NULL, &why);
    if (status == RW_ERR_INPUT) {
        out->equivalent = false;
        out->why = rw_arena_text(source->arena, why.message, strlen(why.message));
        return RW_OK;
    }
    if (status != RW_OK) {
        if (err)
            *err = why;
        return status;
    }
    return compare_sets(source, planned, set, context, out, err);
}

static void write_verdict(rw_json_writer *w, rw_runtime runtime, const verdict *v) {
    rw_json_begin_object(w);
    rw_json_member_string(w, "target", rw_runtime_name(runtime));
    rw_json_member_bool(w, "equivalent", v->equivalent);
    rw_json_member_string(w, "layers", rw_layers_name(v->layers));
    rw_json_member_u64(w, "worst_pair", v->worst.worst_pair);
    rw_json_member_double(w, "max_angle", v->worst.max_angle);
    rw_json_member_double(w, "amplitude", v->worst.amplitude);
    rw_json_member_string(w, "why", v->why);
    rw_json_end_object(w);
}

rw_status rw_dialect_prove(const rw_source *patched, const rw_rope_set *planned, rw_targets targets,
                           uint64_t context, rw_json_writer *w, rw_error *err) {
    rw_status result = RW_OK;
    if (w)
        rw_json_begin_array(w);
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        if (!(targets & 1u << i))
            continue;
        verdict v;
        RW_TRY(judge(patched, (rw_runtime)i, planned, context, &v, err));
        if (w)
            write_verdict(w, (rw_runtime)i, &v);
        if (!v.equivalent && result == RW_OK)
            result =
                rw_fail(err, RW_ERR_INTERNAL, "dialect.not_proven", rw_runtime_name((rw_runtime)i),
                        "%s would not rotate the written checkpoint as planned: %s",
                        rw_runtime_name((rw_runtime)i), v.why ? v.why : "unknown");
    }
    if (w)
        rw_json_end_array(w);
    return result;
}

/* A source whose config is `text` and everything else as it was. */
static rw_status source_with_config(const rw_source *source, rw_str text, rw_source *out,
                                    rw_error *err) {
    const rw_json *root = NULL;
    *out = *source;
    RW_TRY(rw_json_parse_python(source->arena, text, "config.json", &root, err));
    out->language = source->language_path[0] ? rw_json_path(root, source->language_path) : root;
    if (out->language)
        return RW_OK;
    return rw_fail(err, RW_ERR_INTERNAL, "dialect.not_proven", source->language_path,
                   "the language part of the config went missing in writing");
}

rw_status rw_dialect_rehearse(const rw_source *source, const rw_rope_set *planned, uint64_t context,
                              rw_targets targets, rw_targets *proven, const char **why,
                              rw_error *err) {
    rw_buf text = {.ctx = source->arena->ctx};
    rw_source patched;
    *proven = 0;
    rw_status status = rw_dialect_write_config(source, planned, context, targets, &text, err);
    if (status == RW_OK)
        status = source_with_config(source, (rw_str){text.data, text.size}, &patched, err);
    for (unsigned i = 0; i < RW_RUNTIME_COUNT && status == RW_OK; i++) {
        if (!(targets & 1u << i))
            continue;
        verdict v;
        status = judge(&patched, (rw_runtime)i, planned, context, &v, err);
        if (status == RW_OK && v.equivalent)
            *proven |= 1u << i;
        else if (status == RW_OK && why && !*why)
            *why = v.why;
    }
    rw_buf_free(&text);
    return status;
}
