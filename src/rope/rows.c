/*
 * rows.c - cos and sin of a run of positions.
 *
 * Error: the product position * w_k is off by half a unit in the last place of the double, w_k by
 * up to two, and a blended w_k by another 4e-16 of its unscaled frequency. The angle is thus off by
 * less than 8e-16 * position: 8e-10 rad at position 1 048 575 of the fastest pair. The C library's
 * sin and cos reduce any angle exactly and are off by under one unit of a double. An entry is
 * therefore within 1e-9 * A of the truth before its one rounding to float32 (up to 6e-8 * A). The
 * last bits of libm, which differ between builds, drown in that; a table's identity does not cover
 * the rows.
 */
#include <math.h>

#include "ropewalk/rope.h"

void rw_rope_rows(const rw_rope_table *table, uint64_t first, size_t count,
                  float *cos_rows /* [count][pairs] */, float *sin_rows /* [count][pairs] */) {
    for (size_t i = 0; i < count; i++) {
        double position = (double)(first + i);
        for (uint32_t k = 0; k < table->pairs; k++) {
            double angle = position * table->inv_freq[k];
            *cos_rows++ = (float)(table->attention_factor * cos(angle));
            *sin_rows++ = (float)(table->attention_factor * sin(angle));
        }
    }
}
