/*
 * corrupt.c: the corruption matrix: every kind of page, every field of each, truncations, swaps, files of another moment, shadow rows.
 *
 *   corrupt -d DIRECTORY [-s SEED] [-p PERMILLE] [-f N] [-e] [-b BASE] [-c CASE]... [-v]
 *
 *   -d   where the damaged files are made; best a place without a disk
 *   -p   the share of the cases that is run (default 1000: all). Each field of each kind of page is met in each mode whatever the share
 *   -f   of fields, graphs, lists and mixed files only one in N, by the seed
 *   -e   whatever the share, each field of each kind of page is met with each value, forged, and so is each column of the shadow tables:
 *        what a reader must check by itself
 *   -b   small, wide, many: one base only       -c   this case, by its name (as a failure prints it)      -v   the table of fields
 *
 * A base is a database with all kinds of pages, at several moments of its life. A case damages a copy of it and tells the story of
 * run_case(): open, search, integrity-check, write, fold, 'rebuild'. How a page is damaged:
 *
 *   raw     bytes changed, no checksum touched           own     and the page's own checksum is made right
 *   forged  all checksums are right up to the state row
 *
 * What must hold:
 *
 *   C1  No crash, no hang (CASE_SECONDS of processor time), no memory beyond MEMORY_LIMIT, whatever the bytes.
 *   C2  Rows read by rowid and by scan are those of the content, before and after writes, unless the damage is forged.
 *   C3  Damage that a checksum can tell (raw, own, truncated, swapped, of another moment): each search is exact, or fails with
 *       SQLITE_CORRUPT; integrity-check fails; writes succeed.
 *   C4  Forged, and rows of shadow tables: searches and rows are exact, or fail, or integrity-check fails. (Who can make every checksum right can put any vector in a page:
 *       that a search shows it, or take a row away from the map by which DELETE finds it, is beyond a checksum.)
 *   C5  Damage of what no root reaches changes nothing at all.
 *   C6  'rebuild' puts everything right: status ok, integrity-check passes, searches exact. (Not where the list of tables is damaged, a shadow table is gone, or the
 *       head of the file is damaged: then it says so, and a file that is moved away is made anew.)
 *
 * Files are read through the map of the default VFS and, every other case (by its name), through xRead. The last line is
 * `N cases, N failures`. Start at corrupt_main().
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../ext/quire.h"
#include "pagefile.h"

#define CASE_SECONDS 60
#define MEMORY_LIMIT (48 << 20)
#define MAX_MOMENTS 8
#define MAX_QUERIES 20
#define MAX_ONLY 32

/* --- options, small helpers --- */

static struct {
  const char *directory, *base, *only[MAX_ONLY];
  u32 only_count;
  u64 seed;
  u32 permille, one_in;
  int verbose, every_value;
} opt = {.permille = 1000, .one_in = 1, .seed = 1};

static char case_name[200] = "(none)"; /* for the handlers */
static u64 cases, failures;

static void die(const char *what, const char *detail) {
  fprintf(stderr, "corrupt: %s: %s\n", what, detail ? detail : "");
  exit(2);
}

static u64 hash_text(u64 hash, const char *text) {
  for (; *text; text++) hash = pf_mix(hash ^ (u8)*text);
  return hash;
}

static void fatal(int signal) {
  static const char head[] = "FAILED (signal) ";
  if (write(1, head, sizeof head - 1) < 0 || write(1, case_name, strlen(case_name)) < 0 || write(1, "\n", 1) < 0) {
  }
  _exit(128 + signal);
}

/* A case takes too long. Who catches SIGABRT, the fuzzer or fatal(), says which. */
static void hang(int signal) {
  (void)signal;
  abort();
}

typedef struct Text {
  char *data;
  size_t size, cap;
} Text;

static void put(Text *t, const char *format, ...) {
  char buffer[512];
  va_list args;
  size_t n;
  va_start(args, format);
  vsnprintf(buffer, sizeof buffer, format, args);
  va_end(args);
  n = strlen(buffer);
  if (t->size + n + 1 > t->cap) {
    t->cap = 2 * (t->size + n + 1);
    t->data = realloc(t->data, t->cap);
    if (t->data == NULL) die("no memory", NULL);
  }
  memcpy(t->data + t->size, buffer, n + 1);
  t->size += n;
}

static void clear(Text *t) {
  free(t->data);
  memset(t, 0, sizeof *t);
}

typedef struct File {
  u8 *data;
  size_t size;
} File;

static char db_path[500], page_path[500];

static File load(const char *path) {
  File f = {NULL, 0};
  FILE *in = fopen(path, "rb");
  long n;
  if (in == NULL) die("cannot read", path);
  fseek(in, 0, SEEK_END);
  n = ftell(in);
  rewind(in);
  f.size = (size_t)n;
  f.data = malloc(f.size + 1);
  if (f.data == NULL || fread(f.data, 1, f.size, in) != f.size) die("cannot read", path);
  fclose(in);
  return f;
}

static void store(const char *path, const u8 *data, size_t size) {
  FILE *out = fopen(path, "wb");
  if (out == NULL || fwrite(data, 1, size, out) != size || fclose(out)) die("cannot write", path);
}

/* --- a VFS whose files are not mapped: the default one under another name --- */

#define KNOWN_VFS 0x51756972 /* wal_shim/store.c */

typedef struct Methods {
  sqlite3_io_methods copy;
  const sqlite3_io_methods *real;
} Methods;

static sqlite3_vfs *real_vfs, read_vfs;
static Methods methods[8];

static int read_control(sqlite3_file *file, int op, void *arg) {
  const Methods *m = (const Methods *)file->pMethods;
  if (op == KNOWN_VFS) {
    *(int *)arg = 1;
    return SQLITE_OK;
  }
  return m->real->xFileControl(file, op, arg);
}

static int read_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags) {
  int rc = real_vfs->xOpen(vfs, name, file, flags, out_flags); /* which finds its methods by vfs->pAppData */
  Methods *m = methods;
  if (rc || file->pMethods == NULL) return rc;
  while (m->real && m->real != file->pMethods) m++;
  m->real = file->pMethods;
  m->copy = *m->real;
  m->copy.xFileControl = read_control;
  file->pMethods = &m->copy;
  return SQLITE_OK;
}

static void make_vfs(void) {
  real_vfs = sqlite3_vfs_find(NULL);
  read_vfs = *real_vfs;
  read_vfs.pNext = NULL;
  read_vfs.zName = "by_xread";
  read_vfs.xOpen = read_open;
  if (sqlite3_vfs_register(&read_vfs, 0)) die("VFS", "cannot be registered");
}

/* --- statements --- */

/* Run SQL; rows go into `out` (may be NULL), columns separated by '|'. */
static int run(sqlite3 *db, const char *sql, Text *out) {
  int rc = SQLITE_OK;
  while (rc == SQLITE_OK && *sql) {
    sqlite3_stmt *stmt = NULL;
    const char *rest = NULL;
    rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &rest);
    if (rc || stmt == NULL) break;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
      for (int i = 0; out && i < sqlite3_column_count(stmt); i++) {
        const char *text = (const char *)sqlite3_column_text(stmt, i);
        put(out, "%s%s", i ? "|" : "", text ? text : "NULL");
      }
      if (out) put(out, "\n");
    }
    rc = sqlite3_finalize(stmt);
    sql = rest;
  }
  if (rc == SQLITE_OK) return rc;
  rc = sqlite3_extended_errcode(db);
  return rc ? rc : SQLITE_ERROR;
}

static void must(sqlite3 *db, const char *sql) {
  if (run(db, sql, NULL)) die(sql, sqlite3_errmsg(db));
}

static sqlite3 *open_db(const char *vfs, int with_quire) {
  sqlite3 *db = NULL;
  if (sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs)) die("open", sqlite3_errmsg(db));
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
  if (with_quire && sqlite3_quire_init(db, NULL, NULL)) die("no quire", sqlite3_errmsg(db));
  must(db, "PRAGMA synchronous = OFF");
  return db;
}

/* --- bases --- */

typedef struct Moment {
  File db, pages;
  char *before[MAX_QUERIES + 1], *after[MAX_QUERIES + 1]; /* answers; the last is the content */
} Moment;

typedef struct Base {
  const char *name;
  const char *const *steps; /* SQL; after each a moment is kept. NULL ends */
  const char *const *queries;
  const char *writes, *content;
  PfKind extra; /* the kind of page it is there for; PF_HEAD: all */
  Moment moment[MAX_MOMENTS];
  u32 moments;
  PageFile walk; /* of the last moment, over `work` */
  u8 *work;
  i64 root, crc, pages;
} Base;

/* A vector of 6 numbers of a seed, by arithmetic that every machine does alike. */
#define V6(s)                                                                                                          \
  "printf('[%d,%d,%d,%d,%d,%d]'," s "*37%101-50," s "*53%103-51," s "*71%107-53," s "*89%109-54," s "*97%113-56,1+" s  \
  "%7)"
