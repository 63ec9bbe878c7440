/*
 * advice.c - what would help, from the dimensions that did not pass.
 */
#include "job/extend.h"

typedef struct advice {
    const char *dimension, *status, *text;
} advice;

/* In the order in which it is worth trying. */
static const advice table[] = {
    {"D0", "fail",
     "The rotation has no effect beyond the native window: don't serve this checkpoint, and report "
     "the case."},
    {"D1", "fail",
     "Short text pays for the extension. Some hundred steps of training at the new length win that "
     "back; until then serve prompts that fit the native window from the unpatched checkpoint, or "
     "ask for a shorter --context, since a smaller factor costs less."},
    {"D2", "fail",
     "Long prompts are predicted worse than by the unpatched model reading only its last native "
     "window. Training at the new length helps; so does a shorter --context, or another --method "
     "or --beta-fast/--beta-slow, tried with \"ropewalk measure\"."},
    {"D3", "fail",
     "Facts are lost at some depth: try a shorter --context, another --method, or training with "
     "long documents that need them."},
    {"D4", "fail",
     "Your own long questions are answered worse than asked for: look at the items in the pack's "
     "results, and try a shorter --context, another --method, or training on texts like theirs."},
    {"D5", "fail", "Decoding token by token differs from reading at once: report the case."},
    {"D1", "undefined", "Give more documents that fill the native window (8 or more) with --data."},
    {"D2", "undefined",
     "Give at least 8 documents that are longer than the new window with --data, so that the long "
     "range can be judged."},
    {"D3", "undefined",
     "The retrieval task was not judged: raise --trials (8 a depth, 40 a length), or the model "
     "cannot do it even inside its native window."},
    {"D4", "undefined",
     "Give the pack 50 to 200 items whose length lies in its top bin, and which are not answered "
     "without their context."},
};

static bool applies(const advice *a, const rw_json *gate) {
    const rw_json *dimension = rw_json_get(rw_json_get(gate, "dims"), a->dimension);
    rw_str status = rw_json_string_or(rw_json_get(dimension, "status"), "");
    bool required = rw_json_bool_or(rw_json_get(dimension, "required"), true);
    return required && rw_str_is(status, a->status);
}

void rw_advice_write(rw_json_writer *w, const rw_json *gate, bool budget) {
    bool incomplete = rw_str_is(rw_json_string_or(rw_json_get(gate, "result"), ""), "incomplete");
    rw_json_begin_array(w);
    if (budget && incomplete)
        rw_json_string(w, "The budget cut what would have been needed for a verdict: give a longer "
                          "--budget, or none.");
    for (size_t i = 0; gate && i < sizeof table / sizeof *table; i++)
        if (applies(&table[i], gate))
            rw_json_string(w, table[i].text);
    rw_json_end_array(w);
}
