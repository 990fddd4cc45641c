/*
 * fuzz_sql.c: statements on a small table, chosen byte by byte, and the same on an ordinary table: both must be alike in the end.
 *
 * Rows have a vector of 3 elements from a few values (so that equal ones are common), a sparse one of 8, a number. A commit folds after 3 changes.
 * The last byte chooses where the pages are, the index, and whether rows keep their vectors. Every transaction ends; then rows, searches and
 * integrity-check.
 */
#include "fuzz.h"

static const uint8_t *in;
static size_t left;

static unsigned take(unsigned below) {
  if (left == 0) return 0;
  left--;
  return *in++ % below;
}

typedef struct {
  const char *schema; /* of the table t, and of its store */
  int sparse;         /* the column s is one of vectors; else it just keeps them */
} Kind;

static const Kind kinds[] = {
    {"CREATE VIRTUAL TABLE t USING quire(id integer primary key, e float[3], s sparse[8] distance_metric=dot, a "
     "integer, "
     "fold_rows=3)",
     1},
    {"CREATE VIRTUAL TABLE quire USING quire_store(home=inline);"
     "CREATE VIRTUAL TABLE t USING quire(id integer primary key, e float[3] INDEXED BY hnsw(m=4, ef_construction=8), "
     "s sparse[8] distance_metric=dot, a integer, fold_rows=3)",
     1},
    {"CREATE VIRTUAL TABLE quire USING quire_store(home=inline);"
     "CREATE VIRTUAL TABLE t USING quire(id integer primary key, e float[3] INDEXED BY ivf(from_rows=1), +s blob, "
     "a integer, fold_rows=3, content='')",
     0},
};

#define DENSE " vec_f32(json_array(?2, ?3, ?4)) "
#define SPARSE " vec_sparse(printf('{\"%d\":%d,\"6\":%d}', ?2, ?3, ?4), 8) "

/* One statement, `table` between its halves. A constraint is all that it may fail of. */
static int run(sqlite3 *db, const char *before, const char *table, const char *after, const unsigned values[5]) {
  char *sql = sqlite3_mprintf("%s %s %s", before, table, after);
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
  for (int i = 0; rc == SQLITE_OK && i < sqlite3_bind_parameter_count(stmt); i++)
    rc = sqlite3_bind_int(stmt, i + 1, (int)values[i]);
  if (rc == SQLITE_OK) sqlite3_step(stmt);
  rc = sqlite3_finalize(stmt) | rc;
  if (rc && rc != SQLITE_CONSTRAINT) FINDING("%s: %d, %s", sql, rc, sqlite3_errmsg(db));
  sqlite3_free(sql);
  return rc;
}

/* The same on t and on m; both are done or both fail. ?1: a, ?2 to ?4: elements of a vector, ?5: c. */
static void both(sqlite3 *db, const char *before, const char *after, unsigned a, unsigned b, unsigned c) {
  const unsigned values[] = {a, b % 3, b % 5, b / 3 % 4, c};
  int t = run(db, before, "t", after, values), m = run(db, before, "m", after, values);
  if (t != m) FINDING("t: %d, m: %d: %s ... %s", t, m, before, after);
}

static void same(sqlite3 *db, const char *sql_t, const char *sql_m) {
  char *t = fuzz_text(db, sql_t), *m = fuzz_text(db, sql_m);
  if (t == NULL || m == NULL || strcmp(t, m))
    FINDING("%s: '%s', and of the mirror '%s'", sql_t, t ? t : sqlite3_errmsg(db), m ? m : "");
  free(t);
  free(m);
}

