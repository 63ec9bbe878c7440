/*
 * gate_write.c - the verdict as JSON.
 */
#include <math.h>

#include "base/json.h"
#include "measure/judge.h"

typedef struct dimension_words {
    const char *id, *unit, *of;
} dimension_words;

static const dimension_words dimension_table[RW_DIMENSION_COUNT] = {
    {"D0", "nats", "positions"}, {"D1", "nats", "documents"}, {"D2", "nats", "documents"},
    {"D3", "share", "trials"},   {"D4", "share", "items"},    {"D5", "nats", "positions"},
};

static void write_finding(rw_json_writer *w, rw_dimension dimension, const rw_finding *finding) {
    const dimension_words *words = &dimension_table[dimension];
    rw_json_key(w, words->id);
    rw_json_begin_object(w);
    rw_json_member_string(w, "name", rw_dimension_name(dimension));
    rw_json_member_string(w, "status", rw_verdict_name(finding->verdict));
    rw_json_member_bool(w, "required", finding->required);
    rw_json_member_bool(w, "waived", finding->waived);
    rw_json_member_bool(w, "provisional", finding->provisional);
    rw_json_member_double(w, "value", finding->n ? finding->value : NAN);
    rw_interval_write(w, "ci95", finding->ci);
    rw_json_member_string(w, "unit", words->unit);
    rw_json_member_u64(w, "n", finding->n);
    rw_json_member_string(w, "n_of", words->of);
    rw_json_member_u64(w, "need", finding->need);
    rw_json_member_string(w, "reason", finding->reason[0] ? finding->reason : NULL);
    rw_json_end_object(w);
}

static void write_gains(rw_json_writer *w, const rw_scores *scores) {
    rw_json_key(w, "gain");
    rw_json_begin_array(w);
    for (size_t i = 0; i < scores->gain_count; i++) {
        const rw_gain_score *gain = &scores->gains[i];
        rw_json_begin_object(w);
        rw_json_member_u64(w, "length", gain->length);
        rw_json_member_double(w, "value", gain->gain.value);
        rw_interval_write(w, "ci95", gain->gain.ci);
        rw_json_member_u64(w, "documents", gain->gain.n);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static void write_lengths(rw_json_writer *w, const rw_judgement *judgement) {
    rw_json_key(w, "retrieval");
    rw_json_begin_array(w);
    for (size_t i = 0; i < judgement->length_count; i++) {
        const rw_length_finding *length = &judgement->lengths[i];
        rw_json_begin_object(w);
        rw_json_member_string(w, "task", length->task);
        rw_json_member_u64(w, "length", length->length);
        rw_json_member_u64(w, "trials", length->trials);
        rw_json_member_u64(w, "correct", length->correct);
        rw_interval_write(w, "ci95", length->ci);
        rw_json_member_double(w, "worst", length->worst);
        rw_json_member_double(w, "worst_depth", length->worst_depth);
        rw_json_member_string(w, "status", rw_verdict_name(length->verdict));
        rw_json_member_bool(w, "provisional", length->provisional);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static void write_tasks(rw_json_writer *w, const rw_judgement *judgement) {
    rw_json_key(w, "tasks");
    rw_json_begin_array(w);
    for (size_t i = 0; i < judgement->task_count; i++) {
        const rw_task_finding *task = &judgement->tasks[i];
        rw_json_begin_object(w);
        rw_json_member_string(w, "task", task->task);
        rw_json_member_string(w, "status", rw_verdict_name(task->verdict));
        rw_json_member_double(w, "native_accuracy", task->ability);
        rw_json_member_u64(w, "effective_length", task->effective_length);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static void write_waivers(rw_json_writer *w, const rw_gate *gate) {
    rw_json_key(w, "waivers");
    rw_json_begin_array(w);
    for (rw_dimension d = 0; d < RW_DIMENSION_COUNT; d++) {
        if (!gate->scores.waived[d])
            continue;
        rw_json_begin_object(w);
        rw_json_member_string(w, "dimension", dimension_table[d].id);
        rw_json_member_string(w, "allows", "undefined");
        rw_json_member_bool(w, "used", gate->judgement.dims[d].waived);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static const char *result_name(rw_verdict verdict) {
    return verdict == RW_VERDICT_UNDEFINED ? "incomplete" : rw_verdict_name(verdict);
}

void rw_gate_write(rw_json_writer *w, const rw_gate *gate) {
    const rw_judgement *judgement = &gate->judgement;
    rw_json_begin_object(w);
    rw_json_member_u64(w, "version", 1);
    rw_json_member_string(w, "result", result_name(judgement->verdict));
    rw_json_member_string(w, "weakest", dimension_table[judgement->weakest].id);
    rw_json_member_string(w, "suite", gate->scores.fast ? "fast" : NULL);
    rw_json_member_bool(w, "provisional", judgement->provisional);
    rw_json_member_bool(w, "uses_context", judgement->uses_context);
    rw_json_key(w, "dims");
    rw_json_begin_object(w);
    for (rw_dimension d = 0; d < RW_DIMENSION_COUNT; d++)
        write_finding(w, d, &judgement->dims[d]);
    rw_json_end_object(w);
    write_gains(w, &gate->scores);
    write_lengths(w, judgement);
    write_tasks(w, judgement);
    rw_thresholds_write(w, &gate->thresholds);
    write_waivers(w, gate);
    rw_foreign_write(w, &gate->foreign);
    rw_json_end_object(w);
}
