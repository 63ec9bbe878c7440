/*
 * What each runtime resolves, against the check values of the reference (double precision, derived
 * twice independently), never against our own output.
 */
#include "dialect_support.h"

enum { CHECKS = 5 };

typedef struct check_row {
    const char *fixture;
    rw_runtime runtime;
    rw_layers layers;
    uint64_t length;
    rw_rope_method method;
    double attention_factor, logit_scale;
    double ramp_low, ramp_high; /* NaN: none */
    struct {
        uint32_t pair;
        double inv_freq;
    } want[CHECKS];
} check_row;

#define NO_RAMP NAN, NAN

static const check_row rows[] = {
    {"llama2",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     4096,
     RW_ROPE_NONE,
     1,
     1,
     NO_RAMP,
     {{0, 1.0}, {1, 0.8659643233600653}, {16, 0.1}, {32, 0.01}, {63, 1.1547819846894582e-04}}},
    {"longchat",
     RW_TRANSFORMERS4,
     RW_LAYERS_ALL,
     4096,
     RW_ROPE_LINEAR,
     1,
     1,
     NO_RAMP,
     {{0, 0.125}, {1, 0.8659643233600653 / 8}, {16, 0.0125}, {32, 0.00125}}},
    {"qwen2.5-yarn",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.138629436111989,
     1,
     23,
     40,
     {{0, 1.0},
      {24, 0.005375321490790102},
      {31, 0.0008029597275452302},
      {40, 4.445698525097307e-05},
      {63, 3.102344401879299e-07}}},
    {"qwen2.5-yarn",
     RW_TRANSFORMERS4,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.138629436111989,
     1,
     23,
     40,
     {{31, 0.0008029597275452302}}},
    {"qwen2.5-yarn",
     RW_VLLM,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.138629436111989,
     1,
     23,
     40,
     {{31, 0.0008029597275452302}}},
    {"qwen2.5-yarn",
     RW_SGLANG,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.138629436111989,
     1,
     23,
     40,
     {{31, 0.0008029597275452302}}},
    {"qwen2.5-yarn",
     RW_LLAMA_CPP,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.138629436111989,
     1,
     23,
     40,
     {{31, 0.0008029597275452302}}},
    {"qwen3-yarn-v5",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.138629436111989,
     1,
     23,
     40,
     {{24, 0.005375321490790102}}},
    {"gpt-oss",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.3465735902799727,
     1,
     8.092779115512402,
     17.39802450158856,
     {{8, 0.050813274815461475},
      {9, 0.03170569618466377},
      {12, 0.006794959489732219},
      {17, 0.00012931870124506317},
      {31, 3.0235114281192144e-07}}},
    {"deepseek-v3",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     163840,
     RW_ROPE_YARN,
     1,
     1.8738542070926265,
     10,
     23,
     {{10, 0.056234132519034905},
      {11, 0.03900692656714386},
      {16, 0.0055},
      {23, 3.33380358040831e-05},
      {31, 3.33380358040831e-06}}},
    {"deepseek-v3",
     RW_LLAMA_CPP,
     RW_LAYERS_ALL,
     163840,
     RW_ROPE_YARN,
     1,
     1.8738542070926265,
     10,
     23,
     {{16, 0.0055}}},
    {"llama3.1",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LLAMA3,
     1,
     1,
     NO_RAMP,
     {{28, 0.0032114459947525913},
      {29, 0.002166570763503359},
      {31, 0.0008567514129196321},
      {34, 0.00017850781276799638},
      {63, 3.068925988914511e-07}}},
    {"llama3.1",
     RW_LLAMA_CPP,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LLAMA3,
     1,
     1,
     NO_RAMP,
     {{31, 0.0008567514129196321}}},
    {"llama3.2-1b",
     RW_TRANSFORMERS4,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LLAMA3,
     1,
     1,
     NO_RAMP,
     {{14, 0.0032114459947525913},
      {15, 0.001290547928209264},
      {16, 0.00042955679655936815},
      {17, 9.70828780262767e-05},
      {31, 9.418306725434909e-08}}},
    {"gemma4",
     RW_TRANSFORMERS5,
     RW_LAYERS_FULL,
     262144,
     RW_ROPE_PROPORTIONAL,
     1,
     1,
     NO_RAMP,
     {{1, 0.9474635256553754},
      {32, 0.17782794100389226},
      {63, 0.033376246942920386},
      {64, 0},
      {255, 0}}},
    {"phi3-longrope",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LONGROPE,
     1.1902380714238083,
     1,
     NO_RAMP,
     {{0, 1.0}}},
    {"phi3-longrope",
     RW_TRANSFORMERS4,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LONGROPE,
     1.1902380714238083,
     1,
     NO_RAMP,
     {{0, 1.0}}},
    {"phi3-longrope",
     RW_VLLM,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LONGROPE,
     1.1902380714238083,
     1,
     NO_RAMP,
     {{0, 1.0}}},
    {"phi3-longrope",
     RW_LLAMA_CPP,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LONGROPE,
     1.1902380714238083,
     1,
     NO_RAMP,
     {{0, 1.0}}},
    {"phi4-mini",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     4096,
     RW_ROPE_LONGROPE,
     1.1902380714238083,
     1,
     NO_RAMP,
     {{0, 1.0}}},
    {"olmo3",
     RW_TRANSFORMERS5,
     RW_LAYERS_FULL,
     65536,
     RW_ROPE_YARN,
     1.2079441541679836,
     1,
     18,
     35,
     {{0, 1.0}}},
    {"olmo3", RW_TRANSFORMERS5, RW_LAYERS_SLIDING, 65536, RW_ROPE_NONE, 1, 1, NO_RAMP, {{0, 1.0}}},
    {"gemma3-v4",
     RW_TRANSFORMERS5,
     RW_LAYERS_FULL,
     131072,
     RW_ROPE_LINEAR,
     1,
     1,
     NO_RAMP,
     {{0, 0.125}}},
    {"gemma3-v4",
     RW_TRANSFORMERS5,
     RW_LAYERS_SLIDING,
     131072,
     RW_ROPE_NONE,
     1,
     1,
     NO_RAMP,
     {{0, 1.0}, {32, 0.1}, {64, 0.01}}},
    {"gemma3-v5",
     RW_TRANSFORMERS5,
     RW_LAYERS_SLIDING,
     131072,
     RW_ROPE_NONE,
     1,
     1,
     NO_RAMP,
     {{0, 1.0}, {32, 0.1}, {64, 0.01}}},
    {"gemma3-v4",
     RW_LLAMA_CPP,
     RW_LAYERS_SLIDING,
     131072,
     RW_ROPE_NONE,
     1,
     1,
     NO_RAMP,
     {{0, 1.0}, {32, 0.1}}},
    {"ministral3", RW_TRANSFORMERS5, RW_LAYERS_ALL, 262144, RW_ROPE_YARN, 1, 1, 20, 37, {{0, 1.0}}},
    {"yarn-llama2",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_YARN,
     1.3465735902799727,
     1,
     20,
     46,
     {{0, 1.0}}},
    {"pythia",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     2048,
     RW_ROPE_NONE,
     1,
     1,
     NO_RAMP,
     {{0, 1.0}, {8, 0.1}, {16, 0.01}}},
    {"llama4-scout",
     RW_TRANSFORMERS5,
     RW_LAYERS_ALL,
     131072,
     RW_ROPE_LLAMA3,
     1,
     1,
     NO_RAMP,
     {{0, 1.0}}},
};

