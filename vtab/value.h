/*
 * value.h: vectors in SQL values: decoding arguments, whoever passes them.
 *
 * A vector arrives as a BLOB (dense elements, see elem.h) or as a JSON array in TEXT. The value's subtype says the
 * element type; without one it is float32. A subtype is a hint, never a proof: anybody can attach one to any blob, so
 * sizes and elements are checked here whatever it says. What value_vector gives is sound: dim >= 1, `data` holds
 * elem_size(elem, dim) bytes, no element is NaN or infinite.
 */
#ifndef QUIRE_VALUE_H
#define QUIRE_VALUE_H

#include "../vector/sparse.h"
#include "../wal_shim/field.h"

/* Set to {0} before first use; vector_clear accepts that and any other state. */
typedef struct Vector {
  Elem elem;
  u32 dim;
  const void *data; /* vector_bytes() at any alignment; the sqlite3_value's own or `owned` */
  void *owned;      /* NULL, or what vector_clear frees */
} Vector;

/*
 * Decode a vector as the scalar functions see it.
 *
 *   out     emptied, then set; its data live until vector_clear, or until the value changes, whichever comes first
 *   *error  on SQLITE_ERROR (not a vector) a message in sqlite-vec's words, freed by sqlite3_free
 *
 * On failure *out is empty.
 */
int value_vector(sqlite3_value *value, Vector *out, char **error);

/*
 * Decode a vector for a column or a query of type `wanted` and `dim` elements. As value_vector, but where the value
 * leaves its type open the column decides:
 *
 *   untagged BLOB  of exactly elem_size(wanted, dim) bytes is a `wanted`; of any other size a float32
 *   JSON text      is parsed as a `wanted` for float16 and bfloat16; for int8 and bit it is a float32, as in
 *                  sqlite-vec, where these want vec_int8() or vec_bit() around them
 *
 * For a sparse column it is all that vec_sparse() takes, dense vectors too, of SPARSE_MAX_VALUES values at most.
 *
 * The caller compares out->elem and out->dim with the column's and finds the words, since only it knows the column's
 * name.
 */
int value_vector_for(sqlite3_value *value, Elem wanted, u32 dim, Vector *out, char **error);

/*
 * Decode as exactly `elem`: what vec_f32(), vec_int8(), vec_bit(), ... do.
 *
 * Text is parsed as that type (an error for ELEM_BIT). A BLOB is taken as that type, byte for byte, whatever its
 * subtype says, as in sqlite-vec, save where one of our own types takes part: float16 and bfloat16 are converted to
 * float32 and to each other, and float32 and int8 to float16 and bfloat16; elements that overflow are an error.
 */
int value_vector_as(sqlite3_value *value, Elem elem, Vector *out, char **error);

/* --- sparse vectors --- */

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
void sparse_vector_clear(SparseVector *vector);

/* A value taken as this type (SQLITE_INTEGER, ...), its own or one that it converts to; bytes are the value's. SQLITE_OK or SQLITE_NOMEM. */
int value_field(sqlite3_value *value, int type, FieldValue *out);
/* The words of a value for a field (wal_shim/field.h). SQLITE_OK or SQLITE_NOMEM. */
int value_words(FieldType type, u64 key, sqlite3_value *value, u64 *words);

/* A vector of `dim` zeros that owns its elements. *out is emptied first. SQLITE_OK or SQLITE_NOMEM. */
int vector_new(Elem elem, u32 dim, Vector *out);
/* Set element i of an owned float32, float16 or bfloat16 vector, rounded to the type; 0 if that is NaN or infinite. */
int vector_set(Vector *vector, u32 i, double value);

/* Free what the vector owns and empty it. */
void vector_clear(Vector *vector);

#endif
