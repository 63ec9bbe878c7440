/*
 * The embedded model against the figures of Hugging Face transformers and of llama.cpp.
 */
#include "model_support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"
#define HELDOUT TINY "/heldout.jsonl"
#define DATA RW_SOURCE_DIR "/tests/data"

static const double nll_tolerance = 2e-4, logit_tolerance = 2e-3;
static const char *const lengths[] = {"256", "512", "1024", "2048", "4096"};

static bool sanitized(void) {
    const char *sanitizer = getenv("RW_SANITIZE");
    return sanitizer && *sanitizer;
}

/* Sanitizers cost a factor of ten: there one document in eight is enough. */
static size_t documents(size_t n) {
    return sanitized() ? (n + 7) / 8 : n;
}

static bool shared_exists(const char *name) {
    char path[1024];
    snprintf(path, sizeof path, RW_SHARED_DIR "/%s", name);
    if (rw_path_exists(path))
        return true;
    print_message("skipped: %s is not there\n", path);
    return false;
}

static const rw_json *at(const rw_json *list, size_t index) {
    const rw_json *node = list->first;
    while (index-- > 0)
        node = node->next;
    return node;
}

/* Compares the means over the first 256, 512, ... predictions of one forward pass. */
static void check_prefixes(const double *nll, size_t n, const rw_json *rows, size_t row,
                           const char *what) {
    for (size_t i = 0; i < 5; i++) {
        size_t length = (size_t)strtoul(lengths[i], NULL, 10);
        if (length > n)
            break;
        double want = at(rw_json_get(rows, lengths[i]), row)->number;
        double got = test_mean(nll, length);
        if (!(fabs(got - want) <= nll_tolerance))
            fail_msg("%s, row %zu at %zu: %.6f, wanted %.6f", what, row, length, got, want);
    }
}

static void check_rows(const test_model *m, const rw_json *golden, const char *data, size_t count,
                       size_t n) {
    double *nll = malloc(n * sizeof *nll);
    for (const rw_json *rope = rw_json_get(golden, "rope")->first; rope; rope = rope->next) {
        rw_rope_set set;
        char name[16] = {0};
        memcpy(name, rope->key.data, rope->key.size);
        test_rope(m, rope, &set);
        const rw_json *rows = rw_json_get(rw_json_get(golden, "nll"), name);
        for (size_t d = 0; d < count; d++) {
            int32_t *tokens;
            assert_true(test_document(m, data, d, &tokens) > n);
            test_nll(m, &set, tokens, n, nll);
            check_prefixes(nll, n, rows, d, name);
            rw_free(m->ctx, tokens);
        }
    }
    free(nll);
}

static void test_committed_rows(void **state) {
    (void)state;
    test_model m;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    const rw_json *golden = test_json(&m.arena, DATA "/tiny_rows.json");
    check_rows(&m, golden, HELDOUT, documents(8), 2048);
    check_rows(&m, golden, HELDOUT, 1, 4096);
    test_model_close(&m);
}

/* The reference kernels alone. */
static void test_generic_rows(void **state) {
    (void)state;
    test_model m;
    test_model_open(&m, TINY, 2, RW_CPU_GENERIC);
    check_rows(&m, test_json(&m.arena, DATA "/tiny_rows.json"), HELDOUT, 1,
               sanitized() ? 256 : 1024);
    test_model_close(&m);
}

/* ---- logits ---------------------------------------------------------------------------------- */

static void check_logits(const float *logits, size_t vocab, const rw_json *want, const char *what) {
    double sum = 0.0, max = -INFINITY, exponentials = 0.0;
    for (size_t i = 0; i < vocab; i++) {
        sum += logits[i];
        max = fmax(max, logits[i]);
    }
    for (size_t i = 0; i < vocab; i++)
        exponentials += exp(logits[i] - max);
    double mean = sum / (double)vocab, lse = max + log(exponentials);
    for (const rw_json *top = rw_json_get(want, "top")->first; top; top = top->next) {
        double got = logits[(size_t)top->first->number], wanted = top->first->next->number;
        if (!(fabs(got - wanted) <= logit_tolerance))
            fail_msg("%s: logit %.6f, wanted %.6f", what, got, wanted);
    }
    assert_true(fabs(mean - rw_json_get(want, "mean")->number) <= logit_tolerance);
    assert_true(fabs(lse - rw_json_get(want, "logsumexp")->number) <= logit_tolerance);
}

