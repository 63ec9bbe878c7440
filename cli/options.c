/*
 * options.c - the command line against the verb's tables. Whatever is not understood is refused
 * by name: a flag that is ignored would be a silent failure.
 */
#include <stdlib.h>
#include <string.h>

#include "program.h"

static const cli_option global_options[] = {
    {.name = "json",
     .kind = CLI_SWITCH,
     .offset = offsetof(cli_globals, json),
     .help = "print the result as JSON and nothing else"},
    {.name = "threads",
     .kind = CLI_COUNT,
     .offset = offsetof(cli_globals, threads),
     .minimum = 1,
     .maximum = 1024,
     .value = "N",
     .help = "threads to compute with (default: all processors)"},
    {.name = "help",
     .letter = 'h',
     .kind = CLI_SWITCH,
     .offset = offsetof(cli_globals, help),
     .help = "show this text"},
};

const cli_group cli_global_group = {"General", global_options,
                                    sizeof global_options / sizeof *global_options, 0};

/* ---- finding an option ----------------------------------------------------------------------- */

typedef struct found {
    const cli_option *option;
    char *base;
} found;

static const cli_option *find_in(const cli_group *group, rw_str name, int letter) {
    for (size_t i = 0; i < group->count; i++) {
        const cli_option *option = &group->options[i];
        if (letter ? option->letter == letter : rw_str_is(name, option->name))
            return option;
    }
    return NULL;
}

/* Names that were documented once and are still understood. */
static rw_str current_name(rw_str name) {
    return rw_str_is(name, "targets") ? rw_str_of("target") : name;
}

static found find_option(cli_parse *parse, rw_str name, int letter) {
    name = current_name(name);
    for (size_t i = 0; i < parse->verb->group_count; i++) {
        const cli_group *group = &parse->verb->groups[i];
        const cli_option *option = find_in(group, name, letter);
        if (option)
            return (found){option, (char *)parse->options + group->base};
    }
    return (found){find_in(&cli_global_group, name, letter), (char *)&parse->globals};
}

static rw_status mark_seen(cli_parse *parse, const cli_option *option, const char *flag,
                           rw_error *err) {
    for (size_t i = 0; i < parse->seen_count; i++)
        if (parse->seen[i] == option)
            return rw_fail(err, RW_ERR_USAGE, "cli.repeated_flag", flag,
                           "The flag is given more than once; give it once.");
    if (parse->seen_count < CLI_MAX_FLAGS)
        parse->seen[parse->seen_count++] = option;
    return RW_OK;
}

/* ---- one argument ---------------------------------------------------------------------------- */

/* --name, --name=value, -o, -oVALUE: the flag's text, its name, and the value glued to it. */
typedef struct flag {
    char shown[64];
    rw_str name;
    int letter;
    const char *glued;
} flag;

static flag split_flag(const char *argument) {
    flag f = {.letter = argument[1] == '-' ? 0 : argument[1]};
    size_t size = f.letter ? 2 : strcspn(argument, "=");
    f.name = (rw_str){argument + 2, f.letter ? 0 : size - 2};
    if (argument[size])
        f.glued = argument + size + (argument[size] == '=' ? 1 : 0);
    size_t shown = size < sizeof f.shown ? size : sizeof f.shown - 1;
    memcpy(f.shown, argument, shown);
    f.shown[shown] = '\0';
    return f;
}

/* Takes one flag with its value; *used tells how many arguments that were. */
static rw_status take_flag(cli_parse *parse, int count, char **arguments, int *used,
                           rw_error *err) {
    flag f = split_flag(arguments[0]);
    found at = find_option(parse, f.name, f.letter);
    const char *value = f.glued;
    *used = 1;
    if (!at.option)
        return rw_fail(err, RW_ERR_USAGE, "cli.unknown_flag", f.shown,
                       "\"ropewalk %s\" has no such flag; \"ropewalk %s --help\" lists them.",
                       parse->verb->name, parse->verb->name);
    RW_TRY(mark_seen(parse, at.option, f.shown, err));
    if (at.option->kind == CLI_SWITCH) {
        if (value)
            return rw_fail(err, RW_ERR_USAGE, "cli.extra_value", f.shown,
                           "The flag takes no value.");
    } else if (!value) {
        /* "-1" is a value (some range check will speak of it), "--json" is another flag */
        if (count < 2 || strncmp(arguments[1], "--", 2) == 0)
            return rw_fail(err, RW_ERR_USAGE, "cli.missing_value", f.shown,
                           "The flag needs a value (%s).", at.option->value);
        value = arguments[1];
        *used = 2;
    }
    return cli_set_value(parse, at.option, at.base, f.shown, value, err);
}

static rw_status take_positional(cli_parse *parse, const char *argument, rw_error *err) {
    if (parse->positionals == parse->verb->positional_count)
        return rw_fail(err, RW_ERR_USAGE, "cli.extra_argument", argument,
                       "This argument is one too many; usage: ropewalk %s %s", parse->verb->name,
                       parse->verb->arguments);
    if (!*argument)
        return rw_fail(err, RW_ERR_USAGE, "cli.bad_value", NULL, "A path is empty.");
    char *field = (char *)parse->options + parse->verb->positionals[parse->positionals++];
    memcpy(field, &argument, sizeof argument);
    return RW_OK;
}

/* ---- the whole line -------------------------------------------------------------------------- */

static bool was_seen(const cli_parse *parse, const cli_option *option) {
    for (size_t i = 0; i < parse->seen_count; i++)
        if (parse->seen[i] == option)
            return true;
    return false;
}

static rw_status check_complete(const cli_parse *parse, rw_error *err) {
    const cli_verb *verb = parse->verb;
    if (parse->positionals < verb->positional_count)
        return rw_fail(err, RW_ERR_USAGE, "cli.missing_argument", NULL,
                       "An argument is missing; usage: ropewalk %s %s", verb->name,
                       verb->arguments);
    for (size_t i = 0; i < verb->group_count; i++)
        for (size_t k = 0; k < verb->groups[i].count; k++) {
            const cli_option *option = &verb->groups[i].options[k];
            if (option->required && !was_seen(parse, option))
                return rw_fail(err, RW_ERR_USAGE, "cli.missing_flag", NULL,
                               "--%s is missing; usage: ropewalk %s %s", option->name, verb->name,
                               verb->arguments);
        }
    return RW_OK;
}

rw_status cli_parse_arguments(cli_parse *parse, int count, char **arguments, rw_error *err) {
    bool only_positionals = false;
    for (int i = 0; i < count;) {
        const char *argument = arguments[i];
        int used = 1;
        if (!only_positionals && strcmp(argument, "--") == 0)
            only_positionals = true;
        else if (!only_positionals && argument[0] == '-' && argument[1])
            RW_TRY(take_flag(parse, count - i, arguments + i, &used, err));
        else
            RW_TRY(take_positional(parse, argument, err));
        i += used;
    }
    return parse->globals.help ? RW_OK : check_complete(parse, err);
}

void cli_parse_free(cli_parse *parse) {
    for (size_t i = 0; i < parse->owned_count; i++)
        free(parse->owned[i]);
    free(parse->options);
}
