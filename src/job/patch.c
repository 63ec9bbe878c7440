/*
 * patch.c - the patched checkpoint, and the proof that it does what the plan says: every target's
 * reader resolves the written bytes again, and the weights hash the same.
 */
#include <string.h>
#include <sys/stat.h>

#include "job/extend.h"

/* ---- writing --------------------------------------------------------------------------------- */

static rw_status write_config(rw_extending *job, rw_error *err) {
    rw_buf text = {.ctx = job->ctx};
    const char *path = rw_path_join(&job->arena, job->places.root, "config.json");
    rw_status status = rw_dialect_write_config(&job->source, &job->plan->after, job->plan->context,
                                               job->plan->targets, &text, err);
    if (status == RW_OK && !path)
        status = rw_fail_memory(err, "config.json", 1);
    if (status == RW_OK)
        status = rw_file_write(job->ctx, path, (rw_str){text.data, text.size}, err);
    rw_buf_free(&text);
    if (status == RW_OK)
        status = rw_list_add(job->ctx, &job->outputs, path, "config.json", "patched", err);
    return status;
}

static rw_status write_tokenizer_config(rw_extending *job, rw_error *err) {
    static const char name[] = "tokenizer_config.json";
    rw_buf text = {.ctx = job->ctx};
    bool changed = false;
    const char *path = rw_path_join(&job->arena, job->places.root, name);
    rw_status status =
        rw_dialect_write_tokenizer_config(&job->source, job->plan->context, &text, &changed, err);
    if (status == RW_OK && !path)
        status = rw_fail_memory(err, name, 1);
    if (status == RW_OK && changed)
        status = rw_file_write(job->ctx, path, (rw_str){text.data, text.size}, err);
    rw_buf_free(&text);
    if (status == RW_OK && changed)
        status = rw_list_add(job->ctx, &job->outputs, path, name, "patched", err);
    return status;
}

static rw_status write_directory(rw_extending *job, rw_error *err) {
    rw_copy_mode mode = job->options->link ? RW_COPY_LINK : RW_COPY;
    if (rw_checkpoint_format(job->input) == RW_FORMAT_HF)
        RW_TRY(rw_copy_tree(job->ctx, rw_checkpoint_path(job->input), job->places.root, mode,
                            &job->outputs, err));
    RW_TRY(write_config(job, err));
    if (rw_checkpoint_format(job->input) == RW_FORMAT_HF)
        RW_TRY(write_tokenizer_config(job, err));
    return RW_OK;
}

static rw_status write_gguf(rw_extending *job, rw_error *err) {
    rw_gguf_edit *edit = NULL;
    const rw_plan_result *plan = job->plan;
    RW_TRY(rw_gguf_edit_begin(job->input, &edit, err));
    rw_status status = rw_dialect_write_gguf(&job->source, &plan->after, plan->context, edit, err);
    if (status != RW_OK) {
        rw_gguf_edit_abort(edit);
        return status;
    }
    RW_TRY(rw_gguf_edit_finish(edit, job->places.checkpoint_path, err));
    return rw_list_note(&job->outputs, job->places.checkpoint_path,
                        rw_path_base(job->options->output), "patched", err);
}

/* ---- what it was made from ------------------------------------------------------------------- */

/* One file, or those of a split series. */
static rw_status list_gguf(rw_extending *job, rw_error *err) {
    for (size_t i = 0; i < rw_checkpoint_file_count(job->input); i++) {
        const char *path = rw_checkpoint_file(job->input, i)->path;
        RW_TRY(rw_list_note(&job->inputs, path, rw_path_base(path), NULL, err));
    }
    return RW_OK;
}

/* What each file of the output came from. */
static rw_status list_originals(rw_extending *job, rw_error *err) {
    for (size_t i = 0; i < job->outputs.count; i++) {
        const char *name = job->outputs.items[i].name;
        const char *original = rw_path_join(&job->arena, rw_checkpoint_path(job->input), name);
        if (!original)
            return rw_fail_memory(err, name, 1);
        RW_TRY(rw_list_note(&job->inputs, original, name, NULL, err));
    }
    return RW_OK;
}

static rw_status list_inputs(rw_extending *job, rw_error *err) {
    if (job->places.single)
        return list_gguf(job, err);
    if (rw_checkpoint_format(job->input) == RW_FORMAT_HF)
        return list_originals(job, err);
    return rw_list_add(job->ctx, &job->inputs, rw_checkpoint_path(job->input), "config.json", NULL,
                       err);
}

