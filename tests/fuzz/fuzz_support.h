/*
 * fuzz_support.h - a context, and the input as a file that exists only in memory.
 */
#ifndef RW_FUZZ_SUPPORT_H
#define RW_FUZZ_SUPPORT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

/* Prototype, for -Wmissing-prototypes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline rw_context *fuzz_context(void) {
    static rw_context *ctx;
    if (!ctx && rw_context_create(NULL, &ctx, NULL) != RW_OK)
        abort();
    return ctx;
}

typedef struct fuzz_file {
    int fd;
    char path[64];
} fuzz_file;

static inline fuzz_file fuzz_file_make(const uint8_t *data, size_t size) {
    fuzz_file file = {.fd = memfd_create("input", MFD_CLOEXEC)};
    if (file.fd < 0 || write(file.fd, data, size) != (ssize_t)size)
        abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static inline void fuzz_file_free(fuzz_file *file) {
    close(file->fd);
}

/* Hostile input may be refused, but never blamed on a defect of ours. */
static inline void fuzz_refused(const rw_error *err) {
    if (err->status != RW_ERR_INPUT || !err->code[0] || !err->message[0]) {
        fprintf(stderr, "%s [%s] %s\n", rw_status_name(err->status), err->code, err->message);
        abort();
    }
}

#endif