#define SERIES(from, to) "WITH RECURSIVE s(i) AS (SELECT " #from " UNION ALL SELECT i+1 FROM s WHERE i<" #to ") "
#define INSERT_T(from, to)                                                                                             \
  SERIES(from, to)                                                                                                     \
  "INSERT INTO t(rowid,e,f,g,c,b,kind,note) SELECT i," V6("i") "," V6("(i+1)") "," V6("(i+2)") ",vec_int8(" V6(        \
      "(i+3)") "),vec_bit(vec_quantize_binary(" V8("i") ")),i%3,'n'||i FROM s;"
#define V8(s)                                                                                                          \
  "printf('[%d,%d,%d,%d,%d,%d,%d,%d]'," s "%2," s "/2%2-0.5," s "/4%2-0.5," s "/8%2-0.5," s "%3-1," s "%5-2," s        \
  "%7-3," s "%11-5)"
#define INSERT_U(from, to)                                                                                             \
  SERIES(from, to) "INSERT INTO u(rowid,e,h) SELECT i,vec_int8(" V6("i") "),vec_hash_text('word '||i,64) FROM s;"
#define VS(s) "printf('{%d:%d,%d:2.5,%d:-1.25,%d:1}/1000',1+" s "%3,1+" s "%4,4+" s "%5,20+" s "%17,100+" s "%101)"
#define INSERT_V(from, to)                                                                                             \
  SERIES(from, to) "INSERT INTO v(rowid,e,d,kind) SELECT i," VS("i") "," VS("(i+5)") ",i%3 FROM s;"
/* Of a map: a text, an integer, a blob of another length each. */
#define INSERT_M(from, to) SERIES(from, to) "INSERT INTO m(key,a,b,c) SELECT i,'text '||i,i*i,zeroblob(i%90) FROM s;"
#define FOLD "INSERT INTO quire(quire) VALUES('fold');"

static const char *const small_steps[] = {
    "CREATE VIRTUAL TABLE t USING quire(e float[6] indexed by hnsw(m=4, ef_search=500, quantizer=int4), f float16[6] "
    "distance_metric=cosine indexed by hnsw(m=4, ef_search=500, quantizer=bit), g bfloat16[6] "
    "distance_metric=dot indexed by ivf(from_rows=1, nprobe=65535, oversample=100, quantizer=bit), c int8[6] "
    "distance_metric=l1, b "
    "bit[8], kind integer partition key, +note text, "
    "fold_rows=100000);"
    "CREATE VIRTUAL TABLE u USING quire(e int8[6], h float[64] distance_metric=cosine indexed by ivf(from_rows=1, "
    "nprobe=65534, oversample=100), fold_rows=20);"
    "CREATE VIRTUAL TABLE v USING quire(e sparse[1000], d sparse[1000] distance_metric=dot, kind integer, "
    "fold_rows=100000);CREATE VIRTUAL TABLE m USING quire_map(key INTEGER PRIMARY "
    "KEY,a,b,c,fold_rows=100000);" INSERT_T(1000, 1159) INSERT_U(1, 70) INSERT_V(1, 150) INSERT_M(1, 140) FOLD,
    INSERT_T(1, 70) "DELETE FROM u WHERE rowid%9=1;DELETE FROM m WHERE key%8=3;" INSERT_V(200, 220) INSERT_M(300, 310)
        FOLD,
    INSERT_T(500, 530) "DELETE FROM t WHERE rowid BETWEEN 1100 AND 1140;UPDATE u SET e=vec_int8(" V6(
        "(rowid+5)") ") WHERE rowid%7=0;" FOLD,
    "UPDATE t SET f=" V6("(rowid+9)") " WHERE rowid%10=3;UPDATE t SET e=NULL WHERE rowid%50=7;" FOLD,
    INSERT_T(900, 905) "DELETE FROM v WHERE rowid%10=4;" INSERT_V(300, 303)
        FOLD INSERT_V(400, 402) "DELETE FROM t WHERE rowid BETWEEN 20 AND 25;UPDATE t SET e=" V6(
            "(rowid+4)") " WHERE rowid%40=1;" INSERT_T(2000, 2010) INSERT_U(200, 204),
    NULL};
static const char *const small_queries[] = {
    "SELECT rowid,note,printf('%!.9g',distance) FROM t WHERE e MATCH '[3,-20,11,7,-30,2]' ORDER BY distance LIMIT 12",
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE e MATCH '[0,0,0,0,0,0]' AND k=1000 ORDER BY distance,rowid",
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE f MATCH '[3,-20,11,7,-30,2]' AND k=9 AND kind=1",
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE g MATCH '[1,2,3,4,5,6]' AND k=8",
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE c MATCH vec_int8('[3,-20,11,7,-30,2]') AND k=8",
    "SELECT rowid,distance FROM t WHERE b MATCH vec_bit(x'a5') AND k=500 ORDER BY distance,rowid",
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE e MATCH '[3,-20,11,7,-30,2]' AND rowid "
    "IN(5,22,41,510,902,1001,1101,1150,2003,7777) ORDER BY distance",
    "SELECT rowid,printf('%!.9g',distance) FROM u WHERE e MATCH vec_int8('[3,-20,11,7,-30,2]') AND k=90 ORDER BY "
    "distance,rowid",
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE f MATCH '[3,-20,11,7,-30,2]' AND distance<0.4 ORDER BY "
    "distance",
    "SELECT rowid,printf('%!.9g',distance) FROM u WHERE h MATCH vec_hash_text('word 17',64) AND k=10",
    "SELECT rowid,printf('%!.9g',distance) FROM v WHERE e MATCH '{1:1,4:2,30:-1}/1000' ORDER BY distance LIMIT 12",
    "SELECT rowid,printf('%!.9g',distance) FROM v WHERE d MATCH '{2:1,7:2,31:-1}/1000' AND kind=1 AND k=20",
    "SELECT rowid,printf('%!.9g',distance) FROM v WHERE d MATCH '{3:1}/1000' ORDER BY distance,rowid",
    "SELECT key,a,b,hex(c) FROM m WHERE key IN(4,5,17,300,301,999)", "SELECT a,b,length(c) FROM m WHERE key=77",
    "SELECT key,b FROM m WHERE key>100 ORDER BY key DESC LIMIT 40",
    /* by the graph: the table's ef_search is as good as all rows */
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE e MATCH '[3,-20,11,7,-30,2]' AND k=5 AND ef_search=50", NULL};
static const char small_writes[] =
    "BEGIN;" INSERT_T(3000, 3010) "DELETE FROM t WHERE rowid IN(2,3,501,1002,1003,2001);UPDATE t SET e=" V6(
        "(rowid+8)") ",c=vec_int8(" V6("(rowid+6)") ") WHERE rowid IN(4,502,1004,1159,2002);INSERT OR REPLACE INTO "
                                                    "t(rowid,e) "
                                                    "VALUES(1102,'[1,2,3,4,5,6]');COMMIT;" INSERT_U(
                                                        300, 330) "DELETE FROM u WHERE rowid<5;UPDATE v SET e=d WHERE "
                                                                  "rowid%20=3;DELETE FROM v WHERE rowid "
                                                                  "IN(7,300,401);" INSERT_V(500, 502) INSERT_M(
                                                                      400,
                                                                      405) "UPDATE m SET b=b+1 WHERE key%30=2;DELETE "
                                                                           "FROM m WHERE key IN(9,301,402)";
static const char small_content[] =
    "SELECT rowid,hex(e),hex(f),hex(g),hex(c),hex(b),kind,note FROM t ORDER BY rowid;"
    "SELECT rowid,hex(e),hex(h) FROM u ORDER BY rowid;SELECT rowid,hex(e),hex(d),kind "
    "FROM v ORDER BY rowid;SELECT key,a,b,hex(c) FROM m ORDER BY key;SELECT count(*) FROM t;SELECT note FROM t "
    "WHERE rowid=510;SELECT count(*) FROM t WHERE kind=2";

/* 8192 dimensions: so many extents that their directory has two levels. */
#define WIDE(seed) "vec_hash_text('word '||" seed ", 8192)"
static const char *const wide_steps[] = {
    "CREATE VIRTUAL TABLE t USING quire(e float[8192], fold_rows=100000);" SERIES(
        1, 130) "INSERT INTO t(rowid,e) SELECT i," WIDE("i") " FROM s;" FOLD,
    "DELETE FROM t WHERE rowid=77;INSERT INTO t(rowid,e) VALUES(500," WIDE("'x'") ");", NULL};
static const char *const wide_queries[] = {
    "SELECT rowid,printf('%!.9g',distance) FROM t WHERE e MATCH " WIDE("'17'") " AND k=20 ORDER BY distance,rowid",
    NULL};
static const char wide_writes[] =
    "DELETE FROM t WHERE rowid IN(5,128);INSERT INTO t(rowid,e) VALUES(501," WIDE("'y'") ");";
static const char wide_content[] = "SELECT rowid,substr(hex(e),1,40),length(e) FROM t ORDER BY rowid";

/* So many tables that the root page does not hold the catalog. Made by make_many(). */
#define MANY 255
static const char *const many_queries[] = {"SELECT rowid,distance FROM t1 WHERE e MATCH vec_bit(x'0f') AND k=5",
                                           "SELECT rowid,distance FROM t254 WHERE e MATCH vec_bit(x'0f') AND k=5",
                                           "SELECT rowid,distance FROM t255 WHERE e MATCH vec_bit(x'0f') AND k=5",
                                           NULL};
static const char many_writes[] = "INSERT INTO t254(rowid,e) VALUES(9,vec_bit(x'07'));DELETE FROM t255;";
static const char many_content[] =
    "SELECT rowid,hex(e) FROM t1;SELECT rowid,hex(e) FROM t254;SELECT rowid,hex(e) FROM t255";

static Base bases[] = {
    {.name = "small", .steps = small_steps, .queries = small_queries, .writes = small_writes, .content = small_content},
    {.name = "wide",
     .steps = wide_steps,
     .queries = wide_queries,
     .writes = wide_writes,
     .content = wide_content,
     .extra = PF_NODE},
    {.name = "many", .queries = many_queries, .writes = many_writes, .content = many_content, .extra = PF_CATALOG},
};

static void remove_files(void) {
  static const char *const suffix[] = {"", "-quire", "-journal", "-wal", "-shm"};
  char path[600];
  for (u32 i = 0; i < sizeof suffix / sizeof *suffix; i++) {
    snprintf(path, sizeof path, "%s%s", db_path, suffix[i]);
    unlink(path);
  }
}

/* The answers to all queries, the content last. Errors become their code. */
static void ask(sqlite3 *db, const Base *b, char **out) {
  u32 i;
  for (i = 0; b->queries[i]; i++) {
    Text t = {NULL, 0, 0};
    int rc = run(db, b->queries[i], &t);
    if (rc) {
      t.size = 0;
      put(&t, "error %d: %s", rc, sqlite3_errmsg(db));
    }
    out[i] = t.data ? t.data : strdup("");
  }
  {
    Text t = {NULL, 0, 0};
    int rc = run(db, b->content, &t);
    if (rc) {
      t.size = 0;
      put(&t, "error %d: %s", rc, sqlite3_errmsg(db));
    }
    out[i++] = t.data ? t.data : strdup("");
  }
  while (i <= MAX_QUERIES) out[i++] = NULL;
}

static void free_answers(char **a) {
  for (u32 i = 0; i <= MAX_QUERIES; i++) {
    free(a[i]);
    a[i] = NULL;
  }
}

/* Files as they are now; the answers, and those after the writes, from a copy without pages: by brute force. */
static void keep_moment(Base *b, sqlite3 **db) {
  Moment *m = &b->moment[b->moments++];
  u32 i;
  char *sound[MAX_QUERIES + 1];
  ask(*db, b, sound);
  must(*db, "INSERT INTO quire(quire) VALUES('integrity-check')");
  sqlite3_close(*db);
  m->db = load(db_path);
  m->pages = load(page_path);
  unlink(page_path);
  *db = open_db(NULL, 1);
  ask(*db, b, m->before);
  for (i = 0; m->before[i]; i++) {
    if (strcmp(m->before[i], sound[i])) die("pages and content give different answers", b->queries[i]);
    if (strncmp(m->before[i], "error", 5) == 0) die(b->queries[i] ? b->queries[i] : b->content, m->before[i]);
  }
  must(*db, b->writes);
  ask(*db, b, m->after);
  free_answers(sound);
  sqlite3_close(*db);
  store(db_path, m->db.data, m->db.size);
  store(page_path, m->pages.data, m->pages.size);
  *db = open_db(NULL, 1);
}

static void make_many(sqlite3 *db) {
  char sql[300];
  must(db, "BEGIN");
  for (int i = 1; i <= MANY; i++) {
    snprintf(sql, sizeof sql,
             "CREATE VIRTUAL TABLE t%d USING quire(e bit[8]);INSERT INTO t%d(rowid,e) VALUES(1,vec_bit(x'%02x'))", i, i,
             i & 255);
    must(db, sql);
  }
  must(db, "COMMIT;" FOLD);
}

static i64 number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt = NULL;
  i64 n = 0;
  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) || sqlite3_step(stmt) != SQLITE_ROW) die(sql, sqlite3_errmsg(db));
  n = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  return n;
}

