/*
 * report.h - one self-contained HTML page from the JSON of an extend job. JSON in, base only.
 */
#ifndef RW_REPORT_REPORT_H
#define RW_REPORT_REPORT_H

#include "base/base.h"
#include "base/json.h"

/* `facts` is the root of an extend result (schema "ropewalk.extend/1"). */
rw_status rw_report_html(rw_context *ctx, const rw_json *facts, rw_buf *out, rw_error *err);

#endif
