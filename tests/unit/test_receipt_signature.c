/*
 * test_receipt_signature.c - Ed25519 keys and signatures: RFC 8032's vectors, every wrong key file,
 * every changed byte.
 *
 * With arguments it is a tool for tests/cli/openssl_signature.sh (see `tools` at the end).
 */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base_support.h"

#include "receipt/receipt.h"

static const char manifest[] = "{\"tool\":{\"version\":\"0.1.0\"},\"plan\":{\"method\":\"yarn\","
                               "\"factor\":4.0},\"gate\":null}";

/* ---- helpers --------------------------------------------------------------------------------- */

static size_t from_hex(const char *hex, uint8_t *out) {
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return size;
}

static const char *put_key(const char *name, const char *text, size_t size, mode_t mode) {
    const char *path = scratch_path(name);
    put_file(path, text, size);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static const char *put_text(const char *name, const char *text) {
    return put_key(name, text, strlen(text), 0600);
}

static rw_key *new_key(rw_context *ctx) {
    rw_error err = {0};
    rw_key *key = NULL;
    assert_ok(rw_key_generate(ctx, &key, &err));
    return key;
}

/* The path of a file with the PEM of the private or the public half. */
static const char *save_key(rw_context *ctx, const rw_key *key, const char *name, bool secret) {
    rw_error err = {0};
    rw_buf pem = {.ctx = ctx};
    assert_ok(secret ? rw_key_private_pem(key, &pem, &err) : rw_key_public_pem(key, &pem, &err));
    const char *path = put_key(name, pem.data, pem.size, secret ? 0600 : 0644);
    rw_buf_free(&pem);
    return path;
}

static void sign_manifest(rw_context *ctx, const rw_key *key, rw_buf *out) {
    rw_error err = {0};
    rw_sha256 digest;
    *out = (rw_buf){.ctx = ctx};
    assert_ok(rw_receipt_seal(ctx, rw_str_of(manifest), out, &digest, &err));
    if (key)
        assert_ok(rw_receipt_sign(ctx, key, out, &err));
}

/* RW_SIGNATURE_INVALID too for what can't be opened or has another hash than it states. */
static rw_signature_state state_of(rw_context *ctx, rw_str receipt, const rw_key *expected) {
    rw_arena arena = {.ctx = ctx};
    rw_signature_check check = {.state = RW_SIGNATURE_INVALID};
    const rw_json *body = NULL;
    bool intact = false;
    rw_error err = {0};
    if (rw_receipt_open(&arena, receipt, "receipt", &body, &intact, NULL) == RW_OK && intact) {
        assert_ok(rw_receipt_check_signature(ctx, body->parent, expected, &check, &err));
        assert_non_null(check.why);
    }
    rw_arena_free(&arena);
    return check.state;
}

static rw_str buf_str(const rw_buf *buf) {
    return (rw_str){buf->data, buf->size};
}

/* ---- the algorithm --------------------------------------------------------------------------- */

/* RFC 8032 section 7.1: tests 1, 2, 3 and SHA(abc). */
static const struct {
    const char *seed, *public_key, *message, *signature;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
     "b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
     "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
     "c6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe"
     "ebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431"
     "e0303dca179c138ac17ad9bef1177331a704"},
};

/* RFC 8410 section 7: the seed in PKCS#8. */
static const char *put_seed(const char *name, const char *seed) {
    uint8_t der[48];
    char base64[80], pem[160];
    size_t size = from_hex("302e020100300506032b657004220420", der);
    size += from_hex(seed, der + size);
    EVP_EncodeBlock((unsigned char *)base64, der, (int)size);
    snprintf(pem, sizeof pem, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n",
             base64);
    return put_text(name, pem);
}

static void test_rfc8032(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t message[64], wanted[RW_SIGNATURE_SIZE], got[RW_SIGNATURE_SIZE], raw[32];
        rw_str text = {(const char *)message, from_hex(vectors[i].message, message)};
        rw_key *key = NULL, *public_key = NULL;
        bool valid = false;
        from_hex(vectors[i].signature, wanted);
        from_hex(vectors[i].public_key, raw);
        assert_ok(rw_key_load_private(ctx, put_seed("rfc", vectors[i].seed), &key, &err));
        assert_memory_equal(rw_key_spki(key) + 12, raw, sizeof raw);
        assert_ok(rw_key_sign(key, text, got, &err));
        assert_memory_equal(got, wanted, sizeof wanted);
        assert_ok(rw_key_from_spki(ctx, rw_key_spki(key), &public_key, &err));
        assert_ok(rw_key_verify(public_key, text, wanted, &valid, &err));
        assert_true(valid);
        wanted[i] ^= 1;
        assert_ok(rw_key_verify(public_key, text, wanted, &valid, &err));
        assert_false(valid);
        rw_key_free(public_key);
        rw_key_free(key);
    }
    rw_context_free(ctx);
}

