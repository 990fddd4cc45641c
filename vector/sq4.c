/*
 * sq4.c: 4-bit codes: what is learned and how it is stored, codes, queries. See sq4.h; the loops are in sq4_level.h.
 *
 * The bytes are the same everywhere because every operation is an IEEE one in a fixed order; exact_float.h forbids to fuse them.
 *
 * Ranges. A vector is centred in units of about a step: x*unit - mean*unit, with unit a power of two. By sq4_load and sq4_learn
 * |mean| <= 2^21 steps, so mean*unit is small; x*unit may overflow for a vector far outside the learned data, and is clamped to
 * 2^60. 1/(step*unit) is at most 2^23 (steps below 2^-127 have unit 2^127). A rotation keeps the norm, and its sums in
 * between grow by the root of 2^13 at most: everything stays below 2^60 * 2^23 * 2^6.5 * 2^6.5 = 2^96.
 *
 * The rotation follows "signs, then Walsh-Hadamard", three times where dim is a power of two, else on the first and last
 * power of two of dimensions in turn, four times (Ailon and Chazelle 2009; Andoni et al. 2015 for three rounds).
 */
#include "sq4_int.h"

#define EXACT_FLOAT_O3
#include "exact_float.h"

#include <float.h>
#include <stdlib.h>

#define CLIP 2.7  /* standard deviations on each side */
#define STEPS 15  /* between the 16 values */
#define TOP 15.0f /* the largest code */
#define SHARE_ONE 65536u
#define MOST_MEASURED 4096u
#define HEAD_PART 3 /* of the blocks one in three is the head */
#define FAR_OUT 25  /* times the median squared distance from the mean: rows beyond do not count for the range */

/* Learned steps are at least this part of the largest |element of the mean|: float32 has little below it. Loaded ones half. */
#define STEP_OF_MEAN 0x1p-20

u32 sq4_stride(Metric metric, Elem elem, u32 dim) {
  if (elem != ELEM_F32 && elem != ELEM_F16 && elem != ELEM_BF16) return 0;
  if (metric != METRIC_L2 && metric != METRIC_COSINE && metric != METRIC_DOT) return 0;
  return dim <= MAX_DIM ? (dim + 2 * SQ4_BLOCK - 1) / (2 * SQ4_BLOCK) * SQ4_BLOCK : 0;
}

/* ---- the choice of kernels ------------------------------------------------------------------------------------------------- */

static const Sq4Kernels *const levels[] = {
#if defined(HAVE_AVX512)
    &sq4_avx512,
#endif
#if defined(HAVE_AVX2)
    &sq4_avx2,
#endif
#if defined(HAVE_NEON)
    &sq4_neon,
#endif
    &sq4_plain,
};

/* Those of the level in use. */
static const Sq4Kernels *kernels(void) {
  const char *level = simd_level();
  size_t i = 0;
  while (i + 1 < sizeof levels / sizeof *levels && strcmp(levels[i]->level, level) != 0) i++;
  return levels[i];
}

Sq4Distances sq4_distances(void) { return kernels()->distances; }
Sq4Distances sq4_heads(void) { return kernels()->heads; }

/* ---- vectors --------------------------------------------------------------------------------------------------------------- */

/* The power of two that brings a positive finite number to 1..2, or as near as floats reach. */
static float power_to_one(float f) {
  u32 exponent = f32_bits(f) >> 23;
  return f32_of_bits((exponent < 254 ? 254 - exponent : 1) << 23);
}

/* Floats scaled by a power of two so that their squares can be summed: that power. 0 if they are all zero, or one is not finite. */
static float bring_to_one(const Sq4Kernels *k, float *x, u32 padded) {
  float max = k->largest(x, padded), power;
  if (!(max > 0 && max <= FLT_MAX)) return 0;
  power = power_to_one(max);
  k->scale(x, padded, power);
  return power;
}

/* The floats of a vector, for cosine divided by its norm. */
static void read_vector(const Sq4 *sq4, const Sq4Kernels *k, const void *vector, float *x) {
  k->widen[sq4->elem](vector, sq4->dim, x);
  if (sq4->metric == METRIC_COSINE && bring_to_one(k, x, sq4->padded) > 0) {
    k->scale(x, sq4->padded, (float)(1 / sqrt(k->squares(x, sq4->padded))));
  }
}

static void coordinates(const Sq4 *sq4, const Sq4Kernels *k, const void *vector, float *x) {
  read_vector(sq4, k, vector, x);
  k->centre(sq4, x);
  k->rotate(sq4, x);
}

void sq4_coordinates(const Sq4 *sq4, const void *vector, float *x) { coordinates(sq4, kernels(), vector, x); }

