/*
 * config_verify.c - whether an edited config.json says what was meant and nothing else.
 *
 * Deliberately knows nothing of how the edit was spliced: it compares the tree before, the wishes,
 * and the tree of the finished text.
 */
#include "checkpoint/config_edit.h"

static rw_str spelling(const rw_config_doc *doc) {
    return (rw_str){doc->text.data + doc->root->begin, (size_t)(doc->root->end - doc->root->begin)};
}

bool rw_config_same(const rw_config_doc *a, const rw_config_doc *b) {
    if (a->root->type != b->root->type || a->root->count != b->root->count)
        return false;
    if (a->root->type != RW_JSON_OBJECT && a->root->type != RW_JSON_ARRAY)
        return rw_str_equal(spelling(a), spelling(b));
    rw_config_doc x = {a->text, a->root->first}, y = {b->text, b->root->first};
    for (; x.root && y.root; x.root = x.root->next, y.root = y.root->next)
        if (!rw_str_equal(x.root->key, y.root->key) || !rw_config_same(&x, &y))
            return false;
    return !x.root && !y.root;
}

typedef struct verification {
    const rw_config_wish *wishes;
    size_t count;
    rw_str path[RW_JSON_DEPTH_MAX + 1]; /* keys from the root to where we are */
} verification;

static bool is_prefix(const rw_str *path, size_t depth, const rw_config_wish *of) {
    if (of->depth < depth)
        return false;
    for (size_t i = 0; i < depth; i++)
        if (!rw_str_equal(path[i], of->path[i]))
            return false;
    return true;
}

/* The number behind the last wish, from number `since` on, for exactly this path; 0: there is
   none. */
static size_t last_wish(const verification *v, size_t depth, size_t since) {
    for (size_t i = v->count; i > since; i--)
        if (v->wishes[i - 1].depth == depth && is_prefix(v->path, depth, &v->wishes[i - 1]))
            return i;
    return 0;
}

static bool removed_since(const verification *v, size_t depth, size_t since) {
    for (size_t i = since; i < v->count; i++)
        if (!v->wishes[i].value.root && v->wishes[i].depth == depth &&
            is_prefix(v->path, depth, &v->wishes[i]))
            return true;
    return false;
}

static bool touched_since(const verification *v, size_t depth, size_t since) {
    for (size_t i = since; i < v->count; i++)
        if (is_prefix(v->path, depth, &v->wishes[i]))
            return true;
    return false;
}

static bool check(verification *v, const rw_config_doc *expected, const rw_config_doc *actual,
                  size_t depth, size_t since);

/* `expected` may be NULL: then only a wish can explain the member. */
static bool check_member(verification *v, const rw_config_doc *expected,
                         const rw_config_doc *actual, size_t depth, size_t since) {
    size_t wish = last_wish(v, depth, since);
    if (wish)
        expected = &v->wishes[wish - 1].value;
    return expected && expected->root && check(v, expected, actual, depth, wish ? wish : since);
}

/* Members that no wish removed come first, in their old order; then those that wishes added. */
static bool check_object(verification *v, const rw_config_doc *expected,
                         const rw_config_doc *actual, size_t depth, size_t since) {
    rw_config_doc old = {expected->text, expected->root->first};
    rw_config_doc new = {actual->text, actual->root->first};
    for (; old.root; old.root = old.root->next) {
        v->path[depth] = old.root->key;
        if (removed_since(v, depth + 1, since))
            continue;
        if (!new.root || !rw_str_equal(old.root->key, new.root->key) ||
            !check_member(v, &old, &new, depth + 1, since))
            return false;
        new.root = new.root->next;
    }
    for (; new.root; new.root = new.root->next) {
        v->path[depth] = new.root->key;
        if (!check_member(v, NULL, &new, depth + 1, since))
            return false;
    }
    return true;
}

static bool check(verification *v, const rw_config_doc *expected, const rw_config_doc *actual,
                  size_t depth, size_t since) {
    if (expected->root->type != RW_JSON_OBJECT || actual->root->type != RW_JSON_OBJECT ||
        !touched_since(v, depth, since))
        return rw_config_same(expected, actual);
    return check_object(v, expected, actual, depth, since);
}

static const rw_json *find(const rw_json *node, const rw_str *path, size_t depth) {
    for (size_t i = 0; i < depth && node; i++) {
        const rw_json *child = node->type == RW_JSON_OBJECT ? node->first : NULL;
        while (child && !rw_str_equal(child->key, path[i]))
            child = child->next;
        node = child;
    }
    return node;
}

/* What a wish set is there, and what it removed is not, unless a later one spoke of it again. */
static bool is_visible(const verification *v, size_t index, const rw_json *root) {
    const rw_config_wish *wish = &v->wishes[index];
    for (size_t i = index + 1; i < v->count; i++)
        if (is_prefix(v->wishes[i].path, v->wishes[i].depth, wish))
            return true;
    return (find(root, wish->path, wish->depth) != NULL) == (wish->value.root != NULL);
}

bool rw_config_granted(const rw_config_doc *before, const rw_config_doc *after,
                       const rw_config_wish *wishes, size_t count) {
    verification v = {.wishes = wishes, .count = count};
    for (size_t i = 0; i < count; i++)
        if (!is_visible(&v, i, after->root))
            return false;
    return check(&v, before, after, 0, 0);
}
