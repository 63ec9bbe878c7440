/*
 * journal_scorer.c - reads from the journal where they are there.
 *
 * A read's key is a hash over the sequence so far and what is wanted of it. A sequence that is
 * known to its end costs nothing. Where one goes on beyond what is known, the rows of its beginning
 * come from the side file, as far as they are kept; what is missing is read again without being
 * scored.
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

static rw_status hold_piece(rw_journal_scorer *self, const int32_t *tokens, size_t count,
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
        size_t size = sizeof *self->pieces;
        rw_piece *grown = rw_grow(ctx, self->pieces, self->piece_capacity * size, capacity * size);
        if (!grown)
            return rw_fail_memory(err, "measurement", capacity * size);
        self->pieces = grown;
        self->piece_capacity = capacity;
    }
    memcpy(self->tokens + self->count, tokens, count * sizeof *tokens);
    self->count += count;
    self->pieces[self->piece_count++] = (rw_piece){self->count, self->key};
    self->counted.tokens += count;
    self->meter->done.tokens += count;
    return RW_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Of the parts there are, the first *good end where pieces of this sequence end, and are as they
   were written. *pieces: how many pieces these are. */
static rw_status find_parts(rw_journal_scorer *self, size_t *good, size_t *pieces, rw_error *err) {
    rw_kept *kept = rw_journal_kept(self->journal);
    bool sound = true;
    *good = *pieces = 0;
    for (size_t i = 0; i < self->piece_count && *good < kept->count && sound; i++) {
        const rw_part *part = &kept->parts[*good];
        char key[65];
        rw_sha256_hex(&self->pieces[i].key, key);
        if (self->pieces[i].end != part->to || strcmp(key, part->key) != 0)
            continue;
        RW_TRY(rw_kept_check(kept, part, &sound, err));
        if (!sound)
            rw_log(kept->ctx, RW_INFO,
                   "%s: the rows from position %llu on are damaged or missing; they are read again",
                   kept->path, (unsigned long long)part->from);
        *good += sound;
        *pieces = sound ? i + 1 : *pieces;
    }
    return RW_OK;
}

/* Takes in the rows that are kept of the pieces passed over; *pieces: of so many. */
static rw_status take_rows(rw_journal_scorer *self, size_t *pieces, rw_error *err) {
    rw_kept *kept = rw_journal_kept(self->journal);
    size_t good;
    RW_TRY(find_parts(self, &good, pieces, err));
    rw_kept_cut(kept, good);
    for (size_t i = 0; i < kept->count; i++)
        RW_TRY(rw_kept_restore(kept, &kept->parts[i], &self->meter->scorer, err));
    self->at = kept->count ? (size_t)kept->parts[kept->count - 1].to : 0;
    *pieces = self->at ? *pieces : 0; /* it may have given up */
    if (self->at)
        rw_log(kept->ctx, RW_INFO, "%s: the rows of %zu positions are kept, reading goes on there",
               kept->path, self->at);
    return RW_OK;
}

/* How large the file gets, by its first part. Later ones have more rows of layers that forget: less
   is forgotten between parts that are smaller. */
static void tell_size(rw_kept *kept, const rw_part *part, size_t length) {
    if (!kept->told)
        rw_log(kept->ctx, RW_INFO,
               "%s keeps the rows of the %zu positions that are being read: about %.2f GB of disk, "
               "more where layers have windows, until they are read",
               kept->path, length,
               (double)part->bytes / (double)(part->to - part->from) * (double)length * 1e-9);
    kept->told = true;
}

/* Keeps what came since the last part. The end of a sequence is not worth it. */
static rw_status keep_rows(rw_journal_scorer *self, const rw_sha256 *key, rw_error *err) {
    rw_kept *kept = rw_journal_kept(self->journal);
    rw_part part = {.from = kept->count ? kept->parts[kept->count - 1].to : 0, .to = self->at};
    if (!self->keeps || part.to - part.from < RW_READ_FAR_PIECE || self->at == self->length)
        return RW_OK;
    rw_sha256_hex(key, part.key);
    RW_TRY(rw_kept_write(kept, &part, &self->meter->scorer, err));
    self->keeps = !kept->given_up;
    if (!self->keeps)
        return RW_OK;
    tell_size(kept, &part, self->length);
    return rw_journal_add_part(self->journal, &part, err);
}

