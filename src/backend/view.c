/*
 * view.c - tensor views.
 */
#include "backend/backend.h"

rw_block rw_element_block(rw_element element) {
    static const rw_block blocks[RW_ELEMENT_COUNT] = {
        [RW_ELEMENT_F32] = {1, 4},      [RW_ELEMENT_I32] = {1, 4},
        [RW_ELEMENT_F64] = {1, 8},      [RW_ELEMENT_F16] = {1, 2},
        [RW_ELEMENT_BF16] = {1, 2},     [RW_ELEMENT_Q8_0] = {32, 34},
        [RW_ELEMENT_Q4_0] = {32, 18},   [RW_ELEMENT_Q4_1] = {32, 20},
        [RW_ELEMENT_Q5_0] = {32, 22},   [RW_ELEMENT_Q5_1] = {32, 24},
        [RW_ELEMENT_Q4_K] = {256, 144}, [RW_ELEMENT_Q5_K] = {256, 176},
        [RW_ELEMENT_Q6_K] = {256, 210}};
    return blocks[element];
}

size_t rw_element_bytes(rw_element element, size_t count) {
    rw_block block = rw_element_block(element);
    return count / block.elements * block.bytes;
}

rw_view rw_view_matrix(const rw_buffer *buffer, rw_element element, size_t rows, size_t columns) {
    return (rw_view){.buffer = buffer,
                     .element = element,
                     .shape = {rows, 1, columns},
                     .stride = {columns, columns}};
}

rw_view rw_view_heads(rw_view matrix, size_t heads) {
    matrix.shape[1] = heads;
    matrix.shape[2] /= heads;
    matrix.stride[1] = matrix.shape[2];
    return matrix;
}

rw_view rw_view_rows(rw_view view, size_t first, size_t count) {
    view.offset += rw_element_bytes(view.element, first * view.stride[0]);
    view.shape[0] = count;
    return view;
}

bool rw_view_fits(const rw_view *view) {
    if (!view->buffer || !view->buffer->handle)
        return false;
    if (view->shape[0] == 0 || view->shape[1] == 0 || view->shape[2] == 0)
        return true;
    size_t rows, heads, last, bytes, end;
    rw_block block = rw_element_block(view->element);
    if (view->stride[0] % block.elements != 0 || view->stride[1] % block.elements != 0 ||
        view->shape[2] % block.elements != 0)
        return false;
    return rw_mul_size(view->shape[0] - 1, view->stride[0], &rows) &&
           rw_mul_size(view->shape[1] - 1, view->stride[1], &heads) &&
           rw_add_size(rows, heads, &last) && rw_add_size(last, view->shape[2], &last) &&
           rw_mul_size(last / block.elements, block.bytes, &bytes) &&
           rw_add_size(bytes, view->offset, &end) && end <= view->buffer->bytes;
}
