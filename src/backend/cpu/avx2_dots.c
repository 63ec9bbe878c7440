/*
 * avx2_dots.c - a row of x times rows of packed weights, for AVX2, FMA and F16C: how a token is
 * generated. Every byte of W is read once, so this has to keep up with the memory.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/vector_avx2.h"

#include "backend/cpu/avx2_unpack.h"

enum { ROWS = 4 /* at a time: they share the sums of x, and what ends their own */ };

/* ---- block types ----------------------------------------------------------------------------- */

/* A row's sums: codes times x, scaled, and what its minima take away. */
typedef struct sums {
    __m256 sum, minima;
} sums;

/* Rows have names, not indices: gcc 12 would keep an array of their sums in memory. */
typedef struct rows4 {
    const uint8_t *w0, *w1, *w2, *w3;
    sums s0, s1, s2, s3;
} rows4;

INLINE sums add_run(const rw_type256 type, const uint8_t *block, size_t i, const float *x,
                    __m256 total, sums s) {
    int8_t codes[RW_RUN];
    rw_run256 run = type.unpack(block, i);
    rw_store_codes256(run.codes, type.zero, codes);
    __m256 low = _mm256_mul_ps(v_load_i8((char *)codes), v_load(x));
    __m256 high = _mm256_mul_ps(v_load_i8((char *)codes + 16), v_load(x + 16));
    low = _mm256_fmadd_ps(v_load_i8((char *)codes + 8), v_load(x + 8), low);
    high = _mm256_fmadd_ps(v_load_i8((char *)codes + 24), v_load(x + 24), high);
    if (type.halves) {
        s.sum = _mm256_fmadd_ps(run.scale[0], low, s.sum);
        s.sum = _mm256_fmadd_ps(run.scale[1], high, s.sum);
    } else {
        s.sum = _mm256_fmadd_ps(run.scale[0], _mm256_add_ps(low, high), s.sum);
    }
    if (type.minimum)
        s.minima = _mm256_fmadd_ps(run.minimum, total, s.minima);
    return s;
}

INLINE __m256 sum_of_run(const float *x) {
    return v_add(v_add(v_load(x), v_load(x + 8)), v_add(v_load(x + 16), v_load(x + 24)));
}

INLINE void ask_for(const rows4 *r, size_t at) {
    _mm_prefetch((const char *)r->w0 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w1 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w2 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w3 + at, _MM_HINT_T1);
}

INLINE rows4 add_block(const rw_type256 type, rows4 r, const float *x, size_t ahead) {
    for (size_t i = 0; i < type.runs; i++, x += RW_RUN) {
        __m256 total = type.minimum ? sum_of_run(x) : v_zero();
        if (i % 2 == 0)
            ask_for(&r, ahead + i * type.bytes / type.runs);
        r.s0 = add_run(type, r.w0, i, x, total, r.s0);
        r.s1 = add_run(type, r.w1, i, x, total, r.s1);
        r.s2 = add_run(type, r.w2, i, x, total, r.s2);
        r.s3 = add_run(type, r.w3, i, x, total, r.s3);
    }
    r.w0 += type.bytes, r.w1 += type.bytes, r.w2 += type.bytes, r.w3 += type.bytes;
    return r;
}

INLINE __m256 whole(const rw_type256 type, sums s) {
    return type.minimum ? v_sub(s.sum, s.minima) : s.sum;
}

/* Rows [row, row + apart, ...); where there are none any more, the last one again. */
INLINE rows4 start(const rw_dots *d, size_t row, size_t apart) {
    const uint8_t *w = d->weights;
    const sums zero = {v_zero(), v_zero()};
    size_t last = d->rows - 1;
    return (rows4){w + row * d->apart,
                   w + rw_min_size(row + apart, last) * d->apart,
                   w + rw_min_size(row + 2 * apart, last) * d->apart,
                   w + rw_min_size(row + 3 * apart, last) * d->apart,
                   zero,
                   zero,
                   zero,
                   zero};
}

INLINE void finish(const rw_dots *d, size_t row, size_t apart, __m256 begun) {
    float all[ROWS];
    _mm_storeu_ps(all, v_add_quads(begun));
    for (size_t i = 0; i < ROWS && row + i * apart < d->rows; i++)
        d->out[row + i * apart] = all[i];
}

INLINE void dot_blocks(const rw_type256 type, void *user) {
    const rw_dots *d = user;
    size_t apart = rw_tiles_of(d->rows, ROWS), ahead = rw_dots_ahead(d);
    for (size_t row = 0; row < apart; row++) {
        rows4 r = start(d, row, apart);
        for (size_t k = 0; k < d->columns; k += type.runs * RW_RUN)
            r = add_block(type, r, d->x + k, ahead);
        finish(d, row, apart,
               v_four_sums(whole(type, r.s0), whole(type, r.s1), whole(type, r.s2),
                           whole(type, r.s3)));
    }
}

/* ---- plain numbers --------------------------------------------------------------------------- */

INLINE __m256 load_f32(const char *at) {
    return v_load((const float *)(const void *)at);
}

INLINE rows4 add_plain(__m256 (*load)(const char *at), size_t size, rows4 r, const float *x) {
    for (size_t i = 0; i < 4; i++, x += LANES) {
        r.s0.sum = v_fma(load((const char *)r.w0 + i * LANES * size), v_load(x), r.s0.sum);
        r.s1.sum = v_fma(load((const char *)r.w1 + i * LANES * size), v_load(x), r.s1.sum);
        r.s2.sum = v_fma(load((const char *)r.w2 + i * LANES * size), v_load(x), r.s2.sum);
        r.s3.sum = v_fma(load((const char *)r.w3 + i * LANES * size), v_load(x), r.s3.sum);
    }
    r.w0 += 4 * LANES * size, r.w1 += 4 * LANES * size;
    r.w2 += 4 * LANES * size, r.w3 += 4 * LANES * size;
    return r;
}

INLINE void dot_plain(__m256 (*load)(const char *at), size_t size, const rw_dots *d) {
    size_t apart = rw_tiles_of(d->rows, ROWS), ahead = rw_dots_ahead(d);
    size_t whole = d->columns / RW_RUN * RW_RUN;
    for (size_t row = 0; row < apart; row++) {
        rows4 r = start(d, row, apart);
        for (size_t k = 0; k < whole; k += RW_RUN) {
            ask_for(&r, ahead);
            if (size == sizeof(float))
                ask_for(&r, ahead + 64);
            r = add_plain(load, size, r, d->x + k);
        }
        finish(d, row, apart, v_four_sums(r.s0.sum, r.s1.sum, r.s2.sum, r.s3.sum));
    }
    rw_dots_rest(d, whole);
}

TARGET void rw_avx2_dots(const rw_dots *dots) {
    if (dots->element == RW_ELEMENT_F32)
        dot_plain(load_f32, sizeof(float), dots);
    else if (dots->element == RW_ELEMENT_F16)
        dot_plain(v_load_f16, sizeof(uint16_t), dots);
    else if (dots->element == RW_ELEMENT_BF16)
        dot_plain(v_load_bf16, sizeof(uint16_t), dots);
    else
        rw_with_type256(dots->element, dot_blocks, (void *)dots);
}

#endif
