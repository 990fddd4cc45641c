/*
 * content.h: the rows of a vector table as SQL: the table t_content, its statements, its conditions.
 *
 * Every row is one row here, vectors included, under the user's own column names:
 *
 *   rowid INTEGER PRIMARY KEY    or the user's integer key; beside a text key a column of ours
 *   quire_tag INTEGER            random, anew with each change of rowid or vectors: by it the store knows the row again (table.c, D2)
 *   key TEXT NOT NULL UNIQUE     the user's text key
 *   partition, metadata          with the affinity of their types, which is also that of the virtual table's columns
 *   auxiliary, vectors           vectors last, so that reading the rest reads no overflow page
 *   quire_record BLOB            of a map: its values (vector/record.h)
 *
 * With content= the rows are those of the user's own table, with the same names, which is only read (external.h).
 * Of a table that sqlite-vec has written the rows are read, through quire_chunks, and none is written (chunks.h).
 *
 * All SQL on the table is made here; nobody else knows that it is SQL that answers. Statements are kept
 * between uses. Columns are numbered as in TableSpec; CONTENT_ROWID is the integer key, whoever's it is.
 */
#ifndef QUIRE_CONTENT_H
#define QUIRE_CONTENT_H

#include "chunks.h"

typedef struct Content Content;

/* A statement on loan. After use it goes back with content_return, which resets it. */
typedef struct Query {
  sqlite3_stmt *stmt; /* result columns of rows: 0 the rowid, 1+i column i of the spec */
  int kind;           /* the rest is content.c's */
  char *sql;
  struct Query *next;
  u32 generation;
} Query;

/* One comparison of a column with a bound value; `op` is a SQLITE_INDEX_CONSTRAINT_ number. */
typedef struct Condition {
  int column;
  int op;
} Condition;

typedef enum { ORDER_NONE, ORDER_ROWID, ORDER_ROWID_DESC } ContentOrder;

/* Which rows to select, and what of them. */
typedef struct Selection {
  const Condition *condition; /* condition i compares with parameter i+1 */
  int condition_count;
  ContentOrder order;
  u64 columns; /* bit i: give column i; the others come as NULL */
} Selection;

/* Make the table. `clause`: what follows its columns, such as a foreign key; "" if nothing. *error as in vtab's xCreate. */
int content_create(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, const char *clause,
                   char **error);
/* `spec` must outlive the content. */
int content_open(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, Content **out);
/* The rows of sqlite-vec's shadow tables, only to read; `chunks` must outlive the content, too. */
int content_open_chunks(sqlite3 *db, const TableSpec *spec, Chunks *chunks, Content **out);
/* Finalizes all statements; accepts NULL. No query may be on loan. */
void content_close(Content *content);
int content_drop(Content *content);
/* The table follows its vector table, now called `name`; statements made before are made anew. */
int content_rename(Content *content, const char *name);

/* The table's bare name, and the name of its integer key column. */
const char *content_name(const Content *content);
const char *content_rowid(const Content *content);
/* NULL if the table is the user's. */
const char *content_tag(const Content *content);
/* SQL type of a column in t_content and in the virtual table: their affinities must be the same. */
const char *content_type(const Column *column);
/* A declared type's affinity, by its letters (sqlite.org/datatype3.html, 3.1): "INTEGER", "TEXT", "REAL", "NUMERIC", "" for none. */
const char *content_affinity(const char *type);
/* All columns, and all but those in pages. */
u64 content_all_columns(const Content *content);
u64 content_plain_columns(const Content *content);
/* Whether content_select can answer this operator. */
int content_knows(int op);

/* --- reading; *out goes back with content_return --- */

int content_select(Content *content, const Selection *selection, Query **out);
/* One row by rowid (parameter 1). The two variants that everyone needs: without and with the vectors. */
int content_row(Content *content, int with_vectors, Query **out);
void content_return(Content *content, Query *query);
/* Whether a query that is not running may run again: not after a rename. */
int content_is_current(const Content *content, const Query *query);
/* Whether the row exists. SQLITE_OK, SQLITE_NOTFOUND or an error. */
int content_exists(Content *content, i64 rowid);
/* The rowid of a text key. SQLITE_OK, SQLITE_NOTFOUND or an error. */
int content_find(Content *content, sqlite3_value *key, i64 *rowid);
/* SQLITE_INTERRUPT if sqlite3_interrupt was called. */
int content_poll(Content *content);

/* --- writing --- */

/* What a column shall hold: nothing new, a value of SQLite's, or the bytes of a vector. */
typedef struct Cell {
  enum { CELL_KEEP, CELL_VALUE, CELL_BYTES } kind;
  sqlite3_value *value; /* CELL_VALUE: NULL means NULL */
  const void *bytes;
  u64 size;
} Cell;

/*
 * Insert a row; cell[i] is column i's (CELL_KEEP: NULL; the integer key's is not looked at). *rowid is given if has_rowid,
 * else set. SQLITE_CONSTRAINT if there is a row with this key; then nothing has changed.
 */
int content_insert(Content *content, const Cell *cell, i64 tag, int has_rowid, i64 *rowid);
/* Change a row's cells, and its rowid if `to` differs from `from`. *tag: the new tag, or NULL for none. */
int content_update(Content *content, i64 from, i64 to, const i64 *tag, const Cell *cell);
int content_delete(Content *content, i64 rowid);
int content_delete_all(Content *content);

#endif
