/*
 * space.c: which pages are free (quire_free), and where the page file ends.
 *
 * A row of quire_free is a range of pages and the fold that freed them. The store's pages are those below the state row's count, which is one more than the
 * last page that the root reaches; the file may be longer. Then free ranges lie behind the store's pages, too, without a gap from the count on, and are
 * used like others: the count rises again. What the file has behind them all is of attempts that did not commit; a fold that extends the file
 * frees that (S7). The row of page 0, which is never free, says
 *
 *     (0, count, at)   the roots since fold `at` have at most `count` pages
 *
 *   Z1  The file is cut where that row says, once the horizon has come to `at`: no snapshot that lives and no commit that power loss can bring back has
 *       more pages, so that every root that can be met fits into the file (S19). Not in a fold that only appends. If the transaction
 *       does not commit, nothing is lost; rows that speak of pages which the file has not are passed over.
 *   Z2  Free pages are left alone up to a share of all pages (slack): a file that is cut and grows again gains nothing.
 *   Z3  The rows are believed only as far as they fit together; else nothing is reused, and nothing cut.
 *   Z4  Where pages are rows of the database, those of free pages are deleted as the transaction commits that freed them, since only statements of this connection
 *       could miss them (S16): while one runs, they stay until a later fold. SQLite keeps them for older snapshots, and for a ROLLBACK.
 *
 * Start at space_load(). Not here: what may be written again (horizon.c), what is moved to lower pages (page_tx_plan_moves).
 */
#include "store_int.h"

#define SLACK 128u      /* a commit leaves one in so many pages alone, */
#define SLACK_MIN 64u   /* but not fewer than so many */
#define MERGE_SLACK 64u /* the same for 'merge' */
#define MERGE_SLACK_MIN 8u
#define STEP_SHARE 20u /* a step is worth its work when one in so many pages is free and reusable, or to be cut */

u32 space_slack(FoldReason reason, u32 pages) {
  if (reason == FOLD_COMPACT) return 1;
  if (reason == FOLD_STEP) return MAX(pages / STEP_SHARE, MERGE_SLACK_MIN);
  if (reason == FOLD_MERGE) return MAX(pages / MERGE_SLACK, MERGE_SLACK_MIN);
  return MAX(pages / SLACK, SLACK_MIN);
}

u64 space_count(const PageRange *range, u64 count) {
  u64 pages = 0, i;
  for (i = 0; i < count; i++) pages += range[i].count;
  return pages;
}

void space_end(Space *space) {
  mem_free(space->free.reusable);
  mem_free(space->free.waiting);
  memset(&space->free, 0, sizeof space->free);
}

/* --- reading --- */

/* Z1's row. */
static int load_bound(Store *s, Space *out) {
  sqlite3_stmt *stmt = NULL;
  int rc = store_prepare(s, &stmt, "SELECT count, at FROM %s.quire_free WHERE first = 0", s->quoted);
  out->bound = out->bound_at = -1;
  if (rc) return rc;
  if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int64(stmt, 0) >= s->state.pages) {
    out->bound = sqlite3_column_int64(stmt, 0);
    out->bound_at = sqlite3_column_int64(stmt, 1);
  }
  return sqlite3_finalize(stmt);
}

/* Whether the file has pages that nobody needs, and *size of it then. */
static int may_cut(Store *s, const Horizon *horizon, const Space *space, u32 slack, u32 *size) {
  *size = 0;
  if (space->bound_at < 0 || (space->bound_at > horizon->at && !DEFECT(cut_without_horizon)) ||
      s->state.root.pgno == 0 || !store_usable(s))
    return 0;
  if (pages_home(s->pages)->methods->size(pages_home(s->pages), size)) return 0;
  return (i64)*size >= space->bound + slack;
}

/* Ranges that touch are joined, but not over the end of the store's pages. */
static int add_range(Store *s, PageRange **range, u64 *count, u64 *cap, u32 first, u32 n) {
  PageRange *last = *count ? &(*range)[*count - 1] : NULL;
  if (last && last->first + last->count == first && first != s->state.pages) {
    last->count += n;
    return SQLITE_OK;
  }
  if (mem_reserve(range, cap, *count + 1, sizeof **range)) return SQLITE_NOMEM;
  (*range)[*count].first = first;
  (*range)[(*count)++].count = n;
  return SQLITE_OK;
}

