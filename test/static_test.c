/*
 * static_test.c: a program that links libquire.a and libsqlite3, and has Quire on every connection.
 *
 *   static_test [database]     default: ":memory:"
 *
 * Prints a line for each answer; test/static.test knows them. Exit code 1 and a message on any error.
 */
#include "../ext/quire.h"

#include <stdio.h>

static int print_row(void *arg, int count, char **value, char **name) {
  (void)arg;
  (void)name;
  for (int i = 0; i < count; i++) printf("%s%s", i ? "|" : "", value[i] ? value[i] : "NULL");
  printf("\n");
  return 0;
}

static int run(sqlite3 *db, const char *sql) {
  int rc = sqlite3_exec(db, sql, print_row, NULL, NULL);
  if (rc) fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
  return rc;
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : ":memory:";
  sqlite3 *db = NULL, *other = NULL;
  int rc = sqlite3_auto_extension((void (*)(void))sqlite3_quire_init);

  if (rc == SQLITE_OK) rc = sqlite3_auto_extension((void (*)(void))sqlite3_vec_init);
  if (rc == SQLITE_OK) rc = sqlite3_open(name, &db);
  if (rc == SQLITE_OK)
    rc = run(db, "CREATE VIRTUAL TABLE v USING quire(e float[2]);"
                 "INSERT INTO v(rowid, e) VALUES(1, '[0,0]'), (2, '[3,4]'), (3, '[1,0]');"
                 "INSERT INTO v(v) VALUES('fold');"
                 "BEGIN; DELETE FROM v WHERE rowid = 1; ROLLBACK;"
                 "SELECT rowid, distance FROM v WHERE e MATCH '[0,0]' ORDER BY distance;"
                 "INSERT INTO v(v) VALUES('integrity-check');"
                 "SELECT vec_to_json(vec_add('[1,2]', '[3,4]'))");
  if (rc == SQLITE_OK) rc = sqlite3_open(name, &other);
  if (rc == SQLITE_OK)
    rc = run(other, "CREATE VIRTUAL TABLE temp.w USING vec0(e float[2]);"
                    "INSERT INTO w(rowid, e) VALUES(5, '[1,1]');"
                    "SELECT rowid, distance FROM w WHERE e MATCH '[1,1]' AND k = 1");
  if (rc == SQLITE_OK) rc = sqlite3_quire_init(db, NULL, NULL); /* again: nothing happens */
  sqlite3_close(db);
  sqlite3_close(other);
  sqlite3_reset_auto_extension();
  if (rc) fprintf(stderr, "error %d\n", rc);
  return rc != SQLITE_OK;
}
