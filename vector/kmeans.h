/*
 * kmeans.h: k centroids of float32 vectors by squared l2: k-means++ and Lloyd's iterations on growing samples.
 *
 * The same rows in the same order with the same seed give the same centroids, on CPUs with the same kernels.
 */
#ifndef QUIRE_KMEANS_H
#define QUIRE_KMEANS_H

#include "../wal_shim/base.h"

#define KMEANS_ROWS 256 /* rows for a centroid, beyond which more do not help: callers may sample */

typedef struct KMeans {
  u32 dim, k; /* k: how many centroids at most; at least 1 */
  u64 seed;
  int (*interrupted)(void *arg); /* NULL: never asked; once in a few milliseconds */
  void *interrupt_arg;
} KMeans;

/*
 * Find centroids of `count` rows of km->dim floats.
 *
 *   rows       dense, finite; only read
 *   centroids  room for km->k rows
 *   *found     how many were made: km->k, or fewer if there are fewer different rows
 *
 * SQLITE_OK, SQLITE_NOMEM or SQLITE_INTERRUPT. Sums are in double: nothing overflows but distances of rows beyond 2^63, which
 * count as equally far.
 */
int kmeans_train(const KMeans *km, const float *rows, u64 count, float *centroids, u32 *found);

#endif
