/*
 * table.c: one vector table: registry, delta rows, the overlay that mirrors them, snapshots, transaction hooks.
 *
 *   D1  A change is a delta row first, then an operation of the overlay. If the second fails, the overlay is thrown away and loaded again
 *       from the rows.
 *   D2  The overlay is current for a snapshot if gen is the same, and the last delta row and the last content row are, each by its random tag;
 *       it may be extended if the two rows that it ended with still have their tags; anything else is loaded anew (S4).
 *   D3  A content row that is missing or has a vector of a wrong shape counts as having none (S17).
 *   D4  Inside xUpdate only IOERR, NOMEM, FULL and INTERRUPT, which undo the statement or the transaction, leave this file once a row was
 *       written (S11).
 *
 *   D5  A row with a rowid larger than any that pages and delta have had is fresh: its content row is its delta row, none is written to
 *       t_delta, so that an appending commit writes one page less. Of rows above the largest rowid of the pages the content alone says which
 *       there are; what t_delta has of them (changes, deletions) is for overlays that have them already.
 *   D6  A change of fields alone is a delta row of its own (OP_FIELDS), which says only that the content row is to be looked at: a row
 *       of the overlay is added again, one of the pages patched where it lies (O4).
 *   D7  A row without any vector is no operation but OP_BARE, written once between two folds, and not while the pages say already that
 *       there may be such rows. What reads rows from pages and overlay alone may do so only if there are none.
 *   D8  Content that is another's (content_external) has no tags and no fresh rows: every change is a delta row. What its owner changes without
 *       telling us is seen when rows are read: a row that is gone counts as having no vectors (D3). So an overlay that was loaded in
 *       a write transaction is good only if that commits, whatever the delta says.
 *
 * Start at table_refresh().
 */
#include <stdio.h>

#include "catalog.h"
#include "schema_sql.h"
#include "store_int.h"

#define OP_ADD 1
#define OP_REMOVE 2
#define OP_REMOVE_ALL 3
#define OP_FIELDS 4
#define OP_BARE 5

#define DEFAULT_FOLD_BYTES (4u << 20) /* default fold_rows: this many bytes of vectors ... */
#define DEFAULT_FOLD_MIN 256u         /* ... but not fewer rows than this, nor more than DEFAULT_FOLD_MAX */
#define DEFAULT_FOLD_SHARE 144u       /* one in so many of the rows, where some went and the horizon follows; */
#define EARLY_STEP 64u                /* it is asked again after so many more */
#define QUIET 16u                     /* commits without a fold after which space is looked after, */
#define STEP_EVERY 8u                 /* again in one of so many */
#define UNFOLDED_MAX 0x40000000u
#define KEEP_BYTES (16u << 20)        /* an overlay's memory up to this is used again within a transaction ... */
#define KEEP_BETWEEN_BYTES (4u << 20) /* ... and from one to the next */

/* --- shape and name --- */

static void free_shape(TableShape *shape) {
  u32 i;
  for (i = 0; i < shape->vector_count; i++) mem_free((void *)shape->vector[i].column);
  for (i = 0; i < shape->field_count; i++) mem_free((void *)shape->field[i].column);
  mem_free((void *)shape->content);
  mem_free((void *)shape->rowid);
  mem_free((void *)shape->tag);
  memset(shape, 0, sizeof *shape);
}

static int copy_shape(TableShape *to, const TableShape *from) {
  int rc = SQLITE_OK;
  u32 i;
  *to = *from;
  to->content = to->rowid = to->tag = NULL;
  for (i = 0; i < to->vector_count; i++) to->vector[i].column = NULL;
  for (i = 0; i < to->field_count; i++) to->field[i].column = NULL;
  for (i = 0; i < to->vector_count; i++) to->vector[i].column = mem_strdup(&rc, from->vector[i].column);
  for (i = 0; i < to->field_count; i++) to->field[i].column = mem_strdup(&rc, from->field[i].column);
  to->content = mem_strdup(&rc, from->content);
  to->rowid = mem_strdup(&rc, from->rowid);
  if (from->tag) to->tag = mem_strdup(&rc, from->tag);
  return rc;
}

static u32 fold_rows(const Table *table) {
  u64 bytes = 0;
  u32 i;
  if (table->shape.fold_rows) return table->shape.fold_rows;
  for (i = 0; i < table->shape.vector_count; i++) bytes += vector_stride(table->shape.vector[i].size);
  if (table->overlay && table->overlay->rows) bytes += table->overlay->block_bytes / table->overlay->rows;
  return (u32)MIN(MAX(DEFAULT_FOLD_BYTES / MAX(bytes, 1), DEFAULT_FOLD_MIN), DEFAULT_FOLD_MAX);
}

/*
 * Whether commits come without a fold now, so that what is free will not be written soon: then the file is cut, which early folds would only make longer
 * again. So it is for a new connection, until it has met a fold.
 */
static int is_quiet(const Store *s) { return s->marked_gen == 0 || s->unfolded >= QUIET; }

/* How many are enough where rows go, as long as the horizon follows: what a fold replaces and cannot be used again yet is little beside the table then. */
static u32 fold_rows_early(const Table *table) {
  u64 rows = table->view ? table_methods.rows(table->view) : 0;
  u32 most = fold_rows(table);
  return table->shape.fold_rows || is_quiet(table->store)
             ? most
             : (u32)MIN(MAX(rows / DEFAULT_FOLD_SHARE, DEFAULT_FOLD_MIN), most);
}

static void finalize_table(Table *t) {
  u32 i;
  for (i = 0; i < TABLE_STMT_COUNT; i++) {
    sqlite3_finalize(t->stmt[i]);
    t->stmt[i] = NULL;
  }
}

const char *table_name(const Table *table) { return table->name; }
Store *table_store(Table *table) { return table->store; }
const TableShape *table_shape(const Table *table) { return &table->shape; }
u64 table_field_key(const Table *table) { return table->id; }

/* Own the new name; the table's own content, which is named after it, follows. */
static int set_name(Table *t, const char *name) {
  int rc = SQLITE_OK;
  char *copy, *content = NULL;
  if (t->name && strcmp(t->name, name) == 0) return SQLITE_OK;
  copy = mem_strdup(&rc, name);
  if (rc) return rc;
  if (t->name && t->shape.mode->tagged) {
    content = sqlite3_mprintf("%s_content", name);
    if (content == NULL) {
      mem_free(copy);
      return SQLITE_NOMEM;
    }
    mem_free((void *)t->shape.content);
    t->shape.content = content;
  }
  mem_free(t->name);
  t->name = copy;
  finalize_table(t);
  return SQLITE_OK;
}

/* What an error of a statement on the registry means: SQLITE_NOTFOUND if there is no registry (its creation was rolled back). */
static int registry_error(Store *s, int rc) {
  sqlite3_stmt *stmt = NULL;
  int found;
  if (rc != SQLITE_ERROR) return rc;
  found = store_prepare(s, &stmt, "SELECT 1 FROM %s.sqlite_schema WHERE name = 'quire_tables'", s->quoted);
  if (found == SQLITE_OK) found = sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  return found == SQLITE_DONE ? SQLITE_NOTFOUND : rc;
}

