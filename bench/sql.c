/*
 * sql.c: speed through SQL, with the answers checked in the same run.
 *
 *   sql insert  N DIM   N rows in one transaction: quire against an ordinary rowid table with the same blobs
 *   sql commit  N DIM   one row per commit, WAL, synchronous NORMAL: the same two
 *   sql knn     N DIM   exact k = 10: quire against sqlite-vec (PEER) when given; recall and row count against brute force;
 *                       bytes of vectors answered for per second (code rows are a quarter of what is read then) beside a plain sum
 *   sql open    N DIM   open a database of N rows and ask the first point query, the first KNN
 *   sql memory  N DIM   peak resident memory of a bulk insert of N rows
 *   sql homes   N DIM   pages in a file and inline: N rows in one transaction, commits of 100 rows each, exact and graph queries, sizes
 *
 * Every figure is the median of RUNS (default 5) in turns, quire and peer; ratios are within one run. Databases are made in BENCH_DIR
 * (default /tmp). QUIRE_LIB and PEER name the libraries.
 */
#define _GNU_SOURCE 1
#include "bench.h"
#include "data.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define K 10
#define BATCH 10 /* queries in a row before the other library's turn */

static const char *quire_lib, *peer_lib, *dir;
static int runs = 5;

static float *make_all(int n, int dim, uint64_t first) { return data_clustered((size_t)dim, first, (size_t)n); }

static const char *path_of(const char *name) {
  static char path[2][1024]; /* two databases at a time */
  static int turn;
  turn = !turn;
  snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
  return path[turn];
}
static void remove_db(const char *name) { db_remove(path_of(name)); }
static sqlite3 *open_db(const char *name, const char *lib, int fresh) {
  if (fresh) remove_db(name);
  return db_open(path_of(name), lib);
}
static double insert(sqlite3 *db, const float *v, int n, int dim, InsertHow how) {
  return db_insert(db, v, (size_t)n, (size_t)dim, 1, how, NULL);
}

/* A table t(rowid, e) of a module, exact, or an ordinary one if NULL. */
static void create(sqlite3 *db, const char *module, int dim) {
  char sql[160];
  if (module) {
    snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE t USING %s(e float[%d]%s)", module, dim,
             strcmp(module, "quire") == 0 ? " INDEXED BY flat()" : "");
  } else {
    snprintf(sql, sizeof sql, "CREATE TABLE t(rowid INTEGER PRIMARY KEY, e BLOB)");
  }
  db_run(db, sql);
}

static void bench_insert(int n, int dim, InsertHow how) {
  double q[MAX_RUNS], p[MAX_RUNS], ratio[MAX_RUNS];
  float *v = make_all(n, dim, 1);
  int r;
  for (r = 0; r < runs; r++) {
    sqlite3 *a = open_db("bench-a.db", quire_lib, 1), *b = open_db("bench-b.db", NULL, 1);
    create(a, "quire", dim);
    create(b, NULL, dim);
    q[r] = insert(a, v, n, dim, how);
    p[r] = insert(b, v, n, dim, how);
    ratio[r] = p[r] / q[r];
    if (db_value(a, "SELECT count(*) FROM t") != n) bench_fail("rows are missing");
    db_run(a, "INSERT INTO t(t) VALUES('integrity-check')");
    sqlite3_close(a);
    sqlite3_close(b);
  }
  printf("%s %d x %d: quire %.0f rows/s, ordinary table %.0f rows/s, ratio %.2f (median of %d)\n",
         how == INSERT_SINGLY ? "one row per commit" : "one transaction", n, dim, n / bench_median(q, (size_t)runs),
         n / bench_median(p, (size_t)runs), bench_median(ratio, (size_t)runs), runs);
  free(v);
  remove_db("bench-a.db");
  remove_db("bench-b.db");
}

static sqlite3_stmt *knn_statement(sqlite3 *db) {
  return db_prepare(db, "SELECT rowid, distance FROM t WHERE e MATCH ?1 AND k = 10 ORDER BY distance");
}

static double knn(sqlite3_stmt *s, const float *q, int dim, sqlite3_int64 *ids) {
  double start = bench_now();
  int n = 0;
  sqlite3_bind_blob(s, 1, q, dim * 4, SQLITE_STATIC);
  while (sqlite3_step(s) == SQLITE_ROW) {
    if (n < K) ids[n] = sqlite3_column_int64(s, 0);
    n++;
  }
  if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(sqlite3_db_handle(s), "knn");
  if (n != K) bench_fail("knn: %d rows, not %d", n, K);
  return bench_now() - start;
}

