/*
 * vtab_txn.c: SQLite's transaction hooks, handed on to the store.
 *
 * The only caller of the store's transaction functions. Nothing is decided here: which object of a table gets which
 * call is SQLite's whim (an object may be a zombie whose table was rolled back, and one table may have several), so the store keeps
 * its state by connection and database and looks at rows, not at who called.
 */
#include "vtab_int.h"

static VecTable *table_of(sqlite3_vtab *base) { return (VecTable *)base; }

int vtab_begin(sqlite3_vtab *base) { return vtab_store_error(table_of(base), table_begin(table_of(base)->table)); }

int vtab_sync(sqlite3_vtab *base) { return vtab_store_error(table_of(base), table_sync(table_of(base)->table)); }

/* SQLite ignores the result, and so do we: nothing that can fail happens here. */
int vtab_commit(sqlite3_vtab *base) { return table_commit(table_of(base)->table); }

int vtab_rollback(sqlite3_vtab *base) { return table_rollback(table_of(base)->table); }

int vtab_savepoint(sqlite3_vtab *base, int n) {
  return vtab_store_error(table_of(base), table_savepoint(table_of(base)->table, n));
}

int vtab_release_savepoint(sqlite3_vtab *base, int n) {
  return vtab_store_error(table_of(base), table_release_savepoint(table_of(base)->table, n));
}

int vtab_rollback_to(sqlite3_vtab *base, int n) { return table_rollback_to(table_of(base)->table, n); }
