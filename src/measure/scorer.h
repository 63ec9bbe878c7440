/*
 * scorer.h - what the protocols need of a model, and nothing more: so they can be tested without
 * weights, counted before they run, and stopped when the time is up.
 */
#ifndef RW_MEASURE_SCORER_H
#define RW_MEASURE_SCORER_H

#include "measure/measure.h"

typedef struct rw_scorer rw_scorer;
struct rw_scorer {
    void *user;
    /* Starts a sequence of at most `length` tokens; a rotation that depends on length is resolved
       there. */
    rw_status (*begin)(rw_scorer *scorer, size_t length, rw_error *err);
    /* Appends tokens and computes `outputs` (may be NULL). */
    rw_status (*append)(rw_scorer *scorer, const int32_t *tokens, size_t count,
                        const rw_outputs *outputs, rw_error *err);
    /* Work of reading n tokens from position 0, in any unit. */
    double (*cost)(const rw_scorer *scorer, size_t n);
    bool depends_on_length;
    int32_t window_bos; /* < 0: none */
    /* Both or neither (NULL): a sequence's rows, out and in, as rw_session_save and
       rw_session_restore have it. */
    rw_status (*save)(rw_scorer *scorer, uint64_t from, const rw_row_sink *sink, rw_error *err);
    rw_status (*restore)(rw_scorer *scorer, uint64_t to, const rw_row_source *source,
                         rw_error *err);
};

/* Sequences are read in pieces of so many tokens: what a run that is stopped has read stays, and
   progress moves. Far into a long sequence a token takes many times as long as in its beginning, so
   pieces are smaller there; both are whole chunks of the model's, which leaves the bits alone. */
enum { RW_READ_PIECE = 2048, RW_READ_FAR = 16384, RW_READ_FAR_PIECE = 512 };

/* One whole sequence of `count` tokens, resolved at `length`. */
rw_status rw_scorer_read(rw_scorer *scorer, const int32_t *tokens, size_t count, size_t length,
                         const rw_outputs *outputs, rw_error *err);
/* The same, and *done says how many of the outputs are there, also when it fails. */
rw_status rw_scorer_read_part(rw_scorer *scorer, const int32_t *tokens, size_t count, size_t length,
                              const rw_outputs *outputs, size_t *done, rw_error *err);

/* Runs sequences on `subject`'s model, in one session that is made anew when a longer one comes. */
typedef struct rw_model_scorer {
    rw_scorer scorer;
    const rw_subject *subject;
    rw_session *session;
    size_t capacity;
} rw_model_scorer;

void rw_model_scorer_init(rw_model_scorer *out, const rw_subject *subject);
void rw_model_scorer_free(rw_model_scorer *scorer);

#endif
