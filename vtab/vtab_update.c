/*
 * vtab_update.c: xUpdate: INSERT, UPDATE, DELETE, and commands.
 *
 *   U1  All errors of the user's are found before the first write that succeeds: a single-row statement has no savepoint that
 *       would undo half of it. That a key is taken is what the INSERT into the content table says.
 *   U2  After the first write only codes are returned at which SQLite rolls back the transaction: SQLITE_IOERR, NOMEM and FULL
 *       (S11), and INTERRUPT, which it treats alike; update_settle() sees to it, and keeps the words.
 *   U3  The order is table_write_begin, content row, table_remove, table_add.
 *   U4  Vectors that do not change are not written, neither the cell nor the delta. When one of several changes, or the rowid, the
 *       delta needs them all: the others are read from the content row, and written to it again where pages alone have them otherwise (P2). So are the fields that stay, when anything of that kind changes.
 *   U5  last_insert_rowid() is the user's: after an INSERT SQLite sets it from *rowid, after all else it is put back, as our own
 *       INSERTs moved it.
 *
 * Conflicts: the key alone is unique. OR REPLACE is done here; for all else SQLITE_CONSTRAINT is returned before anything
 * is written, and SQLite does what the statement says.
 */
#include "../vector/forms.h"
#include "vtab_int.h"

/* A row as it shall be. */
typedef struct Change {
  VecTable *vt;
  Cell cell[MAX_DECLARED];
  Vector vector[MAX_VECTOR_COLUMNS];       /* decoded; empty: none, or unchanged */
  sqlite3_value *kept[MAX_VECTOR_COLUMNS]; /* unchanged vectors, read from the content row, */
  void *paged[MAX_VECTOR_COLUMNS];         /* or from the pages */
  const void *bytes[MAX_VECTOR_COLUMNS];   /* of all vectors, for the delta */
  u64 fields[MAX_FIELD_WORDS];             /* the words of all fields, for the delta */
  int has_rowid;                           /* else SQLite chooses one */
  i64 rowid;
  int has_rival; /* a row that OR REPLACE removes */
  i64 rival;
  int wrote; /* U2 */
} Change;

/* --- errors --- */

/* Words: those already found, SQLite's if a nested statement failed with this code, the store's. */
int update_settle(VecTable *vt, int wrote, int rc) {
  int code = rc & 0xff;

  if (rc == SQLITE_OK) return rc;
  if (vt->base.zErrMsg == NULL && code != SQLITE_NOMEM && (sqlite3_errcode(vt->db) & 0xff) == code)
    vtab_error(vt, rc, "%s", sqlite3_errmsg(vt->db));
  if (vt->base.zErrMsg == NULL) vtab_store_error(vt, rc);
  if (vt->base.zErrMsg == NULL && code != SQLITE_NOMEM) vtab_error(vt, rc, "%s", sqlite3_errstr(rc));
  if (!wrote || code == SQLITE_IOERR || code == SQLITE_NOMEM || code == SQLITE_FULL || code == SQLITE_INTERRUPT)
    return rc;
  return SQLITE_IOERR;
}

static const char *sql_type_name(int type) {
  switch (type) {
    case SQLITE_INTEGER: return "INTEGER";
    case SQLITE_FLOAT: return "FLOAT";
    case SQLITE_TEXT: return "TEXT";
    case SQLITE_BLOB: return "BLOB";
    default: return "NULL";
  }
}

static const char *type_name(ValueType type) {
  switch (type) {
    case TYPE_INTEGER: return "INTEGER";
    case TYPE_FLOAT: return "FLOAT";
    case TYPE_BOOLEAN: return "BOOLEAN";
    case TYPE_TEXT: return "TEXT";
    default: return "BLOB";
  }
}

/* --- reading the arguments --- */

static int type_fits(const VecTable *vt, ValueType type, sqlite3_value *value) {
  int is = sqlite3_value_type(value);

  switch (type) {
    case TYPE_INTEGER: return is == SQLITE_INTEGER;
    case TYPE_FLOAT: return is == SQLITE_FLOAT || (is == SQLITE_INTEGER && vt->spec->dialect->integer_as_float);
    case TYPE_BOOLEAN: return is == SQLITE_INTEGER && (sqlite3_value_int64(value) & ~(i64)1) == 0;
    case TYPE_TEXT: return is == SQLITE_TEXT;
    case TYPE_BLOB: return is == SQLITE_BLOB;
    case TYPE_NONE: break;
  }
  return 1;
}

static int refuse_metadata(VecTable *vt, const Column *c, sqlite3_value *value) {
  static const char *const expected[] = {
      [TYPE_INTEGER] = "integer", [TYPE_FLOAT] = "float", [TYPE_TEXT] = "text", [TYPE_BLOB] = "blob"};

  if (c->type == TYPE_BOOLEAN)
    return vtab_error(vt, SQLITE_ERROR, "Expected 0 or 1 for BOOLEAN metadata column %s", c->name);
  return vtab_error(vt, SQLITE_ERROR, "Expected %s for %s metadata column %s, received %s", expected[c->type],
                    type_name(c->type), c->name, sql_type_name(sqlite3_value_type(value)));
}

