/*
 * fold.c: moving deltas into new pages, inside a SQLite transaction.
 *
 *   W1  Pages first, then fsync, then a second look at the state row, only then SQL; SQLite's commit of the state row is the commit point
 *       (S12). Until the SQL nothing that matters has changed, so a fold that fails before it is given up and the rows stay.
 *   W2  n = base + 1 for every fold of one transaction (R3). If the transaction's beginning was not seen, n may already be of this
 *       transaction: then n jumps by two, everything freed at or after the old n counts as freed now, and nothing is reused; so again after ROLLBACK TO
 *       before that fold.
 *   W3  The first fold of a transaction may write pages that the horizon allows, later ones only append: a root that was ever put into the
 *       state row can come back by ROLLBACK TO (S2).
 *   W4  While other statements of the connection run, only append: their cursors may hold any root (S6, S16).
 *   W5  A bulk fold (in the middle of a transaction, where an xUpdate begins) leaves the fsync to xSync or xDestroy, which come before the commit (S3).
 *   W6  'rebuild' of a store whose page file is missing or damaged, or whose free list is, starts a new tree under a new uuid at the end
 *       of the same file, for all tables, and believes nothing that the old one or its rows say; the file is never truncated or replaced (S8).
 *   W7  A nested statement that fails with IOERR has rolled back the whole transaction, even a SELECT: then the error is returned, whatever
 *       the reason of the fold. Only what the page file refuses is given up.
 *
 *   W8  A move to another home is a new tree there (W6) and a state row that names it. The old home is left as it is until the commit (Z4), so that
 *       ROLLBACK, of a savepoint too, brings it back; what of the transaction lies in it unsynced is synced before.
 *
 *   W9  Vectors that the pages alone have (P1) are read by 'rebuild' and by a move from the old pages, which are opened before anything is written: where there is no root
 *       that could be believed, nothing is. A memory home would not keep them: no move to there (P4).
 *
 *   W10 A step is a fold of a commit after which nothing is due: it moves pages and cuts the file, and leaves every delta as it is, so that it costs what it moves.
 *
 * Start at store_fold(). Not here: what a table's pages hold (vector/slots.c), free pages and the file's end (space.c).
 */
#include <stdlib.h>

#include "catalog.h"
#include "store_int.h"

#define DEAD_SHARE 4u         /* of dead slots, for FoldHow */
#define MERGE_DEAD_SHARE 64u  /* the same for 'merge' */
#define INDEX_STEP_ROWS 4096u /* beside its own rows a commit puts this many into indexes */

/* A table whose delta is now in pages, and the rows that it had itself; these are noted if they will be marked (ContentMode.folded). */
typedef struct FoldedTable {
  Table *table;
  FoldedRow *row;
  u64 count, cap;
} FoldedTable;

typedef struct Fold {
  Store *store;
  FoldReason reason;
  Table *target; /* to compact or rebuild; NULL: all */
  int fresh;     /* nothing old is to be read: a new tree (W6) */
  Pages *to;     /* the home it is for, if that is another one (W8) */
  int kept;      /* the pages outlive the connection (P4) */
  int append_only;
  int busy;     /* W4 */
  int unknown;  /* W2 */
  u32 budget;   /* pages of work beside its own */
  u64 reusable; /* pages that there were */
  int closing;  /* see page_tx_plan_closing */
  State next;
  Horizon horizon;
  PageTx tx;
  Space space;
  CatalogEntry *entry;
  u64 entry_count, entry_cap;
  IndexWork work;
  FoldedTable *folded;
  u64 folded_count, folded_cap;
} Fold;

/* --- pages --- */

static int add_entry(Fold *f, u64 id, PageRef ref) {
  if (ref.pgno == 0) return SQLITE_OK; /* an empty table */
  if (mem_reserve(&f->entry, &f->entry_cap, f->entry_count + 1, sizeof *f->entry)) return SQLITE_NOMEM;
  f->entry[f->entry_count].id = id;
  f->entry[f->entry_count].ref = ref;
  f->entry_count++;
  return SQLITE_OK;
}

/*
 * A commit that folds because it is due puts as many rows into indexes as it has added itself, and some more, so that what lags behind catches up in steps
 * and no commit waits for the work of others; all of a delta that has waited (is_due), since rows that are to be put into the places of others go in at once
 * (L4). Commands do all there is. The table has been refreshed.
 */
