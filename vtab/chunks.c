/*
 * chunks.c: reading the rows of a vec0 table as sqlite-vec stores them. See chunks.h.
 *
 * A Reader stands on a row: on a chunk, whose blobs are read when they are first asked for and stay while it stands there, and on a place
 * in it. Its statements are kept with the Chunks between uses. Start at reader_enter().
 */
#include "chunks.h"

#include <stdarg.h>

#include "../wal_shim/bytes.h"

#define MAX_SPEC_COLUMNS 64
#define MAX_CHUNK_ROWS (1u << 20) /* sqlite-vec: 4096 */
#define TEXT_VIEW 16u             /* bytes of a text in its chunk: u32 size ... */
#define TEXT_INLINE 12u           /* ... and these */
#define ROWID_SIZE 8u

/* A column's blob of the chunk that the reader stands on. */
typedef struct ChunkColumn {
  sqlite3_stmt *data, *text;
  const u8 *bytes; /* NULL: not read yet */
} ChunkColumn;

typedef struct Reader {
  Chunks *chunks;
  struct Reader *next;
  sqlite3_stmt *all, *one, *place, *find, *auxiliary;
  ChunkColumn column[MAX_SPEC_COLUMNS];
  sqlite3_stmt *chunk; /* `all` or `one`, on the chunk's row */
  i64 chunk_id;
  u32 size, at; /* rows of the chunk; the place of the row */
  const u8 *validity, *rowids;
  i64 rowid;
  int auxiliary_read; /* `auxiliary` stands on the row */
} Reader;

struct Chunks {
  sqlite3 *db;
  char *schema, *name;
  const TableSpec *spec;
  int number[MAX_SPEC_COLUMNS]; /* of a column among those of its kind */
  int count[COL_AUXILIARY + 1];
  Reader *idle;
  char *error;
};

/* --- errors --- */

/* K1 */
PRINTF_LIKE(2, 3) static int damaged(Chunks *chunks, const char *fmt, ...) {
  va_list ap;
  char *text;

  va_start(ap, fmt);
  text = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  sqlite3_free(chunks->error);
  chunks->error =
      text ? sqlite3_mprintf("table %s, which sqlite-vec has written, is damaged: %z", chunks->name, text) : NULL;
  return chunks->error ? CORRUPT(0) : SQLITE_NOMEM;
}

const char *chunks_error(const Chunks *chunks) { return chunks->error; }

