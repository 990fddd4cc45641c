/*
 * hnsw_filter.c: searches with conditions beside hnswlib with a filter callback, by how many rows pass.
 *
 * Rows get numbers: `any` is random, so that what passes is spread evenly; `near` is the row's place when rows are ordered along a random direction, so
 * that rows which pass lie together. A condition `any < s` lets a share s of the rows pass, of 1,000,000. Asked as
 *
 *   partition     the column is a partition key
 *   metadata      a metadata column
 *   new metadata  the same with a condition that was not asked for before
 *   join          a row of an ordinary table, joined (only what SQLite can filter behind the search)
 *   rowid set     rowid IN (SELECT id FROM chosen), up to 10,000 rows; beside it what SQLite takes to hand that set to a virtual table which
 *                 does nothing with it, and to read it in a query of its own
 *   other sets    the same with a set that is not the one before
 *
 * Each is swept over ef until recall@10 is 0.95, as is hnswlib; the figures are those at the first ef that reaches it, timed in turns. Always exactly
 * 10 rows, or as many as pass.
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

/* --- what is timed: each at the first ef that reaches the recall, all of one share of rows in turns --- */

#define MOST_TIMED 12

typedef struct Timed {
  const char *name;
  double (*pass)(void *timed);
  const DataSet *set;
  const Passing *p;
  sqlite3_stmt *s;       /* ours, and what SQLite does alone */
  const PeerIndex *peer; /* or hnswlib */
  size_t ef;
  double recall, seconds[MAX_RUNS];
  int64_t *rowids;
} Timed;

static double run_quire(void *timed) {
  Timed *t = timed;
  return quire_pass(t->s, t->set, t->p, t->ef, t->rowids);
}

static int passes(void *arg, int64_t label) {
  const Passing *p = arg;
  return p->number[label - 1] < p->limit;
}

static double run_peer(void *timed) {
  Timed *t = timed;
  double start = pass_clock();
  for (size_t q = 0; q < FILTER_QUERIES; q++) {
    size_t n = peer_search_filtered(t->peer->peer, t->peer->query + q * t->set->dim, K, t->ef, passes, (void *)t->p,
                                    t->rowids + q * K);
    if (n < t->p->wanted) t->rowids[q * K] = -1; /* this ef is too small */
  }
  return pass_clock() - start;
}

static double run_read(void *timed) {
  Timed *t = timed;
  double start = pass_clock();
  for (size_t q = 0; q < FILTER_QUERIES; q++) {
    while (sqlite3_step(t->s) == SQLITE_ROW) {
    }
    sqlite3_reset(t->s);
  }
  return pass_clock() - start;
}

static int is_short(const Timed *t) {
  for (size_t q = 0; q < FILTER_QUERIES; q++) {
    if (t->peer && t->rowids[q * K] < 0) return 1;
  }
  return 0;
}

/* Add a search, and find its ef. */
static void add_search(Timed *timed, size_t *count, const char *name, const DataSet *set, const Passing *p,
                       sqlite3_stmt *s, const PeerIndex *peer) {
  Timed *t = &timed[(*count)++];
  *t = (Timed){.name = name, .pass = s ? run_quire : run_peer, .set = set, .p = p, .s = s, .peer = peer};
  t->rowids = bench_alloc(FILTER_QUERIES * K * sizeof(int64_t));
  for (size_t i = 0; i < COUNT(efs) && t->recall < TARGET; i++) {
    t->ef = efs[i];
    t->pass(t);
    t->recall = is_short(t) ? 0 : recall_of(set, p, t->rowids);
  }
}

static void add_read(Timed *timed, size_t *count, const char *name, sqlite3_stmt *s) {
  timed[(*count)++] = (Timed){.name = name, .pass = run_read, .s = s};
}

static void time_all(Timed *timed, size_t count) {
  for (size_t r = 0; r < settings.runs; r++) {
    for (size_t i = 0; i < count; i++) timed[i].seconds[r] = timed[i].pass(&timed[i]);
  }
}

/* The median over the turns of the time of one by that of another. */
static double ratio_of(const Timed *a, const Timed *b) {
  double ratio[MAX_RUNS];
  for (size_t r = 0; r < settings.runs; r++) ratio[r] = a->seconds[r] / b->seconds[r];
  return bench_median(ratio, settings.runs);
}

static double seconds_of(const Timed *t) {
  double seconds[MAX_RUNS];
  memcpy(seconds, t->seconds, sizeof seconds);
  return bench_median(seconds, settings.runs) / FILTER_QUERIES;
}

