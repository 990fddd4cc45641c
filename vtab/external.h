/*
 * external.h: the user's own table as the content of a vector table: content='docs', content_rowid='id'.
 *
 * As in FTS5: the vector table keeps an index of vectors, partition and metadata columns alone; its rows are those of the content table, whose
 * columns have the same names. What changes there is told by triggers ('triggers' makes them), or by INSERT and the command 'delete'.
 *
 *   X1  The content table is an ordinary table with an INTEGER PRIMARY KEY, which content_rowid names (it may say rowid): VACUUM renumbers
 *       other rowids, and views may read the vector table. This is checked at CREATE and by 'triggers'.
 *   X2  A row of the index whose row is gone from the content is none (S17): the rows of hits are looked at.
 *   X3  Nothing is ever written to the content table.
 */
#ifndef QUIRE_EXTERNAL_H
#define QUIRE_EXTERNAL_H

#include "spec.h"

/* X1, and that the columns are there. *error: words, freed by sqlite3_free. */
int external_check(sqlite3 *db, const char *schema, const TableSpec *spec, char **error);
/* Make the triggers anew. `first`: the vector table's first column. */
int external_install(sqlite3 *db, const char *schema, const char *table, const TableSpec *spec, const char *first,
                     char **error);
/* Whether the triggers are there. */
int external_installed(sqlite3 *db, const char *schema, const char *table, int *found);
/* Drop those that are there. */
int external_drop(sqlite3 *db, const char *schema, const char *table);

#endif
