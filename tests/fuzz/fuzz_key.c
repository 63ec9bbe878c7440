/*
 * Key files, read as private and as public ones. What is taken must be written and taken again.
 * (corpus/key/private.pem is no secret: it is test 1 of RFC 8032.)
 */
#include <sys/stat.h>

#include "fuzz_support.h"
#include "receipt/key.h"

typedef rw_status (*loader)(rw_context *ctx, const char *path, rw_key **out, rw_error *err);
typedef rw_status (*writer)(const rw_key *key, rw_buf *out, rw_error *err);

static rw_key *load(loader read, const uint8_t *data, size_t size) {
    fuzz_file file = fuzz_file_make(data, size);
    rw_error err = {0};
    rw_key *key = NULL;
    if (fchmod(file.fd, S_IRUSR | S_IWUSR) != 0)
        abort();
    if (read(fuzz_context(), file.path, &key, &err) != RW_OK)
        fuzz_refused(&err);
    fuzz_file_free(&file);
    return key;
}

static void there_and_back(loader read, writer write_pem, const uint8_t *data, size_t size) {
    rw_buf pem = {.ctx = fuzz_context()};
    rw_key *key = load(read, data, size);
    if (key) {
        if (write_pem(key, &pem, NULL) != RW_OK)
            abort();
        rw_key *again = load(read, (const uint8_t *)pem.data, pem.size);
        if (!again || strcmp(rw_key_fingerprint(again), rw_key_fingerprint(key)) != 0)
            abort();
        rw_key_free(again);
    }
    rw_key_free(key);
    rw_buf_free(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    there_and_back(rw_key_load_private, rw_key_private_pem, data, size);
    there_and_back(rw_key_load_public, rw_key_public_pem, data, size);
    return 0;
}
