#!/usr/bin/env python3
"""What Hugging Face transformers itself rotates by, for every fixture of tests/data/families.

    python3 tools/golden_families.py > tests/data/families/golden_transformers.json
    python3 tools/golden_families.py llama3_1_8b gemma3_12b_v4      # some of them

Needs torch and transformers (made for 5.17 and 4.57; older ones run, and what they cannot load is
recorded as {"error": ...}). No weights, no network, no ropewalk: a fixture becomes a config.json in
an empty directory, AutoConfig reads it, and the model that its `architectures` name is built with
its linear layers and embeddings on the meta device. The rotary modules are then the model's own, in
float32 on the CPU. Each is asked for one position at the lengths that matter, and its tables are
read back afterwards, so that tables which transformers changes on the way (dynamic, longrope) are
recorded as they were used.

Per fixture:
  through      where the config that was loaded lies in the fixture ("" is the whole of it; another
               path is taken when transformers has no class for the whole)
  stand_in     the model type that took the place of one that transformers has no class for
  config       what transformers resolved: rope block, theta, window, layer types
  softmax      the attention layers' scale, and that times sqrt(head dim): 1 but for MLA with
               mscale_all_dim, and for Gemma, which scales by other means
  rotary       per rotary module and layer type: the table as constructed, and per length the
               amplitude measured on the returned cos and sin, and the table if it changed
  not_language rotary modules outside the language model, by name
"""
import contextlib
import json
import math
import os
import platform
import sys
import tempfile
import traceback

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "critical")

import torch
import transformers
from transformers import AutoConfig, PreTrainedModel

FAMILIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "data",
                        "families")
NOT_FIXTURES = ("expected.json", "golden")

# Where the language config of a fixture lies when the whole has no class here; first that exists.
PATHS = ("text_config", "llm_config", "language_config", "thinker_config.text_config",
         "transformer_layer_config")
# Remote-code types whose rotation is the named type's, key for key.
STAND_INS = {"internlm2": "llama", "phi3_v": "phi3", "qwen2_5_omni_text": "qwen2"}
NOT_LANGUAGE = ("vision", "visual", "audio", "talker", "token2wav", "code2wav", "image")
EXPERT_COUNTS = ("num_local_experts", "n_routed_experts", "num_experts")
WIDTHS = ("intermediate_size", "moe_intermediate_size", "intermediate_size_mlp", "expert_dim")


@contextlib.contextmanager
def no_weights():
    """Linear layers and embeddings take no memory and nothing is initialised; the rest is real."""
    undo = []

    def swap(owner, name, value):
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    for layer in (torch.nn.Linear, torch.nn.Embedding, torch.nn.Conv2d, torch.nn.Conv3d,
                  torch.nn.Conv1d, torch.nn.ConvTranspose1d):
        def meta(self, *args, _init=layer.__init__, **more):
            more["device"] = "meta"
            _init(self, *args, **more)
        swap(layer, "__init__", meta)
    for name in ("init_weights", "initialize_weights"):
        if hasattr(PreTrainedModel, name):
            swap(PreTrainedModel, name, lambda self, *args, **more: None)
    try:
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def at(tree, path):
    for key in path.split(".") if path else []:
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return tree


def load(raw):
    """(config, through, stand_in), by transformers' own reading of the file."""
    tried = []
    for path in ("",) + PATHS:
        part = at(raw, path)
        if not isinstance(part, dict) or (path and not part):
            continue
        for stand_in in (None, STAND_INS.get(part.get("model_type"))):
            said = dict(part)
            if stand_in:
                said["model_type"] = stand_in
                said.pop("architectures", None)
            elif "model_type" not in said:
                continue
            said.pop("auto_map", None)  # remote code is not run
            said.pop("quantization_config", None)
            with tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as out:
                    json.dump(said, out)
                try:
                    return AutoConfig.from_pretrained(folder), path, stand_in
                except Exception as error:  # the next path may do
                    tried.append(f"{path or 'top level'}: {type(error).__name__}: "
                                 + first_line(error))
            if stand_in is None and part.get("model_type") not in STAND_INS:
                break
    raise LookupError("; ".join(tried) or "nothing here names a model type")


def first_line(error):
    """What it says in one line; advice to update transformers, which follows a blank line, is cut."""
    return " ".join(str(error).split("\n\n")[0].split())[:700]


