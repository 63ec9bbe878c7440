/*
 * base_support.h - for the tests of src/base: an allocator that fails on demand and counts what is
 * alive, and a scratch directory.
 */
#ifndef RW_TESTS_BASE_SUPPORT_H
#define RW_TESTS_BASE_SUPPORT_H

#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "support.h"

typedef struct meter {
    atomic_long alive;
    long left; /* allocations still granted; negative: no limit */
} meter;

/* Odd addresses: nobody may rely on the caller's allocator to align. */
static inline void *meter_realloc(void *user, void *pointer, size_t size) {
    meter *m = user;
    if (size == 0) {
        if (pointer) {
            m->alive--;
            free((char *)pointer - 1);
        }
        return NULL;
    }
    assert_null(pointer);
    if (m->left == 0)
        return NULL;
    if (m->left > 0)
        m->left--;
    m->alive++;
    return (char *)malloc(size + 1) + 1;
}

static inline rw_context *meter_context(meter *m) {
    rw_context *ctx = NULL;
    rw_context_options options = {
        .struct_size = sizeof options, .user = m, .realloc = meter_realloc, .threads = 2};
    assert_int_equal(rw_context_create(&options, &ctx, NULL), RW_OK);
    return ctx;
}

/* A directory of this test's own; scratch_path puts names into it. */
static char scratch[256];

static inline int scratch_make(void **state) {
    (void)state;
    snprintf(scratch, sizeof scratch, "%s/scratch-XXXXXX", RW_BINARY_DIR);
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int scratch_remove(void **state) {
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command);
}

static inline const char *scratch_path(const char *name) {
    static char paths[8][512];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static inline void put_file(const char *path, const char *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

#endif
