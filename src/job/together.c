/*
 * together.c - a draft extended with its target: two jobs with a receipt each that name each other,
 * and whose outputs appear both or not at all. What the draft is planned by: companion.c.
 */
#include <string.h>

#include "job/companion.h"
#include "job/extend.h"

rw_extend_options rw_together_options(const rw_extend_options *target) {
    rw_extend_options draft = *target;
    draft.plan.path = target->plan.companion;
    draft.plan.companion = NULL;
    draft.output = target->companion_output;
    draft.companion_output = NULL;
    draft.measure = (rw_measure_options){.struct_size = sizeof draft.measure,
                                         .seed = target->measure.seed,
                                         .no_timing = target->measure.no_timing};
    draft.no_measure = true;
    return draft;
}

static size_t without(const char *path, const char *end) {
    size_t size = strlen(path), tail = strlen(end);
    return size > tail && strcmp(path + size - tail, end) == 0 ? size - tail : size;
}

/* OUT/ and OUT.gguf have their draft in OUT-draft or OUT-draft.gguf. */
static const char *usual_output(const rw_extending *target, const rw_extending *draft) {
    const char *output = target->options->output;
    size_t size = without(output, ".gguf");
    while (size > 1 && output[size - 1] == '/')
        size--;
    bool single = rw_checkpoint_format(draft->input) == RW_FORMAT_GGUF;
    return rw_arena_format((rw_arena *)&draft->arena, "%.*s-draft%s", (int)size, output,
                           single ? ".gguf" : "");
}

rw_status rw_together_plan(rw_extending *target, rw_extend_options *options, rw_error *err) {
    rw_extending *draft = target->draft;
    if (!options->output)
        options->output = usual_output(target, draft);
    if (!options->output)
        return rw_fail_memory(err, "--companion-output", strlen(target->options->output));
    if (strcmp(options->output, target->options->output) == 0)
        return rw_fail(err, RW_ERR_USAGE, "extend.companion_output", "--companion-output",
                       "the draft would be written where its target is: give it another name");
    return rw_companion_plan(&target->options->plan, target->plan, &draft->source, &options->plan,
                             draft->plan, err);
}

static bool was_made(const rw_extending *job) {
    return job->places.main != NULL;
}

rw_status rw_together_commit(rw_extending *target, rw_error *err) {
    rw_extending *draft = target->draft;
    bool both = draft && was_made(draft);
    if (both)
        RW_TRY(rw_places_commit(draft, err));
    rw_status status = was_made(target) ? rw_places_commit(target, err) : RW_OK;
    if (status != RW_OK && both)
        rw_places_withdraw(draft);
    return status;
}

/* ---- what is said of the other ----------------------------------------------------------------
 */

static void write_decision(rw_json_writer *w, const rw_plan_result *plan) {
    rw_json_member_bool(w, "nothing_to_do", plan->nothing_to_do);
    rw_json_member_u64(w, "native", plan->native);
    rw_json_member_u64(w, "context", plan->context);
    rw_json_member_string(w, "method", rw_rope_method_name(plan->method));
    rw_json_member_double(w, "factor", plan->factor);
}

/* Its receipt's hash, once that is sealed; a draft's is before its target's. */
static void write_digest(rw_json_writer *w, const char *key, const rw_extending *job) {
    char hex[65];
    rw_sha256_hex(&job->digest, hex);
    rw_json_member_string(w, key, job->receipt.size ? hex : NULL);
}

void rw_together_write_receipt(rw_json_writer *w, const rw_extending *job) {
    const rw_extending *other = job->draft ? job->draft : job->target;
    if (!other)
        return;
    rw_json_key(w, "companion");
    rw_json_begin_object(w);
    rw_json_member_string(w, "role", job->draft ? "draft" : "target");
    rw_json_member_string(w, "name", was_made(other) ? rw_path_base(other->places.final) : NULL);
    write_decision(w, other->plan);
    if (job->draft) {
        write_digest(w, "receipt_sha256", other);
        rw_json_key(w, "readers");
        if (other->proof.size)
            rw_json_raw(w, (rw_str){other->proof.data, other->proof.size});
        else
            rw_json_null(w);
    }
    rw_json_end_object(w);
}

void rw_together_write_result(rw_json_writer *w, const rw_extending *job) {
    const rw_extending *draft = job->draft;
    rw_json_key(w, "companion");
    if (!draft) {
        rw_json_null(w);
        return;
    }
    bool made = was_made(draft);
    rw_json_begin_object(w);
    rw_json_member_string(w, "input", draft->options->plan.path);
    rw_json_member_string(w, "output", made ? draft->options->output : NULL);
    rw_json_key(w, "plan");
    rw_json_begin_object(w);
    rw_plan_write(w, &draft->source, draft->plan);
    rw_json_end_object(w);
    rw_json_key(w, "readers");
    if (made)
        rw_json_raw(w, (rw_str){draft->proof.data, draft->proof.size});
    else
        rw_json_null(w);
    rw_json_member_string(w, "receipt", made ? draft->places.final_receipt : NULL);
    write_digest(w, "receipt_sha256", draft);
    rw_json_member_string(w, "report", made ? draft->places.final_report : NULL);
    rw_json_end_object(w);
}
