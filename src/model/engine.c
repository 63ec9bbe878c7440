/*
 * engine.c - the user's choices of a run by their names.
 */
#include <string.h>

#include "model/internal.h"

static const char *const arithmetics[] = {
    [RW_ARITHMETIC_F32] = "f32",
    [RW_ARITHMETIC_INT8] = "int8",
};

static rw_status read_arithmetic(const char *name, rw_arithmetic *out, rw_error *err) {
    if (!name)
        return RW_OK;
    for (size_t i = 0; i < sizeof arithmetics / sizeof *arithmetics; i++)
        if (strcmp(name, arithmetics[i]) == 0) {
            *out = (rw_arithmetic)i;
            return RW_OK;
        }
    return rw_fail(err, RW_ERR_USAGE, "model.arithmetic", "--arithmetic",
                   "there is no arithmetic \"%s\": name f32 (exact) or int8 (faster with quantised "
                   "weights)",
                   name);
}

rw_status rw_engine_read(const char *kv_type, const char *arithmetic, rw_engine *engine,
                         rw_error *err) {
    RW_TRY(rw_cache_type_read(kv_type, &engine->cache, err));
    return read_arithmetic(arithmetic, &engine->arithmetic, err);
}

const char *rw_arithmetic_name(rw_arithmetic arithmetic) {
    return arithmetics[arithmetic];
}

void rw_engine_write(rw_json_writer *w, const rw_engine *engine) {
    rw_json_member_string(w, "kv_type", rw_cache_type_name(engine->cache));
    rw_json_member_string(w, "arithmetic", arithmetics[engine->arithmetic]);
}