/* Prepare a statement, unless it is there; sqlite3_mprintf makes its text. */
static int prepare(Chunks *chunks, sqlite3_stmt **stmt, const char *fmt, ...) {
  va_list ap;
  char *sql;
  int rc;

  if (*stmt) return SQLITE_OK;
  va_start(ap, fmt);
  sql = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  if (sql == NULL) return SQLITE_NOMEM;
  rc = sqlite3_prepare_v3(chunks->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
  if (rc == SQLITE_ERROR) rc = damaged(chunks, "%s", sqlite3_errmsg(chunks->db));
  sqlite3_free(sql);
  return rc;
}

/* --- readers --- */

static void reader_reset(Reader *r) {
  sqlite3_reset(r->all);
  sqlite3_reset(r->one);
  sqlite3_reset(r->place);
  sqlite3_reset(r->find);
  sqlite3_reset(r->auxiliary);
  for (int i = 0; i < r->chunks->spec->column_count; i++) {
    sqlite3_reset(r->column[i].data);
    sqlite3_reset(r->column[i].text);
    r->column[i].bytes = NULL;
  }
  r->chunk = NULL;
  r->auxiliary_read = 0;
}

static void reader_free(Reader *r) {
  sqlite3_finalize(r->all);
  sqlite3_finalize(r->one);
  sqlite3_finalize(r->place);
  sqlite3_finalize(r->find);
  sqlite3_finalize(r->auxiliary);
  for (int i = 0; i < r->chunks->spec->column_count; i++) {
    sqlite3_finalize(r->column[i].data);
    sqlite3_finalize(r->column[i].text);
  }
  mem_free(r);
}

/* K3. Once for each reader: when the schema changes SQLite connects the table anew. */
static int check_tables(Chunks *chunks) {
  sqlite3_stmt *stmt = NULL;
  int rc = prepare(
      chunks, &stmt,
      "SELECT name FROM \"%w\".sqlite_schema WHERE type IN ('table', 'view') AND NOT coalesce(rootpage, 0) > 0 AND "
      "lower(substr(name, 1, length('%q_'))) = lower('%q_') AND lower(substr(name, length('%q_') + 1)) IN "
      "(SELECT 'rowids' UNION SELECT 'chunks' UNION SELECT 'auxiliary' UNION SELECT 'info' UNION "
      "SELECT column1 || substr('0' || n, -2) FROM (VALUES('vector_chunks'), ('metadatachunks'), ('metadatatext')), "
      "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 15) SELECT n FROM s))",
      chunks->schema, chunks->name, chunks->name, chunks->name);

  if (rc) return rc;
  rc = sqlite3_step(stmt);
  rc = rc == SQLITE_ROW    ? damaged(chunks, "%s is no ordinary table", (const char *)sqlite3_column_text(stmt, 0))
       : rc == SQLITE_DONE ? SQLITE_OK
                           : rc;
  sqlite3_finalize(stmt);
  return rc;
}

static int reader_take(Chunks *chunks, Reader **out) {
  Reader *r = chunks->idle;
  int rc;

  *out = r;
  if (r) {
    chunks->idle = r->next;
    return SQLITE_OK;
  }
  rc = check_tables(chunks);
  r = mem_zeroed(&rc, 1, sizeof *r);
  if (r) r->chunks = chunks;
  *out = r;
  return rc;
}

static void reader_return(Reader *r) {
  if (r == NULL) return;
  reader_reset(r);
  r->next = r->chunks->idle;
  r->chunks->idle = r;
}

static void free_idle(Chunks *chunks) {
  while (chunks->idle) {
    Reader *r = chunks->idle;
    chunks->idle = r->next;
    reader_free(r);
  }
}

/* The blob in a column of a statement's row; it must have `size` bytes. */
static int blob_of(Chunks *chunks, sqlite3_stmt *stmt, int column, u64 size, const char *what, i64 chunk_id,
                   const u8 **out) {
  if (sqlite3_column_type(stmt, column) != SQLITE_BLOB || (u64)sqlite3_column_bytes(stmt, column) != size)
    return damaged(chunks, "%s of chunk %lld is no BLOB of %llu bytes", what, (long long)chunk_id,
                   (unsigned long long)size);
  *out = sqlite3_column_blob(stmt, column);
  return *out ? SQLITE_OK : SQLITE_NOMEM;
}

/* Stand on the chunk that `stmt` has, before its first place. */
static int reader_enter(Reader *r, sqlite3_stmt *stmt) {
  i64 size = sqlite3_column_int64(stmt, 1);
  int rc;

  r->chunk = stmt;
  r->chunk_id = sqlite3_column_int64(stmt, 0);
  if (size <= 0 || size % 8 || size > MAX_CHUNK_ROWS)
    return damaged(r->chunks, "chunk %lld has an impossible size of %lld", (long long)r->chunk_id, (long long)size);
  r->size = (u32)size;
  r->at = 0;
  rc = blob_of(r->chunks, stmt, 2, r->size / 8, "validity", r->chunk_id, &r->validity);
  if (rc == SQLITE_OK) rc = blob_of(r->chunks, stmt, 3, (u64)r->size * ROWID_SIZE, "rowids", r->chunk_id, &r->rowids);
  for (int i = 0; i < r->chunks->spec->column_count; i++) {
    sqlite3_reset(r->column[i].data);
    r->column[i].bytes = NULL;
  }
  return rc;
}

static int is_there(const Reader *r, u32 at) { return r->validity[at / 8] >> at % 8 & 1; }

/* Stand on place `at`. */
static void reader_stand(Reader *r, u32 at) {
  r->at = at;
  r->rowid = (i64)load64(r->rowids + (size_t)at * ROWID_SIZE);
  r->auxiliary_read = 0;
}

/* The statement for chunks: `condition` is "" or a WHERE clause. */
static int prepare_chunks(Reader *r, sqlite3_stmt **stmt, const char *condition) {
  Chunks *c = r->chunks;
  sqlite3_str *columns;
  char *text;
  int rc;

  if (*stmt) return SQLITE_OK;
  columns = sqlite3_str_new(c->db);
  for (int i = 0; i < c->count[COL_PARTITION]; i++) sqlite3_str_appendf(columns, ", partition%02d", i);
  rc = sqlite3_str_errcode(columns);
  text = sqlite3_str_finish(columns); /* NULL if there is no such column, too */
  if (rc == SQLITE_OK)
    rc = prepare(c, stmt, "SELECT chunk_id, size, validity, rowids%s FROM \"%w\".\"%w_chunks\"%s", text ? text : "",
                 c->schema, c->name, condition);
  sqlite3_free(text);
  return rc;
}

/* Go to the first row from place `at` on, in this chunk or in those after it. *eof: there is none. */
static int reader_find_row(Reader *r, u32 at, int *eof) {
  int rc;

  *eof = 0;
  for (;;) {
    for (; r->chunk && at < r->size; at++) {
      if (!is_there(r, at)) continue;
      reader_stand(r, at);
      return SQLITE_OK;
    }
    rc = sqlite3_step(r->all);
    if (rc == SQLITE_DONE) {
      reader_reset(r);
      *eof = 1;
      return SQLITE_OK;
    }
    rc = rc == SQLITE_ROW ? reader_enter(r, r->all) : rc;
    if (rc) return rc;
    at = 0;
  }
}

static int reader_first(Reader *r, int *eof) {
  int rc = prepare_chunks(r, &r->all, " ORDER BY chunk_id");
  r->chunk = NULL;
  return rc ? rc : reader_find_row(r, 0, eof);
}

static int reader_next(Reader *r, int *eof) { return reader_find_row(r, r->at + 1, eof); }

/* Stand where t_rowids says that the row is. */
static int reader_go(Reader *r, i64 rowid, sqlite3_stmt *place) {
  Chunks *c = r->chunks;
  i64 chunk_id = sqlite3_column_int64(place, 1), at = sqlite3_column_int64(place, 2);
  int rc = prepare_chunks(r, &r->one, " WHERE chunk_id = ?1");

  if (rc) return rc;
  sqlite3_bind_int64(r->one, 1, chunk_id);
  rc = sqlite3_step(r->one);
  if (rc == SQLITE_DONE)
    return damaged(c, "row %lld is in chunk %lld, which is missing", (long long)rowid, (long long)chunk_id);
  rc = rc == SQLITE_ROW ? reader_enter(r, r->one) : rc;
  if (rc) return rc;
  if (at < 0 || at >= r->size || !is_there(r, (u32)at))
    return damaged(c, "row %lld is not in place %lld of chunk %lld", (long long)rowid, (long long)at,
                   (long long)chunk_id);
  reader_stand(r, (u32)at);
  if (r->rowid != rowid)
    return damaged(c, "place %lld of chunk %lld has row %lld instead of %lld", (long long)at, (long long)chunk_id,
                   (long long)r->rowid, (long long)rowid);
  return SQLITE_OK;
}

/* Stand on the row with this rowid. *eof: there is none. */
static int reader_seek(Reader *r, i64 rowid, int *eof) {
  Chunks *c = r->chunks;
  int rc = prepare(c, &r->place, "SELECT id, chunk_id, chunk_offset FROM \"%w\".\"%w_rowids\" WHERE rowid = ?1",
                   c->schema, c->name);

  reader_reset(r);
  *eof = 1;
  if (rc) return rc;
  sqlite3_bind_int64(r->place, 1, rowid);
  rc = sqlite3_step(r->place);
  if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_OK : rc;
  *eof = 0;
  return reader_go(r, rowid, r->place);
}

/* Stand on the row with this text key. */
static int reader_seek_key(Reader *r, sqlite3_value *key, int *eof) {
  Chunks *c = r->chunks;
  int rc = prepare(c, &r->find, "SELECT rowid, chunk_id, chunk_offset FROM \"%w\".\"%w_rowids\" WHERE id = ?1",
                   c->schema, c->name);

  reader_reset(r);
  *eof = 1;
  if (rc == SQLITE_OK) rc = sqlite3_bind_value(r->find, 1, key);
  if (rc) return rc;
  rc = sqlite3_step(r->find);
  if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_OK : rc;
  *eof = 0;
  return reader_go(r, sqlite3_column_int64(r->find, 0), r->find);
}

/* --- values --- */

/* Bytes of a column in a chunk of `size` rows. */
static u64 column_size(const Column *column, u32 size) {
  if (column->kind == COL_VECTOR) return elem_size(column->elem, column->dim) * size;
  if (column->type == TYPE_BOOLEAN) return size / 8;
  return (u64)size * (column->type == TYPE_TEXT ? TEXT_VIEW : 8);
}

/* The column's blob of this chunk. */
static int reader_blob(Reader *r, int i, const u8 **out) {
  Chunks *c = r->chunks;
  ChunkColumn *column = &r->column[i];
  const Column *spec = &c->spec->column[i];
  int is_vector = spec->kind == COL_VECTOR, rc;

  *out = column->bytes;
  if (*out) return SQLITE_OK;
  rc = prepare(c, &column->data, "SELECT %s FROM \"%w\".\"%w_%s%02d\" WHERE rowid = ?1", is_vector ? "vectors" : "data",
               c->schema, c->name, is_vector ? "vector_chunks" : "metadatachunks", c->number[i]);
  if (rc) return rc;
  sqlite3_reset(column->data);
  sqlite3_bind_int64(column->data, 1, r->chunk_id);
  rc = sqlite3_step(column->data);
  if (rc == SQLITE_DONE) return damaged(c, "column %s of chunk %lld is missing", spec->name, (long long)r->chunk_id);
  if (rc != SQLITE_ROW) return rc;
  rc = blob_of(c, column->data, 0, column_size(spec, r->size), spec->name, r->chunk_id, &column->bytes);
  *out = column->bytes;
  return rc;
}

static int reader_vector(Reader *r, int i, const u8 **out) {
  const Column *column = &r->chunks->spec->column[i];
  int rc = reader_blob(r, i, out);
  if (rc == SQLITE_OK) *out += elem_size(column->elem, column->dim) * r->at;
  return rc;
}

static int result_text(Reader *r, int i, const u8 *view, sqlite3_context *ctx) {
  Chunks *c = r->chunks;
  sqlite3_stmt **stmt = &r->column[i].text;
  const char *name = c->spec->column[i].name;
  u32 size = load32(view);
  int rc;

  if (size <= TEXT_INLINE) {
    sqlite3_result_text(ctx, (const char *)view + 4, (int)size, SQLITE_TRANSIENT);
    return SQLITE_OK;
  }
  rc = prepare(c, stmt, "SELECT data FROM \"%w\".\"%w_metadatatext%02d\" WHERE rowid = ?1", c->schema, c->name,
               c->number[i]);
  if (rc) return rc;
  sqlite3_reset(*stmt);
  sqlite3_bind_int64(*stmt, 1, r->rowid);
  rc = sqlite3_step(*stmt);
  if (rc == SQLITE_DONE) return damaged(c, "the text of %s in row %lld is missing", name, (long long)r->rowid);
  if (rc != SQLITE_ROW) return rc;
  if (sqlite3_column_type(*stmt, 0) != SQLITE_TEXT)
    return damaged(c, "the text of %s in row %lld is no text", name, (long long)r->rowid);
  sqlite3_result_value(ctx, sqlite3_column_value(*stmt, 0));
  return SQLITE_OK;
}

static int result_metadata(Reader *r, int i, sqlite3_context *ctx) {
  const u8 *bytes;
  double real;
  u64 bits;
  int rc = reader_blob(r, i, &bytes);

  if (rc) return rc;
  switch (r->chunks->spec->column[i].type) {
    case TYPE_BOOLEAN: sqlite3_result_int(ctx, bytes[r->at / 8] >> r->at % 8 & 1); return SQLITE_OK;
    case TYPE_TEXT: return result_text(r, i, bytes + (size_t)r->at * TEXT_VIEW, ctx);
    default: break;
  }
  bits = load64(bytes + (size_t)r->at * 8);
  memcpy(&real, &bits, sizeof real);
  if (r->chunks->spec->column[i].type == TYPE_FLOAT)
    sqlite3_result_double(ctx, real);
  else
    sqlite3_result_int64(ctx, (i64)bits);
  return SQLITE_OK;
}

/* A row without auxiliary values has NULLs. */
static int result_auxiliary(Reader *r, int i, sqlite3_context *ctx) {
  Chunks *c = r->chunks;
  int rc;

  if (!r->auxiliary_read) {
    if (r->auxiliary == NULL) {
      sqlite3_str *columns = sqlite3_str_new(c->db);
      char *text;
      for (int n = 0; n < c->count[COL_AUXILIARY]; n++) sqlite3_str_appendf(columns, "%svalue%02d", n ? ", " : "", n);
      text = sqlite3_str_finish(columns);
      rc = text ? prepare(c, &r->auxiliary, "SELECT %s FROM \"%w\".\"%w_auxiliary\" WHERE rowid = ?1", text, c->schema,
                          c->name)
                : SQLITE_NOMEM;
      sqlite3_free(text);
      if (rc) return rc;
    }
    sqlite3_reset(r->auxiliary);
    sqlite3_bind_int64(r->auxiliary, 1, r->rowid);
    rc = sqlite3_step(r->auxiliary);
    if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_OK : rc;
    r->auxiliary_read = 1;
  }
  sqlite3_result_value(ctx, sqlite3_column_value(r->auxiliary, c->number[i]));
  return SQLITE_OK;
}

/* The key of the row, which t_rowids has. */
static int result_key(Reader *r, sqlite3_context *ctx) {
  Chunks *c = r->chunks;
  int rc = prepare(c, &r->place, "SELECT id, chunk_id, chunk_offset FROM \"%w\".\"%w_rowids\" WHERE rowid = ?1",
                   c->schema, c->name);

  if (rc) return rc;
  sqlite3_reset(r->place);
  sqlite3_bind_int64(r->place, 1, r->rowid);
  rc = sqlite3_step(r->place);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  if (rc == SQLITE_DONE || sqlite3_column_type(r->place, 0) != SQLITE_TEXT)
    return damaged(c, "the key of row %lld is missing", (long long)r->rowid);
  sqlite3_result_value(ctx, sqlite3_column_value(r->place, 0));
  return SQLITE_OK;
}

/* The value of a column of the spec, as the result of `ctx`. */
static int reader_result(Reader *r, int i, sqlite3_context *ctx) {
  const Chunks *c = r->chunks;
  const Column *column = &c->spec->column[i];
  const u8 *bytes;
  int rc;

  switch (column->kind) {
    case COL_VECTOR:
      rc = reader_vector(r, i, &bytes);
      if (rc == SQLITE_OK) sqlite3_result_blob(ctx, bytes, (int)elem_size(column->elem, column->dim), SQLITE_TRANSIENT);
      return rc;
    case COL_KEY:
      if (column->type == TYPE_TEXT) return result_key(r, ctx);
      sqlite3_result_int64(ctx, r->rowid);
      return SQLITE_OK;
    case COL_PARTITION: sqlite3_result_value(ctx, sqlite3_column_value(r->chunk, 4 + c->number[i])); return SQLITE_OK;
    case COL_METADATA: return result_metadata(r, i, ctx);
    case COL_AUXILIARY:
    case COL_RECORD: break; /* which no table of sqlite-vec has */
  }
  return result_auxiliary(r, i, ctx);
}

/* --- quire_chunks --- */

/*
 * Columns: key, the pointer, the row's chunk and place in it, then for each column of the spec one of each type, of which the one with the column's is asked for: an
 * eponymous table cannot have other columns for each table that it reads.
 */
enum { COLUMN_KEY, COLUMN_POINTER, COLUMN_CHUNK, COLUMN_PLACE, COLUMN_FIRST };
#define TYPES (TYPE_BLOB + 1)
static const char *const type_names[TYPES] = {
    [TYPE_NONE] = "",           [TYPE_INTEGER] = "INTEGER", [TYPE_FLOAT] = "REAL",
    [TYPE_BOOLEAN] = "BOOLEAN", [TYPE_TEXT] = "TEXT",       [TYPE_BLOB] = "BLOB"};

typedef struct ChunksCursor {
  sqlite3_vtab_cursor base;
  Reader *reader;
  int eof, one; /* one: there is at most one row */
} ChunksCursor;

enum { PLAN_ALL, PLAN_ROWID, PLAN_KEY };

void chunks_column(sqlite3_str *sql, const TableSpec *spec, int column) {
  if (column == CONTENT_ROWID || (column == spec->key && spec->column[column].type == TYPE_INTEGER))
    sqlite3_str_appendall(sql, "rowid");
  else if (column == spec->key)
    sqlite3_str_appendall(sql, "key");
  else
    sqlite3_str_appendf(sql, "c%d_%d", column, (int)spec->column[column].type);
}

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  sqlite3_str *sql = sqlite3_str_new(db);
  char *text;
  int rc = SQLITE_OK;

  (void)aux;
  (void)argc;
  (void)argv;
  (void)error;
  sqlite3_str_appendall(sql, "CREATE TABLE x(key TEXT, pointer HIDDEN, chunk, place");
  for (int i = 0; i < MAX_SPEC_COLUMNS; i++) {
    for (int type = 0; type < TYPES; type++) sqlite3_str_appendf(sql, ", c%d_%d %s", i, type, type_names[type]);
  }
  sqlite3_str_appendall(sql, ")");
  text = sqlite3_str_finish(sql);
  rc = text ? sqlite3_declare_vtab(db, text) : SQLITE_NOMEM;
  sqlite3_free(text);
  *out = mem_zeroed(&rc, 1, sizeof **out);
  return rc;
}

