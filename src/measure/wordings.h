/*
 * wordings.h - what the retrieval tasks say. Data only: a wording is a row of wordings.c.
 *
 * In templates {key} stands for the name of a needle and {value} for what is to be recalled.
 */
#ifndef RW_MEASURE_WORDINGS_H
#define RW_MEASURE_WORDINGS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rw_wording {
    const char *name;     /* the result names it */
    const char *needle;   /* put into the filler */
    const char *question; /* at the end; the first value follows at once */
    const char *next;     /* between a value and the next one asked for; NULL: only one is */
} rw_wording;

typedef struct rw_task {
    const char *name;
    const rw_wording *wordings; /* [wording_count], the first is the default */
    size_t wording_count;
    unsigned asked;       /* needles asked for                                     */
    unsigned distractors; /* needles of the same form that are not asked for        */
    bool pairs_only;      /* the haystack is all needles; filler only makes it even */
    unsigned digits;      /* of a value                                             */
    unsigned copied; /* > 0: no needles; the filler says so many tokens twice, half of them asked */
} rw_task;

extern const rw_task rw_task_table[];
extern const size_t rw_task_count;

/* Names that needles go by. */
extern const char *const rw_needle_keys[];
extern const size_t rw_needle_key_count;

#endif
