/*
 * journal.c - the file of a journal: opened, checked line by line, appended to.
 */
#include "measure/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const char schema[] = "ropewalk.measure-state/1";

enum { FILE_BYTES_MAX = 0x7fffffff };

/* A killed process loses nothing that was written; a machine that goes down, so many seconds. */
static const double sync_seconds = 1;

/* A read of an earlier run. */
typedef struct known_read {
    char key[65];
    bool used;
    size_t nll_count, argmax_count;
    double *nll;
    int32_t *argmax;
} known_read;

typedef struct known_cut {
    char side[16];
    rw_scope scope; /* the members that a cut changes */
    double predicted_seconds;
} known_cut;

struct rw_journal {
    rw_context *ctx;
    rw_arena arena;
    const char *path;
    int fd;
    rw_buf text;    /* of the file, while it is taken in */
    rw_arena lines; /* of one line, while it is taken in */
    uint32_t line;
    known_read *reads; /* [count], in the order of the file */
    size_t count, capacity;
    size_t next, used; /* where to look first; how many were found */
    known_cut cuts[2]; /* before and after */
    size_t cut_count;
    rw_kept kept;
    double seconds; /* of the earlier runs */
    double begun, synced;
};

void rw_facts_add(rw_facts *facts, const char *name, const char *value) {
    facts->failed = facts->failed || !value || facts->count == RW_FACTS_MAX;
    if (!facts->failed)
        facts->items[facts->count++] = (rw_fact){name, value};
}

void rw_facts_add_u64(rw_facts *facts, const char *name, uint64_t value) {
    rw_facts_add(facts, name, rw_arena_format(facts->arena, "%llu", (unsigned long long)value));
}

void rw_facts_add_digest(rw_facts *facts, const char *name, const rw_sha256 *digest) {
    char hex[65];
    rw_sha256_hex(digest, hex);
    rw_facts_add(facts, name, rw_arena_text(facts->arena, hex, 64));
}

/* ---- writing --------------------------------------------------------------------------------- */

static rw_status fail_write(const rw_journal *j, int number, rw_error *err) {
    return rw_fail(err, RW_ERR_IO, "state.write", j->path,
                   "what was measured cannot be kept here: %s",
                   number == ENOSPC ? "the disk is full" : "the file system refuses");
}

