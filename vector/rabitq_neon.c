/*
 * rabitq_neon.c: 1-bit codes for AArch64, its baseline. See rabitq_int.h.
 */
#include "rabitq_int.h"

#if defined(HAVE_NEON)

#define CODE

#include "wide_neon.h"

/* Four rows from number `first` on. */
ALWAYS_INLINE u32 values(const RabitqQuery *q, float offset, const u8 *group, u32 first, uint32x4_t sum, float limit,
                         float *w) {
  const uint32x4_t bit = {1, 2, 4, 8};
  float32x4_t factor = vreinterpretq_f32_u8(vld1q_u8(group + 4 * (RABITQ_ROWS + first)));
  float32x4_t add = vreinterpretq_f32_u8(vld1q_u8(group + 4 * first));
  float32x4_t y = vmulq_f32(vcvtq_f32_u32(sum), vdupq_n_f32(q->slope));
  NOT_FUSED(y);
  y = vmulq_f32(vaddq_f32(y, vdupq_n_f32(offset)), factor);
  NOT_FUSED(y);
  y = vaddq_f32(y, add);
  vst1q_f32(w + first, y);
  return vaddvq_u32(vbicq_u32(bit, vcgtq_f32(y, vdupq_n_f32(limit)))) << first;
}

u32 rabitq_scan_neon(const RabitqQuery *q, float offset, const u8 *group, float limit, float *w) {
  uint32x4_t sum[RABITQ_ROWS / 4];
  u32 left = q->bytes, hits = 0, b, i;
  const u8 *code = group + RABITQ_CODES_AT, *table = q->table;
  for (i = 0; i < RABITQ_ROWS / 4; i++) sum[i] = vdupq_n_u32(0);
  do {
    uint16x8_t s0 = vdupq_n_u16(0), s1 = s0, s2 = s0, s3 = s0;
    u32 n = MIN(left, RABITQ_SUM_BYTES);
    for (b = 0; b < n; b++, code += RABITQ_ROWS, table += 32) {
      uint8x16_t low = vld1q_u8(table), high = vld1q_u8(table + 16), c = vld1q_u8(code), d = vld1q_u8(code + 16);
      c = vaddq_u8(vqtbl1q_u8(low, vandq_u8(c, vdupq_n_u8(15))), vqtbl1q_u8(high, vshrq_n_u8(c, 4)));
      d = vaddq_u8(vqtbl1q_u8(low, vandq_u8(d, vdupq_n_u8(15))), vqtbl1q_u8(high, vshrq_n_u8(d, 4)));
      s0 = vaddw_u8(s0, vget_low_u8(c));
      s1 = vaddw_high_u8(s1, c);
      s2 = vaddw_u8(s2, vget_low_u8(d));
      s3 = vaddw_high_u8(s3, d);
    }
    left -= n;
    sum[0] = vaddw_u16(sum[0], vget_low_u16(s0));
    sum[1] = vaddw_high_u16(sum[1], s0);
    sum[2] = vaddw_u16(sum[2], vget_low_u16(s1));
    sum[3] = vaddw_high_u16(sum[3], s1);
    sum[4] = vaddw_u16(sum[4], vget_low_u16(s2));
    sum[5] = vaddw_high_u16(sum[5], s2);
    sum[6] = vaddw_u16(sum[6], vget_low_u16(s3));
    sum[7] = vaddw_high_u16(sum[7], s3);
  } while (left);
  for (i = 0; i < RABITQ_ROWS / 4; i++) hits |= values(q, offset, group, 4 * i, sum[i], limit, w);
  return hits;
}

#endif
