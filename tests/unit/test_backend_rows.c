/*
 * Work row by row: numbers on their way into the cache and back, rotation, norm, sum, gate, and the
 * exponential that softmax stands on. Every level gives the bits of the portable code, but for the
 * order of a norm's sum and the gate's exponential.
 */
#include "backend/cpu/attention.h"
#include "backend_support.h"

/* ---- the conversions themselves -------------------------------------------------------------- */

static float after(float x, int steps) { /* neighbours in float32 */
    return rw_of_bits(rw_bits_of(x) + (uint32_t)steps);
}

/* Every float16 comes back; between two neighbours the nearer wins, at the middle the even one. */
static void test_f16(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x7c00; half++) {
        float x = rw_of_f16((uint16_t)half), next = rw_of_f16((uint16_t)(half + 1));
        float middle = half == 0x7bff ? 65520.0f : (float)(((double)x + next) / 2.0);
        uint16_t even = (uint16_t)(half + (half & 1));
        assert_int_equal(rw_f16_of(x), half);
        assert_int_equal(rw_f16_of(-x), half | 0x8000);
        assert_int_equal(rw_f16_of(middle), even);
        assert_int_equal(rw_f16_of(-middle), even | 0x8000);
        assert_int_equal(rw_f16_of(after(middle, -1)), half);
        assert_int_equal(rw_f16_of(after(middle, 1)), half + 1);
    }
    assert_true(rw_of_f16(1) == 0x1p-24f && rw_of_f16(0x3c00) == 1.0f);
    assert_true(rw_of_f16(0x7bff) == 65504.0f && rw_of_f16(0x7c00) == INFINITY);
    assert_int_equal(rw_f16_of(INFINITY), 0x7c00);
    assert_int_equal(rw_f16_of(0x1.fffffep+127f), 0x7c00);
    assert_true(isnan(rw_of_f16(rw_f16_of(NAN))) && isnan(rw_of_f16(0xfc01)));
    assert_true(isnan(rw_of_f16(rw_f16_of(rw_of_bits(0x7f800001)))));
}

static void test_bf16(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x7f80; half++) {
        float x = rw_of_bf16((uint16_t)half), middle = rw_of_bits(half << 16 | 0x8000);
        uint16_t even = (uint16_t)(half + (half & 1));
        assert_int_equal(rw_bf16_of(x), half);
        assert_int_equal(rw_bf16_of(-x), half | 0x8000);
        assert_int_equal(rw_bf16_of(middle), even);
        assert_int_equal(rw_bf16_of(after(middle, -1)), half);
        assert_int_equal(rw_bf16_of(after(middle, 1)), half + 1);
    }
    assert_int_equal(rw_bf16_of(INFINITY), 0x7f80);
    assert_true(isnan(rw_of_bf16(rw_bf16_of(rw_of_bits(0x7f800001)))));
    assert_true(isnan(rw_of_bf16(rw_bf16_of(rw_of_bits(0xffffffff)))));
}

/* A block of multiples of its scale comes back as it is, halves move away from 0; what is not
   finite is seen again. tests/peers/backend_store.py compares with gguf. */
static void test_q8_0(void **state) {
    (void)state;
    float x[RW_Q8_0_ELEMENTS], y[RW_Q8_0_ELEMENTS];
    uint8_t block[RW_Q8_0_BYTES];
    for (int i = 0; i < RW_Q8_0_ELEMENTS; i++)
        x[i] = i == 5 ? -254.0f : (float)(2 * i); /* scale 2 */
    rw_q8_0_of(x, block), rw_of_q8_0(block, y);
    assert_memory_equal(x, y, sizeof x);
    x[0] = 1.0f, x[1] = -1.0f, x[2] = 0x1.fffffep-1f, x[3] = 3.0f; /* 0.5, -0.5, below 0.5, 1.5 */
    rw_q8_0_of(x, block), rw_of_q8_0(block, y);
    assert_true(y[0] == 2.0f && y[1] == -2.0f && y[2] == 0.0f && y[3] == 4.0f);
    for (int i = 0; i < RW_Q8_0_ELEMENTS; i++)
        x[i] = i % 2 ? 1e-45f : -0.0f;
    rw_q8_0_of(x, block), rw_of_q8_0(block, y);
    for (int i = 0; i < RW_Q8_0_ELEMENTS; i++)
        assert_true(y[i] == 0.0f);
    x[7] = NAN;
    rw_q8_0_of(x, block), rw_of_q8_0(block, y);
    assert_true(isnan(y[0]) && isnan(y[31]));
    x[7] = -INFINITY;
    rw_q8_0_of(x, block), rw_of_q8_0(block, y);
    assert_true(isnan(y[0]) && isnan(y[31]));
}

