/*
 * vtab_args.c: the arguments of CREATE VIRTUAL TABLE, and every message about them.
 *
 *   argument   = vector | column | auxiliary | option | nothing; of a map: value | option | nothing
 *   vector     = name type "[" dim "]" { "distance_metric" "=" metric | "INDEXED" "BY" index }    (vtab_index.c)
 *   column     = name type [ "primary" "key" | "partition" "key" ]
 *   auxiliary  = "+" name [ type ]
 *   value      = name { word } [ "(" number [ "," number ] ")" ] { "primary" "key" | "not" "null" }
 *   option     = word "=" ( word | number | 'text' )
 *   name       = word | "quoted" | [quoted] | `quoted`
 *
 * This is sqlite-vec's grammar and more: quoted names, names beyond ASCII, float16, bfloat16 and sparse, the metrics dot, hamming and jaccard,
 * BLOB metadata. Keywords and types are case-insensitive. Text of messages is sqlite-vec's where it has one; the first
 * error wins. Start at spec_parse().
 */
#include "../vector/record.h"
#include "../vector/sparse.h"
#include "args_int.h"
#include "content.h"

#include <stdarg.h>

#define MAX_PARTITION_COLUMNS 4
#define MAX_METADATA_COLUMNS 16
#define MAX_AUXILIARY_COLUMNS 16
#define MAX_CHUNK_SIZE 4096
#define MAX_FOLD_ROWS 0x7fffffff

const Dialect dialect_quire = {
    .module = "quire",
    .commands =
        " (known: fold, optimize, merge=N, rebuild, rebuild=INDEX, ef_search=N, nprobe=N, integrity-check, delete-all)",
    .rowid_not_null = 1,
    .null_vector_unchanged = 0,
    .null_vector_insert = 1,
    .null_values = 1,
    .integer_as_float = 1,
    .ignore_trailing_words = 0,
    .refuse_k_and_limit = 0,
    .default_auto = 1,
    .chunk_tables = 0,
    .content = 1,
    .sparse = 1,
    .max_k = INT64_MAX,
};

const Dialect dialect_vec0 = {
    .module = "vec0",
    .commands = "",
    .null_vector_unchanged = 1,
    .null_vector_insert = 0,
    .null_values = 0,
    .integer_as_float = 0,
    .ignore_trailing_words = 1,
    .refuse_k_and_limit = 1,
    .default_auto = 0,
    .chunk_tables = 1,
    .content = 0,
    .sparse = 0,
    .max_k = 4096,
};

/* Of what concerns vectors nothing counts. */
const Dialect dialect_map = {
    .module = "quire_map",
    .commands = " (known: fold, optimize, merge=N, rebuild, integrity-check, delete-all)",
    .values = 1,
};

/* --- errors --- */

void parser_fail(Parser *p, const char *fmt, ...) {
  va_list ap;
  char *text;

  if (p->rc) return;
  va_start(ap, fmt);
  text = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  if (p->spec)
    *p->error = sqlite3_mprintf("%s constructor error: %z", p->spec->dialect->module, text);
  else
    *p->error = text;
  p->rc = *p->error ? SQLITE_ERROR : SQLITE_NOMEM;
}

static void fail_vector(Parser *p) { parser_fail(p, "could not parse vector column '%s'", p->arg); }
static void fail_option(Parser *p) { parser_fail(p, "could not parse table option '%s'", p->arg); }

/* --- words --- */

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) || (c & 0x80);
}

static void skip_space(Parser *p) {
  while (is_space(*p->at)) p->at++;
}

int at_end(Parser *p) {
  skip_space(p);
  return *p->at == 0;
}

int take_char(Parser *p, char c) {
  skip_space(p);
  if (*p->at != c) return 0;
  p->at++;
  return 1;
}

const char *peek_word(Parser *p, int *size) {
  skip_space(p);
  *size = 0;
  if (is_digit(*p->at)) return p->at;
  while (is_word(p->at[*size])) ++*size;
  return p->at;
}

int word_is(const char *word, int size, const char *wanted) {
  return (size_t)size == strlen(wanted) && sqlite3_strnicmp(word, wanted, size) == 0;
}

int take_word(Parser *p, const char *wanted) {
  int size;
  const char *word = peek_word(p, &size);
  if (!word_is(word, size, wanted)) return 0;
  p->at += size;
  return 1;
}

