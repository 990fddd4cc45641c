/*
 * pages_test.c: what stores are made of (wal_shim/pages.h, array.h, overlay.h, memory), without a database.
 *
 *   1  an array's life: appended to, changed, cut, emptied, dropped; in homes that map and that do not; contents as a plain array has them, and
 *      every page is reachable or was freed, once
 *   2  the same life with each call of the home failing, and each allocation: the error comes through and nothing leaks
 *   3  references and directories that lie; items that there are not; a directory of three levels; heads of other files
 *   4  where pages come from: reuse, splitting, segments of the file, its end, and the largest file
 *   5  copies in memory: the oldest go first, those in use stay, those written again are not found again
 *   6  overlays: their limit; memory: sizes that do not fit
 *   7  the file beside a database: made, read, mapped in segments, replaced by another one; no descriptor, no address space
 *   8  root and catalog, of no table to more than fit into three pages: written, read, walked; each call failing; roots of another moment
 *
 * Prints `N passed, N failed`.
 */
#define _GNU_SOURCE 1
#include "kernels_tester.h"

#include "../wal_shim/array.h"
#include "../wal_shim/bytes.h"
#include "../wal_shim/catalog.h"
#include "../wal_shim/overlay.h"

#include <sys/resource.h>
#include <sys/stat.h>

/* --- an allocator that fails --- */

static sqlite3_mem_methods real_memory;
static struct { i64 calls, at; /* at: 0 is never */ } memory;

static int allocation_fails(void) { return ++memory.calls == memory.at; }
static void *failing_malloc(int n) { return allocation_fails() ? NULL : real_memory.xMalloc(n); }
static void *failing_realloc(void *p, int n) { return allocation_fails() ? NULL : real_memory.xRealloc(p, n); }

/* --- a home that fails, that may not map, and that keeps no pages of zeros --- */

typedef struct TestHome {
  Home base;
  Home *real; /* of memory; NULL: page[] */
  u8 **page;
  u32 count, cap, hidden; /* hidden: pages at the end that it denies */
  int maps;
} TestHome;

static struct { i64 calls, at; } home_calls;

static int home_fails(void) { return ++home_calls.calls == home_calls.at; }

static int test_follow(Home *home, int *changed) {
  (void)home;
  *changed = 0;
  return home_fails() ? SQLITE_IOERR : SQLITE_OK;
}

static int test_size(Home *home, u32 *pages) {
  TestHome *h = (TestHome *)home;
  int rc = home_fails() ? SQLITE_IOERR : SQLITE_OK;
  *pages = h->count;
  if (h->real && rc == SQLITE_OK) rc = h->real->methods->size(h->real, pages);
  *pages -= MIN(*pages, h->hidden);
  return rc;
}

static int test_map(Home *home, u32 pgno, u32 count, const u8 **out) {
  TestHome *h = (TestHome *)home;
  *out = NULL;
  if (home_fails()) return SQLITE_IOERR;
  return h->maps ? h->real->methods->map(h->real, pgno, count, out) : SQLITE_OK;
}

static int test_read(Home *home, u32 pgno, u32 count, u8 *buffer) {
  TestHome *h = (TestHome *)home;
  if (home_fails()) return SQLITE_IOERR;
  if (h->real) return h->real->methods->read(h->real, pgno, count, buffer);
  for (u32 i = 0; i < count; i++) {
    u8 *to = buffer + (size_t)i * PAGE_SIZE;
    if (h->page[pgno + i])
      memcpy(to, h->page[pgno + i], PAGE_SIZE);
    else
      memset(to, 0, PAGE_SIZE);
  }
  return SQLITE_OK;
}

static int test_write(Home *home, u32 pgno, u32 count, const u8 *data) {
  TestHome *h = (TestHome *)home;
  static const u8 zeros[PAGE_SIZE];
  if (home_fails()) return SQLITE_IOERR;
  if (h->real) return h->real->methods->write(h->real, pgno, count, data);
  if (pgno + count > h->cap) { /* doubled: a sanitizer's realloc() always copies */
    h->cap = MAX(pgno + count, 2 * h->cap);
    h->page = realloc(h->page, h->cap * sizeof *h->page);
    if (h->page == NULL) abort();
  }
  while (h->count < pgno + count) h->page[h->count++] = NULL;
  for (u32 i = 0; i < count; i++) {
    const u8 *from = data + (size_t)i * PAGE_SIZE;
    free(h->page[pgno + i]);
    h->page[pgno + i] = memcmp(from, zeros, PAGE_SIZE) ? memcpy(malloc(PAGE_SIZE), from, PAGE_SIZE) : NULL;
  }
  return SQLITE_OK;
}

static int test_truncate(Home *home, u32 pages) {
  TestHome *h = (TestHome *)home;
  if (home_fails()) return SQLITE_IOERR;
  if (h->real) return h->real->methods->truncate(h->real, pages);
  while (h->count > pages) free(h->page[--h->count]);
  return SQLITE_OK;
}

static int test_sync(Home *home) {
  (void)home;
  return home_fails() ? SQLITE_IOERR : SQLITE_OK;
}

static int test_prepare(Home *home, int first) {
  (void)home;
  (void)first;
  return home_fails() ? SQLITE_IOERR : SQLITE_OK;
}

static void test_close(Home *home) {
  TestHome *h = (TestHome *)home;
  for (u32 i = 0; i < h->count; i++) free(h->page[i]);
  free(h->page);
  if (h->real) h->real->methods->close(h->real);
  free(h);
}

static const HomeMethods test_methods = {
    .name = "test",
    .place = "test's pages",
    .follow = test_follow,
    .size = test_size,
    .map = test_map,
    .read = test_read,
    .write = test_write,
    .truncate = test_truncate,
    .discard = home_keeps,
    .leave = home_stays,
    .sync = test_sync,
    .prepare = test_prepare,
    .close = test_close,
};

static TestHome *home_new(int sparse, int maps) {
  TestHome *h = calloc(1, sizeof *h);
  if (h == NULL) abort();
  h->base.methods = &test_methods;
  h->maps = maps;
  if (!sparse && home_memory_open(1, &h->real)) abort();
  return h;
}

/* A transaction without free pages. */
static int begin_at(PageTx *tx, Pages *pages, u64 n, u32 count) {
  FreePages none = {0};
  return page_tx_begin(tx, pages, n, count, count, &none);
}

/* --- 1, 2: the life of an array --- */

#define MAX_PAGES 20000u
static const ArrayId id = {77, 5};

typedef struct Shape {
  u32 stride, extent_pages;
  u64 count;  /* items at the largest */
  i64 faults; /* of each kind, about */
} Shape;

typedef struct Life {
  Shape shape;
  TestHome *home;
  Pages *pages;
  Array array;
  u8 ref[ARRAY_REF_SIZE];
  u32 count; /* pages of the last root */
  u64 fold, items;
  u32 *model; /* what each item begins with */
  int check;  /* 0: only that errors come through */
} Life;

static void fill(u8 *item, u32 stride, u32 value) {
  memset(item, (int)(value & 255), stride);
  store32(item, value);
}

static u8 owned[MAX_PAGES];
static u32 owned_twice;

static int own(void *arg, u32 pgno, u32 count) {
  (void)arg;
  for (u32 i = pgno; i < pgno + count; i++) {
    owned_twice += owned[i];
    owned[i] = 1;
  }
  return SQLITE_OK;
}

/* Append items up to `count`, in the pieces that the writer gives. */
static int append_to(Life *l, ArrayWriter *w, u64 count) {
  while (w->count < count) {
    u8 *out = NULL;
    u64 from = w->count, got = 0;
    int rc = array_writer_append(w, count - from, &out, &got);
    if (rc) return rc;
    for (u64 i = 0; i < got; i++) {
      l->model[from + i] = (u32)random64();
      fill(out + (size_t)i * l->shape.stride, l->shape.stride, l->model[from + i]);
    }
  }
  return SQLITE_OK;
}

static int edit(Life *l, ArrayWriter *w, u64 index) {
  u8 *out = NULL;
  int rc = array_writer_edit(w, index, &out);
  if (rc) return rc;
  l->model[index] = (u32)random64();
  fill(out, l->shape.stride, l->model[index]);
  return SQLITE_OK;
}

/* Every item through each way of reading. */
static int read_all(Life *l) {
  ArrayMap map = {0};
  u8 *item = malloc(l->shape.stride);
  const u8 *at;
  u64 wrong = 0;
  int rc = SQLITE_OK;
  if (item == NULL) abort();
  for (u64 i = 0; i < l->items && rc == SQLITE_OK; i += 1 + l->items / 50) {
    rc = array_read(&l->array, i, item);
    if (rc == SQLITE_OK) wrong += load32(item) != l->model[i];
  }
  for (int whole = 0; whole < 2 && rc == SQLITE_OK; whole++) {
    rc = array_map_open(&map, &l->array, l->items + 3, whole);
    if (rc == SQLITE_OK && whole) rc = array_map_touch_all(&map);
    for (u64 i = 0; i < l->items && rc == SQLITE_OK; i++) {
      rc = array_map_get(&map, i, &at);
      if (rc == SQLITE_OK) wrong += load32(at) != l->model[i] || at[l->shape.stride - 1] != (l->model[i] & 255);
      if (rc == SQLITE_OK && whole) wrong += array_map_item(&map, (u32)i) != at;
    }
    array_map_close(&map);
  }
  CHECK(wrong == 0, "%llu items of %llu differ", (unsigned long long)wrong, (unsigned long long)l->items);
  free(item);
  return rc;
}

