/*
 * gguf_write.c - an edited GGUF as a file: header rewritten, tensor bytes copied.
 *
 * With the same tensors as before the data area is copied as one range, so that offsets, padding
 * and whatever else lies there stay. With others, or from several files, it is laid out anew, in
 * the order of the entries, each at the next multiple of the alignment: the only layout that
 * llama.cpp accepts.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/gguf_edit.h"

typedef struct sink {
    const rw_gguf_edit *edit;
    const char *path;
    int fd;
    uint64_t at; /* bytes written so far */
    rw_error *err;
} sink;

static rw_status write_failed(const sink *s, int number) {
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return rw_fail(s->err, RW_ERR_IO, "output.full", s->path,
                       "no space is left to write the file; free some and run again");
    return rw_fail(s->err, RW_ERR_IO, "output.write", s->path,
                   "the file can't be written (errno %d)", number);
}

static rw_status put(sink *s, const void *bytes, size_t size) {
    const char *p = bytes;
    for (size_t left = size; left;) {
        ssize_t done = write(s->fd, p, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return write_failed(s, done < 0 ? errno : EIO);
        p += done;
        left -= (size_t)done;
    }
    s->at += size;
    return RW_OK;
}

static uint64_t aligned(const sink *s, uint64_t at) {
    uint64_t mask = s->edit->source->gguf->alignment - 1;
    return (at + mask) & ~mask;
}

static rw_status pad(sink *s) {
    static const char zeros[4096];
    for (uint64_t left = aligned(s, s->at) - s->at; left;) {
        size_t now = left < sizeof zeros ? (size_t)left : sizeof zeros;
        RW_TRY(put(s, zeros, now));
        left -= now;
    }
    return RW_OK;
}

static rw_status copy(sink *s, uint32_t file, uint64_t from, uint64_t size) {
    const rw_file *source = &s->edit->source->files[file];
    RW_TRY(rw_file_copy_range(s->edit->ctx, source, from, size, s->fd, s->path, s->err));
    s->at += size;
    return RW_OK;
}

/* ---- header ---------------------------------------------------------------------------------- */

static void append_u32(rw_buf *out, uint32_t value) {
    uint8_t bytes[4];
    rw_store_u32(bytes, value);
    rw_buf_append(out, bytes, sizeof bytes);
}

static void append_u64(rw_buf *out, uint64_t value) {
    uint8_t bytes[8];
    rw_store_u64(bytes, value);
    rw_buf_append(out, bytes, sizeof bytes);
}

static void append_info(rw_buf *out, const rw_gguf_info *info, uint64_t offset) {
    append_u64(out, info->name.size);
    rw_buf_append(out, info->name.data, info->name.size);
    append_u32(out, info->n_dims);
    for (uint32_t i = 0; i < info->n_dims; i++)
        append_u64(out, info->dims[i]);
    append_u32(out, info->type);
    append_u64(out, offset);
}

static void append_infos(const sink *s, rw_buf *out) {
    const rw_gguf_edit *edit = s->edit;
    const rw_gguf *gguf = edit->source->gguf;
    if (!edit->tensors_changed) {
        rw_buf_append(out, gguf->bytes + gguf->infos_begin,
                      (size_t)(gguf->infos_end - gguf->infos_begin));
        return;
    }
    uint64_t offset = 0;
    for (size_t i = 0; i < edit->tensor_count; i++) {
        append_info(out, &edit->tensors[i].info, offset);
        offset = aligned(s, offset + edit->tensors[i].size);
    }
}

static rw_status put_header(sink *s) {
    const rw_gguf_edit *edit = s->edit;
    rw_buf out = {.ctx = edit->ctx};
    rw_buf_append(&out, rw_gguf_magic, sizeof rw_gguf_magic);
    append_u32(&out, edit->source->gguf->version);
    append_u64(&out, edit->tensor_count);
    append_u64(&out, edit->value_count);
    for (size_t i = 0; i < edit->value_count; i++)
        rw_buf_append(&out, edit->values[i].bytes.data, edit->values[i].bytes.size);
    append_infos(s, &out);
    rw_status status = rw_buf_status(&out, s->err);
    if (status == RW_OK)
        status = put(s, out.data, out.size);
    rw_buf_free(&out);
    return status;
}

/* ---- data ------------------------------------------------------------------------------------ */

static rw_status put_tensors(sink *s) {
    for (size_t i = 0; i < s->edit->tensor_count; i++) {
        const rw_edit_tensor *tensor = &s->edit->tensors[i];
        RW_TRY(tensor->bytes ? put(s, tensor->bytes, (size_t)tensor->size)
                             : copy(s, tensor->file, tensor->from, tensor->size));
        RW_TRY(pad(s));
    }
    return RW_OK;
}

static rw_status put_all(sink *s) {
    const rw_checkpoint *source = s->edit->source;
    uint64_t begin = source->gguf->data_begin, size = source->files[0].size;
    RW_TRY(put_header(s));
    if (s->edit->tensor_count == 0 && size <= begin)
        return RW_OK;
    RW_TRY(pad(s));
    if (s->edit->tensors_changed)
        return put_tensors(s);
    return size > begin ? copy(s, 0, begin, size - begin) : RW_OK;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The input is never changed, whatever name it goes by. */
static rw_status start_file(sink *s) {
    const rw_checkpoint *source = s->edit->source;
    struct stat ours, theirs;
    if (fstat(s->fd, &ours) != 0)
        return write_failed(s, errno);
    for (size_t i = 0; i < source->file_count; i++) {
        if (fstat(source->files[i].fd, &theirs) != 0)
            return write_failed(s, errno);
        if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
            return rw_fail(s->err, RW_ERR_REFUSED, "output.exists", s->path,
                           "the output is the input itself; choose another name");
    }
    return ftruncate(s->fd, 0) == 0 ? RW_OK : write_failed(s, errno);
}

/* What was written reads back with the tensors that were meant. */
static rw_status read_back(const rw_gguf_edit *edit, const char *path, rw_error *err) {
    rw_checkpoint *written;
    RW_TRY(rw_checkpoint_open(edit->ctx, path, 0, &written, err));
    bool same = written->gguf && written->gguf->count == edit->value_count &&
                written->tensor_count == edit->tensor_count;
    for (size_t i = 0; same && i < edit->tensor_count; i++) {
        const rw_edit_tensor *meant = &edit->tensors[i];
        same = rw_str_equal(written->tensors[i].name, meant->info.name) &&
               written->tensors[i].ggml_type == meant->info.type &&
               written->tensors[i].bytes >= meant->size; /* unknown types count their padding */
    }
    rw_checkpoint_close(written);
    if (same)
        return RW_OK;
    return rw_fail(err, RW_ERR_INTERNAL, "gguf.edit", path,
                   "the written file does not hold what was meant; this is a defect, please "
                   "report it");
}

rw_status rw_gguf_edit_write(const rw_gguf_edit *edit, const char *path, rw_error *err) {
    sink s = {.edit = edit, .path = path, .err = err};
    s.fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (s.fd < 0)
        return write_failed(&s, errno);
    rw_status status = start_file(&s);
    if (status == RW_OK)
        status = put_all(&s);
    if (close(s.fd) != 0 && status == RW_OK)
        status = write_failed(&s, errno);
    return status == RW_OK ? read_back(edit, path, err) : status;
}
