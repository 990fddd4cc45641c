/*
 * kernels.c: nanoseconds per distance, and how close scans come to the speed of memory.
 *
 *   kernels [megabytes]     the buffer that rows are scanned from, default 1024: more than any cache
 *
 * For each level, type, metric and dimension: ns a row when rows stream from memory, the same as GB/s and as a part of what
 * a plain sum over the buffer reads; ns a row from cache; and ns of distance_exact. Each figure is the best of several runs.
 *
 * The lines "codes" are the same for scans of code rows; their last figure is ns of codes_encode.
 *
 * A second table: what a graph is walked on. ns a row whose codes are in the first cache, taken in the order of a shuffled list, as a
 * walk does; ns of writing a code, and of preparing a query from a vector (for 8-bit codes: from a code row).
 */
#define _GNU_SOURCE /* clock_gettime */
#include "../vector/sq4.h"
#include "../vector/walk8.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MB ((size_t)1 << 20)
#define CACHED_BYTES (32 * 1024) /* rows that stay in the first two caches */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#if defined(__x86_64__)
#define SUM_CODE __attribute__((target("avx2")))
#else
#define SUM_CODE
#endif

typedef u64 Words __attribute__((vector_size(32)));

SUM_CODE static u64 sum_all(const u8 *p, size_t size) {
  const Words *w = (const Words *)(const void *)p;
  Words a = {0}, b = {0}, c = {0}, d = {0};
  size_t i;
  for (i = 0; i + 4 <= size / sizeof *w; i += 4) {
    a += w[i];
    b += w[i + 1];
    c += w[i + 2];
    d += w[i + 3];
  }
  a += b + c + d;
  return a[0] + a[1] + a[2] + a[3];
}

static u64 sink;

/* GB/s of a sum over the buffer. */
static double read_bandwidth(const u8 *buffer, size_t size) {
  double best = 1e30;
  int run;
  for (run = 0; run < 5; run++) {
    double start = now();
    sink += sum_all(buffer, size);
    start = now() - start;
    if (start < best) best = start;
  }
  return (double)size / best;
}

typedef struct Buffer {
  u8 *bytes;
  size_t size, window, next; /* each run scans the next window, so that caches do not hold it */
  float *out;
  double bandwidth;
} Buffer;

/* Values that are finite in every type: halves and floats near 1. */
static void fill(Buffer *b) {
  u64 state = 1;
  size_t i;
  for (i = 0; i + 2 <= b->size; i += 2) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    b->bytes[i] = (u8)(state >> 56);
    b->bytes[i + 1] = (u8)(0x3c | (state >> 40 & 0x83));
  }
}

static const u8 *next_window(Buffer *b) {
  if (b->next + b->window > b->size) b->next = 0;
  b->next += b->window;
  return b->bytes + b->next - b->window;
}

static void measure(Buffer *b, Metric metric, Elem elem, u32 dim) {
  DistanceScan scan = distance_scan(metric, elem);
  size_t size = (size_t)elem_size(elem, dim);
  u32 rows = (u32)(b->window / size), cached = (u32)MAX(CACHED_BYTES / size, 4), i,
      repeats = 1 + 4000000 / (dim * cached);
  double stream = 1e30, cache = 1e30, exact = 1e30, gigabytes;
  float norm2 = 0;
  int run;
  static u8 query[4 * MAX_DIM];

  memcpy(query, b->bytes, size);
  for (run = 0; run < 4; run++) {
    const u8 *p = next_window(b);
    double start = now();
    scan(query, p, size, rows, dim, b->out, &norm2);
    start = (now() - start) / rows;
    if (start < stream) stream = start;
  }
  for (run = 0; run < 3; run++) {
    double start = now();
    for (i = 0; i < repeats; i++) scan(query, b->bytes, size, cached, dim, b->out, &norm2);
    start = (now() - start) / repeats / cached;
    if (start < cache) cache = start;
  }
  for (run = 0; run < 3; run++) {
    double start = now(), total = 0;
    for (i = 0; i < 500; i++) total += distance_exact(metric, elem, query, b->bytes + (i % cached) * size, dim);
    start = (now() - start) / 500;
    sink += total > 0;
    if (start < exact) exact = start;
  }
  gigabytes = (double)size / stream;
  printf("%-7s %-14s %-8s %5u  %8.1f ns %6.1f GB/s %4.0f %%  %8.1f ns  %8.1f ns\n", simd_level(), elem_name(elem),
         metric_name(metric), dim, stream, gigabytes, 100 * gigabytes / b->bandwidth, cache, exact);
  fflush(stdout);
}

