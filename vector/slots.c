/*
 * slots.c: opening, folding and checking the pages of a vector table. Format and L1..L4 in slots.h.
 */
#include "slots.h"

#include <math.h>
#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "../wal_shim/table_methods.h"
#include "forms.h"
#include "index.h"
#include "portable.h"
#include "rows.h"
#include "structure.h"

#define ROWID_EXTENT_PAGES 16u
#define BITS_EXTENT_PAGES 4u
#define FIELDS_AT 32u
#define REFS_AT 64u
#define ARRAYS_OF_COLUMN 3u
#define MAX_REFS (1 + ARRAYS_OF_COLUMN * MAX_VECTOR_COLUMNS + 2 * ROWMAP_MAX_RUNS)
#define BOUNDS_AT (REFS_AT + MAX_REFS * ARRAY_REF_SIZE)
#define STRUCTURE_ENTRY_SIZE 16u
#define STRUCTURES_AT (PAGE_BODY_SIZE - STRUCTURE_ENTRY_SIZE * MAX_VECTOR_COLUMNS)
#define COMPACT_MIN_DEAD 256u /* L2 is not worth a rewrite below this */
#define REUSE_MIN_SHARE 6u    /* L4: that one of so many slots is dead is let be, */
#define REUSE_MAX_SHARE 32u   /* at least and at most */
#define REUSE_EXTENT_SHARE 2u /* but not in an extent where one of so many is */

static ArrayId array_id(u64 owner, u32 tag) {
  ArrayId id = {owner, tag};
  return id;
}

/* Numbers of a column's arrays, which are their tags and their places in the table page. */
static u32 vectors_tag(u32 c) { return 1 + ARRAYS_OF_COLUMN * c; }
static u32 present_tag(u32 c) { return 2 + ARRAYS_OF_COLUMN * c; }
static u32 codes_tag(u32 c) { return 3 + ARRAYS_OF_COLUMN * c; }
static u32 map_tag(u32 columns) { return 1 + ARRAYS_OF_COLUMN * columns; }

/* --- opening --- */

static void free_arrays(Slots *s) {
  u32 c;
  array_map_close(&s->rowid_map);
  array_free(&s->rowids);
  for (c = 0; c < s->columns; c++) {
    if (s->column[c].structure) s->column[c].structure->close(s->column[c].opened);
    array_map_close(&s->column[c].chosen_codes);
    array_map_close(&s->column[c].chosen_vectors);
    array_map_close(&s->column[c].present_map);
    array_free(&s->column[c].vectors);
    array_free(&s->column[c].present);
    array_free(&s->column[c].codes);
  }
  rowmap_close(&s->map);
  filter_cache_free(s->filters);
  fields_close(&s->fields);
  row_places_free(s->places);
}

void slots_release(void *view) {
  Slots *s = view;
  if (s == NULL || --s->refs) return;
  free_arrays(s);
  mem_free(s);
}

static void *slots_retain(void *view) {
  ((Slots *)view)->refs++;
  return view;
}

static void shape_columns(Slots *s, const TableShape *shape) {
  u32 c;
  s->columns = shape->vector_count;
  for (c = 0; c < s->columns; c++) {
    SlotColumn *col = &s->column[c];
    col->elem = (Elem)shape->vector[c].elem;
    col->metric = (Metric)shape->vector[c].metric;
    col->dim = shape->vector[c].dim;
    col->index = shape->vector[c].index;
    col->structure = structure_of(col->index.kind);
    col->form = form_of(col->elem);
    col->form->lay_out(col);
  }
}

/* Arrays of no items. */
static void init_arrays(Slots *s, u32 field_words) {
  u32 c;
  for (c = 0; c < s->columns; c++) {
    SlotColumn *col = &s->column[c];
    array_init(&col->vectors, s->pages, array_id(s->id, vectors_tag(c)), col->stride, EXTENT_MAX_PAGES);
    array_init(&col->present, s->pages, array_id(s->id, present_tag(c)), 8, BITS_EXTENT_PAGES);
    array_init(&col->codes, s->pages, array_id(s->id, codes_tag(c)), col->beside, EXTENT_MAX_PAGES);
  }
  array_init(&s->rowids, s->pages, array_id(s->id, 0), 8, ROWID_EXTENT_PAGES);
  s->map.pages = s->pages;
  s->map.owner = s->id;
  s->map.first_tag = map_tag(s->columns);
  fields_init(&s->fields, s->pages, s->id, field_words);
}

static int open_column(Slots *s, u32 c, const u8 *refs) {
  SlotColumn *col = &s->column[c];
  int rc = array_open(&col->vectors, s->pages, array_id(s->id, vectors_tag(c)), col->stride, EXTENT_MAX_PAGES,
                      refs + vectors_tag(c) * ARRAY_REF_SIZE);
  if (rc == SQLITE_OK) {
    rc = array_open(&col->present, s->pages, array_id(s->id, present_tag(c)), 8, BITS_EXTENT_PAGES,
                    refs + present_tag(c) * ARRAY_REF_SIZE);
  }
  if (rc == SQLITE_OK) {
    rc = array_open(&col->codes, s->pages, array_id(s->id, codes_tag(c)), col->beside, EXTENT_MAX_PAGES,
                    refs + codes_tag(c) * ARRAY_REF_SIZE);
  }
  if (rc == SQLITE_OK && (col->vectors.count != s->slots || col->present.count != (s->slots + 63) / 64 ||
                          !col->form->fits(col, s->slots))) {
    rc = CORRUPT(s->table.pgno);
  }
  return rc;
}

