/*
 * kmeans.c: centroids of float32 vectors. See kmeans.h.
 *
 *   1  The rows are taken in a random order, by an array of their numbers.
 *   2  Seeds by k-means++ (Arthur and Vassilvitskii 2007) among the first SEED_ROWS a centroid: each further one is a row drawn with
 *      probability proportional to its squared distance from the nearest before.
 *   3  Lloyd's iterations over the first m rows until they gain little, then m doubles (nested batches: Newling and Fleuret 2016).
 *      The last ones see all rows.
 *   4  A centroid that no row is nearest to moves to the row farthest from its own, in the same iteration.
 *
 *   K1  Squared distances are those of the scan kernel, as floats; what is not finite counts as FLT_MAX. Ties: the first centroid.
 *   K2  A centroid is the mean of its rows, summed in double, rounded once; so it is finite.
 */
#include "kmeans.h"

#include <float.h>
#include <math.h>

#include "../wal_shim/bytes.h"
#include "distance.h"

#define SEED_ROWS 32
#define MAX_ITERATIONS 12 /* on one sample */
#define LAST_ITERATIONS 20
#define LITTLE 1e-3          /* of the sum of squared distances */
#define POLL_WORK (1u << 21) /* multiplications between two questions whether to go on */

typedef struct Run {
  const KMeans *km;
  const float *rows;
  u32 *order; /* row numbers */
  u64 count;  /* rows in `order` */
  float *centroid;
  u32 k;        /* centroids so far */
  u32 *nearest; /* of the rows in order: a centroid, and how far */
  float *distance;
  float *scratch; /* k values */
  double *sum;
  u64 *members;
  u64 random, work;
  DistanceScan scan;
} Run;

/* From 0 to below 1. */
static double random_share(Run *r) { return (double)(mix64_next(&r->random) >> 11) * 0x1p-53; }

static const float *row_of(const Run *r, u64 i) { return r->rows + (u64)r->order[i] * r->km->dim; }

/* Count work done; SQLITE_INTERRUPT if it shall end. */
static int poll(Run *r, u64 work) {
  r->work += work;
  if (r->work < POLL_WORK) return SQLITE_OK;
  r->work = 0;
  return r->km->interrupted && r->km->interrupted(r->km->interrupt_arg) ? SQLITE_INTERRUPT : SQLITE_OK;
}

static float finite(float x) { return isfinite(x) ? x : FLT_MAX; } /* K1 */

/* The nearest of centroids first..first+count to a row, if nearer than what it has. */
static void look_at(Run *r, u64 i, u32 first, u32 count) {
  u32 dim = r->km->dim;
  r->scan(row_of(r, i), r->centroid + (u64)first * dim, dim * sizeof(float), count, dim, r->scratch, NULL);
  for (u32 c = 0; c < count; c++) {
    float d = finite(r->scratch[c]);
    if (d >= r->distance[i]) continue;
    r->distance[i] = d;
    r->nearest[i] = first + c;
  }
}

static void add_centroid(Run *r, u64 i) {
  memcpy(r->centroid + (u64)r->k * r->km->dim, row_of(r, i), r->km->dim * sizeof(float));
  r->k++;
}

/* k-means++ among the first `count` rows. */
static int seed(Run *r, u64 count) {
  add_centroid(r, 0);
  for (u64 i = 0; i < count; i++) r->distance[i] = INFINITY;
  for (;;) {
    double total = 0, at;
    u64 i;
    int rc = SQLITE_OK;
    for (i = 0; i < count && rc == SQLITE_OK; i++) {
      look_at(r, i, r->k - 1, 1);
      total += (double)r->distance[i];
      rc = poll(r, r->km->dim);
    }
    if (rc || total == 0 || r->k == r->km->k) return rc;
    at = random_share(r) * total;
    for (i = 0; i + 1 < count && at >= (double)r->distance[i]; i++) at -= (double)r->distance[i];
    while (r->distance[i] == 0) i = i ? i - 1 : count - 1; /* rounding led to a row that is a centroid */
    add_centroid(r, i);
  }
}

/* Every row of the first m to its nearest centroid; *total: the sum of squared distances. */
static int assign(Run *r, u64 m, double *total) {
  int rc = SQLITE_OK;
  *total = 0;
  for (u64 i = 0; i < m && rc == SQLITE_OK; i++) {
    r->distance[i] = INFINITY;
    look_at(r, i, 0, r->k);
    *total += (double)r->distance[i];
    rc = poll(r, (u64)r->k * r->km->dim);
  }
  return rc;
}

