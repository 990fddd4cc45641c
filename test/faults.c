/*
 * faults.c: run an SQL script again and again, each time with another call failing: allocations, or calls of the VFS.
 *
 *   faults -v TESTVFS [-l LIBRARY]... [-k KIND] [-m MAX] [-s SEED] [-j JOURNAL] [-g GLOB] [-n CALL] [-p] [-R] [-V] SCRIPT...
 *
 *   -v   testvfs.so
 *   -l   a loadable extension for every connection (quire.so, testfuncs.so)
 *   -k   malloc (default), or a kind of pc_fault (fault_vfs.c): read, write, full, sync, open, ...
 *   -g   only calls on files with such names (not for malloc)
 *   -m   at most so many injections a script and mode (default 200), spread over all calls, from an offset by -s
 *   -p   besides, each place of the library that makes such a call once
 *   -R   F2 holds only after ROLLBACK
 *   -n   one injection only: this call
 *   -j   journal mode (default wal)
 *
 * A script has parts, headed by lines `--: setup`, `--: test`, `--: check` and `--: sound`. Setup runs once. Then for each n the files are put
 * back, and test runs with the n-th call failing, once or from then on. What must hold:
 *
 *   F1  A statement that fails fails with a code that fits the kind; one that succeeds gives what it gives without faults.
 *   F2  After a failure the statement has changed nothing (check sees what it saw before the statement), or, if it ended
 *       the transaction, the whole transaction has not. An I/O error in a statement that commits may leave it committed.
 *   F3  The transaction, if still open, can be committed or rolled back (by turns), and check sees just that, also
 *       after closing and opening again, where PRAGMA integrity_check and the part sound find nothing wrong. (Before that the
 *       connection may have given up the page file: it read a part of it, or could not open it.)
 *   F4  After close, sqlite3_memory_used() is what it was before.
 *
 * A statement of the test may fail by itself, always with the same words. The head `--: open` instead of `--: test` lets opening and loading fail as well. Last line: `N injections, N raised, N failures`.
 * Files are in memory (VFS "powercut"). Start at run_script().
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__) || defined(__APPLE__)
#define HAVE_BACKTRACE 1
#include <execinfo.h>
#endif

#define MAX_LIBRARIES 4
#define MAX_STATEMENTS 400
#define DATABASE "faults.db"

typedef sqlite3_int64 i64;

/* --- the allocator --- */

static struct {
  sqlite3_mem_methods real;
  i64 calls, at; /* at: 0 is never */
  int forever, armed;
  i64 raised;
} mem;

/*
 * Places: allocations, or calls of the VFS, with different chains of callers within the library under test. Where one is made for the first time it is
 * made to fail whatever the share, so that a short run too meets every line that makes one, from every caller.
 */
#define MAX_FRAMES 48
#define PLACE_SLOTS (1 << 14)

static struct {
  void *library; /* where the one under test lies */
  int recording;
  uint64_t seen[PLACE_SLOTS];
  i64 first[PLACE_SLOTS / 2]; /* calls that were the first of their place */
  int count;
} places;

#ifdef HAVE_BACKTRACE
static void record_place(i64 call) {
  void *frame[MAX_FRAMES];
  int n = backtrace(frame, MAX_FRAMES);
  uint64_t hash = 0;
  size_t slot;
  Dl_info info;
  for (int i = 0; i < n; i++) {
    if (dladdr(frame[i], &info) && info.dli_fbase == places.library)
      hash = (hash ^ (uint64_t)(uintptr_t)frame[i]) * 0x9e3779b97f4a7c15u;
  }
  if (hash == 0 || places.count == PLACE_SLOTS / 2) return;
  for (slot = hash >> 40; places.seen[slot % PLACE_SLOTS]; slot++) {
    if (places.seen[slot % PLACE_SLOTS] == hash) return;
  }
  places.seen[slot % PLACE_SLOTS] = hash;
  places.first[places.count++] = call;
}
#else
static void record_place(i64 call) { (void)call; }
#endif

static void note_call(i64 call) {
  if (places.recording) record_place(call);
}

static int allocation_fails(void) {
  if (!mem.armed) return 0;
  mem.calls++;
  note_call(mem.calls);
  if (!mem.at || (mem.forever ? mem.calls < mem.at : mem.calls != mem.at)) return 0;
  mem.raised++;
  return 1;
}

