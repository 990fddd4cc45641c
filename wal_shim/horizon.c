/*
 * horizon.c: which freed pages may be written again.
 *
 * A page freed by fold m may still be read by a connection whose SQLite snapshot is older than m, in any process, and may be needed
 * again if power fails before SQLite's commit of m is durable. SQLite has to know both before it overwrites its own
 * database, so we ask SQLite and keep no reader list.
 *
 *   H1  A page freed by fold m is written only if m <= horizon.
 *   H2  WAL: the horizon is n if the wal-index says nBackfill >= mxFrame, else the largest n of quire_wm whose salt is not the current one (the
 *       log was restarted, so all of it was backfilled) or whose frame is backfilled (S5). Layout: "WAL-Index File Format" at
 *       sqlite.org/walformat.html. A fold puts the state that it begins with into quire_wm, and so does the first commit after it that does not fold: else the last fold
 *       would be known to be backfilled only while the whole log is, and what it freed not be used by the next.
 *   H3  Rollback journals: n - 1, because the unlink of a journal may not be durable; and not above the last fold that is in quire_wm. A fold puts
 *       itself there, with frame -1, if no other statement of its connection runs: SQLite's exclusive lock at its commit shows that nobody else does, so
 *       no cursor is older. Who keeps a cursor over commits of his own is met by another only when that one commits, after it has written its pages.
 *       What a log has left there is as good: the journal was changed when nobody read.
 *   H4  What we cannot read or do not know (exclusive mode with WAL, another wal-index version, headers that
 *       differ) gives -1: the file only grows.
 *   H5  The memory home has no other readers, and with an inline one SQLite keeps what they read: n.
 *   H6  A commit whose sync failed may lie in the log behind its end: a recovery takes it for one that succeeded, and it may have written any free page. While
 *       there is such a one, -1 (R7). It could also come back in place of what was written over it, or with a log that was deleted or cut: so before a fold uses or cuts
 *       anything the log is synced, and the directory if it may be another log than the last time (horizon_settle).
 *
 * Called with the write lock held and the state row read. Not here: the list of freed pages and statements of this connection
 * that still read (fold.c).
 */
#include <stdlib.h>

#include "bytes.h"
#include "cpu.h"
#include "store_int.h"

#define WAL_INDEX_VERSION 3007000u
#define WAL_INDEX_REGION 32768
#define FRAMES_READ 4096 /* a transaction of this connection that does not fit into the cache has frames there, too */

/* One word of a PRAGMA of this schema; *value is empty if there is no row. */
static int read_pragma(Store *store, const char *pragma, char *value, size_t size) {
  sqlite3_stmt *stmt = NULL;
  int rc = store_prepare(store, &stmt, "PRAGMA %s.%s", store->quoted, pragma);
  value[0] = 0;
  if (rc) return rc;
  if (sqlite3_step(stmt) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(stmt, 0);
    sqlite3_snprintf((int)size, value, "%s", text ? text : "");
  }
  return sqlite3_finalize(stmt);
}

/* The largest n of the watermarks that belong to another log, or to this one up to a frame. */
static int read_watermarks(Store *store, i64 salt, i64 backfilled, i64 *at) {
  sqlite3_stmt *stmt = NULL;
  int rc = store_prepare(store, &stmt, "SELECT coalesce(max(n), -1) FROM %s.quire_wm WHERE salt <> ?1 OR frame <= ?2",
                         store->quoted);
  if (rc) return rc;
  sqlite3_bind_int64(stmt, 1, salt);
  sqlite3_bind_int64(stmt, 2, backfilled);
  if (sqlite3_step(stmt) == SQLITE_ROW) *at = MIN(sqlite3_column_int64(stmt, 0), store->state.n);
  return sqlite3_finalize(stmt);
}

/* H6: the log's file, as SQLite has it open. */
static sqlite3_file *log_file(Store *store) {
  sqlite3_file *log = NULL;
  int rc = sqlite3_file_control(store->db, store->schema, SQLITE_FCNTL_JOURNAL_POINTER, &log);
  return rc || log == NULL || log->pMethods == NULL ? NULL : log;
}

/*
 * Whether frames that end a transaction lie behind the log's end, as the header of the file goes on. What cannot be read counts as such.
 */
