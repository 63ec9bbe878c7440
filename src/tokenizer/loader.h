/*
 * loader.h - what the readers of tokenizer.json share: tokenizer_json.c (the file, its tokens and
 * merges) and pipeline_json.c (normalizer, pre_tokenizer, decoder, post_processor).
 */
#ifndef RW_TOKENIZER_LOADER_H
#define RW_TOKENIZER_LOADER_H

#include "base/json.h"
#include "tokenizer/internal.h"

typedef struct rw_tk_loader {
    rw_tk_builder builder;
    rw_context *ctx;
    const char *where;
    rw_error *err;
    bool byte_level;         /* the pre-tokenizer ByteLevel was seen              */
    bool has_metaspace;      /* the pre-tokenizer Metaspace was                   */
    bool has_template;       /* the post-processor TemplateProcessing was         */
    bool decodes_byte_level; /* the decoder ByteLevel was                         */
    bool decodes_characters; /* a decoder of SentencePiece-style BPE was          */
    bool fuses;              /* the decoder Fuse was: what follows sees all text  */
} rw_tk_loader;

/* Typed reads. */
rw_status rw_tk_type_error(const rw_tk_loader *load, const char *what, const char *wanted);
rw_status rw_tk_wanted(const rw_tk_loader *load, const rw_json *node, rw_json_type type,
                       const char *what);
/* A bool that may be absent or null. */
rw_status rw_tk_read_bool(const rw_tk_loader *load, const rw_json *node, const char *key,
                          bool fallback, bool *out);
rw_status rw_tk_read_id(const rw_tk_loader *load, const rw_json *node, const char *what,
                        uint64_t *out);
/* Refuses members of `node` other than "type" and `known` (ends in NULL). */
rw_status rw_tk_refuse_members(const rw_tk_loader *load, const rw_json *node,
                               const char *const *known, const char *of);

/* pipeline_json.c: the parts of `root`; each may be null or absent. */
rw_status rw_tk_read_normalizer(rw_tk_loader *load, const rw_json *root);
rw_status rw_tk_read_pre_tokenizer(rw_tk_loader *load, const rw_json *root);
rw_status rw_tk_read_decoder(rw_tk_loader *load, const rw_json *root);
rw_status rw_tk_read_post_processor(rw_tk_loader *load, const rw_json *root);

#endif