/* ---- store ----------------------------------------------------------------------------------- */

static float any_bits(float size) { /* NaN, infinities and subnormals among them */
    (void)size;
    return rw_of_bits((uint32_t)next_random());
}

/* Near the borders of what float16 can hold, where rounding is most likely to go wrong. */
static float small_or_large(float size) {
    return ldexpf(ordinary(size), (int)between(0, 44) - 28);
}

static void store_shapes(machine *m) {
    static const rw_element elements[] = {RW_ELEMENT_F32, RW_ELEMENT_F16, RW_ELEMENT_BF16,
                                          RW_ELEMENT_Q8_0};
    static float (*const draws[])(float) = {ordinary, nasty, small_or_large, any_bits};
    for (uint64_t seed = 1; seed <= 120; seed++) {
        reseed(seed);
        rw_element element = elements[seed % 4];
        size_t dim = element == RW_ELEMENT_Q8_0 ? 32 * between(1, 8) : between(1, 260);
        size_t rows = seed == 100 ? 300 : between(1, 9), heads = between(1, 4);
        tensor x = make_anywhere(RW_ELEMENT_F32, rows, heads, dim);
        tensor out = make_anywhere(element, rows, heads, dim), want = copy_of(&out);
        fill(&x, draws[seed / 4 % 4], 1.0f);
        for (size_t r = 0; r < rows; r++)
            for (size_t h = 0; h < heads; h++)
                rw_to_cache(element, f32_of(&x, r, h), row_of(&want, r, h), dim);
        rw_op op = {.kind = RW_OP_STORE, .u.store = {.x = view_of(&x), .out = view_of(&out)}};
        run(m, &op);
        char what[100];
        snprintf(what, sizeof what, "%s store element=%d [%zu][%zu][%zu]", m->level, (int)element,
                 rows, heads, dim);
        check_same(&want, &out, what);
        release(&x), release(&out), release(&want);
    }
}

static void test_store(void **state) {
    (void)state;
    each_level(store_shapes);
}

#if defined(__x86_64__)

/* Every number that a cache can hold is read as the portable code reads it. */
static void widen_all(const rw_cpu_rows *isa) {
    enum { N = 65536 };
    static uint16_t halves[N];
    static float wide[N], want[N];
    static uint8_t blocks[64 * RW_Q8_0_BYTES];
    for (size_t i = 0; i < N; i++)
        halves[i] = (uint16_t)i;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        rw_packed_rows rows = {.element = bf16 ? RW_ELEMENT_BF16 : RW_ELEMENT_F16,
                               .first = (const char *)halves,
                               .apart = 2 * 61,
                               .rows = N / 61,
                               .n = 61}; /* with a tail */
        isa->widen(&rows, wide, 61);
        for (size_t i = 0; i < N; i++)
            want[i] = bf16 ? rw_of_bf16(halves[i]) : rw_of_f16(halves[i]);
        assert_memory_equal(wide, want, N / 61 * 61 * sizeof(float));
    }
    reseed(1);
    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (uint8_t)next_random();
    rw_packed_rows rows = {.element = RW_ELEMENT_Q8_0,
                           .first = (const char *)blocks,
                           .apart = 2 * RW_Q8_0_BYTES,
                           .rows = 32,
                           .n = 2 * RW_Q8_0_ELEMENTS};
    isa->widen(&rows, wide, 64);
    rw_from_cache(RW_ELEMENT_Q8_0, blocks, want, 64 * RW_Q8_0_ELEMENTS);
    for (size_t i = 0; i < 64 * RW_Q8_0_ELEMENTS; i++)
        assert_true(rw_bits_of(wide[i]) == rw_bits_of(want[i]) ||
                    (isnan(wide[i]) && isnan(want[i])));
}

static void test_widen(void **state) {
    (void)state;
    machine m;
    if (!machine_open(&m, RW_CPU_AVX2, 1))
        skip();
    widen_all(&rw_avx2_rows);
    machine_close(&m);
}

#endif

/* ---- rotation, norm, sum --------------------------------------------------------------------- */

