/*
 * content_mode.c: where a table's rows and vectors are, and what the store does differently for it.
 *
 *   content_rows      t_content has the rows, vectors among them: each with a tag, so that the last one says whether an overlay is current (D2)
 *   content_external  the user's own table has them, which is only read (D8)
 *   content_pages     content='': as content_rows, but a vector that a fold has put into pages is there alone:
 *
 *   P1  A vector's cell that holds the integer 1 (PAGED_CELL) says: the pages of this snapshot's root have it. The fold that puts it there writes the 1, among its
 *       own SQL, after the pages (W1), so that cell and root are committed, undone and seen by others together.
 *   P2  A row of the delta, a fresh one too, has all its vectors itself: an UPDATE that changes one writes the others back into their cells.
 *   P3  Pages that cannot be read fail what needs a vector of theirs: SQLITE_CORRUPT_VTAB, with the file that is wanted. All else goes on. A 1 is never
 *       overwritten but by a new vector or NULL, so that nothing is lost when the file is put back; 'rebuild' reads the vectors from the old pages, and fails before
 *       it has changed anything where it cannot.
 *   P4  Vectors whose pages are in a memory home stay in the rows: those pages go with the connection (S10).
 *   P5  SQLite joins pages of a table that have become nearly empty where a row is deleted, not where one becomes shorter. So of the rows that a fold marks one in a page, about,
 *       is deleted and inserted again as it is: unless foreign keys or triggers would see that.
 */
#include "store_int.h"

#define JOIN_BYTES 2048u /* of vectors that go, for each row that is rewritten */
#define SIZED_BYTES 128u /* that a vector is taken to have where they have different sizes */

/* --- rows of ours --- */

static int tail_with_row(Table *t) {
  Store *s = t->store;
  const TableShape *c = &t->shape;
  return store_prepare(
      s, &t->stmt[TABLE_TAIL],
      "SELECT s.format, s.uuid, s.n, s.gen, s.root, s.crc, s.pages, s.owner, d.seq, d.tag, c.\"%w\", c.\"%w\" "
      "FROM %s.quire_state s "
      "LEFT JOIN %s.\"%w_delta\" d ON d.seq = (SELECT max(seq) FROM %s.\"%w_delta\") "
      "LEFT JOIN %s.\"%w\" c ON c.\"%w\" = (SELECT max(\"%w\") FROM %s.\"%w\") WHERE s.id = 1",
      c->rowid, c->tag, s->quoted, s->quoted, t->name, s->quoted, t->name, s->quoted, c->content, c->rowid, c->rowid,
      s->quoted, c->content);
}

static int tags_with_row(Table *t) {
  Store *s = t->store;
  return store_prepare(
      s, &t->stmt[TABLE_TAGS],
      "SELECT (SELECT tag FROM %s.\"%w_delta\" WHERE seq = ?1), (SELECT \"%w\" FROM %s.\"%w\" WHERE \"%w\" = ?2)",
      s->quoted, t->name, t->shape.tag, s->quoted, t->shape.content, t->shape.rowid);
}

static void stays(Table *t) { (void)t; }

static int never_paged(sqlite3_stmt *stmt, int column) {
  (void)stmt, (void)column;
  return 0;
}

static int none_paged(Table *t, int *has) {
  (void)t;
  *has = 0;
  return SQLITE_OK;
}

const ContentMode content_rows = {1, tail_with_row, tags_with_row, stays, stays, never_paged, none_paged, NULL};

/* --- rows of the user's --- */

static int tail_of_delta(Table *t) {
  Store *s = t->store;
  return store_prepare(s, &t->stmt[TABLE_TAIL],
                       "SELECT s.format, s.uuid, s.n, s.gen, s.root, s.crc, s.pages, s.owner, d.seq, d.tag, NULL, NULL "
                       "FROM %s.quire_state s "
                       "LEFT JOIN %s.\"%w_delta\" d ON d.seq = (SELECT max(seq) FROM %s.\"%w_delta\") WHERE s.id = 1",
                       s->quoted, s->quoted, t->name, s->quoted, t->name);
}

