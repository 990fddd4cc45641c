/*
 * wide_avx2.h: sixteen floats for AVX2: what wide.h lists. Included after CODE is defined.
 */
#if defined(CODE)

#include <immintrin.h>

/* No instruction, but the compiler must not see through it and fuse a product with the sum that follows. */
#define NOT_FUSED(v) __asm__("" : "+x"(v))

typedef struct W {
  __m256 low, high;
} W;

CODE ALWAYS_INLINE W wide(__m256 low, __m256 high) {
  W w;
  w.low = low;
  w.high = high;
  return w;
}

CODE ALWAYS_INLINE W w_all(float f) { return wide(_mm256_set1_ps(f), _mm256_set1_ps(f)); }
CODE ALWAYS_INLINE W w_add(W a, W b) { return wide(_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)); }
CODE ALWAYS_INLINE W w_sub(W a, W b) { return wide(_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)); }
CODE ALWAYS_INLINE W w_max(W a, W b) { return wide(_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)); }

CODE ALWAYS_INLINE W w_min(W a, W b) { return wide(_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)); }

CODE ALWAYS_INLINE W w_mul(W a, W b) {
  a = wide(_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high));
  NOT_FUSED(a.low);
  NOT_FUSED(a.high);
  return a;
}

CODE ALWAYS_INLINE W w_abs(W a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return wide(_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high));
}

CODE ALWAYS_INLINE W w_load(const float *p) { return wide(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }

CODE ALWAYS_INLINE void w_store(float *p, W a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}

CODE ALWAYS_INLINE void w_codes(u8 *p, W a) {
  const __m256i byte = _mm256_set1_epi32(255);
  __m256i words = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(a.low), byte),
                                      _mm256_and_si256(_mm256_castps_si256(a.high), byte));
  words = _mm256_permute4x64_epi64(words, 0xd8); /* packed within halves: low, high, low, high */
  _mm_storeu_si128((__m128i *)(void *)p,
                   _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

/* Add to each lane its partner, and the lanes with a sign in `minus` negated: a difference is the sum with the negated number. */
CODE ALWAYS_INLINE __m256 add_signed(__m256 partner, __m256 a, __m256 minus) {
  return _mm256_add_ps(partner, _mm256_xor_ps(a, minus));
}

CODE ALWAYS_INLINE __m256 hadamard8(__m256 a) {
  a = add_signed(_mm256_permute_ps(a, 0xb1), a, _mm256_setr_ps(0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f));
  a = add_signed(_mm256_permute_ps(a, 0x4e), a, _mm256_setr_ps(0.0f, 0.0f, -0.0f, -0.0f, 0.0f, 0.0f, -0.0f, -0.0f));
  return add_signed(_mm256_permute2f128_ps(a, a, 1), a,
                    _mm256_setr_ps(0.0f, 0.0f, 0.0f, 0.0f, -0.0f, -0.0f, -0.0f, -0.0f));
}

CODE ALWAYS_INLINE W w_hadamard(W a) {
  __m256 low = hadamard8(a.low), high = hadamard8(a.high);
  return wide(_mm256_add_ps(low, high), _mm256_sub_ps(low, high));
}

CODE ALWAYS_INLINE W f32_wide(const u8 *p) {
  return wide(_mm256_loadu_ps((const float *)(const void *)p), _mm256_loadu_ps((const float *)(const void *)(p + 32)));
}

CODE ALWAYS_INLINE W f16_wide(const u8 *p) {
  return wide(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
              _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 16))));
}

CODE ALWAYS_INLINE W bf16_wide(const u8 *p) {
  __m256i low = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
  __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p + 16)));
  return wide(_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(high, 16)));
}

#endif