/* Take digits: 0 if there are none, INT64_MAX if there are too many. */
static i64 take_number(Parser *p) {
  i64 value = 0;
  skip_space(p);
  for (; is_digit(*p->at); p->at++) {
    value = value > INT64_MAX / 10 - 1 ? INT64_MAX : value * 10 + (*p->at - '0');
  }
  return value;
}

/* The quoted name that begins at p->at, with doubled quotes made single; NULL if it does not end or is empty. */
static char *take_quoted(Parser *p, char close) {
  char *name = mem_array(&p->rc, strlen(++p->at) + 1, 1);
  size_t used = 0;
  int closed = 0;

  if (name == NULL) return NULL;
  for (; *p->at && !closed; p->at++) {
    if (*p->at != close) {
      name[used++] = *p->at;
    } else if (close != ']' && p->at[1] == close) {
      name[used++] = *p->at++;
    } else {
      closed = 1;
    }
  }
  name[used] = 0;
  if (used > 0 && closed) return name;
  mem_free(name);
  return NULL;
}

/* A column's name, freed by mem_free; NULL if none is next. */
static char *take_name(Parser *p) {
  const char *word;
  char *name;
  int size;

  if (p->rc) return NULL;
  skip_space(p);
  if (*p->at == '"' || *p->at == '`') return take_quoted(p, *p->at);
  if (*p->at == '[') return take_quoted(p, ']');
  word = peek_word(p, &size);
  if (size == 0) return NULL;
  name = mem_array(&p->rc, (u64)size + 1, 1);
  if (name == NULL) return NULL;
  memcpy(name, word, (size_t)size);
  name[size] = 0;
  p->at += size;
  return name;
}

/* --- types --- */

static ValueType take_value_type(Parser *p) {
  static const struct {
    const char *name;
    ValueType type;
  } types[] = {
      {"text", TYPE_TEXT},     {"int", TYPE_INTEGER},     {"integer", TYPE_INTEGER},
      {"int64", TYPE_INTEGER}, {"float", TYPE_FLOAT},     {"double", TYPE_FLOAT},
      {"bool", TYPE_BOOLEAN},  {"boolean", TYPE_BOOLEAN}, {"blob", TYPE_BLOB},
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (take_word(p, types[i].name)) return types[i].type;
  }
  return TYPE_NONE;
}

/* Take the type of a vector and the bracket after it; 0 (nothing taken) if this is no vector. */
static Elem take_vector_type(Parser *p) {
  static const struct {
    const char *name;
    Elem elem;
  } types[] = {
      {"float", ELEM_F32}, {"f32", ELEM_F32},       {"float32", ELEM_F32},   {"float16", ELEM_F16},
      {"f16", ELEM_F16},   {"bfloat16", ELEM_BF16}, {"bf16", ELEM_BF16},     {"int8", ELEM_I8},
      {"i8", ELEM_I8},     {"bit", ELEM_BIT},       {"sparse", ELEM_SPARSE},
  };
  const char *start = p->at;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (types[i].elem == ELEM_SPARSE && !p->spec->dialect->sparse) continue;
    if (take_word(p, types[i].name) && take_char(p, '[')) return types[i].elem;
    p->at = start;
  }
  return (Elem)0;
}

/* --- columns --- */

/* Append a column; takes `name` over, also on failure. NULL when p->rc is set. */
static Column *add_column(Parser *p, ColumnKind kind, char *name) {
  TableSpec *spec = p->spec;
  Column *column = NULL;

  if (p->rc) goto done;
  if (spec_has_column(spec, name)) {
    parser_fail(p, "could not declare virtual table, 'duplicate column name: %s'", name);
    goto done;
  }
  p->rc = mem_reserve(&spec->column, &p->cap, (u64)spec->column_count + 1, sizeof *column);
  if (p->rc) goto done;
  column = &spec->column[spec->column_count++];
  memset(column, 0, sizeof *column);
  column->kind = kind;
  column->name = name;
  name = NULL;
  p->count[kind]++;
done:
  mem_free(name);
  return column;
}

static void check_limit(Parser *p, ColumnKind kind, int most, const char *what) {
  if (p->count[kind] > most) parser_fail(p, "More than %d %s columns were provided", most, what);
}

