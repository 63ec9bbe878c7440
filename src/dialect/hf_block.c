/*
 * hf_block.c - finds the rotary blocks of a config.json as a Hugging Face runtime would: which key
 * wins, where theta comes from, how many dims rotate, and one rotation per layer type
 * (reference page 2.10, 2.13, 2.15, 4.1).
 */
#include "dialect/internal.h"

enum { HEAD_DIM_MAX = 2 * RW_ROPE_MAX_PAIRS, OWN_LAYERS_MAX = 4096 };

const rw_json *rw_hf_block(const rw_json *language, const char *key) {
    const rw_json *block = rw_json_get(language, key);
    return block && block->type == RW_JSON_OBJECT && block->count ? block : NULL;
}

static rw_str text_or_empty(const rw_json *node) {
    return rw_json_string_or(node, "");
}

rw_str rw_hf_rope_type(const rw_json *block) {
    rw_str type = text_or_empty(rw_json_get(block, "rope_type"));
    if (!type.size)
        type = text_or_empty(rw_json_get(block, "type"));
    return type.size ? type : rw_str_of("default");
}

/* By a name that is known, or because nothing but objects stands in it: no method has a key like
   that, and a layer type that nobody here has heard of is still no plain rotation. */
bool rw_hf_is_nested(const rw_json *block) {
    static const char *const layer_types[] = {"full_attention",    "sliding_attention",
                                              "chunked_attention", "linear_attention",
                                              "global_attention",  "local_attention"};
    for (size_t i = 0; i < sizeof layer_types / sizeof *layer_types; i++)
        if (rw_json_get(block, layer_types[i]))
            return true;
    for (const rw_json *n = block ? block->first : NULL; n; n = n->next)
        if (n->type != RW_JSON_OBJECT)
            return false;
    return block && block->count > 0;
}

const char *rw_join_path(const rw_source *source, const char *path, const char *key) {
    const char *joined = *path ? rw_arena_format(source->arena, "%s.%s", path, key)
                               : rw_arena_text(source->arena, key, strlen(key));
    return joined ? joined : "";
}

uint64_t rw_hf_window(const rw_source *source) {
    static const char *const keys[] = {"max_position_embeddings", "n_positions", "n_ctx",
                                       "max_sequence_length",     "seq_length",  "max_seq_len"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint64_t window = rw_json_u64_or(rw_json_get(source->language, keys[i]), 0);
        if (window)
            return window;
    }
    return rw_model_type_of(source)->window;
}

/* ---- dims ------------------------------------------------------------------------------------ */

static uint64_t first_u64(const rw_json *object, const char *const *keys) {
    for (; *keys; keys++) {
        uint64_t value = rw_json_u64_or(rw_json_get(object, *keys), 0);
        if (value)
            return value;
    }
    return 0;
}

static bool states_any(const rw_json *object, const char *const *keys) {
    for (; *keys; keys++)
        if (!rw_json_is_null(rw_json_get(object, *keys)))
            return true;
    return false;
}

/* Heads of the layers that see everything, where those have their own (Gemma 4): a key for all of
   them, or, as transformers saves it since 5.23, a record for each. 0: as the other layers. */
static uint64_t global_head_dim(const rw_json *language) {
    uint64_t stated = rw_json_u64_or(rw_json_get(language, "global_head_dim"), 0);
    const rw_json *own = rw_json_get(language, "per_layer_config");
    const rw_json *types = rw_json_get(language, "layer_types");
    const rw_json *type = types && types->type == RW_JSON_ARRAY ? types->first : NULL;
    bool few = own && own->count <= OWN_LAYERS_MAX; /* it is searched for each */
    for (unsigned i = 0; !stated && few && type && i < OWN_LAYERS_MAX; i++, type = type->next) {
        char index[16];
        snprintf(index, sizeof index, "%u", i);
        if (rw_str_is(text_or_empty(type), "full_attention"))
            stated = rw_json_u64_or(rw_json_get(rw_json_get(own, index), "head_dim"), 0);
    }
    return stated;
}

static uint64_t head_dim_of(const rw_source *source, rw_layers layers) {
    const rw_json *language = source->language;
    static const char *const whole[] = {"qk_rope_head_dim", "head_dim", "attention_head_dim",
                                        "kv_channels", NULL};
    static const char *const widths[] = {"hidden_size", "n_embd", "d_model", NULL};
    static const char *const heads[] = {"num_attention_heads", "n_head", "n_heads", "num_heads",
                                        NULL};
    uint64_t global = global_head_dim(language);
    if (global && layers != RW_LAYERS_SLIDING)
        return global;
    uint64_t stated = first_u64(language, whole);
    const rw_model_type *type = rw_model_type_of(source);
    if (stated)
        return stated;
    if (type->own_head_dim && !rw_json_get(language, "head_dim"))
        return type->head_dim;
    uint64_t count = first_u64(language, heads), width = first_u64(language, widths);
    if (count && width)
        return width / count;
    /* Composite files leave class defaults out; a number that is there and useless is no default.
     */
    return states_any(language, heads) && states_any(language, widths) ? 0 : type->head_dim;
}

