/*
 * directory.c - the names in a directory, and the end of a directory tree.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/internal.h"

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_dot(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Appends pointers to the names to `pointers`. */
static rw_status read_names(rw_arena *arena, DIR *directory, const char *path, rw_buf *pointers,
                            rw_error *err) {
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (!entry)
            return errno ? rw_fail_input(err, path, errno) : RW_OK;
        if (is_dot(entry->d_name))
            continue;
        char *name = rw_arena_text(arena, entry->d_name, strlen(entry->d_name));
        if (!name)
            return rw_fail_memory(err, path, strlen(entry->d_name) + 1);
        rw_buf_append(pointers, &name, sizeof name);
        RW_TRY(rw_buf_status(pointers, err));
    }
}

static rw_status sort_names(rw_arena *arena, const rw_buf *pointers, const char *path,
                            char ***names, size_t *count, rw_error *err) {
    char **sorted = rw_arena_alloc(arena, pointers->size);
    if (!sorted)
        return rw_fail_memory(err, path, pointers->size);
    *names = sorted;
    *count = pointers->size / sizeof *sorted;
    if (*count) {
        memcpy(sorted, pointers->data, pointers->size);
        qsort(sorted, *count, sizeof *sorted, compare_names);
    }
    return RW_OK;
}

rw_status rw_directory_list(rw_arena *arena, const char *path, char ***names, size_t *count,
                            rw_error *err) {
    *names = NULL;
    *count = 0;
    DIR *directory = opendir(path);
    if (!directory && errno == ENOTDIR)
        return rw_fail(err, RW_ERR_INPUT, "file.not_directory", path, "it is not a directory");
    if (!directory)
        return rw_fail_input(err, path, errno);
    rw_buf pointers = {.ctx = arena->ctx};
    rw_status status = read_names(arena, directory, path, &pointers, err);
    if (status == RW_OK)
        status = sort_names(arena, &pointers, path, names, count, err);
    rw_buf_free(&pointers);
    closedir(directory);
    return status;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info;
    (void)type;
    (void)where;
    remove(path);
    return 0; /* what can't be removed must not keep the rest */
}

void rw_remove_tree(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
