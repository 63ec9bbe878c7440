/*
 * operations.c - the rows of single kernels, on the shapes of SmolLM2-135M and of a larger model.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scene.h"

static bench_scene scene; /* too large for a stack */

/* ---- one row --------------------------------------------------------------------------------- */

/* Rounding differs by the order of sums; int8 rounds what is multiplied. */
static const double tolerance_f32 = 1e-4, tolerance_int8 = 5e-2;

static void finish(bench_run *run, bench_row *row, double tolerance) {
    bool full = run->options.extent == BENCH_FULL, smoke = run->options.extent == BENCH_SMOKE;
    row->failure = scene_check(&scene, tolerance);
    if (!row->failure)
        bench_sample(scene_step, &scene, smoke ? 1 : 8,
                     smoke  ? 0.0
                     : full ? 1.0
                            : 0.4,
                     &row->samples);
    bench_print_row(run, row);
    scene_close(&scene);
}

/* Copies of operands that make the caches forget: 256 MiB of them. */
static size_t copies_of(const bench_run *run, size_t bytes) {
    size_t wanted = run->options.extent == BENCH_SMOKE ? 2 : (256u << 20) / bytes + 1;
    return wanted < SCENE_OPS ? wanted : SCENE_OPS;
}

static size_t sized(const bench_run *run, size_t n, size_t smoke) {
    return run->options.extent == BENCH_SMOKE ? smoke : n;
}

/* ---- linear ---------------------------------------------------------------------------------- */

typedef struct linear_case {
    rw_element element;
    rw_arithmetic arithmetic;
    bench_extent extent;
} linear_case;

#define F32 RW_ARITHMETIC_F32
#define INT8 RW_ARITHMETIC_INT8

static const linear_case linear_cases[] = {
    {RW_ELEMENT_F32, F32, BENCH_FULL},   {RW_ELEMENT_F16, F32, BENCH_QUICK},
    {RW_ELEMENT_BF16, F32, BENCH_FULL},  {RW_ELEMENT_Q8_0, F32, BENCH_QUICK},
    {RW_ELEMENT_Q4_0, F32, BENCH_FULL},  {RW_ELEMENT_Q4_1, F32, BENCH_QUICK},
    {RW_ELEMENT_Q5_0, F32, BENCH_FULL},  {RW_ELEMENT_Q5_1, F32, BENCH_FULL},
    {RW_ELEMENT_Q4_K, F32, BENCH_FULL},  {RW_ELEMENT_Q5_K, F32, BENCH_FULL},
    {RW_ELEMENT_Q6_K, F32, BENCH_FULL},  {RW_ELEMENT_Q8_0, INT8, BENCH_QUICK},
    {RW_ELEMENT_Q4_0, INT8, BENCH_FULL}, {RW_ELEMENT_Q4_1, INT8, BENCH_QUICK},
    {RW_ELEMENT_Q5_0, INT8, BENCH_FULL}, {RW_ELEMENT_Q5_1, INT8, BENCH_FULL},
    {RW_ELEMENT_Q4_K, INT8, BENCH_FULL}, {RW_ELEMENT_Q5_K, INT8, BENCH_FULL},
    {RW_ELEMENT_Q6_K, INT8, BENCH_FULL},
};

/* K-quants want whole blocks of 256. */
static size_t columns_for(rw_element element, size_t columns) {
    size_t block = rw_element_block(element).elements;
    return (columns + block - 1) / block * block;
}

static void linear_row(bench_run *run, const linear_case *c, size_t n, size_t rows,
                       size_t columns) {
    columns = columns_for(c->element, columns);
    size_t weights = rw_element_bytes(c->element, rows * columns);
    size_t copies = n == 1 ? copies_of(run, weights) : 1;
    bench_row row = {.kernel = n == 1 ? "linear, one row" : "linear",
                     .flop = 2.0 * (double)n * (double)rows * (double)columns,
                     .bytes = (double)weights};
    snprintf(row.shape, sizeof row.shape, "%zu x %zu -> %zu, %s%s", n, columns, rows,
             scene_element_name(c->element), c->arithmetic == INT8 ? ", int8" : "");
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    scene_open(&scene, run);
    scene_linears(&scene, c->element, copies, rows, columns);
    rw_op op = {.kind = RW_OP_LINEAR,
                .u.linear = {.x = scene_random(&scene, n, 1, columns),
                             .out = scene_tensor(&scene, RW_ELEMENT_F32, n, 1, rows),
                             .arithmetic = c->arithmetic}};
    for (scene.op_count = 0; scene.op_count < copies; scene.op_count++) {
        op.u.linear.linear = &scene.linears[scene.op_count];
        scene.ops[scene.op_count] = op;
    }
    finish(run, &row, c->arithmetic == INT8 ? tolerance_int8 : tolerance_f32);
}

