/*
 * flat.c: the exact scan: every live slot of a column, at memory speed.
 *
 * Where the column has code rows the scan reads those, a quarter of the bytes, and computes a proven lower bound of each row's value; the
 * vector itself is read only where that bound does not rule the row out. Elsewhere every vector goes through the scan kernel.
 *
 * The kernel sees whole blocks, dead slots included; whether a slot lives, is allowed, and what row it is, is asked only for the few
 * that the pool wants. The plan for selective filters and the oracle of every recall test.
 */
#include "index.h"

#include <math.h>

#include "../wal_shim/bytes.h"
#include "portable.h"

#define BLOCK_ROWS 256u
#define POLL_ROWS 65536u
#define GROUP_ROWS 32u    /* chosen rows asked for at once */
#define PACKED_BYTES 512u /* chosen rows up to this size are packed */
#define ROW_NS 2.0        /* about what a scan takes for a row, and for 32 bytes of it ... */
#define ROW_32_BYTES_NS 0.7
#define CHOSEN_ROW_NS 14.0 /* ... and what a chosen row costs more than one of a scan */

double scan_value(Metric metric, Elem elem, u32 dim, const void *query, const void *row, float value) {
  double d;
  if (LIKELY(isfinite(value))) return (double)value;
  d = distance_exact(metric, elem, query, row, dim);
  return metric == METRIC_L2 ? d * d : d;
}

/* Offer one slot if it counts. */
static int offer_slot(IndexPass *p, Pool *pool, u64 slot, double value) {
  i64 rowid = 0;
  int present = 0, rc;
  if (!pool_wants(pool, value)) return SQLITE_OK;
  if (p->allowed && !(p->allowed[slot / 64] >> slot % 64 & 1)) return SQLITE_OK;
  if (overlay_killed(p->overlay, p->length, (u32)slot)) return SQLITE_OK;
  rc = slots_present(p->slots, p->column, slot, &present);
  if (rc || !present) return rc;
  rc = slots_rowid(p->slots, slot, &rowid);
  if (rc == SQLITE_OK) pool_offer(pool, value, rowid, slot);
  return rc;
}

/* `count` consecutive slots from `slot`, whose vectors begin at `rows`. */
static int scan_rows(IndexPass *p, Pool *pool, DistanceScan scan, u64 slot, const u8 *rows, u32 count) {
  const SlotColumn *col = &p->slots->column[p->column];
  float value[BLOCK_ROWS];
  u32 i;
  int rc = SQLITE_OK;
  while (count && rc == SQLITE_OK) {
    u32 n = MIN(count, BLOCK_ROWS);
    scan(p->query, rows, col->stride, n, col->dim, value, &p->norm2_max);
    for (i = 0; i < n && rc == SQLITE_OK; i++) {
      if (LIKELY(!scan_wants(pool, value[i]))) continue;
      rc = offer_slot(p, pool, slot + i,
                      scan_value(col->metric, col->elem, col->dim, p->query, rows + (size_t)i * col->stride, value[i]));
    }
    rows += (size_t)n * col->stride;
    slot += n;
    count -= n;
  }
  return rc;
}

/* The true value of one slot, offered if the pool wants it. */
static int refine(IndexPass *p, Pool *pool, u64 slot) {
  SlotColumn *col = &p->slots->column[p->column];
  const u8 *row;
  PageHold hold;
  double value;
  int rc = array_item(&col->vectors, slot, &row, &hold);
  if (rc) return rc;
  value = scan_value(col->metric, col->elem, col->dim, p->query, row, NAN);
  pages_release(p->slots->pages, &hold);
  return offer_slot(p, pool, slot, value);
}

/* Code rows from slot `slot` on. */
static int scan_codes(IndexPass *p, Pool *pool, CodeScan lower_bounds, u64 slot, const u8 *rows, u32 count) {
  const SlotColumn *col = &p->slots->column[p->column];
  float lower[BLOCK_ROWS];
  u32 i;
  int rc = SQLITE_OK;
  while (count && rc == SQLITE_OK) {
    u32 n = MIN(count, BLOCK_ROWS);
    lower_bounds(*p->codes, rows, col->code_stride, n, lower);
    for (i = 0; i < n && rc == SQLITE_OK; i++) {
      if (UNLIKELY(!((double)lower[i] > pool->worst))) rc = refine(p, pool, slot + i);
    }
    rows += (size_t)n * col->code_stride;
    slot += n;
    count -= n;
  }
  return rc;
}

/* From slot `first` on every extent of the column's code rows if it has them, else of its vectors. */
static int scan_all(IndexPass *p, Pool *pool, DistanceScan scan, u64 first) {
  SlotColumn *col = &p->slots->column[p->column];
  Array *array = col->code_stride ? &col->codes : &col->vectors;
  CodeScan lower_bounds = col->code_stride ? codes_scan(col->metric, col->elem) : NULL;
  u32 e, polled = 0, items = 0;
  int rc = array_load(array);
  if (rc == SQLITE_OK && col->code_stride && *p->codes == NULL)
    rc = codes_query(col->metric, col->elem, p->query, col->dim, p->codes);
  for (e = (u32)(first / array->per_extent); e < array->extent_count && rc == SQLITE_OK; e++) {
    u64 slot = (u64)e * array->per_extent;
    const u8 *rows;
    PageHold hold;
    rc = array_extent(array, e, &rows, &items, &hold);
    if (rc) return rc;
    if (slot < first) { /* the first extent, from its middle on */
      u32 skip = (u32)MIN(first - slot, items);
      rows += (size_t)skip * array->stride;
      items -= skip;
      slot = first;
    }
    rc = col->code_stride ? scan_codes(p, pool, lower_bounds, slot, rows, items)
                          : scan_rows(p, pool, scan, slot, rows, items);
    pages_release(p->slots->pages, &hold);
    p->compared += items;
    polled += items;
    if (rc == SQLITE_OK && polled >= POLL_ROWS) {
      polled = 0;
      if (p->interrupted && p->interrupted(p->interrupt_arg)) rc = SQLITE_INTERRUPT;
    }
  }
  return rc;
}

