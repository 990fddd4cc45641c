/*
 * walk_test.c: what a graph is walked on: 4-bit codes (sq4.h) and distances between 8-bit code rows (walk8.h), without a database.
 *
 *   rotation   orthonormal, as a reference in double computes it, spreads a single coordinate, the same bits at every level
 *   learn      mean and step against double; samples without variance, with bad elements, of extreme size
 *   codes      against the reference; error of decoding; how many are clipped; the same bytes at every level
 *   values     every level against a sum over nibbles; against true distances; nothing read outside codes (pages without access)
 *   ranking    nearest rows are found among the first by value
 *   stored     round trips; every kind of wrong bytes is refused
 *   bytes      checksums over what was learned, codes, 1-bit rows and queries, that must come out on every processor and compiler
 *   rabitq     1-bit codes: signs and factors against a reference in double; estimates without bias, bounds kept by as many rows as the deviation says; codes,
 *              queries and values the same bits at every level, nothing read outside groups; sums at the ends of their range; hostile rows
 *   bit rows   the same of 1-bit rows that stand alone (rabitq_row.h), in any number; of random bytes too
 *   walk8      every level against plain bit for bit and against double; odd and hostile rows
 *   match      filter_match.h: every level against comparisons one by one, any count, ends of ranges, nothing read beyond the words
 *   narrow     the same for bytes in sets
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "../vector/filter_match.h"
#include "../vector/rabitq_int.h"
#include "../vector/rabitq_row_int.h"
#include "../vector/sq4_int.h"
#include "../vector/walk8.h"

#include "../wal_shim/bytes.h"
#include "kernels_tester.h"

static const Metric metrics[] = {METRIC_L2, METRIC_COSINE, METRIC_DOT};
static const Elem elems[] = {ELEM_F32, ELEM_F16, ELEM_BF16};
#define METRICS 3
#define ELEMS 3
#define ROWS 11

#if defined(KERNELS_TEST_SHIM)
#define DIM_STEP 13 /* emulated */
#else
#define DIM_STEP 1
#endif

static const u32 large[] = {383, 384, 511, 512, 513, 767, 768, 1000, 1024, 1025, 1536, 3071, 4096, 8191, 8192};
#define LARGES (sizeof large / sizeof *large)

/* Every dimension that is tested: 1..300 and the large ones. 0 ends. */
static u32 next_dim(u32 dim) {
  u32 i;
  if (dim < 300) return MIN(dim + (dim < 34 ? 1 : DIM_STEP), 300);
  for (i = 0; i < LARGES; i++) {
    if (large[i] > dim) return large[i];
  }
  return 0;
}

typedef enum { NORMAL, UNIFORM, SHIFTED, FAR, HUGE_ONES, TINY, SUBNORMAL, ZERO, EQUAL, SPIKE, MIXED, KINDS } Kind;

/* Whether rounding of elements and centring leaves the reference meaningful. */
static int is_regular(Kind kind) { return kind <= SHIFTED || kind == SPIKE; }

static void fill(Elem elem, Kind kind, u32 dim, u8 *out) {
  static const double scales[] = {0, 0x1p-149, 0x1p-130, 0x1p-100, 0x1p-20, 1, 0x1p15, 0x1p60, 0x1p127};
  u32 i;
  for (i = 0; i < dim; i++) {
    double x = random_normal();
    switch (kind) {
      case NORMAL: break;
      case UNIFORM: x = random_unit() * 100; break;
      case SHIFTED: x += 3 * (i % 5); break;
      case FAR: x = x * 0x1p-10 + 1000; break;
      case HUGE_ONES: x = ldexp(x, 127); break;
      case TINY: x = ldexp(x, -110); break;
      case SUBNORMAL: x = ldexp(floor(x * 8), -149); break;
      case ZERO: x = 0; break;
      case EQUAL: x = i % 7; break;
      case SPIKE: x = x * 0.01 + (i == dim / 2 ? 4 : 0); break;
      case MIXED: x *= scales[random_below(9)]; break;
      case KINDS: break;
    }
    put(elem, out, i, x);
  }
}

static Sq4 *learn(Metric metric, Elem elem, u32 dim, u8 *const *rows, u32 count) {
  const void *sample[64];
  Sq4 *s = NULL;
  u32 i;
  for (i = 0; i < count; i++) sample[i] = rows[i];
  if (sq4_learn(metric, elem, dim, sample, count, &s)) exit(1);
  return s;
}

/* Rows of up to MAX_DIM elements. */
static u8 row_bytes[ROWS][4 * MAX_DIM], *rows[ROWS];

/* ---- the reference -------------------------------------------------------------------------------------------------- */

static int is_negative(u32 round, u32 i) {
  u64 z = ((u64)(round + 1) << 32 | (i + 1)) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (int)(z >> 63);
}

static void rotate_reference(double *x, u32 dim) {
  u32 length = 1, round, rounds, i, h;
  if (dim < 2) return;
  while (length * 2 <= dim) length *= 2;
  rounds = length == dim ? 3 : 4;
  for (round = 0; round < rounds; round++) {
    double *p = round % 2 ? x + dim - length : x;
    for (i = 0; i < length; i++) p[i] *= (is_negative(round, i) ? -1 : 1) / sqrt(length);
    for (h = 1; h < length; h *= 2) {
      for (i = 0; i < length; i++) {
        double a = p[i], b = p[i | h];
        if (i & h) continue;
        p[i] = a + b;
        p[i | h] = a - b;
      }
    }
  }
}

/* Elements, for cosine of the normalised vector. */
static void read_reference(Metric metric, Elem elem, u32 dim, const u8 *v, double *x) {
  double norm2 = 0;
  u32 i;
  for (i = 0; i < dim; i++) {
    x[i] = elem_get(elem, v, i);
    norm2 += x[i] * x[i];
  }
  for (i = 0; i < dim && metric == METRIC_COSINE && norm2 > 0; i++) x[i] /= sqrt(norm2);
}

/* Coordinates in steps. */
static void coordinates_reference(const Sq4 *s, const u8 *v, double *x) {
  u32 i;
  read_reference(s->metric, s->elem, s->dim, v, x);
  for (i = 0; i < s->dim; i++) x[i] = (x[i] - (double)s->mean[i]) / (double)s->step;
  rotate_reference(x, s->dim);
}

static u32 code_at(const u8 *code, u32 i) { return code[i / 128 * 64 + i % 64] >> (i % 128 < 64 ? 0 : 4) & 15; }

/* ---- rotation ------------------------------------------------------------------------------------------------------- */

/* Mean 0 and step 1: coordinates are the rotated vector itself. */
static Sq4 *bare(u32 dim) {
  static u8 bytes[8 + 4 * MAX_DIM];
  Sq4 *s = NULL;
  store32(bytes, SQ4_FORMAT);
  store32(bytes + 4, 0x3f800000);
  if (sq4_load(METRIC_L2, ELEM_F32, dim, bytes, &s)) exit(1);
  return s;
}

static void test_rotation_of(const char *level, u32 dim) {
  static float x[MAX_DIM], first[MAX_DIM], vector[MAX_DIM], plain[MAX_DIM];
  static double reference[MAX_DIM];
  double norm2 = 0, dot = 0, worst = 0, expected = 0, spread = 0;
  Sq4 *s = bare(dim);
  u32 i, a, b;
  for (i = 0; i < dim; i++) {
    vector[i] = (float)random_normal();
    reference[i] = (double)vector[i];
    expected += reference[i] * reference[i];
  }
  rotate_reference(reference, dim);
  simd_force("plain");
  sq4_coordinates(s, vector, plain);
  simd_force(level);
  sq4_coordinates(s, vector, x);
  CHECK(memcmp(x, plain, dim * sizeof *x) == 0, "%s[%u]: other bits than plain", level, dim);
  for (i = 0; i < dim; i++) {
    norm2 += (double)x[i] * (double)x[i];
    worst = MAX(worst, fabs((double)x[i] - reference[i]));
  }
  CHECK(fabs(norm2 / expected - 1) < 2e-6, "%s[%u]: norm2 %g, of %g", level, dim, norm2, expected);
  CHECK(worst < 1e-6 * sqrt(expected), "%s[%u]: off by %g", level, dim, worst);
  a = random_below(dim);
  b = (a + 1 + random_below(MAX(dim - 1, 1))) % dim;
  memset(vector, 0, sizeof vector);
  vector[a] = 1;
  sq4_coordinates(s, vector, first);
  vector[a] = 0;
  vector[b] = 1;
  sq4_coordinates(s, vector, x);
  for (i = 0; i < dim; i++) {
    dot += (double)first[i] * (double)x[i];
    spread = MAX(spread, fabs((double)first[i]));
  }
  CHECK(fabs(dot - (a == b)) < 1e-6, "%s[%u]: dimensions %u and %u meet: %g", level, dim, a, b, dot);
  CHECK(dim < 64 || spread < 8 / sqrt(dim), "%s[%u]: dimension %u is %g of one", level, dim, a, spread);
  sq4_free(s);
}

static void test_rotation(void) {
  u32 level, dim;
  for (level = 0; level < LEVELS; level++) {
    if (!simd_force(levels[level])) continue;
    for (dim = 1; dim; dim = next_dim(dim)) test_rotation_of(levels[level], dim);
  }
}

/* ---- what is learned ------------------------------------------------------------------------------------------------ */

