/*
 * hashing.c - many readings for a hash side by side: files, and a checkpoint's tensors. A thread's
 * SHA instructions are slower than the page cache and most disks, so several readings at a time
 * come nearer to what these give.
 *
 * Every byte is read, also where a file has holes: a hash shall say what a reader gets, not what a
 * file system thinks of its blocks.
 */
#include <stdlib.h>

#include "base/parallel.h"
#include "job/extend.h"

enum { LANES_MAX = 10, PIECE = 1 << 20, STEP = 32 << 20 };

/* What is to be read: a file, or tensors. */
typedef struct work {
    rw_listed_file *item; /* NULL: tensors */
    rw_tensor_reading *tensors;
    uint64_t bytes;
} work;

/* One reading under way. */
typedef struct lane {
    const work *work; /* NULL: none is left */
    rw_file file;
    rw_hasher *hasher; /* of the file */
    uint8_t *piece;    /* [PIECE]     */
    uint64_t left;
    rw_status status;
    rw_error err;
} lane;

typedef struct hashing {
    rw_context *ctx;
    work *queue; /* [count], the largest first */
    size_t count, next;
    lane lanes[LANES_MAX];
    size_t lane_count;
    lane *round[LANES_MAX]; /* those that go on together */
    uint64_t done, total;
} hashing;

/* ---- the queue ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    uint64_t x = ((const work *)a)->bytes, y = ((const work *)b)->bytes;
    return (x < y) - (x > y);
}

static void add_work(hashing *h, work next) {
    h->queue[h->count++] = next;
    h->total += next.bytes;
}

/* What cannot be opened is left to whoever wants to say why. */
static void add_file(hashing *h, rw_listed_file *item) {
    rw_file file;
    if (item->hashed || rw_file_open(h->ctx, item->path, &file, NULL) != RW_OK)
        return;
    item->bytes = file.size;
    rw_file_close(&file);
    add_work(h, (work){.item = item, .bytes = item->bytes});
}

