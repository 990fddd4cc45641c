/*
 * fuzz_literal.c: vectors as text and as BLOB, to every type: functions, INSERT, MATCH.
 *
 * The first byte chooses type and form, the rest is the literal. What a constructor takes must come back from its own JSON,
 * at distance 0.
 */
#include "fuzz.h"

static const struct {
  const char *function, *column;
} types[] = {{"vec_f32", "e"}, {"vec_f16", "h"}, {"vec_bf16", "g"}, {"vec_int8", "i"}, {"vec_bit", "b"}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static sqlite3 *db;
  sqlite3_stmt *stmt = NULL;
  char sql[400];
  unsigned type, text;
  if (db == NULL) {
    db = fuzz_open();
    fuzz_must(db, "CREATE VIRTUAL TABLE t USING quire(e float[4], h float16[4], g bfloat16[4], i int8[4], b bit[8])");
  }
  if (size == 0) return 0;
  type = data[0] % 5;
  text = data[0] / 5 % 2;
  for (int use = 0; use < 3; use++) {
    const char *f = types[type].function, *c = types[type].column;
    if (use == 0 && type < 4)
      snprintf(sql, sizeof sql, "SELECT vec_distance_l1(%s(vec_to_json(%s(?1))), %s(?1)) = 0", f, f, f);
    if (use == 0 && type == 4)
      snprintf(sql, sizeof sql, "SELECT vec_distance_hamming(vec_bit(vec_bit(?1)), vec_bit(?1)) = 0");
    if (use == 1) snprintf(sql, sizeof sql, "INSERT INTO t(rowid, %s) VALUES(1, ?1)", c);
    if (use == 2) snprintf(sql, sizeof sql, "SELECT rowid, distance FROM t WHERE %s MATCH ?1 AND k = 3", c);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL)) FINDING("%s: %s", sql, sqlite3_errmsg(db));
    if (text)
      sqlite3_bind_text(stmt, 1, (const char *)data + 1, (int)size - 1, SQLITE_STATIC);
    else
      sqlite3_bind_blob(stmt, 1, data + 1, (int)size - 1, SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
      if (use == 0 && sqlite3_column_int(stmt, 0) != 1) FINDING("%s: not the same vector", types[type].function);
      if (use == 2 && sqlite3_column_type(stmt, 1) == SQLITE_NULL) FINDING("a distance that is no number");
    }
    sqlite3_finalize(stmt);
  }
  fuzz_must(db, "DELETE FROM t");
  return 0;
}
