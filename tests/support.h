/*
 * support.h - what every unit test needs: cmocka with its includes in the order it wants, a
 * context, and a status check that prints the error.
 */
#ifndef RW_TESTS_SUPPORT_H
#define RW_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static inline rw_context *test_context(void) {
    rw_context *ctx = NULL;
    rw_context_options options = {.struct_size = sizeof options, .threads = 2};
    assert_int_equal(rw_context_create(&options, &ctx, NULL), RW_OK);
    return ctx;
}

/* assert_ok(call): fails with the error's text. `err` must be in scope. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        rw_status assert_ok_status_ = (call);                                                      \
        if (assert_ok_status_ != RW_OK)                                                            \
            fail_msg("%s: %s [%s] %s", #call, rw_status_name(assert_ok_status_), err.code,         \
                     err.message);                                                                 \
    } while (0)

#endif
