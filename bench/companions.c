/*
 * companions.c: key-value stores and event logs beside hand-written SQL for the same, and how soon a waiting reader sees a commit.
 *
 *   companions N     N operations a run (default 20000)
 *
 * Environment: QUIRE_LIB the extension; BENCH_DIR where databases are made; RUNS how many runs (median; default 5).
 * The peer is what one would write by hand, without Quire: the same table, upsert with a revision, expiry in the WHERE clause, payloads that are checked,
 * prepared once. Ratios are ours over the peer's speed, within a run. The reader waits in quire_tail; a second process commits one event after
 * random pauses and puts the time just after its COMMIT into the next one; the delay is from there to the row in the reader's hand.
 */
#define _DEFAULT_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS 1000
#define TAIL_EVENTS 400
#define NOW "CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER)"

static const char *dir, *lib;
static int runs = 5;

static const char *path_of(const char *name) {
  static char path[2][1024]; /* two databases at a time */
  static int turn;
  turn = !turn;
  snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
  return path[turn];
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Below which this share of the values is. */
static double quantile(double *v, int n, double share) {
  qsort(v, (size_t)n, sizeof *v, compare);
  return v[(int)((double)(n - 1) * share)];
}

/*
 * Seconds for n steps of the statement: ?1 a key of KEYS, ?2 the number. Results are read. In one transaction processor time, which
 * other work on the machine changes less; with a commit each all of it.
 */
static double loop(sqlite3 *db, const char *sql, int n, int in_transaction) {
  double (*now)(void) = in_transaction ? bench_cpu : bench_now;
  sqlite3_stmt *stmt = db_prepare(db, sql);
  double start = now();
  if (in_transaction) db_run(db, "BEGIN");
  for (int i = 0; i < n; i++) {
    char key[32];
    snprintf(key, sizeof key, "user:%d", (int)((unsigned)i * 7919u % KEYS));
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    if (sqlite3_bind_parameter_count(stmt) > 1) sqlite3_bind_int(stmt, 2, i);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
      if (sqlite3_column_type(stmt, 0) == SQLITE_NULL) bench_fail("a value is missing");
    }
    if (sqlite3_reset(stmt) != SQLITE_OK) bench_fail_db(db, sql);
  }
  if (in_transaction) db_run(db, "COMMIT");
  start = now() - start;
  sqlite3_finalize(stmt);
  return start;
}

static void pair(const char *what, sqlite3 *a, const char *ours, sqlite3 *b, const char *theirs, int n,
                 int in_transaction) {
  double q[MAX_RUNS], p[MAX_RUNS], ratio[MAX_RUNS];
  for (int r = 0; r < runs; r++) {
    q[r] = loop(a, ours, n, in_transaction);
    p[r] = loop(b, theirs, n, in_transaction);
    ratio[r] = p[r] / q[r];
  }
  printf("%-38s %11.0f/s %14.0f/s %7.2f\n", what, n / bench_median(q, (size_t)runs), n / bench_median(p, (size_t)runs),
         bench_median(ratio, (size_t)runs));
  fflush(stdout);
}

static void bench_stores(int n) {
  sqlite3 *a, *b;
  db_remove(path_of("bench-a.db"));
  db_remove(path_of("bench-b.db"));
  a = db_open(path_of("bench-a.db"), lib);
  b = db_open(path_of("bench-b.db"), NULL);
  db_run(a, "SELECT quire_create('kv', 's'), quire_create('events', 'l')");
  db_run(b,
         "CREATE TABLE s(key TEXT PRIMARY KEY, value, revision INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;"
         "CREATE INDEX s_expires ON s(expires) WHERE expires IS NOT NULL;"
         "CREATE TABLE l(offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, collection TEXT, key,"
         " revision INTEGER, payload TEXT CHECK(payload IS NULL OR json_valid(payload)));"
         "CREATE TABLE g(offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, collection TEXT, key,"
         " revision INTEGER, payload TEXT CHECK(payload IS NULL OR json_valid(payload)));"
         "CREATE TRIGGER g_next BEFORE INSERT ON g WHEN new.offset > 0 BEGIN SELECT RAISE(ABORT, 'no offset'); END");
  static const char *const set =
      "INSERT INTO s(key, value, revision, expires) VALUES(?1, ?2, 1, NULL) ON CONFLICT(key) DO UPDATE SET"
      " value = excluded.value, revision = revision + 1, expires = excluded.expires";
  static const char *const get = "SELECT value FROM s WHERE key = ?1 AND (expires IS NULL OR expires > " NOW ")";
#define APPEND(log)                                                                                                    \
  "INSERT INTO " log "(time, type, collection, key, payload) VALUES(" NOW ", 'set', 'host', ?1, json_object('n', ?2))"
  static const char *const append = APPEND("l"), *const guarded = APPEND("g");
  printf("%-38s %13s %16s %7s\n", "", "Quire", "by hand", "ratio");
  pair("kv_set, a commit each", a, "SELECT kv_set('s', ?1, ?2)", b, set, n, 0);
  pair("kv_set, one transaction", a, "SELECT kv_set('s', ?1, ?2)", b, set, n, 1);
  pair("INSERT into the view, one transaction", a, "INSERT INTO s(key, value) VALUES(?1, ?2)", b, set, n, 1);
  pair("kv_get", a, "SELECT kv_get('s', ?1)", b, get, n, 0);
  pair("kv_get, one transaction", a, "SELECT kv_get('s', ?1)", b, get, n, 1);
  pair("SELECT from the view", a, "SELECT value FROM s WHERE key = ?1", b, get, n, 0);
  pair("event, a commit each", a,
       "INSERT INTO l(type, collection, key, payload) VALUES('set', 'host', ?1, json_object('n', ?2))", b, append, n,
       0);
  pair("event, one transaction", a,
       "INSERT INTO l(type, collection, key, payload) VALUES('set', 'host', ?1, json_object('n', ?2))", b, append, n,
       1);
  pair("the same, peer append-only by trigger", a,
       "INSERT INTO l(type, collection, key, payload) VALUES('set', 'host', ?1, json_object('n', ?2))", b, guarded, n,
       1);
  sqlite3_close(a);
  sqlite3_close(b);
}

