/*
 * ext.c: the entry points, and what they register on a connection.
 *
 * `.load ./quire` calls sqlite3_quire_init, `.load ./vec0` sqlite3_vec_init: one library under two names, for programs
 * that look for sqlite-vec. Compiled with -DSQLITE_CORE both may be given to sqlite3_auto_extension. Nothing else is
 * exported.
 *
 *   E1  A name that the connection has already is left alone: functions vec_*, modules vec0 and vec_each. Where
 *       sqlite-vec came first, its own go on working, and ours that it lacks are added.
 *   E2  quire_version is registered last. Where it exists, everything is registered, and loading again does nothing.
 *   E3  Nothing here reads the database: PRAGMA function_list and module_list need no schema, so that loading works on
 *       a locked database, and on an encrypted one before its key is given.
 *
 * A new function is a line in `functions`, a new module a line in `modules` (those that need a Conn: vtab.h; those of
 * companions, all named quire_* or kv_*, doc_*: companions.c).
 */
#include "../vector/distance.h"
#include "../vtab/vtab.h"
#include "backup.h"
#include "companions.h"
#include "functions.h"
#include "vec_each.h"
#include "vector_file.h"

#ifndef SQLITE_CORE
SQLITE_EXTENSION_INIT1
#endif

#define MIN_SQLITE 3038000 /* sqlite3_vtab_in, sqlite3_vtab_distinct */

/* SQLite 3.45 and newer: the function may set a subtype. Older headers lack the name, older libraries the flag. */
#ifndef SQLITE_RESULT_SUBTYPE
#define SQLITE_RESULT_SUBTYPE 0x001000000
#endif
#define RESULT_SUBTYPE_SINCE 3045000

#define PURE SQLITE_DETERMINISTIC
#define READS (PURE | SQLITE_SUBTYPE)         /* takes vectors */
#define MAKES (READS | SQLITE_RESULT_SUBTYPE) /* returns one, or JSON */

#define AGGREGATE(name) .call = name##_step, .final = name##_final, .value = name##_value, .inverse = name##_inverse

enum { VEC_VERSION = 0 }; /* its place in the table */
static const SqlFunction functions[] = {
    {.name = "vec_version", .arg_count = 0, .flags = PURE, .call = vec_version},
    {.name = "vec_debug", .arg_count = 0, .flags = PURE, .call = vec_debug},

    {.name = "vec_f32", .arg_count = 1, .flags = MAKES, .param = ELEM_F32, .call = vec_construct},
    {.name = "vec_f16", .arg_count = 1, .flags = MAKES, .param = ELEM_F16, .call = vec_construct},
    {.name = "vec_bf16", .arg_count = 1, .flags = MAKES, .param = ELEM_BF16, .call = vec_construct},
    {.name = "vec_int8", .arg_count = 1, .flags = MAKES, .param = ELEM_I8, .call = vec_construct},
    {.name = "vec_bit", .arg_count = 1, .flags = MAKES, .param = ELEM_BIT, .call = vec_construct},

    {.name = "vec_sparse", .arg_count = 1, .flags = MAKES, .call = vec_sparse},
    {.name = "vec_sparse", .arg_count = 2, .flags = MAKES, .call = vec_sparse},
    {.name = "vec_sparse_to_text", .arg_count = 1, .flags = READS, .call = vec_sparse_to_text},
    {.name = "vec_length", .arg_count = 1, .flags = READS, .call = vec_length},
    {.name = "vec_type", .arg_count = 1, .flags = READS, .call = vec_type},
    {.name = "vec_to_json", .arg_count = 1, .flags = MAKES, .call = vec_to_json},

    {.name = "vec_distance_l2", .arg_count = 2, .flags = READS, .param = METRIC_L2, .call = vec_distance},
    {.name = "vec_distance_l1", .arg_count = 2, .flags = READS, .param = METRIC_L1, .call = vec_distance},
    {.name = "vec_distance_cosine", .arg_count = 2, .flags = READS, .param = METRIC_COSINE, .call = vec_distance},
    {.name = "vec_distance_dot", .arg_count = 2, .flags = READS, .param = METRIC_DOT, .call = vec_distance},
    {.name = "vec_distance_hamming", .arg_count = 2, .flags = READS, .param = METRIC_HAMMING, .call = vec_distance},
    {.name = "vec_distance_jaccard", .arg_count = 2, .flags = READS, .param = METRIC_JACCARD, .call = vec_distance},

    {.name = "vec_add", .arg_count = 2, .flags = MAKES, .param = 1, .call = vec_add},
    {.name = "vec_sub", .arg_count = 2, .flags = MAKES, .param = -1, .call = vec_add},
    {.name = "vec_normalize", .arg_count = 1, .flags = MAKES, .call = vec_normalize},
    {.name = "vec_slice", .arg_count = 3, .flags = MAKES, .call = vec_slice},
    {.name = "vec_quantize_int8", .arg_count = 2, .flags = MAKES, .call = vec_quantize_int8},
    {.name = "vec_quantize_i8", .arg_count = 2, .flags = MAKES, .call = vec_quantize_int8},
    {.name = "vec_quantize_binary", .arg_count = 1, .flags = MAKES, .call = vec_quantize_binary},
    {.name = "vec_hash_text", .arg_count = 2, .flags = MAKES, .call = vec_hash_text},

    {.name = "vec_maxsim", .arg_count = 3, .flags = READS, .call = vec_maxsim},
    {.name = "vec_nearest", .arg_count = 2, .flags = READS, .call = vec_nearest},
    {.name = "vec_nearest", .arg_count = 3, .flags = READS, .call = vec_nearest},
    {.name = "vec_concat", .arg_count = 1, .flags = MAKES, .call = concat_step, .final = concat_final},
    {.name = "vec_kmeans", .arg_count = 2, .flags = MAKES, .call = kmeans_step, .final = kmeans_final},
    {.name = "vec_kmeans", .arg_count = 3, .flags = MAKES, .call = kmeans_step, .final = kmeans_final},
    {.name = "vec_sum", .arg_count = 1, .flags = MAKES, .param = 0, AGGREGATE(sum)},
    {.name = "vec_avg", .arg_count = 1, .flags = MAKES, .param = 1, AGGREGATE(sum)},
};
#define FUNCTION_COUNT ((int)(sizeof functions / sizeof functions[0]))

