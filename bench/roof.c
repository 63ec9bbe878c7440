/*
 * roof.c - what the cores can do at most: P, fused multiply-adds on registers alone, and R, bytes
 * read from memory. All threads at once, each between the same two barriers.
 */
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/parallel.h"
#include "bench.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- chains of multiply-adds ----------------------------------------------------------------- */

/* 12 chains a round: two units of four cycles want 8 at least, and 16 registers hold 12 and the
   factor. The sum is handed on so that nothing is left out. */
enum { CHAINS = 12 };

static float chains_generic(size_t rounds) {
    float x[CHAINS * 4], sum = 0.0f;
    for (int i = 0; i < CHAINS * 4; i++)
        x[i] = (float)i;
    for (size_t round = 0; round < rounds; round++)
        for (int i = 0; i < CHAINS * 4; i++)
            x[i] = x[i] * 0.999f + 0.5f;
    for (int i = 0; i < CHAINS * 4; i++)
        sum += x[i];
    return sum;
}

#if defined(__x86_64__)

#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

#define START(i) __m256 x##i = _mm256_set1_ps((float)i);
#define STEP(i) x##i = _mm256_fmadd_ps(x##i, factor, factor);
#define SUM(i) all = _mm256_add_ps(all, x##i);
__attribute__((target("avx2,fma"))) static float chains_avx2(size_t rounds) {
    __m256 factor = _mm256_set1_ps(0.5f), all = _mm256_setzero_ps();
    EACH_CHAIN(START)
    for (size_t round = 0; round < rounds; round++) {
        EACH_CHAIN(STEP)
    }
    EACH_CHAIN(SUM)
    return _mm256_cvtss_f32(all);
}
#undef START
#undef STEP
#undef SUM

#define START(i) __m512 x##i = _mm512_set1_ps((float)i);
#define STEP(i) x##i = _mm512_fmadd_ps(x##i, factor, factor);
#define SUM(i) all = _mm512_add_ps(all, x##i);
__attribute__((target("avx512f"))) static float chains_avx512(size_t rounds) {
    __m512 factor = _mm512_set1_ps(0.5f), all = _mm512_setzero_ps();
    EACH_CHAIN(START)
    for (size_t round = 0; round < rounds; round++) {
        EACH_CHAIN(STEP)
    }
    EACH_CHAIN(SUM)
    return _mm512_cvtss_f32(all);
}

#else

static float chains_avx2(size_t rounds) {
    return chains_generic(rounds);
}

static float chains_avx512(size_t rounds) {
    return chains_generic(rounds);
}

#endif

typedef float (*chains_fn)(size_t rounds);

static const struct {
    chains_fn chains;
    double lanes;
} widths[RW_CPU_AVX512 + 1] = {[RW_CPU_GENERIC] = {chains_generic, 4},
                               [RW_CPU_AVX2] = {chains_avx2, 8},
                               [RW_CPU_AVX512] = {chains_avx512, 16}};

/* ---- reading memory -------------------------------------------------------------------------- */

typedef uint64_t words4 __attribute__((vector_size(32)));

/* Eight streams at once: the prefetcher of a core follows each through its page, and one alone
   brings two thirds of what the memory gives. */
__attribute__((always_inline)) static inline uint64_t sum_streams(const words4 *memory,
                                                                  size_t count) {
    enum { STREAMS = 8, STEP = 8 };
    words4 sum[STEP] = {{0}};
    size_t part = count / STREAMS;
    for (size_t i = 0; i + STEP <= part; i += STEP)
        for (size_t stream = 0; stream < STREAMS; stream++)
            for (size_t j = 0; j < STEP; j++)
                sum[j] += memory[stream * part + i + j];
    for (size_t j = 1; j < STEP; j++)
        sum[0] += sum[j];
    return sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3];
}

typedef uint64_t (*read_fn)(const words4 *memory, size_t count);

