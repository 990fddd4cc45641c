/*
 * get_vtab.c: quire_get(table, keys [, column]): rowid and vector of many rows of a vector table, in one pass.
 *
 *   SELECT rowid, vector FROM quire_get('document', '[17, 4, 90]');
 *
 * keys is a JSON array of integers or a BLOB of them (8 bytes each, little-endian). Rows come in the order of the keys, as often as a key
 * comes; keys without a row are passed over. A row without a vector in the column (the first vector column unless named) gives NULL. Of a map
 * (quire_map) `vector` is the value of the column, the first one beside the key unless named.
 *
 *   G1  What was found out about a table (Target) is kept for the next call, and trusted after a statement on the table has run: that
 *       makes SQLite connect it, or say that it is gone.
 *   G2  The rows are those of the snapshot of the statement that calls. That statement holds a read transaction on main; on another
 *       schema the cursor holds one by a statement of its own, and copies vectors, since values may outlive it.
 *   G3  What the map does not know (a degraded snapshot, a row that may be bare, a damaged page) is asked of the table itself.
 */
#include "../vector/rows.h"
#include "../wal_shim/bytes.h"
#include "vtab_int.h"

enum { COLUMN_ROWID, COLUMN_VECTOR, COLUMN_TABLE, COLUMN_KEYS, COLUMN_COLUMN };
#define PLAN_COLUMN 1  /* idxNum: the column is named */
#define PLAN_VECTORS 2 /* the vectors are wanted */

typedef struct Target {
  u32 refs;
  char *schema, *name, *column; /* column NULL: the first one */
  sqlite3_stmt *touch, *row, *in_temp;
  Table *table;
  u32 vector;
  int value;         /* of a map: which value is asked for */
  const char *asked; /* the column's name; touch has it */
} Target;

typedef struct GetVtab {
  sqlite3_vtab base;
  sqlite3 *db;
  Conn *conn;
  Target *target;
} GetVtab;

typedef struct GetCursor {
  sqlite3_vtab_cursor base;
  Target *target;
  sqlite3_stmt *hold; /* G2 */
  RowReader reader;
  int reading, vectors;
  i64 *key;
  u64 key_count, key_cap, key_at; /* key_at: after the current block */
  RowPlace block[ROWS_MANY];
  const u8 *at[ROWS_MANY]; /* rows_locate's, of rows that are read from the pages, if vectors are wanted; else NULL */
  const VectorShape *shape;
  u32 block_at, block_count; /* block_at: the row that the cursor stands on */
  sqlite3_value *vector;     /* of that row, if the map does not know it */
  sqlite3_value *given[2];   /* keys, column */
  int eof;
} GetCursor;

