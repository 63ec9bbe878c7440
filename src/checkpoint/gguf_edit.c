/*
 * gguf_edit.c - changes to a GGUF's metadata and small tensors, collected until they are written.
 */
#include <string.h>

#include "checkpoint/gguf_edit.h"

/* ---- begin and end --------------------------------------------------------------------------- */

static rw_status allocate(rw_gguf_edit *edit, size_t count, size_t stride, void **out,
                          rw_error *err) {
    *out = rw_calloc(edit->ctx, count, stride);
    return *out ? RW_OK : rw_fail_memory(err, edit->source->path, count * stride);
}

/* What says that a file is one of several; one file of all their tensors has none of it. */
static bool belongs_to_split(rw_str key) {
    return rw_str_is(key, "split.no") || rw_str_is(key, "split.count") ||
           rw_str_is(key, "split.tensors.count");
}

static void copy_values(rw_gguf_edit *edit) {
    const rw_gguf *gguf = edit->source->gguf;
    bool series = edit->source->file_count > 1;
    for (size_t i = 0; i < gguf->count; i++) {
        const rw_gguf_value *value = &gguf->values[i];
        rw_str bytes = {gguf->bytes + value->begin, (size_t)(value->end - value->begin)};
        if (!series || !belongs_to_split(value->key))
            edit->values[edit->value_count++] = (rw_edit_value){value->key, bytes};
    }
}

static void copy_tensors(rw_gguf_edit *edit) {
    const rw_checkpoint *source = edit->source;
    for (size_t i = 0; i < source->tensor_count; i++) {
        const rw_tensor *tensor = &source->tensors[i];
        rw_edit_tensor *copy = &edit->tensors[edit->tensor_count++];
        *copy =
            (rw_edit_tensor){.size = tensor->bytes, .file = tensor->file, .from = tensor->offset};
        copy->info.name = tensor->name;
        copy->info.type = tensor->ggml_type;
        copy->info.n_dims = tensor->n_dims;
        for (uint32_t k = 0; k < tensor->n_dims; k++)
            copy->info.dims[k] = tensor->shape[tensor->n_dims - 1 - k];
    }
}

static rw_status copy_entries(rw_gguf_edit *edit, rw_error *err) {
    void *items;
    edit->value_capacity = edit->source->gguf->count + 16;
    edit->tensor_capacity = edit->source->tensor_count + 16;
    edit->tensors_changed = edit->source->file_count > 1;
    RW_TRY(allocate(edit, edit->value_capacity, sizeof *edit->values, &items, err));
    edit->values = items;
    RW_TRY(allocate(edit, edit->tensor_capacity, sizeof *edit->tensors, &items, err));
    edit->tensors = items;
    copy_values(edit);
    copy_tensors(edit);
    return RW_OK;
}

/* Opened without weights, a series may lack files: half a model is not written as a whole one. */
static rw_status check_complete(const rw_checkpoint *source, rw_error *err) {
    uint64_t count = 0;
    rw_gguf_u64(source->gguf, "split.count", &count);
    if (count <= 1 || count == source->file_count)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "gguf.split", source->path,
                   "%llu of the %llu files of the split series are there: put them all into one "
                   "folder",
                   (unsigned long long)source->file_count, (unsigned long long)count);
}

rw_status rw_gguf_edit_begin(const rw_checkpoint *gguf, rw_gguf_edit **out, rw_error *err) {
    *out = NULL;
    if (!gguf->gguf)
        return rw_fail(err, RW_ERR_INPUT, "gguf.magic", gguf->path, "this is not a GGUF");
    RW_TRY(check_complete(gguf, err));
    rw_gguf_edit *edit = rw_calloc(gguf->ctx, 1, sizeof *edit);
    if (!edit)
        return rw_fail_memory(err, gguf->path, sizeof *edit);
    edit->ctx = gguf->ctx;
    edit->arena.ctx = gguf->ctx;
    edit->source = gguf;
    rw_status status = copy_entries(edit, err);
    if (status != RW_OK)
        rw_gguf_edit_abort(edit);
    else
        *out = edit;
    return status;
}

