/*
 * content.c: the table t_content and every statement on it. See content.h.
 *
 *   C1  A statement is reset as soon as its answer is read, save those on loan to a cursor. Idle ones are kept: one of each kind
 *       whose text is always the same in `fixed`, found without making the text; others in `idle`, newest first, at most MAX_IDLE. They
 *       are finalized in content_close: an open one would keep sqlite3_close from closing.
 *   C2  Values are bound; identifiers go through "%w".
 *   C3  Comparisons use the column's affinity and BINARY, on both sides of the module: what SQLite asks of the virtual
 *       table's column and what is asked here is the same question. One exception is left: a TEXT column compared
 *       with a column of numeric affinity is a numeric comparison there and one of texts here.
 */
#include "content.h"

#define MAX_IDLE 24

/* Statements whose text is the same for the life of a table. */
enum {
  KIND_ROW,
  KIND_ROW_VECTORS,
  KIND_EXISTS,
  KIND_FIND,
  KIND_POLL,
  KIND_INSERT,
  KIND_DELETE,
  KIND_COUNT,
  KIND_OTHER = KIND_COUNT
};

/* Where the rows are: what names a column, and all of them, in a SELECT. Writing is for t_content alone. */
typedef struct ContentForm {
  void (*column)(sqlite3_str *sql, const Content *content, int column);
  void (*from)(sqlite3_str *sql, const Content *content);
  int (*bind)(const Content *content, sqlite3_stmt *stmt); /* what `from` needs */
} ContentForm;

struct Content {
  sqlite3 *db;
  const ContentForm *form;
  Chunks *chunks;
  char *schema;
  char *table; /* t_content, or the user's; with `chunks`, both NULL */
  const char *rowid, *tag;
  const TableSpec *spec;
  Query *fixed[KIND_COUNT];
  Query *idle;
  u32 idle_count;
  u32 generation; /* grows with each rename */
};

/* --- names and types --- */

const char *content_type(const Column *column) {
  switch (column->type) {
    case TYPE_INTEGER: return "INTEGER";
    case TYPE_FLOAT: return "REAL";
    case TYPE_BOOLEAN: return "BOOLEAN";
    case TYPE_TEXT: return "TEXT";
    case TYPE_BLOB: return "BLOB";
    case TYPE_NONE: break;
  }
  return column_in_pages(column) ? "BLOB" : "";
}

static int has_integer_key(const TableSpec *spec) {
  return spec->key >= 0 && spec->column[spec->key].type == TYPE_INTEGER;
}

/* The first of these names that no column of the user's has; they end with NULL, and the last one is taken unseen. */
static const char *free_name(const TableSpec *spec, const char *const *names) {
  for (int i = 0; i < spec->column_count && names[1]; i++) {
    if (sqlite3_stricmp(spec->column[i].name, names[0]) == 0) {
      names++;
      i = -1;
    }
  }
  return names[0];
}

/* The integer key's name: the user's, or one of ours. */
static const char *rowid_name(const TableSpec *spec) {
  static const char *const names[] = {"rowid", "_rowid_", "oid", "quire_rowid", NULL};
  return has_integer_key(spec) ? spec->column[spec->key].name : free_name(spec, names);
}

static const char *tag_name(const TableSpec *spec) {
  static const char *const names[] = {"quire_tag", "quire_tag_", "quire_tag__", NULL};
  return free_name(spec, names);
}

const char *content_name(const Content *content) { return content->table; }
const char *content_rowid(const Content *content) { return content->rowid; }
const char *content_tag(const Content *content) { return content->tag; }

u64 content_all_columns(const Content *content) { return ((u64)1 << content->spec->column_count) - 1; }

u64 content_plain_columns(const Content *content) {
  u64 columns = content_all_columns(content);
  for (int i = 0; i < content->spec->column_count; i++) {
    if (column_in_pages(&content->spec->column[i])) columns &= ~((u64)1 << i);
  }
  return columns;
}

/* Finish `sql` as a string. */
static int finish(sqlite3_str *sql, char **out) {
  int rc = sqlite3_str_errcode(sql);
  *out = sqlite3_str_finish(sql);
  if (rc == SQLITE_OK && *out == NULL) rc = SQLITE_NOMEM;
  if (rc != SQLITE_OK) {
    sqlite3_free(*out);
    *out = NULL;
  }
  return rc;
}

/* --- where rows are --- */

static const char *column_name(const Content *content, int column) {
  return column == CONTENT_ROWID ? content->rowid : content->spec->column[column].name;
}

