/*
 * fuzz_ddl.c: the arguments of CREATE VIRTUAL TABLE, of both modules.
 *
 * A table that is made can be described, written, read, renamed, connected anew from its schema, checked and dropped.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static sqlite3 *db;
  char *sql;
  sqlite3_stmt *stmt = NULL;
  int rc;
  if (size == 0 || size > 4000) return 0;
  if (db == NULL) db = fuzz_open();
  sql =
      sqlite3_mprintf("CREATE VIRTUAL TABLE t USING %s(%.*s)", data[0] % 2 ? "quire" : "vec0", (int)size - 1, data + 1);
  rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL); /* the first statement only */
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  if (rc == SQLITE_DONE) {
    char *there = fuzz_text(db, "SELECT count(*) FROM sqlite_schema WHERE name = 't'");
    if (there && strcmp(there, "1") == 0) {
      fuzz_must(db, "SELECT * FROM t; SELECT count(*) FROM t; SELECT * FROM pragma_table_xinfo('t')");
      sqlite3_exec(db, "INSERT INTO t DEFAULT VALUES", NULL, NULL, NULL);
      fuzz_must(db, "INSERT INTO quire(quire) VALUES('fold'); INSERT INTO quire(quire) VALUES('integrity-check')");
      fuzz_must(db,
                "ALTER TABLE t RENAME TO t2; CREATE TABLE other(x); DROP TABLE other; SELECT * FROM t2; DROP TABLE t2");
    }
    free(there);
  }
  sqlite3_exec(db, "DROP TABLE IF EXISTS t", NULL, NULL, NULL);
  return 0;
}
