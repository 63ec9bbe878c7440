/*
 * internal.h - what the files of this room share.
 *
 * The way of a text: added.c cuts out added tokens, normalize.c rewrites what lies between them,
 * split.c cuts that into pieces with the file's patterns, bpe.c turns a piece into ids;
 * sentencepiece.c is where that differs for the second kind. tokenizer.c conducts;
 * tokenizer_json.c with pipeline_json.c, and vocabulary.c with scores.c, fill the tables through
 * build.c.
 */
#ifndef RW_TOKENIZER_INTERNAL_H
#define RW_TOKENIZER_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tokenizer/tokenizer.h"

enum {
    TK_COUNT_MAX = 1 << 24,    /* tokens: ids stay far from int32's end       */
    TK_MERGES_MAX = 1 << 25,   /* merges                                      */
    TK_STAGES_MAX = 8,         /* pre-tokenizers in a row                     */
    TK_AFFIX_MAX = 16,         /* ids that the template puts before or behind */
    TK_ADDED_LENGTH_MAX = 4096 /* bytes of an added token: bounds the search  */
};

/* What the symbols are that BPE begins with. */
typedef enum rw_tk_kind {
    TK_BYTE_LEVEL_BPE,   /* bytes, spelled in the byte alphabet                               */
    TK_SENTENCEPIECE_BPE /* characters; one that the vocabulary lacks becomes its byte tokens */
} rw_tk_kind;

/* Symbols of TK_SENTENCEPIECE_BPE that are no tokens: TK_LACKING + the code point of a character
   that the vocabulary lacks, TK_BARE_BYTE + a byte that is not UTF-8. */
enum { TK_LACKING = TK_COUNT_MAX, TK_BARE_BYTE = TK_LACKING + 0x110000 };

/* ---- tables --------------------------------------------------------------------------------- */

typedef struct rw_tk_token {
    rw_str spelling; /* in the file                                     */
    rw_str bytes;    /* what it stands for                              */
    bool present;    /* some entry of the file has this id              */
    bool model;      /* BPE may produce it: it stands in the vocabulary */
    bool added;      /* it is looked for in the text                    */
    bool special;
} rw_tk_token;

typedef struct rw_tk_added {
    rw_str content;
    int32_t id;
    bool special, single_word, lstrip, rstrip, normalized;
} rw_tk_added;

/* Trie over the contents of added tokens: children of a node are a linked list. */
typedef struct rw_tk_trie_node {
    uint32_t child, sibling; /* 0: none (0 is the root, nobody's child)        */
    int32_t added;           /* index into rw_tk_added array, -1: no token ends here */
    uint8_t byte;
} rw_tk_trie_node;

typedef struct rw_tk_trie {
    rw_tk_trie_node *nodes; /* NULL: no tokens */
    size_t count, capacity;
    bool first[256]; /* bytes that begin some token */
} rw_tk_trie;

/* (left id, right id) -> rank and id of the merged token; open addressing, key 0 free is coded as
   rank TK_NO_RANK. */
typedef struct rw_tk_merge {
    uint64_t pair;
    uint32_t rank;
    int32_t id;
} rw_tk_merge;
#define TK_NO_RANK UINT32_MAX

typedef struct rw_tk_bpe {
    int32_t byte_id[256]; /* token of a byte, -1: the vocabulary lacks it */
    rw_tk_merge *merges;  /* [merge_mask + 1]                            */
    size_t merge_mask;
    int32_t unknown; /* id for bytes that the vocabulary lacks, -1: none */
    bool fuse_unknown;
    bool ignore_merges; /* a piece that is a token as a whole is that token */
    /* TK_SENTENCEPIECE_BPE: */
    bool byte_fallback;
    bool late_fallback;    /* only what is left when all is merged falls back (SentencePiece) */
    int32_t ascii_id[128]; /* token of a character, -1: none */
    uint64_t *joints;      /* [joint_mask / 64 + 1] bits: see sentencepiece.c */
    size_t joint_mask;
} rw_tk_bpe;

