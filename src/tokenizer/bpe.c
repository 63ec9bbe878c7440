/*
 * bpe.c - byte pair encoding of one piece, in n log n.
 *
 * Symbols are a linked list; candidate merges wait in a heap ordered by rank, then position. A
 * candidate whose neighbours changed since it was queued is stale and dropped when it surfaces.
 * The order of merges, including what happens when several pairs give the same token, is that of
 * Hugging Face tokenizers, since ids must be equal.
 */
#include <string.h>

#include "tokenizer/internal.h"

/* ---- tables --------------------------------------------------------------------------------- */

rw_status rw_tk_bpe_reserve_merges(rw_tokenizer *tokenizer, size_t count, rw_error *err) {
    rw_tk_bpe *bpe = &tokenizer->bpe;
    if (count > TK_MERGES_MAX)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "there are %zu merges; at most %d are supported", count, TK_MERGES_MAX);
    size_t size = rw_tk_table_size(count);
    bpe->merges = rw_calloc(tokenizer->ctx, size, sizeof *bpe->merges);
    if (!bpe->merges)
        return rw_fail_memory(err, tokenizer->where, size * sizeof *bpe->merges);
    bpe->merge_mask = size - 1;
    for (size_t i = 0; i < size; i++)
        bpe->merges[i].rank = TK_NO_RANK;
    return RW_OK;
}

uint64_t rw_tk_bpe_pair(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* The merge of `pair`, or the free slot where it belongs (rank TK_NO_RANK). */
static rw_tk_merge *merge_slot(const rw_tk_bpe *bpe, uint64_t pair) {
    size_t slot = rw_tk_mix(pair) & bpe->merge_mask;
    while (bpe->merges[slot].rank != TK_NO_RANK && bpe->merges[slot].pair != pair)
        slot = (slot + 1) & bpe->merge_mask;
    return &bpe->merges[slot];
}

void rw_tk_bpe_put_merge(rw_tk_bpe *bpe, rw_tk_merge merge) {
    /* a pair listed twice: the later rank counts, as in Hugging Face's */
    *merge_slot(bpe, merge.pair) = merge;
}

static rw_status merge_error(const rw_tokenizer *tokenizer, size_t rank, rw_str left, rw_str right,
                             const char *missing, rw_error *err) {
    return rw_fail(err, RW_ERR_INPUT, "tokenizer.merge", tokenizer->where,
                   "merge %zu joins \"%.*s\" and \"%.*s\", but the vocabulary lacks the %s", rank,
                   (int)(left.size < 60 ? left.size : 60), left.data,
                   (int)(right.size < 60 ? right.size : 60), right.data, missing);
}

/* Id of left and right written together; -1: none. */
static int32_t find_joined(rw_tk_builder *builder, rw_str left, rw_str right) {
    rw_buf *joined = &builder->scratch;
    joined->size = 0;
    rw_buf_append(joined, left.data, left.size);
    rw_buf_append(joined, right.data, right.size);
    if (joined->failed)
        return -1;
    return rw_tk_find_model(builder->tokenizer, (rw_str){joined->data, joined->size});
}

rw_status rw_tk_bpe_add_merge(rw_tk_builder *builder, size_t rank, rw_str left, rw_str right) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    int32_t left_id = rw_tk_find_model(tokenizer, left),
            right_id = rw_tk_find_model(tokenizer, right);
    if (left_id < 0 || right_id < 0)
        return merge_error(tokenizer, rank, left, right, left_id < 0 ? "first" : "second",
                           builder->err);
    int32_t id = find_joined(builder, left, right);
    RW_TRY(rw_buf_status(&builder->scratch, builder->err));
    if (id < 0)
        return merge_error(tokenizer, rank, left, right, "joined token", builder->err);
    if (tokenizer->kind == TK_SENTENCEPIECE_BPE)
        rw_tk_sp_join(&tokenizer->bpe, left, right);
    rw_tk_bpe_put_merge(
        &tokenizer->bpe,
        (rw_tk_merge){.pair = rw_tk_bpe_pair(left_id, right_id), .rank = (uint32_t)rank, .id = id});
    return RW_OK;
}

/* ---- growing arrays of the run -------------------------------------------------------------- */

static rw_status reserve(rw_tk_run *run, void **array, size_t *capacity, size_t want, size_t item) {
    if (want <= *capacity)
        return RW_OK;
    size_t grown = *capacity < 64 ? 128 : *capacity * 2;
    if (grown < want)
        grown = want;
    size_t bytes = 0;
    if (!rw_mul_size(grown, item, &bytes))
        return rw_fail_memory(run->err, run->tokenizer->where, SIZE_MAX);
    void *block =
        *array ? rw_grow(run->ctx, *array, *capacity * item, bytes) : rw_alloc(run->ctx, bytes);
    if (!block)
        return rw_fail_memory(run->err, run->tokenizer->where, bytes);
    *array = block;
    *capacity = grown;
    return RW_OK;
}

