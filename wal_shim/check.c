/*
 * check.c: integrity-check of a store, and its report.
 *
 * Checked: every checksum; that no page has two owners (root and catalog, tables, dropped tables, free list) and, when all tables are checked, that
 * each has one; the inside of each table (TableMethods.check); and that pages and delta together have exactly the vectors of the content rows.
 */
#include <string.h>

#include "catalog.h"
#include "store_int.h"

typedef struct Owners {
  u8 *taken; /* a bit per page */
  u32 pages;
  u32 twice;       /* the first such page, or 0 */
  i64 outside;     /* the same of those that the store has not, or -1 */
  int odd_free;    /* a row of the free list is none of ours: */
  i64 first, free; /* its page and count */
} Owners;

static int take_pages(void *arg, u32 pgno, u32 count) {
  Owners *o = arg;
  u32 i;
  for (i = pgno; i < pgno + count; i++) {
    if (i == 0 || i >= o->pages) {
      if (o->outside < 0) o->outside = i;
      return SQLITE_OK;
    }
    if (o->taken[i / 8] >> i % 8 & 1 && o->twice == 0) o->twice = i;
    o->taken[i / 8] = (u8)(o->taken[i / 8] | 1u << i % 8);
  }
  return SQLITE_OK;
}

/* Rows behind the store's pages are space.c's affair. */
static int take_free_list(Store *s, Owners *o) {
  sqlite3_stmt *stmt = NULL;
  int rc = store_prepare(s, &stmt, "SELECT first, count FROM %s.quire_free WHERE first <> 0 AND first < %lld",
                         s->quoted, (long long)s->state.pages);
  if (rc) return rc;
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    i64 first = sqlite3_column_int64(stmt, 0), count = sqlite3_column_int64(stmt, 1);
    if (first > 0 && count > 0 && count <= s->state.pages - first) {
      take_pages(o, (u32)first, (u32)count);
    } else {
      o->odd_free = 1;
      o->first = first;
      o->free = count;
    }
  }
  return sqlite3_finalize(stmt);
}

/* The first page that nothing has taken; page 0 is the file's own. */
static u32 first_left(const Owners *o) {
  u32 i = 1;
  while (i < o->pages && o->taken[i / 8] >> i % 8 & 1) i++;
  return i;
}

/* --- content --- */

typedef struct Compare {
  Table *table;
  ContentReader reader;
  u64 rows;
  char *problem;
} Compare;

static void say(Compare *c, i64 rowid, const char *what) {
  if (c->problem == NULL) {
    c->problem = sqlite3_mprintf("table %s, row %lld: %s", c->table->name, (long long)rowid, what);
  }
}

static int compare_fields(Compare *c, i64 rowid, u32 row, u32 slot, const u64 *fields) {
  Table *t = c->table;
  u64 have[MAX_FIELD_WORDS];
  int rc = SQLITE_OK;
  if (t->shape.field_words == 0) return SQLITE_OK;
  if (row != NO_ROW)
    memcpy(have, overlay_fields(t->overlay, row), t->shape.field_words * sizeof *have);
  else
    rc = table_methods.fields(t->view, t->overlay, t->overlay->length, slot, have);
  if (rc == SQLITE_OK && memcmp(have, fields, t->shape.field_words * sizeof *have))
    say(c, rowid, "its partition or metadata values differ from the content row's");
  return rc;
}

/* Whether row `row` of the overlay has this vector in column i; NULL: none. */
static int in_overlay(const Table *t, u32 row, u32 i, const void *vector) {
  int present = overlay_row(t->overlay, row)->present >> i & 1;
  u64 size = t->shape.vector[i].size;
  const u8 *have;
  if (!present || vector == NULL) return !present && vector == NULL;
  have = overlay_vector(t->overlay, row, i);
  if (size == 0) size = table_methods.bytes(vector) == table_methods.bytes(have) ? table_methods.bytes(have) : 0;
  return size && memcmp(have, vector, (size_t)size) == 0;
}

