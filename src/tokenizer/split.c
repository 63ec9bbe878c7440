/*
 * split.c - cutting text into the pieces that BPE works on, as the pre-tokenizers say.
 *
 * All pre-tokenizers that are built come down to a chain of patterns, each cutting the pieces of
 * the one before at its matches. A pattern sees one piece only, so that its look-arounds end
 * there, as in Hugging Face's.
 */
#include <string.h>

#include "tokenizer/internal.h"

/* The patterns as the checkpoints of the three families have them in tokenizer.json. */
const char rw_tk_pattern_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char rw_tk_pattern_llama3[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const char rw_tk_pattern_qwen2[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

enum { PATTERN_MAX = 4096 };

static rw_status pattern_error(const rw_tokenizer *tokenizer, int code, rw_error *err) {
    PCRE2_UCHAR text[256] = {0};
    pcre2_get_error_message(code, text, sizeof text);
    return rw_fail(err, RW_ERR_INPUT, "tokenizer.pattern", tokenizer->where,
                   "the split pattern can't be used: %s", (const char *)text);
}

static rw_status new_stage(rw_tokenizer *tokenizer, rw_tk_stage stage, rw_error *err) {
    if (tokenizer->stage_count == TK_STAGES_MAX)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "more than %d pre-tokenizers in a row", TK_STAGES_MAX);
    tokenizer->stages[tokenizer->stage_count++] = stage;
    return RW_OK;
}

static rw_status compile(const rw_tokenizer *tokenizer, rw_str pattern, pcre2_code **out,
                         rw_error *err) {
    pcre2_compile_context *options = pcre2_compile_context_create(tokenizer->pcre);
    if (!options)
        return rw_fail_memory(err, tokenizer->where, 0);
    pcre2_set_newline(options, PCRE2_NEWLINE_LF);
    int code = 0;
    PCRE2_SIZE offset = 0;
    *out = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.size,
                         PCRE2_UTF | PCRE2_UCP | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C,
                         &code, &offset, options);
    pcre2_compile_context_free(options);
    if (!*out)
        return pattern_error(tokenizer, code, err);
    /* Where no machine code may be made, the interpreter does the same, slower. */
    (void)pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE);
    return RW_OK;
}

static rw_status refuse_empty_matches(const rw_tokenizer *tokenizer, const pcre2_code *code,
                                      rw_error *err) {
    uint32_t can_be_empty = 0;
    pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &can_be_empty);
    if (!can_be_empty)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "tokenizer.unsupported", tokenizer->where,
                   "the split pattern can match nothing at all, which isn't supported");
}

rw_status rw_tk_add_regex_stage(rw_tokenizer *tokenizer, rw_str pattern, rw_tk_behavior behavior,
                                rw_error *err) {
    if (pattern.size > PATTERN_MAX)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "a split pattern has %zu bytes; at most %d are supported", pattern.size,
                       PATTERN_MAX);
    rw_buf translated = {.ctx = tokenizer->ctx};
    pcre2_code *code = NULL;
    rw_status status = rw_tk_pattern_translate(pattern, tokenizer->where, &translated, err);
    if (status == RW_OK)
        status = compile(tokenizer, (rw_str){translated.data, translated.size}, &code, err);
    rw_buf_free(&translated);
    if (status == RW_OK)
        status = refuse_empty_matches(tokenizer, code, err);
    if (status == RW_OK)
        status = new_stage(
            tokenizer, (rw_tk_stage){.kind = TK_STAGE_REGEX, .behavior = behavior, .code = code},
            err);
    if (status != RW_OK)
        pcre2_code_free(code);
    return status;
}

rw_status rw_tk_add_prefix_space_stage(rw_tokenizer *tokenizer, rw_error *err) {
    return new_stage(tokenizer, (rw_tk_stage){.kind = TK_STAGE_PREFIX_SPACE}, err);
}

rw_status rw_tk_add_metaspace_stage(rw_tokenizer *tokenizer, rw_str space, rw_tk_prepend prepend,
                                    rw_error *err) {
    const char *copy = rw_arena_text(&tokenizer->arena, space.data, space.size);
    if (!copy)
        return rw_fail_memory(err, tokenizer->where, space.size);
    return new_stage(
        tokenizer,
        (rw_tk_stage){.kind = TK_STAGE_METASPACE, .space = {copy, space.size}, .prepend = prepend},
        err);
}

/* ---- running -------------------------------------------------------------------------------- */

/* Finds the first match in text[from..); `*found` false when there is none. */
static rw_status find(rw_tk_run *run, size_t stage, rw_str text, size_t from, bool *found) {
    const pcre2_code *code = run->tokenizer->stages[stage].code;
    pcre2_match_data *match = run->match[stage];
    PCRE2_SPTR subject = (PCRE2_SPTR)text.data;
    uint32_t options = PCRE2_NO_UTF_CHECK;
    int result = pcre2_match(code, subject, text.size, from, options, match, NULL);
    /* The machine code's stack is small and fixed; the interpreter's grows. */
    if (result == PCRE2_ERROR_JIT_STACKLIMIT)
        result = pcre2_match(code, subject, text.size, from, options | PCRE2_NO_JIT, match, NULL);
    *found = result >= 0;
    if (result >= 0 || result == PCRE2_ERROR_NOMATCH)
        return RW_OK;
    return pattern_error(run->tokenizer, result, run->err);
}

