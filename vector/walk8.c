/*
 * walk8.c: distances between code rows: the query and all float arithmetic. See walk8.h; integer sums are in walk8_<level>.c.
 *
 * Every value is the same bits everywhere because the sums are exact, and the float operations IEEE ones in a fixed order; the
 * compiler must not fuse them (exact_float.h). Headers may hold anything: whatever comes of them is brought within +-FLT_MAX at the end.
 */
#include "walk8_int.h"

#define EXACT_FLOAT_O3
#include "exact_float.h"

#include <float.h>

#define BATCH 32 /* rows whose sums are kept at once */

int walk8_fits(Metric metric) { return metric == METRIC_L2 || metric == METRIC_COSINE || metric == METRIC_DOT; }

/* ---- queries --------------------------------------------------------------------------------------------------------------- */

static Walk8Dots dots_of_level(void) {
  const char *level = simd_level();
#if defined(HAVE_AVX512)
  if (strcmp(level, "avx512") == 0) return walk8_dots_avx512;
#endif
#if defined(HAVE_AVX2)
  if (strcmp(level, "avx2") == 0) return walk8_dots_avx2;
#endif
#if defined(HAVE_NEON)
  if (strcmp(level, "neon") == 0) return walk8_dots_neon;
#endif
  (void)level;
  return walk8_dots_plain;
}

static u32 pieces_of(u32 dim) { return (dim + CODES_PIECE - 1) / CODES_PIECE; }

static u32 padded_of(u32 dim) { return (dim + 63) / 64 * 64; }

u32 walk8_query_size(u32 dim) { return (u32)sizeof(Walk8Query) + padded_of(dim); }

static float radius_of(const u8 *row) { return f32_at(row, 1); }

/* The last coordinate, a. */
static float rest_of(float bound2, float norm2) {
  float rest2 = bound2 - norm2;
  return sqrtf(rest2 > 0 ? rest2 : 0);
}

void walk8_query(Metric metric, Walk8Use use, u32 dim, const u8 *row, float bound2, Walk8Query *out) {
  float norm = f32_at(row, 2);
  memset(out, 0, sizeof *out);
  out->dots = dots_of_level();
  out->pieces = pieces_of(dim);
  out->scale = f32_at(row, 0);
  out->norm2 = metric == METRIC_L2 ? norm : norm * norm;
  out->bound2 = -1;
  out->unknown = !(radius_of(row) <= FLT_MAX);
  if (metric == METRIC_DOT && use == WALK8_BUILD) {
    out->bound2 = bound2 > 0 ? bound2 : 0;
    out->rest = rest_of(out->bound2, out->norm2);
  }
  memcpy(out->codes, row + CODES_HEADER, dim);
  memset(out->codes + dim, 0, padded_of(dim) - dim);
}

/* ---- values ---------------------------------------------------------------------------------------------------------------- */

/* Never NaN; within low..FLT_MAX. */
static float bounded(float value, float low) {
  value = value < FLT_MAX ? value : FLT_MAX;
  return value > low ? value : low;
}

static int is_unknown(const Walk8Query *q, const u8 *row) { return q->unknown || !(radius_of(row) <= FLT_MAX); }

/* x.y */
static float product_of(const Walk8Query *q, const u8 *row, i32 dot) { return q->scale * f32_at(row, 0) * (float)dot; }

static float l2_of(const Walk8Query *q, const u8 *row, i32 dot) {
  return bounded(q->norm2 + f32_at(row, 2) - 2 * product_of(q, row, dot), 0);
}

static float cosine_of(const Walk8Query *q, const u8 *row, i32 dot) {
  float norm = f32_at(row, 2);
  return bounded(q->norm2 + norm * norm - 2 * product_of(q, row, dot), 0);
}

static float dot_of(const Walk8Query *q, const u8 *row, i32 dot) { return bounded(-product_of(q, row, dot), -FLT_MAX); }

static float build_dot_of(const Walk8Query *q, const u8 *row, i32 dot) {
  float norm = f32_at(row, 2);
  return bounded(-(product_of(q, row, dot) + q->rest * rest_of(q->bound2, norm * norm)), -FLT_MAX);
}

#define WALK8_VALUES(name, value_of)                                                                                   \
  static void name(const Walk8Query *q, const u8 *const *rows, u32 count, float *out) {                                \
    i32 dots[BATCH];                                                                                                   \
    while (count > 0) {                                                                                                \
      u32 i, n = MIN(count, BATCH);                                                                                    \
      q->dots(q, rows, n, dots);                                                                                       \
      for (i = 0; i < n; i++) out[i] = is_unknown(q, rows[i]) ? FLT_MAX : value_of(q, rows[i], dots[i]);               \
      rows += n;                                                                                                       \
      out += n;                                                                                                        \
      count -= n;                                                                                                      \
    }                                                                                                                  \
  }

WALK8_VALUES(values_l2, l2_of)
WALK8_VALUES(values_cosine, cosine_of)
WALK8_VALUES(values_query_dot, dot_of)
WALK8_VALUES(values_build_dot, build_dot_of)

static void values_dot(const Walk8Query *q, const u8 *const *rows, u32 count, float *out) {
  if (q->bound2 >= 0) {
    values_build_dot(q, rows, count, out);
  } else {
    values_query_dot(q, rows, count, out);
  }
}

Walk8Distances walk8_distances(Metric metric) {
  if (metric == METRIC_L2) return values_l2;
  if (metric == METRIC_COSINE) return values_cosine;
  return metric == METRIC_DOT ? values_dot : NULL;
}
