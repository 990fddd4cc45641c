/*
 * list_codes.c: see list_codes.h.
 */
#include "list_codes.h"

#include <math.h>

#include "portable.h"

#define SCAN_AT_ONCE 64u

/* --- rows of a space: one after the other --- */

static u32 nothing_learned(const SlotColumn *col) {
  (void)col;
  return 0;
}

static u32 sq4_learned_bytes(const SlotColumn *col) { return sq4_size(col->dim); }

static u32 full_bytes(const SlotColumn *col) { return col->stride; }
static u32 int8_bytes(const SlotColumn *col) { return col->code_stride; }
static u32 int4_bytes(const SlotColumn *col) { return sq4_stride(col->metric, col->elem, col->dim); }

static void rows_centre(ListCodes *c, const float *centroid) {
  (void)c;
  (void)centroid;
}

static void rows_put(ListCodes *c, const void *vector, u8 *rows, u32 i) {
  c->space.methods->put_row(&c->space, vector, rows + (size_t)i * c->row_bytes);
}

static int rows_same(ListCodes *c, const void *vector, const u8 *rows, u32 i) {
  rows_put(c, vector, c->scratch, 0);
  return memcmp(c->scratch, rows + (size_t)i * c->row_bytes, c->row_bytes) == 0;
}

static void rows_query(ListCodes *c, const void *vector) { c->space.methods->from_vector(&c->space, vector, c->query); }

static void rows_list(ListCodes *c, float distance) {
  (void)c;
  (void)distance;
}

static u32 rows_scan(ListCodes *c, const u8 *rows, u32 count, u32 limit, u16 *hit, u32 *value) {
  const u8 *row[SCAN_AT_ONCE];
  u32 all[SCAN_AT_ONCE], first, i, n, hits = 0;
  for (first = 0; first < count; first += n) {
    n = MIN(SCAN_AT_ONCE, count - first);
    list_codes_fetch(c, (size_t)n * c->row_bytes);
    for (i = 0; i < n; i++, rows += c->row_bytes) row[i] = rows;
    c->space.methods->distances(&c->space, c->query, row, n, all);
    for (i = 0; i < n; i++) {
      if (LIKELY(all[i] >= limit)) continue;
      hit[hits] = (u16)(first + i);
      value[hits++] = all[i];
    }
  }
  return hits;
}

#define ROWS_METHODS(bytes, learned, ranges)                                                                           \
  { 1, 32, 0, bytes, learned, ranges, rows_centre, rows_put, rows_same, rows_query, rows_list, rows_scan }

static const ListCodesMethods vectors = ROWS_METHODS(full_bytes, nothing_learned, 0);
static const ListCodesMethods int8 = ROWS_METHODS(int8_bytes, nothing_learned, 0);
static const ListCodesMethods int4 = ROWS_METHODS(int4_bytes, sq4_learned_bytes, 1);

/* --- 1-bit codes of the residual to the centroid, in groups --- */

static u32 bit_bytes(const SlotColumn *col) { return rabitq_row_bytes(col->metric, col->elem, col->dim); }

static void bit_centre(ListCodes *c, const float *centroid) { rabitq_centre(c->sq4, centroid, c->centre); }

static u8 *group_of(const ListCodes *c, u8 *rows, u32 i) {
  return rows + (size_t)(i / RABITQ_ROWS) * RABITQ_ROWS * c->row_bytes;
}

static void bit_put(ListCodes *c, const void *vector, u8 *rows, u32 i) {
  rabitq_put(c->sq4, c->centre, vector, group_of(c, rows, i), i % RABITQ_ROWS);
}

static int bit_same(ListCodes *c, const void *vector, const u8 *rows, u32 i) {
  size_t size = (size_t)RABITQ_ROWS * c->row_bytes;
  const u8 *group = rows + i / RABITQ_ROWS * size;
  memcpy(c->scratch, group, size);
  rabitq_put(c->sq4, c->centre, vector, c->scratch, i % RABITQ_ROWS);
  return memcmp(c->scratch, group, size) == 0;
}

static void bit_query(ListCodes *c, const void *vector) { rabitq_query(c->sq4, vector, c->query); }

static void bit_list(ListCodes *c, float distance) { rabitq_list(c->query, distance, &c->list); }

static u32 bit_scan(ListCodes *c, const u8 *rows, u32 count, u32 limit, u16 *hit, u32 *value) {
  float w[RABITQ_ROWS], most = (space_unorder(limit) - c->list.base) / c->list.scale;
  u32 first, hits = 0;
  for (first = 0; first < count; first += RABITQ_ROWS, rows += (size_t)RABITQ_ROWS * c->row_bytes) {
    u32 near;
    list_codes_fetch(c, (size_t)RABITQ_ROWS * c->row_bytes);
    near = rabitq_scan(c->query, &c->list, rows, most, w);
    if (count - first < RABITQ_ROWS) near &= (1u << (count - first)) - 1;
    for (; near; near &= near - 1) {
      u32 i = low_bit(near);
      hit[hits] = (u16)(first + i);
      value[hits++] = space_order(c->list.base + c->list.scale * w[i]);
    }
  }
  return hits;
}

static const ListCodesMethods bit = {RABITQ_ROWS, 128,     1,        bit_bytes, sq4_learned_bytes, 0,
                                     bit_centre,  bit_put, bit_same, bit_query, bit_list,          bit_scan};

/* --- the choice --- */

const ListCodesMethods *list_codes_of(const SlotColumn *col) {
  switch (col->index.quantizer) {
    case QUANTIZER_INT8: return col->code_stride && walk8_fits(col->metric) ? &int8 : &vectors;
    case QUANTIZER_INT4: return int4_bytes(col) ? &int4 : &vectors;
    case QUANTIZER_BIT: return bit_bytes(col) ? &bit : &vectors;
    default: return &vectors;
  }
}

int list_codes_open(ListCodes *c, const SlotColumn *col, Sq4 *sq4) {
  int rc = SQLITE_OK;
  memset(c, 0, sizeof *c);
  c->methods = list_codes_of(col);
  c->row_bytes = c->methods->row_bytes(col);
  c->sq4 = sq4;
  space_rowless(col, sq4, &c->space);
  c->query = mem_aligned(&rc, MAX(c->space.methods->query_size(&c->space), rabitq_query_size(col->dim)));
  c->scratch = mem_aligned(&rc, MAX((u64)c->methods->group * c->row_bytes, 64));
  c->centre = mem_aligned(&rc, rabitq_floats(col->dim) * sizeof(float));
  return rc;
}

void list_codes_close(ListCodes *c) {
  space_close(&c->space);
  sq4_free(c->sq4);
  mem_aligned_free(c->query);
  mem_aligned_free(c->scratch);
  mem_aligned_free(c->centre);
  memset(c, 0, sizeof *c);
}
