/*
 * pack_match.c - does what was said answer the question? No model, no tokens: text against text.
 *
 * Regular expressions are POSIX extended ones of the C library, on bytes. A pack may come from a
 * stranger, so constructs whose cost explodes are refused before they are compiled.
 */
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/pack.h"

/* ---- normalising ----------------------------------------------------------------------------- */

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char fold(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Quotes, brackets and the marks that end a sentence; signs, currency and per cent belong to the
   word. A word of nothing else stays. */
static rw_str strip_word(rw_str word) {
    static const char front[] = "\"'`([{<*_", back[] = "\"'`)]}>*_.,;:!?";
    rw_str left = word;
    while (left.size && strchr(front, left.data[0]) && left.data[0])
        left = (rw_str){left.data + 1, left.size - 1};
    while (left.size && strchr(back, left.data[left.size - 1]) && left.data[left.size - 1])
        left.size--;
    return left.size ? left : word;
}

static rw_str next_word(rw_str *text) {
    size_t begin = 0, end;
    while (begin < text->size && is_space(text->data[begin]))
        begin++;
    for (end = begin; end < text->size && !is_space(text->data[end]);)
        end++;
    const rw_str word = {text->data + begin, end - begin};
    *text = (rw_str){text->data + end, text->size - end};
    return word;
}

rw_status rw_pack_normalise(rw_arena *arena, rw_str text, bool strip, rw_str *out, rw_error *err) {
    char *copy = rw_arena_alloc(arena, text.size + 1);
    size_t size = 0;
    if (!copy)
        return rw_fail_memory(err, "pack", text.size);
    for (rw_str word = next_word(&text); word.size; word = next_word(&text)) {
        if (strip)
            word = strip_word(word);
        if (size)
            copy[size++] = ' ';
        for (size_t i = 0; i < word.size; i++)
            copy[size++] = fold(word.data[i]);
    }
    *out = (rw_str){copy, size};
    return RW_OK;
}

/* ---- regular expressions --------------------------------------------------------------------- */

enum { PATTERN_BYTES_MAX = 512, REPEATS_MAX = 1000 };

/* The C library unrolls x{n}, and nested ones multiply. Returns the product of all bounds. */
static double repeat_product(const char *pattern) {
    double product = 1;
    for (const char *at = pattern; *at; at++) {
        if (*at == '\\' && at[1]) {
            at++;
            continue;
        }
        if (*at != '{')
            continue;
        double most = 1;
        for (at++; *at && *at != '}'; at++)
            if (*at >= '0' && *at <= '9') {
                char *end;
                most = fmax(most, (double)strtoul(at, &end, 10));
                at = end - 1;
            }
        product *= most;
        if (!*at)
            break;
    }
    return product;
}

static bool has_back_reference(const char *pattern) {
    for (; *pattern; pattern++)
        if (*pattern == '\\' && pattern[1]) {
            if (pattern[1] >= '1' && pattern[1] <= '9')
                return true;
            pattern++;
        }
    return false;
}

bool rw_pack_pattern_ok(rw_str pattern, char *reason, size_t size) {
    char text[PATTERN_BYTES_MAX + 1];
    regex_t compiled;
    if (pattern.size > PATTERN_BYTES_MAX || memchr(pattern.data, 0, pattern.size)) {
        snprintf(reason, size, "it is longer than %d bytes, or holds a NUL", PATTERN_BYTES_MAX);
        return false;
    }
    memcpy(text, pattern.data, pattern.size);
    text[pattern.size] = '\0';
    if (has_back_reference(text) || repeat_product(text) > REPEATS_MAX) {
        snprintf(reason, size,
                 "back references, and repetitions of more than %d in all, are not run",
                 REPEATS_MAX);
        return false;
    }
    int failed = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB);
    if (failed) {
        regerror(failed, &compiled, reason, size);
        return false;
    }
    regfree(&compiled);
    return true;
}

