/*
 * models.c - whole models: a prompt, tokens made at a depth, the loss of every position.
 *
 * Useful work, whatever a program does to get there: 2 FLOP a weight and token, 4 a dim of the
 * heads for each key that a token sees; for a token made alone, the bytes of the weights and of the
 * keys and values behind it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "dialect/dialect.h"
#include "model/model.h"
#include "plan/plan.h"

typedef enum work { PROMPT, GENERATION, PERPLEXITY } work;

static const char *const work_names[] = {"prompt", "generation", "perplexity"};

typedef struct model_case {
    work work;
    size_t n; /* tokens; of generation: those before */
    const char *weights;
    unsigned layers;
    const char *cache;
    rw_arithmetic arithmetic;
    bench_extent extent; /* from which on it is timed */
} model_case;

#define F32 RW_ARITHMETIC_F32
#define INT8 RW_ARITHMETIC_INT8

static const model_case cases[] = {
    {PROMPT, 512, "f16", 30, "f16", F32, BENCH_QUICK},
    {PROMPT, 8192, "f16", 30, "f16", F32, BENCH_FULL},
    {PROMPT, 8192, "f16", 3, "f16", F32, BENCH_QUICK},
    {PROMPT, 32768, "f16", 3, "f16", F32, BENCH_FULL},
    {PROMPT, 512, "q4_1", 30, "f16", INT8, BENCH_QUICK},
    {PROMPT, 512, "q4_1", 30, "f16", F32, BENCH_FULL},
    {PROMPT, 8192, "q4_1", 30, "q8_0", INT8, BENCH_FULL},
    {PROMPT, 8192, "q4_1", 3, "q8_0", INT8, BENCH_QUICK},
    {PROMPT, 32768, "q4_1", 3, "q8_0", INT8, BENCH_FULL},
    {PROMPT, 512, "q8_0", 30, "f16", INT8, BENCH_FULL},
    {GENERATION, 0, "q8_0", 30, "f16", F32, BENCH_QUICK},
    {GENERATION, 8192, "q8_0", 30, "f16", F32, BENCH_FULL},
    {GENERATION, 8192, "q8_0", 3, "f16", F32, BENCH_QUICK},
    {GENERATION, 32768, "q8_0", 3, "f16", F32, BENCH_FULL},
    {GENERATION, 0, "q8_0", 30, "f16", INT8, BENCH_FULL},
    {GENERATION, 0, "q4_1", 30, "f16", INT8, BENCH_FULL},
    {PERPLEXITY, 8192, "f16", 30, "f16", F32, BENCH_FULL},
    {PERPLEXITY, 8192, "f16", 3, "f16", F32, BENCH_QUICK},
    {PERPLEXITY, 32768, "f16", 3, "f16", F32, BENCH_FULL},
};

/* ---- a model --------------------------------------------------------------------------------- */

typedef struct bench_model {
    rw_context *ctx;
    rw_arena arena;
    rw_checkpoint *checkpoint;
    rw_source source;
    rw_rope_set rope;
    rw_diagnostics diagnostics;
    rw_model *model;
    rw_session *session;
    double weights, table, weight_bytes, table_bytes; /* of linear layers; of the vocabulary */
    int32_t *tokens;                                  /* [n + 1] */
    double *nll;                                      /* [n] */
    size_t n;
    work work;
} bench_model;

/* Matrices of the file, whatever they are called: the vocabulary's are those with such a side. */
static void count_weights(bench_model *m) {
    for (size_t i = 0; i < rw_checkpoint_tensor_count(m->checkpoint); i++) {
        const rw_tensor *t = rw_checkpoint_tensor_at(m->checkpoint, i);
        if (t->n_dims != 2)
            continue;
        bool table = t->shape[0] == m->source.arch.vocab || t->shape[1] == m->source.arch.vocab;
        *(table ? &m->table : &m->weights) += (double)t->shape[0] * (double)t->shape[1];
        *(table ? &m->table_bytes : &m->weight_bytes) += (double)t->bytes;
    }
}

