/*
 * wordings.c - every sentence that a retrieval task puts before a model.
 *
 * passkey/classic is the wording that the embedded model was trained on; it must not change by a
 * byte. New wordings are new rows: a result is only comparable under the same name.
 */
#include "measure/wordings.h"

enum { WORDINGS = 2 };

static const rw_wording passkey[WORDINGS] = {
    {"classic", "\nThe pass key is {value}. Remember it. {value} is the pass key.\n",
     "\nWhat is the pass key? The pass key is ", NULL},
    {"code", "\nNote: the secret code is {value}.\n",
     "\nQuestion: what is the secret code?\nAnswer: the secret code is ", NULL},
};

static const rw_wording needle[WORDINGS] = {
    {"number", "\nThe special number of {key} is {value}.\n",
     "\nWhat is the special number of {key}? The special number of {key} is ", NULL},
    {"ticket", "\nThe ticket of {key} has number {value}.\n",
     "\nWhich number has the ticket of {key}? The ticket of {key} has number ", NULL},
};

static const rw_wording key_value[WORDINGS] = {
    {"json", "\"{key}\": \"{value}\",\n", "\nThe value above of \"{key}\": \"", NULL},
    {"assignment", "{key} = {value}\n", "\n{key} = ", NULL},
};

static const rw_wording multi_key[WORDINGS] = {
    {"number", "\nThe special number of {key} is {value}.\n",
     "\nThe special numbers again. The special number of {key} is ",
     ".\nThe special number of {key} is "},
    {"ticket", "\nThe ticket of {key} has number {value}.\n",
     "\nThe tickets again. The ticket of {key} has number ", ".\nThe ticket of {key} has number "},
};

static const rw_wording repeat[WORDINGS] = {
    {"bare", "", "", NULL},
    {"announced", "", "\nOnce more:\n", NULL},
};

const rw_task rw_task_table[] = {
    {"passkey", passkey, WORDINGS, 1, 0, false, 5, 0},
    {"needle", needle, WORDINGS, 1, 3, false, 5, 0},
    {"key_value", key_value, WORDINGS, 1, 0, true, 5, 0},
    {"multi_key", multi_key, WORDINGS, 3, 0, false, 5, 0},
    {"repeat", repeat, WORDINGS, 0, 0, false, 0, 48},
};
const size_t rw_task_count = sizeof rw_task_table / sizeof rw_task_table[0];

const char *const rw_needle_keys[] = {
    "amber", "basil",  "cedar",  "coral",   "delta",  "ember",  "falcon",  "garnet",
    "hazel", "indigo", "jasper", "juniper", "koala",  "lemon",  "maple",   "nectar",
    "olive", "onyx",   "pearl",  "pepper",  "quartz", "raven",  "saffron", "sierra",
    "topaz", "tulip",  "umber",  "velvet",  "walnut", "willow", "yarrow",  "zephyr",
};
const size_t rw_needle_key_count = sizeof rw_needle_keys / sizeof rw_needle_keys[0];