/* Mean and step of rows[0..count) against double. */
static void check_learned(const Sq4 *s, u32 count, const char *what) {
  static double mean[MAX_DIM], x[MAX_DIM];
  double square = 0, size = 0, worst = 0;
  u32 i, r;
  memset(mean, 0, sizeof mean);
  for (r = 0; r < count; r++) {
    read_reference(s->metric, s->elem, s->dim, rows[r], x);
    for (i = 0; i < s->dim; i++) mean[i] += x[i] / count;
  }
  for (r = 0; r < count; r++) {
    read_reference(s->metric, s->elem, s->dim, rows[r], x);
    for (i = 0; i < s->dim; i++) {
      square += (x[i] - mean[i]) * (x[i] - mean[i]);
      size = MAX(size, fabs(x[i]));
    }
  }
  for (i = 0; i < s->dim; i++) worst = MAX(worst, fabs(mean[i] - (double)s->mean[i]));
  square = 2 * 2.7 / 15 * sqrt(square / count / s->dim);
  CHECK(worst <= 2e-6 * size, "%s %s %s[%u]: mean off by %g", what, metric_name(s->metric), elem_name(s->elem), s->dim,
        worst);
  CHECK(fabs((double)s->step / square - 1) < 1e-4, "%s %s %s[%u]: step %g, not %g", what, metric_name(s->metric),
        elem_name(s->elem), s->dim, (double)s->step, square);
}

static void test_learn(void) {
  const Sq4 *s;
  Sq4 *learned;
  const void *sample[3] = {rows[0], rows[1], rows[2]};
  u32 m, e, dim, i;
  for (m = 0; m < METRICS; m++) {
    for (e = 0; e < ELEMS; e++) {
      for (dim = 2; dim < 300; dim += 1 + dim / 4) {
        for (i = 0; i < ROWS; i++) fill(elems[e], SHIFTED, dim, rows[i]);
        learned = learn(metrics[m], elems[e], dim, rows, ROWS);
        check_learned(learned, ROWS, "shifted");
        sq4_free(learned);
        if (metrics[m] == METRIC_COSINE) continue;
        for (i = 0; i < ROWS; i++) fill(elems[e], HUGE_ONES, dim, rows[i]);
        learned = learn(metrics[m], elems[e], dim, rows, ROWS);
        check_learned(learned, ROWS, "huge");
        sq4_free(learned);
      }
    }
  }
  /* Without any vector, with zeros alone, with equal ones. */
  s = learned = learn(METRIC_L2, ELEM_F32, 100, rows, 0);
  CHECK(fabs((double)s->step - 0.36) < 1e-6 && s->mean[0] == 0, "none: %g", (double)s->step);
  sq4_free(learned);
  memset(rows[0], 0, 400);
  s = learned = learn(METRIC_COSINE, ELEM_F32, 100, rows, 1);
  CHECK(fabs((double)s->step - 0.036) < 1e-6, "cosine of zeros: %g", (double)s->step);
  sq4_free(learned);
  for (i = 0; i < 100; i++) put(ELEM_F32, rows[0], i, -10);
  memcpy(rows[1], rows[0], 400);
  s = learned = learn(METRIC_DOT, ELEM_F32, 100, rows, 2);
  CHECK(fabs((double)s->step - 3.6) < 1e-5 && s->mean[99] == -10, "equal: %g", (double)s->step);
  sq4_free(learned);
  /* A few rows far out do not widen the range. */
  {
    static u8 bytes[60][400];
    const void *all[60];
    double near;
    Sq4 *other;
    for (i = 0; i < 60; i++) fill(ELEM_F32, NORMAL, 100, bytes[i]);
    for (i = 0; i < 60; i++) all[i] = bytes[i];
    if (sq4_learn(METRIC_L2, ELEM_F32, 100, all, 60, &other)) exit(1);
    near = (double)other->step;
    sq4_free(other);
    for (i = 0; i < 100; i++) put(ELEM_F32, bytes[7], i, 40 * elem_get(ELEM_F32, bytes[7], i));
    if (sq4_learn(METRIC_L2, ELEM_F32, 100, all, 60, &other)) exit(1);
    CHECK(fabs((double)other->step / near - 1) < 0.02, "with a row far out: step %g, not %g", (double)other->step,
          near);
    sq4_free(other);
  }
  /* Bad elements. */
  for (i = 0; i < 3; i++) fill(ELEM_F32, NORMAL, 100, rows[i]);
  s = learned = learn(METRIC_L2, ELEM_F32, 100, rows, 2);
  store32(rows[2] + 4 * 50, 0x7fc00000);
  {
    Sq4 *other = NULL;
    static u8 bytes[2][8 + 400];
    if (sq4_learn(METRIC_L2, ELEM_F32, 100, sample, 3, &other)) exit(1);
    sq4_store(s, bytes[0]);
    sq4_store(other, bytes[1]);
    CHECK(memcmp(bytes[0], bytes[1], sq4_size(100)) == 0, "a NaN was learned");
    sq4_free(other);
  }
  sq4_free(learned);
  /* The mean is large, the variance below what floats hold. */
  for (i = 0; i < 100; i++) {
    put(ELEM_F32, rows[0], i, 1e6);
    put(ELEM_F32, rows[1], i, 1e6 + (i == 3 ? 0.0625 : 0));
  }
  s = learned = learn(METRIC_L2, ELEM_F32, 100, rows, 2);
  CHECK((double)s->step >= 1e6 * 0x1p-20 && (double)s->step < 1.01e6 * 0x1p-20, "nearly equal: %g", (double)s->step);
  sq4_free(learned);
}

/* ---- codes ---------------------------------------------------------------------------------------------------------- */

static Guarded code_memory, vector_memory;

/* The code of a vector against the reference: each code is nearest, or a tie; clipped ones are counted. */
static void check_code(const Sq4 *s, const char *level, Kind kind, const u8 *v, const u8 *code, u32 clipped) {
  static double x[MAX_DIM];
  u32 i, wrong = 0, outside = 0, unsure = 0;
  double largest = 0, scale, tolerance;
  coordinates_reference(s, v, x);
  for (i = 0; i < s->dim; i++) largest = MAX(largest, fabs(x[i]));
  /* What the centring of elements that are large beside the step loses, and the rotation. */
  scale = 1 / (double)s->step;
  for (i = 0; i < s->dim; i++) largest = MAX(largest, fabs((double)s->mean[i]) * scale);
  tolerance = 1e-6 * sqrt(s->dim) * (largest + 1) + 1e-5;
  for (i = 0; i < s->dim; i++) {
    double off = x[i] + 7.5 - code_at(code, i), low = x[i] + 8, high = 8 - x[i];
    u32 c = code_at(code, i);
    wrong += (off > 0.5 + tolerance && c < 15) || (off < -0.5 - tolerance && c > 0);
    outside += low < 0 || high < 0;
    unsure += fabs(low) < tolerance || fabs(high) < tolerance;
  }
  CHECK(wrong == 0, "%s %s %s[%u] kind %d: %u codes are not the nearest", level, metric_name(s->metric),
        elem_name(s->elem), s->dim, kind, wrong);
  CHECK(clipped <= outside + unsure && clipped + unsure >= outside, "%s %s %s[%u] kind %d: %u clipped, %u outside",
        level, metric_name(s->metric), elem_name(s->elem), s->dim, kind, clipped, outside);
}

static void check_padding(const Sq4 *s, const u8 *code) {
  u32 i, bad = 0;
  for (i = s->dim; i < s->blocks * 128; i++) bad += code_at(code, i) != 0;
  CHECK(bad == 0, "[%u]: %u dimensions of padding have a code", s->dim, bad);
}

/* The values that a kernel must give, from the bytes of code and query. */
static u32 value_reference(const Sq4Query *q, const u8 *code, u32 dim) {
  i64 sum = SQ4_ZERO;
  u32 i;
  for (i = 0; i < dim; i++) {
    i32 x = (i32)code_at(code, i);
    sum += x * (q->table[0] ? 4 * x - 60 : 0) + x * q->minus[i];
  }
  return (u32)sum;
}

/* 16 times the squared distance of query and code over their first `dim` dimensions. */
static u64 distance_reference(const Sq4Query *q, const u8 *code, u32 dim) {
  u64 sum = 0;
  u32 i;
  for (i = 0; i < dim; i++) {
    i64 d = 8 * (i64)code_at(code, i) - 60 + q->minus[i];
    sum += (u64)(d * d);
  }
  return sum;
}

/* Heads of codes: their values; which of two rows is told to be far by that of the other. */
static void check_heads(const Sq4 *s, const char *level, const Sq4Query *q, const u8 *const *codes, const u32 *values,
                        u32 count) {
  u32 heads[ROWS + 1], dims = sq4_head(s) * 2, i, j;
  double part = (double)dims / s->dim;
  Sq4Query *own;
  u64 sum = 0, sum2 = 0, n = 0, most_share;
  int known, rc = SQLITE_OK;
  CHECK(dims == (s->metric == METRIC_DOT || s->blocks < 3 ? 0 : (s->blocks + 2) / 3 * 128), "%u in the head", dims);
  if (dims == 0) return;
  heads[count] = 77;
  sq4_heads()(q, codes, count, heads);
  CHECK(heads[count] == 77, "writes too many values of heads");
  own = mem_aligned(&rc, sq4_query_size(s));
  if (rc) exit(1);
  memcpy(own, q, sq4_query_size(s));
  known = sq4_measure_heads(own, values, heads, count);
  for (i = 0; i < count; i++) {
    u64 whole = distance_reference(q, codes[i], s->dim), share;
    if (whole == 0) continue;
    share = distance_reference(q, codes[i], dims) * 65536 / whole;
    sum += share;
    sum2 += share * share;
    n++;
  }
  CHECK(known == (n >= SQ4_MEASURED), "%d after %u rows", known, (u32)n);
  most_share = n == 0 ? 0
                      : sum / n + (u32)(SQ4_MARGIN * MAX(sqrt((double)((sum2 - sum * sum / n) / n)),
                                                         (u32)(65536 * part * sqrt(2 * (1 - part) / dims))));
  for (i = 0; i < count; i++) {
    u64 most = distance_reference(q, codes[i], s->dim) * most_share >> 16;
    u32 limit = known ? sq4_head_limit(own, values[i]) : 0;
    CHECK(heads[i] == value_reference(q, codes[i], dims), "%s %s[%u] row %u of %u: head %u", level,
          metric_name(s->metric), s->dim, i, count, heads[i]);
    for (j = 0; j < count && known; j++) {
      CHECK((heads[j] > limit) == (distance_reference(q, codes[j], dims) > most), "%s %s[%u]: head %u, limit %u", level,
            metric_name(s->metric), s->dim, heads[j], limit);
    }
  }
  mem_aligned_free(own);
}

