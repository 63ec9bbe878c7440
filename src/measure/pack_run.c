/*
 * pack_run.c - a pack before a model.
 *
 * Short answers in given words are teacher-forced, choices compared by their log-likelihood a byte,
 * anything else is generated greedily. Every question is asked without its context too: what is
 * answered anyway shows nothing about reading.
 */
#include <math.h>
#include <string.h>

#include "measure/pack.h"
#include "measure/retrieval.h"

typedef struct asker {
    const rw_pack_setting *setting;
    rw_scorer *scorer;
    rw_arena *arena;  /* of the result */
    rw_arena scratch; /* of one item   */
} asker;

/* What one way of asking gave. */
typedef struct reply {
    double score;
    bool right;
    rw_share answer;
    const char *said;
} reply;

const char *rw_pack_outcome_name(rw_pack_outcome outcome) {
    static const char *const names[RW_PACK_OUTCOMES] = {"unread", "too_long", "no_room",
                                                        "wrong",  "right",    "closed_book"};
    return names[outcome];
}

/* ---- teacher-forced -------------------------------------------------------------------------- */

/* Reads `prompt` and `ending`; the share of the ending's NLL, and whether each of its tokens is
   the arg max: then greedy decoding would have written it. */
static rw_status force(asker *r, const rw_pack_tokens *prompt, const rw_pack_tokens *ending,
                       rw_share *share, bool *exact, rw_error *err) {
    size_t whole = prompt->count + ending->count;
    int32_t *tokens = rw_arena_alloc(&r->scratch, whole * sizeof *tokens);
    int32_t *argmax = rw_arena_alloc(&r->scratch, ending->count * sizeof *argmax);
    double *nll = rw_arena_alloc(&r->scratch, ending->count * sizeof *nll);
    if (!tokens || !argmax || !nll)
        return rw_fail_memory(err, "pack", whole * sizeof *tokens);
    memcpy(tokens, prompt->ids, prompt->count * sizeof *tokens);
    memcpy(tokens + prompt->count, ending->ids, ending->count * sizeof *tokens);
    const rw_outputs outputs = {.first = prompt->count - 1,
                                .count = ending->count,
                                .target = ending->ids,
                                .nll = nll,
                                .argmax = argmax};
    RW_TRY(rw_scorer_read(r->scorer, tokens, whole - 1, whole, &outputs, err));
    *exact = true;
    *share = (rw_share){.count = (double)ending->count};
    for (size_t i = 0; i < ending->count; i++) {
        share->sum += nll[i];
        *exact = *exact && argmax[i] == ending->ids[i];
    }
    return RW_OK;
}

/* Right when the right one is strictly the likeliest a byte: a tie is no answer, and NaN neither.
 */
static rw_status ask_choice(asker *r, const rw_pack_item *item, const rw_pack_tokens *prompt,
                            reply *out, rw_error *err) {
    double right = NAN, best_other = -INFINITY;
    bool exact = false, sound = true;
    for (size_t i = 0; i < item->ending_count; i++) {
        rw_share share = {0};
        RW_TRY(force(r, prompt, &item->endings[i], &share, &exact, err));
        double likelihood = -share.sum / (double)item->ending_bytes[i];
        sound = sound && !isnan(likelihood);
        if (i == item->right) {
            right = likelihood;
            out->answer = share;
        } else {
            best_other = fmax(best_other, likelihood);
        }
    }
    out->right = sound && right > best_other;
    out->score = out->right;
    return RW_OK;
}

/* Any of the answers, word for word. The likeliest one's NLL is kept. */
static rw_status ask_words(asker *r, const rw_pack_item *item, const rw_pack_tokens *prompt,
                           reply *out, rw_error *err) {
    for (size_t i = 0; i < item->ending_count; i++) {
        rw_share share = {0};
        bool exact = false;
        RW_TRY(force(r, prompt, &item->endings[i], &share, &exact, err));
        out->right = out->right || exact;
        if (i == 0 || share.sum < out->answer.sum)
            out->answer = share;
    }
    out->score = out->right;
    return RW_OK;
}

/* ---- generated ------------------------------------------------------------------------------- */

