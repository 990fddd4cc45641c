/*
 * hnsw_files.c: what a graph costs at rest: `open`, `size` and `memory` of bench/hnsw.c.
 */
#define _GNU_SOURCE 1
#include "hnsw_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MB 1048576.0

/* Copy a file (to: NULL: only read it, so that it is in the file cache). */
static void copy_file(const char *from, const char *to) {
  size_t size = 1 << 20;
  char *buffer = bench_alloc(size);
  int in = open(from, O_RDONLY), out = to ? open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
  ssize_t n;
  if (in < 0 || (to && out < 0)) bench_fail("%s: cannot copy it", from);
  while ((n = read(in, buffer, size)) > 0) {
    if (to && write(out, buffer, (size_t)n) != n) bench_fail("%s: cannot write it", to);
  }
  if (n < 0) bench_fail("%s: cannot read it", from);
  close(in);
  if (to) close(out);
  free(buffer);
}

static double file_size(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) bench_fail("%s: is not there", path);
  return (double)st.st_size;
}

static void page_file(const char *path, char *out, size_t size) { snprintf(out, size, "%s-quire", path); }

/* --- open --- */

void bench_open(const DataSet *set) {
  double *opened = bench_alloc(settings.runs * sizeof *opened), *first = bench_alloc(settings.runs * sizeof *first),
         *second = bench_alloc(settings.runs * sizeof *second), earliest = 0;
  char path[1024], pages[1100];
  sqlite3_close(table_kept(set, path, sizeof path)); /* the last to close: the log is gone */
  page_file(path, pages, sizeof pages);
  copy_file(path, NULL);
  copy_file(pages, NULL);
  for (size_t r = 0; r < settings.runs; r++) {
    double start = bench_now(), passed[2];
    sqlite3 *db = db_open(path, settings.lib);
    sqlite3_stmt *s;
    opened[r] = bench_now() - start;
    start = bench_now();
    s = knn_prepare(db);
    for (int i = 0; i < 2; i++) {
      sqlite3_bind_blob(s, 1, set->query + (2 * r + (size_t)i) % DATA_QUERIES * set->dim,
                        (int)(set->dim * sizeof(float)), SQLITE_STATIC);
      if (!index_is_exact()) sqlite3_bind_int64(s, 2, FIXED_EF);
      while (sqlite3_step(s) == SQLITE_ROW) sqlite3_column_int64(s, 0);
      if (sqlite3_reset(s) != SQLITE_OK) bench_fail_db(db, "knn");
      passed[i] = bench_now() - start;
      start = bench_now();
    }
    first[r] = passed[0];
    second[r] = passed[1];
    if (r == 0) earliest = passed[0];
    sqlite3_finalize(s);
    sqlite3_close(db);
  }
  printf("milliseconds, files in the cache: open and load the extension %.2f, first query %.2f (of the process: %.2f), "
         "second %.3f\n",
         1e3 * bench_median(opened, settings.runs), 1e3 * bench_median(first, settings.runs), 1e3 * earliest,
         1e3 * bench_median(second, settings.runs));
  free(opened);
  free(first);
  free(second);
}

/* --- size --- */

void bench_size(const DataSet *set) {
  char path[1024], pages[1100], copy[1024], copy_pages[1100];
  double raw = (double)set->rows * (double)set->dim * sizeof(float), before, after, used;
  sqlite3 *db;
  sqlite3_close(table_kept(set, path, sizeof path));
  page_file(path, pages, sizeof pages);
  before = file_size(pages);
  table_path("size.db", copy, sizeof copy);
  page_file(copy, copy_pages, sizeof copy_pages);
  db_remove(copy);
  copy_file(path, copy);
  copy_file(pages, copy_pages);
  db = db_open(copy, settings.lib);
  if (db_value(db, "SELECT value = 'ok' FROM quire WHERE name = 'status'") != 1)
    bench_fail("size: the copy's pages are not usable");
  db_run(db, "INSERT INTO t(t) VALUES('optimize')");
  used = (double)(table_stat(db, "pages") - table_stat(db, "free_pages")) * PAGE_BYTES;
  sqlite3_close(db);
  after = file_size(copy_pages);
  printf("%-42s %9.1f MB   times raw\n", "raw vectors", raw / MB);
  printf("%-42s %9.1f MB %7.2f\n", "page file after the insert", before / MB, before / raw);
  printf("%-42s %9.1f MB %7.2f\n", "page file after 'optimize'", after / MB, after / raw);
  printf("%-42s %9.1f MB %7.2f\n", "of that in use, the rest free for reuse", used / MB, used / raw);
  printf("%-42s %9.1f MB %7.2f\n", "database with the content rows", file_size(copy) / MB, file_size(copy) / raw);
  db_remove(copy);
}

/* --- memory --- */

/* Bytes of memory of the process that is not a file's. Linux only. */
static double anonymous_memory(void) {
  char line[128];
  double bytes = -1;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, "RssAnon:", 8) == 0) bytes = atof(line + 8) * 1024;
  }
  if (f) fclose(f);
  if (bytes < 0) bench_fail("memory: /proc/self/status has no RssAnon");
  return bytes;
}

void bench_memory(const DataSet *set) {
  enum { CONNECTIONS = 3 };
  sqlite3 *db[CONNECTIONS];
  sqlite3_stmt *s[CONNECTIONS];
  Answers a = answers_new();
  char path[1024], pages[1100];
  double size;
  sqlite3_close(table_kept(set, path, sizeof path));
  page_file(path, pages, sizeof pages);
  size = file_size(pages);
  printf("%d queries at ef %d each; page file %.1f MB\n", DATA_QUERIES, FIXED_EF, size / MB);
  for (int i = 0; i < CONNECTIONS; i++) {
    double before = anonymous_memory(), added;
    db[i] = db_open(path, settings.lib);
    s[i] = knn_prepare(db[i]);
    knn_pass(s[i], set, FIXED_EF, &a);
    added = anonymous_memory() - before;
    printf("connection %d adds %.1f MB, %.1f %% of the page file\n", i + 1, added / MB, 100 * added / size);
  }
  for (int i = 0; i < CONNECTIONS; i++) {
    sqlite3_finalize(s[i]);
    sqlite3_close(db[i]);
  }
  answers_free(&a);
}
