/*
 * walk8_avx512.c: dot products of code rows for AVX-512 with BW, VL and VNNI. See walk8_int.h.
 *
 * vpdpbusd multiplies unsigned by signed bytes: 128 is added to the codes of rows, and 128 times the query's codes taken away.
 */
#include "walk8_int.h"

#if defined(HAVE_AVX512)

#include <immintrin.h>

#define CODE                                                                                                           \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,avx2,fma,f16c,popcnt")))

/* The sum is one of (c + 128)k. */
CODE ALWAYS_INLINE __m512i add_products(__m512i sum, __m512i codes, __m512i k) {
  return _mm512_dpbusd_epi32(sum, _mm512_xor_si512(codes, _mm512_set1_epi8(-128)), k);
}

/* Pairs of lanes of a and of b: alternating, in each 128 bits. */
CODE ALWAYS_INLINE __m512i add_pairs(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

CODE ALWAYS_INLINE void walk8_four(const Walk8Query *q, const u8 *const row[SCAN_ROWS], i32 *dots) {
  const __m512i zero = _mm512_setzero_si512();
  __m512i s0 = zero, s1 = zero, s2 = zero, s3 = zero, bias = zero;
  size_t i = 0, at = CODES_HEADER, n = (size_t)q->pieces * CODES_PIECE;
  __m256i half;
  __m128i sum;
  for (; i + 64 <= n; i += 64, at += 64) {
    __m512i k = _mm512_load_si512(q->codes + i);
    bias = add_products(bias, zero, k);
    s0 = add_products(s0, _mm512_loadu_si512(row[0] + at), k);
    s1 = add_products(s1, _mm512_loadu_si512(row[1] + at), k);
    s2 = add_products(s2, _mm512_loadu_si512(row[2] + at), k);
    s3 = add_products(s3, _mm512_loadu_si512(row[3] + at), k);
  }
  if (i < n) {
    __mmask16 left = (__mmask16)((1u << (n - i) / 4) - 1);
    __m512i k = _mm512_load_si512(q->codes + i);
    bias = add_products(bias, zero, k);
    s0 = add_products(s0, _mm512_maskz_loadu_epi32(left, row[0] + at), k);
    s1 = add_products(s1, _mm512_maskz_loadu_epi32(left, row[1] + at), k);
    s2 = add_products(s2, _mm512_maskz_loadu_epi32(left, row[2] + at), k);
    s3 = add_products(s3, _mm512_maskz_loadu_epi32(left, row[3] + at), k);
  }
  s0 = add_pairs(_mm512_sub_epi32(s0, bias), _mm512_sub_epi32(s1, bias));
  s2 = add_pairs(_mm512_sub_epi32(s2, bias), _mm512_sub_epi32(s3, bias));
  s0 = _mm512_add_epi32(_mm512_unpacklo_epi64(s0, s2), _mm512_unpackhi_epi64(s0, s2));
  half = _mm256_add_epi32(_mm512_castsi512_si256(s0), _mm512_extracti64x4_epi64(s0, 1));
  sum = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  _mm_storeu_si128((__m128i *)(void *)dots, sum);
}

CODE void walk8_dots_avx512(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *out) {
  ROWS_BY_FOUR(i32, walk8_four, query);
}

#endif
