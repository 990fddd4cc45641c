/*
 * rows.c: rows by rowid through SQL: a vector table or a map beside an ordinary table of the same rows, t(rowid INTEGER PRIMARY KEY, e BLOB).
 *
 *   rows [ROWS [DIM [KEYS [TABLE]]]]    default 1,000,000 rows of 16 dimensions; KEYS a set of keys.h, `all` of them or `both` (default):
 *                                       sequential and uniform; TABLE vectors, map, or paged: a map with content=''
 *
 * Points (in a transaction), lists of 1,000 keys (as parameters of IN; quire_get with a BLOB), 1,000 rows, or their rowids alone, in order from a random one, count(*)
 * of all and of the rows from a random one on, max(rowid), inserts of 10,000 rows a commit. What SQLite does best stands beside each: the faster of a cache that holds
 * everything and of a map of the file; for lists, of IN and of a point query for each key; and the C interface's sqlite3_blob_reopen with a read.
 * Last comes what an empty virtual table takes, whose rows are the keys in memory and which looks for nothing: no virtual table is quicker.
 * At the end are four of these beside what was claimed of the work that this descends from.
 * Every key that is asked for is there, and every vector is compared. Medians of RUNS (default 5), in turns. Seconds are of this process's
 * processor time, so that other work on the machine counts only by the caches it takes; p99 is by the clock on the wall.
 */
#define _GNU_SOURCE 1
#include "bench.h"
#include "keys.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST 1000
#define POINTS 200000
#define LISTS 100
#define RANGES 100
#define ENDS 1000
#define BATCH 10000
#define PEERS 3 /* big cache, map, empty virtual table */
#define EMPTY 3

static int wanted = 1000000, rows, dim = 16, runs = 5;
static const char *table = "vectors";
static int64_t *keys; /* ascending */
static char in_list[LIST * 8 + 64];

static uint64_t state = 1;
static uint64_t random64(void) { return next_random(&state); }

static float mark(sqlite3_int64 key) { return (float)((uint64_t)key * 0x9e3779b97f4a7c15u >> 44); }

/* Insert all keys in order, BATCH of them a commit. */
static double load(sqlite3 *db) {
  sqlite3_stmt *s = db_prepare(db, "INSERT INTO t(rowid, e) VALUES(?1, ?2)");
  float *v = bench_alloc((size_t)dim * sizeof *v);
  double start = bench_cpu();
  for (int d = 0; d < dim; d++) v[d] = (float)d;
  for (int i = 0; i < rows; i++) {
    if (i % BATCH == 0) db_run(db, "BEGIN");
    v[0] = mark(keys[i]);
    sqlite3_bind_int64(s, 1, keys[i]);
    sqlite3_bind_blob(s, 2, v, dim * 4, SQLITE_STATIC);
    sqlite3_step(s);
    if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(db, "insert");
    if (i % BATCH == BATCH - 1 || i == rows - 1) db_run(db, "COMMIT");
  }
  start = bench_cpu() - start;
  sqlite3_finalize(s);
  free(v);
  return start;
}

/* --- the empty virtual table --- */

typedef struct EmptyCursor {
  sqlite3_vtab_cursor base;
  int at, end, step;   /* of keys */
  sqlite3_value *list; /* of an IN, or NULL */
  sqlite3_int64 key;   /* of this row */
  int eof;
  float *vector;
} EmptyCursor;

static int empty_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  (void)aux, (void)argc, (void)argv, (void)error;
  *out = bench_alloc(sizeof **out);
  memset(*out, 0, sizeof **out);
  return sqlite3_declare_vtab(db, "CREATE TABLE x(rowid INTEGER PRIMARY KEY, e BLOB)");
}

static int empty_disconnect(sqlite3_vtab *vtab) {
  free(vtab);
  return SQLITE_OK;
}

enum { EMPTY_ALL, EMPTY_DOWN, EMPTY_FROM, EMPTY_POINT, EMPTY_IN };