/* One fold by `change`, which gets a writer; the array is opened again. */
static int fold(Life *l, int keep, int (*change)(Life *l, ArrayWriter *w)) {
  PageTx tx;
  ArrayWriter w;
  u32 kept = 0, lost = 0;
  u8 before[sizeof owned];
  int rc;
  memset(&w, 0, sizeof w);
  memset(owned, 0, sizeof owned);
  owned_twice = 0;
  rc = begin_at(&tx, l->pages, ++l->fold, l->count);
  if (rc == SQLITE_OK) rc = array_walk(&l->array, own, NULL);
  if (rc == SQLITE_OK && !keep) rc = array_free_pages(&l->array, &tx);
  if (rc == SQLITE_OK) rc = array_writer_begin(&w, &tx, &l->array, keep);
  if (rc == SQLITE_OK) rc = change(l, &w);
  if (rc == SQLITE_OK) rc = array_writer_finish(&w, l->ref);
  if (rc) goto done;
  l->items = w.count;
  for (u64 i = 0; i < tx.freed_count; i++) {
    for (u32 p = tx.freed[i].first; p < tx.freed[i].first + tx.freed[i].count; p++) {
      /* in a home whose size was hidden, what lay beyond the root's count is freed too */
      if (!owned[p] && p < l->count) lost++;
      owned[p] = 0;
    }
  }
  CHECK(lost == 0 && owned_twice == 0, "%u pages freed that were not there, %u reached twice", lost, owned_twice);
  memcpy(before, owned, sizeof owned);
  l->count = page_tx_count(&tx);
  array_free(&l->array);
  rc = pages_set_count(l->pages, l->count);
  if (rc == SQLITE_OK) rc = array_open(&l->array, l->pages, id, l->shape.stride, l->shape.extent_pages, l->ref);
  memset(owned, 0, sizeof owned);
  owned_twice = 0;
  if (rc == SQLITE_OK) rc = array_walk(&l->array, own, NULL);
  for (u32 p = 0; p < sizeof owned && rc == SQLITE_OK; p++) kept += before[p] && !owned[p];
  CHECK(kept == 0 && owned_twice == 0, "%u pages neither reachable nor freed, %u reached twice", kept, owned_twice);
done:
  array_writer_end(&w);
  page_tx_end(&tx);
  if (rc == SQLITE_OK) rc = read_all(l);
  return rc;
}

static int grow(Life *l, ArrayWriter *w) { return append_to(l, w, l->shape.count); }

/* Items changed near both ends, some more. */
static int change_some(Life *l, ArrayWriter *w) {
  int rc = edit(l, w, 0);
  if (rc == SQLITE_OK && w->count > 1) rc = edit(l, w, 1);
  if (rc == SQLITE_OK) rc = edit(l, w, w->count - 1);
  if (rc == SQLITE_OK) rc = edit(l, w, w->count / 2);
  if (rc == SQLITE_OK) rc = append_to(l, w, w->count + 2);
  return rc;
}

static int cut_to(Life *l, ArrayWriter *w, u64 count) {
  u8 *out;
  int rc = array_writer_truncate(w, count);
  (void)l;
  if (rc == SQLITE_OK) rc = array_writer_truncate(w, count); /* that is nothing */
  CHECK(rc || array_writer_truncate(w, count + 1) == SQLITE_CORRUPT_VTAB, "cut to more than there is");
  CHECK(rc || array_writer_edit(w, count, &out) == SQLITE_CORRUPT_VTAB, "an item that was cut off");
  return rc;
}
static int cut_amid(Life *l, ArrayWriter *w) { return cut_to(l, w, w->count / 2 + 1); }
static int cut_at_extent(Life *l, ArrayWriter *w) { return cut_to(l, w, w->count / 2 / w->per_extent * w->per_extent); }
/* Back to where it was: what was appended in the same fold is freed in it. */
static int there_and_back(Life *l, ArrayWriter *w) {
  u64 count = w->count;
  int rc = append_to(l, w, count + 3 * (u64)w->per_extent);
  if (rc == SQLITE_OK) rc = array_writer_truncate(w, count);
  return rc;
}
static int cut_all(Life *l, ArrayWriter *w) { return cut_to(l, w, 0); }
static int nothing(Life *l, ArrayWriter *w) {
  (void)l;
  (void)w;
  return SQLITE_OK;
}

static int live(Life *l, Shape shape, TestHome *home) {
  PageTx tx;
  int rc;
  memset(l, 0, sizeof *l);
  l->shape = shape;
  l->home = home;
  l->model = calloc(shape.count + 8 * (size_t)(shape.extent_pages * PAGE_SIZE / shape.stride) + 16, sizeof *l->model);
  if (l->model == NULL) abort();
  rc = pages_open(&home->base, &l->pages); /* closes the home when it fails */
  if (rc) goto done;
  l->count = 1;
  array_init(&l->array, l->pages, id, shape.stride, shape.extent_pages);
  rc = pages_prepare(l->pages, 1);
  if (rc == SQLITE_OK) rc = pages_check_head(l->pages);
  if (rc == SQLITE_OK) rc = fold(l, 1, nothing);
  if (rc == SQLITE_OK) rc = fold(l, 1, grow);
  if (rc == SQLITE_OK) rc = fold(l, 1, nothing);
  if (rc == SQLITE_OK) rc = fold(l, 1, change_some);
  if (rc == SQLITE_OK) rc = fold(l, 1, there_and_back);
  if (rc == SQLITE_OK) rc = fold(l, 1, cut_amid);
  if (rc == SQLITE_OK) rc = fold(l, 1, grow);
  if (rc == SQLITE_OK) rc = fold(l, 1, cut_at_extent);
  if (rc == SQLITE_OK) rc = fold(l, 0, grow);
  if (rc == SQLITE_OK) rc = fold(l, 1, cut_all);
  if (rc == SQLITE_OK) CHECK(l->ref[8] == 0 && l->items == 0, "an empty array has no pages");
  if (rc == SQLITE_OK) rc = fold(l, 1, grow);
  if (rc) goto done;
  rc = begin_at(&tx, l->pages, ++l->fold, l->count);
  if (rc == SQLITE_OK) rc = array_free_pages(&l->array, &tx);
  if (rc == SQLITE_OK) {
    u64 freed = 0, reached = 0;
    for (u64 i = 0; i < tx.freed_count; i++) freed += tx.freed[i].count;
    for (u32 p = 0; p < sizeof owned; p++) reached += owned[p];
    CHECK(freed == reached, "%llu of %llu pages freed", (unsigned long long)freed, (unsigned long long)reached);
  }
  page_tx_end(&tx);
done:
  array_free(&l->array);
  if (rc == SQLITE_OK || l->pages) pages_close(l->pages);
  free(l->model);
  return rc;
}

