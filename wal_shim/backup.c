/*
 * backup.c: database and page file copied as one.
 *
 *   B1  All is copied from one snapshot: a statement that reads the state row stays open meanwhile, so that SQLite keeps its snapshot, and SQLite's backup,
 *       which reads through the same connection, sees that and never starts again. As long as it lives, no page of its root is written, and the file is
 *       not cut (the horizon, S19). With a log others go on writing; with a rollback journal they wait for the end as they do for any reader.
 *   B2  The page file comes first and is durable before the database begins. The database is one transaction of SQLite's: until it has committed,
 *       the destination is an empty database, whatever happens. What the copied state row says is compared with what was copied.
 *   B3  Nothing that is there is overwritten: the destination and the files that go by its name must not exist, or be empty. If the backup fails, what
 *       it has made is removed again.
 *   B4  Pages of a memory home become a page file; those of an inline one are part of the database; those of an unusable one are not copied, and the copy
 *       answers from its content. Where that has not all vectors (P1), there is no copy.
 *
 * Start at store_backup().
 */
#include <stdarg.h>

#include "catalog.h"
#include "store_int.h"

#define STEP_PAGES 64u    /* of the page file, at once */
#define STEP_DB_PAGES 256 /* of the database */

static const char *const suffix[] = {"", "-journal", "-wal", "-quire"}; /* of the destination's files */
enum { SUFFIX_COUNT = 4, PAGE_FILE = 3 };

typedef struct Backup {
  sqlite3 *db, *to;
  Store *store; /* NULL: the schema has none */
  const char *schema, *path;
  sqlite3_vfs *vfs; /* of the destination */
  sqlite3_stmt *snapshot;
  Home *home; /* of the destination's page file; NULL: none was begun */
  u32 pages;  /* of it */
  u8 *buffer;
  u8 there[SUFFIX_COUNT]; /* an empty file was there before */
  int opened;
  i64 done, total;
  BackupProgress *progress;
  void *arg;
  char **error;
} Backup;

PRINTF_LIKE(3, 4) static int fail(Backup *b, int rc, const char *format, ...) {
  va_list args;
  if (*b->error) return rc;
  va_start(args, format);
  *b->error = sqlite3_vmprintf(format, args);
  va_end(args);
  return *b->error ? rc : SQLITE_NOMEM;
}

/* --- the destination --- */

/* The name of one of the destination's files, as its VFS knows it; NULL if memory is out. Freed by free_name. */
static const char *make_name(Backup *b, int i) {
  const char *name = NULL;
  int size = b->vfs->mxPathname + 1, rc = SQLITE_OK;
  char *full = mem_zeroed(&rc, 1, (u64)size + 1), *path = NULL;
  if (rc == SQLITE_OK && b->vfs->xFullPathname(b->vfs, b->path, size, full) == SQLITE_OK)
    path = sqlite3_mprintf("%s%s", full, suffix[i]);
  if (path) name = sqlite3_create_filename(path, "", "", 0, NULL);
  mem_free(full);
  sqlite3_free(path);
  return name;
}

static void free_name(const char *name) {
  if (name) sqlite3_free_filename((char *)(uintptr_t)name);
}

/* Size of a file that exists, or -1 where that cannot be known. */
static i64 size_of_file(Backup *b, const char *name) {
  sqlite3_int64 size = -1;
  int rc = SQLITE_OK, flags;
  sqlite3_file *file = mem_zeroed(&rc, 1, (u64)b->vfs->szOsFile);
  if (rc) return -1;
  rc = b->vfs->xOpen(b->vfs, name, file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, &flags);
  if (rc == SQLITE_OK && file->pMethods->xFileSize(file, &size)) size = -1;
  if (file->pMethods) file->pMethods->xClose(file);
  mem_free(file);
  return size;
}

/* B3 */
static int check_destination(Backup *b) {
  int i, rc = SQLITE_OK;
  if (b->path[0] == 0 || b->path[0] == ':' || sqlite3_strnicmp(b->path, "file:", 5) == 0)
    return fail(b, SQLITE_ERROR, "quire_backup: the destination must be the path of a file, found '%s'", b->path);
  for (i = 0; i < SUFFIX_COUNT && rc == SQLITE_OK; i++) {
    const char *name = make_name(b, i);
    int some = 0, writable = 0; /* of an empty file SQLite says that there is none */
    if (name == NULL) return SQLITE_NOMEM;
    rc = b->vfs->xAccess(b->vfs, name, SQLITE_ACCESS_EXISTS, &some);
    if (rc == SQLITE_OK) rc = b->vfs->xAccess(b->vfs, name, SQLITE_ACCESS_READWRITE, &writable);
    b->there[i] = some || writable;
    if (rc == SQLITE_OK && some && size_of_file(b, name) != 0)
      rc = fail(b, SQLITE_CANTOPEN,
                "quire_backup: the file %s%s is there already, and not empty: a backup overwrites nothing; choose "
                "another name or delete it",
                b->path, suffix[i]);
    free_name(name);
  }
  return rc;
}

