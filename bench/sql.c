/*
 * sql.c: speed through SQL, with the answers checked in the same run.
 *
 *   sql insert  N DIM   N rows in one transaction: quire against an ordinary rowid table with the same blobs
 *   sql commit  N DIM   one row per commit, WAL, synchronous NORMAL: the same two
 *   sql knn     N DIM   exact k = 10: quire against sqlite-vec (PEER) when given; recall and row count against brute force;
 *                       bytes of vectors answered for per second (code rows are a quarter of what is read then) beside a plain sum
 *   sql open    N DIM   open a database of N rows and ask the first point query, the first KNN
 *   sql memory  N DIM   peak resident memory of a bulk insert of N rows
 *
 * Every figure is the median of RUNS (default 5) in turns, quire and peer; ratios are within one run. Databases are made in BENCH_DIR
 * (default /tmp). QUIRE_LIB and PEER name the libraries.
 */
#define _GNU_SOURCE 1
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define K 10
#define BATCH 10 /* queries in a row before the other library's turn */
#define MAX_RUNS 101

static const char *quire_lib, *peer_lib, *dir;
static int runs = 5;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(sqlite3 *db, const char *what) {
  fprintf(stderr, "%s: %s\n", what, db ? sqlite3_errmsg(db) : "failed");
  exit(1);
}

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) die(db, sql);
}

static sqlite3_int64 one(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s;
  sqlite3_int64 v;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) die(db, sql);
  v = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return v;
}

static double median(double *v, int n) {
  int i, j;
  for (i = 1; i < n; i++) {
    double x = v[i];
    for (j = i; j > 0 && v[j - 1] > x; j--) v[j] = v[j - 1];
    v[j] = x;
  }
  return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* A reproducible vector: a Gaussian mixture of 1000 centres in 32 latent dimensions, lifted to dim (splitmix64). */
static unsigned long long mix(unsigned long long x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}
static double uniform(unsigned long long seed) { return ((double)(mix(seed) >> 11) + 0.5) / 9007199254740992.0; }
static double gauss(unsigned long long seed) {
  return sqrt(-2 * log(uniform(2 * seed))) * cos(6.283185307179586 * uniform(2 * seed + 1));
}
static float *lift, *centre;
static void make_vector(unsigned long long id, int dim, float *out) {
  float z[32];
  unsigned long long c = mix(id * 77 + 5) % 1000;
  int i, j;
  if (lift == NULL) {
    lift = malloc(sizeof(float) * 32 * 8192);
    centre = malloc(sizeof(float) * 32 * 1000);
    for (i = 0; i < 32 * 8192; i++) lift[i] = (float)gauss(900000000ull + (unsigned)i);
    for (i = 0; i < 32 * 1000; i++) centre[i] = (float)gauss(800000000ull + (unsigned)i);
  }
  for (j = 0; j < 32; j++) z[j] = centre[c * 32 + (unsigned)j] + 0.4f * (float)gauss(id * 64 + (unsigned)j + 1);
  for (i = 0; i < dim; i++) {
    float s = 0;
    for (j = 0; j < 32; j++) s += z[j] * lift[i * 32 + j];
    out[i] = tanhf(s * 0.15f) + 0.02f * (float)uniform(id * 9973 + (unsigned)i);
  }
}
static float *make_all(int n, int dim, unsigned long long first) {
  float *all = malloc(sizeof(float) * (size_t)n * (size_t)dim);
  int i;
  for (i = 0; i < n; i++) make_vector(first + (unsigned)i, dim, all + (size_t)i * (size_t)dim);
  return all;
}

static void remove_db(const char *name) {
  static const char *const tail[] = {"", "-wal", "-shm", "-journal", "-quire"};
  char path[512];
  size_t i;
  for (i = 0; i < sizeof tail / sizeof tail[0]; i++) {
    snprintf(path, sizeof path, "%s/%s%s", dir, name, tail[i]);
    unlink(path);
  }
}

static sqlite3 *open_db(const char *name, const char *lib, int fresh) {
  sqlite3 *db;
  char path[512];
  char *error = NULL;
  if (fresh) remove_db(name);
  snprintf(path, sizeof path, "%s/%s", dir, name);
  if (sqlite3_open(path, &db) != SQLITE_OK) die(db, path);
  sqlite3_enable_load_extension(db, 1);
  if (lib && sqlite3_load_extension(db, lib, NULL, &error) != SQLITE_OK) {
    fprintf(stderr, "%s: %s\n", lib, error);
    exit(1);
  }
  run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  return db;
}

/* Seconds to insert rows [first, first + n); each its own commit if `single`. */
static double insert(sqlite3 *db, const char *table, const float *v, int first, int n, int dim, int single) {
  sqlite3_stmt *s;
  char sql[128];
  double start;
  int i;
  snprintf(sql, sizeof sql, "INSERT INTO %s(rowid, e) VALUES(?1, ?2)", table);
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) die(db, sql);
  start = now();
  if (!single) run(db, "BEGIN");
  for (i = 0; i < n; i++) {
    sqlite3_bind_int64(s, 1, first + i + 1);
    sqlite3_bind_blob(s, 2, v + (size_t)i * (size_t)dim, dim * 4, SQLITE_STATIC);
    sqlite3_step(s);
    if (sqlite3_reset(s) != SQLITE_OK) die(db, sql);
  }
  if (!single) run(db, "COMMIT");
  start = now() - start;
  sqlite3_finalize(s);
  return start;
}

