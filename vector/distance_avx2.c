/*
 * distance_avx2.c: scan kernels for AVX2, FMA and F16C. See distance_int.h for how a level is made.
 *
 * Tails: where the vector has at least SCAN_LANES elements, the last SCAN_LANES are loaded and those already summed
 * are masked off; shorter vectors go through a zeroed buffer.
 */
#include "distance_int.h"

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define CODE __attribute__((target("avx2,fma,f16c,popcnt")))

/* ---- float32, float16, bfloat16: eight floats ------------------------------------------------------------------ */

static const i32 keep_mask[16] = {0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1};

/* All bits in the last n of eight lanes. */
CODE ALWAYS_INLINE __m256 keep_last(u32 n) { return _mm256_loadu_ps((const float *)(const void *)(keep_mask + n)); }

CODE ALWAYS_INLINE __m256 f32_load(const u8 *p) { return _mm256_loadu_ps((const float *)(const void *)p); }

CODE ALWAYS_INLINE __m256 f16_load(const u8 *p) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

CODE ALWAYS_INLINE __m256 bf16_load(const u8 *p) {
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

#define FLOAT_TAIL(type, size)                                                                                         \
  CODE ALWAYS_INLINE __m256 type##_tail(const u8 *v, u32 dim, u32 n) {                                                 \
    u8 buffer[8 * (size)] = {0};                                                                                       \
    if (dim >= 8) return _mm256_and_ps(type##_load(v + (size_t)(dim - 8) * (size)), keep_last(n));                     \
    memcpy(buffer, v, (size_t)n *(size));                                                                              \
    return type##_load(buffer);                                                                                        \
  }

CODE ALWAYS_INLINE __m256 float_zero(void) { return _mm256_setzero_ps(); }

CODE ALWAYS_INLINE __m256 float_products(__m256 s, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, s); }

CODE ALWAYS_INLINE __m256 float_squares(__m256 s, __m256 a, __m256 b) {
  __m256 d = _mm256_sub_ps(a, b);
  return _mm256_fmadd_ps(d, d, s);
}

CODE ALWAYS_INLINE __m256 float_absolutes(__m256 s, __m256 a, __m256 b) {
  return _mm256_add_ps(s, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(a, b)));
}

