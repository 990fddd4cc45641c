/*
 * hnsw_filter.c: searches with conditions beside hnswlib with a filter callback, by how many rows pass.
 *
 * Rows get numbers: `any` is random, so that what passes is spread evenly; `near` is the row's place when rows are ordered along a random direction, so
 * that rows which pass lie together. A condition `any < s` lets a share s of the rows pass, of 1,000,000. Asked as
 *
 *   partition   the column is a partition key
 *   metadata    a metadata column
 *   join        a row of an ordinary table, joined (only what SQLite can filter behind the search)
 *   rowid set   rowid IN (SELECT id FROM chosen), up to 10,000 rows; beside it what SQLite takes to hand that set to a virtual table which
 *               does nothing with it, and to read it in a query of its own
 *
 * Each is swept over ef until recall@10 is 0.95, as is hnswlib; the figures are those at the first ef that reaches it. Always exactly 10 rows, or
 * as many as pass.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hnsw_parts.h"
#include "keys.h"

#define SCALE 1000000
#define FILTER_QUERIES 200
#define TARGET 0.95

static const double shares[] = {0.5, 0.1, 0.05, 0.01, 0.001};
static const size_t efs[] = {10,  12,  16,  20,  25,  32,  40,  50,  64,   80,   100,  128,
                             160, 200, 256, 320, 400, 512, 640, 800, 1024, 1600, 2500, 4096};
#define COUNT(a) (sizeof(a) / sizeof *(a))

typedef struct Numbers {
  int32_t *any, *near; /* of each row, below SCALE */
} Numbers;

typedef struct Place {
  float along;
  uint32_t row;
} Place;

static int by_place(const void *a, const void *b) {
  float x = ((const Place *)a)->along, y = ((const Place *)b)->along;
  return (x > y) - (x < y);
}

static Numbers make_numbers(const DataSet *set) {
  Numbers n = {bench_alloc(set->rows * sizeof(int32_t)), bench_alloc(set->rows * sizeof(int32_t))};
  Place *place = bench_alloc(set->rows * sizeof *place);
  float *direction = bench_alloc(set->dim * sizeof *direction);
  uint64_t state = 7;
  for (size_t i = 0; i < set->dim; i++) direction[i] = (float)(next_random(&state) % 2001) / 1000 - 1;
  for (size_t r = 0; r < set->rows; r++) {
    const float *v = set->base + r * set->dim;
    float along = 0;
    for (size_t i = 0; i < set->dim; i++) along += v[i] * direction[i];
    place[r] = (Place){along, (uint32_t)r};
    n.any[r] = (int32_t)(next_random(&state) % SCALE);
  }
  qsort(place, set->rows, sizeof *place, by_place);
  for (size_t i = 0; i < set->rows; i++) n.near[place[i].row] = (int32_t)((double)i / (double)set->rows * SCALE);
  free(place);
  free(direction);
  return n;
}

/* --- the database --- */

