/*
 * llama_cpp.c - what llama.cpp (August 2026) rotates by, given a GGUF.
 *
 * Reference page 3.3 and 4.2. The generic loader reads rope.freq_base, rope.scaling.{type, factor,
 * attn_factor, original_context_length} and the old rope.scale_linear; betas and yarn_attn_factor
 * are read per architecture, and not for the llama and qwen ones (seen with a build of August 2026,
 * design 7). A missing scaling type means linear with factor 1. YaRN's ends are always whole pairs.
 * rope_freqs.weight divides the angle before the YaRN mix, so both at once stack.
 */
#include "dialect/internal.h"

typedef struct gguf_read {
    const rw_source *source;
    const rw_gguf *gguf;
    const rw_model_type *type;
    rw_rope_spec *spec;
    rw_diagnostics *diagnostics;
    rw_error *err;
} gguf_read;

static bool get_u64(const gguf_read *read, const char *key, uint64_t *out) {
    char full[128];
    rw_gguf_key(read->source, key, full);
    return rw_gguf_u64(read->gguf, full, out);
}

static bool get_double(const gguf_read *read, const char *key, double *out) {
    char full[128];
    rw_gguf_key(read->source, key, full);
    return rw_gguf_double(read->gguf, full, out);
}

static rw_str get_text(const gguf_read *read, const char *key) {
    char full[128];
    rw_str text = {0};
    rw_gguf_key(read->source, key, full);
    rw_gguf_string(read->gguf, full, &text);
    return text;
}

/* ---- dims ------------------------------------------------------------------------------------ */

static uint64_t head_dim_of(const gguf_read *read) {
    uint64_t dim = 0, width = 0, heads = 0;
    if (get_u64(read, "attention.key_length_mla", &dim) && dim)
        return dim;
    if (get_u64(read, "attention.key_length", &dim) && dim)
        return dim;
    get_u64(read, "embedding_length", &width);
    get_u64(read, "attention.head_count", &heads);
    if (!heads && read->source->arch.n_layers) /* an array: one number per layer */
        heads = read->source->arch.layers[0].n_heads;
    return heads ? width / heads : 0;
}

static rw_status read_dims(gguf_read *read) {
    rw_rope_spec *spec = read->spec;
    uint64_t dim = head_dim_of(read), rotary = 0;
    if (!get_u64(read, "rope.dimension_count", &rotary))
        rotary = dim;
    if (dim < rotary)
        dim = rotary;
    if (rotary < 2 || rotary % 2 || rotary > 2 * RW_ROPE_MAX_PAIRS || dim > 2 * RW_ROPE_MAX_PAIRS)
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.rotary_dim", "rope.dimension_count",
                       "%llu of %llu dims of a head would rotate: that must be an even number from "
                       "2 to %d",
                       (unsigned long long)rotary, (unsigned long long)dim, 2 * RW_ROPE_MAX_PAIRS);
    spec->rotary_dim = (uint32_t)rotary;
    /* deepseek2 rotates a part of its own; as in the config, that part is the head here */
    bool mla = get_u64(read, "attention.kv_lora_rank", &dim);
    spec->head_dim = mla ? spec->rotary_dim : (uint32_t)head_dim_of(read);
    if (spec->head_dim < spec->rotary_dim)
        spec->head_dim = spec->rotary_dim;
    return RW_OK;
}

static void read_sections(gguf_read *read) {
    char full[128];
    double *numbers = NULL;
    size_t count = 0;
    rw_gguf_key(read->source, "rope.dimension_sections", full);
    if (!rw_gguf_get(read->gguf, full) ||
        rw_gguf_numbers(read->gguf, full, read->source->arena, &numbers, &count, NULL) != RW_OK)
        return;
    for (size_t i = 0; i < count && i < 4; i++)
        if (numbers[i] >= 0 && numbers[i] <= RW_ROPE_MAX_PAIRS)
            read->spec->mrope_section[i] = (uint32_t)numbers[i];
    read->spec->mrope_interleaved =
        read->type->gguf && (strncmp(read->type->gguf, "qwen3vl", 7) == 0 ||
                             strncmp(read->type->gguf, "qwen35", 6) == 0);
}

