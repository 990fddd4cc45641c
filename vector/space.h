/*
 * space.h: where an index's distances come from: full vectors, code rows (codes.h), 4-bit codes (sq4.h), 1-bit rows (rabitq_row.h).
 */
#ifndef QUIRE_SPACE_H
#define QUIRE_SPACE_H

#include <math.h>

#include "index.h"
#include "rabitq_row.h"
#include "sq4.h"
#include "walk8.h"

/*
 * A space has rows and gives distances of rows to a query as order-preserving u32. A query is a block of memory that
 * from_vector (of a user) or from_row (a node) fills.
 */
typedef struct Space Space;
typedef struct SpaceMethods {
  const char *name;
  u32 (*query_size)(const Space *space);
  void (*from_vector)(const Space *space, const void *vector, void *query);
  void (*from_row)(const Space *space, const u8 *row, void *query);
  void (*distances)(const Space *space, const void *query, const u8 *const *rows, u32 count, u32 *out);
  /* Learn from rows and their distances what heads of rows tell for this query. Whether enough is known. NULL as the next one. */
  int (*measure_heads)(const Space *space, void *query, const u8 *const *rows, const u32 *distances, u32 count);
  /*
   * Then: of `count` rows, of which head_bytes are there, drop those that are further than `limit` by these, and ask for the rest of the others; their nodes
   * move with them. How many are left. NULL where head_bytes is 0.
   */
  u32 (*drop_far)(const Space *space, const void *query, u32 limit, const u8 **rows, u32 *nodes, u32 count);
  /* The row of a vector, all row_bytes of it. */
  void (*put_row)(const Space *space, const void *vector, u8 *row);
  /* Add what a row stands for to dim numbers, the same on every processor. NULL: rows cannot be read back. */
  void (*add_row)(const Space *space, const u8 *row, double *sum);
} SpaceMethods;

struct Space {
  const SpaceMethods *methods;
  Metric metric;
  Elem elem;
  u32 dim, size;  /* of a vector */
  u32 row_bytes;  /* read of each row */
  u32 head_bytes; /* of these, what tells far rows; 0: nothing does */
  float bound2;   /* dot, for building: M^2 of graph.h, G6 */
  ArrayMap rows;  /* by slot; of space_rowless none */
  const Sq4 *sq4;
  Sq4Distances heads;
  union {
    Sq4Distances sq4;
    Walk8Distances walk8;
    DistanceScan scan;
  } kernel;
};

/* The space that nodes are compared in when the graph is built: code rows if the column has them, else vectors. */
int space_build(Slots *slots, u32 column, float bound2, Space *out);
/* The space of full vectors, of code rows, of 4-bit codes, of 1-bit rows. */
int space_full(Slots *slots, u32 column, float bound2, Space *out);
int space_rows(Slots *slots, u32 column, float bound2, Space *out);
int space_sq4(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out);
int space_bit(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out);
/* One whose rows are the caller's: 4-bit codes if sq4 is not NULL, else code rows if the quantizer is not `none`, else vectors. For queries. */
void space_rowless(const SlotColumn *col, const Sq4 *sq4, Space *out);
void space_close(Space *space);
/* An order-preserving integer of a float; NaN is the largest. */
static inline u32 space_order(float value) {
  u32 bits;
  memcpy(&bits, &value, 4);
  if (value != value) return 0xffffffffu;
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
/* The float of such an integer; INFINITY of the largest. */
static inline float space_unorder(u32 order) {
  float value;
  u32 bits = order & 0x80000000u ? order & 0x7fffffffu : ~order;
  memcpy(&value, &bits, 4);
  return order == 0xffffffffu ? INFINITY : value;
}

#endif