void sq4_point_coordinates(const Sq4 *sq4, const float *point, float *x) {
  const Sq4Kernels *k = kernels();
  k->widen[ELEM_F32]((const u8 *)point, sq4->dim, x);
  k->centre(sq4, x);
  k->rotate(sq4, x);
}

float sq4_direction(const Sq4 *sq4, const void *vector, float *x) {
  const Sq4Kernels *k = kernels();
  float power;
  k->widen[sq4->elem](vector, sq4->dim, x);
  power = bring_to_one(k, x, sq4->padded);
  k->rotate(sq4, x);
  return power > 0 ? 1 / power : 1;
}

/* Nibbles of a block from 128 codes plus one, 0 and 17 where they were clipped: how many were. */
static u32 pack(const u8 *whole, u8 *code) {
  u8 c[2 * SQ4_BLOCK], outside[2 * SQ4_BLOCK];
  u32 i, clipped = 0;
  for (i = 0; i < 2 * SQ4_BLOCK; i++) {
    u8 up = whole[i] > 1 ? whole[i] : 1;
    up = up < 16 ? up : 16;
    c[i] = (u8)(up - 1);
    outside[i] = up != whole[i];
  }
  for (i = 0; i < SQ4_BLOCK; i++) code[i] = (u8)(c[i] | c[i + SQ4_BLOCK] << 4);
  for (i = 0; i < 2 * SQ4_BLOCK; i++) clipped += outside[i];
  return clipped;
}

u32 sq4_encode(const Sq4 *sq4, const void *vector, u8 *code) {
  ALIGNED64 float x[MAX_DIM];
  u8 *whole = (u8 *)x; /* rounded where the floats were */
  const Sq4Kernels *k = kernels();
  u32 clipped = 0, b;
  coordinates(sq4, k, vector, x);
  k->round(x, sq4->padded, 1, TOP / 2 + 1, 0, TOP + 2, whole);
  memset(whole + sq4->dim, 1, sq4->blocks * 2 * SQ4_BLOCK - sq4->dim);
  for (b = 0; b < sq4->blocks; b++) clipped += pack(whole + b * 2 * SQ4_BLOCK, code + b * SQ4_BLOCK);
  return clipped;
}

/* ---- queries --------------------------------------------------------------------------------------------------------------- */

u32 sq4_query_size(const Sq4 *sq4) { return (u32)sizeof(Sq4Query) + sq4->blocks * 2 * SQ4_BLOCK; }

static u32 head_blocks(const Sq4 *sq4) {
  return sq4->metric == METRIC_DOT || sq4->blocks < HEAD_PART ? 0 : (sq4->blocks + HEAD_PART - 1) / HEAD_PART;
}

u32 sq4_head(const Sq4 *sq4) { return head_blocks(sq4) * SQ4_BLOCK; }

/* What is known of the head of a query whose `minus` is made. */
static void set_head(const Sq4 *sq4, Sq4Query *q) {
  u32 dims, i;
  double part;
  q->head = head_blocks(sq4);
  dims = q->head * 2 * SQ4_BLOCK;
  if (dims == 0) return;
  for (i = 0; i < sq4->dim; i++) {
    u32 c = (u32)((4 * STEPS - q->minus[i]) * (4 * STEPS - q->minus[i]));
    q->constant += c;
    if (i < dims) q->head_constant += c;
  }
  part = (double)dims / sq4->dim;
  q->deviation = (u32)(SHARE_ONE * part * sqrt(2 * (1 - part) / dims));
}

/* 16 times a squared distance; not negative, but of a damaged code. */
static u64 distance_of(u32 value, u64 constant) {
  i64 distance = 16 * ((i64)value - (i64)SQ4_ZERO) + (i64)constant;
  return distance > 0 ? (u64)distance : 0;
}

int sq4_measure_heads(Sq4Query *q, const u32 *values, const u32 *heads, u32 count) {
  u64 variance;
  u32 i;
  for (i = 0; i < count && q->measured < MOST_MEASURED; i++) {
    u64 whole = distance_of(values[i], q->constant), head = distance_of(heads[i], q->head_constant), share;
    if (whole == 0) continue;
    share = MIN(head * SHARE_ONE / whole, SHARE_ONE);
    q->sum += (u32)share;
    q->sum2 += share * share;
    q->measured++;
  }
  if (q->measured < SQ4_MEASURED) return 0;
  variance = (q->sum2 - (u64)q->sum * q->sum / q->measured) / q->measured;
  q->share = q->sum / q->measured + (u32)(SQ4_MARGIN * MAX(sqrt((double)variance), q->deviation));
  return 1;
}

u32 sq4_head_limit(const Sq4Query *query, u32 limit) {
  i64 head = (i64)(distance_of(limit, query->constant) * query->share / SHARE_ONE) - (i64)query->head_constant;
  return (u32)((i64)SQ4_ZERO + (head >= 0 ? head / 16 : -((15 - head) / 16)));
}

