/* set.c - one rotation per layer type. */
#include "ropewalk/rope.h"

const char *rw_layers_name(rw_layers layers) {
    static const char *const names[] = {"all", "full_attention", "sliding_attention"};
    return (unsigned)layers < 3 ? names[layers] : "unknown";
}

const rw_rope_group *rw_rope_set_find(const rw_rope_set *set, rw_layers layers) {
    const rw_rope_group *for_all = NULL;
    for (uint32_t i = 0; i < set->count && i < RW_ROPE_MAX_GROUPS; i++) {
        if (set->group[i].layers == layers)
            return &set->group[i];
        if (set->group[i].layers == RW_LAYERS_ALL)
            for_all = &set->group[i];
    }
    return for_all;
}
