/*
 * rowmap_test.c: the map from rowid to slot (vector/rowmap.h), without a database: pages in memory.
 *
 *   1  each form of chunk on key sets made for it and against it: points, absent keys, batches, order both ways, seeks, counts, rowmap_check
 *   2  random folds (appends, inserts, replacements, from scratch) compared with a plain sorted array; pages freed and reachable add up
 *   3  every byte of records and lines changed: no crash, and what the check does not notice answers as before or is refused
 *   4  size: bytes a key, chunks for keys made to defeat the model
 *   5  every level of instructions gives the same answers
 *
 * Prints `N passed, N failed`. An argument is the seed of part 2.
 */
#define _GNU_SOURCE 1
#include "kernels_tester.h"

#include "../vector/rowmap.h"

#define OWNER 77u
#define TAG 5u
#define MAX_PAGES 400000u

static u64 below(u64 n) { return random64() % n; }

/* --- a map in memory pages --- */

typedef struct Store {
  Pages *pages;
  Rowmap map;
  u8 refs[2 * ROWMAP_MAX_RUNS * ARRAY_REF_SIZE], bounds[16 * ROWMAP_MAX_RUNS];
  u32 runs;
  u64 fold;
  u8 *owned; /* by page: 1 reachable, 2 freed */
  u32 count;
} Store;

static void store_new(Store *s) {
  Home *home = NULL;
  u8 head[PAGE_SIZE] = {0};
  memset(s, 0, sizeof *s);
  if (home_memory_open(1, &home) || pages_open(home, &s->pages)) abort();
  if (home->methods->write(home, 0, 1, head)) abort();
  s->count = 1;
  if (rowmap_open(&s->map, s->pages, OWNER, TAG, 0, s->refs, s->bounds)) abort();
}

static void store_free(Store *s) {
  rowmap_close(&s->map);
  pages_close(s->pages);
}

static u64 owned_pages;
static int own(void *arg, u32 pgno, u32 count) {
  u8 *owned = arg;
  u32 i;
  for (i = pgno; i < pgno + count; i++) {
    if (owned[i]) return SQLITE_CORRUPT;
    owned[i] = 1;
    owned_pages++;
  }
  return SQLITE_OK;
}

/* One fold; the new version is opened. Checks that every page is either reachable or was freed, and none is both. */
static int store_fold(Store *s, int keep, const RowmapEntry *entries, u64 count) {
  FreePages no_pages = {0};
  PageTx tx;
  u8 *owned = calloc(MAX_PAGES, 1);
  u64 i;
  u32 k;
  int rc = page_tx_begin(&tx, s->pages, ++s->fold, s->count, s->count, &no_pages);
  if (rc == SQLITE_OK && !keep) rc = rowmap_free_pages(&s->map, &tx);
  owned_pages = 0;
  if (rc == SQLITE_OK) rc = rowmap_walk(&s->map, own, owned);
  if (rc == SQLITE_OK) rc = rowmap_fold(&s->map, keep, entries, count, &tx, s->refs, s->bounds, &s->runs);
  if (rc) goto done;
  for (i = 0; i < tx.freed_count; i++) {
    for (k = 0; k < tx.freed[i].count; k++) {
      u8 *page = &owned[tx.freed[i].first + k];
      CHECK(*page == 1, "a page is freed that the map did not have, or twice");
      *page = 0;
    }
  }
  s->count = page_tx_count(&tx);
  rowmap_close(&s->map);
  rc = pages_set_count(s->pages, s->count);
  if (rc == SQLITE_OK) rc = rowmap_open(&s->map, s->pages, OWNER, TAG, s->runs, s->refs, s->bounds);
  if (rc) goto done;
  { /* what was reachable and not freed must be reachable still */
    u8 *now = calloc(MAX_PAGES, 1);
    rc = rowmap_walk(&s->map, own, now);
    for (i = 0; i < MAX_PAGES && rc == SQLITE_OK; i++) {
      if (owned[i] && !now[i]) {
        CHECK(0, "a page is neither reachable nor freed");
        break;
      }
    }
    free(now);
  }
done:
  page_tx_end(&tx);
  free(owned);
  return rc;
}

