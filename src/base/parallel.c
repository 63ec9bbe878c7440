/*
 * parallel.c - a pool of threads that lives as long as its context.
 *
 * The calling thread is worker 0. The others sleep on a condition until the round number moves;
 * tiles come from one atomic counter, so they begin in order and each has one owner. A round ends
 * when every worker has left it, so the job's memory may be reused at once.
 */
#include "base/parallel.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

#include "base/internal.h"

typedef struct job {
    rw_tile_fn fn;
    void *user;
    size_t tiles;
    atomic_size_t next;
} job;

typedef struct worker {
    rw_context *ctx;
    unsigned index; /* 1 .. */
    pthread_t thread;
} worker;

struct rw_pool {
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a new round, or the end  */
    pthread_cond_t idle; /* busy fell to 0           */
    uint64_t round;
    unsigned busy; /* workers still in this round */
    bool stop;
    bool running; /* inside rw_parallel_for: nested calls are a defect */
    job job;
    unsigned count; /* workers besides the calling thread */
    worker workers[];
};

static void run_tiles(const rw_context *ctx, job *work, unsigned index) {
    for (;;) {
        if (rw_cancelled(ctx))
            return;
        size_t tile = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (tile >= work->tiles)
            return;
        work->fn(work->user, tile, index);
    }
}

static void *worker_main(void *argument) {
    worker *self = argument;
    struct rw_pool *pool = self->ctx->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (pool->round == seen && !pool->stop)
            pthread_cond_wait(&pool->wake, &pool->mutex);
        if (pool->stop)
            break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->mutex);
        run_tiles(self->ctx, &pool->job, self->index);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* The caller's signal handlers must not run on threads that the caller does not know of. A thread
   that can't be had is done without: the results are the same. */
static void start_workers(rw_context *ctx, struct rw_pool *pool) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i + 1 < ctx->options.threads; i++) {
        worker *w = &pool->workers[i];
        *w = (worker){.ctx = ctx, .index = i + 1};
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            break;
        pool->count++;
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
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    ctx->pool = NULL;
    rw_free(ctx, pool);
}

static void run_alone(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user) {
    for (size_t tile = 0; tile < tiles && !rw_cancelled(ctx); tile++)
        fn(user, tile, 0);
}

void rw_parallel_for(rw_context *ctx, size_t tiles, rw_tile_fn fn, void *user) {
    struct rw_pool *pool = tiles > 1 ? pool_get(ctx) : NULL;
    if (!pool || pool->count == 0) {
        run_alone(ctx, tiles, fn, user);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    assert(!pool->running);
    pool->running = true;
    pool->job.fn = fn;
    pool->job.user = user;
    pool->job.tiles = tiles;
    atomic_store_explicit(&pool->job.next, 0, memory_order_relaxed);
    pool->busy = pool->count;
    pool->round++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);

    run_tiles(ctx, &pool->job, 0);

    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pool->running = false;
    pthread_mutex_unlock(&pool->mutex);
}