static FoldHow how_of(Fold *f, const Table *t, int compact) {
  FoldHow how = {compact, DEAD_SHARE, UINT64_MAX, (u32)store_threads(f->store), &f->work};
  if (f->reason == FOLD_BULK) how.index_rows = 0;
  if (f->reason == FOLD_THRESHOLD) {
    u32 waited = MIN(overlay_pending(t->overlay), DEFAULT_FOLD_MAX * FOLD_WAIT);
    how.index_rows = MAX(t->added + INDEX_STEP_ROWS, waited);
  }
  if (f->reason == FOLD_MERGE) {
    how.index_rows = MAX(f->budget, 1);
    how.dead_share = MERGE_DEAD_SHARE;
  }
  return how;
}

static int note_row(FoldedTable *to, i64 rowid, u32 columns) {
  if (to->table->shape.mode->folded == NULL || columns == 0) return SQLITE_OK;
  if (mem_reserve(&to->row, &to->cap, to->count + 1, sizeof *to->row)) return SQLITE_NOMEM;
  to->row[to->count].rowid = rowid;
  to->row[to->count++].columns = columns;
  return SQLITE_OK;
}

static int compare_rows(const void *a, const void *b) {
  i64 x = ((const FoldedRow *)a)->rowid, y = ((const FoldedRow *)b)->rowid;
  return (x > y) - (x < y);
}

/* The rows of the overlay that is folded. */
static int note_rows(FoldedTable *to) {
  const Overlay *o = to->table->overlay;
  u32 i;
  int rc = SQLITE_OK;
  if (to->table->shape.mode->folded == NULL) return SQLITE_OK;
  for (i = 0; i < o->rows && rc == SQLITE_OK; i++) {
    const OverlayRow *row = overlay_row(o, i);
    if (overlay_visible(row, o->length)) rc = note_row(to, row->rowid, row->present);
  }
  if (to->count) qsort(to->row, (size_t)to->count, sizeof *to->row, compare_rows);
  return rc;
}

typedef struct Rebuild {
  Fold *fold;
  Table *table;
  FoldedTable *folded;
  ContentReader reader;
  void *view;
  Overlay *overlay;
  PageRef ref;
} Rebuild;

/* Put what was gathered into pages, and go on from there. */
static int rebuild_flush(Rebuild *r) {
  Fold *f = r->fold;
  const FoldHow rows_only = {0, DEAD_SHARE, 0, 1, &f->work};
  int rc = table_methods.fold(r->view, r->overlay, &rows_only, &f->tx, &r->ref);
  if (rc) return rc;
  table_methods.release(r->view);
  r->view = NULL;
  overlay_release(r->overlay);
  r->overlay = NULL;
  rc = pages_set_count(f->store->pages, f->tx.end);
  if (rc) return rc;
  rc = table_methods.open(f->store->pages, r->table->id, &r->table->shape, r->ref, &r->view);
  if (rc) return rc;
  return table_new_overlay(r->table, &r->overlay);
}

static int rebuild_row(void *arg, i64 rowid, const void *const *vectors, const u64 *fields) {
  Rebuild *r = arg;
  u32 own = 0, i;
  int rc = overlay_add(r->overlay, rowid, vectors, fields);
  for (i = 0; i < r->table->shape.vector_count; i++) own |= (u32)(vectors[i] != NULL) << i;
  if (rc == SQLITE_OK) rc = note_row(r->folded, rowid, own & ~r->reader.paged);
  if (rc == SQLITE_OK && overlay_weight(r->overlay) >= r->fold->store->bulk_bytes) {
    if (page_tx_interrupted(&r->fold->tx)) return SQLITE_INTERRUPT;
    rc = rebuild_flush(r);
  }
  return rc;
}

