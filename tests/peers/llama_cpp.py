#!/usr/bin/env python3
"""What llama.cpp computes: per-token NLL of given tokens under a GGUF, as JSON.

    python3 tests/peers/llama_cpp.py MODEL.gguf --tokens ids.json [--length N] [--half]
    python3 tests/peers/llama_cpp.py MODEL.gguf --text file.txt

ids.json is a list of token ids; --text is split by llama.cpp's own tokenizer. nll[i] is that of
token i + 1 given tokens 0..i, from one pass over tokens 0..N-1 (protocol `prefix`); with --half
windows of N tokens are run, each from an empty cache, and positions N/2..N-2 are scored, as
llama-perplexity does. Cache and attention are float32 unless --f16-cache is given. The lines that
llama.cpp logs about its rotation come back under "log".

Needs the package llama-cpp-py-sync (llama.h through CFFI), whose wheels want glibc 2.38; without
it, exit status 77. On an older system, unpack a newer glibc with libstdc++ and libgomp into a
folder R and run this with
`R/lib64/ld-linux-x86-64.so.2 --library-path R/lib/x86_64-linux-gnu:R/usr/lib/x86_64-linux-gnu python3 ...`.
"""
import argparse
import json
import sys

import numpy

try:
    from llama_cpp_py_sync._cffi_bindings import get_ffi, get_lib
except ImportError:
    print("skipped: the Python package llama-cpp-py-sync is missing", file=sys.stderr)
    sys.exit(77)

BATCH = 512
GGML_TYPE_F32, GGML_TYPE_F16 = 0, 1
ROPE_SCALING = {"none": 0, "linear": 1, "yarn": 2, "longrope": 3}


class Peer:
    """A model and a context of `length` tokens; `options` as main's arguments."""

    def __init__(self, path, length, options):
        try:
            self.ffi, self.lib = get_ffi(), get_lib()
        except RuntimeError as error:  # its wheels want glibc 2.38 (Debian 13, Ubuntu 24.04)
            print("skipped: %s" % error, file=sys.stderr)
            sys.exit(77)
        self.log = []
        self._sink = self.ffi.callback("ggml_log_callback", self._note)
        self.lib.llama_log_set(self._sink, self.ffi.NULL)
        self.lib.llama_backend_init()
        self.model = self.lib.llama_model_load_from_file(
            path.encode(), self.lib.llama_model_default_params())
        if self.model == self.ffi.NULL:
            raise SystemExit("llama.cpp cannot load %s:\n%s" % (path, "".join(self.log[-5:])))
        self.vocab = self.lib.llama_model_get_vocab(self.model)
        self.n_vocab = self.lib.llama_vocab_n_tokens(self.vocab)
        self.context = None
        if length:
            self._make_context(length, options)

    def _note(self, _level, text, _user):
        self.log.append(self.ffi.string(text).decode("utf-8", "replace"))

    def _make_context(self, length, options):
        params = self.lib.llama_context_default_params()
        params.n_ctx = length
        params.n_batch = params.n_ubatch = BATCH
        params.n_outputs_max = BATCH
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = options.threads
        params.type_k = params.type_v = GGML_TYPE_F16 if options.f16_cache else GGML_TYPE_F32
        params.flash_attn_type = 0
        if options.rope_scaling:
            params.rope_scaling_type = ROPE_SCALING[options.rope_scaling]
        if options.rope_scale:
            params.rope_freq_scale = 1.0 / options.rope_scale
        if options.rope_freq_base:
            params.rope_freq_base = options.rope_freq_base
        if options.yarn_orig_ctx:
            params.yarn_orig_ctx = options.yarn_orig_ctx
        self.context = self.lib.llama_init_from_model(self.model, params)
        if self.context == self.ffi.NULL:
            raise SystemExit("llama.cpp makes no context:\n" + "".join(self.log[-5:]))

    def tokenize(self, text):
        data = text.encode()
        ids = self.ffi.new("llama_token[]", len(data) + 8)
        count = self.lib.llama_tokenize(self.vocab, data, len(data), ids, len(data) + 8, True, True)
        return [ids[i] for i in range(count)]

    def _batch(self, tokens, first):
        batch = self.lib.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = first + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        return batch

    def passes(self, tokens):
        """(first position, logits [count][vocabulary]) of one pass from an empty cache."""
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        for first in range(0, len(tokens), BATCH):
            part = tokens[first:first + BATCH]
            batch = self._batch(part, first)
            if self.lib.llama_decode(self.context, batch) != 0:
                raise SystemExit("llama_decode failed at token %d" % first)
            size = len(part) * self.n_vocab
            raw = self.ffi.buffer(self.lib.llama_get_logits(self.context), size * 4)
            logits = numpy.frombuffer(raw, dtype=numpy.float32).reshape(len(part), self.n_vocab)
            yield first, logits.astype(numpy.float64)
            self.lib.llama_batch_free(batch)

    def nll(self, tokens):
        """NLL of tokens[1:], from a fresh pass over tokens[:-1]."""
        result = []
        for first, logits in self.passes(tokens[:-1]):
            top = logits.max(axis=1)
            total = top + numpy.log(numpy.exp(logits - top[:, None]).sum(axis=1))
            targets = tokens[first + 1:first + 1 + len(logits)]
            result.extend((total - logits[numpy.arange(len(logits)), targets]).tolist())
        return result


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--tokens", help="JSON list of ids")
    parser.add_argument("--text", help="text file, split by llama.cpp")
    parser.add_argument("--length", type=int, help="N; default: all tokens but the last")
    parser.add_argument("--half", action="store_true", help="windows of N, second halves scored")
    parser.add_argument("--windows", type=int, help="at most so many windows")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--f16-cache", action="store_true")
    parser.add_argument("--rope-scaling", choices=sorted(ROPE_SCALING))
    parser.add_argument("--rope-scale", type=float)
    parser.add_argument("--rope-freq-base", type=float)
    parser.add_argument("--yarn-orig-ctx", type=int)
    return parser.parse_args()


def load_tokens(options):
    if options.tokens:
        with open(options.tokens, encoding="utf-8") as file:
            return json.load(file)
    with open(options.text, encoding="utf-8") as file:
        return Peer(options.model, 0, options).tokenize(file.read())


def half(peer, tokens, length, windows):
    """NLL of the scored positions of all windows."""
    scored, count = [], len(tokens) // length
    for window in range(min(count, windows or count)):
        part = tokens[window * length:(window + 1) * length]
        scored.extend(peer.nll(part)[length // 2:])
    return scored


def main():
    options = arguments()
    if bool(options.tokens) == bool(options.text):
        raise SystemExit("give --tokens or --text")
    tokens = load_tokens(options)
    length = options.length or len(tokens) - 1
    peer = Peer(options.model, length, options)
    nll = half(peer, tokens, length, options.windows) if options.half else \
        peer.nll(tokens[:length + 1])
    if not nll:
        raise SystemExit("there are fewer tokens than the length asks for")
    words = ("rope", "freq", "yarn", "n_ctx_orig", "n_ctx_train")
    log = [line.strip() for line in peer.log if any(word in line for word in words)]
    json.dump({"model": options.model, "length": length, "count": len(nll),
               "mean": sum(nll) / len(nll), "nll": nll, "tokens": tokens[:length + 1],
               "log": log}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
