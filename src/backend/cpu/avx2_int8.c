/*
 * avx2_int8.c - int8 products with packed weights for AVX2.
 *
 * Codes of four bits times int8, two by two, are at most 2 x 15 x 127 = 3810: the eight pairs that
 * a run of 32 adds to one sum of 16 bits stay below 32768, exactly. Of five bits it may be four
 * pairs, of six bits two; codes of eight bits are split into two planes of four. The product keeps
 * 3 rows x 16 columns.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/avx2_unpack.h"

enum { LANES = 8, PANEL = 16, BLOCK = 3 };

/* ---- x --------------------------------------------------------------------------------------- */

RW_AVX2_INLINE __m256i magnitude(const float *x) {
    return _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x)), _mm256_set1_epi32(0x7fffffff));
}

RW_AVX2_INLINE float largest_of(const float *x) {
    __m256i low = _mm256_max_epu32(magnitude(x), magnitude(x + 8));
    __m256i high = _mm256_max_epu32(magnitude(x + 16), magnitude(x + 24));
    __m256i all = _mm256_max_epu32(low, high);
    __m128i half = _mm_max_epu32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(half));
}

RW_AVX2_INLINE __m256i rounded(const float *x, __m256 inverse) {
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
}

RW_AVX2 void rw_avx2_quantize(const float *x, size_t runs, int8_t *q, float *scale) {
    /* packing works within halves of a register: dwords come out in this order */
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (size_t i = 0; i < runs; i++, x += RW_RUN, q += RW_RUN) {
        float largest = largest_of(x);
        if (!(largest >= RW_QUANTIZE_LEAST && largest <= 0x1.fffffep+127f)) {
            rw_quantize_run(x, q, &scale[i]);
            continue;
        }
        const __m256 inverse = _mm256_set1_ps(127.0f / largest);
        scale[i] = largest / 127.0f;
        __m256i low = _mm256_packs_epi32(rounded(x, inverse), rounded(x + 8, inverse));
        __m256i high = _mm256_packs_epi32(rounded(x + 16, inverse), rounded(x + 24, inverse));
        __m256i all = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
        _mm256_storeu_si256((__m256i *)(void *)q, all);
    }
}

/* ---- packing --------------------------------------------------------------------------------- */

RW_AVX2_INLINE void unpack_runs(const rw_type256 type, void *user) {
    rw_int8_unpacking u = *(const rw_int8_unpacking *)user;
    for (; u.count > 0; u.count -= type.runs * RW_RUN, u.packed += type.bytes)
        for (size_t i = 0; i < type.runs; i++, u.codes += RW_RUN, u.scale += u.apart) {
            rw_run256 run = type.unpack(u.packed, i);
            _mm256_storeu_si256((__m256i *)(void *)u.codes, run.codes);
            *u.scale = _mm256_cvtss_f32(run.scale[0]);
            if (type.halves)
                *(u.scale += u.apart) = _mm256_cvtss_f32(run.scale[1]);
            if (type.minimum) {
                *u.minimum = _mm256_cvtss_f32(run.minimum);
                u.minimum += u.apart;
            }
        }
}

RW_AVX2 void rw_avx2_int8_unpack(const rw_int8_unpacking *unpacking) {
    rw_with_type256(unpacking->element, unpack_runs, (void *)unpacking);
}

RW_AVX2 static void split(uint8_t *codes, size_t bytes, uint8_t *high) {
    const __m256i low_bits = _mm256_set1_epi8(15);
    for (size_t i = 0; i < bytes; i += sizeof(__m256i)) {
        __m256i all = rw_load256(codes + i);
        _mm256_storeu_si256((__m256i *)(void *)(codes + i), _mm256_and_si256(all, low_bits));
        all = _mm256_and_si256(_mm256_srli_epi16(all, 4), low_bits);
        _mm256_storeu_si256((__m256i *)(void *)(high + i), all);
    }
}

/* ---- product --------------------------------------------------------------------------------- */

typedef struct pair {
    __m256i v0, v1;
} pair;

typedef struct pairs {
    pair r0, r1, r2;
} pairs;

typedef struct sums {
    __m256 s0, s1;
} sums;

/* What a type needs; constants where this is called. */
typedef struct form {
    size_t pairs; /* that 16 bits can hold */
    bool planes, minimum, halves;
} form;

RW_AVX2_INLINE pair add_products(pair p, const int8_t *x, __m256i w0, __m256i w1) {
    int four;
    memcpy(&four, x, sizeof four);
    __m256i q = _mm256_set1_epi32(four);
    return (pair){_mm256_add_epi16(p.v0, _mm256_maddubs_epi16(w0, q)),
                  _mm256_add_epi16(p.v1, _mm256_maddubs_epi16(w1, q))};
}

