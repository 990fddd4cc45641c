/*
 * data.h: the data sets of the benchmarks: vectors, held-out queries and their true neighbours,
 * the same on each run.
 *
 *   s100   100,000 x 128   l2       clustered: 1,000 Gaussians of unequal spread in 32 latent dimensions, lifted
 *   c100   100,000 x 768   cosine   the same                     by a random matrix, bent, noise added
 *   r1m  1,000,000 x 128   l2       hard: wider Gaussians in more dimensions that overlap
 *   mnist    9,000 x 784   l2       the MNIST test images less the last 1,000, which are the queries
 *
 * Vectors come from a seed and their number alone, so that a set can go on beyond its rows (data_more). Vectors and
 * neighbours are kept in files of the folder given, and mapped: a second run starts at once. A file of other parameters
 * is made anew.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stddef.h>
#include <stdint.h>

#define DATA_QUERIES 1000
#define DATA_FIRST_QUERY ((uint64_t)1 << 40) /* their numbers; rows are numbered from 0 */
#define DATA_NEIGHBOURS 100                  /* true neighbours kept for each query */

typedef struct DataSet {
  const char *name;
  size_t rows, dim;
  int cosine;         /* else l2 */
  const float *base;  /* rows x dim; row i has the rowid i + 1 */
  const float *query; /* DATA_QUERIES x dim */
  /* Of each query, nearest first; NULL before data_truth(). Distances are those of data_distance(). */
  const uint32_t *near;       /* DATA_QUERIES x DATA_NEIGHBOURS */
  const float *near_distance; /* the same */
} DataSet;

/* Open a set by name, its first `rows` rows only if not 0. Ends the program if there is no such set. */
void data_open(const char *name, const char *dir, size_t rows, DataSet *out);
void data_truth(const char *dir, DataSet *set);
/* The median over the queries of the local intrinsic dimension at the true neighbours (maximum likelihood). */
double data_intrinsic_dimension(const DataSet *set);

/* `count` vectors of the set's process that are neither rows nor queries, numbered from `first`. The caller frees. */
float *data_more(const DataSet *set, size_t first, size_t count);
/* `count` clustered vectors as those of s100, of any dimension up to 8192, numbered from `first`. The caller frees. */
float *data_clustered(size_t dim, uint64_t first, size_t count);

/* Squared Euclidean distance; cosine: of the vectors scaled to length 1, which is twice the cosine distance. */
float data_distance(const DataSet *set, const float *a, const float *b);
/*
 * The k nearest of `count` vectors to each query, by comparing all, ties by number.
 *   near, distance  queries x k, nearest first. count >= k.
 */
void data_exact(const DataSet *set, const float *vector, size_t count, const float *query, size_t queries, size_t k,
                uint32_t *near, float *distance);
/* How many of the k distances to a query are not above the true k-th one, rounding allowed for: ties count. */
size_t data_hits(const float *distance, size_t k, float true_kth);

#endif
