/*
 * written.h - what greedy decoding would write where an answer is asked for.
 *
 * The teacher-forced pass knows the arg max behind every true token. As long as these agree with
 * the answer, greedy decoding walks the same path, so most answers are settled by that one pass:
 * all agree, and what comes next ends the answer; or the first that differs already contradicts it.
 * Only where a token differs and the text does not (other tokens for the same digits, white space
 * in front) is the prompt read once more and really gone on from.
 */
#ifndef RW_MEASURE_WRITTEN_H
#define RW_MEASURE_WRITTEN_H

#include "measure/retrieval.h"
#include "measure/scorer.h"

typedef enum rw_saying { RW_SAYS_OPEN, RW_SAYS_RIGHT, RW_SAYS_WRONG } rw_saying;

/* Does `said` begin with `answer`, white space in front aside? An answer that ends in a digit ends
   where no digit follows. OPEN: it may still come to either. */
rw_saying rw_written_compare(rw_str answer, rw_str said);

/* `argmax` [span.count + 1]: the arg max before each token of the span, and behind the last. */
rw_status rw_written_judge(rw_context *ctx, rw_scorer *scorer, const rw_tokenizer *tokenizer,
                           const rw_sample *sample, const rw_span *span, const int32_t *argmax,
                           bool *right, rw_error *err);

#endif
