/*
 * retrieval.c - putting samples together.
 *
 * Each piece of text is tokenized on its own and the ids are joined, so that the count is exact and
 * a needle reads the same wherever it stands.
 */
#include "measure/retrieval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Enough for any vocabulary of values; data that holds all that was drawn is refused. */
enum { VALUE_TRIES = 100, DIGITS_MAX = 16, KEY_BYTES = 48 };

typedef struct tokens {
    int32_t *ids;
    size_t count;
} tokens;

typedef struct pair {
    char key[KEY_BYTES];
    char value[DIGITS_MAX + 1];
} pair;

/* A needle and where it goes: after `at` tokens of filler, among those there by `order`. */
typedef struct insert {
    tokens text;
    size_t at, order;
} insert;

typedef struct builder {
    rw_arena *arena;
    const rw_corpus *corpus;
    const rw_tokenizer *tokenizer;
    const rw_sample_request *request;
    rw_random random;
    pair *pairs;     /* [pair_count], the asked ones first */
    insert *inserts; /* [insert_count], one for each pair */
    size_t insert_count, insert_tokens;
    tokens tail; /* question and answers */
    size_t filler;
    int32_t *filler_ids;
    rw_sample *out; /* spans are relative to the tail until the end */
} builder;

static void *take(builder *b, size_t count, size_t size, rw_error *err) {
    size_t bytes;
    void *memory = rw_mul_size(count, size, &bytes) ? rw_arena_alloc(b->arena, bytes + 1) : NULL;
    if (!memory)
        rw_fail_memory(err, "retrieval sample", count * size);
    return memory;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* `template` with its places filled, into `text`. */
static void expand(rw_buf *text, const char *template, const pair *with) {
    static const char key[] = "{key}", value[] = "{value}";
    for (const char *at = template; *at;) {
        if (strncmp(at, key, sizeof key - 1) == 0) {
            rw_buf_text(text, with->key);
            at += sizeof key - 1;
        } else if (strncmp(at, value, sizeof value - 1) == 0) {
            rw_buf_text(text, with->value);
            at += sizeof value - 1;
        } else {
            rw_buf_char(text, *at++);
        }
    }
}

static rw_status copy_to_arena(builder *b, const int32_t *ids, size_t count, tokens *out,
                               rw_error *err) {
    int32_t *copy = take(b, count, sizeof *copy, err);
    if (!copy)
        return RW_ERR_MEMORY;
    if (count)
        memcpy(copy, ids, count * sizeof *copy);
    *out = (tokens){copy, count};
    return RW_OK;
}

static rw_status encode(builder *b, const char *template, const pair *with, tokens *out,
                        rw_error *err) {
    rw_context *ctx = b->arena->ctx;
    rw_buf text = {.ctx = ctx};
    expand(&text, template, with);
    int32_t *ids = NULL;
    size_t count = 0;
    rw_status status = rw_buf_status(&text, err);
    if (status == RW_OK)
        status =
            rw_tokenizer_encode(b->tokenizer, (rw_str){text.data, text.size}, 0, &ids, &count, err);
    rw_buf_free(&text);
    if (status == RW_OK)
        status = copy_to_arena(b, ids, count, out, err);
    rw_free(ctx, ids);
    return status;
}

/* ---- keys and values ------------------------------------------------------------------------- */

static bool value_used(const pair *pairs, size_t count, const char *value) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].value, value) == 0)
            return true;
    return false;
}

/* The value of pair `index`, unlike every asked one: a model must not be right by mixing up. */
static void draw_value(builder *b, size_t index) {
    const rw_task *task = b->request->task;
    size_t unlike = index < task->asked ? index : task->asked;
    char *value = b->pairs[index].value;
    for (unsigned tries = 0; tries < VALUE_TRIES; tries++) {
        for (unsigned i = 0; i < task->digits; i++)
            value[i] = (char)('0' + rw_random_below(&b->random, 10));
        value[task->digits] = '\0';
        if (!value_used(b->pairs, unlike, value))
            break;
    }
}

