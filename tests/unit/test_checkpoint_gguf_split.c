/* Split series: read as one model, edited into one file. */
#include "checkpoint_support.h"

static rw_context *ctx;
static rw_error err;

static const char first[] = "m-00001-of-00003.gguf", second[] = "m-00002-of-00003.gguf",
                  third[] = "m-00003-of-00003.gguf";

static int set_up(void **state) {
    ctx = test_context();
    return scratch_make(state);
}

static int tear_down(void **state) {
    rw_context_free(ctx);
    return scratch_remove(state);
}

typedef struct part {
    unsigned no, count, tensors; /* what the split.* keys say */
    unsigned alignment;
    bool empty; /* no tensor: the first of a series may be metadata alone */
} part;

/* A tensor named a, b, ... of 5 + no floats; in the first file a key of its own. */
static void put_part(const char *name, part p) {
    static bytes b;
    memset(&b, 0, sizeof b);
    put_bytes(&b, "GGUF\3\0\0\0", 8);
    put_number(&b, "tensor count", !p.empty, 8);
    put_number(&b, "value count", 5, 8);
    put_scalar(&b, "split.no", RW_GGUF_U16, p.no, 2);
    put_scalar(&b, p.no ? "other.key" : "u32", RW_GGUF_U32, 7, 4);
    put_scalar(&b, "split.count", RW_GGUF_U16, p.count, 2);
    put_scalar(&b, "split.tensors.count", RW_GGUF_I32, p.tensors, 4);
    put_scalar(&b, "general.alignment", RW_GGUF_U32, p.alignment, 4);
    char tensor[2] = {(char)('a' + p.no), 0};
    if (!p.empty)
        put_tensor_info(&b, tensor, 1, 5 + p.no, 0, 0, 0);
    if (!p.empty)
        put_padding(&b, p.alignment);
    for (unsigned i = 0; !p.empty && i < 4 * (5 + p.no); i++)
        put_bytes(&b, &(uint8_t){(uint8_t)(40 * p.no + i)}, 1);
    put_file(scratch_path(name), (char *)b.data, b.size);
}

static void put_series(unsigned alignment, bool first_is_empty) {
    unsigned tensors = first_is_empty ? 2 : 3;
    put_part(first, (part){0, 3, tensors, alignment, first_is_empty});
    put_part(second, (part){1, 3, tensors, 64, false});
    put_part(third, (part){2, 3, tensors, 32, false});
}

static rw_checkpoint *open_series(void) {
    rw_checkpoint *series;
    assert_ok(rw_checkpoint_open(ctx, scratch_path(first), 0, &series, &err));
    return series;
}

