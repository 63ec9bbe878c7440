/*
 * parts.c - which part of a manifest was changed.
 *
 * One hash over everything says that something differs. The manifest's member "parts" has the hash
 * of every other member's canonical form, so that the one that differs can be named.
 */
#include <string.h>

#include "receipt/receipt.h"

static const char parts_key[] = "parts";

static rw_status hash_part(rw_context *ctx, const rw_json *part, char hex[65], rw_error *err) {
    rw_buf canonical = {.ctx = ctx};
    rw_sha256 digest;
    rw_status status = rw_canonical_json(ctx, part, &canonical, err);
    if (status == RW_OK)
        status = rw_sha256_bytes(ctx, (rw_str){canonical.data, canonical.size}, &digest, err);
    if (status == RW_OK)
        rw_sha256_hex(&digest, hex);
    rw_buf_free(&canonical);
    return status;
}

static rw_status write_parts(rw_context *ctx, const rw_json *manifest, rw_json_writer *w,
                             rw_error *err) {
    char name[64], hex[65];
    rw_json_key(w, parts_key);
    rw_json_begin_object(w);
    for (const rw_json *part = manifest->first; part; part = part->next) {
        if (part->key.size >= sizeof name)
            return rw_fail(err, RW_ERR_INTERNAL, "receipt.manifest", "manifest",
                           "A member of a manifest has too long a name.");
        memcpy(name, part->key.data, part->key.size);
        name[part->key.size] = '\0';
        RW_TRY(hash_part(ctx, part, hex, err));
        rw_json_member_string(w, name, hex);
    }
    rw_json_end_object(w);
    return RW_OK;
}

rw_status rw_receipt_write_parts(rw_context *ctx, rw_str members, rw_json_writer *w,
                                 rw_error *err) {
    rw_arena arena = {.ctx = ctx};
    rw_buf whole = {.ctx = ctx};
    const rw_json *manifest = NULL;
    rw_buf_append(&whole, members.data, members.size);
    rw_buf_char(&whole, '}');
    rw_status status = rw_buf_status(&whole, err);
    if (status == RW_OK)
        status =
            rw_json_parse(&arena, (rw_str){whole.data, whole.size}, "manifest", &manifest, err);
    if (status == RW_OK)
        status = write_parts(ctx, manifest, w, err);
    rw_buf_free(&whole);
    rw_arena_free(&arena);
    return status;
}

static const rw_json *find(const rw_json *parts, rw_str name) {
    for (const rw_json *part = parts->first; part; part = part->next)
        if (rw_str_equal(part->key, name))
            return part;
    return NULL;
}

rw_status rw_receipt_changed_part(rw_context *ctx, const rw_json *manifest, rw_str *name,
                                  rw_error *err) {
    const rw_json *parts = rw_json_get(manifest, parts_key);
    *name = (rw_str){"", 0};
    if (!parts || parts->type != RW_JSON_OBJECT)
        return RW_OK;
    for (const rw_json *part = manifest->first; part; part = part->next) {
        char hex[65];
        if (part == parts)
            continue;
        RW_TRY(hash_part(ctx, part, hex, err));
        const rw_json *stated = find(parts, part->key);
        if (!stated || !rw_str_is(rw_json_string_or(stated, ""), hex)) {
            *name = part->key;
            return RW_OK;
        }
    }
    return RW_OK;
}
