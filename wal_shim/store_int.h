/*
 * store_int.h: what the files of the store share: store.c (connections, state row, root), table.c (delta, overlay, hooks),
 * horizon.c (what may be written again), fold.c (moving the delta into pages).
 *
 *   T1  The state row is the only truth; Store.state is what one snapshot said, compared by `gen` at every use (R3).
 *   T2  A Store outlives its tables only while its home is this process's memory.
 *   T3  Nested statements are reset before a function returns, and finalized when the last vtab object goes.
 */
#ifndef QUIRE_STORE_INT_H
#define QUIRE_STORE_INT_H

#include "overlay.h"
#include "pages.h"
#include "store.h"
#include "table_methods.h"

#define UUID_SIZE 16
#define STORE_ID 0 /* the store's own row in quire_tables, once it has a setting: its options are "automerge=N" */
#define FORMAT_UNREADABLE (-1) /* State.format: the row is missing, or has values that none has */
#define DEFAULT_FOLD_MAX 4096u /* the most that fold_rows is by default; */
#define FOLD_WAIT 3u           /* so many times as many while the horizon does not follow */

typedef struct State {
  i64 format, n, gen, owner;
  u8 uuid[UUID_SIZE];
  PageRef root;
  u32 pages;
} State;

typedef enum { ROOT_NONE, ROOT_SOUND, ROOT_BAD } RootStatus;

/* One line of the root's catalog. */
typedef struct CatalogEntry {
  u64 id;
  PageRef ref;
} CatalogEntry;

struct Conn {
  u32 refs;
  sqlite3 *db;
  i64 token; /* random; names this connection as the owner of memory homes */
  u64 random[2];
  Store *stores;
};

typedef enum {
  STMT_STATE,
  STMT_STATE_UPDATE,
  STMT_REGISTRY_FIND,
  STMT_REGISTRY_NAME,
  STMT_REGISTRY_OPTIONS,
  STMT_ALIVE,
  STMT_PAGES_COUNT, /* these of home_inline.c */
  STMT_PAGES_READ,
  STMT_PAGES_WRITE,
  STMT_PAGES_GROW,
  STMT_PAGES_CUT,
  STMT_PAGES_DELETE,
  STORE_STMT_COUNT
} StoreStmt;

typedef struct StoreStats {
  u64 folds, folds_given_up, bulk_folds, append_only_folds, overlay_loads, overlay_extends, degraded,
      content_rows_skipped, content_rows_paged, paged_vectors_read, truncations, pages_moved, steps;
  IndexWork work;
} StoreStats;

/* The homes that a database can have: what its kind suggests, and inline, unless that is the same. */
enum { HOME_OWN, HOME_INLINE, HOME_COUNT };

struct Store {
  Store *next;
  u32 refs;
  Conn *conn;
  sqlite3 *db;
  char *schema;
  char *quoted;      /* "schema" */
  const char *quick; /* a name by which SQLite finds the schema soonest: NULL means main */
  void *file;        /* the database's sqlite3_file: with schema and path what a store is known by (S9) */
  char *path;        /* sqlite3_db_filename, or "" */
  int memory;        /* the database is in memory */
  Pages *home[HOME_COUNT];
  Pages *pages; /* the one of them that the state row names */
  sqlite3_stmt *stmt[STORE_STMT_COUNT];
  char *error;
  Table *tables;

  State state; /* of the last snapshot looked at */
  int state_known;
  RootStatus root_status;
  char root_problem[120];
  i64 damaged_gen; /* S15: this generation's pages were found damaged */
  int damaged;
  CatalogEntry *catalog;
  u64 catalog_count;