/* distance_metric = name; nothing happens if the word is not next. */
static int take_metric(Parser *p, Column *column) {
  const char *word;
  int size;

  if (!take_word(p, "distance_metric")) return 0;
  if (!take_char(p, '=')) return 0;
  word = peek_word(p, &size);
  column->metric = metric_parse(word, (size_t)size);
  if (column->metric == 0 || !metric_fits(column->metric, column->elem)) return 0;
  p->at += size;
  return 1;
}

/* INDEXED BY index; nothing happens if the words are not next. */
static int take_index(Parser *p, Column *column) {
  if (!take_word(p, "indexed") || !take_word(p, "by")) return 0;
  parse_index(p, &column->index);
  return 1;
}

/* What follows the "[" of a vector column; takes `name` over. */
static void parse_vector(Parser *p, char *name, Elem elem) {
  Column *column = add_column(p, COL_VECTOR, name);
  i64 dim = take_number(p), most;

  if (column == NULL) return;
  if (!take_char(p, ']') || dim <= 0) {
    fail_vector(p);
    return;
  }
  most = elem == ELEM_SPARSE ? (i64)SPARSE_MAX_DIM : (i64)MAX_DIM;
  if (dim > most) {
    parser_fail(p, "Dimension on vector column too large, provided %lld, maximum %lld", (long long)dim,
                (long long)most);
    return;
  }
  if (elem == ELEM_BIT && dim % 8 != 0) {
    parser_fail(p, "the dimensions of bit column '%s' must be divisible by 8", column->name);
    return;
  }
  column->elem = elem;
  column->dim = (u32)dim;
  while (!p->rc && !at_end(p)) {
    int is_metric = column->metric == 0 && take_metric(p, column);
    int is_index = !is_metric && column->index.kind == 0 && take_index(p, column);
    if (!is_metric && !is_index) fail_vector(p);
  }
  if (column->metric == 0) column->metric = elem == ELEM_BIT ? METRIC_HAMMING : METRIC_L2;
  if (column->index.kind == 0) column->index = index_default(p->spec->dialect, elem);
  resolve_index(p, column, &column->index);
  if (p->count[COL_VECTOR] > MAX_VECTOR_COLUMNS)
    parser_fail(p, "Too many provided vector columns, maximum %d", MAX_VECTOR_COLUMNS);
}

/* "primary key", "partition key" or neither, at the end of a column. */
static ColumnKind take_column_kind(Parser *p) {
  const char *start = p->at;
  if (take_word(p, "primary") && take_word(p, "key")) return COL_KEY;
  p->at = start;
  if (take_word(p, "partition") && take_word(p, "key")) return COL_PARTITION;
  p->at = start;
  return COL_METADATA;
}

/* What follows the type of a column that is not a vector; takes `name` over. */
static void parse_plain_column(Parser *p, char *name, ValueType type) {
  ColumnKind kind = take_column_kind(p);
  Column *column = add_column(p, kind, name);

  if (column == NULL) return;
  column->type = type;
  if (kind != COL_METADATA && type != TYPE_INTEGER && type != TYPE_TEXT)
    parser_fail(p, "Could not parse '%s': a %s key is INTEGER or TEXT", p->arg,
                kind == COL_KEY ? "primary" : "partition");
  if (!at_end(p) && !p->spec->dialect->ignore_trailing_words) parser_fail(p, "Could not parse '%s'", p->arg);
  if (kind == COL_KEY) {
    if (p->spec->key >= 0)
      parser_fail(p,
                  "More than one primary key definition was provided, %s only suports a single primary "
                  "key column",
                  p->spec->dialect->module);
    p->spec->key = p->spec->column_count - 1;
  }
  check_limit(p, COL_PARTITION, MAX_PARTITION_COLUMNS, "partition key");
  check_limit(p, COL_METADATA, MAX_METADATA_COLUMNS, "metadata");
}

/* +name [type] */
static void parse_auxiliary(Parser *p) {
  char *name = take_name(p);
  ValueType type = take_value_type(p);
  Column *column;

  if (name == NULL) {
    parser_fail(p, "Could not parse '%s'", p->arg);
    return;
  }
  column = add_column(p, COL_AUXILIARY, name);
  if (column == NULL) return;
  column->type = type;
  if (!at_end(p) && (type == TYPE_NONE || !p->spec->dialect->ignore_trailing_words))
    parser_fail(p, "Could not parse '%s'", p->arg);
  check_limit(p, COL_AUXILIARY, MAX_AUXILIARY_COLUMNS, "auxiliary");
}

