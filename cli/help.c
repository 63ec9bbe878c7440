/*
 * help.c - the help texts, written from the tables that the parser reads.
 */
#include <string.h>

#include "program.h"

enum { COLUMN = 30, WIDTH = 96 };

/* Text folded behind COLUMN; the cursor stands at `used` when it begins. */
static void put_folded(FILE *out, const char *text, int used) {
    if (used >= COLUMN - 1) {
        fputc('\n', out);
        used = 0;
    }
    fprintf(out, "%*s", COLUMN - used, "");
    for (int column = COLUMN; *text;) {
        int size = (int)strcspn(text, " ");
        bool first = column == COLUMN;
        if (!first && column + 1 + size > WIDTH) {
            fprintf(out, "\n%*s", COLUMN, "");
            column = COLUMN;
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", size, text);
        column += size + (first ? 0 : 1);
        text += size + (text[size] ? 1 : 0);
    }
    fputc('\n', out);
}

static void put_option(FILE *out, const cli_option *option) {
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    int used = fprintf(out, "  %s--%s%s%s", letter, option->name, option->value ? " " : "",
                       option->value ? option->value : "");
    put_folded(out, option->help, used);
}

static void put_group(FILE *out, const cli_group *group) {
    fprintf(out, "\n%s:\n", group->title);
    for (size_t i = 0; i < group->count; i++)
        put_option(out, &group->options[i]);
}

void cli_help_verb(FILE *out, const cli_verb *verb) {
    fprintf(out, "usage: ropewalk %s %s\n\n%s\n", verb->name, verb->arguments, verb->summary);
    for (size_t i = 0; i < verb->group_count; i++)
        put_group(out, &verb->groups[i]);
    put_group(out, &cli_global_group);
    fprintf(out, "\nexample:\n  %s\n", verb->example);
}

void cli_help_program(FILE *out, const cli_verb *const *verbs) {
    fputs("ropewalk extends the context window of RoPE language models, and proves it.\n\n"
          "usage: ropewalk VERB ...\n\n",
          out);
    for (; *verbs; verbs++) {
        int used = fprintf(out, "  %s", (*verbs)->name);
        fprintf(out, "%*s%s\n", 14 - used, "", (*verbs)->summary);
        fprintf(out, "%14s$ %s\n", "", (*verbs)->example);
    }
    fputs("\n\"ropewalk VERB --help\" lists a verb's flags; \"ropewalk --version\" says which one "
          "this is.\n\n"
          "Exit status: 0 done; 1 the verdict is no; 2 usage; 3 bad input; 4 refused by a guard;\n"
          "5 out of memory, disk or time; 6 internal error; 130 interrupted.\n"
          "Environment: RW_CPU=generic|avx2|avx512 limits the kernels, NO_COLOR turns colour off,\n"
          "COLUMNS folds the text for people there.\n",
          out);
}