static int get_error(GetVtab *vt, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int get_error(GetVtab *vt, int rc, const char *fmt, ...) {
  va_list ap;
  sqlite3_free(vt->base.zErrMsg);
  va_start(ap, fmt);
  vt->base.zErrMsg = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  return vt->base.zErrMsg ? rc : SQLITE_NOMEM;
}

/* --- the table --- */

static void target_release(Target *t) {
  if (t == NULL || --t->refs) return;
  sqlite3_finalize(t->touch);
  sqlite3_finalize(t->row);
  sqlite3_finalize(t->in_temp);
  table_release(t->table);
  mem_free(t->schema);
  mem_free(t->name);
  mem_free(t->column);
  mem_free(t);
}

static int prepare(sqlite3 *db, sqlite3_stmt **out, const char *fmt, ...) {
  va_list ap;
  char *sql;
  int rc;
  va_start(ap, fmt);
  sql = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  if (sql == NULL) return SQLITE_NOMEM;
  rc = sqlite3_prepare_v2(db, sql, -1, out, NULL);
  sqlite3_free(sql);
  return rc;
}

/* Whether a schema has a table of this name. SQLITE_OK, SQLITE_NOTFOUND or an error. *stmt: NULL, or that of the last time. */
static int ask_schema(sqlite3 *db, const char *schema, const char *name, sqlite3_stmt **stmt) {
  int rc = SQLITE_OK, found, failed;
  if (*stmt == NULL)
    rc = prepare(db, stmt, "SELECT 1 FROM \"%w\".sqlite_schema WHERE type='table' AND name=%Q COLLATE NOCASE", schema,
                 name);
  if (rc) return rc;
  found = sqlite3_step(*stmt) == SQLITE_ROW;
  failed = sqlite3_reset(*stmt);
  return found ? SQLITE_OK : failed ? failed : SQLITE_NOTFOUND;
}

static int schema_has(sqlite3 *db, const char *schema, const char *name) {
  sqlite3_stmt *stmt = NULL;
  int rc = ask_schema(db, schema, name, &stmt);
  sqlite3_finalize(stmt);
  return rc;
}

/* The schema whose table an unqualified name means: temp, main, then in order of attachment. */
static int find_schema(GetVtab *vt, const char *name, char **schema) {
  sqlite3_stmt *stmt = NULL;
  int rc = schema_has(vt->db, "temp", name);

  if (rc == SQLITE_OK) *schema = mem_strdup(&rc, "temp");
  if (rc != SQLITE_NOTFOUND) return rc;
  rc = prepare(vt->db, &stmt, "PRAGMA database_list");
  while (rc == SQLITE_OK && *schema == NULL && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *at = (const char *)sqlite3_column_text(stmt, 1);
    if (at == NULL) rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK) rc = schema_has(vt->db, at, name);
    if (rc == SQLITE_OK) *schema = mem_strdup(&rc, at);
    if (rc == SQLITE_NOTFOUND) rc = SQLITE_OK;
  }
  if (rc == SQLITE_OK)
    rc = sqlite3_finalize(stmt);
  else
    sqlite3_finalize(stmt);
  if (rc == SQLITE_OK && *schema == NULL) rc = get_error(vt, SQLITE_ERROR, "quire_get: no such table: %s", name);
  return rc;
}

/* Run the statement that has the table connected. */
static int touch(GetVtab *vt, Target *t) {
  int rc = SQLITE_OK;
  if (t->touch == NULL) rc = prepare(vt->db, &t->touch, "SELECT * FROM \"%w\".\"%w\" LIMIT 0", t->schema, t->name);
  if (rc == SQLITE_OK) {
    sqlite3_step(t->touch);
    rc = sqlite3_reset(t->touch);
  }
  return rc == SQLITE_ERROR ? get_error(vt, rc, "quire_get: %s", sqlite3_errmsg(vt->db)) : rc;
}

/* The Table of a touched target, and which of its vectors. */
static int find_table(GetVtab *vt, Target *t, Table **out) {
  Store *store = NULL;
  char *error = NULL;
  const char *type = sqlite3_column_decltype(t->touch, 0);
  int rc = store_open(vt->conn, t->schema, 0, &store, &error);

  *out = NULL;
  if (rc == SQLITE_OK) rc = table_find(store, t->name, out);
  store_release(store);
  sqlite3_free(error);
  if (rc == SQLITE_NOTFOUND)
    return get_error(vt, SQLITE_ERROR,
                     "quire_get: %s is not a vector table with pages (one of sqlite-vec gets them by 'upgrade')",
                     t->name);
  if (rc == SQLITE_OK && type && sqlite3_stricmp(type, "TEXT") == 0) {
    table_release(*out);
    *out = NULL;
    return get_error(vt, SQLITE_ERROR,
                     "quire_get is for tables with integer keys, and those of %s are texts: use WHERE %s IN (...)",
                     t->name, sqlite3_column_name(t->touch, 0));
  }
  return rc;
}

