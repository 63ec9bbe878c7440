/* GGUF headers: what is read, and what every kind of lie comes to. */
#include "checkpoint_support.h"

static rw_context *ctx;
static bytes sample;
static memory_file file;
static rw_error err;

static int set_up(void **state) {
    (void)state;
    ctx = test_context();
    file = memory_file_make();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    close(file.fd);
    rw_context_free(ctx);
    return 0;
}

static rw_status open_sample(void) {
    memory_file_set(&file, sample.data, sample.size);
    return try_open(ctx, file.path, &err);
}

static void assert_refused(const char *code) {
    assert_int_equal(open_sample(), RW_ERR_INPUT);
    assert_string_equal(err.code, code);
}

static rw_checkpoint *open_good(void) {
    rw_checkpoint *checkpoint;
    make_gguf(&sample);
    memory_file_set(&file, sample.data, sample.size);
    assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
    return checkpoint;
}

/* The n-th field of that name, from 0. */
static const field *find_field(const char *name, int n) {
    for (size_t i = 0; i < sample.field_count; i++)
        if (strcmp(sample.fields[i].name, name) == 0 && n-- == 0)
            return &sample.fields[i];
    fail_msg("no field %s", name);
    return NULL;
}

static void lie(const char *name, int n, uint64_t value) {
    make_gguf(&sample);
    const field *f = find_field(name, n);
    store(sample.data + f->at, value, f->width);
}

static void values_are_read(void **state) {
    (void)state;
    rw_checkpoint *checkpoint = open_good();
    const rw_gguf *gguf = rw_checkpoint_gguf(checkpoint);
    static const struct {
        const char *key;
        double value;
    } numbers[] = {{"u8", 200}, {"i8", -1},   {"u16", 65535},  {"i16", -32768}, {"u32", 4000000000},
                   {"i32", -2}, {"f32", 1.5}, {"u64", 0x1p64}, {"i64", -5},     {"f64", 2.5}};
    assert_int_equal(rw_gguf_count(gguf), SAMPLE_VALUES);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double value = 0;
        assert_true(rw_gguf_double(gguf, numbers[i].key, &value));
        if (value != numbers[i].value)
            fail_msg("%s is %g", numbers[i].key, value);
    }
    uint64_t whole = 0;
    assert_true(rw_gguf_u64(gguf, "u64", &whole) && whole == UINT64_MAX);
    assert_false(rw_gguf_u64(gguf, "i8", &whole));
    assert_false(rw_gguf_u64(gguf, "f32", &whole));
    assert_false(rw_gguf_u64(gguf, "nothing", &whole));
    bool yes = false;
    rw_str text;
    assert_true(rw_gguf_bool(gguf, "yes", &yes) && yes);
    assert_false(rw_gguf_bool(gguf, "u8", &yes));
    assert_true(rw_gguf_string(gguf, "general.architecture", &text) && rw_str_is(text, "llama"));
    assert_false(rw_gguf_string(gguf, "tokens", &text));
    rw_checkpoint_close(checkpoint);
}

