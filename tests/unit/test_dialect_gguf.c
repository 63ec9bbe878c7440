/*
 * llama.cpp's keys and tensors: what a GGUF means, and that what we write means what was planned.
 */
#include "dialect_support.h"

enum { PAIRS = 32 };

static void read_home(opened *o, rw_rope_set *set, rw_diagnostics *list) {
    rw_error err = {0};
    assert_ok(rw_dialect_read(RW_LLAMA_CPP, &o->source, set, list, &err));
}

static rw_rope_set *make_set(void) {
    rw_rope_set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    return set;
}

/* ---- reading
 * --------------------------------------------------------------------------------------- */

static void yarn_keys(void **state) {
    (void)state;
    small_gguf g;
    opened o;
    rw_rope_set *set = make_set();
    rw_rope_table table;
    small_llama(&g, "llama");
    small_text(&g, "llama.rope.scaling.type", "yarn");
    small_f32(&g, "llama.rope.scaling.factor", 4);
    small_u32(&g, "llama.rope.scaling.original_context_length", 128);
    small_f32(&g, "llama.rope.scaling.attn_factor", 0.5f);
    small_f32(&g, "llama.rope.scaling.yarn_beta_fast", 64);
    small_f32(&g, "llama.rope.scaling.yarn_attn_factor", 3);
    open_gguf(&o, &g);
    rw_diagnostics list = {.arena = &o.arena};
    read_home(&o, set, &list);
    const rw_rope_spec *spec = &set->group[0].spec;
    assert_int_equal(rw_rope_table_build(spec, 512, &table, NULL), RW_OK);
    assert_int_equal(spec->method, RW_ROPE_YARN);
    assert_int_equal(spec->pairing, RW_PAIRING_INTERLEAVED);
    assert_int_equal(spec->original_context, 128);
    assert_near(table.attention_factor, 0.5 * 1.138629436111989, 1e-12); /* multiplies */
    assert_true(spec->beta_fast == 32);                                  /* ignored, and said */
    assert_true(has_diagnostic(&list, "dialect.yarn_key_ignored"));
    assert_int_equal(o.source.windows.native, 128);
    close_opened(&o);
    free(set);
}

static void missing_type_is_linear(void **state) {
    (void)state;
    small_gguf g;
    opened o;
    rw_rope_set *set = make_set();
    small_llama(&g, "llama");
    open_gguf(&o, &g);
    read_home(&o, set, NULL);
    assert_int_equal(set->group[0].spec.method, RW_ROPE_NONE);
    close_opened(&o);
    small_f32(&g, "llama.rope.scale_linear", 4);
    open_gguf(&o, &g);
    read_home(&o, set, NULL);
    assert_int_equal(set->group[0].spec.method, RW_ROPE_LINEAR);
    assert_true(set->group[0].spec.factor == 4);
    close_opened(&o);
    small_text(&g, "llama.rope.scaling.type", "none");
    open_gguf(&o, &g);
    read_home(&o, set, NULL);
    assert_int_equal(set->group[0].spec.method, RW_ROPE_NONE);
    assert_true(set->group[0].spec.factor == 1);
    close_opened(&o);
    free(set);
}

static void missing_origin_is_the_window(void **state) {
    (void)state;
    small_gguf g;
    opened o;
    rw_rope_set *set = make_set();
    small_llama(&g, "qwen2");
    small_text(&g, "qwen2.rope.scaling.type", "yarn");
    small_f32(&g, "qwen2.rope.scaling.factor", 4);
    open_gguf(&o, &g);
    rw_diagnostics list = {.arena = &o.arena};
    read_home(&o, set, &list);
    assert_int_equal(set->group[0].spec.original_context, 512);
    assert_int_equal(set->group[0].spec.pairing, RW_PAIRING_HALF);
    assert_true(has_diagnostic(&list, "dialect.origin_missing"));
    close_opened(&o);
    free(set);
}

