/*
 * wide_avx512.h: sixteen floats for AVX-512 with BW, VL and VNNI: what wide.h lists. Included after CODE is defined.
 */
#if defined(CODE)

#include <immintrin.h>

/* No instruction, but the compiler must not see through it and fuse a product with the sum that follows. */
#define NOT_FUSED(v) __asm__("" : "+v"(v))

#define W __m512
#define w_all _mm512_set1_ps
#define w_add _mm512_add_ps
#define w_sub _mm512_sub_ps
#define w_max _mm512_max_ps
#define w_min _mm512_min_ps
#define w_abs _mm512_abs_ps
#define w_load(p) _mm512_loadu_ps(p)
#define w_store _mm512_storeu_ps

CODE ALWAYS_INLINE W w_mul(W a, W b) {
  a = _mm512_mul_ps(a, b);
  NOT_FUSED(a);
  return a;
}

CODE ALWAYS_INLINE void w_codes(u8 *p, W a) {
  _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_castps_si512(a)));
}

/* Sums with the partner; in the lanes of `minus`, the partner less this. */
CODE ALWAYS_INLINE __m512 add_signed(__m512 partner, __m512 a, __mmask16 minus) {
  return _mm512_mask_sub_ps(_mm512_add_ps(partner, a), minus, partner, a);
}

CODE ALWAYS_INLINE W w_hadamard(W a) {
  a = add_signed(_mm512_permute_ps(a, 0xb1), a, 0xaaaa);
  a = add_signed(_mm512_permute_ps(a, 0x4e), a, 0xcccc);
  a = add_signed(_mm512_shuffle_f32x4(a, a, 0xb1), a, 0xf0f0);
  return add_signed(_mm512_shuffle_f32x4(a, a, 0x4e), a, 0xff00);
}

CODE ALWAYS_INLINE W f32_wide(const u8 *p) { return _mm512_loadu_ps(p); }

CODE ALWAYS_INLINE W f16_wide(const u8 *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

CODE ALWAYS_INLINE W bf16_wide(const u8 *p) {
  __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

#endif
