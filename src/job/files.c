/*
 * files.c - everything of a checkpoint that isn't patched comes along as it is.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "job/extend.h"

const char *rw_path_join(rw_arena *arena, const char *folder, const char *name) {
    size_t size = strlen(folder);
    bool slash = size > 0 && folder[size - 1] == '/';
    return rw_arena_format(arena, slash ? "%s%s" : "%s/%s", folder, name);
}

const char *rw_path_folder(rw_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : rw_arena_text(arena, path, (size_t)(slash - path));
}

const char *rw_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static rw_status grow_list(rw_file_list *list, rw_error *err) {
    size_t capacity = list->capacity ? 2 * list->capacity : 32;
    rw_listed_file *items = rw_arena_alloc(list->arena, capacity * sizeof *items);
    if (!items)
        return rw_fail_memory(err, "file list", capacity * sizeof *items);
    if (list->count)
        memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->capacity = capacity;
    return RW_OK;
}

const rw_listed_file *rw_list_find(const rw_file_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    return NULL;
}

rw_status rw_list_note(rw_file_list *list, const char *path, const char *name, const char *change,
                       rw_error *err) {
    rw_listed_file item = {.change = change};
    item.name = rw_arena_text(list->arena, name, strlen(name));
    item.path = rw_arena_text(list->arena, path, strlen(path));
    if (!item.name || !item.path)
        return rw_fail_memory(err, "file list", strlen(name));
    if (list->count == list->capacity)
        RW_TRY(grow_list(list, err));
    const rw_listed_file *old = rw_list_find(list, name);
    list->items[old ? (size_t)(old - list->items) : list->count++] = item;
    return RW_OK;
}

void rw_list_take(rw_file_list *list, const char *path, uint64_t bytes, const rw_sha256 *digest) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].path, path) == 0) {
            list->items[i].bytes = bytes;
            list->items[i].digest = *digest;
            list->items[i].hashed = true;
        }
}

static rw_status hash_item(rw_context *ctx, rw_listed_file *item, rw_error *err) {
    rw_file file;
    RW_TRY(rw_file_open(ctx, item->path, &file, err));
    item->bytes = file.size;
    rw_status status = rw_sha256_range(ctx, &file, 0, file.size, &item->digest, err);
    rw_file_close(&file);
    item->hashed = status == RW_OK;
    return status;
}

rw_status rw_list_hash(rw_context *ctx, rw_file_list *list, rw_error *err) {
    RW_TRY(rw_list_hash_together(ctx, list, err));
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i].hashed)
            RW_TRY(hash_item(ctx, &list->items[i], err));
    return RW_OK;
}

rw_status rw_list_add(rw_context *ctx, rw_file_list *list, const char *path, const char *name,
                      const char *change, rw_error *err) {
    RW_TRY(rw_list_note(list, path, name, change, err));
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return hash_item(ctx, &list->items[i], err);
    return RW_OK;
}

void rw_list_write(rw_json_writer *w, const rw_file_list *list) {
    rw_json_begin_array(w);
    for (size_t i = 0; i < list->count; i++) {
        char hex[65];
        rw_sha256_hex(&list->items[i].digest, hex);
        rw_json_begin_object(w);
        rw_json_member_string(w, "name", list->items[i].name);
        if (list->items[i].change)
            rw_json_member_string(w, "change", list->items[i].change);
        rw_json_member_u64(w, "bytes", list->items[i].bytes);
        rw_json_member_string(w, "sha256", hex);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

/* ---- copying --------------------------------------------------------------------------------- */

enum { MAX_DEPTH = 32 };

typedef struct walk {
    rw_context *ctx;
    const char *from, *to;
    rw_copy_mode mode;
    rw_file_list *list;
    struct stat above[MAX_DEPTH]; /* folders being walked, to notice links that lead back */
} walk;

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* config.json is patched, the rest would speak of another checkpoint. */
static bool is_ours(const char *name) {
    static const char *const names[] = {"config.json", "receipt.json", "report.html",
                                        "canary.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Outputs of ours: what another run is making, or a killed one left. */
static bool is_temporary(const char *base) {
    return base[0] == '.' && strstr(base, ".ropewalk-") != NULL;
}

static rw_status walk_folder(walk *w, const char *name, unsigned depth, rw_error *err);

static rw_status enter_folder(walk *w, const char *name, const struct stat *info, unsigned depth,
                              rw_error *err) {
    const char *to = rw_path_join(w->list->arena, w->to, name);
    for (unsigned i = 0; i < depth; i++)
        if (same_file(&w->above[i], info) || depth + 1 >= MAX_DEPTH)
            return rw_fail(err, RW_ERR_INPUT, "checkpoint.link_loop", name,
                           "the folders of the checkpoint lead back into themselves, or are more "
                           "than %d deep: remove the link",
                           MAX_DEPTH);
    w->above[depth] = *info;
    if (!to)
        return rw_fail_memory(err, "path", strlen(name));
    if (mkdir(to, 0777) != 0)
        return rw_fail(err, RW_ERR_IO, "output.write", to, "the folder cannot be made: %s",
                       errno == ENOSPC ? "the disk is full" : "the file system refuses");
    return walk_folder(w, name, depth + 1, err);
}

static rw_status copy_one(walk *w, const char *name, rw_error *err) {
    const char *from = rw_path_join(w->list->arena, w->from, name);
    const char *to = rw_path_join(w->list->arena, w->to, name);
    if (!from || !to)
        return rw_fail_memory(err, "path", strlen(name));
    RW_TRY(rw_file_copy(w->ctx, from, to, w->mode, err));
    return rw_list_note(w->list, to, name, w->mode == RW_COPY_LINK ? "linked" : "copied", err);
}

static rw_status take_entry(walk *w, const char *name, unsigned depth, rw_error *err) {
    struct stat info;
    const char *from = rw_path_join(w->list->arena, w->from, name);
    if (!from)
        return rw_fail_memory(err, "path", strlen(name));
    RW_TRY(rw_check_cancel(w->ctx, err));
    if (stat(from, &info) != 0 || !S_ISDIR(info.st_mode))
        return copy_one(w, name, err); /* reports what is missing or no file */
    return enter_folder(w, name, &info, depth, err);
}

static rw_status walk_folder(walk *w, const char *folder, unsigned depth, rw_error *err) {
    char **names = NULL;
    size_t count = 0;
    const char *path = *folder ? rw_path_join(w->list->arena, w->from, folder) : w->from;
    RW_TRY(rw_directory_list(w->list->arena, path, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (is_temporary(names[i]) || (!*folder && is_ours(names[i])))
            continue;
        const char *name = *folder ? rw_path_join(w->list->arena, folder, names[i]) : names[i];
        RW_TRY(take_entry(w, name, depth, err));
    }
    return RW_OK;
}

rw_status rw_copy_tree(rw_context *ctx, const char *from, const char *to, rw_copy_mode mode,
                       rw_file_list *list, rw_error *err) {
    walk *w = rw_arena_alloc(list->arena, sizeof *w);
    if (!w)
        return rw_fail_memory(err, "copy", sizeof *w);
    *w = (walk){.ctx = ctx, .from = from, .to = to, .mode = mode, .list = list};
    if (stat(from, &w->above[0]) != 0)
        return rw_fail(err, RW_ERR_INPUT, "file.missing", from, "the folder is gone");
    return walk_folder(w, "", 1, err);
}
