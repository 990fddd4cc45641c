/*
 * companions.h: what stands beside vectors in ordinary tables: relations, key-value stores, documents, event logs.
 *
 * companions.c   registration, quire_create, quire_drop, statements that are kept
 * relations.c    quire_relate, quire_relations, quire_foreign_keys
 *
 * The tables, triggers and views are scripts in sql/. What is in C is what SQL cannot say: creating by name,
 * error messages with values in them, waiting.
 */
#ifndef QUIRE_COMPANIONS_H
#define QUIRE_COMPANIONS_H

#include "functions_int.h"
#include "table_function.h"

/* One per connection; counted. */
int companions_new(sqlite3 *db, Companions **out);
Companions *companions_retain(Companions *companions);
void companions_release(Companions *companions);
/* Register all functions and table-valued functions of companions. */
int companions_register(sqlite3 *db, Companions *companions);

/* Finalize what is kept: a connection with open statements cannot be closed. */
void companions_close_statements(Companions *companions);

/* --- for the functions --- */

/* The object of the running function. */
Companions *this_companions(sqlite3_context *ctx);
/* A text argument, or NULL after reporting that it is none. `what` names it. */
const char *argument_text(sqlite3_context *ctx, sqlite3_value *value, const char *what);
/* Report `rc` with the connection's words. */
void result_db_failure(sqlite3_context *ctx, int rc);
/* Report SQLITE_ERROR with a message made from a format. */
void result_message(sqlite3_context *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Options of quire_create and its like: "name=value". The value of `name` among them, or NULL; unknown ones are reported. */
typedef struct Options {
  const char *schema; /* schema=, "main" if there is none */
  const char *events; /* events=, NULL if there is none */
  int pending;        /* pending=yes */
} Options;

/*
 * Run `work` between SAVEPOINT and RELEASE, or ROLLBACK TO if it fails; the words of the failure are kept.
 *   work  SQLITE_OK or a code, with words in *error (sqlite3_mprintf) or none
 */
int in_savepoint(sqlite3 *db, int (*work)(sqlite3 *db, void *arg, char **error), void *arg, char **error);

typedef struct ScalarFunction {
  const char *name;
  int arg_count; /* -1: any */
  int flags;
  SqlCall *call;
} ScalarFunction;

extern const ScalarFunction relation_functions[];
extern const TableFunction quire_relations;

#endif
