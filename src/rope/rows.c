/*
 * rows.c - cos and sin of a run of positions.
 *
 * Error: the product position * w_k is off by half a unit in the last place of the double, and w_k
 * itself by up to two (the methods round two or three times), so the angle is off by less than
 * 3 * 2^-53 * angle: 3.5e-10 rad at position 1 048 575 of the fastest pair. The C library's sin and
 * cos reduce any angle exactly and are off by under one unit of a double. A table entry is
 * therefore within 3.5e-10 * A of the truth before its one rounding to float32 (6e-8 * A). Against
 * a float32 computation that is nothing, so the last bits of libm, which differ between builds, do
 * not matter here; a table's identity does not cover the rows.
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
