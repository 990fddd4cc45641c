/*
 * sq4_neon.c: 4-bit codes for AArch64, its baseline. See sq4_int.h for how a level is made.
 *
 * Sums of a block are kept in 16 bits: the terms of a dimension are within +-1905 together (sq4.h), a lane takes in 16, and a
 * partial sum exceeds those of whole terms by at most 224: 16 * 1905 + 224 < 2^15.
 */
#include "sq4_int.h"

#if defined(HAVE_NEON)

#define CODE

#include "wide_neon.h"

/* The terms of 16 dimensions, in eight lanes. */
ALWAYS_INLINE int16x8_t add_terms(int16x8_t sum, uint8x16_t nibbles, int8x16_t table, int8x16_t minus) {
  int8x16_t x = vreinterpretq_s8_u8(nibbles), t = vqtbl1q_s8(table, nibbles);
  sum = vmlal_s8(sum, vget_low_s8(x), vget_low_s8(t));
  sum = vmlal_s8(sum, vget_low_s8(x), vget_low_s8(minus));
  sum = vmlal_high_s8(sum, x, t);
  return vmlal_high_s8(sum, x, minus);
}

ALWAYS_INLINE int32x4_t add_block(int32x4_t sum, int8x16_t table, const i8 *minus, const u8 *code) {
  int16x8_t s = vdupq_n_s16(0);
  u32 i;
  for (i = 0; i < SQ4_BLOCK; i += 16) {
    uint8x16_t v = vld1q_u8(code + i);
    s = add_terms(s, vandq_u8(v, vdupq_n_u8(15)), table, vld1q_s8(minus + i));
    s = add_terms(s, vshrq_n_u8(v, 4), table, vld1q_s8(minus + SQ4_BLOCK + i));
  }
  return vpadalq_s16(sum, s);
}

ALWAYS_INLINE void sq4_four(const Sq4Query *q, u32 blocks, const u8 *const row[SCAN_ROWS], u32 *out) {
  const int8x16_t table = vld1q_s8(q->table);
  int32x4_t s0 = vdupq_n_s32(0), s1 = s0, s2 = s0, s3 = s0;
  u32 b;
  for (b = 0; b < blocks; b++) {
    size_t at = (size_t)b * SQ4_BLOCK;
    s0 = add_block(s0, table, q->minus + 2 * at, row[0] + at);
    s1 = add_block(s1, table, q->minus + 2 * at, row[1] + at);
    s2 = add_block(s2, table, q->minus + 2 * at, row[2] + at);
    s3 = add_block(s3, table, q->minus + 2 * at, row[3] + at);
  }
  s0 = vpaddq_s32(vpaddq_s32(s0, s1), vpaddq_s32(s2, s3));
  vst1q_u32(out, vaddq_u32(vreinterpretq_u32_s32(s0), vdupq_n_u32(SQ4_ZERO)));
}

#define SQ4_LEVEL "neon"
#define SQ4_TABLE sq4_neon
#include "sq4_level.h"

#endif
