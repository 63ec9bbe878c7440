/*
 * Descriptions of models, from config.json and from metadata: what is read, what is refused, and
 * what the size formulas make of it.
 */
#include "arch/arch.h"
#include "arch/memory.h"
#include "support.h"

#define TINY                                                                                       \
    "\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"vocab_size\":4096,"       \
    "\"hidden_size\":256,\"intermediate_size\":704,\"num_hidden_layers\":6,"                       \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"tie_word_embeddings\":true"

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

static void expect(const char *config, const char *code, const char *where) {
    fixture f;
    begin(&f);
    rw_status status = read_config(&f, config);
    if (status != RW_ERR_INPUT || strcmp(f.err.code, code) != 0 || strcmp(f.err.where, where) != 0)
        fail_msg("%s: got %d %s at %s, wanted %s at %s", config, (int)status, f.err.code,
                 f.err.where, code, where);
    end(&f);
}

/* ---- config.json ----------------------------------------------------------------------------- */

static void test_llama(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    assert_int_equal(read_config(&f, "{" TINY ",\"eos_token_id\":[7,8],\"head_dim\":null}"), RW_OK);
    const rw_arch *a = &f.arch;
    assert_string_equal(a->name, "LlamaForCausalLM");
    assert_string_equal(a->family->name, "llama");
    assert_int_equal(a->n_layers, 6);
    assert_int_equal(a->head_dim, 64);
    assert_int_equal(a->bos, -1);
    assert_int_equal(a->eos, 7);
    assert_true(a->norm_eps == 1e-6);
    assert_true(a->tied_embeddings);
    assert_int_equal(a->layers[5].n_kv_heads, 2);
    assert_int_equal(a->layers[5].kind, RW_LAYER_FULL);
    assert_true(a->layers[5].rotary);
    /* 4096*256 + 6 * (2*256 + 2*256*256 + 2*128*256 + 3*704*256) + 256 */
    assert_int_equal(a->parameters, 5475584);
    end(&f);
}

static void test_mistral_window(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    const char *config = "{\"model_type\":\"mistral\",\"vocab_size\":10,\"hidden_size\":32,"
                         "\"intermediate_size\":8,\"num_hidden_layers\":2,"
                         "\"num_attention_heads\":2,\"head_dim\":32,\"sliding_window\":100}";
    assert_int_equal(read_config(&f, config), RW_OK);
    assert_int_equal(f.arch.layers[1].kind, RW_LAYER_SLIDING);
    assert_int_equal(f.arch.layers[1].window, 100);
    assert_int_equal(f.arch.layers[1].qk_dim, 32); /* not hidden / heads */
    assert_int_equal(rw_arch_kv_elements(&f.arch, 0, 1000), 100 * 2 * 64);
    assert_int_equal(rw_arch_cache_rows(&f.arch, 0, 1000, 512), 612);
    assert_int_equal(rw_arch_cache_rows(&f.arch, 0, 300, 300), 300);
    end(&f);
}

static void test_refusals(void **state) {
    (void)state;
    expect("{\"model_type\":\"llama\"}", "arch.missing_key", "num_hidden_layers");
    expect("{\"model_type\":\"llama\",\"num_hidden_layers\":0}", "arch.bad_value",
           "num_hidden_layers");
    expect("{\"model_type\":\"llama\",\"num_hidden_layers\":1e30}", "arch.bad_value",
           "num_hidden_layers");
    expect("{\"model_type\":\"llama\",\"num_hidden_layers\":4097}", "arch.bad_value",
           "num_hidden_layers");
    expect("{\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":\"x\"}",
           "arch.bad_value", "hidden_size");
    expect("{" TINY ",\"rms_norm_eps\":2}", "arch.bad_value", "rms_norm_eps");
    expect("{" TINY ",\"hidden_act\":\"tanhexp\"}", "arch.bad_value", "hidden_act");
    expect("{" TINY ",\"attention_bias\":1}", "arch.bad_value", "attention_bias");
    expect("{" TINY ",\"head_dim\":-1}", "arch.bad_value", "head_dim");
    expect("{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":30,\"intermediate_size\":8,"
           "\"num_hidden_layers\":2,\"num_attention_heads\":3,\"num_key_value_heads\":2}",
           "arch.bad_value", "num_key_value_heads");
    expect("{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":31,\"intermediate_size\":8,"
           "\"num_hidden_layers\":2,\"num_attention_heads\":3}",
           "arch.missing_key", "head_dim"); /* 3 heads do not divide 31 */
    fixture f;
    begin(&f);
    assert_int_equal(rw_arch_from_config(NULL, &f.arena, &f.arch, &f.err), RW_ERR_INPUT);
    end(&f);
}

