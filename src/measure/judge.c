/*
 * judge.c - from two measurements to scores.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/judge.h"
#include "measure/result.h"

/* What the scores are made from; memory in the gate's arena. */
typedef struct judge {
    rw_gate *gate;
    const rw_measurement *before, *after;
} judge;

/* Index of `document` in a list, or `count`. Documents of two measurements of the same data have
   the same index. */
static size_t find_document(const uint32_t *documents, size_t count, uint32_t document) {
    size_t i = 0;
    while (i < count && documents[i] != document)
        i++;
    return i;
}

/* What documents gave, one share each. */
typedef struct series {
    const uint32_t *documents; /* [count] */
    const rw_share *shares;    /* [count] */
    size_t count;
} series;

/* Mean of a - b over the documents in both. */
static rw_status estimate_difference(const judge *j, const series *a, const series *b,
                                     rw_estimate *out, rw_error *err) {
    rw_share *shares = rw_arena_alloc(&j->gate->arena, (a->count + 1) * sizeof *shares);
    size_t count = 0;
    if (!shares)
        return rw_fail_memory(err, "gate", a->count * sizeof *shares);
    for (size_t d = 0; d < a->count; d++) {
        size_t at = find_document(b->documents, b->count, a->documents[d]);
        if (at < b->count)
            shares[count++] = (rw_share){a->shares[d].sum - b->shares[at].sum, a->shares[d].count};
    }
    *out = (rw_estimate){.value = rw_share_mean(shares, count), .n = count};
    return rw_bootstrap(j->gate->ctx, shares, count, j->after->scope.seed, &out->ci, err);
}

/* ---- D0 -------------------------------------------------------------------------------------- */

/* The part of a record that lies beyond the native window; false: none. */
static bool beyond_native(const rw_record *record, size_t native, rw_window *out) {
    size_t end = record->window.first + record->window.count;
    *out = record->window;
    if (out->first < native)
        out->first = native;
    out->count = end > out->first ? end - out->first : 0;
    return out->count > 0;
}

static void score_effect(const judge *j, rw_estimate *out) {
    *out = (rw_estimate){.value = 0};
    for (size_t i = 0; i < j->after->store.count; i++) {
        const rw_record *record = &j->after->store.records[i];
        rw_window window;
        if (!beyond_native(record, j->after->scope.native, &window))
            continue;
        const double *a = rw_store_find(&j->before->store, record->document, &window,
                                        record->regime, record->bos);
        const double *b = record->nll + (window.first - record->window.first);
        for (size_t p = 0; a && p < window.count; p++)
            out->value = fmax(out->value, fabs(a[p] - b[p]));
        out->n += a ? window.count : 0;
    }
}

/* ---- D1 -------------------------------------------------------------------------------------- */

static const rw_row *find_row(const rw_measurement *m, size_t length) {
    for (size_t i = 0; i < m->row_count; i++)
        if (m->rows[i].length == length)
            return &m->rows[i];
    return NULL;
}

/* The longest length inside the native window that both measured. */
static const rw_row *short_row(const judge *j) {
    for (size_t i = j->after->row_count; i-- > 0;) {
        const rw_row *row = &j->after->rows[i];
        if (row->length <= j->after->scope.native && find_row(j->before, row->length))
            return row;
    }
    return NULL;
}

static rw_status score_short_cost(const judge *j, rw_error *err) {
    const rw_row *after = short_row(j);
    rw_scores *scores = &j->gate->scores;
    scores->short_cost.value = NAN;
    if (!after)
        return RW_OK;
    const rw_row *before = find_row(j->before, after->length);
    const series new = {after->documents, after->shares, after->document_count};
    const series old = {before->documents, before->shares, before->document_count};
    scores->short_length = after->length;
    return estimate_difference(j, &new, &old, &scores->short_cost, err);
}

/* ---- D2 -------------------------------------------------------------------------------------- */

