/* Reading, listing, writing, copying. */
#include "base_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/hash.h"

static rw_context *ctx;

static int set_up(void **state) {
    ctx = test_context();
    return scratch_make(state);
}

static int tear_down(void **state) {
    rw_context_free(ctx);
    return scratch_remove(state);
}

static void check_code(rw_status got, rw_status expected, const rw_error *err, const char *code) {
    if (got != expected || strcmp(err->code, code) != 0)
        fail_msg("%s [%s] %s", rw_status_name(got), err->code, err->message);
}

/* Names left in the scratch directory; tests clean up after themselves. */
static size_t names_left(void) {
    rw_arena arena = {.ctx = ctx};
    rw_error err = {0};
    char **names;
    size_t count;
    assert_ok(rw_directory_list(&arena, scratch, &names, &count, &err));
    rw_arena_free(&arena);
    return count;
}

static void check_content(const char *path, const char *expected) {
    rw_buf buf;
    rw_error err = {0};
    assert_ok(rw_file_load(ctx, path, 1 << 20, &buf, &err));
    assert_int_equal(buf.size, strlen(expected));
    assert_string_equal(buf.data, expected);
    rw_buf_free(&buf);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void check_open_fails(const char *path, const char *code) {
    rw_file file;
    rw_error err = {0};
    check_code(rw_file_open(ctx, path, &file, &err), RW_ERR_INPUT, &err, code);
    assert_string_equal(err.where, path);
    rw_file_close(&file); /* harmless after a failure */
}

static void test_open(void **state) {
    const char *loop = scratch_path("loop"), *pipe = scratch_path("pipe");
    rw_file file;
    rw_error err = {0};
    (void)state;
    put_file(scratch_path("plain"), "abc", 3);
    assert_int_equal(symlink("plain", scratch_path("link")), 0);
    assert_int_equal(symlink("loop", loop), 0);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    check_open_fails(scratch_path("none"), "file.missing");
    check_open_fails(scratch_path("plain/x"), "file.missing");
    check_open_fails("", "file.missing");
    check_open_fails(loop, "file.missing");
    check_open_fails(pipe, "file.not_regular"); /* and does not wait for a writer */
    check_open_fails(scratch, "file.not_regular");
    check_open_fails("/dev/null", "file.not_regular");
    assert_ok(rw_file_open(ctx, scratch_path("link"), &file, &err));
    assert_int_equal(file.size, 3);
    assert_string_equal(file.path, scratch_path("link"));
    rw_file_close(&file);
    rw_file_close(&file);
    assert_true(rw_path_exists(pipe) && rw_path_is_directory(scratch));
    assert_false(rw_path_exists(loop) || rw_path_is_directory(scratch_path("plain")));
}

/* Root may read everything, so become somebody else for a moment. */
static void test_open_forbidden(void **state) {
    const char *path = scratch_path("secret");
    (void)state;
    put_file(path, "x", 1);
    assert_int_equal(chmod(path, 0), 0);
    if (geteuid() == 0 && (chmod(scratch, 0755) || seteuid(65534))) {
        print_message("skipped: cannot give up the rights of root\n");
        skip();
    }
    rw_file file;
    rw_error err = {0};
    rw_status status = rw_file_open(ctx, path, &file, &err);
    int back = getuid() == 0 ? seteuid(0) : 0;
    assert_int_equal(back, 0);
    check_code(status, RW_ERR_INPUT, &err, "file.permission");
}

static void test_read(void **state) {
    const char *path = scratch_path("ten");
    char bytes[16] = {0};
    rw_file file;
    rw_error err = {0};
    (void)state;
    put_file(path, "0123456789", 10);
    assert_ok(rw_file_open(ctx, path, &file, &err));
    assert_ok(rw_file_read(&file, 3, bytes, 4, &err));
    assert_string_equal(bytes, "3456");
    assert_ok(rw_file_read(&file, 10, bytes, 0, &err));
    check_code(rw_file_read(&file, 8, bytes, 3, &err), RW_ERR_INPUT, &err, "file.truncated");
    assert_int_equal(err.offset, 10);
    check_code(rw_file_read(&file, UINT64_MAX - 1, bytes, 3, &err), RW_ERR_INPUT, &err,
               "file.truncated");
    check_code(rw_file_read(&file, 1, bytes, SIZE_MAX, &err), RW_ERR_INPUT, &err, "file.truncated");
    assert_int_equal(truncate(path, 5), 0); /* it shrinks while it is read */
    check_code(rw_file_read(&file, 3, bytes, 4, &err), RW_ERR_INPUT, &err, "file.truncated");
    rw_sha256 digest;
    check_code(rw_sha256_range(ctx, &file, 0, 10, &digest, &err), RW_ERR_INPUT, &err,
               "file.truncated");
    rw_file_close(&file);
}

static void test_load(void **state) {
    const char *path = scratch_path("load");
    rw_buf buf;
    rw_error err = {0};
    (void)state;
    put_file(path, "a\0b", 3);
    assert_ok(rw_file_load(ctx, path, 3, &buf, &err));
    assert_int_equal(buf.size, 3);
    assert_memory_equal(buf.data, "a\0b", 4);
    rw_buf_free(&buf);
    check_code(rw_file_load(ctx, path, 2, &buf, &err), RW_ERR_INPUT, &err, "file.too_large");
    assert_null(buf.data);
    put_file(path, "", 0);
    assert_ok(rw_file_load(ctx, path, 0, &buf, &err));
    assert_string_equal(buf.data, "");
    rw_buf_free(&buf);
}

static void test_list(void **state) {
    rw_arena arena = {.ctx = ctx};
    rw_error err = {0};
    char **names;
    size_t count;
    (void)state;
    assert_int_equal(mkdir(scratch_path("list"), 0777), 0);
    assert_ok(rw_directory_list(&arena, scratch_path("list"), &names, &count, &err));
    assert_int_equal(count, 0);
    put_file(scratch_path("list/b"), "", 0);
    put_file(scratch_path("list/\xC3\xA9"), "", 0);
    put_file(scratch_path("list/.hidden"), "", 0);
    put_file(scratch_path("list/B"), "", 0);
    assert_ok(rw_directory_list(&arena, scratch_path("list"), &names, &count, &err));
    static const char *const expected[] = {".hidden", "B", "b", "\xC3\xA9"};
    assert_int_equal(count, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(names[i], expected[i]);
    check_code(rw_directory_list(&arena, scratch_path("nothing"), &names, &count, &err),
               RW_ERR_INPUT, &err, "file.missing");
    check_code(rw_directory_list(&arena, scratch_path("list/b"), &names, &count, &err),
               RW_ERR_INPUT, &err, "file.not_directory");
    assert_null(names);
    rw_arena_free(&arena);
}

/* ---- outputs ------------------------------------------------------------------------------ */

static void write_in(const rw_output *output, const char *name, const char *text) {
    char path[1000];
    rw_error err = {0};
    snprintf(path, sizeof path, "%s/%s", rw_output_path(output), name);
    assert_ok(rw_file_write(ctx, path, rw_str_of(text), &err));
}

static void test_output_directory(void **state) {
    const char *path = scratch_path("out///");
    struct stat info;
    rw_output *output;
    rw_error err = {0};
    (void)state;
    size_t before = names_left();
    mode_t mask = umask(027);
    assert_ok(rw_output_begin_directory(ctx, path, &output, &err));
    assert_false(rw_path_exists(scratch_path("out")));
    assert_non_null(strstr(rw_output_path(output), "/.out.ropewalk-"));
    write_in(output, "config.json", "{}");
    write_in(output, "config.json", "{1}"); /* again: replaced, not appended */
    assert_ok(rw_output_commit(output, &err));
    umask(mask);
    check_content(scratch_path("out/config.json"), "{1}");
    assert_int_equal(stat(scratch_path("out"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0750);
    assert_int_equal(stat(scratch_path("out/config.json"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(names_left(), before + 1);
    check_code(rw_output_begin_directory(ctx, path, &output, &err), RW_ERR_REFUSED, &err,
               "output.exists");
    assert_null(output);
    assert_int_equal(names_left(), before + 1);
}

static void test_output_abort(void **state) {
    char path[1000];
    rw_output *output;
    rw_error err = {0};
    (void)state;
    size_t before = names_left();
    assert_ok(rw_output_begin_directory(ctx, scratch_path("gone"), &output, &err));
    snprintf(path, sizeof path, "%s/sub", rw_output_path(output));
    assert_int_equal(mkdir(path, 0777), 0);
    write_in(output, "sub/a", "1");
    snprintf(path, sizeof path, "%s/outside", rw_output_path(output));
    assert_int_equal(symlink("../out", path), 0); /* links are removed, not followed */
    rw_output_abort(output);
    assert_int_equal(names_left(), before);
    check_content(scratch_path("out/config.json"), "{1}");
    rw_output_abort(NULL);
}

static void test_output_file(void **state) {
    rw_output *output;
    rw_error err = {0};
    (void)state;
    const char *path = scratch_path("file.gguf");
    assert_ok(rw_output_begin_file(ctx, path, &output, &err));
    assert_false(rw_path_exists(path));
    assert_ok(rw_file_write(ctx, rw_output_path(output), rw_str_of("GGUF"), &err));
    /* somebody else makes the file meanwhile: it stays theirs */
    put_file(path, "theirs", 6);
    size_t before = names_left();
    check_code(rw_output_commit(output, &err), RW_ERR_REFUSED, &err, "output.exists");
    assert_int_equal(names_left(), before - 1);
    check_content(path, "theirs");
    assert_int_equal(unlink(path), 0);
    assert_ok(rw_output_begin_file(ctx, path, &output, &err));
    assert_ok(rw_file_write(ctx, rw_output_path(output), rw_str_of("GGUF"), &err));
    assert_ok(rw_output_commit(output, &err));
    check_content(path, "GGUF");
}

static void test_output_refusals(void **state) {
    rw_output *output;
    rw_error err = {0};
    char name[256];
    (void)state;
    check_code(rw_output_begin_directory(ctx, scratch_path("no/where"), &output, &err), RW_ERR_IO,
               &err, "output.parent");
    check_code(rw_output_begin_file(ctx, scratch_path("plain/x"), &output, &err), RW_ERR_IO, &err,
               "output.parent");
    check_code(rw_output_begin_file(ctx, "", &output, &err), RW_ERR_USAGE, &err, "output.path");
    check_code(rw_output_begin_file(ctx, "/", &output, &err), RW_ERR_REFUSED, &err,
               "output.exists");
    check_code(rw_output_begin_directory(ctx, scratch_path("loop"), &output, &err), RW_ERR_REFUSED,
               &err, "output.exists"); /* a dangling link is there too */
    memset(name, 'n', sizeof name - 1);
    name[255] = '\0'; /* the longest name there can be */
    assert_ok(rw_output_begin_file(ctx, scratch_path(name), &output, &err));
    assert_ok(rw_output_commit(output, &err));
    assert_true(rw_path_exists(scratch_path(name)));
}

/* A relative name without a directory. */
static void test_output_here(void **state) {
    char before[1000];
    rw_output *output;
    rw_error err = {0};
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch), 0);
    rw_status status = rw_output_begin_directory(ctx, "here", &output, &err);
    if (status == RW_OK)
        status = rw_output_commit(output, &err);
    assert_int_equal(chdir(before), 0);
    assert_ok(status);
    assert_true(rw_path_is_directory(scratch_path("here")));
}

static void test_output_read_only(void **state) {
    rw_output *output;
    rw_error err = {0};
    (void)state;
    const char *path = scratch_path("locked");
    assert_int_equal(mkdir(path, 0555), 0);
    if (geteuid() == 0 && (chmod(scratch, 0755) || seteuid(65534))) {
        print_message("skipped: cannot give up the rights of root\n");
        skip();
    }
    rw_status status = rw_output_begin_directory(ctx, scratch_path("locked/x"), &output, &err);
    int back = getuid() == 0 ? seteuid(0) : 0;
    assert_int_equal(back, 0);
    check_code(status, RW_ERR_IO, &err, "output.read_only");
}

/* A limit on the file size is a full disk that needs no root. */
static void test_output_full(void **state) {
    struct rlimit before, small;
    static char big[100000];
    rw_error err = {0};
    (void)state;
    const char *path = scratch_path("big"), *copy = scratch_path("big-copy");
    put_file(path, big, sizeof big);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 50000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    rw_status written = rw_file_write(ctx, scratch_path("w"), (rw_str){big, sizeof big}, &err);
    rw_error copy_err = {0};
    rw_status copied = rw_file_copy(ctx, path, copy, RW_COPY, &copy_err);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    check_code(written, RW_ERR_IO, &err, "output.full");
    assert_false(rw_path_exists(scratch_path("w")));
    if (copied != RW_OK) /* a reflink writes nothing, so it may succeed */
        check_code(copied, RW_ERR_IO, &copy_err, "output.full");
    assert_int_equal(rw_path_exists(copy), copied == RW_OK);
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        return;
    rw_file file;
    assert_ok(rw_file_open(ctx, path, &file, &err));
    check_code(rw_file_copy_range(ctx, &file, 0, 100, fd, "full", &err), RW_ERR_IO, &err,
               "output.full");
    assert_string_equal(err.where, "full");
    rw_file_close(&file);
    close(fd);
}

/* ---- copying ------------------------------------------------------------------------------ */

static void test_copy(void **state) {
    const char *from = scratch_path("from"), *to = scratch_path("to");
    struct stat a, b;
    rw_error err = {0};
    (void)state;
    put_file(from, "some bytes", 10);
    assert_ok(rw_file_copy(ctx, from, to, RW_COPY, &err));
    check_content(to, "some bytes");
    check_code(rw_file_copy(ctx, from, to, RW_COPY, &err), RW_ERR_REFUSED, &err, "output.exists");
    check_code(rw_file_copy(ctx, from, to, RW_COPY_LINK, &err), RW_ERR_REFUSED, &err,
               "output.exists");
    check_content(to, "some bytes");
    /* through a symbolic link, the file itself is linked */
    const char *alias = scratch_path("alias"), *linked = scratch_path("linked");
    assert_int_equal(symlink("from", alias), 0);
    assert_ok(rw_file_copy(ctx, alias, linked, RW_COPY_LINK, &err));
    assert_int_equal(stat(from, &a) + lstat(linked, &b), 0);
    assert_true(a.st_ino == b.st_ino);
    /* writing over the link does not reach the input */
    assert_ok(rw_file_write(ctx, linked, rw_str_of("patched"), &err));
    check_content(from, "some bytes");
    check_content(linked, "patched");
    check_code(rw_file_copy(ctx, scratch_path("none"), to, RW_COPY, &err), RW_ERR_INPUT, &err,
               "file.missing");
    check_code(rw_file_copy(ctx, from, scratch_path("no/where"), RW_COPY, &err), RW_ERR_IO, &err,
               "output.parent");
}

/* copy_file_range refuses an appending descriptor: there the stream does it. */
static void check_range(const rw_file *file, int extra_flags) {
    rw_error err = {0};
    const char *path = scratch_path("range");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | extra_flags, 0666);
    assert_int_equal(write(fd, "<", 1), 1);
    assert_ok(rw_file_copy_range(ctx, file, 2, 5, fd, path, &err));
    assert_ok(rw_file_copy_range(ctx, file, 7, 0, fd, path, &err));
    assert_ok(rw_file_copy_range(ctx, file, 0, 1, fd, path, &err));
    close(fd);
    check_content(path, "<me bys");
}

static void test_copy_range(void **state) {
    rw_file file;
    rw_error err = {0};
    (void)state;
    put_file(scratch_path("source"), "some bytes", 10);
    assert_ok(rw_file_open(ctx, scratch_path("source"), &file, &err));
    check_range(&file, 0);
    check_range(&file, O_APPEND);
    check_code(rw_file_copy_range(ctx, &file, 5, 6, -1, "x", &err), RW_ERR_INPUT, &err,
               "file.truncated");
    check_code(rw_file_copy_range(ctx, &file, UINT64_MAX, 6, -1, "x", &err), RW_ERR_INPUT, &err,
               "file.truncated");
    assert_int_equal(truncate(scratch_path("source"), 4), 0); /* shrinks after it was opened */
    int fd = open("/dev/null", O_WRONLY);
    check_code(rw_file_copy_range(ctx, &file, 0, 10, fd, "x", &err), RW_ERR_INPUT, &err,
               "file.truncated");
    close(fd);
    rw_file_close(&file);
}

/* A hole in front, between and behind, copied from and to places off every block: the same bytes,
   and no more blocks than the data need. */
static void test_copy_holes(void **state) {
    enum { MIB = 1 << 20, SIZE = 48 * MIB };
    static char data[MIB], byte[2];
    rw_file from, to;
    struct stat st;
    rw_error err = {0};
    (void)state;
    memset(data, 'd', sizeof data);
    int fd = open(scratch_path("sparse"), O_RDWR | O_CREAT, 0666);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(pwrite(fd, data, MIB, 16 * MIB), MIB);
    assert_int_equal(pwrite(fd, data, MIB, 31 * MIB), MIB);
    close(fd);
    assert_ok(rw_file_open(ctx, scratch_path("sparse"), &from, &err));
    fd = open(scratch_path("copy"), O_RDWR | O_CREAT, 0666);
    assert_int_equal(write(fd, "head!", 5), 5);
    assert_ok(rw_file_copy_range(ctx, &from, 100, SIZE - 100, fd, "copy", &err));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 5 + SIZE - 100); /* the last hole, too */
    assert_int_equal(write(fd, "!", 1), 1);
    close(fd);
    assert_ok(rw_file_open(ctx, scratch_path("copy"), &to, &err));
    assert_int_equal(to.size, 5 + SIZE - 100 + 1);
    for (uint64_t at = 100; at < SIZE; at += 1013) {
        assert_ok(rw_file_read(&from, at, byte, 1, &err));
        assert_ok(rw_file_read(&to, at - 95, byte + 1, 1, &err));
        assert_int_equal(byte[0], byte[1]);
    }
    assert_ok(rw_file_read(&to, to.size - 1, byte, 1, &err));
    assert_int_equal(byte[0], '!');
    assert_int_equal(fstat(from.fd, &st), 0);
    if (st.st_blocks < 8 * MIB / 512) { /* not where the file system knows no holes */
        assert_int_equal(fstat(to.fd, &st), 0);
        assert_true(st.st_blocks < 8 * MIB / 512);
    }
    rw_file_close(&to);
    /* a file that became shorter ends in no hole */
    assert_int_equal(truncate(scratch_path("sparse"), 40 * MIB), 0);
    fd = open(scratch_path("copy"), O_RDWR | O_TRUNC, 0666);
    check_code(rw_file_copy_range(ctx, &from, 100, SIZE - 100, fd, "copy", &err), RW_ERR_INPUT,
               &err, "file.truncated");
    close(fd);
    rw_file_close(&from);
}

static void test_cancelled(void **state) {
    rw_error err = {0};
    rw_sha256 digest;
    (void)state;
    const char *from = scratch_path("c-from"), *to = scratch_path("c-to");
    put_file(from, "some bytes", 10);
    rw_context *cancelled = test_context();
    rw_context_cancel(cancelled);
    assert_int_equal(rw_file_copy(cancelled, from, to, RW_COPY, &err), RW_ERR_CANCELLED);
    assert_int_equal(rw_file_write(cancelled, to, rw_str_of("x"), &err), RW_ERR_CANCELLED);
    assert_false(rw_path_exists(to));
    assert_int_equal(rw_sha256_file(cancelled, from, &digest, &err), RW_ERR_CANCELLED);
    rw_context_free(cancelled);
}

/* Memory runs out at every point in turn: no leak, no trace. */
static void test_out_of_memory(void **state) {
    meter m = {.left = -1};
    (void)state;
    rw_context *poor = meter_context(&m);
    const char *from = scratch_path("m-from"), *to = scratch_path("m-to");
    put_file(from, "some bytes", 10);
    size_t before = names_left();
    rw_status status = RW_ERR_MEMORY;
    for (long granted = 0; status != RW_OK; granted++) {
        rw_error err = {0};
        rw_output *output = NULL;
        rw_buf buf = {0};
        rw_sha256 digest;
        m.left = granted;
        status = rw_output_begin_directory(poor, to, &output, &err);
        if (status == RW_OK)
            status = rw_file_load(poor, from, 100, &buf, &err);
        if (status == RW_OK)
            status = rw_sha256_file(poor, from, &digest, &err);
        assert_true(status == RW_OK || status == RW_ERR_MEMORY);
        assert_true(granted < 50);
        if (buf.data)
            rw_buf_free(&buf);
        rw_output_abort(output);
        assert_int_equal(names_left(), before);
        assert_int_equal(m.alive, 1);
    }
    rw_context_free(poor);
}

/* ---- hashing ------------------------------------------------------------------------------ */

static void check_hex(const rw_sha256 *digest, const char *expected) {
    char hex[65];
    rw_sha256_hex(digest, hex);
    assert_string_equal(hex, expected);
}

/* The examples of FIPS 180-2: "abc", and a million times "a". */
static void test_hash(void **state) {
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char million[] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    rw_sha256 digest;
    rw_error err = {0};
    rw_file file;
    (void)state;
    assert_ok(rw_sha256_bytes(ctx, rw_str_of("abc"), &digest, &err));
    check_hex(&digest, abc);
    assert_ok(rw_sha256_bytes(ctx, (rw_str){NULL, 0}, &digest, &err));
    check_hex(&digest, empty);
    size_t size = 1000000 + 3;
    char *text = malloc(size);
    memset(text, 'a', size);
    memcpy(text, "xyz", 3);
    put_file(scratch_path("million"), text, size);
    assert_ok(rw_file_open(ctx, scratch_path("million"), &file, &err));
    assert_ok(rw_sha256_range(ctx, &file, 3, 1000000, &digest, &err));
    check_hex(&digest, million);
    check_code(rw_sha256_range(ctx, &file, 4, 1000000, &digest, &err), RW_ERR_INPUT, &err,
               "file.truncated");
    rw_file_close(&file);
    rw_hasher *hasher;
    assert_ok(rw_hasher_create(ctx, &hasher, &err));
    for (size_t at = 3; at < size; at += 7919)
        rw_hasher_update(hasher, text + at, size - at < 7919 ? size - at : 7919);
    assert_ok(rw_hasher_finish(hasher, &digest, &err));
    check_hex(&digest, million);
    free(text);
    put_file(scratch_path("empty"), "", 0);
    assert_ok(rw_sha256_file(ctx, scratch_path("empty"), &digest, &err));
    check_hex(&digest, empty);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_open_forbidden),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_output_directory),
        cmocka_unit_test(test_output_abort),
        cmocka_unit_test(test_output_file),
        cmocka_unit_test(test_output_refusals),
        cmocka_unit_test(test_output_here),
        cmocka_unit_test(test_output_read_only),
        cmocka_unit_test(test_output_full),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_range),
        cmocka_unit_test(test_copy_holes),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
