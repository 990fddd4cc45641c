/*
 * distance_neon.c: scan kernels for AArch64, whose baseline has NEON. See distance_int.h for how a level is made.
 *
 * A vector is a pair of registers, so that there are SUM_LANES partial sums (K1). Tails: where the vector has at least
 * SCAN_LANES elements, the last SCAN_LANES are loaded and those already summed are masked off; shorter vectors go through a
 * zeroed buffer.
 */
#include "distance_int.h"

#if defined(HAVE_NEON)

#include <arm_neon.h>

#define CODE

/* ---- float32, float16, bfloat16: eight floats --------------------------------------------------------------------- */

static const u32 keep_mask[16] = {0, 0, 0, 0, 0, 0, 0, 0, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

ALWAYS_INLINE float32x4_t mask_floats(float32x4_t v, const u32 *mask) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), vld1q_u32(mask)));
}

/* Loads by bytes, because rows may have any alignment. */
ALWAYS_INLINE float32x4x2_t f32_load(const u8 *p) {
  float32x4x2_t v;
  v.val[0] = vreinterpretq_f32_u8(vld1q_u8(p));
  v.val[1] = vreinterpretq_f32_u8(vld1q_u8(p + 16));
  return v;
}

ALWAYS_INLINE float32x4x2_t f16_load(const u8 *p) {
  float16x8_t h = vreinterpretq_f16_u8(vld1q_u8(p));
  float32x4x2_t v;
  v.val[0] = vcvt_f32_f16(vget_low_f16(h));
  v.val[1] = vcvt_f32_f16(vget_high_f16(h));
  return v;
}

ALWAYS_INLINE float32x4x2_t bf16_load(const u8 *p) {
  uint16x8_t h = vreinterpretq_u16_u8(vld1q_u8(p));
  float32x4x2_t v;
  v.val[0] = vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(h), 16));
  v.val[1] = vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(h), 16));
  return v;
}

#define FLOAT_TAIL(type, size)                                                                                         \
  ALWAYS_INLINE float32x4x2_t type##_tail(const u8 *v, u32 dim, u32 n) {                                               \
    u8 buffer[8 * (size)] = {0};                                                                                       \
    float32x4x2_t last;                                                                                                \
    if (dim < 8) {                                                                                                     \
      memcpy(buffer, v, (size_t)n *(size));                                                                            \
      return type##_load(buffer);                                                                                      \
    }                                                                                                                  \
    last = type##_load(v + (size_t)(dim - 8) * (size));                                                                \
    last.val[0] = mask_floats(last.val[0], keep_mask + n);                                                             \
    last.val[1] = mask_floats(last.val[1], keep_mask + n + 4);                                                         \
    return last;                                                                                                       \
  }

ALWAYS_INLINE float32x4x2_t float_zero(void) {
  float32x4x2_t s;
  s.val[0] = s.val[1] = vdupq_n_f32(0);
  return s;
}

ALWAYS_INLINE float32x4x2_t float_products(float32x4x2_t s, float32x4x2_t a, float32x4x2_t b) {
  s.val[0] = vfmaq_f32(s.val[0], a.val[0], b.val[0]);
  s.val[1] = vfmaq_f32(s.val[1], a.val[1], b.val[1]);
  return s;
}

ALWAYS_INLINE float32x4x2_t float_squares(float32x4x2_t s, float32x4x2_t a, float32x4x2_t b) {
  a.val[0] = vsubq_f32(a.val[0], b.val[0]);
  a.val[1] = vsubq_f32(a.val[1], b.val[1]);
  return float_products(s, a, a);
}

ALWAYS_INLINE float32x4x2_t float_absolutes(float32x4x2_t s, float32x4x2_t a, float32x4x2_t b) {
  s.val[0] = vaddq_f32(s.val[0], vabdq_f32(a.val[0], b.val[0]));
  s.val[1] = vaddq_f32(s.val[1], vabdq_f32(a.val[1], b.val[1]));
  return s;
}

ALWAYS_INLINE void float_reduce(const float32x4x2_t *s, float *out) {
  u32 r;
  for (r = 0; r < SCAN_ROWS; r++) out[r] = vaddvq_f32(vaddq_f32(s[r].val[0], s[r].val[1]));
}

/* The sums are those of float32 for all three. */
#define FLOAT_SUMS(type)                                                                                               \
  ALWAYS_INLINE float32x4x2_t type##_zero(void) { return float_zero(); }                                               \
  ALWAYS_INLINE float32x4x2_t type##_products(float32x4x2_t s, float32x4x2_t a, float32x4x2_t b) {                     \
    return float_products(s, a, b);                                                                                    \
  }                                                                                                                    \
  ALWAYS_INLINE float32x4x2_t type##_squares(float32x4x2_t s, float32x4x2_t a, float32x4x2_t b) {                      \
    return float_squares(s, a, b);                                                                                     \
  }                                                                                                                    \
  ALWAYS_INLINE float32x4x2_t type##_absolutes(float32x4x2_t s, float32x4x2_t a, float32x4x2_t b) {                    \
    return float_absolutes(s, a, b);                                                                                   \
  }                                                                                                                    \
  ALWAYS_INLINE void type##_reduce(const float32x4x2_t *s, float *out) { float_reduce(s, out); }

