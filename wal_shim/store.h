/*
 * store.h: one database's vector store, as vtab/ sees it: tables, their changes, their snapshots.
 *
 * A Conn belongs to one sqlite3 connection and holds a Store for each database (schema) that has vector tables. A Store
 * knows the state row, the page file and the Tables. A Table is one vector table, shared by all sqlite3_vtab objects of it: state
 * belongs to (connection, database), never to a vtab object (SQLite keeps several of one table alive in one transaction).
 *
 * Content rows are written by vtab; what the store adds is the delta (which rows gained or lost vectors since the last fold)
 * and the pages. Order in one xUpdate: table_write_begin, content row, then table_add or table_remove.
 *
 * Errors: SQLite result codes. store_error() has the words, when there is more to say than the code.
 */
#ifndef QUIRE_STORE_H
#define QUIRE_STORE_H

#include "field.h"

typedef struct Conn Conn;
typedef struct Store Store;
typedef struct Table Table;
typedef struct Snapshot Snapshot;

/* Where a table's rows are (content_mode.c): in t_content; in the user's own table; in t_content, but vectors in pages alone once they are folded. */
typedef struct ContentMode ContentMode;
extern const ContentMode content_rows, content_external, content_pages;
/* What a vector's cell in t_content then holds: the pages have it (P1). */
#define PAGED_CELL 1

/* The index of one vector column (vector/index.h says what the numbers mean). Kept in the registry, where commands change it. */
typedef struct IndexShape {
  u32 kind, m, ef_construction, ef_search, nlist, nprobe, quantizer, oversample, from_rows;
} IndexShape;

/* What storage must know of one vector column. `elem`, `metric` are vector/'s numbers, kept and compared, not understood. */
typedef struct VectorShape {
  const char *column; /* its name in the content table */
  u32 elem, metric, dim;
  u32 size; /* bytes of one vector; 0: they have different sizes (table_methods.bytes) */
  IndexShape index;
} VectorShape;

/* The bytes of a vector that were somewhere else, 64-byte aligned. Zeroed before its first use. */
typedef struct VectorCopy {
  u8 *bytes;
  u64 size, cap;
} VectorCopy;

/* SQLITE_OK or SQLITE_NOMEM; then the copy is empty. */
int vector_copy(VectorCopy *copy, const void *bytes, u64 size);
void vector_copy_free(VectorCopy *copy);

/* A column whose values filters find beside the vectors (field.h). */
typedef struct FieldShape {
  const char *column; /* its name in the content table */
  FieldType type;
  u32 word; /* its first word among those of a row */
} FieldShape;

typedef struct TableShape {
  const ContentMode *mode;
  VectorShape vector[MAX_VECTOR_COLUMNS];
  u32 vector_count; /* >= 1 */
  FieldShape field[MAX_FIELD_WORDS];
  u32 field_count, field_words; /* words of all fields of a row, at most MAX_FIELD_WORDS */
  const char *content; /* content table's name as an SQL expression is quoted: the bare name, in the table's schema */
  const char *rowid;   /* name of the content table's integer key column */
  const char *tag;     /* its column of random tags, written with every table_new_tag; NULL: the rows are not ours */
  u32 fold_rows;       /* delta rows that make a commit fold; 0: the default */
} TableShape;

/* --- connections and stores --- */

/* Counted. Made at load, shared by the modules. */
int conn_new(sqlite3 *db, Conn **out);
Conn *conn_retain(Conn *conn);
void conn_release(Conn *conn);

/* The last error's words (owned by the store, valid until its next call), or NULL. */
const char *store_error(Store *store);
/* Find or open the store of schema `schema`. With `create`, makes the table `quire` when it is missing. Counted. */
int store_open(Conn *conn, const char *schema, int create, Store **out, char **error);
void store_release(Store *store);
/* Whether the pages are in this process's memory. */
int store_in_memory(Store *store, int *memory);
/* For the `quire` virtual table: create its shadow tables / drop them (refused with SQLITE_CONSTRAINT while vector tables remain). */
int store_create_shadow(Conn *conn, const char *schema, char **error);
int store_drop_shadow(Store *store);
/*
 * Have the pages in this home from now on: `inline`, or the one for this kind of database (`file`, `memory`; `auto` is any). They are made anew there from the
 * content rows, in this transaction; nothing is done if they are there.
 */
