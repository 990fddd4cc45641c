/*
 * rabitq_row_plain.c: sums of 1-bit rows in C alone. See rabitq_row_int.h.
 */
#include "rabitq_row_int.h"

#define EXACT_FLOAT_O3
#include "exact_float.h"

#define CODE

ALWAYS_INLINE i32 sum_of(const RabitqRowQuery *q, const u8 *signs) {
  i32 sum = 0;
  u32 b, i;
  for (b = 0; b < q->blocks * RABITQ_ROW_BLOCK / 8; b++) {
    for (i = 0; i < 8; i++) sum += q->u[8 * b + i] & -(signs[b] >> i & 1);
  }
  return sum;
}

ALWAYS_INLINE void rabitq_row_four(const RabitqRowQuery *q, const u8 *const row[SCAN_ROWS], i32 *sums) {
  u32 r;
  for (r = 0; r < SCAN_ROWS; r++) sums[r] = sum_of(q, row[r] + RABITQ_SIGNS_AT);
}

CODE void rabitq_row_sums_plain(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *out) {
  ROWS_BY_FOUR(i32, rabitq_row_four, query);
}
