/*
 * extend.h - what the parts of the main job hand to each other, and what verify uses again.
 */
#ifndef RW_JOB_EXTEND_H
#define RW_JOB_EXTEND_H

#include "measure/measure.h"
#include "plan/plan.h"
#include "receipt/receipt.h"
#include "report/report.h"
#include "ropewalk/job.h"

/* ---- files.c: a checkpoint's files, copied and hashed ---------------------------------------- */

typedef struct rw_listed_file {
    const char *name;   /* from the checkpoint's directory on: "sub/tokenizer.json" */
    const char *change; /* "patched", "copied", "linked", "written" */
    const char *path;   /* where it lies now */
    bool hashed;        /* the two below are known */
    uint64_t bytes;
    rw_sha256 digest;
} rw_listed_file;

typedef struct rw_file_list {
    rw_arena *arena;
    rw_listed_file *items;
    size_t count, capacity;
} rw_file_list;

/* Copies the directory `from` into the (empty) directory `to`: everything, sub-directories too,
   symbolic links resolved, except config.json, what an earlier run of ours left at the top, and
   outputs of ours that are being made or that a killed run left there. Lists what was copied,
   without hashes. */
rw_status rw_copy_tree(rw_context *ctx, const char *from, const char *to, rw_copy_mode mode,
                       rw_file_list *list, rw_error *err);

/* Adds the file that lies at `path` now, without its hash; an entry of that name goes. */
rw_status rw_list_note(rw_file_list *list, const char *path, const char *name, const char *change,
                       rw_error *err);
/* Tells the hash of what lies at `path`, when it is listed. */
void rw_list_take(rw_file_list *list, const char *path, uint64_t bytes, const rw_sha256 *digest);
/* Hashes what has no hash yet, side by side; what can't be read stays without one. */
rw_status rw_list_hash_together(rw_context *ctx, rw_file_list *list, rw_error *err);
/* The same, but what can't be read is an error. */
rw_status rw_list_hash(rw_context *ctx, rw_file_list *list, rw_error *err);
/* Both in one: for a small file. */
rw_status rw_list_add(rw_context *ctx, rw_file_list *list, const char *path, const char *name,
                      const char *change, rw_error *err);
const rw_listed_file *rw_list_find(const rw_file_list *list, const char *name);
void rw_list_write(rw_json_writer *w, const rw_file_list *list);

/* "a/b"; arena memory */
const char *rw_path_join(rw_arena *arena, const char *folder, const char *name);
/* What stands before and behind the last slash. "." when there is none. */
const char *rw_path_folder(rw_arena *arena, const char *path);
const char *rw_path_base(const char *path);

/* ---- tensors.c ------------------------------------------------------------------------------- */

/* SHA-256 over name, type, shape and bytes of every tensor in the order of the file, without the
   rotation's own (rope_freqs.weight and the like, which a patch may change). */
rw_status rw_tensors_hash(rw_context *ctx, const rw_checkpoint *checkpoint, uint64_t *count,
                          rw_sha256 *out, rw_error *err);

/* The same, some bytes at a time; with a `twin`, compared with its tensors byte by byte. */
typedef struct rw_tensor_reading {
    rw_context *ctx;
    const rw_checkpoint *checkpoint, *twin; /* NULL: nothing to compare with */
    rw_hasher *hasher;
    uint8_t *piece;
    size_t next, twin_next;
    uint64_t at; /* in the tensor `next` */
    uint64_t count, done, total;
    bool same; /* so far; after finish: the twin has the same tensors and no others */
} rw_tensor_reading;

/* Whatever these answer, rw_tensor_reading_end is called in the end. */
rw_status rw_tensor_reading_begin(rw_context *ctx, const rw_checkpoint *checkpoint,
                                  const rw_checkpoint *twin, rw_tensor_reading *out, rw_error *err);
/* `bytes` further, or a piece more than that, or to the end; finish goes there. */
rw_status rw_tensor_reading_go_on(rw_tensor_reading *reading, uint64_t bytes, rw_error *err);
rw_status rw_tensor_reading_finish(rw_tensor_reading *reading, rw_sha256 *out, rw_error *err);
void rw_tensor_reading_end(rw_tensor_reading *reading);

/* ---- hashing.c ------------------------------------------------------------------------------- */

/* Files without a hash get theirs, and `tensors` (NULL: none) are read to their end, all of them
   side by side. A file that can't be read stays without a hash. */
rw_status rw_hash_together(rw_context *ctx, rw_file_list *const *lists, size_t lists_count,
                           rw_tensor_reading *tensors, rw_error *err);

/* ---- request.c: the caller's wishes as JSON and back ----------------------------------------- */

void rw_request_write(rw_json_writer *w, const rw_plan_options *options);
/* Strings and lists are arena memory. */
rw_status rw_request_read(rw_arena *arena, const rw_json *request, rw_plan_options *out,
                          rw_error *err);