static int find_vector(GetVtab *vt, Target *t) {
  const TableShape *shape = table_shape(t->table);
  int is_map = shape->vector[0].elem == ELEM_RECORD;
  u32 count = is_map ? shape->vector[0].dim : shape->vector_count;

  for (u32 i = 0; i < count; i++) {
    t->asked = is_map ? sqlite3_column_name(t->touch, (int)i + 1) : shape->vector[i].column;
    t->value = is_map ? (int)i : 0;
    t->vector = is_map ? 0 : i;
    if (t->asked == NULL) return SQLITE_NOMEM;
    if (t->column == NULL || sqlite3_stricmp(t->asked, t->column) == 0) return SQLITE_OK;
  }
  return get_error(vt, SQLITE_ERROR, "quire_get: table %s has no %scolumn %s", t->name, is_map ? "" : "vector ",
                   t->column);
}

static int target_new(GetVtab *vt, const char *name, const char *column, Target **out) {
  int rc = SQLITE_OK;
  Target *t = mem_zeroed(&rc, 1, sizeof *t);

  if (rc) return rc;
  t->refs = 1;
  t->name = mem_strdup(&rc, name);
  if (column) t->column = mem_strdup(&rc, column);
  if (rc == SQLITE_OK) rc = find_schema(vt, name, &t->schema);
  if (rc == SQLITE_OK) rc = touch(vt, t);
  if (rc == SQLITE_OK) rc = find_table(vt, t, &t->table);
  if (rc == SQLITE_OK) rc = find_vector(vt, t);
  if (rc)
    target_release(t);
  else
    *out = t;
  return rc;
}

static int same_text(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

/* The kept target, if it is still that of the name (G1). */
static int kept_target(GetVtab *vt, const char *name, const char *column, int *same) {
  Target *t = vt->target;
  Table *table = NULL;
  int rc;

  *same = 0;
  if (t == NULL || !same_text(t->name, name) || !same_text(t->column, column)) return SQLITE_OK;
  /* a table of that name may have appeared in temp */
  if (sqlite3_stricmp(t->schema, "temp") != 0) {
    rc = ask_schema(vt->db, "temp", name, &t->in_temp);
    if (rc != SQLITE_NOTFOUND) return rc;
  }
  if (touch(vt, t) != SQLITE_OK) return SQLITE_OK; /* gone, it seems: look for it anew */
  rc = find_table(vt, t, &table);
  *same = rc == SQLITE_OK && table == t->table;
  table_release(table);
  return SQLITE_OK;
}

static int find_target(GetVtab *vt, const char *name, const char *column) {
  Target *t = NULL;
  int same, rc = kept_target(vt, name, column, &same);

  if (rc || same) return rc;
  target_release(vt->target);
  vt->target = NULL;
  rc = target_new(vt, name, column, &t);
  vt->target = t;
  return rc;
}

/* --- keys --- */

static int add_key(GetCursor *cur, i64 key) {
  int rc = mem_reserve(&cur->key, &cur->key_cap, cur->key_count + 1, sizeof *cur->key);
  if (rc == SQLITE_OK) cur->key[cur->key_count++] = key;
  return rc;
}

static int keys_of_blob(GetVtab *vt, GetCursor *cur, sqlite3_value *value) {
  const u8 *bytes = sqlite3_value_blob(value);
  u64 size = (u64)sqlite3_value_bytes(value);
  int rc;

  if (size % 8)
    return get_error(vt, SQLITE_ERROR, "quire_get: keys in a BLOB are integers of 8 bytes, and this one has %llu bytes",
                     (unsigned long long)size);
  rc = mem_reserve(&cur->key, &cur->key_cap, MAX(size / 8, 1), sizeof *cur->key);
  if (rc) return rc;
  if (size && bytes == NULL) return SQLITE_NOMEM;
  for (; cur->key_count < size / 8; cur->key_count++)
    cur->key[cur->key_count] = (i64)load64(bytes + 8 * cur->key_count);
  return SQLITE_OK;
}

static const char *skip_space(const char *at) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
  return at;
}