void sq4_query(const Sq4 *sq4, const void *vector, Sq4Query *out) {
  ALIGNED64 float x[MAX_DIM];
  const Sq4Kernels *k = kernels();
  u32 i;
  memset(out, 0, sizeof *out);
  out->blocks = sq4->blocks;
  if (sq4->metric == METRIC_DOT) {
    float max;
    sq4_direction(sq4, vector, x);
    memset(x + sq4->dim, 0, (sq4->padded - sq4->dim) * sizeof *x);
    max = k->largest(x, sq4->padded);
    k->round(x, sq4->padded, max > 0 ? -127 / max : 0, 0, -127, 127, (u8 *)out->minus);
  } else {
    for (i = 0; i < 16; i++) out->table[i] = (i8)(4 * (i32)i - 4 * STEPS);
    coordinates(sq4, k, vector, x);
    k->round(x, sq4->padded, -8, 0, -127, 127, (u8 *)out->minus);
  }
  memset(out->minus + sq4->dim, 0, sq4->blocks * 2 * SQ4_BLOCK - sq4->dim);
  set_head(sq4, out);
}

/* ---- what is learned ------------------------------------------------------------------------------------------------------- */

/* The sign of a dimension in a round of the rotation. Stored codes depend on it. */
static int negative(u32 round, u32 i) { return (int)(mix64(((u64)(round + 1) << 32 | (i + 1)) * MIX64_STEP) >> 63); }

/* All but mean, step and what follows from them. The mean is zero. */
static int new_sq4(Metric metric, Elem elem, u32 dim, Sq4 **out) {
  int rc = SQLITE_OK;
  u32 round, i;
  u64 floats;
  Sq4 *s = mem_zeroed(&rc, 1, sizeof *s);
  *out = NULL;
  if (rc) goto done;
  s->metric = metric;
  s->elem = elem;
  s->dim = dim;
  s->padded = SQ4_PADDED(dim);
  s->blocks = sq4_stride(metric, elem, dim) / SQ4_BLOCK;
  for (s->length = 1; s->length <= dim / 2;) s->length *= 2;
  s->rounds = dim < 2 ? 0 : s->length == dim ? 3 : 4;
  floats = 2 * (u64)s->padded + (u64)s->rounds * s->length;
  s->mean = mem_aligned(&rc, floats * sizeof(float));
  if (rc) goto done;
  memset(s->mean, 0, (size_t)floats * sizeof(float));
  s->centre = s->mean + s->padded;
  s->signs = s->centre + s->padded;
  for (round = 0; round < s->rounds; round++) {
    float one = (float)sqrt(1 / (double)s->length);
    for (i = 0; i < s->length; i++) s->signs[(size_t)round * s->length + i] = negative(round, i) ? -one : one;
  }
  *out = s;
  s = NULL;
done:
  sq4_free(s);
  return rc;
}

/* Once mean and step are known. */
static void set_units(Sq4 *s, float step) {
  u32 i;
  s->step = step;
  s->unit = power_to_one(step);
  s->inverse = (float)(1 / ((double)step * (double)s->unit));
  for (i = 0; i < s->dim; i++) s->centre[i] = s->mean[i] * s->unit;
}

static double largest_mean(const Sq4 *s) {
  double max = 0;
  u32 i;
  for (i = 0; i < s->dim; i++) max = MAX(max, fabs((double)s->mean[i]));
  return max;
}

/* Sums over the sample, by dimension. */
typedef struct Moments {
  double *sum;    /* of the elements */
  double *square; /* of the squares of elements less the mean */
  double *off;    /* of each vector: its squared distance from the mean; -1: passed over */
  u64 count;      /* of vectors that are not */
} Moments;

static void sum_up(const Sq4 *s, const void *const *sample, u32 count, Moments *m) {
  ALIGNED64 float x[MAX_DIM];
  const Sq4Kernels *k = kernels();
  u32 i, d;
  m->count = 0;
  memset(m->sum, 0, s->dim * sizeof *m->sum);
  for (i = 0; i < count; i++) {
    if (m->off[i] < 0) continue;
    read_vector(s, k, sample[i], x);
    for (d = 0; d < s->dim; d++) m->sum[d] += (double)x[d];
    m->count++;
  }
  for (d = 0; d < s->dim && m->count; d++) s->mean[d] = (float)(m->sum[d] / (double)m->count);
}