static int open_destination(Backup *b) {
  int rc;
  rc = sqlite3_open_v2(b->path, &b->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, b->vfs->zName);
  b->opened = rc == SQLITE_OK;
  if (rc) return fail(b, rc, "quire_backup: cannot open %s: %s", b->path, b->to ? sqlite3_errmsg(b->to) : "no memory");
  return sqlite3_exec(b->to, "PRAGMA synchronous = EXTRA", NULL, NULL, NULL);
}

/* Close what is open. A backup that failed leaves nothing that was not there. */
static int close_destination(Backup *b, int failed) {
  int i, rc = sqlite3_close(b->to);
  if (b->home && failed && b->there[PAGE_FILE]) b->home->methods->truncate(b->home, 0);
  if (b->home) b->home->methods->close(b->home);
  for (i = SUFFIX_COUNT - 1; i >= 0 && failed && b->opened;
       i--) { /* the page file first: without the database it means nothing */
    const char *name = b->there[i] ? NULL : make_name(b, i);
    if (name) b->vfs->xDelete(b->vfs, name, 0);
    free_name(name);
  }
  return rc;
}

/* --- the source --- */

static int is_store(Backup *b, int *found) {
  sqlite3_stmt *stmt = NULL;
  char *sql =
      sqlite3_mprintf("SELECT 1 FROM \"%w\".sqlite_schema WHERE name = 'quire_state' AND type = 'table'", b->schema);
  int rc = sql ? sqlite3_prepare_v2(b->db, sql, -1, &stmt, NULL) : SQLITE_NOMEM;
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  *found = rc == SQLITE_ROW;
  rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return rc ? fail(b, rc, "quire_backup: schema %s: %s", b->schema, sqlite3_errmsg(b->db)) : rc;
}

/* B1: a statement that has a row holds the snapshot. */
static int take_snapshot(Backup *b) {
  char *sql;
  int rc;
  if (sqlite3_txn_state(b->db, b->schema) == SQLITE_TXN_WRITE)
    return fail(b, SQLITE_ERROR,
                "quire_backup: this connection has a write transaction open: COMMIT or ROLLBACK first");
  sql = sqlite3_mprintf("SELECT 1 FROM \"%w\".sqlite_schema UNION ALL SELECT 2", b->schema);
  rc = sql ? sqlite3_prepare_v2(b->db, sql, -1, &b->snapshot, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK && sqlite3_step(b->snapshot) != SQLITE_ROW) rc = sqlite3_errcode(b->db);
  return rc ? fail(b, rc, "quire_backup: schema %s: %s", b->schema, sqlite3_errmsg(b->db)) : rc;
}

/* Once for each step: who watches, and interrupts. */
static int step_done(Backup *b) {
  sqlite3_stmt *alive = NULL;
  int rc = b->progress ? b->progress(b->arg, b->done, b->total) : SQLITE_OK;
  if (rc) return rc;
  rc = sqlite3_prepare_v2(b->db, "SELECT 1", -1, &alive, NULL);
  if (rc == SQLITE_OK && sqlite3_step(alive) != SQLITE_ROW) rc = sqlite3_errcode(b->db);
  sqlite3_finalize(alive);
  return rc;
}

/* --- copying --- */

static int begin_page_file(Backup *b) {
  HomeFileSpec spec;
  int rc = SQLITE_OK;
  memset(&spec, 0, sizeof spec);
  spec.vfs = b->vfs;
  spec.database = sqlite3_db_filename(b->to, "main");
  b->buffer = mem_aligned(&rc, STEP_PAGES * PAGE_SIZE);
  if (rc == SQLITE_OK) rc = home_file_open(&spec, &b->home);
  if (rc == SQLITE_OK) rc = b->home->methods->prepare(b->home, 1);
  return rc;
}

/* B2 */
static int copy_pages(Backup *b) {
  Home *from = pages_home(b->store->pages);
  u32 at = 0;
  int rc = begin_page_file(b);
  while (at < b->pages && rc == SQLITE_OK) {
    u32 n = MIN(STEP_PAGES, b->pages - at);
    rc = from->methods->read(from, at, n, b->buffer);
    if (rc == SQLITE_OK) rc = b->home->methods->write(b->home, at, n, b->buffer);
    at += n;
    b->done += n;
    if (rc == SQLITE_OK) rc = step_done(b);
  }
  if (rc == SQLITE_OK) rc = b->home->methods->sync(b->home);
  if (rc && rc != SQLITE_INTERRUPT && rc != SQLITE_NOMEM)
    rc = fail(b, rc, "quire_backup: copying the pages to %s-quire failed: %s", b->path, sqlite3_errstr(rc));
  return rc;
}