/* An integer of JSON: where it ends; NULL if it is none, or is not one of 64 bits. */
static const char *take_integer(const char *at, i64 *out) {
  int negative = *at == '-';
  u64 value = 0, limit = (u64)INT64_MAX + (u64)negative;

  at += negative;
  if (*at < '0' || *at > '9') return NULL;
  for (; *at >= '0' && *at <= '9'; at++) {
    u64 digit = (u64)(*at - '0');
    if (value > (limit - digit) / 10) return NULL;
    value = value * 10 + digit;
  }
  *out = negative ? (i64)(0 - value) : (i64)value;
  return at;
}

static int keys_of_json(GetVtab *vt, GetCursor *cur, sqlite3_value *value) {
  const char *text = (const char *)sqlite3_value_text(value), *at, *end;
  i64 key = 0;
  int rc = SQLITE_OK;

  if (text == NULL) return SQLITE_NOMEM;
  at = skip_space(text);
  if (*at != '[') goto bad;
  at = skip_space(at + 1);
  if (*at != ']') {
    for (;;) {
      end = take_integer(at, &key);
      if (end == NULL) goto bad;
      rc = add_key(cur, key);
      if (rc) return rc;
      at = skip_space(end);
      if (*at == ']') break;
      if (*at != ',') goto bad;
      at = skip_space(at + 1);
    }
  }
  at = skip_space(at + 1);
  if (*at || strlen(text) != (size_t)sqlite3_value_bytes(value)) goto bad;
  return SQLITE_OK;
bad:
  return get_error(
      vt, SQLITE_ERROR,
      "quire_get: keys must be a JSON array of 64-bit integers or a BLOB of them: at character %d: '%.20s'",
      (int)(at - text) + 1, at);
}

static int read_keys(GetVtab *vt, GetCursor *cur, sqlite3_value *value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_NULL: return SQLITE_OK;
    case SQLITE_BLOB: return keys_of_blob(vt, cur, value);
    case SQLITE_TEXT: return keys_of_json(vt, cur, value);
    default:
      return get_error(vt, SQLITE_ERROR, "quire_get: keys must be a JSON array of integers or a BLOB of them, found %s",
                       (const char *)sqlite3_value_text(value));
  }
}

/* --- rows --- */

static int is_known(const RowPlace *p) { return p->row != NO_ROW || p->slot != NO_SLOT; }

/* Whether an error is the pages' own (G3). */
static int leave_pages(GetCursor *cur, int rc) {
  int code = rc & 0xff;
  if ((code != SQLITE_CORRUPT && code != SQLITE_IOERR && code != SQLITE_CANTOPEN) || rc == SQLITE_IOERR_NOMEM)
    return rc;
  if (cur->reading && rc == SQLITE_CORRUPT_VTAB) snapshot_damaged(cur->reader.snap);
  rows_close(&cur->reader);
  cur->reading = 0;
  memset(cur->at, 0, sizeof cur->at);
  return SQLITE_OK;
}

/* Ask the table itself: *found, and the vector in cur->vector. */
static int ask_table(GetVtab *vt, GetCursor *cur, i64 key, int *found) {
  Target *t = cur->target;
  int rc = SQLITE_OK;

  *found = 0;
  sqlite3_value_free(cur->vector);
  cur->vector = NULL;
  if (t->row == NULL)
    rc = prepare(vt->db, &t->row, "SELECT \"%w\" FROM \"%w\".\"%w\" WHERE \"%w\" = ?1", t->asked, t->schema, t->name,
                 sqlite3_column_name(t->touch, 0));
  if (rc) return rc;
  sqlite3_bind_int64(t->row, 1, key);
  if (sqlite3_step(t->row) == SQLITE_ROW) {
    *found = 1;
    cur->vector = sqlite3_value_dup(sqlite3_column_value(t->row, 0));
    if (cur->vector == NULL) rc = SQLITE_NOMEM;
  }
  if (rc) {
    sqlite3_reset(t->row);
    return rc;
  }
  rc = sqlite3_reset(t->row);
  /* the full code: the short one would end the transaction's changes */
  return rc == SQLITE_CORRUPT ? get_error(vt, SQLITE_CORRUPT_VTAB, "quire_get: %s", sqlite3_errmsg(vt->db)) : rc;
}

