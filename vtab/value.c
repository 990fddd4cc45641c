/*
 * value.c: vectors in SQL values. See value.h.
 *
 * Start at value_vector(): blobs are checked in from_blob(), JSON in from_text(); nothing else makes a Vector.
 */
#include "value.h"

#include "../wal_shim/bytes.h"

#define NONE_OF_OURS ((Elem)0)

/* More than any SQLite build lets a value have in bytes, and few enough for messages and loops to count in int. */
#define MAX_ELEMENTS 0x7fffffffu

void vector_clear(Vector *vector) {
  mem_free(vector->owned);
  memset(vector, 0, sizeof *vector);
}

/* Set *error to a formatted message and return SQLITE_ERROR, or SQLITE_NOMEM. */
static int fail(char **error, char *message) {
  *error = message;
  return message ? SQLITE_ERROR : SQLITE_NOMEM;
}

static int no_elements(char **error) { return fail(error, sqlite3_mprintf("zero-length vectors are not supported.")); }

static int check_finite(const Vector *vector, char **error) {
  i64 at = elem_first_nonfinite(vector->elem, vector->data, vector->dim);
  double bad;
  if (at < 0) return SQLITE_OK;
  if (at < 2 && sparse_marked(vector->data, elem_size(vector->elem, vector->dim)))
    return fail(error,
                sqlite3_mprintf("this is a sparse vector, where a dense one has to be: vec_f32() makes it dense"));
  bad = elem_get(vector->elem, vector->data, (u32)at);
  return fail(error, sqlite3_mprintf("invalid %s vector: element %lld is %s", elem_name(vector->elem), (long long)at,
                                     bad != bad ? "NaN" : "Inf"));
}

/* A BLOB as a vector of type `elem`, without copying. */
static int from_blob(sqlite3_value *value, Elem elem, Vector *out, char **error) {
  const void *data = sqlite3_value_blob(value);
  int size = sqlite3_value_bytes(value);
  u64 count;

  if (size == 0) return no_elements(error);
  if (data == NULL) return SQLITE_NOMEM;
  count = elem_count(elem, (u64)size);
  if (count == 0) {
    return fail(error, sqlite3_mprintf("invalid %s vector BLOB length. Must be divisible by %d, found %d",
                                       elem_name(elem), (int)elem_size(elem, 1), size));
  }
  if (count > MAX_ELEMENTS) {
    return fail(error, sqlite3_mprintf("vector too large: %llu elements, at most %u are supported",
                                       (unsigned long long)count, MAX_ELEMENTS));
  }
  out->elem = elem;
  out->dim = (u32)count;
  out->data = data;
  return check_finite(out, error);
}

/* JSON text as a vector of type `elem`, which is not ELEM_BIT. */
static int from_text(sqlite3_value *value, Elem elem, Vector *out, char **error) {
  const unsigned char *text = sqlite3_value_text(value);
  int size = sqlite3_value_bytes(value);
  void *elements = NULL;
  u32 dim = 0;
  int rc;

  if (text == NULL) return SQLITE_NOMEM;
  if (size == 0) return no_elements(error);
  rc = elem_parse_json(elem, (const char *)text, (size_t)size, &elements, &dim, error);
  if (rc) return rc;
  out->owned = elements;
  if (dim == 0) return no_elements(error);
  out->elem = elem;
  out->dim = dim;
  out->data = elements;
  return SQLITE_OK;
}

static const char *type_name(int type) {
  switch (type) {
    case SQLITE_INTEGER: return "INTEGER";
    case SQLITE_FLOAT: return "FLOAT";
    case SQLITE_NULL: return "NULL";
    case SQLITE_TEXT: return "TEXT";
    default: return "BLOB";
  }
}

/* A value of neither type that can hold a vector. */
static int wrong_type(sqlite3_value *value, Elem elem, char **error) {
  switch (elem) {
    case ELEM_BIT: return fail(error, sqlite3_mprintf("Unknown type for bitvector."));
    case ELEM_I8: return fail(error, sqlite3_mprintf("Unknown type for int8 vector."));
    default:
      return fail(error, sqlite3_mprintf("Input must have type BLOB (compact format) or TEXT (JSON), found %s",
                                         type_name(sqlite3_value_type(value))));
  }
}

