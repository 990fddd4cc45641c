/*
 * walk8_neon.c: dot products of code rows for AArch64. See walk8_int.h.
 */
#include "walk8_int.h"

#if defined(HAVE_NEON)

#include <arm_neon.h>

#define CODE

ALWAYS_INLINE int32x4_t add_products(int32x4_t sum, const u8 *codes, int8x16_t k) {
  int8x16_t c = vreinterpretq_s8_u8(vld1q_u8(codes));
  sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(c), vget_low_s8(k)));
  return vpadalq_s16(sum, vmull_high_s8(c, k));
}

ALWAYS_INLINE void walk8_four(const Walk8Query *q, const u8 *const row[SCAN_ROWS], i32 *dots) {
  int32x4_t s0 = vdupq_n_s32(0), s1 = s0, s2 = s0, s3 = s0;
  size_t i, n = (size_t)q->pieces * CODES_PIECE;
  for (i = 0; i < n; i += CODES_PIECE) {
    int8x16_t k = vld1q_s8(q->codes + i);
    s0 = add_products(s0, row[0] + CODES_HEADER + i, k);
    s1 = add_products(s1, row[1] + CODES_HEADER + i, k);
    s2 = add_products(s2, row[2] + CODES_HEADER + i, k);
    s3 = add_products(s3, row[3] + CODES_HEADER + i, k);
  }
  vst1q_s32(dots, vpaddq_s32(vpaddq_s32(s0, s1), vpaddq_s32(s2, s3)));
}

CODE void walk8_dots_neon(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *out) {
  ROWS_BY_FOUR(i32, walk8_four, query);
}

#endif
