/*
 * companions.h: what stands beside vectors in ordinary tables: relations, key-value stores, documents, event logs.
 *
 * companions.c   registration, quire_create, quire_drop, statements that are kept
 * relations.c    quire_relate, quire_relations, quire_foreign_keys
 * stores.c       kv_*, doc_*
 * hybrid.c       quire_hybrid
 * stats.c        quire_stats, quire_metrics
 * events.c       quire_snapshot, quire_retain, quire_rebuild, quire_tail
 *
 * vec_rows, which is a table-valued function like theirs, is registered with them (functions_multi.c).
 *
 * The tables, triggers and views are scripts in sql/. What is in C is what SQL cannot say: creating by name,
 * error messages with values in them, waiting.
 */
#ifndef QUIRE_COMPANIONS_H
#define QUIRE_COMPANIONS_H

#include "../vtab/stats.h"
#include "functions_int.h"
#include "table_function.h"

/* One per connection; counted. */
int companions_new(sqlite3 *db, Stats *stats, Companions **out);
const Stats *companions_stats(const Companions *companions);
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

/* --- statements that are kept --- */

/* A statement on loan from the connection's cache. */
typedef struct Kept {
  const char *script; /* by its address and the name it is known */
  char *name;
  sqlite3_stmt *stmt;
} Kept;

/*
 * Borrow the statement that `script` makes for the store or log `name`: {name} in it is that, {now} the time in ms. `kind`
 * is what to call it when there is none. Reports a failure and gives 0. Goes back with statement_return.
 */
int statement_borrow(sqlite3_context *ctx, const char *kind, const char *script, const char *name, Kept *out);
void statement_return(sqlite3_context *ctx, Kept *kept);

/* Milliseconds since 1970, as SQL. */
#define NOW_SQL "CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER)"

/* What quire_create was told, as {name}_meta has it. */
typedef struct StoreInfo {
  char *kind, *log; /* log: of events=, or NULL; both freed by store_info_clear */
} StoreInfo;
/* SQLITE_OK with kind NULL if there is no such store in the schema. */
int store_info(sqlite3 *db, const char *schema, const char *name, StoreInfo *out);
void store_info_clear(StoreInfo *info);
/* The triggers of a store that write to its log. */
int store_install_events(sqlite3 *db, const char *schema, const char *name, const StoreInfo *info, char **error);

/*
 * Run `work` between SAVEPOINT and RELEASE, or ROLLBACK TO if it fails; the words of the failure are kept.
 *   work  SQLITE_OK or a code, with words in *error (sqlite3_mprintf) or none
 *
 * SQLITE_NOMEM is the exception: until the statement that calls the function has ended SQLite runs nothing more, the savepoint stays
 * open, and the caller has to ROLLBACK, as SQLite recommends after that error anyway.
 */
int in_savepoint(sqlite3 *db, int (*work)(sqlite3 *db, void *arg, char **error), void *arg, char **error);

typedef struct ScalarFunction {
  const char *name;
  int arg_count; /* -1: any */
  int flags;
  SqlCall *call;
} ScalarFunction;

extern const ScalarFunction store_functions[], event_functions[], relation_functions[], stats_functions[];
extern const TableFunction quire_hybrid, quire_relations, quire_stats, quire_tail, vec_rows;

/* Nanoseconds, for Stats (stats.c). */
u64 stats_clock(void);

/* What quire_note() was last called with. */
i64 *companions_noted(Companions *companions);
/* The connection that quire_tail watches with, closed with the kept statements. */
sqlite3 **companions_watcher(Companions *companions);

#endif