/* ---- frequency factors
 * --------------------------------------------------------------------------- */

/* A tensor of rotary_dim / 2 numbers into `out`. *there: it exists. */
static rw_status read_factors(gguf_read *read, const char *name, bool *there, double *out) {
    const rw_tensor *tensor = rw_checkpoint_tensor(read->source->checkpoint, name);
    uint32_t pairs = read->spec->rotary_dim / 2;
    *there = tensor != NULL;
    if (!tensor)
        return RW_OK;
    if (tensor->n_dims != 1 || tensor->elements != pairs)
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.bad_list", name,
                       "%s has %llu numbers for %u pairs", name,
                       (unsigned long long)tensor->elements, pairs);
    float values[RW_ROPE_MAX_PAIRS];
    RW_TRY(rw_tensor_read_f32(read->source->checkpoint, tensor, 0, pairs, values, read->err));
    for (uint32_t k = 0; k < pairs; k++)
        out[k] = values[k];
    return RW_OK;
}

static bool all_ones(const double *list, uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        if (list[k] != 1)
            return false;
    return true;
}

static rw_status read_rope_freqs(gguf_read *read) {
    static const char name[] = "rope_freqs.weight";
    rw_rope_spec *spec = read->spec;
    bool there = false;
    RW_TRY(read_factors(read, name, &there, spec->pair_factor));
    if (!there || all_ones(spec->pair_factor, spec->rotary_dim / 2))
        return RW_OK;
    if (!read->type->gguf_factors) {
        rw_diagnose(read->diagnostics, "dialect.factors_ignored", RW_WARNING, true, name,
                    "llama.cpp's graph of architecture %s does not take frequency factors, as far "
                    "as we know: %s has no effect",
                    read->source->arch.name, name);
        return RW_OK;
    }
    spec->pair_factor_count = spec->rotary_dim / 2;
    if (spec->method == RW_ROPE_NONE)
        spec->method = RW_ROPE_PER_PAIR;
    else
        rw_diagnose(read->diagnostics, "dialect.factors_stack", RW_WARNING, true, name,
                    "%s and the scaling type %s act on top of each other", name,
                    rw_rope_method_name(spec->method));
    return RW_OK;
}

/* ---- methods
 * ------------------------------------------------------------------------------------- */

/* `yarn_log_multiplier`: mscale_all_dim, stored times 0.1 by the deepseek2 family. The rotation's
   amplitude then is 1 and attention's scale carries the temperature (3.3). */
static void read_log_multiplier(gguf_read *read, double multiplier) {
    rw_rope_spec *spec = read->spec;
    double stored = 0;
    if (!rw_gguf_reads_log_multiplier(read->source) ||
        !get_double(read, "rope.scaling.yarn_log_multiplier", &stored) || stored == 0)
        return;
    bool deepseek = strcmp(read->source->arch.name, "deepseek2") == 0;
    /* stored as float32: 0.1f / 0.1 is not 1, and 1 means something here */
    double all = round((deepseek ? stored / 0.1 : stored) * 1e6) / 1e6;
    double mscale = deepseek && all != 1 ? all : 1;
    double f = rw_yarn_temperature(spec->factor, all);
    spec->mscale = mscale;
    spec->mscale_all_dim = all;
    spec->attention_factor = rw_yarn_temperature(spec->factor, mscale) / f * multiplier;
    if (deepseek)
        spec->logit_scale = f * f;
}

bool rw_gguf_reads_log_multiplier(const rw_source *source) {
    const char *name = source->arch.name;
    return strncmp(name, "deepseek2", 9) == 0 || strcmp(name, "mistral3") == 0 ||
           strcmp(name, "mistral4") == 0;
}

