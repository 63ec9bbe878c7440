/*
 * finite.c - does a NaN or an infinity hide among the weights? Read at the memory's speed, on all
 * threads, since every weight is looked at whenever a model is loaded.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/parallel.h"
#include "model/internal.h"

/* A tile's bytes are about this many. */
enum { TILE_BYTES = 1 << 18 };

typedef struct scan {
    const unsigned char *bytes;
    uint64_t blocks, tile; /* tile: blocks of one */
    rw_dtype type;
    uint32_t block_bytes;
    atomic_bool bad;
} scan;

static uint16_t half_at(const unsigned char *p) {
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* An exponent of all ones is an infinity or a NaN. */
static bool any_f32(const unsigned char *p, size_t count) {
    uint32_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t value;
        memcpy(&value, p + 4 * i, sizeof value);
        bad |= (value & 0x7f800000u) == 0x7f800000u;
    }
    return bad != 0;
}

static bool any_half(const unsigned char *p, size_t count, uint16_t exponent) {
    uint16_t bad = 0;
    for (size_t i = 0; i < count; i++)
        bad |= (half_at(p + 2 * i) & exponent) == exponent;
    return bad != 0;
}

enum { F16_EXPONENT = 0x7c00, BF16_EXPONENT = 0x7f80 };

/* Where a block keeps its float16 scales; what they scale is integers. */
static const struct {
    uint8_t scale, second; /* equal: there is one */
} scales[RW_DTYPE_OTHER] = {
    [RW_Q8_0] = {0, 0}, [RW_Q4_0] = {0, 0},     [RW_Q4_1] = {0, 2},     [RW_Q5_0] = {0, 0},
    [RW_Q5_1] = {0, 2}, [RW_Q2_K] = {80, 82},   [RW_Q3_K] = {108, 108}, [RW_Q4_K] = {0, 2},
    [RW_Q5_K] = {0, 2}, [RW_Q6_K] = {208, 208},
};

static bool any_scale(const unsigned char *p, size_t blocks, rw_dtype type, size_t stride) {
    unsigned bad = 0;
    for (size_t i = 0; i < blocks; i++, p += stride) {
        bad |= (half_at(p + scales[type].scale) & F16_EXPONENT) == F16_EXPONENT;
        bad |= (half_at(p + scales[type].second) & F16_EXPONENT) == F16_EXPONENT;
    }
    return bad != 0;
}

static bool any_in(const scan *s, const unsigned char *p, size_t blocks) {
    switch (s->type) {
    case RW_F32:
        return any_f32(p, blocks);
    case RW_F16:
        return any_half(p, blocks, F16_EXPONENT);
    case RW_BF16:
        return any_half(p, blocks, BF16_EXPONENT);
    default:
        return any_scale(p, blocks, s->type, s->block_bytes);
    }
}

static void scan_tile(void *user, size_t tile, unsigned worker) {
    scan *s = user;
    uint64_t first = tile * s->tile, left = s->blocks - first;
    (void)worker;
    if (any_in(s, s->bytes + first * s->block_bytes, (size_t)(left < s->tile ? left : s->tile)))
        atomic_store(&s->bad, true);
}

bool rw_weights_finite(rw_context *ctx, rw_dtype type, const void *bytes, uint64_t elements) {
    uint32_t block, block_bytes;
    rw_dtype_block(type, &block, &block_bytes);
    scan s = {.bytes = bytes,
              .blocks = elements / block,
              .tile = TILE_BYTES / block_bytes,
              .type = type,
              .block_bytes = block_bytes};
    rw_parallel_for(ctx, (size_t)((s.blocks + s.tile - 1) / s.tile), scan_tile, &s);
    return !atomic_load(&s.bad);
}
