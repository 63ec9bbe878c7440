/*
 * Attention at every level of the ladder against its definition in double, on random and nasty
 * shapes, and what must hold whatever the numbers are: the same bits for any number of threads, any
 * chunks, any poison. A failure prints seed and shape.
 */
#include "backend_support.h"

typedef struct shape {
    size_t n, m, kv, group, qk, v;
    rw_element k_element, v_element;
    int64_t q_first, k_first, window;
    rw_mask mask;
    size_t pairs; /* of raw keys; 0: they are turned already */
    bool interleaved;
    float softcap;
    float size; /* of the queries: large ones make the softmax sharp */
} shape;

/* Everything that an operation reads and writes. */
typedef struct problem {
    shape s;
    char what[256];
    tensor q, k, v, cosine, sine, out, lse;
} problem;

static problem make_problem(const machine *m, const shape *s, float (*draw)(float)) {
    problem p = {.s = *s};
    size_t heads = s->kv * s->group;
    snprintf(p.what, sizeof p.what,
             "%s attention n=%zu m=%zu kv=%zu group=%zu qk=%zu v=%zu elements=%d,%d q0=%lld "
             "k0=%lld mask=%d window=%lld pairs=%zu%s softcap=%g size=%g",
             m->level, s->n, s->m, s->kv, s->group, s->qk, s->v, (int)s->k_element,
             (int)s->v_element, (long long)s->q_first, (long long)s->k_first, (int)s->mask,
             (long long)s->window, s->pairs, s->interleaved ? " interleaved" : "",
             (double)s->softcap, (double)s->size);
    p.q = make_anywhere(RW_ELEMENT_F32, s->n, heads, s->qk);
    p.k = make_anywhere(s->k_element, s->m, s->kv, s->qk);
    p.v = make_anywhere(s->v_element, s->m, s->kv, s->v);
    p.out = make_anywhere(RW_ELEMENT_F32, s->n, heads, s->v);
    p.lse = make_anywhere(RW_ELEMENT_F32, s->n, 1, heads);
    p.cosine = make_anywhere(RW_ELEMENT_F32, s->m, 1, s->pairs ? s->pairs : 1);
    p.sine = make_anywhere(RW_ELEMENT_F32, s->m, 1, s->pairs ? s->pairs : 1);
    fill(&p.q, draw, s->size), fill(&p.k, draw, 1.0f), fill(&p.v, draw, 1.0f);
    fill(&p.cosine, ordinary, 1.0f), fill(&p.sine, ordinary, 1.0f);
    return p;
}

static void release_problem(problem *p) {
    release(&p->q), release(&p->k), release(&p->v), release(&p->cosine), release(&p->sine);
    release(&p->out), release(&p->lse);
}

static rw_op op_of(const problem *p) {
    rw_op op = {.kind = RW_OP_ATTENTION,
                .u.attention = {.q = view_of(&p->q),
                                .k = view_of(&p->k),
                                .v = view_of(&p->v),
                                .out = view_of(&p->out),
                                .lse = view_of(&p->lse),
                                .q_first = p->s.q_first,
                                .k_first = p->s.k_first,
                                .mask = p->s.mask,
                                .window = p->s.window,
                                .interleaved = p->s.interleaved,
                                .scale = 1.0f / sqrtf((float)p->s.qk),
                                .softcap = p->s.softcap}};
    if (p->s.pairs != 0) {
        op.u.attention.k_cos = view_of(&p->cosine);
        op.u.attention.k_sin = view_of(&p->sine);
    }
    return op;
}

/* ---- the definition, in double --------------------------------------------------------------- */

enum { KEYS_MAX = 2048, HEAD_MAX = 256 };

static bool sees(const shape *s, size_t i, size_t j) {
    int64_t q = s->q_first + (int64_t)i, k = s->k_first + (int64_t)j;
    return s->mask == RW_MASK_NONE || (k <= q && (s->mask == RW_MASK_CAUSAL || k > q - s->window));
}

