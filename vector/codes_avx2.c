/*
 * codes_avx2.c: scans of code rows for AVX2 and FMA. See codes_int.h for how a level is made.
 */
#include "codes_int.h"

#if defined(HAVE_AVX2)

#define CODE __attribute__((target("avx2,fma,f16c,popcnt")))

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

#include "wide_avx2.h"

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
