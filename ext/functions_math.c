/*
 * functions_math.c: arithmetic, normalising, slicing and quantizing of vectors.
 *
 * Sums are made in double precision and rounded once. A result that is infinite in its type is an error, never a
 * vector: sqlite-vec returns infinities and NaN there.
 */
#include "functions_int.h"

#include <math.h>

static void overflow(sqlite3_context *ctx, const Vector *vector, u32 i) {
  char *message = sqlite3_mprintf("%s() result is out of range for %s at element %u", this_function(ctx)->name,
                                  elem_name(vector->elem), i);
  result_failure(ctx, message ? SQLITE_ERROR : SQLITE_NOMEM, message);
}

/* a[i] + sign * b[i] for all i; whether all fit the type. */
static int add_elements(const Vector *a, const Vector *b, int sign, Vector *out, u32 *bad) {
  u32 i;
  for (i = 0; i < a->dim; i++) {
    double sum = elem_get(a->elem, a->data, i) + sign * elem_get(b->elem, b->data, i);
    if (a->elem == ELEM_I8) {
      ((u8 *)out->owned)[i] = (u8)(int)sum; /* wraps around, as in sqlite-vec */
    } else if (!vector_set(out, i, sum)) {
      *bad = i;
      return 0;
    }
  }
  return 1;
}

/* vec_add(a, b), vec_sub(a, b): element by element, of one type and dimension. int8 wraps around. */
void vec_add(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int sign = this_function(ctx)->param;
  Vector a = {0}, b = {0}, sum = {0};
  u32 bad = 0;

  (void)argc;
  if (!get_pair(ctx, argv, &a, &b)) return;
  if (a.elem == ELEM_BIT) {
    sqlite3_result_error(
        ctx, sign > 0 ? "Cannot add two bitvectors together." : "Cannot subtract two bitvectors together.", -1);
  } else if (vector_new(a.elem, a.dim, &sum)) {
    sqlite3_result_error_nomem(ctx);
  } else if (!add_elements(&a, &b, sign, &sum, &bad)) {
    overflow(ctx, &sum, bad);
  } else {
    result_vector(ctx, &sum);
  }
  vector_clear(&a);
  vector_clear(&b);
  vector_clear(&sum);
}

/*
 * vec_normalize(v): v divided by its Euclidean length, for the float types. A zero vector has no direction and stays as
 * it is (sqlite-vec: NaN).
 */
void vec_normalize(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector vector = {0}, unit = {0};
  double norm = 0;
  u32 i;

  (void)argc;
  if (!get_vector(ctx, argv[0], &vector)) return;
  if (vector.elem == ELEM_I8 || vector.elem == ELEM_BIT) {
    sqlite3_result_error(ctx, "only float32 vectors are supported when normalizing", -1);
  } else if (vector_new(vector.elem, vector.dim, &unit)) {
    sqlite3_result_error_nomem(ctx);
  } else {
    for (i = 0; i < vector.dim; i++) {
      double x = elem_get(vector.elem, vector.data, i);
      norm += x * x; /* cannot overflow: below 2^31 squares of floats */
    }
    norm = norm > 0 ? sqrt(norm) : 1;
    for (i = 0; i < vector.dim; i++) {
      (void)vector_set(&unit, i, elem_get(vector.elem, vector.data, i) / norm);
    }
    result_vector(ctx, &unit);
  }
  vector_clear(&vector);
  vector_clear(&unit);
}

/* What is wrong with the slice [start, end) of the vector, or NULL. */
static const char *slice_problem(const Vector *vector, i64 start, i64 end) {
  if (start < 0) return "slice 'start' index must be a postive number.";
  if (end < 0) return "slice 'end' index must be a postive number.";
  if (start > vector->dim) return "slice 'start' index is greater than the number of dimensions";
  if (end > vector->dim) return "slice 'end' index is greater than the number of dimensions";
  if (start > end) return "slice 'start' index is greater than 'end' index";
  if (start == end) return "slice 'start' index is equal to the 'end' index, vectors must have non-zero length";
  if (vector->elem == ELEM_BIT && start % 8 != 0) return "start index must be divisible by 8.";
  if (vector->elem == ELEM_BIT && end % 8 != 0) return "end index must be divisible by 8.";
  return NULL;
}

