/*
 * error.c - filling an rw_error without allocating, and what each status means outside.
 */
#include <string.h>

#include "base/internal.h"

#ifdef __clang_analyzer__
#undef rw_fail
#undef rw_fail_at
#undef rw_fail_memory
#endif

typedef struct status_row {
    const char *name;
    int exit_code;
} status_row;

static const status_row status_table[] = {
    [RW_OK] = {"ok", 0},
    [RW_NO] = {"no", 1},
    [RW_ERR_USAGE] = {"usage", 2},
    [RW_ERR_INPUT] = {"input", 3},
    [RW_ERR_REFUSED] = {"refused", 4},
    [RW_ERR_MEMORY] = {"memory", 5},
    [RW_ERR_IO] = {"io", 5},
    [RW_ERR_TIME] = {"time", 5},
    [RW_ERR_INTERNAL] = {"internal", 6},
    [RW_ERR_CANCELLED] = {"cancelled", 130},
};

static const status_row *status_find(rw_status status) {
    size_t index = (size_t)status;
    if (index >= sizeof status_table / sizeof status_table[0])
        index = RW_ERR_INTERNAL;
    return &status_table[index];
}

const char *rw_status_name(rw_status status) {
    return status_find(status)->name;
}

int rw_status_exit_code(rw_status status) {
    return status_find(status)->exit_code;
}

static void copy_cut(char *out, size_t capacity, const char *text) {
    size_t size = strlen(text);
    bool cut = size >= capacity;
    if (cut)
        size = capacity - 1;
    memcpy(out, text, size);
    out[size] = '\0';
    rw_text_clean(out, cut);
}

/* Builds the new error aside: the arguments may point into the old one, when a caller adds to
   what a lower call said. */
static void fill(rw_error *err, rw_status status, const char *code, const char *where,
                 uint64_t offset, const char *format, va_list arguments) {
    rw_error made = {.status = status, .offset = offset};
    copy_cut(made.code, sizeof made.code, code ? code : "");
    copy_cut(made.where, sizeof made.where, where ? where : "");
    int length = rw_vformat(made.message, sizeof made.message, format, arguments);
    rw_text_clean(made.message, length >= (int)sizeof made.message);
    *err = made;
}

rw_status rw_fail(rw_error *err, rw_status status, const char *code, const char *where,
                  const char *format, ...) {
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        fill(err, status, code, where, RW_NO_OFFSET, format, arguments);
        va_end(arguments);
    }
    return status;
}

rw_status rw_fail_at(rw_error *err, rw_status status, const char *code, const char *where,
                     uint64_t offset, const char *format, ...) {
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        fill(err, status, code, where, offset, format, arguments);
        va_end(arguments);
    }
    return status;
}

rw_status rw_fail_memory(rw_error *err, const char *where, size_t bytes) {
    return rw_fail(err, RW_ERR_MEMORY, "memory.exhausted", where,
                   "out of memory: %zu more bytes were wanted", bytes);
}
