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

/* A link has the hash of what it leads to. */
static rw_status hash_original(rw_extending *job, const char *original, const rw_listed_file *copy,
                               rw_error *err) {
    struct stat a, b;
    RW_TRY(rw_list_note(&job->inputs, original, copy->name, NULL, err));
    if (stat(original, &a) == 0 && stat(copy->path, &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino)
        rw_list_take(&job->inputs, original, copy->bytes, &copy->digest);
    return rw_list_hash(job->ctx, &job->inputs, err);
}

static rw_status list_inputs(rw_extending *job, rw_error *err) {
    const char *path = rw_checkpoint_path(job->input);
    if (job->places.single)
        return list_gguf(job, err);
    if (rw_checkpoint_format(job->input) == RW_FORMAT_CONFIG)
        return rw_list_add(job->ctx, &job->inputs, path, "config.json", NULL, err);
    for (size_t i = 0; i < job->outputs.count; i++) {
        const rw_listed_file *copy = &job->outputs.items[i];
        const char *original = rw_path_join(&job->arena, path, copy->name);
        if (!original)
            return rw_fail_memory(err, copy->name, 1);
        RW_TRY(hash_original(job, original, copy, err));
        const rw_listed_file *listed = rw_list_find(&job->inputs, copy->name);
        if (strcmp(copy->change, "patched") != 0 &&
            memcmp(&listed->digest, &copy->digest, sizeof copy->digest) != 0)
            return rw_fail(err, RW_ERR_INPUT, "extend.input_changed", original,
                           "the file changed while it was copied: let nothing write to the "
                           "checkpoint and run again");
    }
    return RW_OK;
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

/* A directory's weight files were compared whole already; a GGUF's header was written anew. */
static rw_status prove_tensors(rw_extending *job, rw_error *err) {
    uint64_t count = 0;
    rw_sha256 original;
    RW_TRY(rw_tensors_hash_files(job->ctx, job->patched, &job->outputs, &job->tensor_count,
                                 &job->tensors, err));
    RW_TRY(rw_list_hash(job->ctx, &job->outputs, err));
    RW_TRY(list_inputs(job, err));
    if (!job->places.single)
        return RW_OK;
    RW_TRY(rw_tensors_hash_files(job->ctx, job->input, &job->inputs, &count, &original, err));
    RW_TRY(rw_list_hash(job->ctx, &job->inputs, err));
    if (count == job->tensor_count && memcmp(&original, &job->tensors, sizeof original) == 0)
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
