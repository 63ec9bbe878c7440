/*
 * What fits: cache and parameters of every family from config.json alone, held against published
 * figures; devices by name; the guards.
 */
#include "arch/outline.h"
#include "dialect_support.h"
#include "plan/memory.h"

enum { KI = 1024 };

static const char *family_path(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/tests/data/families/%s.json", RW_SOURCE_DIR, name);
    return path;
}

static void read_footprint(const opened *o, rw_footprint *out) {
    rw_error err = {0};
    assert_ok(rw_footprint_read(&o->source, out, &err));
}

/* ---- the cache ------------------------------------------------------------------------------- */

typedef struct cache_row {
    const char *name;
    uint64_t context;
    uint64_t last_token; /* bytes that the last token takes, in f16 */
    uint64_t windows;    /* bytes of sliding layers, whose windows are full by then */
} cache_row;

/* 131072, 57344 and 524288 bytes a token: long-context table of the project's reference (128, 56
   and 512 KiB); DeepSeek V3: 70.272 KB (its hardware paper, arXiv:2505.09343, table 1). Gemma 3
   12B: llama.cpp's own report of 8192 MiB for the global layers at 128 Ki and 480 MiB for the
   local ones at 1536 positions, so 320 MiB at the window's 1024. The others: 2 * KV heads * head
   dim * 2 bytes for each layer that sees everything, by hand from the files. */
static const cache_row caches[] = {
    {"llama3_1_8b", 131072, 131072, 0},
    {"qwen2_5_7b_1m", 1010000, 57344, 0},
    {"llama2_7b", 4096, 524288, 0},
    {"deepseek_v3", 131072, 70272, 0},
    {"deepseek_v2_lite", 131072, 27 * 576 * 2, 0},
    {"gemma3_12b_v4", 131072, 65536, 320 * KI *KI},
    {"gemma3_12b_v5", 131072, 65536, 320 * KI *KI},
    {"gemma3_4b_v4_sparse", 131072, 5 * 4096, 29ull * 4096 * 1024},
    {"gemma4_31b", 262144, 10 * 2 * 4 * 512 * 2, 50ull * 2 * 16 * 256 * 2 * 1024},
    {"gpt_oss_20b", 131072, 12 * 2048, 12 * 2048 * 128},
    {"mistral_7b_v03", 32768, 131072, 0},
    {"ministral3_3b", 262144, 26 * 4096, 0},
    {"smollm3_3b", 65536, 36 * 2048, 0},
    {"llama4_scout", 1 << 20, 12 * 4096, 36ull * 4096 * 8192},
    {"llama3_2_11b_vision", 131072, 32 * 4096, 0}, /* 8 of 40 look at an image */
    {"olmo3_7b", 65536, 8 * 16384, 24ull * 16384 * 4096},
    {"olmo3_7b_v5", 65536, 8 * 16384, 24ull * 16384 * 4096},
    {"phi3_5_mini", 131072, 393216, 0},
    {"phi4_mini", 131072, 131072, 0},
    {"qwen3_0_6b", 40960, 114688, 0},
    {"qwen3_vl_8b", 262144, 36 * 4096, 0},
    {"qwen2_5_omni_7b", 32768, 57344, 0},
    {"qwen2_5_vl_7b", 128000, 57344, 0},
    {"internvl2_5_8b", 32768, 131072, 0},
    {"llava_1_5_7b", 4096, 524288, 0},      /* heads and width from the class */
    {"janus_pro_7b", 16384, 30 * 16384, 0}, /* likewise                       */
    {"glm4_9b", 32768, 40 * 1024, 0},
    {"pythia_70m", 2048, 12288, 0},
};

static void test_cache(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        const cache_row *row = &caches[i];
        rw_footprint model;
        opened o;
        open_path(&o, family_path(row->name));
        read_footprint(&o, &model);
        uint64_t all = rw_footprint_kv(&model, RW_KV_F16, row->context);
        uint64_t last = all - rw_footprint_kv(&model, RW_KV_F16, row->context - 1);
        if (last != row->last_token || all != row->context * row->last_token + row->windows)
            fail_msg("%s: %llu bytes, the last token %llu", row->name, (unsigned long long)all,
                     (unsigned long long)last);
        assert_int_equal(rw_footprint_kv(&model, RW_KV_FP8, row->context), all / 2);
        assert_int_equal(rw_footprint_kv(&model, RW_KV_8_BIT, row->context), all / 32 * 17);
        close_opened(&o);
    }
}