static int hides_commit(Store *store, const u32 *index) {
  sqlite3_file *log = log_file(store);
  u8 head[LOG_HEADER], frame[FRAME_HEADER];
  u32 page, i;
  i64 at = LOG_HEADER;
  int rc;
  if (log == NULL) return 1;
  rc = log->pMethods->xRead(log, head, sizeof head, 0);
  if (rc) return rc != SQLITE_IOERR_SHORT_READ;
  page = load32_big(head + LOG_PAGE_SIZE);
  if (page < 512 || page > 65536) return 0; /* none that a recovery reads */
  if (memcmp(head + LOG_SALTS, index + 8, 8) == 0) at += (i64)index[4] * (page + FRAME_HEADER);
  for (i = 0; i < FRAMES_READ; i++, at += page + FRAME_HEADER) {
    rc = log->pMethods->xRead(log, frame, sizeof frame, at);
    if (rc) return rc != SQLITE_IOERR_SHORT_READ;
    if (memcmp(frame + 8, head + LOG_SALTS, 8) != 0) return 0;
    if (load32_big(frame + 4) != 0) return 1;
  }
  return 1;
}

static int read_wal_index(Store *store, Horizon *out) {
  sqlite3_file *file = store->file;
  volatile void *map = NULL;
  u32 h[28];
  int i, rc;
  if (file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 2 || file->pMethods->xShmMap == NULL) {
    return SQLITE_OK;
  }
  rc = file->pMethods->xShmMap(file, 0, WAL_INDEX_REGION, 0, &map);
  if (rc || map == NULL) return SQLITE_OK;
  /* Others may be checkpointing. An older nBackfill only makes the horizon lower: it grows until a writer starts the log anew. */
  for (i = 0; i < 28; i++) h[i] = RELAXED_LOAD((volatile u32 *)map + i);
  if (h[0] != WAL_INDEX_VERSION || memcmp(h, h + 12, 48) != 0) return SQLITE_OK;
  /* u32 words of the header: 4 mxFrame, 8 and 9 the salts; 24 nBackfill */
  out->in_wal = 1;
  out->salt = (i64)((u64)h[8] << 32 | h[9]);
  out->frame = h[4];
  if (hides_commit(store, h) && !DEFECT(hidden_commit_missed)) return SQLITE_OK;
  if (h[24] >= h[4]) {
    out->at = store->state.n;
    return SQLITE_OK;
  }
  return read_watermarks(store, out->salt, h[24], &out->at);
}

/* H3 */
static int read_rollback(Store *store, Horizon *out) {
  int rc = read_watermarks(store, 0, INT64_MAX, &out->at);
  if (!DEFECT(reuse_before_durable)) out->at = MIN(out->at, store->state.n - 1);
  out->in_rollback = 1;
  out->frame = -1;
  return rc;
}

int horizon_read(Store *store, Horizon *out) {
  char mode[16];
  int rc;
  memset(out, 0, sizeof *out);
  out->at = -1;
  if (pages_home(store->pages)->methods->apart || DEFECT(reuse_without_horizon)) {
    out->at = store->state.n;
    return SQLITE_OK;
  }
  rc = read_pragma(store, "journal_mode", mode, sizeof mode);
  if (rc) return rc;
  if (strcmp(mode, "wal") != 0) return read_rollback(store, out);
  rc = read_pragma(store, "locking_mode", mode, sizeof mode);
  if (rc || strcmp(mode, "normal") != 0) return rc;
  return read_wal_index(store, out);
}

void horizon_settle(Store *store, Horizon *horizon) {
  sqlite3_file *log;
  int rc;
  if (!horizon->in_wal || horizon->at < 0) return;
  log = log_file(store);
  rc = log ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : SQLITE_IOERR_FSYNC;
  if (rc == SQLITE_OK && horizon->salt != store->settled_log) {
    rc = pages_prepare(store->pages, 1);
    if (rc == SQLITE_OK) store->settled_log = horizon->salt;
  }
  if (rc) horizon->at = -1;
}

int horizon_put(Store *store, const Horizon *horizon, i64 n) {
  return store_exec(store, "INSERT OR %s INTO %s.quire_wm VALUES(%lld, %lld, %lld)",
                    horizon->in_wal ? "IGNORE" : "REPLACE", store->quoted, (long long)n, (long long)horizon->salt,
                    (long long)horizon->frame);
}

int horizon_mark(Store *store) {
  Horizon horizon;
  int rc = horizon_read(store, &horizon);
  return rc || !horizon.in_wal ? rc : horizon_put(store, &horizon, store->state.n);
}
