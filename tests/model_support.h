/*
 * model_support.h - opening a model without the dialect room, which lies above: an arch from either
 * container, a rotation from `rope_parameters`, documents and committed figures.
 */
#ifndef RW_TESTS_MODEL_SUPPORT_H
#define RW_TESTS_MODEL_SUPPORT_H

#include <math.h>

#include "arch/memory.h"
#include "model/model.h"
#include "support.h"

typedef struct test_model {
    rw_context *ctx;
    rw_arena arena;
    rw_checkpoint *checkpoint;
    rw_arch arch;
    rw_model *model;
    rw_tokenizer *tokenizer;
    bool gguf;
} test_model;

/* ---- metadata of a GGUF as arch wants it ----------------------------------------------------- */

static inline const char *test_key(void *user, const char *key, char out[128]) {
    (void)user;
    bool plain = strncmp(key, "general.", 8) == 0 || strncmp(key, "tokenizer.", 10) == 0;
    snprintf(out, 128, "%s%s", plain ? "" : "llama.", key);
    return out;
}

static inline bool test_number(void *user, const char *key, double *out) {
    char full[128];
    return rw_gguf_double(user, test_key(user, key, full), out);
}

static inline bool test_string(void *user, const char *key, rw_str *out) {
    char full[128];
    return rw_gguf_string(user, test_key(user, key, full), out);
}

static inline bool test_per_layer(void *user, const char *key, uint32_t layer, double *out) {
    (void)layer;
    return test_number(user, key, out);
}

/* Only "output.weight" decides anything in the models of these tests: tied and without biases. */
static inline bool test_has_tensor(void *user, const char *name) {
    (void)user;
    (void)name;
    return false;
}

static inline void test_read_arch(test_model *m) {
    rw_error err = {0};
    const rw_gguf *gguf = rw_checkpoint_gguf(m->checkpoint);
    m->gguf = gguf != NULL;
    rw_arch_lookup lookup = {.user = (void *)gguf,
                             .number = test_number,
                             .string = test_string,
                             .per_layer = test_per_layer,
                             .has_tensor = test_has_tensor};
    if (gguf)
        assert_ok(rw_arch_from_metadata(&lookup, &m->arena, &m->arch, &err));
    else
        assert_ok(
            rw_arch_from_config(rw_checkpoint_config(m->checkpoint), &m->arena, &m->arch, &err));
}

static inline void test_model_open(test_model *m, const char *path, unsigned threads,
                                   rw_cpu_level level) {
    rw_error err = {0};
    rw_context_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    memset(m, 0, sizeof *m);
    assert_ok(rw_context_create(&options, &m->ctx, &err));
    m->arena.ctx = m->ctx;
    assert_ok(rw_checkpoint_open(m->ctx, path, 0, &m->checkpoint, &err));
    test_read_arch(m);
    assert_ok(rw_model_load(m->ctx, m->checkpoint, &m->arch, &m->model, &err));
    assert_ok(rw_model_tokenizer(m->ctx, m->checkpoint, &m->arch, &m->tokenizer, &err));
}

static inline void test_model_close(test_model *m) {
    rw_tokenizer_free(m->tokenizer);
    rw_model_free(m->model);
    rw_checkpoint_close(m->checkpoint);
    rw_arena_free(&m->arena);
    rw_context_free(m->ctx);
}

/* ---- rotations ------------------------------------------------------------------------------- */

static inline void test_plain_rope(const test_model *m, rw_rope_set *set) {
    memset(set, 0, sizeof *set);
    set->count = 1;
    rw_rope_spec *spec = &set->group[0].spec;
    rw_rope_spec_init(spec);
    spec->head_dim = spec->rotary_dim = m->arch.head_dim;
    spec->pairing = m->gguf ? RW_PAIRING_INTERLEAVED : RW_PAIRING_HALF;
}

static inline void test_list(const rw_json *list, double *out, uint32_t *count) {
    *count = 0;
    for (const rw_json *n = list ? list->first : NULL; n; n = n->next)
        out[(*count)++] = n->number;
}