static void check_table(const check_row *row, const rw_rope_spec *spec, double tolerance) {
    rw_error err = {0};
    rw_rope_table table;
    assert_ok(rw_rope_table_build(spec, row->length, &table, &err));
    assert_int_equal(spec->method, row->method);
    assert_near(table.attention_factor, row->attention_factor, tolerance);
    assert_near(table.logit_scale, row->logit_scale, tolerance);
    if (!isnan(row->ramp_low)) {
        assert_near(table.ramp_low, row->ramp_low, tolerance);
        assert_near(table.ramp_high, row->ramp_high, tolerance);
    }
    for (int i = 0; i < CHECKS; i++)
        if (row->want[i].inv_freq != 0)
            assert_near(table.inv_freq[row->want[i].pair], row->want[i].inv_freq, tolerance);
}

static void readers_resolve_the_published_numbers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rw_error err = {0};
        rw_rope_set *set = calloc(1, sizeof *set);
        opened o;
        open_path(&o, fixture_path(rows[i].fixture));
        print_message("%s by %s\n", rows[i].fixture, rw_runtime_name(rows[i].runtime));
        assert_ok(rw_dialect_read(rows[i].runtime, &o.source, set, NULL, &err));
        const rw_rope_group *group = rw_rope_set_find(set, rows[i].layers);
        assert_non_null(group);
        /* llama.cpp stores float32 */
        check_table(&rows[i], &group->spec, rows[i].runtime == RW_LLAMA_CPP ? 4e-6 : 1e-12);
        close_opened(&o);
        free(set);
    }
}

