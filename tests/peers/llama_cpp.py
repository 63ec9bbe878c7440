#!/usr/bin/env python3
"""What llama.cpp computes: per-token NLL of given tokens under a GGUF, as JSON.

    python3 tests/peers/llama_cpp.py MODEL.gguf --tokens ids.json [--length N] [--half]
    python3 tests/peers/llama_cpp.py MODEL.gguf --text file.txt

ids.json is a list of token ids; --text is split by llama.cpp's own tokenizer. nll[i] is that of
token i + 1 given tokens 0..i, from one pass over tokens 0..N-1 (protocol `prefix`); with --half
windows of N tokens are run, each from an empty cache, and positions N/2..N-2 are scored, as
llama-perplexity does. Cache and attention are float32 unless --f16-cache is given. The lines that
llama.cpp logs about its rotation come back under "log".

Needs the package xllamacpp (a build of llama.cpp whose library shows the interface of llama.h; its
wheels run from glibc 2.17 on); without it, exit status 77. The structs below are those of the version
that tools/requirements.txt names, and are checked against the defaults that the library gives.
"""
import argparse
import ctypes
import importlib.util
import json
import sys
from ctypes import POINTER, c_bool, c_float, c_int32, c_size_t, c_uint32, c_void_p

try:
    import numpy
except ImportError as missing:
    print("skipped: %s" % missing, file=sys.stderr)
    sys.exit(77)

BATCH = 512
GGML_TYPE_F32, GGML_TYPE_F16 = 0, 1
ROPE_SCALING = {"none": 0, "linear": 1, "yarn": 2, "longrope": 3}
LOG_CALLBACK = ctypes.CFUNCTYPE(None, c_int32, ctypes.c_char_p, c_void_p)


class ModelParams(ctypes.Structure):
    _fields_ = [("devices", c_void_p), ("overrides", c_void_p), ("n_gpu_layers", c_int32),
                ("split_mode", c_int32), ("load_mode", c_int32), ("lazy_mode", c_int32),
                ("main_gpu", c_int32), ("tensor_split", c_void_p), ("progress", c_void_p),
                ("progress_data", c_void_p), ("kv_overrides", c_void_p), ("vocab_only", c_bool),
                ("check_tensors", c_bool), ("use_extra_bufts", c_bool), ("no_host", c_bool),
                ("no_alloc", c_bool), ("load_mtp", c_bool)]


class ContextParams(ctypes.Structure):
    _fields_ = [("n_ctx", c_uint32), ("n_batch", c_uint32), ("n_ubatch", c_uint32),
                ("n_seq_max", c_uint32), ("n_rs_seq", c_uint32), ("n_outputs_max", c_uint32),
                ("n_outputs_max_per_seq", c_uint32), ("n_threads", c_int32),
                ("n_threads_batch", c_int32), ("ctx_type", c_int32), ("rope_scaling_type", c_int32),
                ("pooling_type", c_int32), ("attention_type", c_int32),
                ("flash_attn_type", c_int32), ("rope_freq_base", c_float),
                ("rope_freq_scale", c_float), ("yarn_ext_factor", c_float),
                ("yarn_attn_factor", c_float), ("yarn_beta_fast", c_float),
                ("yarn_beta_slow", c_float), ("yarn_orig_ctx", c_uint32),
                ("defrag_thold", c_float), ("cb_eval", c_void_p), ("cb_eval_data", c_void_p),
                ("type_k", c_int32), ("type_v", c_int32), ("moe_cache_size", c_size_t),
                ("abort", c_void_p), ("abort_data", c_void_p), ("embeddings", c_bool),
                ("offload_kqv", c_bool), ("no_perf", c_bool), ("op_offload", c_bool),
                ("swa_full", c_bool), ("kv_unified", c_bool), ("samplers", c_void_p),
                ("n_samplers", c_size_t), ("ctx_other", c_void_p)]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", POINTER(c_float)),
                ("pos", POINTER(c_int32)), ("n_seq_id", POINTER(c_int32)),
                ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(ctypes.c_int8))]