static void read_key(const problem *p, size_t j, size_t head, double *key) {
    float row[HEAD_MAX];
    rw_from_cache(p->s.k_element, row_of(&p->k, j, head), row, p->s.qk);
    for (size_t d = 0; d < p->s.qk; d++)
        key[d] = row[d];
    for (size_t t = 0; t < p->s.pairs; t++) {
        size_t first = p->s.interleaved ? 2 * t : t;
        size_t second = p->s.interleaved ? first + 1 : t + p->s.pairs;
        double c = f32_of(&p->cosine, j, 0)[t], s = f32_of(&p->sine, j, 0)[t];
        double a = key[first], b = key[second];
        key[first] = a * c - b * s;
        key[second] = b * c + a * s;
    }
}

/* One row's result, and by how much float32 may miss it: a score's rounding errors, relative to
   the sum of its terms' magnitudes, become relative errors of its weight. */
typedef struct exact {
    double out[HEAD_MAX], lse, error, largest;
} exact;

static void attend_exactly(const problem *p, size_t i, size_t h, exact *e) {
    static double scores[KEYS_MAX];
    double key[HEAD_MAX], max = -INFINITY, terms = 0.0, total = 0.0;
    float value[HEAD_MAX];
    *e = (exact){0};
    for (size_t j = 0; j < p->s.m; j++) {
        double sum = 0.0, size = 0.0;
        read_key(p, j, h / p->s.group, key);
        for (size_t d = 0; d < p->s.qk; d++) {
            double term = f32_of(&p->q, i, h)[d] * key[d] / sqrt((double)p->s.qk);
            sum += term;
            size += fabs(term);
        }
        if (p->s.softcap > 0.0f)
            sum = (double)p->s.softcap * tanh(sum / (double)p->s.softcap);
        scores[j] = sees(&p->s, i, j) ? sum : -INFINITY;
        max = fmax(max, scores[j]);
        terms = fmax(terms, size);
    }
    for (size_t j = 0; j < p->s.m && max > -INFINITY; j++) {
        double weight = exp(scores[j] - max);
        if (weight == 0.0)
            continue;
        rw_from_cache(p->s.v_element, row_of(&p->v, j, h / p->s.group), value, p->s.v);
        total += weight;
        for (size_t d = 0; d < p->s.v; d++) {
            e->out[d] += weight * value[d];
            e->largest = fmax(e->largest, fabs((double)value[d]));
        }
    }
    for (size_t d = 0; d < p->s.v && total > 0.0; d++)
        e->out[d] /= total;
    e->lse = total > 0.0 ? max + log(total) : -INFINITY;
    e->error = 0x1p-24 * ((4.0 * sqrt((double)p->s.qk) + 8.0) * terms + 16.0 +
                          2.0 * sqrt((double)p->s.m) + (double)p->s.softcap);
}

static bool close_to(double got, double want, double error) {
    /* beside an infinity every error is within bounds that grow with it */
    return got == want || (isfinite(want) && fabs(got - want) <= error);
}

static void check_problem(const problem *p) {
    exact e;
    check_margins(&p->out, p->what);
    check_margins(&p->lse, p->what);
    for (size_t i = 0; i < p->s.n; i++)
        for (size_t h = 0; h < p->s.kv * p->s.group; h++) {
            attend_exactly(p, i, h, &e);
            double lse = f32_of(&p->lse, i, 0)[h];
            if (!close_to(lse, e.lse, e.error + 0x1p-22 * fabs(e.lse)))
                fail_msg("seed %llu, %s: LSE [%zu][%zu] is %.9g, wanted %.9g",
                         (unsigned long long)seed_now, p->what, i, h, lse, e.lse);
            for (size_t d = 0; d < p->s.v; d++) {
                double got = f32_of(&p->out, i, h)[d];
                if (!close_to(got, e.out[d], 2.0 * e.error * e.largest))
                    fail_msg("seed %llu, %s: [%zu][%zu][%zu] is %.9g, wanted %.9g",
                             (unsigned long long)seed_now, p->what, i, h, d, got, e.out[d]);
            }
        }
}

static void check_shape(machine *m, const shape *s, float (*draw)(float)) {
    problem p = make_problem(m, s, draw);
    rw_op op = op_of(&p);
    run(m, &op);
    check_problem(&p);
    release_problem(&p);
}

