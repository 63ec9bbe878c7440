/*
 * Products with packed weights, of every type and at every level of the ladder, against float64
 * over what the checkpoint room reads from the same bytes (other code than the backend's). The
 * bounds are those of error analysis, not guesses. Outputs and scratch are poisoned first, the
 * memory around an output is watched, weights begin at any byte and end where their memory ends.
 * A failure prints seed and shape.
 */
#include <float.h>
#include <math.h>

#include "backend/backend.h"
#include "backend/cpu/unpack.h"
#include "checkpoint/checkpoint.h"
#include "random_support.h"
#include "support.h"

static size_t one_of(const size_t *values, size_t count) {
    return values[next_random() % count];
}

static float unit(void) {
    return ordinary(1.0f);
}

/* ---- types ----------------------------------------------------------------------------------- */

/* Where a block keeps its float16 scales: any other byte may be anything. */
typedef struct type_row {
    const char *name;
    rw_element element;
    rw_dtype dtype;
    int scales, at[2];
} type_row;

static const type_row types[] = {
    {"F32", RW_ELEMENT_F32, RW_F32, 0, {0}},       {"F16", RW_ELEMENT_F16, RW_F16, 0, {0}},
    {"BF16", RW_ELEMENT_BF16, RW_BF16, 0, {0}},    {"Q8_0", RW_ELEMENT_Q8_0, RW_Q8_0, 1, {0}},
    {"Q4_0", RW_ELEMENT_Q4_0, RW_Q4_0, 1, {0}},    {"Q4_1", RW_ELEMENT_Q4_1, RW_Q4_1, 2, {0, 2}},
    {"Q5_0", RW_ELEMENT_Q5_0, RW_Q5_0, 1, {0}},    {"Q5_1", RW_ELEMENT_Q5_1, RW_Q5_1, 2, {0, 2}},
    {"Q4_K", RW_ELEMENT_Q4_K, RW_Q4_K, 2, {0, 2}}, {"Q5_K", RW_ELEMENT_Q5_K, RW_Q5_K, 2, {0, 2}},
    {"Q6_K", RW_ELEMENT_Q6_K, RW_Q6_K, 1, {208}},
};
enum { TYPES = sizeof types / sizeof types[0] };

/* Zero of both signs, subnormal, ordinary of both signs, large; never above 2^5. */
static uint16_t random_half(void) {
    static const uint16_t odd[] = {0, 0x8000, 1, 0x8123, 0x03ff, 0x5000};
    return next_random() % 6 ? (uint16_t)(0x2000 | (next_random() & 0x9bff))
                             : odd[next_random() % 6];
}

static void random_number(const type_row *type, uint8_t *out) {
    static const float odd[] = {0.0f, -0.0f, 1e-41f, -1e-45f, 0x1p-126f, 1e-30f};
    float value = next_random() % 8 ? unit() : odd[next_random() % 6];
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t half = type->element == RW_ELEMENT_F16 ? random_half() : (uint16_t)(bits >> 16);
    if (type->element == RW_ELEMENT_F32)
        memcpy(out, &bits, sizeof bits);
    else
        memcpy(out, &half, sizeof half);
}

static void random_block(const type_row *type, uint8_t *out) {
    size_t bytes = rw_element_block(type->element).bytes;
    if (type->scales == 0) {
        random_number(type, out);
        return;
    }
    uint8_t same = next_random() % 8 ? 0 : (uint8_t)next_random(); /* now and then all alike */
    for (size_t i = 0; i < bytes; i++)
        out[i] = same ? same : (uint8_t)next_random();
    for (int i = 0; i < type->scales; i++) {
        uint16_t half = random_half();
        memcpy(out + type->at[i], &half, sizeof half);
    }
    if (next_random() % 16 == 0)
        memset(out, 0, bytes);
}

/* ---- a case ---------------------------------------------------------------------------------- */

enum { MARGIN = 64 };

typedef struct product_case {
    const type_row *type;
    size_t n, rows, columns;
    size_t x_stride, out_stride;
    uint8_t *weights; /* at any byte, and nothing behind it */
    void *weights_memory;
    float *wide; /* [rows][columns] as the checkpoint room reads them */
    float *x;    /* [n][x_stride] */
    float *bias; /* [rows], or NULL */
    float *out, *memory;
    size_t out_count;
} product_case;

