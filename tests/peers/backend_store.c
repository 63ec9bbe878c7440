/*
 * backend_store LEVEL ELEMENT: float32 from stdin, 64 a row, as cache elements (f16, bf16, q8_0) to
 * stdout. backend_store.py compares with gguf.
 */
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"

enum { DIM = 64, ROWS = 4096 };

static int fail(const char *why) {
    fprintf(stderr, "backend_store: %s\n", why);
    return 1;
}

static bool store(rw_backend *backend, rw_element element, float *x, size_t rows, void *out) {
    rw_buffer from = {x, rows * DIM * sizeof *x}, to = {out, rw_element_bytes(element, rows * DIM)};
    rw_op op = {.kind = RW_OP_STORE,
                .u.store = {.x = rw_view_matrix(&from, RW_ELEMENT_F32, rows, DIM),
                            .out = rw_view_matrix(&to, element, rows, DIM)}};
    return backend->ops->enqueue(backend, &op, NULL, NULL) == RW_OK;
}

int main(int argc, char **argv) {
    static float x[ROWS * DIM];
    static unsigned char out[ROWS * DIM * sizeof(float)];
    if (argc != 3)
        return fail("wants a level and an element");
    rw_context_options options = {.struct_size = sizeof options, .threads = 2};
    options.cpu_level = strcmp(argv[1], "generic") == 0 ? RW_CPU_GENERIC : RW_CPU_BEST;
    rw_element element = strcmp(argv[2], "f16") == 0    ? RW_ELEMENT_F16
                         : strcmp(argv[2], "bf16") == 0 ? RW_ELEMENT_BF16
                                                        : RW_ELEMENT_Q8_0;
    rw_context *ctx;
    rw_backend *backend;
    if (rw_context_create(&options, &ctx, NULL) != RW_OK ||
        rw_cpu_backend_create(ctx, &backend, NULL) != RW_OK)
        return fail("no backend");
    size_t rows = fread(x, sizeof *x, ROWS * DIM, stdin) / DIM;
    bool stored = store(backend, element, x, rows, out);
    if (stored)
        fwrite(out, 1, rw_element_bytes(element, rows * DIM), stdout);
    backend->ops->destroy(backend);
    rw_context_free(ctx);
    return stored ? 0 : fail("not stored");
}
