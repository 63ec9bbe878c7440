/*
 * Worked numbers of known models, to 1e-12: computed elsewhere, in double by another program and in
 * 50-digit decimals by a third.
 */
#include <math.h>

#include "ropewalk/rope.h"
#include "support.h"

typedef struct known {
    uint32_t pair;
    double inv_freq;
} known;

typedef struct model {
    rw_rope_method method;
    uint32_t dim;
    double theta, factor;
    uint64_t original_context;
    uint64_t length;
} model;

static rw_rope_spec spec_of(const model *m) {
    rw_rope_spec spec;
    rw_rope_spec_init(&spec);
    spec.method = m->method;
    spec.head_dim = spec.rotary_dim = m->dim;
    spec.theta = m->theta;
    spec.factor = m->factor > 0 ? m->factor : 1;
    spec.original_context = m->original_context;
    return spec;
}

static void check_close(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance * fabs(want)))
        fail_msg("%.17g is not %.17g", got, want);
}

static rw_rope_table check(const rw_rope_spec *spec, uint64_t length, double amplitude,
                           const known *numbers, size_t count) {
    rw_error err = {0};
    rw_rope_table table;
    assert_ok(rw_rope_table_build(spec, length, &table, &err));
    for (size_t i = 0; i < count; i++)
        check_close(table.inv_freq[numbers[i].pair], numbers[i].inv_freq, 1e-12);
    check_close(table.attention_factor, amplitude, 1e-14);
    return table;
}

#define CHECK(spec, length, amplitude, numbers)                                                    \
    check(spec, length, amplitude, numbers, sizeof numbers / sizeof *numbers)