static int tags_of_delta(Table *t) {
  return store_prepare(t->store, &t->stmt[TABLE_TAGS], "SELECT (SELECT tag FROM %s.\"%w_delta\" WHERE seq = ?1), ?2",
                       t->store->quoted, t->name);
}

/* D8 */
static void unsure_while_writing(Table *t) {
  t->unsure = sqlite3_txn_state(t->store->db, t->store->schema) == SQLITE_TXN_WRITE;
}

const ContentMode content_external = {
    0, tail_of_delta, tags_of_delta, unsure_while_writing, table_drop_overlay, never_paged, none_paged, NULL};

/* --- rows of ours, vectors in pages alone --- */

static int is_paged(sqlite3_stmt *stmt, int column) {
  return sqlite3_column_type(stmt, column) == SQLITE_INTEGER && sqlite3_column_int64(stmt, column) == PAGED_CELL;
}

static int has_paged(Table *t, int *has) {
  Store *s = t->store;
  sqlite3_str *sql = sqlite3_str_new(s->db);
  sqlite3_stmt *stmt = NULL;
  char *text;
  u32 i;
  int rc;
  sqlite3_str_appendf(sql, "SELECT 1 FROM %s.\"%w\" WHERE", s->quoted, t->shape.content);
  for (i = 0; i < t->shape.vector_count; i++)
    sqlite3_str_appendf(sql, "%s \"%w\" = %d", i ? " OR" : "", t->shape.vector[i].column, PAGED_CELL);
  text = sqlite3_str_finish(sql);
  if (text == NULL) return SQLITE_NOMEM;
  rc = store_prepare(s, &stmt, "%s LIMIT 1", text);
  sqlite3_free(text);
  if (rc) return rc;
  *has = sqlite3_step(stmt) == SQLITE_ROW;
  return sqlite3_finalize(stmt);
}

/* ?1 to ?2: rowids, all of them folded; ?3: their vectors. */
static int prepare_mark(Table *t) {
  const TableShape *c = &t->shape;
  sqlite3_str *sql;
  char *text;
  u32 i;
  int rc;
  if (t->stmt[TABLE_MARK]) return SQLITE_OK;
  sql = sqlite3_str_new(t->store->db);
  for (i = 0; i < c->vector_count; i++) {
    const char *column = c->vector[i].column;
    if (c->vector_count == 1)
      sqlite3_str_appendf(sql, "\"%w\" = %d", column, PAGED_CELL);
    else
      sqlite3_str_appendf(sql, "%s\"%w\" = CASE WHEN ?3 >> %u & 1 THEN %d ELSE \"%w\" END", i ? ", " : "", column, i,
                          PAGED_CELL, column);
  }
  text = sqlite3_str_finish(sql);
  if (text == NULL) return SQLITE_NOMEM;
  rc = store_prepare(t->store, &t->stmt[TABLE_MARK], "UPDATE %s.\"%w\" SET %s WHERE \"%w\" BETWEEN ?1 AND ?2",
                     t->store->quoted, c->content, text, c->rowid);
  sqlite3_free(text);
  return rc;
}

/* Whether nothing but the row itself changes when it is deleted and inserted again: no table refers to another by a key here, no trigger sees it. */
static int may_rewrite(Table *t, int *may) {
  sqlite3_stmt *stmt = NULL;
  int rc = store_prepare(
      t->store, &stmt,
      "SELECT 1 FROM %s.sqlite_schema WHERE (type = 'trigger' AND tbl_name = %Q COLLATE NOCASE) OR (type = "
      "'table' AND sql LIKE '%%REFERENCES%%' AND instr(lower(sql), lower(%Q)))",
      t->store->quoted, t->shape.content, t->shape.content);
  if (rc) return rc;
  *may = sqlite3_step(stmt) == SQLITE_DONE;
  return sqlite3_finalize(stmt);
}

