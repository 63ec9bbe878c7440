/*
 * Every kernel at every level of the ladder against the reference, on random and nasty inputs:
 * odd shapes, strided and unaligned views, subnormals, -0, fully masked rows. Outputs are poisoned
 * first and the memory around them is watched. A failure prints seed and shape.
 */
#include <math.h>

#include "backend/backend.h"
#include "random_support.h"
#include "support.h"

/* ---- two backends ---------------------------------------------------------------------------- */

typedef struct bench {
    rw_context *ctx[2];
    rw_backend *backend[2]; /* the reference, the level under test */
    const char *level;
} bench;

static const char *const level_names[] = {"best", "generic", "avx2", "avx512"};

static bool bench_open(bench *b, rw_cpu_level level, unsigned threads) {
    rw_error err = {0};
    for (int i = 0; i < 2; i++) {
        rw_context_options options = {.struct_size = sizeof options,
                                      .threads = i ? threads : 1,
                                      .cpu_level = i ? level : RW_CPU_GENERIC};
        assert_ok(rw_context_create(&options, &b->ctx[i], &err));
        assert_ok(rw_cpu_backend_create(b->ctx[i], &b->backend[i], &err));
    }
    b->level = level_names[level];
    return rw_context_cpu_level(b->ctx[1]) == level;
}

static void bench_close(bench *b) {
    for (int i = 0; i < 2; i++) {
        b->backend[i]->ops->destroy(b->backend[i]);
        rw_context_free(b->ctx[i]);
    }
}

/* ---- tensors with watched surroundings ------------------------------------------------------- */

enum { MARGIN = 64 };
static const float poison = -12345.75f;

typedef struct tensor {
    rw_buffer buffer;
    rw_view view;
    float *memory;
    size_t count;
} tensor;

/* [rows][heads][dim] with gaps between rows, off a 64-byte boundary by `shift` floats. */
static tensor make(size_t rows, size_t heads, size_t dim, size_t gap, size_t shift) {
    tensor t;
    size_t stride = heads * dim + gap;
    t.count = rows * stride + 2 * MARGIN + shift;
    t.memory = aligned_alloc(64, (t.count * sizeof(float) + 63) / 64 * 64);
    for (size_t i = 0; i < t.count; i++)
        t.memory[i] = poison;
    t.buffer = (rw_buffer){t.memory, t.count * sizeof(float)};
    t.view = (rw_view){.offset = (MARGIN + shift) * sizeof(float),
                       .element = RW_ELEMENT_F32,
                       .shape = {rows, heads, dim},
                       .stride = {stride, dim}};
    return t;
}

static rw_view view_of(const tensor *t) {
    rw_view view = t->view;
    view.buffer = &t->buffer;
    return view;
}

static float *element(const tensor *t, size_t row, size_t head, size_t i) {
    return t->memory + t->view.offset / sizeof(float) + row * t->view.stride[0] +
           head * t->view.stride[1] + i;
}

static void fill(tensor *t, float (*draw)(float), float size) {
    for (size_t r = 0; r < t->view.shape[0]; r++)
        for (size_t h = 0; h < t->view.shape[1]; h++)
            for (size_t i = 0; i < t->view.shape[2]; i++)
                *element(t, r, h, i) = draw(size);
}

static tensor copy_of(const tensor *t) {
    tensor c = *t;
    c.memory = aligned_alloc(64, (t->count * sizeof(float) + 63) / 64 * 64);
    memcpy(c.memory, t->memory, t->count * sizeof(float));
    c.buffer.handle = c.memory;
    return c;
}

/* Nothing outside the view was written. */
static void check_margins(const tensor *t, const char *what) {
    size_t width = t->view.shape[1] * t->view.shape[2], first = t->view.offset / sizeof(float);
    for (size_t i = 0; i < t->count; i++) {
        size_t row = i < first ? SIZE_MAX : (i - first) / t->view.stride[0];
        bool inside = row < t->view.shape[0] && (i - first) % t->view.stride[0] < width;
        if (!inside && t->memory[i] != poison)
            fail_msg("seed %llu, %s: wrote outside its output", (unsigned long long)seed_now, what);
    }
}

/* |got - want| <= tolerance * (1 + |want|), infinities equal. */
static void check_close(const tensor *want, const tensor *got, double tolerance, const char *what) {
    check_margins(got, what);
    for (size_t r = 0; r < want->view.shape[0]; r++)
        for (size_t h = 0; h < want->view.shape[1]; h++)
            for (size_t i = 0; i < want->view.shape[2]; i++) {
                double w = *element(want, r, h, i), g = *element(got, r, h, i);
                if (w == g || fabs(w - g) <= tolerance * (1.0 + fabs(w)))
                    continue;
                fail_msg("seed %llu, %s, [%zu][%zu][%zu]: %.9g, wanted %.9g",
                         (unsigned long long)seed_now, what, r, h, i, g, w);
            }
}

