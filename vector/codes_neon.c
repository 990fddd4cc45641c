/*
 * codes_neon.c: scans of code rows for AArch64. See codes_int.h for how a level is made.
 */
#include "codes_int.h"

#if defined(HAVE_NEON)

#include <arm_neon.h>

#define CODE

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

/* No instruction, but the compiler must not see through it and fuse a product with the sum that follows. */
#define NOT_FUSED(v) __asm__("" : "+w"(v))

typedef struct W {
  float32x4_t part[4];
} W;

ALWAYS_INLINE W w_all(float f) {
  W w;
  w.part[0] = w.part[1] = w.part[2] = w.part[3] = vdupq_n_f32(f);
  return w;
}

#define EACH_PART(name, function)                                                                                      \
  ALWAYS_INLINE W name(W a, W b) {                                                                                     \
    u32 i;                                                                                                             \
    for (i = 0; i < 4; i++) a.part[i] = function(a.part[i], b.part[i]);                                                \
    return a;                                                                                                          \
  }

EACH_PART(w_add, vaddq_f32)
EACH_PART(w_sub, vsubq_f32)
EACH_PART(w_max, vmaxnmq_f32)

ALWAYS_INLINE W w_mul(W a, W b) {
  u32 i;
  for (i = 0; i < 4; i++) {
    float32x4_t product = vmulq_f32(a.part[i], b.part[i]);
    NOT_FUSED(product);
    a.part[i] = product;
  }
  return a;
}

ALWAYS_INLINE W w_abs(W a) {
  u32 i;
  for (i = 0; i < 4; i++) a.part[i] = vabsq_f32(a.part[i]);
  return a;
}

ALWAYS_INLINE void w_store(float *p, W a) {
  u32 i;
  for (i = 0; i < 4; i++) vst1q_f32(p + 4 * i, a.part[i]);
}

ALWAYS_INLINE uint16x4_t low_words(float32x4_t v) { return vmovn_u32(vreinterpretq_u32_f32(v)); }

ALWAYS_INLINE void w_codes(u8 *p, W a) {
  uint8x8_t low = vmovn_u16(vcombine_u16(low_words(a.part[0]), low_words(a.part[1])));
  uint8x8_t high = vmovn_u16(vcombine_u16(low_words(a.part[2]), low_words(a.part[3])));
  vst1q_u8(p, vcombine_u8(low, high));
}

ALWAYS_INLINE W f32_wide(const u8 *p) {
  W w;
  u32 i;
  for (i = 0; i < 4; i++) w.part[i] = vreinterpretq_f32_u8(vld1q_u8(p + 16 * i));
  return w;
}

ALWAYS_INLINE W f16_wide(const u8 *p) {
  W w;
  u32 i;
  for (i = 0; i < 4; i++) w.part[i] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p + 8 * i)));
  return w;
}

ALWAYS_INLINE W bf16_wide(const u8 *p) {
  W w;
  u32 i;
  for (i = 0; i < 4; i++) w.part[i] = vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p + 8 * i)), 16));
  return w;
}

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
