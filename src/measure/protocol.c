/*
 * protocol.c - prefix, half, sliding, tail as a table of window rules.
 */
#include "measure/protocol.h"

#include <string.h>

static size_t capped(size_t windows, size_t chunks) {
    return chunks && windows > chunks ? chunks : windows;
}

/* ---- prefix: one window at 0, every prediction ----------------------------------------------- */

static size_t prefix_windows(size_t tokens, const rw_protocol_setting *setting) {
    return tokens > setting->length;
}

static rw_window prefix_window(size_t tokens, const rw_protocol_setting *setting, size_t index) {
    (void)tokens, (void)index;
    return (rw_window){0, setting->length, 0, setting->length};
}

/* ---- half: disjoint windows, predictions of the second half ---------------------------------- */

/* llama-perplexity's own arithmetic (tools/perplexity/perplexity.cpp): of a window of n tokens,
   positions n/2 .. n-2 are scored, so the last token is predicted and never read. */
static size_t half_windows(size_t tokens, const rw_protocol_setting *setting) {
    return capped(tokens / setting->length, setting->chunks);
}

static rw_window half_window(size_t tokens, const rw_protocol_setting *setting, size_t index) {
    (void)tokens;
    size_t n = setting->length;
    return (rw_window){index * n, n - 1, n / 2, n - 1 - n / 2};
}

/* ---- sliding: windows every S tokens; the first scores all, later ones what is new ----------- */

static size_t sliding_windows(size_t tokens, const rw_protocol_setting *setting) {
    if (tokens <= setting->length)
        return 0;
    size_t beyond = tokens - 1 - setting->length; /* predictions that the first does not make */
    return capped(1 + (beyond + setting->stride - 1) / setting->stride, setting->chunks);
}

static rw_window sliding_window(size_t tokens, const rw_protocol_setting *setting, size_t index) {
    size_t n = setting->length, start = index * setting->stride;
    if (index == 0)
        return (rw_window){0, n, 0, n};
    size_t end = start + n < tokens - 1 ? start + n : tokens - 1;
    return (rw_window){start, end - start, n - setting->stride,
                       end - start - (n - setting->stride)};
}

/* ---- tail: the last S predictions of one window ---------------------------------------------- */

static rw_window tail_window(size_t tokens, const rw_protocol_setting *setting, size_t index) {
    (void)tokens, (void)index;
    return rw_window_tail(setting->length, setting->stride);
}

static const rw_protocol protocol_table[] = {
    {"prefix", "every prediction of one window at the document's start", 1, false, true,
     prefix_windows, prefix_window},
    {"half", "second half of disjoint windows, as llama-perplexity does", 4, true, false,
     half_windows, half_window},
    {"sliding", "every prediction once, windows a stride apart", 1, false, true, sliding_windows,
     sliding_window},
    {"tail", "last predictions of one window at the document's start", 1, false, true,
     prefix_windows, tail_window},
};

const char rw_protocol_names[] = "prefix, half, sliding, tail";

const rw_protocol *rw_protocol_by_name(const char *name) {
    for (size_t i = 0; i < sizeof protocol_table / sizeof protocol_table[0]; i++)
        if (strcmp(protocol_table[i].name, name) == 0)
            return &protocol_table[i];
    return NULL;
}

rw_window rw_window_tail(size_t length, size_t stride) {
    size_t count = stride < length ? stride : length;
    return (rw_window){0, length, length - count, count};
}

size_t rw_gain_stride(size_t stride, size_t native) {
    size_t most = native / 2 ? native / 2 : 1;
    return stride < most ? stride : most;
}

rw_window rw_window_truncated(size_t length, size_t stride, size_t native) {
    return (rw_window){length - native, native, native - stride, stride};
}

static size_t next_edge(size_t edge) {
    if (edge < 256)
        return 256;
    bool power_of_two = (edge & (edge - 1)) == 0;
    return power_of_two ? edge + edge / 2 : edge / 3 * 4;
}

size_t rw_bucket_edges(size_t length, size_t native, size_t edges[RW_BUCKETS_MAX + 1]) {
    size_t count = 0, grid = 0;
    for (edges[0] = 0; count < RW_BUCKETS_MAX - 1 && edges[count] < length;) {
        grid = next_edge(grid);
        if (native > edges[count] && native < grid && native < length)
            edges[++count] = native;
        edges[++count] = grid < length ? grid : length;
    }
    if (edges[count] < length)
        edges[count] = length;
    return count;
}
