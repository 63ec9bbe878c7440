/*
 * backend_support.h - for tests of the CPU's kernels: backends of every level, and tensors of any
 * element whose surroundings are watched.
 */
#ifndef RW_TESTS_BACKEND_SUPPORT_H
#define RW_TESTS_BACKEND_SUPPORT_H

#include <math.h>

#include "backend/backend.h"
#include "backend/cpu/number.h"
#include "random_support.h"
#include "support.h"

/* ---- backends -------------------------------------------------------------------------------- */

typedef struct machine {
    rw_context *ctx;
    rw_backend *backend;
    const char *level;
} machine;

/* False (and nothing to close): this processor has no such level. */
static inline bool machine_open(machine *m, rw_cpu_level level, unsigned threads) {
    static const char *const names[] = {"best", "generic", "avx2", "avx512"};
    rw_error err = {0};
    rw_context_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    m->level = names[level];
    assert_ok(rw_context_create(&options, &m->ctx, &err));
    if (rw_context_cpu_level(m->ctx) != level) {
        print_message("skipped: this processor has no %s\n", m->level);
        rw_context_free(m->ctx);
        return false;
    }
    assert_ok(rw_cpu_backend_create(m->ctx, &m->backend, &err));
    return true;
}

static inline void machine_close(machine *m) {
    m->backend->ops->destroy(m->backend);
    rw_context_free(m->ctx);
}

static inline void each_level(void (*test)(machine *m)) {
    for (rw_cpu_level level = RW_CPU_GENERIC; level <= RW_CPU_AVX512; level++) {
        machine m;
        if (!machine_open(&m, level, 2))
            continue;
        test(&m);
        machine_close(&m);
    }
}

/* The workspace is filled with `poison` first: what is not written must not be read. */
static inline void run_poisoned(machine *m, const rw_op *op, int poison) {
    rw_error err = {0};
    rw_buffer workspace = {0};
    size_t bytes = m->backend->ops->workspace_bytes(m->backend, op);
    assert_true(m->backend->ops->supports(m->backend, op));
    assert_ok(m->backend->ops->buffer_create(m->backend, bytes, "workspace", &workspace, &err));
    memset(workspace.handle, poison, bytes);
    assert_ok(m->backend->ops->enqueue(m->backend, op, &workspace, &err));
    m->backend->ops->buffer_destroy(m->backend, &workspace);
}

static inline void run(machine *m, const rw_op *op) {
    run_poisoned(m, op, 0xff); /* NaN */
}

/* ---- tensors with watched surroundings ------------------------------------------------------- */

enum { MARGIN = 256, POISON = 0x7f /* 0x7f7f7f7f is 3e38 */ };

typedef struct tensor {
    rw_buffer buffer;
    rw_view view;
} tensor;

/* [rows][heads][dim] with `gap` blocks between rows, `shift` bytes off a 64-byte boundary. */
static inline tensor make(rw_element element, size_t rows, size_t heads, size_t dim, size_t gap,
                          size_t shift) {
    tensor t;
    size_t stride = heads * dim + gap * rw_element_block(element).elements;
    size_t bytes = (rw_element_bytes(element, rows * stride) + 2 * MARGIN + shift + 63) / 64 * 64;
    t.buffer = (rw_buffer){aligned_alloc(64, bytes), bytes};
    memset(t.buffer.handle, POISON, bytes);
    t.view = (rw_view){.offset = MARGIN + shift,
                       .element = element,
                       .shape = {rows, heads, dim},
                       .stride = {stride, dim}};
    return t;
}

/* With a gap and a shift of its own: float32 stands at multiples of 4, the rest at any byte. */
static inline tensor make_anywhere(rw_element element, size_t rows, size_t heads, size_t dim) {
    size_t shift = element == RW_ELEMENT_F32 ? 4 * between(0, 15) : between(0, 63);
    return make(element, rows, heads, dim, between(0, 3), shift);
}

static inline rw_view view_of(const tensor *t) {
    rw_view view = t->view;
    view.buffer = &t->buffer;
    return view;
}

static inline void *row_of(const tensor *t, size_t row, size_t head) {
    rw_view view = view_of(t);
    return rw_row_of(&view, row, head);
}

static inline float *f32_of(const tensor *t, size_t row, size_t head) {
    return row_of(t, row, head);
}

static inline tensor copy_of(const tensor *t) {
    tensor c = *t;
    c.buffer.handle = aligned_alloc(64, t->buffer.bytes);
    memcpy(c.buffer.handle, t->buffer.handle, t->buffer.bytes);
    return c;
}

static inline void release(tensor *t) {
    free(t->buffer.handle);
    t->buffer.handle = NULL;
}

enum { DIM_MAX = 2048 };

/* Random numbers, rounded to what the tensor is made of. */
static inline void fill(tensor *t, float (*draw)(float), float size) {
    static float row[DIM_MAX];
    for (size_t r = 0; r < t->view.shape[0]; r++)
        for (size_t h = 0; h < t->view.shape[1]; h++) {
            for (size_t i = 0; i < t->view.shape[2]; i++)
                row[i] = draw(size);
            rw_to_cache(t->view.element, row, row_of(t, r, h), t->view.shape[2]);
        }
}

/* Nothing outside the view was written. */
static inline void check_margins(const tensor *t, const char *what) {
    size_t width = rw_element_bytes(t->view.element, t->view.shape[1] * t->view.shape[2]);
    size_t apart = rw_element_bytes(t->view.element, t->view.stride[0]);
    const unsigned char *memory = t->buffer.handle;
    for (size_t i = 0; i < t->buffer.bytes; i++) {
        size_t row = i < t->view.offset ? SIZE_MAX : (i - t->view.offset) / apart;
        bool inside = row < t->view.shape[0] && (i - t->view.offset) % apart < width;
        if (!inside && memory[i] != POISON)
            fail_msg("seed %llu, %s: wrote outside its output", (unsigned long long)seed_now, what);
    }
}

/* The same bits in two tensors of one shape, margins and all. */
static inline void check_same(const tensor *want, const tensor *got, const char *what) {
    check_margins(got, what);
    if (memcmp(want->buffer.handle, got->buffer.handle, want->buffer.bytes) != 0)
        fail_msg("seed %llu, %s: other bits", (unsigned long long)seed_now, what);
}

#endif
