/*
 * functions_sparse.c: sparse vectors as SQL values.
 *
 *   vec_sparse(x [, dims])   a sparse vector from its BLOB, its texts (sparse.h), or a dense vector; `dims` where the text does not say
 *   vec_sparse_to_text(v)    pgvector's text
 *
 * Other functions take sparse vectors where they meet them: vec_distance_*, vec_to_json, vec_length, vec_type, vec_each, and vec_f32, which
 * makes them dense. A value is one if it has the subtype, or is a BLOB with the mark, or a text that begins with a brace: the mark is no
 * beginning of a dense vector of floats, so that a BLOB needs no subtype when it comes from a table.
 */
#include "functions_sparse.h"

#include "companions.h"

#define MAX_DENSE (1 << 20) /* dimensions: a few bytes of text shall not take gigabytes */

int get_sparse(sqlite3_context *ctx, sqlite3_value *value, SparseVector *out) {
  char *error = NULL;
  int rc = value_sparse(value, 0, out, &error);
  if (rc) result_failure(ctx, rc, error);
  return rc == SQLITE_OK;
}

/* Return a BLOB with the subtype; takes over `owned`, which may be NULL. */
static void result_sparse(sqlite3_context *ctx, const void *blob, u64 size, void *owned) {
  if (owned)
    sqlite3_result_blob64(ctx, owned, size, mem_free);
  else
    sqlite3_result_blob64(ctx, blob, size, SQLITE_TRANSIENT);
  sqlite3_result_subtype(ctx, SUBTYPE_SPARSE);
}

/* From a dense vector. */
static void from_dense(sqlite3_context *ctx, sqlite3_value *value, u64 dim) {
  Vector vector = {0};
  void *blob = NULL;
  u64 size = 0;
  int rc;

  if (!get_vector(ctx, value, &vector)) return;
  if (dim && dim != vector.dim) {
    result_message(ctx, "sparse vector: %u dimensions where %llu are expected", vector.dim, (unsigned long long)dim);
  } else {
    rc = sparse_of_dense(vector.elem, vector.data, vector.dim, &blob, &size);
    if (rc)
      result_failure(ctx, rc, NULL);
    else
      result_sparse(ctx, blob, size, blob);
  }
  vector_clear(&vector);
}

void vec_sparse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  SparseVector vector;
  i64 dim = argc > 1 ? sqlite3_value_int64(argv[1]) : 0;
  char *error = NULL;
  int rc;

  if (argc > 1 && (sqlite3_value_type(argv[1]) != SQLITE_INTEGER || dim < 1 || (u64)dim > SPARSE_MAX_DIM)) {
    result_message(ctx, "vec_sparse(x, dims): dims must be an integer from 1 to 2147483648");
    return;
  }
  if (!value_is_sparse(argv[0])) {
    from_dense(ctx, argv[0], (u64)dim);
    return;
  }
  rc = value_sparse(argv[0], (u64)dim, &vector, &error);
  if (rc) {
    result_failure(ctx, rc, error);
    return;
  }
  result_sparse(ctx, vector.blob, vector.size, vector.owned);
  vector.owned = NULL;
}

void vec_sparse_to_text(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  SparseVector vector;
  (void)argc;
  if (!get_sparse(ctx, argv[0], &vector)) return;
  result_text(ctx, sparse_to_text(&vector.sparse));
  sparse_vector_clear(&vector);
}

void sparse_result_dense(sqlite3_context *ctx, sqlite3_value *value) {
  SparseVector vector;
  Vector dense = {0};

  if (!get_sparse(ctx, value, &vector)) return;
  if (vector.sparse.dim > MAX_DENSE) {
    result_message(ctx, "a sparse vector of %u dimensions is too large to be made dense: at most %d", vector.sparse.dim,
                   MAX_DENSE);
  } else if (vector_new(ELEM_F32, vector.sparse.dim, &dense)) {
    sqlite3_result_error_nomem(ctx);
  } else {
    for (u32 i = 0; i < vector.sparse.count; i++)
      (void)vector_set(&dense, sparse_index(&vector.sparse, i), (double)sparse_value(&vector.sparse, i));
    result_vector(ctx, &dense);
  }
  sparse_vector_clear(&vector);
}

/* Argument i, unless it is dense: then the types do not match. */
static int get_nth(sqlite3_context *ctx, sqlite3_value **argv, int i, SparseVector *out) {
  Vector dense = {0};
  if (value_is_sparse(argv[i])) return get_sparse(ctx, argv[i], out);
  if (get_vector(ctx, argv[i], &dense))
    result_message(ctx, "Vector type mistmatch. First vector has type %s, while the second has type %s.",
                   i ? "sparse" : elem_name(dense.elem), i ? elem_name(dense.elem) : "sparse");
  vector_clear(&dense);
  return 0;
}

void sparse_result_distance(sqlite3_context *ctx, Metric metric, sqlite3_value **argv) {
  SparseVector a = {0}, b = {0};
  if (!get_nth(ctx, argv, 0, &a) || !get_nth(ctx, argv, 1, &b)) {
    /* reported */
  } else if (a.sparse.dim != b.sparse.dim) {
    result_message(ctx,
                   "Vector dimension mistmatch. First vector has %u dimensions, while the second has %u dimensions.",
                   a.sparse.dim, b.sparse.dim);
  } else if (!sparse_metric_fits(metric)) {
    result_message(ctx, "Cannot calculate %s distance between two sparse vectors.", metric_name(metric));
  } else {
    sqlite3_result_double(ctx, sparse_distance(metric, &a.sparse, &b.sparse));
  }
  sparse_vector_clear(&a);
  sparse_vector_clear(&b);
}
