/*
 * context.h - what a caller decides once: allocator, log, progress, threads, CPU level, cancel.
 *
 * Every object of the library is made with a context and must be freed before it. The library
 * installs no signal handlers, reads no environment, prints nothing and never exits: talk goes to
 * the callbacks given here.
 *
 * Thread-safety: a context may be used from one thread at a time, except rw_context_cancel, which
 * any thread (and a signal handler) may call at any time. Several contexts are independent.
 */
#ifndef ROPEWALK_CONTEXT_H
#define ROPEWALK_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ropewalk/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rw_context rw_context;

typedef enum rw_severity { RW_INFO, RW_WARNING, RW_ERROR } rw_severity;

/* realloc semantics: size 0 frees; NULL pointer allocates; returns NULL when there is no memory.
   Must be thread-safe: the worker threads call it. */
typedef void *(*rw_realloc_fn)(void *user, void *pointer, size_t size);

/* One line of talk, without a newline. Called from the thread that called the library. */
typedef void (*rw_log_fn)(void *user, rw_severity severity, const char *line);

/* Long work reports here, at most some ten times a second. `done` and `total` count `unit`s
   ("tokens", "bytes"); total 0 means unknown. Called from the thread that called the library. */
typedef void (*rw_progress_fn)(void *user, const char *task, uint64_t done, uint64_t total,
                               const char *unit);

/* Highest kernel level to use; each level is checked against the reference. */
typedef enum rw_cpu_level {
    RW_CPU_BEST = 0, /* the best that processor and operating system support */
    RW_CPU_GENERIC,  /* the portable reference                               */
    RW_CPU_AVX2,
    RW_CPU_AVX512
} rw_cpu_level;

typedef struct rw_context_options {
    size_t struct_size;    /* sizeof(rw_context_options): set it; unset fields are zero */
    void *user;            /* handed to every callback                                  */
    rw_realloc_fn realloc; /* NULL: the C library's                                  */
    rw_log_fn log;         /* NULL: silence                                          */
    rw_progress_fn progress;
    unsigned threads; /* 0: as many as the process may run on                        */
    rw_cpu_level cpu_level;
} rw_context_options;

/* Makes a context; `options` may be NULL. Free with rw_context_free. */
RW_API rw_status rw_context_create(const rw_context_options *options, rw_context **out,
                                   rw_error *err);

/* NULL is fine. */
RW_API void rw_context_free(rw_context *ctx);

/* Asks running and later calls to end with RW_ERR_CANCELLED soon. Async-signal-safe. */
RW_API void rw_context_cancel(rw_context *ctx);

RW_API unsigned rw_context_threads(const rw_context *ctx);

/* Version of the library, "0.1.0". */
RW_API const char *rw_version(void);
/* The commit of the source it was configured from, "+changed" behind it when files differed; NULL
   when that was no git checkout. */
RW_API const char *rw_commit(void);

#ifdef __cplusplus
}
#endif
#endif
