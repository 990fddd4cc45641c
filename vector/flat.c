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
#define GROUP_ROWS 32u    /* chosen rows asked for from memory at once */
#define JUDGED_ROWS 2048u /* ... whose bounds are found before vectors are read */
#define MOST_FIRST 256u   /* for a pool with room for so many the nearest by their bounds are compared first */
#define ROW_NS 2.0        /* about what a scan takes for a row, and for 32 bytes of it ... */
#define ROW_32_BYTES_NS 0.7
#define CHOSEN_ROW_NS 20.0 /* ... and what a chosen row costs more than one of a scan, */
#define LIST_WORD_NS 0.25  /* and 64 slots of which a list is made */

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

/* Where single slots' code rows and vectors lie: opened by the first pass that chooses slots, kept with the view. */
static int open_chosen(SlotColumn *col) {
  int rc = SQLITE_OK;
  if (col->code_stride && col->chosen_codes.array == NULL) rc = array_map_open(&col->chosen_codes, &col->codes, 0, 0);
  if (rc == SQLITE_OK && col->chosen_vectors.array == NULL)
    rc = array_map_open(&col->chosen_vectors, &col->vectors, 0, 0);
  return rc;
}

/* The rows of chosen slots, up to GROUP_ROWS, asked for from memory. */
static int ask_for(ArrayMap *map, const u32 *slots, u32 count, const u8 **row) {
  u32 i;
  for (i = 0; i < count; i++) {
    row[i] = array_map_known(map, slots[i], 1);
    if (UNLIKELY(row[i] == NULL)) {
      int rc = array_map_get(map, slots[i], &row[i]);
      if (rc) return rc;
    }
    fetch_row(row[i], map->stride);
  }
  return SQLITE_OK;
}

/* Lower bounds of chosen slots. A group of rows is asked for while the one before is compared. */
static int judge(IndexPass *p, CodeScanApart lower_bounds, const u32 *slots, u32 count, float *lower) {
  ArrayMap *map = &p->slots->column[p->column].chosen_codes;
  const u8 *row[2][GROUP_ROWS];
  u32 i = 0, waiting = 0, side = 0;
  while (i < count || waiting) {
    u32 n = MIN(count - i, GROUP_ROWS);
    int rc = ask_for(map, slots + i, n, row[side]);
    if (rc) return rc;
    side ^= 1;
    lower_bounds(*p->codes, row[side], waiting, lower + i - waiting); /* the other side */
    i += n;
    waiting = n;
  }
  return SQLITE_OK;
}

/* Chosen slots, up to GROUP_ROWS, on their vectors. */
static int refine_group(IndexPass *p, Pool *pool, const u32 *slots, const float *lower, u32 count) {
  SlotColumn *col = &p->slots->column[p->column];
  const u8 *row[GROUP_ROWS];
  u32 i;
  int rc = ask_for(&col->chosen_vectors, slots, count, row);
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    if (!((double)lower[i] <= pool->worst)) continue;
    rc = offer_slot(p, pool, slots[i], scan_value(col->metric, col->elem, col->dim, p->query, row[i], NAN));
  }
  return rc;
}

/* The places of the `most` smallest bounds, which are not NaN. */
static void smallest(const float *lower, u32 count, u32 most, u32 *place) {
  u32 i, n = 0;
  for (i = 0; i < count; i++) { /* a heap, the largest first */
    u32 at, child;
    if (n == most && lower[i] >= lower[place[0]]) continue;
    if (n < most) {
      for (at = n++; at > 0 && lower[place[(at - 1) / 2]] < lower[i]; at = (at - 1) / 2)
        place[at] = place[(at - 1) / 2];
    } else {
      for (at = 0; (child = 2 * at + 1) < n; at = child) {
        child += child + 1 < n && lower[place[child + 1]] > lower[place[child]];
        if (lower[place[child]] <= lower[i]) break;
        place[at] = place[child];
      }
    }
    place[at] = i;
  }
}

/*
 * Compare on vectors those chosen slots that their bounds do not rule out: first as many of the smallest bounds as the pool has room for, so that hardly
 * any others are left.
 */