static void make_tokens(bench_model *m) {
    uint64_t state = 1;
    m->tokens = malloc((m->n + 1) * sizeof *m->tokens);
    m->nll = malloc((m->n + 1) * sizeof *m->nll);
    if (!m->tokens || !m->nll)
        bench_die("no memory for tokens", NULL);
    for (size_t i = 0; i <= m->n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        m->tokens[i] = (int32_t)((state >> 33) % m->source.arch.vocab);
    }
}

static void open_session(bench_model *m, size_t capacity, const model_case *c) {
    rw_error err = {0};
    rw_session_options options = {.rope = &m->rope, .capacity = capacity};
    options.engine.arithmetic = c->arithmetic;
    bench_must(rw_cache_type_read(c->cache, &options.engine.cache, &err), "cache", &err);
    bench_must(rw_session_create(m->model, &options, &m->session, &err), "session", &err);
}

static void open_model(bench_model *m, rw_context *ctx, const char *path, size_t n, size_t capacity,
                       const model_case *c) {
    rw_error err = {0};
    rw_scaling_options scaling = {.struct_size = sizeof scaling, .method = "none"};
    *m = (bench_model){.ctx = ctx, .arena = {.ctx = ctx}, .n = n, .work = c->work};
    m->diagnostics.arena = &m->arena;
    bench_must(rw_checkpoint_open(ctx, path, 0, &m->checkpoint, &err), path, &err);
    bench_must(rw_source_read(m->checkpoint, &m->arena, &m->source, &err), path, &err);
    bench_must(rw_plan_try(&m->source, &scaling, capacity, &m->rope, &m->diagnostics, &err), path,
               &err);
    bench_must(rw_model_load(ctx, m->checkpoint, &m->source.arch, &m->model, &err), path, &err);
    count_weights(m);
    make_tokens(m);
    open_session(m, capacity, c);
}

static void close_model(bench_model *m) {
    rw_session_free(m->session);
    rw_model_free(m->model);
    rw_checkpoint_close(m->checkpoint);
    rw_arena_free(&m->arena);
    free(m->tokens);
    free(m->nll);
}

/* ---- its work -------------------------------------------------------------------------------- */

static void forward(bench_model *m, const int32_t *tokens, size_t n, const rw_outputs *outputs) {
    rw_error err = {0};
    bench_must(rw_session_forward(m->session, tokens, n, outputs, NULL, &err), "forward", &err);
}

/* The likeliest next token behind the last. */
static int32_t next_token(bench_model *m, const int32_t *tokens, size_t n) {
    int32_t next = 0;
    rw_outputs outputs = {.first = n - 1, .count = 1, .argmax = &next};
    forward(m, tokens, n, &outputs);
    return next;
}

static void whole(void *user) {
    bench_model *m = user;
    rw_error err = {0};
    rw_outputs outputs = {.count = m->n, .target = m->tokens + 1, .nll = m->nll};
    bench_must(rw_session_reset(m->session, NULL, &err), "reset", &err);
    if (m->work == PERPLEXITY)
        forward(m, m->tokens, m->n, &outputs);
    else
        next_token(m, m->tokens, m->n);
}

static void one_token(void *user) {
    bench_model *m = user;
    m->tokens[0] = next_token(m, m->tokens, 1);
}

static double attention_flop(const rw_arch *arch, double keys) {
    double flop = 0.0;
    for (uint32_t i = 0; i < arch->n_layers; i++)
        flop += 2.0 * keys * arch->layers[i].n_heads *
                (double)(arch->layers[i].qk_dim + arch->layers[i].v_dim);
    return flop;
}

static double cache_bytes(const rw_arch *arch, double keys, const char *cache) {
    double element = strcmp(cache, "f32") == 0    ? 4.0
                     : strcmp(cache, "q8_0") == 0 ? 34.0 / 32.0
                                                  : 2.0;
    double bytes = 0.0;
    for (uint32_t i = 0; i < arch->n_layers; i++)
        bytes += keys * element * arch->layers[i].n_kv_heads *
                 (double)(arch->layers[i].qk_dim + arch->layers[i].v_dim);
    return bytes;
}

