/* hnsw_parts.c: see hnsw_parts.h. */
#define _GNU_SOURCE 1
#include "hnsw_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Settings settings;

double pass_clock(void) { return settings.cpu_clock ? bench_cpu() : bench_now(); }

/* --- files --- */

void table_path(const char *file, char *path, size_t path_size) {
  if ((size_t)snprintf(path, path_size, "%s/%s", settings.dir, file) >= path_size)
    bench_fail("%s: too long", settings.dir);
}

/* When a file was last changed, in nanoseconds; 0: there is none. */
static sqlite3_int64 changed_at(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return 0;
  return (sqlite3_int64)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* Whether a kept file can stand for the set: it was made after the set's vectors. */
static int is_kept(const char *path, const DataSet *set) {
  char name[64], vectors[1024];
  snprintf(name, sizeof name, "%s.vectors", set->name);
  table_path(name, vectors, sizeof vectors);
  return !settings.force && changed_at(path) > changed_at(vectors);
}

/* --- Quire --- */

int index_is_exact(void) { return strncmp(settings.index, "flat", 4) == 0; }

int index_is_lists(void) { return strncmp(settings.index, "ivf", 3) == 0; }

/* The hidden column that says how far a search looks. */
static const char *effort(void) { return index_is_lists() ? "nprobe" : "ef_search"; }

sqlite3 *table_new(const char *file, const DataSet *set, const char *options) {
  char path[1024], sql[1024];
  sqlite3 *db;
  table_path(file, path, sizeof path);
  db_remove(path);
  db = db_open(path, settings.lib);
  snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE t USING quire(e float[%zu] distance_metric=%s INDEXED BY %s%s)",
           set->dim, set->cosine ? "cosine" : "l2", settings.index, options);
  db_run(db, sql);
  return db;
}

sqlite3_int64 table_stat(sqlite3 *db, const char *name) {
  char sql[256];
  snprintf(sql, sizeof sql, "SELECT value FROM quire WHERE name = '%s'", name);
  return db_value(db, sql);
}

/* What a kept database depends on: the index, then the library that made it. */
static void table_key(char *key, size_t size, size_t *index_part) {
  char lib[1024];
  snprintf(lib, sizeof lib, "%s.so", settings.lib);
  if (changed_at(lib) == 0) snprintf(lib, sizeof lib, "%s", settings.lib);
  *index_part = (size_t)snprintf(key, size, "%s%s\n", settings.index, settings.optimize ? ", optimized" : "");
  snprintf(key + *index_part, size - *index_part, "library of %lld\n", changed_at(lib));
}

static int key_matches(const char *path, const char *key, size_t index_part) {
  char found[2048] = "";
  FILE *f = fopen(path, "r");
  if (f == NULL) return 0;
  found[fread(found, 1, sizeof found - 1, f)] = 0;
  fclose(f);
  return strcmp(found, key) == 0 || (settings.reuse && strncmp(found, key, index_part) == 0);
}

/* FNV-1a, for a part of a file name. */
static uint32_t hash_of(const char *text, size_t size) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)text[i]) * 16777619u;
  return h;
}

sqlite3 *table_kept(const DataSet *set, char *path, size_t path_size) {
  char file[128], key_path[1100], key[2048];
  size_t index_part;
  double seconds;
  sqlite3 *db;
  FILE *f;
  table_key(key, sizeof key, &index_part);
  snprintf(file, sizeof file, "%s-%zu-%08x.db", set->name, set->rows, hash_of(key, index_part));
  table_path(file, path, path_size);
  snprintf(key_path, sizeof key_path, "%s.key", path);
  if (is_kept(key_path, set) && key_matches(key_path, key, index_part)) {
    db = db_open(path, settings.lib);
    if (table_stat(db, "live_slots") == (sqlite3_int64)set->rows) return db;
    sqlite3_close(db);
  }
  unlink(key_path);
  db = table_new(file, set, "");
  seconds = db_insert(db, set->base, set->rows, set->dim, 1, INSERT_ALL, NULL);
  db_run(db, "INSERT INTO t(t) VALUES('fold')");
  if (settings.optimize) db_run(db, "INSERT INTO t(t) VALUES('optimize')");
  db_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
  printf("made %s in %.1f s, %.0f vectors/s\n", file, seconds, (double)set->rows / seconds);
  f = fopen(key_path, "w");
  if (f == NULL || fputs(key, f) < 0 || fclose(f) != 0) bench_fail("%s: cannot write it", key_path);
  return db;
}