static void rope_freqs_divide_and_stack(void **state) {
    (void)state;
    float factors[PAIRS];
    small_gguf g;
    opened o;
    rw_rope_set *set = make_set();
    rw_rope_table table;
    for (int k = 0; k < PAIRS; k++)
        factors[k] = k < 16 ? 1 : 8;
    small_llama(&g, "llama");
    small_tensor(&g, "rope_freqs.weight", factors, PAIRS);
    open_gguf(&o, &g);
    read_home(&o, set, NULL);
    assert_int_equal(set->group[0].spec.method, RW_ROPE_PER_PAIR);
    assert_int_equal(rw_rope_table_build(&set->group[0].spec, 512, &table, NULL), RW_OK);
    assert_near(table.inv_freq[8], 0.1, 1e-12);
    assert_near(table.inv_freq[16], 0.01 / 8, 1e-12);
    close_opened(&o);
    small_text(&g, "llama.rope.scaling.type", "yarn"); /* the silent compounding case */
    small_f32(&g, "llama.rope.scaling.factor", 4);
    small_u32(&g, "llama.rope.scaling.original_context_length", 512);
    open_gguf(&o, &g);
    rw_diagnostics list = {.arena = &o.arena};
    read_home(&o, set, &list);
    assert_true(has_diagnostic(&list, "dialect.factors_stack"));
    assert_int_equal(rw_rope_table_build(&set->group[0].spec, 2048, &table, NULL), RW_OK);
    assert_near(table.inv_freq[PAIRS - 1], pow(1e4, -62.0 / 64) / 32, 1e-12);
    close_opened(&o);
    free(set);
}