/* The first line that says something, when a line is wanted; `done` once it has ended. */
static rw_str first_line(rw_str text, bool *done) {
    size_t begin = 0;
    while (begin < text.size && strchr(" \t\r\n", text.data[begin]) && text.data[begin])
        begin++;
    const char *end = text.size ? memchr(text.data + begin, '\n', text.size - begin) : NULL;
    *done = end != NULL;
    return (rw_str){text.data + begin, end ? (size_t)(end - text.data) - begin : text.size - begin};
}

/* Greedy, token by token, up to the reserve, EOS, or (exact, f1) the end of the line. */
static rw_status write_answer(asker *r, const rw_pack_item *item, const rw_pack_tokens *prompt,
                              rw_buf *text, rw_error *err) {
    const rw_tokenizer *tokenizer = r->setting->tokenizer;
    bool line = item->match == RW_MATCH_EXACT || item->match == RW_MATCH_F1, done = false;
    int32_t token = -1;
    rw_outputs outputs = {.first = prompt->count - 1, .count = 1, .argmax = &token};
    RW_TRY(rw_scorer_read(r->scorer, prompt->ids, prompt->count, prompt->count + item->reserve,
                          &outputs, err));
    outputs.first = 0;
    for (size_t i = 0; i < item->reserve && !done; i++) {
        unsigned flags = RW_DETOKENIZE_SKIP_SPECIAL | (i ? RW_DETOKENIZE_CONTINUE : 0);
        int32_t said = token;
        if (said == rw_tokenizer_eos(tokenizer) ||
            (size_t)said >= rw_tokenizer_vocab_size(tokenizer))
            break;
        RW_TRY(rw_tokenizer_decode(tokenizer, &said, 1, flags, text, err));
        RW_TRY(rw_buf_status(text, err));
        if (line && text->size)
            first_line((rw_str){text->data, text->size}, &done);
        if (!done && i + 1 < item->reserve)
            RW_TRY(r->scorer->append(r->scorer, &said, 1, &outputs, err));
    }
    return RW_OK;
}

static rw_status ask_freely(asker *r, const rw_pack_item *item, const rw_pack_tokens *prompt,
                            reply *out, rw_error *err) {
    rw_buf text = {.ctx = r->scratch.ctx};
    rw_status status = write_answer(r, item, prompt, &text, err);
    rw_str said = text.size ? (rw_str){text.data, text.size} : (rw_str){"", 0};
    bool done;
    if (item->match == RW_MATCH_EXACT || item->match == RW_MATCH_F1)
        said = first_line(said, &done);
    if (status == RW_OK)
        status = rw_pack_score(&r->scratch, item->match, item->answers, item->answer_count, said,
                               &out->score, err);
    if (status == RW_OK && !(out->said = rw_arena_text(r->arena, said.data, said.size)))
        status = rw_fail_memory(err, "pack", said.size);
    out->right = out->score >= rw_pack_right_from(item->match);
    rw_buf_free(&text);
    return status;
}

static rw_status ask(asker *r, const rw_pack_item *item, const rw_pack_tokens *prompt, reply *out,
                     rw_error *err) {
    *out = (reply){.score = NAN};
    if (item->type == RW_PACK_CHOICE)
        return ask_choice(r, item, prompt, out, err);
    if (item->type == RW_PACK_LM)
        return ask_words(r, item, prompt, out, err);
    return ask_freely(r, item, prompt, out, err);
}

/* ---- passkeys -------------------------------------------------------------------------------- */

static const rw_task *passkey_task(void) {
    for (size_t i = 0; i < rw_task_count; i++)
        if (strcmp(rw_task_table[i].name, "passkey") == 0)
            return &rw_task_table[i];
    return NULL;
}

/* The same sample as the retrieval task's trial of the item's line. A drawn key can't be known, so
   there is no control. */
static rw_status ask_passkey(asker *r, const rw_pack_item *item, rw_pack_result *result,
                             rw_error *err) {
    const rw_task *task = passkey_task();
    const rw_sample_request request = {.task = task,
                                       .wording = &task->wordings[0],
                                       .seed = r->setting->seed,
                                       .length = item->length,
                                       .depth = item->depth,
                                       .trial = item->line};
    rw_sample sample;
    rw_error cause = {0};
    rw_status status = rw_sample_make(&r->scratch, r->setting->corpus, r->setting->tokenizer,
                                      &request, &sample, &cause);
    if (status == RW_ERR_INPUT && strcmp(cause.code, "measure.too_short") == 0) {
        result->outcome = RW_PACK_NO_ROOM;
        return RW_OK;
    }
    if (status != RW_OK) {
        if (err)
            *err = cause;
        return status;
    }
    const rw_span *span = &sample.spans[0];
    const rw_pack_tokens prompt = {sample.tokens, span->first};
    const rw_pack_tokens ending = {sample.tokens + span->first, sample.count - span->first};
    bool exact = false;
    RW_TRY(force(r, &prompt, &ending, &result->answer, &exact, err));
    result->score = exact;
    result->outcome = exact ? RW_PACK_RIGHT : RW_PACK_WRONG;
    return RW_OK;
}

