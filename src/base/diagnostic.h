/*
 * diagnostic.h - what a job has to say beside its result: stable code, severity, and whether it
 * changes numbers. Errors that end a job are rw_error's business.
 */
#ifndef RW_BASE_DIAGNOSTIC_H
#define RW_BASE_DIAGNOSTIC_H

#include "base/base.h"
#include "base/json.h"

typedef struct rw_diagnostic {
    const char *code; /* "room.reason", stable */
    rw_severity severity;
    bool changes_numbers; /* does what it speaks of change what the model computes? */
    const char *message;
    const char *path; /* JSON path, GGUF key, option; may be empty */
} rw_diagnostic;

/* Zero-initialise and set arena. */
typedef struct rw_diagnostics {
    rw_arena *arena;
    rw_diagnostic *items;
    size_t count, capacity;
} rw_diagnostics;

/* Adds one; the same code at the same path is said once. Without memory it is dropped. */
void rw_diagnose(rw_diagnostics *list, const char *code, rw_severity severity, bool changes_numbers,
                 const char *path, const char *format, ...) RW_PRINTF(6, 7);

/* The array D of the JSON contract. */
void rw_diagnostics_write(rw_json_writer *w, const rw_diagnostics *list);

#endif
