/*
 * vtab_pages.c: tables whose rows are in t_content, or in the user's own table, and whose vectors in the store's pages: the storage of every table that we make.
 *
 * The only caller of the store's transaction functions.
 */
#include "../vector/forms.h"
#include "vtab_int.h"

static int create(VecTable *vt, Store *store, const char *clause, char **error) {
  (void)store;
  return content_create(vt->db, vt->schema, vt->name, vt->spec, clause, error);
}

static int drop(VecTable *vt) {
  int rc = relation_drop(vt->db, vt->schema, vt->name);
  if (rc == SQLITE_OK) rc = vtab_store_error(vt, table_drop(vt->table));
  if (rc == SQLITE_OK) rc = content_drop(vt->content);
  if (rc == SQLITE_OK && vt->spec->dialect->chunk_tables)
    rc = chunks_drop_emptied(vt->db, vt->schema, vt->name, vt->spec);
  return rc;
}

static int rename_to(VecTable *vt, const char *name) {
  int rc = content_rename(vt->content, name);
  if (rc == SQLITE_OK) rc = vtab_store_error(vt, table_rename(vt->table, name));
  if (rc == SQLITE_OK) rc = relation_rename(vt->db, vt->schema, vt->name, name);
  if (rc == SQLITE_OK && vt->spec->dialect->chunk_tables)
    rc = chunks_rename_emptied(vt->db, vt->schema, vt->name, vt->spec, name);
  return rc;
}

static const char *words(const VecTable *vt, int rc) {
  (void)rc;
  return vt->table ? store_error(table_store(vt->table)) : NULL;
}

static const IndexShape *index_of(const VecTable *vt, int column) {
  return &table_shape(vt->table)->vector[vtab_vector_index(vt, column)].index;
}

static int search(VecTable *vt, SearchRequest *request, Search **out) {
  int rc = table_snapshot(vt->table, &request->snap);
  if (rc == SQLITE_OK) rc = search_open(request, out);
  snapshot_release(request->snap);
  request->snap = NULL;
  return rc;
}

static int vector_in_cell(VecTable *vt, i64 rowid, u32 vector, sqlite3_value *cell, const void **bytes) {
  (void)vt, (void)rowid, (void)vector, (void)cell;
  *bytes = NULL;
  return SQLITE_OK;
}

/* Pages, rows, and the relation. */
static int integrity(VecTable *vt, char **problem) {
  int rc = table_integrity(vt->table, problem);
  return rc || *problem ? rc : relation_check(vt->db, vt->schema, vt->name, problem);
}

static int begin(VecTable *vt) { return table_begin(vt->table); }
static int sync_pages(VecTable *vt) { return table_sync(vt->table); }
static int commit(VecTable *vt) { return table_commit(vt->table); }
static int rollback(VecTable *vt) { return table_rollback(vt->table); }
static int savepoint(VecTable *vt, int n) { return table_savepoint(vt->table, n); }
static int release(VecTable *vt, int n) { return table_release_savepoint(vt->table, n); }
static int rollback_to(VecTable *vt, int n) { return table_rollback_to(vt->table, n); }

/* --- content='': vectors in pages alone --- */

static int create_paged(VecTable *vt, Store *store, const char *clause, char **error) {
  int memory = 0, rc = store_in_memory(store, &memory);

  if (rc == SQLITE_OK && !memory) rc = create(vt, store, clause, error);
  if (rc || !memory) return rc;
  *error =
      sqlite3_mprintf("%s: content='' keeps vectors in the page file alone, and a database in memory has none: use a "
                      "database file, or leave content='' out",
                      vt->name);
  return *error ? SQLITE_ERROR : SQLITE_NOMEM;
}

/* Whether a cell says that the pages have the vector (P1). */
static int is_paged(sqlite3_value *cell) {
  return sqlite3_value_type(cell) == SQLITE_INTEGER && sqlite3_value_int64(cell) == PAGED_CELL;
}