/* Keys differ within a sample: a word, with a number behind it once the words are used up. */
static void name_pair(const builder *b, size_t index, uint64_t start) {
    size_t word = (size_t)((start + index) % rw_needle_key_count);
    size_t round = index / rw_needle_key_count;
    char *key = b->pairs[index].key;
    if (round)
        snprintf(key, KEY_BYTES, "%s%zu", rw_needle_keys[word], round + 1);
    else
        snprintf(key, KEY_BYTES, "%s", rw_needle_keys[word]);
}

/* ---- filler ---------------------------------------------------------------------------------- */

/* A document's own tokens, without the BOS in front. */
static tokens body(const builder *b, size_t index) {
    const rw_document *document = &b->corpus->documents[index];
    bool bos = rw_tokenizer_adds_bos(b->tokenizer) && document->count &&
               document->tokens[0] == rw_tokenizer_bos(b->tokenizer);
    return (tokens){document->tokens + bos, document->count - bos};
}

/* `filler` tokens from a random place of a random document on, through the following documents. */
static rw_status draw_filler(builder *b, rw_error *err) {
    size_t usable = 0;
    for (size_t i = 0; i < b->corpus->count; i++)
        usable += body(b, i).count;
    if (!usable)
        return rw_fail(err, RW_ERR_INPUT, "measure.filler", b->corpus->name,
                       "the data has no tokens to make filler from");
    b->filler_ids = take(b, b->filler, sizeof *b->filler_ids, err);
    if (!b->filler_ids)
        return RW_ERR_MEMORY;
    size_t index = (size_t)rw_random_below(&b->random, b->corpus->count);
    size_t at = (size_t)rw_random_below(&b->random, body(b, index).count);
    for (size_t done = 0; done < b->filler;) {
        tokens from = body(b, index);
        size_t left = from.count - at;
        size_t count = left < b->filler - done ? left : b->filler - done;
        if (count)
            memcpy(b->filler_ids + done, from.ids + at, count * sizeof *from.ids);
        done += count;
        index = (index + 1) % b->corpus->count;
        at = 0;
    }
    return RW_OK;
}

/* Is an asked value anywhere in the filler's text? */
static rw_status filler_tells(const builder *b, bool *tells, rw_error *err) {
    rw_buf text = {.ctx = b->arena->ctx};
    *tells = false;
    rw_status status = rw_tokenizer_decode(b->tokenizer, b->filler_ids, b->filler, 0, &text, err);
    if (status == RW_OK)
        status = rw_buf_status(&text, err);
    unsigned asked = b->request->task->asked;
    for (unsigned i = 0; status == RW_OK && i < asked && text.size; i++) {
        const char *value = b->pairs[i].value;
        *tells = *tells || memmem(text.data, text.size, value, strlen(value)) != NULL;
    }
    rw_buf_free(&text);
    return status;
}

/* ---- question and needles -------------------------------------------------------------------- */

static rw_status append(builder *b, tokens *to, tokens more, rw_error *err) {
    int32_t *ids = take(b, to->count + more.count, sizeof *ids, err);
    if (!ids)
        return RW_ERR_MEMORY;
    if (to->count)
        memcpy(ids, to->ids, to->count * sizeof *ids);
    if (more.count)
        memcpy(ids + to->count, more.ids, more.count * sizeof *ids);
    *to = (tokens){ids, to->count + more.count};
    return RW_OK;
}

static void add_span(rw_sample *out, size_t first, size_t count) {
    out->spans[out->span_count++] = (rw_span){first, count};
}

