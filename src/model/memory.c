/*
 * memory.c - what the machine has left, so that a model that cannot fit is refused before the
 * kernel's out-of-memory killer ends the process; and what the process takes.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "model/internal.h"

/* Small files of /proc and /sys have no size: read what comes. */
static size_t read_small(const char *path, char *out, size_t capacity) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, out, capacity - 1);
    close(fd);
    out[size > 0 ? size : 0] = '\0';
    return size > 0 ? (size_t)size : 0;
}

static bool number_at(const char *text, uint64_t *out) {
    text += strspn(text, " \t");
    return rw_parse_u64((rw_str){text, strspn(text, "0123456789")}, out);
}

static uint64_t machine_available(void) {
    char text[4096];
    uint64_t kib;
    if (read_small("/proc/meminfo", text, sizeof text) == 0)
        return UINT64_MAX;
    const char *line = strstr(text, "MemAvailable:");
    if (!line || !number_at(line + strlen("MemAvailable:"), &kib))
        return UINT64_MAX;
    return kib * 1024;
}

/* The control group's limit, where this process sees it as its root (containers). */
static uint64_t group_available(void) {
    char text[64];
    uint64_t limit, used;
    if (read_small("/sys/fs/cgroup/memory.max", text, sizeof text) == 0 || !number_at(text, &limit))
        return UINT64_MAX; /* "max", or no such file */
    if (read_small("/sys/fs/cgroup/memory.current", text, sizeof text) == 0 ||
        !number_at(text, &used))
        return limit;
    return used < limit ? limit - used : 0;
}

uint64_t rw_memory_available(void) {
    uint64_t machine = machine_available(), group = group_available();
    return machine < group ? machine : group;
}

rw_status rw_model_check_memory(uint64_t bytes, const char *what, rw_error *err) {
    uint64_t available = rw_memory_available();
    if (bytes <= available)
        return RW_OK;
    return rw_fail(err, RW_ERR_MEMORY, "model.memory", what,
                   "the %s would take %.2f GB, and %.2f GB of memory are free: use a smaller model "
                   "or a shorter context, or free some memory",
                   what, (double)bytes * 1e-9, (double)available * 1e-9);
}

/* "Name:   123 kB" of /proc/self/status in bytes; 0 when there is no such line. */
static uint64_t status_bytes(const char *text, const char *name) {
    uint64_t kib;
    const char *line = strstr(text, name);
    return line && number_at(line + strlen(name), &kib) ? kib * 1024 : 0;
}

rw_resident rw_resident_now(void) {
    char text[4096];
    if (read_small("/proc/self/status", text, sizeof text) == 0)
        return (rw_resident){0};
    return (rw_resident){status_bytes(text, "RssAnon:"),
                         status_bytes(text, "RssFile:") + status_bytes(text, "RssShmem:")};
}
