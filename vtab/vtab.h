/*
 * vtab.h: the virtual-table modules, as the entry point sees them.
 */
#ifndef QUIRE_VTAB_H
#define QUIRE_VTAB_H

#include "../wal_shim/store.h"
#include "stats.h"

/*
 * Register the modules `quire`, `quire_map`, `quire_store`, `quire_get` and, with `with_vec0`, `vec0` on a connection. Each keeps its own count on `conn`.
 *
 *   stats   retained: where searches are counted
 *   *error  words for a failure, freed by sqlite3_free; may stay NULL
 */
int vtab_register(sqlite3 *db, Conn *conn, int with_vec0, Stats *stats, char **error);

#endif
