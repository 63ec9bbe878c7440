/*
 * One tokenizer used from several threads at once (the name brings it under TSan in CI).
 */
#include "tokenizer_support.h"

#include <pthread.h>

typedef struct work {
    rw_context *ctx;
    const rw_tokenizer *tokenizer;
    rw_str text;
    size_t count;
} work;

static void *encode_often(void *argument) {
    work *w = argument;
    for (int i = 0; i < 20; i++) {
        int32_t *ids = NULL;
        if (rw_tokenizer_encode(w->tokenizer, w->text, 0, &ids, &w->count, NULL) != RW_OK)
            w->count = 0;
        rw_free(w->ctx, ids);
    }
    return NULL;
}

static void several_threads_may_encode(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_tiny(ctx);
    rw_buf text = load_text(ctx, RW_SOURCE_DIR "/LICENSE");
    work works[4];
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        works[i] = (work){ctx, tokenizer, {text.data, text.size}, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, &works[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 4; i++)
        assert_true(works[i].count > 0 && works[i].count == works[0].count);
    rw_buf_free(&text);
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_threads_may_encode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
