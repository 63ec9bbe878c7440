/*
 * emit.c - what to type where a runtime is not given the patched files (reference page 4.3). Nested
 * overrides included; foreign keys of the block repeated, since an override replaces it whole.
 * Versions named are those the lines were checked against in documentation, not run.
 */
#include "dialect/internal.h"

typedef unsigned long long ull;

/* The block as it would be written, taken from the rewritten config itself: what the writer knows
   (foreign keys, amplitude per runtime) need not be known twice. */
static const rw_json *written_block(const rw_source *source, const rw_rope_set *set,
                                    uint64_t context, rw_targets targets, rw_str *text,
                                    const rw_json **level, rw_error *err) {
    rw_buf config = {.ctx = source->arena->ctx};
    const rw_json *root = NULL;
    const char *kept = NULL;
    if (rw_dialect_write_config(source, set, context, targets, &config, err) == RW_OK)
        kept = rw_arena_text(source->arena, config.data, config.size);
    *text = (rw_str){kept, config.size};
    rw_buf_free(&config);
    if (!kept || rw_json_parse_python(source->arena, *text, "config.json", &root, err) != RW_OK)
        return NULL;
    *level = source->language_path[0] ? rw_json_path(root, source->language_path) : root;
    const rw_json *block = rw_hf_block(*level, "rope_parameters");
    return block ? block : rw_hf_block(*level, "rope_scaling");
}

/* A value in one line: as it stands in the text, with white space outside strings made one. */
static void one_line(rw_buf *out, rw_str text, const rw_json *node) {
    bool in_string = false;
    for (uint64_t i = node->begin; i < node->end; i++) {
        char c = text.data[i];
        if (c == '"' && (i == node->begin || text.data[i - 1] != '\\'))
            in_string = !in_string;
        if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
            continue;
        rw_buf_char(out, c);
        if (!in_string && (c == ',' || c == ':'))
            rw_buf_char(out, ' ');
    }
}

static void member_number(rw_buf *out, const char *key, double value) {
    char number[32];
    rw_format_double(number, value, true);
    rw_buf_format(out, ", \"%s\": %s", key, number);
}

/* What an override must say again, because it replaces the block and what a class has put into it:
   theta, and the part of the head that rotates. */
typedef struct repeated {
    double theta;
    double partial; /* NaN: nothing to say */
} repeated;

static void block_text(rw_buf *out, rw_str text, const rw_json *block, const repeated *again) {
    bool theta = false, partial = false, type = false;
    rw_buf_char(out, '{');
    for (const rw_json *n = block ? block->first : NULL; n; n = n->next) {
        if (rw_str_is(n->key, "type"))
            continue;
        bool nested = n->type == RW_JSON_OBJECT;
        theta |= nested || rw_str_is(n->key, "rope_theta");
        partial |= nested || rw_str_is(n->key, "partial_rotary_factor");
        rw_buf_text(out, type ? ", " : "");
        rw_json_quote(out, n->key);
        rw_buf_text(out, ": ");
        one_line(out, text, n);
        type = true;
    }
    if (!type)
        rw_buf_text(out, "\"rope_type\": \"default\"");
    if (!theta)
        member_number(out, "rope_theta", again->theta);
    if (!partial && !isnan(again->partial))
        member_number(out, "partial_rotary_factor", again->partial);
    rw_buf_char(out, '}');
}

/* The families with a table per layer type want an object of blocks, however the file spells it. */
static void layers_text(rw_buf *out, rw_str text, const rw_json *block, const rw_rope_set *set,
                        const repeated *again) {
    const rw_rope_group *sliding = rw_rope_set_find(set, RW_LAYERS_SLIDING);
    if (!sliding || sliding->layers != RW_LAYERS_SLIDING || rw_hf_is_nested(block)) {
        block_text(out, text, block, again);
        return;
    }
    rw_buf_text(out, "{\"full_attention\": ");
    block_text(out, text, block, again);
    rw_buf_text(out, ", \"sliding_attention\": {\"rope_type\": \"default\"");
    member_number(out, "rope_theta", sliding->spec.theta);
    rw_buf_text(out, "}}");
}

/* Where the language model's config is once it is loaded: vision models whose file keeps its keys
   at the top have it in text_config all the same. */
