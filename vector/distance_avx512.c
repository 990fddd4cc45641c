/*
 * distance_avx512.c: scan kernels for AVX-512 with BW, DQ, VL, VNNI and VPOPCNTDQ. See distance_int.h for how a level is made.
 *
 * Tails are masked loads, which touch no byte that is masked off. bfloat16 is widened rather than multiplied by
 * vdpbf16ps, which flushes small numbers and rounds differently, so that distance_error() would not hold.
 */
#include "distance_int.h"

#if defined(HAVE_AVX512)

#include <immintrin.h>

#define CODE                                                                                                           \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,avx2,fma,f16c,popcnt")))

/* ---- float32, float16, bfloat16: sixteen floats ----------------------------------------------------------------- */

/* The first n lanes. */
#define FIRST16(n) ((__mmask16)((1u << (n)) - 1))
#define FIRST32(n) ((__mmask32)((1u << (n)) - 1))

CODE ALWAYS_INLINE __m512 f32_load(const u8 *p) { return _mm512_loadu_ps(p); }

CODE ALWAYS_INLINE __m512 f32_tail(const u8 *v, u32 dim, u32 n) {
  return _mm512_maskz_loadu_ps(FIRST16(n), v + (size_t)(dim - n) * 4);
}

CODE ALWAYS_INLINE __m512 f16_load(const u8 *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

CODE ALWAYS_INLINE __m512 f16_tail(const u8 *v, u32 dim, u32 n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(FIRST16(n), v + (size_t)(dim - n) * 2));
}

