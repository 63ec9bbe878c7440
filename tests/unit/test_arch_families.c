/*
 * What sets the families apart: windows, layers without RoPE, biases, fused tensors, scales. The
 * expected records are those that transformers' configuration classes and llama.cpp's graphs make
 * of the same keys.
 */
#include <math.h>

#include "arch/arch.h"
#include "support.h"

#define SIZES                                                                                      \
    "\"vocab_size\":100,\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":6,"      \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2"

typedef struct fixture {
    rw_context *ctx;
    rw_arena arena;
    rw_arch arch;
    rw_error err;
} fixture;

static void begin(fixture *f) {
    memset(f, 0, sizeof *f);
    f->ctx = test_context();
    f->arena.ctx = f->ctx;
}

static void end(fixture *f) {
    rw_arena_free(&f->arena);
    rw_context_free(f->ctx);
}

static rw_status read_config(fixture *f, const char *text) {
    const rw_json *json = NULL;
    rw_error err = {0};
    assert_ok(rw_json_parse(&f->arena, rw_str_of(text), "config.json", &json, &err));
    memset(&f->err, 0, sizeof f->err);
    return rw_arch_from_config(json, &f->arena, &f->arch, &f->err);
}

/* `kinds`: a letter a layer, f full, s sliding, o other; upper case: without RoPE. */
static void check_layers(const fixture *f, const char *kinds, uint32_t window) {
    assert_int_equal(f->arch.n_layers, strlen(kinds));
    for (uint32_t i = 0; i < f->arch.n_layers; i++) {
        const rw_layer *l = &f->arch.layers[i];
        char kind = "fso"[l->kind];
        kind = l->rotary ? kind : (char)(kind - 'a' + 'A');
        if (kind != kinds[i] || l->window != (l->kind == RW_LAYER_SLIDING ? window : 0))
            fail_msg("layer %u is '%c' with window %u, wanted %s with %u", i, kind, l->window,
                     kinds, window);
    }
}

static void expect_layers(const char *config, const char *kinds, uint32_t window) {
    fixture f;
    begin(&f);
    assert_int_equal(read_config(&f, config), RW_OK);
    assert_non_null(f.arch.family);
    check_layers(&f, kinds, window);
    end(&f);
}

static void expect_refused(const char *config, const char *where) {
    fixture f;
    begin(&f);
    assert_int_equal(read_config(&f, config), RW_ERR_INPUT);
    assert_string_equal(f.err.code, "arch.bad_value");
    assert_string_equal(f.err.where, where);
    end(&f);
}

/* ---- windows --------------------------------------------------------------------------------- */

static void test_windows(void **state) {
    (void)state;
    expect_layers("{\"model_type\":\"llama\"," SIZES ",\"sliding_window\":8}", "ffffff", 0);
    expect_layers("{\"model_type\":\"mistral\"," SIZES ",\"sliding_window\":8}", "ssssss", 8);
    expect_layers("{\"model_type\":\"mistral\"," SIZES ",\"sliding_window\":null}", "ffffff", 0);
    expect_layers("{\"model_type\":\"mistral\"," SIZES "}", "ssssss", 4096);
    expect_layers("{\"model_type\":\"phi3\"," SIZES "}", "ffffff", 0);
    expect_layers("{\"model_type\":\"phi3\"," SIZES ",\"sliding_window\":2047}", "ssssss", 2047);
    expect_layers("{\"model_type\":\"gemma2\"," SIZES "}", "sfsfsf", 4096);
    expect_layers("{\"model_type\":\"gemma3_text\"," SIZES ",\"sliding_window\":512}", "sssssf",
                  512);
    expect_layers("{\"model_type\":\"gemma3_text\"," SIZES ",\"sliding_window\":512,"
                  "\"sliding_window_pattern\":3}",
                  "ssfssf", 512);
}

static void test_switched_windows(void **state) {
    (void)state;
    expect_layers("{\"model_type\":\"qwen2\"," SIZES ",\"sliding_window\":8,"
                  "\"max_window_layers\":2,\"use_sliding_window\":false}",
                  "ffffff", 0);
    expect_layers("{\"model_type\":\"qwen2\"," SIZES ",\"sliding_window\":8,"
                  "\"max_window_layers\":2,\"use_sliding_window\":true}",
                  "ffssss", 8);
    expect_layers("{\"model_type\":\"qwen3\"," SIZES ",\"use_sliding_window\":true,"
                  "\"max_window_layers\":4}",
                  "ffffss", 4096);
    expect_layers("{\"model_type\":\"smollm3\"," SIZES "}", "fffFff", 0);
    expect_layers("{\"model_type\":\"smollm3\"," SIZES ",\"no_rope_layer_interval\":2}", "fFfFfF",
                  0);
    expect_layers("{\"model_type\":\"smollm3\"," SIZES ",\"no_rope_layers\":[0,1,1,1,1,0],"
                  "\"use_sliding_window\":true,\"sliding_window\":8}",
                  "SffffS", 8);
}

