/*
 * cpu.c - the CPU as a backend: memory, checks, and tiles on the context's thread pool.
 */
#include <inttypes.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/number.h"
#include "backend/cpu/unpack.h"
#include "base/parallel.h"

typedef struct cpu_backend {
    rw_backend base;
    rw_cpu_kernels kernels;
} cpu_backend;

static const cpu_backend *cpu_of(const rw_backend *backend) {
    return (const cpu_backend *)backend;
}

static void destroy(rw_backend *backend) {
    if (backend)
        rw_free(backend->ctx, backend);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static rw_status buffer_create(rw_backend *backend, size_t bytes, const char *what, rw_buffer *out,
                               rw_error *err) {
    *out = (rw_buffer){.handle = rw_alloc(backend->ctx, bytes ? bytes : 1), .bytes = bytes};
    return out->handle ? RW_OK : rw_fail_memory(err, what, bytes);
}

static void buffer_destroy(rw_backend *backend, rw_buffer *buffer) {
    rw_free(backend->ctx, buffer->handle);
    *buffer = (rw_buffer){0};
}

static rw_status check_range(const rw_buffer *buffer, size_t offset, size_t bytes, rw_error *err) {
    if (offset <= buffer->bytes && bytes <= buffer->bytes - offset)
        return RW_OK;
    return rw_fail(err, RW_ERR_INTERNAL, "backend.range", NULL,
                   "bytes %zu to %zu lie outside a buffer of %zu", offset, offset + bytes,
                   buffer->bytes);
}

static rw_status write(rw_backend *backend, rw_buffer *buffer, size_t offset, const void *from,
                       size_t bytes, rw_error *err) {
    (void)backend;
    RW_TRY(check_range(buffer, offset, bytes, err));
    if (bytes)
        memcpy((char *)buffer->handle + offset, from, bytes);
    return RW_OK;
}

static rw_status read(rw_backend *backend, const rw_buffer *buffer, size_t offset, void *to,
                      size_t bytes, rw_error *err) {
    (void)backend;
    RW_TRY(check_range(buffer, offset, bytes, err));
    if (bytes)
        memcpy(to, (const char *)buffer->handle + offset, bytes);
    return RW_OK;
}

static rw_status move(rw_backend *backend, rw_buffer *buffer, size_t to, size_t from, size_t bytes,
                      rw_error *err) {
    (void)backend;
    RW_TRY(check_range(buffer, from, bytes, err));
    RW_TRY(check_range(buffer, to, bytes, err));
    memmove((char *)buffer->handle + to, (char *)buffer->handle + from, bytes);
    return RW_OK;
}

/* ---- linear weights -------------------------------------------------------------------------- */

/* The place of an empty linear layer, or why there is none. */
static rw_status describe(size_t rows, size_t columns, rw_element element, const char *what,
                          rw_linear *out, rw_error *err) {
    rw_block block = rw_element_block(element);
    size_t bytes;
    *out = (rw_linear){.rows = rows, .columns = columns, .element = element};
    if (!rw_can_widen(element) || columns % block.elements != 0)
        return rw_fail(err, RW_ERR_INTERNAL, "backend.unsupported", what,
                       "rows of %zu weights are no whole blocks of type %d", columns, (int)element);
    if (!rw_mul_size(rows, columns / block.elements, &bytes) ||
        !rw_mul_size(bytes, block.bytes, &bytes))
        return rw_fail_memory(err, what, SIZE_MAX);
    out->weights.bytes = bytes;
    return RW_OK;
}

static rw_status linear_map(rw_backend *backend, size_t rows, size_t columns, rw_element element,
                            const void *values, rw_linear *out, rw_error *err) {
    (void)backend;
    RW_TRY(describe(rows, columns, element, "weights", out, err));
    out->borrowed = true;
    out->weights.handle = (void *)values; /* never written: linear_write refuses */
    return RW_OK;
}

static rw_status linear_create(rw_backend *backend, size_t rows, size_t columns, rw_element element,
                               const char *what, rw_linear *out, rw_error *err) {
    RW_TRY(describe(rows, columns, element, what, out, err));
    return buffer_create(backend, out->weights.bytes, what, &out->weights, err);
}

static rw_status linear_write(rw_backend *backend, rw_linear *linear, size_t first_row, size_t rows,
                              const void *values, rw_error *err) {
    if (linear->borrowed || first_row > linear->rows || rows > linear->rows - first_row)
        return rw_fail(err, RW_ERR_INTERNAL, "backend.range", NULL,
                       "rows outside a linear layer, or of one that is mapped");
    size_t row = rw_element_bytes(linear->element, linear->columns);
    return write(backend, &linear->weights, first_row * row, values, rows * row, err);
}

static void linear_destroy(rw_backend *backend, rw_linear *linear) {
    if (!linear->borrowed)
        rw_free(backend->ctx, linear->weights.handle);
    *linear = (rw_linear){0};
}

/* ---- what it can do -------------------------------------------------------------------------- */

static bool is(const rw_view *view, rw_element element, size_t rows, size_t heads, size_t columns) {
    return view->element == element && view->shape[0] == rows && view->shape[1] == heads &&
           view->shape[2] == columns && rw_view_fits(view);
}

static bool is_matrix(const rw_view *view, size_t rows, size_t columns) {
    return is(view, RW_ELEMENT_F32, rows, 1, columns);
}

static bool is_list(const rw_view *view, rw_element element, size_t rows, bool optional) {
    return (optional && !view->buffer) || is(view, element, rows, 1, 1);
}

static bool is_linear(const rw_linear *linear) {
    return linear->weights.handle && !linear->adapter && linear->rows != 0 && linear->columns != 0;
}

static bool is_cached(const rw_view *view, size_t rows, size_t heads, size_t columns) {
    return rw_is_cache_element(view->element) && is(view, view->element, rows, heads, columns);
}

static bool are_rows_of_angles(const rw_view *cosine, const rw_view *sine, size_t n, size_t dim) {
    size_t pairs = cosine->shape[2];
    return is_matrix(cosine, n, pairs) && is_matrix(sine, n, pairs) && 2 * pairs <= dim;
}

static bool supports_attention(const rw_op_attention *a) {
    size_t n = a->q.shape[0], heads = a->q.shape[1], keys = a->k.shape[0], kv = a->k.shape[1];
    if (kv == 0 || heads % kv != 0 || a->q.shape[2] == 0 || a->v.shape[2] == 0)
        return false;
    return is(&a->q, RW_ELEMENT_F32, n, heads, a->q.shape[2]) &&
           is_cached(&a->k, keys, kv, a->q.shape[2]) && is_cached(&a->v, keys, kv, a->v.shape[2]) &&
           is(&a->out, RW_ELEMENT_F32, n, heads, a->v.shape[2]) &&
           (!a->lse.buffer || is_matrix(&a->lse, n, heads)) &&
           (!a->k_cos.buffer || are_rows_of_angles(&a->k_cos, &a->k_sin, keys, a->q.shape[2]));
}

static bool supports_rotate(const rw_op_rotate *r) {
    return r->x.element == RW_ELEMENT_F32 && rw_view_fits(&r->x) &&
           are_rows_of_angles(&r->cos, &r->sin, r->x.shape[0], r->x.shape[2]);
}

static bool supports_store(const rw_op_store *s) {
    size_t n = s->x.shape[0], heads = s->x.shape[1], dim = s->x.shape[2];
    return is(&s->x, RW_ELEMENT_F32, n, heads, dim) && is_cached(&s->out, n, heads, dim);
}

static bool supports_loss(const rw_op_loss *l) {
    size_t n = l->x.shape[0];
    return is_linear(l->linear) && is_matrix(&l->x, n, l->linear->columns) &&
           is_list(&l->target, RW_ELEMENT_I32, n, !l->nll.buffer) &&
           is_list(&l->nll, RW_ELEMENT_F64, n, true) &&
           is_list(&l->argmax, RW_ELEMENT_I32, n, true);
}

static bool supports_linear(const rw_op_linear *l) {
    size_t n = l->x.shape[0];
    return is_linear(l->linear) && is_matrix(&l->x, n, l->linear->columns) &&
           is_matrix(&l->out, n, l->linear->rows) &&
           (!l->bias.buffer || is_matrix(&l->bias, 1, l->linear->rows));
}

static bool supports_one(const rw_op *op) {
    const rw_op_embed *e = &op->u.embed;
    const rw_op_rms_norm *r = &op->u.rms_norm;
    const rw_op_gate *g = &op->u.gate;
    const rw_op_add *a = &op->u.add;
    switch (op->kind) {
    case RW_OP_EMBED:
        return is_linear(e->table) && is_list(&e->ids, RW_ELEMENT_I32, e->out.shape[0], false) &&
               is_matrix(&e->out, e->out.shape[0], e->table->columns);
    case RW_OP_RMS_NORM:
        return is_matrix(&r->x, r->x.shape[0], r->x.shape[2]) &&
               is_matrix(&r->out, r->x.shape[0], r->x.shape[2]) &&
               is_matrix(&r->weight, 1, r->x.shape[2]);
    case RW_OP_LINEAR:
        return supports_linear(&op->u.linear);
    case RW_OP_ROTATE:
        return supports_rotate(&op->u.rotate);
    case RW_OP_STORE:
        return supports_store(&op->u.store);
    case RW_OP_ATTENTION:
        return supports_attention(&op->u.attention);
    case RW_OP_GATE:
        return is_matrix(&g->gate, g->out.shape[0], g->out.shape[2]) &&
               is_matrix(&g->up, g->out.shape[0], g->out.shape[2]) &&
               is_matrix(&g->out, g->out.shape[0], g->out.shape[2]);
    case RW_OP_ADD:
        return is_matrix(&a->x, a->x.shape[0], a->x.shape[2]) &&
               is_matrix(&a->y, a->x.shape[0], a->x.shape[2]);
    case RW_OP_LOSS:
        return supports_loss(&op->u.loss);
    default:
        return false;
    }
}

static bool supports(const rw_backend *backend, const rw_op *op) {
    (void)backend;
    size_t count = 0;
    for (; op && count < RW_BESIDE_MAX && supports_one(op); op = op->beside)
        count++;
    return op == NULL && count > 0;
}

/* ---- running --------------------------------------------------------------------------------- */

/* One operation of those that are done at the same time. */
typedef struct part {
    const rw_op *op;
    const rw_cpu_kernel *kernel;
    char *shared;
    size_t tiles; /* of this round */
} part;

typedef struct job {
    const rw_cpu_isa *isa;
    part parts[RW_BESIDE_MAX];
    int count, round;
    bool near; /* as the first of them has it */
    char *scratch;
    size_t scratch_bytes; /* of one thread */
} job;

static size_t whole_lines(size_t bytes) { /* so that threads don't share any */
    return (bytes + 63) / 64 * 64;
}

/* The workspace: first what all threads share, an operation's behind the last one's, then each
   thread's scratch, which operations use in turn. */
static size_t lay_out(const rw_backend *backend, const rw_op *op, char *workspace, job *j) {
    size_t shared = 0;
    *j = (job){.isa = cpu_of(backend)->kernels.isa};
    for (; op; op = op->beside) {
        part *p = &j->parts[j->count++];
        p->op = op;
        p->kernel = &cpu_of(backend)->kernels.of[op->kind];
        j->near = j->parts[0].kernel->near;
        p->shared = workspace ? workspace + shared : NULL;
        size_t scratch = p->kernel->scratch ? whole_lines(p->kernel->scratch(op)) : 0;
        shared += p->kernel->shared ? whole_lines(p->kernel->shared(op)) : 0;
        j->scratch_bytes = scratch > j->scratch_bytes ? scratch : j->scratch_bytes;
    }
    j->scratch = workspace ? workspace + shared : NULL;
    return shared + j->scratch_bytes * rw_context_threads(backend->ctx);
}

static size_t workspace_bytes(const rw_backend *backend, const rw_op *op) {
    job unused;
    return lay_out(backend, op, NULL, &unused);
}

static void run_tile(void *user, size_t tile, unsigned worker) {
    const job *j = user;
    const part *p = j->parts;
    char *scratch = j->scratch ? j->scratch + worker * j->scratch_bytes : NULL;
    for (; tile >= p->tiles; p++)
        tile -= p->tiles;
    if (p->kernel->run)
        p->kernel->run(j->isa, p->op, tile, scratch);
    else
        p->kernel->rounds[j->round].run(j->isa, p->op, tile, scratch, p->shared);
}

static size_t tiles_of(const part *p, int round) {
    const rw_cpu_round *r = &p->kernel->rounds[round];
    if (p->kernel->run)
        return round == 0 ? p->kernel->tiles(p->op) : 0;
    return r->run ? r->tiles(p->op) : 0;
}

static void run_rounds(rw_context *ctx, job *j) {
    for (j->round = 0; j->round < RW_CPU_ROUNDS; j->round++) {
        size_t tiles = 0;
        for (int i = 0; i < j->count; i++)
            tiles += j->parts[i].tiles = tiles_of(&j->parts[i], j->round);
        (j->near ? rw_parallel_near : rw_parallel_for)(ctx, tiles, run_tile, j);
    }
}

static rw_status enqueue(rw_backend *backend, const rw_op *op, const rw_buffer *workspace,
                         rw_error *err) {
    if (!supports(backend, op))
        return rw_fail(err, RW_ERR_INTERNAL, "backend.unsupported", NULL,
                       "the CPU cannot do operation %d on these tensors", (int)op->kind);
    job j;
    size_t needed = lay_out(backend, op, workspace ? workspace->handle : NULL, &j);
    if (needed != 0 && (!workspace || workspace->bytes < needed))
        return rw_fail(err, RW_ERR_INTERNAL, "backend.workspace", NULL,
                       "operation %d wants a workspace of %zu bytes", (int)op->kind, needed);
    run_rounds(backend->ctx, &j);
    return rw_check_cancel(backend->ctx, err);
}

static const rw_backend_ops cpu_ops = {
    .name = "cpu",
    .destroy = destroy,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .write = write,
    .read = read,
    .move = move,
    .linear_map = linear_map,
    .linear_create = linear_create,
    .linear_write = linear_write,
    .linear_destroy = linear_destroy,
    .supports = supports,
    .workspace_bytes = workspace_bytes,
    .enqueue = enqueue,
};

rw_status rw_cpu_backend_create(rw_context *ctx, rw_backend **out, rw_error *err) {
    *out = NULL;
    cpu_backend *cpu = rw_calloc(ctx, 1, sizeof *cpu);
    if (!cpu)
        return rw_fail_memory(err, "backend", sizeof *cpu);
    cpu->base = (rw_backend){.ops = &cpu_ops, .ctx = ctx};
    rw_cpu_reference(&cpu->kernels);
    rw_cpu_level level = rw_context_cpu_level(ctx);
    if (level >= RW_CPU_AVX2)
        rw_cpu_avx2(&cpu->kernels);
    if (level >= RW_CPU_AVX512)
        rw_cpu_avx512(&cpu->kernels);
    *out = &cpu->base;
    return RW_OK;
}
