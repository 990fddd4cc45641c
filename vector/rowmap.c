/*
 * rowmap.c: from rowid to slot, over sorted runs. See rowmap.h for M1..M3.
 */
#include "rowmap.h"

#include "../wal_shim/bytes.h"

#define KEY_EXTENT_PAGES 16u
#define SLOT_EXTENT_PAGES 8u /* as many entries per extent as keys */

static ArrayId run_array(const Rowmap *map, u32 run, u32 which) {
  ArrayId id = {map->owner, map->first_tag + 2 * run + which};
  return id;
}

int rowmap_open(Rowmap *map, Pages *pages, u64 owner, u32 first_tag, u32 runs, const u8 *refs, const u8 *bounds) {
  u32 i;
  int rc = SQLITE_OK;
  memset(map, 0, sizeof *map);
  map->pages = pages;
  map->owner = owner;
  map->first_tag = first_tag;
  if (runs > ROWMAP_MAX_RUNS) return CORRUPT(0);
  for (i = 0; i < runs && rc == SQLITE_OK; i++) {
    RowmapRun *run = &map->run[i];
    rc = array_open(&run->keys, pages, run_array(map, i, 0), 8, KEY_EXTENT_PAGES, refs + 2 * i * ARRAY_REF_SIZE);
    if (rc == SQLITE_OK) {
      rc = array_open(&run->slots, pages, run_array(map, i, 1), 4, SLOT_EXTENT_PAGES,
                      refs + (2 * i + 1) * ARRAY_REF_SIZE);
    }
    run->min = (i64)load64(bounds + 16 * i);
    run->max = (i64)load64(bounds + 16 * i + 8);
    if (rc == SQLITE_OK && (run->keys.count != run->slots.count || run->keys.count == 0)) rc = CORRUPT(0);
    if (rc == SQLITE_OK) map->run_count++;
  }
  return rc;
}

void rowmap_close(Rowmap *map) {
  u32 i;
  for (i = 0; i < ROWMAP_MAX_RUNS; i++) {
    array_free(&map->run[i].keys);
    array_free(&map->run[i].slots);
  }
}

/* --- search --- */