static char *describe(const product_case *c, const char *level, const char *what) {
    static char text[200];
    snprintf(text, sizeof text, "seed %llu, %s, %s %s, n=%zu rows=%zu columns=%zu",
             (unsigned long long)seed_now, level, what, c->type->name, c->n, c->rows, c->columns);
    return text;
}

static void make_weights(product_case *c) {
    rw_block block = rw_element_block(c->type->element);
    size_t blocks = c->rows * c->columns / block.elements, shift = between(0, 7);
    c->weights_memory = malloc(blocks * block.bytes + shift);
    c->weights = (uint8_t *)c->weights_memory + shift;
    for (size_t i = 0; i < blocks; i++)
        random_block(c->type, c->weights + i * block.bytes);
    c->wide = malloc(c->rows * c->columns * sizeof *c->wide);
    rw_dtype_to_f32(c->type->dtype, c->weights, c->wide, c->rows * c->columns);
}

static float random_x(float size) {
    static const float odd[] = {0.0f, -0.0f, 1e-41f, -1e-45f, 0x1p-126f, 1e-30f};
    return next_random() % 8 ? unit() * size : odd[next_random() % 6];
}

static product_case make_case(const type_row *type, size_t n, size_t rows, size_t columns) {
    size_t block = rw_element_block(type->element).elements;
    columns = (columns + block - 1) / block * block;
    product_case c = {.type = type, .n = n, .rows = rows, .columns = columns};
    c.x_stride = columns + between(0, 3);
    c.out_stride = rows + between(0, 3);
    make_weights(&c);
    c.x = malloc(n * c.x_stride * sizeof *c.x);
    float size = next_random() % 3 ? 1.0f : 1e4f;
    for (size_t i = 0; i < n * c.x_stride; i++)
        c.x[i] = random_x(i / 32 % 5 == 4 ? 100.0f * size : size); /* channels that stand out */
    if (next_random() % 4 == 0)
        memset(c.x, 0, n * c.x_stride / 2 * sizeof *c.x); /* blocks of zeros */
    if (next_random() % 2) {
        c.bias = malloc(rows * sizeof *c.bias);
        for (size_t i = 0; i < rows; i++)
            c.bias[i] = unit();
    }
    c.out_count = n * c.out_stride + 2 * MARGIN;
    c.memory = malloc(c.out_count * sizeof *c.memory);
    c.out = c.memory + MARGIN;
    return c;
}

static void free_case(product_case *c) {
    free(c->weights_memory), free(c->wide), free(c->x), free(c->bias), free(c->memory);
}

/* ---- a backend ------------------------------------------------------------------------------- */

static const char *const level_names[] = {"best", "generic", "avx2", "avx512"};

typedef struct device {
    rw_context *ctx;
    rw_backend *backend;
    const char *level;
} device;

static bool open_device(device *d, rw_cpu_level level, unsigned threads) {
    rw_error err = {0};
    rw_context_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    assert_ok(rw_context_create(&options, &d->ctx, &err));
    assert_ok(rw_cpu_backend_create(d->ctx, &d->backend, &err));
    d->level = level_names[level];
    return rw_context_cpu_level(d->ctx) == level;
}

static void close_device(device *d) {
    d->backend->ops->destroy(d->backend);
    rw_context_free(d->ctx);
}

static void run(device *d, const rw_op *op) {
    rw_error err = {0};
    rw_buffer workspace = {0};
    const rw_backend_ops *ops = d->backend->ops;
    size_t bytes = ops->workspace_bytes(d->backend, op);
    assert_true(ops->supports(d->backend, op));
    assert_ok(ops->buffer_create(d->backend, bytes, "workspace", &workspace, &err));
    memset(workspace.handle, 0x7f, bytes); /* scratch must be written before it is read */
    assert_ok(ops->enqueue(d->backend, op, &workspace, &err));
    ops->buffer_destroy(d->backend, &workspace);
}

