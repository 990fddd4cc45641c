/*
 * functions_sparse.h: sparse vectors in SQL values, for the functions that take them beside dense ones.
 */
#ifndef QUIRE_FUNCTIONS_SPARSE_H
#define QUIRE_FUNCTIONS_SPARSE_H

#include "../vector/sparse.h"
#include "functions_int.h"

/* A checked BLOB of a value, or one that was made of its text. */
typedef struct SparseVector {
  Sparse sparse;
  const void *blob; /* `owned`, or the value's own: until that changes */
  u64 size;
  void *owned;
} SparseVector;

/* Whether the value is to be read as a sparse vector; it may still be none. */
int value_is_sparse(sqlite3_value *value);
/* Decode it; dim 0: any. On SQLITE_ERROR words in *error. On failure *out is empty. */
int value_sparse(sqlite3_value *value, u64 dim, SparseVector *out, char **error);
/* The same; reports a failure and gives 0. */
int get_sparse(sqlite3_context *ctx, sqlite3_value *value, SparseVector *out);
void sparse_vector_clear(SparseVector *vector);

/* The results of functions one or both of whose vectors are sparse. */
void sparse_result_dense(sqlite3_context *ctx, sqlite3_value *value);
void sparse_result_distance(sqlite3_context *ctx, Metric metric, sqlite3_value **argv);

#endif