static int open_table_page(Slots *s, const u8 *body) {
  PageRef fields = {load32(body + FIELDS_AT), load32(body + FIELDS_AT + 4)};
  u32 runs = load32(body + 8), c;
  int rc;
  s->complete = load32(body + 12) != 0;
  s->slots = load64(body + 16);
  s->live = load64(body + 24);
  if (load32(body + 4) != s->columns || runs > ROWMAP_MAX_RUNS || load32(body) != map_tag(s->columns) + 2 * runs ||
      s->live > s->slots || s->slots >= NO_SLOT || load32(body + 12) > 1) {
    return CORRUPT(s->table.pgno);
  }
  rc = array_open(&s->rowids, s->pages, array_id(s->id, 0), 8, ROWID_EXTENT_PAGES, body + REFS_AT);
  if (rc == SQLITE_OK && s->rowids.count != s->slots) rc = CORRUPT(s->table.pgno);
  if (rc == SQLITE_OK) rc = fields_open(&s->fields, fields, s->slots);
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) {
    const u8 *entry = body + STRUCTURES_AT + c * STRUCTURE_ENTRY_SIZE;
    SlotColumn *col = &s->column[c];
    rc = open_column(s, c, body + REFS_AT);
    col->structure_ref.pgno = load32(entry);
    col->structure_ref.crc = load32(entry + 4);
    col->covered = load64(entry + 8);
    if (rc == SQLITE_OK && (col->covered > (col->structure_ref.pgno ? s->slots : 0) ||
                            (col->structure == NULL && col->structure_ref.pgno)))
      rc = CORRUPT(s->table.pgno);
  }
  if (rc) return rc;
  return rowmap_open(&s->map, s->pages, s->id, map_tag(s->columns), runs,
                     body + REFS_AT + map_tag(s->columns) * ARRAY_REF_SIZE, body + BOUNDS_AT);
}

/* The version that a table page's body describes, before the page is written; of the same table as `like`. */
static int slots_of_body(const Slots *like, const u8 *body, Slots **out) {
  u32 c;
  int rc = SQLITE_OK;
  Slots *s = mem_zeroed(&rc, 1, sizeof *s);
  if (rc) return rc;
  s->refs = 1;
  s->pages = like->pages;
  s->id = like->id;
  s->columns = like->columns;
  for (c = 0; c < s->columns; c++) {
    const SlotColumn *from = &like->column[c];
    SlotColumn *to = &s->column[c];
    to->elem = from->elem;
    to->metric = from->metric;
    to->dim = from->dim;
    to->index = from->index;
    to->structure = from->structure;
    to->form = from->form;
    to->form->lay_out(to);
  }
  init_arrays(s, like->fields.words);
  rc = open_table_page(s, body);
  if (rc) {
    slots_release(s);
    return rc;
  }
  *out = s;
  return SQLITE_OK;
}

int slots_open(Pages *pages, u64 id, const TableShape *shape, PageRef ref, void **out) {
  const u8 *page;
  PageHold hold;
  int rc = SQLITE_OK;
  Slots *s = mem_zeroed(&rc, 1, sizeof *s);
  if (rc) return rc;
  s->refs = 1;
  s->pages = pages;
  s->id = id;
  s->table = ref;
  s->complete = 1; /* an overlay over no pages has seen every content row */
  shape_columns(s, shape);
  init_arrays(s, shape->field_words);
  if (ref.pgno) {
    rc = pages_get_structure(pages, ref, PAGE_TABLE, id, 0, &page, &hold);
    if (rc == SQLITE_OK) rc = open_table_page(s, page + PAGE_HEADER_SIZE);
    pages_release(pages, &hold);
  }
  if (rc) {
    slots_release(s);
    return rc;
  }
  *out = s;
  return SQLITE_OK;
}

/* --- reading --- */

/* Where an item of an array lies, whose map is opened when it is first needed. */
ALWAYS_INLINE int mapped_place(ArrayMap *map, Array *array, u64 index, const u8 **at) {
  int rc = SQLITE_OK;
  *at = map->array && index < array->count ? array_map_known(map, (u32)index, 1) : NULL;
  if (LIKELY(*at != NULL)) return SQLITE_OK;
  if (map->array == NULL) rc = array_map_open(map, array, 0, 0);
  return rc ? rc : array_map_get(map, index, at);
}

ALWAYS_INLINE int mapped_item(ArrayMap *map, Array *array, u64 index, u64 *item) {
  const u8 *at;
  int rc = mapped_place(map, array, index, &at);
  if (rc == SQLITE_OK) *item = load64(at);
  return rc;
}

ALWAYS_INLINE int is_present(Slots *s, u32 column, u64 slot, int *present) {
  SlotColumn *col = &s->column[column];
  u64 word = 0;
  int rc = mapped_item(&col->present_map, &col->present, slot / 64, &word);
  if (rc == SQLITE_OK) *present = (int)(word >> slot % 64 & 1);
  return rc;
}

int slots_present(Slots *s, u32 column, u64 slot, int *present) { return is_present(s, column, slot, present); }

int slots_rowid(Slots *s, u64 slot, i64 *rowid) {
  u64 stored = 0;
  int rc = mapped_item(&s->rowid_map, &s->rowids, slot, &stored);
  if (rc == SQLITE_OK) *rowid = (i64)stored;
  return rc;
}

static int slot_lives(Slots *s, u64 slot, int *lives) {
  u32 c;
  int rc = SQLITE_OK;
  *lives = 0;
  for (c = 0; c < s->columns && rc == SQLITE_OK && !*lives; c++) rc = is_present(s, c, slot, lives);
  return rc;
}

/* Whether the slot is that of row `rowid` and lives; SQLITE_CORRUPT_VTAB if it is another row's. */
static int is_row(Slots *s, u64 slot, i64 rowid, int *lives) {
  i64 stored = 0;
  int rc;
  *lives = 0;
  if (slot >= s->slots) return CORRUPT(s->table.pgno);
  rc = slots_rowid(s, slot, &stored);
  if (rc) return rc;
  if (stored != rowid) return CORRUPT(s->table.pgno);
  return slot_lives(s, slot, lives);
}

int slots_keep_live(Slots *s, u32 *slot, u64 *count) {
  u64 i, used = 0;
  int rc = SQLITE_OK, lives = 1, all = s->live == s->slots;
  for (i = 0; i < *count && rc == SQLITE_OK; i++) {
    u32 found = slot[i];
    if (found == NO_SLOT) continue;
    if (found >= s->slots) return CORRUPT(s->table.pgno);
    if (!all) rc = slot_lives(s, found, &lives);
    slot[used] = found;
    used += (u64)lives;
  }
  *count = used;
  return rc;
}