/* Decode a value whose element type is settled. */
static int decode(sqlite3_value *value, Elem elem, Vector *out, char **error) {
  int type = sqlite3_value_type(value);
  char *message = NULL;
  int rc;

  vector_clear(out);
  if (type == SQLITE_BLOB) {
    rc = from_blob(value, elem, out, &message);
  } else if (type == SQLITE_TEXT && elem != ELEM_BIT) {
    rc = from_text(value, elem, out, &message);
  } else {
    rc = wrong_type(value, elem, &message);
  }
  if (rc) vector_clear(out);
  *error = message;
  return rc;
}

/* The element type that a BLOB's subtype names, or NONE_OF_OURS. */
static Elem tag_of(sqlite3_value *value) {
  if (sqlite3_value_type(value) != SQLITE_BLOB) return NONE_OF_OURS;
  return elem_of_subtype(sqlite3_value_subtype(value));
}

int value_vector(sqlite3_value *value, Vector *out, char **error) {
  Elem tag = tag_of(value);
  return decode(value, tag ? tag : ELEM_F32, out, error);
}

/* --- sparse vectors --- */

int value_is_sparse(sqlite3_value *value) {
  int type = sqlite3_value_type(value), size;
  if (type == SQLITE_BLOB) {
    unsigned subtype = sqlite3_value_subtype(value);
    const void *blob = sqlite3_value_blob(value);
    if (subtype == SUBTYPE_SPARSE) return 1;
    return blob && elem_of_subtype(subtype) == (Elem)0 && sparse_marked(blob, (u64)sqlite3_value_bytes(value));
  }
  if (type == SQLITE_TEXT) {
    const char *text = (const char *)sqlite3_value_text(value);
    size = sqlite3_value_bytes(value);
    while (text && size > 0 && (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r')) text++, size--;
    return text && size > 0 && *text == '{';
  }
  return 0;
}

int value_sparse(sqlite3_value *value, u64 dim, SparseVector *out, char **error) {
  const void *data =
      sqlite3_value_type(value) == SQLITE_TEXT ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
  u64 size = (u64)sqlite3_value_bytes(value);
  int rc;

  memset(out, 0, sizeof *out);
  *error = NULL;
  if (data == NULL && size) return SQLITE_NOMEM;
  out->blob = data;
  out->size = size;
  if (sqlite3_value_type(value) == SQLITE_TEXT) {
    rc = sparse_parse(data, size, dim, &out->owned, &out->size, error);
    if (rc) return rc;
    out->blob = out->owned;
  }
  rc = sparse_open(out->blob, out->size, &out->sparse, error);
  if (rc == SQLITE_OK && dim && out->sparse.dim != dim) {
    *error = sqlite3_mprintf("sparse vector: %u dimensions where %llu are expected", out->sparse.dim,
                             (unsigned long long)dim);
    rc = *error ? SQLITE_ERROR : SQLITE_NOMEM;
  }
  if (rc) sparse_vector_clear(out);
  return rc;
}

void sparse_vector_clear(SparseVector *vector) {
  mem_free(vector->owned);
  memset(vector, 0, sizeof *vector);
}

/* A vector for a sparse column. */
static int decode_sparse(sqlite3_value *value, u32 dim, Vector *out, char **error) {
  SparseVector sparse = {0};
  u64 size;
  int rc;

  vector_clear(out);
  if (value_is_sparse(value)) {
    rc = value_sparse(value, sqlite3_value_type(value) == SQLITE_TEXT ? dim : 0, &sparse, error);
    if (rc) return rc;
    *out = (Vector){ELEM_SPARSE, sparse.sparse.dim, sparse.blob, sparse.owned};
  } else {
    Vector dense = {0};
    rc = value_vector(value, &dense, error);
    if (rc) return rc;
    rc = sparse_of_dense(dense.elem, dense.data, dense.dim, &sparse.owned, &size);
    if (rc == SQLITE_OK) *out = (Vector){ELEM_SPARSE, dense.dim, sparse.owned, sparse.owned};
    vector_clear(&dense);
    if (rc) return rc;
  }
  sparse.sparse = sparse_view(out->data);
  if (sparse.sparse.count <= SPARSE_MAX_VALUES) return SQLITE_OK;
  vector_clear(out);
  return fail(error,
              sqlite3_mprintf("%u values are not zero, at most %u can be", sparse.sparse.count, SPARSE_MAX_VALUES));
}

int value_vector_for(sqlite3_value *value, Elem wanted, u32 dim, Vector *out, char **error) {
  Elem elem = tag_of(value);
  int type = sqlite3_value_type(value);

  if (wanted == ELEM_SPARSE) return decode_sparse(value, dim, out, error);
  if (elem == NONE_OF_OURS) {
    elem = ELEM_F32;
    if (type == SQLITE_BLOB && (u64)sqlite3_value_bytes(value) == elem_size(wanted, dim)) elem = wanted;
    if (type == SQLITE_TEXT && (wanted == ELEM_F16 || wanted == ELEM_BF16)) elem = wanted;
  }
  return decode(value, elem, out, error);
}

/* Whether value_vector_as converts elements of type `from`, or takes the bytes as they are. */
static int converts(Elem from, Elem to) {
  if (from == to) return 0;
  switch (to) {
    case ELEM_F32: return from == ELEM_F16 || from == ELEM_BF16;
    case ELEM_F16:
    case ELEM_BF16: return from == ELEM_F32 || from == ELEM_F16 || from == ELEM_BF16 || from == ELEM_I8;
    default: return 0;
  }
}

int vector_new(Elem elem, u32 dim, Vector *out) {
  int rc = SQLITE_OK;
  vector_clear(out);
  out->owned = mem_zeroed(&rc, 1, elem_size(elem, dim));
  if (rc) return rc;
  out->elem = elem;
  out->dim = dim;
  out->data = out->owned;
  return SQLITE_OK;
}

int vector_set(Vector *vector, u32 i, double value) {
  u8 *at = (u8 *)vector->owned + elem_size(vector->elem, i);
  elem_put(vector->elem, vector->owned, i, (float)value);
  return elem_first_nonfinite(vector->elem, at, 1) < 0;
}

/* Replace *vector by its elements converted to `elem`. */
static int convert(Vector *vector, Elem elem, char **error) {
  Vector result = {0};
  u32 i;
  int rc = vector_new(elem, vector->dim, &result);

  for (i = 0; rc == SQLITE_OK && i < vector->dim; i++) {
    if (!vector_set(&result, i, elem_get(vector->elem, vector->data, i))) {
      rc = fail(error, sqlite3_mprintf("element %u is out of range for %s", i, elem_name(elem)));
    }
  }
  vector_clear(vector);
  if (rc == SQLITE_OK) {
    *vector = result;
  } else {
    vector_clear(&result);
  }
  return rc;
}

int value_vector_as(sqlite3_value *value, Elem elem, Vector *out, char **error) {
  Elem tag = tag_of(value);
  int rc;

  if (!converts(tag, elem)) return decode(value, elem, out, error);
  rc = decode(value, tag, out, error);
  return rc ? rc : convert(out, elem, error);
}

int value_field(sqlite3_value *value, int type, FieldValue *out) {
  memset(out, 0, sizeof *out);
  out->type = type;
  if (type == SQLITE_INTEGER) out->integer = sqlite3_value_int64(value);
  if (type == SQLITE_FLOAT) out->real = sqlite3_value_double(value);
  if (type != SQLITE_TEXT && type != SQLITE_BLOB) return SQLITE_OK;
  out->bytes = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
  out->size = (u64)sqlite3_value_bytes(value);
  return out->bytes == NULL && (out->size || type == SQLITE_TEXT) ? SQLITE_NOMEM : SQLITE_OK;
}

int value_words(FieldType type, u64 key, sqlite3_value *value, u64 *words) {
  FieldValue v;
  int rc = value_field(value, sqlite3_value_type(value), &v);

  if (rc == SQLITE_OK) field_put(type, key, &v, words);
  return rc;
}
