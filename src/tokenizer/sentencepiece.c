/*
 * sentencepiece.c - where SentencePiece-style BPE (Kudo and Richardson 2018) differs from the
 * byte-level one: its symbols are characters, and a character that the vocabulary lacks becomes its
 * byte tokens <0x00> ... <0xFF>, or the unknown token.
 *
 * Such tokenizers often see the whole text as one piece. It is cut here wherever no merge can
 * reach across: a merge whose left token ends in character a and whose right token begins with b
 * is needed to join what stands on the two sides of a|b. These pairs are kept as a set of bits,
 * addressed by hash, so a pair may be taken for a joint that is none (and only a cut is lost). Most
 * words come out as pieces, which makes them worth remembering and keeps memory small.
 */
#include "tokenizer/internal.h"

const rw_str rw_tk_space_mark = {"\xe2\x96\x81", 3};

/* ---- tables --------------------------------------------------------------------------------- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool rw_tk_sp_byte(rw_str spelling, uint8_t *byte) {
    const char *s = spelling.data;
    if (spelling.size != 6 || s[0] != '<' || s[1] != '0' || s[2] != 'x' || s[5] != '>')
        return false;
    int high = hex_digit(s[3]), low = hex_digit(s[4]);
    *byte = (uint8_t)(high * 16 + low);
    return high >= 0 && low >= 0;
}

rw_status rw_tk_sp_bytes(rw_tk_builder *builder, rw_str spelling, rw_str *out) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    const rw_tk_decoder *decoder = &tokenizer->decoder;
    uint8_t byte = 0;
    if (!decoder->bytes || !rw_tk_sp_byte(spelling, &byte))
        return rw_tk_rewrite_text(tokenizer, decoder->replace, decoder->replace_count,
                                  &tokenizer->arena, spelling, out, builder->err);
    char text = (char)byte;
    const char *copy = rw_arena_text(&tokenizer->arena, &text, 1);
    if (!copy)
        return rw_fail_memory(builder->err, tokenizer->where, 1);
    *out = (rw_str){copy, 1};
    return RW_OK;
}

rw_status rw_tk_sp_index(rw_tk_builder *builder) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    rw_tk_bpe *bpe = &tokenizer->bpe;
    for (unsigned byte = 0; byte < 256; byte++) {
        static const char digits[] = "0123456789ABCDEF";
        char spelling[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
        bpe->byte_id[byte] =
            bpe->byte_fallback ? rw_tk_find(tokenizer, (rw_str){spelling, sizeof spelling}) : -1;
    }
    for (unsigned c = 0; c < 128; c++) {
        char character = (char)c;
        bpe->ascii_id[c] = rw_tk_find_model(tokenizer, (rw_str){&character, 1});
    }
    size_t bits = 4 * rw_tk_table_size(tokenizer->count);
    bpe->joints = rw_calloc(tokenizer->ctx, bits / 64, sizeof *bpe->joints);
    bpe->joint_mask = bits - 1;
    return bpe->joints ? RW_OK : rw_fail_memory(builder->err, tokenizer->where, bits / 8);
}

static size_t joint_bit(const rw_tk_bpe *bpe, uint32_t before, uint32_t behind) {
    return rw_tk_mix((uint64_t)before << 32 | behind) & bpe->joint_mask;
}

void rw_tk_sp_add_joint(rw_tk_bpe *bpe, uint32_t before, uint32_t behind) {
    size_t bit = joint_bit(bpe, before, behind);
    bpe->joints[bit / 64] |= 1ull << bit % 64;
}

static bool may_join(const rw_tk_bpe *bpe, uint32_t before, uint32_t behind) {
    size_t bit = joint_bit(bpe, before, behind);
    return bpe->joints[bit / 64] >> bit % 64 & 1;
}

static uint32_t first_character(rw_str text) {
    uint32_t c = 0;
    rw_utf8_decode(text.data, text.size, &c);
    return c;
}

static uint32_t last_character(rw_str text) {
    size_t at = text.size - 1;
    while (at > 0 && ((unsigned char)text.data[at] & 0xc0) == 0x80)
        at--;
    return first_character((rw_str){text.data + at, text.size - at});
}

void rw_tk_sp_join(rw_tk_bpe *bpe, rw_str left, rw_str right) {
    if (left.size > 0 && right.size > 0) /* else no symbol is ever spelled so */
        rw_tk_sp_add_joint(bpe, last_character(left), first_character(right));
}

/* ---- encode --------------------------------------------------------------------------------- */

/* The token that is the character of `step` bytes at `text`; -1: none. */
static int32_t character_id(const rw_tokenizer *tokenizer, const char *text, size_t step) {
    if (step == 1)
        return tokenizer->bpe.ascii_id[(uint8_t)*text & 127];
    return rw_tk_find_model(tokenizer, (rw_str){text, step});
}

