/*
 * devices.c - see devices.h.
 *
 * Memory is what nvidia-smi reports, which is less than the name says for some and more for others
 * (thundergolfer.com/blog/nvidia-gpu-memory-capacity lists H200, H100, A100, L40S, L4 and T4;
 * published nvidia-smi output of B200; RTX 4090 and V100 from memory). FlashAttention-3 needs
 * Hopper, FlashAttention-2 compute capability 8.0: V100 (7.0) and T4 (7.5) have neither.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plan/devices.h"

static const uint64_t MIB = UINT64_C(1) << 20, GIB = UINT64_C(1) << 30;

static const rw_device table[] = {
    {"t4", RW_DEVICE_NVIDIA, UINT64_C(15360) << 20, RW_ATTENTION_QUADRATIC, false},
    {"v100-16", RW_DEVICE_NVIDIA, UINT64_C(16384) << 20, RW_ATTENTION_QUADRATIC, false},
    {"l4", RW_DEVICE_NVIDIA, UINT64_C(23034) << 20, RW_ATTENTION_FLASH2, true},
    {"rtx-4090", RW_DEVICE_NVIDIA, UINT64_C(24564) << 20, RW_ATTENTION_FLASH2, true},
    {"v100-32", RW_DEVICE_NVIDIA, UINT64_C(32768) << 20, RW_ATTENTION_QUADRATIC, false},
    {"a100-40", RW_DEVICE_NVIDIA, UINT64_C(40960) << 20, RW_ATTENTION_FLASH2, true},
    {"l40s", RW_DEVICE_NVIDIA, UINT64_C(46068) << 20, RW_ATTENTION_FLASH2, true},
    {"h100", RW_DEVICE_NVIDIA, UINT64_C(81559) << 20, RW_ATTENTION_FLASH3, true},
    {"a100-80", RW_DEVICE_NVIDIA, UINT64_C(81920) << 20, RW_ATTENTION_FLASH2, true},
    {"h200", RW_DEVICE_NVIDIA, UINT64_C(143771) << 20, RW_ATTENTION_FLASH3, true},
    {"b200", RW_DEVICE_NVIDIA, UINT64_C(183359) << 20, RW_ATTENTION_FLASH4, true},
};

enum { KNOWN = sizeof table / sizeof *table, NAME_MAX_SIZE = 24 };

/* Other spellings in use. */
static const struct {
    const char *alias, *name;
} aliases[] = {{"4090", "rtx-4090"}, {"rtx4090", "rtx-4090"}, {"h100-80", "h100"},
               {"h200-141", "h200"}, {"b200-180", "b200"},    {"a100", "a100-80"},
               {"l40s-48", "l40s"},  {"l4-24", "l4"}};

const rw_device *rw_devices_known(size_t *count) {
    *count = KNOWN;
    return table;
}

rw_device rw_device_here(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
    return (rw_device){"this machine", RW_DEVICE_CPU, bytes, RW_ATTENTION_TILED, false};
}

/* ---- by name --------------------------------------------------------------------------------- */

static rw_str trimmed(const char *begin, const char *end) {
    while (begin < end && *begin == ' ')
        begin++;
    while (begin < end && end[-1] == ' ')
        end--;
    return (rw_str){begin, (size_t)(end - begin)};
}

/* Lower case, with '-' for ' ' and '_'; false: longer than any name. */
static bool plain_name(rw_str text, char out[NAME_MAX_SIZE]) {
    if (text.size == 0 || text.size >= NAME_MAX_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        out[i] = c == ' ' || c == '_' ? '-' : c;
    }
    out[text.size] = '\0';
    return true;
}

/* "apple-64": gigabytes behind a prefix, from 1 to 16384; 0: it is not that. */
static uint64_t gigabytes_behind(const char *name, const char *prefix) {
    size_t size = strlen(prefix);
    uint64_t value = 0;
    if (strncmp(name, prefix, size) != 0)
        return 0;
    for (name += size; *name >= '0' && *name <= '9' && value <= 16384; name++)
        value = 10 * value + (uint64_t)(*name - '0');
    return *name == '\0' && value <= 16384 ? value : 0;
}

