/*
 * The decision: method, factor, native window, and what is refused with which code.
 */
#include "dialect_support.h"
#include "plan/plan.h"

#define TINY                                                                                       \
    "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":256,"      \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"num_hidden_layers\":6,"                 \
    "\"intermediate_size\":704,\"vocab_size\":4096,\"rms_norm_eps\":1e-5,\"head_dim\":64,"         \
    "\"rope_theta\":10000.0,"

#define PLAIN TINY "\"max_position_embeddings\":512}"
#define LINEAR4                                                                                    \
    TINY "\"max_position_embeddings\":512,\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}}"
#define YARN4                                                                                      \
    TINY "\"max_position_embeddings\":2048,\"rope_scaling\":{\"rope_type\":\"yarn\","              \
         "\"factor\":4.0,\"original_max_position_embeddings\":512,\"beta_fast\":24}}"

typedef struct guard_row {
    const char *name, *config;
    uint64_t context;
    const char *method;
    double factor;
    bool compound, replace, force;
    const char *targets;
    rw_status status;
    const char *code; /* NULL: planned */
    rw_rope_method want_method;
    double want_factor;
} guard_row;

static const guard_row rows[] = {
    {.name = "YaRN is the default",
     .config = PLAIN,
     .context = 2048,
     .want_method = RW_ROPE_YARN,
     .want_factor = 4},
    {.name = "smallest sufficient factor",
     .config = PLAIN,
     .context = 1280,
     .want_method = RW_ROPE_YARN,
     .want_factor = 2.5},
    {.name = "shrink",
     .config = PLAIN,
     .context = 256,
     .status = RW_ERR_REFUSED,
     .code = "plan.shrink"},
    {.name = "no context",
     .config = PLAIN,
     .context = 0,
     .status = RW_ERR_USAGE,
     .code = "plan.no_context"},
    {.name = "absurd",
     .config = PLAIN,
     .context = UINT64_MAX,
     .force = true,
     .status = RW_ERR_REFUSED,
     .code = "plan.absurd_context"},
    {.name = "linear beyond 4",
     .config = PLAIN,
     .context = 4096,
     .method = "linear",
     .status = RW_ERR_REFUSED,
     .code = "plan.unstable_factor"},
    {.name = "ntk at 4",
     .config = PLAIN,
     .context = 2048,
     .method = "ntk",
     .want_method = RW_ROPE_NTK,
     .want_factor = 4},
    {.name = "ntk beyond 4",
     .config = PLAIN,
     .context = 4096,
     .method = "ntk",
     .status = RW_ERR_REFUSED,
     .code = "plan.unstable_factor"},
    {.name = "forced",
     .config = PLAIN,
     .context = 4096,
     .method = "linear",
     .force = true,
     .want_method = RW_ROPE_LINEAR,
     .want_factor = 8},
    {.name = "yarn at 32",
     .config = PLAIN,
     .context = 16384,
     .want_method = RW_ROPE_YARN,
     .want_factor = 32},
    {.name = "yarn beyond 32",
     .config = PLAIN,
     .context = 16385,
     .status = RW_ERR_REFUSED,
     .code = "plan.unstable_factor"},
    {.name = "already scaled",
     .config = YARN4,
     .context = 4096,
     .status = RW_ERR_REFUSED,
     .code = "plan.already_scaled"},
    {.name = "already scaled, linear",
     .config = LINEAR4,
     .context = 2048,
     .status = RW_ERR_REFUSED,
     .code = "plan.already_scaled"},
    {.name = "compound",
     .config = YARN4,
     .context = 4096,
     .compound = true,
     .want_method = RW_ROPE_YARN,
     .want_factor = 8},
    {.name = "compound keeps linear",
     .config = LINEAR4,
     .context = 4096,
     .compound = true,
     .force = true,
     .want_method = RW_ROPE_LINEAR,
     .want_factor = 8},
    {.name = "compound below the factor of a block that names no origin",
     .config = LINEAR4,
     .context = 1024,
     .compound = true,
     .status = RW_ERR_REFUSED,
     .code = "plan.unknown_origin"},
    {.name = "replace",
     .config = YARN4,
     .context = 1024,
     .replace = true,
     .method = "ntk",
     .want_method = RW_ROPE_NTK,
     .want_factor = 2},
    {.name = "linear stays linear",
     .config = LINEAR4,
     .context = 1024,
     .replace = true,
     .want_method = RW_ROPE_LINEAR,
     .want_factor = 2},
    {.name = "both",
     .config = YARN4,
     .context = 4096,
     .replace = true,
     .compound = true,
     .status = RW_ERR_USAGE,
     .code = "plan.flags"},
    {.name = "compound with another method",
     .config = YARN4,
     .context = 4096,
     .compound = true,
     .method = "ntk",
     .status = RW_ERR_USAGE,
     .code = "plan.flags"},
    {.name = "unknown method",
     .config = PLAIN,
     .context = 1024,
     .method = "magic",
     .status = RW_ERR_USAGE,
     .code = "plan.unknown_method"},
    {.name = "unknown target",
     .config = PLAIN,
     .context = 1024,
     .targets = "vllm,tgi",
     .status = RW_ERR_USAGE,
     .code = "plan.unknown_runtime"},
    {.name = "factor below 1",
     .config = PLAIN,
     .context = 1024,
     .factor = 0.5,
     .status = RW_ERR_USAGE,
     .code = "plan.bad_flag"},
    {.name = "base without theta",
     .config = PLAIN,
     .context = 1024,
     .method = "base",
     .status = RW_ERR_USAGE,
     .code = "plan.no_theta"},
    {.name = "longrope without lists",
     .config = PLAIN,
     .context = 1024,
     .method = "longrope",
     .status = RW_ERR_USAGE,
     .code = "plan.list"},
    {.name = "dynamic for vLLM",
     .config = PLAIN,
     .context = 1024,
     .method = "dynamic",
     .targets = "transformers5,vllm",
     .status = RW_ERR_REFUSED,
     .code = "plan.not_expressible"},
    {.name = "dynamic for whom it may concern",
     .config = PLAIN,
     .context = 1024,
     .method = "dynamic",
     .want_method = RW_ROPE_DYNAMIC,
     .want_factor = 2},
    {.name = "transformers 4 early by name",
     .config = PLAIN,
     .context = 1024,
     .targets = "transformers5,transformers4-early",
     .want_method = RW_ROPE_YARN,
     .want_factor = 2},
};

