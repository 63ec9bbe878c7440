/*
 * signature.c - who vouches for a receipt.
 *
 * "signature":{"algorithm":"Ed25519","public_key":"...","signature":"...","signer":"..."}
 *
 * The signed message is the 32 bytes of the manifest's SHA-256. The key in the block is a
 * convenience: it tells damage from a stranger, and proves nothing about who signed.
 */
#include <string.h>

#include <openssl/evp.h>

#include "receipt/receipt.h"

static const char algorithm_name[] = "Ed25519";
enum { BASE64_MAX = 92, MEMBER_COUNT = 4 };

static rw_status hash_manifest(rw_context *ctx, const rw_json *manifest, rw_sha256 *digest,
                               rw_error *err) {
    rw_buf canonical = {.ctx = ctx};
    rw_status status = rw_canonical_json(ctx, manifest, &canonical, err);
    if (status == RW_OK)
        status = rw_sha256_bytes(ctx, (rw_str){canonical.data, canonical.size}, digest, err);
    rw_buf_free(&canonical);
    return status;
}

static rw_str message_of(const rw_sha256 *digest) {
    return (rw_str){(const char *)digest->bytes, sizeof digest->bytes};
}

/* ---- signing --------------------------------------------------------------------------------- */

static void put_base64(rw_json_writer *w, const char *name, const uint8_t *bytes, int size) {
    char text[BASE64_MAX];
    EVP_EncodeBlock((unsigned char *)text, bytes, size);
    rw_json_member_string(w, name, text);
}

static void put_block(rw_buf *out, const rw_key *key, const uint8_t signature[RW_SIGNATURE_SIZE]) {
    rw_json_writer w = {.out = out};
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "algorithm", algorithm_name);
    put_base64(&w, "public_key", rw_key_spki(key), RW_SPKI_SIZE);
    put_base64(&w, "signature", signature, RW_SIGNATURE_SIZE);
    rw_json_member_string(&w, "signer", rw_key_fingerprint(key));
    rw_json_end_object(&w);
}

static rw_status sign_into(rw_arena *arena, const rw_key *key, rw_str receipt, rw_buf *out,
                           rw_error *err) {
    const rw_json *manifest = NULL;
    bool intact = false;
    rw_sha256 digest;
    uint8_t signature[RW_SIGNATURE_SIZE];
    RW_TRY(rw_receipt_open(arena, receipt, "receipt", &manifest, &intact, err));
    const rw_json *place = rw_json_get(manifest->parent, "signature");
    if (!intact || !place)
        return rw_fail(err, RW_ERR_INPUT, "receipt.not_sealed", "receipt",
                       "Only a receipt whose hash holds, with a place for a signature, is signed.");
    RW_TRY(hash_manifest(arena->ctx, manifest, &digest, err));
    RW_TRY(rw_key_sign(key, message_of(&digest), signature, err));
    rw_buf_append(out, receipt.data, (size_t)place->begin);
    put_block(out, key, signature);
    rw_buf_append(out, receipt.data + place->end, receipt.size - (size_t)place->end);
    return rw_buf_status(out, err);
}

rw_status rw_receipt_sign(rw_context *ctx, const rw_key *key, rw_buf *receipt, rw_error *err) {
    rw_arena arena = {.ctx = ctx};
    rw_buf out = {.ctx = ctx};
    rw_status status = sign_into(&arena, key, (rw_str){receipt->data, receipt->size}, &out, err);
    rw_arena_free(&arena);
    if (status != RW_OK) {
        rw_buf_free(&out);
        return status;
    }
    rw_buf_free(receipt);
    *receipt = out;
    return RW_OK;
}

/* ---- checking -------------------------------------------------------------------------------- */

/* Exactly `size` bytes in the one spelling that base64 has for them: the decoder also takes white
   space and stray bits before the padding, and then a changed byte would go unnoticed. */
