/*
 * functions_multi.c: BLOBs of several vectors, one after the other, and what is made of many vectors.
 *
 *   vec_concat(v)                       aggregate: all rows' vectors in one BLOB, in the order of the rows
 *   vec_rows(vectors, dims)             table-valued, the way back: n (from 0), vector
 *   vec_maxsim(query, document, dims)   MaxSim of two such BLOBs: for each vector of the query the largest inner product with one of
 *                                       the document, summed; larger is better
 *   vec_nearest(v, vectors [, metric])  which of the vectors is nearest to v, from 0; l2 or, of bits, hamming if no metric is given
 *   vec_kmeans(v, k [, seed])           aggregate: a BLOB of k centroids (float32), fewer if there are fewer different vectors
 *
 * vec_kmeans keeps a sample of the rows, drawn evenly (Vitter 1985, algorithm R): KMEANS_ROWS for a centroid, at most SAMPLE_FLOATS
 * elements. Everything random comes from the seed: the same rows in the same order give the same centroids.
 */
#include "../vector/kmeans.h"
#include "../vector/multi.h"
#include "../wal_shim/bytes.h"
#include "companions.h"

#define SAMPLE_FLOATS ((u64)1 << 27)
#define MAX_CENTROIDS 65536

static void refuse_bits(sqlite3_context *ctx) {
  result_message(ctx, "%s() does not accept bit vectors", this_function(ctx)->name);
}

/* The elements as float32 at `out`. */
static void widen(const Vector *vector, float *out) {
  for (u32 i = 0; i < vector->dim; i++) out[i] = (float)elem_get(vector->elem, vector->data, i);
}

/* --- vec_concat --- */

typedef struct Concat {
  Elem elem; /* 0: no row yet */
  u32 dim;
  u8 *bytes;
  u64 size, cap;
} Concat;

void concat_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Concat *all = sqlite3_aggregate_context(ctx, sizeof *all);
  Vector vector = {0}, shape = {0};
  u64 size;
  int rc = all ? SQLITE_OK : SQLITE_NOMEM;

  (void)argc;
  if (rc == SQLITE_OK && (sqlite3_value_type(argv[0]) == SQLITE_NULL || !get_vector(ctx, argv[0], &vector))) return;
  if (rc == SQLITE_OK) {
    shape.elem = all->elem ? all->elem : vector.elem;
    shape.dim = all->elem ? all->dim : vector.dim;
    if (!same_shape(ctx, &shape, &vector)) {
      vector_clear(&vector);
      return;
    }
    all->elem = shape.elem;
    all->dim = shape.dim;
    size = elem_size(vector.elem, vector.dim);
    rc = mem_reserve(&all->bytes, &all->cap, all->size + size, 1);
    if (rc == SQLITE_OK) memcpy(all->bytes + all->size, vector.data, (size_t)size);
    if (rc == SQLITE_OK) all->size += size;
    vector_clear(&vector);
  }
  if (rc) sqlite3_result_error_code(ctx, rc);
}

void concat_final(sqlite3_context *ctx) {
  Concat *all = sqlite3_aggregate_context(ctx, 0);
  if (all == NULL || all->elem == 0) return; /* NULL */
  sqlite3_result_blob64(ctx, all->bytes, all->size, mem_free);
  sqlite3_result_subtype(ctx, elem_subtype(all->elem));
  all->bytes = NULL;
}

/* --- several vectors as an argument --- */

/* How many vectors of `dim` elements; 0 after words in *error (which may be NULL: out of memory). */
static u32 count_rows(const char *function, const Vector *vectors, i64 dim, char **error) {
  if (dim >= 1 && dim <= vectors->dim && vectors->dim % (u32)dim == 0 && (vectors->elem != ELEM_BIT || dim % 8 == 0))
    return vectors->dim / (u32)dim;
  *error = sqlite3_mprintf("%s: %u %s elements are no whole number of vectors of %lld dimensions", function,
                           vectors->dim, elem_name(vectors->elem), (long long)dim);
  return 0;
}

static u32 get_count(sqlite3_context *ctx, const Vector *vectors, i64 dim) {
  char *error = NULL;
  u32 count = count_rows(this_function(ctx)->name, vectors, dim, &error);
  if (count == 0) result_failure(ctx, error ? SQLITE_ERROR : SQLITE_NOMEM, error);
  return count;
}