/* What check_problem says, without a message. */
static bool agrees(const problem *p) {
    exact e;
    for (size_t i = 0; i < p->s.n; i++)
        for (size_t h = 0; h < p->s.kv * p->s.group; h++) {
            attend_exactly(p, i, h, &e);
            if (!close_to(f32_of(&p->lse, i, 0)[h], e.lse, e.error + 0x1p-22 * fabs(e.lse)))
                return false;
            for (size_t d = 0; d < p->s.v; d++)
                if (!close_to(f32_of(&p->out, i, h)[d], e.out[d], 2.0 * e.error * e.largest))
                    return false;
        }
    return true;
}

/* ---- random shapes --------------------------------------------------------------------------- */

static rw_element any_element(size_t dim) {
    static const rw_element elements[] = {RW_ELEMENT_F32, RW_ELEMENT_F16, RW_ELEMENT_BF16,
                                          RW_ELEMENT_Q8_0};
    return elements[next_random() % (dim % RW_Q8_0_ELEMENTS ? 3 : 4)];
}

static void draw_dims(shape *s) {
    static const size_t dims[] = {32, 33, 40, 64, 64, 80, 96, 100, 128, 192, 256};
    s->qk = dims[next_random() % 11];
    s->v = next_random() % 2 ? s->qk : dims[next_random() % 11];
    s->k_element = any_element(s->qk);
    s->v_element = next_random() % 4 && s->v == s->qk ? s->k_element : any_element(s->v);
    if (next_random() % 3 == 0) {
        s->pairs = between(1, s->qk / 2);
        s->interleaved = next_random() % 2;
    }
}

static void draw_positions(shape *s) {
    s->mask = (rw_mask)(next_random() % 3);
    s->k_first = (int64_t)between(0, 1 << 20);
    /* often a chunk behind its keys, sometimes rows that see nothing */
    int64_t behind = (int64_t)(next_random() % 2 ? s->n : between(0, 2 * s->m));
    s->q_first = s->k_first + (int64_t)s->m - behind;
    s->window = (int64_t)between(1, 200);
}

static shape random_shape(void) {
    static const size_t queries[] = {1, 1, 2, 3, 4, 5, 9, 16, 17, 40, 70};
    shape s = {.n = queries[next_random() % 11], .m = between(1, 300), .kv = between(1, 3)};
    s.group = next_random() % 2 ? between(1, 4) : between(1, 16);
    draw_dims(&s);
    draw_positions(&s);
    s.softcap = between(0, 3) ? 0.0f : 1.5f;
    s.size = next_random() % 3 ? 1.0f : 8.0f;
    while (s.n * s.m * s.kv * s.group * (s.qk + s.v) > 3000000) /* the definition is slow */
        s.n > 1 ? (s.n = (s.n + 1) / 2) : (s.m = (s.m + 1) / 2);
    return s;
}

static void random_shapes(machine *m) {
    for (uint64_t seed = 1; seed <= 150; seed++) {
        reseed(seed);
        shape s = random_shape();
        check_shape(m, &s, seed % 2 ? nasty : ordinary);
    }
}

static void test_random(void **state) {
    (void)state;
    each_level(random_shapes);
}

/* ---- chosen shapes --------------------------------------------------------------------------- */

static const shape plain = {.n = 1,
                            .m = 100,
                            .kv = 1,
                            .group = 3,
                            .qk = 64,
                            .v = 64,
                            .k_element = RW_ELEMENT_F16,
                            .v_element = RW_ELEMENT_F16,
                            .mask = RW_MASK_CAUSAL,
                            .size = 1.0f};

/* The borders of tiles, panels, blocks and ranges, with the queries at the keys' end. */
static void borders(machine *m) {
    static const size_t keys[] = {1, 7, 8, 9, 63, 64, 65, 95, 96, 97, 192, 255, 256, 257, 600};
    reseed(2000);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        for (size_t n = 1; n <= 33; n += n < 4 ? 1 : 29)
            for (int mask = RW_MASK_CAUSAL; mask <= RW_MASK_WINDOW; mask++) {
                shape s = plain;
                s.n = n, s.m = keys[i], s.qk = s.v = 32;
                s.q_first = (int64_t)keys[i] - (int64_t)n;
                s.mask = (rw_mask)mask, s.window = (int64_t)(keys[i] / 2 + 1);
                check_shape(m, &s, ordinary);
            }
}