static int disconnect(sqlite3_vtab *base) {
  sqlite3_free(base->zErrMsg);
  mem_free(base);
  return SQLITE_OK;
}

/* Arguments of xFilter: the pointer, then rowid or key. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
  int pointer = -1, rowid = -1, key = -1, by;

  (void)base;
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    if (c->op != SQLITE_INDEX_CONSTRAINT_EQ || !c->usable) continue;
    if (c->iColumn == COLUMN_POINTER) pointer = i;
    if (c->iColumn < 0) rowid = i;
    if (c->iColumn == COLUMN_KEY && sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0) key = i;
  }
  if (pointer < 0) return SQLITE_CONSTRAINT;
  info->aConstraintUsage[pointer].argvIndex = 1;
  info->aConstraintUsage[pointer].omit = 1;
  by = rowid >= 0 ? rowid : key;
  info->idxNum = rowid >= 0 ? PLAN_ROWID : key >= 0 ? PLAN_KEY : PLAN_ALL;
  if (by >= 0) {
    info->aConstraintUsage[by].argvIndex = 2;
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  }
  info->estimatedCost = by >= 0 ? 10 : 1e6;
  info->estimatedRows = by >= 0 ? 1 : 1000000;
  return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
  int rc = SQLITE_OK;
  ChunksCursor *cur = mem_zeroed(&rc, 1, sizeof *cur);

  (void)base;
  if (cur) *out = &cur->base;
  return rc;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  ChunksCursor *cur = (ChunksCursor *)base;
  reader_return(cur->reader);
  mem_free(cur);
  return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv) {
  ChunksCursor *cur = (ChunksCursor *)base;
  Chunks *chunks = sqlite3_value_pointer(argv[0], CHUNKS_POINTER);
  int rc = SQLITE_OK;

  (void)text;
  (void)argc;
  reader_return(cur->reader);
  cur->reader = NULL;
  cur->eof = 1;
  cur->one = plan != PLAN_ALL;
  if (chunks == NULL) {
    sqlite3_free(base->pVtab->zErrMsg);
    base->pVtab->zErrMsg = sqlite3_mprintf("quire_chunks is for Quire's own use: select from the vec0 table itself");
    return SQLITE_ERROR;
  }
  rc = reader_take(chunks, &cur->reader);
  if (rc) return rc;
  if (plan == PLAN_KEY) return reader_seek_key(cur->reader, argv[1], &cur->eof);
  if (plan == PLAN_ALL) return reader_first(cur->reader, &cur->eof);
  /* rowid = 'x', = 1.5, = NULL; SQLite has made integers of what looks like one, and looks again */
  if (sqlite3_value_numeric_type(argv[1]) != SQLITE_INTEGER && sqlite3_value_numeric_type(argv[1]) != SQLITE_FLOAT)
    return SQLITE_OK;
  return reader_seek(cur->reader, sqlite3_value_int64(argv[1]), &cur->eof);
}

