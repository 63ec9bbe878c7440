/*
 * table.c - rows as lines of a table and as JSON.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "bench.h"

static const char *const level_names[] = {"best", "generic", "avx2", "avx512"};

const char *bench_level_name(rw_cpu_level level) {
    return level_names[level];
}

/* The line of an earlier run that has this row, or NULL. */
static const char *earlier_row(const bench_run *run, const char *kernel, const char *shape,
                               size_t *size) {
    char begin[192];
    snprintf(begin, sizeof begin, "{\"kernel\":\"%s\",\"shape\":\"%s\",", kernel, shape);
    const char *line = run->earlier.data ? strstr(run->earlier.data, begin) : NULL;
    *size = line ? strcspn(line, "}") + 1 : 0;
    return line;
}

static void add_row(bench_run *run, const char *json, size_t size) {
    if (run->rows.size)
        rw_buf_text(&run->rows, ",\n  ");
    rw_buf_append(&run->rows, json, size);
}

bool bench_wanted(bench_run *run, const char *kernel, const char *shape) {
    const char *only = run->options.only, *row = run->options.row;
    char name[160];
    size_t size;
    snprintf(name, sizeof name, "%s %s", kernel, shape);
    if ((only && !strstr(name, only)) || (row && strcmp(name, row) != 0))
        return false;
    const char *earlier = earlier_row(run, kernel, shape, &size);
    if (!earlier)
        return true;
    add_row(run, earlier, size);
    printf("%-20s %-44s kept\n", kernel, shape);
    return false;
}

/* Rows of the same commit at the same level stay as they were measured. */
void bench_resume(bench_run *run) {
    char commit[80], isa[40];
    rw_error err = {0};
    run->earlier.ctx = run->ctx;
    if (rw_file_load(run->ctx, run->options.json, 1u << 24, &run->earlier, &err) != RW_OK)
        return;
    snprintf(commit, sizeof commit, "\"commit\":\"%s\"", rw_commit() ? rw_commit() : "");
    snprintf(isa, sizeof isa, "\"isa\":\"%s\",\"threads\":%u,", level_names[run->options.level],
             run->options.threads);
    if (!strstr(run->earlier.data, commit) || !strstr(run->earlier.data, isa))
        rw_buf_free(&run->earlier);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void print_line(const char *kernel, const char *shape, const char *isa, double value,
                       const char *unit, const char *floor, const char *spread) {
    printf("%-20s %-44s %-8s %9.4g %-9s %-10s %s\n", kernel, shape, isa, value, unit, floor,
           spread);
    fflush(stdout);
}

void bench_print_head(const bench_run *run) {
    printf("%-20s %-44s %-8s %9s %-9s %-10s %s\n", "kernel", "shape",
           run->options.threads == 1 ? "ISA, 1 t" : "ISA", "value", "unit", "of floor",
           "median, p90");
}

/* How far the median and the slowest tenth are from the best, in per cent of it. */
static void spread_of(const bench_samples *s, bool rates, char out[48]) {
    double best = bench_quantile(s, rates ? 1.0 : 0.0);
    double median = bench_quantile(s, 0.5), p90 = bench_quantile(s, rates ? 0.1 : 0.9);
    snprintf(out, 48, "%+.1f %%, %+.1f %%", 100.0 * (median / best - 1.0),
             100.0 * (p90 / best - 1.0));
}

void bench_print_roof(bench_run *run) {
    const bench_roof *roof = &run->roof;
    char shape[64], spread[48];
    if (run->options.bare)
        return;
    snprintf(shape, sizeof shape, "registers, %u threads", run->options.threads);
    for (int level = RW_CPU_AVX2; level <= RW_CPU_AVX512; level++) {
        if (roof->flops[level] == 0.0)
            continue;
        spread_of(&roof->flop_samples[level], true, spread);
        print_line("P, float32 FMA", shape, level_names[level], roof->flops[level] / 1e9, "GFLOP/s",
                   "", spread);
    }
    spread_of(&roof->byte_samples, true, spread);
    snprintf(shape, sizeof shape, "memory, %u threads", run->options.threads);
    print_line("R, read", shape, "", roof->bytes / 1e9, "GB/s", "", spread);
}

/* ---- rows ------------------------------------------------------------------------------------ */

typedef struct figures {
    double best, value, floor; /* seconds, units, seconds */
    bool memory_bound;
    const char *unit;
} figures;

static figures figures_of(const bench_run *run, const bench_row *row) {
    double p = run->roof.flops[run->options.level], r = run->roof.bytes;
    figures f = {.best = bench_quantile(&row->samples, 0.0), .unit = row->unit};
    double compute = p > 0.0 ? row->flop / p : 0.0, memory = r > 0.0 ? row->bytes / r : 0.0;
    f.memory_bound = memory > compute;
    f.floor = f.memory_bound ? memory : compute;
    if (!f.unit)
        f.unit = f.memory_bound ? "GB/s" : "GFLOP/s";
    double amount =
        row->amount > 0.0 ? row->amount : (f.memory_bound ? row->bytes : row->flop) / 1e9;
    f.value = f.best > 0.0 ? amount / f.best : 0.0;
    return f;
}

static void json_row(bench_run *run, const bench_row *row, const figures *f) {
    rw_buf text = {.ctx = run->ctx};
    rw_json_writer w = {.out = &text};
    const bench_samples *s = &row->samples;
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "kernel", row->kernel);
    rw_json_member_string(&w, "shape", row->shape);
    rw_json_member_string(&w, "isa", row->isa ? row->isa : level_names[run->options.level]);
    rw_json_member_string(&w, "failure", row->failure);
    rw_json_member_double(&w, "value", f->value);
    rw_json_member_string(&w, "unit", f->unit);
    rw_json_member_string(&w, "floor", f->memory_bound ? "R" : "P");
    rw_json_member_double(&w, "of_floor", f->floor / f->best);
    rw_json_member_double(&w, "of_p_avx2", row->flop / f->best / run->roof.flops[RW_CPU_AVX2]);
    rw_json_member_double(&w, "flop", row->flop);
    rw_json_member_double(&w, "bytes", row->bytes);
    rw_json_member_double(&w, "best_seconds", f->best);
    rw_json_member_double(&w, "median_seconds", bench_quantile(s, 0.5));
    rw_json_member_double(&w, "p90_seconds", bench_quantile(s, 0.9));
    rw_json_member_u64(&w, "samples", s->count);
    rw_json_end_object(&w);
    add_row(run, text.data, text.size);
    rw_buf_free(&text);
}

