/*
 * Numbers that are not finite in a config.json, as Python writes them: where nobody needs a number
 * they change nothing and stay as they are; where one is needed the file is refused. Tried with
 * every number of every family's fixture.
 */
#include <dirent.h>

#include "dialect_support.h"

static const char *const literals[] = {"Infinity", "-Infinity", "NaN", "1e999"};

typedef struct tally {
    size_t refused, same;
} tally;

static void put_numbers(rw_buf *out, const double *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        rw_buf_format(out, " %.17g", values[i]);
}

static void put_spec(rw_buf *out, const rw_rope_spec *s) {
    rw_buf_format(out, "\n  %d %u/%u %d %d", (int)s->method, s->rotary_dim, s->head_dim,
                  (int)s->pairing, s->truncate);
    const double values[] = {s->theta,           s->factor,           (double)s->original_context,
                             s->mscale,          s->mscale_all_dim,   s->attention_factor,
                             s->logit_scale,     s->beta_fast,        s->beta_slow,
                             s->low_freq_factor, s->high_freq_factor, s->partial_rotary_factor};
    put_numbers(out, values, sizeof values / sizeof *values);
    put_numbers(out, s->short_factor, s->list_count);
    put_numbers(out, s->long_factor, s->list_count);
    for (int i = 0; i < 4; i++)
        rw_buf_format(out, " %u", s->mrope_section[i]);
}

static void put_arch(rw_buf *out, const rw_arch *a) {
    const double values[] = {a->n_layers,      a->hidden,
                             a->vocab,         a->head_dim,
                             a->norm_eps,      a->embedding_scale,
                             a->query_scalar,  a->attention_softcap,
                             a->final_softcap, (double)a->parameters,
                             (double)a->active};
    put_numbers(out, values, sizeof values / sizeof *values);
    for (uint32_t i = 0; a->layers && i < a->n_layers; i++) {
        const rw_layer *l = &a->layers[i];
        rw_buf_format(out, " %d%d:%u,%u,%u,%u,%u,%u", (int)l->kind, l->rotary, l->n_heads,
                      l->n_kv_heads, l->qk_dim, l->v_dim, l->kv_latent, l->window);
    }
}

static void put_sets(rw_buf *out, const rw_source *source) {
    static rw_rope_set set;
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        rw_error err = {0};
        rw_status status = rw_dialect_read((rw_runtime)i, source, &set, NULL, &err);
        rw_buf_format(out, "\n%s: %s", rw_runtime_name((rw_runtime)i),
                      status == RW_OK ? "" : err.message);
        for (uint32_t g = 0; status == RW_OK && g < set.count; g++)
            put_spec(out, &set.group[g].spec);
    }
}

/* All that is understood of what lies at the path, as text; false when it is refused as input. */
static bool facts(const char *path, char **out) {
    rw_error err = {0};
    opened o;
    rw_status status = try_open(&o, path, &err);
    if (status != RW_OK && status != RW_ERR_INPUT)
        fail_msg("%s: [%s] %s", path, err.code, err.message);
    rw_buf text = {.ctx = o.ctx};
    if (status == RW_OK) {
        const rw_windows *w = &o.source.windows;
        rw_buf_format(&text, "%llu %llu %llu", (unsigned long long)w->native,
                      (unsigned long long)w->advertised, (unsigned long long)w->ramp_origin);
        put_arch(&text, &o.source.arch);
        put_sets(&text, &o.source);
    }
    *out = status == RW_OK ? strdup(text.data) : NULL;
    rw_buf_free(&text);
    close_opened(&o);
    return status == RW_OK;
}

static void write_with(const char *path, rw_str text, const rw_json *node, const char *literal) {
    rw_context *ctx = test_context();
    rw_buf out = {.ctx = ctx};
    rw_buf_append(&out, text.data, (size_t)node->begin);
    rw_buf_text(&out, literal);
    rw_buf_append(&out, text.data + node->end, text.size - (size_t)node->end);
    write_file(path, out.data, out.size);
    rw_buf_free(&out);
    rw_context_free(ctx);
}

static void try_number(const char *name, rw_str text, const rw_json *node, const char *before,
                       tally *out) {
    static size_t turn;
    const char *path = scratch_path(".json"), *literal = literals[turn++ % 4];
    char *after;
    write_with(path, text, node, literal);
    if (!facts(path, &after)) {
        out->refused++;
        return;
    }
    if (strcmp(before, after) != 0)
        fail_msg("%s: \"%.*s\": %s was taken for another value than it had before:\n%s\n%s", name,
                 (int)node->key.size, node->key.data, literal, before, after);
    out->same++;
    free(after);
}

static void try_numbers(const char *name, rw_str text, const rw_json *node, const char *before,
                        tally *out) {
    unsigned elements = 0;
    for (const rw_json *n = node->first; n; n = n->next) {
        if (n->type == RW_JSON_NUMBER)
            try_number(name, text, n, before, out);
        try_numbers(name, text, n, before, out);
        if (node->type == RW_JSON_ARRAY && ++elements == 3)
            return; /* a long list is one of its kind */
    }
}