def sub_configs(config):
    yield config
    for value in list(vars(config).values()):
        if hasattr(value, "to_dict") and hasattr(value, "model_type"):
            yield from sub_configs(value)


def shrink(config):
    """What only costs memory here: experts, their widths, vision depth. Nothing RoPE reads."""
    for part in sub_configs(config):
        for name in EXPERT_COUNTS:
            if isinstance(getattr(part, name, None), int) and getattr(part, name) > 8:
                setattr(part, name, 8)
        for name in WIDTHS:
            if isinstance(getattr(part, name, None), int):
                setattr(part, name, 64)
        if isinstance(getattr(part, "num_experts_per_tok", None), int):
            part.num_experts_per_tok = 1


def model_of(config):
    for name in (getattr(config, "architectures", None) or []):
        found = getattr(transformers, name, None)
        if found is not None:
            break
    else:
        found = None
        for auto in (transformers.AutoModelForCausalLM, transformers.AutoModel):
            if type(config) in auto._model_mapping:
                found = auto._model_mapping[type(config)]
                break
        if found is None:
            raise LookupError(f"no model class for {type(config).__name__}")
    shrink(config)
    with no_weights(), torch.no_grad():
        return found(config).eval()


def text_config_of(config):
    """The part whose rope the language model reads."""
    for path in ("thinker_config.text_config", "text_config", "llm_config", "language_config"):
        part = config
        for name in path.split("."):
            part = getattr(part, name, None)
        if part is not None and not isinstance(part, dict):
            return part
    return config


def plain(value):
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return str(value)


def runs(values):
    """[a, a, b] as [["a", 2], ["b", 1]]."""
    out = []
    for value in values:
        if out and out[-1][0] == value:
            out[-1][1] += 1
        else:
            out.append([value, 1])
    return out


def resolved(config):
    said = {"class": type(config).__name__, "model_type": getattr(config, "model_type", None)}
    for name in ("rope_parameters", "rope_scaling", "rope_theta", "rope_local_base_freq",
                 "partial_rotary_factor", "max_position_embeddings",
                 "original_max_position_embeddings", "head_dim", "hidden_size",
                 "num_attention_heads", "qk_rope_head_dim", "rotary_pct", "rotary_emb_base",
                 "sliding_window", "no_rope_layers", "num_hidden_layers"):
        try:
            value = getattr(config, name)
        except Exception:
            continue
        if value is not None:
            said[name] = plain(value)
    layers = getattr(config, "layer_types", None)
    if layers:
        said["layer_types"] = runs(list(layers))
    return said


def tables(module):
    """{layer type or "": (buffer name, attention scaling name)} of a rotary module."""
    found = {}
    for name, _ in module.named_buffers(recurse=False):
        if name == "inv_freq":
            found[""] = (name, "attention_scaling")
        elif name.endswith("_inv_freq") and "original" not in name and "long" not in name:
            kind = name[:-len("_inv_freq")]
            found[kind] = (name, f"{kind}_attention_scaling")
    return found


def numbers(tensor):
    return [float(w) for w in tensor.detach().to(torch.float64).flatten()]


def amplitude(out):
    """sqrt(cos^2 + sin^2) of what forward gave, or the modulus of a complex table."""
    if isinstance(out, (tuple, list)):
        cos, sin = (t.to(torch.float64) for t in out[:2])
        return float((cos * cos + sin * sin).sqrt().mean())
    return float(out.to(torch.complex128).abs().mean())


def ask(module, kind, length, axes):
    shape = (axes, 1, 1) if axes else (1, 1)
    position = torch.full(shape, length - 1, dtype=torch.long)
    like = torch.zeros(1, 1, 8)
    more = {"layer_type": kind} if kind else {}
    with torch.no_grad():
        return module(like, position, **more)


def lengths_of(config):
    """Where a table could change: the original window, the window, and just past either."""
    found = set()
    blocks = [b for b in (getattr(config, n, None) for n in ("rope_parameters", "rope_scaling"))
              if isinstance(b, dict)]
    blocks += [b for block in blocks for b in block.values() if isinstance(b, dict)]
    for block in blocks:
        if isinstance(block.get("original_max_position_embeddings"), (int, float)):
            found.add(int(block["original_max_position_embeddings"]))
    for name in ("max_position_embeddings", "original_max_position_embeddings"):
        value = getattr(config, name, None)
        if isinstance(value, int):
            found.add(value)
    return sorted(found | {n + 1 for n in found} | {2 * n for n in found})


