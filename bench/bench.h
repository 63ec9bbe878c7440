/*
 * bench.h - what the files of the benchmark share.
 *
 * A row is one piece of work on one shape: checked, then timed by its fastest sample, since other
 * programs on the machine can only add to a time. Its floor is what the same cores reach in the
 * same run: P, float32 fused multiply-adds in registers, and R, bytes read from memory.
 */
#ifndef RW_BENCH_BENCH_H
#define RW_BENCH_BENCH_H

#include "backend/backend.h"
#include "base/json.h"

/* ---- what is asked for ----------------------------------------------------------------------- */

typedef enum bench_extent {
    BENCH_SMOKE, /* every row once and small: does it still run, and right? */
    BENCH_QUICK, /* minutes                                                  */
    BENCH_FULL   /* every shape                                              */
} bench_extent;

typedef struct bench_options {
    bench_extent extent;
    unsigned threads;
    rw_cpu_level level;
    const char *only;   /* rows whose name or shape contains this; NULL: all          */
    const char *row;    /* the row with this name and shape; NULL: all                */
    bool resume;        /* rows that the file has already are kept                    */
    bool bare;          /* neither floors nor checks: for who measures the process     */
    size_t samples;     /* of a whole model; 0: as many as the extent says             */
    const char *models; /* folder of bench/model.py's files; NULL: no rows of a model */
    const char *json;   /* file that the rows are written to after each one           */
} bench_options;

/* ---- time ------------------------------------------------------------------------------------ */

enum { BENCH_SAMPLES = 1024 };

typedef struct bench_samples {
    double seconds[BENCH_SAMPLES]; /* sorted once bench_sample returns */
    size_t count;
} bench_samples;

typedef void (*bench_fn)(void *user);

/* Runs `fn` again and again: at least `least` samples, then until `budget` seconds are over. A
   sample is as many calls as a millisecond takes; its seconds are those of one call. */
void bench_sample(bench_fn fn, void *user, size_t least, double budget, bench_samples *out);
void bench_sort(bench_samples *samples);
/* Time of the processor instead of the clock's: what one thread of a busy machine would take on a
   quiet one, about. */
void bench_use_processor_time(void);
double bench_quantile(const bench_samples *samples, double q);

/* ---- floors ---------------------------------------------------------------------------------- */

typedef struct bench_roof {
    double flops[RW_CPU_AVX512 + 1]; /* a second, by level; 0: this processor has not got it */
    double bytes;                    /* a second */
    bench_samples flop_samples[RW_CPU_AVX512 + 1], byte_samples; /* rates, not seconds */
} bench_roof;

/* Measures P and R on the context's threads, all at once. The best of what was seen before stays.
 */
void bench_measure_roof(rw_context *ctx, bench_extent extent, bench_roof *roof);

/* ---- the table ------------------------------------------------------------------------------- */

typedef struct bench_run {
    bench_options options;
    rw_context *ctx;       /* of the level and the threads that are timed */
    rw_context *reference; /* of the portable kernels                     */
    rw_backend *backend, *reference_backend;
    bench_roof roof;
    rw_buf rows;    /* JSON of the rows so far                            */
    rw_buf earlier; /* the file of an earlier run that is gone on with */
    bool failed;
} bench_run;

/* One line. Work is counted for one call. */
typedef struct bench_row {
    const char *kernel;
    char shape[96];
    const char *isa;     /* NULL: that of the run */
    double flop, bytes;  /* useful work; the floor is the larger of flop / P and bytes / R */
    double amount;       /* what `unit` counts, in one call; 0: flop or bytes in 1e9 */
    const char *unit;    /* "tokens/s"; NULL: GFLOP/s or GB/s, whichever floor it is */
    const char *failure; /* NULL: the check was passed */
    bench_samples samples;
} bench_row;

const char *bench_level_name(rw_cpu_level level);
/* Is the row wanted by --only and --row, and not there from an earlier run (--resume)? */
bool bench_wanted(bench_run *run, const char *kernel, const char *shape);
void bench_resume(bench_run *run);
void bench_print_head(const bench_run *run);
void bench_print_roof(bench_run *run);
void bench_print_row(bench_run *run, const bench_row *row);
/* Writes what is there, so that an interrupted run leaves its rows. */
void bench_write_json(bench_run *run);

/* ---- rows ------------------------------------------------------------------------------------ */

void bench_kernel_rows(bench_run *run);
void bench_model_rows(bench_run *run);

/* Says what went wrong and ends the program. */
_Noreturn void bench_die(const char *what, const rw_error *err);
void bench_must(rw_status status, const char *what, const rw_error *err);

#endif
