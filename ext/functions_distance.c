/*
 * functions_distance.c: vec_distance_l2, _l1, _cosine, _dot, _hamming, _jaccard of two vectors, both dense or both sparse.
 *
 * The distances are distance_exact()'s: the ones by which a search orders its rows. Two zero vectors have cosine
 * distance 1 (sqlite-vec: NULL, which sorts before everything).
 */
#include "functions_sparse.h"

/* The metric's name in sqlite-vec's messages. */
static const char *label(Metric metric) {
  switch (metric) {
    case METRIC_L2: return "L2";
    case METRIC_L1: return "L1";
    default: return metric_name(metric);
  }
}

static void refuse(sqlite3_context *ctx, Metric metric, Elem elem) {
  char *message;
  if (elem == ELEM_BIT) {
    message = sqlite3_mprintf("Cannot calculate %s distance between two bitvectors.", label(metric));
  } else {
    message = sqlite3_mprintf("Cannot calculate %s distance between two %s vectors.", label(metric), elem_name(elem));
  }
  result_failure(ctx, message ? SQLITE_ERROR : SQLITE_NOMEM, message);
}

void vec_distance(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Metric metric = (Metric)this_function(ctx)->param;
  Vector a = {0}, b = {0};
  double distance;

  (void)argc;
  if (value_is_sparse(argv[0]) || value_is_sparse(argv[1])) {
    sparse_result_distance(ctx, metric, argv);
    return;
  }
  if (!get_pair(ctx, argv, &a, &b)) return;
  if (!metric_fits(metric, a.elem)) {
    refuse(ctx, metric, a.elem);
  } else {
    distance = distance_exact(metric, a.elem, a.data, b.data, a.dim);
    if (metric == METRIC_L1 && a.elem == ELEM_I8) {
      sqlite3_result_int64(ctx, (i64)distance); /* an integer in sqlite-vec too */
    } else {
      sqlite3_result_double(ctx, distance);
    }
  }
  vector_clear(&a);
  vector_clear(&b);
}
