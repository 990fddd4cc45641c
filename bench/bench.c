/* bench.c: see bench.h. */
#define _GNU_SOURCE 1
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void bench_fail(const char *format, ...) {
  va_list ap;
  fflush(stdout);
  va_start(ap, format);
  vfprintf(stderr, format, ap);
  va_end(ap);
  fputc('\n', stderr);
  exit(1);
}

void *bench_alloc(size_t size) {
  void *p = malloc(size);
  if (p == NULL) bench_fail("no memory for %zu bytes", size);
  return p;
}

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
double bench_now(void) { return seconds(CLOCK_MONOTONIC); }
double bench_cpu(void) { return seconds(CLOCK_PROCESS_CPUTIME_ID); }

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_median(double *v, size_t n) {
  qsort(v, n, sizeof *v, by_value);
  return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

void bench_fail_db(sqlite3 *db, const char *what) { bench_fail("%s: %s", what, sqlite3_errmsg(db)); }

void db_run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) bench_fail_db(db, sql);
}

sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) bench_fail_db(db, sql);
  return s;
}

sqlite3_int64 db_value(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s = db_prepare(db, sql);
  sqlite3_int64 v;
  if (sqlite3_step(s) != SQLITE_ROW) bench_fail_db(db, sql);
  v = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return v;
}

void db_remove(const char *path) {
  static const char *const tail[] = {"", "-wal", "-shm", "-journal", "-quire"};
  char name[1024];
  for (size_t i = 0; i < sizeof tail / sizeof tail[0]; i++) {
    snprintf(name, sizeof name, "%s%s", path, tail[i]);
    unlink(name);
  }
}

sqlite3 *db_open(const char *path, const char *lib) {
  sqlite3 *db;
  char *error = NULL;
  if (sqlite3_open(path, &db) != SQLITE_OK) bench_fail_db(db, path);
  sqlite3_enable_load_extension(db, 1);
  if (lib && sqlite3_load_extension(db, lib, NULL, &error) != SQLITE_OK) bench_fail("%s: %s", lib, error);
  db_run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  return db;
}

double db_insert(sqlite3 *db, const float *vector, size_t count, size_t dim, sqlite3_int64 first_rowid, InsertHow how,
                 double *latency) {
  sqlite3_stmt *s = db_prepare(db, "INSERT INTO t(rowid, e) VALUES(?1, ?2)");
  double start = bench_now(), total;
  if (how == INSERT_ALL) db_run(db, "BEGIN");
  for (size_t i = 0; i < count; i++) {
    double before = latency ? bench_now() : 0;
    sqlite3_bind_int64(s, 1, first_rowid + (sqlite3_int64)i);
    sqlite3_bind_blob(s, 2, vector + i * dim, (int)(dim * sizeof(float)), SQLITE_STATIC);
    sqlite3_step(s);
    if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(db, "insert");
    if (latency) latency[i] = bench_now() - before;
  }
  if (how == INSERT_ALL) db_run(db, "COMMIT");
  total = bench_now() - start;
  sqlite3_finalize(s);
  return total;
}
