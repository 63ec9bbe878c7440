/*
 * Sessions: the same bits for any thread count, decoding equals prefill, windows, what memory they
 * take, and what is refused.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "model_support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

enum { TOKENS = 1300 };

static void yarn(const test_model *m, rw_rope_set *set) {
    test_plain_rope(m, set);
    set->group[0].spec.method = RW_ROPE_YARN;
    set->group[0].spec.factor = 4.0;
    set->group[0].spec.original_context = 512;
}

/* ---- threads --------------------------------------------------------------------------------- */

static void run_threads(unsigned threads, rw_cpu_level level, size_t n, double *nll,
                        float *logits) {
    test_model m;
    rw_rope_set set;
    rw_session *session;
    rw_error err = {0};
    int32_t tokens[TOKENS + 1];
    test_some_tokens(tokens, TOKENS + 1);
    test_model_open(&m, TINY, threads, level);
    yarn(&m, &set);
    rw_session_options options = {.rope = &set, .capacity = TOKENS};
    rw_outputs outputs = {.count = n - 1, .target = tokens + 1, .nll = nll};
    rw_outputs last = {.count = 1, .logits = logits};
    assert_ok(rw_session_create(m.model, &options, &session, &err));
    assert_ok(rw_session_forward(session, tokens, n - 1, &outputs, NULL, &err));
    assert_ok(rw_session_forward(session, tokens + n - 1, 1, &last, NULL, &err));
    rw_session_free(session);
    test_model_close(&m);
}

static void test_thread_counts(void **state) {
    (void)state;
    static double nll[3][TOKENS];
    static float logits[3][4096];
    for (rw_cpu_level level = RW_CPU_GENERIC; level <= RW_CPU_AVX512; level++) {
        size_t n = level == RW_CPU_GENERIC ? 150 : TOKENS;
        for (unsigned i = 0; i < 3; i++)
            run_threads(1u << i, level, n, nll[i], logits[i]);
        for (unsigned i = 1; i < 3; i++) {
            assert_memory_equal(nll[0], nll[i], (n - 1) * sizeof(double));
            assert_memory_equal(logits[0], logits[i], sizeof logits[0]);
        }
    }
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* NLL of tokens fed in pieces of the given sizes, the list repeated. */
static void run_pieces(const test_model *m, const rw_rope_set *set, const size_t *pieces,
                       size_t count, const int32_t *tokens, size_t n, double *nll) {
    rw_error err = {0};
    rw_session *session;
    rw_session_options options = {.rope = set, .capacity = n};
    assert_ok(rw_session_create(m->model, &options, &session, &err));
    for (size_t done = 0, i = 0; done < n; i++) {
        size_t size = pieces[i % count] < n - done ? pieces[i % count] : n - done;
        rw_outputs outputs = {.count = size, .target = tokens + done + 1, .nll = nll + done};
        assert_ok(rw_session_forward(session, tokens + done, size, &outputs, NULL, &err));
        done += size;
        assert_int_equal(rw_session_length(session), done);
    }
    rw_session_free(session);
}

static void check_pieces(const test_model *m, size_t n) {
    static const size_t whole[] = {TOKENS}, single[] = {1}, odd[] = {3, 130, 1, 600, 17};
    static double want[TOKENS], got[TOKENS];
    int32_t tokens[TOKENS + 1];
    rw_rope_set set;
    test_some_tokens(tokens, TOKENS + 1);
    yarn(m, &set);
    run_pieces(m, &set, whole, 1, tokens, n, want);
    run_pieces(m, &set, odd, 5, tokens, n, got);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(want[i] - got[i]) < 2e-4);
    run_pieces(m, &set, single, 1, tokens, n, got);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(want[i] - got[i]) < 2e-4);
}

static void test_decode_equals_prefill(void **state) {
    (void)state;
    test_model m;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    check_pieces(&m, 700);
    test_model_close(&m);
}

