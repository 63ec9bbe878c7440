/*
 * journal.h - what a measurement has read of the model so far, in a file: so that one that was
 * stopped, or killed, goes on where it was.
 *
 * A measurement is a pure function of what its reads of the model gave, and it makes the same reads
 * in the same order every time. So the journal remembers reads: a scorer around another one, which
 * answers from the file what stands there and asks the other for the rest. Nothing else of the
 * measurement knows of it.
 *
 * Of a long sequence that is being read, the rows in the cache are kept too, in a file beside it
 * (kept.h); the journal has the hashes.
 *
 * The file is text, one JSON object a line, only ever appended to: {"sha256":H,"entry":E}, H over
 * the bytes of E. The first entry has the facts that make a run this run and no other. A last line
 * that was cut short, or is damaged, is taken away; anything else that is wrong is refused.
 */
#ifndef RW_MEASURE_JOURNAL_H
#define RW_MEASURE_JOURNAL_H

#include "measure/budget.h"
#include "measure/kept.h"

/* One thing that changes numbers, by name: {"seed", "7"}. */
typedef struct rw_fact {
    const char *name, *value;
} rw_fact;

enum { RW_FACTS_MAX = 48 };

typedef struct rw_facts {
    rw_arena *arena; /* of names and values that are made here */
    rw_fact items[RW_FACTS_MAX];
    size_t count;
    bool failed; /* no memory; rw_journal_open says so */
} rw_facts;

/* Name and value are kept as they are; a value that is NULL is one there was no memory for. */
void rw_facts_add(rw_facts *facts, const char *name, const char *value);
void rw_facts_add_u64(rw_facts *facts, const char *name, uint64_t value);
void rw_facts_add_digest(rw_facts *facts, const char *name, const rw_sha256 *digest);

/* What a measurement of `subject` does, with every default filled in: journal_facts.c. */
rw_status rw_facts_add_measurement(rw_facts *facts, const rw_subject *subject,
                                   const rw_corpus *corpus, const rw_measure_options *options,
                                   rw_error *err);

/* Opens `path`, or makes it. Codes: state.differs, state.in_use (RW_ERR_REFUSED); state.foreign,
   state.damaged (RW_ERR_INPUT); state.open, state.write (RW_ERR_IO); file.*. */
rw_status rw_journal_open(rw_context *ctx, const char *path, const rw_facts *facts,
                          rw_journal **out, rw_error *err);
void rw_journal_close(rw_journal *journal); /* NULL is fine */

/* The file beside it: `least` may be set before anything is read. */
rw_kept *rw_journal_kept(rw_journal *journal);

/* Seconds of work of the earlier runs. */
double rw_journal_seconds(const rw_journal *journal);

/* What the budget of the run `side` left of a scope: taken from the journal (true), or noted. */
bool rw_journal_take_cut(rw_journal *journal, const char *side, rw_scope *scope,
                         double *predicted_seconds);
rw_status rw_journal_note_cut(rw_journal *journal, const char *side, const rw_scope *scope,
                              double predicted_seconds, rw_error *err);

/* What was appended at once. */
typedef struct rw_piece {
    size_t end;    /* in the sequence */
    rw_sha256 key; /* of the sequence up to it */
} rw_piece;

/* A scorer that asks the journal first and `meter` for what is not there; what was there counts as
   done in the meter. `side` tells apart measurements that read the same tokens under different
   rotations. */
typedef struct rw_journal_scorer {
    rw_scorer scorer;
    rw_journal *journal;
    rw_meter *meter;
    rw_sha256 side, key; /* of the sequence as far as it goes */
    size_t length;       /* of the sequence */
    bool live;           /* the meter's scorer has read what came so far */
    bool keeps;          /* rows of this sequence */
    bool broken;         /* its reading failed, or was stopped */
    size_t at;           /* positions that are live */
    rw_work counted;     /* of this sequence, in the meter, without having been read */
    int32_t *tokens;     /* [count] the sequence so far, while it is not live */
    size_t count, capacity;
    rw_piece *pieces; /* [piece_count] of these tokens */
    size_t piece_count, piece_capacity;
} rw_journal_scorer;

rw_status rw_journal_scorer_init(rw_journal_scorer *out, rw_journal *journal, const char *side,
                                 rw_meter *meter, rw_error *err);
void rw_journal_scorer_free(rw_journal_scorer *scorer);

/* ---- between journal.c and journal_scorer.c ---------------------------------------------------
 */

/* The read with this key into `outputs`; false: it is not there. */
bool rw_journal_find(rw_journal *journal, const rw_sha256 *key, const rw_outputs *outputs);
/* Nothing is left to be found. */
bool rw_journal_used_up(const rw_journal *journal);
/* Appends a read. Numbers that are none are not worth remembering: such a read is left out. */
rw_status rw_journal_add(rw_journal *journal, const rw_sha256 *key, const rw_outputs *outputs,
                         rw_error *err);
rw_context *rw_journal_context(const rw_journal *journal);
/* Notes a part that was written, and lists it. */
rw_status rw_journal_add_part(rw_journal *journal, const rw_part *part, rw_error *err);

#endif