/* --- values of a map --- */

/* Append a value column; takes `name` over, also on failure. NULL when p->rc is set. */
static ValueColumn *add_value(Parser *p, char *name) {
  TableSpec *spec = p->spec;
  ValueColumn *value = NULL;

  if (spec_has_column(spec, name)) parser_fail(p, "duplicate column name: %s", name);
  if (!p->rc) p->rc = mem_reserve(&spec->value, &p->value_cap, (u64)spec->value_count + 1, sizeof *value);
  if (p->rc) {
    mem_free(name);
    return NULL;
  }
  value = &spec->value[spec->value_count++];
  memset(value, 0, sizeof *value);
  value->name = name;
  return value;
}

/* Take the words of a type, and what it has in brackets; *size 0: there are none. */
static const char *take_type_words(Parser *p, int *size) {
  static const char *const others[] = {"primary",    "not",       "null", "unique",  "default",   "check",
                                       "references", "generated", "as",   "collate", "constraint"};
  const char *start, *end;
  int length;

  skip_space(p);
  start = end = p->at;
  for (const char *word = peek_word(p, &length); length > 0; word = peek_word(p, &length)) {
    for (size_t i = 0; i < sizeof others / sizeof *others && length > 0; i++) {
      if (word_is(word, length, others[i])) length = 0;
    }
    if (length == 0) break;
    end = p->at = word + length;
  }
  if (end > start && take_char(p, '(')) {
    (void)take_number(p);
    if (take_char(p, ',')) (void)take_number(p);
    if (!take_char(p, ')')) parser_fail(p, "Could not parse '%s': its type does not end", p->arg);
    end = p->at;
  }
  *size = (int)(end - start);
  return start;
}

static int is_integer_word(const char *word, int size) {
  return word_is(word, size, "integer") || word_is(word, size, "int");
}

/* What follows the name of a map's column; takes `name` over. */
static void parse_value(Parser *p, char *name) {
  int size, is_key = 0, not_null = 0;
  const char *type = take_type_words(p, &size);

  while (!p->rc && !at_end(p)) {
    if (take_word(p, "primary") && take_word(p, "key"))
      is_key = 1;
    else if (take_word(p, "not") && take_word(p, "null"))
      not_null = 1;
    else
      parser_fail(p,
                  "Could not parse '%s': after a column's name comes its type, then NOT NULL or, of one that is "
                  "INTEGER, PRIMARY KEY",
                  p->arg);
  }
  if (is_key && !p->rc) {
    Column *key = add_column(p, COL_KEY, name);
    if (key == NULL) return;
    key->type = TYPE_INTEGER;
    if (!is_integer_word(type, size))
      parser_fail(p, "Could not parse '%s': the key of a map is INTEGER PRIMARY KEY", p->arg);
    if (p->spec->key >= 0) parser_fail(p, "More than one primary key is given: a map has one");
    p->spec->key = p->spec->column_count - 1;
  } else if (p->rc) {
    mem_free(name);
  } else {
    ValueColumn *value = add_value(p, name);
    if (value == NULL) return;
    value->not_null = not_null;
    value->type = mem_zeroed(&p->rc, (u64)size + 1, 1);
    if (value->type == NULL) return;
    memcpy(value->type, type, (size_t)size);
    value->affinity = content_affinity(value->type);
    if (p->spec->value_count > (int)RECORD_MAX_COLUMNS)
      parser_fail(p, "More than %d columns are given beside the key", (int)RECORD_MAX_COLUMNS);
  }
}

/* The column that has the values. */
static void add_record(Parser *p) {
  char *name = mem_strdup(&p->rc, "quire_record");
  Column *column = name ? add_column(p, COL_RECORD, name) : NULL;

  if (column == NULL) return;
  column->elem = ELEM_RECORD;
  column->dim = (u32)p->spec->value_count;
  column->index = (IndexShape){.kind = INDEX_FLAT};
}

/* --- options --- */

/* Accepted and checked as sqlite-vec does, then forgotten: our pages have their own size. */
static void check_chunk_size(Parser *p, i64 value) {
  if (value <= 0) parser_fail(p, "chunk_size must be a non-zero positive integer");
  if (value % 8 != 0) parser_fail(p, "chunk_size must be divisible by 8");
  if (value > MAX_CHUNK_SIZE) parser_fail(p, "chunk_size too large");
}

