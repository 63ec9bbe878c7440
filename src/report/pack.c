/*
 * pack.c - the asker's own questions: right answers by length, and what the controls say of them.
 */
#include <math.h>

#include "report/internal.h"

static const rw_json *bin_from(const rw_json *pack, double from) {
    const rw_json *bins = rw_json_get(pack, "bins");
    for (const rw_json *bin = bins ? bins->first : NULL; bin; bin = bin->next)
        if (rw_json_number_or(rw_json_get(bin, "from"), -1) == from)
            return bin;
    return NULL;
}

static void put_interval(rw_buf *out, const rw_json *interval) {
    if (!interval || interval->type != RW_JSON_ARRAY || interval->count != 2)
        return;
    rw_buf_text(out, " <small>");
    rw_html_number(out, interval->first, 2);
    rw_buf_text(out, " to ");
    rw_html_number(out, interval->first->next, 2);
    rw_buf_text(out, "</small>");
}

static void put_rate(rw_html_table *t, const rw_json *bin) {
    rw_table_cell(t);
    if (!rw_json_u64_or(rw_json_get(bin, "items"), 0)) {
        rw_buf_text(t->out, "–");
        return;
    }
    rw_html_number(t->out, rw_json_get(bin, "right"), 0);
    rw_buf_text(t->out, " of ");
    rw_html_number(t->out, rw_json_get(bin, "items"), 0);
    put_interval(t->out, rw_json_get(bin, "ci95"));
}

/* Items that count neither way, where there are any. */
static void put_left_out(rw_buf *out, const rw_json *bin) {
    static const struct {
        const char *key, *words;
    } kinds[] = {{"closed_book", "closed book"}, {"unread", "unread"}, {"no_room", "no room"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!rw_json_u64_or(rw_json_get(bin, kinds[i].key), 0))
            continue;
        rw_buf_text(out, "<small>");
        rw_html_number(out, rw_json_get(bin, kinds[i].key), 0);
        rw_buf_format(out, " %s</small>", kinds[i].words);
    }
}

static void put_bins(rw_buf *out, const rw_json *before, const rw_json *after) {
    static const char *const headings[] = {"tokens", "before", "after"};
    const rw_json *bins = rw_json_get(after, "bins");
    rw_html_table t;
    rw_table_begin(&t, out, headings, 3, 1);
    for (const rw_json *bin = bins ? bins->first : NULL; bin; bin = bin->next) {
        double from = rw_json_number_or(rw_json_get(bin, "from"), 0);
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_count(out, from + 1);
        rw_buf_text(out, " to ");
        rw_html_count(out, rw_json_number_or(rw_json_get(bin, "to"), NAN));
        put_left_out(out, bin);
        put_rate(&t, bin_from(before, from));
        put_rate(&t, bin);
    }
    rw_table_end(&t);
}

static void put_evidence(rw_buf *out, const rw_json *evidence) {
    if (!rw_json_u64_or(rw_json_get(evidence, "items"), 0))
        return;
    rw_buf_text(out, "<p>With the evidence taken out of the text, the answers of the ");
    rw_html_number(out, rw_json_get(evidence, "items"), 0);
    rw_buf_text(out, " items that name it become less likely by ");
    rw_html_number(out, rw_json_get(evidence, "gain"), 3);
    rw_buf_text(out, " nats a token");
    put_interval(out, rw_json_get(evidence, "ci95"));
    rw_buf_text(out, ".</p>\n");
}

void rw_report_pack(rw_buf *out, const rw_json *facts) {
    const rw_json *before = rw_json_path(facts, "before.pack");
    const rw_json *after = rw_json_path(facts, "after.pack");
    double too_long = rw_json_number_or(rw_json_get(after, "too_long"), 0);
    if (!after || after->type != RW_JSON_OBJECT)
        return;
    rw_buf_text(out,
                "<section>\n<h2>Your own questions</h2>\n<p>Right answers of the pack <strong>");
    rw_html_str(out, rw_json_string_or(rw_json_get(after, "name"), "?"));
    rw_buf_text(out,
                "</strong> by length, with 95 % intervals. What is also right without the text "
                "is closed book, and counts neither way.</p>\n");
    put_bins(out, before, after);
    put_evidence(out, rw_json_get(after, "evidence"));
    if (too_long > 0) {
        rw_buf_text(out, "<p>");
        rw_html_count(out, too_long);
        rw_buf_text(out, " items are longer than the window: they are left undefined, not "
                         "cut.</p>\n");
    }
    rw_buf_text(out, "</section>\n");
}