int32_t rw_tk_sp_symbol(const rw_tokenizer *tokenizer, const char *text, size_t step, uint32_t c) {
    if (step == 0)
        return TK_BARE_BYTE + (uint8_t)*text;
    int32_t id = character_id(tokenizer, text, step);
    return id >= 0 ? id : TK_LACKING + (int32_t)c;
}

/* Can the text be cut between the characters before[0..step) and behind[0..next)? Not beside one
   that the vocabulary lacks: neighbours may share one unknown token. */
static bool may_cut(const rw_tokenizer *tokenizer, const char *before, size_t step,
                    const char *behind, size_t next) {
    return character_id(tokenizer, before, step) >= 0 && character_id(tokenizer, behind, next) >= 0;
}

static rw_status encode_cut(rw_tk_run *run, rw_str text) {
    const rw_tokenizer *tokenizer = run->tokenizer;
    uint32_t c = 0, next = 0;
    size_t begin = 0, step = rw_utf8_decode(text.data, text.size, &c);
    for (size_t at = step; at < text.size;) {
        size_t width = rw_utf8_decode(text.data + at, text.size - at, &next);
        if (!may_join(&tokenizer->bpe, c, next) &&
            may_cut(tokenizer, text.data + at - step, step, text.data + at, width)) {
            RW_TRY(rw_check_cancel(run->ctx, run->err));
            RW_TRY(rw_tk_bpe_encode(run, (rw_str){text.data + begin, at - begin}));
            begin = at;
        }
        at += width;
        step = width;
        c = next;
    }
    return rw_tk_bpe_encode(run, (rw_str){text.data + begin, text.size - begin});
}

rw_status rw_tk_sp_encode(rw_tk_run *run, rw_str piece) {
    const rw_tokenizer *tokenizer = run->tokenizer;
    if (tokenizer->bpe.ignore_merges && piece.size <= tokenizer->longest) {
        int32_t whole = rw_tk_find_model(tokenizer, piece);
        if (whole >= 0)
            return rw_tk_emit(run, &whole, 1);
    }
    return encode_cut(run, piece);
}

/* ---- ids ------------------------------------------------------------------------------------ */

/* The bytes of a symbol that is no token. */
static size_t bytes_of(int32_t symbol, char out[4]) {
    if (symbol < TK_BARE_BYTE)
        return rw_utf8_encode((uint32_t)(symbol - TK_LACKING), out);
    out[0] = (char)(symbol - TK_BARE_BYTE);
    return 1;
}

static bool has_bytes(const rw_tk_bpe *bpe, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bpe->byte_id[(uint8_t)bytes[i]] < 0)
            return false;
    return true;
}

static void flush_unknown(rw_tk_run *run, bool *pending) {
    if (*pending)
        run->ids[run->count++] = run->tokenizer->bpe.unknown;
    *pending = false;
}

/* The ids of a symbol that is no token. An unknown token waits for those that share it; before the
   merges byte tokens pass it by meanwhile, as they do in Hugging Face tokenizers. */
static rw_status fall_back(rw_tk_run *run, int32_t symbol, bool *pending) {
    const rw_tk_bpe *bpe = &run->tokenizer->bpe;
    char bytes[4];
    size_t size = bytes_of(symbol, bytes);
    if (has_bytes(bpe, bytes, size)) {
        if (bpe->late_fallback)
            flush_unknown(run, pending);
        for (size_t i = 0; i < size; i++)
            run->ids[run->count++] = bpe->byte_id[(uint8_t)bytes[i]];
        return RW_OK;
    }
    if (bpe->unknown >= 0) {
        if (!bpe->fuse_unknown)
            flush_unknown(run, pending);
        *pending = true;
        return RW_OK;
    }
    if (run->flags & RW_TOKENIZE_DROP)
        return RW_OK;
    return rw_fail(run->err, RW_ERR_INPUT, "tokenizer.byte", run->tokenizer->where,
                   "the vocabulary has no tokens for %s%02x in the text; remove it from the text, "
                   "or ask for such bytes to be dropped",
                   symbol < TK_BARE_BYTE ? "the character U+" : "the byte 0x",
                   (unsigned)(symbol < TK_BARE_BYTE ? symbol - TK_LACKING : symbol - TK_BARE_BYTE));
}

rw_status rw_tk_sp_emit(rw_tk_run *run, uint32_t count) {
    bool pending = false;
    for (uint32_t i = 0; i < count; i++) {
        const rw_tk_symbol *symbol = &run->symbols[i];
        if (!symbol->alive)
            continue;
        if (symbol->id >= TK_LACKING) {
            RW_TRY(fall_back(run, symbol->id, &pending));
            continue;
        }
        flush_unknown(run, &pending);
        run->ids[run->count++] = symbol->id;
    }
    flush_unknown(run, &pending);
    return RW_OK;
}