/* Free pages join the walk, so that the matrix damages them too; then no page may be unknown. */
static void walk_base(Base *b) {
  Moment *last = &b->moment[b->moments - 1];
  sqlite3 *db = open_db(NULL, 0);
  sqlite3_stmt *stmt = NULL;
  const char *wrong;
  char text[100];
  u32 unknown;
  b->root = number(db, "SELECT root FROM quire_state");
  b->crc = number(db, "SELECT crc FROM quire_state");
  b->pages = number(db, "SELECT pages FROM quire_state");
  b->work = malloc(last->pages.size);
  if (b->work == NULL) die("no memory", NULL);
  memcpy(b->work, last->pages.data, last->pages.size);
  wrong = pf_walk(&b->walk, b->work, last->pages.size, (u32)b->root);
  if (wrong) die(b->name, wrong);
  if (sqlite3_prepare_v2(db, "SELECT first, count FROM quire_free WHERE first > 0", -1, &stmt, NULL))
    die("free list", sqlite3_errmsg(db));
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    for (i64 i = 0; i < sqlite3_column_int64(stmt, 1); i++) {
      PfPage p = {.kind = PF_FREE, .pgno = (u32)(sqlite3_column_int64(stmt, 0) + i), .parent = PF_NONE};
      pf_add(&b->walk, p);
    }
  }
  sqlite3_finalize(stmt);
  unknown = pf_unknown(&b->walk, (u32)b->pages);
  snprintf(text, sizeof text, "page %u is neither free nor of a kind that pagefile.c knows", unknown);
  if (unknown) die(b->name, text);
  sqlite3_close(db);
}

static void make_base(Base *b) {
  sqlite3 *db;
  remove_files();
  db = open_db(NULL, 1);
  if (b->steps == NULL) {
    make_many(db);
    keep_moment(b, &db);
  }
  for (u32 i = 0; b->steps && b->steps[i]; i++) {
    must(db, b->steps[i]);
    keep_moment(b, &db);
  }
  sqlite3_close(db);
  walk_base(b);
}

/* --- one case --- */

typedef enum { RAW, OWN, FORGED, MODES } Mode;
static const char *const mode_names[MODES] = {"raw", "own", "forged"};

/* What is demanded: C3, C4, C5. ROWS: C4 for shadow rows, where writes may fail cleanly. */
typedef enum { MUST_TELL, MAY_TELL, MUST_NOT_TELL, ROWS } Demand;

typedef struct Outcome {
  u64 exact, refused, told,
      silent; /* searches exact; failed; wrong but integrity-check told; damage without consequence */
} Outcome;
static Outcome total;

static void fail(const char *format, ...) {
  va_list args;
  failures++;
  printf("FAILED %s: ", case_name);
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  printf("\n  repeat: corrupt -d %s -s %llu -c '%s'\n", opt.directory, (unsigned long long)opt.seed, case_name);
  fflush(stdout);
}