static int next_block(GetCursor *cur) {
  u32 n = (u32)MIN(cur->key_count - cur->key_at, ROWS_MANY);
  const i64 *key = cur->key + cur->key_at;
  int rc = cur->reading ? rows_find_many(&cur->reader, key, n, cur->block) : SQLITE_OK;

  if (rc) rc = leave_pages(cur, rc);
  for (u32 i = 0; i < n && !cur->reading; i++) cur->block[i] = (RowPlace){key[i], NO_ROW, NO_SLOT};
  memset(cur->at, 0, sizeof cur->at);
  if (cur->reading && cur->vectors) rows_locate(&cur->reader, cur->target->vector, cur->block, n, cur->at);
  cur->key_at += n;
  cur->block_at = 0;
  cur->block_count = n;
  return rc;
}

/* Go on to the next key that has a row, from block_at. */
static int settle(GetCursor *cur) {
  GetVtab *vt = (GetVtab *)cur->base.pVtab;
  for (;; cur->block_at++) {
    int found, rc;
    if (cur->block_at == cur->block_count) {
      cur->eof = cur->key_at == cur->key_count;
      if (cur->eof) return SQLITE_OK;
      rc = next_block(cur);
      if (rc) return rc;
    }
    if (is_known(&cur->block[cur->block_at])) return SQLITE_OK;
    if (cur->reading && rows_complete(&cur->reader)) continue;
    rc = ask_table(vt, cur, cur->block[cur->block_at].rowid, &found);
    if (rc || found) return rc;
  }
}

/* --- the module --- */

static int get_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  const ModuleData *data = aux;
  GetVtab *vt;
  int rc = sqlite3_declare_vtab(
      db, "CREATE TABLE x(rowid INTEGER, vector, \"table\" HIDDEN, keys HIDDEN, \"column\" HIDDEN)");

  (void)argc, (void)argv, (void)error;
  if (rc) return rc;
  (void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY); /* it reads whatever table it is told */
  vt = mem_zeroed(&rc, 1, sizeof *vt);
  if (rc) return rc;
  vt->db = db;
  vt->conn = conn_retain(data->conn);
  *out = &vt->base;
  return SQLITE_OK;
}

static int get_disconnect(sqlite3_vtab *base) {
  GetVtab *vt = (GetVtab *)base;
  target_release(vt->target);
  conn_release(vt->conn);
  mem_free(vt);
  return SQLITE_OK;
}

static int get_best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
  int argument[3] = {-1, -1, -1}, next = 0;

  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    if (c->iColumn < COLUMN_TABLE || c->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!c->usable) return SQLITE_CONSTRAINT;
    if (argument[c->iColumn - COLUMN_TABLE] < 0) argument[c->iColumn - COLUMN_TABLE] = i;
  }
  if (argument[0] < 0 || argument[1] < 0)
    return get_error((GetVtab *)base, SQLITE_ERROR, "usage: quire_get(table, keys [, column])");
  for (int k = 0; k < 3; k++) {
    if (argument[k] < 0) continue;
    info->aConstraintUsage[argument[k]].argvIndex = ++next;
    info->aConstraintUsage[argument[k]].omit = 1;
  }
  info->idxNum = (argument[2] >= 0 ? PLAN_COLUMN : 0) | (info->colUsed >> COLUMN_VECTOR & 1 ? PLAN_VECTORS : 0);
  info->estimatedCost = 1000;
  info->estimatedRows = 1000;
  return SQLITE_OK;
}

static int get_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
  int rc = SQLITE_OK;
  GetCursor *cur = mem_zeroed(&rc, 1, sizeof *cur);
  (void)base;
  if (cur) *out = &cur->base;
  return rc;
}

