/*
 * alphabet.c - byte-level BPE's spelling of bytes.
 *
 * GPT-2 (Radford et al. 2019, encoder.py) writes every byte as one printable character, so that
 * vocabularies are text: the printable ones of Latin-1 stand for themselves, the other 68 bytes
 * are U+0100 onwards in their order (so a space is U+0120).
 */
#include "tokenizer/internal.h"

static bool stands_for_itself(uint8_t byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

uint32_t rw_tk_alphabet_char(uint8_t byte) {
    if (stands_for_itself(byte))
        return byte;
    uint32_t others_before = 0;
    for (unsigned b = 0; b < byte; b++)
        others_before += !stands_for_itself((uint8_t)b);
    return 0x100 + others_before;
}

/* The 68 bytes behind U+0100 ... U+0143: 00-20, 7f-a0, ad. */
static bool byte_of_char(uint32_t c, uint8_t *byte) {
    if (c < 0x100) {
        *byte = (uint8_t)c;
        return stands_for_itself((uint8_t)c);
    }
    uint32_t n = c - 0x100;
    if (n > 67)
        return false;
    *byte = (uint8_t)(n <= 0x20 ? n : n < 67 ? n - 0x21 + 0x7f : 0xad);
    return true;
}

bool rw_tk_alphabet_bytes(rw_str spelling, char *out, size_t *size) {
    size_t written = 0;
    for (size_t at = 0; at < spelling.size;) {
        uint32_t c = 0;
        size_t step = rw_utf8_decode(spelling.data + at, spelling.size - at, &c);
        uint8_t byte = 0;
        if (step == 0 || !byte_of_char(c, &byte))
            return false;
        out[written++] = (char)byte;
        at += step;
    }
    *size = written;
    return true;
}
