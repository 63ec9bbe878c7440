/*
 * backend.h - the seam between the model and a device.
 *
 * A backend is one device and one stream of work on it. Tensors are views of its buffers. Work is
 * described by an rw_op and goes three steps: `supports` (can this device do exactly this?),
 * `workspace_bytes` (what scratch does it want?), `enqueue`. Work runs in the order it was
 * enqueued; `read` waits for it. Whether an operation is one kernel or five is the backend's own
 * business.
 *
 * The CPU backend runs at once and on the context's thread pool. Results are the same bits for any
 * thread count.
 */
#ifndef RW_BACKEND_BACKEND_H
#define RW_BACKEND_BACKEND_H

#include "base/base.h"

typedef struct rw_backend rw_backend;

/* ---- tensors --------------------------------------------------------------------------------- */

/* What a tensor is made of. The block types are ggml's, as a GGUF keeps them: 32 elements a block
   (the K-quants: 256); they occur only in linear weights, Q8_0 also in the cache of keys and
   values. Packed numbers may stand at any byte. */
typedef enum rw_element {
    RW_ELEMENT_F32,
    RW_ELEMENT_I32,
    RW_ELEMENT_F64,
    RW_ELEMENT_F16,
    RW_ELEMENT_BF16,
    RW_ELEMENT_Q8_0,
    RW_ELEMENT_Q4_0,
    RW_ELEMENT_Q4_1,
    RW_ELEMENT_Q5_0,
    RW_ELEMENT_Q5_1,
    RW_ELEMENT_Q4_K,
    RW_ELEMENT_Q5_K,
    RW_ELEMENT_Q6_K,
    RW_ELEMENT_COUNT
} rw_element;

/* Elements and bytes of a block; {1, 4} for F32, {32, 34} for Q8_0. */
typedef struct rw_block {
    size_t elements, bytes;
} rw_block;

rw_block rw_element_block(rw_element element);
/* Bytes of `count` elements, which are whole blocks. */
size_t rw_element_bytes(rw_element element, size_t count);

typedef struct rw_buffer {
    void *handle; /* the device's own; NULL: none */
    size_t bytes;
} rw_buffer;

enum { RW_VIEW_DIMS = 3 };

/* Rows of heads of elements: [shape[0]][shape[1]][shape[2]]; a matrix has shape[1] == 1. Strides
   are in elements; the last dimension is always contiguous. buffer NULL: no tensor. */
typedef struct rw_view {
    const rw_buffer *buffer;
    size_t offset; /* bytes */
    rw_element element;
    size_t shape[RW_VIEW_DIMS];
    size_t stride[2]; /* of the first two dimensions: whole blocks */
} rw_view;

/* Contiguous [rows][columns]. */
rw_view rw_view_matrix(const rw_buffer *buffer, rw_element element, size_t rows, size_t columns);
/* The same memory as [rows][heads][columns / heads]. */
rw_view rw_view_heads(rw_view matrix, size_t heads);
/* Rows [first, first + count). */
rw_view rw_view_rows(rw_view view, size_t first, size_t count);
/* Do all of the view's elements lie inside its buffer? */
bool rw_view_fits(const rw_view *view);

/* ---- linear layers --------------------------------------------------------------------------- */

/* A low-rank addition to a linear layer: y += scale * (x A^T) B^T. */
typedef struct rw_adapter {
    rw_view a; /* [rank][columns] */
    rw_view b; /* [rows][rank]    */
    float scale;
} rw_adapter;

/* y = x W^T. W's rows lie one after the other as the file has them: blocks of `element`, at any
   byte. A float16 file takes no more memory than its mapping. */
typedef struct rw_linear {
    size_t rows, columns; /* columns: whole blocks */
    rw_element element;
    bool borrowed; /* memory of the caller's, which linear_destroy leaves alone */
    rw_buffer weights;
    const rw_adapter *adapter; /* NULL: none */
} rw_linear;

/* ---- operations ------------------------------------------------------------------------------ */

/* How products with weights are computed. F32: weights are widened, products are float32. INT8: x
   is rounded to int8, 32 at a time with a scale of their own; weights of block types of 8 bits and
   less are multiplied as integers, exactly within a block. Weights of other types are as with F32.
   The user's choice, never a default. */
