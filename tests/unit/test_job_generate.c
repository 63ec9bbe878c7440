/*
 * Text from the embedded model: the same for the same seed, in pieces that join to the whole, and
 * under a scaling able to recall what the bare model has forgotten.
 */
#include "base/json.h"
#include "ropewalk/job.h"
#include "support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

typedef struct collected {
    char text[4096];
    size_t size;
} collected;

static void collect(void *user, const char *text, size_t size) {
    collected *c = user;
    assert_true(c->size + size < sizeof c->text);
    memcpy(c->text + c->size, text, size);
    c->size += size;
}

static const rw_json *generate(rw_context *ctx, rw_arena *arena, rw_generate_options *options) {
    rw_error err = {0};
    char *json = NULL;
    const rw_json *root = NULL;
    options->struct_size = sizeof *options;
    options->path = TINY;
    assert_ok(rw_generate(ctx, options, &json, &err));
    char *copy = rw_arena_text(arena, json, strlen(json));
    rw_text_free(ctx, json);
    assert_ok(rw_json_parse(arena, rw_str_of(copy), "json", &root, &err));
    assert_true(rw_str_is(rw_json_get(root, "schema")->string, "ropewalk.generate/1"));
    return root;
}

static void test_pieces_and_seeds(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    collected pieces[3] = {{.size = 0}};
    for (size_t i = 0; i < 3; i++) {
        rw_generate_options options = {.prompt = "The module",
                                       .tokens = 24,
                                       .temperature = 0.9,
                                       .seed = i == 2 ? 8 : 7,
                                       .piece = collect,
                                       .user = &pieces[i]};
        const rw_json *result = generate(ctx, &arena, &options);
        rw_str text = rw_json_get(result, "text")->string;
        assert_true(rw_str_equal(text, (rw_str){pieces[i].text, pieces[i].size}));
        assert_true(text.size > 0);
    }
    assert_string_equal(pieces[0].text, pieces[1].text);
    assert_string_not_equal(pieces[0].text, pieces[2].text);
    rw_arena_free(&arena);
    rw_context_free(ctx);
}

/* The passkey wording the model was trained on, about 1000 tokens deep: lost at once beyond the
   trained window, found under YaRN. */
static void test_recall(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    rw_buf prompt = {.ctx = ctx};
    for (int i = 0; i < 120; i++) {
        if (i == 20)
            rw_buf_text(&prompt, "\nThe pass key is 40763. Remember it. 40763 is the pass key.\n");
        rw_buf_format(&prompt, "Each option of section %d is read when the program starts. ", i);
    }
    rw_buf_text(&prompt, "\nWhat is the pass key? The pass key is ");
    for (int scaled = 0; scaled < 2; scaled++) {
        rw_generate_options options = {.prompt = prompt.data, .tokens = 5, .context = 2048};
        options.scaling.struct_size = sizeof options.scaling;
        options.scaling.method = scaled ? "yarn" : NULL;
        const rw_json *result = generate(ctx, &arena, &options);
        rw_str text = rw_json_get(result, "text")->string;
        assert_in_range(rw_json_get(result, "prompt_tokens")->number, 1000, 2040);
        bool found = text.size >= 5 && memcmp(text.data, "40763", 5) == 0;
        if (found != scaled)
            fail_msg("%s: made \"%.*s\"", scaled ? "yarn" : "unscaled", (int)text.size, text.data);
    }
    rw_buf_free(&prompt);
    rw_arena_free(&arena);
    rw_context_free(ctx);
}

static void test_refusals(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    char *json = NULL;
    rw_generate_options options = {.struct_size = sizeof options, .path = TINY};
    assert_int_equal(rw_generate(ctx, &options, &json, &err), RW_ERR_USAGE);
    assert_null(json);
    options.prompt = "";
    assert_int_equal(rw_generate(ctx, &options, &json, &err), RW_ERR_USAGE);
    options.prompt = "x";
    options.temperature = -1.0;
    assert_int_equal(rw_generate(ctx, &options, &json, &err), RW_ERR_USAGE);
    options.temperature = 0.0;
    options.tokens = UINT64_MAX;
    assert_int_equal(rw_generate(ctx, &options, &json, &err), RW_ERR_USAGE);
    options.path = TINY "/nothing";
    assert_int_equal(rw_generate(ctx, &options, &json, &err), RW_ERR_INPUT);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_and_seeds),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
