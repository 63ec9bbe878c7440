/*
 * gguf_read.c - the header of a GGUF file, versions 2 and 3 (layout: the head comment of ggml's
 * gguf.h).
 *
 * The header is loaded piece by piece as the walk needs it; no count or length of the file is
 * believed before the bytes it promises are there. Arrays stay raw bytes: a vocabulary of 150 000
 * strings costs its own bytes and nothing more until somebody asks for it.
 */
#include <string.h>

#include "checkpoint/internal.h"

/* The largest vocabularies make headers of some 20 MB. */
#define HEADER_MAX ((uint64_t)256 << 20)
#define CHUNK ((size_t)256 << 10)
/* Files have 32, rarely a page. */
enum { ALIGNMENT_MAX = 1 << 20 };

const unsigned char rw_gguf_magic[4] = {'G', 'G', 'U', 'F'};

static const uint8_t type_sizes[] = {
    [RW_GGUF_U8] = 1,  [RW_GGUF_I8] = 1,  [RW_GGUF_U16] = 2, [RW_GGUF_I16] = 2,
    [RW_GGUF_U32] = 4, [RW_GGUF_I32] = 4, [RW_GGUF_F32] = 4, [RW_GGUF_BOOL] = 1,
    [RW_GGUF_U64] = 8, [RW_GGUF_I64] = 8, [RW_GGUF_F64] = 8,
};

size_t rw_gguf_type_size(uint32_t type) {
    return type < sizeof type_sizes ? type_sizes[type] : 0;
}

/* ---- walking --------------------------------------------------------------------------------- */

typedef struct walk {
    rw_gguf *gguf;
    const rw_file *file;
    uint64_t at;
    rw_error *err;
} walk;

static uint64_t remaining(const walk *w) {
    return w->file->size - w->at;
}

static rw_status truncated(const walk *w, uint64_t size) {
    return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.truncated", w->gguf->path, w->at,
                      "the header needs %llu more bytes here but the file has %llu left: it is cut "
                      "short or damaged; fetch it again",
                      (unsigned long long)size, (unsigned long long)remaining(w));
}

static rw_status load_until(walk *w, uint64_t end) {
    rw_gguf *gguf = w->gguf;
    uint64_t want = gguf->loaded + gguf->loaded / 4 + CHUNK;
    if (want < end)
        want = end;
    if (want > w->file->size)
        want = w->file->size;
    char *bytes = rw_grow(gguf->ctx, gguf->bytes, gguf->capacity, (size_t)want);
    if (!bytes)
        return rw_fail_memory(w->err, gguf->path, (size_t)want);
    gguf->bytes = bytes;
    gguf->capacity = (size_t)want;
    RW_TRY(rw_file_read(w->file, gguf->loaded, bytes + gguf->loaded, (size_t)want - gguf->loaded,
                        w->err));
    gguf->loaded = (size_t)want;
    return RW_OK;
}

/* Steps over `size` bytes; `*out` points at them until the next step. */
static rw_status take(walk *w, uint64_t size, const char **out) {
    if (size > remaining(w))
        return truncated(w, size);
    if (w->at + size > HEADER_MAX)
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.header_size", w->gguf->path, w->at,
                          "the header is larger than %llu MiB, which no model's is: the file is "
                          "damaged",
                          (unsigned long long)(HEADER_MAX >> 20));
    if (w->at + size > w->gguf->loaded)
        RW_TRY(load_until(w, w->at + size));
    *out = w->gguf->bytes + w->at;
    w->at += size;
    return RW_OK;
}

static rw_status take_u32(walk *w, uint32_t *out) {
    const char *p = NULL;
    RW_TRY(take(w, 4, &p));
    *out = rw_load_u32(p);
    return RW_OK;
}

static rw_status take_u64(walk *w, uint64_t *out) {
    const char *p = NULL;
    RW_TRY(take(w, 8, &p));
    *out = rw_load_u64(p);
    return RW_OK;
}

