/*
 * error.h - how every call of the library reports failure.
 *
 * A function that can fail returns rw_status and takes an optional `rw_error *` as its last
 * argument. On failure it fills the error (if given) and leaves its out-pointers NULL; on success
 * it leaves the error untouched. Filling an error allocates nothing, so "out of memory" is
 * reported like anything else. The struct belongs to the caller and owns no memory.
 *
 * Thread-safety: an rw_error belongs to one thread at a time. rw_status_name and
 * rw_status_exit_code are pure.
 */
#ifndef ROPEWALK_ERROR_H
#define ROPEWALK_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RW_API __attribute__((visibility("default")))
#define RW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RW_MUST_USE __attribute__((warn_unused_result))
#else
#define RW_API
#define RW_PRINTF(fmt, args)
#define RW_MUST_USE
#endif

/* What kind of failure. The program's exit status is a function of it (rw_status_exit_code). */
typedef enum rw_status {
    RW_OK = 0,
    RW_NO,           /* the verdict is no: gate, verification, comparison   (exit 1)   */
    RW_ERR_USAGE,    /* the caller's options contradict each other          (exit 2)   */
    RW_ERR_INPUT,    /* a file is missing, damaged, or not what it says     (exit 3)   */
    RW_ERR_REFUSED,  /* a guard refused: the message names the ways on      (exit 4)   */
    RW_ERR_MEMORY,   /* out of memory                                       (exit 5)   */
    RW_ERR_IO,       /* writing failed: disk full, read-only, permissions   (exit 5)   */
    RW_ERR_TIME,     /* out of time                                         (exit 5)   */
    RW_ERR_INTERNAL, /* a defect of ropewalk                                (exit 6)   */
    RW_ERR_CANCELLED /* the caller asked to stop (rw_context_cancel)        (exit 130) */
} rw_status;

enum { RW_ERROR_CODE_MAX = 48, RW_ERROR_WHERE_MAX = 512, RW_ERROR_MESSAGE_MAX = 768 };

/* offset of an rw_error that is about no byte in particular */
#define RW_NO_OFFSET UINT64_MAX

typedef struct rw_error {
    rw_status status;
    char code[RW_ERROR_CODE_MAX];       /* stable, `room.reason`: "gguf.truncated"           */
    char where[RW_ERROR_WHERE_MAX];     /* file, key, tensor or option; may be empty         */
    uint64_t offset;                    /* byte in the file, or RW_NO_OFFSET                 */
    char message[RW_ERROR_MESSAGE_MAX]; /* one sentence: what is wrong, and what to do       */
} rw_error;

/* "input", "refused", ...: static text. */
RW_API const char *rw_status_name(rw_status status);

/* The program's exit status for `status` (see the enum). */
RW_API int rw_status_exit_code(rw_status status);

#ifdef __cplusplus
}
#endif
#endif
