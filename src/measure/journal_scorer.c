/*
 * journal_scorer.c - reads from the journal where they are there.
 *
 * A read's key is a hash over the sequence so far and what is wanted of it. A sequence that is
 * known to its end costs nothing. Where one goes on beyond what is known, its beginning is read
 * again without being scored: the cache is not kept.
 */
#include <string.h>

#include "measure/journal.h"

/* ---- keys ------------------------------------------------------------------------------------ */

static void hash_number(rw_hasher *hasher, uint64_t value) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    rw_hasher_update(hasher, bytes, sizeof bytes);
}

static void hash_tokens(rw_hasher *hasher, const int32_t *tokens, size_t count) {
    hash_number(hasher, count);
    for (size_t i = 0; i < count; i++)
        hash_number(hasher, (uint64_t)(int64_t)tokens[i]);
}

/* The key of a sequence's beginning. */
static rw_status begin_key(rw_journal_scorer *self, rw_error *err) {
    rw_hasher *hasher = NULL;
    RW_TRY(rw_hasher_create(rw_journal_context(self->journal), &hasher, err));
    rw_hasher_update(hasher, self->side.bytes, sizeof self->side.bytes);
    hash_number(hasher, self->length);
    return rw_hasher_finish(hasher, &self->key, err);
}

static rw_status add_to_key(rw_journal_scorer *self, const int32_t *tokens, size_t count,
                            const rw_outputs *outputs, rw_error *err) {
    rw_hasher *hasher = NULL;
    RW_TRY(rw_hasher_create(rw_journal_context(self->journal), &hasher, err));
    rw_hasher_update(hasher, self->key.bytes, sizeof self->key.bytes);
    hash_tokens(hasher, tokens, count);
    hash_number(hasher, outputs ? outputs->first : 0);
    hash_number(hasher, outputs ? outputs->count : 0);
    if (outputs && outputs->target)
        hash_tokens(hasher, outputs->target, outputs->count);
    return rw_hasher_finish(hasher, &self->key, err);
}

/* ---- sequences that are not read yet --------------------------------------------------------- */

static rw_status keep_piece(rw_journal_scorer *self, const int32_t *tokens, size_t count,
                            rw_error *err) {
    rw_context *ctx = rw_journal_context(self->journal);
    if (count > self->capacity - self->count) {
        size_t capacity = 2 * (self->count + count), size = sizeof *tokens;
        int32_t *grown = rw_grow(ctx, self->tokens, self->capacity * size, capacity * size);
        if (!grown)
            return rw_fail_memory(err, "measurement", capacity * size);
        self->tokens = grown;
        self->capacity = capacity;
    }
    if (self->piece_count == self->piece_capacity) {
        size_t capacity = self->piece_capacity ? 2 * self->piece_capacity : 64;
        size_t *grown = rw_grow(ctx, self->ends, self->piece_capacity * sizeof *self->ends,
                                capacity * sizeof *self->ends);
        if (!grown)
            return rw_fail_memory(err, "measurement", capacity * sizeof *self->ends);
        self->ends = grown;
        self->piece_capacity = capacity;
    }
    memcpy(self->tokens + self->count, tokens, count * sizeof *tokens);
    self->count += count;
    self->ends[self->piece_count++] = self->count;
    self->counted.tokens += count;
    self->meter->done.tokens += count;
    return RW_OK;
}

/* Reads what was passed over, in the same pieces: the same bits then. The meter counts it itself.
 */
static rw_status go_live(rw_journal_scorer *self, rw_error *err) {
    rw_scorer *inner = &self->meter->scorer;
    size_t at = 0;
    self->live = true;
    self->meter->done.cost -= self->counted.cost;
    self->meter->done.tokens -= self->counted.tokens;
    RW_TRY(inner->begin(inner, self->length, err));
    for (size_t i = 0; i < self->piece_count; at = self->ends[i++])
        RW_TRY(inner->append(inner, self->tokens + at, self->ends[i] - at, NULL, err));
    return RW_OK;
}

/* ---- the scorer ------------------------------------------------------------------------------ */

static rw_status journal_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    rw_journal_scorer *self = scorer->user;
    self->length = length;
    self->live = false;
    self->count = self->piece_count = 0;
    self->counted = (rw_work){0};
    RW_TRY(begin_key(self, err));
    if (rw_journal_used_up(self->journal))
        return go_live(self, err);
    self->counted.cost = scorer->cost(scorer, length);
    self->meter->done.cost += self->counted.cost;
    return RW_OK;
}

static rw_status journal_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                                const rw_outputs *outputs, rw_error *err) {
    rw_journal_scorer *self = scorer->user;
    rw_scorer *inner = &self->meter->scorer;
    RW_TRY(add_to_key(self, tokens, count, outputs, err));
    if (!self->live && (!outputs || rw_journal_find(self->journal, &self->key, outputs)))
        return keep_piece(self, tokens, count, err);
    if (!self->live)
        RW_TRY(go_live(self, err));
    RW_TRY(inner->append(inner, tokens, count, outputs, err));
    return outputs ? rw_journal_add(self->journal, &self->key, outputs, err) : RW_OK;
}

static double journal_cost(const rw_scorer *scorer, size_t n) {
    const rw_journal_scorer *self = scorer->user;
    return self->meter->scorer.cost(&self->meter->scorer, n);
}

rw_status rw_journal_scorer_init(rw_journal_scorer *out, rw_journal *journal, const char *side,
                                 rw_meter *meter, rw_error *err) {
    *out = (rw_journal_scorer){.scorer = meter->scorer, .journal = journal, .meter = meter};
    out->scorer.user = out;
    out->scorer.begin = journal_begin;
    out->scorer.append = journal_append;
    out->scorer.cost = journal_cost;
    return rw_sha256_bytes(rw_journal_context(journal), rw_str_of(side), &out->side, err);
}

void rw_journal_scorer_free(rw_journal_scorer *scorer) {
    rw_context *ctx = rw_journal_context(scorer->journal);
    rw_free(ctx, scorer->tokens);
    rw_free(ctx, scorer->ends);
    scorer->tokens = NULL;
    scorer->ends = NULL;
}
