/*
 * forms.c: dense and sparse vectors on pages. See forms.h.
 */
#include "forms.h"

#include "../wal_shim/bytes.h"
#include "sparse.h"

#define WORD 4u        /* bytes of an item that sparse vectors are made of */
#define PLACE_SIZE 16u /* of the item that says where one lies */
#define HEADER_WORDS (SPARSE_HEADER / WORD)

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

const VectorForm dense_form = {1,         dense_valid, dense_shaped, dense_lay_out, dense_fits, dense_row_bytes,
                               dense_put, dense_get,   dense_check};

/* --- sparse --- */

static int sparse_valid(const VectorShape *shape, const void *bytes, u64 size) {
  Sparse sparse;
  char *error = NULL;
  int rc = bytes ? sparse_open(bytes, size, &sparse, &error) : SQLITE_ERROR;
  sqlite3_free(error);
  return rc == SQLITE_OK && sparse.dim == shape->dim && sparse.count <= SPARSE_MAX_VALUES;
}

static void sparse_lay_out(SlotColumn *col) {
  col->size = col->code_stride = 0;
  col->stride = PLACE_SIZE;
  col->beside = WORD;
}

static int sparse_fits(const SlotColumn *col, u64 slots) {
  (void)slots;
  return col->codes.count <=
         col->vectors.count * (HEADER_WORDS + 2 * (u64)SPARSE_MAX_VALUES) * 2; /* half may be left empty */
}

static u64 sparse_row_bytes(const SlotColumn *col) {
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

static int sparse_put(const SlotColumn *col, ArrayWriter *vectors, ArrayWriter *codes, u64 slot, const u8 *vector) {
  u64 size = vector ? vector_bytes(ELEM_SPARSE, col->dim, vector) : 0, at = 0;
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

static int sparse_get(Slots *s, u32 column, u64 slot, const u8 **vector, PageHold *hold) {
  SlotColumn *col = &s->column[column];
  const u8 *place = NULL;
  u64 at;
  u32 words;
  int rc = array_item(&col->vectors, slot, &place, hold);
  if (rc) return rc;
  at = load64(place);
  words = load32(place + 8);
  pages_release(s->pages, hold);
  if (words < HEADER_WORDS || words > HEADER_WORDS + 2 * SPARSE_MAX_VALUES) return CORRUPT(s->table.pgno);
  rc = array_items(&col->codes, at, words, vector, hold);
  if (rc) return rc;
  if (load32(*vector) == SPARSE_MARK && load32(*vector + 4) == col->dim &&
      (u64)words * WORD == vector_bytes(ELEM_SPARSE, col->dim, *vector))
    return SQLITE_OK;
  pages_release(s->pages, hold);
  return CORRUPT(s->table.pgno);
}

static int sparse_check(Slots *s, u32 column, u64 slot, u8 *row, int *fit) {
  SlotColumn *col = &s->column[column];
  const VectorShape shape = {.elem = ELEM_SPARSE, .dim = col->dim};
  const u8 *vector;
  PageHold hold;
  int rc = sparse_get(s, column, slot, &vector, &hold);
  (void)row;
  if (rc) return rc;
  *fit &= sparse_valid(&shape, vector, vector_bytes(ELEM_SPARSE, col->dim, vector));
  pages_release(s->pages, &hold);
  return SQLITE_OK;
}

const VectorForm sparse_form = {0,          sparse_valid, sparse_valid, sparse_lay_out, sparse_fits, sparse_row_bytes,
                                sparse_put, sparse_get,   sparse_check};
