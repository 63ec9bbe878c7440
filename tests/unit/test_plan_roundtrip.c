/*
 * For every spelling and every method: what is planned, written and read back by every target is
 * the plan's rotation; every byte that is not meant stays; foreign keys survive.
 */
#include "dialect_support.h"
#include "plan/plan.h"

static const char *const fixtures[] = {
    "llama2",       "llama3.1",   "llama3.2-1b",  "qwen2.5-yarn", "qwen3",    "qwen3-yarn-v5",
    "longchat",     "internlm2",  "yarn-llama2",  "deepseek-v3",  "gpt-oss",  "phi3-longrope",
    "phi4-mini",    "pythia",     "gemma3-v4",    "gemma3-v5",    "olmo3",    "smollm3",
    "llava",        "internvl",   "qwen2.5-omni", "qwen2.5-vl",   "qwen3-vl", "ministral3",
    "llama4-scout", "odd-format", "glm4-air",
};
enum { FIXTURES = sizeof fixtures / sizeof *fixtures };

static const char *const methods[] = {"yarn",    "linear", "ntk",      "ntk_by_parts", "llama3",
                                      "dynamic", "base",   "longrope", "per_pair"};
enum { METHODS = sizeof methods / sizeof *methods };

static void fill_options(rw_plan_options *options, const char *method, uint64_t context,
                         const double *list, uint32_t pairs) {
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->context = context;
    options->replace = true;
    options->force = true;
    options->scaling.method = method;
    if (strcmp(method, "base") == 0)
        options->scaling.rope_theta = 3e6;
    if (strcmp(method, "longrope") == 0) {
        options->scaling.long_factor = list;
        options->scaling.long_factor_count = pairs;
    }
    if (strcmp(method, "per_pair") == 0) {
        options->scaling.pair_factors = list;
        options->scaling.pair_factor_count = pairs;
    }
}

static uint32_t pairs_of(const rw_source *source) {
    rw_error err = {0};
    rw_rope_set *set = calloc(1, sizeof *set);
    assert_ok(rw_dialect_read(rw_dialect_home(source), source, set, NULL, &err));
    uint32_t pairs = set->group[0].spec.rotary_dim / 2;
    free(set);
    return pairs;
}

/* ---- what must survive
 * --------------------------------------------------------------------------------- */

static bool may_change(rw_str key) {
    static const char *const keys[] = {
        "rope_scaling",    "rope_parameters",         "rope_theta",
        "rotary_emb_base", "max_position_embeddings", "original_max_position_embeddings"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (rw_str_is(key, keys[i]))
            return true;
    return false;
}

static const rw_json *same_key(const rw_json *object, rw_str key) {
    for (const rw_json *n = object->first; n; n = n->next)
        if (rw_str_equal(n->key, key))
            return n;
    return NULL;
}

/* Every member of `a` that may not change is in `b` with the same bytes. */
static void assert_kept(const rw_json *a, rw_str a_text, const rw_json *b, rw_str b_text) {
    for (const rw_json *n = a->first; n; n = n->next) {
        if (may_change(n->key))
            continue;
        const rw_json *m = same_key(b, n->key);
        if (!m)
            fail_msg("%.*s is gone", (int)n->key.size, n->key.data);
        if (n->type == RW_JSON_OBJECT) {
            assert_kept(n, a_text, m, b_text);
            continue;
        }
        assert_int_equal(n->end - n->begin, m->end - m->begin);
        assert_memory_equal(a_text.data + n->begin, b_text.data + m->begin, n->end - n->begin);
    }
}

static void assert_foreign_kept(const rw_source *before, const rw_source *after) {
    static const char *const keys[] = {"mrope_section", "mrope_interleaved", "finetuned",
                                       "llama_4_scaling_beta", "partial_rotary_factor"};
    static const char *const blocks[] = {"rope_scaling", "rope_parameters"};
    for (size_t b = 0; b < 2; b++)
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            const rw_json *block = rw_json_get(before->language, blocks[b]);
            if (block && rw_json_get(block, keys[i]))
                assert_non_null(rw_json_get(rw_json_get(after->language, blocks[b]), keys[i]));
        }
}

/* ---- one round
 * ------------------------------------------------------------------------------------------ */

static rw_targets round_trip(const char *fixture, const char *method) {
    double list[RW_ROPE_MAX_PAIRS];
    opened o, written;
    rw_error err = {0};
    rw_plan_options options;
    rw_plan_result *plan = calloc(1, sizeof *plan);
    rw_targets targets = 0;
    open_path(&o, fixture_path(fixture));
    for (int k = 0; k < RW_ROPE_MAX_PAIRS; k++)
        list[k] = 1 + k / 16.0;
    uint64_t context = 4 * o.source.windows.native;
    if (context > 1 << 23)
        context = 1 << 23;
    fill_options(&options, method, context, list, pairs_of(&o.source));
    rw_status status = rw_plan_make(&o.source, &options, plan, &err);
    if (status == RW_OK) {
        rw_buf config = {.ctx = o.ctx};
        assert_ok(rw_dialect_write_config(&o.source, &plan->after, context, plan->targets, &config,
                                          &err));
        assert_ok(try_open_text(&written, config.data, config.size, &err));
        if (rw_dialect_prove(&written.source, &plan->after, plan->targets, context, NULL, &err) !=
            RW_OK)
            fail_msg("%s, %s: %s", fixture, method, err.message);
        assert_kept(rw_checkpoint_config(o.checkpoint), rw_checkpoint_config_text(o.checkpoint),
                    rw_checkpoint_config(written.checkpoint),
                    rw_checkpoint_config_text(written.checkpoint));
        assert_foreign_kept(&o.source, &written.source);
        targets = plan->targets;
        close_opened(&written);
        rw_buf_free(&config);
    } else if (status != RW_ERR_REFUSED) {
        fail_msg("%s, %s: [%s] %s", fixture, method, err.code, err.message);
    }
    close_opened(&o);
    free(plan);
    return targets;
}

