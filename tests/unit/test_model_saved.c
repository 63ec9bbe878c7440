/*
 * A sequence that is gone on with in another session: whatever the cache is made of, whichever
 * layers forget, however the rotation depends on the length, the rest comes out in the same bits.
 */
#include "model_support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

enum { TOKENS = 900, PIECE = 170, PARTS_MAX = TOKENS / PIECE + 1 };

static void some_tokens(int32_t *tokens, size_t n) {
    for (size_t i = 0; i < n; i++)
        tokens[i] = (int32_t)((i * 7919 + i / 13 * 31 + 5) % 4096);
}

static void scale(const test_model *m, rw_rope_method method, rw_rope_set *set) {
    test_plain_rope(m, set);
    rw_rope_spec *spec = &set->group[0].spec;
    spec->method = method;
    spec->factor = 4.0;
    spec->original_context = 512;
    spec->list_count = method == RW_ROPE_LONGROPE ? 32 : 0;
    for (uint32_t i = 0; i < 32; i++) {
        spec->short_factor[i] = 1.0 + 0.01 * i;
        spec->long_factor[i] = 1.0 + 0.1 * i;
    }
}

/* ---- parts in memory ------------------------------------------------------------------------- */

typedef struct part {
    uint64_t to;
    rw_buf bytes;
} part;

typedef struct parts {
    part items[PARTS_MAX];
    size_t count;
} parts;

static rw_status put(void *user, const void *bytes, size_t size, rw_error *err) {
    rw_buf_append(user, bytes, size);
    return rw_buf_status(user, err);
}

typedef struct cursor {
    const rw_buf *bytes;
    size_t at;
} cursor;

static rw_status get(void *user, void *bytes, size_t size, rw_error *err) {
    cursor *c = user;
    if (size > c->bytes->size - c->at)
        return rw_fail(err, RW_ERR_IO, "test.short", "", "the part ends here");
    memcpy(bytes, c->bytes->data + c->at, size);
    c->at += size;
    return RW_OK;
}

static void free_parts(parts *p) {
    for (size_t i = 0; i < p->count; i++)
        rw_buf_free(&p->items[i].bytes);
    p->count = 0;
}

/* What was read since the last part; everything, where the rows before were read again. */
static void save(rw_session *session, rw_context *ctx, parts *out) {
    rw_error err = {0};
    uint64_t from = out->count ? out->items[out->count - 1].to : 0;
    rw_buf bytes = {.ctx = ctx};
    const rw_row_sink sink = {&bytes, put};
    rw_status status = rw_session_save(session, from, &sink, &err);
    if (status == RW_ERR_USAGE) {
        assert_string_equal(err.code, "model.rows");
        assert_int_equal(bytes.size, 0);
        free_parts(out);
        status = rw_session_save(session, 0, &sink, &err);
    }
    assert_ok(status);
    out->items[out->count++] = (part){rw_session_length(session), bytes};
}