static uint64_t read_generic(const words4 *memory, size_t count) {
    return sum_streams(memory, count);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t read_avx2(const words4 *memory, size_t count) {
    return sum_streams(memory, count);
}
#else
static uint64_t read_avx2(const words4 *memory, size_t count) {
    return sum_streams(memory, count);
}
#endif

/* ---- all threads at once --------------------------------------------------------------------- */

/* Samples are short, some 0.3 ms, so that many of them meet no other program on any core. */
enum { ROUNDS = 120000, PIECE = 4 << 20 /* bytes a thread */, THREADS_MAX = 1024 };

typedef struct together {
    atomic_uint arrived;
    unsigned threads;
    chains_fn chains; /* or: */
    read_fn read;
    const char *memory; /* where this sample's pieces stand */
    double began[THREADS_MAX], ended[THREADS_MAX];
    atomic_uint sink; /* results go somewhere, so that they are made */
} together;

/* A tile waits for the others inside, so each has a thread of its own. */
static void one_thread(void *user, size_t tile, unsigned worker) {
    together *t = user;
    unsigned result;
    (void)worker;
    atomic_fetch_add(&t->arrived, 1);
    while (atomic_load(&t->arrived) < t->threads)
        continue;
    t->began[tile] = rw_now();
    if (t->chains)
        result = t->chains(ROUNDS) > 0.5f;
    else
        result = (unsigned)t->read((const words4 *)(const void *)(t->memory + tile * PIECE),
                                   PIECE / sizeof(words4));
    t->ended[tile] = rw_now();
    atomic_fetch_add(&t->sink, result);
}

static double seconds_of(rw_context *ctx, together *t) {
    atomic_store(&t->arrived, 0);
    rw_parallel_for(ctx, t->threads, one_thread, t);
    double began = t->began[0], ended = t->ended[0];
    for (unsigned i = 1; i < t->threads; i++) {
        began = t->began[i] < began ? t->began[i] : began;
        ended = t->ended[i] > ended ? t->ended[i] : ended;
    }
    return ended - began;
}

/* ---- the two roofs --------------------------------------------------------------------------- */

static void take(bench_samples *samples, double rate, double *best) {
    if (samples->count < BENCH_SAMPLES)
        samples->seconds[samples->count++] = rate;
    if (rate > *best)
        *best = rate;
}

static void measure_flops(rw_context *ctx, rw_cpu_level level, size_t samples, bench_roof *roof) {
    together t = {.chains = widths[level].chains, .threads = rw_context_threads(ctx)};
    double flop = 2.0 * CHAINS * widths[level].lanes * ROUNDS * t.threads;
    roof->flop_samples[level].count = 0;
    for (size_t i = 0; i < samples; i++)
        take(&roof->flop_samples[level], flop / seconds_of(ctx, &t), &roof->flops[level]);
    bench_sort(&roof->flop_samples[level]);
}

/* Sweeps memory that no cache holds: pieces come again after all others. */
static void measure_bytes(rw_context *ctx, size_t bytes, size_t samples, bench_roof *roof) {
    together t = {.threads = rw_context_threads(ctx),
                  .read = rw_context_cpu_level(ctx) >= RW_CPU_AVX2 ? read_avx2 : read_generic};
    size_t sample = t.threads * (size_t)PIECE, sweep = bytes / sample ? bytes / sample : 1;
    bytes = sweep * sample;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_die("no memory to read", NULL);
    madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 1, bytes);
    roof->byte_samples.count = 0;
    for (size_t i = 0; i < samples; i++) {
        t.memory = memory + i % sweep * sample;
        take(&roof->byte_samples, (double)sample / seconds_of(ctx, &t), &roof->bytes);
    }
    bench_sort(&roof->byte_samples);
    munmap(memory, bytes);
}

void bench_measure_roof(rw_context *ctx, bench_extent extent, bench_roof *roof) {
    size_t samples = extent == BENCH_SMOKE ? 2 : 1000;
    if (rw_context_threads(ctx) > THREADS_MAX)
        bench_die("too many threads", NULL);
    for (rw_cpu_level level = RW_CPU_GENERIC; level <= rw_context_cpu_level(ctx); level++)
        measure_flops(ctx, level, samples, roof);
    measure_bytes(ctx, extent == BENCH_SMOKE ? 16u << 20 : 1u << 30, samples, roof);
}