static rw_status matches(rw_arena *arena, rw_str pattern, rw_str said, bool *out, rw_error *err) {
    regex_t compiled;
    *out = false;
    const char *expression = rw_arena_text(arena, pattern.data, pattern.size);
    const char *text = rw_arena_text(arena, said.data, said.size);
    if (!expression || !text)
        return rw_fail_memory(err, "pack", said.size);
    int failed = regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB);
    if (failed)
        return rw_fail(err, RW_ERR_INPUT, "pack.regex", expression,
                       "the regular expression cannot be compiled");
    *out = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return RW_OK;
}

/* ---- scores ---------------------------------------------------------------------------------- */

static bool contains(rw_str text, rw_str part) {
    return part.size && part.size <= text.size &&
           memmem(text.data, text.size, part.data, part.size) != NULL;
}

static size_t count_words(rw_str text) {
    size_t count = 0;
    while (next_word(&text).size)
        count++;
    return count;
}

/* Words that both have, each as often as in the text where it is rarer. */
static size_t shared_words(rw_str a, rw_str b, bool *used /* [words of b] */) {
    size_t shared = 0;
    for (rw_str word = next_word(&a); word.size; word = next_word(&a)) {
        rw_str rest = b;
        size_t i = 0;
        rw_str other = next_word(&rest);
        while (other.size && (used[i] || !rw_str_equal(word, other))) {
            other = next_word(&rest);
            i++;
        }
        if (other.size) {
            used[i] = true;
            shared++;
        }
    }
    return shared;
}

/* Harmonic mean of precision and recall over words. */
static rw_status word_f1(rw_arena *arena, rw_str answer, rw_str said, double *out, rw_error *err) {
    size_t wanted = count_words(answer), given = count_words(said);
    bool *used = rw_arena_alloc(arena, given + 1);
    if (!used)
        return rw_fail_memory(err, "pack", given);
    size_t shared = shared_words(answer, said, used);
    *out = shared ? 2.0 * (double)shared / (double)(wanted + given) : 0;
    return RW_OK;
}

/* One answer against what was said, both normalised as the match wants it. */
static rw_status score_answer(rw_arena *arena, rw_pack_match match, rw_str answer, rw_str said,
                              double *out, rw_error *err) {
    *out = 0;
    if (match == RW_MATCH_F1)
        return word_f1(arena, answer, said, out, err);
    *out = match == RW_MATCH_EXACT ? answer.size && rw_str_equal(answer, said)
                                   : contains(said, answer);
    return RW_OK;
}

static rw_status score_patterns(rw_arena *arena, const rw_str *patterns, size_t count, rw_str said,
                                double *out, rw_error *err) {
    bool found = false;
    for (size_t i = 0; i < count && !found; i++)
        RW_TRY(matches(arena, patterns[i], said, &found, err));
    *out = found;
    return RW_OK;
}

rw_status rw_pack_score(rw_arena *arena, rw_pack_match match, const rw_str *answers, size_t count,
                        rw_str said, double *out, rw_error *err) {
    bool strip = match == RW_MATCH_EXACT || match == RW_MATCH_F1;
    double best = 0, sum = 0;
    *out = 0;
    if (match == RW_MATCH_REGEX)
        return score_patterns(arena, answers, count, said, out, err);
    RW_TRY(rw_pack_normalise(arena, said, strip, &said, err));
    for (size_t i = 0; i < count; i++) {
        rw_str answer = {"", 0};
        double score = 0;
        RW_TRY(rw_pack_normalise(arena, answers[i], strip, &answer, err));
        RW_TRY(score_answer(arena, match, answer, said, &score, err));
        best = fmax(best, score);
        sum += score;
    }
    *out = match == RW_MATCH_ALL ? sum / (double)count : best;
    return RW_OK;
}

/* F1 of one half is the usual border between an answer and none; all means all. */
double rw_pack_right_from(rw_pack_match match) {
    return match == RW_MATCH_F1 ? 0.5 : 1.0;
}
