/*
 * table_function.h: table-valued functions that collect their rows before they give the first.
 *
 * A TableFunction is a declaration and one function that fills rows; everything else of a virtual table is here.
 */
#ifndef QUIRE_TABLE_FUNCTION_H
#define QUIRE_TABLE_FUNCTION_H

#include "../wal_shim/base.h"

typedef struct Companions Companions;
typedef struct Rows Rows;

#define MAX_ARGUMENTS 10

/* One call: what was asked, and where the rows go. */
typedef struct TableCall {
  sqlite3 *db;
  Companions *companions;
  sqlite3_value *argument[MAX_ARGUMENTS]; /* NULL: not given */
  Rows *rows;
  char *error; /* words for a failure, from sqlite3_mprintf */
} TableCall;

typedef struct TableFunction {
  const char *name;
  const char *declaration; /* CREATE TABLE x(columns, arguments HIDDEN) */
  int columns;             /* visible ones, first */
  int arguments;           /* hidden ones, after them; at most MAX_ARGUMENTS */
  int required;            /* how many of these must be given */
  const char *usage;       /* for the message when they are not */
  int innocuous;           /* reads nothing but what its caller may; else it is for direct use alone */
  int (*fill)(TableCall *call);
} TableFunction;

/* Register one on a connection. */
int table_function_register(sqlite3 *db, const TableFunction *function, Companions *companions);

/* --- for fill --- */

/* Begin a row; its cells follow, as many as the function has columns. Each gives SQLITE_OK or SQLITE_NOMEM. */
int rows_begin(TableCall *call);
int rows_null(TableCall *call);
int rows_integer(TableCall *call, i64 value);
int rows_real(TableCall *call, double value);
int rows_text(TableCall *call, const char *value); /* NULL: NULL */
int rows_value(TableCall *call, sqlite3_value *value);
int rows_blob(TableCall *call, const void *data, u64 size, unsigned subtype);
u64 rows_count(const TableCall *call);
/* All rows of a statement, whose columns are the function's; the statement is reset. */
int rows_statement(TableCall *call, sqlite3_stmt *stmt);

/* Set the call's words; gives rc. */
int call_fail(TableCall *call, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with what the connection says of its last error. */
int call_fail_db(TableCall *call, int rc);

#endif
