/*
 * multi.c: several vectors in a row. See multi.h.
 */
#include "multi.h"

#include <math.h>

#define BLOCK 64 /* rows in one call of a scan kernel */

/* What order-preserving scan values of rows that are no farther than `distance` cannot exceed. */
static double scan_limit(Metric metric, Elem elem, u32 dim, double distance, double norm2) {
  double value = metric == METRIC_L2 ? distance * distance * (1 + 0x1p-20) : distance + fabs(distance) * 0x1p-20;
  return value + distance_error(metric, elem, dim, value, norm2);
}

u64 multi_nearest(Metric metric, Elem elem, const void *query, const void *rows, u64 count, u32 dim, double *distance) {
  DistanceScan scan = distance_scan(metric, elem);
  const u8 *row = rows;
  u64 size = elem_size(elem, dim), best_at = 0;
  double best = distance_exact(metric, elem, query, row, dim), query_norm2 = 0;

  if (metric == METRIC_DOT) query_norm2 = -distance_exact(METRIC_DOT, elem, query, query, dim);
  for (u64 first = 1; first < count; first += BLOCK) {
    u32 n = (u32)MIN(count - first, BLOCK);
    float value[BLOCK], norm2_max = 0;
    double limit;
    scan(query, row + first * size, (size_t)size, n, dim, value, &norm2_max);
    limit = scan_limit(metric, elem, dim, best, query_norm2 * (1 + 0x1p-10) * (double)norm2_max);
    for (u32 i = 0; i < n; i++) {
      double d;
      if ((double)value[i] > limit && isfinite(value[i])) continue;
      d = distance_exact(metric, elem, query, row + (first + i) * size, dim);
      if (d >= best) continue;
      best = d;
      best_at = first + i;
      limit = scan_limit(metric, elem, dim, best, query_norm2 * (1 + 0x1p-10) * (double)norm2_max);
    }
  }
  if (distance) *distance = best;
  return best_at;
}

double multi_maxsim(Elem elem, const void *query, u64 query_count, const void *document, u64 document_count, u32 dim) {
  u64 size = elem_size(elem, dim);
  double sum = 0;

  for (u64 i = 0; i < query_count; i++) {
    double distance;
    (void)multi_nearest(METRIC_DOT, elem, (const u8 *)query + i * size, document, document_count, dim, &distance);
    sum -= distance;
  }
  return sum == 0 ? 0 : sum; /* never -0 */
}