/* One write a line: what is there after a kill is whole lines and at most one part of one. */
static rw_status write_line(rw_journal *j, const rw_buf *line, rw_error *err) {
    for (size_t done = 0; done < line->size;) {
        ssize_t put = write(j->fd, line->data + done, line->size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail_write(j, put < 0 ? errno : ENOSPC, err);
        done += (size_t)put;
    }
    if (rw_now() - j->synced < sync_seconds)
        return RW_OK;
    j->synced = rw_now();
    return fdatasync(j->fd) == 0 ? RW_OK : fail_write(j, errno, err);
}

static rw_status append_entry(rw_journal *j, const rw_buf *entry, rw_error *err) {
    rw_buf line = {.ctx = j->ctx};
    rw_sha256 digest;
    char hex[65];
    RW_TRY(rw_buf_status(entry, err));
    RW_TRY(rw_sha256_bytes(j->ctx, (rw_str){entry->data, entry->size}, &digest, err));
    rw_sha256_hex(&digest, hex);
    rw_buf_format(&line, "{\"sha256\":\"%s\",\"entry\":", hex);
    rw_buf_append(&line, entry->data, entry->size);
    rw_buf_text(&line, "}\n");
    rw_status status = rw_buf_status(&line, err);
    if (status == RW_OK)
        status = write_line(j, &line, err);
    rw_buf_free(&line);
    return status;
}

static rw_status write_head(rw_journal *j, const rw_facts *facts, rw_error *err) {
    rw_buf entry = {.ctx = j->ctx};
    rw_json_writer w = {.out = &entry};
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", schema);
    rw_json_key(&w, "facts");
    rw_json_begin_object(&w);
    for (size_t i = 0; i < facts->count; i++)
        rw_json_member_string(&w, facts->items[i].name, facts->items[i].value);
    rw_json_end_object(&w);
    rw_json_end_object(&w);
    rw_status status = append_entry(j, &entry, err);
    rw_buf_free(&entry);
    return status;
}

static double seconds_now(const rw_journal *j) {
    return j->seconds + (rw_now() - j->begun);
}

/* ---- reading --------------------------------------------------------------------------------- */

static rw_status damaged(const rw_journal *j, const char *what, rw_error *err) {
    return rw_fail(err, RW_ERR_INPUT, "state.damaged", j->path,
                   "line %u %s: the file was changed; begin anew with another one",
                   (unsigned)j->line, what);
}

/* An entry whose bytes are as they were written, or NULL. */
static const rw_json *sound_entry(rw_journal *j, rw_str line) {
    const rw_json *root = NULL;
    rw_sha256 digest;
    char hex[65];
    if (rw_json_parse(&j->lines, line, j->path, &root, NULL) != RW_OK)
        return NULL;
    const rw_json *entry = rw_json_get(root, "entry");
    if (!entry || entry->type != RW_JSON_OBJECT)
        return NULL;
    const rw_str bytes = {line.data + entry->begin, (size_t)(entry->end - entry->begin)};
    if (rw_sha256_bytes(j->ctx, bytes, &digest, NULL) != RW_OK)
        return NULL;
    rw_sha256_hex(&digest, hex);
    return rw_str_is(rw_json_string_or(rw_json_get(root, "sha256"), ""), hex) ? entry : NULL;
}

static rw_status differs(const rw_journal *j, const char *name, rw_str there, const char *here,
                         rw_error *err) {
    return rw_fail(err, RW_ERR_REFUSED, "state.differs", j->path,
                   "the file keeps another measurement: \"%s\" is \"%.*s\" there and \"%.64s\" "
                   "here. Measure as before, or name another file",
                   name, (int)(there.size < 64 ? there.size : 64), there.data, here);
}

static rw_status check_facts(const rw_journal *j, const rw_json *entry, const rw_facts *facts,
                             rw_error *err) {
    const rw_json *theirs = rw_json_get(entry, "facts");
    for (size_t i = 0; i < facts->count; i++) {
        const rw_fact *fact = &facts->items[i];
        rw_str there = rw_json_string_or(rw_json_get(theirs, fact->name), "");
        if (!rw_str_is(there, fact->value))
            return differs(j, fact->name, there, fact->value, err);
    }
    if (theirs && theirs->count != facts->count)
        return differs(j, "facts", (rw_str){"more", 4}, "fewer", err);
    return RW_OK;
}

static rw_status take_head(rw_journal *j, rw_str line, const rw_facts *facts, rw_error *err) {
    const rw_json *entry = sound_entry(j, line);
    rw_str found = rw_json_string_or(rw_json_get(entry, "schema"), "");
    if (entry && !rw_str_is(found, schema) && memmem(found.data, found.size, "measure-state/", 14))
        return rw_fail(err, RW_ERR_INPUT, "state.schema", j->path,
                       "the file is of schema \"%.*s\", this version knows %s",
                       (int)(found.size < 64 ? found.size : 64), found.data, schema);
    if (!entry || !rw_str_is(found, schema))
        return rw_fail(err, RW_ERR_INPUT, "state.foreign", j->path,
                       "this is no file of an interrupted measurement, so it is not written to: "
                       "name a new one");
    return check_facts(j, entry, facts, err);
}

static bool take_hex(const rw_json *object, const char *name, char out[65]) {
    rw_str text = rw_json_string_or(rw_json_get(object, name), "");
    if (text.size != 64)
        return false;
    memcpy(out, text.data, 64);
    return true;
}

static bool take_numbers(rw_journal *j, const rw_json *entry, known_read *out) {
    const rw_json *nll = rw_json_get(entry, "nll"), *argmax = rw_json_get(entry, "argmax");
    out->nll_count = nll ? nll->count : 0;
    out->argmax_count = argmax ? argmax->count : 0;
    out->nll = rw_arena_alloc(&j->arena, (out->nll_count + 1) * sizeof *out->nll);
    out->argmax = rw_arena_alloc(&j->arena, (out->argmax_count + 1) * sizeof *out->argmax);
    if (!out->nll || !out->argmax)
        return false;
    size_t i = 0;
    for (const rw_json *node = nll ? nll->first : NULL; node; node = node->next)
        out->nll[i++] = rw_json_number_or(node, NAN);
    i = 0;
    for (const rw_json *node = argmax ? argmax->first : NULL; node; node = node->next)
        out->argmax[i++] = (int32_t)rw_json_number_or(node, -1);
    return true;
}

static rw_status take_read(rw_journal *j, const rw_json *entry, rw_error *err) {
    if (j->count == j->capacity) {
        size_t capacity = j->capacity ? j->capacity * 2 : 64, size = sizeof *j->reads;
        known_read *grown = rw_grow(j->ctx, j->reads, j->capacity * size, capacity * size);
        if (!grown)
            return rw_fail_memory(err, j->path, capacity * size);
        j->reads = grown;
        j->capacity = capacity;
    }
    known_read *out = &j->reads[j->count];
    *out = (known_read){.used = false};
    if (!take_hex(entry, "key", out->key))
        return damaged(j, "has no key", err);
    if (!take_numbers(j, entry, out))
        return rw_fail_memory(err, j->path, out->nll_count * sizeof *out->nll);
    j->count++;
    return RW_OK;
}

static size_t size_of(const rw_json *cut, const char *key) {
    return (size_t)rw_json_u64_or(rw_json_get(cut, key), 0);
}

static rw_status take_cut(rw_journal *j, const rw_json *cut, rw_error *err) {
    rw_str side = rw_json_string_or(rw_json_get(cut, "side"), "");
    if (j->cut_count == sizeof j->cuts / sizeof *j->cuts || side.size >= sizeof j->cuts->side)
        return damaged(j, "is a cut too many", err);
    known_cut *out = &j->cuts[j->cut_count++];
    *out = (known_cut){.scope = {.documents = size_of(cut, "documents"),
                                 .trials = size_of(cut, "trials"),
                                 .length_count = size_of(cut, "lengths"),
                                 .retrieval_lengths = size_of(cut, "retrieval_lengths"),
                                 .decode_at = size_of(cut, "decode_at")}};
    out->predicted_seconds = rw_json_number_or(rw_json_get(cut, "predicted_seconds"), 0);
    memcpy(out->side, side.data, side.size);
    return RW_OK;
}

static rw_status take_part(rw_journal *j, const rw_json *kept, rw_error *err) {
    rw_part part = {.from = rw_json_u64_or(rw_json_get(kept, "from"), 0),
                    .to = rw_json_u64_or(rw_json_get(kept, "to"), 0),
                    .bytes = rw_json_u64_or(rw_json_get(kept, "bytes"), 0)};
    if (!take_hex(kept, "key", part.key) || !take_hex(kept, "sha256", part.sha256))
        return damaged(j, "tells of no rows", err);
    return rw_kept_list(&j->kept, &part, err);
}

static rw_status take_entry(rw_journal *j, const rw_json *entry, rw_error *err) {
    const rw_json *cut = rw_json_get(entry, "cut"), *kept = rw_json_get(entry, "kept");
    j->seconds = rw_json_number_or(rw_json_get(entry, "seconds"), j->seconds);
    if (kept)
        return take_part(j, kept, err);
    return cut ? take_cut(j, cut, err) : take_read(j, entry, err);
}

/* Everything behind byte `size` goes: the end of a line that was being written when the process, or
   the machine, went down. */
static rw_status drop_end(rw_journal *j, size_t size, rw_error *err) {
    rw_log(j->ctx, RW_INFO, "%s: line %u was not written to its end; it is measured again", j->path,
           (unsigned)j->line);
    return ftruncate(j->fd, (off_t)size) == 0 ? RW_OK : fail_write(j, errno, err);
}

/* *sound is false where a line is not as it was written. */
static rw_status take_line(rw_journal *j, rw_str line, const rw_facts *facts, bool *sound,
                           rw_error *err) {
    *sound = true;
    if (++j->line == 1)
        return take_head(j, line, facts, err);
    const rw_json *entry = sound_entry(j, line);
    *sound = entry != NULL;
    return entry ? take_entry(j, entry, err) : RW_OK;
}

static rw_status take_lines(rw_journal *j, const rw_facts *facts, rw_error *err) {
    const char *at = j->text.data, *end = at + j->text.size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const rw_str line = {at, (size_t)((newline ? newline : end) - at)};
        bool sound, last = !newline || newline + 1 == end;
        rw_status status = take_line(j, line, facts, &sound, err);
        rw_arena_free(&j->lines);
        RW_TRY(status);
        if ((!sound || !newline) && last)
            return drop_end(j, (size_t)(at - j->text.data), err);
        if (!sound)
            return damaged(j, "is not what was written", err);
        at = newline + 1;
    }
    return RW_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static rw_status open_file(rw_journal *j, rw_error *err) {
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (j->fd < 0)
        return rw_fail(err, RW_ERR_IO, "state.open", j->path,
                       "the file cannot be opened for writing: %s",
                       errno == ENOENT || errno == ENOTDIR ? "its folder is not there"
                       : errno == EISDIR                   ? "it is a folder"
                                                           : "the file system refuses");
    if (flock(j->fd, LOCK_EX | LOCK_NB) != 0)
        return rw_fail(err, RW_ERR_REFUSED, "state.in_use", j->path,
                       "another measurement is writing to it");
    return rw_file_load(j->ctx, j->path, FILE_BYTES_MAX, &j->text, err);
}

static rw_status begin(rw_journal *j, const rw_facts *facts, rw_error *err) {
    if (facts->failed)
        return rw_fail_memory(err, "measurement", sizeof *facts);
    RW_TRY(open_file(j, err));
    if (j->text.size == 0)
        return write_head(j, facts, err);
    RW_TRY(take_lines(j, facts, err));
    rw_buf_free(&j->text);
    rw_log(j->ctx, RW_INFO, "%s: %zu reads of an earlier run are kept", j->path, j->count);
    return RW_OK;
}

rw_status rw_journal_open(rw_context *ctx, const char *path, const rw_facts *facts,
                          rw_journal **out, rw_error *err) {
    *out = NULL;
    rw_journal *j = rw_calloc(ctx, 1, sizeof *j);
    if (!j)
        return rw_fail_memory(err, path, sizeof *j);
    *j = (rw_journal){.ctx = ctx, .arena = {.ctx = ctx}, .fd = -1, .lines = {.ctx = ctx}};
    j->text.ctx = ctx;
    j->begun = rw_now();
    j->path = rw_arena_text(&j->arena, path, strlen(path));
    rw_kept_init(&j->kept, ctx, rw_arena_format(&j->arena, "%s.cache", path));
    rw_status status =
        j->path && j->kept.path ? begin(j, facts, err) : rw_fail_memory(err, path, strlen(path));
    if (status != RW_OK) {
        rw_journal_close(j);
        return status;
    }
    *out = j;
    return RW_OK;
}

void rw_journal_close(rw_journal *journal) {
    if (!journal)
        return;
    rw_context *ctx = journal->ctx;
    if (journal->fd >= 0) {
        fdatasync(journal->fd);
        close(journal->fd);
    }
    rw_kept_free(&journal->kept);
    rw_buf_free(&journal->text);
    rw_free(ctx, journal->reads);
    rw_arena_free(&journal->arena);
    rw_free(ctx, journal);
}

rw_kept *rw_journal_kept(rw_journal *journal) {
    return &journal->kept;
}

double rw_journal_seconds(const rw_journal *journal) {
    return journal->seconds;
}

rw_context *rw_journal_context(const rw_journal *journal) {
    return journal->ctx;
}

/* ---- reads ----------------------------------------------------------------------------------- */

bool rw_journal_used_up(const rw_journal *journal) {
    return journal->used == journal->count;
}

static bool serves(const known_read *read, const char *key, const rw_outputs *outputs) {
    return !read->used && memcmp(read->key, key, 64) == 0 &&
           read->nll_count == (outputs->nll ? outputs->count : 0) &&
           read->argmax_count == (outputs->argmax ? outputs->count : 0);
}

/* Reads come in the order in which they were noted, so the first that is looked at is the one. */
bool rw_journal_find(rw_journal *journal, const rw_sha256 *key, const rw_outputs *outputs) {
    char hex[65];
    rw_sha256_hex(key, hex);
    for (size_t i = 0; i < journal->count && !rw_journal_used_up(journal); i++) {
        size_t at = (journal->next + i) % journal->count;
        known_read *read = &journal->reads[at];
        if (!serves(read, hex, outputs))
            continue;
        if (outputs->nll)
            memcpy(outputs->nll, read->nll, read->nll_count * sizeof *read->nll);
        if (outputs->argmax)
            memcpy(outputs->argmax, read->argmax, read->argmax_count * sizeof *read->argmax);
        read->used = true;
        journal->used++;
        journal->next = at + 1;
        return true;
    }
    return false;
}

/* A position without a target has no likelihood. */
static bool has_target(const rw_outputs *outputs, size_t i) {
    return outputs->target && outputs->target[i] >= 0;
}

static bool worth_keeping(const rw_outputs *outputs) {
    for (size_t i = 0; outputs->nll && i < outputs->count; i++)
        if (has_target(outputs, i) && !isfinite(outputs->nll[i]))
            return false;
    return true;
}

static void write_read(rw_json_writer *w, const rw_outputs *outputs) {
    if (outputs->nll) {
        rw_json_key(w, "nll");
        rw_json_begin_array(w);
        for (size_t i = 0; i < outputs->count; i++)
            rw_json_double(w, has_target(outputs, i) ? outputs->nll[i] : NAN);
        rw_json_end_array(w);
    }
    if (outputs->argmax) {
        rw_json_key(w, "argmax");
        rw_json_begin_array(w);
        for (size_t i = 0; i < outputs->count; i++)
            rw_json_i64(w, outputs->argmax[i]);
        rw_json_end_array(w);
    }
}

rw_status rw_journal_add(rw_journal *journal, const rw_sha256 *key, const rw_outputs *outputs,
                         rw_error *err) {
    char hex[65];
    rw_buf entry = {.ctx = journal->ctx};
    rw_json_writer w = {.out = &entry};
    if (!worth_keeping(outputs))
        return RW_OK;
    rw_sha256_hex(key, hex);
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "key", hex);
    rw_json_member_double(&w, "seconds", seconds_now(journal));
    write_read(&w, outputs);
    rw_json_end_object(&w);
    rw_status status = append_entry(journal, &entry, err);
    rw_buf_free(&entry);
    return status;
}