static void table_column(sqlite3_str *sql, const Content *content, int column) {
  sqlite3_str_appendf(sql, "\"%w\"", column_name(content, column));
}

static void table_from(sqlite3_str *sql, const Content *content) {
  sqlite3_str_appendf(sql, "\"%w\".\"%w\"", content->schema, content->table);
}

static int table_bind(const Content *content, sqlite3_stmt *stmt) {
  (void)content;
  (void)stmt;
  return SQLITE_OK;
}

static const ContentForm table_form = {table_column, table_from, table_bind};

#define CHUNKS_PARAMETER 100 /* beyond those of conditions */

static void chunked_column(sqlite3_str *sql, const Content *content, int column) {
  chunks_column(sql, content->spec, column);
}

static void chunked_from(sqlite3_str *sql, const Content *content) {
  (void)content;
  sqlite3_str_appendf(sql, "quire_chunks(?%d)", CHUNKS_PARAMETER);
}

static int chunked_bind(const Content *content, sqlite3_stmt *stmt) {
  if (sqlite3_bind_parameter_count(stmt) < CHUNKS_PARAMETER) return SQLITE_OK; /* content_poll's */
  return sqlite3_bind_pointer(stmt, CHUNKS_PARAMETER, content->chunks, CHUNKS_POINTER, NULL);
}

static const ContentForm chunked_form = {chunked_column, chunked_from, chunked_bind};

/* --- create, open, close --- */

/* Append the definitions of the columns of one group: 0 key, 1 partition and metadata, 2 auxiliary, 3 vectors. */
static void append_definitions(sqlite3_str *sql, const TableSpec *spec, int group) {
  for (int i = 0; i < spec->column_count; i++) {
    const Column *column = &spec->column[i];
    static const int group_of[] = {[COL_VECTOR] = 3,   [COL_KEY] = 0,       [COL_PARTITION] = 1,
                                   [COL_METADATA] = 1, [COL_AUXILIARY] = 2, [COL_RECORD] = 3};
    if (group_of[column->kind] != group || (i == spec->key && has_integer_key(spec))) continue;
    sqlite3_str_appendf(sql, ", \"%w\" %s%s", column->name, content_type(column),
                        column->kind == COL_KEY ? " NOT NULL UNIQUE" : "");
  }
}

int content_create(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, const char *clause,
                   char **error) {
  sqlite3_str *sql = sqlite3_str_new(db);
  char *text = NULL, *message = NULL;
  int rc;

  sqlite3_str_appendf(sql, "CREATE TABLE \"%w\".\"%w_content\"(\"%w\" INTEGER PRIMARY KEY, \"%w\" INTEGER", schema,
                      name, rowid_name(spec), tag_name(spec));
  for (int group = 0; group < 4; group++) append_definitions(sql, spec, group);
  sqlite3_str_appendf(sql, "%s)", clause);
  rc = finish(sql, &text);
  if (rc) return rc;
  rc = sqlite3_exec(db, text, NULL, NULL, &message);
  if (rc && message) *error = sqlite3_mprintf("%s", message);
  sqlite3_free(message);
  sqlite3_free(text);
  return rc;
}

static Content *content_new(int *rc, sqlite3 *db, const TableSpec *spec, const ContentForm *form) {
  Content *content = mem_zeroed(rc, 1, sizeof *content);

  if (content == NULL) return NULL;
  content->db = db;
  content->form = form;
  content->spec = spec;
  content->rowid = spec->content && spec->key < 0 ? spec->content_rowid : rowid_name(spec);
  content->tag = spec->content ? NULL : tag_name(spec);
  return content;
}

int content_open_chunks(sqlite3 *db, const TableSpec *spec, Chunks *chunks, Content **out) {
  int rc = SQLITE_OK;
  Content *content = content_new(&rc, db, spec, &chunked_form);

  if (rc) return rc;
  content->chunks = chunks;
  *out = content;
  return SQLITE_OK;
}

int content_open(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, Content **out) {
  int rc = SQLITE_OK;
  Content *content = content_new(&rc, db, spec, &table_form);

  if (rc) return rc;
  content->schema = mem_strdup(&rc, schema);
  content->table = spec->content ? sqlite3_mprintf("%s", spec->content) : sqlite3_mprintf("%s_content", name);
  if (content->table == NULL) rc = SQLITE_NOMEM;
  if (rc)
    content_close(content);
  else
    *out = content;
  return rc;
}

