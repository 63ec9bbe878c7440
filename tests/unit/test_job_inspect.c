/*
 * inspect, plan and compare as calls: the JSON that scripts rely on, field by field.
 */
#include "dialect_support.h"
#include "ropewalk/job.h"

typedef struct result {
    rw_context *ctx;
    rw_arena arena;
    char *json;
    const rw_json *root;
    rw_status status;
    rw_error err;
} result;

static void keep(result *r) {
    if (!r->json)
        return;
    rw_error err = {0};
    r->arena.ctx = r->ctx;
    assert_ok(rw_json_parse(&r->arena, rw_str_of(r->json), "result", &r->root, &err));
}

static void inspect(result *r, const char *path, uint64_t length) {
    memset(r, 0, sizeof *r);
    r->ctx = test_context();
    rw_inspect_options options = {.struct_size = sizeof options, .path = path, .length = length};
    r->status = rw_inspect(r->ctx, &options, &r->json, &r->err);
    keep(r);
}

static void plan(result *r, rw_plan_options options) {
    memset(r, 0, sizeof *r);
    r->ctx = test_context();
    r->status = rw_plan(r->ctx, &options, &r->json, &r->err);
    keep(r);
}

static void compare(result *r, const char *a, const char *b) {
    memset(r, 0, sizeof *r);
    r->ctx = test_context();
    rw_compare_options options = {.struct_size = sizeof options, .a = a, .b = b};
    r->status = rw_compare(r->ctx, &options, &r->json, &r->err);
    keep(r);
}

static void close_result(result *r) {
    rw_arena_free(&r->arena);
    rw_text_free(r->ctx, r->json);
    rw_context_free(r->ctx);
}

static void assert_text(const rw_json *root, const char *path, const char *text) {
    const rw_json *node = rw_json_path(root, path);
    assert_non_null(node);
    if (!rw_str_is(node->string, text))
        fail_msg("%s is \"%.*s\"", path, (int)node->string.size, node->string.data);
}

static void assert_members(const rw_json *object, const char *const *keys) {
    for (; *keys; keys++)
        if (!rw_json_get(object, *keys))
            fail_msg("%s is missing", *keys);
}

static const char *const rotation_keys[] = {"layers",
                                            "path",
                                            "method",
                                            "theta",
                                            "head_dim",
                                            "rotary_dim",
                                            "pairing",
                                            "factor",
                                            "original_context",
                                            "attention_factor",
                                            "inv_freq",
                                            "table_sha256",
                                            NULL};

static void assert_rotation(const rw_json *b, size_t pairs) {
    assert_members(b, rotation_keys);
    assert_int_equal(rw_json_get(b, "inv_freq")->count, pairs);
    assert_int_equal(rw_json_get(b, "table_sha256")->string.size, 64);
}

/* ---- inspect
 * ---------------------------------------------------------------------------------------- */

static void inspect_a_directory(void **state) {
    (void)state;
    static const char *const keys[] = {"schema", "format",  "architecture", "context",
                                       "rope",   "readers", "diagnostics",  NULL};
    static const char *const runtimes[] = {"transformers5",
                                           "transformers4",
                                           "transformers4-early",
                                           "vllm",
                                           "sglang",
                                           "llama.cpp",
                                           NULL};
    result r;
    inspect(&r, RW_SOURCE_DIR "/models/tiny", 0);
    assert_int_equal(r.status, RW_OK);
    assert_members(r.root, keys);
    assert_text(r.root, "schema", "ropewalk.inspect/1");
    assert_text(r.root, "format", "hf");
    assert_text(r.root, "architecture", "LlamaForCausalLM");
    assert_int_equal(rw_json_u64_or(rw_json_path(r.root, "context.native"), 0), 512);
    assert_int_equal(rw_json_u64_or(rw_json_path(r.root, "context.advertised"), 0), 512);
    assert_true(rw_json_is_null(rw_json_path(r.root, "context.ramp_origin")));
    assert_true(rw_json_is_null(rw_json_path(r.root, "context.tokenizer")));
    assert_rotation(rw_json_get(r.root, "rope")->first, 32);
    assert_text(rw_json_get(r.root, "rope")->first, "pairing", "half");
    /* keys with dots cannot be walked: one by one */
    const rw_json *readers = rw_json_get(r.root, "readers");
    assert_members(readers, runtimes);
    for (const rw_json *n = readers->first; n; n = n->next)
        assert_rotation(n->first, 32);
    close_result(&r);
}

