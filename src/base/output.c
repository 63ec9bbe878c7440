/*
 * output.c - files and directories that appear under their name complete and flushed, or not.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/internal.h"

enum { ATTEMPTS = 100, RANDOM_LETTERS = 6 };

struct rw_output {
    rw_context *ctx;
    rw_arena arena; /* the three paths */
    const char *final;
    const char *parent;
    char *temporary;
    bool is_directory;
};

/* ---- errors ---------------------------------------------------------------------------------- */

typedef struct errno_row {
    int number;
    rw_status status;
    const char *code;
    const char *text;
} errno_row;

static const errno_row output_errors[] = {
    {ENOSPC, RW_ERR_IO, "output.full", "no space is left on the device; free some and run again"},
    {EDQUOT, RW_ERR_IO, "output.full", "the disk quota is used up; free some and run again"},
    {EFBIG, RW_ERR_IO, "output.full", "the file would be larger than is allowed here"},
    {EROFS, RW_ERR_IO, "output.read_only", "the file system is read-only; write elsewhere"},
    {EACCES, RW_ERR_IO, "output.read_only", "no permission to write here; write elsewhere"},
    {EPERM, RW_ERR_IO, "output.read_only", "writing is not permitted here; write elsewhere"},
    {ENOENT, RW_ERR_IO, "output.parent", "its directory does not exist; make it first"},
    {ENOTDIR, RW_ERR_IO, "output.parent", "a part of the path before it is not a directory"},
    {EEXIST, RW_ERR_REFUSED, "output.exists", "it exists; remove it or choose another name"},
    {ENOTEMPTY, RW_ERR_REFUSED, "output.exists", "it exists; remove it or choose another name"},
};

rw_status rw_fail_output(rw_error *err, const char *path, int number) {
    for (size_t i = 0; i < sizeof output_errors / sizeof output_errors[0]; i++) {
        const errno_row *row = &output_errors[i];
        if (row->number == number)
            return rw_fail(err, row->status, row->code, path, "cannot write: %s", row->text);
    }
    return rw_fail(err, RW_ERR_IO, "output.write", path, "cannot write: %s", rw_errno_text(number));
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void output_free(rw_output *output) {
    rw_arena_free(&output->arena);
    rw_free(output->ctx, output);
}

/* Splits "a/b/NAME//" into "a/b", "a/b/NAME" and room for "a/b/.NAME.ropewalk-XXXXXX". */
static bool make_paths(rw_output *output, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t start = length;
    while (start > 0 && path[start - 1] != '/')
        start--;
    size_t kept = length - start; /* of NAME: the temporary name has a limit too */
    if (kept > NAME_MAX - 32)
        kept = NAME_MAX - 32;
    rw_arena *arena = &output->arena;
    output->final = rw_arena_text(arena, path, length);
    output->parent = start ? rw_arena_text(arena, path, start) : rw_arena_text(arena, ".", 1);
    rw_buf name = {.ctx = output->ctx};
    rw_buf_append(&name, path, start);
    rw_buf_char(&name, '.');
    rw_buf_append(&name, path + start, kept);
    rw_buf_text(&name, ".ropewalk-XXXXXX");
    output->temporary = name.failed ? NULL : rw_arena_text(arena, name.data, name.size);
    rw_buf_free(&name);
    return output->final && output->parent && output->temporary;
}

static void choose_name(char *temporary) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const size_t letter_count = sizeof letters - 1;
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)(rw_now() * 1e9) ^ (uint64_t)getpid() << 32;
    char *end = temporary + strlen(temporary);
    for (int i = 1; i <= RANDOM_LETTERS; i++, random /= letter_count)
        end[-i] = letters[random % letter_count];
}

/* mkdir and open rather than mkdtemp and mkstemp, which would give the output owner-only modes;
   these obey the umask. 0, or an errno. */
static int make_temporary(rw_output *output) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        choose_name(output->temporary);
        int made;
        if (output->is_directory)
            made = mkdir(output->temporary, 0777);
        else
            made = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (made >= 0) {
            if (!output->is_directory)
                close(made);
            return 0;
        }
        if (errno != EEXIST)
            return errno;
    }
    return EBUSY;
}

