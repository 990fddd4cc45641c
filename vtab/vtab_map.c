/*
 * vtab_map.c: quire_map: the values of a row as SQLite has them, and as the record that is kept of them (vector/record.h).
 *
 * A map is a table like all others, whose rows have a record where others have vectors: content row, delta, fold, pages, snapshots, content modes, homes
 * are the same. Only here, where columns are declared (vtab.c) and where a row is written (vtab_update.c) it is known that SQLite sees several
 * columns of it.
 *
 *   Y1  A value gets its column's affinity, as an ordinary table gives it before it is stored: SQLite does not do it for virtual tables.
 *   Y2  Texts are kept in UTF-8, whatever the database's encoding.
 */
#include "../vector/record.h"

#include <math.h>

#include "vtab_int.h"

/* Y1: what a number becomes in a column of this affinity. */
static void apply_numeric(const char *affinity, FieldValue *v) {
  int is_real = strcmp(affinity, "REAL") == 0;

  if (v->type == SQLITE_INTEGER && is_real) {
    v->type = SQLITE_FLOAT;
    v->real = (double)v->integer;
  } else if (v->type == SQLITE_FLOAT && !is_real && fabs(v->real) < 0x1p63 && v->real == (double)(i64)v->real) {
    v->type = SQLITE_INTEGER;
    v->integer = (i64)v->real;
  }
}

/* The value as its column keeps it. SQLITE_OK or SQLITE_NOMEM. */
static int read_value(const ValueColumn *column, sqlite3_value *value, FieldValue *out) {
  int to_text = strcmp(column->affinity, "TEXT") == 0, to_number = *column->affinity && !to_text;
  int type = to_number ? sqlite3_value_numeric_type(value) : sqlite3_value_type(value), rc;

  if (to_text && (type == SQLITE_INTEGER || type == SQLITE_FLOAT)) type = SQLITE_TEXT;
  rc = value_field(value, type, out);
  if (to_number) apply_numeric(column->affinity, out);
  return rc;
}

int map_record(VecTable *vt, sqlite3_value **values, Vector *out) {
  const TableSpec *spec = vt->spec;
  FieldValue value[RECORD_MAX_COLUMNS];
  u64 size;
  int rc = SQLITE_OK;

  for (int i = 0; i < spec->value_count; i++) {
    rc = read_value(&spec->value[i], values[i], &value[i]);
    if (rc) return rc;
    if (value[i].type == SQLITE_NULL && spec->value[i].not_null)
      return vtab_error(vt, SQLITE_CONSTRAINT_NOTNULL, "NOT NULL constraint failed: %s.%s", vt->name,
                        spec->value[i].name);
  }
  size = record_size(value, (u32)spec->value_count);
  if (size > RECORD_MAX_BYTES)
    return vtab_error(vt, SQLITE_TOOBIG, "the row has %llu bytes, and a map holds rows of up to %llu",
                      (unsigned long long)size, (unsigned long long)RECORD_MAX_BYTES);
  out->owned = mem_array(&rc, size, 1);
  if (rc) return rc;
  record_write(value, (u32)spec->value_count, out->owned);
  out->data = out->owned;
  out->elem = ELEM_RECORD;
  out->dim = (u32)spec->value_count;
  return SQLITE_OK;
}

NOINLINE static int value_result(const u8 *record, u64 size, u32 value, void (*destructor)(void *),
                                 sqlite3_context *ctx) {
  FieldValue v;

  if (!record_get(record, size, value, &v)) return SQLITE_CORRUPT_VTAB;
  switch (v.type) {
    case SQLITE_INTEGER: sqlite3_result_int64(ctx, v.integer); break;
    case SQLITE_FLOAT: sqlite3_result_double(ctx, v.real); break;
    case SQLITE_TEXT: sqlite3_result_text64(ctx, v.bytes, v.size, destructor, SQLITE_UTF8); break;
    case SQLITE_BLOB: sqlite3_result_blob64(ctx, v.bytes, v.size, destructor); break;
    default: sqlite3_result_null(ctx); /* said, or an UPDATE would take it for "unchanged" */
  }
  return SQLITE_OK;
}

int vtab_result(const VectorShape *shape, int value, const u8 *bytes, int lasts, sqlite3_context *ctx) {
  void (*destructor)(void *) = lasts ? SQLITE_STATIC : SQLITE_TRANSIENT;
  u64 size = LIKELY(shape->size) ? shape->size : vector_bytes((Elem)shape->elem, shape->dim, bytes);

  if (shape->elem == ELEM_RECORD) return value_result(bytes, size, (u32)value, destructor, ctx);
  sqlite3_result_blob64(ctx, bytes, size, destructor);
  sqlite3_result_subtype(ctx, elem_subtype((Elem)shape->elem));
  return SQLITE_OK;
}
