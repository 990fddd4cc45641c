/*
 * relation.c: whose rows the vectors of a table belong to. See relation.h; start at relation_install().
 */
#include "relation.h"

#include <stdarg.h>

#include "schema_sql.h"
#include "script.h"

static const char *const kind_names[] = {"none", "one_to_one", "one_to_many", "many_to_many"};
static const char *const action_names[] = {"cascade", "restrict", "set_null"};

const char *relation_kind_name(RelationKind kind) { return kind_names[kind]; }
const char *relation_action_name(OnDelete action) { return action_names[action]; }

PRINTF_LIKE(2, 3) static int fail(char **error, const char *fmt, ...) {
  va_list ap;
  sqlite3_free(*error);
  va_start(ap, fmt);
  *error = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  return *error ? SQLITE_ERROR : SQLITE_NOMEM;
}

/* --- the parent --- */

/* The one column of the parent's primary key. */
static int find_primary_key(sqlite3 *db, const ScriptName *names, Relation *relation, char **error) {
  char *key = NULL;
  int found = 0;
  int rc = script_one(db,
                      "SELECT name FROM pragma_table_info('{parent}', '{schema}') WHERE pk = 1 AND 1 ="
                      " (SELECT max(pk) FROM pragma_table_info('{parent}', '{schema}'))",
                      names, NULL, &found, NULL, &key);
  if (rc == SQLITE_OK && !found)
    rc = fail(error, "relates_to: table %s has no primary key of one column: name the column, '%s(column)'",
              relation->parent, relation->parent);
  if (rc == SQLITE_OK) relation->key = mem_strdup(&rc, key);
  sqlite3_free(key);
  return rc;
}

static int check_key(sqlite3 *db, const ScriptName *names, const Relation *relation, char **error) {
  int found = 0;
  int rc = script_one(db, "SELECT 1 FROM pragma_table_info('{parent}', '{schema}') WHERE name = ?1 COLLATE NOCASE",
                      names, relation->key, &found, NULL, NULL);
  if (rc || found) return rc;
  return fail(error, "relates_to: table %s has no column %s", relation->parent, relation->key);
}

int relation_resolve(sqlite3 *db, const char *schema, Relation *relation, char **error) {
  ScriptName names[] = {{"schema", schema}, {"parent", relation->parent}, {NULL, NULL}};
  int found = 0;
  int rc = script_one(db,
                      "SELECT 1 FROM \"{schema}\".sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE"
                      " AND sql NOT LIKE 'CREATE VIRTUAL%'",
                      names, relation->parent, &found, NULL, NULL);
  if (rc) return rc;
  if (!found)
    return fail(error, "relates_to: schema %s has no ordinary table %s; make it first", schema, relation->parent);
  return relation->key ? check_key(db, names, relation, error) : find_primary_key(db, names, relation, error);
}

/* --- texts --- */

char *relation_clause(const Relation *relation, const char *key) {
  if (relation->kind == RELATION_NONE || relation->kind == MANY_TO_MANY) return sqlite3_mprintf("");
  return sqlite3_mprintf(", FOREIGN KEY(\"%w\") REFERENCES \"%w\"(\"%w\")%s", relation->column ? relation->column : key,
                         relation->parent, relation->key,
                         relation->on_delete == ON_DELETE_RESTRICT ? " ON DELETE RESTRICT" : "");
}

/* --- names of the scripts --- */

typedef struct Names {
  ScriptName name[10];
  char *id, *key; /* freed by names_clear */
} Names;

static void names_clear(Names *names) {
  sqlite3_free(names->id);
  sqlite3_free(names->key);
}

/* What the scripts may ask for. `relation` may be empty, when no name of the parent is used. */
static int names_fill(sqlite3 *db, const char *schema, const char *table, const Relation *relation, Names *out) {
  ScriptName names[] = {{"schema", schema}, {"table", table}, {NULL, NULL}};
  int found = 0;
  int rc;

  memset(out, 0, sizeof *out);
  rc = script_one(db, "SELECT printf('%016llx', id) FROM \"{schema}\".quire_tables WHERE name = ?1", names, table,
                  &found, NULL, &out->id);
  if (rc == SQLITE_OK && !found) rc = CORRUPT(0);
  if (rc == SQLITE_OK)
    rc = script_one(db,
                    "SELECT coalesce((SELECT name FROM pragma_index_info((SELECT name FROM pragma_index_list("
                    "'{table}_content', '{schema}') WHERE origin = 'u'), '{schema}')),"
                    " (SELECT name FROM pragma_table_info('{table}_content', '{schema}') WHERE pk = 1))",
                    names, NULL, &found, NULL, &out->key);
  if (rc == SQLITE_OK && out->key == NULL) rc = CORRUPT(0);
  if (rc) return rc;
  out->name[0] = (ScriptName){"schema", schema};
  out->name[1] = (ScriptName){"table", table};
  out->name[2] = (ScriptName){"id", out->id};
  out->name[3] = (ScriptName){"parent", relation->parent ? relation->parent : ""};
  out->name[4] = (ScriptName){"key", relation->key ? relation->key : ""};
  out->name[5] = (ScriptName){"column", relation->column ? relation->column : out->key};
  out->name[6] = (ScriptName){"action", relation->on_delete == ON_DELETE_RESTRICT ? "RESTRICT" : "CASCADE"};
  return SQLITE_OK;
}