static void measure(const Sq4 *s, const void *const *sample, u32 count, Moments *m) {
  ALIGNED64 float x[MAX_DIM];
  const Sq4Kernels *k = kernels();
  u32 i, d;
  memset(m->square, 0, s->dim * sizeof *m->square);
  for (i = 0; i < count; i++) {
    double off = 0;
    if (m->off[i] < 0) continue;
    read_vector(s, k, sample[i], x);
    for (d = 0; d < s->dim; d++) {
      double less = (double)x[d] - (double)s->mean[d];
      m->square[d] += less * less;
      off += less * less;
    }
    m->off[i] = off;
  }
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Pass over vectors far out: a few of them would widen the range for all. How many there are. */
static int drop_far_ones(u32 count, Moments *m, u64 *far) {
  u32 i, n = 0;
  int rc = SQLITE_OK;
  double *sorted = mem_array(&rc, count, sizeof *sorted), limit = 0;
  *far = 0;
  if (rc) return rc;
  for (i = 0; i < count; i++) {
    if (m->off[i] >= 0) sorted[n++] = m->off[i];
  }
  qsort(sorted, n, sizeof *sorted, compare_doubles);
  if (n) limit = FAR_OUT * sorted[n / 2];
  for (i = 0; i < count && limit > 0; i++) {
    if (!(m->off[i] > limit)) continue;
    m->off[i] = -1;
    ++*far;
  }
  mem_free(sorted);
  return SQLITE_OK;
}

static double sum_of(const double *terms, u32 count) {
  double sum = 0;
  u32 i;
  for (i = 0; i < count; i++) sum += terms[i];
  return sum;
}

/* The standard deviation of a coordinate: a rotation leaves the sum of squares as it is. */
static double deviation_of(const Sq4 *s, const Moments *m) {
  double mean2 = 0, all = sum_of(m->square, s->dim);
  u32 i;
  if (all > 0) return sqrt(all / (double)m->count / s->dim);
  for (i = 0; i < s->dim; i++) mean2 += (double)s->mean[i] * (double)s->mean[i];
  if (mean2 > 0) return sqrt(mean2 / s->dim);
  return s->metric == METRIC_COSINE ? sqrt(1 / (double)s->dim) : 1;
}

int sq4_learn(Metric metric, Elem elem, u32 dim, const void *const *sample, u32 count, Sq4 **out) {
  Moments m = {NULL, NULL, NULL, 0};
  Sq4 *s = NULL;
  double step;
  u64 far = 0;
  u32 i;
  int rc = new_sq4(metric, elem, dim, &s);
  *out = NULL;
  m.sum = mem_zeroed(&rc, 2 * (u64)dim + count, sizeof *m.sum);
  if (rc) goto done;
  m.square = m.sum + dim;
  m.off = m.square + dim;
  for (i = 0; i < count; i++) m.off[i] = elem_first_nonfinite(elem, sample[i], dim) >= 0 ? -1 : 0;
  sum_up(s, sample, count, &m);
  measure(s, sample, count, &m);
  if (metric != METRIC_DOT) rc = drop_far_ones(count, &m, &far);
  if (rc) goto done;
  if (far) {
    sum_up(s, sample, count, &m);
    measure(s, sample, count, &m);
  }
  step = 2 * CLIP * deviation_of(s, &m) / STEPS;
  step = MAX(step, largest_mean(s) * STEP_OF_MEAN);
  set_units(s, (float)MAX(step, 0x1p-149));
  *out = s;
  s = NULL;
done:
  mem_free(m.sum);
  sq4_free(s);
  return rc;
}

void sq4_free(Sq4 *sq4) {
  if (sq4 == NULL) return;
  mem_aligned_free(sq4->mean);
  mem_free(sq4);
}

u32 sq4_size(u32 dim) { return 8 + 4 * dim; }

void sq4_store(const Sq4 *sq4, u8 *bytes) {
  u32 i;
  store32(bytes, SQ4_FORMAT);
  store32(bytes + 4, f32_bits(sq4->step));
  for (i = 0; i < sq4->dim; i++) store32(bytes + 8 + 4 * (size_t)i, f32_bits(sq4->mean[i]));
}

int sq4_load(Metric metric, Elem elem, u32 dim, const u8 *bytes, Sq4 **out) {
  float step = f32_of_bits(load32(bytes + 4));
  Sq4 *s = NULL;
  u32 i;
  int rc;
  *out = NULL;
  if (load32(bytes) != SQ4_FORMAT || !(step > 0 && step <= FLT_MAX)) return CORRUPT(0);
  rc = new_sq4(metric, elem, dim, &s);
  if (rc) goto done;
  for (i = 0; i < dim; i++) {
    s->mean[i] = f32_at(bytes + 8, i);
    if (!(fabs((double)s->mean[i]) <= 2 * (double)step / STEP_OF_MEAN)) {
      rc = CORRUPT(0);
      goto done;
    }
  }
  set_units(s, step);
  *out = s;
  s = NULL;
done:
  sq4_free(s);
  return rc;
}