static void expect_config(const char *text, uint64_t context, uint64_t bytes) {
    rw_footprint model = {0};
    rw_error err = {0};
    opened o = {.ctx = test_context()};
    const rw_json *config;
    o.arena.ctx = o.ctx;
    assert_ok(rw_json_parse(&o.arena, rw_str_of(text), "config", &config, &err));
    assert_ok(rw_arch_outline(config, &o.arena, &model.arch, &err));
    assert_int_equal(rw_footprint_kv(&model, RW_KV_F16, context), bytes);
    rw_arena_free(&o.arena);
    rw_context_free(o.ctx);
}

#define SIZES                                                                                      \
    "\"hidden_size\":64,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16,"

/* A layer of full attention takes 2 * 2 * 16 * 2 = 128 bytes a token. */
static void test_patterns(void **state) {
    (void)state;
    /* Qwen3-Next: three of four layers keep 4 heads of 16 x 16 and 4 positions of 2*32+64 */
    expect_config("{\"model_type\":\"qwen3_next\"," SIZES "\"num_hidden_layers\":8,"
                  "\"linear_num_key_heads\":2,\"linear_num_value_heads\":4,"
                  "\"linear_key_head_dim\":16,\"linear_value_head_dim\":16}",
                  1000, 2 * 128 * 1000 + 6 * 4 * (4 * 256 + 4 * 128));
    /* Granite 4: Mamba 2 layers by name: 8 * 16 * 8 states, 4 positions of 128 + 2 * 8 */
    expect_config("{\"model_type\":\"granitemoehybrid\"," SIZES "\"num_hidden_layers\":3,"
                  "\"layer_types\":[\"mamba\",\"attention\",\"mamba\"],\"mamba_d_state\":8,"
                  "\"mamba_d_conv\":4,\"mamba_n_heads\":8,\"mamba_d_head\":16}",
                  1000, 128 * 1000 + 2 * 4 * (1024 + 4 * 144));
    /* Jamba: attention at 1, 3; Mamba 1: 128 * 8 states and 4 positions of 128 */
    expect_config("{\"model_type\":\"jamba\"," SIZES "\"num_hidden_layers\":4,"
                  "\"attn_layer_period\":2,\"attn_layer_offset\":1,\"mamba_d_state\":8,"
                  "\"mamba_d_conv\":4,\"mamba_expand\":2}",
                  1000, 2 * 128 * 1000 + 2 * 4 * (1024 + 512));
    /* Nemotron-H: only '*' attends, only 'M' has a state */
    expect_config("{\"model_type\":\"nemotron_h\"," SIZES "\"num_hidden_layers\":4,"
                  "\"hybrid_override_pattern\":\"M-*-\",\"ssm_state_size\":8,\"conv_kernel\":4,"
                  "\"mamba_num_heads\":8,\"mamba_head_dim\":16,\"n_groups\":1}",
                  1000, 128 * 1000 + 4 * (1024 + 4 * 144));
    /* Qwen2-MoE with the window on, from layer 1 */
    expect_config("{\"model_type\":\"qwen2_moe\"," SIZES "\"num_hidden_layers\":3,"
                  "\"use_sliding_window\":true,\"max_window_layers\":1,\"sliding_window\":100}",
                  1000, 128 * (1000 + 2 * 100));
    /* Mixtral with a window, Cohere 2 (the fourth sees everything) */
    expect_config("{\"model_type\":\"mixtral\"," SIZES "\"num_hidden_layers\":3,"
                  "\"sliding_window\":100}",
                  1000, 128 * 300);
    expect_config("{\"model_type\":\"cohere2\"," SIZES "\"num_hidden_layers\":4,"
                  "\"sliding_window\":100,\"sliding_window_pattern\":4}",
                  1000, 128 * 1300);
    /* Gemma 3n: the last two layers read what earlier ones keep */
    expect_config("{\"model_type\":\"gemma3n_text\"," SIZES "\"num_hidden_layers\":4,"
                  "\"num_kv_shared_layers\":2,\"sliding_window\":100,\"layer_types\":["
                  "\"sliding_attention\",\"full_attention\",\"sliding_attention\","
                  "\"full_attention\"]}",
                  1000, 128 * 1100);
    /* DeepSeek V3.2: the indexer's key beside the latent */
    expect_config("{\"model_type\":\"deepseek_v32\"," SIZES "\"num_hidden_layers\":2,"
                  "\"kv_lora_rank\":512,\"qk_rope_head_dim\":64,\"index_head_dim\":128}",
                  1000, 2ull * 704 * 2 * 1000);
}