/* Every level that this processor has. */
static void each_level(void (*test)(device *d)) {
    for (rw_cpu_level level = RW_CPU_GENERIC; level <= RW_CPU_AVX512; level++) {
        device d;
        if (open_device(&d, level, 2))
            test(&d);
        else
            print_message("skipped: this processor has no %s\n", level_names[level]);
        close_device(&d);
    }
}

static rw_view matrix(const rw_buffer *buffer, size_t rows, size_t columns, size_t stride) {
    rw_view view = rw_view_matrix(buffer, RW_ELEMENT_F32, rows, columns);
    view.stride[0] = stride;
    return view;
}

/* Poisoned with NaN, or with 0x7f7f7f7f, a large number that a sum would show. */
static void run_case(device *d, product_case *c, rw_arithmetic arithmetic, int poison) {
    rw_error err = {0};
    rw_linear linear;
    const rw_backend_ops *ops = d->backend->ops;
    memset(c->memory, poison, c->out_count * sizeof *c->memory);
    assert_ok(ops->linear_map(d->backend, c->rows, c->columns, c->type->element, c->weights,
                              &linear, &err));
    rw_buffer x = {c->x, c->n * c->x_stride * sizeof(float)};
    rw_buffer out = {c->out, (c->n * c->out_stride) * sizeof(float)};
    rw_buffer bias = {c->bias, c->rows * sizeof(float)};
    rw_op op = {.kind = RW_OP_LINEAR,
                .u.linear = {.linear = &linear,
                             .x = matrix(&x, c->n, c->columns, c->x_stride),
                             .out = matrix(&out, c->n, c->rows, c->out_stride),
                             .arithmetic = arithmetic}};
    if (c->bias)
        op.u.linear.bias = matrix(&bias, 1, c->rows, c->rows);
    run(d, &op);
    ops->linear_destroy(d->backend, &linear);
}

static void check_margins(const product_case *c, int poison, const char *text) {
    uint32_t want;
    memset(&want, poison, sizeof want);
    for (size_t i = 0; i < c->out_count; i++) {
        uint32_t bits;
        size_t row = i < MARGIN ? SIZE_MAX : (i - MARGIN) / c->out_stride;
        memcpy(&bits, &c->memory[i], sizeof bits);
        if ((row >= c->n || (i - MARGIN) % c->out_stride >= c->rows) && bits != want)
            fail_msg("%s: wrote outside its output", text);
    }
}

/* ---- float32 arithmetic ---------------------------------------------------------------------- */

/* Half a unit in the last place. */
static const double UNIT = 0x1p-24;

/* The sum of k products, each rounded, in any order, is off by less than k u sum |x w| (Higham,
   Accuracy and Stability, 3.1); a type with a minimum adds that apart, so its magnitudes count. */
static void want_product(const product_case *c, size_t i, size_t j, double *want, double *bound) {
    const rw_run_type *type = &rw_run_types[c->type->element];
    double sum = 0.0, size = 0.0;
    for (size_t k = 0; k < c->columns; k++) {
        double x = c->x[i * c->x_stride + k], w = c->wide[j * c->columns + k];
        sum += x * w;
        size += fabs(x * w);
    }
    for (size_t k = 0; k < c->columns && type->minimum; k += RW_RUN) {
        rw_block block = rw_element_block(c->type->element);
        rw_run run;
        size_t at = j * c->columns + k;
        type->unpack(c->weights + at / block.elements * block.bytes, at % block.elements / RW_RUN,
                     &run);
        for (size_t l = 0; l < RW_RUN; l++)
            size += 2.0 * fabs((double)c->x[i * c->x_stride + k + l] * run.minimum);
    }
    double bias = c->bias ? c->bias[j] : 0.0;
    *want = sum + bias;
    /* underflow: products below the normal range lose 2^-149 each */
    *bound =
        ((double)c->columns + 4.0) * UNIT * (size + fabs(bias)) + (double)c->columns * 0x1p-148;
}

static void check_f32(device *d, product_case *c) {
    int poison = next_random() % 2 ? 0xff : 0x7f;
    const char *text = describe(c, d->level, "linear");
    run_case(d, c, RW_ARITHMETIC_F32, poison);
    check_margins(c, poison, text);
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < c->rows; j++) {
            double want, bound, got = c->out[i * c->out_stride + j];
            want_product(c, i, j, &want, &bound);
            if (!(fabs(want - got) <= bound))
                fail_msg("%s, [%zu][%zu]: %.9g, wanted %.9g within %.3g", text, i, j, got, want,
                         bound);
        }
}

