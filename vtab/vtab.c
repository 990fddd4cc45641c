/*
 * vtab.c: the modules `quire`, `vec0` and `quire_map`: their tables come and go. Read this first.
 *
 *   vtab_args.c    CREATE VIRTUAL TABLE's arguments      content.c      the rows, in t_content
 *   vtab_index.c   indexes among them                    vtab_filter.c  predicates into rowids
 *   vtab_plan.c    xBestIndex                            vtab_update.c  xUpdate and commands
 *   vtab_scan.c    xOpen to xColumn                      store_vtab.c   the table `quire`
 *   vtab_txn.c     transaction hooks                     relation.c     whose rows the vectors belong to
 *   vtab_rows.c    rows by rowid from pages and overlay  get_vtab.c     quire_get
 *   vtab_events.c  events='log'                          script.c       the scripts of sql/
 *   vtab_pages.c   tables with pages of ours             vtab_chunks.c  those that sqlite-vec has made, and 'upgrade'
 *   external.c     content= of the user's                chunks.c       their rows
 *   vtab_map.c     quire_map: values instead of vectors
 *
 * A vector table t is a VecTable (one per sqlite3_vtab: SQLite may hold several of one table), its rows t_content, and a Table of the
 * store, which is shared by all VecTables of t and owns t_delta and the pages.
 *
 * Risk level: SQLITE_VTAB_INNOCUOUS, as FTS5: views and triggers that keep vectors beside rows must work with trusted_schema off, and what a
 * hostile schema could reach through them are its own tables and their folds. The table `quire`, whose commands
 * concern files, is SQLITE_VTAB_DIRECTONLY.
 */
#include "vtab_int.h"

#include <stdarg.h>

/* --- errors --- */

int vtab_error(VecTable *vt, int rc, const char *fmt, ...) {
  va_list ap;
  char *text;

  va_start(ap, fmt);
  text = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  if (text == NULL) return SQLITE_NOMEM;
  sqlite3_free(vt->base.zErrMsg);
  vt->base.zErrMsg = text;
  return rc;
}

/* Codes that say all: what the store last complained of is not about them. */
static int needs_no_words(int rc) {
  int code = rc & 0xff;
  return code == SQLITE_OK || code == SQLITE_NOMEM || code == SQLITE_INTERRUPT || code == SQLITE_BUSY ||
         code == SQLITE_LOCKED || code == SQLITE_SCHEMA || code == SQLITE_ABORT;
}

int vtab_store_error(VecTable *vt, int rc) {
  const char *words;
  if (needs_no_words(rc)) return rc;
  /* A nested statement gives the short code. Handed on as that, SQLite would refuse all further changes in the transaction. */
  if (rc == SQLITE_CORRUPT) rc = SQLITE_CORRUPT_VTAB;
  words = vt->storage->words(vt, rc);
  return words ? vtab_error(vt, rc, "%s", words) : rc;
}

u32 vtab_vector_index(const VecTable *vt, int column) {
  u32 i = 0;
  while (vt->vector_column[i] != column) i++;
  return i;
}

const IndexShape *vtab_index(const VecTable *vt, int column) { return vt->storage->index(vt, column); }

int vtab_vector(VecTable *vt, int column, sqlite3_value *value, const VectorWords *words, Vector *out) {
  const Column *c = &vt->spec->column[column];
  char *error = NULL;
  int rc = value_vector_for(value, c->elem, c->dim, out, &error);

  if (rc == SQLITE_ERROR && error)
    rc = vtab_error(vt, rc, "%s the \"%s\" column is invalid: %s", words->invalid, c->name, error);
  sqlite3_free(error);
  if (rc) return rc;
  if (out->elem != c->elem)
    rc =
        vtab_error(vt, SQLITE_ERROR, "%s the \"%s\" column is expected to be of type %s, but a %s vector was provided.",
                   words->type, c->name, elem_name(c->elem), elem_name(out->elem));
  else if (out->dim != c->dim)
    rc = vtab_error(vt, SQLITE_ERROR,
                    "Dimension mismatch for %s the \"%s\" column. Expected %u dimensions but received %u.",
                    words->dimension, c->name, c->dim, out->dim);
  if (rc) vector_clear(out);
  return rc;
}

