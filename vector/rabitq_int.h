/*
 * rabitq_int.h: what the files of 1-bit codes share: the prepared query, the kernel of a level.
 *
 * A kernel sums table entries of at most 127 exactly, then rounds each of: sum * slope, + offset, * factor, + add, in this order, never fused: so all
 * levels give the same bits.
 */
#ifndef QUIRE_RABITQ_INT_H
#define QUIRE_RABITQ_INT_H

#include "rabitq.h"
#include "sq4_int.h"

#define RABITQ_CODES_AT (8 * RABITQ_ROWS) /* in a group */
#define RABITQ_SUM_BYTES 256              /* of a row's code whose sums fit 16 bits: 2 * 127 each */

/*
 * The code of a vector (any alignment) about a centre, NULL: the mean; its bytes of signs `apart` bytes apart. Beyond floats *add is FLT_MAX and *factor 0.
 */
void rabitq_code(const Sq4 *sq4, const float *centre, const void *vector, u8 *signs, u32 apart, float *add,
                 float *factor);

typedef u32 (*RabitqScan)(const RabitqQuery *query, float offset, const u8 *group, float limit, float *w);

struct RabitqQuery {
  Metric metric;
  u32 bytes;     /* of a row's code */
  float slope;   /* of w by a table sum */
  float zero;    /* w / f where the sum is 0 */
  float unsure;  /* deviations to be taken off, for each unit of the distance to the centre ... */
  float rounded; /* ... and off every row */
  float scale, to_steps;
  RabitqScan scan;
  u8 unused[64 - sizeof(RabitqScan) - 32];
  u8 table[]; /* for each byte of a code: 16 entries for its low nibble, 16 for its high one */
};

u32 rabitq_scan_plain(const RabitqQuery *query, float offset, const u8 *group, float limit, float *w);
#if defined(HAVE_AVX2)
u32 rabitq_scan_avx2(const RabitqQuery *query, float offset, const u8 *group, float limit, float *w);
#endif
#if defined(HAVE_NEON)
u32 rabitq_scan_neon(const RabitqQuery *query, float offset, const u8 *group, float limit, float *w);
#endif

#endif