static void simple_methods(void **state) {
    (void)state;
    static const struct {
        model model;
        known numbers[5];
    } cases[] = {
        {{RW_ROPE_NONE, 128, 1e4, 1, 0, 0},
         {{0, 1}, {1, 0.8659643233600653}, {16, 0.1}, {32, 0.01}, {63, 1.1547819846894582e-04}}},
        {{RW_ROPE_LINEAR, 128, 1e4, 4, 0, 0},
         {{0, 0.25},
          {1, 0.21649108084001634},
          {16, 0.025},
          {32, 0.0025},
          {63, 2.8869549617236455e-05}}},
        {{RW_ROPE_NTK, 128, 1e4, 4, 0, 0},
         {{0, 1},
          {1, 0.8471171851512068},
          {16, 0.0703227547859181},
          {32, 0.004945289840680367},
          {63, 2.8869549617236452e-05}}},
        {{RW_ROPE_DYNAMIC, 128, 1e4, 2, 4096, 8192},
         {{0, 1},
          {1, 0.8509942913412162},
          {16, 0.0756530337024315},
          {32, 0.005723381508381237},
          {63, 3.849273282298194e-05}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rw_rope_spec spec = spec_of(&cases[i].model);
        CHECK(&spec, cases[i].model.length, 1, cases[i].numbers);
    }
}

static void yarn_qwen(void **state) {
    (void)state;
    static const known numbers[] = {{0, 1},
                                    {23, 0.006978305848598663},
                                    {24, 0.005375321490790102},
                                    {31, 0.0008029597275452302},
                                    {40, 4.445698525097307e-05},
                                    {63, 3.102344401879299e-07}};
    rw_rope_spec spec = spec_of(&(model){RW_ROPE_YARN, 128, 1e6, 4, 32768, 0});
    rw_rope_table table = CHECK(&spec, 0, 1.138629436111989, numbers);
    assert_true(table.ramp_low == 23 && table.ramp_high == 40);
    assert_true(table.ramp[23] == 0 && table.ramp[24] > 0 && table.ramp[40] == 1);
    spec.method = RW_ROPE_NTK_BY_PARTS;
    CHECK(&spec, 0, 1, numbers);
}

static void yarn_gpt_oss(void **state) {
    (void)state;
    static const known numbers[] = {{0, 1},
                                    {8, 0.050813274815461475},
                                    {9, 0.03170569618466377},
                                    {12, 0.006794959489732219},
                                    {17, 0.00012931870124506317},
                                    {18, 3.8308812373753384e-05},
                                    {31, 3.0235114281192144e-07}};
    rw_rope_spec spec = spec_of(&(model){RW_ROPE_YARN, 64, 1.5e5, 32, 4096, 0});
    spec.truncate = false;
    rw_rope_table table = CHECK(&spec, 0, 1.3465735902799727, numbers);
    check_close(table.ramp_low, 8.092779115512402, 1e-13);
    check_close(table.ramp_high, 17.39802450158856, 1e-13);
}

static void yarn_deepseek(void **state) {
    (void)state;
    static const known numbers[] = {
        {0, 1},       {10, 0.056234132519034905}, {11, 0.03900692656714386},
        {16, 0.0055}, {23, 3.33380358040831e-05}, {31, 3.33380358040831e-06}};
    rw_rope_spec spec = spec_of(&(model){RW_ROPE_YARN, 64, 1e4, 40, 4096, 0});
    spec.mscale = spec.mscale_all_dim = 1;
    spec.logit_scale = 1.8738542070926265;
    rw_rope_table table = CHECK(&spec, 0, 1, numbers);
    assert_true(table.logit_scale == 1.8738542070926265);
    assert_true(table.ramp_low == 10 && table.ramp_high == 23);
}

static void llama3(void **state) {
    (void)state;
    static const known big[] = {{0, 1},
                                {28, 0.0032114459947525913},
                                {29, 0.002166570763503359},
                                {31, 0.0008567514129196321},
                                {34, 0.00017850781276799638},
                                {35, 9.556212353964683e-05},
                                {63, 3.068925988914511e-07}};
    static const known small[] = {{14, 0.0032114459947525913},  {15, 0.001290547928209264},
                                  {16, 0.00042955679655936815}, {17, 9.70828780262767e-05},
                                  {18, 1.9461638184831125e-05}, {31, 9.418306725434909e-08}};
    rw_rope_spec spec = spec_of(&(model){RW_ROPE_LLAMA3, 128, 5e5, 8, 8192, 0});
    rw_rope_table table = CHECK(&spec, 0, 1, big);
    assert_true(table.ramp[28] == 0 && table.ramp[29] > 0 && table.ramp[34] < 1);
    assert_true(table.ramp[35] == 1);
    assert_true(table.ramp_low > 28 && table.ramp_low < 29);
    assert_true(table.ramp_high > 34 && table.ramp_high < 35);
    spec = spec_of(&(model){RW_ROPE_LLAMA3, 64, 5e5, 32, 8192, 0});
    CHECK(&spec, 0, 1, small);
}

static void proportional(void **state) {
    (void)state;
    static const known numbers[] = {
        {0, 1}, {1, 0.9474635256553754}, {32, 0.17782794100389226}, {63, 0.033376246942920386}};
    rw_rope_spec spec = spec_of(&(model){RW_ROPE_PROPORTIONAL, 512, 1e6, 1, 0, 0});
    spec.partial_rotary_factor = 0.25;
    rw_rope_table table = CHECK(&spec, 0, 1, numbers);
    assert_int_equal(table.pairs, 256);
    for (uint32_t k = 64; k < 256; k++)
        assert_true(table.inv_freq[k] == 0);
}

static void amplitudes(void **state) {
    (void)state;
    static const double known_yarn[][2] = {
        {1, 1},
        {2, 1.0693147180559945},
        {4, 1.138629436111989},
        {8, 1.2079441541679836},
        {16, 1.2772588722239782},
        {32, 1.3465735902799727},
        {40, 1.3688879454113936},
        {64, 1.4158883083359672},
    };
    for (size_t i = 0; i < sizeof known_yarn / sizeof *known_yarn; i++) {
        rw_rope_spec spec = spec_of(&(model){RW_ROPE_YARN, 64, 1e4, known_yarn[i][0], 4096, 0});
        check(&spec, 0, known_yarn[i][1], NULL, 0);
    }
    rw_rope_spec phi = spec_of(&(model){RW_ROPE_LONGROPE, 96, 1e4, 32, 4096, 0});
    phi.list_count = 48;
    for (int k = 0; k < 48; k++)
        phi.short_factor[k] = phi.long_factor[k] = 1;
    check(&phi, 0, 1.1902380714238083, NULL, 0);
    phi.factor = 1;
    check(&phi, 0, 1, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_methods), cmocka_unit_test(yarn_qwen),
        cmocka_unit_test(yarn_gpt_oss),   cmocka_unit_test(yarn_deepseek),
        cmocka_unit_test(llama3),         cmocka_unit_test(proportional),
        cmocka_unit_test(amplitudes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