static int empty_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  (void)vtab;
  info->idxNum = info->nOrderBy && info->aOrderBy[0].desc ? EMPTY_DOWN : EMPTY_ALL;
  info->orderByConsumed = 1;
  for (int i = 0; i < info->nConstraint; i++) {
    int op = info->aConstraint[i].op;
    if (!info->aConstraint[i].usable || (op != SQLITE_INDEX_CONSTRAINT_EQ && op != SQLITE_INDEX_CONSTRAINT_GE))
      continue;
    info->aConstraintUsage[i].argvIndex = info->aConstraintUsage[i].omit = 1;
    info->idxNum = op == SQLITE_INDEX_CONSTRAINT_GE ? EMPTY_FROM : sqlite3_vtab_in(info, i, 1) ? EMPTY_IN : EMPTY_POINT;
    if (info->idxNum == EMPTY_POINT) info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    info->estimatedRows = info->idxNum == EMPTY_POINT ? 1 : 1000;
    info->estimatedCost = 1;
    return SQLITE_OK;
  }
  return SQLITE_OK;
}

static int empty_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  EmptyCursor *c = bench_alloc(sizeof *c);
  (void)vtab;
  memset(c, 0, sizeof *c);
  c->vector = bench_alloc((size_t)dim * sizeof *c->vector);
  memset(c->vector, 0, (size_t)dim * sizeof *c->vector);
  *out = &c->base;
  return SQLITE_OK;
}

static int empty_close(sqlite3_vtab_cursor *base) {
  free(((EmptyCursor *)base)->vector);
  free(base);
  return SQLITE_OK;
}

static void empty_take(EmptyCursor *c, int rc, sqlite3_value *value) {
  c->eof = rc != SQLITE_OK;
  if (!c->eof) c->key = sqlite3_value_int64(value);
}

static int empty_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv) {
  EmptyCursor *c = (EmptyCursor *)base;
  sqlite3_value *value;
  (void)text, (void)argc;
  c->list = plan == EMPTY_IN ? argv[0] : NULL;
  c->step = plan == EMPTY_DOWN ? -1 : 1;
  c->at = plan == EMPTY_DOWN ? rows - 1 : 0;
  c->end = plan == EMPTY_DOWN ? -1 : plan == EMPTY_POINT ? 0 : rows;
  c->eof = 0;
  if (plan == EMPTY_IN) {
    empty_take(c, sqlite3_vtab_in_first(c->list, &value), value);
    return SQLITE_OK;
  }
  if (plan == EMPTY_FROM) {
    int64_t from = sqlite3_value_int64(argv[0]);
    for (int hi = rows; c->at < hi;) {
      int mid = c->at + (hi - c->at) / 2;
      if (keys[mid] < from)
        c->at = mid + 1;
      else
        hi = mid;
    }
  }
  if (plan == EMPTY_POINT)
    c->key = sqlite3_value_int64(argv[0]);
  else if ((c->eof = c->at == c->end) == 0)
    c->key = keys[c->at];
  return SQLITE_OK;
}

static int empty_next(sqlite3_vtab_cursor *base) {
  EmptyCursor *c = (EmptyCursor *)base;
  if (c->list) {
    sqlite3_value *value;
    empty_take(c, sqlite3_vtab_in_next(c->list, &value), value);
    return SQLITE_OK;
  }
  c->at += c->step;
  if ((c->eof = c->at == c->end || c->end == 0) == 0) c->key = keys[c->at];
  return SQLITE_OK;
}

static int empty_eof(sqlite3_vtab_cursor *base) { return ((EmptyCursor *)base)->eof; }

static int empty_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i) {
  EmptyCursor *c = (EmptyCursor *)base;
  if (i == 0) {
    sqlite3_result_int64(ctx, c->key);
  } else {
    c->vector[0] = mark(c->key);
    sqlite3_result_blob(ctx, c->vector, dim * 4, SQLITE_STATIC);
  }
  return SQLITE_OK;
}

static int empty_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = ((EmptyCursor *)base)->key;
  return SQLITE_OK;
}

