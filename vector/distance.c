/*
 * distance.c: metrics, exact distances, error bounds of scans, and the choice of scan kernels. See distance.h.
 *
 * Exact distances. Eight partial sums in double; element i goes to sum i%8; the sums are then added in pairs. Every operation
 * is an IEEE one in this order, so that all processors give the same bits: a compiler may turn eight lanes into vector
 * instructions, but not a product and a sum into one, which exact_float.h forbids (clang obeys them unless told
 * -ffp-contract=fast). Whole-number types are summed as integers.
 *
 *   E1  l2 in float32 takes differences in double: one rounding each. Nothing overflows or vanishes: squares of float32
 *       values are between 2^-298 and 2^258.
 *   E2  The distance of a vector from itself is 0 for every metric but dot: for cosine because sqrt(x*x) is x.
 *   E3  The result is rounded to float if it is finite and normal there, and never to -0.
 *
 * Error of scans. Let u = 2^-24, S the true sum, n = dim. By K1 (distance_int.h) a term passes at most D = n/8 + SUM_EXTRA
 * additions, each of which multiplies it by 1 + d with |d| <= u. Sums of floats lose nothing to underflow; products lose
 * at most 2^-150 each. Let g = 1.01 * (D + 4) * u, which is above (1+u)^(D+4) - 1 for n <= 8192 (there D*u < 2^-13).
 *
 *   l2      A term is (x-y)^2 (1+d)^2, times (1+d) where there is no fused multiply-add: |error| <= g*S + n*2^-149.
 *   l1      A term is |x-y| (1+d): |error| <= g*S.
 *   dot     A term is xy(1+d): |error| <= g * sum |xy| + n*2^-149, and by Cauchy and Schwarz sum |xy| <= |x||y|.
 *   cosine  The quotient c = S/(|x||y|) has the error of the dot product, g as a part of |x||y|; each squared norm is off by g
 *           relatively, so the root of their product by g; division and root are done in double. With the terms lost to
 *           underflow (below 2^-36 of sums that K3 trusts) and the rounding of 1 - c <= 2 to float:
 *           |error| <= 2g + 2u + 2^-34.
 *   int8    Sums are exact below 2^31 (8192 * 255^2 < 2^30) and rounded once to float: nothing up to 2^24, else u of the
 *           value. Cosine: dot product and two norms rounded once each, and the result: below 4u.
 *   bits    Counts are exact; jaccard is rounded once: u.
 */
#include "distance_int.h"

#define EXACT_FLOAT_O3
#include "exact_float.h"
#include "sparse.h"

#include <float.h>
#include <stdlib.h>

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static const char *const names[METRIC_LAST + 1] = {
    [METRIC_L2] = "l2", [METRIC_COSINE] = "cosine",   [METRIC_DOT] = "dot",
    [METRIC_L1] = "l1", [METRIC_HAMMING] = "hamming", [METRIC_JACCARD] = "jaccard",
};

const char *metric_name(Metric metric) {
  return (u32)metric >= 1 && (u32)metric <= METRIC_LAST ? names[metric] : "unknown";
}

static int same_name(const char *name, size_t size, const char *wanted) {
  size_t i;
  if (strlen(wanted) != size) return 0;
  for (i = 0; i < size; i++) {
    char c = name[i];
    if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
    if (c != wanted[i]) return 0;
  }
  return 1;
}

Metric metric_parse(const char *name, size_t size) {
  u32 metric;
  for (metric = 1; metric <= METRIC_LAST; metric++) {
    if (same_name(name, size, names[metric])) return (Metric)metric;
  }
  return (Metric)0;
}

int metric_fits(Metric metric, Elem elem) {
  int of_bits = metric == METRIC_HAMMING || metric == METRIC_JACCARD;
  if (elem == ELEM_SPARSE) return sparse_metric_fits(metric);
  if ((u32)metric < 1 || (u32)metric > METRIC_LAST || (u32)elem < 1 || (u32)elem > ELEM_LAST) return 0;
  return of_bits == (elem == ELEM_BIT);
}

/* ---- exact distances --------------------------------------------------------------------------------------------------- */

