/*
 * check.c - an operation of the scene beside the portable kernels, and its running for the clock.
 */
#include <math.h>
#include <string.h>

#include "scene.h"

/* The tensor that an operation writes. */
static rw_view *output_of(rw_op *op) {
    switch (op->kind) {
    case RW_OP_EMBED:
        return &op->u.embed.out;
    case RW_OP_RMS_NORM:
        return &op->u.rms_norm.out;
    case RW_OP_LINEAR:
        return &op->u.linear.out;
    case RW_OP_ROTATE:
        return &op->u.rotate.x;
    case RW_OP_ATTENTION:
        return &op->u.attention.out;
    case RW_OP_GATE:
        return &op->u.gate.out;
    case RW_OP_ADD:
        return &op->u.add.x;
    case RW_OP_LOSS:
        return &op->u.loss.nll;
    default:
        bench_die("an operation without a check", NULL);
    }
}

static void narrow(rw_view *view, size_t row) {
    *view = rw_view_rows(*view, row, 1);
}

/* The operation on one of its rows. */
static rw_op row_of(const rw_op *op, size_t row) {
    rw_op one = *op;
    narrow(output_of(&one), row);
    switch (op->kind) {
    case RW_OP_EMBED:
        narrow(&one.u.embed.ids, row);
        break;
    case RW_OP_RMS_NORM:
        narrow(&one.u.rms_norm.x, row);
        break;
    case RW_OP_LINEAR:
        narrow(&one.u.linear.x, row);
        one.u.linear.arithmetic = RW_ARITHMETIC_F32;
        break;
    case RW_OP_ROTATE:
        narrow(&one.u.rotate.cos, row);
        narrow(&one.u.rotate.sin, row);
        break;
    case RW_OP_ATTENTION:
        narrow(&one.u.attention.q, row);
        one.u.attention.q_first += (int64_t)row;
        break;
    case RW_OP_GATE:
        narrow(&one.u.gate.gate, row);
        narrow(&one.u.gate.up, row);
        break;
    case RW_OP_ADD:
        narrow(&one.u.add.y, row);
        break;
    case RW_OP_LOSS:
        narrow(&one.u.loss.x, row);
        narrow(&one.u.loss.target, row);
        one.u.loss.arithmetic = RW_ARITHMETIC_F32;
        break;
    default:
        break;
    }
    return one;
}

static void run_op(rw_backend *b, const rw_op *op, rw_buffer *workspace) {
    rw_error err = {0};
    size_t wanted = b->ops->workspace_bytes(b, op);
    if (wanted > workspace->bytes) {
        b->ops->buffer_destroy(b, workspace);
        bench_must(b->ops->buffer_create(b, wanted, "workspace", workspace, &err), "workspace",
                   &err);
    }
    bench_must(b->ops->enqueue(b, op, workspace, &err), "operation", &err);
}

static char *bytes_of(const rw_view *view) {
    return (char *)view->buffer->handle + view->offset;
}

static double value_at(const rw_view *row, size_t i) {
    if (row->element == RW_ELEMENT_F64)
        return ((const double *)(const void *)bytes_of(row))[i];
    return (double)((const float *)(const void *)bytes_of(row))[i];
}

/* Largest difference, relative to the root mean square of what is wanted. */
static double row_error(const rw_view *got, const rw_view *want) {
    size_t count = want->shape[1] * want->shape[2];
    double worst = 0.0, square = 0.0;
    for (size_t i = 0; i < count; i++) {
        double g = value_at(got, i), w = value_at(want, i);
        worst = fmax(worst, isfinite(g) ? fabs(g - w) : INFINITY);
        square += w * w;
    }
    return square > 0.0 ? worst / sqrt(square / (double)count) : worst;
}

static double check_row(bench_scene *scene, const rw_op *op, const rw_view *before, size_t row) {
    rw_op one = row_of(op, row);
    rw_view got = *output_of(&one), want = got;
    rw_buffer buffer = {.bytes = rw_element_bytes(got.element, got.shape[1] * got.shape[2])};
    rw_buffer workspace = {0};
    rw_backend *b = scene->run->reference_backend;
    rw_error err = {0};
    bench_must(b->ops->buffer_create(b, buffer.bytes, "row", &buffer, &err), "row", &err);
    want.buffer = &buffer;
    want.offset = 0;
    if (before->buffer) { /* operations in place */
        rw_view was = rw_view_rows(*before, row, 1);
        memcpy(buffer.handle, bytes_of(&was), buffer.bytes);
    }
    *output_of(&one) = want;
    run_op(b, &one, &workspace);
    double error = row_error(&got, &want);
    b->ops->buffer_destroy(b, &buffer);
    b->ops->buffer_destroy(b, &workspace);
    return error;
}

const char *scene_check(bench_scene *scene, double tolerance) {
    enum { ROWS = 8 };
    rw_op op = scene->ops[0];
    rw_view out = *output_of(&op), before = {0};
    size_t n = out.shape[0], bytes = rw_element_bytes(out.element, n * out.stride[0]);
    bool in_place = op.kind == RW_OP_ROTATE || op.kind == RW_OP_ADD;
    if (!scene->run->backend->ops->supports(scene->run->backend, &op))
        return "not supported";
    if (in_place) {
        before = scene_tensor(scene, out.element, n, out.shape[1], out.shape[2]);
        memcpy(before.buffer->handle, bytes_of(&out), bytes);
    } else {
        memset(bytes_of(&out), 0xff, bytes); /* NaN */
    }
    run_op(scene->run->backend, &op, &scene->workspace);
    for (size_t i = 0; i < ROWS; i++) {
        size_t row = n > 1 ? i * (n - 1) / (ROWS - 1) : 0;
        if (!(check_row(scene, &op, &before, row) <= tolerance))
            return "differs from the portable kernel";
    }
    return NULL;
}

void scene_step(void *user) {
    bench_scene *scene = user;
    run_op(scene->run->backend, &scene->ops[scene->next], &scene->workspace);
    scene->next = (scene->next + 1) % scene->op_count;
}
