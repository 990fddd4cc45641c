/*
 * external.c: checks and triggers of a content table that is the user's. See external.h; scripts: sql/content_triggers*.sql.
 */
#include "external.h"

#include "schema_sql.h"
#include "script.h"

static int fail(char **error, char *text) {
  *error = text;
  return text ? SQLITE_ERROR : SQLITE_NOMEM;
}

/* The INTEGER PRIMARY KEY of the content table, freed by sqlite3_free; NULL: it has none, or is no ordinary table. */
static int find_key(sqlite3 *db, const char *schema, const char *content, char **key) {
  const ScriptName names[] = {{"schema", schema}, {"content", content}, {NULL, NULL}};
  int found = 0;

  *key = NULL;
  return script_one(
      db,
      "SELECT name FROM pragma_table_info('{content}', '{schema}') WHERE pk = 1 AND lower(type) = 'integer'"
      " AND (SELECT count(*) FROM pragma_table_info('{content}', '{schema}') WHERE pk) = 1"
      " AND EXISTS (SELECT 1 FROM pragma_table_list('{content}') WHERE lower(schema) = lower('{schema}')"
      " AND type = 'table' AND NOT wr)",
      names, NULL, &found, NULL, key);
}

static int has_column(sqlite3 *db, const char *schema, const char *content, const char *column, int *found) {
  const ScriptName names[] = {{"schema", schema}, {"content", content}, {NULL, NULL}};
  return script_one(db, "SELECT 1 FROM pragma_table_info('{content}', '{schema}') WHERE lower(name) = lower(?1)", names,
                    column, found, NULL, NULL);
}

/* A column of the spec that the content table must have: all but the integer key, which content_rowid is. */
static int is_wanted(const TableSpec *spec, int i) { return i != spec->key; }
/* One that is in the index. */
static int is_indexed(const TableSpec *spec, int i) { return i != spec->key && spec->column[i].kind != COL_AUXILIARY; }

int external_check(sqlite3 *db, const char *schema, const TableSpec *spec, char **error) {
  char *key = NULL;
  int rc = find_key(db, schema, spec->content, &key);

  if (rc) return rc;
  if (key == NULL)
    return fail(error, sqlite3_mprintf("content='%s' must name an ordinary table of %s with an INTEGER PRIMARY KEY",
                                       spec->content, schema));
  if (sqlite3_stricmp(spec->content_rowid, key) != 0 && sqlite3_stricmp(spec->content_rowid, "rowid") != 0)
    rc = fail(error, sqlite3_mprintf("content_rowid='%s' is not the INTEGER PRIMARY KEY of %s, which is %s",
                                     spec->content_rowid, spec->content, key));
  for (int i = 0; i < spec->column_count && rc == SQLITE_OK; i++) {
    int found = 0;
    if (!is_wanted(spec, i)) continue;
    rc = has_column(db, schema, spec->content, spec->column[i].name, &found);
    if (rc == SQLITE_OK && !found)
      rc = fail(error, sqlite3_mprintf("the content table %s has no column %s", spec->content, spec->column[i].name));
  }
  sqlite3_free(key);
  return rc;
}

/* "prefix"a", prefix"b"" for the indexed columns, after `before`; freed by sqlite3_free. */
static char *list_columns(const TableSpec *spec, const char *prefix, const char *before) {
  sqlite3_str *out = sqlite3_str_new(NULL);

  if (before) sqlite3_str_appendf(out, "\"%w\"", before);
  for (int i = 0; i < spec->column_count; i++) {
    if (!is_indexed(spec, i)) continue;
    sqlite3_str_appendf(out, "%s%s\"%w\"", sqlite3_str_length(out) ? ", " : "", prefix, spec->column[i].name);
  }
  return sqlite3_str_finish(out);
}

/* The table's number, which its triggers have in their names, as ALTER TABLE RENAME leaves those; freed by sqlite3_free. */
static int find_id(sqlite3 *db, const char *schema, const char *table, char **id) {
  const ScriptName names[] = {{"schema", schema}, {NULL, NULL}};
  int found = 0;
  int rc = script_one(db, "SELECT id FROM \"{schema}\".quire_tables WHERE name = ?1", names, table, &found, NULL, id);
  return rc == SQLITE_OK && *id == NULL ? SQLITE_CORRUPT_VTAB : rc;
}

int external_install(sqlite3 *db, const char *schema, const char *table, const TableSpec *spec, const char *first,
                     char **error) {
  char *key = NULL, *id = NULL, *columns = NULL, *values = NULL, *set = NULL;
  int rc = external_check(db, schema, spec, error);

  if (rc == SQLITE_OK) rc = find_key(db, schema, spec->content, &key);
  if (rc == SQLITE_OK) rc = find_id(db, schema, table, &id);
  if (rc == SQLITE_OK) {
    columns = list_columns(spec, "", NULL);
    values = list_columns(spec, "new.", NULL);
    set = list_columns(spec, "", key);
    if (columns == NULL || values == NULL || set == NULL) rc = SQLITE_NOMEM;
  }
  if (rc == SQLITE_OK) {
    const ScriptName names[] = {{"schema", schema}, {"table", table}, {"id", id},           {"content", spec->content},
                                {"first", first},   {"key", key},     {"columns", columns}, {"new", values},
                                {"set", set},       {NULL, NULL}};
    rc = script_run(db, CONTENT_TRIGGERS_SQL, names, error);
  }
  sqlite3_free(key);
  sqlite3_free(id);
  sqlite3_free(columns);
  sqlite3_free(values);
  sqlite3_free(set);
  return rc;
}

int external_installed(sqlite3 *db, const char *schema, const char *table, int *found) {
  char *id = NULL;
  int rc = find_id(db, schema, table, &id);

  *found = 0;
  if (rc == SQLITE_OK) {
    const ScriptName names[] = {{"schema", schema}, {"id", id}, {NULL, NULL}};
    rc = script_one(
        db, "SELECT 1 FROM \"{schema}\".sqlite_schema WHERE type = 'trigger' AND name = 'quire_{id}_content_delete'",
        names, NULL, found, NULL, NULL);
  }
  sqlite3_free(id);
  return rc;
}

int external_drop(sqlite3 *db, const char *schema, const char *table) {
  char *id = NULL, *error = NULL;
  int rc = find_id(db, schema, table, &id);

  if (rc == SQLITE_OK) {
    const ScriptName names[] = {{"schema", schema}, {"id", id}, {NULL, NULL}};
    rc = script_run(db, CONTENT_TRIGGERS_DROP_SQL, names, &error);
  }
  sqlite3_free(error);
  sqlite3_free(id);
  return rc;
}
