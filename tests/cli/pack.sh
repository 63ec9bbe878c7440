#!/bin/sh
# Packs, limits and waivers as the user meets them: exit status, the line that is to blame, and
# what ends up in the JSON.
set -eu
program=$RW_BINARY_DIR/ropewalk
tiny=$RW_SOURCE_DIR/models/tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -x "$program" ] || { echo "skipped: no program was built"; exit 77; }

fails() { # STATUS TEXT COMMAND...: ends with STATUS and says TEXT
    wanted=$1 text=$2
    shift 2
    status=0
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] || { cat "$work/err"; echo "exit $status, not $wanted: $*"; exit 1; }
    grep -q -e "$text" "$work/err" || { cat "$work/err"; echo "does not say $text: $*"; exit 1; }
}

measure() {
    "$program" measure "$tiny" --data "$tiny/heldout.jsonl" --method yarn --context 1024 \
        --tasks perplexity --lengths 256 --documents 1 --threads 2 "$@"
}
extend() {
    "$program" extend "$tiny" --data "$tiny/heldout.jsonl" --context 1024 -o "$work/out-model" \
        --tasks perplexity --lengths 512,1024 --documents 1 --threads 2 "$@"
}

printf '%s\n' '{"pack":"two","version":1}' \
    '{"id":"a","type":"passkey","length":600,"depth":0.5}' \
    '{"id":"b","type":"passkey","length":1025,"depth":0.5}' >"$work/good.jsonl"
printf '%s\n' '{"id":"a","type":"passkey","length":600,"depth":0.5}' '' \
    '{"id":"b","type":"qa","match":"near","context":"x","answers":["y"]}' >"$work/bad.jsonl"

fails 3 'bad.jsonl:3' measure --pack "$work/bad.jsonl"
fails 3 'file.missing' measure --pack "$work/none.jsonl"
fails 2 'measure.suite' measure --suite slow
fails 2 'measure.no_gate' measure --threshold pack=0.9
fails 2 'measure.threshold' measure --gate --threshold speed=1
fails 2 'measure.no_gate' "$program" measure "$tiny" --gate --data "$tiny/heldout.jsonl"
fails 2 'measure.state_budget' measure --gate --state "$work/state" --budget 60
fails 2 'measure.threshold' extend --threshold speed=1
fails 2 'measure.waiver' extend --allow-undefined D0
fails 3 'bad.jsonl:3' extend --pack "$work/bad.jsonl"
[ ! -e "$work/out-model" ]

measure --pack "$work/good.jsonl" --json --no-timing >"$work/one.json" 2>"$work/err"
measure --pack "$work/good.jsonl" --json --no-timing >"$work/two.json" 2>"$work/err"
cmp "$work/one.json" "$work/two.json"
grep -q '"too_long": 1' "$work/one.json"
grep -q '"outcome": "right"' "$work/one.json"
grep -q 'pack.too_long' "$work/one.json"

# the verdict is incomplete at best: one item of twenty, one document of eight
status=0
extend --pack "$work/good.jsonl" --threshold short_cost=0.5 --allow-undefined D3,pack --json \
    >"$work/extend.json" 2>"$work/err" || status=$?
[ "$status" = 1 ] || { cat "$work/err"; exit 1; }
grep -q '"need": 19' "$work/extend.json"
grep -q '"dimension": "D4"' "$work/extend.json"
tr -d ' \n' <"$work/extend.json" | grep -q '"changed_thresholds":\["short_cost"\]'
grep -q '"waivers"' "$work/out-model/receipt.json"

# a scaling that is tried is judged by the same rules, against the checkpoint as it is
status=0
"$program" measure "$tiny" --data "$tiny/heldout.jsonl" --method yarn --context 1024 --gate \
    --lengths 256,512,1024 --documents 8 --tasks perplexity --threshold short_cost=0.5 \
    --pack "$work/good.jsonl" --json --no-timing >"$work/gate.json" 2>"$work/err" || status=$?
[ "$status" = 1 ] || { cat "$work/err"; echo "exit $status"; exit 1; }
grep -q '"before": {' "$work/gate.json"
grep -q '"weakest": "D2"' "$work/gate.json"
tr -d ' \n' <"$work/gate.json" | grep -q '"changed_thresholds":\["short_cost"\]'
echo "packs, limits and waivers: as documented"