static void *mem_malloc(int n) { return allocation_fails() ? NULL : mem.real.xMalloc(n); }
static void *mem_realloc(void *p, int n) { return allocation_fails() ? NULL : mem.real.xRealloc(p, n); }

/* --- options and small helpers --- */

static struct {
  const char *library[MAX_LIBRARIES];
  int library_count;
  const char *vfs_library, *kind, *journal, *glob;
  i64 max, seed, only;
  int verbose, places, rollback;
} opt = {.kind = "malloc", .journal = "wal", .glob = "", .max = 200};

static sqlite3 *control; /* has the functions of the VFS */
static i64 injections, raised_total, failures;

static void die(const char *what, const char *detail) {
  fprintf(stderr, "faults: %s: %s\n", what, detail ? detail : "");
  exit(2);
}

static int is_malloc(void) { return strcmp(opt.kind, "malloc") == 0; }

/* A statement of the control connection; the first column, as a number. */
static i64 control_number(const char *sql) {
  sqlite3_stmt *stmt = NULL;
  i64 value = 0;
  if (sqlite3_prepare_v2(control, sql, -1, &stmt, NULL)) die(sql, sqlite3_errmsg(control));
  if (sqlite3_step(stmt) == SQLITE_ROW) value = sqlite3_column_int64(stmt, 0);
  if (sqlite3_finalize(stmt)) die(sql, sqlite3_errmsg(control));
  return value;
}

static void arm(i64 at, int forever) {
  if (is_malloc()) {
    mem.at = at;
    mem.forever = forever;
    mem.calls = mem.raised = 0;
    mem.armed = 1;
  } else {
    char *sql = sqlite3_mprintf("SELECT pc_fault(%Q, %lld, %d, %Q)", opt.kind, at, forever, opt.glob);
    control_number(sql);
    sqlite3_free(sql);
  }
}

/* Gives the faults raised; *calls are all calls of the kind since arm(). */
static i64 disarm(i64 *calls) {
  char *sql;
  if (is_malloc()) {
    mem.armed = 0;
    *calls = mem.calls;
    return mem.raised;
  }
  sql = sqlite3_mprintf("SELECT pc_calls(%Q)", opt.kind);
  *calls = control_number(sql);
  sqlite3_free(sql);
  return control_number("SELECT pc_fault_off()");
}

/* --- scripts --- */

typedef struct Script {
  char *text; /* the file, cut into its parts */
  const char *name, *setup, *test, *check, *sound;
  int from_open;
} Script;

static char *read_file(const char *path) {
  FILE *f = fopen(path, "rb");
  char *text;
  long n;
  if (!f) die("cannot read", path);
  fseek(f, 0, SEEK_END);
  n = ftell(f);
  rewind(f);
  text = malloc((size_t)n + 1);
  if (!text || fread(text, 1, (size_t)n, f) != (size_t)n) die("cannot read", path);
  text[n] = 0;
  fclose(f);
  return text;
}

static void load_script(const char *path, Script *s) {
  memset(s, 0, sizeof *s);
  s->name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  s->text = read_file(path);
  s->setup = s->test = s->check = s->sound = "";
  for (char *p = strstr(s->text, "--: "); p; p = strstr(p + 1, "--: ")) {
    char *line_end = strchr(p, '\n');
    *p = 0;
    p += 4;
    if (!line_end) break;
    if (strncmp(p, "setup", 5) == 0) s->setup = line_end;
    if (strncmp(p, "test", 4) == 0) s->test = line_end;
    if (strncmp(p, "check", 5) == 0) s->check = line_end;
    if (strncmp(p, "sound", 5) == 0) s->sound = line_end;
    if (strncmp(p, "open", 4) == 0) {
      s->test = line_end;
      s->from_open = 1;
    }
  }
}

/* --- connections --- */

static int open_connection(sqlite3 **out, char **words) {
  sqlite3 *db = NULL;
  int rc = sqlite3_open_v2(DATABASE, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "powercut");

  *words = NULL;
  if (!rc) rc = sqlite3_enable_load_extension(db, 1);
  for (int i = 0; !rc && i < opt.library_count; i++) {
    rc = sqlite3_load_extension(db, opt.library[i], NULL, words);
    /* The library's own code is lost on the way: it is SQLITE_ERROR here. */
  }
  if (rc) {
    sqlite3_close(db);
    db = NULL;
  }
  *out = db;
  return rc;
}