static rw_status make(opened *o, const guard_row *row, rw_plan_result *plan, rw_error *err) {
    rw_plan_options options = {.struct_size = sizeof options,
                               .context = row->context,
                               .compound = row->compound,
                               .replace = row->replace,
                               .force = row->force,
                               .targets = row->targets};
    options.scaling.method = row->method;
    options.scaling.factor = row->factor;
    open_text(o, row->config);
    return rw_plan_make(&o->source, &options, plan, err);
}

static void guards_and_choices(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const guard_row *row = &rows[i];
        opened o;
        rw_error err = {0};
        rw_plan_result *plan = calloc(1, sizeof *plan);
        rw_status status = make(&o, row, plan, &err);
        print_message("%s: %s\n", row->name, err.message);
        assert_int_equal(status, row->status);
        if (row->code) {
            assert_string_equal(err.code, row->code);
        } else {
            assert_int_equal(plan->method, row->want_method);
            assert_true(plan->factor == row->want_factor);
            assert_false(plan->nothing_to_do);
            assert_true(plan->targets != 0);
        }
        close_opened(&o);
        free(plan);
    }
}

static void refusal_names_numbers_and_ways(void **state) {
    (void)state;
    const guard_row row = {.config = YARN4, .context = 4096};
    static const char *const words[] = {"yarn", "4", "512", "2048", "--compound", "--replace", "8"};
    opened o;
    rw_error err = {0};
    rw_plan_result *plan = calloc(1, sizeof *plan);
    assert_int_equal(make(&o, &row, plan, &err), RW_ERR_REFUSED);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(err.message, words[i]));
    close_opened(&o);
    free(plan);
}

static void compound_keeps_parameters(void **state) {
    (void)state;
    const guard_row row = {.config = YARN4, .context = 4096, .compound = true};
    opened o;
    rw_error err = {0};
    rw_plan_result *plan = calloc(1, sizeof *plan);
    assert_ok(make(&o, &row, plan, &err));
    const rw_rope_spec *spec = &plan->after.group[0].spec;
    assert_true(spec->beta_fast == 24 && spec->factor == 8 && spec->original_context == 512);
    close_opened(&o);
    free(plan);
}