/* --- columns --- */

/* Declare the values of a record, which is column `column` of the spec. */
static void declare_values(VecTable *vt, sqlite3_str *sql, int column) {
  vt->layout.declared[column] = vt->layout.count;
  for (int i = 0; i < vt->spec->value_count; i++) {
    sqlite3_str_appendf(sql, ", \"%w\" %s", vt->spec->value[i].name, vt->spec->value[i].type);
    vt->layout.value[vt->layout.count] = i;
    vt->layout.spec_column[vt->layout.count++] = column;
  }
}

/* Declare column `column` of the spec. */
static void declare(VecTable *vt, sqlite3_str *sql, int column) {
  const Column *c = &vt->spec->column[column];
  const char *type = c->kind == COL_VECTOR ? "" : content_type(c);

  if (c->kind == COL_RECORD) {
    declare_values(vt, sql, column);
    return;
  }
  sqlite3_str_appendf(sql, "%s\"%w\" %s%s", vt->layout.count ? ", " : "", c->name, type,
                      c->kind == COL_KEY ? " PRIMARY KEY" : "");
  vt->layout.declared[column] = vt->layout.count;
  vt->layout.spec_column[vt->layout.count++] = column;
}

/* Declare a hidden column unless its name is taken; its number, or -1. */
static int declare_hidden(VecTable *vt, sqlite3_str *sql, const char *name, const char *type) {
  if (spec_has_column(vt->spec, name)) return -1;
  sqlite3_str_appendf(sql, ", \"%w\" %s HIDDEN", name, type);
  vt->layout.spec_column[vt->layout.count] = -1;
  return vt->layout.count++;
}

int vtab_check_model(VecTable *vt, sqlite3_value *model, const char *who) {
  const char *said = (const char *)sqlite3_value_text(model);
  if (said && strcmp(said, vt->spec->model) == 0) return SQLITE_OK;
  if (said == NULL && sqlite3_value_type(model) != SQLITE_NULL) return SQLITE_NOMEM;
  return vtab_error(vt, SQLITE_MISMATCH,
                    "%s holds vectors of the model '%s', and %s says %s%s%s: use that model, or another table",
                    vt->name, vt->spec->model, who, said ? "'" : "", said ? said : "NULL", said ? "'" : "");
}

/* Whether the table's name can be a column's beside the others. */
static int command_name_is_free(const VecTable *vt) {
  static const char *const taken[] = {"distance", "k", "ef_search", "exact", "oversample", "nprobe", "rowid"};
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    if (sqlite3_stricmp(vt->name, taken[i]) == 0) return 0;
  }
  return vt->spec->model == NULL || sqlite3_stricmp(vt->name, "model") != 0;
}

/* The hidden columns of searches. */
static void declare_search(VecTable *vt, sqlite3_str *sql) {
  Layout *l = &vt->layout;

  l->distance = l->k = l->ef_search = l->exact = l->oversample = l->nprobe = l->model = -1;
  if (vt->spec->dialect->values) return;
  l->distance = declare_hidden(vt, sql, "distance", "REAL");
  l->k = declare_hidden(vt, sql, "k", "INTEGER");
  l->ef_search = declare_hidden(vt, sql, "ef_search", "INTEGER");
  l->exact = declare_hidden(vt, sql, "exact", "INTEGER");
  l->oversample = declare_hidden(vt, sql, "oversample", "REAL");
  l->nprobe = declare_hidden(vt, sql, "nprobe", "INTEGER");
  if (vt->spec->model) l->model = declare_hidden(vt, sql, "model", "TEXT");
}

