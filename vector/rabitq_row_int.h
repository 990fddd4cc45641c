/*
 * rabitq_row_int.h: what the files of 1-bit rows share: the prepared query, the sums of each level.
 *
 * A level brings one function: sums of integers, which are exact and so the same at every level. All float arithmetic is in rabitq_row.c.
 * rabitq_row_<level>.c has four rows at a time.
 */
#ifndef QUIRE_RABITQ_ROW_INT_H
#define QUIRE_RABITQ_ROW_INT_H

#include "distance_int.h"
#include "rabitq_row.h"

#define RABITQ_SIGNS_AT 8   /* in a row */
#define RABITQ_ROW_BLOCK 64 /* dimensions, 8 bytes of signs */

/* sums[i] = the sum of the query's u where rows[i] has a bit. */
typedef void (*RabitqRowSums)(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *sums);

struct RabitqRowQuery {
  RabitqRowSums sums;
  u32 blocks;
  float slope; /* of a value / f by a sum */
  float zero;  /* a value / f where the sum is 0 */
  u8 unused[64 - sizeof(RabitqRowSums) - 3 * 4];
  i8 u[]; /* -127..127, RABITQ_ROW_BLOCK for each block, zeros beyond dim */
};

void rabitq_row_sums_plain(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *sums);
#if defined(HAVE_AVX2)
void rabitq_row_sums_avx2(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *sums);
#endif
#if defined(HAVE_NEON)
void rabitq_row_sums_neon(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *sums);
#endif

#endif