static sqlite3 *make_table(const DataSet *set, const Numbers *n) {
  char path[1024], sql[512], file[128];
  sqlite3_stmt *s;
  sqlite3 *db;
  snprintf(file, sizeof file, "filter-%s-%zu.db", set->name, set->rows);
  table_path(file, path, sizeof path);
  db = db_open(path, settings.lib);
  if (!settings.force && db_value(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'ready'") == 1) return db;
  sqlite3_close(db);
  db_remove(path);
  db = db_open(path, settings.lib);
  snprintf(
      sql, sizeof sql,
      "CREATE VIRTUAL TABLE t USING quire(e float[%zu] distance_metric=%s INDEXED BY %s, part integer partition key,"
      " part_near integer partition key, meta integer, meta_near integer);"
      "CREATE TABLE other(id INTEGER PRIMARY KEY, x INTEGER);",
      set->dim, set->cosine ? "cosine" : "l2", settings.index);
  db_run(db, sql);
  db_run(db, "PRAGMA threads = 2; BEGIN");
  s = db_prepare(db, "INSERT INTO t(rowid, e, part, part_near, meta, meta_near) VALUES(?1, ?2, ?3, ?4, ?3, ?4)");
  for (size_t r = 0; r < set->rows; r++) {
    sqlite3_bind_int64(s, 1, (sqlite3_int64)r + 1);
    sqlite3_bind_blob(s, 2, set->base + r * set->dim, (int)(set->dim * sizeof(float)), SQLITE_STATIC);
    sqlite3_bind_int(s, 3, n->any[r]);
    sqlite3_bind_int(s, 4, n->near[r]);
    if (sqlite3_step(s) != SQLITE_DONE) bench_fail_db(db, "insert");
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
  db_run(db, "COMMIT; INSERT INTO other SELECT rowid, meta FROM t; INSERT INTO t(t) VALUES('fold');"
             "CREATE TABLE ready(x); ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)");
  return db;
}

/* --- truth --- */

typedef struct Passing {
  const int32_t *number;
  int32_t limit;
  size_t count;  /* rows that pass */
  float *kth;    /* of query q: the distance of its last true neighbour */
  size_t wanted; /* neighbours: K, or as many as pass */
} Passing;

static Passing make_truth(const DataSet *set, const int32_t *number, double share) {
  Passing p = {number, (int32_t)(share * SCALE), 0, bench_alloc(FILTER_QUERIES * sizeof(float)), K};
  float *vector = bench_alloc(set->rows * set->dim * sizeof(float)), *distance;
  uint32_t *near;
  for (size_t r = 0; r < set->rows; r++) {
    if (number[r] < p.limit) memcpy(vector + set->dim * p.count++, set->base + r * set->dim, set->dim * sizeof(float));
  }
  if (p.count < K) p.wanted = p.count;
  near = bench_alloc(FILTER_QUERIES * K * sizeof *near);
  distance = bench_alloc(FILTER_QUERIES * K * sizeof *distance);
  data_exact(set, vector, p.count, set->query, FILTER_QUERIES, p.wanted, near, distance);
  for (size_t q = 0; q < FILTER_QUERIES; q++) p.kth[q] = distance[q * p.wanted + p.wanted - 1];
  free(vector);
  free(near);
  free(distance);
  return p;
}

/* The share of true neighbours among the rows given; fails if one does not pass or comes twice. */
static double recall_of(const DataSet *set, const Passing *p, const int64_t *rowids) {
  size_t hits = 0;
  for (size_t q = 0; q < FILTER_QUERIES; q++) {
    float found[K];
    for (size_t i = 0; i < p->wanted; i++) {
      int64_t r = rowids[q * K + i];
      if (r < 1 || (size_t)r > set->rows || p->number[r - 1] >= p->limit)
        bench_fail("query %zu: row %lld does not pass", q, (long long)r);
      for (size_t j = 0; j < i; j++) {
        if (rowids[q * K + j] == r) bench_fail("query %zu: row %lld came twice", q, (long long)r);
      }
      found[i] = data_distance(set, set->query + q * set->dim, set->base + (size_t)(r - 1) * set->dim);
    }
    hits += data_hits(found, p->wanted, p->kth[q]);
  }
  return (double)hits / (double)(FILTER_QUERIES * p->wanted);
}

/* --- passes: seconds for FILTER_QUERIES queries --- */

static double quire_pass(sqlite3_stmt *s, const DataSet *set, const Passing *p, size_t ef, int64_t *rowids) {
  double start = pass_clock();
  for (size_t q = 0; q < FILTER_QUERIES; q++) {
    size_t n = 0;
    sqlite3_bind_blob(s, 1, set->query + q * set->dim, (int)(set->dim * sizeof(float)), SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)ef);
    sqlite3_bind_int(s, 3, p->limit);
    while (n < K && sqlite3_step(s) == SQLITE_ROW) rowids[q * K + n++] = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    if (n != p->wanted) bench_fail("query %zu: %zu rows, not %zu", q, n, p->wanted);
  }
  return pass_clock() - start;
}

typedef struct Rate {
  double qps, recall;
  size_t ef;
} Rate;

static double median_pass(double (*pass)(void *arg), void *arg) {
  double seconds[MAX_RUNS];
  for (size_t r = 0; r < settings.runs; r++) seconds[r] = pass(arg);
  return bench_median(seconds, settings.runs);
}

typedef struct QuireRun {
  sqlite3_stmt *s;
  const DataSet *set;
  const Passing *p;
  size_t ef;
  int64_t *rowids;
} QuireRun;

static double run_quire(void *arg) {
  QuireRun *r = arg;
  return quire_pass(r->s, r->set, r->p, r->ef, r->rowids);
}

static Rate rate_quire(sqlite3 *db, const char *sql, const DataSet *set, const Passing *p) {
  Rate rate = {0, 0, 0};
  QuireRun run = {db_prepare(db, sql), set, p, 0, bench_alloc(FILTER_QUERIES * K * sizeof(int64_t))};
  for (size_t i = 0; i < COUNT(efs) && rate.recall < TARGET; i++) {
    run.ef = rate.ef = efs[i];
    run_quire(&run);
    rate.recall = recall_of(set, p, run.rowids);
  }
  rate.qps = FILTER_QUERIES / median_pass(run_quire, &run);
  sqlite3_finalize(run.s);
  free(run.rowids);
  return rate;
}

typedef struct PeerRun {
  const PeerIndex *peer;
  const DataSet *set;
  const Passing *p;
  size_t ef, short_of; /* queries that gave fewer rows than there are */
  int64_t *rowids;
} PeerRun;

static int passes(void *arg, int64_t label) {
  const Passing *p = arg;
  return p->number[label - 1] < p->limit;
}

static double run_peer(void *arg) {
  PeerRun *r = arg;
  double start = pass_clock();
  r->short_of = 0;
  for (size_t q = 0; q < FILTER_QUERIES; q++) {
    size_t n = peer_search_filtered(r->peer->peer, r->peer->query + q * r->set->dim, K, r->ef, passes, (void *)r->p,
                                    r->rowids + q * K);
    r->short_of += n < r->p->wanted;
    for (; n > 0 && n < K; n++) r->rowids[q * K + n] = -1;
  }
  return pass_clock() - start;
}

static Rate rate_peer(const PeerIndex *peer, const DataSet *set, const Passing *p) {
  Rate rate = {0, 0, 0};
  PeerRun run = {peer, set, p, 0, 0, bench_alloc(FILTER_QUERIES * K * sizeof(int64_t))};
  for (size_t i = 0; i < COUNT(efs) && rate.recall < TARGET; i++) {
    run.ef = rate.ef = efs[i];
    run_peer(&run);
    rate.recall = run.short_of ? 0 : recall_of(set, p, run.rowids);
  }
  rate.qps = FILTER_QUERIES / median_pass(run_peer, &run);
  free(run.rowids);
  return rate;
}

/* --- the table --- */

static void print_rate(const char *what, const char *spread, double share, const Rate *q, const Rate *peer) {
  printf("%-11s %-10s %6.1f%%  %5zu  %.4f %9.0f", what, spread, share * 100, q->ef, q->recall, q->qps);
  if (peer)
    printf("  %5zu  %.4f %9.0f  %7.1f\n", peer->ef, peer->recall, peer->qps, q->qps / peer->qps);
  else
    printf("\n");
  fflush(stdout);
}

static double read_set(void *arg) {
  sqlite3_stmt *s = arg;
  double start = pass_clock();
  for (size_t q = 0; q < FILTER_QUERIES; q++) {
    while (sqlite3_step(s) == SQLITE_ROW) {
    }
    sqlite3_reset(s);
  }
  return pass_clock() - start;
}

/* --- a virtual table that has no rows, and asks for every value of `id IN (...)`: what handing a set over takes --- */

static int taker_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  (void)aux, (void)argc, (void)argv, (void)error;
  *out = bench_alloc(sizeof **out);
  memset(*out, 0, sizeof **out);
  return sqlite3_declare_vtab(db, "CREATE TABLE x(id INTEGER)");
}

static int taker_disconnect(sqlite3_vtab *table) {
  free(table);
  return SQLITE_OK;
}

static int taker_plan(sqlite3_vtab *table, sqlite3_index_info *info) {
  (void)table;
  for (int i = 0; i < info->nConstraint; i++) {
    if (!info->aConstraint[i].usable || !sqlite3_vtab_in(info, i, 1)) continue;
    info->aConstraintUsage[i].argvIndex = 1;
    info->aConstraintUsage[i].omit = 1;
    info->estimatedCost = 1;
    return SQLITE_OK;
  }
  return SQLITE_CONSTRAINT;
}

static int taker_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out) {
  (void)table;
  *out = bench_alloc(sizeof **out);
  memset(*out, 0, sizeof **out);
  return SQLITE_OK;
}