static void set_fold_rows(Parser *p, i64 value) {
  if (value <= 0 || value > MAX_FOLD_ROWS) parser_fail(p, "fold_rows must be a positive integer");
  p->spec->fold_rows = (u32)value;
}

/* Which of `words` the value is; reports it if it is none. */
static int choose(Parser *p, const char *name, const char *value, const char *const *words, int count) {
  sqlite3_str *known;
  char *list;
  for (int i = 0; i < count; i++) {
    if (sqlite3_stricmp(value, words[i]) == 0) return i;
  }
  known = sqlite3_str_new(NULL);
  for (int i = 0; i < count; i++) sqlite3_str_appendf(known, "%s%s", i ? ", " : "", words[i]);
  list = sqlite3_str_finish(known);
  parser_fail(p, "%s must be one of %s, found '%s'", name, list, value);
  sqlite3_free(list);
  return 0;
}

/* 'parent' or 'parent(key)'. */
static void set_relates_to(Parser *p, const char *value) {
  Relation *relation = &p->spec->relation;
  const char *rest = p->at;

  p->at = value;
  mem_free(relation->parent);
  mem_free(relation->key);
  relation->parent = take_name(p);
  relation->key = NULL;
  if (relation->parent && take_char(p, '(')) {
    relation->key = take_name(p);
    if (relation->key == NULL || !take_char(p, ')'))
      parser_fail(p, "relates_to must be 'table(column)', found '%s'", value);
  }
  if (relation->parent == NULL || !at_end(p)) parser_fail(p, "relates_to must be 'table(column)', found '%s'", value);
  p->at = rest;
  if (relation->kind == RELATION_NONE) relation->kind = ONE_TO_ONE;
}

/* One of the options of a relation; 0 if `name` is something else. */
static int set_relation(Parser *p, const char *name, const char *value) {
  static const char *const kinds[] = {"one_to_one", "one_to_many", "many_to_many"};
  static const char *const actions[] = {"cascade", "restrict", "set_null"};
  Relation *relation = &p->spec->relation;

  if (sqlite3_stricmp(name, "relates_to") == 0) {
    set_relates_to(p, value);
  } else if (sqlite3_stricmp(name, "relation") == 0) {
    relation->kind = (RelationKind)(ONE_TO_ONE + choose(p, name, value, kinds, 3));
  } else if (sqlite3_stricmp(name, "on_delete") == 0) {
    relation->on_delete = (OnDelete)choose(p, name, value, actions, 3);
  } else if (sqlite3_stricmp(name, "parent_column") == 0) {
    mem_free(relation->column);
    relation->column = mem_strdup(&p->rc, value);
  } else {
    return 0;
  }
  return 1;
}

static void set_text(Parser *p, char **text, const char *value) {
  mem_free(*text);
  *text = mem_strdup(&p->rc, value);
}

static void set_content(Parser *p, const char *value) {
  if (!p->spec->dialect->content)
    parser_fail(p, "content='table' is for tables of the module quire");
  else
    set_text(p, &p->spec->content, value);
}

/* The value of an option, freed by mem_free; NULL if there is none or more than one. */
static char *take_value(Parser *p) {
  const char *start;
  char *value = NULL;
  int size;

  skip_space(p);
  start = p->at;
  if (*p->at == '\'') {
    value = take_quoted(p, '\'');
  } else {
    if (is_digit(*p->at))
      (void)take_number(p);
    else
      p->at = peek_word(p, &size) + size;
    if (p->at > start) value = mem_array(&p->rc, (u64)(p->at - start) + 1, 1);
    if (value) {
      memcpy(value, start, (size_t)(p->at - start));
      value[p->at - start] = 0;
    }
  }
  if (value && at_end(p)) return value;
  mem_free(value);
  return NULL;
}

/* 0 for what is no number. */
static i64 number_of(Parser *p, const char *value) {
  const char *rest = p->at;
  i64 number;
  p->at = value;
  number = take_number(p);
  p->at = rest;
  return number;
}

