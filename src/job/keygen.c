/*
 * keygen.c - the job `keygen`: a pair of keys in two files, or none.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "job/describe.h"
#include "receipt/key.h"
#include "ropewalk/job.h"

typedef struct keygen {
    rw_context *ctx;
    rw_key *key;
    rw_arena arena;
    const char *private_path, *public_path;
    rw_output *private_file, *public_file;
    bool private_done, public_done; /* under their names */
} keygen;

/* ---- the private file ------------------------------------------------------------------------ */

static bool write_all(int fd, rw_str bytes) {
    while (bytes.size > 0) {
        ssize_t wrote = write(fd, bytes.data, bytes.size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        bytes.data += wrote;
        bytes.size -= (size_t)wrote;
    }
    return fsync(fd) == 0 || errno == EINVAL;
}

/* rw_file_write obeys the umask. A secret is born readable by its owner only: a file whose mode is
   narrowed later may have been opened in between. */
static rw_status write_private(const keygen *job, rw_str bytes, rw_error *err) {
    const char *path = rw_output_path(job->private_file);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    bool good = fd >= 0 && write_all(fd, bytes);
    bool full = !good && errno == ENOSPC;
    if (fd >= 0 && close(fd) != 0)
        good = false;
    if (good)
        return RW_OK;
    return rw_fail(err, RW_ERR_IO, full ? "output.full" : "output.write", job->private_path,
                   "The private key cannot be written: %s.",
                   full ? "no space is left on the device; free some and run again"
                        : "the file system refuses; write elsewhere");
}

static rw_status put_private(keygen *job, rw_error *err) {
    rw_buf pem = {.ctx = job->ctx};
    rw_status status = rw_key_private_pem(job->key, &pem, err);
    if (status == RW_OK)
        status = write_private(job, (rw_str){pem.data, pem.size}, err);
    if (pem.data)
        explicit_bzero(pem.data, pem.size);
    rw_buf_free(&pem);
    return status;
}

/* ---- both ------------------------------------------------------------------------------------ */

static rw_status put_public(keygen *job, rw_error *err) {
    rw_buf pem = {.ctx = job->ctx};
    rw_status status = rw_key_public_pem(job->key, &pem, err);
    if (status == RW_OK)
        status = rw_file_write(job->ctx, rw_output_path(job->public_file),
                               (rw_str){pem.data, pem.size}, err);
    rw_buf_free(&pem);
    return status;
}

static rw_status commit_one(rw_output **file, bool *done, rw_error *err) {
    rw_output *output = *file;
    *file = NULL;
    rw_status status = rw_output_commit(output, err);
    *done = status == RW_OK;
    return status;
}

/* The private one last: killed in between, the process leaves nothing that must be kept safe. */
static rw_status commit(keygen *job, rw_error *err) {
    RW_TRY(commit_one(&job->public_file, &job->public_done, err));
    return commit_one(&job->private_file, &job->private_done, err);
}

static void undo(keygen *job) {
    if (job->public_done)
        unlink(job->public_path);
    if (job->private_done)
        unlink(job->private_path);
}

static rw_status make_pair(keygen *job, rw_error *err) {
    RW_TRY(rw_output_begin_file(job->ctx, job->private_path, &job->private_file, err));
    RW_TRY(rw_output_begin_file(job->ctx, job->public_path, &job->public_file, err));
    RW_TRY(rw_key_generate(job->ctx, &job->key, err));
    RW_TRY(put_private(job, err));
    RW_TRY(put_public(job, err));
    return commit(job, err);
}

static rw_status name_files(keygen *job, const char *output, rw_error *err) {
    size_t size = output ? strlen(output) : 0;
    if (size == 0 || output[size - 1] == '/')
        return rw_fail(err, RW_ERR_USAGE, "keygen.output", output,
                       "Name the file for the private key; the public key goes beside it, with "
                       "\".pub\" behind the name.");
    job->private_path = output;
    job->public_path = rw_arena_format(&job->arena, "%s.pub", output);
    return job->public_path ? RW_OK : rw_fail_memory(err, output, size + 5);
}

rw_status rw_keygen(rw_context *ctx, const rw_keygen_options *options, char **json, rw_error *err) {
    keygen job = {.ctx = ctx, .arena = {.ctx = ctx}};
    rw_json_writer w;
    rw_buf text;
    *json = NULL;
    rw_result_begin(ctx, &text, &w, "ropewalk.keygen/1");
    rw_status status = name_files(&job, options->output, err);
    if (status == RW_OK)
        status = make_pair(&job, err);
    if (status == RW_OK) {
        rw_json_member_string(&w, "algorithm", "Ed25519");
        rw_json_member_string(&w, "private_key", job.private_path);
        rw_json_member_string(&w, "public_key", job.public_path);
        rw_json_member_string(&w, "fingerprint", rw_key_fingerprint(job.key));
    }
    status = rw_result_end(&text, &w, status, json, err);
    rw_output_abort(job.private_file);
    rw_output_abort(job.public_file);
    if (status != RW_OK)
        undo(&job);
    rw_key_free(job.key);
    rw_arena_free(&job.arena);
    return status;
}