static bool read_base64(const rw_json *node, uint8_t *out, int size) {
    unsigned char bytes[BASE64_MAX];
    char again[BASE64_MAX];
    size_t length = (size_t)(size + 2) / 3 * 4;
    if (!node || node->type != RW_JSON_STRING || node->string.size != length)
        return false;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)node->string.data, (int)length) < size)
        return false;
    EVP_EncodeBlock((unsigned char *)again, bytes, size);
    memcpy(out, bytes, (size_t)size);
    return memcmp(again, node->string.data, length) == 0;
}

/* What the block says; `why` stays NULL when it can be checked. */
typedef struct claim {
    uint8_t spki[RW_SPKI_SIZE];
    uint8_t signature[RW_SIGNATURE_SIZE];
    rw_str signer;
    const char *why;
} claim;

static claim read_claim(const rw_json *block) {
    claim c = {.signer = rw_json_string_or(rw_json_get(block, "signer"), "")};
    if (block->type != RW_JSON_OBJECT)
        c.why = "the signature is no object";
    else if (!rw_str_is(rw_json_string_or(rw_json_get(block, "algorithm"), ""), algorithm_name))
        c.why = "the signature's \"algorithm\" is not Ed25519";
    else if (!read_base64(rw_json_get(block, "public_key"), c.spki, RW_SPKI_SIZE))
        c.why = "the signature's \"public_key\" is damaged";
    else if (!read_base64(rw_json_get(block, "signature"), c.signature, RW_SIGNATURE_SIZE))
        c.why = "the signature's \"signature\" is damaged";
    else if (block->count != MEMBER_COUNT)
        c.why = "the signature has members that its schema does not know, or lacks one";
    return c;
}

/* For a signature that holds. */
static void compare_signers(const claim *c, const rw_key *key, const rw_key *expected,
                            rw_signature_check *out) {
    const char *signer = rw_key_fingerprint(key);
    if (!rw_str_is(c->signer, signer)) {
        out->why = "the signature's \"signer\" is not the fingerprint of its public key";
        return;
    }
    memcpy(out->signer, signer, sizeof out->signer);
    if (!expected) {
        out->state = RW_SIGNATURE_VALID_UNKNOWN_SIGNER;
        out->why = "unknown signer: only the receipt itself names this key, so the signature "
                   "proves nothing until the expected public key is given";
    } else if (strcmp(signer, rw_key_fingerprint(expected)) != 0) {
        out->state = RW_SIGNATURE_WRONG_SIGNER;
        out->why = "signed, but by another key than the expected one";
    } else {
        out->state = RW_SIGNATURE_VALID_EXPECTED;
        out->why = "signed by the expected key";
    }
}

static rw_status check_claim(rw_context *ctx, const claim *c, const rw_json *manifest,
                             const rw_key *expected, rw_signature_check *out, rw_error *err) {
    rw_sha256 digest;
    rw_key *key = NULL;
    rw_error inner;
    bool valid = false;
    RW_TRY(hash_manifest(ctx, manifest, &digest, err));
    rw_status status = rw_key_from_spki(ctx, c->spki, &key, &inner);
    if (status == RW_ERR_INPUT) {
        out->why = "the signature's \"public_key\" is no Ed25519 key";
        return RW_OK;
    }
    if (status == RW_OK)
        status = rw_key_verify(key, message_of(&digest), c->signature, &valid, &inner);
    if (status == RW_OK && valid)
        compare_signers(c, key, expected, out);
    rw_key_free(key);
    if (status != RW_OK && err)
        *err = inner;
    return status;
}

rw_status rw_receipt_check_signature(rw_context *ctx, const rw_json *root, const rw_key *expected,
                                     rw_signature_check *out, rw_error *err) {
    const rw_json *block = rw_json_get(root, "signature");
    const rw_json *manifest = rw_json_get(root, "manifest");
    *out = (rw_signature_check){.state = RW_SIGNATURE_NONE, .why = "the receipt is not signed"};
    if (rw_json_is_null(block))
        return RW_OK;
    claim c = read_claim(block);
    out->state = RW_SIGNATURE_INVALID;
    out->why = c.why ? c.why : "the signature does not belong to this manifest";
    if (c.why || !manifest)
        return RW_OK;
    return check_claim(ctx, &c, manifest, expected, out, err);
}
