/*
 * journal_facts.c - what makes a measurement this one and no other, as far as this room knows.
 */
#include "measure/journal.h"

static rw_status digest_tokens(const rw_corpus *corpus, rw_sha256 *out, rw_error *err) {
    rw_hasher *hasher = NULL;
    RW_TRY(rw_hasher_create(corpus->ctx, &hasher, err));
    for (size_t i = 0; i < corpus->count; i++) {
        const rw_document *document = &corpus->documents[i];
        uint64_t count = document->count;
        rw_hasher_update(hasher, &count, sizeof count);
        rw_hasher_update(hasher, document->tokens, document->count * sizeof *document->tokens);
    }
    return rw_hasher_finish(hasher, out, err);
}

/* A list as text; `text` is emptied. */
static void add_list(rw_facts *facts, const char *name, rw_buf *text) {
    rw_facts_add(facts, name,
                 text->failed
                     ? NULL
                     : rw_arena_text(facts->arena, text->data ? text->data : "", text->size));
    text->size = 0;
}

static void add_lists(rw_facts *facts, const rw_scope *scope) {
    rw_buf text = {.ctx = facts->arena->ctx};
    for (size_t i = 0; i < scope->length_count; i++)
        rw_buf_format(&text, "%s%zu", i ? "," : "", scope->lengths[i]);
    add_list(facts, "lengths", &text);
    for (size_t i = 0; i < scope->depth_count; i++)
        rw_buf_format(&text, "%s%.17g", i ? "," : "", scope->depths[i]);
    add_list(facts, "depths", &text);
    rw_buf_text(&text, scope->perplexity ? "perplexity" : "");
    for (size_t i = 0; i < scope->pick_count; i++)
        rw_buf_format(&text, "%s%s:%s", text.size ? "," : "", scope->picks[i].task->name,
                      scope->picks[i].wording->name);
    add_list(facts, "tasks", &text);
    rw_buf_free(&text);
}

static void add_scope(rw_facts *facts, const rw_scope *scope) {
    add_lists(facts, scope);
    rw_facts_add(facts, "protocol", scope->protocol->name);
    rw_facts_add_u64(facts, "native", scope->native);
    rw_facts_add_u64(facts, "context", scope->context);
    rw_facts_add_u64(facts, "documents", scope->documents);
    rw_facts_add_u64(facts, "trials", scope->trials);
    rw_facts_add_u64(facts, "stride", scope->stride);
    rw_facts_add_u64(facts, "chunks", scope->chunks);
    rw_facts_add_u64(facts, "seed", scope->seed);
}

rw_status rw_facts_add_measurement(rw_facts *facts, const rw_subject *subject,
                                   const rw_corpus *corpus, const rw_measure_options *options,
                                   rw_error *err) {
    rw_scope scope;
    rw_sha256 tokens;
    RW_TRY(rw_scope_make(subject, corpus, options, &scope, err));
    RW_TRY(digest_tokens(corpus, &tokens, err));
    rw_facts_add_digest(facts, "data", &corpus->digest);
    rw_facts_add_digest(facts, "tokens", &tokens);
    if (subject->pack)
        rw_facts_add_digest(facts, "pack", &subject->pack->digest);
    else
        rw_facts_add(facts, "pack", "none");
    add_scope(facts, &scope);
    rw_facts_add(facts, "suite", options->suite ? options->suite : "none");
    rw_facts_add(facts, "budget", rw_arena_format(facts->arena, "%.17g", options->budget_seconds));
    return RW_OK;
}
