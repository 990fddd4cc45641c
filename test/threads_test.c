/*
 * threads_test.c: threads of one process, each with connections of its own to one database; linked with libquire.a, so that
 * ThreadSanitizer sees all of Quire (make tsan).
 *
 *   threads_test [-t SECONDS] [-s SEED] [-j wal|delete] [DATABASE]
 *
 *   writers    change rows in transactions, some rolled back, some with 'optimize'; each commit has a number and the digest of its rows in the
 *              ordinary table `mark`, and both stand in `said` before COMMIT
 *   readers    in one snapshot: the number never goes back; rows have the digest of that number; a search gives what brute force over the rows
 *              gives; the page file is in use; and the search's digest, fold number and generation are those that any other reader saw with
 *              this number
 *   openers    open, search, close, all the time
 *   victim     queries without an end, a fold and an optimize, which another thread interrupts: SQLITE_INTERRUPT, and all goes on
 *   memory     a :memory: database of its own
 *
 * All start at once, so that what is chosen on first use is chosen by several at a time. Last line: `N passed, N failed`: one
 * for each comparison. Exit code 1 if one failed, or a part did nothing.
 */
#define _POSIX_C_SOURCE 200809L
#include "../ext/quire.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WRITERS 2
#define READERS 3
#define OPENERS 2
#define THREADS (WRITERS + READERS + OPENERS + 3)
#define MAX_COMMITS 1000000
#define BUSY_TRIES 200000 /* of BUSY_PAUSE */
#define BUSY_PAUSE 300000 /* ns */
#define K 12

typedef sqlite3_int64 i64;
typedef uint64_t u64;

int sqlite3_testfuncs_init(sqlite3 *db, char **error, const struct sqlite3_api_routines *api);

static struct {
  double seconds;
  u64 seed;
  const char *journal, *database;
} opt = {2, 1, "wal", "threads.db"};

/* What is known of a commit. */
typedef struct Said {
  i64 rows;      /* the writer's digest */
  i64 fold, gen; /* the first reader's */
  u64 answer;    /* of the search; 0: nobody has looked yet */
} Said;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static Said *said;
static i64 passed, failed, commits, rollbacks, snapshots, opened, interrupted, in_memory;
static time_t end;
static int victim_done;
static pthread_barrier_t start;