/* The affinity of a column, as a type: links have to compare with it. */
static int column_type(sqlite3 *db, const ScriptName *names, const char *script, const char *column, const char **out) {
  char *type = NULL;
  int found = 0;
  int rc = script_one(db, script, names, column, &found, NULL, &type);
  *out = "";
  if (type && sqlite3_strlike("%int%", type, 0) == 0)
    *out = "INTEGER";
  else if (type && (sqlite3_strlike("%char%", type, 0) == 0 || sqlite3_strlike("%text%", type, 0) == 0 ||
                    sqlite3_strlike("%clob%", type, 0) == 0))
    *out = "TEXT";
  sqlite3_free(type);
  return rc;
}

static int create_links(sqlite3 *db, Names *names, const Relation *relation, char **error) {
  const char *type, *vector_type;
  int rc = column_type(db, names->name,
                       "SELECT type FROM pragma_table_info('{parent}', '{schema}') WHERE name = ?1 COLLATE NOCASE",
                       relation->key, &type);
  if (rc == SQLITE_OK)
    rc = column_type(db, names->name,
                     "SELECT type FROM pragma_table_info('{table}_content', '{schema}') WHERE name = ?1", names->key,
                     &vector_type);
  if (rc) return rc;
  names->name[7] = (ScriptName){"type", type};
  names->name[8] = (ScriptName){"vector_type", vector_type};
  return script_run(db, RELATION_LINKS_SQL, names->name, error);
}

static int refuse_orphans(const Relation *relation, char **error) {
  return fail(error, "the table has vectors that no row of %s(%s) belongs to; delete them first", relation->parent,
              relation->key);
}

/* Whether the foreign key names a key that SQLite accepts, unique, and all rows obey it. */
static int check_foreign_key(sqlite3 *db, const Names *names, const Relation *relation, char **error) {
  int found = 0;
  int rc = script_one(db,
                      relation->kind == MANY_TO_MANY ? "PRAGMA \"{schema}\".foreign_key_check(\"{table}_links\")"
                                                     : "PRAGMA \"{schema}\".foreign_key_check(\"{table}_content\")",
                      names->name, NULL, &found, NULL, NULL);
  if (rc == SQLITE_ERROR)
    return fail(error, "relates_to: %s(%s) must be the PRIMARY KEY or UNIQUE", relation->parent, relation->key);
  return rc == SQLITE_OK && found ? refuse_orphans(relation, error) : rc;
}

int relation_install(sqlite3 *db, const char *schema, const char *table, const Relation *relation, char **error) {
  Names names;
  int rc;

  if (relation->kind == RELATION_NONE) return SQLITE_OK;
  rc = names_fill(db, schema, table, relation, &names);
  if (rc == SQLITE_OK && relation->kind == MANY_TO_MANY) rc = create_links(db, &names, relation, error);
  if (rc == SQLITE_OK && relation->kind == ONE_TO_MANY) rc = script_run(db, RELATION_INDEX_SQL, names.name, error);
  if (rc == SQLITE_OK) rc = check_foreign_key(db, &names, relation, error);
  if (rc == SQLITE_OK && relation->kind != MANY_TO_MANY && relation->on_delete == ON_DELETE_CASCADE)
    rc = script_run(db, RELATION_CASCADE_SQL, names.name, error);
  if (rc == SQLITE_OK && relation->on_delete == ON_DELETE_SET_NULL)
    rc = script_run(db, RELATION_SET_NULL_SQL, names.name, error);
  names_clear(&names);
  return rc;
}

/* --- of a table that is there already --- */

