/* What a path turns out to be; numbers from packed bytes; real models. */
#include <math.h>

#include "checkpoint_support.h"

static rw_context *ctx;
static rw_error err;

static int set_up(void **state) {
    ctx = test_context();
    return scratch_make(state);
}

static int tear_down(void **state) {
    rw_context_free(ctx);
    return scratch_remove(state);
}

static void content_decides(void **state) {
    (void)state;
    static const struct {
        const char *content;
        size_t size;
        const char *code; /* NULL: a config */
    } cases[] = {
        {"{\"a\":1}", 7, NULL},
        {"\xef\xbb\xbf\r\n {\"a\":1}", 13, NULL},
        {"", 0, "checkpoint.format"},
        {"GG", 2, "checkpoint.format"},
        {"GGUF", 4, "gguf.truncated"},
        {"[1]", 3, "checkpoint.config"},
        {"\"text\"", 6, "checkpoint.config"},
        {"{\"a\":1", 6, "json.syntax"},
        {"{\"a\":1,\"a\":2}", 13, "json.duplicate_key"},
        {"hello", 5, "checkpoint.format"},
        {"\2\0\0\0\0\0\0\0{}", 10, "checkpoint.bare_safetensors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = scratch_path("model.gguf"); /* the name says nothing */
        put_file(path, cases[i].content, cases[i].size);
        rw_status status = try_open(ctx, path, &err);
        if ((status == RW_OK) != !cases[i].code ||
            (cases[i].code && strcmp(err.code, cases[i].code) != 0))
            fail_msg("case %zu: %s", i, status ? err.code : "accepted");
    }
    assert_int_equal(try_open(ctx, scratch_path("nothing"), &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.missing");
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    static char deep[20001];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    put_file(scratch_path("deep.json"), deep, 20000);
    assert_int_equal(try_open(ctx, scratch_path("deep.json"), &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "json.depth");
}

static void sidecars_lie_beside(void **state) {
    (void)state;
    rw_checkpoint *checkpoint;
    rw_buf out = {.ctx = ctx};
    put_file(scratch_path("config.json"), "{}", 2);
    put_file(scratch_path("receipt.json"), "[1]", 3);
    assert_int_equal(try_open(ctx, scratch, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "checkpoint.no_weights");
    assert_ok(rw_checkpoint_open(ctx, scratch_path("config.json"), 0, &checkpoint, &err));
    assert_int_equal(rw_checkpoint_format(checkpoint), RW_FORMAT_CONFIG);
    assert_ok(rw_checkpoint_sidecar(checkpoint, "receipt.json", 100, &out, &err));
    assert_string_equal(out.data, "[1]");
    rw_buf_free(&out);
    out = (rw_buf){.ctx = ctx};
    assert_int_equal(rw_checkpoint_sidecar(checkpoint, "other.json", 100, &out, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, "file.missing");
    assert_int_equal(rw_checkpoint_sidecar(checkpoint, "../x", 100, &out, &err), RW_ERR_INPUT);
    rw_buf_free(&out);
    rw_checkpoint_close(checkpoint);
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* binary16 from its definition, by other means than the code under test. */
static double half_value(unsigned half) {
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double sign = half & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static void every_half_is_right(void **state) {
    (void)state;
    for (unsigned half = 0; half < 65536; half++) {
        uint8_t raw[2] = {(uint8_t)half, (uint8_t)(half >> 8)};
        float value;
        rw_dtype_to_f32(RW_F16, raw, &value, 1);
        double expected = half_value(half);
        if (isnan(expected) ? !isnan(value)
                            : value != expected || !signbit(value) != !signbit(expected))
            fail_msg("half %04x is %a, not %a", half, (double)value, expected);
    }
}

static void blocks_are_right(void **state) {
    (void)state;
    uint8_t q8[34] = {0x00, 0x38}, q4_0[18] = {0x00, 0xc0}, q4_1[20] = {0x00, 0x3c, 0x00, 0xbc};
    float out[32];
    q8[2] = 0x80, q8[33] = 127; /* d = 0.5 */
    rw_dtype_to_f32(RW_Q8_0, q8, out, 32);
    assert_true(out[0] == -64 && out[1] == 0 && out[31] == 63.5f);
    q4_0[2] = 0x0f, q4_0[17] = 0x93; /* d = -2 */
    rw_dtype_to_f32(RW_Q4_0, q4_0, out, 32);
    assert_true(out[0] == -14 && out[16] == 16 && out[15] == 10 && out[31] == -2);
    q4_1[4] = 0x21, q4_1[19] = 0xf0; /* d = 1, m = -1 */
    rw_dtype_to_f32(RW_Q4_1, q4_1, out, 32);
    assert_true(out[0] == 0 && out[16] == 1 && out[15] == -1 && out[31] == 14);
    uint8_t bf16[4] = {0x80, 0x3f, 0x01, 0x00};
    rw_dtype_to_f32(RW_BF16, bf16, out, 2);
    assert_true(out[0] == 1 && out[1] == 0x1p-133f);
}

/* More than one piece of the reader, from a block in the middle. */
static void long_tensors_are_read_in_pieces(void **state) {
    (void)state;
    enum { BLOCKS = 3000 };
    static bytes b;
    static uint8_t block[34];
    static float values[BLOCKS * 32];
    rw_checkpoint *checkpoint;
    memset(&b, 0, sizeof b);
    put_bytes(&b, "GGUF\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    put_tensor_info(&b, "t", 1, BLOCKS * 32, 0, 8, 0);
    put_padding(&b, 32);
    memory_file file = memory_file_make();
    memory_file_set(&file, b.data, b.size);
    for (size_t i = 0; i < BLOCKS; i++) {
        block[1] = 0x3c; /* d = 1 */
        memset(block + 2, (int)(i % 100), 32);
        assert_int_equal(pwrite(file.fd, block, 34, (off_t)(b.size + 34 * i)), 34);
    }
    assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
    const rw_tensor *tensor = rw_checkpoint_tensor_at(checkpoint, 0);
    assert_ok(rw_tensor_read_f32(checkpoint, tensor, 320, (BLOCKS - 10) * 32, values, &err));
    for (size_t i = 0; i < (BLOCKS - 10) * 32; i++)
        assert_true(values[i] == (float)((i / 32 + 10) % 100));
    assert_int_equal(rw_tensor_read_f32(checkpoint, tensor, 16, 32, values, &err), RW_ERR_INTERNAL);
    assert_int_equal(rw_tensor_read_f32(checkpoint, tensor, 32, BLOCKS * 32, values, &err),
                     RW_ERR_INTERNAL);
    rw_checkpoint_close(checkpoint);
    close(file.fd);
}

/* ---- real models ----------------------------------------------------------------------------- */

static void the_embedded_model_opens(void **state) {
    (void)state;
    rw_checkpoint *checkpoint;
    float values[256];
    assert_ok(rw_checkpoint_open(ctx, RW_SOURCE_DIR "/models/tiny", 0, &checkpoint, &err));
    assert_true(rw_json_u64_or(rw_json_get(rw_checkpoint_config(checkpoint), "vocab_size"), 0) ==
                4096);
    const rw_tensor *embed = rw_checkpoint_tensor(checkpoint, "model.embed_tokens.weight");
    assert_true(embed && embed->shape[0] == 4096 && embed->shape[1] == 256);
    assert_ok(rw_tensor_read_f32(checkpoint, embed, 4095 * 256, 256, values, &err));
    rw_checkpoint_close(checkpoint);
}

/* The same weights in both containers, where llama.cpp does not reorder them. */
static void the_gguf_has_the_same_weights(void **state) {
    (void)state;
    static const char *pairs[][2] = {
        {"model.embed_tokens.weight", "token_embd.weight"},
        {"model.layers.3.mlp.down_proj.weight", "blk.3.ffn_down.weight"},
        {"model.norm.weight", "output_norm.weight"}};
    static float a[4096 * 256], b[4096 * 256];
    rw_checkpoint *hf, *gguf;
    if (!rw_path_exists(RW_SHARED_DIR "/models/tiny.gguf")) {
        print_message("skipped: %s is not there\n", RW_SHARED_DIR "/models/tiny.gguf");
        skip();
    }
    assert_ok(rw_checkpoint_open(ctx, RW_SOURCE_DIR "/models/tiny", 0, &hf, &err));
    assert_ok(rw_checkpoint_open(ctx, RW_SHARED_DIR "/models/tiny.gguf", 0, &gguf, &err));
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const rw_tensor *x = rw_checkpoint_tensor(hf, pairs[i][0]);
        const rw_tensor *y = rw_checkpoint_tensor(gguf, pairs[i][1]);
        assert_true(x && y && x->elements == y->elements && x->shape[0] == y->shape[0]);
        assert_ok(rw_tensor_read_f32(hf, x, 0, x->elements, a, &err));
        assert_ok(rw_tensor_read_f32(gguf, y, 0, y->elements, b, &err));
        assert_memory_equal(a, b, x->elements * sizeof *a);
    }
    rw_checkpoint_close(hf);
    rw_checkpoint_close(gguf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_decides),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(sidecars_lie_beside),
        cmocka_unit_test(every_half_is_right),
        cmocka_unit_test(blocks_are_right),
        cmocka_unit_test(long_tensors_are_read_in_pieces),
        cmocka_unit_test(the_embedded_model_opens),
        cmocka_unit_test(the_gguf_has_the_same_weights),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
