/*
 * Rules that only one family's class has. The figures are what transformers 5.23 and 4.57.6 have in
 * the rotary module of a model that they build from such a config.
 */
#include "dialect_support.h"

#define DIMS "\"hidden_size\":4096,\"num_attention_heads\":32,\"num_hidden_layers\":2,"

#define YARN                                                                                       \
    "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"                                     \
    "\"original_max_position_embeddings\":4096}"
#define LINEAR "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2.0}"

static rw_status read_spec(const char *text, rw_runtime runtime, rw_rope_spec *spec,
                           rw_error *err) {
    opened o;
    rw_rope_set *set = calloc(1, sizeof *set);
    open_text(&o, text);
    rw_status status = rw_dialect_read(runtime, &o.source, set, NULL, err);
    *spec = set->group[0].spec;
    close_opened(&o);
    free(set);
    return status;
}

static rw_rope_spec spec_of(const char *text, rw_runtime runtime) {
    rw_rope_spec spec;
    rw_error err = {0};
    rw_status status = read_spec(text, runtime, &spec, &err);
    if (status != RW_OK)
        fail_msg("[%s] %s", err.code, err.message);
    return spec;
}

static void assert_pair(const rw_rope_spec *spec, uint32_t pair, double inv_freq) {
    rw_rope_table table;
    assert_int_equal(rw_rope_table_build(spec, 4 * 32768, &table, NULL), RW_OK);
    assert_near(table.inv_freq[pair] / inv_freq, 1, 1e-5);
}

/* Tencent's Hunyuan: `alpha` is a change of base, whatever the factor and the length. */
static void hunyuan_alpha_changes_the_base(void **state) {
    (void)state;
    static const char *const types[] = {"hunyuan_v1_dense", "hunyuan_v1_moe"};
    static const rw_runtime runtimes[] = {RW_TRANSFORMERS5, RW_TRANSFORMERS4, RW_VLLM,
                                          RW_LLAMA_CPP};
    for (size_t t = 0; t < 2; t++)
        for (size_t r = 0; r < sizeof runtimes / sizeof *runtimes; r++) {
            char text[512];
            snprintf(text, sizeof text,
                     "{\"model_type\":\"%s\"," DIMS "\"head_dim\":128,\"rope_theta\":10000.0,"
                     "\"max_position_embeddings\":32768,\"rope_scaling\":{\"type\":\"dynamic\","
                     "\"alpha\":1000.0,\"factor\":1.0,\"beta_fast\":32,\"beta_slow\":1}}",
                     types[t]);
            rw_rope_spec spec = spec_of(text, runtimes[r]);
            assert_pair(&spec, 1, 0.7760344);
            assert_pair(&spec, 32, 2.99358e-4);
            assert_pair(&spec, 63, 1.15478e-07);
        }
    /* elsewhere transformers does not read it */
    rw_rope_spec spec = spec_of("{\"model_type\":\"llama\"," DIMS "\"rope_scaling\":{\"type\":"
                                "\"dynamic\",\"alpha\":1000.0,\"factor\":2.0}}",
                                RW_TRANSFORMERS5);
    assert_int_equal(spec.method, RW_ROPE_DYNAMIC);
}

/* transformers' MiniMax turns whole heads; vLLM's reads rotary_dim. */
static void minimax_has_two_rotations(void **state) {
    (void)state;
    static const char text[] = "{\"model_type\":\"minimax\"," DIMS "\"head_dim\":128,"
                               "\"rotary_dim\":64,\"rope_theta\":10000000}";
    rw_rope_spec spec = spec_of(text, RW_TRANSFORMERS5);
    assert_int_equal(spec.rotary_dim, 128);
    assert_pair(&spec, 1, 0.777365);
    assert_int_equal(spec_of(text, RW_TRANSFORMERS4).rotary_dim, 128);
    assert_int_equal(spec_of(text, RW_VLLM).rotary_dim, 64);
}

/* Classes with a head_dim of their own don't divide width by heads; an explicit null takes it away.
 */
