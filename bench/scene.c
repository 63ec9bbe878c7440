/*
 * scene.c - operands: random, but the same on every run.
 */
#include <string.h>

#include "scene.h"

/* ---- random ---------------------------------------------------------------------------------- */

static uint64_t state_now;

static uint32_t next_random(void) {
    state_now = state_now * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state_now >> 32);
}

static float next_float(void) { /* -1 to 1 */
    return (float)(int32_t)next_random() * 0x1p-31f;
}

/* ---- memory ---------------------------------------------------------------------------------- */

void scene_open(bench_scene *scene, bench_run *run) {
    state_now = 1;
    memset(scene, 0, sizeof *scene);
    scene->run = run;
}

void scene_close(bench_scene *scene) {
    rw_backend *b = scene->run->backend;
    for (size_t i = 0; i < scene->linear_count; i++)
        b->ops->linear_destroy(b, &scene->linears[i]);
    for (size_t i = 0; i < scene->buffer_count; i++)
        b->ops->buffer_destroy(b, &scene->buffers[i]);
    b->ops->buffer_destroy(b, &scene->workspace);
}

rw_view scene_tensor(bench_scene *scene, rw_element element, size_t rows, size_t heads,
                     size_t dim) {
    rw_error err = {0};
    rw_backend *b = scene->run->backend;
    if (scene->buffer_count == SCENE_BUFFERS)
        bench_die("too many tensors", NULL);
    rw_buffer *buffer = &scene->buffers[scene->buffer_count++];
    size_t bytes = rw_element_bytes(element, rows * heads * dim);
    bench_must(b->ops->buffer_create(b, bytes, "tensor", buffer, &err), "tensor", &err);
    return (rw_view){.buffer = buffer,
                     .element = element,
                     .shape = {rows, heads, dim},
                     .stride = {heads * dim, dim}};
}

/* A million random numbers again and again: making each would take longer than the row. */
rw_view scene_random(bench_scene *scene, size_t rows, size_t heads, size_t dim) {
    enum { PERIOD = (1 << 20) + 7 };
    rw_view view = scene_tensor(scene, RW_ELEMENT_F32, rows, heads, dim);
    float *values = view.buffer->handle;
    for (size_t i = 0; i < rows * heads * dim; i++)
        values[i] = i < PERIOD ? next_float() : values[i - PERIOD];
    return view;
}

rw_view scene_numbers(bench_scene *scene, size_t rows, size_t below) {
    rw_view view = scene_tensor(scene, RW_ELEMENT_I32, rows, 1, 1);
    int32_t *values = view.buffer->handle;
    for (size_t i = 0; i < rows; i++)
        values[i] = (int32_t)(next_random() % below);
    return view;
}

rw_view scene_cache(bench_scene *scene, rw_element element, size_t copies, size_t rows,
                    size_t heads, size_t dim) {
    rw_error err = {0};
    rw_backend *b = scene->run->reference_backend;
    rw_view all = scene_tensor(scene, element, copies * rows, heads, dim);
    rw_op op = {
        .kind = RW_OP_STORE,
        .u.store = {.x = scene_random(scene, rows, heads, dim), .out = rw_view_rows(all, 0, rows)}};
    bench_must(b->ops->enqueue(b, &op, NULL, &err), "store", &err);
    size_t bytes = rw_element_bytes(element, rows * heads * dim);
    for (size_t i = 1; i < copies; i++)
        memcpy((char *)all.buffer->handle + i * bytes, all.buffer->handle, bytes);
    return all;
}

/* ---- packed weights -------------------------------------------------------------------------- */

/* Any bytes are a block, as long as its float16 scales are reasonable. */
static const struct {
    const char *name;
    size_t scale[2]; /* where they stand; SIZE_MAX: nowhere */
} packed[RW_ELEMENT_COUNT] = {
    [RW_ELEMENT_F32] = {"F32", {SIZE_MAX, SIZE_MAX}},
    [RW_ELEMENT_F16] = {"F16", {0, SIZE_MAX}},
    [RW_ELEMENT_BF16] = {"BF16", {SIZE_MAX, SIZE_MAX}},
    [RW_ELEMENT_Q8_0] = {"Q8_0", {0, SIZE_MAX}},
    [RW_ELEMENT_Q4_0] = {"Q4_0", {0, SIZE_MAX}},
    [RW_ELEMENT_Q4_1] = {"Q4_1", {0, 2}},
    [RW_ELEMENT_Q5_0] = {"Q5_0", {0, SIZE_MAX}},
    [RW_ELEMENT_Q5_1] = {"Q5_1", {0, 2}},
    [RW_ELEMENT_Q4_K] = {"Q4_K", {0, 2}},
    [RW_ELEMENT_Q5_K] = {"Q5_K", {0, 2}},
    [RW_ELEMENT_Q6_K] = {"Q6_K", {208, SIZE_MAX}},
};

const char *scene_element_name(rw_element element) {
    return packed[element].name;
}

static void random_block(rw_element element, unsigned char *block, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        block[i] = (unsigned char)(next_random() >> 24);
    for (int i = 0; i < 2; i++) {
        size_t at = packed[element].scale[i];
        uint16_t half = (uint16_t)(0x2000u | (next_random() >> 22)); /* 2^-7 to 2^-6 */
        if (at != SIZE_MAX)
            memcpy(block + at, &half, sizeof half);
    }
    if (element == RW_ELEMENT_F16)
        block[1] |= (unsigned char)(next_random() >> 24 & 0x80u);
    if (element == RW_ELEMENT_BF16)
        block[1] = (unsigned char)((block[1] & 0x80u) | 0x3cu);
    if (element == RW_ELEMENT_F32) {
        float value = next_float() * 0.1f;
        memcpy(block, &value, sizeof value);
    }
}

void scene_linears(bench_scene *scene, rw_element element, size_t copies, size_t rows,
                   size_t columns) {
    rw_error err = {0};
    rw_backend *b = scene->run->backend;
    rw_view all = scene_tensor(scene, element, copies * rows, 1, columns);
    unsigned char *bytes = all.buffer->handle;
    size_t block = rw_element_block(element).bytes, one = rw_element_bytes(element, rows * columns);
    for (size_t at = 0; at < one; at += block)
        random_block(element, bytes + at, block);
    for (size_t i = 0; i < copies; i++) {
        if (i > 0)
            memcpy(bytes + i * one, bytes, one);
        bench_must(b->ops->linear_map(b, rows, columns, element, bytes + i * one,
                                      &scene->linears[i], &err),
                   "weights", &err);
    }
    scene->linear_count = copies;
}