/* The query's coordinates against the reference. */
static void check_query(const Sq4 *s, Kind kind, const u8 *v, const Sq4Query *q) {
  static double x[MAX_DIM];
  double max = 0, worst = 0;
  u32 i;
  if (s->metric == METRIC_DOT) {
    read_reference(s->metric, s->elem, s->dim, v, x);
    rotate_reference(x, s->dim);
    for (i = 0; i < s->dim; i++) max = MAX(max, fabs(x[i]));
    for (i = 0; i < s->dim; i++) x[i] *= max > 0 ? 127 / max : 0;
  } else {
    coordinates_reference(s, v, x);
    for (i = 0; i < s->dim; i++) x[i] = MAX(-127, MIN(127, 8 * x[i]));
  }
  for (i = 0; i < s->dim; i++) worst = MAX(worst, fabs(x[i] + q->minus[i]));
  CHECK(worst < 0.5 + 0.02, "%s %s[%u] kind %d: query off by %g", metric_name(s->metric), elem_name(s->elem), s->dim,
        kind, worst);
  for (i = s->dim; i < s->blocks * 128; i++) max = q->minus[i] ? -1 : max;
  CHECK(max >= 0, "[%u]: padding of the query", s->dim);
}

/* Data of one kind: what is learned from it, and codes, query and values at every level. */
static void test_codes_of(Metric metric, Elem elem, u32 dim, Kind kind) {
  static u8 plain[ROWS][64 * 64];
  u32 stride = sq4_stride(metric, elem, dim), count = 1 + random_below(ROWS), level, i, clipped[ROWS] = {0};
  const u8 *codes[ROWS];
  u32 values[ROWS + 1];
  u8 *all = random_below(2) ? code_memory.start : code_memory.end - ROWS * stride;
  size_t size = (size_t)elem_size(elem, dim);
  u8 *vector = random_below(2) ? vector_memory.start : vector_memory.end - size;
  Sq4 *s;
  Sq4Query *q, *plain_query;
  int rc = SQLITE_OK;
  for (i = 0; i < ROWS; i++) fill(elem, kind, dim, rows[i]);
  simd_force("plain");
  s = learn(metric, elem, dim, rows, ROWS - 1);
  CHECK(s->step > 0 && s->step <= FLT_MAX && isfinite(s->mean[0]), "step %g", (double)s->step);
  q = mem_aligned(&rc, sq4_query_size(s));
  plain_query = mem_aligned(&rc, sq4_query_size(s));
  if (rc) exit(1);
  for (level = 0; level < LEVELS; level++) {
    if (!simd_force(levels[level])) continue;
    for (i = 0; i < ROWS; i++) {
      u8 *code = all + (ROWS - 1 - i) * stride;
      u32 n;
      codes[i] = code;
      memcpy(vector, rows[i], size);
      memset(code, 255, stride);
      n = sq4_encode(s, vector, code);
      if (level == 0) {
        memcpy(plain[i], code, stride);
        clipped[i] = n;
        check_padding(s, code);
        if (is_regular(kind)) check_code(s, levels[level], kind, vector, code, n);
      }
      CHECK(memcmp(code, plain[i], stride) == 0 && n == clipped[i], "%s %s %s[%u] kind %d: other code than plain",
            levels[level], metric_name(metric), elem_name(elem), dim, kind);
    }
    memcpy(vector, rows[ROWS - 1], size);
    memset(q, 255, sq4_query_size(s));
    sq4_query(s, vector, q);
    if (level == 0) memcpy(plain_query, q, sq4_query_size(s));
    CHECK(memcmp(q, plain_query, sq4_query_size(s)) == 0, "%s %s %s[%u] kind %d: other query than plain", levels[level],
          metric_name(metric), elem_name(elem), dim, kind);
    if (is_regular(kind) && level == 0) check_query(s, kind, vector, q);
    for (i = 0; i <= ROWS; i++) values[i] = 77;
    sq4_distances()(q, codes, count, values);
    CHECK(values[count] == 77, "writes too many values");
    for (i = 0; i < count; i++) {
      u32 expected = value_reference(q, codes[i], dim);
      CHECK(values[i] == expected, "%s %s %s[%u] kind %d row %u of %u: %u, not %u", levels[level], metric_name(metric),
            elem_name(elem), dim, kind, i, count, values[i], expected);
    }
    check_heads(s, levels[level], q, codes, values, count);
  }
  mem_aligned_free(q);
  mem_aligned_free(plain_query);
  sq4_free(s);
}

typedef void (*CaseTest)(Metric metric, Elem elem, u32 dim, Kind kind);

/* Each metric, type, dimension and kind; of more than `most` dimensions, of the kinds from `first` on, one in four. */
static void each_case(u32 most, int first, CaseTest test) {
  u32 m, e, dim;
  int kind;
  for (m = 0; m < METRICS; m++) {
    for (e = 0; e < ELEMS; e++) {
      for (dim = 1; dim; dim = next_dim(dim)) {
        for (kind = 0; kind < KINDS; kind++) {
          if (dim > most && kind >= first && (dim + (u32)kind) % 4) continue;
          test(metrics[m], elems[e], dim, (Kind)kind);
        }
      }
    }
  }
}

static void test_codes(void) {
  code_memory = guarded_new(ROWS * 64 * 64);
  vector_memory = guarded_new(4 * MAX_DIM);
  each_case(40, 1, test_codes_of);
}

/* Sums at the ends of their range: all codes 0 or 15, all of the query -127 or 127. */
static void test_extreme_sums(void) {
  static u8 code[2][64 * 64];
  const u8 *pair[2] = {code[0], code[1]};
  static const u32 dims[] = {128, 256, 1024, 8192};
  u32 d, level, i, side;
  int rc = SQLITE_OK;
  memset(code[1], 255, sizeof code[1]);
  for (d = 0; d < 4; d++) {
    Sq4 *s = bare(dims[d]);
    Sq4Query *q = mem_aligned(&rc, sq4_query_size(s));
    if (rc) exit(1);
    sq4_query(s, row_bytes[0], q);
    for (side = 0; side < 3; side++) {
      for (i = 0; i < dims[d]; i++) q->minus[i] = side == 0 ? 127 : side == 1 ? -127 : i % 2 ? 127 : -127;
      for (level = 0; level < LEVELS; level++) {
        u32 values[2];
        if (!simd_force(levels[level])) continue;
        sq4_distances()(q, pair, 2, values);
        for (i = 0; i < 2; i++) {
          CHECK(values[i] == value_reference(q, code[i], dims[d]), "%s[%u] side %u: %u", levels[level], dims[d], side,
                values[i]);
        }
        CHECK(side == 2 || (i32)(values[1] - SQ4_ZERO) == (side ? -1905 : 1905) * (i32)dims[d], "%u", values[1]);
      }
    }
    mem_aligned_free(q);
    sq4_free(s);
  }
}

/* ---- ranking -------------------------------------------------------------------------------------------------------- */

#define RANKED 2000
#define NEAREST 10

typedef struct Ranked {
  double key;
  u32 row;
} Ranked;

static int compare_ranked(const void *a, const void *b) {
  const Ranked *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return x->row < y->row ? -1 : x->row > y->row;
}

/* The part of the nearest ten that is among the first `first` by key. */
static double recall(const double *truth, const double *key, u32 first) {
  static Ranked a[RANKED], b[RANKED];
  u32 i, j, found = 0;
  for (i = 0; i < RANKED; i++) {
    a[i].key = truth[i];
    b[i].key = key[i];
    a[i].row = b[i].row = i;
  }
  qsort(a, RANKED, sizeof *a, compare_ranked);
  qsort(b, RANKED, sizeof *b, compare_ranked);
  for (i = 0; i < NEAREST; i++) {
    for (j = 0; j < first; j++) found += a[i].row == b[j].row;
  }
  return (double)found / NEAREST;
}

/* Data with a few directions, as real data has: dimension i has deviation 1/(1 + i/8). Norms vary. */
static void fill_directions(Elem elem, u32 dim, u8 *out) {
  double size = 1 + random_unit() * 0.3;
  u32 i;
  for (i = 0; i < dim; i++) put(elem, out, i, 0.5 + size * random_normal() / (1 + i / 8.0));
}

/* Of rows as near as the limit, and of those further than 1.5 times that, how many the heads tell to be far. */
typedef struct HeadCounts {
  u32 near, lost, far, told;
} HeadCounts;

static int compare_u32(const void *a, const void *b) {
  u32 x = *(const u32 *)a, y = *(const u32 *)b;
  return (x > y) - (x < y);
}

static void count_heads(const Sq4 *s, Sq4Query *q, const u8 *const *codes, const u32 *values, HeadCounts *c) {
  u32 heads[RANKED], sorted[RANKED], near[RANKED / 20], near_heads[RANKED / 20], limit, most, i, n = 0;
  if (sq4_head(s) == 0) return;
  memcpy(sorted, values, sizeof sorted);
  qsort(sorted, RANKED, sizeof *sorted, compare_u32);
  limit = sorted[RANKED / 20];
  sq4_heads()(q, codes, RANKED, heads);
  for (i = 0; i < RANKED && n < RANKED / 20; i++) { /* as a walk meets: some of the nearer ones */
    if (values[i] > sorted[RANKED / 4]) continue;
    near[n] = values[i];
    near_heads[n++] = heads[i];
  }
  CHECK(sq4_measure_heads(q, near, near_heads, n), "%u rows are too few", n);
  most = sq4_head_limit(q, limit);
  for (i = 0; i < 50; i++) CHECK(sq4_measure_heads(q, near, near_heads, n), "it is known already");
  CHECK(sq4_head_limit(q, limit) / 100 == most / 100, "%u, %u after as many more rows as are measured", most,
        sq4_head_limit(q, limit));
  for (i = 0; i < RANKED; i++) {
    double distance = (double)values[i] - SQ4_ZERO + (double)q->constant / 16,
           of_limit = (double)limit - SQ4_ZERO + (double)q->constant / 16;
    c->near += values[i] <= limit;
    c->lost += values[i] <= limit && heads[i] > most;
    c->far += distance > 1.5 * of_limit;
    c->told += distance > 1.5 * of_limit && heads[i] > most;
  }
}