  /* the transaction */
  int base_known; /* `base` is the committed n this transaction started from */
  i64 base;
  int txn_unknown; /* its beginning was not seen: n may already be of this transaction */
  int folded;      /* a root was put into the state row: from now on only append (S2) */
  int unsynced;    /* pages written since the last sync */
  int lost;        /* a sync failed that was for pages of a root in the state row: the transaction cannot commit (R7) */
  u64 bulk_bytes;  /* an overlay of this size is folded inside the transaction */
  u32 undone;      /* transactions and parts of them that were rolled back */
  int avoid_reuse; /* a fold failed or was rolled back: only append until the next commit (R7) */
  i64 settled_log; /* the salt of the log that took the place of others durably (H6); -1: not known */
  int moved;       /* there may be pages in a home that is not the one */
  u64 own_written; /* pages that the last fold of a commit wrote, but for moved ones */
  i64 marked_gen;  /* the generation whose state this connection has put among the watermarks */
  u32 unfolded;    /* commits since the last fold */
  i64 step_gen;    /* of the last step (W10), which does not count as a fold */
  int settled;     /* there is nothing for a step to do until the next fold */
  u32 closed_at; /* pages when ranges were last closed up, which is worth trying again when there are fewer, or after a fold; 0: not since */
  u64 step_reusable; /* pages that were reusable when a step could not move anything */
  int merged;        /* 'merge' found nothing more to do in generation merged_gen */
  i64 merged_gen;
  u64 merged_reusable;
  StoreStats stats;
};

typedef enum {
  TABLE_TAIL,
  TABLE_TAGS,
  TABLE_LOAD,
  TABLE_LOAD_ROWS,
  TABLE_ADD,
  TABLE_MARK,
  TABLE_ROW,
  TABLE_ROW_DELETE,
  TABLE_ROW_INSERT,
  TABLE_STMT_COUNT
} TableStmt;

struct Table {
  Table *next;
  u32 refs;
  Store *store;
  u64 id;
  char *name;
  TableShape shape;  /* its strings are owned */
  int options_known; /* shape's indexes are the registry's at options_gen */
  i64 options_gen;
  char *new_options; /* for the registry, written by the fold that runs; else NULL */
  sqlite3_stmt *stmt[TABLE_STMT_COUNT];

  void *view; /* NULL until needed */
  PageRef view_ref;
  Pages *view_pages;
  Overlay *overlay;
  i64 overlay_gen;
  i64 new_tag;          /* of the content row that the next table_add is about */
  i64 changes;          /* sqlite3_total_changes64() at the last table_refresh */
  u32 version;          /* view and overlay are those of this data_version(); 0: unknown */
  i64 version_gen;      /* and of this state */
  int current;          /* the overlay is known to be current within this transaction */
  int written;          /* the transaction changed the delta */
  int unsure;           /* the overlay is good only if the transaction commits (D8) */
  int met_gone;         /* when it was loaded, a row that the delta has added was gone */
  u64 added;            /* rows that it gave vectors */
  int name_suspect;     /* a rename happened that a rollback may have undone: ask the registry */
  u32 bulk_limit_shift; /* a bulk fold was given up: the limit is doubled */
  u32 early_asked;      /* pending operations when the horizon was last asked whether an early fold pays */
  Snapshot *spare;      /* memory of one that was released, for the next */
};

/* A row whose vectors a fold has put into pages: bit i: that of column i. */
typedef struct FoldedRow {
  i64 rowid;
  u32 columns;
} FoldedRow;

/* What depends on where the rows are, and nowhere else. */
struct ContentMode {
  int tagged; /* the rows are ours: in a table named after t, with tags, and fresh ones are their own delta rows (D2, D5) */
  /* Prepare TABLE_TAIL: the state row, and the delta's last row and the content's, each with its tag. */
  int (*prepare_tail)(Table *t);
  /* Prepare TABLE_TAGS: the tags of delta row ?1 and content row ?2. */
  int (*prepare_tags)(Table *t);
  /* The overlay was loaded, or extended. */
  void (*loaded)(Table *t);
  /* The transaction was rolled back. */
  void (*rolled_back)(Table *t);
  /* Whether a vector's cell says that the pages have it; whether any row's does. */
  int (*is_paged)(sqlite3_stmt *stmt, int column);
  int (*has_paged)(Table *t, int *has);
  /* Among the SQL of the fold that has put these rows into pages, ascending and distinct. NULL: the rows stay as they are. */
  int (*folded)(Table *t, const FoldedRow *row, u64 count);
};