static void longrope_tensors(void **state) {
    (void)state;
    float shorter[PAIRS], longer[PAIRS];
    small_gguf g;
    opened o;
    rw_rope_set *set = make_set();
    rw_rope_table table;
    for (int k = 0; k < PAIRS; k++) {
        shorter[k] = 1.5f;
        longer[k] = 1 + (float)k;
    }
    small_llama(&g, "phi3");
    small_text(&g, "phi3.rope.scaling.type", "longrope");
    small_u32(&g, "phi3.rope.scaling.original_context_length", 128);
    small_f32(&g, "phi3.rope.scaling.attn_factor", 1.25f);
    small_tensor(&g, "rope_factors_long.weight", longer, PAIRS);
    open_gguf(&o, &g);
    rw_error err = {0};
    assert_int_equal(rw_dialect_read(RW_LLAMA_CPP, &o.source, set, NULL, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "dialect.missing_key");
    close_opened(&o);
    small_tensor(&g, "rope_factors_short.weight", shorter, PAIRS);
    open_gguf(&o, &g);
    read_home(&o, set, NULL);
    assert_int_equal(rw_rope_table_build(&set->group[0].spec, 128, &table, NULL), RW_OK);
    assert_near(table.inv_freq[8], 0.1 / 1.5, 1e-12);
    assert_int_equal(rw_rope_table_build(&set->group[0].spec, 129, &table, NULL), RW_OK);
    assert_near(table.inv_freq[8], 0.1 / 9, 1e-12);
    assert_near(table.attention_factor, 1.25, 1e-12);
    close_opened(&o);
    free(set);
}

static void other_runtimes_do_not_read_it(void **state) {
    (void)state;
    small_gguf g;
    opened o;
    rw_rope_set *set = make_set();
    rw_error err = {0};
    small_llama(&g, "llama");
    open_gguf(&o, &g);
    assert_int_equal(rw_dialect_default_targets(&o.source), 1u << RW_LLAMA_CPP);
    assert_int_equal(rw_dialect_read(RW_VLLM, &o.source, set, NULL, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "dialect.unreadable");
    close_opened(&o);
    free(set);
}

/* ---- writing
 * ---------------------------------------------------------------------------------------- */

static rw_rope_spec method_spec(rw_rope_method method) {
    rw_rope_spec spec;
    rw_rope_spec_init(&spec);
    spec.method = method;
    spec.head_dim = spec.rotary_dim = 64;
    spec.factor = method == RW_ROPE_NONE || method == RW_ROPE_BASE ? 1 : 4;
    spec.original_context = 512;
    if (method == RW_ROPE_BASE)
        spec.theta = 123456;
    if (method == RW_ROPE_PER_PAIR) {
        spec.factor = 1;
        spec.pair_factor_count = PAIRS;
        for (int k = 0; k < PAIRS; k++)
            spec.pair_factor[k] = 1 + k / 8.0;
    }
    if (method == RW_ROPE_LONGROPE) {
        spec.list_count = PAIRS;
        for (int k = 0; k < PAIRS; k++) {
            spec.short_factor[k] = 1;
            spec.long_factor[k] = 1 + k / 4.0;
        }
    }
    return spec;
}

/* Writes `set` into the GGUF behind `o`, opens the result. */
static void rewrite(opened *o, const rw_rope_set *set, opened *out) {
    rw_error err = {0};
    rw_gguf_edit *edit = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path(".out.gguf"));
    assert_ok(rw_gguf_edit_begin(o->checkpoint, &edit, &err));
    assert_ok(rw_dialect_write_gguf(&o->source, set, 2048, edit, &err));
    assert_ok(rw_gguf_edit_finish(edit, path, &err));
    open_path(out, path);
    unlink(path);
}

static void check_written(const char *architecture, const rw_rope_spec *spec, bool expressible) {
    small_gguf g;
    opened before, after;
    rw_error err = {0};
    const char *why = NULL, *path = scratch_path(".gguf");
    rw_rope_set *set = make_set();
    set->count = 1;
    set->group[0].spec = *spec;
    small_llama(&g, architecture);
    small_write(&g, path);
    open_path(&before, path);
    bool can = rw_dialect_expressible(RW_LLAMA_CPP, &before.source, set, 2048, &why);
    if (can != expressible)
        fail_msg("%s in %s: %s", rw_rope_method_name(spec->method), architecture, why ? why : "");
    if (can) {
        rewrite(&before, set, &after);
        assert_ok(rw_dialect_prove(&after.source, set, 1u << RW_LLAMA_CPP, 2048, NULL, &err));
        assert_int_equal(after.source.windows.advertised, 2048);
        close_opened(&after);
    }
    unlink(path);
    close_opened(&before);
    free(set);
}

static void every_method_is_read_back(void **state) {
    (void)state;
    static const struct {
        rw_rope_method method;
        bool llama, qwen;
    } methods[] = {
        {RW_ROPE_NONE, true, true},      {RW_ROPE_BASE, true, true},
        {RW_ROPE_LINEAR, true, true},    {RW_ROPE_NTK, true, true},
        {RW_ROPE_YARN, true, true},      {RW_ROPE_NTK_BY_PARTS, true, true},
        {RW_ROPE_LLAMA3, true, false},   {RW_ROPE_PER_PAIR, true, false},
        {RW_ROPE_LONGROPE, true, false}, {RW_ROPE_DYNAMIC, false, false},
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        rw_rope_spec spec = method_spec(methods[i].method);
        print_message("%s\n", rw_rope_method_name(spec.method));
        check_written("llama", &spec, methods[i].llama);
        check_written("qwen2", &spec, methods[i].qwen);
        if (methods[i].method != RW_ROPE_DYNAMIC) {
            spec.attention_factor = 1.25; /* a final value, whatever the method */
            check_written("llama", &spec, true);
        }
    }
}

static void a_ramp_that_keys_cannot_say_is_baked(void **state) {
    (void)state;
    rw_rope_spec spec = method_spec(RW_ROPE_YARN);
    spec.beta_fast = 16;
    check_written("llama", &spec, true);
    check_written("qwen2", &spec, false);
    spec = method_spec(RW_ROPE_YARN);
    spec.truncate = false;
    check_written("llama", &spec, true);
    check_written("qwen2", &spec, false);
}

/* A llama3 GGUF whose scaling is replaced loses its rope_freqs, so nothing stacks; and back again
   the first table is there. */
static void replacing_drops_the_old_tensor(void **state) {
    (void)state;
    small_gguf g;
    opened before, scaled, back;
    rw_rope_set *set = make_set(), *first = make_set();
    rw_error err = {0};
    float factors[PAIRS];
    for (int k = 0; k < PAIRS; k++)
        factors[k] = 1 + (float)k;
    small_llama(&g, "llama");
    small_tensor(&g, "rope_freqs.weight", factors, PAIRS);
    small_write(&g, scratch_path(".gguf"));
    open_path(&before, scratch_path(".gguf"));
    read_home(&before, first, NULL);
    set->count = 1;
    set->group[0].spec = method_spec(RW_ROPE_YARN);
    rewrite(&before, set, &scaled);
    assert_null(rw_checkpoint_tensor(scaled.checkpoint, "rope_freqs.weight"));
    assert_ok(rw_dialect_prove(&scaled.source, set, 1u << RW_LLAMA_CPP, 2048, NULL, &err));
    assert_int_equal(rw_dialect_prove(&scaled.source, first, 1u << RW_LLAMA_CPP, 2048, NULL, &err),
                     RW_ERR_INTERNAL);
    assert_string_equal(err.code, "dialect.not_proven");
    close_opened(&before);
    unlink(scratch_path(".gguf"));
    /* the writer of `scaled` unlinked its file: read through the descriptor it still holds */
    rewrite(&scaled, first, &back);
    assert_ok(rw_dialect_prove(&back.source, first, 1u << RW_LLAMA_CPP, 2048, NULL, &err));
    close_opened(&scaled);
    close_opened(&back);
    free(set);
    free(first);
}

static void tiny_is_plain(void **state) {
    (void)state;
    char path[512];
    opened o;
    rw_rope_set *set = make_set();
    snprintf(path, sizeof path, "%s/models/tiny.gguf", RW_SHARED_DIR);
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", path);
        free(set);
        skip();
    }
    open_path(&o, path);
    read_home(&o, set, NULL);
    assert_int_equal(set->group[0].spec.method, RW_ROPE_NONE);
    assert_int_equal(set->group[0].spec.rotary_dim, 64);
    assert_int_equal(o.source.windows.native, 512);
    close_opened(&o);
    free(set);
}

