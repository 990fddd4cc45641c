/*
 * fuzz_literal.c: vectors as text and as BLOB, to every type: functions, INSERT, MATCH.
 *
 * The first byte chooses type and form, the rest is the literal. What a constructor takes must come back from its own JSON,
 * at distance 0. First bytes 10 to 19 choose sparse vectors, which come back from both their texts as the same bytes.
 */
#include "fuzz.h"

static const struct {
  const char *function, *column;
} types[] = {{"vec_f32", "e"}, {"vec_f16", "h"}, {"vec_bf16", "g"}, {"vec_int8", "i"}, {"vec_bit", "b"}};

/* Run with the literal as ?1. What it gives in the first row, if it gives one and is no error, must be 1 (`wanted`). */
static void run(sqlite3 *db, const char *sql, const uint8_t *data, size_t size, int text, int column, int wanted) {
  sqlite3_stmt *stmt = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL)) FINDING("%s: %s", sql, sqlite3_errmsg(db));
  if (text)
    sqlite3_bind_text(stmt, 1, (const char *)data, (int)size, SQLITE_STATIC);
  else
    sqlite3_bind_blob(stmt, 1, data, (int)size, SQLITE_STATIC);
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    if (wanted && sqlite3_column_int(stmt, column) != 1) FINDING("%s: not 1", sql);
    if (!wanted && column >= 0 && sqlite3_column_type(stmt, column) == SQLITE_NULL) FINDING("%s: NULL", sql);
  }
  sqlite3_finalize(stmt);
}

static const char *const sparse[] = {
    "SELECT vec_sparse(vec_to_json(v)) = v AND vec_sparse(vec_sparse_to_text(v)) = v AND vec_distance_l1(v, v) = 0"
    " AND vec_distance_cosine(v, v) = iif(vec_sparse_to_text(v) GLOB '{}*', 1, 0) FROM (SELECT vec_sparse(?1) AS v)",
    "SELECT vec_sparse(v) = v FROM (SELECT vec_sparse(?1, 9) AS v)",
    "SELECT count(*) = json_array_length(vec_to_json(vec_sparse(?1)), '$.indices') FROM vec_each(?1) WHERE value <> 0",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static sqlite3 *db;
  char sql[400];
  unsigned type, text;
  if (db == NULL) {
    db = fuzz_open();
    fuzz_must(db, "CREATE VIRTUAL TABLE t USING quire(e float[4], h float16[4], g bfloat16[4], i int8[4], b bit[8])");
  }
  if (size == 0) return 0;
  type = data[0] % 5;
  text = data[0] / 5 % 2;
  if (data[0] >= 10 && data[0] < 20) {
    for (size_t i = 0; i < sizeof sparse / sizeof *sparse; i++) run(db, sparse[i], data + 1, size - 1, (int)text, 0, 1);
    return 0;
  }
  for (int use = 0; use < 3; use++) {
    const char *f = types[type].function, *c = types[type].column;
    if (use == 0 && type < 4)
      snprintf(sql, sizeof sql, "SELECT vec_distance_l1(%s(vec_to_json(%s(?1))), %s(?1)) = 0", f, f, f);
    if (use == 0 && type == 4)
      snprintf(sql, sizeof sql, "SELECT vec_distance_hamming(vec_bit(vec_bit(?1)), vec_bit(?1)) = 0");
    if (use == 1) snprintf(sql, sizeof sql, "INSERT INTO t(rowid, %s) VALUES(1, ?1)", c);
    if (use == 2) snprintf(sql, sizeof sql, "SELECT rowid, distance FROM t WHERE %s MATCH ?1 AND k = 3", c);
    run(db, sql, data + 1, size - 1, (int)text, use == 2 ? 1 : use == 0 ? 0 : -1, use == 0);
  }
  fuzz_must(db, "DELETE FROM t");
  return 0;
}
