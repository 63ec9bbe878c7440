/*
 * devices.h - machines that a plan is asked about by name.
 */
#ifndef RW_PLAN_DEVICES_H
#define RW_PLAN_DEVICES_H

#include "base/base.h"

/* How a device computes attention over a long context, by what its hardware has kernels for. */
typedef enum rw_attention {
    RW_ATTENTION_QUADRATIC, /* keeps the scores: memory grows with the square of the length */
    RW_ATTENTION_TILED,     /* online softmax over tiles, in portable or vector code        */
    RW_ATTENTION_FLASH2,    /* FlashAttention-2 class: Ampere, Ada                          */
    RW_ATTENTION_FLASH3,    /* FlashAttention-3 class: Hopper                               */
    RW_ATTENTION_FLASH4     /* FlashAttention-4 class: Blackwell                            */
} rw_attention;

/* Past so many tokens a device that keeps the scores is refused. */
enum { RW_QUADRATIC_MAX = 16384 };

typedef enum rw_device_class { RW_DEVICE_NVIDIA, RW_DEVICE_APPLE, RW_DEVICE_CPU } rw_device_class;

typedef struct rw_device {
    const char *name; /* "h100" */
    rw_device_class kind;
    uint64_t bytes; /* what the driver or the system reports */
    rw_attention attention;
    bool fp8; /* a runtime there can keep its cache in FP8 */
} rw_device;

/* The devices of a comma list of names, of "all", or none for NULL; [*count], in `arena`.
   RW_ERR_USAGE plan.unknown_device names those that are known. */
rw_status rw_devices_by_names(const char *names, rw_arena *arena, const rw_device **out,
                              size_t *count, rw_error *err);
/* The table, smallest first. */
const rw_device *rw_devices_known(size_t *count);
rw_device rw_device_here(void); /* "this machine", by its processors; bytes 0: not known */

/* What is left for weights, cache and states: see `rw_device_rule` for the words. */
uint64_t rw_device_usable(const rw_device *device);
const char *rw_device_rule(rw_device_class kind);
const char *rw_attention_name(rw_attention attention);

#endif