/* Tell SQLite the table's columns, and fill vt->layout. */
static int declare_columns(VecTable *vt) {
  sqlite3_str *sql = sqlite3_str_new(vt->db);
  const TableSpec *spec = vt->spec;
  char *text;
  int rc;

  sqlite3_str_appendall(sql, "CREATE TABLE x(");
  if (spec->key >= 0) {
    declare(vt, sql, spec->key);
  } else {
    sqlite3_str_appendall(sql, spec->dialect->rowid_not_null ? "rowid INTEGER NOT NULL" : "rowid INTEGER");
    vt->layout.spec_column[vt->layout.count++] = -1;
  }
  for (int i = 0; i < spec->column_count; i++) {
    if (i != spec->key) declare(vt, sql, i);
  }
  vt->layout.command = command_name_is_free(vt) ? declare_hidden(vt, sql, vt->name, "") : -1;
  declare_search(vt, sql);
  for (int i = 0; i < vt->layout.count; i++) {
    int column = vt->layout.spec_column[i];
    vt->layout.vector[i] =
        column >= 0 && column_in_pages(&spec->column[column]) ? (int)vtab_vector_index(vt, column) : -1;
  }
  sqlite3_str_appendall(sql, spec->key >= 0 ? ") WITHOUT ROWID" : ")");
  rc = sqlite3_str_errcode(sql);
  text = sqlite3_str_finish(sql);
  if (rc == SQLITE_OK) rc = text ? sqlite3_declare_vtab(vt->db, text) : SQLITE_NOMEM;
  sqlite3_free(text);
  return rc;
}

/* The field type of a column, 0 if it is none. */
static FieldType field_type(const Column *column) {
  static const FieldType types[] = {[TYPE_NONE] = 0,
                                    [TYPE_INTEGER] = FIELD_INTEGER,
                                    [TYPE_FLOAT] = FIELD_FLOAT,
                                    [TYPE_BOOLEAN] = FIELD_INTEGER,
                                    [TYPE_TEXT] = FIELD_TEXT,
                                    [TYPE_BLOB] = FIELD_BLOB};
  return column->kind == COL_PARTITION || column->kind == COL_METADATA ? types[column->type] : 0;
}

/* Partition and metadata columns, as many as there is room for; filters on others look at the rows. */
static void fill_fields(VecTable *vt, TableShape *shape) {
  for (int i = 0; i < vt->spec->column_count; i++) {
    const Column *column = &vt->spec->column[i];
    FieldType type = field_type(column);
    vt->column_field[i] = -1;
    if (type == 0 || shape->field_words + field_words(type) > MAX_FIELD_WORDS) continue;
    vt->column_field[i] = (int)shape->field_count;
    vt->field_column[shape->field_count] = i;
    shape->field[shape->field_count++] = (FieldShape){column->name, type, shape->field_words};
    shape->field_words += field_words(type);
  }
}

void vtab_vector_shape(const VecTable *vt, u32 vector, VectorShape *shape) {
  const Column *column = &vt->spec->column[vt->vector_column[vector]];
  shape->column = column->name;
  shape->elem = (u32)column->elem;
  shape->metric = (u32)column->metric;
  shape->dim = column->dim;
  shape->index = column->index;
  shape->size = (u32)elem_size(column->elem, column->dim);
}

void vtab_shape(VecTable *vt, const Storage *storage, TableShape *shape) {
  memset(shape, 0, sizeof *shape);
  for (u32 i = 0; i < vt->vector_count; i++) vtab_vector_shape(vt, i, &shape->vector[i]);
  shape->vector_count = vt->vector_count;
  fill_fields(vt, shape);
  shape->content = content_name(vt->content);
  shape->rowid = content_rowid(vt->content);
  shape->tag = content_tag(vt->content);
  shape->mode = storage->mode;
  shape->fold_rows = vt->spec->fold_rows;
}

const char *vtab_first_column(const VecTable *vt) {
  return vt->spec->key >= 0 ? vt->spec->column[vt->spec->key].name : "rowid";
}

