/*
 * space.c: see space.h.
 */
#include "space.h"

#include <math.h>

#include "portable.h"

#define AT_ONCE 256u /* distances, before they are ordered or looked at */

/* --- full vectors --- */

typedef struct FullQuery {
  const u8 *vector;
  float
      augmented; /* dot, of a node: its coordinate in the space where inner products are l2 distances; NaN for a user's query */
} FullQuery;

static u32 full_query_size(const Space *s) {
  (void)s;
  return sizeof(FullQuery);
}

/* The added coordinate a with |x|^2 + a^2 = bound2, 0 beyond (graph.h, G6). */
static float augmented(const Space *s, float norm2) { return sqrtf(MAX(s->bound2 - norm2, 0)); }

static void full_from_vector(const Space *s, const void *vector, void *query) {
  FullQuery *q = query;
  (void)s;
  q->vector = vector;
  q->augmented = NAN;
}

static void full_from_row(const Space *s, const u8 *row, void *query) {
  FullQuery *q = query;
  float value, norm2 = 0;
  q->vector = row;
  q->augmented = 0;
  if (s->metric != METRIC_DOT) return;
  s->kernel.scan(row, row, s->size, 1, s->dim, &value, &norm2);
  q->augmented = augmented(s, norm2);
}

static void full_distances(const Space *s, const void *query, const u8 *const *rows, u32 count, u32 *out) {
  const FullQuery *q = query;
  float value, norm2;
  u32 i;
  for (i = 0; i < count; i++) {
    norm2 = 0;
    s->kernel.scan(q->vector, rows[i], s->size, 1, s->dim, &value, &norm2);
    if (s->metric == METRIC_DOT && !isnan(q->augmented)) value -= q->augmented * augmented(s, norm2);
    out[i] = space_order(value);
  }
}

static void full_put_row(const Space *s, const void *vector, u8 *row) {
  memcpy(row, vector, s->size);
  memset(row + s->size, 0, s->row_bytes - s->size);
}

static void full_add_row(const Space *s, const u8 *row, double *sum) {
  u32 i;
  for (i = 0; i < s->dim; i++) sum[i] += elem_get(s->elem, row, i);
}

static const SpaceMethods full_space = {"vectors",     full_query_size, full_from_vector,
                                        full_from_row, full_distances,  NULL,
                                        NULL,          full_put_row,    full_add_row};

/* --- code rows --- */

static u32 rows_query_size(const Space *s) { return walk8_query_size(s->dim); }

static void rows_from_vector(const Space *s, const void *vector, void *query) {
  u8 row[MAX_DIM + 64];
  codes_encode(s->metric, s->elem, vector, s->dim, row);
  walk8_query(s->metric, WALK8_QUERY, s->dim, row, 0, query);
}

static void rows_from_row(const Space *s, const u8 *row, void *query) {
  walk8_query(s->metric, WALK8_BUILD, s->dim, row, s->bound2, query);
}

static void rows_distances(const Space *s, const void *query, const u8 *const *rows, u32 count, u32 *out) {
  float value[AT_ONCE];
  u32 i, n;
  for (; count; count -= n, rows += n, out += n) {
    n = MIN(count, AT_ONCE);
    s->kernel.walk8(query, rows, n, value);
    for (i = 0; i < n; i++) out[i] = space_order(value[i]);
  }
}

static void rows_put_row(const Space *s, const void *vector, u8 *row) {
  codes_encode(s->metric, s->elem, vector, s->dim, row);
}

static void rows_add_row(const Space *s, const u8 *row, double *sum) { codes_add(row, s->dim, sum); }

static const SpaceMethods rows_space = {"int8", rows_query_size, rows_from_vector, rows_from_row, rows_distances, NULL,
                                        NULL,   rows_put_row,    rows_add_row};

/* --- 4-bit codes: for searches alone --- */

static u32 sq4_query_bytes(const Space *s) { return sq4_query_size(s->sq4); }

static void sq4_from_vector(const Space *s, const void *vector, void *query) { sq4_query(s->sq4, vector, query); }

static void sq4_distances_of(const Space *s, const void *query, const u8 *const *rows, u32 count, u32 *out) {
  s->kernel.sq4(query, rows, count, out);
}

static int sq4_measure(const Space *s, void *query, const u8 *const *rows, const u32 *distances, u32 count) {
  u32 value[AT_ONCE], n;
  int known = 0;
  for (; count; count -= n, rows += n, distances += n) {
    n = MIN(count, AT_ONCE);
    s->heads(query, rows, n, value);
    known = sq4_measure_heads(query, distances, value, n);
  }
  return known;
}