/* The statement that made the content table, with the foreign key, under the name t_content_new. */
static int content_statement(sqlite3 *db, const Names *names, const Relation *relation, char **out) {
  char *clause = relation_clause(relation, names->key), *sql = NULL;
  const char *columns;
  int found = 0;
  int rc = clause ? script_one(db, "SELECT sql FROM \"{schema}\".sqlite_schema WHERE name = '{table}_content'",
                               names->name, NULL, &found, NULL, &sql)
                  : SQLITE_NOMEM;
  if (rc == SQLITE_OK) {
    columns = sql ? strchr(sql, '(') : NULL;
    if (columns)
      *out = sqlite3_mprintf("CREATE TABLE \"%w\".\"%w_content_new\"%.*s%s)", names->name[0].value,
                             names->name[1].value, (int)strlen(columns) - 1, columns, clause);
    rc = columns == NULL ? CORRUPT(0) : *out ? SQLITE_OK : SQLITE_NOMEM;
  }
  sqlite3_free(sql);
  sqlite3_free(clause);
  return rc;
}

static int remake_content(sqlite3 *db, const Names *names, const Relation *relation, char **error) {
  char *sql = NULL;
  int rc = content_statement(db, names, relation, &sql);

  if (rc == SQLITE_OK) rc = sqlite3_exec(db, sql, NULL, NULL, error);
  sqlite3_free(sql);
  if (rc) return rc;
  rc = script_run(db,
                  "INSERT INTO \"{schema}\".\"{table}_content_new\" SELECT * FROM \"{schema}\".\"{table}_content\";"
                  "DROP TABLE \"{schema}\".\"{table}_content\";"
                  "ALTER TABLE \"{schema}\".\"{table}_content_new\" RENAME TO \"{table}_content\";",
                  names->name, error);
  return (rc & 0xff) == SQLITE_CONSTRAINT ? refuse_orphans(relation, error) : rc;
}

static int check_column(sqlite3 *db, const Names *names, const Relation *relation, char **error) {
  int found = 0;
  int rc;
  if (relation->kind == ONE_TO_ONE) {
    rc = script_one(db, "SELECT 1 FROM pragma_table_info('{table}_content', '{schema}') WHERE name = ?1 AND pk = 1",
                    names->name, names->key, &found, NULL, NULL);
    if (rc || found) return rc;
    return fail(error,
                "relation=one_to_one takes the rowid as the parent's key: the table may not have a text primary key");
  }
  if (relation->kind == MANY_TO_MANY) return SQLITE_OK;
  rc = script_one(db,
                  "SELECT 1 FROM pragma_table_info('{table}_content', '{schema}') WHERE name = ?1 COLLATE NOCASE"
                  " AND type <> 'BLOB' AND pk = 0",
                  names->name, relation->column, &found, NULL, NULL);
  if (rc || found) return rc;
  return fail(error, "parent_column=%s is no metadata or partition column of the table", relation->column);
}

int relation_add(sqlite3 *db, const char *schema, const char *table, Relation *relation, char **error) {
  Relation before;
  Names names;
  int rc = relation_find(db, schema, table, &before);

  memset(&names, 0, sizeof names);
  if (rc == SQLITE_OK && before.kind)
    rc = fail(error, "table %s is related to %s(%s) already", table, before.parent, before.key);
  relation_clear(&before);
  if (rc == SQLITE_OK) rc = relation_resolve(db, schema, relation, error);
  if (rc == SQLITE_OK) rc = names_fill(db, schema, table, relation, &names);
  if (rc == SQLITE_OK) rc = check_column(db, &names, relation, error);
  if (rc == SQLITE_OK && relation->kind != MANY_TO_MANY) rc = remake_content(db, &names, relation, error);
  if (rc == SQLITE_OK) rc = relation_install(db, schema, table, relation, error);
  names_clear(&names);
  return rc;
}

/* --- reading back --- */

/* The first foreign key that the script lists: parent, key, column, action. Kind RELATION_NONE if there is none. */
static int read_key(sqlite3 *db, const char *script, const ScriptName *names, RelationKind kind, Relation *out) {
  sqlite3_stmt *stmt = NULL;
  int rc = script_prepare(db, script, names, &stmt), end;

  memset(out, 0, sizeof *out);
  if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *text[4];
    for (int i = 0; i < 4 && rc == SQLITE_OK; i++) {
      text[i] = (const char *)sqlite3_column_text(stmt, i);
      if (text[i] == NULL) rc = i == 1 ? CORRUPT(0) : SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK) out->parent = mem_strdup(&rc, text[0]);
    if (rc == SQLITE_OK) out->key = mem_strdup(&rc, text[1]);
    if (rc == SQLITE_OK) out->column = mem_strdup(&rc, text[2]);
    if (rc == SQLITE_OK) out->on_delete = strcmp(text[3], "RESTRICT") == 0 ? ON_DELETE_RESTRICT : ON_DELETE_CASCADE;
    out->kind = kind;
  }
  end = sqlite3_finalize(stmt);
  if (rc == SQLITE_OK) rc = end;
  if (rc) relation_clear(out);
  return rc;
}

