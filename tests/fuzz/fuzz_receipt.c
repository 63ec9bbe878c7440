/*
 * Receipts and their signatures. The key is test 1 of RFC 8032; the only manifest that it signed is
 * the one of corpus/receipt/signed.json, so nothing else may ever pass for signed by it.
 */
#include "fuzz_support.h"
#include "receipt/receipt.h"

static const uint8_t spki[RW_SPKI_SIZE] = {
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0xd7, 0x5a, 0x98,
    0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1,
    0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
static const char signed_manifest[] = "{\"factor\":4,\"gate\":null,\"note\":\"\xc3\xa9\"}";

static const rw_key *signer(void) {
    static rw_key *key;
    if (!key && rw_key_from_spki(fuzz_context(), spki, &key, NULL) != RW_OK)
        abort();
    return key;
}

static void must_be_the_signed_one(const rw_json *manifest) {
    rw_buf canonical = {.ctx = fuzz_context()};
    if (rw_canonical_json(fuzz_context(), manifest, &canonical, NULL) != RW_OK ||
        strcmp(canonical.data, signed_manifest) != 0)
        abort();
    rw_buf_free(&canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rw_arena arena = {.ctx = fuzz_context()};
    rw_error err = {0};
    rw_signature_check check;
    const rw_json *manifest = NULL;
    bool intact = false;
    if (rw_receipt_open(&arena, (rw_str){(const char *)data, size}, "receipt", &manifest, &intact,
                        &err) != RW_OK)
        fuzz_refused(&err);
    else if (rw_receipt_check_signature(fuzz_context(), manifest->parent, signer(), &check, &err) !=
             RW_OK)
        fuzz_refused(&err);
    else if (check.state == RW_SIGNATURE_VALID_EXPECTED)
        must_be_the_signed_one(manifest);
    rw_arena_free(&arena);
    return 0;
}
