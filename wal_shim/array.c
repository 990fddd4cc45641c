/*
 * array.c: copy-on-write arrays of fixed-size items. See array.h for the format and A1, A2.
 */
#include "array.h"

#include "bytes.h"

#define NO_EXTENT 0xffffffffu
#define NODE_FANOUT (PAGE_BODY_SIZE / 8u)

static u32 entry_size(u32 extent_pages) { return 8 + 4 * extent_pages; }
static u32 entries_per_page(u32 extent_pages) { return PAGE_BODY_SIZE / entry_size(extent_pages); }
static u64 ceil_div(u64 a, u64 b) { return (a + b - 1) / b; }

/* Logical id of a directory page. */
static u64 node_id(u32 tag, u32 level, u64 index) { return (u64)tag << 40 | (u64)level << 32 | index; }

/* Pages of an extent that holds `items` items. */
static u32 pages_for(u64 items, u32 stride) { return (u32)ceil_div(items * stride, PAGE_SIZE); }

/* --- reading --- */

int array_init(Array *array, Pages *pages, ArrayId id, u32 stride, u32 extent_pages) {
  memset(array, 0, sizeof *array);
  array->pages = pages;
  array->id = id;
  array->stride = stride;
  array->extent_pages = extent_pages;
  array->per_extent = extent_pages * PAGE_SIZE / stride;
  return SQLITE_OK;
}

int array_open(Array *array, Pages *pages, ArrayId id, u32 stride, u32 extent_pages, const u8 *ref) {
  u64 extents, width = entries_per_page(extent_pages);
  u32 levels = 1;
  array_init(array, pages, id, stride, extent_pages);
  array->root.pgno = load32(ref);
  array->root.crc = load32(ref + 4);
  array->levels = ref[8];
  array->count = load64(ref + 16);
  if (array->levels == 0) return array->count == 0 ? SQLITE_OK : CORRUPT(0);
  if (ref[9] != extent_pages || load32(ref + 12) != stride || load64(ref + 24) != id.tag) return CORRUPT(0);
  extents = ceil_div(array->count, array->per_extent);
  /* More extents than there can be pages, or a height that does not follow from the count. */
  if (extents == 0 || extents > 0xffffffu) return CORRUPT(array->root.pgno);
  while (extents > width) {
    width *= NODE_FANOUT;
    levels++;
  }
  /* Four levels of at least 15 * 508^3 extents. */
  if (levels != array->levels || NEVER(levels > ARRAY_MAX_LEVELS)) return CORRUPT(array->root.pgno);
  array->extent_count = (u32)extents;
  return SQLITE_OK;
}

void array_put_ref(const Array *array, u8 *ref) {
  memset(ref, 0, ARRAY_REF_SIZE);
  if (array->levels == 0) return;
  store32(ref, array->root.pgno);
  store32(ref + 4, array->root.crc);
  ref[8] = (u8)array->levels;
  ref[9] = (u8)array->extent_pages;
  store32(ref + 12, array->stride);
  store64(ref + 16, array->count);
  store64(ref + 24, array->id.tag);
}

/* Copy the entries below one directory page; `first` is its number within its level. */
static int load_node(Array *a, PageRef ref, u32 level, u64 first, u32 *extents_done) {
  u32 size = entry_size(a->extent_pages), per = entries_per_page(a->extent_pages), i;
  const u8 *page;
  PageHold hold;
  int rc = pages_get_structure(a->pages, ref, PAGE_ARRAY, a->id.owner, node_id(a->id.tag, level, first), &page, &hold);
  if (rc) return rc;
  a->nodes[a->level_start[level] + first] = ref;
  if (level == 0) {
    u32 n = MIN(per, a->extent_count - *extents_done);
    memcpy(a->entries + (size_t)*extents_done * size, page + PAGE_HEADER_SIZE, (size_t)n * size);
    *extents_done += n;
  } else {
    for (i = 0; i < NODE_FANOUT && *extents_done < a->extent_count && rc == SQLITE_OK; i++) {
      PageRef child;
      const u8 *p = page + PAGE_HEADER_SIZE + 8 * i;
      child.pgno = load32(p);
      child.crc = load32(p + 4);
      rc = load_node(a, child, level - 1, first * NODE_FANOUT + i, extents_done);
    }
  }
  pages_release(a->pages, &hold);
  return rc;
}