static int next(sqlite3_vtab_cursor *base) {
  ChunksCursor *cur = (ChunksCursor *)base;
  cur->eof = 1;
  return cur->one ? SQLITE_OK : reader_next(cur->reader, &cur->eof);
}

static int eof(sqlite3_vtab_cursor *base) { return ((ChunksCursor *)base)->eof; }

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i) {
  Reader *r = ((ChunksCursor *)base)->reader;
  int number = (i - COLUMN_FIRST) / TYPES;

  if (i == COLUMN_KEY) return result_key(r, ctx);
  if (i == COLUMN_CHUNK) sqlite3_result_int64(ctx, r->chunk_id);
  if (i == COLUMN_PLACE) sqlite3_result_int64(ctx, r->at);
  if (i < COLUMN_FIRST || number >= r->chunks->spec->column_count) return SQLITE_OK;
  return reader_result(r, number, ctx);
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
  *out = ((ChunksCursor *)base)->reader->rowid;
  return SQLITE_OK;
}

static const sqlite3_module chunks_module = {
    .iVersion = 0,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
};

int chunks_register(sqlite3 *db) { return sqlite3_create_module_v2(db, "quire_chunks", &chunks_module, NULL, NULL); }

/* --- open, close --- */

int chunks_open(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, Chunks **out) {
  int rc = SQLITE_OK;
  Chunks *chunks = mem_zeroed(&rc, 1, sizeof *chunks);

  if (rc) return rc;
  chunks->db = db;
  chunks->spec = spec;
  chunks->schema = mem_strdup(&rc, schema);
  chunks->name = mem_strdup(&rc, name);
  for (int i = 0; i < spec->column_count; i++) chunks->number[i] = chunks->count[spec->column[i].kind]++;
  if (rc)
    chunks_close(chunks);
  else
    *out = chunks;
  return rc;
}