/* Check a value of a partition, metadata or auxiliary column. */
static int check_value(VecTable *vt, const Column *c, sqlite3_value *value) {
  int is_null = sqlite3_value_type(value) == SQLITE_NULL;

  if (is_null && (c->kind != COL_METADATA || vt->spec->dialect->null_values)) return SQLITE_OK;
  if (!is_null && type_fits(vt, c->type, value)) return SQLITE_OK;
  if (c->kind == COL_METADATA) return refuse_metadata(vt, c, value);
  if (c->kind == COL_PARTITION)
    return vtab_error(vt, SQLITE_ERROR,
                      "Parition key type mismatch: The partition key column %s has type %s, but %s was provided.",
                      c->name, type_name(c->type), sql_type_name(sqlite3_value_type(value)));
  return vtab_error(vt, SQLITE_CONSTRAINT,
                    "Auxiliary column type mismatch: The auxiliary column %s has type %s, but %s was provided.",
                    c->name, type_name(c->type), sql_type_name(sqlite3_value_type(value)));
}

/* Check a key's value. An integer key may be NULL in an INSERT; then SQLite chooses. */
static int check_key(VecTable *vt, sqlite3_value *value, int may_be_null) {
  int type = sqlite3_value_type(value);

  if (vt->text_key) {
    if (type == SQLITE_TEXT) return SQLITE_OK;
    return vtab_error(vt, SQLITE_ERROR,
                      "The %s virtual table was declared with a TEXT primary key, but a non-TEXT value was provided "
                      "in an INSERT.",
                      vt->name);
  }
  if (type == SQLITE_INTEGER || (type == SQLITE_NULL && may_be_null)) return SQLITE_OK;
  return vtab_error(vt, SQLITE_ERROR, "Only integers are allows for primary key values on %s", vt->name);
}

/* Decode one vector, or take NULL as the dialect says. */
static int read_vector(Change *ch, int column, sqlite3_value *value, int is_update) {
  static const VectorWords inserted = {"Inserted vector for", "Inserted vector for", "inserted vector for"};
  static const VectorWords updated = {"Updated vector for", "Updated vector for", "new updated vector for"};
  const Dialect *dialect = ch->vt->spec->dialect;
  Cell *cell = &ch->cell[column];
  Vector *vector = &ch->vector[vtab_vector_index(ch->vt, column)];
  int rc;

  if (sqlite3_value_type(value) == SQLITE_NULL) {
    if (is_update && dialect->null_vector_unchanged) return SQLITE_OK;
    if (is_update || dialect->null_vector_insert) {
      cell->kind = CELL_VALUE;
      return SQLITE_OK;
    }
  }
  rc = vtab_vector(ch->vt, column, value, is_update ? &updated : &inserted, vector);
  if (rc) return rc;
  cell->kind = CELL_BYTES;
  cell->bytes = vector->data;
  cell->size = vector_bytes(vector->elem, vector->dim, vector->data);
  return SQLITE_OK;
}

/* The record of a map's values, of which none is "unchanged" (V3). */
static int read_record(Change *ch, int column, sqlite3_value **values) {
  Vector *vector = &ch->vector[vtab_vector_index(ch->vt, column)];
  int rc = map_record(ch->vt, values, vector);

  if (rc == SQLITE_OK)
    ch->cell[column] = (Cell){CELL_BYTES, NULL, vector->data, vector_bytes(vector->elem, vector->dim, vector->data)};
  return rc;
}

/* Read and check all columns but the key. `column` are the declared columns' values. */
static int read_columns(Change *ch, sqlite3_value **column, int is_update) {
  VecTable *vt = ch->vt;
  int rc = SQLITE_OK;

  for (int i = 0; i < vt->spec->column_count && rc == SQLITE_OK; i++) {
    const Column *c = &vt->spec->column[i];
    sqlite3_value *value = column[vt->layout.declared[i]];

    if (i == vt->spec->key || (is_update && sqlite3_value_nochange(value))) continue;
    if (c->kind == COL_VECTOR) {
      rc = read_vector(ch, i, value, is_update);
    } else if (c->kind == COL_RECORD) {
      rc = read_record(ch, i, column + vt->layout.declared[i]);
    } else {
      rc = check_value(vt, c, value);
      ch->cell[i] = (Cell){CELL_VALUE, value, NULL, 0};
    }
  }
  return rc;
}

/* The label that a row gives, if it gives one. */
static int check_model(VecTable *vt, sqlite3_value **column) {
  sqlite3_value *model = vt->layout.model < 0 ? NULL : column[vt->layout.model];
  return model && sqlite3_value_type(model) != SQLITE_NULL ? vtab_check_model(vt, model, "the row") : SQLITE_OK;
}