static rw_status restore(rw_session *session, const part *from, rw_error *err) {
    cursor c = {&from->bytes, 0};
    const rw_row_source source = {&c, get};
    rw_status status = rw_session_restore(session, from->to, &source, err);
    if (status == RW_OK)
        assert_int_equal(c.at, from->bytes.size); /* all of it was wanted */
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Tokens [session's length, n) in pieces; each is saved, where somebody wants that. */
static void read_pieces(const test_model *m, rw_session *session, const int32_t *tokens, size_t n,
                        double *nll, parts *saved) {
    rw_error err = {0};
    for (size_t at = (size_t)rw_session_length(session), size; at < n; at += size) {
        size = n - at < PIECE ? n - at : PIECE;
        rw_outputs outputs = {.count = size, .target = tokens + at + 1, .nll = nll + at};
        assert_ok(rw_session_forward(session, tokens + at, size, &outputs, NULL, &err));
        if (saved)
            save(session, m->ctx, saved);
    }
}

/* Gone on with behind every part there is. `parts_least`: how many there must be at the end. */
static void check(const test_model *m, const rw_session_options *options, size_t parts_least) {
    static double want[TOKENS], got[TOKENS];
    int32_t tokens[TOKENS + 1];
    parts saved = {.count = 0};
    rw_error err = {0};
    rw_session *session;
    some_tokens(tokens, TOKENS + 1);
    assert_ok(rw_session_create(m->model, options, &session, &err));
    read_pieces(m, session, tokens, TOKENS, want, &saved);
    rw_session_free(session);
    assert_true(saved.count >= parts_least);
    for (size_t count = 1; count < saved.count; count++) {
        size_t from = (size_t)saved.items[count - 1].to;
        assert_ok(rw_session_create(m->model, options, &session, &err));
        for (size_t i = 0; i < count; i++)
            assert_ok(restore(session, &saved.items[i], &err));
        assert_int_equal(rw_session_length(session), from);
        read_pieces(m, session, tokens, TOKENS, got, NULL);
        assert_memory_equal(want + from, got + from, (TOKENS - from) * sizeof *want);
        rw_buf rest = {.ctx = m->ctx}; /* what was restored was not read again */
        assert_ok(rw_session_save(session, from, &(rw_row_sink){&rest, put}, &err));
        rw_buf_free(&rest);
        rw_session_free(session);
    }
    free_parts(&saved);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_cache_types(void **state) {
    (void)state;
    test_model m;
    rw_rope_set set;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    scale(&m, RW_ROPE_YARN, &set);
    for (int type = 0; type < RW_CACHE_TYPES; type++) {
        rw_session_options options = {
            .rope = &set, .capacity = TOKENS, .engine = {.cache = (rw_cache_type)type}};
        check(&m, &options, PARTS_MAX);
    }
    test_model_close(&m);
}

/* Layers that forget beside layers that don't: windows shorter and longer than a part. */
static void test_windows(void **state) {
    (void)state;
    static const uint32_t windows[] = {1, 37, 200, 300, 600};
    test_model m;
    rw_rope_set set;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    scale(&m, RW_ROPE_YARN, &set);
    for (uint32_t i = 0; i < m.arch.n_layers && i < 5; i++) {
        m.arch.layers[i].kind = RW_LAYER_SLIDING;
        m.arch.layers[i].window = windows[i];
    }
    rw_session_options options = {
        .rope = &set, .capacity = TOKENS, .engine = {.cache = RW_CACHE_Q8_0}};
    check(&m, &options, PARTS_MAX);
    test_model_close(&m);
}

/* Raw keys under a table that changes with every call; factors that change once, at which what was
   saved before is worth nothing. */
static void test_growing(void **state) {
    (void)state;
    test_model m;
    rw_rope_set set;
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    rw_session_options options = {.rope = &set, .capacity = TOKENS, .growing = true};
    scale(&m, RW_ROPE_DYNAMIC, &set);
    check(&m, &options, PARTS_MAX);
    scale(&m, RW_ROPE_LONGROPE, &set);
    check(&m, &options, (TOKENS - 680) / PIECE); /* anew from 680 on: the first end beyond 512 */
    options.growing = false;
    check(&m, &options, PARTS_MAX);
    test_model_close(&m);
}

/* A growing session that ends before the factors change, and changes them after it was restored. */
static void test_factors_change_afterwards(void **state) {
    (void)state;
    static double want[TOKENS], got[TOKENS];
    int32_t tokens[TOKENS + 1];
    parts saved = {.count = 0};
    rw_error err = {0};
    test_model m;
    rw_rope_set set;
    rw_session *first, *session; /* both live: neither finds the other's tokens in its memory */
    some_tokens(tokens, TOKENS + 1);
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    scale(&m, RW_ROPE_LONGROPE, &set);
    rw_session_options options = {.rope = &set, .capacity = TOKENS, .growing = true};
    assert_ok(rw_session_create(m.model, &options, &first, &err));
    read_pieces(&m, first, tokens, 3 * PIECE, want, &saved); /* 510 */
    read_pieces(&m, first, tokens, TOKENS, want, NULL);
    assert_int_equal(saved.count, 3);
    assert_ok(rw_session_create(m.model, &options, &session, &err));
    for (size_t i = 0; i < 3; i++)
        assert_ok(restore(session, &saved.items[i], &err));
    read_pieces(&m, session, tokens, TOKENS, got, NULL);
    assert_memory_equal(want + 3 * PIECE, got + 3 * PIECE, (TOKENS - 3 * PIECE) * sizeof *want);
    rw_session_free(first);
    rw_session_free(session);
    free_parts(&saved);
    test_model_close(&m);
}

static void refused(rw_session *session, const part *from, rw_status status, const char *code) {
    rw_error err = {0};
    assert_int_equal(restore(session, from, &err), status);
    assert_string_equal(err.code, code);
    assert_ok(rw_session_reset(session, NULL, &err));
}

/* Parts of something else, cut short, or made up: refused, and nothing is written where it must
   not be. */
static void test_refusals(void **state) {
    (void)state;
    static double nll[TOKENS];
    int32_t tokens[TOKENS + 1];
    parts saved = {.count = 0};
    rw_error err = {0};
    test_model m;
    rw_rope_set set;
    rw_session *session;
    rw_buf nothing;
    some_tokens(tokens, TOKENS + 1);
    test_model_open(&m, TINY, 2, RW_CPU_BEST);
    m.arch.layers[1].kind = RW_LAYER_SLIDING;
    m.arch.layers[1].window = 64;
    scale(&m, RW_ROPE_YARN, &set);
    rw_session_options options = {.rope = &set, .capacity = TOKENS};
    assert_ok(rw_session_create(m.model, &options, &session, &err));
    read_pieces(&m, session, tokens, 600, nll, &saved);
    nothing = (rw_buf){.ctx = m.ctx};
    assert_int_equal(rw_session_save(session, 601, &(rw_row_sink){&nothing, put}, &err),
                     RW_ERR_USAGE);
    assert_string_equal(err.code, "model.rows");
    part whole = saved.items[0];
    refused(session, &whole, RW_ERR_INPUT, "model.rows"); /* ends before the session does */
    part far = {TOKENS + 1, whole.bytes};
    refused(session, &far, RW_ERR_INPUT, "model.rows");
    part more = {whole.to + 1, whole.bytes};
    refused(session, &more, RW_ERR_IO, "test.short");
    size_t size = whole.bytes.size;
    for (size_t left = 0; left < size; left += size / 7 + 1) {
        part cut = whole;
        cut.bytes.size = left;
        refused(session, &cut, RW_ERR_IO, "test.short");
    }
    /* layer 0 forgets nothing; layer 1 can't have forgotten what was not read yet */
    static const struct {
        size_t layer;
        uint64_t first;
    } made_up[] = {{0, 1}, {0, PIECE}, {0, UINT64_MAX}, {1, PIECE + 1}, {1, UINT64_MAX}};
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) {
        uint64_t *first = (uint64_t *)(void *)whole.bytes.data + made_up[i].layer,
                 true_first = *first;
        *first = made_up[i].first;
        refused(session, &whole, RW_ERR_INPUT, "model.rows");
        *first = true_first;
    }
    assert_ok(restore(session, &whole, &err));
    assert_ok(rw_session_reset(session, NULL, &err));
    part full = {TOKENS, {.ctx = m.ctx}}; /* more than layer 1 has room for */
    static const char zeros[4096];
    for (size_t i = 0; i < 2 * m.arch.n_layers * 128; i++)
        rw_buf_append(&full.bytes, zeros, sizeof zeros);
    refused(session, &full, RW_ERR_INPUT, "model.rows");
    rw_buf_free(&full.bytes);
    rw_session_free(session);
    free_parts(&saved);
    test_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache_types), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_growing),     cmocka_unit_test(test_factors_change_afterwards),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
