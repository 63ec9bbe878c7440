/*
 * Where the language model is found, which windows it has, and what has no rotation at all.
 */
#include "dialect_support.h"

typedef struct window_row {
    const char *fixture, *path;
    uint64_t native, advertised, ramp_origin;
} window_row;

static const window_row windows[] = {
    {"llama2", "", 4096, 4096, 0},
    {"llama3.1", "", 8192, 131072, 8192},
    {"llama3.2-1b", "", 8192, 131072, 8192},
    {"qwen3", "", 32768, 40960, 0},
    {"qwen3-yarn-v5", "", 32768, 40960, 32768},
    {"qwen2.5-yarn", "", 32768, 32768, 32768},
    {"longchat", "", 2048, 16384, 0},
    {"yarn-llama2", "", 4096, 131072, 4096},
    {"deepseek-v3", "", 4096, 163840, 4096},
    {"gpt-oss", "", 4096, 131072, 4096},
    {"olmo3", "", 8192, 65536, 8192},
    {"phi3-longrope", "", 4096, 131072, 4096},
    {"phi4-mini", "", 4096, 131072, 4096},
    {"ministral3", "", 16384, 262144, 16384},
    {"internlm2", "", 32768, 32768, 0},
    {"smollm3", "", 65536, 65536, 0},
    {"pythia", "", 2048, 2048, 0},
    {"llava", "text_config", 4096, 4096, 0},
    {"gemma3-v4", "text_config", 131072, 131072, 0},
    {"internvl", "llm_config", 32768, 32768, 0},
    {"qwen2.5-omni", "thinker_config.text_config", 32768, 32768, 0},
    {"qwen3-vl", "text_config", 262144, 262144, 0},
    {"llama4-scout", "text_config", 8192, 10485760, 8192},
};

static void windows_and_places(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        opened o;
        print_message("%s\n", windows[i].fixture);
        open_path(&o, fixture_path(windows[i].fixture));
        assert_string_equal(o.source.language_path, windows[i].path);
        assert_int_equal(o.source.windows.native, windows[i].native);
        assert_int_equal(o.source.windows.advertised, windows[i].advertised);
        assert_int_equal(o.source.windows.ramp_origin, windows[i].ramp_origin);
        close_opened(&o);
    }
}

static void no_rope_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *fixture, *says;
    } rows[] = {{"bloom", "ALiBi"}, {"mpt", "ALiBi"}, {"gpt2", "learned"}, {"t5", "relative"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opened o;
        rw_error err = {0};
        assert_int_equal(try_open(&o, fixture_path(rows[i].fixture), &err), RW_ERR_INPUT);
        assert_string_equal(err.code, "dialect.no_rope");
        assert_non_null(strstr(err.message, rows[i].says));
        close_opened(&o);
    }
}

#define DIMS "\"hidden_size\":4096,\"num_attention_heads\":32,\"rope_theta\":1e4"

