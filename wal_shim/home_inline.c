/*
 * home_inline.c: pages as BLOB rows of the database itself, in the shadow table quire_pages(first, data).
 *
 * `data` has the pages from `first` on, one after the other: an extent in rows of ROW_PAGES, or a page of a structure. SQLite reads a row as a whole, so that
 * long ones are slow where one page of them is wanted, and short ones are a step each where all are. The row of -1 is no page: its integer says how many pages exist, of which those that are free have no rows. It is kept apart from them, since the last pages of a
 * root may be free.
 *
 *   I1  All is SQL on this connection. So a page read is that of the SQLite snapshot which the state row was read from, in this process and in others; what
 *       rolls back or is lost takes its pages along, and there is nothing to sync.
 *   I2  What this does not give is an older version to a cursor of the same connection. While other statements of it run, no row is replaced and none
 *       deleted (S16; fold.c only appends then), and each statement here is reset before its function returns, so that it is not taken for one.
 *   I3  The rows are anybody's to have changed: a page that no row has, or one of an odd size, is CORRUPT, and what is read is compared with checksums as
 *       everywhere (P1). The last row that begins at or before a page is the one that counts.
 *   I4  Nothing is remembered here: a ROLLBACK TO has nothing to tell us.
 *
 * The table is made by the first fold, or when the home is chosen.
 */
#include "schema_sql.h"
#include "store_int.h"

#define MAX_PAGES 0xfffffff0u
#define ROW_PAGES 4u

typedef struct HomeInline {
  Home base;
  Store *store;
} HomeInline;

/* The statement, prepared once; SQLITE_CANTOPEN if there is no such table, or none with these columns. */
static int prepare(HomeInline *h, StoreStmt which, const char *format, sqlite3_stmt **out) {
  Store *s = h->store;
  int rc = store_prepare(s, &s->stmt[which], format, s->quoted);
  *out = s->stmt[which];
  return rc == SQLITE_ERROR ? SQLITE_CANTOPEN : rc;
}

/* Run one that gives no rows. */
static int run(sqlite3_stmt *stmt) {
  int rc;
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  return rc;
}

/* What a step that gave no row means; the table may have been dropped since the statement was prepared. */
static int no_row(int rc) {
  if (rc == SQLITE_DONE) return CORRUPT(0);
  return rc == SQLITE_ERROR ? SQLITE_CANTOPEN : rc;
}

static int inline_follow(Home *home, int *changed) {
  (void)home;
  *changed = 0;
  return SQLITE_OK;
}

static int inline_size(Home *home, u32 *pages) {
  sqlite3_stmt *stmt;
  int rc = prepare((HomeInline *)home, STMT_PAGES_COUNT, "SELECT data FROM %s.quire_pages WHERE first = -1", &stmt);
  *pages = 0;
  if (rc) return rc;
  rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) {
    i64 count = sqlite3_column_int64(stmt, 0);
    rc = SQLITE_OK;
    if (sqlite3_column_type(stmt, 0) != SQLITE_INTEGER || count < 0 || count > MAX_PAGES)
      rc = CORRUPT(0);
    else
      *pages = (u32)count;
  } else {
    rc = no_row(rc);
  }
  sqlite3_reset(stmt);
  return rc;
}

static int inline_map(Home *home, u32 pgno, u32 count, const u8 **out) {
  (void)home;
  (void)pgno;
  (void)count;
  *out = NULL;
  return SQLITE_OK;
}

/* Copy as many of the pages as the row in `stmt` has; *taken of them. */
static int take_pages(sqlite3_stmt *stmt, u32 pgno, u32 count, u8 *buffer, u32 *taken) {
  i64 first = sqlite3_column_int64(stmt, 0), offset = pgno - first, has;
  const u8 *data = NULL;
  if (sqlite3_column_type(stmt, 1) != SQLITE_BLOB || first < 0) return CORRUPT(pgno);
  data = sqlite3_column_blob(stmt, 1);
  has = sqlite3_column_bytes(stmt, 1);
  if (has == 0 || has % PAGE_SIZE || offset >= has / PAGE_SIZE) return CORRUPT(pgno);
  if (data == NULL) return SQLITE_NOMEM;
  *taken = (u32)MIN(has / PAGE_SIZE - offset, (i64)count);
  memcpy(buffer, data + offset * PAGE_SIZE, (size_t)*taken * PAGE_SIZE);
  return SQLITE_OK;
}

static int inline_read(Home *home, u32 pgno, u32 count, u8 *buffer) {
  sqlite3_stmt *stmt;
  int rc = prepare((HomeInline *)home, STMT_PAGES_READ,
                   "SELECT first, data FROM %s.quire_pages WHERE first <= ?1 ORDER BY first DESC LIMIT 1", &stmt);
  while (count && rc == SQLITE_OK) {
    u32 taken = 0;
    sqlite3_bind_int64(stmt, 1, pgno);
    rc = sqlite3_step(stmt);
    rc = rc == SQLITE_ROW ? take_pages(stmt, pgno, count, buffer, &taken) : no_row(rc);
    sqlite3_reset(stmt);
    buffer += (size_t)taken * PAGE_SIZE;
    pgno += taken;
    count -= taken;
  }
  return rc;
}