/* Layers with windows: their cache forgets, the results must not depend on when. */
static void test_windows(void **state) {
    (void)state;
    test_model m;
    static double full[TOKENS], windowed[TOKENS], got[TOKENS];
    static const size_t whole[] = {TOKENS};
    int32_t tokens[TOKENS + 1];
    rw_rope_set set;
    test_some_tokens(tokens, TOKENS + 1);
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    yarn(&m, &set);
    run_pieces(&m, &set, whole, 1, tokens, 600, full);
    for (uint32_t i = 0; i < m.arch.n_layers; i++) {
        m.arch.layers[i].kind = RW_LAYER_SLIDING;
        m.arch.layers[i].window = 600;
    }
    run_pieces(&m, &set, whole, 1, tokens, 600, windowed); /* a window as wide as the text */
    assert_memory_equal(full, windowed, 600 * sizeof *full);
    for (uint32_t i = 0; i < m.arch.n_layers; i++) {
        m.arch.layers[i].window = i % 2 ? 37 : 1; /* 1: only itself */
        m.arch.layers[i].kind = i == 4 ? RW_LAYER_FULL : RW_LAYER_SLIDING;
    }
    check_pieces(&m, TOKENS);
    run_pieces(&m, &set, whole, 1, tokens, 600, windowed);
    m.arch.layers[4].window = 0; /* a layer that sees everything has none, whatever stands there */
    run_pieces(&m, &set, whole, 1, tokens, 600, got);
    assert_memory_equal(got, windowed, 600 * sizeof *got);
    assert_true(fabs(test_mean(full, 600) - test_mean(windowed, 600)) > 1e-2); /* it does matter */
    test_model_close(&m);
}

/* ---- methods --------------------------------------------------------------------------------- */

/* The table is pinned, so every position has one rotation, whatever the pieces. */
static void test_every_method(void **state) {
    (void)state;
    enum { N = 600 };
    static const size_t whole[] = {N}, tail[] = {540, 1, 1, 1, 1, 50, 1, 1, 1, 1, 1, 1},
                        odd[] = {3, 130, 1, 300, 17};
    static double want[N], got[N];
    int32_t tokens[N + 1];
    test_model m;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    test_some_tokens(tokens, N + 1);
    for (rw_rope_method method = RW_ROPE_NONE; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_set set;
        test_scale(&m, method, &set);
        run_pieces(&m, &set, whole, 1, tokens, N, want);
        run_pieces(&m, &set, tail, 12, tokens, N, got);
        for (size_t i = 0; i < N; i++)
            assert_true(fabs(want[i] - got[i]) < 2e-4);
        run_pieces(&m, &set, odd, 5, tokens, N, got);
        for (size_t i = 0; i < N; i++)
            assert_true(fabs(want[i] - got[i]) < 2e-4);
    }
    test_model_close(&m);
}

/* ---- types of the cache, arithmetic -----------------------------------------------------------
 */

/* Rounded keys and values move the mean by little, and by something. */
static void test_cache_types(void **state) {
    (void)state;
    enum { N = 600 };
    static const double bounds[RW_CACHE_TYPES] = {0, 3e-4, 1e-3, 1e-2};
    static double exact[N], got[N];
    test_model m;
    rw_rope_set set;
    rw_error err = {0};
    int32_t *tokens;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    assert_true(test_document(&m, TINY "/heldout.jsonl", 0, &tokens) > N);
    yarn(&m, &set);
    for (int type = 0; type < RW_CACHE_TYPES; type++) {
        rw_session_options options = {
            .rope = &set, .capacity = N, .engine = {.cache = (rw_cache_type)type}};
        rw_session *session;
        double *nll = type ? got : exact;
        rw_outputs outputs = {.count = N, .target = tokens + 1, .nll = nll};
        assert_ok(rw_session_create(m.model, &options, &session, &err));
        assert_ok(rw_session_forward(session, tokens, N, &outputs, NULL, &err));
        rw_session_free(session);
        double apart = fabs(test_mean(nll, N) - test_mean(exact, N));
        assert_true(apart <= bounds[type]);
        assert_true(type == RW_CACHE_F32 || memcmp(exact, got, sizeof exact) != 0);
    }
    m.arch.layers[2].qk_dim = 80;
    rw_session_options odd = {.rope = &set, .capacity = N, .engine = {.cache = RW_CACHE_Q8_0}};
    rw_session *session;
    assert_int_equal(rw_session_create(m.model, &odd, &session, &err), RW_ERR_USAGE);
    assert_string_equal(err.code, "arch.kv_type");
    m.arch.layers[2].qk_dim = 64;
    rw_free(m.ctx, tokens);
    test_model_close(&m);
}