static int compare_row(void *arg, i64 rowid, const void *const *vectors, const u64 *fields) {
  Compare *c = arg;
  Table *t = c->table;
  u32 row = overlay_find(t->overlay, t->overlay->length, rowid), slot = NO_SLOT, i;
  int rc = SQLITE_OK;
  c->rows++;
  if (row == NO_ROW) {
    rc = table_methods.slot(t->view, rowid, &slot);
    if (rc) return rc;
    if (slot == NO_SLOT || overlay_killed(t->overlay, t->overlay->length, slot)) {
      say(c, rowid, "its vectors are in the content but not in the pages or the delta");
      return SQLITE_OK;
    }
  } else if (c->reader.paged) {
    say(c, rowid, "its content row says that the pages alone have its vectors, which are in the delta");
  }
  for (i = 0; i < t->shape.vector_count && rc == SQLITE_OK; i++) {
    int same = 0;
    if (row != NO_ROW)
      same = in_overlay(t, row, i, vectors[i]);
    else
      rc = table_methods.same(t->view, slot, i, vectors[i], &same);
    if (rc == SQLITE_OK && !same) say(c, rowid, "its vector differs from the content row's");
  }
  return rc ? rc : compare_fields(c, rowid, row, slot, fields);
}

static int lost_row(void *arg, i64 rowid) {
  say(arg, rowid, "its content row says that the pages have its vectors, and they have not");
  return SQLITE_OK;
}

/* Rows that pages and overlay have, at the overlay's length. */
static u64 visible_rows(Table *t) {
  TableCounts counts;
  u64 live, rows = 0;
  u32 i;
  table_methods.counts(t->view, &counts);
  live = counts.live;
  if (t->overlay->all_dead_at != 0xffffffff)
    live = 0;
  else
    live -= MIN(live, t->overlay->kills.count);
  for (i = 0; i < t->overlay->rows; i++) rows += (u64)overlay_visible(overlay_row(t->overlay, i), t->overlay->length);
  return live + rows;
}

static int compare_content(Table *t, char **problem) {
  Compare c;
  int rc = SQLITE_OK;
  memset(&c, 0, sizeof c);
  c.table = t;
  c.reader.row = compare_row;
  c.reader.lost = lost_row;
  c.reader.arg = &c;
  rc = table_load_content(t, &c.reader);
  if (rc == SQLITE_OK && c.problem == NULL && c.rows != visible_rows(t)) {
    c.problem = sqlite3_mprintf("table %s: %lld rows have vectors in pages and delta, %lld in the content", t->name,
                                (long long)visible_rows(t), (long long)c.rows);
    if (c.problem == NULL) rc = SQLITE_NOMEM;
  }
  if (rc == SQLITE_OK && c.problem == NULL && c.reader.bare && table_methods.complete(t->view) &&
      t->overlay->bare_at == 0xffffffff) {
    c.problem =
        sqlite3_mprintf("table %s: there are rows without a vector, of which pages and delta do not know", t->name);
    if (c.problem == NULL) rc = SQLITE_NOMEM;
  }
  *problem = c.problem;
  return rc;
}

/* --- one table, and all --- */

typedef struct Check {
  Owners owners;
  int pages_only; /* content and delta are not looked at */
  int all_tables;
  char *problem;
} Check;

/* What is said of a table whose pages cannot be used; freed by sqlite3_free. */
static int say_unusable(Table *t, const char *problem, char **words) {
  int paged = 0, rc = t->shape.mode->has_paged(t, &paged);
  if (rc) return rc;
  *words = paged ? table_lost_words(t)
                 : sqlite3_mprintf("%s: answers come from the content rows until the command 'rebuild'", problem);
  return *words ? SQLITE_OK : SQLITE_NOMEM;
}

static int check_table(Table *t, void *arg) {
  Check *c = arg;
  int rc;
  if (c->problem) return SQLITE_OK;
  t->current = 0;
  rc = table_refresh(t);
  if (rc == SQLITE_OK && !store_usable(t->store)) return say_unusable(t, store_problem(t->store), &c->problem);
  if (rc == SQLITE_OK) rc = table_methods.check(t->view, take_pages, &c->owners, &c->problem);
  if (rc == SQLITE_OK && c->problem == NULL && !c->pages_only) rc = compare_content(t, &c->problem);
  if (rc == SQLITE_CORRUPT_VTAB) {
    char *damage = sqlite3_mprintf("table %s: a damaged page", t->name);
    store_mark_damaged(t->store, t->store->state.gen);
    mem_free(c->problem); /* one that was found before */
    c->problem = NULL;
    rc = damage ? say_unusable(t, damage, &c->problem) : SQLITE_NOMEM;
    sqlite3_free(damage);
  }
  return rc;
}

