/*
 * quire.h: the entry points of Quire, for programs that link it instead of loading quire.so.
 *
 *     #include <quire.h>
 *     sqlite3_auto_extension((void (*)(void))sqlite3_quire_init);   // every connection opened from now on
 *     sqlite3_quire_init(db, NULL, NULL);                           // or this connection alone
 *
 * Link libquire.a, libsqlite3 (3.38 or newer), libm and libpthread: `pkg-config --cflags --libs quire`. The library is
 * compiled with -DSQLITE_CORE: it calls the SQLite it is linked with, and `api` is not looked at. Its other symbols are
 * local, so that they cannot meet the program's.
 *
 * To load quire.so at run time instead, use sqlite3_load_extension(); no header is needed.
 */
#ifndef QUIRE_H
#define QUIRE_H

#include <sqlite3.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3_api_routines;

/*
 * Register Quire's functions and modules on `db`. A second call on a connection does nothing.
 *
 *   error  may be NULL; on an error a message, freed by sqlite3_free
 *   api    NULL in a program that links libquire.a
 *
 * SQLITE_OK; SQLITE_ERROR if SQLite is older than 3.38; SQLITE_NOMEM.
 */
int sqlite3_quire_init(sqlite3 *db, char **error, const struct sqlite3_api_routines *api);

/* The same, under the name by which programs look for sqlite-vec. */
int sqlite3_vec_init(sqlite3 *db, char **error, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