/* Where each level's pages begin in nodes[]; gives their number in all. */
static u32 number_levels(Array *a) {
  u64 n = ceil_div(a->extent_count, entries_per_page(a->extent_pages));
  u32 level;
  for (level = 0; level < a->levels; level++) {
    a->level_start[level + 1] = a->level_start[level] + (u32)n;
    n = ceil_div(n, NODE_FANOUT);
  }
  return a->level_start[a->levels];
}

int array_load(Array *array) {
  u32 done = 0;
  int rc = SQLITE_OK;
  if (array->loaded) return SQLITE_OK;
  if (array->levels) {
    /* An array cannot make us allocate more than its file can back. */
    u32 nodes = number_levels(array);
    u32 size = 0;
    rc = pages_home(array->pages)->methods->size(pages_home(array->pages), &size);
    if (rc) return rc;
    if ((u64)nodes + array->extent_count > size) return CORRUPT(array->root.pgno);
    array->entries = mem_array(&rc, array->extent_count, entry_size(array->extent_pages));
    array->nodes = mem_array(&rc, nodes, sizeof *array->nodes);
    if (rc == SQLITE_OK) rc = load_node(array, array->root, array->levels - 1, 0, &done);
    if (rc == SQLITE_OK && NEVER(done != array->extent_count))
      rc = CORRUPT(array->root.pgno); /* array_open: so many levels hold so many */
  }
  if (rc) {
    array_free(array);
    return rc;
  }
  array->loaded = 1;
  return SQLITE_OK;
}

void array_free(Array *array) {
  mem_free(array->entries);
  mem_free(array->nodes);
  array->entries = NULL;
  array->nodes = NULL;
  array->loaded = 0;
}

static u32 extent_items(u64 count, u32 per_extent, u32 index) {
  return (u32)MIN((u64)per_extent, count - (u64)index * per_extent);
}

int array_extent(Array *array, u32 index, const u8 **out, u32 *items, PageHold *hold) {
  const u8 *entry;
  u32 n, pages;
  int rc = array_load(array);
  hold->block = NULL;
  if (rc) return rc;
  if (index >= array->extent_count) return CORRUPT(array->root.pgno);
  entry = array->entries + (size_t)index * entry_size(array->extent_pages);
  n = extent_items(array->count, array->per_extent, index);
  pages = load32(entry + 4);
  if (pages != pages_for(n, array->stride)) return CORRUPT(array->root.pgno);
  *items = n;
  return pages_get(array->pages, load32(entry), pages, entry + 8, out, hold);
}

int array_items(Array *array, u64 index, u32 items, const u8 **out, PageHold *hold) {
  const u8 *entry;
  u32 extent, offset, page, count;
  int rc = array_load(array);
  hold->block = NULL;
  if (rc) return rc;
  if (index >= array->count || items > array->count - index || items > array->per_extent - index % array->per_extent)
    return CORRUPT(array->root.pgno);
  extent = (u32)(index / array->per_extent);
  offset = (u32)(index % array->per_extent) * array->stride;
  page = offset / PAGE_SIZE;
  count = (offset + items * array->stride - 1) / PAGE_SIZE - page + 1;
  entry = array->entries + (size_t)extent * entry_size(array->extent_pages);
  if (load32(entry + 4) != pages_for(extent_items(array->count, array->per_extent, extent), array->stride))
    return CORRUPT(array->root.pgno);
  rc = pages_get(array->pages, load32(entry) + page, count, entry + 8 + 4 * page, out, hold);
  if (rc == SQLITE_OK) *out += offset % PAGE_SIZE;
  return rc;
}

