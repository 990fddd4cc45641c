/*
 * list_codes.h: what the lists of an ivf hold of their rows, by quantizer: rows of a Space, or groups of 1-bit codes.
 *
 * A block of a list has room for whole groups of `group` rows, row_bytes each.
 */
#ifndef QUIRE_LIST_CODES_H
#define QUIRE_LIST_CODES_H

#include "portable.h"
#include "rabitq.h"
#include "space.h"

typedef struct ListCodes ListCodes;
typedef struct ListCodesMethods {
  u32 group;      /* rows that stand together */
  u32 block_rows; /* that a block has room for at least, if pages allow */
  int bounds; /* values are bounds that nearly all rows keep, in the units of scan_value(); else estimates in units of their own */
  u32 (*row_bytes)(const SlotColumn *col);
  /* Of what codes are made with; 0: nothing is learned. */
  u32 (*learned_bytes)(const SlotColumn *col);
  int ranges; /* that has a range, out of which coordinates are clipped */
  /* The list whose rows are put and compared next, by its centroid. */
  void (*centre)(ListCodes *c, const float *centroid);
  /* Write the code of a vector as row i of those at `rows`; whether it is that already. */
  void (*put)(ListCodes *c, const void *vector, u8 *rows, u32 i);
  int (*same)(ListCodes *c, const void *vector, const u8 *rows, u32 i);
  /* A query; the list that is scanned next, by the distance of the query to its centroid as order_lists() has it. */
  void (*query)(ListCodes *c, const void *vector);
  void (*list)(ListCodes *c, float distance);
  /* The rows of `count` whose value (order-preserving: space_order) is below `limit`; how many. */
  u32 (*scan)(ListCodes *c, const u8 *rows, u32 count, u32 limit, u16 *row, u32 *value);
} ListCodesMethods;

struct ListCodes {
  const ListCodesMethods *methods;
  u32 row_bytes;
  Sq4 *sq4; /* owned; NULL: nothing was learned */
  Space space;
  void *query;
  u8 *scratch; /* a group */
  float *centre;
  RabitqList list;
  const u8 *fetch, *fetch_end; /* what scans ask memory for, a piece with each piece of theirs */
};

/* Ask for up to `bytes` bytes more of it. */
static inline void list_codes_fetch(ListCodes *c, size_t bytes) {
  const u8 *end = (size_t)(c->fetch_end - c->fetch) < bytes ? c->fetch_end : c->fetch + bytes;
  for (; c->fetch < end; c->fetch += CACHE_LINE) PREFETCH(c->fetch);
  if (c->fetch > c->fetch_end) c->fetch = c->fetch_end;
}

/* Ask for the rest of it; `rows`, `bytes` of them, are what comes then. */
static inline void list_codes_fetch_next(ListCodes *c, const u8 *rows, size_t bytes) {
  list_codes_fetch(c, (size_t)-1);
  c->fetch = rows;
  c->fetch_end = bytes ? rows + bytes : rows;
}

/* Those of a column's quantizer. */
const ListCodesMethods *list_codes_of(const SlotColumn *col);
/* Ready for rows and queries; takes over sq4, whatever it returns. */
int list_codes_open(ListCodes *c, const SlotColumn *col, Sq4 *sq4);
void list_codes_close(ListCodes *c);

#endif