static void test_layer_types(void **state) {
    (void)state;
    expect_layers("{\"model_type\":\"gemma3_text\"," SIZES ",\"sliding_window\":8,\"layer_types\":["
                  "\"full_attention\",\"sliding_attention\",\"full_attention\",\"full_attention\","
                  "\"linear_attention\",\"sliding_attention\"]}",
                  "fsffos", 8);
    expect_layers("{\"model_type\":\"gemma3_text\"," SIZES ",\"use_bidirectional_attention\":true}",
                  "oooooo", 0); /* named, and not run as if it were causal */
    expect_refused("{\"model_type\":\"gemma2\"," SIZES ",\"layer_types\":[\"full_attention\"]}",
                   "layer_types");
    expect_refused("{\"model_type\":\"gemma2\"," SIZES ",\"layer_types\":7}", "layer_types");
    expect_refused("{\"model_type\":\"gemma2\"," SIZES ",\"sliding_window\":-1}", "sliding_window");
    expect_refused("{\"model_type\":\"smollm3\"," SIZES ",\"no_rope_layers\":[1]}",
                   "no_rope_layers");
    expect_refused("{\"model_type\":\"smollm3\"," SIZES ",\"no_rope_layer_interval\":0.5}",
                   "no_rope_layer_interval");
}

/* ---- weights --------------------------------------------------------------------------------- */

static bool has(const rw_arch *arch, rw_weight weight) {
    uint64_t shape[2];
    return rw_arch_tensor_shape(arch, weight, 0, shape) != 0;
}

static void test_biases_and_norms(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    assert_int_equal(read_config(&f, "{\"model_type\":\"qwen2\"," SIZES "}"), RW_OK);
    assert_true(has(&f.arch, RW_W_Q_BIAS) && has(&f.arch, RW_W_V_BIAS));
    assert_false(has(&f.arch, RW_W_O_BIAS) || has(&f.arch, RW_W_Q_NORM));
    assert_int_equal(
        read_config(&f, "{\"model_type\":\"qwen3\"," SIZES ",\"attention_bias\":true}"), RW_OK);
    assert_true(has(&f.arch, RW_W_O_BIAS) && has(&f.arch, RW_W_K_NORM));
    assert_int_equal(f.arch.layers[0].qk_dim, 128); /* the class's, not hidden / heads */
    assert_int_equal(read_config(&f, "{\"model_type\":\"smollm3\"," SIZES "}"), RW_OK);
    assert_true(f.arch.tied_embeddings);
    assert_false(has(&f.arch, RW_W_POST_FFN_NORM));
    end(&f);
}

static void check_place(const rw_arch *arch, rw_weight weight, uint64_t first, uint64_t rows,
                        const char *name) {
    uint64_t got_first, got_rows;
    char got[128];
    rw_arch_tensor_place(arch, weight, 1, &got_first, &got_rows);
    rw_arch_tensor_name(arch, RW_NAMING_HF, weight, 1, got);
    assert_int_equal(got_first, first);
    assert_int_equal(got_rows, rows);
    assert_string_equal(got, name);
}

static void test_fused(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    assert_int_equal(read_config(&f, "{\"model_type\":\"phi3\"," SIZES "}"), RW_OK);
    check_place(&f.arch, RW_W_Q, 0, 128, "model.layers.1.self_attn.qkv_proj.weight");
    check_place(&f.arch, RW_W_K, 64, 128, "model.layers.1.self_attn.qkv_proj.weight");
    check_place(&f.arch, RW_W_V, 96, 128, "model.layers.1.self_attn.qkv_proj.weight");
    check_place(&f.arch, RW_W_UP, 96, 192, "model.layers.1.mlp.gate_up_proj.weight");
    check_place(&f.arch, RW_W_DOWN, 0, 64, "model.layers.1.mlp.down_proj.weight");
    assert_true(f.arch.norm_eps == 1e-5);
    end(&f);
}

/* ---- Gemma ----------------------------------------------------------------------------------- */

