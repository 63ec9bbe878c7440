/*
 * scene.h - operands of the kernels' rows: random tensors, packed weights, and operations on them
 * that are checked and then timed in turn.
 */
#ifndef RW_BENCH_SCENE_H
#define RW_BENCH_SCENE_H

#include "bench.h"

enum { SCENE_BUFFERS = 32, SCENE_OPS = 1024 };

/* Several operations on operands of their own, where the work is reading memory: by the time one
   comes again the caches have forgotten it, as in a model with many layers. */
typedef struct bench_scene {
    bench_run *run;
    rw_buffer buffers[SCENE_BUFFERS];
    size_t buffer_count;
    rw_linear linears[SCENE_OPS];
    size_t linear_count;
    rw_op ops[SCENE_OPS];
    size_t op_count, next;
    rw_buffer workspace;
} bench_scene;

void scene_open(bench_scene *scene, bench_run *run);
void scene_close(bench_scene *scene);

/* A contiguous tensor; contents undefined, random, or copies of the first rows. */
rw_view scene_tensor(bench_scene *scene, rw_element element, size_t rows, size_t heads, size_t dim);
rw_view scene_random(bench_scene *scene, size_t rows, size_t heads, size_t dim);
/* Random keys or values as the cache keeps them: [copies * rows][heads][dim], every copy alike. */
rw_view scene_cache(bench_scene *scene, rw_element element, size_t copies, size_t rows,
                    size_t heads, size_t dim);
rw_view scene_numbers(bench_scene *scene, size_t rows, size_t below); /* [rows] int32 */
/* `copies` linear layers with random weights, in scene->linears. */
void scene_linears(bench_scene *scene, rw_element element, size_t copies, size_t rows,
                   size_t columns);

const char *scene_element_name(rw_element element);

/* NULL, or what differs: runs the first operation, and the portable kernels on some of its rows.
   `tolerance` is relative to the root mean square of a row. */
const char *scene_check(bench_scene *scene, double tolerance);
/* Runs the operations in turn: what bench_sample calls. */
void scene_step(void *scene);

#endif
