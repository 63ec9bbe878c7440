/*
 * load.c - weights from a checkpoint, each checked on the way: there, of the right shape, of a type
 * we read, and finite. Matrices that the kernels read as they are stay in the mapped files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

enum { STAGE_ELEMENTS = 1 << 18 };

typedef struct loader {
    rw_model *model;
    const rw_checkpoint *checkpoint;
    rw_naming naming;
    float *stage; /* [STAGE_ELEMENTS, or the longest row] of a tensor on its way */
    size_t stage_size;
    uint64_t done, total; /* elements */
} loader;

/* ---- one tensor ------------------------------------------------------------------------------ */

/* Where a weight is found: rows [first, first + rows) of a tensor. */
typedef struct place {
    const rw_tensor *tensor; /* NULL: this architecture has no such weight */
    size_t first, rows, columns;
    float offset; /* what is stored less than is meant */
} place;

static bool same_shape(const rw_tensor *tensor, uint32_t dims, const uint64_t shape[2]) {
    return tensor->n_dims == dims && tensor->shape[0] == shape[0] &&
           (dims < 2 || tensor->shape[1] == shape[1]);
}

/* "704 x 256" */
static void put_shape(char out[96], uint32_t dims, const uint64_t *shape) {
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < dims && i < 4; i++)
        used += (size_t)snprintf(out + used, 96 - used, "%s%llu", i ? " x " : "",
                                 (unsigned long long)shape[i]);
}

static rw_status fail_shape(const rw_tensor *tensor, const char *name, uint32_t dims,
                            const uint64_t shape[2], rw_error *err) {
    char is[96], wanted[96];
    put_shape(is, tensor->n_dims, tensor->shape);
    put_shape(wanted, dims, shape);
    return rw_fail(err, RW_ERR_INPUT, "model.shape", name,
                   "the tensor is %s, and the model's description wants %s: weights and "
                   "description are not of one model",
                   is, wanted);
}

static rw_status find(const loader *l, rw_weight weight, uint32_t layer, place *out,
                      rw_error *err) {
    char name[128];
    uint64_t shape[2], first;
    uint32_t dims = rw_arch_tensor_shape(l->model->arch, weight, layer, shape);
    *out = (place){.rows = (size_t)shape[0], .columns = (size_t)shape[1]};
    if (dims == 0)
        return RW_OK;
    out->offset = rw_arch_tensor_offset(l->model->arch, l->naming, weight);
    rw_arch_tensor_place(l->model->arch, weight, layer, &first, &shape[0]);
    out->first = (size_t)first;
    rw_arch_tensor_name(l->model->arch, l->naming, weight, layer, name);
    const rw_tensor *tensor = rw_checkpoint_tensor(l->checkpoint, name);
    if (!tensor)
        return rw_fail(err, RW_ERR_INPUT, "model.missing_tensor", name,
                       "the checkpoint has no such tensor, but the model's description wants it: "
                       "is a file missing, or the description another model's?");
    if (!same_shape(tensor, dims, shape))
        return fail_shape(tensor, name, dims, shape, err);
    if (tensor->dtype == RW_DTYPE_OTHER)
        return rw_fail(err, RW_ERR_INPUT, "model.dtype", name,
                       "weights of type %s are not read: convert the checkpoint to F32, F16, "
                       "BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or a K-quant",
                       tensor->dtype_name);
    out->tensor = tensor;
    return RW_OK;
}

static void put_name(char out[128], rw_str name) {
    size_t size = name.size < 127 ? name.size : 127;
    memcpy(out, name.data, size);
    out[size] = '\0';
}

static rw_status fail_not_finite(const rw_tensor *tensor, rw_error *err) {
    char name[128];
    put_name(name, tensor->name);
    return rw_fail(err, RW_ERR_INPUT, "model.not_finite", name,
                   "the tensor holds a NaN or an infinity: the checkpoint is damaged, fetch or "
                   "convert it again");
}