static int copy_database(Backup *b) {
  sqlite3_backup *copy = sqlite3_backup_init(b->to, "main", b->db, b->schema);
  i64 before = b->done;
  int rc = copy ? SQLITE_OK : sqlite3_errcode(b->to), last;
  while (rc == SQLITE_OK) {
    rc = sqlite3_backup_step(copy, STEP_DB_PAGES);
    b->total = (i64)b->pages + sqlite3_backup_pagecount(copy);
    b->done = before + sqlite3_backup_pagecount(copy) - sqlite3_backup_remaining(copy);
    if (rc == SQLITE_OK || rc == SQLITE_DONE) {
      last = step_done(b);
      if (last) rc = last;
    }
  }
  last = sqlite3_backup_finish(copy);
  if (rc == SQLITE_DONE) rc = last;
  if (rc && rc != SQLITE_INTERRUPT && rc != SQLITE_NOMEM)
    rc = fail(b, rc, "quire_backup: copying the database to %s failed: %s", b->path, sqlite3_errstr(rc));
  return rc;
}

/* The copied state row names the copied pages: a progress function, or who shares the cache, may have written. Its home is the file now (B4). */
static int check_copy(Backup *b) {
  const State *want = &b->store->state;
  sqlite3_stmt *stmt = NULL;
  State have;
  int rc = sqlite3_prepare_v2(
      b->to, "SELECT format, uuid, n, gen, root, crc, pages, owner FROM quire_state WHERE id = 1", -1, &stmt, NULL);
  if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    state_from_row(stmt, 0, &have);
    if (have.gen != want->gen)
      rc = fail(b, SQLITE_BUSY,
                "quire_backup: the database was changed through its own connection or cache meanwhile: try again");
  } else if (rc == SQLITE_OK) {
    rc = sqlite3_errcode(b->to);
  }
  sqlite3_finalize(stmt);
  if (rc == SQLITE_OK && want->owner && b->pages)
    rc = sqlite3_exec(b->to, "UPDATE quire_state SET owner = 0", NULL, NULL, NULL);
  return rc;
}

/* B4 */
static int can_do_without_pages(Table *table, void *arg) {
  int paged = 0, rc = table->shape.mode->has_paged(table, &paged);
  if (rc == SQLITE_OK && paged) rc = table_lose(table);
  return rc ? fail(arg, rc, "quire_backup: %s", store_error(table->store)) : rc;
}

static int copy_all(Backup *b) {
  int has_store = 0, rc = take_snapshot(b);
  if (rc == SQLITE_OK) rc = is_store(b, &has_store);
  if (rc == SQLITE_OK && has_store) rc = store_refresh(b->store);
  if (rc) return rc;
  if (has_store && store_usable(b->store) && b->store->state.root.pgno &&
      !pages_home(b->store->pages)->methods->in_database)
    b->pages = b->store->state.pages;
  if (has_store && !store_usable(b->store)) rc = store_each_table(b->store, can_do_without_pages, b);
  if (rc) return rc;
  b->total = b->pages;
  rc = open_destination(b);
  if (rc == SQLITE_OK && b->pages) rc = copy_pages(b);
  if (rc == SQLITE_OK) rc = copy_database(b);
  if (rc == SQLITE_OK && has_store) rc = check_copy(b);
  return rc;
}

int store_backup(Conn *conn, const char *schema, const char *path, BackupProgress *progress, void *arg,
                 sqlite3_int64 *pages, char **error) {
  Backup b;
  int rc, last;
  memset(&b, 0, sizeof b);
  b.db = conn->db;
  b.schema = schema;
  b.path = path;
  b.progress = progress;
  b.arg = arg;
  b.error = error;
  *pages = 0;
  rc = store_open(conn, schema, 0, &b.store, error);
  if (rc) return rc;
  if (!b.store->memory) sqlite3_file_control(b.db, schema, SQLITE_FCNTL_VFS_POINTER, &b.vfs);
  if (b.vfs == NULL) b.vfs = sqlite3_vfs_find(NULL);
  rc = check_destination(&b);
  if (rc == SQLITE_OK) {
    rc = copy_all(&b);
    last = close_destination(&b, rc != SQLITE_OK);
    if (rc == SQLITE_OK) rc = last;
  }
  sqlite3_finalize(b.snapshot);
  mem_aligned_free(b.buffer);
  store_release(b.store);
  if (rc == SQLITE_OK) *pages = b.pages;
  return rc;
}