/* Bytes per second of a plain pass over a gigabyte, the best of five. */
static double read_bandwidth(void) {
  size_t size = (size_t)1 << 30, i;
  double best = 0;
  unsigned long long *p = malloc(size), sum = 0;
  int r;
  memset(p, 1, size);
  for (r = 0; r < 5; r++) {
    double start = bench_now();
    unsigned long long s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
    for (i = 0; i < size / 8; i += 8) {
      s0 += p[i];
      s1 += p[i + 1];
      s2 += p[i + 2];
      s3 += p[i + 3];
      s4 += p[i + 4];
      s5 += p[i + 5];
      s6 += p[i + 6];
      s7 += p[i + 7];
    }
    sum += s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
    start = (double)size / (bench_now() - start);
    if (start > best) best = start;
  }
  if (sum == 1) printf(" ");
  free(p);
  return best;
}

/* Seconds a query, over one batch of queries asked in a row; ids[] gets the answers. */
static double knn_batch(sqlite3_stmt *s, const float *queries, int dim, sqlite3_int64 *ids) {
  double total = 0;
  int i;
  for (i = 0; i < BATCH; i++) total += knn(s, queries + (size_t)i * (size_t)dim, dim, ids + i * K);
  return total / BATCH;
}

/* How many of a batch's answers are the true ones. */
static size_t count_hits(const DataSet *set, const float *queries, const sqlite3_int64 *ids) {
  uint32_t near[BATCH * K];
  float want[BATCH * K], found[K];
  size_t hits = 0;
  data_exact(set, set->base, set->rows, queries, BATCH, K, near, want);
  for (size_t q = 0; q < BATCH; q++) {
    for (size_t i = 0; i < K; i++) {
      found[i] = data_distance(set, queries + q * set->dim, set->base + (size_t)(ids[q * K + i] - 1) * set->dim);
    }
    hits += data_hits(found, K, want[q * K + K - 1]);
  }
  return hits;
}

static void bench_knn(int n, int dim) {
  double q[MAX_RUNS], p[MAX_RUNS], ratio[MAX_RUNS], bytes = (double)n * dim * 4, bandwidth = read_bandwidth();
  float *v = make_all(n, dim, 1), *queries = make_all((runs + 1) * BATCH, dim, DATA_FIRST_QUERY);
  sqlite3 *a = open_db("bench-a.db", quire_lib, 1), *b = NULL;
  sqlite3_stmt *sa, *sb = NULL;
  sqlite3_int64 *ids = malloc(sizeof *ids * BATCH * K * MAX_RUNS),
                *peer_ids = malloc(sizeof *ids * BATCH * K * MAX_RUNS);
  const DataSet set = {.rows = (size_t)n, .dim = (size_t)dim, .base = v};
  size_t hits = 0, peer_hits = 0;
  int r;
  create(a, "quire", dim);
  insert(a, v, n, dim, INSERT_ALL);
  db_run(a, "INSERT INTO t(t) VALUES('fold')");
  sa = knn_statement(a);
  if (peer_lib) {
    b = open_db("bench-b.db", peer_lib, 1);
    create(b, "vec0", dim);
    insert(b, v, n, dim, INSERT_ALL);
    sb = knn_statement(b);
  }
  knn_batch(sa, queries, dim, ids); /* warm-up */
  if (sb) knn_batch(sb, queries, dim, ids);
  for (r = 0; r < runs; r++) {
    const float *batch = queries + (size_t)(r + 1) * BATCH * (size_t)dim;
    q[r] = knn_batch(sa, batch, dim, ids + r * BATCH * K);
    p[r] = sb ? knn_batch(sb, batch, dim, peer_ids + r * BATCH * K) : 0;
    ratio[r] = p[r] / q[r];
  }
  for (r = 0; r < runs; r++) { /* the answers, when the clock is stopped */
    const float *batch = queries + (size_t)(r + 1) * BATCH * (size_t)dim;
    hits += count_hits(&set, batch, ids + r * BATCH * K);
    if (sb) peer_hits += count_hits(&set, batch, peer_ids + r * BATCH * K);
  }
  printf("exact knn k=10, %d x %d: quire %.1f queries/s, recall %.3f: vectors at %.1f GB/s, %.0f %% of %.1f GB/s read "
         "bandwidth",
         n, dim, 1 / bench_median(q, (size_t)runs), (double)hits / (runs * BATCH * K),
         bytes / bench_median(q, (size_t)runs) / 1e9, 100 * bytes / bench_median(q, (size_t)runs) / bandwidth,
         bandwidth / 1e9);
  if (sb) {
    printf("; sqlite-vec %.1f queries/s, recall %.3f; ratio %.1f", 1 / bench_median(p, (size_t)runs),
           (double)peer_hits / (runs * BATCH * K), bench_median(ratio, (size_t)runs));
  }
  printf(" (median of %d batches of %d)\n", runs, BATCH);
  sqlite3_finalize(sa);
  sqlite3_finalize(sb);
  sqlite3_close(a);
  if (b) sqlite3_close(b);
  remove_db("bench-a.db");
  remove_db("bench-b.db");
  free(v);
  free(queries);
  free(ids);
  free(peer_ids);
}