rw_status rw_journal_add_part(rw_journal *journal, const rw_part *part, rw_error *err) {
    rw_buf entry = {.ctx = journal->ctx};
    rw_json_writer w = {.out = &entry};
    rw_json_begin_object(&w);
    rw_json_member_double(&w, "seconds", seconds_now(journal));
    rw_json_key(&w, "kept");
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "key", part->key);
    rw_json_member_u64(&w, "from", part->from);
    rw_json_member_u64(&w, "to", part->to);
    rw_json_member_u64(&w, "bytes", part->bytes);
    rw_json_member_string(&w, "sha256", part->sha256);
    rw_json_end_object(&w);
    rw_json_end_object(&w);
    rw_status status = append_entry(journal, &entry, err);
    rw_buf_free(&entry);
    return status == RW_OK ? rw_kept_list(&journal->kept, part, err) : status;
}

/* ---- cuts ------------------------------------------------------------------------------------ */

bool rw_journal_take_cut(rw_journal *journal, const char *side, rw_scope *scope,
                         double *predicted_seconds) {
    for (size_t i = 0; i < journal->cut_count; i++) {
        const rw_scope *left = &journal->cuts[i].scope;
        if (strcmp(journal->cuts[i].side, side) != 0)
            continue;
        if (left->documents > scope->documents || left->length_count > scope->length_count ||
            !left->length_count || left->retrieval_lengths > scope->retrieval_lengths)
            return false;
        scope->documents = left->documents;
        scope->trials = left->trials;
        scope->length_count = left->length_count;
        scope->retrieval_lengths = left->retrieval_lengths;
        scope->decode_at = left->decode_at;
        *predicted_seconds = journal->cuts[i].predicted_seconds;
        return true;
    }
    return false;
}

rw_status rw_journal_note_cut(rw_journal *journal, const char *side, const rw_scope *scope,
                              double predicted_seconds, rw_error *err) {
    rw_buf entry = {.ctx = journal->ctx};
    rw_json_writer w = {.out = &entry};
    rw_json_begin_object(&w);
    rw_json_member_double(&w, "seconds", seconds_now(journal));
    rw_json_key(&w, "cut");
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "side", side);
    rw_json_member_u64(&w, "documents", scope->documents);
    rw_json_member_u64(&w, "trials", scope->trials);
    rw_json_member_u64(&w, "lengths", scope->length_count);
    rw_json_member_u64(&w, "retrieval_lengths", scope->retrieval_lengths);
    rw_json_member_u64(&w, "decode_at", scope->decode_at);
    rw_json_member_double(&w, "predicted_seconds", predicted_seconds);
    rw_json_end_object(&w);
    rw_json_end_object(&w);
    rw_status status = append_entry(journal, &entry, err);
    rw_buf_free(&entry);
    return status;
}
