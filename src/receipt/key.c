/*
 * key.c - Ed25519 keys through OpenSSL's EVP.
 *
 * PEM and its DER are told apart here rather than by OpenSSL's guessing readers: they would prompt
 * for a passphrase, and say "unsupported" to everything that is wrong. OpenSSL's queue of errors
 * belongs to the caller's thread, so every function leaves it as it was.
 */
#include <string.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "base/hash.h"
#include "receipt/key.h"

enum {
    KEY_FILE_MAX = 16384, /* an Ed25519 key has 119 bytes; some tools print it in words too */
    RAW_SIZE = 32,
    SPKI_PREFIX = RW_SPKI_SIZE - RAW_SIZE
};

struct rw_key {
    rw_context *ctx;
    EVP_PKEY *pkey;
    bool secret; /* holds the private half */
    uint8_t spki[RW_SPKI_SIZE];
    char fingerprint[65];
};

/* RFC 8410 section 4: SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes }. */
static const uint8_t spki_prefix[SPKI_PREFIX] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static rw_status fail_library(rw_error *err, const char *what) {
    return rw_fail(err, RW_ERR_INTERNAL, "receipt.crypto", NULL,
                   "The cryptographic library could not %s (does it offer Ed25519?).", what);
}

/* ---- making ---------------------------------------------------------------------------------- */

static rw_status describe_key(rw_key *key, rw_error *err) {
    rw_sha256 digest;
    size_t size = RAW_SIZE;
    memcpy(key->spki, spki_prefix, SPKI_PREFIX);
    if (EVP_PKEY_get_raw_public_key(key->pkey, key->spki + SPKI_PREFIX, &size) != 1 ||
        size != RAW_SIZE)
        return fail_library(err, "tell a public key");
    RW_TRY(
        rw_sha256_bytes(key->ctx, (rw_str){(const char *)key->spki, RW_SPKI_SIZE}, &digest, err));
    rw_sha256_hex(&digest, key->fingerprint);
    return RW_OK;
}

/* Takes over `pkey`, also on failure. */
static rw_status wrap(rw_context *ctx, EVP_PKEY *pkey, bool secret, rw_key **out, rw_error *err) {
    rw_key *key = rw_calloc(ctx, 1, sizeof *key);
    if (!key) {
        EVP_PKEY_free(pkey);
        return rw_fail_memory(err, "key", sizeof *key);
    }
    *key = (rw_key){.ctx = ctx, .pkey = pkey, .secret = secret};
    rw_status status = describe_key(key, err);
    if (status == RW_OK)
        *out = key;
    else
        rw_key_free(key);
    return status;
}

rw_status rw_key_generate(rw_context *ctx, rw_key **out, rw_error *err) {
    *out = NULL;
    ERR_set_mark();
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ERR_pop_to_mark();
    return pkey ? wrap(ctx, pkey, true, out, err) : fail_library(err, "make a key");
}

rw_status rw_key_from_spki(rw_context *ctx, const uint8_t spki[RW_SPKI_SIZE], rw_key **out,
                           rw_error *err) {
    *out = NULL;
    if (memcmp(spki, spki_prefix, SPKI_PREFIX) != 0)
        return rw_fail(err, RW_ERR_INPUT, "receipt.key_damaged", NULL,
                       "This is not the DER form of an Ed25519 public key.");
    ERR_set_mark();
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, spki + SPKI_PREFIX, RAW_SIZE);
    ERR_pop_to_mark();
    return pkey ? wrap(ctx, pkey, false, out, err) : fail_library(err, "take a public key");
}

void rw_key_free(rw_key *key) {
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    rw_free(key->ctx, key);
}

const uint8_t *rw_key_spki(const rw_key *key) {
    return key->spki;
}

const char *rw_key_fingerprint(const rw_key *key) {
    return key->fingerprint;
}

/* ---- reading a file -------------------------------------------------------------------------- */

static rw_status check_permissions(const rw_file *file, rw_error *err) {
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return rw_fail(err, RW_ERR_INPUT, "file.read", file->path,
                       "Its permissions cannot be read.");
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "receipt.key_permissions", file->path,
                   "Others than the owner of this private key have access to it (mode %04o): run "
                   "\"chmod 600\" on it, and make a new key if somebody may have read it.",
                   (unsigned)(info.st_mode & 07777));
}

static rw_status read_text(const rw_file *file, char *text, size_t *size, rw_error *err) {
    if (file->size > KEY_FILE_MAX)
        return rw_fail(err, RW_ERR_INPUT, "file.too_large", file->path,
                       "It has %llu bytes, and at most %d are taken for a key: this is another "
                       "file.",
                       (unsigned long long)file->size, KEY_FILE_MAX);
    *size = (size_t)file->size;
    return rw_file_read(file, 0, text, *size, err);
}

/* ---- PEM ------------------------------------------------------------------------------------- */