static void bench_open(int n, int dim) {
  double open_time[MAX_RUNS], point[MAX_RUNS], first[MAX_RUNS];
  float *v = make_all(n, dim, 1);
  sqlite3 *a = open_db("bench-a.db", quire_lib, 1);
  sqlite3_int64 ids[K];
  int r;
  create(a, "quire", dim);
  insert(a, v, n, dim, INSERT_ALL);
  db_run(a, "INSERT INTO t(t) VALUES('fold')");
  sqlite3_close(a);
  for (r = 0; r < runs; r++) {
    double start = bench_now();
    sqlite3_stmt *s;
    a = open_db("bench-a.db", quire_lib, 0);
    open_time[r] = bench_now() - start;
    start = bench_now();
    db_value(a, "SELECT rowid FROM t WHERE rowid = 17");
    point[r] = bench_now() - start;
    start = bench_now();
    s = knn_statement(a);
    knn(s, v, dim, ids);
    first[r] = bench_now() - start;
    sqlite3_finalize(s);
    sqlite3_close(a);
  }
  printf("open %d x %d: open and load the extension %.2f ms, first point query %.3f ms, first exact knn %.2f ms "
         "(median of %d)\n",
         n, dim, 1e3 * bench_median(open_time, (size_t)runs), 1e3 * bench_median(point, (size_t)runs),
         1e3 * bench_median(first, (size_t)runs), runs);
  remove_db("bench-a.db");
  free(v);
}

static void bench_memory(int n, int dim) {
  sqlite3 *a = open_db("bench-a.db", quire_lib, 1);
  sqlite3_stmt *s;
  struct rusage before, after;
  float *v = make_all(1, dim, 1);
  double start;
  int i;
  create(a, "quire", dim);
  getrusage(RUSAGE_SELF, &before);
  s = db_prepare(a, "INSERT INTO t(rowid, e) VALUES(?1, ?2)");
  start = bench_now();
  db_run(a, "BEGIN");
  for (i = 0; i < n; i++) {
    v[i % dim] = (float)(i * 7919ll % 1009) / 1009; /* rows differ, without the time to make them */
    sqlite3_bind_int64(s, 1, i + 1);
    sqlite3_bind_blob(s, 2, v, dim * 4, SQLITE_STATIC);
    sqlite3_step(s);
    if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(a, "insert");
  }
  sqlite3_finalize(s);
  db_run(a, "COMMIT");
  start = bench_now() - start;
  getrusage(RUSAGE_SELF, &after);
  printf("memory, %d x %d in one transaction: peak resident %.0f MB (%.0f MB before), %.1f s, peak of SQLite's own "
         "heap %.1f MB\n",
         n, dim, (double)after.ru_maxrss / 1024, (double)before.ru_maxrss / 1024, start,
         (double)sqlite3_memory_highwater(0) / 1048576);
  sqlite3_close(a);
  remove_db("bench-a.db");
  free(v);
}

static double file_mb(const char *name, const char *suffix) {
  char path[1100];
  FILE *f;
  long size = 0;
  snprintf(path, sizeof path, "%s%s", path_of(name), suffix);
  f = fopen(path, "rb");
  if (f && fseek(f, 0, SEEK_END) == 0) size = ftell(f);
  if (f) fclose(f);
  return (double)size / 1e6;
}

