/* The thread pool. Worth running under ThreadSanitizer. */
#include "base_support.h"

#include <pthread.h>
#include <signal.h>

#include "base/parallel.h"

enum { TILES = 1000, THREADS_MAX = 8 };

typedef struct work {
    rw_context *ctx;
    unsigned char done[TILES];     /* plain bytes: a race would show */
    unsigned long by[THREADS_MAX]; /* per worker, likewise           */
    atomic_size_t begun;
    size_t cancel_at;
} work;

static rw_context *context_of(unsigned threads) {
    rw_context *ctx = NULL;
    rw_context_options options = {.struct_size = sizeof options, .threads = threads};
    assert_int_equal(rw_context_create(&options, &ctx, NULL), RW_OK);
    return ctx;
}

static void one_tile(void *user, size_t tile, unsigned worker) {
    work *w = user;
    w->done[tile]++;
    w->by[worker]++;
    if (atomic_fetch_add(&w->begun, 1) + 1 == w->cancel_at)
        rw_context_cancel(w->ctx);
}

static void test_every_tile_once(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
        static const size_t sizes[] = {0, 1, 2, 3, 7, TILES};
        rw_context *ctx = context_of(threads);
        for (int round = 0; round < 600; round++) {
            work w = {.ctx = ctx};
            size_t tiles = sizes[round % 6], sum = 0;
            (round < 300 ? rw_parallel_for : rw_parallel_near)(ctx, tiles, one_tile, &w);
            for (size_t i = 0; i < TILES; i++)
                assert_int_equal(w.done[i], i < tiles);
            for (unsigned i = 0; i < THREADS_MAX; i++) {
                assert_true(i < threads || w.by[i] == 0);
                sum += w.by[i];
            }
            assert_int_equal(sum, tiles);
        }
        rw_context_free(ctx);
    }
}

/* All threads take part: two tiles that wait for each other can't be done by one. */
static void meet(void *user, size_t tile, unsigned worker) {
    (void)tile;
    (void)worker;
    pthread_barrier_wait(user);
}

static void test_threads_run_together(void **state) {
    pthread_barrier_t barrier;
    (void)state;
    rw_context *ctx = context_of(4);
    pthread_barrier_init(&barrier, NULL, 4);
    for (int round = 0; round < 50; round++)
        rw_parallel_for(ctx, 4, meet, &barrier);
    pthread_barrier_destroy(&barrier);
    rw_context_free(ctx);
}

/* A thread that is held up in its first tile keeps nobody from the rest of its part. */
static void hold_first(void *user, size_t tile, unsigned worker) {
    work *w = user;
    one_tile(user, tile, worker);
    while (tile == 0 && atomic_load(&w->begun) < TILES)
        sched_yield();
}

static void test_near_takes_over(void **state) {
    (void)state;
    rw_context *ctx = context_of(3);
    work w = {.ctx = ctx};
    rw_parallel_near(ctx, TILES, hold_first, &w);
    for (size_t i = 0; i < TILES; i++)
        assert_int_equal(w.done[i], 1);
    rw_context_free(ctx);
}

static void test_cancel_skips(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        rw_context *ctx = context_of(threads);
        work w = {.ctx = ctx, .cancel_at = 10};
        rw_parallel_for(ctx, TILES, one_tile, &w);
        assert_true(w.begun >= 10 && w.begun < 10 + threads);
        assert_int_equal(rw_check_cancel(ctx, NULL), RW_ERR_CANCELLED);
        size_t begun = w.begun;
        rw_parallel_for(ctx, TILES, one_tile, &w);
        assert_int_equal(w.begun, begun);
        rw_context_free(ctx);
    }
}

static void *cancel_later(void *ctx) {
    rw_context_cancel(ctx);
    return NULL;
}

static void wait_for_cancel(void *user, size_t tile, unsigned worker) {
    (void)tile;
    (void)worker;
    while (!rw_cancelled(user))
        sched_yield();
}

static void test_cancel_from_another_thread(void **state) {
    pthread_t thread;
    (void)state;
    rw_context *ctx = context_of(2);
    assert_int_equal(pthread_create(&thread, NULL, cancel_later, ctx), 0);
    rw_parallel_for(ctx, 2, wait_for_cancel, ctx);
    pthread_join(thread, NULL);
    rw_context_free(ctx);
}

/* Workers allocate; signals stay with the caller's own threads. */
static void allocate(void *user, size_t tile, unsigned worker) {
    sigset_t blocked;
    void *block = rw_alloc(user, tile * 13);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!block || sigismember(&blocked, SIGINT) != (worker > 0))
        rw_context_cancel(user);
    rw_free(user, block);
}

static void test_workers_allocate(void **state) {
    meter m = {.left = -1};
    (void)state;
    rw_context *ctx = meter_context(&m);
    rw_parallel_for(ctx, TILES, allocate, ctx);
    assert_false(rw_cancelled(ctx));
    rw_context_free(ctx);
    assert_int_equal(m.alive, 0);
}

/* No memory for the pool: the calling thread does the work. */
static void test_without_pool(void **state) {
    meter m = {.left = -1};
    (void)state;
    rw_context *ctx = meter_context(&m);
    work w = {.ctx = ctx};
    m.left = 0;
    rw_parallel_for(ctx, TILES, one_tile, &w);
    assert_int_equal(w.by[0], TILES);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_tile_once),
        cmocka_unit_test(test_near_takes_over),
        cmocka_unit_test(test_threads_run_together),
        cmocka_unit_test(test_cancel_skips),
        cmocka_unit_test(test_cancel_from_another_thread),
        cmocka_unit_test(test_workers_allocate),
        cmocka_unit_test(test_without_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