/* Bytes of `elements`, which are whole blocks. */
static uint64_t packed_bytes(const rw_tensor *tensor, uint64_t elements) {
    uint32_t block, bytes;
    rw_dtype_block(tensor->dtype, &block, &bytes);
    return elements / block * bytes;
}

/* The mapped bytes of the place, looked through. */
static rw_status look_at(loader *l, const place *from, const unsigned char **out, rw_error *err) {
    uint64_t columns = from->columns ? from->columns : 1, count = from->rows * columns;
    rw_context *ctx = l->model->ctx;
    *out = rw_tensor_map_bytes(l->model->map, from->tensor);
    *out += packed_bytes(from->tensor, from->first * columns);
    bool finite = rw_weights_finite(ctx, from->tensor->dtype, *out, count);
    RW_TRY(rw_check_cancel(ctx, err));
    if (!finite)
        return fail_not_finite(from->tensor, err);
    l->done += count;
    rw_progress(ctx, "load", l->done, l->total, "weights");
    return RW_OK;
}

static rw_status load_vector(loader *l, rw_weight weight, uint32_t layer, rw_buffer *out,
                             rw_error *err) {
    const unsigned char *values;
    place from;
    RW_TRY(find(l, weight, layer, &from, err));
    if (!from.tensor)
        return RW_OK;
    size_t count = from.rows, bytes = count * sizeof(float);
    rw_backend *b = l->model->backend;
    from.columns = 0;
    RW_TRY(look_at(l, &from, &values, err));
    rw_dtype_to_f32(from.tensor->dtype, values, l->stage, count);
    for (size_t i = 0; i < count; i++)
        l->stage[i] += from.offset;
    RW_TRY(b->ops->buffer_create(b, bytes, "weights", out, err));
    return b->ops->write(b, out, 0, l->stage, bytes, err);
}

/* The kernels' name of a type that they read in place. */
static rw_element element_of(rw_dtype type) {
    static const rw_element elements[RW_DTYPE_OTHER] = {
        [RW_F32] = RW_ELEMENT_F32,   [RW_F16] = RW_ELEMENT_F16,   [RW_BF16] = RW_ELEMENT_BF16,
        [RW_Q8_0] = RW_ELEMENT_Q8_0, [RW_Q4_0] = RW_ELEMENT_Q4_0, [RW_Q4_1] = RW_ELEMENT_Q4_1,
        [RW_Q5_0] = RW_ELEMENT_Q5_0, [RW_Q5_1] = RW_ELEMENT_Q5_1, [RW_Q4_K] = RW_ELEMENT_Q4_K,
        [RW_Q5_K] = RW_ELEMENT_Q5_K, [RW_Q6_K] = RW_ELEMENT_Q6_K};
    return elements[type];
}

static rw_status widen(loader *l, const place *from, const unsigned char *values, rw_linear *out,
                       rw_error *err) {
    rw_backend *b = l->model->backend;
    size_t columns = from->columns, step = l->stage_size / columns;
    RW_TRY(b->ops->linear_create(b, from->rows, columns, RW_ELEMENT_F32, "weights", out, err));
    for (size_t row = 0; row < from->rows; row += step) {
        size_t count = from->rows - row < step ? from->rows - row : step;
        rw_dtype_to_f32(from->tensor->dtype, values + packed_bytes(from->tensor, row * columns),
                        l->stage, count * columns);
        RW_TRY(b->ops->linear_write(b, out, row, count, l->stage, err));
    }
    return RW_OK;
}

static rw_status load_linear(loader *l, rw_weight weight, uint32_t layer, rw_linear *out,
                             rw_error *err) {
    const unsigned char *values;
    place from;
    RW_TRY(find(l, weight, layer, &from, err));
    if (!from.tensor)
        return RW_OK;
    RW_TRY(look_at(l, &from, &values, err));
    rw_dtype type = from.tensor->dtype;
    if (!rw_dtype_in_place(type))
        return widen(l, &from, values, out, err);
    rw_backend *b = l->model->backend;
    return b->ops->linear_map(b, from.rows, from.columns, element_of(type), values, out, err);
}