int table_confirm_name(Table *t) {
  Store *s = t->store;
  sqlite3_stmt **stmt = &s->stmt[STMT_REGISTRY_NAME];
  int rc = store_prepare(s, stmt, "SELECT name FROM %s.quire_tables WHERE id = ?1", s->quoted);
  if (rc) return registry_error(s, rc);
  sqlite3_bind_int64(*stmt, 1, (i64)t->id);
  rc = sqlite3_step(*stmt);
  if (rc == SQLITE_ROW && sqlite3_column_type(*stmt, 0) == SQLITE_TEXT) {
    rc = set_name(t, (const char *)sqlite3_column_text(*stmt, 0));
  } else if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
    rc = SQLITE_NOTFOUND;
  } else {
    rc = registry_error(s, rc);
  }
  sqlite3_reset(*stmt);
  return rc;
}

/* --- registry --- */

Table *store_find_table(Store *store, u64 id) {
  Table *t = store->tables;
  while (t && t->id != id) t = t->next;
  return t;
}

static int new_table(Store *store, u64 id, const char *name, const TableShape *shape, Table **out) {
  int rc = SQLITE_OK;
  Table *t = mem_zeroed(&rc, 1, sizeof *t);
  if (rc) return rc;
  t->store = store;
  t->id = id;
  rc = copy_shape(&t->shape, shape);
  if (rc == SQLITE_OK) rc = set_name(t, name);
  if (rc) {
    free_shape(&t->shape);
    mem_free(t->name);
    mem_free(t);
    return rc;
  }
  t->refs = 1;
  t->next = store->tables;
  store->tables = t;
  store->refs++;
  *out = t;
  return SQLITE_OK;
}

int table_create(Store *store, const char *name, const TableShape *shape, Table **out) {
  char *options;
  u64 id = 0;
  int rc;
  while (id == 0) sqlite3_randomness(sizeof id, &id);
  rc = store_exec(store, DELTA_SQL, store->quoted, name);
  if (rc) return rc;
  options = options_write(store->db, shape);
  if (options == NULL) return SQLITE_NOMEM;
  rc = store_exec(store, "INSERT INTO %s.quire_tables(id, name, options) VALUES(%lld, %Q, %Q)", store->quoted,
                  (long long)id, name, options);
  sqlite3_free(options);
  return rc ? rc : new_table(store, id, name, shape, out);
}

/* SQLITE_NOTFOUND if the registry does not know the name. With `options`, a copy of them, freed by mem_free. */
static int find_registered(Store *store, const char *name, u64 *id, char **options) {
  sqlite3_stmt **stmt = &store->stmt[STMT_REGISTRY_FIND];
  int rc = store_prepare(store, stmt, "SELECT id, options FROM %s.quire_tables WHERE name = ?1", store->quoted);
  if (rc) return rc;
  sqlite3_bind_text(*stmt, 1, name, -1, SQLITE_STATIC);
  rc = sqlite3_step(*stmt);
  if (rc == SQLITE_ROW) {
    rc = SQLITE_OK;
    *id = (u64)sqlite3_column_int64(*stmt, 0);
    if (options) {
      const char *text = (const char *)sqlite3_column_text(*stmt, 1);
      if (text)
        *options = mem_strdup(&rc, text);
      else
        rc = SQLITE_NOMEM; /* the column is NOT NULL */
    }
  } else if (rc == SQLITE_DONE) {
    rc = SQLITE_NOTFOUND;
  } else {
    store_set_error(store, "%s", sqlite3_errmsg(store->db));
  }
  sqlite3_reset(*stmt);
  sqlite3_clear_bindings(*stmt);
  return rc;
}

static int same_columns(const TableShape *a, const TableShape *b) {
  u32 i;
  if (a->vector_count != b->vector_count || a->field_count != b->field_count || a->mode != b->mode ||
      strcmp(a->content, b->content) != 0 || strcmp(a->rowid, b->rowid) != 0)
    return 0;
  for (i = 0; i < a->vector_count; i++) {
    const VectorShape *v = &a->vector[i], *w = &b->vector[i];
    if (strcmp(v->column, w->column) != 0 || v->elem != w->elem || v->metric != w->metric || v->dim != w->dim) return 0;
  }
  for (i = 0; i < a->field_count; i++) {
    if (strcmp(a->field[i].column, b->field[i].column) != 0 || a->field[i].type != b->field[i].type) return 0;
  }
  return 1;
}

/* One hub for all vtab objects of a table. A definition that was edited in sqlite_schema waits for the statements of the old one: rows of both would meet. */
static int adopt(Table *t, const char *name, const TableShape *shape) {
  int rc = set_name(t, name);
  if (rc) return rc;
  if (!same_columns(&t->shape, shape)) {
    store_set_error(t->store,
                    "table %s has other columns than statements know that are not finalized yet: finalize them first",
                    name);
    return SQLITE_LOCKED;
  }
  t->refs++;
  return SQLITE_OK;
}

int table_connect(Store *store, const char *name, const TableShape *shape, Table **out) {
  char *options = NULL;
  Table *t;
  u64 id = 0;
  int rc = find_registered(store, name, &id, &options);
  if (rc == SQLITE_NOTFOUND) {
    store_set_error(store, "table %s is not registered in %s.quire", name, store->schema);
    return CORRUPT(0);
  }
  if (rc) return rc;
  t = store_find_table(store, id);
  rc = t ? adopt(t, name, shape) : new_table(store, id, name, shape, &t);
  if (rc == SQLITE_OK) {
    rc = options_apply(t, options);
    t->options_known = 0; /* of which generation they are, the next snapshot says */
    t->current = 0;
    if (rc) table_release(t);
  }
  mem_free(options);
  if (rc == SQLITE_OK) *out = t;
  return rc;
}

int table_find(Store *store, const char *name, Table **out) {
  u64 id = 0;
  int rc = find_registered(store, name, &id, NULL);
  rc = registry_error(store, rc);
  *out = rc == SQLITE_OK ? store_find_table(store, id) : NULL;
  if (rc == SQLITE_OK && *out == NULL) rc = SQLITE_NOTFOUND;
  if (*out) (*out)->refs++;
  return rc;
}

void table_release(Table *t) {
  Table **at;
  Store *store;
  if (t == NULL || --t->refs) return;
  store = t->store;
  for (at = &store->tables; *at != t; at = &(*at)->next) {
  }
  *at = t->next;
  finalize_table(t);
  table_methods.release(t->view);
  overlay_release(t->overlay);
  free_shape(&t->shape);
  mem_free(t->name);
  mem_free(t->spare);
  mem_free(t);
  store_release(store);
}

int table_drop(Table *t) {
  Store *s = t->store;
  int rc = SQLITE_OK;
  if (DEFECT(deletion_in_destroy) && s->state.root.pgno)
    pages_home(s->pages)->methods->write(pages_home(s->pages), s->state.root.pgno, 1, (u8[PAGE_SIZE]){0});
  if (s->unsynced) rc = store_sync_pages(s); /* no hook of this table may come any more (S3) */
  if (rc) return rc;
  finalize_table(t);
  rc = store_exec(s, "UPDATE %s.quire_tables SET name = NULL WHERE id = %lld", s->quoted, (long long)t->id);
  if (rc == SQLITE_OK) rc = store_exec(s, "DROP TABLE %s.\"%w_delta\"", s->quoted, t->name);
  /* From here on the end of this transaction may go unseen. */
  s->txn_unknown = 1;
  s->base_known = 0;
  t->current = t->written = 0;
  return rc;
}