static int taker_close(sqlite3_vtab_cursor *cursor) {
  free(cursor);
  return SQLITE_OK;
}

static int taker_filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int argc, sqlite3_value **argv) {
  sqlite3_value *value;
  int rc = sqlite3_vtab_in_first(argv[0], &value);
  (void)cursor, (void)number, (void)text, (void)argc;
  while (rc == SQLITE_OK) rc = sqlite3_vtab_in_next(argv[0], &value);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int taker_next(sqlite3_vtab_cursor *cursor) {
  (void)cursor;
  return SQLITE_OK;
}

static int taker_eof(sqlite3_vtab_cursor *cursor) {
  (void)cursor;
  return 1;
}

static int taker_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  (void)cursor, (void)context, (void)column;
  return SQLITE_OK;
}

static int taker_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  (void)cursor;
  *rowid = 0;
  return SQLITE_OK;
}

static const sqlite3_module taker = {.xConnect = taker_connect,
                                     .xBestIndex = taker_plan,
                                     .xDisconnect = taker_disconnect,
                                     .xOpen = taker_open,
                                     .xClose = taker_close,
                                     .xFilter = taker_filter,
                                     .xNext = taker_next,
                                     .xEof = taker_eof,
                                     .xColumn = taker_column,
                                     .xRowid = taker_rowid};

