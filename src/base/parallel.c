/*
 * parallel.c - a pool of threads that lives as long as its context.
 *
 * The calling thread is worker 0. Tiles come from one atomic counter, so they begin in order and
 * each has one owner; or, where neighbours belong together, from a span for each worker.
 *
 * One word says which round it is, whether it is still open, and how many workers are in it: a
 * worker joins by adding one to it, and the caller, once no tile is left, closes the round and
 * waits for those only that have joined. So a worker that the system keeps from running holds
 * nobody up, and the job's memory may be reused when the call returns.
 *
 * A forward pass is a thousand short rounds: waking a sleeping thread would cost more than many of
 * them. So who waits first watches the word for some microseconds, and only then sleeps.
 */
#include "base/parallel.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "base/internal.h"

/* The counter has a cache line of its own, behind what only the caller writes. */
typedef struct job { /* NOLINT: padding is meant */
    rw_tile_fn fn;
    void *user;
    size_t tiles;
    bool near;                       /* tiles come from the workers' spans */
    _Alignas(64) atomic_size_t next; /* every thread writes it */
} job;

typedef struct worker { /* NOLINT: likewise */
    rw_context *ctx;
    unsigned index; /* 0: the calling thread */
    pthread_t thread;
    _Alignas(64) _Atomic uint64_t span; /* of tiles: the first above, the end below */
} worker;

/* The word: the round's number above, then CLOSED, then the workers inside. */
enum { ROUND_SHIFT = 32, SPINS = 2000 };
static const uint64_t CLOSED = (uint64_t)1 << 31, INSIDE = ((uint64_t)1 << 31) - 1;

struct rw_pool {
    _Atomic uint64_t word;
    atomic_uint asleep; /* workers on `wake`; changes under the mutex */
    atomic_bool waits;  /* the caller, on `idle`; likewise */
    atomic_bool stop;
    bool running; /* inside rw_parallel_for: nested calls are a defect */
    int spins;
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a new round, or the end  */
    pthread_cond_t idle; /* the last worker has left */
    job job;
    unsigned count; /* workers, the calling thread among them */
    worker workers[];
};

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* More threads than processors: whoever spins takes the place of one who works. */
static int spins_of(unsigned threads) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 0;
    return threads <= (unsigned)CPU_COUNT(&set) ? SPINS : 0;
}

static bool take_first(_Atomic uint64_t *span, size_t *tile) {
    uint64_t now = atomic_load(span);
    do {
        if (now >> 32 >= (uint32_t)now)
            return false;
        *tile = (size_t)(now >> 32);
    } while (!atomic_compare_exchange_weak(span, &now, now + ((uint64_t)1 << 32)));
    return true;
}

static bool take_last(_Atomic uint64_t *span, size_t *tile) {
    uint64_t now = atomic_load(span);
    do {
        if (now >> 32 >= (uint32_t)now)
            return false;
        *tile = (uint32_t)now - 1;
    } while (!atomic_compare_exchange_weak(span, &now, now - 1));
    return true;
}

/* The own span, then what is left of the next workers'. */
static void run_near(const rw_context *ctx, struct rw_pool *pool, unsigned index) {
    size_t tile;
    for (unsigned i = 0; i < pool->count; i++) {
        _Atomic uint64_t *span = &pool->workers[(index + i) % pool->count].span;
        while (!rw_cancelled(ctx) && (i == 0 ? take_first : take_last)(span, &tile))
            pool->job.fn(pool->job.user, tile, index);
    }
}

static void run_tiles(const rw_context *ctx, struct rw_pool *pool, unsigned index) {
    job *work = &pool->job;
    if (work->near) {
        run_near(ctx, pool, index);
        return;
    }
    for (;;) {
        if (rw_cancelled(ctx))
            return;
        size_t tile = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (tile >= work->tiles)
            return;
        work->fn(work->user, tile, index);
    }
}

/* ---- workers --------------------------------------------------------------------------------- */

static bool is_news(struct rw_pool *pool, uint64_t seen) {
    return atomic_load(&pool->word) >> ROUND_SHIFT != seen || atomic_load(&pool->stop);
}

/* Returns when there is another round than `seen`. A worker that counts itself asleep looks once
   more before it sleeps, and the caller begins a round before it counts the sleepers: one of them
   sees the other. */
static void await_round(struct rw_pool *pool, uint64_t seen) {
    for (int i = 0; i < pool->spins; i++) {
        if (is_news(pool, seen))
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->asleep, 1);
    while (!is_news(pool, seen))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->asleep, 1);
    pthread_mutex_unlock(&pool->mutex);
}