int table_rename(Table *t, const char *name) {
  Store *s = t->store;
  char *old = NULL;
  int rc = SQLITE_OK;
  old = mem_strdup(&rc, t->name);
  if (rc) return rc;
  finalize_table(t);
  t->name_suspect = 1;
  rc = store_exec(s, "UPDATE %s.quire_tables SET name = %Q WHERE id = %lld", s->quoted, name, (long long)t->id);
  if (rc == SQLITE_OK) rc = store_exec(s, "ALTER TABLE %s.\"%w_delta\" RENAME TO \"%w_delta\"", s->quoted, old, name);
  if (rc == SQLITE_OK) rc = set_name(t, name);
  mem_free(old);
  return rc;
}

int store_each_table(Store *store, int (*fn)(Table *table, void *arg), void *arg) {
  sqlite3_stmt *stmt = NULL;
  char **names = NULL;
  u64 count = 0, cap = 0, i;
  int rc =
      store_prepare(store, &stmt, "SELECT name FROM %s.quire_tables WHERE name IS NOT NULL AND id <> %d ORDER BY name",
                    store->quoted, STORE_ID);
  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    rc = mem_reserve(&names, &cap, count + 1, sizeof *names);
    if (rc == SQLITE_OK) names[count] = mem_strdup(&rc, (const char *)sqlite3_column_text(stmt, 0));
    if (rc == SQLITE_OK) count++;
  }
  if (rc == SQLITE_OK)
    rc = sqlite3_finalize(stmt);
  else
    sqlite3_finalize(stmt);
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    /* compiling a statement on the table makes SQLite connect it, if it was not */
    sqlite3_stmt *touch = NULL;
    u64 id = 0;
    Table *t;
    rc = store_prepare(store, &touch, "SELECT 1 FROM %s.\"%w\" LIMIT 0", store->quoted, names[i]);
    if (rc == SQLITE_OK) rc = find_registered(store, names[i], &id, NULL);
    t = rc == SQLITE_OK ? store_find_table(store, id) : NULL;
    if (t) {
      t->refs++;
      rc = fn(t, arg);
      sqlite3_finalize(touch);
      table_release(t);
    } else {
      sqlite3_finalize(touch);
    }
  }
  for (i = 0; i < count; i++) mem_free(names[i]);
  mem_free(names);
  return rc;
}

/* --- the overlay --- */

void table_drop_overlay(Table *t) {
  t->version = 0;
  overlay_release(t->overlay);
  t->overlay = NULL;
  t->current = 0;
}

/* ", c."a", c."b"" for the fields and the vector columns; the caller frees it. */
static char *data_columns(const Table *t, const char *alias) {
  sqlite3_str *s = sqlite3_str_new(t->store->db);
  u32 i;
  for (i = 0; i < t->shape.field_count; i++) sqlite3_str_appendf(s, ", %s\"%w\"", alias, t->shape.field[i].column);
  for (i = 0; i < t->shape.vector_count; i++) sqlite3_str_appendf(s, ", %s\"%w\"", alias, t->shape.vector[i].column);
  return sqlite3_str_finish(s);
}

/* What storage takes from a content row: columns first.. of a statement made with data_columns. */
typedef struct RowData {
  const void *vectors[MAX_VECTOR_COLUMNS]; /* live until the next step */
  u64 fields[MAX_FIELD_WORDS];
  u32 count; /* vectors that are there and sound */
  u32 paged; /* bit i: the pages have the vector of column i, and vectors[i] is NULL; if there is neither, the fields are not set */
} RowData;

/* The value in a column of a row; SQLITE_NOMEM if a text is not to be had. */
static int column_value(sqlite3_stmt *stmt, int column, FieldValue *out) {
  memset(out, 0, sizeof *out);
  out->type = sqlite3_column_type(stmt, column);
  if (out->type == SQLITE_INTEGER) out->integer = sqlite3_column_int64(stmt, column);
  if (out->type == SQLITE_FLOAT) out->real = sqlite3_column_double(stmt, column);
  if (out->type != SQLITE_TEXT && out->type != SQLITE_BLOB) return SQLITE_OK;
  out->bytes =
      out->type == SQLITE_TEXT ? (const void *)sqlite3_column_text(stmt, column) : sqlite3_column_blob(stmt, column);
  out->size = (u64)sqlite3_column_bytes(stmt, column);
  return out->bytes == NULL && (out->size || out->type == SQLITE_TEXT) ? SQLITE_NOMEM : SQLITE_OK;
}

static int read_row(Table *t, sqlite3_stmt *stmt, int first, RowData *row) {
  const void **vectors = row->vectors;
  u32 i, *count = &row->count, fields = t->shape.field_count;
  first += (int)fields;
  *count = row->paged = 0;
  for (i = 0; i < t->shape.vector_count; i++) {
    const VectorShape *shape = &t->shape.vector[i];
    const void *blob = NULL;
    vectors[i] = NULL;
    if (t->shape.mode->is_paged(stmt, first + (int)i)) {
      row->paged |= 1u << i;
      continue;
    }
    if (sqlite3_column_type(stmt, first + (int)i) == SQLITE_NULL) continue;
    if (sqlite3_column_type(stmt, first + (int)i) == SQLITE_BLOB && sqlite3_column_bytes(stmt, first + (int)i) > 0) {
      blob = sqlite3_column_blob(stmt, first + (int)i);
      if (blob == NULL) return SQLITE_NOMEM;
    }
    if (blob == NULL || !table_methods.valid(shape, blob, (u64)sqlite3_column_bytes(stmt, first + (int)i))) {
      t->store->stats.content_rows_skipped++; /* D3 */
      continue;
    }
    vectors[i] = blob;
    ++*count;
  }
  for (i = 0; i < fields && (*count || row->paged); i++) {
    const FieldShape *f = &t->shape.field[i];
    FieldValue value;
    int rc = column_value(stmt, first - (int)fields + (int)i, &value);
    if (rc) return rc;
    field_put(f->type, t->id, &value, row->fields + f->word);
  }
  return SQLITE_OK;
}

/* A row of the delta: one that says that the pages have a vector of it (P2) has that as little as one of a wrong shape (D3). */
static int read_delta_row(Table *t, sqlite3_stmt *stmt, int first, RowData *row) {
  int rc = read_row(t, stmt, first, row);
  t->store->stats.content_rows_skipped += row->paged != 0;
  row->paged = 0;
  return rc;
}

static void set_last_row(Overlay *o, i64 rowid, i64 tag) {
  o->last_row = rowid;
  o->last_row_tag = tag;
  o->last_row_removed = 0;
}

/* Remove in an overlay: the slot the row has in the pages is part of the operation. */
static int overlay_remove_row(Table *t, i64 rowid) {
  Overlay *o = t->overlay;
  u32 slot = NO_SLOT;
  int rc = SQLITE_OK;
  if (o->all_dead_at == 0xffffffff && rowid <= o->pages_max) rc = table_methods.slot(t->view, rowid, &slot);
  if (rc) return rc;
  o->max_rowid = MAX(o->max_rowid, rowid);
  return overlay_remove(o, rowid, slot);
}

static int overlay_add_row(Table *t, i64 rowid, const void *const *vectors, const u64 *fields) {
  t->overlay->max_rowid = MAX(t->overlay->max_rowid, rowid);
  return overlay_add(t->overlay, rowid, vectors, fields);
}

