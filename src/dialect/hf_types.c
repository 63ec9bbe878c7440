/*
 * hf_types.c - a key that is there with a value of the wrong kind is damage, not absence: taking
 * the default instead would be another rotation, silently.
 */
#include "dialect/internal.h"

typedef enum kind { POSITIVE_NUMBER, BLOCK } kind;

static const struct {
    const char *key;
    kind kind;
} keys[] = {
    {"rope_theta", POSITIVE_NUMBER},
    {"max_position_embeddings", POSITIVE_NUMBER},
    {"rope_scaling", BLOCK},
    {"rope_parameters", BLOCK},
};

static bool is_fine(const rw_json *node, kind wanted) {
    if (rw_json_is_null(node))
        return true;
    return wanted == BLOCK ? node->type == RW_JSON_OBJECT
                           : node->type == RW_JSON_NUMBER && node->number > 0;
}

rw_status rw_hf_check_types(const rw_source *source, rw_error *err) {
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rw_json *node = rw_json_get(source->language, keys[i].key);
        if (is_fine(node, keys[i].kind))
            continue;
        return rw_fail_at(err, RW_ERR_INPUT, "dialect.bad_value",
                          rw_join_path(source, source->language_path, keys[i].key), node->begin,
                          "%s must be %s: correct it, or remove it if the default is meant",
                          keys[i].key, keys[i].kind == BLOCK ? "an object" : "a number above zero");
    }
    return RW_OK;
}
