/*
 * page.c - the report: sections in reading order inside one self-contained page.
 */
#include "report/internal.h"

static void put_head(rw_buf *out, const rw_json *facts) {
    rw_buf_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'\"/>\n<title>");
    rw_html_str(out, rw_json_string_or(rw_json_path(facts, "model.name"), "model"));
    rw_buf_text(out, " \xe2\x80\x93 ropewalk report</title>\n");
    rw_report_style(out);
    rw_buf_text(out, "</head>\n<body>\n<main>\n");
}

static void put_foot(rw_buf *out, const rw_json *facts) {
    rw_buf_text(out, "<footer>Written by ropewalk ");
    rw_html_str(out, rw_json_string_or(rw_json_path(facts, "tool.version"), ""));
    rw_buf_text(out, ". Every figure here is in the receipt.</footer>\n</main>\n</body>\n"
                     "</html>\n");
}

rw_status rw_report_html(rw_context *ctx, const rw_json *facts, rw_buf *out, rw_error *err) {
    if (!facts || facts->type != RW_JSON_OBJECT)
        return rw_fail(err, RW_ERR_INTERNAL, "report.facts", NULL,
                       "A report needs the JSON object of an extend job.");
    out->ctx = ctx;
    put_head(out, facts);
    rw_report_summary(out, facts);
    rw_report_gate(out, facts);
    rw_report_perplexity(out, facts);
    rw_report_gain(out, facts);
    rw_report_retrieval(out, facts);
    rw_report_pack(out, facts);
    rw_report_bands(out, facts);
    rw_report_memory(out, facts);
    rw_report_runtimes(out, facts);
    rw_report_warnings(out, facts);
    rw_report_files(out, facts);
    put_foot(out, facts);
    return rw_buf_status(out, err);
}
