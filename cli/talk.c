/*
 * talk.c - stderr: progress, log lines, errors.
 *
 * On a terminal progress is one line that is overwritten; elsewhere it is a plain line every few
 * seconds, none for work that ends sooner.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

enum { PLAIN_SECONDS = 5 };

/* The task that is being reported. One program, one stderr, so one of these. */
static struct {
    char task[64];
    double began, shown;
    uint64_t first;
    bool line; /* a line stands on the terminal */
} state;

/* 1234567 -> "1.2M" */
static void put_amount(char out[16], double value, bool bytes) {
    static const char *const units[] = {"", "k", "M", "G", "T"};
    double step = bytes ? 1024.0 : 1000.0;
    size_t i = 0;
    for (; value >= step && i < 4; i++)
        value /= step;
    snprintf(out, 16, i && value < 100.0 ? "%.1f%s" : "%.0f%s", value, units[i]);
}

/* "48 s", "3 min 20 s", "2 h 5 min" */
static void put_time(char out[32], double seconds) {
    unsigned long whole = seconds < 360000.0 ? (unsigned long)(seconds + 0.5) : 360000;
    if (whole < 60)
        snprintf(out, 32, "%lu s", whole);
    else if (whole < 3600)
        snprintf(out, 32, "%lu min %lu s", whole / 60, whole % 60);
    else
        snprintf(out, 32, "%lu h %lu min", whole / 3600, whole / 60 % 60);
}

static void put_line(const char *task, uint64_t done, uint64_t total, const char *unit) {
    char amount[16], goal[16], pace[16], left[32];
    bool bytes = strcmp(unit, "bytes") == 0;
    double seconds = rw_now() - state.began;
    double rate =
        seconds > 0.2 && done > state.first ? (double)(done - state.first) / seconds : 0.0;
    put_amount(amount, (double)done, bytes);
    fprintf(stderr, "%s: %s", task, amount);
    if (total) {
        put_amount(goal, (double)total, bytes);
        fprintf(stderr, " of %s", goal);
    }
    fprintf(stderr, " %s", unit);
    if (total)
        fprintf(stderr, " (%.0f %%)", 100.0 * (double)done / (double)total);
    if (rate > 0.0) {
        put_amount(pace, rate, bytes);
        fprintf(stderr, ", %s %s/s", pace, unit);
    }
    if (rate > 0.0 && total > done) {
        put_time(left, (double)(total - done) / rate);
        fprintf(stderr, ", %s left", left);
    }
}

static void begin_task(const char *task, uint64_t done) {
    snprintf(state.task, sizeof state.task, "%s", task);
    state.began = state.shown = rw_now();
    state.first = done;
}

void cli_on_progress(void *user, const char *task, uint64_t done, uint64_t total,
                     const char *unit) {
    cli *c = user;
    if (strcmp(task, state.task) != 0 || done < state.first)
        begin_task(task, done);
    if (c->stderr_terminal) {
        fputs("\r\033[K", stderr);
        put_line(task, done, total, unit);
        state.line = true;
        return;
    }
    if (rw_now() - state.shown < PLAIN_SECONDS)
        return;
    state.shown = rw_now();
    put_line(task, done, total, unit);
    fputc('\n', stderr);
}

void cli_end_progress(cli *c) {
    (void)c;
    if (state.line)
        fputs("\r\033[K", stderr);
    state.line = false;
}

/* "ropewalk: warning: ..." with the word in colour. */
static void put_prefix(cli *c, rw_severity severity) {
    static const char *const words[] = {"", "warning: ", "error: "};
    static const char *const colours[] = {"", "\033[33m", "\033[1;31m"};
    cli_end_progress(c);
    if (severity == RW_INFO || !c->stderr_color)
        fprintf(stderr, "ropewalk: %s", words[severity]);
    else
        fprintf(stderr, "ropewalk: %s%s\033[0m", colours[severity], words[severity]);
}

void cli_on_log(void *user, rw_severity severity, const char *line) {
    put_prefix(user, severity);
    fprintf(stderr, "%s\n", line);
}

void cli_report_error(cli *c, const rw_error *err) {
    put_prefix(c, RW_ERROR);
    if (err->where[0])
        fprintf(stderr, "%s: ", err->where);
    fprintf(stderr, "%s (%s", err->message, err->code);
    if (err->offset != RW_NO_OFFSET)
        fprintf(stderr, " at byte %llu", (unsigned long long)err->offset);
    fputs(")\n", stderr);
}