/* ---- dynamic NTK: 6.4
 * ------------------------------------------------------------------------------ */

#define GEMMA3                                                                                     \
    "{\"model_type\":\"gemma3_text\",\"hidden_size\":4096,\"num_attention_heads\":32,"             \
    "\"num_hidden_layers\":2,\"intermediate_size\":64,\"vocab_size\":32,\"head_dim\":128,"         \
    "\"max_position_embeddings\":4096,"

#define LLAMA                                                                                      \
    "{\"model_type\":\"llama\",\"hidden_size\":4096,\"num_attention_heads\":32,"                   \
    "\"num_hidden_layers\":2,\"intermediate_size\":64,\"vocab_size\":32,"                          \
    "\"max_position_embeddings\":4096,\"rms_norm_eps\":1e-5,"

static void read_text(const char *text, rw_runtime runtime, rw_rope_spec *spec, rw_status expected,
                      char code[RW_ERROR_CODE_MAX]) {
    rw_error err = {0};
    opened o;
    rw_rope_set *set = calloc(1, sizeof *set);
    open_text(&o, text);
    rw_status status = rw_dialect_read(runtime, &o.source, set, NULL, &err);
    if (status != expected)
        fail_msg("%s [%s] %s", rw_status_name(status), err.code, err.message);
    if (code)
        memcpy(code, err.code, RW_ERROR_CODE_MAX);
    if (status == RW_OK)
        *spec = set->group[0].spec;
    close_opened(&o);
    free(set);
}

static void dynamic_grows_with_the_length(void **state) {
    (void)state;
    const char *text = LLAMA "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0,"
                             "\"original_max_position_embeddings\":1}}";
    rw_rope_spec spec;
    rw_rope_table table;
    read_text(text, RW_TRANSFORMERS5, &spec, RW_OK, NULL);
    assert_int_equal(spec.original_context, 4096); /* M, whatever the block says */
    assert_int_equal(rw_rope_table_build(&spec, 8192, &table, NULL), RW_OK);
    assert_near(table.inv_freq[1], 0.8509942913412162, 1e-12);
    assert_near(table.inv_freq[32], 0.005723381508381237, 1e-12);
    /* vLLM freezes it at M * s: the bracket is s^2 - s + 1 = 3 */
    read_text(text, RW_VLLM, &spec, RW_OK, NULL);
    assert_int_equal(spec.method, RW_ROPE_NTK);
    assert_near(spec.factor, 3, 1e-15);
    /* llama.cpp's converter leaves it out */
    read_text(text, RW_LLAMA_CPP, &spec, RW_OK, NULL);
    assert_int_equal(spec.method, RW_ROPE_NONE);
}

/* ---- single rules, one line each
 * ---------------------------------------------------------------------- */

typedef struct rule_row {
    const char *name;
    const char *text; /* rest of the config after LLAMA */
    rw_runtime runtime;
    double theta, factor, attention_factor; /* attention_factor at the length 16384 */
    uint64_t original;
} rule_row;

#define YARN "\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":2048"
#define A4 1.138629436111989