static void equal_is_nothing_to_do(void **state) {
    (void)state;
    static const char *const configs[] = {PLAIN, YARN4};
    for (int i = 0; i < 2; i++) {
        const guard_row row = {.config = configs[i], .context = 512};
        opened o;
        rw_error err = {0};
        rw_plan_result *plan = calloc(1, sizeof *plan);
        assert_ok(make(&o, &row, plan, &err));
        assert_true(plan->nothing_to_do);
        assert_true(has_diagnostic(&plan->diagnostics, "plan.nothing_to_do"));
        close_opened(&o);
        free(plan);
    }
}

/* MLA's temperature follows the factor: f(80, 1)^2. */
static void compound_of_mla(void **state) {
    (void)state;
    opened o;
    rw_error err = {0};
    rw_plan_result *plan = calloc(1, sizeof *plan);
    rw_plan_options options = {
        .struct_size = sizeof options, .context = 327680, .compound = true, .force = true};
    open_path(&o, fixture_path("deepseek-v3"));
    assert_ok(rw_plan_make(&o.source, &options, plan, &err));
    double f = 0.1 * log(80) + 1;
    assert_near(plan->after.group[0].spec.logit_scale, f * f, 1e-7);
    close_opened(&o);
    free(plan);
}

static void sliding_layers_stay(void **state) {
    (void)state;
    opened o;
    rw_error err = {0};
    rw_plan_result *plan = calloc(1, sizeof *plan);
    rw_plan_options options = {.struct_size = sizeof options, .context = 16384, .replace = true};
    open_path(&o, fixture_path("olmo3"));
    assert_ok(rw_plan_make(&o.source, &options, plan, &err));
    const rw_rope_group *sliding = rw_rope_set_find(&plan->after, RW_LAYERS_SLIDING);
    assert_int_equal(sliding->spec.method, RW_ROPE_NONE);
    assert_true(rw_rope_set_find(&plan->after, RW_LAYERS_FULL)->spec.factor == 2);
    close_opened(&o);
    free(plan);
}

static void contradictions_stop_a_plan(void **state) {
    (void)state;
    opened o;
    rw_error err = {0};
    rw_plan_result *plan = calloc(1, sizeof *plan);
    rw_plan_options options = {.struct_size = sizeof options, .context = 8192};
    open_path(&o, fixture_path("two-spellings"));
    assert_int_equal(rw_plan_make(&o.source, &options, plan, &err), RW_ERR_REFUSED);
    assert_string_equal(err.code, "dialect.two_spellings");
    close_opened(&o);
    free(plan);
}

static void known_model_beats_the_flag(void **state) {
    (void)state;
    opened o;
    rw_error err = {0};
    rw_plan_result *plan = calloc(1, sizeof *plan);
    rw_plan_options options = {.struct_size = sizeof options, .context = 131072};
    options.scaling.original_context = 40960; /* Qwen3 was trained at 32768 */
    open_path(&o, fixture_path("qwen3"));
    assert_ok(rw_plan_make(&o.source, &options, plan, &err));
    assert_int_equal(plan->native, 32768);
    assert_true(plan->factor == 4);
    assert_true(has_diagnostic(&plan->diagnostics, "plan.original_context"));
    close_opened(&o);
    free(plan);
}

/* ---- contradictions and silent extensions -----------------------------------------------------
 */

#define LLAMA2_SHAPE                                                                               \
    "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":4096,"     \
    "\"num_attention_heads\":32,\"num_key_value_heads\":32,\"num_hidden_layers\":32,"              \
    "\"intermediate_size\":11008,\"vocab_size\":32000,\"rms_norm_eps\":1e-5,"
#define TEXT_PART                                                                                  \
    "{\"model_type\":\"llama\",\"hidden_size\":256,\"num_attention_heads\":4,"                     \
    "\"num_hidden_layers\":2,\"intermediate_size\":64,\"vocab_size\":64,\"rms_norm_eps\":1e-5,"    \
    "\"max_position_embeddings\":512,\"rope_theta\":10000.0}"

typedef struct note_row {
    const char *name, *config;
    uint64_t context;
    bool replace;
    const char *says; /* a diagnostic of the plan, or the code of the refusal */
    rw_status status;
    uint64_t native;
} note_row;