static void note_ignored(gguf_read *read, const char *key, double usual) {
    double value = 0;
    char full[128];
    if (!get_double(read, key, &value) || value == usual)
        return;
    rw_gguf_key(read->source, key, full);
    rw_diagnose(read->diagnostics, "dialect.yarn_key_ignored", RW_WARNING, true, full,
                "llama.cpp does not read this key for architecture %s: %g has no effect",
                read->source->arch.name, value);
}

static void note_ignored_betas(gguf_read *read) {
    note_ignored(read, "rope.scaling.yarn_beta_fast", 32);
    note_ignored(read, "rope.scaling.yarn_beta_slow", 1);
    note_ignored(read, "rope.scaling.yarn_ext_factor", 1);
    note_ignored(read, "rope.scaling.yarn_attn_factor", 1);
}

static bool reads_betas(const gguf_read *read) {
    return strcmp(read->source->arch.name, "grok") == 0 ||
           strcmp(read->source->arch.name, "laguna") == 0;
}

static void read_yarn(gguf_read *read) {
    rw_rope_spec *spec = read->spec;
    uint64_t window = 0;
    spec->method = RW_ROPE_YARN;
    get_u64(read, "context_length", &window);
    if (!get_u64(read, "rope.scaling.original_context_length", &spec->original_context)) {
        spec->original_context = window;
        rw_diagnose(read->diagnostics, "dialect.origin_missing", RW_WARNING, true,
                    "rope.scaling.original_context_length",
                    "without this key the ramp starts from context_length (%llu)",
                    (unsigned long long)window);
    }
    double multiplier = 1;
    if (get_double(read, "rope.scaling.attn_factor", &multiplier) && multiplier != 1)
        spec->attention_factor = multiplier * rw_yarn_temperature(spec->factor, 1);
    if (reads_betas(read)) {
        get_double(read, "rope.scaling.yarn_beta_fast", &spec->beta_fast);
        get_double(read, "rope.scaling.yarn_beta_slow", &spec->beta_slow);
    } else {
        note_ignored_betas(read);
    }
    if (!rw_gguf_reads_log_multiplier(read->source))
        note_ignored(read, "rope.scaling.yarn_log_multiplier", 0);
    read_log_multiplier(read, multiplier);
}

/* The tensors choose long or short once, at start; attn_factor is the amplitude. */
static rw_status read_longrope(gguf_read *read) {
    rw_rope_spec *spec = read->spec;
    bool has_long = false, has_short = false;
    spec->method = RW_ROPE_LONGROPE;
    RW_TRY(read_factors(read, "rope_factors_long.weight", &has_long, spec->long_factor));
    RW_TRY(read_factors(read, "rope_factors_short.weight", &has_short, spec->short_factor));
    if (!has_long || !has_short)
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.missing_key",
                       has_long ? "rope_factors_short.weight" : "rope_factors_long.weight",
                       "the scaling type is longrope and the tensor with its factors is missing");
    spec->list_count = spec->rotary_dim / 2;
    uint64_t window = 0;
    get_u64(read, "context_length", &window);
    if (!get_u64(read, "rope.scaling.original_context_length", &spec->original_context))
        spec->original_context = window;
    spec->attention_factor = 1;
    get_double(read, "rope.scaling.attn_factor", &spec->attention_factor);
    if (spec->original_context && window > spec->original_context)
        spec->factor = (double)window / (double)spec->original_context;
    return RW_OK;
}

/* llama.cpp's converter of Phi-3 writes the lists and no type; the graph takes the lists as soon as
   they are there. */
static bool has_lists(const gguf_read *read) {
    const rw_checkpoint *checkpoint = read->source->checkpoint;
    return rw_checkpoint_tensor(checkpoint, "rope_factors_long.weight") &&
           rw_checkpoint_tensor(checkpoint, "rope_factors_short.weight");
}

