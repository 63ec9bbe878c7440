/*
 * ropewalk.h - all of ropewalk. Start with job.h for whole jobs, rope.h for the rotation.
 */
#ifndef ROPEWALK_ROPEWALK_H
#define ROPEWALK_ROPEWALK_H

#include "ropewalk/context.h"
#include "ropewalk/error.h"
#include "ropewalk/job.h"
#include "ropewalk/rope.h"

#endif
