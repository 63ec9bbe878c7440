/*
 * test_job_keygen.c - a pair of keys in two files, or none.
 */
#include <dirent.h>

#include "base_support.h"

#include "base/json.h"
#include "receipt/key.h"
#include "ropewalk/job.h"

static size_t files_in_scratch(void) {
    DIR *folder = opendir(scratch);
    size_t count = 0;
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 2;
}

static rw_status keygen(rw_context *ctx, const char *output, char **json, rw_error *err) {
    rw_keygen_options options = {.struct_size = sizeof options, .output = output};
    return rw_keygen(ctx, &options, json, err);
}

static void remove_pair(const char *output) {
    char public_path[600];
    snprintf(public_path, sizeof public_path, "%s.pub", output);
    assert_int_equal(unlink(output), 0);
    assert_int_equal(unlink(public_path), 0);
}

/* Whatever the umask says, the private key is its owner's and the public one is for everyone. */
static void test_pair(void **state) {
    (void)state;
    static const mode_t masks[] = {0000, 0022, 0077};
    const char *output = scratch_path("key"), *public_path = scratch_path("key.pub");
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        rw_context *ctx = test_context();
        rw_error err = {0};
        rw_arena arena = {.ctx = ctx};
        rw_key *private_key = NULL, *public_key = NULL;
        const rw_json *root = NULL;
        char *json = NULL;
        struct stat info;
        mode_t before = umask(masks[i]);
        assert_ok(keygen(ctx, output, &json, &err));
        umask(before);
        assert_int_equal(stat(output, &info), 0);
        assert_int_equal(info.st_mode & 07777, 0600);
        assert_int_equal(stat(public_path, &info), 0);
        assert_int_equal(info.st_mode & 07777, 0666 & ~masks[i]);
        assert_ok(rw_key_load_private(ctx, output, &private_key, &err));
        assert_ok(rw_key_load_public(ctx, public_path, &public_key, &err));
        assert_memory_equal(rw_key_spki(private_key), rw_key_spki(public_key), RW_SPKI_SIZE);
        assert_ok(rw_json_parse(&arena, rw_str_of(json), "result", &root, &err));
        assert_true(rw_str_is(rw_json_get(root, "schema")->string, "ropewalk.keygen/1"));
        assert_true(rw_str_is(rw_json_get(root, "algorithm")->string, "Ed25519"));
        assert_true(rw_str_is(rw_json_get(root, "private_key")->string, output));
        assert_true(rw_str_is(rw_json_get(root, "public_key")->string, public_path));
        assert_true(
            rw_str_is(rw_json_get(root, "fingerprint")->string, rw_key_fingerprint(public_key)));
        assert_int_equal(files_in_scratch(), 2);
        remove_pair(output);
        rw_key_free(private_key);
        rw_key_free(public_key);
        rw_arena_free(&arena);
        rw_text_free(ctx, json);
        rw_context_free(ctx);
    }
}

static void expect_refusal(const char *output, rw_status wanted, const char *code) {
    rw_context *ctx = test_context();
    rw_error err = {0};
    char *json = (char *)1;
    assert_int_equal(keygen(ctx, output, &json, &err), wanted);
    assert_string_equal(err.code, code);
    assert_null(json);
    rw_context_free(ctx);
}

/* Neither of the two is overwritten, and the other does not come into being. */
static void test_nothing_is_overwritten(void **state) {
    (void)state;
    static const char *const names[] = {"key", "key.pub"};
    const char *output = scratch_path("key");
    for (size_t i = 0; i < 2; i++) {
        const char *there = scratch_path(names[i]);
        put_file(there, "mine", 4);
        expect_refusal(output, RW_ERR_REFUSED, "output.exists");
        assert_int_equal(files_in_scratch(), 1);
        assert_int_equal(unlink(there), 0);
        assert_int_equal(symlink("/nonexistent", there), 0);
        expect_refusal(output, RW_ERR_REFUSED, "output.exists");
        assert_int_equal(files_in_scratch(), 1);
        assert_int_equal(unlink(there), 0);
    }
}

static void test_no_place(void **state) {
    (void)state;
    expect_refusal(NULL, RW_ERR_USAGE, "keygen.output");
    expect_refusal("", RW_ERR_USAGE, "keygen.output");
    expect_refusal(scratch_path("folder/"), RW_ERR_USAGE, "keygen.output");
    expect_refusal(scratch_path("absent/key"), RW_ERR_IO, "output.parent");
    assert_int_equal(files_in_scratch(), 0);
}

static void test_out_of_memory(void **state) {
    (void)state;
    meter m = {.left = -1};
    rw_context *ctx = meter_context(&m);
    rw_error err = {0};
    char *json = NULL;
    const char *output = scratch_path("key");
    long alive = m.alive;
    rw_status status = RW_ERR_MEMORY;
    for (long grant = 0; status != RW_OK; grant++) {
        m.left = grant;
        status = keygen(ctx, output, &json, &err);
        m.left = -1;
        if (status != RW_OK) {
            assert_int_equal(status, RW_ERR_MEMORY);
            assert_int_equal(m.alive, alive);
            assert_int_equal(files_in_scratch(), 0);
        }
    }
    remove_pair(output);
    rw_text_free(ctx, json);
    assert_int_equal(m.alive, alive);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_nothing_is_overwritten),
        cmocka_unit_test(test_no_place),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
