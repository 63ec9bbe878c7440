/*
 * gate.c - the rules. Every comparison is written so that NaN does not pass.
 */
#include "measure/gate.h"

#include <math.h>
#include <stdio.h>

const rw_thresholds rw_default_thresholds = {
    .short_cost = 0.03,
    .gain = -0.01,
    .bucket_excess = 0.1,
    .retrieval = 0.80,
    .ability = 0.95,
    .depth_gap = 0.25,
    .trials = 40,
    .depth_trials = 8,
    .firm_trials = 20,
    .pack = 0.85,
    .pack_low = 0.80,
    .pack_drop = 0.05,
    .evidence_gain = 0,
    .pack_items = 20,
    .firm_items = 50,
    .decode = 1e-3,
    .documents = RW_BOOTSTRAP_DOCUMENTS_MIN,
};

const char *rw_verdict_name(rw_verdict verdict) {
    static const char *const names[] = {"undefined", "pass", "fail"};
    return names[verdict];
}

const char *rw_dimension_name(rw_dimension dimension) {
    static const char *const names[RW_DIMENSION_COUNT] = {
        "patch effective",    "short retention", "long perplexity",
        "retrieval by depth", "pack accuracy",   "decode equals prefill"};
    return names[dimension];
}

static void say(rw_finding *finding, const char *format, ...) RW_PRINTF(2, 3);

static void say(rw_finding *finding, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->reason, sizeof finding->reason, format, arguments);
    va_end(arguments);
}

/* Distances are given in parts of the room that is left; a threshold at the end leaves none. */
static double room(double width) {
    return width > 1e-3 ? width : 1e-3;
}

/* D0: a patch that changes nothing beyond the native window has not been applied. */
static void decide_effect(const rw_scores *s, rw_finding *out) {
    *out = (rw_finding){.required = true, .value = s->effect.value, .n = s->effect.n};
    if (s->effect.n == 0) {
        say(out, "nothing was measured beyond the native window of %llu tokens",
            (unsigned long long)s->native);
        return;
    }
    out->verdict = s->effect.value > 0 ? RW_VERDICT_PASS : RW_VERDICT_FAIL;
    out->margin = out->verdict == RW_VERDICT_PASS ? 1 : -1;
    if (out->verdict == RW_VERDICT_FAIL)
        say(out, "the patched model computes the same numbers as the unpatched one: the patch "
                 "has no effect");
}

/* D1: what short text pays. */
static void decide_short_cost(const rw_scores *s, const rw_thresholds *t, rw_finding *out) {
    const rw_estimate *cost = &s->short_cost;
    *out = (rw_finding){.required = true, .value = cost->value, .ci = cost->ci, .n = cost->n};
    if (cost->n < t->documents || !cost->ci.defined) {
        say(out,
            "%llu documents were measured inside the native window with both models, it takes "
            "%llu",
            (unsigned long long)cost->n, (unsigned long long)t->documents);
        return;
    }
    out->verdict = cost->ci.high <= t->short_cost ? RW_VERDICT_PASS : RW_VERDICT_FAIL;
    out->margin = (t->short_cost - cost->ci.high) / room(t->short_cost);
    if (out->verdict == RW_VERDICT_FAIL)
        say(out,
            "text inside the native window pays %.3f nats a token (at most %.3f), the limit "
            "is %.2f: train for a short while at the new length, calibrate the ramp, or "
            "choose a smaller factor",
            cost->value, cost->ci.high, t->short_cost);
}

/* ---- D2: long perplexity --------------------------------------------------------------------- */

static const rw_gain_score *find_gain(const rw_scores *s, uint64_t length) {
    for (size_t i = 0; i < s->gain_count; i++)
        if (s->gains[i].length == length)
            return &s->gains[i];
    return NULL;
}

/* Every doubling of the native window below the target, and the target itself, must be there. */
static uint64_t missing_gain(const rw_scores *s, const rw_thresholds *t) {
    if (!s->native)
        return s->context;
    for (uint64_t length = s->native * 2; length < s->context; length *= 2) {
        const rw_gain_score *score = find_gain(s, length);
        if (!score || !score->gain.ci.defined || score->gain.n < t->documents)
            return length;
    }
    const rw_gain_score *score = find_gain(s, s->context);
    bool there = score && score->gain.ci.defined && score->gain.n >= t->documents;
    return there ? 0 : s->context;
}

static const rw_gain_score *worst_gain(const rw_scores *s) {
    const rw_gain_score *worst = NULL;
    for (size_t i = 0; i < s->gain_count; i++) {
        const rw_gain_score *score = &s->gains[i];
        if (score->length > s->context || !score->gain.ci.defined)
            continue;
        if (!worst || !(score->gain.ci.low >= worst->gain.ci.low))
            worst = score;
    }
    return worst;
}