int slots_find(Slots *s, i64 rowid, u32 *slot) {
  u32 at = 0;
  int lives = 0, rc = rowmap_find(&s->map, rowid, &at);
  *slot = NO_SLOT;
  if (rc) return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
  rc = is_row(s, at, rowid, &lives);
  if (rc == SQLITE_OK && lives) *slot = at;
  return rc;
}

static int slots_find_view(void *view, i64 rowid, u32 *slot) { return slots_find(view, rowid, slot); }

static i64 slots_max_rowid(void *view) {
  const Rowmap *map = &((Slots *)view)->map;
  i64 max = INT64_MIN;
  u32 i;
  for (i = 0; i < map->run_count; i++) max = MAX(max, map->run[i].max);
  return max;
}

static u64 slots_rows(void *view) { return ((const Slots *)view)->live; }

static int slots_complete(void *view) { return ((const Slots *)view)->complete; }

static int slots_vector(void *view, u32 slot, u32 column, VectorCopy *out, int *present) {
  Slots *s = view;
  const u8 *data;
  PageHold hold;
  SlotColumn *col = &s->column[column];
  int rc = slots_present(s, column, slot, present);
  if (rc || !*present) return rc;
  rc = col->form->get(s, column, slot, &data, &hold);
  if (rc) return rc;
  rc = vector_copy(out, data, vector_bytes(col->elem, col->dim, data));
  pages_release(s->pages, &hold);
  return rc;
}

static int slots_takes(const VectorShape *shape, u32 kind) {
  u32 only = form_of((Elem)shape->elem)->index;
  return only ? kind == only : kind != INDEX_INVERTED;
}

static u64 slots_bytes(const void *vector) {
  return vector_bytes(load32(vector) == record_form.mark ? ELEM_RECORD : ELEM_SPARSE, 0, vector);
}

static int slots_same(void *view, u32 slot, u32 column, const void *vector, int *same) {
  Slots *s = view;
  SlotColumn *col = &s->column[column];
  const u8 *data;
  PageHold hold;
  u64 size;
  int present = 0, rc = slots_present(s, column, slot, &present);
  *same = !present && vector == NULL;
  if (rc || !present || vector == NULL) return rc;
  rc = col->form->get(s, column, slot, &data, &hold);
  if (rc) return rc;
  size = vector_bytes(col->elem, col->dim, vector);
  *same = size == vector_bytes(col->elem, col->dim, data) && memcmp(data, vector, (size_t)size) == 0;
  pages_release(s->pages, &hold);
  return SQLITE_OK;
}

static int slots_fields(void *view, const Overlay *overlay, u32 length, u32 slot, u64 *out) {
  return fields_read(&((Slots *)view)->fields, overlay, length, slot, out);
}

static int slots_valid(const VectorShape *shape, const void *bytes, u64 size) {
  return form_of((Elem)shape->elem)->valid(shape, bytes, size);
}

static int slots_lag(void *view) {
  const Slots *s = view;
  u32 c;
  for (c = 0; c < s->columns; c++) {
    const SlotColumn *col = &s->column[c];
    if (col->structure && s->slots >= MAX(col->index.from_rows, 1) && col->covered < s->slots) return 1;
  }
  return 0;
}

static void slots_counts(void *view, TableCounts *counts) {
  Slots *s = view;
  u32 c;
  memset(counts, 0, sizeof *counts);
  if (s == NULL) return;
  counts->slots = s->slots;
  counts->live = s->live;
  counts->narrow_bytes = fields_narrow_bytes(&s->fields);
  for (c = 0; c < s->columns; c++) {
    if (s->column[c].structure_ref.pgno) s->column[c].structure->count(s, c, counts);
  }
}

/* --- folding --- */

/* One row on its way into the new version: of the overlay (row != NO_ROW), or at a slot of the old one. */
typedef struct Incoming {
  i64 rowid;
  u32 row, slot;
} Incoming;

typedef struct SlotsWriter {
  Slots *old;
  const Overlay *overlay;
  PageTx *tx;
  int keep; /* old slots stay */
  u64 slots, live;
  ArrayWriter rowids, vectors[MAX_VECTOR_COLUMNS], present[MAX_VECTOR_COLUMNS], codes[MAX_VECTOR_COLUMNS];
  FieldsWriter fields;
  u32 *dead; /* slots that died, ascending */
  u64 dead_count;
  u32 *hole; /* slots that other rows get (L4), ascending */
  u64 hole_count;
  u32 *moved; /* compaction: by old slot its new one, or NO_SLOT */
} SlotsWriter;

static int writer_begin(SlotsWriter *w, Slots *old, const Overlay *overlay, int keep, PageTx *tx) {
  u32 c;
  int rc;
  memset(w, 0, sizeof *w);
  w->old = old;
  w->overlay = overlay;
  w->tx = tx;
  w->keep = keep;
  w->slots = keep ? old->slots : 0;
  w->live = keep ? old->live : 0;
  rc = array_writer_begin(&w->rowids, tx, &old->rowids, keep);
  if (rc == SQLITE_OK) rc = fields_writer_begin(&w->fields, tx, &old->fields, keep);
  for (c = 0; c < old->columns && rc == SQLITE_OK; c++) {
    rc = array_writer_begin(&w->vectors[c], tx, &old->column[c].vectors, keep);
    if (rc == SQLITE_OK) rc = array_writer_begin(&w->present[c], tx, &old->column[c].present, keep);
    if (rc == SQLITE_OK) rc = array_writer_begin(&w->codes[c], tx, &old->column[c].codes, keep);
  }
  return rc;
}

