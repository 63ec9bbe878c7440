#!/usr/bin/env python3
"""Writes tests/data/tokenizer.json: texts with the ids that Hugging Face tokenizers gives them.

    tokenizer_fixture.py [OUT]

One entry a tokenizer: the embedded model's (by path) and a small one of each family, trained on
the texts themselves and held in the file as text. The unit tests read it.
"""
import json
import pathlib
import random
import sys
import tempfile

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

import tokenizer_material as material

ROOT = pathlib.Path(__file__).resolve().parent.parent
HAND = [
    "", " ", "a", "\n", "Hello, World! It's 2024; I'LL say: 'don't' 1234567 times.",
    "  leading and trailing  ", "tabs\tand\r\nline ends\r\n\r\n  \n x", "x" * 300, " " * 70 + "y",
    "e\u0301e\u0316\u0301 \u1e9b\u0323 \u212b \u0958 \uac01\u1100\u1161\u11a8 \U0001d15e \u0344",
    "x\u0301\u0897\u0316 \u0898\u0345\u0301 \U00011935\U00011930 \U00011938 "
    "y\u0898\u0316",
    " \u180e\u180e!" * 40,
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd "
    "\u0645\u0631\u062d\u0628\u0627 \u4f60\u597d\uff0c\u4e16\u754c\u3002 \ud55c\uad6d\uc5b4",
    "\x85 \xa0 \u1680 \u180e \u2003 \u200b \u2028 \u3000 \ufeff|\x85a\xa0b\u180ec\u3000d\x1ce",
    " ".join(material.EMOJI) + "".join(material.EMOJI), "\n".join(material.CODE),
    " ".join(material.NUMBERS) + "".join(material.NUMBERS),
    "<|endoftext|>a <|endoftext|> <word> a<word> <word>b \u00e9<word>, <word><word>",
    "a  <mask>  b<mask>\u3000\n<mask> c<tail>  \n d <tail> <mask> e <|im_start|>\n<|begin_of_text|>",
    "<|endoftext| <|endof <mas <", "\u017ft 's 'S '\u017f K \u212a \ufb01 \u00df",
]


def texts():
    rng = random.Random(5)
    blocks = material.scripts()
    return HAND + [material.generated(rng, blocks, 1500) for _ in range(4)]


def small(family, parts, folder):
    tokenizer, special = material.assemble(models.BPE(), family)
    trainer = trainers.BpeTrainer(vocab_size=420, show_progress=False, max_token_length=16,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(parts, trainer)
    path = pathlib.Path(folder) / f"{family}.json"
    material.finish(tokenizer, family, special, path)
    return path


def entry(name, file, parts, **more):
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    return {"name": name, **more,
            "cases": [{"text": text, "ids": tokenizer.encode(text).ids} for text in parts]}


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/data/tokenizer.json"
    parts = texts()
    tiny = ROOT / "models/tiny/tokenizer.json"
    entries = [entry("tiny", tiny, parts, path="models/tiny/tokenizer.json")]
    with tempfile.TemporaryDirectory() as folder:
        for family in material.families():
            path = small(family, parts, folder)
            entries.append(entry(family, path, parts, tokenizer=path.read_text()))
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"about": "made by tools/tokenizer_fixture.py",
                               "tokenizers": tokenizers.__version__, "entries": entries},
                              separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