static rw_status fill_queue(hashing *h, rw_file_list *const *lists, size_t lists_count,
                            rw_tensor_reading *tensors, rw_error *err) {
    size_t most = 1;
    for (size_t i = 0; i < lists_count; i++)
        most += lists[i]->count;
    h->queue = rw_calloc(h->ctx, most, sizeof *h->queue);
    if (!h->queue)
        return rw_fail_memory(err, "hash", most * sizeof *h->queue);
    for (size_t i = 0; i < lists_count; i++)
        for (size_t k = 0; k < lists[i]->count; k++)
            add_file(h, &lists[i]->items[k]);
    if (tensors)
        add_work(h, (work){.tensors = tensors, .bytes = tensors->total});
    qsort(h->queue, h->count, sizeof *h->queue, by_size);
    return RW_OK;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static void close_lane(lane *l) {
    if (l->work && l->work->item)
        rw_file_close(&l->file);
    rw_hasher_free(l->hasher);
    l->hasher = NULL;
    l->work = NULL;
    l->left = 0;
}

/* The next reading into the lane, if there is one. */
static rw_status open_lane(hashing *h, lane *l, rw_error *err) {
    while (h->next < h->count && !l->work) {
        const work *next = &h->queue[h->next++];
        if (next->item && rw_file_open(h->ctx, next->item->path, &l->file, NULL) != RW_OK)
            continue;
        l->work = next;
        l->left = next->item ? l->file.size : next->bytes;
        l->status = RW_OK;
        if (next->item)
            RW_TRY(rw_hasher_create(h->ctx, &l->hasher, err));
    }
    return RW_OK;
}

/* One more than there are threads, so that three readings on two threads can take turns. */
static rw_status open_lanes(hashing *h, rw_error *err) {
    size_t most = rw_context_threads(h->ctx) + 1;
    h->lane_count = most < LANES_MAX ? most : LANES_MAX;
    if (h->lane_count > h->count)
        h->lane_count = h->count;
    for (size_t i = 0; i < h->lane_count; i++) {
        h->lanes[i].piece = rw_alloc(h->ctx, PIECE);
        if (!h->lanes[i].piece)
            return rw_fail_memory(err, "hash", PIECE);
    }
    return RW_OK;
}

static rw_status read_file(hashing *h, lane *l, uint64_t bytes) {
    for (uint64_t until = l->left - bytes; l->left > until;) {
        uint64_t now = l->left - until;
        size_t size = now < PIECE ? (size_t)now : PIECE;
        RW_TRY(rw_check_cancel(h->ctx, &l->err));
        RW_TRY(rw_file_read(&l->file, l->file.size - l->left, l->piece, size, &l->err));
        rw_hasher_update(l->hasher, l->piece, size);
        l->left -= size;
    }
    return RW_OK;
}

static rw_status read_tensors(lane *l, uint64_t bytes) {
    rw_tensor_reading *tensors = l->work->tensors;
    rw_status status = rw_tensor_reading_go_on(tensors, bytes, &l->err);
    l->left = tensors->total - tensors->done;
    return status;
}

static void go_on(void *user, size_t tile, unsigned worker) {
    hashing *h = user;
    lane *l = h->round[tile];
    uint64_t bytes = l->left < STEP ? l->left : STEP;
    (void)worker;
    l->status = l->work->item ? read_file(h, l, bytes) : read_tensors(l, bytes);
}

/* A file that can't be read stays without a hash; tensors must be readable. */
static rw_status end_step(lane *l, rw_error *err) {
    rw_listed_file *item = l->work->item;
    rw_hasher *hasher = l->hasher;
    if (l->status != RW_OK && !item && err)
        *err = l->err;
    if (l->status != RW_OK && !item)
        return l->status;
    if (l->status == RW_OK && l->left > 0)
        return RW_OK;
    if (l->status == RW_OK && item) {
        l->hasher = NULL;
        item->bytes = l->file.size;
        RW_TRY(rw_hasher_finish(hasher, &item->digest, err));
        item->hashed = true;
    }
    close_lane(l);
    return RW_OK;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Those with the most to come go first: they would end last. */
static size_t choose_round(hashing *h) {
    size_t count = 0, most = rw_context_threads(h->ctx);
    for (size_t i = 0; i < h->lane_count; i++) {
        if (!h->lanes[i].work)
            continue;
        size_t at = count++;
        for (; at > 0 && h->round[at - 1]->left < h->lanes[i].left; at--)
            h->round[at] = h->round[at - 1];
        h->round[at] = &h->lanes[i];
    }
    return count < most ? count : most;
}

static rw_status run_round(hashing *h, size_t size, rw_error *err) {
    uint64_t before = 0, after = 0;
    for (size_t i = 0; i < size; i++)
        before += h->round[i]->left;
    rw_parallel_for(h->ctx, size, go_on, h);
    RW_TRY(rw_check_cancel(h->ctx, err));
    for (size_t i = 0; i < size; i++) {
        after += h->round[i]->left;
        RW_TRY(end_step(h->round[i], err));
    }
    h->done += before - after;
    rw_progress(h->ctx, "hash", h->done, h->total, "bytes");
    return RW_OK;
}

static rw_status run_rounds(hashing *h, rw_error *err) {
    for (;;) {
        for (size_t i = 0; i < h->lane_count; i++)
            RW_TRY(open_lane(h, &h->lanes[i], err));
        size_t size = choose_round(h);
        if (size == 0)
            return RW_OK;
        RW_TRY(run_round(h, size, err));
    }
}

rw_status rw_hash_together(rw_context *ctx, rw_file_list *const *lists, size_t lists_count,
                           rw_tensor_reading *tensors, rw_error *err) {
    hashing *h = rw_calloc(ctx, 1, sizeof *h);
    if (!h)
        return rw_fail_memory(err, "hash", sizeof *h);
    h->ctx = ctx;
    rw_status status = fill_queue(h, lists, lists_count, tensors, err);
    if (status == RW_OK)
        status = open_lanes(h, err);
    if (status == RW_OK)
        status = run_rounds(h, err);
    for (size_t i = 0; i < h->lane_count; i++) {
        close_lane(&h->lanes[i]);
        rw_free(ctx, h->lanes[i].piece);
    }
    rw_free(ctx, h->queue);
    rw_free(ctx, h);
    return status;
}

rw_status rw_list_hash_together(rw_context *ctx, rw_file_list *list, rw_error *err) {
    return rw_hash_together(ctx, &list, 1, NULL, err);
}