/* Queries per second; the answers, all of which another home has to give too, go to ids. */
static double query_rate(sqlite3 *db, const float *queries, int dim, sqlite3_int64 *ids) {
  double q[MAX_RUNS];
  sqlite3_stmt *s = knn_statement(db);
  for (int r = 0; r <= runs; r++) knn_batch(s, queries + (size_t)r * BATCH * (size_t)dim, dim, ids); /* warm-up */
  for (int r = 0; r < runs; r++)
    q[r] = knn_batch(s, queries + (size_t)(r + 1) * BATCH * (size_t)dim, dim, ids + r * BATCH * K);
  sqlite3_finalize(s);
  return 1 / bench_median(q, (size_t)runs);
}

#define SMALL_COMMITS 50
#define SMALL_ROWS 100

static void bench_homes(int n, int dim) {
  static const char *const home[] = {"file", "inline"};
  size_t all = (size_t)(n + SMALL_COMMITS * SMALL_ROWS), answers = (size_t)(MAX_RUNS * BATCH * K), h, i;
  float *v = make_all((int)all, dim, 1), *queries = make_all((runs + 1) * BATCH, dim, DATA_FIRST_QUERY);
  sqlite3_int64 *ids[4];
  for (i = 0; i < 4; i++) ids[i] = calloc(answers, sizeof *ids[i]);
  for (h = 0; h < 2; h++) {
    char sql[80];
    double load, small, flat, built, graph;
    sqlite3 *a = open_db("bench-a.db", quire_lib, 1);
    snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE quire USING quire_store(home=%s)", home[h]);
    db_run(a, sql);
    create(a, "quire", dim);
    load = insert(a, v, n, dim, INSERT_ALL);
    small = bench_now();
    for (i = 0; i < SMALL_COMMITS; i++)
      db_insert(a, v + ((size_t)n + i * SMALL_ROWS) * (size_t)dim, SMALL_ROWS, (size_t)dim,
                (sqlite3_int64)n + 1 + (sqlite3_int64)i * SMALL_ROWS, INSERT_ALL, NULL);
    small = bench_now() - small;
    db_run(a, "INSERT INTO t(t) VALUES('fold')");
    flat = query_rate(a, queries, dim, ids[2 * h]);
    built = bench_now();
    db_run(a, "INSERT INTO t(t) VALUES('rebuild=hnsw()')");
    built = bench_now() - built;
    graph = query_rate(a, queries, dim, ids[2 * h + 1]);
    db_run(a, "INSERT INTO t(t) VALUES('integrity-check')");
    db_run(a, "PRAGMA wal_checkpoint(TRUNCATE)");
    printf("home %s, %d x %d: one transaction %.0f rows/s; %d commits of %d rows: %.2f ms each; exact knn %.1f "
           "queries/s; hnsw() built in %.1f s, %.0f queries/s; "
           "database %.0f MB, page file %.0f MB (median of %d)\n",
           home[h], n, dim, n / load, SMALL_COMMITS, SMALL_ROWS, 1e3 * small / SMALL_COMMITS, flat, built, graph,
           file_mb("bench-a.db", ""), file_mb("bench-a.db", "-quire"), runs);
    sqlite3_close(a);
    remove_db("bench-a.db");
  }
  if (memcmp(ids[0], ids[2], answers * sizeof **ids) || memcmp(ids[1], ids[3], answers * sizeof **ids))
    bench_fail("the homes give different answers");
  for (i = 0; i < 4; i++) free(ids[i]);
  free(v);
  free(queries);
}

int main(int argc, char **argv) {
  int n = argc > 2 ? atoi(argv[2]) : 0, dim = argc > 3 ? atoi(argv[3]) : 0;
  quire_lib = getenv("QUIRE_LIB") ? getenv("QUIRE_LIB") : "./quire";
  peer_lib = getenv("PEER");
  dir = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "/tmp";
  if (getenv("RUNS")) runs = atoi(getenv("RUNS"));
  if (n < K || dim < 1 || dim > 8192 || runs < 1 || runs >= MAX_RUNS) {
    fprintf(stderr, "usage: sql insert|commit|knn|open|memory|homes N DIM   (N >= 10; see the head of bench/sql.c)\n");
    return 2;
  }
  if (!strcmp(argv[1], "insert"))
    bench_insert(n, dim, INSERT_ALL);
  else if (!strcmp(argv[1], "commit"))
    bench_insert(n, dim, INSERT_SINGLY);
  else if (!strcmp(argv[1], "knn"))
    bench_knn(n, dim);
  else if (!strcmp(argv[1], "open"))
    bench_open(n, dim);
  else if (!strcmp(argv[1], "memory"))
    bench_memory(n, dim);
  else if (!strcmp(argv[1], "homes"))
    bench_homes(n, dim);
  else
    return 2;
  return 0;
}
