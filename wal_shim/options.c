/*
 * options.c: what the registry (quire_tables) says of a table beside its name: the index of each vector column.
 *
 *   options = "index=" column { "," column }
 *   column  = "flat" | field { " " field }        "flat": as written before there were other indexes
 *   field   = name "=" number                     a member of IndexShape; those that are 0 are left out
 *
 * Empty text means "flat" for all columns. Names that this version does not know are passed over.
 *
 * The row of id 0 is the store's own, there once it has a setting: "automerge=" number.
 *
 *   O1  The text changes only in a fold (table_set_index), in the same SQL that changes the state row's gen. So whoever sees the gen
 *       of its last look has the options of that look, in every connection and after every kind of ROLLBACK.
 */
#include "store_int.h"

#define KIND_FLAT 1u /* INDEX_FLAT of vector/index.h */

/* `max`: more than any version writes; a text that says more is damaged, and shall not size memory. */
static const struct {
  const char *name;
  size_t at;
  u32 max;
} fields[] = {
    {"kind", offsetof(IndexShape, kind), 0xffff},
    {"m", offsetof(IndexShape, m), 0xffff},
    {"ef_construction", offsetof(IndexShape, ef_construction), 0xffff},
    {"ef_search", offsetof(IndexShape, ef_search), 0xffff},
    {"nlist", offsetof(IndexShape, nlist), 0xffff},
    {"nprobe", offsetof(IndexShape, nprobe), 0xffff},
    {"quantizer", offsetof(IndexShape, quantizer), 0xffff},
    {"oversample", offsetof(IndexShape, oversample), 0xffff},
    {"from_rows", offsetof(IndexShape, from_rows), 0x7fffffff},
};
#define FIELD_COUNT (sizeof fields / sizeof *fields)

char *options_write(sqlite3 *db, const TableShape *shape) {
  sqlite3_str *out = sqlite3_str_new(db);
  for (u32 i = 0; i < shape->vector_count; i++) {
    const char *before = i ? "," : "index=";
    for (size_t k = 0; k < FIELD_COUNT; k++) {
      u32 value = *(const u32 *)((const char *)&shape->vector[i].index + fields[k].at);
      if (value == 0) continue;
      sqlite3_str_appendf(out, "%s%s=%u", before, fields[k].name, value);
      before = " ";
    }
  }
  return sqlite3_str_finish(out);
}

/* One field, at **at; 0 if there is none. */
static int read_field(const char **at, IndexShape *index) {
  const char *name = *at, *p = name;
  size_t size;
  u64 value = 0;
  while ((*p >= 'a' && *p <= 'z') || *p == '_') p++;
  size = (size_t)(p - name);
  if (size == 0 || *p++ != '=' || *p < '0' || *p > '9') return 0;
  for (; *p >= '0' && *p <= '9'; p++) {
    value = value * 10 + (u64)(*p - '0');
    if (value > UINT32_MAX) return 0;
  }
  for (size_t k = 0; k < FIELD_COUNT; k++) {
    if (strlen(fields[k].name) != size || memcmp(fields[k].name, name, size) != 0) continue;
    if (value > fields[k].max) return 0;
    *(u32 *)((char *)index + fields[k].at) = (u32)value;
  }
  *at = p;
  return 1;
}

/* One column, at **at; 0 if there is none. */
static int read_column(const char **at, IndexShape *index) {
  memset(index, 0, sizeof *index);
  index->kind = KIND_FLAT;
  if (strncmp(*at, "flat", 4) == 0) {
    *at += 4;
    return 1;
  }
  do {
    if (!read_field(at, index)) return 0;
  } while (*(*at)++ == ' ');
  --*at;
  return 1;
}

/* The indexes of `count` columns; 0 if the text is not in our form. */
static int read_options(const char *text, u32 count, IndexShape *index) {
  const char *at = text;
  if (*at && strncmp(at, "index=", 6) != 0) return 0;
  if (*at) at += 6;
  for (u32 i = 0; i < count; i++) {
    if (*text == 0) at = "flat";
    if (!read_column(&at, &index[i])) return 0;
    if (*text && *at++ != (i + 1 < count ? ',' : 0)) return 0;
  }
  return 1;
}