static void linear_rows(bench_run *run) {
    size_t n = sized(run, 512, 19), rows = sized(run, 1536, 96);
    for (int one = 0; one < 2; one++)
        for (size_t i = 0; i < sizeof linear_cases / sizeof *linear_cases; i++) {
            bool smoke = run->options.extent == BENCH_SMOKE;
            if (smoke || linear_cases[i].extent <= run->options.extent)
                linear_row(run, &linear_cases[i], one ? 1 : n, rows, 576);
        }
    if (run->options.extent == BENCH_FULL)
        linear_row(run, &(linear_case){RW_ELEMENT_F16, F32, BENCH_FULL}, n, 576, 1536);
}

/* ---- attention ------------------------------------------------------------------------------- */

typedef struct attention_case {
    size_t keys;
    size_t heads, kv_heads, dim;
    rw_element element; /* of keys and values */
    bench_extent extent;
} attention_case;

static const attention_case prefill_cases[] = {
    {512, 9, 3, 64, RW_ELEMENT_F16, BENCH_QUICK},   {8192, 9, 3, 64, RW_ELEMENT_F16, BENCH_QUICK},
    {32768, 9, 3, 64, RW_ELEMENT_F16, BENCH_QUICK}, {8192, 9, 3, 64, RW_ELEMENT_F32, BENCH_FULL},
    {8192, 9, 3, 64, RW_ELEMENT_BF16, BENCH_FULL},  {8192, 9, 3, 64, RW_ELEMENT_Q8_0, BENCH_QUICK},
    {512, 32, 8, 128, RW_ELEMENT_F16, BENCH_FULL},  {8192, 32, 8, 128, RW_ELEMENT_F16, BENCH_QUICK},
    {32768, 32, 8, 128, RW_ELEMENT_F16, BENCH_FULL}};

static const attention_case decode_cases[] = {
    {512, 9, 3, 64, RW_ELEMENT_F16, BENCH_FULL},    {8192, 9, 3, 64, RW_ELEMENT_F32, BENCH_FULL},
    {8192, 9, 3, 64, RW_ELEMENT_F16, BENCH_QUICK},  {8192, 9, 3, 64, RW_ELEMENT_BF16, BENCH_FULL},
    {8192, 9, 3, 64, RW_ELEMENT_Q8_0, BENCH_QUICK}, {32768, 9, 3, 64, RW_ELEMENT_F32, BENCH_FULL},
    {32768, 9, 3, 64, RW_ELEMENT_F16, BENCH_QUICK}, {32768, 9, 3, 64, RW_ELEMENT_BF16, BENCH_FULL},
    {32768, 9, 3, 64, RW_ELEMENT_Q8_0, BENCH_FULL}, {8192, 32, 8, 128, RW_ELEMENT_F16, BENCH_FULL}};

/* The last `n` positions of `keys`: a chunk of a prompt, or the token that is made. */
static void attention_row(bench_run *run, const attention_case *c, size_t n) {
    size_t keys = sized(run, c->keys, 150), width = c->kv_heads * c->dim;
    n = n < keys ? n : keys;
    double seen = (double)n * ((double)keys - (double)(n - 1) / 2.0);
    size_t bytes = 2 * rw_element_bytes(c->element, keys * width);
    size_t copies = n == 1 ? copies_of(run, bytes) : 1;
    bench_row row = {.kernel = n == 1 ? "attention, one row" : "attention",
                     .flop = 4.0 * seen * (double)(c->heads * c->dim),
                     .bytes = (double)bytes};
    snprintf(row.shape, sizeof row.shape, "%zu of %zu, %zu/%zu heads of %zu, %s", n, keys, c->heads,
             c->kv_heads, c->dim, scene_element_name(c->element));
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    scene_open(&scene, run);
    rw_view k = scene_cache(&scene, c->element, copies, keys, c->kv_heads, c->dim);
    rw_view v = scene_cache(&scene, c->element, copies, keys, c->kv_heads, c->dim);
    rw_op op = {.kind = RW_OP_ATTENTION,
                .u.attention = {.q = scene_random(&scene, n, c->heads, c->dim),
                                .out = scene_tensor(&scene, RW_ELEMENT_F32, n, c->heads, c->dim),
                                .q_first = (int64_t)(keys - n),
                                .mask = RW_MASK_CAUSAL,
                                .scale = 1.0f / sqrtf((float)c->dim)}};
    for (scene.op_count = 0; scene.op_count < copies; scene.op_count++) {
        op.u.attention.k = rw_view_rows(k, scene.op_count * keys, keys);
        op.u.attention.v = rw_view_rows(v, scene.op_count * keys, keys);
        scene.ops[scene.op_count] = op;
    }
    finish(run, &row, tolerance_f32);
}

static void attention_rows(bench_run *run) {
    bool smoke = run->options.extent == BENCH_SMOKE;
    for (size_t i = 0; i < sizeof prefill_cases / sizeof *prefill_cases; i++)
        if (smoke || prefill_cases[i].extent <= run->options.extent)
            attention_row(run, &prefill_cases[i], sized(run, 512, 37));
    for (size_t i = 0; i < sizeof decode_cases / sizeof *decode_cases; i++)
        if (smoke || decode_cases[i].extent <= run->options.extent)
            attention_row(run, &decode_cases[i], 1);
}

/* ---- what reads and writes ------------------------------------------------------------------- */