/* ---- what llama.cpp does not load, or does not read --------------------------------------------
 */

typedef struct odd_file {
    const char *what, *architecture;
    void (*change)(small_gguf *g);
    const char *code; /* NULL: it is read */
} odd_file;

static void factor_u32(small_gguf *g) {
    small_u32(g, "llama.rope.scaling.factor", 4);
}
static void type_u32(small_gguf *g) {
    small_u32(g, "llama.rope.scaling.type", 2);
}
static void origin_f32(small_gguf *g) {
    small_f32(g, "llama.rope.scaling.original_context_length", 128);
}
static void factor_nan(small_gguf *g) {
    small_f32(g, "llama.rope.scaling.factor", NAN);
}
static void factor_negative(small_gguf *g) {
    small_f32(g, "llama.rope.scaling.factor", -4);
}
static void old_factor_infinite(small_gguf *g) {
    small_f32(g, "llama.rope.scale_linear", INFINITY);
}
static void factor_zero(small_gguf *g) {
    small_f32(g, "llama.rope.scaling.factor", 0);
    small_f32(g, "llama.rope.scale_linear", 4); /* not asked: the new key is there */
}
static void put_lists(small_gguf *g) {
    float ones[PAIRS];
    for (int i = 0; i < PAIRS; i++)
        ones[i] = 2;
    small_tensor(g, "rope_factors_long.weight", ones, PAIRS);
    small_tensor(g, "rope_factors_short.weight", ones, PAIRS);
}
static void lists_with_type(small_gguf *g) {
    put_lists(g);
    small_text(g, "llama.rope.scaling.type", "longrope");
}
static void half_factors(small_gguf *g) {
    float ones[PAIRS] = {0};
    small_tensor(g, "rope_freqs.weight", ones, PAIRS);
    g->infos[g->info_size - 12] = 1; /* its type: F16 */
}