/* ---- parameters ------------------------------------------------------------------------------ */

typedef struct parameter_row {
    const char *name;
    double total, active, tolerance; /* active 0: as the total, less an untied embedding */
} parameter_row;

/* Totals of the model cards and of the weight files' indices; active ones as the cards say. */
static const parameter_row parameters[] = {
    {"llama3_1_8b", 8030261248, 0, 0},
    {"llama2_7b", 6738415616, 0, 0},
    {"qwen2_5_7b_1m", 7615616512, 0, 0},
    {"qwen3_0_6b", 596049920, 0, 0},
    {"mistral_7b_v03", 7248023552, 0, 0},
    {"smollm3_3b", 3075098624, 0, 0},
    {"phi3_5_mini", 3821079552, 0, 0},
    {"phi4_mini", 3836021760, 0, 0},
    {"pythia_70m", 70426624, 0, 0},
    {"deepseek_v3", 671.0e9, 37e9, 2e-2},
    {"deepseek_v2_lite", 15.7e9, 2.4e9, 6e-2},
    {"gpt_oss_20b", 20.91e9, 3.61e9, 1e-2},
    {"llama4_scout", 109e9, 17e9, 6e-2}, /* the card counts the vision tower and the embedding */
    {"gemma3_12b_v4", 11.77e9, 0, 1e-2},
    {"olmo3_7b", 7.3e9, 0, 1e-2},
    {"glm4_9b", 9.4e9, 0, 1e-2},
};

static void test_parameters(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        const parameter_row *row = &parameters[i];
        rw_footprint model;
        opened o;
        open_path(&o, family_path(row->name));
        read_footprint(&o, &model);
        double total = (double)model.parameters, active = (double)model.active;
        if (!(fabs(total - row->total) <= row->tolerance * row->total))
            fail_msg("%s: %.0f parameters", row->name, total);
        if (row->active != 0 && !(fabs(active - row->active) <= row->tolerance * row->active))
            fail_msg("%s: %.0f active parameters", row->name, active);
        assert_string_equal(model.counted, "config");
        close_opened(&o);
    }
}

/* ---- devices --------------------------------------------------------------------------------- */

typedef struct capacity_row {
    const char *name;
    rw_fit fit;
    double tokens;
} capacity_row;

/* The reference's table of what fits on one 80 GB card, 75 GiB of it usable. */
static const capacity_row capacities[] = {
    {"llama2_7b", {RW_WEIGHTS_BF16, RW_KV_F16}, 125 * 1024.0},
    {"llama2_7b", {RW_WEIGHTS_4_BIT, RW_KV_FP8}, 292e3},
    {"llama3_1_8b", {RW_WEIGHTS_BF16, RW_KV_F16}, 491e3},
    {"llama3_1_8b", {RW_WEIGHTS_4_BIT, RW_KV_FP8}, 1.14e6},
    {"qwen2_5_7b_1m", {RW_WEIGHTS_BF16, RW_KV_F16}, 1.14e6},
    {"qwen2_5_7b_1m", {RW_WEIGHTS_4_BIT, RW_KV_FP8}, 2.6e6},
};

static void test_capacities(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        const rw_device *h100;
        size_t count;
        rw_footprint model;
        rw_error err = {0};
        opened o;
        open_path(&o, family_path(capacities[i].name));
        read_footprint(&o, &model);
        assert_ok(rw_devices_by_names("h100", &o.arena, &h100, &count, &err));
        uint64_t largest = rw_fit_largest(&model, h100, capacities[i].fit);
        assert_near((double)largest, capacities[i].tokens, 0.01);
        uint64_t usable = rw_device_usable(h100);
        assert_true(rw_fit_bytes(&model, h100, capacities[i].fit, largest) <= usable);
        assert_true(rw_fit_bytes(&model, h100, capacities[i].fit, largest + 1) > usable);
        close_opened(&o);
    }
}

