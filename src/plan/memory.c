/*
 * memory.c - what fits: the model in the types of other runtimes on this machine and on devices
 * named. A run of this engine is in engine.c.
 */
#include "plan/memory.h"

/* ---- any runtime, on a device ---------------------------------------------------------------- */

/* A device that keeps the scores of attention does so for a chunk of rows and every head. */
static uint64_t score_bytes(const rw_footprint *model, const rw_device *device, uint64_t context) {
    if (device->attention != RW_ATTENTION_QUADRATIC || !model->arch.n_layers)
        return 0;
    uint64_t rows = context < RW_DEFAULT_CHUNK ? context : RW_DEFAULT_CHUNK;
    return 4 * rows * context * model->arch.layers[0].n_heads;
}

uint64_t rw_fit_bytes(const rw_footprint *model, const rw_device *device, rw_fit fit,
                      uint64_t context) {
    uint64_t weights = rw_footprint_weights(model, fit.weights);
    uint64_t kv = rw_footprint_kv(model, fit.kv, context), sum;
    if (__builtin_add_overflow(weights, kv, &sum))
        return UINT64_MAX;
    return __builtin_add_overflow(sum, score_bytes(model, device, context), &sum) ? UINT64_MAX
                                                                                  : sum;
}

uint64_t rw_fit_largest(const rw_footprint *model, const rw_device *device, rw_fit fit) {
    bool quadratic = device->attention == RW_ATTENTION_QUADRATIC;
    uint64_t low = 0, high = quadratic ? RW_QUADRATIC_MAX : RW_PLAN_CONTEXT_MAX;
    uint64_t usable = rw_device_usable(device);
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (rw_fit_bytes(model, device, fit, middle) <= usable)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

bool rw_fit_offered(const rw_device *device, rw_fit fit) {
    return fit.kv != RW_KV_FP8 || device->fp8;
}

static void member_size(rw_json_writer *w, const char *key, uint64_t bytes) {
    if (bytes == UINT64_MAX)
        rw_json_member_null(w, key);
    else
        rw_json_member_u64(w, key, bytes);
}

static void write_fit(rw_json_writer *w, const rw_footprint *model, const rw_device *device,
                      rw_fit fit, uint64_t context) {
    bool known = rw_footprint_is_known(model);
    uint64_t largest = known ? rw_fit_largest(model, device, fit) : 0;
    rw_json_begin_object(w);
    rw_json_member_string(w, "device", device->name);
    rw_json_member_u64(w, "memory_bytes", device->bytes);
    rw_json_member_u64(w, "usable_bytes", rw_device_usable(device));
    rw_json_member_string(w, "attention", rw_attention_name(device->attention));
    rw_json_member_string(w, "weights", rw_weight_type_name(fit.weights));
    rw_json_member_string(w, "kv", rw_kv_type_name(fit.kv));
    member_size(w, "weight_bytes", rw_footprint_weights(model, fit.weights));
    member_size(w, "kv_bytes", rw_footprint_kv(model, fit.kv, context));
    member_size(w, "largest_context", known ? largest : UINT64_MAX);
    if (known)
        rw_json_member_bool(w, "fits", largest >= context);
    else
        rw_json_member_null(w, "fits");
    rw_json_end_object(w);
}

static void write_device(rw_json_writer *w, const rw_footprint *model, const rw_device *device,
                         uint64_t context) {
    for (int weights = 0; weights < RW_WEIGHT_TYPES; weights++)
        for (int kv = 0; kv < RW_KV_TYPES; kv++) {
            rw_fit fit = {(rw_weight_type)weights, (rw_kv_type)kv};
            if (rw_fit_offered(device, fit))
                write_fit(w, model, device, fit, context);
        }
}

static void write_model(rw_json_writer *w, const rw_footprint *model, uint64_t context) {
    bool known = model->arch.n_layers != 0;
    rw_json_key(w, "model");
    rw_json_begin_object(w);
    member_size(w, "parameters", model->parameters ? model->parameters : UINT64_MAX);
    member_size(w, "active_parameters", model->active ? model->active : UINT64_MAX);
    rw_json_member_string(w, "counted_from", model->counted);
    member_size(w, "kv_bytes_f16", rw_footprint_kv(model, RW_KV_F16, context));
    /* the last token's: layers whose window is full take no more */
    uint64_t step = known && context ? rw_footprint_kv(model, RW_KV_F16, context) -
                                           rw_footprint_kv(model, RW_KV_F16, context - 1)
                                     : UINT64_MAX;
    member_size(w, "kv_bytes_per_token_f16", step);
    rw_json_end_object(w);
}

static void write_rules(rw_json_writer *w) {
    rw_json_key(w, "usable");
    rw_json_begin_object(w);
    rw_json_member_string(w, "gpu", rw_device_rule(RW_DEVICE_NVIDIA));
    rw_json_member_string(w, "apple", rw_device_rule(RW_DEVICE_APPLE));
    rw_json_member_string(w, "cpu", rw_device_rule(RW_DEVICE_CPU));
    rw_json_end_object(w);
}

void rw_plan_write_memory(rw_json_writer *w, const rw_source *source, const rw_plan_result *plan) {
    rw_footprint model;
    rw_json_begin_object(w);
    rw_plan_engine_write(w, source, plan->context, plan->cache);
    if (rw_footprint_read(source, &model, NULL) == RW_OK) {
        rw_device here = rw_device_here();
        write_model(w, &model, plan->context);
        write_rules(w);
        rw_json_key(w, "devices");
        rw_json_begin_array(w);
        if (here.bytes)
            write_device(w, &model, &here, plan->context);
        for (size_t i = 0; i < plan->device_count; i++)
            write_device(w, &model, &plan->devices[i], plan->context);
        rw_json_end_array(w);
    }
    rw_json_end_object(w);
}
