/*
 * fuzz_sql.c: statements on a small table, chosen byte by byte, and the same on an ordinary table: both must be alike in the end.
 *
 * Rows have a vector of 3 elements from a few values (so that equal ones are common), 8 bits, a number. A commit folds after 3 changes.
 * Every transaction ends; then rows, searches and integrity-check.
 */
#include "fuzz.h"

static const uint8_t *in;
static size_t left;

static unsigned take(unsigned below) {
  if (left == 0) return 0;
  left--;
  return *in++ % below;
}

/* The statement on t and on m; both are done or both fail. */
static void both(sqlite3 *db, const char *format, unsigned a, unsigned b, unsigned c) {
  int rc[2];
  for (int i = 0; i < 2; i++) {
    char *sql = sqlite3_mprintf(format, i ? "m" : "t", a, b % 3, b % 5, b / 3 % 4, c);
    rc[i] = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (i && (rc[0] == SQLITE_OK) != (rc[1] == SQLITE_OK)) FINDING("t: %d, m: %d: %s", rc[0], rc[1], sql);
    sqlite3_free(sql);
  }
}

static void same(sqlite3 *db, const char *sql_t, const char *sql_m) {
  char *t = fuzz_text(db, sql_t), *m = fuzz_text(db, sql_m);
  if (t == NULL || m == NULL || strcmp(t, m))
    FINDING("%s: '%s', and of the mirror '%s'", sql_t, t ? t : sqlite3_errmsg(db), m ? m : "");
  free(t);
  free(m);
}

static void compare(sqlite3 *db) {
  same(
      db,
      "SELECT group_concat(rowid || hex(e) || coalesce(a, '-')) FROM (SELECT t_id AS rowid, e, a FROM t ORDER BY t_id)",
      "SELECT group_concat(id || hex(e) || coalesce(a, '-')) FROM (SELECT m_id AS id, e, a FROM m ORDER BY m_id)");
  same(db,
       "SELECT group_concat(rowid || ':' || distance) FROM (SELECT t_id AS rowid, distance FROM t WHERE e MATCH "
       "'[1,1,2]' AND k = 5)",
       "SELECT group_concat(id || ':' || d) FROM (SELECT m_id AS id, vec_distance_l2(e, '[1,1,2]') AS d FROM m WHERE e "
       "IS NOT NULL ORDER BY d, id LIMIT 5)");
  same(db,
       "SELECT group_concat(rowid || ':' || distance) FROM (SELECT t_id AS rowid, distance FROM t WHERE e MATCH "
       "'[0,4,1]' AND a = 2 AND k = 99)",
       "SELECT group_concat(id || ':' || d) FROM (SELECT m_id AS id, vec_distance_l2(e, '[0,4,1]') AS d FROM m WHERE e "
       "IS NOT NULL AND a = 2 ORDER BY d, id)");
}

static void step(sqlite3 *db) {
  static const char *const ends[] = {"BEGIN",     "COMMIT",    "ROLLBACK",      "SAVEPOINT a",  "SAVEPOINT b",
                                     "RELEASE a", "RELEASE b", "ROLLBACK TO a", "ROLLBACK TO b"};
  static const char *const commands[] = {"fold", "optimize", "rebuild", "integrity-check", "delete-all"};
  unsigned what = take(16), a = take(64), b = take(60), c = take(5);
  switch (what) {
    case 0:
    case 1: both(db, "INSERT INTO %1$s(%1$s_id, e, a) VALUES(%2$u, vec_f32('[%3$u,%4$u,%5$u]'), %6$u)", a, b, c); break;
    case 2:
      both(db, "INSERT OR REPLACE INTO %1$s(%1$s_id, e, a) VALUES(%2$u, vec_f32('[%3$u,%4$u,%5$u]'), %6$u)", a, b, c);
      break;
    case 3: both(db, "UPDATE %1$s SET e = vec_f32('[%3$u,%4$u,%5$u]') WHERE %1$s_id = %2$u", a, b, c); break;
    case 4: both(db, "UPDATE %1$s SET a = %6$u WHERE a > %3$u AND %1$s_id < %2$u", a, b, c); break;
    case 5: both(db, "DELETE FROM %1$s WHERE %1$s_id = %2$u", a, b, c); break;
    case 6: both(db, "DELETE FROM %1$s WHERE %1$s_id %% 7 = %3$u", a, b, c); break;
    case 7: both(db, "UPDATE %1$s SET %1$s_id = %2$u + 64 WHERE %1$s_id = %2$u", a, b, c); break;
    case 8: both(db, "UPDATE %1$s SET e = NULL WHERE %1$s_id = %2$u", a, b, c); break;
    case 9:
      both(db,
           "WITH RECURSIVE s(i) AS (SELECT %2$u UNION ALL SELECT i + 1 FROM s WHERE i < %2$u + 9) INSERT OR IGNORE "
           "INTO %1$s(%1$s_id, e, a) "
           "SELECT i, vec_f32('[' || (i %% 4) || ',%4$u,%5$u]'), i %% 3 FROM s",
           a, b, c);
      break;
    case 10:
    case 11:
    case 12: sqlite3_exec(db, ends[a % 9], NULL, NULL, NULL); break;
    case 13: {
      char *sql = sqlite3_mprintf("INSERT INTO t(t) VALUES('%s')", commands[a % 5]);
      int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
      if (a % 5 == 4 && rc == SQLITE_OK) fuzz_must(db, "DELETE FROM m");
      if (rc) FINDING("%s: %s", sql, sqlite3_errmsg(db));
      sqlite3_free(sql);
      break;
    }
    case 14: both(db, "DELETE FROM %1$s", a, b, c); break;
    default: compare(db);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sqlite3 *db;
  in = data;
  left = size;
  if (size > 2000) return 0;
  db = fuzz_open();
  fuzz_must(db, "CREATE VIRTUAL TABLE t USING quire(t_id integer primary key, e float[3], a integer, fold_rows=3)");
  fuzz_must(db, "CREATE TABLE m(m_id INTEGER PRIMARY KEY, e BLOB, a INTEGER)");
  while (left) step(db);
  sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
  compare(db);
  fuzz_must(db, "INSERT INTO quire(quire) VALUES('integrity-check'); INSERT INTO quire(quire) VALUES('fold')");
  compare(db);
  fuzz_must(db, "INSERT INTO quire(quire) VALUES('integrity-check')");
  if (sqlite3_close(db)) FINDING("a statement was left open");
  return 0;
}
