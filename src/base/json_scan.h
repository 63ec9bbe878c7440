/*
 * json_scan.h - the reader's eyes: white space, strings, numbers, names (part of the JSON reader).
 */
#ifndef RW_BASE_JSON_SCAN_H
#define RW_BASE_JSON_SCAN_H

#include "base/json.h"

typedef struct rw_json_scan {
    rw_arena *arena;
    rw_str text;
    const char *where;
    size_t at;
    bool not_finite; /* numbers that are not finite are values, too */
} rw_json_scan;

/* The next byte, or -1 at the end. */
int rw_json_scan_peek(const rw_json_scan *scan);
void rw_json_scan_space(rw_json_scan *scan);
/* A string with its quotes; decoded text in `out`. */
rw_status rw_json_scan_string(rw_json_scan *scan, rw_str *out, rw_error *err);
/* A string, number, true, false or null. */
rw_status rw_json_scan_scalar(rw_json_scan *scan, rw_json *node, rw_error *err);

/* An error at `scan->at`, with line and column in front of the message. */
rw_status rw_json_scan_fail(const rw_json_scan *scan, const char *code, rw_error *err,
                            const char *format, ...) RW_PRINTF(4, 5);
rw_status rw_json_scan_expected(const rw_json_scan *scan, const char *what, rw_error *err);

#endif