/* The other process: one event after each pause, in it the time when the one before was committed. */
static void write_events(void) {
  sqlite3 *db = db_open(path_of("bench-a.db"), NULL);
  sqlite3_stmt *stmt = db_prepare(db, "INSERT INTO tail(type, payload) VALUES('t', json_object('at', ?1))");
  unsigned random = 1;
  double before = 0;
  for (int i = 0; i <= TAIL_EVENTS; i++) {
    random = random * 1103515245u + 12345u;
    usleep(2000 + random / 65536u % 20000u);
    sqlite3_bind_double(stmt, 1, before);
    sqlite3_step(stmt);
    if (sqlite3_reset(stmt) != SQLITE_OK) bench_fail_db(db, "append");
    before = bench_now();
  }
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  exit(0);
}

static void bench_tail(void) {
  static double seen[TAIL_EVENTS + 2], delay[TAIL_EVENTS];
  sqlite3 *a;
  sqlite3_stmt *tail;
  int offset = 0, status = 0;
  pid_t writer;
  double wall, cpu;

  db_remove(path_of("bench-a.db"));
  a = db_open(path_of("bench-a.db"), lib);
  db_run(a, "SELECT quire_create('events', 'tail')");
  writer = fork(); /* its own connection; ours is not used there */
  if (writer == 0) write_events();
  tail = db_prepare(a, "SELECT offset, payload ->> '$.at' FROM quire_tail('tail', ?1, 10000)");
  wall = bench_now();
  cpu = bench_cpu();
  while (offset <= TAIL_EVENTS) {
    sqlite3_bind_int(tail, 1, offset);
    int rows = 0;
    while (sqlite3_step(tail) == SQLITE_ROW) {
      offset = sqlite3_column_int(tail, 0);
      seen[offset] = bench_now();
      if (offset > 1) delay[offset - 2] = seen[offset - 1] - sqlite3_column_double(tail, 1);
      rows++;
    }
    if (sqlite3_reset(tail) != SQLITE_OK) bench_fail_db(a, "tail");
    if (rows == 0) bench_fail("no event within ten seconds");
  }
  cpu = bench_cpu() - cpu;
  wall = bench_now() - wall;
  sqlite3_finalize(tail);
  sqlite3_close(a);
  waitpid(writer, &status, 0);
  if (status) bench_fail("the writer failed");
  printf("\nquire_tail, commit in another process to row in the reader, %d events: median %.2f ms, 90 %% %.2f ms, 99 "
         "%% %.2f ms; "
         "%.1f %% of a core\n",
         TAIL_EVENTS, 1e3 * quantile(delay, TAIL_EVENTS, 0.5), 1e3 * quantile(delay, TAIL_EVENTS, 0.9),
         1e3 * quantile(delay, TAIL_EVENTS, 0.99), 100.0 * cpu / wall);
}

int main(int argc, char **argv) {
  int n = argc > 1 ? atoi(argv[1]) : 20000;
  lib = getenv("QUIRE_LIB") ? getenv("QUIRE_LIB") : "./quire";
  dir = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "/tmp";
  if (getenv("RUNS")) runs = atoi(getenv("RUNS"));
  if (n < KEYS || runs < 1 || runs > MAX_RUNS) {
    fprintf(stderr, "usage: companions N   (N >= %d; see the head of bench/companions.c)\n", KEYS);
    return 2;
  }
  bench_stores(n);
  bench_tail();
  db_remove(path_of("bench-a.db"));
  db_remove(path_of("bench-b.db"));
  return 0;
}
