/*
 * script.h: the scripts of sql/ with names filled in.
 */
#ifndef QUIRE_SCRIPT_H
#define QUIRE_SCRIPT_H

#include "../wal_shim/base.h"

/* What stands for {name} in a script. An array of them ends with a NULL name. */
typedef struct ScriptName {
  const char *name, *value;
} ScriptName;

/*
 * The script with every {name} replaced. Inside quotes of any kind the quote is doubled in the value, so that
 * "{table}_data" is an identifier and '{table}' a string whatever the table is called; outside quotes the value stands as it
 * is and must be ours. Freed by sqlite3_free; NULL: out of memory.
 */
char *script_expand(const char *script, const ScriptName *names);
/* Expand and run. *error: SQLite's words, freed by sqlite3_free; may stay NULL. */
int script_run(sqlite3 *db, const char *script, const ScriptName *names, char **error);
/* Expand and prepare one statement to be kept. */
int script_prepare(sqlite3 *db, const char *script, const ScriptName *names, sqlite3_stmt **stmt);
/*
 * Expand a SELECT, bind `bind` (NULL: nothing) and take its first row. *found: whether there was one; *number and
 * *text (freed by sqlite3_free, NULL for NULL) are both its first column; either may be NULL if not wanted.
 */
int script_one(sqlite3 *db, const char *script, const ScriptName *names, const char *bind, int *found, i64 *number,
               char **text);

#endif
