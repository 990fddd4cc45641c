/*
 * functions.h: the SQL functions, as the table in ext.c names them.
 *
 * functions.c            constructors, properties, text forms, versions
 * functions_distance.c   vec_distance_*
 * functions_math.c       vec_add, vec_sub, vec_normalize, vec_slice, vec_quantize_*
 * functions_aggregate.c  vec_sum, vec_avg
 * functions_hash.c       vec_hash_text
 * functions_sparse.c     vec_sparse, vec_sparse_to_text, and what others do with sparse vectors
 * functions_multi.c      vec_concat, vec_rows, vec_maxsim, vec_nearest, vec_kmeans
 *
 * All scalar functions of sqlite-vec are here with its names, results, subtypes and messages, beside our own. Where a
 * result differs from sqlite-vec's, the function's comment says so.
 */
#ifndef QUIRE_FUNCTIONS_H
#define QUIRE_FUNCTIONS_H

#include "../vtab/value.h"

typedef void SqlCall(sqlite3_context *ctx, int argc, sqlite3_value **argv);
typedef void SqlResult(sqlite3_context *ctx);

/* One SQL function; a pointer to its entry is the function's user data. */
typedef struct SqlFunction {
  const char *name;
  int arg_count;
  int flags;     /* SQLITE_DETERMINISTIC, ...; UTF8 and INNOCUOUS go without saying */
  int param;     /* what distinguishes functions that share `call`: an Elem, a Metric, a sign */
  SqlCall *call; /* of an aggregate: xStep */
  SqlResult *final, *value;
  SqlCall *inverse;
} SqlFunction;

SqlCall vec_version, vec_debug, quire_version;
SqlCall vec_construct; /* param: Elem */
SqlCall vec_length, vec_type, vec_to_json;
SqlCall vec_distance; /* param: Metric */
SqlCall vec_add;      /* param: +1 or -1 */
SqlCall vec_normalize, vec_slice, vec_quantize_int8, vec_quantize_binary;
SqlCall vec_hash_text;
SqlCall sum_step, sum_inverse;
SqlResult sum_final, sum_value; /* param: 1 for the mean */
SqlCall vec_maxsim, vec_nearest, concat_step, kmeans_step;
SqlResult concat_final, kmeans_final;
SqlCall vec_sparse, vec_sparse_to_text;

#endif
