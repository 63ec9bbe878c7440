/*
 * measure.c - `ropewalk measure`: a checkpoint, perhaps under another scaling, measured.
 */
#include <string.h>

#include "job/memory.h"
#include "measure/journal.h"
#include "plan/plan.h"
#include "ropewalk/job.h"

/* What the job holds while it runs, freed in one place. */
typedef struct measuring {
    rw_context *ctx;
    const rw_measure_options *options;
    rw_arena arena;
    rw_checkpoint *checkpoint;
    rw_source source;
    rw_rope_set rope;
    rw_diagnostics diagnostics;
    rw_model *model;
    rw_tokenizer *tokenizer;
    rw_corpus corpus;
    rw_pack *pack;       /* NULL: none was given */
    rw_journal *journal; /* NULL: none was asked for */
    rw_engine engine;
    rw_memory_seen memory;
    rw_rope_set base;            /* of the checkpoint as it is, when there is a gate */
    rw_measurement *before;      /* under it; NULL: no gate                          */
    rw_measurement *measurement; /* NULL: `before` was interrupted                   */
    rw_gate *gate;
} measuring;

static uint64_t max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* The target window: as asked, or the longest length asked for, or what the factor makes of the
   native window, or what the checkpoint says of itself. */
static uint64_t target_context(const measuring *m) {
    const rw_measure_options *options = m->options;
    const rw_windows *windows = &m->source.windows;
    uint64_t longest = 0;
    if (options->context)
        return options->context;
    for (size_t i = 0; options->lengths && i < options->length_count; i++)
        longest = max_u64(longest, options->lengths[i]);
    if (longest)
        return longest;
    if (options->scaling.factor > 1)
        return (uint64_t)((double)windows->native * options->scaling.factor);
    return max_u64(windows->native, windows->advertised);
}

/* No method is the checkpoint as it is (plan.h). */
static bool is_scaled(const rw_scaling_options *scaling) {
    return scaling->method && strcmp(scaling->method, "none") != 0;
}

static rw_status check_no_gate(const rw_measure_options *options, rw_error *err) {
    if (options->thresholds || options->allow_undefined || options->usd_per_call > 0)
        return rw_fail(err, RW_ERR_USAGE, "measure.no_gate", "",
                       "thresholds and waivers are of a verdict, and one measurement alone has "
                       "none: ask for one with --gate, or use extend");
    return RW_OK;
}

/* A verdict is on a change: the scaling that is tried, against the checkpoint as it is. */
static rw_status check_gate(const rw_measure_options *options, rw_error *err) {
    const rw_gate_options gate = {.thresholds = options->thresholds,
                                  .allow_undefined = options->allow_undefined};
    if (!is_scaled(&options->scaling))
        return rw_fail(err, RW_ERR_USAGE, "measure.no_gate", "--gate",
                       "a verdict is on a scaling, against the checkpoint as it is: name one with "
                       "--method, or use extend");
    if (options->state && options->budget_seconds > 0)
        return rw_fail(err, RW_ERR_USAGE, "measure.state_budget", "--state",
                       "the time of two measurements is not carried over an interruption: leave "
                       "out --gate, --state, or the budget (of --budget or --suite)");
    return rw_gate_options_check(&gate, err);
}

static rw_status check_options(const rw_measure_options *options, rw_error *err) {
    if (!options->path)
        return rw_fail(err, RW_ERR_USAGE, "measure.path", "PATH",
                       "name the checkpoint to measure: a directory or a GGUF");
    if (!options->data)
        return rw_fail(err, RW_ERR_USAGE, "measure.data", "--data",
                       "give --data FILE: JSONL with one document a line, {\"text\":...}");
    return options->gate ? check_gate(options, err) : check_no_gate(options, err);
}

