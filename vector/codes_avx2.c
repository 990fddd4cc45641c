/*
 * codes_avx2.c: scans of code rows for AVX2 and FMA. See codes_int.h for how a level is made.
 */
#include "codes_int.h"

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define CODE __attribute__((target("avx2,fma,f16c,popcnt")))

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

/* No instruction, but the compiler must not see through it and fuse a product with the sum that follows. */
#define NOT_FUSED(v) __asm__("" : "+x"(v))

typedef struct W {
  __m256 low, high;
} W;

CODE ALWAYS_INLINE W wide(__m256 low, __m256 high) {
  W w;
  w.low = low;
  w.high = high;
  return w;
}

CODE ALWAYS_INLINE W w_all(float f) { return wide(_mm256_set1_ps(f), _mm256_set1_ps(f)); }
CODE ALWAYS_INLINE W w_add(W a, W b) { return wide(_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)); }
CODE ALWAYS_INLINE W w_sub(W a, W b) { return wide(_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)); }
CODE ALWAYS_INLINE W w_max(W a, W b) { return wide(_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)); }

CODE ALWAYS_INLINE W w_mul(W a, W b) {
  a = wide(_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high));
  NOT_FUSED(a.low);
  NOT_FUSED(a.high);
  return a;
}

CODE ALWAYS_INLINE W w_abs(W a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return wide(_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high));
}

CODE ALWAYS_INLINE void w_store(float *p, W a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}

CODE ALWAYS_INLINE void w_codes(u8 *p, W a) {
  const __m256i byte = _mm256_set1_epi32(255);
  __m256i words = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(a.low), byte),
                                      _mm256_and_si256(_mm256_castps_si256(a.high), byte));
  words = _mm256_permute4x64_epi64(words, 0xd8); /* packed within halves: low, high, low, high */
  _mm_storeu_si128((__m128i *)(void *)p,
                   _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

CODE ALWAYS_INLINE W f32_wide(const u8 *p) {
  return wide(_mm256_loadu_ps((const float *)(const void *)p), _mm256_loadu_ps((const float *)(const void *)(p + 32)));
}

CODE ALWAYS_INLINE W f16_wide(const u8 *p) {
  return wide(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
              _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 16))));
}

CODE ALWAYS_INLINE W bf16_wide(const u8 *p) {
  __m256i low = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
  __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p + 16)));
  return wide(_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(high, 16)));
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

#include "codes_x86.h"

CODE ALWAYS_INLINE __m256i add_products(__m256i sum, __m256i q, const u8 *codes) {
  __m256i c = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)codes));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(q, c));
}

CODE ALWAYS_INLINE V4 codes_dots(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead) {
  __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
  __m128i sum;
  size_t i, at = CODES_HEADER;
  for (i = 0; i < q->pieces; i++, at += CODES_PIECE) {
    __m256i k = _mm256_load_si256((const __m256i *)(const void *)(q->whole + i * CODES_PIECE));
    if (ahead && i % 4 == 0) {
      PREFETCH((uintptr_t)row[0] + ahead + at);
      PREFETCH((uintptr_t)row[1] + ahead + at);
      PREFETCH((uintptr_t)row[2] + ahead + at);
      PREFETCH((uintptr_t)row[3] + ahead + at);
    }
    s0 = add_products(s0, k, row[0] + at);
    s1 = add_products(s1, k, row[1] + at);
    s2 = add_products(s2, k, row[2] + at);
    s3 = add_products(s3, k, row[3] + at);
  }
  s0 = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
  sum = _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1));
  return _mm_cvtepi32_ps(sum);
}

CODE ALWAYS_INLINE __m256 add_absolutes(__m256 sum, const float *x, __m256 s, const u8 *codes) {
  __m256 c = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)codes)));
  __m256 d = _mm256_fnmadd_ps(s, c, _mm256_load_ps(x));
  return _mm256_add_ps(sum, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), d));
}

CODE ALWAYS_INLINE V4 codes_absolutes(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead, V4 s) {
  __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  __m256 f0 = _mm256_broadcastss_ps(s), f1 = _mm256_broadcastss_ps(_mm_permute_ps(s, 0x55));
  __m256 f2 = _mm256_broadcastss_ps(_mm_permute_ps(s, 0xaa)), f3 = _mm256_broadcastss_ps(_mm_permute_ps(s, 0xff));
  size_t i, at = CODES_HEADER;
  for (i = 0; i < (size_t)q->pieces * 2; i++, at += CODES_PIECE / 2) {
    const float *x = q->exact + i * (CODES_PIECE / 2);
    if (ahead && i % 8 == 0) {
      PREFETCH((uintptr_t)row[0] + ahead + at);
      PREFETCH((uintptr_t)row[1] + ahead + at);
      PREFETCH((uintptr_t)row[2] + ahead + at);
      PREFETCH((uintptr_t)row[3] + ahead + at);
    }
    s0 = add_absolutes(s0, x, f0, row[0] + at);
    s1 = add_absolutes(s1, x, f1, row[1] + at);
    s2 = add_absolutes(s2, x, f2, row[2] + at);
    s3 = add_absolutes(s3, x, f3, row[3] + at);
  }
  s0 = _mm256_hadd_ps(_mm256_hadd_ps(s0, s1), _mm256_hadd_ps(s2, s3));
  return _mm_add_ps(_mm256_castps256_ps128(s0), _mm256_extractf128_ps(s0, 1));
}

#define CODES_LEVEL "avx2"
#define CODES_TABLE codes_avx2
#include "codes_scan.h"

#endif
