/*
 * testfuncs.c: SQL functions for tests, a loadable extension of its own.
 *
 *   test_vector(seed, dim)   float32 blob, elements uniform in [-1, 1), the same on every machine
 *   test_gauss(seed, dim)    float32 blob, each element a sum of four such numbers, for data that is dense in the middle
 *   test_crc(blob_or_text)   64-bit hash (FNV-1a) of the bytes, for digests of contents
 */
#include <sqlite3ext.h>
#include <stdint.h>
#include <string.h>
SQLITE_EXTENSION_INIT1

#define MAX_TEST_DIM 65536

/* splitmix64: Steele, Lea and Flood 2014. */
static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* The top 24 bits as a float in [-1, 1): exact. */
static float unit(uint64_t x) { return (float)(int32_t)(x >> 40) / 8388608.0f - 1.0f; }

/* User data: how many uniform numbers make one element. */
static void vector_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  uint64_t state = mix((uint64_t)sqlite3_value_int64(argv[0]));
  sqlite3_int64 dim = sqlite3_value_int64(argv[1]);
  int terms = *(const int *)sqlite3_user_data(ctx);
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
  for (sqlite3_int64 i = 0; i < dim; i++) {
    float sum = 0;
    for (int j = 0; j < terms; j++) sum += unit(mix(state + (uint64_t)(i * 4 + j)));
    out[i] = sum;
  }
  sqlite3_result_blob64(ctx, out, (sqlite3_uint64)dim * sizeof *out, sqlite3_free);
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
  static const int one = 1, four = 4;
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  int rc;

  SQLITE_EXTENSION_INIT2(api);
  (void)error;
  rc = sqlite3_create_function(db, "test_vector", 2, flags, (void *)&one, vector_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_gauss", 2, flags, (void *)&four, vector_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_drop_module", 1, SQLITE_UTF8, 0, drop_module_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_memory", 0, SQLITE_UTF8, 0, memory_func, 0, 0);
  if (!rc) rc = sqlite3_create_function(db, "test_crc", 1, flags, 0, crc_func, 0, 0);
  return rc;
}
