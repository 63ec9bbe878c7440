/*
 * json_node.c - looking things up in a parsed tree.
 */
#include <string.h>

#include "base/json.h"

static const rw_json *get(const rw_json *object, rw_str key) {
    if (!object || object->type != RW_JSON_OBJECT)
        return NULL;
    for (const rw_json *member = object->first; member; member = member->next)
        if (rw_str_equal(member->key, key))
            return member;
    return NULL;
}

const rw_json *rw_json_get(const rw_json *object, const char *key) {
    return get(object, rw_str_of(key));
}

const rw_json *rw_json_path(const rw_json *root, const char *dotted) {
    const rw_json *node = root;
    while (node) {
        const char *dot = strchr(dotted, '.');
        size_t size = dot ? (size_t)(dot - dotted) : strlen(dotted);
        node = get(node, (rw_str){.data = dotted, .size = size});
        if (!dot)
            break;
        dotted = dot + 1;
    }
    return node;
}

double rw_json_number_or(const rw_json *node, double fallback) {
    return node && node->type == RW_JSON_NUMBER ? node->number : fallback;
}

uint64_t rw_json_u64_or(const rw_json *node, uint64_t fallback) {
    static const double exact_limit = 9007199254740992.0; /* 2^53: beyond, integers fall together */
    if (!node || node->type != RW_JSON_NUMBER || node->number < 0 || node->number > exact_limit)
        return fallback;
    uint64_t value = (uint64_t)node->number;
    return (double)value == node->number ? value : fallback;
}

bool rw_json_bool_or(const rw_json *node, bool fallback) {
    return node && node->type == RW_JSON_BOOL ? node->boolean : fallback;
}

rw_str rw_json_string_or(const rw_json *node, const char *fallback) {
    return node && node->type == RW_JSON_STRING ? node->string : rw_str_of(fallback);
}

bool rw_json_is_null(const rw_json *node) {
    return !node || node->type == RW_JSON_NULL;
}