int vtab_is_utf8(VecTable *vt) {
  sqlite3_stmt *stmt = NULL;

  if (vt->utf8_known) return vt->utf8;
  if (sqlite3_prepare_v2(vt->db, "PRAGMA encoding", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    vt->utf8 = name && strcmp(name, "UTF-8") == 0; /* all databases of a connection have the same */
    vt->utf8_known = 1;
  }
  sqlite3_finalize(stmt);
  return vt->utf8;
}

int vtab_indexed_column(VecTable *vt) {
  Relation relation;

  if (vt->indexed_known) return vt->indexed;
  vt->indexed = -1;
  if (relation_of_content(vt->db, vt->schema, vt->name, &relation)) return -1; /* a guess about costs needs no error */
  vt->indexed_known = 1;
  for (int i = 0; relation.column && i < vt->spec->column_count; i++) {
    if (sqlite3_stricmp(vt->spec->column[i].name, relation.column) == 0) vt->indexed = i;
  }
  relation_clear(&relation);
  return vt->indexed;
}

const Storage *vtab_storage(const TableSpec *spec) {
  return spec->content ? &storage_external : spec->content_pages ? &storage_paged : &storage_pages;
}

/* --- make and free --- */

static void table_free(VecTable *vt) {
  if (vt == NULL) return;
  vtab_free_spare(vt);
  vtab_events_close(vt);
  content_close(vt->content);
  chunks_close(vt->chunks);
  table_release(vt->table);
  spec_free(vt->spec);
  vector_copy_free(&vt->paged);
  mem_free(vt->schema);
  mem_free(vt->name);
  conn_release(vt->conn);
  stats_release(vt->stats);
  sqlite3_free(vt->base.zErrMsg);
  mem_free(vt);
}

/* A VecTable of the arguments; its rows are not looked for yet. */
static int table_new(sqlite3 *db, const ModuleData *module, int argc, const char *const *argv, VecTable **out,
                     char **error) {
  int rc = SQLITE_OK;
  VecTable *vt = mem_zeroed(&rc, 1, sizeof *vt);

  if (rc) goto done;
  vt->db = db;
  vt->conn = conn_retain(module->conn);
  vt->stats = stats_retain(module->stats);
  vt->schema = mem_strdup(&rc, argv[1]);
  vt->name = mem_strdup(&rc, argv[2]);
  if (rc) goto done;
  rc = spec_parse(module->dialect, vt->name, argc - 3, argv + 3, &vt->spec, error);
  if (rc) goto done;
  vt->text_key = vt->spec->key >= 0 && vt->spec->column[vt->spec->key].type == TYPE_TEXT;
  for (int i = 0; i < vt->spec->column_count; i++) {
    if (column_in_pages(&vt->spec->column[i])) vt->vector_column[vt->vector_count++] = i;
  }
  vt->storage = vtab_storage(vt->spec);
  rc = declare_columns(vt);
  if (rc && rc != SQLITE_NOMEM)
    *error = sqlite3_mprintf("%s constructor error: could not declare virtual table, '%s'", module->dialect->module,
                             sqlite3_errmsg(db));
  if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
  if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
done:
  if (rc) {
    table_free(vt);
    vt = NULL;
  }
  *out = vt;
  return rc;
}

/* Words for a table that could not be made or found. */
static void explain_failure(const VecTable *vt, Store *store, int rc, char **error) {
  const char *words = store ? store_error(store) : NULL;

  if (*error || rc == SQLITE_NOMEM) return;
  if (words == NULL) words = sqlite3_errstr(rc);
  *error = sqlite3_mprintf("%s: %s", vt->name, words);
}

static int create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  VecTable *vt = NULL;
  Store *store = NULL;
  TableShape shape;
  char *clause = NULL;
  int rc = table_new(db, aux, argc, argv, &vt, error);

  if (rc) return rc;
  rc = content_open(db, vt->schema, vt->name, vt->spec, &vt->content);
  if (rc == SQLITE_OK && vt->spec->relation.parent) rc = relation_resolve(db, vt->schema, &vt->spec->relation, error);
  if (rc == SQLITE_OK && vt->spec->events) rc = vtab_events_check(vt, error);
  if (rc) goto done;
  clause = relation_clause(&vt->spec->relation, vtab_first_column(vt));
  if (clause == NULL) rc = SQLITE_NOMEM;
  if (rc == SQLITE_OK) rc = store_open(vt->conn, vt->schema, 1, &store, error);
  if (rc == SQLITE_OK) rc = vt->storage->create(vt, store, clause, error);
  if (rc) goto done;
  vtab_shape(vt, vt->storage, &shape);
  rc = table_create(store, vt->name, &shape, &vt->table);
  if (rc == SQLITE_OK) rc = relation_install(db, vt->schema, vt->name, &vt->spec->relation, error);
done:
  if (rc) explain_failure(vt, store, rc, error);
  store_release(store);
  sqlite3_free(clause);
  if (rc)
    table_free(vt);
  else
    *out = &vt->base;
  return rc;
}

