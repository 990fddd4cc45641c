/*
 * codes.c: code rows: writing them, preparing a query, and the proof of the bounds. See codes.h for the format.
 *
 * Terms. u = 2^-24, n = dim, |.| the euclidean norm of vectors. A stored vector x is v + e, where v = s*c has the integer codes c
 * in -127..127. A query q is w + f, where w = t*k has integers k of 16 bits and sum |k| <= SUM_LIMIT. So the kernels compute
 * I = sum k*c in 32-bit integers: 127 * SUM_LIMIT < 2^31 bounds every partial sum, whatever the order. I is exact, and no
 * rounding below grows with the dimension. Let R >= |e| and F >= |f|.
 *
 *   C1  Vectors and queries whose largest |element| is 0 or below SMALLEST have codes (k) 0, and R (F) is a bound of their
 *       norm. Those with one above LARGEST, or not finite, have R (F) infinite: every bound is then -infinity or <= 0.
 *   C2  All others: s and t are normal numbers from 2^-55 to 2^50, squares of norms from 2^-81 to 2^113. So nothing overflows,
 *       and of the products below nothing vanishes save where a subtraction of FLT_MIN makes up for it.
 *   C3  A float result of one operation is off by at most u of itself; fused multiply-adds only leave roundings out.
 *
 * l2. |x-q| >= |v-w| - R - F by the triangle inequality, and |v-w|^2 = V + W - 2ts*I with V = |v|^2, W = |w|^2. Let C = V + W. The
 *   kernel has V, W and their sum each off by u: 2u*C; the product 2ts*I, of two multiplications and the rounded I, off by
 *   3.1u * 2|v||w| <= 3.1u*C; their difference, which is below 2C, off by 2u*C. It then takes away 32u*C, with another rounding: z
 *   is below |v-w|^2 by at least 20u*C. C >= |v-w|^2 / 2, so the root of z is below |v-w| by a part of 5u at least: more than its
 *   own rounding. The stored R and F are too large by 2^-20 of themselves, more than the rounding of their sum; a difference d
 *   rounds by u. So d <= max(0, |x-q|) (1+u), and d*d (1 - 8u) is below |x-q|^2 by a part of 4u, less 2^-149 where it vanishes:
 *   FLT_MIN is taken away. The 4u leave room for distance_exact(), rounded to float before it is squared.
 *
 * dot. q*x = w*v + f*v + q*e <= ts*I + F|v| + |q|R by Cauchy and Schwarz. ts*I as computed is off by 3.1u |w||v|, n = |v| as stored
 *   by u. F' = (1 + 16u)F + 32u|w|, Q = (1 + 16u)|q|, and the stored R is (1 + 16u) times the true one. So F'|v| + QR holds 28u |w||v|
 *   + 13u (F|v| + |q|R) in excess, beside its own roundings; the two subtractions need u each of |w||v| + F|v| + |q|R;
 *   the rest leaves room for distance_exact(). What vanishes in products is below the FLT_MIN that `base` takes away (where
 *   that is lost in rounding, the excess is larger).
 *
 * cosine. The same on q/|q| and x/|x|, and 1 less all of it. t/|q| and s/|x| are rounded: 2u more. |q| is known to 2^-40, but |x|
 *   to a part of g = gamma(n), because it is summed in float. Dividing by the computed N instead of |x| changes a quotient by
 *   1.1g (|w||v| + F|v| + |q|R) / (|q|N) <= 4g (|v| + R) / N, which is added to the stored radius: F <= |q| by C1 or, since
 *   |f| <= t/2 * sqrt(n) and some |k| is above 2000, by far. The last subtractions round values below 2: 4u, where the excess
 *   is above 25u, since |w| and |v| are 0 or above 0.9 of |q| and |x|; where one is 0, the product is exactly 0, and the
 *   excess is 13u of a slack that is 1 or the value exactly 1.
 *   A zero vector has slack FLT_MIN and no product: the bound is 1, as distance_exact() has it.
 *
 * l1. sum |q-x| >= sum |q-v| - R, R >= sum |e|. A term is off by u of itself and, where the product is rounded, u|v_i|; it passes
 *   D = n/8 + SUM_EXTRA additions. Times 1 - g, which is below 1/(1+u)^(D+4), the sum is below the true one by 3u of it,
 *   but for 1.1u sum |v|; 2u sum |v| are part of the stored R. The last subtraction rounds by u of a number that is smaller.
 *
 * Residuals are computed in float too, in CODES_PIECE sums. A computed e_i is off by u|v_i| + u|e_i|, a sum of squares by g, the terms
 * lost to underflow are 2^-137 in all: |e| <= (1+g) * root of sum + 2u|v| + 2^-68; sum |e| <= (1+g) * sum + 2u sum |v|.
 * Sums of c*c and |c| are integers below 2^24 in each part, so exact.
 *
 * The bytes are the same everywhere because every operation is an IEEE one in a fixed order; exact_float.h forbids to fuse them.
 */