static const rule_row rules[] = {
    {"rope_scaling replaces rope_parameters, theta and all",
     "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5e5},\"rope_scaling\":{" YARN
     "}}",
     RW_TRANSFORMERS5, 1e4, 4, A4, 2048},
    {"the converter takes rope_parameters",
     "\"rope_parameters\":{" YARN ",\"rope_theta\":5e5},\"rope_scaling\":{\"type\":\"linear\","
     "\"factor\":2}}",
     RW_LLAMA_CPP, 5e5, 4, A4, 2048},
    {"theta in the block beats the config's",
     "\"rope_theta\":7e3,\"rope_parameters\":{" YARN ",\"rope_theta\":5e5}}", RW_TRANSFORMERS5, 5e5,
     4, A4, 2048},
    {"theta of the config when the block has none",
     "\"rope_theta\":7e3,\"rope_parameters\":{" YARN "}}", RW_TRANSFORMERS5, 7e3, 4, A4, 2048},
    {"an empty rope_scaling is none",
     "\"rope_scaling\":{},\"rope_parameters\":{" YARN ",\"rope_theta\":5e5}}", RW_TRANSFORMERS5,
     5e5, 4, A4, 2048},
    {"transformers 4 does not see rope_parameters",
     "\"rope_parameters\":{" YARN ",\"rope_theta\":5e5}}", RW_TRANSFORMERS4, 1e4, 1, 1, 0},
    {"rope_type beats type", "\"rope_scaling\":{\"type\":\"linear\"," YARN "}}", RW_TRANSFORMERS5,
     1e4, 4, A4, 2048},
    {"the config's own original window beats the block's",
     "\"original_max_position_embeddings\":1024,\"rope_scaling\":{" YARN "}}", RW_TRANSFORMERS5,
     1e4, 4, A4, 1024},
    {"not in transformers 4",
     "\"original_max_position_embeddings\":1024,\"rope_scaling\":{" YARN "}}", RW_TRANSFORMERS4,
     1e4, 4, A4, 2048},
    {"no original window: M", "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0}}",
     RW_TRANSFORMERS5, 1e4, 4, A4, 4096},
    {"transformers 4 early: always M", "\"rope_scaling\":{" YARN "}}", RW_TRANSFORMERS4_EARLY, 1e4,
     4, A4, 4096},
    {"but llama3 keeps its own",
     "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1,"
     "\"high_freq_factor\":4,\"original_max_position_embeddings\":2048}}",
     RW_TRANSFORMERS4_EARLY, 1e4, 8, 1, 2048},
    {"the converter takes llama3's origin from the top, default 8192",
     "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1,"
     "\"high_freq_factor\":4,\"original_max_position_embeddings\":2048}}",
     RW_LLAMA_CPP, 1e4, 8, 1, 8192},
    {"factor null is M / L0",
     "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":null,"
     "\"original_max_position_embeddings\":1024}}",
     RW_TRANSFORMERS5, 1e4, 4, A4, 1024},
    {"attention_factor is final", "\"rope_scaling\":{" YARN ",\"attention_factor\":1.0}}",
     RW_TRANSFORMERS5, 1e4, 4, 1.0, 2048},
    {"SGLang ignores it", "\"rope_scaling\":{" YARN ",\"attention_factor\":1.0}}", RW_SGLANG, 1e4,
     4, A4, 2048},
    {"attn_factor multiplies in SGLang", "\"rope_scaling\":{" YARN ",\"attn_factor\":0.5}}",
     RW_SGLANG, 1e4, 4, A4 / 2, 2048},
    {"and is ignored by transformers", "\"rope_scaling\":{" YARN ",\"attn_factor\":0.5}}",
     RW_TRANSFORMERS5, 1e4, 4, A4, 2048},
    {"one mscale key alone counts for nothing", "\"rope_scaling\":{" YARN ",\"mscale\":0.5}}",
     RW_TRANSFORMERS5, 1e4, 4, A4, 2048},
    {"the pair does: f(s,2)/f(s,1)",
     "\"rope_scaling\":{" YARN ",\"mscale\":2.0,\"mscale_all_dim\":1.0}}", RW_TRANSFORMERS5, 1e4, 4,
     (2 * A4 - 1) / A4, 2048},
    {"a zero of the pair is ignored",
     "\"rope_scaling\":{" YARN ",\"mscale\":2.0,\"mscale_all_dim\":0}}", RW_TRANSFORMERS5, 1e4, 4,
     A4, 2048},
    {"but not by SGLang", "\"rope_scaling\":{" YARN ",\"mscale\":2.0,\"mscale_all_dim\":0}}",
     RW_SGLANG, 1e4, 4, 2 * A4 - 1, 2048},
    {"transformers 4 early knows no mscale",
     "\"rope_scaling\":{" YARN ",\"mscale\":2.0,\"mscale_all_dim\":1.0}}", RW_TRANSFORMERS4_EARLY,
     1e4, 4, A4, 4096},
};