static void fail_gain(const rw_gain_score *worst, const rw_thresholds *t, rw_finding *out) {
    say(out,
        "reading %llu tokens is worse than reading only the last native window with the "
        "unextended model: %.3f nats a token gained (at least %.3f), the limit is %.2f",
        (unsigned long long)worst->length, worst->gain.value, worst->gain.ci.low, t->gain);
}

static void judge_long(const rw_scores *s, const rw_thresholds *t, rw_finding *out) {
    const rw_gain_score *worst = worst_gain(s);
    bool gains = worst->gain.ci.low >= t->gain, even = s->excess.value <= t->bucket_excess;
    out->verdict = gains && even ? RW_VERDICT_PASS : RW_VERDICT_FAIL;
    out->margin = fmin((worst->gain.ci.low - t->gain) / 0.1,
                       (t->bucket_excess - s->excess.value) / room(t->bucket_excess));
    if (!gains)
        fail_gain(worst, t, out);
    else if (!even)
        say(out,
            "positions %llu to %llu are %.3f nats worse than the unextended model at the end "
            "of its window, the limit is %.2f",
            (unsigned long long)s->excess_from, (unsigned long long)s->excess_to, s->excess.value,
            t->bucket_excess);
}

/* A failure that is already seen stands, whatever else is missing. */
static bool already_fails(const rw_scores *s, const rw_thresholds *t) {
    const rw_gain_score *worst = worst_gain(s);
    return worst && worst->gain.n >= t->documents && worst->gain.ci.low < t->gain;
}

static void decide_long(const rw_scores *s, const rw_thresholds *t, rw_judgement *j) {
    rw_finding *out = &j->dims[RW_D2_LONG_PERPLEXITY];
    const rw_gain_score *target = find_gain(s, s->context);
    *out = (rw_finding){.required = true, .value = NAN};
    if (target)
        *out = (rw_finding){.required = true,
                            .value = target->gain.value,
                            .ci = target->gain.ci,
                            .n = target->gain.n};
    uint64_t missing = missing_gain(s, t);
    bool buckets = s->bucket_length >= s->context && s->excess.n > 0;
    if (already_fails(s, t)) {
        out->verdict = RW_VERDICT_FAIL;
        out->margin = (worst_gain(s)->gain.ci.low - t->gain) / 0.1;
        fail_gain(worst_gain(s), t, out);
    } else if (missing) {
        say(out,
            "the gain at %llu tokens takes %llu documents of more than that many tokens, "
            "read by both models under protocol prefix",
            (unsigned long long)missing, (unsigned long long)t->documents);
    } else if (!buckets) {
        say(out, "perplexity by position was not measured up to %llu tokens",
            (unsigned long long)s->context);
    } else {
        judge_long(s, t, out);
    }
    j->uses_context = target && target->gain.ci.defined && target->gain.ci.low > 0;
}

/* ---- D4, D5 ---------------------------------------------------------------------------------- */

static double accuracy(rw_tally tally) {
    return (double)tally.right / (double)tally.items;
}

/* The weaker of the top bin and all long items: many middling ones do not hide the longest, nor
   the longest the others. */
static rw_tally weaker_tally(const rw_scores *s) {
    return rw_wilson(s->pack_long.right, s->pack_long.items).low <
                   rw_wilson(s->pack_top.right, s->pack_top.items).low
               ? s->pack_long
               : s->pack_top;
}

static bool tally_passes(rw_tally tally, const rw_thresholds *t) {
    return accuracy(tally) >= t->pack && rw_wilson(tally.right, tally.items).low >= t->pack_low;
}

static void judge_pack(const rw_scores *s, const rw_thresholds *t, rw_finding *out) {
    const rw_tally weaker = weaker_tally(s);
    bool compared = s->pack_short.items >= t->pack_items;
    double drop = compared ? accuracy(s->pack_short) - accuracy(s->pack_long) : 0;
    bool right = tally_passes(s->pack_top, t) && tally_passes(s->pack_long, t);
    bool level = drop <= t->pack_drop;
    out->value = accuracy(weaker);
    out->ci = rw_wilson(weaker.right, weaker.items);
    out->n = weaker.items;
    out->provisional = s->pack_top.items < t->firm_items;
    out->verdict = right && level ? RW_VERDICT_PASS : RW_VERDICT_FAIL;
    out->margin =
        fmin(fmin(out->value - t->pack, out->ci.low - t->pack_low) / room(1 - t->pack_low),
             compared ? (t->pack_drop - drop) / room(t->pack_drop) : 1);
    if (!right)
        say(out, "%.3f of the long items are right (at least %.3f), the limits are %g and %g",
            out->value, out->ci.low, t->pack, t->pack_low);
    else if (!level)
        say(out, "the long items are right %.3f less often than the short ones, the limit is %g",
            drop, t->pack_drop);
    else if (out->provisional)
        say(out, "%llu items are in the top bin of length, %llu make it firm: give 50 to 200",
            (unsigned long long)s->pack_top.items, (unsigned long long)t->firm_items);
}

/* Right answers that stay as likely without what they are to be found in show nothing about
   reading: they are no pass. A failure stands. */