static void writer_end(SlotsWriter *w) {
  u32 c;
  array_writer_end(&w->rowids);
  for (c = 0; c < MAX_VECTOR_COLUMNS; c++) {
    array_writer_end(&w->vectors[c]);
    array_writer_end(&w->present[c]);
    array_writer_end(&w->codes[c]);
  }
  fields_writer_end(&w->fields);
  mem_free(w->dead);
  mem_free(w->hole);
  mem_free(w->moved);
}

static int put_present(ArrayWriter *w, u64 slot, int present) {
  u8 *word;
  int rc;
  if (!present && slot / 64 < w->count) return SQLITE_OK; /* it is clear */
  rc = array_writer_item(w, slot / 64, &word);
  if (rc == SQLITE_OK && present) store64(word, load64(word) | (u64)1 << slot % 64);
  return rc;
}

/* The vector of an incoming row in column c; NULL if it has none. */
static int incoming_vector(SlotsWriter *w, const Incoming *in, u32 c, const u8 **vector, PageHold *hold) {
  int present = 0, rc;
  *vector = NULL;
  hold->block = NULL;
  if (in->row != NO_ROW) {
    if (overlay_row(w->overlay, in->row)->present >> c & 1) *vector = overlay_vector(w->overlay, in->row, c);
    return SQLITE_OK;
  }
  rc = slots_present(w->old, c, in->slot, &present);
  if (rc || !present) return rc;
  return w->old->column[c].form->get(w->old, c, in->slot, vector, hold);
}

static int put_fields(SlotsWriter *w, const Incoming *in, u64 slot) {
  u64 words[MAX_FIELD_WORDS];
  int rc;
  if (in->row != NO_ROW) return fields_writer_put(&w->fields, slot, overlay_fields(w->overlay, in->row));
  rc = fields_read(&w->old->fields, w->overlay, w->overlay->length, in->slot, words);
  return rc ? rc : fields_writer_put(&w->fields, slot, words);
}

/* `slot`: the next one, or one that is dead. */
static int put_row(SlotsWriter *w, const Incoming *in, u64 slot) {
  u8 *out;
  u32 c;
  int rc;
  if (slot >= ROWMAP_GONE) return SQLITE_FULL;
  rc = array_writer_item(&w->rowids, slot, &out);
  if (rc) return rc;
  store64(out, (u64)in->rowid);
  if (w->old->fields.words) rc = put_fields(w, in, slot);
  for (c = 0; c < w->old->columns && rc == SQLITE_OK; c++) {
    SlotColumn *col = &w->old->column[c];
    const u8 *vector;
    PageHold hold;
    rc = incoming_vector(w, in, c, &vector, &hold);
    if (rc) return rc;
    rc = col->form->put(col, &w->vectors[c], &w->codes[c], slot, vector);
    if (rc == SQLITE_OK) rc = put_present(&w->present[c], slot, vector != NULL);
    pages_release(w->old->pages, &hold);
  }
  w->slots = MAX(w->slots, slot + 1);
  w->live++;
  return rc;
}

static int compare_u32(const void *a, const void *b) {
  u32 x = *(const u32 *)a, y = *(const u32 *)b;
  return (x > y) - (x < y);
}

/* Clear the presence bits of the slots that died. */
static int clear_dead(SlotsWriter *w) {
  const Overlay *o = w->overlay;
  u64 i;
  u32 c;
  int rc = SQLITE_OK;
  if (o->kills.count == 0) return SQLITE_OK;
  w->dead = mem_array(&rc, o->kills.count, sizeof *w->dead);
  if (rc) return rc;
  w->dead_count = o->kills.count;
  for (i = 0; i < o->kills.count; i++) w->dead[i] = o->kills.event[i].slot;
  qsort(w->dead, (size_t)w->dead_count, sizeof *w->dead, compare_u32);
  for (c = 0; c < w->old->columns && rc == SQLITE_OK; c++) {
    for (i = 0; i < w->dead_count && rc == SQLITE_OK; i++) {
      u8 *word;
      rc = array_writer_edit(&w->present[c], w->dead[i] / 64, &word);
      if (rc == SQLITE_OK) store64(word, load64(word) & ~((u64)1 << w->dead[i] % 64));
    }
  }
  w->live -= MIN(w->live, o->kills.count);
  return rc;
}

static int compare_incoming(const void *a, const void *b) {
  i64 x = ((const Incoming *)a)->rowid, y = ((const Incoming *)b)->rowid;
  return (x > y) - (x < y);
}

/* The overlay's visible rows, ascending. */
static int collect(const Overlay *o, Incoming **out, u64 *count) {
  u32 i;
  int rc = SQLITE_OK;
  Incoming *in = mem_array(&rc, o->rows, sizeof *in);
  if (rc) return rc;
  *count = 0;
  for (i = 0; i < o->rows; i++) {
    const OverlayRow *r = overlay_row(o, i);
    if (!overlay_visible(r, o->length)) continue;
    in[*count].rowid = r->rowid;
    in[*count].row = i;
    in[(*count)++].slot = NO_SLOT;
  }
  for (i = 1; i < *count && in[i - 1].rowid < in[i].rowid; i++) {
  }
  if (i < *count) qsort(in, (size_t)*count, sizeof *in, compare_incoming); /* ascending already, as a rule */
  *out = in;
  return SQLITE_OK;
}

/* Write what is left of the arrays; the table page's body then says all but where the indexes' structures are. */
static int finish_arrays(SlotsWriter *w, u8 *body, u32 runs) {
  Slots *s = w->old;
  PageRef fields = {0, 0};
  u32 c;
  int rc = array_writer_finish(&w->rowids, body + REFS_AT);
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) {
    rc = array_writer_finish(&w->vectors[c], body + REFS_AT + vectors_tag(c) * ARRAY_REF_SIZE);
    if (rc == SQLITE_OK) rc = array_writer_finish(&w->present[c], body + REFS_AT + present_tag(c) * ARRAY_REF_SIZE);
    if (rc == SQLITE_OK) rc = array_writer_finish(&w->codes[c], body + REFS_AT + codes_tag(c) * ARRAY_REF_SIZE);
  }
  if (rc == SQLITE_OK) rc = fields_writer_finish(&w->fields, &fields);
  if (rc) return rc;
  store32(body + FIELDS_AT, fields.pgno);
  store32(body + FIELDS_AT + 4, fields.crc);
  store32(body, map_tag(s->columns) + 2 * runs);
  store32(body + 4, s->columns);
  store32(body + 8, runs);
  store32(body + 12, s->complete && w->overlay->bare_at >= w->overlay->length);
  store64(body + 16, w->slots);
  store64(body + 24, w->live);
  return SQLITE_OK;
}