/* Whether an error is one of those by which damage may be told. */
static int clean_error(const char *answer, Demand demand) {
  int rc = atoi(answer + 6);
  if (strncmp(answer, "error ", 6)) return 0;
  return (rc & 0xff) == SQLITE_CORRUPT ||
         (demand == ROWS && ((rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_CONSTRAINT));
}

/* Compare answers: the number of wrong ones. *rows_wrong: the rows are not what they should be, which only forgery may do (C2). */
static u32 judge(const Base *b, char **got, char **want, Demand demand, int content_damaged, const char *when,
                 Outcome *o, int *rows_wrong) {
  u32 wrong = 0, i;
  *rows_wrong = 0;
  if (content_damaged) return 0; /* then other answers are right ones */
  for (i = 0; b->queries[i]; i++) {
    if (strcmp(got[i], want[i]) == 0) {
      o->exact++;
    } else if (clean_error(got[i], demand)) {
      o->refused++;
      if (demand == MUST_NOT_TELL) fail("%s: refused: %s", when, got[i]);
    } else {
      wrong++;
      if (demand == MUST_TELL || demand == MUST_NOT_TELL || strncmp(got[i], "error", 5) == 0) {
        fail("%s: %s gives\n%.600sinstead of\n%.600s", when, b->queries[i], got[i], want[i]);
      }
    }
  }
  if (strcmp(got[i], want[i]) && demand == ROWS && clean_error(got[i], demand)) {
    o->refused++;
  } else if (strcmp(got[i], want[i]) && (demand == MAY_TELL || demand == ROWS)) { /* C4 */
    wrong++;
    *rows_wrong = 1;
  } else if (strcmp(got[i], want[i])) {
    fail("%s: the rows are\n%.600sinstead of\n%.600s", when, got[i], want[i]);
  }
  return wrong;
}

static int integrity(const char *vfs, char *message, size_t size) {
  sqlite3 *db = open_db(vfs, 1);
  int rc = run(db, "INSERT INTO quire(quire) VALUES('integrity-check')", NULL);
  snprintf(message, size, "%d %s", rc, rc ? sqlite3_errmsg(db) : "");
  sqlite3_close(db);
  return rc;
}

static int is_corrupt(int rc) { return (rc & 0xff) == SQLITE_CORRUPT; }

/* The damaged row is one of quire_tables, or a shadow table is gone: which tables there are is then not known, and 'rebuild' may say so. */
static int registry_damaged;

/* How the next stories are told: through which VFS, -1: by turns; whether what is written comes before the first search, which may find the damage. */
static int by_xread = -1, writes_first;

/*
 * The end of a story: 'rebuild' mends everything. `now`: what is to be answered then, NULL if that is not known. The connection, or another in its
 * place.
 */
static sqlite3 *rebuild_and_ask(sqlite3 *db, const char *vfs, const Base *b, char *const *now, Demand demand,
                                int content_damaged) {
  char *got[MAX_QUERIES + 1] = {NULL}, message[300];
  Text status = {NULL, 0, 0};
  int rc, rows_wrong;
  rc = run(db, "INSERT INTO quire(quire) VALUES('rebuild')", NULL);
  if (rc == SQLITE_NOTADB && strstr(sqlite3_errmsg(db), "move it away")) { /* its head says that it is not ours */
    unlink(page_path);
    rc = run(db, "INSERT INTO quire(quire) VALUES('rebuild')", NULL);
  }
  if (rc && !(registry_damaged && demand == ROWS)) fail("rebuild: %d %s", rc, sqlite3_errmsg(db));
  if (rc) return db;
  run(db, "SELECT value FROM quire WHERE name='status'", &status);
  if (status.data == NULL || strcmp(status.data, "ok\n")) fail("status after rebuild: %s", status.data);
  clear(&status);
  sqlite3_close(db);
  rc = integrity(vfs, message, sizeof message);
  if (rc) fail("integrity-check after rebuild: %s", message);
  db = open_db(vfs, 1);
  if (now && !content_damaged) {
    Outcome rebuilt = {0, 0, 0, 0};
    ask(db, b, got);
    judge(b, got, (char **)now, MUST_NOT_TELL, 0, "after rebuild", &rebuilt, &rows_wrong);
    free_answers(got);
  }
  return db;
}

/* The story of one damaged copy of moment m, whose files are in place. */
static void run_case(const Base *b, const Moment *m, Demand demand, int content_damaged) {
  const char *vfs = (by_xread < 0 ? (int)(hash_text(0, case_name) % 2) : by_xread) ? read_vfs.zName : NULL;
  char *got[MAX_QUERIES + 1] = {NULL}, message[300];
  char *const *now = m->after;
  struct itimerval limit = {{0, 0}, {CASE_SECONDS, 0}}, none = {{0, 0}, {0, 0}};
  Outcome o = {0, 0, 0, 0};
  int told, rc, high = 0, current = 0, rows_wrong;
  u32 wrong = 0;
  sqlite3 *db;

  cases++;
  signal(SIGPROF, hang);
  setitimer(ITIMER_PROF, &limit, NULL);
  sqlite3_status(SQLITE_STATUS_MEMORY_USED, &current, &high, 1);
  told = integrity(vfs, message, sizeof message);
  if (told && !is_corrupt(told) && demand != ROWS) fail("integrity-check: %s", message);
  if (told && demand == MUST_NOT_TELL) fail("integrity-check: %s", message);
  if (!told && demand == MUST_TELL) fail("integrity-check found nothing");

  db = open_db(vfs, 1);
  if (!writes_first) {
    ask(db, b, got);
    wrong = judge(b, got, (char **)m->before, demand, content_damaged, "at first", &o, &rows_wrong);
    if (wrong && !told) fail("wrong answers, and integrity-check found nothing: %s", b->queries[0]);
    free_answers(got);
  }

  rc = run(db, b->writes, NULL);
  if (rc) {
    if ((demand != MAY_TELL || !is_corrupt(rc)) && demand != ROWS) fail("writes: %d %s", rc, sqlite3_errmsg(db));
    run(db, "ROLLBACK", NULL);
    /* which of the statements after COMMIT were done is not known here: put the rows back as the copy without pages has them */
    now = NULL;
  }
  rc = run(db, "INSERT INTO quire(quire) VALUES('fold')", NULL);
  if (rc && !is_corrupt(rc) && demand != ROWS) fail("fold: %d %s", rc, sqlite3_errmsg(db));
  if (now) {
    ask(db, b, got);
    wrong = judge(b, got, (char **)now, demand, content_damaged, "after writes", &o, &rows_wrong);
    if (wrong && !told) {
      rc = integrity(vfs, message, sizeof message);
      if (rc == SQLITE_OK) fail("wrong answers after writes, and integrity-check found nothing");
    }
    free_answers(got);
    if (rows_wrong) now = NULL; /* DELETE may have missed some */
  }
  o.told += wrong;
  if (!told) o.silent++;

  db = rebuild_and_ask(db, vfs, b, now, demand, content_damaged);
  if (sqlite3_close(db)) fail("a statement was left open");
  sqlite3_status(SQLITE_STATUS_MEMORY_USED, &current, &high, 0);
  if (high > MEMORY_LIMIT + 4 * (int)m->pages.size) fail("%d bytes of memory", high);
  setitimer(ITIMER_PROF, &none, NULL);
  total.exact += o.exact;
  total.refused += o.refused;
  total.told += o.told;
  total.silent += o.silent;
}

/* Whether there is anything to do with this base. */
static int base_chosen(const Base *b) {
  size_t length = strlen(b->name);
  if (opt.base && strcmp(opt.base, b->name)) return 0;
  if (opt.only_count == 0) return 1;
  for (u32 i = 0; i < opt.only_count; i++)
    if (strncmp(opt.only[i], b->name, length) == 0 && opt.only[i][length] == '/') return 1;
  return 0;
}

/* Whether the case of this name is of the share. */
static int chosen(const char *name, int always) {
  snprintf(case_name, sizeof case_name, "%s", name);
  if (opt.only_count) {
    for (u32 i = 0; i < opt.only_count; i++)
      if (strcmp(opt.only[i], name) == 0) return 1;
    return 0;
  }
  return always || hash_text(opt.seed, name) % 1000 < opt.permille;
}

/* Whether the i-th of fields, graphs, lists or mixed files is to be met (-f). */
static int met(u32 i) { return opt.only_count || (i + opt.seed) % opt.one_in == 0; }

/* Put files in place; the state row gets the checksum `crc` unless it is negative. */
static void place(const Moment *m, const u8 *pages, size_t size, i64 crc) {
  remove_files();
  store(db_path, m->db.data, m->db.size);
  store(page_path, pages, size);
  if (crc >= 0) {
    char sql[100];
    sqlite3 *db = open_db(NULL, 0);
    snprintf(sql, sizeof sql, "UPDATE quire_state SET crc=%lld", (long long)crc);
    must(db, sql);
    sqlite3_close(db);
  }
}

/* --- fields --- */

#define VALUES 13
#define MAX_FIELDS 400
static u64 field_hits[MAX_FIELDS][MODES], value_hits[MAX_FIELDS][VALUES];
static u64 kind_bytes[PF_KINDS];

/* The i-th value tried in a field of `size` bytes that holds `old`; `other`: what the same field has elsewhere. */
static u64 value_of(u32 i, u64 old, u32 size, u64 other, u64 random) {
  u64 all = size == 8 ? ~(u64)0 : ((u64)1 << 8 * size) - 1;
  switch (i) {
    case 0: return 0;
    case 1: return 1;
    case 2: return all;
    case 3: return all - 1;
    case 4: return all >> 1;
    case 5: return (all >> 1) + 1;
    case 6: return (old + 1) & all;
    case 7: return (old - 1) & all;
    case 8: return other;
    case 9: return old ^ (u64)1 << random % (8 * size);
    case 10: return size == 4 ? 0x7fc00000u : size == 2 ? 0x7e00u : old * 2 & all; /* NaN */
    case 11: return size == 4 ? 0x7f800000u : size == 2 ? 0x7f80u : old / 2;       /* infinity */
    default: return random & all;
  }
}

static Demand demand_of(const PfPage *p, Mode mode, u32 at) {
  if (p->kind == PF_FREE) return MUST_NOT_TELL;
  if (p->kind == PF_HEAD) return at < 28 ? MUST_TELL : MUST_NOT_TELL;
  return mode == FORGED ? MAY_TELL : MUST_TELL;
}

/* Whether the damage was done: the bytes differ. The caller restores b->work. */
static void damage(Base *b, u32 page, u32 at, u32 size, u64 value, Mode mode, const char *name, u64 *hits) {
  const Moment *m = &b->moment[b->moments - 1];
  const PfPage *p = &b->walk.page[page];
  u8 *bytes = b->work + (size_t)p->pgno * PF_PAGE;
  i64 crc = -1;
  if (!chosen(name, *hits == 0)) return;
  pf_store(bytes + at, size, value);
  if (mode == OWN) pf_fix_own(&b->walk, page);
  if (mode == FORGED) crc = pf_forge(&b->walk, page);
  if (memcmp(b->work, m->pages.data, m->pages.size)) {
    ++*hits;
    place(m, b->work, m->pages.size, crc);
    run_case(b, m, demand_of(p, mode, at), 0);
  }
  memcpy(b->work, m->pages.data, m->pages.size);
}

static int mode_fits(const PfPage *p, Mode mode) {
  if (mode == RAW) return 1;
  if (mode == OWN) return p->kind == PF_HEAD || pf_is_structure(p->kind);
  return p->kind != PF_HEAD && p->kind != PF_FREE;
}

/* Of `repeats` places at most four: the first two, one amid, the last. */
static int place_counts(u32 i, u32 repeats) { return i < 2 || i == repeats / 2 || i == repeats - 1; }

static void damage_fields(Base *b, u32 page) {
  const PfPage *p = &b->walk.page[page];
  char name[160];
  for (u32 f = 0; f < pf_field_count; f++) {
    const PfField *field = &pf_fields[f];
    u32 repeats = met(f) ? pf_field_repeats(p, field) : 0;
    for (u32 i = 0; i < repeats; i++) {
      u32 at = pf_field_at(p, field, i), other_at = pf_field_at(p, field, i ? i - 1 : repeats - 1);
      u64 old = pf_load(b->work + (size_t)p->pgno * PF_PAGE + at, field->size);
      u64 other = pf_load(b->work + (size_t)p->pgno * PF_PAGE + other_at, field->size);
      /* all references of a table page: each is of another array */
      if (!place_counts(i, repeats) && !(p->kind == PF_TABLE && field->repeat == PF_ITEM)) continue;
      for (u32 v = 0; v < VALUES; v++) {
        for (Mode mode = RAW; mode < MODES; mode++) {
          if (!mode_fits(p, mode)) continue;
          snprintf(name, sizeof name, "%s/%u/%s.%s/%u/%u/%s", b->name, page, pf_kind_name(p->kind), field->name, i, v,
                   mode_names[mode]);
          u64 *hits = &field_hits[f][mode],
              value = value_of(v, old, field->size, other, pf_mix(opt.seed ^ (v * 99 + at)));
          if (opt.every_value && mode == FORGED && *hits) hits = &value_hits[f][v];
          damage(b, page, at, field->size, value, mode, name, hits);
        }
      }
    }
  }
}

/* Each byte of the page; the share is thinner, since there are so many. */
static void damage_bytes(Base *b, u32 page) {
  const PfPage *p = &b->walk.page[page];
  char name[160];
  u64 one = 1;
  u32 step = opt.only_count ? 1 : strcmp(b->name, "small") ? 509 : opt.permille < 1000 ? 31 : 1;
  for (u32 at = (u32)(pf_mix(opt.seed + page) % step); at < PF_PAGE; at += step) {
    for (Mode mode = RAW; mode < MODES; mode += FORGED) {
      u8 old = b->work[(size_t)p->pgno * PF_PAGE + at];
      if (!mode_fits(p, mode)) continue;
      snprintf(name, sizeof name, "%s/%u/%s.byte/%u/%s", b->name, page, pf_kind_name(p->kind), at, mode_names[mode]);
      damage(b, page, at, 1, old ^ (1u << pf_mix(opt.seed + at) % 8), mode, name,
             kind_bytes[p->kind] ? &one : &kind_bytes[p->kind]);
    }
  }
}

/* --- graphs that are wrong as a whole: what single fields do not show --- */

/* The first page of a kind in the walk. */
static u32 page_of(const Base *b, PfKind kind) {
  u32 i = 0;
  while (i < b->walk.count && b->walk.page[i].kind != kind) i++;
  if (i == b->walk.count) die("no page of kind", pf_kind_name(kind));
  return i;
}

/* The i-th occurrence of a field. */
static u64 get_field(const Base *b, u32 page, const char *name, u32 i) {
  const PfPage *p = &b->walk.page[page];
  for (u32 f = 0; f < pf_field_count; f++) {
    if (pf_fields[f].kind == p->kind && strcmp(pf_fields[f].name, name) == 0)
      return pf_load(b->work + (size_t)p->pgno * PF_PAGE + pf_field_at(p, &pf_fields[f], i), pf_fields[f].size);
  }
  die("no field", name);
  return 0;
}

static void set_field(Base *b, u32 page, const char *name, u32 i, u64 value) {
  const PfPage *p = &b->walk.page[page];
  for (u32 f = 0; f < pf_field_count; f++) {
    if (pf_fields[f].kind != p->kind || strcmp(pf_fields[f].name, name)) continue;
    pf_store(b->work + (size_t)p->pgno * PF_PAGE + pf_field_at(p, &pf_fields[f], i), pf_fields[f].size, value);
    return;
  }
  die("no field", name);
}

/* Make all checksums right. */
static i64 forge_all(Base *b) {
  i64 crc = -1;
  for (u32 i = b->walk.count; i-- > 1;) {
    if (b->walk.page[i].kind != PF_FREE) crc = pf_forge(&b->walk, i);
  }
  return crc;
}

#define TREE 0x80000000u
#define LINK_PATTERNS 8
#define RECORD_PATTERNS 6

/* Link k of a node (or record) of `count`. */
static u32 link_of(u32 pattern, u32 self, u32 k, u32 width, u32 count, u32 old) {
  u32 random = (u32)pf_mix(opt.seed ^ (u64)self << 20 ^ (u64)k << 4 ^ pattern);
  switch (pattern) {
    case 0: return (self + 1 + k) % count | TREE; /* full of branches, in circles */
    case 1: return self | TREE;
    case 2:
      return k % 2 ? PF_PAGE * 8 + random % 128 : old; /* no node, and its bit would lie just beyond a page of bits */
    case 3: return count + random % count;
    case 4: return random % count | (random & TREE);
    case 5: return random;
    case 6: return k + 1 < width ? (self ^ 1) % count : old;
    default: return 0;
  }
}

/* Write a pattern into all lists of level 0, or into all records above: 0, 1 slots, 2, 3 records below, 4 links, 5 the slots of links. */
static void write_pattern(Base *b, PfKind kind, u32 pattern, u32 count) {
  for (u32 i = 0, node = 0; i < b->walk.count; i++) {
    const PfPage *p = &b->walk.page[i];
    if (p->kind != kind) continue;
    for (u32 n = 0; n < p->items; n++, node++) {
      u8 *item = b->work + (size_t)p->pgno * PF_PAGE + n * p->stride;
      u32 random = (u32)pf_mix(opt.seed ^ node);
      if (kind == PF_LINKS) {
        for (u32 k = 0; k < p->stride / 4; k++)
          pf_store(item + 4 * k, 4, link_of(pattern, node, k, p->stride / 4, count, (u32)pf_load(item + 4 * k, 4)));
      } else if (pattern < 2) {
        pf_store(item, 4, pattern ? count - 1 - random % (count / 2) : count + random % 4096);
      } else if (pattern < 4) {
        pf_store(item + 4, 4, pattern == 2 ? random % count : count + random % 64);
      } else {
        u32 width = p->stride / 8 - 1;
        for (u32 k = 0; k < width && pattern == 4; k++)
          pf_store(item + 8 + 4 * k, 4, pf_mix(random + k) % (2 * p->items));
        for (u32 k = 0; k < width && pattern == 5; k++)
          pf_store(item + 8 + 4 * (width + k), 4, count - 1 - (random + k) % (count / 3));
      }
    }
  }
}

/* The graph says that it has but `nodes` nodes: its later ones, and what points to them, are beyond its end. */
static void shorten_graph(Base *b, u32 nodes) {
  u32 graph = page_of(b, PF_GRAPH), table = b->walk.page[graph].parent;
  set_field(b, table, "structure_slots", 0, nodes);
  set_field(b, graph, "nodes", 0, nodes);
  set_field(b, graph, "array_count", 0, nodes);
  set_field(b, graph, "array_count", 1, nodes);
}

static u64 hits_graphs;

static void graphs(Base *b) {
  const Moment *m = &b->moment[b->moments - 1];
  u32 nodes = (u32)get_field(b, page_of(b, PF_GRAPH), "nodes", 0);
  for (u32 n = 0; n < LINK_PATTERNS + RECORD_PATTERNS + 1; n++) {
    for (u32 how = 0; how < 8; how++) {
      char name[160];
      u32 less = how / 4;
      snprintf(name, sizeof name, "%s/graph/%u/%u", b->name, n, how);
      if (!met(n + how) || !chosen(name, 1)) continue;
      if (less) shorten_graph(b, nodes / 3);
      if (n < LINK_PATTERNS)
        write_pattern(b, PF_LINKS, n, nodes);
      else if (n < LINK_PATTERNS + RECORD_PATTERNS)
        write_pattern(b, PF_RECORDS, n - LINK_PATTERNS, nodes);
      hits_graphs++;
      place(m, b->work, m->pages.size, forge_all(b));
      by_xread = how & 1;
      writes_first = how >> 1 & 1;
      run_case(b, m, n == LINK_PATTERNS + RECORD_PATTERNS && !less ? MUST_NOT_TELL : MAY_TELL, 0);
      by_xread = -1;
      writes_first = 0;
      memcpy(b->work, m->pages.data, m->pages.size);
    }
  }
}

/* --- segments of inverted lists that are wrong in one word: what the first and last words of pages do not show --- */

/* A word of a segment, which begins at its leaf page's first extent. */
static u8 *segment_word(Base *b, u32 leaf, u64 word) {
  u32 i = leaf + 1 + (u32)(word * 4 / PF_PAGE);
  if (i >= b->walk.count || b->walk.page[i].parent != leaf) die("no such word", "segment_word");
  return b->work + (size_t)b->walk.page[i].pgno * PF_PAGE + word * 4 % PF_PAGE;
}

static u32 float_bits(float x) {
  u32 bits;
  memcpy(&bits, &x, 4);
  return bits;
}

#define LIST_DAMAGES 24
static u64 hits_lists;

/* Change one word; 0: the column has none of this kind. `norms`: how many come before the terms. */
static int damage_list(Base *b, u32 leaf, u32 norms, u32 terms, u32 n) {
  u64 first = norms,
      last = first + (terms - 1) * 3; /* entries of terms: term, where its blocks begin, how many they are */
  u64 head = pf_load(segment_word(b, leaf, first + 1), 4), blocks = pf_load(segment_word(b, leaf, first + 2), 4);
  u64 block = pf_load(segment_word(b, leaf, head), 4), data = head + 3 * blocks, count = (block & 0xffff) + 1;
  u64 slots = pf_load(segment_word(b, leaf, data), 4), weight = data + (count + 1) / 2;
  u64 was = pf_load(segment_word(b, leaf, weight), 4), at, value;
  switch (n) {
    case 0: at = first + 3, value = pf_load(segment_word(b, leaf, first), 4); break;
    case 1: at = first, value = 0xffffffffu; break;
    case 2: at = last, value = 0x7fffffffu; break;
    case 3: at = first + 1, value = 0xfffffff0u; break;
    case 4: at = first + 1, value = head + 1; break;
    case 5: at = last + 1, value = head; break;
    case 6: at = first + 2, value = blocks + 1; break;
    case 7: at = first + 2, value = 0; break;
    case 8: at = last + 2, value = 0xffffffffu; break;
    case 9: at = head, value = block + 0x10000; break;
    case 10: at = head, value = block | 0xffff; break;
    case 11: at = head, value = block + 1; break;
    case 12: at = head, value = block - 1; break;
    case 13: at = head + 1, value = float_bits(-1e30f); break;
    case 14: at = head + 2, value = float_bits(1e30f); break;
    case 15: at = head + 1, value = 0x7fc00000u; break;
    case 16: at = data, value = slots << 16 | slots >> 16; break;
    case 17: at = data, value = slots | 0xffff; break;
    case 18: at = weight, value = 0; break;
    case 19: at = weight, value = was ^ 1; break;
    case 20: at = weight, value = 0x7fc00000u; break;
    case 21: at = 0, value = float_bits(-1); break;
    case 22: at = 1, value = 0x7fc00000u; break;
    default: at = 2, value = 0x7f800000u;
  }
  if (n >= 21 && norms == 0) return 0;
  pf_store(segment_word(b, leaf, at), 4, value);
  return 1;
}

static void lists(Base *b) {
  const Moment *m = &b->moment[b->moments - 1];
  u32 column = 0;
  for (u32 i = 0; i < b->walk.count; i++) {
    u32 slots, terms;
    if (b->walk.page[i].kind != PF_INVERTED) continue;
    slots = column ? 0 : (u32)get_field(b, i, "slots", 0); /* the first has metric l2, the other dot */
    terms = (u32)get_field(b, i, "terms", 0);
    for (u32 n = 0; n < LIST_DAMAGES; n++) {
      char name[160];
      snprintf(name, sizeof name, "%s/lists/%u/%u", b->name, column, n);
      if (!met(n + column) || !chosen(name, 1) || !damage_list(b, i + 1, slots, terms, n)) continue;
      hits_lists++;
      place(m, b->work, m->pages.size, forge_all(b));
      run_case(b, m, MAY_TELL, 0);
      memcpy(b->work, m->pages.data, m->pages.size);
    }
    column++;
  }
  if (column != 2) die("not two sparse columns", b->name);
}

/* --- rows that are gone --- */

static u32 table_of(const Base *b, u32 page) {
  while (b->walk.page[page].kind != PF_TABLE) page = b->walk.page[page].parent;
  return page;
}

/* Whether no column has a vector in this slot. */
static int is_dead(const Base *b, u32 table, u32 slot) {
  for (u32 i = 0; i < b->walk.count; i++) {
    const PfPage *p = &b->walk.page[i];
    if (p->kind != PF_PRESENT || table_of(b, i) != table || slot / 64 >= p->items) continue;
    if (pf_load(b->work + (size_t)p->pgno * PF_PAGE + slot / 64 * 8, 8) >> slot % 64 & 1) return 0;
  }
  return 1;
}

/*
 * The row id of a dead slot, which only the rowid map still leads to, is another: what reuses the slot would take that row away from the map, and the one that is
 * gone would be there again.
 */
static void dead_rowids(Base *b) {
  const Moment *m = &b->moment[b->moments - 1];
  u32 page = page_of(b, PF_ROWIDS), table = table_of(b, page), done = 0;
  u32 slots = (u32)get_field(b, table, "slots", 0);
  if (slots > PF_PAGE / 8) die("more slots than a page has", "dead_rowids");
  for (u32 slot = 0; slot < slots && done < 2; slot++) {
    u64 rowid = get_field(b, page, "item", slot);
    u32 with_it = 0;
    char name[160], message[300];
    for (u32 i = 0; i < slots; i++) with_it += get_field(b, page, "item", i) == rowid;
    if (with_it > 1 || !is_dead(b, table, slot)) continue;
    snprintf(name, sizeof name, "%s/dead/%u", b->name, done++);
    if (!chosen(name, 1)) continue;
    set_field(b, page, "item", slot, rowid + 1000000);
    place(m, b->work, m->pages.size, pf_forge(&b->walk, page));
    if (integrity(NULL, message, sizeof message) == SQLITE_OK) fail("integrity-check found nothing");
    run_case(b, m, MAY_TELL, 0);
    memcpy(b->work, m->pages.data, m->pages.size);
  }
  if (done == 0) die("no dead slot", b->name);
}

/* --- truncation, swaps, other moments --- */

static u64 hits_truncated, hits_swapped, hits_moments, hits_mixed, hits_foreign, hits_rows;

static void truncations(Base *b) {
  const Moment *m = &b->moment[b->moments - 1];
  char name[160];
  for (u64 pgno = 0; pgno * PF_PAGE <= m->pages.size + PF_PAGE; pgno++) {
    for (int by = -1; by <= 1; by++) {
      u64 size = pgno * PF_PAGE + (u64)by;
      u8 *longer;
      if (pgno == 0 && by < 0) continue;
      snprintf(name, sizeof name, "%s/truncate/%llu", b->name, (unsigned long long)size);
      if (!chosen(name, size == 0)) continue;
      hits_truncated++;
      longer = calloc(1, (size_t)size + 1);
      if (longer == NULL) die("no memory", NULL);
      memset(longer, 0x5a, (size_t)size);
      memcpy(longer, m->pages.data, size < m->pages.size ? (size_t)size : m->pages.size);
      place(m, longer, (size_t)size, -1);
      free(longer);
      run_case(b, m, size / PF_PAGE < (u64)b->pages ? MUST_TELL : MUST_NOT_TELL, 0);
    }
  }
}

/* Make all checksums on the way from these pages up right; the deeper one first. */
static i64 forge_two(Base *b, u32 i, u32 j) {
  pf_forge(&b->walk, i > j ? i : j); /* children come after their parents */
  return pf_forge(&b->walk, i > j ? j : i);
}

static void swaps(Base *b) {
  const Moment *m = &b->moment[b->moments - 1];
  char name[160];
  for (u32 i = 0; i < b->walk.count; i++) {
    for (u32 j = i + 1; j < b->walk.count; j++) {
      const PfPage *p = &b->walk.page[i], *q = &b->walk.page[j];
      u8 *one = b->work + (size_t)p->pgno * PF_PAGE, *two = b->work + (size_t)q->pgno * PF_PAGE;
      for (Mode mode = RAW; mode < MODES; mode += FORGED) {
        i64 crc = -1;
        u8 keep[PF_PAGE];
        if (!mode_fits(p, mode) || !mode_fits(q, mode)) continue;
        /* pairs are many: of different kinds one in ten */
        snprintf(name, sizeof name, "%s/swap/%u/%u/%s", b->name, i, j, mode_names[mode]);
        if (!opt.only_count && p->kind != q->kind && pf_mix(opt.seed + i * 1000003 + j) % 10) continue;
        if (!chosen(name, 0) || memcmp(one, two, PF_PAGE) == 0) continue;
        memcpy(keep, one, PF_PAGE);
        memcpy(one, two, PF_PAGE);
        memcpy(two, keep, PF_PAGE);
        if (mode == FORGED) crc = forge_two(b, i, j);
        if (memcmp(b->work, m->pages.data, m->pages.size)) {
          hits_swapped++;
          place(m, b->work, m->pages.size, crc);
          run_case(b, m,
                   p->kind == PF_FREE && q->kind == PF_FREE ? MUST_NOT_TELL
                   : mode == FORGED                         ? MAY_TELL
                                                            : MUST_TELL,
                   0);
        }
        memcpy(b->work, m->pages.data, m->pages.size);
      }
    }
  }
}

/* Single pages as they were at another moment, or in another file of the same history. */
static void pages_of_others(Base *b, const Moment *other, const char *which, u64 *hits) {
  const Moment *m = &b->moment[b->moments - 1];
  char name[160];
  for (u32 i = 0; i < b->walk.count; i++) {
    const PfPage *p = &b->walk.page[i];
    u64 at = (u64)p->pgno * PF_PAGE;
    for (Mode mode = RAW; mode < MODES; mode += FORGED) {
      i64 crc = -1;
      snprintf(name, sizeof name, "%s/page-of-%s/%u/%s/%s", b->name, which, i, pf_kind_name(p->kind), mode_names[mode]);
      if (!mode_fits(p, mode) || at + PF_PAGE > other->pages.size || !chosen(name, 0)) continue;
      memcpy(b->work + at, other->pages.data + at, PF_PAGE);
      if (mode == FORGED) crc = pf_forge(&b->walk, i);
      if (memcmp(b->work, m->pages.data, m->pages.size)) {
        ++*hits;
        place(m, b->work, m->pages.size, crc);
        run_case(b, m, demand_of(p, mode, 0), 0);
      }
      memcpy(b->work, m->pages.data, m->pages.size);
    }
  }
}

/* The database of one moment beside the page file of another. Where no page was written again it may be sound. */
static void mixed(Base *b) {
  char name[160];
  for (u32 i = 0; i < b->moments; i++) {
    for (u32 j = 0; j < b->moments; j++) {
      snprintf(name, sizeof name, "%s/mixed/%u/%u", b->name, i, j);
      if (!met(i + j) || !chosen(name, 1)) continue;
      hits_mixed++;
      place(&b->moment[i], b->moment[j].pages.data, b->moment[j].pages.size, -1);
      run_case(b, &b->moment[i], i == j ? MUST_NOT_TELL : MAY_TELL, 0);
    }
  }
}

static void foreign(Base *b) {
  static Base twin;
  char name[160];
  twin = *b;
  twin.moments = 0;
  make_base(&twin);
  for (u32 i = 0; i < twin.moments; i++) {
    snprintf(name, sizeof name, "%s/foreign/%u", b->name, i);
    if (!met(i) || !chosen(name, 1)) continue;
    hits_foreign++;
    place(&b->moment[b->moments - 1], twin.moment[i].pages.data, twin.moment[i].pages.size, -1);
    run_case(b, &b->moment[b->moments - 1], MUST_TELL, 0);
  }
  pages_of_others(b, &twin.moment[twin.moments - 1], "twin", &hits_foreign);
}

/* --- rows of the shadow tables --- */

static const char *const shadow_columns[][2] = {
    {"quire_state", "format"},   {"quire_state", "uuid"},    {"quire_state", "n"},     {"quire_state", "gen"},
    {"quire_state", "root"},     {"quire_state", "crc"},     {"quire_state", "pages"}, {"quire_state", "owner"},
    {"quire_free", "first"},     {"quire_free", "count"},    {"quire_free", "at"},     {"quire_wm", "n"},
    {"quire_wm", "salt"},        {"quire_wm", "frame"},      {"quire_tables", "id"},   {"quire_tables", "name"},
    {"quire_tables", "options"}, {"t_delta", "seq"},         {"t_delta", "rid"},       {"t_delta", "op"},
    {"t_delta", "tag"},          {"t_content", "quire_tag"}, {"t_content", "e"},       {"t_content", "b"},
};
static const char *const shadow_values[] = {"NULL",
                                            "0",
                                            "1",
                                            "-1",
                                            "2",
                                            "3",
                                            "%1$s+1",
                                            "%1$s-1",
                                            "9223372036854775807",
                                            "-9223372036854775808",
                                            "4294967295",
                                            "4294967296",
                                            "2147483648",
                                            "'text'",
                                            "''",
                                            "x''",
                                            "x'00'",
                                            "zeroblob(16)",
                                            "zeroblob(1000000)",
                                            "1.5",
                                            "9e999",
                                            "-%1$s",
                                            "'%1$s'"};
static const char *const shadow_statements[] = {
    "DELETE FROM quire_state",
    "DELETE FROM quire_tables",
    "DELETE FROM quire_tables WHERE name='u'",
    "DELETE FROM t_delta",
    "DELETE FROM quire_free",
    "DELETE FROM t_delta WHERE op=2",
    "UPDATE OR REPLACE quire_free SET first=1,count=9 WHERE first=(SELECT max(first) FROM quire_free)",
    "INSERT OR REPLACE INTO quire_free VALUES(1,(SELECT pages-1 FROM quire_state),0)",
    "INSERT OR REPLACE INTO quire_free VALUES(2,4294967295,0)",
    "INSERT OR REPLACE INTO quire_free SELECT root,1,0 FROM quire_state",
    "INSERT INTO t_delta(rid,op,tag) VALUES(1001,2,5)",
    "INSERT INTO t_delta(rid,op,tag) VALUES(0,3,5)",
    "INSERT INTO t_delta(rid,op,tag) VALUES(1001,77,5)",
    "INSERT INTO t_delta(seq,rid,op,tag) VALUES(9223372036854775807,1001,1,5)",
    "INSERT INTO quire_tables VALUES(77,'ghost','')",
    "INSERT INTO quire_tables VALUES(78,NULL,'')",
    "UPDATE quire_tables SET id=(SELECT sum(id) FROM quire_tables)-id+1 WHERE name='t'",
    "DROP TABLE quire_state",
    "DROP TABLE quire_tables",
    "DROP TABLE quire_free",
    "DROP TABLE quire_wm",
    "DROP TABLE t_delta",
    "UPDATE t_content SET quire_tag=0",
    "UPDATE u_content SET e=x'01' WHERE rowid%3=0",
    "UPDATE quire_tables SET options=replace(options,'m=4','m=0')",
    "UPDATE quire_tables SET options=replace(options,'m=4','m=60000')",
    "UPDATE quire_tables SET options=replace(options,'ef_search=500','ef_search=65535')",
    "UPDATE quire_tables SET options=replace(options,'nprobe=6553','nprobe=6000 x=')",
    "UPDATE quire_tables SET options=replace(options,'kind=3','kind=2')",
    "UPDATE quire_tables SET options=replace(options,'kind=3','kind=77')",
    "UPDATE quire_state SET root=root+1,crc=0",
    "UPDATE quire_state SET root=1,pages=4294967295"};

static void shadow_case(Base *b, const char *sql, const char *name, int always) {
  const Moment *m = &b->moment[b->moments - 1];
  sqlite3 *db;
  int rc;
  if (!chosen(name, always)) return;
  place(m, m->pages.data, m->pages.size, -1);
  db = open_db(NULL, 0);
  rc = run(db, sql, NULL);
  rc = rc ? 0 : sqlite3_total_changes(db) || strncmp(sql, "DROP", 4) == 0;
  sqlite3_close(db);
  if (!rc) return; /* a constraint forbids it, or there is no such row */
  hits_rows++;
  if (opt.verbose && opt.only_count) printf("%s\n", sql);
  registry_damaged = strstr(sql, "quire_tables") != NULL || strncmp(sql, "DROP", 4) == 0;
  run_case(b, m, ROWS, strstr(sql, "_content SET") != NULL && strstr(sql, "quire_tag") == NULL);
}

static void shadow_rows(Base *b) {
  char name[160], sql[400], value[100];
  for (u32 c = 0; c < sizeof shadow_columns / sizeof *shadow_columns; c++) {
    const char *table = shadow_columns[c][0], *column = shadow_columns[c][1];
    for (u32 v = 0; v < sizeof shadow_values / sizeof *shadow_values; v++) {
      for (u32 row = 0; row < 4; row++) { /* the first, the last, one amid, all */
        static const char *const where[] = {
            "rowid=(SELECT min(rowid) FROM %1$s)", "rowid=(SELECT max(rowid) FROM %1$s)",
            "rowid=(SELECT rowid FROM %1$s ORDER BY rowid LIMIT 1 OFFSET (SELECT count(*)/2 FROM %1$s))", "1"};
        char which[200];
        if (row && strcmp(table, "quire_state") == 0) break;
        snprintf(which, sizeof which, where[row], table);
        snprintf(value, sizeof value, shadow_values[v], column);
        snprintf(sql, sizeof sql, "UPDATE %s SET %s=%s WHERE %s", table, column, value, which);
        snprintf(name, sizeof name, "%s/row/%s.%s/%u/%u", b->name, table, column, v, row);
        shadow_case(b, sql, name, opt.every_value && row == 0);
      }
    }
  }
  for (u32 i = 0; i < sizeof shadow_statements / sizeof *shadow_statements; i++) {
    snprintf(name, sizeof name, "%s/statement/%u", b->name, i);
    shadow_case(b, shadow_statements[i], name, opt.every_value);
  }
}

/* --- all of it --- */

/* Kinds and fields that were not met. Only a run of all bases meets them all. */
static void report_fields(void) {
  for (u32 f = 0; f < pf_field_count; f++) {
    PfPage of_kind = {.kind = pf_fields[f].kind};
    if (opt.verbose) {
      printf("%-8s %-20s raw %-6llu own %-6llu forged %llu\n", pf_kind_name(pf_fields[f].kind), pf_fields[f].name,
             (unsigned long long)field_hits[f][RAW], (unsigned long long)field_hits[f][OWN],
             (unsigned long long)field_hits[f][FORGED]);
    }
    for (Mode mode = RAW; mode < MODES && !opt.base && !opt.only_count; mode++) {
      if (field_hits[f][mode] || !met(f) || !mode_fits(&of_kind, mode)) continue;
      if (strcmp(pf_fields[f].name, "crc") == 0 && mode != RAW) continue; /* made right again */
      failures++;
      printf("FAILED never damaged (%s): %s.%s\n", mode_names[mode], pf_kind_name(pf_fields[f].kind),
             pf_fields[f].name);
    }
  }
}

static void parse(int argc, char **argv) {
  int c;
  while ((c = getopt(argc, argv, "d:s:p:f:b:c:ev")) != -1) {
    switch (c) {
      case 'd': opt.directory = optarg; break;
      case 's': opt.seed = strtoull(optarg, NULL, 10); break;
      case 'p': opt.permille = (u32)atoi(optarg); break;
      case 'f': opt.one_in = (u32)atoi(optarg); break;
      case 'b': opt.base = optarg; break;
      case 'c':
        if (opt.only_count == MAX_ONLY) die("too many cases", optarg);
        opt.only[opt.only_count++] = optarg;
        break;
      case 'e': opt.every_value = 1; break;
      case 'v': opt.verbose = 1; break;
      default: exit(2);
    }
  }
  if (opt.directory == NULL)
    die("usage", "corrupt -d DIRECTORY [-s SEED] [-p PERMILLE] [-f N] [-e] [-b BASE] [-c CASE]... [-v]");
  if (opt.one_in == 0) die("-f", "expected a number above 0");
  snprintf(db_path, sizeof db_path, "%s/corrupt.db", opt.directory);
  snprintf(page_path, sizeof page_path, "%s/corrupt.db-quire", opt.directory);
}

/* All that the options ask for. */
int corrupt_main(int argc, char **argv);
int corrupt_main(int argc, char **argv) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  parse(argc, argv);
  if (pf_field_count > MAX_FIELDS) die("too many fields", "MAX_FIELDS");
  for (u32 i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], fatal);
  setvbuf(stdout, NULL, _IOLBF, 0);
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  sqlite3_initialize();
  make_vfs();
  for (u32 n = 0; n < sizeof bases / sizeof *bases; n++) {
    Base *b = &bases[n];
    u32 permille = opt.permille;
    if (!base_chosen(b)) continue;
    make_base(b);
    if (strcmp(b->name, "small")) opt.permille = opt.permille / 20; /* larger files, the same kinds: fewer cases */
    for (u32 i = 0; i < b->walk.count; i++) {
      PfKind kind = b->walk.page[i].kind;
      if (b->extra != PF_HEAD && kind != b->extra && !opt.only_count && permille < 1000) continue;
      damage_fields(b, i);
      damage_bytes(b, i);
    }
    truncations(b);
    if (strcmp(b->name, "small") == 0) {
      graphs(b);
      lists(b);
      dead_rowids(b);
      swaps(b);
      for (u32 i = 0; i + 1 < b->moments; i++) {
        char which[20];
        snprintf(which, sizeof which, "moment%u", i);
        pages_of_others(b, &b->moment[i], which, &hits_moments);
      }
      mixed(b);
      foreign(b);
      shadow_rows(b);
    }
    opt.permille = permille;
    remove_files();
  }
  report_fields();
  printf("fields %u of %u kinds, %llu graphs, %llu lists, %llu truncations, %llu swaps, %llu pages of other moments, "
         "%llu mixed "
         "files, %llu "
         "foreign, %llu "
         "rows; searches: %llu exact, %llu refused, %llu told by integrity-check; %llu cases without consequence; seed "
         "%llu\n",
         pf_field_count, (u32)PF_KINDS, (unsigned long long)hits_graphs, (unsigned long long)hits_lists,
         (unsigned long long)hits_truncated, (unsigned long long)hits_swapped, (unsigned long long)hits_moments,
         (unsigned long long)hits_mixed, (unsigned long long)hits_foreign, (unsigned long long)hits_rows,
         (unsigned long long)total.exact, (unsigned long long)total.refused, (unsigned long long)total.told,
         (unsigned long long)total.silent, (unsigned long long)opt.seed);
  printf("%llu cases, %llu failures\n", (unsigned long long)cases, (unsigned long long)failures);
  return failures != 0;
}

