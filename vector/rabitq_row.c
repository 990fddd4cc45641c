/*
 * rabitq_row.c: 1-bit rows: rows, queries, values. See rabitq_row.h; the sums are in rabitq_row_<level>.c.
 *
 * Every float operation is an IEEE one in a fixed order; exact_float.h forbids to fuse them. Coordinates are below 2^96 (sq4.c), so that sums of
 * their squares are finite in double, a factor, which is at most |r|, and a query's slope times a sum are so in float.
 */
#include "rabitq_row_int.h"

#include "exact_float.h"
#include "rabitq_int.h"

#define U_TOP 127
#define VALUES_AT_ONCE 64u

static u32 blocks_of(u32 dim) { return (dim + RABITQ_ROW_BLOCK - 1) / RABITQ_ROW_BLOCK; }

u32 rabitq_row_stride(Metric metric, Elem elem, u32 dim) {
  u32 size = RABITQ_SIGNS_AT + blocks_of(dim) * (RABITQ_ROW_BLOCK / 8), stride = 16;
  if (sq4_stride(metric, elem, dim) == 0) return 0;
  while (stride < size && stride < 64) stride *= 2;
  return (size + stride - 1) / stride * stride;
}

/* --- rows --- */

void rabitq_row_put(const Sq4 *sq4, const void *vector, u8 *row) {
  float add, factor;
  memset(row, 0, rabitq_row_stride(sq4->metric, sq4->elem, sq4->dim));
  rabitq_code(sq4, NULL, vector, row + RABITQ_SIGNS_AT, 1, &add, &factor);
  store32(row, f32_bits(add));
  store32(row + 4, f32_bits(factor));
}

/* --- queries --- */

static RabitqRowSums sums_of_level(void) {
  const char *level = simd_level();
#if defined(HAVE_AVX2)
  if (strcmp(level, "avx512") == 0 || strcmp(level, "avx2") == 0) return rabitq_row_sums_avx2;
#endif
#if defined(HAVE_NEON)
  if (strcmp(level, "neon") == 0) return rabitq_row_sums_neon;
#endif
  (void)level;
  return rabitq_row_sums_plain;
}

u32 rabitq_row_query_size(u32 dim) { return (u32)sizeof(RabitqRowQuery) + blocks_of(dim) * RABITQ_ROW_BLOCK; }

void rabitq_row_query(const Sq4 *sq4, const void *vector, RabitqRowQuery *out) {
  ALIGNED64 float x[MAX_DIM];
  float largest = 0, step;
  int dot = sq4->metric == METRIC_DOT;
  i32 all = 0;
  u32 d;
  if (dot)
    sq4_direction(sq4, vector, x); /* only the order counts, so its length does not */
  else
    sq4_coordinates(sq4, vector, x);
  for (d = 0; d < sq4->dim; d++) largest = fabsf(x[d]) > largest ? fabsf(x[d]) : largest;
  memset(out, 0, rabitq_row_query_size(sq4->dim));
  step = largest / U_TOP;
  for (d = 0; d < sq4->dim && step > 0; d++) {
    float u = x[d] / step;
    u = u >= -U_TOP ? u <= U_TOP ? u : U_TOP : -U_TOP; /* a step may be rounded to half of it, where floats end */
    out->u[d] = (i8)(u < 0 ? u - 0.5f : u + 0.5f);
    all += out->u[d];
  }
  out->sums = sums_of_level();
  out->blocks = blocks_of(sq4->dim);
  out->slope = dot ? -2 * step : -4 * step; /* <s, u> is twice the sum where s is +1, less that of all */
  out->zero = (float)all * step * (dot ? 1 : 2);
}

void rabitq_row_values(const RabitqRowQuery *q, const u8 *const *rows, u32 count, float *out) {
  i32 sum[VALUES_AT_ONCE];
  u32 i, n;
  for (; count; count -= n, rows += n, out += n) {
    n = MIN(count, VALUES_AT_ONCE);
    q->sums(q, rows, n, sum);
    for (i = 0; i < n; i++) {
      float y = (float)sum[i] * q->slope;
      y = y + q->zero;
      y = y * f32_at(rows[i], 1);
      out[i] = y + f32_at(rows[i], 0);
    }
  }
}
