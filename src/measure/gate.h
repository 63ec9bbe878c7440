/*
 * gate.h - the verdict, as a pure function on scores. docs/protocols.md has the rules in words.
 *
 * Each dimension is pass, fail or undefined. Any fail fails the whole; else anything required that
 * is undefined leaves it incomplete. What was not measured is undefined, never passed over.
 */
#ifndef RW_MEASURE_GATE_H
#define RW_MEASURE_GATE_H

#include "measure/statistics.h"

typedef enum rw_verdict { RW_VERDICT_UNDEFINED, RW_VERDICT_PASS, RW_VERDICT_FAIL } rw_verdict;

typedef enum rw_dimension {
    RW_D0_EFFECT,
    RW_D1_SHORT_COST,
    RW_D2_LONG_PERPLEXITY,
    RW_D3_RETRIEVAL,
    RW_D4_PACK,
    RW_D5_DECODE,
    RW_DIMENSION_COUNT
} rw_dimension;

typedef struct rw_thresholds {
    double short_cost;     /* nats, upper bound                                */
    double gain;           /* nats, lower bound at every length                */
    double bucket_excess;  /* nats over the unextended model at its window     */
    double retrieval;      /* pooled Wilson lower bound, and worst depth       */
    double ability;        /* below it inside the native window: cannot do it  */
    double depth_gap;      /* no wider hole between depths, ends included      */
    uint64_t trials;       /* per length                                       */
    uint64_t depth_trials; /* per depth                                        */
    uint64_t firm_trials;  /* per depth; fewer are provisional                 */
    double pack;           /* accuracy of the long items                       */
    double pack_low;       /* its Wilson lower bound                           */
    double pack_drop;      /* the long items may be so much below the short    */
    double evidence_gain;  /* nats that the evidence must bring, and more      */
    uint64_t pack_items;   /* fewer in the top bin: undefined                  */
    uint64_t firm_items;   /* fewer: provisional                               */
    double decode;         /* nats, static rotations                           */
    uint64_t documents;    /* fewer: undefined                                 */
} rw_thresholds;

extern const rw_thresholds rw_default_thresholds;

/* thresholds.c: "short_cost=0.05,pack=0.9" over the defaults; NULL or "": the defaults.
   measure.threshold (RW_ERR_USAGE) names what is not understood. */
rw_status rw_thresholds_parse(const char *text, rw_thresholds *out, rw_error *err);
/* Members "thresholds", "default_thresholds", "changed_thresholds". */
void rw_thresholds_write(rw_json_writer *w, const rw_thresholds *thresholds);

/* A mean over documents. */
typedef struct rw_estimate {
    double value; /* NaN: not measured */
    rw_interval ci;
    uint64_t n;
} rw_estimate;

typedef struct rw_gain_score {
    uint64_t length;
    rw_estimate gain;
} rw_gain_score;

typedef struct rw_cell_score {
    const char *task;
    uint64_t length;
    double depth;
    uint64_t trials, correct;
} rw_cell_score;

/* Answers of a pack that count: those that are also right without the context do not. */
typedef struct rw_tally {
    uint64_t items, right;
} rw_tally;

typedef struct rw_scores {
    uint64_t native, context;
    bool depends_on_length;
    rw_estimate effect;         /* greatest |nll - nll| beyond the native window; n positions */
    rw_estimate short_cost;     /* nats, extended minus unextended, inside the native window  */
    uint64_t short_length;      /* window it was measured in                                  */
    const rw_gain_score *gains; /* [gain_count] by length */
    size_t gain_count;
    rw_estimate excess; /* worst bucket beyond the native window, over the base at it */
    uint64_t excess_from, excess_to;
    uint64_t bucket_length;              /* longest length whose buckets were seen */
    const rw_cell_score *before, *after; /* by task, length, depth */
    size_t before_count, after_count;
    bool pack_given;
    bool pack_reaches;            /* the top bin lies beyond the native window           */
    uint64_t pack_from;           /* the top bin's items are longer than this            */
    rw_tally pack_top, pack_long; /* the top bin; all beyond the native window           */
    rw_tally pack_short;          /* inside it: what the long items are compared with    */
    uint64_t pack_unread;         /* the time was up before these                        */
    rw_estimate evidence; /* nats a token that the evidence brings the long items' answers  */
    bool fast;            /* --suite fast: retrieval can be provisional at best  */
    bool waived[RW_DIMENSION_COUNT]; /* may stay undefined */
    rw_estimate decode;
} rw_scores;

enum { RW_REASON_MAX = 320 };

typedef struct rw_finding {
    rw_verdict verdict;
    bool required, provisional;
    bool waived;  /* undefined, and allowed to be */
    double value; /* NaN: none */
    rw_interval ci;
    uint64_t n;
    uint64_t need; /* so many more are needed */
    double margin; /* distance to the threshold: negative fails, 1 is as good as can be */
    char reason[RW_REASON_MAX];
} rw_finding;

/* One task at one length, all depths together. */
typedef struct rw_length_finding {
    const char *task;
    uint64_t length, trials, correct;
    double worst, worst_depth;
    rw_interval ci;
    rw_verdict verdict;
    bool provisional;
} rw_length_finding;

/* As many as a scope can hold (scope.h): none is left out of the verdict. */
enum { RW_GATE_TASKS_MAX = 8, RW_LENGTH_FINDINGS_MAX = RW_GATE_TASKS_MAX * 64 };

/* What became of one task. */
typedef struct rw_task_finding {
    const char *task;
    rw_verdict verdict;
    bool cannot;               /* not even inside the native window */
    double ability;            /* share right there, NaN: not measured */
    uint64_t effective_length; /* largest with every shorter one passing; 0: none */
} rw_task_finding;

typedef struct rw_judgement {
    rw_finding dims[RW_DIMENSION_COUNT];
    rw_verdict verdict; /* UNDEFINED: incomplete */
    rw_dimension weakest;
    bool provisional;
    bool uses_context; /* the gain at the target length is above zero */
    rw_length_finding lengths[RW_LENGTH_FINDINGS_MAX];
    size_t length_count;
    rw_task_finding tasks[RW_GATE_TASKS_MAX];
    size_t task_count;
} rw_judgement;

/* thresholds.c: "D3,pack" into flags; NULL: none. D0 can't be waived: without a proof of effect
   there is nothing to judge. measure.waiver (RW_ERR_USAGE). */
rw_status rw_waivers_parse(const char *text, bool out[RW_DIMENSION_COUNT], rw_error *err);

void rw_gate_decide(const rw_scores *scores, const rw_thresholds *thresholds, rw_judgement *out);

/* gate_retrieval.c: dimension D3 with its tables. */
void rw_gate_decide_retrieval(const rw_scores *scores, const rw_thresholds *thresholds,
                              rw_judgement *out);

const char *rw_verdict_name(rw_verdict verdict);       /* "pass", "fail", "undefined" */
const char *rw_dimension_name(rw_dimension dimension); /* "patch effective", ...      */

#endif