static void query_free(Query *query) {
  if (query == NULL) return;
  sqlite3_finalize(query->stmt);
  sqlite3_free(query->sql);
  mem_free(query);
}

static void drop_idle(Content *content) {
  for (int i = 0; i < KIND_COUNT; i++) {
    query_free(content->fixed[i]);
    content->fixed[i] = NULL;
  }
  while (content->idle) {
    Query *query = content->idle;
    content->idle = query->next;
    query_free(query);
  }
  content->idle_count = 0;
}

void content_close(Content *content) {
  if (content == NULL) return;
  drop_idle(content);
  mem_free(content->schema);
  sqlite3_free(content->table);
  mem_free(content);
}

/* Run `sql`, which is freed; NULL means that there was no memory for it. */
static int run(Content *content, char *sql) {
  int rc;
  if (sql == NULL) return SQLITE_NOMEM;
  rc = sqlite3_exec(content->db, sql, NULL, NULL, NULL);
  sqlite3_free(sql);
  return rc;
}

int content_drop(Content *content) {
  drop_idle(content);
  return run(content, sqlite3_mprintf("DROP TABLE \"%w\".\"%w\"", content->schema, content->table));
}

int content_rename(Content *content, const char *name) {
  char *table = sqlite3_mprintf("%s_content", name);
  int rc;

  if (table == NULL) return SQLITE_NOMEM;
  drop_idle(content);
  content->generation++;
  rc = run(content,
           sqlite3_mprintf("ALTER TABLE \"%w\".\"%w\" RENAME TO \"%w\"", content->schema, content->table, table));
  if (rc == SQLITE_OK) {
    sqlite3_free(content->table);
    content->table = table;
  } else {
    sqlite3_free(table);
  }
  return rc;
}

/* --- statements --- */

/* An idle query with this text, taken out of the list; NULL if there is none. */
static Query *take_idle(Content *content, const char *sql) {
  for (Query **link = &content->idle; *link; link = &(*link)->next) {
    Query *query = *link;
    if (strcmp(query->sql, sql) != 0) continue;
    *link = query->next;
    content->idle_count--;
    return query;
  }
  return NULL;
}

/* Bind what the form needs; on failure the query is freed. */
static int bind_form(const Content *content, Query **query) {
  int rc = content->form->bind(content, (*query)->stmt);

  if (rc == SQLITE_OK) return rc;
  query_free(*query);
  *query = NULL;
  return rc;
}

