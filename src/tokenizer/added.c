/*
 * added.c - finding added tokens in text: leftmost first, of those the longest.
 *
 * What lstrip, rstrip and single_word do follows Hugging Face tokenizers: a token that fails
 * single_word (or is special where those aren't wanted) is skipped with all its bytes.
 */
#include <utf8proc.h>

#include "tokenizer/internal.h"

/* ---- trie ----------------------------------------------------------------------------------- */

static uint32_t find_child(const rw_tk_trie *trie, uint32_t node, uint8_t byte) {
    uint32_t child = trie->nodes[node].child;
    while (child != 0 && trie->nodes[child].byte != byte)
        child = trie->nodes[child].sibling;
    return child;
}

static bool trie_reserve(rw_context *ctx, rw_tk_trie *trie, size_t more) {
    if (trie->capacity - trie->count >= more)
        return true;
    size_t grown = trie->capacity * 2 + more + 64, bytes = 0;
    if (grown > UINT32_MAX || !rw_mul_size(grown, sizeof *trie->nodes, &bytes))
        return false;
    void *block = trie->nodes
                      ? rw_grow(ctx, trie->nodes, trie->capacity * sizeof *trie->nodes, bytes)
                      : rw_alloc(ctx, bytes);
    if (!block)
        return false;
    trie->nodes = block;
    trie->capacity = grown;
    if (trie->count == 0)
        trie->nodes[trie->count++] = (rw_tk_trie_node){.added = -1};
    return true;
}

rw_status rw_tk_trie_insert(rw_tokenizer *tokenizer, rw_tk_trie *trie, rw_str content, size_t added,
                            rw_error *err) {
    if (!trie_reserve(tokenizer->ctx, trie, content.size + 1))
        return rw_fail_memory(err, tokenizer->where, content.size * sizeof *trie->nodes);
    uint32_t node = 0;
    for (size_t i = 0; i < content.size; i++) {
        uint8_t byte = (uint8_t)content.data[i];
        uint32_t child = find_child(trie, node, byte);
        if (child == 0) {
            child = (uint32_t)trie->count++;
            trie->nodes[child] =
                (rw_tk_trie_node){.byte = byte, .added = -1, .sibling = trie->nodes[node].child};
            trie->nodes[node].child = child;
        }
        node = child;
    }
    trie->nodes[node].added = (int32_t)added;
    if (content.size > 0)
        trie->first[(uint8_t)content.data[0]] = true;
    return RW_OK;
}

/* Longest token that begins at text[at]; -1: none. */
static int32_t longest_at(const rw_tk_trie *trie, rw_str text, size_t at, size_t *end) {
    int32_t found = -1;
    uint32_t node = 0;
    while (at < text.size && (node = find_child(trie, node, (uint8_t)text.data[at])) != 0) {
        at++;
        if (trie->nodes[node].added >= 0) {
            found = trie->nodes[node].added;
            *end = at;
        }
    }
    return found;
}

/* ---- what surrounds a token ----------------------------------------------------------------- */

/* Rust's char::is_whitespace, Unicode's White_Space. */
static bool is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* \w of Rust's regex: Alphabetic, marks, decimal digits, connectors, joiners (UTS #18 annex C).
   Alphabetic beyond letters, letter numbers and marks: the circled and squared letters. */
static bool is_word(uint32_t c) {
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) ||
               (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
               (c >= 0x1f170 && c <= 0x1f189);
    }
}

/* Begin of the character that ends before text[end] (end > 0). */
static size_t character_before(rw_str text, size_t end, uint32_t *c) {
    size_t at = end - 1;
    while (at > 0 && ((unsigned char)text.data[at] & 0xc0) == 0x80)
        at--;
    rw_utf8_decode(text.data + at, end - at, c);
    return at;
}

static bool stands_alone(rw_str text, size_t begin, size_t end) {
    uint32_t c = 0;
    if (begin > 0) {
        character_before(text, begin, &c);
        if (is_word(c))
            return false;
    }
    return end == text.size || rw_utf8_decode(text.data + end, text.size - end, &c) == 0 ||
           !is_word(c);
}

/* Where the white space before text[begin] starts, not before `floor`. */
static size_t strip_left(rw_str text, size_t begin, size_t floor) {
    while (begin > floor) {
        uint32_t c = 0;
        size_t before = character_before(text, begin, &c);
        if (!is_space(c))
            break;
        begin = before;
    }
    return begin;
}

static size_t strip_right(rw_str text, size_t end) {
    while (end < text.size) {
        uint32_t c = 0;
        size_t step = rw_utf8_decode(text.data + end, text.size - end, &c);
        if (step == 0 || !is_space(c))
            break;
        end += step;
    }
    return end;
}

/* ---- cutting -------------------------------------------------------------------------------- */

static bool wanted(const rw_tk_run *run, const rw_tk_added *added, rw_str text, size_t begin,
                   size_t end) {
    if (added->special && !(run->flags & RW_TOKENIZE_SPECIAL))
        return false;
    return !added->single_word || stands_alone(text, begin, end);
}

/* Emits the token at text[begin..end) and what lies between `*done` and it. */
static rw_status cut_one(rw_tk_run *run, const rw_tk_added *added, rw_str text, size_t begin,
                         size_t end, size_t *done, rw_tk_section_fn section) {
    if (added->lstrip)
        begin = strip_left(text, begin, *done);
    if (added->rstrip && end >= *done)
        end = strip_right(text, end);
    if (begin > *done)
        RW_TRY(section(run, (rw_str){text.data + *done, begin - *done}));
    RW_TRY(rw_tk_emit(run, &added->id, 1));
    if (end > *done)
        *done = end;
    return RW_OK;
}

rw_status rw_tk_cut_added(rw_tk_run *run, const rw_tk_trie *trie, rw_str text,
                          rw_tk_section_fn section) {
    size_t done = 0;
    for (size_t at = 0; trie->nodes && at < text.size;) {
        size_t end = at + 1;
        int32_t found = trie->first[(uint8_t)text.data[at]] ? longest_at(trie, text, at, &end) : -1;
        if (found >= 0) {
            const rw_tk_added *added = &run->tokenizer->added[found];
            if (wanted(run, added, text, at, end))
                RW_TRY(cut_one(run, added, text, at, end, &done, section));
        }
        at = end;
    }
    if (done == text.size)
        return RW_OK;
    return section(run, (rw_str){text.data + done, text.size - done});
}