static void try_fixture(const char *folder, const char *name, tally *out) {
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    rw_buf text = {.ctx = ctx};
    rw_error err = {0};
    const rw_json *root;
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(rw_file_load(ctx, path, 1 << 20, &text, &err));
    assert_ok(rw_json_parse(&arena, (rw_str){text.data, text.size}, name, &root, &err));
    write_file(scratch_path(".json"), text.data, text.size);
    char *before;
    if (facts(scratch_path(".json"), &before)) /* else it has no rotation to be changed */
        try_numbers(name, (rw_str){text.data, text.size}, root, before, out);
    free(before);
    rw_buf_free(&text);
    rw_arena_free(&arena);
    rw_context_free(ctx);
    unlink(scratch_path(".json"));
}

static bool is_fixture(const char *name) {
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".json") == 0 && strncmp(name, "golden", 6) != 0 &&
           strcmp(name, "expected.json") != 0;
}

static void test_every_number(void **state) {
    static const char folder[] = RW_SOURCE_DIR "/tests/data/families";
    (void)state;
    tally all = {0};
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (is_fixture(entry->d_name))
            try_fixture(folder, entry->d_name, &all);
    closedir(directory);
    printf("%zu %zu\n", all.refused, all.same);
    assert_true(all.refused > 400 && all.same > 300);
}

/* What a Mamba hybrid's file carries survives a patch byte for byte. */
static void test_survives(void **state) {
    static const char text[] =
        "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": "
        "64,\n \"num_attention_heads\": 4, \"num_hidden_layers\": 2, \"vocab_size\": 128, "
        "\"intermediate_size\": 64,\n \"time_step_limit\": [0.0, Infinity], \"odd\": {\"a\": NaN, "
        "\"b\": -Infinity, \"c\": 1e999},\n \"max_position_embeddings\": 2048, \"rope_theta\": "
        "10000.0}\n";
    (void)state;
    rw_error err = {0};
    opened o;
    rw_buf out = {0};
    static rw_rope_set set;
    open_text(&o, text);
    out.ctx = o.ctx;
    assert_ok(rw_dialect_read(RW_TRANSFORMERS5, &o.source, &set, NULL, &err));
    set.group[0].spec.theta = 20000;
    assert_ok(rw_dialect_write_config(&o.source, &set, 4096, 1u << RW_TRANSFORMERS5, &out, &err));
    rw_buf_char(&out, '\0');
    assert_non_null(strstr(out.data, "\"time_step_limit\": [0.0, Infinity], \"odd\": {\"a\": NaN, "
                                     "\"b\": -Infinity, \"c\": 1e999},\n"));
    assert_non_null(strstr(out.data, "20000"));
    rw_buf_free(&out);
    close_opened(&o);
}

static void test_refused_with_its_place(void **state) {
    static const struct {
        const char *member, *where;
    } rows[] = {
        {"\"rope_theta\": Infinity", "rope_theta"},
        {"\"max_position_embeddings\": NaN", "max_position_embeddings"},
        {"\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": Infinity}", "rope_scaling"},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, \"beta_fast\": 1e400}",
         "rope_scaling"},
        {"\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\", \"rope_theta\": "
         "NaN}}",
         "rope_parameters"},
        {"\"max_position_embeddings\": 99999999999999999999", "max_position_embeddings"},
        {"\"max_position_embeddings\": 0.5", "max_position_embeddings"},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, "
         "\"original_max_position_embeddings\": 0}",
         "original_max_position_embeddings"},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, "
         "\"original_max_position_embeddings\": -5}",
         "original_max_position_embeddings"},
        {"\"rope_scaling\": {\"rope_type\": 7, \"factor\": 2}", "rope_type"},
        {"\"rope_parameters\": {\"full_attention\": {\"type\": []}}", "type"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        rw_error err = {0};
        opened o;
        snprintf(text, sizeof text,
                 "{\"model_type\": \"qwen3\", \"hidden_size\": 64, \"num_attention_heads\": 4, "
                 "\"num_hidden_layers\": 2, \"vocab_size\": 128, \"intermediate_size\": 64, %s}",
                 rows[i].member);
        assert_int_equal(try_open_text(&o, text, strlen(text), &err), RW_ERR_INPUT);
        assert_string_equal(err.code, "dialect.bad_value");
        if (!strstr(err.where, rows[i].where) && !strstr(err.message, rows[i].where))
            fail_msg("%s: %s: %s", rows[i].member, err.where, err.message);
        close_opened(&o);
    }
}

static void test_byte_order_mark(void **state) {
    (void)state;
    const char *text = "\xEF\xBB\xBF{\"model_type\": \"qwen3\", \"hidden_size\": 64, "
                       "\"num_attention_heads\": 4, \"num_hidden_layers\": 2, "
                       "\"vocab_size\": 128, \"intermediate_size\": 64}";
    rw_error err = {0};
    opened o;
    assert_int_equal(try_open_text(&o, text, strlen(text), &err), RW_OK);
    assert_true(has_diagnostic(&o.source.diagnostics, "dialect.byte_order_mark"));
    close_opened(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_every_number),
        cmocka_unit_test(test_survives),
        cmocka_unit_test(test_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
