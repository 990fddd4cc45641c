/*
 * fuzz_kernels.c: every SIMD level against distance_exact() and against the plain level, on any finite vectors.
 *
 *   scans   finite values are within distance_error() of the exact value
 *   codes   code rows have the same bytes at every level; the bound is not above the exact value
 */
#include "fuzz.h"

#include <math.h>

#include "../vector/codes.h"

#define ROWS 3u
#define MAX_TEST_DIM 300u

static const char *const levels[] = {"plain", "avx2", "avx512", "neon"};

/* As scans give it: l2 squared. */
static double ordered(Metric metric, double d) { return metric == METRIC_L2 ? d * d : d; }

static void check_scan(Metric metric, Elem elem, u32 dim, const u8 *query, const u8 *rows, size_t size) {
  float out[ROWS], norm2 = 0;
  double query_norm2 = 0;
  distance_scan(metric, elem)(query, rows, size, ROWS, dim, out, &norm2);
  for (u32 k = 0; k < dim; k++) query_norm2 += elem_get(elem, query, k) * elem_get(elem, query, k);
  for (u32 i = 0; i < ROWS; i++) {
    double exact = ordered(metric, distance_exact(metric, elem, query, rows + i * size, dim));
    double error = distance_error(metric, elem, dim, exact, (double)norm2 * query_norm2 * 1.001);
    if (!isfinite(out[i]) || !isfinite(exact)) continue;
    /* distance_exact is rounded to a float, and its square is ours */
    if (fabs((double)out[i] - exact) > error + fabs(exact) * 0x1p-21 + 1e-37)
      FINDING("%s, %s[%u] at %s: %.9g, exact %.17g, error %.9g", metric_name(metric), elem_name(elem), dim,
              simd_level(), (double)out[i], exact, error);
  }
}

static void check_codes(Metric metric, Elem elem, u32 dim, const u8 *query, const u8 *rows, size_t size, u8 *plain,
                        int first) {
  u32 stride = codes_stride(metric, elem, dim);
  float lower[ROWS];
  u8 *code = malloc((size_t)stride * ROWS);
  CodeQuery *q = NULL;
  if (code == NULL || codes_query(metric, elem, query, dim, &q)) FINDING("no memory");
  for (u32 i = 0; i < ROWS; i++) codes_encode(metric, elem, rows + i * size, dim, code + i * stride);
  if (first) memcpy(plain, code, (size_t)stride * ROWS);
  if (memcmp(plain, code, (size_t)stride * ROWS)) FINDING("code rows differ at %s", simd_level());
  codes_scan(metric, elem)(q, code, stride, ROWS, lower);
  for (u32 i = 0; i < ROWS; i++) {
    double exact = ordered(metric, distance_exact(metric, elem, query, rows + i * size, dim));
    if (isnan(lower[i])) FINDING("a bound is not a number");
    if (isfinite(exact) && (double)lower[i] > exact + fabs(exact) * 1e-15)
      FINDING("%s, %s[%u] at %s: bound %.9g above %.17g", metric_name(metric), elem_name(elem), dim, simd_level(),
              (double)lower[i], exact);
  }
  codes_query_free(q);
  free(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static u8 plain[ROWS * 2 * (MAX_TEST_DIM + 64) * 4];
  Metric metric;
  Elem elem;
  u32 dim, first = 1;
  size_t bytes, need;
  u8 *vectors;
  if (size < 4) return 0;
  metric = (Metric)(1 + data[0] % METRIC_LAST);
  elem = (Elem)(1 + data[1] % ELEM_LAST);
  dim = 1 + (data[2] + 256u * (data[3] & 1)) % MAX_TEST_DIM;
  if (!metric_fits(metric, elem)) return 0;
  bytes = (size_t)elem_size(elem, dim);
  need = bytes * (ROWS + 1);
  vectors = malloc(need);
  if (vectors == NULL) FINDING("no memory");
  for (size_t i = 0; i < need; i++) vectors[i] = size > 4 ? data[4 + i % (size - 4)] : 0;
  for (u32 i = 0; i <= ROWS; i++) {
    if (elem_first_nonfinite(elem, vectors + i * bytes, dim) >= 0) goto done;
  }
  for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
    if (!simd_force(levels[l])) continue;
    check_scan(metric, elem, dim, vectors, vectors + bytes, bytes);
    if (codes_stride(metric, elem, dim)) {
      check_codes(metric, elem, dim, vectors, vectors + bytes, bytes, plain, (int)first);
      first = 0;
    }
  }
done:
  free(vectors);
  return 0;
}
