/*
 * forms.c: dense and sparse vectors, and records, on pages. See forms.h.
 */
#include "forms.h"

#include "../wal_shim/bytes.h"
#include "index.h"
#include "record.h"
#include "sparse.h"

#define WORD 4u        /* bytes of an item that those of different sizes are made of */
#define PLACE_SIZE 16u /* of the item that says where one lies */
#define HEADER_WORDS (SPARSE_HEADER / WORD)
#define MOST_WORDS ((u32)(RECORD_MAX_BYTES / WORD)) /* of an extent, and of the largest of both */

_Static_assert(SPARSE_HEADER == RECORD_HEADER, "the same header");
_Static_assert(SPARSE_HEADER + 8 * (u64)SPARSE_MAX_VALUES <= RECORD_MAX_BYTES, "room for both");

/* --- dense --- */

static int dense_shaped(const VectorShape *shape, const void *bytes, u64 size) { return bytes && size == shape->size; }

static int dense_valid(const VectorShape *shape, const void *bytes, u64 size) {
  return size == shape->size && elem_first_nonfinite((Elem)shape->elem, bytes, shape->dim) < 0;
}

static void dense_lay_out(SlotColumn *col) {
  col->size = (u32)elem_size(col->elem, col->dim);
  col->stride = vector_stride(col->size);
  col->code_stride = codes_stride(col->metric, col->elem, col->dim);
  col->beside = MAX(col->code_stride, 16);
}

static int dense_fits(const SlotColumn *col, u64 slots) { return col->codes.count == (col->code_stride ? slots : 0); }

static u64 dense_row_bytes(const SlotColumn *col) { return (u64)col->stride + col->code_stride; }

/* The code row of a vector, or zeros where there is none. */
static int put_codes(const SlotColumn *col, ArrayWriter *codes, u64 slot, const u8 *vector) {
  u8 *out;
  int rc = array_writer_item(codes, slot, &out);
  if (rc) return rc;
  if (vector)
    codes_encode(col->metric, col->elem, vector, col->dim, out);
  else
    memset(out, 0, col->code_stride);
  return SQLITE_OK;
}

static int dense_put(const SlotColumn *col, ArrayWriter *vectors, ArrayWriter *codes, u64 slot, const u8 *vector) {
  u8 *out;
  int rc = array_writer_item(vectors, slot, &out);
  if (rc) return rc;
  if (vector) memcpy(out, vector, col->size);
  memset(out + (vector ? col->size : 0), 0, col->stride - (vector ? col->size : 0));
  return col->code_stride ? put_codes(col, codes, slot, vector) : SQLITE_OK;
}

static int dense_get(Slots *s, u32 column, u64 slot, const u8 **vector, PageHold *hold) {
  return array_item(&s->column[column].vectors, slot, vector, hold);
}

static int dense_check(Slots *s, u32 column, u64 slot, u8 *row, int *fit) {
  SlotColumn *col = &s->column[column];
  const u8 *vectors, *codes = NULL;
  PageHold vector_hold, code_hold;
  u32 items = 0, per = col->vectors.per_extent, code_per = col->codes.per_extent;
  int rc;
  if (col->code_stride == 0) return SQLITE_OK;
  rc = array_extent(&col->vectors, (u32)(slot / per), &vectors, &items, &vector_hold);
  if (rc) return rc;
  codes_encode(col->metric, col->elem, vectors + (size_t)(slot % per) * col->stride, col->dim, row);
  rc = array_extent(&col->codes, (u32)(slot / code_per), &codes, &items, &code_hold);
  if (rc == SQLITE_OK) *fit &= memcmp(codes + (size_t)(slot % code_per) * col->code_stride, row, col->code_stride) == 0;
  pages_release(s->pages, &code_hold);
  pages_release(s->pages, &vector_hold);
  return rc;
}

const VectorForm dense_form = {
    .in_slots = 1,
    .valid = dense_valid,
    .shaped = dense_shaped,
    .lay_out = dense_lay_out,
    .fits = dense_fits,
    .row_bytes = dense_row_bytes,
    .put = dense_put,
    .get = dense_get,
    .check = dense_check,
};

/* --- of different sizes: sparse vectors, records --- */

static int sparse_valid(const VectorShape *shape, const void *bytes, u64 size) {
  Sparse sparse;
  char *error = NULL;
  int rc = bytes ? sparse_open(bytes, size, &sparse, &error) : SQLITE_ERROR;
  sqlite3_free(error);
  return rc == SQLITE_OK && sparse.dim == shape->dim && sparse.count <= SPARSE_MAX_VALUES;
}