static rw_status gap(rw_tk_run *run, size_t stage, rw_str text) {
    if (text.size == 0)
        return RW_OK;
    if (run->tokenizer->stages[stage].behavior != TK_MATCHES_ONLY)
        return rw_tk_split(run, stage + 1, text);
    return rw_fail(run->err, RW_ERR_INPUT, "tokenizer.dropped", run->tokenizer->where,
                   "the split pattern would throw away \"%.*s\" of the text",
                   (int)(text.size < 60 ? text.size : 60), text.data);
}

/* `*done` is where the text not yet handed on begins. */
static rw_status split_match(rw_tk_run *run, size_t stage, rw_str text, size_t begin, size_t end,
                             size_t *done) {
    rw_tk_behavior behavior = run->tokenizer->stages[stage].behavior;
    if (behavior != TK_WITH_PREVIOUS) {
        RW_TRY(gap(run, stage, (rw_str){text.data + *done, begin - *done}));
        *done = begin;
    }
    if (behavior == TK_WITH_NEXT)
        return RW_OK;
    RW_TRY(rw_tk_split(run, stage + 1, (rw_str){text.data + *done, end - *done}));
    *done = end;
    return RW_OK;
}

static rw_status split_regex(rw_tk_run *run, size_t stage, rw_str text) {
    size_t at = 0, done = 0;
    while (at < text.size) {
        bool found = false;
        RW_TRY(rw_check_cancel(run->ctx, run->err));
        RW_TRY(find(run, stage, text, at, &found));
        if (!found)
            break;
        const PCRE2_SIZE *range = pcre2_get_ovector_pointer(run->match[stage]);
        size_t begin = range[0], end = range[1];
        if (begin < at || end <= begin) /* refused at load: matches are never empty */
            return pattern_error(run->tokenizer, PCRE2_ERROR_INTERNAL, run->err);
        RW_TRY(split_match(run, stage, text, begin, end, &done));
        at = end;
    }
    return gap(run, stage, (rw_str){text.data + done, text.size - done});
}

static rw_status split_prefix_space(rw_tk_run *run, size_t stage, rw_str text) {
    if (text.data[0] == ' ')
        return rw_tk_split(run, stage + 1, text);
    char *spaced = rw_arena_alloc(&run->arena, text.size + 1);
    if (!spaced)
        return rw_fail_memory(run->err, run->tokenizer->where, text.size + 1);
    spaced[0] = ' ';
    memcpy(spaced + 1, text.data, text.size);
    return rw_tk_split(run, stage + 1, (rw_str){spaced, text.size + 1});
}

/* Does the text get a space before it? */
static bool gets_space(const rw_tk_run *run, const rw_tk_stage *stage, rw_str text) {
    bool first = text.data == run->section;
    if (stage->prepend == TK_PREPEND_FIRST)
        return first && run->at_start;
    return stage->prepend == TK_PREPEND_ALWAYS && !(first && run->continues);
}

static rw_status split_metaspace(rw_tk_run *run, size_t number, rw_str text) {
    const rw_tk_stage *stage = &run->tokenizer->stages[number];
    rw_tk_normalizer steps[] = {{.kind = TK_REPLACE, .from = {" ", 1}, .to = stage->space},
                                {.kind = TK_PREPEND, .to = stage->space}};
    bool prefixed =
        text.data[0] == ' ' || (text.size >= stage->space.size &&
                                memcmp(text.data, stage->space.data, stage->space.size) == 0);
    size_t count = gets_space(run, stage, text) && !prefixed ? 2 : 1;
    RW_TRY(rw_tk_rewrite_text(run->tokenizer, steps, count, &run->arena, text, &text, run->err));
    return rw_tk_split(run, number + 1, text);
}

rw_status rw_tk_split(rw_tk_run *run, size_t first, rw_str text) {
    const rw_tokenizer *tokenizer = run->tokenizer;
    if (text.size == 0)
        return RW_OK;
    if (first == tokenizer->stage_count)
        return tokenizer->kind == TK_SENTENCEPIECE_BPE ? rw_tk_sp_encode(run, text)
                                                       : rw_tk_bpe_encode(run, text);
    if (tokenizer->stages[first].kind == TK_STAGE_PREFIX_SPACE)
        return split_prefix_space(run, first, text);
    if (tokenizer->stages[first].kind == TK_STAGE_METASPACE)
        return split_metaspace(run, first, text);
    return split_regex(run, first, text);
}