void chunks_close(Chunks *chunks) {
  if (chunks == NULL) return;
  free_idle(chunks);
  sqlite3_free(chunks->error);
  mem_free(chunks->schema);
  mem_free(chunks->name);
  mem_free(chunks);
}

/* --- all rows --- */

int chunks_vectors(Chunks *chunks, int column, u32 vector, ContentRow *row, void *arg) {
  const void *vectors[MAX_VECTOR_COLUMNS] = {NULL};
  const Column *spec = &chunks->spec->column[column];
  Reader *r = NULL;
  int end, rc = reader_take(chunks, &r);

  if (rc == SQLITE_OK) rc = reader_first(r, &end);
  while (rc == SQLITE_OK && !end) {
    const u8 *bytes;
    rc = reader_vector(r, column, &bytes);
    /* sqlite-vec takes NaN and infinity, to which there is no distance */
    if (rc == SQLITE_OK && elem_first_nonfinite(spec->elem, bytes, spec->dim) < 0) {
      vectors[vector] = bytes;
      rc = row(arg, r->rowid, vectors, NULL);
    }
    if (rc == SQLITE_OK) rc = reader_next(r, &end);
  }
  reader_return(r);
  return rc;
}

static int count_rowids(Chunks *chunks, i64 *out) {
  sqlite3_stmt *stmt = NULL;
  int rc = prepare(chunks, &stmt, "SELECT count(*) FROM \"%w\".\"%w_rowids\"", chunks->schema, chunks->name);

  if (rc == SQLITE_OK) rc = sqlite3_step(stmt) == SQLITE_ROW ? SQLITE_OK : sqlite3_errcode(chunks->db);
  if (rc == SQLITE_OK) *out = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  return rc;
}