int array_item(Array *array, u64 index, const u8 **out, PageHold *hold) {
  return array_items(array, index, 1, out, hold);
}

int array_read(Array *array, u64 index, void *item) {
  const u8 *data;
  PageHold hold;
  int rc = array_item(array, index, &data, &hold);
  if (rc) return rc;
  memcpy(item, data, array->stride);
  pages_release(array->pages, &hold);
  return SQLITE_OK;
}

/* --- addresses of items --- */

int array_map_open(ArrayMap *map, Array *array, u64 room, int whole) {
  u32 bits = 0;
  int rc = array_load(array);
  memset(map, 0, sizeof *map);
  if (rc) return rc;
  map->array = array;
  map->per_extent = array->per_extent;
  map->stride = array->stride;
  map->extent_pages = array->extent_pages;
  map->whole = whole;
  map->extents = (u32)ceil_div(MAX(room, array->count), array->per_extent);
  while ((u64)1 << bits < map->per_extent) bits++;
  while ((u64)1 << map->stride_shift < map->stride) map->stride_shift++;
  map->per_shift = bits;
  map->powers = (u64)1 << bits == map->per_extent && (u64)1 << map->stride_shift == map->stride &&
                map->per_extent * map->stride == map->extent_pages * PAGE_SIZE;
  /* magic * per_extent - 2^shift is in 1..2^bits, so the quotient is right up to 2^(shift - bits) = 2^31 */
  map->shift = 31 + bits;
  map->magic = ((u64)1 << map->shift) / map->per_extent + 1;
  map->extent = mem_zeroed(&rc, map->extents, sizeof *map->extent);
  map->run = mem_zeroed(&rc, map->extents / ARRAY_RUN + 1, sizeof *map->run);
  map->hold = mem_zeroed(&rc, map->extents, sizeof *map->hold);
  if (!whole) map->checked = mem_zeroed(&rc, ((u64)map->extents * map->extent_pages + 63) / 64, sizeof *map->checked);
  if (rc) array_map_close(map);
  return rc;
}

void array_map_close(ArrayMap *map) {
  u32 i;
  for (i = 0; map->hold && i < map->extents; i++) pages_release(map->array->pages, &map->hold[i]);
  mem_free(map->extent);
  mem_free(map->run);
  mem_free(map->hold);
  mem_free(map->checked);
  memset(map, 0, sizeof *map);
}

void array_map_put(ArrayMap *map, u32 index, const u8 *data) {
  u32 first = index / ARRAY_RUN * ARRAY_RUN, end = MIN(first + ARRAY_RUN, map->extents), i;
  size_t size = (size_t)map->extent_pages * PAGE_SIZE;
  map->extent[index] = data;
  for (i = first; i < end && map->extent[i] && map->extent[i] == map->extent[first] + (i - first) * size; i++) {
  }
  map->run[first / ARRAY_RUN] = i == end ? map->extent[first] : NULL;
}

int array_map_touch(ArrayMap *map, u32 index) {
  Array *a = map->array;
  const u8 *entry, *data;
  u32 items = 0, pages;
  int rc;
  if (map->extent[index]) return SQLITE_OK;
  if (index >= a->extent_count) return CORRUPT(a->root.pgno);
  if (map->whole) {
    rc = array_extent(a, index, &data, &items, &map->hold[index]);
  } else {
    entry = a->entries + (size_t)index * entry_size(a->extent_pages);
    pages = load32(entry + 4);
    if (pages != pages_for(extent_items(a->count, a->per_extent, index), a->stride)) return CORRUPT(a->root.pgno);
    rc = pages_get_unchecked(a->pages, load32(entry), pages, &data, &map->hold[index]);
  }
  if (rc == SQLITE_OK) array_map_put(map, index, data);
  return rc;
}