/* --- answers --- */

Truth truth_of(const DataSet *set) {
  return (Truth){set, set->base, set->rows, NULL, set->near_distance, DATA_NEIGHBOURS};
}

Answers answers_new(void) {
  Answers a = {bench_alloc(DATA_QUERIES * K * sizeof *a.rowid), bench_alloc(DATA_QUERIES * K * sizeof *a.distance)};
  for (size_t i = 0; i < DATA_QUERIES * K; i++) a.distance[i] = -1;
  return a;
}

void answers_free(Answers *a) {
  free(a->rowid);
  free(a->distance);
}

static void check_rowids(const Truth *truth, size_t q, const int64_t *rowid) {
  for (size_t i = 0; i < K; i++) {
    if (rowid[i] < 1 || (size_t)rowid[i] > truth->rowids)
      bench_fail("query %zu: there is no row %lld", q, (long long)rowid[i]);
    if (truth->live && !truth->live[rowid[i] - 1])
      bench_fail("query %zu: row %lld was deleted", q, (long long)rowid[i]);
    for (size_t j = 0; j < i; j++) {
      if (rowid[j] == rowid[i]) bench_fail("query %zu: row %lld came twice", q, (long long)rowid[i]);
    }
  }
}

/* Quire's distances are l2, not squared, and 1 - cosine: rounded from sums of another order than ours. */
static void check_distances(const Truth *truth, size_t q, const double *given, const float *found) {
  for (size_t i = 0; i < K; i++) {
    double want = truth->set->cosine ? (double)found[i] / 2 : sqrt((double)found[i]);
    if (fabs(given[i] - want) > 1e-4 * want + 1e-6) {
      bench_fail("query %zu: distance %zu is %g, not %g", q, i, given[i], want);
    }
    if (i > 0 && given[i] < given[i - 1]) bench_fail("query %zu: distances are not in order", q);
  }
}

double answers_recall(const Answers *a, const Truth *truth) {
  const DataSet *set = truth->set;
  float found[K];
  size_t hits = 0;
  for (size_t q = 0; q < DATA_QUERIES; q++) {
    const int64_t *rowid = a->rowid + q * K;
    check_rowids(truth, q, rowid);
    for (size_t i = 0; i < K; i++) {
      found[i] = data_distance(set, set->query + q * set->dim, truth->vector + (size_t)(rowid[i] - 1) * set->dim);
    }
    if (a->distance[q * K] >= 0) check_distances(truth, q, a->distance + q * K, found);
    hits += data_hits(found, K, truth->kth[q * truth->kth_stride + K - 1]);
  }
  return (double)hits / (DATA_QUERIES * K);
}

/* --- passes --- */

sqlite3_stmt *knn_prepare(sqlite3 *db) {
  char sql[160];
  snprintf(sql, sizeof sql, "SELECT rowid, distance FROM t WHERE e MATCH ?1 AND k = %d%s%s%s", K,
           index_is_exact() ? "" : " AND ", index_is_exact() ? "" : effort(), index_is_exact() ? "" : " = ?2");
  return db_prepare(db, sql);
}

double knn_pass(sqlite3_stmt *s, const DataSet *set, size_t ef, Answers *out) {
  double start = pass_clock();
  for (size_t q = 0; q < DATA_QUERIES; q++) {
    size_t n = 0;
    sqlite3_bind_blob(s, 1, set->query + q * set->dim, (int)(set->dim * sizeof(float)), SQLITE_STATIC);
    if (sqlite3_bind_parameter_count(s) > 1) sqlite3_bind_int64(s, 2, (sqlite3_int64)ef);
    while (sqlite3_step(s) == SQLITE_ROW) {
      if (n == K) bench_fail("query %zu: more than %d rows", q, K);
      out->rowid[q * K + n] = sqlite3_column_int64(s, 0);
      out->distance[q * K + n] = sqlite3_column_double(s, 1);
      n++;
    }
    if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(sqlite3_db_handle(s), "knn");
    if (n != K) bench_fail("query %zu: %zu rows, not %d", q, n, K);
  }
  return pass_clock() - start;
}