static bool by_memory(const char *name, rw_arena *arena, rw_device *out) {
    static const struct {
        const char *prefix;
        rw_device_class kind;
    } kinds[] = {{"apple-", RW_DEVICE_APPLE}, {"cpu-", RW_DEVICE_CPU}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint64_t size = gigabytes_behind(name, kinds[i].prefix);
        if (!size)
            continue;
        char *copy = rw_arena_alloc(arena, NAME_MAX_SIZE);
        if (copy)
            snprintf(copy, NAME_MAX_SIZE, "%s", name);
        *out = (rw_device){copy ? copy : kinds[i].prefix, kinds[i].kind, size * GIB,
                           RW_ATTENTION_TILED, false};
        return true;
    }
    return false;
}

static bool by_name(rw_str text, rw_arena *arena, rw_device *out) {
    char plain[NAME_MAX_SIZE];
    const char *name = plain;
    if (!plain_name(text, plain))
        return false;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(plain, aliases[i].alias) == 0)
            name = aliases[i].name;
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(name, table[i].name) == 0) {
            *out = table[i];
            return true;
        }
    return by_memory(name, arena, out);
}

static rw_status unknown(rw_str name, rw_error *err) {
    char known[256];
    size_t used = 0;
    for (size_t i = 0; i < KNOWN && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s, ", table[i].name);
    return rw_fail(err, RW_ERR_USAGE, "plan.unknown_device", "--device",
                   "there is no device \"%.*s\": name one of %sapple-GB or cpu-GB (apple-64 is an "
                   "Apple machine with 64 GB), or all",
                   (int)(name.size < 40 ? name.size : 40), name.data, known);
}

rw_status rw_devices_by_names(const char *names, rw_arena *arena, const rw_device **out,
                              size_t *count, rw_error *err) {
    *out = NULL;
    *count = 0;
    if (!names)
        return RW_OK;
    if (strcmp(names, "all") == 0) {
        *out = rw_devices_known(count);
        return RW_OK;
    }
    size_t most = 1;
    for (const char *c = names; *c; c++)
        most += *c == ',';
    rw_device *list = rw_arena_alloc(arena, most * sizeof *list);
    if (!list)
        return rw_fail_memory(err, "--device", most * sizeof *list);
    for (const char *begin = names;; begin++) {
        const char *end = begin + strcspn(begin, ",");
        rw_str name = trimmed(begin, end);
        if (!by_name(name, arena, &list[*count]))
            return unknown(name, err);
        ++*count;
        begin = end;
        if (!*end)
            break;
    }
    *out = list;
    return RW_OK;
}

/* ---- what is left for the model -------------------------------------------------------------- */

const char *rw_device_rule(rw_device_class kind) {
    static const char *const rules[] = {
        [RW_DEVICE_NVIDIA] =
            "94 % of what the driver reports, and at most all but 1.5 GiB: the rest is for the "
            "driver, the activations of a chunk and fragmentation",
        [RW_DEVICE_APPLE] = "what Metal lets a program keep: two thirds of up to 36 GB, three "
                            "quarters of more",
        [RW_DEVICE_CPU] = "90 % of the memory, and at most all but 2 GiB",
    };
    return rules[kind];
}

static uint64_t share(uint64_t bytes, uint64_t numerator, uint64_t denominator, uint64_t rest) {
    uint64_t part = bytes / denominator * numerator;
    uint64_t most = bytes > rest ? bytes - rest : 0;
    return part < most ? part : most;
}

uint64_t rw_device_usable(const rw_device *device) {
    uint64_t bytes = device->bytes;
    switch (device->kind) {
    case RW_DEVICE_NVIDIA:
        return share(bytes, 47, 50, 1536 * MIB);
    case RW_DEVICE_APPLE:
        return bytes <= 36 * GIB ? share(bytes, 2, 3, 0) : share(bytes, 3, 4, 0);
    default:
        return share(bytes, 9, 10, 2 * GIB);
    }
}

const char *rw_attention_name(rw_attention attention) {
    static const char *const names[] = {"quadratic", "tiled", "FlashAttention-2",
                                        "FlashAttention-3", "FlashAttention-4"};
    return names[attention];
}