static void test_ranking_of(Metric metric, Elem elem, u32 dim) {
  static double truth[RANKED], four[RANKED], eight[RANKED];
  u32 size = (u32)elem_size(elem, dim), stride = sq4_stride(metric, elem, dim), wide = codes_stride(metric, elem, dim);
  const void *sample[RANKED];
  const u8 *codes[RANKED], *wide_rows[RANKED];
  u32 values[RANKED], i, queries = 10, run, clipped = 0;
  float distances[RANKED];
  double found4 = 0, found8 = 0;
  HeadCounts heads = {0, 0, 0, 0};
  u8 *data, *code, *wide_code, query_row[16 + MAX_DIM];
  Sq4 *s = NULL;
  Sq4Query *q;
  Walk8Query *w;
  int rc = SQLITE_OK;
  data = mem_array(&rc, RANKED, size);
  code = mem_aligned(&rc, RANKED * (u64)stride);
  wide_code = mem_aligned(&rc, RANKED * (u64)wide);
  w = mem_aligned(&rc, walk8_query_size(dim));
  if (rc) exit(1);
  for (i = 0; i < RANKED; i++) {
    fill_directions(elem, dim, data + (size_t)i * size);
    sample[i] = data + (size_t)i * size;
  }
  if (sq4_learn(metric, elem, dim, sample, RANKED, &s)) exit(1);
  q = mem_aligned(&rc, sq4_query_size(s));
  if (rc) exit(1);
  for (i = 0; i < RANKED; i++) {
    codes[i] = code + (size_t)i * stride;
    wide_rows[i] = wide_code + (size_t)i * wide;
    clipped += sq4_encode(s, sample[i], code + (size_t)i * stride);
    codes_encode(metric, elem, sample[i], dim, wide_code + (size_t)i * wide);
  }
  CHECK(clipped < RANKED * dim / 50, "%s %s[%u]: %u of %u clipped", metric_name(metric), elem_name(elem), dim, clipped,
        RANKED * dim);
  for (run = 0; run < queries; run++) {
    fill_directions(elem, dim, rows[0]);
    for (i = 0; i < RANKED; i++) truth[i] = distance_exact(metric, elem, rows[0], sample[i], dim);
    sq4_query(s, rows[0], q);
    sq4_distances()(q, codes, RANKED, values);
    count_heads(s, q, codes, values, &heads);
    codes_encode(metric, elem, rows[0], dim, query_row);
    walk8_query(metric, WALK8_QUERY, dim, query_row, 0, w);
    walk8_distances(metric)(w, wide_rows, RANKED, distances);
    for (i = 0; i < RANKED; i++) {
      four[i] = values[i];
      eight[i] = (double)distances[i];
    }
    found4 += recall(truth, four, 3 * NEAREST) / queries;
    found8 += recall(truth, eight, NEAREST) / queries;
  }
  if (elem == ELEM_F32) {
    printf("ranking, %s[%u]: 4-bit recall of 10 in 30 %.3f, 8-bit of 10 in 10 %.3f, clipped %.2f %%\n",
           metric_name(metric), dim, found4, found8, 100.0 * clipped / RANKED / dim);
    if (heads.near) {
      printf("  heads of %u bytes: lose %u of %u near rows, tell %u of %u far ones\n", sq4_head(s), heads.lost,
             heads.near, heads.told, heads.far);
    }
  }
  CHECK(heads.lost <= heads.near / 50, "%s %s[%u]: heads lose %u of %u", metric_name(metric), elem_name(elem), dim,
        heads.lost, heads.near);
  CHECK(heads.told >= heads.far - heads.far / 20, "%s %s[%u]: heads tell %u of %u", metric_name(metric),
        elem_name(elem), dim, heads.told, heads.far);
  CHECK(found4 >= 0.95, "%s %s[%u]: 4-bit recall %.3f", metric_name(metric), elem_name(elem), dim, found4);
  CHECK(found8 >= 0.88, "%s %s[%u]: 8-bit recall %.3f", metric_name(metric), elem_name(elem), dim, found8);
  mem_free(data);
  mem_aligned_free(code);
  mem_aligned_free(wide_code);
  mem_aligned_free(q);
  mem_aligned_free(w);
  sq4_free(s);
}

static void test_ranking(void) {
  static const u32 dims[] = {128, 200, 768};
  u32 m, e, d;
  for (m = 0; m < METRICS; m++) {
    for (e = 0; e < ELEMS; e++) {
      for (d = 0; d < (DIM_STEP > 1 ? 2 : 3); d++) test_ranking_of(metrics[m], elems[e], dims[d]);
    }
  }
  for (m = 0; m < 2; m++)
    test_ranking_of(metrics[m], ELEM_F32, 500); /* heads, which l2 and cosine have, after an uneven rotation */
}

/* Values are distances in units of step^2/4, up to a constant: the difference of two rows tells how well. */
static void test_values(void) {
  static double x[MAX_DIM], y[MAX_DIM];
  static const u32 dims[] = {1, 2, 17, 128, 200, 768};
  u32 m, d, i, j, values[ROWS];
  static u8 code[ROWS][64 * 64];
  const u8 *codes[ROWS];
  for (m = 0; m < 2; m++) {
    for (d = 0; d < 6; d++) {
      u32 dim = dims[d];
      double difference, estimate, worst = 0, truth[ROWS];
      Sq4Query *q;
      Sq4 *s;
      int rc = SQLITE_OK;
      for (i = 0; i < ROWS; i++) fill(ELEM_F32, SHIFTED, dim, rows[i]);
      s = learn(metrics[m], ELEM_F32, dim, rows, ROWS);
      q = mem_aligned(&rc, sq4_query_size(s));
      if (rc) exit(1);
      for (i = 0; i < ROWS; i++) {
        sq4_encode(s, rows[i], code[i]);
        codes[i] = code[i];
      }
      sq4_query(s, rows[0], q);
      sq4_distances()(q, codes, ROWS, values);
      read_reference(metrics[m], ELEM_F32, dim, rows[0], x);
      for (i = 0; i < ROWS; i++) {
        read_reference(metrics[m], ELEM_F32, dim, rows[i], y);
        for (truth[i] = 0, j = 0; j < dim; j++) truth[i] += (x[j] - y[j]) * (x[j] - y[j]);
      }
      for (i = 0; i < ROWS; i++) {
        difference = truth[i] - truth[0];
        estimate = ((double)values[i] - (double)values[0]) * (double)s->step * (double)s->step / 4;
        worst = MAX(worst, fabs(difference - estimate) / (double)s->step / (double)s->step);
      }
      /* Rows lie within a step in each dimension (unless clipped), differences within 15. */
      CHECK(worst < 25 * sqrt(dim), "%s[%u]: off by %g steps^2", metric_name(metrics[m]), dim, worst);
      mem_aligned_free(q);
      sq4_free(s);
    }
  }
}

/* ---- 1-bit codes ---------------------------------------------------------------------------------------------------- */

#define GROUP_MAX (RABITQ_ROWS * (8 + MAX_DIM / 8))

static u8 group_bytes[2][GROUP_MAX];
static float centre[MAX_DIM + 64], point[MAX_DIM];

static int sign_of(const u8 *group, u32 row, u32 d) {
  return group[RABITQ_CODES_AT + d / 8 * RABITQ_ROWS + row] >> d % 8 & 1 ? 1 : -1;
}

/* Row `row` of a group against the reference. x: its residual in double. */
static void check_signs(const Sq4 *s, Kind kind, const double *x, const double *c, const u8 *group, u32 row) {
  double norm2 = 0, sum = 0, shift = 0, factor, add, slack = 0;
  u32 d, wrong = 0;
  for (d = 0; d < s->dim; d++) {
    int sign = sign_of(group, row, d);
    norm2 += x[d] * x[d];
    sum += sign * x[d];
    shift += sign * c[d];
    slack += fabs(c[d]) + fabs(x[d]);
    wrong += fabs(x[d]) > 1e-3 * (1 + fabs(c[d])) && sign != (x[d] < 0 ? -1 : 1);
  }
  CHECK(wrong == 0, "%s %s[%u] kind %d: %u signs", metric_name(s->metric), elem_name(s->elem), s->dim, kind, wrong);
  for (d = s->dim; d < (s->dim + 7) / 8 * 8; d++) CHECK(sign_of(group, row, d) < 0, "[%u]: a bit beyond", s->dim);
  factor = sum > 0 ? norm2 / sum : 0;
  add = s->metric == METRIC_DOT ? 0 : norm2 + 2 * factor * shift;
  CHECK(fabs(factor - (double)f32_at(group, RABITQ_ROWS + row)) <= 1e-3 * (1 + factor), "[%u]: factor %g, not %g",
        s->dim, (double)f32_at(group, RABITQ_ROWS + row), factor);
  CHECK(fabs(add - (double)f32_at(group, row)) <= 1e-2 * (1 + norm2 + factor * slack), "[%u]: add %g, not %g", s->dim,
        (double)f32_at(group, row), add);
}