int relation_of_content(sqlite3 *db, const char *schema, const char *table, Relation *out) {
  ScriptName names[] = {{"schema", schema}, {"table", table}, {NULL, NULL}};
  int found = 0;
  int rc = read_key(db,
                    "SELECT \"table\", \"to\", \"from\", on_delete"
                    " FROM pragma_foreign_key_list('{table}_content', '{schema}')",
                    names, ONE_TO_MANY, out);
  if (rc || out->kind == RELATION_NONE) return rc;
  rc = script_one(db, "SELECT 1 FROM pragma_table_info('{table}_content', '{schema}') WHERE pk = 1 AND name = ?1",
                  names, out->column, &found, NULL, NULL);
  if (rc == SQLITE_OK && found) {
    out->kind = ONE_TO_ONE;
    mem_free(out->column);
    out->column = NULL;
  }
  if (rc) relation_clear(out);
  return rc;
}

/* Whether the trigger on the parent sets columns to NULL. */
static int sets_null(sqlite3 *db, const char *schema, const char *table, int *out) {
  ScriptName names[] = {{"schema", schema}, {"table", table}, {NULL, NULL}};
  return script_one(db,
                    "SELECT 1 FROM \"{schema}\".sqlite_schema s, \"{schema}\".quire_tables t WHERE t.name = ?1"
                    " AND s.type = 'trigger' AND s.name = printf('quire_%016llx_delete', t.id)"
                    " AND s.sql LIKE '% SET % = NULL WHERE %'",
                    names, table, out, NULL, NULL);
}

int relation_find(sqlite3 *db, const char *schema, const char *table, Relation *out) {
  ScriptName names[] = {{"schema", schema}, {"table", table}, {NULL, NULL}};
  int nulls = 0;
  int rc = relation_of_content(db, schema, table, out);

  if (rc == SQLITE_OK && out->kind == ONE_TO_MANY && out->on_delete != ON_DELETE_RESTRICT) {
    rc = sets_null(db, schema, table, &nulls);
    if (nulls) out->on_delete = ON_DELETE_SET_NULL;
  }
  if (rc == SQLITE_OK && out->kind == RELATION_NONE) {
    rc = read_key(
        db,
        "SELECT \"table\", \"to\", \"from\", on_delete FROM pragma_foreign_key_list('{table}_links', '{schema}')"
        " WHERE \"from\" = 'parent' AND EXISTS (SELECT 1 FROM pragma_foreign_key_list('{table}_links',"
        " '{schema}') WHERE \"from\" = 'vector' AND \"table\" = '{table}_content' COLLATE NOCASE)",
        names, MANY_TO_MANY, out);
    mem_free(out->column);
    out->column = NULL;
  }
  if (rc) relation_clear(out);
  return rc;
}

/* --- drop, rename --- */

int relation_drop(sqlite3 *db, const char *schema, const char *table) {
  Relation relation;
  Names names;
  char *error = NULL;
  int rc = relation_find(db, schema, table, &relation);

  if (rc == SQLITE_OK && relation.kind) {
    rc = names_fill(db, schema, table, &relation, &names);
    if (rc == SQLITE_OK) rc = script_run(db, RELATION_DROP_SQL, names.name, &error);
    names_clear(&names);
  }
  sqlite3_free(error);
  relation_clear(&relation);
  return rc;
}

int relation_rename(sqlite3 *db, const char *schema, const char *from, const char *to) {
  ScriptName names[] = {{"schema", schema}, {"from", from}, {"to", to}, {NULL, NULL}};
  char *error = NULL;
  int found = 0;
  int rc = script_one(db,
                      "SELECT 1 FROM pragma_foreign_key_list('{from}_links', '{schema}')"
                      " WHERE \"from\" = 'vector' AND \"table\" = '{to}_content' COLLATE NOCASE",
                      names, NULL, &found, NULL, NULL);
  if (rc == SQLITE_OK && found)
    rc = script_run(db, "ALTER TABLE \"{schema}\".\"{from}_links\" RENAME TO \"{to}_links\"", names, &error);
  sqlite3_free(error);
  return rc;
}

/* --- integrity --- */

