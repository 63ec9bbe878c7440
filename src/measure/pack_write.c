/*
 * pack_write.c - a pack's answers as JSON.
 */
#include <math.h>

#include "measure/pack.h"

static const char *how(const rw_pack_result *result) {
    if (result->type == RW_PACK_CHOICE)
        return "likelihood";
    return result->type == RW_PACK_LM || result->type == RW_PACK_PASSKEY ? "teacher_forced"
                                                                         : "generated";
}

static void write_counts(rw_json_writer *w, const rw_pack_bin *bin) {
    rw_json_member_u64(w, "items", bin->items);
    rw_json_member_u64(w, "right", bin->right);
    rw_json_member_double(w, "accuracy", (double)bin->right / (double)bin->items); /* 0/0: null */
    rw_interval_write(w, "ci95", rw_wilson(bin->right, bin->items));
    rw_json_member_u64(w, "closed_book", bin->closed_book);
    rw_json_member_u64(w, "unread", bin->unread);
    rw_json_member_u64(w, "no_room", bin->no_room);
}

static void write_bins(rw_json_writer *w, const rw_pack_run *run) {
    rw_json_key(w, "bins");
    rw_json_begin_array(w);
    for (size_t i = 0; i < run->bin_count; i++) {
        rw_json_begin_object(w);
        rw_json_member_u64(w, "from", run->bins[i].from);
        rw_json_member_u64(w, "to", run->bins[i].to);
        write_counts(w, &run->bins[i]);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static void write_evidence(rw_json_writer *w, const char *key, const rw_pack_evidence *evidence) {
    rw_json_key(w, key);
    rw_json_begin_object(w);
    rw_json_member_u64(w, "items", evidence->items);
    rw_json_member_double(w, "gain", evidence->gain);
    rw_interval_write(w, "ci95", evidence->ci);
    rw_json_end_object(w);
}

static void write_result(rw_json_writer *w, const rw_pack_result *result) {
    rw_json_begin_object(w);
    rw_json_member_string(w, "id", result->id);
    rw_json_member_u64(w, "line", result->line);
    rw_json_member_string(w, "type", rw_pack_type_name(result->type));
    rw_json_member_string(w, "match", rw_pack_match_name(result->match));
    rw_json_member_u64(w, "tokens", result->length);
    rw_json_member_double(w, "depth", result->depth);
    rw_json_member_string(w, "outcome", rw_pack_outcome_name(result->outcome));
    rw_json_member_bool(w, "controlled", result->controlled);
    rw_json_member_double(w, "score", result->score);
    rw_json_member_string(w, "scored", how(result));
    rw_json_member_double(w, "answer_nll", rw_share_mean(&result->answer, 1));
    rw_json_member_double(w, "evidence_gain", result->evidence_gain);
    rw_json_member_string(w, "said", result->said);
    rw_json_end_object(w);
}

void rw_pack_write(rw_json_writer *w, const rw_pack_run *run) {
    const rw_pack_bin total = rw_pack_total(run, 0, run->context);
    char hex[65];
    rw_sha256_hex(&run->digest, hex);
    rw_json_begin_object(w);
    rw_json_member_string(w, "name", run->name);
    rw_json_member_string(w, "license", run->license);
    rw_json_member_string(w, "created", run->created);
    rw_json_member_string(w, "file", run->file);
    rw_json_member_string(w, "sha256", hex);
    rw_json_member_u64(w, "declared", run->count);
    write_counts(w, &total);
    rw_json_member_u64(w, "too_long", run->too_long);
    write_bins(w, run);
    write_evidence(w, "evidence", &run->evidence);
    write_evidence(w, "evidence_long", &run->evidence_long);
    rw_json_key(w, "results");
    rw_json_begin_array(w);
    for (size_t i = 0; i < run->count; i++)
        write_result(w, &run->results[i]);
    rw_json_end_array(w);
    rw_json_end_object(w);
}