static void odd_files(void **state) {
    static const odd_file rows[] = {
        {"factor as u32", "llama", factor_u32, "dialect.unreadable"},
        {"type as u32", "llama", type_u32, "dialect.unreadable"},
        {"origin as f32", "llama", origin_f32, "dialect.unreadable"},
        {"factor NaN", "llama", factor_nan, "dialect.bad_value"},
        {"factor negative", "llama", factor_negative, "dialect.bad_value"},
        {"old factor infinite", "llama", old_factor_infinite, "dialect.bad_value"},
        {"factor zero", "llama", factor_zero, NULL},
        {"lists without the type", "llama", put_lists, "dialect.unreadable"},
        {"lists with the type", "llama", lists_with_type, NULL},
        {"lists of phi3 without the type", "phi3", put_lists, NULL},
        {"factors in F16", "llama", half_factors, "dialect.unreadable"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        small_gguf g;
        opened o;
        rw_error err = {0};
        rw_rope_set *set = make_set();
        small_llama(&g, rows[i].architecture);
        rows[i].change(&g);
        open_gguf(&o, &g);
        rw_status status = rw_dialect_read(RW_LLAMA_CPP, &o.source, set, NULL, &err);
        if ((status == RW_OK) != !rows[i].code || (rows[i].code && strcmp(err.code, rows[i].code)))
            fail_msg("%s: [%s] %s", rows[i].what, err.code, err.message);
        if (status == RW_OK && rows[i].change == factor_zero)
            assert_int_equal(set->group[0].spec.method, RW_ROPE_NONE);
        close_opened(&o);
        free(set);
    }
}

static void unknown_architecture(void **state) {
    (void)state;
    small_gguf g;
    opened o;
    rw_rope_set *set = make_set();
    small_llama(&g, "totally-new");
    open_gguf(&o, &g);
    rw_diagnostics list = {.arena = &o.arena};
    read_home(&o, set, &list);
    assert_true(has_diagnostic(&list, "dialect.architecture_unknown"));
    close_opened(&o);
    free(set);
}

/* deepseek2 and mistral3 read it; for llama it is a key like any other. */
static void log_multiplier(void **state) {
    static const struct {
        const char *architecture;
        double amplitude;
        bool ignored;
    } rows[] = {{"llama", 1.138629436111989, true}, {"mistral3", 1, false}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char key[64];
        small_gguf g;
        opened o;
        rw_rope_set *set = make_set();
        rw_rope_table table;
        small_llama(&g, rows[i].architecture);
        snprintf(key, sizeof key, "%s.rope.scaling.type", rows[i].architecture);
        small_text(&g, key, "yarn");
        snprintf(key, sizeof key, "%s.rope.scaling.factor", rows[i].architecture);
        small_f32(&g, key, 4);
        snprintf(key, sizeof key, "%s.rope.scaling.original_context_length", rows[i].architecture);
        small_u32(&g, key, 128);
        snprintf(key, sizeof key, "%s.rope.scaling.yarn_log_multiplier", rows[i].architecture);
        small_f32(&g, key, 1);
        open_gguf(&o, &g);
        rw_diagnostics list = {.arena = &o.arena};
        read_home(&o, set, &list);
        assert_int_equal(rw_rope_table_build(&set->group[0].spec, 512, &table, NULL), RW_OK);
        assert_near(table.attention_factor, rows[i].amplitude, 1e-9);
        assert_int_equal(has_diagnostic(&list, "dialect.yarn_key_ignored"), rows[i].ignored);
        close_opened(&o);
        free(set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_files),
        cmocka_unit_test(unknown_architecture),
        cmocka_unit_test(log_multiplier),
        cmocka_unit_test(yarn_keys),
        cmocka_unit_test(missing_type_is_linear),
        cmocka_unit_test(missing_origin_is_the_window),
        cmocka_unit_test(rope_freqs_divide_and_stack),
        cmocka_unit_test(longrope_tensors),
        cmocka_unit_test(other_runtimes_do_not_read_it),
        cmocka_unit_test(every_method_is_read_back),
        cmocka_unit_test(a_ramp_that_keys_cannot_say_is_baked),
        cmocka_unit_test(replacing_drops_the_old_tensor),
        cmocka_unit_test(tiny_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