static const size_t some_rows[] = {1, 2, 3, 7, 8, 9, 11, 12, 13, 17, 24, 31, 65};
static const size_t some_outputs[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96};
static const size_t some_columns[] = {1,  2,  15,  16,  17,  31,  32,  33,  64,
                                      96, 97, 256, 320, 321, 576, 640, 672, 1000};
#define ONE_OF(table) one_of(table, sizeof table / sizeof table[0])

static void f32_shapes(device *d) {
    for (uint64_t seed = 1; seed <= 12; seed++)
        for (size_t i = 0; i < TYPES; i++) {
            reseed(seed * 100 + i);
            size_t n = ONE_OF(some_rows), rows = ONE_OF(some_outputs);
            product_case c = make_case(&types[i], n, rows, ONE_OF(some_columns));
            check_f32(d, &c);
            free_case(&c);
        }
}

static void test_f32(void **state) {
    (void)state;
    each_level(f32_shapes);
}

/* A token made alone: rows of weights four at a time and what is left of four, tiles of several
   sizes, groups of blocks that are full and not, columns that are no whole blocks. */
static void f32_one_row(device *d) {
    static const size_t outputs[] = {1, 2, 3, 4, 5, 6, 7, 31, 33, 65, 130, 700};
    static const size_t columns[] = {1, 31, 32, 33, 63, 96, 512, 544, 576, 1024};
    for (size_t i = 0; i < TYPES; i++)
        for (size_t j = 0; j < 12; j++) {
            reseed(4000 + 12 * i + j);
            product_case c = make_case(&types[i], 1, outputs[j], ONE_OF(columns));
            check_f32(d, &c);
            free_case(&c);
        }
}

static void test_one_row(void **state) {
    (void)state;
    each_level(f32_one_row);
}

/* More rows than a tile has, and rows of weights longer than one piece of few rows. */
static void f32_large(device *d) {
    static const size_t shapes[][3] = {{530, 40, 64}, {1, 3, 9000}, {3, 5, 5000}, {40, 70, 2100}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        reseed(5000 + i);
        product_case c =
            make_case(&types[next_random() % TYPES], shapes[i][0], shapes[i][1], shapes[i][2]);
        check_f32(d, &c);
        free_case(&c);
    }
}

static void test_large(void **state) {
    (void)state;
    each_level(f32_large);
}

/* ---- int8 arithmetic ------------------------------------------------------------------------- */

/* x in runs of 32 as the header says it: scale * q to nearest even. Written anew. */
static void quantize(const float *x, int *q, double *scale) {
    float largest = 0.0f;
    for (int i = 0; i < 32; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    bool none = largest < 0x1p-100f;
    float inverse = none ? 0.0f : 127.0f / largest;
    *scale = none ? 0.0f : largest / 127.0f;
    for (int i = 0; i < 32; i++) {
        double value = (double)(float)(x[i] * inverse);
        q[i] = (int)nearbyint(value);
    }
}

/* A run's integers are exact; then its scales are multiplied, rounded, and it is added. Five
   roundings a run and one for every addition after it. */
static void want_int8(const product_case *c, size_t i, size_t j, double *want, double *bound) {
    const rw_run_type *type = &rw_run_types[c->type->element];
    rw_block block = rw_element_block(c->type->element);
    double sum = 0.0, size = 0.0;
    for (size_t k = 0; k < c->columns; k += RW_RUN) {
        rw_run run;
        int q[RW_RUN];
        double scale, product[2] = {0}, count = 0;
        size_t at = j * c->columns + k;
        type->unpack(c->weights + at / block.elements * block.bytes, at % block.elements / RW_RUN,
                     &run);
        quantize(c->x + i * c->x_stride + k, q, &scale);
        for (int l = 0; l < RW_RUN; l++) {
            product[l / 16] += (run.codes[l] - type->zero) * q[l];
            count += q[l];
            size += scale * fabs((double)run.scale[l / 16] * (run.codes[l] - type->zero) * q[l]);
        }
        sum += scale * (run.scale[0] * product[0] + run.scale[1] * product[1] -
                        (double)run.minimum * count);
        size += scale * fabs((double)run.minimum * count);
    }
    double bias = c->bias ? c->bias[j] : 0.0;
    *want = sum + bias;
    *bound = ((double)c->columns / 16.0 + 12.0) * UNIT * (size + fabs(bias)) +
             (double)c->columns * 0x1p-140;
}

static void check_int8(device *d, product_case *c) {
    int poison = next_random() % 2 ? 0xff : 0x7f;
    const char *text = describe(c, d->level, "int8");
    run_case(d, c, RW_ARITHMETIC_INT8, poison);
    check_margins(c, poison, text);
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < c->rows; j++) {
            double want, bound, got = c->out[i * c->out_stride + j];
            want_int8(c, i, j, &want, &bound);
            if (!(fabs(want - got) <= bound))
                fail_msg("%s, [%zu][%zu]: %.9g, wanted %.9g within %.3g", text, i, j, got, want,
                         bound);
        }
}

