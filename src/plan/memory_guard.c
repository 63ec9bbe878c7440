/*
 * memory_guard.c - named devices against the target window: one that would keep all the scores of
 * attention is refused, one that is too small is warned of; either way with one that would do.
 */
#include "plan/memory.h"

typedef unsigned long long ull;

/* The first choice of types, best first, in which `context` fits. */
static bool find_fit(const rw_footprint *model, const rw_device *device, uint64_t context,
                     rw_fit *out) {
    static const rw_fit choices[] = {
        {RW_WEIGHTS_BF16, RW_KV_F16},    {RW_WEIGHTS_8_BIT, RW_KV_F16},
        {RW_WEIGHTS_4_BIT, RW_KV_F16},   {RW_WEIGHTS_BF16, RW_KV_8_BIT},
        {RW_WEIGHTS_8_BIT, RW_KV_8_BIT}, {RW_WEIGHTS_4_BIT, RW_KV_8_BIT},
        {RW_WEIGHTS_4_BIT, RW_KV_FP8}};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (rw_fit_offered(device, choices[i]) &&
            rw_fit_largest(model, device, choices[i]) >= context) {
            *out = choices[i];
            return true;
        }
    return false;
}

/* The smallest device of the table that does it unquantised; else in any types. */
static void suggest(const rw_footprint *model, uint64_t context, char *out, size_t size) {
    static const rw_fit plain = {RW_WEIGHTS_BF16, RW_KV_F16};
    size_t count;
    rw_fit fit;
    const rw_device *known = rw_devices_known(&count);
    snprintf(out, size, "no single device of the table would do");
    if (!rw_footprint_is_known(model)) {
        snprintf(out, size, "one with FlashAttention would do (l4, rtx-4090, a100-40, h100)");
        return;
    }
    for (int quantised = 0; quantised < 2; quantised++)
        for (size_t i = 0; i < count; i++) {
            if (known[i].attention == RW_ATTENTION_QUADRATIC)
                continue;
            bool plainly = rw_fit_largest(model, &known[i], plain) >= context;
            fit = plain;
            if (!plainly && !(quantised && find_fit(model, &known[i], context, &fit)))
                continue;
            snprintf(out, size, "%s would do (%s, weights in %s, cache in %s)", known[i].name,
                     rw_attention_name(known[i].attention), rw_weight_type_name(fit.weights),
                     rw_kv_type_name(fit.kv));
            return;
        }
}

static rw_status check_attention(const rw_footprint *model, const rw_device *device,
                                 uint64_t context, rw_error *err) {
    char other[160];
    if (device->attention != RW_ATTENTION_QUADRATIC || context <= RW_QUADRATIC_MAX)
        return RW_OK;
    suggest(model, context, other, sizeof other);
    return rw_fail(err, RW_ERR_REFUSED, "plan.no_flash_attention", "--device",
                   "%s has no FlashAttention and keeps the scores of attention, which grow with "
                   "the square of the length: beyond %d tokens it is refused, and %llu are asked "
                   "for. %s",
                   device->name, RW_QUADRATIC_MAX, (ull)context, other);
}

static void check_fit(const rw_footprint *model, const rw_device *device, rw_plan_result *plan) {
    static const rw_fit plain = {RW_WEIGHTS_BF16, RW_KV_F16};
    char other[160];
    rw_fit fit;
    if (!rw_footprint_is_known(model))
        return;
    uint64_t largest = rw_fit_largest(model, device, plain);
    if (largest >= plan->context)
        return;
    if (find_fit(model, device, plan->context, &fit)) {
        rw_diagnose(&plan->diagnostics, "plan.device_memory", RW_WARNING, false, "--device",
                    "%llu tokens do not fit on %s with weights in bf16 and a cache in f16 (at "
                    "most %llu do); with weights in %s and a cache in %s they do",
                    (ull)plan->context, device->name, (ull)largest,
                    rw_weight_type_name(fit.weights), rw_kv_type_name(fit.kv));
        return;
    }
    suggest(model, plan->context, other, sizeof other);
    rw_diagnose(&plan->diagnostics, "plan.device_memory", RW_WARNING, false, "--device",
                "%llu tokens do not fit on %s in any of the types. %s", (ull)plan->context,
                device->name, other);
}

rw_status rw_plan_check_devices(const rw_source *source, const char *names, rw_plan_result *plan,
                                rw_error *err) {
    rw_footprint model;
    RW_TRY(rw_devices_by_names(names, source->arena, &plan->devices, &plan->device_count, err));
    if (!plan->device_count)
        return RW_OK;
    RW_TRY(rw_footprint_read(source, &model, err));
    for (size_t i = 0; i < plan->device_count; i++) {
        if (strcmp(names, "all") == 0)
            continue; /* a table was asked for, and no device meant */
        RW_TRY(check_attention(&model, &plan->devices[i], plan->context, err));
        check_fit(&model, &plan->devices[i], plan);
    }
    return RW_OK;
}