/* The row's cell as it is now, which another change or fold of this connection may have made since it was read. */
static int read_cell_again(VecTable *vt, i64 rowid, u32 vector) {
  Query *query = NULL;
  VectorShape shape;
  sqlite3_value *cell;
  int rc = content_row(vt->content, 1, &query);

  if (rc) return rc;
  vtab_vector_shape(vt, vector, &shape);
  sqlite3_bind_int64(query->stmt, 1, rowid);
  rc = sqlite3_step(query->stmt);
  if (rc == SQLITE_ROW) {
    cell = sqlite3_column_value(query->stmt, 1 + vt->vector_column[vector]);
    rc = SQLITE_NOTFOUND;
    if (is_paged(cell)) {
      rc = vtab_error(vt, SQLITE_CORRUPT_VTAB,
                      "table %s, row %lld: its content row says that the pages have its vector, and they have not",
                      vt->name, (long long)rowid);
    } else if (sqlite3_value_type(cell) == SQLITE_BLOB) {
      const void *bytes = sqlite3_value_blob(cell);
      u64 size = (u64)sqlite3_value_bytes(cell);
      if (form_of((Elem)shape.elem)->shaped(&shape, bytes, size)) rc = vector_copy(&vt->paged, bytes, size);
    }
  } else if (rc == SQLITE_DONE) {
    rc = SQLITE_NOTFOUND;
  }
  content_return(vt->content, query);
  return rc;
}

static int vector_of_pages(VecTable *vt, i64 rowid, u32 vector, sqlite3_value *cell, const void **bytes) {
  int found = 0, rc;

  *bytes = NULL;
  if (!is_paged(cell)) return SQLITE_OK;
  rc = table_paged_vector(vt->table, rowid, vector, &vt->paged, &found);
  if (rc == SQLITE_OK && !found) rc = read_cell_again(vt, rowid, vector);
  if (rc == SQLITE_OK) *bytes = vt->paged.bytes;
  return rc == SQLITE_NOTFOUND || vt->base.zErrMsg ? rc : vtab_store_error(vt, rc);
}

/* --- the user's own table --- */

/* The table is there already. */
static int create_external(VecTable *vt, Store *store, const char *clause, char **error) {
  (void)store, (void)clause;
  return external_check(vt->db, vt->schema, vt->spec, error);
}

static int drop_external(VecTable *vt) {
  int rc = external_drop(vt->db, vt->schema, vt->name);
  return rc ? rc : vtab_store_error(vt, table_drop(vt->table));
}

/* The triggers name the column that is named like the table, which SQLite does not change in them. */
static int rename_external(VecTable *vt, const char *name) {
  char *error = NULL;
  int installed = 0, rc = external_installed(vt->db, vt->schema, vt->name, &installed);

  if (rc == SQLITE_OK) rc = vtab_store_error(vt, table_rename(vt->table, name));
  if (rc == SQLITE_OK && installed)
    rc = external_install(vt->db, vt->schema, name, vt->spec, vtab_first_column(vt), &error);
  if (rc && error) vtab_error(vt, rc, "%s", error);
  sqlite3_free(error);
  return rc;
}

static int integrity_external(VecTable *vt, char **problem) { return table_integrity(vt->table, problem); }

/* What all of them have alike. */
#define IN_PAGES                                                                                                       \
  .words = words, .index = index_of, .search = search, .begin = begin, .sync = sync_pages, .commit = commit,           \
  .rollback = rollback, .savepoint = savepoint, .release = release, .rollback_to = rollback_to

const Storage storage_external = {
    .mode = &content_external,
    .create = create_external,
    .drop = drop_external,
    .rename = rename_external,
    IN_PAGES,
    .vector = vector_in_cell,
    .update = external_update,
    .integrity = integrity_external,
    .rows_may_be_gone = 1,
};

const Storage storage_pages = {
    .mode = &content_rows,
    .create = create,
    .drop = drop,
    .rename = rename_to,
    IN_PAGES,
    .vector = vector_in_cell,
    .update = pages_update,
    .integrity = integrity,
    .map = 1,
};

const Storage storage_paged = {
    .mode = &content_pages,
    .create = create_paged,
    .drop = drop,
    .rename = rename_to,
    IN_PAGES,
    .vector = vector_of_pages,
    .whole_rows = 1,
    .update = pages_update,
    .integrity = integrity,
    .map = 1,
};