/* S + L signs the same message for who doesn't compare S with the group's order L. */
static void test_signature_is_not_malleable(void **state) {
    (void)state;
    static const char order[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_key *key = NULL;
    uint8_t signature[RW_SIGNATURE_SIZE], l[32];
    bool valid = true;
    unsigned carry = 0;
    from_hex(order, l);
    from_hex(vectors[0].signature, signature);
    for (size_t i = 0; i < sizeof l; i++) {
        carry += signature[32 + i] + l[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_ok(rw_key_load_private(ctx, put_seed("rfc", vectors[0].seed), &key, &err));
    assert_ok(rw_key_verify(key, (rw_str){"", 0}, signature, &valid, &err));
    assert_false(valid);
    rw_key_free(key);
    rw_context_free(ctx);
}

/* ---- key files ------------------------------------------------------------------------------- */

static void test_round_trip(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_key *key = new_key(ctx), *again = NULL, *public_key = NULL;
    uint8_t signature[RW_SIGNATURE_SIZE];
    bool valid = false;
    assert_ok(rw_key_load_private(ctx, save_key(ctx, key, "k", true), &again, &err));
    assert_ok(rw_key_load_public(ctx, save_key(ctx, key, "k.pub", false), &public_key, &err));
    assert_string_equal(rw_key_fingerprint(again), rw_key_fingerprint(key));
    assert_string_equal(rw_key_fingerprint(public_key), rw_key_fingerprint(key));
    assert_int_equal(strlen(rw_key_fingerprint(key)), 64);
    assert_ok(rw_key_sign(again, rw_str_of("x"), signature, &err));
    assert_ok(rw_key_verify(public_key, rw_str_of("x"), signature, &valid, &err));
    assert_true(valid);
    /* The public half can do no more than it should. */
    rw_buf pem = {.ctx = ctx};
    assert_int_equal(rw_key_sign(public_key, rw_str_of("x"), signature, &err), RW_ERR_INTERNAL);
    assert_int_equal(rw_key_private_pem(public_key, &pem, &err), RW_ERR_INTERNAL);
    assert_null(pem.data);
    rw_key_free(key);
    rw_key_free(again);
    rw_key_free(public_key);
    rw_context_free(ctx);
}

static void expect_load(bool secret, const char *path, const char *code) {
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_key *key = (rw_key *)1;
    rw_status status = secret ? rw_key_load_private(ctx, path, &key, &err)
                              : rw_key_load_public(ctx, path, &key, &err);
    assert_int_equal(status, RW_ERR_INPUT);
    assert_string_equal(err.code, code);
    assert_string_equal(err.where, path);
    assert_null(key);
    rw_context_free(ctx);
}

static void test_permissions(void **state) {
    (void)state;
    static const mode_t bad[] = {0604, 0640, 0644, 0660, 0602, 0610, 0666, 0777};
    static const mode_t good[] = {0600, 0400, 0700};
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_key *key = new_key(ctx), *loaded = NULL;
    const char *path = save_key(ctx, key, "mode", true);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        expect_load(true, path, "receipt.key_permissions");
    }
    assert_int_equal(rw_key_load_private(ctx, path, &loaded, &err), RW_ERR_INPUT);
    assert_non_null(strstr(err.message, "chmod 600"));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(chmod(path, good[i]), 0);
        assert_ok(rw_key_load_private(ctx, path, &loaded, &err));
        rw_key_free(loaded);
    }
    rw_key_free(key);
    rw_context_free(ctx);
}

/* How OpenSSL writes the key, as a private file. */
typedef enum form { PLAIN, ENCRYPTED, TRADITIONAL, TRADITIONAL_ENCRYPTED, PUBLIC } form;

static const char *put_pkey(const char *name, EVP_PKEY *pkey, form how) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    char pass[] = "secret";
    int good = 0;
    assert_non_null(pkey);
    if (how == PUBLIC)
        good = PEM_write_bio_PUBKEY(bio, pkey);
    else if (how == TRADITIONAL || how == TRADITIONAL_ENCRYPTED)
        good = PEM_write_bio_PrivateKey_traditional(
            bio, pkey, how == TRADITIONAL ? NULL : EVP_aes_128_cbc(), (unsigned char *)pass,
            how == TRADITIONAL ? 0 : 6, NULL, NULL);
    else
        good = PEM_write_bio_PKCS8PrivateKey(bio, pkey, how == ENCRYPTED ? EVP_aes_128_cbc() : NULL,
                                             pass, 6, NULL, NULL);
    assert_int_equal(good, 1);
    long size = BIO_get_mem_data(bio, &text);
    const char *path = put_key(name, text, (size_t)size, 0600);
    BIO_free(bio);
    return path;
}

