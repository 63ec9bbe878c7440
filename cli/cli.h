/*
 * cli.h - the program: a verb is a table of options, a call into the library, and a rendering of
 * the JSON that the call gives back.
 *
 * To add a verb: write cli/<verb>.c with one `const cli_verb cli_<verb>` and name it in the table
 * of cli/main.c. main parses the options straight into the job's own options struct, runs the
 * verb, and prints the result: the JSON as it is under --json, else what `render` makes of it.
 */
#ifndef RW_CLI_CLI_H
#define RW_CLI_CLI_H

#include <stdio.h>

#include "base/base.h"
#include "base/json.h"
#include "ropewalk/ropewalk.h"

/* ---- options --------------------------------------------------------------------------------- */

/* How the text behind a flag becomes the field at `offset`. */
typedef enum cli_kind {
    CLI_SWITCH,  /* no value; bool                                               */
    CLI_TEXT,    /* const char *, as it stands on the command line               */
    CLI_COUNT,   /* uint64_t: 32768, 32k (x 1024), 1m                            */
    CLI_NUMBER,  /* double                                                       */
    CLI_SECONDS, /* double: 90, 90s, 5m, 1h                                      */
    CLI_YES_NO,  /* int: yes 1, no -1 (0: not given)                             */
    CLI_COUNTS,  /* const uint64_t * and size_t: 512,1k,2k                       */
    CLI_NUMBERS  /* const double * and size_t: 1,1.5,2 or @FILE of such          */
} cli_kind;

typedef struct cli_option {
    const char *name; /* "context": without its dashes                            */
    int letter;       /* 'o' for -o; 0: none                                      */
    cli_kind kind;
    bool required;
    size_t offset;       /* of the field, from the group's base                   */
    size_t count_offset; /* lists: of the field for their length                  */
    double minimum;      /* numbers (lists: every entry)                          */
    double maximum;      /* 0: no upper bound                                     */
    const char *value;   /* what help calls the value: "TOKENS"                   */
    const char *help;
} cli_option;

/* Options that help lists under one title. `base` is added to their offsets, so that a table can
   be shared by verbs whose structs hold the same struct at different places. */
typedef struct cli_group {
    const char *title;
    const cli_option *options;
    size_t count;
    size_t base;
} cli_group;

/* Flags that several verbs share (shared.c): of a scaling, of planning, of measuring. `member` is
   where the verb's struct holds the rw_scaling_options (rw_plan_options, rw_measure_options). */
enum { CLI_SCALING_COUNT = 15, CLI_PLANNING_COUNT = 6, CLI_MEASURING_COUNT = 16 };
extern const cli_option cli_scaling_options[CLI_SCALING_COUNT];
extern const cli_option cli_planning_options[CLI_PLANNING_COUNT];
extern const cli_option cli_measuring_options[CLI_MEASURING_COUNT];
#define CLI_SCALING_GROUP(struct_type, member)                                                     \
    { "Scaling", cli_scaling_options, CLI_SCALING_COUNT, offsetof(struct_type, member) }
#define CLI_PLANNING_GROUP(struct_type, member)                                                    \
    { "Planning", cli_planning_options, CLI_PLANNING_COUNT, offsetof(struct_type, member) }
#define CLI_MEASURING_GROUP(struct_type, member)                                                   \
    { "Measuring", cli_measuring_options, CLI_MEASURING_COUNT, offsetof(struct_type, member) }

/* ---- verbs ----------------------------------------------------------------------------------- */

typedef struct cli cli;

enum { CLI_MAX_POSITIONALS = 2, CLI_MAX_GROUPS = 6 };

typedef struct cli_verb {
    const char *name;
    const char *arguments; /* of the usage line: "MODEL --context TOKENS -o OUT" */
    const char *summary;   /* one line                                           */
    const char *example;   /* one command line                                   */
    size_t options_size;   /* of the job's options struct; main zeroes it        */
    size_t positional_count;
    size_t positionals[CLI_MAX_POSITIONALS]; /* offsets of const char * fields, all required */
    size_t group_count;
    cli_group groups[CLI_MAX_GROUPS];
    /* Sets what the table can't (struct_size, defaults) and calls the job. Whatever is printed
       while the job runs goes through `cli`. */
    rw_status (*run)(cli *c, void *options, char **json, rw_error *err);
    /* Prints the result for people, through cli_print and the tables below. */
    void (*render)(cli *c, const rw_json *result);
} cli_verb;