static void int8_shapes(device *d) {
    for (uint64_t seed = 1; seed <= 12; seed++)
        for (size_t i = 0; i < TYPES; i++) {
            if (types[i].scales == 0)
                continue;
            reseed(seed * 100 + i);
            size_t n = ONE_OF(some_rows), rows = ONE_OF(some_outputs);
            product_case c = make_case(&types[i], n, rows, ONE_OF(some_columns));
            check_int8(d, &c);
            free_case(&c);
        }
}

static void test_int8(void **state) {
    (void)state;
    each_level(int8_shapes);
}

/* Where 16 bits would overflow: codes and x of the largest size and one sign. */
static void int8_extremes(device *d) {
    for (size_t i = 0; i < TYPES; i++)
        for (int sign = -1; sign <= 1 && types[i].scales; sign += 2)
            for (int byte = 0; byte < 3; byte++) { /* codes all ones, all zeros, int8 -128 */
                static const int bytes[] = {0xff, 0x00, 0x80};
                static const uint16_t one = 0x3c00;
                reseed(7000 + i);
                product_case c = make_case(&types[i], byte ? 13 : 1, 33, 512);
                size_t block = rw_element_block(types[i].element).bytes;
                size_t count = rw_element_bytes(types[i].element, c.rows * c.columns) / block;
                memset(c.weights, bytes[byte], count * block);
                for (size_t b = 0; b < count; b++)
                    for (int s = 0; s < types[i].scales; s++)
                        memcpy(c.weights + b * block + types[i].at[s], &one, sizeof one);
                for (size_t k = 0; k < c.n * c.x_stride; k++)
                    c.x[k] = (float)sign * 3.0f;
                check_int8(d, &c);
                free_case(&c);
            }
}

static void test_int8_extremes(void **state) {
    (void)state;
    each_level(int8_extremes);
}

/* An infinity or a NaN in x is never hidden; types that aren't blocks don't notice the choice. */
static void int8_not_finite(device *d) {
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < TYPES; i++)
        for (int b = 0; b < 3; b++) {
            reseed(8000 + i);
            product_case c = make_case(&types[i], b == 0 ? 1 : 12, 5, 64);
            c.x[17] = bad[b];
            run_case(d, &c, RW_ARITHMETIC_INT8, 0x7f);
            for (size_t j = 0; j < c.rows && types[i].scales; j++)
                if (isfinite(c.out[j]))
                    fail_msg("%s: %g of a row with %g", describe(&c, d->level, "int8"), c.out[j],
                             bad[b]);
            free_case(&c);
        }
    reseed(8100);
    product_case c = make_case(&types[1], 20, 40, 100);
    run_case(d, &c, RW_ARITHMETIC_F32, 0x7f);
    float *f32 = malloc(c.out_count * sizeof *f32);
    memcpy(f32, c.memory, c.out_count * sizeof *f32);
    run_case(d, &c, RW_ARITHMETIC_INT8, 0x7f);
    assert_memory_equal(f32, c.memory, c.out_count * sizeof *f32);
    free(f32);
    free_case(&c);
}