# name: result, arguments
FUNCTIONS = {
    "llama_log_set": (None, LOG_CALLBACK, c_void_p),
    "llama_backend_init": (None,),
    "llama_model_default_params": (ModelParams,),
    "llama_model_load_from_file": (c_void_p, ctypes.c_char_p, ModelParams),
    "llama_model_get_vocab": (c_void_p, c_void_p),
    "llama_vocab_n_tokens": (c_int32, c_void_p),
    "llama_context_default_params": (ContextParams,),
    "llama_init_from_model": (c_void_p, c_void_p, ContextParams),
    "llama_tokenize": (c_int32, c_void_p, ctypes.c_char_p, c_int32, POINTER(c_int32), c_int32,
                       c_bool, c_bool),
    "llama_batch_init": (Batch, c_int32, c_int32, c_int32),
    "llama_batch_free": (None, Batch),
    "llama_get_memory": (c_void_p, c_void_p),
    "llama_memory_clear": (None, c_void_p, c_bool),
    "llama_decode": (c_int32, c_void_p, Batch),
    "llama_get_logits": (POINTER(c_float), c_void_p),
}
# What llama.h documents of the defaults: a library with other structs does not give these.
DEFAULTS = {"n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "rope_scaling_type": -1,
            "pooling_type": -1, "flash_attn_type": -1, "rope_freq_base": 0, "rope_freq_scale": 0,
            "yarn_ext_factor": -1, "yarn_orig_ctx": 0, "type_k": GGML_TYPE_F16,
            "type_v": GGML_TYPE_F16, "embeddings": False, "n_samplers": 0}


def skip(why):
    print("skipped: %s" % why, file=sys.stderr)
    sys.exit(77)


def library():
    """llama.cpp as the package has it."""
    try:
        found = importlib.util.find_spec("xllamacpp.xllamacpp")
        lib = ctypes.CDLL(found.origin)
    except (ImportError, AttributeError):
        skip("the Python package xllamacpp is missing")
    except OSError as error:
        skip("llama.cpp cannot be loaded: %s" % error)
    try:
        for name, (result, *parameters) in FUNCTIONS.items():
            function = getattr(lib, name)
            function.restype, function.argtypes = result, parameters
    except AttributeError as error:
        skip("this llama.cpp is another version: %s" % error)
    params = lib.llama_context_default_params()
    for name, value in DEFAULTS.items():
        if getattr(params, name) != value:
            skip("this llama.cpp is another version: %s is %r" % (name, getattr(params, name)))
    return lib


class Peer:
    """A model and a context of `length` tokens; `options` as main's arguments."""

    def __init__(self, path, length, options):
        self.lib = library()
        self.log = []
        self._sink = LOG_CALLBACK(self._note)
        self.lib.llama_log_set(self._sink, None)
        self.lib.llama_backend_init()
        self.model = self.lib.llama_model_load_from_file(
            path.encode(), self.lib.llama_model_default_params())
        if not self.model:
            raise SystemExit("llama.cpp cannot load %s:\n%s" % (path, "".join(self.log[-5:])))
        self.vocab = self.lib.llama_model_get_vocab(self.model)
        self.n_vocab = self.lib.llama_vocab_n_tokens(self.vocab)
        self.context = None
        if length:
            self._make_context(length, options)

    def _note(self, _level, text, _user):
        self.log.append(text.decode("utf-8", "replace"))

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
        if not self.context:
            raise SystemExit("llama.cpp makes no context:\n" + "".join(self.log[-5:]))

    def tokenize(self, text):
        data = text.encode()
        ids = (c_int32 * (len(data) + 8))()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), ids, len(ids), True, True)
        return list(ids[:count])

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
            logits = numpy.ctypeslib.as_array(self.lib.llama_get_logits(self.context),
                                              (len(part), self.n_vocab))
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
