/*
 * rabitq_row_avx2.c: sums of 1-bit rows for AVX2. See rabitq_row_int.h.
 *
 * Four bytes of signs become 32 bytes of 0 or 1, which are multiplied by u: pairs are within +-254, those of a block within +-508.
 */
#include "rabitq_row_int.h"

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define CODE __attribute__((target("avx2")))

/* The terms of 32 dimensions, in pairs. */
CODE ALWAYS_INLINE __m256i terms(const u8 *signs, __m256i u) {
  const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
  __m256i s = _mm256_shuffle_epi8(_mm256_set1_epi32((int)load32(signs)), byte);
  return _mm256_maddubs_epi16(_mm256_min_epu8(_mm256_and_si256(s, bit), _mm256_set1_epi8(1)), u);
}

CODE ALWAYS_INLINE __m256i add_block(__m256i sum, const u8 *signs, __m256i low, __m256i high) {
  __m256i pairs = _mm256_add_epi16(terms(signs, low), terms(signs + 4, high));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

CODE ALWAYS_INLINE void rabitq_row_four(const RabitqRowQuery *q, const u8 *const row[SCAN_ROWS], i32 *sums) {
  __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
  size_t b, at = RABITQ_SIGNS_AT;
  for (b = 0; b < q->blocks; b++, at += RABITQ_ROW_BLOCK / 8) {
    const __m256i *u = (const __m256i *)(const void *)(q->u + b * RABITQ_ROW_BLOCK);
    __m256i low = _mm256_load_si256(u), high = _mm256_load_si256(u + 1);
    s0 = add_block(s0, row[0] + at, low, high);
    s1 = add_block(s1, row[1] + at, low, high);
    s2 = add_block(s2, row[2] + at, low, high);
    s3 = add_block(s3, row[3] + at, low, high);
  }
  s0 = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
  _mm_storeu_si128((__m128i *)(void *)sums, _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1)));
}

CODE void rabitq_row_sums_avx2(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *out) {
  ROWS_BY_FOUR(i32, rabitq_row_four, query);
}

#endif
