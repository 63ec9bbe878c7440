/*
 * kept.h - the side file of a journal: the rows that a long sequence has in the cache so far, so
 * that its reading can go on in the middle.
 *
 * A header that says what the file is, then parts as a session hands them out, one behind the
 * other. Which of them count, and their hashes, stands in the journal: without it the file means
 * nothing. It goes when its sequence is read. Whatever goes wrong with it costs time, never a
 * result: a run that can't keep rows says so once and goes on without, and parts that are damaged,
 * missing or of something else are read again.
 */
#ifndef RW_MEASURE_KEPT_H
#define RW_MEASURE_KEPT_H

#include "measure/scorer.h"

/* Positions of a sequence that is worth it: shorter ones are read again in less time than rows take
   on the disk. */
enum { RW_KEEP_FROM = 16384 };

/* Rows of positions [from, to). */
typedef struct rw_part {
    char key[65]; /* of the sequence up to `to` (journal_scorer.c), as hex */
    uint64_t from, to;
    uint64_t bytes;
    char sha256[65]; /* of the bytes, as hex */
    uint64_t offset; /* in the file */
} rw_part;

typedef struct rw_kept {
    rw_context *ctx;
    const char *path; /* the caller's */
    uint64_t least;   /* positions: shorter sequences are not kept */
    int fd;           /* -1: not open */
    bool told;        /* how large the file gets */
    bool given_up;    /* it can't be written to: nothing is kept any more */
    rw_part *parts;   /* [count] those that count, in order */
    size_t count, capacity;
} rw_kept;

void rw_kept_init(rw_kept *out, rw_context *ctx, const char *path);
void rw_kept_free(rw_kept *kept); /* closes; the file stays */

/* A part behind those there are. Parts that end after it begins go first: they were read again. */
rw_status rw_kept_list(rw_kept *kept, const rw_part *part, rw_error *err);

/* Is there a file to keep rows in? Makes it if need be. */
bool rw_kept_open(rw_kept *kept);
/* Are the bytes of the part as they were written? */
rw_status rw_kept_check(rw_kept *kept, const rw_part *part, bool *sound, rw_error *err);
/* Forgets all parts but the first `count`, in the file too. */
void rw_kept_cut(rw_kept *kept, size_t count);
/* Writes what `scorer` has of positions from part->from on, behind the parts there are; fills in
   bytes and sha256. The part is not listed yet. RW_OK also when it gave up: ask `given_up`. */
rw_status rw_kept_write(rw_kept *kept, rw_part *part, rw_scorer *scorer, rw_error *err);
/* Hands a part that was checked to `scorer`. RW_ERR_IO state.cache. */
rw_status rw_kept_restore(rw_kept *kept, const rw_part *part, rw_scorer *scorer, rw_error *err);
/* The file goes, if it is ours, and so do the parts. */
void rw_kept_remove(rw_kept *kept);

#endif
