/*
 * tokenizer.h - text to token ids and back, from tokenizer.json or from what a GGUF holds.
 *
 * Built so far: byte-level BPE (GPT-2, Llama-3, Qwen2, SmolLM) and SentencePiece-style BPE with
 * byte fallback (Llama-2, Mistral, Gemma, Phi-3), and what is put together from the same parts; in
 * a GGUF the models "gpt2" and "llama". Every part of the files that is not built is refused by
 * name with "tokenizer.unsupported"; nothing is ignored in silence.
 *
 * Thread-safety: a tokenizer never changes after it was made; encode and decode may run on it from
 * several threads at once.
 */
#ifndef RW_TOKENIZER_TOKENIZER_H
#define RW_TOKENIZER_TOKENIZER_H

#include "base/base.h"

typedef struct rw_tokenizer rw_tokenizer;

/* From the text of tokenizer.json, and of tokenizer_config.json (may be empty): from the latter
   come bos_token, eos_token, add_bos_token and add_eos_token; where those two are absent, the
   template of the post_processor decides. `where` names the file in errors; both texts may be
   freed afterwards. Codes: tokenizer.unsupported (names the part), tokenizer.type,
   tokenizer.missing, tokenizer.id_range, tokenizer.duplicate_id, tokenizer.duplicate_token,
   tokenizer.hole, tokenizer.merge, tokenizer.special_token, tokenizer.pattern, tokenizer.too_large,
   and json.*. */
rw_status rw_tokenizer_from_json(rw_context *ctx, rw_str tokenizer_json,
                                 rw_str tokenizer_config_json, const char *where,
                                 rw_tokenizer **out, rw_error *err);

/* llama.cpp's token types (tokenizer.ggml.token_type). */
enum {
    RW_TOKEN_NORMAL = 1,
    RW_TOKEN_UNKNOWN = 2,
    RW_TOKEN_CONTROL = 3,
    RW_TOKEN_USER_DEFINED = 4,
    RW_TOKEN_UNUSED = 5,
    RW_TOKEN_BYTE = 6
};

/* The tokenizer.ggml.* values of a GGUF, copied over by the caller (this room knows no GGUF). */
typedef struct rw_vocabulary {
    const rw_str *tokens; /* tokenizer.ggml.tokens: [count], index is the id                  */
    const int32_t *types; /* tokenizer.ggml.token_type: [count], or NULL                      */
    size_t count;
    const rw_str *merges; /* tokenizer.ggml.merges: [merge_count] "left right"                */
    size_t merge_count;
    const float *scores; /* tokenizer.ggml.scores: [count]; the model "llama" needs them    */
    rw_str model; /* tokenizer.ggml.model: "gpt2" or "llama"; others are refused by name      */
    rw_str pre;   /* tokenizer.ggml.pre: "smollm", "llama-bpe", "qwen2", ...; empty: "default" */
    int64_t bos;  /* tokenizer.ggml.bos_token_id, -1: none                                    */
    int64_t eos;  /* tokenizer.ggml.eos_token_id, -1: none                                    */
    int add_bos;  /* tokenizer.ggml.add_bos_token: 0, 1, or -1: absent                        */
    int add_eos;  /* tokenizer.ggml.add_eos_token: 0, 1, or -1: absent                        */
    int add_space_prefix; /* tokenizer.ggml.add_space_prefix: 0, 1, or -1: absent; "llama" only */
} rw_vocabulary;

rw_status rw_tokenizer_from_vocabulary(rw_context *ctx, const rw_vocabulary *vocabulary,
                                       const char *where, rw_tokenizer **out, rw_error *err);

void rw_tokenizer_free(rw_tokenizer *tokenizer); /* NULL is fine */

enum {
    /* Put BOS in front, if the tokenizer's own files say so (see rw_tokenizer_adds_bos). */
    RW_TOKENIZE_BOS = 1u << 0,
    /* Put EOS behind, if the tokenizer's own files say so. */
    RW_TOKENIZE_EOS = 1u << 1,
    /* Recognise special tokens written out in the text; without it they are plain text. (Added
       tokens that aren't special are recognised always.) */
    RW_TOKENIZE_SPECIAL = 1u << 2,
    /* Leave out bytes that the vocabulary lacks, as Hugging Face and llama.cpp do; without it they
       are an error. (SmolLM2 lacks 21 bytes, six of them ASCII control characters.) */
    RW_TOKENIZE_DROP = 1u << 3,
    /* What Hugging Face's encode() does by default. */
    RW_TOKENIZE_DEFAULT = RW_TOKENIZE_BOS | RW_TOKENIZE_EOS | RW_TOKENIZE_SPECIAL
};

/* Any bytes, NUL included. Each maximal run of bytes that are not UTF-8 is a piece of its own,
   spelled through the byte alphabet, and the text on either side of it is split as if it ended
   there; no prefix is put behind it. Decoding gives the same bytes back, unless the file asks for a
   normalizer (Qwen2's NFC), for add_prefix_space, for lstrip/rstrip of an added token, or, in
   SentencePiece's way, for a space before the text behind an added token; there U+2581 itself comes
   back as a space. `*ids` is rw_alloc memory of the
   tokenizer's context, NULL where there are none: free it with rw_free. Codes: tokenizer.byte (the
   vocabulary lacks a byte that the text needs and has no unknown token; the offset is given; see
   RW_TOKENIZE_DROP), tokenizer.dropped (the file's pattern would throw text away),
   tokenizer.pattern, tokenizer.too_large (2 GiB or more). */
rw_status rw_tokenizer_encode(const rw_tokenizer *tokenizer, rw_str text, unsigned flags,
                              int32_t **ids, size_t *count, rw_error *err);

enum {
    RW_DETOKENIZE_SKIP_SPECIAL = 1u << 0, /* leave special tokens out */
    /* The ids go on behind others: the space before the first word stays, which at the begin of a
       text SentencePiece-style tokenizers put there themselves and take away again. */
    RW_DETOKENIZE_CONTINUE = 1u << 1
};

/* Appends the bytes of ids[0..count) to `out`; an id outside the vocabulary is
   "tokenizer.id_range". A character cut in the middle comes out as the bytes that are there. */
rw_status rw_tokenizer_decode(const rw_tokenizer *tokenizer, const int32_t *ids, size_t count,
                              unsigned flags, rw_buf *out, rw_error *err);

/* Highest id + 1, added tokens included. The model's embedding may have more rows. */
size_t rw_tokenizer_vocab_size(const rw_tokenizer *tokenizer);
/* The bytes that `id` stands for; empty when it is outside the vocabulary. Lives as long as the
   tokenizer. */
rw_str rw_tokenizer_token_bytes(const rw_tokenizer *tokenizer, int64_t id);
bool rw_tokenizer_is_special(const rw_tokenizer *tokenizer, int64_t id);

int64_t rw_tokenizer_bos(const rw_tokenizer *tokenizer); /* -1: none known */
int64_t rw_tokenizer_eos(const rw_tokenizer *tokenizer); /* -1: none known */
/* Do the tokenizer's own files ask for BOS in front (EOS behind)? */
bool rw_tokenizer_adds_bos(const rw_tokenizer *tokenizer);
bool rw_tokenizer_adds_eos(const rw_tokenizer *tokenizer);

#endif