void vec_maxsim(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector query = {0}, document = {0};
  i64 dim = sqlite3_value_int64(argv[2]);
  u32 query_count = 0, document_count = 0;

  (void)argc;
  if (sqlite3_value_type(argv[2]) != SQLITE_INTEGER) {
    result_message(ctx, "vec_maxsim(query, document, dims): dims must be an integer");
    return;
  }
  if (get_vector(ctx, argv[0], &query) && get_vector(ctx, argv[1], &document)) {
    Vector shape = document;
    shape.dim = query.dim; /* the numbers of vectors may differ */
    if (query.elem == ELEM_BIT || document.elem == ELEM_BIT)
      refuse_bits(ctx);
    else if (same_shape(ctx, &query, &shape) && (query_count = get_count(ctx, &query, dim)) > 0 &&
             (document_count = get_count(ctx, &document, dim)) > 0)
      sqlite3_result_double(ctx,
                            multi_maxsim(query.elem, query.data, query_count, document.data, document_count, (u32)dim));
  }
  vector_clear(&query);
  vector_clear(&document);
}

/* The metric that the argument names, else the usual one; 0 after reporting. */
static Metric get_metric(sqlite3_context *ctx, sqlite3_value *value, Elem elem) {
  const char *name = value ? (const char *)sqlite3_value_text(value) : NULL;
  Metric metric = elem == ELEM_BIT ? METRIC_HAMMING : METRIC_L2;

  if (value) metric = name ? metric_parse(name, strlen(name)) : (Metric)0;
  if (metric_fits(metric, elem)) return metric;
  result_message(ctx, "%s: '%s' is no metric of %s vectors", this_function(ctx)->name, name ? name : "NULL",
                 elem_name(elem));
  return (Metric)0;
}

/* Convert to float32 in place, unless it is. */
static int to_floats(Vector *vector) {
  Vector result = {0};
  int rc;
  if (vector->elem == ELEM_F32) return SQLITE_OK;
  rc = vector_new(ELEM_F32, vector->dim, &result);
  if (rc == SQLITE_OK) widen(vector, result.owned);
  vector_clear(vector);
  if (rc == SQLITE_OK) *vector = result;
  return rc;
}

void vec_nearest(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Vector vector = {0}, rows = {0};
  Metric metric;
  u32 count;

  if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL) return; /* NULL */
  if (get_vector(ctx, argv[0], &vector) && get_vector(ctx, argv[1], &rows)) {
    /* centroids are float32, whatever they are of */
    if (vector.elem != rows.elem && vector.elem != ELEM_BIT && rows.elem != ELEM_BIT &&
        (to_floats(&vector) || to_floats(&rows))) {
      sqlite3_result_error_nomem(ctx);
    } else {
      Vector shape = rows;
      shape.dim = vector.dim;
      if (same_shape(ctx, &vector, &shape) && (count = get_count(ctx, &rows, vector.dim)) > 0 &&
          (metric = get_metric(ctx, argc > 2 ? argv[2] : NULL, rows.elem)) != 0)
        sqlite3_result_int64(ctx,
                             (i64)multi_nearest(metric, rows.elem, vector.data, rows.data, count, vector.dim, NULL));
    }
  }
  vector_clear(&vector);
  vector_clear(&rows);
}

/* --- vec_kmeans --- */

typedef struct Sample {
  u32 dim, k; /* dim 0: no row yet */
  u64 seed, random;
  float *rows;
  u64 count, cap; /* rows kept; floats allocated */
  u64 most, seen; /* rows to be kept at most; rows that came */
  int failed;     /* a row was refused: the statement ends, and xFinal is called only to clean up */
} Sample;

/* k and seed, from the first row. */
static int start_sample(sqlite3_context *ctx, int argc, sqlite3_value **argv, Sample *sample, u32 dim) {
  i64 k = sqlite3_value_int64(argv[1]);

  if (sqlite3_value_type(argv[1]) != SQLITE_INTEGER || k < 1 || k > MAX_CENTROIDS) {
    result_message(ctx, "vec_kmeans(vector, k): k must be an integer from 1 to %d, found %s", MAX_CENTROIDS,
                   sqlite3_value_text(argv[1]) ? (const char *)sqlite3_value_text(argv[1]) : "NULL");
    return 0;
  }
  sample->dim = dim;
  sample->k = (u32)k;
  sample->seed = sample->random = argc > 2 ? (u64)sqlite3_value_int64(argv[2]) : 0;
  sample->most = MAX(MIN((u64)k * KMEANS_ROWS, SAMPLE_FLOATS / dim), (u64)k);
  return 1;
}

