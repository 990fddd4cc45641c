/*
 * backup.h: the SQL function quire_backup.
 */
#ifndef QUIRE_BACKUP_H
#define QUIRE_BACKUP_H

#include "../vtab/vtab.h"

/* Register it on a connection; it keeps its own count on `conn`. */
int backup_register(sqlite3 *db, Conn *conn);

#endif