/* Orphans on the table's side: rows that name no row of the parent, links that name no vector. */
static int check_orphans(sqlite3 *db, const Names *names, const Relation *relation, char **problem) {
  int links = relation->kind == MANY_TO_MANY, found = 0;
  char *parent = NULL;
  i64 count = 0;
  int rc = script_one(db,
                      links ? "SELECT count(*) FROM pragma_foreign_key_check('{table}_links', '{schema}')"
                            : "SELECT count(*) FROM pragma_foreign_key_check('{table}_content', '{schema}')",
                      names->name, NULL, &found, &count, NULL);
  if (rc == SQLITE_OK && count) {
    rc = script_one(db,
                    links ? "SELECT parent FROM pragma_foreign_key_check('{table}_links', '{schema}')"
                          : "SELECT rowid FROM pragma_foreign_key_check('{table}_content', '{schema}')",
                    names->name, NULL, &found, NULL, &parent);
    if (rc == SQLITE_OK && links)
      *problem = sqlite3_mprintf("%lld link(s) of %s_links name a row that is missing, one of them in table %s",
                                 (long long)count, names->name[1].value, parent);
    else if (rc == SQLITE_OK)
      *problem = sqlite3_mprintf("%lld row(s) of %s name no row of %s(%s), one of them is rowid %s", (long long)count,
                                 names->name[1].value, relation->parent, relation->key, parent);
    if (rc == SQLITE_OK && *problem == NULL) rc = SQLITE_NOMEM;
  }
  if (rc == SQLITE_ERROR) { /* the parent is gone, or its key is no longer unique */
    *problem = sqlite3_mprintf("the parent of %s, %s(%s), is missing or no unique key: %s", names->name[1].value,
                               relation->parent, relation->key, sqlite3_errmsg(db));
    rc = *problem ? SQLITE_OK : SQLITE_NOMEM;
  }
  sqlite3_free(parent);
  return rc;
}

/* On the parent's side: the trigger that lets its deletions through. */
static int check_trigger(sqlite3 *db, const Names *names, const Relation *relation, char **problem) {
  int found = 0;
  int rc;
  if (*problem || relation->kind == MANY_TO_MANY || relation->on_delete == ON_DELETE_RESTRICT) return SQLITE_OK;
  rc = script_one(db,
                  "SELECT 1 FROM \"{schema}\".sqlite_schema WHERE type = 'trigger' AND name = 'quire_{id}_delete'"
                  " AND tbl_name = '{parent}' COLLATE NOCASE",
                  names->name, NULL, &found, NULL, NULL);
  if (rc || found) return rc;
  *problem = sqlite3_mprintf("the trigger quire_%s_delete on %s is missing: deletions of its rows do not reach %s",
                             names->id, relation->parent, names->name[1].value);
  return *problem ? SQLITE_OK : SQLITE_NOMEM;
}

int relation_check(sqlite3 *db, const char *schema, const char *table, char **problem) {
  Relation relation;
  Names names;
  int rc = relation_find(db, schema, table, &relation);

  if (rc == SQLITE_OK && relation.kind) {
    rc = names_fill(db, schema, table, &relation, &names);
    if (rc == SQLITE_OK) rc = check_orphans(db, &names, &relation, problem);
    if (rc == SQLITE_OK) rc = check_trigger(db, &names, &relation, problem);
    names_clear(&names);
  }
  relation_clear(&relation);
  return rc;
}

int relation_test(sqlite3 *db, const char *schema, const Relation *relation, sqlite3_value *key, i64 rowid) {
  ScriptName names[] = {{"schema", schema}, {"parent", relation->parent}, {"key", relation->key}, {NULL, NULL}};
  sqlite3_stmt *stmt = NULL;
  int enforced = 0, deferred = 0, found = 0, rc, end;
  i64 flag = 0;

  rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &enforced);
  if (rc == SQLITE_OK) rc = script_one(db, "PRAGMA defer_foreign_keys", names, NULL, &found, &flag, NULL);
  deferred = flag != 0;
  if (rc || !enforced || deferred) return rc;
  if (key && sqlite3_value_type(key) == SQLITE_NULL) return SQLITE_OK;
  rc = script_prepare(db, "SELECT 1 FROM \"{schema}\".\"{parent}\" WHERE \"{key}\" = ?1", names, &stmt);
  if (rc == SQLITE_OK) rc = key ? sqlite3_bind_value(stmt, 1, key) : sqlite3_bind_int64(stmt, 1, rowid);
  if (rc == SQLITE_OK) found = sqlite3_step(stmt) == SQLITE_ROW;
  end = sqlite3_finalize(stmt);
  if (rc || end) return rc ? rc : end;
  return found ? SQLITE_OK : SQLITE_CONSTRAINT_FOREIGNKEY;
}