static void head_dim_of_the_class(void **state) {
    (void)state;
    static const struct {
        const char *type;
        uint32_t head_dim;
    } rows[] = {{"qwen3", 128}, {"gemma", 256},    {"gemma2", 256}, {"gpt_oss", 64},
                {"glm4", 128},  {"seed_oss", 128}, {"llama", 80},   {"qwen2", 80}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{\"model_type\":\"%s\",\"hidden_size\":1040,\"num_attention_heads\":13,"
                 "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":10000.0}}",
                 rows[i].type);
        print_message("%s\n", rows[i].type);
        assert_int_equal(spec_of(text, RW_TRANSFORMERS5).head_dim, rows[i].head_dim);
    }
    rw_rope_spec spec = spec_of("{\"model_type\":\"qwen3\",\"hidden_size\":1040,\"head_dim\":null,"
                                "\"num_attention_heads\":13,\"rope_theta\":10000.0}",
                                RW_TRANSFORMERS5);
    assert_int_equal(spec.head_dim, 80);
}

/* The class's own table turns whole heads; the functions of the scaled types read the part. */
static void part_of_a_head(void **state) {
    (void)state;
    static const struct {
        const char *type, *keys;
        uint32_t rotary_dim;
    } rows[] = {
        {"mistral", "\"partial_rotary_factor\":0.5", 64},
        {"mistral", "\"rotary_dim\":16", 64},
        {"mistral", "\"rope_parameters\":{\"rope_type\":\"default\",\"partial_rotary_factor\":0.5}",
         64},
        {"mistral",
         "\"partial_rotary_factor\":0.5,\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2}",
         32},
        {"phi", "\"partial_rotary_factor\":0.25", 16},
        {"phi3", "\"partial_rotary_factor\":0.75", 48},
        {"gptj", "\"rotary_dim\":16", 16},
        {"unheard_of", "\"partial_rotary_factor\":0.5", 32},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"model_type\":\"%s\",\"hidden_size\":256,\"num_attention_heads\":4,"
                 "\"rope_theta\":1e4,\"max_position_embeddings\":4096,%s}",
                 rows[i].type, rows[i].keys);
        print_message("%s\n", text);
        assert_int_equal(spec_of(text, RW_TRANSFORMERS5).rotary_dim, rows[i].rotary_dim);
    }
}

/* `if truncate:` in Python. */
static void truncate_is_a_truth_value(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool truncate;
    } rows[] = {{"null", false}, {"0", false}, {"false", false},    {"\"\"", false},
                {"true", true},  {"1", true},  {"\"false\"", true}, {"[]", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"model_type\":\"llama\"," DIMS "\"rope_theta\":1e4,\"rope_scaling\":{"
                 "\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":1024,"
                 "\"truncate\":%s}}",
                 rows[i].value);
        print_message("truncate: %s\n", rows[i].value);
        assert_int_equal(spec_of(text, RW_TRANSFORMERS5).truncate, rows[i].truncate);
    }
}

static bool said(const rw_diagnostics *list, const char *code) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].code, code) == 0)
            return true;
    return false;
}

static void theta_of_an_unknown_class_is_a_guess(void **state) {
    (void)state;
    static const char *const types[] = {"unheard_of", "llama", "bitnet"};
    for (size_t i = 0; i < 3; i++) {
        char text[256];
        opened o;
        rw_error err = {0};
        rw_rope_set *set = calloc(1, sizeof *set);
        snprintf(text, sizeof text,
                 "{\"model_type\":\"%s\"," DIMS "\"rope_scaling\":{\"type\":"
                 "\"linear\",\"factor\":2.0}}",
                 types[i]);
        open_text(&o, text);
        rw_diagnostics list = {.arena = &o.arena};
        assert_ok(rw_dialect_read(RW_TRANSFORMERS5, &o.source, set, &list, &err));
        assert_int_equal(said(&list, "dialect.theta_unknown"), i == 0);
        assert_true(set->group[0].spec.theta == (i == 2 ? 5e5 : 1e4));
        close_opened(&o);
        free(set);
    }
}

