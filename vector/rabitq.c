/*
 * rabitq.c: 1-bit codes: codes, queries. See rabitq.h; the sums of a group are in rabitq_<level>.c.
 *
 * Every float operation is an IEEE one in a fixed order; exact_float.h forbids to fuse them. Coordinates are below 2^96 (sq4.c), so that sums of
 * their squares are finite in double.
 */
#include "rabitq_int.h"

#include "exact_float.h"

#include <float.h>

#define SHARE 0.6028102749890869f /* sqrt(1 - 2/pi) */
#define RABITQ_EPSILON 1.5f
#define TABLE_TOP 127
#define ROUNDED_SHARE 0.2886751345948129f /* of a step: the deviation of a rounded number, 1/sqrt(12) */

static u32 code_bytes(u32 dim) { return (dim + 7) / 8; }

u32 rabitq_row_bytes(Metric metric, Elem elem, u32 dim) {
  return sq4_stride(metric, elem, dim) ? 2 * (u32)sizeof(float) + code_bytes(dim) : 0;
}

u32 rabitq_floats(u32 dim) { return SQ4_PADDED(dim); }

void rabitq_centre(const Sq4 *sq4, const float *point, float *centre) { sq4_point_coordinates(sq4, point, centre); }

/* --- codes --- */

void rabitq_code(const Sq4 *sq4, const float *centre, const void *vector, u8 *signs, u32 apart, float *add,
                 float *factor) {
  ALIGNED64 float x[MAX_DIM];
  double norm2 = 0, sum = 0, shift = 0, f = 0, a;
  u32 d;
  sq4_coordinates(sq4, vector, x);
  for (d = 0; d < code_bytes(sq4->dim); d++) signs[d * apart] = 0;
  for (d = 0; d < sq4->dim; d++) {
    double c = centre ? (double)centre[d] : 0, r = (double)x[d] - c;
    norm2 += r * r;
    sum += fabs(r);
    shift += r < 0 ? -c : c;
    if (!(r < 0)) signs[d / 8 * apart] = (u8)(signs[d / 8 * apart] | 1u << d % 8);
  }
  if (sum > 0) f = norm2 / sum;
  a = sq4->metric == METRIC_DOT ? 0 : norm2 + 2 * f * shift;
  if (!(fabs(a) <= FLT_MAX && f <= FLT_MAX)) {
    a = FLT_MAX;
    f = 0;
  }
  *add = (float)a;
  *factor = (float)f;
}

void rabitq_put(const Sq4 *sq4, const float *centre, const void *vector, u8 *group, u32 i) {
  float add, factor;
  rabitq_code(sq4, centre, vector, group + RABITQ_CODES_AT + i, RABITQ_ROWS, &add, &factor);
  store32(group + 4 * i, f32_bits(add));
  store32(group + 4 * (RABITQ_ROWS + i), f32_bits(factor));
}

/* --- queries --- */

static RabitqScan scan_of_level(void) {
  const char *level = simd_level();
#if defined(HAVE_AVX2)
  if (strcmp(level, "avx512") == 0 || strcmp(level, "avx2") == 0) return rabitq_scan_avx2;
#endif
#if defined(HAVE_NEON)
  if (strcmp(level, "neon") == 0) return rabitq_scan_neon;
#endif
  (void)level;
  return rabitq_scan_plain;
}

u32 rabitq_query_size(u32 dim) { return (u32)sizeof(RabitqQuery) + 32 * code_bytes(dim); }

/* Table entries of four dimensions: (sum of +-x, plus that of |x|) / step, at most TABLE_TOP; x has zeros where dimensions end. */
static void fill_table(const float *x, float inverse, u8 *table) {
  u32 n, d;
  for (n = 0; n < 16; n++) {
    float sum = 0;
    for (d = 0; d < 4; d++) sum += n >> d & 1 ? x[d] + fabsf(x[d]) : fabsf(x[d]) - x[d];
    sum = sum * inverse + 0.5f;
    table[n] = (u8)(sum < TABLE_TOP ? sum : TABLE_TOP);
  }
}

void rabitq_query(const Sq4 *sq4, const void *vector, RabitqQuery *out) {
  ALIGNED64 float x[MAX_DIM + 8];
  float largest = 0, step, all = 0, lengthen = 1;
  double norm2 = 0;
  u32 d, i, bytes = code_bytes(sq4->dim), dot = sq4->metric == METRIC_DOT;
  if (dot)
    lengthen = sq4_direction(sq4, vector, x);
  else
    sq4_coordinates(sq4, vector, x);
  for (d = sq4->dim; d < 8 * bytes; d++) x[d] = 0;
  for (d = 0; d < 8 * bytes; d += 4) {
    float sum = 0;
    for (i = 0; i < 4; i++) sum += fabsf(x[d + i]);
    largest = sum > largest ? sum : largest;
    all += sum;
    for (i = 0; i < 4; i++) norm2 += (double)x[d + i] * (double)x[d + i];
  }
  step = 2 * largest / TABLE_TOP;
  memset(out, 0, sizeof *out);
  out->metric = sq4->metric;
  out->bytes = bytes;
  out->scan = scan_of_level();
  out->slope = dot ? -step : -2 * step;
  out->zero = dot ? all : 2 * all;
  out->unsure = RABITQ_EPSILON * SHARE * (dot ? (float)sqrt(norm2) : 2);
  out->rounded = RABITQ_EPSILON * ROUNDED_SHARE * step * sqrtf((float)(2 * bytes)) * (dot ? 1 : 2);
  out->to_steps = 1 / sq4->step;
  out->scale = dot ? sq4->step * lengthen : sq4->step * sq4->step;
  if (sq4->metric == METRIC_COSINE) out->scale /= 2;
  for (d = 0; d < 8 * bytes; d += 4) fill_table(x + d, step > 0 ? 1 / step : 0, out->table + 4 * d);
}

void rabitq_list(const RabitqQuery *q, float distance, RabitqList *out) {
  float length = q->metric == METRIC_DOT ? 1 : sqrtf(distance > 0 ? distance : 0) * q->to_steps;
  out->base = q->metric == METRIC_COSINE ? distance / 2 : distance;
  out->scale = q->scale;
  out->offset = q->zero - (q->unsure * length + q->rounded);
}

u32 rabitq_scan(const RabitqQuery *q, const RabitqList *list, const u8 *group, float limit, float *w) {
  return q->scan(q, list->offset, group, limit, w);
}