static sqlite3 *empty_db(void) {
  static const sqlite3_module module = {.iVersion = 1,
                                        .xCreate = empty_connect,
                                        .xConnect = empty_connect,
                                        .xBestIndex = empty_best_index,
                                        .xDisconnect = empty_disconnect,
                                        .xDestroy = empty_disconnect,
                                        .xOpen = empty_open,
                                        .xClose = empty_close,
                                        .xFilter = empty_filter,
                                        .xNext = empty_next,
                                        .xEof = empty_eof,
                                        .xColumn = empty_column,
                                        .xRowid = empty_rowid};
  sqlite3 *db;
  if (sqlite3_open(":memory:", &db) || sqlite3_create_module(db, "empty", &module, NULL)) bench_fail("no memory");
  db_run(db, "CREATE VIRTUAL TABLE t USING empty");
  return db;
}

/* --- one measurement: seconds an item --- */

typedef struct Side {
  sqlite3 *db;
  int empty; /* of the empty virtual table */
  sqlite3_stmt *point, *in, *get, *range, *rowids, *count, *from, *max;
} Side;

static void check(sqlite3_stmt *s, int column, sqlite3_int64 key) {
  const float *v = sqlite3_column_blob(s, column);
  float first;
  if (v == NULL || sqlite3_column_bytes(s, column) != dim * 4) bench_fail("key %lld has no vector", (long long)key);
  memcpy(&first, v, sizeof first);
  if (first != mark(key)) bench_fail("key %lld has another key's vector", (long long)key);
}

static sqlite3_int64 any_key(void) { return keys[random64() % (uint64_t)rows]; }

/* What is asked for next, drawn before time is taken: finding it among all keys would count as much as some answers. */
static sqlite3_int64 asked[POINTS];
static void draw_points(void) {
  for (int i = 0; i < POINTS; i++) asked[i] = any_key();
}

static double points(Side *s, double *p99) {
  double start, *latency = p99 ? bench_alloc(POINTS * sizeof *latency) : NULL, total;
  draw_points();
  db_run(s->db, "BEGIN");
  start = bench_cpu();
  for (int i = 0; i < POINTS; i++) {
    sqlite3_int64 key = asked[i];
    double before = latency ? bench_now() : 0;
    sqlite3_bind_int64(s->point, 1, key);
    if (sqlite3_step(s->point) != SQLITE_ROW) bench_fail("key %lld is not there", (long long)key);
    check(s->point, 0, key);
    sqlite3_reset(s->point);
    if (latency) latency[i] = bench_now() - before;
  }
  total = (bench_cpu() - start) / POINTS;
  db_run(s->db, "COMMIT");
  if (latency) {
    bench_median(latency, POINTS); /* sorts */
    *p99 = latency[POINTS / 100 * 99];
    free(latency);
  }
  return total;
}

static double blob_reopen(Side *s) {
  sqlite3_blob *blob;
  float *v = bench_alloc((size_t)dim * sizeof *v);
  double start;
  db_run(s->db, "BEGIN");
  if (sqlite3_blob_open(s->db, "main", "t", "e", keys[0], 0, &blob)) bench_fail_db(s->db, "blob");
  draw_points();
  start = bench_cpu();
  for (int i = 0; i < POINTS; i++) {
    sqlite3_int64 key = asked[i];
    if (sqlite3_blob_reopen(blob, key) || sqlite3_blob_read(blob, v, dim * 4, 0)) bench_fail_db(s->db, "blob");
    if (v[0] != mark(key)) bench_fail("key %lld has another key's vector", (long long)key);
  }
  start = (bench_cpu() - start) / POINTS;
  sqlite3_blob_close(blob);
  db_run(s->db, "COMMIT");
  free(v);
  return start;
}

/* LIST distinct keys. */
static void draw(sqlite3_int64 *list) {
  int step = rows / LIST;
  for (int i = 0; i < LIST; i++) list[i] = keys[i * step + (int)(random64() % (uint64_t)step)];
  for (int i = LIST - 1; i > 0; i--) {
    int j = (int)(random64() % (uint64_t)(i + 1));
    sqlite3_int64 key = list[i];
    list[i] = list[j];
    list[j] = key;
  }
}

