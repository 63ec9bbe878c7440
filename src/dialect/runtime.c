/*
 * runtime.c - the list of runtimes, and which of them speak for a checkpoint.
 */
#include "dialect/internal.h"

typedef struct runtime_entry {
    const char *name;
    const rw_hf_rules *rules; /* NULL: reads HF files through its converter */
} runtime_entry;

static const runtime_entry runtimes[RW_RUNTIME_COUNT] = {
    [RW_TRANSFORMERS5] = {"transformers5", &rw_transformers5_rules},
    [RW_TRANSFORMERS4] = {"transformers4", &rw_transformers4_rules},
    [RW_TRANSFORMERS4_EARLY] = {"transformers4-early", &rw_transformers4_early_rules},
    [RW_VLLM] = {"vllm", &rw_vllm_rules},
    [RW_SGLANG] = {"sglang", &rw_sglang_rules},
    [RW_LLAMA_CPP] = {"llama.cpp", NULL},
};

const char *rw_runtime_name(rw_runtime runtime) {
    return (unsigned)runtime < RW_RUNTIME_COUNT ? runtimes[runtime].name : "unknown";
}

bool rw_runtime_by_name(rw_str name, rw_runtime *out) {
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++)
        if (rw_str_is(name, runtimes[i].name)) {
            *out = (rw_runtime)i;
            return true;
        }
    return false;
}

static bool is_gguf(const rw_source *source) {
    return rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF;
}

rw_runtime rw_dialect_home(const rw_source *source) {
    return is_gguf(source) ? RW_LLAMA_CPP : RW_TRANSFORMERS5;
}

rw_targets rw_dialect_default_targets(const rw_source *source) {
    if (is_gguf(source))
        return 1u << RW_LLAMA_CPP;
    rw_targets targets = 1u << RW_TRANSFORMERS5 | 1u << RW_VLLM | 1u << RW_SGLANG;
    /* transformers 4 does not know rope_parameters and would fall back to plain RoPE. */
    if (!rw_json_get(source->language, "rope_parameters"))
        targets |= 1u << RW_TRANSFORMERS4;
    return targets;
}

/* The other runtimes' GGUF loaders turn the file back into a config and lose rotary keys on the
   way (field reports A9, B4), so none of them is said to read one. */
static rw_status refuse_gguf(rw_runtime runtime, rw_error *err) {
    return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", rw_runtime_name(runtime),
                   "%s has no reader of its own for a GGUF's rotary keys; serve this file with "
                   "llama.cpp, or give the Hugging Face directory",
                   rw_runtime_name(runtime));
}

static rw_status read_as(rw_runtime runtime, const rw_source *source, rw_rope_set *out,
                         rw_diagnostics *diagnostics, rw_error *err) {
    if (is_gguf(source))
        return runtime == RW_LLAMA_CPP ? rw_llama_cpp_read(source, out, diagnostics, err)
                                       : refuse_gguf(runtime, err);
    if (runtime == RW_LLAMA_CPP)
        return rw_llama_cpp_convert(source, out, diagnostics, err);
    return rw_hf_read_set(runtimes[runtime].rules, source, out, diagnostics, err);
}

rw_status rw_dialect_read(rw_runtime runtime, const rw_source *source, rw_rope_set *out,
                          rw_diagnostics *diagnostics, rw_error *err) {
    memset(out, 0, sizeof *out);
    rw_status status = read_as(runtime, source, out, diagnostics, err);
    if (status != RW_OK)
        out->count = 0; /* nothing half-read */
    return status;
}

rw_status rw_dialect_read_best(const rw_source *source, rw_rope_set *out,
                               rw_diagnostics *diagnostics, rw_error *err) {
    /* those that know every spelling first */
    static const rw_runtime others[] = {RW_VLLM, RW_SGLANG, RW_TRANSFORMERS4};
    rw_runtime home = rw_dialect_home(source);
    rw_status status = rw_dialect_read(home, source, out, diagnostics, err);
    if (is_gguf(source) || status != RW_ERR_INPUT)
        return status;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (rw_dialect_read(others[i], source, out, NULL, NULL) != RW_OK)
            continue;
        rw_diagnose(diagnostics, "dialect.home_unreadable", RW_WARNING, true, rw_runtime_name(home),
                    "%s cannot load this checkpoint as it is; what it rotates by today is taken "
                    "from %s",
                    rw_runtime_name(home), rw_runtime_name(others[i]));
        return RW_OK;
    }
    return status;
}

const rw_rope_group *rw_primary_group(const rw_rope_set *set) {
    const rw_rope_group *group = rw_rope_set_find(set, RW_LAYERS_FULL);
    return group ? group : set->count ? &set->group[0] : NULL;
}

double rw_yarn_temperature(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

void rw_gguf_key(const rw_source *source, const char *key, char out[128]) {
    snprintf(out, 128, "%.63s.%.60s", source->arch.name, key);
}