static const note_row notes[] = {
    {.name = "long upstream without a word: theta and window of no known model",
     .config = LLAMA2_SHAPE "\"max_position_embeddings\":32768,\"rope_theta\":10000.0}",
     .context = 65536,
     .says = "dialect.window_unexplained",
     .native = 32768},
    {.name = "the known window of that theta",
     .config = LLAMA2_SHAPE "\"max_position_embeddings\":4096,\"rope_theta\":10000.0}",
     .context = 8192,
     .native = 4096},
    {.name = "another theta is another model",
     .config = LLAMA2_SHAPE "\"max_position_embeddings\":16384,\"rope_theta\":1000000.0}",
     .context = 32768,
     .native = 16384},
    {.name = "a declared original window that a known model contradicts",
     .config = LLAMA2_SHAPE "\"max_position_embeddings\":131072,\"rope_scaling\":{"
                            "\"rope_type\":\"yarn\",\"factor\":32.0,"
                            "\"original_max_position_embeddings\":8192}}",
     .context = 65536,
     .replace = true,
     .says = "dialect.native_contradicted",
     .native = 4096},
    {.name = "two levels that disagree",
     .config = "{\"model_type\":\"llava\",\"rope_theta\":5000.0,\"text_config\":" TEXT_PART "}",
     .context = 1024,
     .says = "dialect.two_levels",
     .status = RW_ERR_REFUSED},
    {.name = "two levels that agree",
     .config = "{\"model_type\":\"llava\",\"rope_theta\":10000.0,\"text_config\":" TEXT_PART "}",
     .context = 1024,
     .says = "dialect.two_levels",
     .native = 512},
    {.name = "layers that predict further tokens",
     .config = TINY "\"max_position_embeddings\":512,\"num_nextn_predict_layers\":1}",
     .context = 1024,
     .says = "dialect.companion_mtp",
     .native = 512},
    {.name = "a draft of another model",
     .config = TINY "\"max_position_embeddings\":512,\"draft_vocab_size\":64}",
     .context = 1024,
     .says = "dialect.companion_draft",
     .native = 512},
};

static void what_a_plan_says(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        const note_row *row = &notes[i];
        opened o;
        rw_error err = {0};
        rw_plan_result *plan = calloc(1, sizeof *plan);
        rw_plan_options options = {
            .struct_size = sizeof options, .context = row->context, .replace = row->replace};
        open_text(&o, row->config);
        rw_status status = rw_plan_make(&o.source, &options, plan, &err);
        print_message("%s: %s\n", row->name, err.message);
        assert_int_equal(status, row->status);
        if (status != RW_OK) {
            assert_string_equal(err.code, row->says);
        } else {
            assert_int_equal(plan->native, row->native);
            assert_true(!row->says || has_diagnostic(&plan->diagnostics, row->says));
            bool silent = !row->says;
            assert_false(silent &&
                         has_diagnostic(&plan->diagnostics, "dialect.window_unexplained"));
        }
        close_opened(&o);
        free(plan);
    }
}

/* The silent compounding case: llama.cpp's flags would act on top of what is baked in. */
static void yarn_over_baked_factors(void **state) {
    (void)state;
    small_gguf g;
    opened o;
    rw_error err = {0};
    const char *text = NULL;
    float factors[32];
    rw_plan_result *plan = calloc(1, sizeof *plan);
    rw_plan_options options = {.struct_size = sizeof options, .context = 2048};
    for (int k = 0; k < 32; k++)
        factors[k] = k < 16 ? 1 : 8;
    small_llama(&g, "llama");
    small_tensor(&g, "rope_freqs.weight", factors, 32);
    open_gguf(&o, &g);
    assert_int_equal(rw_plan_make(&o.source, &options, plan, &err), RW_ERR_REFUSED);
    assert_string_equal(err.code, "plan.already_scaled");
    options.replace = true;
    assert_ok(rw_plan_make(&o.source, &options, plan, &err));
    assert_true(has_diagnostic(&plan->diagnostics, "plan.baked_factors"));
    assert_ok(rw_dialect_emit(RW_LLAMA_CPP, &o.source, &plan->after, 2048, &text, &err));
    assert_null(text); /* no command line says it */
    close_opened(&o);
    open_path(&o, fixture_path("llama3.1"));
    options.context = 65536;
    assert_ok(rw_plan_make(&o.source, &options, plan, &err));
    assert_ok(rw_dialect_emit(RW_LLAMA_CPP, &o.source, &plan->after, 65536, &text, &err));
    assert_null(text);
    close_opened(&o);
    free(plan);
}