static rw_status reserve_ids(rw_tk_run *run, size_t more) {
    void *array = run->ids;
    rw_status status = reserve(run, &array, &run->capacity, run->count + more, sizeof *run->ids);
    run->ids = array;
    return status;
}

rw_status rw_tk_emit(rw_tk_run *run, const int32_t *ids, size_t count) {
    if (count == 0)
        return RW_OK;
    RW_TRY(reserve_ids(run, count));
    memcpy(run->ids + run->count, ids, count * sizeof *ids);
    run->count += count;
    return RW_OK;
}

static rw_status reserve_symbols(rw_tk_run *run, size_t count) {
    void *array = run->symbols;
    rw_status status = reserve(run, &array, &run->symbol_capacity, count, sizeof *run->symbols);
    run->symbols = array;
    if (status != RW_OK)
        return status;
    /* one candidate a pair at the start, and each of count-1 merges adds at most two */
    array = run->heap;
    status = reserve(run, &array, &run->heap_capacity, 3 * count, sizeof *run->heap);
    run->heap = array;
    return status;
}

/* ---- the heap ------------------------------------------------------------------------------- */

static void heap_push(rw_tk_run *run, rw_tk_candidate candidate) {
    rw_tk_candidate *heap = run->heap;
    size_t at = run->heap_count++;
    while (at > 0 && heap[(at - 1) / 2].key > candidate.key) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = candidate;
}

static rw_tk_candidate heap_pop(rw_tk_run *run) {
    rw_tk_candidate *heap = run->heap;
    rw_tk_candidate top = heap[0], last = heap[--run->heap_count];
    size_t at = 0, count = run->heap_count;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1].key < heap[child].key)
            child++;
        if (last.key <= heap[child].key)
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

/* ---- merging -------------------------------------------------------------------------------- */

/* Queues the merge of the symbols at `left` and behind it, if there is one. */
static void queue_pair(rw_tk_run *run, uint32_t left) {
    const rw_tk_symbol *symbols = run->symbols;
    uint32_t right = symbols[left].next;
    if (right == TK_END)
        return;
    const rw_tk_merge *merge =
        merge_slot(&run->tokenizer->bpe, rw_tk_bpe_pair(symbols[left].id, symbols[right].id));
    if (merge->rank != TK_NO_RANK)
        heap_push(run,
                  (rw_tk_candidate){.key = (uint64_t)merge->rank << 32 | left, .id = merge->id});
}

/* Does the pair at `left` still give `id`? */
static bool still_valid(const rw_tk_run *run, uint32_t left, int32_t id) {
    const rw_tk_symbol *symbol = &run->symbols[left];
    if (!symbol->alive || symbol->next == TK_END)
        return false;
    const rw_tk_merge *merge =
        merge_slot(&run->tokenizer->bpe, rw_tk_bpe_pair(symbol->id, run->symbols[symbol->next].id));
    return merge->rank != TK_NO_RANK && merge->id == id;
}

static void merge_symbols(rw_tk_run *run) {
    rw_tk_symbol *symbols = run->symbols;
    while (run->heap_count > 0) {
        rw_tk_candidate best = heap_pop(run);
        uint32_t left = (uint32_t)best.key;
        if (!still_valid(run, left, best.id))
            continue;
        uint32_t right = symbols[left].next;
        symbols[left].id = best.id;
        symbols[left].next = symbols[right].next;
        symbols[right].alive = false;
        if (symbols[right].next != TK_END)
            symbols[symbols[right].next].prev = left;
        if (symbols[left].prev != TK_END)
            queue_pair(run, symbols[left].prev);
        queue_pair(run, left);
    }
}

static rw_status missing_byte(const rw_tk_run *run, const char *at) {
    const char *begin = run->text.data;
    bool inside = at >= begin && at < begin + run->text.size; /* not in normalised text */
    return rw_fail_at(run->err, RW_ERR_INPUT, "tokenizer.byte", run->tokenizer->where,
                      inside ? (uint64_t)(at - begin) : RW_NO_OFFSET,
                      "the vocabulary has no token for the byte 0x%02x in the text; remove it "
                      "from the text, or ask for such bytes to be dropped",
                      (unsigned)(uint8_t)*at);
}

static void append_symbol(rw_tk_run *run, uint32_t *count, int32_t id) {
    uint32_t at = (*count)++;
    run->symbols[at] =
        (rw_tk_symbol){.id = id, .prev = at > 0 ? at - 1 : TK_END, .next = TK_END, .alive = true};
    if (at > 0)
        run->symbols[at - 1].next = at;
}

/* Replaces symbols that are no tokens by those that they fall back to, as Hugging Face tokenizers
   does before it merges; there is room for their ids and symbols. */