static void check_positions(const test_model *m, const rw_json *golden) {
    rw_error err = {0};
    int32_t *tokens;
    size_t vocab = m->arch.vocab, n = 2048;
    float *logits = malloc(vocab * sizeof *logits);
    assert_true(test_document(m, HELDOUT, 0, &tokens) >= n);
    const rw_json *rope = rw_json_get(golden, "rope")->first;
    for (const rw_json *set = rw_json_get(golden, "logits")->first; set;
         set = set->next, rope = rope->next) {
        rw_session *session;
        rw_rope_set rotation;
        test_rope(m, rope, &rotation);
        rw_session_options options = {.rope = &rotation, .capacity = n};
        assert_ok(rw_session_create(m->model, &options, &session, &err));
        size_t done = 0;
        for (const rw_json *want = set->first; want; want = want->next) {
            char position[16] = {0};
            memcpy(position, want->key.data, want->key.size);
            size_t end = (size_t)strtoul(position, NULL, 10) + 1;
            rw_outputs outputs = {.first = end - done - 1, .count = 1, .logits = logits};
            assert_ok(rw_session_forward(session, tokens + done, end - done, &outputs, NULL, &err));
            check_logits(logits, vocab, want, position);
            done = end;
        }
        rw_session_free(session);
    }
    rw_free(m->ctx, tokens);
    free(logits);
}

static void test_logits(void **state) {
    (void)state;
    test_model m;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    check_positions(&m, test_json(&m.arena, DATA "/tiny_rows.json"));
    test_model_close(&m);
}

/* ---- every scaling --------------------------------------------------------------------------- */

static void check_scaling(const test_model *m, const rw_json *scaling, const int32_t *tokens,
                          size_t row) {
    static const char *const sizes[] = {"512", "1024", "2048"};
    double nll[2048];
    rw_rope_set set;
    test_rope(m, rw_json_get(scaling, "rope_parameters"), &set);
    bool depends = rw_rope_depends_on_length(&set.group[0].spec);
    if (!depends)
        test_nll(m, &set, tokens, 2048, nll);
    for (size_t i = 0; i < 3; i++) {
        size_t n = (size_t)strtoul(sizes[i], NULL, 10);
        if (depends)
            test_nll(m, &set, tokens, n, nll);
        const rw_json *want = rw_json_get(rw_json_get(scaling, "lengths"), sizes[i]);
        double wanted = at(rw_json_get(want, "nll"), row)->number, got = test_mean(nll, n);
        if (!(fabs(got - wanted) <= nll_tolerance))
            fail_msg("%.*s, document %zu at %zu: %.6f, wanted %.6f", (int)scaling->key.size,
                     scaling->key.data, row, n, got, wanted);
    }
}

static void test_scalings(void **state) {
    (void)state;
    test_model m;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    const rw_json *golden = test_json(&m.arena, DATA "/golden_scalings.json");
    const rw_json *scaling = rw_json_get(golden, "scalings")->first;
    for (size_t i = 0; scaling; scaling = scaling->next, i++) {
        if (sanitized() && i % 4 != 0)
            continue;
        int32_t *tokens; /* another document each time */
        assert_true(test_document(&m, HELDOUT, i % 8, &tokens) > 2048);
        check_scaling(&m, scaling, tokens, i % 8);
        rw_free(m.ctx, tokens);
    }
    test_model_close(&m);
}

/* ---- what only the shared files can tell ----------------------------------------------------- */