/* Length and bytes. */
static rw_status take_string(walk *w, rw_str *out) {
    uint64_t size;
    RW_TRY(take_u64(w, &size));
    RW_TRY(take(w, size, &out->data));
    out->size = (size_t)size;
    return RW_OK;
}

/* A key or tensor name. Only its size is kept: the buffer may still move. */
static rw_status take_name(walk *w, rw_str *out) {
    uint64_t begin = w->at;
    RW_TRY(take_string(w, out));
    if (out->size == 0 || out->size > RW_GGUF_NAME_MAX || memchr(out->data, 0, out->size))
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.name", w->gguf->path, begin,
                          "a name here is empty, longer than %d bytes or holds a NUL: the file is "
                          "damaged",
                          RW_GGUF_NAME_MAX);
    out->data = NULL;
    return RW_OK;
}

/* ---- metadata -------------------------------------------------------------------------------- */

static bool is_real(rw_gguf_type type) {
    return type == RW_GGUF_F32 || type == RW_GGUF_F64;
}

static bool is_signed(rw_gguf_type type) {
    return type == RW_GGUF_I8 || type == RW_GGUF_I16 || type == RW_GGUF_I32 || type == RW_GGUF_I64;
}

static double real_of(const char *p, rw_gguf_type type) {
    if (type == RW_GGUF_F32) {
        float single;
        uint32_t bits = rw_load_u32(p);
        memcpy(&single, &bits, sizeof single);
        return (double)single;
    }
    double value;
    uint64_t bits = rw_load_u64(p);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t integer_of(const char *p, rw_gguf_type type) {
    size_t size = type_sizes[type];
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t)p[i] << (8 * i);
    /* An arithmetic shift without one: the top bit of `size` bytes is carried upwards. */
    uint64_t top = size ? (uint64_t)1 << (8 * size - 1) : 0;
    return is_signed(type) ? (value ^ top) - top : value;
}

double rw_gguf_number(const void *bytes, rw_gguf_type type) {
    if (is_real(type))
        return real_of(bytes, type);
    uint64_t value = integer_of(bytes, type);
    return is_signed(type) ? (double)(int64_t)value : (double)value;
}

static rw_status take_scalar(walk *w, rw_gguf_value *value) {
    const char *p = NULL;
    RW_TRY(take(w, type_sizes[value->type], &p));
    if (is_real(value->type)) {
        value->real = real_of(p, value->type);
        return RW_OK;
    }
    value->integer = integer_of(p, value->type);
    if (value->type == RW_GGUF_BOOL && value->integer > 1)
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.bool", w->gguf->path, w->at - 1,
                          "a boolean has the value %u: the file is damaged",
                          (unsigned)value->integer);
    return RW_OK;
}

static rw_status take_array(walk *w, rw_gguf_value *value) {
    uint32_t type;
    uint64_t begin = w->at;
    RW_TRY(take_u32(w, &type));
    RW_TRY(take_u64(w, &value->count));
    if (type == RW_GGUF_ARRAY)
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.nested_array", w->gguf->path, begin,
                          "an array of arrays, which no known model uses and ropewalk does not "
                          "read");
    size_t size = rw_gguf_type_size(type), least = type == RW_GGUF_STRING ? 8 : size;
    if (least == 0)
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.value_type", w->gguf->path, begin,
                          "an array of the unknown type %u: the file is damaged or newer than this "
                          "program",
                          type);
    value->element_type = (rw_gguf_type)type;
    uint64_t payload = w->at;
    if (value->count > remaining(w) / least)
        return truncated(w, value->count > UINT64_MAX / least ? UINT64_MAX : value->count * least);
    const char *p = NULL;
    rw_str text;
    if (type != RW_GGUF_STRING)
        RW_TRY(take(w, value->count * size, &p));
    for (uint64_t i = 0; type == RW_GGUF_STRING && i < value->count; i++)
        RW_TRY(take_string(w, &text));
    value->string.size = (size_t)(w->at - payload);
    return RW_OK;
}