static void arrays_are_read(void **state) {
    (void)state;
    rw_checkpoint *checkpoint = open_good();
    const rw_gguf *gguf = rw_checkpoint_gguf(checkpoint);
    rw_arena arena = {.ctx = ctx};
    rw_str *strings;
    double *numbers;
    size_t count;
    assert_ok(rw_gguf_strings(gguf, "tokens", &arena, &strings, &count, &err));
    assert_int_equal(count, 3);
    assert_true(rw_str_is(strings[0], "a") && strings[1].size == 0);
    assert_true(rw_str_is(strings[2], "\xc3\xa9t"));
    assert_ok(rw_gguf_numbers(gguf, "shorts", &arena, &numbers, &count, &err));
    assert_true(count == 2 && numbers[0] == -1 && numbers[1] == 2);
    assert_ok(rw_gguf_numbers(gguf, "flags", &arena, &numbers, &count, &err));
    assert_true(count == 3 && numbers[0] == 1 && numbers[1] == 0 && numbers[2] == 1);
    assert_int_equal(rw_gguf_numbers(gguf, "tokens", &arena, &numbers, &count, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "gguf.key_type");
    assert_int_equal(rw_gguf_strings(gguf, "none", &arena, &strings, &count, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "gguf.missing_key");
    rw_arena_free(&arena);
    rw_checkpoint_close(checkpoint);
}

static void tensors_are_read(void **state) {
    (void)state;
    rw_checkpoint *checkpoint = open_good();
    uint8_t raw[12];
    assert_int_equal(rw_checkpoint_format(checkpoint), RW_FORMAT_GGUF);
    assert_int_equal(rw_checkpoint_tensor_count(checkpoint), SAMPLE_TENSORS);
    const rw_tensor *halves = rw_checkpoint_tensor(checkpoint, "halves");
    assert_non_null(halves);
    assert_true(halves->n_dims == 2 && halves->shape[0] == 3 && halves->shape[1] == 2);
    assert_true(halves->elements == 6 && halves->bytes == 12 && halves->dtype == RW_F16);
    assert_ok(rw_tensor_read(checkpoint, halves, 0, raw, 12, &err));
    assert_memory_equal(raw, sample.data + sample.size - 12, 12);
    assert_int_equal(rw_tensor_read(checkpoint, halves, 1, raw, 12, &err), RW_ERR_INTERNAL);
    assert_null(rw_checkpoint_tensor(checkpoint, "half"));
    rw_checkpoint_close(checkpoint);
}

static void version_2_is_read_and_others_named(void **state) {
    (void)state;
    lie("version", 0, 2);
    assert_int_equal(open_sample(), RW_OK);
    lie("version", 0, 1);
    assert_refused("gguf.version");
    lie("version", 0, 4);
    assert_refused("gguf.version");
    lie("version", 0, 0x03000000);
    assert_refused("gguf.big_endian");
}

static void each_kind_of_damage_is_named(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int n;
        uint64_t value;
        const char *code; /* NULL: a count too large makes the walk take what comes next for one
                             more entry, and whatever that looks like is reported */
    } cases[] = {
        {"tensor count", 0, 4, NULL},
        {"tensor count", 0, UINT64_MAX, NULL},
        {"value count", 0, UINT64_MAX, NULL},
        {"key length", 0, 0, "gguf.name"},
        {"key length", 0, 1 << 20, "gguf.truncated"},
        {"key length", 0, UINT64_MAX, "gguf.truncated"},
        {"value type", 0, 13, "gguf.value_type"},
        {"string length", 0, UINT64_MAX - 7, "gguf.truncated"},
        {"value", 7, 2, "gguf.bool"},
        {"value", 11, 0, "gguf.alignment"},
        {"value", 11, 48, "gguf.alignment"},
        {"value", 11, 0x80000000, "gguf.alignment"},
        {"element type", 0, RW_GGUF_ARRAY, "gguf.nested_array"},
        {"element type", 0, 99, "gguf.value_type"},
        {"array count", 0, UINT64_MAX, "gguf.truncated"},
        {"array count", 1, (uint64_t)1 << 63, "gguf.truncated"},
        {"dimensions", 0, 5, "gguf.dimensions"},
        {"dimension", 0, UINT64_MAX, "gguf.shape"},
        {"dimension", 1, 33, "gguf.shape"},
        {"dimension", 2, (uint64_t)1 << 60, "gguf.shape"},
        {"dimension", 2, 5, "gguf.overlap"},
        {"dimension", 4, 4, "gguf.truncated"},
        {"tensor offset", 1, 65, "gguf.offset"},
        {"tensor offset", 2, UINT64_MAX - 63, "gguf.offset"},
        {"tensor offset", 2, 1 << 20, "gguf.truncated"},
        {"tensor offset", 2, 64, "gguf.overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lie(cases[i].name, cases[i].n, cases[i].value);
        rw_status status = open_sample();
        if (status != RW_ERR_INPUT || (cases[i].code && strcmp(err.code, cases[i].code) != 0))
            fail_msg("%s %d = %llu: %s", cases[i].name, cases[i].n,
                     (unsigned long long)cases[i].value, err.code);
    }
}

/* 2^61 elements of 8 bytes are 0 bytes in 64 bits. */
static void counts_that_wrap_are_refused(void **state) {
    (void)state;
    memset(&sample, 0, sizeof sample);
    put_bytes(&sample, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 24);
    put_key(&sample, "a", RW_GGUF_ARRAY);
    put_number(&sample, "element type", RW_GGUF_U64, 4);
    put_number(&sample, "array count", (uint64_t)1 << 61, 8);
    assert_refused("gguf.truncated");
}

static void a_nul_in_a_name_is_refused(void **state) {
    (void)state;
    make_gguf(&sample);
    sample.data[find_field("key length", 0)->at + 9] = 0;
    assert_refused("gguf.name");
}

static void twins_are_refused(void **state) {
    (void)state;
    make_gguf(&sample);
    memcpy(sample.data + find_field("value type", 2)->at - 2, "u8", 2); /* i8 */
    assert_refused("gguf.duplicate_key");
    make_gguf(&sample);
    memcpy(sample.data + find_field("tensor name length", 2)->at + 8, "matrix", 6);
    assert_refused("checkpoint.duplicate_tensor");
}

static void unknown_types_keep_their_bytes(void **state) {
    (void)state;
    rw_checkpoint *checkpoint;
    float values[32];
    uint8_t raw[128];
    lie("tensor type", 1, 200);
    memory_file_set(&file, sample.data, sample.size);
    assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
    const rw_tensor *tensor = rw_checkpoint_tensor(checkpoint, "matrix");
    assert_string_equal(tensor->dtype_name, "type 200");
    assert_int_equal(tensor->bytes, 128); /* to where the next one begins */
    assert_ok(rw_tensor_read(checkpoint, tensor, 0, raw, 128, &err));
    assert_int_equal(rw_tensor_read_f32(checkpoint, tensor, 0, 32, values, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "gguf.unknown_type");
    rw_checkpoint_close(checkpoint);
    lie("tensor type", 0, 24); /* I8: known, but no numbers for us */
    memory_file_set(&file, sample.data, sample.size);
    assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
    tensor = rw_checkpoint_tensor(checkpoint, "norm");
    assert_string_equal(tensor->dtype_name, "I8");
    assert_int_equal(rw_tensor_read_f32(checkpoint, tensor, 0, 4, values, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "checkpoint.dtype");
    rw_checkpoint_close(checkpoint);
}

static void every_cut_is_refused(void **state) {
    (void)state;
    make_gguf(&sample);
    for (size_t size = 0; size < sample.size; size++) {
        memory_file_set(&file, sample.data, size);
        if (try_open(ctx, file.path, &err) != RW_ERR_INPUT)
            fail_msg("cut at %zu: accepted", size);
    }
}

static void every_number_may_lie(void **state) {
    (void)state;
    static const uint64_t lies[] = {0,
                                    1,
                                    2,
                                    7,
                                    31,
                                    255,
                                    65535,
                                    65536,
                                    INT32_MAX,
                                    UINT32_MAX,
                                    (uint64_t)1 << 32,
                                    (uint64_t)1 << 62,
                                    INT64_MAX,
                                    (uint64_t)1 << 63,
                                    UINT64_MAX - 8,
                                    UINT64_MAX};
    make_gguf(&sample);
    bytes truth = sample;
    for (size_t i = 0; i < truth.field_count; i++) {
        const field *f = &truth.fields[i];
        for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) {
            sample = truth;
            store(sample.data + f->at, lies[k], f->width);
            rw_status status = open_sample();
            if (f->width == 8 && lies[k] > INT64_MAX && strcmp(f->name, "value") != 0)
                assert_int_equal(status, RW_ERR_INPUT); /* no such length, count or offset */
        }
    }
}

static void every_bit_may_flip(void **state) {
    (void)state;
    make_gguf(&sample);
    for (size_t bit = 0; bit < 8 * (sample.size - 204); bit++) {
        sample.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        open_sample();
        sample.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_header_alone_opens_without_weights(void **state) {
    (void)state;
    rw_checkpoint *checkpoint;
    float values[6];
    make_gguf(&sample);
    memory_file_set(&file, sample.data, sample.size - 150);
    assert_ok(rw_checkpoint_open(ctx, file.path, RW_OPEN_NO_WEIGHTS, &checkpoint, &err));
    const rw_tensor *tensor = rw_checkpoint_tensor(checkpoint, "halves");
    assert_int_equal(rw_tensor_read_f32(checkpoint, tensor, 0, 6, values, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.truncated");
    rw_checkpoint_close(checkpoint);
}

static void a_file_that_shrinks_is_reported(void **state) {
    (void)state;
    rw_checkpoint *checkpoint = open_good();
    float values[6];
    assert_int_equal(ftruncate(file.fd, (off_t)sample.size - 1), 0);
    assert_int_equal(rw_tensor_read_f32(checkpoint, rw_checkpoint_tensor(checkpoint, "halves"), 0,
                                        6, values, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, "file.truncated");
    rw_checkpoint_close(checkpoint);
}

/* Opening and editing with memory for n allocations, for each n, until it suffices. */
static void no_memory_is_survived(void **state) {
    (void)state;
    memory_file out = memory_file_make();
    make_gguf(&sample);
    memory_file_set(&file, sample.data, sample.size);
    meter m = {.left = -1};
    rw_context *small = meter_context(&m);
    long alive = m.alive, n = 0;
    for (rw_status status = RW_ERR_MEMORY; status != RW_OK; n++) {
        rw_checkpoint *checkpoint = NULL;
        rw_gguf_edit *edit = NULL;
        m.left = n;
        status = rw_checkpoint_open(small, file.path, 0, &checkpoint, &err);
        if (status == RW_OK)
            status = rw_gguf_edit_begin(checkpoint, &edit, &err);
        if (status == RW_OK)
            status = rw_gguf_edit_set_string(edit, "new", "value", &err);
        if (status == RW_OK)
            status = rw_gguf_edit_set_tensor(edit, "t", &(float){1}, 1, &err);
        if (status == RW_OK)
            status = rw_gguf_edit_finish(edit, out.path, &err);
        else
            rw_gguf_edit_abort(edit);
        rw_checkpoint_close(checkpoint);
        if (status != RW_OK)
            assert_int_equal(status, RW_ERR_MEMORY);
        assert_int_equal(m.alive, alive);
    }
    assert_true(n > 10);
    m.left = -1;
    rw_context_free(small);
    close(out.fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(arrays_are_read),
        cmocka_unit_test(tensors_are_read),
        cmocka_unit_test(version_2_is_read_and_others_named),
        cmocka_unit_test(each_kind_of_damage_is_named),
        cmocka_unit_test(counts_that_wrap_are_refused),
        cmocka_unit_test(a_nul_in_a_name_is_refused),
        cmocka_unit_test(twins_are_refused),
        cmocka_unit_test(unknown_types_keep_their_bytes),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(every_number_may_lie),
        cmocka_unit_test(every_bit_may_flip),
        cmocka_unit_test(a_header_alone_opens_without_weights),
        cmocka_unit_test(a_file_that_shrinks_is_reported),
        cmocka_unit_test(no_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
