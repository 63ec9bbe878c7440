/* GGUF edited: what was meant changed, every other byte the same. */
#include "checkpoint_support.h"

static rw_context *ctx;
static bytes sample;
static memory_file from, to;
static rw_checkpoint *before;
static rw_gguf_edit *edit;
static rw_error err;

static int set_up(void **state) {
    (void)state;
    ctx = test_context();
    from = memory_file_make();
    to = memory_file_make();
    make_gguf(&sample);
    memory_file_set(&from, sample.data, sample.size);
    assert_ok(rw_checkpoint_open(ctx, from.path, 0, &before, &err));
    assert_ok(rw_gguf_edit_begin(before, &edit, &err));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rw_checkpoint_close(before);
    close(from.fd);
    close(to.fd);
    rw_context_free(ctx);
    return 0;
}

static rw_checkpoint *finish(void) {
    rw_checkpoint *after;
    assert_ok(rw_gguf_edit_finish(edit, to.path, &err));
    assert_ok(rw_checkpoint_open(ctx, to.path, 0, &after, &err));
    return after;
}

static rw_str value_bytes(const rw_checkpoint *checkpoint, size_t index) {
    const rw_gguf_value *value = rw_gguf_at(rw_checkpoint_gguf(checkpoint), index);
    return (rw_str){value->key.data - 8, value->end - value->begin};
}

static void assert_same_tensor(const rw_checkpoint *after, const char *name) {
    uint8_t a[256], b[256];
    const rw_tensor *x = rw_checkpoint_tensor(before, name);
    const rw_tensor *y = rw_checkpoint_tensor(after, name);
    assert_true(y && x->bytes == y->bytes && x->dtype == y->dtype && x->n_dims == y->n_dims);
    assert_memory_equal(x->shape, y->shape, sizeof x->shape);
    assert_ok(rw_tensor_read(before, x, 0, a, x->bytes, &err));
    assert_ok(rw_tensor_read(after, y, 0, b, y->bytes, &err));
    assert_memory_equal(a, b, x->bytes);
}

static void nothing_changed_is_the_same_file(void **state) {
    (void)state;
    static uint8_t copy[BYTES_MAX];
    rw_checkpoint_close(finish());
    assert_int_equal(pread(to.fd, copy, sizeof copy, 0), (ssize_t)sample.size);
    assert_memory_equal(copy, sample.data, sample.size);
}

static void values_change_in_place(void **state) {
    (void)state;
    assert_ok(rw_gguf_edit_set_u32(edit, "u8", 70000, &err)); /* another type, too */
    assert_ok(rw_gguf_edit_set_string(edit, "general.architecture", "phi3", &err));
    assert_ok(rw_gguf_edit_set_f32(edit, "new.f32", 2.25f, &err));
    assert_ok(rw_gguf_edit_set_bool(edit, "new.bool", true, &err));
    assert_ok(rw_gguf_edit_set_bool(edit, "new.bool", false, &err));
    assert_ok(rw_gguf_edit_remove(edit, "tokens", &err));
    assert_ok(rw_gguf_edit_remove(edit, "not there", &err));
    rw_checkpoint *after = finish();
    const rw_gguf *gguf = rw_checkpoint_gguf(after);
    uint64_t u8 = 0;
    double f32 = 0;
    bool flag = true;
    rw_str text;
    assert_int_equal(rw_gguf_count(gguf), SAMPLE_VALUES - 1 + 2);
    assert_true(rw_gguf_u64(gguf, "u8", &u8) && u8 == 70000);
    assert_int_equal(rw_gguf_get(gguf, "u8")->type, RW_GGUF_U32);
    assert_ptr_equal(rw_gguf_get(gguf, "u8"), rw_gguf_at(gguf, 1));
    assert_true(rw_gguf_string(gguf, "general.architecture", &text) && rw_str_is(text, "phi3"));
    assert_true(rw_gguf_double(gguf, "new.f32", &f32) && f32 == 2.25);
    assert_true(rw_gguf_bool(gguf, "new.bool", &flag) && !flag);
    for (size_t i = 2; i < 13; i++) /* the others, byte by byte; "tokens" was number 13 */
        assert_true(rw_str_equal(value_bytes(before, i), value_bytes(after, i)));
    for (size_t i = 14; i < SAMPLE_VALUES; i++)
        assert_true(rw_str_equal(value_bytes(before, i), value_bytes(after, i - 1)));
    assert_true(rw_checkpoint_tensor_at(after, 0)->offset % 64 == 0);
    assert_same_tensor(after, "norm");
    assert_same_tensor(after, "matrix");
    assert_same_tensor(after, "halves");
    rw_checkpoint_close(after);
}