static void inspect_a_gguf(void **state) {
    (void)state;
    small_gguf g;
    result r;
    small_llama(&g, "llama");
    small_write(&g, scratch_path(".gguf"));
    inspect(&r, scratch_path(".gguf"), 0);
    unlink(scratch_path(".gguf"));
    assert_int_equal(r.status, RW_OK);
    assert_text(r.root, "format", "gguf");
    assert_text(r.root, "architecture", "llama");
    assert_text(rw_json_get(r.root, "rope")->first, "pairing", "interleaved");
    const rw_json *readers = rw_json_get(r.root, "readers");
    assert_rotation(rw_json_get(readers, "llama.cpp")->first, 32);
    const rw_json *other = rw_json_get(readers, "transformers5");
    assert_int_equal(other->type, RW_JSON_OBJECT);
    assert_text(rw_json_get(other, "diagnostics")->first, "code", "dialect.unreadable");
    close_result(&r);
}

/* --length decides which of LongRoPE's lists is meant. */
static void inspect_at_a_length(void **state) {
    (void)state;
    result r;
    inspect(&r, fixture_path("phi3-longrope"), 4096);
    const rw_json *freqs = rw_json_get(rw_json_get(r.root, "rope")->first, "inv_freq");
    assert_near(freqs->first->number, 1 / 1.05, 1e-12);
    close_result(&r);
    inspect(&r, fixture_path("phi3-longrope"), 4097);
    freqs = rw_json_get(rw_json_get(r.root, "rope")->first, "inv_freq");
    assert_near(freqs->first->number, 1.0, 1e-12);
    close_result(&r);
}

static void inspect_says_where_readers_part(void **state) {
    (void)state;
    result r;
    inspect(&r, fixture_path("gpt-oss"), 0);
    bool said = false;
    const rw_json *list = rw_json_get(r.root, "diagnostics");
    static const char *const keys[] = {"code",    "severity", "changes_numbers",
                                       "message", "path",     NULL};
    for (const rw_json *d = list->first; d; d = d->next) {
        assert_members(d, keys);
        said |= rw_str_is(rw_json_get(d, "code")->string, "inspect.readers_part") &&
                rw_str_is(rw_json_get(d, "path")->string, "llama.cpp");
    }
    assert_true(said); /* it rounds the ramp's ends, whatever truncate says */
    close_result(&r);
}

static void failures_leave_no_json(void **state) {
    (void)state;
    result r;
    inspect(&r, "/nonexistent/model", 0);
    assert_int_equal(r.status, RW_ERR_INPUT);
    assert_null(r.json);
    close_result(&r);
    inspect(&r, NULL, 0);
    assert_int_equal(r.status, RW_ERR_USAGE);
    close_result(&r);
    inspect(&r, fixture_path("gpt2"), 0);
    assert_int_equal(r.status, RW_ERR_INPUT);
    assert_string_equal(r.err.code, "dialect.no_rope");
    assert_null(r.json);
    close_result(&r);
}

/* ---- plan
 * --------------------------------------------------------------------------------------------- */

static void plan_of_the_tiny_model(void **state) {
    (void)state;
    static const char *const keys[] = {"schema", "native", "context",     "method",
                                       "factor", "rope",   "bands",       "targets",
                                       "memory", "emit",   "diagnostics", NULL};
    result r;
    plan(&r, (rw_plan_options){.struct_size = sizeof(rw_plan_options),
                               .path = RW_SOURCE_DIR "/models/tiny",
                               .context = 2048});
    assert_int_equal(r.status, RW_OK);
    assert_members(r.root, keys);
    assert_text(r.root, "schema", "ropewalk.plan/1");
    assert_text(r.root, "method", "yarn");
    assert_true(rw_json_number_or(rw_json_get(r.root, "factor"), 0) == 4);
    const rw_json *b = rw_json_get(r.root, "rope")->first;
    assert_rotation(b, 32);
    assert_near(rw_json_get(b, "attention_factor")->number, 1.138629436111989, 1e-15);
    const rw_json *bands = rw_json_get(r.root, "bands");
    assert_int_equal(bands->count, 32);
    assert_near(rw_json_get(bands->first, "wavelength")->number, 6.283185307179586, 1e-15);
    const rw_json *vllm = rw_json_get(rw_json_get(r.root, "targets"), "vllm");
    assert_true(rw_json_bool_or(rw_json_get(vllm, "expressible"), false));
    assert_non_null(rw_json_get(vllm, "why"));
    assert_non_null(rw_json_get(rw_json_get(r.root, "emit"), "vllm"));
    close_result(&r);
}