/* The structures of the new version, whose other arrays are written. */
static int fold_structures(SlotsWriter *w, const FoldHow *how, u8 *body) {
  Slots *s = w->old, *after = NULL;
  StructureFold f;
  u32 c, some = 0;
  int rc = SQLITE_OK;
  for (c = 0; c < s->columns; c++) some |= s->column[c].structure != NULL;
  if (!some) return SQLITE_OK;
  rc = pages_set_count(s->pages, page_tx_count(w->tx));
  if (rc == SQLITE_OK) rc = slots_of_body(s, body, &after);
  memset(&f, 0, sizeof f);
  f.before = s;
  f.after = after;
  f.moved = w->moved;
  f.dead = w->dead;
  f.dead_count = w->dead_count;
  f.reused = w->hole;
  f.reused_count = w->hole_count;
  f.rows = how->index_rows - w->hole_count;
  f.whole = how->compact;
  f.threads = how->threads;
  f.tx = w->tx;
  f.work = how->work;
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) {
    u8 *entry = body + STRUCTURES_AT + c * STRUCTURE_ENTRY_SIZE;
    PageRef ref = {0, 0};
    u64 covered = 0;
    if (s->column[c].structure == NULL) continue;
    f.column = c;
    rc = s->column[c].structure->fold(&f, &ref, &covered);
    store32(entry, ref.pgno);
    store32(entry + 4, ref.crc);
    store64(entry + 8, covered);
  }
  slots_release(after);
  return rc;
}

/* --- dead slots for new rows (L4) --- */

/* How many a fold may give away: vectors must lie in their slots, and indexes must know what to do then, and have time for it. */
static u64 reuse_limit(const Slots *s, const FoldHow *how) {
  u64 limit = how->index_rows ? UINT64_MAX : 0;
  u32 c;
  for (c = 0; c < s->columns; c++) {
    if (!s->column[c].form->in_slots) limit = 0;
    if (s->column[c].structure) limit = MIN(limit, s->column[c].structure->reuses ? how->index_rows / 2 : 0);
  }
  return limit;
}

static int has_every_vector(const SlotsWriter *w, const Incoming *in) {
  return overlay_row(w->overlay, in->row)->present == ((u32)1 << w->old->columns) - 1;
}

/* A bit per slot: it lives, in the new version. */
static int live_bits(SlotsWriter *w, u64 *bits) {
  Slots *s = w->old;
  const SlotLog *kills = &w->overlay->kills;
  u64 i;
  u32 c;
  int rc = SQLITE_OK;
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) rc = slot_bits_add(&s->column[c].present, bits);
  for (i = 0; i < kills->count && rc == SQLITE_OK; i++) {
    u32 slot = kills->event[i].slot;
    if (slot >= s->slots) return CORRUPT(s->table.pgno);
    bits[slot / 64] &= ~((u64)1 << slot % 64);
  }
  return rc;
}

static int compare_descending(const void *a, const void *b) {
  u64 x = *(const u64 *)a, y = *(const u64 *)b;
  return (x < y) - (x > y);
}

/*
 * How many of the dead slots are let be. Where one in n is, the extents that have the most have about 2/n, and a fold copies n/2 slots for each new row, which
 * lie beside the old ones until the next fold: this n makes the sum of both, 1/n of the slots and n/2 of the rows, least.
 */
static u64 dead_let_be(u64 slots, u64 rows) {
  double n = sqrt(2 * (double)slots / (double)rows);
  return slots / (u64)MAX(MIN(n, REUSE_MAX_SHARE), REUSE_MIN_SHARE);
}

/* Slots that lie in one extent of the vectors (least: of the widest), and in one of all that is written beside them (most). */
static void extent_slots(const Slots *s, u32 *least, u32 *most) {
  u32 c;
  *least = 0xffffffffu;
  *most = 1;
  for (c = 0; c < s->columns; c++) {
    u32 vectors = s->column[c].vectors.per_extent;
    *least = MIN(*least, vectors);
    *most = MAX(*most, vectors);
    if (s->column[c].code_stride) *most = MAX(*most, s->column[c].codes.per_extent);
  }
}

/* The dead slots of one extent, if one in `share` of it is; `most` in all. They are none of the next extent's, then. */
static void take_holes(SlotsWriter *w, u64 *bits, u64 first, u32 per, u32 share, u64 most) {
  u64 end = MIN(first + per, w->old->slots), slot;
  u32 dead = 0;
  for (slot = first; slot < end; slot++) dead += (u32)(~bits[slot / 64] >> slot % 64 & 1);
  if ((u64)dead * share < end - first) return;
  for (slot = first; slot < end && w->hole_count < most; slot++) {
    if (bits[slot / 64] >> slot % 64 & 1) continue;
    w->hole[w->hole_count++] = (u32)slot;
    bits[slot / 64] |= (u64)1 << slot % 64;
  }
}

/*
 * Choose at most `most` dead slots: all in full extents of vectors of which half is dead, then all but dead_let_be, where the most of them are beside each other in what
 * is written.
 */