static void compare(sqlite3 *db, const Kind *kind) {
  same(db,
       "SELECT group_concat(id || hex(e) || coalesce(hex(s), '-') || coalesce(a, '-')) FROM (SELECT * FROM t ORDER BY "
       "id)",
       "SELECT group_concat(id || hex(e) || coalesce(hex(s), '-') || coalesce(a, '-')) FROM (SELECT * FROM m ORDER BY "
       "id)");
  same(db,
       "SELECT group_concat(id || ':' || distance) FROM (SELECT id, distance FROM t WHERE e MATCH '[1,1,2]' AND k = 5 "
       "AND exact = 1)",
       "SELECT group_concat(id || ':' || d) FROM (SELECT id, vec_distance_l2(e, '[1,1,2]') AS d FROM m WHERE e IS NOT "
       "NULL ORDER BY d, id LIMIT 5)");
  same(db,
       "SELECT group_concat(id || ':' || distance) FROM (SELECT id, distance FROM t WHERE e MATCH '[0,4,1]' AND a = 2 "
       "AND k = 999 AND exact = 1)",
       "SELECT group_concat(id || ':' || d) FROM (SELECT id, vec_distance_l2(e, '[0,4,1]') AS d FROM m WHERE e IS NOT "
       "NULL AND a = 2 ORDER BY d, id)");
  if (!kind->sparse) return;
  same(db,
       "SELECT group_concat(id || ':' || distance) FROM (SELECT id, distance FROM t WHERE s MATCH '{2:1,7:2}/8' AND k "
       "= 5)",
       "SELECT group_concat(id || ':' || d) FROM (SELECT id, vec_distance_dot(s, '{2:1,7:2}/8') AS d FROM m WHERE s IS "
       "NOT NULL ORDER BY d, id LIMIT 5)");
  same(
      db,
      "SELECT group_concat(id || ':' || distance) FROM (SELECT id, distance FROM t WHERE s MATCH '{1:1,3:-1}/8' AND a "
      "> 1 AND k = 999)",
      "SELECT group_concat(id || ':' || d) FROM (SELECT id, vec_distance_dot(s, '{1:1,3:-1}/8') AS d FROM m WHERE s IS "
      "NOT NULL AND a > 1 ORDER BY d, id)");
}

static void step(sqlite3 *db, const Kind *kind) {
  static const char *const ends[] = {"BEGIN",     "COMMIT",    "ROLLBACK",      "SAVEPOINT a",  "SAVEPOINT b",
                                     "RELEASE a", "RELEASE b", "ROLLBACK TO a", "ROLLBACK TO b"};
  static const char *const commands[] = {"fold", "optimize", "rebuild", "integrity-check", "delete-all"};
  unsigned what = take(16), a = take(64), b = take(60), c = take(5);
  switch (what) {
    case 0:
    case 1: both(db, "INSERT INTO", "(id, e, s, a) VALUES(?1," DENSE "," SPARSE ", ?5)", a, b, c); break;
    case 2: both(db, "INSERT OR REPLACE INTO", "(id, e, s, a) VALUES(?1," DENSE "," SPARSE ", ?5)", a, b, c); break;
    case 3:
      if (c == 4)
        both(db, "UPDATE", "SET s =" SPARSE "WHERE id = ?1", a, b, c);
      else
        both(db, "UPDATE", "SET e =" DENSE "WHERE id = ?1", a, b, c);
      break;
    case 4: both(db, "UPDATE", "SET a = ?5 WHERE a > ?2 AND id < ?1", a, b, c); break;
    case 5: both(db, "DELETE FROM", "WHERE id = ?1", a, b, c); break;
    case 6: both(db, "DELETE FROM", "WHERE id % 7 = ?2", a, b, c); break;
    case 7: both(db, "UPDATE", "SET id = ?1 + 64 WHERE id = ?1", a, b, c); break;
    case 8:
      if (c > 2)
        both(db, "UPDATE", "SET s = NULL WHERE id = ?1", a, b, c);
      else
        both(db, "UPDATE", "SET e = NULL WHERE id = ?1", a, b, c);
      break;
    case 9:
      both(db,
           "WITH RECURSIVE s(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM s WHERE i < ?1 + 9) INSERT OR IGNORE INTO",
           "(id, e, s, a) SELECT i, vec_f32(json_array(i % 4, ?3, ?4))," SPARSE ", i % 3 FROM s", a, b, c);
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
    case 14: both(db, "DELETE FROM", "", a, b, c); break;
    default: compare(db, kind);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Kind *kind = &kinds[size ? data[size - 1] % (sizeof kinds / sizeof *kinds) : 0];
  sqlite3 *db;
  in = data;
  left = size;
  if (size > 2000) return 0;
  db = fuzz_open();
  fuzz_must(db, kind->schema);
  fuzz_must(db, "CREATE TABLE m(id INTEGER PRIMARY KEY, e BLOB, s BLOB, a INTEGER)");
  while (left) step(db, kind);
  sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
  compare(db, kind);
  fuzz_must(db, "INSERT INTO quire(quire) VALUES('integrity-check'); INSERT INTO quire(quire) VALUES('fold')");
  compare(db, kind);
  fuzz_must(db, "INSERT INTO quire(quire) VALUES('integrity-check')");
  if (sqlite3_close(db)) FINDING("a statement was left open");
  return 0;
}
