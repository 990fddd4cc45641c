/*
 * filter_match.c: words in ranges and bytes in sets, for each level of instructions. A word w lies in low..high if w - low <= high - low.
 */
#include "filter_match.h"

#include "../wal_shim/bytes.h"
#include "distance_int.h"
#include "portable.h"

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

static u64 match_byte(const u8 *parts, u32 count, const PartSet *set) {
  u64 bits = 0;
  u32 i;
  for (i = 0; i < count; i++) bits |= (u64)part_set_has(set, parts[i]) << i;
  return bits;
}

/* As match_tail. */
static void narrow_tail(const u8 *parts, u32 count, const PartSet *set, u64 *bits) {
  if (count) *bits &= match_byte(parts, count, set) | ~(u64)0 << count;
}

static void narrow_plain(const u8 *parts, u32 count, const PartSet *set, u64 *bits) {
  for (; count >= 64; count -= 64, parts += 64, bits++) {
    if (*bits) *bits &= match_byte(parts, 64, set);
  }
  narrow_tail(parts, count, set, bits);
}

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c,popcnt")))
#define AVX512 __attribute__((target("avx2,fma,f16c,popcnt,avx512f,avx512bw,avx512dq,avx512vl")))

/* There is no unsigned comparison: both sides are moved by half of the range of numbers. `ranges` is known when this is compiled. */
AVX2 ALWAYS_INLINE void match_some(const u8 *words, u32 count, const FieldRange *range, const u32 ranges, u64 *bits) {
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

AVX2 static void match_avx2(const u8 *words, u32 count, const FieldRange *range, u32 ranges, u64 *bits) {
  if (ranges == 1)
    match_some(words, count, range, 1, bits);
  else if (ranges == 2)
    match_some(words, count, range, 2, bits);
  else
    match_some(words, count, range, ranges, bits);
}

/*
 * Of 32 bytes: by the low half of each look up which numbers with that half are in the set, by the high half which bit stands for it (W. Mula, "SIMDized check which bytes are
 * in a set", 2018).
 */
AVX2 ALWAYS_INLINE u32 narrow_32(const u8 *parts, __m256i below, __m256i above) {
  const __m256i half = _mm256_set1_epi8(0xf), which = _mm256_set1_epi64x((i64)0x8040201008040201u);
  __m256i p = _mm256_loadu_si256((const __m256i *)(const void *)parts), low = _mm256_and_si256(p, half),
          high = _mm256_and_si256(_mm256_srli_epi16(p, 4), half), bit = _mm256_shuffle_epi8(which, high);
  __m256i row = _mm256_blendv_epi8(_mm256_shuffle_epi8(below, low), _mm256_shuffle_epi8(above, low), p);
  return (u32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(row, bit), bit));
}

AVX2 static void narrow_avx2(const u8 *parts, u32 count, const PartSet *set, u64 *bits) {
  __m256i below = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)set->of[0])),
          above = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)set->of[1]));
  for (; count >= 64; count -= 64, parts += 64, bits++) {
    if (*bits) *bits &= narrow_32(parts, below, above) | (u64)narrow_32(parts + 32, below, above) << 32;
  }
  narrow_tail(parts, count, set, bits);
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

NarrowMatch narrow_match(void) {
  const char *level = simd_level();
  return strcmp(level, "avx2") == 0 || strcmp(level, "avx512") == 0 ? narrow_avx2 : narrow_plain;
}

#else

FilterMatch filter_match(void) { return match_plain; }
NarrowMatch narrow_match(void) { return narrow_plain; }

#endif