static void test_rabitq_of(Metric metric, Elem elem, u32 dim, Kind kind) {
  static double x[MAX_DIM], c[MAX_DIM];
  u32 row_size = rabitq_row_bytes(metric, elem, dim), size = RABITQ_ROWS * row_size, level, i, d, hits[2] = {0, 0};
  u8 *group = code_memory.end - size, *vector = vector_memory.end - (size_t)elem_size(elem, dim);
  float w[2][RABITQ_ROWS], limit = 0;
  RabitqList list[2];
  RabitqQuery *q, *plain;
  Sq4 *s;
  int rc = SQLITE_OK;
  for (i = 0; i < ROWS; i++) fill(elem, kind, dim, rows[i]);
  simd_force("plain");
  s = learn(metric, elem, dim, rows, ROWS - 1);
  for (d = 0; d < dim; d++) point[d] = (float)elem_get(elem, rows[0], d) * 0.75f;
  q = mem_aligned(&rc, rabitq_query_size(dim));
  plain = mem_aligned(&rc, rabitq_query_size(dim));
  if (rc) exit(1);
  for (level = 0; level < LEVELS; level++) {
    u32 side = level > 0;
    if (!simd_force(levels[level])) continue;
    memset(group, 255, size);
    rabitq_centre(s, point, centre);
    for (i = 0; i < RABITQ_ROWS; i++) {
      memcpy(vector, rows[i % ROWS], (size_t)elem_size(elem, dim));
      rabitq_put(s, centre, vector, group, i);
    }
    memcpy(group_bytes[side], group, size);
    CHECK(memcmp(group_bytes[0], group, size) == 0, "%s %s %s[%u] kind %d: other code than plain", levels[level],
          metric_name(metric), elem_name(elem), dim, kind);
    memcpy(vector, rows[ROWS - 1], (size_t)elem_size(elem, dim));
    memset(q, 255, rabitq_query_size(dim));
    rabitq_query(s, vector, q);
    rabitq_list(q, 3.5f, &list[side]);
    if (level == 0) memcpy(plain, q, rabitq_query_size(dim));
    plain->scan = q->scan;
    CHECK(memcmp(q, plain, rabitq_query_size(dim)) == 0, "%s %s %s[%u] kind %d: other query than plain", levels[level],
          metric_name(metric), elem_name(elem), dim, kind);
    hits[side] = rabitq_scan(q, &list[side], group, limit, w[side]);
    if (level == 0) { /* again, where some rows are on either side */
      limit = w[0][dim % RABITQ_ROWS];
      hits[0] = rabitq_scan(q, &list[0], group, limit, w[0]);
      for (i = 0; i < RABITQ_ROWS; i++)
        CHECK((hits[0] >> i & 1) == (u32) !(w[0][i] > limit), "[%u] kind %d row %u: hit", dim, kind, i);
    }
    CHECK(hits[side] == hits[0] && memcmp(w[side], w[0], sizeof w[0]) == 0,
          "%s %s %s[%u] kind %d: other values than plain", levels[level], metric_name(metric), elem_name(elem), dim,
          kind);
  }
  for (i = 0; is_regular(kind) && i < ROWS; i++) {
    coordinates_reference(s, rows[i], x);
    for (d = 0; d < dim; d++) c[d] = (double)centre[d];
    for (d = 0; d < dim; d++) x[d] -= c[d];
    check_signs(s, kind, x, c, group_bytes[0], i);
  }
  mem_aligned_free(q);
  mem_aligned_free(plain);
  sq4_free(s);
}

/* All entries of the tables 127, dimensions beyond what 16 bits sum. */
static void test_rabitq_sums(void) {
  static const u32 dims[] = {1, 8, 2040, 2048, 2056, 4096, 8192};
  static float w[RABITQ_ROWS];
  u32 d, level, i;
  int rc = SQLITE_OK;
  for (d = 0; d < sizeof dims / sizeof *dims; d++) {
    RabitqQuery *q = mem_aligned(&rc, rabitq_query_size(dims[d]));
    Sq4 *s = bare(dims[d]);
    RabitqList list = {0, 1, 0};
    if (rc) exit(1);
    memset(group_bytes[0], 0x5a, GROUP_MAX);
    for (i = 0; i < RABITQ_ROWS; i++) {
      store32(group_bytes[0] + 4 * i, 0);
      store32(group_bytes[0] + 4 * (RABITQ_ROWS + i), 0x3f800000);
    }
    for (level = 0; level < LEVELS; level++) {
      if (!simd_force(levels[level])) continue;
      rabitq_query(s, row_bytes[0], q);
      memset(q->table, 127, 32 * (size_t)q->bytes);
      q->slope = 1;
      CHECK(rabitq_scan(q, &list, group_bytes[0], INFINITY, w) == 0xffffffffu, "a limit of infinity");
      for (i = 0; i < RABITQ_ROWS; i++)
        CHECK(w[i] == (float)(254 * ((dims[d] + 7) / 8)), "%s[%u] row %u: %g", levels[level], dims[d], i, (double)w[i]);
    }
    mem_aligned_free(q);
    sq4_free(s);
  }
}

/* Rows about a centre: the estimate has no bias, and the bound is kept by about nine in ten. */
static void test_rabitq_estimate(Metric metric, u32 dim) {
  static float row[RABITQ_ROWS][8192], query[8192];
  u32 runs = DIM_STEP > 1 ? 10 : 60, run, i, d, kept = 0, count = 0;
  double bias = 0, deviation = 0;
  Sq4 *s = bare(dim);
  RabitqQuery *q;
  int rc = SQLITE_OK;
  s->metric = metric;
  q = mem_aligned(&rc, rabitq_query_size(dim));
  if (rc) exit(1);
  for (run = 0; run < runs; run++) {
    RabitqList list;
    float w[RABITQ_ROWS];
    double distance = 0, product = 0;
    for (d = 0; d < dim; d++) point[d] = (float)random_normal();
    for (d = 0; d < dim; d++) query[d] = point[d] + (float)random_normal();
    for (i = 0; i < RABITQ_ROWS; i++) {
      for (d = 0; d < dim; d++) row[i][d] = point[d] + (float)random_normal();
    }
    for (d = 0; d < dim; d++) distance += pow((double)query[d] - (double)point[d], 2);
    for (d = 0; d < dim; d++) product += (double)query[d] * (double)point[d];
    rabitq_centre(s, point, centre);
    memset(group_bytes[0], 0, GROUP_MAX);
    for (i = 0; i < RABITQ_ROWS; i++) rabitq_put(s, centre, row[i], group_bytes[0], i);
    rabitq_query(s, query, q);
    rabitq_list(q, (float)(metric == METRIC_DOT ? -product : distance), &list);
    rabitq_scan(q, &list, group_bytes[0], INFINITY, w);
    for (i = 0; i < RABITQ_ROWS; i++) {
      double truth = metric == METRIC_DOT ? distance_exact(METRIC_DOT, ELEM_F32, query, row[i], dim)
                                          : pow(distance_exact(METRIC_L2, ELEM_F32, query, row[i], dim), 2);
      double off = (double)list.base + (double)list.scale * (double)w[i];
      kept += off <= truth;
      off += (double)list.scale * (double)(q->zero - list.offset) * (double)f32_at(group_bytes[0], RABITQ_ROWS + i);
      bias += off - truth;
      deviation += (off - truth) * (off - truth);
      count++;
    }
  }
  deviation = sqrt(deviation / count);
  printf("rabitq, %s[%u]: bias %.3f deviations, bound kept by %.3f\n", metric_name(metric), dim,
         bias / count / deviation, (double)kept / count);
  CHECK(fabs(bias / count) < deviation * 5 / sqrt(count), "%s[%u]: bias %g of %g", metric_name(metric), dim,
        bias / count, deviation);
  CHECK(kept > 0.84 * count && kept < 0.97 * count, "%s[%u]: bound kept by %u of %u", metric_name(metric), dim, kept,
        count);
  mem_aligned_free(q);
  sq4_free(s);
}

static void test_rabitq(void) {
  code_memory = guarded_new(GROUP_MAX);
  vector_memory = guarded_new(4 * MAX_DIM);
  each_case(40, 0, test_rabitq_of);
  test_rabitq_sums();
  simd_force(LEVELS > 1 && simd_force(levels[1]) ? levels[1] : "plain");
  test_rabitq_estimate(METRIC_L2, 128);
  test_rabitq_estimate(METRIC_L2, 768);
  test_rabitq_estimate(METRIC_DOT, 200);
}

/* ---- 1-bit rows that stand alone ----------------------------------------------------------------------------------- */

#define BIT_ROW_MAX (8 + MAX_DIM / 8 + 64)

static u8 bit_rows[ROWS][BIT_ROW_MAX];

/* A row against the reference. x: its coordinates in double. */
static void check_bit_row(const Sq4 *s, Kind kind, const double *x, const u8 *row) {
  u32 stride = rabitq_row_stride(s->metric, s->elem, s->dim), d, wrong = 0, beyond = 0;
  double norm2 = 0, sum = 0, lost = 0, factor, add;
  for (d = 0; d < 8 * (stride - RABITQ_SIGNS_AT); d++) {
    int set = row[RABITQ_SIGNS_AT + d / 8] >> d % 8 & 1;
    if (d >= s->dim) {
      beyond += (u32)set;
      continue;
    }
    norm2 += x[d] * x[d];
    sum += set ? x[d] : -x[d];
    wrong += fabs(x[d]) > 1e-3 && set != (x[d] >= 0);
  }
  CHECK(wrong == 0 && beyond == 0, "%s %s[%u] kind %d: %u signs, %u bits beyond", metric_name(s->metric),
        elem_name(s->elem), s->dim, kind, wrong, beyond);
  factor = sum > 0 ? norm2 / sum : 0;
  add = s->metric == METRIC_DOT ? 0 : norm2;
  for (d = 0; d < s->dim; d++) lost = MAX(lost, 1e-6 * fabs((double)s->mean[d]) / (double)s->step); /* in centring */
  CHECK(fabs(factor - (double)f32_at(row, 1)) <= 1e-3 * (1 + factor) + lost &&
            fabs(add - (double)f32_at(row, 0)) <= 1e-3 * (1 + add) + lost * lost * s->dim + lost * sqrt(add * s->dim),
        "%s %s[%u] kind %d: add %g and factor %g, not %g and %g", metric_name(s->metric), elem_name(s->elem), s->dim,
        kind, (double)f32_at(row, 0), (double)f32_at(row, 1), add, factor);
}