static void rotate_shapes(machine *m) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reseed(seed);
        size_t rows = seed == 60 ? 400 : between(1, 9), heads = between(1, 4);
        size_t dim = between(2, 256), pairs = between(1, dim / 2);
        tensor x = make_anywhere(RW_ELEMENT_F32, rows, heads, dim);
        tensor cosine = make_anywhere(RW_ELEMENT_F32, rows, 1, pairs);
        tensor sine = make_anywhere(RW_ELEMENT_F32, rows, 1, pairs);
        fill(&x, nasty, 1.0f), fill(&cosine, nasty, 1.0f), fill(&sine, nasty, 1.0f);
        tensor want = copy_of(&x);
        rw_op op = {.kind = RW_OP_ROTATE,
                    .u.rotate = {.x = view_of(&x),
                                 .cos = view_of(&cosine),
                                 .sin = view_of(&sine),
                                 .interleaved = seed % 2}};
        run(m, &op);
        for (size_t r = 0; r < rows; r++)
            for (size_t h = 0; h < heads; h++)
                for (size_t k = 0; k < pairs; k++) {
                    float *first = f32_of(&want, r, h) + (seed % 2 ? 2 * k : k);
                    float *second = seed % 2 ? first + 1 : first + pairs;
                    float c = f32_of(&cosine, r, 0)[k], s = f32_of(&sine, r, 0)[k];
                    float a = *first, b = *second, ac = a * c, bs = b * s, bc = b * c, as = a * s;
                    *first = ac - bs;
                    *second = bc + as;
                }
        check_same(&want, &x, m->level);
        release(&x), release(&cosine), release(&sine), release(&want);
    }
}

static void test_rotate(void **state) {
    (void)state;
    each_level(rotate_shapes);
}

static void norm_shapes(machine *m) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reseed(seed);
        size_t rows = seed == 60 ? 100 : between(1, 9), width = between(1, 900);
        tensor x = make_anywhere(RW_ELEMENT_F32, rows, 1, width);
        tensor weight = make_anywhere(RW_ELEMENT_F32, 1, 1, width);
        tensor out = make_anywhere(RW_ELEMENT_F32, rows, 1, width);
        fill(&x, nasty, seed % 3 ? 1.0f : 1e15f), fill(&weight, nasty, 2.0f);
        bool in_place = seed % 2;
        tensor before = copy_of(&x);
        rw_op op = {.kind = RW_OP_RMS_NORM,
                    .u.rms_norm = {.x = view_of(&x),
                                   .weight = view_of(&weight),
                                   .out = view_of(in_place ? &x : &out),
                                   .eps = 1e-5f}};
        run(m, &op);
        check_margins(in_place ? &x : &out, m->level);
        for (size_t r = 0; r < rows; r++) {
            const float *a = f32_of(&before, r, 0), *w = f32_of(&weight, 0, 0);
            const float *got = f32_of(in_place ? &x : &out, r, 0);
            double sum = 0.0;
            for (size_t i = 0; i < width; i++)
                sum += (double)a[i] * a[i];
            double factor = 1.0 / sqrt(sum / (double)width + (double)1e-5f);
            for (size_t i = 0; i < width; i++) {
                double want = a[i] * factor * w[i];
                if (fabs(got[i] - want) > 0x1p-22 * fabs(want) + 1e-44)
                    fail_msg("seed %llu, %s norm width=%zu [%zu][%zu]: %.9g, wanted %.9g",
                             (unsigned long long)seed_now, m->level, width, r, i, (double)got[i],
                             want);
            }
        }
        release(&x), release(&weight), release(&out), release(&before);
    }
}

static void test_norm(void **state) {
    (void)state;
    each_level(norm_shapes);
}

static void add_shapes(machine *m) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        reseed(seed);
        size_t rows = seed == 40 ? 100 : between(1, 9), width = between(1, 900);
        tensor x = make_anywhere(RW_ELEMENT_F32, rows, 1, width);
        tensor y = make_anywhere(RW_ELEMENT_F32, rows, 1, width);
        fill(&x, nasty, 1.0f), fill(&y, nasty, 1.0f);
        tensor want = copy_of(&x);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < width; i++)
                f32_of(&want, r, 0)[i] += f32_of(&y, r, 0)[i];
        rw_op op = {.kind = RW_OP_ADD, .u.add = {.x = view_of(&x), .y = view_of(&y)}};
        run(m, &op);
        check_same(&want, &x, m->level);
        release(&x), release(&y), release(&want);
    }
}

static void test_add(void **state) {
    (void)state;
    each_level(add_shapes);
}

/* ---- gates ----------------------------------------------------------------------------------- */

static double activated(rw_gate_kind kind, double x) {
    double u = sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
    return x / (1.0 + exp(kind == RW_GATE_SILU ? -x : -2.0 * u));
}

/* Small results are as exact as large ones: exp itself is seen. The argument of gelu's, up to 88,
   is rounded a few times. */
