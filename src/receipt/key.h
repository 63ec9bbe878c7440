/*
 * key.h - Ed25519 keys: made, written as PEM that stock OpenSSL reads, loaded with suspicion, used.
 */
#ifndef RW_RECEIPT_KEY_H
#define RW_RECEIPT_KEY_H

#include "base/base.h"

enum {
    RW_SIGNATURE_SIZE = 64, /* RFC 8032, R and S */
    RW_SPKI_SIZE = 44       /* RFC 8410: 12 bytes that say "Ed25519", 32 of the public key */
};

/* A key pair, or only its public half. */
typedef struct rw_key rw_key;

rw_status rw_key_generate(rw_context *ctx, rw_key **out, rw_error *err);

/* A PEM file's first block: PKCS#8 ("PRIVATE KEY") or SPKI ("PUBLIC KEY"). A private key must be
   the owner's alone. Nothing asks for a passphrase. Codes, all RW_ERR_INPUT: those of rw_file_open,
   file.too_large, receipt.key_permissions, key_syntax (no PEM), key_damaged, key_encrypted,
   key_type (not Ed25519), key_format (a key, but not in this form), key_public and key_private
   (the other half of a pair was given). */
rw_status rw_key_load_private(rw_context *ctx, const char *path, rw_key **out, rw_error *err);
rw_status rw_key_load_public(rw_context *ctx, const char *path, rw_key **out, rw_error *err);

/* From the one DER form that RFC 8410 allows for a public key; receipt.key_damaged otherwise. */
rw_status rw_key_from_spki(rw_context *ctx, const uint8_t spki[RW_SPKI_SIZE], rw_key **out,
                           rw_error *err);

void rw_key_free(rw_key *key); /* NULL is fine; secrets are wiped */

/* Appends PEM. The private one is a secret: hand in an empty buffer, so that growing leaves no
   copy behind, and wipe it (explicit_bzero) before it is freed. */
rw_status rw_key_private_pem(const rw_key *key, rw_buf *out, rw_error *err);
rw_status rw_key_public_pem(const rw_key *key, rw_buf *out, rw_error *err);

const uint8_t *rw_key_spki(const rw_key *key);     /* [RW_SPKI_SIZE] */
const char *rw_key_fingerprint(const rw_key *key); /* SHA-256 of the SPKI DER, 64 hex digits */

rw_status rw_key_sign(const rw_key *key, rw_str message, uint8_t signature[RW_SIGNATURE_SIZE],
                      rw_error *err);
/* The answer is in *valid; a failure is only that there was no answer. */
rw_status rw_key_verify(const rw_key *key, rw_str message,
                        const uint8_t signature[RW_SIGNATURE_SIZE], bool *valid, rw_error *err);

#endif