#include "codes_int.h"

#define EXACT_FLOAT_O3
#include "exact_float.h"

#include <float.h>
#include <stdlib.h>

#define SMALLEST 0x1p-40f
#define LARGEST 0x1p50f
#define SUM_LIMIT 16900000 /* 127 times this is below 2^31 - 1 */
#define K_MAX 32767
#define C_MAX 127
#define MORE (1 + 0x1p-20) /* 1 + 16u */

/* Above (1+u)^(n/8 + SUM_EXTRA + 8) - 1 for n <= MAX_DIM. */
static double gamma_of(u32 dim) { return 1.01 * (dim / SUM_LANES + SUM_EXTRA + 8) * 0x1p-24; }

static u32 pieces_of(u32 dim) { return dim / CODES_PIECE + (dim % CODES_PIECE != 0); }

u32 codes_stride(Metric metric, Elem elem, u32 dim) {
  u64 stride = CODES_HEADER + (u64)pieces_of(dim) * CODES_PIECE;
  if (elem != ELEM_F32 && elem != ELEM_F16 && elem != ELEM_BF16) return 0;
  if (!metric_fits(metric, elem) || dim < 32 || dim > MAX_DIM) return 0;
  /* Worth it if well below the bytes of the vector. */
  return stride * 8 <= elem_size(elem, dim) * 5 ? (u32)stride : 0;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------- */

static const CodeKernels *kernels(void);

static double sum_lanes(const float *s) {
  double sum = 0;
  u32 i;
  for (i = 0; i < CODES_PIECE; i++) sum += (double)s[i];
  return sum;
}

static void store_float(u8 *p, double d) { store32(p, f32_bits((float)d)); }

static void store_header(u8 *row, double scale, double radius, double norm) {
  radius = radius * MORE + (double)FLT_MIN;
  store_float(row, scale);
  store_float(row + 4, radius);
  store_float(row + 8, norm);
  store_float(row + 12, 0);
}

/* C1: a vector without codes. */
static void encode_none(Metric metric, float max, u32 dim, u8 *row) {
  double radius = HUGE_VAL;
  memset(row, 0, CODES_HEADER + (size_t)pieces_of(dim) * CODES_PIECE);
  if (max < SMALLEST) radius = (double)max * (metric == METRIC_L1 ? (double)dim : sqrt(dim));
  if (max < SMALLEST && metric == METRIC_COSINE) radius = max > 0;
  store_header(row, 0, radius, 0);
}

void codes_encode(Metric metric, Elem elem, const void *vector, u32 dim, u8 *row) {
  const CodeKernels *k = kernels();
  float max = k->largest[elem](vector, dim), scale;
  double g = gamma_of(dim), residual, norm, whole = 1;
  CodeSums sums;
  if (UNLIKELY(!(max >= SMALLEST && max <= LARGEST))) {
    encode_none(metric, max, dim, row);
    return;
  }
  scale = max / C_MAX;
  k->round[elem](metric, vector, dim, C_MAX / max, scale, row + CODES_HEADER, &sums);
  residual = sum_lanes(sums.residual);
  norm = sum_lanes(sums.codes);
  if (metric == METRIC_L1) {
    norm *= (double)scale;
    residual = residual * (1 + g) + norm * 0x1p-22;
    norm = 0;
  } else {
    norm = (double)scale * sqrt(norm);
    residual = sqrt(residual) * (1 + g) + norm * 0x1p-23 + 0x1p-68;
  }
  if (metric == METRIC_COSINE) {
    whole = sqrt(sum_lanes(sums.norm));
    residual += 4 * g * (norm + residual);
  }
  if (UNLIKELY(!(residual <= (double)FLT_MAX))) { /* NaN among the elements */
    encode_none(metric, INFINITY, dim, row);
    return;
  }
  store_header(row, (double)scale / whole, residual / whole, metric == METRIC_L2 ? norm * norm : norm / whole);
}

void codes_add(const u8 *row, u32 dim, double *sum) {
  const i8 *code = (const i8 *)(row + CODES_HEADER);
  double scale = (double)f32_of_bits(load32(row));
  u32 i;
  for (i = 0; i < dim; i++) sum[i] += scale * code[i]; /* the product is exact */
}

/* ---- queries ------------------------------------------------------------------------------------------------------------- */

/* Of w and f, see above. */
typedef struct QuerySums {
  double norm, whole, residual; /* |q|, |w|, F */
} QuerySums;

/* Choose t and k. 0 if nothing can be told of the query. */
static int quantize(Elem elem, const void *query, u32 dim, i16 *k, float *t, QuerySums *out) {
  double max = 0, sum = 0, norm2 = 0, whole2 = 0, residual2 = 0;
  u32 i;
  for (i = 0; i < dim; i++) {
    double x = elem_get(elem, query, i);
    if (!isfinite(x)) return 0;
    max = MAX(max, fabs(x));
    sum += fabs(x);
    norm2 += x * x;
  }
  *t = 0;
  if (max > (double)LARGEST) return 0;
  if (max >= (double)SMALLEST) *t = (float)MAX(max / K_MAX, sum / (SUM_LIMIT - dim));
  for (i = 0; i < dim; i++) {
    double x = elem_get(elem, query, i), whole = 0;
    if (*t > 0) whole = floor(x / (double)*t + 0.5);
    whole = whole > K_MAX ? K_MAX : whole < -K_MAX ? -K_MAX : whole;
    k[i] = (i16)whole;
    x -= whole * (double)*t;
    whole2 += whole * whole;
    residual2 += x * x;
  }
  out->norm = sqrt(norm2);
  out->whole = sqrt(whole2) * (double)*t;
  out->residual = sqrt(residual2);
  return 1;
}

/* The numbers of CodeQuery for each metric. */
static void set_query(CodeQuery *q, Metric metric, u32 dim, float t, const QuerySums *s) {
  double slack = s->residual * MORE + s->whole * 0x1p-19;
  q->scale = t;
  q->radius = (float)(slack + (double)FLT_MIN);
  q->norm = (float)(s->norm * MORE);
  q->base = -FLT_MIN;
  if (metric == METRIC_L2) {
    q->scale = 2 * t;
    q->radius = (float)(s->residual * MORE + (double)FLT_MIN);
    q->norm = (float)(s->whole * s->whole);
  } else if (metric == METRIC_L1) {
    q->radius = 0;
    q->norm = (float)(1 - gamma_of(dim) - 0x1p-24);
  } else if (metric == METRIC_COSINE) {
    double norm = s->norm > 0 ? s->norm : 1;
    q->base = 1;
    q->scale = (float)((double)t / norm);
    q->radius = (float)(slack / norm);
    q->norm = s->norm > 0 ? (float)MORE : 0;
  }
}

int codes_query(Metric metric, Elem elem, const void *query, u32 dim, CodeQuery **out) {
  int rc = SQLITE_OK;
  u32 padded = (pieces_of(dim) + 1) / 2 * 2 * CODES_PIECE, i;
  CodeQuery *q = NULL;
  QuerySums sums;
  float t = 0;
  *out = NULL;
  q = mem_zeroed(&rc, 1, sizeof *q);
  if (rc) goto done;
  q->pieces = pieces_of(dim);
  q->whole = mem_aligned(&rc, padded * sizeof *q->whole);
  if (rc) goto done;
  memset(q->whole, 0, padded * sizeof *q->whole);
  if (metric == METRIC_L1) {
    q->exact = mem_aligned(&rc, padded * sizeof *q->exact);
    if (rc) goto done;
    memset(q->exact, 0, padded * sizeof *q->exact);
  }
  if (!quantize(elem, query, dim, q->whole, &t, &sums)) {
    q->radius = INFINITY;
    memset(q->whole, 0, padded * sizeof *q->whole);
  } else {
    set_query(q, metric, dim, t, &sums);
    for (i = 0; i < dim && metric == METRIC_L1; i++) q->exact[i] = (float)elem_get(elem, query, i);
  }
  *out = q;
  q = NULL;
done:
  codes_query_free(q);
  return rc;
}

void codes_query_free(CodeQuery *query) {
  if (query == NULL) return;
  mem_aligned_free(query->whole);
  mem_aligned_free(query->exact);
  mem_free(query);
}

/* ---- the choice of kernels ------------------------------------------------------------------------------------------------- */

static const CodeKernels *const levels[] = {
#if defined(HAVE_AVX512)
    &codes_avx512,
#endif
#if defined(HAVE_AVX2)
    &codes_avx2,
#endif
#if defined(HAVE_NEON)
    &codes_neon,
#endif
    &codes_plain,
};

/* Those of the level in use. */
static const CodeKernels *kernels(void) {
  const char *level = simd_level();
  size_t i = 0;
  while (i + 1 < sizeof levels / sizeof *levels && strcmp(levels[i]->level, level) != 0) i++;
  return levels[i];
}

static u32 bounds_of(Metric metric) {
  if (metric == METRIC_L2) return CODES_L2;
  return metric == METRIC_L1 ? CODES_L1 : CODES_DOT;
}

CodeScan codes_scan(Metric metric, Elem elem) {
  return codes_stride(metric, elem, MAX_DIM) ? kernels()->scan[bounds_of(metric)] : NULL;
}

CodeScanApart codes_scan_apart(Metric metric, Elem elem) {
  return codes_stride(metric, elem, MAX_DIM) ? kernels()->apart[bounds_of(metric)] : NULL;
}