static int choose_holes(SlotsWriter *w, u64 most) {
  Slots *s = w->old;
  u64 let_be = dead_let_be(s->slots, most), dead = s->slots - w->live, enough = dead > let_be ? dead - let_be : 0;
  u32 least, per, extents, i;
  u64 *bits, *order, slot;
  int rc = SQLITE_OK;
  extent_slots(s, &least, &per);
  extents = (u32)((s->slots + per - 1) / per);
  bits = mem_zeroed(&rc, s->slots / 64 + 1, sizeof *bits);
  order = mem_zeroed(&rc, extents, sizeof *order); /* dead slots << 32 | ~extent */
  w->hole = mem_array(&rc, most, sizeof *w->hole);
  if (rc == SQLITE_OK) rc = live_bits(w, bits);
  if (rc) goto done;
  for (slot = 0; slot + least <= s->slots && w->hole_count < most; slot += least)
    take_holes(w, bits, slot, least, REUSE_EXTENT_SHARE, most);
  for (i = 0; i < extents; i++) order[i] = ~i;
  for (slot = 0; slot < s->slots; slot++) order[slot / per] += (u64)(~bits[slot / 64] >> slot % 64 & 1) << 32;
  qsort(order, extents, sizeof *order, compare_descending);
  for (i = 0; i < extents && w->hole_count < MIN(enough, most); i++)
    take_holes(w, bits, (u64) ~(u32)order[i] * per, per, 0xffffffffu, most);
  if (w->hole_count) qsort(w->hole, (size_t)w->hole_count, sizeof *w->hole, compare_u32);
done:
  mem_free(bits);
  mem_free(order);
  return rc;
}

static int compare_entries(const void *a, const void *b) {
  i64 x = ((const RowmapEntry *)a)->rowid, y = ((const RowmapEntry *)b)->rowid;
  return (x > y) - (x < y);
}

/* To entries[0..*count), ascending, add those that say of the rows which had these slots that they are gone (M5). */
static int add_gone(SlotsWriter *w, RowmapEntry *entries, u64 *count) {
  Slots *s = w->old;
  u64 i, k, n = *count, rows = *count;
  u32 *at;
  i64 *rowid;
  int rc = SQLITE_OK;
  rowid = mem_array(&rc, w->hole_count, sizeof *rowid);
  at = mem_array(&rc, w->hole_count, sizeof *at);
  for (i = 0; i < w->hole_count && rc == SQLITE_OK; i++) rc = slots_rowid(s, w->hole[i], &rowid[i]);
  if (rc == SQLITE_OK) rc = rowmap_find_many(&s->map, rowid, w->hole_count, at);
  for (i = 0; i < w->hole_count && rc == SQLITE_OK; i++) {
    RowmapEntry gone = {rowid[i], ROWMAP_GONE};
    if (at[i] == w->hole[i] && bsearch(&gone, entries, (size_t)rows, sizeof gone, compare_entries) == NULL)
      entries[n++] = gone; /* else the row has another slot by now */
  }
  if (rc == SQLITE_OK && n > rows) qsort(entries, (size_t)n, sizeof *entries, compare_entries);
  for (k = 1; k < n && rc == SQLITE_OK; k++) {
    if (entries[k].rowid == entries[k - 1].rowid) rc = CORRUPT(s->table.pgno); /* two slots of one row */
  }
  *count = n;
  mem_free(rowid);
  mem_free(at);
  return rc;
}

/* --- the next version --- */

/* Old slots stay, dead ones are marked, new rows get dead slots (L4) or are appended. */
static int fold_append(SlotsWriter *w, const Incoming *in, u64 count, const FoldHow *how, u8 *body) {
  Slots *s = w->old;
  RowmapEntry *entries = NULL;
  u64 i, full = 0, used = 0, number = count;
  u32 runs = 0, appended;
  int rc = clear_dead(w);
  if (rc == SQLITE_OK) rc = fields_writer_patch(&w->fields, w->overlay);
  for (i = 0; i < count; i++) full += (u64)has_every_vector(w, &in[i]);
  full = MIN(full, reuse_limit(s, how));
  if (rc == SQLITE_OK && full && w->live < s->slots) rc = choose_holes(w, full);
  if (rc) return rc;
  entries = mem_array(&rc, count + w->hole_count, sizeof *entries);
  /* an array's items are changed in ascending order, and then more of them are added */
  for (appended = 0; appended < 2; appended++) {
    for (i = 0, used = 0; i < count && rc == SQLITE_OK; i++) {
      int hole = used < w->hole_count && has_every_vector(w, &in[i]);
      u64 slot = hole ? w->hole[used++] : w->slots;
      if (hole == (int)appended) continue;
      entries[i].rowid = in[i].rowid;
      entries[i].slot = (u32)slot;
      rc = put_row(w, &in[i], slot);
      if (rc == SQLITE_OK && i % 1024 == 1023 && page_tx_interrupted(w->tx)) rc = SQLITE_INTERRUPT;
    }
  }
  if (rc == SQLITE_OK && w->hole_count) rc = add_gone(w, entries, &number);
  if (rc == SQLITE_OK) {
    rc = rowmap_fold(&s->map, 1, entries, number, w->tx, body + REFS_AT + map_tag(s->columns) * ARRAY_REF_SIZE,
                     body + BOUNDS_AT, &runs);
  }
  how->work->reused += w->hole_count;
  mem_free(entries);
  return rc ? rc : finish_arrays(w, body, runs);
}

/* Live rows of the old version and new ones, merged in the order of rowids. */
typedef struct Merge {
  SlotsWriter *w;
  RowmapCursor cursor;
  int old_state; /* SQLITE_OK: `old` is valid; SQLITE_DONE */
  Incoming old;
} Merge;

