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
    bool mixes;                     /* an NLL depends on every token so far */
    uint64_t sum;                   /* of them */
    uint64_t saved, restored;       /* positions */
    bool save_cancelled;
    size_t row_bytes; /* at most FAKE_ROW_BYTES; 0: 16 */
} fake_model;

static inline double fake_nll(const fake_model *fake, size_t position, int32_t target) {
    double beyond = position >= fake->native ? fake->beyond : 0;
    double past = fake->mixes ? 1e-6 * (double)(fake->sum % 4093) : 0;
    return fake->base + fake->slope * (double)position + beyond + 1e-3 * target + past;
}

static inline rw_status fake_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    fake_model *fake = scorer->user;
    fake->at = 0;
    fake->sum = 0;
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
    for (size_t i = 0; i < count; i++)
        fake->sum = fake->sum * 31 + (uint64_t)tokens[i];
    return RW_OK;
}

/* What a part is here: where it begins and ends, what was read by then, and some bytes a row. */
typedef struct fake_rows {
    uint64_t from, to, sum;
} fake_rows;

enum { FAKE_ROW_BYTES = 512 };

static inline size_t fake_row(const fake_model *fake) {
    return fake->row_bytes ? fake->row_bytes : 16;
}

static inline rw_status fake_save(rw_scorer *scorer, uint64_t from, const rw_row_sink *sink,
                                  rw_error *err) {
    fake_model *fake = scorer->user;
    const fake_rows rows = {from, fake->at, fake->sum};
    char row[FAKE_ROW_BYTES];
    if (fake->save_cancelled)
        return rw_fail(err, RW_ERR_CANCELLED, "test.cancelled", "", "as planned");
    RW_TRY(sink->put(sink->user, &rows, sizeof rows, err));
    for (uint64_t i = from; i < fake->at; i++) {
        memset(row, (int)(i % 251), sizeof row);
        RW_TRY(sink->put(sink->user, row, fake_row(fake), err));
    }
    fake->saved += fake->at - from;
    return RW_OK;
}

static inline rw_status fake_restore(rw_scorer *scorer, uint64_t to, const rw_row_source *source,
                                     rw_error *err) {
    fake_model *fake = scorer->user;
    fake_rows rows;
    char row[FAKE_ROW_BYTES];
    RW_TRY(source->get(source->user, &rows, sizeof rows, err));
    assert_int_equal(rows.from, fake->at);
    assert_int_equal(rows.to, to);
    assert_true(to <= fake->length);
    for (uint64_t i = rows.from; i < to; i++) {
        RW_TRY(source->get(source->user, row, fake_row(fake), err));
        assert_true(row[0] == (char)(i % 251) && row[fake_row(fake) - 1] == row[0]);
    }
    fake->restored += to - fake->at;
    fake->at = (size_t)to;
    fake->sum = rows.sum;
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
                       .save = fake_save,
                       .restore = fake_restore,
                       .window_bos = -1};
}

#endif
