/*
 * vtab_int.h: what the files of the module share: the table object, its columns, the plan, the cursor's entry points.
 */
#ifndef QUIRE_VTAB_INT_H
#define QUIRE_VTAB_INT_H

#include "../vector/search.h"
#include "content.h"
#include "external.h"
#include "relation.h"
#include "value.h"
#include "vtab.h"

/* key, 53 columns of the user's at most, and the hidden ones; of a map, key, 60 values and the command */
#define MAX_DECLARED 64

/*
 * The columns as declared to SQLite: the key or `rowid`, then the others in the order of declaration, then the hidden ones.
 * A hidden column is absent (-1) when a column of the user's has its name.
 */
typedef struct Layout {
  int count;
  int spec_column[MAX_DECLARED]; /* column of the spec; -1: rowid or a hidden column */
  int declared[MAX_DECLARED];    /* and back: where the spec's column stands; of a record, the first value */
  int value[MAX_DECLARED];       /* of a column that is a record's: which of its values; else 0 */
  int vector[MAX_DECLARED];      /* which vector it is; -1: it is not in pages */
  int command, distance, k, ef_search, exact, oversample, nprobe, model;
} Layout;

typedef struct Cursor Cursor;
typedef struct VecTable VecTable;

/*
 * Where a table's rows are, and all that depends on it: storage_pages, t_content and the store's pages (vtab_pages.c); storage_external, the same
 * pages for the rows of the user's own table; storage_paged, of content='', t_content without the vectors that pages have; storage_chunks, the
 * shadow tables of a table that sqlite-vec has made (vtab_chunks.c). Functions are called as the sqlite3_module's methods are.
 */
