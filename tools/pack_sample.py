#!/usr/bin/env python3
"""Writes tests/data/pack_sample.jsonl: an evaluation pack of every type and match, from the text of
models/tiny/heldout.jsonl, with keys that the embedded model can recall.

    python3 tools/pack_sample.py models/tiny/heldout.jsonl > tests/data/pack_sample.jsonl
"""
import json
import random
import sys

NEEDLE = "\nThe pass key is {0}. Remember it. {0} is the pass key.\n"
QUESTION = "\nWhat is the pass key?"
STEM = " The pass key is "


def hidden(document, start, size, depth, key):
    """`size` characters of a document with the key's sentence at `depth`, and where it lies."""
    text = document["text"][start:start + size]
    at = int(depth * len(text))
    needle = NEEDLE.format(key)
    return text[:at] + needle + text[at:], [[at, at + len(needle)]]


def item(documents, number, kind, match, size, depth, key, **more):
    document = documents[number % len(documents)]
    context, evidence = hidden(document, 3000 + 500 * number, size, depth, key)
    return {"id": f"{kind}-{match}-{number}", "type": kind, "match": match, "context": context,
            "question": QUESTION, "stem": STEM, "evidence": evidence,
            "source": f"{document['package']}: {document['path']}",
            "license": document["licence"], **more}


def main():
    documents = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    draw = random.Random(5)
    keys = [f"{draw.randrange(10000, 100000)}" for _ in range(16)]
    lines = [{"pack": "sample", "version": 1, "license": "PSF-2.0 AND PostgreSQL",
              "created": "2026-11-22"}]
    lines += [
        item(documents, 0, "lm", "exact", 900, 0.4, keys[0], answers=[keys[0]]),
        item(documents, 1, "qa", "any", 900, 0.5, keys[1], answers=[keys[1]]),
        item(documents, 2, "lm", "exact", 3800, 0.3, keys[2], answers=[keys[2]]),
        item(documents, 3, "qa", "any", 3800, 0.5, keys[3], answers=[keys[3], "none"]),
        item(documents, 4, "extract", "regex", 3800, 0.7, keys[4],
             answers=[rf"(^|[^0-9]){keys[4]}([^0-9]|$)"]),
        item(documents, 5, "choice", "choice", 3800, 0.6, keys[5],
             choices=keys[6:9] + [keys[5]], answers=[keys[5]]),
        item(documents, 6, "qa", "all", 3800, 0.2, keys[9], answers=[keys[9], "pass key"],
             max_tokens=24),
        item(documents, 7, "qa", "f1", 3800, 0.8, keys[10], answers=[f"{keys[10]}. Remember it."]),
    ]
    lines += [{"id": f"passkey-{length}-{number}", "type": "passkey", "length": length,
               "depth": number / 15}
              for length in (512, 2048) for number in range(16)
              if length == 2048 or number % 5 == 0]
    for line in lines:
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