static const rw_tail_row *find_tail(const rw_measurement *m, size_t length, size_t stride) {
    for (size_t i = 0; i < m->tail_count; i++)
        if (m->tails[i].length == length && m->tails[i].stride == stride)
            return &m->tails[i];
    return NULL;
}

/* Read with the last native window by the unextended model, minus read whole by the extended one.
 */
static rw_status score_gain(const judge *j, const rw_tail_row *after, const rw_tail_row *before,
                            rw_gain_score *out, rw_error *err) {
    const series cut = {before->documents, before->truncated, before->document_count};
    const series whole = {after->documents, after->whole, after->document_count};
    out->length = after->length;
    return estimate_difference(j, &cut, &whole, &out->gain, err);
}

static rw_status score_gains(const judge *j, rw_error *err) {
    rw_scores *scores = &j->gate->scores;
    size_t most = j->after->tail_count;
    rw_gain_score *gains = rw_arena_alloc(&j->gate->arena, (most + 1) * sizeof *gains);
    if (!gains)
        return rw_fail_memory(err, "gate", most * sizeof *gains);
    scores->gains = gains;
    for (size_t i = 0; i < most; i++) {
        const rw_tail_row *after = &j->after->tails[i];
        const rw_tail_row *before = find_tail(j->before, after->length, after->stride);
        if (before && before->truncated)
            RW_TRY(score_gain(j, after, before, &gains[scores->gain_count++], err));
    }
    return RW_OK;
}

/* The row whose bucket at the native window's end is the yardstick: measured at the window itself,
   or longer where the unextended rotation does not care. */
static const rw_row *yardstick_row(const rw_measurement *before) {
    const rw_row *exact = find_row(before, before->scope.native);
    if (exact || before->depends_on_length)
        return exact;
    for (size_t i = 0; i < before->row_count; i++)
        if (before->rows[i].length > before->scope.native)
            return &before->rows[i];
    return NULL;
}

static size_t bucket_ending_at(const rw_row *row, size_t end) {
    size_t b = 0;
    while (b < row->bucket_count && row->buckets[b].to != end)
        b++;
    return b;
}

/* Mean difference of bucket `b` of `after` to bucket `y` of `base`, over documents in both. */
static double bucket_excess(const rw_row *after, size_t b, const rw_row *base, size_t y,
                            uint64_t *documents) {
    rw_share mine = {0}, yardstick = {0};
    *documents = 0;
    for (size_t d = 0; d < after->document_count; d++) {
        size_t at = find_document(base->documents, base->document_count, after->documents[d]);
        if (at == base->document_count)
            continue;
        mine.sum += after->bucket_shares[d * after->bucket_count + b].sum;
        mine.count += after->bucket_shares[d * after->bucket_count + b].count;
        yardstick.sum += base->bucket_shares[at * base->bucket_count + y].sum;
        yardstick.count += base->bucket_shares[at * base->bucket_count + y].count;
        ++*documents;
    }
    return rw_share_mean(&mine, 1) - rw_share_mean(&yardstick, 1);
}

static const rw_row *longest_row(const rw_measurement *m) {
    for (size_t i = m->row_count; i-- > 0;)
        if (m->rows[i].document_count)
            return &m->rows[i];
    return NULL;
}

static void score_excess(const judge *j) {
    const rw_row *after = longest_row(j->after), *base = yardstick_row(j->before);
    size_t native = j->after->scope.native;
    rw_scores *scores = &j->gate->scores;
    scores->excess.value = NAN;
    size_t yardstick = base ? bucket_ending_at(base, native) : 0;
    if (!after || !base || yardstick == base->bucket_count)
        return;
    scores->bucket_length = after->length;
    for (size_t b = 0; b < after->bucket_count; b++) {
        uint64_t documents = 0;
        if (after->buckets[b].from < native || after->buckets[b].total.count == 0)
            continue;
        double excess = bucket_excess(after, b, base, yardstick, &documents);
        if (scores->excess.n && excess <= scores->excess.value)
            continue;
        scores->excess = (rw_estimate){.value = excess, .n = documents};
        scores->excess_from = after->buckets[b].from;
        scores->excess_to = after->buckets[b].to;
    }
}