/* ---- items ----------------------------------------------------------------------------------- */

/* How much likelier the evidence makes the first answer. Where that is what was asked for, its
   likelihood with the evidence is known already. */
static rw_status ask_evidence(asker *r, const rw_pack_item *item, const reply *open,
                              rw_pack_result *result, rw_error *err) {
    bool known =
        item->type == RW_PACK_CHOICE || (item->type == RW_PACK_LM && item->ending_count == 1);
    rw_share with = open->answer, without = {0};
    bool exact;
    if (!item->removed.count || !item->probe.count)
        return RW_OK;
    if (!known)
        RW_TRY(force(r, &item->prompt, &item->probe, &with, &exact, err));
    RW_TRY(force(r, &item->removed, &item->probe, &without, &exact, err));
    result->evidence_gain = rw_share_mean(&without, 1) - rw_share_mean(&with, 1);
    return RW_OK;
}

static rw_status answer_item(asker *r, const rw_pack_item *item, rw_pack_result *result,
                             rw_error *err) {
    reply closed = {0}, open = {0};
    if (item->length > r->setting->context) {
        result->outcome = RW_PACK_TOO_LONG;
        return RW_OK;
    }
    double begun = rw_now();
    if (item->type == RW_PACK_PASSKEY) {
        RW_TRY(ask_passkey(r, item, result, err));
        result->seconds = rw_now() - begun;
        return RW_OK;
    }
    if (item->closed.count)
        RW_TRY(ask(r, item, &item->closed, &closed, err));
    begun = rw_now();
    RW_TRY(ask(r, item, &item->prompt, &open, err));
    result->seconds = rw_now() - begun;
    RW_TRY(ask_evidence(r, item, &open, result, err));
    result->controlled = item->closed.count > 0;
    result->score = open.score;
    result->answer = open.answer;
    result->said = open.said;
    result->outcome = closed.right ? RW_PACK_CLOSED_BOOK
                      : open.right ? RW_PACK_RIGHT
                                   : RW_PACK_WRONG;
    return RW_OK;
}

static rw_status list_results(rw_arena *arena, const rw_pack *pack, rw_pack_run *out,
                              rw_error *err) {
    out->results = rw_arena_alloc(arena, (pack->count + 1) * sizeof *out->results);
    if (!out->results)
        return rw_fail_memory(err, "pack", pack->count * sizeof *out->results);
    for (; out->count < pack->count; out->count++) {
        const rw_pack_item *item = &pack->items[out->count];
        out->results[out->count] = (rw_pack_result){.id = rw_arena_format(arena, "%s", item->id),
                                                    .line = item->line,
                                                    .type = item->type,
                                                    .match = item->match,
                                                    .length = item->length,
                                                    .depth = item->depth,
                                                    .score = NAN,
                                                    .evidence_gain = NAN};
        if (!out->results[out->count].id)
            return rw_fail_memory(err, "pack", 64);
    }
    return RW_OK;
}

static rw_status copy_text(rw_arena *arena, const char *text, const char **out, rw_error *err) {
    *out = text ? rw_arena_format(arena, "%s", text) : NULL;
    return text && !*out ? rw_fail_memory(err, "pack", strlen(text)) : RW_OK;
}

rw_status rw_pack_begin(rw_arena *arena, const rw_pack *pack, const rw_pack_setting *setting,
                        rw_pack_run *out, rw_error *err) {
    *out = (rw_pack_run){.native = setting->native, .context = setting->context};
    out->digest = pack->digest;
    out->version = pack->version;
    RW_TRY(copy_text(arena, pack->file, &out->file, err));
    RW_TRY(copy_text(arena, pack->name, &out->name, err));
    RW_TRY(copy_text(arena, pack->license, &out->license, err));
    RW_TRY(copy_text(arena, pack->created, &out->created, err));
    return list_results(arena, pack, out, err);
}

