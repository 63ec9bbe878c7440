/*
 * avx512_dots.c - a row of x times rows of packed weights, for AVX-512: how a token is generated.
 * Every byte of W is read once, so this has to keep up with the memory.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/vector_avx512.h"

#include "backend/cpu/avx512_unpack.h"

enum {
    ROWS = 4,    /* at a time: they share x, and what ends their sums */
    BLOCKS = 16, /* whose scales are unpacked at once */
    LINE = 64
};

/* Rows have names, not indices: gcc 12 would keep an array of their sums in memory. */
typedef struct rows4 {
    const uint8_t *w0, *w1, *w2, *w3;
    __m512 s0, s1, s2, s3;
} rows4;

INLINE __m512 add_run(const rw_type512 type, const uint8_t *block, size_t run, const float *scale,
                      const float *minimum, __m512 x0, __m512 x1, __m512 sum) {
    rw_run512 w = type.unpack(block, run, scale, minimum);
    return _mm512_fmadd_ps(w.high, x1, _mm512_fmadd_ps(w.low, x0, sum));
}

INLINE void ask_for(const rows4 *r, size_t at) {
    _mm_prefetch((const char *)r->w0 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w1 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w2 + at, _MM_HINT_T1);
    _mm_prefetch((const char *)r->w3 + at, _MM_HINT_T1);
}

/* `count` blocks, whose scales are unpacked. */
INLINE rows4 add_blocks(const rw_type512 type, rows4 r, size_t count, const rw_scales512 *scales,
                        const float *x, size_t ahead) {
    for (size_t i = 0; i < count; i++) {
#pragma GCC unroll 8
        for (size_t run = 0; run < type.runs; run++, x += RW_RUN) {
            __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + LANES);
            if (type.runs > 1 ? run % 2 == 0 : type.bytes > LINE / 2 || i % 2 == 0)
                ask_for(&r, ahead + run * type.bytes / type.runs);
            r.s0 =
                add_run(type, r.w0, run, &scales[0].scale[i], &scales[0].minimum[i], x0, x1, r.s0);
            r.s1 =
                add_run(type, r.w1, run, &scales[1].scale[i], &scales[1].minimum[i], x0, x1, r.s1);
            r.s2 =
                add_run(type, r.w2, run, &scales[2].scale[i], &scales[2].minimum[i], x0, x1, r.s2);
            r.s3 =
                add_run(type, r.w3, run, &scales[3].scale[i], &scales[3].minimum[i], x0, x1, r.s3);
        }
        r.w0 += type.bytes, r.w1 += type.bytes, r.w2 += type.bytes, r.w3 += type.bytes;
    }
    return r;
}

/* Rows [row, row + apart, ...); where there are none any more, the last one again. */
INLINE rows4 start(const rw_dots *d, size_t row, size_t apart) {
    const uint8_t *w = d->weights;
    size_t last = d->rows - 1;
    const __m512 zero = _mm512_setzero_ps();
    return (rows4){w + row * d->apart,
                   w + rw_min_size(row + apart, last) * d->apart,
                   w + rw_min_size(row + 2 * apart, last) * d->apart,
                   w + rw_min_size(row + 3 * apart, last) * d->apart,
                   zero,
                   zero,
                   zero,
                   zero};
}

INLINE void dots(const rw_type512 type, const rw_dots *d) {
    const size_t most = type.runs > 1 ? 1 : BLOCKS, blocks = d->columns / RW_RUN / type.runs;
    size_t apart = rw_tiles_of(d->rows, ROWS), ahead = rw_dots_ahead(d);
    rw_scales512 scales[ROWS];
    for (size_t row = 0; row < apart; row++) {
        rows4 r = start(d, row, apart);
        const float *x = d->x;
        for (size_t left = blocks, count; left > 0; left -= count) {
            count = rw_min_size(left, most);
            if (type.scales) {
                type.scales(r.w0, count, &scales[0]);
                type.scales(r.w1, count, &scales[1]);
                type.scales(r.w2, count, &scales[2]);
                type.scales(r.w3, count, &scales[3]);
            }
            r = add_blocks(type, r, count, scales, x, ahead);
            x += count * type.runs * RW_RUN;
        }
        float sums[ROWS];
        _mm_storeu_ps(sums, v_add_quads(v_four_sums(r.s0, r.s1, r.s2, r.s3)));
        for (size_t i = 0; i < ROWS && row + i * apart < d->rows; i++)
            d->out[row + i * apart] = sums[i];
    }
    if (!type.scales)
        rw_dots_rest(d, blocks * RW_RUN);
}

TARGET void rw_avx512_dots(const rw_dots *d) {
    switch (d->element) {
    case RW_ELEMENT_F32:
        dots(rw_f32_type, d);
        break;
    case RW_ELEMENT_F16:
        dots(rw_f16_type, d);
        break;
    case RW_ELEMENT_BF16:
        dots(rw_bf16_type, d);
        break;
    case RW_ELEMENT_Q8_0:
        dots(rw_q8_0_type, d);
        break;
    case RW_ELEMENT_Q4_0:
        dots(rw_q4_0_type, d);
        break;
    case RW_ELEMENT_Q4_1:
        dots(rw_q4_1_type, d);
        break;
    case RW_ELEMENT_Q5_0:
        dots(rw_q5_0_type, d);
        break;
    case RW_ELEMENT_Q5_1:
        dots(rw_q5_1_type, d);
        break;
    case RW_ELEMENT_Q4_K:
        dots(rw_q4_k_type, d);
        break;
    case RW_ELEMENT_Q5_K:
        dots(rw_q5_k_type, d);
        break;
    case RW_ELEMENT_Q6_K:
        dots(rw_q6_k_type, d);
        break;
    default:
        break;
    }
}

#endif
