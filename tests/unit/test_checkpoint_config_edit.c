/*
 * config.json patched: by table, byte by byte; then random documents, with json-c as the witness
 * that the result parses and differs only where it was meant to.
 */
#include <json-c/json.h>

#include "checkpoint/config_edit.h"
#include "checkpoint_support.h"

static rw_context *ctx;
static rw_error err;

static int set_up(void **state) {
    (void)state;
    ctx = test_context();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rw_context_free(ctx);
    return 0;
}

/* "a/b/c" as a path; its keys live in `keys`. */
static const char *const *split_path(const char *text) {
    static char keys[256];
    static const char *path[16];
    size_t count = 0;
    snprintf(keys, sizeof keys, "%s", text);
    for (char *key = strtok(keys, "/"); key; key = strtok(NULL, "/"))
        path[count++] = key;
    path[count] = NULL;
    return path;
}

typedef struct edit_case {
    const char *name, *before, *path, *value, *after; /* no value: remove */
} edit_case;

static const edit_case cases[] = {
    {"scalar", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", "3.5", "{\n  \"a\": 3.5,\n  \"b\": 2\n}\n"},
    {"append", "{\n  \"a\": 1\n}\n", "b", "2", "{\n  \"a\": 1,\n  \"b\": 2\n}\n"},
    {"append, two there", "{\n  \"a\": 1,\n  \"b\": 2\n}", "c", "[1]",
     "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": [\n    1\n  ]\n}"},
    {"object in file's style", "{\n    \"a\": null,\n    \"b\": 2\n}\n", "a",
     "{\"x\":1,\"y\":[1,2],\"z\":{}}",
     "{\n    \"a\": {\n        \"x\": 1,\n        \"y\": [\n            1,\n            2\n"
     "        ],\n        \"z\": {}\n    },\n    \"b\": 2\n}\n"},
    {"indented value", "{\n\t\"a\": null\n}\n", "a", "{\n  \"x\": 1,\n  \"y\": 2\n}",
     "{\n\t\"a\": {\n\t\t\"x\": 1,\n\t\t\"y\": 2\n\t}\n}\n"},
    {"arrays on one line stay so", "{\n  \"l\": [1, 2],\n  \"a\": null\n}", "a", "{\"f\":[3,4]}",
     "{\n  \"l\": [1, 2],\n  \"a\": {\n    \"f\": [3, 4]\n  }\n}"},
    {"objects on one line stay so", "{\n  \"o\": {\"x\": 1, \"y\": 2}\n}", "p", "{\"x\":1,\"y\":2}",
     "{\n  \"o\": {\"x\": 1, \"y\": 2},\n  \"p\": {\"x\": 1, \"y\": 2}\n}"},
    {"CRLF", "{\r\n  \"a\": 1\r\n}\r\n", "b", "{\"c\":1}",
     "{\r\n  \"a\": 1,\r\n  \"b\": {\r\n    \"c\": 1\r\n  }\r\n}\r\n"},
    {"tabs", "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}", "a/c", "2",
     "{\n\t\"a\": {\n\t\t\"b\": 1,\n\t\t\"c\": 2\n\t}\n}"},
    {"one line", "{\"a\":1,\"b\":2}", "c", "{\"x\": [1, 2]}",
     "{\"a\":1,\"b\":2,\"c\":{\"x\":[1,2]}}"},
    {"one line with spaces", "{\"a\": 1, \"b\": 2}", "c", "{\"x\":1,\"y\":2}",
     "{\"a\": 1, \"b\": 2, \"c\": {\"x\": 1, \"y\": 2}}"},
    {"one line, one member", "{ \"a\" : 1 }", "b", "2", "{ \"a\" : 1, \"b\" : 2 }"},
    {"comma first", "{ \"a\": 1\n, \"b\": 2\n}", "c", "3", "{ \"a\": 1\n, \"b\": 2\n, \"c\": 3\n}"},
    {"BOM", "\xef\xbb\xbf{\n  \"a\": 1\n}", "a", "2", "\xef\xbb\xbf{\n  \"a\": 2\n}"},
    {"empty root", "{}", "a", "1", "{\"a\": 1}"},
    {"empty root of two lines", "{\n}\n", "a", "1", "{\n  \"a\": 1\n}\n"},
    {"empty object", "{\n \"a\": {},\n \"b\": 1\n}", "a/x", "1",
     "{\n \"a\": {\n  \"x\": 1\n },\n \"b\": 1\n}"},
    {"empty object on a line", "{\n  \"l\": {\"m\": 1},\n  \"a\": { }\n}", "a/x", "1",
     "{\n  \"l\": {\"m\": 1},\n  \"a\": {\"x\": 1}\n}"},
    {"spellings stay",
     "{\n  \"e\": 1e-05, \"E\": 1E-5, \"f\": 1000000.0,\n  \"m\": 18446744073709551615,\n"
     "  \"h\": 1.50, \"s\": \"\\u00e9\\/\\u0041\", \"\\u006b\": 1\n}",
     "k", "2",
     "{\n  \"e\": 1e-05, \"E\": 1E-5, \"f\": 1000000.0,\n  \"m\": 18446744073709551615,\n"
     "  \"h\": 1.50, \"s\": \"\\u00e9\\/\\u0041\", \"\\u006b\": 2\n}"},
    {"spelling of the value stays", "{\"a\":1}", "a", "1.50e+01", "{\"a\":1.50e+01}"},
    {"unicode key", "{\"\xc3\xa9\":1}", "\xc3\xa9", "2", "{\"\xc3\xa9\":2}"},
    {"new key is quoted", "{\"a\":1}", "q\"\xc3\xa9\\", "2", "{\"a\":1,\"q\\\"\xc3\xa9\\\\\":2}"},
    {"same value, other layout", "{\"a\":{ \"x\" :1 }}", "a", "{\"x\":1}", "{\"a\":{ \"x\" :1 }}"},
    {"remove first", "{\n  \"a\": 1,\n  \"b\": 2\n}", "a", NULL, "{\n  \"b\": 2\n}"},
    {"remove middle", "{\"a\":1, \"b\":2, \"c\":3}", "b", NULL, "{\"a\":1, \"c\":3}"},
    {"remove last", "{\n  \"a\": 1,\n  \"b\": 2\n}", "b", NULL, "{\n  \"a\": 1\n}"},
    {"remove only", "{\n  \"a\": {\n    \"x\": 1\n  }\n}", "a/x", NULL, "{\n  \"a\": {}\n}"},
    {"remove nothing", "{ \"a\":1 }", "b/c", NULL, "{ \"a\":1 }"},
    {"no final newline, trailing spaces", "{ \"a\":1 }  ", "a", "2", "{ \"a\":2 }  "},
};

static rw_status run_case(const edit_case *c, rw_buf *out) {
    rw_config_edit *edit;
    RW_TRY(rw_config_edit_begin(ctx, rw_str_of(c->before), "config.json", &edit, &err));
    rw_status status = c->value ? rw_config_edit_set(edit, split_path(c->path), c->value, &err)
                                : rw_config_edit_remove(edit, split_path(c->path), &err);
    if (status != RW_OK) {
        rw_config_edit_abort(edit);
        return status;
    }
    return rw_config_edit_finish(edit, out, &err);
}

static void edits_are_exact(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rw_buf out = {.ctx = ctx};
        if (run_case(&cases[i], &out) != RW_OK)
            fail_msg("%s: [%s] %s", cases[i].name, err.code, err.message);
        if (strcmp(out.data, cases[i].after) != 0)
            fail_msg("%s:\n%s\nshould be\n%s", cases[i].name, out.data, cases[i].after);
        rw_buf_free(&out);
    }
}