static void free_all(Timed *timed, size_t count) {
  for (size_t i = 0; i < count; i++) {
    sqlite3_finalize(timed[i].s);
    free(timed[i].rowids);
  }
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

/* --- the table --- */

static const struct Form {
  const char *name, *sql_any, *sql_near;
} forms[] = {
    {"partition", "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND part < ?3",
     "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND part_near < ?3"},
    {"metadata", "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND meta < ?3",
     "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND meta_near < ?3"},
    {"new metadata",
     "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND meta < ?3 AND meta > -1 - "
     "abs(random()) % 1000000000",
     "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND meta_near < ?3 AND meta_near > -1 - "
     "abs(random()) % 1000000000"},
    {"join",
     "SELECT t.rowid FROM t CROSS JOIN other o ON o.id = t.rowid WHERE e MATCH ?1 AND ef_search = ?2 AND "
     "o.x < ?3 ORDER BY distance LIMIT 10",
     NULL}};
/* With a set: of the second kind mostly another one each time, a few of its first rows left out. */
static sqlite3_stmt *prepare_with(sqlite3 *db, const char *sql, const DataSet *set, int other) {
  char all[512], where[128] = "";
  if (other) snprintf(where, sizeof where, " WHERE id > (SELECT abs(random()) %% %zu)", set->rows / 100);
  snprintf(all, sizeof all, "%s (SELECT id FROM temp.chosen%s)", sql, where);
  return db_prepare(db, all);
}

static void add_sets(sqlite3 *db, Timed *timed, size_t *count, const DataSet *set, const Passing *p) {
  char sql[128];
  snprintf(sql, sizeof sql, "CREATE TEMP TABLE chosen AS SELECT id FROM other WHERE x < %d", p->limit);
  db_run(db, sql);
  for (int other = 0; other < 2; other++) {
    add_search(
        timed, count, other ? "other sets" : "rowid set", set, p,
        prepare_with(db, "SELECT rowid FROM t WHERE e MATCH ?1 AND k = 10 AND ef_search = ?2 AND ?3 > 0 AND rowid IN",
                     set, other),
        NULL);
    add_read(timed, count, "  SQLite: handed over", prepare_with(db, "SELECT 1 FROM taker WHERE id IN", set, other));
    add_read(timed, count, "  SQLite: read",
             prepare_with(db, "SELECT count(*) FROM other WHERE id = 1 AND id IN", set, other));
  }
}

static void print_all(const Timed *timed, size_t count, int near, double share) {
  const Timed *peer = &timed[0], *search = NULL;
  for (size_t i = 1; i < count; i++) {
    const Timed *t = &timed[i];
    if (t->pass == run_read) {
      printf("%-25s %56.1f us   %7.2f times that\n", t->name, seconds_of(t) * 1e6, ratio_of(search, t));
      continue;
    }
    search = t;
    printf("%-13s %-10s %6.1f%%  %5zu  %.4f %9.0f  %5zu  %.4f %9.0f  %7.1f\n", t->name, near ? "together" : "even",
           share * 100, t->ef, t->recall, 1 / seconds_of(t), peer->ef, peer->recall, 1 / seconds_of(peer),
           ratio_of(peer, t));
  }
  fflush(stdout);
}

void bench_filter(const DataSet *set) {
  Numbers n = make_numbers(set);
  sqlite3 *db = make_table(set, &n);
  PeerIndex peer = peer_index_kept(set);
  if (sqlite3_create_module(db, "taker", &taker, NULL)) bench_fail_db(db, "create_module");
  db_run(db, "BEGIN");
  printf("condition     spread      passes     ef  recall Quire QPS     ef  recall   hnswlib    ratio\n");
  for (size_t i = 0; i < COUNT(shares); i++) {
    for (int near = 0; near < 2; near++) {
      Passing p = make_truth(set, near ? n.near : n.any, shares[i]);
      Timed timed[MOST_TIMED];
      size_t count = 0;
      int sets = !near && p.count <= 11000;
      add_search(timed, &count, "hnswlib", set, &p, NULL, &peer);
      for (size_t f = 0; f < COUNT(forms); f++) {
        const char *sql = near ? forms[f].sql_near : forms[f].sql_any;
        if (sql == NULL || (f == 3 && shares[i] < 0.05)) continue;
        add_search(timed, &count, forms[f].name, set, &p, db_prepare(db, sql), NULL);
      }
      if (sets) add_sets(db, timed, &count, set, &p);
      time_all(timed, count);
      print_all(timed, count, near, shares[i]);
      free_all(timed, count);
      if (sets) db_run(db, "DROP TABLE temp.chosen");
      free(p.kth);
    }
  }
  db_run(db, "COMMIT");
  sqlite3_close(db);
  peer_index_free(&peer);
  free(n.any);
  free(n.near);
}