int store_set_home(Store *store, const char *name);

/* --- tables --- */

/*
 * Register a new table: a random id, its delta table (t_delta). The content table is vtab's to make.
 *   *out counted; freed by table_release.
 */
int table_create(Store *store, const char *name, const TableShape *shape, Table **out);
/* Attach to an existing table; SQLITE_CORRUPT_VTAB if it is not in the registry. The registry's indexes count, not the shape's. */
int table_connect(Store *store, const char *name, const TableShape *shape, Table **out);
/* A table that is connected, by its name. Counted. SQLITE_NOTFOUND if there is none. */
int table_find(Store *store, const char *name, Table **out);
void table_release(Table *table);
/* DROP: forget the table in the registry, drop t_delta; its pages are freed by the next fold. */
int table_drop(Table *table);
int table_rename(Table *table, const char *name);
Store *table_store(Table *table);
/* The table as this connection saw it last; its indexes are those of the last snapshot. */
const TableShape *table_shape(const Table *table);

/* --- changes (inside xUpdate) --- */

/*
 * Make the overlay current; fold if the transaction's delta has grown large. The first call of every xUpdate, before any row of the change
 * is written; may report SQLITE_CORRUPT_VTAB and friends, since nothing has changed yet.
 */
int table_write_begin(Table *table);
/* The tag that the content row must get which the next table_add is about. */
i64 table_new_tag(Table *table);
/*
 * Row `rowid` now has these vectors: vectors[i] is NULL (none) or the bytes of one of shape.vector[i], copied; all NULL: it has none. fields: the words of
 * its fields. Its content row was written with table_new_tag before. A row that had vectors before must have been removed first.
 * Only SQLITE_OK, IOERR, NOMEM or FULL (S11).
 */
int table_add(Table *table, i64 rowid, const void *const *vectors, const u64 *fields);
/* Row `rowid` keeps its vectors, if it has any, and now has these fields. */
int table_set_fields(Table *table, i64 rowid, const u64 *fields);
/* The key of hashes in the words of this table's fields. */
u64 table_field_key(const Table *table);
/* Row `rowid` has no vectors any more. The row need not have had any. */
int table_remove(Table *table, i64 rowid);
/* Whether the row has vectors here; also if that cannot be told. */
int table_knows(Table *table, i64 rowid, int *known);
/* All rows are gone (DELETE without WHERE, 'delete-all'); the content rows are the caller's business. */
int table_remove_all(Table *table);

/* --- commands --- */

int table_fold(Table *table);     /* fold the delta of this store now */
int table_rebuild(Table *table);  /* make the pages anew from the content rows */
int table_optimize(Table *table); /* fold and drop dead slots, rowid order */
/*
 * Give the vector columns other indexes, one for each: stored in the registry by the fold that makes the pages, so that ROLLBACK brings
 * back both. With `rebuild` the pages are made anew; without it only ef_search and nprobe may differ.
 */
int table_set_index(Table *table, const IndexShape *index, int rebuild);
/* Compare pages, map, delta and content. *problem: NULL if sound, else a sentence, freed by mem_free. */
int table_integrity(Table *table, char **problem);

/* --- transaction hooks: the sqlite3_module methods of every vtab object call these, nothing else --- */

int table_begin(Table *table);
int table_sync(Table *table);
int table_commit(Table *table);
int table_rollback(Table *table);
int table_savepoint(Table *table, int n);
int table_release_savepoint(Table *table, int n);
int table_rollback_to(Table *table, int n);

/* --- reading --- */