static int check_hidden(VecTable *vt, sqlite3_value **column) {
  const struct {
    const char *name;
    int column;
  } hidden[] = {{"distance", vt->layout.distance},     {"k", vt->layout.k},
                {"ef_search", vt->layout.ef_search},   {"exact", vt->layout.exact},
                {"oversample", vt->layout.oversample}, {"nprobe", vt->layout.nprobe}};

  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
    if (hidden[i].column >= 0 && sqlite3_value_type(column[hidden[i].column]) != SQLITE_NULL)
      return vtab_error(vt, SQLITE_ERROR, "A value was provided for the hidden \"%s\" column.", hidden[i].name);
  }
  return check_model(vt, column);
}

/* --- conflicts --- */

/* Row `rowid` has the key that is wanted: note it for OR REPLACE, or refuse. */
static int on_rival(Change *ch, i64 rowid) {
  if (sqlite3_vtab_on_conflict(ch->vt->db) != SQLITE_REPLACE)
    return vtab_error(ch->vt, SQLITE_CONSTRAINT, "UNIQUE constraint failed on %s primary key", ch->vt->name);
  ch->has_rival = 1;
  ch->rival = rowid;
  return SQLITE_OK;
}

static int check_rowid_is_free(Change *ch) {
  int rc = content_exists(ch->vt->content, ch->rowid);
  if (rc == SQLITE_NOTFOUND) return SQLITE_OK;
  return rc ? rc : on_rival(ch, ch->rowid);
}

/* --- the parent --- */

/* Words for a parent that is not there; gives the code of a foreign key. */
static int refuse_parent(VecTable *vt) {
  Relation relation;
  int rc = relation_find(vt->db, vt->schema, vt->name, &relation);

  if (rc == SQLITE_OK)
    rc = vtab_error(vt, SQLITE_CONSTRAINT_FOREIGNKEY, "FOREIGN KEY constraint failed: %s of %s has no row in %s(%s)",
                    relation.column ? relation.column : "the rowid", vt->name, relation.parent, relation.key);
  relation_clear(&relation);
  return rc;
}

/* Whether what the content table has just refused was the foreign key's fault. */
static int is_parent_missing(const VecTable *vt, int rc) {
  return (rc & 0xff) == SQLITE_CONSTRAINT && sqlite3_extended_errcode(vt->db) == SQLITE_CONSTRAINT_FOREIGNKEY;
}

/* Ask for the parent before a rival is removed: after that nothing may fail (U1). */
static int check_parent(Change *ch) {
  VecTable *vt = ch->vt;
  Relation relation;
  const Cell *cell = NULL;
  int rc = relation_of_content(vt->db, vt->schema, vt->name, &relation);

  for (int i = 0; relation.column && i < vt->spec->column_count; i++) {
    if (sqlite3_stricmp(vt->spec->column[i].name, relation.column) == 0) cell = &ch->cell[i];
  }
  if (rc == SQLITE_OK && relation.kind && !(cell && cell->kind != CELL_VALUE))
    rc = relation_test(vt->db, vt->schema, &relation, cell ? cell->value : NULL, ch->rowid);
  relation_clear(&relation);
  return rc == SQLITE_CONSTRAINT_FOREIGNKEY ? refuse_parent(vt) : rc;
}

/* --- writing --- */

/* Remove a row, vectors and all. */
static int remove_row(Change *ch, i64 rowid) {
  int rc = content_delete(ch->vt->content, rowid);
  if (rc) return rc;
  ch->wrote = 1;
  return table_remove(ch->vt->table, rowid);
}

static int remove_rival(Change *ch) { return ch->has_rival ? remove_row(ch, ch->rival) : SQLITE_OK; }

static void change_clear(Change *ch) {
  for (u32 i = 0; i < ch->vt->vector_count; i++) {
    vector_clear(&ch->vector[i]);
    sqlite3_value_free(ch->kept[i]);
    mem_free(ch->paged[i]);
  }
}

/*
 * The words of one field. Looking at a text as UTF-8 changes the value itself, which the content row is still to get: one that is no well-formed
 * UTF-16 would be another there. So in such databases a copy is looked at.
 */
static int put_field(VecTable *vt, const FieldShape *field, sqlite3_value *value, u64 *fields) {
  sqlite3_value *copy = NULL;
  int rc;
  if (sqlite3_value_type(value) == SQLITE_TEXT && !vtab_is_utf8(vt)) {
    copy = sqlite3_value_dup(value);
    if (copy == NULL) return SQLITE_NOMEM;
  }
  rc = value_words(field->type, table_field_key(vt->table), copy ? copy : value, fields + field->word);
  sqlite3_value_free(copy);
  return rc;
}

/* The words of all fields: of the new cells, and where there is none, of the row that `old` stands on. */
static int put_fields(Change *ch, Query *old) {
  const TableShape *shape = table_shape(ch->vt->table);
  for (u32 i = 0; i < shape->field_count; i++) {
    int column = ch->vt->field_column[i];
    const Cell *cell = &ch->cell[column];
    sqlite3_value *value = cell->kind == CELL_VALUE ? cell->value : sqlite3_column_value(old->stmt, 1 + column);
    int rc = put_field(ch->vt, &shape->field[i], value, ch->fields);
    if (rc) return rc;
  }
  return SQLITE_OK;
}

