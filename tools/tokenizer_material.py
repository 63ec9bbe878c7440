#!/usr/bin/env python3
"""What tools/tokenizer_check.py compares on: mixed text and tokenizers of several families.

    tokenizer_material.py OUT --text TRAIN.txt.zst [--gguf MODEL.gguf] [--megabytes 10]

writes into OUT: mix.txt (parts separated by NUL), and gpt2.json, llama3.json, qwen2.json,
smollm.json trained on part of the text with the pre-tokenizers of those families, <family>-pairs.json
(every pair of bytes is a merge, so that the ids show where the text was cut), <form>.json for the
forms that SentencePiece-style BPE takes (sentencepiece_forms), and with --gguf, gguf.json (the
tokenizer.json of the GGUF's vocabulary, byte-level only) and gguf-vocabulary.json (the vocabulary).
--only FORM,... makes only these. Needs tokenizers, zstd (the program), and for --gguf the package
gguf.
"""
import argparse
import itertools
import json
import pathlib
import random
import subprocess
import unicodedata

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SPACES = [" ", "  ", "    ", " " * 37, "\t", "\n", "\r\n", "\r", "\n\n", "\x0b", "\x0c", "\x1c", "\x85",
          "\xa0", "\u1680", "\u180e", "\u2003", "\u200b", "\u200d", "\u2028", "\u2029", "\u202f",
          "\u205f", "\u3000", "\ufeff"]
EMOJI = ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
         "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "1\ufe0f\u20e3",
         "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"]
CODE = ["if (x->y != 0x1Fu) { return a[i++] << 3; }", "def f(self, *a, **k):\n        pass\n",
        "printf(\"%5.2f\\n\", 3.14159e-10);", "SELECT * FROM t WHERE id='42' -- x", "<a href=\"#\">",
        "$\\sum_{i=0}^{n} x_i^2$", "it's I'LL we'Ve 'S don't ''' 'd", "#!/bin/sh\r\n\texit 1\r\n"]
NUMBERS = ["0", "12", "123", "1234567890", "3.14", "1,000,000", "\u0661\u0662\u0663", "\u00bd",
           "\u2167", "\u2460", "\u0967\u0968", "\uff11\uff12"]

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|begin_of_text|>", "<word>", "a<word>", "<word>,", " \t<mask>",
           "<mask><mask>", "<s>", "</s> a", "<|user|>\n hi", "<0x41>", "\u2581", "\u2581\u2581\u2581\u2581",
           "<unk>", "<tail>  \n", "<tail> <mask> ", "<|endoftext|", "<word><word>"]


def scripts():
    """Letters, marks, numbers and signs by blocks of 128 code points, assigned ones only."""
    blocks = []
    for begin in range(0, 0x30000, 128):
        block = [chr(c) for c in range(begin, begin + 128)
                 if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
        if block and not 0x20000 <= begin < 0x2fa00:
            blocks.append(block)
    return blocks


def generated(rng, blocks, size):
    """Words of one script with marks, spaces of every kind, emoji, numbers and code."""
    out, length = [], 0
    marks = "\u0301\u0316\u0308\u0327\u0345\u093c\u05b0\u0651"
    while length < size:
        block = rng.choice(blocks)
        kind = rng.random()
        if kind < 0.55:
            item = "".join(rng.choices(block, k=rng.randint(1, 9)))
        elif kind < 0.65:
            item = "".join(c + rng.choice(marks) * rng.randint(0, 3)
                           for c in rng.choices(block, k=rng.randint(1, 5)))
        else:
            item = rng.choice(rng.choice([EMOJI, CODE, NUMBERS, SPACES, SPACES, SPECIAL]))
        out.append(item + rng.choice([" ", "", rng.choice(SPACES), " ", ""]))
        length += len(out[-1].encode())
    return "".join(out).replace("\0", "")


def mix(rng, documents, megabytes):
    blocks = scripts()
    parts, size = [], 0
    while size < megabytes * 1e6:
        text = rng.choice(documents)[:60000] if len(parts) % 2 else generated(rng, blocks, 50000)
        if len(parts) % 6 == 3:  # the normalizers' turn: decomposed text
            text = unicodedata.normalize("NFD", text)
        parts.append(text)
        size += len(text.encode())
    return parts


def byte_level(**k):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, **k)