/* A family that we don't know says what it says, and nothing is an error. */
static void test_unknown(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    assert_int_equal(read_config(&f, "{\"model_type\":\"newthing\",\"n_layer\":3,\"n_embd\":96,"
                                     "\"n_head\":3,\"sliding_window\":8,\"layer_types\":["
                                     "\"full_attention\",\"sliding_attention\",\"mamba\"]}"),
                     RW_OK);
    assert_null(f.arch.family);
    assert_string_equal(f.arch.name, "newthing");
    assert_int_equal(f.arch.n_layers, 3);
    assert_int_equal(f.arch.hidden, 96);
    assert_int_equal(f.arch.layers[1].n_heads, 3);
    assert_int_equal(f.arch.head_dim, 32);
    assert_int_equal(f.arch.layers[0].kind, RW_LAYER_FULL);
    assert_int_equal(f.arch.layers[1].kind, RW_LAYER_SLIDING);
    assert_int_equal(f.arch.layers[1].window, 8);
    assert_int_equal(f.arch.layers[2].kind, RW_LAYER_OTHER);
    assert_int_equal(read_config(&f, "{\"n_layer\":-3,\"n_head\":\"many\"}"), RW_OK);
    assert_int_equal(f.arch.n_layers, 0);
    end(&f);
}

/* ---- metadata -------------------------------------------------------------------------------- */

typedef struct entry {
    const char *key;
    double number;
} entry;

static const entry metadata[] = {
    {"block_count", 6},
    {"embedding_length", 256},
    {"feed_forward_length", 704},
    {"attention.head_count", 4},
    {"attention.head_count_kv", 2},
    {"attention.layer_norm_rms_epsilon", 1e-5},
    {"tokenizer.ggml.eos_token_id", 2},
};

static const char *without; /* a key that shall be missing */

static bool number(void *user, const char *key, double *out) {
    (void)user;
    for (size_t i = 0; i < sizeof metadata / sizeof metadata[0]; i++)
        if (strcmp(metadata[i].key, key) == 0 && (!without || strcmp(without, key) != 0)) {
            *out = metadata[i].number;
            return true;
        }
    return false;
}

static bool string(void *user, const char *key, rw_str *out) {
    *out = rw_str_of(user);
    return strcmp(key, "general.architecture") == 0 && user;
}

static bool per_layer(void *user, const char *key, uint32_t layer, double *out) {
    bool found = number(user, key, out);
    if (strcmp(key, "attention.head_count_kv") == 0 && layer == 3)
        *out = 1; /* an array in the file */
    return found;
}

static bool has_tensor(void *user, const char *name) {
    (void)user;
    return strcmp(name, "output.weight") == 0;
}

static bool tensor_rows(void *user, const char *name, uint64_t *rows) {
    (void)user;
    *rows = 1000;
    return strcmp(name, "token_embd.weight") == 0;
}

static void test_metadata(void **state) {
    (void)state;
    fixture f;
    char llama[] = "llama", other[] = "newthing";
    rw_arch_lookup lookup = {llama, number, string, per_layer, has_tensor, tensor_rows};
    begin(&f);
    without = NULL;
    assert_int_equal(rw_arch_from_metadata(&lookup, &f.arena, &f.arch, &f.err), RW_OK);
    assert_true(f.arch.family->gguf_interleaved);
    assert_int_equal(f.arch.vocab, 1000);
    assert_int_equal(f.arch.layers[0].n_kv_heads, 2);
    assert_int_equal(f.arch.layers[3].n_kv_heads, 1);
    assert_int_equal(f.arch.head_dim, 64);
    assert_int_equal(f.arch.eos, 2);
    assert_false(f.arch.tied_embeddings);
    for (size_t i = 0; i < 6; i++) {
        without = metadata[i].key;
        rw_status status = rw_arch_from_metadata(&lookup, &f.arena, &f.arch, &f.err);
        if (strcmp(without, "attention.head_count_kv") == 0) { /* as many as heads */
            assert_int_equal(f.arch.layers[0].n_kv_heads, 4);
            continue;
        }
        assert_int_equal(status, RW_ERR_INPUT);
        assert_string_equal(f.err.code, "arch.missing_key");
        assert_string_equal(f.err.where, without);
    }
    without = "embedding_length";
    lookup.user = other;
    assert_int_equal(rw_arch_from_metadata(&lookup, &f.arena, &f.arch, &f.err), RW_OK);
    assert_null(f.arch.family);
    assert_int_equal(f.arch.n_layers, 6);
    lookup.user = NULL;
    assert_int_equal(rw_arch_from_metadata(&lookup, &f.arena, &f.arch, &f.err), RW_ERR_INPUT);
    end(&f);
}

/* ---- names, shapes, sizes -------------------------------------------------------------------- */

