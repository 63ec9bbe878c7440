/*
 * generate.c - `ropewalk generate`: text at the new length, to see it with your own eyes.
 */
#include <math.h>
#include <string.h>

#include "job/memory.h"
#include "plan/plan.h"
#include "ropewalk/job.h"

enum { DEFAULT_TOKENS = 64 };

/* What the job holds while it runs, freed in one place. */
typedef struct generation {
    rw_context *ctx;
    const rw_generate_options *options;
    rw_arena arena;
    rw_checkpoint *checkpoint;
    rw_source source;
    rw_rope_set rope;
    rw_diagnostics diagnostics;
    rw_model *model;
    rw_tokenizer *tokenizer;
    rw_engine engine;
    rw_session *session;
    rw_resident memory; /* the most that was seen */
    int32_t *prompt;    /* [prompt_count] */
    size_t prompt_count;
    int32_t *made; /* [wanted] */
    size_t made_count, wanted;
    float *logits; /* [vocab] */
    uint64_t random;
    rw_buf text; /* of the tokens made */
    size_t told; /* bytes of it that the caller has seen */
    bool ended;  /* the model said so */
    double prompt_seconds;
    double seconds; /* of making, the prompt aside */
} generation;

/* ---- choosing a token ------------------------------------------------------------------------ */