static rw_status load(measuring *m, uint64_t *context, rw_error *err) {
    const rw_measure_options *options = m->options;
    RW_TRY(rw_checkpoint_open(m->ctx, options->path, 0, &m->checkpoint, err));
    RW_TRY(rw_source_read(m->checkpoint, &m->arena, &m->source, err));
    RW_TRY(rw_cache_type_check(&m->source.arch, m->engine.cache, err));
    *context = target_context(m);
    RW_TRY(rw_plan_try(&m->source, &options->scaling, *context, &m->rope, &m->diagnostics, err));
    if (options->gate)
        RW_TRY(rw_dialect_read_best(&m->source, &m->base, NULL, err));
    RW_TRY(rw_model_tokenizer(m->ctx, m->checkpoint, &m->source.arch, &m->tokenizer, err));
    uint64_t documents = options->documents ? options->documents : RW_MEASURE_DOCUMENTS;
    RW_TRY(rw_corpus_read(m->ctx, options->data, m->tokenizer, documents, &m->corpus, err));
    if (options->pack)
        RW_TRY(rw_pack_read(m->ctx, options->pack, m->tokenizer, &m->pack, err));
    return rw_model_load(m->ctx, m->checkpoint, &m->source.arch, &m->model, err);
}

/* ---- going on after an interruption ---------------------------------------------------------- */

/* One hash over the checkpoint's files: weights, config, metadata. */
static rw_status hash_model(measuring *m, rw_sha256 *out, rw_error *err) {
    rw_hasher *hasher = NULL;
    rw_status status = rw_hasher_create(m->ctx, &hasher, err);
    if (status != RW_OK)
        return status;
    for (size_t i = 0; i < rw_checkpoint_file_count(m->checkpoint) && status == RW_OK; i++) {
        const rw_file *file = rw_checkpoint_file(m->checkpoint, i);
        rw_sha256 digest;
        status = rw_sha256_range(m->ctx, file, 0, file->size, &digest, err);
        if (status == RW_OK)
            rw_hasher_update(hasher, digest.bytes, sizeof digest.bytes);
    }
    if (status == RW_OK)
        return rw_hasher_finish(hasher, out, err);
    rw_hasher_free(hasher);
    return status;
}

static void write_rope(rw_json_writer *w, const rw_rope_set *rope, uint64_t length) {
    rw_json_key(w, "rope");
    rw_json_begin_array(w);
    for (uint32_t i = 0; i < rope->count; i++)
        rw_rope_group_write(w, &rope->group[i], length);
    rw_json_end_array(w);
}

static rw_status hash_rotation(measuring *m, uint64_t context, rw_sha256 *out, rw_error *err) {
    rw_buf text = {.ctx = m->ctx};
    rw_json_writer w = {.out = &text};
    rw_json_begin_object(&w);
    write_rope(&w, &m->rope, context);
    rw_json_end_object(&w);
    rw_status status = rw_buf_status(&text, err);
    if (status == RW_OK)
        status = rw_sha256_bytes(m->ctx, (rw_str){text.data, text.size}, out, err);
    rw_buf_free(&text);
    return status;
}

/* Whatever changes a number must be a fact: a new option of the engine belongs here. Threads don't,
   results are the same bits for any number of them. */
static rw_status list_facts(measuring *m, const rw_subject *subject, rw_facts *facts,
                            rw_error *err) {
    static const char *const levels[] = {"best", "generic", "avx2", "avx512"};
    rw_sha256 model, rotation;
    const char *commit = rw_commit();
    RW_TRY(hash_model(m, &model, err));
    RW_TRY(hash_rotation(m, subject->context, &rotation, err));
    rw_facts_add(facts, "program",
                 rw_arena_format(facts->arena, "%s %s", rw_version(), commit ? commit : "?"));
    rw_facts_add(facts, "cpu_level", levels[rw_context_cpu_level(m->ctx)]);
    rw_facts_add(facts, "kv_type", rw_cache_type_name(m->engine.cache));
    rw_facts_add(facts, "arithmetic", rw_arithmetic_name(m->engine.arithmetic));
    rw_facts_add_digest(facts, "model", &model);
    rw_facts_add_digest(facts, "rotation", &rotation);
    rw_facts_add(facts, "gate", m->options->gate ? "yes" : "no");
    return rw_facts_add_measurement(facts, subject, &m->corpus, m->options, err);
}