typedef struct pem_block {
    char *label, *header;
    unsigned char *der;
    long size;
} pem_block;

/* What a kind of key looks like, and what is said when its other half comes instead. */
typedef struct key_kind {
    bool secret;
    const char *label, *other_label;
    const char *other_code, *other_text;
    EVP_PKEY *(*decode)(const unsigned char **der, long size);
} key_kind;

static EVP_PKEY *decode_private(const unsigned char **der, long size) {
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, der, size);
    EVP_PKEY *pkey = info ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

static EVP_PKEY *decode_public(const unsigned char **der, long size) {
    return d2i_PUBKEY(NULL, der, size);
}

static const key_kind private_kind = {
    true,
    "PRIVATE KEY",
    "PUBLIC KEY",
    "receipt.key_public",
    "This is a public key; signing takes the private one of the pair.",
    decode_private,
};

static const key_kind public_kind = {
    false,
    "PUBLIC KEY",
    "PRIVATE KEY",
    "receipt.key_private",
    "This is a private key, which only its owner should hold; what checks a signature is the "
    "public key of the pair (\"openssl pkey -in KEY -pubout\" prints it).",
    decode_public,
};

static const struct {
    const char *label, *code, *text;
} foreign_labels[] = {
    {"ENCRYPTED PRIVATE KEY", "receipt.key_encrypted", NULL},
    {"RSA PRIVATE KEY", "receipt.key_type", "This is an RSA key"},
    {"RSA PUBLIC KEY", "receipt.key_type", "This is an RSA key"},
    {"EC PRIVATE KEY", "receipt.key_type", "This is an ECDSA key"},
    {"EC PARAMETERS", "receipt.key_type", "This is an ECDSA key"},
    {"DSA PRIVATE KEY", "receipt.key_type", "This is a DSA key"},
    {"OPENSSH PRIVATE KEY", "receipt.key_format", "This is a key in OpenSSH's own form"},
    {"CERTIFICATE", "receipt.key_format",
     "This is a certificate (\"openssl x509 -pubkey -noout\" prints its key)"},
};

static rw_status fail_encrypted(rw_error *err, const char *path) {
    return rw_fail(
        err, RW_ERR_INPUT, "receipt.key_encrypted", path,
        "The key is encrypted, and nobody is asked for a passphrase here: \"openssl pkey "
        "-in KEY -out PLAIN\" writes it decrypted.");
}

static rw_status fail_label(rw_error *err, const char *path, const char *label,
                            const key_kind *kind) {
    const char *code = "receipt.key_format", *text = "This PEM file holds something else";
    if (strcmp(label, kind->other_label) == 0)
        return rw_fail(err, RW_ERR_INPUT, kind->other_code, path, "%s", kind->other_text);
    for (size_t i = 0; i < sizeof foreign_labels / sizeof *foreign_labels; i++)
        if (strcmp(label, foreign_labels[i].label) == 0) {
            code = foreign_labels[i].code;
            text = foreign_labels[i].text;
        }
    if (!text)
        return fail_encrypted(err, path);
    return rw_fail(err, RW_ERR_INPUT, code, path,
                   "%s; an Ed25519 key in a \"%s\" block is wanted (\"ropewalk keygen\" makes a "
                   "pair).",
                   text, kind->label);
}

static rw_status fail_damaged(rw_error *err, const char *path) {
    return rw_fail(err, RW_ERR_INPUT, "receipt.key_damaged", path,
                   "The key is damaged or ends early, or is of a type unknown here: fetch it "
                   "again.");
}

static rw_status fail_pem(rw_error *err, const char *path, const char *text, size_t size) {
    static const char begin[] = "-----BEGIN ";
    if (memmem(text, size, begin, sizeof begin - 1))
        return fail_damaged(err, path);
    return rw_fail(err, RW_ERR_INPUT, "receipt.key_syntax", path,
                   "This is no key in PEM form: there is no line that begins with \"-----BEGIN\".");
}

/* The key of the block, when it is what `kind` wants. */
static rw_status decode_block(const pem_block *block, const char *path, const key_kind *kind,
                              EVP_PKEY **out, rw_error *err) {
    const unsigned char *at = block->der;
    if (strstr(block->header, "ENCRYPTED")) /* RFC 1421's way, before PKCS#8 */
        return fail_encrypted(err, path);
    if (strcmp(block->label, kind->label) != 0)
        return fail_label(err, path, block->label, kind);
    EVP_PKEY *pkey = kind->decode(&at, block->size);
    rw_status status = RW_OK;
    if (!pkey || at != block->der + block->size)
        status = fail_damaged(err, path);
    else if (EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519)
        status = rw_fail(err, RW_ERR_INPUT, "receipt.key_type", path,
                         "This is a key of the type %s; an Ed25519 key is wanted (\"ropewalk "
                         "keygen\" makes a pair).",
                         EVP_PKEY_get0_type_name(pkey) ? EVP_PKEY_get0_type_name(pkey) : "unknown");
    if (status == RW_OK)
        *out = pkey;
    else
        EVP_PKEY_free(pkey);
    return status;
}

