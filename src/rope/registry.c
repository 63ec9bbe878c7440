/* registry.c - the methods by number and by name. */
#include <string.h>

#include "rope/method.h"

static const rw_rope_rule *const rules[] = {
    [RW_ROPE_NONE] = &rw_rope_none,
    [RW_ROPE_LINEAR] = &rw_rope_linear,
    [RW_ROPE_NTK] = &rw_rope_ntk,
    [RW_ROPE_DYNAMIC] = &rw_rope_dynamic,
    [RW_ROPE_NTK_BY_PARTS] = &rw_rope_ntk_by_parts,
    [RW_ROPE_YARN] = &rw_rope_yarn,
    [RW_ROPE_LLAMA3] = &rw_rope_llama3,
    [RW_ROPE_LONGROPE] = &rw_rope_longrope,
    [RW_ROPE_BASE] = &rw_rope_base,
    [RW_ROPE_PROPORTIONAL] = &rw_rope_proportional,
    [RW_ROPE_PER_PAIR] = &rw_rope_per_pair,
};

enum { RULES = sizeof rules / sizeof rules[0] };

const rw_rope_rule *rw_rope_rule_of(rw_rope_method method) {
    return (unsigned)method < RULES ? rules[method] : NULL;
}

const char *rw_rope_method_name(rw_rope_method method) {
    const rw_rope_rule *rule = rw_rope_rule_of(method);
    return rule ? rule->name : "unknown";
}

bool rw_rope_method_by_name(const char *name, rw_rope_method *out) {
    for (unsigned i = 0; name && i < RULES; i++) {
        if (strcmp(rules[i]->name, name) == 0) {
            *out = (rw_rope_method)i;
            return true;
        }
    }
    return false;
}

const char *rw_pairing_name(rw_pairing pairing) {
    static const char *const names[] = {"half", "interleaved"};
    return (unsigned)pairing < 2 ? names[pairing] : "unknown";
}

bool rw_rope_depends_on_length(const rw_rope_spec *spec) {
    const rw_rope_rule *rule = rw_rope_rule_of(spec->method);
    return rule && rule->depends_on_length;
}