static const char *loaded_path(const rw_source *source) {
    bool vision = !rw_json_is_null(rw_json_get(source->language, "vision_config"));
    return !source->language_path[0] && vision ? "text_config" : source->language_path;
}

/* {"text_config": {"rope_parameters": {...}}} around the block. */
static void nested(rw_buf *out, const rw_source *source, const char *key, const char *block) {
    unsigned depth = 1;
    rw_buf_char(out, '{');
    for (const char *at = loaded_path(source); *at; depth++) {
        size_t size = strcspn(at, ".");
        rw_buf_format(out, "\"%.*s\": {", (int)size, at);
        at += size + (at[size] == '.');
    }
    rw_buf_format(out, "\"%s\": %s", key, block);
    while (depth--)
        rw_buf_char(out, '}');
}

static void emit_vllm(rw_buf *out, const rw_source *source, const char *block, uint64_t context) {
    rw_buf_text(out, "# vLLM 0.11.1 and later\nVLLM_ALLOW_LONG_MAX_MODEL_LEN=1 vllm serve MODEL "
                     "--hf-overrides '");
    nested(out, source, "rope_parameters", block);
    rw_buf_format(out, "' --max-model-len %llu\n", (ull)context);
}

static void emit_sglang(rw_buf *out, const rw_source *source, const char *block, uint64_t context) {
    rw_buf_text(out, "# SGLang of 2026\nSGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1 python -m "
                     "sglang.launch_server --model-path MODEL --json-model-override-args '");
    nested(out, source, "rope_scaling", block);
    rw_buf_format(out, "' --context-length %llu\n", (ull)context);
}

/* `head_dim`: to be stated because the class leaves it null; 0: no need. */
static void emit_transformers(rw_buf *out, const rw_source *source, const char *block,
                              uint64_t context, uint64_t head_dim, bool five) {
    const char *path = five ? loaded_path(source) : source->language_path;
    const char *dot = path[0] ? "." : "";
    rw_buf_format(out,
                  "# transformers %s: set before the model is built; afterwards it has no effect\n"
                  "import json\nfrom transformers import AutoConfig, AutoModelForCausalLM\n"
                  "config = AutoConfig.from_pretrained(\"MODEL\")\n"
                  "config%s%s.%s = json.loads('%s')\n"
                  "config%s%s.max_position_embeddings = %llu\n",
                  five ? "5" : "4.56 or later 4.x", dot, path,
                  five ? "rope_parameters" : "rope_scaling", block, dot, path, (ull)context);
    if (head_dim)
        rw_buf_format(out, "config%s%s.head_dim = %llu\n", dot, path, (ull)head_dim);
    rw_buf_text(out, "model = AutoModelForCausalLM.from_pretrained(\"MODEL\", config=config)\n");
}

static void emit_llama_cpp(rw_buf *out, const rw_rope_spec *spec, uint64_t context) {
    rw_buf_text(out, "# llama.cpp of August 2026\nllama-server -m MODEL.gguf");
    if (spec->method == RW_ROPE_YARN || spec->method == RW_ROPE_NTK_BY_PARTS) {
        rw_buf_format(out, " --rope-scaling yarn --rope-scale %.9g --yarn-orig-ctx %llu",
                      spec->factor, (ull)spec->original_context);
        if (spec->beta_fast != 32)
            rw_buf_format(out, " --yarn-beta-fast %.9g", spec->beta_fast);
        if (spec->beta_slow != 1)
            rw_buf_format(out, " --yarn-beta-slow %.9g", spec->beta_slow);
    } else if (spec->method == RW_ROPE_LINEAR) {
        rw_buf_format(out, " --rope-scaling linear --rope-scale %.9g", spec->factor);
    } else if (spec->method == RW_ROPE_NTK || spec->method == RW_ROPE_BASE) {
        double d = spec->rotary_dim;
        double theta = spec->method == RW_ROPE_NTK ? spec->theta * pow(spec->factor, d / (d - 2))
                                                   : spec->theta;
        rw_buf_format(out, " --rope-freq-base %.9g", theta);
    }
    rw_buf_format(out, " -c %llu\n", (ull)context);
}

