/*
 * scorer.c - sequences on a real model.
 */
#include "measure/scorer.h"

/* Reading that many tokens takes seconds at least: the model reports its own progress then. */
enum { LONG_READ = 8192 };

rw_status rw_scorer_read(rw_scorer *scorer, const int32_t *tokens, size_t count, size_t length,
                         const rw_outputs *outputs, rw_error *err) {
    RW_TRY(scorer->begin(scorer, length, err));
    return scorer->append(scorer, tokens, count, outputs, err);
}

static rw_status model_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    rw_model_scorer *self = scorer->user;
    bool fits = self->session && length <= self->capacity;
    const rw_session_options options = {
        .rope = self->subject->rope, .capacity = fits ? self->capacity : length, .length = length};
    if (fits)
        return rw_session_reset(self->session, &options, err);
    rw_model_scorer_free(self);
    self->capacity = length;
    return rw_session_create(self->subject->model, &options, &self->session, err);
}

static rw_status model_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                              const rw_outputs *outputs, rw_error *err) {
    rw_model_scorer *self = scorer->user;
    const char *task = count >= LONG_READ ? "read" : NULL;
    return rw_session_forward(self->session, tokens, count, outputs, task, err);
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
                              .depends_on_length = set_depends_on_length(subject->rope),
                              .window_bos = (int32_t)bos};
}

void rw_model_scorer_free(rw_model_scorer *scorer) {
    rw_session_free(scorer->session);
    scorer->session = NULL;
}
