/*
 * avx512.c - the inner loops for AVX-512: 16 lanes, 32 registers.
 *
 * The product keeps 6 rows x 64 columns in 24 registers; four hold b, one a. Wide rather than tall:
 * six row pointers fit the general registers.
 */
#include "backend/cpu/attention.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/rows.h"
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { LANES = 16, BLOCK = 6, VECTORS = 4 };

/* ---- product --------------------------------------------------------------------------------- */

/* `rows` and `vectors` are constants where this is called: the conditions vanish. Registers have
   names since gcc 12 stores an array of them to memory at every step. */
#define START(r)                                                                                   \
    __m512 s##r##0 =                                                                               \
        accumulate && rows > r ? _mm512_loadu_ps(c + r * ldc + 0 * LANES) : _mm512_setzero_ps();   \
    __m512 s##r##1 = accumulate && rows > r && vectors > 1                                         \
                         ? _mm512_loadu_ps(c + r * ldc + 1 * LANES)                                \
                         : _mm512_setzero_ps();                                                    \
    __m512 s##r##2 = accumulate && rows > r && vectors > 2                                         \
                         ? _mm512_loadu_ps(c + r * ldc + 2 * LANES)                                \
                         : _mm512_setzero_ps();                                                    \
    __m512 s##r##3 = accumulate && rows > r && vectors > 3                                         \
                         ? _mm512_loadu_ps(c + r * ldc + 3 * LANES)                                \
                         : _mm512_setzero_ps();
#define STEP(r)                                                                                    \
    if (rows > r) {                                                                                \
        __m512 x = _mm512_set1_ps(a[r * lda]);                                                     \
        s##r##0 = _mm512_fmadd_ps(x, b0, s##r##0);                                                 \
        if (vectors > 1)                                                                           \
            s##r##1 = _mm512_fmadd_ps(x, b1, s##r##1);                                             \
        if (vectors > 2)                                                                           \
            s##r##2 = _mm512_fmadd_ps(x, b2, s##r##2);                                             \
        if (vectors > 3)                                                                           \
            s##r##3 = _mm512_fmadd_ps(x, b3, s##r##3);                                             \
    }
#define FINISH(r)                                                                                  \
    if (rows > r)                                                                                  \
        _mm512_storeu_ps(c + r * ldc + 0 * LANES, s##r##0);                                        \
    if (rows > r && vectors > 1)                                                                   \
        _mm512_storeu_ps(c + r * ldc + 1 * LANES, s##r##1);                                        \
    if (rows > r && vectors > 2)                                                                   \
        _mm512_storeu_ps(c + r * ldc + 2 * LANES, s##r##2);                                        \
    if (rows > r && vectors > 3)                                                                   \
        _mm512_storeu_ps(c + r * ldc + 3 * LANES, s##r##3);
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

INLINE void block(const size_t rows, const size_t vectors, size_t k, const float *a, size_t lda,
                  const float *b, size_t ldb, float *c, size_t ldc, bool accumulate) {
    EACH_ROW(START)
    for (size_t p = 0; p < k; p++, a++, b += ldb) {
        __m512 b0 = _mm512_loadu_ps(b + 0 * LANES);
        __m512 b1 = vectors > 1 ? _mm512_loadu_ps(b + 1 * LANES) : _mm512_setzero_ps();
        __m512 b2 = vectors > 2 ? _mm512_loadu_ps(b + 2 * LANES) : _mm512_setzero_ps();
        __m512 b3 = vectors > 3 ? _mm512_loadu_ps(b + 3 * LANES) : _mm512_setzero_ps();
        EACH_ROW(STEP)
    }
    EACH_ROW(FINISH)
}

typedef void (*block_fn)(size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                         size_t ldc, bool accumulate);

#define BLOCK_FN(rows, vectors)                                                                    \
    TARGET static void block_##rows##_##vectors(size_t k, const float *a, size_t lda,              \
                                                const float *b, size_t ldb, float *c, size_t ldc,  \
                                                bool accumulate) {                                 \
        block(rows, vectors, k, a, lda, b, ldb, c, ldc, accumulate);                               \
    }
#define BLOCK_FNS(rows) BLOCK_FN(rows, 1) BLOCK_FN(rows, 2) BLOCK_FN(rows, 3) BLOCK_FN(rows, 4)
#define BLOCK_ROW(rows)                                                                            \
    { block_##rows##_1, block_##rows##_2, block_##rows##_3, block_##rows##_4 }

BLOCK_FNS(1)
BLOCK_FNS(2)
BLOCK_FNS(3)
BLOCK_FNS(4)
BLOCK_FNS(5)
BLOCK_FNS(6)

static const block_fn blocks[BLOCK][VECTORS] = {BLOCK_ROW(1), BLOCK_ROW(2), BLOCK_ROW(3),
                                                BLOCK_ROW(4), BLOCK_ROW(5), BLOCK_ROW(6)};

static void multiply(size_t rows, size_t columns, size_t k, const float *a, size_t lda,
                     const float *b, size_t ldb, float *c, size_t ldc, bool accumulate) {
    for (size_t row = 0; row < rows; row += BLOCK)
        blocks[rw_min_size(rows - row, BLOCK) - 1][columns / LANES - 1](
            k, a + row * lda, lda, b, ldb, c + row * ldc, ldc, accumulate);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* As in avx2.c. */
INLINE __m512 exponential(__m512 x) {
    const __m512 low = _mm512_set1_ps(-87.0f), high = _mm512_set1_ps(88.0f);
    __mmask16 stays = _mm512_cmp_ps_mask(x, low, _CMP_NLT_UQ);
    x = _mm512_min_ps(high, _mm512_max_ps(low, x)); /* in this order NaN stays NaN */
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1.715476p+0f)),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.62e4p-1f), x); /* ln 2 in two parts */
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.7f7d1cp-20f), r);
    __m512 y = _mm512_set1_ps(1.0f / 5040.0f);
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 720.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 120.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 24.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 6.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(0.5f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
    __m512i power =
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    return _mm512_maskz_mul_ps(stays, y, _mm512_castsi512_ps(power));
}