/* Seconds of one run of a statement that reads the set. */
static double read_time(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s = db_prepare(db, sql);
  double seconds = median_pass(read_set, s) / FILTER_QUERIES;
  sqlite3_finalize(s);
  return seconds;
}

void bench_filter(const DataSet *set) {
  static const struct {
    const char *name, *sql_any, *sql_near;
  } forms[] = {
      {"partition", "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND part < ?3",
       "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND part_near < ?3"},
      {"metadata", "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND meta < ?3",
       "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND meta_near < ?3"},
      {"join",
       "SELECT t.rowid FROM t CROSS JOIN other o ON o.id = t.rowid WHERE e MATCH ?1 AND ef_search = ?2 AND o.x < ?3 "
       "ORDER BY distance LIMIT 10",
       NULL}};
  Numbers n = make_numbers(set);
  sqlite3 *db = make_table(set, &n);
  PeerIndex peer = peer_index_kept(set);
  if (sqlite3_create_module(db, "taker", &taker, NULL)) bench_fail_db(db, "create_module");
  db_run(db, "BEGIN");
  printf("condition   spread      passes     ef  recall Quire QPS     ef  recall   hnswlib    ratio\n");
  for (size_t i = 0; i < COUNT(shares); i++) {
    for (int near = 0; near < 2; near++) {
      Passing p = make_truth(set, near ? n.near : n.any, shares[i]);
      Rate other = rate_peer(&peer, set, &p);
      for (size_t f = 0; f < COUNT(forms); f++) {
        const char *sql = near ? forms[f].sql_near : forms[f].sql_any;
        Rate rate;
        if (sql == NULL || (f == 2 && shares[i] < 0.05)) continue;
        rate = rate_quire(db, sql, set, &p);
        print_rate(forms[f].name, near ? "together" : "even", shares[i], &rate, &other);
      }
      if (!near && p.count <= 11000) {
        Rate rate;
        double handed, read;
        char sql[128];
        snprintf(sql, sizeof sql, "CREATE TEMP TABLE chosen AS SELECT id FROM other WHERE x < %d", p.limit);
        db_run(db, sql);
        rate = rate_quire(db,
                          "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND rowid IN (SELECT id "
                          "FROM temp.chosen) AND ?3 > 0",
                          set, &p);
        print_rate("rowid set", "even", shares[i], &rate, &other);
        handed = read_time(db, "SELECT 1 FROM taker WHERE id IN (SELECT id FROM temp.chosen)");
        read = read_time(db, "SELECT count(*) FROM other WHERE id = 1 AND id IN (SELECT id FROM temp.chosen)");
        printf("  of %zu rows, which SQLite hands over in %.1f us: %.2f times that; and reads in %.1f us: %.2f\n",
               p.count, handed * 1e6, 1 / rate.qps / handed, read * 1e6, 1 / rate.qps / read);
        db_run(db, "DROP TABLE temp.chosen");
      }
      free(p.kth);
    }
  }
  db_run(db, "COMMIT");
  sqlite3_close(db);
  peer_index_free(&peer);
  free(n.any);
  free(n.near);
}