static void test_not_finite(void **state) {
    (void)state;
    each_level(int8_not_finite);
}

/* ---- the same bits --------------------------------------------------------------------------- */

static void test_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < TYPES; i++)
        for (int arithmetic = RW_ARITHMETIC_F32; arithmetic <= RW_ARITHMETIC_INT8; arithmetic++) {
            static const unsigned threads[] = {1, 2, 4};
            static const size_t n[] = {1, 3, 530};
            reseed(9000 + i);
            product_case c = make_case(&types[i], n[(i + (size_t)arithmetic) % 3], 200, 300);
            float *first = malloc(c.out_count * sizeof *first);
            for (int t = 0; t < 3; t++) {
                device d;
                open_device(&d, RW_CPU_BEST, threads[t]);
                run_case(&d, &c, (rw_arithmetic)arithmetic, 0xff);
                if (t == 0)
                    memcpy(first, c.memory, c.out_count * sizeof *first);
                else if (memcmp(first, c.memory, c.out_count * sizeof *first) != 0)
                    fail_msg("%s: other bits with %u threads", describe(&c, "best", "linear"),
                             threads[t]);
                close_device(&d);
            }
            free(first);
            free_case(&c);
        }
}

/* A row is the same bits whatever other rows of its tile hold (not: whatever their number). */
static void rows_apart(device *d) {
    for (size_t i = 0; i < TYPES; i++) {
        reseed(9500 + i);
        product_case c = make_case(&types[i], 20, 40, 200);
        run_case(d, &c, RW_ARITHMETIC_F32, 0xff);
        float kept[64];
        memcpy(kept, c.out + 7 * c.out_stride, c.rows * sizeof *kept);
        for (size_t k = 0; k < c.n * c.x_stride; k++)
            if (k / c.x_stride != 7)
                c.x[k] = NAN;
        run_case(d, &c, RW_ARITHMETIC_F32, 0xff);
        assert_memory_equal(kept, c.out + 7 * c.out_stride, c.rows * sizeof *kept);
        free_case(&c);
    }
}

static void test_rows_apart(void **state) {
    (void)state;
    each_level(rows_apart);
}

/* ---- embedding ------------------------------------------------------------------------------- */

static void embed_types(device *d) {
    enum { IDS = 20 };
    for (size_t i = 0; i < TYPES; i++) {
        rw_error err = {0};
        rw_linear table;
        reseed(9700 + i);
        product_case c = make_case(&types[i], 1, 30, 100);
        int32_t ids[IDS];
        float *out = malloc(IDS * c.columns * sizeof *out);
        for (size_t k = 0; k < IDS; k++)
            ids[k] = (int32_t)between(0, c.rows - 1);
        const rw_backend_ops *ops = d->backend->ops;
        assert_ok(ops->linear_map(d->backend, c.rows, c.columns, c.type->element, c.weights, &table,
                                  &err));
        rw_buffer id_buffer = {ids, sizeof ids};
        rw_buffer out_buffer = {out, IDS * c.columns * sizeof *out};
        rw_op op = {.kind = RW_OP_EMBED,
                    .u.embed = {.ids = rw_view_matrix(&id_buffer, RW_ELEMENT_I32, IDS, 1),
                                .table = &table,
                                .out = rw_view_matrix(&out_buffer, RW_ELEMENT_F32, IDS, c.columns),
                                .scale = 3.0f}};
        run(d, &op);
        for (size_t k = 0; k < IDS * c.columns; k++) { /* exact: one rounding */
            float want = c.wide[(size_t)ids[k / c.columns] * c.columns + k % c.columns] * 3.0f;
            if (out[k] != want)
                fail_msg("%s: %.9g, wanted %.9g", describe(&c, d->level, "embed"), out[k], want);
        }
        free(out);
        free_case(&c);
    }
}

static void test_embed(void **state) {
    (void)state;
    each_level(embed_types);
}

/* ---- loss ------------------------------------------------------------------------------------ */