rw_status rw_gguf_edit_finish(rw_gguf_edit *edit, const char *path, rw_error *err) {
    rw_status status = rw_gguf_edit_write(edit, path, err);
    rw_gguf_edit_abort(edit);
    return status;
}

void rw_gguf_edit_abort(rw_gguf_edit *edit) {
    if (!edit)
        return;
    rw_context *ctx = edit->ctx;
    rw_free(ctx, edit->values);
    rw_free(ctx, edit->tensors);
    rw_arena_free(&edit->arena);
    rw_free(ctx, edit);
}

/* Room for one more element of an array that `rw_grow` may move. */
static rw_status make_room(rw_gguf_edit *edit, void **items, size_t used, size_t *capacity,
                           size_t stride, rw_error *err) {
    if (used < *capacity)
        return RW_OK;
    size_t bytes;
    if (!rw_mul_size(*capacity * 2, stride, &bytes))
        return rw_fail_memory(err, edit->source->path, SIZE_MAX);
    void *grown = rw_grow(edit->ctx, *items, *capacity * stride, bytes);
    if (!grown)
        return rw_fail_memory(err, edit->source->path, bytes);
    *items = grown;
    *capacity *= 2;
    return RW_OK;
}

/* ---- metadata -------------------------------------------------------------------------------- */

static rw_edit_value *find_value(rw_gguf_edit *edit, const char *key) {
    for (size_t i = 0; i < edit->value_count; i++)
        if (rw_str_is(edit->values[i].key, key))
            return &edit->values[i];
    return NULL;
}

static rw_status check_key(const char *key, rw_error *err) {
    size_t size = strlen(key);
    if (size == 0 || size > RW_GGUF_NAME_MAX)
        return rw_fail(err, RW_ERR_INPUT, "gguf.name", key, "a key has 1 to %d bytes",
                       RW_GGUF_NAME_MAX);
    if (strcmp(key, "general.alignment") == 0)
        return rw_fail(err, RW_ERR_INPUT, "gguf.alignment", key,
                       "the alignment says where the tensors lie and can't be changed");
    return RW_OK;
}

static rw_status add_value(rw_gguf_edit *edit, rw_edit_value value, rw_error *err) {
    void *items = edit->values;
    RW_TRY(make_room(edit, &items, edit->value_count, &edit->value_capacity, sizeof *edit->values,
                     err));
    edit->values = items;
    edit->values[edit->value_count++] = value;
    return RW_OK;
}

/* A key that was removed and comes back goes to the end, like any new one. */
static rw_status set_value(rw_gguf_edit *edit, const char *key, rw_gguf_type type,
                           const void *payload, size_t size, rw_error *err) {
    RW_TRY(check_key(key, err));
    rw_str name = rw_str_of(key);
    size_t bytes = 8 + name.size + 4 + size;
    char *out = rw_arena_alloc(&edit->arena, bytes);
    if (!out)
        return rw_fail_memory(err, key, bytes);
    rw_store_u64(out, name.size);
    memcpy(out + 8, name.data, name.size);
    rw_store_u32(out + 8 + name.size, (uint32_t)type);
    memcpy(out + 12 + name.size, payload, size);
    rw_edit_value value = {{out + 8, name.size}, {out, bytes}};
    rw_edit_value *old = find_value(edit, key);
    if (!old)
        return add_value(edit, value, err);
    *old = value;
    return RW_OK;
}

rw_status rw_gguf_edit_set_u32(rw_gguf_edit *edit, const char *key, uint32_t value, rw_error *err) {
    uint8_t payload[4];
    rw_store_u32(payload, value);
    return set_value(edit, key, RW_GGUF_U32, payload, sizeof payload, err);
}

rw_status rw_gguf_edit_set_f32(rw_gguf_edit *edit, const char *key, float value, rw_error *err) {
    uint8_t payload[4];
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    rw_store_u32(payload, bits);
    return set_value(edit, key, RW_GGUF_F32, payload, sizeof payload, err);
}

rw_status rw_gguf_edit_set_bool(rw_gguf_edit *edit, const char *key, bool value, rw_error *err) {
    uint8_t payload = value;
    return set_value(edit, key, RW_GGUF_BOOL, &payload, sizeof payload, err);
}

