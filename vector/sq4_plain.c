/*
 * sq4_plain.c: 4-bit codes in C alone. See sq4_int.h for how a level is made.
 */
#include "sq4_int.h"

#if !defined(__SANITIZE_ADDRESS__) /* takes minutes at O3 */
#define EXACT_FLOAT_O3
#endif
#include "exact_float.h"

#define CODE

#include "wide_plain.h"

/* Of 64 dimensions. */
ALWAYS_INLINE i32 sum_half(const i8 *table, const i8 *minus, const u8 *code, u32 shift) {
  i16 first = table[0], slope = (i16)(table[1] - first); /* the table, without looking up */
  i32 sum = 0;
  u32 i;
  for (i = 0; i < SQ4_BLOCK; i++) {
    i16 x = (i16)(code[i] >> shift & 15);
    sum += (i32)x * (i16)(x * slope + first + minus[i]);
  }
  return sum;
}

ALWAYS_INLINE void sq4_four(const Sq4Query *q, u32 blocks, const u8 *const row[SCAN_ROWS], u32 *out) {
  u32 r, b;
  for (r = 0; r < SCAN_ROWS; r++) {
    i32 sum = 0;
    for (b = 0; b < blocks; b++) {
      const u8 *code = row[r] + (size_t)b * SQ4_BLOCK;
      const i8 *minus = q->minus + (size_t)b * 2 * SQ4_BLOCK;
      sum += sum_half(q->table, minus, code, 0) + sum_half(q->table, minus + SQ4_BLOCK, code, 4);
    }
    out[r] = SQ4_ZERO + (u32)sum;
  }
}

#define SQ4_LEVEL "plain"
#define SQ4_TABLE sq4_plain
#include "sq4_level.h"