/* --- comparing with a sorted array --- */

static u64 lower_bound(const RowmapEntry *entries, u64 count, i64 key) {
  u64 lo = 0, hi = count;
  while (lo < hi) {
    u64 mid = lo + (hi - lo) / 2;
    if (entries[mid].rowid < key)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static int same_key(Store *s, const RowmapEntry *want, u64 count, i64 key) {
  u64 at = lower_bound(want, count, key);
  u32 slot = 0;
  int there = at < count && want[at].rowid == key, rc = rowmap_find(&s->map, key, &slot);
  return there ? rc == SQLITE_OK && slot == want[at].slot : rc == SQLITE_NOTFOUND;
}

static int same_order(Store *s, const RowmapEntry *want, u64 count, i64 from, int descending, u64 limit) {
  RowmapCursor c;
  RowmapEntry e;
  u64 at = lower_bound(want, count, from), n = 0;
  int rc, same = 1;
  memset(&c, 0, sizeof c);
  if (descending && at < count && want[at].rowid == from) at++;
  rc = rowmap_seek(&c, &s->map, from, descending);
  while (rc == SQLITE_OK && same && n < limit && (rc = rowmap_next(&c, &e)) == SQLITE_OK) {
    const RowmapEntry *w;
    if (descending ? at == 0 : at == count) {
      same = 0;
      break;
    }
    w = descending ? &want[--at] : &want[at++];
    same = e.rowid == w->rowid && e.slot == w->slot;
    n++;
  }
  if (rc == SQLITE_DONE) same = same && (descending ? at == 0 : at == count);
  if (rc != SQLITE_DONE && rc != SQLITE_OK) same = 0;
  rowmap_cursor_end(&c);
  return same;
}

/* rowmap_count of a map of one run; of more it says that it cannot tell. */
static int same_count(Store *s, const RowmapEntry *want, u64 count, i64 low, i64 high) {
  u64 upto = high == INT64_MAX ? count : lower_bound(want, count, high + 1), got = 7;
  u64 expected = low > high ? 0 : upto - lower_bound(want, count, low);
  int rc = rowmap_count(&s->map, low, high, &got);
  if (s->runs > 1) return rc == SQLITE_NOTFOUND;
  if (s->runs && s->map.run[0].index.keys != count) return rc == SQLITE_OK; /* some are ROWMAP_GONE */
  return rc == SQLITE_OK && got == expected;
}

static i64 near_key(const RowmapEntry *want, u64 count) {
  u64 pick = below(8);
  i64 key = count ? want[below(count)].rowid : 0;
  if (pick == 0) return (i64)random64();
  if (pick == 1) return INT64_MIN;
  if (pick == 2) return INT64_MAX;
  return (i64)((u64)key + below(7) - 3);
}

static void compare(Store *s, const RowmapEntry *want, u64 count, const char *name) {
  i64 *keys = malloc((count + 64) * sizeof *keys);
  u32 *slots = malloc((count + 64) * sizeof *slots);
  u64 i, bad = 0, n = 0;
  CHECK(rowmap_check(&s->map) == SQLITE_OK, "%s", name);
  for (i = 0; i < count; i++) {
    u32 slot = 0;
    bad += rowmap_find(&s->map, want[i].rowid, &slot) != SQLITE_OK || slot != want[i].slot;
  }
  CHECK(bad == 0, "%s", name);
  for (i = 0, bad = 0; i < 2000; i++) bad += !same_key(s, want, count, near_key(want, count));
  CHECK(bad == 0, "%s", name);
  for (i = 0; i < count; i += 1 + below(3)) keys[n++] = below(4) ? want[i].rowid : near_key(want, count);
  CHECK(rowmap_find_many(&s->map, keys, n, slots) == SQLITE_OK, "%s", name);
  for (i = 0, bad = 0; i < n; i++) {
    u64 at = lower_bound(want, count, keys[i]);
    bad += slots[i] != (at < count && want[at].rowid == keys[i] ? want[at].slot : NO_SLOT);
  }
  CHECK(bad == 0, "%s", name);
  CHECK(same_order(s, want, count, INT64_MIN, 0, UINT64_MAX), "%s", name);
  CHECK(same_order(s, want, count, INT64_MAX, 1, UINT64_MAX), "%s", name);
  for (i = 0, bad = 0; i < 200; i++)
    bad += !same_order(s, want, count, near_key(want, count), (int)below(2), 1 + below(1200));
  CHECK(bad == 0, "%s", name);
  for (i = 0, bad = 0; i < 2000; i++) bad += !same_count(s, want, count, near_key(want, count), near_key(want, count));
  CHECK(bad == 0 && same_count(s, want, count, INT64_MIN, INT64_MAX), "%s", name);
  free(keys);
  free(slots);
}

/* --- key sets --- */

typedef enum {
  KEYS_SEQUENTIAL,
  KEYS_GAPS,
  KEYS_NEGATIVE,
  KEYS_UNIFORM,
  KEYS_LOGNORMAL,
  KEYS_SNOWFLAKE,
  KEYS_STEPS,
  KEYS_CLUSTERS,
  KEYS_OUTLIERS,
  KEYS_POWERS,
  KEYS_EXTREMES,
  KEYS_HALVING,
  KEYS_SPARSE32,
  KEYS_KINDS
} KeySet;
static const char *const key_names[KEYS_KINDS] = {"sequential", "gaps",    "negative", "uniform",  "lognormal",
                                                  "snowflake",  "steps",   "clusters", "outliers", "powers",
                                                  "extremes",   "halving", "sparse32"};

static int compare_keys(const void *a, const void *b) {
  i64 x = *(const i64 *)a, y = *(const i64 *)b;
  return (x > y) - (x < y);
}

static i64 make_key(KeySet set, u64 i) {
  switch (set) {
    case KEYS_SEQUENTIAL: return (i64)i + 1;
    case KEYS_GAPS: return (i64)(i + i / 9 + (below(10) == 0));
    case KEYS_NEGATIVE: return (i64)i * 3 - 50000;
    case KEYS_UNIFORM: return (i64)(random64() >> 1);
    case KEYS_LOGNORMAL: {
      u64 sum = 0, k;
      for (k = 0; k < 12; k++) sum += below(1000);
      return (i64)((u64)1 << sum / 300) * (i64)(1 + below(1000)) + (i64)below(1000);
    }
    case KEYS_SNOWFLAKE: return (i64)((((u64)1 << 40) + i / 3 + below(2)) << 22 | below(4) << 12 | i % 3);
    case KEYS_STEPS: return (i64)(i / 50 * 1000000007 + i % 50);
    case KEYS_CLUSTERS: return (i64)(i / 1000 * ((u64)1 << 50) + below(1 << 12));
    case KEYS_OUTLIERS: return i % 97 ? (i64)i : (i64)(random64() >> 1);
    case KEYS_POWERS: return (i64)(((u64)1 << i % 63) + i / 63 - 1);
    case KEYS_EXTREMES: return (i64)(random64() << (below(2) ? 0 : 40)) | (i64)below(4);
    case KEYS_HALVING: return (i64)(0x4000000000000000u - (((u64)1 << 61) >> i % 60) + i / 60);
    default: return (i64)(i * 1000 + below(1000));
  }
}

/* `count` distinct ascending keys at most; gives their number. The extremes of i64 are among them, as a rule. */
static u64 make_set(KeySet set, u64 count, RowmapEntry *out, int in_order) {
  i64 *keys = malloc((count + 3) * sizeof *keys);
  u64 n = 0, i;
  for (i = 0; i < count; i++) keys[n++] = make_key(set, i);
  if (set == KEYS_EXTREMES || set == KEYS_OUTLIERS) {
    keys[n++] = INT64_MIN;
    keys[n++] = INT64_MAX;
    keys[n++] = 0;
  }
  qsort(keys, n, sizeof *keys, compare_keys);
  count = 0;
  for (i = 0; i < n; i++) {
    if (count && out[count - 1].rowid == keys[i]) continue;
    out[count].rowid = keys[i];
    out[count].slot = (u32)count;
    count++;
  }
  for (i = 0; i < count; i++) {
    if (in_order == 0) out[i].slot = (u32)below(0xfffffffe);
    if (in_order == 2 && i % 300 == 7) out[i].slot = (u32)(1000000 + i);
  }
  free(keys);
  return count;
}

static void each_set(u64 count, const char *level) {
  RowmapEntry *entries = malloc((count + 3) * sizeof *entries);
  int set, in_order;
  for (set = 0; set < KEYS_KINDS; set++) {
    for (in_order = 0; in_order < 3; in_order++) {
      Store s;
      u64 n = make_set((KeySet)set, count, entries, in_order), page_bytes, memory;
      char name[64];
      snprintf(name, sizeof name, "%s, slots %d, %s", key_names[set], in_order, level);
      store_new(&s);
      CHECK(store_fold(&s, 1, entries, n) == SQLITE_OK, "%s", name);
      compare(&s, entries, n, name);
      rowmap_size(&s.map, &page_bytes, &memory);
      CHECK(page_bytes <= n * 27 / 2 + 4096, "%s", name); /* C3: 13.5 bytes a key */
      CHECK(memory <= n * 2 + 4096, "%s", name);
      if (set == KEYS_SEQUENTIAL && in_order == 1) CHECK(page_bytes * 5 <= n + 2048, "0.2 bytes a dense key");
      if (set == KEYS_SEQUENTIAL && n > 1000) { /* I2: without the lines; where slots do not go on, some chunks */
        const RunIndex *x = &s.map.run[0].index;
        u32 full = 0, i;
        for (i = 0; i < x->count; i++) full += x->chunk[i].form == FORM_FULL;
        CHECK(x->dense == (in_order == 1) && (in_order == 1 ? full == x->count : (full > 0) == (in_order == 2)), "%s",
              name);
      }
      store_free(&s);
    }
  }
  free(entries);
}

/* --- 2: random folds --- */

static u64 merge_model(RowmapEntry *model, u64 count, const RowmapEntry *entries, u64 n) {
  RowmapEntry *out = malloc((count + n + 1) * sizeof *out);
  u64 i = 0, k = 0, used = 0;
  while (i < count || k < n) {
    if (k == n || (i < count && model[i].rowid < entries[k].rowid)) {
      out[used++] = model[i++];
    } else {
      if (i < count && model[i].rowid == entries[k].rowid) i++;
      if (entries[k].slot != ROWMAP_GONE) out[used++] = entries[k];
      k++;
    }
  }
  memcpy(model, out, used * sizeof *out);
  free(out);
  return used;
}

static void random_folds(u64 first_seed, u32 folds, u64 limit) {
  RowmapEntry *model = malloc(limit * sizeof *model), *entries = malloc(limit * sizeof *entries);
  u64 count = 0, gone = 0;
  u32 slot = 0, f;
  Store s;
  seed = first_seed;
  store_new(&s);
  for (f = 0; f < folds; f++) {
    u64 n, i, kind = below(10), spread = (u64)1 << below(40);
    int keep = 1;
    n = 1 + below(below(4) ? 300 : 20000);
    if (count + n >= limit || kind == 0) keep = below(3) && count + n < limit;
    if (!keep) count = 0;
    if (kind < 5) { /* larger than all there are */
      i64 key = count ? model[count - 1].rowid : (i64)below(1000) - 500;
      if (key > INT64_MAX - (i64)(n * 64)) continue;
      for (i = 0; i < n; i++) {
        key += 1 + (i64)(kind ? 0 : below(60));
        entries[i].rowid = key;
      }
    } else {
      i64 *keys = malloc(n * sizeof *keys);
      u64 used = 0;
      for (i = 0; i < n; i++)
        keys[i] = count && below(2) ? model[below(count)].rowid : (i64)below(spread + n) - (i64)(spread / 4);
      qsort(keys, n, sizeof *keys, compare_keys);
      for (i = 0; i < n; i++) {
        if (used == 0 || entries[used - 1].rowid != keys[i]) entries[used++].rowid = keys[i];
      }
      n = used;
      free(keys);
    }
    for (i = 0; i < n; i++) entries[i].slot = slot++;
    if (below(3) == 0) { /* M5: of rowids that are there and of some that are not; now and then of all */
      u64 share = below(8) ? 1 + below(4) : 1;
      for (i = 0; i < n; i++) {
        if (below(share) == 0) entries[i].slot = ROWMAP_GONE, gone++;
      }
    }
    if (store_fold(&s, keep, entries, n) != SQLITE_OK) {
      CHECK(0, "fold");
      break;
    }
    count = merge_model(model, count, entries, n);
    if (f % 8 == 7 || f + 1 == folds) compare(&s, model, count, "random folds");
  }
  CHECK(gone > 0, "rowids went");
  store_free(&s);
  free(model);
  free(entries);
}

/* --- 3: damage --- */

/* A chunk with one byte changed: searched and read without harm; if the check passes it, it must answer as before. */
static void damage_chunk(const ChunkRecord *record, const u8 *lines, const RowmapEntry *entries) {
  static RowmapEntry out[BITMAP_LINE_KEYS];
  u8 bytes[CHUNK_RECORD_SIZE];
  u32 size = record->lines * CHUNK_LINE, round;
  Guarded guarded = guarded_new(size);
  u8 *copy = guarded.end - size; /* a byte read behind the lines is a fault */
  for (round = 0; round < 3000; round++) {
    ChunkRecord changed;
    RunIndex index;
    u32 line, part, slot = 0, i, unused = 0;
    i64 last = 0;
    memcpy(copy, lines, size);
    chunk_put_record(record, bytes);
    if (round % 2)
      copy[below(size)] ^= (u8)(1 + below(255));
    else
      bytes[below(2) ? below(CHUNK_RECORD_SIZE) : 24 + below(8)] ^= (u8)(1 + below(255));
    chunk_get_record(bytes, &changed);
    if (!chunk_record_sound(&changed) || changed.lines > record->lines) continue;
    if (run_index_build(&index, &changed, 1, INT64_MAX)) abort();
    index.chunk[0].lines = copy;
    for (i = 0; i < 40; i++) {
      i64 key = i < 30 ? entries[below(record->count)].rowid : (i64)random64();
      if (index.kernels->find(&index, key, &slot, &unused) == INDEX_UNREAD) CHECK(0, "lines were given");
    }
    for (line = 0; line < changed.lines; line++) {
      if (chunk_read_line(&changed, copy, line, out) > BITMAP_LINE_KEYS) CHECK(0, "more entries than fit a line");
    }
    for (part = 0; part < chunk_parts(&changed); part++) {
      chunk_part_begins(&changed, copy, part);
      if (chunk_read_part(&changed, copy, part, out) > CHUNK_PART_KEYS) CHECK(0, "more entries than fit a part");
      chunk_part_rank(&changed, copy, part);
    }
    if (chunk_check(&changed, copy, &last)) { /* a slot, the line number, or a model that is as good */
      for (i = 0; i < changed.count && i < record->count; i++) {
        IndexAnswer answer = index.kernels->find(
            &index, (i64)((u64)entries[i].rowid - (u64)record->base + (u64)changed.base), &slot, &unused);
        if (answer != INDEX_FOUND) break;
      }
      CHECK(i == record->count || changed.count != record->count || memcmp(copy, lines, size),
            "a sound chunk finds its keys");
    }
    run_index_free(&index);
  }
  guarded_free(&guarded);
}

static void damage_chunks(void) {
  static u8 lines[CHUNK_MAX_LINES * CHUNK_LINE];
  RowmapEntry *entries = malloc(20003 * sizeof *entries);
  int set, in_order, forms[FORM_COUNT] = {0};
  u32 i;
  for (set = 0; set < KEYS_KINDS; set++) {
    for (in_order = 0; in_order < 2; in_order++) {
      u64 n = make_set((KeySet)set, 20000, entries, in_order);
      ChunkRecord record;
      i64 last = 0;
      chunk_choose(entries, n, CHUNK_MAX_LINES, 0, &record);
      chunk_write(&record, entries, lines);
      CHECK(chunk_record_sound(&record) && chunk_check(&record, lines, &last) &&
                last == entries[record.count - 1].rowid,
            "%s", key_names[set]);
      forms[record.form]++;
      damage_chunk(&record, lines, entries);
    }
  }
  for (i = 0; i < FORM_COUNT; i++) CHECK(forms[i] > 0, "every form of chunk was damaged");
  free(entries);
}

/* Pages with one byte changed: the checksum says so. */
static void damage_pages(void) {
  RowmapEntry *entries = malloc(30003 * sizeof *entries);
  u64 n = make_set(KEYS_UNIFORM, 30000, entries, 0), i;
  u32 round, slot = 0;
  Store s;
  store_new(&s);
  CHECK(store_fold(&s, 1, entries, n) == SQLITE_OK, "fold");
  for (round = 0; round < 60; round++) {
    Home *home = pages_home(s.pages);
    u8 good[PAGE_SIZE], bad[PAGE_SIZE];
    u32 pgno = 1 + (u32)below(s.count - 1);
    Pages *fresh = s.pages;
    Rowmap map;
    u64 right = 0, refused = 0;
    if (home->methods->read(home, pgno, 1, good)) continue;
    memcpy(bad, good, PAGE_SIZE);
    bad[below(PAGE_SIZE)] ^= (u8)(1 + below(255));
    { /* a home with the bad page, read for the first time */
      Home *other = NULL;
      u32 p;
      if (home_memory_open(1, &other) || pages_open(other, &fresh)) abort();
      for (p = 0; p < s.count; p++) {
        u8 page[PAGE_SIZE];
        if (home->methods->read(home, p, 1, page)) memset(page, 0, PAGE_SIZE);
        if (other->methods->write(other, p, 1, p == pgno ? bad : page)) abort();
      }
      if (pages_set_count(fresh, s.count)) abort();
    }
    if (rowmap_open(&map, fresh, OWNER, TAG, s.runs, s.refs, s.bounds)) abort();
    for (i = 0; i < n; i += 7) {
      int rc = rowmap_find(&map, entries[i].rowid, &slot);
      right += rc == SQLITE_OK && slot == entries[i].slot;
      refused += rc == SQLITE_CORRUPT_VTAB;
    }
    CHECK(right + refused == (n + 6) / 7, "a damaged page is noticed");
    CHECK(rowmap_check(&map) == SQLITE_CORRUPT_VTAB, "the check notices it");
    rowmap_close(&map);
    pages_close(fresh);
  }
  store_free(&s);
  free(entries);
}

int main(int argc, char **argv) {
  u64 first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, i;
  sqlite3_initialize();
  print_levels();
  for (i = 0; i < LEVELS; i++) {
    if (!simd_force(levels[i])) continue;
    seed = 42;
    each_set(40000, levels[i]);
    each_set(5, levels[i]);
    damage_chunks();
  }
  for (i = 0; i < 6; i++) random_folds(first_seed * 1000 + i, 120, 300000);
  damage_pages();
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