void bench_print_row(bench_run *run, const bench_row *row) {
    figures f = figures_of(run, row);
    char spread[48], floor[32];
    const char *isa = row->isa ? row->isa : level_names[run->options.level];
    spread_of(&row->samples, false, spread);
    snprintf(floor, sizeof floor, "%.0f %% %s", 100.0 * f.floor / f.best,
             f.memory_bound ? "R" : "P");
    if (run->options.extent == BENCH_SMOKE)
        snprintf(floor, sizeof floor, "right");
    if (row->failure)
        run->failed = true;
    print_line(row->kernel, row->shape, isa, row->failure ? 0.0 : f.value, f.unit,
               row->failure ? "FAILED" : floor, row->failure ? row->failure : spread);
    json_row(run, row, &f);
    bench_write_json(run);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void processor_name(char out[128]) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    snprintf(out, 128, "unknown");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %127[^\n]", out) == 1)
            break;
    if (file)
        fclose(file);
}

static void json_machine(const bench_run *run, rw_json_writer *w) {
    char name[128], date[32];
    time_t now = time(NULL);
    struct tm utc;
    processor_name(name);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    rw_json_member_string(w, "processor", name);
    rw_json_member_string(w, "date", date);
    rw_json_member_string(w, "version", rw_version());
    rw_json_member_string(w, "commit", rw_commit());
    rw_json_member_string(w, "isa", level_names[run->options.level]);
    rw_json_member_u64(w, "threads", run->options.threads);
}

void bench_write_json(bench_run *run) {
    if (!run->options.json)
        return;
    rw_buf text = {.ctx = run->ctx};
    rw_json_writer w = {.out = &text};
    FILE *file;
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", "ropewalk.bench/1");
    json_machine(run, &w);
    rw_json_member_double(&w, "p_avx2", run->roof.flops[RW_CPU_AVX2]);
    rw_json_member_double(&w, "p_avx512", run->roof.flops[RW_CPU_AVX512]);
    rw_json_member_double(&w, "r", run->roof.bytes);
    rw_json_key(&w, "rows");
    rw_json_raw(&w, rw_str_of("[\n  "));
    rw_buf_append(&text, run->rows.data, run->rows.size);
    rw_buf_text(&text, "\n]");
    rw_json_end_object(&w);
    rw_buf_text(&text, "\n");
    file = text.failed ? NULL : fopen(run->options.json, "w");
    if (!file || fwrite(text.data, 1, text.size, file) != text.size || fclose(file) != 0)
        bench_die("the JSON file cannot be written", NULL);
    rw_buf_free(&text);
}