static void check(int ok, const char *format, ...) {
  va_list args;
  pthread_mutex_lock(&lock);
  if (ok) {
    passed++;
  } else if (failed++ < 20) {
    va_start(args, format);
    printf("FAILED: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
  }
  pthread_mutex_unlock(&lock);
}

static void count(i64 *counter) {
  pthread_mutex_lock(&lock);
  ++*counter;
  pthread_mutex_unlock(&lock);
}

static int time_left(void) { return time(NULL) < end; }

/* splitmix64 */
static u64 random_of(u64 *state) {
  u64 x = *state += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

static u64 below(u64 *state, u64 n) { return random_of(state) % n; }

/* --- SQL --- */

/* SQLite's own handler sleeps longer and longer, and starves. */
static int wait_a_moment(void *arg, int tries) {
  struct timespec pause = {0, BUSY_PAUSE};
  (void)arg;
  nanosleep(&pause, NULL);
  return tries < BUSY_TRIES;
}

static sqlite3 *open_connection(const char *name) {
  sqlite3 *db = NULL;
  int rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_PRIVATECACHE, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_testfuncs_init(db, NULL, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_busy_handler(db, wait_a_moment, NULL);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec(db, "PRAGMA synchronous = normal; PRAGMA wal_autocheckpoint = 8", NULL, NULL, NULL);
  check(rc == SQLITE_OK, "open: %s", sqlite3_errmsg(db));
  return db;
}

static void close_connection(sqlite3 *db) {
  int rc = sqlite3_close(db);
  check(rc == SQLITE_OK, "close: %s", sqlite3_errstr(rc));
}

static int try_sql(sqlite3 *db, const char *format, ...) {
  va_list args;
  char *sql;
  int rc;
  va_start(args, format);
  sql = sqlite3_vmprintf(format, args);
  va_end(args);
  rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
  sqlite3_free(sql);
  return rc;
}

#define MUST(db, ...) check(try_sql(db, __VA_ARGS__) == SQLITE_OK, "line %d: %s", __LINE__, sqlite3_errmsg(db))

/* The first row's columns as numbers; 0 where there is none. */
static int numbers(sqlite3 *db, i64 *out, int n, const char *sql) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
  memset(out, 0, (size_t)n * sizeof *out);
  if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    for (int i = 0; i < n; i++) out[i] = sqlite3_column_int64(stmt, i);
  }
  rc = sqlite3_finalize(stmt);
  check(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
  return rc;
}

/* Hash of all bytes of all rows of a query; ?1 is the query vector. */
static u64 answer(sqlite3 *db, const char *sql, const void *vector, int size) {
  sqlite3_stmt *stmt = NULL;
  u64 hash = 0xcbf29ce484222325u;
  int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
  if (rc == SQLITE_OK) {
    sqlite3_bind_blob(stmt, 1, vector, size, SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
      i64 rowid = sqlite3_column_int64(stmt, 0);
      double distance = sqlite3_column_double(stmt, 1);
      unsigned char bytes[16];
      memcpy(bytes, &rowid, 8);
      memcpy(bytes + 8, &distance, 8);
      for (int i = 0; i < 16; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
  }
  rc = sqlite3_finalize(stmt);
  check(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
  return hash | 1;
}

#define SEARCH "SELECT rowid, distance FROM t WHERE e MATCH ?1 AND k = 12"
#define BRUTE_FORCE                                                                                                    \
  "SELECT rowid, CAST(vec_distance_l2(e, ?1) AS REAL) AS d FROM t WHERE e IS NOT NULL ORDER BY d, rowid LIMIT 12"
#define DIGEST "(SELECT count(*) || '.' || total(test_crc(rowid || hex(e)) % 1000003) FROM t)"

/* --- the threads --- */

/* One transaction's changes. */
static void change(sqlite3 *db, u64 *seed) {
  i64 row = (i64)below(seed, 300);
  switch (below(seed, 8)) {
    case 0: MUST(db, "DELETE FROM t WHERE rowid BETWEEN %lld AND %lld", row, row + 9); break;
    case 1: MUST(db, "UPDATE t SET e = test_vector(rowid + %lld, 8) WHERE rowid %% 13 = %lld", row, row % 13); break;
    case 2:
      MUST(db,
           "INSERT OR REPLACE INTO t(rowid, e) SELECT i, test_vector(i * 31 + %lld, 8) FROM n WHERE i BETWEEN %lld AND "
           "%lld",
           row, row, row + 20);
      break;
    case 3:
      MUST(
          db,
          "SAVEPOINT s; DELETE FROM t; INSERT INTO t(rowid, e) VALUES(1, test_vector(1, 8)); ROLLBACK TO s; RELEASE s");
      MUST(db, "UPDATE t SET e = NULL WHERE rowid = %lld", row);
      break;
    default:
      MUST(db, "INSERT OR REPLACE INTO t(rowid, e) VALUES(%lld, test_vector(%lld, 8))", 300 + row, row * 7);
      break;
  }
}

static void *writer(void *arg) {
  u64 seed = opt.seed * 1000 + (u64)(intptr_t)arg;
  sqlite3 *db = open_connection(opt.database);
  pthread_barrier_wait(&start);
  for (int round = 0; time_left(); round++) {
    i64 mark[2];
    MUST(db, "BEGIN IMMEDIATE");
    change(db, &seed);
    if (round % 29 == 28) MUST(db, "INSERT INTO t(t) VALUES('optimize')");
    MUST(db, "UPDATE mark SET id = id + 1, digest = test_crc(%s)", DIGEST);
    numbers(db, mark, 2, "SELECT id, digest FROM mark");
    if (mark[0] <= 0 || mark[0] >= MAX_COMMITS) break;
    if (below(&seed, 6) == 0) {
      MUST(db, "ROLLBACK");
      count(&rollbacks);
      continue;
    }
    pthread_mutex_lock(&lock); /* the write lock is ours: the number can be nobody else's */
    said[mark[0]].rows = mark[1];
    pthread_mutex_unlock(&lock);
    MUST(db, "COMMIT");
    count(&commits);
  }
  if (!sqlite3_get_autocommit(db)) MUST(db, "ROLLBACK");
  close_connection(db);
  return NULL;
}

/* Compare one snapshot with all that is known of its number, and add to it. */
static void check_snapshot(sqlite3 *db, u64 *seed, i64 *last) {
  float vector[8], fixed[8] = {0};
  i64 mark[2], digest, state[2], sound;
  u64 found, fixed_found;
  Said known;

  for (int i = 0; i < 8; i++) vector[i] = (float)below(seed, 2000) / 1000 - 1;
  numbers(db, mark, 2, "SELECT id, digest FROM mark");
  if (mark[0] < 0 || mark[0] >= MAX_COMMITS) return;
  numbers(db, &digest, 1, "SELECT test_crc(" DIGEST ")");
  found = answer(db, SEARCH, vector, sizeof vector);
  fixed_found = answer(db, SEARCH, fixed, sizeof fixed);
  numbers(db, state, 2, "SELECT n, gen FROM quire_state");
  numbers(db, &sound, 1, "SELECT value = 'ok' FROM quire WHERE name = 'status'");
  check(mark[0] >= *last, "commit %lld after %lld", mark[0], *last);
  check(digest == mark[1], "commit %lld: rows have another digest than mark", mark[0]);
  check(found == answer(db, BRUTE_FORCE, vector, sizeof vector), "commit %lld: the search differs from brute force",
        mark[0]);
  check(sound == 1, "commit %lld: status is not ok", mark[0]);
  pthread_mutex_lock(&lock);
  known = said[mark[0]];
  if (known.answer == 0) {
    said[mark[0]].fold = state[0];
    said[mark[0]].gen = state[1];
    said[mark[0]].answer = fixed_found;
  }
  snapshots++;
  pthread_mutex_unlock(&lock);
  check(known.rows == mark[1], "commit %lld: not the digest that the writer noted", mark[0]);
  if (known.answer) {
    check(known.answer == fixed_found, "commit %lld: two readers have two answers", mark[0]);
    check(known.fold == state[0] && known.gen == state[1], "commit %lld: two folds", mark[0]);
  }
  *last = mark[0];
}

static void *reader(void *arg) {
  u64 seed = opt.seed * 1000 + (u64)(intptr_t)arg;
  sqlite3 *db = open_connection(opt.database);
  i64 last = 0;
  pthread_barrier_wait(&start);
  while (time_left()) {
    MUST(db, "BEGIN");
    for (u64 n = 1 + below(&seed, 3); n > 0; n--) check_snapshot(db, &seed, &last);
    MUST(db, "COMMIT");
  }
  close_connection(db);
  return NULL;
}

static void *opener(void *arg) {
  u64 seed = opt.seed * 1000 + (u64)(intptr_t)arg;
  pthread_barrier_wait(&start);
  while (time_left()) {
    sqlite3 *db = open_connection(opt.database);
    i64 last = 0;
    MUST(db, "BEGIN");
    check_snapshot(db, &seed, &last);
    MUST(db, "COMMIT");
    close_connection(db);
    count(&opened);
  }
  return NULL;
}

static sqlite3 *victim_db;

static void *victim(void *arg) {
  static const char *const work[] = {
      ("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
       "SELECT sum((SELECT max(distance) FROM t WHERE e MATCH test_vector(i, 8) AND k = 20)) FROM c"),
      "INSERT INTO t(t) VALUES('fold')",
      "INSERT OR REPLACE INTO t(rowid, e) SELECT 700 + i % 50, test_vector(i, 8) FROM n WHERE i < 90",
      "INSERT INTO t(t) VALUES('optimize')",
      "INSERT INTO t(t) VALUES('integrity-check')",
  };
  (void)arg;
  pthread_barrier_wait(&start);
  for (int round = 0; round < 5 || time_left(); round++) {
    /* The rows of `mark` must stay true: what is changed here is rolled back. */
    int begun = try_sql(victim_db, round % 5 ? "BEGIN IMMEDIATE" : "BEGIN"), rc = SQLITE_INTERRUPT;
    if (begun == SQLITE_OK) rc = try_sql(victim_db, "%s", work[round % 5]);
    if (rc == SQLITE_ERROR && strstr(sqlite3_errmsg(victim_db), "interrupted"))
      rc = SQLITE_INTERRUPT; /* sqlite3_declare_vtab */
    check(rc == SQLITE_OK || rc == SQLITE_INTERRUPT, "interrupted '%s': %d, %s", work[round % 5], rc,
          sqlite3_errmsg(victim_db));
    check(round % 5 || rc == SQLITE_INTERRUPT, "a query without an end has ended");
    if (rc == SQLITE_INTERRUPT) count(&interrupted);
    while (!sqlite3_get_autocommit(victim_db)) (void)try_sql(victim_db, "ROLLBACK");
  }
  pthread_mutex_lock(&lock);
  victim_done = 1;
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void *interrupter(void *arg) {
  u64 seed = opt.seed * 1000 + (u64)(intptr_t)arg;
  int done = 0;
  pthread_barrier_wait(&start);
  while (!done) {
    struct timespec pause = {0, (long)below(&seed, 5000000)};
    nanosleep(&pause, NULL);
    sqlite3_interrupt(victim_db);
    pthread_mutex_lock(&lock);
    done = victim_done;
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static void *memory(void *arg) {
  u64 seed = opt.seed * 1000 + (u64)(intptr_t)arg;
  pthread_barrier_wait(&start);
  while (time_left()) {
    sqlite3 *db = open_connection(":memory:");
    float vector[8] = {(float)below(&seed, 100) / 50 - 1};
    MUST(db, "CREATE VIRTUAL TABLE t USING quire(e float[8], fold_rows=16)");
    for (i64 i = 0; i < 40; i += 4) {
      MUST(db, "INSERT INTO t(rowid, e) VALUES(%lld, test_vector(%lld, 8)), (%lld, test_vector(%lld, 8))", i, i, i + 1,
           i * 7);
      check(answer(db, SEARCH, vector, sizeof vector) == answer(db, BRUTE_FORCE, vector, sizeof vector), "in memory");
    }
    MUST(db, "INSERT INTO t(t) VALUES('integrity-check')");
    close_connection(db);
    count(&in_memory);
  }
  return NULL;
}

/* --- the whole --- */

static void remove_files(void) {
  static const char *const endings[] = {"", "-quire", "-wal", "-shm", "-journal"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    char *name = sqlite3_mprintf("%s%s", opt.database, endings[i]);
    remove(name);
    sqlite3_free(name);
  }
}

static void set_up(void) {
  sqlite3 *db;
  remove_files();
  db = open_connection(opt.database);
  MUST(db, "PRAGMA journal_mode = %s", opt.journal);
  MUST(db, "CREATE VIRTUAL TABLE t USING quire(e float[8], fold_rows=8); CREATE TABLE mark(id, digest); CREATE TABLE "
           "n(i INTEGER PRIMARY KEY)");
  MUST(db,
       "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 400) INSERT INTO n SELECT i FROM c");
  MUST(db,
       "INSERT INTO t(rowid, e) SELECT i, test_vector(i, 8) FROM n WHERE i <= 200; INSERT INTO mark VALUES(0, "
       "test_crc(%s))",
       DIGEST);
  numbers(db, &said[0].rows, 1, "SELECT digest FROM mark");
  close_connection(db);
}

static void tear_down(void) {
  sqlite3 *db = open_connection(opt.database);
  i64 last = 0, state[2];
  u64 seed = 1;
  check_snapshot(db, &seed, &last);
  MUST(db, "INSERT INTO quire(quire) VALUES('integrity-check')");
  numbers(db, state, 1, "SELECT n FROM quire_state");
  check(state[0] > 1, "no fold happened");
  close_connection(db);
  remove_files();
  printf("%s: %lld commits, %lld rollbacks, %lld folds, %lld snapshots, %lld opened, %lld interrupted, %lld in memory; "
         "seed %llu\n",
         opt.journal, commits, rollbacks, state[0], snapshots, opened, interrupted, in_memory,
         (unsigned long long)opt.seed);
  check(commits > 0 && rollbacks >= 0 && snapshots > 0 && opened > 0 && interrupted > 0 && in_memory > 0,
        "a part did nothing");
}

int main(int argc, char **argv) {
  static void *(*const work[THREADS])(void *) = {writer, writer, reader, reader,      reader,
                                                 opener, opener, victim, interrupter, memory};
  pthread_t thread[THREADS];
  int c;

  while ((c = getopt(argc, argv, "t:s:j:")) != -1) {
    if (c == 't') opt.seconds = atof(optarg);
    if (c == 's') opt.seed = strtoull(optarg, NULL, 10);
    if (c == 'j') opt.journal = optarg;
    if (c == '?') return 2;
  }
  if (optind < argc) opt.database = argv[optind];
  said = calloc(MAX_COMMITS, sizeof *said);
  if (said == NULL || !sqlite3_threadsafe() || sqlite3_auto_extension((void (*)(void))sqlite3_quire_init)) return 2;
  set_up();
  victim_db = open_connection(opt.database);
  pthread_barrier_init(&start, NULL, THREADS);
  end = time(NULL) + (time_t)(opt.seconds + 0.5);
  for (int i = 0; i < THREADS; i++) {
    if (pthread_create(&thread[i], NULL, work[i], (void *)(intptr_t)i)) return 2;
  }
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  close_connection(victim_db);
  tear_down();
  free(said);
  sqlite3_reset_auto_extension();
  printf("%lld passed, %lld failed\n", passed, failed);
  return failed != 0;
}
