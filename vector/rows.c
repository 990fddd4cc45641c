/*
 * rows.c: rows of a snapshot by rowid. See rows.h.
 *
 *   A row of the pages lives if a presence bit of its slot is set (L1) and the overlay has not killed it. Where nothing is dead no bit is
 *   looked at: a table of one vector column whose slots all live has a vector in each.
 *
 * Addresses of vectors and bits are kept per version of the table (ArrayMap), as long as the home gives pointers; else each read takes its
 * extent from the cache of pages and gives it back. rows_locate is the quick way to them, rows_vector the one that knows all cases and errors.
 */
#include "rows.h"

#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "forms.h"
#include "portable.h"

typedef struct RowPlaces {
  ArrayMap vectors[MAX_VECTOR_COLUMNS], present[MAX_VECTOR_COLUMNS], codes[MAX_VECTOR_COLUMNS];
  u8 unmapped; /* the home gives no pointers */
} RowPlaces;

void row_places_free(RowPlaces *p) {
  u32 c;
  if (p == NULL) return;
  for (c = 0; c < MAX_VECTOR_COLUMNS; c++) {
    if (p->vectors[c].array) array_map_close(&p->vectors[c]);
    if (p->present[c].array) array_map_close(&p->present[c]);
    if (p->codes[c].array) array_map_close(&p->codes[c]);
  }
  mem_free(p);
}

/* Items that were found before, of a home that maps; NULL: not so, or the array has none such. */
ALWAYS_INLINE const u8 *known_items(const ArrayMap *map, const Array *array, u64 index, u32 items) {
  if (UNLIKELY(map->array == NULL || index >= MIN(array->count, 0x80000000u) || items > array->count - index))
    return NULL;
  return array_map_known(map, (u32)index, items);
}

/* `items` items of an array from `index` on: through its map, or, where the home does not map, held until released. */
static int get_items(Slots *s, ArrayMap *map, Array *array, u64 index, u32 items, const u8 **out, PageHold *hold) {
  u32 extent;
  int rc = SQLITE_OK;
  hold->block = NULL;
  *out = known_items(map, array, index, items);
  if (LIKELY(*out != NULL)) return SQLITE_OK;
  if (UNLIKELY(index >= array->count || items > array->count - index)) return CORRUPT(array->root.pgno);
  if (LIKELY(!s->places->unmapped && index < 0x80000000u)) { /* which is what an ArrayMap can do */
    if (UNLIKELY(map->array == NULL)) rc = array_map_open(map, array, 0, 0);
    if (rc) return rc;
    rc = array_map_items(map, index, items, out);
    extent = array_map_extent(map, (u32)index);
    if (LIKELY(map->hold[extent].block == NULL)) return rc;
    s->places->unmapped = 1;
    array_map_close(map);
    if (rc) return rc;
  }
  return array_items(array, index, items, out, hold);
}

static int get_item(Slots *s, ArrayMap *map, Array *array, u64 index, const u8 **out, PageHold *hold) {
  return get_items(s, map, array, index, 1, out, hold);
}

int rows_open(RowReader *r, Snapshot *snap) {
  int rc = SQLITE_OK;
  rows_close(r);
  snapshot_parts(snap, &r->at);
  r->slots = r->at.view;
  if (r->slots->places == NULL) r->slots->places = mem_zeroed(&rc, 1, sizeof *r->slots->places);
  if (rc) return rc;
  r->snap = snapshot_retain(snap);
  r->no_pages = r->slots->slots == 0 || r->at.overlay->all_dead_at < r->at.length;
  r->checks = r->slots->live != r->slots->slots || r->at.overlay->kills.count != 0;
  return SQLITE_OK;
}

void rows_rewind(RowReader *r) {
  r->row_count = r->row_at = 0;
  r->pages_done = 1;
}

void rows_close(RowReader *r) {
  snapshot_release(r->snap);
  r->snap = NULL;
  rows_rewind(r);
}

