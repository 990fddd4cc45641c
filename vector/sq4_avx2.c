/*
 * sq4_avx2.c: 4-bit codes for AVX2. See sq4_int.h for how a level is made.
 *
 * Sums of a block are kept in 16 bits: the terms of a dimension are within +-1905 together (sq4.h), a lane takes in eight, and
 * partial sums exceed those of whole terms by at most 2 * 224.
 */
#include "sq4_int.h"

#if defined(HAVE_AVX2)

#define CODE __attribute__((target("avx2,fma,f16c,popcnt")))

#include "wide_avx2.h"

/* The terms of 32 dimensions, in pairs. */
CODE ALWAYS_INLINE __m256i terms(__m256i x, __m256i table, __m256i minus) {
  return _mm256_add_epi16(_mm256_maddubs_epi16(x, _mm256_shuffle_epi8(table, x)), _mm256_maddubs_epi16(x, minus));
}

CODE ALWAYS_INLINE __m256i add_block(__m256i sum, __m256i table, const __m256i minus[4], const u8 *code) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)code);
  __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)(code + 32));
  __m256i a = terms(_mm256_and_si256(v, nibble), table, minus[0]);
  __m256i b = terms(_mm256_and_si256(w, nibble), table, minus[1]);
  __m256i c = terms(_mm256_and_si256(_mm256_srli_epi16(v, 4), nibble), table, minus[2]);
  __m256i d = terms(_mm256_and_si256(_mm256_srli_epi16(w, 4), nibble), table, minus[3]);
  a = _mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, _mm256_set1_epi16(1)));
}

CODE ALWAYS_INLINE void sq4_four(const Sq4Query *q, u32 blocks, const u8 *const row[SCAN_ROWS], u32 *out) {
  const __m256i table = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(const void *)q->table));
  __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
  __m128i sum;
  u32 b;
  for (b = 0; b < blocks; b++) {
    size_t at = (size_t)b * SQ4_BLOCK;
    const __m256i *minus = (const __m256i *)(const void *)(q->minus + 2 * at);
    s0 = add_block(s0, table, minus, row[0] + at);
    s1 = add_block(s1, table, minus, row[1] + at);
    s2 = add_block(s2, table, minus, row[2] + at);
    s3 = add_block(s3, table, minus, row[3] + at);
  }
  s0 = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
  sum = _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1));
  _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi32(sum, _mm_set1_epi32(SQ4_ZERO)));
}

#define SQ4_LEVEL "avx2"
#define SQ4_TABLE sq4_avx2
#include "sq4_level.h"

#endif
