/*
 * write.c - a measurement as JSON.
 */
#include <math.h>

#include "measure/result.h"

static void write_buckets(rw_json_writer *w, const rw_row *row) {
    rw_json_key(w, "by_position");
    rw_json_begin_array(w);
    for (size_t b = 0; b < row->bucket_count; b++) {
        const rw_bucket *bucket = &row->buckets[b];
        if (bucket->total.count == 0)
            continue;
        rw_json_begin_object(w);
        rw_json_member_u64(w, "from", bucket->from);
        rw_json_member_u64(w, "to", bucket->to);
        rw_json_member_double(w, "nll", rw_share_mean(&bucket->total, 1));
        rw_json_member_u64(w, "tokens", (uint64_t)bucket->total.count);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static void write_documents(rw_json_writer *w, const rw_measurement *m, const rw_row *row) {
    rw_json_key(w, "by_document");
    rw_json_begin_array(w);
    for (size_t d = 0; d < row->document_count; d++) {
        rw_json_begin_object(w);
        rw_json_member_u64(w, "line", m->lines[row->documents[d]]);
        rw_json_member_u64(w, "tokens", (uint64_t)row->shares[d].count);
        rw_json_member_double(w, "nll", rw_share_mean(&row->shares[d], 1));
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static void write_row(rw_json_writer *w, const rw_measurement *m, const rw_row *row) {
    const rw_interval ppl = {row->ci.defined, exp(row->ci.low), exp(row->ci.high)};
    rw_json_begin_object(w);
    rw_json_member_u64(w, "length", row->length);
    rw_json_member_u64(w, "documents", row->document_count);
    rw_json_member_u64(w, "tokens", (uint64_t)row->total.count);
    rw_json_member_double(w, "nll", row->nll);
    rw_json_member_double(w, "ppl", exp(row->nll));
    rw_json_member_double(w, "bits_per_byte",
                          row->total.sum / log(2) / (double)row->bytes); /* 0/0 is null */
    rw_interval_write(w, "ci95", ppl);
    rw_interval_write(w, "nll_ci95", row->ci);
    write_buckets(w, row);
    write_documents(w, m, row);
    rw_json_end_object(w);
}

static void write_rows(rw_json_writer *w, const rw_measurement *m) {
    rw_json_key(w, "perplexity");
    rw_json_begin_array(w);
    for (size_t i = 0; i < m->row_count; i++)
        write_row(w, m, &m->rows[i]);
    rw_json_end_array(w);
}

static void write_tails(rw_json_writer *w, const rw_measurement *m) {
    rw_json_key(w, "tail");
    rw_json_begin_array(w);
    for (size_t i = 0; i < m->tail_count; i++) {
        const rw_tail_row *row = &m->tails[i];
        rw_json_begin_object(w);
        rw_json_member_u64(w, "length", row->length);
        rw_json_member_u64(w, "targets", row->stride);
        rw_json_member_u64(w, "documents", row->document_count);
        rw_json_member_double(w, "nll", rw_share_mean(row->whole, row->document_count));
        if (row->truncated)
            rw_json_member_double(w, "native_window_nll",
                                  rw_share_mean(row->truncated, row->document_count));
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

static void write_cell(rw_json_writer *w, const rw_cell *cell) {
    rw_json_begin_object(w);
    rw_json_member_string(w, "task", cell->task);
    rw_json_member_u64(w, "length", cell->length);
    rw_json_member_double(w, "depth", cell->depth);
    rw_json_member_u64(w, "trials", cell->trials);
    rw_json_member_u64(w, "correct", cell->correct);
    rw_interval_write(w, "ci95", rw_wilson(cell->correct, cell->trials));
    rw_json_member_u64(w, "generated_correct", cell->written);
    rw_interval_write(w, "generated_ci95", rw_wilson(cell->written, cell->trials));
    rw_json_member_double(w, "answer_nll", rw_share_mean(&cell->answer, 1));
    rw_json_member_string(w, "wording", cell->wording);
    rw_json_member_string(w, "scored", "teacher_forced");
    rw_json_end_object(w);
}

static void write_cells(rw_json_writer *w, const rw_measurement *m) {
    rw_json_key(w, "retrieval");
    rw_json_begin_array(w);
    for (size_t i = 0; i < m->cell_count; i++)
        write_cell(w, &m->cells[i]);
    rw_json_end_array(w);
}

static void write_decode(rw_json_writer *w, const rw_decode_check *decode) {
    rw_json_key(w, "decode");
    rw_json_begin_object(w);
    rw_json_member_u64(w, "position", decode->position);
    if (decode->measured) {
        rw_json_member_u64(w, "steps", decode->steps);
        rw_json_member_double(w, "max_nll_difference", decode->difference);
    } else {
        rw_json_member_null(w, "max_nll_difference");
        rw_json_member_string(w, "reason", decode->reason);
    }
    rw_json_end_object(w);
}

static void write_data(rw_json_writer *w, const rw_measurement *m) {
    char hex[65];
    rw_sha256_hex(&m->digest, hex);
    rw_json_key(w, "data");
    rw_json_begin_object(w);
    rw_json_member_string(w, "name", m->data_name);
    rw_json_member_string(w, "sha256", hex);
    rw_json_member_u64(w, "documents", m->scope.documents);
    rw_json_end_object(w);
}

static void write_budget(rw_json_writer *w, const rw_measurement *m) {
    if (!(m->budget_seconds > 0))
        return;
    rw_json_key(w, "budget");
    rw_json_begin_object(w);
    rw_json_member_double(w, "seconds", m->budget_seconds);
    if (!m->no_timing)
        rw_json_member_double(w, "predicted_seconds", m->predicted_seconds);
    rw_json_member_bool(w, "out_of_time", m->out_of_time);
    rw_json_key(w, "cut");
    rw_json_begin_array(w);
    for (size_t i = 0; i < m->cut_count; i++)
        rw_json_string(w, m->cuts[i]);
    rw_json_end_array(w);
    rw_json_end_object(w);
}

static void write_timing(rw_json_writer *w, const rw_measurement *m) {
    if (m->no_timing)
        return;
    rw_json_key(w, "timing");
    rw_json_begin_object(w);
    rw_json_member_double(w, "seconds", m->seconds);
    rw_json_member_u64(w, "tokens_read", m->tokens_read);
    rw_json_member_double(w, "tokens_per_second", (double)m->tokens_read / m->seconds);
    rw_json_end_object(w);
}

void rw_measurement_write(rw_json_writer *w, const rw_measurement *measurement) {
    rw_measurement_write_judged(w, measurement, NULL);
}

void rw_measurement_write_judged(rw_json_writer *w, const rw_measurement *measurement,
                                 const rw_gate *gate) {
    const rw_measurement *m = measurement;
    rw_json_member_string(w, "protocol", m->scope.protocol->name);
    rw_json_member_string(w, "averages", m->scope.protocol->means);
    rw_json_member_u64(w, "stride", m->scope.stride);
    rw_json_member_u64(w, "seed", m->scope.seed);
    rw_json_member_string(w, "suite", m->suite);
    rw_json_member_u64(w, "native", m->scope.native);
    rw_json_member_u64(w, "context", m->scope.context);
    rw_json_member_bool(w, "interrupted", m->interrupted);
    write_data(w, m);
    write_rows(w, m);
    write_tails(w, m);
    write_cells(w, m);
    write_decode(w, &m->decode);
    write_budget(w, m);
    write_timing(w, m);
    rw_json_key(w, "pack");
    if (m->pack)
        rw_pack_write(w, m->pack);
    else
        rw_json_null(w);
    rw_json_key(w, "gate");
    if (gate)
        rw_gate_write(w, gate);
    else
        rw_json_null(w);
    rw_json_key(w, "diagnostics");
    rw_diagnostics_write(w, &m->diagnostics);
}