typedef enum rw_tk_stage_kind {
    TK_STAGE_REGEX,        /* cuts at matches                                   */
    TK_STAGE_PREFIX_SPACE, /* a piece that doesn't begin with a space gets one  */
    TK_STAGE_METASPACE     /* spaces become a character, which also goes before */
} rw_tk_stage_kind;

/* What becomes of the matches of a pattern and of the gaps between them. */
typedef enum rw_tk_behavior {
    TK_ISOLATED,      /* every match and every gap is a piece              */
    TK_MATCHES_ONLY,  /* a gap is an error: the file would throw text away */
    TK_WITH_PREVIOUS, /* a match belongs to the gap before it              */
    TK_WITH_NEXT      /* a match belongs to the gap behind it              */
} rw_tk_behavior;

typedef enum rw_tk_prepend { TK_PREPEND_ALWAYS, TK_PREPEND_FIRST, TK_PREPEND_NEVER } rw_tk_prepend;

typedef struct rw_tk_stage {
    rw_tk_stage_kind kind;
    rw_tk_behavior behavior;
    pcre2_code *code;
    rw_str space; /* TK_STAGE_METASPACE: the character that stands for a space */
    rw_tk_prepend prepend;
} rw_tk_stage;

typedef enum rw_tk_rewrite { TK_NFC, TK_NFD, TK_PREPEND, TK_REPLACE } rw_tk_rewrite;

typedef struct rw_tk_normalizer {
    rw_tk_rewrite kind;
    rw_str from, to; /* TK_REPLACE: both, TK_PREPEND: to */
} rw_tk_normalizer;

/* How a token's spelling becomes bytes, where that isn't the byte alphabet's business. */
typedef struct rw_tk_decoder {
    rw_tk_normalizer replace[TK_STAGES_MAX];
    size_t replace_count;
    bool bytes;    /* <0x41> is a byte */
    size_t strips; /* spaces that go from the begin of a text */
} rw_tk_decoder;

typedef struct rw_tk_affix {
    int32_t ids[TK_AFFIX_MAX];
    size_t count;
} rw_tk_affix;

struct rw_tokenizer {
    rw_context *ctx;
    rw_arena arena; /* names, bytes of tokens */
    const char *where;
    rw_tk_kind kind;
    rw_tk_token *tokens; /* [count] */
    size_t count, capacity;
    int32_t *by_spelling; /* [spelling_mask + 1] ids hashed by spelling, -1: free */
    size_t spelling_mask;
    size_t longest;         /* bytes of the longest token */
    uint32_t alphabet[256]; /* the character that spells a byte */
    rw_tk_added *added;     /* [added_count] */
    size_t added_count, added_capacity;
    rw_tk_trie raw_trie;        /* added tokens looked for before the normalizer */
    rw_tk_trie normalized_trie; /* and after it                                  */
    rw_tk_normalizer normalizers[TK_STAGES_MAX];
    size_t normalizer_count;
    rw_tk_stage stages[TK_STAGES_MAX];
    size_t stage_count;
    rw_tk_bpe bpe;
    rw_tk_decoder decoder;
    rw_tk_affix prefix, suffix;
    int64_t bos, eos;
    pcre2_general_context *pcre; /* PCRE2's memory comes from our context */
};

/* ---- one call of encode --------------------------------------------------------------------- */

typedef struct rw_tk_symbol {
    int32_t id;
    uint32_t prev, next; /* TK_END: none */
    bool alive;
} rw_tk_symbol;
#define TK_END UINT32_MAX

typedef struct rw_tk_candidate {
    uint64_t key; /* rank << 32 | position: smallest first */
    int32_t id;   /* of the merged token                   */
} rw_tk_candidate;

/* A piece met before in this call: its ids are copied from where they stand in the output. */
typedef struct rw_tk_seen {
    const char *piece;
    uint32_t size, ids_count;
    size_t ids_at;
} rw_tk_seen;

