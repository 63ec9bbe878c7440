/*
 * data.c - the held-out documents that come with the program: the default of --data.
 */
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

rw_status cli_default_data(const char **path, rw_error *err) {
    static const char *const places[] = {
        "../share/ropewalk/heldout.jsonl", /* PREFIX/bin/ropewalk */
        "../models/tiny/heldout.jsonl",    /* build/ropewalk      */
    };
    static char found[PATH_MAX + 64];
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    *path = NULL;
    if (size > 0) {
        program[size] = '\0';
        const char *folder = dirname(program);
        for (size_t i = 0; i < sizeof places / sizeof *places && !*path; i++) {
            snprintf(found, sizeof found, "%s/%s", folder, places[i]);
            if (access(found, R_OK) == 0)
                *path = found;
        }
    }
    if (*path)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "cli.no_data", "--data",
                   "The documents that come with ropewalk were not found beside the program; give "
                   "a JSONL file of your own (one {\"text\": ...} a line), or --no-measure where "
                   "the verb has it.");
}
