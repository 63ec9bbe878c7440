#!/usr/bin/env python3
"""Cuts golden/tiny.json down to what this repository may hold.

    python3 tools/tiny_rows.py ../shared/golden/tiny.json > tests/data/tiny_rows.json

Keeps the figures of the documents with permissive licences (those of models/tiny/heldout.jsonl, in
its order) and the logits of document 3.
"""
import json
import sys

PERMISSIVE = [3, 4, 7, 11, 16, 17, 22, 23]


def main():
    golden = json.load(open(sys.argv[1], encoding="utf-8"))
    rows = {
        "about": golden["about"].split(". ")[0] + ". Made by tools/tiny_rows.py.",
        "rope": golden["rope"],
        "documents": PERMISSIVE,
        "nll": {scaling: {n: [row[d] for d in PERMISSIVE] for n, row in lengths.items()}
                for scaling, lengths in golden["nll"].items()},
        "logits": golden["logits"],
    }
    json.dump(rows, sys.stdout, indent=1)
    sys.stdout.write("\n")


main()
