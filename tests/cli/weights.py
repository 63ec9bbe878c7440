"""Weights that are not what the description says, or no numbers; more threads than the machine has:
the documented exit status, a message with the tensor's name, and nothing half-written."""
import json
import os
import struct

from common import DATA, TINY, copy_model, expect, main, nothing_left, run


def read_weights(model):
    data = (model / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), bytearray(data[8 + size:])


def write_weights(model, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (model / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def change_config(model, **changes):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, **changes}))


def refused(folder, model, code, *in_err):
    """By every verb that reads weights."""
    result = expect(run("generate", model, "--prompt", "a", "--tokens", 1), code, *in_err)
    assert result.out == ""
    result = expect(run("measure", model, "--data", DATA, "--lengths", 64), code, *in_err)
    assert result.out == ""
    result = run("extend", model, "--context", "2k", "--data", DATA, "-o", folder / "out")
    expect(result, code, *in_err)
    nothing_left(folder, "model")


def test_shape_contradicts_config(folder):
    model = copy_model(folder)
    change_config(model, intermediate_size=700)
    refused(folder, model, 3, "model.shape", "mlp.", "704", "700")


def test_heads_contradict_config(folder):
    model = copy_model(folder)
    change_config(model, num_key_value_heads=4)
    refused(folder, model, 3, "model.shape", "k_proj")


def test_rank_contradicts_config(folder):
    model = copy_model(folder)
    header, data = read_weights(model)
    header["model.norm.weight"]["shape"] = [16, 16]
    write_weights(model, header, data)
    refused(folder, model, 3, "model.shape", "model.norm.weight")


def test_missing_tensor(folder):
    model = copy_model(folder)
    header, data = read_weights(model)
    header["harmless.rotary_emb.inv_freq"] = header.pop("model.layers.3.self_attn.v_proj.weight")
    write_weights(model, header, data)
    refused(folder, model, 3, "model.missing_tensor", "model.layers.3.self_attn.v_proj.weight")


def test_extra_tensor(folder):
    model = copy_model(folder)
    header, data = read_weights(model)
    begin = len(data)
    header["model.layers.0.self_attn.q_proj.bias"] = {
        "dtype": "BF16", "shape": [256], "data_offsets": [begin, begin + 512]}
    write_weights(model, header, data + bytes(512))
    refused(folder, model, 3, "model.unsupported", "error: model.layers.0.self_attn.q_proj.bias: ")


def test_feed_forward_that_is_not_run(folder):
    model = copy_model(folder)
    change_config(model, hidden_act="gelu")
    refused(folder, model, 3, "model.unsupported", "LlamaForCausalLM", "GELU", "plan")


def test_unknown_architecture(folder):
    """Named and refused for its weights, not for its tokenizer; all else works."""
    model = copy_model(folder)
    change_config(model, model_type="mamba9", architectures=["Mamba9ForCausalLM"])
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["model"]["type"] = "Unigram9"
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(folder, model, 3, "model.unsupported", "Mamba9ForCausalLM", "inspect, plan")
    facts = expect(run("inspect", model, "--json"), 0).json
    assert facts["architecture"] == "Mamba9ForCausalLM" and facts["context"]["native"] == 512
    assert expect(run("plan", model, "--context", "2k", "--json"), 0).json["factor"] == 4
    expect(run("extend", model, "--context", "2k", "--no-measure", "-o", folder / "out"), 0)
    assert (folder / "out" / "receipt.json").exists()


def test_type_that_is_no_number(folder):
    model = copy_model(folder)
    header, data = read_weights(model)
    header["model.layers.1.mlp.up_proj.weight"]["dtype"] = "I16"
    write_weights(model, header, data)
    refused(folder, model, 3, "model.dtype", "model.layers.1.mlp.up_proj.weight", "I16")


def test_not_finite(folder):
    """The last element of a matrix, the first of a norm: NaN, both infinities."""
    model = copy_model(folder)
    header, clean = read_weights(model)
    for name, place, bits in (("model.layers.5.mlp.down_proj.weight", -2, 0x7fc0),
                              ("model.embed_tokens.weight", 0, 0x7f80),
                              ("model.layers.2.input_layernorm.weight", 0, 0xff80)):
        begin, end = header[name]["data_offsets"]
        at = begin + place if place >= 0 else end + place
        data = bytearray(clean)
        data[at:at + 2] = struct.pack("<H", bits)
        write_weights(model, header, data)
        refused(folder, model, 3, "model.not_finite", name)


def test_largest_finite_is_fine(folder):
    model = copy_model(folder)
    header, data = read_weights(model)
    at = header["model.embed_tokens.weight"]["data_offsets"][0] + 2 * 256 * 4000
    data[at:at + 2] = struct.pack("<H", 0x7f7f)
    write_weights(model, header, data)
    expect(run("generate", model, "--prompt", "a", "--tokens", 1), 0)


def test_vocabulary_disagrees(folder):
    model = copy_model(folder)
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer.setdefault("added_tokens", []).append(
        {"id": 4096, "content": "<|one too many|>", "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": True})
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(folder, model, 3, "model.vocabulary", "4097", "4096")


def test_tokens_outside_the_vocabulary(folder):
    data = folder / "tokens.jsonl"
    data.write_text(json.dumps({"tokens": [1] * 100 + [4096]}) + "\n")
    expect(run("measure", TINY, "--data", data, "--lengths", 64), 3, "data.token_range", "4096")


def test_more_threads_than_processors(folder):
    most = os.sysconf("SC_NPROCESSORS_CONF")
    for count in (most + 1, 1000):
        result = run("generate", TINY, "--prompt", "a", "--tokens", 1, "--threads", count)
        expect(result, 2, "--threads", str(count), str(most))
    expect(run("generate", TINY, "--prompt", "a", "--tokens", 1, "--threads", most), 0)


main(globals())