static void create(sqlite3 *db, const char *module, int dim) {
  char sql[160];
  if (module) {
    snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE t USING %s(e float[%d])", module, dim);
  } else {
    snprintf(sql, sizeof sql, "CREATE TABLE t(rowid INTEGER PRIMARY KEY, e BLOB)");
  }
  run(db, sql);
}

static void bench_insert(int n, int dim, int single) {
  double q[MAX_RUNS], p[MAX_RUNS], ratio[MAX_RUNS];
  float *v = make_all(n, dim, 1);
  int r;
  for (r = 0; r < runs; r++) {
    sqlite3 *a = open_db("bench-a.db", quire_lib, 1), *b = open_db("bench-b.db", NULL, 1);
    create(a, "quire", dim);
    create(b, NULL, dim);
    q[r] = insert(a, "t", v, 0, n, dim, single);
    p[r] = insert(b, "t", v, 0, n, dim, single);
    ratio[r] = p[r] / q[r];
    if (one(a, "SELECT count(*) FROM t") != n) die(NULL, "row count");
    run(a, "INSERT INTO t(t) VALUES('integrity-check')");
    sqlite3_close(a);
    sqlite3_close(b);
  }
  printf("%s %d x %d: quire %.0f rows/s, ordinary table %.0f rows/s, ratio %.2f (median of %d)\n",
         single ? "one row per commit" : "one transaction", n, dim, n / median(q, runs), n / median(p, runs),
         median(ratio, runs), runs);
  free(v);
  remove_db("bench-a.db");
  remove_db("bench-b.db");
}

typedef struct Query {
  sqlite3_stmt *stmt;
} Query;

static sqlite3_stmt *knn_statement(sqlite3 *db) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, "SELECT rowid, distance FROM t WHERE e MATCH ?1 AND k = 10 ORDER BY distance", -1, &s,
                         NULL) != SQLITE_OK) {
    die(db, "knn");
  }
  return s;
}

static double knn(sqlite3_stmt *s, const float *q, int dim, sqlite3_int64 *ids) {
  double start = now();
  int n = 0;
  sqlite3_bind_blob(s, 1, q, dim * 4, SQLITE_STATIC);
  while (sqlite3_step(s) == SQLITE_ROW) {
    if (n < K) ids[n] = sqlite3_column_int64(s, 0);
    n++;
  }
  if (sqlite3_reset(s) != SQLITE_OK || n != K) die(sqlite3_db_handle(s), "knn rows");
  return now() - start;
}

static void brute(const float *v, int n, int dim, const float *q, sqlite3_int64 *ids) {
  double best[K];
  int count = 0, i, j;
  for (i = 0; i < n; i++) {
    double d = 0;
    for (j = 0; j < dim; j++) {
      double x = (double)v[(size_t)i * (size_t)dim + (size_t)j] - (double)q[j];
      d += x * x;
    }
    if (count == K && d >= best[K - 1]) continue;
    j = count < K ? count++ : K - 1;
    for (; j > 0 && best[j - 1] > d; j--) {
      best[j] = best[j - 1];
      ids[j] = ids[j - 1];
    }
    best[j] = d;
    ids[j] = i + 1;
  }
}

