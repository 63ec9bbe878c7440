/*
 * Small random models of every family against the figures of Hugging Face transformers
 * (tools/golden_models.py): from the config as it stands in the file, through the dialect's reader
 * of its rotation, to the logits inside and beyond the window.
 */
#include "dialect/dialect.h"
#include "model_support.h"

#define MODELS RW_SOURCE_DIR "/tests/data/models/"

static const double tolerance = 2e-4;

typedef struct family_model {
    test_model base;
    rw_source source;
    rw_rope_set rope;
    const rw_json *figures;
    int32_t tokens[128];
    const char *name;
} family_model;

static void open_family(family_model *f, const char *name, rw_cpu_level level) {
    char path[512];
    rw_error err = {0};
    test_model *m = &f->base;
    rw_context_options options = {.struct_size = sizeof options, .threads = 2, .cpu_level = level};
    memset(f, 0, sizeof *f);
    f->name = name;
    snprintf(path, sizeof path, MODELS "%s", name);
    assert_ok(rw_context_create(&options, &m->ctx, &err));
    m->arena.ctx = m->ctx;
    assert_ok(rw_checkpoint_open(m->ctx, path, 0, &m->checkpoint, &err));
    assert_ok(rw_source_read(m->checkpoint, &m->arena, &f->source, &err));
    m->arch = f->source.arch;
    assert_non_null(m->arch.family);
    assert_ok(rw_dialect_read_best(&f->source, &f->rope, NULL, &err));
    assert_ok(rw_model_load(m->ctx, m->checkpoint, &m->arch, &m->model, &err));
    snprintf(path, sizeof path, MODELS "%s/figures.json", name);
    f->figures = test_json(&m->arena, path);
    size_t i = 0;
    for (const rw_json *n = rw_json_get(f->figures, "tokens")->first; n; n = n->next)
        f->tokens[i++] = (int32_t)n->number;
}

static void check_close(const family_model *f, const char *what, size_t n, size_t index, double got,
                        double want) {
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s, %zu tokens, %s %zu: %.6f, wanted %.6f", f->name, n, what, index, got, want);
}

/* Logits of every position and NLL of every token, fed in pieces. */
static void run(const family_model *f, size_t n, size_t piece, float *logits, double *nll) {
    rw_error err = {0};
    rw_session *session;
    rw_session_options options = {.rope = &f->rope, .capacity = n};
    size_t vocab = f->base.arch.vocab;
    assert_ok(rw_session_create(f->base.model, &options, &session, &err));
    for (size_t done = 0; done < n; done += piece) {
        size_t count = piece < n - done ? piece : n - done;
        rw_outputs outputs = {.count = count, .logits = logits + done * vocab};
        outputs.nll = nll + done;
        outputs.target = f->tokens + done + 1;
        assert_ok(rw_session_forward(session, f->tokens + done, count, &outputs, NULL, &err));
    }
    rw_session_free(session);
}

static void check_run(const family_model *f, const rw_json *want, size_t piece) {
    size_t n = (size_t)rw_json_get(want, "n")->number, vocab = f->base.arch.vocab, i = 0;
    float *logits = malloc(n * vocab * sizeof *logits);
    double nll[128];
    run(f, n, piece, logits, nll);
    for (const rw_json *x = rw_json_get(want, "nll")->first; x; x = x->next, i++)
        check_close(f, "nll", n, i, nll[i], x->number);
    assert_int_equal(i, n - 1);
    for (const rw_json *row = rw_json_get(want, "logits")->first; row; row = row->next) {
        size_t position = (size_t)strtoul(row->key.data, NULL, 10);
        i = 0;
        for (const rw_json *x = row->first; x; x = x->next, i++)
            check_close(f, "logit", position, i, logits[position * vocab + i], x->number);
        assert_int_equal(i, vocab);
    }
    free(logits);
}

static void check_family(const char *name) {
    for (int level = 0; level < 2; level++) {
        family_model f;
        open_family(&f, name, level ? RW_CPU_BEST : RW_CPU_GENERIC);
        for (const rw_json *r = rw_json_get(f.figures, "runs")->first; r; r = r->next) {
            check_run(&f, r, 128);
            check_run(&f, r, 7);
        }
        test_model_close(&f.base);
    }
}