/* OLMo-3's flat spelling has one theta for sliding layers too: a new base cannot be told apart. */
static bool shares_theta(const char *fixture, const char *method) {
    return strcmp(fixture, "olmo3") == 0 &&
           (strcmp(method, "ntk") == 0 || strcmp(method, "base") == 0);
}

/* Phi-3 in transformers 4 takes LongRoPE lists and no amplitude: of the methods here only a new
   theta can be said so. Llama 4 takes llama3 there, whatever the type says. */
static rw_targets out_of_reach(const char *fixture, const char *method) {
    bool lists_only = strncmp(fixture, "phi", 3) == 0;
    bool llama3_only = strncmp(fixture, "llama4", 6) == 0 && strcmp(method, "llama3") != 0;
    return (lists_only || llama3_only) && strcmp(method, "ntk") != 0 ? 1u << RW_TRANSFORMERS4 : 0;
}

static rw_targets default_targets(const char *fixture) {
    opened o;
    open_path(&o, fixture_path(fixture));
    rw_targets targets = rw_dialect_default_targets(&o.source);
    close_opened(&o);
    return targets;
}

static void every_method_in_every_spelling(void **state) {
    (void)state;
    for (int f = 0; f < FIXTURES; f++)
        for (int m = 0; m < METHODS; m++) {
            if (m > 4 && f % 4 != 0)
                continue; /* the rarer methods in every fourth: the rest would take minutes */
            rw_targets targets = round_trip(fixtures[f], methods[m]);
            print_message("%-16s %-13s %02x\n", fixtures[f], methods[m], targets);
            /* a target that was left out proves nothing */
            bool must = m <= 4 && !shares_theta(fixtures[f], methods[m]);
            rw_targets wanted =
                default_targets(fixtures[f]) & ~out_of_reach(fixtures[f], methods[m]);
            if (must && targets != wanted)
                fail_msg("%s, %s: only %02x", fixtures[f], methods[m], targets);
        }
}

static void the_plain_case_in_full(void **state) {
    (void)state;
    opened o;
    rw_error err = {0};
    rw_plan_options options;
    rw_plan_result *plan = calloc(1, sizeof *plan);
    rw_buf config = {0};
    open_path(&o, fixture_path("odd-format"));
    fill_options(&options, "yarn", 2048, NULL, 0);
    config.ctx = o.ctx;
    assert_ok(rw_plan_make(&o.source, &options, plan, &err));
    assert_ok(rw_dialect_write_config(&o.source, &plan->after, 2048, plan->targets, &config, &err));
    static const char expected[] =
        "\xef\xbb\xbf{\r\n\t\"architectures\" : [\"LlamaForCausalLM\"],\r\n"
        "\t\"model_type\": \"llama\", \"custom_\\u00e4\": [1, 2.50, 1E3],\r\n"
        "\t\"hidden_size\": 256,\r\n\t\"num_attention_heads\": 4,\r\n"
        "\t\"num_key_value_heads\": 2,\r\n\t\"num_hidden_layers\": 6,\r\n"
        "\t\"intermediate_size\": 704,\r\n\t\"vocab_size\": 4096,\r\n"
        "\t\"rms_norm_eps\": 1.0E-5,\r\n\t\"rope_theta\": 1e4,\r\n"
        "\t\"rope_scaling\": {\r\n\t\t\"rope_type\" : \"yarn\",\r\n\t\t\"type\" : \"yarn\",\r\n"
        "\t\t\"factor\" : 4.0,\r\n\t\t\"original_max_position_embeddings\" : 512\r\n\t},\r\n"
        "\t\"max_position_embeddings\": 2048\r\n}";
    assert_int_equal(config.size, sizeof expected - 1);
    assert_memory_equal(config.data, expected, config.size);
    rw_buf_free(&config);
    close_opened(&o);
    free(plan);
}

/* Patch, then back: the first rotation is there again. */
static void patch_and_back(void **state) {
    (void)state;
    for (int f = 0; f < FIXTURES; f++) {
        opened o, scaled, back;
        rw_error err = {0};
        rw_plan_options options;
        rw_plan_result *plan = calloc(1, sizeof *plan);
        open_path(&o, fixture_path(fixtures[f]));
        rw_buf one = {.ctx = o.ctx}, two = {.ctx = o.ctx};
        uint64_t native = o.source.windows.native;
        fill_options(&options, "yarn", 2 * native, NULL, 0);
        assert_ok(rw_plan_make(&o.source, &options, plan, &err));
        assert_ok(rw_dialect_write_config(&o.source, &plan->after, 2 * native, plan->targets, &one,
                                          &err));
        assert_ok(try_open_text(&scaled, one.data, one.size, &err));
        assert_ok(rw_dialect_write_config(&scaled.source, &plan->before,
                                          o.source.windows.advertised, plan->targets, &two, &err));
        assert_ok(try_open_text(&back, two.data, two.size, &err));
        if (rw_dialect_prove(&back.source, &plan->before, 1u << RW_TRANSFORMERS5,
                             o.source.windows.advertised, NULL, &err) != RW_OK)
            fail_msg("%s: %s", fixtures[f], err.message);
        rw_buf_free(&one);
        rw_buf_free(&two);
        close_opened(&back);
        close_opened(&scaled);
        close_opened(&o);
        free(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_in_every_spelling),
        cmocka_unit_test(the_plain_case_in_full),
        cmocka_unit_test(patch_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