static void stable_bands(void **state) {
    (void)state;
    static const struct {
        const char *method;
        double limit;
    } bands[] = {{"linear", 4},        {"ntk", 4},     {"yarn", 32},
                 {"ntk_by_parts", 32}, {"llama3", 32}, {"dynamic", 32}};
    for (size_t i = 0; i < sizeof bands / sizeof *bands; i++)
        for (int beyond = 0; beyond < 2; beyond++) {
            guard_row row = {.config = PLAIN, .method = bands[i].method};
            row.context = (uint64_t)(512 * bands[i].limit) + (beyond ? 64 : 0);
            opened o;
            rw_error err = {0};
            rw_plan_result *plan = calloc(1, sizeof *plan);
            rw_status status = make(&o, &row, plan, &err);
            print_message("%s %g: %s\n", row.method, bands[i].limit, err.message);
            assert_int_equal(status, beyond ? RW_ERR_REFUSED : RW_OK);
            if (beyond)
                assert_string_equal(err.code, "plan.unstable_factor");
            close_opened(&o);
            free(plan);
        }
}

/* ---- trying
 * ------------------------------------------------------------------------------------------- */

static void trying_refuses_nothing(void **state) {
    (void)state;
    opened o;
    rw_error err = {0};
    rw_rope_set *set = calloc(1, sizeof *set);
    rw_scaling_options scaling = {.struct_size = sizeof scaling, .method = "linear", .factor = 64};
    open_text(&o, YARN4);
    rw_diagnostics list = {.arena = &o.arena};
    assert_ok(rw_plan_try(&o.source, &scaling, 2048, set, &list, &err));
    assert_int_equal(set->group[0].spec.method, RW_ROPE_LINEAR);
    assert_true(set->group[0].spec.factor == 64);
    assert_true(has_diagnostic(&list, "plan.unstable_factor"));
    assert_true(has_diagnostic(&list, "plan.already_scaled"));
    scaling = (rw_scaling_options){.struct_size = sizeof scaling};
    assert_ok(rw_plan_try(&o.source, &scaling, 2048, set, &list, &err));
    assert_int_equal(set->group[0].spec.method, RW_ROPE_YARN); /* as it is */
    scaling.method = "yarn";
    assert_ok(rw_plan_try(&o.source, &scaling, 4096, set, &list, &err));
    assert_true(set->group[0].spec.factor == 8 && set->group[0].spec.beta_fast == 32);
    close_opened(&o);
    free(set);
}

static void every_flag_reaches_the_spec(void **state) {
    (void)state;
    opened o;
    rw_error err = {0};
    rw_rope_set *set = calloc(1, sizeof *set);
    rw_scaling_options scaling = {.struct_size = sizeof scaling,
                                  .method = "yarn",
                                  .factor = 3,
                                  .original_context = 256,
                                  .rope_theta = 20000,
                                  .beta_fast = 16,
                                  .beta_slow = 2,
                                  .attention_factor = 1.25,
                                  .truncate = -1};
    open_text(&o, PLAIN);
    assert_ok(rw_plan_try(&o.source, &scaling, 2048, set, NULL, &err));
    const rw_rope_spec *spec = &set->group[0].spec;
    assert_true(spec->factor == 3 && spec->original_context == 256 && spec->theta == 20000);
    assert_true(spec->beta_fast == 16 && spec->beta_slow == 2 && !spec->truncate);
    assert_true(spec->attention_factor == 1.25);
    scaling = (rw_scaling_options){.struct_size = sizeof scaling,
                                   .method = "llama3",
                                   .low_freq_factor = 2,
                                   .high_freq_factor = 8};
    assert_ok(rw_plan_try(&o.source, &scaling, 2048, set, NULL, &err));
    assert_true(spec->low_freq_factor == 2 && spec->high_freq_factor == 8);
    close_opened(&o);
    free(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guards_and_choices),
        cmocka_unit_test(refusal_names_numbers_and_ways),
        cmocka_unit_test(compound_keeps_parameters),
        cmocka_unit_test(equal_is_nothing_to_do),
        cmocka_unit_test(compound_of_mla),
        cmocka_unit_test(sliding_layers_stay),
        cmocka_unit_test(contradictions_stop_a_plan),
        cmocka_unit_test(known_model_beats_the_flag),
        cmocka_unit_test(what_a_plan_says),
        cmocka_unit_test(yarn_over_baked_factors),
        cmocka_unit_test(stable_bands),
        cmocka_unit_test(trying_refuses_nothing),
        cmocka_unit_test(every_flag_reaches_the_spec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