static void test_other_keys(void **state) {
    (void)state;
    static const struct {
        const char *type;
        const char *parameter;
    } types[] = {{"RSA", NULL}, {"EC", "P-256"}, {"ED448", NULL}, {"X25519", NULL}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        EVP_PKEY *pkey = i == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024)
                                : EVP_PKEY_Q_keygen(NULL, NULL, types[i].type, types[i].parameter);
        expect_load(true, put_pkey("other", pkey, PLAIN), "receipt.key_type");
        expect_load(false, put_pkey("other", pkey, PUBLIC), "receipt.key_type");
        expect_load(true, put_pkey("other", pkey, ENCRYPTED), "receipt.key_encrypted");
        if (i < 2) {
            expect_load(true, put_pkey("other", pkey, TRADITIONAL), "receipt.key_type");
            expect_load(true, put_pkey("other", pkey, TRADITIONAL_ENCRYPTED),
                        "receipt.key_encrypted");
        }
        EVP_PKEY_free(pkey);
    }
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    expect_load(true, put_pkey("e", pkey, ENCRYPTED), "receipt.key_encrypted");
    expect_load(false, put_pkey("e", pkey, ENCRYPTED), "receipt.key_encrypted");
    expect_load(true, put_pkey("e", pkey, PUBLIC), "receipt.key_public");
    expect_load(false, put_pkey("e", pkey, PLAIN), "receipt.key_private");
    EVP_PKEY_free(pkey);
}