/* Bytes per second of a plain pass over a gigabyte, the best of five. */
static double read_bandwidth(void) {
  size_t size = (size_t)1 << 30, i;
  double best = 0;
  unsigned long long *p = malloc(size), sum = 0;
  int r;
  memset(p, 1, size);
  for (r = 0; r < 5; r++) {
    double start = now();
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
    start = (double)size / (now() - start);
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

static int count_hits(const float *v, int n, const float *queries, int dim, const sqlite3_int64 *ids) {
  sqlite3_int64 want[K];
  int i, j, k, hits = 0;
  for (i = 0; i < BATCH; i++) {
    brute(v, n, dim, queries + (size_t)i * (size_t)dim, want);
    for (j = 0; j < K; j++) {
      for (k = 0; k < K; k++) hits += ids[i * K + j] == want[k];
    }
  }
  return hits;
}

static void bench_knn(int n, int dim) {
  double q[MAX_RUNS], p[MAX_RUNS], ratio[MAX_RUNS], bytes = (double)n * dim * 4, bandwidth = read_bandwidth();
  float *v = make_all(n, dim, 1), *queries = make_all((runs + 1) * BATCH, dim, 1000000000);
  sqlite3 *a = open_db("bench-a.db", quire_lib, 1), *b = NULL;
  sqlite3_stmt *sa, *sb = NULL;
  sqlite3_int64 *ids = malloc(sizeof *ids * BATCH * K * MAX_RUNS),
                *peer_ids = malloc(sizeof *ids * BATCH * K * MAX_RUNS);
  int r, hits = 0, peer_hits = 0;
  create(a, "quire", dim);
  insert(a, "t", v, 0, n, dim, 0);
  run(a, "INSERT INTO t(t) VALUES('fold')");
  sa = knn_statement(a);
  if (peer_lib) {
    b = open_db("bench-b.db", peer_lib, 1);
    create(b, "vec0", dim);
    insert(b, "t", v, 0, n, dim, 0);
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
    hits += count_hits(v, n, batch, dim, ids + r * BATCH * K);
    if (sb) peer_hits += count_hits(v, n, batch, dim, peer_ids + r * BATCH * K);
  }
  printf("exact knn k=10, %d x %d: quire %.1f queries/s, recall %.3f: vectors at %.1f GB/s, %.0f %% of %.1f GB/s read "
         "bandwidth",
         n, dim, 1 / median(q, runs), hits / (double)(runs * BATCH * K), bytes / median(q, runs) / 1e9,
         100 * bytes / median(q, runs) / bandwidth, bandwidth / 1e9);
  if (sb) {
    printf("; sqlite-vec %.1f queries/s, recall %.3f; ratio %.1f", 1 / median(p, runs),
           peer_hits / (double)(runs * BATCH * K), median(ratio, runs));
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
  insert(a, "t", v, 0, n, dim, 0);
  run(a, "INSERT INTO t(t) VALUES('fold')");
  sqlite3_close(a);
  for (r = 0; r < runs; r++) {
    double start = now();
    sqlite3_stmt *s;
    a = open_db("bench-a.db", quire_lib, 0);
    open_time[r] = now() - start;
    start = now();
    one(a, "SELECT rowid FROM t WHERE rowid = 17");
    point[r] = now() - start;
    start = now();
    s = knn_statement(a);
    knn(s, v, dim, ids);
    first[r] = now() - start;
    sqlite3_finalize(s);
    sqlite3_close(a);
  }
  printf("open %d x %d: open and load the extension %.2f ms, first point query %.3f ms, first exact knn %.2f ms "
         "(median of %d)\n",
         n, dim, 1e3 * median(open_time, runs), 1e3 * median(point, runs), 1e3 * median(first, runs), runs);
  remove_db("bench-a.db");
  free(v);
}

static void bench_memory(int n, int dim) {
  sqlite3 *a = open_db("bench-a.db", quire_lib, 1);
  sqlite3_stmt *s;
  struct rusage before, after;
  float *v = malloc(sizeof(float) * (size_t)dim);
  double start;
  int i;
  create(a, "quire", dim);
  make_vector(1, dim, v);
  getrusage(RUSAGE_SELF, &before);
  if (sqlite3_prepare_v2(a, "INSERT INTO t(rowid, e) VALUES(?1, ?2)", -1, &s, NULL) != SQLITE_OK) die(a, "insert");
  start = now();
  run(a, "BEGIN");
  for (i = 0; i < n; i++) {
    v[i % dim] = (float)uniform((unsigned)i);
    sqlite3_bind_int64(s, 1, i + 1);
    sqlite3_bind_blob(s, 2, v, dim * 4, SQLITE_STATIC);
    sqlite3_step(s);
    if (sqlite3_reset(s) != SQLITE_OK) die(a, "insert");
  }
  sqlite3_finalize(s);
  run(a, "COMMIT");
  start = now() - start;
  getrusage(RUSAGE_SELF, &after);
  printf("memory, %d x %d in one transaction: peak resident %.0f MB (%.0f MB before), %.1f s, peak of SQLite's own "
         "heap %.1f MB\n",
         n, dim, (double)after.ru_maxrss / 1024, (double)before.ru_maxrss / 1024, start,
         (double)sqlite3_memory_highwater(0) / 1048576);
  sqlite3_close(a);
  remove_db("bench-a.db");
  free(v);
}

int main(int argc, char **argv) {
  int n = argc > 2 ? atoi(argv[2]) : 0, dim = argc > 3 ? atoi(argv[3]) : 0;
  quire_lib = getenv("QUIRE_LIB") ? getenv("QUIRE_LIB") : "./quire";
  peer_lib = getenv("PEER");
  dir = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "/tmp";
  if (getenv("RUNS")) runs = atoi(getenv("RUNS"));
  if (n < K || dim < 1 || dim > 8192 || runs < 1 || runs >= MAX_RUNS) {
    fprintf(stderr, "usage: sql insert|commit|knn|open|memory N DIM   (N >= 10; see the head of bench/sql.c)\n");
    return 2;
  }
  if (!strcmp(argv[1], "insert"))
    bench_insert(n, dim, 0);
  else if (!strcmp(argv[1], "commit"))
    bench_insert(n, dim, 1);
  else if (!strcmp(argv[1], "knn"))
    bench_knn(n, dim);
  else if (!strcmp(argv[1], "open"))
    bench_open(n, dim);
  else if (!strcmp(argv[1], "memory"))
    bench_memory(n, dim);
  else
    return 2;
  return 0;
}