CODE ALWAYS_INLINE __m512 bf16_widen_all(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

CODE ALWAYS_INLINE __m512 bf16_load(const u8 *p) {
  return bf16_widen_all(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

CODE ALWAYS_INLINE __m512 bf16_tail(const u8 *v, u32 dim, u32 n) {
  return bf16_widen_all(_mm256_maskz_loadu_epi16(FIRST16(n), v + (size_t)(dim - n) * 2));
}

CODE ALWAYS_INLINE __m512 float_zero(void) { return _mm512_setzero_ps(); }

CODE ALWAYS_INLINE __m512 float_products(__m512 s, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, s); }

CODE ALWAYS_INLINE __m512 float_squares(__m512 s, __m512 a, __m512 b) {
  __m512 d = _mm512_sub_ps(a, b);
  return _mm512_fmadd_ps(d, d, s);
}

CODE ALWAYS_INLINE __m512 float_absolutes(__m512 s, __m512 a, __m512 b) {
  return _mm512_add_ps(s, _mm512_abs_ps(_mm512_sub_ps(a, b)));
}

CODE ALWAYS_INLINE __m256 float_halve(__m512 s) {
  return _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
}

CODE ALWAYS_INLINE void float_reduce(const __m512 *s, float *out) {
  __m256 low = _mm256_hadd_ps(float_halve(s[0]), float_halve(s[1]));
  __m256 high = _mm256_hadd_ps(float_halve(s[2]), float_halve(s[3])), all = _mm256_hadd_ps(low, high);
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

/* The sums are those of float32 for all three. */
#define FLOAT_SUMS(type)                                                                                               \
  CODE ALWAYS_INLINE __m512 type##_zero(void) { return float_zero(); }                                                 \
  CODE ALWAYS_INLINE __m512 type##_products(__m512 s, __m512 a, __m512 b) { return float_products(s, a, b); }          \
  CODE ALWAYS_INLINE __m512 type##_squares(__m512 s, __m512 a, __m512 b) { return float_squares(s, a, b); }            \
  CODE ALWAYS_INLINE __m512 type##_absolutes(__m512 s, __m512 a, __m512 b) { return float_absolutes(s, a, b); }        \
  CODE ALWAYS_INLINE void type##_reduce(const __m512 *s, float *out) { float_reduce(s, out); }

FLOAT_SUMS(f32)
#define SCAN_TYPE f32
#define SCAN_ELEM_SIZE 4
#define SCAN_LANES 16
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC __m512
#define SCAN_SUM __m512
#include "distance_scan.h"

FLOAT_SUMS(f16)
#define SCAN_TYPE f16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES 16
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC __m512
#define SCAN_SUM __m512
#include "distance_scan.h"

FLOAT_SUMS(bf16)
#define SCAN_TYPE bf16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES 16
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC __m512
#define SCAN_SUM __m512
#include "distance_scan.h"

/* ---- int8: thirty-two shorts, multiplied and summed in pairs by VNNI --------------------------------------------- */

CODE ALWAYS_INLINE __m512i i8_load(const u8 *p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

CODE ALWAYS_INLINE __m512i i8_tail(const u8 *v, u32 dim, u32 n) {
  return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(FIRST32(n), v + (dim - n)));
}

CODE ALWAYS_INLINE __m512i i8_zero(void) { return _mm512_setzero_si512(); }

CODE ALWAYS_INLINE __m512i i8_products(__m512i s, __m512i a, __m512i b) { return _mm512_dpwssd_epi32(s, a, b); }

CODE ALWAYS_INLINE __m512i i8_squares(__m512i s, __m512i a, __m512i b) {
  __m512i d = _mm512_sub_epi16(a, b);
  return _mm512_dpwssd_epi32(s, d, d);
}

CODE ALWAYS_INLINE __m512i i8_absolutes(__m512i s, __m512i a, __m512i b) {
  return _mm512_dpwssd_epi32(s, _mm512_abs_epi16(_mm512_sub_epi16(a, b)), _mm512_set1_epi16(1));
}

CODE ALWAYS_INLINE __m256i i8_halve(__m512i s) {
  return _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64(s, 1));
}

CODE ALWAYS_INLINE void i8_reduce(const __m512i *s, float *out) {
  __m256i low = _mm256_hadd_epi32(i8_halve(s[0]), i8_halve(s[1]));
  __m256i high = _mm256_hadd_epi32(i8_halve(s[2]), i8_halve(s[3])), all = _mm256_hadd_epi32(low, high);
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  _mm_storeu_ps(out, _mm_cvtepi32_ps(sum));
}

#define SCAN_TYPE i8
#define SCAN_ELEM_SIZE 1
#define SCAN_LANES 32
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC __m512i
#define SCAN_SUM __m512i
#include "distance_scan.h"

/* ---- bits ---------------------------------------------------------------------------------------------------------- */

CODE ALWAYS_INLINE __m512i bits_zero(void) { return _mm512_setzero_si512(); }

CODE ALWAYS_INLINE __m512i bits_add(__m512i c, __m512i v) { return _mm512_add_epi64(c, _mm512_popcnt_epi64(v)); }

CODE ALWAYS_INLINE __m512i bits_xor(__m512i c, const u8 *a, const u8 *b) {
  return bits_add(c, _mm512_xor_si512(_mm512_loadu_si512(a), _mm512_loadu_si512(b)));
}

CODE ALWAYS_INLINE __m512i bits_and(__m512i c, const u8 *a, const u8 *b) {
  return bits_add(c, _mm512_and_si512(_mm512_loadu_si512(a), _mm512_loadu_si512(b)));
}

CODE ALWAYS_INLINE __m512i bits_or(__m512i c, const u8 *a, const u8 *b) {
  return bits_add(c, _mm512_or_si512(_mm512_loadu_si512(a), _mm512_loadu_si512(b)));
}

CODE ALWAYS_INLINE u32 bits_sum(__m512i c) { return (u32)_mm512_reduce_add_epi64(c); }

CODE ALWAYS_INLINE u32 bits_word(u64 w) { return (u32)__builtin_popcountll(w); }

#define BITS_VEC_SIZE 64
#define BITS_COUNTS __m512i
#include "distance_bits.h"

const Kernels kernels_avx512 = {"avx512", CPU_AVX2 | CPU_AVX512, EXACT_AVX2, KERNEL_TABLE};

#endif