/* ---- all of them ----------------------------------------------------------------------------- */

typedef struct part {
    rw_weight weight;
    bool linear;
    size_t offset; /* in rw_model_layer, of an rw_linear or an rw_buffer */
} part;

static const part layer_parts[] = {
    {RW_W_ATTENTION_NORM, false, offsetof(rw_model_layer, attention_norm)},
    {RW_W_Q, true, offsetof(rw_model_layer, q)},
    {RW_W_K, true, offsetof(rw_model_layer, k)},
    {RW_W_V, true, offsetof(rw_model_layer, v)},
    {RW_W_O, true, offsetof(rw_model_layer, o)},
    {RW_W_Q_BIAS, false, offsetof(rw_model_layer, q_bias)},
    {RW_W_K_BIAS, false, offsetof(rw_model_layer, k_bias)},
    {RW_W_V_BIAS, false, offsetof(rw_model_layer, v_bias)},
    {RW_W_O_BIAS, false, offsetof(rw_model_layer, o_bias)},
    {RW_W_Q_NORM, false, offsetof(rw_model_layer, q_norm)},
    {RW_W_K_NORM, false, offsetof(rw_model_layer, k_norm)},
    {RW_W_POST_ATTENTION_NORM, false, offsetof(rw_model_layer, post_attention_norm)},
    {RW_W_FFN_NORM, false, offsetof(rw_model_layer, ffn_norm)},
    {RW_W_POST_FFN_NORM, false, offsetof(rw_model_layer, post_ffn_norm)},
    {RW_W_GATE, true, offsetof(rw_model_layer, gate)},
    {RW_W_UP, true, offsetof(rw_model_layer, up)},
    {RW_W_DOWN, true, offsetof(rw_model_layer, down)},
    {RW_W_GATE_BIAS, false, offsetof(rw_model_layer, gate_bias)},
    {RW_W_UP_BIAS, false, offsetof(rw_model_layer, up_bias)},
    {RW_W_DOWN_BIAS, false, offsetof(rw_model_layer, down_bias)},
};

enum { LAYER_PARTS = sizeof layer_parts / sizeof layer_parts[0] };

static rw_status load_layer(loader *l, uint32_t index, rw_error *err) {
    char *layer = (char *)&l->model->layers[index];
    for (size_t i = 0; i < LAYER_PARTS; i++) {
        const part *p = &layer_parts[i];
        void *to = layer + p->offset;
        RW_TRY(p->linear ? load_linear(l, p->weight, index, to, err)
                         : load_vector(l, p->weight, index, to, err));
    }
    return RW_OK;
}

static rw_status load_all(loader *l, rw_error *err) {
    rw_model *m = l->model;
    RW_TRY(load_linear(l, RW_W_EMBEDDING, 0, &m->embedding, err));
    RW_TRY(load_linear(l, RW_W_OUTPUT, 0, &m->output, err));
    RW_TRY(load_vector(l, RW_W_FINAL_NORM, 0, &m->final_norm, err));
    for (uint32_t i = 0; i < m->arch->n_layers; i++)
        RW_TRY(load_layer(l, i, err));
    return RW_OK;
}

/* ---- checks before anything is read ---------------------------------------------------------- */

static const char elsewhere[] =
    "what needs no weights (inspect, plan, extend --no-measure) may still work";

static rw_status unsupported(const rw_arch *arch, const char *what, rw_error *err) {
    return rw_fail(err, RW_ERR_INPUT, "model.unsupported", arch->name,
                   "this model has %s, which the engine cannot run yet: %s", what, elsewhere);
}