CODE ALWAYS_INLINE void float_reduce(const __m256 *s, float *out) {
  __m256 low = _mm256_hadd_ps(s[0], s[1]), high = _mm256_hadd_ps(s[2], s[3]), all = _mm256_hadd_ps(low, high);
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

/* The sums are those of float32 for all three. */
#define FLOAT_SUMS(type)                                                                                               \
  CODE ALWAYS_INLINE __m256 type##_zero(void) { return float_zero(); }                                                 \
  CODE ALWAYS_INLINE __m256 type##_products(__m256 s, __m256 a, __m256 b) { return float_products(s, a, b); }          \
  CODE ALWAYS_INLINE __m256 type##_squares(__m256 s, __m256 a, __m256 b) { return float_squares(s, a, b); }            \
  CODE ALWAYS_INLINE __m256 type##_absolutes(__m256 s, __m256 a, __m256 b) { return float_absolutes(s, a, b); }        \
  CODE ALWAYS_INLINE void type##_reduce(const __m256 *s, float *out) { float_reduce(s, out); }

FLOAT_TAIL(f32, 4)
FLOAT_SUMS(f32)
#define SCAN_TYPE f32
#define SCAN_ELEM_SIZE 4
#define SCAN_LANES 8
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC __m256
#define SCAN_SUM __m256
#include "distance_scan.h"

FLOAT_TAIL(f16, 2)
FLOAT_SUMS(f16)
#define SCAN_TYPE f16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES 8
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC __m256
#define SCAN_SUM __m256
#include "distance_scan.h"

FLOAT_TAIL(bf16, 2)
FLOAT_SUMS(bf16)
#define SCAN_TYPE bf16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES 8
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC __m256
#define SCAN_SUM __m256
#include "distance_scan.h"

/* ---- exact sums: eight doubles, of which distance.c says where each element goes ----------------------------------- */

typedef struct Lanes {
  __m256d low, high;
} Lanes;

/* No instruction, but the compiler must not see through it and fuse a product with the sum that follows. */
#define NOT_FUSED(v) __asm__("" : "+x"(v))

CODE ALWAYS_INLINE Lanes lanes_of(__m256 v) {
  Lanes l;
  l.low = _mm256_cvtps_pd(_mm256_castps256_ps128(v));
  l.high = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
  return l;
}

CODE ALWAYS_INLINE __m256d add_product(__m256d s, __m256d a, __m256d b) {
  __m256d product = _mm256_mul_pd(a, b);
  NOT_FUSED(product);
  return _mm256_add_pd(s, product);
}

CODE ALWAYS_INLINE void lanes_products(Lanes *s, Lanes a, Lanes b) {
  s->low = add_product(s->low, a.low, b.low);
  s->high = add_product(s->high, a.high, b.high);
}

/* ((0+1)+(2+3)) + ((4+5)+(6+7)) */
CODE ALWAYS_INLINE double lanes_sum(Lanes s) {
  __m256d pairs = _mm256_hadd_pd(s.low, s.high); /* 0+1, 4+5, 2+3, 6+7 */
  __m128d fours = _mm_add_pd(_mm256_castpd256_pd128(pairs), _mm256_extractf128_pd(pairs, 1));
  return _mm_cvtsd_f64(_mm_add_sd(fours, _mm_unpackhi_pd(fours, fours)));
}

/* One step of a metric with the elements of x and y; `metric` is constant where this is inlined. */
CODE ALWAYS_INLINE void exact_step(Metric metric, Lanes s[3], __m256 x, __m256 y) {
  Lanes a = lanes_of(x), b = lanes_of(y);
  if (metric == METRIC_DOT || metric == METRIC_COSINE) lanes_products(&s[0], a, b);
  if (metric == METRIC_COSINE) {
    lanes_products(&s[1], a, a);
    lanes_products(&s[2], b, b);
  }
  if (metric == METRIC_L2 || metric == METRIC_L1) {
    a.low = _mm256_sub_pd(a.low, b.low);
    a.high = _mm256_sub_pd(a.high, b.high);
  }
  if (metric == METRIC_L2) lanes_products(&s[0], a, a);
  if (metric == METRIC_L1) {
    s[0].low = _mm256_add_pd(s[0].low, _mm256_andnot_pd(_mm256_set1_pd(-0.0), a.low));
    s[0].high = _mm256_add_pd(s[0].high, _mm256_andnot_pd(_mm256_set1_pd(-0.0), a.high));
  }
}

/* The first n < 8 elements at v, then zeros. */
#define EXACT_LAST(type, size)                                                                                         \
  CODE ALWAYS_INLINE __m256 type##_last(const u8 *v, u32 n) {                                                          \
    u8 buffer[8 * (size)] = {0};                                                                                       \
    memcpy(buffer, v, (size_t)n *(size));                                                                              \
    return type##_load(buffer);                                                                                        \
  }

