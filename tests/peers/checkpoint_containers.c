/*
 * checkpoint_containers - what ropewalk reads from a model, and GGUF edits, for
 * checkpoint_containers.py to compare with the packages gguf and safetensors.
 *
 * dump PATH       a line of JSON for each tensor and each metadata value
 * f32 PATH OUT    all tensors that are numbers, as float32, one after the other
 * edit IN OUT     edits from stdin, one a line: "u32 KEY N", "f32 KEY X", "string KEY TEXT",
 *                 "bool KEY 0|1", "remove KEY", "tensor NAME X X X...", "drop NAME"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/checkpoint.h"

static rw_context *ctx;
static rw_error err;

static void must(rw_status status) {
    if (status == RW_OK)
        return;
    fprintf(stderr, "[%s] %s: %s\n", err.code, err.where, err.message);
    exit(rw_status_exit_code(status));
}

static rw_checkpoint *open_model(const char *path) {
    rw_checkpoint *checkpoint;
    must(rw_checkpoint_open(ctx, path, 0, &checkpoint, &err));
    return checkpoint;
}

/* ---- dump ------------------------------------------------------------------------------------ */

static void dump_tensor(rw_json_writer *w, const rw_checkpoint *checkpoint,
                        const rw_tensor *tensor) {
    rw_sha256 digest;
    char hex[65];
    must(rw_sha256_range(ctx, rw_checkpoint_file(checkpoint, tensor->file), tensor->offset,
                         tensor->bytes, &digest, &err));
    rw_sha256_hex(&digest, hex);
    rw_json_key(w, "tensor");
    rw_json_str(w, tensor->name);
    rw_json_member_string(w, "dtype", tensor->dtype_name);
    rw_json_member_bool(w, "numbers", tensor->dtype != RW_DTYPE_OTHER);
    rw_json_member_u64(w, "offset", tensor->offset);
    rw_json_key(w, "shape");
    rw_json_begin_array(w);
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        rw_json_u64(w, tensor->shape[i]);
    rw_json_end_array(w);
    rw_json_member_string(w, "sha256", hex);
}

static void dump_array(rw_json_writer *w, const rw_gguf *gguf, const rw_gguf_value *value) {
    rw_arena arena = {.ctx = ctx};
    size_t count;
    const char *key = rw_arena_text(&arena, value->key.data, value->key.size);
    rw_json_begin_array(w);
    if (value->element_type == RW_GGUF_STRING) {
        rw_str *strings;
        must(rw_gguf_strings(gguf, key, &arena, &strings, &count, &err));
        for (size_t i = 0; i < count; i++)
            rw_json_str(w, strings[i]);
    } else {
        double *numbers;
        must(rw_gguf_numbers(gguf, key, &arena, &numbers, &count, &err));
        for (size_t i = 0; i < count; i++)
            rw_json_double(w, numbers[i]);
    }
    rw_json_end_array(w);
    rw_arena_free(&arena);
}

static void dump_value(rw_json_writer *w, const rw_gguf *gguf, const rw_gguf_value *value) {
    bool is_signed = value->type == RW_GGUF_I8 || value->type == RW_GGUF_I16 ||
                     value->type == RW_GGUF_I32 || value->type == RW_GGUF_I64;
    rw_json_key(w, "key");
    rw_json_str(w, value->key);
    rw_json_member_u64(w, "type", value->type);
    rw_json_key(w, "value");
    if (value->type == RW_GGUF_ARRAY)
        dump_array(w, gguf, value);
    else if (value->type == RW_GGUF_STRING)
        rw_json_str(w, value->string);
    else if (value->type == RW_GGUF_F32 || value->type == RW_GGUF_F64)
        rw_json_double(w, value->real);
    else if (is_signed)
        rw_json_i64(w, (int64_t)value->integer);
    else
        rw_json_u64(w, value->integer);
}

/* One line of output: an object made by either of the two. */
static void dump_line(const rw_checkpoint *checkpoint, const rw_tensor *tensor,
                      const rw_gguf_value *value) {
    rw_buf out = {.ctx = ctx};
    rw_json_writer w = {.out = &out};
    rw_json_begin_object(&w);
    if (tensor)
        dump_tensor(&w, checkpoint, tensor);
    else
        dump_value(&w, rw_checkpoint_gguf(checkpoint), value);
    rw_json_end_object(&w);
    printf("%s\n", out.data);
    rw_buf_free(&out);
}