/* Read all columns of the row that `stmt` stands on, and compare its place with what t_rowids says. */
static int check_row(Chunks *chunks, sqlite3_stmt *stmt, sqlite3_stmt *place) {
  i64 row = sqlite3_column_int64(stmt, 0);
  int rc;

  for (int i = 0; i < 3; i++) sqlite3_bind_int64(place, i + 1, sqlite3_column_int64(stmt, i));
  rc = sqlite3_step(place);
  sqlite3_reset(place);
  if (rc == SQLITE_DONE)
    return damaged(chunks, "row %lld is in place %lld of chunk %lld, but not so in %s_rowids", (long long)row,
                   (long long)sqlite3_column_int64(stmt, 2), (long long)sqlite3_column_int64(stmt, 1), chunks->name);
  return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* SELECT rowid, chunk, place and all columns. */
static int prepare_everything(Chunks *chunks, sqlite3_stmt **stmt) {
  sqlite3_str *sql = sqlite3_str_new(chunks->db);
  char *text;
  int rc;

  sqlite3_str_appendall(sql, "SELECT rowid, chunk, place");
  for (int i = 0; i < chunks->spec->column_count; i++) {
    sqlite3_str_appendall(sql, ", ");
    chunks_column(sql, chunks->spec, i);
  }
  sqlite3_str_appendall(sql, " FROM quire_chunks(?1)");
  text = sqlite3_str_finish(sql);
  rc = text ? sqlite3_prepare_v2(chunks->db, text, -1, stmt, NULL) : SQLITE_NOMEM;
  sqlite3_free(text);
  return rc ? rc : sqlite3_bind_pointer(*stmt, 1, chunks, CHUNKS_POINTER, NULL);
}

int chunks_integrity(Chunks *chunks, char **problem) {
  sqlite3_stmt *stmt = NULL, *place = NULL;
  i64 rows = 0, known = 0;
  int rc = prepare_everything(chunks, &stmt);

  *problem = NULL;
  sqlite3_free(chunks->error);
  chunks->error = NULL;
  if (rc == SQLITE_OK)
    rc = prepare(chunks, &place,
                 "SELECT 1 FROM \"%w\".\"%w_rowids\" WHERE rowid = ?1 AND chunk_id = ?2 AND chunk_offset = ?3",
                 chunks->schema, chunks->name);
  while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    rows++;
    rc = check_row(chunks, stmt, place);
  }
  if (rc == SQLITE_DONE) rc = count_rowids(chunks, &known);
  if (rc == SQLITE_OK && rows != known)
    rc = damaged(chunks, "there are %lld rows in chunks and %lld in %s_rowids", (long long)rows, (long long)known,
                 chunks->name);
  sqlite3_finalize(stmt);
  sqlite3_finalize(place);
  if ((rc & 0xff) != SQLITE_CORRUPT || chunks->error == NULL) return rc;
  rc = SQLITE_OK;
  *problem = mem_strdup(&rc, chunks->error);
  return rc;
}

