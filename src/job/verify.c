/*
 * verify.c - a receipt against the world: its own hash and signature, every file that it names, the
 * tables that the output's bytes resolve to, and, where the input is at hand, the patch made again.
 *
 * Every check is made even after one failed; the first that failed is the answer's reason.
 */
#include <stdio.h>
#include <string.h>

#include "job/extend.h"

enum { RECEIPT_LIMIT = 64 << 20 };

/* Files that are hashed side by side; a receipt that names more has the rest hashed one by one. */
enum { TOGETHER_MAX = 2048 };

typedef struct verifying {
    rw_context *ctx;
    const rw_verify_options *options;
    rw_arena arena;
    rw_buf text;
    const rw_json *manifest;
    const char *root;       /* folder of the receipt */
    const char *checkpoint; /* path of the output    */
    rw_buf checks;          /* members of the array, as JSON */
    rw_json_writer w;
    rw_key *expected;    /* NULL: no signer is expected */
    const char *state;   /* of the signature            */
    char signer[65];     /* proven; "" when none is     */
    const char *differs; /* the first check that failed */
    bool ok;
    bool weights_differ; /* a file with tensors has lost its hash */
    rw_file_list hashed; /* what the receipt names, as it is now; names are paths */
} verifying;

/* ---- noting ---------------------------------------------------------------------------------- */

/* `what` lives as long as the verification. */
static void note(verifying *v, const char *what, bool ok, const char *why) {
    rw_json_begin_object(&v->w);
    rw_json_member_string(&v->w, "what", what);
    rw_json_member_bool(&v->w, "ok", ok);
    rw_json_member_string(&v->w, "why", why ? why : "");
    rw_json_end_object(&v->w);
    if (!ok && !v->differs)
        v->differs = what;
    v->ok = v->ok && ok;
}

/* Neither good nor bad: there was nothing to check. */
static void note_absent(verifying *v, const char *what, const char *why) {
    rw_json_begin_object(&v->w);
    rw_json_member_string(&v->w, "what", what);
    rw_json_member_null(&v->w, "ok");
    rw_json_member_string(&v->w, "why", why);
    rw_json_end_object(&v->w);
}

/* What ended a check, unless it ends the whole verification. */
static rw_status note_error(verifying *v, const char *what, rw_status status, const rw_error *cause,
                            rw_error *err) {
    if (status != RW_ERR_INPUT && status != RW_ERR_REFUSED && status != RW_ERR_USAGE) {
        if (err)
            *err = *cause;
        return status;
    }
    note(v, what, false,
         cause->where[0] ? rw_arena_format(&v->arena, "%s: %s", cause->where, cause->message)
                         : rw_arena_text(&v->arena, cause->message, strlen(cause->message)));
    return RW_OK;
}

static const char *text_of(verifying *v, const rw_json *node) {
    rw_str text = rw_json_string_or(node, "");
    const char *copy = rw_arena_text(&v->arena, text.data, text.size);
    return copy ? copy : "";
}

/* ---- the receipt itself ---------------------------------------------------------------------- */

static rw_status check_manifest(verifying *v, bool intact, rw_error *err) {
    static const char why[] = "its SHA-256 is not the one that the receipt states";
    rw_str part = {"", 0};
    if (!intact)
        RW_TRY(rw_receipt_changed_part(v->ctx, v->manifest, &part, err));
    note(v, "manifest", intact,
         intact      ? ""
         : part.size ? rw_arena_format(&v->arena, "%s: the member \"%.*s\" was changed", why,
                                       (int)part.size, part.data)
                     : why);
    return RW_OK;
}

/* ---- the signature --------------------------------------------------------------------------- */

static const char *const state_names[] = {[RW_SIGNATURE_NONE] = "none",
                                          [RW_SIGNATURE_VALID_EXPECTED] = "expected_signer",
                                          [RW_SIGNATURE_VALID_UNKNOWN_SIGNER] = "unknown_signer",
                                          [RW_SIGNATURE_INVALID] = "invalid",
                                          [RW_SIGNATURE_WRONG_SIGNER] = "wrong_signer"};