/* Tables of the catalog that are dropped keep their pages until the next fold. */
static int check_dropped(Store *s, Check *c) {
  sqlite3_stmt *stmt = NULL;
  u64 i;
  int rc = store_prepare(s, &stmt, "SELECT 1 FROM %s.quire_tables WHERE id = ?1 AND name IS NOT NULL", s->quoted), last;
  for (i = 0; i < s->catalog_count && rc == SQLITE_OK; i++) {
    int lives;
    sqlite3_bind_int64(stmt, 1, (i64)s->catalog[i].id);
    lives = sqlite3_step(stmt) == SQLITE_ROW;
    rc = sqlite3_reset(stmt);
    if (rc == SQLITE_OK && !lives)
      rc = table_methods.pages_at(s->pages, s->catalog[i].id, s->catalog[i].ref, take_pages, &c->owners);
  }
  last = sqlite3_finalize(stmt);
  if (rc == SQLITE_CORRUPT_VTAB) {
    store_mark_damaged(s, s->state.gen);
    c->problem = sqlite3_mprintf(
        "a damaged page of a dropped table; answers come from the content rows until the command 'rebuild'");
    rc = c->problem ? SQLITE_OK : SQLITE_NOMEM;
  }
  return rc ? rc : last;
}

static int judge_owners(Check *c) {
  const Owners *o = &c->owners;
  if (c->problem) return SQLITE_OK;
  if (o->twice) {
    c->problem = sqlite3_mprintf("page %u has two owners", o->twice);
  } else if (o->outside >= 0) {
    c->problem = sqlite3_mprintf("page %lld is none of the store's, which has %u", (long long)o->outside, o->pages);
  } else if (o->odd_free) {
    c->problem =
        sqlite3_mprintf("a row of quire_free says that %lld pages from %lld on are free, and the store has %u: "
                        "the command 'rebuild' makes the list anew",
                        (long long)o->free, (long long)o->first, o->pages);
  } else if (c->all_tables && first_left(o) < o->pages) {
    c->problem =
        sqlite3_mprintf("page %u of %u belongs to no table and is not free: the command 'rebuild' makes all pages anew",
                        first_left(o), o->pages);
  } else {
    return SQLITE_OK;
  }
  return c->problem ? SQLITE_OK : SQLITE_NOMEM;
}

static int check(Store *s, Table *only, int pages_only, char **problem) {
  Check c;
  int rc;
  memset(&c, 0, sizeof c);
  c.pages_only = pages_only;
  c.all_tables = only == NULL;
  *problem = NULL;
  store_clear_error(s);
  rc = store_look_again(s);
  if (rc) return rc;
  c.owners.outside = -1;
  c.owners.pages = store_usable(s) ? s->state.pages : 0; /* a count compared with the file's size */
  c.owners.taken = mem_zeroed(&rc, (u64)c.owners.pages / 8 + 1, 1);
  if (rc == SQLITE_OK && store_usable(s) && s->state.root.pgno)
    rc = catalog_walk(s->pages, &s->state, take_pages, &c.owners);
  if (rc == SQLITE_OK && store_usable(s)) rc = take_free_list(s, &c.owners);
  if (rc == SQLITE_OK && store_usable(s)) rc = check_dropped(s, &c);
  if (rc == SQLITE_OK) rc = only ? check_table(only, &c) : store_each_table(s, check_table, &c);
  if (rc == SQLITE_OK) rc = judge_owners(&c);
  mem_free(c.owners.taken);
  *problem = c.problem;
  return rc;
}

int table_integrity(Table *table, char **problem) { return check(table->store, table, 0, problem); }
int store_integrity(Store *store, char **problem) { return check(store, NULL, 0, problem); }

int store_pages_sound(Store *store, int *sound) {
  char *problem = NULL;
  int rc = check(store, NULL, 1, &problem);
  if (rc == SQLITE_CORRUPT_VTAB) {
    store_mark_damaged(store, store->state.gen);
    rc = SQLITE_OK;
  }
  *sound = problem == NULL;
  mem_free(problem);
  return rc;
}

/* --- report --- */

typedef int (*Emit)(void *arg, const char *name, const char *table, sqlite3_int64 value, const char *text);

typedef struct Report {
  Emit emit;
  void *arg;
} Report;