/* Where single slots' code rows (or vectors) lie: opened by the first pass that chooses slots, kept with the view. */
static int open_chosen(IndexPass *p, ArrayMap **out) {
  SlotColumn *col = &p->slots->column[p->column];
  *out = &col->chosen;
  if (col->chosen.array) return SQLITE_OK;
  return array_map_open(&col->chosen, col->code_stride ? &col->codes : &col->vectors, 0, 0);
}

/* Code rows of chosen slots: short ones side by side first, so that the kernel sees one block. */
static int scan_packed(IndexPass *p, Pool *pool, CodeScan lower_bounds, const u32 *slots, const u8 *const *row,
                       u32 count) {
  const u32 stride = p->slots->column[p->column].code_stride;
  u64 packed[GROUP_ROWS * PACKED_BYTES / 8];
  float lower[GROUP_ROWS];
  u32 i;
  int rc = SQLITE_OK;
  if (count == 0) return SQLITE_OK;
  if (stride <= PACKED_BYTES) {
    for (i = 0; i < count; i++) memcpy((u8 *)packed + (size_t)i * stride, row[i], stride);
    lower_bounds(*p->codes, (const u8 *)packed, stride, count, lower);
  } else {
    for (i = 0; i < count; i++) lower_bounds(*p->codes, row[i], stride, 1, &lower[i]);
  }
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    if (UNLIKELY(!((double)lower[i] > pool->worst))) rc = refine(p, pool, slots[i]);
  }
  return rc;
}

/* Vectors of chosen slots: neighbours are one call of the kernel. */
static int scan_apart(IndexPass *p, Pool *pool, DistanceScan scan, const u32 *slots, const u8 *const *row, u32 count) {
  const u32 stride = p->slots->column[p->column].stride;
  u32 i, run;
  int rc = SQLITE_OK;
  for (i = 0; i < count && rc == SQLITE_OK; i += run) {
    for (run = 1; i + run < count && row[i + run] == row[i + run - 1] + stride; run++) {
    }
    rc = scan_rows(p, pool, scan, slots[i], row[i], run);
  }
  return rc;
}

/* Only the chosen slots. A group of rows is asked for from memory while the one before is compared. */
static int scan_some(IndexPass *p, Pool *pool, DistanceScan scan) {
  SlotColumn *col = &p->slots->column[p->column];
  CodeScan lower_bounds = col->code_stride ? codes_scan(col->metric, col->elem) : NULL;
  const u8 *row[2][GROUP_ROWS];
  u64 i, polled = 0;
  u32 waiting = 0, side = 0;
  ArrayMap *map;
  int rc = open_chosen(p, &map);
  if (rc == SQLITE_OK && col->code_stride && *p->codes == NULL)
    rc = codes_query(col->metric, col->elem, p->query, col->dim, p->codes);
  for (i = 0; (i < p->chosen || waiting) && rc == SQLITE_OK; side ^= 1) {
    u32 n = (u32)MIN(p->chosen - i, GROUP_ROWS), k;
    for (k = 0; k < n && rc == SQLITE_OK; k++) {
      rc = array_map_get(map, p->only[i + k], &row[side][k]);
      if (rc == SQLITE_OK) fetch_row(row[side][k], map->stride);
    }
    if (rc == SQLITE_OK && lower_bounds)
      rc = scan_packed(p, pool, lower_bounds, p->only + i - waiting, row[side ^ 1], waiting);
    else if (rc == SQLITE_OK)
      rc = scan_apart(p, pool, scan, p->only + i - waiting, row[side ^ 1], waiting);
    p->compared += waiting;
    polled += waiting;
    i += n;
    waiting = n;
    if (rc == SQLITE_OK && polled >= POLL_ROWS) {
      polled = 0;
      if (p->interrupted && p->interrupted(p->interrupt_arg)) rc = SQLITE_INTERRUPT;
    }
  }
  return rc;
}

int flat_search_from(IndexPass *p, Pool *pool, u64 first) {
  const SlotColumn *col = &p->slots->column[p->column];
  DistanceScan scan = distance_scan(col->metric, col->elem);
  if (p->slots->slots <= first || p->overlay->all_dead_at < p->length) return SQLITE_OK;
  return p->only ? scan_some(p, pool, scan) : scan_all(p, pool, scan, first);
}

static int flat_search(IndexPass *p, Pool *pool) { return flat_search_from(p, pool, 0); }

static int flat_ready(const Slots *slots, u32 column) {
  (void)slots;
  (void)column;
  return 1;
}

static double flat_cost(const IndexPass *p) {
  const SlotColumn *col = &p->slots->column[p->column];
  double row = ROW_NS + ROW_32_BYTES_NS / 32 * (col->code_stride ? col->code_stride : col->stride);
  return p->only ? (double)p->chosen * (row + CHOSEN_ROW_NS) : (double)p->slots->slots * row;
}

const IndexMethods flat_index = {"flat", flat_ready, 0, 0, NULL, NULL, flat_cost, flat_search};