/* Only the expected key proves a signer; a signature that nobody vouches for is no success. */
static rw_status check_signature(verifying *v, rw_error *err) {
    rw_signature_check check;
    RW_TRY(rw_receipt_check_signature(v->ctx, v->manifest->parent, v->expected, &check, err));
    v->state = state_names[check.state];
    if (check.state == RW_SIGNATURE_NONE && !v->expected) {
        note_absent(v, "signature", check.why);
        return RW_OK;
    }
    bool proven = check.state == RW_SIGNATURE_VALID_EXPECTED;
    const char *why =
        check.signer[0] && !proven
            ? rw_arena_format(&v->arena, "%s (its fingerprint: %s)", check.why, check.signer)
            : check.why;
    if (proven)
        memcpy(v->signer, check.signer, sizeof v->signer);
    note(v, "signature", proven, why);
    return RW_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Names come from the receipt: they must stay below its folder. */
static bool safe_name(const char *name) {
    if (!*name || *name == '/')
        return false;
    for (const char *at = name; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
        if (strcmp(at, "..") == 0 || strncmp(at, "../", 3) == 0)
            return false;
    return true;
}

/* Mostly known already; what could not be read then says here why not. */
static rw_status hash_path(verifying *v, const char *path, uint64_t *size, rw_sha256 *digest,
                           rw_error *err) {
    const rw_listed_file *known = rw_list_find(&v->hashed, path);
    rw_file file;
    if (known && known->hashed) {
        *size = known->bytes;
        *digest = known->digest;
        return RW_OK;
    }
    RW_TRY(rw_file_open(v->ctx, path, &file, err));
    *size = file.size;
    rw_status status = rw_sha256_range(v->ctx, &file, 0, file.size, digest, err);
    rw_file_close(&file);
    return status;
}

/* *differs says how, NULL when the file is as listed. */
static rw_status compare_file(verifying *v, const rw_json *listed, const char *path,
                              const char **differs, rw_error *err) {
    rw_sha256 digest;
    char hex[65];
    uint64_t bytes = rw_json_u64_or(rw_json_get(listed, "bytes"), 0), size = 0;
    *differs = NULL;
    RW_TRY(hash_path(v, path, &size, &digest, err));
    rw_sha256_hex(&digest, hex);
    if (size != bytes)
        *differs = rw_arena_format(&v->arena, "it has %llu bytes, the receipt says %llu",
                                   (unsigned long long)size, (unsigned long long)bytes);
    else if (!rw_str_is(rw_json_string_or(rw_json_get(listed, "sha256"), ""), hex))
        *differs = rw_arena_format(&v->arena, "its SHA-256 is %s, the receipt says %s", hex,
                                   text_of(v, rw_json_get(listed, "sha256")));
    return RW_OK;
}

static bool holds_tensors(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".safetensors") == 0 || strcmp(dot, ".gguf") == 0);
}

static rw_status check_output_file(verifying *v, const rw_json *listed, rw_error *err) {
    const char *name = text_of(v, rw_json_get(listed, "name"));
    const char *what = rw_arena_format(&v->arena, "file %s", name);
    const char *path = rw_path_join(&v->arena, v->root, name), *differs = NULL;
    rw_error cause = {.offset = RW_NO_OFFSET};
    if (!what || !path)
        return rw_fail_memory(err, name, strlen(name));
    rw_status status = RW_OK;
    if (!safe_name(name))
        differs = "the name leads out of the receipt's folder";
    else
        status = compare_file(v, listed, path, &differs, &cause);
    if ((status != RW_OK || differs) && holds_tensors(name))
        v->weights_differ = true;
    if (status != RW_OK)
        return note_error(v, what, status, &cause, err);
    note(v, what, !differs, differs);
    return RW_OK;
}

static rw_status check_output_files(verifying *v, rw_error *err) {
    const rw_json *files = rw_json_path(v->manifest, "output.files");
    if (!files || files->count == 0)
        note(v, "files", false, "the receipt names no files");
    for (const rw_json *file = files ? files->first : NULL; file; file = file->next)
        RW_TRY(check_output_file(v, file, err));
    return RW_OK;
}

