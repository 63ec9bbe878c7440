/*
 * Our readers against what transformers 5.17.0, 4.57.6 and 4.49.0 themselves resolved for every
 * family (tests/data/families, tools/golden_families.py), and against windows written down by hand.
 */
#include "dialect_support.h"

#define FAMILIES RW_SOURCE_DIR "/tests/data/families/"

typedef struct golden {
    rw_context *ctx;
    rw_arena arena;
    rw_buf text;
    const rw_json *fixtures;
} golden;

static void load(golden *g, const char *name) {
    char path[512];
    rw_error err = {0};
    const rw_json *root = NULL;
    memset(g, 0, sizeof *g);
    g->ctx = g->arena.ctx = g->text.ctx = test_context();
    snprintf(path, sizeof path, FAMILIES "%s", name);
    assert_ok(rw_file_load(g->ctx, path, 1 << 26, &g->text, &err));
    assert_ok(rw_json_parse(&g->arena, (rw_str){g->text.data, g->text.size}, name, &root, &err));
    g->fixtures = rw_json_get(root, "fixtures");
    assert_true(g->fixtures && g->fixtures->count > 20);
}

static void unload(golden *g) {
    rw_arena_free(&g->arena);
    rw_buf_free(&g->text);
    rw_context_free(g->ctx);
}

static rw_status open_family(opened *o, rw_str name, rw_error *err) {
    char path[512];
    snprintf(path, sizeof path, FAMILIES "%.*s.json", (int)name.size, name.data);
    return try_open(o, path, err);
}

/* ---- frequencies
 * ---------------------------------------------------------------------------------- */

/* Largest relative distance, or infinity when the dims differ. */
static double distance(const rw_rope_table *table, const rw_json *list) {
    double worst = 0;
    uint32_t k = 0;
    if (list->count != table->pairs)
        return INFINITY;
    for (const rw_json *n = list->first; n; n = n->next, k++) {
        double off = fabs(table->inv_freq[k] - n->number);
        worst = fmax(worst, n->number != 0 ? off / n->number : off);
    }
    return worst;
}

static bool may_serve(const rw_rope_group *group, const rw_json *layer_type) {
    if (rw_json_is_null(layer_type) || group->layers == RW_LAYERS_ALL)
        return true;
    return rw_str_is(layer_type->string, rw_layers_name(group->layers));
}

/* One rotary module of the model, run at `length`, is one of our rotations. */
static bool is_resolved(const rw_rope_set *set, const rw_json *module, const rw_json *list,
                        uint64_t length) {
    double amplitude = rw_json_number_or(rw_json_get(module, "attention_scaling"), NAN);
    for (uint32_t i = 0; i < set->count; i++) {
        rw_rope_table table;
        if (!may_serve(&set->group[i], rw_json_get(module, "layer_type")))
            continue;
        assert_int_equal(rw_rope_table_build(&set->group[i].spec, length, &table, NULL), RW_OK);
        /* their arithmetic is float32 */
        if (distance(&table, list) <= 4e-6 && fabs(table.attention_factor - amplitude) <= 1e-6)
            return true;
    }
    return false;
}

/* As constructed, and after a forward pass at each length that was tried. */
static bool is_resolved_everywhere(const rw_rope_set *set, const rw_json *module) {
    const rw_json *first = rw_json_get(module, "inv_freq");
    const rw_json *lengths = rw_json_get(module, "lengths");
    if (!is_resolved(set, module, first, 1))
        return false;
    for (const rw_json *n = lengths ? lengths->first : NULL; n; n = n->next) {
        const rw_json *list = rw_json_get(n, "inv_freq");
        uint64_t length = rw_json_u64_or(rw_json_get(n, "length"), 0);
        if (rw_str_is(rw_json_string_or(list, ""), "as constructed"))
            list = first;
        if (list && list->type == RW_JSON_ARRAY && !is_resolved(set, module, list, length))
            return false;
    }
    return true;
}

static unsigned check_family(const rw_json *family, rw_runtime runtime) {
    const rw_json *rotary = rw_json_get(family, "rotary");
    unsigned checked = 0;
    opened o;
    rw_error err = {0};
    if (!rotary || !rotary->count)
        return 0; /* this version cannot load it, or nothing rotates */
    rw_rope_set *set = calloc(1, sizeof *set);
    assert_ok(open_family(&o, family->key, &err));
    assert_ok(rw_dialect_read(runtime, &o.source, set, NULL, &err));
    for (const rw_json *n = rotary->first; n; n = n->next) {
        if (!rw_json_get(n, "inv_freq"))
            continue;
        rw_str module = rw_json_string_or(rw_json_get(n, "module"), "?");
        if (!is_resolved_everywhere(set, n))
            fail_msg("%.*s, %s: %.*s rotates otherwise", (int)family->key.size, family->key.data,
                     rw_runtime_name(runtime), (int)module.size, module.data);
        checked++;
    }
    close_opened(&o);
    free(set);
    return checked;
}

static void check_version(const char *name, rw_runtime runtime, unsigned at_least) {
    golden g;
    unsigned checked = 0;
    load(&g, name);
    for (const rw_json *n = g.fixtures->first; n; n = n->next)
        checked += check_family(n, runtime);
    print_message("%s: %u rotary modules\n", name, checked);
    assert_true(checked >= at_least);
    unload(&g);
}

static void transformers_5_agrees(void **state) {
    (void)state;
    check_version("golden_transformers_5.17.0.json", RW_TRANSFORMERS5, 30);
}

static void transformers_4_agrees(void **state) {
    (void)state;
    check_version("golden_transformers_4.57.6.json", RW_TRANSFORMERS4, 30);
}

static void transformers_4_early_agrees(void **state) {
    (void)state;
    check_version("golden_transformers_4.49.0.json", RW_TRANSFORMERS4_EARLY, 10);
}

/* ---- places and windows
 * ----------------------------------------------------------------------------- */

static void check_windows(const rw_json *family, const rw_source *source) {
    const rw_json *context = rw_json_get(family, "context");
    rw_str path = rw_json_string_or(rw_json_get(family, "language_config"), "");
    assert_true(rw_str_is(path, source->language_path));
    assert_int_equal(source->windows.native, rw_json_u64_or(rw_json_get(context, "native"), 0));
    assert_int_equal(source->windows.advertised,
                     rw_json_u64_or(rw_json_get(context, "advertised"), 0));
    assert_int_equal(source->windows.ramp_origin,
                     rw_json_u64_or(rw_json_get(context, "ramp_origin"), 0));
}

static void places_and_windows(void **state) {
    (void)state;
    golden g;
    load(&g, "expected.json");
    for (const rw_json *n = g.fixtures->first; n; n = n->next) {
        opened o;
        rw_error err = {0};
        rw_status status = open_family(&o, n->key, &err);
        print_message("%.*s\n", (int)n->key.size, n->key.data);
        if (rw_json_get(n, "refused")) {
            assert_int_equal(status, RW_ERR_INPUT);
            assert_string_equal(err.code, "dialect.no_rope");
        } else {
            assert_int_equal(status, RW_OK);
            check_windows(n, &o.source);
        }
        close_opened(&o);
    }
    unload(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transformers_5_agrees),
        cmocka_unit_test(transformers_4_agrees),
        cmocka_unit_test(transformers_4_early_agrees),
        cmocka_unit_test(places_and_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