static void check_evidence(const rw_scores *s, const rw_thresholds *t, rw_finding *out) {
    const rw_estimate *evidence = &s->evidence;
    if (out->verdict != RW_VERDICT_PASS || !evidence->ci.defined ||
        evidence->ci.low > t->evidence_gain)
        return;
    out->verdict = RW_VERDICT_UNDEFINED;
    say(out,
        "taking the evidence out of %llu long items costs their answers %.3f nats a token (at "
        "least %.3f), the limit is %g: right answers do not show that the text was read",
        (unsigned long long)evidence->n, evidence->value, evidence->ci.low, t->evidence_gain);
}

static void decide_pack(const rw_scores *s, const rw_thresholds *t, rw_finding *out) {
    *out = (rw_finding){.required = s->pack_given, .value = NAN, .n = s->pack_top.items};
    if (!s->pack_given) {
        say(out, "no pack was given");
    } else if (!s->pack_reaches) {
        say(out,
            "the pack's top bin of length does not lie beyond the native window of %llu "
            "tokens",
            (unsigned long long)s->native);
    } else if (s->pack_unread) {
        say(out, "the time was up before %llu items were read", (unsigned long long)s->pack_unread);
    } else if (s->pack_top.items < t->pack_items) {
        out->need = t->pack_items - s->pack_top.items;
        say(out,
            "%llu items that count are longer than %llu tokens, %llu more are needed: give 50 to "
            "200",
            (unsigned long long)s->pack_top.items, (unsigned long long)s->pack_from,
            (unsigned long long)out->need);
    } else {
        judge_pack(s, t, out);
        check_evidence(s, t, out);
    }
}

/* Gated where the rotation is static; where it grows with length, cached keys carry older bases
   by the method's nature, and the difference is reported only. */
static void decide_decode(const rw_scores *s, const rw_thresholds *t, rw_finding *out) {
    *out =
        (rw_finding){.required = !s->depends_on_length, .value = s->decode.value, .n = s->decode.n};
    if (s->decode.n == 0) {
        say(out, "decoding through the cache was not checked");
        return;
    }
    bool equal = s->decode.value <= t->decode;
    out->verdict = equal || s->depends_on_length ? RW_VERDICT_PASS : RW_VERDICT_FAIL;
    out->margin = out->verdict == RW_VERDICT_FAIL ? -1 : 1;
    if (!equal)
        say(out, "reading token by token differs from one pass by %.2g nats, the limit is %.2g",
            s->decode.value, t->decode);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* fail before undefined before pass, and the smaller margin first. */
static bool weaker(const rw_finding *a, const rw_finding *b) {
    static const int rank[] = {
        [RW_VERDICT_FAIL] = 0, [RW_VERDICT_UNDEFINED] = 1, [RW_VERDICT_PASS] = 2};
    if (rank[a->verdict] != rank[b->verdict])
        return rank[a->verdict] < rank[b->verdict];
    return a->verdict != RW_VERDICT_UNDEFINED && a->margin < b->margin;
}

static bool counts(const rw_finding *finding) {
    return finding->required || finding->verdict != RW_VERDICT_UNDEFINED;
}

/* A waiver lets a dimension stay undefined; it turns no failure, and stays the headline. */
static void apply_waivers(const rw_scores *s, rw_judgement *j) {
    for (rw_dimension d = 0; d < RW_DIMENSION_COUNT; d++)
        j->dims[d].waived = s->waived[d] && j->dims[d].verdict == RW_VERDICT_UNDEFINED;
}

static void conclude(rw_judgement *j) {
    j->verdict = RW_VERDICT_PASS;
    j->weakest = RW_D0_EFFECT;
    for (rw_dimension d = 0; d < RW_DIMENSION_COUNT; d++) {
        const rw_finding *finding = &j->dims[d];
        if (!counts(finding))
            continue;
        j->provisional = j->provisional || finding->provisional;
        if (finding->verdict == RW_VERDICT_FAIL)
            j->verdict = RW_VERDICT_FAIL;
        else if (finding->verdict == RW_VERDICT_UNDEFINED && !finding->waived &&
                 j->verdict == RW_VERDICT_PASS)
            j->verdict = RW_VERDICT_UNDEFINED;
        if (weaker(finding, &j->dims[j->weakest]))
            j->weakest = d;
    }
}

void rw_gate_decide(const rw_scores *scores, const rw_thresholds *thresholds, rw_judgement *out) {
    *out = (rw_judgement){0};
    decide_effect(scores, &out->dims[RW_D0_EFFECT]);
    decide_short_cost(scores, thresholds, &out->dims[RW_D1_SHORT_COST]);
    decide_long(scores, thresholds, out);
    rw_gate_decide_retrieval(scores, thresholds, out);
    decide_pack(scores, thresholds, &out->dims[RW_D4_PACK]);
    decide_decode(scores, thresholds, &out->dims[RW_D5_DECODE]);
    apply_waivers(scores, out);
    conclude(out);
}