static int delete_rows(HomeInline *h, i64 from, i64 end) {
  sqlite3_stmt *stmt;
  int rc = prepare(h, STMT_PAGES_DELETE, "DELETE FROM %s.quire_pages WHERE first >= ?1 AND first < ?2", &stmt);
  if (rc) return rc;
  sqlite3_bind_int64(stmt, 1, from);
  sqlite3_bind_int64(stmt, 2, end);
  return run(stmt);
}

static int set_count(HomeInline *h, i64 pages) {
  sqlite3_stmt *stmt;
  int rc = prepare(h, STMT_PAGES_CUT, "UPDATE %s.quire_pages SET data = ?1 WHERE first = -1", &stmt);
  if (rc) return rc;
  sqlite3_bind_int64(stmt, 1, pages);
  return run(stmt);
}

static int inline_write(Home *home, u32 pgno, u32 count, const u8 *data) {
  HomeInline *h = (HomeInline *)home;
  sqlite3_stmt *stmt;
  u32 at, n;
  int rc = SQLITE_OK;
  /* Rows of pages that were free already may begin among these, if they could not be deleted then (I2, I3). */
  if (count > 1) rc = delete_rows(h, (i64)pgno + 1, (i64)pgno + count);
  if (rc == SQLITE_OK)
    rc = prepare(h, STMT_PAGES_WRITE, "INSERT OR REPLACE INTO %s.quire_pages(first, data) VALUES(?1, ?2)", &stmt);
  for (at = 0; at < count && rc == SQLITE_OK; at += n) {
    n = MIN(count - at, ROW_PAGES);
    sqlite3_bind_int64(stmt, 1, (i64)pgno + at);
    sqlite3_bind_blob64(stmt, 2, data + (size_t)at * PAGE_SIZE, (u64)n * PAGE_SIZE, SQLITE_STATIC);
    rc = run(stmt);
  }
  if (rc == SQLITE_OK)
    rc = prepare(h, STMT_PAGES_GROW, "UPDATE %s.quire_pages SET data = ?1 WHERE first = -1 AND data < ?1", &stmt);
  if (rc) return rc;
  sqlite3_bind_int64(stmt, 1, (i64)pgno + count);
  return run(stmt);
}

static int inline_truncate(Home *home, u32 pages) {
  HomeInline *h = (HomeInline *)home;
  int rc = delete_rows(h, pages, INT64_MAX);
  return rc ? rc : set_count(h, pages);
}

static int inline_discard(Home *home, u32 pgno, u32 count) {
  return delete_rows((HomeInline *)home, pgno, (i64)pgno + count);
}

/* No pages at all: whoever comes back begins with page 0. */
static int inline_leave(Home *home) { return inline_truncate(home, 0); }

static int inline_sync(Home *home) {
  (void)home;
  return SQLITE_OK;
}

/* The count is made anew where it cannot be read: behind all rows, none of which has more than an extent (I3). */
static int inline_prepare(Home *home, int first) {
  HomeInline *h = (HomeInline *)home;
  Store *s = h->store;
  u32 pages = 0;
  int rc;
  if (!first) return SQLITE_OK;
  rc = store_exec(s, PAGES_SQL, s->quoted);
  if (rc == SQLITE_OK) rc = inline_size(home, &pages);
  if (rc != SQLITE_CORRUPT_VTAB) return rc;
  return store_exec(s,
                    "INSERT OR REPLACE INTO %s.quire_pages(first, data) SELECT -1, ifnull(max(first) + %u, 0) "
                    "FROM %s.quire_pages WHERE first BETWEEN 0 AND %lld",
                    s->quoted, EXTENT_MAX_PAGES, s->quoted, (long long)MAX_PAGES - EXTENT_MAX_PAGES);
}

static void inline_close(Home *home) { mem_free(home); }

static const HomeMethods inline_methods = {
    .name = "inline",
    .place = "table quire_pages",
    .in_database = 1,
    .apart = 1,
    .follow = inline_follow,
    .size = inline_size,
    .map = inline_map,
    .read = inline_read,
    .write = inline_write,
    .truncate = inline_truncate,
    .discard = inline_discard,
    .leave = inline_leave,
    .sync = inline_sync,
    .prepare = inline_prepare,
    .close = inline_close,
};

int home_inline_open(Store *store, Home **out) {
  int rc = SQLITE_OK;
  HomeInline *h = mem_zeroed(&rc, 1, sizeof *h);
  if (rc) return rc;
  h->base.methods = &inline_methods;
  h->base.owner = OWNER_INLINE;
  h->store = store;
  *out = &h->base;
  return SQLITE_OK;
}
