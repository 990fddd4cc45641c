/*
 * multi.h: several vectors of one type and dimension, one after the other: which of them is nearest, and MaxSim.
 *
 * The distances are distance_exact()'s. Which vectors need one is found by a scan kernel: those whose scan value is above the best so
 * far by more than distance_error() cannot win. So the results are the same bits on every CPU.
 */
#ifndef QUIRE_MULTI_H
#define QUIRE_MULTI_H

#include "distance.h"

/*
 * The vector nearest to `query` among `count` (at least 1) in `rows`; the first of equals. metric_fits(metric, elem).
 *   *distance  as distance_exact gives it; may be NULL
 */
u64 multi_nearest(Metric metric, Elem elem, const void *query, const void *rows, u64 count, u32 dim, double *distance);

/*
 * The sum over the vectors of `query` of the largest inner product with one of `document` (late interaction: Khattab and Zaharia
 * 2020, ColBERT). Both have at least one vector. Not for bits.
 */
double multi_maxsim(Elem elem, const void *query, u64 query_count, const void *document, u64 document_count, u32 dim);

#endif
