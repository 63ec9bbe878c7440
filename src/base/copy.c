/*
 * copy.c - whole files and ranges: shared blocks where the file system can, else inside the
 * kernel, else through a buffer. Holes stay holes: a sparse file may be larger than the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/internal.h"

enum { STREAM_PIECE = 1 << 20, KERNEL_PIECE = 1 << 26 };

typedef struct range {
    rw_context *ctx;
    const rw_file *from;
    uint64_t offset;
    uint64_t size;
    uint64_t done;
    uint64_t until; /* where the present run of data ends, counted like `done` */
    int fd;
    const char *to_path;
} range;

static rw_status advance(range *r, uint64_t bytes, rw_error *err) {
    r->done += bytes;
    rw_progress(r->ctx, "copy", r->done, r->size, "bytes");
    return rw_check_cancel(r->ctx, err);
}

/* Goes as far as the kernel will. Whatever stops it (another file system, an appending
   descriptor, an early end, a full disk) the stream behind meets again, and reports. */
static rw_status copy_in_kernel(range *r, rw_error *err) {
    while (r->done < r->until) {
        uint64_t left = r->until - r->done;
        off_t at = (off_t)(r->offset + r->done);
        ssize_t moved = copy_file_range(r->from->fd, &at, r->fd, NULL,
                                        left < KERNEL_PIECE ? (size_t)left : KERNEL_PIECE, 0);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return RW_OK;
        RW_TRY(advance(r, (uint64_t)moved, err));
    }
    return RW_OK;
}

static rw_status stream_pieces(range *r, void *piece, rw_error *err) {
    while (r->done < r->until) {
        uint64_t left = r->until - r->done;
        size_t step = left < STREAM_PIECE ? (size_t)left : STREAM_PIECE;
        RW_TRY(rw_file_read(r->from, r->offset + r->done, piece, step, err));
        int number = rw_write_all(r->fd, piece, step);
        if (number)
            return rw_fail_output(err, r->to_path, number);
        RW_TRY(advance(r, step, err));
    }
    return RW_OK;
}

static rw_status copy_stream(range *r, rw_error *err) {
    if (r->done == r->until)
        return RW_OK;
    void *piece = rw_alloc(r->ctx, STREAM_PIECE);
    if (!piece)
        return rw_fail_memory(err, r->to_path, STREAM_PIECE);
    rw_status status = stream_pieces(r, piece, err);
    rw_free(r->ctx, piece);
    return status;
}

/* ---- holes ----------------------------------------------------------------------------------- */

/* A hole is left by making the file longer, so what is written must be its end. */
static bool can_leave_holes(int fd) {
    struct stat to;
    return fstat(fd, &to) == 0 && S_ISREG(to.st_mode) && lseek(fd, 0, SEEK_CUR) == to.st_size;
}

/* Bytes of a hole at this place; 0 where data begin, and where nobody knows. A file that became
   shorter ends in no hole: reading on reports it. */
static uint64_t hole_here(const range *r) {
    struct stat from;
    off_t here = (off_t)(r->offset + r->done), data = lseek(r->from->fd, here, SEEK_DATA);
    if (data < 0 && errno == ENXIO && fstat(r->from->fd, &from) == 0)
        data = from.st_size;
    uint64_t left = r->size - r->done;
    if (data <= here)
        return 0;
    return (uint64_t)(data - here) < left ? (uint64_t)(data - here) : left;
}

static uint64_t data_here(const range *r) {
    off_t here = (off_t)(r->offset + r->done), hole = lseek(r->from->fd, here, SEEK_HOLE);
    uint64_t left = r->size - r->done;
    return hole > here && (uint64_t)(hole - here) < left ? (uint64_t)(hole - here) : left;
}

static rw_status leave_hole(range *r, uint64_t bytes, rw_error *err) {
    off_t end = lseek(r->fd, (off_t)bytes, SEEK_END);
    if (end < 0 || ftruncate(r->fd, end) != 0)
        return rw_fail_output(err, r->to_path, errno);
    return advance(r, bytes, err);
}

static rw_status copy_data(range *r, uint64_t bytes, rw_error *err) {
    r->until = r->done + bytes;
    RW_TRY(copy_in_kernel(r, err));
    return copy_stream(r, err);
}

static rw_status copy_sparse(range *r, rw_error *err) {
    while (r->done < r->size) {
        uint64_t hole = hole_here(r);
        RW_TRY(hole ? leave_hole(r, hole, err) : copy_data(r, data_here(r), err));
    }
    return RW_OK;
}

rw_status rw_file_copy_range(rw_context *ctx, const rw_file *from, uint64_t offset, uint64_t size,
                             int fd, const char *to_path, rw_error *err) {
    if (offset > from->size || size > from->size - offset)
        return rw_fail_at(err, RW_ERR_INPUT, "file.truncated", from->path, from->size,
                          "the file ends before the %llu bytes at %llu that are to be copied",
                          (unsigned long long)size, (unsigned long long)offset);
    range r = {
        .ctx = ctx, .from = from, .offset = offset, .size = size, .fd = fd, .to_path = to_path};
    RW_TRY(rw_check_cancel(ctx, err));
    return can_leave_holes(fd) ? copy_sparse(&r, err) : copy_data(&r, size, err);
}

static rw_status copy_open(rw_context *ctx, const rw_file *from, const char *to, rw_error *err) {
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return rw_fail_output(err, to, errno);
    rw_status status = rw_check_cancel(ctx, err);
    if (status == RW_OK && ioctl(fd, FICLONE, from->fd) != 0)
        status = rw_file_copy_range(ctx, from, 0, from->size, fd, to, err);
    if (close(fd) != 0 && status == RW_OK)
        status = rw_fail_output(err, to, errno);
    if (status != RW_OK)
        unlink(to);
    return status;
}

rw_status rw_file_copy(rw_context *ctx, const char *from, const char *to, rw_copy_mode mode,
                       rw_error *err) {
    rw_file file;
    RW_TRY(rw_file_open(ctx, from, &file, err));
    /* Followed, as model caches are made of symbolic links to the real files. */
    if (mode == RW_COPY_LINK) {
        if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0) {
            rw_file_close(&file);
            return RW_OK;
        }
        if (errno != EEXIST)
            rw_log(ctx, RW_WARNING, "%s: cannot be linked (%s), so it is copied", to,
                   rw_errno_text(errno));
    }
    rw_status status = copy_open(ctx, &file, to, err);
    rw_file_close(&file);
    return status;
}