/* Prepare a query; takes `text` over, also on failure. */
static int prepare(Content *content, int kind, char *text, Query **out) {
  int rc = SQLITE_OK;
  Query *query = mem_zeroed(&rc, 1, sizeof *query);

  if (rc) {
    sqlite3_free(text);
    return rc;
  }
  query->kind = kind;
  query->sql = text;
  query->generation = content->generation;
  rc = sqlite3_prepare_v3(content->db, text, -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
  if (rc) {
    query_free(query);
    return rc;
  }
  *out = query;
  return bind_form(content, out);
}

/* A query for `sql`, which is taken over, also on failure. */
static int borrow(Content *content, sqlite3_str *sql, Query **out) {
  char *text = NULL;
  int rc = finish(sql, &text);

  *out = NULL;
  if (rc) return rc;
  *out = take_idle(content, text);
  if (*out == NULL) return prepare(content, KIND_OTHER, text, out);
  sqlite3_free(text);
  return bind_form(content, out);
}

/* The fixed query of this kind, which `append` writes if there is none idle. */
static int borrow_fixed(Content *content, int kind, void (*append)(sqlite3_str *, const Content *), Query **out) {
  sqlite3_str *sql;
  char *text = NULL;
  int rc;

  *out = content->fixed[kind];
  content->fixed[kind] = NULL;
  if (*out) return bind_form(content, out);
  sql = sqlite3_str_new(content->db);
  append(sql, content);
  rc = finish(sql, &text);
  return rc ? rc : prepare(content, kind, text, out);
}

int content_is_current(const Content *content, const Query *query) { return query->generation == content->generation; }

void content_return(Content *content, Query *query) {
  if (query == NULL) return;
  sqlite3_reset(query->stmt);
  sqlite3_clear_bindings(query->stmt);
  if (!content_is_current(content, query)) {
    query_free(query);
    return;
  }
  if (query->kind != KIND_OTHER && content->fixed[query->kind] == NULL) {
    content->fixed[query->kind] = query;
    return;
  }
  query->next = content->idle;
  content->idle = query;
  if (++content->idle_count <= MAX_IDLE) return;
  for (Query **link = &content->idle;; link = &(*link)->next) {
    if ((*link)->next) continue;
    query_free(*link); /* the one unused for longest */
    *link = NULL;
    content->idle_count--;
    return;
  }
}

/* Step a statement that gives no rows and give it back. */
static int finish_write(Content *content, Query *query) {
  int rc = sqlite3_step(query->stmt);
  if (rc == SQLITE_DONE)
    rc = SQLITE_OK;
  else if (rc == SQLITE_ROW)
    rc = SQLITE_INTERNAL;
  content_return(content, query);
  return rc;
}

/* Step a statement for its first row. SQLITE_OK, SQLITE_NOTFOUND or an error; the query stays on loan. */
static int first_row(Query *query) {
  int rc = sqlite3_step(query->stmt);
  if (rc == SQLITE_ROW) return SQLITE_OK;
  return rc == SQLITE_DONE ? SQLITE_NOTFOUND : rc;
}

/* --- reading --- */

/* SQL of an operator, with %d for the parameter's number if it has one; NULL if it is not known. */
static const char *operator_sql(int op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ: return "= ?%d";
    case SQLITE_INDEX_CONSTRAINT_NE: return "<> ?%d";
    case SQLITE_INDEX_CONSTRAINT_GT: return "> ?%d";
    case SQLITE_INDEX_CONSTRAINT_GE: return ">= ?%d";
    case SQLITE_INDEX_CONSTRAINT_LT: return "< ?%d";
    case SQLITE_INDEX_CONSTRAINT_LE: return "<= ?%d";
    case SQLITE_INDEX_CONSTRAINT_IS: return "IS ?%d";
    case SQLITE_INDEX_CONSTRAINT_ISNOT: return "IS NOT ?%d";
    case SQLITE_INDEX_CONSTRAINT_ISNULL: return "IS NULL";
    case SQLITE_INDEX_CONSTRAINT_ISNOTNULL: return "IS NOT NULL";
    case SQLITE_INDEX_CONSTRAINT_LIKE: return "LIKE ?%d";
    case SQLITE_INDEX_CONSTRAINT_GLOB: return "GLOB ?%d";
    default: return NULL;
  }
}

int content_knows(int op) { return operator_sql(op) != NULL; }

const char *content_affinity(const char *type) {
  if (type == NULL || *type == 0) return "";
  if (sqlite3_strlike("%INT%", type, 0) == 0) return "INTEGER";
  if (sqlite3_strlike("%CHAR%", type, 0) == 0 || sqlite3_strlike("%CLOB%", type, 0) == 0 ||
      sqlite3_strlike("%TEXT%", type, 0) == 0)
    return "TEXT";
  if (sqlite3_strlike("%BLOB%", type, 0) == 0) return "";
  if (sqlite3_strlike("%REAL%", type, 0) == 0 || sqlite3_strlike("%FLOA%", type, 0) == 0 ||
      sqlite3_strlike("%DOUB%", type, 0) == 0)
    return "REAL";
  return "NUMERIC";
}

/*
 * A column in a comparison. In a table of the user's it may have been declared otherwise than here: then affinity and collation of the column
 * here are written out (C3).
 */
static void append_compared(sqlite3_str *sql, const Content *content, int column) {
  const char *declared = NULL, *collation = NULL, *wanted;
  if (content->spec->content == NULL || column == CONTENT_ROWID ||
      sqlite3_table_column_metadata(content->db, content->schema, content->table, column_name(content, column),
                                    &declared, &collation, NULL, NULL, NULL)) {
    content->form->column(sql, content, column);
    return;
  }
  wanted = content_affinity(content_type(&content->spec->column[column]));
  if (strcmp(content_affinity(declared), wanted) == 0)
    content->form->column(sql, content, column);
  else if (*wanted) {
    sqlite3_str_appendall(sql, "CAST(");
    content->form->column(sql, content, column);
    sqlite3_str_appendf(sql, " AS %s)", wanted);
  } else {
    sqlite3_str_appendall(sql, "+");
    content->form->column(sql, content, column);
  }
  if (collation && sqlite3_stricmp(collation, "BINARY") != 0) sqlite3_str_appendall(sql, " COLLATE BINARY");
}

static void append_condition(sqlite3_str *sql, const Content *content, const Condition *condition, int parameter) {
  const char *op = operator_sql(condition->op);
  const char *number = strstr(op, "%d");

  append_compared(sql, content, condition->column);
  sqlite3_str_appendall(sql, " ");
  if (number)
    sqlite3_str_appendf(sql, "%.*s%d", (int)(number - op), op, parameter);
  else
    sqlite3_str_appendall(sql, op);
}

