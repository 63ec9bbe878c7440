/*
 * Tensor data as memory: the bytes that reading gives, whatever the container, and no byte of a
 * file that is too short.
 */
#include "checkpoint_support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

static void check_same_bytes(const rw_checkpoint *checkpoint) {
    rw_error err = {0};
    rw_tensor_map *map;
    char piece[4096];
    assert_ok(rw_tensor_map_create(checkpoint, &map, &err));
    for (size_t i = 0; i < rw_checkpoint_tensor_count(checkpoint); i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(checkpoint, i);
        const char *mapped = rw_tensor_map_bytes(map, tensor);
        for (uint64_t at = 0; at < tensor->bytes; at += sizeof piece) {
            uint64_t left = tensor->bytes - at;
            size_t size = left < sizeof piece ? (size_t)left : sizeof piece;
            assert_ok(rw_tensor_read(checkpoint, tensor, at, piece, size, &err));
            assert_memory_equal(mapped + at, piece, size);
        }
    }
    rw_tensor_map_free(map);
}

static void test_safetensors(void **state) {
    (void)state;
    rw_error err = {0};
    rw_context *ctx = test_context();
    rw_checkpoint *checkpoint;
    assert_ok(rw_checkpoint_open(ctx, TINY, 0, &checkpoint, &err));
    check_same_bytes(checkpoint);
    rw_checkpoint_close(checkpoint);
    rw_context_free(ctx);
}

/* A GGUF of two tensors at a 32-byte alignment, nowhere near a page's border. */
static void test_gguf(void **state) {
    (void)state;
    rw_error err = {0};
    rw_context *ctx = test_context();
    rw_checkpoint *checkpoint;
    memory_file file = memory_file_make();
    static bytes b;
    make_gguf(&b);
    memory_file_set(&file, b.data, b.size);
    assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
    assert_true(rw_checkpoint_tensor_count(checkpoint) >= 2);
    check_same_bytes(checkpoint);
    rw_checkpoint_close(checkpoint);
    close(file.fd);
    rw_context_free(ctx);
}

/* Cut after its header was read: refused, since touching the missing part would end us. */
static void test_cut_short(void **state) {
    (void)state;
    rw_error err = {0};
    rw_context *ctx = test_context();
    rw_checkpoint *checkpoint;
    rw_tensor_map *map;
    memory_file file = memory_file_make();
    static bytes b;
    make_gguf(&b);
    memory_file_set(&file, b.data, b.size);
    assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
    assert_int_equal(ftruncate(file.fd, (off_t)b.size - 1), 0);
    assert_int_equal(rw_tensor_map_create(checkpoint, &map, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.truncated");
    assert_null(map);
    rw_checkpoint_close(checkpoint);
    /* a header alone */
    assert_ok(rw_checkpoint_open(ctx, file.path, RW_OPEN_NO_WEIGHTS, &checkpoint, &err));
    assert_int_equal(rw_tensor_map_create(checkpoint, &map, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.truncated");
    rw_checkpoint_close(checkpoint);
    close(file.fd);
    rw_context_free(ctx);
}

/* config.json alone has nothing to map, and that is fine. */
static void test_nothing(void **state) {
    (void)state;
    rw_error err = {0};
    rw_context *ctx = test_context();
    rw_checkpoint *checkpoint;
    assert_ok(rw_checkpoint_open(ctx, TINY "/config.json", 0, &checkpoint, &err));
    check_same_bytes(checkpoint);
    rw_checkpoint_close(checkpoint);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors),
        cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