static void check_gate(const machine *m, rw_gate_kind kind, const tensor *gate, const tensor *up,
                       const tensor *out) {
    double digits = kind == RW_GATE_SILU ? 2e-6 : 2e-5;
    check_margins(out, m->level);
    for (size_t r = 0; r < gate->view.shape[0]; r++)
        for (size_t i = 0; i < gate->view.shape[2]; i++) {
            double want = activated(kind, f32_of(gate, r, 0)[i]) * f32_of(up, r, 0)[i];
            double got = f32_of(out, r, 0)[i];
            if (!(fabs(want - got) <= digits * fabs(want) + 1e-30))
                fail_msg("seed %llu, %s gate %d width=%zu [%zu][%zu] of %.9g: %.9g, wanted %.9g",
                         (unsigned long long)seed_now, m->level, (int)kind, gate->view.shape[2], r,
                         i, (double)f32_of(gate, r, 0)[i], got, want);
        }
}

static void gate_shapes(machine *m) {
    static const float sizes[] = {1.0f, 10.0f, 200.0f, 1e12f}; /* exp over- and underflows */
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reseed(seed);
        size_t n = between(1, 20), width = between(1, 600);
        rw_gate_kind kind = seed % 2 ? RW_GATE_SILU : RW_GATE_GELU_TANH;
        tensor gate = make_anywhere(RW_ELEMENT_F32, n, 1, width);
        tensor up = make_anywhere(RW_ELEMENT_F32, n, 1, width);
        tensor out = make_anywhere(RW_ELEMENT_F32, n, 1, width);
        fill(&gate, nasty, sizes[seed / 2 % 4]), fill(&up, nasty, 1.0f);
        rw_op op = {
            .kind = RW_OP_GATE,
            .u.gate = {
                .kind = kind, .gate = view_of(&gate), .up = view_of(&up), .out = view_of(&out)}};
        run(m, &op);
        check_gate(m, kind, &gate, &up, &out);
        op.u.gate.out = view_of(&up); /* in place */
        tensor before = copy_of(&up);
        run(m, &op);
        check_gate(m, kind, &gate, &before, &up);
        release(&gate), release(&up), release(&out), release(&before);
    }
}

static void test_gate(void **state) {
    (void)state;
    each_level(gate_shapes);
}

/* ---- the exponential of softmax -------------------------------------------------------------- */

#if defined(__x86_64__)

/* Weights of scores from 0 down: within 2 units in the last place; nothing is left of -inf. */
static void exponential(const rw_cpu_attention *isa) {
    enum { KEYS = 64 };
    static float scores[(KEYS + 1) * RW_PANEL_MAX], before[KEYS * RW_PANEL_MAX];
    float max[RW_PANEL_MAX], sum[RW_PANEL_MAX], tile_sum[RW_PANEL_MAX] = {0};
    float o[RW_PANEL_MAX * RW_KEY_BLOCK];
    size_t width = RW_PANEL_VECTORS * isa->lanes;
    rw_panel panel = {.width = width,
                      .v_dim = RW_KEY_BLOCK,
                      .scores = scores,
                      .o = o,
                      .max = max,
                      .sum = sum,
                      .tile_sum = tile_sum};
    reseed(1);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < KEYS * width; i++)
            scores[i] = before[i] = i < width ? 0.0f : -fabsf(ordinary(round % 2 ? 126.0f : 2.0f));
        scores[width] = before[width] = -INFINITY;
        for (size_t i = 0; i < width; i++)
            max[i] = -INFINITY, sum[i] = 0.0f;
        memset(o, 0, sizeof o);
        isa->soften(&panel, 0, KEYS);
        for (size_t i = 0; i < KEYS * width; i++) {
            bool gone = before[i] == -INFINITY;
            double want = exp2(before[i]), unit = ldexp(1.0, gone ? 0 : ilogb(want) - 23);
            if (gone ? scores[i] != 0.0f : fabs(scores[i] - want) > 2.0 * unit)
                fail_msg("2^%.9g is %.9g, wanted %.9g", (double)before[i], (double)scores[i], want);
        }
    }
}

static void test_exponential(void **state) {
    (void)state;
    static const struct {
        rw_cpu_level level;
        const rw_cpu_attention *isa;
    } levels[] = {{RW_CPU_AVX2, &rw_avx2_attention}, {RW_CPU_AVX512, &rw_avx512_attention}};
    for (int i = 0; i < 2; i++) {
        machine m;
        if (!machine_open(&m, levels[i].level, 1))
            continue;
        exponential(levels[i].isa);
        machine_close(&m);
    }
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f16),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_q8_0),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_gate),
#if defined(__x86_64__)
        cmocka_unit_test(test_widen),
        cmocka_unit_test(test_exponential),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
