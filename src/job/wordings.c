/*
 * wordings.c - what a measurement's retrieval tasks said, word for word, for the receipt: a name
 * alone would mean whatever a later version has under it.
 */
#include "measure/wordings.h"
#include "job/extend.h"

static const rw_wording *find(rw_str task, rw_str name) {
    for (size_t i = 0; i < rw_task_count; i++)
        for (size_t j = 0; j < rw_task_table[i].wording_count; j++)
            if (rw_str_is(task, rw_task_table[i].name) &&
                rw_str_is(name, rw_task_table[i].wordings[j].name))
                return &rw_task_table[i].wordings[j];
    return NULL;
}

static bool same_wording(const rw_json *a, const rw_json *b) {
    return rw_str_equal(rw_json_string_or(rw_json_get(a, "task"), ""),
                        rw_json_string_or(rw_json_get(b, "task"), "")) &&
           rw_str_equal(rw_json_string_or(rw_json_get(a, "wording"), ""),
                        rw_json_string_or(rw_json_get(b, "wording"), ""));
}

static bool is_first(const rw_json *list, const rw_json *cell) {
    for (const rw_json *before = list->first; before != cell; before = before->next)
        if (same_wording(before, cell))
            return false;
    return true;
}

static void write_wording(rw_json_writer *w, rw_str task, const rw_wording *wording) {
    rw_json_begin_object(w);
    rw_json_key(w, "task");
    rw_json_str(w, task);
    rw_json_member_string(w, "wording", wording->name);
    rw_json_member_string(w, "needle", wording->needle);
    rw_json_member_string(w, "question", wording->question);
    rw_json_member_string(w, "next", wording->next);
    rw_json_end_object(w);
}

static void write_list(rw_json_writer *w, const rw_json *cells) {
    rw_json_begin_array(w);
    for (const rw_json *cell = cells ? cells->first : NULL; cell; cell = cell->next) {
        rw_str task = rw_json_string_or(rw_json_get(cell, "task"), "");
        const rw_wording *wording = find(task, rw_json_string_or(rw_json_get(cell, "wording"), ""));
        if (wording && is_first(cells, cell))
            write_wording(w, task, wording);
    }
    rw_json_end_array(w);
}

rw_status rw_wordings_write(rw_context *ctx, rw_json_writer *w, const rw_measurement *measurement,
                            rw_error *err) {
    rw_arena arena = {.ctx = ctx};
    rw_buf text = {.ctx = ctx};
    rw_json_writer inner = {.out = &text};
    const rw_json *root = NULL;
    if (!measurement) {
        rw_json_null(w);
        return RW_OK;
    }
    rw_json_begin_object(&inner);
    rw_measurement_write(&inner, measurement);
    rw_json_end_object(&inner);
    rw_status status = rw_buf_status(&text, err);
    if (status == RW_OK)
        status = rw_json_parse(&arena, (rw_str){text.data, text.size}, "measurement", &root, err);
    if (status == RW_OK)
        write_list(w, rw_json_get(root, "retrieval"));
    rw_buf_free(&text);
    rw_arena_free(&arena);
    return status;
}