/* A sequence that was read to its end needs its rows no more. */
static void end_sequence(rw_journal_scorer *self) {
    if (self->keeps && !self->broken)
        rw_kept_remove(rw_journal_kept(self->journal));
    self->keeps = false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static rw_status read_piece(rw_journal_scorer *self, const int32_t *tokens, size_t count,
                            const rw_sha256 *key, const rw_outputs *outputs, rw_error *err) {
    rw_scorer *inner = &self->meter->scorer;
    RW_TRY(inner->append(inner, tokens, count, outputs, err));
    self->at += count;
    if (outputs)
        RW_TRY(rw_journal_add(self->journal, key, outputs, err));
    return keep_rows(self, key, err);
}

/* Reads what was passed over, in the same pieces: the same bits then. The meter counts it itself.
 */
static rw_status go_live(rw_journal_scorer *self, rw_error *err) {
    rw_scorer *inner = &self->meter->scorer;
    rw_kept *kept = rw_journal_kept(self->journal);
    size_t next = 0;
    self->live = true;
    self->meter->done.cost -= self->counted.cost;
    self->meter->done.tokens -= self->counted.tokens;
    RW_TRY(inner->begin(inner, self->length, err));
    self->keeps = self->length >= kept->least && inner->save && rw_kept_open(kept);
    if (self->keeps)
        RW_TRY(take_rows(self, &next, err));
    self->keeps = self->keeps && !kept->given_up;
    for (; next < self->piece_count; next++) {
        const rw_piece *piece = &self->pieces[next];
        RW_TRY(read_piece(self, self->tokens + self->at, piece->end - self->at, &piece->key, NULL,
                          err));
    }
    return RW_OK;
}

/* ---- the scorer ------------------------------------------------------------------------------ */

static rw_status journal_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    rw_journal_scorer *self = scorer->user;
    end_sequence(self);
    self->length = length;
    self->live = self->broken = false;
    self->at = self->count = self->piece_count = 0;
    self->counted = (rw_work){0};
    RW_TRY(begin_key(self, err));
    if (rw_journal_used_up(self->journal) && rw_journal_kept(self->journal)->count == 0)
        return go_live(self, err);
    self->counted.cost = scorer->cost(scorer, length);
    self->meter->done.cost += self->counted.cost;
    return RW_OK;
}

static rw_status append(rw_journal_scorer *self, const int32_t *tokens, size_t count,
                        const rw_outputs *outputs, rw_error *err) {
    RW_TRY(add_to_key(self, tokens, count, outputs, err));
    if (!self->live && (!outputs || rw_journal_find(self->journal, &self->key, outputs)))
        return hold_piece(self, tokens, count, err);
    if (!self->live)
        RW_TRY(go_live(self, err));
    return read_piece(self, tokens, count, &self->key, outputs, err);
}

static rw_status journal_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                                const rw_outputs *outputs, rw_error *err) {
    rw_journal_scorer *self = scorer->user;
    rw_status status = append(self, tokens, count, outputs, err);
    self->broken = self->broken || status != RW_OK;
    return status;
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
    out->scorer.save = NULL;
    out->scorer.restore = NULL;
    return rw_sha256_bytes(rw_journal_context(journal), rw_str_of(side), &out->side, err);
}

void rw_journal_scorer_free(rw_journal_scorer *scorer) {
    rw_context *ctx = rw_journal_context(scorer->journal);
    end_sequence(scorer);
    rw_free(ctx, scorer->tokens);
    rw_free(ctx, scorer->pieces);
    scorer->tokens = NULL;
    scorer->pieces = NULL;
}