rw_status rw_gguf_edit_set_string(rw_gguf_edit *edit, const char *key, const char *value,
                                  rw_error *err) {
    rw_str text = rw_str_of(value);
    char *payload = rw_arena_alloc(&edit->arena, 8 + text.size);
    if (!payload)
        return rw_fail_memory(err, key, 8 + text.size);
    rw_store_u64(payload, text.size);
    memcpy(payload + 8, text.data, text.size);
    return set_value(edit, key, RW_GGUF_STRING, payload, 8 + text.size, err);
}

rw_status rw_gguf_edit_remove(rw_gguf_edit *edit, const char *key, rw_error *err) {
    rw_edit_value *value = find_value(edit, key);
    if (!value)
        return RW_OK;
    RW_TRY(check_key(key, err));
    size_t behind = edit->value_count - (size_t)(value - edit->values) - 1;
    memmove(value, value + 1, behind * sizeof *value);
    edit->value_count--;
    return RW_OK;
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* ggml keeps tensor names in 64 bytes with their NUL. */
enum { TENSOR_NAME_MAX = 63 };

static rw_edit_tensor *find_tensor(rw_gguf_edit *edit, const char *name) {
    for (size_t i = 0; i < edit->tensor_count; i++)
        if (rw_str_is(edit->tensors[i].info.name, name))
            return &edit->tensors[i];
    return NULL;
}

static rw_status encode_floats(rw_gguf_edit *edit, const float *values, uint64_t count,
                               rw_edit_tensor *tensor, rw_error *err) {
    size_t bytes;
    if (count > SIZE_MAX || !rw_mul_size((size_t)count, sizeof *values, &bytes) || bytes == 0)
        return rw_fail(err, RW_ERR_INPUT, "gguf.shape", NULL, "a tensor of %llu values",
                       (unsigned long long)count);
    uint8_t *out = rw_arena_alloc(&edit->arena, bytes);
    if (!out)
        return rw_fail_memory(err, edit->source->path, bytes);
    for (size_t i = 0; i < (size_t)count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        rw_store_u32(out + 4 * i, bits);
    }
    tensor->bytes = out;
    tensor->size = bytes;
    return RW_OK;
}

static rw_status name_tensor(rw_gguf_edit *edit, const char *name, rw_edit_tensor *tensor,
                             rw_error *err) {
    tensor->info.name.size = strlen(name);
    if (tensor->info.name.size == 0 || tensor->info.name.size > TENSOR_NAME_MAX)
        return rw_fail(err, RW_ERR_INPUT, "gguf.name", name, "a tensor's name has 1 to %d bytes",
                       TENSOR_NAME_MAX);
    tensor->info.name.data = rw_arena_text(&edit->arena, name, tensor->info.name.size);
    return tensor->info.name.data ? RW_OK : rw_fail_memory(err, name, tensor->info.name.size);
}

rw_status rw_gguf_edit_set_tensor(rw_gguf_edit *edit, const char *name, const float *values,
                                  uint64_t count, rw_error *err) {
    rw_edit_tensor tensor = {.info = {.n_dims = 1, .dims = {count}, .type = 0 /* F32 */}};
    RW_TRY(name_tensor(edit, name, &tensor, err));
    RW_TRY(encode_floats(edit, values, count, &tensor, err));
    edit->tensors_changed = true;
    rw_edit_tensor *old = find_tensor(edit, name);
    if (old) {
        *old = tensor;
        return RW_OK;
    }
    void *items = edit->tensors;
    RW_TRY(make_room(edit, &items, edit->tensor_count, &edit->tensor_capacity,
                     sizeof *edit->tensors, err));
    edit->tensors = items;
    edit->tensors[edit->tensor_count++] = tensor;
    return RW_OK;
}

rw_status rw_gguf_edit_drop_tensor(rw_gguf_edit *edit, const char *name, rw_error *err) {
    (void)err;
    rw_edit_tensor *tensor = find_tensor(edit, name);
    if (!tensor)
        return RW_OK;
    size_t behind = edit->tensor_count - (size_t)(tensor - edit->tensors) - 1;
    memmove(tensor, tensor + 1, behind * sizeof *tensor);
    edit->tensor_count--;
    edit->tensors_changed = true;
    return RW_OK;
}