/* Connect a table of ours: its content and its Table. *store is for words. */
static int connect_pages(VecTable *vt, Store **store, char **error) {
  TableShape shape;
  int rc = content_open(vt->db, vt->schema, vt->name, vt->spec, &vt->content);

  if (rc == SQLITE_OK) rc = store_open(vt->conn, vt->schema, 0, store, error);
  if (rc) return rc;
  vtab_shape(vt, vt->storage, &shape);
  return table_connect(*store, vt->name, &shape, &vt->table);
}

/* Connect a table that sqlite-vec has made. */
static int connect_chunks(VecTable *vt) {
  int rc = chunks_open(vt->db, vt->schema, vt->name, vt->spec, &vt->chunks);

  vt->storage = &storage_chunks;
  for (int i = 0; i < vt->spec->column_count; i++) vt->column_field[i] = -1;
  return rc ? rc : content_open_chunks(vt->db, vt->spec, vt->chunks, &vt->content);
}

/* A table belongs to whoever's shadow tables it has. */
static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  VecTable *vt = NULL;
  Store *store = NULL;
  int chunked = 0, rc = table_new(db, aux, argc, argv, &vt, error);

  if (rc) return rc;
  if (vt->spec->dialect->chunk_tables) rc = chunks_found(db, vt->schema, vt->name, &chunked);
  if (rc == SQLITE_OK) rc = chunked ? connect_chunks(vt) : connect_pages(vt, &store, error);
  if (rc) explain_failure(vt, store, rc, error);
  store_release(store);
  if (rc)
    table_free(vt);
  else
    *out = &vt->base;
  return rc;
}

static int disconnect(sqlite3_vtab *base) {
  table_free((VecTable *)base);
  return SQLITE_OK;
}

/* DROP TABLE. Nothing outside SQLite is touched: the transaction may yet be rolled back. */
static int destroy(sqlite3_vtab *base) {
  VecTable *vt = (VecTable *)base;
  int rc;

  vtab_free_spare(vt);
  rc = vt->storage->drop(vt);
  if (rc == SQLITE_OK) table_free(vt);
  return rc;
}

static int rename_table(sqlite3_vtab *base, const char *name) {
  VecTable *vt = (VecTable *)base;
  int rc = SQLITE_OK;
  char *copy = mem_strdup(&rc, name);

  if (rc == SQLITE_OK) rc = vt->storage->rename(vt, name);
  if (rc) {
    mem_free(copy);
    return rc;
  }
  mem_free(vt->name);
  vt->name = copy;
  vt->searches = NULL;
  return SQLITE_OK;
}

static int shadow_name(const char *suffix) {
  return sqlite3_stricmp(suffix, "content") == 0 || sqlite3_stricmp(suffix, "delta") == 0;
}

static int shadow_name_vec0(const char *suffix) { return shadow_name(suffix) || chunks_shadow_name(suffix); }

