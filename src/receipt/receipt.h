/*
 * receipt.h - canonical JSON, digests and signatures: a record of what was done that anyone can
 * check. JSON in, JSON out; knows nothing of models.
 */
#ifndef RW_RECEIPT_RECEIPT_H
#define RW_RECEIPT_RECEIPT_H

#include "base/base.h"
#include "base/hash.h"
#include "base/json.h"
#include "receipt/key.h"

/* RFC 8785: members sorted by UTF-16 code units, ECMAScript number text, minimal escapes.
   Numbers that are no IEEE double (too large) and lone surrogates are refused. */
rw_status rw_canonical_json(rw_context *ctx, const rw_json *node, rw_buf *out, rw_error *err);

/* Wraps a manifest (JSON text of an object) into a receipt file: {"schema":"ropewalk.receipt/1",
   "manifest":{...},"sha256":"..."}; the hash is over the manifest's canonical form. */
rw_status rw_receipt_seal(rw_context *ctx, rw_str manifest, rw_buf *out, rw_sha256 *digest,
                          rw_error *err);

/* Parses a receipt and checks its hash. *intact tells whether the manifest still has it; RW_ERR_
   INPUT only when it cannot be read as a receipt at all (receipt.syntax, receipt.schema: a newer
   schema is named). */
rw_status rw_receipt_open(rw_arena *arena, rw_str text, const char *where, const rw_json **manifest,
                          bool *intact, rw_error *err);

/* ---- parts.c --------------------------------------------------------------------------------- */

/* The manifest's last member, "parts":{"<member>":"<SHA-256 of its canonical form>",...}, written
   by `w` behind `members`: the manifest's text so far, without its closing brace. */
rw_status rw_receipt_write_parts(rw_context *ctx, rw_str members, rw_json_writer *w, rw_error *err);

/* For a manifest that lost its hash: the first member that no longer has the one "parts" states;
   empty when that can't be told. */
rw_status rw_receipt_changed_part(rw_context *ctx, const rw_json *manifest, rw_str *name,
                                  rw_error *err);

/* ---- signature.c ----------------------------------------------------------------------------- */

/* Puts a signature by `key` (a private one) into the sealed receipt in `receipt`, in the place of
   the one or the null that stands there; every other byte stays. */
rw_status rw_receipt_sign(rw_context *ctx, const rw_key *key, rw_buf *receipt, rw_error *err);

typedef enum rw_signature_state {
    RW_SIGNATURE_NONE,           /* there is none                                          */
    RW_SIGNATURE_VALID_EXPECTED, /* by the expected key: the only state that proves a signer */
    RW_SIGNATURE_VALID_UNKNOWN_SIGNER, /* holds, but only the receipt vouches for the key        */
    RW_SIGNATURE_INVALID,              /* damaged, or of another manifest                        */
    RW_SIGNATURE_WRONG_SIGNER          /* holds, but the expected key is another                 */
} rw_signature_state;

typedef struct rw_signature_check {
    rw_signature_state state;
    char signer[65]; /* fingerprint of the key whose signature holds, else "" */
    const char *why; /* static; what the state means here, without a full stop            */
} rw_signature_check;

/* `root` is the whole receipt (the parent of rw_receipt_open's manifest), `expected` may be NULL.
   The manifest is hashed anew, so the answer doesn't lean on the hash that the receipt states. A
   failure is only that there was no answer. */
rw_status rw_receipt_check_signature(rw_context *ctx, const rw_json *root, const rw_key *expected,
                                     rw_signature_check *out, rw_error *err);

#endif