/* ---- reset, outputs -------------------------------------------------------------------------- */

static void test_reset(void **state) {
    (void)state;
    test_model m;
    rw_error err = {0};
    rw_session *session;
    rw_rope_set plain, scaled;
    int32_t tokens[TOKENS + 1], argmax[64];
    double first[64], again[64], other[64];
    float *logits = malloc(64 * 4096 * sizeof *logits);
    test_some_tokens(tokens, TOKENS + 1);
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    test_plain_rope(&m, &plain);
    yarn(&m, &scaled);
    rw_session_options options = {.rope = &plain, .capacity = 700};
    rw_outputs outputs = {
        .first = 500, .count = 64, .target = tokens + 501, .nll = first, .argmax = argmax};
    outputs.logits = logits;
    assert_ok(rw_session_create(m.model, &options, &session, &err));
    assert_ok(rw_session_forward(session, tokens, 700, &outputs, NULL, &err));
    for (size_t i = 0; i < 64; i++) { /* three views of the same distribution */
        const float *row = logits + i * 4096;
        double sum = 0.0, max = row[argmax[i]];
        for (size_t t = 0; t < 4096; t++) {
            assert_true(row[t] <= max);
            sum += exp(row[t] - max);
        }
        assert_true(fabs(max + log(sum) - row[tokens[501 + i]] - first[i]) < 1e-4);
    }
    options.rope = &scaled;
    outputs.nll = other;
    outputs.logits = NULL;
    assert_ok(rw_session_reset(session, &options, &err));
    assert_ok(rw_session_forward(session, tokens, 700, &outputs, NULL, &err));
    assert_true(fabs(test_mean(first, 64) - test_mean(other, 64)) > 1e-3);
    options.rope = &plain;
    outputs.nll = again;
    assert_ok(rw_session_reset(session, &options, &err));
    assert_ok(rw_session_forward(session, tokens, 700, &outputs, NULL, &err));
    assert_memory_equal(first, again, sizeof first);
    options.capacity = 701;
    assert_int_equal(rw_session_reset(session, &options, &err), RW_ERR_USAGE);
    rw_session_free(session);
    test_model_close(&m);
    free(logits);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t allocated;

static void *counting(void *user, void *pointer, size_t size) {
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    allocated += size; /* blocks here are made once and never grown */
    return realloc(pointer, size);
}

/* Reading and scoring take no more than was made in the beginning. */
static void check_workspace(const test_model *m, rw_session *session) {
    static double nll[TOKENS];
    static float logits[4096];
    int32_t tokens[TOKENS + 1];
    rw_error err = {0};
    rw_outputs outputs = {.count = TOKENS, .target = tokens + 1, .nll = nll};
    rw_outputs last = {.count = 1, .logits = logits};
    (void)m;
    test_some_tokens(tokens, TOKENS + 1);
    allocated = 0;
    assert_ok(rw_session_forward(session, tokens, TOKENS, &outputs, NULL, &err));
    assert_ok(rw_session_forward(session, tokens, 1, &last, NULL, &err));
    assert_in_range(allocated, 0, 4096); /* the pool's own */
}

static void test_memory_is_planned(void **state) {
    (void)state;
    test_model m = {0};
    rw_error err = {0};
    rw_rope_set set;
    rw_session *session;
    rw_memory plan;
    rw_context_options options = {.struct_size = sizeof options, .threads = 2, .realloc = counting};
    assert_ok(rw_context_create(&options, &m.ctx, &err));
    m.arena.ctx = m.ctx;
    assert_ok(rw_checkpoint_open(m.ctx, TINY, 0, &m.checkpoint, &err));
    test_read_arch(&m);
    test_plain_rope(&m, &set);
    allocated = 0;
    assert_ok(rw_model_load(m.ctx, m.checkpoint, &m.arch, &m.model, &err));
    size_t stage = (1u << 18) * sizeof(float), vectors = 13 * 256 * sizeof(float);
    assert_in_range(allocated, vectors, vectors + stage + 65536); /* the rest lies in the file */
    rw_session_options wanted = {.rope = &set, .capacity = 4096};
    for (int type = 0; type < RW_CACHE_TYPES; type++) {
        wanted.engine.cache = (rw_cache_type)type;
        rw_session_memory(m.model, &wanted, &plan);
        size_t bytes = (size_t)(plan.kv + plan.activations);
        allocated = 0;
        assert_ok(rw_session_create(m.model, &wanted, &session, &err));
        assert_in_range(allocated, bytes, bytes * 1.02);
        check_workspace(&m, session);
        rw_session_free(session);
    }
    wanted.capacity = INT32_MAX; /* terabytes */
    allocated = 0;
    assert_int_equal(rw_session_create(m.model, &wanted, &session, &err), RW_ERR_MEMORY);
    assert_string_equal(err.code, "model.memory");
    const char *most = strstr(err.message, "at most ");
    assert_non_null(most);
    assert_in_range(strtoul(most + strlen("at most "), NULL, 10), 4096, INT32_MAX - 1);
    assert_non_null(strstr(most, " tokens fit"));
    assert_null(session);
    assert_true(allocated < 65536); /* refused before */
    test_model_close(&m);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_forward_refusals(void **state) {
    (void)state;
    test_model m;
    rw_error err = {0};
    rw_rope_set set;
    rw_session *session;
    int32_t tokens[16] = {0};
    double nll[16];
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    test_plain_rope(&m, &set);
    rw_session_options options = {.rope = &set, .capacity = 8};
    assert_ok(rw_session_create(m.model, &options, &session, &err));
    assert_int_equal(rw_session_forward(session, tokens, 9, NULL, NULL, &err), RW_ERR_USAGE);
    assert_string_equal(err.code, "model.capacity");
    tokens[3] = 4096;
    assert_int_equal(rw_session_forward(session, tokens, 8, NULL, NULL, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "model.token_range");
    tokens[3] = -1;
    assert_int_equal(rw_session_forward(session, tokens, 8, NULL, NULL, &err), RW_ERR_INPUT);
    tokens[3] = 0;
    rw_outputs outputs = {.first = 4, .count = 5, .target = tokens, .nll = nll};
    assert_int_equal(rw_session_forward(session, tokens, 8, &outputs, NULL, &err), RW_ERR_USAGE);
    assert_int_equal(rw_session_length(session), 0);
    rw_session_free(session);
    set.group[0].spec.head_dim = set.group[0].spec.rotary_dim = 32;
    assert_int_equal(rw_session_create(m.model, &options, &session, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "model.rope");
    test_plain_rope(&m, &set);
    assert_ok(rw_session_create(m.model, &options, &session, &err));
    rw_context_cancel(m.ctx);
    assert_int_equal(rw_session_forward(session, tokens, 8, NULL, NULL, &err), RW_ERR_CANCELLED);
    rw_session_free(session);
    test_model_close(&m);
}

/* Copies the model with the first `from` in `file` replaced by `to`, and tries to load it. */
static void check_damage(const char *file, const char *from, const char *to, rw_status status,
                         const char *code) {
    static const char *const files[] = {"config.json", "model.safetensors"};
    test_model m = {0};
    rw_error err = {0};
    char directory[] = "/tmp/test_model_XXXXXX", path[128];
    m.ctx = test_context();
    m.arena.ctx = m.ctx;
    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < 2; i++) {
        rw_buf bytes = {.ctx = m.ctx}, changed = {.ctx = m.ctx};
        snprintf(path, sizeof path, TINY "/%s", files[i]);
        assert_ok(rw_file_load(m.ctx, path, 1u << 30, &bytes, &err));
        char *at =
            strcmp(file, files[i]) == 0 ? memmem(bytes.data, bytes.size, from, strlen(from)) : NULL;
        size_t before = at ? (size_t)(at - bytes.data) : bytes.size;
        rw_buf_append(&changed, bytes.data, before);
        if (at) {
            rw_buf_append(&changed, to, strlen(to));
            rw_buf_append(&changed, at + strlen(from), bytes.size - before - strlen(from));
        }
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        assert_ok(rw_file_write(m.ctx, path, (rw_str){changed.data, changed.size}, &err));
        rw_buf_free(&bytes);
        rw_buf_free(&changed);
    }
    assert_ok(rw_checkpoint_open(m.ctx, directory, 0, &m.checkpoint, &err));
    test_read_arch(&m);
    assert_int_equal(rw_model_load(m.ctx, m.checkpoint, &m.arch, &m.model, &err), status);
    assert_string_equal(err.code, code);
    assert_null(m.model);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
    test_model_close(&m);
}

static void test_damaged_models(void **state) {
    (void)state;
    const char *config = "config.json", *weights = "model.safetensors";
    check_damage(weights, "\"model.norm.weight\"", "\"model.morm.weight\"", RW_ERR_INPUT,
                 "model.unsupported"); /* a tensor that nothing describes */
    check_damage(config, "\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7", RW_ERR_INPUT,
                 "model.missing_tensor");
    check_damage(config, "\"num_hidden_layers\": 6", "\"num_hidden_layers\": 5", RW_ERR_INPUT,
                 "model.unsupported");
    check_damage(config, "\"intermediate_size\": 704", "\"intermediate_size\": 700", RW_ERR_INPUT,
                 "model.shape");
    check_damage(config, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false",
                 RW_ERR_INPUT, "model.missing_tensor");
    check_damage(config, "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", RW_ERR_INPUT,
                 "model.unsupported");
    check_damage(config, "\"vocab_size\": 4096", "\"vocab_size\": 268435456", RW_ERR_MEMORY,
                 "model.memory");
}

/* A NaN in the middle of a tensor: named. */
static void test_not_finite(void **state) {
    (void)state;
    test_model m = {0};
    rw_error err = {0};
    rw_buf bytes;
    char directory[] = "/tmp/test_model_XXXXXX", path[128];
    m.ctx = test_context();
    m.arena.ctx = m.ctx;
    assert_non_null(mkdtemp(directory));
    bytes = (rw_buf){.ctx = m.ctx};
    assert_ok(rw_file_load(m.ctx, TINY "/config.json", 1 << 20, &bytes, &err));
    snprintf(path, sizeof path, "%s/config.json", directory);
    assert_ok(rw_file_write(m.ctx, path, (rw_str){bytes.data, bytes.size}, &err));
    rw_buf_free(&bytes);
    bytes = (rw_buf){.ctx = m.ctx};
    assert_ok(rw_file_load(m.ctx, TINY "/model.safetensors", 1 << 28, &bytes, &err));
    bytes.data[bytes.size - 1001] = '\x7f'; /* bf16 0x7fff */
    bytes.data[bytes.size - 1002] = '\xff';
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    assert_ok(rw_file_write(m.ctx, path, (rw_str){bytes.data, bytes.size}, &err));
    rw_buf_free(&bytes);
    assert_ok(rw_checkpoint_open(m.ctx, directory, 0, &m.checkpoint, &err));
    test_read_arch(&m);
    assert_int_equal(rw_model_load(m.ctx, m.checkpoint, &m.arch, &m.model, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "model.not_finite");
    assert_true(strlen(err.where) > 0);
    unlink(path);
    snprintf(path, sizeof path, "%s/config.json", directory);
    unlink(path);
    rmdir(directory);
    test_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_counts),         cmocka_unit_test(test_windows),
        cmocka_unit_test(test_decode_equals_prefill), cmocka_unit_test(test_reset),
        cmocka_unit_test(test_every_method),          cmocka_unit_test(test_cache_types),
        cmocka_unit_test(test_memory_is_planned),     cmocka_unit_test(test_forward_refusals),
        cmocka_unit_test(test_damaged_models),        cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
