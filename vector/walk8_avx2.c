/*
 * walk8_avx2.c: dot products of code rows for AVX2. See walk8_int.h.
 */
#include "walk8_int.h"

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define CODE __attribute__((target("avx2,fma,f16c,popcnt")))

CODE ALWAYS_INLINE __m256i load_codes(const void *p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
}

CODE ALWAYS_INLINE void walk8_four(const Walk8Query *q, const u8 *const row[SCAN_ROWS], i32 *dots) {
  __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
  size_t i, n = (size_t)q->pieces * CODES_PIECE;
  for (i = 0; i < n; i += CODES_PIECE) {
    __m256i k = load_codes(q->codes + i);
    s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(k, load_codes(row[0] + CODES_HEADER + i)));
    s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(k, load_codes(row[1] + CODES_HEADER + i)));
    s2 = _mm256_add_epi32(s2, _mm256_madd_epi16(k, load_codes(row[2] + CODES_HEADER + i)));
    s3 = _mm256_add_epi32(s3, _mm256_madd_epi16(k, load_codes(row[3] + CODES_HEADER + i)));
  }
  s0 = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
  _mm_storeu_si128((__m128i *)(void *)dots, _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1)));
}

CODE void walk8_dots_avx2(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *out) {
  ROWS_BY_FOUR(i32, walk8_four, query);
}

#endif
