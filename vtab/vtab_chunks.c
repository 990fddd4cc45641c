/*
 * vtab_chunks.c: tables that sqlite-vec has made: read where they are (chunks.c), and moved to pages of ours by the command 'upgrade'.
 *
 * Every statement that reads works, KNN by an exact scan; changes are SQLITE_READONLY. 'upgrade' copies each row, in the transaction of its
 * statement:
 *
 *   G1  The table is read through before the first write (chunks_integrity): what is damaged is refused, and the transaction goes on. After
 *       it, as in vtab_update.c, only errors that roll the transaction back are returned (U2).
 *   G2  The VecTable becomes one with pages before anything is written to them, so that the store gets its hooks, also when the upgrade
 *       fails or is rolled back. It is not used any more then: SQLite connects anew, as the schema has changed.
 *   G3  Vectors that are no vectors to us (NaN, infinity) stay in the row as they are, and no search returns it: sqlite-vec takes them.
 *   G4  The emptied shadow tables stay until DROP TABLE: SQLite drops no table while a statement runs. Names change, see chunks_empty.
 */
#include "vtab_int.h"

/* --- reading --- */

static int drop(VecTable *vt) { return chunks_drop(vt->chunks); }
static int rename_to(VecTable *vt, const char *name) { return chunks_rename(vt->chunks, name); }

static const char *words(const VecTable *vt, int rc) {
  return rc == SQLITE_CORRUPT_VTAB ? chunks_error(vt->chunks) : NULL;
}

/* sqlite-vec's indexes of 0.1.9 compare every row, and so do we. */
static const IndexShape *index_of(const VecTable *vt, int column) {
  static const IndexShape flat = {.kind = INDEX_FLAT};
  (void)vt;
  (void)column;
  return &flat;
}

/* The rows of one column, for a search. */
typedef struct ColumnRows {
  SearchRows base;
  Chunks *chunks;
  int column;
  u32 vector;
} ColumnRows;

static int each_row(const SearchRows *base, ContentRow *row, void *arg) {
  const ColumnRows *rows = (const ColumnRows *)base;
  return chunks_vectors(rows->chunks, rows->column, rows->vector, row, arg);
}

static void close_rows(SearchRows *base) { mem_free(base); }

static int search(VecTable *vt, SearchRequest *request, Search **out) {
  VectorShape shape;
  int rc = SQLITE_OK;
  ColumnRows *rows = mem_zeroed(&rc, 1, sizeof *rows);

  if (rc) return rc;
  rows->base = (SearchRows){each_row, close_rows};
  rows->chunks = vt->chunks;
  rows->column = vt->vector_column[request->column];
  rows->vector = request->column;
  vtab_vector_shape(vt, request->column, &shape);
  return search_open_rows(request, &shape, &rows->base, out);
}

static int integrity(VecTable *vt, char **problem) { return chunks_integrity(vt->chunks, problem); }

static int vector_of(VecTable *vt, i64 rowid, u32 vector, sqlite3_value *cell, const void **bytes) {
  (void)vt, (void)rowid, (void)vector, (void)cell;
  *bytes = NULL;
  return SQLITE_OK;
}

static int nothing(VecTable *vt) {
  (void)vt;
  return SQLITE_OK;
}
static int nothing_at(VecTable *vt, int n) {
  (void)vt;
  (void)n;
  return SQLITE_OK;
}

/* --- 'upgrade' --- */

/* Copy the row that a statement of the old content stands on. */
static int copy_row(VecTable *vt, sqlite3_stmt *stmt) {
  const TableShape *shape = table_shape(vt->table);
  const void *bytes[MAX_VECTOR_COLUMNS];
  u64 fields[MAX_FIELD_WORDS];
  Cell cell[MAX_DECLARED];
  i64 rowid = sqlite3_column_int64(stmt, 0);
  int rc = table_write_begin(vt->table);

  if (rc) return rc;
  for (int i = 0; i < vt->spec->column_count; i++)
    cell[i] = (Cell){CELL_VALUE, sqlite3_column_value(stmt, 1 + i), NULL, 0};
  for (u32 i = 0; i < vt->vector_count; i++) {
    const Column *column = &vt->spec->column[vt->vector_column[i]];
    bytes[i] = sqlite3_column_blob(stmt, 1 + vt->vector_column[i]);
    if (bytes[i] == NULL) return SQLITE_NOMEM;
    if (elem_first_nonfinite(column->elem, bytes[i], column->dim) >= 0) bytes[i] = NULL; /* G3 */
  }
  for (u32 i = 0; i < shape->field_count && rc == SQLITE_OK; i++)
    rc = value_words(shape->field[i].type, table_field_key(vt->table), cell[vt->field_column[i]].value,
                     fields + shape->field[i].word);
  if (rc == SQLITE_OK) rc = content_insert(vt->content, cell, table_new_tag(vt->table), 1, &rowid);
  return rc ? rc : table_add(vt->table, rowid, bytes, fields);
}

