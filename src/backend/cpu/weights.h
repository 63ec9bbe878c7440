/*
 * weights.h - products with packed weights: what an instruction set adds, and how the work is cut.
 *
 * Many rows of x: a piece of W, OUTPUTS rows by DEPTH columns, is widened and turned into panels
 * (columns side by side) in the thread's scratch, where up to ROWS rows of x sweep over it: packing
 * costs a few percent of the products, and W is read once. Few rows: dot products with W's rows as
 * they lie. Everything is cut by shape alone, so that results don't depend on the thread count.
 */
#ifndef RW_BACKEND_CPU_WEIGHTS_H
#define RW_BACKEND_CPU_WEIGHTS_H

#include "backend/cpu/cpu.h"

enum {
    RW_TILE_OUTPUTS = 32, /* whole panels */
    RW_TILE_DEPTH = 320,  /* at most; a panel of this stays in the L1 */
    RW_TILE_ROWS = 512,
    RW_FEW_ROWS = 8,
    RW_STAGE_ROWS = 16,                   /* rows of W turned at a time */
    RW_STAGE_STRIDE = RW_TILE_DEPTH + 16, /* not a power of two: those share cache sets */
    RW_FEW_DEPTH = 4096                   /* of a row of W, widened at a time; whole blocks */
};

/* c[rows][columns] = from + a[rows][k] b[k][panel]; from and c (which may be the same) are read and
   written in whole RW_CPU_LANES. Each element is one chain of fused multiply-adds over k. */
typedef struct rw_product {
    size_t rows, columns, k;
    const float *a;
    size_t lda;
    const float *b;
    const float *from; /* NULL: zeros */
    size_t from_stride;
    float *c;
    size_t ldc;
} rw_product;

/* out[j] = row j of W times x, for rows `apart` bytes from each other; sums are float32, in an
   order that depends on the columns alone. */
typedef struct rw_dots {
    rw_element element;
    const uint8_t *weights;
    size_t apart, rows, columns;
    const float *x; /* [columns] */
    float *out;     /* [rows] */
} rw_dots;

typedef void (*rw_dots_fn)(const rw_dots *dots);

/* Bytes that are asked for before they are needed: as many as these rows have, since the same
   thread will want the next ones; when they are so many that the L2 would have forgotten, some
   lines. */
static inline size_t rw_dots_ahead(const rw_dots *dots) {
    size_t all = dots->rows * dots->apart;
    return all <= 96 * 1024 ? all : 2048;
}

/* Adds the columns from `done` on, fewer than 32, of plain numbers. */
void rw_dots_rest(const rw_dots *dots, size_t done);

struct rw_cpu_weights {
    size_t panel; /* divides RW_TILE_OUTPUTS; whole RW_CPU_LANES */
    /* As rw_widen. */
    void (*widen)(rw_element element, const void *packed, size_t count, float *out);
    /* to[j * panel + i] = from[i * RW_STAGE_STRIDE + j] for 16 rows i and `depth` columns j,
       rounded up to 16 */
    void (*turn)(const float *from, size_t depth, float *to, size_t panel);
    void (*multiply)(const rw_product *product);
    rw_dots_fn dots;
    const struct rw_cpu_int8 *int8;
};

extern const rw_cpu_weights rw_cpu_avx2_weights, rw_cpu_avx512_weights;
extern const rw_cpu_weights rw_cpu_avx512_vnni_weights; /* for processors that have it */
void rw_avx2_widen(rw_element element, const void *packed, size_t count, float *out);
void rw_avx2_turn(const float *from, size_t depth, float *to, size_t panel);
void rw_avx512_turn(const float *from, size_t depth, float *to, size_t panel);
void rw_avx2_dots(const rw_dots *dots);
void rw_avx512_dots(const rw_dots *dots);

/* ---- int8 ------------------------------------------------------------------------------------ */

/* Codes of W (unsigned) times x as int8, summed as integers within a step: what has one scale, a
   run of 32 or half of one. */

/* What a step of x adds to every product: -zero * sum(q), or with a minimum -scale * sum(q). */
typedef union rw_int8_offset {
    int32_t integer;
    float real;
} rw_int8_offset;

/* Rows of x. */
typedef struct rw_int8_rows {
    const int8_t *q;              /* [rows][columns] */
    const float *scale;           /* [rows][runs]    */
    const rw_int8_offset *offset; /* [rows][steps]   */
    size_t columns, runs, steps;  /* strides         */
} rw_int8_rows;