static void bad_edits_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *before, *path, *value, *code;
    } bad[] = {
        {"{\"a\":1,\"a\":2}", "a", "1", "json.duplicate_key"},
        {"[1]", "a", "1", "checkpoint.config"},
        {"{\"a\":1", "a", "1", "json.syntax"},
        {"{\"a\":1}", "b/c", "1", "checkpoint.config_path"},
        {"{\"a\":1}", "a/c", "1", "checkpoint.config_path"},
        {"{\"a\":1}", "a\xff", "1", "checkpoint.config_path"},
        {"{\"a\":1}", "", "1", "checkpoint.config_path"},
        {"{\"a\":1}", "a", "nope", "json.syntax"},
        {"{\"a\":1}", "a", "1,2", "json.syntax"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edit_case c = {NULL, bad[i].before, bad[i].path, bad[i].value, NULL};
        rw_buf out = {.ctx = ctx};
        assert_int_equal(run_case(&c, &out), RW_ERR_INPUT);
        assert_string_equal(err.code, bad[i].code);
        rw_buf_free(&out);
    }
}

static void several_edits_see_each_other(void **state) {
    (void)state;
    static const char before[] = "{\n  \"rope_theta\": 10000.0,\n  \"rope_scaling\": null,\n"
                                 "  \"max_position_embeddings\": 512\n}\n";
    static const char after[] =
        "{\n  \"rope_scaling\": {\n    \"rope_type\": \"yarn\",\n    \"factor\": 8.0\n  },\n"
        "  \"max_position_embeddings\": 2048,\n  \"rope_theta\": 5e5\n}\n";
    rw_config_edit *edit;
    rw_buf out = {.ctx = ctx};
    assert_ok(rw_config_edit_begin(ctx, rw_str_of(before), "config.json", &edit, &err));
    assert_ok(
        rw_config_edit_set(edit, split_path("rope_scaling"), "{\"rope_type\":\"yarn\"}", &err));
    assert_ok(rw_config_edit_set(edit, split_path("rope_scaling/factor"), "4.0", &err));
    assert_int_equal(rw_config_edit_set(edit, split_path("nothing/factor"), "4.0", &err),
                     RW_ERR_INPUT); /* is as if it had not been asked for */
    assert_ok(rw_config_edit_set(edit, split_path("rope_scaling/factor"), "8.0", &err));
    assert_ok(rw_config_edit_remove(edit, split_path("rope_theta"), &err));
    assert_ok(rw_config_edit_set(edit, split_path("max_position_embeddings"), "2048", &err));
    assert_ok(rw_config_edit_set(edit, split_path("rope_theta"), "5e5", &err));
    assert_ok(rw_config_edit_finish(edit, &out, &err));
    assert_string_equal(out.data, after);
    rw_buf_free(&out);
}