/* The `rope_parameters` of transformers, with 512 as the window. */
static inline void test_rope(const test_model *m, const rw_json *p, rw_rope_set *set) {
    test_plain_rope(m, set);
    rw_rope_spec *spec = &set->group[0].spec;
    const char *type = rw_json_get(p, "rope_type")->string.data;
    size_t size = rw_json_get(p, "rope_type")->string.size;
    char name[32] = {0};
    memcpy(name, type, size < 31 ? size : 31);
    assert_true(
        rw_rope_method_by_name(strcmp(name, "default") == 0 ? "none" : name, &spec->method));
    spec->theta = rw_json_number_or(rw_json_get(p, "rope_theta"), 10000.0);
    spec->factor = rw_json_number_or(rw_json_get(p, "factor"), 1.0);
    spec->original_context = 512;
    spec->attention_factor = rw_json_number_or(rw_json_get(p, "attention_factor"), NAN);
    spec->mscale = rw_json_number_or(rw_json_get(p, "mscale"), 0.0);
    spec->mscale_all_dim = rw_json_number_or(rw_json_get(p, "mscale_all_dim"), 0.0);
    spec->beta_fast = rw_json_number_or(rw_json_get(p, "beta_fast"), 32.0);
    spec->beta_slow = rw_json_number_or(rw_json_get(p, "beta_slow"), 1.0);
    spec->truncate = rw_json_bool_or(rw_json_get(p, "truncate"), true);
    spec->low_freq_factor = rw_json_number_or(rw_json_get(p, "low_freq_factor"), 1.0);
    spec->high_freq_factor = rw_json_number_or(rw_json_get(p, "high_freq_factor"), 4.0);
    test_list(rw_json_get(p, "short_factor"), spec->short_factor, &spec->list_count);
    test_list(rw_json_get(p, "long_factor"), spec->long_factor, &spec->list_count);
}

/* Any method, beyond a window of 512. */
static inline void test_scale(const test_model *m, rw_rope_method method, rw_rope_set *set) {
    test_plain_rope(m, set);
    rw_rope_spec *spec = &set->group[0].spec;
    spec->method = method;
    spec->original_context = 512;
    if (method == RW_ROPE_BASE)
        spec->theta = 40000.0;
    else if (method != RW_ROPE_NONE && method != RW_ROPE_PER_PAIR)
        spec->factor = 4.0;
    if (method == RW_ROPE_PROPORTIONAL)
        spec->factor = 1.0, spec->partial_rotary_factor = 0.5;
    spec->list_count = method == RW_ROPE_LONGROPE ? 32 : 0;
    spec->pair_factor_count = method == RW_ROPE_PER_PAIR ? 32 : 0;
    for (uint32_t i = 0; i < 32; i++) {
        spec->short_factor[i] = 1.0 + 0.01 * i;
        spec->long_factor[i] = 1.0 + 0.1 * i;
        spec->pair_factor[i] = 1.0 + 0.1 * i;
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static inline void test_some_tokens(int32_t *tokens, size_t n) {
    for (size_t i = 0; i < n; i++)
        tokens[i] = (int32_t)((i * 7919 + i / 13 * 31 + 5) % 4096);
}

/* NLL of tokens 1..n of a document, from tokens 0..n-1; `length`: where the table is resolved. */
static inline void test_nll(const test_model *m, const rw_rope_set *set, const int32_t *tokens,
                            size_t n, double *nll) {
    rw_error err = {0};
    rw_session *session = NULL;
    rw_session_options options = {.rope = set, .capacity = n};
    rw_outputs outputs = {.count = n, .target = tokens + 1, .nll = nll};
    assert_ok(rw_session_create(m->model, &options, &session, &err));
    assert_ok(rw_session_forward(session, tokens, n, &outputs, NULL, &err));
    rw_session_free(session);
}

static inline double test_mean(const double *values, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

/* ---- files ----------------------------------------------------------------------------------- */

static inline const rw_json *test_json(rw_arena *arena, const char *path) {
    rw_error err = {0};
    rw_buf *text = rw_arena_alloc(arena, sizeof *text);
    text->ctx = arena->ctx;
    const rw_json *json = NULL;
    assert_ok(rw_file_load(arena->ctx, path, 1u << 30, text, &err));
    char *copy = rw_arena_text(arena, text->data, text->size);
    size_t size = text->size;
    rw_buf_free(text);
    assert_ok(rw_json_parse(arena, (rw_str){copy, size}, path, &json, &err));
    return json;
}

/* Document `index` of a JSONL file as tokens (rw_free them). */
static inline size_t test_document(const test_model *m, const char *path, size_t index,
                                   int32_t **tokens) {
    rw_error err = {0};
    rw_arena arena = {.ctx = m->ctx};
    rw_buf text = {.ctx = m->ctx};
    const rw_json *json = NULL;
    size_t count = 0;
    assert_ok(rw_file_load(m->ctx, path, 1u << 30, &text, &err));
    const char *line = text.data;
    for (; index > 0; index--)
        line = strchr(line, '\n') + 1;
    size_t size = strcspn(line, "\n");
    assert_ok(rw_json_parse(&arena, (rw_str){line, size}, path, &json, &err));
    assert_ok(rw_tokenizer_encode(m->tokenizer, rw_json_get(json, "text")->string,
                                  RW_TOKENIZE_DEFAULT, tokens, &count, &err));
    rw_arena_free(&arena);
    rw_buf_free(&text);
    return count;
}

#endif
