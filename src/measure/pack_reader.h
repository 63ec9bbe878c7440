/*
 * pack_reader.h - what the parts of reading a pack hand to each other.
 */
#ifndef RW_MEASURE_PACK_READER_H
#define RW_MEASURE_PACK_READER_H

#include "measure/jsonl.h"
#include "measure/pack.h"

/* Warnings are counted and said once each, with the first line that they are about. */
typedef enum rw_pack_warning {
    RW_WARN_MEMBER,
    RW_WARN_OPEN_BOOK,
    RW_WARN_EDGES,
    RW_WARN_SHORT,
    RW_PACK_WARNINGS
} rw_pack_warning;

typedef struct rw_pack_reader {
    const rw_tokenizer *tokenizer;
    rw_pack *pack;
    size_t capacity; /* of pack->items */
    struct {
        uint64_t count;
        uint32_t line;
        const char *what;
    } warnings[RW_PACK_WARNINGS];
} rw_pack_reader;

/* The texts of one item, alive as long as its line. */
typedef struct rw_pack_texts {
    rw_str context, question, stem;
    rw_str *choices; /* [choice_count] */
    size_t choice_count;
    uint64_t max_tokens;     /* 0: by the answers */
    const rw_json *evidence; /* spans that were checked; NULL: none */
} rw_pack_texts;

void rw_pack_warn(rw_pack_reader *reader, rw_pack_warning warning, uint32_t line, const char *what);

/* pack_tokens.c: prompt, control, endings, reserve and length of `item`. */
rw_status rw_pack_tokenize(const rw_jsonl *lines, const rw_json *value, const rw_pack_texts *texts,
                           rw_pack_item *item, rw_error *err);

#endif