static void assert_split_error(const char *name) {
    assert_int_equal(try_open(ctx, scratch_path(name), &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "gguf.split");
}

static void a_series_is_one_model(void **state) {
    (void)state;
    put_series(32, false);
    rw_checkpoint *series = open_series();
    assert_int_equal(rw_checkpoint_file_count(series), 3);
    read_everything(series);
    assert_int_equal(rw_checkpoint_tensor(series, "c")->file, 2);
    rw_checkpoint_close(series);
    assert_split_error(third);
    put_part(third, (part){1, 3, 3, 32, false});
    assert_split_error(first);
    remove(scratch_path(third));
    assert_int_equal(try_open(ctx, scratch_path(first), &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "file.missing");
    put_part(first, (part){0, 3, 4, 32, false});
    put_part(third, (part){2, 3, 3, 32, false});
    assert_split_error(first);
    put_part("other.gguf", (part){0, 3, 3, 32, false});
    assert_split_error("other.gguf");
}

/* ---- editing --------------------------------------------------------------------------------- */

static void assert_same_tensors(const rw_checkpoint *series, const rw_checkpoint *whole) {
    for (size_t i = 0; i < rw_checkpoint_tensor_count(series); i++) {
        uint8_t a[64], b[64];
        const rw_tensor *x = rw_checkpoint_tensor_at(series, i);
        const rw_tensor *y = rw_checkpoint_tensor_at(whole, i);
        assert_true(y && rw_str_equal(x->name, y->name) && x->dtype == y->dtype);
        assert_true(x->bytes == y->bytes && x->shape[0] == y->shape[0]);
        assert_ok(rw_tensor_read(series, x, 0, a, x->bytes, &err));
        assert_ok(rw_tensor_read(whole, y, 0, b, x->bytes, &err));
        assert_memory_equal(a, b, x->bytes);
    }
}

/* The whole file at scratch/out.gguf, with or without changes. */
static rw_checkpoint *edit_series(const rw_checkpoint *series, bool change) {
    static const float factors[3] = {1, 2, 3};
    rw_gguf_edit *edit;
    rw_checkpoint *whole;
    assert_ok(rw_gguf_edit_begin(series, &edit, &err));
    if (change) {
        assert_ok(rw_gguf_edit_set_u32(edit, "u32", 8, &err));
        assert_ok(rw_gguf_edit_set_tensor(edit, "rope_freqs.weight", factors, 3, &err));
    }
    assert_ok(rw_gguf_edit_finish(edit, scratch_path("out.gguf"), &err));
    assert_ok(rw_checkpoint_open(ctx, scratch_path("out.gguf"), 0, &whole, &err));
    assert_int_equal(rw_checkpoint_file_count(whole), 1);
    return whole;
}

static void check_edit(unsigned alignment, bool first_is_empty, bool change) {
    uint64_t u32 = 0;
    float factors[3];
    put_series(alignment, first_is_empty);
    rw_checkpoint *series = open_series(), *whole = edit_series(series, change);
    const rw_gguf *gguf = rw_checkpoint_gguf(whole);
    size_t count = rw_checkpoint_tensor_count(series);
    assert_same_tensors(series, whole);
    assert_int_equal(rw_gguf_count(gguf), 2); /* neither split.* nor what later files say */
    assert_true(rw_gguf_u64(gguf, "u32", &u32) && u32 == (change ? 8 : 7));
    assert_int_equal(rw_checkpoint_tensor_count(whole), count + change);
    for (size_t i = 0; i < count + change; i++)
        assert_int_equal(rw_checkpoint_tensor_at(whole, i)->offset % alignment, 0);
    if (change) {
        const rw_tensor *added = rw_checkpoint_tensor(whole, "rope_freqs.weight");
        assert_ok(rw_tensor_read_f32(whole, added, 0, 3, factors, &err));
        assert_true(factors[0] == 1 && factors[1] == 2 && factors[2] == 3);
    }
    rw_checkpoint_close(whole);
    rw_checkpoint_close(series);
}

static void a_series_is_edited_into_one_file(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++)
        check_edit(i & 1 ? 64 : 32, i & 2, i & 4);
}

static void no_file_of_the_series_is_written_into(void **state) {
    (void)state;
    rw_gguf_edit *edit;
    put_series(32, false);
    rw_checkpoint *series = open_series();
    assert_ok(rw_gguf_edit_begin(series, &edit, &err));
    assert_int_equal(rw_gguf_edit_finish(edit, scratch_path(third), &err), RW_ERR_REFUSED);
    assert_string_equal(err.code, "output.exists");
    read_everything(series);
    rw_checkpoint_close(series);
}

/* Half a model can be looked at, but not made a whole one. */
static void an_incomplete_series_is_not_edited(void **state) {
    (void)state;
    rw_checkpoint *series;
    rw_gguf_edit *edit;
    put_series(32, false);
    remove(scratch_path(third));
    assert_int_equal(try_open(ctx, scratch_path(first), &err), RW_ERR_INPUT);
    assert_ok(rw_checkpoint_open(ctx, scratch_path(first), RW_OPEN_NO_WEIGHTS, &series, &err));
    assert_int_equal(rw_checkpoint_file_count(series), 2);
    assert_int_equal(rw_gguf_edit_begin(series, &edit, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "gguf.split");
    assert_null(edit);
    rw_checkpoint_close(series);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_is_one_model),
        cmocka_unit_test(a_series_is_edited_into_one_file),
        cmocka_unit_test(no_file_of_the_series_is_written_into),
        cmocka_unit_test(an_incomplete_series_is_not_edited),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