void rows_free(RowReader *r) {
  rows_close(r);
  rowmap_cursor_end(&r->cursor);
  mem_free(r->rows);
  memset(r, 0, sizeof *r);
}

int rows_complete(const RowReader *r) { return r->slots->complete && r->at.overlay->bare_at >= r->at.length; }

/* --- one and many --- */

/* Whether the column has a vector at a slot of the pages. */
static int is_present(Slots *s, u32 column, u32 slot, int *present) {
  const u8 *word;
  PageHold hold;
  SlotColumn *col = &s->column[column];
  int rc = get_item(s, &s->places->present[column], &col->present, slot / 64, &word, &hold);
  if (rc) return rc;
  *present = (int)(load64(word) >> (slot % 64) & 1);
  pages_release(s->pages, &hold);
  return SQLITE_OK;
}

/* Whether the row at a slot of the pages is one of the snapshot's. */
static int slot_counts(RowReader *r, u32 slot, int *counts) {
  Slots *s = r->slots;
  u32 c;
  int rc = SQLITE_OK;
  *counts = 1;
  if (UNLIKELY(slot >= s->slots)) return CORRUPT(s->table.pgno);
  if (LIKELY(!r->checks)) return SQLITE_OK;
  *counts = 0;
  if (overlay_killed(r->at.overlay, r->at.length, slot)) return SQLITE_OK;
  if (s->live == s->slots) *counts = 1;
  for (c = 0; c < s->columns && rc == SQLITE_OK && !*counts; c++) rc = is_present(s, c, slot, counts);
  return rc;
}

static u32 find_in_overlay(const RowReader *r, i64 rowid) {
  return r->at.overlay->rows ? overlay_find(r->at.overlay, r->at.length, rowid) : NO_ROW;
}

int rows_find(RowReader *r, i64 rowid, RowPlace *out) {
  int counts, rc;
  out->rowid = rowid;
  out->slot = NO_SLOT;
  out->row = find_in_overlay(r, rowid);
  if (out->row != NO_ROW) return SQLITE_OK;
  if (r->no_pages) return SQLITE_NOTFOUND;
  rc = rowmap_find(&r->slots->map, rowid, &out->slot);
  if (rc) return rc;
  rc = slot_counts(r, out->slot, &counts);
  if (rc || counts) return rc;
  out->slot = NO_SLOT;
  return SQLITE_NOTFOUND;
}

int rows_find_many(RowReader *r, const i64 *rowids, u32 count, RowPlace *places) {
  u32 slot[ROWS_MANY], i;
  int rc = SQLITE_OK, counts;
  if (!r->no_pages) rc = rowmap_find_many(&r->slots->map, rowids, count, slot);
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    RowPlace *p = &places[i];
    p->rowid = rowids[i];
    p->slot = NO_SLOT;
    p->row = find_in_overlay(r, rowids[i]);
    if (p->row != NO_ROW || r->no_pages || slot[i] == NO_SLOT) continue;
    rc = slot_counts(r, slot[i], &counts);
    if (rc == SQLITE_OK && counts) p->slot = slot[i];
  }
  return rc;
}

/* --- in order --- */

static int compare_places(const void *a, const void *b) {
  i64 x = ((const OverlayPlace *)a)->rowid, y = ((const OverlayPlace *)b)->rowid;
  return (x > y) - (x < y);
}

/* The overlay's rows within bounds, ascending. */
static int collect_rows(RowReader *r, i64 low, i64 high) {
  const Overlay *o = r->at.overlay;
  int sorted = 1, rc = SQLITE_OK;
  u32 i;
  r->row_count = r->row_at = 0;
  for (i = 0; i < o->rows && rc == SQLITE_OK; i++) {
    const OverlayRow *row = overlay_row(o, i);
    if (row->rowid < low || row->rowid > high || !overlay_visible(row, r->at.length)) continue;
    rc = mem_reserve(&r->rows, &r->row_cap, r->row_count + 1, sizeof *r->rows);
    if (rc) return rc;
    if (r->row_count && r->rows[r->row_count - 1].rowid > row->rowid) sorted = 0;
    r->rows[r->row_count].rowid = row->rowid;
    r->rows[r->row_count++].row = i;
  }
  if (!sorted) qsort(r->rows, (size_t)r->row_count, sizeof *r->rows, compare_places);
  return rc;
}

