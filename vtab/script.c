/*
 * script.c: the scripts of sql/ with names filled in. See script.h.
 */
#include "script.h"

#include <assert.h>

/* The value of the name in braces at `at`, and how many bytes the braces take; NULL if this is no {name}. */
static const char *named_value(const char *at, const ScriptName *names, size_t *size) {
  size_t length = 0;
  while ((at[1 + length] >= 'a' && at[1 + length] <= 'z') || at[1 + length] == '_') length++;
  if (length == 0 || at[1 + length] != '}') return NULL;
  *size = length + 2;
  for (; names->name; names++) {
    if (strlen(names->name) == length && memcmp(names->name, at + 1, length) == 0) return names->value;
  }
  assert(0 && "a name of the script has no value");
  return NULL;
}

static void append_value(sqlite3_str *sql, const char *value, char quote) {
  for (; *value; value++) {
    if (quote && *value == quote) sqlite3_str_appendchar(sql, 1, quote);
    sqlite3_str_appendchar(sql, 1, *value);
  }
}

char *script_expand(const char *script, const ScriptName *names) {
  sqlite3_str *sql = sqlite3_str_new(NULL);
  char quote = 0; /* which we are in */

  for (const char *at = script; *at; at++) {
    size_t size;
    const char *value = *at == '{' ? named_value(at, names, &size) : NULL;
    if (value) {
      append_value(sql, value, quote);
      at += size - 1;
      continue;
    }
    if (quote == *at)
      quote = 0;
    else if (!quote && (*at == '"' || *at == '\''))
      quote = *at;
    sqlite3_str_appendchar(sql, 1, *at);
  }
  return sqlite3_str_finish(sql);
}

int script_run(sqlite3 *db, const char *script, const ScriptName *names, char **error) {
  char *sql = script_expand(script, names), *message = NULL;
  int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, &message) : SQLITE_NOMEM;

  sqlite3_free(sql);
  if (rc && message && *error == NULL)
    *error = message;
  else
    sqlite3_free(message);
  return rc;
}

int script_prepare(sqlite3 *db, const char *script, const ScriptName *names, sqlite3_stmt **stmt) {
  char *sql = script_expand(script, names);
  int rc = sql ? sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  return rc;
}

int script_one(sqlite3 *db, const char *script, const ScriptName *names, const char *bind, int *found, i64 *number,
               char **text) {
  sqlite3_stmt *stmt = NULL;
  int rc = script_prepare(db, script, names, &stmt), end;

  *found = 0;
  if (rc == SQLITE_OK && bind) rc = sqlite3_bind_text(stmt, 1, bind, -1, SQLITE_STATIC);
  if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *column = text ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    *found = 1;
    if (number) *number = sqlite3_column_int64(stmt, 0);
    if (column) *text = sqlite3_mprintf("%s", column);
    if (column && *text == NULL) rc = SQLITE_NOMEM;
  }
  end = sqlite3_finalize(stmt);
  return rc ? rc : end;
}
