/*
 * testfuncs.c: SQL functions for tests, a loadable extension of its own.
 *
 *   test_vector(seed, dim)   float32 blob, elements uniform in [-1, 1), the same on every machine
 *   test_gauss(seed, dim)    float32 blob, each element a sum of four such numbers, for data that is dense in the middle
 *   test_clustered(seed, dim)  float32 blob, a row of a mixture of CLUSTERS in LATENT dimensions, lifted to `dim` and bent, with some noise: hard
 *                            for an index as real data is; a negative seed is another row of the same mixture
 *   test_scale(v, x)         the float32 blob v with every element multiplied by x
 *   test_crc(blob_or_text)   64-bit hash (FNV-1a) of the bytes, for digests of contents
 */
#include <sqlite3ext.h>
#include <stdint.h>
#include <string.h>
SQLITE_EXTENSION_INIT1

#define MAX_TEST_DIM 65536
#define CLUSTERS 1000
#define LATENT 32

/* splitmix64: Steele, Lea and Flood 2014. */
static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* The top 24 bits as a float in [-1, 1): exact. */
static float unit(uint64_t x) { return (float)(int32_t)(x >> 40) / 8388608.0f - 1.0f; }

/* Number i of a stream: the sum of `terms` uniform ones. */
static float number(uint64_t state, uint64_t i, int terms) {
  float sum = 0;
  for (int j = 0; j < terms; j++) sum += unit(mix(state + i * 4 + (uint64_t)j));
  return sum;
}

static void uniform(uint64_t seed, sqlite3_int64 dim, float *out) {
  for (sqlite3_int64 i = 0; i < dim; i++) out[i] = number(mix(seed), (uint64_t)i, 1);
}

static void gauss(uint64_t seed, sqlite3_int64 dim, float *out) {
  for (sqlite3_int64 i = 0; i < dim; i++) out[i] = number(mix(seed), (uint64_t)i, 4);
}

static void clustered(uint64_t seed, sqlite3_int64 dim, float *out) {
  uint64_t row = mix(seed), cluster = mix(0x10000 + row % CLUSTERS), lift = mix(0x20000);
  float z[LATENT], spread = 1 + 0.4f * number(cluster, LATENT, 1);
  for (int j = 0; j < LATENT; j++) z[j] = number(cluster, (uint64_t)j, 4) + spread * number(mix(row), (uint64_t)j, 4);
  for (sqlite3_int64 i = 0; i < dim; i++) {
    float sum = 0, size;
    for (int j = 0; j < LATENT; j++) sum += z[j] * number(lift, (uint64_t)(i * LATENT + j), 1);
    size = sum < 0 ? -sum : sum;
    out[i] = 8 * sum / (8 + size) + 0.1f * number(mix(row + 1), (uint64_t)i, 4);
  }
}

typedef void (*Fill)(uint64_t seed, sqlite3_int64 dim, float *out);

/* User data: a Fill. */
static void vector_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  sqlite3_int64 dim = sqlite3_value_int64(argv[1]);
  float *out;

  (void)argc;
  if (dim < 1 || dim > MAX_TEST_DIM) {
    sqlite3_result_error(ctx, "test vectors have 1 to 65536 dimensions", -1);
    return;
  }
  out = sqlite3_malloc64((sqlite3_uint64)dim * sizeof *out);
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  (*(const Fill *)sqlite3_user_data(ctx))((uint64_t)sqlite3_value_int64(argv[0]), dim, out);
  sqlite3_result_blob64(ctx, out, (sqlite3_uint64)dim * sizeof *out, sqlite3_free);
}

static void scale_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  sqlite3_uint64 n = (sqlite3_uint64)sqlite3_value_bytes(argv[0]) / sizeof(float);
  float *out = sqlite3_malloc64(n * sizeof *out + 1), x = (float)sqlite3_value_double(argv[1]);

  (void)argc;
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  if (n) memcpy(out, sqlite3_value_blob(argv[0]), (size_t)n * sizeof *out);
  for (sqlite3_uint64 i = 0; i < n; i++) out[i] *= x;
  sqlite3_result_blob64(ctx, out, n * sizeof *out, sqlite3_free);
}

static void crc_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const unsigned char *p = sqlite3_value_blob(argv[0]);
  int n = sqlite3_value_bytes(argv[0]);
  uint64_t hash = 0xcbf29ce484222325u;

  (void)argc;
  for (int i = 0; i < n; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
  sqlite3_result_int64(ctx, (sqlite3_int64)hash);
}

/* test_drop_module(name): as if SQLite were built without it. */
static void drop_module_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3_result_int(
      ctx, sqlite3_create_module(sqlite3_context_db_handle(ctx), (const char *)sqlite3_value_text(argv[0]), 0, 0));
}

/* test_memory(): bytes that SQLite and the extension have from SQLite's allocator. */
static void memory_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_int64(ctx, sqlite3_memory_used());
}

int sqlite3_testfuncs_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);

__attribute__((visibility("default"))) int sqlite3_testfuncs_init(sqlite3 *db, char **error,
                                                                  const sqlite3_api_routines *api) {
  static const Fill uniform_fill = uniform, gauss_fill = gauss, clustered_fill = clustered;
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  int rc;

  SQLITE_EXTENSION_INIT2(api);
  (void)error;
  rc = sqlite3_create_function(db, "test_vector", 2, flags, (void *)&uniform_fill, vector_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_gauss", 2, flags, (void *)&gauss_fill, vector_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_clustered", 2, flags, (void *)&clustered_fill, vector_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_drop_module", 1, SQLITE_UTF8, 0, drop_module_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_memory", 0, SQLITE_UTF8, 0, memory_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_scale", 2, flags, 0, scale_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_crc", 1, flags, 0, crc_func, 0, 0);
  return rc;
}