/* Where the next row goes; NULL: nowhere. */
static int make_room(Sample *sample, float **out) {
  u64 place = sample->seen++;
  int rc = SQLITE_OK;

  *out = NULL;
  if (place >= sample->most) {
    place = mix64_next(&sample->random) % sample->seen;
    if (place >= sample->most) return SQLITE_OK;
  } else {
    rc = mem_reserve(&sample->rows, &sample->cap, (place + 1) * sample->dim, sizeof *sample->rows);
    if (rc == SQLITE_OK) sample->count++;
  }
  if (rc == SQLITE_OK) *out = sample->rows + place * sample->dim;
  return rc;
}

void kmeans_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Sample *sample = sqlite3_aggregate_context(ctx, sizeof *sample);
  Vector vector = {0}, shape = {.elem = ELEM_F32};
  float *room = NULL;
  int rc = sample ? SQLITE_OK : SQLITE_NOMEM;

  if (rc) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  sample->failed = 1;
  if (!get_vector(ctx, argv[0], &vector)) return;
  if (vector.elem == ELEM_BIT) {
    refuse_bits(ctx);
  } else if (sample->dim || start_sample(ctx, argc, argv, sample, vector.dim)) {
    shape = vector;
    shape.dim = sample->dim;
    if (same_shape(ctx, &shape, &vector)) {
      rc = make_room(sample, &room);
      if (room) widen(&vector, room);
      if (rc) sqlite3_result_error_nomem(ctx);
      sample->failed = rc != SQLITE_OK;
    }
  }
  vector_clear(&vector);
}

/* As a vector; takes over `values`, in whose place its bytes come. */
static void result_floats(sqlite3_context *ctx, float *values, u32 count) {
  Vector all = {.elem = ELEM_F32, .dim = count, .data = values, .owned = values};
  for (u32 i = 0; i < count; i++) (void)vector_set(&all, i, (double)values[i]); /* little-endian */
  result_vector(ctx, &all);
}

static int interrupted(void *ctx) { return is_interrupted(sqlite3_context_db_handle(ctx)); }

/* Train on the sample and return the centroids. */
static void return_centroids(sqlite3_context *ctx, const Sample *sample) {
  KMeans km = {sample->dim, (u32)MIN((u64)sample->k, sample->count), sample->seed, interrupted, ctx};
  int rc = SQLITE_OK;
  float *centroids = mem_array(&rc, (u64)km.k * km.dim, sizeof *centroids);
  u32 found = 0;

  if (rc == SQLITE_OK) rc = kmeans_train(&km, sample->rows, sample->count, centroids, &found);
  if (rc == SQLITE_OK) {
    result_floats(ctx, centroids, found * km.dim);
  } else {
    result_failure(ctx, rc, NULL);
    mem_free(centroids);
  }
}

void kmeans_final(sqlite3_context *ctx) {
  Sample *sample = sqlite3_aggregate_context(ctx, 0);
  if (sample == NULL) return; /* NULL */
  if (sample->count && !sample->failed) return_centroids(ctx, sample);
  mem_free(sample->rows);
  memset(sample, 0, sizeof *sample);
}

/* --- vec_rows --- */

static int fill_rows(TableCall *call) {
  Vector vectors = {0};
  char *error = NULL;
  i64 dim = sqlite3_value_int64(call->argument[1]);
  u32 count = 0;
  int rc;

  if (sqlite3_value_type(call->argument[0]) == SQLITE_NULL) return SQLITE_OK;
  rc = value_vector(call->argument[0], &vectors, &error);
  if (rc == SQLITE_OK) {
    count = count_rows("vec_rows", &vectors, dim, &error);
    if (count == 0) rc = error ? SQLITE_ERROR : SQLITE_NOMEM;
  }
  if (rc == SQLITE_ERROR) rc = call_fail(call, rc, "%s", error);
  sqlite3_free(error);
  for (u32 i = 0; i < count && rc == SQLITE_OK; i++) {
    u64 size = elem_size(vectors.elem, (u32)dim);
    rc = rows_begin(call);
    if (rc == SQLITE_OK) rc = rows_integer(call, i);
    if (rc == SQLITE_OK) rc = rows_blob(call, (const u8 *)vectors.data + i * size, size, elem_subtype(vectors.elem));
  }
  vector_clear(&vectors);
  return rc;
}

const TableFunction vec_rows = {
    .name = "vec_rows",
    .declaration = "CREATE TABLE x(n INTEGER, vector, vectors HIDDEN, dims HIDDEN)",
    .columns = 2,
    .arguments = 2,
    .required = 2,
    .usage = "vec_rows(vectors, dims)",
    .innocuous = 1,
    .fill = fill_rows,
};
