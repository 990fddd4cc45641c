/*
 * hnsw_write.c: rows that come and go under a graph: `commit`, `churn` and `duplicates` of bench/hnsw.c.
 */
#define _GNU_SOURCE 1
#include "hnsw_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void remove_made(const char *file) {
  char path[1024];
  table_path(file, path, sizeof path);
  db_remove(path);
}

/* Microseconds of a query, the mean of a pass; the answers are not looked at. */
static double query_us(sqlite3 *db, const DataSet *set) {
  Answers a = answers_new();
  sqlite3_stmt *s = knn_prepare(db);
  double seconds;
  knn_pass(s, set, FIXED_EF, &a);
  seconds = knn_pass(s, set, FIXED_EF, &a);
  sqlite3_finalize(s);
  answers_free(&a);
  return 1e6 * seconds / DATA_QUERIES;
}

/* --- commit --- */

#define COMMIT_ROWS 100000 /* before the single commits */

/* Bytes that this process has given to write calls, SQLite's log and checkpoints included. Linux only; else 0. */
static double bytes_given(void) {
  char line[128];
  double bytes = 0;
  FILE *f = fopen("/proc/self/io", "r");
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, "wchar: ", 7) == 0) bytes = atof(line + 7);
  }
  if (f) fclose(f);
  return bytes;
}

/* The rows of vectors that a test takes from, in order. */
typedef struct Supply {
  const float *vector;
  size_t dim, used, count;
  sqlite3_int64 next_rowid;
} Supply;

static double commit_rows(sqlite3 *db, Supply *s, size_t count, double *latency) {
  double seconds;
  if (s->used + count > s->count) bench_fail("commit: more rows than were made");
  seconds = db_insert(db, s->vector + s->used * s->dim, count, s->dim, s->next_rowid, INSERT_SINGLY, latency);
  s->used += count;
  s->next_rowid += (sqlite3_int64)count;
  return seconds;
}

/* From an empty delta, commit rows until a fold takes some: how many were committed. `limit` if none does. */
static size_t rows_until_fold(sqlite3 *db, Supply *s, size_t limit) {
  sqlite3_int64 before = 0, now = 0;
  size_t rows = 0;
  for (; rows < limit && now >= before; rows += 16) {
    before = now;
    commit_rows(db, s, 16, NULL);
    now = table_stat(db, "delta_rows");
  }
  return rows;
}

static void commit_with(const DataSet *set, const char *fold_rows, const float *more, size_t more_count) {
  size_t rows = set->rows < COMMIT_ROWS ? set->rows : COMMIT_ROWS, n = settings.commits, cycle;
  double *latency = bench_alloc(n * sizeof *latency), seconds, given, folded, half;
  Supply supply = {more, set->dim, 0, more_count, (sqlite3_int64)rows + 1};
  sqlite3_int64 pages, folds;
  char options[64] = "";
  sqlite3 *db;
  if (strcmp(fold_rows, "default") != 0) snprintf(options, sizeof options, ", fold_rows=%s", fold_rows);
  db = table_new("commit.db", set, options);
  db_insert(db, set->base, rows, set->dim, 1, INSERT_ALL, NULL);
  db_run(db, "INSERT INTO t(t) VALUES('fold'); PRAGMA wal_checkpoint(TRUNCATE)");
  pages = table_stat(db, "pages_written");
  folds = table_stat(db, "folds");
  given = bytes_given();
  seconds = commit_rows(db, &supply, n, latency);
  given = bytes_given() - given;
  pages = table_stat(db, "pages_written") - pages;
  folds = table_stat(db, "folds") - folds;
  db_run(db, "INSERT INTO t(t) VALUES('fold')");
  folded = query_us(db, set);
  cycle = rows_until_fold(db, &supply, n);
  db_run(db, "INSERT INTO t(t) VALUES('fold')");
  commit_rows(db, &supply, cycle / 2, NULL);
  half = query_us(db, set);
  bench_median(latency, n); /* sorts */
  printf("%9s %8.0f %6lld %9.3f %9.3f %9.1f %10.0f %10.0f %9.1f %9.1f %6zu\n", fold_rows, (double)n / seconds, folds,
         1e3 * latency[n / 2], 1e3 * latency[n - n / 100 - 1], 1e3 * latency[n - 1],
         (double)pages * PAGE_BYTES / (double)n, given / (double)n, folded, half, cycle);
  fflush(stdout);
  sqlite3_close(db);
  remove_made("commit.db");
  free(latency);
}

void bench_commit(const DataSet *set) {
  char *list = strdup(settings.fold_rows), *rest = NULL;
  size_t more_count = 3 * settings.commits + 16;
  float *more = data_more(set, 0, more_count);
  if (settings.commits < 100) bench_fail("COMMITS: 100 or more");
  printf("%zu commits of one row, WAL, synchronous NORMAL; queries at ef %d\n"
         "                           milliseconds of a commit    bytes written a row      us a query, delta    delta\n"
         "fold_rows   rows/s  folds       p50       p99       max      pages      total     empty half full   rows\n",
         settings.commits, FIXED_EF);
  for (char *word = strtok_r(list, " ,", &rest); word; word = strtok_r(NULL, " ,", &rest)) {
    commit_with(set, word, more, more_count);
  }
  free(more);
  free(list);
}