FLOAT_TAIL(f32, 4)
FLOAT_SUMS(f32)
#define SCAN_TYPE f32
#define SCAN_ELEM_SIZE 4
#define SCAN_LANES 8
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC float32x4x2_t
#define SCAN_SUM float32x4x2_t
#include "distance_scan.h"

FLOAT_TAIL(f16, 2)
FLOAT_SUMS(f16)
#define SCAN_TYPE f16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES 8
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC float32x4x2_t
#define SCAN_SUM float32x4x2_t
#include "distance_scan.h"

FLOAT_TAIL(bf16, 2)
FLOAT_SUMS(bf16)
#define SCAN_TYPE bf16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES 8
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC float32x4x2_t
#define SCAN_SUM float32x4x2_t
#include "distance_scan.h"

/* ---- int8: eight shorts, summed to four ints ------------------------------------------------------------------------ */

ALWAYS_INLINE int16x8_t i8_load(const u8 *p) { return vmovl_s8(vreinterpret_s8_u8(vld1_u8(p))); }

ALWAYS_INLINE int16x8_t i8_tail(const u8 *v, u32 dim, u32 n) {
  static const u8 keep[16] = {0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255};
  u8 buffer[8] = {0};
  if (dim >= 8) return vmovl_s8(vreinterpret_s8_u8(vand_u8(vld1_u8(v + (dim - 8)), vld1_u8(keep + n))));
  memcpy(buffer, v, n);
  return i8_load(buffer);
}

ALWAYS_INLINE int32x4_t i8_zero(void) { return vdupq_n_s32(0); }

ALWAYS_INLINE int32x4_t i8_products(int32x4_t s, int16x8_t a, int16x8_t b) {
  return vmlal_high_s16(vmlal_s16(s, vget_low_s16(a), vget_low_s16(b)), a, b);
}

ALWAYS_INLINE int32x4_t i8_squares(int32x4_t s, int16x8_t a, int16x8_t b) {
  int16x8_t d = vsubq_s16(a, b);
  return i8_products(s, d, d);
}

ALWAYS_INLINE int32x4_t i8_absolutes(int32x4_t s, int16x8_t a, int16x8_t b) { return vpadalq_s16(s, vabdq_s16(a, b)); }

ALWAYS_INLINE void i8_reduce(const int32x4_t *s, float *out) {
  u32 r;
  for (r = 0; r < SCAN_ROWS; r++) out[r] = (float)vaddvq_s32(s[r]);
}

#define SCAN_TYPE i8
#define SCAN_ELEM_SIZE 1
#define SCAN_LANES 8
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC int16x8_t
#define SCAN_SUM int32x4_t
#include "distance_scan.h"

/* ---- bits ----------------------------------------------------------------------------------------------------------- */

ALWAYS_INLINE uint64x2_t bits_zero(void) { return vdupq_n_u64(0); }

ALWAYS_INLINE uint64x2_t bits_add(uint64x2_t c, uint8x16_t v) {
  return vpadalq_u32(c, vpaddlq_u16(vpaddlq_u8(vcntq_u8(v))));
}

ALWAYS_INLINE uint64x2_t bits_xor(uint64x2_t c, const u8 *a, const u8 *b) {
  return bits_add(c, veorq_u8(vld1q_u8(a), vld1q_u8(b)));
}

ALWAYS_INLINE uint64x2_t bits_and(uint64x2_t c, const u8 *a, const u8 *b) {
  return bits_add(c, vandq_u8(vld1q_u8(a), vld1q_u8(b)));
}

ALWAYS_INLINE uint64x2_t bits_or(uint64x2_t c, const u8 *a, const u8 *b) {
  return bits_add(c, vorrq_u8(vld1q_u8(a), vld1q_u8(b)));
}

ALWAYS_INLINE u32 bits_sum(uint64x2_t c) { return (u32)vaddvq_u64(c); }

ALWAYS_INLINE u32 bits_word(u64 w) { return vaddv_u8(vcnt_u8(vcreate_u8(w))); }

#define BITS_VEC_SIZE 16
#define BITS_COUNTS uint64x2_t
#include "distance_bits.h"

const Kernels kernels_neon = {"neon", CPU_NEON, {NULL}, KERNEL_TABLE};

#endif