/* False when the round is over already. */
static bool join(struct rw_pool *pool, uint64_t *seen) {
    uint64_t word = atomic_load(&pool->word);
    do {
        *seen = word >> ROUND_SHIFT;
        if (word & CLOSED)
            return false;
    } while (!atomic_compare_exchange_weak(&pool->word, &word, word + 1));
    return true;
}

static void leave(struct rw_pool *pool) {
    uint64_t before = atomic_fetch_sub(&pool->word, 1);
    if ((before & INSIDE) != 1 || !atomic_load(&pool->waits))
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->idle);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument) {
    worker *self = argument;
    struct rw_pool *pool = self->ctx->pool;
    uint64_t seen = 0;
    for (;;) {
        await_round(pool, seen);
        if (atomic_load(&pool->stop))
            return NULL;
        if (!join(pool, &seen))
            continue;
        run_tiles(self->ctx, pool, self->index);
        leave(pool);
    }
}

/* ---- the pool -------------------------------------------------------------------------------- */

/* The caller's signal handlers must not run on threads that the caller does not know of. A thread
   that can't be had is done without: the results are the same. */
static void start_workers(rw_context *ctx, struct rw_pool *pool) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pool->count = 1; pool->count < ctx->options.threads; pool->count++) {
        worker *w = &pool->workers[pool->count];
        w->ctx = ctx;
        w->index = pool->count;
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* NULL when there is no memory: then the calling thread does everything. */
static struct rw_pool *pool_get(rw_context *ctx) {
    if (ctx->pool || ctx->options.threads < 2)
        return ctx->pool;
    size_t size = sizeof(struct rw_pool) + ctx->options.threads * sizeof(worker);
    struct rw_pool *pool = rw_calloc(ctx, 1, size);
    if (!pool)
        return NULL;
    atomic_store(&pool->word, CLOSED);
    pool->spins = spins_of(ctx->options.threads);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    ctx->pool = pool; /* before the threads start: they read it */
    start_workers(ctx, pool);
    return pool;
}

void rw_pool_free(rw_context *ctx) {
    struct rw_pool *pool = ctx->pool;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 1; i < pool->count; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    ctx->pool = NULL;
    rw_free(ctx, pool);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void run_alone(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user) {
    for (size_t tile = 0; tile < tiles && !rw_cancelled(ctx); tile++)
        fn(user, tile, 0);
}

static void begin_round(struct rw_pool *pool) {
    uint64_t number = (atomic_load(&pool->word) >> ROUND_SHIFT) + 1;
    atomic_store(&pool->word, number << ROUND_SHIFT);
    if (atomic_load(&pool->asleep) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static bool is_empty(struct rw_pool *pool) {
    return (atomic_load(&pool->word) & INSIDE) == 0;
}

static void end_round(struct rw_pool *pool) {
    atomic_fetch_or(&pool->word, CLOSED);
    for (int i = 0; i < pool->spins; i++) {
        if (is_empty(pool))
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->waits, true);
    while (!is_empty(pool))
        pthread_cond_wait(&pool->idle, &pool->mutex);
    atomic_store(&pool->waits, false);
    pthread_mutex_unlock(&pool->mutex);
}

static void share_out(struct rw_pool *pool, size_t tiles) {
    for (unsigned i = 0; i < pool->count; i++) {
        uint64_t begin = (uint64_t)tiles * i / pool->count;
        uint64_t end = (uint64_t)tiles * (i + 1) / pool->count;
        atomic_store(&pool->workers[i].span, begin << 32 | end);
    }
}

static void run_round(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user, bool near) {
    struct rw_pool *pool = tiles > 1 ? pool_get(ctx) : NULL;
    if (!pool || pool->count == 1) {
        run_alone(ctx, tiles, fn, user);
        return;
    }
    assert(!pool->running);
    pool->running = true;
    pool->job.fn = fn;
    pool->job.user = user;
    pool->job.tiles = tiles;
    pool->job.near = near && tiles <= UINT32_MAX;
    atomic_store(&pool->job.next, 0);
    if (pool->job.near)
        share_out(pool, tiles);
    begin_round(pool);
    run_tiles(ctx, pool, 0);
    end_round(pool);
    pool->running = false;
}

void rw_parallel_for(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user) {
    run_round(ctx, tiles, fn, user, false);
}

void rw_parallel_near(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user) {
    run_round(ctx, tiles, fn, user, true);
}