static int report_table(Table *t, void *arg) {
  Report *r = arg;
  TableCounts counts;
  int rc;
  t->current = 0;
  rc = table_refresh(t);
  if (rc) return rc;
  if (!store_usable(t->store)) return SQLITE_OK;
  table_methods.counts(t->view, &counts);
  if (r->emit(r->arg, "slots", t->name, (i64)counts.slots, NULL)) return SQLITE_OK;
  if (r->emit(r->arg, "live_slots", t->name, (i64)counts.live, NULL)) return SQLITE_OK;
  if (r->emit(r->arg, "graph_nodes", t->name, (i64)counts.graph_nodes, NULL)) return SQLITE_OK;
  if (counts.list_rows && r->emit(r->arg, "list_rows", t->name, (i64)counts.list_rows, NULL)) return SQLITE_OK;
  if (counts.list_rows && r->emit(r->arg, "lists", t->name, (i64)counts.lists, NULL)) return SQLITE_OK;
  if (counts.segments && r->emit(r->arg, "segments", t->name, (i64)counts.segments, NULL)) return SQLITE_OK;
  if (counts.narrow_bytes && r->emit(r->arg, "narrow_bytes", t->name, (i64)counts.narrow_bytes, NULL)) return SQLITE_OK;
  r->emit(r->arg, "delta_rows", t->name, overlay_pending(t->overlay), NULL);
  return SQLITE_OK;
}

static int count_free(Store *s, i64 *pages) {
  sqlite3_stmt *stmt = NULL;
  int rc = store_prepare(s, &stmt, "SELECT coalesce(sum(count), 0) FROM %s.quire_free WHERE first > 0 AND first < %lld",
                         s->quoted, (long long)s->state.pages);
  if (rc) return rc;
  if (sqlite3_step(stmt) == SQLITE_ROW) *pages = sqlite3_column_int64(stmt, 0);
  return sqlite3_finalize(stmt);
}

static void add_stats(PagesStats *sum, Pages *pages) {
  const PagesStats *p;
  if (pages == NULL) return;
  p = pages_stats(pages);
  sum->verified += p->verified;
  sum->read += p->read;
  sum->written += p->written;
  sum->reused += p->reused;
  sum->extended += p->extended;
}

int store_report(Store *s, Emit emit, void *arg) {
  PagesStats p = {0, 0, 0, 0, 0};
  Report report = {emit, arg};
  i64 free_pages = 0;
  u32 automerge = 0, i;
  int rc = store_refresh(s);
  if (rc == SQLITE_OK) rc = count_free(s, &free_pages);
  if (rc == SQLITE_OK) rc = options_automerge(s, &automerge);
  if (rc) return rc;
  for (i = 0; i < HOME_COUNT; i++) add_stats(&p, s->home[i]);
  if (emit(arg, "home", NULL, 0, pages_home(s->pages)->methods->name)) return SQLITE_OK;
  if (emit(arg, "status", NULL, 0, store_usable(s) ? "ok" : store_problem(s))) return SQLITE_OK;
  {
    const struct {
      const char *name;
      i64 value;
    } line[] = {{"format", s->state.format},
                {"fold_number", s->state.n},
                {"pages", s->state.pages},
                {"free_pages", free_pages},
                {"folds", (i64)s->stats.folds},
                {"bulk_folds", (i64)s->stats.bulk_folds},
                {"append_only_folds", (i64)s->stats.append_only_folds},
                {"folds_given_up", (i64)s->stats.folds_given_up},
                {"graph_folds", (i64)s->stats.work.graphs},
                {"graph_linked", (i64)s->stats.work.linked},
                {"graph_repairs", (i64)s->stats.work.repairs},
                {"list_folds", (i64)s->stats.work.ivfs},
                {"lists_trained", (i64)s->stats.work.trained},
                {"list_rows_added", (i64)s->stats.work.added},
                {"list_splits", (i64)s->stats.work.splits},
                {"segments_written", (i64)s->stats.work.segments},
                {"segments_merged", (i64)s->stats.work.segments_merged},
                {"slots_reused", (i64)s->stats.work.reused},
                {"pages_written", (i64)p.written},
                {"pages_reused", (i64)p.reused},
                {"pages_extended", (i64)p.extended},
                {"pages_verified", (i64)p.verified},
                {"pages_read", (i64)p.read},
                {"overlay_loads", (i64)s->stats.overlay_loads},
                {"overlay_extends", (i64)s->stats.overlay_extends},
                {"pages_moved", (i64)s->stats.pages_moved},
                {"truncations", (i64)s->stats.truncations},
                {"steps", (i64)s->stats.steps},
                {"automerge", automerge},
                {"times_degraded", (i64)s->stats.degraded},
                {"content_rows_skipped", (i64)s->stats.content_rows_skipped},
                {"content_rows_paged", (i64)s->stats.content_rows_paged},
                {"paged_vectors_read", (i64)s->stats.paged_vectors_read}};
    for (i = 0; i < sizeof line / sizeof line[0]; i++) {
      if (emit(arg, line[i].name, NULL, line[i].value, NULL)) return SQLITE_OK;
    }
  }
  return store_each_table(s, report_table, &report);
}
