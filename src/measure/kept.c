/*
 * kept.c - the side file: opened with distrust, written part by part, checked before it is used.
 *
 * It is not flushed to the disk: the hashes find out what a machine that went down had not written.
 */
#include "measure/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

/* At the front, for people who find the file, and for us: no other file is written to or removed.
 */
static const char header[] = "ropewalk: cache rows of a measurement that has not ended yet (1)\n";

enum { HEADER_BYTES = sizeof header - 1, STAGE_BYTES = 1 << 18 };

void rw_kept_init(rw_kept *out, rw_context *ctx, const char *path) {
    *out = (rw_kept){.ctx = ctx, .path = path, .least = RW_KEEP_FROM, .fd = -1};
}

static void close_file(rw_kept *k) {
    if (k->fd >= 0)
        close(k->fd);
    k->fd = -1;
}

void rw_kept_free(rw_kept *kept) {
    close_file(kept);
    rw_free(kept->ctx, kept->parts);
    kept->parts = NULL;
    kept->count = kept->capacity = 0;
}

/* ---- the list -------------------------------------------------------------------------------- */

static uint64_t end_of_parts(const rw_kept *k) {
    return k->count ? k->parts[k->count - 1].to : 0;
}

static uint64_t end_of_bytes(const rw_kept *k) {
    const rw_part *last = k->count ? &k->parts[k->count - 1] : NULL;
    return last ? last->offset + last->bytes : HEADER_BYTES;
}