/* --- churn --- */

#define CHURN_STEPS 10
static const size_t churn_efs[] = {40, 80, 160};
#define CHURN_EFS (sizeof churn_efs / sizeof churn_efs[0])

/* True distances of the live rows' neighbours, K for each query. The caller frees. */
static float *live_truth(const DataSet *set, const float *vector, const char *live, size_t rowids,
                         float **live_vectors) {
  float *kth = bench_alloc(DATA_QUERIES * K * sizeof *kth), *v = bench_alloc(set->rows * set->dim * sizeof *v);
  uint32_t *near = bench_alloc(DATA_QUERIES * K * sizeof *near);
  size_t count = 0;
  for (size_t i = 0; i < rowids; i++) {
    if (live[i]) memcpy(v + count++ * set->dim, vector + i * set->dim, set->dim * sizeof *v);
  }
  data_exact(set, v, count, set->query, DATA_QUERIES, K, near, kth);
  free(near);
  *live_vectors = v;
  return kth;
}

static void print_recalls(const char *what, sqlite3 *db, const Truth *truth) {
  sqlite3_stmt *s = knn_prepare(db);
  Answers a = answers_new();
  printf("%-22s", what);
  for (size_t i = 0; i < CHURN_EFS; i++) {
    double seconds = knn_pass(s, truth->set, churn_efs[i], &a);
    seconds = knn_pass(s, truth->set, churn_efs[i], &a);
    printf("   %.4f %8.0f", answers_recall(&a, truth), DATA_QUERIES / seconds);
  }
  printf("\n");
  fflush(stdout);
  sqlite3_finalize(s);
  answers_free(&a);
}

/* Numbers below n in an order of their own, always the same. */
static size_t *shuffled(size_t n) {
  size_t *order = bench_alloc(n * sizeof *order);
  uint64_t state = 1;
  for (size_t i = 0; i < n; i++) {
    size_t j;
    state = state * 6364136223846793005u + 1442695040888963407u;
    j = (size_t)((state >> 33) % (i + 1));
    order[i] = order[j];
    order[j] = i;
  }
  return order;
}

static void delete_rows(sqlite3 *db, const size_t *row, size_t count, char *live) {
  sqlite3_stmt *s = db_prepare(db, "DELETE FROM t WHERE rowid = ?1");
  for (size_t i = 0; i < count; i++) {
    sqlite3_bind_int64(s, 1, (sqlite3_int64)row[i] + 1);
    sqlite3_step(s);
    if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(db, "delete");
    live[row[i]] = 0;
  }
  sqlite3_finalize(s);
}

void bench_churn(const DataSet *set) {
  size_t n = set->rows, *order = shuffled(n);
  float *vector = bench_alloc(2 * n * set->dim * sizeof *vector), *more = data_more(set, 0, n), *live_vectors = NULL,
        *kth;
  char *live = calloc(2 * n, 1);
  Truth truth = truth_of(set);
  sqlite3 *db;
  if (live == NULL) bench_fail("no memory");
  memcpy(vector, set->base, n * set->dim * sizeof *vector);
  memcpy(vector + n * set->dim, more, n * set->dim * sizeof *vector);
  free(more);
  memset(live, 1, n);
  printf("%-22s", "recall, queries/s");
  for (size_t i = 0; i < CHURN_EFS; i++) printf("   at ef %-8zu ", churn_efs[i]);
  printf("\n");
  db = table_new("churn.db", set, "");
  db_insert(db, set->base, n, set->dim, 1, INSERT_ALL, NULL);
  db_run(db, "INSERT INTO t(t) VALUES('fold')");
  print_recalls("before", db, &truth);
  for (size_t step = 0; step < CHURN_STEPS; step++) {
    size_t first = n * step / CHURN_STEPS, end = n * (step + 1) / CHURN_STEPS;
    char what[32];
    db_run(db, "BEGIN");
    delete_rows(db, order + first, end - first, live);
    db_run(db, "COMMIT");
    db_insert(db, vector + (n + first) * set->dim, end - first, set->dim, (sqlite3_int64)(n + first) + 1, INSERT_ALL,
              NULL);
    memset(live + n + first, 1, end - first);
    db_run(db, "INSERT INTO t(t) VALUES('fold')"); /* no delta that is searched exactly */
    kth = live_truth(set, vector, live, 2 * n, &live_vectors);
    truth = (Truth){set, vector, 2 * n, live, kth, K};
    snprintf(what, sizeof what, "%zu %% replaced", 100 * (step + 1) / CHURN_STEPS);
    print_recalls(what, db, &truth);
    free(kth);
    free(live_vectors);
  }
  db_run(db, "INSERT INTO t(t) VALUES('integrity-check')");
  sqlite3_close(db);
  remove_made("churn.db");
  /* The same rows, which are now all the new ones. */
  db = table_new("churn.db", set, "");
  db_insert(db, vector + n * set->dim, n, set->dim, (sqlite3_int64)n + 1, INSERT_ALL, NULL);
  db_run(db, "INSERT INTO t(t) VALUES('fold')");
  kth = live_truth(set, vector, live, 2 * n, &live_vectors);
  truth = (Truth){set, vector, 2 * n, live, kth, K};
  print_recalls("built from those rows", db, &truth);
  sqlite3_close(db);
  remove_made("churn.db");
  free(kth);
  free(live_vectors);
  free(vector);
  free(live);
  free(order);
}