/* ---- D3, D5 ---------------------------------------------------------------------------------- */

/* Tasks under different wordings are judged apart. */
static const char *cell_label(const judge *j, const rw_cell *cell) {
    return rw_arena_format(&j->gate->arena, "%s:%s", cell->task, cell->wording);
}

static rw_status score_cells(const judge *j, const rw_measurement *m, const rw_cell_score **out,
                             size_t *count, rw_error *err) {
    rw_cell_score *cells = rw_arena_alloc(&j->gate->arena, (m->cell_count + 1) * sizeof *cells);
    if (!cells)
        return rw_fail_memory(err, "gate", m->cell_count * sizeof *cells);
    for (size_t i = 0; i < m->cell_count; i++) {
        const rw_cell *cell = &m->cells[i];
        if (cell->impossible)
            continue;
        cells[*count] = (rw_cell_score){.task = cell_label(j, cell),
                                        .length = cell->length,
                                        .depth = cell->depth,
                                        .trials = cell->trials,
                                        .correct = cell->correct};
        if (!cells[(*count)++].task)
            return rw_fail_memory(err, "gate", 64);
    }
    *out = cells;
    return RW_OK;
}

static void score_decode(const judge *j, rw_estimate *out) {
    const rw_decode_check *decode = &j->after->decode;
    *out = (rw_estimate){.value = NAN};
    if (decode->measured)
        *out = (rw_estimate){.value = decode->difference, .n = decode->steps};
}

/* ---- D4, and what is told from the pack ------------------------------------------------------ */

static rw_tally tally_of(const rw_pack_run *pack, size_t beyond, size_t up_to) {
    const rw_pack_bin bin = rw_pack_total(pack, beyond, up_to);
    return (rw_tally){bin.items, bin.right};
}

static void score_pack(const judge *j) {
    const rw_pack_run *pack = j->after->pack;
    rw_scores *scores = &j->gate->scores;
    scores->pack_given = pack != NULL;
    if (!pack)
        return;
    const rw_pack_bin *top = &pack->bins[pack->bin_count - 1];
    scores->pack_from = top->from;
    scores->pack_reaches = pack->native && top->from >= pack->native;
    scores->pack_top = tally_of(pack, top->from, top->to);
    scores->pack_long = tally_of(pack, pack->native, pack->context);
    scores->pack_short = tally_of(pack, 0, pack->native);
    scores->pack_unread = rw_pack_total(pack, 0, pack->context).unread;
    scores->evidence = (rw_estimate){.value = pack->evidence_long.gain,
                                     .ci = pack->evidence_long.ci,
                                     .n = pack->evidence_long.items};
}