static void rules_hold(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const rule_row *row = &rules[i];
        char text[1024];
        rw_rope_spec spec;
        rw_rope_table table;
        print_message("%s\n", row->name);
        snprintf(text, sizeof text, "%s%s", LLAMA, row->text);
        read_text(text, row->runtime, &spec, RW_OK, NULL);
        assert_int_equal(rw_rope_table_build(&spec, 16384, &table, NULL), RW_OK);
        double tolerance = row->runtime == RW_LLAMA_CPP ? 2e-7 : 1e-12;
        assert_near(spec.theta, row->theta, tolerance);
        assert_near(spec.factor, row->factor, tolerance);
        assert_near(table.attention_factor, row->attention_factor, tolerance);
        assert_int_equal(spec.original_context, row->original);
    }
}

static void betas_default_and_truncate(void **state) {
    (void)state;
    rw_rope_spec spec;
    read_text(LLAMA "\"rope_scaling\":{" YARN ",\"beta_fast\":0,\"beta_slow\":null,"
                    "\"truncate\":false}}",
              RW_TRANSFORMERS5, &spec, RW_OK, NULL);
    assert_true(spec.beta_fast == 32 && spec.beta_slow == 1 && !spec.truncate);
    /* inside a per-layer block transformers 5 looks for truncate at the wrong level */
    read_text(GEMMA3 "\"rope_parameters\":{\"full_attention\":{" YARN ",\"rope_theta\":1e4,"
                     "\"truncate\":false}}}",
              RW_TRANSFORMERS5, &spec, RW_OK, NULL);
    assert_true(spec.truncate);
    read_text(LLAMA "\"rope_scaling\":{" YARN ",\"beta_fast\":64,\"truncate\":false}}",
              RW_LLAMA_CPP, &spec, RW_OK, NULL);
    assert_true(spec.beta_fast == 32 && spec.truncate);
}

/* int(96 * 0.3) is 28: truncated in double. */
static void partial_rotary_truncates(void **state) {
    (void)state;
    rw_rope_spec spec;
    read_text("{\"model_type\":\"stablelm\",\"hidden_size\":192,\"num_attention_heads\":2,"
              "\"num_hidden_layers\":2,\"max_position_embeddings\":64,\"rope_theta\":1e4,"
              "\"partial_rotary_factor\":0.3}",
              RW_TRANSFORMERS5, &spec, RW_OK, NULL);
    assert_int_equal(spec.head_dim, 96);
    assert_int_equal(spec.rotary_dim, 28);
}

#define LIST8 "1,1,1,1,1,1,1,1,"
#define LIST64 "[" LIST8 LIST8 LIST8 LIST8 LIST8 LIST8 LIST8 "1,1,1,1,1,1,1,1]"