static void tensors_come_and_go(void **state) {
    (void)state;
    static const float factors[5] = {1, 2, 3, 4, 0.1f};
    float read[5];
    assert_ok(rw_gguf_edit_set_tensor(edit, "rope_freqs.weight", factors, 5, &err));
    assert_ok(rw_gguf_edit_set_tensor(edit, "norm", factors + 3, 2, &err));
    assert_ok(rw_gguf_edit_drop_tensor(edit, "matrix", &err));
    assert_ok(rw_gguf_edit_drop_tensor(edit, "not there", &err));
    rw_checkpoint *after = finish();
    assert_int_equal(rw_checkpoint_tensor_count(after), 3);
    const rw_tensor *new = rw_checkpoint_tensor_at(after, 2);
    assert_true(rw_str_is(new->name, "rope_freqs.weight") && new->dtype == RW_F32);
    assert_ok(rw_tensor_read_f32(after, new, 0, 5, read, &err));
    assert_memory_equal(read, factors, sizeof read);
    const rw_tensor *norm = rw_checkpoint_tensor_at(after, 0);
    assert_true(rw_str_is(norm->name, "norm") && norm->elements == 2);
    assert_ok(rw_tensor_read_f32(after, norm, 0, 2, read, &err));
    assert_memory_equal(read, factors + 3, 2 * sizeof *read);
    assert_same_tensor(after, "halves");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rw_checkpoint_tensor_at(after, i)->offset % 64, 0);
    rw_checkpoint_close(after);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    char name[70];
    memset(name, 'n', sizeof name);
    name[64] = 0;
    assert_int_equal(rw_gguf_edit_set_u32(edit, "general.alignment", 32, &err), RW_ERR_INPUT);
    assert_int_equal(rw_gguf_edit_remove(edit, "general.alignment", &err), RW_ERR_INPUT);
    assert_int_equal(rw_gguf_edit_set_u32(edit, "", 32, &err), RW_ERR_INPUT);
    assert_int_equal(rw_gguf_edit_set_tensor(edit, name, &(float){1}, 1, &err), RW_ERR_INPUT);
    assert_int_equal(rw_gguf_edit_set_tensor(edit, "t", NULL, 0, &err), RW_ERR_INPUT);
    assert_int_equal(rw_gguf_edit_finish(edit, from.path, &err), RW_ERR_REFUSED);
    assert_string_equal(err.code, "output.exists");
    static uint8_t copy[BYTES_MAX];
    assert_int_equal(pread(from.fd, copy, sizeof copy, 0), (ssize_t)sample.size);
    assert_memory_equal(copy, sample.data, sample.size);
}

/* Its size is not known, so it is what lies before the next tensor, read with weights or without.
 */
static void unknown_types_are_copied(void **state) {
    (void)state;
    static const unsigned flags[] = {0, RW_OPEN_NO_WEIGHTS};
    rw_gguf_edit_abort(edit);
    rw_checkpoint_close(before);
    for (size_t i = 0; i < sample.field_count; i++)
        if (strcmp(sample.fields[i].name, "tensor type") == 0 &&
            sample.data[sample.fields[i].at] == 8)
            sample.data[sample.fields[i].at] = 200;
    memory_file_set(&from, sample.data, sample.size);
    for (int i = 0; i < 2; i++) {
        assert_ok(rw_checkpoint_open(ctx, from.path, flags[i], &before, &err));
        assert_ok(rw_gguf_edit_begin(before, &edit, &err));
        assert_ok(rw_gguf_edit_set_tensor(edit, "rope_freqs.weight", &(float){1}, 1, &err));
        rw_checkpoint *after = finish();
        assert_int_equal(rw_checkpoint_tensor(after, "matrix")->bytes, 128);
        assert_same_tensor(after, "matrix");
        assert_same_tensor(after, "halves");
        rw_checkpoint_close(after);
        if (i == 0)
            rw_checkpoint_close(before);
    }
}

static void version_2_stays_version_2(void **state) {
    (void)state;
    static uint8_t copy[8];
    rw_gguf_edit_abort(edit);
    rw_checkpoint_close(before);
    sample.data[4] = 2;
    memory_file_set(&from, sample.data, sample.size);
    assert_ok(rw_checkpoint_open(ctx, from.path, 0, &before, &err));
    assert_ok(rw_gguf_edit_begin(before, &edit, &err));
    assert_ok(rw_gguf_edit_set_u32(edit, "new", 1, &err));
    rw_checkpoint *after = finish();
    assert_int_equal(pread(to.fd, copy, sizeof copy, 0), 8);
    assert_memory_equal(copy, "GGUF\2\0\0\0", 8);
    assert_same_tensor(after, "matrix");
    rw_checkpoint_close(after);
}

static void a_full_disk_is_reported(void **state) {
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        print_message("skipped: there is no /dev/full\n");
        rw_gguf_edit_abort(edit);
        skip();
    }
    assert_int_equal(rw_gguf_edit_finish(edit, "/dev/full", &err), RW_ERR_IO);
}

static void a_source_that_shrinks_is_reported(void **state) {
    (void)state;
    assert_int_equal(ftruncate(from.fd, (off_t)sample.size - 1), 0);
    assert_int_equal(rw_gguf_edit_finish(edit, to.path, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.truncated");
}

static void cancelling_stops_the_copy(void **state) {
    (void)state;
    rw_context_cancel(ctx);
    assert_int_equal(rw_gguf_edit_finish(edit, to.path, &err), RW_ERR_CANCELLED);
}

#define EDIT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        EDIT_TEST(nothing_changed_is_the_same_file),
        EDIT_TEST(values_change_in_place),
        EDIT_TEST(tensors_come_and_go),
        EDIT_TEST(what_cannot_be_is_refused),
        EDIT_TEST(unknown_types_are_copied),
        EDIT_TEST(version_2_stays_version_2),
        EDIT_TEST(a_full_disk_is_reported),
        EDIT_TEST(a_source_that_shrinks_is_reported),
        EDIT_TEST(cancelling_stops_the_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
