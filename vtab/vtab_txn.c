/*
 * vtab_txn.c: SQLite's transaction hooks, handed on to where the rows are.
 *
 * Nothing is decided here: which object of a table gets which
 * call is SQLite's whim (an object may be a zombie whose table was rolled back, and one table may have several), so the store keeps
 * its state by connection and database and looks at rows, not at who called.
 */
#include "vtab_int.h"

static VecTable *table_of(sqlite3_vtab *base) { return (VecTable *)base; }

/* With the store's words. */
static int worded(sqlite3_vtab *base, int rc) { return vtab_store_error(table_of(base), rc); }

int vtab_begin(sqlite3_vtab *base) {
  vtab_release_spare(table_of(base));
  return worded(base, table_of(base)->storage->begin(table_of(base)));
}

int vtab_sync(sqlite3_vtab *base) { return worded(base, table_of(base)->storage->sync(table_of(base))); }

/* SQLite ignores the result, and so do we: nothing that can fail happens here. */
int vtab_commit(sqlite3_vtab *base) { return table_of(base)->storage->commit(table_of(base)); }

int vtab_rollback(sqlite3_vtab *base) { return table_of(base)->storage->rollback(table_of(base)); }

int vtab_savepoint(sqlite3_vtab *base, int n) {
  return worded(base, table_of(base)->storage->savepoint(table_of(base), n));
}

int vtab_release_savepoint(sqlite3_vtab *base, int n) {
  return worded(base, table_of(base)->storage->release(table_of(base), n));
}

int vtab_rollback_to(sqlite3_vtab *base, int n) { return table_of(base)->storage->rollback_to(table_of(base), n); }