static void test_no_keys(void **state) {
    (void)state;
    static char huge[20000];
    memset(huge, 'A', sizeof huge);
    for (int secret = 0; secret < 2; secret++) {
        expect_load(secret, scratch_path("absent"), "file.missing");
        expect_load(secret, scratch, "file.not_regular");
        expect_load(secret, put_text("n", ""), "receipt.key_syntax");
        expect_load(secret, put_text("n", "hello"), "receipt.key_syntax");
        expect_load(secret, put_key("n", "\0\xff\x80", 3, 0600), "receipt.key_syntax");
        expect_load(secret, put_key("n", huge, sizeof huge, 0600), "file.too_large");
        expect_load(secret,
                    put_text("n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
                                  "-----END OPENSSH PRIVATE KEY-----\n"),
                    "receipt.key_format");
        expect_load(secret,
                    put_text("n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                    "receipt.key_format");
        expect_load(secret, put_text("n", "-----BEGIN POEM-----\nAAAA\n-----END POEM-----\n"),
                    "receipt.key_format");
    }
}

/* Cut anywhere, or with trailing DER, it is no key; nothing reads past the end. */
static void test_truncated(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_key *key = new_key(ctx);
    rw_error err = {0};
    for (int secret = 0; secret < 2; secret++) {
        rw_buf pem = {.ctx = ctx};
        assert_ok(secret ? rw_key_private_pem(key, &pem, &err)
                         : rw_key_public_pem(key, &pem, &err));
        const char *last = strstr(pem.data, "-----END");
        for (const char *end = pem.data; end < last + 8; end++) {
            rw_key *loaded = NULL;
            const char *path = put_key("cut", pem.data, (size_t)(end - pem.data), 0600);
            rw_status status = secret ? rw_key_load_private(ctx, path, &loaded, &err)
                                      : rw_key_load_public(ctx, path, &loaded, &err);
            assert_int_equal(status, RW_ERR_INPUT);
            assert_null(loaded);
            assert_string_equal(err.code,
                                end - pem.data < 11 ? "receipt.key_syntax" : "receipt.key_damaged");
        }
        rw_buf_free(&pem);
    }
    rw_key_free(key);
    rw_context_free(ctx);
}

static void test_trailing_der(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_key *key = new_key(ctx);
    uint8_t der[RW_SPKI_SIZE + 1] = {0};
    char base64[80], pem[160];
    memcpy(der, rw_key_spki(key), RW_SPKI_SIZE);
    EVP_EncodeBlock((unsigned char *)base64, der, sizeof der);
    snprintf(pem, sizeof pem, "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", base64);
    expect_load(false, put_text("tail", pem), "receipt.key_damaged");
    rw_key_free(key);
    rw_context_free(ctx);
}

/* Every refused allocation is an error without a leak. */
static void test_out_of_memory(void **state) {
    (void)state;
    meter m = {.left = -1};
    rw_context *ctx = meter_context(&m);
    rw_error err = {0};
    rw_key *key = new_key(ctx);
    const char *path = save_key(ctx, key, "memory", true);
    rw_buf receipt;
    rw_status status = RW_ERR_MEMORY;
    sign_manifest(ctx, NULL, &receipt);
    long alive = m.alive;
    for (long grant = 0; status != RW_OK; grant++) {
        rw_key *loaded = NULL;
        m.left = grant;
        status = rw_key_load_private(ctx, path, &loaded, &err);
        if (status == RW_OK)
            status = rw_receipt_sign(ctx, loaded, &receipt, &err);
        rw_key_free(loaded);
        m.left = -1;
        if (status != RW_OK) {
            assert_int_equal(status, RW_ERR_MEMORY);
            assert_int_equal(m.alive, alive);
        }
    }
    assert_int_equal(state_of(ctx, buf_str(&receipt), key), RW_SIGNATURE_VALID_EXPECTED);
    rw_buf_free(&receipt);
    rw_key_free(key);
    rw_context_free(ctx);
}

/* ---- signed receipts ------------------------------------------------------------------------- */

static void test_states(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_key *key = new_key(ctx), *stranger = new_key(ctx);
    rw_buf bare, receipt;
    sign_manifest(ctx, NULL, &bare);
    assert_int_equal(state_of(ctx, buf_str(&bare), NULL), RW_SIGNATURE_NONE);
    assert_int_equal(state_of(ctx, buf_str(&bare), key), RW_SIGNATURE_NONE);
    sign_manifest(ctx, key, &receipt);
    assert_int_equal(state_of(ctx, buf_str(&receipt), key), RW_SIGNATURE_VALID_EXPECTED);
    assert_int_equal(state_of(ctx, buf_str(&receipt), NULL), RW_SIGNATURE_VALID_UNKNOWN_SIGNER);
    assert_int_equal(state_of(ctx, buf_str(&receipt), stranger), RW_SIGNATURE_WRONG_SIGNER);
    /* All but the signature is as it was, and signing again replaces it. */
    assert_memory_equal(receipt.data, bare.data, bare.size - strlen("null}\n"));
    assert_ok(rw_receipt_sign(ctx, stranger, &receipt, &err));
    assert_int_equal(state_of(ctx, buf_str(&receipt), stranger), RW_SIGNATURE_VALID_EXPECTED);
    assert_int_equal(state_of(ctx, buf_str(&receipt), key), RW_SIGNATURE_WRONG_SIGNER);
    rw_buf_free(&bare);
    rw_buf_free(&receipt);
    rw_key_free(key);
    rw_key_free(stranger);
    rw_context_free(ctx);
}

static void test_every_flip_is_noticed(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_key *key = new_key(ctx);
    rw_buf receipt;
    size_t unnoticed = 0;
    sign_manifest(ctx, key, &receipt);
    for (size_t i = 0; i < 8 * receipt.size; i++) {
        receipt.data[i / 8] ^= (char)(1u << i % 8);
        if (state_of(ctx, buf_str(&receipt), key) == RW_SIGNATURE_VALID_EXPECTED)
            unnoticed++;
        receipt.data[i / 8] ^= (char)(1u << i % 8);
    }
    assert_int_equal(unnoticed, 0);
    assert_int_equal(state_of(ctx, buf_str(&receipt), key), RW_SIGNATURE_VALID_EXPECTED);
    rw_buf_free(&receipt);
    rw_key_free(key);
    rw_context_free(ctx);
}

/* A signature moved to another manifest whose own hash is right. */
static void test_transplant(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_key *key = new_key(ctx);
    rw_buf receipt, other = {.ctx = ctx}, forged = {.ctx = ctx};
    rw_sha256 digest;
    sign_manifest(ctx, key, &receipt);
    assert_ok(rw_receipt_seal(ctx, rw_str_of("{\"gate\":\"pass\"}"), &other, &digest, &err));
    rw_buf_append(&forged, other.data, (size_t)(strstr(other.data, "null}") - other.data));
    rw_buf_text(&forged, strstr(receipt.data, "{\"algorithm\""));
    assert_int_equal(state_of(ctx, buf_str(&forged), key), RW_SIGNATURE_INVALID);
    assert_int_equal(state_of(ctx, buf_str(&forged), NULL), RW_SIGNATURE_INVALID);
    rw_buf_free(&receipt);
    rw_buf_free(&other);
    rw_buf_free(&forged);
    rw_key_free(key);
    rw_context_free(ctx);
}

static void expect_invalid(rw_context *ctx, const rw_key *key, const char *block, const char *why) {
    rw_arena arena = {.ctx = ctx};
    rw_error err = {0};
    rw_signature_check check;
    const rw_json *root = NULL;
    const char *text = rw_arena_format(&arena, "{\"manifest\":{},\"signature\":%s}", block);
    assert_ok(rw_json_parse(&arena, rw_str_of(text), "receipt", &root, &err));
    assert_ok(rw_receipt_check_signature(ctx, root, key, &check, &err));
    assert_int_equal(check.state, RW_SIGNATURE_INVALID);
    assert_string_equal(check.signer, "");
    assert_non_null(strstr(check.why, why));
    rw_arena_free(&arena);
}

static void test_malformed_blocks(void **state) {
    (void)state;
    static const char key64[] = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    static const char other64[] = "MCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    static const char stray64[] = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURp=";
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    rw_key *key = new_key(ctx);
    char zero[89] = "";
    memset(zero, 'A', 86);
    strcat(zero, "==");
    static const char all[] =
        "{\"algorithm\":\"%s\",\"public_key\":\"%s\",\"signature\":\"%s\",\"signer\":\"s\"%s}";
    expect_invalid(ctx, key, "7", "no object");
    expect_invalid(ctx, key, "[]", "no object");
    expect_invalid(ctx, key, "{}", "algorithm");
    expect_invalid(ctx, key, rw_arena_format(&arena, all, "none", key64, zero, ""), "algorithm");
    expect_invalid(ctx, key, rw_arena_format(&arena, all, "Ed25519", "", zero, ""), "public_key");
    expect_invalid(ctx, key, rw_arena_format(&arena, all, "Ed25519", stray64, zero, ""),
                   "public_key");
    expect_invalid(ctx, key, rw_arena_format(&arena, all, "Ed25519", other64, zero, ""),
                   "no Ed25519 key");
    expect_invalid(ctx, key, rw_arena_format(&arena, all, "Ed25519", key64, "AA==", ""),
                   "\"signature\" is damaged");
    expect_invalid(ctx, key, rw_arena_format(&arena, all, "Ed25519", key64, zero, ",\"x\":1"),
                   "members");
    expect_invalid(ctx, key, rw_arena_format(&arena, all, "Ed25519", key64, zero, ""),
                   "does not belong");
    rw_arena_free(&arena);
    rw_key_free(key);
    rw_context_free(ctx);
}

/* The right signature under somebody else's name is invalid, and names nobody. */
static void test_false_name(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_key *key = new_key(ctx), *other = new_key(ctx);
    rw_buf receipt;
    sign_manifest(ctx, key, &receipt);
    memcpy(strstr(receipt.data, "\"signer\":\"") + 10, rw_key_fingerprint(other), 64);
    assert_int_equal(state_of(ctx, buf_str(&receipt), key), RW_SIGNATURE_INVALID);
    assert_int_equal(state_of(ctx, buf_str(&receipt), other), RW_SIGNATURE_INVALID);
    rw_buf_free(&receipt);
    rw_key_free(key);
    rw_key_free(other);
    rw_context_free(ctx);
}

static void test_signs_only_what_is_sealed(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_key *key = new_key(ctx);
    rw_buf receipt;
    sign_manifest(ctx, NULL, &receipt);
    char *digit = strstr(receipt.data, "\"sha256\":\"") + 10;
    *digit = *digit == '0' ? '1' : '0';
    size_t size = receipt.size;
    assert_int_equal(rw_receipt_sign(ctx, key, &receipt, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "receipt.not_sealed");
    assert_int_equal(receipt.size, size);
    rw_buf_free(&receipt);
    rw_key_free(key);
    rw_context_free(ctx);
}

/* ---- the tool -------------------------------------------------------------------------------- */

static rw_status tool_keygen(rw_context *ctx, char **path, rw_error *err) {
    rw_buf secret = {.ctx = ctx}, shared = {.ctx = ctx};
    rw_key *key = NULL;
    RW_TRY(rw_key_generate(ctx, &key, err));
    rw_status status = rw_key_private_pem(key, &secret, err);
    if (status == RW_OK)
        status = rw_key_public_pem(key, &shared, err);
    if (status == RW_OK)
        status = rw_file_write(ctx, path[0], buf_str(&secret), err);
    if (status == RW_OK)
        status = rw_file_write(ctx, path[1], buf_str(&shared), err);
    printf("%s\n", rw_key_fingerprint(key));
    rw_buf_free(&secret);
    rw_buf_free(&shared);
    rw_key_free(key);
    return status;
}

static rw_status tool_sign(rw_context *ctx, char **path, rw_error *err) {
    rw_buf text, receipt = {.ctx = ctx};
    rw_key *key = NULL;
    rw_sha256 digest;
    RW_TRY(rw_file_load(ctx, path[1], 1 << 20, &text, err));
    rw_status status = rw_receipt_seal(ctx, buf_str(&text), &receipt, &digest, err);
    if (status == RW_OK)
        status = rw_key_load_private(ctx, path[0], &key, err);
    if (status == RW_OK)
        status = rw_receipt_sign(ctx, key, &receipt, err);
    if (status == RW_OK)
        status = rw_file_write(ctx, path[2], buf_str(&receipt), err);
    rw_key_free(key);
    rw_buf_free(&text);
    rw_buf_free(&receipt);
    return status;
}

static rw_status tool_check(rw_context *ctx, char **path, rw_error *err) {
    static const char *const names[] = {"none", "valid", "unknown", "invalid", "wrong"};
    rw_buf text;
    rw_key *key = NULL;
    RW_TRY(rw_file_load(ctx, path[0], 1 << 20, &text, err));
    rw_status status = path[1] ? rw_key_load_public(ctx, path[1], &key, err) : RW_OK;
    if (status == RW_OK)
        printf("%s\n", names[state_of(ctx, buf_str(&text), key)]);
    rw_key_free(key);
    rw_buf_free(&text);
    return status;
}

static int run_tool(int count, char **arguments) {
    static const struct {
        const char *name;
        int arguments;
        rw_status (*run)(rw_context *ctx, char **path, rw_error *err);
    } tools[] = {
        {"keygen", 2, tool_keygen}, /* PRIVATE PUBLIC                    */
        {"sign", 3, tool_sign},     /* PRIVATE MANIFEST RECEIPT          */
        {"check", 1, tool_check},   /* RECEIPT [PUBLIC]: prints a state  */
    };
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_status status = RW_ERR_USAGE;
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (strcmp(arguments[0], tools[i].name) == 0 && count > tools[i].arguments)
            status = tools[i].run(ctx, arguments + 1, &err);
    if (status != RW_OK)
        fprintf(stderr, "%s: %s: %s\n", err.code, err.where, err.message);
    rw_context_free(ctx);
    return rw_status_exit_code(status);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8032),
        cmocka_unit_test(test_signature_is_not_malleable),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_no_keys),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_trailing_der),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_every_flip_is_noticed),
        cmocka_unit_test(test_transplant),
        cmocka_unit_test(test_malformed_blocks),
        cmocka_unit_test(test_false_name),
        cmocka_unit_test(test_signs_only_what_is_sealed),
    };
    if (argc > 1)
        return run_tool(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