int array_map_touch_all(ArrayMap *map) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < map->array->extent_count && rc == SQLITE_OK; i++) rc = array_map_touch(map, i);
  return rc;
}

int array_map_items(ArrayMap *map, u64 index, u32 items, const u8 **out) {
  Array *a = map->array;
  u32 e, within, offset, page, last;
  int rc = SQLITE_OK;
  e = array_map_extent(map, (u32)index);
  if (UNLIKELY(e >= map->extents)) return CORRUPT(a->root.pgno);
  if (UNLIKELY(map->extent[e] == NULL)) {
    rc = array_map_touch(map, e);
    if (rc) return rc;
  }
  within = (u32)index - e * map->per_extent;
  if (UNLIKELY(items > map->per_extent - within)) return CORRUPT(a->root.pgno);
  offset = within * map->stride;
  *out = map->extent[e] + offset;
  if (map->whole) return SQLITE_OK;
  last = (offset + items * map->stride - 1) / PAGE_SIZE;
  for (page = offset / PAGE_SIZE; page <= last && rc == SQLITE_OK; page++) {
    u64 bit = (u64)e * map->extent_pages + page;
    const u8 *entry = a->entries + (size_t)e * entry_size(a->extent_pages);
    if (LIKELY(map->checked[bit / 64] >> bit % 64 & 1)) continue;
    rc = pages_check(a->pages, load32(entry) + page, entry + 8 + 4 * page, map->extent[e] + (size_t)page * PAGE_SIZE);
    if (rc == SQLITE_OK) map->checked[bit / 64] |= (u64)1 << bit % 64;
  }
  return rc;
}

/* --- writing --- */

int array_writer_begin(ArrayWriter *w, PageTx *tx, Array *base, int keep) {
  int rc = SQLITE_OK;
  memset(w, 0, sizeof *w);
  w->tx = tx;
  w->base = base;
  w->id = base->id;
  w->stride = base->stride;
  w->extent_pages = base->extent_pages;
  w->per_extent = base->per_extent;
  w->entry_size = entry_size(w->extent_pages);
  w->per_page = entries_per_page(w->extent_pages);
  w->open_extent = NO_EXTENT;
  w->buffer = mem_aligned(&rc, (u64)w->extent_pages * PAGE_SIZE);
  if (rc) return rc;
  if (!keep || base->levels == 0) return SQLITE_OK;
  rc = array_load(base);
  if (rc) return rc;
  rc = mem_reserve(&w->entries, &w->entries_cap, base->extent_count, w->entry_size);
  if (rc) return rc;
  memcpy(w->entries, base->entries, (size_t)base->extent_count * w->entry_size);
  w->extent_count = base->extent_count;
  w->count = base->count;
  w->kept = 1;
  return SQLITE_OK;
}

void array_writer_end(ArrayWriter *w) {
  mem_aligned_free(w->buffer);
  mem_free(w->entries);
  mem_free(w->dirty);
  memset(w, 0, sizeof *w);
}

static int mark_dirty(ArrayWriter *w, u32 extent) {
  u64 page = extent / w->per_page, old_cap = w->dirty_cap;
  int rc = mem_reserve(&w->dirty, &w->dirty_cap, page + 1, 1);
  if (rc) return rc;
  memset(w->dirty + old_cap, 0, (size_t)(w->dirty_cap - old_cap));
  w->dirty[page] = 1;
  return SQLITE_OK;
}

