/*
 * distance_int.h: what the kernel files share: the table each of them fills, and how sums become distances.
 *
 * How one level is made: distance_<level>.c defines a vector type and a dozen inline functions on it for each element type,
 * then includes distance_scan.h once per element type and distance_bits.h once. The loops over rows, the tails and the
 * rounding rules exist only there.
 *
 *   K1  A kernel keeps at least SUM_LANES partial sums of equal length, so that no term passes more than
 *       dim/SUM_LANES + SUM_EXTRA additions. distance_error() rests on this.
 *   K2  A kernel reads no byte beyond elem_size(elem, dim) of query or row; it may prefetch them.
 *   K3  A scan value that is finite is within distance_error(): where sums of squares overflow, or are so small that their
 *       terms may have vanished, the value is NaN.
 */
#ifndef QUIRE_DISTANCE_INT_H
#define QUIRE_DISTANCE_INT_H

#include "../wal_shim/cpu.h"
#include "distance.h"
#include "elem_int.h"
#include "portable.h"

#include <math.h>

/*
 * Sums of an exact distance, in the order that distance.c prescribes; the same bits from every level.
 *   l2: squared differences to out[0]; l1: absolute differences to out[0]; dot: products to out[0];
 *   cosine: products, squares of a and squares of b to out[0..2]
 */
typedef void (*ExactSums)(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]);

typedef struct Kernels {
  const char *name;
  u32 features;                   /* all needed of cpu_features() */
  ExactSums exact[ELEM_BF16 + 1]; /* NULL: distance.c does it */
  DistanceScan scan[METRIC_LAST + 1][ELEM_LAST + 1];
} Kernels;

/* The member `scan` of a level whose file has included both templates for every type. */
#define KERNEL_TABLE                                                                                                   \
  {                                                                                                                    \
    [METRIC_L2] =                                                                                                      \
        {[ELEM_F32] = scan_l2_f32, [ELEM_F16] = scan_l2_f16, [ELEM_BF16] = scan_l2_bf16, [ELEM_I8] = scan_l2_i8},      \
    [METRIC_L1] =                                                                                                      \
        {[ELEM_F32] = scan_l1_f32, [ELEM_F16] = scan_l1_f16, [ELEM_BF16] = scan_l1_bf16, [ELEM_I8] = scan_l1_i8},      \
    [METRIC_DOT] =                                                                                                     \
        {[ELEM_F32] = scan_dot_f32, [ELEM_F16] = scan_dot_f16, [ELEM_BF16] = scan_dot_bf16, [ELEM_I8] = scan_dot_i8},  \
    [METRIC_COSINE] = {[ELEM_F32] = scan_cosine_f32,                                                                   \
                       [ELEM_F16] = scan_cosine_f16,                                                                   \
                       [ELEM_BF16] = scan_cosine_bf16,                                                                 \
                       [ELEM_I8] = scan_cosine_i8},                                                                    \
    [METRIC_HAMMING] = {[ELEM_BIT] = scan_hamming_bit}, [METRIC_JACCARD] = {[ELEM_BIT] = scan_jaccard_bit},            \
  }

/* Best first: avx512, avx2, neon, plain. A level that this build lacks is not there. */
extern const Kernels kernels_plain;
#if defined(HAVE_AVX2)
extern const Kernels kernels_avx2, kernels_avx512;
void exact_avx2_f32(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]);
void exact_avx2_f16(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]);
void exact_avx2_bf16(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]);
#define EXACT_AVX2                                                                                                     \
  { [ELEM_F32] = exact_avx2_f32, [ELEM_F16] = exact_avx2_f16, [ELEM_BF16] = exact_avx2_bf16 }
#endif
#if defined(HAVE_NEON)
extern const Kernels kernels_neon;
#endif

#define SUM_LANES 8
#define SUM_EXTRA 12 /* the tail, the reduction of 16 lanes, the last steps */

#define SCAN_ROWS 4 /* rows that a kernel takes at once */

/*
 * The body of a function of `rows`, pointers, `count` of them, and `out`, a value of `type` for each: four(..., row, out) gives those of SCAN_ROWS rows. The last
 * ones are padded by repeating the first of them.
 */
#define ROWS_BY_FOUR(type, four, ...)                                                                                  \
  const u8 *row[SCAN_ROWS];                                                                                            \
  type last[SCAN_ROWS];                                                                                                \
  for (; count >= SCAN_ROWS; count -= SCAN_ROWS, rows += SCAN_ROWS, out += SCAN_ROWS) four(__VA_ARGS__, rows, out);    \
  if (count == 0) return;                                                                                              \
  row[0] = rows[0];                                                                                                    \
  row[1] = count > 1 ? rows[1] : rows[0];                                                                              \
  row[2] = count > 2 ? rows[2] : rows[0];                                                                              \
  row[3] = rows[0];                                                                                                    \
  four(__VA_ARGS__, row, last);                                                                                        \
  memcpy(out, last, count * sizeof *out)

/* Sums of squares below this may have lost terms to underflow: each of 8192 loses at most 2^-150 (K3). */
#define NORM2_TRUSTED 0x1p-100f

/*
 * 1 - cos from sums; NaN where sums of squares cannot be trusted. With `no_underflow` (squares of the smallest elements are
 * normal numbers) a sum is 0 only for the zero vector, whose cosine distance is 1.
 */
ALWAYS_INLINE float finish_cosine(float dot, float query2, float row2, int no_underflow) {
  const float largest = 0x1.fffffep127f;
  double norm2 = (double)query2 * (double)row2;
  if (no_underflow) {
    if (norm2 == 0) return 1;
  } else if (!(query2 >= NORM2_TRUSTED && row2 >= NORM2_TRUSTED && query2 <= largest && row2 <= largest)) {
    return NAN;
  }
  return (float)(1 - (double)dot / sqrt(norm2));
}

/*
 * Raise *max to an upper bound of a squared norm whose float sum is `row2`: 2^-12 covers the rounding of 8192 additions (K1),
 * 2^-136 the terms that vanished.
 */
ALWAYS_INLINE void raise_norm2(float row2, float *max) {
  float bound = row2 + row2 * 0x1p-12f + 0x1p-136f;
  if (bound > *max) *max = bound;
}

#endif