static int is_record(const VectorShape *shape, const void *bytes, u64 size) {
  return record_valid(bytes, size, shape->dim);
}

static void sized_lay_out(SlotColumn *col) {
  col->size = col->code_stride = 0;
  col->stride = PLACE_SIZE;
  col->beside = WORD;
}

static int sized_fits(const SlotColumn *col, u64 slots) {
  (void)slots;
  return col->codes.count <= col->vectors.count * MOST_WORDS * 2; /* half may be left empty */
}

static u64 sized_row_bytes(const SlotColumn *col) {
  return PLACE_SIZE + (col->vectors.count ? col->codes.count * WORD / col->vectors.count : 0);
}

/* Room for `words` items in one extent; what is left of the extent before is given up if it is too little. */
static int take_room(ArrayWriter *codes, u64 words, u64 *at, u8 **out) {
  u64 got = 0;
  int rc;
  do {
    *at = codes->count;
    rc = array_writer_append(codes, words, out, &got);
    if (rc == SQLITE_OK && got < words) memset(*out, 0, (size_t)got * WORD);
  } while (rc == SQLITE_OK && got < words);
  return rc;
}

static int sized_put(const SlotColumn *col, ArrayWriter *vectors, ArrayWriter *codes, u64 slot, const u8 *vector) {
  u64 size = vector ? vector_bytes(col->elem, col->dim, vector) : 0, at = 0;
  u8 *out;
  int rc = SQLITE_OK;
  if (vector) {
    rc = take_room(codes, size / WORD, &at, &out);
    if (rc) return rc;
    memcpy(out, vector, (size_t)size);
  }
  rc = array_writer_item(vectors, slot, &out);
  if (rc) return rc;
  store64(out, at);
  store32(out + 8, (u32)(size / WORD));
  store32(out + 12, 0);
  return SQLITE_OK;
}

int sized_place(const u8 *item, u64 *at, u32 *words) {
  *at = load64(item);
  *words = load32(item + 8);
  return *words >= HEADER_WORDS && *words <= MOST_WORDS;
}

int sized_sound(const SlotColumn *col, const u8 *bytes, u32 words) {
  return load32(bytes) == col->form->mark && load32(bytes + 4) == col->dim &&
         (u64)words * WORD == vector_bytes(col->elem, col->dim, bytes);
}

static int sized_get(Slots *s, u32 column, u64 slot, const u8 **vector, PageHold *hold) {
  SlotColumn *col = &s->column[column];
  const u8 *place = NULL;
  u64 at;
  u32 words;
  int sound, rc = array_item(&col->vectors, slot, &place, hold);
  if (rc) return rc;
  sound = sized_place(place, &at, &words);
  pages_release(s->pages, hold);
  if (!sound) return CORRUPT(s->table.pgno);
  rc = array_items(&col->codes, at, words, vector, hold);
  if (rc || sized_sound(col, *vector, words)) return rc;
  pages_release(s->pages, hold);
  return CORRUPT(s->table.pgno);
}

static int sized_check(Slots *s, u32 column, u64 slot, u8 *row, int *fit) {
  SlotColumn *col = &s->column[column];
  const VectorShape shape = {.elem = (u32)col->elem, .dim = col->dim};
  const u8 *vector;
  PageHold hold;
  int rc = sized_get(s, column, slot, &vector, &hold);
  (void)row;
  if (rc) return rc;
  *fit &= col->form->valid(&shape, vector, vector_bytes(col->elem, col->dim, vector));
  pages_release(s->pages, &hold);
  return SQLITE_OK;
}

#define SIZED                                                                                                          \
  .lay_out = sized_lay_out, .fits = sized_fits, .row_bytes = sized_row_bytes, .put = sized_put, .get = sized_get,      \
  .check = sized_check

const VectorForm sparse_form = {
    .mark = SPARSE_MARK, .index = INDEX_INVERTED, .valid = sparse_valid, .shaped = sparse_valid, SIZED};
const VectorForm record_form = {
    .mark = RECORD_MARK, .index = INDEX_FLAT, .valid = is_record, .shaped = is_record, SIZED};

const VectorForm *form_of(Elem elem) {
  return elem == ELEM_SPARSE ? &sparse_form : elem == ELEM_RECORD ? &record_form : &dense_form;
}