/* repeat: room for the passage said again, its second half to be recalled; filled in later. */
static rw_status make_copy_tail(builder *b, rw_error *err) {
    static const pair none;
    size_t copied = b->request->task->copied;
    tokens stem, passage = {take(b, copied, sizeof *passage.ids, err), copied};
    if (!passage.ids)
        return RW_ERR_MEMORY;
    RW_TRY(encode(b, b->request->wording->question, &none, &stem, err));
    RW_TRY(append(b, &b->tail, stem, err));
    add_span(b->out, stem.count + copied / 2, copied - copied / 2);
    return append(b, &b->tail, passage, err);
}

static rw_status make_tail(builder *b, rw_error *err) {
    const rw_wording *wording = b->request->wording;
    b->tail = (tokens){NULL, 0};
    b->out->span_count = 0;
    if (b->request->task->copied)
        return make_copy_tail(b, err);
    for (unsigned i = 0; i < b->request->task->asked; i++) {
        tokens stem, answer;
        const char *lead = i ? wording->next : wording->question;
        RW_TRY(encode(b, lead, &b->pairs[i], &stem, err));
        RW_TRY(encode(b, "{value}", &b->pairs[i], &answer, err));
        RW_TRY(append(b, &b->tail, stem, err));
        add_span(b->out, b->tail.count, answer.count);
        RW_TRY(append(b, &b->tail, answer, err));
    }
    return RW_OK;
}

static size_t bos_tokens(const builder *b) {
    return rw_tokenizer_adds_bos(b->tokenizer) && rw_tokenizer_bos(b->tokenizer) >= 0;
}

/* What is left of the length; false: not even the fixed parts fit. */
static bool room_left(const builder *b, size_t *out) {
    size_t fixed = bos_tokens(b) + b->insert_tokens + b->tail.count;
    *out = b->request->length >= fixed ? b->request->length - fixed : 0;
    return b->request->length >= fixed + b->request->task->copied;
}

/* Adds needles until there are `wanted`, or (pairs_only) until the next one does not fit. */
static rw_status add_inserts(builder *b, size_t wanted, uint64_t key_start, rw_error *err) {
    while (b->insert_count < wanted) {
        size_t index = b->insert_count, room = 0;
        tokens text;
        name_pair(b, index, key_start);
        draw_value(b, index);
        RW_TRY(encode(b, b->request->wording->needle, &b->pairs[index], &text, err));
        bool fits = room_left(b, &room) && text.count <= room;
        if (index >= b->request->task->asked && b->request->task->pairs_only && !fits)
            break;
        b->inserts[index] = (insert){.text = text, .order = index};
        b->insert_tokens += text.count;
        b->insert_count++;
    }
    return RW_OK;
}

/* Needles, then question and answers, then as many more needles as shall fill the length. */
static rw_status make_text(builder *b, rw_error *err) {
    const rw_task *task = b->request->task;
    size_t wanted = task->asked + task->distractors;
    size_t most = task->pairs_only ? b->request->length : wanted;
    uint64_t key_start = rw_random_below(&b->random, rw_needle_key_count);
    b->insert_count = b->insert_tokens = 0;
    b->pairs = take(b, most + wanted, sizeof *b->pairs, err);
    b->inserts = take(b, most + wanted, sizeof *b->inserts, err);
    if (!b->pairs || !b->inserts)
        return RW_ERR_MEMORY;
    RW_TRY(add_inserts(b, wanted, key_start, err));
    RW_TRY(make_tail(b, err));
    if (task->pairs_only)
        RW_TRY(add_inserts(b, most, key_start, err));
    if (!room_left(b, &b->filler))
        return rw_fail(err, RW_ERR_INPUT, "measure.too_short", task->name,
                       "%zu tokens have no room for the task %s: needle, question and answer "
                       "take %zu",
                       b->request->length, task->name,
                       bos_tokens(b) + b->insert_tokens + b->tail.count + task->copied);
    return RW_OK;
}

/* ---- putting it together --------------------------------------------------------------------- */

static size_t at_depth(const builder *b, size_t length) {
    return (size_t)floor(b->request->depth * (double)length);
}

/* The asked needle at its depth, the others anywhere. In a haystack of needles depth is the place
   in the row. */