/* Where in a sorted extent `rowid` is or would be. */
static u32 lower_bound(const u8 *keys, u32 count, i64 rowid) {
  u32 lo = 0, hi = count;
  while (lo < hi) {
    u32 mid = lo + (hi - lo) / 2;
    if ((i64)load64(keys + 8 * (size_t)mid) < rowid)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static int find_in_run(RowmapRun *run, i64 rowid, u32 *slot) {
  const u8 *keys;
  PageHold hold;
  u32 lo = 0, hi, items = 0, at;
  u8 bytes[4];
  int rc = array_load(&run->keys);
  if (rc) return rc;
  hi = run->keys.extent_count;
  while (hi - lo > 1) { /* the last extent whose first key is <= rowid */
    u32 mid = lo + (hi - lo) / 2;
    i64 first;
    rc = array_extent(&run->keys, mid, &keys, &items, &hold);
    if (rc) return rc;
    first = (i64)load64(keys);
    pages_release(run->keys.pages, &hold);
    if (first <= rowid)
      lo = mid;
    else
      hi = mid;
  }
  rc = array_extent(&run->keys, lo, &keys, &items, &hold);
  if (rc) return rc;
  at = lower_bound(keys, items, rowid);
  if (at == items || (i64)load64(keys + 8 * (size_t)at) != rowid) rc = SQLITE_NOTFOUND;
  pages_release(run->keys.pages, &hold);
  if (rc) return rc;
  rc = array_read(&run->slots, (u64)lo * run->keys.per_extent + at, bytes);
  if (rc == SQLITE_OK) *slot = load32(bytes);
  return rc;
}

int rowmap_find(Rowmap *map, i64 rowid, u32 *slot) {
  u32 i;
  for (i = map->run_count; i > 0; i--) {
    RowmapRun *run = &map->run[i - 1];
    int rc;
    if (rowid < run->min || rowid > run->max) continue;
    rc = find_in_run(run, rowid, slot);
    if (rc != SQLITE_NOTFOUND) return rc;
  }
  return SQLITE_NOTFOUND;
}

/* --- in order --- */

static int load_head(RowmapCursor *c, u32 i) {
  RowmapRun *run = &c->map->run[i];
  u8 key[8], slot[4];
  int rc;
  c->has[i] = c->at[i] < run->keys.count;
  if (!c->has[i]) return SQLITE_OK;
  rc = array_read(&run->keys, c->at[i], key);
  if (rc == SQLITE_OK) rc = array_read(&run->slots, c->at[i], slot);
  if (rc) return rc;
  if (c->at[i] > 0 && (i64)load64(key) <= c->head[i].rowid) return CORRUPT(run->keys.root.pgno); /* M1 */
  c->head[i].rowid = (i64)load64(key);
  c->head[i].slot = load32(slot);
  c->at[i]++;
  return SQLITE_OK;
}

static int first_of(RowmapCursor *c, Rowmap *map, u32 from) {
  u32 i;
  int rc = SQLITE_OK;
  memset(c, 0, sizeof *c);
  c->map = map;
  for (i = from; i < map->run_count && rc == SQLITE_OK; i++) rc = load_head(c, i);
  return rc;
}

int rowmap_first(RowmapCursor *c, Rowmap *map) { return first_of(c, map, 0); }

int rowmap_next(RowmapCursor *c, RowmapEntry *out) {
  u32 i, best = ROWMAP_MAX_RUNS;
  int rc = SQLITE_OK;
  for (i = 0; i < c->map->run_count; i++) { /* equal rowids: the newest run is met last and wins */
    if (c->has[i] && (best == ROWMAP_MAX_RUNS || c->head[i].rowid <= c->head[best].rowid)) best = i;
  }
  if (best == ROWMAP_MAX_RUNS) return SQLITE_DONE;
  *out = c->head[best];
  for (i = 0; i < c->map->run_count && rc == SQLITE_OK; i++) {
    if (c->has[i] && c->head[i].rowid == out->rowid) rc = load_head(c, i);
  }
  return rc;
}

/* --- writing --- */

int rowmap_writer_begin(RowmapWriter *w, Rowmap *map, u32 run, PageTx *tx) {
  int rc;
  memset(w, 0, sizeof *w);
  w->tx = tx;
  array_init(&w->empty_keys, map->pages, run_array(map, run, 0), 8, KEY_EXTENT_PAGES);
  array_init(&w->empty_slots, map->pages, run_array(map, run, 1), 4, SLOT_EXTENT_PAGES);
  rc = array_writer_begin(&w->keys, tx, &w->empty_keys, 0);
  if (rc == SQLITE_OK) rc = array_writer_begin(&w->slots, tx, &w->empty_slots, 0);
  return rc;
}

int rowmap_writer_add(RowmapWriter *w, i64 rowid, u32 slot) {
  u8 *out;
  u64 got;
  int rc;
  if (w->keys.count == 0) w->min = rowid;
  w->max = rowid;
  rc = array_writer_append(&w->keys, 1, &out, &got);
  if (rc) return rc;
  store64(out, (u64)rowid);
  rc = array_writer_append(&w->slots, 1, &out, &got);
  if (rc == SQLITE_OK) store32(out, slot);
  return rc;
}

int rowmap_writer_finish(RowmapWriter *w, u8 *refs, u8 *bounds) {
  int rc = array_writer_finish(&w->keys, refs);
  if (rc == SQLITE_OK) rc = array_writer_finish(&w->slots, refs + ARRAY_REF_SIZE);
  store64(bounds, (u64)w->min);
  store64(bounds + 8, (u64)w->max);
  return rc;
}

void rowmap_writer_end(RowmapWriter *w) {
  array_writer_end(&w->keys);
  array_writer_end(&w->slots);
}

static int free_run(RowmapRun *run, PageTx *tx) {
  int rc = array_free_pages(&run->keys, tx);
  if (rc == SQLITE_OK) rc = array_free_pages(&run->slots, tx);
  return rc;
}

/* Append to run `i`; all entries are larger than what it has. */
static int append_to_run(Rowmap *map, u32 i, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds) {
  RowmapWriter w;
  u64 k;
  int rc;
  memset(&w, 0, sizeof w);
  rc = array_writer_begin(&w.keys, tx, &map->run[i].keys, 1);
  if (rc == SQLITE_OK) rc = array_writer_begin(&w.slots, tx, &map->run[i].slots, 1);
  for (k = 0; k < count && rc == SQLITE_OK; k++) rc = rowmap_writer_add(&w, entries[k].rowid, entries[k].slot);
  w.min = map->run[i].min;
  if (rc == SQLITE_OK) rc = rowmap_writer_finish(&w, refs + 2 * i * ARRAY_REF_SIZE, bounds + 16 * i);
  rowmap_writer_end(&w);
  return rc;
}

/* Runs from..end and the new entries merged into one run at place `from`. */
static int merge_runs(Rowmap *map, u32 from, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds) {
  RowmapCursor c;
  RowmapWriter w;
  RowmapEntry old = {0, 0};
  u64 k = 0;
  u32 i;
  int rc = rowmap_writer_begin(&w, map, from, tx), more;
  if (rc == SQLITE_OK) rc = first_of(&c, map, from);
  more = rc == SQLITE_OK ? rowmap_next(&c, &old) : rc;
  while (rc == SQLITE_OK && (more == SQLITE_OK || k < count)) {
    if (more == SQLITE_OK && (k == count || old.rowid < entries[k].rowid)) {
      rc = rowmap_writer_add(&w, old.rowid, old.slot);
      more = rowmap_next(&c, &old);
    } else {
      if (more == SQLITE_OK && old.rowid == entries[k].rowid) more = rowmap_next(&c, &old);
      rc = rowmap_writer_add(&w, entries[k].rowid, entries[k].slot);
      k++;
    }
    if (more != SQLITE_OK && more != SQLITE_DONE) rc = more;
  }
  if (rc == SQLITE_OK) rc = rowmap_writer_finish(&w, refs + 2 * from * ARRAY_REF_SIZE, bounds + 16 * from);
  for (i = from; i < map->run_count && rc == SQLITE_OK; i++) rc = free_run(&map->run[i], tx);
  rowmap_writer_end(&w);
  return rc;
}

int rowmap_fold(Rowmap *map, int keep, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds,
                u32 *runs) {
  u32 have = keep ? map->run_count : 0, from = have, i;
  u64 size = count;
  Rowmap none;
  for (i = 0; i < have; i++) {
    array_put_ref(&map->run[i].keys, refs + 2 * i * ARRAY_REF_SIZE);
    array_put_ref(&map->run[i].slots, refs + (2 * i + 1) * ARRAY_REF_SIZE);
    store64(bounds + 16 * i, (u64)map->run[i].min);
    store64(bounds + 16 * i + 8, (u64)map->run[i].max);
  }
  *runs = have;
  if (count == 0) return SQLITE_OK;
  if (have && entries[0].rowid > map->run[have - 1].max) {
    size += map->run[have - 1].keys.count;
    if (have == 1 || map->run[have - 2].keys.count >= 2 * size) {
      return append_to_run(map, have - 1, entries, count, tx, refs, bounds);
    }
    size -= map->run[have - 1].keys.count;
  }
  while (from > 0 && (map->run[from - 1].keys.count < 2 * size || from == ROWMAP_MAX_RUNS)) {
    size += map->run[--from].keys.count; /* M2 */
  }
  *runs = from + 1;
  memset(refs + 2 * from * ARRAY_REF_SIZE, 0, (size_t)(have - from) * 2 * ARRAY_REF_SIZE);
  if (keep) return merge_runs(map, from, entries, count, tx, refs, bounds);
  memset(&none, 0, sizeof none);
  none.pages = map->pages;
  none.owner = map->owner;
  none.first_tag = map->first_tag;
  return merge_runs(&none, 0, entries, count, tx, refs, bounds);
}

int rowmap_free_pages(Rowmap *map, PageTx *tx) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < map->run_count && rc == SQLITE_OK; i++) rc = free_run(&map->run[i], tx);
  return rc;
}

int rowmap_walk(Rowmap *map, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < map->run_count && rc == SQLITE_OK; i++) {
    rc = array_walk(&map->run[i].keys, visit, arg);
    if (rc == SQLITE_OK) rc = array_walk(&map->run[i].slots, visit, arg);
  }
  return rc;
}