static rw_status decode_text(const char *text, size_t size, const char *path, const key_kind *kind,
                             EVP_PKEY **out, rw_error *err) {
    static const unsigned flags = PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE;
    pem_block block = {0};
    BIO *bio = BIO_new_mem_buf(text, (int)size);
    if (!bio)
        return rw_fail_memory(err, path, size);
    rw_status status;
    if (PEM_read_bio_ex(bio, &block.label, &block.header, &block.der, &block.size, flags) == 1) {
        status = decode_block(&block, path, kind, out, err);
        OPENSSL_secure_free(block.label);
        OPENSSL_secure_free(block.header);
        OPENSSL_secure_clear_free(block.der, (size_t)block.size);
    } else
        status = fail_pem(err, path, text, size);
    BIO_free(bio);
    return status;
}

static rw_status load(rw_context *ctx, const char *path, const key_kind *kind, rw_key **out,
                      rw_error *err) {
    char text[KEY_FILE_MAX];
    size_t size = 0;
    EVP_PKEY *pkey = NULL;
    rw_file file;
    *out = NULL;
    RW_TRY(rw_file_open(ctx, path, &file, err));
    rw_status status = read_text(&file, text, &size, err);
    ERR_set_mark();
    if (status == RW_OK)
        status = decode_text(text, size, path, kind, &pkey, err);
    ERR_pop_to_mark();
    OPENSSL_cleanse(text, size);
    /* Only now is it known to be a private key: a public one may be anybody's. */
    if (status == RW_OK && kind->secret)
        status = check_permissions(&file, err);
    rw_file_close(&file);
    if (status == RW_OK)
        return wrap(ctx, pkey, kind->secret, out, err);
    EVP_PKEY_free(pkey);
    return status;
}

rw_status rw_key_load_private(rw_context *ctx, const char *path, rw_key **out, rw_error *err) {
    return load(ctx, path, &private_kind, out, err);
}

rw_status rw_key_load_public(rw_context *ctx, const char *path, rw_key **out, rw_error *err) {
    return load(ctx, path, &public_kind, out, err);
}

/* ---- writing PEM ----------------------------------------------------------------------------- */

static rw_status write_pem(const rw_key *key, bool secret, rw_buf *out, rw_error *err) {
    char *text = NULL;
    ERR_set_mark();
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    int good =
        bio && (secret ? PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL)
                       : PEM_write_bio_PUBKEY(bio, key->pkey));
    long size = good == 1 ? BIO_get_mem_data(bio, &text) : 0;
    if (size > 0)
        rw_buf_append(out, text, (size_t)size);
    BIO_free(bio);
    ERR_pop_to_mark();
    return size > 0 ? rw_buf_status(out, err) : fail_library(err, "write a key as PEM");
}

rw_status rw_key_private_pem(const rw_key *key, rw_buf *out, rw_error *err) {
    if (!key->secret)
        return rw_fail(err, RW_ERR_INTERNAL, "receipt.key_public", NULL,
                       "A public key has no private half to write.");
    return write_pem(key, true, out, err);
}

rw_status rw_key_public_pem(const rw_key *key, rw_buf *out, rw_error *err) {
    return write_pem(key, false, out, err);
}

/* ---- using ----------------------------------------------------------------------------------- */

rw_status rw_key_sign(const rw_key *key, rw_str message, uint8_t signature[RW_SIGNATURE_SIZE],
                      rw_error *err) {
    size_t size = RW_SIGNATURE_SIZE;
    if (!key->secret)
        return rw_fail(err, RW_ERR_INTERNAL, "receipt.key_public", NULL,
                       "A public key cannot sign.");
    ERR_set_mark();
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest && EVP_DigestSignInit(digest, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(digest, signature, &size, (const unsigned char *)message.data,
                               message.size) == 1 &&
                size == RW_SIGNATURE_SIZE;
    EVP_MD_CTX_free(digest);
    ERR_pop_to_mark();
    return good ? RW_OK : fail_library(err, "sign");
}

rw_status rw_key_verify(const rw_key *key, rw_str message,
                        const uint8_t signature[RW_SIGNATURE_SIZE], bool *valid, rw_error *err) {
    *valid = false;
    ERR_set_mark();
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool ready = digest && EVP_DigestVerifyInit(digest, NULL, NULL, NULL, key->pkey) == 1;
    if (ready)
        *valid = EVP_DigestVerify(digest, signature, RW_SIGNATURE_SIZE,
                                  (const unsigned char *)message.data, message.size) == 1;
    EVP_MD_CTX_free(digest);
    ERR_pop_to_mark();
    return ready ? RW_OK : fail_library(err, "check a signature");
}
