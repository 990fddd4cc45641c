/*
 * vtab_pages.c: tables whose rows are in t_content and whose vectors in the store's pages: the storage of every table that we make.
 *
 * The only caller of the store's transaction functions.
 */
#include "vtab_int.h"

static int create(VecTable *vt, const char *clause, char **error) {
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

/* --- the user's own table --- */

/* The table is there already. */
static int create_external(VecTable *vt, const char *clause, char **error) {
  (void)clause;
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

const Storage storage_external = {
    .mode = &content_external,
    .create = create_external,
    .drop = drop_external,
    .rename = rename_external,
    .words = words,
    .index = index_of,
    .search = search,
    .update = external_update,
    .integrity = integrity_external,
    .rows_may_be_gone = 1,
    .begin = begin,
    .sync = sync_pages,
    .commit = commit,
    .rollback = rollback,
    .savepoint = savepoint,
    .release = release,
    .rollback_to = rollback_to,
};

const Storage storage_pages = {
    .mode = &content_rows,
    .create = create,
    .drop = drop,
    .rename = rename_to,
    .words = words,
    .index = index_of,
    .search = search,
    .update = pages_update,
    .integrity = integrity,
    .begin = begin,
    .sync = sync_pages,
    .commit = commit,
    .rollback = rollback,
    .savepoint = savepoint,
    .release = release,
    .rollback_to = rollback_to,
    .map = 1,
};
