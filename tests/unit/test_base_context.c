/* Errors, context options, allocator, log, progress, cancel. */
#include "base_support.h"

/* ---- errors ------------------------------------------------------------------------------- */

static void test_exit_codes(void **state) {
    static const int codes[] = {0, 1, 2, 3, 4, 5, 5, 5, 6, 130};
    (void)state;
    for (int i = 0; i <= RW_ERR_CANCELLED; i++)
        assert_int_equal(rw_status_exit_code((rw_status)i), codes[i]);
    assert_int_equal(rw_status_exit_code((rw_status)99), 6);
    assert_string_equal(rw_status_name(RW_ERR_REFUSED), "refused");
    assert_string_equal(rw_status_name((rw_status)-1), "internal");
}

static void test_fail_fills(void **state) {
    rw_error err;
    (void)state;
    assert_int_equal(
        rw_fail_at(&err, RW_ERR_INPUT, "gguf.truncated", "a.gguf", 77, "%d of %s", 3, "bytes"),
        RW_ERR_INPUT);
    assert_string_equal(err.code, "gguf.truncated");
    assert_string_equal(err.where, "a.gguf");
    assert_string_equal(err.message, "3 of bytes");
    assert_int_equal(err.offset, 77);
    /* what a lower call said may be an argument */
    rw_fail(&err, RW_ERR_INPUT, err.code, NULL, "while loading: %s", err.message);
    assert_string_equal(err.message, "while loading: 3 of bytes");
    assert_string_equal(err.code, "gguf.truncated");
    assert_string_equal(err.where, "");
    assert_true(err.offset == RW_NO_OFFSET);
    assert_int_equal(rw_fail(NULL, RW_NO, "x", NULL, "y"), RW_NO);
}

static void test_fail_cleans(void **state) {
    rw_error err;
    (void)state;
    rw_fail(&err, RW_ERR_INPUT, "x.y", "a\x1b[31m\n",
            "bell\a del\x7f c1\xC2\x9B bad\xFF ok\xC3\xA9");
    assert_string_equal(err.where, "a?[31m?");
    assert_string_equal(err.message, "bell? del? c1?? bad? ok\xC3\xA9");
}