static void get_reset(GetCursor *cur) {
  rows_close(&cur->reader);
  sqlite3_value_free(cur->vector);
  cur->vector = NULL;
  for (int k = 0; k < 2; k++) {
    sqlite3_value_free(cur->given[k]);
    cur->given[k] = NULL;
  }
  sqlite3_finalize(cur->hold);
  cur->hold = NULL;
  target_release(cur->target);
  cur->target = NULL;
  cur->reading = 0;
  cur->key_count = cur->key_at = 0;
  cur->block_at = cur->block_count = 0;
  cur->eof = 1;
}

static int get_close(sqlite3_vtab_cursor *base) {
  GetCursor *cur = (GetCursor *)base;
  get_reset(cur);
  rows_free(&cur->reader);
  mem_free(cur->key);
  mem_free(cur);
  return SQLITE_OK;
}

/* A text argument; NULL for a NULL. */
static int text_of(GetVtab *vt, sqlite3_value *value, const char *what, const char **out) {
  if (sqlite3_value_type(value) != SQLITE_TEXT)
    return get_error(vt, SQLITE_ERROR, "quire_get: the %s must be given by its name, as text", what);
  *out = (const char *)sqlite3_value_text(value);
  return *out ? SQLITE_OK : SQLITE_NOMEM;
}

/* G2 */
static int hold_schema(GetVtab *vt, GetCursor *cur) {
  int rc;
  if (sqlite3_stricmp(cur->target->schema, "main") == 0) return SQLITE_OK;
  rc = prepare(vt->db, &cur->hold, "SELECT 1 FROM \"%w\".sqlite_schema", cur->target->schema);
  if (rc == SQLITE_OK && sqlite3_step(cur->hold) != SQLITE_ROW) rc = sqlite3_reset(cur->hold);
  return rc;
}

static int open_snapshot(GetVtab *vt, GetCursor *cur) {
  Table *table = cur->target->table;
  SnapshotParts parts;
  Snapshot *snap = NULL;
  const char *words;
  int rc = table_snapshot(table, &snap);

  if (rc) {
    rc = leave_pages(cur, rc);
    words = rc ? store_error(table_store(table)) : NULL;
    return words ? get_error(vt, rc, "%s", words) : rc;
  }
  snapshot_parts(snap, &parts);
  if (!parts.degraded) {
    rc = rows_open(&cur->reader, snap);
    cur->reading = rc == SQLITE_OK;
  }
  snapshot_release(snap);
  return rc;
}

/* Keys and column, for further conditions on them: SQLite asks for their values. */
static int keep_given(GetCursor *cur, sqlite3_value **argv, int argc) {
  for (int k = 0; k < argc; k++) {
    cur->given[k] = sqlite3_value_dup(argv[k]);
    if (cur->given[k] == NULL) return SQLITE_NOMEM;
  }
  return SQLITE_OK;
}

static int get_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv) {
  GetCursor *cur = (GetCursor *)base;
  GetVtab *vt = (GetVtab *)base->pVtab;
  const char *name = NULL, *column = NULL;
  int rc;

  (void)text;
  get_reset(cur);
  cur->vectors = (plan & PLAN_VECTORS) != 0;
  rc = text_of(vt, argv[0], "table", &name);
  if (rc == SQLITE_OK && (plan & PLAN_COLUMN)) rc = text_of(vt, argv[2], "column", &column);
  if (rc == SQLITE_OK) rc = read_keys(vt, cur, argv[1]);
  if (rc == SQLITE_OK) rc = keep_given(cur, argv + 1, argc - 1);
  if (rc == SQLITE_OK) rc = find_target(vt, name, column);
  if (rc) return rc;
  cur->target = vt->target;
  cur->target->refs++;
  cur->shape = &table_shape(cur->target->table)->vector[cur->target->vector];
  rc = hold_schema(vt, cur);
  if (rc == SQLITE_OK) rc = open_snapshot(vt, cur);
  return rc ? rc : settle(cur);
}

