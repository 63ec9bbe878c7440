/*
 * companions.c - heads that draft tokens for a model. Multi-token prediction layers stand in the
 * model's own files and turn by its block; a draft (Eagle, speculators) is a checkpoint of its own
 * with a rotation of its own, which must be extended with its target.
 */
#include "dialect/internal.h"

static uint64_t gguf_layers(const rw_source *source) {
    char key[128];
    uint64_t layers = 0;
    rw_gguf_key(source, "nextn_predict_layers", key);
    return rw_gguf_u64(rw_checkpoint_gguf(source->checkpoint), key, &layers) ? layers : 0;
}

uint64_t rw_companion_layers(const rw_source *source) {
    static const char *const keys[] = {"num_nextn_predict_layers", "mtp_num_hidden_layers",
                                       "num_mtp_layers", "n_predict"};
    if (rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return gguf_layers(source);
    if (rw_companion_is_draft(source))
        return 0; /* a copy of its target's key */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint64_t layers = rw_json_u64_or(rw_json_get(source->language, keys[i]), 0);
        if (layers)
            return layers;
    }
    return 0;
}

bool rw_companion_is_draft(const rw_source *source) {
    static const char *const keys[] = {"draft_vocab_size", "speculators_model_type", "eagle_config",
                                       "transformer_layer_config"};
    if (rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return strncmp(source->arch.name, "eagle", 5) == 0;
    const rw_json *root = rw_checkpoint_config(source->checkpoint);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!rw_json_is_null(rw_json_get(root, keys[i])))
            return true;
    const rw_json *names = rw_json_get(root, "architectures");
    rw_str name = rw_json_string_or(names ? names->first : NULL, "");
    return memmem(name.data, name.size, "Eagle", 5) || memmem(name.data, name.size, "Medusa", 6);
}

void rw_companions_note(rw_source *source) {
    uint64_t layers = rw_companion_layers(source);
    if (layers)
        rw_diagnose(&source->diagnostics, "dialect.companion_mtp", RW_INFO, false,
                    source->language_path,
                    "%llu layer%s for predicting further tokens (MTP) turn%s by the model's own "
                    "block: whatever is done to it covers them",
                    (unsigned long long)layers, layers == 1 ? "" : "s", layers == 1 ? "s" : "");
    if (rw_companion_is_draft(source))
        rw_diagnose(
            &source->diagnostics, "dialect.companion_draft", RW_WARNING, true,
            source->language_path,
            "this is a draft for speculative decoding, with a rotation of its own: extend "
            "it with its target (extend TARGET --companion THIS), or the target rejects its "
            "tokens beyond the native window");
}

void rw_companions_write(rw_json_writer *w, const rw_source *source, const char *draft) {
    uint64_t layers = rw_companion_layers(source);
    rw_json_begin_array(w);
    if (layers) {
        rw_json_begin_object(w);
        rw_json_member_string(w, "kind", "mtp");
        rw_json_member_u64(w, "layers", layers);
        rw_json_member_string(w, "rotation", "shares the model's block");
        rw_json_member_bool(w, "covered", true);
        rw_json_end_object(w);
    }
    if (draft) {
        rw_json_begin_object(w);
        rw_json_member_string(w, "kind", "draft");
        rw_json_member_string(w, "path", draft);
        rw_json_member_string(w, "rotation", "its own");
        rw_json_member_bool(w, "covered", true);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

const char *rw_companion_serve(rw_runtime runtime, rw_arena *arena, uint64_t context) {
    switch (runtime) {
    case RW_VLLM:
        return rw_arena_format(arena,
                               "--speculative-config '{\"model\": \"DRAFT\", "
                               "\"num_speculative_tokens\": 3, \"max_model_len\": %llu}'\n",
                               (unsigned long long)context);
    case RW_SGLANG:
        return "--speculative-draft-model-path DRAFT\n";
    case RW_LLAMA_CPP:
        return "--model-draft DRAFT.gguf\n";
    default:
        return NULL;
    }
}
