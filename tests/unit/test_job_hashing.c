/*
 * Files and tensors hashed side by side: the same digests as one by one, for any number of threads;
 * what can't be read stays without one; tensors that are not those of the input are noticed.
 */
#include <unistd.h>

#include "checkpoint_support.h"
#include "job/extend.h"

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

/* ---- tensors --------------------------------------------------------------------------------- */

enum { ROWS = 700000 }; /* the matrix has 2.8 MB: several pieces */

typedef struct variant {
    const char *name;
    uint32_t version;      /* 2 or 3: a header that differs is none of the tensors' business */
    const char *rotation;  /* a tensor of the rotation in front, or NULL */
    const char *last_name; /* of the last tensor; NULL: there is none */
    uint64_t last_rows;
    size_t changed; /* byte of the data that differs from its place's value; 0: none */
    bool same;
} variant;

static const variant variants[] = {
    {"as it is", 3, NULL, "norm", 4, 0, true},
    {"an older header", 2, NULL, "norm", 4, 0, true},
    {"rope_freqs before all", 3, "rope_freqs.weight", "norm", 4, 0, true},
    {"a byte of the first piece", 3, NULL, "norm", 4, 1, false},
    {"a byte of the last piece", 3, NULL, "norm", 4, 4 * ROWS - 1, false},
    {"a byte of the last tensor", 3, NULL, "norm", 4, 4 * ROWS + 5, false},
    {"another name", 3, NULL, "gain", 4, 0, false},
    {"another shape", 3, NULL, "norm", 3, 0, false},
    {"one more", 3, "other", "norm", 4, 0, false},
    {"one less", 3, NULL, NULL, 0, 0, false},
};

/* [rotation,] matrix, norm. ROWS * 4 is a multiple of the alignment. */
static void write_variant(const variant *v, const char *path) {
    static bytes head;
    uint64_t begin = v->rotation ? 32 : 0,
             count = 1 + (v->rotation != NULL) + (v->last_name != NULL);
    size_t data = 4 * (ROWS + (size_t)v->last_rows);
    memset(&head, 0, sizeof head);
    put_bytes(&head, "GGUF", 4);
    put_number(&head, "version", v->version, 4);
    put_number(&head, "tensor count", count, 8);
    put_number(&head, "value count", 1, 8);
    put_key(&head, "general.architecture", RW_GGUF_STRING);
    put_text(&head, "string length", "llama");
    if (v->rotation)
        put_tensor_info(&head, v->rotation, 1, 8, 0, 0, 0);
    put_tensor_info(&head, "matrix", 1, ROWS, 0, 0, begin);
    if (v->last_name)
        put_tensor_info(&head, v->last_name, 1, v->last_rows, 0, 0, begin + 4 * ROWS);
    put_padding(&head, 32);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(head.data, 1, head.size, file), head.size);
    for (size_t i = 0; i < begin; i++)
        putc(99, file);
    for (size_t i = 0; i < data; i++)
        putc((int)((i * 31 + i / 977) & 255) ^ (v->changed && i == v->changed), file);
    assert_int_equal(fclose(file), 0);
}

static void open_variant(rw_context *ctx, const variant *v, size_t i, rw_checkpoint **out) {
    rw_error err = {0};
    write_variant(v, path_of(i));
    assert_ok(rw_checkpoint_open(ctx, path_of(i), 0, out, &err));
}

/* With the files themselves beside it, as extend does it. */
static void check_variant(rw_context *ctx, const rw_checkpoint *input, const variant *v) {
    rw_error err = {0};
    rw_checkpoint *output;
    rw_sha256 digest, alone, whole;
    uint64_t count = 0;
    rw_arena arena = {.ctx = ctx};
    rw_file_list files = {.arena = &arena}, none = {.arena = &arena};
    rw_file_list *const lists[] = {&none, &files};
    rw_tensor_reading reading;
    open_variant(ctx, v, 1, &output);
    assert_ok(rw_list_note(&files, path_of(0), "input", NULL, &err));
    assert_ok(rw_list_note(&files, path_of(1), "output", NULL, &err));
    assert_ok(rw_tensor_reading_begin(ctx, output, input, &reading, &err));
    assert_ok(rw_hash_together(ctx, lists, 2, &reading, &err));
    assert_ok(rw_tensor_reading_finish(&reading, &digest, &err));
    rw_tensor_reading_end(&reading);
    if (reading.same != v->same)
        fail_msg("%s: %s", v->name, reading.same ? "not noticed" : "taken for a difference");
    assert_ok(rw_tensors_hash(ctx, output, &count, &alone, &err));
    assert_memory_equal(&digest, &alone, sizeof digest);
    assert_int_equal(count, reading.count);
    assert_ok(rw_tensors_hash(ctx, input, &count, &alone, &err));
    assert_int_equal(memcmp(&digest, &alone, sizeof digest) == 0, v->same);
    assert_ok(rw_tensor_reading_begin(ctx, input, output, &reading, &err)); /* the other way */
    assert_ok(rw_tensor_reading_finish(&reading, &digest, &err));
    rw_tensor_reading_end(&reading);
    assert_int_equal(reading.same, v->same);
    assert_ok(rw_sha256_file(ctx, path_of(1), &whole, &err));
    assert_memory_equal(&rw_list_find(&files, "output")->digest, &whole, sizeof whole);
    rw_checkpoint_close(output);
    rw_arena_free(&arena);
}

static void test_tensors(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++) {
        const rw_context_options options = {.struct_size = sizeof options, .threads = threads};
        rw_error err = {0};
        rw_context *ctx = NULL;
        rw_checkpoint *input;
        assert_ok(rw_context_create(&options, &ctx, &err));
        open_variant(ctx, &variants[0], 0, &input);
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
            check_variant(ctx, input, &variants[i]);
        rw_checkpoint_close(input);
        rw_context_free(ctx);
    }
    unlink(path_of(0));
    unlink(path_of(1));
}

/* What was there when the file was opened and is no more: an error, not a shorter hash. */
static void test_tensors_cut_short(void **state) {
    (void)state;
    rw_error err = {0};
    rw_context *ctx = NULL;
    rw_checkpoint *input;
    rw_sha256 digest;
    uint64_t count;
    rw_tensor_reading reading;
    assert_ok(rw_context_create(NULL, &ctx, &err));
    open_variant(ctx, &variants[0], 0, &input);
    assert_int_equal(truncate(path_of(0), 2000000), 0);
    assert_int_equal(rw_tensors_hash(ctx, input, &count, &digest, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.truncated");
    assert_ok(rw_tensor_reading_begin(ctx, input, NULL, &reading, &err));
    memset(&err, 0, sizeof err);
    assert_int_equal(rw_hash_together(ctx, NULL, 0, &reading, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.truncated");
    rw_tensor_reading_end(&reading);
    rw_checkpoint_close(input);
    rw_context_free(ctx);
    unlink(path_of(0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_side_by_side),
                                       cmocka_unit_test(test_tensors),
                                       cmocka_unit_test(test_tensors_cut_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
