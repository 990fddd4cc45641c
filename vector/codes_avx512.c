/*
 * codes_avx512.c: scans of code rows for AVX-512 with BW, VL and VNNI. See codes_int.h for how a level is made.
 */
#include "codes_int.h"

#if defined(HAVE_AVX512)

#define CODE                                                                                                           \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,avx2,fma,f16c,popcnt")))

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

#include "wide_avx512.h"

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

CODE ALWAYS_INLINE __m512i add_products(__m512i sum, __m512i q, const u8 *codes) {
  return _mm512_dpwssd_epi32(sum, q, _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)codes)));
}

CODE ALWAYS_INLINE __m256i add_last_products(__m512i sum, __m256i q, const u8 *codes) {
  __m256i c = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)codes));
  return _mm256_dpwssd_epi32(_mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1)), q, c);
}

CODE ALWAYS_INLINE V4 codes_dots(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead) {
  __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
  __m256i h0, h1, h2, h3, k = _mm256_setzero_si256();
  size_t i, at = CODES_HEADER, last = CODES_HEADER;
  for (i = 0; i + 2 <= q->pieces; i += 2, at += 2 * CODES_PIECE) {
    __m512i k2 = _mm512_load_si512(q->whole + i * CODES_PIECE);
    if (ahead && i % 4 == 0) {
      PREFETCH((uintptr_t)row[0] + ahead + at);
      PREFETCH((uintptr_t)row[1] + ahead + at);
      PREFETCH((uintptr_t)row[2] + ahead + at);
      PREFETCH((uintptr_t)row[3] + ahead + at);
    }
    s0 = add_products(s0, k2, row[0] + at);
    s1 = add_products(s1, k2, row[1] + at);
    s2 = add_products(s2, k2, row[2] + at);
    s3 = add_products(s3, k2, row[3] + at);
  }
  if (i < q->pieces) { /* else the first piece once more, times zero */
    k = _mm256_load_si256((const __m256i *)(const void *)(q->whole + i * CODES_PIECE));
    last = at;
  }
  h0 = add_last_products(s0, k, row[0] + last);
  h1 = add_last_products(s1, k, row[1] + last);
  h2 = add_last_products(s2, k, row[2] + last);
  h3 = add_last_products(s3, k, row[3] + last);
  h0 = _mm256_hadd_epi32(_mm256_hadd_epi32(h0, h1), _mm256_hadd_epi32(h2, h3));
  return _mm_cvtepi32_ps(_mm_add_epi32(_mm256_castsi256_si128(h0), _mm256_extracti128_si256(h0, 1)));
}

CODE ALWAYS_INLINE __m512 add_absolutes(__m512 sum, __m512 x, __m512 s, const u8 *codes) {
  __m512 c = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)codes)));
  return _mm512_add_ps(sum, _mm512_abs_ps(_mm512_fnmadd_ps(s, c, x)));
}

CODE ALWAYS_INLINE __m256 halve(__m512 s) {
  return _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
}

CODE ALWAYS_INLINE V4 codes_absolutes(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead, V4 s) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  __m512 f0 = _mm512_broadcastss_ps(s), f1 = _mm512_broadcastss_ps(_mm_permute_ps(s, 0x55));
  __m512 f2 = _mm512_broadcastss_ps(_mm_permute_ps(s, 0xaa)), f3 = _mm512_broadcastss_ps(_mm_permute_ps(s, 0xff));
  __m256 all;
  size_t i, at = CODES_HEADER;
  for (i = 0; i < q->pieces; i++, at += CODES_PIECE) {
    __m512 x = _mm512_load_ps(q->exact + i * CODES_PIECE);
    if (ahead && i % 4 == 0) {
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
  all = _mm256_hadd_ps(_mm256_hadd_ps(halve(s0), halve(s1)), _mm256_hadd_ps(halve(s2), halve(s3)));
  return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}

#define CODES_LEVEL "avx512"
#define CODES_TABLE codes_avx512
#include "codes_scan.h"

#endif