static rw_status settle(rw_tk_run *run, uint32_t *count) {
    size_t before = run->count, after;
    RW_TRY(rw_tk_sp_emit(run, *count));
    after = run->count;
    run->count = before;
    *count = 0;
    for (size_t i = before; i < after; i++)
        append_symbol(run, count, run->ids[i]);
    return RW_OK;
}

static rw_status spell_characters(rw_tk_run *run, rw_str piece, uint32_t *count) {
    bool lacks = false;
    for (size_t at = 0; at < piece.size;) {
        uint32_t c = 0;
        size_t step = rw_utf8_decode(piece.data + at, piece.size - at, &c);
        int32_t id = rw_tk_sp_symbol(run->tokenizer, piece.data + at, step, c);
        append_symbol(run, count, id);
        lacks |= id >= TK_LACKING;
        at += step > 0 ? step : 1;
    }
    return lacks && !run->tokenizer->bpe.late_fallback ? settle(run, count) : RW_OK;
}

/* One symbol a byte. A byte that the vocabulary lacks becomes its unknown token (neighbours share
   one if the file says so); without one it is dropped or refused, as the caller asked. */
static rw_status spell_piece(rw_tk_run *run, rw_str piece, uint32_t *count) {
    const rw_tk_bpe *bpe = &run->tokenizer->bpe;
    if (run->tokenizer->kind == TK_SENTENCEPIECE_BPE)
        return spell_characters(run, piece, count);
    for (size_t i = 0; i < piece.size; i++) {
        int32_t id = bpe->byte_id[(uint8_t)piece.data[i]];
        if (id < 0 && bpe->unknown >= 0) {
            if (bpe->fuse_unknown && *count > 0 && run->symbols[*count - 1].id == bpe->unknown)
                continue;
            id = bpe->unknown;
        }
        if (id >= 0)
            append_symbol(run, count, id);
        else if (!(run->flags & RW_TOKENIZE_DROP))
            return missing_byte(run, piece.data + i);
    }
    return RW_OK;
}

/* The token that is the whole piece; -1: none. */
static int32_t find_whole(rw_tk_run *run, rw_str piece) {
    const rw_tokenizer *tokenizer = run->tokenizer;
    if (piece.size > tokenizer->longest)
        return -1;
    size_t size = 0;
    for (size_t i = 0; i < piece.size; i++)
        size += rw_utf8_encode(tokenizer->alphabet[(uint8_t)piece.data[i]], run->spelled + size);
    return rw_tk_find_model(tokenizer, (rw_str){run->spelled, size});
}

static rw_status encode_new(rw_tk_run *run, rw_str piece) {
    bool characters = run->tokenizer->kind == TK_SENTENCEPIECE_BPE;
    if (run->tokenizer->bpe.ignore_merges && !characters) {
        int32_t whole = find_whole(run, piece);
        if (whole >= 0)
            return rw_tk_emit(run, &whole, 1);
    }
    uint32_t count = 0;
    RW_TRY(reserve_symbols(run, piece.size));
    RW_TRY(reserve_ids(run, piece.size));
    RW_TRY(spell_piece(run, piece, &count));
    run->heap_count = 0;
    for (uint32_t i = 0; i + 1 < count; i++)
        queue_pair(run, i);
    merge_symbols(run);
    if (characters)
        return rw_tk_sp_emit(run, count);
    for (uint32_t i = 0; i < count; i++)
        if (run->symbols[i].alive)
            run->ids[run->count++] = run->symbols[i].id;
    return RW_OK;
}

rw_status rw_tk_bpe_encode(rw_tk_run *run, rw_str piece) {
    const rw_tk_bpe *bpe = &run->tokenizer->bpe;
    bool bytes = run->tokenizer->kind == TK_BYTE_LEVEL_BPE;
    if (bytes && piece.size == 1 && bpe->byte_id[(uint8_t)piece.data[0]] >= 0)
        return rw_tk_emit(run, &bpe->byte_id[(uint8_t)piece.data[0]], 1);
    rw_tk_seen *seen = &run->seen[rw_tk_hash(piece) & run->seen_mask];
    if (seen->size == piece.size && memcmp(seen->piece, piece.data, piece.size) == 0) {
        RW_TRY(reserve_ids(run, seen->ids_count));
        memcpy(run->ids + run->count, run->ids + seen->ids_at, seen->ids_count * sizeof *run->ids);
        run->count += seen->ids_count;
        return RW_OK;
    }
    size_t before = run->count;
    RW_TRY(encode_new(run, piece));
    *seen = (rw_tk_seen){.piece = piece.data,
                         .size = (uint32_t)piece.size,
                         .ids_count = (uint32_t)(run->count - before),
                         .ids_at = before};
    return RW_OK;
}