/* A row of the pages, if it is one and lives, has new fields (D6). Where it is none, the delta row is one that a fold does away with all the same. */
static int overlay_patch_row(Table *t, i64 rowid, const u64 *fields) {
  Overlay *o = t->overlay;
  u32 slot = NO_SLOT;
  int rc = SQLITE_OK;
  if (rowid <= o->pages_max && o->all_dead_at == 0xffffffff) rc = table_methods.slot(t->view, rowid, &slot);
  if (rc) return rc;
  if (slot != NO_SLOT && !overlay_killed(o, o->length, slot)) return overlay_patch(o, slot, fields);
  o->passed_over++;
  return SQLITE_OK;
}

/* Whether the overlay mirrors the delta, so that changes go into both. */
static int has_overlay(const Table *t) { return t->overlay != NULL && store_usable(t->store); }

/* Whether there may be bare rows already, so that one more is no news (D7). */
static int knows_bare(const Table *t) {
  return has_overlay(t) && (t->overlay->bare_at != 0xffffffff || !table_methods.complete(t->view));
}

static int note_bare(Table *t) { return knows_bare(t) ? SQLITE_OK : overlay_note_bare(t->overlay); }

/* One delta row. In a new overlay those of fresh rows are passed over: the content says what became of them (D5). */
static int apply_delta_row(Table *t, sqlite3_stmt *stmt, int is_new) {
  RowData row;
  Overlay *o = t->overlay;
  i64 rowid = sqlite3_column_int64(stmt, 1);
  u64 skipped = t->store->stats.content_rows_skipped;
  int op = sqlite3_column_int(stmt, 2), rc = SQLITE_OK;
  o->last_seq = sqlite3_column_int64(stmt, 0);
  o->last_tag = sqlite3_column_int64(stmt, 3);
  if (op == OP_REMOVE_ALL) return overlay_remove_all(o);
  if (op == OP_BARE) return note_bare(t);
  if (op != OP_ADD && op != OP_REMOVE && op != OP_FIELDS) return CORRUPT(0);
  if (is_new && t->shape.mode->tagged && rowid > o->pages_max) {
    o->max_rowid = MAX(o->max_rowid, rowid);
    o->passed_over++;
    return SQLITE_OK;
  }
  if (op == OP_REMOVE) return overlay_remove_row(t, rowid);
  if (op == OP_FIELDS && overlay_find(o, o->length, rowid) == NO_ROW)
    rc = read_row(t, stmt, 4, &row);
  else
    rc = read_delta_row(t, stmt, 4, &row);
  if (rc == SQLITE_OK && row.count == 0 && t->store->stats.content_rows_skipped != skipped) rc = note_bare(t); /* D3 */
  if (rc) return rc;
  if (op == OP_FIELDS && overlay_find(o, o->length, rowid) == NO_ROW) {
    if (row.count || row.paged) return overlay_patch_row(t, rowid, row.fields);
    o->passed_over++; /* it has no vectors, or is gone */
    return SQLITE_OK;
  }
  t->met_gone |= row.count == 0;
  return row.count ? overlay_add_row(t, rowid, row.vectors, row.fields) : overlay_remove(o, rowid, NO_SLOT);
}