/* ---- bins ------------------------------------------------------------------------------------ */

size_t rw_pack_bin_edges(size_t native, size_t context, rw_pack_bin out[RW_PACK_BINS_MAX]) {
    size_t count = 0, from = 0, to = native && native < context ? native : context;
    while (from < context && count < RW_PACK_BINS_MAX) {
        if (count + 1 == RW_PACK_BINS_MAX || to > context || to == 0)
            to = context;
        out[count++] = (rw_pack_bin){.from = from, .to = to};
        from = to;
        to = to <= context / 2 ? to * 2 : context;
    }
    return count;
}

static void count_result(rw_pack_run *run, const rw_pack_result *result) {
    if (result->outcome == RW_PACK_TOO_LONG || result->length > run->context) {
        run->too_long++;
        return;
    }
    for (size_t i = 0; i < run->bin_count; i++) {
        rw_pack_bin *bin = &run->bins[i];
        if (result->length <= bin->from || result->length > bin->to)
            continue;
        bin->items += result->outcome == RW_PACK_RIGHT || result->outcome == RW_PACK_WRONG;
        bin->right += result->outcome == RW_PACK_RIGHT;
        bin->closed_book += result->outcome == RW_PACK_CLOSED_BOOK;
        bin->unread += result->outcome == RW_PACK_UNREAD;
        bin->no_room += result->outcome == RW_PACK_NO_ROOM;
    }
}

void rw_pack_count(rw_pack_run *run) {
    run->bin_count = rw_pack_bin_edges(run->native, run->context, run->bins);
    run->too_long = 0;
    for (size_t i = 0; i < run->count; i++)
        count_result(run, &run->results[i]);
}

rw_pack_bin rw_pack_total(const rw_pack_run *run, size_t beyond, size_t up_to) {
    rw_pack_bin total = {.from = beyond, .to = up_to};
    for (size_t i = 0; i < run->bin_count; i++) {
        const rw_pack_bin *bin = &run->bins[i];
        if (bin->from < beyond || bin->to > up_to)
            continue;
        total.items += bin->items;
        total.right += bin->right;
        total.closed_book += bin->closed_book;
        total.unread += bin->unread;
        total.no_room += bin->no_room;
    }
    return total;
}

/* ---- the whole ------------------------------------------------------------------------------- */

rw_status rw_pack_answer(rw_arena *arena, const rw_pack *pack, const rw_pack_setting *setting,
                         rw_scorer *scorer, rw_pack_run *run, rw_error *err) {
    rw_status status = RW_OK;
    for (size_t i = 0; i < pack->count && status == RW_OK; i++) {
        asker r = {setting, scorer, arena, {.ctx = arena->ctx}};
        status = answer_item(&r, &pack->items[i], &run->results[i], err);
        rw_arena_free(&r.scratch);
    }
    return status;
}

static void estimate_prompt(const rw_pack_item *item, size_t prompt, const rw_scorer *scorer,
                            double *cost, uint64_t *tokens) {
    size_t reads = item->ending_count ? item->ending_count : 1;
    if (!prompt)
        return;
    *cost += (double)reads * scorer->cost(scorer, prompt + item->reserve);
    *tokens += reads * (prompt + item->reserve);
}

static void estimate_control(const rw_pack_item *item, const rw_scorer *scorer, double *cost,
                             uint64_t *tokens) {
    const rw_pack_tokens *prompts[] = {&item->removed, item->ending_count ? NULL : &item->prompt};
    for (size_t i = 0; i < 2 && item->probe.count; i++)
        if (prompts[i]) {
            *cost += scorer->cost(scorer, prompts[i]->count + item->probe.count);
            *tokens += prompts[i]->count + item->probe.count;
        }
}

void rw_pack_estimate(const rw_pack *pack, size_t context, const rw_scorer *scorer, double *cost,
                      uint64_t *tokens) {
    for (size_t i = 0; i < pack->count; i++) {
        const rw_pack_item *item = &pack->items[i];
        if (item->length > context)
            continue;
        estimate_prompt(item, item->length - item->reserve, scorer, cost, tokens);
        estimate_prompt(item, item->closed.count, scorer, cost, tokens);
        estimate_control(item, scorer, cost, tokens);
    }
}