/* How many of n entries in the cursor's direction come up to `bound`. */
static u32 entries_upto(const RowmapEntry *e, u32 n, i64 bound, int descending) {
  const RowmapEntry *last = descending ? e - (n - 1) : e + (n - 1);
  u32 lo = 0, hi = n;
  if (LIKELY(descending ? last->rowid >= bound : last->rowid <= bound)) return n;
  while (lo < hi) {
    u32 mid = lo + (hi - lo) / 2;
    if (descending ? (e - mid)->rowid >= bound : e[mid].rowid <= bound)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* Take rows of the pages up to `bound`, until there is no room. */
static int take_of_pages(RowReader *r, i64 bound, RowPlace *out, u32 room, u32 *count) {
  u32 sure = r->checks ? 0 : (u32)r->slots->slots, n, some, upto, i; /* slots below `sure` are rows */
  int step = r->descending ? -1 : 1, rc;
  do {
    const RowmapEntry *e;
    RowPlace *place = out + *count;
    int counts = 1;
    rc = rowmap_span(&r->cursor, &e, &n);
    if (rc) break;
    some = MIN(n, room - *count);
    upto = entries_upto(e, some, bound, r->descending);
    for (i = 0; i < upto; i++, e += step) {
      if (UNLIKELY(e->slot >= sure)) {
        if (e->slot == ROWMAP_GONE) continue;
        rc = slot_counts(r, e->slot, &counts);
        if (rc) break;
      }
      *place = (RowPlace){e->rowid, NO_ROW, e->slot};
      place += counts;
    }
    *count = (u32)(place - out);
    if (rc || i == 0) break;
    rc = rowmap_pass(&r->cursor, i);
  } while (rc == SQLITE_OK && upto == some && *count < room);
  r->pages_done = rc == SQLITE_DONE;
  return r->pages_done ? SQLITE_OK : rc;
}

int rows_seek(RowReader *r, i64 low, i64 high, int descending) {
  int rc;
  r->descending = descending;
  r->last = descending ? low : high;
  r->pages_done = r->no_pages || low > high;
  r->row_count = r->row_at = 0;
  r->failed = SQLITE_OK;
  if (low > high) return SQLITE_OK;
  rc = collect_rows(r, low, high);
  if (rc || r->pages_done) return rc;
  return rowmap_seek(&r->cursor, &r->slots->map, descending ? high : low, descending);
}

int rows_next_many(RowReader *r, RowPlace *out, u32 room, u32 *count) {
  int rc = r->failed;
  *count = 0;
  while (rc == SQLITE_OK && *count < room) {
    const OverlayPlace *row = NULL;
    if (UNLIKELY(r->row_at < r->row_count)) row = &r->rows[r->descending ? r->row_count - 1 - r->row_at : r->row_at];
    if (!r->pages_done) rc = take_of_pages(r, row ? row->rowid : r->last, out, room, count);
    if (rc || *count == room) break;
    if (row == NULL) {
      rc = SQLITE_DONE;
    } else { /* one of the pages with this rowid is dead */
      out[(*count)++] = (RowPlace){row->rowid, row->row, NO_SLOT};
      r->row_at++;
    }
  }
  if (*count == 0) return rc;
  r->failed = rc;
  return SQLITE_OK;
}

/* --- counting --- */

/* Whether all that the rowid map has lies within bounds. */
static int covers(const Rowmap *map, i64 low, i64 high) {
  u32 i;
  for (i = 0; i < map->run_count; i++) {
    if (map->run[i].min < low || map->run[i].max > high) return 0;
  }
  return 1;
}

/* Those of the pages, without what the overlay has killed: all slots that live; or, where the map has one entry for each slot, and each lives, by the map. */
static int count_pages(RowReader *r, i64 low, i64 high, u64 *count) {
  Slots *s = r->slots;
  u64 kills = overlay_kills(r->at.overlay, r->at.length), dead = 0, i;
  int rc;
  *count = 0;
  if (r->no_pages) return SQLITE_OK;
  if (covers(&s->map, low, high)) {
    *count = s->live;
    dead = kills;
  } else {
    rc = s->live == s->slots ? rowmap_count(&s->map, low, high, count) : SQLITE_NOTFOUND;
    if (rc == SQLITE_OK && s->map.run[0].index.keys != s->slots) rc = SQLITE_NOTFOUND;
    if (rc) return rc;
    for (i = 0; i < kills; i++) {
      i64 rowid = 0;
      rc = slots_rowid(s, r->at.overlay->kills.event[i].slot, &rowid);
      if (rc) return rc;
      dead += rowid >= low && rowid <= high;
    }
  }
  if (dead > *count) return CORRUPT(s->table.pgno);
  *count -= dead;
  return SQLITE_OK;
}

int rows_within(RowReader *r, i64 low, i64 high, u64 *count) {
  int rc = count_pages(r, low, high, count);
  if (rc == SQLITE_OK) *count += overlay_count(r->at.overlay, r->at.length, low, high);
  return rc;
}

/* --- vectors --- */

/* A vector of a column that is not in_slots. */
static int get_sized(Slots *s, u32 column, u32 slot, const u8 **vector, PageHold *hold) {
  SlotColumn *col = &s->column[column];
  const u8 *item = NULL;
  u64 at;
  u32 words;
  int sound, rc = get_item(s, &s->places->vectors[column], &col->vectors, slot, &item, hold);
  if (rc) return rc;
  sound = sized_place(item, &at, &words);
  pages_release(s->pages, hold);
  if (!sound) return CORRUPT(s->table.pgno);
  rc = get_items(s, &s->places->codes[column], &col->codes, at, words, vector, hold);
  if (rc || LIKELY(sized_sound(col, *vector, words))) return rc;
  pages_release(s->pages, hold);
  return CORRUPT(s->table.pgno);
}

int rows_vector(RowReader *r, u32 column, const RowPlace *place, const u8 **vector, int *lasts, PageHold *hold) {
  Slots *s = r->slots;
  SlotColumn *col = &s->column[column];
  int present = 1, rc;
  *vector = NULL;
  *lasts = 0;
  hold->block = NULL;
  if (place->row != NO_ROW) {
    if (overlay_row(r->at.overlay, place->row)->present >> column & 1)
      *vector = overlay_vector(r->at.overlay, place->row, column);
    return SQLITE_OK;
  }
  rc = s->columns > 1 ? is_present(s, column, place->slot, &present) : SQLITE_OK;
  if (rc || !present) return rc;
  rc = col->form->in_slots ? get_item(s, &s->places->vectors[column], &col->vectors, place->slot, vector, hold)
                           : get_sized(s, column, place->slot, vector, hold);
  *lasts = rc == SQLITE_OK && hold->block == NULL;
  return rc;
}

void rows_release(RowReader *r, PageHold *hold) { pages_release(r->slots->pages, hold); }

/* get_items of what lasts; NULL if it does not, or cannot be read. */
ALWAYS_INLINE const u8 *lasting_items(Slots *s, ArrayMap *map, Array *array, u64 index, u32 items) {
  const u8 *at = known_items(map, array, index, items);
  PageHold hold;
  if (LIKELY(at != NULL)) return at;
  if (get_items(s, map, array, index, items, &at, &hold)) return NULL;
  if (hold.block == NULL) return at;
  pages_release(s->pages, &hold);
  return NULL;
}

/* Of a column that is not in_slots: from the items at at[] to what they say. Vectors that follow one another on a page are found once. */
static void locate_sized(Slots *s, u32 column, u32 count, const u8 **at) {
  SlotColumn *col = &s->column[column];
  ArrayMap *map = &s->places->codes[column];
  const u8 *after = NULL; /* a vector, */
  u64 next = 0;           /* where item `next` is, */
  u32 beside = 0;         /* and so many on its page */
  u32 i, words[ROWS_MANY];
  for (i = 0; i < count; i++) PREFETCH(at[i]);
  for (i = 0; i < count; i++) {
    u64 first;
    if (at[i] == NULL) continue;
    if (!sized_place(at[i], &first, &words[i])) {
      at[i] = NULL;
      continue;
    }
    if (first == next && words[i] <= beside) {
      at[i] = after;
    } else {
      at[i] = lasting_items(s, map, &col->codes, first, words[i]);
      beside = at[i] ? 1 + array_map_beside(map, (u32)first) : 0;
    }
    after = at[i] ? at[i] + (size_t)words[i] * map->stride : NULL;
    next = first + words[i];
    beside -= MIN(beside, words[i]);
  }
  for (i = 0; i < count; i++) PREFETCH(at[i]);
  for (i = 0; i < count; i++) {
    if (at[i] && !sized_sound(col, at[i], words[i])) at[i] = NULL;
  }
}

/* (Inlined: gcc leaves out calls to functions that it sees only to prefetch.) */
ALWAYS_INLINE void fetch_vector(const SlotColumn *col, const u8 *vector) {
  if (vector) fetch_row(vector, col->size ? col->size : (u32)vector_bytes(col->elem, col->dim, vector));
}

void rows_fetch(const RowReader *r, u32 column, const u8 *const *at, u32 i, u32 count) {
  u32 end = MIN(count, i + 2 * ROWS_AHEAD);
  for (i += ROWS_AHEAD; i < end; i++) {
    if (at[i]) fetch_vector(&r->slots->column[column], at[i]); /* who reads no pages has none */
  }
}

/* Whether it is known that the slot has one. */
static int has_vector(Slots *s, u32 column, u32 slot) {
  int present;
  return s->columns == 1 || (is_present(s, column, slot, &present) == SQLITE_OK && present);
}

const u8 *rows_place(RowReader *r, u32 column, const RowPlace *place) {
  Slots *s = r->slots;
  SlotColumn *col = &s->column[column];
  const u8 *vector = NULL;
  if (place->slot != NO_SLOT && !s->places->unmapped && has_vector(s, column, place->slot))
    vector = lasting_items(s, &s->places->vectors[column], &col->vectors, place->slot, 1);
  if (!col->form->in_slots) locate_sized(s, column, 1, &vector);
  fetch_vector(col, vector);
  return vector;
}

int rows_locate(RowReader *r, u32 column, const RowPlace *places, u32 count, const u8 **at) {
  Slots *s = r->slots;
  SlotColumn *col = &s->column[column];
  ArrayMap *map = &s->places->vectors[column];
  u32 i = 0, pages = 0;
  while (i < count) {
    u32 slot = places[i].slot, beside;
    const u8 *vector = NULL;
    if (slot != NO_SLOT && !s->places->unmapped && has_vector(s, column, slot)) {
      vector = lasting_items(s, map, &col->vectors, slot, 1);
      pages++;
    }
    at[i++] = vector;
    if (vector == NULL || i == count || places[i].slot != slot + 1) continue;
    beside = array_map_beside(map, slot);
    for (; beside && i < count && places[i].slot == slot + 1; i++, beside--) {
      vector += map->stride;
      at[i] = has_vector(s, column, ++slot) ? vector : NULL;
    }
  }
  if (!col->form->in_slots) locate_sized(s, column, count, at);
  for (i = 0; i < MIN(ROWS_AHEAD, count); i++) PREFETCH(at[i]);
  for (i = 0; i < MIN(ROWS_AHEAD, count); i++) fetch_vector(col, at[i]);
  return pages > 2 + count * (u64)col->stride / PAGE_SIZE;
}
