/*
 * Files hashed side by side: the same digests as one by one, for any number of threads; what can't
 * be read stays without one.
 */
#include <unistd.h>

#include "job/extend.h"
#include "support.h"

static const size_t sizes[] = {0, 1, 5000000, 4194304, 4194305, 77, 9000001, 12};
enum { FILES = sizeof sizes / sizeof *sizes };

static const char *path_of(size_t i) {
    static char path[64];
    snprintf(path, sizeof path, "/tmp/rw-hashing-%d-%zu", (int)getpid(), i);
    return path;
}

static void write_files(void) {
    for (size_t i = 0; i < FILES; i++) {
        FILE *file = fopen(path_of(i), "wb");
        assert_non_null(file);
        for (size_t b = 0; b < sizes[i]; b++)
            putc((int)((b * 31 + i * 7 + b / 4096) & 255), file);
        assert_int_equal(fclose(file), 0);
    }
}

static void check(unsigned threads) {
    const rw_context_options options = {.struct_size = sizeof options, .threads = threads};
    rw_error err = {0};
    rw_context *ctx = NULL;
    assert_ok(rw_context_create(&options, &ctx, &err));
    rw_arena arena = {.ctx = ctx};
    rw_file_list list = {.arena = &arena};
    for (size_t i = 0; i < FILES; i++)
        assert_ok(rw_list_note(&list, path_of(i), path_of(i), NULL, &err));
    assert_ok(rw_list_note(&list, "/tmp/rw-hashing-none", "none", NULL, &err));
    assert_ok(rw_list_hash_together(ctx, &list, &err));
    for (size_t i = 0; i < FILES; i++) {
        rw_sha256 alone;
        assert_ok(rw_sha256_file(ctx, path_of(i), &alone, &err));
        assert_true(list.items[i].hashed);
        assert_int_equal(list.items[i].bytes, sizes[i]);
        assert_memory_equal(&alone, &list.items[i].digest, sizeof alone);
    }
    assert_false(list.items[FILES].hashed);
    assert_int_equal(rw_list_hash(ctx, &list, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.missing");
    rw_context_cancel(ctx);
    list.items[2].hashed = false;
    assert_int_equal(rw_list_hash_together(ctx, &list, &err), RW_ERR_CANCELLED);
    rw_arena_free(&arena);
    rw_context_free(ctx);
}

static void test_side_by_side(void **state) {
    (void)state;
    write_files();
    for (unsigned threads = 1; threads <= 5; threads += 2)
        check(threads);
    for (size_t i = 0; i < FILES; i++)
        unlink(path_of(i));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_side_by_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
