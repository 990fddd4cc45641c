/*
 * wide_neon.h: sixteen floats for AArch64: what wide.h lists. Included after CODE is defined.
 */
#if defined(CODE)

#include <arm_neon.h>

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
EACH_PART(w_min, vminnmq_f32)

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

ALWAYS_INLINE W w_load(const float *p) {
  W w;
  u32 i;
  for (i = 0; i < 4; i++) w.part[i] = vld1q_f32(p + 4 * i);
  return w;
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

ALWAYS_INLINE W w_hadamard(W a) {
  W b;
  u32 i;
  for (i = 0; i < 4; i++) {
    float32x4_t swapped = vrev64q_f32(a.part[i]);
    b.part[i] = vtrn1q_f32(vaddq_f32(a.part[i], swapped), vsubq_f32(a.part[i], swapped));
    swapped = vextq_f32(b.part[i], b.part[i], 2);
    a.part[i] = vcombine_f32(vget_low_f32(vaddq_f32(b.part[i], swapped)), vget_low_f32(vsubq_f32(b.part[i], swapped)));
  }
  b.part[0] = vaddq_f32(a.part[0], a.part[1]);
  b.part[1] = vsubq_f32(a.part[0], a.part[1]);
  b.part[2] = vaddq_f32(a.part[2], a.part[3]);
  b.part[3] = vsubq_f32(a.part[2], a.part[3]);
  for (i = 0; i < 2; i++) {
    a.part[i] = vaddq_f32(b.part[i], b.part[i + 2]);
    a.part[i + 2] = vsubq_f32(b.part[i], b.part[i + 2]);
  }
  return a;
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

#endif