static rw_status take_value(walk *w, rw_gguf_value *value) {
    uint32_t type;
    value->begin = w->at;
    RW_TRY(take_name(w, &value->key));
    uint64_t type_at = w->at;
    RW_TRY(take_u32(w, &type));
    value->type = (rw_gguf_type)type;
    if (type == RW_GGUF_ARRAY)
        RW_TRY(take_array(w, value));
    else if (type == RW_GGUF_STRING)
        RW_TRY(take_string(w, &value->string));
    else if (rw_gguf_type_size(type))
        RW_TRY(take_scalar(w, value));
    else
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.value_type", w->gguf->path, type_at,
                          "a value of the unknown type %u: the file is damaged or newer than this "
                          "program",
                          type);
    value->end = w->at;
    return RW_OK;
}

/* ---- tensor entries -------------------------------------------------------------------------- */

static rw_status take_info(walk *w, rw_gguf_info *info) {
    info->begin = w->at;
    RW_TRY(take_name(w, &info->name));
    uint64_t dims_at = w->at;
    RW_TRY(take_u32(w, &info->n_dims));
    if (info->n_dims > RW_GGUF_DIMS)
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.dimensions", w->gguf->path, dims_at,
                          "a tensor with %u dimensions (at most %d are possible): the file is "
                          "damaged",
                          info->n_dims, RW_GGUF_DIMS);
    for (uint32_t i = 0; i < info->n_dims; i++)
        RW_TRY(take_u64(w, &info->dims[i]));
    RW_TRY(take_u32(w, &info->type));
    RW_TRY(take_u64(w, &info->offset));
    info->end = w->at;
    return RW_OK;
}

/* ---- the whole header ------------------------------------------------------------------------ */

/* Room for one more element; `*items` grows with what was really read, never with a count. */
static rw_status make_room(walk *w, void **items, size_t used, size_t *capacity, size_t stride) {
    if (used < *capacity)
        return RW_OK;
    size_t wanted = *capacity ? *capacity * 2 : 64, bytes;
    if (!rw_mul_size(wanted, stride, &bytes))
        return rw_fail_memory(w->err, w->gguf->path, SIZE_MAX);
    void *grown = rw_grow(w->gguf->ctx, *items, *capacity * stride, bytes);
    if (!grown)
        return rw_fail_memory(w->err, w->gguf->path, bytes);
    *items = grown;
    *capacity = wanted;
    return RW_OK;
}

static rw_status check_version(const walk *w, uint32_t version) {
    const char *path = w->gguf->path;
    if (version == 2 || version == 3)
        return RW_OK;
    if ((version & 0xffffu) == 0 && version != 0)
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.big_endian", path, 4,
                          "the file is big-endian; convert it to little-endian first (gguf-py has "
                          "gguf_convert_endian)");
    return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.version", path, 4,
                      "GGUF version %u; versions 2 and 3 are read: convert the model again with a "
                      "current converter",
                      version);
}

static rw_status take_start(walk *w, uint64_t *tensors, uint64_t *values) {
    uint32_t magic = 0;
    RW_TRY(take_u32(w, &magic));
    if (magic != rw_load_u32(rw_gguf_magic))
        return rw_fail_at(w->err, RW_ERR_INPUT, "gguf.magic", w->gguf->path, 0,
                          "the file does not begin with \"GGUF\"");
    RW_TRY(take_u32(w, &w->gguf->version));
    RW_TRY(check_version(w, w->gguf->version));
    RW_TRY(take_u64(w, tensors));
    return take_u64(w, values);
}