/* The sums of a step in 16 bits, two for each output. Not unrolled: gcc would add up all products
   at the end, and keep them in memory until then. */
RW_AVX2_INLINE pairs step_sums(const size_t groups, const size_t rows, const uint8_t *codes,
                               const int8_t *x, size_t stride) {
    const pair zero = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    pairs p = {zero, zero, zero};
#pragma GCC unroll 1
    for (size_t g = 0; g < groups; g++, codes += 4 * PANEL, x += 4) {
        __m256i w0 = rw_load256(codes), w1 = rw_load256(codes + 4 * LANES);
        p.r0 = add_products(p.r0, x, w0, w1);
        if (rows > 1)
            p.r1 = add_products(p.r1, x + stride, w0, w1);
        if (rows > 2)
            p.r2 = add_products(p.r2, x + 2 * stride, w0, w1);
    }
    return p;
}

RW_AVX2_INLINE pair whole(pair p) {
    const __m256i one = _mm256_set1_epi16(1);
    return (pair){_mm256_madd_epi16(p.v0, one), _mm256_madd_epi16(p.v1, one)};
}

RW_AVX2_INLINE pair join(pair low, pair high, int shift) {
    return (pair){_mm256_add_epi32(low.v0, _mm256_slli_epi32(high.v0, shift)),
                  _mm256_add_epi32(low.v1, _mm256_slli_epi32(high.v1, shift))};
}

/* A step's integers become part of a row's sums. */
RW_AVX2_INLINE sums take(const form f, sums s, pair p, const rw_int8_product *t, size_t row,
                         size_t step) {
    const float *scale = t->scale + step * PANEL, *minimum = t->minimum + step * PANEL;
    size_t run = f.halves ? step / 2 : step;
    __m256 x = _mm256_broadcast_ss(t->x.scale + row * t->x.runs + run);
    rw_int8_offset offset = t->x.offset[row * t->x.steps + step];
    if (!f.minimum) {
        __m256i integer = _mm256_set1_epi32(offset.integer);
        p.v0 = _mm256_add_epi32(p.v0, integer);
        p.v1 = _mm256_add_epi32(p.v1, integer);
    }
    __m256 s0 = _mm256_mul_ps(_mm256_loadu_ps(scale), x);
    __m256 s1 = _mm256_mul_ps(_mm256_loadu_ps(scale + LANES), x);
    s.s0 = _mm256_fmadd_ps(_mm256_cvtepi32_ps(p.v0), s0, s.s0);
    s.s1 = _mm256_fmadd_ps(_mm256_cvtepi32_ps(p.v1), s1, s.s1);
    if (f.minimum) {
        __m256 real = _mm256_set1_ps(offset.real);
        s.s0 = _mm256_fmadd_ps(_mm256_loadu_ps(minimum), real, s.s0);
        s.s1 = _mm256_fmadd_ps(_mm256_loadu_ps(minimum + LANES), real, s.s1);
    }
    return s;
}

/* One plane's sums of a step in 32 bits. */
RW_AVX2_INLINE pairs plane_integers(const form f, const size_t rows, const uint8_t *codes,
                                    const int8_t *x, size_t stride) {
    const size_t groups = f.halves ? 4 : 8;
    pairs p = step_sums(f.pairs, rows, codes, x, stride);
    p = (pairs){whole(p.r0), whole(p.r1), whole(p.r2)};
    for (size_t g = f.pairs; g < groups; g += f.pairs) {
        pairs more = step_sums(f.pairs, rows, codes + g * 4 * PANEL, x + 4 * g, stride);
        p = (pairs){join(p.r0, whole(more.r0), 0), join(p.r1, whole(more.r1), 0),
                    join(p.r2, whole(more.r2), 0)};
    }
    return p;
}

RW_AVX2_INLINE pairs step_integers(const form f, const size_t rows, const rw_int8_product *t,
                                   size_t row, size_t step) {
    size_t depth = f.halves ? RW_RUN / 2 : RW_RUN, at = step * depth * PANEL;
    const int8_t *x = t->x.q + row * t->x.columns + step * depth;
    pairs p = plane_integers(f, rows, t->codes + at, x, t->x.columns);
    if (!f.planes)
        return p;
    pairs h = plane_integers(f, rows, t->high + at, x, t->x.columns);
    return (pairs){join(p.r0, h.r0, 4), join(p.r1, h.r1, 4), join(p.r2, h.r2, 4)};
}