/* Of a weight file that differs: is it the header or the data? */
static rw_status locate_difference(verifying *v, rw_error *err) {
    const char *stated = text_of(v, rw_json_path(v->manifest, "proof.tensors_sha256"));
    rw_checkpoint *checkpoint = NULL;
    rw_error cause = {.offset = RW_NO_OFFSET};
    rw_sha256 digest;
    uint64_t count = 0;
    char hex[65] = "";
    rw_status status = rw_checkpoint_open(v->ctx, v->checkpoint, 0, &checkpoint, &cause);
    if (status == RW_OK)
        status = rw_tensors_hash(v->ctx, checkpoint, &count, &digest, &cause);
    rw_checkpoint_close(checkpoint);
    if (status != RW_OK)
        return note_error(v, "header of the weights", status, &cause, err);
    rw_sha256_hex(&digest, hex);
    if (strcmp(hex, stated) == 0)
        note(v, "header of the weights", false,
             "every tensor is as recorded, so the difference lies in the header, the metadata or "
             "the padding");
    else
        note(v, "tensor data", false,
             "the names, types, shapes or bytes of the tensors are not those that were recorded");
    return RW_OK;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* The array of tables of a set, as the receipt would record it. */
static rw_status tables_text(verifying *v, const rw_rope_set *set, rw_buf *out, rw_error *err) {
    rw_json_writer w = {.out = out};
    uint64_t native = rw_json_u64_or(rw_json_path(v->manifest, "plan.native"), 0);
    uint64_t context = rw_json_u64_or(rw_json_path(v->manifest, "plan.context"), 0);
    RW_TRY(rw_tables_write(&w, set, native, context, err));
    return rw_buf_status(out, err);
}

/* Compares as canonical JSON, so that nothing but values counts. */
static rw_status same_tables(verifying *v, const rw_rope_set *set, bool *same, rw_error *err) {
    const rw_json *recorded = rw_json_path(v->manifest, "long_context.tables"), *derived = NULL;
    rw_buf text = {.ctx = v->ctx}, a = {.ctx = v->ctx}, b = {.ctx = v->ctx};
    rw_status status = tables_text(v, set, &text, err);
    *same = false;
    if (status == RW_OK)
        status = rw_json_parse(&v->arena, (rw_str){text.data, text.size}, "tables", &derived, err);
    if (status == RW_OK && recorded) {
        status = rw_canonical_json(v->ctx, recorded, &a, err);
        if (status == RW_OK)
            status = rw_canonical_json(v->ctx, derived, &b, err);
        *same = status == RW_OK && rw_str_equal((rw_str){a.data, a.size}, (rw_str){b.data, b.size});
    }
    rw_buf_free(&text);
    rw_buf_free(&a);
    rw_buf_free(&b);
    return status;
}

static rw_status read_rotation(verifying *v, const char *path, rw_checkpoint **checkpoint,
                               rw_source *source, rw_rope_set **set, rw_error *err) {
    *set = rw_arena_alloc(&v->arena, sizeof **set);
    if (!*set)
        return rw_fail_memory(err, "rotation", sizeof **set);
    RW_TRY(rw_checkpoint_open(v->ctx, path, RW_OPEN_NO_WEIGHTS, checkpoint, err));
    RW_TRY(rw_source_read(*checkpoint, &v->arena, source, err));
    return rw_dialect_read_best(source, *set, NULL, err);
}

static rw_status check_tables(verifying *v, rw_error *err) {
    static const char what[] = "tables of the output";
    rw_checkpoint *checkpoint = NULL;
    rw_source source = {0};
    rw_rope_set *set = NULL;
    rw_error cause = {.offset = RW_NO_OFFSET};
    bool same = false;
    rw_status status = read_rotation(v, v->checkpoint, &checkpoint, &source, &set, &cause);
    if (status == RW_OK)
        status = same_tables(v, set, &same, &cause);
    rw_checkpoint_close(checkpoint);
    if (status != RW_OK)
        return note_error(v, what, status, &cause, err);
    note(v, what, same, same ? "" : "the files resolve to another rotation than the receipt says");
    return RW_OK;
}

/* ---- the patch, made again ------------------------------------------------------------------- */

static const char *input_of(verifying *v) {
    return v->options->input ? v->options->input
                             : text_of(v, rw_json_path(v->manifest, "input.path"));
}

/* `input` names a directory or a file, whatever that is called by now; the later files of a split
   series lie beside the first. */
static const char *input_file_path(verifying *v, const char *input, const char *name, bool first) {
    if (rw_path_is_directory(input))
        return rw_path_join(&v->arena, input, name);
    if (first)
        return input;
    const char *folder = rw_path_folder(&v->arena, input);
    return folder ? rw_path_join(&v->arena, folder, name) : NULL;
}

/* Is what lies there still what the patch was made from? */
static rw_status input_is_same(verifying *v, const char *input, const char **differs,
                               rw_error *err) {
    const rw_json *files = rw_json_path(v->manifest, "input.files");
    *differs = NULL;
    for (const rw_json *file = files ? files->first : NULL; file && !*differs; file = file->next) {
        const char *name = text_of(v, rw_json_get(file, "name")), *how = NULL;
        if (!safe_name(name)) {
            *differs = "a name leads out of the checkpoint's folder";
            return RW_OK;
        }
        const char *path = input_file_path(v, input, name, file == files->first);
        if (!path)
            return rw_fail_memory(err, name, strlen(name));
        RW_TRY(compare_file(v, file, path, &how, err));
        if (how)
            *differs = rw_arena_format(&v->arena, "%s: %s", name, how);
    }
    return RW_OK;
}

/* Everything that will be compared, output and input side by side. */
static rw_status hash_all(verifying *v, rw_error *err) {
    const rw_json *outputs = rw_json_path(v->manifest, "output.files");
    const rw_json *inputs = rw_json_path(v->manifest, "input.files");
    const char *input = input_of(v), *path;
    for (const rw_json *file = outputs ? outputs->first : NULL; file; file = file->next) {
        const char *name = text_of(v, rw_json_get(file, "name"));
        path = safe_name(name) ? rw_path_join(&v->arena, v->root, name) : NULL;
        if (path && v->hashed.count < TOGETHER_MAX)
            RW_TRY(rw_list_note(&v->hashed, path, path, NULL, err));
    }
    for (const rw_json *file = inputs ? inputs->first : NULL; file; file = file->next) {
        const char *name = text_of(v, rw_json_get(file, "name"));
        path = safe_name(name) ? input_file_path(v, input, name, file == inputs->first) : NULL;
        if (path && v->hashed.count < TOGETHER_MAX && rw_path_exists(input))
            RW_TRY(rw_list_note(&v->hashed, path, path, NULL, err));
    }
    return rw_list_hash_together(v->ctx, &v->hashed, err);
}

static rw_status plan_again(verifying *v, const rw_source *source, rw_plan_result **plan,
                            rw_error *err) {
    rw_plan_options request;
    *plan = rw_arena_alloc(&v->arena, sizeof **plan);
    if (!*plan)
        return rw_fail_memory(err, "plan", sizeof **plan);
    RW_TRY(rw_request_read(&v->arena, rw_json_get(v->manifest, "request"), &request, err));
    return rw_plan_make(source, &request, *plan, err);
}

/* config.json byte by byte. */
static rw_status same_config(verifying *v, const rw_source *source, const rw_plan_result *plan,
                             const char **differs, rw_error *err) {
    rw_buf again = {.ctx = v->ctx}, there = {.ctx = v->ctx};
    const char *path = rw_path_join(&v->arena, v->root, "config.json");
    rw_status status =
        rw_dialect_write_config(source, &plan->after, plan->context, plan->targets, &again, err);
    if (status == RW_OK)
        status = rw_file_load(v->ctx, path ? path : "", RECEIPT_LIMIT, &there, err);
    if (status == RW_OK &&
        !rw_str_equal((rw_str){again.data, again.size}, (rw_str){there.data, there.size}))
        *differs = "config.json: the patch made again gives other bytes";
    rw_buf_free(&again);
    rw_buf_free(&there);
    return status;
}

static rw_status same_patch(verifying *v, const char *input, const char **differs, rw_error *err) {
    rw_checkpoint *checkpoint = NULL;
    rw_source source = {0};
    rw_rope_set *set = NULL;
    rw_plan_result *plan = NULL;
    bool same = false;
    rw_status status = read_rotation(v, input, &checkpoint, &source, &set, err);
    if (status == RW_OK)
        status = plan_again(v, &source, &plan, err);
    if (status == RW_OK && rw_checkpoint_format(checkpoint) != RW_FORMAT_GGUF)
        status = same_config(v, &source, plan, differs, err);
    else if (status == RW_OK) {
        /* A GGUF's reader pairs dims as the file does, and so does the plan's result. */
        status = same_tables(v, &plan->after, &same, err);
        if (status == RW_OK && !same)
            *differs = "the plan made again gives another rotation";
    }
    rw_checkpoint_close(checkpoint);
    return status;
}

static rw_status check_patch(verifying *v, rw_error *err) {
    const char *input = input_of(v), *differs = NULL;
    rw_error cause = {.offset = RW_NO_OFFSET};
    if (!v->options->input && !rw_path_exists(input))
        return RW_OK; /* not at hand */
    rw_status status = input_is_same(v, input, &differs, &cause);
    if (status != RW_OK && !v->options->input && status == RW_ERR_INPUT)
        return RW_OK; /* something else lies there now */
    if (status != RW_OK)
        return note_error(v, "input", status, &cause, err);
    if (differs && !v->options->input)
        return RW_OK;
    note(v, "input", !differs, differs);
    if (differs)
        return RW_OK;
    status = same_patch(v, input, &differs, &cause);
    if (status != RW_OK)
        return note_error(v, "patch made again", status, &cause, err);
    note(v, "patch made again", !differs, differs);
    return RW_OK;
}

/* ---- the draft that was extended with it ------------------------------------------------------
 */

/* Its receipt lies in a directory beside this one, or beside its GGUF. */
static const char *draft_receipt_path(verifying *v, const char *name) {
    const char *main = text_of(v, rw_json_path(v->manifest, "output.checkpoint"));
    const char *stated = rw_path_folder(&v->arena, v->options->receipt);
    const char *folder = stated;
    if (folder && strcmp(main, ".") == 0)
        folder = rw_path_join(&v->arena, folder, "..");
    size_t size = strlen(name);
    if (!folder)
        return NULL;
    if (size > 5 && strcmp(name + size - 5, ".gguf") == 0)
        return rw_arena_format(&v->arena, "%s/%.*s.receipt.json", folder, (int)size - 5, name);
    return rw_arena_format(&v->arena, "%s/%s/receipt.json", folder, name);
}

static rw_status same_receipt(verifying *v, const char *path, const char *stated, bool *same,
                              rw_error *err) {
    rw_buf text = {.ctx = v->ctx};
    const rw_json *manifest = NULL;
    bool intact = false;
    rw_status status = rw_file_load(v->ctx, path, RECEIPT_LIMIT, &text, err);
    if (status == RW_OK)
        status = rw_receipt_open(&v->arena, (rw_str){text.data, text.size}, path, &manifest,
                                 &intact, err);
    if (status == RW_OK)
        *same = intact &&
                rw_str_is(rw_json_string_or(rw_json_get(manifest->parent, "sha256"), ""), stated);
    rw_buf_free(&text);
    return status;
}

/* A target's receipt names its draft's by its hash; what that one says is checked by verifying it.
 */
static rw_status check_draft(verifying *v, rw_error *err) {
    const rw_json *companion = rw_json_get(v->manifest, "companion");
    const char *name = text_of(v, rw_json_get(companion, "name"));
    const char *stated = text_of(v, rw_json_get(companion, "receipt_sha256"));
    rw_error cause = {.offset = RW_NO_OFFSET};
    bool same = false;
    if (!*name || !*stated || strchr(name, '/'))
        return RW_OK; /* no draft, or none that was written */
    const char *what = rw_arena_format(&v->arena, "receipt of the draft %s", name);
    const char *path = draft_receipt_path(v, name);
    if (!what || !path)
        return rw_fail_memory(err, name, strlen(name));
    if (!rw_path_exists(path)) {
        note_absent(v, what, "it is not where it was written");
        return RW_OK;
    }
    rw_status status = same_receipt(v, path, stated, &same, &cause);
    if (status != RW_OK)
        return note_error(v, what, status, &cause, err);
    note(v, what, same, same ? "" : "it is not the one that was written with this");
    return RW_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static rw_status find_output(verifying *v, rw_error *err) {
    const char *name = text_of(v, rw_json_path(v->manifest, "output.checkpoint"));
    v->root = rw_path_folder(&v->arena, v->options->receipt);
    v->checkpoint = strcmp(name, ".") == 0 ? v->root : rw_path_join(&v->arena, v->root, name);
    return v->root && v->checkpoint ? RW_OK : rw_fail_memory(err, name, strlen(name));
}

static rw_status run_checks(verifying *v, rw_error *err) {
    bool intact = false;
    const char *where = v->options->receipt;
    if (v->options->key)
        RW_TRY(rw_key_load_public(v->ctx, v->options->key, &v->expected, err));
    RW_TRY(rw_file_load(v->ctx, where, RECEIPT_LIMIT, &v->text, err));
    RW_TRY(rw_receipt_open(&v->arena, (rw_str){v->text.data, v->text.size}, where, &v->manifest,
                           &intact, err));
    RW_TRY(check_manifest(v, intact, err));
    RW_TRY(check_signature(v, err));
    RW_TRY(find_output(v, err));
    RW_TRY(hash_all(v, err));
    RW_TRY(check_output_files(v, err));
    if (v->weights_differ)
        RW_TRY(locate_difference(v, err));
    RW_TRY(check_tables(v, err));
    RW_TRY(check_draft(v, err));
    return check_patch(v, err);
}

static rw_status write_answer(verifying *v, char **json, rw_error *err) {
    rw_buf text = {.ctx = v->ctx};
    rw_json_writer w = {.out = &text, .indent = 2};
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", "ropewalk.verify/1");
    rw_json_member_bool(&w, "ok", v->ok);
    rw_json_key(&w, "checks");
    rw_json_raw(&w, (rw_str){v->checks.data, v->checks.size});
    rw_json_member_string(&w, "differs", v->differs);
    rw_json_member_string(&w, "signature", v->state);
    rw_json_member_string(&w, "signer", v->signer[0] ? v->signer : NULL);
    rw_json_end_object(&w);
    rw_buf_char(&text, '\n');
    rw_status status = rw_buf_status(&v->checks, err);
    if (status == RW_OK)
        status = rw_buf_status(&text, err);
    if (status == RW_OK)
        *json = text.data;
    else
        rw_buf_free(&text);
    return status;
}

rw_status rw_verify(rw_context *ctx, const rw_verify_options *options, char **json, rw_error *err) {
    *json = NULL;
    if (!options->receipt)
        return rw_fail(err, RW_ERR_USAGE, "verify.receipt", "RECEIPT",
                       "name the receipt to verify");
    verifying v = {.ctx = ctx, .options = options, .arena = {.ctx = ctx}, .ok = true};
    v.text.ctx = v.checks.ctx = ctx;
    v.hashed.arena = &v.arena;
    v.w.out = &v.checks;
    rw_json_begin_array(&v.w);
    rw_status status = run_checks(&v, err);
    if (status == RW_OK) {
        rw_json_end_array(&v.w);
        status = write_answer(&v, json, err);
    }
    bool ok = v.ok;
    rw_key_free(v.expected);
    rw_buf_free(&v.text);
    rw_buf_free(&v.checks);
    rw_arena_free(&v.arena);
    return status == RW_OK && !ok ? RW_NO : status;
}