/* The table made anew from its content rows. */
static int rebuild_table(Fold *f, Table *t, FoldedTable *folded, PageRef *out) {
  FoldHow how = how_of(f, t, 0);
  PageRef none = {0, 0}, old = store_catalog_ref(f->store, t->id);
  Rebuild r;
  int rc;
  memset(&r, 0, sizeof r);
  r.fold = f;
  r.table = t;
  r.folded = folded;
  r.reader.row = rebuild_row;
  r.reader.arg = &r;
  r.reader.opened = f->fresh;   /* W9 */
  if (t->new_options == NULL) { /* since they were read another connection or ROLLBACK TO may have changed them */
    rc = options_refresh(t);
    if (rc) return rc;
  }
  if (!f->fresh && old.pgno) {
    rc = table_methods.pages_at(f->store->pages, t->id, old, page_tx_free_range, &f->tx);
    if (rc && rc != SQLITE_CORRUPT_VTAB) return rc; /* damaged: what could not be read stays unused */
  }
  rc = table_methods.open(f->store->pages, t->id, &t->shape, none, &r.view);
  if (rc == SQLITE_OK) rc = table_new_overlay(t, &r.overlay);
  if (rc == SQLITE_OK) rc = table_load_content(t, &r.reader);
  if (rc == SQLITE_OK && r.reader.bare) rc = overlay_note_bare(r.overlay);
  if (rc == SQLITE_OK) rc = table_methods.fold(r.view, r.overlay, &how, &f->tx, &r.ref);
  table_methods.release(r.view);
  overlay_release(r.overlay);
  *out = r.ref;
  return rc;
}

/* The same rows, their pages where the transaction wants them; the delta stays. */
static int move_table(Fold *f, Table *t) {
  const FoldHow nothing_else = {0, DEAD_SHARE, 0, 1, &f->work};
  PageRef ref = store_catalog_ref(f->store, t->id);
  Overlay *none = NULL;
  int rc;
  t->current = 0;
  rc = table_refresh(t);
  if (rc == SQLITE_OK && !store_usable(f->store)) rc = SQLITE_CORRUPT_VTAB;
  if (rc || ref.pgno == 0 || f->tx.move_from == 0) return rc ? rc : add_entry(f, t->id, ref);
  rc = table_new_overlay(t, &none);
  if (rc == SQLITE_OK) rc = table_methods.fold(t->view, none, &nothing_else, &f->tx, &ref);
  overlay_release(none);
  return rc ? rc : add_entry(f, t->id, ref);
}

static int fold_table(Fold *f, Table *t) {
  Store *s = f->store;
  int chosen = f->target == NULL || f->target == t, rc;
  int rebuild = f->fresh || (f->reason == FOLD_REBUILD && chosen), compact = f->reason == FOLD_COMPACT && chosen, lags,
      space;
  PageRef ref = store_catalog_ref(s, t->id);
  FoldedTable *folded;
  FoldHow how;
  if (mem_reserve(&f->folded, &f->folded_cap, f->folded_count + 1, sizeof *f->folded)) return SQLITE_NOMEM;
  folded = &f->folded[f->folded_count];
  memset(folded, 0, sizeof *folded);
  folded->table = t;
  if (rebuild) {
    f->folded_count++;
    rc = rebuild_table(f, t, folded, &ref);
  } else {
    t->current = 0;
    rc = table_refresh(t);
    if (rc == SQLITE_OK && !store_usable(s)) rc = SQLITE_CORRUPT_VTAB;
    if (rc) return rc;
    how = how_of(f, t, compact);
    lags = how.index_rows && table_methods.lags(t->view);
    space = ref.pgno && (f->tx.move_from || (f->reason == FOLD_MERGE && chosen));
    if (overlay_pending(t->overlay) == 0 && !compact && !lags && !space) return add_entry(f, t->id, ref);
    f->folded_count++;
    rc = note_rows(folded);
    if (rc) return rc;
    if (t->overlay->length || compact || lags || space)
      rc = table_methods.fold(t->view, t->overlay, &how, &f->tx, &ref);
  }
  return rc ? rc : add_entry(f, t->id, ref);
}

