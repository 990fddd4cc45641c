/*
 * filter_match.c: words in ranges, for each level of instructions. A word w lies in low..high if w - low <= high - low.
 */
#include "filter_match.h"

#include "../wal_shim/bytes.h"
#include "distance_int.h"

static u64 match_word(const u8 *words, u32 count, const FieldRange *range, u32 ranges) {
  u64 bits = 0;
  u32 i, k;
  for (i = 0; i < count; i++) {
    u64 word = load64(words + 8 * (size_t)i);
    u32 in = 0;
    for (k = 0; k < ranges; k++) in |= word - range[k].low <= range[k].high - range[k].low;
    bits |= (u64)in << i;
  }
  return bits;
}

/* What is left after the last whole word of bits. */
static void match_tail(const u8 *words, u32 count, const FieldRange *range, u32 ranges, u64 *bits) {
  if (count) *bits &= match_word(words, count, range, ranges) | ~(u64)0 << count;
}

static void match_plain(const u8 *words, u32 count, const FieldRange *range, u32 ranges, u64 *bits) {
  for (; count >= 64; count -= 64, words += 64 * 8, bits++) {
    if (*bits) *bits &= match_word(words, 64, range, ranges);
  }
  match_tail(words, count, range, ranges, bits);
}

const FilterMatch filter_match_plain = match_plain;

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c,popcnt")))
#define AVX512 __attribute__((target("avx2,fma,f16c,popcnt,avx512f,avx512bw,avx512dq,avx512vl")))

/* There is no unsigned comparison: both sides are moved by half of the range of numbers. */
AVX2 static void match_avx2(const u8 *words, u32 count, const FieldRange *range, u32 ranges, u64 *bits) {
  const __m256i half = _mm256_set1_epi64x((i64)((u64)1 << 63));
  __m256i low[MATCH_MAX_RANGES], span[MATCH_MAX_RANGES];
  u32 i, k;
  for (k = 0; k < ranges; k++) {
    low[k] = _mm256_set1_epi64x((i64)range[k].low);
    span[k] = _mm256_xor_si256(_mm256_set1_epi64x((i64)(range[k].high - range[k].low)), half);
  }
  for (; count >= 64; count -= 64, words += 64 * 8, bits++) {
    u64 in = 0;
    if (*bits == 0) continue;
    for (i = 0; i < 64; i += 4) {
      __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)(words + 8 * (size_t)i));
      u32 out = 0xf;
      for (k = 0; k < ranges; k++) {
        __m256i above = _mm256_cmpgt_epi64(_mm256_xor_si256(_mm256_sub_epi64(w, low[k]), half), span[k]);
        out &= (u32)_mm256_movemask_pd(_mm256_castsi256_pd(above));
      }
      in |= (u64)(out ^ 0xf) << i;
    }
    *bits &= in;
  }
  match_tail(words, count, range, ranges, bits);
}

AVX512 static void match_avx512(const u8 *words, u32 count, const FieldRange *range, u32 ranges, u64 *bits) {
  __m512i low[MATCH_MAX_RANGES], span[MATCH_MAX_RANGES];
  u32 i, k;
  for (k = 0; k < ranges; k++) {
    low[k] = _mm512_set1_epi64((i64)range[k].low);
    span[k] = _mm512_set1_epi64((i64)(range[k].high - range[k].low));
  }
  for (; count >= 64; count -= 64, words += 64 * 8, bits++) {
    u64 in = 0;
    if (*bits == 0) continue;
    for (i = 0; i < 64; i += 8) {
      __m512i w = _mm512_loadu_si512(words + 8 * (size_t)i);
      u32 inside = 0;
      for (k = 0; k < ranges; k++) inside |= _mm512_cmple_epu64_mask(_mm512_sub_epi64(w, low[k]), span[k]);
      in |= (u64)inside << i;
    }
    *bits &= in;
  }
  match_tail(words, count, range, ranges, bits);
}

FilterMatch filter_match(void) {
  const char *level = simd_level();
  if (strcmp(level, "avx512") == 0) return match_avx512;
  return strcmp(level, "avx2") == 0 ? match_avx2 : match_plain;
}

#else

FilterMatch filter_match(void) { return match_plain; }

#endif
