/*
 * relations.c: relations of vector tables to ordinary ones, as SQL functions. The work is in vtab/relation.c.
 *
 *   quire_relate(table, 'parent(key)' [, 'relation=...', 'on_delete=...', 'parent_column=...', 'schema=...'])
 *                             relates a vector table that is there; gives the table's name
 *   quire_relations           table-valued: one row for each relation of all schemas
 *   quire_foreign_keys()      1 if PRAGMA foreign_keys is on: what triggers on parents ask
 */
#include "companions.h"

#include "../vtab/relation.h"
#include "../vtab/script.h"

static void quire_foreign_keys(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int on = 0;
  (void)argc, (void)argv;
  (void)sqlite3_db_config(sqlite3_context_db_handle(ctx), SQLITE_DBCONFIG_ENABLE_FKEY, -1, &on);
  sqlite3_result_int(ctx, on);
}

/* --- quire_relate --- */

typedef struct Relate {
  const char *schema, *table;
  Relation relation;
} Relate;

static int relate(sqlite3 *db, void *arg, char **error) {
  Relate *r = arg;
  ScriptName names[] = {{"schema", r->schema}, {NULL, NULL}};
  int found = 0;
  int rc =
      script_one(db, "SELECT 1 FROM \"{schema}\".quire_tables WHERE name = ?1", names, r->table, &found, NULL, NULL);

  if (rc == SQLITE_ERROR || (rc == SQLITE_OK && !found)) {
    *error = sqlite3_mprintf("schema %s has no vector table %s", r->schema, r->table);
    return SQLITE_ERROR;
  }
  if (rc == SQLITE_OK) rc = relation_add(db, r->schema, r->table, &r->relation, error);
  return rc;
}

#define MAX_RELATE_OPTIONS 8

static void quire_relate(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  sqlite3 *db = sqlite3_context_db_handle(ctx);
  const char *option[MAX_RELATE_OPTIONS], *parent;
  Relate r = {.schema = "main"};
  char *error = NULL;
  int count = 0, rc;

  if (argc < 2 || argc > 2 + MAX_RELATE_OPTIONS) {
    result_message(ctx,
                   "usage: quire_relate(table, 'parent(key)', 'relation=...', 'on_delete=...', 'parent_column=...')");
    return;
  }
  r.table = argument_text(ctx, argv[0], "the vector table's name");
  parent = r.table ? argument_text(ctx, argv[1], "the parent") : NULL;
  if (parent == NULL) return;
  for (int i = 2; i < argc; i++) {
    const char *text = argument_text(ctx, argv[i], "an option");
    if (text == NULL) return;
    if (sqlite3_strnicmp(text, "schema=", 7) == 0)
      r.schema = text + 7;
    else
      option[count++] = text;
  }
  rc = spec_parse_relation(parent, count, option, &r.relation, &error);
  if (rc == SQLITE_OK) rc = in_savepoint(db, relate, &r, &error);
  relation_clear(&r.relation);
  if (rc)
    result_failure(ctx, rc, error);
  else
    sqlite3_result_value(ctx, argv[0]);
}

/* --- quire_relations --- */

/* The relations of one schema. */
static int add_schema(TableCall *call, const char *schema) {
  ScriptName names[] = {{"schema", schema}, {NULL, NULL}};
  sqlite3_stmt *stmt = NULL;
  int found = 0;
  int rc = script_one(call->db, "SELECT 1 FROM \"{schema}\".sqlite_schema WHERE name = 'quire_tables'", names, NULL,
                      &found, NULL, NULL);

  if (rc || !found) return rc;
  rc = script_prepare(call->db,
                      "SELECT name FROM \"{schema}\".quire_tables WHERE name IS NOT NULL AND id <> 0 ORDER BY name",
                      names, &stmt);
  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *table = (const char *)sqlite3_column_text(stmt, 0);
    Relation relation = {0};
    if (table == NULL) rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK) rc = relation_find(call->db, schema, table, &relation);
    if (rc == SQLITE_OK && relation.kind) {
      rc = rows_begin(call);
      if (rc == SQLITE_OK) rc = rows_text(call, schema);
      if (rc == SQLITE_OK) rc = rows_text(call, table);
      if (rc == SQLITE_OK) rc = rows_text(call, relation_kind_name(relation.kind));
      if (rc == SQLITE_OK) rc = rows_text(call, relation.parent);
      if (rc == SQLITE_OK) rc = rows_text(call, relation.key);
      if (rc == SQLITE_OK) rc = rows_text(call, relation.column);
      if (rc == SQLITE_OK) rc = rows_text(call, relation_action_name(relation.on_delete));
    }
    relation_clear(&relation);
  }
  if (rc == SQLITE_OK) return sqlite3_finalize(stmt);
  sqlite3_finalize(stmt);
  return rc;
}

static int fill_relations(TableCall *call) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(call->db, "PRAGMA database_list", -1, &stmt, NULL), end;

  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *schema = (const char *)sqlite3_column_text(stmt, 1);
    rc = schema ? add_schema(call, schema) : SQLITE_NOMEM;
  }
  end = sqlite3_finalize(stmt);
  return call_fail_db(call, rc ? rc : end);
}

const TableFunction quire_relations = {
    .name = "quire_relations",
    .declaration = "CREATE TABLE x(schema TEXT, \"table\" TEXT, relation TEXT, parent TEXT, parent_key TEXT,"
                   " parent_column TEXT, on_delete TEXT)",
    .columns = 7,
    .innocuous = 1,
    .fill = fill_relations,
};

const ScalarFunction relation_functions[] = {
    {"quire_foreign_keys", 0, SQLITE_INNOCUOUS, quire_foreign_keys},
    {"quire_relate", -1, SQLITE_DIRECTONLY, quire_relate},
    {NULL, 0, 0, NULL},
};
