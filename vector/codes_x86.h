/*
 * codes_x86.h: what the levels of x86 share: four floats of SSE, and the headers of four rows. Included after CODE is defined.
 */
#if defined(CODE)

#include <immintrin.h>

#define V4 __m128
#define v4_all _mm_set1_ps
#define v4_add _mm_add_ps
#define v4_sub _mm_sub_ps
#define v4_mul _mm_mul_ps
#define v4_max _mm_max_ps
#define v4_sqrt _mm_sqrt_ps
#define v4_store _mm_storeu_ps

CODE ALWAYS_INLINE void codes_heads(const u8 *const row[SCAN_ROWS], V4 h[3]) {
  __m128 a = _mm_loadu_ps((const float *)(const void *)row[0]), b = _mm_loadu_ps((const float *)(const void *)row[1]);
  __m128 c = _mm_loadu_ps((const float *)(const void *)row[2]), d = _mm_loadu_ps((const float *)(const void *)row[3]);
  __m128 ab = _mm_unpacklo_ps(a, b), cd = _mm_unpacklo_ps(c, d); /* a0 b0 a1 b1, c0 d0 c1 d1 */
  h[0] = _mm_movelh_ps(ab, cd);
  h[1] = _mm_movehl_ps(cd, ab);
  h[2] = _mm_movelh_ps(_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
}

#endif
