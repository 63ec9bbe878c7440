/*
 * file.h - reading that distrusts, writing that leaves nothing half-done.
 */
#ifndef RW_BASE_FILE_H
#define RW_BASE_FILE_H

#include "base/base.h"

/* ---- reading ------------------------------------------------------------------------------- */

typedef struct rw_file {
    int fd;
    uint64_t size; /* when it was opened */
    char *path;    /* owned              */
    rw_context *ctx;
} rw_file;

/* Opens a regular file for reading. Codes: file.missing, file.permission, file.not_regular. */
rw_status rw_file_open(rw_context *ctx, const char *path, rw_file *out, rw_error *err);
void rw_file_close(rw_file *file);

/* Exactly `size` bytes at `offset`, or an error: file.truncated when the file ends before (it
   shrank since it was opened, or a header lied), file.read for the disk's own errors. Any thread.
 */
rw_status rw_file_read(const rw_file *file, uint64_t offset, void *out, size_t size, rw_error *err);

/* Bytes of a file as memory: read-only pages that the system fetches when they are touched, shares
   between processes and drops when it needs room. A file that others cut short while it is mapped
   ends the process (SIGBUS) when the missing part is touched. */
typedef struct rw_mapping {
    const unsigned char *data; /* [size], the byte at the offset asked for; NULL: nothing */
    size_t size;
    void *pages;
    size_t page_bytes;
} rw_mapping;

/* Codes: file.truncated when the file now ends before, file.map when it can't be mapped. The
   mapping outlives the file's being closed. */
rw_status rw_file_map(const rw_file *file, uint64_t offset, size_t size, rw_mapping *out,
                      rw_error *err);
void rw_file_unmap(rw_mapping *mapping); /* leaves it empty; an empty one is fine */

/* The whole file, NUL-terminated, when it has at most `limit` bytes (else file.too_large). */
rw_status rw_file_load(rw_context *ctx, const char *path, uint64_t limit, rw_buf *out,
                       rw_error *err);

bool rw_path_is_directory(const char *path);
bool rw_path_exists(const char *path);

/* ---- writing ------------------------------------------------------------------------------- */

/* An output (file or directory) under a temporary name beside its final one. Nothing of `path`
   exists before rw_output_commit; rw_output_abort removes every trace. An existing `path` is
   refused (RW_ERR_REFUSED output.exists), also when it came into being meanwhile. Other codes, all
   RW_ERR_IO: output.parent, output.read_only, output.full, output.write. A process that is killed
   leaves at most `.NAME.ropewalk-XXXXXX` behind. */
typedef struct rw_output rw_output;

rw_status rw_output_begin_directory(rw_context *ctx, const char *path, rw_output **out,
                                    rw_error *err);
rw_status rw_output_begin_file(rw_context *ctx, const char *path, rw_output **out, rw_error *err);
/* Temporary path of the directory (or file) being made. */
const char *rw_output_path(const rw_output *output);
/* Flushes to the disk and renames into place. Frees `output` on success and on failure. */
rw_status rw_output_commit(rw_output *output, rw_error *err);
void rw_output_abort(rw_output *output); /* NULL is fine */

/* Removes a file or a whole directory tree, as far as that is possible: for outputs of ours. */
void rw_remove_tree(const char *path);

/* Writes bytes to a new file at `path`, flushed. (Inside an rw_output directory, or to
   rw_output_path of a file.) A file that is there is removed first, never written into: it may be
   a hard link to the input. On failure nothing stays at `path`. */
rw_status rw_file_write(rw_context *ctx, const char *path, rw_str bytes, rw_error *err);

typedef enum rw_copy_mode { RW_COPY, RW_COPY_LINK } rw_copy_mode;
/* Copies a file: reflink where the file system can, else copy_file_range, else a stream.
   RW_COPY_LINK makes a hard link instead. Reports progress and obeys cancel. */
rw_status rw_file_copy(rw_context *ctx, const char *from, const char *to, rw_copy_mode mode,
                       rw_error *err);
/* Appends [offset, offset+size) of `from` to the open descriptor `fd` (for GGUF surgery); what is a
   hole in `from` becomes one in a regular file. */
rw_status rw_file_copy_range(rw_context *ctx, const rw_file *from, uint64_t offset, uint64_t size,
                             int fd, const char *to_path, rw_error *err);

/* Names in a directory (not "." and ".."), sorted bytewise; arena memory. */
rw_status rw_directory_list(rw_arena *arena, const char *path, char ***names, size_t *count,
                            rw_error *err);

#endif