static void plan_emits_for_one(void **state) {
    (void)state;
    result r;
    plan(&r, (rw_plan_options){.struct_size = sizeof(rw_plan_options),
                               .path = fixture_path("qwen3-vl"),
                               .context = 524288,
                               .emit = "vllm"});
    assert_int_equal(r.status, RW_OK);
    const rw_json *emit = rw_json_get(r.root, "emit");
    assert_int_equal(emit->count, 1);
    char text[2048];
    snprintf(text, sizeof text, "%.*s", (int)emit->first->string.size, emit->first->string.data);
    /* nested, theta repeated, sections kept */
    assert_non_null(strstr(text, "{\"text_config\": {\"rope_parameters\": {"));
    assert_non_null(strstr(text, "\"mrope_section\": [24, 20, 20]"));
    assert_non_null(strstr(text, "\"rope_theta\": 5000000.0"));
    assert_non_null(strstr(text, "\"factor\": 2.0"));
    assert_non_null(strstr(text, "--max-model-len 524288"));
    close_result(&r);
    plan(&r, (rw_plan_options){.struct_size = sizeof(rw_plan_options),
                               .path = RW_SOURCE_DIR "/models/tiny",
                               .context = 2048,
                               .emit = "tgi"});
    assert_int_equal(r.status, RW_ERR_USAGE);
    close_result(&r);
}

/* An NTK-aware patch leaves a new theta and nothing else: the receipt beside it knows the old one.
 */
static void a_receipt_undoes_ntk(void **state) {
    (void)state;
    char folder[512], config[600], receipt[600];
    snprintf(folder, sizeof folder, "%s", scratch_path(".d"));
    snprintf(config, sizeof config, "%s/config.json", folder);
    snprintf(receipt, sizeof receipt, "%s/receipt.json", folder);
    static const char text[] =
        "{\"model_type\":\"llama\",\"hidden_size\":64,\"num_attention_heads\":1,"
        "\"num_hidden_layers\":1,\"intermediate_size\":8,\"vocab_size\":8,\"rms_norm_eps\":1e-5,"
        "\"max_position_embeddings\":2048,\"rope_theta\":41829.0}";
    static const char sealed[] =
        "{\"schema\":\"ropewalk.receipt/"
        "1\",\"manifest\":{\"plan\":{\"native\":512,\"context\":2048,"
        "\"method\":\"ntk\",\"factor\":4.0,\"before\":[{\"theta\":10000.0}]}}}";
    mkdir(folder, 0755);
    write_file(config, text, sizeof text - 1);
    write_file(receipt, sealed, sizeof sealed - 1);
    rw_plan_options options = {.struct_size = sizeof options, .path = folder, .context = 4096};
    result r;
    plan(&r, options);
    assert_int_equal(r.status, RW_ERR_REFUSED);
    assert_string_equal(r.err.code, "plan.already_scaled");
    close_result(&r);
    options.replace = true;
    plan(&r, options);
    assert_int_equal(r.status, RW_OK);
    const rw_json *b = rw_json_get(r.root, "rope")->first;
    assert_true(rw_json_get(b, "theta")->number == 10000);
    assert_true(rw_json_get(b, "factor")->number == 8);
    close_result(&r);
    unlink(config);
    unlink(receipt);
    rmdir(folder);
}

/* ---- compare
 * ------------------------------------------------------------------------------------------- */

static void compare_alike_and_not(void **state) {
    (void)state;
    small_gguf g;
    result r;
    small_llama(&g, "llama");
    small_write(&g, scratch_path(".gguf"));
    compare(&r, RW_SOURCE_DIR "/models/tiny", scratch_path(".gguf")); /* the same dims and theta */
    assert_int_equal(r.status, RW_OK);
    assert_text(r.root, "schema", "ropewalk.compare/1");
    assert_true(rw_json_bool_or(rw_json_get(r.root, "alike"), false));
    assert_int_equal(rw_json_get(r.root, "differences")->count, 0);
    close_result(&r);
    unlink(scratch_path(".gguf"));
    char first[512];
    snprintf(first, sizeof first, "%s", fixture_path("qwen3"));
    compare(&r, first, fixture_path("qwen3-yarn-v5"));
    assert_int_equal(r.status, RW_NO);
    assert_false(rw_json_bool_or(rw_json_get(r.root, "alike"), true));
    assert_int_equal(rw_json_get(r.root, "differences")->count, 1);
    close_result(&r);
    snprintf(first, sizeof first, "%s", fixture_path("gemma3-v4"));
    compare(&r, first, fixture_path("gemma3-v5")); /* two spellings of one model */
    assert_int_equal(r.status, RW_OK);
    close_result(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_a_directory),    cmocka_unit_test(inspect_a_gguf),
        cmocka_unit_test(inspect_at_a_length),    cmocka_unit_test(inspect_says_where_readers_part),
        cmocka_unit_test(failures_leave_no_json), cmocka_unit_test(plan_of_the_tiny_model),
        cmocka_unit_test(plan_emits_for_one),     cmocka_unit_test(a_receipt_undoes_ntk),
        cmocka_unit_test(compare_alike_and_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