/* The ranges, as far as the file goes. */
static int load_ranges(Store *s, const Horizon *horizon, u32 size, Space *out) {
  sqlite3_stmt *stmt = NULL;
  u64 reusable_cap = 0, waiting_cap = 0;
  i64 end = 1, limit = MAX(size, s->state.pages);
  int rc =
      store_prepare(s, &stmt, "SELECT first, count, at FROM %s.quire_free WHERE first <> 0 ORDER BY first", s->quoted);
  out->known = MAX(s->state.pages, 1);
  out->sound = 1;
  while (rc == SQLITE_OK && out->sound && sqlite3_step(stmt) == SQLITE_ROW) {
    i64 first = sqlite3_column_int64(stmt, 0), n = sqlite3_column_int64(stmt, 1);
    int behind = first >= s->state.pages;
    out->sound = first >= end && n > 0 && n <= 0xffffffffLL - first;
    out->sound &= behind ? first == (i64)out->known || first >= limit : n <= s->state.pages - first;
    if (!out->sound) break;
    end = first + n;
    out->clipped |= end > limit;
    n = MIN(n, limit - first);
    if (n <= 0) continue;
    if (behind) out->known = (u32)(first + n);
    if (sqlite3_column_int64(stmt, 2) <= horizon->at)
      rc = add_range(s, &out->free.reusable, &out->free.reusable_count, &reusable_cap, (u32)first, (u32)n);
    else
      rc = add_range(s, &out->free.waiting, &out->free.waiting_count, &waiting_cap, (u32)first, (u32)n);
  }
  if (rc == SQLITE_OK)
    rc = sqlite3_finalize(stmt);
  else
    sqlite3_finalize(stmt);
  if (!out->sound) {
    CORRUPT(0);
    space_end(out);
    out->known = MAX(s->state.pages, 1);
  }
  return rc;
}

int space_load(Store *s, const Horizon *horizon, FoldReason reason, int append_only, Space *out) {
  u32 size = 0;
  int rc;
  memset(out, 0, sizeof *out);
  rc = load_bound(s, out);
  if (rc) return rc;
  if (!append_only && may_cut(s, horizon, out, space_slack(reason, s->state.pages), &size)) {
    u32 left = size;
    rc = pages_truncate(s->pages, (u32)out->bound, &left);
    if (rc == SQLITE_OK && left < size) {
      out->cut = 1;
      s->stats.truncations++;
    }
    /* It may stay as long as it is; not so when SQLite has rolled back what it was to be cut in (W7). */
    if (rc && sqlite3_txn_state(s->db, s->schema) != SQLITE_TXN_WRITE) return rc;
  }
  rc = pages_home(s->pages)->methods->size(pages_home(s->pages), &size);
  if (rc == SQLITE_OK) rc = load_ranges(s, horizon, size, out);
  if (append_only || rc) space_end(out);
  out->free.complete = out->sound && !append_only && rc == SQLITE_OK;
  return rc;
}

/* --- giving back --- */

int space_give_back(Store *s) {
  sqlite3_stmt *stmt = NULL;
  Home *home;
  u32 size = 0;
  int rc, last, i;
  if (store_other_statements_busy(s)) return SQLITE_OK;
  rc = store_refresh(s);
  for (i = 0; s->moved && i < HOME_COUNT && rc == SQLITE_OK; i++) {
    if (s->home[i] == NULL || s->home[i] == s->pages) continue;
    home = pages_home(s->home[i]);
    if (!home->methods->in_database || home->methods->size(home, &size) || size == 0) continue;
    rc = home->methods->leave(home);
  }
  home = pages_home(s->pages);
  if (rc == SQLITE_OK && s->moved) rc = home->methods->discard(home, s->state.pages, 0xffffffffu - s->state.pages);
  if (rc == SQLITE_OK) s->moved = 0;
  if (rc || !home->methods->in_database) return rc;
  rc = store_prepare(s, &stmt, "SELECT first, count FROM %s.quire_free WHERE first > 0", s->quoted);
  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    i64 first = sqlite3_column_int64(stmt, 0), count = sqlite3_column_int64(stmt, 1);
    if (count > 0 && first + count <= 0xffffffffLL && first <= 0xffffffffLL)
      rc = home->methods->discard(home, (u32)first, (u32)count);
  }
  last = sqlite3_finalize(stmt);
  return rc ? rc : last;
}

/* With a rollback journal it comes to the last fold by another one: that alone is worth it, if there is something to do after it. */
static int horizon_after_another(Store *s, Horizon *horizon) {
  int rc = horizon_read(s, horizon);
  if (rc == SQLITE_OK && horizon->in_rollback && horizon->at == s->state.n - 1) horizon->at++;
  return rc;
}

int space_wants_merge(Store *s, int *wanted) {
  Horizon horizon;
  Space space;
  u32 size = 0, slack = space_slack(FOLD_MERGE, s->state.pages);
  int rc = horizon_after_another(s, &horizon);
  memset(&space, 0, sizeof space);
  if (rc == SQLITE_OK) rc = load_bound(s, &space);
  if (rc == SQLITE_OK) *wanted |= may_cut(s, &horizon, &space, slack, &size);
  if (rc == SQLITE_OK) rc = load_ranges(s, &horizon, s->state.pages, &space);
  *wanted |= space_count(space.free.reusable, space.free.reusable_count) >= s->merged_reusable + slack;
  space_end(&space);
  return rc;
}