typedef struct rw_tk_run {
    const rw_tokenizer *tokenizer;
    rw_context *ctx;
    rw_str text; /* of the whole call, for offsets in errors */
    unsigned flags;
    rw_error *err;
    int32_t *ids;
    size_t count, capacity;
    char *spelled;  /* scratch for a piece in the byte alphabet, when whole pieces may be tokens */
    rw_arena arena; /* normalised text: pieces point into it until the call ends */
    rw_tk_symbol *symbols;
    size_t symbol_capacity;
    rw_tk_candidate *heap;
    size_t heap_count, heap_capacity;
    rw_tk_seen *seen; /* [seen_mask + 1] */
    size_t seen_mask;
    const char *resumed; /* where the text goes on behind bytes that are not UTF-8, or NULL */
    const char *section; /* what the pre-tokenizers get: its first byte                     */
    bool at_start;       /* the section is the begin of the text                            */
    bool continues;      /* it follows such bytes: no prefix                                */
    pcre2_match_data *match[TK_STAGES_MAX];
} rw_tk_run;

/* ---- functions ------------------------------------------------------------------------------ */

/* alphabet.c: GPT-2's spelling of bytes as printable characters. */
uint32_t rw_tk_alphabet_char(uint8_t byte);
/* Bytes that `spelling` stands for, `out` has room for spelling.size; false when a character is
   not of the alphabet. */
bool rw_tk_alphabet_bytes(rw_str spelling, char *out, size_t *size);

/* build.c */
uint64_t rw_tk_mix(uint64_t x);
uint64_t rw_tk_hash(rw_str bytes);
size_t rw_tk_table_size(size_t count); /* power of two: half of it stays free */

/* A tokenizer in the making. */
typedef struct rw_tk_builder {
    rw_tokenizer *tokenizer;
    rw_buf scratch;
    rw_error *err;
} rw_tk_builder;

/* `builder` must be zero but for `err`; on failure nothing is left to free. */
rw_status rw_tk_begin(rw_tk_builder *builder, rw_context *ctx, const char *where);
/* Room for `count` tokens; once. */
rw_status rw_tk_reserve_tokens(rw_tk_builder *builder, size_t count);
/* A token of the model's vocabulary, spelled as the tokenizer's kind has it. */
rw_status rw_tk_set_token(rw_tk_builder *builder, uint64_t id, rw_str spelling);
/* A token that is looked for in the text; it may stand in the vocabulary already. */
rw_status rw_tk_add_token(rw_tk_builder *builder, uint64_t id, rw_tk_added added);
/* Id by spelling: of any token, or of one that BPE may produce; -1: none. */
int32_t rw_tk_find(const rw_tokenizer *tokenizer, rw_str spelling);
int32_t rw_tk_find_model(const rw_tokenizer *tokenizer, rw_str spelling);
/* After the tokens and normalizers, before the merges: refuses holes, makes the tables. */
rw_status rw_tk_index_tokens(rw_tk_builder *builder);
/* Success hands the tokenizer over; else all is freed. Returns `status`. */
rw_status rw_tk_end(rw_tk_builder *builder, rw_status status, rw_tokenizer **out);
rw_status rw_tk_unsupported(const rw_tk_builder *builder, const char *part, rw_str name);

/* bpe.c */
rw_status rw_tk_bpe_reserve_merges(rw_tokenizer *tokenizer, size_t count, rw_error *err);
rw_status rw_tk_bpe_add_merge(rw_tk_builder *builder, size_t rank, rw_str left, rw_str right);
void rw_tk_bpe_put_merge(rw_tk_bpe *bpe, rw_tk_merge merge);
uint64_t rw_tk_bpe_pair(int32_t left, int32_t right);
rw_status rw_tk_bpe_encode(rw_tk_run *run, rw_str piece);
rw_status rw_tk_emit(rw_tk_run *run, const int32_t *ids, size_t count);