/* Rule 4: give the empty centroid `c` the row of the first m that is farthest from its own. */
static void take_farthest(Run *r, u64 m, u32 c) {
  u32 dim = r->km->dim;
  u64 far = 0;
  for (u64 i = 1; i < m; i++) {
    if (r->distance[i] > r->distance[far]) far = i;
  }
  if (r->distance[far] == 0) return; /* all rows are centroids: it stays where it is */
  for (u32 d = 0; d < dim; d++) r->sum[(u64)r->nearest[far] * dim + d] -= (double)row_of(r, far)[d];
  for (u32 d = 0; d < dim; d++) r->sum[(u64)c * dim + d] = (double)row_of(r, far)[d];
  r->members[r->nearest[far]]--;
  r->members[c] = 1;
  r->nearest[far] = c;
  r->distance[far] = 0;
}

/* Centroids to the means of their rows among the first m. */
static void move(Run *r, u64 m) {
  u32 dim = r->km->dim;
  memset(r->sum, 0, (size_t)((u64)r->k * dim * sizeof *r->sum));
  memset(r->members, 0, r->k * sizeof *r->members);
  for (u64 i = 0; i < m; i++) {
    double *sum = r->sum + (u64)r->nearest[i] * dim;
    const float *row = row_of(r, i);
    for (u32 d = 0; d < dim; d++) sum[d] += (double)row[d];
    r->members[r->nearest[i]]++;
  }
  for (u32 c = 0; c < r->k; c++) {
    if (r->members[c] == 0) take_farthest(r, m, c);
  }
  for (u32 c = 0; c < r->k; c++) {
    if (r->members[c] == 0) continue;
    for (u32 d = 0; d < dim; d++)
      r->centroid[(u64)c * dim + d] = (float)(r->sum[(u64)c * dim + d] / (double)r->members[c]);
  }
}

static int iterate(Run *r, u64 m, int times) {
  double before = 0, total;
  for (int i = 0; i < times; i++) {
    int rc = assign(r, m, &total);
    if (rc || total == 0 || (i > 0 && before - total <= LITTLE * before)) return rc;
    before = total;
    move(r, m);
  }
  return SQLITE_OK;
}

/* Rule 1 (Fisher and Yates). */
static void shuffle(Run *r) {
  for (u64 i = 0; i < r->count; i++) r->order[i] = (u32)i;
  for (u64 i = r->count; i > 1; i--) {
    u64 j = mix64_next(&r->random) % i;
    u32 keep = r->order[i - 1];
    r->order[i - 1] = r->order[j];
    r->order[j] = keep;
  }
}

int kmeans_train(const KMeans *km, const float *rows, u64 count, float *centroids, u32 *found) {
  Run r = {.km = km, .rows = rows, .count = count, .centroid = centroids, .random = km->seed};
  int rc = SQLITE_OK;

  *found = 0;
  if (count == 0) return SQLITE_OK;
  if (count > UINT32_MAX) return SQLITE_TOOBIG;
  r.scan = distance_scan(METRIC_L2, ELEM_F32);
  r.order = mem_array(&rc, count, sizeof *r.order);
  r.nearest = mem_array(&rc, count, sizeof *r.nearest);
  r.distance = mem_array(&rc, count, sizeof *r.distance);
  r.scratch = mem_array(&rc, km->k, sizeof *r.scratch);
  r.sum = mem_array(&rc, (u64)km->k * km->dim, sizeof *r.sum);
  r.members = mem_array(&rc, km->k, sizeof *r.members);
  if (rc == SQLITE_OK) {
    u64 m = MIN(count, (u64)km->k * SEED_ROWS);
    shuffle(&r);
    rc = seed(&r, m);
    for (; rc == SQLITE_OK && m < count; m = MIN(count, 2 * m)) rc = iterate(&r, m, MAX_ITERATIONS);
    if (rc == SQLITE_OK) rc = iterate(&r, count, LAST_ITERATIONS);
  }
  if (rc == SQLITE_OK) *found = r.k;
  mem_free(r.order);
  mem_free(r.nearest);
  mem_free(r.distance);
  mem_free(r.scratch);
  mem_free(r.sum);
  mem_free(r.members);
  return rc;
}