/* What follows "name ="; does not take `name` over. */
static void parse_option(Parser *p, const char *name) {
  char *value;

  skip_space(p);
  if (sqlite3_stricmp(name, "content") == 0 && strncmp(p->at, "''", 2) == 0) {
    p->at += 2;
    p->spec->content_pages = at_end(p);
    if (!p->spec->content_pages) fail_option(p);
    return;
  }
  value = take_value(p);
  if (value == NULL)
    fail_option(p);
  else if (sqlite3_stricmp(name, "chunk_size") == 0)
    check_chunk_size(p, number_of(p, value));
  else if (sqlite3_stricmp(name, "fold_rows") == 0)
    set_fold_rows(p, number_of(p, value));
  else if (sqlite3_stricmp(name, "model") == 0)
    set_text(p, &p->spec->model, value);
  else if (sqlite3_stricmp(name, "events") == 0)
    set_text(p, &p->spec->events, value);
  else if (sqlite3_stricmp(name, "content") == 0)
    set_content(p, value);
  else if (sqlite3_stricmp(name, "content_rowid") == 0)
    set_text(p, &p->spec->content_rowid, value);
  else if (!set_relation(p, name, value))
    parser_fail(p, "Unknown table option: %s", name);
  mem_free(value);
}

/* --- the whole --- */

/* One argument, whatever it is. */
static void parse_argument(Parser *p, const char *arg) {
  char *name = NULL;
  ValueType type;
  Elem elem;

  p->arg = p->at = arg;
  if (!p->spec->dialect->values && take_char(p, '+')) {
    parse_auxiliary(p);
    return;
  }
  name = take_name(p);
  if (name == NULL) {
    parser_fail(p, "Could not parse '%s'", arg);
    return;
  }
  if (take_char(p, '=')) {
    parse_option(p, name);
    mem_free(name);
    return;
  }
  if (p->spec->dialect->values) {
    parse_value(p, name);
    return;
  }
  elem = take_vector_type(p);
  if (elem) {
    parse_vector(p, name, elem);
    return;
  }
  type = take_value_type(p);
  if (type == TYPE_NONE) {
    int size;
    const char *word = peek_word(p, &size);
    if (size > 0)
      parser_fail(p, "Could not parse '%s': unknown type '%.*s'", arg, size, word);
    else
      parser_fail(p, "Could not parse '%s'", arg);
    mem_free(name);
    return;
  }
  parse_plain_column(p, name, type);
}

/* What a relation needs and excludes. */
static void check_relation(Parser *p) {
  const Relation *relation = &p->spec->relation;
  if (relation->parent == NULL) {
    if (relation->kind || relation->on_delete || relation->column)
      parser_fail(p, "relation, on_delete and parent_column need relates_to='table(column)'");
    return;
  }
  if ((relation->kind == ONE_TO_MANY) != (relation->column != NULL))
    parser_fail(
        p, "parent_column= names the column with the parent's key: needed with relation=one_to_many, and only there");
  if (relation->kind != ONE_TO_MANY && relation->on_delete == ON_DELETE_SET_NULL)
    parser_fail(p, "on_delete=set_null needs relation=one_to_many: else there is no column to set");
}

/* Of a table: the column that the relation names, and the key it needs. */
static void check_relation_column(Parser *p) {
  const TableSpec *spec = p->spec;
  const Relation *relation = &spec->relation;
  if (relation->kind == ONE_TO_ONE && spec->key >= 0 && spec->column[spec->key].type == TYPE_TEXT)
    parser_fail(p,
                "relation=one_to_one takes the rowid as the parent's key: the table may not have a text primary key");
  for (int i = 0; i < spec->column_count; i++) {
    const Column *c = &spec->column[i];
    if (relation->column && sqlite3_stricmp(c->name, relation->column) == 0 &&
        (c->kind == COL_METADATA || c->kind == COL_PARTITION))
      return;
  }
  if (relation->column)
    parser_fail(p, "parent_column=%s is no metadata or partition column of the table", relation->column);
}

/* What content= needs and excludes, and the key's name. */
static void check_content(Parser *p) {
  TableSpec *spec = p->spec;
  const char *key = spec->key >= 0 ? spec->column[spec->key].name : "rowid";
  if (spec->content && spec->content_pages) parser_fail(p, "content= is given twice: as '%s' and as ''", spec->content);
  if (spec->content == NULL) {
    if (spec->content_rowid) parser_fail(p, "content_rowid= needs content='table'");
    return;
  }
  if (spec->key >= 0 && spec->column[spec->key].type == TYPE_TEXT)
    parser_fail(p, "a table with content= is keyed by the content's rowid: it may not have a text primary key");
  if (spec->relation.parent || spec->events)
    parser_fail(p, "relates_to= and events= are not for tables with content=: foreign keys and events belong to the "
                   "content table");
  if (spec->content_rowid == NULL) set_text(p, &spec->content_rowid, key);
  if (!p->rc && spec->key >= 0 && sqlite3_stricmp(spec->content_rowid, key) != 0)
    parser_fail(p, "content_rowid='%s' and the primary key %s must have the same name", spec->content_rowid, key);
}

