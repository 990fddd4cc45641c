/*
 * functions_sparse.h: sparse vectors in SQL values, for the functions that take them beside dense ones.
 */
#ifndef QUIRE_FUNCTIONS_SPARSE_H
#define QUIRE_FUNCTIONS_SPARSE_H

#include "functions_int.h"

/* value_sparse of any dimensions; reports a failure and gives 0. */
int get_sparse(sqlite3_context *ctx, sqlite3_value *value, SparseVector *out);

/* The results of functions one or both of whose vectors are sparse. */
void sparse_result_dense(sqlite3_context *ctx, sqlite3_value *value);
void sparse_result_distance(sqlite3_context *ctx, Metric metric, sqlite3_value **argv);

#endif
