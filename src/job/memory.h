/*
 * memory.h - what a run took beside what was planned for it.
 */
#ifndef RW_JOB_MEMORY_H
#define RW_JOB_MEMORY_H

#include "dialect/dialect.h"
#include "model/model.h"

/* Member "memory": what the table says for `capacity` tokens, and the most that was seen. */
void rw_memory_taken_write(rw_json_writer *w, const rw_source *source, uint64_t capacity,
                           rw_cache_type cache, rw_resident most);

#endif