static void forget_view(Table *t) {
  table_methods.release(t->view);
  t->view = NULL;
}

int options_apply(Table *t, const char *text) {
  IndexShape index[MAX_VECTOR_COLUMNS];
  int differs = 0, sound = read_options(text, t->shape.vector_count, index);
  for (u32 i = 0; i < t->shape.vector_count && sound; i++)
    sound = table_methods.takes(&t->shape.vector[i], index[i].kind);
  if (!sound) {
    store_set_error(t->store, "the options of table %s in %s.quire_tables cannot be read: '%s'", t->name,
                    t->store->schema, text);
    return CORRUPT(0);
  }
  for (u32 i = 0; i < t->shape.vector_count; i++) {
    differs |= memcmp(&t->shape.vector[i].index, &index[i], sizeof *index) != 0;
    t->shape.vector[i].index = index[i];
  }
  if (differs) forget_view(t); /* it was opened for other indexes */
  return SQLITE_OK;
}

int options_refresh(Table *t) {
  Store *s = t->store;
  sqlite3_stmt **stmt = &s->stmt[STMT_REGISTRY_OPTIONS];
  int rc;
  if (t->options_known && t->options_gen == s->state.gen) return SQLITE_OK;
  rc = store_prepare(s, stmt, "SELECT options FROM %s.quire_tables WHERE id = ?1", s->quoted);
  if (rc) return rc;
  sqlite3_bind_int64(*stmt, 1, (i64)t->id);
  rc = sqlite3_step(*stmt);
  if (rc == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(*stmt, 0);
    rc = text ? options_apply(t, text) : SQLITE_NOMEM;
  } else if (rc == SQLITE_DONE) {
    rc = SQLITE_OK; /* dropped: the last reader goes on with what it has */
  } else {
    store_set_error(s, "%s", sqlite3_errmsg(s->db));
  }
  sqlite3_reset(*stmt);
  t->options_known = rc == SQLITE_OK;
  t->options_gen = s->state.gen;
  return rc;
}

int table_set_index(Table *t, const IndexShape *index, int rebuild) {
  TableShape *shape = &t->shape;
  IndexShape old[MAX_VECTOR_COLUMNS];
  int rc;
  store_clear_error(t->store);
  rc = table_refresh(t);
  if (rc) return rc;
  for (u32 i = 0; i < shape->vector_count; i++) {
    old[i] = shape->vector[i].index;
    shape->vector[i].index = index[i];
  }
  t->new_options = options_write(t->store->db, shape);
  rc = t->new_options ? store_fold(t->store, rebuild ? FOLD_REBUILD : FOLD_NOW, t) : SQLITE_NOMEM;
  sqlite3_free(t->new_options);
  t->new_options = NULL;
  if (rc == SQLITE_OK) t->options_gen = t->store->state.gen;
  for (u32 i = 0; i < shape->vector_count && rc; i++) shape->vector[i].index = old[i];
  forget_view(t);
  t->current = 0;
  return rc;
}

/* --- the store's own --- */

int options_automerge(Store *s, u32 *pages) {
  sqlite3_stmt *stmt = NULL;
  int rc = store_prepare(s, &stmt,
                         "SELECT CAST(substr(options, 11) AS INTEGER) FROM %s.quire_tables "
                         "WHERE id = %d AND options LIKE 'automerge=%%'",
                         s->quoted, STORE_ID);
  *pages = AUTOMERGE;
  if (rc) return rc;
  if (sqlite3_step(stmt) == SQLITE_ROW) *pages = (u32)MIN(MAX(sqlite3_column_int64(stmt, 0), 0), 0xffffffffLL);
  return sqlite3_finalize(stmt);
}

int store_set_automerge(Store *s, u32 pages) {
  store_clear_error(s);
  return store_exec(s,
                    "INSERT OR REPLACE INTO %s.quire_tables(id, name, options) VALUES(%d, 'quire', 'automerge=%lld')",
                    s->quoted, STORE_ID, (long long)pages);
}