extern const cli_verb cli_inspect, cli_plan, cli_extend, cli_measure, cli_generate, cli_verify,
    cli_compare, cli_keygen;

/* What a verb may ask the program. */
struct cli {
    rw_context *ctx;
    const cli_verb *verb;
    bool json;         /* --json: stdout is the job's JSON and nothing else             */
    bool stdout_color; /* a terminal, no NO_COLOR, TERM not dumb                        */
    bool stdout_terminal, stderr_color;
    bool stderr_terminal;
    unsigned width;        /* columns of stdout; 0: no terminal, don't fold                   */
    unsigned stderr_width; /* likewise                                                        */
    bool open_line;        /* streamed text stands on the terminal without its line end       */
};

/* The default of --data: heldout.jsonl beside an installed or a built program. Codes:
   cli.no_data (RW_ERR_USAGE). The text is static. */
rw_status cli_default_data(const char **path, rw_error *err);

/* ---- printing -------------------------------------------------------------------------------- */

/* To stdout. Failures (disk full, closed pipe) are noticed once, at the end. Text from files is
   made harmless for terminals: control characters become '?'. */
void cli_print(cli *c, const char *format, ...) RW_PRINTF(2, 3);
void cli_print_bytes(cli *c, const char *bytes, size_t size); /* as they are; flushed */

/* Ends a line of such bytes that stands on the terminal, before something else is said. */
void cli_end_line(cli *c);

typedef enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GOOD, CLI_BAD, CLI_WARN } cli_style;
/* One piece of text in a style (none without colour). */
void cli_styled(cli *c, cli_style style, const char *format, ...) RW_PRINTF(3, 4);
/* A bold heading with an empty line before it. */
void cli_heading(cli *c, const char *format, ...) RW_PRINTF(2, 3);
/* Text folded at the terminal's width, every line indented. */
void cli_paragraph(cli *c, unsigned indent, const char *format, ...) RW_PRINTF(3, 4);
/* Goes on with folded text where `column` columns of the line are taken; no line end of its own. */
void cli_go_on(cli *c, unsigned column, unsigned indent, const char *format, ...) RW_PRINTF(4, 5);
/* "name   value" with the names aligned at `CLI_LABEL_WIDTH`. */
enum { CLI_LABEL_WIDTH = 18 };
void cli_field(cli *c, const char *name, const char *format, ...) RW_PRINTF(3, 4);

/* A table: cells are added row by row, widths are found when it is printed. Columns whose cells
   are all numbers (or "-") are aligned right. Where the terminal is too narrow, the columns that
   don't fit go below in a second table that repeats the first column. Zero-initialise it. */
enum { CLI_TABLE_COLUMNS = 16, CLI_TABLE_ROWS = 1024 };
typedef struct cli_table {
    size_t columns, rows; /* rows includes the heading */
    size_t used;          /* cells of the row that is being filled */
    char **cells;         /* [rows][columns] */
    size_t capacity;
} cli_table;
void cli_table_begin(cli_table *table, const char *const *headings, size_t columns);
void cli_table_cell(cli_table *table, const char *format, ...) RW_PRINTF(2, 3);
void cli_table_print(cli *c, cli_table *table); /* and frees it */

/* The array D of diagnostics, as "warning  code  message" paragraphs; nothing when it is empty. */
void cli_diagnostics(cli *c, const rw_json *diagnostics);

/* Measurements (the members of a measure result; `before` may be NULL) and a verdict: measured.c.
 */
void cli_show_perplexity(cli *c, const rw_json *before, const rw_json *after);
void cli_show_positions(cli *c, const rw_json *before, const rw_json *after); /* positions.c */
void cli_show_retrieval(cli *c, const rw_json *before, const rw_json *after);
void cli_show_pack(cli *c, const rw_json *before, const rw_json *after);
void cli_show_gate(cli *c, const rw_json *gate);

/* Number text for people: 32768 -> "32768", 0.5 -> "0.5", null -> "-". Static buffers, eight calls
   deep. */
const char *cli_number(const rw_json *node, const char *format /* for a double, "%.2f" */);
const char *cli_text(const rw_json *node, const char *fallback); /* copied to a static buffer */

#endif