static sqlite3 *must_open(void) {
  sqlite3 *db;
  char *words;
  if (open_connection(&db, &words)) die("cannot open", words);
  return db;
}

static void append(char **text, size_t *size, const char *more) {
  size_t n = strlen(more);
  *text = realloc(*text, *size + n + 1);
  if (!*text) die("out of memory", "");
  memcpy(*text + *size, more, n + 1);
  *size += n;
}

/* Step one statement to its end, its rows appended to a text that the caller frees. */
static int run_statement(sqlite3_stmt *stmt, char **out) {
  size_t size = 0;
  int rc;
  *out = NULL;
  append(out, &size, "");
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    const int armed = mem.armed;
    mem.armed =
        0; /* a value made a text here is not the statement's work, which may have been committed by a function's savepoint */
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
      const char *value;
      if (sqlite3_column_type(stmt, i) == SQLITE_BLOB) {
        const unsigned char *p = sqlite3_column_blob(stmt, i);
        char hex[3];
        for (int j = 0; j < sqlite3_column_bytes(stmt, i); j++) {
          snprintf(hex, sizeof hex, "%02x", p[j]);
          append(out, &size, hex);
        }
        value = "";
      } else {
        value = (const char *)sqlite3_column_text(stmt, i);
      }
      append(out, &size, value ? value : "NULL");
      append(out, &size, " ");
    }
    mem.armed = armed;
    append(out, &size, "\n");
  }
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* All rows of all statements of `sql`; errors as text, at which it stops or not. The caller frees. */
static char *digest(sqlite3 *db, const char *sql, int past_errors) {
  char *all = NULL;
  size_t size = 0;
  append(&all, &size, "");
  while (*sql) {
    sqlite3_stmt *stmt = NULL;
    char *rows = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
    if (!rc && !stmt) continue;
    if (!rc) rc = run_statement(stmt, &rows);
    if (rows) append(&all, &size, rows);
    free(rows);
    if (rc) {
      append(&all, &size, "error: ");
      append(&all, &size, sqlite3_errmsg(db));
      if (!past_errors) sql = "";
    }
    sqlite3_finalize(stmt);
  }
  return all;
}

/* --- the files of the setup --- */

typedef struct Saved {
  char name[64];
  void *data;
  int size;
} Saved;
static Saved saved[8];
static int saved_count;

static void forget_files(void) {
  while (saved_count) free(saved[--saved_count].data);
}

static void save_files(void) {
  sqlite3_stmt *list = NULL, *get = NULL;
  if (sqlite3_prepare_v2(control, "SELECT pc_files()", -1, &list, NULL)) die("pc_files", sqlite3_errmsg(control));
  if (sqlite3_prepare_v2(control, "SELECT pc_get(?)", -1, &get, NULL)) die("pc_get", sqlite3_errmsg(control));
  forget_files();
  if (sqlite3_step(list) == SQLITE_ROW) {
    const char *p = (const char *)sqlite3_column_text(list, 0);
    int used;
    long size;
    while (saved_count < 8 && sscanf(p, " %63s %ld%n", saved[saved_count].name, &size, &used) == 2) {
      Saved *s = &saved[saved_count++];
      p += used;
      sqlite3_bind_text(get, 1, s->name, -1, SQLITE_STATIC);
      sqlite3_step(get);
      s->size = sqlite3_column_bytes(get, 0);
      s->data = malloc((size_t)s->size + 1);
      if (!s->data) die("out of memory", "");
      if (s->size) memcpy(s->data, sqlite3_column_blob(get, 0), (size_t)s->size);
      sqlite3_reset(get);
    }
  }
  sqlite3_finalize(list);
  sqlite3_finalize(get);
}

static void restore_files(void) {
  sqlite3_stmt *put = NULL;
  control_number("SELECT pc_reset()");
  control_number("SELECT pc_record(0)");
  if (sqlite3_prepare_v2(control, "SELECT pc_put(?, ?)", -1, &put, NULL)) die("pc_put", sqlite3_errmsg(control));
  for (int i = 0; i < saved_count; i++) {
    sqlite3_bind_text(put, 1, saved[i].name, -1, SQLITE_STATIC);
    sqlite3_bind_blob(put, 2, saved[i].data, saved[i].size, SQLITE_STATIC);
    sqlite3_step(put);
    sqlite3_reset(put);
  }
  sqlite3_finalize(put);
}