/* Write the open extent to new pages and free the ones it had. */
static int flush_extent(ArrayWriter *w) {
  u8 *entry;
  u32 items, pages;
  int rc;
  if (w->open_extent == NO_EXTENT) return SQLITE_OK;
  entry = w->entries + (size_t)w->open_extent * w->entry_size;
  items = extent_items(w->count, w->per_extent, w->open_extent);
  pages = pages_for(items, w->stride);
  memset(w->buffer + (size_t)items * w->stride, 0, (size_t)pages * PAGE_SIZE - (size_t)items * w->stride);
  if (load32(entry)) {
    rc = page_tx_free(w->tx, load32(entry), load32(entry + 4));
    if (rc) return rc;
  }
  memset(entry, 0, w->entry_size);
  store32(entry + 4, pages);
  {
    u32 pgno = 0;
    rc = page_tx_put(w->tx, pages, w->buffer, entry + 8, &pgno);
    if (rc) return rc;
    store32(entry, pgno);
  }
  rc = mark_dirty(w, w->open_extent);
  w->open_extent = NO_EXTENT;
  return rc;
}

/* Bring extent `index` into the buffer. */
static int open_extent(ArrayWriter *w, u32 index) {
  const u8 *entry = w->entries + (size_t)index * w->entry_size, *data;
  PageHold hold;
  u32 pages = load32(entry + 4);
  int rc;
  if (w->open_extent == index) return SQLITE_OK;
  rc = flush_extent(w);
  if (rc) return rc;
  if (pages > w->extent_pages) return CORRUPT(load32(entry));
  /* The transaction's own pages lie beyond the root's count, so the count is raised before they are read back. */
  rc = pages_set_count(w->tx->pages, w->tx->end);
  if (rc) return rc;
  rc = pages_get(w->tx->pages, load32(entry), pages, entry + 8, &data, &hold);
  if (rc) return rc;
  memcpy(w->buffer, data, (size_t)pages * PAGE_SIZE);
  pages_release(w->tx->pages, &hold);
  w->open_extent = index;
  return SQLITE_OK;
}

int array_writer_edit(ArrayWriter *w, u64 index, u8 **out) {
  int rc;
  if (index >= w->count) return CORRUPT(w->base->root.pgno);
  rc = open_extent(w, (u32)(index / w->per_extent));
  if (rc) return rc;
  *out = w->buffer + (size_t)(index % w->per_extent) * w->stride;
  return SQLITE_OK;
}

int array_writer_append(ArrayWriter *w, u64 want, u8 **out, u64 *got) {
  u32 index = (u32)(w->count / w->per_extent), used = (u32)(w->count % w->per_extent);
  int rc;
  if (used == 0) { /* a new extent */
    rc = flush_extent(w);
    if (rc) return rc;
    rc = mem_reserve(&w->entries, &w->entries_cap, (u64)index + 1, w->entry_size);
    if (rc) return rc;
    memset(w->entries + (size_t)index * w->entry_size, 0, w->entry_size);
    w->extent_count = index + 1;
    w->open_extent = index;
  } else {
    rc = open_extent(w, index);
    if (rc) return rc;
  }
  *got = MIN(want, (u64)(w->per_extent - used));
  *out = w->buffer + (size_t)used * w->stride;
  w->count += *got;
  return SQLITE_OK;
}

int array_writer_item(ArrayWriter *w, u64 index, u8 **out) {
  u64 got;
  int rc;
  if (index != w->count) return array_writer_edit(w, index, out);
  rc = array_writer_append(w, 1, out, &got);
  if (rc == SQLITE_OK) memset(*out, 0, w->stride);
  return rc;
}

int array_writer_truncate(ArrayWriter *w, u64 count) {
  u32 keep = (u32)ceil_div(count, w->per_extent), i;
  int rc;
  if (count > w->count) return CORRUPT(w->base->root.pgno);
  if (count == w->count) return SQLITE_OK;
  rc = flush_extent(w);
  for (i = keep; i < w->extent_count && rc == SQLITE_OK; i++) {
    const u8 *entry = w->entries + (size_t)i * w->entry_size;
    rc = page_tx_free(w->tx, load32(entry), load32(entry + 4));
  }
  if (rc) return rc;
  w->extent_count = keep;
  w->count = count;
  if (keep == 0) return SQLITE_OK;
  if (count % w->per_extent) rc = open_extent(w, keep - 1); /* it has fewer items, maybe fewer pages */
  return rc ? rc : mark_dirty(w, keep - 1);
}