/* Which layers turn, and whether any of those sees the whole context. */
static void layers_without_rotation(void **state) {
    (void)state;
    static const struct {
        const char *keys;
        bool some, far;
    } rows[] = {
        {"\"model_type\":\"cohere2\",\"sliding_window\":4096", true, true},
        {"\"model_type\":\"cohere2\",\"sliding_window\":null", false, false},
        {"\"model_type\":\"exaone4\",\"sliding_window\":4096", true, true},
        {"\"model_type\":\"exaone4\",\"sliding_window\":null", false, false},
        {"\"model_type\":\"llama4_text\"", true, true},
        {"\"model_type\":\"smollm3\"", true, false},
        {"\"model_type\":\"llama\"", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        opened o;
        snprintf(text, sizeof text,
                 "{%s,\"hidden_size\":64,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                 "\"num_hidden_layers\":8,\"intermediate_size\":64,\"vocab_size\":64,"
                 "\"rope_theta\":1e4,\"max_position_embeddings\":8192}",
                 rows[i].keys);
        print_message("%s\n", rows[i].keys);
        open_text(&o, text);
        assert_int_equal(said(&o.source.diagnostics, "dialect.layers_without_rope"), rows[i].some);
        assert_int_equal(said(&o.source.diagnostics, "dialect.far_layers_without_rope"),
                         rows[i].far);
        close_opened(&o);
    }
}

/* An object of blocks under names that nobody knows is not theta 10000 without scaling. */
static void unknown_layer_types_are_refused(void **state) {
    (void)state;
    rw_rope_spec spec;
    rw_error err = {0};
    static const char text[] =
        "{\"model_type\":\"zaya\"," DIMS "\"head_dim\":128,\"rope_parameters\":{\"hybrid\":"
        "{\"rope_type\":\"default\",\"rope_theta\":5000000.0,\"partial_rotary_factor\":0.5}}}";
    assert_int_equal(read_spec(text, RW_TRANSFORMERS5, &spec, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "dialect.unreadable");
}

/* Most classes have one table: an object of blocks is nothing to them. One that nobody here knows
   is believed when it says which layer is which. */
static void one_table_or_several(void **state) {
    (void)state;
    static const char blocks[] =
        "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"linear\",\"factor\":2.0,"
        "\"rope_theta\":1e4},\"sliding_attention\":{\"rope_type\":\"default\",\"rope_theta\":1e4}}";
    static const struct {
        const char *keys;
        rw_status status;
    } rows[] = {
        {"\"model_type\":\"granite\",", RW_ERR_INPUT},
        {"\"model_type\":\"unheard_of\",", RW_ERR_INPUT},
        {"\"model_type\":\"unheard_of\",\"layer_types\":[\"full_attention\",\"sliding_attention\"]"
         ",",
         RW_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[768];
        rw_rope_spec spec;
        rw_error err = {0};
        snprintf(text, sizeof text, "{%s" DIMS "%s}", rows[i].keys, blocks);
        assert_int_equal(read_spec(text, RW_TRANSFORMERS5, &spec, &err), rows[i].status);
    }
}

/* What single classes do with a block: NULL: it loads, "none": it loads and does nothing. */
static void blocks_that_a_class_refuses(void **state) {
    (void)state;
    static const struct {
        const char *type, *block;
        rw_runtime runtime;
        const char *code;
    } rows[] = {
        {"mixtral", YARN, RW_TRANSFORMERS5, "dialect.missing_key"},
        {"mixtral", YARN ",\"head_dim\":128", RW_TRANSFORMERS5, NULL},
        {"mixtral", LINEAR, RW_TRANSFORMERS5, NULL},
        {"mistral", YARN, RW_TRANSFORMERS4, "dialect.missing_key"},
        {"mistral", YARN, RW_TRANSFORMERS5, NULL},
        {"olmo2", YARN, RW_TRANSFORMERS4, "dialect.unreadable"},
        {"olmo2", "\"rope_scaling\":{\"rope_type\":\"linear\",\"type\":\"linear\",\"factor\":2.0}",
         RW_TRANSFORMERS4, "dialect.unreadable"},
        {"olmo2", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0}", RW_TRANSFORMERS4, NULL},
        {"llama4_text", YARN, RW_TRANSFORMERS4, "dialect.unreadable"},
        {"nemotron", LINEAR, RW_TRANSFORMERS4, "none"},
        {"nemotron", LINEAR, RW_TRANSFORMERS5, NULL},
        {"phi4_multimodal", LINEAR, RW_TRANSFORMERS5, "dialect.unreadable"},
        {"phimoe", YARN, RW_TRANSFORMERS5, "dialect.unreadable"},
        {"recurrent_gemma", YARN, RW_TRANSFORMERS5, "dialect.unreadable"},
        {"hunyuan_v1_dense", "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}",
         RW_TRANSFORMERS4, "dialect.missing_key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        rw_rope_spec spec;
        rw_error err = {0};
        snprintf(text, sizeof text, "{\"model_type\":\"%s\"," DIMS "\"rope_theta\":1e4,%s}",
                 rows[i].type, rows[i].block);
        print_message("%s %s\n", rw_runtime_name(rows[i].runtime), text);
        rw_status status = read_spec(text, rows[i].runtime, &spec, &err);
        bool fails = rows[i].code && strcmp(rows[i].code, "none") != 0;
        assert_int_equal(status, fails ? RW_ERR_INPUT : RW_OK);
        if (fails)
            assert_string_equal(err.code, rows[i].code);
        else
            assert_int_equal(spec.method == RW_ROPE_NONE, rows[i].code != NULL);
    }
}

/* An override replaces the whole block, in the config as transformers 5 has loaded it. */
static void emitted_blocks_say_all(void **state) {
    (void)state;
    static const struct {
        const char *keys, *says;
    } rows[] = {
        {"\"model_type\":\"gpt_neox\",\"rotary_pct\":0.25", "\"partial_rotary_factor\": 0.25}"},
        {"\"model_type\":\"glm4\"", "\"partial_rotary_factor\": 0.5}"},
        {"\"model_type\":\"llama\"", "\"rope_theta\": 10000.0}'"},
        {"\"model_type\":\"gemma3_text\"",
         "config.rope_parameters = json.loads('{\"full_attention\": {"},
        {"\"model_type\":\"gemma3_text\"",
         "\"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}}')"},
        {"\"model_type\":\"qwen2_vl\",\"vision_config\":{}",
         "config.text_config.rope_parameters = "},
        {"\"model_type\":\"mixtral\"", "config.head_dim = 128\n"},
        {"\"model_type\":\"recurrent_gemma\"", NULL}, /* its class takes no block */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        opened o;
        rw_error err = {0};
        const char *emitted = NULL;
        rw_rope_set *set = calloc(1, sizeof *set);
        snprintf(text, sizeof text,
                 "{%s," DIMS "\"rope_theta\":10000.0,\"max_position_embeddings\":4096}",
                 rows[i].keys);
        open_text(&o, text);
        assert_ok(rw_dialect_read(RW_TRANSFORMERS5, &o.source, set, NULL, &err));
        rw_rope_spec *spec = &set->group[0].spec;
        spec->method = RW_ROPE_YARN;
        spec->factor = 2;
        spec->original_context = 4096;
        assert_ok(rw_dialect_emit(RW_TRANSFORMERS5, &o.source, set, 8192, &emitted, &err));
        assert_true((emitted == NULL) == (rows[i].says == NULL));
        if (emitted && !strstr(emitted, rows[i].says))
            fail_msg("%s\n%s", rows[i].says, emitted);
        close_opened(&o);
        free(set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hunyuan_alpha_changes_the_base),
        cmocka_unit_test(minimax_has_two_rotations),
        cmocka_unit_test(head_dim_of_the_class),
        cmocka_unit_test(part_of_a_head),
        cmocka_unit_test(truncate_is_a_truth_value),
        cmocka_unit_test(theta_of_an_unknown_class_is_a_guess),
        cmocka_unit_test(layers_without_rotation),
        cmocka_unit_test(unknown_layer_types_are_refused),
        cmocka_unit_test(one_table_or_several),
        cmocka_unit_test(blocks_that_a_class_refuses),
        cmocka_unit_test(emitted_blocks_say_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
