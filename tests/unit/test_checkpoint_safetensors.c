/* safetensors headers and shards: what is read, and what every kind of lie comes to. */
#include "checkpoint_support.h"

static rw_context *ctx;
static rw_error err;

static const char good_header[] =
    "{\"__metadata__\":{\"format\":\"pt\"},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[8,24]},"
    "\"a\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[0,8]},"
    "\"i\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]},"
    "\"none\":{\"dtype\":\"F16\",\"shape\":[0,3],\"data_offsets\":[32,32]}}";

static int set_up(void **state) {
    ctx = test_context();
    return scratch_make(state);
}

static int tear_down(void **state) {
    rw_context_free(ctx);
    return scratch_remove(state);
}

/* Removed first: some file systems flush a file that is rewritten, which takes its time. */
static void put_anew(const char *name, const void *data, size_t size) {
    remove(scratch_path(name));
    put_file(scratch_path(name), data, size);
}

/* A file of that name: length, header, `data_size` bytes of data. */
static void put_weights(const char *name, uint64_t length, const char *header, size_t data_size) {
    bytes *b = calloc(1, sizeof *b);
    put_number(b, "header length", length, 8);
    put_bytes(b, header, strlen(header));
    for (size_t i = 0; i < data_size; i++)
        put_bytes(b, &(uint8_t){(uint8_t)(3 * i + 1)}, 1);
    put_anew(name, b->data, b->size);
    free(b);
}

static void put_model(const char *header, size_t data_size) {
    remove(scratch_path("model.safetensors.index.json"));
    put_anew("config.json", "{}", 2);
    put_weights("model.safetensors", strlen(header), header, data_size);
}

static void assert_refused(const char *code) {
    assert_int_equal(try_open(ctx, scratch, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, code);
}

static void tensors_are_read(void **state) {
    (void)state;
    rw_checkpoint *checkpoint;
    float values[4];
    put_model(good_header, 32);
    assert_ok(rw_checkpoint_open(ctx, scratch, 0, &checkpoint, &err));
    assert_int_equal(rw_checkpoint_format(checkpoint), RW_FORMAT_HF);
    assert_int_equal(rw_checkpoint_tensor_count(checkpoint), 4);
    assert_int_equal(rw_checkpoint_file_count(checkpoint), 2);
    const rw_tensor *b = rw_checkpoint_tensor(checkpoint, "b");
    assert_true(b && b->n_dims == 2 && b->dtype == RW_F32 && b->bytes == 16);
    assert_int_equal(b->offset, 8 + strlen(good_header) + 8);
    uint8_t expected[4] = {25, 28, 31, 34}; /* the bytes 8 to 11 of the data */
    assert_ok(rw_tensor_read_f32(checkpoint, b, 0, 1, values, &err));
    assert_memory_equal(values, expected, 4);
    const rw_tensor *i = rw_checkpoint_tensor(checkpoint, "i");
    assert_true(i && i->n_dims == 0 && i->elements == 1);
    assert_int_equal(rw_tensor_read_f32(checkpoint, i, 0, 1, values, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "checkpoint.dtype");
    rw_checkpoint_close(checkpoint);
}

static void each_kind_of_damage_is_named(void **state) {
    (void)state;
    static const struct {
        const char *entries, *code;
    } cases[] = {
        {"", "safetensors.hole"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", NULL},
        {"\"a\":{\"dtype\":\"NEW\",\"shape\":[2],\"data_offsets\":[0,8]}", NULL},
        {"\"a\":{\"dtype\":\"F4\",\"shape\":[16],\"data_offsets\":[0,8]}", NULL},
        {"\"a\":{\"dtype\":\"F4\",\"shape\":[15],\"data_offsets\":[0,8]}", "safetensors.size"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}", "safetensors.size"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", "safetensors.hole"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}", "safetensors.hole"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}", "safetensors.range"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}", "safetensors.range"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}",
         "safetensors.overlap"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[6,8]}",
         "safetensors.hole"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}",
         "json.duplicate_key"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}", "safetensors.shape"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}", "safetensors.shape"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}",
         "safetensors.shape"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[9007199254740992,4611686018427387904],"
         "\"data_offsets\":[0,8]}",
         "safetensors.shape"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}",
         "safetensors.shape"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}", "safetensors.offsets"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,1e1]}", "safetensors.offsets"},
        {"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}", "safetensors.offsets"},
        {"\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}", "safetensors.dtype"},
        {"\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}", "safetensors.shape"},
        {"\"a\":7", "safetensors.header"},
        {"\"a\":", "json.syntax"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[512];
        snprintf(header, sizeof header, "{%s}", cases[i].entries);
        put_model(header, 8);
        rw_status status = try_open(ctx, scratch, &err);
        if ((status == RW_OK) != !cases[i].code ||
            (cases[i].code && strcmp(err.code, cases[i].code) != 0))
            fail_msg("%s: %s", header, status ? err.code : "accepted");
    }
}