/* Move extents that are to lie elsewhere. */
static int move_extents(ArrayWriter *w) {
  u32 e;
  int rc = SQLITE_OK;
  if (w->tx->move_from == 0 || !w->kept) return SQLITE_OK;
  for (e = 0; e < w->extent_count && rc == SQLITE_OK; e++) {
    const u8 *entry = w->entries + (size_t)e * w->entry_size;
    if (!page_tx_moves(w->tx, load32(entry), load32(entry + 4))) continue;
    if (page_tx_interrupted(w->tx)) return SQLITE_INTERRUPT;
    rc = open_extent(w, e);
    if (rc == SQLITE_OK) rc = flush_extent(w);
  }
  return rc;
}

/* Level 0 of the directory into refs[]; pages that did not change are kept, those that are left over are freed. */
static int put_leaves(ArrayWriter *w, u64 n, u8 *page, PageRef *refs) {
  const Array *base = w->base;
  u64 base_leaves = w->kept ? base->level_start[1] : 0, i;
  int rc = SQLITE_OK;
  for (i = 0; i < n && rc == SQLITE_OK; i++) {
    u32 in_page = (u32)MIN((u64)w->per_page, w->extent_count - i * w->per_page);
    if (i < base_leaves) {
      if (!(i < w->dirty_cap && w->dirty[i]) && !page_tx_moves(w->tx, base->nodes[i].pgno, 1)) {
        refs[i] = base->nodes[i];
        continue;
      }
      rc = page_tx_free(w->tx, base->nodes[i].pgno, 1);
      if (rc) return rc;
    }
    memset(page, 0, PAGE_SIZE);
    memcpy(page + PAGE_HEADER_SIZE, w->entries + (size_t)(i * w->per_page) * w->entry_size,
           (size_t)in_page * w->entry_size);
    rc = page_tx_put_structure(w->tx, page, PAGE_ARRAY, 0, w->id.owner, node_id(w->id.tag, 0, i), &refs[i]);
  }
  for (i = n; i < base_leaves && rc == SQLITE_OK; i++) rc = page_tx_free(w->tx, base->nodes[i].pgno, 1);
  return rc;
}

/* One higher level over the n refs[] below, in place; *n becomes the number of its pages. */
static int put_level(ArrayWriter *w, u32 level, u64 *n, u8 *page, PageRef *refs) {
  u64 up = ceil_div(*n, NODE_FANOUT), i, k;
  int rc = SQLITE_OK;
  for (i = 0; i < up && rc == SQLITE_OK; i++) {
    u64 first = i * NODE_FANOUT, in_page = MIN((u64)NODE_FANOUT, *n - first);
    memset(page, 0, PAGE_SIZE);
    for (k = 0; k < in_page; k++) {
      store32(page + PAGE_HEADER_SIZE + 8 * k, refs[first + k].pgno);
      store32(page + PAGE_HEADER_SIZE + 8 * k + 4, refs[first + k].crc);
    }
    rc = page_tx_put_structure(w->tx, page, PAGE_ARRAY, (u8)level, w->id.owner, node_id(w->id.tag, level, i), &refs[i]);
  }
  *n = up;
  return rc;
}

