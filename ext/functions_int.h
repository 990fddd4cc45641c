/*
 * functions_int.h: what the files of SQL functions share: arguments in, results out.
 */
#ifndef QUIRE_FUNCTIONS_INT_H
#define QUIRE_FUNCTIONS_INT_H

#include "functions.h"

/* The table entry of the running function. */
const SqlFunction *this_function(sqlite3_context *ctx);

/* Report result code `rc` with `message` (may be NULL), which is freed. */
void result_failure(sqlite3_context *ctx, int rc, char *message);
/* Return a text from sqlite3_malloc; NULL means that memory was out. */
void result_text(sqlite3_context *ctx, char *text);
/* Return the vector with its subtype; takes over what it owns and empties it. */
void result_vector(sqlite3_context *ctx, Vector *vector);

/* Decode one argument; on failure reports it and gives 0. */
int get_vector(sqlite3_context *ctx, sqlite3_value *value, Vector *out);
/*
 * Decode the two arguments of a function of two vectors of equal type and dimension. On failure reports it, gives 0
 * and leaves both empty.
 */
int get_pair(sqlite3_context *ctx, sqlite3_value **argv, Vector *a, Vector *b);
/* Whether the two have the same type and dimension; reports it otherwise. */
int same_shape(sqlite3_context *ctx, const Vector *a, const Vector *b);

/* Whether the connection's statements have been interrupted; for loops of our own. */
int is_interrupted(sqlite3 *db);

#endif