rw_status rw_kept_list(rw_kept *kept, const rw_part *part, rw_error *err) {
    while (end_of_parts(kept) > part->from)
        kept->count--;
    bool fits = part->bytes <= INT64_MAX - end_of_bytes(kept);
    if (end_of_parts(kept) != part->from || part->to <= part->from || !fits) {
        kept->count = 0; /* no sequence of ours */
        return RW_OK;
    }
    if (kept->count == kept->capacity) {
        size_t capacity = kept->capacity ? 2 * kept->capacity : 64, size = sizeof *part;
        rw_part *grown = rw_grow(kept->ctx, kept->parts, kept->capacity * size, capacity * size);
        if (!grown)
            return rw_fail_memory(err, kept->path, capacity * size);
        kept->parts = grown;
        kept->capacity = capacity;
    }
    uint64_t offset = end_of_bytes(kept);
    kept->parts[kept->count] = *part;
    kept->parts[kept->count++].offset = offset;
    return RW_OK;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* `why` it can't be kept. A file of ours goes, so that the journal has room. */
static void give_up(rw_kept *k, const char *why) {
    rw_log(k->ctx, RW_WARNING,
           "%s: %s. This run goes on without it; should it be stopped, it reads the sequence that "
           "it is in again from the beginning",
           k->path, why);
    if (k->fd >= 0)
        unlink(k->path);
    close_file(k);
    k->count = 0;
    k->given_up = true;
}

static const char *why_not_written(int number) {
    return number == ENOSPC || number == EDQUOT ? "the disk is full, so nothing is kept here"
           : number == EFBIG                    ? "the file may not grow, so nothing is kept here"
                             : "the file system refuses, so nothing is kept here";
}

/* A file that is not whole is ours as far as it goes. */
static bool is_ours(int fd) {
    char found[HEADER_BYTES];
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    ssize_t size = pread(fd, found, sizeof found, 0);
    return size >= 0 && memcmp(found, header, (size_t)size) == 0;
}

/* NULL, or why it can't be. */
static const char *open_file(rw_kept *k, int flags) {
    k->fd = open(k->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | flags, 0666);
    if (k->fd < 0)
        return "the file cannot be opened for writing, so nothing is kept here";
    if (is_ours(k->fd))
        return NULL;
    close_file(k);
    return "this is a file of something else, so nothing is kept here";
}

bool rw_kept_open(rw_kept *kept) {
    if (kept->fd >= 0 || kept->given_up)
        return kept->fd >= 0;
    const char *why = open_file(kept, O_CREAT);
    if (why)
        give_up(kept, why);
    return !why;
}

void rw_kept_remove(rw_kept *kept) {
    kept->count = 0;
    if (kept->fd >= 0 || !open_file(kept, 0))
        unlink(kept->path);
    close_file(kept);
}

/* errno, or 0. */
static int write_all(int fd, const char *bytes, size_t size, uint64_t offset) {
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(fd, bytes + done, size - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : ENOSPC;
        done += (size_t)put;
    }
    return 0;
}

static bool read_all(int fd, char *bytes, size_t size, uint64_t offset) {
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, bytes + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

void rw_kept_cut(rw_kept *kept, size_t count) {
    kept->count = count < kept->count ? count : kept->count;
    if (kept->fd < 0)
        return;
    int number = write_all(kept->fd, header, HEADER_BYTES, 0);
    if (number == 0 && ftruncate(kept->fd, (off_t)end_of_bytes(kept)) != 0)
        number = errno;
    if (number)
        give_up(kept, why_not_written(number));
}

/* ---- out ------------------------------------------------------------------------------------- */

typedef struct writer {
    int fd;
    uint64_t begin, offset;
    rw_hasher *hasher;
    int number; /* errno of what failed */
} writer;

static rw_status put(void *user, const void *bytes, size_t size, rw_error *err) {
    writer *w = user;
    rw_hasher_update(w->hasher, bytes, size);
    w->number = write_all(w->fd, bytes, size, w->offset);
    w->offset += size;
    return w->number ? rw_fail(err, RW_ERR_IO, "state.cache", "", "cannot be written") : RW_OK;
}

rw_status rw_kept_write(rw_kept *kept, rw_part *part, rw_scorer *scorer, rw_error *err) {
    rw_sha256 digest;
    writer w = {.fd = kept->fd, .begin = end_of_bytes(kept), .offset = end_of_bytes(kept)};
    RW_TRY(rw_hasher_create(kept->ctx, &w.hasher, err));
    const rw_row_sink sink = {&w, put};
    rw_status status = scorer->save(scorer, part->from, &sink, err);
    if (status != RW_OK)
        rw_hasher_free(w.hasher);
    if (w.number) {
        give_up(kept, why_not_written(w.number));
        return RW_OK;
    }
    RW_TRY(status);
    RW_TRY(rw_hasher_finish(w.hasher, &digest, err));
    rw_sha256_hex(&digest, part->sha256);
    part->bytes = w.offset - w.begin;
    return RW_OK;
}

/* ---- in -------------------------------------------------------------------------------------- */

static rw_status hash_bytes(rw_kept *k, const rw_part *part, char *stage, char hex[65],
                            rw_error *err) {
    rw_hasher *hasher;
    rw_sha256 digest;
    hex[0] = '\0';
    RW_TRY(rw_hasher_create(k->ctx, &hasher, err));
    for (uint64_t done = 0, size; done < part->bytes; done += size) {
        size = part->bytes - done < STAGE_BYTES ? part->bytes - done : STAGE_BYTES;
        if (!read_all(k->fd, stage, (size_t)size, part->offset + done)) {
            rw_hasher_free(hasher);
            return RW_OK;
        }
        rw_hasher_update(hasher, stage, (size_t)size);
    }
    RW_TRY(rw_hasher_finish(hasher, &digest, err));
    rw_sha256_hex(&digest, hex);
    return rw_check_cancel(k->ctx, err);
}

rw_status rw_kept_check(rw_kept *kept, const rw_part *part, bool *sound, rw_error *err) {
    char hex[65], *stage = rw_alloc(kept->ctx, STAGE_BYTES);
    if (!stage)
        return rw_fail_memory(err, kept->path, STAGE_BYTES);
    rw_status status = hash_bytes(kept, part, stage, hex, err);
    *sound = strcmp(hex, part->sha256) == 0;
    rw_free(kept->ctx, stage);
    return status;
}

typedef struct reader {
    const rw_kept *kept;
    uint64_t offset, end;
} reader;

static rw_status get(void *user, void *bytes, size_t size, rw_error *err) {
    reader *r = user;
    if (size > r->end - r->offset || !read_all(r->kept->fd, bytes, size, r->offset))
        return rw_fail(err, RW_ERR_IO, "state.cache", r->kept->path,
                       "the file was changed while it was read: measure again");
    r->offset += size;
    return RW_OK;
}

rw_status rw_kept_restore(rw_kept *kept, const rw_part *part, rw_scorer *scorer, rw_error *err) {
    reader r = {.kept = kept, .offset = part->offset, .end = part->offset + part->bytes};
    const rw_row_source source = {&r, get};
    return scorer->restore(scorer, part->to, &source, err);
}
