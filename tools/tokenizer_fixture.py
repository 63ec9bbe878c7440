#!/usr/bin/env python3
"""Writes tests/data/tokenizer.json: texts with the ids that Hugging Face tokenizers gives them.

    tokenizer_fixture.py [OUT]

One entry a tokenizer: the embedded model's (by path), a small one of each byte-level family and
form of SentencePiece-style BPE, trained on the texts themselves and held in the file as text, and
"scores", a SentencePiece vocabulary with scores, whose ids are sentencepiece's own (they are kept
when that package is missing). The unit tests read it.
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
    "<|endoftext| <|endof <mas <", "<s>a</s> b<s> <unk><|user|> \n hi<|end|>\n\n\n<0x41><0xC3>",
    "\u2581a \u2581\u2581\u2581 b  c   d    \u2581e \u2581", "\u4e16\u754c\U0001f600 x \ud55c y\u0e01", "\u017ft 's 'S '\u017f K \u212a \ufb01 \u00df",
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


def scored(parts, folder):
    """A SentencePiece model trained on the parts: its vocabulary, and its own ids."""
    import sentencepiece
    source, prefix = pathlib.Path(folder) / "text", str(pathlib.Path(folder) / "scored")
    source.write_text("\n".join(HAND * 2))
    sentencepiece.SentencePieceTrainer.train(
        input=str(source), model_prefix=prefix, model_type="bpe", vocab_size=800,
        byte_fallback=True, character_coverage=0.98, split_by_whitespace=False,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        hard_vocab_limit=False, minloglevel=2)
    model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    kinds = [(model.is_unknown, 2), (model.is_control, 3), (model.is_byte, 6)]
    ids = range(model.vocab_size())
    vocabulary = {"tokens": [model.id_to_piece(i) for i in ids],
                  "types": [next((k for ask, k in kinds if ask(i)), 1) for i in ids],
                  "scores": [model.get_score(i) for i in ids]}
    parts = parts[:len(HAND)]
    return {"name": "scores", "sentencepiece": sentencepiece.__version__,
            "vocabulary": vocabulary,
            "cases": [{"text": text, "ids": model.encode(text)} for text in parts]}


def scored_or_kept(parts, folder, out):
    try:
        return scored(parts, folder)
    except ImportError:
        kept = json.loads(out.read_text())["entries"]
        return next(e for e in kept if e["name"] == "scores")


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
        learnt = material.pieces(parts, 240, True)
        for form in material.sentencepiece_forms():
            path = pathlib.Path(folder) / f"{form}.json"
            material.sentencepiece(form, learnt, path)
            entries.append(entry(form, path, parts[:len(HAND)], tokenizer=path.read_text()))
        entries.append(scored_or_kept(parts, folder, out))
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"about": "made by tools/tokenizer_fixture.py",
                               "tokenizers": tokenizers.__version__, "entries": entries},
                              separators=(",", ":"), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