/* Apply the delta rows after the overlay's last one. */
static int load_delta(Table *t, int is_new) {
  Store *s = t->store;
  sqlite3_stmt **stmt = &t->stmt[TABLE_LOAD];
  int rc = SQLITE_OK;
  if (*stmt == NULL) {
    char *columns = data_columns(t, "c.");
    if (columns == NULL) return SQLITE_NOMEM;
    rc = store_prepare(s, stmt,
                       "SELECT d.seq, d.rid, d.op, d.tag%s FROM %s.\"%w_delta\" d LEFT JOIN %s.\"%w\" c ON c.\"%w\" = "
                       "d.rid AND d.op IN (1, 4) "
                       "WHERE d.seq > ?1 ORDER BY d.seq",
                       columns, s->quoted, t->name, s->quoted, t->shape.content, t->shape.rowid);
    sqlite3_free(columns);
    if (rc) return rc;
  }
  sqlite3_bind_int64(*stmt, 1, t->overlay->last_seq);
  while ((rc = sqlite3_step(*stmt)) == SQLITE_ROW) {
    rc = apply_delta_row(t, *stmt, is_new);
    if (rc) break;
  }
  sqlite3_reset(*stmt);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Add the fresh rows after the last one known (D5). */
static int load_fresh_rows(Table *t) {
  Store *s = t->store;
  Overlay *o = t->overlay;
  RowData row;
  sqlite3_stmt **stmt = &t->stmt[TABLE_LOAD_ROWS];
  int rc = SQLITE_OK;
  if (!t->shape.mode->tagged) return SQLITE_OK; /* D8 */
  if (*stmt == NULL) {
    char *columns = data_columns(t, "");
    if (columns == NULL) return SQLITE_NOMEM;
    rc = store_prepare(s, stmt, "SELECT \"%w\", \"%w\"%s FROM %s.\"%w\" WHERE \"%w\" > ?1 ORDER BY 1", t->shape.rowid,
                       t->shape.tag, columns, s->quoted, t->shape.content, t->shape.rowid);
    sqlite3_free(columns);
    if (rc) return rc;
  }
  sqlite3_bind_int64(*stmt, 1, o->last_row);
  while ((rc = sqlite3_step(*stmt)) == SQLITE_ROW) {
    i64 rowid = sqlite3_column_int64(*stmt, 0);
    set_last_row(o, rowid, sqlite3_column_int64(*stmt, 1));
    o->max_rowid = MAX(o->max_rowid, rowid);
    if (overlay_find(o, o->length, rowid) != NO_ROW) continue; /* a delta row has brought it already */
    rc = read_delta_row(t, *stmt, 2, &row);
    if (rc == SQLITE_OK) rc = row.count ? overlay_add(o, rowid, row.vectors, row.fields) : note_bare(t);
    if (rc) break;
  }
  sqlite3_reset(*stmt);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int extend_overlay(Table *t, int is_new) {
  int rc = load_delta(t, is_new);
  if (rc == SQLITE_OK) rc = load_fresh_rows(t);
  t->shape.mode->loaded(t);
  if (rc) table_drop_overlay(t);
  return rc;
}

int table_new_overlay(const Table *t, Overlay **out) {
  u32 sizes[MAX_VECTOR_COLUMNS], i;
  int rc;
  for (i = 0; i < t->shape.vector_count; i++) sizes[i] = t->shape.vector[i].size;
  rc = overlay_new(t->shape.vector_count, sizes, t->shape.field_words, out);
  if (rc == SQLITE_OK) (*out)->bytes = table_methods.bytes;
  return rc;
}

/* An overlay without operations, made of the old one's memory if nobody else holds that and it is not large. */
static int empty_overlay(Table *t) {
  int rc;
  if (t->overlay && t->overlay->refs == 1 && overlay_memory(t->overlay) <= KEEP_BYTES) {
    overlay_reset(t->overlay);
  } else {
    table_drop_overlay(t);
    rc = table_new_overlay(t, &t->overlay);
    if (rc) return rc;
  }
  t->current = 0;
  t->overlay->last_seq = INT64_MIN;
  t->overlay->last_tag = 0;
  t->overlay->pages_max = t->overlay->max_rowid = table_methods.max_rowid(t->view);
  set_last_row(t->overlay, t->overlay->pages_max, 0);
  t->overlay_gen = t->store->state.gen;
  return SQLITE_OK;
}

static int load_overlay(Table *t) {
  int rc = empty_overlay(t);
  if (rc) return rc;
  t->store->stats.overlay_loads++;
  t->met_gone = 0;
  return extend_overlay(t, 1);
}

/* Where the delta ends: the last delta row and the last content row, each with its tag. INT64_MIN: there is none. */
typedef struct Tail {
  i64 seq, tag, row, row_tag;
} Tail;

/* Whether the overlay ends where the snapshot's delta does. Rows that are not fresh do not count. */
static int ends_at(const Overlay *o, const Tail *tail) {
  if (o->last_seq != tail->seq || (tail->seq != INT64_MIN && o->last_tag != tail->tag && !DEFECT(tags_not_compared)))
    return 0;
  if (tail->row <= o->pages_max) return o->last_row <= o->pages_max;
  return o->last_row == tail->row && o->last_row_tag == tail->row_tag;
}

/*
 * Whether nothing has happened but that the last row was removed, as the overlay knows: the delta still has the row that says so and no later
 * one (a rollback of rows added before would have taken it along), and a fresh row would be the last one now, above the one that is gone.
 */
static int last_row_is_gone(const Overlay *o, const Tail *tail) {
  return o->last_row_removed && o->last_seq == tail->seq && o->last_tag == tail->tag && tail->row < o->last_row;
}

/* Whether the two rows that the overlay ended with are still there, so that what came after them can be appended. */
static int prefix_intact(Table *t, int *intact) {
  const Overlay *o = t->overlay;
  sqlite3_stmt **stmt = &t->stmt[TABLE_TAGS];
  int rc;
  *intact = 0;
  rc = t->shape.mode->prepare_tags(t);
  if (rc) return rc;
  sqlite3_bind_int64(*stmt, 1, o->last_seq);
  sqlite3_bind_int64(*stmt, 2, o->last_row);
  rc = sqlite3_step(*stmt);
  if (rc == SQLITE_ROW) {
    int delta = o->last_seq == INT64_MIN ||
                (sqlite3_column_type(*stmt, 0) != SQLITE_NULL && sqlite3_column_int64(*stmt, 0) == o->last_tag);
    int row = o->last_row <= o->pages_max ||
              (sqlite3_column_type(*stmt, 1) != SQLITE_NULL && sqlite3_column_int64(*stmt, 1) == o->last_row_tag);
    *intact = delta && row;
  }
  sqlite3_reset(*stmt);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int refresh_view(Table *t) {
  PageRef ref = store_catalog_ref(t->store, t->id);
  int rc;
  if (t->view && t->view_pages == t->store->pages && ref.pgno == t->view_ref.pgno && ref.crc == t->view_ref.crc)
    return SQLITE_OK;
  table_methods.release(t->view);
  t->view = NULL;
  t->overlay_gen = (i64) ~(u64)t->store->state.gen; /* its slots are those of another version */
  rc = table_methods.open(t->store->pages, t->id, &t->shape, ref, &t->view);
  if (rc == SQLITE_OK) {
    t->view_ref = ref;
    t->view_pages = t->store->pages;
  }
  return rc;
}

static i64 column_or_none(sqlite3_stmt *stmt, int column) {
  return sqlite3_column_type(stmt, column) == SQLITE_NULL ? INT64_MIN : sqlite3_column_int64(stmt, column);
}

/* State row and the end of the delta in one SELECT. */
static int read_tail(Table *t, Tail *tail) {
  Store *s = t->store;
  sqlite3_stmt **stmt = &t->stmt[TABLE_TAIL];
  State state;
  int rc;
  if (t->name_suspect) {
    rc = table_confirm_name(t);
    if (rc) return rc;
  }
  rc = t->shape.mode->prepare_tail(t);
  if (rc) return rc;
  rc = sqlite3_step(*stmt);
  if (rc == SQLITE_ROW) {
    tail->seq = column_or_none(*stmt, 8);
    tail->tag = sqlite3_column_int64(*stmt, 9);
    tail->row = column_or_none(*stmt, 10);
    tail->row_tag = sqlite3_column_int64(*stmt, 11);
    state_from_row(*stmt, 0, &state);
  } else if (rc == SQLITE_DONE) {
    state_missing(&state); /* then no overlay is asked for */
  } else {
    store_set_error(s, "%s", sqlite3_errmsg(s->db));
  }
  sqlite3_reset(*stmt);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  rc = store_install(s, &state);
  return rc ? rc : options_refresh(t);
}

static int refresh_overlay(Table *t, const Tail *tail) {
  Store *s = t->store;
  int intact = 0, rc;
  if (t->overlay == NULL || t->overlay_gen != s->state.gen || t->unsure) return load_overlay(t);
  if (ends_at(t->overlay, tail)) return SQLITE_OK;
  if (last_row_is_gone(t->overlay, tail)) {
    set_last_row(t->overlay, MAX(tail->row, t->overlay->pages_max), tail->row_tag);
    return SQLITE_OK;
  }
  rc = prefix_intact(t, &intact);
  if (rc) return rc;
  if (!intact || tail->seq < t->overlay->last_seq) return load_overlay(t);
  s->stats.overlay_extends++;
  return extend_overlay(t, 0);
}

/* SQLite's number of what this connection reads, which changes with every commit of others that it sees; 0: it is not known. */
static u32 read_version(const Store *s) {
  u32 version = 0;
  int rc = sqlite3_file_control(s->db, s->quick, SQLITE_FCNTL_DATA_VERSION, &version);
  return rc == SQLITE_OK ? version : 0;
}

/* The same; 0 inside a write transaction, whose own changes it does not count, and where there is none. */
static u32 data_version(const Store *s) {
  return sqlite3_txn_state(s->db, s->schema) == SQLITE_TXN_READ ? read_version(s) : 0;
}

/* Whether view and state are those of this data_version(). */
static int is_current(const Table *t, u32 version) {
  return version && version == t->version && t->version_gen == t->store->state.gen && !t->name_suspect &&
         store_usable(t->store);
}

/* The same for whoever is in a statement that reads the table's schema, and quick: this connection has changed no row since, of any table. */
static int is_unchanged(const Table *t) {
  return t->version && t->changes == sqlite3_total_changes64(t->store->db) && is_current(t, read_version(t->store));
}

int table_refresh(Table *t) {
  Store *s = t->store;
  Tail tail = {INT64_MIN, 0, INT64_MIN, 0};
  u32 version = data_version(s);
  int rc;
  if ((DEFECT(overlay_not_cut_back) || DEFECT(savepoint_minus_one_ignored)) && t->current && t->overlay)
    return SQLITE_OK;
  t->changes = sqlite3_total_changes64(s->db);
  if (is_current(t, version)) return SQLITE_OK;
  t->version = 0;
  rc = read_tail(t, &tail);
  if (rc) return rc;
  if (!store_usable(s)) return SQLITE_OK;
  rc = refresh_view(t);
  if (rc == SQLITE_OK) rc = refresh_overlay(t, &tail);
  if (rc == SQLITE_OK) {
    t->version = version;
    t->version_gen = s->state.gen;
  }
  if (rc == SQLITE_CORRUPT_VTAB) { /* a damaged page met while opening the table or looking for slots (S15) */
    store_mark_damaged(s, s->state.gen);
    table_drop_overlay(t);
    return SQLITE_OK;
  }
  return rc;
}

char *table_lost_words(const Table *t) {
  Store *s = t->store;
  const Home *home = pages_home(s->pages);
  char *place = home->owner == OWNER_FILE ? sqlite3_mprintf("%s-quire", s->path)
                                          : sqlite3_mprintf("the %s", home->methods->place);
  char *words = NULL;
  if (place)
    words = sqlite3_mprintf("table %s: vectors are in %s alone (content=''), and cannot be read: %s. Put back the page "
                            "file that belongs to this database, or use a copy made by quire_backup()",
                            t->name, place, store_usable(s) ? "a page or a row of it is damaged" : store_problem(s));
  sqlite3_free(place);
  return words;
}

int table_lose(Table *t) {
  char *words = table_lost_words(t);
  if (words == NULL) return SQLITE_NOMEM;
  store_set_error(t->store, "%s", words);
  sqlite3_free(words);
  return SQLITE_CORRUPT_VTAB;
}

/* `rc` is what reading pages gave that have vectors of this table alone (P3). */
static int lose_if_damaged(Table *t, int rc) {
  if (rc != SQLITE_CORRUPT_VTAB) return rc;
  store_mark_damaged(t->store, t->store->state.gen);
  return table_lose(t);
}

/* The pages of this moment's root, also when some of them are known to be damaged: each is verified when it is read. */
int table_open_paged(Table *t) {
  Store *s = t->store;
  PageRef before = t->view_ref;
  int rc = is_current(t, data_version(s)) ? SQLITE_OK : store_refresh(s);
  if (rc == SQLITE_OK && s->root_status == ROOT_BAD) rc = store_look_again(s); /* maybe the file is back */
  if (rc) return rc;
  if (s->root_status == ROOT_BAD) return table_lose(t);
  rc = options_refresh(t); /* another connection may have given it another index */
  if (rc == SQLITE_OK) rc = refresh_view(t);
  if (before.pgno != t->view_ref.pgno || before.crc != t->view_ref.crc) t->current = 0;
  return lose_if_damaged(t, rc);
}

int vector_copy(VectorCopy *copy, const void *bytes, u64 size) {
  int rc = SQLITE_OK;
  if (size > copy->cap) {
    u64 cap = MAX(size, copy->cap * 2);
    vector_copy_free(copy);
    copy->bytes = mem_aligned(&rc, cap);
    if (rc) return rc;
    copy->cap = cap;
  }
  copy->size = size;
  memcpy(copy->bytes, bytes, (size_t)size);
  return SQLITE_OK;
}

void vector_copy_free(VectorCopy *copy) {
  mem_aligned_free(copy->bytes);
  memset(copy, 0, sizeof *copy);
}

int table_paged_vector(Table *t, i64 rowid, u32 vector, VectorCopy *out, int *found) {
  u32 slot = NO_SLOT;
  int rc = table_open_paged(t);
  *found = 0;
  if (rc) return rc;
  rc = table_methods.slot(t->view, rowid, &slot);
  if (rc == SQLITE_OK && slot != NO_SLOT) rc = table_methods.vector(t->view, slot, vector, out, found);
  t->store->stats.paged_vectors_read += (u64)*found;
  return lose_if_damaged(t, rc);
}

/* Complete a row by the vectors that the pages have, one in `copies` for each column; *lost: they have not. */
static int read_paged(Table *t, i64 rowid, RowData *row, VectorCopy *copies, int *lost) {
  u32 i, slot = NO_SLOT;
  int rc = table_methods.slot(t->view, rowid, &slot), present = 0;
  *lost = slot == NO_SLOT;
  for (i = 0; i < t->shape.vector_count && rc == SQLITE_OK && !*lost; i++) {
    if (!(row->paged >> i & 1)) continue;
    rc = table_methods.vector(t->view, slot, i, &copies[i], &present);
    *lost |= !present;
    row->vectors[i] = copies[i].bytes;
    row->count++;
    t->store->stats.paged_vectors_read++;
  }
  return lose_if_damaged(t, rc);
}

/* The row that a statement stands on. */
static int give_row(Table *t, sqlite3_stmt *stmt, ContentReader *reader, VectorCopy *copies) {
  i64 rowid = sqlite3_column_int64(stmt, 0);
  RowData data;
  int rc = read_row(t, stmt, 1, &data), lost = 0;
  if (rc) return rc;
  reader->paged = data.paged;
  if (data.paged && !reader->opened) rc = table_open_paged(t);
  reader->opened |= data.paged != 0;
  if (data.paged && rc == SQLITE_OK) rc = read_paged(t, rowid, &data, copies, &lost);
  if (rc) return rc;
  if (lost) return reader->lost ? reader->lost(reader->arg, rowid) : table_lose(t);
  reader->bare |= data.count == 0;
  return data.count ? reader->row(reader->arg, rowid, data.vectors, data.fields) : SQLITE_OK;
}

int table_load_content(Table *t, ContentReader *reader) {
  Store *s = t->store;
  sqlite3_stmt *stmt = NULL;
  char *columns = data_columns(t, "");
  VectorCopy copies[MAX_VECTOR_COLUMNS] = {{0}};
  int rc, last;
  u32 i;
  reader->bare = 0;
  if (columns == NULL) return SQLITE_NOMEM;
  rc = store_prepare(s, &stmt, "SELECT \"%w\"%s FROM %s.\"%w\" ORDER BY 1", t->shape.rowid, columns, s->quoted,
                     t->shape.content);
  sqlite3_free(columns);
  while (rc == SQLITE_OK && (last = sqlite3_step(stmt)) != SQLITE_DONE)
    rc = last == SQLITE_ROW ? give_row(t, stmt, reader, copies) : last;
  sqlite3_finalize(stmt);
  for (i = 0; i < MAX_VECTOR_COLUMNS; i++) vector_copy_free(&copies[i]);
  return rc;
}

/* --- changes --- */

/* D4 */
static int write_code(Table *t, int rc) {
  switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_NOMEM:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_INTERRUPT: return rc;
  }
  if (t->store->error == NULL) store_set_error(t->store, "%s", sqlite3_errmsg(t->store->db));
  return SQLITE_IOERR;
}

/*
 * Fold when the transaction's delta has grown large. Only here, where a change begins: in the middle of one the content is already ahead
 * of the overlay, and a row would be taken from both.
 */
static int fold_if_large(Table *t) {
  Store *s = t->store;
  u64 given_up = s->stats.folds_given_up;
  int rc;
  if (t->overlay == NULL || overlay_weight(t->overlay) < s->bulk_bytes << t->bulk_limit_shift) return SQLITE_OK;
  rc = store_fold(s, FOLD_BULK, NULL);
  if (rc == SQLITE_OK && s->stats.folds_given_up != given_up && t->bulk_limit_shift < 8) t->bulk_limit_shift++;
  if (rc == SQLITE_OK) rc = table_refresh(t);
  return rc;
}

int table_write_begin(Table *t) {
  int rc = SQLITE_OK;
  store_clear_error(t->store);
  t->version = 0;
  if (!t->current) rc = table_refresh(t);
  if (rc == SQLITE_OK && t->written) rc = fold_if_large(t);
  if (rc == SQLITE_OK) t->current = 1;
  return rc;
}

i64 table_new_tag(Table *t) {
  t->new_tag = (i64)conn_random(t->store->conn);
  return t->new_tag;
}

/* Append a delta row. The overlay is dropped if it did not end just before it. */
static int add_delta(Table *t, i64 rowid, int op) {
  Store *s = t->store;
  sqlite3_stmt **stmt = &t->stmt[TABLE_ADD];
  i64 seq, tag = (i64)conn_random(s->conn);
  int rc = store_prepare(s, stmt, "INSERT INTO %s.\"%w_delta\"(rid, op, tag) VALUES(?1, ?2, ?3)", s->quoted, t->name);
  if (rc) return rc;
  sqlite3_bind_int64(*stmt, 1, rowid);
  sqlite3_bind_int(*stmt, 2, op);
  sqlite3_bind_int64(*stmt, 3, tag);
  sqlite3_step(*stmt);
  rc = sqlite3_reset(*stmt);
  if (rc) {
    store_set_error(s, "%s", sqlite3_errmsg(s->db));
    return rc;
  }
  seq = sqlite3_last_insert_rowid(s->db);
  t->written = 1;
  if (t->overlay == NULL) return SQLITE_OK;
  if (t->overlay->last_seq != INT64_MIN && seq != t->overlay->last_seq + 1) table_drop_overlay(t);
  if (t->overlay == NULL) return SQLITE_OK;
  t->overlay->last_seq = seq;
  t->overlay->last_tag = tag;
  return SQLITE_OK;
}

/* `rc` is what the overlay said of the change. */
static int finish_change(Table *t, int rc) {
  if (rc) table_drop_overlay(t); /* D1 */
  if (rc != SQLITE_CORRUPT_VTAB) return rc;
  /* the pages could not say where the row lies: from now on answers come from content */
  store_mark_damaged(t->store, t->store->state.gen);
  return SQLITE_OK;
}

int table_add(Table *t, i64 rowid, const void *const *vectors, const u64 *fields) {
  Overlay *o;
  u32 i;
  int any = 0, fresh = t->shape.mode->tagged && has_overlay(t) && rowid > t->overlay->max_rowid, rc = SQLITE_OK;
  for (i = 0; i < t->shape.vector_count; i++) any |= vectors[i] != NULL;
  t->added += (u64)any;
  if (any && !fresh) rc = add_delta(t, rowid, OP_ADD); /* a fresh row is its own delta row (D5) */
  if (!any && !knows_bare(t)) rc = add_delta(t, rowid, OP_BARE);
  if (rc || !has_overlay(t)) return write_code(t, rc);
  o = t->overlay;
  if (t->shape.mode->tagged && rowid >= o->last_row && rowid > o->pages_max) {
    set_last_row(o, rowid, t->new_tag);
  }
  if (!any) {
    o->max_rowid = MAX(o->max_rowid, rowid);
    return write_code(t, finish_change(t, note_bare(t)));
  }
  t->written = 1;
  return write_code(t, finish_change(t, overlay_add_row(t, rowid, vectors, fields)));
}

int table_set_fields(Table *t, i64 rowid, const u64 *fields) {
  const void *vectors[MAX_VECTOR_COLUMNS];
  Overlay *o;
  u32 row, i;
  int rc = add_delta(t, rowid, OP_FIELDS);
  if (rc || !has_overlay(t)) return write_code(t, rc);
  o = t->overlay;
  row = overlay_find(o, o->length, rowid);
  if (row == NO_ROW) return write_code(t, finish_change(t, overlay_patch_row(t, rowid, fields)));
  for (i = 0; i < t->shape.vector_count; i++)
    vectors[i] = overlay_row(o, row)->present >> i & 1 ? overlay_vector(o, row, i) : NULL;
  return write_code(t, finish_change(t, overlay_add(o, rowid, vectors, fields)));
}

int table_remove(Table *t, i64 rowid) {
  int rc = add_delta(t, rowid, OP_REMOVE);
  if (rc || !has_overlay(t)) return write_code(t, rc);
  if (t->shape.mode->tagged && rowid == t->overlay->last_row) t->overlay->last_row_removed = 1;
  return write_code(t, finish_change(t, overlay_remove_row(t, rowid)));
}

int table_knows(Table *t, i64 rowid, int *known) {
  const Overlay *o = t->overlay;
  u32 slot = NO_SLOT;
  int rc;
  *known = 1;
  if (t->unsure && t->met_gone)
    return SQLITE_OK; /* this row's removal may be what the load saw, and others have not been told */
  if (!has_overlay(t) || overlay_find(o, o->length, rowid) != NO_ROW) return SQLITE_OK;
  *known = 0;
  if (o->all_dead_at != 0xffffffff || rowid > o->pages_max) return SQLITE_OK;
  rc = table_methods.slot(t->view, rowid, &slot);
  *known = rc != SQLITE_OK || (slot != NO_SLOT && !overlay_killed(o, o->length, slot));
  return rc == SQLITE_CORRUPT_VTAB ? SQLITE_OK : rc;
}

int table_remove_all(Table *t) {
  int rc = add_delta(t, 0, OP_REMOVE_ALL);
  if (rc || !has_overlay(t)) return write_code(t, rc);
  set_last_row(t->overlay, t->overlay->pages_max, 0);
  return write_code(t, finish_change(t, overlay_remove_all(t->overlay)));
}

/* --- snapshots --- */

int table_snapshot(Table *t, Snapshot **out) {
  Snapshot *snap;
  int rc;
  store_clear_error(t->store);
  /* a transaction's own overlay is as current for reading as it is for writing */
  rc = (t->current && has_overlay(t)) || is_unchanged(t) ? SQLITE_OK : table_refresh(t);
  if (rc) return rc;
  snap = t->spare;
  t->spare = NULL;
  if (snap == NULL) snap = mem_zeroed(&rc, 1, sizeof *snap);
  if (rc) return rc;
  snap->refs = 1;
  snap->table = t;
  t->refs++;
  snap->gen = t->store->state.gen;
  snap->undone = t->store->undone;
  snap->undoable = pages_home(t->store->pages)->methods->in_database;
  snap->degraded = !store_usable(t->store);
  snap->view = NULL;
  snap->overlay = NULL;
  snap->length = 0;
  if (!snap->degraded) {
    snap->view = table_methods.retain(t->view);
    snap->overlay = overlay_retain(t->overlay);
    snap->length = t->overlay->length;
  }
  *out = snap;
  return SQLITE_OK;
}

int table_is_at(Table *t, const Snapshot *snap) {
  store_clear_error(t->store);
  return is_unchanged(t) && t->view && t->view == snap->view && t->overlay && t->overlay == snap->overlay &&
         t->overlay->length == snap->length && t->store->state.gen == snap->gen && t->store->undone == snap->undone;
}

void snapshot_release(Snapshot *snap) {
  Table *t;
  if (snap == NULL || --snap->refs) return;
  t = snap->table;
  table_methods.release(snap->view);
  overlay_release(snap->overlay);
  if (t->spare)
    mem_free(snap);
  else
    t->spare = snap;
  table_release(t);
}

Snapshot *snapshot_retain(Snapshot *snap) {
  snap->refs++;
  return snap;
}

void snapshot_parts(Snapshot *snap, SnapshotParts *out) {
  out->view = snap->view;
  out->overlay = snap->overlay;
  out->length = snap->length;
  out->degraded = snap->degraded;
  out->shape = &snap->table->shape;
}

int snapshot_damaged(Snapshot *snap) {
  Store *s = snap->table->store;
  if (snap->undoable && s->undone != snap->undone) return SQLITE_ABORT_ROLLBACK;
  store_mark_damaged(s, snap->gen);
  return SQLITE_CORRUPT_VTAB;
}

int snapshot_content(Snapshot *snap, ContentRow *row, void *arg) {
  ContentReader reader = {.row = row, .arg = arg};
  return table_load_content(snap->table, &reader);
}

/* --- transaction hooks --- */

void store_txn_end(Store *s, int committed) {
  Table *t;
  s->undone += !committed;
  for (t = s->tables; t; t = t->next) {
    t->current = t->written = 0;
    t->added = 0;
    if (committed)
      t->unsure = 0;
    else
      t->shape.mode->rolled_back(t);
    t->bulk_limit_shift = 0;
    if (t->overlay && t->overlay->length == 0 && overlay_memory(t->overlay) > KEEP_BETWEEN_BYTES) table_drop_overlay(t);
    if (committed) t->name_suspect = 0;
  }
  /* A commit that failed after the pages were written may yet be found in the log by a recovery: leave its pages alone until one succeeds. */
  if (committed) {
    s->avoid_reuse = 0;
  } else if (s->folded && !DEFECT(rollback_trusted)) {
    s->avoid_reuse = 1;
  }
  s->base_known = s->folded = s->unsynced = s->lost = s->txn_unknown = 0;
}

/*
 * Whether a changed table has reached its threshold, or bulk folds left rows out of its indexes. Where rows go, what a fold replaces is as much as what it
 * writes: then the horizon is waited for up to FOLD_WAIT times the threshold, that it may write there and not behind all.
 */
static int is_due(Table *t) {
  u32 most = fold_rows(t);
  if (t->overlay->kills.count && t->shape.fold_rows == 0) most *= FOLD_WAIT;
  return overlay_pending(t->overlay) >= most || (t->view && table_methods.lags(t->view));
}

/* Whether it is due if that is no more than the horizon can follow. */
static int is_due_early(const Table *t) {
  u32 pending = overlay_pending(t->overlay);
  return t->overlay->kills.count && pending >= fold_rows_early(t) &&
         (pending < t->early_asked || pending - t->early_asked >= EARLY_STEP);
}

/* Whether the horizon has come to the last fold; with a rollback journal it is never nearer than to the one before. */
static int horizon_near(Store *s, int *near) {
  Horizon horizon;
  int rc = horizon_read(s, &horizon);
  *near = rc == SQLITE_OK && horizon.at >= s->state.n - horizon.in_rollback;
  return rc;
}

/* Whether any changed table is due. Tables that are gone from the registry are passed over (zombies). */
static int fold_due(Store *s, int *due) {
  Table *t;
  int early = 0;
  *due = 0;
  for (t = s->tables; t && !*due; t = t->next) {
    int rc;
    if (!t->written || (t->current && t->overlay && !is_due(t) && !is_due_early(t))) continue;
    rc = table_confirm_name(t);
    if (rc == SQLITE_NOTFOUND) continue;
    if (rc) return rc;
    if (!t->current || t->overlay == NULL) {
      rc = table_refresh(t);
      if (rc) return rc;
    }
    if (t->overlay == NULL) continue;
    *due = is_due(t);
    if (!is_due_early(t)) continue;
    t->early_asked = overlay_pending(t->overlay);
    early = 1;
  }
  return *due || !early ? SQLITE_OK : horizon_near(s, due);
}

int store_sync_pages(Store *s) {
  int rc = s->lost && !DEFECT(failed_sync_retried) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  if (rc == SQLITE_OK && !DEFECT(pages_not_synced) && !DEFECT(sync_before_last_page))
    rc = pages_home(s->pages)->methods->sync(pages_home(s->pages));
  if (rc == SQLITE_OK) {
    s->unsynced = 0;
  } else {
    s->lost = s->avoid_reuse = 1;
  }
  return rc;
}

/* The first commit after a fold that does not fold. */
static int begin_unfolded(Store *s) {
  u32 quiet = s->marked_gen == 0 ? QUIET : 0;
  int rc = store_refresh(s);
  if (rc == SQLITE_OK && s->state.root.pgno) rc = horizon_mark(s);
  s->marked_gen = s->state.gen;
  s->settled = 0;
  if (s->step_gen == s->state.gen) return rc; /* it does not end the quiet */
  s->unfolded = quiet;
  s->step_reusable = s->closed_at = 0;
  return rc;
}

/* In one of STEP_EVERY commits; also in the first of a connection, which knows of none. */
static int may_step(const Store *s) { return is_quiet(s) && (s->unfolded - QUIET) % STEP_EVERY == 0; }

/* W10 */
static int step_if_wanted(Store *s, int first) {
  int wanted = 0, rc = store_refresh(s);
  if (rc || !store_usable(s) || s->state.root.pgno == 0) return rc;
  rc = space_wants_step(s, first, &wanted, &s->settled);
  if (rc || !wanted) return rc;
  rc = store_fold(s, FOLD_STEP, NULL);
  s->step_gen = s->state.gen;
  return rc;
}

static int has_written(const Store *s) {
  const Table *t = s->tables;
  while (t && !t->written) t = t->next;
  return t != NULL;
}

/*
 * A commit of changed rows that does not fold, in a transaction whose beginning was seen. As with a fold that is due, nothing here makes it fail that
 * need not.
 */
static int commit_unfolded(Store *s) {
  int first = s->marked_gen == 0, rc = SQLITE_OK;
  if (!s->state_known || s->marked_gen != s->state.gen) rc = begin_unfolded(s);
  if (s->unfolded < UNFOLDED_MAX) s->unfolded++;
  if (rc == SQLITE_OK && !s->settled && !s->avoid_reuse && (first || may_step(s)) && !store_other_statements_busy(s))
    rc = step_if_wanted(s, first);
  return rc && store_may_go_on(s, rc) ? SQLITE_OK : rc;
}

int store_sync(Store *s) {
  sqlite3_int64 last = sqlite3_last_insert_rowid(s->db);
  int due = 0, rc;
  store_clear_error(s);
  rc = fold_due(s, &due);
  if (rc == SQLITE_OK && due) rc = store_fold(s, FOLD_THRESHOLD, NULL);
  if (rc == SQLITE_OK && !s->folded && !s->txn_unknown && has_written(s)) rc = commit_unfolded(s);
  if (rc == SQLITE_OK && s->unsynced) rc = store_sync_pages(s);
  if (rc == SQLITE_OK && s->folded) rc = space_give_back(s);
  sqlite3_set_last_insert_rowid(s->db, last);
  return rc;
}

int store_sync_hook(Store *s) { return store_sync(s); }
void store_end_hook(Store *s, int committed) { store_txn_end(s, committed); }

int table_begin(Table *t) {
  t->current = 0;
  return SQLITE_OK;
}

int table_sync(Table *t) { return store_sync(t->store); }

int table_commit(Table *t) {
  store_txn_end(t->store, 1);
  return SQLITE_OK;
}

int table_rollback(Table *t) {
  store_txn_end(t->store, 0);
  return SQLITE_OK;
}

int table_savepoint(Table *t, int n) {
  (void)n;
  if (!DEFECT(overlay_not_cut_back) && !DEFECT(savepoint_minus_one_ignored)) t->current = 0;
  return SQLITE_OK;
}

int table_release_savepoint(Table *t, int n) {
  (void)t;
  (void)n;
  return SQLITE_OK;
}

/* The rows are SQLite's business: what the overlay knows is compared with them before its next use. */
int table_rollback_to(Table *t, int n) {
  t->store->undone++;
  if (DEFECT(overlay_not_cut_back) || (DEFECT(savepoint_minus_one_ignored) && n < 0)) return SQLITE_OK;
  t->current = 0;
  return SQLITE_OK;
}