/* splitmix64 (Steele, Lea, Flood 2014): 53 random bits as a number in [0, 1). */
static double uniform(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static int32_t likeliest(const float *logits, size_t vocab) {
    size_t best = 0;
    for (size_t i = 1; i < vocab; i++)
        if (logits[i] > logits[best])
            best = i;
    return (int32_t)best;
}

/* A token with probability softmax(logits / temperature). */
static int32_t draw(const float *logits, size_t vocab, double temperature, double random) {
    int32_t best = likeliest(logits, vocab);
    double top = logits[best], total = 0.0, seen = 0.0;
    for (size_t i = 0; i < vocab; i++)
        total += exp((logits[i] - top) / temperature);
    for (size_t i = 0; i < vocab; i++) {
        seen += exp((logits[i] - top) / temperature);
        if (seen > random * total)
            return (int32_t)i;
    }
    return best; /* rounding ate the rest */
}

static int32_t choose(generation *g) {
    size_t vocab = g->source.arch.vocab;
    if (g->options->temperature == 0.0)
        return likeliest(g->logits, vocab);
    return draw(g->logits, vocab, g->options->temperature, uniform(&g->random));
}

/* ---- making text ----------------------------------------------------------------------------- */

/* Hands over what has become whole characters; the tail of a cut one waits for its rest. At the
   end everything goes. */
static void tell(generation *g, bool end) {
    size_t size = g->text.size;
    if (!end) {
        size_t back = 0;
        while (back < 3 && back < size - g->told &&
               ((unsigned char)g->text.data[size - 1 - back] & 0xc0) == 0x80)
            back++;
        if (back < size - g->told &&
            ((unsigned char)g->text.data[size - 1 - back] & 0xc0) == 0xc0 &&
            rw_utf8_decode(g->text.data + size - 1 - back, back + 1, NULL) == 0)
            size -= back + 1;
    }
    if (size > g->told && g->options->piece)
        g->options->piece(g->options->user, g->text.data + g->told, size - g->told);
    g->told = size;
}

static bool is_end(const generation *g, int32_t token) {
    return token == g->source.arch.eos || token == rw_tokenizer_eos(g->tokenizer);
}

/* The embedding may have more rows than the tokenizer has tokens: those stand for nothing. */
static rw_status take(generation *g, int32_t token, rw_error *err) {
    g->made[g->made_count++] = token;
    if ((size_t)token < rw_tokenizer_vocab_size(g->tokenizer))
        RW_TRY(rw_tokenizer_decode(g->tokenizer, &token, 1,
                                   RW_DETOKENIZE_SKIP_SPECIAL | RW_DETOKENIZE_CONTINUE, &g->text,
                                   err));
    RW_TRY(rw_buf_status(&g->text, err));
    tell(g, false);
    return RW_OK;
}

static void note_memory(generation *g) {
    rw_resident now = rw_resident_now();
    if (now.anonymous > g->memory.anonymous)
        g->memory = now;
}

static rw_status read_it(generation *g, rw_error *err) {
    rw_outputs last = {.first = g->prompt_count - 1, .count = 1, .logits = g->logits};
    double begin = rw_now();
    RW_TRY(rw_session_forward(g->session, g->prompt, g->prompt_count, &last, "prompt", err));
    g->prompt_seconds = rw_now() - begin;
    note_memory(g);
    return RW_OK;
}

static rw_status make_text(generation *g, rw_error *err) {
    rw_outputs last = {.count = 1, .logits = g->logits};
    RW_TRY(read_it(g, err));
    double begin = rw_now();
    for (;;) {
        int32_t token = choose(g);
        g->ended = is_end(g, token);
        if (g->ended)
            break;
        RW_TRY(take(g, token, err));
        if (g->made_count == g->wanted)
            break;
        RW_TRY(rw_session_forward(g->session, &token, 1, &last, NULL, err));
    }
    g->seconds = rw_now() - begin;
    note_memory(g);
    tell(g, true);
    return RW_OK;
}

/* ---- before that ----------------------------------------------------------------------------- */

static rw_status check_options(const rw_generate_options *options, rw_error *err) {
    if (!options->path)
        return rw_fail(err, RW_ERR_USAGE, "generate.path", "PATH",
                       "name the checkpoint: a directory or a GGUF");
    if (!options->prompt)
        return rw_fail(err, RW_ERR_USAGE, "generate.prompt", "--prompt", "give --prompt TEXT");
    if (!(options->temperature >= 0.0 && options->temperature <= 100.0))
        return rw_fail(err, RW_ERR_USAGE, "generate.temperature", "--temperature",
                       "the temperature must be a number from 0 (greedy) to 100");
    return RW_OK;
}

static rw_status read_prompt(generation *g, rw_error *err) {
    RW_TRY(rw_tokenizer_encode(g->tokenizer, rw_str_of(g->options->prompt), RW_TOKENIZE_DEFAULT,
                               &g->prompt, &g->prompt_count, err));
    if (g->prompt_count == 0)
        return rw_fail(err, RW_ERR_USAGE, "generate.prompt", "--prompt",
                       "the prompt has no tokens: give at least one character");
    return RW_OK;
}

static uint64_t window(const generation *g) {
    const rw_windows *windows = &g->source.windows;
    if (g->options->context)
        return g->options->context;
    return windows->advertised > windows->native ? windows->advertised : windows->native;
}

/* Prompt and text must fit the window; a longer text is still made, with a warning, as beyond the
   window is where the difference shows. */
static void warn_window(generation *g, uint64_t context) {
    uint64_t total = g->prompt_count + (uint64_t)g->wanted;
    if (context != 0 && total > context)
        rw_diagnose(&g->diagnostics, "generate.beyond_window", RW_WARNING, false, "--tokens",
                    "prompt and text are %llu tokens, the window is %llu",
                    (unsigned long long)total, (unsigned long long)context);
}

/* A rotation that depends on the length follows the text, as transformers has it. */
static rw_status open_session(generation *g, rw_error *err) {
    rw_session_options options = {.rope = &g->rope,
                                  .capacity = g->prompt_count + (uint64_t)g->wanted,
                                  .growing = true,
                                  .engine = g->engine};
    size_t vocab = g->source.arch.vocab;
    g->logits = rw_calloc(g->ctx, vocab, sizeof *g->logits);
    g->made = rw_calloc(g->ctx, g->wanted, sizeof *g->made);
    if (!g->logits || !g->made)
        return rw_fail_memory(err, "logits", vocab * sizeof *g->logits);
    return rw_session_create(g->model, &options, &g->session, err);
}

static rw_status load(generation *g, rw_error *err) {
    RW_TRY(rw_checkpoint_open(g->ctx, g->options->path, 0, &g->checkpoint, err));
    RW_TRY(rw_source_read(g->checkpoint, &g->arena, &g->source, err));
    RW_TRY(rw_cache_type_check(&g->source.arch, g->engine.cache, err));
    uint64_t context = window(g);
    RW_TRY(rw_plan_try(&g->source, &g->options->scaling, context, &g->rope, &g->diagnostics, err));
    RW_TRY(rw_model_tokenizer(g->ctx, g->checkpoint, &g->source.arch, &g->tokenizer, err));
    RW_TRY(read_prompt(g, err));
    if (g->options->tokens > INT32_MAX - g->prompt_count)
        return rw_fail(err, RW_ERR_USAGE, "generate.tokens", "--tokens",
                       "that many tokens cannot be made");
    g->wanted = g->options->tokens ? (size_t)g->options->tokens : DEFAULT_TOKENS;
    RW_TRY(rw_model_load(g->ctx, g->checkpoint, &g->source.arch, &g->model, err));
    warn_window(g, context);
    return open_session(g, err);
}

/* ---- the result ------------------------------------------------------------------------------ */

/* JSON strings are UTF-8; a model may make bytes that are not. */
static void write_text(generation *g, rw_json_writer *w) {
    rw_buf clean = {.ctx = g->ctx};
    for (size_t i = 0; i < g->text.size;) {
        size_t size = rw_utf8_decode(g->text.data + i, g->text.size - i, NULL);
        if (size != 0)
            rw_buf_append(&clean, g->text.data + i, size);
        else
            rw_buf_text(&clean, "\xef\xbf\xbd");
        i += size ? size : 1;
    }
    rw_json_key(w, "text");
    rw_json_str(w, (rw_str){clean.data ? clean.data : "", clean.size});
    if (clean.failed)
        g->text.failed = true;
    rw_buf_free(&clean);
}

static double rate(size_t tokens, double seconds) {
    return seconds > 0.0 ? (double)tokens / seconds : 0.0;
}

static void tell_speed(const generation *g) {
    rw_log(g->ctx, RW_INFO,
           "read %zu tokens in %.2f s (%.1f tokens/s), made %zu in %.2f s (%.1f tokens/s)",
           g->prompt_count, g->prompt_seconds, rate(g->prompt_count, g->prompt_seconds),
           g->made_count, g->seconds, rate(g->made_count, g->seconds));
}

static void write_speed(const generation *g, rw_json_writer *w) {
    rw_json_member_double(w, "prompt_seconds", g->prompt_seconds);
    rw_json_member_double(w, "prompt_tokens_per_second", rate(g->prompt_count, g->prompt_seconds));
    rw_json_member_double(w, "seconds", g->seconds);
    rw_json_member_double(w, "tokens_per_second", rate(g->made_count, g->seconds));
    rw_json_key(w, "engine");
    rw_json_begin_object(w);
    rw_engine_write(w, &g->engine);
    rw_memory_taken_write(w, &g->source, g->prompt_count + (uint64_t)g->wanted, g->engine.cache,
                          g->memory);
    rw_json_end_object(w);
}

static rw_status write_result(generation *g, char **json, rw_error *err) {
    rw_buf text = {.ctx = g->ctx};
    rw_json_writer w = {.out = &text, .indent = 2};
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", "ropewalk.generate/1");
    rw_json_member_u64(&w, "prompt_tokens", g->prompt_count);
    write_text(g, &w);
    rw_json_key(&w, "tokens");
    rw_json_begin_array(&w);
    for (size_t i = 0; i < g->made_count; i++)
        rw_json_i64(&w, g->made[i]);
    rw_json_end_array(&w);
    rw_json_member_string(&w, "stopped_by", g->ended ? "end" : "length");
    write_speed(g, &w);
    rw_json_key(&w, "diagnostics");
    rw_diagnostics_write(&w, &g->diagnostics);
    rw_json_end_object(&w);
    rw_buf_char(&text, '\n');
    rw_status status = rw_buf_status(&g->text, err);
    if (status == RW_OK)
        status = rw_buf_status(&text, err);
    if (status != RW_OK)
        rw_buf_free(&text);
    else
        *json = text.data;
    return status;
}

static void release(generation *g) {
    rw_session_free(g->session);
    rw_model_free(g->model);
    rw_tokenizer_free(g->tokenizer);
    rw_free(g->ctx, g->prompt);
    rw_free(g->ctx, g->made);
    rw_free(g->ctx, g->logits);
    rw_buf_free(&g->text);
    rw_checkpoint_close(g->checkpoint);
    rw_arena_free(&g->arena);
}

rw_status rw_generate(rw_context *ctx, const rw_generate_options *options, char **json,
                      rw_error *err) {
    *json = NULL;
    RW_TRY(check_options(options, err));
    generation g = {.ctx = ctx, .options = options, .arena = {.ctx = ctx}, .text = {.ctx = ctx}};
    g.diagnostics.arena = &g.arena;
    g.random = options->seed;
    g.engine.cache = RW_CACHE_F16;
    RW_TRY(rw_engine_read(options->kv_type, options->arithmetic, &g.engine, err));
    rw_status status = load(&g, err);
    if (status == RW_OK)
        status = make_text(&g, err);
    if (status == RW_OK)
        tell_speed(&g);
    if (status == RW_OK)
        status = write_result(&g, json, err);
    release(&g);
    return status;
}
