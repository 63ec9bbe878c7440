/*
 * The embedded model, measured: Hugging Face's figures per document, llama.cpp's for protocol half,
 * passkey beyond the window, and the verdict on the bare YaRN patch.
 */
#include "measure/judge.h"
#include "measure/result.h"
#include "model_support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"
#define OWN_DATA TINY "/heldout.jsonl"

/* Lines of data/heldout.jsonl (from 0) that the committed documents are. */
static const size_t own_lines[] = {3, 4, 7, 11, 16, 17, 22, 23};

static test_model model;

static int set_up(void **state) {
    (void)state;
    test_model_open(&model, TINY, 2, RW_CPU_BEST);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    test_model_close(&model);
    return 0;
}

static void yarn4(rw_rope_set *set) {
    test_plain_rope(&model, set);
    rw_rope_spec *spec = &set->group[0].spec;
    spec->method = RW_ROPE_YARN;
    spec->factor = 4;
    spec->original_context = 512;
}

static rw_measurement *measure(const char *data, const rw_rope_set *rope, bool extended,
                               const rw_measure_options *options) {
    rw_error err = {0};
    rw_corpus corpus;
    rw_measurement *out = NULL;
    const rw_subject subject = {.model = model.model,
                                .tokenizer = model.tokenizer,
                                .rope = rope,
                                .native = 512,
                                .context = options->context,
                                .no_baseline = extended};
    assert_ok(rw_corpus_read(model.ctx, data, model.tokenizer, options->documents, &corpus, &err));
    assert_ok(rw_measurement_run(model.ctx, &subject, &corpus, options, &out, &err));
    rw_corpus_free(&corpus);
    return out;
}

static bool shared_exists(const char *path) {
    if (rw_path_exists(path))
        return true;
    print_message("skipped: %s is not there\n", path);
    return false;
}

static const rw_json *at(const rw_json *list, size_t index) {
    const rw_json *node = list->first;
    while (index-- > 0)
        node = node->next;
    return node;
}

/* ---- Hugging Face ---------------------------------------------------------------------------- */

static void check_rows(const rw_measurement *m, const rw_json *golden, const char *scaling) {
    for (size_t r = 0; r < m->row_count; r++) {
        const rw_row *row = &m->rows[r];
        char length[24];
        snprintf(length, sizeof length, "%zu", row->length);
        const rw_json *list = rw_json_get(rw_json_get(rw_json_get(golden, "nll"), scaling), length);
        assert_int_equal(row->document_count, 8);
        for (size_t d = 0; d < row->document_count; d++) {
            double expected = at(list, own_lines[row->documents[d]])->number;
            double got = rw_share_mean(&row->shares[d], 1);
            if (!(fabs(got - expected) <= 2e-4))
                fail_msg("%s at %s, document %zu: %.6f, expected %.6f", scaling, length, d, got,
                         expected);
        }
    }
}

/* The same pair of measurements gives the verdict: an honest no. */
static void check_verdict(const rw_measurement *before, const rw_measurement *after) {
    rw_error err = {0};
    rw_gate *gate = NULL;
    assert_ok(rw_gate_judge(model.ctx, before, after, NULL, &gate, &err));
    const rw_finding *dims = gate->judgement.dims;
    assert_false(rw_gate_passed(gate));
    assert_int_equal(gate->judgement.verdict, RW_VERDICT_FAIL);
    assert_int_equal(dims[RW_D0_EFFECT].verdict, RW_VERDICT_PASS);
    assert_int_equal(dims[RW_D1_SHORT_COST].verdict, RW_VERDICT_FAIL);
    assert_true(dims[RW_D1_SHORT_COST].value > 0.1 && dims[RW_D1_SHORT_COST].value < 0.25);
    assert_int_equal(dims[RW_D2_LONG_PERPLEXITY].verdict, RW_VERDICT_FAIL);
    assert_int_equal(dims[RW_D3_RETRIEVAL].verdict, RW_VERDICT_UNDEFINED); /* not measured */
    assert_int_equal(dims[RW_D5_DECODE].verdict, RW_VERDICT_PASS);
    rw_gate_free(gate);
}