/* Keys of a rotation do not make one: what the class does with them decides. */
static void keys_are_not_a_rotation(void **state) {
    (void)state;
    static const struct {
        const char *text, *code; /* NULL: it rotates */
    } rows[] = {
        {"{\"model_type\":\"granitemoehybrid\"," DIMS "}", "dialect.no_rope"},
        {"{\"model_type\":\"granitemoehybrid\",\"position_embedding_type\":\"nope\"," DIMS "}",
         "dialect.no_rope"},
        {"{\"model_type\":\"granitemoehybrid\",\"position_embedding_type\":\"rope\"," DIMS "}",
         NULL},
        {"{\"model_type\":\"nemotron_h\"," DIMS "}", "dialect.no_rope"},
        {"{\"model_type\":\"zamba2\",\"use_mem_rope\":false," DIMS "}", "dialect.no_rope"},
        {"{\"model_type\":\"zamba2\",\"use_mem_rope\":true," DIMS "}", NULL},
        {"{\"model_type\":\"baichuan\"," DIMS "}", NULL},
        {"{\"model_type\":\"baichuan\",\"hidden_size\":5120,\"num_attention_heads\":40}",
         "dialect.no_rope"},
        {"{\"model_type\":\"chatglm\",\"rope_ratio\":500," DIMS "}", "dialect.own_rotation"},
        {"{\"model_type\":\"dbrx\",\"d_model\":6144,\"n_heads\":48,"
         "\"attn_config\":{\"rope_theta\":500000}}",
         "dialect.own_rotation"},
        {"{\"model_type\":\"modernbert\",\"global_rope_theta\":160000.0," DIMS "}",
         "dialect.own_rotation"},
        {"{\"model_type\":\"phimoe\",\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1],"
         "\"short_factor\":[1]}," DIMS "}",
         "dialect.own_rotation"},
        {"{\"model_type\":\"phimoe\"," DIMS "}", NULL},
        {"{\"model_type\":\"qwen\"," DIMS "}", NULL},
        {"{\"model_type\":\"qwen\",\"use_dynamic_ntk\":true," DIMS "}", "dialect.own_rotation"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opened o;
        rw_error err = {0};
        print_message("%s\n", rows[i].text);
        rw_status status = try_open_text(&o, rows[i].text, strlen(rows[i].text), &err);
        assert_int_equal(status, rows[i].code ? RW_ERR_INPUT : RW_OK);
        if (rows[i].code)
            assert_string_equal(err.code, rows[i].code);
        close_opened(&o);
    }
}

static void hostile_configs(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"model_type\":\"llama\",\"num_attention_heads\":0,\"hidden_size\":64}",
        "{\"model_type\":\"llama\",\"num_attention_heads\":1,\"hidden_size\":99999999}",
        ("{\"model_type\":\"phi\",\"hidden_size\":64,\"num_attention_heads\":2,"
         "\"partial_rotary_factor\":-1}"),
        ("{\"text_config\":7,\"vision_config\":{\"num_attention_heads\":2,"
         "\"rope_theta\":1}}"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        opened o;
        rw_error err = {0};
        rw_rope_set *set = calloc(1, sizeof *set);
        rw_status status = try_open_text(&o, texts[i], strlen(texts[i]), &err);
        if (status == RW_OK)
            status = rw_dialect_read(RW_TRANSFORMERS5, &o.source, set, NULL, &err);
        if (status != RW_ERR_INPUT)
            fail_msg("%s gives %s", texts[i], rw_status_name(status));
        assert_true(err.code[0] && err.message[0]);
        close_opened(&o);
        free(set);
    }
}

static void contradictions_are_errors(void **state) {
    (void)state;
    opened o;
    open_path(&o, fixture_path("two-spellings"));
    assert_true(has_diagnostic(&o.source.diagnostics, "dialect.two_spellings"));
    assert_int_equal(o.source.diagnostics.items[0].severity, RW_ERROR);
    close_opened(&o);
    open_path(&o, fixture_path("theta-lost"));
    assert_int_equal(o.source.diagnostics.items[0].severity, RW_ERROR);
    close_opened(&o);
}

static void receipt_tells_the_native_window(void **state) {
    (void)state;
    char folder[512], path[600];
    snprintf(folder, sizeof folder, "%s", scratch_path(".d"));
    mkdir(folder, 0755);
    const char *config = "{\"model_type\":\"llama\",\"hidden_size\":64,\"num_attention_heads\":2,"
                         "\"num_hidden_layers\":1,\"intermediate_size\":8,\"vocab_size\":8,"
                         "\"rms_norm_eps\":1e-5,"
                         "\"max_position_embeddings\":2048,\"rope_theta\":41829.0}";
    const char *receipt =
        "{\"schema\":\"ropewalk.receipt/1\",\"manifest\":{\"plan\":{\"native\":512,"
        "\"context\":2048,\"method\":\"ntk\",\"factor\":4.0,"
        "\"before\":[{\"theta\":10000.0}]}}}";
    snprintf(path, sizeof path, "%s/config.json", folder);
    write_file(path, config, strlen(config));
    opened o;
    open_path(&o, folder);
    assert_int_equal(o.source.windows.native, 2048);
    close_opened(&o);
    snprintf(path, sizeof path, "%s/receipt.json", folder);
    write_file(path, receipt, strlen(receipt));
    open_path(&o, folder);
    assert_int_equal(o.source.windows.native, 512);
    assert_non_null(o.source.receipt_plan);
    close_opened(&o);
    unlink(path);
    snprintf(path, sizeof path, "%s/config.json", folder);
    unlink(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_and_places),
        cmocka_unit_test(no_rope_is_refused),
        cmocka_unit_test(keys_are_not_a_rotation),
        cmocka_unit_test(hostile_configs),
        cmocka_unit_test(contradictions_are_errors),
        cmocka_unit_test(receipt_tells_the_native_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
