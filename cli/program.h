/*
 * program.h - what the parts of the program share behind cli.h; verbs don't need it.
 */
#ifndef RW_CLI_PROGRAM_H
#define RW_CLI_PROGRAM_H

#include "cli.h"

/* ---- options.c, values.c --------------------------------------------------------------------- */

/* Flags that every verb has. */
typedef struct cli_globals {
    bool json, help;
    uint64_t threads;
} cli_globals;
extern const cli_group cli_global_group;

enum { CLI_MAX_OWNED = 8, CLI_MAX_FLAGS = 64 };

/* One command line being parsed. Lists are malloc'ed and belong to it. */
typedef struct cli_parse {
    const cli_verb *verb;
    void *options; /* [verb->options_size] */
    cli_globals globals;
    size_t positionals;
    void *owned[CLI_MAX_OWNED];
    size_t owned_count;
    const cli_option *seen[CLI_MAX_FLAGS]; /* given so far, to refuse repetition */
    size_t seen_count;
} cli_parse;

/* arguments[0] is the first one behind the verb. Codes cli.*, all RW_ERR_USAGE. */
rw_status cli_parse_arguments(cli_parse *parse, int count, char **arguments, rw_error *err);
void cli_parse_free(cli_parse *parse);

/* Text into the field(s) of `option` at `base`. `flag` names it in errors: "--context". */
rw_status cli_set_value(cli_parse *parse, const cli_option *option, char *base, const char *flag,
                        const char *text, rw_error *err);

/* ---- help.c ---------------------------------------------------------------------------------- */

void cli_help_program(FILE *out, const cli_verb *const *verbs); /* NULL behind the last */
void cli_help_verb(FILE *out, const cli_verb *verb);

/* ---- fold.c ---------------------------------------------------------------------------------- */

size_t cli_columns(const char *text, size_t size);
/* `text`, which begins at `column`, with line ends so that no line is wider than `width` (0: only
   those it has); lines behind the first begin at `indent`. To be freed; NULL: no memory. */
char *cli_fold(const char *text, size_t column, size_t indent, size_t width);

/* ---- talk.c: stderr -------------------------------------------------------------------------- */

/* `user` is the cli. */
void cli_on_log(void *user, rw_severity severity, const char *line);
void cli_on_progress(void *user, const char *task, uint64_t done, uint64_t total, const char *unit);
void cli_end_progress(cli *c); /* clears the line, if one stands there */
void cli_report_error(cli *c, const rw_error *err);

/* ---- signals.c ------------------------------------------------------------------------------- */

/* The first SIGINT, SIGTERM or SIGHUP cancels `ctx`, the second ends the process with 130. SIGPIPE
   is ignored: writing reports EPIPE instead. */
void cli_catch_signals(rw_context *ctx);
void cli_release_signals(void); /* before ctx is freed */
void cli_die_of_broken_pipe(void);

/* ---- render.c -------------------------------------------------------------------------------- */

/* errno of the first failed write to stdout, 0 if there was none; flushes. */
int cli_flush(void);

#endif
