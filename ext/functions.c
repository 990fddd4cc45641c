/*
 * functions.c: constructors, properties and text forms of vectors, versions, and the helpers of functions_int.h.
 */
#include "functions_int.h"

#include "functions_sparse.h"

#define SQLITE_VEC_VERSION "v0.1.9" /* whose SQL we speak */
#define SUBTYPE_JSON 74

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown compiler"
#endif

/* --- helpers --- */

const SqlFunction *this_function(sqlite3_context *ctx) { return sqlite3_user_data(ctx); }

void result_failure(sqlite3_context *ctx, int rc, char *message) {
  if (rc == SQLITE_NOMEM) {
    sqlite3_result_error_nomem(ctx);
  } else if (message) {
    sqlite3_result_error(ctx, message, -1);
    sqlite3_result_error_code(ctx, rc); /* keeps the words */
  } else {
    sqlite3_result_error_code(ctx, rc);
  }
  sqlite3_free(message);
}

void result_text(sqlite3_context *ctx, char *text) {
  if (text) {
    sqlite3_result_text(ctx, text, -1, sqlite3_free);
  } else {
    sqlite3_result_error_nomem(ctx);
  }
}

void result_vector(sqlite3_context *ctx, Vector *vector) {
  u64 size = elem_size(vector->elem, vector->dim);
  if (vector->owned) {
    sqlite3_result_blob64(ctx, vector->owned, size, mem_free);
    vector->owned = NULL;
  } else {
    sqlite3_result_blob64(ctx, vector->data, size, SQLITE_TRANSIENT);
  }
  sqlite3_result_subtype(ctx, elem_subtype(vector->elem));
  vector_clear(vector);
}

int get_vector(sqlite3_context *ctx, sqlite3_value *value, Vector *out) {
  char *message = NULL;
  int rc = value_vector(value, out, &message);
  if (rc) result_failure(ctx, rc, message);
  return rc == SQLITE_OK;
}

/* Decode argument `i` of a pair; the message says which. */
static int get_nth(sqlite3_context *ctx, sqlite3_value **argv, int i, Vector *out) {
  char *reason = NULL, *message = NULL;
  int rc = value_vector(argv[i], out, &reason);

  if (rc == SQLITE_OK) return 1;
  if (reason) message = sqlite3_mprintf("Error reading %s vector: %s", i == 0 ? "1st" : "2nd", reason);
  sqlite3_free(reason);
  result_failure(ctx, message ? rc : SQLITE_NOMEM, message);
  return 0;
}

int same_shape(sqlite3_context *ctx, const Vector *a, const Vector *b) {
  char *message;
  if (a->elem == b->elem && a->dim == b->dim) return 1;
  if (a->elem != b->elem) {
    message = sqlite3_mprintf("Vector type mistmatch. First vector has type %s, while the second has type %s.",
                              elem_name(a->elem), elem_name(b->elem));
  } else {
    message = sqlite3_mprintf(
        "Vector dimension mistmatch. First vector has %u dimensions, while the second has %u dimensions.", a->dim,
        b->dim);
  }
  result_failure(ctx, message ? SQLITE_ERROR : SQLITE_NOMEM, message);
  return 0;
}

int get_pair(sqlite3_context *ctx, sqlite3_value **argv, Vector *a, Vector *b) {
  if (get_nth(ctx, argv, 0, a) && get_nth(ctx, argv, 1, b) && same_shape(ctx, a, b)) return 1;
  vector_clear(a);
  vector_clear(b);
  return 0;
}

int is_interrupted(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  int rc;
#if SQLITE_VERSION_NUMBER >= 3041000
  if (sqlite3_libversion_number() >= 3041000) return sqlite3_is_interrupted(db);
#endif
  rc = sqlite3_prepare_v2(db, "SELECT 1", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  return rc == SQLITE_INTERRUPT;
}

/* --- versions --- */

void vec_version(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  sqlite3_result_text(ctx, SQLITE_VEC_VERSION, -1, SQLITE_STATIC);
}

/* For people and bug reports: "0.1.0 (simd avx2, gcc 12.2.0, built for ...)". The first word is the version. */
void quire_version(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  result_text(ctx, sqlite3_mprintf("%s (simd %s, %s, built for SQLite %s, running on %s)", QUIRE_VERSION, simd_level(),
                                   COMPILER, SQLITE_VERSION, sqlite3_libversion()));
}

/* sqlite-vec's four lines, with our version where it names its commit. */
void vec_debug(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  result_text(ctx, sqlite3_mprintf("Version: %s\nQuire: %s\nCompiler: %s\nBuild flags: simd %s", SQLITE_VEC_VERSION,
                                   QUIRE_VERSION, COMPILER, simd_level()));
}

/* --- constructors --- */

/* vec_f32(x), vec_f16(x), vec_bf16(x), vec_int8(x), vec_bit(x): a BLOB or JSON text as a vector of that type. */
void vec_construct(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector vector = {0};
  char *message = NULL;
  Elem elem = (Elem)this_function(ctx)->param;
  int rc;

  (void)argc;
  /* a text with a brace stays the error that it is in sqlite-vec */
  if (elem == ELEM_F32 && sqlite3_value_type(argv[0]) == SQLITE_BLOB && value_is_sparse(argv[0])) {
    sparse_result_dense(ctx, argv[0]);
    return;
  }
  rc = value_vector_as(argv[0], elem, &vector, &message);
  if (rc) {
    result_failure(ctx, rc, message);
  } else {
    result_vector(ctx, &vector);
  }
}

/* --- properties --- */

/* vec_length(v): number of elements. */
void vec_length(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector vector = {0};
  SparseVector sparse;
  (void)argc;
  if (value_is_sparse(argv[0])) {
    if (get_sparse(ctx, argv[0], &sparse)) sqlite3_result_int64(ctx, sparse.sparse.dim);
    sparse_vector_clear(&sparse);
    return;
  }
  if (!get_vector(ctx, argv[0], &vector)) return;
  sqlite3_result_int64(ctx, vector.dim);
  vector_clear(&vector);
}

/* vec_type(v): 'float32', 'float16', 'bfloat16', 'int8', 'bit' or 'sparse'. */
void vec_type(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector vector = {0};
  SparseVector sparse;
  (void)argc;
  if (value_is_sparse(argv[0])) {
    if (get_sparse(ctx, argv[0], &sparse)) sqlite3_result_text(ctx, "sparse", -1, SQLITE_STATIC);
    sparse_vector_clear(&sparse);
    return;
  }
  if (!get_vector(ctx, argv[0], &vector)) return;
  sqlite3_result_text(ctx, elem_name(vector.elem), -1, SQLITE_STATIC);
  vector_clear(&vector);
}

/* vec_to_json(v): a JSON array of numbers (sparse: an object), with JSON's subtype, so that json_array() and its like nest it. */
void vec_to_json(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector vector = {0};
  SparseVector sparse;
  (void)argc;
  if (value_is_sparse(argv[0])) {
    if (!get_sparse(ctx, argv[0], &sparse)) return;
    result_text(ctx, sparse_to_json(&sparse.sparse));
    sqlite3_result_subtype(ctx, SUBTYPE_JSON);
    sparse_vector_clear(&sparse);
    return;
  }
  if (!get_vector(ctx, argv[0], &vector)) return;
  result_text(ctx, elem_to_json(vector.elem, vector.data, vector.dim));
  sqlite3_result_subtype(ctx, SUBTYPE_JSON);
  vector_clear(&vector);
}