static void place_inserts(builder *b) {
    const rw_task *task = b->request->task;
    if (task->pairs_only) {
        size_t place = at_depth(b, b->insert_count - 1);
        for (size_t i = 0; i < b->insert_count; i++)
            b->inserts[i] = (insert){b->inserts[i].text, b->filler, i};
        b->inserts[0].order = place;
        for (size_t i = 1; i <= place; i++)
            b->inserts[i].order = i - 1;
        return;
    }
    for (size_t i = 0; i < b->insert_count; i++)
        b->inserts[i].at =
            i ? (size_t)rw_random_below(&b->random, b->filler + 1) : at_depth(b, b->filler);
}

static int compare_inserts(const void *a, const void *b) {
    const insert *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void put(rw_sample *out, const int32_t *ids, size_t count) {
    if (count)
        memcpy(out->tokens + out->count, ids, count * sizeof *ids);
    out->count += count;
}

static void assemble(builder *b) {
    rw_sample *out = b->out;
    size_t done = 0;
    if (bos_tokens(b))
        out->tokens[out->count++] = (int32_t)rw_tokenizer_bos(b->tokenizer);
    qsort(b->inserts, b->insert_count, sizeof *b->inserts, compare_inserts);
    for (size_t i = 0; i < b->insert_count; i++) {
        put(out, b->filler_ids + done, b->inserts[i].at - done);
        done = b->inserts[i].at;
        put(out, b->inserts[i].text.ids, b->inserts[i].text.count);
    }
    put(out, b->filler_ids + done, b->filler - done);
    for (size_t i = 0; i < out->span_count; i++)
        out->spans[i].first += out->count;
    put(out, b->tail.ids, b->tail.count);
    out->filler = b->filler;
}

static void fill_copy_tail(builder *b) {
    size_t copied = b->request->task->copied;
    if (copied)
        memcpy(b->tail.ids + b->tail.count - copied,
               b->filler_ids + at_depth(b, b->filler - copied), copied * sizeof *b->tail.ids);
}

/* Text and filler that do not give the answer away: both are drawn anew when they do. */
static rw_status draw_sample(builder *b, rw_error *err) {
    for (unsigned tries = 0; tries < VALUE_TRIES; tries++) {
        bool tells;
        RW_TRY(make_text(b, err));
        RW_TRY(draw_filler(b, err));
        RW_TRY(filler_tells(b, &tells, err));
        if (!tells)
            return RW_OK;
    }
    return rw_fail(err, RW_ERR_INPUT, "measure.filler", b->corpus->name,
                   "each of %d values that were drawn is somewhere in the data", VALUE_TRIES);
}

/* Streams differ in every part of the request, so no two samples share their draws. */
static uint64_t stream_of(const rw_sample_request *request) {
    uint64_t task = (uint64_t)(request->task - rw_task_table);
    uint64_t depth = (uint64_t)floor(request->depth * 1e6);
    uint64_t stream = task;
    stream = stream * 0x9e3779b97f4a7c15u + request->length;
    stream = stream * 0x9e3779b97f4a7c15u + depth;
    return stream * 0x9e3779b97f4a7c15u + request->trial;
}

rw_status rw_sample_make(rw_arena *arena, const rw_corpus *corpus, const rw_tokenizer *tokenizer,
                         const rw_sample_request *request, rw_sample *out, rw_error *err) {
    *out = (rw_sample){0};
    builder b = {
        .arena = arena, .corpus = corpus, .tokenizer = tokenizer, .request = request, .out = out};
    rw_random_seed(&b.random, request->seed, stream_of(request));
    RW_TRY(draw_sample(&b, err));
    place_inserts(&b);
    fill_copy_tail(&b);
    out->tokens = take(&b, request->length, sizeof *out->tokens, err);
    if (!out->tokens)
        return RW_ERR_MEMORY;
    assemble(&b);
    return RW_OK;
}