struct Snapshot {
  u32 refs;
  Table *table;
  void *view; /* NULL when degraded */
  Overlay *overlay;
  u32 length;
  i64 gen;
  int degraded;
  int undoable; /* its pages go with a ROLLBACK: */
  u32 undone;   /* the store's, then */
};

/* home_inline.c */
int home_inline_open(Store *store, Home **out);

/* store.c */
void store_set_error(Store *store, const char *format, ...) PRINTF_LIKE(2, 3);
/* Words belong to the call that failed: cleared where a change, a search, a command or a commit begins. */
void store_clear_error(Store *store);
u64 conn_random(Conn *conn);
/* Prepare `sql` (a format with the store's quoted schema) once into *stmt. */
int store_prepare(Store *store, sqlite3_stmt **stmt, const char *format, ...);
/* Run statements made from a format; for rare ones. */
int store_exec(Store *store, const char *format, ...);
/* Read the state row and, when gen is new, the root behind it. Never fails because of the page file: see root_status. */
int store_refresh(Store *store);
/* The same, and verify the root anew. */
int store_look_again(Store *store);
int store_install(Store *store, const State *state);     /* what a row said: verify its root */
int store_install_own(Store *store, const State *state); /* what this connection has just folded */
int store_usable(const Store *store);                    /* pages may be read and written */
const char *store_problem(Store *store);                 /* why they may not */
PageRef store_catalog_ref(const Store *store, u64 id);
/* The connection was interrupted (polled by stepping a statement). */
int store_interrupted(void *store);
void store_mark_damaged(Store *store, i64 gen);
/* PRAGMA threads, at least one. */
int store_threads(Store *store);
/* Busy statements of the connection beyond the one that runs now. */
int store_other_statements_busy(Store *store);

/* The transaction has ended, well or not. */
void store_txn_end(Store *store, int committed);
/* Make the pages written so far durable. A sync that failed is not tried again: the kernel may call the pages clean that it lost (R7). */
int store_sync_pages(Store *store);
/* What xSync of any table does: fold if a table is due, and make pages durable. */
int store_sync(Store *store);

/* table.c */
/* Forget the overlay: the next use loads it from the rows. */
void table_drop_overlay(Table *table);
/* The name the registry has for the table now; SQLITE_NOTFOUND if it has none (dropped, or its creation was rolled back). */
int table_confirm_name(Table *table);
/* Bring t->overlay and t->view up to this snapshot (nothing to do when the store is not usable). */
int table_refresh(Table *table);
/* Who gets the content rows that have a vector, in the order of rowids. */
typedef struct ContentReader {
  ContentRow *row;
  void *arg;
  int (*lost)(void *arg,
              i64 rowid); /* a row whose vectors the pages should have and have not; NULL: that is an error */
  u32 paged;              /* of the row that is given: bit i: the pages alone have its vector of column i */
  int bare;               /* there were rows without any */
  int opened;             /* the pages are */
} ContentReader;
int table_load_content(Table *table, ContentReader *reader);
/* Words for vectors that the pages alone have, and that cannot be read; freed by sqlite3_free. */
char *table_lost_words(const Table *table);
/* Have t->view read the pages of this moment's root, also when some of them are known to be damaged: each is verified when it is read. */
int table_open_paged(Table *table);
/* SQLITE_CORRUPT_VTAB with these words, or NOMEM. */
int table_lose(Table *table);
/* An overlay of the table's shape, empty. */
int table_new_overlay(const Table *table, Overlay **out);
Table *store_find_table(Store *store, u64 id);

/* options.c: the registry's text about a table */
/* Of the indexes in a shape; NULL if memory is out. Freed by sqlite3_free. */
char *options_write(sqlite3 *db, const TableShape *shape);
/* Set the indexes in t->shape to those of the text. SQLITE_CORRUPT_VTAB, with words, if it is none of ours. */
int options_apply(Table *t, const char *text);
/* Read the registry again if the state's generation is another than at the last time (every change of options makes a new one). */
int options_refresh(Table *t);

