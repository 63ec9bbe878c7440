/*
 * Sessions whose rotation grows with them: token by token gives what reading at once gives. And
 * what a rotation says beside its angles.
 */
#include "model_support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

enum { MOST = 900 };

/* Tokens [0, n) into a session, the first `first` at once and then `step` at a time; the NLL of the
   target behind the last. */
static double read_growing(const test_model *m, const rw_session_options *options,
                           const int32_t *tokens, size_t first, size_t step, size_t n) {
    rw_error err = {0};
    rw_session *session;
    double nll[1];
    rw_outputs last = {.count = 1, .target = tokens + n, .nll = nll};
    assert_ok(rw_session_create(m->model, options, &session, &err));
    for (size_t done = 0, size = first; done < n; done += size, size = step) {
        size = size < n - done ? size : n - done;
        last.first = size - 1;
        assert_ok(rw_session_forward(session, tokens + done, size, &last, NULL, &err));
    }
    assert_int_equal(rw_session_length(session), n);
    rw_session_free(session);
    return nll[0];
}

/* Growing token by token to each of `ends` gives what reading all at once gives, and nothing else
   would: a table that is pinned elsewhere gives other numbers. */
static void check_growing(const test_model *m, const rw_rope_set *set, const size_t *ends,
                          size_t count) {
    int32_t tokens[MOST + 1];
    rw_rope_method method = set->group[0].spec.method;
    test_some_tokens(tokens, MOST + 1);
    for (size_t i = 0; i < count; i++) {
        size_t n = ends[i], capacity = ends[count - 1] + 30;
        rw_session_options growing = {.rope = set, .capacity = capacity, .growing = true};
        rw_session_options pinned = {.rope = set, .capacity = capacity, .length = n};
        double want = read_growing(m, &pinned, tokens, n, 1, n);
        assert_true(fabs(read_growing(m, &growing, tokens, n, 1, n) - want) < 1e-4);
        assert_true(fabs(read_growing(m, &growing, tokens, 490, 1, n) - want) < 2e-4);
        assert_true(fabs(read_growing(m, &growing, tokens, 505, 7, n) - want) < 2e-4);
        pinned.length = method == RW_ROPE_LONGROPE && n > 512 ? 512 : 2000;
        assert_true(fabs(read_growing(m, &pinned, tokens, n, 1, n) - want) > 1e-3);
    }
}

static const size_t ends[] = {500, 512, 513, 514, 530, 570};

static void test_longrope(void **state) {
    (void)state;
    test_model m;
    rw_rope_set set;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    test_scale(&m, RW_ROPE_LONGROPE, &set);
    check_growing(&m, &set, ends, sizeof ends / sizeof *ends);
    test_model_close(&m);
}

/* One layer: no deeper layer's keys remember older tables. */
static void check_raw_keys(rw_layer_kind kind, uint32_t window, rw_pairing pairing,
                           const size_t *at, size_t count) {
    test_model m;
    rw_rope_set set;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    uint32_t layers = m.arch.n_layers;
    test_scale(&m, RW_ROPE_DYNAMIC, &set);
    set.group[0].spec.pairing = pairing;
    m.arch.n_layers = 1;
    m.arch.layers[0].kind = kind;
    m.arch.layers[0].window = window;
    check_growing(&m, &set, at, count);
    m.arch.n_layers = layers;
    test_model_close(&m);
}

static void test_raw_keys(void **state) {
    (void)state;
    static const size_t beyond[] = {570};
    check_raw_keys(RW_LAYER_FULL, 0, RW_PAIRING_HALF, ends, sizeof ends / sizeof *ends);
    check_raw_keys(RW_LAYER_FULL, 0, RW_PAIRING_INTERLEAVED, beyond, 1);
}

/* A sliding layer's cache has room for its window and one chunk, then it forgets: the keys that are
   left are turned by the angles of their own positions. */