/* --- INSERT --- */

/* The key of a new row. Whether it is free, the INSERT into the content table will tell. */
static int read_new_key(Change *ch, sqlite3_value *rowid, sqlite3_value *first_column) {
  VecTable *vt = ch->vt;
  sqlite3_value *key = first_column;
  int rc;

  if (vt->spec->key < 0 && sqlite3_value_type(key) == SQLITE_NULL) key = rowid; /* named _rowid_ or oid */
  rc = check_key(vt, key, 1);
  if (rc) return rc;
  if (vt->text_key) {
    ch->cell[vt->spec->key] = (Cell){CELL_VALUE, key, NULL, 0};
  } else if (sqlite3_value_type(key) != SQLITE_NULL) {
    ch->has_rowid = 1;
    ch->rowid = sqlite3_value_int64(key);
  }
  return SQLITE_OK;
}

/* Insert the content row, after the row that is in its way if that is to be replaced. */
static int insert_content(Change *ch) {
  VecTable *vt = ch->vt;
  i64 rival = ch->rowid;
  int rc = content_insert(vt->content, ch->cell, table_new_tag(vt->table), ch->has_rowid, &ch->rowid);

  if (is_parent_missing(vt, rc)) return refuse_parent(vt);
  if ((rc & 0xff) != SQLITE_CONSTRAINT) return rc;
  rc = vt->text_key ? content_find(vt->content, ch->cell[vt->spec->key].value, &rival) : SQLITE_OK;
  if (rc == SQLITE_OK) rc = on_rival(ch, rival);
  if (rc == SQLITE_OK) rc = check_parent(ch);
  if (rc == SQLITE_OK) rc = remove_rival(ch);
  if (rc == SQLITE_OK) rc = content_insert(vt->content, ch->cell, table_new_tag(vt->table), ch->has_rowid, &ch->rowid);
  return rc;
}

static int insert_row(Change *ch, sqlite3_value **argv) {
  VecTable *vt = ch->vt;
  int rc = check_hidden(vt, argv + 2);

  if (rc == SQLITE_OK) rc = read_columns(ch, argv + 2, 0);
  if (rc == SQLITE_OK) rc = read_new_key(ch, argv[1], argv[2]);
  if (rc) return rc;
  for (u32 i = 0; i < vt->vector_count; i++) ch->bytes[i] = ch->vector[i].data;
  rc = put_fields(ch, NULL);
  if (rc == SQLITE_OK) rc = table_write_begin(vt->table);
  if (rc == SQLITE_OK && DEFECT(half_done_update)) rc = table_add(vt->table, ch->rowid, ch->bytes, ch->fields);
  if (rc == SQLITE_OK) rc = insert_content(ch);
  if (rc) return rc;
  ch->wrote = 1;
  return table_add(vt->table, ch->rowid, ch->bytes, ch->fields);
}

/* --- UPDATE --- */

/* The rowid of the row that UPDATE or DELETE names. SQLITE_NOTFOUND if it is gone. */
static int find_row(VecTable *vt, sqlite3_value *key, i64 *rowid) {
  if (vt->text_key) return content_find(vt->content, key, rowid);
  *rowid = sqlite3_value_int64(key);
  return content_exists(vt->content, *rowid);
}

/* The integer that UPDATE wants as rowid: set through the column, through _rowid_, or not at all. */
static int read_changed_rowid(Change *ch, i64 from, sqlite3_value **argv) {
  VecTable *vt = ch->vt;
  sqlite3_value *value = argv[2];
  int rc;

  ch->rowid = from;
  if (vt->spec->key < 0 && (sqlite3_value_type(argv[1]) != SQLITE_INTEGER || sqlite3_value_int64(argv[1]) != from))
    value = argv[1];
  if (sqlite3_value_nochange(value)) return SQLITE_OK;
  rc = check_key(vt, value, 0);
  if (rc) return rc;
  ch->rowid = sqlite3_value_int64(value);
  return ch->rowid == from ? SQLITE_OK : check_rowid_is_free(ch);
}

/* The text key that UPDATE wants. The row's own key again is no change. */
static int read_changed_text(Change *ch, i64 from, sqlite3_value *key) {
  VecTable *vt = ch->vt;
  i64 owner = 0;
  int rc;

  ch->rowid = from;
  if (sqlite3_value_nochange(key)) return SQLITE_OK;
  rc = check_key(vt, key, 0);
  if (rc) return rc;
  rc = content_find(vt->content, key, &owner);
  if (rc == SQLITE_OK) {
    if (owner == from) return SQLITE_OK;
    rc = on_rival(ch, owner);
  }
  ch->cell[vt->spec->key] = (Cell){CELL_VALUE, key, NULL, 0};
  return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
}