static void test_shared_rows(void **state) {
    (void)state;
    if (!shared_exists("golden/tiny.json") || !shared_exists("data/heldout.jsonl"))
        skip();
    test_model m;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    const rw_json *golden = test_json(&m.arena, RW_SHARED_DIR "/golden/tiny.json");
    for (size_t d = 0; d < 24; d += 5) { /* token ids */
        int32_t *tokens;
        test_document(&m, RW_SHARED_DIR "/data/heldout.jsonl", d, &tokens);
        size_t i = 0;
        for (const rw_json *n = at(rw_json_get(golden, "tokens"), d)->first; n; n = n->next)
            assert_int_equal(tokens[i++], n->number);
        rw_free(m.ctx, tokens);
    }
    check_rows(&m, golden, RW_SHARED_DIR "/data/heldout.jsonl", documents(3), 4096);
    check_rows(&m, golden, RW_SHARED_DIR "/data/heldout.jsonl", documents(24), 512);
    test_model_close(&m);
}

static void test_gguf_rows(void **state) {
    (void)state;
    if (!shared_exists("models/tiny.gguf"))
        skip();
    test_model m;
    test_model_open(&m, RW_SHARED_DIR "/models/tiny.gguf", 2, RW_CPU_BEST);
    const rw_json *golden = test_json(&m.arena, DATA "/tiny_rows.json");
    check_rows(&m, golden, HELDOUT, documents(2), 4096);
    check_positions(&m, golden);
    test_model_close(&m);
}

/* llama-perplexity: windows of c tokens, positions c/2 .. c-2 predict the next. */
static double half_perplexity(const test_model *m, const rw_rope_set *set, const int32_t *tokens,
                              size_t c, size_t windows) {
    rw_error err = {0};
    rw_session *session;
    rw_session_options options = {.rope = set, .capacity = c};
    size_t scored = c - 1 - c / 2;
    double sum = 0.0, *nll = malloc(scored * sizeof *nll);
    assert_ok(rw_session_create(m->model, &options, &session, &err));
    for (size_t w = 0; w < windows; w++) {
        const int32_t *window = tokens + w * c;
        rw_outputs outputs = {
            .first = c / 2, .count = scored, .target = window + c / 2 + 1, .nll = nll};
        assert_ok(rw_session_reset(session, NULL, &err));
        assert_ok(rw_session_forward(session, window, c, &outputs, NULL, &err));
        sum += test_mean(nll, scored);
    }
    rw_session_free(session);
    free(nll);
    return exp(sum / (double)windows);
}

static void test_llama_cpp(void **state) {
    (void)state;
    if (!shared_exists("golden/llama_cpp.json"))
        skip();
    test_model m;
    int32_t *tokens;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    /* line 2 of the file, counted from 1 */
    test_document(&m, RW_SHARED_DIR "/data/heldout.jsonl", 1, &tokens);
    const rw_json *golden = test_json(&m.arena, RW_SHARED_DIR "/golden/llama_cpp.json");
    for (const rw_json *row = rw_json_get(golden, "rows")->first; row; row = row->next) {
        rw_rope_set set;
        test_plain_rope(&m, &set);
        if (rw_json_get(row, "flags")->string.size) { /* --rope-scaling yarn, 512, 4 */
            set.group[0].spec.method = RW_ROPE_YARN;
            set.group[0].spec.factor = 4.0;
            set.group[0].spec.original_context = 512;
        }
        double got = half_perplexity(&m, &set, tokens, (size_t)rw_json_get(row, "c")->number,
                                     (size_t)rw_json_get(row, "chunks")->number);
        double want = rw_json_get(row, "ppl")->number;
        print_message("half: %.4f, llama.cpp %.4f\n", got, want);
        assert_true(fabs(got / want - 1.0) <= 2e-3);
    }
    rw_free(m.ctx, tokens);
    test_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committed_rows), cmocka_unit_test(test_generic_rows),
        cmocka_unit_test(test_logits),         cmocka_unit_test(test_scalings),
        cmocka_unit_test(test_shared_rows),    cmocka_unit_test(test_gguf_rows),
        cmocka_unit_test(test_llama_cpp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
