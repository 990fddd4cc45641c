/*
 * pool.h: the best candidates of one pass, a bounded heap.
 *
 * Candidates are ordered by (value, rowid). When the pool is full, whatever it refused or threw out is not smaller than its largest: that is what
 * makes a pass provably complete (search.c).
 */
#ifndef QUIRE_POOL_H
#define QUIRE_POOL_H

#include "../wal_shim/base.h"

typedef struct Candidate {
  double value;
  i64 rowid;
  u64 ref; /* the slot; POOL_OVERLAY | row of the overlay; for content rows nothing; flags */
} Candidate;

#define POOL_OVERLAY ((u64)1 << 32)
#define POOL_EXACT ((u64)1 << 33) /* the value is that of distance_exact() */

typedef struct Pool {
  Candidate *heap; /* the largest first; grows up to `cap` */
  u64 count, cap, allocated;
  double worst; /* a candidate above this need not be offered */
  double low;   /* nor one below this */
  double limit; /* nor one above this, whether the pool is full or not */
  double after; /* nor one that is not after this value and rowid; -HUGE_VAL: all are */
  i64 after_rowid;
  int rc;        /* SQLITE_NOMEM sticks: what was offered since is lost */
  int nonfinite; /* a value that was not finite came in: float32 overflowed */
} Pool;

void pool_init(Pool *pool, u64 cap, double low, double limit);
void pool_free(Pool *pool);
/* Have only candidates after this one, whose value is that of a later `low` or below. */
void pool_after(Pool *pool, double value, i64 rowid);
/* Whether a candidate of this value is worth offering; NaN always is. */
static inline int pool_wants(const Pool *pool, double value) { return !(value > pool->worst) && !(value < pool->low); }
void pool_offer(Pool *pool, double value, i64 rowid, u64 ref);
static inline int pool_full(const Pool *pool) { return pool->count == pool->cap; }

#endif
