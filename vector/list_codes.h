/*
 * list_codes.h: what the lists of an ivf hold of their rows, by quantizer: rows of a Space, or groups of 1-bit codes.
 *
 * A block of a list has room for whole groups of `group` rows, row_bytes each.
 */
#ifndef QUIRE_LIST_CODES_H
#define QUIRE_LIST_CODES_H

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
};

/* Those of a column's quantizer. */
const ListCodesMethods *list_codes_of(const SlotColumn *col);
/* Ready for rows and queries; takes over sq4, whatever it returns. */
int list_codes_open(ListCodes *c, const SlotColumn *col, Sq4 *sq4);
void list_codes_close(ListCodes *c);

#endif