/* The store's setting: pages of work that a commit which folds may do beside its own. */
int options_automerge(Store *store, u32 *pages);

/* horizon.c */
/* SQLite's log: "WAL File Format" at sqlite.org/walformat.html. The page size stands in its header at LOG_PAGE_SIZE, salts at LOG_SALTS. */
#define LOG_HEADER 32
#define LOG_PAGE_SIZE 8
#define LOG_SALTS 16
#define FRAME_HEADER 24

typedef struct Horizon {
  i64 at;     /* pages freed by folds <= at may be written; -1: none */
  int in_wal; /* the next two are set */
  i64 salt, frame;
  int in_rollback; /* journal */
} Horizon;
int horizon_read(Store *store, Horizon *out);
/* H6, before anything is used again; where it cannot be done, the horizon is -1. The pages' file exists. */
void horizon_settle(Store *store, Horizon *horizon);
/* Put state n among the watermarks. In WAL an earlier mark of it stays: it is passed sooner. */
int horizon_put(Store *store, const Horizon *horizon, i64 n);
/* Put the state that a transaction begins with, and has not changed, among the watermarks, unless it is there (H2). */
int horizon_mark(Store *store);

/* space.c */
typedef enum {
  FOLD_THRESHOLD,
  FOLD_BULK,
  FOLD_NOW,
  FOLD_MERGE,
  FOLD_STEP,
  FOLD_COMPACT,
  FOLD_REBUILD,
  FOLD_MOVE
} FoldReason;
/* quire_free as one fold finds it. */
typedef struct Space {
  FreePages free;      /* without lists if it only appends */
  u32 known;           /* pages up to here are the store's, or free by a row */
  int sound;           /* the rows fit together */
  int clipped;         /* some speak of pages behind the file's end */
  int cut;             /* the file was cut */
  i64 bound, bound_at; /* roots since fold bound_at have at most `bound` pages; -1: nothing is known */
} Space;
/* Read the rows, having cut the file where it can be. The lists are page_tx_begin's to take; else space_end frees them. */
int space_load(Store *store, const Horizon *horizon, FoldReason reason, int append_only, Space *out);
/* Write what became of them; `tx` is done, `next` its root. */
int space_save(Store *store, const Horizon *horizon, const Space *space, const PageTx *tx, const State *next, int fresh,
               int unknown);
void space_end(Space *space);
/* As a transaction that folded commits: free what pages take that nobody needs, here or in a home that was left (Z4). */
int space_give_back(Store *store);
/* Set *wanted if the file can be cut, or pages have become reusable since the last 'merge' found nothing to do. */
int space_wants_merge(Store *store, int *wanted);
/*
 * Whether a step (W10) pays: the file can be cut, or so many pages are reusable that the store can end lower. `first`: nothing is known of steps that could not move
 * anything, so that only ranges count which take any extent. *settled: it does not, and will not before the next fold.
 */
int space_wants_step(Store *store, int first, int *wanted, int *settled);
/* Z2: free pages that are left alone. */
u32 space_slack(FoldReason reason, u32 pages);
u64 space_count(const PageRange *range, u64 count);

/* check.c */
/* Whether all pages are sound and each has one owner, the free list among them. */
int store_pages_sound(Store *store, int *sound);

/* fold.c */
/* `table`: the one to compact or rebuild (NULL: all of them); all tables' deltas are folded along. */
int store_fold(Store *store, FoldReason reason, Table *table);
/*
 * Whether a fold that failed can be given up and the commit go on. Not after NOMEM, which SQLite notes on the connection, so that it would report a commit
 * that happened as failed. And not when the error was a nested statement's that made SQLite roll everything back (IOERR does):
 * then there is nothing left to commit.
 */
int store_may_go_on(Store *store, int rc);

#endif