/* sentencepiece.c */
extern const rw_str rw_tk_space_mark; /* U+2581, SentencePiece's space */
/* The spelling of a byte token, <0x00> ... <0xFF>. */
bool rw_tk_sp_byte(rw_str spelling, uint8_t *byte);
/* The bytes that `spelling` stands for, by the tokenizer's decoder. */
rw_status rw_tk_sp_bytes(rw_tk_builder *builder, rw_str spelling, rw_str *out);
/* After the tokens, before the merges: tables of bytes, characters and joints. */
rw_status rw_tk_sp_index(rw_tk_builder *builder);
void rw_tk_sp_add_joint(rw_tk_bpe *bpe, uint32_t before, uint32_t behind);
/* The same from the spellings of a merge. */
void rw_tk_sp_join(rw_tk_bpe *bpe, rw_str left, rw_str right);
/* The symbol of the character of `step` bytes at `text` (0: a byte that is not UTF-8). */
int32_t rw_tk_sp_symbol(const rw_tokenizer *tokenizer, const char *text, size_t step, uint32_t c);
rw_status rw_tk_sp_encode(rw_tk_run *run, rw_str piece);
/* Appends the ids of the run's symbols [0..count); there is room for all of them. */
rw_status rw_tk_sp_emit(rw_tk_run *run, uint32_t count);

/* scores.c: merges from the scores of tokens, [count]. */
rw_status rw_tk_sp_add_scores(rw_tk_builder *builder, const float *scores);

/* pattern.c: a pattern in Oniguruma's spelling, as tokenizer.json has it -> PCRE2's. What could
   mean something else in the two is refused. */
rw_status rw_tk_pattern_translate(rw_str pattern, const char *where, rw_buf *out, rw_error *err);

/* split.c */
extern const char rw_tk_pattern_gpt2[];
extern const char rw_tk_pattern_llama3[];
extern const char rw_tk_pattern_qwen2[];
rw_status rw_tk_add_regex_stage(rw_tokenizer *tokenizer, rw_str pattern, rw_tk_behavior behavior,
                                rw_error *err);
rw_status rw_tk_add_metaspace_stage(rw_tokenizer *tokenizer, rw_str space, rw_tk_prepend prepend,
                                    rw_error *err);
rw_status rw_tk_add_prefix_space_stage(rw_tokenizer *tokenizer, rw_error *err);
/* Cuts `text` (valid UTF-8) with stages `first`... and encodes every piece. */
rw_status rw_tk_split(rw_tk_run *run, size_t first, rw_str text);

/* normalize.c: `*out` is `text` itself where nothing changes, else memory of `arena`. Nothing is
   put before a text that `continues`. */
rw_status rw_tk_normalize(const rw_tokenizer *tokenizer, rw_arena *arena, rw_str text,
                          bool continues, rw_str *out, rw_error *err);
/* The steps [0..count) alone. */
rw_status rw_tk_rewrite_text(const rw_tokenizer *tokenizer, const rw_tk_normalizer *steps,
                             size_t count, rw_arena *arena, rw_str text, rw_str *out,
                             rw_error *err);
/* A step of the normalizer, or a replacement of the decoder; its texts are copied. */
rw_status rw_tk_add_normalizer(rw_tokenizer *tokenizer, rw_tk_normalizer step, rw_error *err);
rw_status rw_tk_add_decoder_replace(rw_tokenizer *tokenizer, rw_tk_normalizer step, rw_error *err);

/* added.c */
rw_status rw_tk_trie_insert(rw_tokenizer *tokenizer, rw_tk_trie *trie, rw_str content, size_t added,
                            rw_error *err);
typedef rw_status (*rw_tk_section_fn)(rw_tk_run *run, rw_str section);
/* Emits the ids of the added tokens in `text` and hands what lies between them to `section`. */
rw_status rw_tk_cut_added(rw_tk_run *run, const rw_tk_trie *trie, rw_str text,
                          rw_tk_section_fn section);

#endif