static void append_select(sqlite3_str *sql, const Content *content, const Selection *selection) {
  sqlite3_str_appendall(sql, "SELECT ");
  content->form->column(sql, content, CONTENT_ROWID);
  for (int i = 0; i < content->spec->column_count; i++) {
    sqlite3_str_appendall(sql, ",");
    if (selection->columns >> i & 1)
      content->form->column(sql, content, i);
    else
      sqlite3_str_appendall(sql, "NULL");
  }
  sqlite3_str_appendall(sql, " FROM ");
  content->form->from(sql, content);
  for (int i = 0; i < selection->condition_count; i++) {
    sqlite3_str_appendall(sql, i ? " AND " : " WHERE ");
    append_condition(sql, content, &selection->condition[i], i + 1);
  }
  if (selection->order == ORDER_NONE) return;
  sqlite3_str_appendall(sql, " ORDER BY ");
  content->form->column(sql, content, CONTENT_ROWID);
  if (selection->order == ORDER_ROWID_DESC) sqlite3_str_appendall(sql, " DESC");
}

int content_select(Content *content, const Selection *selection, Query **out) {
  sqlite3_str *sql = sqlite3_str_new(content->db);
  append_select(sql, content, selection);
  return borrow(content, sql, out);
}

/* Append the SELECT of one row by a column. */
static void append_row_by(sqlite3_str *sql, const Content *content, int column, u64 columns) {
  const Condition condition = {column, SQLITE_INDEX_CONSTRAINT_EQ};
  const Selection selection = {&condition, 1, ORDER_NONE, columns};
  append_select(sql, content, &selection);
}

static void append_row(sqlite3_str *sql, const Content *content) {
  append_row_by(sql, content, CONTENT_ROWID, content_plain_columns(content));
}

static void append_row_vectors(sqlite3_str *sql, const Content *content) {
  append_row_by(sql, content, CONTENT_ROWID, content_all_columns(content));
}

static void append_exists(sqlite3_str *sql, const Content *content) { append_row_by(sql, content, CONTENT_ROWID, 0); }

static void append_find(sqlite3_str *sql, const Content *content) {
  append_row_by(sql, content, content->spec->key, 0);
}

static void append_poll(sqlite3_str *sql, const Content *content) {
  (void)content;
  sqlite3_str_appendall(sql, "SELECT 1");
}

int content_row(Content *content, int with_vectors, Query **out) {
  if (with_vectors) return borrow_fixed(content, KIND_ROW_VECTORS, append_row_vectors, out);
  return borrow_fixed(content, KIND_ROW, append_row, out);
}

int content_exists(Content *content, i64 rowid) {
  Query *query;
  int rc = borrow_fixed(content, KIND_EXISTS, append_exists, &query);

  if (rc) return rc;
  sqlite3_bind_int64(query->stmt, 1, rowid);
  rc = first_row(query);
  content_return(content, query);
  return rc;
}

int content_find(Content *content, sqlite3_value *key, i64 *rowid) {
  Query *query;
  int rc = borrow_fixed(content, KIND_FIND, append_find, &query);

  if (rc) return rc;
  rc = sqlite3_bind_value(query->stmt, 1, key);
  if (rc == SQLITE_OK) rc = first_row(query);
  if (rc == SQLITE_OK) *rowid = sqlite3_column_int64(query->stmt, 0);
  content_return(content, query);
  return rc;
}

int content_poll(Content *content) {
  Query *query;
  int rc = borrow_fixed(content, KIND_POLL, append_poll, &query);

  if (rc) return rc;
  rc = first_row(query);
  content_return(content, query);
  return rc;
}

/* --- writing --- */

static int bind_cell(sqlite3_stmt *stmt, int parameter, const Cell *cell) {
  if (cell->kind == CELL_BYTES) return sqlite3_bind_blob64(stmt, parameter, cell->bytes, cell->size, SQLITE_STATIC);
  if (cell->kind == CELL_VALUE && cell->value) return sqlite3_bind_value(stmt, parameter, cell->value);
  return sqlite3_bind_null(stmt, parameter);
}

/* Whether column i has a cell of its own: the integer key is the rowid. */
static int has_cell(const Content *content, int i) {
  return !(i == content->spec->key && has_integer_key(content->spec));
}

