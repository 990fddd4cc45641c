/*
 * functions_aggregate.c: vec_sum(v) and vec_avg(v), also as window functions.
 *
 * The result is float32, whatever the (numeric) type of the rows, so that sums of int8 do not wrap around. NULL rows
 * are skipped; no rows give NULL. All rows must have one type and dimension. Sums are compensated (Neumaier 1974), so
 * that a window that leaves a large value behind is as good as one that never saw it.
 */
#include "functions_int.h"

#include <math.h>

typedef struct VectorSum {
  Elem elem; /* 0: no row yet */
  u32 dim;
  i64 count;
  double *sum, *lost; /* dim each, in one allocation: the sum and what its rounding lost */
} VectorSum;

static void accumulate(VectorSum *total, const Vector *vector, int sign) {
  u32 i;
  for (i = 0; i < total->dim; i++) {
    double x = sign * elem_get(vector->elem, vector->data, i);
    double before = total->sum[i], after = before + x;
    total->lost[i] += fabs(before) >= fabs(x) ? (before - after) + x : (x - after) + before;
    total->sum[i] = after;
  }
  total->count += sign;
}

/* Take type and dimension from the first row. */
static int start(VectorSum *total, const Vector *first) {
  int rc = SQLITE_OK;
  total->sum = mem_zeroed(&rc, first->dim, 2 * sizeof *total->sum);
  if (rc) return rc;
  total->lost = total->sum + first->dim;
  total->elem = first->elem;
  total->dim = first->dim;
  return SQLITE_OK;
}

static void refuse_bits(sqlite3_context *ctx) {
  char *message = sqlite3_mprintf("%s() does not accept bit vectors", this_function(ctx)->name);
  result_failure(ctx, message ? SQLITE_ERROR : SQLITE_NOMEM, message);
}

static void step(sqlite3_context *ctx, sqlite3_value *value, int sign) {
  VectorSum *total = sqlite3_aggregate_context(ctx, sizeof *total);
  Vector vector = {0}, shape = {0};

  if (total == NULL) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  if (sqlite3_value_type(value) == SQLITE_NULL || !get_vector(ctx, value, &vector)) return;
  shape.elem = total->elem ? total->elem : vector.elem;
  shape.dim = total->elem ? total->dim : vector.dim;
  if (vector.elem == ELEM_BIT) {
    refuse_bits(ctx);
  } else if (same_shape(ctx, &shape, &vector)) {
    if (total->elem == 0 && start(total, &vector)) {
      sqlite3_result_error_nomem(ctx);
    } else {
      accumulate(total, &vector, sign);
    }
  }
  vector_clear(&vector);
}

void sum_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  step(ctx, argv[0], 1);
}

void sum_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  step(ctx, argv[0], -1);
}

void sum_value(sqlite3_context *ctx) {
  VectorSum *total = sqlite3_aggregate_context(ctx, 0);
  double divisor;
  Vector result = {0};
  u32 i;

  if (total == NULL || total->count <= 0) return; /* NULL */
  divisor = this_function(ctx)->param ? (double)total->count : 1;
  if (vector_new(ELEM_F32, total->dim, &result)) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  for (i = 0; i < total->dim; i++) {
    if (vector_set(&result, i, (total->sum[i] + total->lost[i]) / divisor)) continue;
    char *message =
        sqlite3_mprintf("%s() result is out of range for float32 at element %u", this_function(ctx)->name, i);
    result_failure(ctx, message ? SQLITE_ERROR : SQLITE_NOMEM, message);
    vector_clear(&result);
    return;
  }
  result_vector(ctx, &result);
}

void sum_final(sqlite3_context *ctx) {
  VectorSum *total = sqlite3_aggregate_context(ctx, 0);
  sum_value(ctx);
  if (total == NULL) return;
  mem_free(total->sum);
  memset(total, 0, sizeof *total);
}