static void test_gemma(void **state) {
    (void)state;
    fixture f;
    char name[128];
    begin(&f);
    /* what the text part of a published Gemma 3 says, and nothing more */
    assert_int_equal(read_config(&f, "{\"model_type\":\"gemma3_text\",\"hidden_size\":2560,"
                                     "\"intermediate_size\":10240,\"num_hidden_layers\":34,"
                                     "\"sliding_window\":1024}"),
                     RW_OK);
    const rw_arch *a = &f.arch;
    assert_int_equal(a->vocab, 262208);
    assert_int_equal(a->layers[0].n_heads, 8);
    assert_int_equal(a->layers[0].n_kv_heads, 4);
    assert_int_equal(a->head_dim, 256);
    assert_int_equal(a->activation, RW_ACT_GELU_TANH);
    assert_true(a->embedding_scale == sqrt(2560.0) && a->query_scalar == 256.0);
    assert_true(a->attention_softcap == 0.0 && a->final_softcap == 0.0);
    assert_true(rw_arch_tensor_offset(a, RW_NAMING_HF, RW_W_Q_NORM) == 1.0f);
    assert_true(rw_arch_tensor_offset(a, RW_NAMING_GGUF, RW_W_Q_NORM) == 0.0f);
    assert_true(rw_arch_tensor_offset(a, RW_NAMING_HF, RW_W_Q) == 0.0f);
    rw_arch_tensor_name(a, RW_NAMING_HF, RW_W_FFN_NORM, 2, name);
    assert_string_equal(name, "model.layers.2.pre_feedforward_layernorm.weight");
    assert_int_equal(
        read_config(&f, "{\"model_type\":\"gemma2\"," SIZES ",\"attn_logit_softcapping\":null}"),
        RW_OK);
    assert_true(a->attention_softcap == 0.0 && a->final_softcap == 30.0);
    expect_refused("{\"model_type\":\"gemma2\"," SIZES ",\"final_logit_softcapping\":-2}",
                   "final_logit_softcapping");
    expect_refused("{\"model_type\":\"gemma2\"," SIZES ",\"query_pre_attn_scalar\":\"x\"}",
                   "query_pre_attn_scalar");
    expect_refused("{\"model_type\":\"gemma2\"," SIZES ",\"hidden_activation\":\"x\"}",
                   "hidden_activation");
    end(&f);
}

/* ---- GGUF ------------------------------------------------------------------------------------ */

typedef struct metadata {
    const char *architecture;
    double layers, window, pattern; /* 0: not stated; pattern -1: a list, 1 at even layers */
} metadata;

static bool number(void *user, const char *key, double *out) {
    const metadata *m = user;
    const struct {
        const char *key;
        double value;
    } values[] = {{"block_count", m->layers},
                  {"embedding_length", 64},
                  {"feed_forward_length", 96},
                  {"attention.head_count", 4},
                  {"attention.head_count_kv", 2},
                  {"attention.key_length", 32},
                  {"attention.value_length", 32},
                  {"attention.layer_norm_rms_epsilon", 1e-6},
                  {"vocab_size", 100},
                  {"attention.sliding_window", m->window},
                  {"attention.sliding_window_pattern", m->pattern > 0 ? m->pattern : 0}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (strcmp(values[i].key, key) == 0 && values[i].value != 0) {
            *out = values[i].value;
            return true;
        }
    return false;
}

static bool string(void *user, const char *key, rw_str *out) {
    *out = rw_str_of(((const metadata *)user)->architecture);
    return strcmp(key, "general.architecture") == 0;
}

static bool per_layer(void *user, const char *key, uint32_t layer, double *out) {
    const metadata *m = user;
    if (strcmp(key, "attention.sliding_window_pattern") == 0 && m->pattern < 0) {
        *out = layer % 2 == 0;
        return true;
    }
    return number(user, key, out);
}

static bool has_tensor(void *user, const char *name) {
    (void)user;
    (void)name;
    return false;
}

static void expect_gguf(metadata m, const char *kinds, uint32_t window, double scalar) {
    fixture f;
    begin(&f);
    rw_arch_lookup lookup = {&m, number, string, per_layer, has_tensor, NULL};
    assert_int_equal(rw_arch_from_metadata(&lookup, &f.arena, &f.arch, &f.err), RW_OK);
    if (kinds)
        check_layers(&f, kinds, window);
    assert_true(f.arch.query_scalar == scalar);
    end(&f);
}

static void test_gguf(void **state) {
    (void)state;
    expect_gguf((metadata){"gemma3", 6, 512, 0}, "sssssf", 512, 32);
    expect_gguf((metadata){"gemma3", 6, 512, 3}, "ssfssf", 512, 32);
    expect_gguf((metadata){"gemma3", 6, 512, -1}, "sfsfsf", 512, 32);
    expect_gguf((metadata){"gemma3", 6, 0, 0}, "ffffff", 0, 32);
    expect_gguf((metadata){"gemma3", 62, 512, 0}, NULL, 0, 16); /* 27B: hidden / heads */
    expect_gguf((metadata){"gemma2", 4, 0, 0}, "sfsf", 4096, 32);
    expect_gguf((metadata){"qwen2", 2, 512, 0}, "ff", 0, 0);
    expect_gguf((metadata){"smollm3", 5, 0, 0}, "fffFf", 0, 0);
    expect_gguf((metadata){"llama", 2, 512, 0}, "ff", 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),     cmocka_unit_test(test_switched_windows),
        cmocka_unit_test(test_layer_types), cmocka_unit_test(test_biases_and_norms),
        cmocka_unit_test(test_fused),       cmocka_unit_test(test_gemma),
        cmocka_unit_test(test_gguf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
