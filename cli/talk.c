/*
 * talk.c - stderr: progress, log lines, errors.
 *
 * On a terminal progress is one line that is overwritten; elsewhere it is a plain line every few
 * seconds, none for work that ends sooner.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "program.h"

enum { PLAIN_SECONDS = 5 };

/* The task that is being reported. One program, one stderr, so one of these. */
static struct {
    char task[64];
    double began, shown;
    uint64_t first, last, total;
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

/* What this process holds of the machine's memory, pages of mapped files too; 0: not known. */
static double resident_bytes(void) {
    char line[128] = "", *second;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fgets(line, sizeof line, file))
        strtoul(line, &second, 10); /* all of its address space */
    else
        second = line;
    fclose(file);
    return (double)strtoul(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static void describe_memory(FILE *out) {
    char amount[16];
    double bytes = resident_bytes();
    if (bytes <= 0)
        return;
    put_amount(amount, bytes, true);
    fprintf(out, ", %sB resident", amount);
}

static void describe(FILE *out, const char *task, uint64_t done, uint64_t total, const char *unit) {
    char amount[16], left[32];
    bool bytes = strcmp(unit, "bytes") == 0;
    double seconds = rw_now() - state.began;
    double rate =
        seconds > 0.2 && done > state.first ? (double)(done - state.first) / seconds : 0.0;
    put_amount(amount, (double)done, bytes);
    fprintf(out, "%s: %s", task, amount);
    if (total) {
        put_amount(amount, (double)total, bytes);
        fprintf(out, " of %s", amount);
    }
    fprintf(out, " %s", unit);
    if (total)
        fprintf(out, " (%.0f %%)", 100.0 * (double)done / (double)total);
    if (rate > 0.0) {
        put_amount(amount, rate, bytes);
        fprintf(out, ", %s %s/s", amount, unit);
    }
    if (rate > 0.0 && total > done) {
        put_time(left, (double)(total - done) / rate);
        fprintf(out, ", %s left", left);
    }
    describe_memory(out);
}

/* On a terminal the line must not wrap, or it could not be overwritten. */
static void put_line(const char *text) {
    struct winsize size = {.ws_col = 0};
    int width = (int)strlen(text);
    if (isatty(STDERR_FILENO) && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 &&
        width >= size.ws_col)
        width = size.ws_col - 1;
    fprintf(stderr, "%.*s", width, text);
}

static void begin_task(const char *task, uint64_t done) {
    snprintf(state.task, sizeof state.task, "%s", task);
    state.began = state.shown = rw_now();
    state.first = done;
}

/* The same task may run again, over another file say: then its clock starts anew. What was
   reported as done is whole when it ended, and less is done when it begins. */
static bool is_new_pass(const char *task, uint64_t done, uint64_t total) {
    return strcmp(task, state.task) != 0 || done < state.last || total != state.total;
}

void cli_on_progress(void *user, const char *task, uint64_t done, uint64_t total,
                     const char *unit) {
    cli *c = user;
    char text[160] = "";
    if (is_new_pass(task, done, total))
        begin_task(task, done);
    state.last = done;
    state.total = total;
    if (rw_cancelled(c->ctx) || (!c->stderr_terminal && rw_now() - state.shown < PLAIN_SECONDS))
        return;
    state.shown = rw_now();
    FILE *out = fmemopen(text, sizeof text, "w"); /* what doesn't fit is cut */
    if (!out)
        return;
    describe(out, task, done, total, unit);
    fclose(out);
    if (c->stderr_terminal)
        fputs("\r\033[K", stderr);
    put_line(text);
    if (!c->stderr_terminal)
        fputc('\n', stderr);
    state.line = c->stderr_terminal;
}

void cli_end_progress(cli *c) {
    (void)c;
    if (state.line)
        fputs("\r\033[K", stderr);
    state.line = false;
}

static const char *const words[] = {"", "warning: ", "error: "};

/* "ropewalk: warning: ..." with the word in colour. */
static void put_prefix(cli *c, rw_severity severity) {
    static const char *const colours[] = {"", "\033[33m", "\033[1;31m"};
    cli_end_progress(c);
    cli_end_line(c);
    if (severity == RW_INFO || !c->stderr_color)
        fprintf(stderr, "ropewalk: %s", words[severity]);
    else
        fprintf(stderr, "ropewalk: %s%s\033[0m", colours[severity], words[severity]);
}

static void put_message(cli *c, rw_severity severity, const char *text) {
    size_t column = strlen("ropewalk: ") + strlen(words[severity]);
    char *folded = cli_fold(text, column, 2, c->stderr_width);
    put_prefix(c, severity);
    fprintf(stderr, "%s\n", folded ? folded : text);
    free(folded);
}

void cli_on_log(void *user, rw_severity severity, const char *line) {
    put_message(user, severity, line);
}

void cli_report_error(cli *c, const rw_error *err) {
    char place[48] = "", text[sizeof err->where + sizeof err->message + sizeof err->code + 64];
    if (err->offset != RW_NO_OFFSET)
        snprintf(place, sizeof place, " at byte %llu", (unsigned long long)err->offset);
    snprintf(text, sizeof text, "%s%s%s (%s%s)", err->where, err->where[0] ? ": " : "",
             err->message, err->code, place);
    put_message(c, RW_ERROR, text);
}
