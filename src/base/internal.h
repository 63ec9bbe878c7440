/*
 * internal.h - what the files of this room share and nobody else sees.
 */
#ifndef RW_BASE_INTERNAL_H
#define RW_BASE_INTERNAL_H

#include <locale.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "base/base.h"

struct rw_pool;

struct rw_context {
    rw_context_options options; /* threads and cpu_level resolved */
    atomic_int cancelled;
    struct rw_pool *pool; /* made by the first rw_parallel_for that needs it */
    double last_progress; /* rw_now() of the last report */
    const char *last_task;
    uint64_t hash_seed; /* random: keys of a hostile file can't be chosen to collide */
};

/* The "C" locale; never freed. */
locale_t rw_c_locale(void);

/* vsnprintf that no locale changes. */
int rw_vformat(char *out, size_t capacity, const char *format, va_list arguments) RW_PRINTF(3, 0);
int rw_snformat(char *out, size_t capacity, const char *format, ...) RW_PRINTF(3, 4);

/* Makes NUL-terminated text safe for a terminal in place: control characters and bytes that are
   not UTF-8 become '?'. `cut`: the text was truncated, so drop a half sequence at its end. */
void rw_text_clean(char *text, bool cut);

/* Text of an errno value, in no locale. */
const char *rw_errno_text(int number);

/* Turns the errno of an attempt to write `path` into "output.full" and so on. */
rw_status rw_fail_output(rw_error *err, const char *path, int number);

/* The same for an attempt to open `path` for reading: "file.missing" and so on. */
rw_status rw_fail_input(rw_error *err, const char *path, int number);

/* write(2) until all of it is written; 0, or an errno. */
int rw_write_all(int fd, const void *bytes, size_t size);

void rw_pool_free(rw_context *ctx);

#endif