/* The query against the reference, in its own steps; then a value in double. */
static void check_bit_query(const Sq4 *s, Kind kind, const u8 *v, const RabitqRowQuery *q) {
  static double x[MAX_DIM];
  double max = 0, worst = 0;
  u32 d;
  if (s->metric == METRIC_DOT) {
    read_reference(s->metric, s->elem, s->dim, v, x);
    rotate_reference(x, s->dim);
  } else {
    coordinates_reference(s, v, x);
  }
  for (d = 0; d < s->dim; d++) max = MAX(max, fabs(x[d]));
  for (d = 0; d < s->dim && max > 0; d++) worst = MAX(worst, fabs(x[d] * 127 / max - q->u[d]));
  for (d = s->dim; d < q->blocks * RABITQ_ROW_BLOCK; d++) worst = q->u[d] ? 127 : worst;
  CHECK(worst < 0.5 + 0.02, "%s %s[%u] kind %d: query off by %g", metric_name(s->metric), elem_name(s->elem), s->dim,
        kind, worst);
}

/* What values must be, from the bytes of row and query. */
static float bit_value_reference(const RabitqRowQuery *q, const u8 *row, u32 dim) {
  i32 sum = 0;
  volatile float y; /* rounded to a float each time, on i386 too */
  u32 d;
  for (d = 0; d < dim; d++) sum += row[RABITQ_SIGNS_AT + d / 8] >> d % 8 & 1 ? q->u[d] : 0;
  y = (float)sum * q->slope;
  y = y + q->zero;
  y = y * f32_at(row, 1);
  y = y + f32_at(row, 0);
  return y;
}

static void test_bit_rows_of(Metric metric, Elem elem, u32 dim, Kind kind) {
  static double x[MAX_DIM];
  u32 stride = rabitq_row_stride(metric, elem, dim), count = 1 + random_below(ROWS), level, i;
  size_t size = (size_t)elem_size(elem, dim);
  u8 *all = random_below(2) ? code_memory.start : code_memory.end - ROWS * stride, *vector = vector_memory.end - size;
  const u8 *row[ROWS];
  float value[ROWS + 1];
  RabitqRowQuery *q, *plain;
  Sq4 *s;
  int rc = SQLITE_OK, hostile = dim % 5 == 3;
  CHECK(stride >= RABITQ_SIGNS_AT + (dim + 7) / 8 && (stride % 64 == 0 || stride == 16 || stride == 32),
        "[%u]: rows of %u", dim, stride);
  for (i = 0; i < ROWS; i++) fill(elem, kind, dim, rows[i]);
  simd_force("plain");
  s = learn(metric, elem, dim, rows, ROWS - 1);
  q = mem_aligned(&rc, rabitq_row_query_size(dim));
  plain = mem_aligned(&rc, rabitq_row_query_size(dim));
  if (rc) exit(1);
  for (level = 0; level < LEVELS; level++) {
    if (!simd_force(levels[level])) continue;
    for (i = 0; i < ROWS; i++) {
      row[i] = all + (ROWS - 1 - i) * stride;
      memset(all + (ROWS - 1 - i) * stride, 255, stride);
      memcpy(vector, rows[i], size);
      rabitq_row_put(s, vector, all + (ROWS - 1 - i) * stride);
      if (level == 0) memcpy(bit_rows[i], row[i], stride);
      CHECK(memcmp(row[i], bit_rows[i], stride) == 0, "%s %s %s[%u] kind %d: other row than plain", levels[level],
            metric_name(metric), elem_name(elem), dim, kind);
    }
    memcpy(vector, rows[ROWS - 1], size);
    memset(q, 255, rabitq_row_query_size(dim));
    rabitq_row_query(s, vector, q);
    if (level == 0) memcpy(plain, q, rabitq_row_query_size(dim));
    plain->sums = q->sums;
    CHECK(memcmp(q, plain, rabitq_row_query_size(dim)) == 0, "%s %s %s[%u] kind %d: other query than plain",
          levels[level], metric_name(metric), elem_name(elem), dim, kind);
    if (level == 0 && is_regular(kind)) check_bit_query(s, kind, vector, q);
    for (i = 0; hostile && i < ROWS * stride; i++) all[i] = (u8)(i * 2654435761u >> 24);
    for (i = 0; i <= ROWS; i++) value[i] = 77;
    rabitq_row_values(q, row, count, value);
    CHECK(f32_bits(value[count]) == f32_bits(77), "writes too many values");
    for (i = 0; i < count; i++) {
      float expected = bit_value_reference(q, row[i], dim);
      CHECK(f32_bits(value[i]) == f32_bits(expected) || (isnan(value[i]) && isnan(expected) && hostile),
            "%s %s %s[%u] kind %d row %u of %u: %g, not %g", levels[level], metric_name(metric), elem_name(elem), dim,
            kind, i, count, (double)value[i], (double)expected);
    }
  }
  for (i = 0; is_regular(kind) && i < ROWS; i++) {
    coordinates_reference(s, rows[i], x);
    check_bit_row(s, kind, x, bit_rows[i]);
  }
  mem_aligned_free(q);
  mem_aligned_free(plain);
  sq4_free(s);
}

/* All signs and u as large as they can be, on either side: beyond what 16 bits sum. And more rows than are summed at once. */
static void test_bit_row_sums(void) {
  static const u32 dims[] = {1, 8, 63, 64, 65, 2048, 8192};
  static const u8 *row[200];
  static float value[200];
  u32 d, level, i, at;
  int rc = SQLITE_OK, side;
  for (d = 0; d < sizeof dims / sizeof *dims; d++) {
    RabitqRowQuery *q = mem_aligned(&rc, rabitq_row_query_size(dims[d]));
    Sq4 *s = bare(dims[d]);
    if (rc) exit(1);
    for (i = 0; i < ROWS; i++) {
      memset(bit_rows[i], 255, BIT_ROW_MAX);
      store32(bit_rows[i], f32_bits((float)i));
      store32(bit_rows[i] + 4, f32_bits(1));
    }
    for (i = 0; i < 200; i++) row[i] = bit_rows[i % ROWS];
    for (level = 0; level < LEVELS; level++) {
      if (!simd_force(levels[level])) continue;
      rabitq_row_query(s, row_bytes[0], q);
      q->slope = 1;
      q->zero = 0;
      for (side = -1; side <= 1; side += 2) {
        memset(q->u, 127 * side, q->blocks * RABITQ_ROW_BLOCK);
        rabitq_row_values(q, row, 200, value);
        for (at = 0; at < 200; at++) {
          float expected = (float)(side * 127 * (i32)(q->blocks * RABITQ_ROW_BLOCK)) + (float)(at % ROWS);
          CHECK(f32_bits(value[at]) == f32_bits(expected), "%s[%u] row %u: %g, not %g", levels[level], dims[d], at,
                (double)value[at], (double)expected);
        }
      }
    }
    mem_aligned_free(q);
    sq4_free(s);
  }
}

/* Estimates have no bias, and are off by about as much as rabitq_row.h says. */
static void test_bit_row_estimate(Metric metric, u32 dim) {
  static float vector[MAX_DIM], query[MAX_DIM];
  static u8 mean_bytes[8 + 4 * MAX_DIM];
  u32 runs = DIM_STEP > 1 ? 100 : 2000, run, d;
  double bias = 0, square = 0, expected = 0;
  RabitqRowQuery *q;
  Sq4 *s = NULL;
  int rc = SQLITE_OK;
  store32(mean_bytes, SQ4_FORMAT);
  store32(mean_bytes + 4, f32_bits(0.5f));
  for (d = 0; d < dim; d++) store32(mean_bytes + 8 + 4 * (size_t)d, f32_bits((float)(d % 3)));
  if (sq4_load(metric, ELEM_F32, dim, mean_bytes, &s)) exit(1);
  q = mem_aligned(&rc, rabitq_row_query_size(dim));
  if (rc) exit(1);
  for (run = 0; run < runs; run++) {
    const u8 *row = bit_rows[0];
    double truth = 0, norm2 = 0, query2 = 0, scale = 1, largest = 0;
    float value;
    for (d = 0; d < dim; d++) vector[d] = (float)(random_normal() + d % 3);
    for (d = 0; d < dim; d++) query[d] = (float)(random_normal() + (metric == METRIC_DOT ? 0 : d % 3));
    for (d = 0; d < dim; d++) {
      double r = (double)vector[d] - d % 3, p = (double)query[d] - (metric == METRIC_DOT ? 0 : d % 3);
      truth += metric == METRIC_DOT ? -r * p : r * r - 2 * r * p;
      norm2 += r * r;
      query2 += p * p;
      largest = MAX(largest, fabs((double)query[d]));
    }
    rabitq_row_put(s, vector, bit_rows[0]);
    rabitq_row_query(s, query, q);
    rabitq_row_values(q, &row, 1, &value);
    /* in steps of 0.5; a query of dot is divided by the power of two at or below its largest element */
    scale = metric == METRIC_DOT ? 0.5 * pow(2, floor(log2(largest))) : 0.25;
    bias += (double)value * scale - truth;
    square += pow((double)value * scale - truth, 2);
    /* f^2 |q|^2 (1 - 2/pi), where f^2 is about |r|^2 / dim * pi/2 */
    expected += (metric == METRIC_DOT ? 1 : 4) * norm2 * query2 / dim * (3.14159265358979 / 2 - 1);
  }
  bias /= runs;
  square = sqrt(square / runs);
  expected = sqrt(expected / runs);
  printf("bit rows, %s[%u]: bias %.3f deviations, deviation %.3f of what it should be\n", metric_name(metric), dim,
         bias / square, square / expected);
  CHECK(fabs(bias) < square * 5 / sqrt(runs), "%s[%u]: bias %g of %g", metric_name(metric), dim, bias, square);
  CHECK(square > 0.8 * expected && square < 1.2 * expected, "%s[%u]: deviation %g, not %g", metric_name(metric), dim,
        square, expected);
  mem_aligned_free(q);
  sq4_free(s);
}