/* --- the run without faults --- */

typedef struct Reference {
  char *rows[MAX_STATEMENTS];      /* what statement i gives */
  char *seen[MAX_STATEMENTS + 1];  /* check within the connection, before statement i */
  char *fixed[MAX_STATEMENTS + 1]; /* what is committed before statement i */
  int count;
} Reference;

/* What a statement that fails by itself gives instead of rows. */
static void note_error(sqlite3 *db, char **rows) {
  size_t size = *rows ? strlen(*rows) : 0;
  append(rows, &size, "error: ");
  append(rows, &size, sqlite3_errmsg(db));
}

static void make_reference(const Script *s, Reference *ref) {
  sqlite3 *db = must_open();
  const char *sql = s->test;

  memset(ref, 0, sizeof *ref);
  ref->seen[0] = digest(db, s->check, 0);
  ref->fixed[0] = strdup(ref->seen[0]);
  while (*sql) {
    sqlite3_stmt *stmt = NULL;
    int i = ref->count, rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
    if (!rc && !stmt) continue;
    if (i == MAX_STATEMENTS) die(s->name, "too many statements");
    if (rc) die(s->name, sqlite3_errmsg(db));
    if (run_statement(stmt, &ref->rows[i])) note_error(db, &ref->rows[i]);
    sqlite3_finalize(stmt);
    ref->seen[i + 1] = digest(db, s->check, 0);
    ref->fixed[i + 1] = strdup(sqlite3_get_autocommit(db) ? ref->seen[i + 1] : ref->fixed[i]);
    ref->count++;
  }
  sqlite3_close(db);
}

static void free_reference(Reference *ref) {
  for (int i = 0; i <= ref->count; i++) {
    if (i < ref->count) free(ref->rows[i]);
    free(ref->seen[i]);
    free(ref->fixed[i]);
  }
}

/* --- one injection --- */

typedef struct Run {
  const Script *script;
  const Reference *ref;
  i64 at;
  int forever;
} Run;

static void failed(const Run *run, const char *rule, int statement, const char *what, const char *got,
                   const char *want) {
  failures++;
  if (failures > 20) return;
  printf("FAILED %s, %s, call %lld%s, statement %d: %s: %s\n", run->script->name, opt.kind, run->at,
         run->forever ? " and all after it" : "", statement, rule, what);
  if (got) printf("  got:  %.600s\n", got);
  if (want) printf("  want: %.600s\n", want);
  printf("  repeat: QUIRE_FAULT_RUN=\"-k %s -g '%s' -j %s%s -n %lld\" QUIRE_FAULT_SCRIPT=%s tclsh test/faults.test\n",
         opt.kind, opt.glob, opt.journal, opt.rollback ? " -R" : "", run->at, run->script->name);
  fflush(stdout);
}

static int code_fits(int rc, const char *words) {
  rc &= 0xff;
  /* SQLite's json_valid() has said no, too, where its parser had no memory (3.40): so do our constraints that ask it. */
  if (is_malloc() && rc == SQLITE_CONSTRAINT) return strstr(words, "json_valid") || strstr(words, "not valid JSON");
  if (is_malloc()) return rc == SQLITE_NOMEM || rc == SQLITE_IOERR; /* IOERR_NOMEM */
  switch (rc) {
    case SQLITE_CORRUPT: /* a page file that reads short, or does not open, is damaged or missing */
    case SQLITE_READONLY: return strcmp(opt.kind, "short") == 0 || strcmp(opt.kind, "open") == 0;
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return 1;
    default: return 0;
  }
}

