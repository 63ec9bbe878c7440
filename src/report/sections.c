/*
 * sections.c - the parts in words: runtimes, warnings, files and the receipt.
 */
#include <math.h>

#include "report/internal.h"

/* ---- runtimes -------------------------------------------------------------------------------- */

/* Was this runtime's reader shown the patched files, and did it resolve the plan's rotation? */
static bool is_proven(const rw_json *facts, rw_str runtime) {
    const rw_json *readers = rw_json_path(facts, "proof.readers");
    for (const rw_json *reader = readers ? readers->first : NULL; reader; reader = reader->next)
        if (rw_str_equal(rw_json_string_or(rw_json_get(reader, "target"), ""), runtime))
            return rw_json_bool_or(rw_json_get(reader, "equivalent"), false);
    return false;
}

static void put_targets(rw_buf *out, const rw_json *facts, const rw_json *targets) {
    static const char *const headings[] = {"runtime", "reads this rotation", "note"};
    rw_html_table t;
    rw_table_begin(&t, out, headings, 3, 3);
    for (const rw_json *target = targets->first; target; target = target->next) {
        bool can = rw_json_bool_or(rw_json_get(target, "expressible"), false);
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_element(out, "strong", NULL, target->key);
        rw_table_cell(&t);
        if (is_proven(facts, target->key))
            rw_buf_text(out, "<span class=\"status good\">\xe2\x9c\x93 proven</span>");
        else if (can)
            rw_buf_text(out, "<span class=\"status open\">? not asked for</span>");
        else
            rw_buf_text(out, "<span class=\"status bad\">\xe2\x9c\x97 no</span>");
        rw_table_cell(&t);
        rw_html_str(out, rw_json_string_or(rw_json_get(target, "why"), ""));
    }
    rw_table_end(&t);
}

static void put_commands(rw_buf *out, const rw_json *emit) {
    if (!emit || emit->type != RW_JSON_OBJECT || emit->count == 0)
        return;
    rw_buf_text(out, "<h3>To serve it</h3>\n<p>The patched files need no flag. What gives the same "
                     "rotation from the unpatched ones:</p>\n");
    for (const rw_json *command = emit->first; command; command = command->next) {
        if (command->type != RW_JSON_STRING)
            continue;
        rw_html_element(out, "h4", NULL, command->key);
        rw_buf_text(out, "<pre>");
        rw_html_str(out, command->string);
        rw_buf_text(out, "</pre>\n");
    }
}

void rw_report_runtimes(rw_buf *out, const rw_json *facts) {
    const rw_json *targets = rw_json_path(facts, "plan.targets");
    if (!targets || targets->count == 0)
        return;
    rw_buf_text(out, "<section>\n<h2>Runtimes</h2>\n<p>Proven: the patched files were opened "
                     "again, resolved as this runtime does it, and gave the plan's rotation.</p>"
                     "\n");
    put_targets(out, facts, targets);
    put_commands(out, rw_json_path(facts, "plan.emit"));
    rw_buf_text(out, "</section>\n");
}

/* ---- warnings -------------------------------------------------------------------------------- */

static const char *const diagnostic_paths[] = {"plan.diagnostics", "before.diagnostics",
                                               "after.diagnostics"};
enum { DIAGNOSTIC_PATHS = sizeof diagnostic_paths / sizeof *diagnostic_paths };

/* The same remark about both measurements is worth saying once. */
static bool said_before(const rw_json *facts, size_t before, const rw_json *item) {
    rw_str message = rw_json_string_or(rw_json_get(item, "message"), "");
    for (size_t i = 0; i < before; i++) {
        const rw_json *list = rw_json_path(facts, diagnostic_paths[i]);
        for (const rw_json *d = list ? list->first : NULL; d; d = d->next)
            if (rw_str_equal(rw_json_string_or(rw_json_get(d, "message"), ""), message))
                return true;
    }
    return false;
}

static void put_diagnostic(rw_buf *out, const rw_json *item) {
    rw_buf_text(out, "<li><span class=\"severity\">");
    rw_html_str(out, rw_json_string_or(rw_json_get(item, "severity"), "info"));
    rw_buf_text(out, "</span> ");
    rw_html_str(out, rw_json_string_or(rw_json_get(item, "message"), ""));
    rw_buf_text(out, " <code>");
    rw_html_str(out, rw_json_string_or(rw_json_get(item, "code"), ""));
    rw_buf_text(out, "</code></li>\n");
}

void rw_report_warnings(rw_buf *out, const rw_json *facts) {
    size_t count = 0;
    for (size_t i = 0; i < DIAGNOSTIC_PATHS; i++) {
        const rw_json *list = rw_json_path(facts, diagnostic_paths[i]);
        count += list ? list->count : 0;
    }
    if (count == 0)
        return;
    rw_buf_text(out, "<section>\n<h2>What to know</h2>\n<ul class=\"notes\">\n");
    for (size_t i = 0; i < DIAGNOSTIC_PATHS; i++) {
        const rw_json *list = rw_json_path(facts, diagnostic_paths[i]);
        for (const rw_json *item = list ? list->first : NULL; item; item = item->next)
            if (!said_before(facts, i, item))
                put_diagnostic(out, item);
    }
    rw_buf_text(out, "</ul>\n</section>\n");
}

/* ---- files and receipt ----------------------------------------------------------------------- */

static void put_files(rw_buf *out, const rw_json *files) {
    static const char *const headings[] = {"file", "change", "bytes", "SHA-256"};
    rw_html_table t;
    rw_table_begin(&t, out, headings, 4, 4);
    for (const rw_json *file = files->first; file; file = file->next) {
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_str(out, rw_json_string_or(rw_json_get(file, "name"), ""));
        rw_table_cell(&t);
        rw_html_str(out, rw_json_string_or(rw_json_get(file, "change"), ""));
        rw_table_cell(&t);
        rw_html_count(out, rw_json_number_or(rw_json_get(file, "bytes"), NAN));
        rw_table_cell(&t);
        rw_html_element(out, "code", "hash", rw_json_string_or(rw_json_get(file, "sha256"), ""));
    }
    rw_table_end(&t);
}

void rw_report_files(rw_buf *out, const rw_json *facts) {
    const rw_json *files = rw_json_get(facts, "files");
    const rw_json *receipt = rw_json_get(facts, "receipt");
    rw_buf_text(out, "<section>\n<h2>Files and receipt</h2>\n");
    if (files && files->count)
        put_files(out, files);
    rw_buf_text(out, "<p>Receipt: <code class=\"hash\">");
    rw_html_str(out, rw_json_string_or(rw_json_get(receipt, "sha256"), ""));
    rw_buf_text(out, "</code> (SHA-256 over the canonical form of its manifest). It records the "
                     "inputs, the plan, the tables, the measurements and the verdict. Check it "
                     "with</p>\n<pre>ropewalk verify ");
    rw_html_str(out, rw_json_string_or(rw_json_get(receipt, "path"), "receipt.json"));
    rw_buf_text(out, "</pre>\n</section>\n");
}