static void run(bench *b, int which, const rw_op *op) {
    rw_error err = {0};
    rw_backend *backend = b->backend[which];
    rw_buffer workspace = {0};
    size_t bytes = backend->ops->workspace_bytes(backend, op);
    assert_true(backend->ops->supports(backend, op));
    assert_ok(backend->ops->buffer_create(backend, bytes, "workspace", &workspace, &err));
    memset(workspace.handle, 0xff, bytes); /* NaN: scratch must be written before it is read */
    assert_ok(backend->ops->enqueue(backend, op, &workspace, &err));
    backend->ops->buffer_destroy(backend, &workspace);
}

static void release(tensor *t) {
    free(t->memory);
}

/* ---- linear ---------------------------------------------------------------------------------- */

static rw_linear make_linear(bench *b, int which, size_t rows, size_t columns,
                             const float *values) {
    rw_error err = {0};
    rw_linear linear;
    rw_backend *backend = b->backend[which];
    assert_ok(
        backend->ops->linear_create(backend, rows, columns, RW_ELEMENT_F32, "w", &linear, &err));
    size_t cut = rows / 2; /* in two pieces */
    assert_ok(backend->ops->linear_write(backend, &linear, cut, rows - cut, values + cut * columns,
                                         &err));
    assert_ok(backend->ops->linear_write(backend, &linear, 0, cut, values, &err));
    return linear;
}

static float *random_weights(size_t count) {
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = nasty(1.0f);
    return values;
}

static void check_linear(bench *b, size_t n, size_t rows, size_t columns) {
    char what[128];
    snprintf(what, sizeof what, "%s linear n=%zu rows=%zu columns=%zu", b->level, n, rows, columns);
    float *weights = random_weights(rows * columns);
    bool biased = next_random() % 2;
    tensor x = make(n, 1, columns, between(0, 3), between(0, 7));
    tensor bias = make(1, 1, rows, 0, between(0, 7));
    tensor out[2] = {make(n, 1, rows, between(0, 3), between(0, 7))};
    out[1] = copy_of(&out[0]);
    fill(&x, nasty, 1.0f);
    fill(&bias, nasty, 1.0f);
    for (int i = 0; i < 2; i++) {
        rw_linear linear = make_linear(b, i, rows, columns, weights);
        rw_op op = {.kind = RW_OP_LINEAR,
                    .u.linear = {.linear = &linear, .x = view_of(&x), .out = view_of(&out[i])}};
        if (biased)
            op.u.linear.bias = view_of(&bias);
        run(b, i, &op);
        b->backend[i]->ops->linear_destroy(b->backend[i], &linear);
    }
    /* each product and sum rounds: the error grows like the root of their number, bounded by n eps
     */
    check_close(&out[0], &out[1], 3e-7 * (4.0 + sqrt((double)columns)) * 2.0, what);
    release(&x), release(&bias), release(&out[0]), release(&out[1]);
    free(weights);
}

static void each_level(void (*test)(bench *b)) {
    for (rw_cpu_level level = RW_CPU_GENERIC; level <= RW_CPU_AVX512; level++) {
        bench b;
        if (bench_open(&b, level, 2))
            test(&b);
        else
            print_message("skipped: this processor has no %s\n", level_names[level]);
        bench_close(&b);
    }
}

static void linear_shapes(bench *b) {
    static const size_t edges[] = {1, 2, 5, 6, 7, 15, 16, 17, 63, 64, 65, 96, 97, 127, 128, 129};
    enum { EDGES = sizeof edges / sizeof edges[0] };
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reseed(seed);
        check_linear(b, edges[next_random() % EDGES], edges[next_random() % EDGES],
                     edges[next_random() % EDGES]);
    }
    reseed(100);
    check_linear(b, 1, 300, 1000);
    check_linear(b, 200, 1, 1);
}

static void test_linear(void **state) {
    (void)state;
    each_level(linear_shapes);
}

/* ---- loss ------------------------------------------------------------------------------------ */

enum { LOSS_ROWS_MAX = 128 };

typedef struct loss_result {
    double nll[LOSS_ROWS_MAX];
    int32_t argmax[LOSS_ROWS_MAX];
} loss_result;