static int same(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* F2, F3: statement i failed on `db` with the faults gone. */
static void check_after_failure(const Run *run, sqlite3 *db, int i) {
  const Reference *ref = run->ref;
  char *seen = digest(db, run->script->check, 0), *end = NULL;
  const char *want = ref->fixed[i];
  /* An error in the middle of a commit may leave it made. */
  const char *or_want = is_malloc() ? want : ref->fixed[i + 1];
  int open = !sqlite3_get_autocommit(db);

  if (open) {
    if (!opt.rollback && !same(seen, ref->seen[i]))
      failed(run, "F2", i, "the failed statement left changes", seen, ref->seen[i]);
    if (run->at % 2 && !opt.rollback) {
      if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL)) failed(run, "F3", i, "COMMIT fails", sqlite3_errmsg(db), NULL);
      want = or_want = ref->seen[i];
    }
    if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  } else if (!same(seen, want) && !same(seen, or_want)) {
    failed(run, "F2", i, "the failed transaction left changes", seen, want);
  }
  end = digest(db, run->script->check, 0);
  if (!same(end, want) && !same(end, or_want)) failed(run, "F3", i, "after the end of the transaction", end, want);
  sqlite3_close(db);
  db = must_open();
  free(seen);
  seen = digest(db, run->script->check, 0);
  if (!same(seen, end) && !same(seen, want) && !same(seen, or_want)) {
    failed(run, "F3", i, "after another open", seen, end);
  }
  free(end);
  end = digest(db, "PRAGMA integrity_check", 0);
  if (!same(end, "ok \n")) failed(run, "F3", i, "integrity_check", end, NULL);
  free(end);
  end = digest(db, run->script->sound, 0);
  if (strstr(end, "error: ")) failed(run, "F3", i, "sound", end, NULL);
  sqlite3_close(db);
  free(seen);
  free(end);
}

/* Run the test part; gives the faults raised. */
static i64 inject(const Run *run) {
  const char *sql = run->script->test;
  sqlite3 *db = NULL;
  char *words = NULL;
  i64 before, calls, raised = 0;
  int rc = SQLITE_OK, i = 0;

  restore_files();
  before = sqlite3_memory_used();
  if (run->script->from_open) arm(run->at, run->forever);
  rc = open_connection(&db, &words);
  sqlite3_free(words);
  if (rc && !run->script->from_open) die("cannot open", sqlite3_errstr(rc));
  if (!run->script->from_open) arm(run->at, run->forever);
  while (!rc && *sql) {
    sqlite3_stmt *stmt = NULL;
    char *rows = NULL;
    int lost = 0;
    rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
    if (!rc && !stmt) continue;
    if (!rc) rc = run_statement(stmt, &rows);
    if (rc && stmt && rc != SQLITE_NOMEM) {
      note_error(db, &rows);
      /* as it fails without a fault, be it that SQLite had no memory left to hand the words on */
      lost =
          is_malloc() && strncmp(run->ref->rows[i], "error: ", 7) == 0 && same(sqlite3_errmsg(db), sqlite3_errstr(rc));
      if (lost || same(rows, run->ref->rows[i])) rc = SQLITE_OK;
    }
    if (!rc && !lost && !same(rows, run->ref->rows[i])) failed(run, "F1", i, "rows differ", rows, run->ref->rows[i]);
    if (rc && !code_fits(rc, sqlite3_errmsg(db))) failed(run, "F1", i, sqlite3_errmsg(db), sqlite3_errstr(rc), NULL);
    free(rows);
    sqlite3_finalize(stmt);
    if (!rc) i++;
  }
  raised = disarm(&calls);
  if (rc && !raised) failed(run, "F1", i, "fails without a fault", sqlite3_errmsg(db), NULL);
  if (db && rc) {
    check_after_failure(run, db, i);
  } else if (db) {
    words = digest(db, run->script->check, 0);
    if (!same(words, run->ref->seen[i])) failed(run, "F1", i, "after success", words, run->ref->seen[i]);
    free(words);
    if (sqlite3_close(db)) die("cannot close", run->script->name);
  }
  if (sqlite3_memory_used() != before) {
    char n[40];
    snprintf(n, sizeof n, "%lld bytes", sqlite3_memory_used() - before);
    failed(run, "F4", i, "memory is left", n, NULL);
  }
  injections++;
  raised_total += raised;
  return raised;
}

/* --- scripts --- */

static void make_files(const Script *s) {
  sqlite3 *db;
  char *words, *sql;

  forget_files();
  restore_files();
  db = must_open();
  sql = sqlite3_mprintf("PRAGMA journal_mode = %s", opt.journal);
  words = digest(db, sql, 0);
  free(words);
  sqlite3_free(sql);
  words = digest(db, s->setup, 0);
  if (strstr(words, "error: ")) die(s->name, words);
  free(words);
  sqlite3_close(db);
  save_files();
}