/* Without scaling, transformers 5 leaves the table to the family's class, and most turn whole heads
   whatever the config says; the functions of the scaled types read the part for all of them. */
static bool whole_heads(const rw_hf_rules *rules, const rw_source *source, const rw_json *block) {
    const rw_model_type *type = rw_model_type_of(source);
    rw_str method = rw_hf_rope_type(block);
    bool plain = rw_str_is(method, "default") || rw_str_is(method, "mrope");
    return rules->converts && plain && type->hf && !type->reads_partial && !(type->partial > 0);
}

/* The part of a head that rotates. transformers 5 keeps the block's own; else the config's, under
   its old names; else the class default. */
static double partial_of(const rw_hf_rules *rules, const rw_source *source, const rw_json *block,
                         uint64_t head_dim) {
    static const char *const keys[] = {"partial_rotary_factor", "rotary_pct", "rotary_emb_fraction",
                                       "rope_percent"};
    const rw_json *language = source->language;
    if (rw_json_u64_or(rw_json_get(language, "qk_rope_head_dim"), 0))
        return 1; /* MLA: the whole rope part of the head turns */
    if (whole_heads(rules, source, block))
        return 1;
    const rw_json *own = rw_json_get(block, keys[0]);
    if (own && own->type == RW_JSON_NUMBER)
        return own->number;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rw_json *node = rw_json_get(language, keys[i]);
        if (node && node->type == RW_JSON_NUMBER)
            return node->number;
    }
    const rw_model_type *type = rw_model_type_of(source);
    bool unread = type->hf && !type->reads_rotary_dim && rules->own_names_only;
    uint64_t dims = unread ? 0 : rw_json_u64_or(rw_json_get(language, "rotary_dim"), 0);
    if (dims && head_dim)
        return (double)dims / (double)head_dim;
    double usual = type->partial;
    return usual > 0 ? usual : 1;
}

/* Dims of a head, and how many of them rotate. */
static rw_status read_dims(const rw_hf_read *read, rw_layers layers) {
    const rw_source *source = read->source;
    rw_rope_spec *spec = read->spec;
    uint64_t dim = head_dim_of(source, layers);
    if (dim < 2 || dim > HEAD_DIM_MAX)
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.head_dim",
                       rw_join_path(source, source->language_path, "head_dim"),
                       "the size of a head is %llu (from head_dim, or hidden_size / "
                       "num_attention_heads), and must be 2 to %d",
                       (unsigned long long)dim, HEAD_DIM_MAX);
    double partial = partial_of(read->rules, source, read->block, dim);
    const char *path = rw_join_path(source, source->language_path, "partial_rotary_factor");
    if (!(partial > 0 && partial <= 1))
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.partial_rotary", path,
                       "partial_rotary_factor is %g, and must be above 0 and at most 1", partial);
    spec->head_dim = spec->rotary_dim = (uint32_t)dim;
    if (partial < 1)
        spec->partial_rotary_factor = partial;
    if (rw_str_is(rw_hf_rope_type(read->block), "proportional"))
        return RW_OK; /* pairs over the whole head, some of them idle */
    /* int(D * p), truncated in double as Python does: int(96 * 0.3) is 28 */
    spec->rotary_dim = (uint32_t)((double)dim * partial);
    if (spec->rotary_dim < 2 || spec->rotary_dim % 2)
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.rotary_dim", path,
                       "%u of %u dims of a head would rotate (int(head_dim * "
                       "partial_rotary_factor)), and rotation needs an even number of them",
                       spec->rotary_dim, spec->head_dim);
    return RW_OK;
}

/* ---- theta ----------------------------------------------------------------------------------- */

static const rw_json *theta_node(const rw_hf_rules *rules, const rw_source *source) {
    const rw_json *object = source->language;
    const char *only[] = {rw_model_type_of(source)->theta_key, NULL};
    const char *const *key = only[0] && rules->own_names_only ? only : rules->theta_keys;
    for (; *key; key++) {
        const rw_json *node = rw_json_get(object, *key);
        if (node && node->type == RW_JSON_NUMBER)
            return node;
    }
    return NULL;
}

