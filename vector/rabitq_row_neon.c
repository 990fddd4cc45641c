/*
 * rabitq_row_neon.c: sums of 1-bit rows for AArch64, its baseline. See rabitq_row_int.h.
 *
 * Pairs of u are summed in 16 bits: within +-254, those of a block within +-1016.
 */
#include "rabitq_row_int.h"

#if defined(HAVE_NEON)

#include <arm_neon.h>

#define CODE

/* Add the u of 16 dimensions. */
ALWAYS_INLINE int16x8_t add_terms(int16x8_t sum, const u8 *signs, int8x16_t u) {
  const uint8x16_t bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  uint8x16_t s = vcombine_u8(vdup_n_u8(signs[0]), vdup_n_u8(signs[1]));
  return vpadalq_s8(sum, vandq_s8(u, vreinterpretq_s8_u8(vtstq_u8(s, bit))));
}

ALWAYS_INLINE int32x4_t add_block(int32x4_t sum, const u8 *signs, const i8 *u) {
  int16x8_t pairs = vdupq_n_s16(0);
  u32 i;
  for (i = 0; i < RABITQ_ROW_BLOCK; i += 16) pairs = add_terms(pairs, signs + i / 8, vld1q_s8(u + i));
  return vpadalq_s16(sum, pairs);
}

ALWAYS_INLINE void rabitq_row_four(const RabitqRowQuery *q, const u8 *const row[SCAN_ROWS], i32 *sums) {
  int32x4_t s0 = vdupq_n_s32(0), s1 = s0, s2 = s0, s3 = s0;
  size_t b, at = RABITQ_SIGNS_AT;
  for (b = 0; b < q->blocks; b++, at += RABITQ_ROW_BLOCK / 8) {
    const i8 *u = q->u + b * RABITQ_ROW_BLOCK;
    s0 = add_block(s0, row[0] + at, u);
    s1 = add_block(s1, row[1] + at, u);
    s2 = add_block(s2, row[2] + at, u);
    s3 = add_block(s3, row[3] + at, u);
  }
  vst1q_s32(sums, vpaddq_s32(vpaddq_s32(s0, s1), vpaddq_s32(s2, s3)));
}

CODE void rabitq_row_sums_neon(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *out) {
  ROWS_BY_FOUR(i32, rabitq_row_four, query);
}

#endif