/* At every phase of a 3-byte character, the cut falls between characters. */
static void test_fail_cuts_at_characters(void **state) {
    char text[2000];
    (void)state;
    for (int phase = 0; phase < 3; phase++) {
        rw_error err;
        memset(text, 'a', (size_t)phase);
        for (int i = phase; i + 3 < (int)sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC\0", 4);
        rw_fail(&err, RW_ERR_INPUT, "x.y", text, "%s", text);
        size_t size = strlen(err.message), whole = (RW_ERROR_MESSAGE_MAX - 1 - (size_t)phase) / 3;
        assert_int_equal(size, (size_t)phase + 3 * whole);
        assert_null(strchr(err.message, '?'));
        assert_null(strchr(err.where, '?'));
        assert_true(strlen(err.where) >= RW_ERROR_WHERE_MAX - 3);
    }
}

/* ---- options ------------------------------------------------------------------------------ */

static void test_options(void **state) {
    rw_context *ctx = (rw_context *)1;
    rw_error err = {0};
    (void)state;
    rw_context_options options = {0};
    assert_int_equal(rw_context_create(&options, &ctx, &err), RW_ERR_USAGE);
    assert_null(ctx);
    assert_string_equal(err.code, "context.struct_size");
    options.struct_size = sizeof options;
    options.cpu_level = (rw_cpu_level)17;
    assert_int_equal(rw_context_create(&options, &ctx, &err), RW_ERR_USAGE);
    assert_string_equal(err.code, "context.cpu_level");
    options.cpu_level = RW_CPU_GENERIC;
    options.threads = 3;
    assert_ok(rw_context_create(&options, &ctx, &err));
    assert_int_equal(rw_context_cpu_level(ctx), RW_CPU_GENERIC);
    assert_int_equal(rw_context_threads(ctx), 3);
    rw_context_free(ctx);
    assert_ok(rw_context_create(NULL, &ctx, &err));
    assert_true(rw_context_threads(ctx) >= 1);
    assert_true(rw_context_cpu_level(ctx) > RW_CPU_BEST);
    rw_context_free(ctx);
    rw_context_free(NULL);
}

/* A caller of another version: shorter struct, or longer with something set. */
static void test_options_of_other_versions(void **state) {
    struct {
        rw_context_options known;
        unsigned long later;
    } longer = {.known = {.struct_size = sizeof longer, .threads = 2}};
    rw_context *ctx;
    rw_error err = {0};
    (void)state;
    assert_ok(rw_context_create(&longer.known, &ctx, &err));
    assert_int_equal(rw_context_threads(ctx), 2);
    rw_context_free(ctx);
    longer.later = 1;
    assert_int_equal(rw_context_create(&longer.known, &ctx, &err), RW_ERR_USAGE);
    rw_context_options shorter = {.struct_size = offsetof(rw_context_options, threads),
                                  .threads = 77};
    assert_ok(rw_context_create(&shorter, &ctx, &err));
    assert_int_not_equal(rw_context_threads(ctx), 77);
    rw_context_free(ctx);
}

/* ---- allocator ---------------------------------------------------------------------------- */

static void check_blocks(rw_context *ctx) {
    for (size_t size = 0; size < 300; size += 7) {
        unsigned char *block = rw_alloc(ctx, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        memset(block, 0x5A, size);
        block = rw_grow(ctx, block, size, 2 * size + 1);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0x5A);
        rw_free(ctx, block);
    }
    unsigned char *zeroed = rw_calloc(ctx, 10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
    rw_free(ctx, zeroed);
    rw_free(ctx, NULL);
    assert_null(rw_alloc(ctx, SIZE_MAX));
    assert_null(rw_alloc(ctx, SIZE_MAX - 70));
    assert_null(rw_calloc(ctx, SIZE_MAX / 2, 3));
}

static void test_alloc(void **state) {
    meter m = {.left = -1};
    (void)state;
    rw_context *ctx = test_context();
    check_blocks(ctx);
    rw_context_free(ctx);
    ctx = meter_context(&m);
    check_blocks(ctx);
    rw_context_free(ctx);
    assert_int_equal(m.alive, 0);
}

static void test_alloc_fails(void **state) {
    meter m = {.left = -1};
    (void)state;
    rw_context *ctx = meter_context(&m);
    char *kept = rw_alloc(ctx, 4);
    memcpy(kept, "abc", 4);
    m.left = 0;
    assert_null(rw_alloc(ctx, 10));
    assert_null(rw_grow(ctx, kept, 4, 100));
    assert_string_equal(kept, "abc");
    rw_free(ctx, kept);
    rw_context_free(ctx);
    assert_int_equal(m.alive, 0);
    rw_context_options options = {
        .struct_size = sizeof options, .user = &m, .realloc = meter_realloc};
    rw_error err;
    assert_int_equal(rw_context_create(&options, &ctx, &err), RW_ERR_MEMORY);
    assert_null(ctx);
}

static void test_checked_sizes(void **state) {
    size_t out = 7;
    (void)state;
    assert_false(rw_mul_size(SIZE_MAX, 2, &out));
    assert_false(rw_add_size(SIZE_MAX, 1, &out));
    assert_int_equal(out, 7);
    assert_true(rw_mul_size(6, 7, &out));
    assert_int_equal(out, 42);
    assert_true(rw_add_size(SIZE_MAX, 0, &out));
    assert_true(out == SIZE_MAX);
}

/* ---- callbacks ---------------------------------------------------------------------------- */

typedef struct heard {
    char line[2000];
    int reports;
    uint64_t last;
} heard;

static void hear_log(void *user, rw_severity severity, const char *line) {
    heard *h = user;
    snprintf(h->line, sizeof h->line, "%d %s", (int)severity, line);
}

static void hear_progress(void *user, const char *task, uint64_t done, uint64_t total,
                          const char *unit) {
    heard *h = user;
    (void)task, (void)total, (void)unit;
    h->reports++;
    h->last = done;
}

static void test_talk(void **state) {
    heard h = {0};
    rw_context *ctx;
    (void)state;
    rw_context_options options = {
        .struct_size = sizeof options, .user = &h, .log = hear_log, .progress = hear_progress};
    assert_int_equal(rw_context_create(&options, &ctx, NULL), RW_OK);
    rw_log(ctx, RW_WARNING, "file %s has %.1f", "a\nb", 1.5);
    assert_string_equal(h.line, "1 file a?b has 1.5");
    double begin = rw_now();
    for (uint64_t i = 1; i <= 100000; i++)
        rw_progress(ctx, "hash", i, 100000, "bytes");
    /* however slow the machine: the first, the last, and ten a second between */
    assert_true(h.reports >= 2 && h.reports <= 3 + (int)((rw_now() - begin) * 10));
    assert_int_equal(h.last, 100000);
    int before = h.reports;
    rw_progress(ctx, "copy", 1, 0, "bytes"); /* another task is heard at once */
    assert_int_equal(h.reports, before + 1);
    rw_context_free(ctx);
    ctx = test_context(); /* no callbacks: silence */
    rw_log(ctx, RW_INFO, "nobody hears");
    rw_progress(ctx, "x", 1, 1, "y");
    rw_context_free(ctx);
}

static void test_cancel(void **state) {
    rw_error err = {0};
    (void)state;
    rw_context *ctx = test_context();
    assert_ok(rw_check_cancel(ctx, &err));
    assert_false(rw_cancelled(ctx));
    rw_context_cancel(ctx);
    assert_true(rw_cancelled(ctx));
    assert_int_equal(rw_check_cancel(ctx, &err), RW_ERR_CANCELLED);
    assert_string_equal(err.code, "context.cancelled");
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),    cmocka_unit_test(test_fail_fills),
        cmocka_unit_test(test_fail_cleans),   cmocka_unit_test(test_fail_cuts_at_characters),
        cmocka_unit_test(test_options),       cmocka_unit_test(test_options_of_other_versions),
        cmocka_unit_test(test_alloc),         cmocka_unit_test(test_alloc_fails),
        cmocka_unit_test(test_checked_sizes), cmocka_unit_test(test_talk),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