static int next_old(Merge *m) {
  Slots *s = m->w->old;
  RowmapEntry e;
  int rc;
  while ((rc = rowmap_next(&m->cursor, &e)) == SQLITE_OK) {
    int lives = 0;
    if (e.slot >= s->slots) return CORRUPT(s->table.pgno);
    rc = slot_lives(s, e.slot, &lives);
    if (rc) return rc;
    if (!lives || overlay_killed(m->w->overlay, m->w->overlay->length, e.slot)) continue;
    m->old.rowid = e.rowid;
    m->old.slot = e.slot;
    m->old.row = NO_ROW;
    m->old_state = SQLITE_OK;
    return SQLITE_OK;
  }
  m->old_state = rc;
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int fold_compact(SlotsWriter *w, const Incoming *in, u64 count, int none_left, u8 *body) {
  Slots *s = w->old;
  RowmapWriter map;
  Merge m;
  u64 k = 0, done = 0;
  int rc = rowmap_writer_begin(&map, &s->map, 0, w->tx);
  memset(&m, 0, sizeof m);
  m.w = w;
  m.old_state = SQLITE_DONE;
  w->moved = mem_array(&rc, s->slots, sizeof *w->moved);
  if (rc == SQLITE_OK) memset(w->moved, 0xff, (size_t)s->slots * sizeof *w->moved); /* NO_SLOT */
  if (rc == SQLITE_OK && !none_left) {
    rc = rowmap_seek(&m.cursor, &s->map, INT64_MIN, 0);
    if (rc == SQLITE_OK) rc = next_old(&m);
  }
  while (rc == SQLITE_OK && (m.old_state == SQLITE_OK || k < count)) {
    const Incoming *row = &m.old;
    int take_old = m.old_state == SQLITE_OK && (k == count || m.old.rowid < in[k].rowid);
    if (!take_old) row = &in[k];
    rc = rowmap_writer_add(&map, row->rowid, (u32)w->slots);
    if (take_old) w->moved[row->slot] = (u32)w->slots;
    if (rc == SQLITE_OK) rc = put_row(w, row, w->slots);
    if (rc) break;
    if (!take_old)
      k++;
    else
      rc = next_old(&m);
    if (rc == SQLITE_OK && ++done % 1024 == 0 && page_tx_interrupted(w->tx)) rc = SQLITE_INTERRUPT;
  }
  if (rc == SQLITE_OK && w->slots) {
    rc = rowmap_writer_finish(&map, body + REFS_AT + map_tag(s->columns) * ARRAY_REF_SIZE, body + BOUNDS_AT);
  }
  rowmap_writer_end(&map);
  rowmap_cursor_end(&m.cursor);
  return rc ? rc : finish_arrays(w, body, w->slots != 0);
}

static int free_all(Slots *s, PageTx *tx) {
  u32 c;
  int rc = array_free_pages(&s->rowids, tx);
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) {
    rc = array_free_pages(&s->column[c].vectors, tx);
    if (rc == SQLITE_OK) rc = array_free_pages(&s->column[c].present, tx);
    if (rc == SQLITE_OK) rc = array_free_pages(&s->column[c].codes, tx);
  }
  if (rc == SQLITE_OK) rc = rowmap_free_pages(&s->map, tx);
  return rc ? rc : fields_free_pages(&s->fields, tx);
}

/* Pages that the live rows would fill, about. */
static u64 live_pages(const Slots *s) {
  u64 bytes = 16;
  u32 c;
  for (c = 0; c < s->columns; c++) {
    const SlotColumn *col = &s->column[c];
    bytes += col->form->row_bytes(col);
    if (col->structure_ref.pgno) bytes += col->structure->row_bytes(col);
  }
  return s->live * bytes / PAGE_SIZE;
}

/* L2; what it writes is work beside that of the fold. */
static int worth_compacting(const Slots *s, u64 dead, u32 share, PageTx *tx) {
  u64 left = s->slots - MIN(dead, s->slots), pages = live_pages(s);
  if (dead < COMPACT_MIN_DEAD) return 0;
  if (dead <= left && (dead <= left / share || pages > tx->spare)) return 0;
  tx->spare -= (u32)MIN(pages, (u64)tx->spare);
  tx->moved += (u32)MIN(pages, 0xffffffffu - tx->moved);
  return 1;
}

/* Whether slots are in another order than rowids. */
static int out_of_order(Slots *s, int *wrong) {
  i64 before = INT64_MIN;
  u32 e;
  int rc = array_load(&s->rowids);
  *wrong = 0;
  for (e = 0; e < s->rowids.extent_count && rc == SQLITE_OK && !*wrong; e++) {
    const u8 *rows;
    PageHold hold;
    u32 items = 0, i;
    rc = array_extent(&s->rowids, e, &rows, &items, &hold);
    for (i = 0; i < items && rc == SQLITE_OK; i++) {
      i64 rowid = (i64)load64(rows + 8 * (size_t)i);
      *wrong |= rowid < before;
      before = rowid;
    }
    pages_release(s->pages, &hold);
  }
  return rc;
}

static int slots_fold(void *view, const Overlay *o, const FoldHow *how, PageTx *tx, PageRef *out) {
  Slots *s = view;
  SlotsWriter w;
  Incoming *in = NULL;
  u64 count = 0, dead = s->slots - s->live + o->kills.count;
  int none_left = o->all_dead_at < o->length, compact = how->compact, rc = collect(o, &in, &count);
  u8 *page = NULL;

  memset(&w, 0, sizeof w);
  if (none_left || (rc == SQLITE_OK && how->index_rows &&
                    worth_compacting(s, dead - MIN(dead, MIN(count, reuse_limit(s, how))), how->dead_share, tx)))
    compact = 1; /* L2 */
  else if (rc == SQLITE_OK && compact && dead == 0 && o->length == 0)
    rc = out_of_order(s, &compact);
  if (rc == SQLITE_OK) rc = writer_begin(&w, s, o, !compact, tx);
  page = mem_zeroed(&rc, 1, PAGE_SIZE);
  if (rc == SQLITE_OK) {
    u8 *body = page + PAGE_HEADER_SIZE;
    rc = compact ? fold_compact(&w, in, count, none_left, body) : fold_append(&w, in, count, how, body);
    if (rc == SQLITE_OK) rc = fold_structures(&w, how, body);
    if (rc == SQLITE_OK) rc = page_tx_put_structure(tx, page, PAGE_TABLE, 0, s->id, 0, out);
  }
  if (rc == SQLITE_OK && compact) rc = free_all(s, tx);
  if (rc == SQLITE_OK && s->table.pgno) rc = page_tx_free(tx, s->table.pgno, 1);
  writer_end(&w);
  mem_free(in);
  mem_free(page);
  return rc;
}