static void run_loss(bench *b, int which, const rw_linear *linear, const tensor *x, int32_t *target,
                     float softcap, loss_result *out) {
    size_t n = x->view.shape[0];
    rw_buffer targets = {target, n * sizeof *target}, nll = {out->nll, sizeof out->nll};
    rw_buffer argmax = {out->argmax, sizeof out->argmax};
    rw_op op = {.kind = RW_OP_LOSS,
                .u.loss = {.linear = linear,
                           .x = view_of(x),
                           .target = rw_view_matrix(&targets, RW_ELEMENT_I32, n, 1),
                           .nll = rw_view_matrix(&nll, RW_ELEMENT_F64, n, 1),
                           .argmax = rw_view_matrix(&argmax, RW_ELEMENT_I32, n, 1),
                           .softcap = softcap}};
    run(b, which, &op);
}

static void check_loss(bench *b, size_t n, size_t vocab, size_t hidden, bool equal_logits) {
    float *weights = random_weights(vocab * hidden);
    float softcap = between(0, 2) ? 0.0f : 30.0f;
    if (equal_logits) /* every token alike: the first must win, at every level */
        for (size_t i = hidden; i < vocab * hidden; i++)
            weights[i] = weights[i - hidden];
    tensor x = make(n, 1, hidden, between(0, 3), between(0, 7));
    /* capped subnormal logits are all 0 in float32, and the first would win */
    fill(&x, softcap > 0.0f ? ordinary : nasty, 3.0f);
    int32_t target[LOSS_ROWS_MAX];
    loss_result result[2];
    for (size_t i = 0; i < n; i++)
        target[i] = i % 5 == 4 ? -1 : (int32_t)(next_random() % vocab);
    target[0] = (int32_t)vocab - 1;
    for (int i = 0; i < 2; i++) {
        rw_linear linear = make_linear(b, i, vocab, hidden, weights);
        run_loss(b, i, &linear, &x, target, softcap, &result[i]);
        b->backend[i]->ops->linear_destroy(b->backend[i], &linear);
    }
    for (size_t i = 0; i < n; i++) {
        double want = result[0].nll[i], got = result[1].nll[i];
        bool close = target[i] < 0 ? isnan(want) && isnan(got)
                                   : fabs(want - got) <= 2e-5 * (1.0 + fabs(want));
        if (!close || (equal_logits && result[1].argmax[i] != 0))
            fail_msg("seed %llu, %s loss n=%zu vocab=%zu hidden=%zu row %zu: %.9g, wanted %.9g",
                     (unsigned long long)seed_now, b->level, n, vocab, hidden, i, got, want);
        if (!equal_logits)
            assert_int_equal(result[0].argmax[i], result[1].argmax[i]);
    }
    release(&x);
    free(weights);
}

static void loss_shapes(bench *b) {
    static const size_t vocabularies[] = {1, 2, 15, 16, 17, 255, 256, 257, 700};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        reseed(seed);
        size_t vocab = vocabularies[next_random() % 9];
        check_loss(b, between(1, LOSS_ROWS_MAX), vocab, between(1, 70), false);
    }
    reseed(50);
    check_loss(b, 5, 600, 32, true);
}

static void test_loss(void **state) {
    (void)state;
    each_level(loss_shapes);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_refusals(void **state) {
    (void)state;
    bench b;
    rw_error err = {0};
    bench_open(&b, RW_CPU_BEST, 1);
    tensor x = make(4, 1, 8, 0, 0), y = make(4, 1, 9, 0, 0);
    rw_op op = {.kind = RW_OP_ADD, .u.add = {.x = view_of(&x), .y = view_of(&y)}};
    assert_false(b.backend[1]->ops->supports(b.backend[1], &op)); /* widths differ */
    assert_int_equal(b.backend[1]->ops->enqueue(b.backend[1], &op, NULL, &err), RW_ERR_INTERNAL);
    op.u.add.y = view_of(&x);
    op.u.add.y.offset = x.buffer.bytes - 8; /* leaves the buffer */
    assert_false(b.backend[1]->ops->supports(b.backend[1], &op));
    rw_adapter adapter = {.scale = 1.0f};
    float values[16] = {0};
    rw_linear linear = make_linear(&b, 1, 2, 8, values);
    linear.adapter = &adapter;
    tensor out = make(4, 1, 2, 0, 0);
    rw_op product = {.kind = RW_OP_LINEAR,
                     .u.linear = {.linear = &linear, .x = view_of(&x), .out = view_of(&out)}};
    assert_false(b.backend[1]->ops->supports(b.backend[1], &product));
    b.backend[1]->ops->linear_destroy(b.backend[1], &linear);
    release(&x), release(&y), release(&out);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
