/*
 * Frozen tables: identity and every double of tests/data/rope_identity.json must come out to the
 * bit. A change here breaks receipts that people hold: make it only with a new version in
 * src/rope/identity.c.
 *
 * `test_rope_identity --print FILE` reads names, specs and lengths from FILE and prints the vectors
 * with the numbers of this build; that is how a new case is added.
 */
#include <math.h>

#include "rope_vectors.h"

/* The ramp is not hashed, but it is frozen all the same. */
static void doubles_of(const rw_rope_table *table, const char *name, const double **list,
                       uint32_t *count) {
    const struct {
        const char *name;
        const double *list;
        uint32_t count;
    } members[] = {
        {"ramp_low", &table->ramp_low, 1},
        {"ramp_high", &table->ramp_high, 1},
        {"attention_factor", &table->attention_factor, 1},
        {"inv_freq", table->inv_freq, table->pairs},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(members[i].name, name) == 0) {
            *list = members[i].list;
            *count = members[i].count;
            return;
        }
    }
    fail_msg("no member %s", name);
}

static const char *const frozen[] = {"ramp_low", "ramp_high", "attention_factor", "inv_freq"};

enum { FROZEN = sizeof frozen / sizeof *frozen };

static bool same(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void check_doubles(json_object *node, const rw_rope_table *table, const char *name) {
    for (size_t m = 0; m < FROZEN; m++) {
        const double *list;
        uint32_t count;
        double want[RW_ROPE_MAX_PAIRS];
        doubles_of(table, frozen[m], &list, &count);
        assert_int_equal(vector_list(vector_member(node, frozen[m]), want), count);
        for (uint32_t k = 0; k < count; k++)
            if (!same(list[k], want[k]))
                fail_msg("%s: %s[%u] is %a, frozen as %a", name, frozen[m], k, list[k], want[k]);
    }
}

static void tables_are_frozen(void **state) {
    (void)state;
    json_object *root = vectors_load("rope_identity.json");
    json_object *vectors = vector_member(root, "vectors");
    bool seen[RW_ROPE_PER_PAIR + 1] = {false};
    for (size_t i = 0; i < json_object_array_length(vectors); i++) {
        json_object *node = json_object_array_get_idx(vectors, i);
        rw_rope_table table;
        rw_rope_spec spec;
        rw_error err = {0};
        char identity[65];
        const char *name = vector_table(node, &table);
        vector_spec(vector_member(node, "spec"), &spec);
        seen[spec.method] = true;
        check_doubles(node, &table, name);
        assert_ok(rw_rope_table_identity(&table, identity, &err));
        assert_string_equal(identity, json_object_get_string(vector_member(node, "sha256")));
    }
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++)
        if (!seen[method])
            fail_msg("no frozen table for %s", rw_rope_method_name((rw_rope_method)method));
    json_object_put(root);
}

static void identity_of(const rw_rope_table *table, char out[65]) {
    rw_error err = {0};
    assert_ok(rw_rope_table_identity(table, out, &err));
}

/* One bit anywhere in what is hashed gives another identity; the length does not. */
static void identity_sees_everything(void **state) {
    (void)state;
    rw_rope_spec spec;
    rw_rope_table table, other;
    rw_error err = {0};
    char a[65], b[65];
    rw_rope_spec_init(&spec);
    spec.head_dim = spec.rotary_dim = 64;
    assert_ok(rw_rope_table_build(&spec, 0, &table, &err));
    assert_ok(rw_rope_table_build(&spec, 5000, &other, &err));
    identity_of(&table, a);
    identity_of(&other, b);
    assert_string_equal(a, b);
    rw_rope_table changed[8];
    for (int i = 0; i < 8; i++)
        changed[i] = table;
    changed[0].regime = 1;
    changed[1].pairing = RW_PAIRING_INTERLEAVED;
    changed[2].head_dim = 128;
    changed[3].ramp_low = 0;
    changed[4].ramp_high = 0;
    changed[5].attention_factor = nextafter(1, 2);
    changed[6].logit_scale = nextafter(1, 2);
    changed[7].inv_freq[31] = nextafter(table.inv_freq[31], 1);
    for (int i = 0; i < 8; i++) {
        identity_of(&changed[i], b);
        assert_string_not_equal(a, b);
    }
}

static void print_vector(json_object *node, bool last) {
    rw_rope_table table;
    rw_error err = {0};
    char identity[65];
    const char *name = vector_table(node, &table);
    assert_ok(rw_rope_table_identity(&table, identity, &err));
    printf("{\"name\": \"%s\", \"length\": %llu,\n \"spec\": %s,\n \"sha256\": \"%s\"", name,
           (unsigned long long)table.length,
           json_object_to_json_string_ext(vector_member(node, "spec"), JSON_C_TO_STRING_SPACED),
           identity);
    for (size_t m = 0; m < FROZEN; m++) {
        const double *list;
        uint32_t count;
        doubles_of(&table, frozen[m], &list, &count);
        printf(",\n \"%s\": [", frozen[m]);
        for (uint32_t k = 0; k < count; k++)
            printf("%s\"%a\"", k ? ", " : "", fabs(list[k]) >= 0 ? list[k] : NAN);
        printf("]");
    }
    printf("}%s\n", last ? "" : ",");
}

static int print_vectors(const char *path) {
    json_object *root = json_object_from_file(path);
    if (!root)
        return 1;
    json_object *vectors = vector_member(root, "vectors");
    size_t count = json_object_array_length(vectors);
    printf(
        "{\"about\": \"Frozen rotations; see tests/unit/test_rope_identity.c\", \"vectors\": [\n");
    for (size_t i = 0; i < count; i++)
        print_vector(json_object_array_get_idx(vectors, i), i + 1 == count);
    printf("]}\n");
    json_object_put(root);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--print") == 0)
        return print_vectors(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_frozen),
        cmocka_unit_test(identity_sees_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
