/*
 * sq4_avx512.c: 4-bit codes for AVX-512 with BW, VL and VNNI. See sq4_int.h for how a level is made.
 */
#include "sq4_int.h"

#if defined(HAVE_AVX512)

#define CODE                                                                                                           \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,avx2,fma,f16c,popcnt")))

#include "wide_avx512.h"

/* One block: the two sums apart, so that no instruction waits for the one before. */
CODE ALWAYS_INLINE void add_block(__m512i s[2], __m512i table, __m512i low, __m512i high, const u8 *code) {
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512i v = _mm512_loadu_si512(code);
  __m512i x = _mm512_and_si512(v, nibble), y = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble);
  s[0] = _mm512_dpbusd_epi32(s[0], x, low);
  s[1] = _mm512_dpbusd_epi32(s[1], x, _mm512_shuffle_epi8(table, x));
  s[0] = _mm512_dpbusd_epi32(s[0], y, high);
  s[1] = _mm512_dpbusd_epi32(s[1], y, _mm512_shuffle_epi8(table, y));
}

/* Pairs of lanes of a and of b: alternating, in each 128 bits. */
CODE ALWAYS_INLINE __m512i add_pairs(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

CODE ALWAYS_INLINE void sq4_four(const Sq4Query *q, u32 blocks, const u8 *const row[SCAN_ROWS], u32 *out) {
  const __m512i table = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(const void *)q->table));
  const __m512i zero = _mm512_setzero_si512();
  __m512i s0[2] = {zero, zero}, s1[2] = {zero, zero}, s2[2] = {zero, zero}, s3[2] = {zero, zero}, ab, cd;
  __m256i half;
  __m128i sum;
  u32 b;
  for (b = 0; b < blocks; b++) {
    size_t at = (size_t)b * SQ4_BLOCK;
    __m512i low = _mm512_load_si512(q->minus + 2 * at), high = _mm512_load_si512(q->minus + 2 * at + SQ4_BLOCK);
    add_block(s0, table, low, high, row[0] + at);
    add_block(s1, table, low, high, row[1] + at);
    add_block(s2, table, low, high, row[2] + at);
    add_block(s3, table, low, high, row[3] + at);
  }
  ab = add_pairs(_mm512_add_epi32(s0[0], s0[1]), _mm512_add_epi32(s1[0], s1[1]));
  cd = add_pairs(_mm512_add_epi32(s2[0], s2[1]), _mm512_add_epi32(s3[0], s3[1]));
  ab = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  half = _mm256_add_epi32(_mm512_castsi512_si256(ab), _mm512_extracti64x4_epi64(ab, 1));
  sum = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi32(sum, _mm_set1_epi32(SQ4_ZERO)));
}

#define SQ4_LEVEL "avx512"
#define SQ4_TABLE sq4_avx512
#include "sq4_level.h"

#endif
