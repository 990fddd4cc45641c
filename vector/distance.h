/*
 * distance.h: metrics, and the kernels that compute them.
 *
 * Two kinds of kernel, one fact each:
 *
 *   exact  one distance, summed in double precision in one fixed order (8 lanes, then pairwise), so that every CPU
 *          gives the same bits. All distances that a user sees come from here.
 *   scan   many rows at memory speed, in float32, with whatever instructions the CPU has. Used only to find candidates;
 *          its error is bounded by distance_error(), so that a caller can prove its candidates complete.
 *
 * Units: l2 is the square root of the sum of squares in exact_distance(), and squared in scans; cosine is 1 - cos (1 if
 * either vector is all zero: sqlite-vec gives NaN there, which cannot be ordered); dot is the negative inner product; hamming counts
 * differing bits; jaccard is 1 - |and|/|or| (0 if both are empty); l1 the sum of absolute differences.
 * The numbers of the enums are stored in databases: never renumber.
 */
#ifndef QUIRE_DISTANCE_H
#define QUIRE_DISTANCE_H

#include "elem.h"

typedef enum {
  METRIC_L2 = 1,
  METRIC_COSINE = 2,
  METRIC_DOT = 3,
  METRIC_L1 = 4,
  METRIC_HAMMING = 5,
  METRIC_JACCARD = 6
} Metric;
#define METRIC_LAST METRIC_JACCARD

/* "l2", "cosine", "dot", "l1", "hamming", "jaccard" */
const char *metric_name(Metric metric);
/* 0 if the name (size bytes, any case) is none of them. */
Metric metric_parse(const char *name, size_t size);
/* Whether the metric is defined on the type: hamming and jaccard on bits alone, the others on all but bits. */
int metric_fits(Metric metric, Elem elem);

/*
 * The distance of two vectors of `dim` elements, as the user sees it (l2: not squared), rounded to float where a float can hold it.
 * Any alignment. Bits: dim need not be divisible by 8; bits beyond dim in the last byte are ignored.
 */
double distance_exact(Metric metric, Elem elem, const void *a, const void *b, u32 dim);
/* Its last steps, for vectors of other kinds: 1 - cos, within [0, 2], of the inner product and the squared norms; the rounding. */
double distance_cosine(double dot, double a2, double b2);
double distance_rounded(double d);

/*
 * Distances of `count` rows, `stride` bytes apart, to the query: out[i] is order-preserving (l2: squared; others as the user
 * sees them).
 *
 *   norm2_max  for dot on f32, f16, bf16 and int8: raised to an upper bound of the largest squared norm among the rows (within
 *              2^-11 of it); else untouched. Not NULL for dot.
 *
 * out[i] may be infinite or NaN when float32 overflows, and is NaN for cosine on f32 and bf16 where a squared norm is below
 * 2^-100 (so for a zero vector); the caller then asks distance_exact. Reads nothing beyond
 * elem_size(elem, dim) bytes of each row. Any alignment of query and rows.
 */
typedef void (*DistanceScan)(const void *query, const void *rows, size_t stride, u32 count, u32 dim, float *out,
                             float *norm2_max);

/* The fastest scan kernel for this CPU (or for the level forced by simd_force). Never NULL if metric_fits and the type is a dense one. */
DistanceScan distance_scan(Metric metric, Elem elem);

/*
 * A bound e (see distance.c for its proof) such that |scan value - true value| <= e for every row whose scan value is finite and whose true (order-preserving)
 * value is at most `value`; 0 for metrics exact in scans (hamming, integer l2 that cannot overflow 2^24, ...).
 *   norm2  upper bound of squared norm of query times squared norm of any row (dot only); NaN counts as infinite
 */
double distance_error(Metric metric, Elem elem, u32 dim, double value, double norm2);

/* SIMD level in use: "avx512", "avx2", "neon", "plain". */
const char *simd_level(void);
/* Force a level by name, as QUIRE_SIMD= does at load; 0 if this CPU or build lacks it (nothing changes then). */
int simd_force(const char *level);

#endif
