/*
 * receipt.c - a manifest in its envelope.
 *
 * {"schema":"ropewalk.receipt/1","manifest":{...},"sha256":"...","signature":null}
 *
 * The hash is over the manifest's canonical form, so white space and member order in the file
 * don't matter; every value does. `signature` is where a signature over that hash belongs.
 */
#include <string.h>

#include "receipt/receipt.h"

static const char schema_prefix[] = "ropewalk.receipt/";
static const char schema_name[] = "ropewalk.receipt/1";

static rw_status hash_manifest(rw_context *ctx, const rw_json *manifest, rw_buf *canonical,
                               rw_sha256 *digest, rw_error *err) {
    RW_TRY(rw_canonical_json(ctx, manifest, canonical, err));
    return rw_sha256_bytes(ctx, (rw_str){canonical->data, canonical->size}, digest, err);
}

static void put_envelope(rw_buf *out, rw_str manifest, const rw_sha256 *digest) {
    char hex[65];
    rw_sha256_hex(digest, hex);
    rw_json_writer w = {.out = out};
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", schema_name);
    rw_json_key(&w, "manifest");
    rw_json_raw(&w, manifest);
    rw_json_member_string(&w, "sha256", hex);
    rw_json_member_null(&w, "signature");
    rw_json_end_object(&w);
    rw_buf_char(out, '\n');
}

rw_status rw_receipt_seal(rw_context *ctx, rw_str manifest, rw_buf *out, rw_sha256 *digest,
                          rw_error *err) {
    rw_arena arena = {.ctx = ctx};
    rw_buf canonical = {.ctx = ctx};
    const rw_json *root = NULL;
    rw_status status = rw_json_parse(&arena, manifest, "manifest", &root, err);
    if (status == RW_OK && root->type != RW_JSON_OBJECT)
        status = rw_fail(err, RW_ERR_INTERNAL, "receipt.manifest", "manifest",
                         "A manifest must be a JSON object.");
    if (status == RW_OK)
        status = hash_manifest(ctx, root, &canonical, digest, err);
    if (status == RW_OK) {
        put_envelope(out, (rw_str){canonical.data, canonical.size}, digest);
        status = rw_buf_status(out, err);
    }
    rw_buf_free(&canonical);
    rw_arena_free(&arena);
    return status;
}

static rw_status fail_syntax(rw_error *err, const char *where, const char *what) {
    return rw_fail(err, RW_ERR_INPUT, "receipt.syntax", where,
                   "This is not a receipt of ropewalk: %s.", what);
}

static rw_status check_schema(const rw_json *root, const char *where, rw_error *err) {
    rw_str schema = rw_json_string_or(rw_json_get(root, "schema"), "");
    size_t prefix = sizeof schema_prefix - 1;
    if (rw_str_is(schema, schema_name))
        return RW_OK;
    if (schema.size < prefix || memcmp(schema.data, schema_prefix, prefix) != 0)
        return fail_syntax(err, where, "the member \"schema\" does not say so");
    return rw_fail(err, RW_ERR_INPUT, "receipt.schema", where,
                   "The receipt has the schema \"%.*s\"; this version of ropewalk reads \"%s\". "
                   "Use the version that wrote it, or a newer one.",
                   (int)(schema.size > 60 ? 60 : schema.size), schema.data, schema_name);
}

/* Members other than ours could claim what nothing covers. */
static rw_status check_members(const rw_json *root, const char *where, rw_error *err) {
    static const char *const known[] = {"schema", "manifest", "sha256", "signature"};
    for (const rw_json *member = root->first; member; member = member->next) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && !rw_str_is(member->key, known[i]))
            i++;
        if (i == sizeof known / sizeof *known)
            return rw_fail_at(err, RW_ERR_INPUT, "receipt.syntax", where, member->key_begin,
                              "The receipt has a member \"%.*s\" that its schema does not know.",
                              (int)(member->key.size > 60 ? 60 : member->key.size),
                              member->key.data);
    }
    return RW_OK;
}

rw_status rw_receipt_open(rw_arena *arena, rw_str text, const char *where, const rw_json **manifest,
                          bool *intact, rw_error *err) {
    const rw_json *root = NULL;
    rw_error inner;
    *manifest = NULL;
    *intact = false;
    rw_status status = rw_json_parse(arena, text, where, &root, &inner);
    if (status == RW_ERR_INPUT)
        return rw_fail_at(err, status, "receipt.syntax", where, inner.offset,
                          "This is not a receipt: %s", inner.message);
    if (status != RW_OK) {
        if (err)
            *err = inner;
        return status;
    }
    if (root->type != RW_JSON_OBJECT)
        return fail_syntax(err, where, "it is no JSON object");
    RW_TRY(check_schema(root, where, err));
    RW_TRY(check_members(root, where, err));
    const rw_json *body = rw_json_get(root, "manifest");
    const rw_json *stated = rw_json_get(root, "sha256");
    if (!body || body->type != RW_JSON_OBJECT)
        return fail_syntax(err, where, "the member \"manifest\" is missing or no object");
    if (!stated || stated->type != RW_JSON_STRING)
        return fail_syntax(err, where, "the member \"sha256\" is missing or no text");
    rw_buf canonical = {.ctx = arena->ctx};
    rw_sha256 digest;
    char hex[65];
    status = hash_manifest(arena->ctx, body, &canonical, &digest, err);
    rw_buf_free(&canonical);
    if (status != RW_OK)
        return status;
    rw_sha256_hex(&digest, hex);
    *intact = rw_str_is(stated->string, hex);
    *manifest = body;
    return RW_OK;
}