TARGET static float row_max(const float *x, size_t n) {
    __m512 max = _mm512_loadu_ps(x);
    for (size_t i = LANES; i < n; i += LANES)
        max = _mm512_max_ps(max, _mm512_loadu_ps(x + i));
    return _mm512_reduce_max_ps(max);
}

TARGET static float exp_sum(float *x, size_t n, float max) {
    __m512 sum = _mm512_setzero_ps(), shift = _mm512_set1_ps(max);
    for (size_t i = 0; i < n; i += LANES) {
        __m512 y = exponential(_mm512_sub_ps(_mm512_loadu_ps(x + i), shift));
        _mm512_storeu_ps(x + i, y);
        sum = _mm512_add_ps(sum, y);
    }
    return _mm512_reduce_add_ps(sum);
}

TARGET static void scale(float *x, size_t n, float factor) {
    for (size_t i = 0; i < n; i += LANES)
        _mm512_storeu_ps(x + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(factor)));
}

TARGET static void gate(const float *g, const float *up, float *out, size_t n) {
    const __m512 one = _mm512_set1_ps(1.0f), sign = _mm512_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += LANES) {
        __m512 x = _mm512_loadu_ps(g + i);
        __m512 below = _mm512_add_ps(one, exponential(_mm512_xor_ps(x, sign)));
        __m512 y = _mm512_mul_ps(_mm512_div_ps(x, below), _mm512_loadu_ps(up + i));
        _mm512_storeu_ps(out + i, y);
    }
}

/* With instructions for int8 (VNNI), which came later. */
static const rw_cpu_isa avx512_vnni = {.weights = &rw_cpu_avx512_vnni_weights,
                                       .rows = &rw_avx2_rows,
                                       .attention = &rw_avx512_attention,
                                       .panel = VECTORS * LANES,
                                       .multiply = multiply,
                                       .row_max = row_max,
                                       .exp_sum = exp_sum,
                                       .scale = scale,
                                       .gate = gate};

static const rw_cpu_isa avx512 = {.weights = &rw_cpu_avx512_weights,
                                  .rows = &rw_avx2_rows,
                                  .attention = &rw_avx512_attention,
                                  .panel = VECTORS * LANES,
                                  .multiply = multiply,
                                  .row_max = row_max,
                                  .exp_sum = exp_sum,
                                  .scale = scale,
                                  .gate = gate};

void rw_cpu_avx512(rw_cpu_kernels *kernels) {
    rw_cpu_tiled(kernels, __builtin_cpu_supports("avx512vnni") ? &avx512_vnni : &avx512);
}

#else

void rw_cpu_avx512(rw_cpu_kernels *kernels) {
    (void)kernels;
}

#endif