static const SqlFunction loaded_mark = {.name = "quire_version", .arg_count = 0, .call = quire_version}; /* E2 */

static const struct {
  const char *name;
  const sqlite3_module *module;
} modules[] = {
    {"vec_each", &vec_each_module},
    {"quire_read", &vector_file_module},
};
#define MODULE_COUNT ((int)(sizeof modules / sizeof modules[0]))

/* --- what the connection has already --- */

typedef struct Taken {
  u8 function[FUNCTION_COUNT];
  u8 module[MODULE_COUNT];
  u8 vec0, loaded;
} Taken;

static void note_function(Taken *taken, const char *name, int arg_count) {
  int i;
  if (sqlite3_stricmp(name, loaded_mark.name) == 0) taken->loaded = 1;
  for (i = 0; i < FUNCTION_COUNT; i++) {
    if (sqlite3_stricmp(name, functions[i].name) != 0) continue;
    if (arg_count == functions[i].arg_count || arg_count < 0) taken->function[i] = 1;
  }
}

static void note_module(Taken *taken, const char *name) {
  int i;
  if (sqlite3_stricmp(name, "vec0") == 0) taken->vec0 = 1;
  for (i = 0; i < MODULE_COUNT; i++) {
    if (sqlite3_stricmp(name, modules[i].name) == 0) taken->module[i] = 1;
  }
}

/*
 * Note the names that a listing PRAGMA gives. *rows is 0 where SQLite was built without it, or an authorizer forbids
 * it. SQLITE_OK or SQLITE_NOMEM.
 */
static int list_names(sqlite3 *db, const char *pragma, int functions_wanted, Taken *taken, int *rows) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, pragma, -1, &stmt, NULL);

  *rows = 0;
  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    if (name == NULL) continue;
    ++*rows;
    if (functions_wanted) {
      note_function(taken, name, sqlite3_column_int(stmt, 4)); /* name, builtin, type, enc, narg, flags */
    } else {
      note_module(taken, name);
    }
  }
  if (rc == SQLITE_OK) rc = sqlite3_finalize(stmt);
  return rc == SQLITE_NOMEM ? rc : SQLITE_OK;
}

/* Whether a call of the function compiles. */
static int function_exists(sqlite3 *db, const SqlFunction *function) {
  static const char *const arguments[] = {"", "NULL", "NULL,NULL", "NULL,NULL,NULL"};
  sqlite3_stmt *stmt = NULL;
  char *sql = sqlite3_mprintf("SELECT %s(%s)", function->name, arguments[function->arg_count]);
  int rc = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

  sqlite3_free(sql);
  sqlite3_finalize(stmt);
  return rc == SQLITE_OK;
}