static int read_changed_key(Change *ch, i64 from, sqlite3_value **argv) {
  return ch->vt->text_key ? read_changed_text(ch, from, argv[2]) : read_changed_rowid(ch, from, argv);
}

static int changes_vectors(const Change *ch, i64 from) {
  if (ch->rowid != from) return 1;
  for (u32 i = 0; i < ch->vt->vector_count; i++) {
    if (ch->cell[ch->vt->vector_column[i]].kind != CELL_KEEP) return 1;
  }
  return 0;
}

/* Keep vector i as the content row has it, or the pages. */
static int keep_vector(Change *ch, i64 rowid, u32 i, sqlite3_value *value) {
  VecTable *vt = ch->vt;
  const Column *c = &vt->spec->column[vt->vector_column[i]];
  const void *bytes = NULL;
  u64 size;
  VectorShape shape;
  int rc = vt->storage->vector(vt, rowid, i, value, &bytes);

  vtab_vector_shape(vt, i, &shape);
  if (rc) return rc == SQLITE_NOTFOUND ? CORRUPT(0) : rc;
  if (bytes) {
    size = vector_bytes(c->elem, c->dim, bytes);
    ch->paged[i] = mem_array(&rc, size, 1);
    if (rc) return rc;
    ch->bytes[i] = memcpy(ch->paged[i], bytes, (size_t)size);
  } else {
    if (sqlite3_value_type(value) == SQLITE_NULL) return SQLITE_OK;
    if (sqlite3_value_type(value) != SQLITE_BLOB) return CORRUPT(0);
    ch->kept[i] = sqlite3_value_dup(value);
    if (ch->kept[i] == NULL) return SQLITE_NOMEM;
    ch->bytes[i] = sqlite3_value_blob(ch->kept[i]);
    size = (u64)sqlite3_value_bytes(ch->kept[i]);
    if (ch->bytes[i] == NULL || !form_of(c->elem)->shaped(&shape, ch->bytes[i], size)) return CORRUPT(0);
  }
  if (vt->storage->whole_rows) ch->cell[vt->vector_column[i]] = (Cell){CELL_BYTES, NULL, ch->bytes[i], size};
  return SQLITE_OK;
}

static int changes_fields(const Change *ch) {
  const TableShape *shape = table_shape(ch->vt->table);
  for (u32 i = 0; i < shape->field_count; i++) {
    if (ch->cell[ch->vt->field_column[i]].kind != CELL_KEEP) return 1;
  }
  return 0;
}

/* Gather all fields, and the bytes of all vectors, changed or not (U4). */
static int gather_row(Change *ch, i64 from, int with_vectors) {
  VecTable *vt = ch->vt;
  Query *query = NULL;
  int rc = content_row(vt->content, with_vectors, &query);

  if (rc) return rc;
  sqlite3_bind_int64(query->stmt, 1, from);
  rc = sqlite3_step(query->stmt);
  rc = rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? CORRUPT(0) : rc;
  if (rc == SQLITE_OK) rc = put_fields(ch, query);
  for (u32 i = 0; i < vt->vector_count && with_vectors && rc == SQLITE_OK; i++) {
    int column = vt->vector_column[i];
    if (ch->cell[column].kind == CELL_KEEP)
      rc = keep_vector(ch, from, i, sqlite3_column_value(query->stmt, 1 + column));
    else
      ch->bytes[i] = ch->vector[i].data;
  }
  content_return(vt->content, query);
  return rc;
}

static int update_row(Change *ch, sqlite3_value **argv) {
  VecTable *vt = ch->vt;
  i64 from = 0, tag = 0;
  int new_vectors = 0, new_fields = 0;
  int rc = find_row(vt, argv[0], &from);

  if (rc) return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
  rc = check_model(vt, argv + 2);
  if (rc == SQLITE_OK) rc = read_columns(ch, argv + 2, 1);
  if (rc == SQLITE_OK) rc = read_changed_key(ch, from, argv);
  if (rc) return rc;
  new_vectors = changes_vectors(ch, from);
  new_fields = changes_fields(ch);
  if (new_vectors || new_fields) rc = gather_row(ch, from, new_vectors);
  if (rc == SQLITE_OK) rc = table_write_begin(vt->table);
  if (rc == SQLITE_OK && ch->has_rival) rc = check_parent(ch);
  if (rc == SQLITE_OK) rc = remove_rival(ch);
  if (new_vectors) tag = table_new_tag(vt->table);
  if (rc == SQLITE_OK) rc = content_update(vt->content, from, ch->rowid, new_vectors ? &tag : NULL, ch->cell);
  if (is_parent_missing(vt, rc)) rc = refuse_parent(vt);
  if (rc || !(new_vectors || new_fields)) return rc;
  ch->wrote = 1;
  if (!new_vectors) return table_set_fields(vt->table, from, ch->fields);
  rc = table_remove(vt->table, from);
  return rc ? rc : table_add(vt->table, ch->rowid, ch->bytes, ch->fields);
}

/* --- DELETE --- */