/* The calls of a run without faults. */
static i64 count_calls(const Script *s) {
  sqlite3 *db = NULL;
  char *words = NULL, *rows;
  i64 total;

  restore_files();
  memset(places.seen, 0, sizeof places.seen);
  places.count = 0;
  places.recording = opt.places && places.library;
  if (s->from_open) arm(0, 0);
  if (open_connection(&db, &words)) die("cannot open", words);
  if (!s->from_open) arm(0, 0);
  rows = digest(db, s->test, 1);
  disarm(&total);
  places.recording = 0;
  free(rows);
  sqlite3_close(db);
  return total;
}

static void run_script(const char *path) {
  Script s;
  Reference ref;
  Run run;
  i64 total, step;

  load_script(path, &s);
  make_files(&s);
  make_reference(&s, &ref);
  run = (Run){&s, &ref, 0, 0};
  inject(&run); /* first uses that allocate for good */
  inject(&run);
  injections -= 2;
  total = count_calls(&s);
  step = total > opt.max ? total / opt.max : 1;
  for (run.forever = 0; run.forever < 2; run.forever++) {
    i64 first = 1 + (step > 1 ? opt.seed % step : 0);
    if (opt.only) {
      run.at = opt.only;
      inject(&run);
      continue;
    }
    for (run.at = first; run.at <= total; run.at += step) inject(&run);
  }
  run.forever = 0;
  for (int i = 0; i < places.count && step > 1 && !opt.only; i++) {
    run.at = places.first[i];
    inject(&run);
  }
  if (opt.verbose) printf("  %s: %lld calls, one in %lld failed, and %d places\n", s.name, total, step, places.count);
  free_reference(&ref);
  free(s.text);
}

/* Be told of the VFS's calls, too. The library stays loaded. */
static void hook_calls(void) {
  void *library = dlopen(opt.vfs_library, RTLD_NOW);
  void (**on_call)(sqlite3_int64) = library ? (void (**)(sqlite3_int64))dlsym(library, "pc_on_call") : NULL;
  if (!on_call) die("pc_on_call is not in", opt.vfs_library);
  *on_call = note_call;
}

int main(int argc, char **argv) {
  sqlite3_mem_methods ours;
  char *words = NULL;
  int i;

  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &mem.real);
  ours = mem.real;
  ours.xMalloc = mem_malloc;
  ours.xRealloc = mem_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
  for (i = 1; i < argc && argv[i][0] == '-'; i++) {
    char c = argv[i][1];
    if (c == 'V' || c == 'p' || c == 'R') {
      *(c == 'V' ? &opt.verbose : c == 'p' ? &opt.places : &opt.rollback) = 1;
      continue;
    }
    if (i + 1 >= argc) die("argument missing", argv[i]);
    i++;
    if (c == 'l' && opt.library_count < MAX_LIBRARIES) opt.library[opt.library_count++] = argv[i];
    if (c == 'v') opt.vfs_library = argv[i];
    if (c == 'k') opt.kind = argv[i];
    if (c == 'g') opt.glob = argv[i];
    if (c == 'j') opt.journal = argv[i];
    if (c == 'm') opt.max = atoll(argv[i]);
    if (c == 's') opt.seed = atoll(argv[i]);
    if (c == 'n') opt.only = atoll(argv[i]);
  }
  /* Keep the libraries loaded: a connection's close would unload them, and every open load them again. */
  for (int j = 0; j < opt.library_count; j++) {
    void *library = dlopen(opt.library[j], RTLD_NOW), *entry;
    Dl_info info;
    if (!library) die("cannot load", dlerror());
    entry = dlsym(library, "sqlite3_quire_init");
    if (entry && dladdr(entry, &info)) places.library = info.dli_fbase;
  }
  if (!opt.vfs_library) die("-v testvfs.so", "is missing");
  if (sqlite3_open(":memory:", &control)) die("cannot open", ":memory:");
  sqlite3_enable_load_extension(control, 1);
  if (sqlite3_load_extension(control, opt.vfs_library, NULL, &words)) die("cannot load", words);
  hook_calls();
  for (; i < argc; i++) run_script(argv[i]);
  printf("%lld injections, %lld raised, %lld failures\n", injections, raised_total, failures);
  control_number("SELECT pc_reset()");
  sqlite3_close(control);
  forget_files();
  return failures ? 1 : 0;
}
