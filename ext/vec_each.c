/*
 * vec_each.c: vec_each(v), a row for each element of a vector: rowid (from 0) and value.
 *
 *   SELECT rowid, value FROM vec_each('[1,2,3]');
 *
 * Of a sparse vector the elements that are not zero.
 *
 * An eponymous virtual table (value, vector HIDDEN); the argument is the constraint `vector = ?`. Floats come as REAL,
 * int8 and bits as INTEGER. The hidden column gives the argument back (sqlite-vec: NULL).
 */
#include "vec_each.h"

#include "functions_sparse.h"

enum { COLUMN_VALUE, COLUMN_VECTOR };

typedef struct EachCursor {
  sqlite3_vtab_cursor base;
  sqlite3_value *argument; /* our copy; `vector` may point into it */
  Vector vector;           /* one of the two, the other is empty */
  SparseVector sparse;
  u32 at;
} EachCursor;

static int each_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(value, vector HIDDEN)");
  (void)aux, (void)argc, (void)argv, (void)error;
  if (rc) return rc;
  (void)sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  *out = mem_zeroed(&rc, 1, sizeof **out);
  return rc;
}

static int each_disconnect(sqlite3_vtab *vtab) {
  mem_free(vtab);
  return SQLITE_OK;
}

/* The one plan: the argument is given. Without it SQLite says "no query solution". */
static int each_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int i;
  (void)vtab;
  for (i = 0; i < info->nConstraint; i++) {
    if (info->aConstraint[i].iColumn != COLUMN_VECTOR || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
      continue;
    if (!info->aConstraint[i].usable) continue;
    info->aConstraintUsage[i].argvIndex = 1;
    info->aConstraintUsage[i].omit = 1;
    info->estimatedCost = 100;
    info->estimatedRows = 100;
    return SQLITE_OK;
  }
  return SQLITE_CONSTRAINT;
}

static int each_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  int rc = SQLITE_OK;
  EachCursor *cursor = mem_zeroed(&rc, 1, sizeof *cursor);
  (void)vtab;
  if (cursor) *out = &cursor->base;
  return rc;
}

static void each_reset(EachCursor *cursor) {
  vector_clear(&cursor->vector);
  sparse_vector_clear(&cursor->sparse);
  sqlite3_value_free(cursor->argument);
  cursor->argument = NULL;
  cursor->at = 0;
}

static int each_close(sqlite3_vtab_cursor *base) {
  each_reset((EachCursor *)base);
  mem_free(base);
  return SQLITE_OK;
}

static int each_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc, sqlite3_value **argv) {
  EachCursor *cursor = (EachCursor *)base;
  char *message = NULL;
  int rc;

  (void)plan, (void)plan_text;
  each_reset(cursor);
  if (argc != 1) return SQLITE_INTERNAL;
  cursor->argument = sqlite3_value_dup(argv[0]);
  if (cursor->argument == NULL) return SQLITE_NOMEM;
  if (value_is_sparse(cursor->argument))
    rc = value_sparse(cursor->argument, 0, &cursor->sparse, &message);
  else
    rc = value_vector(cursor->argument, &cursor->vector, &message);
  if (rc) {
    sqlite3_free(base->pVtab->zErrMsg);
    base->pVtab->zErrMsg = message;
  }
  return rc;
}

static int each_next(sqlite3_vtab_cursor *base) {
  ((EachCursor *)base)->at++;
  return SQLITE_OK;
}

static int each_eof(sqlite3_vtab_cursor *base) {
  const EachCursor *cursor = (const EachCursor *)base;
  return cursor->at >= MAX(cursor->vector.dim, cursor->sparse.sparse.count);
}

static int each_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column) {
  const EachCursor *cursor = (const EachCursor *)base;
  /* sqlite-vec's vec_each counts the bits of each byte from the high end, unlike its vec_to_json */
  u32 element = cursor->vector.elem == ELEM_BIT ? (u32)cursor->at ^ 7 : (u32)cursor->at;
  double value;

  if (column == COLUMN_VECTOR) {
    sqlite3_result_value(ctx, cursor->argument);
    return SQLITE_OK;
  }
  if (cursor->sparse.blob) {
    sqlite3_result_double(ctx, (double)sparse_value(&cursor->sparse.sparse, cursor->at));
    return SQLITE_OK;
  }
  value = elem_get(cursor->vector.elem, cursor->vector.data, element);
  if (cursor->vector.elem == ELEM_I8 || cursor->vector.elem == ELEM_BIT) {
    sqlite3_result_int(ctx, (int)value);
  } else {
    sqlite3_result_double(ctx, value);
  }
  return SQLITE_OK;
}

static int each_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const EachCursor *cursor = (const EachCursor *)base;
  *rowid = cursor->sparse.blob ? sparse_index(&cursor->sparse.sparse, cursor->at) : cursor->at;
  return SQLITE_OK;
}

const sqlite3_module vec_each_module = {
    .iVersion = 0,
    .xConnect = each_connect,
    .xBestIndex = each_best_index,
    .xDisconnect = each_disconnect,
    .xOpen = each_open,
    .xClose = each_close,
    .xFilter = each_filter,
    .xNext = each_next,
    .xEof = each_eof,
    .xColumn = each_column,
    .xRowid = each_rowid,
};