RW_AVX2_INLINE sums start(bool there, const rw_int8_product *t, size_t row) {
    if (!there || !t->from)
        return (sums){_mm256_setzero_ps(), _mm256_setzero_ps()};
    const float *from = t->from + row * t->from_stride;
    return (sums){_mm256_loadu_ps(from), _mm256_loadu_ps(from + LANES)};
}

RW_AVX2_INLINE void finish(bool there, sums s, const rw_int8_product *t, size_t row) {
    if (!there)
        return;
    _mm256_storeu_ps(t->c + row * t->ldc, s.s0);
    _mm256_storeu_ps(t->c + row * t->ldc + LANES, s.s1);
}

RW_AVX2_INLINE void block(const form f, const size_t rows, const rw_int8_product *t, size_t row) {
    sums s0 = start(true, t, row), s1 = start(rows > 1, t, row + 1);
    sums s2 = start(rows > 2, t, row + 2);
    for (size_t step = 0; step < t->steps; step++) {
        pairs p = step_integers(f, rows, t, row, step);
        s0 = take(f, s0, p.r0, t, row, step);
        if (rows > 1)
            s1 = take(f, s1, p.r1, t, row + 1, step);
        if (rows > 2)
            s2 = take(f, s2, p.r2, t, row + 2, step);
    }
    finish(true, s0, t, row), finish(rows > 1, s1, t, row + 1);
    finish(rows > 2, s2, t, row + 2);
}

RW_AVX2_INLINE void multiply(const form f, const rw_int8_product *t) {
    size_t row = 0;
    for (; row + BLOCK <= t->rows; row += BLOCK)
        block(f, BLOCK, t, row);
    for (; row < t->rows; row++)
        block(f, 1, t, row);
}

/* By the bits of a code, and whether a type has a zero or a minimum. */
RW_AVX2 static void multiply_4_zero(const rw_int8_product *t) {
    multiply((form){.pairs = 8}, t);
}
RW_AVX2 static void multiply_4_minimum(const rw_int8_product *t) {
    multiply((form){.pairs = 8, .minimum = true}, t);
}
RW_AVX2 static void multiply_5_zero(const rw_int8_product *t) {
    multiply((form){.pairs = 4}, t);
}
RW_AVX2 static void multiply_5_minimum(const rw_int8_product *t) {
    multiply((form){.pairs = 4, .minimum = true}, t);
}
RW_AVX2 static void multiply_6_halves(const rw_int8_product *t) {
    multiply((form){.pairs = 2, .halves = true}, t);
}
RW_AVX2 static void multiply_8_zero(const rw_int8_product *t) {
    multiply((form){.pairs = 8, .planes = true}, t);
}

static const rw_int8_multiply_fn multiply_fns[RW_ELEMENT_COUNT] = {
    [RW_ELEMENT_Q8_0] = multiply_8_zero,    [RW_ELEMENT_Q4_0] = multiply_4_zero,
    [RW_ELEMENT_Q4_1] = multiply_4_minimum, [RW_ELEMENT_Q5_0] = multiply_5_zero,
    [RW_ELEMENT_Q5_1] = multiply_5_minimum, [RW_ELEMENT_Q4_K] = multiply_4_minimum,
    [RW_ELEMENT_Q5_K] = multiply_5_minimum, [RW_ELEMENT_Q6_K] = multiply_6_halves,
};

/* ---- one row --------------------------------------------------------------------------------- */

enum { ROWS = 4 /* of W at a time, each a stream of its own: rw_dots_ahead */ };

/* Integers of a row's runs, scaled; what its minima add, in the first lane. */
typedef struct row_sums {
    __m256 sum;
    __m128 minima;
} row_sums;

/* Rows and sums have names, not indices, as in avx2_dots.c. */
typedef struct rows4 {
    const uint8_t *w0, *w1, *w2, *w3;
    row_sums s0, s1, s2, s3;
} rows4;

/* A run of x. */
typedef struct x_run {
    __m256i q;
    __m256 scale;
    const rw_int8_offset *offset;
} x_run;

/* An offset counts once: in the first lane (of each half). */
RW_AVX2_INLINE __m256i with_offset(bool halves, __m256i p, const rw_int8_offset *offset) {
    __m128i low = _mm_cvtsi32_si128(offset[0].integer);
    __m128i high = halves ? _mm_cvtsi32_si128(offset[1].integer) : _mm_setzero_si128();
    return _mm256_add_epi32(p, _mm256_set_m128i(high, low));
}

/* Codes of six bits and less: two products fit 16 bits. Of eight bits the sign moves to x, so that
   one factor is unsigned; 2 x 128 x 127 fit. */