def families():
    split = lambda pattern: pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(use_regex=False)])
    return {
        "gpt2": (None, byte_level(), ["<|endoftext|>"]),
        "smollm": (None, pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), byte_level()]), ["<|endoftext|>"]),
        "llama3": (None, split(LLAMA3), ["<|begin_of_text|>", "<|end_of_text|>"]),
        "qwen2": (normalizers.NFC(), split(QWEN2), ["<|endoftext|>", "<|im_start|>"]),
    }


def assemble(model, family):
    normalizer, pre_tokenizer, special = families()[family]
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, special


def finish(tokenizer, family, special, path):
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in special])
    tokenizer.add_tokens([AddedToken("<word>", single_word=True, normalized=False),
                          AddedToken("<mask>", lstrip=True, normalized=False),
                          AddedToken("<tail>", rstrip=True, normalized=True)])
    if family == "llama3":
        bos = special[0]
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos} $B",
                                          special_tokens=[(bos, tokenizer.token_to_id(bos))])])
    text = json.loads(tokenizer.to_str())
    if family == "llama3":
        text["model"]["ignore_merges"] = True
    path.write_text(json.dumps(text, ensure_ascii=False))


def train(family, parts, path):
    tokenizer, special = assemble(models.BPE(), family)
    trainer = trainers.BpeTrainer(vocab_size=24000, show_progress=False, max_token_length=24,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(parts, trainer)
    finish(tokenizer, family, special, path)


def pairs(family, path):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(itertools.product(alphabet, alphabet))
    random.Random(7).shuffle(merges)
    vocab = {c: i for i, c in enumerate(alphabet + [a + b for a, b in merges])}
    tokenizer, special = assemble(models.BPE(vocab=vocab, merges=merges), family)
    finish(tokenizer, family, special, path)


# ---- SentencePiece-style BPE ---------------------------------------------------------------------

MARK = "\u2581"
BYTES = [f"<0x{b:02X}>" for b in range(256)]
LONE = ["<unk>", "<s>", "</s>"]
CHAT = ["<|user|>", "<|end|>", "<|assistant|>"]


def sentencepiece_forms():
    """name -> normalizer, pre_tokenizer, decoder (as they write it), settings"""
    mark = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    unmark = {"type": "Replace", "pattern": {"String": MARK}, "content": " "}
    prefixed = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": MARK}, mark]}
    bare = [unmark, {"type": "ByteFallback"}, {"type": "Fuse"}]
    plain = {"type": "Sequence", "decoders": bare}
    stripped = {"type": "Sequence",
                "decoders": bare + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    metaspace = lambda scheme, split: {"type": "Metaspace", "replacement": MARK,
                                       "prepend_scheme": scheme, "split": split}
    merged = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
              "invert": False}
    return {
        "llama2": (prefixed, None, stripped, {"bos": True}),
        "llama2-old": (prefixed, None, stripped, {"bos": True, "normalized": True}),
        "mistral": (None, metaspace("first", False), stripped, {"bos": True}),
        "phi3": (prefixed, None, stripped, {"rstrip": True}),
        "gemma2": (mark, None, plain, {"bos": True, "marks": True}),
        "gemma3": (mark, merged, plain, {"bos": True, "marks": True}),
        "words": (None, metaspace("always", True), metaspace("always", True), {}),
        "never": (None, metaspace("never", False), plain, {"whole": True}),
        "unknown": (prefixed, None, stripped, {"fallback": False}),
        "unknowns": (prefixed, None, stripped, {"fallback": False, "fuse": False}),
        "holes": (mark, None, plain, {"bytes": [b for b in BYTES if b[4] not in "9B"]}),
    }


def pieces(parts, size, across):
    """Tokens and merges learnt from the parts; `across` words too."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", MARK)
    if across:  # of lines
        parts = [line[:80] for part in parts[:40] for line in part.split("\n")]
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, max_token_length=16,
                                  limit_alphabet=min(600, size // 4))
    tokenizer.train_from_iterator(parts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), model["merges"]


def added_token(vocab, content, **settings):
    vocab.setdefault(content, len(vocab))
    return {"id": vocab[content], "content": content, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": False, **settings}


def sentencepiece(form, learnt, path):
    normalizer, pre_tokenizer, decoder, more = sentencepiece_forms()[form]
    tokens, merges = learnt
    vocab = {t: i for i, t in enumerate(LONE + more.get("bytes", BYTES))}
    for token in tokens:
        vocab.setdefault(token, len(vocab))
    model = dict(vocab)
    rstrip, normalized = more.get("rstrip", False), more.get("normalized", False)
    added = [added_token(vocab, t, special=True, normalized=normalized) for t in LONE]
    added += [added_token(vocab, t, special=True, rstrip=rstrip) for t in CHAT]
    added += [added_token(vocab, "<word>", single_word=True),
              added_token(vocab, "<mask>", lstrip=True),
              added_token(vocab, "<tail>", rstrip=True, normalized=True)]
    if more.get("marks"):
        added += [added_token(vocab, t) for t in (MARK * 2, MARK * 3, "\n\n", "<table>")]
    template = {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                           {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                         {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [vocab["<s>"]], "tokens": ["<s>"]}}}
    text = {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": sorted(added, key=lambda t: t["id"]), "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": template if more.get("bos") else None,
            "decoder": decoder,
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": more.get("fuse", True),
                      "byte_fallback": more.get("fallback", True),
                      "ignore_merges": more.get("whole", False), "vocab": model, "merges": merges}}
    path.write_text(json.dumps(text, ensure_ascii=False))


def train_sentencepiece(parts, out, only):
    for across in (False, True):
        learnt = pieces(parts, 8000, across)
        for form in sentencepiece_forms():
            name = form + ("-across" if across else "")
            if not only or name in only:
                sentencepiece(form, learnt, out / f"{name}.json")


def from_gguf(path, out):
    import gguf
    fields = gguf.GGUFReader(path).fields
    value = lambda key, other=None: (fields["tokenizer.ggml." + key].contents()
                                     if "tokenizer.ggml." + key in fields else other)
    tokens, types = value("tokens"), value("token_type")
    merges = value("merges")
    vocabulary = {"model": value("model"), "pre": value("pre", ""), "tokens": tokens,
                  "types": types, "merges": merges or [], "scores": value("scores"),
                  "bos": value("bos_token_id", -1), "eos": value("eos_token_id", -1),
                  "add_bos": value("add_bos_token"), "add_eos": value("add_eos_token"),
                  "add_space_prefix": value("add_space_prefix")}
    (out / "gguf-vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    if value("model") == "llama":
        return
    model = models.BPE(vocab={t: i for i, t in enumerate(tokens)},
                       merges=[tuple(m.split(" ")) for m in merges])
    tokenizer, _ = assemble(model, "smollm")
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True)
                                  for t, kind in zip(tokens, types) if kind == 3])
    tokenizer.save(str(out / "gguf.json"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--text", required=True)
    parser.add_argument("--gguf")
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--only", type=lambda text: text.split(","))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    text = subprocess.run(["zstd", "-dc", args.text], check=True, capture_output=True).stdout
    documents = [d for d in text.decode(errors="ignore").split("\0") if d]
    rng = random.Random(1)
    parts = mix(rng, documents, args.megabytes)
    (args.out / "mix.txt").write_text("\0".join(parts), newline="")
    train_sentencepiece(parts[:120], args.out, args.only)
    for family in families():
        if args.only and family not in args.only:
            continue
        train(family, parts[:120], args.out / f"{family}.json")
        pairs(family, args.out / f"{family}-pairs.json")
    if args.gguf:
        from_gguf(args.gguf, args.out)


if __name__ == "__main__":
    main()