def rotary_of(name, module, config):
    rows = []
    for kind, (buffer, scaling) in sorted(tables(module).items()):
        first = numbers(getattr(module, buffer))
        row = {"module": name, "class": type(module).__name__, "layer_type": kind or None,
               "rope_type": plain(getattr(module, "rope_type", None)),
               "attention_scaling": float(getattr(module, scaling, 1.0)), "inv_freq": first,
               "lengths": []}
        axes = 3 if "VL" in row["class"] or "Omni" in row["class"] else 0
        for length in lengths_of(config):
            try:
                out = ask(module, kind, length, axes)
            except Exception as error:
                row["lengths"].append({"length": length,
                                       "error": f"{type(error).__name__}: {first_line(error)}"})
                continue
            now = numbers(getattr(module, buffer))
            said = {"length": length, "amplitude": amplitude(out),
                    "attention_scaling": float(getattr(module, scaling, 1.0))}
            said["inv_freq"] = "as constructed" if now == first else now
            row["lengths"].append(said)
        rows.append(row)
    return rows


def softmax_of(model):
    """The scale of the attention layers of the language model, times sqrt of what they divide by."""
    for name, module in model.named_modules():
        if any(word in name for word in NOT_LANGUAGE) or "attn" not in name.split(".")[-1]:
            continue
        scale = getattr(module, "scaling", getattr(module, "softmax_scale", None))
        width = getattr(module, "qk_head_dim", getattr(module, "q_head_dim", None)) \
            or getattr(module, "head_dim", None)
        if isinstance(scale, float) and isinstance(width, int):
            return {"module": name, "scale": scale, "head_dim": width,
                    "times_sqrt_head_dim": scale * math.sqrt(width)}
    return None


def layers_of(model):
    """Which layers rotate, where the attention says so itself."""
    found = [bool(getattr(m, "use_rope")) for n, m in model.named_modules()
             if n.endswith("self_attn") and hasattr(m, "use_rope")
             and not any(word in n for word in NOT_LANGUAGE)]
    return runs(found) if found else None


def fixture(raw):
    config, through, stand_in = load(raw)
    language = text_config_of(config)
    said = {"through": through, "stand_in": stand_in, "config": resolved(language)}
    model = model_of(config)
    said["model"] = type(model).__name__
    said["softmax"] = softmax_of(model)
    said["layers_use_rope"] = layers_of(model)
    said["rotary"], said["not_language"] = [], []
    for name, module in model.named_modules():
        if not tables(module):
            continue
        if any(word in name.lower() or word in type(module).__name__.lower()
               for word in NOT_LANGUAGE):
            said["not_language"].append({"module": name, "class": type(module).__name__})
        else:
            keep_new(said["rotary"], rotary_of(name, module, language))
    return said


def keep_new(rows, more):
    """Some versions give every layer a module of its own: one that says nothing new is named only."""
    def content(row):
        return {k: v for k, v in row.items() if k not in ("module", "same_in")}

    for row in more:
        twin = next((r for r in rows if content(r) == content(row)), None)
        if twin is None:
            rows.append(row)
        else:
            twin.setdefault("same_in", []).append(row["module"])


def main(names):
    torch.set_num_threads(2)
    found = sorted(n[:-5] for n in os.listdir(FAMILIES)
                   if n.endswith(".json") and not n.startswith(NOT_FIXTURES))
    out = {}
    for name in names or found:
        with open(os.path.join(FAMILIES, name + ".json"), encoding="utf-8") as file:
            raw = json.load(file)
        try:
            out[name] = fixture(raw)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            out[name] = {"error": f"{type(error).__name__}: {first_line(error)}",
                         "at": f"{os.path.basename(where.filename)}:{where.name}"}
        print(name, out[name].get("error", "ok"), file=sys.stderr)
    about = {"by": "tools/golden_families.py", "transformers": transformers.__version__,
             "torch": torch.__version__, "python": platform.python_version(),
             "arithmetic": "float32 on the CPU, widened"}
    print('{"about": ' + json.dumps(about) + ',\n "fixtures": {')
    print(",\n".join(f"{json.dumps(n)}: {json.dumps(v)}" for n, v in out.items()))
    print("}}")


if __name__ == "__main__":
    main(sys.argv[1:])