RW_AVX2_INLINE row_sums add_run(const rw_type256 type, const uint8_t *block, size_t i, x_run x,
                                row_sums s) {
    const bool whole = type.zero == 128;
    rw_run256 run = type.unpack(block, i);
    __m256i codes = whole ? _mm256_xor_si256(run.codes, _mm256_set1_epi8(-128)) : run.codes;
    __m256i p = whole ? _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x.q, codes))
                      : _mm256_maddubs_epi16(codes, x.q);
    p = _mm256_madd_epi16(p, _mm256_set1_epi16(1));
    if (type.minimum)
        s.minima = _mm_fmadd_ss(_mm256_castps256_ps128(run.minimum), _mm_load_ss(&x.offset->real),
                                s.minima);
    else if (!whole)
        p = with_offset(type.halves, p, x.offset);
    __m256 scale = type.halves ? _mm256_blend_ps(run.scale[0], run.scale[1], 0xf0) : run.scale[0];
    s.sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(p), _mm256_mul_ps(scale, x.scale), s.sum);
    return s;
}

RW_AVX2_INLINE void ask_for(const rows4 *r, size_t at) {
    _mm_prefetch((const char *)r->w0 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w1 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w2 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w3 + at, _MM_HINT_T1);
}

/* A block of each row; x's run `at` is its first. */
RW_AVX2_INLINE rows4 add_block(const rw_type256 type, rows4 r, const rw_int8_rows *x, size_t at,
                               size_t ahead) {
    for (size_t i = 0; i < type.runs; i++, at++) {
        const x_run run = {rw_load256((const uint8_t *)x->q + at * RW_RUN),
                           _mm256_broadcast_ss(x->scale + at),
                           x->offset + (type.halves ? 2 : 1) * at};
        if (i % 2 == 0)
            ask_for(&r, ahead + i * type.bytes / type.runs);
        r.s0 = add_run(type, r.w0, i, run, r.s0);
        r.s1 = add_run(type, r.w1, i, run, r.s1);
        r.s2 = add_run(type, r.w2, i, run, r.s2);
        r.s3 = add_run(type, r.w3, i, run, r.s3);
    }
    r.w0 += type.bytes, r.w1 += type.bytes, r.w2 += type.bytes, r.w3 += type.bytes;
    return r;
}

/* Row `row` of the results, where there is one. */
RW_AVX2_INLINE void put(const rw_dots *d, size_t row, row_sums s) {
    __m128 all = _mm_add_ps(_mm256_castps256_ps128(s.sum), _mm256_extractf128_ps(s.sum, 1));
    all = _mm_add_ps(all, _mm_movehl_ps(all, all));
    all = _mm_add_ss(_mm_add_ss(all, _mm_movehdup_ps(all)), s.minima);
    if (row < d->rows)
        d->out[row] = _mm_cvtss_f32(all);
}

typedef struct int8_dots {
    const rw_dots *dots;
    const rw_int8_rows *x;
} int8_dots;

RW_AVX2_INLINE void dot_blocks(const rw_type256 type, void *user) {
    const rw_dots *d = ((const int8_dots *)user)->dots;
    const rw_int8_rows *x = ((const int8_dots *)user)->x;
    const row_sums zero = {_mm256_setzero_ps(), _mm_setzero_ps()};
    size_t apart = rw_tiles_of(d->rows, ROWS), last = d->rows - 1, ahead = rw_dots_ahead(d);
    for (size_t row = 0; row < apart; row++) {
        rows4 r = {d->weights + row * d->apart,
                   d->weights + rw_min_size(row + apart, last) * d->apart,
                   d->weights + rw_min_size(row + 2 * apart, last) * d->apart,
                   d->weights + rw_min_size(row + 3 * apart, last) * d->apart,
                   zero,
                   zero,
                   zero,
                   zero};
        for (size_t at = 0; at < d->columns / RW_RUN; at += type.runs)
            r = add_block(type, r, x, at, ahead);
        put(d, row, r.s0), put(d, row + apart, r.s1);
        put(d, row + 2 * apart, r.s2), put(d, row + 3 * apart, r.s3);
    }
}

RW_AVX2 void rw_avx2_int8_dots(const rw_dots *dots, const rw_int8_rows *x) {
    rw_with_type256(dots->element, dot_blocks, &(int8_dots){dots, x});
}

const rw_cpu_int8 rw_avx2_int8 = {
    .panel = PANEL,
    .turn = rw_avx2_turn,
    .quantize = rw_avx2_quantize,
    .unpack = rw_avx2_int8_unpack,
    .split = split,
    .multiply = multiply_fns,
    .dots = rw_avx2_int8_dots,
};

#endif