/* Parameters: 1 the rowid, 2 the tag, 3+i column i. */
static void append_insert(sqlite3_str *sql, const Content *content) {
  const TableSpec *spec = content->spec;

  sqlite3_str_appendf(sql, "INSERT INTO \"%w\".\"%w\"(\"%w\",\"%w\"", content->schema, content->table, content->rowid,
                      content->tag);
  for (int i = 0; i < spec->column_count; i++) {
    if (has_cell(content, i)) sqlite3_str_appendf(sql, ",\"%w\"", spec->column[i].name);
  }
  sqlite3_str_appendall(sql, ")VALUES(?1,?2");
  for (int i = 0; i < spec->column_count; i++) {
    if (has_cell(content, i)) sqlite3_str_appendf(sql, ",?%d", i + 3);
  }
  sqlite3_str_appendall(sql, ")");
}

int content_insert(Content *content, const Cell *cell, i64 tag, int has_rowid, i64 *rowid) {
  Query *query;
  int rc = borrow_fixed(content, KIND_INSERT, append_insert, &query);

  if (rc) return rc;
  if (has_rowid) rc = sqlite3_bind_int64(query->stmt, 1, *rowid);
  if (rc == SQLITE_OK) rc = sqlite3_bind_int64(query->stmt, 2, tag);
  for (int i = 0; i < content->spec->column_count && rc == SQLITE_OK; i++) {
    if (has_cell(content, i)) rc = bind_cell(query->stmt, i + 3, &cell[i]);
  }
  if (rc) {
    content_return(content, query);
    return rc;
  }
  rc = finish_write(content, query);
  if (rc == SQLITE_OK) *rowid = sqlite3_last_insert_rowid(content->db);
  return rc;
}

static int changes_cell(const Content *content, const Cell *cell, int i) {
  return has_cell(content, i) && cell[i].kind != CELL_KEEP;
}

/* Parameters: 1 the old rowid, 2 the new one, 3 its tag, 4+i column i. */
static int borrow_update(Content *content, int new_rowid, int new_tag, const Cell *cell, Query **out) {
  sqlite3_str *sql = sqlite3_str_new(content->db);
  const char *comma = "";

  sqlite3_str_appendf(sql, "UPDATE \"%w\".\"%w\" SET ", content->schema, content->table);
  if (new_rowid) {
    sqlite3_str_appendf(sql, "\"%w\"=?2", content->rowid);
    comma = ",";
  }
  if (new_tag) {
    sqlite3_str_appendf(sql, "%s\"%w\"=?3", comma, content->tag);
    comma = ",";
  }
  for (int i = 0; i < content->spec->column_count; i++) {
    if (!changes_cell(content, cell, i)) continue;
    sqlite3_str_appendf(sql, "%s\"%w\"=?%d", comma, content->spec->column[i].name, i + 4);
    comma = ",";
  }
  sqlite3_str_appendf(sql, " WHERE \"%w\"=?1", content->rowid);
  return borrow(content, sql, out);
}

int content_update(Content *content, i64 from, i64 to, const i64 *tag, const Cell *cell) {
  int changes = from != to || tag;
  Query *query;
  int rc;

  for (int i = 0; i < content->spec->column_count; i++) changes |= changes_cell(content, cell, i);
  if (!changes) return SQLITE_OK;
  rc = borrow_update(content, from != to, tag != NULL, cell, &query);
  if (rc) return rc;
  sqlite3_bind_int64(query->stmt, 1, from);
  if (from != to) sqlite3_bind_int64(query->stmt, 2, to);
  if (tag) sqlite3_bind_int64(query->stmt, 3, *tag);
  for (int i = 0; i < content->spec->column_count && rc == SQLITE_OK; i++) {
    if (changes_cell(content, cell, i)) rc = bind_cell(query->stmt, i + 4, &cell[i]);
  }
  if (rc) {
    content_return(content, query);
    return rc;
  }
  return finish_write(content, query);
}

static void append_delete(sqlite3_str *sql, const Content *content) {
  sqlite3_str_appendf(sql, "DELETE FROM \"%w\".\"%w\" WHERE \"%w\"=?1", content->schema, content->table,
                      content->rowid);
}

int content_delete(Content *content, i64 rowid) {
  Query *query;
  int rc = borrow_fixed(content, KIND_DELETE, append_delete, &query);

  if (rc) return rc;
  sqlite3_bind_int64(query->stmt, 1, rowid);
  return finish_write(content, query);
}

int content_delete_all(Content *content) {
  return run(content, sqlite3_mprintf("DELETE FROM \"%w\".\"%w\"", content->schema, content->table));
}