static void test_raw_keys_that_moved(void **state) {
    (void)state;
    static const size_t at[] = {570, 100 + RW_DEFAULT_CHUNK + 1, 800};
    check_raw_keys(RW_LAYER_SLIDING, 100, RW_PAIRING_HALF, at, 3);
}

/* A session that was made without room for raw keys can't take a rotation that needs them. */
static void test_refused_reset(void **state) {
    (void)state;
    test_model m;
    rw_rope_set plain, set;
    rw_session *session;
    rw_error err = {0};
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    test_scale(&m, RW_ROPE_YARN, &plain);
    rw_session_options options = {.rope = &plain, .capacity = 600, .growing = true};
    assert_ok(rw_session_create(m.model, &options, &session, &err));
    options.rope = &set;
    for (int i = 0; i < 2; i++) {
        test_scale(&m, i ? RW_ROPE_LONGROPE : RW_ROPE_DYNAMIC, &set);
        assert_int_equal(rw_session_reset(session, &options, &err), RW_ERR_USAGE);
        assert_string_equal(err.code, "model.rope");
    }
    rw_session_free(session);
    test_model_close(&m);
}

/* `far` tokens, then `n` from the start: nothing is left of what was read before. */
static void check_reset(const test_model *m, const rw_rope_set *set, size_t far, size_t n) {
    rw_session *session;
    rw_error err = {0};
    int32_t tokens[MOST + 1];
    double nll[1];
    rw_outputs last = {.first = n - 1, .count = 1, .target = tokens + n, .nll = nll};
    rw_session_options options = {.rope = set, .capacity = 700, .growing = true};
    test_some_tokens(tokens, MOST + 1);
    double want = read_growing(m, &options, tokens, n, 1, n);
    assert_ok(rw_session_create(m->model, &options, &session, &err));
    assert_ok(rw_session_forward(session, tokens, far, NULL, NULL, &err));
    assert_ok(rw_session_reset(session, NULL, &err));
    assert_ok(rw_session_forward(session, tokens, n, &last, NULL, &err));
    assert_true(nll[0] == want);
    rw_session_free(session);
}

/* From beyond the window and inside it, where no table changes; one layer's cache has moved. */
static void test_reset(void **state) {
    (void)state;
    test_model m;
    rw_rope_set set;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    m.arch.layers[1].kind = RW_LAYER_SLIDING;
    m.arch.layers[1].window = 50;
    for (int i = 0; i < 2; i++) {
        test_scale(&m, i ? RW_ROPE_LONGROPE : RW_ROPE_DYNAMIC, &set);
        check_reset(&m, &set, 650, 500);
        check_reset(&m, &set, 400, 300);
    }
    test_model_close(&m);
}

/* ---- beside the angles ----------------------------------------------------------------------- */

/* All of a head rotates here, so an amplitude on cos and sin and its square on the logits are the
   same, and neither is the plain rotation. */
static void test_amplitude(void **state) {
    (void)state;
    enum { N = 200 };
    test_model m;
    rw_rope_set set;
    int32_t tokens[N + 1];
    double plain[N], amplitude[N], scale[N];
    test_some_tokens(tokens, N + 1);
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    test_scale(&m, RW_ROPE_LINEAR, &set);
    test_nll(&m, &set, tokens, N, plain);
    set.group[0].spec.attention_factor = 1.25;
    test_nll(&m, &set, tokens, N, amplitude);
    set.group[0].spec.attention_factor = NAN;
    set.group[0].spec.logit_scale = 1.25 * 1.25;
    test_nll(&m, &set, tokens, N, scale);
    for (size_t i = 0; i < N; i++)
        assert_true(fabs(amplitude[i] - scale[i]) < 2e-4);
    assert_true(fabs(test_mean(amplitude, N) - test_mean(plain, N)) > 1e-2);
    test_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longrope),
        cmocka_unit_test(test_raw_keys),
        cmocka_unit_test(test_raw_keys_that_moved),
        cmocka_unit_test(test_refused_reset),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_amplitude),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