typedef struct Storage {
  const ContentMode *mode; /* of tables with pages */
  /* Make or check the table that has the rows; `clause` as content_create's. *error: words, freed by sqlite3_free. */
  int (*create)(VecTable *vt, Store *store, const char *clause, char **error);
  int (*drop)(VecTable *vt);
  int (*rename)(VecTable *vt, const char *name);
  /* Words for an error `rc`, or NULL. */
  const char *(*words)(const VecTable *vt, int rc);
  /* The index of a vector column, as of the connection's last snapshot. */
  const IndexShape *(*index)(const VecTable *vt, int column);
  /* Fill in where the rows are, and open the search. */
  int (*search)(VecTable *vt, SearchRequest *request, Search **out);
  /*
   * The vector that a cell of a content row stands for: *bytes NULL: the cell is it; else they are valid until the next call. SQLITE_NOTFOUND: the row has gone, or
   * the vector, since it was read.
   */
  int (*vector)(VecTable *vt, i64 rowid, u32 vector, sqlite3_value *cell, const void **bytes);
  int whole_rows; /* a row that changes one vector is written with all of them (P2) */
  int (*update)(VecTable *vt, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
  int (*integrity)(VecTable *vt, char **problem);
  int rows_may_be_gone; /* the rows of hits are looked at, whether they are there */
  int (*begin)(VecTable *vt);
  int (*sync)(VecTable *vt);
  int (*commit)(VecTable *vt);
  int (*rollback)(VecTable *vt);
  int (*savepoint)(VecTable *vt, int n);
  int (*release)(VecTable *vt, int n);
  int (*rollback_to)(VecTable *vt, int n);
  int map; /* rows are found by rowid in pages and overlay (vtab_rows.c) */
} Storage;

extern const Storage storage_pages, storage_external, storage_paged, storage_chunks;
/* The storage of a table that is made here. */
const Storage *vtab_storage(const TableSpec *spec);

struct VecTable {
  sqlite3_vtab base; /* first: SQLite's view */
  sqlite3 *db;
  Conn *conn;
  Stats *stats;
  SearchStats *searches; /* of the table, or NULL: not looked up yet */
  char *schema, *name;
  TableSpec *spec;
  Layout layout;
  int vector_column[MAX_VECTOR_COLUMNS]; /* vector i is this column of the spec */
  u32 vector_count;
  int field_column[MAX_FIELD_WORDS]; /* field i is this column of the spec */
  int column_field[MAX_DECLARED];    /* and back; -1: the column is no field */
  int text_key;                      /* the table is WITHOUT ROWID for SQLite */
  int utf8, utf8_known;              /* vtab_is_utf8's */
  int indexed, indexed_known;        /* vtab_indexed_column's */
  sqlite3_stmt *event;               /* that appends to the log of events=, or NULL */
  const Storage *storage;
  Table *table;   /* storage_pages */
  Chunks *chunks; /* storage_chunks */
  Content *content;
  VectorCopy paged; /* a vector that only the pages have */
  Cursor *spare;    /* a closed cursor, kept to save an allocation */
  u32 open_cursors; /* others */
};

/* Set the table's error message; gives `rc`. */
int vtab_error(VecTable *vt, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Add the store's words to an error of the store's, if it has some; gives `rc`. */
int vtab_store_error(VecTable *vt, int rc);
/* What the store must know of the table, kept so. Points into vt. */
void vtab_shape(VecTable *vt, const Storage *storage, TableShape *shape);
void vtab_vector_shape(const VecTable *vt, u32 vector, VectorShape *shape);
/* The first column of the table: its key, or rowid. */
const char *vtab_first_column(const VecTable *vt);
/* The column of the spec that t_content has an index on, for a relation; -1: none. Asks the schema once, when first needed. */
int vtab_indexed_column(VecTable *vt);
/* Which vector a column of the spec is, and its index as of the connection's last snapshot. */
u32 vtab_vector_index(const VecTable *vt, int column);
const IndexShape *vtab_index(const VecTable *vt, int column);
/* SQLITE_MISMATCH, and the words, if `model` is not the label that the table was made with; `who` says it. */
int vtab_check_model(VecTable *vt, sqlite3_value *model, const char *who);

/* How messages name a vector: a query's, or one that is inserted or updated. */
typedef struct VectorWords {
  const char *invalid, *type, *dimension;
} VectorWords;
/* Decode a vector for a column of the spec; on SQLITE_ERROR the table's message says what is wrong with it. */
int vtab_vector(VecTable *vt, int column, sqlite3_value *value, const VectorWords *words, Vector *out);

/* --- the values of a map (vtab_map.c) --- */

/* The record of a row with these values, as its columns keep them; on an error the table's message says what is wrong. `out` is empty. */
int map_record(VecTable *vt, sqlite3_value **values, Vector *out);
/*
 * A column's bytes in pages as the result: the vector, or value `value` of a record; `lasts`: they stay as long as the statement. SQLITE_CORRUPT_VTAB: a damaged record.
 */
int vtab_result(const VectorShape *shape, int value, const u8 *bytes, int lasts, sqlite3_context *ctx);

/* --- plans (vtab_plan.c): from xBestIndex to xFilter through idxStr --- */

typedef enum { PLAN_SCAN, PLAN_POINT, PLAN_POINTS, PLAN_KNN } PlanKind;

typedef enum {
  TERM_QUERY,      /* the query vector */
  TERM_K,          /* k = ? */
  TERM_LIMIT,      /* LIMIT, a hint */
  TERM_EF,         /* ef_search = ? */
  TERM_EXACT,      /* exact = ? */
  TERM_OVERSAMPLE, /* oversample = ? */
  TERM_NPROBE,     /* nprobe = ? */
  TERM_MODEL,      /* model = ? */
  TERM_DISTANCE,   /* distance `op` ? */
  TERM_ROWID,      /* rowid or integer key = ? */
  TERM_KEY,        /* text key = ? */
  TERM_ROWID_IN,   /* rowid or integer key IN, all values at once */
  TERM_KEY_IN,     /* text key IN */
  TERM_FILTER,     /* column `op` ? */
  TERM_FILTER_IN   /* column IN, all values at once */
} TermKind;

typedef struct PlanTerm {
  TermKind kind;
  int column; /* of the spec, or CONTENT_ROWID */
  int op;     /* SQLITE_INDEX_CONSTRAINT_ */
} PlanTerm;

#define MAX_TERMS 64

typedef struct Plan {
  PlanKind kind;
  int column;               /* KNN: the vector column */
  ContentOrder order;       /* of rowids (scan, points) */
  int by_distance;          /* KNN: SQLite relies on the order of (distance, rowid) */
  int vectors;              /* scan, point, points: vector columns are wanted */
  int map;                  /* scan, point, points: rowid and vectors alone are wanted, of rows chosen by rowid */
  PlanTerm term[MAX_TERMS]; /* term i has argument i of xFilter */
  int term_count;
} Plan;

/* Whether rows may be counted (W5): SQLite asks for no vector then. */
static inline int plan_may_count(const Plan *plan) { return plan->kind == PLAN_SCAN && !plan->vectors; }

int vtab_best_index(sqlite3_vtab *base, sqlite3_index_info *info);
/* Read a plan back from idxStr. SQLITE_INTERNAL if it is none of ours. */
int plan_decode(const VecTable *vt, const char *text, Plan *plan);

/* --- rows that filters let through (vtab_filter.c) --- */

/* The rows that pass the terms of a KNN plan which name rows or columns: those in the set that pass the filter. */
typedef struct RowFilter RowFilter;
typedef struct Restriction {
  i64 *rowids; /* ascending and distinct; NULL: the set is of all rows */
  u64 rowid_count;
  Filter *filter;   /* NULL: there are no conditions left */
  RowFilter *check; /* conditions for restriction_check, made when first asked */
} Restriction;

/* `out` is emptied first. argv: xFilter's. */
int restriction_open(VecTable *vt, const Plan *plan, sqlite3_value **argv, Restriction *out);
/* Before xFilter's arguments go: rows that pass the filter may yet fail, and will be looked at one by one. */
int restriction_prepare_check(VecTable *vt, const Plan *plan, sqlite3_value **argv, Restriction *r);
/* Whether the row passes the conditions; only after restriction_prepare_check. */
int restriction_check(Restriction *r, i64 rowid, int *passes);
/* Give back statements and memory. */
void restriction_close(Restriction *r);

/*
 * Add a filter term to `filter` as ranges of words (vtab_words.c). *known: 0 if it has no such form; then the filter is as it was.
 */
int words_add(VecTable *vt, const PlanTerm *term, sqlite3_value *arg, Filter *filter, int *known);
/* Whether the database's texts are UTF-8. */
int vtab_is_utf8(VecTable *vt);

/* --- rows by rowid, without the content table (vtab_rows.c) --- */

typedef struct MapCursor MapCursor;

/*
 * Begin a point or scan plan with `map`. *map is made when needed.
 *   *answers  0: the content table must be asked instead
 */
int map_filter(VecTable *vt, MapCursor **map, const Plan *plan, sqlite3_value **argv, int *answers);
/* Begin a points plan. */
int map_filter_points(VecTable *vt, MapCursor **map, const Plan *plan, sqlite3_value **argv);
/*
 * The next row: SQLITE_DONE after the last; SQLITE_NOTFOUND if the content table must be asked for this and all further ones; SQLITE_ROW if this one and all after it
 * are known by their number alone, map_counted(). After map_read_on() none are counted, and those that were counted come as rows.
 */
int map_next(MapCursor *map, i64 *rowid);
u64 map_counted(const MapCursor *map);
void map_read_on(MapCursor *map);
/* A scan's bounds. */
void map_bounds(const MapCursor *map, i64 *low, i64 *high);
/* The same for a points plan. *known 0: whether there is such a row, the content table must say. */
int map_next_point(MapCursor *map, i64 *rowid, int *known);
/*
 * A vector of the row that the cursor stands on as the result, or value `value` of its record. SQLITE_NOTFOUND if the row did not come from the map, or its page
 * cannot be read: the content table has it.
 */
int map_result(MapCursor *map, u32 vector, int value, sqlite3_context *ctx);
/* Forget the rows; let go of the snapshot too, unless the cursor is in use; of all. All accept NULL. */
void map_rewind(MapCursor *map);
void map_release(MapCursor *map);
void map_free(MapCursor *map);

/* --- cursors (vtab_scan.c) --- */

int vtab_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out);
int vtab_close(sqlite3_vtab_cursor *base);
int vtab_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv);
int vtab_next(sqlite3_vtab_cursor *base);
int vtab_eof(sqlite3_vtab_cursor *base);
int vtab_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i);
int vtab_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid);
/* The table is about to be written: the spare cursor lets go of its snapshot (W6). */
void vtab_release_spare(VecTable *vt);
/* Free the spare cursor. */
void vtab_free_spare(VecTable *vt);