static u32 sq4_drop_far(const Space *s, const void *query, u32 limit, const u8 **rows, u32 *nodes, u32 count) {
  const u32 most = sq4_head_limit(query, limit), rest = s->row_bytes - s->head_bytes;
  u32 value[AT_ONCE], first, i, n, left = 0;
  for (first = 0; first < count; first += n) {
    n = MIN(count - first, AT_ONCE);
    s->heads(query, rows + first, n, value);
    for (i = 0; i < n; i++) {
      if (value[i] > most) continue;
      rows[left] = rows[first + i];
      nodes[left] = nodes[first + i];
      fetch_row(rows[left++] + s->head_bytes, rest);
    }
  }
  return left;
}

static void sq4_put_row(const Space *s, const void *vector, u8 *row) { sq4_encode(s->sq4, vector, row); }

static const SpaceMethods sq4_space = {"int4",      sq4_query_bytes, sq4_from_vector, NULL, sq4_distances_of,
                                       sq4_measure, sq4_drop_far,    sq4_put_row,     NULL};

/* --- 1-bit rows: for searches alone --- */

static u32 bit_query_size(const Space *s) { return rabitq_row_query_size(s->dim); }

static void bit_from_vector(const Space *s, const void *vector, void *query) {
  rabitq_row_query(s->sq4, vector, query);
}

static void bit_distances(const Space *s, const void *query, const u8 *const *rows, u32 count, u32 *out) {
  float value[AT_ONCE];
  u32 i, n;
  (void)s;
  for (; count; count -= n, rows += n, out += n) {
    n = MIN(count, AT_ONCE);
    rabitq_row_values(query, rows, n, value);
    for (i = 0; i < n; i++) out[i] = space_order(value[i]);
  }
}

static void bit_put_row(const Space *s, const void *vector, u8 *row) { rabitq_row_put(s->sq4, vector, row); }

static const SpaceMethods bit_space = {"bit", bit_query_size, bit_from_vector, NULL, bit_distances,
                                       NULL,  NULL,           bit_put_row,     NULL};

/* --- opening --- */

static void describe(Space *space, const SpaceMethods *methods, const SlotColumn *col, float bound2, u32 row_bytes) {
  memset(space, 0, sizeof *space);
  space->methods = methods;
  space->metric = col->metric;
  space->elem = col->elem;
  space->dim = col->dim;
  space->size = col->size;
  space->bound2 = bound2;
  space->row_bytes = row_bytes;
}

int space_full(Slots *slots, u32 column, float bound2, Space *out) {
  SlotColumn *col = &slots->column[column];
  describe(out, &full_space, col, bound2, col->size);
  out->kernel.scan = distance_scan(col->metric, col->elem);
  return array_map_open(&out->rows, &col->vectors, 0, 1);
}

int space_rows(Slots *slots, u32 column, float bound2, Space *out) {
  SlotColumn *col = &slots->column[column];
  describe(out, &rows_space, col, bound2, col->code_stride);
  out->kernel.walk8 = walk8_distances(col->metric);
  return array_map_open(&out->rows, &col->codes, 0, 1);
}

static void describe_sq4(Space *space, const SlotColumn *col, const Sq4 *sq4) {
  describe(space, &sq4_space, col, 0, sq4_stride(col->metric, col->elem, col->dim));
  space->sq4 = sq4;
  space->head_bytes = sq4_head(sq4);
  space->heads = sq4_heads();
  space->kernel.sq4 = sq4_distances();
}

int space_sq4(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out) {
  describe_sq4(out, &slots->column[column], sq4);
  return array_map_open(&out->rows, codes, 0, 1);
}

int space_bit(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out) {
  SlotColumn *col = &slots->column[column];
  describe(out, &bit_space, col, 0, rabitq_row_stride(col->metric, col->elem, col->dim));
  out->sq4 = sq4;
  return array_map_open(&out->rows, codes, 0, 1);
}

int space_build(Slots *slots, u32 column, float bound2, Space *out) {
  const SlotColumn *col = &slots->column[column];
  if (col->code_stride && walk8_fits(col->metric)) return space_rows(slots, column, bound2, out);
  return space_full(slots, column, bound2, out);
}

void space_rowless(const SlotColumn *col, const Sq4 *sq4, Space *out) {
  if (sq4) {
    describe_sq4(out, col, sq4);
  } else if (col->index.quantizer != QUANTIZER_NONE && col->code_stride && walk8_fits(col->metric)) {
    describe(out, &rows_space, col, 0, col->code_stride);
    out->kernel.walk8 = walk8_distances(col->metric);
  } else {
    describe(out, &full_space, col, 0, col->stride);
    out->kernel.scan = distance_scan(col->metric, col->elem);
  }
}

void space_close(Space *space) { array_map_close(&space->rows); }
