/*
 * perplexity.c - reading the windows a protocol wants, and averaging what they gave.
 *
 * The longest length goes first: where the rotation does not depend on length, it serves the
 * shorter ones without reading anything again.
 */
#include <math.h>

#include "measure/result.h"

static rw_protocol_setting setting_at(const rw_scope *scope, size_t length) {
    size_t stride = scope->stride < length ? scope->stride : length;
    return (rw_protocol_setting){.length = length, .stride = stride, .chunks = scope->chunks};
}

/* ---- reading --------------------------------------------------------------------------------- */

static rw_status fill_length(const rw_scope *scope, rw_store *store, rw_scorer *scorer,
                             uint32_t document, size_t length, rw_error *err) {
    size_t tokens = store->corpus->documents[document].count;
    const rw_protocol_setting setting = setting_at(scope, length);
    size_t count = scope->protocol->windows(tokens, &setting);
    for (size_t i = 0; i < count; i++) {
        const rw_window window = scope->protocol->window(tokens, &setting, i);
        RW_TRY(rw_store_fill(store, scorer, document, &window, length, scope->protocol->window_bos,
                             err));
    }
    return RW_OK;
}

static rw_status fill_tail(const rw_scope *scope, rw_store *store, rw_scorer *scorer,
                           uint32_t document, size_t length, rw_error *err) {
    if (store->corpus->documents[document].count <= length)
        return RW_OK;
    size_t stride = rw_gain_stride(scope->stride, scope->native);
    const rw_window whole = rw_window_tail(length, stride);
    RW_TRY(rw_store_fill(store, scorer, document, &whole, length, false, err));
    if (!scope->baseline)
        return RW_OK;
    const rw_window cut = rw_window_truncated(length, stride, scope->native);
    return rw_store_fill(store, scorer, document, &cut, scope->native, false, err);
}

rw_status rw_perplexity_fill(const rw_scope *scope, rw_store *store, rw_scorer *scorer,
                             rw_error *err) {
    size_t gains[RW_LENGTHS_MAX], gain_count = rw_scope_gain_lengths(scope, gains);
    for (uint32_t document = 0; document < scope->documents; document++) {
        for (size_t i = scope->length_count; i-- > 0;)
            RW_TRY(fill_length(scope, store, scorer, document, scope->lengths[i], err));
        for (size_t i = gain_count; i-- > 0;)
            RW_TRY(fill_tail(scope, store, scorer, document, gains[i], err));
    }
    return RW_OK;
}

/* ---- averaging ------------------------------------------------------------------------------- */

/* The shape of one row while documents are added to it. */
typedef struct row_maker {
    rw_measurement *m;
    const rw_tokenizer *tokenizer;
    rw_row *row;
    rw_protocol_setting setting;
    size_t edges[RW_BUCKETS_MAX + 1];
} row_maker;

static void add_share(rw_share *to, double nll) {
    to->sum += nll;
    to->count += 1;
}

static void add_window(const row_maker *maker, uint32_t document, const rw_window *window,
                       const double *nll, rw_share *share, rw_share *buckets) {
    const int32_t *targets =
        maker->m->store.corpus->documents[document].tokens + window->start + window->first + 1;
    size_t bucket = 0;
    for (size_t i = 0; i < window->count; i++) {
        while (window->first + i >= maker->edges[bucket + 1])
            bucket++;
        add_share(share, nll[i]);
        add_share(&buckets[bucket], nll[i]);
        maker->row->bytes += rw_tokenizer_token_bytes(maker->tokenizer, targets[i]).size;
    }
}

/* Adds a document if all of its windows are there: a run that was stopped has some in parts. */
static void add_document(const row_maker *maker, uint32_t document) {
    const rw_measurement *m = maker->m;
    const rw_protocol *protocol = m->scope.protocol;
    rw_row *row = maker->row;
    size_t tokens = m->store.corpus->documents[document].count, at = row->document_count;
    size_t count = protocol->windows(tokens, &maker->setting);
    rw_share *buckets = row->bucket_shares + at * row->bucket_count;
    for (size_t i = 0; i < count; i++) {
        const rw_window window = protocol->window(tokens, &maker->setting, i);
        if (!rw_store_find(&m->store, document, &window, row->length, protocol->window_bos))
            return;
    }
    for (size_t i = 0; i < count; i++) {
        const rw_window window = protocol->window(tokens, &maker->setting, i);
        const double *nll =
            rw_store_find(&m->store, document, &window, row->length, protocol->window_bos);
        add_window(maker, document, &window, nll, &row->shares[at], buckets);
    }
    if (count) {
        row->documents[at] = document;
        row->document_count++;
    }
}