/* Whatever the buffer holds is scanned as code rows; vectors that begin near its start are encoded. */
static void measure_codes(Buffer *b, Metric metric, Elem elem, u32 dim) {
  CodeScan scan = codes_scan(metric, elem);
  size_t size = codes_stride(metric, elem, dim);
  u32 rows = (u32)(b->window / size), cached = (u32)MAX(CACHED_BYTES / size, 4), i,
      repeats = 1 + 4000000 / (dim * cached);
  double stream = 1e30, cache = 1e30, encode = 1e30, gigabytes;
  static u8 vector[8 * MAX_DIM], row[16 + MAX_DIM];
  CodeQuery *q = NULL;
  int run;

  memcpy(vector, b->bytes, sizeof vector);
  if (codes_query(metric, elem, vector + 4 * dim, dim, &q)) return;
  for (run = 0; run < 3; run++) {
    double start = now();
    for (i = 0; i < 500; i++) codes_encode(metric, elem, vector + 16 * (i & 31), dim, row);
    start = (now() - start) / 500;
    if (start < encode) encode = start;
  }
  for (run = 0; run < 4; run++) {
    const u8 *p = next_window(b);
    double start = now();
    scan(q, p, size, rows, b->out);
    start = (now() - start) / rows;
    if (start < stream) stream = start;
  }
  for (run = 0; run < 3; run++) {
    double start = now();
    for (i = 0; i < repeats; i++) scan(q, b->bytes, size, cached, b->out);
    start = (now() - start) / repeats / cached;
    if (start < cache) cache = start;
  }
  codes_query_free(q);
  gigabytes = (double)size / stream;
  printf("%-7s codes/%-8s %-8s %5u  %8.1f ns %6.1f GB/s %4.0f %%  %8.1f ns  %8.1f ns\n", simd_level(), elem_name(elem),
         metric_name(metric), dim, stream, gigabytes, 100 * gigabytes / b->bandwidth, cache, encode);
  fflush(stdout);
}

#define WALKED 64 /* rows in the first cache: of 128 dimensions */

/* The kernels of one sort of codes, behind the same calls. */
typedef struct Walk {
  Metric metric;
  u32 dim;
  Sq4 *sq4; /* NULL: 8-bit codes */
  u8 *query;
  const u8 *rows[WALKED];
} Walk;

static void walk_encode(const Walk *w, const u8 *vector, u8 *code) {
  if (w->sq4) {
    sink += sq4_encode(w->sq4, vector, code);
  } else {
    codes_encode(w->metric, ELEM_F32, vector, w->dim, code);
  }
}

static void walk_query(const Walk *w, const u8 *vector) {
  if (w->sq4) {
    sq4_query(w->sq4, vector, (Sq4Query *)(void *)w->query);
  } else {
    walk8_query(w->metric, WALK8_BUILD, w->dim, w->rows[0], 1e6f, (Walk8Query *)(void *)w->query);
  }
}

static void walk_values(const Walk *w, u32 count, float *out) {
  if (w->sq4) {
    sq4_distances()((const Sq4Query *)(const void *)w->query, w->rows, count, (u32 *)(void *)out);
  } else {
    walk8_distances(w->metric)((const Walk8Query *)(const void *)w->query, w->rows, count, out);
  }
}