/* ---- tables.c -------------------------------------------------------------------------------- */

/* The array of what each layer type rotates by: identity, ramp ends, amplitude; at the length
   `context`, and where the method depends on it at the native one too. */
rw_status rw_tables_write(rw_json_writer *w, const rw_rope_set *set, uint64_t native,
                          uint64_t context, rw_error *err);
/* The published fields of a long-context block, and what really applies: `rotation` is what the
   patched files resolve to. */
rw_status rw_long_context_write(rw_json_writer *w, const rw_plan_result *plan,
                                const rw_rope_set *rotation, rw_error *err);
/* memory.c: what our engine takes from the native window to the new one; an array. */
typedef struct rw_extending rw_extending;
void rw_memory_steps_write(rw_json_writer *w, const rw_extending *job);

/* What the retrieval tasks of a measurement said (NULL: null). */
rw_status rw_wordings_write(rw_context *ctx, rw_json_writer *w, const rw_measurement *measurement,
                            rw_error *err);

/* ---- the job --------------------------------------------------------------------------------- */

/* Where things are written and where they will lie. A directory is one output; a GGUF has its
   companions beside it, each an output of its own. */
typedef struct rw_places {
    bool single;                                 /* a GGUF */
    rw_output *main, *canary, *report, *receipt; /* the last three only when single */
    const char *final;                           /* the output's name without last slashes */
    const char *root;                            /* folder that file names start from, now */
    const char *checkpoint_path;                 /* to write the checkpoint to, now        */
    const char *canary_path, *report_path, *receipt_path;
    const char *final_canary, *final_report, *final_receipt;
    const char *canary_name; /* from root on */
} rw_places;

struct rw_extending {
    rw_context *ctx;
    const rw_extend_options *options;
    rw_arena arena;
    rw_key *key;      /* NULL: the receipt is not signed */
    const char *name; /* of the model, for people */
    rw_checkpoint *input;
    rw_source source;
    rw_plan_result *plan;
    rw_tokenizer *tokenizer;
    rw_corpus corpus;
    rw_pack *pack;              /* NULL: none was given            */
    rw_measure_options measure; /* as given, with the suite's part */
    rw_places places;
    rw_file_list inputs, outputs;
    rw_checkpoint *patched;
    rw_source patched_source;
    rw_rope_set *rotation; /* what the patched files say, by their home reader */
    rw_buf proof;          /* JSON array */
    uint64_t tensor_count;
    rw_sha256 tensors;
    rw_model *model;
    rw_engine engine;               /* that measures; the canary is always exact */
    rw_measurement *before, *after; /* NULL: not measured */
    rw_gate *gate;
    rw_buf manifest, receipt, result, report;
    rw_sha256 digest; /* of the manifest */
    /* Of the two that are extended together each knows the other: a draft has a target, and a
       target may have a draft. */
    rw_extending *draft, *target;
};

/* places.c */
rw_status rw_places_begin(rw_extending *job, rw_error *err);
/* Renames everything into place, the receipt last. */
rw_status rw_places_commit(rw_extending *job, rw_error *err);
/* Takes back what was committed. */
void rw_places_withdraw(rw_extending *job);
void rw_places_abort(rw_places *places);

/* patch.c: writes the patched checkpoint, opens it again, proves it. */
rw_status rw_patch_and_prove(rw_extending *job, rw_error *err);

/* evidence.c: measures before and after, and writes the canary. */
rw_status rw_gather_evidence(rw_extending *job, rw_error *err);
/* canary.c */
rw_status rw_canary_make(rw_extending *job, rw_buf *out, rw_error *err);

/* together.c: a draft extended with its target. */

/* The options of the draft's own job, before its config is known. */
rw_extend_options rw_together_options(const rw_extend_options *target);
/* Plans the draft, whose input is read, and gives its output a name. */
rw_status rw_together_plan(rw_extending *target, rw_extend_options *options, rw_error *err);
/* Both outputs appear, or none. */
rw_status rw_together_commit(rw_extending *target, rw_error *err);
/* What the receipt of one says of the other: a member "companion", or nothing. */
void rw_together_write_receipt(rw_json_writer *w, const rw_extending *job);
/* The member "companion" of the result: null, or what became of the draft. */
void rw_together_write_result(rw_json_writer *w, const rw_extending *job);

/* record.c: manifest, receipt, result, report. */
rw_status rw_record_receipt(rw_extending *job, rw_error *err);
rw_status rw_record_result(rw_extending *job, rw_error *err);
rw_status rw_record_nothing(rw_extending *job, rw_error *err);
/* advice.c: the array of what would help, from the gate's JSON. */
/* `budget`: the measurement ran under one. */
void rw_advice_write(rw_json_writer *w, const rw_json *gate, bool budget);

#endif