static int copy_rows(VecTable *vt, Content *from) {
  const Selection all = {NULL, 0, ORDER_NONE, content_all_columns(from)};
  Query *query = NULL;
  int rc = content_select(from, &all, &query);

  if (rc) return rc;
  while ((rc = sqlite3_step(query->stmt)) == SQLITE_ROW) {
    rc = copy_row(vt, query->stmt);
    if (rc) break;
  }
  content_return(from, query);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Make an empty table of ours under the name, and be it (G2). */
static int become_pages(VecTable *vt) {
  TableShape shape;
  Content *content = NULL;
  Table *table = NULL;
  Store *store = NULL;
  char *error = NULL;
  int rc = content_open(vt->db, vt->schema, vt->name, vt->spec, &content);

  if (rc == SQLITE_OK) rc = store_open(vt->conn, vt->schema, 1, &store, &error);
  if (rc == SQLITE_OK) rc = vtab_storage(vt->spec)->create(vt, store, "", &error);
  if (rc) goto done;
  vt->content = content;
  content = NULL;
  vtab_shape(vt, vtab_storage(vt->spec), &shape);
  rc = table_create(store, vt->name, &shape, &table);
  if (rc) goto done;
  vt->table = table;
  vt->storage = vtab_storage(vt->spec);
  rc = table_begin(table);
done:
  if (rc && error) vtab_error(vt, rc, "%s", error);
  sqlite3_free(error);
  content_close(content);
  store_release(store);
  return rc;
}

static int upgrade(VecTable *vt) {
  Content *from = vt->content;
  char *problem = NULL;
  int rc;

  if (vt->open_cursors)
    return vtab_error(vt, SQLITE_LOCKED, "table %s cannot be upgraded while a statement of this connection reads it",
                      vt->name);
  rc = chunks_integrity(vt->chunks, &problem); /* G1 */
  if (rc == SQLITE_OK && problem) rc = vtab_error(vt, SQLITE_CORRUPT_VTAB, "%s", problem);
  mem_free(problem);
  if (rc) return update_settle(vt, 0, rc);
  vtab_free_spare(vt);
  rc = become_pages(vt);
  if (rc == SQLITE_OK) rc = copy_rows(vt, from);
  if ((rc & 0xff) == SQLITE_CORRUPT && chunks_error(vt->chunks)) vtab_error(vt, rc, "%s", chunks_error(vt->chunks));
  rc = update_settle(vt, 1, rc); /* it asks for the connection's last error */
  if (vt->content != from) content_close(from);
  return rc ? rc : update_settle(vt, 1, chunks_empty(vt->chunks));
}

/* --- xUpdate --- */

static int refuse(VecTable *vt) {
  return vtab_error(
      vt, SQLITE_READONLY,
      "table %s was made by sqlite-vec and is only read: INSERT INTO %s(%s) VALUES('upgrade') moves it to "
      "Quire's storage, for good",
      vt->name, vt->name, vt->name);
}

static int command(VecTable *vt, sqlite3_value *value) {
  const char *text = (const char *)sqlite3_value_text(value);
  char *problem = NULL;
  int rc;

  if (text == NULL) return SQLITE_NOMEM;
  if (sqlite3_stricmp(text, "upgrade") == 0) return upgrade(vt);
  if (sqlite3_stricmp(text, "integrity-check") != 0) return refuse(vt);
  rc = chunks_integrity(vt->chunks, &problem);
  if (rc == SQLITE_OK && problem) rc = vtab_error(vt, SQLITE_CORRUPT_VTAB, "%s", problem);
  mem_free(problem);
  return rc;
}

static int update(VecTable *vt, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  sqlite3_value *value = update_command(vt, argc, argv);
  sqlite3_int64 last_rowid = sqlite3_last_insert_rowid(vt->db);
  int rc;

  if (value == NULL) return refuse(vt);
  rc = command(vt, value);
  *rowid = last_rowid;
  sqlite3_set_last_insert_rowid(vt->db, last_rowid);
  return rc;
}

const Storage storage_chunks = {
    .drop = drop,
    .rename = rename_to,
    .words = words,
    .index = index_of,
    .search = search,
    .vector = vector_of,
    .update = update,
    .integrity = integrity,
    .begin = nothing,
    .sync = nothing,
    .commit = nothing,
    .rollback = nothing,
    .savepoint = nothing_at,
    .release = nothing_at,
    .rollback_to = nothing_at,
};
