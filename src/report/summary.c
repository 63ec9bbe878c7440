/*
 * summary.c - what was done in a sentence, and the verdict with its reasons.
 */
#include <math.h>

#include "report/internal.h"

static rw_str text_at(const rw_json *facts, const char *path, const char *fallback) {
    return rw_json_string_or(rw_json_path(facts, path), fallback);
}

static double number_at(const rw_json *facts, const char *path) {
    return rw_json_number_or(rw_json_path(facts, path), NAN);
}

/* ---- verdict --------------------------------------------------------------------------------- */

typedef struct verdict {
    const char *result, *cls, *sign, *headline;
} verdict;

static const verdict verdicts[] = {
    {"pass", "good", "\xe2\x9c\x93", "Yes: the extension holds what it promises"},
    {"fail", "bad", "\xe2\x9c\x97", "No: the extension does not hold what it promises"},
    {"incomplete", "open", "?", "No: not enough was measured to say yes"},
};

static const verdict unmeasured = {"", "open", "–", "Not measured: there is no verdict"};

static const verdict *verdict_of(const rw_json *facts) {
    rw_str result = text_at(facts, "gate.result", "");
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (rw_str_is(result, verdicts[i].result))
            return &verdicts[i];
    return &unmeasured;
}

static void put_advice(rw_buf *out, const rw_json *facts) {
    const rw_json *advice = rw_json_get(facts, "advice");
    if (!advice || advice->count == 0)
        return;
    rw_buf_text(out, "<p>What would help:</p><ul>");
    for (const rw_json *line = advice->first; line; line = line->next)
        rw_html_element(out, "li", NULL, rw_json_string_or(line, ""));
    rw_buf_text(out, "</ul>");
}

static const struct {
    const char *name, *title;
} methods[] = {
    {"none", "no scaling"},           {"linear", "position interpolation"},
    {"ntk", "NTK-aware scaling"},     {"dynamic", "dynamic NTK scaling"},
    {"ntk_by_parts", "NTK-by-parts"}, {"yarn", "YaRN"},
    {"llama3", "Llama-3 scaling"},    {"longrope", "LongRoPE"},
    {"base", "another base"},         {"proportional", "proportional RoPE"},
    {"per_pair", "per-pair factors"},
};

static const char *method_title(rw_str name) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (rw_str_is(name, methods[i].name))
            return methods[i].title;
    return "a method without a name";
}

static void put_factor(rw_buf *out, double factor) {
    char text[32];
    if (!isfinite(factor))
        factor = 1.0;
    rw_format_double(text, round(factor * 1000.0) / 1000.0, false);
    rw_buf_text(out, text);
}

void rw_report_summary(rw_buf *out, const rw_json *facts) {
    const verdict *v = verdict_of(facts);
    rw_buf_text(out, "<header>\n<p class=\"brand\">ropewalk</p>\n<h1>");
    rw_html_str(out, text_at(facts, "model.name", "model"));
    rw_buf_text(out, ": ");
    rw_html_count(out, number_at(facts, "plan.native"));
    rw_buf_text(out, " \xe2\x86\x92 ");
    rw_html_count(out, number_at(facts, "plan.context"));
    rw_buf_text(out, " tokens</h1>\n<p class=\"lead\">The context window of this ");
    rw_html_str(out, text_at(facts, "model.architecture", "model"));
    rw_buf_text(out, " was extended with <strong>");
    rw_html_text(out, method_title(text_at(facts, "plan.method", "")));
    rw_buf_text(out, "</strong>, factor ");
    put_factor(out, number_at(facts, "plan.factor"));
    rw_buf_text(out, ". No weight was changed: ");
    rw_html_count(out, number_at(facts, "proof.tensors"));
    rw_buf_text(out, " tensors hash the same before and after.</p>\n</header>\n");
    rw_buf_format(out,
                  "<section class=\"verdict %s\">\n<h2><span class=\"sign\">%s</span> %s</h2>\n",
                  v->cls, v->sign, v->headline);
    put_advice(out, facts);
    rw_buf_text(out, "</section>\n");
}

/* ---- the gate's dimensions ------------------------------------------------------------------- */

static const struct {
    const char *id, *name;
} dimensions[] = {
    {"D0", "the patch has an effect"},
    {"D1", "short text is kept"},
    {"D2", "long text is gained"},
    {"D3", "facts are found at every depth"},
    {"D4", "your own questions are answered"},
    {"D5", "decoding equals prefill"},
};

static const char *dimension_name(rw_str id) {
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++)
        if (rw_str_is(id, dimensions[i].id))
            return dimensions[i].name;
    return "";
}

static void put_status(rw_buf *out, rw_str status) {
    const char *cls = rw_str_is(status, "pass")   ? "good"
                      : rw_str_is(status, "fail") ? "bad"
                                                  : "open";
    const char *sign = rw_str_is(status, "pass")   ? "\xe2\x9c\x93 "
                       : rw_str_is(status, "fail") ? "\xe2\x9c\x97 "
                                                   : "? ";
    rw_buf_format(out, "<span class=\"status %s\">%s", cls, sign);
    rw_html_str(out, status);
    rw_buf_text(out, "</span>");
}

static void put_score(rw_buf *out, const rw_json *dimension) {
    const rw_json *interval = rw_json_get(dimension, "ci95");
    if (rw_json_is_null(rw_json_get(dimension, "value"))) {
        rw_buf_text(out, "–");
        return;
    }
    rw_html_number(out, rw_json_get(dimension, "value"), 3);
    rw_buf_char(out, ' ');
    rw_html_str(out, rw_json_string_or(rw_json_get(dimension, "unit"), ""));
    if (!interval || interval->type != RW_JSON_ARRAY || interval->count != 2)
        return;
    rw_buf_text(out, "<small>");
    rw_html_number(out, interval->first, 3);
    rw_buf_text(out, " to ");
    rw_html_number(out, interval->first->next, 3);
    rw_buf_text(out, "</small>");
}

void rw_report_gate(rw_buf *out, const rw_json *facts) {
    static const char *const headings[] = {"question", "answer", "measured", "why"};
    const rw_json *dims = rw_json_path(facts, "gate.dims");
    rw_html_table t;
    if (!dims || dims->count == 0)
        return;
    rw_buf_text(out, "<section>\n<h2>The verdict's reasons</h2>\n");
    rw_table_begin(&t, out, headings, 4, 4);
    for (const rw_json *dimension = dims->first; dimension; dimension = dimension->next) {
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_element(out, "strong", NULL, dimension->key);
        rw_buf_char(out, ' ');
        rw_html_text(out, dimension_name(dimension->key));
        rw_table_cell(&t);
        put_status(out, rw_json_string_or(rw_json_get(dimension, "status"), "undefined"));
        if (!rw_str_is(rw_json_string_or(rw_json_get(dimension, "status"), ""), "undefined") &&
            rw_json_bool_or(rw_json_get(dimension, "provisional"), false))
            rw_buf_text(out, " <small>provisional</small>");
        rw_table_cell(&t);
        put_score(out, dimension);
        rw_table_cell(&t);
        rw_html_str(out, rw_json_string_or(rw_json_get(dimension, "reason"), ""));
    }
    rw_table_end(&t);
    rw_buf_text(out, "</section>\n");
}