/* --- changes (vtab_update.c), transactions (vtab_txn.c) --- */

int vtab_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
/* xUpdate of storage_pages. */
int pages_update(VecTable *vt, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
/* The same of storage_external: the index alone changes. */
int external_update(VecTable *vt, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
/* Find words for an error of xUpdate and turn it into what may be returned, `wrote`: after something was written (U2). */
int update_settle(VecTable *vt, int wrote, int rc);
/* The command that an INSERT gives, or NULL: it is a row. `argv` as xUpdate's. */
sqlite3_value *update_command(const VecTable *vt, int argc, sqlite3_value **argv);

/* The number that is the whole of `text`, up to `max`, into *out; 0 if it is none. Of commands like 'merge=N'. */
int vtab_number(const char *text, sqlite3_int64 max, sqlite3_int64 *out);
#define VTAB_NUMBER_MAX 999999999999999999LL

int vtab_begin(sqlite3_vtab *base);
int vtab_sync(sqlite3_vtab *base);
int vtab_commit(sqlite3_vtab *base);
int vtab_rollback(sqlite3_vtab *base);
int vtab_savepoint(sqlite3_vtab *base, int n);
int vtab_release_savepoint(sqlite3_vtab *base, int n);
int vtab_rollback_to(sqlite3_vtab *base, int n);

/* --- events='log' (vtab_events.c) --- */

/* At CREATE: whether the log is there. */
int vtab_events_check(VecTable *vt, char **error);
/* Before a change: an error leaves nothing half done. */
int vtab_events_begin(VecTable *vt);
void vtab_events_close(VecTable *vt);
/* Append an event about one row; `key` NULL: its rowid is its key. Nothing if the table has no log. */
int vtab_event(VecTable *vt, const char *type, sqlite3_value *key, i64 rowid);
/* All rows are about to be deleted. */
int vtab_events_all(VecTable *vt);

/* --- modules --- */

/*
 * sqlite3_module as SQLite 3.44 knows it. Compiled against older headers, the member is appended here; SQLite looks at it
 * only when iVersion says 4, which it says only to a SQLite that knows.
 */
typedef struct Module {
  sqlite3_module base;
#if SQLITE_VERSION_NUMBER < 3044000
  int (*xIntegrity)(sqlite3_vtab *, const char *schema, const char *table, int flags, char **error);
#endif
} Module;

/* What a module's functions get as pAux: allocated per connection and module, freed with it. */
typedef struct ModuleData {
  Module module;
  Conn *conn;
  Stats *stats;
  const Dialect *dialect;
} ModuleData;

/* The module of the table `quire` (store_vtab.c). */
extern const sqlite3_module store_module;
/* quire_get (get_vtab.c). */
extern const sqlite3_module get_module;

#endif