#define EXACT_METRIC(type, size, metric)                                                                               \
  {                                                                                                                    \
    for (; dim - i >= 8; i += 8, a += 8 * (size), b += 8 * (size))                                                     \
      exact_step(metric, s, type##_load(a), type##_load(b));                                                           \
    if (i < dim) exact_step(metric, s, type##_last(a, dim - i), type##_last(b, dim - i));                              \
  }

#define EXACT_SUMS(type, size)                                                                                         \
  EXACT_LAST(type, size)                                                                                               \
  CODE void exact_avx2_##type(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]) {                       \
    const __m256d zero = _mm256_setzero_pd();                                                                          \
    Lanes s[3] = {{zero, zero}, {zero, zero}, {zero, zero}};                                                           \
    u32 i = 0;                                                                                                         \
    if (metric == METRIC_L2) EXACT_METRIC(type, size, METRIC_L2)                                                       \
    if (metric == METRIC_L1) EXACT_METRIC(type, size, METRIC_L1)                                                       \
    if (metric == METRIC_DOT) EXACT_METRIC(type, size, METRIC_DOT)                                                     \
    if (metric == METRIC_COSINE) EXACT_METRIC(type, size, METRIC_COSINE)                                               \
    for (i = 0; i < 3; i++) out[i] = lanes_sum(s[i]);                                                                  \
  }

EXACT_SUMS(f32, 4)
EXACT_SUMS(f16, 2)
EXACT_SUMS(bf16, 2)

/* ---- int8: sixteen shorts, summed in pairs to eight ints -------------------------------------------------------- */

CODE ALWAYS_INLINE __m256i i8_load(const u8 *p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

CODE ALWAYS_INLINE __m256i i8_tail(const u8 *v, u32 dim, u32 n) {
  static const u8 keep[32] = {0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
                              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  u8 buffer[16] = {0};
  if (dim < 16) {
    memcpy(buffer, v, n);
    return i8_load(buffer);
  }
  return _mm256_cvtepi8_epi16(_mm_and_si128(_mm_loadu_si128((const __m128i *)(const void *)(v + (dim - 16))),
                                            _mm_loadu_si128((const __m128i *)(const void *)(keep + n))));
}

CODE ALWAYS_INLINE __m256i i8_zero(void) { return _mm256_setzero_si256(); }

CODE ALWAYS_INLINE __m256i i8_products(__m256i s, __m256i a, __m256i b) {
  return _mm256_add_epi32(s, _mm256_madd_epi16(a, b));
}

CODE ALWAYS_INLINE __m256i i8_squares(__m256i s, __m256i a, __m256i b) {
  __m256i d = _mm256_sub_epi16(a, b);
  return i8_products(s, d, d);
}

CODE ALWAYS_INLINE __m256i i8_absolutes(__m256i s, __m256i a, __m256i b) {
  return i8_products(s, _mm256_abs_epi16(_mm256_sub_epi16(a, b)), _mm256_set1_epi16(1));
}

CODE ALWAYS_INLINE void i8_reduce(const __m256i *s, float *out) {
  __m256i low = _mm256_hadd_epi32(s[0], s[1]), high = _mm256_hadd_epi32(s[2], s[3]), all = _mm256_hadd_epi32(low, high);
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  _mm_storeu_ps(out, _mm_cvtepi32_ps(sum));
}

#define SCAN_TYPE i8
#define SCAN_ELEM_SIZE 1
#define SCAN_LANES 16
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC __m256i
#define SCAN_SUM __m256i
#include "distance_scan.h"

/* ---- bits: popcount by table look-up of half bytes (Mula, Kurz and Lemire 2018) ---------------------------------- */

CODE ALWAYS_INLINE __m256i bits_load(const u8 *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

CODE ALWAYS_INLINE __m256i bits_zero(void) { return _mm256_setzero_si256(); }

CODE ALWAYS_INLINE __m256i bits_add(__m256i c, __m256i v) {
  const __m256i table =
      _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(15);
  __m256i counts = _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),
                                   _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
  return _mm256_add_epi64(c, _mm256_sad_epu8(counts, _mm256_setzero_si256()));
}

CODE ALWAYS_INLINE __m256i bits_xor(__m256i c, const u8 *a, const u8 *b) {
  return bits_add(c, _mm256_xor_si256(bits_load(a), bits_load(b)));
}

CODE ALWAYS_INLINE __m256i bits_and(__m256i c, const u8 *a, const u8 *b) {
  return bits_add(c, _mm256_and_si256(bits_load(a), bits_load(b)));
}

CODE ALWAYS_INLINE __m256i bits_or(__m256i c, const u8 *a, const u8 *b) {
  return bits_add(c, _mm256_or_si256(bits_load(a), bits_load(b)));
}

CODE ALWAYS_INLINE u32 bits_sum(__m256i c) {
  __m128i pair = _mm_add_epi64(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
  return (u32)_mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_unpackhi_epi64(pair, pair)));
}

CODE ALWAYS_INLINE u32 bits_word(u64 w) { return (u32)__builtin_popcountll(w); }

#define BITS_VEC_SIZE 32
#define BITS_COUNTS __m256i
#include "distance_bits.h"

const Kernels kernels_avx2 = {"avx2", CPU_AVX2, EXACT_AVX2, KERNEL_TABLE};

#endif