static int delete_row(Change *ch, sqlite3_value *key) {
  VecTable *vt = ch->vt;
  i64 rowid = 0;
  int rc = SQLITE_OK;

  if (vt->text_key)
    rc = content_find(vt->content, key, &rowid);
  else
    rowid = sqlite3_value_int64(key);
  if (rc) return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
  rc = table_write_begin(vt->table);
  return rc ? rc : remove_row(ch, rowid);
}

/* --- commands: INSERT INTO t(t) VALUES('...') --- */

static int command_fold(Change *ch) { return table_fold(ch->vt->table); }
static int command_optimize(Change *ch) { return table_optimize(ch->vt->table); }
static int command_rebuild(Change *ch) { return table_rebuild(ch->vt->table); }

/* Of tables that sqlite-vec has made; this one has what it would get. */
static int command_upgrade(Change *ch) {
  (void)ch;
  return SQLITE_OK;
}

static int command_delete_all(Change *ch) {
  int rc = table_write_begin(ch->vt->table);
  if (rc == SQLITE_OK) rc = vtab_events_all(ch->vt);
  if (rc == SQLITE_OK) rc = content_delete_all(ch->vt->content);
  if (rc) return rc;
  ch->wrote = 1;
  return table_remove_all(ch->vt->table);
}

static int command_integrity_check(Change *ch) {
  char *problem = NULL;
  int rc = ch->vt->storage->integrity(ch->vt, &problem);

  if (rc == SQLITE_OK && problem) rc = vtab_error(ch->vt, SQLITE_CORRUPT_VTAB, "%s", problem);
  mem_free(problem);
  return rc;
}

/* What follows "word=" if the text begins so, else NULL. */
static const char *argument_of(const char *text, const char *word) {
  size_t size = strlen(word);
  return sqlite3_strnicmp(text, word, (int)size) == 0 && text[size] == '=' ? text + size + 1 : NULL;
}

/* A number of an index that a command changes: 'ef_search=N'. */
typedef struct Setting {
  const char *name;
  int low, high;
  size_t at;                /* of its u32 in an IndexShape; 0 there: the index has no such number */
  const char *index, *make; /* in words, and as 'rebuild=' names it */
} Setting;

static const Setting settings[] = {
    {"ef_search", EF_SEARCH_MIN, EF_SEARCH_MAX, offsetof(IndexShape, ef_search), "graph index", "hnsw"},
    {"nprobe", NPROBE_MIN, NPROBE_MAX, offsetof(IndexShape, nprobe), "index of lists", "ivf"},
};
#define SETTING_COUNT (sizeof settings / sizeof *settings)

/* Of every column whose index has that number. */
static int command_setting(Change *ch, const Setting *setting, const char *argument) {
  VecTable *vt = ch->vt;
  IndexShape index[MAX_VECTOR_COLUMNS];
  int value = 0, columns = 0, size = 0, rc;

  while (argument[size] >= '0' && argument[size] <= '9' && size < 6) value = value * 10 + (argument[size++] - '0');
  if (argument[size] || value < setting->low || value > setting->high)
    return vtab_error(vt, SQLITE_ERROR, "%s must be an integer from %d to %d, found '%s'", setting->name, setting->low,
                      setting->high, argument);
  rc = table_write_begin(vt->table); /* the indexes as they are now */
  if (rc) return rc;
  for (u32 i = 0; i < vt->vector_count; i++) {
    index[i] = *vtab_index(vt, vt->vector_column[i]);
    u32 *number = (u32 *)(void *)((char *)&index[i] + setting->at);
    if (*number == 0) continue;
    *number = (u32)value;
    columns++;
  }
  if (columns == 0)
    return vtab_error(vt, SQLITE_ERROR, "table %s has no %s, which %s is for: make one with 'rebuild=%s()'", vt->name,
                      setting->index, setting->name, setting->make);
  return table_set_index(vt->table, index, 0);
}

int vtab_number(const char *text, sqlite3_int64 max, sqlite3_int64 *out) {
  const char *p = text;
  *out = 0;
  for (; *p >= '0' && *p <= '9' && p - text < 18; p++) *out = *out * 10 + (*p - '0');
  return p != text && *p == 0 && *out <= max;
}

/* 'merge=N': N pages of work. */
static int command_merge(Change *ch, const char *argument) {
  sqlite3_int64 pages;
  if (!vtab_number(argument, 0xffffffffLL, &pages))
    return vtab_error(ch->vt, SQLITE_ERROR, "merge=N: expected a number of pages of work, found '%s'", argument);
  return table_merge(ch->vt->table, (u32)pages);
}