#ifdef CORRUPT_FUZZ

/*
 * The page fuzzer: changes of the small base's pages, each 5 bytes of place and how, and up to 8 that are put there. C1 to C6 hold.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char directory[] = "/tmp/quire-fuzz-XXXXXX";
  Base *b = &bases[0];
  const Moment *m;
  i64 crc = -1;
  Demand demand = MUST_NOT_TELL;
  if (b->moments == 0) {
    opt.directory = access("/dev/shm", W_OK) == 0 ? strcpy(directory, "/dev/shm/q-fuzz-XXXXXX") : directory;
    if (mkdtemp(directory) == NULL) die("cannot make", directory);
    snprintf(db_path, sizeof db_path, "%s/corrupt.db", directory);
    snprintf(page_path, sizeof page_path, "%s/corrupt.db-quire", directory);
    make_vfs();
    make_base(b);
  }
  m = &b->moment[b->moments - 1];
  snprintf(case_name, sizeof case_name, "input of %u bytes", (unsigned)size);
  while (size >= 6) {
    u32 page = data[0] % b->walk.count, at = (data[1] | (u32)data[2] << 8) % PF_PAGE, n = 1 + data[3] % 8,
        forged = data[4] & 1;
    Mode mode = forged ? FORGED : data[4] & 2 ? OWN : RAW;
    const PfPage *p = &b->walk.page[page];
    for (data += 5, size -= 5; n > 0 && size > 0 && at < PF_PAGE; n--, size--)
      b->work[(size_t)p->pgno * PF_PAGE + at++] = *data++;
    if (!mode_fits(p, mode)) mode = RAW;
    if (mode == OWN) pf_fix_own(&b->walk, page);
    if (mode == FORGED) crc = pf_forge(&b->walk, page);
  }
  if (memcmp(b->work, m->pages.data, m->pages.size)) demand = MAY_TELL;
  place(m, b->work, m->pages.size, crc);
  memcpy(b->work, m->pages.data, m->pages.size);
  run_case(b, m, demand, 0);
  if (failures) abort();
  return 0;
}

#else

int main(int argc, char **argv) { return corrupt_main(argc, argv); }

#endif