static double pairwise(const double *lane) {
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/* Eight elements from i on as doubles; those beyond dim are 0. */
typedef void (*Loader)(const u8 *v, u32 i, u32 dim, double *out);

#define LOADER(name, at)                                                                                               \
  ALWAYS_INLINE void name(const u8 *v, u32 i, u32 dim, double *out) {                                                  \
    u32 j;                                                                                                             \
    if (dim - i >= SUM_LANES) {                                                                                        \
      for (j = 0; j < SUM_LANES; j++) out[j] = (double)at(v, (size_t)i + j);                                           \
    } else {                                                                                                           \
      for (j = 0; j < SUM_LANES; j++) out[j] = j < dim - i ? (double)at(v, (size_t)i + j) : 0;                         \
    }                                                                                                                  \
  }

LOADER(load_f32, f32_at)
LOADER(load_f16, f16_at)
LOADER(load_bf16, bf16_at)

/* Sums as ExactSums describes them; STEP adds lane j of x and y. */
#define EACH_EIGHT(STEP)                                                                                               \
  for (i = 0; i < dim; i += SUM_LANES) {                                                                               \
    load(a, i, dim, x);                                                                                                \
    load(b, i, dim, y);                                                                                                \
    for (j = 0; j < SUM_LANES; j++) STEP                                                                               \
  }

ALWAYS_INLINE void plain_sums(Loader load, Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]) {
  double sum[SUM_LANES] = {0}, a2[SUM_LANES] = {0}, b2[SUM_LANES] = {0}, x[SUM_LANES], y[SUM_LANES];
  u32 i, j;
  switch (metric) {
    case METRIC_L2:
      EACH_EIGHT({
        double d = x[j] - y[j];
        sum[j] += d * d;
      })
      break;
    case METRIC_L1: EACH_EIGHT({ sum[j] += fabs(x[j] - y[j]); }) break;
    case METRIC_DOT: EACH_EIGHT({ sum[j] += x[j] * y[j]; }) break;
    case METRIC_COSINE:
      EACH_EIGHT({
        sum[j] += x[j] * y[j];
        a2[j] += x[j] * x[j];
        b2[j] += y[j] * y[j];
      })
      break;
    case METRIC_HAMMING:
    case METRIC_JACCARD: break;
  }
  out[0] = pairwise(sum);
  out[1] = pairwise(a2);
  out[2] = pairwise(b2);
}

static void plain_f32(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]) {
  plain_sums(load_f32, metric, a, b, dim, out);
}

static void plain_f16(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]) {
  plain_sums(load_f16, metric, a, b, dim, out);
}

static void plain_bf16(Metric metric, const u8 *a, const u8 *b, u32 dim, double out[3]) {
  plain_sums(load_bf16, metric, a, b, dim, out);
}

static const ExactSums plain[ELEM_BF16 + 1] = {
    [ELEM_F32] = plain_f32, [ELEM_F16] = plain_f16, [ELEM_BF16] = plain_bf16};

double distance_cosine(double dot, double a2, double b2) {
  double norm2 = a2 * b2, distance;
  if (norm2 == 0) return 1;
  distance = 1 - dot / sqrt(norm2);
  return distance < 0 ? 0 : distance > 2 ? 2 : distance;
}

static const Kernels *kernels(void);

static double float_distance(Metric metric, Elem elem, const u8 *a, const u8 *b, u32 dim) {
  ExactSums sums = kernels()->exact[elem] ? kernels()->exact[elem] : plain[elem];
  double sum[3];
  sums(metric, a, b, dim, sum);
  if (metric == METRIC_L2) return sqrt(sum[0]);
  if (metric == METRIC_L1) return sum[0];
  if (metric == METRIC_DOT) return 0 - sum[0];
  return distance_cosine(sum[0], sum[1], sum[2]);
}

static double i8_distance(Metric metric, const u8 *a, const u8 *b, u32 dim) {
  i64 dot = 0, a2 = 0, b2 = 0, l1 = 0, l2 = 0;
  u32 start, i;
  /* In blocks, whose sums fit 32 bits and vectorize better. */
  for (start = 0; start < dim; start += 4096) {
    u32 end = MIN(dim - start, 4096u) + start;
    i32 dot32 = 0, a32 = 0, b32 = 0, l1_32 = 0, l2_32 = 0;
    if (metric == METRIC_L2) {
      for (i = start; i < end; i++) {
        i32 d = (i8)a[i] - (i8)b[i];
        l2_32 += d * d;
      }
    } else if (metric == METRIC_L1) {
      for (i = start; i < end; i++) {
        /* Shifted to 0..255: GCC 12 for AArch64 takes unsigned instructions for signed bytes here, wrongly. */
        i32 d = (a[i] ^ 0x80) - (b[i] ^ 0x80);
        l1_32 += d < 0 ? -d : d;
      }
    } else if (metric == METRIC_DOT) {
      for (i = start; i < end; i++) dot32 += (i8)a[i] * (i8)b[i];
    } else {
      for (i = start; i < end; i++) {
        dot32 += (i8)a[i] * (i8)b[i];
        a32 += (i8)a[i] * (i8)a[i];
        b32 += (i8)b[i] * (i8)b[i];
      }
    }
    dot += dot32;
    a2 += a32;
    b2 += b32;
    l1 += l1_32;
    l2 += l2_32;
  }
  if (metric == METRIC_L2) return sqrt((double)l2);
  if (metric == METRIC_L1) return (double)l1;
  if (metric == METRIC_DOT) return (double)-dot;
  return distance_cosine((double)dot, (double)a2, (double)b2);
}