static rw_status open_journal(measuring *m, const rw_subject *subject, rw_error *err) {
    rw_facts *facts = rw_arena_alloc(&m->arena, sizeof *facts);
    if (!facts)
        return rw_fail_memory(err, "measurement", sizeof *facts);
    facts->arena = &m->arena;
    RW_TRY(list_facts(m, subject, facts, err));
    RW_TRY(rw_journal_open(m->ctx, m->options->state, facts, &m->journal, err));
    if (m->options->keep_from)
        rw_journal_kept(m->journal)->least = m->options->keep_from;
    return RW_OK;
}

/* ---- the job --------------------------------------------------------------------------------- */

/* Of the files that hold weights. */
static uint64_t model_bytes(const measuring *m) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < rw_checkpoint_file_count(m->checkpoint); i++) {
        const rw_file *file = rw_checkpoint_file(m->checkpoint, i);
        size_t size = strlen(file->path);
        bool text = size > 5 && strcmp(file->path + size - 5, ".json") == 0;
        bytes += text ? 0 : file->size;
    }
    return bytes;
}

static rw_status judge(measuring *m, rw_error *err) {
    const rw_gate_options options = {.thresholds = m->options->thresholds,
                                     .allow_undefined = m->options->allow_undefined,
                                     .suite = m->options->suite,
                                     .model_bytes = model_bytes(m),
                                     .usd_per_call = m->options->usd_per_call};
    return rw_gate_judge(m->ctx, m->before, m->measurement, &options, &m->gate, err);
}

/* Each half gets half of the time, and the second measures what the first one's cuts left. */
static rw_status run_both(measuring *m, rw_subject *subject, rw_error *err) {
    rw_measure_options half = *m->options;
    half.budget_seconds /= 2;
    subject->rope = &m->base;
    subject->no_baseline = false;
    rw_log(m->ctx, RW_INFO, "measuring before: the checkpoint as it is");
    RW_TRY(rw_measurement_run(m->ctx, subject, &m->corpus, &half, &m->before, err));
    if (rw_measurement_interrupted(m->before))
        return RW_OK;
    subject->rope = &m->rope;
    subject->no_baseline = true;
    subject->like = m->before;
    rw_log(m->ctx, RW_INFO, "measuring after: under the scaling that is tried");
    RW_TRY(rw_measurement_run(m->ctx, subject, &m->corpus, &half, &m->measurement, err));
    return rw_measurement_interrupted(m->measurement) ? RW_OK : judge(m, err);
}

static rw_status run(measuring *m, uint64_t context, rw_error *err) {
    rw_subject subject = {.model = m->model,
                          .tokenizer = m->tokenizer,
                          .rope = &m->rope,
                          .native = m->source.windows.native,
                          .context = context,
                          .no_baseline = is_scaled(&m->options->scaling),
                          .pack = m->pack,
                          .engine = m->engine,
                          .memory = &m->memory};
    if (m->options->state)
        RW_TRY(open_journal(m, &subject, err));
    subject.journal = m->journal;
    if (m->options->gate)
        return run_both(m, &subject, err);
    return rw_measurement_run(m->ctx, &subject, &m->corpus, m->options, &m->measurement, err);
}

static void pass_on(rw_diagnostics *to, const rw_diagnostics *from) {
    for (size_t i = 0; i < from->count; i++) {
        const rw_diagnostic *item = &from->items[i];
        rw_diagnose(to, item->code, item->severity, item->changes_numbers, item->path, "%s",
                    item->message);
    }
}

