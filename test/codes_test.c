/*
 * codes_test.c: code rows, without a database.
 *
 *   bounds   at every level, for every metric, type and many dimensions: at most the true distance (in long double) and at
 *            most distance_exact(), for data of every scale and for data made so that the bound has nothing to spare; nothing
 *            read or written outside the row (pages without access on both sides)
 *   tight    on Gaussian data the bound is within 2 % of the norm
 *   special  zeros, NaN, infinities, queries beyond the range
 *   bytes    one checksum over many code rows that must come out on every processor and compiler
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "../vector/codes.h"

#include "../wal_shim/bytes.h"
#include "kernels_tester.h"

static const Metric metrics[] = {METRIC_L2, METRIC_COSINE, METRIC_DOT, METRIC_L1};
static const Elem elems[] = {ELEM_F32, ELEM_F16, ELEM_BF16};

#define ROWS 9
#if defined(KERNELS_TEST_SHIM)
#define DIM_STEP 11 /* emulated */
#else
#define DIM_STEP 1
#endif

/* ---- vectors -------------------------------------------------------------------------------------------------------- */

typedef enum {
  UNIFORM,   /* in [-1, 1) */
  GAUSSIAN,  /* around one of few centres */
  CLOSE,     /* near the query, or equal to it */
  PARALLEL,  /* a multiple of the query */
  ALIGNED,   /* the query lies where the residual of the first row points */
  OPPOSED,   /* the same, on the other side */
  HALFWAY,   /* between two codes */
  SPIKE,     /* one large element, the others just too small for a code */
  HUGE_ONES, /* near FLT_MAX */
  EDGE,      /* about the limits of the range */
  TINY,
  SUBNORMAL,
  MIXED, /* of all scales, zeros */
  KINDS
} Kind;

/* A vector; `query` is NULL for the query itself. */
static void fill(Elem elem, Kind kind, u32 dim, const u8 *query, u8 *out) {
  static const double scales[] = {0,       0x1p-149, 0x1p-130, 0x1p-100, 0x1p-41, 0x1p-40,
                                  0x1p-20, 1,        0x1p15,   0x1p50,   0x1p51,  0x1p127};
  double centre = (double)random_below(3) - 1, factor = random_unit() * 4, close = ldexp(1, -(int)random_below(24));
  int scale = (int)random_below(8) - 4, edge = random_below(2) ? -40 : 50;
  u32 i;
  if (query && kind == CLOSE && random_below(4) == 0) close = 0;
  for (i = 0; i < dim; i++) {
    double x = random_unit(), q = query ? elem_get(elem, query, i) : 0;
    switch (kind) {
      case UNIFORM: break;
      case GAUSSIAN:
      case ALIGNED:
      case OPPOSED: x = random_normal() + centre * (i % 3); break;
      case CLOSE: x = query ? q + x * close : x; break;
      case PARALLEL: x = query ? q * factor : x; break;
      case HALFWAY: x = (i == 0 ? 127 : floor(x * 126) + (random_below(2) ? 0.5 : 0.499)) / 64; break;
      case SPIKE: x = i == dim / 2 ? 254 : x < 0 ? -0.999 : 0.999; break;
      case HUGE_ONES: x = ldexp(x, 128 - (int)random_below(2)); break;
      case EDGE: x = ldexp(i == 0 ? 1 : x, edge + scale); break;
      case TINY: x = ldexp(x, -100 + scale * 8); break;
      case SUBNORMAL: x = ldexp(floor(x * 8), -149); break;
      case MIXED: x *= scales[random_below(12)]; break;
      case KINDS: break;
    }
    put(elem, out, i, x);
  }
}