static rw_status prepare(rw_output *output, const char *path, rw_error *err) {
    struct stat info;
    if (path[0] == '\0')
        return rw_fail(err, RW_ERR_USAGE, "output.path", NULL, "the output's path is empty");
    if (!make_paths(output, path))
        return rw_fail_memory(err, path, 3 * strlen(path));
    if (lstat(output->final, &info) == 0)
        return rw_fail_output(err, output->final, EEXIST);
    int number = make_temporary(output);
    return number ? rw_fail_output(err, output->final, number) : RW_OK;
}

static rw_status begin(rw_context *ctx, const char *path, bool is_directory, rw_output **out,
                       rw_error *err) {
    *out = NULL;
    rw_output *output = rw_calloc(ctx, 1, sizeof *output);
    if (!output)
        return rw_fail_memory(err, path, sizeof *output);
    output->ctx = ctx;
    output->arena.ctx = ctx;
    output->is_directory = is_directory;
    rw_status status = prepare(output, path, err);
    if (status != RW_OK)
        output_free(output);
    else
        *out = output;
    return status;
}

rw_status rw_output_begin_directory(rw_context *ctx, const char *path, rw_output **out,
                                    rw_error *err) {
    return begin(ctx, path, true, out, err);
}

rw_status rw_output_begin_file(rw_context *ctx, const char *path, rw_output **out, rw_error *err) {
    return begin(ctx, path, false, out, err);
}

const char *rw_output_path(const rw_output *output) {
    return output->temporary;
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* 0, or an errno. Some file systems can't flush a directory and say EINVAL. */
static int flush_path(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    int number = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return number;
}

static int flush_one(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info;
    (void)where;
    return type == FTW_F || type == FTW_DP ? flush_path(path) : 0;
}

/* nftw gives back what flush_one gave, or -1 with errno. */
static int flush_tree(const char *path) {
    int number = nftw(path, flush_one, 16, FTW_DEPTH | FTW_PHYS);
    return number < 0 ? errno : number;
}

/* Old kernels and some file systems lack the flag; there a look must do. */
static int rename_new(const char *from, const char *to) {
    struct stat info;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (lstat(to, &info) == 0)
        return EEXIST;
    return rename(from, to) == 0 ? 0 : errno;
}

static int publish(const rw_output *output) {
    int number = flush_tree(output->temporary);
    if (number == 0)
        number = rename_new(output->temporary, output->final);
    if (number)
        return number;
    number = flush_path(output->parent);
    if (number == EACCES)
        return 0; /* a directory that may be written but not read: nothing more can be done */
    if (number)
        rename_new(output->final, output->temporary);
    return number;
}

rw_status rw_output_commit(rw_output *output, rw_error *err) {
    int number = publish(output);
    if (number) {
        rw_status status = rw_fail_output(err, output->final, number);
        rw_output_abort(output);
        return status;
    }
    output_free(output);
    return RW_OK;
}

void rw_output_abort(rw_output *output) {
    if (!output)
        return;
    rw_remove_tree(output->temporary);
    output_free(output);
}

/* ---- small files ----------------------------------------------------------------------------- */

int rw_write_all(int fd, const void *bytes, size_t size) {
    static const size_t step_max = (size_t)1 << 30;
    const char *at = bytes;
    while (size > 0) {
        ssize_t wrote = write(fd, at, size < step_max ? size : step_max);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return wrote < 0 ? errno : EIO;
        at += wrote;
        size -= (size_t)wrote;
    }
    return 0;
}

static int write_flushed(int fd, rw_str bytes) {
    int number = rw_write_all(fd, bytes.data, bytes.size);
    if (number == 0 && fsync(fd) != 0 && errno != EINVAL)
        number = errno;
    if (close(fd) != 0 && number == 0)
        number = errno;
    return number;
}

rw_status rw_file_write(rw_context *ctx, const char *path, rw_str bytes, rw_error *err) {
    RW_TRY(rw_check_cancel(ctx, err));
    if (unlink(path) != 0 && errno != ENOENT)
        return rw_fail_output(err, path, errno);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return rw_fail_output(err, path, errno);
    int number = write_flushed(fd, bytes);
    if (number == 0)
        return RW_OK;
    unlink(path);
    return rw_fail_output(err, path, number);
}