static rw_status take_all(walk *w) {
    rw_gguf *gguf = w->gguf;
    uint64_t tensors = 0, values = 0;
    RW_TRY(take_start(w, &tensors, &values));
    for (uint64_t i = 0; i < values; i++) {
        void *items = gguf->values;
        RW_TRY(make_room(w, &items, gguf->count, &gguf->value_capacity, sizeof *gguf->values));
        gguf->values = items;
        gguf->values[gguf->count] = (rw_gguf_value){.element_type = RW_GGUF_U8};
        RW_TRY(take_value(w, &gguf->values[gguf->count]));
        gguf->count++;
    }
    gguf->infos_begin = w->at;
    for (uint64_t i = 0; i < tensors; i++) {
        void *items = gguf->infos;
        RW_TRY(make_room(w, &items, gguf->info_count, &gguf->info_capacity, sizeof *gguf->infos));
        gguf->infos = items;
        gguf->infos[gguf->info_count] = (rw_gguf_info){.n_dims = 0};
        RW_TRY(take_info(w, &gguf->infos[gguf->info_count]));
        gguf->info_count++;
    }
    gguf->infos_end = w->at;
    return RW_OK;
}

/* The buffer stands still now: names follow their length, payloads end where their value ends. */
static void point_into_buffer(rw_gguf *gguf) {
    for (size_t i = 0; i < gguf->count; i++) {
        rw_gguf_value *value = &gguf->values[i];
        value->key.data = gguf->bytes + value->begin + 8;
        if (value->type == RW_GGUF_STRING || value->type == RW_GGUF_ARRAY)
            value->string.data = gguf->bytes + value->end - value->string.size;
    }
    for (size_t i = 0; i < gguf->info_count; i++)
        gguf->infos[i].name.data = gguf->bytes + gguf->infos[i].begin + 8;
}

static rw_status index_keys(rw_gguf *gguf, rw_error *err) {
    const rw_str *twin;
    RW_TRY(rw_names_build(&gguf->arena, gguf->values, sizeof *gguf->values, gguf->count,
                          &gguf->keys, &twin, err));
    if (!twin)
        return RW_OK;
    const rw_gguf_value *value = (const rw_gguf_value *)(const void *)twin;
    return rw_fail_at(err, RW_ERR_INPUT, "gguf.duplicate_key", gguf->path, value->begin,
                      "the key '%.*s' occurs twice: readers would disagree about its value",
                      (int)twin->size, twin->data);
}

static rw_status find_data(rw_gguf *gguf, rw_error *err) {
    const rw_gguf_value *value = rw_gguf_get(gguf, "general.alignment");
    gguf->alignment = 32;
    if (value) {
        uint64_t a = value->integer;
        if (value->type != RW_GGUF_U32 || a == 0 || a > ALIGNMENT_MAX || (a & (a - 1)) != 0)
            return rw_fail_at(err, RW_ERR_INPUT, "gguf.alignment", gguf->path, value->begin,
                              "general.alignment must be a power of two of type u32, at most %d",
                              ALIGNMENT_MAX);
        gguf->alignment = (uint32_t)a;
    }
    uint64_t mask = gguf->alignment - 1;
    gguf->data_begin = (gguf->infos_end + mask) & ~mask;
    return RW_OK;
}

static rw_status read_header(rw_gguf *gguf, const rw_file *file, rw_error *err) {
    walk w = {gguf, file, 0, err};
    RW_TRY(take_all(&w));
    point_into_buffer(gguf);
    RW_TRY(index_keys(gguf, err));
    return find_data(gguf, err);
}

rw_status rw_gguf_read(rw_context *ctx, const rw_file *file, rw_gguf **out, rw_error *err) {
    *out = NULL;
    rw_gguf *gguf = rw_calloc(ctx, 1, sizeof *gguf);
    if (!gguf)
        return rw_fail_memory(err, file->path, sizeof *gguf);
    gguf->ctx = ctx;
    gguf->arena.ctx = ctx;
    gguf->path = file->path;
    rw_status status = read_header(gguf, file, err);
    if (status != RW_OK)
        rw_gguf_free(gguf);
    else
        *out = gguf;
    return status;
}

void rw_gguf_free(rw_gguf *gguf) {
    if (!gguf)
        return;
    rw_context *ctx = gguf->ctx;
    rw_free(ctx, gguf->bytes);
    rw_free(ctx, gguf->values);
    rw_free(ctx, gguf->infos);
    rw_arena_free(&gguf->arena);
    rw_free(ctx, gguf);
}