typedef enum rw_arithmetic { RW_ARITHMETIC_F32, RW_ARITHMETIC_INT8 } rw_arithmetic;

typedef enum rw_op_kind {
    RW_OP_EMBED,
    RW_OP_RMS_NORM,
    RW_OP_LINEAR,
    RW_OP_ROTATE,
    RW_OP_STORE,
    RW_OP_ATTENTION,
    RW_OP_GATE,
    RW_OP_ADD,
    RW_OP_LOSS,
    RW_OP_COUNT
} rw_op_kind;

typedef enum rw_mask { RW_MASK_NONE, RW_MASK_CAUSAL, RW_MASK_WINDOW } rw_mask;

typedef struct rw_op_embed {
    rw_view ids; /* [n] int32, inside the table: the caller checked */
    const rw_linear *table;
    rw_view out; /* [n][columns] = scale * row of the table */
    float scale;
} rw_op_embed;

/* out = x / sqrt(mean(x^2) + eps) * weight, row by row */
typedef struct rw_op_rms_norm {
    rw_view x, out; /* [n][width]; may be the same */
    rw_view weight; /* [1][width] */
    float eps;
} rw_op_rms_norm;

typedef struct rw_op_linear {
    const rw_linear *linear;
    rw_view x;    /* [n][columns] */
    rw_view bias; /* [1][rows], or none */
    rw_view out;  /* [n][rows] */
    rw_arithmetic arithmetic;
} rw_op_linear;

/* Turns the first 2 * pairs dims of every head in place; the rest stands. The temperature is in
   the cosines and sines already. */
typedef struct rw_op_rotate {
    rw_view x;        /* [n][heads][dim] */
    rw_view cos, sin; /* [n][pairs] */
    bool interleaved; /* pairs (2k, 2k+1); else (k, k + pairs) */
} rw_op_rotate;

/* out = x, rounded to nearest even to what `out` is made of (Q8_0: the bits that ggml stores, a
   block's scale being its largest magnitude / 127). How keys and values enter the cache. */
typedef struct rw_op_store {
    rw_view x;   /* [n][heads][dim] F32 */
    rw_view out; /* [n][heads][dim] F32, F16, BF16 or Q8_0 */
} rw_op_store;

/* O = softmax(scale * q k^T + mask) v over the keys given, and LSE = ln of the softmax's sum, so
   that results over several sets of keys can be merged. Row i of q stands at position q_first + i,
   row j of k at k_first + j. CAUSAL: key position <= query position; WINDOW: and > query position -
   window. A row that sees nothing gives O = 0, LSE = -inf. Query head h reads KV head
   h / (heads / kv_heads). With a softcap c a score s becomes c tanh(s / c) before the mask. Keys
   and values are F32, F16, BF16 or Q8_0; all arithmetic is float32. With k_cos the keys are raw:
   they are turned as rw_op_rotate would turn them on their way into the product (methods whose
   table depends on the length: what the cache holds then outlives the table). */
typedef struct rw_op_attention {
    rw_view q;            /* [n][heads][qk_dim] */
    rw_view k;            /* [m][kv_heads][qk_dim] */
    rw_view v;            /* [m][kv_heads][v_dim] */
    rw_view out;          /* [n][heads][v_dim] */
    rw_view lse;          /* [n][heads], or none */
    rw_view k_cos, k_sin; /* [m][pairs], or none: keys are rotated already */
    bool interleaved;     /* how k_cos and k_sin pair the dims */
    int64_t q_first, k_first;
    rw_mask mask;
    int64_t window;
    float scale;
    float softcap; /* 0: none */
} rw_op_attention;

typedef enum rw_gate_kind { RW_GATE_SILU, RW_GATE_GELU_TANH } rw_gate_kind;

/* out = f(gate) * up, with f(x) = x / (1 + exp(-x)), or gelu by its tanh: x / (1 + exp(-2u)) with
   u = sqrt(2 / pi) (x + 0.044715 x^3) (arXiv:1606.08415) */