/* Can llama.cpp's command line say this rotation? */
static bool llama_cpp_flags_suffice(const rw_rope_spec *spec) {
    bool yarn = spec->method == RW_ROPE_YARN && spec->truncate && isnan(spec->attention_factor) &&
                spec->mscale_all_dim == 0;
    bool plain = spec->method == RW_ROPE_LINEAR || spec->method == RW_ROPE_NTK ||
                 spec->method == RW_ROPE_BASE;
    return (yarn || plain) && !spec->pair_factor_count &&
           (isnan(spec->attention_factor) || spec->attention_factor == 1);
}

/* Factors baked into the GGUF act under whatever the command line says, and both would stack. */
static bool has_baked_factors(const rw_source *source) {
    if (rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return rw_checkpoint_tensor(source->checkpoint, "rope_freqs.weight") != NULL;
    rw_rope_set *set = rw_arena_alloc(source->arena, sizeof *set);
    if (!set || rw_dialect_read(RW_LLAMA_CPP, source, set, NULL, NULL) != RW_OK)
        return false;
    const rw_rope_group *group = rw_primary_group(set);
    return group && rw_gguf_needs_factors(&group->spec);
}

static uint64_t added_head_dim(const rw_source *source, const rw_json *level) {
    bool stated = !rw_json_is_null(rw_json_get(source->language, "head_dim"));
    return stated ? 0 : rw_json_u64_or(rw_json_get(level, "head_dim"), 0);
}

static rw_status emit_hf(rw_runtime runtime, const rw_source *source, const rw_rope_set *set,
                         uint64_t context, rw_buf *out, rw_error *err) {
    rw_str text;
    const rw_json *level = NULL;
    rw_buf block = {.ctx = source->arena->ctx};
    const rw_json *node = written_block(source, set, context, 1u << runtime, &text, &level, err);
    if (!level)
        return err ? err->status : RW_ERR_INTERNAL;
    const rw_model_type *type = rw_model_type_of(source);
    if (type->ignores & 1u << runtime || !rw_model_type_takes(type, runtime, rw_hf_rope_type(node)))
        return RW_OK; /* whatever is typed, its class makes nothing of it */
    const rw_rope_spec *spec = &rw_primary_group(set)->spec;
    bool four = runtime == RW_TRANSFORMERS4 || runtime == RW_TRANSFORMERS4_EARLY;
    bool layers = runtime == RW_TRANSFORMERS5 || runtime == RW_VLLM;
    double partial = spec->partial_rotary_factor;
    const repeated again = {.theta =
                                rw_json_number_or(rw_json_get(level, "rope_theta"), spec->theta),
                            .partial = !four && partial > 0 && partial < 1 ? partial : NAN};
    if (layers)
        layers_text(&block, text, node, set, &again);
    else
        block_text(&block, text, node, &again);
    rw_buf_char(&block, 0);
    if (block.failed)
        out->failed = true;
    else if (runtime == RW_VLLM)
        emit_vllm(out, source, block.data, context);
    else if (runtime == RW_SGLANG)
        emit_sglang(out, source, block.data, context);
    else
        emit_transformers(out, source, block.data, context, added_head_dim(source, level),
                          runtime == RW_TRANSFORMERS5);
    rw_buf_free(&block);
    return RW_OK;
}

rw_status rw_dialect_emit(rw_runtime runtime, const rw_source *source, const rw_rope_set *set,
                          uint64_t context, const char **out, rw_error *err) {
    *out = NULL;
    const rw_rope_group *group = rw_primary_group(set);
    bool gguf = rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF;
    rw_buf text = {.ctx = source->arena->ctx};
    rw_error ignored;
    if (!group || (gguf && runtime != RW_LLAMA_CPP))
        return RW_OK;
    if (runtime == RW_LLAMA_CPP) {
        if (!llama_cpp_flags_suffice(&group->spec) || has_baked_factors(source))
            return RW_OK; /* only the file can say it */
        emit_llama_cpp(&text, &group->spec, context);
    } else {
        RW_TRY(emit_hf(runtime, source, set, context, &text, err ? err : &ignored));
    }
    if (!text.failed && !text.size)
        return RW_OK;
    if (!text.failed)
        *out = rw_arena_text(source->arena, text.data, text.size);
    rw_buf_free(&text);
    return *out ? RW_OK : rw_fail_memory(err, "emit", text.size);
}
