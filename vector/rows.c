/*
 * rows.c: rows of a snapshot by rowid. See rows.h.
 *
 *   A row of the pages lives if a presence bit of its slot is set (L1) and the overlay has not killed it. Where nothing is dead no bit is
 *   looked at: a table of one vector column whose slots all live has a vector in each.
 *
 * Addresses of vectors and bits are kept per version of the table (ArrayMap), as long as the home gives pointers; else each read takes its
 * extent from the cache of pages and gives it back.
 */
#include "rows.h"

#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "forms.h"
#include "portable.h"

#define AHEAD 8u /* rows between the one that is read and the one whose item is asked for */
#define SOON 3u  /* the same for what the item says */

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

/* `items` items of an array from `index` on: through its map, or, where the home does not map, held until released. */
static int get_items(Slots *s, ArrayMap *map, Array *array, u64 index, u32 items, const u8 **out, PageHold *hold) {
  u32 extent;
  int rc = SQLITE_OK;
  hold->block = NULL;
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

void rows_close(RowReader *r) {
  snapshot_release(r->snap);
  r->snap = NULL;
  r->row_count = r->row_at = 0;
  r->pages_done = 1;
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

/* Ask for a row's item of `vectors`. (Inlined: gcc leaves out calls to functions that it sees only to prefetch.) */
ALWAYS_INLINE void fetch_item(const RowReader *r, u32 column, u32 slot) {
  const ArrayMap *map = &r->slots->places->vectors[column];
  const u8 *at;
  if (slot == NO_SLOT || map->array == NULL) return;
  at = array_map_item(map, slot);
  if (at) fetch_row(at, map->stride);
}

/* Of a column that is not in_slots: ask for what the item says. */
ALWAYS_INLINE void fetch_sized(const RowReader *r, u32 column, u32 slot) {
  const RowPlaces *p = r->slots->places;
  const u8 *item, *at;
  u64 first;
  u32 words;
  if (slot == NO_SLOT || p->vectors[column].array == NULL || p->codes[column].array == NULL) return;
  item = array_map_item(&p->vectors[column], slot);
  if (item == NULL || !sized_place(item, &first, &words) || first >= MIN(p->codes[column].array->count, 0x80000000u))
    return;
  at = array_map_item(&p->codes[column], (u32)first);
  if (at) fetch_row(at, words * p->codes[column].stride);
}

void rows_look_ahead(RowReader *r, u32 column, const RowPlace *places, u32 at, u32 count) {
  int sized = !r->slots->column[column].form->in_slots;
  u32 i;
  for (i = at ? at + AHEAD : 0; i < MIN(at + AHEAD + 1, count); i++) fetch_item(r, column, places[i].slot);
  for (i = at ? at + SOON : 0; sized && i < MIN(at + SOON + 1, count); i++) fetch_sized(r, column, places[i].slot);
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

/* Find the next row of the pages. */
static int next_of_pages(RowReader *r) {
  RowmapEntry e;
  int rc, counts;
  while ((rc = rowmap_next(&r->cursor, &e)) == SQLITE_OK) {
    if (r->descending ? e.rowid < r->last : e.rowid > r->last) break;
    rc = slot_counts(r, e.slot, &counts);
    if (rc) return rc;
    if (!counts) continue;
    r->next.rowid = e.rowid;
    r->next.slot = e.slot;
    return SQLITE_OK;
  }
  r->pages_done = 1;
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int rows_seek(RowReader *r, i64 low, i64 high, int descending) {
  int rc;
  r->descending = descending;
  r->last = descending ? low : high;
  r->next.row = NO_ROW;
  r->pages_done = r->no_pages || low > high;
  r->row_count = r->row_at = 0;
  if (low > high) return SQLITE_OK;
  rc = collect_rows(r, low, high);
  if (rc || r->pages_done) return rc;
  rc = rowmap_seek(&r->cursor, &r->slots->map, descending ? high : low, descending);
  return rc ? rc : next_of_pages(r);
}

int rows_next(RowReader *r, RowPlace *out) {
  const OverlayPlace *row;
  if (LIKELY(r->row_at == r->row_count)) {
    if (r->pages_done) return SQLITE_DONE;
    *out = r->next;
    return next_of_pages(r);
  }
  row = &r->rows[r->descending ? r->row_count - 1 - r->row_at : r->row_at];
  if (!r->pages_done && (r->descending ? r->next.rowid > row->rowid : r->next.rowid < row->rowid)) {
    *out = r->next;
    return next_of_pages(r);
  }
  out->rowid = row->rowid;
  out->row = row->row;
  out->slot = NO_SLOT;
  r->row_at++;
  return SQLITE_OK;
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