/* PRAGMA integrity_check, SQLite 3.44 and later. */
static int integrity(sqlite3_vtab *base, const char *schema, const char *table, int flags, char **error) {
  VecTable *vt = (VecTable *)base;
  char *problem = NULL;
  int rc;

  (void)schema;
  (void)flags;
  rc = vt->storage->integrity(vt, &problem);
  if (rc == SQLITE_NOMEM || rc == SQLITE_INTERRUPT) return rc;
  if (rc == SQLITE_OK && problem)
    *error = sqlite3_mprintf("%s", problem);
  else if (rc)
    *error = sqlite3_mprintf("table %s: cannot be checked: %s", table, sqlite3_errstr(rc));
  mem_free(problem);
  return SQLITE_OK;
}

/* --- modules --- */

static const sqlite3_module methods = {
    .iVersion = 3,
    .xCreate = create,
    .xConnect = connect,
    .xBestIndex = vtab_best_index,
    .xDisconnect = disconnect,
    .xDestroy = destroy,
    .xOpen = vtab_open,
    .xClose = vtab_close,
    .xFilter = vtab_filter,
    .xNext = vtab_next,
    .xEof = vtab_eof,
    .xColumn = vtab_column,
    .xRowid = vtab_rowid,
    .xUpdate = vtab_update,
    .xBegin = vtab_begin,
    .xSync = vtab_sync,
    .xCommit = vtab_commit,
    .xRollback = vtab_rollback,
    .xRename = rename_table,
    .xSavepoint = vtab_savepoint,
    .xRelease = vtab_release_savepoint,
    .xRollbackTo = vtab_rollback_to,
    .xShadowName = shadow_name,
};

/* The methods, and xIntegrity where SQLite knows it. */
static void module_init(Module *module, const Dialect *dialect) {
  module->base = methods;
  if (dialect->chunk_tables) module->base.xShadowName = shadow_name_vec0;
#if SQLITE_VERSION_NUMBER < 3044000
  module->xIntegrity = integrity;
#else
  module->base.xIntegrity = integrity;
#endif
  if (sqlite3_libversion_number() >= 3044000) module->base.iVersion = 4;
}

static void free_module_data(void *p) {
  ModuleData *data = p;
  conn_release(data->conn);
  stats_release(data->stats);
  mem_free(data);
}

/* `other`: a module that is not of vector tables, without a dialect. */
static int register_module(sqlite3 *db, Conn *conn, Stats *stats, const char *name, const Dialect *dialect,
                           const sqlite3_module *other) {
  int rc = SQLITE_OK;
  ModuleData *data = mem_zeroed(&rc, 1, sizeof *data);

  if (rc) return rc;
  data->conn = conn_retain(conn);
  data->stats = stats_retain(stats);
  data->dialect = dialect;
  if (dialect)
    module_init(&data->module, dialect);
  else
    data->module.base = *other;
  return sqlite3_create_module_v2(db, name, &data->module.base, data, free_module_data); /* frees data if it fails */
}

int vtab_register(sqlite3 *db, Conn *conn, int with_vec0, Stats *stats, char **error) {
  int rc;

  if (sqlite3_libversion_number() < 3038000) {
    *error = sqlite3_mprintf("quire needs SQLite 3.38 or later, this is %s", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  rc = register_module(db, conn, stats, "quire", &dialect_quire, NULL);
  if (rc == SQLITE_OK) rc = register_module(db, conn, stats, "quire_map", &dialect_map, NULL);
  if (rc == SQLITE_OK && with_vec0) rc = register_module(db, conn, stats, "vec0", &dialect_vec0, NULL);
  if (rc == SQLITE_OK) rc = register_module(db, conn, stats, "quire_store", NULL, &store_module);
  if (rc == SQLITE_OK) rc = register_module(db, conn, stats, "quire_get", NULL, &get_module);
  if (rc == SQLITE_OK && with_vec0) rc = chunks_register(db);
  return rc;
}
