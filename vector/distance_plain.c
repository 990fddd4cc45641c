/*
 * distance_plain.c: scan kernels in C alone, for every processor and compiler. See distance_int.h for how a level is made.
 *
 * Vectors are eight lanes in a struct. The loops over lanes have a fixed length, so that compilers turn them into whatever
 * vector instructions their baseline has.
 */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#pragma GCC optimize("O3")
#endif

#include "distance_int.h"

#define CODE

typedef struct Floats {
  float lane[SUM_LANES];
} Floats;

typedef struct Ints {
  i32 lane[SUM_LANES];
} Ints;

#define EACH_LANE(j) for (j = 0; j < SUM_LANES; j++)

/* ---- float32, float16, bfloat16 ----------------------------------------------------------------------------------- */

#define PLAIN_LOADS(type, size, vec, at)                                                                               \
  ALWAYS_INLINE vec type##_load(const u8 *p) {                                                                         \
    vec v;                                                                                                             \
    u32 j;                                                                                                             \
    EACH_LANE(j) v.lane[j] = at(p, j);                                                                                 \
    return v;                                                                                                          \
  }                                                                                                                    \
  ALWAYS_INLINE vec type##_tail(const u8 *v, u32 dim, u32 n) {                                                         \
    u8 buffer[SUM_LANES * (size)] = {0};                                                                               \
    memcpy(buffer, v + (size_t)(dim - n) * (size), (size_t)n * (size));                                                \
    return type##_load(buffer);                                                                                        \
  }

/* Sums of one type of vector; `absolute` is its |x|. */
#define PLAIN_SUMS(type, vec, absolute)                                                                                \
  ALWAYS_INLINE vec type##_zero(void) {                                                                                \
    vec s;                                                                                                             \
    u32 j;                                                                                                             \
    EACH_LANE(j) s.lane[j] = 0;                                                                                        \
    return s;                                                                                                          \
  }                                                                                                                    \
  ALWAYS_INLINE vec type##_products(vec s, vec a, vec b) {                                                             \
    u32 j;                                                                                                             \
    EACH_LANE(j) s.lane[j] += a.lane[j] * b.lane[j];                                                                   \
    return s;                                                                                                          \
  }                                                                                                                    \
  ALWAYS_INLINE vec type##_squares(vec s, vec a, vec b) {                                                              \
    u32 j;                                                                                                             \
    EACH_LANE(j) a.lane[j] -= b.lane[j];                                                                               \
    return type##_products(s, a, a);                                                                                   \
  }                                                                                                                    \
  ALWAYS_INLINE vec type##_absolutes(vec s, vec a, vec b) {                                                            \
    u32 j;                                                                                                             \
    EACH_LANE(j) s.lane[j] += absolute(a.lane[j] - b.lane[j]);                                                         \
    return s;                                                                                                          \
  }                                                                                                                    \
  ALWAYS_INLINE void type##_reduce(const vec *s, float *out) {                                                         \
    u32 r;                                                                                                             \
    for (r = 0; r < SCAN_ROWS; r++, s++) {                                                                             \
      out[r] = (float)(((s->lane[0] + s->lane[1]) + (s->lane[2] + s->lane[3])) +                                       \
                       ((s->lane[4] + s->lane[5]) + (s->lane[6] + s->lane[7])));                                       \
    }                                                                                                                  \
  }

ALWAYS_INLINE i32 i8_at(const u8 *p, size_t i) { return (i8)p[i]; }

ALWAYS_INLINE i32 whole_absolute(i32 v) { return v < 0 ? -v : v; }

PLAIN_LOADS(f32, 4, Floats, f32_at)
PLAIN_SUMS(f32, Floats, fabsf)
#define SCAN_TYPE f32
#define SCAN_ELEM_SIZE 4
#define SCAN_LANES SUM_LANES
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC Floats
#define SCAN_SUM Floats
#include "distance_scan.h"

PLAIN_LOADS(f16, 2, Floats, f16_at)
PLAIN_SUMS(f16, Floats, fabsf)
#define SCAN_TYPE f16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES SUM_LANES
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC Floats
#define SCAN_SUM Floats
#include "distance_scan.h"

PLAIN_LOADS(bf16, 2, Floats, bf16_at)
PLAIN_SUMS(bf16, Floats, fabsf)
#define SCAN_TYPE bf16
#define SCAN_ELEM_SIZE 2
#define SCAN_LANES SUM_LANES
#define SCAN_NO_UNDERFLOW 0
#define SCAN_VEC Floats
#define SCAN_SUM Floats
#include "distance_scan.h"

/* ---- int8 ----------------------------------------------------------------------------------------------------------- */

PLAIN_LOADS(i8, 1, Ints, i8_at)
PLAIN_SUMS(i8, Ints, whole_absolute)
#define SCAN_TYPE i8
#define SCAN_ELEM_SIZE 1
#define SCAN_LANES SUM_LANES
#define SCAN_NO_UNDERFLOW 1
#define SCAN_VEC Ints
#define SCAN_SUM Ints
#include "distance_scan.h"

/* ---- bits ----------------------------------------------------------------------------------------------------------- */

ALWAYS_INLINE u32 bits_word(u64 w) { return count_bits(w); }

#define BITS_VEC_SIZE 0
#include "distance_bits.h"

const Kernels kernels_plain = {"plain", 0, {NULL}, KERNEL_TABLE};