static void test_borders(void **state) {
    (void)state;
    each_level(borders);
}

static void blind_rows(machine *m) {
    reseed(3000);
    for (size_t n = 1; n <= 65; n += 16)
        for (int gone = 0; gone < 2; gone++) {
            shape s = plain;
            s.n = n, s.m = 40;
            s.k_first = 4; /* the first queries are too early, or all keys have left the window */
            s.q_first = gone ? 500 : 0;
            s.mask = gone ? RW_MASK_WINDOW : RW_MASK_CAUSAL, s.window = 3;
            check_shape(m, &s, ordinary);
        }
}

static void test_blind(void **state) {
    (void)state;
    each_level(blind_rows);
}

/* More heads in a group than a tile has rows; and a group that fills it exactly. */
static void large_groups(machine *m) {
    static const size_t groups[] = {16, 130, 192, 200};
    reseed(4000);
    for (size_t i = 0; i < 4; i++)
        for (size_t n = 1; n <= 3; n++) {
            shape s = plain;
            s.n = n, s.group = groups[i], s.m = 120, s.qk = s.v = 32;
            s.q_first = 120 - (int64_t)n;
            check_shape(m, &s, ordinary);
        }
}

static void test_large_groups(void **state) {
    (void)state;
    each_level(large_groups);
}

/* Scores that rise or fall by a lot from key to key: maxima move, sums are brought along. */
static void steep(machine *m) {
    for (int rising = 0; rising < 2; rising++)
        for (size_t n = 1; n <= 21; n += 20) {
            reseed(5000);
            shape s = plain;
            s.n = n, s.m = 400, s.k_element = RW_ELEMENT_F32, s.mask = RW_MASK_NONE;
            problem p = make_problem(m, &s, ordinary);
            for (size_t j = 0; j < s.m; j++)
                for (size_t d = 0; d < s.qk; d++)
                    f32_of(&p.k, j, 0)[d] *=
                        0.02f * (float)(rising ? j * j : (s.m - j) * (s.m - j));
            rw_op op = op_of(&p);
            run(m, &op);
            check_problem(&p);
            release_problem(&p);
        }
}

static void test_steep(void **state) {
    (void)state;
    each_level(steep);
}

/* ---- what a fault would look like -------------------------------------------------------------
 */

/* The definition of another problem, with the numbers of this one. */
static void change(shape *s, int fault) {
    switch (fault) {
    case 0:
        s->softcap = 0.0f;
        break;
    case 1:
        s->softcap *= 1.01f;
        break;
    case 2:
        s->window--;
        break;
    case 3:
        s->window++;
        break;
    case 4:
        s->mask = RW_MASK_CAUSAL;
        break;
    case 5:
        s->q_first--;
        break;
    case 6:
        s->q_first++;
        break;
    default: /* all heads with the first KV head */
        s->group *= s->kv;
        s->kv = 1;
    }
}

enum { FAULTS = 8 };

/* One query, a few and many; each of the elements; positions that 20, 31 or 32 bits do not hold.
   The result is right, and would not be taken for that of a kernel with a fault. */
static void sharp(machine *m) {
    static const size_t queries[] = {1, 2, 40};
    static const int64_t first[] = {0, (1 << 20) + 3, INT32_MAX - 60, INT64_C(1) << 40};
    reseed(5500);
    for (size_t i = 0; i < 3; i++)
        for (int turn = 0; turn < 8; turn++) {
            static const rw_element elements[] = {RW_ELEMENT_F32, RW_ELEMENT_F16, RW_ELEMENT_BF16,
                                                  RW_ELEMENT_Q8_0};
            shape s = plain;
            s.n = queries[i], s.m = 150, s.kv = 2, s.mask = RW_MASK_WINDOW, s.window = 37;
            s.k_element = s.v_element = elements[turn % 4];
            s.k_first = first[turn % 4], s.q_first = s.k_first + 105; /* some keys are later */
            s.softcap = turn < 4 ? 2.0f : 0.0f, s.size = 4.0f;
            problem p = make_problem(m, &s, ordinary);
            rw_op op = op_of(&p);
            run(m, &op);
            check_problem(&p);
            /* without a cap there is nothing to be seen of the first two */
            for (int fault = turn < 4 ? 0 : 2; fault < FAULTS; fault++) {
                p.s = s;
                change(&p.s, fault);
                if (agrees(&p))
                    fail_msg("%s: fault %d would not be seen", p.what, fault);
            }
            release_problem(&p);
        }
}

