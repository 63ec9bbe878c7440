/*
 * What the plan says a run takes is what the engine takes, and what it says of devices is the JSON
 * that scripts rely on.
 */
#include "dialect_support.h"
#include "model/model.h"
#include "ropewalk/job.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

typedef struct planned {
    char *json;
    const rw_json *memory;
    const rw_json *diagnostics;
} planned;

static rw_status plan(opened *o, uint64_t context, const char *kv_type, const char *devices,
                      planned *out, rw_error *err) {
    rw_plan_options options = {.struct_size = sizeof options,
                               .path = TINY,
                               .context = context,
                               .devices = devices,
                               .kv_type = kv_type};
    const rw_json *root = NULL;
    *out = (planned){0};
    RW_TRY(rw_plan(o->ctx, &options, &out->json, err));
    RW_TRY(rw_json_parse(&o->arena, rw_str_of(out->json), "plan", &root, err));
    out->memory = rw_json_get(root, "memory");
    out->diagnostics = rw_json_get(root, "diagnostics");
    return RW_OK;
}

static uint64_t member(const rw_json *object, const char *key) {
    return rw_json_u64_or(rw_json_get(object, key), UINT64_MAX);
}

static void test_plan_is_what_a_session_takes(void **state) {
    (void)state;
    opened o;
    planned p;
    rw_error err = {0};
    rw_model *model;
    static const uint64_t lengths[] = {513, 2048, 4096, 15000};
    open_path(&o, TINY);
    rw_checkpoint *checkpoint;
    assert_ok(rw_checkpoint_open(o.ctx, TINY, 0, &checkpoint, &err));
    assert_ok(rw_model_load(o.ctx, checkpoint, &o.source.arch, &model, &err));
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        rw_cache_type type = (rw_cache_type)(i % RW_CACHE_TYPES);
        const rw_session_options wanted = {.capacity = lengths[i], .engine = {.cache = type}};
        rw_memory m;
        assert_ok(plan(&o, lengths[i], rw_cache_type_name(type), NULL, &p, &err));
        rw_session_memory(model, &wanted, &m);
        assert_int_equal(member(p.memory, "kv"), m.kv);
        assert_int_equal(member(p.memory, "activations"), m.activations);
        assert_int_equal(member(p.memory, "weights"), 13 * 256 * 4); /* the norms */
        assert_int_equal(member(p.memory, "mapped"), 2 * (5475584 - 13 * 256));
        assert_int_equal(member(p.memory, "total"),
                         m.kv + m.activations + 13 * 256 * 4 + member(p.memory, "program"));
        rw_text_free(o.ctx, p.json);
    }
    assert_int_equal(plan(&o, 2048, "f8", NULL, &p, &err), RW_ERR_USAGE);
    rw_model_free(model);
    rw_checkpoint_close(checkpoint);
    close_opened(&o);
}

static void test_devices(void **state) {
    (void)state;
    static const char *const keys[] = {
        "device", "memory_bytes", "usable_bytes", "attention",       "weights",
        "kv",     "weight_bytes", "kv_bytes",     "largest_context", "fits"};
    opened o;
    planned p;
    rw_error err = {0};
    open_path(&o, TINY);
    assert_ok(plan(&o, 2048, NULL, "h100,apple-64", &p, &err));
    const rw_json *devices = rw_json_get(p.memory, "devices");
    assert_int_equal(devices->count, 6 + 9 + 6); /* this machine and Apple's have no FP8 cache */
    for (const rw_json *d = devices->first; d; d = d->next)
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            assert_non_null(rw_json_get(d, keys[i]));
    const rw_json *model = rw_json_get(p.memory, "model");
    assert_int_equal(member(model, "parameters"), 5475584); /* of the tensors themselves */
    assert_true(rw_str_is(rw_json_get(model, "counted_from")->string, "tensors"));
    assert_int_equal(member(model, "kv_bytes_per_token_f16"), 6 * 2 * 128 * 2);
    rw_text_free(o.ctx, p.json);
    assert_int_equal(plan(&o, 16385, NULL, "t4", &p, &err), RW_ERR_REFUSED);
    assert_null(p.json);
    assert_int_equal(plan(&o, 2048, NULL, "t5", &p, &err), RW_ERR_USAGE);
    close_opened(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_is_what_a_session_takes),
        cmocka_unit_test(test_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
