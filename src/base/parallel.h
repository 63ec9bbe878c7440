/*
 * parallel.h - the context's own thread pool.
 *
 * Work is cut into fixed tiles whose number does not depend on the thread count; a tile is done by
 * one thread from start to end. So results are the same bits for any number of threads.
 */
#ifndef RW_BASE_PARALLEL_H
#define RW_BASE_PARALLEL_H

#include "base/base.h"

/* `worker` is 0 .. rw_context_threads(ctx)-1: index for per-thread scratch. */
typedef void (*rw_tile_fn)(void *user, size_t tile, unsigned worker);

/* Runs fn for every tile in 0 .. tiles-1 and returns when all are done. Tiles are handed out in
   order, one at a time. Not to be called from inside a tile. Tiles not yet begun are skipped once
   the context is cancelled: callers ask rw_check_cancel afterwards before they trust results. */
void rw_parallel_for(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user);

/* The same for tiles of equal size whose memory lies side by side: each thread begins with a part
   of its own, in order, so that what it asks memory for ahead of time is what it comes to next; who
   is done takes tiles from the others' ends. */
void rw_parallel_near(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user);

#endif