static const Shape shapes[] = {
    {8, 2, 3000, 150},   /* powers of two */
    {16, 3, 1000, 50},   /* but not of items in an extent */
    {192, 3, 300, 150},  /* items across pages */
    {4096, 1, 345, 120}, /* a directory of two levels */
    {8192, 8, 20, 100},  /* pages of an extent left out */
    {24576, 6, 5, 100},  /* an item an extent */
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static void test_life(void) {
  for (u32 i = 0; i < SHAPES; i++) {
    for (int maps = 0; maps < 2; maps++) {
      Life l;
      int rc = live(&l, shapes[i], home_new(0, maps));
      CHECK(rc == SQLITE_OK, "stride %u, extents of %u pages, maps %d: %d", shapes[i].stride, shapes[i].extent_pages,
            maps, rc);
    }
  }
}

/* What `what` of the life's calls fails: each in turn, of many only some. */
static void test_faults_of(const char *what, i64 *calls, i64 *at, int code) {
  for (u32 i = 0; i < SHAPES; i++) {
    for (int maps = 0; maps < 2; maps++) {
      i64 before = sqlite3_memory_used(), total, wrong = 0, left = 0, n;
      Life l;
      TestHome *home = home_new(0, maps);
      *at = 0;
      *calls = 0;
      CHECK(live(&l, shapes[i], home) == SQLITE_OK, "without a fault");
      total = *calls;
      for (n = 1; n <= total; n += 1 + total / shapes[i].faults) {
        home = home_new(0, maps);
        *calls = 0;
        *at = n;
        wrong += live(&l, shapes[i], home) != code;
        *at = 0;
        left += sqlite3_memory_used() != before;
      }
      CHECK(total > 100 && wrong == 0 && left == 0,
            "%s, stride %u, maps %d: of %lld failed calls %lld did not come through, %lld left memory", what,
            shapes[i].stride, maps, (long long)total, (long long)wrong, (long long)left);
    }
  }
}

/* --- 3: what lies --- */

static int count_range(void *arg, u32 pgno, u32 count) {
  (void)pgno;
  *(u64 *)arg += count;
  return SQLITE_OK;
}

static void test_lies(void) {
  static const Shape shape = {4096, 1, 345, 0};
  u8 ref[ARRAY_REF_SIZE], *out = NULL;
  Array a;
  ArrayMap map;
  const u8 *at;
  u32 items;
  PageHold hold;
  PageTx tx;
  Life l;
  int rc;
  memset(&l, 0, sizeof l);
  l.shape = shape;
  l.model = calloc(1000, sizeof *l.model);
  l.home = home_new(0, 1);
  rc = pages_open(&l.home->base, &l.pages);
  if (rc || l.model == NULL) abort();
  l.count = 1;
  array_init(&l.array, l.pages, id, shape.stride, shape.extent_pages);
  CHECK(pages_prepare(l.pages, 1) == SQLITE_OK && fold(&l, 1, grow) == SQLITE_OK, "an array");

  { /* fields of a reference: {where, bytes, value} */
    static const struct {
      u32 at, size;
      u64 value;
    } lie[] = {{8, 1, 0},  {8, 1, 1},  {8, 1, 3},      {8, 1, 255},     {9, 1, 2},         {9, 1, 0},
               {12, 4, 8}, {16, 8, 0}, {16, 8, 9},     {16, 8, 172000}, {16, 8, 1u << 24}, {16, 8, ~(u64)0},
               {24, 8, 6}, {0, 4, 0},  {0, 4, 100000}, {4, 4, 0}};
    for (u32 i = 0; i < sizeof lie / sizeof *lie; i++) {
      memcpy(ref, l.ref, sizeof ref);
      for (u32 k = 0; k < lie[i].size; k++) ref[lie[i].at + k] = (u8)(lie[i].value >> 8 * k);
      rc = array_open(&a, l.pages, id, shape.stride, shape.extent_pages, ref);
      if (rc == SQLITE_OK) rc = array_load(&a);
      array_free(&a);
      CHECK(rc == SQLITE_CORRUPT_VTAB, "a reference with %llu at %u: %d", (unsigned long long)lie[i].value, lie[i].at,
            rc);
    }
  }
  { /* the same for who does not know the array's shape: the reference says it */
    static const struct {
      u32 at, size;
      u64 value;
    } lie[] = {{9, 1, 0}, {9, 1, 65}, {9, 1, 255}, {12, 4, 0}, {12, 4, 4097}, {12, 4, 0xffffffff}, {8, 1, 255}};
    u64 pages = 0;
    CHECK(array_pages_at(l.pages, id, l.ref, count_range, &pages) == SQLITE_OK && pages > l.array.extent_count,
          "%llu pages of %u extents", (unsigned long long)pages, l.array.extent_count);
    for (u32 i = 0; i < sizeof lie / sizeof *lie; i++) {
      memcpy(ref, l.ref, sizeof ref);
      for (u32 k = 0; k < lie[i].size; k++) ref[lie[i].at + k] = (u8)(lie[i].value >> 8 * k);
      pages = 0;
      rc = array_pages_at(l.pages, id, ref, count_range, &pages);
      CHECK(rc == SQLITE_CORRUPT_VTAB && pages == 0, "a shape with %llu at %u: %d, %llu pages",
            (unsigned long long)lie[i].value, lie[i].at, rc, (unsigned long long)pages);
    }
  }
  /* items and extents that there are not */
  {
    u8 item[4096];
    CHECK(array_read(&l.array, l.items, item) == SQLITE_CORRUPT_VTAB, "an item beyond the last");
    CHECK(array_extent(&l.array, l.array.extent_count, &at, &items, &hold) == SQLITE_CORRUPT_VTAB,
          "an extent beyond the last");
    for (int whole = 0; whole < 2; whole++) {
      CHECK(array_map_open(&map, &l.array, l.items + 5, whole) == SQLITE_OK, "a map with room");
      CHECK(array_map_item(&map, 0) == NULL, "not touched yet");
      CHECK(array_map_get(&map, l.items + 2, &at) == SQLITE_CORRUPT_VTAB, "room that is empty");
      CHECK(array_map_get(&map, l.items + 9, &at) == SQLITE_CORRUPT_VTAB, "beyond the room");
      array_map_close(&map);
    }
  }

  /* the entry of extent 3, as its leaf would have it: pages that do not follow from the count, an extent that is not there */
  {
    ArrayWriter w;
    u8 *entry, keep[12];
    CHECK(array_load(&l.array) == SQLITE_OK, "load");
    entry = l.array.entries + 3 * 12;
    memcpy(keep, entry, sizeof keep);
    store32(entry + 4, 2);
    CHECK(array_extent(&l.array, 3, &at, &items, &hold) == SQLITE_CORRUPT_VTAB, "two pages where one belongs");
    CHECK(array_map_open(&map, &l.array, 0, 0) == SQLITE_OK, "map");
    CHECK(array_map_get(&map, 3, &at) == SQLITE_CORRUPT_VTAB, "two pages where one belongs, through a map");
    CHECK(array_map_get(&map, 4, &at) == SQLITE_OK, "its neighbour is right");
    array_map_close(&map);
    if (begin_at(&tx, l.pages, ++l.fold, l.count)) abort();
    CHECK(array_writer_begin(&w, &tx, &l.array, 1) == SQLITE_OK, "writer");
    CHECK(array_writer_edit(&w, 3, &out) == SQLITE_CORRUPT_VTAB, "an extent longer than extents are");
    array_writer_end(&w);
    memcpy(entry, keep, sizeof keep);
    store32(entry, l.count + 7);
    CHECK(array_map_open(&map, &l.array, 0, 1) == SQLITE_OK, "map");
    CHECK(array_map_touch_all(&map) == SQLITE_CORRUPT_VTAB, "an extent beyond the root's pages");
    array_map_close(&map);
    memset(entry, 0, 4);
    CHECK(array_free_pages(&l.array, &tx) == SQLITE_CORRUPT_VTAB, "an extent at page 0 is not freed");
    store32(entry, 0xfffffff0u);
    CHECK(array_free_pages(&l.array, &tx) == SQLITE_CORRUPT_VTAB, "nor one beyond the file");
    page_tx_end(&tx);
    memcpy(entry, keep, sizeof keep);
    /* a page that is not what its checksum says */
    store32(entry + 8, load32(entry + 8) ^ 1);
    CHECK(array_map_open(&map, &l.array, 0, 0) == SQLITE_OK, "map");
    CHECK(array_map_get(&map, 3, &at) == SQLITE_CORRUPT_VTAB, "another checksum");
    array_map_close(&map);
  }
  l.home->hidden = 5;
  CHECK(pages_set_count(l.pages, l.count) == SQLITE_CORRUPT_VTAB, "a root with more pages than the home has");
  l.home->hidden = l.count - 200;
  array_free(&l.array);
  CHECK(array_load(&l.array) == SQLITE_CORRUPT_VTAB, "an array with more extents than the home has pages");
  CHECK(array_extent(&l.array, 0, &at, &items, &hold) == SQLITE_CORRUPT_VTAB, "nor an extent of it");
  CHECK(array_map_open(&map, &l.array, 0, 1) == SQLITE_CORRUPT_VTAB, "nor a map");
  {
    ArrayWriter w;
    l.home->hidden = 0;
    if (begin_at(&tx, l.pages, ++l.fold, l.count)) abort();
    l.home->hidden = l.count - 200;
    CHECK(array_writer_begin(&w, &tx, &l.array, 1) == SQLITE_CORRUPT_VTAB, "nor a new version of it");
    array_writer_end(&w);
    page_tx_end(&tx);
    l.home->hidden = 0;
  }
  /* a directory whose second page is another one, and structure pages of others */
  CHECK(array_load(&l.array) == SQLITE_OK, "there again");
  {
    PageRef ref2 = l.array.nodes[1], ref1 = l.array.nodes[0];
    const u64 logical = (u64)id.tag << 40;
    CHECK(pages_get_structure(l.pages, ref1, PAGE_ARRAY, id.owner, logical, &at, &hold) == SQLITE_OK, "as it is");
    pages_release(l.pages, &hold);
    CHECK(pages_get_structure(l.pages, ref1, PAGE_TABLE, id.owner, logical, &at, &hold) == SQLITE_CORRUPT_VTAB,
          "another kind");
    CHECK(pages_get_structure(l.pages, ref1, PAGE_ARRAY, id.owner + 1, logical, &at, &hold) == SQLITE_CORRUPT_VTAB,
          "another owner");
    CHECK(pages_get_structure(l.pages, ref2, PAGE_ARRAY, id.owner, logical, &at, &hold) == SQLITE_CORRUPT_VTAB,
          "another place");
    ref1.crc ^= 1;
    CHECK(pages_get_structure(l.pages, ref1, PAGE_ARRAY, id.owner, logical, &at, &hold) == SQLITE_CORRUPT_VTAB,
          "another checksum");
    { /* of which kind a page is */
      PageKind kind;
      u8 page[PAGE_SIZE];
      CHECK(pages_structure_kind(l.pages, ref1, &kind) == SQLITE_CORRUPT_VTAB, "not if its checksum is another");
      ref1.crc ^= 1;
      CHECK(pages_structure_kind(l.pages, ref1, &kind) == SQLITE_OK && kind == PAGE_ARRAY, "an array's");
      if (l.home->base.methods->read(&l.home->base, ref1.pgno, 1, page)) abort();
      page[PAGE_SIZE - 1] ^= 1;
      if (l.home->base.methods->write(&l.home->base, ref1.pgno, 1, page)) abort();
      CHECK(pages_structure_kind(l.pages, ref1, &kind) == SQLITE_CORRUPT_VTAB, "not if its bytes are others");
      page[PAGE_SIZE - 1] ^= 1;
      if (l.home->base.methods->write(&l.home->base, ref1.pgno, 1, page)) abort();
      home_calls.at = home_calls.calls + 1;
      CHECK(pages_structure_kind(l.pages, ref1, &kind) == SQLITE_IOERR, "not if it cannot be read");
      home_calls.at = 0;
    }
    {
      u8 page[PAGE_SIZE];
      PageRef up = l.array.root, wrong;
      if (begin_at(&tx, l.pages, ++l.fold, l.count)) abort();
      CHECK(pages_get_structure(l.pages, up, PAGE_ARRAY, id.owner, logical | (u64)1 << 32, &at, &hold) == SQLITE_OK,
            "the root");
      memcpy(page, at, PAGE_SIZE);
      pages_release(l.pages, &hold);
      store32(page + PAGE_HEADER_SIZE, ref2.pgno);
      store32(page + PAGE_HEADER_SIZE + 4, ref2.crc);
      CHECK(page_tx_put_structure(&tx, page, PAGE_ARRAY, 1, id.owner, logical | (u64)1 << 32, &wrong) == SQLITE_OK,
            "written");
      if (pages_set_count(l.pages, page_tx_count(&tx))) abort();
      memcpy(ref, l.ref, sizeof ref);
      store32(ref, wrong.pgno);
      store32(ref + 4, wrong.crc);
      CHECK(array_open(&a, l.pages, id, shape.stride, shape.extent_pages, ref) == SQLITE_OK, "its reference is right");
      CHECK(array_load(&a) == SQLITE_CORRUPT_VTAB, "its directory has the second page first");
      array_free(&a);
      page_tx_end(&tx);
    }
  }
  memset(ref, 1, sizeof ref);
  array_init(&a, l.pages, id, 8, 1);
  array_put_ref(&a, ref);
  CHECK(array_open(&a, l.pages, id, 8, 1, ref) == SQLITE_OK && a.count == 0, "the reference of an empty array");
  array_free(&l.array);
  pages_close(l.pages);
  free(l.model);
}

/* Items of two pages; the checksum of the first is wrong. */
static void test_first_page(void) {
  static const Shape shape = {8192, 4, 5, 0};
  Life l;
  ArrayMap map;
  const u8 *at;
  memset(&l, 0, sizeof l);
  l.shape = shape;
  l.model = calloc(100, sizeof *l.model);
  l.home = home_new(0, 1);
  if (pages_open(&l.home->base, &l.pages) || l.model == NULL) abort();
  l.count = 1;
  array_init(&l.array, l.pages, id, shape.stride, shape.extent_pages);
  CHECK(pages_prepare(l.pages, 1) == SQLITE_OK && fold(&l, 1, grow) == SQLITE_OK, "an array");
  store32(l.array.entries + 8, load32(l.array.entries + 8) ^ 1);
  CHECK(array_map_open(&map, &l.array, 0, 0) == SQLITE_OK, "a map");
  CHECK(array_map_get(&map, 0, &at) == SQLITE_CORRUPT_VTAB && array_map_get(&map, 1, &at) == SQLITE_OK,
        "only that item is lost");
  CHECK(array_map_touch(&map, 0) == SQLITE_OK, "touched already");
  array_map_close(&map);
  array_free(&l.array);
  pages_close(l.pages);
  free(l.model);
}

/* Blocks of memory as a home: what is not there, what lies in two blocks, what was written by others since. */
static void test_memory_home(void) {
  Home *home = NULL;
  u8 data[3 * PAGE_SIZE], back[3 * PAGE_SIZE];
  const u8 *out;
  memset(data, 1, sizeof data);
  if (home_memory_open(1, &home)) abort();
  CHECK(home->methods->write(home, 4, 2, data) == SQLITE_OK, "pages behind a gap");
  memset(data, 2, sizeof data);
  CHECK(home->methods->write(home, 5, 2, data) == SQLITE_OK, "one of them again, and one more");
  CHECK(home->methods->map(home, 5, 2, &out) == SQLITE_OK && out && out[0] == 2, "a block");
  CHECK(home->methods->map(home, 4, 3, &out) == SQLITE_OK && out == NULL, "two blocks cannot be mapped as one");
  CHECK(home->methods->read(home, 4, 3, back) == SQLITE_OK && back[0] == 1 && back[PAGE_SIZE] == 2, "but read");
  CHECK(home->methods->map(home, 3, 1, &out) == SQLITE_CORRUPT_VTAB, "the gap");
  CHECK(home->methods->read(home, 3, 2, back) == SQLITE_CORRUPT_VTAB, "the gap, read");
  CHECK(home->methods->map(home, 6, 2, &out) == SQLITE_CORRUPT_VTAB, "beyond the end");
  CHECK(home->methods->read(home, 6, 2, back) == SQLITE_CORRUPT_VTAB, "beyond the end, read");
  home->methods->close(home);
  memory.calls = 0;
  memory.at = 1;
  CHECK(home_memory_open(1, &home) == SQLITE_NOMEM, "no memory");
  memory.at = 0;
}

/* A head that is not ours, in files of one page and of more. */
static void test_head(void) {
  TestHome *home = home_new(1, 0);
  Pages *pages;
  u8 page[PAGE_SIZE] = "something else";
  if (pages_open(&home->base, &pages)) abort();
  CHECK(pages_check_head(pages) == SQLITE_NOTADB, "no file to speak of");
  CHECK(pages_prepare(pages, 0) == SQLITE_NOTADB, "which had a root");
  if (test_write(&home->base, 0, 1, page)) abort();
  CHECK(pages_check_head(pages) == SQLITE_NOTADB, "another head");
  CHECK(pages_prepare(pages, 1) == SQLITE_OK && pages_check_head(pages) == SQLITE_OK,
        "a first root may write over a single page");
  if (test_write(&home->base, 0, 1, page) || test_write(&home->base, 1, 1, page)) abort();
  CHECK(pages_prepare(pages, 1) == SQLITE_NOTADB, "but not over a file of more");
  pages_close(pages);
  pages_close(NULL);
}

/* More extents than two levels of a directory hold: 15 * 508 of 64 pages. Only the first item of them is not zeros. */
static void test_three_levels(void) {
  static const Shape shape = {64 * PAGE_SIZE, 64, 0, 0};
  const u64 count = 15 * 508 + 20;
  u8 ref[ARRAY_REF_SIZE], *item = malloc(shape.stride);
  Pages *pages;
  Array a;
  ArrayWriter w;
  PageTx tx;
  int rc = pages_open(&home_new(1, 0)->base, &pages);
  if (rc || item == NULL) abort();
  array_init(&a, pages, id, shape.stride, shape.extent_pages);
  CHECK(pages_prepare(pages, 1) == SQLITE_OK && begin_at(&tx, pages, 1, 1) == SQLITE_OK, "begin");
  rc = array_writer_begin(&w, &tx, &a, 0);
  while (rc == SQLITE_OK && w.count < count) {
    u8 *out;
    u64 got;
    rc = array_writer_append(&w, 1, &out, &got);
    if (rc == SQLITE_OK) memset(out, 0, shape.stride);
    if (rc == SQLITE_OK && w.count == count) store64(out, 0x123456789abcdefu);
  }
  if (rc == SQLITE_OK) rc = array_writer_finish(&w, ref);
  array_writer_end(&w);
  CHECK(rc == SQLITE_OK && ref[8] == 3, "%llu extents: %d, %d levels", (unsigned long long)count, rc, ref[8]);
  rc = pages_set_count(pages, page_tx_count(&tx));
  page_tx_end(&tx);
  if (rc == SQLITE_OK) rc = array_open(&a, pages, id, shape.stride, shape.extent_pages, ref);
  if (rc == SQLITE_OK) rc = array_read(&a, count - 1, item);
  CHECK(rc == SQLITE_OK && load64(item) == 0x123456789abcdefu, "the last item: %d", rc);
  array_free(&a);
  pages_close(pages);
  free(item);
}

/* --- 4: where pages come from --- */

static u32 take(PageTx *tx, u32 count) {
  u32 pgno = 0;
  return page_tx_alloc(tx, count, &pgno) == SQLITE_OK ? pgno : 0;
}

static void begin(PageTx *tx, Pages *pages, u32 count, const PageRange *ranges, u32 range_count) {
  int rc = SQLITE_OK;
  FreePages free_pages = {0};
  PageRange *copy = mem_array(&rc, range_count, sizeof *copy);
  if (rc) abort();
  if (range_count) memcpy(copy, ranges, range_count * sizeof *copy);
  free_pages.reusable = copy;
  free_pages.reusable_count = range_count;
  if (page_tx_begin(tx, pages, 1, count, count, &free_pages)) abort();
}

static int asks(void *arg) { return *(int *)arg; }

static void test_alloc(void) {
  static const PageRange ranges[] = {{3, 2}, {10, 5}, {SEGMENT_PAGES - 3, 10}};
  TestHome *home = home_new(1, 0);
  Pages *pages;
  PageTx tx;
  u32 pgno = 0;
  u8 page[PAGE_SIZE] = {0};
  int many = 1;
  if (pages_open(&home->base, &pages) || test_write(&home->base, 99, 1, page)) abort();

  begin(&tx, pages, 80, ranges, 3);
  CHECK(tx.base == 80 && tx.end == 100 && page_tx_count(&tx) == 80,
        "what lies beyond the root's count does not count yet");
  CHECK(take(&tx, 4) == 10, "the first range that is large enough");
  CHECK(take(&tx, 2) == 3 && take(&tx, 1) == 14, "what is left of them");
  CHECK(take(&tx, 6) == SEGMENT_PAGES, "not across two segments");
  CHECK(take(&tx, 2) == SEGMENT_PAGES - 3 && take(&tx, 1) == SEGMENT_PAGES - 1, "what lay before it is free still");
  CHECK(take(&tx, 1) == SEGMENT_PAGES + 6 && tx.free_count == 0 && tx.used_free == 17, "%u pages used", tx.used_free);
  CHECK(take(&tx, 3) == 100 && page_tx_count(&tx) == 103, "new ones at the file's end");
  CHECK(tx.freed_count == 1 && tx.freed[0].first == 80 && tx.freed[0].count == 20,
        "growth that did not commit is free");
  CHECK(page_tx_free(&tx, 50, 2) == SQLITE_OK && page_tx_free(&tx, 52, 3) == SQLITE_OK && tx.freed_count == 2 &&
            tx.freed[1].count == 5,
        "neighbours become one range");
  CHECK(page_tx_free(&tx, 60, 0) == SQLITE_OK && tx.freed_count == 2, "nothing");
  CHECK(page_tx_free(&tx, 0, 1) == SQLITE_CORRUPT_VTAB, "page 0 is nobody's");
  CHECK(page_tx_free(&tx, 102, 2) == SQLITE_CORRUPT_VTAB, "beyond the file");
  CHECK(page_tx_free(&tx, 0xffffffffu, 0xffffffffu) == SQLITE_CORRUPT_VTAB, "far beyond it");
  CHECK(!page_tx_interrupted(&tx), "nobody asks");
  tx.interrupted = asks;
  tx.interrupt_arg = &many;
  CHECK(page_tx_interrupted(&tx), "somebody does");
  many = 0;
  CHECK(!page_tx_interrupted(&tx), "and now not");
  many = 1;
  page_tx_end(&tx);

  /* ranges split so often that their list grows */
  {
    PageRange all[16];
    for (u32 i = 0; i < 16; i++) all[i] = (PageRange){(i + 1) * SEGMENT_PAGES - 1, 3};
    begin(&tx, pages, 17 * SEGMENT_PAGES, all, 16);
    for (u32 i = 0; i < 16; i++) many &= take(&tx, 2) == (i + 1) * SEGMENT_PAGES;
    CHECK(many && tx.free_count == 16, "the page before each is left");
    page_tx_end(&tx);
    begin(&tx, pages, 17 * SEGMENT_PAGES, all, 16);
    memory.calls = 0;
    memory.at = 1;
    CHECK(page_tx_alloc(&tx, 2, &pgno) == SQLITE_NOMEM, "no memory for the list of ranges");
    memory.at = 0;
    page_tx_end(&tx);
  }

  /* the end of a segment */
  begin(&tx, pages, SEGMENT_PAGES - 5, NULL, 0);
  CHECK(take(&tx, 6) == SEGMENT_PAGES && page_tx_count(&tx) == SEGMENT_PAGES + 6, "an extent begins the next one");
  CHECK(tx.freed_count == 1 && tx.freed[0].first == SEGMENT_PAGES - 5 && tx.freed[0].count == 5,
        "what is left of it is free");
  page_tx_end(&tx);
  begin(&tx, pages, SEGMENT_PAGES - 5, NULL, 0);
  memory.calls = 0;
  memory.at = 1;
  CHECK(page_tx_alloc(&tx, 6, &pgno) == SQLITE_NOMEM, "no memory to note that");
  memory.at = 0;
  page_tx_end(&tx);

  /* the largest file */
  begin(&tx, pages, 0xffffffeeu, NULL, 0);
  CHECK(take(&tx, 2) == 0xffffffeeu, "the last pages");
  CHECK(page_tx_alloc(&tx, 1, &pgno) == SQLITE_FULL, "none after them");
  page_tx_end(&tx);
  pages_close(pages);
}

/* Which range pages are taken from. */
static void test_choice(void) {
  static const PageRange ranges[] = {{10, 70}, {100, 5}, {120, 3}, {130, 66}, {210, 2}};
  static const PageRange low[] = {{10, 70}, {90, 3}};
  TestHome *home = home_new(1, 0);
  Pages *pages;
  PageTx tx;
  u8 page[PAGE_SIZE] = {0};
  if (pages_open(&home->base, &pages) || test_write(&home->base, 219, 1, page)) abort();
  begin(&tx, pages, 200, ranges, 5);
  CHECK(take(&tx, 2) == 120 && take(&tx, 1) == 122, "the smallest, not the one behind the store's end");
  CHECK(take(&tx, 4) == 100 && take(&tx, 64) == 130, "an extent, too");
  CHECK(take(&tx, 2) == 194 && take(&tx, 2) == 10, "and when they are gone, what is left of a large one");
  page_tx_end(&tx);

  begin(&tx, pages, 200, ranges, 5);
  CHECK(!page_tx_plan_closing(&tx), "no work is allowed");
  tx.spare = 100;
  CHECK(!page_tx_plan_closing(&tx) && tx.move_from == 0, "there are ranges for extents");
  page_tx_plan_moves(&tx, 150);
  CHECK(tx.move_from == 0, "all of the 144 pages are kept for the fold itself");
  page_tx_plan_moves(&tx, 142);
  CHECK(tx.move_from == 198, "from %u on: two of them are not", tx.move_from);
  page_tx_end(&tx);

  begin(&tx, pages, 200, low, 2);
  tx.spare = 100;
  page_tx_plan_moves(&tx, 0);
  CHECK(tx.move_from == 127, "from %u on: as many as there is room for", tx.move_from);
  CHECK(page_tx_moves(&tx, 199, 1) && take(&tx, 1) == 90, "the lowest of those that take no extent");
  CHECK(take(&tx, 64) == 10, "the lowest that takes one");
  page_tx_end(&tx);

  begin(&tx, pages, 200, ranges + 1, 2);
  tx.spare = 100;
  CHECK(page_tx_plan_closing(&tx) && tx.move_from == 105, "from %u on: what lies between ranges", tx.move_from);
  CHECK(page_tx_moves(&tx, 110, 5) && take(&tx, 5) == 100, "goes into the first");
  page_tx_end(&tx);
  pages_close(pages);
}

/* The pages that are moved, and where the store ends; [u]sed, [f]ree, [w]aiting. */
static void test_space(void) {
  static const PageRange reusable[] = {{10, 20}, {60, 5}, {90, 10}}, waiting[] = {{40, 4}, {100, 20}};
  TestHome *home = home_new(1, 0);
  Pages *pages;
  PageTx tx;
  FreePages lists;
  u32 left;
  u8 page[PAGE_SIZE] = {0};
  int rc = SQLITE_OK, round;
  if (pages_open(&home->base, &pages) || test_write(&home->base, 129, 1, page)) abort();
  for (round = 0; round < 4; round++) { /* count 100; 100..119 known behind it, 120..129 garbage */
    memset(&lists, 0, sizeof lists);
    lists.reusable = mem_array(&rc, 3, sizeof *reusable);
    lists.waiting = mem_array(&rc, 2, sizeof *waiting);
    if (rc) abort();
    memcpy(lists.reusable, reusable, sizeof reusable);
    memcpy(lists.waiting, waiting, sizeof waiting);
    lists.reusable_count = 3;
    lists.waiting_count = 2;
    lists.complete = round != 3;
    if (page_tx_begin(&tx, pages, 7, 100, 120, &lists)) abort();
    CHECK(lists.reusable == NULL && lists.waiting == NULL, "the lists are the transaction's");
    page_tx_plan_moves(&tx, 0);
    CHECK(tx.move_from == 0 && !page_tx_moves(&tx, 99, 1), "no work is allowed");
    if (round ==
        0) { /* used: 1..9, 30..39, 44..59, 65..89; the 25 of the last go below, and 15 reusable pages are left of 20 + 5 + 10 - 10 - 10 */
      tx.spare = 1000;
      page_tx_plan_moves(&tx, 0);
      CHECK(tx.move_from == 65, "from %u on", tx.move_from);
      CHECK(!page_tx_moves(&tx, 64, 1), "a page below stays");
      CHECK(page_tx_moves(&tx, 70, 20) && tx.spare == 980 && tx.moved == 20 && take(&tx, 20) == 10,
            "an extent goes down");
      CHECK(!page_tx_moves(&tx, 65, 6), "no room for six together");
      CHECK(page_tx_moves(&tx, 65, 5) && take(&tx, 5) == 60, "but for five");
      CHECK(!page_tx_moves(&tx, 89, 1), "there is nothing lower");
    } else if (round == 1) { /* bounded work */
      tx.spare = 3;
      page_tx_plan_moves(&tx, 0);
      CHECK(tx.move_from == 65, "from %u on: three pages and an extent", tx.move_from);
      CHECK(page_tx_moves(&tx, 70, 20) && tx.spare == 0, "the extent that the work ends in");
      CHECK(!page_tx_moves(&tx, 65, 1), "no more");
    } else if (round == 2) {
      CHECK(page_tx_free(&tx, 65, 25) == SQLITE_OK, "what lay at the end");
      page_tx_cut(&tx);
      CHECK(page_tx_count(&tx) == 60, "the store ends at %u", page_tx_count(&tx));
    } else {
      CHECK(page_tx_free(&tx, 65, 35) == SQLITE_OK, "the end");
      page_tx_cut(&tx);
      CHECK(page_tx_count(&tx) == 100, "not all free pages are known: the count stays");
    }
    page_tx_end(&tx);
  }
  /* pages behind the count are used before new ones, and count then */
  memset(&lists, 0, sizeof lists);
  lists.reusable = mem_array(&rc, 1, sizeof *reusable);
  if (rc) abort();
  lists.reusable[0] = (PageRange){100, 20};
  lists.reusable_count = 1;
  lists.complete = 1;
  if (page_tx_begin(&tx, pages, 7, 100, 120, &lists)) abort();
  CHECK(take(&tx, 5) == 100 && page_tx_count(&tx) == 105, "behind the store's pages");
  page_tx_cut(&tx);
  CHECK(page_tx_count(&tx) == 105 && tx.freed_count == 0, "which ends there now");
  CHECK(take(&tx, 16) == 130 && tx.freed_count == 1 && tx.freed[0].first == 120 && tx.freed[0].count == 10,
        "garbage is free once the file is extended");
  page_tx_end(&tx);
  /* the end of the file */
  CHECK(pages_set_count(pages, 130) == SQLITE_OK && pages_truncate(pages, 200, &left) == SQLITE_OK && left == 130,
        "shorter already");
  CHECK(pages_truncate(pages, 100, &left) == SQLITE_OK && left == 100, "cut");
  CHECK(pages_set_count(pages, 101) == SQLITE_CORRUPT_VTAB, "it has no more");
  CHECK(pages_set_count(pages, 90) == SQLITE_OK && pages_limit(pages, 80) == SQLITE_OK, "roots with fewer");
  pages_close(pages);
}

/* --- 5: copies in memory --- */

static void test_copies(void) {
  enum { BLOCKS = 90, EACH = 64 }; /* 5,760 pages; 4,096 are kept */
  TestHome *home = home_new(0, 0);
  Pages *pages;
  PageTx tx;
  PageHold hold[BLOCKS], other;
  u8 *data = malloc(EACH * PAGE_SIZE), crc[BLOCKS][4 * EACH], crc1[4];
  u32 at[BLOCKS], i, good = 0;
  const u8 *out;
  u64 read;
  if (data == NULL || pages_open(&home->base, &pages) || pages_prepare(pages, 1)) abort();
  begin(&tx, pages, 1, NULL, 0);
  for (i = 0; i < BLOCKS; i++) {
    memset(data, (int)i + 1, EACH * PAGE_SIZE);
    if (page_tx_put(&tx, EACH, data, crc[i], &at[i])) abort();
  }
  if (pages_set_count(pages, page_tx_count(&tx))) abort();

  CHECK(pages_get(pages, 0, 1, crc[0], &out, &other) == SQLITE_CORRUPT_VTAB, "page 0 belongs to no array");
  CHECK(pages_get(pages, 1, 0, crc[0], &out, &other) == SQLITE_CORRUPT_VTAB, "no pages");
  CHECK(pages_get(pages, 1, EACH + 1, crc[0], &out, &other) == SQLITE_CORRUPT_VTAB, "more than an extent has");
  CHECK(pages_get(pages, at[BLOCKS - 1] + 1, EACH, crc[0], &out, &other) == SQLITE_CORRUPT_VTAB,
        "beyond the root's pages");

  for (i = 0; i < BLOCKS; i++) { /* all in use: none can go */
    good += pages_get(pages, at[i], EACH, crc[i], &out, &hold[i]) == SQLITE_OK && out[100] == i + 1;
  }
  CHECK(good == BLOCKS && pages_stats(pages)->read == BLOCKS * EACH, "%u blocks", good);
  for (i = 0; i < BLOCKS; i++) pages_release(pages, &hold[i]);
  read = pages_stats(pages)->read;
  /* a new one drives out the oldest, down to what is kept */
  if (pages_get(pages, at[0] + 1, 1, crc[0] + 4, &out, &other)) abort();
  pages_release(pages, &other);
  pages_release(pages, &other); /* there is nothing to release */
  if (pages_get(pages, at[BLOCKS - 1], EACH, crc[BLOCKS - 1], &out, &other)) abort();
  pages_release(pages, &other);
  CHECK(pages_stats(pages)->read == read + 1, "the newest is still there");
  if (pages_get(pages, at[0], EACH, crc[0], &out, &other)) abort();
  CHECK(pages_stats(pages)->read == read + 1 + EACH, "the oldest is not");

  /* written again: a reader keeps what it saw, others see the new bytes */
  memset(data, 200, EACH * PAGE_SIZE);
  {
    PageTx again;
    const PageRange range[] = {{at[0] + 1, 1}};
    const u8 *fresh;
    PageHold mine;
    u32 pgno;
    begin(&again, pages, page_tx_count(&tx), range, 1);
    if (page_tx_put(&again, 1, data, crc1, &pgno) || pgno != at[0] + 1) abort();
    CHECK(out[PAGE_SIZE] == 1, "its reader's copy stays");
    CHECK(pages_get(pages, pgno, 1, crc1, &fresh, &mine) == SQLITE_OK && fresh[0] == 200, "the new bytes");
    pages_release(pages, &other);
    pages_release(pages, &mine);
    CHECK(pages_get(pages, at[0], EACH, crc[0], &out, &other) == SQLITE_CORRUPT_VTAB,
          "the old block is gone: its checksum is wrong now");
    page_tx_end(&again);
  }
  page_tx_end(&tx);
  pages_close(pages);
  free(data);
}

/* --- 6: overlays, memory --- */

static void test_overlay(void) {
  static const u32 sizes[] = {12};
  const float vector[3] = {1, 2, 3};
  const void *vectors[] = {vector}, *none[] = {NULL};
  const u64 fields[] = {5, FIELD_OTHER}, changed[] = {6, 7};
  Overlay *o = NULL, *also;
  u32 row;
  if (overlay_new(1, sizes, 2, &o)) abort();
  CHECK(!overlay_killed(o, 0, 7) && overlay_find(o, 0, 1) == NO_ROW, "empty");
  CHECK(overlay_add(o, 1, vectors, fields) == SQLITE_OK && overlay_add(o, 1, none, fields) == SQLITE_OK,
        "the same row twice");
  row = overlay_find(o, 2, 1);
  CHECK(row == 1 && overlay_find(o, 1, 1) == 0 && overlay_find(o, 0, 1) == NO_ROW, "each length sees its own");
  CHECK(overlay_remove(o, 1, 7) == SQLITE_OK && overlay_remove(o, 1, 7) == SQLITE_OK && o->kills.count == 1,
        "a slot dies once");
  CHECK(overlay_killed(o, 3, 7) && !overlay_killed(o, 2, 7) && !overlay_killed(o, 4, 8), "dead from its operation on");
  CHECK(overlay_find(o, 2, 1) == 1 && overlay_find(o, 3, 1) == NO_ROW, "removed");
  CHECK(overlay_add(o, 1, vectors, fields) == SQLITE_OK && overlay_find(o, o->length, 1) == 2, "and back");
  CHECK(overlay_fields(o, 2)[0] == 5 && o->others == 2, "its fields");
  CHECK(overlay_patched(o, o->length, 9) == NULL && overlay_patch(o, 9, fields) == SQLITE_OK &&
            overlay_patch(o, 9, changed) == SQLITE_OK,
        "a slot's fields change twice");
  CHECK(overlay_patched(o, o->length - 2, 9) == NULL && overlay_patched(o, o->length - 1, 9)[0] == 5 &&
            overlay_patched(o, o->length, 9)[1] == 7 && overlay_patched(o, o->length, 8) == NULL,
        "each length sees its own");
  CHECK(overlay_remove_all(o) == SQLITE_OK && overlay_remove_all(o) == SQLITE_OK, "all, twice");
  CHECK(overlay_killed(o, o->length, 99) && !overlay_killed(o, o->length - 2, 99), "every slot is dead");
  also = overlay_retain(o);
  overlay_release(also);
  o->length = 0x7fffffff;
  CHECK(overlay_note_bare(o) == SQLITE_FULL, "too long to note a bare row");
  o->length = 9;
  CHECK(overlay_note_bare(o) == SQLITE_OK && overlay_note_bare(o) == SQLITE_OK && o->bare_at == 9 && o->length == 10,
        "bare rows are noted once");
  CHECK(overlay_retain(NULL) == NULL, "there need not be one");
  o->length = 0x7fffffff;
  CHECK(overlay_add(o, 5, vectors, fields) == SQLITE_FULL, "too long to add");
  CHECK(overlay_remove(o, 5, 1) == SQLITE_FULL, "too long to remove");
  CHECK(overlay_patch(o, 5, fields) == SQLITE_FULL, "too long to change fields");
  CHECK(overlay_remove_all(o) == SQLITE_FULL, "too long to remove all");
  overlay_release(o);
  overlay_release(NULL);
}

/* Many rows and dead slots, kept memory, two columns. */
static int fill_overlay(void) {
  static const u32 sizes[] = {5, 100};
  u8 bytes[100] = {7};
  const void *both[] = {bytes, bytes}, *second[] = {NULL, bytes};
  Overlay *o = NULL;
  u64 weight = 0;
  int rc = overlay_new(2, sizes, 0, &o);
  for (int round = 0; round < 2 && rc == SQLITE_OK; round++) {
    for (i64 i = 0; i < 600 && rc == SQLITE_OK; i++) {
      rc = overlay_add(o, i % 500 * 1000003, i % 3 ? both : second, NULL);
      if (rc == SQLITE_OK && i % 3 == 0) rc = overlay_remove(o, i % 7 ? -i : 0, i % 2 ? NO_SLOT : (u32)i * 5);
    }
    if (rc) break;
    CHECK(o->length == 800 && o->rows == 600 && o->kills.count == 100, "round %d: %u rows, %llu dead slots", round,
          o->rows, (unsigned long long)o->kills.count);
    CHECK(overlay_find(o, o->length, 499 * 1000003) == 499 && overlay_find(o, o->length, 5) == NO_ROW,
          "rows are found");
    CHECK(overlay_killed(o, o->length, 30) && !overlay_killed(o, o->length, 31), "dead slots are");
    CHECK(round == 0 || overlay_weight(o) == weight, "the same again");
    weight = overlay_weight(o);
    CHECK(overlay_memory(o) > weight / 2 && overlay_pending(o) == 800, "memory");
    if (round == 0) overlay_reset(o);
  }
  overlay_release(o);
  return rc;
}

static void test_overlay_faults(void) {
  i64 before = sqlite3_memory_used(), total, wrong = 0;
  memory.calls = 0;
  CHECK(fill_overlay() == SQLITE_OK, "without a fault");
  total = memory.calls;
  for (i64 n = 1; n <= total; n++) {
    memory.calls = 0;
    memory.at = n;
    wrong += fill_overlay() != SQLITE_NOMEM || sqlite3_memory_used() != before;
    memory.at = 0;
  }
  CHECK(total > 15 && wrong == 0, "%lld of %lld", (long long)wrong, (long long)total);
}

static void test_memory(void) {
  int rc = SQLITE_OK;
  u64 cap = 0;
  void *p = NULL;
  CHECK(mem_array(&rc, (u64)1 << 40, (u64)1 << 40) == NULL && rc == SQLITE_NOMEM, "a product that does not fit");
  CHECK(mem_array(&rc, 1, 1) == NULL && rc == SQLITE_NOMEM, "an error stays");
  rc = SQLITE_OK;
  p = mem_array(&rc, 5, 0);
  CHECK(p != NULL && rc == SQLITE_OK, "items of no size");
  mem_free(p);
  p = NULL;
  memory.calls = 0;
  memory.at = 1;
  CHECK(mem_strdup(&rc, "text") == NULL && rc == SQLITE_NOMEM, "no memory");
  memory.at = 0;
  CHECK(mem_reserve(&p, &cap, (u64)1 << 61, 16) == SQLITE_NOMEM && p == NULL && cap == 0, "an array that does not fit");
}

/* --- 7: the file beside a database --- */

static char directory[] = "/tmp/quire-pages-XXXXXX";
static char database[100], page_file[110];

static Home *file_home(int plain, int read_only) {
  HomeFileSpec spec = {sqlite3_vfs_find(NULL), database, plain, read_only};
  Home *home = NULL;
  if (home_file_open(&spec, &home)) abort();
  return home;
}

/* A page file that has `pages` pages of zeros, but for its first bytes: `mark` on page 0 and on the page behind the first segment. */
static void make_page_file(u32 pages, u8 mark) {
  FILE *f;
  unlink(page_file);
  f = fopen(page_file, "wb");
  if (f == NULL || fwrite(&mark, 1, 1, f) != 1) abort();
  if (pages > SEGMENT_PAGES && (fseeko(f, (off_t)SEGMENT_PAGES * PAGE_SIZE, SEEK_SET) || fwrite(&mark, 1, 1, f) != 1))
    abort();
  if (fflush(f) || ftruncate(fileno(f), (off_t)pages * PAGE_SIZE) || fclose(f)) abort();
}

static void set_limit(int what, rlim_t value, struct rlimit *old) {
  struct rlimit now;
  if (getrlimit(what, old)) abort();
  now = *old;
  now.rlim_cur = value;
  if (setrlimit(what, &now)) abort();
}

/* The lowest free descriptor: with it as the limit no more are given. */
static int next_descriptor(void) {
  int fd = dup(0);
  if (fd < 0) abort();
  close(fd);
  return fd;
}

static void test_file(void) {
  const u32 pages = SEGMENT_PAGES + 100;
  struct rlimit limit;
  Home *home, *other;
  const u8 *at = NULL, *old = NULL;
  u8 page[PAGE_SIZE], many[40 * PAGE_SIZE];
  u32 size = 7;
  int changed = 7;
  FILE *f;
  if (mkdtemp(directory) == NULL) abort();
  snprintf(database, sizeof database, "%s/a.db", directory);
  snprintf(page_file, sizeof page_file, "%s-quire", database);
  f = fopen(database, "wb");
  if (f == NULL || fclose(f)) abort();

  /* missing, made, written */
  home = file_home(1, 0);
  CHECK(home->methods->size(home, &size) == SQLITE_CANTOPEN && size == 0, "no file: no size");
  CHECK(home->methods->read(home, 0, 1, page) == SQLITE_CANTOPEN, "nothing to read");
  CHECK(home->methods->write(home, 0, 1, page) == SQLITE_CANTOPEN, "nothing to write to");
  CHECK(home->methods->sync(home) == SQLITE_CANTOPEN, "nothing to sync");
  CHECK(home->methods->follow(home, &changed) == SQLITE_OK && !changed, "nothing to follow");
  CHECK(home->methods->prepare(home, 1) == SQLITE_OK && access(page_file, F_OK) == 0, "made");
  memset(many, 3, sizeof many);
  CHECK(home->methods->write(home, 0, 40, many) == SQLITE_OK && home->methods->sync(home) == SQLITE_OK,
        "written in pieces");
  memset(many, 0, sizeof many);
  CHECK(home->methods->read(home, 0, 40, many) == SQLITE_OK && many[0] == 3 && many[sizeof many - 1] == 3,
        "read in pieces");
  CHECK(home->methods->size(home, &size) == SQLITE_OK && size == 40, "its size");
  CHECK(home->methods->read(home, 30, 20, many) == SQLITE_CORRUPT_VTAB, "a file that ends amid what is read");
  CHECK(home->methods->prepare(home, 0) == SQLITE_OK, "it is there");
  home->methods->close(home);

  other = file_home(1, 1);
  CHECK(other->methods->prepare(other, 0) == SQLITE_READONLY, "not for a database that is only read");
  CHECK(other->methods->size(other, &size) == SQLITE_OK && size == 40, "which reads it");
  other->methods->close(other);

  /* segments */
  make_page_file(pages, 11);
  home = file_home(1, 0);
  CHECK(home->methods->map(home, SEGMENT_PAGES, 2, &at) == SQLITE_OK && at && at[0] == 11, "the second segment first");
  CHECK(home->methods->map(home, 0, 64, &old) == SQLITE_OK && old && old[0] == 11, "then the first");
  CHECK(home->methods->map(home, SEGMENT_PAGES - 1, 2, &at) == SQLITE_CORRUPT_VTAB, "an extent in both");
  /* the name means another file: what was mapped stays */
  CHECK(home->methods->size(home, &size) == SQLITE_OK && size == pages, "its size");
  make_page_file(50, 12);
  CHECK(home->methods->follow(home, &changed) == SQLITE_OK && changed, "another file");
  CHECK(home->methods->size(home, &size) == SQLITE_OK && size == 50 && old[0] == 11,
        "the new one's size; the old one's bytes");
  CHECK(home->methods->map(home, 0, 1, &at) == SQLITE_OK && at && at[0] == 12, "the new one's bytes");
  make_page_file(50, 13);
  CHECK(home->methods->follow(home, &changed) == SQLITE_OK && changed, "and another");
  CHECK(home->methods->follow(home, &changed) == SQLITE_OK && !changed, "which is the one now");
  home->methods->close(home);
  /* replaced between opening and mapping: it is read, from the file that was opened */
  home = file_home(1, 0);
  CHECK(home->methods->size(home, &size) == SQLITE_OK, "opened");
  make_page_file(50, 14);
  CHECK(home->methods->map(home, 0, 1, &at) == SQLITE_OK && at == NULL, "not mapped");
  CHECK(home->methods->read(home, 0, 1, page) == SQLITE_OK && page[0] == 13, "read");
  home->methods->close(home);
  home = file_home(0, 0);
  CHECK(home->methods->map(home, 0, 1, &at) == SQLITE_OK && at == NULL, "a VFS that is not plain is never mapped");
  home->methods->close(home);

  /* no descriptor, no address space, no memory */
  home = file_home(1, 0);
  CHECK(home->methods->size(home, &size) == SQLITE_OK, "opened");
  set_limit(RLIMIT_NOFILE, (rlim_t)next_descriptor(), &limit);
  CHECK(home->methods->map(home, 0, 1, &at) == SQLITE_OK && at == NULL, "no descriptor is left");
  setrlimit(RLIMIT_NOFILE, &limit);
  CHECK(home->methods->read(home, 0, 1, page) == SQLITE_OK && page[0] == 14, "read instead");
  home->methods->close(home);
#if defined(__linux__)
  if (getenv("ASAN_OPTIONS") == NULL) { /* a sanitizer maps memory of its own */
    home = file_home(1, 0);
    set_limit(RLIMIT_AS, 1, &limit);
    CHECK(home->methods->map(home, 0, 1, &at) == SQLITE_OK && at == NULL, "no room for a segment");
    setrlimit(RLIMIT_AS, &limit);
    home->methods->close(home);
  }
#endif
  home = file_home(1, 0);
  memory.calls = 0;
  memory.at = 1;
  CHECK(home->methods->map(home, 0, 1, &at) == SQLITE_NOMEM, "no memory for the list of segments");
  memory.at = 0;
  memory.calls = 0;
  memory.at = 1;
  CHECK(home->methods->size(home, &size) == SQLITE_NOMEM, "nor for the file's handle");
  memory.at = 0;
  CHECK(home->methods->map(home, 0, 1, &at) == SQLITE_OK && at, "now there is");
  CHECK(home->methods->size(home, &size) == SQLITE_OK, "and for that");
  make_page_file(50, 15);
  memory.calls = 0;
  memory.at = 1;
  CHECK(home->methods->follow(home, &changed) == SQLITE_NOMEM && changed, "no memory to keep what was mapped");
  memory.at = 0;
  home->methods->close(home);
  {
    HomeFileSpec spec = {sqlite3_vfs_find(NULL), database, 1, 0};
    i64 before = sqlite3_memory_used(), total, wrong = 0;
    memory.calls = 0;
    home = file_home(1, 0);
    total = memory.calls;
    home->methods->close(home);
    for (i64 n = 1; n <= total; n++) {
      memory.calls = 0;
      memory.at = n;
      wrong += home_file_open(&spec, &home) != SQLITE_NOMEM || sqlite3_memory_used() != before;
      memory.at = 0;
    }
    CHECK(total >= 4 && wrong == 0, "%lld of %lld allocations", (long long)wrong, (long long)total);
  }

  /* what cannot be opened */
  unlink(page_file);
  if (symlink(database, page_file)) abort();
  home = file_home(1, 0);
  CHECK(home->methods->size(home, &size) != SQLITE_OK, "a symbolic link");
  CHECK(home->methods->prepare(home, 1) != SQLITE_OK, "not written through");
  home->methods->close(home);
  unlink(page_file);
  if (mkdir(page_file, 0700)) abort();
  home = file_home(1, 0);
  CHECK(home->methods->read(home, 0, 1, page) != SQLITE_OK && home->methods->write(home, 0, 1, page) != SQLITE_OK,
        "a directory");
  home->methods->close(home);
  rmdir(page_file);
  unlink(database);
  rmdir(directory);
}

/* --- 8: root and catalog --- */

typedef struct Visit {
  u64 pages, most; /* it refuses the next one */
} Visit;

static int visit_page(void *arg, u32 pgno, u32 count) {
  Visit *v = arg;
  if (pgno == 0 || v->pages + count > v->most) return SQLITE_ABORT;
  v->pages += count;
  return SQLITE_OK;
}

/* A root with `count` tables of a page each; with `crowded`, of none. */
static int write_catalog(Pages *pages, u64 count, int crowded, State *state) {
  CatalogEntry *entries = calloc(count + 1, sizeof *entries);
  PageTx tx;
  u32 first = 0;
  int rc = pages_prepare(pages, 1);
  if (entries == NULL) abort();
  for (u64 i = 0; i < count; i++) entries[i] = (CatalogEntry){i * 3 + 1, {(u32)i + 1, (u32)i * 7}};
  memset(state, 0, sizeof *state);
  memset(state->uuid, 0x5a, UUID_SIZE);
  state->gen = 12345678901;
  state->n = 1;
  if (rc == SQLITE_OK) {
    rc = begin_at(&tx, pages, 1, 1);
    if (rc == SQLITE_OK && count && !crowded) rc = page_tx_alloc(&tx, (u32)count, &first);
    if (rc == SQLITE_OK) rc = catalog_write(&tx, state, entries, count);
    page_tx_end(&tx);
  }
  if (rc == SQLITE_OK) rc = pages_set_count(pages, state->pages);
  free(entries);
  return rc;
}

static int catalog_life(TestHome *home, u64 count) {
  Pages *pages = NULL;
  State state;
  CatalogEntry *entries = NULL;
  u64 got = 0, wrong = 0;
  Visit all = {0, UINT64_MAX};
  int rc = pages_open(&home->base, &pages);
  if (rc) return rc;
  rc = write_catalog(pages, count, 0, &state);
  if (rc == SQLITE_OK) rc = catalog_read(pages, &state, &entries, &got);
  if (rc == SQLITE_OK) {
    for (u64 i = 0; i < got; i++)
      wrong += entries[i].id != i * 3 + 1 || entries[i].ref.pgno != i + 1 || entries[i].ref.crc != i * 7;
    CHECK(got == count && wrong == 0, "of %llu tables %llu are read, %llu wrong", (unsigned long long)count,
          (unsigned long long)got, (unsigned long long)wrong);
  }
  mem_free(entries);
  if (rc == SQLITE_OK) rc = catalog_walk(pages, &state, visit_page, &all);
  if (rc == SQLITE_OK)
    CHECK(all.pages + count + 1 == state.pages, "%llu pages of %u, %llu tables", (unsigned long long)all.pages,
          state.pages, (unsigned long long)count);
  pages_close(pages);
  return rc;
}

static void test_catalog(void) {
  static const u64 counts[] = {0, 1, 251, 252, 253, 600, 1100};
  Pages *pages;
  State state, other;
  CatalogEntry *entries = NULL;
  u64 got;
  for (u32 i = 0; i < sizeof counts / sizeof *counts; i++) {
    struct {
      i64 *calls, *at;
      int code;
    } kind[] = {{&memory.calls, &memory.at, SQLITE_NOMEM}, {&home_calls.calls, &home_calls.at, SQLITE_IOERR}};
    for (int k = 0; k < 2; k++) {
      i64 before = sqlite3_memory_used(), total, wrong = 0, left = 0;
      TestHome *home = home_new(1, 0);
      *kind[k].calls = 0;
      CHECK(catalog_life(home, counts[i]) == SQLITE_OK, "%llu tables", (unsigned long long)counts[i]);
      total = *kind[k].calls;
      for (i64 n = 1; n <= total; n++) {
        home = home_new(1, 0);
        *kind[k].calls = 0;
        *kind[k].at = n;
        wrong += catalog_life(home, counts[i]) != kind[k].code;
        *kind[k].at = 0;
        left += sqlite3_memory_used() != before;
      }
      CHECK(total > 3 && wrong == 0 && left == 0,
            "%llu tables: of %lld failed calls %lld did not come through, %lld left memory",
            (unsigned long long)counts[i], (long long)total, (long long)wrong, (long long)left);
    }
  }

  /* roots that are not the state row's */
  if (pages_open(&home_new(1, 0)->base, &pages)) abort();
  CHECK(write_catalog(pages, 600, 0, &state) == SQLITE_OK, "600 tables");
  for (u32 lie = 0; lie < 6; lie++) {
    other = state;
    if (lie == 0) other.uuid[15] ^= 1;
    if (lie == 1) other.gen++;
    if (lie == 2) other.n++;
    if (lie == 3) other.pages--;
    if (lie == 4) other.root.crc++;
    if (lie == 5) other.root.pgno--;
    CHECK(catalog_read(pages, &other, &entries, &got) == SQLITE_CORRUPT_VTAB, "lie %u is believed", lie);
  }
  /* a second page, all checksums right, that says how many tables it has: none, more than fit, more than are left */
  {
    static const u32 says[] = {0, 254, 0xffffffff, 252};
    u8 root[PAGE_SIZE], second[PAGE_SIZE], *next = root + PAGE_HEADER_SIZE + 40;
    Home *home = pages_home(pages);
    if (home->methods->read(home, state.root.pgno, 1, root)) abort();
    if (home->methods->read(home, load32(next), 1, second)) abort();
    for (u32 i = 0; i < sizeof says / sizeof *says; i++) {
      PageTx tx;
      PageRef ref;
      u8 page[PAGE_SIZE];
      other = state;
      memcpy(page, second, PAGE_SIZE);
      store32(page + PAGE_HEADER_SIZE, says[i]);
      if (begin_at(&tx, pages, 2 + i, state.pages)) abort();
      if (page_tx_put_structure_at(&tx, page, PAGE_CATALOG, 0, 0, 1, load32(next), &ref)) abort();
      memcpy(page, root, PAGE_SIZE);
      store32(page + PAGE_HEADER_SIZE + 44, ref.crc);
      if (i == 3) { /* of 300 tables 251 are in the root */
        store32(page + PAGE_HEADER_SIZE + 36, 300);
      }
      if (page_tx_put_structure_at(&tx, page, PAGE_ROOT, 0, 0, 0, state.root.pgno, &other.root)) abort();
      page_tx_end(&tx);
      CHECK(catalog_read(pages, &other, &entries, &got) == SQLITE_CORRUPT_VTAB, "a page of %u tables", says[i]);
    }
  }
  pages_close(pages);
  if (pages_open(&home_new(1, 0)->base, &pages)) abort();
  CHECK(write_catalog(pages, 600, 0, &state) == SQLITE_OK, "600 tables again");
  /* who visits may stop */
  for (u64 most = 0; most < 3; most++) {
    Visit some = {0, most};
    CHECK(catalog_walk(pages, &state, visit_page, &some) == SQLITE_ABORT && some.pages == most,
          "%llu pages, then no more", (unsigned long long)most);
  }
  pages_close(pages);
  /* more tables than pages */
  if (pages_open(&home_new(1, 0)->base, &pages)) abort();
  CHECK(write_catalog(pages, 600, 1, &state) == SQLITE_OK, "600 tables without pages");
  CHECK(catalog_read(pages, &state, &entries, &got) == SQLITE_CORRUPT_VTAB, "they are believed");
  pages_close(pages);
}

int main(void) {
  sqlite3_mem_methods failing;
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
  failing = real_memory;
  failing.xMalloc = failing_malloc;
  failing.xRealloc = failing_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
  sqlite3_initialize();
  test_life();
  test_faults_of("memory", &memory.calls, &memory.at, SQLITE_NOMEM);
  test_faults_of("the home", &home_calls.calls, &home_calls.at, SQLITE_IOERR);
  test_lies();
  test_first_page();
  test_three_levels();
  test_memory_home();
  test_head();
  test_alloc();
  test_choice();
  test_space();
  test_copies();
  test_overlay();
  test_overlay_faults();
  test_memory();
  test_file();
  test_catalog();
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