static int drain(sqlite3_stmt *s) {
  int n = 0;
  while (sqlite3_step(s) == SQLITE_ROW) {
    check(s, 1, sqlite3_column_int64(s, 0));
    n++;
  }
  if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(sqlite3_db_handle(s), "list");
  return n;
}

typedef enum { BY_IN, BY_GET, BY_POINTS } ListHow;

static double lists(Side *s, ListHow how) {
  sqlite3_int64 list[LIST];
  double total = 0;
  db_run(s->db, "BEGIN");
  for (int r = 0; r < LISTS; r++) {
    double start;
    int n = 0;
    draw(list);
    start = bench_cpu();
    if (how == BY_IN) {
      for (int i = 0; i < LIST; i++) sqlite3_bind_int64(s->in, i + 1, list[i]);
      n = drain(s->in);
    } else if (how == BY_GET) {
      sqlite3_bind_blob(s->get, 1, list, sizeof list, SQLITE_STATIC);
      n = drain(s->get);
    } else {
      for (int i = 0; i < LIST; i++) {
        sqlite3_bind_int64(s->point, 1, list[i]);
        if (sqlite3_step(s->point) == SQLITE_ROW) n++;
        check(s->point, 0, list[i]);
        sqlite3_reset(s->point);
      }
    }
    total += bench_cpu() - start;
    if (n != LIST) bench_fail("%d rows of %d", n, LIST);
  }
  db_run(s->db, "COMMIT");
  return total / LISTS / LIST;
}

static double ranges(Side *s) {
  double start = bench_cpu();
  for (int r = 0; r < RANGES; r++) {
    sqlite3_bind_int64(s->range, 1, keys[random64() % (uint64_t)(rows - LIST)]);
    if (drain(s->range) != LIST) bench_fail("a short range");
  }
  return (bench_cpu() - start) / RANGES / LIST;
}

static double rowids(Side *s) {
  double start = bench_cpu();
  for (int r = 0; r < RANGES; r++) {
    int at = (int)(random64() % (uint64_t)(rows - LIST)), n = 0;
    sqlite3_bind_int64(s->rowids, 1, keys[at]);
    while (sqlite3_step(s->rowids) == SQLITE_ROW) {
      if (sqlite3_column_int64(s->rowids, 0) != keys[at + n++]) bench_fail("a wrong rowid");
    }
    sqlite3_reset(s->rowids);
    if (n != LIST) bench_fail("a short range");
  }
  return (bench_cpu() - start) / RANGES / LIST;
}

static double single(sqlite3_stmt *s, sqlite3_int64 want) {
  double start = bench_cpu();
  if (sqlite3_step(s) != SQLITE_ROW || sqlite3_column_int64(s, 0) != want) bench_fail("a wrong aggregate");
  sqlite3_reset(s);
  return bench_cpu() - start;
}

/* All rows but some at the beginning. */
static double count_from(Side *s) {
  int first = (int)(random64() % (uint64_t)(rows / 8));
  sqlite3_bind_int64(s->from, 1, keys[first]);
  return single(s->from, rows - first) / (rows - first);
}

static double ends(Side *s) {
  double total = 0;
  db_run(s->db, "BEGIN");
  for (int i = 0; i < ENDS; i++) total += single(s->max, keys[rows - 1]);
  db_run(s->db, "COMMIT");
  return total / ENDS;
}

/* --- both sides --- */

static void prepare(Side *s, int is_quire) {
  s->point = db_prepare(s->db, "SELECT e FROM t WHERE rowid = ?1");
  s->in = db_prepare(s->db, in_list);
  s->range = db_prepare(s->db, "SELECT rowid, e FROM t WHERE rowid >= ?1 ORDER BY rowid LIMIT 1000");
  s->rowids = db_prepare(s->db, "SELECT rowid FROM t WHERE rowid >= ?1 ORDER BY rowid LIMIT 1000");
  s->count = db_prepare(s->db, "SELECT count(*) FROM t");
  s->from = db_prepare(s->db, "SELECT count(*) FROM t WHERE rowid >= ?1");
  s->max = db_prepare(s->db, "SELECT max(rowid) FROM t");
  if (is_quire) s->get = db_prepare(s->db, "SELECT rowid, vector FROM quire_get('t', ?1)");
}

