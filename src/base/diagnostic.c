#include "base/diagnostic.h"

#include <string.h>

#include "base/internal.h"

static bool already_said(const rw_diagnostics *list, const char *code, const char *path) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].code, code) == 0 && strcmp(list->items[i].path, path) == 0)
            return true;
    return false;
}

/* Arenas cannot grow a block: the list moves to one twice as large, the old one stays unused. */
static bool make_room(rw_diagnostics *list) {
    if (list->count < list->capacity)
        return true;
    size_t capacity = list->capacity ? 2 * list->capacity : 8;
    rw_diagnostic *items = rw_arena_alloc(list->arena, capacity * sizeof *items);
    if (!items)
        return false;
    if (list->count)
        memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->capacity = capacity;
    return true;
}

void rw_diagnose(rw_diagnostics *list, const char *code, rw_severity severity, bool changes_numbers,
                 const char *path, const char *format, ...) {
    if (!path)
        path = "";
    if (!list || already_said(list, code, path) || !make_room(list))
        return;
    char text[RW_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int length = rw_vformat(text, sizeof text, format, args);
    va_end(args);
    rw_text_clean(text, length >= (int)sizeof text);
    rw_diagnostic item = {
        .code = code,
        .severity = severity,
        .changes_numbers = changes_numbers,
        .message = rw_arena_text(list->arena, text, strlen(text)),
        .path = rw_arena_text(list->arena, path, strlen(path)),
    };
    if (item.message && item.path)
        list->items[list->count++] = item;
}

void rw_diagnostics_write(rw_json_writer *w, const rw_diagnostics *list) {
    static const char *const severities[] = {"info", "warning", "error"};
    rw_json_begin_array(w);
    for (size_t i = 0; i < list->count; i++) {
        const rw_diagnostic *item = &list->items[i];
        rw_json_begin_object(w);
        rw_json_member_string(w, "code", item->code);
        rw_json_member_string(w, "severity", severities[item->severity]);
        rw_json_member_bool(w, "changes_numbers", item->changes_numbers);
        rw_json_member_string(w, "message", item->message);
        rw_json_member_string(w, "path", item->path);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}