static double default_theta(const rw_hf_read *read, rw_layers layers) {
    const rw_model_type *type = rw_model_type_of(read->source);
    double usual = read->rules->converts && type->theta5 > 0 ? type->theta5 : type->theta;
    if ((layers == RW_LAYERS_SLIDING && type->dual == RW_DUAL_GEMMA3) || !(usual > 0))
        return 10000;
    return usual;
}

static bool theta_stands_elsewhere(const rw_source *source) {
    const rw_json *parameters = rw_hf_block(source->language, "rope_parameters");
    if (rw_json_get(parameters, "rope_theta"))
        return true;
    return rw_json_get(rw_json_get(parameters, "full_attention"), "rope_theta") != NULL;
}

/* In the block, else in the config, else the class default - which is where a base of a million
   silently becomes ten thousand. */
static double theta_of(const rw_hf_read *read, bool block_counts, rw_layers layers) {
    const rw_json *node = block_counts ? rw_json_get(read->block, "rope_theta") : NULL;
    if (!node || node->type != RW_JSON_NUMBER)
        node = layers == RW_LAYERS_SLIDING ? NULL : theta_node(read->rules, read->source);
    if (node)
        return node->number;
    double theta = default_theta(read, layers);
    bool lost = theta_stands_elsewhere(read->source);
    if (!lost && !rw_model_type_of(read->source)->hf) {
        rw_diagnose(read->diagnostics, "dialect.theta_unknown", RW_WARNING, true, read->path,
                    "no rope_theta is stated, and what the class of this model type takes instead "
                    "is not known here: %g is a guess; state it",
                    theta);
        return theta;
    }
    rw_diagnose(read->diagnostics, lost ? "dialect.theta_lost" : "dialect.theta_default",
                lost ? RW_WARNING : RW_INFO, lost, read->path,
                lost ? "%s does not see the rope_theta in rope_parameters and falls back to %g"
                     : "no rope_theta is stated; %s uses its default, %g",
                rw_runtime_name(read->rules->runtime), theta);
    return theta;
}

/* ---- one rotation ---------------------------------------------------------------------------- */

static void read_mrope(const rw_json *block, rw_rope_spec *spec) {
    const rw_json *sections = rw_json_get(block, "mrope_section");
    if (!sections || sections->type != RW_JSON_ARRAY)
        return;
    uint32_t index = 0;
    for (const rw_json *n = sections->first; n && index < 4; n = n->next)
        spec->mrope_section[index++] = (uint32_t)rw_json_u64_or(n, 0);
    spec->mrope_interleaved = rw_json_bool_or(rw_json_get(block, "mrope_interleaved"), false);
}

/* The same as rw_hf_check_types, for the numbers of a block that are read here. */
static rw_status check_block(const rw_source *source, const rw_json *block, const char *path,
                             rw_error *err) {
    static const char *const keys[] = {"rope_theta", "partial_rotary_factor"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rw_json *node = rw_json_get(block, keys[i]);
        if (!rw_json_is_null(node) && node->type != RW_JSON_NUMBER)
            return rw_fail(err, RW_ERR_INPUT, "dialect.bad_value",
                           rw_join_path(source, path, keys[i]), "%s must be a number", keys[i]);
    }
    return RW_OK;
}

typedef struct group_place {
    rw_layers layers;
    const rw_json *block; /* NULL: no scaling */
    const rw_json *outer;
    const char *path;
    double theta; /* 0: to be found */
    bool theta_in_block;
    bool split;   /* the class puts it into an object per layer type */
    bool ignored; /* and then finds no method in it                  */
} group_place;

static rw_status read_group(const rw_hf_rules *rules, const rw_source *source,
                            const group_place *place, rw_rope_set *out, rw_diagnostics *diagnostics,
                            rw_error *err) {
    if (out->count == RW_ROPE_MAX_GROUPS)
        return rw_fail(err, RW_ERR_INPUT, "dialect.groups", place->path, "too many layer types");
    rw_rope_group *group = &out->group[out->count++];
    group->layers = place->layers;
    snprintf(group->path, sizeof group->path, "%s", place->path);
    rw_rope_spec *spec = &group->spec;
    rw_rope_spec_init(spec);
    rw_hf_read read = {.rules = rules,
                       .source = source,
                       .block = place->block,
                       .outer = place->outer,
                       .split = place->split,
                       .ignored = place->ignored,
                       .path = place->path,
                       .spec = spec,
                       .diagnostics = diagnostics,
                       .err = err};
    RW_TRY(check_block(source, place->block, place->path, err));
    RW_TRY(read_dims(&read, place->layers));
    spec->pairing =
        rw_model_type_of(source)->interleaved ? RW_PAIRING_INTERLEAVED : RW_PAIRING_HALF;
    spec->theta =
        place->theta > 0 ? place->theta : theta_of(&read, place->theta_in_block, place->layers);
    read_mrope(place->block, spec);
    RW_TRY(rw_hf_read_method(&read));
    return rw_rope_spec_check(spec, err);
}