/* --- dropping and checking --- */

/* The structure page says what it is. */
static int structure_pages_at(Pages *pages, u64 id, u32 column, PageRef ref, PageVisit visit, void *arg) {
  const StructureMethods *methods;
  PageKind kind = 0;
  int rc = pages_structure_kind(pages, ref, &kind);
  if (rc) return rc;
  methods = structure_of_page(kind);
  return methods ? structure_walk_at(methods, pages, id, column, ref, visit, arg) : CORRUPT(ref.pgno);
}

/* A table page says enough to find its arrays without knowing the table's shape. */
static int slots_pages_at(Pages *pages, u64 id, PageRef ref, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  const u8 *page, *body;
  PageHold hold;
  u32 refs, i;
  int rc = pages_get_structure(pages, ref, PAGE_TABLE, id, 0, &page, &hold);
  if (rc) return rc;
  body = page + PAGE_HEADER_SIZE;
  refs = load32(body);
  if (refs > MAX_REFS) rc = CORRUPT(ref.pgno);
  for (i = 0; i < refs && rc == SQLITE_OK; i++)
    rc = array_pages_at(pages, array_id(id, i), body + REFS_AT + i * ARRAY_REF_SIZE, visit, arg);
  for (i = 0; i < MAX_VECTOR_COLUMNS && rc == SQLITE_OK; i++) {
    const u8 *entry = body + STRUCTURES_AT + i * STRUCTURE_ENTRY_SIZE;
    PageRef structure = {load32(entry), load32(entry + 4)};
    if (structure.pgno) rc = structure_pages_at(pages, id, i, structure, visit, arg);
  }
  if (rc == SQLITE_OK && load32(body + FIELDS_AT)) {
    PageRef fields = {load32(body + FIELDS_AT), load32(body + FIELDS_AT + 4)};
    rc = fields_pages_at(pages, id, fields, visit, arg);
  }
  if (rc == SQLITE_OK) rc = visit(arg, ref.pgno, 1);
  pages_release(pages, &hold);
  return rc;
}

static int walk_all(Slots *s, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  u32 c;
  int rc = s->table.pgno ? visit(arg, s->table.pgno, 1) : SQLITE_OK;
  if (rc == SQLITE_OK) rc = array_walk(&s->rowids, visit, arg);
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) {
    rc = array_walk(&s->column[c].vectors, visit, arg);
    if (rc == SQLITE_OK) rc = array_walk(&s->column[c].present, visit, arg);
    if (rc == SQLITE_OK) rc = array_walk(&s->column[c].codes, visit, arg);
  }
  if (rc == SQLITE_OK) rc = rowmap_walk(&s->map, visit, arg);
  if (rc == SQLITE_OK) rc = fields_walk(&s->fields, visit, arg);
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) {
    if (s->column[c].structure_ref.pgno) rc = s->column[c].structure->visit(s, c, visit, arg);
  }
  return rc;
}

/* Whether what a slot has beside its vectors is theirs. */
static int codes_fit(Slots *s, u64 slot, u8 *row, int *fit) {
  u32 c;
  int rc = SQLITE_OK, present = 0;
  for (c = 0; c < s->columns && rc == SQLITE_OK; c++) {
    rc = slots_present(s, c, slot, &present);
    if (rc == SQLITE_OK && present) rc = s->column[c].form->check(s, c, slot, row, fit);
  }
  return rc;
}

static int slots_check(void *view, int (*visit)(void *arg, u32 pgno, u32 count), void *arg, char **problem) {
  Slots *s = view;
  RowmapCursor cursor;
  RowmapEntry e;
  u64 slot, live = 0, mapped = 0;
  u32 c;
  int rc = walk_all(s, visit, arg), lives = 0, fit = 1, known = 1;
  u8 *row = mem_array(&rc, MAX_DIM + 64, 1);
  for (slot = 0; slot < s->slots && rc == SQLITE_OK; slot++) {
    rc = slot_lives(s, slot, &lives);
    live += (u64)lives;
    if (rc == SQLITE_OK && lives) rc = codes_fit(s, slot, row, &fit);
  }
  mem_free(row);
  memset(&cursor, 0, sizeof cursor);
  if (rc == SQLITE_OK) rc = fields_check(&s->fields, &known);
  if (rc == SQLITE_OK) rc = rowmap_check(&s->map);
  if (rc == SQLITE_OK) rc = rowmap_seek(&cursor, &s->map, INT64_MIN, 0);
  /* Of dead slots, too: by their row ids the map is told of rows that are gone (L4). */
  while (rc == SQLITE_OK && (rc = rowmap_next(&cursor, &e)) == SQLITE_OK) {
    rc = is_row(s, e.slot, e.rowid, &lives);
    mapped += (u64)lives;
  }
  rowmap_cursor_end(&cursor);
  if (rc == SQLITE_DONE) rc = SQLITE_OK;
  if (rc) return rc;
  if (live != s->live || mapped != live) {
    *problem = sqlite3_mprintf("%lld slots live, %lld of them in the rowid map, %lld expected", (long long)live,
                               (long long)mapped, (long long)s->live);
    if (*problem == NULL) return SQLITE_NOMEM;
  } else if (!fit || !known) {
    *problem = sqlite3_mprintf(fit ? "a field has a value of another type than its page says"
                                   : "code rows differ from their vectors");
    if (*problem == NULL) return SQLITE_NOMEM;
  }
  for (c = 0; c < s->columns && rc == SQLITE_OK && *problem == NULL; c++) {
    if (s->column[c].structure_ref.pgno) rc = s->column[c].structure->check(s, c, problem);
  }
  return rc;
}

const TableMethods table_methods = {slots_valid,   slots_takes,     slots_bytes,    slots_open,      slots_retain,
                                    slots_release, slots_find_view, slots_rows,     slots_max_rowid, slots_complete,
                                    slots_fold,    slots_lag,       slots_pages_at, slots_check,     slots_counts,
                                    slots_vector,  slots_same,      slots_fields};