/* A row beyond floats is far away, whatever is asked. */
static void test_bit_row_far(void) {
  static float vector[1000];
  const u8 *row = bit_rows[0];
  RabitqRowQuery *q;
  Sq4 *s = bare(1000);
  float value;
  u32 d;
  int rc = SQLITE_OK;
  q = mem_aligned(&rc, rabitq_row_query_size(1000));
  if (rc) exit(1);
  for (d = 0; d < 1000; d++) vector[d] = d % 2 ? 1e30f : -1e30f;
  rabitq_row_put(s, vector, bit_rows[0]);
  rabitq_row_query(s, vector, q);
  rabitq_row_values(q, &row, 1, &value);
  CHECK(f32_at(row, 0) == FLT_MAX && f32_at(row, 1) == 0 && value == FLT_MAX, "far: %g %g, value %g",
        (double)f32_at(row, 0), (double)f32_at(row, 1), (double)value);
  mem_aligned_free(q);
  sq4_free(s);
}

/* Where floats end a step may be rounded to two thirds of what it should be: u is clamped. */
static void test_bit_row_small(void) {
  RabitqRowQuery *q;
  Sq4 *s = bare(1);
  int rc = SQLITE_OK, side;
  q = mem_aligned(&rc, rabitq_row_query_size(1));
  if (rc) exit(1);
  for (side = -1; side <= 1; side += 2) {
    float vector = (float)side * 190 * 0x1p-149f;
    rabitq_row_query(s, &vector, q);
    CHECK(q->u[0] == 127 * side, "u is %d", q->u[0]);
  }
  mem_aligned_free(q);
  sq4_free(s);
}

static void test_bit_rows(void) {
  CHECK(rabitq_row_stride(METRIC_L1, ELEM_F32, 8) == 0 && rabitq_row_stride(METRIC_L2, ELEM_I8, 8) == 0 &&
            rabitq_row_stride(METRIC_HAMMING, ELEM_BIT, 8) == 0,
        "rows of what has none");
  code_memory = guarded_new(ROWS * BIT_ROW_MAX);
  vector_memory = guarded_new(4 * MAX_DIM);
  each_case(40, 0, test_bit_rows_of);
  test_bit_row_sums();
  simd_force(LEVELS > 1 && simd_force(levels[1]) ? levels[1] : "plain");
  test_bit_row_estimate(METRIC_L2, 128);
  test_bit_row_estimate(METRIC_L2, 768);
  test_bit_row_estimate(METRIC_DOT, 200);
  test_bit_row_far();
  test_bit_row_small();
}

/* ---- stored --------------------------------------------------------------------------------------------------------- */