typedef struct rw_op_gate {
    rw_gate_kind kind;
    rw_view gate, up, out; /* [n][width]; out may be gate or up */
} rw_op_gate;

/* x += y */
typedef struct rw_op_add {
    rw_view x, y; /* [n][width] */
} rw_op_add;

/* Negative log-likelihood and arg max (the first of equals) under logits = x W^T, streamed over
   the vocabulary: the logits are never kept. With a softcap c a logit x becomes c tanh(x / c). A
   target < 0 gives NaN. */
typedef struct rw_op_loss {
    const rw_linear *linear; /* [vocab][hidden] */
    rw_view x;               /* [n][hidden] */
    rw_view target;          /* [n] int32, or none: then nll is none too */
    rw_view nll;             /* [n] double, or none */
    rw_view argmax;          /* [n] int32, or none */
    float softcap;           /* 0: none */
    rw_arithmetic arithmetic;
} rw_op_loss;

enum { RW_BESIDE_MAX = 4 };

typedef struct rw_op {
    rw_op_kind kind;
    /* To be done at the same time: neither reads what the other writes, and the order is the
       device's choice. Like all that stand beside it, RW_BESIDE_MAX operations at most. */
    const struct rw_op *beside; /* NULL: none */
    union {
        rw_op_embed embed;
        rw_op_rms_norm rms_norm;
        rw_op_linear linear;
        rw_op_rotate rotate;
        rw_op_store store;
        rw_op_attention attention;
        rw_op_gate gate;
        rw_op_add add;
        rw_op_loss loss;
    } u;
} rw_op;

/* ---- the device ------------------------------------------------------------------------------ */

typedef struct rw_backend_ops {
    const char *name;
    void (*destroy)(rw_backend *backend);

    /* `what` names the buffer in the error when there is no memory. Contents are undefined. */
    rw_status (*buffer_create)(rw_backend *backend, size_t bytes, const char *what, rw_buffer *out,
                               rw_error *err);
    void (*buffer_destroy)(rw_backend *backend, rw_buffer *buffer); /* leaves it empty */
    /* `bytes` at `offset`, between the host and the buffer. */
    rw_status (*write)(rw_backend *backend, rw_buffer *buffer, size_t offset, const void *from,
                       size_t bytes, rw_error *err);
    rw_status (*read)(rw_backend *backend, const rw_buffer *buffer, size_t offset, void *to,
                      size_t bytes, rw_error *err);
    /* Moves bytes inside one buffer; the ranges may overlap. */
    rw_status (*move)(rw_backend *backend, rw_buffer *buffer, size_t to, size_t from, size_t bytes,
                      rw_error *err);

    /* W [rows][columns] where it lies: `values` must outlive the linear layer. A device with memory
       of its own may copy. */
    rw_status (*linear_map)(rw_backend *backend, size_t rows, size_t columns, rw_element element,
                            const void *values, rw_linear *out, rw_error *err);
    /* Makes room for W; then its rows, in blocks of `element`, are handed over in any order. */
    rw_status (*linear_create)(rw_backend *backend, size_t rows, size_t columns, rw_element element,
                               const char *what, rw_linear *out, rw_error *err);
    rw_status (*linear_write)(rw_backend *backend, rw_linear *linear, size_t first_row, size_t rows,
                              const void *values /* [rows][columns] */, rw_error *err);
    void (*linear_destroy)(rw_backend *backend, rw_linear *linear); /* leaves it empty */

    bool (*supports)(const rw_backend *backend, const rw_op *op);
    size_t (*workspace_bytes)(const rw_backend *backend, const rw_op *op);
    /* `workspace` has workspace_bytes (NULL when that is 0). The op and its views may go once it
       returns; the buffers may not before the work is done. */
    rw_status (*enqueue)(rw_backend *backend, const rw_op *op, const rw_buffer *workspace,
                         rw_error *err);
} rw_backend_ops;

struct rw_backend {
    const rw_backend_ops *ops;
    rw_context *ctx;
};

/* The processor. Kernels are those of rw_context_cpu_level. */
rw_status rw_cpu_backend_create(rw_context *ctx, rw_backend **out, rw_error *err);

#endif
