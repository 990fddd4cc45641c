/*
 * codes_neon.c: scans of code rows for AArch64. See codes_int.h for how a level is made.
 */
#include "codes_int.h"

#if defined(HAVE_NEON)

#define CODE

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

#include "wide_neon.h"

#define ENCODE_TYPE f32
#define ENCODE_SIZE 4
#include "codes_encode.h"

#define ENCODE_TYPE f16
#define ENCODE_SIZE 2
#include "codes_encode.h"

#define ENCODE_TYPE bf16
#define ENCODE_SIZE 2
#include "codes_encode.h"

/* ---- scans ---------------------------------------------------------------------------------------------------------- */

#define V4 float32x4_t
#define v4_all vdupq_n_f32
#define v4_add vaddq_f32
#define v4_sub vsubq_f32
#define v4_mul vmulq_f32
#define v4_max vmaxnmq_f32 /* the number, if one is NaN */
#define v4_sqrt vsqrtq_f32
#define v4_store vst1q_f32

ALWAYS_INLINE void codes_heads(const u8 *const row[SCAN_ROWS], V4 h[3]) {
  float32x4_t a = vreinterpretq_f32_u8(vld1q_u8(row[0])), b = vreinterpretq_f32_u8(vld1q_u8(row[1]));
  float32x4_t c = vreinterpretq_f32_u8(vld1q_u8(row[2])), d = vreinterpretq_f32_u8(vld1q_u8(row[3]));
  float32x4_t ab = vzip1q_f32(a, b), cd = vzip1q_f32(c, d); /* a0 b0 a1 b1, c0 d0 c1 d1 */
  h[0] = vcombine_f32(vget_low_f32(ab), vget_low_f32(cd));
  h[1] = vcombine_f32(vget_high_f32(ab), vget_high_f32(cd));
  h[2] = vcombine_f32(vget_low_f32(vzip2q_f32(a, b)), vget_low_f32(vzip2q_f32(c, d)));
}

ALWAYS_INLINE V4 codes_dots(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead) {
  int32x4_t sum[SCAN_ROWS];
  size_t i, at = CODES_HEADER;
  u32 r;
  for (r = 0; r < SCAN_ROWS; r++) sum[r] = vdupq_n_s32(0);
  for (i = 0; i < q->pieces; i++, at += CODES_PIECE) {
    int16x8_t low = vld1q_s16(q->whole + i * CODES_PIECE), high = vld1q_s16(q->whole + i * CODES_PIECE + 8);
    for (r = 0; r < SCAN_ROWS; r++) {
      int8x16_t c = vreinterpretq_s8_u8(vld1q_u8(row[r] + at));
      int16x8_t c0 = vmovl_s8(vget_low_s8(c)), c1 = vmovl_s8(vget_high_s8(c));
      if (ahead && i % 4 == 0) PREFETCH((uintptr_t)row[r] + ahead + at);
      sum[r] = vmlal_s16(sum[r], vget_low_s16(low), vget_low_s16(c0));
      sum[r] = vmlal_high_s16(sum[r], low, c0);
      sum[r] = vmlal_s16(sum[r], vget_low_s16(high), vget_low_s16(c1));
      sum[r] = vmlal_high_s16(sum[r], high, c1);
    }
  }
  return vcvtq_f32_s32(vpaddq_s32(vpaddq_s32(sum[0], sum[1]), vpaddq_s32(sum[2], sum[3])));
}

/* The sum of each row is in eight parts: two vectors. */
ALWAYS_INLINE V4 codes_absolutes(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead, V4 s) {
  float32x4_t even[SCAN_ROWS], odd[SCAN_ROWS];
  float scale[SCAN_ROWS];
  size_t i, at = CODES_HEADER;
  u32 r;
  vst1q_f32(scale, s);
  for (r = 0; r < SCAN_ROWS; r++) even[r] = odd[r] = vdupq_n_f32(0);
  for (i = 0; i < (size_t)q->pieces * 2; i++, at += CODES_PIECE / 2) {
    float32x4_t low = vld1q_f32(q->exact + i * 8), high = vld1q_f32(q->exact + i * 8 + 4);
    for (r = 0; r < SCAN_ROWS; r++) {
      int16x8_t c = vmovl_s8(vreinterpret_s8_u8(vld1_u8(row[r] + at)));
      float32x4_t c0 = vcvtq_f32_s32(vmovl_s16(vget_low_s16(c))), c1 = vcvtq_f32_s32(vmovl_high_s16(c));
      if (ahead && i % 8 == 0) PREFETCH((uintptr_t)row[r] + ahead + at);
      even[r] = vaddq_f32(even[r], vabsq_f32(vfmsq_n_f32(low, c0, scale[r])));
      odd[r] = vaddq_f32(odd[r], vabsq_f32(vfmsq_n_f32(high, c1, scale[r])));
    }
  }
  for (r = 0; r < SCAN_ROWS; r++) even[r] = vaddq_f32(even[r], odd[r]);
  return vpaddq_f32(vpaddq_f32(even[0], even[1]), vpaddq_f32(even[2], even[3]));
}

#define CODES_LEVEL "neon"
#define CODES_TABLE codes_neon
#include "codes_scan.h"

#endif
