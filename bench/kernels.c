/*
 * kernels.c - the benchmark: one table of what kernels and whole models reach beside what the
 * machine can do. `make bench` runs it; `kernels --help` says the rest.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const char usage[] =
    "kernels [options]: times the kernels, each checked against the portable ones first\n"
    "  --smoke          every row once, small: does it run, is it right? (no figures)\n"
    "  --full           every shape; without it, the ones that matter most\n"
    "  --threads N      pinned to the first N processors (2)\n"
    "  --only TEXT      rows whose name and shape contain TEXT; --row TEXT: are TEXT\n"
    "  --samples N      of each row of a whole model\n"
    "  --busy           one thread, by its processor time: for a machine with other work\n"
    "  --bare           neither floors nor checks: for who measures the process\n"
    "  --models FOLDER  whole models too, from the files that bench/model.py wrote there;\n"
    "                   with --smoke the model itself\n"
    "  --json FILE      the rows as JSON; --resume: those of this commit that it has are kept\n"
    "RW_CPU=generic|avx2|avx512 chooses the kernels. Exit status 1: a check failed.\n";

void bench_die(const char *what, const rw_error *err) {
    fprintf(stderr, "bench: %s%s%s\n", what, err ? ": " : "", err ? err->message : "");
    exit(6);
}

void bench_must(rw_status status, const char *what, const rw_error *err) {
    if (status != RW_OK)
        bench_die(what, err);
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static rw_cpu_level level_wanted(void) {
    const char *name = getenv("RW_CPU");
    if (!name || !*name)
        return RW_CPU_BEST;
    for (rw_cpu_level level = RW_CPU_GENERIC; level <= RW_CPU_AVX512; level++)
        if (strcmp(name, bench_level_name(level)) == 0)
            return level;
    bench_die("RW_CPU is not generic, avx2 or avx512", NULL);
}

static const struct option option_names[] = {{"smoke", no_argument, NULL, 's'},
                                             {"full", no_argument, NULL, 'f'},
                                             {"bare", no_argument, NULL, 'b'},
                                             {"busy", no_argument, NULL, 'p'},
                                             {"resume", no_argument, NULL, 'e'},
                                             {"threads", required_argument, NULL, 't'},
                                             {"samples", required_argument, NULL, 'n'},
                                             {"only", required_argument, NULL, 'o'},
                                             {"row", required_argument, NULL, 'r'},
                                             {"models", required_argument, NULL, 'm'},
                                             {"json", required_argument, NULL, 'j'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

static void take_option(bench_options *o, int option, const char *value) {
    switch (option) {
    case 's':
        o->extent = BENCH_SMOKE;
        break;
    case 'f':
        o->extent = BENCH_FULL;
        break;
    case 'b':
        o->bare = true;
        break;
    case 'e':
        o->resume = true;
        break;
    case 'p':
        o->threads = 1;
        bench_use_processor_time();
        break;
    case 't':
        o->threads = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'n':
        o->samples = strtoul(value, NULL, 10);
        break;
    case 'o':
        o->only = value;
        break;
    case 'r':
        o->row = value;
        break;
    case 'm':
        o->models = value;
        break;
    case 'j':
        o->json = value;
        break;
    default:
        fputs(usage, option == 'h' ? stdout : stderr);
        exit(option == 'h' ? 0 : 2);
    }
}

static bench_options parse(int argc, char **argv) {
    bench_options o = {.extent = BENCH_QUICK, .threads = 2, .level = level_wanted()};
    for (int c; (c = getopt_long(argc, argv, "", option_names, NULL)) != -1;)
        take_option(&o, c, optarg);
    return o;
}

/* Onto the first processors of those that the process may use, before any thread is made. */
static void pin(bench_options *o) {
    cpu_set_t allowed, chosen;
    unsigned count = 0;
    CPU_ZERO(&chosen);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        bench_die("the processors cannot be counted", NULL);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && count < o->threads; cpu++)
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_SET(cpu, &chosen);
            count++;
        }
    o->threads = count;
    if (count == 0 || sched_setaffinity(0, sizeof chosen, &chosen) != 0)
        bench_die("the processors cannot be pinned", NULL);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void open_backend(rw_cpu_level level, unsigned threads, rw_context **ctx,
                         rw_backend **backend) {
    rw_error err = {0};
    rw_context_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    bench_must(rw_context_create(&options, ctx, &err), "context", &err);
    bench_must(rw_cpu_backend_create(*ctx, backend, &err), "backend", &err);
}

static void open_run(bench_run *run) {
    bench_options *o = &run->options;
    open_backend(o->level, o->threads, &run->ctx, &run->backend);
    open_backend(RW_CPU_GENERIC, o->threads, &run->reference, &run->reference_backend);
    if (o->level != RW_CPU_BEST && rw_context_cpu_level(run->ctx) != o->level)
        bench_die("this processor does not have the level of RW_CPU", NULL);
    o->level = rw_context_cpu_level(run->ctx);
    run->rows.ctx = run->ctx;
    if (o->resume && o->json)
        bench_resume(run);
}

static void close_run(bench_run *run) {
    rw_buf_free(&run->rows);
    rw_buf_free(&run->earlier);
    run->backend->ops->destroy(run->backend);
    run->reference_backend->ops->destroy(run->reference_backend);
    rw_context_free(run->ctx);
    rw_context_free(run->reference);
}

int main(int argc, char **argv) {
    bench_run run = {.options = parse(argc, argv)};
    pin(&run.options);
    open_run(&run);
    if (!run.options.bare)
        bench_measure_roof(run.ctx, run.options.extent, &run.roof);
    bench_print_head(&run);
    bench_print_roof(&run);
    bench_kernel_rows(&run);
    bench_model_rows(&run);
    if (!run.options.bare) /* did the machine stay the same? */
        bench_measure_roof(run.ctx, run.options.extent, &run.roof);
    bench_print_roof(&run);
    bench_write_json(&run);
    bool failed = run.failed;
    close_run(&run);
    return failed ? 1 : 0;
}