/* 'rebuild=hnsw(...)': of every vector column, but for sparse ones where there are others: they have one index. */
static int command_rebuild_as(Change *ch, const char *argument) {
  VecTable *vt = ch->vt;
  IndexShape index[MAX_VECTOR_COLUMNS];
  int dense = 0;

  for (u32 i = 0; i < vt->vector_count; i++) dense |= vt->spec->column[vt->vector_column[i]].elem != ELEM_SPARSE;
  for (u32 i = 0; i < vt->vector_count; i++) {
    char *error = NULL;
    int rc;
    index[i] = table_shape(vt->table)->vector[i].index;
    if (dense && index[i].kind == INDEX_INVERTED) continue;
    rc = spec_parse_index(vt->spec, vt->vector_column[i], argument, &index[i], &error);
    if (rc == SQLITE_ERROR) rc = vtab_error(vt, rc, "%s", error);
    sqlite3_free(error);
    if (rc) return rc;
  }
  return table_set_index(vt->table, index, 1);
}

static int run_command(Change *ch, sqlite3_value *value) {
  static const struct {
    const char *name;
    int (*run)(Change *);
  } commands[] = {
      {"fold", command_fold},
      {"optimize", command_optimize},
      {"rebuild", command_rebuild},
      {"integrity-check", command_integrity_check},
      {"delete-all", command_delete_all},
      {"upgrade", command_upgrade},
  };
  const Dialect *dialect = ch->vt->spec->dialect;
  const char *text = (const char *)sqlite3_value_text(value), *argument;

  if (text == NULL) return SQLITE_NOMEM;
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (sqlite3_stricmp(text, commands[i].name) == 0) return commands[i].run(ch);
  }
  for (size_t i = 0; i < SETTING_COUNT; i++) {
    argument = argument_of(text, settings[i].name);
    if (argument) return command_setting(ch, &settings[i], argument);
  }
  argument = argument_of(text, "merge");
  if (argument) return command_merge(ch, argument);
  argument = argument_of(text, "rebuild");
  if (argument) return command_rebuild_as(ch, argument);
  return vtab_error(ch->vt, SQLITE_ERROR, "unknown %s command: '%s'%s", dialect->module, text, dialect->commands);
}

/* --- the hook --- */

sqlite3_value *update_command(const VecTable *vt, int argc, sqlite3_value **argv) {
  if (argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL || vt->layout.command < 0) return NULL;
  if (sqlite3_value_type(argv[2 + vt->layout.command]) == SQLITE_NULL) return NULL;
  return argv[2 + vt->layout.command];
}

/* Tell the log what has become of the row; `argv` as xUpdate's. */
static int append_events(Change *ch, int argc, sqlite3_value **argv) {
  VecTable *vt = ch->vt;
  const Cell *cell = vt->text_key ? &ch->cell[vt->spec->key] : NULL;
  sqlite3_value *from = argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL ? argv[0] : NULL, *to = NULL;
  int rc = SQLITE_OK, moved;

  if (vt->event == NULL) return SQLITE_OK;
  ch->wrote = 1; /* U2 */
  if (argc == 1) return vtab_event(vt, "delete", from, 0);
  if (cell) to = cell->kind == CELL_VALUE ? cell->value : from;
  moved = from && (to ? to != from : sqlite3_value_int64(from) != ch->rowid);
  if (moved) rc = vtab_event(vt, "delete", from, 0);
  return rc ? rc : vtab_event(vt, "set", to, ch->rowid);
}

int pages_update(VecTable *vt, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  sqlite3_int64 last_rowid = sqlite3_last_insert_rowid(vt->db);
  sqlite3_value *command = update_command(vt, argc, argv);
  Change ch;
  int rc;

  memset(&ch, 0, sizeof ch);
  ch.vt = vt;
  rc = command ? SQLITE_OK : vtab_events_begin(vt);
  if (rc) return update_settle(vt, 0, rc);
  if (argc == 1) {
    rc = delete_row(&ch, argv[0]);
  } else if (sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    rc = update_row(&ch, argv);
  } else if (command) {
    rc = run_command(&ch, command);
    *rowid = last_rowid;
  } else {
    rc = insert_row(&ch, argv);
    *rowid = ch.rowid;
  }
  if (rc == SQLITE_OK && command == NULL) rc = append_events(&ch, argc, argv);
  rc = update_settle(vt, ch.wrote, rc); /* first: it asks for the connection's last error */
  change_clear(&ch);
  sqlite3_set_last_insert_rowid(vt->db, last_rowid);
  return rc;
}

/* --- rows that are another table's (external.h) --- */

/* A vector must be in the content as it is here, or a fold would not find it there again. */
static int check_external_vectors(VecTable *vt, sqlite3_value **column) {
  for (u32 i = 0; i < vt->vector_count; i++) {
    const Column *c = &vt->spec->column[vt->vector_column[i]];
    sqlite3_value *value = column[vt->layout.declared[vt->vector_column[i]]];
    int type = sqlite3_value_type(value);
    VectorShape shape;

    if (type == SQLITE_NULL) continue;
    vtab_vector_shape(vt, i, &shape);
    if (type != SQLITE_BLOB ||
        !form_of(c->elem)->shaped(&shape, sqlite3_value_blob(value), (u64)sqlite3_value_bytes(value)))
      return vtab_error(vt, SQLITE_ERROR,
                        "column %s of %s must hold %s vectors of %u elements as BLOBs, which vec_%s() makes; found %s",
                        c->name, vt->spec->content, elem_name(c->elem), c->dim,
                        c->elem == ELEM_F32    ? "f32"
                        : c->elem == ELEM_F16  ? "f16"
                        : c->elem == ELEM_BF16 ? "bf16"
                                               : elem_name(c->elem),
                        type != SQLITE_BLOB      ? sql_type_name(type)
                        : c->elem == ELEM_SPARSE ? "a BLOB that is no such vector"
                                                 : "a BLOB of another size");
  }
  return SQLITE_OK;
}

