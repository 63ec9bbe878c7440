/*
 * receipt.h - canonical JSON and digests: a record of what was done that anyone can check.
 * JSON in, JSON out; knows nothing of models.
 */
#ifndef RW_RECEIPT_RECEIPT_H
#define RW_RECEIPT_RECEIPT_H

#include "base/base.h"
#include "base/hash.h"
#include "base/json.h"

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

#endif
