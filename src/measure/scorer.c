/*
 * scorer.c - sequences on a real model.
 */
#include "measure/scorer.h"

/* What `outputs` wants of the piece [begin, begin + count); count 0: nothing. */
static rw_outputs outputs_of(const rw_outputs *outputs, size_t begin, size_t count) {
    rw_outputs part = {0};
    if (!outputs || outputs->first >= begin + count || outputs->first + outputs->count <= begin)
        return part;
    size_t from = outputs->first > begin ? outputs->first : begin;
    size_t end = outputs->first + outputs->count;
    size_t at = from - outputs->first; /* of the part in the arrays */
    part.first = from - begin;
    part.count = (end < begin + count ? end : begin + count) - from;
    part.target = outputs->target ? outputs->target + at : NULL;
    part.nll = outputs->nll ? outputs->nll + at : NULL;
    part.argmax = outputs->argmax ? outputs->argmax + at : NULL;
    return part;
}

rw_status rw_scorer_read_part(rw_scorer *scorer, const int32_t *tokens, size_t count, size_t length,
                              const rw_outputs *outputs, size_t *done, rw_error *err) {
    *done = 0;
    RW_TRY(scorer->begin(scorer, length, err));
    for (size_t begin = 0, size; begin < count; begin += size) {
        size_t piece = begin < RW_READ_FAR ? RW_READ_PIECE : RW_READ_FAR_PIECE;
        size = count - begin < piece ? count - begin : piece;
        const rw_outputs part = outputs_of(outputs, begin, size);
        RW_TRY(scorer->append(scorer, tokens + begin, size, part.count ? &part : NULL, err));
        *done += part.count;
    }
    return RW_OK;
}

rw_status rw_scorer_read(rw_scorer *scorer, const int32_t *tokens, size_t count, size_t length,
                         const rw_outputs *outputs, rw_error *err) {
    size_t done;
    return rw_scorer_read_part(scorer, tokens, count, length, outputs, &done, err);
}

/* While a session is there, all that it touched is in memory. */
static void note_memory(const rw_model_scorer *self) {
    rw_memory_seen *seen = self->subject->memory;
    if (!seen || !self->session)
        return;
    rw_resident now = rw_resident_now();
    if (now.anonymous > seen->most.anonymous)
        seen->most = now;
    if (self->capacity > seen->capacity)
        seen->capacity = self->capacity;
}

static rw_status model_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    rw_model_scorer *self = scorer->user;
    bool fits = self->session && length <= self->capacity;
    const rw_session_options options = {.rope = self->subject->rope,
                                        .capacity = fits ? self->capacity : length,
                                        .length = length,
                                        .engine = self->subject->engine};
    if (fits)
        return rw_session_reset(self->session, &options, err);
    rw_model_scorer_free(self);
    self->capacity = length;
    return rw_session_create(self->subject->model, &options, &self->session, err);
}

static rw_status model_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                              const rw_outputs *outputs, rw_error *err) {
    rw_model_scorer *self = scorer->user;
    return rw_session_forward(self->session, tokens, count, outputs, NULL, err);
}

static rw_status model_save(rw_scorer *scorer, uint64_t from, const rw_row_sink *sink,
                            rw_error *err) {
    rw_model_scorer *self = scorer->user;
    return rw_session_save(self->session, from, sink, err);
}

static rw_status model_restore(rw_scorer *scorer, uint64_t to, const rw_row_source *source,
                               rw_error *err) {
    rw_model_scorer *self = scorer->user;
    return rw_session_restore(self->session, to, source, err);
}

static double model_cost(const rw_scorer *scorer, size_t n) {
    const rw_model_scorer *self = scorer->user;
    return rw_arch_forward_flops(rw_model_arch(self->subject->model), n);
}

static bool set_depends_on_length(const rw_rope_set *set) {
    for (uint32_t i = 0; i < set->count; i++)
        if (rw_rope_depends_on_length(&set->group[i].spec))
            return true;
    return false;
}

void rw_model_scorer_init(rw_model_scorer *out, const rw_subject *subject) {
    const rw_tokenizer *tokenizer = subject->tokenizer;
    int64_t bos = rw_tokenizer_adds_bos(tokenizer) ? rw_tokenizer_bos(tokenizer) : -1;
    *out = (rw_model_scorer){.subject = subject};
    out->scorer = (rw_scorer){.user = out,
                              .begin = model_begin,
                              .append = model_append,
                              .cost = model_cost,
                              .save = model_save,
                              .restore = model_restore,
                              .depends_on_length = set_depends_on_length(subject->rope),
                              .window_bos = (int32_t)bos};
}

void rw_model_scorer_free(rw_model_scorer *scorer) {
    note_memory(scorer);
    rw_session_free(scorer->session);
    scorer->session = NULL;
}