/* Without the listing, compile calls. A sqlite-vec that has the functions has the modules, too. */
static void probe_names(sqlite3 *db, int functions_listed, Taken *taken) {
  int i;
  if (!functions_listed) {
    taken->loaded = (u8)function_exists(db, &loaded_mark);
    for (i = 0; i < FUNCTION_COUNT; i++) taken->function[i] = (u8)function_exists(db, &functions[i]);
  }
  taken->vec0 = taken->function[VEC_VERSION];
  for (i = 0; i < MODULE_COUNT; i++)
    taken->module[i] = taken->vec0 && sqlite3_strnicmp(modules[i].name, "vec_", 4) == 0;
}

static int find_taken(sqlite3 *db, Taken *taken) {
  int function_rows = 0, module_rows = 0, rc;
  memset(taken, 0, sizeof *taken);
  rc = list_names(db, "PRAGMA function_list", 1, taken, &function_rows);
  if (rc == SQLITE_OK) rc = list_names(db, "PRAGMA module_list", 0, taken, &module_rows);
  if (rc == SQLITE_OK && (function_rows == 0 || module_rows == 0)) probe_names(db, function_rows > 0, taken);
  return rc;
}

/* --- registering --- */

static int register_function(sqlite3 *db, const SqlFunction *f) {
  int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | f->flags;
  if (sqlite3_libversion_number() < RESULT_SUBTYPE_SINCE) flags &= ~SQLITE_RESULT_SUBTYPE;
  if (f->final) {
    return sqlite3_create_window_function(db, f->name, f->arg_count, flags, (void *)(uintptr_t)f, f->call, f->final,
                                          f->value, f->inverse, NULL);
  }
  return sqlite3_create_function_v2(db, f->name, f->arg_count, flags, (void *)(uintptr_t)f, f->call, NULL, NULL, NULL);
}

static int register_tables(sqlite3 *db, int with_vec0, Stats *stats, char **error) {
  Conn *conn = NULL;
  int rc = conn_new(db, &conn);
  if (rc == SQLITE_OK) rc = vtab_register(db, conn, with_vec0, stats, error);
  if (rc == SQLITE_OK) rc = backup_register(db, conn);
  conn_release(conn);
  return rc;
}

static int register_companions(sqlite3 *db, Stats *stats) {
  Companions *companions = NULL;
  int rc = companions_new(db, stats, &companions);
  if (rc == SQLITE_OK) rc = companions_register(db, companions);
  companions_release(companions);
  return rc;
}

static int register_all(sqlite3 *db, char **error) {
  Taken taken;
  Stats *stats = NULL;
  int i, rc;

  if (sqlite3_libversion_number() < MIN_SQLITE) {
    *error = sqlite3_mprintf("Quire needs SQLite 3.38.0 or newer, this is %s", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  rc = find_taken(db, &taken);
  if (rc || taken.loaded) return rc;
  for (i = 0; rc == SQLITE_OK && i < FUNCTION_COUNT; i++) {
    if (!taken.function[i]) rc = register_function(db, &functions[i]);
  }
  for (i = 0; rc == SQLITE_OK && i < MODULE_COUNT; i++) {
    if (!taken.module[i]) rc = sqlite3_create_module_v2(db, modules[i].name, modules[i].module, NULL, NULL);
  }
  if (rc == SQLITE_OK) rc = stats_new(stats_clock, &stats);
  if (rc == SQLITE_OK) rc = register_tables(db, !taken.vec0, stats, error);
  if (rc == SQLITE_OK) rc = register_companions(db, stats);
  stats_release(stats);
  if (rc == SQLITE_OK) rc = register_function(db, &loaded_mark);
  return rc;
}

/* --- entry points --- */

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

EXPORT int sqlite3_quire_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);
EXPORT int sqlite3_vec_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);

int sqlite3_quire_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  char *message = NULL;
  int rc;
#ifndef SQLITE_CORE
  SQLITE_EXTENSION_INIT2(api)
#else
  (void)api;
#endif
  rc = register_all(db, &message);
  if (error && rc) {
    *error = message;
  } else {
    sqlite3_free(message);
  }
  return rc;
}

int sqlite3_vec_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  return sqlite3_quire_init(db, error, api);
}