/* vec_slice(v, start, end): elements start to end - 1, of any type. Of bits both must be divisible by 8. */
void vec_slice(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  i64 start = sqlite3_value_int64(argv[1]), end = sqlite3_value_int64(argv[2]);
  Vector vector = {0}, slice = {0};
  const char *problem;

  (void)argc;
  if (!get_vector(ctx, argv[0], &vector)) return;
  problem = slice_problem(&vector, start, end);
  if (problem) {
    sqlite3_result_error(ctx, problem, -1);
  } else {
    slice.elem = vector.elem;
    slice.dim = (u32)(end - start);
    slice.data = (const u8 *)vector.data + elem_size(vector.elem, (u32)start);
    result_vector(ctx, &slice);
  }
  vector_clear(&vector);
}

/* Decode the argument of vec_quantize_int8: always floats, whatever another tag says, as in sqlite-vec. */
static int get_floats(sqlite3_context *ctx, sqlite3_value *value, Vector *out) {
  char *message = NULL;
  int rc = value_vector_as(value, ELEM_F32, out, &message);
  if (rc) result_failure(ctx, rc, message);
  return rc == SQLITE_OK;
}

/*
 * [-1, 1] in 255 equal steps to -128..127, truncated toward zero; what lies outside goes to the nearest end. The step
 * is a float, all else double, so that codes are sqlite-vec's to the bit: codes of both may stand in one table.
 */
static i8 quantize_unit(double x) {
  static const float step = 2.0f / 255;
  double code = (x + 1.0) / (double)step - 128;
  return code <= -128 ? -128 : code >= 127 ? 127 : (i8)code;
}

/* vec_quantize_int8(v, 'unit'), vec_quantize_i8(v, 'unit'): v's elements are expected in [-1, 1]. */
void vec_quantize_int8(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const char *range = (const char *)sqlite3_value_text(argv[1]);
  Vector vector = {0}, codes = {0};
  char *message;
  u32 i;

  (void)argc;
  if (!get_floats(ctx, argv[0], &vector)) return;
  if (range == NULL || sqlite3_stricmp(range, "unit") != 0) {
    message = sqlite3_mprintf("2nd argument to %s() must be 'unit'.", this_function(ctx)->name);
    result_failure(ctx, message ? SQLITE_ERROR : SQLITE_NOMEM, message);
  } else if (vector_new(ELEM_I8, vector.dim, &codes)) {
    sqlite3_result_error_nomem(ctx);
  } else {
    for (i = 0; i < vector.dim; i++) {
      ((i8 *)codes.owned)[i] = quantize_unit(elem_get(ELEM_F32, vector.data, i));
    }
    result_vector(ctx, &codes);
  }
  vector_clear(&vector);
  vector_clear(&codes);
}

/* vec_quantize_binary(v): a bit for each element, set where it is above zero. */
void vec_quantize_binary(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector vector = {0}, bits = {0};
  u32 i;

  (void)argc;
  if (!get_vector(ctx, argv[0], &vector)) return;
  if (vector.elem == ELEM_BIT) {
    sqlite3_result_error(ctx, "Can only binary quantize float or int8 vectors", -1);
  } else if (vector.dim % 8 != 0) {
    sqlite3_result_error(ctx, "Binary quantization requires vectors with a length divisible by 8", -1);
  } else if (vector_new(ELEM_BIT, vector.dim, &bits)) {
    sqlite3_result_error_nomem(ctx);
  } else {
    u8 *packed = bits.owned;
    for (i = 0; i < vector.dim; i++) {
      if (elem_get(vector.elem, vector.data, i) > 0) packed[i / 8] = (u8)(packed[i / 8] | 1 << i % 8);
    }
    result_vector(ctx, &bits);
  }
  vector_clear(&vector);
  vector_clear(&bits);
}
