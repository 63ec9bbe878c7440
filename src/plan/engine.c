/*
 * engine.c - a run of this engine on this machine, from the same table that allocates.
 */
#include "plan/memory.h"

/* As the model room finds its weights: by name, in the containers' headers. */
static const rw_tensor *tensor_of(const rw_source *source, rw_weight weight, uint32_t layer) {
    bool gguf = rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF;
    char name[128];
    rw_arch_tensor_name(&source->arch, gguf ? RW_NAMING_GGUF : RW_NAMING_HF, weight, layer, name);
    return rw_checkpoint_tensor(source->checkpoint, name);
}

static bool is_widened(const void *user, rw_weight weight, uint32_t layer, uint64_t *bytes) {
    const rw_source *source = user;
    const rw_tensor *tensor = tensor_of(source, weight, layer);
    uint64_t shape[2];
    uint32_t elements = 1, packed = 2;
    if (tensor)
        rw_dtype_block(tensor->dtype, &elements, &packed);
    rw_arch_tensor_shape(&source->arch, weight, layer, shape);
    *bytes = shape[0] * shape[1] / elements * packed;
    return tensor && !rw_dtype_in_place(tensor->dtype);
}

/* What stands before the tensors: it is read, and stays. */
static uint64_t header_bytes(const rw_source *source) {
    uint64_t bytes = 0;
    if (rw_checkpoint_gguf(source->checkpoint))
        for (size_t i = 0; i < rw_gguf_count(rw_checkpoint_gguf(source->checkpoint)); i++) {
            const rw_gguf_value *value = rw_gguf_at(rw_checkpoint_gguf(source->checkpoint), i);
            bytes += value->end - value->begin;
        }
    return bytes;
}

static rw_memory_options memory_options(const rw_source *source, uint64_t context,
                                        rw_cache_type cache) {
    return (rw_memory_options){.context = context,
                               .threads = rw_context_threads(source->arena->ctx),
                               .cache = cache,
                               .home = {is_widened, source},
                               .header = header_bytes(source)};
}

void rw_plan_memory(const rw_source *source, uint64_t context, rw_cache_type cache,
                    rw_memory *out) {
    const rw_memory_options options = memory_options(source, context, cache);
    rw_arch_memory(&source->arch, &options, out);
}

void rw_plan_engine_write(rw_json_writer *w, const rw_source *source, uint64_t context,
                          rw_cache_type cache) {
    rw_memory m;
    uint64_t machine = rw_device_here().bytes;
    if (!source->arch.family || !source->arch.n_layers) {
        rw_json_member_null(w, "total");
        rw_json_member_string(w, "why", "our engine does not run this architecture");
        rw_json_member_u64(w, "machine", machine);
        return;
    }
    const rw_memory_options options = memory_options(source, context, cache);
    rw_arch_memory(&source->arch, &options, &m);
    rw_json_member_u64(w, "context", context);
    rw_json_member_string(w, "kv_type", rw_cache_type_name(cache));
    rw_json_member_u64(w, "weights", m.weights);
    rw_json_member_u64(w, "kv", m.kv);
    rw_json_member_u64(w, "activations", m.activations);
    rw_json_member_u64(w, "program", m.program);
    rw_json_member_u64(w, "total", m.total);
    rw_json_member_u64(w, "mapped", m.mapped);
    rw_json_member_u64(w, "machine", machine);
    rw_json_member_bool(w, "fits", machine == 0 || m.total <= machine);
    rw_json_member_u64(
        w, "largest_context",
        rw_arch_largest_context(&source->arch, &options, machine, RW_PLAN_CONTEXT_MAX));
}