static void what_cannot_load_says_so(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rw_runtime runtime;
        const char *code;
    } bad[] = {
        {"\"rope_scaling\":{\"type\":\"ntk\",\"factor\":2}}", RW_TRANSFORMERS5,
         "dialect.unreadable"},
        {"\"rope_scaling\":{\"type\":\"yarn\"}}", RW_TRANSFORMERS5, "dialect.missing_key"},
        {"\"rope_scaling\":{\"type\":\"linear\",\"factor\":\"4\"}}", RW_TRANSFORMERS5,
         "dialect.bad_value"},
        {"\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1],\"long_factor\":[1]}}",
         RW_TRANSFORMERS5, "dialect.bad_list"},
        {"\"rope_parameters\":{" YARN ",\"rope_theta\":\"1e6\"}}", RW_TRANSFORMERS5,
         "dialect.bad_value"},
        {"\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8}}", RW_TRANSFORMERS4,
         "dialect.missing_key"},
        {"\"rope_scaling\":{\"type\":\"linear\",\"factor\":0.5}}", RW_TRANSFORMERS5, "rope.range"},
        /* 5.17 renames su too late to find the original window that it fills in */
        {"\"rope_scaling\":{\"type\":\"su\",\"short_factor\":" LIST64 ",\"long_factor\":" LIST64
         "}}",
         RW_TRANSFORMERS5, "dialect.missing_key"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1024], code[RW_ERROR_CODE_MAX];
        rw_rope_spec spec;
        snprintf(text, sizeof text, "%s%s", LLAMA, bad[i].text);
        read_text(text, bad[i].runtime, &spec, RW_ERR_INPUT, code);
        assert_string_equal(code, bad[i].code);
    }
    rw_rope_spec spec; /* vLLM has an ntk of its own: pair k divided by s^(2(k+1)/d) */
    read_text(LLAMA "\"rope_scaling\":{\"type\":\"ntk\",\"factor\":16}}", RW_VLLM, &spec, RW_OK,
              NULL);
    assert_int_equal(spec.method, RW_ROPE_PER_PAIR);
    assert_near(spec.pair_factor[31], 4, 1e-14);
}

static void silent_traps_are_said(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rw_runtime runtime;
        const char *code;
    } traps[] = {
        {"\"rope_scaling\":{" YARN ",\"attn_factor\":1}}", RW_TRANSFORMERS5,
         "dialect.attn_factor_ignored"},
        {"\"rope_scaling\":{" YARN ",\"beta_quick\":1}}", RW_TRANSFORMERS5, "dialect.unknown_key"},
        {"\"rope_scaling\":{\"type\":\"linear\"," YARN "}}", RW_TRANSFORMERS5, "dialect.two_types"},
        {"\"rope_parameters\":{" YARN ",\"rope_theta\":5e5}}", RW_TRANSFORMERS4,
         "dialect.parameters_ignored"},
        {"\"rope_parameters\":{" YARN ",\"rope_theta\":5e5}}", RW_TRANSFORMERS4,
         "dialect.theta_lost"},
        {"\"original_max_position_embeddings\":1024,\"rope_scaling\":{" YARN "}}", RW_TRANSFORMERS5,
         "dialect.two_origins"},
        {"\"rope_scaling\":{" YARN "}}", RW_TRANSFORMERS4_EARLY, "dialect.origin_ignored"},
        {"\"rope_scaling\":{" YARN ",\"attention_factor\":1.0}}", RW_LLAMA_CPP,
         "dialect.amplitude_lost"},
    };
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        char text[1024];
        opened o;
        rw_error err = {0};
        rw_rope_set *set = calloc(1, sizeof *set);
        snprintf(text, sizeof text, "%s%s", LLAMA, traps[i].text);
        open_text(&o, text);
        rw_diagnostics list = {.arena = &o.arena};
        assert_ok(rw_dialect_read(traps[i].runtime, &o.source, set, &list, &err));
        if (!has_diagnostic(&list, traps[i].code))
            fail_msg("%s is not said of %s", traps[i].code, traps[i].text);
        close_opened(&o);
        free(set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_resolve_the_published_numbers),
        cmocka_unit_test(dynamic_grows_with_the_length),
        cmocka_unit_test(rules_hold),
        cmocka_unit_test(betas_default_and_truncate),
        cmocka_unit_test(partial_rotary_truncates),
        cmocka_unit_test(what_cannot_load_says_so),
        cmocka_unit_test(silent_traps_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