static void test_sharp(void **state) {
    (void)state;
    each_level(sharp);
}

/* ---- what must hold whatever the numbers are ------------------------------------------------- */

static shape middling(size_t n) {
    shape s = plain;
    s.n = n, s.m = 700, s.kv = 2, s.q_first = 700 - (int64_t)n;
    return s;
}

/* The same bits for any number of threads and any poison in the workspace. */
static void threads_at(rw_cpu_level level, size_t n) {
    static const unsigned threads[] = {1, 2, 4};
    tensor first = {0};
    for (int i = 0; i < 4; i++) {
        machine m;
        if (!machine_open(&m, level, threads[i % 3]))
            return;
        reseed(6000);
        shape s = middling(n);
        problem p = make_problem(&m, &s, ordinary);
        rw_op op = op_of(&p);
        run_poisoned(&m, &op, i < 3 ? 0xff : 0x7f);
        if (i == 0)
            first = copy_of(&p.out);
        else
            check_same(&first, &p.out, p.what);
        release_problem(&p);
        machine_close(&m);
    }
    release(&first);
}

static void test_threads(void **state) {
    (void)state;
    for (rw_cpu_level level = RW_CPU_GENERIC; level <= RW_CPU_AVX512; level++)
        threads_at(level, 1), threads_at(level, 2), threads_at(level, 150);
}

/* A prompt in chunks of any size, beyond those that count as decoding, has the bits of a prompt in
   one: each row's sums run over the same tiles of keys. */
static void chunks(machine *m) {
    static const size_t sizes[] = {40, 97, 128, 150};
    reseed(7000);
    shape s = middling(150);
    s.q_first = 0, s.m = 150, s.window = 70;
    for (int mask = RW_MASK_CAUSAL; mask <= RW_MASK_WINDOW; mask++) {
        s.mask = (rw_mask)mask;
        problem p = make_problem(m, &s, ordinary);
        rw_op whole = op_of(&p);
        run(m, &whole);
        for (size_t i = 0; i < 4; i++) {
            tensor out = copy_of(&p.out);
            for (size_t first = 0; first < s.n; first += sizes[i]) {
                size_t count = s.n - first < sizes[i] ? s.n - first : sizes[i];
                rw_op part = op_of(&p);
                rw_op_attention *a = &part.u.attention;
                rw_view into = view_of(&out);
                for (size_t r = first; r < first + count; r++)
                    memset(row_of(&out, r, 0), 0, s.kv * s.group * s.v * sizeof(float));
                a->q = rw_view_rows(a->q, first, count);
                a->out = rw_view_rows(into, first, count);
                a->lse = rw_view_rows(a->lse, first, count);
                a->k = rw_view_rows(a->k, 0, first + count); /* later keys are not there yet */
                a->v = rw_view_rows(a->v, 0, first + count);
                a->q_first = (int64_t)first;
                run(m, &part);
            }
            check_same(&p.out, &out, p.what);
            release(&out);
        }
        release_problem(&p);
    }
}

static void test_chunks(void **state) {
    (void)state;
    each_level(chunks);
}

/* Heads that share keys give the bits of heads that have copies of them. */
static void copies(machine *m) {
    for (size_t n = 1; n <= 61; n += 60) {
        reseed(8000);
        shape s = plain;
        s.n = n, s.m = 130, s.q_first = 130 - (int64_t)n;
        problem shared = make_problem(m, &s, ordinary);
        problem own = shared;
        own.s.kv = 3, own.s.group = 1;
        own.k = make(s.k_element, s.m, 3, s.qk, 0, 1);
        own.v = make(s.v_element, s.m, 3, s.v, 0, 3);
        for (size_t j = 0; j < s.m; j++)
            for (size_t h = 0; h < 3; h++) {
                memcpy(row_of(&own.k, j, h), row_of(&shared.k, j, 0), s.qk * 2);
                memcpy(row_of(&own.v, j, h), row_of(&shared.v, j, 0), s.v * 2);
            }
        own.out = copy_of(&shared.out);
        rw_op op = op_of(&shared), other = op_of(&own);
        run(m, &op), run(m, &other);
        check_same(&shared.out, &own.out, shared.what);
        release(&own.k), release(&own.v), release(&own.out);
        release_problem(&shared);
    }
}