static void test_stored(void) {
  static u8 bytes[8 + 4 * 200], again[8 + 4 * 200];
  static const u32 bad_steps[] = {0, 0x80000000, 0xbf800000, 0x7f800000, 0x7fc00000, 0xff800000, 0xffffffff, 1};
  static const u32 bad_means[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f7fffff, 0xff7fffff, 0x7f800001};
  Sq4 *s, *t = NULL;
  u8 code[2][128];
  u32 i, m, e;
  for (m = 0; m < METRICS; m++) {
    for (e = 0; e < ELEMS; e++) {
      for (i = 0; i < ROWS; i++) fill(elems[e], SHIFTED, 200, rows[i]);
      s = learn(metrics[m], elems[e], 200, rows, ROWS);
      CHECK(sq4_size(200) == sizeof bytes, "size");
      sq4_store(s, bytes);
      CHECK(sq4_load(metrics[m], elems[e], 200, bytes, &t) == SQLITE_OK && t != NULL, "loads");
      if (t == NULL) exit(1);
      sq4_store(t, again);
      CHECK(memcmp(bytes, again, sizeof bytes) == 0, "round trip");
      CHECK(sq4_encode(s, rows[0], code[0]) == sq4_encode(t, rows[0], code[1]) && memcmp(code[0], code[1], 128) == 0,
            "codes after a round trip");
      sq4_free(t);
      sq4_free(s);
    }
  }
  for (i = 0; i < sizeof bad_steps / sizeof *bad_steps; i++) {
    memcpy(again, bytes, sizeof bytes);
    store32(again + 4, bad_steps[i]); /* the last is the least number: the mean is beyond its reach */
    t = (Sq4 *)again;
    CHECK(sq4_load(METRIC_L2, ELEM_F32, 200, again, &t) == SQLITE_CORRUPT_VTAB && t == NULL, "step %08x", bad_steps[i]);
  }
  for (i = 0; i < sizeof bad_means / sizeof *bad_means * 200; i++) {
    memcpy(again, bytes, sizeof bytes);
    store32(again + 8 + 4 * (i % 200), bad_means[i / 200]);
    CHECK(sq4_load(METRIC_DOT, ELEM_F16, 200, again, &t) == SQLITE_CORRUPT_VTAB && t == NULL, "mean %08x",
          bad_means[i / 200]);
  }
  memcpy(again, bytes, sizeof bytes);
  again[0]++;
  CHECK(sq4_load(METRIC_L2, ELEM_F32, 200, again, &t) == SQLITE_CORRUPT_VTAB, "format");
  for (i = 0; i < 20000 / DIM_STEP; i++) { /* whatever is accepted can be used */
    u32 n = random_below(3) + 1;
    memcpy(again, bytes, sizeof bytes);
    while (n--) again[random_below(sizeof again)] = (u8)random64();
    if (sq4_load(METRIC_COSINE, ELEM_F32, 200, again, &t)) continue;
    sq4_encode(t, rows[0], code[0]);
    sq4_free(t);
  }
  CHECK(sq4_stride(METRIC_L2, ELEM_F32, 128) == 64 && sq4_stride(METRIC_DOT, ELEM_F16, 129) == 128, "strides");
  CHECK(sq4_stride(METRIC_COSINE, ELEM_BF16, 8192) == 4096 && sq4_stride(METRIC_L2, ELEM_F32, 1) == 64, "strides");
  CHECK(sq4_stride(METRIC_L1, ELEM_F32, 128) == 0 && sq4_stride(METRIC_L2, ELEM_I8, 128) == 0, "no codes");
  CHECK(sq4_stride(METRIC_L2, ELEM_F32, 8193) == 0 && sq4_stride(METRIC_HAMMING, ELEM_BIT, 128) == 0, "no codes");
  CHECK(sq4_stride(METRIC_L2, ELEM_F32, 0) == 0, "no codes");
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

static void test_bytes(const char *level) {
  static u8 code[64 * 64], bytes[8 + 4 * 1000], row[64 + 1000 / 8 + 64];
  u32 m, e, dim, i, crc = 0, bit_crc = 0;
  int kind;
  if (!simd_force(level)) return;
  seed = 42;
  for (dim = 1; dim <= 1000; dim += 1 + dim / 8) {
    for (m = 0; m < METRICS; m++) {
      for (e = 0; e < ELEMS; e++) {
        for (kind = 0; kind < KINDS; kind++) {
          Sq4 *s;
          Sq4Query *q;
          int rc = SQLITE_OK;
          for (i = 0; i < 5; i++) fill(elems[e], (Kind)kind, dim, rows[i]);
          s = learn(metrics[m], elems[e], dim, rows, 4);
          q = mem_aligned(&rc, sq4_query_size(s));
          if (rc) exit(1);
          sq4_store(s, bytes);
          sq4_encode(s, rows[4], code);
          sq4_query(s, rows[3], q);
          rabitq_row_put(s, rows[4], row);
          bit_crc = crc32c(bit_crc, row, rabitq_row_stride(metrics[m], elems[e], dim));
          crc = crc32c(crc, bytes, sq4_size(dim));
          crc = crc32c(crc, code, sq4_stride(metrics[m], elems[e], dim));
          crc = crc32c(crc, q, sq4_query_size(s));
          mem_aligned_free(q);
          sq4_free(s);
        }
      }
    }
  }
  CHECK(crc == 0xfd74fadau, "%s: checksum of 4-bit codes is %08x", level, crc);
  CHECK(bit_crc == 0x11fb3031u, "%s: checksum of 1-bit rows is %08x", level, bit_crc);
}

/* ---- walk8 ---------------------------------------------------------------------------------------------------------- */

static float header(const u8 *row, u32 i) {
  u32 bits = load32(row + 4 * (size_t)i);
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

/* The value in double, from the codes of both rows, and how far the float one may be off. */
static double walk_reference(Metric metric, Walk8Use use, u32 dim, const u8 *a, const u8 *b, double bound2,
                             double *tolerance) {
  double aa = 0, bb = 0, ab = 0, sa = (double)header(a, 0), sb = (double)header(b, 0);
  u32 i;
  for (i = 0; i < dim; i++) {
    double x = sa * (i8)a[16 + i], y = sb * (i8)b[16 + i];
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  *tolerance = 2e-6 * (aa + bb + fabs(ab));
  if (metric != METRIC_DOT) return MAX(aa + bb - 2 * ab, 0);
  if (use == WALK8_QUERY) return -ab;
  *tolerance = 1e-6 * (aa + bb + bound2) + 1e-3 * bound2; /* a root of a difference that rounding left */
  return -(ab + sqrt(MAX(bound2 - aa, 0)) * sqrt(MAX(bound2 - bb, 0)));
}

static Guarded row_memory;

static void test_walk8_of(Metric metric, Elem elem, Walk8Use use, u32 dim, Kind kind) {
  u32 stride = codes_stride(metric, elem, dim), count = 1 + random_below(ROWS), level, i;
  u8 *all = random_below(2) ? row_memory.start : row_memory.end - ROWS * stride;
  const u8 *row[ROWS];
  static u8 query[16 + MAX_DIM];
  float out[ROWS + 1], plain[ROWS] = {0}, bound2 = 0;
  Walk8Query *q;
  int rc = SQLITE_OK;
  if (stride == 0) return;
  q = mem_aligned(&rc, walk8_query_size(dim));
  if (rc) exit(1);
  for (i = 0; i < ROWS; i++) {
    u8 *to = all + (ROWS - 1 - i) * stride;
    fill(elem, kind, dim, rows[i]);
    codes_encode(metric, elem, rows[i], dim, to);
    row[i] = to;
    if (header(to, 1) <= FLT_MAX) bound2 = MAX(bound2, header(to, 2) * header(to, 2));
  }
  if (random_below(3) == 0) bound2 /= 2; /* some are beyond */
  memcpy(query, row[random_below(ROWS)], stride);
  for (level = 0; level < LEVELS; level++) {
    if (!simd_force(levels[level])) continue;
    memset(q, 255, walk8_query_size(dim));
    walk8_query(metric, use, dim, query, bound2, q);
    for (i = 0; i <= ROWS; i++) out[i] = -77;
    walk8_distances(metric)(q, row, count, out);
    CHECK(out[count] == -77, "writes too many values");
    if (level == 0) memcpy(plain, out, sizeof plain);
    CHECK(memcmp(out, plain, count * sizeof *out) == 0, "%s %s %s[%u] kind %d: other bits than plain", levels[level],
          metric_name(metric), elem_name(elem), dim, kind);
    for (i = 0; i < count && level == 0; i++) {
      double tolerance, expected = walk_reference(metric, use, dim, query, row[i], (double)bound2, &tolerance);
      if (!(header(query, 1) <= FLT_MAX && header(row[i], 1) <= FLT_MAX)) {
        CHECK(out[i] == FLT_MAX, "a row of infinite radius is %g", (double)out[i]);
        continue;
      }
      expected = MAX(-(double)FLT_MAX, MIN((double)FLT_MAX, expected));
      CHECK(fabs((double)out[i] - expected) <= tolerance + 1e-36, "%s %s[%u] use %d kind %d row %u: %g, not %g",
            metric_name(metric), elem_name(elem), dim, use, kind, i, (double)out[i], expected);
    }
  }
  mem_aligned_free(q);
}

/* Rows of random bytes: never NaN, within the range, the same at every level. */
static void test_hostile(void) {
  static u8 bytes[ROWS][16 + 208];
  const u8 *row[ROWS];
  float out[ROWS], plain[ROWS] = {0};
  Walk8Query *q;
  u32 run, m, i, level, bad = 0, differ = 0;
  int rc = SQLITE_OK;
  q = mem_aligned(&rc, walk8_query_size(200));
  if (rc) exit(1);
  for (run = 0; run < 4000 / DIM_STEP; run++) {
    float bound2 = (float)ldexp(random_unit(), (int)random_below(250) - 120);
    if (run % 16 == 0) bound2 = NAN;
    for (i = 0; i < ROWS; i++) {
      u32 j;
      for (j = 0; j < sizeof bytes[i]; j++) bytes[i][j] = (u8)(random_below(4) ? random64() : 0x80);
      if (random_below(2)) store32(bytes[i] + 4, 0x3f800000);
      if (random_below(4) == 0) store32(bytes[i], random_below(2) ? 0x7fc00000 : 0x7f800000);
      if (random_below(4) == 0) store32(bytes[i] + 8, random_below(2) ? 0x7fc00000 : 0xff800000);
      row[i] = bytes[i];
    }
    for (m = 0; m < METRICS + 1; m++) {
      Metric metric = metrics[m % METRICS + (m == METRICS ? 2 : 0)];
      for (level = 0; level < LEVELS; level++) {
        if (!simd_force(levels[level])) continue;
        walk8_query(metric, m == METRICS ? WALK8_BUILD : WALK8_QUERY, 200, bytes[run % ROWS], bound2, q);
        walk8_distances(metric)(q, row, ROWS, out);
        if (level == 0) memcpy(plain, out, sizeof out);
        differ += memcmp(out, plain, sizeof out) != 0;
        for (i = 0; i < ROWS; i++) {
          bad += !(out[i] <= FLT_MAX && out[i] >= (metric == METRIC_DOT ? -FLT_MAX : 0));
        }
      }
    }
  }
  CHECK(bad == 0, "%u values out of range", bad);
  CHECK(differ == 0, "%u runs differ between levels", differ);
  mem_aligned_free(q);
}

static void test_walk8_uses(Metric metric, Elem elem, u32 dim, Kind kind) {
  test_walk8_of(metric, elem, WALK8_QUERY, dim, kind);
  if (metric == METRIC_DOT) test_walk8_of(metric, elem, WALK8_BUILD, dim, kind);
}

static void test_walk8(void) {
  row_memory = guarded_new(ROWS * (16 + MAX_DIM));
  each_case(60, 1, test_walk8_uses);
  CHECK(walk8_fits(METRIC_DOT) && !walk8_fits(METRIC_L1) && walk8_distances(METRIC_HAMMING) == NULL, "metrics");
}

#define MATCH_WORDS 400u

/* Words that lie close to each other and to the ends. */
static u64 word_of_interest(void) {
  static const u64 near[] = {0, 5, (u64)1 << 32, ((u64)1 << 63) - 3, (u64)1 << 63, UINT64_MAX - 4};
  return random_below(8) ? near[random_below(6)] + random_below(5) : random64();
}

/* `count` random words, ranges and bits, at every level; what lies behind the words has no access. */
static void test_match_of(u32 count, u32 ranges, u8 *words) {
  u64 before[MATCH_WORDS / 64 + 2], bits[MATCH_WORDS / 64 + 2], expected[MATCH_WORDS / 64 + 2];
  FieldRange range[MATCH_MAX_RANGES];
  u32 level, i, k;
  for (i = 0; i < count; i++) store64(words + 8 * (size_t)i, word_of_interest());
  for (k = 0; k < ranges; k++) {
    u64 a = word_of_interest(), b = random_below(3) ? word_of_interest() : a;
    range[k].low = MIN(a, b);
    range[k].high = MAX(a, b);
  }
  for (i = 0; i < MATCH_WORDS / 64 + 2; i++)
    expected[i] = before[i] = random_below(4) ? random64() : random_below(2) ? 0 : UINT64_MAX;
  for (i = 0; i < count; i++) {
    u64 word = load64(words + 8 * (size_t)i);
    u32 in = 0;
    for (k = 0; k < ranges; k++) in |= range[k].low <= word && word <= range[k].high;
    if (!in) expected[i / 64] &= ~((u64)1 << i % 64);
  }
  for (level = 0; level < LEVELS; level++) {
    if (!simd_force(levels[level])) continue;
    memcpy(bits, before, sizeof bits);
    filter_match()(words, count, range, ranges, bits);
    CHECK(memcmp(bits, expected, sizeof bits) == 0, "%s: %u words, %u ranges", levels[level], count, ranges);
  }
}

static void test_match(void) {
  Guarded memory = guarded_new(8 * MATCH_WORDS);
  u32 count, ranges, times;
  for (count = 0; count <= MATCH_WORDS; count += count < 200 ? 1 : 1 + random_below(9)) {
    for (ranges = 0; ranges <= MATCH_MAX_RANGES; ranges++) {
      for (times = 0; times < 4; times++) test_match_of(count, ranges, memory.end - 8 * (size_t)count);
    }
  }
  guarded_free(&memory);
}

/* `count` random bytes and a set of `most` of 256 at most, at every level. */
static void test_narrow_of(u32 count, u32 most, u8 *parts) {
  u64 before[MATCH_WORDS / 64 + 2], bits[MATCH_WORDS / 64 + 2], expected[MATCH_WORDS / 64 + 2];
  PartSet set = {{{0}}};
  u8 in[256] = {0};
  u32 level, i;
  for (i = 0; i < most; i++) {
    u32 part = random_below(256);
    part_set_add(&set, part);
    in[part] = 1;
  }
  for (i = 0; i < 256; i++) CHECK(part_set_has(&set, i) == in[i], "part %u", i);
  for (i = 0; i < count; i++) parts[i] = (u8)random_below(256);
  for (i = 0; i < MATCH_WORDS / 64 + 2; i++)
    expected[i] = before[i] = random_below(4) ? random64() : random_below(2) ? 0 : UINT64_MAX;
  for (i = 0; i < count; i++) {
    if (!in[parts[i]]) expected[i / 64] &= ~((u64)1 << i % 64);
  }
  for (level = 0; level < LEVELS; level++) {
    if (!simd_force(levels[level])) continue;
    memcpy(bits, before, sizeof bits);
    narrow_match()(parts, count, &set, bits);
    CHECK(memcmp(bits, expected, sizeof bits) == 0, "%s: %u bytes, %u parts", levels[level], count, most);
  }
}

static void test_narrow(void) {
  static const u32 most[] = {0, 1, 2, 17, 128, 600, 3000};
  Guarded memory = guarded_new(MATCH_WORDS);
  u32 count, i;
  for (count = 0; count <= MATCH_WORDS; count += count < 200 ? 1 : 1 + random_below(9)) {
    for (i = 0; i < sizeof most / sizeof *most; i++) test_narrow_of(count, most[i], memory.end - count);
  }
  guarded_free(&memory);
}

int main(void) {
  u32 i;
  for (i = 0; i < ROWS; i++) rows[i] = row_bytes[i];
  print_levels();
  for (i = 0; i < LEVELS; i++) test_bytes(levels[i]);
  test_rotation();
  test_learn();
  test_codes();
  test_extreme_sums();
  test_values();
  test_ranking();
  test_stored();
  test_hostile();
  test_rabitq();
  test_bit_rows();
  test_walk8();
  test_match();
  test_narrow();
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