static void sum_row(rw_row *row) {
    for (size_t d = 0; d < row->document_count; d++) {
        row->total.sum += row->shares[d].sum;
        row->total.count += row->shares[d].count;
        for (size_t b = 0; b < row->bucket_count; b++) {
            row->buckets[b].total.sum += row->bucket_shares[d * row->bucket_count + b].sum;
            row->buckets[b].total.count += row->bucket_shares[d * row->bucket_count + b].count;
        }
    }
    row->nll = rw_share_mean(&row->total, 1);
}

static bool allocate_row(row_maker *maker) {
    rw_row *row = maker->row;
    rw_arena *arena = &maker->m->arena;
    size_t documents = maker->m->scope.documents;
    row->bucket_count = rw_bucket_edges(row->length, maker->m->scope.native, maker->edges);
    row->documents = rw_arena_alloc(arena, documents * sizeof *row->documents);
    row->shares = rw_arena_alloc(arena, documents * sizeof *row->shares);
    row->buckets = rw_arena_alloc(arena, row->bucket_count * sizeof *row->buckets);
    row->bucket_shares =
        rw_arena_alloc(arena, documents * row->bucket_count * sizeof *row->bucket_shares);
    return row->documents && row->shares && row->buckets && row->bucket_shares;
}

static rw_status derive_row(rw_measurement *m, const rw_tokenizer *tokenizer, size_t length,
                            rw_row *row, rw_error *err) {
    *row = (rw_row){.length = length};
    row_maker maker = {
        .m = m, .tokenizer = tokenizer, .row = row, .setting = setting_at(&m->scope, length)};
    if (!allocate_row(&maker))
        return rw_fail_memory(err, "measurement", m->scope.documents * sizeof *row->shares);
    for (size_t b = 0; b < row->bucket_count; b++)
        row->buckets[b] = (rw_bucket){.from = maker.edges[b], .to = maker.edges[b + 1]};
    for (uint32_t document = 0; document < m->scope.documents; document++)
        add_document(&maker, document);
    sum_row(row);
    return rw_bootstrap(m->ctx, row->shares, row->document_count, m->scope.seed, &row->ci, err);
}

static rw_share share_of(const double *nll, size_t count) {
    rw_share share = {0};
    for (size_t i = 0; i < count; i++)
        add_share(&share, nll[i]);
    return share;
}

static void add_tail(const rw_measurement *m, rw_tail_row *row, uint32_t document) {
    size_t at = row->document_count;
    if (m->store.corpus->documents[document].count <= row->length)
        return;
    const rw_window whole = rw_window_tail(row->length, row->stride);
    const double *nll = rw_store_find(&m->store, document, &whole, row->length, false);
    const rw_window cut = rw_window_truncated(row->length, row->stride, m->scope.native);
    const double *cut_nll =
        row->truncated ? rw_store_find(&m->store, document, &cut, m->scope.native, false) : NULL;
    if (!nll || (row->truncated && !cut_nll))
        return;
    row->documents[at] = document;
    row->whole[at] = share_of(nll, whole.count);
    if (cut_nll)
        row->truncated[at] = share_of(cut_nll, cut.count);
    row->document_count++;
}

static rw_status derive_tail(rw_measurement *m, size_t length, rw_tail_row *row, rw_error *err) {
    size_t documents = m->scope.documents;
    *row =
        (rw_tail_row){.length = length, .stride = rw_gain_stride(m->scope.stride, m->scope.native)};
    row->documents = rw_arena_alloc(&m->arena, documents * sizeof *row->documents);
    row->whole = rw_arena_alloc(&m->arena, documents * sizeof *row->whole);
    if (m->scope.baseline)
        row->truncated = rw_arena_alloc(&m->arena, documents * sizeof *row->truncated);
    if (!row->documents || !row->whole || (m->scope.baseline && !row->truncated))
        return rw_fail_memory(err, "measurement", documents * sizeof *row->whole);
    for (uint32_t document = 0; document < documents; document++)
        add_tail(m, row, document);
    return RW_OK;
}

rw_status rw_perplexity_derive(rw_measurement *m, const rw_tokenizer *tokenizer, rw_error *err) {
    const rw_scope *scope = &m->scope;
    size_t gains[RW_LENGTHS_MAX], gain_count = rw_scope_gain_lengths(scope, gains);
    if (!scope->perplexity)
        return RW_OK;
    m->rows = rw_arena_alloc(&m->arena, scope->length_count * sizeof *m->rows);
    m->tails = rw_arena_alloc(&m->arena, (gain_count + 1) * sizeof *m->tails);
    if (!m->rows || !m->tails)
        return rw_fail_memory(err, "measurement", scope->length_count * sizeof *m->rows);
    for (; m->row_count < scope->length_count; m->row_count++)
        RW_TRY(derive_row(m, tokenizer, scope->lengths[m->row_count], &m->rows[m->row_count], err));
    for (; m->tail_count < gain_count; m->tail_count++)
        RW_TRY(derive_tail(m, gains[m->tail_count], &m->tails[m->tail_count], err));
    return RW_OK;
}