static void header_lengths_may_lie(void **state) {
    (void)state;
    static const struct {
        uint64_t length;
        const char *code;
    } cases[] = {{0, "safetensors.header"},
                 {1, "json.syntax"},
                 {sizeof good_header - 2, "json.syntax"},
                 {sizeof good_header, "json.syntax"},
                 {sizeof good_header + 31, "json.syntax"},
                 {sizeof good_header + 32, "safetensors.truncated"},
                 {100000000, "safetensors.truncated"},
                 {100000001, "safetensors.header_size"},
                 {UINT64_MAX, "safetensors.header_size"}};
    put_model(good_header, 32);
    assert_int_equal(try_open(ctx, scratch, &err), RW_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_weights("model.safetensors", cases[i].length, good_header, 32);
        int status = try_open(ctx, scratch, &err);
        /* bytes of data behind the header are no JSON, and may be no UTF-8 either */
        bool damaged =
            strncmp(err.code, "json.", 5) == 0 && strncmp(cases[i].code, "json.", 5) == 0;
        if (status != RW_ERR_INPUT || (!damaged && strcmp(err.code, cases[i].code) != 0))
            fail_msg("length %llu: %s", (unsigned long long)cases[i].length, err.code);
    }
}

static void every_cut_and_flip_is_survived(void **state) {
    (void)state;
    uint8_t data[512];
    put_model(good_header, 32);
    FILE *f = fopen(scratch_path("model.safetensors"), "rb");
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    for (size_t cut = 0; cut < size; cut++) {
        put_anew("model.safetensors", data, cut);
        assert_int_equal(try_open(ctx, scratch, &err), RW_ERR_INPUT);
    }
    for (size_t bit = 0; bit < 8 * (size - 32); bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        put_anew("model.safetensors", data, size);
        try_open(ctx, scratch, &err);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* ---- shards ---------------------------------------------------------------------------------- */

static void put_shards(const char *map) {
    char index[1024];
    snprintf(index, sizeof index, "{\"metadata\":{},\"weight_map\":{%s}}", map);
    remove(scratch_path("model.safetensors"));
    put_file(scratch_path("config.json"), "{}", 2);
    put_file(scratch_path("model.safetensors.index.json"), index, strlen(index));
    static const char one[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                              "\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
    static const char two[] = "{\"z\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    put_weights("one.safetensors", sizeof one - 1, one, 8);
    put_weights("two.safetensors", sizeof two - 1, two, 4);
}

static void shards_are_one_model(void **state) {
    (void)state;
    rw_checkpoint *checkpoint;
    put_shards("\"z\":\"two.safetensors\",\"x\":\"one.safetensors\",\"y\":\"one.safetensors\"");
    assert_ok(rw_checkpoint_open(ctx, scratch, 0, &checkpoint, &err));
    assert_int_equal(rw_checkpoint_tensor_count(checkpoint), 3);
    assert_int_equal(rw_checkpoint_file_count(checkpoint), 3);
    assert_non_null(rw_checkpoint_tensor(checkpoint, "z"));
    read_everything(checkpoint);
    rw_checkpoint_close(checkpoint);
}

static void a_bad_index_is_refused(void **state) {
    (void)state;
    put_shards("\"x\":\"../one.safetensors\"");
    assert_refused("safetensors.shard_name");
    put_shards("\"x\":\"..\"");
    assert_refused("safetensors.shard_name");
    put_shards("\"x\":\"one\\u0000.safetensors\"");
    assert_refused("safetensors.shard_name");
    put_shards("\"x\":\"\"");
    assert_refused("safetensors.shard_name");
    put_shards("\"x\":7");
    assert_refused("safetensors.shard_name");
    put_shards("");
    assert_refused("safetensors.index");
    put_shards("\"x\":\"two.safetensors\"");
    assert_refused("safetensors.index");
    put_shards("\"w\":\"one.safetensors\"");
    assert_refused("safetensors.index");
    put_shards("\"x\":\"three.safetensors\"");
    assert_refused("file.missing");
    put_shards("\"z\":\"two.safetensors\",\"x\":\"one.safetensors\"");
    put_file(scratch_path("one.safetensors"), "", 0);
    assert_refused("safetensors.truncated");
    put_shards("\"z\":\"two.safetensors\",\"x\":\"one.safetensors\"");
    static const char twin[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                               "\"z\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
    put_weights("one.safetensors", sizeof twin - 1, twin, 8);
    assert_int_equal(try_open(ctx, scratch, &err), RW_ERR_INPUT);
}

static void weights_may_be_missing_when_not_needed(void **state) {
    (void)state;
    rw_checkpoint *checkpoint;
    put_shards("\"x\":\"three.safetensors\"");
    assert_ok(rw_checkpoint_open(ctx, scratch, RW_OPEN_NO_WEIGHTS, &checkpoint, &err));
    assert_int_equal(rw_checkpoint_tensor_count(checkpoint), 0);
    assert_int_equal(rw_checkpoint_file_count(checkpoint), 1);
    rw_checkpoint_close(checkpoint);
    remove(scratch_path("model.safetensors.index.json"));
    assert_refused("checkpoint.no_weights");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_read),
        cmocka_unit_test(each_kind_of_damage_is_named),
        cmocka_unit_test(header_lengths_may_lie),
        cmocka_unit_test(every_cut_and_flip_is_survived),
        cmocka_unit_test(shards_are_one_model),
        cmocka_unit_test(a_bad_index_is_refused),
        cmocka_unit_test(weights_may_be_missing_when_not_needed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