int array_writer_finish(ArrayWriter *w, u8 *ref) {
  u64 n = ceil_div(w->extent_count, w->per_page);
  u32 level = 0, i;
  PageRef *refs = NULL;
  u8 *page = NULL;
  int rc = flush_extent(w);

  if (rc == SQLITE_OK) rc = move_extents(w);
  memset(ref, 0, ARRAY_REF_SIZE);
  if (rc || (w->count == 0 && !w->kept)) return rc;
  refs = mem_array(&rc, n, sizeof *refs);
  page = mem_array(&rc, 1, PAGE_SIZE);
  if (rc == SQLITE_OK) rc = put_leaves(w, n, page, refs);
  while (n > 1 && rc == SQLITE_OK) rc = put_level(w, ++level, &n, page, refs);
  if (rc == SQLITE_OK && w->kept) { /* the old higher levels are few: all were written anew */
    for (i = w->base->level_start[1]; i < w->base->level_start[w->base->levels] && rc == SQLITE_OK; i++) {
      rc = page_tx_free(w->tx, w->base->nodes[i].pgno, 1);
    }
  }
  if (rc == SQLITE_OK && w->count) {
    Array done = *w->base;
    done.root = refs[0];
    done.levels = level + 1;
    done.count = w->count;
    array_put_ref(&done, ref);
  }
  mem_free(refs);
  mem_free(page);
  return rc;
}

int array_move(Array *array, PageTx *tx, u8 *ref) {
  ArrayWriter w;
  u32 i;
  int rc, some = 0;
  array_put_ref(array, ref);
  if (tx->move_from == 0 || array->levels == 0) return SQLITE_OK;
  rc = array_load(array);
  for (i = 0; rc == SQLITE_OK && i < array->extent_count; i++)
    some |= load32(array->entries + (size_t)i * entry_size(array->extent_pages)) >= tx->move_from;
  for (i = 0; rc == SQLITE_OK && i < array->level_start[array->levels]; i++)
    some |= array->nodes[i].pgno >= tx->move_from;
  if (rc || !some) return rc;
  memset(&w, 0, sizeof w);
  rc = array_writer_begin(&w, tx, array, 1);
  if (rc == SQLITE_OK) rc = array_writer_finish(&w, ref);
  array_writer_end(&w);
  return rc;
}

/* Extents and directory, without a look into the extents. */
static int each_range(Array *array, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  u32 i;
  int rc = array_load(array);
  for (i = 0; i < array->extent_count && rc == SQLITE_OK; i++) {
    const u8 *entry = array->entries + (size_t)i * entry_size(array->extent_pages);
    rc = visit(arg, load32(entry), load32(entry + 4));
  }
  for (i = 0; array->levels && i < array->level_start[array->levels] && rc == SQLITE_OK; i++) {
    rc = visit(arg, array->nodes[i].pgno, 1);
  }
  return rc;
}

int array_free_pages(Array *array, PageTx *tx) { return each_range(array, page_tx_free_range, tx); }

int array_pages_at(Pages *pages, ArrayId id, const u8 *ref, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  u32 stride = load32(ref + 12), extent_pages = ref[9];
  Array a;
  int rc;
  if (ref[8] == 0) return SQLITE_OK;
  if (extent_pages == 0 || extent_pages > EXTENT_MAX_PAGES || stride == 0 || stride > extent_pages * PAGE_SIZE) {
    return CORRUPT(load32(ref));
  }
  rc = array_open(&a, pages, id, stride, extent_pages, ref);
  if (rc == SQLITE_OK) rc = each_range(&a, visit, arg);
  array_free(&a);
  return rc;
}

int array_walk(Array *array, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  u32 i, items = 0;
  const u8 *data;
  PageHold hold;
  int rc = array_load(array);
  for (i = 0; i < array->extent_count && rc == SQLITE_OK; i++) {
    const u8 *entry = array->entries + (size_t)i * entry_size(array->extent_pages);
    rc = array_extent(array, i, &data, &items, &hold);
    pages_release(array->pages, &hold);
    if (rc == SQLITE_OK) rc = visit(arg, load32(entry), load32(entry + 4));
  }
  for (i = 0; array->levels && i < array->level_start[array->levels] && rc == SQLITE_OK; i++) {
    rc = visit(arg, array->nodes[i].pgno, 1);
  }
  return rc;
}
