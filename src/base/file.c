/*
 * file.c - reading regular files with every byte accounted for.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/internal.h"

typedef struct errno_row {
    int number;
    const char *code;
    const char *text;
} errno_row;

static const errno_row input_errors[] = {
    {ENOENT, "file.missing", "there is no such file; check the path"},
    {ENOTDIR, "file.missing", "a part of the path is not a directory; check the path"},
    {ELOOP, "file.missing", "the symbolic links of this path lead in a circle"},
    {EACCES, "file.permission", "no permission to read it"},
    {EPERM, "file.permission", "no permission to read it"},
    {ENXIO, "file.not_regular", "it is a socket or device, not a regular file"},
    {EISDIR, "file.not_regular", "it is a directory, not a regular file"},
};

rw_status rw_fail_input(rw_error *err, const char *path, int number) {
    for (size_t i = 0; i < sizeof input_errors / sizeof input_errors[0]; i++)
        if (input_errors[i].number == number)
            return rw_fail(err, RW_ERR_INPUT, input_errors[i].code, path, "cannot read: %s",
                           input_errors[i].text);
    return rw_fail(err, RW_ERR_INPUT, "file.read", path, "cannot read: %s", rw_errno_text(number));
}

static rw_status check_regular(const char *path, mode_t mode, rw_error *err) {
    if (S_ISREG(mode))
        return RW_OK;
    const char *what = S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a pipe" : "a device";
    return rw_fail(err, RW_ERR_INPUT, "file.not_regular", path,
                   "it is %s, and a regular file is wanted here", what);
}

/* Not blocking: opening a pipe would wait for a writer for ever. Regular files don't care. */
static rw_status open_regular(const char *path, int *fd, uint64_t *size, rw_error *err) {
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return rw_fail_input(err, path, errno);
    rw_status status = RW_OK;
    if (fstat(*fd, &info) != 0)
        status = rw_fail_input(err, path, errno);
    else
        status = check_regular(path, info.st_mode, err);
    if (status != RW_OK) {
        close(*fd);
        *fd = -1;
        return status;
    }
    *size = (uint64_t)info.st_size;
    return RW_OK;
}

rw_status rw_file_open(rw_context *ctx, const char *path, rw_file *out, rw_error *err) {
    *out = (rw_file){.fd = -1, .ctx = ctx};
    size_t length = strlen(path) + 1;
    char *copy = rw_alloc(ctx, length);
    if (!copy)
        return rw_fail_memory(err, path, length);
    memcpy(copy, path, length);
    rw_status status = open_regular(path, &out->fd, &out->size, err);
    if (status != RW_OK) {
        rw_free(ctx, copy);
        return status;
    }
    out->path = copy;
    return RW_OK;
}

void rw_file_close(rw_file *file) {
    if (!file->ctx)
        return;
    if (file->fd >= 0)
        close(file->fd);
    rw_free(file->ctx, file->path);
    *file = (rw_file){.fd = -1};
}

static rw_status fail_truncated(const rw_file *file, uint64_t offset, uint64_t size, uint64_t got,
                                rw_error *err) {
    return rw_fail_at(err, RW_ERR_INPUT, "file.truncated", file->path, offset + got,
                      "the file ends early: %llu bytes were wanted at byte %llu, %llu were there "
                      "(is the download complete?)",
                      (unsigned long long)size, (unsigned long long)offset,
                      (unsigned long long)got);
}

rw_status rw_file_read(const rw_file *file, uint64_t offset, void *out, size_t size,
                       rw_error *err) {
    static const size_t step_max = (size_t)1 << 30; /* one pread moves less than 2 GiB */
    size_t done = 0;
    if (offset > INT64_MAX || size > INT64_MAX - offset)
        return fail_truncated(file, offset, size, 0, err);
    while (done < size) {
        size_t step = size - done < step_max ? size - done : step_max;
        ssize_t got = pread(file->fd, (char *)out + done, step, (off_t)(offset + done));
        if (got == 0)
            return fail_truncated(file, offset, size, done, err);
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            return rw_fail_at(err, RW_ERR_INPUT, "file.read", file->path, offset + done,
                              "reading failed: %s", rw_errno_text(errno));
    }
    return RW_OK;
}

/* ---- as memory ------------------------------------------------------------------------------- */

/* The size is asked anew: touching a page behind the file's end would end the process. */
static rw_status check_still_there(const rw_file *file, uint64_t offset, size_t size,
                                   rw_error *err) {
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return rw_fail_input(err, file->path, errno);
    uint64_t now = (uint64_t)info.st_size;
    if (offset <= now && size <= now - offset)
        return RW_OK;
    return fail_truncated(file, offset, size, offset < now ? now - offset : 0, err);
}

rw_status rw_file_map(const rw_file *file, uint64_t offset, size_t size, rw_mapping *out,
                      rw_error *err) {
    *out = (rw_mapping){0};
    RW_TRY(check_still_there(file, offset, size, err));
    if (size == 0)
        return RW_OK;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), lead = (size_t)(offset % page), bytes;
    if (!rw_add_size(size, lead, &bytes))
        return rw_fail_memory(err, file->path, size);
    void *pages = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file->fd, (off_t)(offset - lead));
    if (pages == MAP_FAILED && errno == ENOMEM)
        return rw_fail_memory(err, file->path, bytes);
    if (pages == MAP_FAILED)
        return rw_fail(err, RW_ERR_INPUT, "file.map", file->path,
                       "the file cannot be mapped into memory: %s", rw_errno_text(errno));
    *out = (rw_mapping){(unsigned char *)pages + lead, size, pages, bytes};
    return RW_OK;
}

void rw_file_unmap(rw_mapping *mapping) {
    if (mapping->pages)
        munmap(mapping->pages, mapping->page_bytes);
    *mapping = (rw_mapping){0};
}

/* ---- whole ----------------------------------------------------------------------------------- */

static rw_status load_open(const rw_file *file, uint64_t limit, rw_buf *out, rw_error *err) {
    if (file->size > limit || file->size > SIZE_MAX - 1)
        return rw_fail(err, RW_ERR_INPUT, "file.too_large", file->path,
                       "it has %llu bytes, and at most %llu are taken for a file of its kind",
                       (unsigned long long)file->size, (unsigned long long)limit);
    size_t size = (size_t)file->size;
    out->data = rw_alloc(out->ctx, size + 1);
    if (!out->data)
        return rw_fail_memory(err, file->path, size + 1);
    out->capacity = size + 1;
    RW_TRY(rw_file_read(file, 0, out->data, size, err));
    out->size = size;
    out->data[size] = '\0';
    return RW_OK;
}

rw_status rw_file_load(rw_context *ctx, const char *path, uint64_t limit, rw_buf *out,
                       rw_error *err) {
    rw_file file;
    *out = (rw_buf){.ctx = ctx};
    RW_TRY(rw_file_open(ctx, path, &file, err));
    rw_status status = load_open(&file, limit, out, err);
    if (status != RW_OK)
        rw_buf_free(out);
    rw_file_close(&file);
    return status;
}

bool rw_path_is_directory(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool rw_path_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}