static void finish(Side *s) {
  sqlite3_finalize(s->point);
  sqlite3_finalize(s->in);
  sqlite3_finalize(s->get);
  sqlite3_finalize(s->range);
  sqlite3_finalize(s->rowids);
  sqlite3_finalize(s->count);
  sqlite3_finalize(s->from);
  sqlite3_finalize(s->max);
  sqlite3_close(s->db);
}

typedef enum { POINT, REOPEN, IN, GET, ONE_BY_ONE, RANGE, ROWIDS, COUNT, COUNT_FROM, MAX, WHATS } What;

static double measure(Side *s, What what) {
  switch (what) {
    case POINT: return points(s, NULL);
    case REOPEN: return s->get || s->empty ? 0 : blob_reopen(s);
    case IN: return lists(s, BY_IN);
    case GET: return s->get ? lists(s, BY_GET) : 0;
    case ONE_BY_ONE: return lists(s, BY_POINTS);
    case RANGE: return ranges(s);
    case ROWIDS: return rowids(s);
    case COUNT: return single(s->count, rows) / rows;
    case COUNT_FROM: return count_from(s);
    default: return ends(s);
  }
}

/* empty: 0 if it has no such thing. */
static void say(const char *what, double ours, double theirs, double empty) {
  printf("  %-44s %9.1f ns %9.1f ns %7.2f", what, ours * 1e9, theirs * 1e9, theirs / ours);
  if (empty > 0) printf(" %9.1f ns %7.2f", empty * 1e9, theirs / empty);
  printf("\n");
  fflush(stdout);
}

static void say_claim(const char *claim, double scale, double ours, double theirs) {
  printf("    %-46s %11.4g %12.4g\n", claim, ours * scale, theirs * scale);
  fflush(stdout);
}

