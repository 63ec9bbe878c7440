/*
 * avx2_linear.c - products with packed weights for AVX2, FMA and F16C: 8 lanes, 16 registers. The
 * product keeps 6 rows x 16 columns in 12 registers; two hold b, one a.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/avx2_unpack.h"

enum { LANES = 8, PANEL = 16 };

/* ---- product --------------------------------------------------------------------------------- */

/* A row's sums. Registers have names since gcc 12 stores an array of them to memory at every step;
   `there` is a constant where these are called. */
typedef struct sums {
    __m256 s0, s1;
} sums;

RW_AVX2_INLINE sums start(bool there, const rw_product *p, size_t row) {
    if (!there || !p->from)
        return (sums){_mm256_setzero_ps(), _mm256_setzero_ps()};
    const float *from = p->from + row * p->from_stride;
    return (sums){_mm256_loadu_ps(from), _mm256_loadu_ps(from + LANES)};
}

RW_AVX2_INLINE sums step(bool there, sums s, const float *a, __m256 b0, __m256 b1) {
    if (!there)
        return s;
    __m256 x = _mm256_broadcast_ss(a);
    return (sums){_mm256_fmadd_ps(x, b0, s.s0), _mm256_fmadd_ps(x, b1, s.s1)};
}

RW_AVX2_INLINE void finish(bool there, sums s, const rw_product *p, size_t row) {
    if (!there)
        return;
    _mm256_storeu_ps(p->c + row * p->ldc, s.s0);
    _mm256_storeu_ps(p->c + row * p->ldc + LANES, s.s1);
}

/* Two pointers, three rows from each: the addresses need one more register, lda. */
RW_AVX2_INLINE void block(const size_t rows, const rw_product *p, size_t row) {
    const size_t lda = p->lda;
    const float *a = p->a + row * lda, *a3 = a + 3 * lda, *b = p->b;
    sums s0 = start(rows > 0, p, row + 0), s1 = start(rows > 1, p, row + 1);
    sums s2 = start(rows > 2, p, row + 2), s3 = start(rows > 3, p, row + 3);
    sums s4 = start(rows > 4, p, row + 4), s5 = start(rows > 5, p, row + 5);
    for (size_t k = p->k; k > 0; k--, a++, a3++, b += PANEL) {
        __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + LANES);
        s0 = step(rows > 0, s0, a, b0, b1);
        s1 = step(rows > 1, s1, a + lda, b0, b1);
        s2 = step(rows > 2, s2, a + 2 * lda, b0, b1);
        s3 = step(rows > 3, s3, a3, b0, b1);
        s4 = step(rows > 4, s4, a3 + lda, b0, b1);
        s5 = step(rows > 5, s5, a3 + 2 * lda, b0, b1);
    }
    finish(rows > 0, s0, p, row + 0), finish(rows > 1, s1, p, row + 1);
    finish(rows > 2, s2, p, row + 2), finish(rows > 3, s3, p, row + 3);
    finish(rows > 4, s4, p, row + 4), finish(rows > 5, s5, p, row + 5);
}

RW_AVX2 static void block_1(const rw_product *p, size_t row) {
    block(1, p, row);
}
RW_AVX2 static void block_2(const rw_product *p, size_t row) {
    block(2, p, row);
}
RW_AVX2 static void block_3(const rw_product *p, size_t row) {
    block(3, p, row);
}
RW_AVX2 static void block_4(const rw_product *p, size_t row) {
    block(4, p, row);
}
RW_AVX2 static void block_5(const rw_product *p, size_t row) {
    block(5, p, row);
}
RW_AVX2 static void block_6(const rw_product *p, size_t row) {
    block(6, p, row);
}

static void multiply(const rw_product *p) {
    typedef void (*block_fn)(const rw_product *p, size_t row);
    static const block_fn blocks[] = {block_1, block_2, block_3, block_4, block_5, block_6};
    enum { BLOCK = sizeof blocks / sizeof blocks[0] };
    for (size_t row = 0; row < p->rows; row += BLOCK)
        blocks[rw_min_size(p->rows - row, BLOCK) - 1](p, row);
}

/* ---- turning --------------------------------------------------------------------------------- */

/* Eight rows of eight to columns, by halves of halves. */
RW_AVX2_INLINE void turn_8(const float *from, size_t stride, float *to, size_t apart) {
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_loadu_ps(from + (size_t)i * stride);
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + (size_t)i * apart, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(to + (size_t)(i + 4) * apart,
                         _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

RW_AVX2 void rw_avx2_turn(const float *from, size_t depth, float *to, size_t panel) {
    for (size_t k = 0; k < depth; k += LANES, from += LANES, to += LANES * panel) {
        turn_8(from, RW_STAGE_STRIDE, to, panel);
        turn_8(from + LANES * RW_STAGE_STRIDE, RW_STAGE_STRIDE, to + LANES, panel);
    }
}

/* ---- widening -------------------------------------------------------------------------------- */

RW_AVX2_INLINE void widen_8(const rw_type256 type, const rw_run256 *run, const int8_t *codes, int i,
                            float *out) {
    __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)(codes + LANES * i));
    __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
    value = _mm256_mul_ps(value, run->scale[i / 2]);
    if (type.minimum)
        value = _mm256_sub_ps(value, run->minimum);
    _mm256_storeu_ps(out + LANES * i, value);
}

typedef struct widening {
    const uint8_t *in;
    size_t count;
    float *out;
} widening;

RW_AVX2_INLINE void widen_runs(const rw_type256 type, void *user) {
    widening w = *(widening *)user;
    for (; w.count > 0; w.count -= type.runs * RW_RUN, w.in += type.bytes)
        for (size_t i = 0; i < type.runs; i++, w.out += RW_RUN) {
            int8_t codes[RW_RUN];
            rw_run256 run = type.unpack(w.in, i);
            rw_store_codes256(run.codes, type.zero, codes);
            widen_8(type, &run, codes, 0, w.out);
            widen_8(type, &run, codes, 1, w.out);
            widen_8(type, &run, codes, 2, w.out);
            widen_8(type, &run, codes, 3, w.out);
        }
}

RW_AVX2 static void widen_f16(const void *packed, size_t count, float *out) {
    const uint8_t *in = packed;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m128i half = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(half));
    }
    rw_widen(RW_ELEMENT_F16, in + 2 * i, count - i, out + i);
}

RW_AVX2 static void widen_bf16(const void *packed, size_t count, float *out) {
    const uint8_t *in = packed;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m128i top = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * i));
        __m256i bits = _mm256_slli_epi32(_mm256_cvtepu16_epi32(top), 16);
        _mm256_storeu_ps(out + i, _mm256_castsi256_ps(bits));
    }
    rw_widen(RW_ELEMENT_BF16, in + 2 * i, count - i, out + i);
}

RW_AVX2 void rw_avx2_widen(rw_element element, const void *packed, size_t count, float *out) {
    if (element == RW_ELEMENT_F32)
        memcpy(out, packed, count * sizeof *out);
    else if (element == RW_ELEMENT_F16)
        widen_f16(packed, count, out);
    else if (element == RW_ELEMENT_BF16)
        widen_bf16(packed, count, out);
    else
        rw_with_type256(element, widen_runs, &(widening){packed, count, out});
}

const rw_cpu_weights rw_cpu_avx2_weights = {
    .panel = PANEL,
    .widen = rw_avx2_widen,
    .turn = rw_avx2_turn,
    .multiply = multiply,
    .dots = rw_avx2_dots,
    .int8 = &rw_avx2_int8,
};

#endif
