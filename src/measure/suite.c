/*
 * suite.c - sets of measurements under one name.
 */
#include <string.h>

#include "measure/measure.h"

enum { SUITE_DOCUMENTS = 8, SUITE_TRIALS = 8 };

/* Under five minutes on two cores, whatever the model: the budget sees to it. */
static const double suite_seconds = 280;

rw_status rw_suite_apply(const char *suite, rw_measure_options *options, rw_error *err) {
    if (!suite)
        return RW_OK;
    if (strcmp(suite, "fast") != 0)
        return rw_fail(err, RW_ERR_USAGE, "measure.suite", "--suite",
                       "there is no suite \"%.48s\": name fast, or none", suite);
    if (!options->tasks)
        options->tasks = "perplexity,passkey,key_value";
    if (!options->documents)
        options->documents = SUITE_DOCUMENTS;
    if (!options->trials)
        options->trials = SUITE_TRIALS;
    if (!(options->budget_seconds > 0))
        options->budget_seconds = suite_seconds;
    return RW_OK;
}
