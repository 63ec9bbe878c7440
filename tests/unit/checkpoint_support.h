/*
 * checkpoint_support.h - for the tests of src/checkpoint: files made byte by byte that remember
 * where their numbers are, so that each can lie in turn.
 */
#ifndef RW_TESTS_CHECKPOINT_SUPPORT_H
#define RW_TESTS_CHECKPOINT_SUPPORT_H

#include <fcntl.h>
#include <sys/mman.h>

#include "base_support.h"
#include "checkpoint/checkpoint.h"

enum { BYTES_MAX = 1 << 16, FIELDS_MAX = 256 };

typedef struct field {
    const char *name;
    size_t at, width;
} field;

typedef struct bytes {
    uint8_t data[BYTES_MAX];
    size_t size;
    field fields[FIELDS_MAX];
    size_t field_count;
} bytes;

static inline void put_bytes(bytes *b, const void *data, size_t size) {
    assert_true(b->size + size <= sizeof b->data);
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void store(uint8_t *at, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline void put_number(bytes *b, const char *name, uint64_t value, size_t width) {
    uint8_t little[8];
    store(little, value, width);
    assert_true(b->field_count < FIELDS_MAX);
    b->fields[b->field_count++] = (field){name, b->size, width};
    put_bytes(b, little, width);
}

static inline void put_text(bytes *b, const char *name, const char *text) {
    put_number(b, name, strlen(text), 8);
    put_bytes(b, text, strlen(text));
}

static inline void put_padding(bytes *b, size_t alignment) {
    while (b->size % alignment)
        put_bytes(b, "", 1);
}

/* ---- a file in memory ------------------------------------------------------------------------ */

typedef struct memory_file {
    int fd;
    char path[64];
} memory_file;

static inline memory_file memory_file_make(void) {
    memory_file file = {.fd = memfd_create("test", MFD_CLOEXEC)};
    assert_true(file.fd >= 0);
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static inline void memory_file_set(memory_file *file, const void *data, size_t size) {
    assert_int_equal(ftruncate(file->fd, 0), 0);
    assert_int_equal(pwrite(file->fd, data, size, 0), (ssize_t)size);
}

/* ---- a GGUF with every kind of value and tensor ---------------------------------------------- */

static inline void put_key(bytes *b, const char *key, uint32_t type) {
    put_text(b, "key length", key);
    put_number(b, "value type", type, 4);
}

static inline void put_scalar(bytes *b, const char *key, uint32_t type, uint64_t value,
                              size_t width) {
    put_key(b, key, type);
    put_number(b, "value", value, width);
}

static inline void put_tensor_info(bytes *b, const char *name, uint32_t n_dims, uint64_t dim0,
                                   uint64_t dim1, uint32_t type, uint64_t offset) {
    put_text(b, "tensor name length", name);
    put_number(b, "dimensions", n_dims, 4);
    put_number(b, "dimension", dim0, 8);
    if (n_dims > 1)
        put_number(b, "dimension", dim1, 8);
    put_number(b, "tensor type", type, 4);
    put_number(b, "tensor offset", offset, 8);
}

static inline void put_sample_arrays(bytes *b) {
    put_key(b, "tokens", RW_GGUF_ARRAY);
    put_number(b, "element type", RW_GGUF_STRING, 4);
    put_number(b, "array count", 3, 8);
    put_text(b, "string length", "a");
    put_text(b, "string length", "");
    put_text(b, "string length", "\xc3\xa9t");
    put_key(b, "shorts", RW_GGUF_ARRAY);
    put_number(b, "element type", RW_GGUF_I16, 4);
    put_number(b, "array count", 2, 8);
    put_bytes(b, "\xff\xff\x02\x00", 4);
    put_key(b, "flags", RW_GGUF_ARRAY);
    put_number(b, "element type", RW_GGUF_BOOL, 4);
    put_number(b, "array count", 3, 8);
    put_bytes(b, "\1\0\1", 3);
}

enum { SAMPLE_VALUES = 16, SAMPLE_TENSORS = 3 };

/* The last tensor ends with the file, so that every cut hits something. */
static inline void make_gguf(bytes *b) {
    memset(b, 0, sizeof *b);
    put_bytes(b, "GGUF", 4);
    put_number(b, "version", 3, 4);
    put_number(b, "tensor count", SAMPLE_TENSORS, 8);
    put_number(b, "value count", SAMPLE_VALUES, 8);
    put_key(b, "general.architecture", RW_GGUF_STRING);
    put_text(b, "string length", "llama");
    put_scalar(b, "u8", RW_GGUF_U8, 200, 1);
    put_scalar(b, "i8", RW_GGUF_I8, 0xff, 1);
    put_scalar(b, "u16", RW_GGUF_U16, 65535, 2);
    put_scalar(b, "i16", RW_GGUF_I16, 0x8000, 2);
    put_scalar(b, "u32", RW_GGUF_U32, 4000000000u, 4);
    put_scalar(b, "i32", RW_GGUF_I32, 0xfffffffe, 4);
    put_scalar(b, "f32", RW_GGUF_F32, 0x3fc00000, 4); /* 1.5 */
    put_scalar(b, "yes", RW_GGUF_BOOL, 1, 1);
    put_scalar(b, "u64", RW_GGUF_U64, UINT64_MAX, 8);
    put_scalar(b, "i64", RW_GGUF_I64, (uint64_t)-5, 8);
    put_scalar(b, "f64", RW_GGUF_F64, 0x4004000000000000, 8); /* 2.5 */
    put_scalar(b, "general.alignment", RW_GGUF_U32, 64, 4);
    put_sample_arrays(b);
    put_tensor_info(b, "norm", 1, 4, 0, 0, 0);     /* F32  16 bytes  */
    put_tensor_info(b, "matrix", 2, 32, 2, 8, 64); /* Q8_0 68 bytes  */
    put_tensor_info(b, "halves", 2, 2, 3, 1, 192); /* F16  12 bytes  */
    put_padding(b, 64);
    for (size_t i = 0; i < 192 + 12; i++)
        put_bytes(b, &(uint8_t){(uint8_t)(i * 7)}, 1);
}

/* ---- reading everything ---------------------------------------------------------------------- */

static inline void read_everything(const rw_checkpoint *checkpoint) {
    static float values[1 << 16];
    rw_error err = {0};
    for (size_t i = 0; i < rw_checkpoint_tensor_count(checkpoint); i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(checkpoint, i);
        if (tensor->dtype != RW_DTYPE_OTHER && tensor->elements <= 1 << 16)
            assert_ok(rw_tensor_read_f32(checkpoint, tensor, 0, tensor->elements, values, &err));
    }
}

/* Opens and reads; hostile bytes may be refused as input, and nothing else may happen. */
static inline rw_status try_open(rw_context *ctx, const char *path, rw_error *err) {
    rw_checkpoint *checkpoint;
    memset(err, 0, sizeof *err);
    rw_status status = rw_checkpoint_open(ctx, path, 0, &checkpoint, err);
    if (status == RW_OK) {
        read_everything(checkpoint);
        rw_checkpoint_close(checkpoint);
        return RW_OK;
    }
    assert_null(checkpoint);
    if (status != RW_ERR_INPUT)
        fail_msg("%s [%s] %s", rw_status_name(status), err->code, err->message);
    assert_true(err->code[0] && err->message[0] && err->where[0]);
    return status;
}

#endif