static float header(const u8 *row, u32 i) {
  u32 bits = load32(row + 4 * (size_t)i);
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

/*
 * Put the query where x, its decoded codes v and the query lie on one line, so that the triangle inequality is an equation; and
 * for float32 where the query is nearly t*k, so that nothing but rounding is left between bound and truth.
 */
static void align(Elem elem, Kind kind, u32 dim, const u8 *x, u8 *query) {
  static u8 row[16 + MAX_DIM];
  static double target[MAX_DIM];
  double factor = (kind == OPPOSED ? -1 : 1) * ldexp(1, (int)random_below(12)), max = 0, t;
  u32 i;
  codes_encode(METRIC_L2, elem, x, dim, row);
  for (i = 0; i < dim; i++) {
    double v = (double)header(row, 0) * (i8)row[16 + i], e = elem_get(elem, x, i) - v;
    target[i] = kind == OPPOSED ? e * factor : v + e * (1 + factor);
    max = fabs(target[i]) > max ? fabs(target[i]) : max;
  }
  t = (double)(float)(max / 32767);
  for (i = 0; i < dim; i++) put(elem, query, i, elem == ELEM_F32 ? t * nearbyint(target[i] / t) : target[i]);
}

/* ---- truth ---------------------------------------------------------------------------------------------------------- */

/* Order-preserving, and the norms of both. */
typedef struct Truth {
  long double value, a, b;
} Truth;

static Truth truth_of(Metric metric, Elem elem, const u8 *a, const u8 *b, u32 dim) {
  long double dot = 0, a2 = 0, b2 = 0, l1 = 0, l2 = 0;
  Truth t = {0, 0, 0};
  u32 i;
  for (i = 0; i < dim; i++) {
    long double x = elem_get(elem, a, i), y = elem_get(elem, b, i);
    dot += x * y;
    a2 += x * x;
    b2 += y * y;
    l1 += fabsl(x - y);
    l2 += (x - y) * (x - y);
  }
  t.a = sqrtl(a2);
  t.b = sqrtl(b2);
  if (metric == METRIC_L2) t.value = l2;
  if (metric == METRIC_L1) t.value = l1;
  if (metric == METRIC_DOT) t.value = -dot;
  if (metric == METRIC_COSINE) t.value = a2 == 0 || b2 == 0 ? 1 : 1 - dot / (t.a * t.b);
  return t;
}

static double exact_of(Metric metric, Elem elem, const u8 *a, const u8 *b, u32 dim) {
  double d = distance_exact(metric, elem, a, b, dim);
  return metric == METRIC_L2 ? d * d : d;
}

/* ---- bounds --------------------------------------------------------------------------------------------------------- */

static Guarded memory;

/* Encode and scan at one level; rows end, or begin, at a page without access. */
static void scan_case(const char *level, Metric metric, Elem elem, u32 dim, Kind kind, const u8 *query, u32 count,
                      const u8 *const data[ROWS], const Truth truth[ROWS], const double exact[ROWS]) {
  size_t size = codes_stride(metric, elem, dim), stride = size + 16 * random_below(3) + (random_below(4) == 0);
  size_t all = (count - 1) * stride + size;
  u8 *rows = random_below(2) ? memory.start : memory.end - all;
  float lower[ROWS + 1], apart[ROWS + 1];
  const u8 *row[ROWS];
  CodeQuery *q = NULL;
  u32 i;
  memset(rows, 255, all);
  for (i = 0; i < count; i++) codes_encode(metric, elem, data[i], dim, rows + i * stride);
  for (i = 0; i + 1 < count && stride > size; i++) CHECK(rows[i * stride + size] == 255, "writes beyond the row");
  for (i = 0; i <= ROWS; i++) lower[i] = apart[i] = -77;
  for (i = 0; i < count; i++) row[i] = rows + (count - 1 - i) * stride;
  if (codes_query(metric, elem, query, dim, &q)) exit(1);
  codes_scan(metric, elem)(q, rows, stride, count, lower);
  codes_scan_apart(metric, elem)(q, row, count, apart);
  codes_query_free(q);
  CHECK(lower[count] == -77 && apart[count] == -77, "writes too many bounds");
  for (i = 0; i < count; i++) {
    CHECK(lower[i] == apart[count - 1 - i], "%s %s %s[%u] kind %d row %u of %u: %.9g, apart %.9g", level,
          metric_name(metric), elem_name(elem), dim, kind, i, count, (double)lower[i], (double)apart[count - 1 - i]);
    CHECK((long double)lower[i] <= truth[i].value && (double)lower[i] <= exact[i],
          "%s %s %s[%u] kind %d row %u of %u: %.9g, truth %.12Lg, exact %.12g", level, metric_name(metric),
          elem_name(elem), dim, kind, i, count, (double)lower[i], truth[i].value, exact[i]);
  }
}

static void test_bounds_of(Metric metric, Elem elem, u32 dim) {
  static u8 query[4 * MAX_DIM], data[ROWS][4 * MAX_DIM];
  const u8 *row[ROWS];
  Truth truth[ROWS];
  double exact[ROWS];
  u32 i, level;
  int kind;
  if (codes_stride(metric, elem, dim) == 0) return;
  for (kind = 0; kind < KINDS; kind++) {
    fill(elem, (Kind)kind, dim, NULL, query);
    for (i = 0; i < ROWS; i++) {
      row[i] = data[i];
      fill(elem, i == 5 ? MIXED : (Kind)kind, dim, query, data[i]);
      if (i == 7) memset(data[i], 0, sizeof data[i]);
    }
    if (kind == ALIGNED || kind == OPPOSED) align(elem, (Kind)kind, dim, data[0], query);
    for (i = 0; i < ROWS; i++) {
      truth[i] = truth_of(metric, elem, query, data[i], dim);
      exact[i] = exact_of(metric, elem, query, data[i], dim);
    }
    for (level = 0; level < LEVELS; level++) {
      if (!simd_force(levels[level])) continue;
      scan_case(levels[level], metric, elem, dim, (Kind)kind, query, 1 + random_below(ROWS), row, truth, exact);
    }
  }
}

static void test_bounds(void) {
  static const u32 large[] = {383, 384, 511, 512, 513, 768, 1000, 1024, 1536, 3071, 4097, 8191, 8192};
  u32 m, e, dim, i;
  memory = guarded_new(ROWS * (16 + MAX_DIM + 64));
  for (m = 0; m < 4; m++) {
    for (e = 0; e < 3; e++) {
      for (dim = 32; dim <= 300; dim += DIM_STEP) test_bounds_of(metrics[m], elems[e], dim);
      for (i = 0; i < sizeof large / sizeof *large; i += (DIM_STEP + 4) / 5)
        test_bounds_of(metrics[m], elems[e], large[i]);
    }
  }
}

/* ---- tight ---------------------------------------------------------------------------------------------------------- */

/* How far the bound is below the truth, as a part of what the metric measures. */
static double slack_of(Metric metric, double lower, const Truth *t) {
  if (metric == METRIC_L2) return (double)((sqrtl(t->value) - (long double)sqrt(lower > 0 ? lower : 0)) / t->b);
  if (metric == METRIC_DOT) return (double)((t->value - (long double)lower) / (t->a * t->b));
  return (double)((t->value - (long double)lower) / (metric == METRIC_L1 ? t->value : 1));
}

static void test_tight(const char *level) {
  static u8 query[4 * 768], data[4 * 768], row[16 + 768];
  static const u32 dims[] = {128, 768};
  u32 m, e, d, i;
  if (!simd_force(level)) return;
  for (m = 0; m < 4; m++) {
    for (e = 0; e < 3; e++) {
      for (d = 0; d < 2; d++) {
        double slack, sum = 0;
        for (i = 0; i < 20; i++) {
          CodeQuery *q = NULL;
          float lower;
          Truth t;
          fill(elems[e], GAUSSIAN, dims[d], NULL, query);
          fill(elems[e], GAUSSIAN, dims[d], query, data);
          codes_encode(metrics[m], elems[e], data, dims[d], row);
          if (codes_query(metrics[m], elems[e], query, dims[d], &q)) exit(1);
          codes_scan(metrics[m], elems[e])(q, row, codes_stride(metrics[m], elems[e], dims[d]), 1, &lower);
          codes_query_free(q);
          t = truth_of(metrics[m], elems[e], query, data, dims[d]);
          slack = slack_of(metrics[m], (double)lower, &t);
          sum += slack;
          CHECK(slack >= 0 && slack < 0.02, "%s %s %s[%u]: slack %.4f", level, metric_name(metrics[m]),
                elem_name(elems[e]), dims[d], slack);
        }
        if (strcmp(level, "plain") == 0 && e == 0) {
          printf("mean slack, %s[%u]: %.2f %%\n", metric_name(metrics[m]), dims[d], 100 * sum / 20);
        }
      }
    }
  }
}

/* ---- special -------------------------------------------------------------------------------------------------------- */

static float bound_of(Metric metric, const float *query, const float *vector, u32 dim) {
  static u8 row[16 + 64];
  CodeQuery *q = NULL;
  float lower;
  codes_encode(metric, ELEM_F32, vector, dim, row);
  if (codes_query(metric, ELEM_F32, query, dim, &q)) exit(1);
  codes_scan(metric, ELEM_F32)(q, row, codes_stride(metric, ELEM_F32, dim), 1, &lower);
  codes_query_free(q);
  return lower;
}

static void test_special(const char *level) {
  static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY, FLT_MAX};
  static float zero[64], ones[64], odd[64];
  u32 m, i;
  if (!simd_force(level)) return;
  for (i = 0; i < 64; i++) ones[i] = 1;
  for (m = 0; m < 4; m++) {
    for (i = 0; i < 64 * 5; i++) {
      float f;
      memcpy(odd, ones, sizeof odd);
      odd[i % 64] = bad[i / 64];
      f = bound_of(metrics[m], odd, ones, 64);
      CHECK(metrics[m] == METRIC_L2 ? f <= 0 : f == -INFINITY, "%s %s: %g", level, metric_name(metrics[m]), (double)f);
      f = bound_of(metrics[m], ones, odd, 64);
      CHECK(metrics[m] == METRIC_L2 ? f <= 0 : f == -INFINITY, "%s %s: %g", level, metric_name(metrics[m]), (double)f);
      f = bound_of(metrics[m], zero, odd, 64);
      CHECK(metrics[m] == METRIC_L2 ? f <= 0 : f == -INFINITY, "%s %s: %g", level, metric_name(metrics[m]), (double)f);
    }
  }
  CHECK(bound_of(METRIC_COSINE, zero, ones, 64) == 1 && bound_of(METRIC_COSINE, ones, zero, 64) == 1, "cosine of zero");
  CHECK(bound_of(METRIC_L2, zero, ones, 64) > 63.99f && bound_of(METRIC_L2, ones, zero, 64) > 63.99f, "l2 of zero");
  CHECK(bound_of(METRIC_L1, zero, ones, 64) > 63.99f && bound_of(METRIC_L1, ones, zero, 64) > 63.99f, "l1 of zero");
  CHECK(bound_of(METRIC_DOT, ones, ones, 64) > -64.01f, "dot of ones");
  CHECK(codes_stride(METRIC_L2, ELEM_I8, 128) == 0 && codes_scan(METRIC_L2, ELEM_I8) == NULL &&
            codes_scan_apart(METRIC_L2, ELEM_I8) == NULL,
        "int8");
  CHECK(codes_stride(METRIC_HAMMING, ELEM_BIT, 128) == 0 && codes_scan(METRIC_JACCARD, ELEM_BIT) == NULL, "bits");
  CHECK(codes_stride(METRIC_L2, ELEM_F32, 128) == 144 && codes_stride(METRIC_L1, ELEM_F16, 129) == 160, "strides");
  CHECK(codes_stride(METRIC_L2, ELEM_F32, 31) == 0 && codes_stride((Metric)9, ELEM_F32, 128) == 0, "strides");
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

static void test_bytes(const char *level) {
  static u8 data[4 * 1000 + 1], row[16 + 1008];
  u32 m, e, dim, crc = 0;
  int kind;
  if (!simd_force(level)) return;
  seed = 42;
  for (dim = 64; dim <= 1000; dim += 1 + dim / 8) {
    for (m = 0; m < 4; m++) {
      for (e = 0; e < 3; e++) {
        for (kind = 0; kind < KINDS; kind++) {
          u32 stride = codes_stride(metrics[m], elems[e], dim), shift = dim & 1;
          fill(elems[e], (Kind)kind, dim, NULL, data + shift);
          memset(row, 255, sizeof row);
          codes_encode(metrics[m], elems[e], data + shift, dim, row);
          crc = crc32c(crc, row, stride);
        }
      }
    }
  }
  CHECK(crc == 0x72d07c8eu, "%s: checksum of code rows is %08x", level, crc);
}

int main(void) {
  u32 i;
  print_levels();
  for (i = 0; i < LEVELS; i++) test_bytes(levels[i]);
  for (i = 0; i < LEVELS; i++) test_special(levels[i]);
  for (i = 0; i < LEVELS; i++) test_tight(levels[i]);
  test_bounds();
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
