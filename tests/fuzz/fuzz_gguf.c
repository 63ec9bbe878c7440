/* A GGUF: opened, every value and tensor read, edited, and the result opened again. */
#include "checkpoint/checkpoint.h"
#include "fuzz_support.h"

static void read_values(rw_context *ctx, const rw_gguf *gguf) {
    rw_arena arena = {.ctx = ctx};
    for (size_t i = 0; i < rw_gguf_count(gguf); i++) {
        const rw_gguf_value *value = rw_gguf_at(gguf, i);
        const char *key = rw_arena_text(&arena, value->key.data, value->key.size);
        rw_str *strings;
        double *numbers, number;
        size_t count;
        rw_error err = {0};
        uint64_t whole;
        if (rw_gguf_get(gguf, key) != value)
            abort();
        rw_gguf_u64(gguf, key, &whole);
        rw_gguf_double(gguf, key, &number);
        bool is_strings = rw_gguf_strings(gguf, key, &arena, &strings, &count, &err) == RW_OK;
        bool is_numbers = rw_gguf_numbers(gguf, key, &arena, &numbers, &count, &err) == RW_OK;
        if ((value->type == RW_GGUF_ARRAY) != (is_strings || is_numbers))
            abort();
        for (size_t k = 0; is_strings && k < count; k++)
            if (strings[k].size > value->string.size)
                abort();
    }
    rw_arena_free(&arena);
}

static void read_tensors(const rw_checkpoint *checkpoint) {
    for (size_t i = 0; i < rw_checkpoint_tensor_count(checkpoint); i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(checkpoint, i);
        float values[256];
        uint32_t elements, bytes;
        rw_error err = {0};
        rw_dtype_block(tensor->dtype, &elements, &bytes);
        uint64_t count = tensor->elements < elements ? 0 : elements;
        if (rw_tensor_read_f32(checkpoint, tensor, tensor->elements - count, count, values, &err))
            fuzz_refused(&err);
    }
}

/* read_back of the writer compares; here only its verdict counts. */
static void edit(const rw_checkpoint *checkpoint) {
    static const float factors[3] = {1, 2, 4};
    fuzz_file out = fuzz_file_make(NULL, 0);
    rw_gguf_edit *changes;
    rw_error err = {0};
    if (rw_gguf_edit_begin(checkpoint, &changes, &err) != RW_OK) {
        fuzz_refused(&err);
    } else {
        rw_status status = rw_gguf_edit_set_f32(changes, "llama.rope.freq_base", 5e5f, &err);
        if (status == RW_OK)
            status = rw_gguf_edit_set_string(changes, "llama.rope.scaling.type", "yarn", &err);
        if (status == RW_OK)
            status = rw_gguf_edit_remove(changes, "general.name", &err);
        if (status == RW_OK && rw_checkpoint_tensor_count(checkpoint) % 2)
            status = rw_gguf_edit_set_tensor(changes, "rope_freqs.weight", factors, 3, &err);
        if (status != RW_OK)
            abort();
        if (rw_gguf_edit_finish(changes, out.path, &err) != RW_OK)
            fuzz_refused(&err);
    }
    fuzz_file_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rw_context *ctx = fuzz_context();
    fuzz_file file = fuzz_file_make(data, size);
    rw_checkpoint *checkpoint;
    rw_error err = {0};
    unsigned flags = size % 4 == 3 ? RW_OPEN_NO_WEIGHTS : 0;
    if (size < 4 || memcmp(data, "GGUF", 4) != 0) {
        fuzz_file_free(&file);
        return -1;
    }
    if (rw_checkpoint_open(ctx, file.path, flags, &checkpoint, &err) != RW_OK) {
        fuzz_refused(&err);
    } else {
        read_values(ctx, rw_checkpoint_gguf(checkpoint));
        read_tensors(checkpoint);
        edit(checkpoint);
        rw_checkpoint_close(checkpoint);
    }
    fuzz_file_free(&file);
    return 0;
}