rw_status rw_model_check_arch(const rw_arch *arch, rw_error *err) {
    if (!arch->family || !arch->family->runnable)
        return rw_fail(err, RW_ERR_INPUT, "model.unsupported", arch->name,
                       "models of architecture \"%s\" are not run yet: %s", arch->name, elsewhere);
    if (arch->activation == RW_ACT_GELU)
        return unsupported(arch, "a feed-forward with the exact GELU", err);
    for (uint32_t i = 0; i < arch->n_layers; i++)
        if (arch->layers[i].kind == RW_LAYER_OTHER || arch->layers[i].kv_latent)
            return unsupported(arch, "layers without plain attention", err);
    return RW_OK;
}

/* Tensors that mean nothing to the forward pass: rotations, which the dialects read from elsewhere,
   and the copy of the embedding that some tied checkpoints carry. */
static bool is_harmless(const rw_arch *arch, rw_str name) {
    static const char *const prefixes[] = {"rope_freqs.", "rope_factors_"};
    static const char suffix[] = "rotary_emb.inv_freq";
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (name.size >= strlen(prefixes[i]) &&
            memcmp(name.data, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    if (arch->tied_embeddings && rw_str_is(name, "lm_head.weight"))
        return true;
    size_t end = sizeof suffix - 1;
    return name.size >= end && memcmp(name.data + name.size - end, suffix, end) == 0;
}

/* The checkpoint's tensors that are weights of this architecture; `out` (may be NULL) has room for
   as many as the count says. */
static size_t list_weights(const loader *l, const rw_tensor **out) {
    char name[128];
    uint64_t shape[2];
    const rw_arch *arch = l->model->arch;
    size_t found = 0;
    for (int weight = 0; weight < RW_W_COUNT; weight++) {
        uint32_t layers = weight <= RW_W_OUTPUT ? 1 : arch->n_layers;
        for (uint32_t i = 0; i < layers; i++) {
            if (rw_arch_tensor_shape(arch, (rw_weight)weight, i, shape) == 0)
                continue;
            rw_arch_tensor_name(arch, l->naming, (rw_weight)weight, i, name);
            const rw_tensor *tensor = rw_checkpoint_tensor(l->checkpoint, name);
            if (tensor && out)
                out[found] = tensor;
            found += tensor != NULL;
        }
    }
    return found;
}

static int by_address(const void *a, const void *b) {
    const rw_tensor *x = *(const rw_tensor *const *)a, *y = *(const rw_tensor *const *)b;
    return x < y ? -1 : x > y;
}

static rw_status fail_extra(const loader *l, rw_str tensor, rw_error *err) {
    char name[128];
    put_name(name, tensor);
    return rw_fail(err, RW_ERR_INPUT, "model.unsupported", name,
                   "a model of architecture \"%s\" has no use for this tensor, which its "
                   "description does not mention: without it the numbers would be others",
                   l->model->arch->name);
}

/* A tensor that the forward pass would not use (a bias, a norm, an expert) means that the model is
   not what its description says; running it anyway would give fluent nonsense. */
static rw_status check_extra(const loader *l, rw_error *err) {
    size_t known = list_weights(l, NULL);
    const rw_tensor **weights = rw_calloc(l->model->ctx, known + 1, sizeof *weights);
    if (!weights)
        return rw_fail_memory(err, "tensors", known * sizeof *weights);
    list_weights(l, weights);
    qsort(weights, known, sizeof *weights, by_address);
    rw_status status = RW_OK;
    for (size_t i = 0; i < rw_checkpoint_tensor_count(l->checkpoint) && status == RW_OK; i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(l->checkpoint, i);
        if (!bsearch(&tensor, weights, known, sizeof *weights, by_address) &&
            !is_harmless(l->model->arch, tensor->name))
            status = fail_extra(l, tensor->name, err);
    }
    rw_free(l->model->ctx, weights);
    return status;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* How a weight is kept, for the table of sizes. One that is not there is found out later. */
static bool is_widened(const void *user, rw_weight weight, uint32_t layer, uint64_t *bytes) {
    place from;
    if (find(user, weight, layer, &from, NULL) != RW_OK || !from.tensor)
        return true;
    *bytes = packed_bytes(from.tensor, (uint64_t)from.rows * from.columns);
    return !rw_dtype_in_place(from.tensor->dtype);
}

/* Room for one row of every matrix, and for every vector whole. */
static size_t stage_elements(const rw_arch *arch) {
    uint64_t most = STAGE_ELEMENTS, shape[2];
    for (uint32_t i = 0; i < arch->n_layers; i++)
        for (int weight = 0; weight < RW_W_COUNT; weight++) {
            uint32_t dims = rw_arch_tensor_shape(arch, (rw_weight)weight, i, shape);
            uint64_t row = dims == 1 ? shape[0] : dims == 2 ? shape[1] : 0;
            most = row > most ? row : most;
        }
    return (size_t)most;
}

static rw_status start(loader *l, rw_context *ctx, const rw_arch *arch, rw_error *err) {
    rw_model *m = l->model;
    rw_memory memory;
    const rw_memory_options options = {.context = 1, .home = {is_widened, l}};
    rw_arch_memory(arch, &options, &memory);
    RW_TRY(rw_model_check_memory(memory.weights, "weights", err));
    RW_TRY(check_extra(l, err));
    RW_TRY(rw_tensor_map_create(l->checkpoint, &m->map, err));
    m->layers = rw_calloc(ctx, arch->n_layers, sizeof *m->layers);
    if (!m->layers)
        return rw_fail_memory(err, "layers", arch->n_layers * sizeof *m->layers);
    l->stage_size = stage_elements(arch);
    l->stage = rw_alloc(ctx, l->stage_size * sizeof(float));
    if (!l->stage)
        return rw_fail_memory(err, "weights", l->stage_size * sizeof(float));
    return rw_cpu_backend_create(ctx, &m->backend, err);
}

rw_status rw_model_load(rw_context *ctx, const rw_checkpoint *checkpoint, const rw_arch *arch,
                        rw_model **out, rw_error *err) {
    *out = NULL;
    RW_TRY(rw_model_check_arch(arch, err));
    rw_model *model = rw_calloc(ctx, 1, sizeof *model);
    if (!model)
        return rw_fail_memory(err, "model", sizeof *model);
    model->ctx = ctx;
    model->arch = arch;
    bool gguf = rw_checkpoint_format(checkpoint) == RW_FORMAT_GGUF;
    loader l = {.model = model,
                .checkpoint = checkpoint,
                .naming = gguf ? RW_NAMING_GGUF : RW_NAMING_HF,
                .total = arch->parameters};
    rw_status status = start(&l, ctx, arch, err);
    if (status == RW_OK)
        status = load_all(&l, err);
    rw_free(ctx, l.stage);
    if (status != RW_OK)
        rw_model_free(model);
    else
        *out = model;
    return status;
}

static void free_layer(rw_backend *b, rw_model_layer *layer) {
    for (size_t i = 0; i < LAYER_PARTS; i++) {
        void *at = (char *)layer + layer_parts[i].offset;
        if (layer_parts[i].linear)
            b->ops->linear_destroy(b, at);
        else
            b->ops->buffer_destroy(b, at);
    }
}

void rw_model_free(rw_model *model) {
    if (!model)
        return;
    rw_backend *b = model->backend;
    if (b) {
        for (uint32_t i = 0; i < model->arch->n_layers; i++)
            free_layer(b, &model->layers[i]);
        b->ops->linear_destroy(b, &model->embedding);
        b->ops->linear_destroy(b, &model->output);
        b->ops->buffer_destroy(b, &model->final_norm);
        b->ops->destroy(b);
    }
    rw_tensor_map_free(model->map);
    rw_free(model->ctx, model->layers);
    rw_free(model->ctx, model);
}

const rw_arch *rw_model_arch(const rw_model *model) {
    return model->arch;
}

const rw_linear *rw_model_head(const rw_model *model) {
    return model->arch->tied_embeddings ? &model->embedding : &model->output;
}
