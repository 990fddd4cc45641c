/*
 * table_function.c: table-valued functions that collect their rows before they give the first. See table_function.h.
 *
 * Eponymous virtual tables. idxNum is the set of arguments that are given, as bits; xFilter gets them in the order of declaration.
 */
#include "table_function.h"

#include <stdarg.h>

#include "companions.h"

typedef struct Cell {
  enum { CELL_NULL, CELL_INTEGER, CELL_REAL, CELL_TEXT, CELL_BLOB, CELL_VALUE } kind;
  union {
    i64 integer;
    double real;
    char *text;
    struct {
      void *data;
      u64 size;
      unsigned subtype;
    } blob;
    sqlite3_value *value;
  } is;
} Cell;

struct Rows {
  Cell *cell;
  u64 count, cap; /* of cells */
  u64 begun;      /* rows */
};

typedef struct Module {
  const TableFunction *function;
  Companions *companions;
} Module;

typedef struct Table {
  sqlite3_vtab base;
  sqlite3 *db;
  const Module *module;
} Table;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  Rows rows;
  u64 at;
  sqlite3_value *argument[MAX_ARGUMENTS]; /* copies, given back as columns */
} Cursor;

/* --- rows --- */

static void rows_clear(Rows *rows) {
  for (u64 i = 0; i < rows->count; i++) {
    if (rows->cell[i].kind == CELL_TEXT) mem_free(rows->cell[i].is.text);
    if (rows->cell[i].kind == CELL_BLOB) mem_free(rows->cell[i].is.blob.data);
    if (rows->cell[i].kind == CELL_VALUE) sqlite3_value_free(rows->cell[i].is.value);
  }
  rows->count = rows->begun = 0;
}

int rows_begin(TableCall *call) {
  call->rows->begun++;
  return SQLITE_OK;
}

u64 rows_count(const TableCall *call) { return call->rows->begun; }

static int add_cell(TableCall *call, Cell cell) {
  Rows *rows = call->rows;
  int rc = mem_reserve(&rows->cell, &rows->cap, rows->count + 1, sizeof *rows->cell);
  if (rc == SQLITE_OK) rows->cell[rows->count++] = cell;
  return rc;
}

int rows_null(TableCall *call) { return add_cell(call, (Cell){.kind = CELL_NULL}); }
int rows_integer(TableCall *call, i64 value) {
  return add_cell(call, (Cell){.kind = CELL_INTEGER, .is.integer = value});
}
int rows_real(TableCall *call, double value) { return add_cell(call, (Cell){.kind = CELL_REAL, .is.real = value}); }

int rows_text(TableCall *call, const char *value) {
  Cell cell = {.kind = CELL_TEXT};
  int rc = SQLITE_OK;
  if (value == NULL) return rows_null(call);
  cell.is.text = mem_strdup(&rc, value);
  if (rc == SQLITE_OK) rc = add_cell(call, cell);
  if (rc) mem_free(cell.is.text);
  return rc;
}

int rows_blob(TableCall *call, const void *data, u64 size, unsigned subtype) {
  Cell cell = {.kind = CELL_BLOB, .is.blob = {NULL, size, subtype}};
  int rc = SQLITE_OK;
  cell.is.blob.data = mem_array(&rc, size, 1);
  if (rc) return rc;
  memcpy(cell.is.blob.data, data, (size_t)size);
  rc = add_cell(call, cell);
  if (rc) mem_free(cell.is.blob.data);
  return rc;
}

int rows_value(TableCall *call, sqlite3_value *value) {
  Cell cell = {.kind = CELL_VALUE};
  int rc;
  cell.is.value = sqlite3_value_dup(value);
  if (cell.is.value == NULL) return SQLITE_NOMEM;
  rc = add_cell(call, cell);
  if (rc) sqlite3_value_free(cell.is.value);
  return rc;
}

int rows_statement(TableCall *call, sqlite3_stmt *stmt) {
  int columns = sqlite3_column_count(stmt), rc;
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    rc = rows_begin(call);
    for (int i = 0; i < columns && rc == SQLITE_OK; i++) rc = rows_value(call, sqlite3_column_value(stmt, i));
    if (rc) break;
  }
  sqlite3_reset(stmt);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- errors --- */

int call_fail(TableCall *call, int rc, const char *fmt, ...) {
  va_list ap;
  sqlite3_free(call->error);
  va_start(ap, fmt);
  call->error = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  return call->error ? rc : SQLITE_NOMEM;
}

int call_fail_db(TableCall *call, int rc) {
  if (rc == SQLITE_OK || rc == SQLITE_NOMEM || rc == SQLITE_INTERRUPT || call->error) return rc;
  return call_fail(call, rc, "%s", sqlite3_errmsg(call->db));
}

/* --- the virtual table --- */

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  const Module *module = aux;
  int rc = sqlite3_declare_vtab(db, module->function->declaration);
  Table *table = mem_zeroed(&rc, 1, sizeof *table);

  (void)argc, (void)argv, (void)error;
  if (rc) return rc;
  (void)sqlite3_vtab_config(db, module->function->innocuous ? SQLITE_VTAB_INNOCUOUS : SQLITE_VTAB_DIRECTONLY);
  table->db = db;
  table->module = module;
  *out = &table->base;
  return SQLITE_OK;
}

