/*
 * main.c - which verb, with which options, ending how.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "program.h"

static const cli_verb *const verbs[] = {&cli_inspect, &cli_plan,     &cli_extend,
                                        &cli_measure, &cli_generate, &cli_verify,
                                        &cli_compare, &cli_keygen,   NULL};

static const cli_verb *find_verb(const char *name) {
    for (const cli_verb *const *verb = verbs; *verb; verb++)
        if (strcmp((*verb)->name, name) == 0)
            return *verb;
    return NULL;
}

/* ---- the surroundings ------------------------------------------------------------------------ */

/* What COLUMNS says counts everywhere, a terminal's own width on terminals; 0: don't fold. */
static unsigned columns_of(int fd) {
    const char *said = getenv("COLUMNS");
    struct winsize size;
    unsigned long wanted = said ? strtoul(said, NULL, 10) : 0;
    if (wanted > 0 && wanted < 10000)
        return (unsigned)wanted;
    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void look_at_terminals(cli *c) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool plain = (no_color && *no_color) || !term || strcmp(term, "dumb") == 0;
    c->stdout_terminal = isatty(STDOUT_FILENO);
    c->stdout_color = !plain && c->stdout_terminal;
    c->stderr_color = !plain && isatty(STDERR_FILENO);
    c->stderr_terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    c->width = columns_of(STDOUT_FILENO);
    c->stderr_width = columns_of(STDERR_FILENO);
}

static rw_status cpu_level(rw_cpu_level *out, rw_error *err) {
    static const struct {
        const char *name;
        rw_cpu_level level;
    } levels[] = {{"", RW_CPU_BEST},
                  {"generic", RW_CPU_GENERIC},
                  {"avx2", RW_CPU_AVX2},
                  {"avx512", RW_CPU_AVX512}};
    const char *wanted = getenv("RW_CPU");
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(wanted ? wanted : "", levels[i].name) == 0) {
            *out = levels[i].level;
            return RW_OK;
        }
    return rw_fail(err, RW_ERR_USAGE, "cli.cpu_level", "RW_CPU",
                   "\"%.40s\" is not generic, avx2 or avx512.", wanted);
}

/* More threads than processors only wait for each other. */
static rw_status check_threads(uint64_t threads, rw_error *err) {
    long processors = sysconf(_SC_NPROCESSORS_CONF);
    if (processors < 1 || threads <= (uint64_t)processors)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "cli.threads", "--threads",
                   "%llu threads are more than this machine's %ld processors.",
                   (unsigned long long)threads, processors);
}

static rw_status make_context(cli *c, const cli_globals *globals, rw_error *err) {
    rw_context_options options = {.struct_size = sizeof options,
                                  .user = c,
                                  .log = cli_on_log,
                                  .progress = cli_on_progress,
                                  .threads = (unsigned)globals->threads};
    RW_TRY(cpu_level(&options.cpu_level, err));
    RW_TRY(check_threads(globals->threads, err));
    RW_TRY(rw_context_create(&options, &c->ctx, err));
    cli_catch_signals(c->ctx);
    return RW_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static rw_status print_result(cli *c, const char *json, rw_error *err) {
    if (c->json) {
        size_t size = strlen(json);
        cli_print_bytes(c, json, size);
        if (size && json[size - 1] != '\n')
            cli_print_bytes(c, "\n", 1);
        return RW_OK;
    }
    rw_arena arena = {.ctx = c->ctx};
    const rw_json *root = NULL;
    rw_status status = rw_json_parse(&arena, rw_str_of(json), "result", &root, err);
    if (status == RW_OK)
        c->verb->render(c, root);
    rw_arena_free(&arena);
    return status == RW_OK ? RW_OK : RW_ERR_INTERNAL;
}

/* The job's status, unless its result can't be printed. What was measured by the time it was
   stopped is a result too. */
static rw_status run_verb(cli *c, void *options, rw_error *err) {
    char *json = NULL;
    rw_status status = c->verb->run(c, options, &json, err);
    cli_end_progress(c);
    if (json && (status == RW_OK || status == RW_NO || status == RW_ERR_CANCELLED)) {
        rw_error print_error = {.offset = RW_NO_OFFSET};
        rw_status printed = print_result(c, json, &print_error);
        if (printed != RW_OK) {
            status = printed;
            *err = print_error;
        }
    }
    rw_text_free(c->ctx, json);
    return status;
}

static int finish(cli *c, rw_status status, const rw_error *err) {
    if (status != RW_OK && status != RW_NO)
        cli_report_error(c, err);
    int failed = cli_flush();
    if (failed == EPIPE && (status == RW_OK || status == RW_NO || status == RW_ERR_CANCELLED))
        cli_die_of_broken_pipe();
    if (failed && failed != EPIPE) {
        rw_error stdout_error;
        rw_fail(&stdout_error, RW_ERR_IO, "cli.stdout", "standard output",
                "Writing the result failed: %s. What the verb itself does is done.",
                strerror(failed));
        cli_report_error(c, &stdout_error);
        if (status == RW_OK || status == RW_NO)
            status = RW_ERR_IO;
    }
    return rw_status_exit_code(status);
}

static int run_line(const cli_verb *verb, int count, char **arguments) {
    cli c = {.verb = verb};
    cli_parse parse = {.verb = verb, .options = calloc(1, verb->options_size)};
    rw_error err = {.offset = RW_NO_OFFSET};
    rw_status status = parse.options ? RW_OK : rw_fail_memory(&err, "options", verb->options_size);
    look_at_terminals(&c);
    if (status == RW_OK)
        status = cli_parse_arguments(&parse, count, arguments, &err);
    c.json = parse.globals.json;
    if (status == RW_OK && parse.globals.help)
        cli_help_verb(stdout, verb);
    else if (status == RW_OK) {
        status = make_context(&c, &parse.globals, &err);
        if (status == RW_OK)
            status = run_verb(&c, parse.options, &err);
    }
    int code = finish(&c, status, &err);
    cli_parse_free(&parse);
    cli_release_signals();
    rw_context_free(c.ctx);
    return code;
}

/* "ropewalk", "ropewalk --help", "ropewalk help VERB", "ropewalk --version" */
static int run_program_flag(int count, char **arguments) {
    cli c = {.verb = NULL};
    const char *first = count > 0 ? arguments[0] : "";
    bool help =
        strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0;
    const cli_verb *verb = count > 1 ? find_verb(arguments[1]) : NULL;
    rw_error err = {.offset = RW_NO_OFFSET};
    look_at_terminals(&c);
    if (help && verb)
        cli_help_verb(stdout, verb);
    else if (help)
        cli_help_program(stdout, verbs);
    else if (strcmp(first, "--version") == 0)
        printf("ropewalk %s\n", rw_version());
    else if (count == 0) {
        cli_help_program(stderr, verbs);
        return 2;
    } else
        return finish(&c,
                      rw_fail(&err, RW_ERR_USAGE, "cli.unknown_verb", first,
                              "There is no such verb; \"ropewalk --help\" lists them."),
                      &err);
    return finish(&c, RW_OK, &err);
}

int main(int argc, char **argv) {
    const cli_verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    cli_catch_signals(NULL);
    if (verb)
        return run_line(verb, argc - 2, argv + 2);
    return run_program_flag(argc > 0 ? argc - 1 : 0, argv + 1);
}