TablePass table_pass(sqlite3 *db) { return (TablePass){knn_prepare(db), index_is_exact(), index_is_lists()}; }

static double run_table(void *of, const DataSet *set, size_t effort, Answers *out) {
  return knn_pass(((TablePass *)of)->s, set, effort, out);
}

Contender table_contender(const char *name, TablePass *table) {
  return (Contender){name, table->lists ? list_probes : graph_efs, table->exact, run_table, table};
}

/* --- the peer --- */

static void to_unit(const DataSet *set, const float *v, float *out) {
  double sum = 0;
  for (size_t i = 0; i < set->dim; i++) sum += (double)v[i] * (double)v[i];
  for (size_t i = 0; i < set->dim; i++) out[i] = sum > 0 ? v[i] * (float)(1 / sqrt(sum)) : 0;
}

float *peer_queries(const DataSet *set) {
  float *out = bench_alloc(DATA_QUERIES * set->dim * sizeof(float));
  memcpy(out, set->query, DATA_QUERIES * set->dim * sizeof(float));
  for (size_t q = 0; set->cosine && q < DATA_QUERIES; q++) to_unit(set, set->query + q * set->dim, out + q * set->dim);
  return out;
}

PeerIndex peer_index_new(const DataSet *set, size_t max_rows) {
  return (PeerIndex){peer_new(set->dim, set->cosine, max_rows, M, EF_CONSTRUCTION), peer_queries(set)};
}

void peer_index_add(PeerIndex *p, const DataSet *set, const float *vector, size_t count, int64_t first_rowid) {
  float *unit = bench_alloc(set->dim * sizeof(float));
  for (size_t i = 0; i < count; i++) {
    const float *v = vector + i * set->dim;
    if (set->cosine) to_unit(set, v, unit);
    peer_add(p->peer, set->cosine ? unit : v, first_rowid + (int64_t)i);
  }
  free(unit);
}

PeerIndex peer_index_kept(const DataSet *set) {
  char file[128], path[1024], part[1100];
  PeerIndex p;
  double start;
  snprintf(file, sizeof file, "%s-%zu-m%d-efc%d.hnswlib", set->name, set->rows, M, EF_CONSTRUCTION);
  table_path(file, path, sizeof path);
  if (is_kept(path, set)) return (PeerIndex){peer_load(set->dim, set->cosine, path), peer_queries(set)};
  p = peer_index_new(set, set->rows);
  start = bench_now();
  peer_index_add(&p, set, set->base, set->rows, 1);
  start = bench_now() - start;
  printf("made %s in %.1f s, %.0f vectors/s\n", file, start, (double)set->rows / start);
  snprintf(part, sizeof part, "%s.part", path); /* renamed when whole */
  peer_save(p.peer, part);
  if (rename(part, path) != 0) bench_fail("%s: cannot rename it", part);
  return p;
}

double peer_index_pass(const PeerIndex *p, const DataSet *set, size_t ef, Answers *out) {
  double start = pass_clock();
  for (size_t q = 0; q < DATA_QUERIES; q++) {
    size_t n = peer_search(p->peer, p->query + q * set->dim, K, ef, out->rowid + q * K);
    if (n != K) bench_fail("hnswlib, query %zu: %zu rows, not %d", q, n, K);
  }
  return pass_clock() - start;
}

double peer_pass(void *peer_index, const DataSet *set, size_t ef, Answers *out) {
  return peer_index_pass(peer_index, set, ef, out);
}

void peer_index_free(PeerIndex *p) {
  peer_free(p->peer);
  free(p->query);
}