static void test_names_and_shapes(void **state) {
    (void)state;
    fixture f;
    char name[128];
    uint64_t shape[2];
    begin(&f);
    assert_int_equal(read_config(&f, "{" TINY "}"), RW_OK);
    rw_arch_tensor_name(&f.arch, RW_NAMING_HF, RW_W_Q, 3, name);
    assert_string_equal(name, "model.layers.3.self_attn.q_proj.weight");
    rw_arch_tensor_name(&f.arch, RW_NAMING_GGUF, RW_W_Q, 3, name);
    assert_string_equal(name, "blk.3.attn_q.weight");
    rw_arch_tensor_name(&f.arch, RW_NAMING_GGUF, RW_W_EMBEDDING, 0, name);
    assert_string_equal(name, "token_embd.weight");
    assert_int_equal(rw_arch_tensor_shape(&f.arch, RW_W_K, 0, shape), 2);
    assert_int_equal(shape[0], 128);
    assert_int_equal(shape[1], 256);
    assert_int_equal(rw_arch_tensor_shape(&f.arch, RW_W_DOWN, 0, shape), 2);
    assert_int_equal(shape[1], 704);
    assert_int_equal(rw_arch_tensor_shape(&f.arch, RW_W_FINAL_NORM, 0, shape), 1);
    assert_int_equal(rw_arch_tensor_shape(&f.arch, RW_W_OUTPUT, 0, shape), 0); /* tied */
    assert_int_equal(rw_arch_tensor_shape(&f.arch, RW_W_Q_BIAS, 0, shape), 0);
    assert_int_equal(rw_arch_tensor_shape(&f.arch, RW_W_Q, 6, shape), 0); /* no such layer */
    end(&f);
}

static void test_memory(void **state) {
    (void)state;
    fixture f;
    rw_memory m, more;
    begin(&f);
    assert_int_equal(read_config(&f, "{" TINY "}"), RW_OK);
    rw_memory_options options = {.context = 2048, .threads = 2};
    rw_arch_memory(&f.arch, &options, &m);
    assert_int_equal(m.weights, f.arch.parameters * 4); /* nothing is said to lie in a file */
    assert_int_equal(m.mapped, 0);
    assert_int_equal(m.kv, 2048u * 6 * 2 * 128 * 4);
    assert_int_equal(m.kv, 4 * rw_arch_kv_elements_all(&f.arch, 2048));
    assert_int_equal(m.total, m.weights + m.kv + m.activations + m.program);
    assert_int_equal(rw_arch_largest_context(&f.arch, &options, m.total, 1 << 20), 2048);
    assert_int_equal(rw_arch_largest_context(&f.arch, &options, m.total - 1, 1 << 20), 2047);
    assert_int_equal(rw_arch_largest_context(&f.arch, &options, m.weights, 1 << 20), 0);
    options.context = 4096;
    rw_arch_memory(&f.arch, &options, &more);
    assert_int_equal(more.kv, 2 * m.kv);
    assert_int_equal(more.activations, m.activations); /* one chunk at a time */
    options.raw_keys = options.history = true; /* two kinds of layers, 32 pairs, cos and sin */
    rw_arch_memory(&f.arch, &options, &more);
    assert_int_equal(more.activations, m.activations + 4096 * (2 * 2 * 32 + 1) * 4);
    options.context = UINT64_MAX;
    rw_arch_memory(&f.arch, &options, &more);
    assert_int_equal(more.kv, UINT64_MAX); /* saturates */
    assert_int_equal(more.total, UINT64_MAX);
    /* per token twice the weights but the embedding's, and 4 * heads * dim for every pair seen */
    double weights = 6.0 * (2 * 65536 + 2 * 32768 + 3 * 180224);
    double pairs = 1000.0 * 1001.0 / 2.0;
    assert_true(rw_arch_forward_flops(&f.arch, 1000) ==
                2000.0 * weights + 6.0 * 4.0 * 4.0 * 64.0 * pairs);
    end(&f);
}

static void test_cache_types(void **state) {
    (void)state;
    static const uint64_t bytes[RW_CACHE_TYPES] = {128, 64, 64, 34}; /* of 32 numbers */
    fixture f;
    rw_memory m;
    rw_error err = {0};
    begin(&f);
    assert_int_equal(read_config(&f, "{" TINY "}"), RW_OK);
    for (int i = 0; i < RW_CACHE_TYPES; i++) {
        rw_cache_type type = RW_CACHE_F32;
        assert_int_equal(rw_cache_type_read(rw_cache_type_name((rw_cache_type)i), &type, &err),
                         RW_OK);
        assert_int_equal(type, i);
        rw_memory_options options = {.context = 100, .cache = type};
        rw_arch_memory(&f.arch, &options, &m);
        assert_int_equal(m.kv, 100 * 6 * 256 / 32 * bytes[i]);
        assert_int_equal(rw_cache_type_check(&f.arch, type, &err), RW_OK);
    }
    rw_cache_type type = RW_CACHE_BF16;
    assert_int_equal(rw_cache_type_read(NULL, &type, &err), RW_OK);
    assert_int_equal(type, RW_CACHE_BF16);
    assert_int_equal(rw_cache_type_read("q4_0", &type, &err), RW_ERR_USAGE);
    assert_string_equal(err.code, "arch.kv_type");
    f.arch.layers[3].v_dim = 80; /* not whole blocks */
    assert_int_equal(rw_cache_type_check(&f.arch, RW_CACHE_Q8_0, &err), RW_ERR_USAGE);
    assert_non_null(strstr(err.message, "layer 3"));
    assert_int_equal(rw_cache_type_check(&f.arch, RW_CACHE_F16, &err), RW_OK);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama),    cmocka_unit_test(test_mistral_window),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_metadata), cmocka_unit_test(test_names_and_shapes),
        cmocka_unit_test(test_memory),   cmocka_unit_test(test_cache_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