/* Also what a closing connection calls before it looks for open statements: they go here. */
static int disconnect(sqlite3_vtab *base) {
  companions_close_statements(((Table *)base)->module->companions);
  mem_free(base);
  return SQLITE_OK;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
  const TableFunction *function = ((Table *)base)->module->function;
  int constraint[MAX_ARGUMENTS], next = 1;

  for (int i = 0; i < function->arguments; i++) constraint[i] = -1;
  for (int i = 0; i < info->nConstraint; i++) {
    int argument = info->aConstraint[i].iColumn - function->columns;
    if (argument < 0 || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    constraint[argument] = i;
  }
  info->idxNum = 0;
  for (int i = 0; i < function->arguments; i++) {
    if (constraint[i] < 0) continue;
    info->aConstraintUsage[constraint[i]].argvIndex = next++;
    info->aConstraintUsage[constraint[i]].omit = 1;
    info->idxNum |= 1 << i;
  }
  info->estimatedCost = 1000;
  info->estimatedRows = 100;
  return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
  int rc = SQLITE_OK;
  Cursor *cursor = mem_zeroed(&rc, 1, sizeof *cursor);
  (void)base;
  if (cursor) *out = &cursor->base;
  return rc;
}

static void cursor_clear(Cursor *cursor) {
  rows_clear(&cursor->rows);
  for (int i = 0; i < MAX_ARGUMENTS; i++) {
    sqlite3_value_free(cursor->argument[i]);
    cursor->argument[i] = NULL;
  }
  cursor->at = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  cursor_clear(cursor);
  mem_free(cursor->rows.cell);
  mem_free(cursor);
  return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  Table *table = (Table *)base->pVtab;
  const TableFunction *function = table->module->function;
  TableCall call = {.db = table->db, .companions = table->module->companions, .rows = &cursor->rows};
  int rc = SQLITE_OK;

  (void)text;
  cursor_clear(cursor);
  for (int i = 0, next = 0; i < function->arguments && rc == SQLITE_OK; i++) {
    if (!(number & 1 << i) || next >= argc) continue;
    cursor->argument[i] = call.argument[i] = sqlite3_value_dup(argv[next++]);
    if (call.argument[i] == NULL) rc = SQLITE_NOMEM;
  }
  for (int i = 0; i < function->required && rc == SQLITE_OK; i++) {
    if (call.argument[i] == NULL) rc = call_fail(&call, SQLITE_ERROR, "usage: %s", function->usage);
  }
  if (rc == SQLITE_OK) rc = function->fill(&call);
  sqlite3_free(table->base.zErrMsg);
  table->base.zErrMsg = rc ? call.error : NULL;
  if (rc == SQLITE_OK) sqlite3_free(call.error);
  return rc;
}

static int next_row(sqlite3_vtab_cursor *base) {
  ((Cursor *)base)->at++;
  return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base) {
  const Cursor *cursor = (Cursor *)base;
  return cursor->at >= cursor->rows.begun;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i) {
  const Cursor *cursor = (Cursor *)base;
  const TableFunction *function = ((Table *)base->pVtab)->module->function;
  const Cell *cell;

  if (i >= function->columns) {
    if (cursor->argument[i - function->columns]) sqlite3_result_value(ctx, cursor->argument[i - function->columns]);
    return SQLITE_OK;
  }
  cell = &cursor->rows.cell[cursor->at * (u64)function->columns + (u64)i];
  switch (cell->kind) {
    case CELL_NULL: break;
    case CELL_INTEGER: sqlite3_result_int64(ctx, cell->is.integer); break;
    case CELL_REAL: sqlite3_result_double(ctx, cell->is.real); break;
    case CELL_TEXT: sqlite3_result_text(ctx, cell->is.text, -1, SQLITE_TRANSIENT); break;
    case CELL_BLOB:
      sqlite3_result_blob64(ctx, cell->is.blob.data, cell->is.blob.size, SQLITE_TRANSIENT);
      sqlite3_result_subtype(ctx, cell->is.blob.subtype);
      break;
    case CELL_VALUE: sqlite3_result_value(ctx, cell->is.value); break;
  }
  return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
  *out = (sqlite3_int64)((Cursor *)base)->at + 1;
  return SQLITE_OK;
}

static const sqlite3_module methods = {
    .iVersion = 0,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next_row,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
};

static void free_module(void *p) {
  companions_release(((Module *)p)->companions);
  mem_free(p);
}

int table_function_register(sqlite3 *db, const TableFunction *function, Companions *companions) {
  int rc = SQLITE_OK;
  Module *module = mem_zeroed(&rc, 1, sizeof *module);

  if (rc) return rc;
  module->function = function;
  module->companions = companions_retain(companions);
  return sqlite3_create_module_v2(db, function->name, &methods, module, free_module); /* frees module if it fails */
}
