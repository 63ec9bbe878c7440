/* Quantised blocks to float32: the bits that gguf's own dequantize gives (tests/data/dequant.json,
   made by tools/dequant_vectors.py). */
#include "checkpoint_support.h"

static rw_context *ctx;
static rw_error err;

static int set_up(void **state) {
    (void)state;
    ctx = test_context();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rw_context_free(ctx);
    return 0;
}

static rw_dtype dtype_named(rw_str name) {
    for (int dtype = 0; dtype < RW_DTYPE_OTHER; dtype++)
        if (rw_str_is(name, rw_dtype_name((rw_dtype)dtype)))
            return (rw_dtype)dtype;
    fail_msg("no type %.*s", (int)name.size, name.data);
    return RW_DTYPE_OTHER;
}

static size_t from_hex(rw_str text, uint8_t *out, size_t capacity) {
    assert_true(text.size % 2 == 0 && text.size / 2 <= capacity);
    for (size_t i = 0; i < text.size / 2; i++) {
        char digits[3] = {text.data[2 * i], text.data[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return text.size / 2;
}

static rw_str text_of(const rw_json *vector, const char *key) {
    const rw_json *node = rw_json_get(vector, key);
    assert_true(node && node->type == RW_JSON_STRING);
    return node->string;
}

/* Twice the block, so that the step from one to the next is seen, too. */
static void check_vector(const rw_json *vector) {
    uint8_t blocks[1024], expected[1024];
    float values[512];
    uint32_t elements, size;
    rw_dtype dtype = dtype_named(text_of(vector, "type"));
    rw_dtype_block(dtype, &elements, &size);
    assert_int_equal(from_hex(text_of(vector, "block"), blocks, 512), size);
    assert_int_equal(from_hex(text_of(vector, "f32"), expected, 1024), 4 * elements);
    memcpy(blocks + size, blocks, size);
    memset(values, 0xff, sizeof values);
    rw_dtype_to_f32(dtype, blocks, values, 2 * elements);
    for (size_t i = 0; i < 2 * elements; i++)
        if (memcmp(values + i, expected + 4 * (i % elements), 4) != 0)
            fail_msg("%s: element %zu is %a", rw_dtype_name(dtype), i, (double)values[i]);
}

static void blocks_widen_as_gguf_has_them(void **state) {
    (void)state;
    rw_buf text = {.ctx = ctx};
    rw_arena arena = {.ctx = ctx};
    const rw_json *root;
    unsigned seen = 0;
    const char *path = RW_SOURCE_DIR "/tests/data/dequant.json";
    assert_ok(rw_file_load(ctx, path, 1 << 20, &text, &err));
    assert_ok(rw_json_parse(&arena, (rw_str){text.data, text.size}, path, &root, &err));
    const rw_json *vectors = rw_json_get(root, "vectors");
    for (const rw_json *v = vectors->first; v; v = v->next) {
        check_vector(v);
        seen |= 1u << dtype_named(text_of(v, "type"));
    }
    for (int dtype = RW_Q8_0; dtype < RW_DTYPE_OTHER; dtype++)
        if (!(seen >> dtype & 1))
            fail_msg("no vector of %s", rw_dtype_name((rw_dtype)dtype));
    rw_arena_free(&arena);
    rw_buf_free(&text);
}

/* Through a file: the type's number, its block and its reader belong together. */
static void each_type_is_read_from_a_file(void **state) {
    (void)state;
    static const struct {
        uint32_t id;
        rw_dtype dtype;
    } types[] = {{2, RW_Q4_0},  {3, RW_Q4_1},  {6, RW_Q5_0},  {7, RW_Q5_1},  {8, RW_Q8_0},
                 {10, RW_Q2_K}, {11, RW_Q3_K}, {12, RW_Q4_K}, {13, RW_Q5_K}, {14, RW_Q6_K}};
    static bytes b;
    memory_file file = memory_file_make();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        rw_checkpoint *checkpoint;
        uint32_t elements, size;
        float values[512], direct[512];
        uint8_t raw[1024];
        rw_dtype_block(types[i].dtype, &elements, &size);
        memset(&b, 0, sizeof b);
        put_bytes(&b, "GGUF\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
        put_tensor_info(&b, "t", 2, elements, 2, types[i].id, 0);
        put_padding(&b, 32);
        for (size_t k = 0; k < 2 * size; k++)
            raw[k] = (uint8_t)(k * 37 % 59); /* no half of these is a NaN */
        put_bytes(&b, raw, 2 * size);
        memory_file_set(&file, b.data, b.size);
        assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
        const rw_tensor *tensor = rw_checkpoint_tensor(checkpoint, "t");
        assert_true(tensor->dtype == types[i].dtype && tensor->ggml_type == types[i].id);
        assert_int_equal(tensor->bytes, 2 * size);
        assert_string_equal(tensor->dtype_name, rw_dtype_name(types[i].dtype));
        assert_ok(rw_tensor_read_f32(checkpoint, tensor, 0, 2 * elements, values, &err));
        rw_dtype_to_f32(types[i].dtype, raw, direct, 2 * elements);
        assert_memory_equal(values, direct, 2 * elements * sizeof *values);
        rw_checkpoint_close(checkpoint);
    }
    close(file.fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_widen_as_gguf_has_them),
        cmocka_unit_test(each_type_is_read_from_a_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