static void bench(const char *dir, const char *lib, KeySet set) {
  double t[WHATS][1 + PEERS][MAX_RUNS], m[WHATS][1 + PEERS], best[WHATS], inserts[2], p99[2];
  char path[2][1024];
  Side side[1 + PEERS];
  memset(side, 0, sizeof side);
  rows = (int)keys_make(set, keys, (uint64_t)wanted);
  state = 1;
  for (int i = 0; i < 2; i++) {
    char sql[100];
    sqlite3 *db;
    snprintf(path[i], sizeof path[i], "%s/bench-rows-%d.db", dir, i);
    db_remove(path[i]);
    db = db_open(path[i], i == 0 ? lib : NULL);
    if (strcmp(table, "vectors") == 0)
      snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE t USING quire(e float[%d] INDEXED BY flat())", dim);
    else
      snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE t USING quire_map(rowid INTEGER PRIMARY KEY, e%s)",
               strcmp(table, "paged") == 0 ? ", content=''" : "");
    db_run(db, i == 0 ? sql : "CREATE TABLE t(rowid INTEGER PRIMARY KEY, e BLOB)");
    inserts[i] = load(db);
    if (i == 0) db_run(db, "INSERT INTO t(t) VALUES('fold')");
    db_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
  }
  for (int i = 0; i < 1 + PEERS; i++) {
    side[i].empty = i == EMPTY;
    side[i].db = i == EMPTY ? empty_db() : db_open(path[i > 0], i == 0 ? lib : NULL);
    db_run(side[i].db, i == 2 ? "PRAGMA mmap_size = 1099511627776; PRAGMA cache_size = -16000"
                              : "PRAGMA mmap_size = 0; PRAGMA cache_size = -8000000");
    prepare(&side[i], i == 0);
    points(&side[i], NULL); /* caches warm */
    single(side[i].count, rows);
  }
  for (int r = 0; r < runs; r++) {
    for (int what = 0; what < WHATS; what++) {
      for (int i = 0; i < 1 + PEERS; i++) t[what][i][r] = measure(&side[i], (What)what);
    }
  }
  for (int what = 0; what < WHATS; what++) {
    for (int i = 0; i < 1 + PEERS; i++) m[what][i] = bench_median(t[what][i], (size_t)runs);
    best[what] = fmin(m[what][1], m[what][2]);
  }
  points(&side[0], &p99[0]);
  points(&side[best[POINT] == m[POINT][1] ? 1 : 2], &p99[1]);
  printf("%s, %d rows of %d bytes, %s rowids: Quire, SQLite (%s for points), ratio; empty virtual table, its ratio\n",
         table, rows, dim * 4, key_set_name[set], best[POINT] == m[POINT][1] ? "big cache" : "map");
  say("point in a transaction", m[POINT][0], best[POINT], m[POINT][EMPTY]);
  say("  99 % of them within", p99[0], p99[1], 0);
  say("1,000 keys, a key: quire_get, SQLite's best", m[GET][0], fmin(best[IN], best[ONE_BY_ONE]), 0);
  say("1,000 keys, a key: IN with parameters, both", m[IN][0], best[IN], m[IN][EMPTY]);
  say("a key of quire_get, sqlite3_blob_reopen", m[GET][0], best[REOPEN], 0);
  say("1,000 rows in order, a row", m[RANGE][0], best[RANGE], m[RANGE][EMPTY]);
  say("1,000 rowids in order, a row", m[ROWIDS][0], best[ROWIDS], m[ROWIDS][EMPTY]);
  say("count(*), a row", m[COUNT][0], best[COUNT], m[COUNT][EMPTY]);
  say("count(*) from a rowid on, a row", m[COUNT_FROM][0], best[COUNT_FROM], m[COUNT_FROM][EMPTY]);
  say("max(rowid), in a transaction", m[MAX][0], best[MAX], m[MAX][EMPTY]);
  say("insert, 10,000 a commit, a row", inserts[0] / rows, inserts[1] / rows, 0);
  printf("  claimed of the forerunner; here, through SQL, Quire and SQLite:\n");
  say_claim("0.53 us a point query", 1e6, m[POINT][0], best[POINT]);
  say_claim("p99 below 1 ms: us", 1e6, p99[0], p99[1]);
  say_claim("558,692 inserts/s, 10,000 a commit", 1, rows / inserts[0], rows / inserts[1]);
  say_claim("13 M keys/s in ranges: M keys/s", 1e-6, 1 / m[ROWIDS][0], 1 / best[ROWIDS]);
  for (int i = 0; i < 1 + PEERS; i++) finish(&side[i]);
  for (int i = 0; i < 2; i++) db_remove(path[i]);
}

int main(int argc, char **argv) {
  const char *lib = getenv("QUIRE_LIB") ? getenv("QUIRE_LIB") : "./quire";
  const char *dir = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "/tmp", *set = argc > 3 ? argv[3] : "both";
  size_t at;
  int sets = 0;
  if (argc > 1) wanted = atoi(argv[1]);
  if (argc > 2) dim = atoi(argv[2]);
  if (argc > 4) table = argv[4];
  if (getenv("RUNS")) runs = atoi(getenv("RUNS"));
  if (wanted < 10 * LIST || dim < 1 || dim > 8192 || runs < 1 || runs > MAX_RUNS)
    bench_fail("usage: rows [ROWS [DIM [sequential|gaps|uniform|lognormal|snowflake|adversarial|both|all "
               "[vectors|map|paged]]]]");
  at = (size_t)sprintf(in_list, "SELECT rowid, e FROM t WHERE rowid IN (");
  for (int i = 0; i < LIST; i++) at += (size_t)sprintf(in_list + at, "?%d%c", i + 1, i < LIST - 1 ? ',' : ')');
  keys = bench_alloc((size_t)wanted * sizeof *keys);
  for (int i = 0; i < KEY_SETS; i++) {
    int first = i == KEYS_SEQUENTIAL || i == KEYS_UNIFORM;
    if (strcmp(set, "all") != 0 && strcmp(set, key_set_name[i]) != 0 && !(first && strcmp(set, "both") == 0)) continue;
    bench(dir, lib, (KeySet)i);
    sets++;
  }
  if (sets == 0) bench_fail("there is no set of keys named %s", set);
  free(keys);
  return 0;
}