static void count_work(const bench_model *m, const model_case *c, bench_row *row) {
    const rw_arch *arch = &m->source.arch;
    double n = (double)m->n;
    row->unit = "tokens/s";
    if (c->work == GENERATION) { /* in the middle of the tokens made, about */
        row->amount = 1.0;
        row->flop = 2.0 * (m->weights + m->table) + attention_flop(arch, n);
        row->bytes = m->weight_bytes + m->table_bytes + cache_bytes(arch, n, c->cache);
        return;
    }
    row->amount = n;
    row->flop = 2.0 * m->weights * n + attention_flop(arch, n / 2.0) * n;
    if (c->work == PERPLEXITY)
        row->flop += 2.0 * m->table * n;
}

/* ---- is it right? ---------------------------------------------------------------------------- */

enum { CHECKED = 24 };

static void nll_of(rw_context *ctx, const char *path, const model_case *c, double *nll) {
    bench_model m;
    model_case checked = *c;
    checked.work = PERPLEXITY;
    open_model(&m, ctx, path, CHECKED, CHECKED, &checked);
    whole(&m);
    memcpy(nll, m.nll, CHECKED * sizeof *nll);
    close_model(&m);
}

/* Losses of a few tokens beside the portable kernels', which widen everything to float32. */
static const char *check_model(bench_run *run, const char *path, const model_case *c) {
    double nll[CHECKED], want[CHECKED], worst = 0.0;
    model_case portable = *c;
    portable.arithmetic = RW_ARITHMETIC_F32;
    portable.cache = "f32";
    nll_of(run->ctx, path, c, nll);
    nll_of(run->reference, path, &portable, want);
    for (size_t i = 0; i < CHECKED; i++)
        worst = fmax(worst, isfinite(nll[i]) ? fabs(nll[i] - want[i]) : INFINITY);
    bool rounded = c->arithmetic == RW_ARITHMETIC_INT8 || strcmp(c->cache, "q8_0") == 0;
    return worst <= (rounded ? 0.05 : 2e-3) ? NULL : "losses differ from the portable kernels'";
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void time_model(bench_model *m, const model_case *c, const bench_options *options,
                       bench_samples *samples) {
    bool full = options->extent == BENCH_FULL;
    if (c->work == GENERATION && m->n)
        whole(m);
    if (c->work == GENERATION) {
        bench_sample(one_token, m, 2, 0.0, samples); /* warm */
        bench_sample(one_token, m, full ? 48 : 24, 0.0, samples);
    } else if (options->samples || m->n > 512) {
        bench_sample(whole, m, options->samples ? options->samples : full ? 2 : 1, 0.0, samples);
    } else {
        bench_sample(whole, m, full ? 10 : 3, full ? 8.0 : 1.0, samples);
    }
}

static void model_row(bench_run *run, const model_case *c, const char *path) {
    bench_row row = {.kernel = work_names[c->work]};
    bench_model m;
    snprintf(row.shape, sizeof row.shape, "%zu, %u layers, %s, %s KV%s", c->n, c->layers,
             c->weights, c->cache, c->arithmetic == INT8 ? ", int8" : "");
    if (!bench_wanted(run, row.kernel, row.shape))
        return;
    if (!run->options.bare)
        row.failure = check_model(run, path, c);
    open_model(&m, run->ctx, path, c->n, c->n + (c->work == GENERATION ? 64 : 0), c);
    time_model(&m, c, &run->options, &row.samples);
    count_work(&m, c, &row);
    bench_print_row(run, &row);
    close_model(&m);
}

/* One of each kind on the model that --models names. */
static void smoke_rows(bench_run *run) {
    for (int kind = PROMPT; kind <= PERPLEXITY; kind++) {
        model_case c = {(work)kind, 40, "bf16", 6, "f32", F32, BENCH_SMOKE};
        model_row(run, &c, run->options.models);
    }
}

void bench_model_rows(bench_run *run) {
    char path[4096];
    if (run->options.extent == BENCH_SMOKE && run->options.models)
        smoke_rows(run);
    for (size_t i = 0; run->options.models && i < sizeof cases / sizeof *cases; i++) {
        if (run->options.extent == BENCH_SMOKE || cases[i].extent > run->options.extent)
            continue;
        snprintf(path, sizeof path, "%s/smol-%u-%s.gguf", run->options.models, cases[i].layers,
                 cases[i].weights);
        model_row(run, &cases[i], path);
    }
}
