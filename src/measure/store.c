/*
 * store.c - filling and finding records.
 */
#include "measure/store.h"

#include <string.h>

static bool record_serves(const rw_store *store, const rw_record *record, uint32_t document,
                          const rw_window *window, size_t length, bool bos) {
    const rw_window *have = &record->window;
    return record->document == document && have->start == window->start && record->bos == bos &&
           (!store->depends_on_length || record->regime == length) &&
           have->first <= window->first &&
           have->first + have->count >= window->first + window->count;
}

const double *rw_store_find(const rw_store *store, uint32_t document, const rw_window *window,
                            size_t length, bool bos) {
    for (size_t i = 0; i < store->count; i++) {
        const rw_record *record = &store->records[i];
        if (record_serves(store, record, document, window, length, bos))
            return record->nll + (window->first - record->window.first);
    }
    return NULL;
}

static rw_record *add_record(rw_store *store) {
    if (store->count == store->capacity) {
        size_t capacity = store->capacity ? store->capacity * 2 : 64;
        rw_record *grown = rw_arena_alloc(store->arena, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        if (store->count)
            memcpy(grown, store->records, store->count * sizeof *grown);
        store->records = grown;
        store->capacity = capacity;
    }
    return &store->records[store->count];
}

/* The tokens of the window: the document's own, or a copy that begins with BOS. */
static rw_status read_window(const rw_store *store, rw_scorer *scorer, const rw_record *record,
                             size_t *done, rw_error *err) {
    rw_context *ctx = store->arena->ctx;
    const rw_window *window = &record->window;
    const int32_t *tokens = store->corpus->documents[record->document].tokens + window->start;
    const rw_outputs outputs = {.first = window->first,
                                .count = window->count,
                                .target = tokens + window->first + 1,
                                .nll = record->nll};
    if (!record->bos || scorer->window_bos < 0)
        return rw_scorer_read_part(scorer, tokens, window->read, record->regime, &outputs, done,
                                   err);
    int32_t *copy = rw_calloc(ctx, window->read, sizeof *copy);
    if (!copy)
        return rw_fail_memory(err, "window", window->read * sizeof *copy);
    memcpy(copy, tokens, window->read * sizeof *copy);
    copy[0] = scorer->window_bos;
    rw_status status =
        rw_scorer_read_part(scorer, copy, window->read, record->regime, &outputs, done, err);
    rw_free(ctx, copy);
    return status;
}

rw_status rw_store_fill(rw_store *store, rw_scorer *scorer, uint32_t document,
                        const rw_window *window, size_t length, bool bos, rw_error *err) {
    if (rw_store_find(store, document, window, length, bos))
        return RW_OK;
    rw_record made = {.document = document, .regime = length, .bos = bos, .window = *window};
    if (window->start == 0 && !bos)
        made.window = (rw_window){0, window->read, 0, window->read};
    made.nll = rw_arena_alloc(store->arena, made.window.count * sizeof *made.nll);
    rw_record *record = add_record(store);
    if (!made.nll || !record)
        return rw_fail_memory(err, "measurement", made.window.count * sizeof *made.nll);
    size_t done = 0;
    rw_status status = read_window(store, scorer, &made, &done, err);
    made.window.count = done;
    *record = made;
    store->count += done > 0;
    return status;
}
