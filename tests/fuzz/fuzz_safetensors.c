/* The header of a safetensors file, and reading what it describes. */
#include "checkpoint/internal.h"
#include "fuzz_support.h"

static void read_tensor(const rw_checkpoint *checkpoint, const rw_tensor *tensor) {
    float values[64];
    char bytes[64];
    rw_error err = {0};
    uint64_t count = tensor->elements < 64 ? tensor->elements : 64;
    if (tensor->bytes > 0 && rw_tensor_read(checkpoint, tensor, tensor->bytes - 1, bytes, 1, &err))
        abort();
    if (rw_tensor_read_f32(checkpoint, tensor, tensor->elements - count, count, values, &err))
        fuzz_refused(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rw_context *ctx = fuzz_context();
    fuzz_file file = fuzz_file_make(data, size);
    rw_checkpoint *checkpoint = rw_calloc(ctx, 1, sizeof *checkpoint);
    rw_error err = {0};
    uint32_t index;
    checkpoint->ctx = checkpoint->arena.ctx = ctx;
    checkpoint->path = file.path;
    if (rw_checkpoint_add_file(checkpoint, file.path, &index, &err) != RW_OK ||
        rw_safetensors_header(checkpoint, index, &err) != RW_OK)
        fuzz_refused(&err);
    else
        for (size_t i = 0; i < checkpoint->tensor_count; i++)
            read_tensor(checkpoint, &checkpoint->tensors[i]);
    rw_checkpoint_close(checkpoint);
    fuzz_file_free(&file);
    return 0;
}