/* ---- the verification by itself -------------------------------------------------------------- */

static rw_config_doc parse(rw_arena *arena, const char *text) {
    rw_config_doc doc = {rw_str_of(text), NULL};
    assert_ok(rw_json_parse(arena, doc.text, "text", &doc.root, &err));
    return doc;
}

/* One wish for a key of "o": `value` or, when that is NULL, its removal. */
static void only_what_was_wished_passes(void **state) {
    (void)state;
    static const struct {
        const char *value, *after;
        bool granted;
        const char *key;
    } checks[] = {
        {"2", "{\"a\":1.0,\"o\":{\"x\":2},\"z\":[1]}", true, "x"},
        {"2", "{ \"a\" :1.0, \"o\":{\"x\": 2},\"z\":[1]}", true, "x"},
        {"2", "{\"a\":1.0,\"o\":{\"x\":1},\"z\":[1]}", false, "x"},
        {"2", "{\"a\":1.0,\"o\":{\"x\":2.0},\"z\":[1]}", false, "x"},
        {"2", "{\"a\":1,\"o\":{\"x\":2},\"z\":[1]}", false, "x"},
        {"2", "{\"a\":1.0,\"o\":{\"x\":2},\"z\":[1,2]}", false, "x"},
        {"2", "{\"a\":1.0,\"o\":{\"x\":2}}", false, "x"},
        {"2", "{\"a\":1.0,\"o\":{},\"z\":[1]}", false, "x"},
        {"2", "{\"a\":1.0,\"o\":{\"x\":2,\"y\":3},\"z\":[1]}", false, "x"},
        {"2", "{\"o\":{\"x\":2},\"a\":1.0,\"z\":[1]}", false, "x"},
        {NULL, "{\"a\":1.0,\"o\":{},\"z\":[1]}", true, "x"},
        {NULL, "{\"a\":1.0,\"o\":{\"x\":1},\"z\":[1]}", false, "x"},
        {NULL, "{\"a\":1.0,\"z\":[1]}", false, "x"},
        {"2", "{\"a\":1.0,\"o\":{\"x\":1,\"n\":2},\"z\":[1]}", true, "n"},
        {"2", "{\"a\":1.0,\"o\":{\"x\":1},\"z\":[1]}", false, "n"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        rw_arena arena = {.ctx = ctx};
        rw_str path[2] = {rw_str_of("o"), rw_str_of(checks[i].key)};
        rw_config_wish wish = {path, 2, {{NULL, 0}, NULL}};
        rw_config_doc before = parse(&arena, "{\"a\":1.0,\"o\":{\"x\":1},\"z\":[1]}");
        rw_config_doc after = parse(&arena, checks[i].after);
        if (checks[i].value)
            wish.value = parse(&arena, checks[i].value);
        if (rw_config_granted(&before, &after, &wish, 1) != checks[i].granted)
            fail_msg("%s for %s", checks[i].after, checks[i].value ? checks[i].value : "removal");
        rw_arena_free(&arena);
    }
}

/* ---- random documents ------------------------------------------------------------------------ */

static uint32_t seed;

static uint32_t pick(uint32_t below) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static const char *const scalars[] = {
    "1",
    "-0",
    "1e-05",
    "1E-5",
    "1000000.0",
    "18446744073709551615",
    "1.50",
    "null",
    "true",
    "\"\\u00e9\\/\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\"",
};
static const char *const names[] = {"a", "b", "c", "d", "\xc3\xa9", "\\u006b", "rope_scaling"};
static const char *const decoded[] = {"a", "b", "c", "d", "\xc3\xa9", "k", "rope_scaling"};

typedef struct layout {
    const char *newline, *unit, *colon;
} layout;

static void random_break(rw_buf *out, const layout *l, unsigned depth) {
    if (!*l->newline)
        return;
    rw_buf_text(out, l->newline);
    for (unsigned i = 0; i < depth; i++)
        rw_buf_text(out, l->unit);
}

static void random_value(rw_buf *out, const layout *l, unsigned depth) {
    unsigned kind = depth == 0 ? 0 : depth > 3 ? 9 : pick(6);
    if (kind > 1) {
        rw_buf_text(out, scalars[pick(sizeof scalars / sizeof *scalars)]);
        return;
    }
    unsigned count = 0, first = pick(2);
    rw_buf_char(out, kind == 0 ? '{' : '[');
    for (unsigned i = first; i < 7; i += 1 + pick(3)) {
        if (count++)
            rw_buf_char(out, ',');
        random_break(out, l, depth + 1);
        if (kind == 0)
            rw_buf_format(out, "\"%s\"%s", names[i], l->colon);
        random_value(out, l, depth + 1);
    }
    if (count)
        random_break(out, l, depth);
    rw_buf_char(out, kind == 0 ? '}' : ']');
}

static rw_buf random_document(void) {
    static const layout layouts[] = {{"\n", "  ", ": "},
                                     {"\r\n", "\t", ":"},
                                     {"", "", ":"},
                                     {"\n", "    ", " : "},
                                     {"\n", "", ": "}};
    rw_buf out = {.ctx = ctx};
    random_value(&out, &layouts[pick(5)], 0);
    if (pick(2))
        rw_buf_text(&out, "\n");
    return out;
}

static json_object *witness(const char *text) {
    json_object *object = json_tokener_parse(text);
    assert_non_null(object);
    return object;
}

/* The object below the first `depth` keys of the path; NULL when there is none. */
static json_object *walk(json_object *object, const unsigned *path, unsigned depth) {
    for (unsigned i = 0; i < depth && object; i++)
        if (!json_object_is_type(object, json_type_object) ||
            !json_object_object_get_ex(object, decoded[path[i]], &object))
            return NULL;
    return object && json_object_is_type(object, json_type_object) ? object : NULL;
}

static void json_c_agrees(void **state) {
    (void)state;
    for (seed = 1; seed < 20000; seed += 10) {
        uint32_t start = seed;
        rw_buf before = random_document(), value = {.ctx = ctx}, out = {.ctx = ctx};
        json_object *expected = witness(before.data);
        rw_config_edit *edit;
        assert_ok(rw_config_edit_begin(ctx, (rw_str){before.data, before.size}, "config.json",
                                       &edit, &err));
        for (unsigned n = 0; n < 4; n++) {
            unsigned path[3], depth = 1 + pick(3);
            const char *keys[4] = {NULL};
            for (unsigned i = 0; i < depth; i++)
                keys[i] = decoded[path[i] = pick(7)];
            json_object *parent = walk(expected, path, depth - 1);
            value.size = 0;
            random_value(&value, &(layout){"", "", ":"}, pick(3));
            if (pick(3) == 0) {
                assert_ok(rw_config_edit_remove(edit, keys, &err));
                if (parent)
                    json_object_object_del(parent, keys[depth - 1]);
            } else {
                rw_status status = rw_config_edit_set(edit, keys, value.data, &err);
                assert_int_equal(status, parent ? RW_OK : RW_ERR_INPUT);
                if (parent)
                    json_object_object_add(parent, keys[depth - 1], json_tokener_parse(value.data));
            }
        }
        assert_ok(rw_config_edit_finish(edit, &out, &err));
        json_object *actual = witness(out.data);
        if (!json_object_equal(expected, actual))
            fail_msg("seed %u:\n%s\nbecame\n%s\nnot\n%s", start, before.data, out.data,
                     json_object_to_json_string(expected));
        json_object_put(expected);
        json_object_put(actual);
        rw_buf_free(&before);
        rw_buf_free(&value);
        rw_buf_free(&out);
        seed = start;
    }
}

/* Setting a scalar and setting it back, or adding a member and removing it, leaves no trace. */
static void there_and_back(void **state) {
    (void)state;
    for (seed = 7; seed < 20000; seed += 10) {
        uint32_t start = seed;
        rw_buf before = random_document(), out = {.ctx = ctx};
        rw_arena arena = {.ctx = ctx};
        rw_config_edit *edit;
        const rw_json *root;
        rw_str text = {before.data, before.size};
        assert_ok(rw_json_parse(&arena, text, "config.json", &root, &err));
        assert_ok(rw_config_edit_begin(ctx, text, "config.json", &edit, &err));
        for (const rw_json *node = root->first; node; node = node->next) {
            if (node->type == RW_JSON_OBJECT || node->type == RW_JSON_ARRAY)
                continue;
            const char *path[] = {rw_arena_text(&arena, node->key.data, node->key.size), NULL};
            assert_ok(rw_config_edit_set(edit, path, "{\"x\":[1,2],\"y\":{\"z\":1}}", &err));
            assert_ok(rw_config_edit_set(
                edit, path,
                rw_arena_text(&arena, before.data + node->begin, node->end - node->begin), &err));
        }
        if (root->first) {
            assert_ok(rw_config_edit_set(edit, split_path("new"), "{\"x\":[1,2]}", &err));
            assert_ok(rw_config_edit_remove(edit, split_path("new"), &err));
        }
        assert_ok(rw_config_edit_finish(edit, &out, &err));
        if (out.size != before.size || memcmp(out.data, before.data, out.size) != 0)
            fail_msg("seed %u:\n%s\nbecame\n%s", start, before.data, out.data);
        rw_buf_free(&before);
        rw_buf_free(&out);
        rw_arena_free(&arena);
        seed = start;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_are_exact),
        cmocka_unit_test(bad_edits_are_refused),
        cmocka_unit_test(several_edits_see_each_other),
        cmocka_unit_test(only_what_was_wished_passes),
        cmocka_unit_test(json_c_agrees),
        cmocka_unit_test(there_and_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
