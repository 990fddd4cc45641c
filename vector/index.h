/*
 * index.h: what an index is to a search: a struct of functions, filled once by each index.
 *
 * The numbers of the kinds are stored in databases: never renumber.
 */
#ifndef QUIRE_INDEX_H
#define QUIRE_INDEX_H

#include <float.h>

#include "pool.h"
#include "slots.h"

/* One pass over the pages of a table. */
typedef struct IndexPass {
  Slots *slots;
  u32 column;
  const void *query;
  const CodeQuery *codes; /* the same query for code rows; NULL if the column has none */
  const Overlay *overlay; /* which slots are dead at `length` */
  u32 length;
  const u32 *only; /* ascending slots to look at; NULL: all */
  u64 only_count;
  const u64 *allowed; /* a bit per slot, or NULL: all */
  float norm2_max;    /* raised as by DistanceScan */
  int (*interrupted)(void *arg);
  void *interrupt_arg;
} IndexPass;

typedef struct IndexMethods {
  const char *name;
  /*
   * Offer to the pool live slots, among them every one whose value the pool wants (an exact index), or the ones the index finds
   * nearest. A slot is offered at most once.
   */
  int (*search)(IndexPass *pass, Pool *pool);
} IndexMethods;

/*
 * The value of a row for a pool: what the scan kernel gave, or, where float32 overflowed or could not tell (not finite), the true one.
 */
double scan_value(Metric metric, Elem elem, u32 dim, const void *query, const void *row, float value);

/* Whether a row is worth a closer look for what the scan kernel gave; what is not finite says nothing, not even "far away". */
static inline int scan_wants(const Pool *pool, float value) {
  return pool_wants(pool, (double)value) || !(value >= -FLT_MAX && value <= FLT_MAX);
}

extern const IndexMethods flat_index;

/* By stored number; unknown numbers are answered by flat, which needs no structure of its own. */
const IndexMethods *index_find(u32 kind);

#endif