static void test_hugging_face_and_verdict(void **state) {
    (void)state;
    static const uint64_t lengths[] = {256, 512, 1024, 2048};
    const char *golden_path = RW_SHARED_DIR "/golden/tiny.json";
    const rw_measure_options options = {
        .tasks = "perplexity", .lengths = lengths, .length_count = 4, .context = 2048};
    rw_rope_set plain, yarn;
    test_plain_rope(&model, &plain);
    yarn4(&yarn);
    rw_measurement *before = measure(OWN_DATA, &plain, false, &options);
    rw_measurement *after = measure(OWN_DATA, &yarn, true, &options);
    check_verdict(before, after);
    bool shared = shared_exists(golden_path);
    if (shared) {
        const rw_json *golden = test_json(&model.arena, golden_path);
        check_rows(before, golden, "none");
        check_rows(after, golden, "yarn4");
    }
    rw_measurement_free(before);
    rw_measurement_free(after);
    if (!shared)
        skip();
}

/* ---- llama.cpp ------------------------------------------------------------------------------- */

/* golden/llama_cpp.json was made on the text of the second line (line 2, counted from 1). */
static void write_second_line(const char *path) {
    rw_error err = {0};
    rw_buf text = {.ctx = model.ctx};
    assert_ok(rw_file_load(model.ctx, RW_SHARED_DIR "/data/heldout.jsonl", 1u << 26, &text, &err));
    const char *line = strchr(text.data, '\n') + 1;
    assert_ok(rw_file_write(model.ctx, path, (rw_str){line, strcspn(line, "\n") + 1}, &err));
    rw_buf_free(&text);
}

static void test_llama_cpp_half(void **state) {
    (void)state;
    static const double expected[] = {6.5351, 356.9626, 9.2679};
    const char *data = RW_BINARY_DIR "/second-line.jsonl";
    rw_rope_set set;
    if (!shared_exists(RW_SHARED_DIR "/data/heldout.jsonl"))
        skip();
    write_second_line(data);
    for (size_t i = 0; i < 3; i++) {
        const uint64_t length = i ? 2048 : 512;
        const rw_measure_options options = {.tasks = "perplexity",
                                            .protocol = "half",
                                            .lengths = &length,
                                            .length_count = 1,
                                            .chunks = i ? 6 : 8};
        if (i == 2)
            yarn4(&set);
        else
            test_plain_rope(&model, &set);
        rw_measurement *m = measure(data, &set, false, &options);
        double ppl = exp(m->rows[0].nll);
        assert_true(m->rows[0].total.count == (i ? 6.0 * 1023 : 8.0 * 255));
        if (!(fabs(ppl / expected[i] - 1) <= 0.002))
            fail_msg("half at %d: %.4f, llama.cpp has %.4f", (int)length, ppl, expected[i]);
        rw_measurement_free(m);
    }
    remove(data);
}

/* ---- passkey --------------------------------------------------------------------------------- */

static uint64_t passkeys_found(const rw_rope_set *rope) {
    static const uint64_t length = 2048;
    static const double depths[] = {0, 0.5, 1};
    const rw_measure_options options = {.tasks = "passkey",
                                        .lengths = &length,
                                        .length_count = 1,
                                        .depths = depths,
                                        .depth_count = 3,
                                        .trials = 2};
    rw_measurement *m = measure(OWN_DATA, rope, false, &options);
    uint64_t found = 0;
    for (size_t i = 0; i < m->cell_count; i++)
        found += m->cells[i].correct;
    rw_measurement_free(m);
    return found;
}

static void test_passkey_beyond_the_window(void **state) {
    (void)state;
    rw_rope_set set;
    test_plain_rope(&model, &set);
    assert_int_equal(passkeys_found(&set), 0);
    yarn4(&set);
    assert_int_equal(passkeys_found(&set), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hugging_face_and_verdict),
        cmocka_unit_test(test_llama_cpp_half),
        cmocka_unit_test(test_passkey_beyond_the_window),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
