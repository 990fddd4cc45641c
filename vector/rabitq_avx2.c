/*
 * rabitq_avx2.c: 1-bit codes for AVX2. See rabitq_int.h.
 *
 * No fma in the target, so that nothing is fused. `all` sums the rows of even number with 256 times their neighbours, modulo 2^16; `odd` those.
 */
#include "rabitq_int.h"

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define CODE __attribute__((target("avx2")))

CODE ALWAYS_INLINE __m256i table_at(const u8 *table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(const void *)table));
}

/* Eight rows from number `first` on. */
CODE ALWAYS_INLINE u32 values(const RabitqQuery *q, __m256 offset, const u8 *group, u32 first, __m256i sum,
                              __m256 limit, float *w) {
  const float *add = (const float *)(const void *)group + first;
  __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(q->slope));
  y = _mm256_mul_ps(_mm256_add_ps(y, offset), _mm256_loadu_ps(add + RABITQ_ROWS));
  y = _mm256_add_ps(y, _mm256_loadu_ps(add));
  _mm256_storeu_ps(w + first, y);
  return (u32)_mm256_movemask_ps(_mm256_cmp_ps(y, limit, _CMP_NGT_UQ)) << first;
}

CODE u32 rabitq_scan_avx2(const RabitqQuery *q, float offset, const u8 *group, float limit, float *w) {
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256 o = _mm256_set1_ps(offset), l = _mm256_set1_ps(limit);
  const u8 *code = group + RABITQ_CODES_AT, *table = q->table;
  __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
  u32 left = q->bytes, b;
  do {
    __m256i all = _mm256_setzero_si256(), odd = all, low, high;
    u32 n = MIN(left, RABITQ_SUM_BYTES);
    for (b = 0; b < n; b++, code += RABITQ_ROWS, table += 32) {
      __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)code);
      __m256i t =
          _mm256_add_epi8(_mm256_shuffle_epi8(table_at(table), _mm256_and_si256(c, nibble)),
                          _mm256_shuffle_epi8(table_at(table + 16), _mm256_and_si256(_mm256_srli_epi16(c, 4), nibble)));
      all = _mm256_add_epi16(all, t);
      odd = _mm256_add_epi16(odd, _mm256_srli_epi16(t, 8));
    }
    left -= n;
    all = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    low = _mm256_unpacklo_epi16(all, odd);  /* rows 0-7, 16-23 */
    high = _mm256_unpackhi_epi16(all, odd); /* rows 8-15, 24-31 */
    s0 = _mm256_add_epi32(s0, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(low)));
    s1 = _mm256_add_epi32(s1, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(high)));
    s2 = _mm256_add_epi32(s2, _mm256_cvtepu16_epi32(_mm256_extracti128_si256(low, 1)));
    s3 = _mm256_add_epi32(s3, _mm256_cvtepu16_epi32(_mm256_extracti128_si256(high, 1)));
  } while (left);
  return values(q, o, group, 0, s0, l, w) | values(q, o, group, 8, s1, l, w) | values(q, o, group, 16, s2, l, w) |
         values(q, o, group, 24, s3, l, w);
}

#endif