enum { HIDDEN = 576, HEADS = 9, HEAD_DIM = 64, FFN = 1536, VOCABULARY = 49152, WIDE = 65536 };

static bench_row stream_row(const char *kernel, size_t n, size_t width) {
    bench_row row = {.kernel = kernel};
    snprintf(row.shape, sizeof row.shape, "%zu x %zu, float32", n, width);
    return row;
}

/* `floats` go through memory. */
static void finish_stream(bench_run *run, bench_row *row, const rw_op *op, double floats) {
    row->bytes = floats * sizeof(float);
    scene.ops[0] = *op;
    scene.op_count = 1;
    finish(run, row, tolerance_f32);
}

static void norm_row(bench_run *run) {
    size_t n = sized(run, WIDE, 40);
    bench_row row = stream_row("norm", n, HIDDEN);
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    scene_open(&scene, run);
    rw_op op = {.kind = RW_OP_RMS_NORM,
                .u.rms_norm = {.x = scene_random(&scene, n, 1, HIDDEN),
                               .weight = scene_random(&scene, 1, 1, HIDDEN),
                               .out = scene_tensor(&scene, RW_ELEMENT_F32, n, 1, HIDDEN),
                               .eps = 1e-5f}};
    finish_stream(run, &row, &op, 2.0 * (double)n * HIDDEN);
}

static void rotate_row(bench_run *run) {
    size_t n = sized(run, WIDE, 40);
    bench_row row = stream_row("rotate", n, HEADS * HEAD_DIM);
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    scene_open(&scene, run);
    rw_op op = {.kind = RW_OP_ROTATE,
                .u.rotate = {.x = scene_random(&scene, n, HEADS, HEAD_DIM),
                             .cos = scene_random(&scene, n, 1, HEAD_DIM / 2),
                             .sin = scene_random(&scene, n, 1, HEAD_DIM / 2)}};
    /* true angles: repeated turns must not grow or shrink to subnormals */
    float *c = op.u.rotate.cos.buffer->handle, *s = op.u.rotate.sin.buffer->handle;
    for (size_t i = 0; i < n * HEAD_DIM / 2; i++)
        s[i] = sqrtf(fmaxf(0.0f, 1.0f - c[i] * c[i]));
    finish_stream(run, &row, &op, (double)n * (2.0 * HEADS * HEAD_DIM + HEAD_DIM));
}

static void gate_row(bench_run *run) {
    size_t n = sized(run, WIDE / 2, 40);
    bench_row row = stream_row("gate", n, FFN);
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    scene_open(&scene, run);
    rw_op op = {.kind = RW_OP_GATE,
                .u.gate = {.kind = RW_GATE_SILU,
                           .gate = scene_random(&scene, n, 1, FFN),
                           .up = scene_random(&scene, n, 1, FFN),
                           .out = scene_tensor(&scene, RW_ELEMENT_F32, n, 1, FFN)}};
    finish_stream(run, &row, &op, 3.0 * (double)n * FFN);
}

static void add_row(bench_run *run) {
    size_t n = sized(run, WIDE, 40);
    bench_row row = stream_row("add", n, HIDDEN);
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    scene_open(&scene, run);
    rw_op op = {.kind = RW_OP_ADD,
                .u.add = {.x = scene_random(&scene, n, 1, HIDDEN),
                          .y = scene_random(&scene, n, 1, HIDDEN)}};
    finish_stream(run, &row, &op, 3.0 * (double)n * HIDDEN);
}

/* ---- vocabulary ------------------------------------------------------------------------------ */

static void loss_row(bench_run *run, rw_element element, rw_arithmetic arithmetic) {
    size_t n = sized(run, 512, 20), vocabulary = sized(run, VOCABULARY, 1000);
    bench_row row = {.kernel = "loss",
                     .flop = 2.0 * (double)n * (double)vocabulary * HIDDEN,
                     .bytes = (double)rw_element_bytes(element, vocabulary * HIDDEN)};
    snprintf(row.shape, sizeof row.shape, "%zu x %d -> %zu, %s%s", n, HIDDEN, vocabulary,
             scene_element_name(element), arithmetic == INT8 ? ", int8" : "");
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    scene_open(&scene, run);
    scene_linears(&scene, element, 1, vocabulary, HIDDEN);
    scene.ops[0] = (rw_op){.kind = RW_OP_LOSS,
                           .u.loss = {.linear = &scene.linears[0],
                                      .x = scene_random(&scene, n, 1, HIDDEN),
                                      .target = scene_numbers(&scene, n, vocabulary),
                                      .nll = scene_tensor(&scene, RW_ELEMENT_F64, n, 1, 1),
                                      .arithmetic = arithmetic}};
    scene.op_count = 1;
    finish(run, &row, arithmetic == INT8 ? tolerance_int8 : tolerance_f32);
}

void bench_kernel_rows(bench_run *run) {
    linear_rows(run);
    attention_rows(run);
    rotate_row(run);
    norm_row(run);
    gate_row(run);
    add_row(run);
    loss_row(run, RW_ELEMENT_F16, F32);
    if (run->options.extent != BENCH_QUICK)
        loss_row(run, RW_ELEMENT_Q8_0, INT8);
}
