/*
 * llama_cpp_loads.c - what llama.cpp refuses to load, as far as the rotation goes. Its loader wants
 * each key in one type of GGUF, expects certain tensors and no others, and its rope operation takes
 * factors in F32 only (seen with the PyPI build of August 2026).
 */
#include "dialect/internal.h"

static const struct {
    const char *key;
    rw_gguf_type type;
    const char *name;
} wanted[] = {
    {"context_length", RW_GGUF_U32, "u32"},
    {"rope.dimension_count", RW_GGUF_U32, "u32"},
    {"rope.freq_base", RW_GGUF_F32, "f32"},
    {"rope.freq_base_swa", RW_GGUF_F32, "f32"},
    {"rope.scale_linear", RW_GGUF_F32, "f32"},
    {"rope.scaling.type", RW_GGUF_STRING, "string"},
    {"rope.scaling.factor", RW_GGUF_F32, "f32"},
    {"rope.scaling.attn_factor", RW_GGUF_F32, "f32"},
    {"rope.scaling.original_context_length", RW_GGUF_U32, "u32"},
    {"rope.scaling.finetuned", RW_GGUF_BOOL, "bool"},
};

static const rw_gguf_value *value_of(const rw_source *source, const char *key, char full[128]) {
    rw_gguf_key(source, key, full);
    return rw_gguf_get(rw_checkpoint_gguf(source->checkpoint), full);
}

static rw_status check_types(const rw_source *source, rw_error *err) {
    char full[128];
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const rw_gguf_value *value = value_of(source, wanted[i].key, full);
        if (value && value->type != wanted[i].type)
            return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", full,
                           "llama.cpp does not load the file: it wants this key as %s",
                           wanted[i].name);
    }
    if (value_of(source, "context_length", full))
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", full,
                   "llama.cpp does not load the file: it needs this key");
}

/* Zero is its word for one. */
static rw_status check_factor(const rw_source *source, rw_error *err) {
    static const char *const keys[] = {"rope.scaling.factor", "rope.scale_linear"};
    char full[128];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rw_gguf_value *value = value_of(source, keys[i], full);
        if (value && !(value->real >= 0 && isfinite(value->real)))
            return rw_fail(err, RW_ERR_INPUT, "dialect.bad_value", full,
                           "a factor of %g is no scaling: llama.cpp would rotate backwards, or by "
                           "no numbers at all",
                           value->real);
    }
    return RW_OK;
}

/* Phi-3's graph takes the lists whenever they are there; the others' only under their type, and
   then no tensor of the file may be left over. */
static rw_status check_tensors(const rw_source *source, rw_error *err) {
    static const char *const names[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                        "rope_factors_short.weight"};
    char full[128];
    const rw_gguf_value *type = value_of(source, "rope.scaling.type", full);
    bool lists =
        strncmp(source->arch.name, "phi3", 4) == 0 || (type && rw_str_is(type->string, "longrope"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor(source->checkpoint, names[i]);
        if (!tensor)
            continue;
        if (tensor->dtype != RW_F32)
            return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", names[i],
                           "llama.cpp's rotation takes factors in F32 only; this tensor is %s",
                           tensor->dtype_name);
        if (i > 0 && !lists)
            return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", names[i],
                           "llama.cpp does not load the file: for architecture %s it expects this "
                           "tensor only if rope.scaling.type is longrope",
                           source->arch.name);
    }
    return RW_OK;
}

rw_status rw_llama_cpp_loads(const rw_source *source, rw_error *err) {
    RW_TRY(check_types(source, err));
    RW_TRY(check_factor(source, err));
    return check_tensors(source, err);
}
