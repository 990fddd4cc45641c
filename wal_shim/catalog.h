/*
 * catalog.h: the root page of a fold and the pages that continue it. Format in store.c.
 */
#ifndef QUIRE_CATALOG_H
#define QUIRE_CATALOG_H

#include "store_int.h"

/*
 * The state row from eight columns (format, uuid, n, gen, root, crc, pages, owner) of a row, every value checked. One that is not
 * as a fold writes it has the format FORMAT_UNREADABLE.
 */
void state_from_row(sqlite3_stmt *stmt, int column, State *out);
/* What stands for a state row that is missing. */
void state_missing(State *out);

/* The catalog of the root that `state` names; SQLITE_CORRUPT_VTAB if the root is not that of `state`. */
int catalog_read(Pages *pages, const State *state, CatalogEntry **entries, u64 *count);
/* Write root and catalog; state's uuid, gen, n go into it, its root and page count are set. */
int catalog_write(PageTx *tx, State *state, const CatalogEntry *entries, u64 count);
/* Every page of root and catalog. */
int catalog_walk(Pages *pages, const State *state, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);

#endif
