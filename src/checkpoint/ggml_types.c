/*
 * ggml_types.c - the block sizes of ggml's tensor types (ggml.c, type_traits), so that a tensor's
 * extent can be checked even when its numbers can't be read here.
 *
 * Q8_1 (9) is left out: it is a type of intermediate results, its size has changed over time, and
 * no file holds it. 4, 5, 31-33 and 36-38 were withdrawn.
 */
#include "checkpoint/internal.h"

static const rw_ggml_type types[] = {
    {"F32", 0, 1, 4, RW_F32},
    {"F16", 1, 1, 2, RW_F16},
    {"Q4_0", 2, 32, 18, RW_Q4_0},
    {"Q4_1", 3, 32, 20, RW_Q4_1},
    {"Q5_0", 6, 32, 22, RW_Q5_0},
    {"Q5_1", 7, 32, 24, RW_Q5_1},
    {"Q8_0", 8, 32, 34, RW_Q8_0},
    {"Q2_K", 10, 256, 84, RW_Q2_K},
    {"Q3_K", 11, 256, 110, RW_Q3_K},
    {"Q4_K", 12, 256, 144, RW_Q4_K},
    {"Q5_K", 13, 256, 176, RW_Q5_K},
    {"Q6_K", 14, 256, 210, RW_Q6_K},
    {"Q8_K", 15, 256, 292, RW_DTYPE_OTHER},
    {"IQ2_XXS", 16, 256, 66, RW_DTYPE_OTHER},
    {"IQ2_XS", 17, 256, 74, RW_DTYPE_OTHER},
    {"IQ3_XXS", 18, 256, 98, RW_DTYPE_OTHER},
    {"IQ1_S", 19, 256, 50, RW_DTYPE_OTHER},
    {"IQ4_NL", 20, 32, 18, RW_DTYPE_OTHER},
    {"IQ3_S", 21, 256, 110, RW_DTYPE_OTHER},
    {"IQ2_S", 22, 256, 82, RW_DTYPE_OTHER},
    {"IQ4_XS", 23, 256, 136, RW_DTYPE_OTHER},
    {"I8", 24, 1, 1, RW_DTYPE_OTHER},
    {"I16", 25, 1, 2, RW_DTYPE_OTHER},
    {"I32", 26, 1, 4, RW_DTYPE_OTHER},
    {"I64", 27, 1, 8, RW_DTYPE_OTHER},
    {"F64", 28, 1, 8, RW_DTYPE_OTHER},
    {"IQ1_M", 29, 256, 56, RW_DTYPE_OTHER},
    {"BF16", 30, 1, 2, RW_BF16},
    {"TQ1_0", 34, 256, 54, RW_DTYPE_OTHER},
    {"TQ2_0", 35, 256, 66, RW_DTYPE_OTHER},
    {"MXFP4", 39, 32, 17, RW_DTYPE_OTHER},
    {"NVFP4", 40, 64, 36, RW_DTYPE_OTHER},
    {"Q1_0", 41, 128, 18, RW_DTYPE_OTHER},
};

const rw_ggml_type *rw_ggml_type_find(uint32_t id) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}
