/*
 * dialect_support.h - for the tests of src/dialect and src/plan: a checkpoint opened from a
 * fixture, from text, or from a small GGUF made here.
 */
#ifndef RW_TESTS_DIALECT_SUPPORT_H
#define RW_TESTS_DIALECT_SUPPORT_H

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dialect/dialect.h"
#include "support.h"

typedef struct opened {
    rw_context *ctx;
    rw_arena arena;
    rw_checkpoint *checkpoint;
    rw_source source;
} opened;

static inline rw_status try_open(opened *o, const char *path, rw_error *err) {
    memset(o, 0, sizeof *o);
    o->ctx = test_context();
    o->arena.ctx = o->ctx;
    RW_TRY(rw_checkpoint_open(o->ctx, path, RW_OPEN_NO_WEIGHTS, &o->checkpoint, err));
    return rw_source_read(o->checkpoint, &o->arena, &o->source, err);
}

static inline void close_opened(opened *o) {
    rw_arena_free(&o->arena);
    rw_checkpoint_close(o->checkpoint);
    rw_context_free(o->ctx);
}

static inline void open_path(opened *o, const char *path) {
    rw_error err = {0};
    assert_ok(try_open(o, path, &err));
}

static inline const char *fixture_path(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/tests/data/configs/%s.json", RW_SOURCE_DIR, name);
    return path;
}

/* A file of this process's own; removed by remove_scratch. */
static inline const char *scratch_path(const char *suffix) {
    static char path[512];
    snprintf(path, sizeof path, "%s/scratch-%ld%s", RW_BINARY_DIR, (long)getpid(), suffix);
    return path;
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* As a bare config.json. */
static inline rw_status try_open_text(opened *o, const char *text, size_t size, rw_error *err) {
    const char *path = scratch_path(".json");
    write_file(path, text, size);
    rw_status status = try_open(o, path, err);
    unlink(path);
    return status;
}

static inline void open_text(opened *o, const char *text) {
    rw_error err = {0};
    assert_ok(try_open_text(o, text, strlen(text), &err));
}

static inline bool has_diagnostic(const rw_diagnostics *list, const char *code) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].code, code) == 0)
            return true;
    return false;
}

#define assert_near(actual, expected, relative)                                                    \
    do {                                                                                           \
        double near_a_ = (actual), near_e_ = (expected);                                           \
        if (!(fabs(near_a_ - near_e_) <= (relative)*fabs(near_e_)))                                \
            fail_msg("%s is %.17g, and %.17g was expected", #actual, near_a_, near_e_);            \
    } while (0)

/* ---- a small GGUF
 * -------------------------------------------------------------------------------- */

typedef struct small_gguf {
    uint8_t values[4096], infos[1024], data[4096];
    size_t value_size, info_size, data_size;
    uint64_t value_count, tensor_count;
} small_gguf;

static inline void small_put(uint8_t *to, size_t *size, const void *bytes, size_t count) {
    memcpy(to + *size, bytes, count);
    *size += count;
}

static inline void small_key(small_gguf *g, const char *key, uint32_t type) {
    uint64_t size = strlen(key);
    small_put(g->values, &g->value_size, &size, 8);
    small_put(g->values, &g->value_size, key, size);
    small_put(g->values, &g->value_size, &type, 4);
    g->value_count++;
}

static inline void small_u32(small_gguf *g, const char *key, uint32_t value) {
    small_key(g, key, 4);
    small_put(g->values, &g->value_size, &value, 4);
}

static inline void small_f32(small_gguf *g, const char *key, float value) {
    small_key(g, key, 6);
    small_put(g->values, &g->value_size, &value, 4);
}

static inline void small_text(small_gguf *g, const char *key, const char *value) {
    uint64_t size = strlen(value);
    small_key(g, key, 8);
    small_put(g->values, &g->value_size, &size, 8);
    small_put(g->values, &g->value_size, value, size);
}

static inline void small_tensor(small_gguf *g, const char *name, const float *list, uint64_t n) {
    uint64_t size = strlen(name), offset = g->data_size;
    uint32_t dims = 1, type = 0;
    small_put(g->infos, &g->info_size, &size, 8);
    small_put(g->infos, &g->info_size, name, size);
    small_put(g->infos, &g->info_size, &dims, 4);
    small_put(g->infos, &g->info_size, &n, 8);
    small_put(g->infos, &g->info_size, &type, 4);
    small_put(g->infos, &g->info_size, &offset, 8);
    small_put(g->data, &g->data_size, list, n * sizeof *list);
    while (g->data_size % 32)
        g->data[g->data_size++] = 0;
    g->tensor_count++;
}

/* llama, 2 heads of 64, theta 10000, 512 tokens. */
static inline void small_llama(small_gguf *g, const char *architecture) {
    char key[64];
    memset(g, 0, sizeof *g);
    small_text(g, "general.architecture", architecture);
#define SMALL(name) (snprintf(key, sizeof key, "%s.%s", architecture, name), key)
    small_u32(g, SMALL("block_count"), 1);
    small_u32(g, SMALL("context_length"), 512);
    small_u32(g, SMALL("embedding_length"), 128);
    small_u32(g, SMALL("feed_forward_length"), 128);
    small_u32(g, SMALL("attention.head_count"), 2);
    small_f32(g, SMALL("attention.layer_norm_rms_epsilon"), 1e-5f);
    small_u32(g, SMALL("vocab_size"), 16);
    small_u32(g, SMALL("rope.dimension_count"), 64);
    small_f32(g, SMALL("rope.freq_base"), 10000);
#undef SMALL
}

static inline void small_write(const small_gguf *g, const char *path) {
    static uint8_t file[16384];
    size_t size = 0;
    uint32_t version = 3;
    small_put(file, &size, "GGUF", 4);
    small_put(file, &size, &version, 4);
    small_put(file, &size, &g->tensor_count, 8);
    small_put(file, &size, &g->value_count, 8);
    small_put(file, &size, g->values, g->value_size);
    small_put(file, &size, g->infos, g->info_size);
    while (size % 32)
        file[size++] = 0;
    small_put(file, &size, g->data, g->data_size);
    write_file(path, file, size);
}

static inline void open_gguf(opened *o, const small_gguf *g) {
    const char *path = scratch_path(".gguf");
    small_write(g, path);
    open_path(o, path);
    unlink(path);
}

#endif
