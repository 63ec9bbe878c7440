/*
 * Every kernel at every level of the ladder against the reference, on random and nasty inputs:
 * odd shapes, strided and unaligned views, subnormals, -0, fully masked rows. Outputs are poisoned
 * first and the memory around them is watched. A failure prints seed and shape.
 */
#include <math.h>

#include "backend/backend.h"
#include "support.h"

/* ---- random ---------------------------------------------------------------------------------- */

static uint64_t seed_now, state_now;

static void reseed(uint64_t seed) {
    seed_now = state_now = seed;
}

static uint64_t next_random(void) { /* splitmix64 */
    uint64_t z = state_now += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t between(size_t low, size_t high) {
    return low + next_random() % (high - low + 1);
}

static float ordinary(float size) {
    return ((float)(next_random() >> 40) / 8388608.0f - 1.0f) * size;
}

/* One in eight is a number that breaks careless code. */
static float nasty(float size) {
    static const float odd[] = {0.0f, -0.0f, 1e-41f, -1e-45f, 0x1p-126f, 1e-30f};
    return next_random() % 8 ? ordinary(size) : odd[next_random() % 6];
}

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

/* ---- attention ------------------------------------------------------------------------------- */

typedef struct shape {
    size_t n, m, kv, group, qk, v;
    int64_t q_first, k_first, window;
    rw_mask mask;
    float size; /* of the queries: large ones make the softmax sharp */
} shape;

static void check_attention(bench *b, const shape *s, float (*draw)(float)) {
    float softcap = between(0, 3) ? 0.0f : 1.5f;
    char what[200];
    snprintf(what, sizeof what,
             "%s attention n=%zu m=%zu kv=%zu group=%zu qk=%zu v=%zu q0=%lld k0=%lld mask=%d "
             "window=%lld",
             b->level, s->n, s->m, s->kv, s->group, s->qk, s->v, (long long)s->q_first,
             (long long)s->k_first, (int)s->mask, (long long)s->window);
    size_t heads = s->kv * s->group;
    tensor q = make(s->n, heads, s->qk, between(0, 5), between(0, 7));
    tensor k = make(s->m, s->kv, s->qk, between(0, 5), between(0, 7));
    tensor v = make(s->m, s->kv, s->v, between(0, 5), between(0, 7));
    tensor out[2] = {make(s->n, heads, s->v, between(0, 5), between(0, 7))};
    tensor lse[2] = {make(s->n, 1, heads, between(0, 5), between(0, 7))};
    out[1] = copy_of(&out[0]);
    lse[1] = copy_of(&lse[0]);
    fill(&q, draw, s->size);
    fill(&k, draw, 1.0f);
    fill(&v, draw, 1.0f);
    for (int i = 0; i < 2; i++) {
        rw_op op = {.kind = RW_OP_ATTENTION,
                    .u.attention = {.q = view_of(&q),
                                    .k = view_of(&k),
                                    .v = view_of(&v),
                                    .out = view_of(&out[i]),
                                    .lse = view_of(&lse[i]),
                                    .q_first = s->q_first,
                                    .k_first = s->k_first,
                                    .mask = s->mask,
                                    .window = s->window,
                                    .scale = 1.0f / sqrtf((float)s->qk),
                                    .softcap = softcap}};
        run(b, i, &op);
    }
    /* a score's error, 1e-6 of sums as large as size * sqrt(qk), is the weight's relative error */
    double tolerance = 2e-6 * (1.0 + s->size * sqrt((double)s->qk) * 0.2);
    check_close(&lse[0], &lse[1], tolerance, what);
    check_close(&out[0], &out[1], tolerance * 2.0, what);
    release(&q), release(&k), release(&v);
    for (int i = 0; i < 2; i++)
        release(&out[i]), release(&lse[i]);
}

static shape random_shape(void) {
    static const size_t dims[] = {32, 40, 64, 80, 96, 128, 192, 256};
    shape s = {.n = between(1, 70), .m = between(1, 300), .kv = between(1, 3)};
    s.group = between(1, 16);
    s.qk = dims[next_random() % 8];
    s.v = next_random() % 2 ? s.qk : dims[next_random() % 8];
    s.mask = (rw_mask)(next_random() % 3);
    s.k_first = (int64_t)between(0, 1000000);
    /* often a chunk behind its keys, sometimes rows that see nothing */
    s.q_first = s.k_first + (int64_t)s.m - (int64_t)between(0, 2 * s.m);
    s.window = (int64_t)between(1, 200);
    s.size = next_random() % 3 ? 1.0f : 8.0f;
    return s;
}

/* Tiles that end with a whole number of lanes, so that only the mask hides a key. */
static void attention_edges(bench *b) {
    static const size_t keys[] = {16, 128, 144, 256};
    reseed(2000);
    for (size_t i = 0; i < 4; i++)
        for (size_t n = 1; n <= 8; n++)
            for (int mask = RW_MASK_CAUSAL; mask <= RW_MASK_WINDOW; mask++) {
                shape s = {.n = n,
                           .m = keys[i],
                           .kv = 1,
                           .group = n % 2 ? 16 : 1,
                           .qk = 32,
                           .v = 32,
                           .q_first = (int64_t)(keys[i] - n),
                           .window = (int64_t)(keys[i] - n) - 1,
                           .mask = (rw_mask)mask,
                           .size = 1.0f};
                check_attention(b, &s, ordinary);
            }
}

static void attention_shapes(bench *b) {
    attention_edges(b);
    for (uint64_t seed = 1; seed <= 80; seed++) {
        reseed(seed);
        shape s = random_shape();
        check_attention(b, &s, seed % 2 ? nasty : ordinary);
    }
    reseed(1000);
    shape decode = {.n = 1,
                    .m = 1000,
                    .kv = 3,
                    .group = 3,
                    .qk = 64,
                    .v = 64,
                    .q_first = 999,
                    .mask = RW_MASK_CAUSAL,
                    .size = 1.0f};
    check_attention(b, &decode, ordinary);
    shape many = {.n = 3,
                  .m = 200,
                  .kv = 1,
                  .group = 130,
                  .qk = 32,
                  .v = 32,
                  .q_first = 197,
                  .mask = RW_MASK_CAUSAL,
                  .size = 1.0f};
    check_attention(b, &many, ordinary); /* one position is more than a tile's rows */
    shape blind = {.n = 9,
                   .m = 40,
                   .kv = 2,
                   .group = 2,
                   .qk = 64,
                   .v = 64,
                   .q_first = 0,
                   .k_first = 4,
                   .mask = RW_MASK_CAUSAL,
                   .size = 1.0f};
    check_attention(b, &blind, ordinary); /* the first rows see nothing */
    shape gone = {.n = 9,
                  .m = 40,
                  .kv = 2,
                  .group = 2,
                  .qk = 64,
                  .v = 64,
                  .q_first = 500,
                  .k_first = 4,
                  .window = 3,
                  .mask = RW_MASK_WINDOW,
                  .size = 1.0f};
    check_attention(b, &gone, ordinary); /* all keys have left the window */
}

static void test_attention(void **state) {
    (void)state;
    each_level(attention_shapes);
}

/* Scores far apart: a later tile's maximum makes everything before it vanish, and the other way. */
static void steep_attention(bench *b) {
    for (int rising = 0; rising < 2; rising++) {
        size_t m = 400, dim = 32;
        reseed(7);
        tensor q = make(2, 1, dim, 0, 1), k = make(m, 1, dim, 0, 2), v = make(m, 1, dim, 0, 3);
        tensor out[2] = {make(2, 1, dim, 0, 0)};
        out[1] = copy_of(&out[0]);
        fill(&q, ordinary, 1.0f);
        fill(&v, ordinary, 1.0f);
        for (size_t j = 0; j < m; j++)
            for (size_t d = 0; d < dim; d++)
                *element(&k, j, 0, d) = *element(&q, 0, 0, d) * (float)(rising ? j : m - j);
        for (int i = 0; i < 2; i++) {
            rw_op op = {.kind = RW_OP_ATTENTION,
                        .u.attention = {.q = view_of(&q),
                                        .k = view_of(&k),
                                        .v = view_of(&v),
                                        .out = view_of(&out[i]),
                                        .mask = RW_MASK_NONE,
                                        .scale = 1.0f}};
            run(b, i, &op);
        }
        check_close(&out[0], &out[1], 2e-3, b->level); /* scores near 4000: 2^-11 of rounding */
        release(&q), release(&k), release(&v), release(&out[0]), release(&out[1]);
    }
}

static void test_steep(void **state) {
    (void)state;
    each_level(steep_attention);
}

/* ---- the reference against the definition ---------------------------------------------------- */

/* Quadratic: all scores of a row at once, in double. For tests only. */
static void test_reference_attention(void **state) {
    (void)state;
    bench b;
    bench_open(&b, RW_CPU_GENERIC, 1);
    reseed(3);
    enum { N = 7, M = 12, DIM = 16 };
    tensor q = make(N, 2, DIM, 0, 0), k = make(M, 1, DIM, 0, 0), v = make(M, 1, DIM, 0, 0);
    tensor out = make(N, 2, DIM, 0, 0), lse = make(N, 1, 2, 0, 0);
    fill(&q, ordinary, 2.0f), fill(&k, ordinary, 1.0f), fill(&v, ordinary, 1.0f);
    rw_op op = {.kind = RW_OP_ATTENTION,
                .u.attention = {.q = view_of(&q),
                                .k = view_of(&k),
                                .v = view_of(&v),
                                .out = view_of(&out),
                                .lse = view_of(&lse),
                                .q_first = 5,
                                .mask = RW_MASK_WINDOW,
                                .window = 4,
                                .scale = 0.25f}};
    run(&b, 0, &op);
    for (size_t i = 0; i < N; i++)
        for (size_t h = 0; h < 2; h++) {
            double total = 0.0, sum[DIM] = {0};
            for (size_t j = i + 2; j <= i + 5; j++) { /* positions 5 + i - 3 .. 5 + i */
                double score = 0.0;
                for (size_t d = 0; d < DIM && j < M; d++)
                    score += (double)*element(&q, i, h, d) * *element(&k, j, 0, d);
                double weight = j < M ? exp(0.25 * score) : 0.0;
                total += weight;
                for (size_t d = 0; d < DIM && j < M; d++)
                    sum[d] += weight * *element(&v, j, 0, d);
            }
            assert_true(fabs(log(total) - *element(&lse, i, 0, h)) < 1e-5);
            for (size_t d = 0; d < DIM; d++)
                assert_true(fabs(sum[d] / total - *element(&out, i, h, d)) < 1e-5);
        }
    release(&q), release(&k), release(&v), release(&out), release(&lse);
    bench_close(&b);
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

/* ---- row by row ------------------------------------------------------------------------------ */

static void gate_shapes(bench *b) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        reseed(seed);
        size_t n = between(1, 20), width = between(1, 600);
        rw_gate_kind kind = seed % 2 ? RW_GATE_SILU : RW_GATE_GELU_TANH;
        tensor gate = make(n, 1, width, between(0, 3), between(0, 7));
        tensor up = make(n, 1, width, 0, between(0, 7));
        tensor out[2] = {make(n, 1, width, between(0, 3), between(0, 7))};
        out[1] = copy_of(&out[0]);
        fill(&gate, nasty, seed % 3 ? 10.0f : 200.0f); /* 200: exp over- and underflows */
        fill(&up, nasty, 1.0f);
        for (int i = 0; i < 2; i++) {
            rw_op op = {.kind = RW_OP_GATE,
                        .u.gate = {.kind = kind,
                                   .gate = view_of(&gate),
                                   .up = view_of(&up),
                                   .out = view_of(&out[i])}};
            run(b, i, &op);
        }
        check_close(&out[0], &out[1], 1e-6, b->level);
        for (size_t i = 0; i < n * width;
             i++) { /* small results are as exact: exp itself is seen */
            double want = *element(&out[0], i / width, 0, i % width);
            double got = *element(&out[1], i / width, 0, i % width);
            /* gelu's exponential has an argument up to 88, rounded three times */
            double digits = kind == RW_GATE_SILU ? 2e-6 : 2e-5;
            if (!(fabs(want - got) <= digits * fabs(want) + 1e-30))
                fail_msg("seed %llu, %s gate width=%zu: %.9g, wanted %.9g",
                         (unsigned long long)seed_now, b->level, width, got, want);
        }
        release(&gate), release(&up), release(&out[0]), release(&out[1]);
    }
}