/* Tables of the registry: connected ones are folded, others keep their version, dropped ones give back their pages. */
static int fold_tables(Fold *f) {
  Store *s = f->store;
  sqlite3_stmt *stmt = NULL;
  u64 *ids = NULL, count = 0, cap = 0, i;
  u8 *dropped = NULL;
  u64 dropped_cap = 0;
  int rc = store_prepare(s, &stmt, "SELECT id, name IS NULL FROM %s.quire_tables WHERE id <> %d ORDER BY id", s->quoted,
                         STORE_ID);
  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    if (mem_reserve(&ids, &cap, count + 1, sizeof *ids) || mem_reserve(&dropped, &dropped_cap, count + 1, 1)) {
      rc = SQLITE_NOMEM;
      break;
    }
    ids[count] = (u64)sqlite3_column_int64(stmt, 0);
    dropped[count++] = (u8)sqlite3_column_int(stmt, 1);
  }
  if (rc == SQLITE_OK)
    rc = sqlite3_finalize(stmt);
  else
    sqlite3_finalize(stmt);
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    Table *t = store_find_table(s, ids[i]);
    PageRef ref = f->fresh ? (PageRef){0, 0} : store_catalog_ref(s, ids[i]);
    if (dropped[i]) {
      if (ref.pgno) rc = table_methods.pages_at(s->pages, ids[i], ref, page_tx_free_range, &f->tx);
      if (rc == SQLITE_CORRUPT_VTAB) rc = SQLITE_OK;
    } else if (t == NULL) {
      rc = add_entry(f, ids[i], ref);
    } else {
      rc = table_confirm_name(t);
      if (rc == SQLITE_OK) rc = f->reason == FOLD_STEP ? move_table(f, t) : fold_table(f, t);
    }
  }
  mem_free(ids);
  mem_free(dropped);
  return rc;
}

static int write_pages_of_fold(Fold *f) {
  Store *s = f->store;
  int named, rc = fold_tables(f);
  /* the old root and catalog */
  if (rc == SQLITE_OK && !f->fresh && s->state.root.pgno) {
    rc = catalog_walk(s->pages, &s->state, page_tx_free_range, &f->tx);
  }
  if (rc == SQLITE_OK) rc = catalog_write(&f->tx, &f->next, f->entry, f->entry_count);
  if (rc) return rc;
  named = s->unsynced; /* pages of a bulk fold of this transaction */
  s->unsynced = 1;
  if (f->reason == FOLD_BULK) return SQLITE_OK; /* W5 */
  rc = store_sync_pages(s);
  if (rc && !named) s->unsynced = s->lost = 0; /* only this fold's pages, which no row names */
  return rc;
}

/* --- SQL --- */

