/*
 * signals.c - Ctrl-C asks the library to stop and clean up; asked twice, the process ends at once.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "program.h"

static rw_context *volatile cancel_context;
static volatile sig_atomic_t asked;

static void on_signal(int number) {
    static const char note[] = "\nropewalk: stopping (again: at once)\n";
    (void)number;
    if (asked++ || !cancel_context)
        _exit(130);
    rw_context_cancel(cancel_context);
    if (write(STDERR_FILENO, note, sizeof note - 1) < 0)
        return; /* nobody reads it */
}

void cli_catch_signals(rw_context *ctx) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    cancel_context = ctx;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void cli_release_signals(void) {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    cancel_context = NULL;
}

/* The way other programs end when nobody reads their output any more. */
void cli_die_of_broken_pipe(void) {
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
    _exit(141);
}