static void write_engine(rw_json_writer *w, const measuring *m) {
    rw_json_key(w, "engine");
    rw_json_begin_object(w);
    rw_engine_write(w, &m->engine);
    if (!m->options->no_timing && m->memory.capacity)
        rw_memory_taken_write(w, &m->source, m->memory.capacity, m->engine.cache, m->memory.most);
    rw_json_end_object(w);
}

static void write_before(rw_json_writer *w, const measuring *m) {
    if (!m->options->gate)
        return;
    rw_json_key(w, "before");
    if (!m->measurement) {
        rw_json_null(w);
        return;
    }
    rw_json_begin_object(w);
    rw_measurement_write(w, m->before);
    rw_json_end_object(w);
}

/* Where it was interrupted before the scaling's turn came, the result is the checkpoint's own. */
static rw_status write_result(measuring *m, uint64_t context, char **json, rw_error *err) {
    rw_buf text = {.ctx = m->ctx};
    rw_json_writer w = {.out = &text, .indent = 2};
    rw_measurement *shown = m->measurement ? m->measurement : m->before;
    pass_on(rw_measurement_diagnostics(shown), &m->source.diagnostics);
    pass_on(rw_measurement_diagnostics(shown), &m->diagnostics);
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", "ropewalk.measure/1");
    write_rope(&w, m->measurement ? &m->rope : &m->base, context);
    write_engine(&w, m);
    write_before(&w, m);
    rw_measurement_write_judged(&w, shown, m->gate);
    rw_json_end_object(&w);
    rw_buf_char(&text, '\n');
    rw_status status = rw_buf_status(&text, err);
    if (status != RW_OK)
        rw_buf_free(&text);
    else
        *json = text.data;
    return status;
}

static void release(measuring *m) {
    rw_gate_free(m->gate);
    rw_measurement_free(m->measurement);
    rw_measurement_free(m->before);
    rw_journal_close(m->journal);
    rw_pack_free(m->pack);
    rw_corpus_free(&m->corpus);
    rw_model_free(m->model);
    rw_tokenizer_free(m->tokenizer);
    rw_checkpoint_close(m->checkpoint);
    rw_arena_free(&m->arena);
}

static rw_status fail_interrupted(const rw_measure_options *options, rw_error *err) {
    if (options->state)
        return rw_fail(err, RW_ERR_CANCELLED, "measure.interrupted", options->state,
                       "stopped before everything was measured; the same command goes on from "
                       "here");
    return rw_fail(err, RW_ERR_CANCELLED, "measure.interrupted", NULL,
                   "stopped before everything was measured; with --state FILE it could go on "
                   "another time");
}

/* What the result says of how it ended. */
static rw_status conclude(const measuring *m, rw_error *err) {
    if (!m->measurement || rw_measurement_interrupted(m->measurement))
        return fail_interrupted(m->options, err);
    if (m->journal)
        rw_kept_remove(rw_journal_kept(m->journal)); /* of a run that was killed at its end */
    return m->gate && !rw_gate_passed(m->gate) ? RW_NO : RW_OK;
}

rw_status rw_measure(rw_context *ctx, const rw_measure_options *options, char **json,
                     rw_error *err) {
    uint64_t context = 0;
    *json = NULL;
    rw_measure_options whole = *options;
    RW_TRY(rw_suite_apply(options->suite, &whole, err));
    RW_TRY(check_options(&whole, err));
    measuring m = {.ctx = ctx, .options = &whole, .arena = {.ctx = ctx}};
    m.diagnostics.arena = &m.arena;
    RW_TRY(rw_engine_read(options->kv_type, options->arithmetic, &m.engine, err));
    rw_status status = load(&m, &context, err);
    if (status == RW_OK)
        status = run(&m, context, err);
    if (status == RW_OK)
        status = write_result(&m, context, json, err);
    if (status == RW_OK)
        status = conclude(&m, err);
    release(&m);
    return status;
}