/* A vocabulary of several slices, float64 beside it. */
static void check_loss(device *d, product_case *c, rw_arithmetic arithmetic) {
    rw_error err = {0};
    rw_linear linear;
    const rw_backend_ops *ops = d->backend->ops;
    double *nll = malloc(c->n * sizeof *nll);
    int32_t *argmax = malloc(c->n * sizeof *argmax), *target = malloc(c->n * sizeof *target);
    for (size_t i = 0; i < c->n; i++)
        target[i] = (int32_t)between(0, c->rows - 1);
    assert_ok(ops->linear_map(d->backend, c->rows, c->columns, c->type->element, c->weights,
                              &linear, &err));
    rw_buffer x = {c->x, c->n * c->x_stride * sizeof(float)};
    rw_buffer targets = {target, c->n * sizeof *target}, out = {nll, c->n * sizeof *nll};
    rw_buffer best = {argmax, c->n * sizeof *argmax};
    rw_op op = {.kind = RW_OP_LOSS,
                .u.loss = {.linear = &linear,
                           .x = matrix(&x, c->n, c->columns, c->x_stride),
                           .target = rw_view_matrix(&targets, RW_ELEMENT_I32, c->n, 1),
                           .nll = rw_view_matrix(&out, RW_ELEMENT_F64, c->n, 1),
                           .argmax = rw_view_matrix(&best, RW_ELEMENT_I32, c->n, 1),
                           .arithmetic = arithmetic}};
    run(d, &op);
    for (size_t i = 0; i<c->n; i += c->n> 50 ? 97 : 1) {
        double max = -INFINITY, sum = 0.0, error = 0.0, wanted = 0.0, won = 0.0;
        for (int pass = 0; pass < 2; pass++)
            for (size_t j = 0; j < c->rows; j++) {
                double logit, bound;
                (arithmetic == RW_ARITHMETIC_INT8 ? want_int8 : want_product)(c, i, j, &logit,
                                                                              &bound);
                max = !pass && logit > max ? logit : max;
                sum += pass ? exp(logit - max) : 0.0;
                error = bound > error ? bound : error;
                wanted = j == (size_t)target[i] ? logit : wanted;
                won = j == (size_t)argmax[i] ? logit : won;
            }
        double want = max + log(sum) - wanted;
        if (!(fabs(nll[i] - want) <= 2.0 * error + 2e-6 * (1.0 + fabs(want))) ||
            !(max - won <= 2.0 * error))
            fail_msg("%s: row %zu: %.9g, wanted %.9g; the best is %.3g below",
                     describe(c, d->level, "loss"), i, nll[i], want, max - won);
    }
    free(nll), free(argmax), free(target);
}

static void loss_types(device *d) {
    static const size_t shapes[][2] = {{3, 2500}, {1, 1100}, {20, 1030}, {515, 300}};
    for (size_t i = 0; i < TYPES; i++) {
        reseed(9900 + i);
        const size_t *shape = shapes[i % 4];
        product_case c = make_case(&types[i], shape[0], shape[1], 32);
        free(c.bias), c.bias = NULL;
        for (size_t k = 0; k < c.n * c.x_stride; k++) /* logits that are not all one token's */
            c.x[k] *= 1e-4f;
        check_loss(d, &c, RW_ARITHMETIC_F32);
        if (types[i].scales)
            check_loss(d, &c, RW_ARITHMETIC_INT8);
        free_case(&c);
    }
}

static void test_loss(void **state) {
    (void)state;
    each_level(loss_types);
}

/* ---- side by side --------------------------------------------------------------------------- */