static int refine_judged(IndexPass *p, Pool *pool, const u32 *slots, float *lower, u32 count) {
  u32 slot[GROUP_ROWS], place[MOST_FIRST], n = 0, first = 0, i;
  float bound[GROUP_ROWS];
  int rc = SQLITE_OK;
  if (pool->cap - pool->count <= MIN(MOST_FIRST, count / 2)) first = (u32)(pool->cap - pool->count);
  if (first) smallest(lower, count, first, place);
  for (i = 0; i < first + count && rc == SQLITE_OK; i++) {
    u32 at = i < first ? place[i] : i - first;
    if ((double)lower[at] <= pool->worst) {
      slot[n] = slots[at];
      bound[n++] = lower[at];
      lower[at] = NAN; /* was looked at */
    }
    if (n < GROUP_ROWS && i + 1 != first && i + 1 < first + count) continue;
    rc = refine_group(p, pool, slot, bound, n);
    n = 0;
  }
  return rc;
}

/* Vectors of chosen slots, asked for likewise: neighbours are one call of the kernel. */
static int scan_apart(IndexPass *p, Pool *pool, const u32 *slots, u32 count) {
  SlotColumn *col = &p->slots->column[p->column];
  DistanceScan scan = distance_scan(col->metric, col->elem);
  const u8 *row[2][GROUP_ROWS], **arrived;
  u32 i = 0, waiting = 0, side = 0, k, run;
  int rc = SQLITE_OK;
  while ((i < count || waiting) && rc == SQLITE_OK) {
    u32 n = MIN(count - i, GROUP_ROWS);
    rc = ask_for(&col->chosen_vectors, slots + i, n, row[side]);
    side ^= 1;
    arrived = row[side];
    for (k = 0; k < waiting && rc == SQLITE_OK; k += run) {
      for (run = 1; k + run < waiting && arrived[k + run] == arrived[k + run - 1] + col->stride; run++) {
      }
      rc = scan_rows(p, pool, scan, slots[i - waiting + k], arrived[k], run);
    }
    i += n;
    waiting = n;
  }
  return rc;
}

u64 slots_below(const u32 *slots, u64 count, u64 end) {
  u64 low = 0, high = count;
  while (low < high) {
    u64 middle = low + (high - low) / 2;
    if (slots[middle] < end)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Only the chosen slots, from slot `first` on. */
static int scan_some(IndexPass *p, Pool *pool, u64 first) {
  SlotColumn *col = &p->slots->column[p->column];
  CodeScanApart lower_bounds = col->code_stride ? codes_scan_apart(col->metric, col->elem) : NULL;
  float lower[JUDGED_ROWS];
  u64 i;
  u32 n;
  int rc = open_chosen(col);
  if (rc == SQLITE_OK && lower_bounds && *p->codes == NULL)
    rc = codes_query(col->metric, col->elem, p->query, col->dim, p->codes);
  for (i = slots_below(p->only, p->chosen, first); i < p->chosen && rc == SQLITE_OK; i += n) {
    n = (u32)MIN(p->chosen - i, JUDGED_ROWS);
    if (lower_bounds) {
      rc = judge(p, lower_bounds, p->only + i, n, lower);
      if (rc == SQLITE_OK) rc = refine_judged(p, pool, p->only + i, lower, n);
    } else {
      rc = scan_apart(p, pool, p->only + i, n);
    }
    p->compared += n;
    if (rc == SQLITE_OK && p->interrupted && p->interrupted(p->interrupt_arg)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

int flat_search_from(IndexPass *p, Pool *pool, u64 first) {
  const SlotColumn *col = &p->slots->column[p->column];
  DistanceScan scan = distance_scan(col->metric, col->elem);
  if (p->slots->slots <= first || p->overlay->all_dead_at < p->length) return SQLITE_OK;
  return p->only ? scan_some(p, pool, first) : scan_all(p, pool, scan, first);
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
  double find = p->filter ? filter_cost(&p->slots->fields, p->filter, p->slots->slots) : 0;
  if (p->only && (p->allowed || p->filter)) find += (double)p->slots->slots / 64 * LIST_WORD_NS;
  return find + (p->only ? (double)p->chosen * (row + CHOSEN_ROW_NS) : (double)p->slots->slots * row);
}

const IndexMethods flat_index = {"flat", flat_ready, 0, 0, 0, NULL, NULL, flat_cost, flat_search, NULL};