static int prepare_rewrite(Table *t) {
  const char *schema = t->store->quoted, *content = t->shape.content, *rowid = t->shape.rowid;
  sqlite3_str *sql;
  char *values;
  int rc = store_prepare(t->store, &t->stmt[TABLE_ROW], "SELECT * FROM %s.\"%w\" WHERE \"%w\" = ?1", schema, content,
                         rowid),
      i;
  if (rc == SQLITE_OK)
    rc = store_prepare(t->store, &t->stmt[TABLE_ROW_DELETE], "DELETE FROM %s.\"%w\" WHERE \"%w\" = ?1", schema, content,
                       rowid);
  if (rc || t->stmt[TABLE_ROW_INSERT]) return rc;
  sql = sqlite3_str_new(t->store->db);
  for (i = 1; i <= sqlite3_column_count(t->stmt[TABLE_ROW]); i++)
    sqlite3_str_appendf(sql, "%s?%d", i > 1 ? "," : "", i);
  values = sqlite3_str_finish(sql);
  if (values == NULL) return SQLITE_NOMEM;
  rc = store_prepare(t->store, &t->stmt[TABLE_ROW_INSERT], "INSERT INTO %s.\"%w\" VALUES(%s)", schema, content, values);
  sqlite3_free(values);
  return rc;
}

/* P5 */
static int rewrite(Table *t, i64 rowid) {
  sqlite3_stmt *row = t->stmt[TABLE_ROW], *gone = t->stmt[TABLE_ROW_DELETE], *back = t->stmt[TABLE_ROW_INSERT];
  int rc, i;
  sqlite3_bind_int64(row, 1, rowid);
  rc = sqlite3_step(row);
  if (rc != SQLITE_ROW || sqlite3_column_count(row) != sqlite3_bind_parameter_count(back)) return sqlite3_reset(row);
  for (i = 0, rc = SQLITE_OK; i < sqlite3_column_count(row) && rc == SQLITE_OK; i++)
    rc = sqlite3_bind_value(back, i + 1, sqlite3_column_value(row, i));
  sqlite3_reset(row);
  if (rc == SQLITE_OK) {
    sqlite3_bind_int64(gone, 1, rowid);
    sqlite3_step(gone);
    rc = sqlite3_reset(gone);
  }
  if (rc == SQLITE_OK) {
    sqlite3_step(back);
    rc = sqlite3_reset(back);
  }
  sqlite3_clear_bindings(back);
  return rc;
}

/* P5, of rows whose vectors were taken out. */
static int join_pages(Table *t, const FoldedRow *row, u64 count) {
  u64 bytes = 0, step, i;
  int may = 0, rc = may_rewrite(t, &may);
  if (rc || !may) return rc;
  rc = prepare_rewrite(t);
  for (i = 0; i < t->shape.vector_count; i++) bytes += t->shape.vector[i].size ? t->shape.vector[i].size : SIZED_BYTES;
  step = MAX(JOIN_BYTES / bytes, 1);
  for (i = 0; i < count && rc == SQLITE_OK; i += step) rc = rewrite(t, row[i].rowid);
  return rc;
}

/* P1, a run of rowids at a time. */
static int mark(Table *t, const FoldedRow *row, u64 count) {
  sqlite3_stmt **stmt = &t->stmt[TABLE_MARK];
  u64 first, end;
  int rc = SQLITE_OK;
  if (count) rc = prepare_mark(t);
  for (first = 0; first < count && rc == SQLITE_OK; first = end) {
    for (end = first + 1; end < count && row[end].rowid == row[end - 1].rowid + 1; end++) {
      if (row[end].columns != row[first].columns) break;
    }
    sqlite3_bind_int64(*stmt, 1, row[first].rowid);
    sqlite3_bind_int64(*stmt, 2, row[end - 1].rowid);
    if (t->shape.vector_count > 1) sqlite3_bind_int64(*stmt, 3, row[first].columns);
    sqlite3_step(*stmt);
    rc = sqlite3_reset(*stmt);
  }
  if (rc == SQLITE_OK && count) rc = join_pages(t, row, count);
  if (rc == SQLITE_OK) t->store->stats.content_rows_paged += count;
  return rc;
}

const ContentMode content_pages = {1, tail_with_row, tags_with_row, stays, stays, is_paged, has_paged, mark};