/* What the columns are for: vectors, or values. */
static void check_columns(Parser *p) {
  const TableSpec *spec = p->spec;
  if (!spec->dialect->values) {
    if (p->count[COL_VECTOR] == 0) parser_fail(p, "At least one vector column is required");
    return;
  }
  if (spec->key < 0) parser_fail(p, "A map needs a key: 'name INTEGER PRIMARY KEY'");
  if (spec->value_count == 0) parser_fail(p, "At least one column is required beside the key");
  if (spec->model) parser_fail(p, "model= is for vectors: a map has none");
  add_record(p);
}

/* Without a primary key the first column is `rowid`, so that no other may have the name. */
static void check_whole(Parser *p) {
  const TableSpec *spec = p->spec;
  check_columns(p);
  check_relation(p);
  check_relation_column(p);
  check_content(p);
  if (spec->key < 0 && spec_has_column(spec, "rowid"))
    parser_fail(p, "could not declare virtual table, 'duplicate column name: rowid'");
  if (spec->model && spec_has_column(spec, "model"))
    parser_fail(p, "a table with model= has a hidden column model: no other may be called so");
}

int spec_parse(const Dialect *dialect, const char *table, int argc, const char *const *argv, TableSpec **out,
               char **error) {
  Parser p = {.error = error};

  (void)table;
  p.spec = mem_zeroed(&p.rc, 1, sizeof *p.spec);
  if (p.rc) return p.rc;
  p.spec->dialect = dialect;
  p.spec->key = -1;
  for (int i = 0; i < argc && !p.rc; i++) parse_argument(&p, argv[i]);
  if (!p.rc) check_whole(&p);
  if (p.rc)
    spec_free(p.spec);
  else
    *out = p.spec;
  return p.rc;
}

int spec_parse_relation(const char *relates_to, int argc, const char *const *argv, Relation *out, char **error) {
  Dialect dialect = dialect_quire;
  TableSpec spec = {.dialect = &dialect, .key = -1};
  Parser p = {.spec = &spec, .arg = relates_to, .at = "", .error = error};

  dialect.module = "quire_relate";
  memset(out, 0, sizeof *out);
  set_relates_to(&p, relates_to);
  for (int i = 0; i < argc && !p.rc; i++) {
    char *name;
    p.arg = p.at = argv[i];
    name = take_name(&p);
    if (name && take_char(&p, '='))
      parse_option(&p, name);
    else
      parser_fail(&p, "expected an option such as relation=one_to_many, found '%s'", argv[i]);
    mem_free(name);
  }
  if (!p.rc) check_relation(&p);
  mem_free(spec.model);
  mem_free(spec.events);
  mem_free(spec.content);
  mem_free(spec.content_rowid);
  if (p.rc)
    relation_clear(&spec.relation);
  else
    *out = spec.relation;
  return p.rc;
}

void relation_clear(Relation *relation) {
  mem_free(relation->parent);
  mem_free(relation->key);
  mem_free(relation->column);
  memset(relation, 0, sizeof *relation);
}

int spec_has_column(const TableSpec *spec, const char *name) {
  for (int i = 0; i < spec->column_count; i++) {
    if (sqlite3_stricmp(spec->column[i].name, name) == 0) return 1;
  }
  for (int i = 0; i < spec->value_count; i++) {
    if (sqlite3_stricmp(spec->value[i].name, name) == 0) return 1;
  }
  return 0;
}

void spec_free(TableSpec *spec) {
  if (spec == NULL) return;
  relation_clear(&spec->relation);
  mem_free(spec->model);
  mem_free(spec->events);
  mem_free(spec->content);
  mem_free(spec->content_rowid);
  for (int i = 0; i < spec->column_count; i++) mem_free(spec->column[i].name);
  mem_free(spec->column);
  for (int i = 0; i < spec->value_count; i++) {
    mem_free(spec->value[i].name);
    mem_free(spec->value[i].type);
  }
  mem_free(spec->value);
  mem_free(spec);
}