typedef struct rw_int8_product {
    size_t rows, columns, steps;
    rw_int8_rows x;
    const uint8_t *codes;         /* [depth / 4][panel][4] */
    const uint8_t *high;          /* their upper four bits, where `split` took them away */
    const float *scale, *minimum; /* [steps][panel] */
    const float *from;            /* NULL: zeros */
    size_t from_stride;
    float *c;
    size_t ldc;
} rw_int8_product;

enum {
    RW_INT8_DEPTH = 640, /* at most */
    RW_INT8_STEPS = RW_INT8_DEPTH / 16
};

typedef void (*rw_int8_multiply_fn)(const rw_int8_product *product);

/* Codes [count], scales and minima of a row; those of consecutive steps go `apart` floats apart. */
typedef struct rw_int8_unpacking {
    rw_element element;
    const uint8_t *packed;
    size_t count;
    uint8_t *codes;
    float *scale, *minimum;
    size_t apart;
} rw_int8_unpacking;

typedef struct rw_cpu_int8 {
    size_t panel; /* as in rw_cpu_weights, like `turn`: of four codes at a time */
    void (*turn)(const float *from, size_t depth, float *to, size_t panel);
    /* As rw_quantize_run, for `runs`. */
    void (*quantize)(const float *x, size_t runs, int8_t *q, float *scale);
    void (*unpack)(const rw_int8_unpacking *unpacking);
    const rw_int8_multiply_fn *multiply; /* [RW_ELEMENT_COUNT] */
    /* With `x`, one row, instead of the dots' own. */
    void (*dots)(const rw_dots *dots, const rw_int8_rows *x);
    /* Of codes of eight bits four stay, the others go to `high`; NULL: they are taken whole. */
    void (*split)(uint8_t *codes, size_t bytes, uint8_t *high);
} rw_cpu_int8;

extern const rw_cpu_int8 rw_avx2_int8, rw_avx512_int8;
void rw_avx2_int8_unpack(const rw_int8_unpacking *unpacking);
void rw_avx2_int8_dots(const rw_dots *dots, const rw_int8_rows *x);
void rw_avx2_quantize(const float *x, size_t runs, int8_t *q, float *scale);

/* ---- a tile ---------------------------------------------------------------------------------- */

const uint8_t *rw_weights_at(const rw_linear *linear, size_t row, size_t column);

/* c [rows][count] = x [rows][columns] times outputs [first, first + count) of W; at most
   RW_TILE_ROWS by RW_TILE_OUTPUTS, with one row of x any number of outputs. Above RW_FEW_ROWS rows
   c is written in whole RW_CPU_LANES. */
typedef struct rw_weights_tile {
    const rw_cpu_weights *isa;
    const rw_linear *linear;
    const float *x;
    size_t stride, rows;
    size_t first, count;
    float *c;
    size_t ldc;
    float *scratch;           /* RW_WEIGHTS_SCRATCH floats, on a cache line */
    const rw_int8_rows *int8; /* x once more; NULL: float32 arithmetic */
} rw_weights_tile;

/* Panels; rows on their way there; scales and minima; sums that are not final. */
enum {
    RW_WEIGHTS_PANELS = RW_TILE_DEPTH * RW_TILE_OUTPUTS,
    RW_WEIGHTS_STAGE = RW_STAGE_ROWS * RW_STAGE_STRIDE,
    RW_WEIGHTS_SCALES = RW_INT8_STEPS * RW_TILE_OUTPUTS * 3 / 2,
    RW_WEIGHTS_PARTIAL = RW_WEIGHTS_PANELS + RW_WEIGHTS_STAGE + RW_WEIGHTS_SCALES,
    RW_WEIGHTS_SCRATCH = RW_WEIGHTS_PARTIAL + RW_TILE_ROWS * RW_TILE_OUTPUTS
};

void rw_times_weights(const rw_weights_tile *tile);

/* ---- x as int8 (quantize.c) ------------------------------------------------------------------ */

/* Does this operation use int8? Weights of block types only. */
bool rw_is_int8(const rw_linear *linear, rw_arithmetic arithmetic);
/* Bytes for x [n][columns], whole cache lines, and its rows from `row` on in such memory. */
size_t rw_int8_bytes(const rw_linear *linear, size_t n);
rw_int8_rows rw_int8_rows_at(const rw_linear *linear, size_t n, size_t row, void *memory);
/* Rows [RW_INT8_ROWS * tile, ...) of x go there. */
enum { RW_INT8_ROWS = 16 };
void rw_int8_prepare(const rw_cpu_int8 *isa, const rw_linear *linear, const rw_view *x, size_t tile,
                     void *memory);

#endif