/*
 * What this connection's SQLite snapshot sees of the table. Counted and immutable: stays valid for as long as it is held, whatever the
 * connection does meanwhile. A snapshot whose page file is missing, foreign or damaged is `degraded`: a
 * search over it answers from the content rows. For statements that read the table's schema, which so have a transaction on it.
 */
int table_snapshot(Table *table, Snapshot **out);
/* Whether table_snapshot would give `snap` again; it may also be 0 where it would. */
int table_is_at(Table *table, const Snapshot *snap);
void snapshot_release(Snapshot *snap);

/* What a snapshot is made of, for searches. A degraded one has no view and no overlay. */
typedef struct SnapshotParts {
  void *view; /* of table_methods.h */
  const struct Overlay *overlay;
  u32 length; /* of the overlay */
  int degraded;
  const TableShape *shape;
} SnapshotParts;
void snapshot_parts(Snapshot *snap, SnapshotParts *out);
Snapshot *snapshot_retain(Snapshot *snap);
/*
 * A page of the snapshot was found damaged: from now on this generation is answered from content (S15). Gives the code for who has delivered rows already:
 * SQLITE_CORRUPT_VTAB, or SQLITE_ABORT_ROLLBACK if the pages were undone under it, as they are in an inline home.
 */
int snapshot_damaged(Snapshot *snap);
/* A content row that has a vector; the pointers live during the call. */
typedef int ContentRow(void *arg, i64 rowid, const void *const *vectors, const u64 *fields);
/* Every such row, in the order of rowids. */
int snapshot_content(Snapshot *snap, ContentRow *row, void *arg);

/*
 * A vector that the pages alone have, copied to `out`: the row's cell in t_content, as this connection sees it now, is PAGED_CELL. *found 0: the row has none there.
 * SQLITE_CORRUPT_VTAB, with words, where the pages cannot be read.
 */
int table_paged_vector(Table *table, i64 rowid, u32 vector, VectorCopy *out, int *found);

/* Call fn for every vector table of the store, connected or not; ends at the first error. */
int store_each_table(Store *store, int (*fn)(Table *table, void *arg), void *arg);
const char *table_name(const Table *table);

/* Commands for all tables at once: one fold, one new root. */
int store_fold_now(Store *store);
int store_optimize(Store *store);
int store_rebuild(Store *store);
/*
 * Work for idle moments, about `pages` pages of it: fold, put rows into indexes, drop dead slots of tables that are small enough, move pages
 * from the end of the store to free ones before, cut the file. Nothing is written when nothing is left to do.
 */
int store_merge(Store *store, u32 pages);
int table_merge(Table *table, u32 pages); /* dead slots of this one alone */
/* The same, done by every commit that folds: at most so many pages of work beside its own. Kept in the database; the default is AUTOMERGE. */
int store_set_automerge(Store *store, u32 pages);
#define AUTOMERGE 4096u
int store_integrity(Store *store, char **problem);
/* How large a transaction's delta may grow in memory before it is folded inside the transaction; of this connection; <= 0: the default. */
void store_set_bulk_bytes(Store *store, sqlite3_int64 bytes);

/*
 * Copy the database of `schema` and its page file, as the connection sees them now, to `path` and path-quire. `progress` (may be NULL) is called after
 * each step with pages done and pages in all, which may grow; another result than SQLITE_OK ends it. *pages: of the page file. *error: words, freed by
 * sqlite3_free. backup.c says what holds when it fails.
 */
typedef int BackupProgress(void *arg, sqlite3_int64 done, sqlite3_int64 total);
int store_backup(Conn *conn, const char *schema, const char *path, BackupProgress *progress, void *arg,
                 sqlite3_int64 *pages, char **error);

/* For the `quire` table's own transaction hooks. */
int store_sync_hook(Store *store);
void store_end_hook(Store *store, int committed);

/* For the `quire` table: one line each of name, value. Calls `emit` until it returns non-zero. */
int store_report(Store *store,
                 int (*emit)(void *arg, const char *name, const char *table, sqlite3_int64 value, const char *text),
                 void *arg);

#endif