/* ---- which blocks there are ------------------------------------------------------------------ */

typedef struct found_block {
    const rw_json *block; /* NULL: none */
    const char *key;
    bool theta_in_block;
} found_block;

/* What a class fills in where a config has no block at all. */
static found_block class_block(const rw_hf_rules *rules, const rw_source *source,
                               rw_diagnostics *diagnostics) {
    const char *text = rw_model_type_of(source)->block;
    const rw_json *block = NULL;
    bool null = rw_json_get(source->language, "rope_scaling") && !rules->converts;
    if (null) /* an argument that is given, to the classes of transformers 4 */
        return (found_block){0};
    if (!text || rw_json_parse(source->arena, rw_str_of(text), "class", &block, NULL) != RW_OK)
        return (found_block){0};
    rw_str type = rw_hf_rope_type(block);
    bool nested = rw_hf_is_nested(block);
    if (!nested && rw_str_is(type, "default")) /* nothing that would rotate otherwise */
        return (found_block){0};
    if (nested && !rules->reads_parameters) /* such classes came with transformers 5 */
        return (found_block){0};
    if (nested)
        rw_diagnose(diagnostics, "dialect.block_default", RW_INFO, true, source->language_path,
                    "the config has no rotary block; %s takes those of the class, one per layer "
                    "type",
                    rw_runtime_name(rules->runtime));
    else
        rw_diagnose(diagnostics, "dialect.block_default", RW_INFO, true, source->language_path,
                    "the config has no rotary block; %s takes that of the class, %.*s with factor "
                    "%g",
                    rw_runtime_name(rules->runtime), (int)type.size, type.data,
                    rw_json_number_or(rw_json_get(block, "factor"), 1));
    return (found_block){block, "rope_parameters", rules->converts};
}

static found_block find_block(const rw_hf_rules *rules, const rw_source *source,
                              rw_diagnostics *diagnostics) {
    const rw_json *scaling = rw_hf_block(source->language, "rope_scaling");
    const rw_json *parameters = rw_hf_block(source->language, "rope_parameters");
    if (parameters && !rules->reads_parameters) {
        rw_diagnose(diagnostics, "dialect.parameters_ignored", RW_WARNING, true,
                    rw_join_path(source, source->language_path, "rope_parameters"),
                    "%s does not read rope_parameters: what stands there has no effect",
                    rw_runtime_name(rules->runtime));
        parameters = NULL;
    }
    if (parameters && (!scaling || rules->parameters_win))
        return (found_block){parameters, "rope_parameters", true};
    if (scaling)
        return (found_block){scaling, "rope_scaling", rules->theta_in_scaling};
    return class_block(rules, source, diagnostics);
}

/* rope_parameters = {"full_attention": {...}, "sliding_attention": {...}}; null: no rotation. */
static rw_status read_nested(const rw_hf_rules *rules, const rw_source *source,
                             const found_block *found, const char *path, rw_rope_set *out,
                             rw_diagnostics *diagnostics, rw_error *err) {
    static const struct {
        const char *key;
        rw_layers layers;
    } kinds[] = {{"full_attention", RW_LAYERS_FULL}, {"sliding_attention", RW_LAYERS_SLIDING}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const rw_json *block = rw_hf_block(found->block, kinds[i].key);
        if (!block)
            continue;
        group_place place = {.layers = kinds[i].layers,
                             .block = block,
                             .outer = found->block,
                             .path = rw_join_path(source, path, kinds[i].key),
                             .theta_in_block = true};
        RW_TRY(read_group(rules, source, &place, out, diagnostics, err));
    }
    if (!out->count)
        return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", path,
                       "none of the layer types of this block is one that ropewalk knows "
                       "(full_attention, sliding_attention)");
    return RW_OK;
}

/* Where theta stands when there is no block: under the name it has, or where it would be looked
   for. */
static const char *theta_path(const rw_hf_rules *rules, const rw_source *source) {
    const rw_json *language = source->language;
    for (const char *const *key = rules->theta_keys; *key; key++)
        if (!rw_json_is_null(rw_json_get(language, *key)))
            return rw_join_path(source, source->language_path, *key);
    const char *key = rw_json_get(language, "rope_scaling") ? "rope_scaling" : "rope_theta";
    return rw_join_path(source, source->language_path, key);
}

