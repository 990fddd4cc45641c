/*
 * elem_int.h: loads of single elements, for loops that a compiler may vectorize. Everything is inline and free of branches
 * that depend on values. Not for callers of elem.h.
 */
#ifndef QUIRE_ELEM_INT_H
#define QUIRE_ELEM_INT_H

#include "../wal_shim/bytes.h"
#include "elem.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE_ENDIAN_HOST 1
#else
#define LITTLE_ENDIAN_HOST 0
#endif

static inline u32 f32_bits(float f) {
  u32 u;
  memcpy(&u, &f, sizeof u);
  return u;
}

static inline float f32_of_bits(u32 u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

/* As load32 and load16, but recognised by every vectorizer where the host is little-endian. */
static inline u32 load32_fast(const u8 *p) {
#if LITTLE_ENDIAN_HOST
  u32 u;
  memcpy(&u, p, sizeof u);
  return u;
#else
  return load32(p);
#endif
}

static inline u16 load16_fast(const u8 *p) {
#if LITTLE_ENDIAN_HOST
  u16 u;
  memcpy(&u, p, sizeof u);
  return u;
#else
  return load16(p);
#endif
}

/*
 * Exponent and fraction are moved to where float32 has them; multiplying by 2^112 corrects the bias, and makes normal
 * numbers of subnormal ones, exactly. Infinities and NaN get their exponent by hand.
 */
static inline float f16_widen(u16 h) {
  u32 magnitude = (u32)(h & 0x7fff);
  u32 bits = f32_bits(f32_of_bits(magnitude << 13) * 0x1p112f);
  bits |= magnitude >= 0x7c00 ? 0x7f800000u : 0;
  return f32_of_bits(bits | (u32)(h & 0x8000) << 16);
}

static inline float bf16_widen(u16 h) { return f32_of_bits((u32)h << 16); }

/* Element i as float32, exactly. */
static inline float f32_at(const u8 *v, size_t i) { return f32_of_bits(load32_fast(v + 4 * i)); }
static inline float f16_at(const u8 *v, size_t i) { return f16_widen(load16_fast(v + 2 * i)); }
static inline float bf16_at(const u8 *v, size_t i) { return bf16_widen(load16_fast(v + 2 * i)); }

/* The nearest float16, ties to even; beyond the range: infinity. One rounding, from double. NaN stays NaN. */
u16 f64_to_f16(double d);
/* The same for bfloat16. */
u16 f64_to_bf16(double d);

#endif