/* --- the shadow tables --- */

#define EMPTIED "upgraded_" /* in the names of emptied t_rowids and t_chunks, before the suffix */

int chunks_found(sqlite3 *db, const char *schema, const char *name, int *found) {
  sqlite3_stmt *stmt = NULL;
  char *sql =
      sqlite3_mprintf("SELECT 1 FROM \"%w\".sqlite_schema WHERE type = 'table' AND lower(name) IN (lower('%q_chunks'), "
                      "lower('%q_rowids'))"
                      " AND NOT EXISTS (SELECT 1 FROM \"%w\".sqlite_schema WHERE lower(name) = lower('%q_content'))",
                      schema, name, name, schema, name);
  int rc = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

  sqlite3_free(sql);
  *found = 0;
  if (rc) return rc;
  rc = sqlite3_step(stmt);
  *found = rc == SQLITE_ROW;
  return sqlite3_finalize(stmt);
}

static int run(Chunks *chunks, char *sql) {
  int rc = sql ? sqlite3_exec(chunks->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  return rc;
}

static int has_table(Chunks *chunks, const char *suffix, int *found) {
  char *name = sqlite3_mprintf("%s_%s", chunks->name, suffix);
  int rc;

  if (name == NULL) return SQLITE_NOMEM;
  /* SQLITE_ERROR: there is no such table */
  rc = sqlite3_table_column_metadata(chunks->db, chunks->schema, name, NULL, NULL, NULL, NULL, NULL, NULL);
  sqlite3_free(name);
  *found = rc == SQLITE_OK;
  return rc == SQLITE_ERROR ? SQLITE_OK : rc;
}

typedef int OnTable(Chunks *chunks, const char *suffix, void *arg);

static int on_table(Chunks *chunks, OnTable *fn, void *arg, const char *prefix, const char *suffix, int number) {
  char *text = number < 0 ? sqlite3_mprintf("%s%s", prefix, suffix) : sqlite3_mprintf("%s%02d", suffix, number);
  int found, rc = text ? has_table(chunks, text, &found) : SQLITE_NOMEM;
  if (rc == SQLITE_OK && found) rc = fn(chunks, text, arg);
  sqlite3_free(text);
  return rc;
}

/* Call fn for every shadow table that there is; `prefix` is before the suffix of t_rowids and t_chunks. */
static int each_table(Chunks *chunks, const char *prefix, OnTable *fn, void *arg) {
  static const struct {
    const char *suffix;
    int kind, renamed;
  } tables[] = {{"rowids", -1, 1},
                {"chunks", -1, 1},
                {"info", -1, 0},
                {"auxiliary", -1, 0},
                {"vector_chunks", COL_VECTOR, 0},
                {"metadatachunks", COL_METADATA, 0},
                {"metadatatext", COL_METADATA, 0}};
  int rc = SQLITE_OK;

  for (size_t i = 0; i < sizeof tables / sizeof *tables && rc == SQLITE_OK; i++) {
    if (tables[i].kind < 0) {
      rc = on_table(chunks, fn, arg, tables[i].renamed ? prefix : "", tables[i].suffix, -1);
      continue;
    }
    for (int n = 0; n < chunks->count[tables[i].kind] && rc == SQLITE_OK; n++)
      rc = on_table(chunks, fn, arg, "", tables[i].suffix, n);
  }
  return rc;
}

static int drop_one(Chunks *chunks, const char *suffix, void *arg) {
  (void)arg;
  return run(chunks, sqlite3_mprintf("DROP TABLE \"%w\".\"%w_%w\"", chunks->schema, chunks->name, suffix));
}

static int rename_one(Chunks *chunks, const char *suffix, void *arg) {
  return run(chunks, sqlite3_mprintf("ALTER TABLE \"%w\".\"%w_%w\" RENAME TO \"%w_%w\"", chunks->schema, chunks->name,
                                     suffix, (const char *)arg, suffix));
}

static int empty_one(Chunks *chunks, const char *suffix, void *arg) {
  (void)arg;
  return run(chunks, sqlite3_mprintf("DELETE FROM \"%w\".\"%w_%w\"", chunks->schema, chunks->name, suffix));
}

int chunks_drop(Chunks *chunks) {
  free_idle(chunks);
  return each_table(chunks, "", drop_one, NULL);
}

int chunks_rename(Chunks *chunks, const char *name) {
  int rc = SQLITE_OK;
  char *copy = mem_strdup(&rc, name);

  free_idle(chunks);
  if (rc == SQLITE_OK) rc = each_table(chunks, "", rename_one, copy);
  if (rc) {
    mem_free(copy);
    return rc;
  }
  mem_free(chunks->name);
  chunks->name = copy;
  return SQLITE_OK;
}

/* What chunks_empty left, if it did. */
static int each_emptied(const TableSpec *spec, sqlite3 *db, const char *schema, const char *name, OnTable *fn,
                        const char *arg) {
  Chunks *chunks = NULL;
  int found = 0, rc = chunks_open(db, schema, name, spec, &chunks);

  if (rc == SQLITE_OK) rc = has_table(chunks, EMPTIED "rowids", &found);
  if (rc == SQLITE_OK && found) rc = each_table(chunks, EMPTIED, fn, (void *)arg);
  chunks_close(chunks);
  return rc;
}

int chunks_drop_emptied(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec) {
  return each_emptied(spec, db, schema, name, drop_one, NULL);
}

int chunks_rename_emptied(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, const char *to) {
  return each_emptied(spec, db, schema, name, rename_one, to);
}

int chunks_empty(Chunks *chunks) {
  static const char *const renamed[] = {"rowids", "chunks"};
  int rc;

  free_idle(chunks);
  rc = each_table(chunks, "", empty_one, NULL);
  for (int i = 0; i < 2 && rc == SQLITE_OK; i++)
    rc = run(chunks, sqlite3_mprintf("ALTER TABLE \"%w\".\"%w_%s\" RENAME TO \"%w_" EMPTIED "%s\"", chunks->schema,
                                     chunks->name, renamed[i], chunks->name, renamed[i]));
  return rc;
}

int chunks_shadow_name(const char *suffix) {
  static const char *const plain[] = {"rowids", "chunks", "info", "auxiliary"};
  static const char *const numbered[] = {"metadatachunks", "metadatatext"};

  for (int i = 0; i < 4; i++) {
    if (sqlite3_stricmp(suffix, plain[i]) == 0) return 1;
  }
  for (int i = 0; i < 2; i++) {
    size_t size = strlen(numbered[i]);
    const char *digits = suffix + size;
    if (sqlite3_strnicmp(suffix, numbered[i], (int)size) == 0 && digits[0] >= '0' && digits[0] <= '1' &&
        digits[1] >= '0' && digits[1] <= '9' && digits[2] == 0)
      return 1;
  }
  return 0;
}
