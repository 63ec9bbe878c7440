/*
 * measure_support.h - the embedded model's tokenizer, corpora made on the spot, and a scorer
 * without a model.
 */
#ifndef RW_TESTS_MEASURE_SUPPORT_H
#define RW_TESTS_MEASURE_SUPPORT_H

#include <math.h>
#include <unistd.h>

#include "measure/result.h"
#include "support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

static inline rw_tokenizer *test_tokenizer(rw_context *ctx) {
    rw_error err = {0};
    rw_buf json = {.ctx = ctx};
    rw_tokenizer *tokenizer = NULL;
    assert_ok(rw_file_load(ctx, TINY "/tokenizer.json", 1u << 24, &json, &err));
    assert_ok(rw_tokenizer_from_json(ctx, (rw_str){json.data, json.size}, (rw_str){"", 0},
                                     "tokenizer.json", &tokenizer, &err));
    rw_buf_free(&json);
    return tokenizer;
}

/* The same with a BOS that is put in front. */
static inline rw_tokenizer *test_tokenizer_with_bos(rw_context *ctx) {
    static const char config[] = "{\"bos_token\":\"<|endoftext|>\",\"add_bos_token\":true}";
    rw_error err = {0};
    rw_buf json = {.ctx = ctx};
    rw_tokenizer *tokenizer = NULL;
    assert_ok(rw_file_load(ctx, TINY "/tokenizer.json", 1u << 24, &json, &err));
    assert_ok(rw_tokenizer_from_json(ctx, (rw_str){json.data, json.size},
                                     (rw_str){config, sizeof config - 1}, "tokenizer.json",
                                     &tokenizer, &err));
    rw_buf_free(&json);
    return tokenizer;
}

/* Writes `size` bytes to a file of its own and returns its path. */
static inline const char *test_data_file(const char *bytes, size_t size) {
    static char path[64];
    snprintf(path, sizeof path, "/tmp/rw-measure-%d.jsonl", (int)getpid());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

/* Documents of the given lengths; token i of document d is (31 * i + 7 * d) % 4000 + 1. */
static inline rw_corpus test_corpus(rw_context *ctx, const size_t *counts, size_t documents) {
    rw_corpus corpus = {.ctx = ctx, .count = documents};
    corpus.documents = rw_calloc(ctx, documents, sizeof *corpus.documents);
    corpus.name = rw_alloc(ctx, 5);
    memcpy(corpus.name, "made", 5);
    for (size_t d = 0; d < documents; d++) {
        int32_t *tokens = rw_calloc(ctx, counts[d] + 1, sizeof *tokens);
        for (size_t i = 0; i < counts[d]; i++)
            tokens[i] = (int32_t)((31 * i + 7 * d) % 4000 + 1);
        corpus.documents[d] =
            (rw_document){.tokens = tokens, .count = counts[d], .line = (uint32_t)(d + 1)};
    }
    return corpus;
}

/* ---- a scorer without a model ---------------------------------------------------------------- */

/* NLL of a target at position p of a window is base + slope * p, plus `beyond` from `native` on;
   and 1e-3 * target, so that a wrong offset shows. */
typedef struct fake_model {
    double base, slope, beyond;
    size_t native;
    size_t at, length;
    int32_t first; /* token of the latest sequence */
    uint64_t sequences, tokens;
    bool remembers; /* retrieval: the arg max is the target */
    rw_status fails_with;
    uint64_t fails_after;           /* sequences */
    uint64_t appends, cancelled_at; /* append that is cancelled, from 1; 0: none */
} fake_model;

static inline double fake_nll(const fake_model *fake, size_t position, int32_t target) {
    double beyond = position >= fake->native ? fake->beyond : 0;
    return fake->base + fake->slope * (double)position + beyond + 1e-3 * target;
}

static inline rw_status fake_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    fake_model *fake = scorer->user;
    fake->at = 0;
    fake->length = length;
    if (fake->fails_with != RW_OK && fake->sequences >= fake->fails_after)
        return rw_fail(err, fake->fails_with, "test.fails", "", "as planned");
    fake->sequences++;
    return RW_OK;
}

static inline rw_status fake_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                                    const rw_outputs *outputs, rw_error *err) {
    fake_model *fake = scorer->user;
    if (++fake->appends == fake->cancelled_at)
        return rw_fail(err, RW_ERR_CANCELLED, "test.cancelled", "", "as planned");
    assert_true(fake->at + count <= fake->length);
    for (size_t i = 0; outputs && i < outputs->count; i++) {
        size_t in_call = outputs->first + i;
        assert_true(in_call < count);
        /* what is asked for must be what comes next in the text */
        if (in_call + 1 < count)
            assert_int_equal(outputs->target[i], tokens[in_call + 1]);
        outputs->nll[i] = fake_nll(fake, fake->at + in_call, outputs->target[i]);
        if (outputs->argmax)
            outputs->argmax[i] = outputs->target[i] + (fake->remembers ? 0 : 1);
    }
    if (fake->at == 0)
        fake->first = tokens[0];
    fake->at += count;
    fake->tokens += count;
    return RW_OK;
}

static inline double fake_cost(const rw_scorer *scorer, size_t n) {
    (void)scorer;
    return (double)n;
}

static inline rw_scorer fake_scorer(fake_model *fake) {
    return (rw_scorer){.user = fake,
                       .begin = fake_begin,
                       .append = fake_append,
                       .cost = fake_cost,
                       .window_bos = -1};
}

#endif