/* Take a row out of the index, if it is in it. */
static int forget_row(Change *ch, i64 rowid) {
  int known = 0, rc = table_knows(ch->vt->table, rowid, &known);
  if (rc || !known) return rc;
  ch->wrote = 1;
  return table_remove(ch->vt->table, rowid);
}

/* The content has this row now: INSERT of a known rowid replaces (S17). */
static int insert_external(Change *ch, sqlite3_value **argv) {
  VecTable *vt = ch->vt;
  int rc = check_hidden(vt, argv + 2);

  if (rc == SQLITE_OK) rc = check_external_vectors(vt, argv + 2);
  if (rc == SQLITE_OK) rc = read_columns(ch, argv + 2, 0);
  if (rc == SQLITE_OK) rc = read_new_key(ch, argv[1], argv[2]);
  if (rc == SQLITE_OK && !ch->has_rowid)
    rc = vtab_error(vt, SQLITE_ERROR, "the rows of %s are those of %s: INSERT needs their %s", vt->name,
                    vt->spec->content, vt->spec->content_rowid);
  if (rc) return rc;
  for (u32 i = 0; i < vt->vector_count; i++) ch->bytes[i] = ch->vector[i].data;
  rc = put_fields(ch, NULL);
  if (rc == SQLITE_OK) rc = table_write_begin(vt->table);
  if (rc == SQLITE_OK) rc = forget_row(ch, ch->rowid);
  if (rc) return rc;
  ch->wrote = 1;
  return table_add(vt->table, ch->rowid, ch->bytes, ch->fields);
}

static int delete_external(Change *ch, sqlite3_value *rowid) {
  int rc = table_write_begin(ch->vt->table);
  return rc ? rc : forget_row(ch, sqlite3_value_int64(rowid));
}

/* 'delete', with the rowid that INSERT gives beside it; 'triggers'; 'delete-all', of the index alone; the others. */
static int run_external_command(Change *ch, sqlite3_value *command, sqlite3_value **argv) {
  VecTable *vt = ch->vt;
  const char *text = (const char *)sqlite3_value_text(command);
  char *error = NULL;
  int rc;

  if (text == NULL) return SQLITE_NOMEM;
  if (sqlite3_stricmp(text, "delete") == 0) {
    sqlite3_value *rowid = sqlite3_value_type(argv[2]) == SQLITE_NULL ? argv[1] : argv[2];
    if (sqlite3_value_type(rowid) == SQLITE_INTEGER) return delete_external(ch, rowid);
    return vtab_error(vt, SQLITE_ERROR, "'delete' needs a rowid: INSERT INTO %s(%s, %s) VALUES('delete', 5)", vt->name,
                      vt->name, vtab_first_column(vt));
  }
  if (sqlite3_stricmp(text, "delete-all") == 0) {
    rc = table_write_begin(vt->table);
    if (rc) return rc;
    ch->wrote = 1;
    return table_remove_all(vt->table);
  }
  if (sqlite3_stricmp(text, "triggers") != 0) return run_command(ch, command);
  rc = external_install(vt->db, vt->schema, vt->name, vt->spec, vtab_first_column(vt), &error);
  if (rc && error) vtab_error(vt, rc, "%s", error);
  sqlite3_free(error);
  return rc;
}

int external_update(VecTable *vt, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  sqlite3_int64 last_rowid = sqlite3_last_insert_rowid(vt->db);
  sqlite3_value *command = update_command(vt, argc, argv);
  Change ch;
  int rc;

  memset(&ch, 0, sizeof ch);
  ch.vt = vt;
  if (argc == 1) {
    rc = delete_external(&ch, argv[0]);
  } else if (sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    rc = vtab_error(vt, SQLITE_ERROR, "the rows of %s are those of %s: UPDATE that table", vt->name, vt->spec->content);
  } else if (command) {
    rc = run_external_command(&ch, command, argv);
    *rowid = last_rowid;
  } else {
    rc = insert_external(&ch, argv);
    *rowid = ch.rowid;
  }
  rc = update_settle(vt, ch.wrote, rc); /* first: it asks for the connection's last error */
  change_clear(&ch);
  sqlite3_set_last_insert_rowid(vt->db, last_rowid);
  return rc;
}

int vtab_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  VecTable *vt = (VecTable *)base;

  sqlite3_free(vt->base.zErrMsg);
  vt->base.zErrMsg = NULL;
  return vt->storage->update(vt, argc, argv, rowid);
}
