/*
 * vocabulary.c - the checkpoint's tokenizer: the files beside config.json, or a GGUF's own keys.
 */
#include <string.h>

#include "model/internal.h"

enum { TOKENIZER_BYTES_MAX = 256 << 20 };

static rw_status from_files(rw_context *ctx, const rw_checkpoint *checkpoint, rw_tokenizer **out,
                            rw_error *err) {
    rw_buf json = {.ctx = ctx}, config = {.ctx = ctx};
    rw_error config_error = {0};
    rw_status status =
        rw_checkpoint_sidecar(checkpoint, "tokenizer.json", TOKENIZER_BYTES_MAX, &json, err);
    if (status == RW_OK) {
        status = rw_checkpoint_sidecar(checkpoint, "tokenizer_config.json", TOKENIZER_BYTES_MAX,
                                       &config, &config_error);
        if (status != RW_OK && rw_str_is(rw_str_of(config_error.code), "file.missing"))
            status = RW_OK; /* it need not be there */
        else if (status != RW_OK && err)
            *err = config_error;
    }
    if (status == RW_OK)
        status =
            rw_tokenizer_from_json(ctx, (rw_str){json.data, json.size},
                                   (rw_str){config.data, config.size}, "tokenizer.json", out, err);
    rw_buf_free(&json);
    rw_buf_free(&config);
    return status;
}

/* ---- GGUF ------------------------------------------------------------------------------------ */

static int64_t token_id(const rw_gguf *gguf, const char *key) {
    uint64_t id;
    return rw_gguf_u64(gguf, key, &id) && id < INT32_MAX ? (int64_t)id : -1;
}

static int flag(const rw_gguf *gguf, const char *key) {
    bool value;
    return rw_gguf_bool(gguf, key, &value) ? value : -1;
}

/* One number a token; *out NULL when the key is not there. */
static rw_status read_numbers(const rw_gguf *gguf, const char *key, rw_arena *arena,
                              const rw_vocabulary *v, double **out, rw_error *err) {
    size_t count;
    *out = NULL;
    if (!rw_gguf_get(gguf, key))
        return RW_OK;
    RW_TRY(rw_gguf_numbers(gguf, key, arena, out, &count, err));
    if (count == v->count)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "model.vocabulary", key,
                   "the list has %zu entries for %zu tokens", count, v->count);
}

static rw_status read_types(const rw_gguf *gguf, rw_arena *arena, rw_vocabulary *v, rw_error *err) {
    double *numbers;
    RW_TRY(read_numbers(gguf, "tokenizer.ggml.token_type", arena, v, &numbers, err));
    if (!numbers)
        return RW_OK;
    int32_t *types = rw_arena_alloc(arena, v->count * sizeof *types);
    if (!types)
        return rw_fail_memory(err, "tokenizer", v->count * sizeof *types);
    for (size_t i = 0; i < v->count; i++)
        types[i] = numbers[i] >= 0.0 && numbers[i] < 100.0 ? (int32_t)numbers[i] : 0;
    v->types = types;
    return RW_OK;
}

static rw_status read_scores(const rw_gguf *gguf, rw_arena *arena, rw_vocabulary *v,
                             rw_error *err) {
    double *numbers;
    RW_TRY(read_numbers(gguf, "tokenizer.ggml.scores", arena, v, &numbers, err));
    if (!numbers)
        return RW_OK;
    float *scores = rw_arena_alloc(arena, v->count * sizeof *scores);
    if (!scores)
        return rw_fail_memory(err, "tokenizer", v->count * sizeof *scores);
    for (size_t i = 0; i < v->count; i++)
        scores[i] = (float)numbers[i]; /* the file has float32 */
    v->scores = scores;
    return RW_OK;
}

static rw_status read_vocabulary(const rw_gguf *gguf, rw_arena *arena, rw_vocabulary *v,
                                 rw_error *err) {
    const char *merges = "tokenizer.ggml.merges";
    rw_str *list;
    if (!rw_gguf_string(gguf, "tokenizer.ggml.model", &v->model))
        return rw_fail(err, RW_ERR_INPUT, "model.vocabulary", "tokenizer.ggml.model",
                       "the GGUF holds no tokenizer");
    rw_gguf_string(gguf, "tokenizer.ggml.pre", &v->pre);
    RW_TRY(rw_gguf_strings(gguf, "tokenizer.ggml.tokens", arena, &list, &v->count, err));
    v->tokens = list;
    if (rw_gguf_get(gguf, merges)) {
        RW_TRY(rw_gguf_strings(gguf, merges, arena, &list, &v->merge_count, err));
        v->merges = list;
    }
    v->bos = token_id(gguf, "tokenizer.ggml.bos_token_id");
    v->eos = token_id(gguf, "tokenizer.ggml.eos_token_id");
    v->add_bos = flag(gguf, "tokenizer.ggml.add_bos_token");
    v->add_eos = flag(gguf, "tokenizer.ggml.add_eos_token");
    v->add_space_prefix = flag(gguf, "tokenizer.ggml.add_space_prefix");
    RW_TRY(read_scores(gguf, arena, v, err));
    return read_types(gguf, arena, v, err);
}

static rw_status from_gguf(rw_context *ctx, const rw_checkpoint *checkpoint, rw_tokenizer **out,
                           rw_error *err) {
    rw_arena arena = {.ctx = ctx};
    rw_vocabulary vocabulary = {.pre = rw_str_of("")};
    rw_status status = read_vocabulary(rw_checkpoint_gguf(checkpoint), &arena, &vocabulary, err);
    if (status == RW_OK)
        status = rw_tokenizer_from_vocabulary(ctx, &vocabulary, rw_checkpoint_path(checkpoint), out,
                                              err);
    rw_arena_free(&arena);
    return status;
}

rw_status rw_model_tokenizer(rw_context *ctx, const rw_checkpoint *checkpoint, const rw_arch *arch,
                             rw_tokenizer **out, rw_error *err) {
    *out = NULL;
    bool gguf = rw_checkpoint_format(checkpoint) == RW_FORMAT_GGUF;
    RW_TRY(rw_model_check_arch(arch, err));
    RW_TRY(gguf ? from_gguf(ctx, checkpoint, out, err) : from_files(ctx, checkpoint, out, err));
    size_t size = rw_tokenizer_vocab_size(*out);
    if (size <= arch->vocab)
        return RW_OK;
    rw_tokenizer_free(*out);
    *out = NULL;
    return rw_fail(err, RW_ERR_INPUT, "model.vocabulary", "tokenizer",
                   "the tokenizer has %zu tokens, the model's embedding %u: take both from one "
                   "checkpoint",
                   size, arch->vocab);
}
