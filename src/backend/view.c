/*
 * view.c - tensor views.
 */
#include "backend/backend.h"

size_t rw_element_bytes(rw_element element) {
    return element == RW_ELEMENT_F64 ? 8 : 4;
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
    view.offset += first * view.stride[0] * rw_element_bytes(view.element);
    view.shape[0] = count;
    return view;
}

bool rw_view_fits(const rw_view *view) {
    if (!view->buffer || !view->buffer->handle)
        return false;
    if (view->shape[0] == 0 || view->shape[1] == 0 || view->shape[2] == 0)
        return true;
    size_t rows, heads, last, bytes, end;
    return rw_mul_size(view->shape[0] - 1, view->stride[0], &rows) &&
           rw_mul_size(view->shape[1] - 1, view->stride[1], &heads) &&
           rw_add_size(rows, heads, &last) && rw_add_size(last, view->shape[2], &last) &&
           rw_mul_size(last, rw_element_bytes(view->element), &bytes) &&
           rw_add_size(bytes, view->offset, &end) && end <= view->buffer->bytes;
}