int space_wants_step(Store *s, int first, int *wanted, int *settled) {
  Horizon horizon;
  Space space;
  u32 size = 0, automerge = 0, slack = space_slack(FOLD_STEP, s->state.pages);
  u64 enough = slack, reusable, waiting, i, room = 0;
  int rc = options_automerge(s, &automerge);
  *wanted = 0;
  *settled = 1;
  if (rc || automerge == 0 || pages_home(s->pages)->methods->in_database) return rc;
  if (s->step_reusable) enough = MAX(enough, s->step_reusable + MIN(slack, EXTENT_MAX_PAGES));
  memset(&space, 0, sizeof space);
  rc = horizon_after_another(s, &horizon);
  if (rc == SQLITE_OK) rc = load_bound(s, &space);
  if (rc) return rc;
  *wanted = may_cut(s, &horizon, &space, slack, &size);
  *settled = space.bound_at <= horizon.at; /* else it is to be asked for again */
  rc = load_ranges(s, &horizon, s->state.pages, &space);
  reusable = space_count(space.free.reusable, space.free.reusable_count);
  waiting = space_count(space.free.waiting, space.free.waiting_count);
  for (i = 0; i < space.free.reusable_count; i++) {
    const PageRange *r = &space.free.reusable[i];
    if (!first || r->count >= EXTENT_MAX_PAGES) room += r->count;
  }
  *wanted |= room >= enough;
  *settled &= !*wanted && reusable + waiting < enough;
  space_end(&space);
  return rc;
}

/* --- writing --- */

static int insert_ranges(Store *s, const PageRange *range, u64 count, i64 at) {
  sqlite3_stmt *stmt = NULL;
  u64 i;
  int rc = SQLITE_OK;
  if (count == 0) return SQLITE_OK;
  rc = store_prepare(s, &stmt, "INSERT OR REPLACE INTO %s.quire_free(first, count, at) VALUES(?1, ?2, ?3)", s->quoted);
  if (rc) return rc;
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    sqlite3_bind_int64(stmt, 1, range[i].first);
    sqlite3_bind_int64(stmt, 2, range[i].count);
    sqlite3_bind_int64(stmt, 3, at);
    sqlite3_step(stmt);
    rc = sqlite3_reset(stmt);
  }
  sqlite3_finalize(stmt);
  return rc;
}

/* What the next root means for Z1's row. */
static int save_bound(Store *s, const Horizon *horizon, const Space *space, const PageTx *tx, const State *next,
                      int unknown) {
  PageRange row = {0, next->pages};
  i64 at = space->bound_at;
  if (unknown && at >= s->state.n) at = next->n;
  if (tx->end <= next->pages)
    return space->bound_at < 0 ? SQLITE_OK : store_exec(s, "DELETE FROM %s.quire_free WHERE first = 0", s->quoted);
  if (at < 0) {
    at = next->n;
  } else if ((i64)next->pages <
             space->bound) { /* a lower one is worth waiting for anew, or the old one has done its work */
    if (at > horizon->at && space->bound - next->pages < space_slack(FOLD_THRESHOLD, next->pages)) return SQLITE_OK;
    at = next->n;
  }
  return insert_ranges(s, &row, 1, at);
}

int space_save(Store *s, const Horizon *horizon, const Space *space, const PageTx *tx, const State *next, int fresh,
               int unknown) {
  int rc = SQLITE_OK;
  if (fresh) rc = store_exec(s, "DELETE FROM %s.quire_free; DELETE FROM %s.quire_wm", s->quoted, s->quoted);
  if (rc == SQLITE_OK && unknown) {
    rc = store_exec(s, "UPDATE %s.quire_free SET at = %lld WHERE at >= %lld", s->quoted, (long long)next->n,
                    (long long)s->state.n);
  }
  /* rows of pages that the file has lost, or that cannot be believed while it is extended over them */
  if (rc == SQLITE_OK && (space->clipped || (!space->sound && tx->extended && !fresh))) {
    i64 end = space->sound ? tx->size : space->known;
    rc = store_exec(s,
                    "DELETE FROM %s.quire_free WHERE first >= %lld; "
                    "UPDATE %s.quire_free SET count = %lld - first WHERE first > 0 AND first + count > %lld",
                    s->quoted, (long long)end, s->quoted, (long long)end, (long long)end);
  }
  if (rc == SQLITE_OK && tx->used_free) {
    rc = store_exec(s, "DELETE FROM %s.quire_free WHERE at <= %lld AND first <> 0", s->quoted, (long long)horizon->at);
    if (rc == SQLITE_OK) rc = insert_ranges(s, tx->free, tx->free_count, horizon->at);
  }
  if (rc == SQLITE_OK) rc = insert_ranges(s, tx->freed, tx->freed_count, next->n);
  return rc ? rc : save_bound(s, horizon, space, tx, next, unknown);
}