static void read_linear(gguf_read *read) {
    rw_rope_spec *spec = read->spec;
    spec->method = spec->factor == 1 ? RW_ROPE_NONE : RW_ROPE_LINEAR;
    double multiplier = 1;
    if (get_double(read, "rope.scaling.attn_factor", &multiplier) && multiplier != 1)
        spec->attention_factor = multiplier; /* applied without YaRN too */
}

/* The old key counts where the new one is not there. Zero stands for one. */
static double scaling_factor(gguf_read *read) {
    double factor = 0;
    if (!get_double(read, "rope.scaling.factor", &factor))
        get_double(read, "rope.scale_linear", &factor);
    return factor > 0 ? factor : 1;
}

static rw_status read_scaling(gguf_read *read) {
    rw_rope_spec *spec = read->spec;
    rw_str type = get_text(read, "rope.scaling.type");
    spec->factor = scaling_factor(read);
    if (rw_str_is(type, "yarn")) {
        read_yarn(read);
        return RW_OK;
    }
    if (rw_str_is(type, "longrope") || (!type.size && has_lists(read)))
        return read_longrope(read);
    if (rw_str_is(type, "none"))
        spec->factor = 1;
    else if (type.size && !rw_str_is(type, "linear"))
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.unreadable", "rope.scaling.type",
                       "llama.cpp knows the scaling types none, linear, yarn and longrope, not "
                       "\"%.*s\"",
                       (int)(type.size < 40 ? type.size : 40), type.data);
    read_linear(read);
    return RW_OK;
}

/* ---- groups
 * -------------------------------------------------------------------------------------- */

/* Sliding layers have a base and a factor of their own, by architecture (3.3). */
static void add_sliding(gguf_read *read, rw_rope_set *out) {
    uint64_t window = 0;
    if (read->type->dual == RW_DUAL_NO || !get_u64(read, "attention.sliding_window", &window))
        return;
    rw_rope_group *sliding = &out->group[out->count++];
    rw_rope_spec *spec = &sliding->spec;
    rw_rope_spec_init(spec);
    spec->head_dim = out->group[0].spec.head_dim;
    spec->rotary_dim = out->group[0].spec.rotary_dim;
    spec->pairing = out->group[0].spec.pairing;
    if (read->type->dual == RW_DUAL_FULL_ONLY)
        spec->theta = out->group[0].spec.theta;
    get_double(read, "rope.freq_base_swa", &spec->theta);
    sliding->layers = RW_LAYERS_SLIDING;
    out->group[0].layers = RW_LAYERS_FULL;
    rw_gguf_key(read->source, "rope.freq_base_swa", sliding->path);
}

rw_status rw_llama_cpp_read(const rw_source *source, rw_rope_set *out, rw_diagnostics *diagnostics,
                            rw_error *err) {
    rw_rope_group *group = &out->group[0];
    gguf_read read = {.source = source,
                      .gguf = rw_checkpoint_gguf(source->checkpoint),
                      .type = rw_model_type_of(source),
                      .spec = &group->spec,
                      .diagnostics = diagnostics,
                      .err = err};
    RW_TRY(rw_llama_cpp_loads(source, err));
    if (!read.type->gguf)
        rw_diagnose(diagnostics, "dialect.architecture_unknown", RW_WARNING, true,
                    "general.architecture",
                    "how llama.cpp rotates architecture %s is not known here, if it knows it at "
                    "all: halves of the head as pairs are a guess",
                    source->arch.name);
    out->count = 1;
    group->layers = RW_LAYERS_ALL;
    rw_gguf_key(source, "rope", group->path);
    rw_rope_spec_init(&group->spec);
    group->spec.pairing = read.type->gguf_interleaved ? RW_PAIRING_INTERLEAVED : RW_PAIRING_HALF;
    RW_TRY(read_dims(&read));
    get_double(&read, "rope.freq_base", &group->spec.theta);
    read_sections(&read);
    RW_TRY(read_scaling(&read));
    RW_TRY(read_rope_freqs(&read));
    RW_TRY(rw_rope_spec_check(&group->spec, err));
    add_sliding(&read, out);
    return RW_OK;
}
