/*
 * identity.c - a table as 64 hex digits.
 *
 * SHA-256 over, all little endian and without padding:
 *
 *   10 bytes  "rw-table/1"
 *   u32       regime, pairing (0 half, 1 interleaved), head_dim, rotary_dim, pairs
 *   f64       ramp_low, ramp_high (NaN as 0x7ff8000000000000), attention_factor, logit_scale
 *   f64       inv_freq[0 .. pairs-1]
 *
 * The length is left out, so that a table which does not depend on it has one identity; the ramp
 * of each pair is too, since its ends and the frequencies say it. Change anything here and
 * the version in the first line must change with it: receipts carry these digests.
 */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "ropewalk/rope.h"

enum { HEADER_WORDS = 5, HEADER_DOUBLES = 4, VERSION_SIZE = 10 };

typedef struct writer {
    uint8_t bytes[VERSION_SIZE + 4 * HEADER_WORDS + 8 * (HEADER_DOUBLES + RW_ROPE_MAX_PAIRS)];
    size_t size;
} writer;

static void put_uint(writer *w, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        w->bytes[w->size++] = (uint8_t)(value >> (8 * i));
}

static void put_double(writer *w, double value) {
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    if (!isnan(value))
        memcpy(&bits, &value, sizeof bits);
    put_uint(w, bits, 8);
}

/* This room's functions take no context, and hashing wants one for its memory. */
static rw_status hash(const writer *w, char out[65], rw_error *err) {
    const rw_context_options options = {.struct_size = sizeof options, .threads = 1};
    rw_context *ctx;
    RW_TRY(rw_context_create(&options, &ctx, err));
    rw_sha256 digest;
    rw_status status =
        rw_sha256_bytes(ctx, (rw_str){(const char *)w->bytes, w->size}, &digest, err);
    rw_context_free(ctx);
    if (status == RW_OK)
        rw_sha256_hex(&digest, out);
    return status;
}

rw_status rw_rope_table_identity(const rw_rope_table *table, char out[65], rw_error *err) {
    if (table->pairs > RW_ROPE_MAX_PAIRS)
        return rw_fail(err, RW_ERR_INPUT, "rope.dims", "pairs", "a table of %u pairs is none",
                       table->pairs);
    writer w = {.size = VERSION_SIZE};
    memcpy(w.bytes, "rw-table/1", VERSION_SIZE);
    const uint32_t words[HEADER_WORDS] = {table->regime, (uint32_t)table->pairing, table->head_dim,
                                          table->rotary_dim, table->pairs};
    for (int i = 0; i < HEADER_WORDS; i++)
        put_uint(&w, words[i], 4);
    const double doubles[HEADER_DOUBLES] = {table->ramp_low, table->ramp_high,
                                            table->attention_factor, table->logit_scale};
    for (int i = 0; i < HEADER_DOUBLES; i++)
        put_double(&w, doubles[i]);
    for (uint32_t k = 0; k < table->pairs; k++)
        put_double(&w, table->inv_freq[k]);
    return hash(&w, out, err);
}