static void test_llama(void **state) {
    (void)state;
    check_family("llama"); /* with biases on all four projections */
}

static void test_mistral(void **state) {
    (void)state;
    check_family("mistral");
}

static void test_qwen2(void **state) {
    (void)state;
    check_family("qwen2");
    check_family("qwen2_untied");
}

static void test_qwen3(void **state) {
    (void)state;
    check_family("qwen3");
}

static void test_smollm3(void **state) {
    (void)state;
    check_family("smollm3");
    check_family("smollm3_window");
}

static void test_phi3(void **state) {
    (void)state;
    check_family("phi3");
    check_family("phi3_longrope");
}

static void test_gemma3(void **state) {
    (void)state;
    check_family("gemma3");
}

static void test_gemma2(void **state) {
    (void)state;
    check_family("gemma2");
}

/* ---- sizes and refusals ---------------------------------------------------------------------- */

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

/* Every parameter is counted, and the plan covers what loading and running allocate. */
static void check_sizes(const char *name) {
    enum { STAGE = (1 << 18) * sizeof(float), RECORDS = 1 << 17 };
    family_model f;
    rw_memory plan;
    rw_error err = {0};
    rw_model *model;
    rw_session *session;
    uint64_t elements = 0;
    rw_context_options options = {.struct_size = sizeof options, .threads = 2, .realloc = counting};
    rw_context *ctx;
    open_family(&f, name, RW_CPU_BEST);
    for (size_t t = 0; t < rw_checkpoint_tensor_count(f.base.checkpoint); t++)
        elements += rw_checkpoint_tensor_at(f.base.checkpoint, t)->elements;
    assert_int_equal(f.base.arch.parameters, elements);
    assert_ok(rw_context_create(&options, &ctx, &err));
    allocated = 0;
    assert_ok(rw_model_load(ctx, f.base.checkpoint, &f.base.arch, &model, &err));
    assert_in_range(allocated, 0, STAGE + RECORDS); /* the weights lie in the file */
    rw_session_options wanted = {.rope = &f.rope, .capacity = 200};
    rw_session_memory(model, &wanted, &plan);
    allocated = 0;
    assert_ok(rw_session_create(model, &wanted, &session, &err));
    assert_in_range(allocated, plan.kv + plan.activations,
                    (plan.kv + plan.activations) * 1.02 + RECORDS);
    rw_session_free(session);
    rw_model_free(model);
    rw_context_free(ctx);
    test_model_close(&f.base);
}

static void test_sizes(void **state) {
    (void)state;
    static const char *const names[] = {"llama", "mistral",       "qwen2",  "qwen3", "smollm3",
                                        "phi3",  "phi3_longrope", "gemma3", "gemma2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_sizes(names[i]);
}

/* A description that contradicts the tensors: the fused one is named, as is one too many. */
static void test_contradictions(void **state) {
    (void)state;
    family_model f;
    rw_error err = {0};
    rw_model *model;
    open_family(&f, "phi3", RW_CPU_GENERIC);
    f.base.arch.layers[1].ffn_dim--;
    assert_int_equal(rw_model_load(f.base.ctx, f.base.checkpoint, &f.base.arch, &model, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, "model.shape");
    assert_string_equal(err.where, "model.layers.1.mlp.gate_up_proj.weight");
    f.base.arch.layers[1].ffn_dim++;
    test_model_close(&f.base);
    open_family(&f, "qwen3", RW_CPU_GENERIC);
    f.base.arch.qk_norm = false;
    assert_int_equal(rw_model_load(f.base.ctx, f.base.checkpoint, &f.base.arch, &model, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, "model.unsupported");
    test_model_close(&f.base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama),   cmocka_unit_test(test_mistral),
        cmocka_unit_test(test_qwen2),   cmocka_unit_test(test_qwen3),
        cmocka_unit_test(test_smollm3), cmocka_unit_test(test_phi3),
        cmocka_unit_test(test_gemma3),  cmocka_unit_test(test_gemma2),
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