static int update_state_row(Fold *f) {
  Store *s = f->store;
  sqlite3_stmt **stmt = &s->stmt[STMT_STATE_UPDATE];
  const State *st = &f->next;
  int rc = store_prepare(s, stmt,
                         "INSERT OR REPLACE INTO %s.quire_state(id, format, uuid, n, gen, root, crc, pages, owner) "
                         "VALUES(1, ?8, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                         s->quoted);
  if (rc) return rc;
  sqlite3_bind_blob(*stmt, 1, st->uuid, UUID_SIZE, SQLITE_STATIC);
  sqlite3_bind_int64(*stmt, 2, st->n);
  sqlite3_bind_int64(*stmt, 3, st->gen);
  sqlite3_bind_int64(*stmt, 4, st->root.pgno);
  sqlite3_bind_int64(*stmt, 5, st->root.crc);
  sqlite3_bind_int64(*stmt, 6, st->pages);
  sqlite3_bind_int64(*stmt, 7, st->owner);
  sqlite3_bind_int64(*stmt, 8, st->format);
  sqlite3_step(*stmt);
  rc = sqlite3_reset(*stmt);
  sqlite3_clear_bindings(*stmt);
  return rc;
}

/* H2, H3 */
static int update_watermarks(Fold *f) {
  Store *s = f->store;
  i64 n = f->horizon.in_rollback ? f->next.n : s->state.n;
  int rc;
  if (f->horizon.in_rollback && f->busy) /* a quieter fold of this transaction may have left one */
    return store_exec(s, "DELETE FROM %s.quire_wm WHERE n >= %lld", s->quoted, (long long)n);
  if (!f->horizon.in_rollback && !f->horizon.in_wal) return SQLITE_OK;
  rc = horizon_put(s, &f->horizon, n);
  if (rc) return rc;
  return store_exec(s, "DELETE FROM %s.quire_wm WHERE n < %lld", s->quoted, (long long)f->horizon.at);
}

static int write_rows_of_fold(Fold *f) {
  Store *s = f->store;
  u64 i;
  int rc = update_state_row(f);
  for (i = 0; i < f->folded_count && rc == SQLITE_OK; i++) {
    const FoldedTable *folded = &f->folded[i];
    const ContentMode *mode = folded->table->shape.mode;
    rc = store_exec(s, "DELETE FROM %s.\"%w_delta\"", s->quoted, folded->table->name);
    if (rc == SQLITE_OK && mode->folded && f->kept) rc = mode->folded(folded->table, folded->row, folded->count);
  }
  if (rc == SQLITE_OK && f->target && f->target->new_options)
    rc = store_exec(s, "UPDATE %s.quire_tables SET options = %Q WHERE id = %lld", s->quoted, f->target->new_options,
                    (long long)f->target->id);
  if (rc == SQLITE_OK) rc = space_save(s, &f->horizon, &f->space, &f->tx, &f->next, f->fresh, f->unknown);
  if (rc == SQLITE_OK) rc = update_watermarks(f);
  if (rc == SQLITE_OK) rc = store_exec(s, "DELETE FROM %s.quire_tables WHERE name IS NULL", s->quoted);
  return rc;
}

/* --- the whole --- */

/*
 * What the fold may do about space, beside its own work: see `automerge` in store.h. A commit leaves as many pages as its fold will write for itself, by
 * the last one: what it moved into these would only be written twice, since the file would grow by as much.
 */
static void plan_space(Fold *f) {
  PageTx *tx = &f->tx;
  u64 reserve = 0;
  f->reusable = space_count(tx->free, tx->free_count);
  if (f->append_only || f->reason == FOLD_BULK || f->reason == FOLD_REBUILD || f->reason == FOLD_MOVE) return;
  tx->spare = f->budget;
  if (f->reason == FOLD_THRESHOLD) reserve = f->store->own_written;
  if (f->reusable < reserve + space_slack(f->reason, tx->base)) return;
  if (f->reason == FOLD_THRESHOLD)
    f->store->closed_at = 0;
  else if (f->store->closed_at == 0 || tx->base < f->store->closed_at)
    f->closing = page_tx_plan_closing(tx);
  if (!f->closing) page_tx_plan_moves(tx, reserve);
}

/* Everything up to the SQL; what fails here has changed nothing. */
static int prepare_fold(Fold *f) {
  Store *s = f->store;
  i64 gen = s->state.gen;
  int rc;

  /* ROLLBACK TO has undone the fold that settled it, and what that made of older rows (W2). */
  if (s->base_known && s->state.n < s->base) {
    s->base_known = 0;
    s->txn_unknown = 1;
  }
  f->unknown = s->txn_unknown;
  f->busy = store_other_statements_busy(s);
  f->append_only = f->fresh || s->folded || s->avoid_reuse || f->unknown || f->busy;
  if (!f->unknown && !s->base_known) {
    s->base = s->state.n;
    s->base_known = 1;
  }
  f->next = s->state;
  f->next.format = PAGE_FORMAT;
  f->next.n = f->unknown ? s->state.n + 2 : (DEFECT(n_plus_one) ? s->state.n : s->base) + 1;
  f->next.gen = (i64)conn_random(s->conn);
  if (f->to) s->pages = f->to; /* until the second look */
  f->next.owner = pages_home(s->pages)->owner;
  f->kept = !home_is_memory(pages_home(s->pages));
  if (f->fresh) sqlite3_randomness(UUID_SIZE, f->next.uuid);

  rc = horizon_read(s, &f->horizon); /* the watermark is worth having even if nothing is reused */
  if (s->folded || f->unknown) {     /* the state row may be one that is not committed */
    f->horizon.at = -1;
    f->horizon.in_wal = 0;
  }
  if (rc == SQLITE_OK) rc = pages_prepare(s->pages, s->state.root.pgno == 0 || f->fresh);
  if (rc == SQLITE_NOTADB) store_set_error(s, "the file %s-quire is not one of Quire's: move it away", s->path);
  if (rc == SQLITE_OK && !f->append_only) horizon_settle(s, &f->horizon);
  if (rc == SQLITE_OK && !f->fresh) rc = space_load(s, &f->horizon, f->reason, f->append_only, &f->space);
  if (rc) return rc;
  f->append_only |= !f->space.free.complete;
  rc = page_tx_begin(&f->tx, s->pages, (u64)f->next.n, f->fresh ? 1 : s->state.pages, f->fresh ? 1 : f->space.known,
                     &f->space.free);
  plan_space(f);
  f->tx.interrupted = store_interrupted;
  f->tx.interrupt_arg = s;
  if (rc == SQLITE_OK) rc = write_pages_of_fold(f);
  if (rc) return rc;
  rc = store_look_again(s); /* W1 */
  if (rc == SQLITE_OK && s->state.gen != gen) rc = SQLITE_ABORT;
  return rc;
}

/* Connect every table, so that commands reach tables this connection has not used. */
static int no_work(Table *table, void *arg) {
  (void)arg;
  table->current = 0;
  return SQLITE_OK;
}

/* W9 */
static int vectors_at_hand(Table *table, void *arg) {
  const Fold *f = arg;
  int paged = 0, rc = table->shape.mode->has_paged(table, &paged);
  if (rc || !paged) return rc;
  if (f->to && home_is_memory(pages_home(f->to))) {
    store_set_error(table->store,
                    "table %s: vectors are in the pages alone (content=''), and those in memory are not kept",
                    table->name);
    return SQLITE_ERROR;
  }
  return table_open_paged(table);
}

int store_may_go_on(Store *s, int rc) {
  return (rc & 0xff) != SQLITE_NOMEM && sqlite3_txn_state(s->db, s->schema) == SQLITE_TXN_WRITE;
}

static void add_work(IndexWork *sum, const IndexWork *work) {
  sum->graphs += work->graphs;
  sum->linked += work->linked;
  sum->repairs += work->repairs;
  sum->ivfs += work->ivfs;
  sum->trained += work->trained;
  sum->added += work->added;
  sum->splits += work->splits;
  sum->segments += work->segments;
  sum->segments_merged += work->segments_merged;
  sum->reused += work->reused;
}

static int fold_once(Store *s, FoldReason reason, Table *target, u32 budget, Pages *to) {
  int optional = reason == FOLD_THRESHOLD || reason == FOLD_BULK || reason == FOLD_STEP, sound = 1, rc;
  u64 written = pages_stats(s->pages)->written;
  Fold f;
  memset(&f, 0, sizeof f);
  f.store = s;
  f.reason = reason;
  f.target = target;
  f.budget = budget;
  f.to = to;
  rc = reason == FOLD_REBUILD ? store_look_again(s) : store_refresh(s);
  if (rc == SQLITE_OK && reason == FOLD_REBUILD) rc = store_pages_sound(s, &sound);
  f.fresh = to || !store_usable(s) || !sound;
  if (rc == SQLITE_OK && f.fresh && reason != FOLD_REBUILD && reason != FOLD_MOVE) {
    if (optional) return SQLITE_OK;
    store_set_error(s, "%s: run the command 'rebuild' first", store_problem(s));
    return SQLITE_CORRUPT_VTAB;
  }
  if (rc == SQLITE_OK && !optional && (target == NULL || f.fresh)) rc = store_each_table(s, no_work, NULL);
  if (rc == SQLITE_OK && f.fresh) rc = store_each_table(s, vectors_at_hand, &f);
  if (rc == SQLITE_OK) rc = prepare_fold(&f);
  if (rc == SQLITE_CORRUPT_VTAB && !f.fresh) store_mark_damaged(s, s->state.gen);
  if (rc) {
    s->stats.folds_given_up++;
    if (optional && store_may_go_on(s, rc)) rc = SQLITE_OK;
    goto done;
  }
  rc = write_rows_of_fold(&f);
  if (rc) {
    store_set_error(s, "%s", sqlite3_errmsg(s->db));
    if ((rc & 0xff) != SQLITE_NOMEM && (rc & 0xff) != SQLITE_FULL && rc != SQLITE_INTERRUPT)
      rc = SQLITE_IOERR; /* S11: half the rows are changed */
    goto done;
  }
  s->folded = 1;
  s->moved |= f.fresh;
  if (f.unknown) {
    s->base = f.next.n - 1;
    s->base_known = 1;
    s->txn_unknown = 0;
  }
  s->stats.folds++;
  s->stats.bulk_folds += reason == FOLD_BULK;
  s->stats.append_only_folds += f.append_only != 0;
  add_work(&s->stats.work, &f.work);
  s->stats.pages_moved += f.tx.moved;
  written = pages_stats(s->pages)->written - written;
  if (reason == FOLD_THRESHOLD) s->own_written = written - MIN(f.tx.moved, written);
  if (f.closing) s->closed_at = f.next.pages;
  s->stats.steps += reason == FOLD_STEP;
  if (reason == FOLD_STEP && (f.space.cut || !f.tx.moved)) s->step_reusable = f.space.cut ? 0 : f.reusable;
  s->merged =
      (reason == FOLD_MERGE || reason == FOLD_COMPACT) && !f.tx.moved && f.next.pages >= f.tx.base && !f.space.cut;
  s->merged_gen = f.next.gen;
  s->merged_reusable = f.reusable;
  rc = store_install_own(s, &f.next);
done:
  if (rc && to) s->state_known = 0; /* s->pages is not the row's */
  page_tx_end(&f.tx);
  mem_free(f.entry);
  while (f.folded_count) mem_free(f.folded[--f.folded_count].row);
  mem_free(f.folded);
  return rc;
}

static int fold_within(Store *s, FoldReason reason, Table *target, u32 budget) {
  int rc = fold_once(s, reason, target, budget, NULL);
  /* 'rebuild' met damage that nobody had noticed, maybe of another table: now all of them are made anew (W6). */
  if (rc == SQLITE_CORRUPT_VTAB && reason == FOLD_REBUILD && !store_usable(s))
    rc = fold_once(s, reason, target, budget, NULL);
  return rc;
}

int store_fold(Store *s, FoldReason reason, Table *target) {
  u32 budget = 0xffffffffu;
  int rc = SQLITE_OK;
  if (reason != FOLD_COMPACT) rc = options_automerge(s, &budget);
  return rc ? rc : fold_within(s, reason, target, budget);
}

int store_set_home(Store *s, const char *name) {
  Pages *to = NULL;
  int any = sqlite3_stricmp(name, "auto") == 0, i, rc;
  store_clear_error(s);
  for (i = 0; i < HOME_COUNT && to == NULL; i++) {
    if (s->home[i] && (any || sqlite3_stricmp(name, pages_home(s->home[i])->methods->name) == 0)) to = s->home[i];
  }
  if (to == NULL) {
    const char *own = pages_home(s->home[HOME_OWN])->methods->name;
    store_set_error(s, "unknown home '%s': pages of this database can be in the home %s%s (home=auto)", name, own,
                    s->home[HOME_INLINE] ? " or inline" : "");
    return SQLITE_ERROR;
  }
  rc = store_refresh(s);
  if (rc == SQLITE_OK && s->pages == to && store_usable(s)) return SQLITE_OK;
  if (rc == SQLITE_OK && s->unsynced) rc = store_sync_pages(s); /* W8 */
  return rc ? rc : fold_once(s, FOLD_MOVE, NULL, 0xffffffffu, to);
}

/* Whether 'merge' has anything to do for this table. */
static int wants_merge(Table *t, void *arg) {
  int *wanted = arg, rc;
  t->current = 0;
  rc = table_refresh(t);
  if (rc == SQLITE_OK && store_usable(t->store))
    *wanted |= overlay_pending(t->overlay) != 0 || table_methods.lags(t->view);
  return rc;
}

static int merge(Store *s, Table *target, u32 pages) {
  int wanted, rc;
  store_clear_error(s);
  rc = store_refresh(s);
  wanted = !store_usable(s) || !s->merged || s->merged_gen != s->state.gen;
  if (rc == SQLITE_OK && !wanted) rc = store_each_table(s, wants_merge, &wanted);
  if (rc == SQLITE_OK && !wanted) rc = space_wants_merge(s, &wanted);
  if (rc || !wanted) return rc;
  return fold_within(s, FOLD_MERGE, target, pages);
}

int store_merge(Store *s, u32 pages) { return merge(s, NULL, pages); }
int table_merge(Table *t, u32 pages) { return merge(t->store, t, pages); }
int store_fold_now(Store *s) { return store_fold(s, FOLD_NOW, NULL); }
int store_optimize(Store *s) { return store_fold(s, FOLD_COMPACT, NULL); }
int store_rebuild(Store *s) { return store_fold(s, FOLD_REBUILD, NULL); }
int table_fold(Table *t) { return store_fold(t->store, FOLD_NOW, NULL); }
int table_rebuild(Table *t) { return store_fold(t->store, FOLD_REBUILD, t); }
int table_optimize(Table *t) { return store_fold(t->store, FOLD_COMPACT, t); }