static void test_copies(void **state) {
    (void)state;
    each_level(copies);
}

/* Equal scores over many keys: the sum is their number, and equal values come back. */
static void equal_scores(machine *m) {
    for (size_t n = 1; n <= 9; n += 8) {
        size_t keys = n == 1 ? 131072 : 20000;
        reseed(9000);
        shape s = plain;
        s.n = n, s.m = keys, s.group = 1, s.qk = s.v = 32, s.mask = RW_MASK_NONE;
        problem p = make_problem(m, &s, ordinary);
        float zero[32] = {0}, third[32];
        for (size_t d = 0; d < 32; d++)
            third[d] = 0.333251953125f; /* a float16 */
        for (size_t j = 0; j < keys; j++) {
            rw_to_cache(s.k_element, zero, row_of(&p.k, j, 0), 32);
            rw_to_cache(s.v_element, third, row_of(&p.v, j, 0), 32);
        }
        rw_op op = op_of(&p);
        run(m, &op);
        for (size_t i = 0; i < n; i++) {
            assert_true(fabs(f32_of(&p.lse, i, 0)[0] - log((double)keys)) < 1e-6);
            for (size_t d = 0; d < 32; d++)
                assert_true(fabs((double)(f32_of(&p.out, i, 0)[d] - third[d])) < 2e-6);
        }
        release_problem(&p);
    }
}

static void test_equal_scores(void **state) {
    (void)state;
    each_level(equal_scores);
}

/* One key far above the others: its value comes back. */
static void one_key(machine *m) {
    for (size_t n = 1; n <= 33; n += 32)
        for (size_t at = 0; at < 300; at += 37) {
            reseed(10000 + at);
            shape s = plain;
            s.n = n, s.m = 300, s.mask = RW_MASK_NONE, s.k_element = RW_ELEMENT_F32;
            problem p = make_problem(m, &s, ordinary);
            float value[64];
            for (size_t d = 0; d < s.qk; d++) {
                f32_of(&p.k, at, 0)[d] = 1e4f;
                for (size_t i = 0; i < n; i++)
                    for (size_t h = 0; h < s.group; h++)
                        f32_of(&p.q, i, h)[d] = fabsf(f32_of(&p.q, i, h)[d]) + 0.5f;
            }
            rw_op op = op_of(&p);
            run(m, &op);
            rw_from_cache(s.v_element, row_of(&p.v, at, 0), value, s.v);
            for (size_t i = 0; i < n; i++)
                assert_memory_equal(f32_of(&p.out, i, 0), value, sizeof value);
            release_problem(&p);
        }
}

static void test_one_key(void **state) {
    (void)state;
    each_level(one_key);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_refusals(void **state) {
    (void)state;
    machine m;
    assert_true(machine_open(&m, RW_CPU_GENERIC, 1));
    reseed(1);
    shape s = plain;
    s.pairs = 16;
    problem p = make_problem(&m, &s, ordinary);
    rw_op op = op_of(&p);
    assert_true(m.backend->ops->supports(m.backend, &op));
    op.u.attention.k_cos.shape[0]--; /* not as many angles as keys */
    assert_false(m.backend->ops->supports(m.backend, &op));
    op = op_of(&p);
    op.u.attention.k.element = RW_ELEMENT_Q4_0; /* no cache is made of these */
    assert_false(m.backend->ops->supports(m.backend, &op));
    op = op_of(&p);
    op.u.attention.v.shape[0]--;
    assert_false(m.backend->ops->supports(m.backend, &op));
    release_problem(&p);
    machine_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),   cmocka_unit_test(test_borders),
        cmocka_unit_test(test_blind),    cmocka_unit_test(test_large_groups),
        cmocka_unit_test(test_steep),    cmocka_unit_test(test_threads),
        cmocka_unit_test(test_chunks),   cmocka_unit_test(test_copies),
        cmocka_unit_test(test_one_key),  cmocka_unit_test(test_equal_scores),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_sharp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