/* --- duplicates --- */

#define DUPLICATES 10000

/* The set with every rows / DUPLICATES-th vector the same as the first. The caller frees the vectors. */
static DataSet with_duplicates(const DataSet *set) {
  DataSet out = *set;
  size_t step = set->rows / DUPLICATES;
  float *v = bench_alloc(set->rows * set->dim * sizeof *v);
  if (step < 2) bench_fail("duplicates: the set has %zu rows; %d are wanted", set->rows, 2 * DUPLICATES);
  memcpy(v, set->base, set->rows * set->dim * sizeof *v);
  for (size_t i = 0; i < DUPLICATES; i++) memcpy(v + i * step * set->dim, v, set->dim * sizeof *v);
  out.base = v;
  return out;
}

/* A set whose queries are a hundredth of the way from the duplicated vector to the set's. The caller frees them. */
static DataSet near_duplicates(const DataSet *set) {
  DataSet out = *set;
  float *q = bench_alloc(DATA_QUERIES * set->dim * sizeof *q);
  for (size_t i = 0; i < DATA_QUERIES * set->dim; i++) {
    float from = set->base[i % set->dim];
    q[i] = from + 0.01f * (set->query[i] - from);
  }
  out.query = q;
  return out;
}

typedef struct Figures {
  double seconds[MAX_RUNS]; /* of a pass, by run */
  double recall;
} Figures;

static void print_duplicates(const char *what, const char *queries, double build, Figures *f, size_t rows) {
  printf("%-9s %-22s %9.0f %8.0f %9.4f\n", what, queries, (double)rows / build,
         DATA_QUERIES / bench_median(f->seconds, settings.runs), f->recall);
}

/* Both indexes over `set`, asked the queries of it and, if not NULL, of `other`. */
static void compare_on(const char *rows, const DataSet *set, const DataSet *other) {
  const DataSet *asked[2] = {set, other};
  Answers a = answers_new(), b = answers_new();
  PeerIndex peer = peer_index_new(set, set->rows);
  float *kth = bench_alloc(DATA_QUERIES * K * sizeof *kth), *own_queries = peer.query;
  uint32_t *near = bench_alloc(DATA_QUERIES * K * sizeof *near);
  double quire_build, peer_build = bench_now();
  sqlite3_stmt *s;
  sqlite3 *db;
  peer_index_add(&peer, set, set->base, set->rows, 1);
  peer_build = bench_now() - peer_build;
  db = table_new("duplicates.db", set, "");
  quire_build = db_insert(db, set->base, set->rows, set->dim, 1, INSERT_ALL, NULL);
  db_run(db, "INSERT INTO t(t) VALUES('fold')");
  s = knn_prepare(db);
  for (size_t i = 0; i < 2 && asked[i]; i++) {
    Truth truth = {set, set->base, set->rows, NULL, kth, K};
    Figures quire, hnswlib;
    truth.set = asked[i];
    data_exact(set, set->base, set->rows, asked[i]->query, DATA_QUERIES, K, near, kth);
    peer.query = peer_queries(asked[i]);
    for (size_t r = 0; r < settings.runs; r++) {
      quire.seconds[r] = knn_pass(s, asked[i], FIXED_EF, &a);
      hnswlib.seconds[r] = peer_index_pass(&peer, asked[i], FIXED_EF, &b);
    }
    quire.recall = answers_recall(&a, &truth);
    hnswlib.recall = answers_recall(&b, &truth);
    printf("%-24s", rows);
    print_duplicates("Quire", i ? "near the equal ones" : "held out", quire_build, &quire, set->rows);
    printf("%-24s", rows);
    print_duplicates("hnswlib", i ? "near the equal ones" : "held out", peer_build, &hnswlib, set->rows);
    free(peer.query);
  }
  peer.query = own_queries;
  db_run(db, "INSERT INTO t(t) VALUES('integrity-check')");
  sqlite3_finalize(s);
  sqlite3_close(db);
  remove_made("duplicates.db");
  peer_index_free(&peer);
  answers_free(&a);
  answers_free(&b);
  free(kth);
  free(near);
}

void bench_duplicates(const DataSet *set) {
  DataSet equal = with_duplicates(set), queries = near_duplicates(&equal);
  printf("%-24s%-9s %-22s vectors/s       QPS    recall at ef %d\n", "rows", "index", "queries", FIXED_EF);
  compare_on("as they are", set, NULL);
  compare_on("10,000 of them equal", &equal, &queries);
  free((void *)(uintptr_t)equal.base);
  free((void *)(uintptr_t)queries.query);
}
