/*
 * base.h - errors, memory, text and cancellation for every room. Knows nothing about models.
 */
#ifndef RW_BASE_BASE_H
#define RW_BASE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ropewalk/context.h"
#include "ropewalk/error.h"

/* ---- errors ------------------------------------------------------------------------------- */

/* Fills `err` (may be NULL) and returns `status`, so that callers write `return rw_fail(...)`.
   `where` may be NULL. Text that does not fit is cut at a UTF-8 boundary; control characters that
   come from files are replaced by '?', since the message may reach a terminal. */
rw_status rw_fail(rw_error *err, rw_status status, const char *code, const char *where,
                  const char *format, ...) RW_PRINTF(5, 6);

/* The same with the byte of the file that is to blame. */
rw_status rw_fail_at(rw_error *err, rw_status status, const char *code, const char *where,
                     uint64_t offset, const char *format, ...) RW_PRINTF(6, 7);

/* "out of memory" for `bytes` wanted at `where`. */
rw_status rw_fail_memory(rw_error *err, const char *where, size_t bytes);

#ifdef __clang_analyzer__
/* The analyser reads one file at a time: it shall know that these never return RW_OK. */
#define rw_fail(err, status, ...) (rw_fail((err), (status), __VA_ARGS__), (status))
#define rw_fail_at(err, status, ...) (rw_fail_at((err), (status), __VA_ARGS__), (status))
#define rw_fail_memory(err, where, bytes) (rw_fail_memory((err), (where), (bytes)), RW_ERR_MEMORY)
#endif

/* Returns from the calling function when `call` fails. For functions that own nothing yet. */
#define RW_TRY(call)                                                                               \
    do {                                                                                           \
        rw_status rw_try_status_ = (call);                                                         \
        if (rw_try_status_ != RW_OK)                                                               \
            return rw_try_status_;                                                                 \
    } while (0)

/* ---- context services ---------------------------------------------------------------------- */

/* RW_ERR_CANCELLED once rw_context_cancel was called. Ask it between pieces of work. */
rw_status rw_check_cancel(rw_context *ctx, rw_error *err);
/* The same as a plain question, for loops that have no error to fill. Any thread. */
bool rw_cancelled(const rw_context *ctx);

void rw_log(rw_context *ctx, rw_severity severity, const char *format, ...) RW_PRINTF(3, 4);

/* Passes on to the caller's progress callback, at most ten times a second (and when done==total).
 */
void rw_progress(rw_context *ctx, const char *task, uint64_t done, uint64_t total,
                 const char *unit);

rw_cpu_level rw_context_cpu_level(const rw_context *ctx); /* resolved: never RW_CPU_BEST */

/* Seconds of a monotonic clock. */
double rw_now(void);

/* ---- memory -------------------------------------------------------------------------------- */

/* Uninitialised memory from the context's allocator, 64-byte aligned; NULL when there is none.
   rw_calloc multiplies with an overflow check and zeroes. Any thread. */
void *rw_alloc(rw_context *ctx, size_t size);
void *rw_calloc(rw_context *ctx, size_t count, size_t size);
/* Grows a block of rw_alloc, contents kept. On NULL the old block is still there. */
void *rw_grow(rw_context *ctx, void *pointer, size_t old_size, size_t new_size);
void rw_free(rw_context *ctx, void *pointer); /* NULL is fine */

/* a*b and a+b in size_t; false (and *out untouched) when the result does not fit. */
bool rw_mul_size(size_t a, size_t b, size_t *out);
bool rw_add_size(size_t a, size_t b, size_t *out);

/* Many small objects with one lifetime. Zero-initialise, set ctx, free once. */
typedef struct rw_arena {
    rw_context *ctx;
    struct rw_arena_block *blocks;
    size_t used; /* of the newest block */
} rw_arena;

void *rw_arena_alloc(rw_arena *arena, size_t size); /* zeroed, 16-byte aligned; NULL: no memory */
char *rw_arena_text(rw_arena *arena, const char *bytes, size_t length); /* copy, NUL-terminated */
char *rw_arena_format(rw_arena *arena, const char *format, ...) RW_PRINTF(2, 3);
void rw_arena_free(rw_arena *arena); /* leaves it empty and usable */

/* ---- text ---------------------------------------------------------------------------------- */

/* Bytes that need not end in NUL. */
typedef struct rw_str {
    const char *data;
    size_t size;
} rw_str;

rw_str rw_str_of(const char *text); /* NULL gives an empty string */
bool rw_str_is(rw_str text, const char *literal);
bool rw_str_equal(rw_str a, rw_str b);

/* Growing bytes. Append calls do nothing after a failed allocation; ask `failed` once at the end
   (or rw_buf_status). `data` always has a NUL behind `size` bytes once anything was appended. */
typedef struct rw_buf {
    rw_context *ctx;
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
} rw_buf;

void rw_buf_append(rw_buf *buf, const void *bytes, size_t size);
void rw_buf_text(rw_buf *buf, const char *text);
void rw_buf_char(rw_buf *buf, char c);
void rw_buf_format(rw_buf *buf, const char *format, ...) RW_PRINTF(2, 3);
rw_status rw_buf_status(const rw_buf *buf, rw_error *err);
void rw_buf_free(rw_buf *buf);

/* Number text that no locale changes. `rw_format_double` writes the shortest text that reads back
   to the same double (17 digits at most), with ".0" or an exponent where JSON readers would
   otherwise see an integer when `always_float`; infinities and NaN are the caller's business. */
size_t rw_format_double(char out[32], double value, bool always_float);
/* Whole text must be a number; false otherwise. */
bool rw_parse_double(rw_str text, double *out);
bool rw_parse_u64(rw_str text, uint64_t *out);

/* Length of the valid UTF-8 sequence at text[0..size), 0 when invalid; *code_point may be NULL. */
size_t rw_utf8_decode(const char *text, size_t size, uint32_t *code_point);
size_t rw_utf8_encode(uint32_t code_point, char out[4]);
bool rw_utf8_valid(rw_str text, size_t *first_bad);

#endif
