/*
 * hashing.c - many files hashed side by side: a thread's SHA instructions are slower than the page
 * cache and most disks, so several files at a time come nearer to what these give.
 */
#include <stdlib.h>

#include "base/parallel.h"
#include "job/extend.h"

enum { LANES_MAX = 8, HASH_PIECE = 4 << 20 };

/* One file being hashed. */
typedef struct lane {
    rw_listed_file *item; /* NULL: none is left */
    rw_file file;
    rw_hasher *hasher;
    uint8_t *piece; /* [HASH_PIECE] */
    uint64_t at;
    size_t size; /* of the latest piece */
    bool failed;
} lane;

typedef struct hashing {
    rw_context *ctx;
    rw_listed_file **queue; /* [count], the largest first: they end together */
    size_t count, next;
    lane lanes[LANES_MAX];
    size_t lane_count;
    uint64_t done, total;
} hashing;

static int by_size(const void *a, const void *b) {
    uint64_t x = (*(rw_listed_file *const *)a)->bytes, y = (*(rw_listed_file *const *)b)->bytes;
    return (x < y) - (x > y);
}

/* What cannot be opened is left to whoever wants to say why. */
static rw_status list_queue(hashing *h, rw_file_list *list, rw_error *err) {
    h->queue = rw_calloc(h->ctx, list->count + 1, sizeof *h->queue);
    if (!h->queue)
        return rw_fail_memory(err, "hash", list->count * sizeof *h->queue);
    for (size_t i = 0; i < list->count; i++) {
        rw_file file;
        if (list->items[i].hashed ||
            rw_file_open(h->ctx, list->items[i].path, &file, NULL) != RW_OK)
            continue;
        list->items[i].bytes = file.size;
        h->total += file.size;
        rw_file_close(&file);
        h->queue[h->count++] = &list->items[i];
    }
    qsort(h->queue, h->count, sizeof *h->queue, by_size);
    return RW_OK;
}

static void close_lane(lane *l) {
    rw_hasher_free(l->hasher);
    rw_file_close(&l->file);
    l->hasher = NULL;
    l->item = NULL;
}

/* The next file into the lane, if there is one. */
static rw_status open_lane(hashing *h, lane *l, rw_error *err) {
    while (h->next < h->count && !l->item) {
        rw_listed_file *item = h->queue[h->next++];
        if (rw_file_open(h->ctx, item->path, &l->file, NULL) != RW_OK)
            continue;
        l->item = item;
        l->at = 0;
        l->failed = false;
        RW_TRY(rw_hasher_create(h->ctx, &l->hasher, err));
    }
    return RW_OK;
}

static void hash_piece(void *user, size_t tile, unsigned worker) {
    hashing *h = user;
    lane *l = &h->lanes[tile];
    (void)worker;
    if (!l->item)
        return;
    uint64_t left = l->file.size - l->at;
    l->size = left < HASH_PIECE ? (size_t)left : HASH_PIECE;
    l->failed = rw_file_read(&l->file, l->at, l->piece, l->size, NULL) != RW_OK;
    if (!l->failed)
        rw_hasher_update(l->hasher, l->piece, l->size);
}

static rw_status finish_piece(hashing *h, lane *l, rw_error *err) {
    if (!l->item)
        return RW_OK;
    l->at += l->size;
    h->done += l->size;
    if (!l->failed && l->at < l->file.size)
        return RW_OK;
    if (!l->failed) {
        rw_hasher *hasher = l->hasher;
        l->hasher = NULL;
        RW_TRY(rw_hasher_finish(hasher, &l->item->digest, err));
        l->item->bytes = l->file.size;
        l->item->hashed = true;
    }
    close_lane(l);
    return RW_OK;
}

static rw_status run_rounds(hashing *h, rw_error *err) {
    for (;;) {
        bool busy = false;
        for (size_t i = 0; i < h->lane_count; i++) {
            RW_TRY(open_lane(h, &h->lanes[i], err));
            busy = busy || h->lanes[i].item;
        }
        if (!busy)
            return RW_OK;
        rw_parallel_for(h->ctx, h->lane_count, hash_piece, h);
        RW_TRY(rw_check_cancel(h->ctx, err));
        for (size_t i = 0; i < h->lane_count; i++)
            RW_TRY(finish_piece(h, &h->lanes[i], err));
        rw_progress(h->ctx, "hash", h->done, h->total, "bytes");
    }
}

static rw_status open_lanes(hashing *h, rw_error *err) {
    size_t threads = rw_context_threads(h->ctx);
    h->lane_count = h->count < threads ? h->count : threads;
    if (h->lane_count > LANES_MAX)
        h->lane_count = LANES_MAX;
    for (size_t i = 0; i < h->lane_count; i++) {
        h->lanes[i].file.fd = -1;
        h->lanes[i].piece = rw_alloc(h->ctx, HASH_PIECE);
        if (!h->lanes[i].piece)
            return rw_fail_memory(err, "hash", HASH_PIECE);
    }
    return RW_OK;
}

rw_status rw_list_hash_together(rw_context *ctx, rw_file_list *list, rw_error *err) {
    hashing h = {.ctx = ctx};
    rw_status status = list_queue(&h, list, err);
    if (status == RW_OK)
        status = open_lanes(&h, err);
    if (status == RW_OK)
        status = run_rounds(&h, err);
    for (size_t i = 0; i < h.lane_count; i++) {
        if (h.lanes[i].item)
            close_lane(&h.lanes[i]);
        rw_free(ctx, h.lanes[i].piece);
    }
    rw_free(ctx, h.queue);
    return status;
}
