/*
 * context.c - what the caller decided once, and the services that follow from it.
 */
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "base/internal.h"

/* rw_context_cancel is called from signal handlers. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "the cancel flag must be lock-free");

enum { THREADS_MAX = 1024 };

static const double progress_interval = 0.1; /* seconds */

const char *rw_version(void) {
    return RW_VERSION;
}

const char *rw_commit(void) {
#ifdef RW_COMMIT
    return RW_COMMIT;
#else
    return NULL;
#endif
}

double rw_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- what the machine has -------------------------------------------------------------------- */

static unsigned machine_threads(void) {
    long count = 0;
    /* The kernel refuses a mask shorter than its own, so widen until it is content. */
    for (int cpus = 1024; cpus <= 1 << 20 && count == 0; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        if (sched_getaffinity(0, size, set) == 0)
            count = CPU_COUNT_S(size, set);
        CPU_FREE(set);
    }
    if (count <= 0)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

/* The compiler's run-time library asks XGETBV too, so a level counts only when the operating
   system saves its registers. F16C lacks a name in clang 14: its CPUID bit is read here. */
static rw_cpu_level machine_cpu_level(void) {
#if defined(__x86_64__) || defined(__i386__)
    unsigned eax, ebx, ecx, edx;
    __builtin_cpu_init();
    bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & (1u << 29)) != 0;
    if (!f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return RW_CPU_GENERIC;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return RW_CPU_AVX512;
    return RW_CPU_AVX2;
#else
    return RW_CPU_GENERIC;
#endif
}

static rw_cpu_level resolve_cpu_level(rw_cpu_level wanted) {
    rw_cpu_level best = machine_cpu_level();
    return wanted == RW_CPU_BEST || wanted > best ? best : wanted;
}

static uint64_t random_seed(const void *salt) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)(uintptr_t)salt ^ (uint64_t)(rw_now() * 1e9);
    return seed;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* A caller built against an older or newer header has a shorter or longer struct. Fields that we
   don't know must be unset: obeying half of what was asked would be worse. */
static rw_status read_options(const rw_context_options *given, rw_context_options *out,
                              rw_error *err) {
    *out = (rw_context_options){.struct_size = sizeof *out};
    if (!given)
        return RW_OK;
    size_t size = given->struct_size;
    if (size < sizeof given->struct_size)
        return rw_fail(err, RW_ERR_USAGE, "context.struct_size", "struct_size",
                       "set struct_size to sizeof(rw_context_options)");
    for (size_t i = sizeof *out; i < size; i++)
        if (((const unsigned char *)given)[i] != 0)
            return rw_fail(err, RW_ERR_USAGE, "context.struct_size", "struct_size",
                           "an option is set that this version of the library does not know");
    memcpy(out, given, size < sizeof *out ? size : sizeof *out);
    out->struct_size = sizeof *out;
    if (out->cpu_level < RW_CPU_BEST || out->cpu_level > RW_CPU_AVX512)
        return rw_fail(err, RW_ERR_USAGE, "context.cpu_level", "cpu_level",
                       "cpu_level %d is none of the known levels", (int)out->cpu_level);
    if (out->threads > THREADS_MAX)
        return rw_fail(err, RW_ERR_USAGE, "context.threads", "threads",
                       "%u threads are more than the %d that are supported", out->threads,
                       (int)THREADS_MAX);
    return RW_OK;
}

/* The context lies in a block of its own allocator, which needs a context to be asked: a copy on
   the stack serves before there is one and after it is gone. */
rw_status rw_context_create(const rw_context_options *options, rw_context **out, rw_error *err) {
    rw_context start = {.last_progress = -1.0};
    *out = NULL;
    RW_TRY(read_options(options, &start.options, err));
    rw_context *ctx = rw_alloc(&start, sizeof *ctx);
    if (!ctx)
        return rw_fail_memory(err, "context", sizeof *ctx);
    if (start.options.threads == 0) {
        unsigned threads = machine_threads();
        start.options.threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    }
    start.options.cpu_level = resolve_cpu_level(start.options.cpu_level);
    start.hash_seed = random_seed(ctx);
    memcpy(ctx, &start, sizeof *ctx);
    atomic_init(&ctx->cancelled, 0);
    *out = ctx;
    return RW_OK;
}

void rw_context_free(rw_context *ctx) {
    if (!ctx)
        return;
    rw_pool_free(ctx);
    rw_context end = {.options = ctx->options};
    rw_free(&end, ctx);
}

/* ---- services -------------------------------------------------------------------------------- */

void rw_context_cancel(rw_context *ctx) {
    atomic_store_explicit(&ctx->cancelled, 1, memory_order_relaxed);
}

bool rw_cancelled(const rw_context *ctx) {
    return atomic_load_explicit(&ctx->cancelled, memory_order_relaxed) != 0;
}

rw_status rw_check_cancel(rw_context *ctx, rw_error *err) {
    if (!rw_cancelled(ctx))
        return RW_OK;
    return rw_fail(err, RW_ERR_CANCELLED, "context.cancelled", NULL,
                   "stopped, as the caller asked");
}

unsigned rw_context_threads(const rw_context *ctx) {
    return ctx->options.threads;
}

rw_cpu_level rw_context_cpu_level(const rw_context *ctx) {
    return ctx->options.cpu_level;
}

void rw_log(rw_context *ctx, rw_severity severity, const char *format, ...) {
    if (!ctx->options.log)
        return;
    char line[RW_ERROR_MESSAGE_MAX + RW_ERROR_WHERE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = rw_vformat(line, sizeof line, format, arguments);
    va_end(arguments);
    rw_text_clean(line, length >= (int)sizeof line);
    ctx->options.log(ctx->options.user, severity, line);
}

void rw_progress(rw_context *ctx, const char *task, uint64_t done, uint64_t total,
                 const char *unit) {
    if (!ctx->options.progress)
        return;
    double now = rw_now();
    bool finished = total != 0 && done == total;
    bool same = ctx->last_task == task && ctx->last_progress >= 0.0;
    if (same && !finished && now - ctx->last_progress < progress_interval)
        return;
    ctx->last_task = task;
    ctx->last_progress = now;
    ctx->options.progress(ctx->options.user, task, done, total, unit);
}