static void dump(const char *path) {
    rw_checkpoint *checkpoint = open_model(path);
    const rw_gguf *gguf = rw_checkpoint_gguf(checkpoint);
    for (size_t i = 0; i < rw_checkpoint_tensor_count(checkpoint); i++)
        dump_line(checkpoint, rw_checkpoint_tensor_at(checkpoint, i), NULL);
    for (size_t i = 0; gguf && i < rw_gguf_count(gguf); i++)
        dump_line(checkpoint, NULL, rw_gguf_at(gguf, i));
    rw_checkpoint_close(checkpoint);
}

/* ---- f32 ------------------------------------------------------------------------------------- */

static void write_tensor(const rw_checkpoint *checkpoint, const rw_tensor *tensor, FILE *out) {
    size_t count = (size_t)tensor->elements;
    float *values = rw_calloc(ctx, count + 1, sizeof *values);
    must(values ? RW_OK : rw_fail_memory(&err, tensor->name.data, count * sizeof *values));
    must(rw_tensor_read_f32(checkpoint, tensor, 0, tensor->elements, values, &err));
    fwrite(values, sizeof *values, count, out);
    rw_free(ctx, values);
}

static void f32(const char *path, const char *to) {
    rw_checkpoint *checkpoint = open_model(path);
    FILE *out = fopen(to, "wb");
    if (!out)
        exit(5);
    for (size_t i = 0; i < rw_checkpoint_tensor_count(checkpoint); i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(checkpoint, i);
        if (tensor->dtype != RW_DTYPE_OTHER)
            write_tensor(checkpoint, tensor, out);
    }
    if (fclose(out) != 0)
        exit(5);
    rw_checkpoint_close(checkpoint);
}

/* ---- edit ------------------------------------------------------------------------------------ */

static rw_status set_tensor(rw_gguf_edit *edit, const char *name, char *text) {
    float values[256];
    uint64_t count = 0;
    char *save = NULL;
    for (char *word = strtok_r(text, " ", &save); word && count < 256;
         word = strtok_r(NULL, " ", &save))
        values[count++] = strtof(word, NULL);
    return rw_gguf_edit_set_tensor(edit, name, values, count, &err);
}

static rw_status apply(rw_gguf_edit *edit, char *line) {
    char *save = NULL, *verb = strtok_r(line, " ", &save), *name = strtok_r(NULL, " ", &save);
    if (strcmp(verb, "u32") == 0)
        return rw_gguf_edit_set_u32(edit, name, (uint32_t)strtoul(save, NULL, 10), &err);
    if (strcmp(verb, "f32") == 0)
        return rw_gguf_edit_set_f32(edit, name, strtof(save, NULL), &err);
    if (strcmp(verb, "string") == 0)
        return rw_gguf_edit_set_string(edit, name, save, &err);
    if (strcmp(verb, "bool") == 0)
        return rw_gguf_edit_set_bool(edit, name, *save == '1', &err);
    if (strcmp(verb, "remove") == 0)
        return rw_gguf_edit_remove(edit, name, &err);
    if (strcmp(verb, "tensor") == 0)
        return set_tensor(edit, name, save);
    return rw_gguf_edit_drop_tensor(edit, name, &err);
}

static void edit_model(const char *from, const char *to) {
    rw_checkpoint *checkpoint = open_model(from);
    rw_gguf_edit *edit;
    char line[4096];
    must(rw_gguf_edit_begin(checkpoint, &edit, &err));
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        must(apply(edit, line));
    }
    must(rw_gguf_edit_finish(edit, to, &err));
    rw_checkpoint_close(checkpoint);
}

int main(int argc, char **argv) {
    must(rw_context_create(NULL, &ctx, &err));
    if (argc == 3 && strcmp(argv[1], "dump") == 0)
        dump(argv[2]);
    else if (argc == 4 && strcmp(argv[1], "f32") == 0)
        f32(argv[2], argv[3]);
    else if (argc == 4 && strcmp(argv[1], "edit") == 0)
        edit_model(argv[2], argv[3]);
    else
        return 2;
    rw_context_free(ctx);
    return 0;
}