/* Gemma-3's local theta; OLMo-3's is that of full attention, and in transformers 5 its class's. */
static double sliding_theta(const rw_hf_rules *rules, const rw_source *source, rw_dual dual,
                            double full_theta) {
    double own = rw_model_type_of(source)->theta5;
    if (dual == RW_DUAL_FULL_ONLY)
        return rules->converts && own > 0 ? own : full_theta;
    return rw_json_number_or(rw_json_get(source->language, "rope_local_base_freq"), 10000);
}

/* transformers 5 lays an old block over {"rope_type": "default"}: one that names its method by
   `type` alone has none then. A flat new block stays beside the object that it should be, unread.
 */
static void split_block(const rw_source *source, group_place *place, rw_diagnostics *diagnostics) {
    bool flat = place->block && place->block == rw_hf_block(source->language, "rope_parameters");
    bool named = !rw_json_is_null(rw_json_get(place->block, "rope_type"));
    place->split = true;
    if (!place->block || (named && !flat))
        return;
    rw_diagnose(
        diagnostics, "dialect.block_ignored", RW_WARNING, true, place->path,
        flat ? "transformers 5 ignores this block: it wants one per layer type here"
             : "transformers 5 ignores this block: it wants \"rope_type\" here, and \"type\" "
               "is not enough");
    place->ignored = true;
    place->theta_in_block = place->theta_in_block && !flat;
}

/* A flat block in a model whose sliding layers rotate plainly. */
static rw_status read_dual(const rw_hf_rules *rules, const rw_source *source, rw_dual dual,
                           group_place *place, rw_rope_set *out, rw_diagnostics *diagnostics,
                           rw_error *err) {
    place->layers = RW_LAYERS_FULL;
    if (rules->converts)
        split_block(source, place, diagnostics);
    RW_TRY(read_group(rules, source, place, out, diagnostics, err));
    const char *key = dual == RW_DUAL_GEMMA3 ? "rope_local_base_freq" : "rope_theta";
    group_place sliding = {.layers = RW_LAYERS_SLIDING,
                           .path = rw_join_path(source, source->language_path, key),
                           .theta = sliding_theta(rules, source, dual, out->group[0].spec.theta)};
    if (dual == RW_DUAL_FULL_ONLY && place->block)
        rw_diagnose(diagnostics, "dialect.full_attention_only", RW_INFO, false, place->path,
                    "the block is for full-attention layers only; transformers 5.12 applied it to "
                    "the sliding ones too (huggingface/transformers#46911)");
    return read_group(rules, source, &sliding, out, diagnostics, err);
}

/* A family with one table for all layers finds no type in an object of blocks: it fails, or takes
   it for no scaling at all. */
static bool knows_layer_types(const rw_hf_rules *rules, const rw_source *source) {
    const rw_model_type *type = rw_model_type_of(source);
    if (!rules->reads_parameters || !rules->converts)
        return rules->reads_parameters;
    if (!type->hf) /* a class that nobody here knows: if it says which layer is which */
        return rw_json_get(source->language, "layer_types") != NULL;
    return type->layer_types || type->dual != RW_DUAL_NO;
}

rw_status rw_hf_read_set(const rw_hf_rules *rules, const rw_source *source, rw_rope_set *out,
                         rw_diagnostics *diagnostics, rw_error *err) {
    found_block found = find_block(rules, source, diagnostics);
    const char *path = found.block ? rw_join_path(source, source->language_path, found.key)
                                   : theta_path(rules, source);
    if (found.block && rw_hf_is_nested(found.block)) {
        if (knows_layer_types(rules, source))
            return read_nested(rules, source, &found, path, out, diagnostics, err);
        return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", path,
                       "%s does not know blocks per layer type for this family",
                       rw_runtime_name(rules->runtime));
    }
    rw_dual dual = rw_model_type_of(source)->dual;
    if (dual == RW_DUAL_FULL_ONLY && rules->no_flat_parameters && found.block &&
        strcmp(found.key, "rope_parameters") == 0)
        return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", path,
                       "%s (5.17) fails on a flat rope_parameters for this family: spell it per "
                       "layer type, or as rope_scaling",
                       rw_runtime_name(rules->runtime));
    group_place place = {.layers = RW_LAYERS_ALL,
                         .block = found.block,
                         .path = path,
                         .theta_in_block = found.theta_in_block};
    if (dual != RW_DUAL_NO)
        return read_dual(rules, source, dual, &place, out, diagnostics, err);
    return read_group(rules, source, &place, out, diagnostics, err);
}
