/*
 * ggml_types.c - the block sizes of ggml's tensor types (ggml.c, type_traits), so that a tensor's
 * extent can be checked even when its numbers can't be read here.
 *
 * Q8_1 (9) is left out: it is a type of intermediate results, its size has changed over time, and
 * no file holds it. 4, 5, 31-33 and 36-38 were withdrawn.
 */
#include "checkpoint/internal.h"

static const rw_ggml_type types[] = {
    {0, "F32", 1, 4, RW_F32},
    {1, "F16", 1, 2, RW_F16},
    {2, "Q4_0", 32, 18, RW_Q4_0},
    {3, "Q4_1", 32, 20, RW_Q4_1},
    {6, "Q5_0", 32, 22, RW_DTYPE_OTHER},
    {7, "Q5_1", 32, 24, RW_DTYPE_OTHER},
    {8, "Q8_0", 32, 34, RW_Q8_0},
    {10, "Q2_K", 256, 84, RW_DTYPE_OTHER},
    {11, "Q3_K", 256, 110, RW_DTYPE_OTHER},
    {12, "Q4_K", 256, 144, RW_DTYPE_OTHER},
    {13, "Q5_K", 256, 176, RW_DTYPE_OTHER},
    {14, "Q6_K", 256, 210, RW_DTYPE_OTHER},
    {15, "Q8_K", 256, 292, RW_DTYPE_OTHER},
    {16, "IQ2_XXS", 256, 66, RW_DTYPE_OTHER},
    {17, "IQ2_XS", 256, 74, RW_DTYPE_OTHER},
    {18, "IQ3_XXS", 256, 98, RW_DTYPE_OTHER},
    {19, "IQ1_S", 256, 50, RW_DTYPE_OTHER},
    {20, "IQ4_NL", 32, 18, RW_DTYPE_OTHER},
    {21, "IQ3_S", 256, 110, RW_DTYPE_OTHER},
    {22, "IQ2_S", 256, 82, RW_DTYPE_OTHER},
    {23, "IQ4_XS", 256, 136, RW_DTYPE_OTHER},
    {24, "I8", 1, 1, RW_DTYPE_OTHER},
    {25, "I16", 1, 2, RW_DTYPE_OTHER},
    {26, "I32", 1, 4, RW_DTYPE_OTHER},
    {27, "I64", 1, 8, RW_DTYPE_OTHER},
    {28, "F64", 1, 8, RW_DTYPE_OTHER},
    {29, "IQ1_M", 256, 56, RW_DTYPE_OTHER},
    {30, "BF16", 1, 2, RW_BF16},
    {34, "TQ1_0", 256, 54, RW_DTYPE_OTHER},
    {35, "TQ2_0", 256, 66, RW_DTYPE_OTHER},
    {39, "MXFP4", 32, 17, RW_DTYPE_OTHER},
    {40, "NVFP4", 64, 36, RW_DTYPE_OTHER},
    {41, "Q1_0", 128, 18, RW_DTYPE_OTHER},
};

const rw_ggml_type *rw_ggml_type_find(uint32_t id) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}