/* Of different shapes, types and arithmetic; a row of results at a time is what they are for. */
static void check_beside(device *d, size_t n) {
    enum { COUNT = RW_BESIDE_MAX };
    static const size_t outputs[COUNT] = {70, 3, 1100, 33};
    product_case c[COUNT], alone;
    rw_linear linear[COUNT];
    rw_op op[COUNT];
    rw_buffer x[COUNT], out[COUNT];
    rw_error err = {0};
    for (int i = 0; i < COUNT; i++) {
        c[i] = make_case(&types[3 + i], n, outputs[i], 576);
        memset(c[i].memory, 0xff, c[i].out_count * sizeof *c[i].memory);
        assert_ok(d->backend->ops->linear_map(d->backend, c[i].rows, c[i].columns,
                                              c[i].type->element, c[i].weights, &linear[i], &err));
        x[i] = (rw_buffer){c[i].x, n * c[i].x_stride * sizeof(float)};
        out[i] = (rw_buffer){c[i].out, n * c[i].out_stride * sizeof(float)};
        op[i] = (rw_op){.kind = RW_OP_LINEAR,
                        .beside = i ? &op[i - 1] : NULL,
                        .u.linear = {.linear = &linear[i],
                                     .x = matrix(&x[i], n, c[i].columns, c[i].x_stride),
                                     .out = matrix(&out[i], n, c[i].rows, c[i].out_stride),
                                     .arithmetic = i % 2 ? RW_ARITHMETIC_INT8 : RW_ARITHMETIC_F32}};
    }
    run(d, &op[COUNT - 1]);
    for (int i = 0; i < COUNT; i++) {
        float *beside = malloc(c[i].out_count * sizeof *beside);
        memcpy(beside, c[i].memory, c[i].out_count * sizeof *beside);
        alone = c[i];
        alone.bias = NULL;
        run_case(d, &alone, op[i].u.linear.arithmetic, 0xff);
        if (memcmp(beside, c[i].memory, c[i].out_count * sizeof *beside) != 0)
            fail_msg("%s: other bits than alone", describe(&c[i], d->level, "beside"));
        free(beside);
        free_case(&c[i]);
    }
    rw_op one_more = {.kind = RW_OP_LINEAR, .beside = &op[COUNT - 1], .u = op[0].u};
    assert_false(d->backend->ops->supports(d->backend, &one_more));
}

static void beside(device *d) {
    reseed(9950);
    check_beside(d, 1);
    check_beside(d, 19);
}

static void test_beside(void **state) {
    (void)state;
    each_level(beside);
}

/* ---- the seam -------------------------------------------------------------------------------- */

static void test_map_and_create(void **state) {
    (void)state;
    device d;
    rw_error err = {0};
    rw_linear mapped, made;
    open_device(&d, RW_CPU_BEST, 1);
    const rw_backend_ops *ops = d.backend->ops;
    reseed(1);
    product_case c = make_case(&types[3], 1, 10, 64);
    assert_ok(ops->linear_map(d.backend, 10, 64, RW_ELEMENT_Q8_0, c.weights, &mapped, &err));
    assert_ptr_equal(mapped.weights.handle, c.weights); /* in place */
    assert_int_equal(ops->linear_write(d.backend, &mapped, 0, 1, c.weights, &err), RW_ERR_INTERNAL);
    assert_ok(ops->linear_create(d.backend, 10, 64, RW_ELEMENT_Q8_0, "w", &made, &err));
    assert_ok(ops->linear_write(d.backend, &made, 4, 6, c.weights + 4 * 68, &err));
    assert_ok(ops->linear_write(d.backend, &made, 0, 4, c.weights, &err));
    assert_memory_equal(made.weights.handle, c.weights, 10 * 68);
    assert_int_equal(ops->linear_write(d.backend, &made, 5, 6, c.weights, &err), RW_ERR_INTERNAL);
    ops->linear_destroy(d.backend, &made);
    ops->linear_destroy(d.backend, &mapped);
    assert_null(mapped.weights.handle);
    assert_int_equal(ops->linear_create(d.backend, 10, 63, RW_ELEMENT_Q8_0, "w", &made, &err),
                     RW_ERR_INTERNAL); /* no whole blocks */
    assert_int_equal(ops->linear_create(d.backend, 10, 64, RW_ELEMENT_I32, "w", &made, &err),
                     RW_ERR_INTERNAL);
    assert_int_equal(
        ops->linear_create(d.backend, SIZE_MAX / 2, 64, RW_ELEMENT_F32, "w", &made, &err),
        RW_ERR_MEMORY);
    free_case(&c);
    close_device(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),        cmocka_unit_test(test_one_row),
        cmocka_unit_test(test_beside),     cmocka_unit_test(test_large),
        cmocka_unit_test(test_int8),       cmocka_unit_test(test_int8_extremes),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_rows_apart), cmocka_unit_test(test_embed),
        cmocka_unit_test(test_loss),       cmocka_unit_test(test_map_and_create),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