static int get_next(sqlite3_vtab_cursor *base) {
  GetCursor *cur = (GetCursor *)base;
  cur->block_at++;
  return settle(cur);
}

static int get_eof(sqlite3_vtab_cursor *base) { return ((GetCursor *)base)->eof; }

/* The vector of the current row, which rows_locate has not placed. */
static int read_vector(GetCursor *cur, sqlite3_context *ctx) {
  const u8 *bytes = NULL;
  PageHold hold;
  int lasts = 0, rc;

  rc = rows_vector(&cur->reader, cur->target->vector, &cur->block[cur->block_at], &bytes, &lasts, &hold);
  if (rc || bytes == NULL) return rc;
  rc = vtab_result(cur->shape, cur->target->value, bytes, lasts && cur->hold == NULL, ctx);
  rows_release(&cur->reader, &hold);
  return rc;
}

/* The vector of the current row, wherever it is; `rc`: what placed bytes gave, SQLITE_NOTFOUND: there were none. */
NOINLINE static int look_up_vector(GetCursor *cur, sqlite3_context *ctx, int rc) {
  const RowPlace *place = &cur->block[cur->block_at];
  int found;

  if (is_known(place) && cur->reading) {
    if (rc == SQLITE_NOTFOUND) rc = read_vector(cur, ctx);
    if (rc == SQLITE_OK) return rc;
    rc = leave_pages(cur, rc);
    if (rc) return rc;
  }
  if (is_known(place)) { /* found in pages that cannot be read any more */
    rc = ask_table((GetVtab *)cur->base.pVtab, cur, place->rowid, &found);
    if (rc || !found) return rc;
  }
  if (cur->vector) sqlite3_result_value(ctx, cur->vector);
  if (cur->vector && sqlite3_value_type(cur->vector) == SQLITE_BLOB)
    sqlite3_result_subtype(ctx, elem_subtype((Elem)cur->shape->elem));
  return SQLITE_OK;
}

static int result_vector(GetCursor *cur, sqlite3_context *ctx) {
  u32 i = cur->block_at;
  const u8 *bytes = cur->at[i];
  int rc = SQLITE_NOTFOUND;

  if (i % ROWS_AHEAD == 0) rows_fetch(&cur->reader, cur->target->vector, cur->at, i, cur->block_count);
  if (LIKELY(bytes != NULL)) rc = vtab_result(cur->shape, cur->target->value, bytes, cur->hold == NULL, ctx);
  return LIKELY(rc == SQLITE_OK) ? rc : look_up_vector(cur, ctx, rc);
}

static int get_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column) {
  GetCursor *cur = (GetCursor *)base;
  switch (column) {
    case COLUMN_ROWID: sqlite3_result_int64(ctx, cur->block[cur->block_at].rowid); return SQLITE_OK;
    case COLUMN_VECTOR: return result_vector(cur, ctx);
    case COLUMN_TABLE: sqlite3_result_text(ctx, cur->target->name, -1, SQLITE_TRANSIENT); return SQLITE_OK;
    default:
      if (cur->given[column - COLUMN_KEYS]) sqlite3_result_value(ctx, cur->given[column - COLUMN_KEYS]);
      return SQLITE_OK;
  }
}

/* The number of the key, from 1: keys may come twice. */
static int get_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const GetCursor *cur = (const GetCursor *)base;
  *rowid = (i64)(cur->key_at - cur->block_count + cur->block_at) + 1;
  return SQLITE_OK;
}

const sqlite3_module get_module = {
    .iVersion = 0,
    .xConnect = get_connect,
    .xBestIndex = get_best_index,
    .xDisconnect = get_disconnect,
    .xOpen = get_open,
    .xClose = get_close,
    .xFilter = get_filter,
    .xNext = get_next,
    .xEof = get_eof,
    .xColumn = get_column,
    .xRowid = get_rowid,
};