static int compare_seconds(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over the items that were answered; not told where times are left out of the result. */
static rw_status median_seconds(const judge *j, double *out, rw_error *err) {
    const rw_pack_run *pack = j->after->pack;
    size_t count = 0;
    *out = NAN;
    double *seconds = rw_arena_alloc(&j->gate->arena, (pack->count + 1) * sizeof *seconds);
    if (!seconds)
        return rw_fail_memory(err, "gate", pack->count * sizeof *seconds);
    for (size_t i = 0; i < pack->count; i++)
        if (pack->results[i].outcome >= RW_PACK_WRONG)
            seconds[count++] = pack->results[i].seconds;
    if (count == 0 || j->after->no_timing)
        return RW_OK;
    qsort(seconds, count, sizeof *seconds, compare_seconds);
    *out = seconds[count / 2];
    return RW_OK;
}

static rw_status score_foreign(const judge *j, const rw_gate_options *options, rw_error *err) {
    const rw_pack_run *pack = j->after->pack;
    rw_foreign *foreign = &j->gate->foreign;
    *foreign = (rw_foreign){NAN, NAN, NAN, NAN, NAN};
    if (options->model_bytes)
        foreign->bytes = (double)options->model_bytes;
    if (options->usd_per_call > 0)
        foreign->usd_per_call = options->usd_per_call;
    if (!pack)
        return RW_OK;
    const rw_pack_bin all = rw_pack_total(pack, 0, pack->context);
    foreign->accuracy = (double)all.right / (double)all.items;
    foreign->coverage = (double)(all.items + all.closed_book) / (double)pack->count;
    return median_seconds(j, &foreign->seconds, err);
}

static rw_status make_scores(const judge *j, rw_error *err) {
    rw_scores *scores = &j->gate->scores;
    scores->native = j->after->scope.native;
    scores->context = j->after->scope.context;
    scores->depends_on_length = j->after->depends_on_length;
    score_effect(j, &scores->effect);
    RW_TRY(score_short_cost(j, err));
    RW_TRY(score_gains(j, err));
    score_excess(j);
    RW_TRY(score_cells(j, j->before, &scores->before, &scores->before_count, err));
    RW_TRY(score_cells(j, j->after, &scores->after, &scores->after_count, err));
    score_decode(j, &scores->decode);
    score_pack(j);
    return RW_OK;
}

_Static_assert((int)RW_GATE_TASKS_MAX >= (int)RW_PICKS_MAX,
               "a task of the scope has no place in the gate");
_Static_assert((int)RW_LENGTH_FINDINGS_MAX >= (int)RW_PICKS_MAX * (int)RW_LENGTHS_MAX,
               "nor has a length");

/* ---- judging --------------------------------------------------------------------------------- */

static rw_status check_alike(const rw_measurement *before, const rw_measurement *after,
                             rw_error *err) {
    const rw_scope *a = &before->scope, *b = &after->scope;
    bool same_data = memcmp(&before->digest, &after->digest, sizeof before->digest) == 0;
    if (same_data && a->protocol == b->protocol && a->seed == b->seed && a->native == b->native &&
        a->chunks == b->chunks && a->stride == b->stride)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "measure.not_alike", "",
                   "the two measurements differ in %s: measure both alike",
                   same_data ? "protocol, seed, stride, chunks or native window" : "their data");
}

static rw_status judge_all(const judge *j, const rw_gate_options *options, rw_error *err) {
    rw_gate *gate = j->gate;
    RW_TRY(rw_thresholds_parse(options->thresholds, &gate->thresholds, err));
    RW_TRY(rw_waivers_parse(options->allow_undefined, gate->scores.waived, err));
    gate->scores.fast = options->suite != NULL;
    RW_TRY(make_scores(j, err));
    RW_TRY(score_foreign(j, options, err));
    rw_gate_decide(&gate->scores, &gate->thresholds, &gate->judgement);
    return RW_OK;
}

rw_status rw_gate_judge(rw_context *ctx, const rw_measurement *before, const rw_measurement *after,
                        const rw_gate_options *options, rw_gate **out, rw_error *err) {
    const rw_gate_options none = {0};
    *out = NULL;
    RW_TRY(check_alike(before, after, err));
    rw_gate *gate = rw_calloc(ctx, 1, sizeof *gate);
    if (!gate)
        return rw_fail_memory(err, "gate", sizeof *gate);
    gate->ctx = ctx;
    gate->arena.ctx = ctx;
    const judge j = {gate, before, after};
    rw_status status = judge_all(&j, options ? options : &none, err);
    if (status != RW_OK) {
        rw_gate_free(gate);
        return status;
    }
    *out = gate;
    return RW_OK;
}

bool rw_gate_passed(const rw_gate *gate) {
    return gate->judgement.verdict == RW_VERDICT_PASS;
}

void rw_gate_free(rw_gate *gate) {
    if (!gate)
        return;
    rw_context *ctx = gate->ctx;
    rw_arena_free(&gate->arena);
    rw_free(ctx, gate);
}