static void test_gate(void **state) {
    (void)state;
    each_level(gate_shapes);
}

/* Rotating by an angle and back, both pairings, part of the head; the rest must stand. */
static void test_rotate(void **state) {
    (void)state;
    bench b;
    bench_open(&b, RW_CPU_BEST, 2);
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        reseed(5);
        tensor x = make(3, 2, 10, 1, 1), before, cosine = make(3, 1, 4, 0, 0),
               sine = make(3, 1, 4, 0, 0);
        fill(&x, ordinary, 1.0f);
        before = copy_of(&x);
        for (size_t i = 0; i < 12; i++) {
            *element(&cosine, i / 4, 0, i % 4) = (float)cos(0.3 * (double)i);
            *element(&sine, i / 4, 0, i % 4) = (float)sin(0.3 * (double)i);
        }
        rw_op op = {.kind = RW_OP_ROTATE,
                    .u.rotate = {.x = view_of(&x),
                                 .cos = view_of(&cosine),
                                 .sin = view_of(&sine),
                                 .interleaved = interleaved}};
        run(&b, 1, &op);
        for (size_t k = 0; k < 4; k++) {
            size_t first = interleaved ? 2 * k : k, second = interleaved ? 2 * k + 1 : k + 4;
            double a = *element(&before, 2, 1, first), c = *element(&before, 2, 1, second);
            double angle = 0.3 * (double)(8 + k);
            assert_true(fabs(*element(&x, 2, 1, first) - (a * cos(angle) - c * sin(angle))) < 1e-6);
            assert_true(fabs(*element(&x, 2, 1, second) - (c * cos(angle) + a * sin(angle))) <
                        1e-6);
        }
        assert_true(*element(&x, 2, 1, 8) == *element(&before, 2, 1, 8));
        assert_true(*element(&x, 2, 1, 9) == *element(&before, 2, 1, 9));
        check_margins(&x, "rotate");
        release(&x), release(&before), release(&cosine), release(&sine);
    }
    bench_close(&b);
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
        cmocka_unit_test(test_linear), cmocka_unit_test(test_attention),
        cmocka_unit_test(test_steep),  cmocka_unit_test(test_reference_attention),
        cmocka_unit_test(test_loss),   cmocka_unit_test(test_gate),
        cmocka_unit_test(test_rotate), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