/* ---- proof ----------------------------------------------------------------------------------- */

static rw_status open_patched(rw_extending *job, rw_error *err) {
    unsigned flags = job->options->no_measure ? RW_OPEN_NO_WEIGHTS : 0;
    RW_TRY(rw_checkpoint_open(job->ctx, job->places.checkpoint_path, flags, &job->patched, err));
    RW_TRY(rw_source_read(job->patched, &job->arena, &job->patched_source, err));
    job->rotation = rw_arena_alloc(&job->arena, sizeof *job->rotation);
    if (!job->rotation)
        return rw_fail_memory(err, "rotation", sizeof *job->rotation);
    return rw_dialect_read_best(&job->patched_source, job->rotation, NULL, err);
}

static rw_status prove_rotation(rw_extending *job, rw_error *err) {
    rw_json_writer w = {.out = &job->proof};
    RW_TRY(rw_dialect_prove(&job->patched_source, &job->plan->after, job->plan->targets,
                            job->plan->context, &w, err));
    return rw_buf_status(&job->proof, err);
}

static bool is_link(const char *original, const char *copy) {
    struct stat a, b;
    return stat(original, &a) == 0 && stat(copy, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* A link has the hash of what it leads to. */
static void take_links(rw_extending *job) {
    for (size_t i = 0; i < job->outputs.count; i++) {
        const rw_listed_file *copy = &job->outputs.items[i];
        const rw_listed_file *original = rw_list_find(&job->inputs, copy->name);
        if (copy->hashed && original && is_link(original->path, copy->path))
            rw_list_take(&job->inputs, original->path, copy->bytes, &copy->digest);
    }
}

/* Every hash that the receipt states, from one reading of everything; of linked files only one
   side is read. */
static rw_status hash_all(rw_extending *job, rw_tensor_reading *weights, rw_error *err) {
    rw_file_list *const lists[] = {&job->outputs, &job->inputs};
    RW_TRY(rw_hash_together(job->ctx, lists, job->options->link ? 1 : 2, weights, err));
    if (job->options->link)
        take_links(job);
    RW_TRY(rw_list_hash(job->ctx, &job->outputs, err));
    RW_TRY(rw_list_hash(job->ctx, &job->inputs, err));
    RW_TRY(rw_tensor_reading_finish(weights, &job->tensors, err));
    job->tensor_count = weights->count;
    return RW_OK;
}

static rw_status compare_copies(rw_extending *job, rw_error *err) {
    for (size_t i = 0; i < job->outputs.count; i++) {
        const rw_listed_file *copy = &job->outputs.items[i];
        const rw_listed_file *original = rw_list_find(&job->inputs, copy->name);
        if (strcmp(copy->change, "patched") != 0 &&
            memcmp(&original->digest, &copy->digest, sizeof copy->digest) != 0)
            return rw_fail(err, RW_ERR_INPUT, "extend.input_changed", original->path,
                           "the file changed while it was copied: let nothing write to the "
                           "checkpoint and run again");
    }
    return RW_OK;
}

/* Of a GGUF, whose header was written anew, every tensor is compared with the input's; of a
   directory every file that was not patched. */
static rw_status prove_tensors(rw_extending *job, rw_error *err) {
    rw_tensor_reading weights;
    bool single = job->places.single;
    RW_TRY(list_inputs(job, err));
    rw_status status =
        rw_tensor_reading_begin(job->ctx, job->patched, single ? job->input : NULL, &weights, err);
    if (status == RW_OK)
        status = hash_all(job, &weights, err);
    rw_tensor_reading_end(&weights);
    if (status != RW_OK)
        return status;
    if (!single)
        return compare_copies(job, err);
    if (weights.same)
        return RW_OK;
    return rw_fail(err, RW_ERR_INTERNAL, "extend.tensors_changed", job->options->output,
                   "the weights of the patched file are not those of the input, so it was "
                   "discarded; please report this");
}

rw_status rw_patch_and_prove(rw_extending *job, rw_error *err) {
    RW_TRY(job->places.single ? write_gguf(job, err) : write_directory(job, err));
    RW_TRY(open_patched(job, err));
    RW_TRY(prove_rotation(job, err));
    return prove_tensors(job, err);
}