static double bit_distance(Metric metric, const u8 *a, const u8 *b, u32 dim) {
  u32 differ = 0, both = 0, any = 0, i, size = dim / 8 + (dim % 8 != 0);
  for (i = 0; i < size; i += 8) {
    u64 x = 0, y = 0;
    u32 left = dim - 8 * i;
    if (left >= 64) {
      x = load64(a + i);
      y = load64(b + i);
    } else {
      u32 k;
      for (k = size - i; k-- > 0;) {
        x = x << 8 | a[i + k];
        y = y << 8 | b[i + k];
      }
      x &= ((u64)1 << left) - 1;
      y &= ((u64)1 << left) - 1;
    }
    differ += count_bits(x ^ y);
    both += count_bits(x & y);
    any += count_bits(x | y);
  }
  if (metric == METRIC_HAMMING) return (double)differ;
  return any ? 1 - (double)both / (double)any : 0;
}

double distance_rounded(double d) {
  double magnitude = fabs(d);
  if (magnitude <= FLT_MAX && magnitude >= FLT_MIN) return (double)(float)d;
  return d;
}

double distance_exact(Metric metric, Elem elem, const void *a, const void *b, u32 dim) {
  double d = 0;
  if (!metric_fits(metric, elem)) return NAN;
  switch (elem) {
    case ELEM_F32:
    case ELEM_F16:
    case ELEM_BF16: d = float_distance(metric, elem, a, b, dim); break;
    case ELEM_I8: d = i8_distance(metric, a, b, dim); break;
    case ELEM_BIT: d = bit_distance(metric, a, b, dim); break;
    case ELEM_SPARSE: {
      Sparse x = sparse_view(a), y = sparse_view(b);
      return sparse_distance(metric, &x, &y);
    }
    case ELEM_RECORD: return NAN;
  }
  return distance_rounded(d);
}

/* ---- error bounds ------------------------------------------------------------------------------------------------------ */

static double float_error(Metric metric, u32 dim, double value, double norm2) {
  const double u = 0x1p-24;
  double g = 1.01 * (dim / SUM_LANES + SUM_EXTRA + 4) * u;
  double lost = dim * 0x1p-149;
  if (isnan(norm2)) norm2 = HUGE_VAL; /* nothing times infinity */
  switch (metric) {
    case METRIC_L2: return g * fabs(value) + lost;
    case METRIC_L1: return g * fabs(value);
    case METRIC_DOT: return g * sqrt(norm2) * (1 + 0x1p-20) + lost; /* norm2 may come from rounded factors */
    case METRIC_COSINE: return 2 * g + 2 * u + 0x1p-34;
    case METRIC_HAMMING:
    case METRIC_JACCARD: break;
  }
  return 0;
}

static double i8_error(Metric metric, u32 dim, double value) {
  const double u = 0x1p-24, whole = 0x1p24;
  double largest = (double)dim * (metric == METRIC_L2 ? 255 * 255 : 128 * 128);
  if (metric == METRIC_COSINE) return 4 * u;
  if (metric == METRIC_L2) largest = MIN(largest, value);
  return metric == METRIC_L1 || largest <= whole ? 0 : u * largest;
}

double distance_error(Metric metric, Elem elem, u32 dim, double value, double norm2) {
  if (elem == ELEM_BIT) return metric == METRIC_JACCARD ? 0x1p-24 : 0;
  if (elem == ELEM_I8) return i8_error(metric, dim, value);
  return float_error(metric, dim, value, norm2);
}

/* ---- the choice of kernels ----------------------------------------------------------------------------------------------- */

static const Kernels *const levels[] = {
#if defined(HAVE_AVX512)
    &kernels_avx512,
#endif
#if defined(HAVE_AVX2)
    &kernels_avx2,
#endif
#if defined(HAVE_NEON)
    &kernels_neon,
#endif
    &kernels_plain,
};

#define LEVELS (sizeof levels / sizeof *levels)

/* NULL until first asked for. */
static const Kernels *active;

/* The best level that runs here and, if `name` is given, has that name; or NULL. */
static const Kernels *find_level(const char *name) {
  u32 features = cpu_features();
  size_t i;
  for (i = 0; i < LEVELS; i++) {
    if ((levels[i]->features & ~features) != 0) continue;
    if (name == NULL || strcmp(name, levels[i]->name) == 0) return levels[i];
  }
  return NULL;
}

static const Kernels *kernels(void) {
  const Kernels *k = RELAXED_LOAD(&active);
  if (UNLIKELY(k == NULL)) {
    const char *wanted = getenv("QUIRE_SIMD");
    if (wanted) k = find_level(wanted);
    if (k == NULL) k = find_level(NULL);
    RELAXED_STORE(&active, k);
  }
  return k;
}

DistanceScan distance_scan(Metric metric, Elem elem) {
  return elem != ELEM_SPARSE && metric_fits(metric, elem) ? kernels()->scan[metric][elem] : NULL;
}

const char *simd_level(void) { return kernels()->name; }

int simd_force(const char *level) {
  const Kernels *k = find_level(level);
  if (k == NULL) return 0;
  RELAXED_STORE(&active, k);
  return 1;
}