static void measure_walk(const char *name, Walk *w, const u8 *vectors, u8 *codes, u32 stride, float *out) {
  u32 rows = WALKED, repeats = 2000000 / w->dim, i;
  double best[3] = {1e30, 1e30, 1e30};
  int run;
  for (i = 0; i < rows; i++) {
    w->rows[i] = codes + (size_t)(i * 37 % WALKED) * stride;
    walk_encode(w, vectors + (size_t)i * 4 * w->dim, codes + (size_t)(i * 37 % WALKED) * stride);
  }
  for (run = 0; run < 15; run++) {
    double start[4];
    start[0] = now();
    for (i = 0; i < 200; i++) walk_query(w, vectors + 4 * (i & 31));
    start[1] = now();
    for (i = 0; i < repeats / 20; i++) walk_values(w, rows, out);
    start[2] = now();
    for (i = 0; i < 200; i++) walk_encode(w, vectors + 4 * (i & 31), codes);
    start[3] = now();
    best[0] = MIN(best[0], (start[1] - start[0]) / 200);
    best[1] = MIN(best[1], (start[2] - start[1]) / (repeats / 20) / rows);
    best[2] = MIN(best[2], (start[3] - start[2]) / 200);
  }
  printf("%-7s %-14s %-8s %5u  %8.2f ns  %8.1f ns  %8.1f ns\n", simd_level(), name, metric_name(w->metric), w->dim,
         best[1], best[2], best[0]);
  fflush(stdout);
}

static void measure_walks(const u8 *vectors, Metric metric, u32 dim, float *out) {
  Walk w = {0};
  const void *sample[WALKED];
  u32 stride = MAX(codes_stride(metric, ELEM_F32, dim), sq4_stride(metric, ELEM_F32, dim)), i;
  int rc = SQLITE_OK;
  u8 *codes = mem_aligned(&rc, (u64)WALKED * stride);
  w.metric = metric;
  w.dim = dim;
  w.query = mem_aligned(&rc, 64 + MAX_DIM + 128);
  for (i = 0; i < WALKED; i++) sample[i] = vectors + (size_t)i * 4 * dim;
  if (rc == SQLITE_OK) measure_walk("8 bits", &w, vectors, codes, codes_stride(metric, ELEM_F32, dim), out);
  if (rc == SQLITE_OK) rc = sq4_learn(metric, ELEM_F32, dim, sample, WALKED, &w.sq4);
  if (rc == SQLITE_OK) measure_walk("4 bits", &w, vectors, codes, sq4_stride(metric, ELEM_F32, dim), out);
  sq4_free(w.sq4);
  mem_aligned_free(w.query);
  mem_aligned_free(codes);
}

int main(int argc, char **argv) {
  static const char *const levels[] = {"avx512", "avx2", "neon", "plain"};
  static const u32 dims[] = {128, 768, 1536};
  Buffer b = {0};
  u32 level, elem, metric, d;
  int rc = SQLITE_OK;

  b.size = (argc > 1 ? (size_t)atoi(argv[1]) : 1024) * MB;
  b.window = MIN(b.size, 128 * MB);
  b.bytes = mem_aligned(&rc, b.size);
  b.out = mem_array(&rc, b.window / 16, sizeof *b.out);
  if (rc) {
    printf("no memory\n");
    return 1;
  }
  fill(&b);
  memset(b.out, 0, b.window / 16 * sizeof *b.out);
  b.bandwidth = read_bandwidth(b.bytes, b.size);
  printf("read bandwidth of one core: %.1f GB/s\n", b.bandwidth);
  printf("%-7s %-14s %-8s %5s  %11s %11s %6s  %11s  %11s\n", "level", "type", "metric", "dim", "streaming", "", "",
         "cached", "exact");
  for (level = 0; level < 4; level++) {
    if (!simd_force(levels[level])) continue;
    for (elem = 1; elem <= ELEM_LAST; elem++) {
      for (metric = 1; metric <= METRIC_LAST; metric++) {
        if (!metric_fits((Metric)metric, (Elem)elem)) continue;
        for (d = 0; d < 3; d++) measure(&b, (Metric)metric, (Elem)elem, dims[d]);
        for (d = 0; d < 3; d++) {
          if (codes_stride((Metric)metric, (Elem)elem, dims[d])) measure_codes(&b, (Metric)metric, (Elem)elem, dims[d]);
        }
      }
    }
  }
  printf("%-7s %-14s %-8s %5s  %11s  %11s  %11s\n", "level", "walked on", "metric", "dim", "row", "encode", "query");
  for (level = 0; level < 4; level++) {
    if (!simd_force(levels[level])) continue;
    for (metric = METRIC_L2; metric <= METRIC_DOT; metric++) {
      for (d = 0; d < 3; d++) measure_walks(b.bytes, (Metric)metric, dims[d], b.out);
    }
  }
  mem_free(b.out);
  mem_aligned_free(b.bytes);
  return sink == 42;
}
