/*
 * dialect.h - what each runtime would rotate by, and how to tell it otherwise.
 *
 * A reader answers: what would this runtime, in this version, rotate by, given these bytes and
 * serve options, at this length? A writer puts a spec into the bytes; an emitter prints the
 * serve-time command of a runtime that needs one. One file per runtime; rw_rope_spec on one side, a
 * container on the other.
 */
#ifndef RW_DIALECT_DIALECT_H
#define RW_DIALECT_DIALECT_H

#include "arch/arch.h"
#include "base/diagnostic.h"
#include "checkpoint/checkpoint.h"
#include "ropewalk/rope.h"

typedef enum rw_runtime {
    RW_TRANSFORMERS5,
    RW_TRANSFORMERS4,
    RW_TRANSFORMERS4_EARLY, /* before the ramp's origin was fixed; a target only by name */
    RW_VLLM,
    RW_SGLANG,
    RW_LLAMA_CPP,
    RW_RUNTIME_COUNT
} rw_runtime;

const char *rw_runtime_name(rw_runtime runtime); /* "transformers5", "llama.cpp", ... */
bool rw_runtime_by_name(rw_str name, rw_runtime *out);

/* A set of runtimes, bit (1 << rw_runtime). */
typedef unsigned rw_targets;

/* The four windows of a model, in tokens; 0: not known. */
typedef struct rw_windows {
    uint64_t native;      /* what the weights were trained for, before any extension */
    uint64_t advertised;  /* max_position_embeddings, context_length                 */
    uint64_t ramp_origin; /* original_max_position_embeddings or what stands for it  */
    uint64_t tokenizer;   /* tokenizer_config.json's model_max_length                */
} rw_windows;

/* A checkpoint understood: where the language model's description and its rotary block live. */
typedef struct rw_source {
    const rw_checkpoint *checkpoint;
    rw_arena *arena;
    rw_arch arch;
    const rw_json *language;   /* HF: the object that describes the language model */
    const char *language_path; /* HF: "" or "text_config", ...                     */
    rw_windows windows;
    const char *native_source;   /* why `native` is what it is, for people           */
    const rw_json *receipt_plan; /* our receipt's plan, when it is what told us; NULL  */
    rw_diagnostics diagnostics;  /* found while understanding it                     */
} rw_source;

/* Finds all of that; everything lives in `arena`. Codes: dialect.no_rope (ALiBi, learned
   positions, ...: names what it has instead), dialect.two_spellings, arch.*. */
rw_status rw_source_read(const rw_checkpoint *checkpoint, rw_arena *arena, rw_source *out,
                         rw_error *err);

/* What `runtime` would rotate by. RW_ERR_INPUT "dialect.unreadable" when it cannot load this at
   all (err says why); diagnostics (may be NULL) get what it would do silently. */
rw_status rw_dialect_read(rw_runtime runtime, const rw_source *source, rw_rope_set *out,
                          rw_diagnostics *diagnostics, rw_error *err);

/* The rotation as the home reader resolves it, or, when that cannot load the checkpoint (a warning
   says so), as the first runtime does that can. */
rw_status rw_dialect_read_best(const rw_source *source, rw_rope_set *out,
                               rw_diagnostics *diagnostics, rw_error *err);

/* The window that `runtime` serves when no length is asked for, and by which rule. 0: unknown. */
typedef struct rw_effective_window {
    uint64_t tokens;
    const char *rule; /* static text, for people */
} rw_effective_window;
rw_effective_window rw_dialect_effective_window(rw_runtime runtime, const rw_source *source,
                                                const rw_rope_set *set);

/* Companion heads: layers that predict further tokens and share the model's block; and is this
   checkpoint itself a draft of another model? */
uint64_t rw_companion_layers(const rw_source *source);
bool rw_companion_is_draft(const rw_source *source);
/* The array [{"kind","layers","rotation","covered"}], with the draft at `draft` (NULL: none is
   named) among them: {"kind","path","rotation","covered"}. */
void rw_companions_write(rw_json_writer *w, const rw_source *source, const char *draft);

/* What is added to the target's own command so that `runtime` drafts with a checkpoint "DRAFT";
   NULL where nothing is typed. No override reaches a draft's rotation: its files have to say it. */
const char *rw_companion_serve(rw_runtime runtime, rw_arena *arena, uint64_t context);

/* The reader that speaks for the checkpoint: transformers5 for HF, llama.cpp for GGUF. */
rw_runtime rw_dialect_home(const rw_source *source);

/* Runtimes that read the spelling found in the checkpoint: the default targets. */
rw_targets rw_dialect_default_targets(const rw_source *source);

/* Can this runtime be told `set`, for a window of `context` tokens, by this checkpoint's format?
   false: `why` (arena or static text) says why not and what would do instead. For HF forms this is
   found out by writing in memory and reading back, not by opinion. */
bool rw_dialect_expressible(rw_runtime runtime, const rw_source *source, const rw_rope_set *set,
                            uint64_t context, const char **why);

/* ---- writing --------------------------------------------------------------------------------- */

/* Puts `set` and the new window into config.json's text. The result is what every target in
   `targets` resolves equivalently; the caller proves it by reading it back (rw_dialect_prove). */
rw_status rw_dialect_write_config(const rw_source *source, const rw_rope_set *set, uint64_t context,
                                  rw_targets targets, rw_buf *config, rw_error *err);

/* tokenizer_config.json with a model_max_length that does not cut the new window short. *changed
   false (and nothing in `out`): there is no such file, or it needs no change. */
rw_status rw_dialect_write_tokenizer_config(const rw_source *source, uint64_t context, rw_buf *out,
                                            bool *changed, rw_error *err);

/* The same for a GGUF: changes go into `edit`. */
rw_status rw_dialect_write_gguf(const rw_source *source, const rw_rope_set *set, uint64_t context,
                                rw_gguf_edit *edit, rw_error *err);

/* Reads `patched` (the files as written) back with every target and compares with `planned` at
   `context`, and at the original window where the method depends on the length. Writes the array
   [{"target","equivalent","layers","worst_pair","max_angle","amplitude","why"}] (`w` may be NULL).
   RW_ERR_INTERNAL "dialect.not_proven" when a target resolves anything else: then the patch must
   not be kept. */
rw_status rw_dialect_prove(const rw_source *patched, const rw_rope_set *planned, rw_targets targets,
                           uint64_t context, rw_json_writer *w, rw_error *err);

/* The same without files: what `targets` would resolve after rw_dialect_write_config, as a set of
   those that come out equivalent (HF checkpoints only; `why`, when not NULL, says what is wrong
   with the first that does not). */
rw_status rw_dialect_rehearse(const rw_source *source, const rw_rope_set *planned, uint64_t context,
                              rw_targets targets, rw_targets *proven, const char **why,
                              rw_error *err);

/* Serve-time command or snippet of a runtime for `set`, as text for people to copy; arena memory.
   NULL with RW_OK: this runtime needs none, the patched files are enough. */
rw_status rw_dialect_emit(rw_runtime runtime, const rw_source *source, const rw_rope_set *set,
                          uint64_t context, const char **out, rw_error *err);

#endif
