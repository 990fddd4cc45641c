/*
 * pool.c: the best candidates of one pass. See pool.h.
 */
#include "pool.h"

#include <math.h>

void pool_init(Pool *pool, u64 cap, double low, double limit) {
  memset(pool, 0, sizeof *pool);
  pool->cap = cap;
  pool->low = low;
  pool->worst = pool->limit = limit;
  pool->after = -HUGE_VAL;
}

void pool_after(Pool *pool, double value, i64 rowid) {
  pool->after = value;
  pool->after_rowid = rowid;
}

void pool_free(Pool *pool) {
  mem_free(pool->heap);
  pool->heap = NULL;
}

static int larger(const Candidate *a, const Candidate *b) {
  if (a->value != b->value) return a->value > b->value;
  return a->rowid > b->rowid;
}

static void sift_up(Pool *pool, u64 i) {
  Candidate c = pool->heap[i];
  while (i > 0 && larger(&c, &pool->heap[(i - 1) / 2])) {
    pool->heap[i] = pool->heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  pool->heap[i] = c;
}

static void sift_down(Pool *pool, u64 i) {
  Candidate c = pool->heap[i];
  for (;;) {
    u64 child = 2 * i + 1;
    if (child >= pool->count) break;
    if (child + 1 < pool->count && larger(&pool->heap[child + 1], &pool->heap[child])) child++;
    if (!larger(&pool->heap[child], &c)) break;
    pool->heap[i] = pool->heap[child];
    i = child;
  }
  pool->heap[i] = c;
}

void pool_offer(Pool *pool, double value, i64 rowid, u64 ref) {
  Candidate c;
  if (!isfinite(value)) {
    pool->nonfinite = 1;
    return;
  }
  if (value == pool->after && rowid <= pool->after_rowid) return;
  c.value = value;
  c.rowid = rowid;
  c.ref = ref;
  if (pool->count < pool->cap) {
    if (pool->rc == SQLITE_OK) pool->rc = mem_reserve(&pool->heap, &pool->allocated, pool->count + 1, sizeof c);
    if (pool->rc) return;
    pool->heap[pool->count++] = c;
    sift_up(pool, pool->count - 1);
  } else if (larger(&pool->heap[0], &c)) {
    pool->heap[0] = c;
    sift_down(pool, 0);
  } else {
    return;
  }
  if (pool->count == pool->cap) pool->worst = MIN(pool->heap[0].value, pool->limit);
}