static void test_names(void **state) {
    (void)state;
    opened o = {.ctx = test_context()};
    const rw_device *list;
    size_t count;
    rw_error err = {0};
    o.arena.ctx = o.ctx;
    assert_ok(
        rw_devices_by_names("H100, RTX 4090,apple-64,cpu-24,t4", &o.arena, &list, &count, &err));
    assert_int_equal(count, 5);
    assert_int_equal(list[0].attention, RW_ATTENTION_FLASH3);
    assert_string_equal(list[1].name, "rtx-4090");
    assert_int_equal(list[1].attention, RW_ATTENTION_FLASH2);
    assert_string_equal(list[2].name, "apple-64");
    assert_int_equal(rw_device_usable(&list[2]), 48ull << 30);
    assert_int_equal(list[3].attention, RW_ATTENTION_TILED);
    assert_int_equal(list[4].attention, RW_ATTENTION_QUADRATIC);
    assert_ok(rw_devices_by_names("all", &o.arena, &list, &count, &err));
    for (size_t i = 1; i < count; i++)
        assert_true(list[i].bytes >= list[i - 1].bytes);
    static const char *const bad[] = {
        "",        "h1000",     "h100,",   "apple-",
        "apple-0", "cpu-99999", "cpu-6x4", "a-name-that-is-much-longer-than-any"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(rw_devices_by_names(bad[i], &o.arena, &list, &count, &err), RW_ERR_USAGE);
        assert_string_equal(err.code, "plan.unknown_device");
        assert_non_null(strstr(err.message, "rtx-4090"));
    }
    rw_arena_free(&o.arena);
    rw_context_free(o.ctx);
}

/* ---- guards ---------------------------------------------------------------------------------- */

static rw_status check(const opened *o, uint64_t context, const char *names, rw_plan_result *plan,
                       rw_error *err) {
    *plan = (rw_plan_result){.context = context};
    plan->diagnostics.arena = o->source.arena;
    return rw_plan_check_devices(&o->source, names, plan, err);
}

static void test_guards(void **state) {
    (void)state;
    rw_plan_result plan;
    rw_error err = {0};
    opened o;
    open_path(&o, family_path("llama3_1_8b"));
    assert_int_equal(check(&o, 16385, "v100-32", &plan, &err), RW_ERR_REFUSED);
    assert_string_equal(err.code, "plan.no_flash_attention");
    assert_non_null(strstr(err.message, "l4 would do"));
    assert_int_equal(check(&o, 131072, "h100,v100-32", &plan, &err), RW_ERR_REFUSED);
    assert_non_null(strstr(err.message, "a100-40 would do"));
    assert_ok(check(&o, 16384, "v100-32", &plan, &err));
    assert_int_equal(plan.diagnostics.count, 0);
    assert_ok(check(&o, 131072, "cpu-64,h100", &plan, &err));
    assert_int_equal(plan.diagnostics.count, 0);
    assert_int_equal(plan.device_count, 2);
    assert_ok(check(&o, 131072, "rtx-4090", &plan, &err));
    assert_true(has_diagnostic(&plan.diagnostics, "plan.device_memory"));
    assert_non_null(strstr(plan.diagnostics.items[0].message, "4-bit"));
    assert_ok(check(&o, 2000000, "l4", &plan, &err));
    assert_non_null(strstr(plan.diagnostics.items[0].message, "any of the types"));
    assert_int_equal(check(&o, 131072, "abacus", &plan, &err), RW_ERR_USAGE);
    assert_ok(check(&o, 131072, NULL, &plan, &err));
    assert_ok(check(&o, 131072, "all", &plan, &err));
    assert_int_equal(plan.diagnostics.count, 0);
    close_opened(&o);
}

/* ---- a GGUF ---------------------------------------------------------------------------------- */

static void test_gguf(void **state) {
    (void)state;
    rw_footprint model;
    opened o;
    small_gguf g = {0};
    small_text(&g, "general.architecture", "deepseek2");
    small_u32(&g, "deepseek2.block_count", 4);
    small_u32(&g, "deepseek2.context_length", 4096);
    small_u32(&g, "deepseek2.embedding_length", 64);
    small_u32(&g, "deepseek2.attention.head_count", 4);
    small_u32(&g, "deepseek2.attention.kv_lora_rank", 32);
    small_u32(&g, "deepseek2.rope.dimension_count", 16);
    small_f32(&g, "deepseek2.rope.freq_base", 10000);
    open_gguf(&o, &g);
    read_footprint(&o, &model);
    assert_int_equal(rw_footprint_kv(&model, RW_KV_F16, 1000), 4 * 48 * 2 * 1000);
    close_opened(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache),      cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_parameters), cmocka_unit_test(test_capacities),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_guards),
        cmocka_unit_test(test_gguf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
