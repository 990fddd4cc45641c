/*
 * vtab_words.c: conditions on columns as ranges of the words that stand for their values (wal_shim/field.h).
 *
 *   Numbers   every comparison, with SQLite's rules for integers against floats, and for numbers against texts, which are larger.
 *   Texts, blobs   equality by the order word where seven bytes tell all, else by the hash. A deliberate collision of hashes lets a row
 *             through, which SQLite then drops, as it looks at texts again (vtab_plan.c). Order by the order word: rows whose first seven bytes are
 *             those of the value are uncertain. In UTF-16 databases order is that of other bytes: only = and IN are known there.
 *   GLOB      by what stands before the first wildcard; uncertain.
 *   LIKE      so, too, in either case of its first letters; a text that is not ASCII there may match them if LIKE is ICU's.
 *
 * What is not known here (LIKE without such letters, a number against a text column, conditions on the key) is answered by SQL (vtab_filter.c).
 */
#include "vtab_int.h"

#include <math.h>

#define WORD_MAX UINT64_MAX
#define LIKE_PREFIX 4u /* bytes of a pattern that are looked at: twice as many ranges for each letter */

typedef struct Ranges {
  FieldRange *range;
  u64 count, cap;
  int rc;
} Ranges;

static void add(Ranges *r, u64 low, u64 high) {
  if (r->rc == SQLITE_OK) r->rc = mem_reserve(&r->range, &r->cap, r->count + 1, sizeof *r->range);
  if (r->rc == SQLITE_OK) r->range[r->count++] = (FieldRange){low, high};
}

static void add_all(Ranges *r) { add(r, FIELD_FIRST, WORD_MAX); }

/* All words that compare as `op` says with the word of a value, which is known by it. */
static void add_compared(Ranges *r, int op, u64 word) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
    case SQLITE_INDEX_CONSTRAINT_IS: add(r, word, word); break;
    case SQLITE_INDEX_CONSTRAINT_ISNOT: add(r, FIELD_NULL, FIELD_NULL); /* fall through */
    case SQLITE_INDEX_CONSTRAINT_NE:
      add(r, FIELD_FIRST, word - 1);
      if (word < WORD_MAX) add(r, word + 1, WORD_MAX);
      break;
    case SQLITE_INDEX_CONSTRAINT_LT: add(r, FIELD_FIRST, word - 1); break;
    case SQLITE_INDEX_CONSTRAINT_LE: add(r, FIELD_FIRST, word); break;
    case SQLITE_INDEX_CONSTRAINT_GE: add(r, word, WORD_MAX); break;
    case SQLITE_INDEX_CONSTRAINT_GT:
      if (word < WORD_MAX) add(r, word + 1, WORD_MAX);
      break;
  }
}

/* All words that may, where other values have the same word: such rows are uncertain. */
static void add_possible(Ranges *r, int op, u64 word) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
    case SQLITE_INDEX_CONSTRAINT_IS: add(r, word, word); break;
    case SQLITE_INDEX_CONSTRAINT_ISNOT: add(r, FIELD_NULL, FIELD_NULL); /* fall through */
    case SQLITE_INDEX_CONSTRAINT_NE: add_all(r); break;
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE: add(r, FIELD_FIRST, word); break;
    default: add(r, word, WORD_MAX);
  }
}

/* A value that is smaller (or larger) than all of the column's, and not NULL. */
static void add_beyond(Ranges *r, int op, int larger) {
  int upward = op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE;
  int downward = op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE;
  int unequal = op == SQLITE_INDEX_CONSTRAINT_NE || op == SQLITE_INDEX_CONSTRAINT_ISNOT;
  if (op == SQLITE_INDEX_CONSTRAINT_ISNOT) add(r, FIELD_NULL, FIELD_NULL);
  if (unequal || (larger ? downward : upward)) add_all(r);
}

/* A value between two neighbouring ones of the column's, of which the lower has the word `below`. */
static void add_between(Ranges *r, int op, u64 below) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE: add_compared(r, SQLITE_INDEX_CONSTRAINT_LE, below); break;
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE: add_compared(r, SQLITE_INDEX_CONSTRAINT_GT, below); break;
    case SQLITE_INDEX_CONSTRAINT_ISNOT: add(r, FIELD_NULL, FIELD_NULL); /* fall through */
    case SQLITE_INDEX_CONSTRAINT_NE: add_all(r); break;
  }
}

/* --- numbers --- */

static void add_integer(Ranges *r, int op, i64 value, int *uncertain) {
  u64 word = field_of_integer(value);
  if (field_is_exact(FIELD_INTEGER, word)) {
    add_compared(r, op, word);
  } else {
    add_possible(r, op, word);
    *uncertain = 1;
  }
}

/* A float against a column of integers. */
static void add_float_to_integers(Ranges *r, int op, double value, int *uncertain) {
  double whole = floor(value);
  if (value >= 9223372036854775808.0 || value < -9223372036854775808.0) {
    add_beyond(r, op, value > 0);
  } else if (whole == value) {
    add_integer(r, op, (i64)value, uncertain);
  } else {
    add_between(r, op, field_of_integer((i64)whole));
    *uncertain |= !field_is_exact(FIELD_INTEGER, field_of_integer((i64)whole));
  }
}

/* An integer against a column of floats: it may lie between two of them. */
static void add_integer_to_floats(Ranges *r, int op, i64 value) {
  double nearest = (double)value;
  int above = nearest >= 9223372036854775808.0 || (i64)nearest > value;
  if (!above && (i64)nearest == value)
    add_compared(r, op, field_of_float(nearest));
  else
    add_between(r, op, field_of_float(nearest) - (u64)above); /* the words of neighbouring doubles are neighbours */
}

static void add_number(Ranges *r, FieldType type, int op, sqlite3_value *value, int *uncertain) {
  int is = sqlite3_value_numeric_type(value);
  if (is != SQLITE_INTEGER && is != SQLITE_FLOAT)
    add_beyond(r, op, 1);
  else if (type == FIELD_INTEGER && is == SQLITE_INTEGER)
    add_integer(r, op, sqlite3_value_int64(value), uncertain);
  else if (type == FIELD_INTEGER)
    add_float_to_integers(r, op, sqlite3_value_double(value), uncertain);
  else if (is == SQLITE_INTEGER)
    add_integer_to_floats(r, op, sqlite3_value_int64(value));
  else
    add_compared(r, op, field_of_float(sqlite3_value_double(value)));
}

/* --- texts and blobs --- */

/* A text or blob; r->rc is set if it is not to be had. */
static const void *bytes_of(Ranges *r, FieldType type, sqlite3_value *value, u64 *size) {
  const void *bytes = type == FIELD_TEXT ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
  *size = (u64)sqlite3_value_bytes(value);
  if (bytes) return bytes;
  if (*size || type == FIELD_TEXT) r->rc = SQLITE_NOMEM;
  *size = 0;
  return "";
}

static int is_equality(int op) {
  return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_IS || op == SQLITE_INDEX_CONSTRAINT_NE ||
         op == SQLITE_INDEX_CONSTRAINT_ISNOT;
}

/* *word is raised by one if the ranges are those of the hash. */
static void add_bytes(Ranges *r, VecTable *vt, FieldType type, int op, sqlite3_value *value, u32 *word,
                      int *uncertain) {
  u64 size, order;
  const void *bytes = bytes_of(r, type, value, &size);
  order = field_of_bytes(bytes, size);
  if (field_is_exact(type, order)) {
    add_compared(r, op, order);
  } else if (is_equality(op)) {
    ++*word;
    add_compared(r, op, field_hash(table_field_key(vt->table), bytes, size));
  } else {
    add_possible(r, op, order);
    *uncertain = 1;
  }
}

/* Texts that begin with these bytes. */
static void add_prefix(Ranges *r, const char *bytes, u64 size) {
  u64 low = field_of_bytes(bytes, size), used = MIN(size, FIELD_PREFIX);
  add(r, MAX(low, FIELD_FIRST), used ? low | (WORD_MAX >> 8 * used) : WORD_MAX);
}

/* Texts that begin with what stands before the pattern's first wildcard. */
static void add_glob(Ranges *r, const char *bytes, u64 size) {
  u64 prefix = 0;
  while (prefix < size && strchr("*?[", bytes[prefix]) == NULL) prefix++;
  add_prefix(r, bytes, prefix);
}

static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* The same for LIKE: `begin` has its first `at` bytes, in one of their cases. */
static void add_like(Ranges *r, const char *pattern, u64 size, char *begin, u32 at) {
  char c = at < size ? pattern[at] : '%';
  if (at == LIKE_PREFIX || c == '%' || c == '_' || c == 0 || (u8)c >= 0x80) {
    add_prefix(r, begin, at);
    return;
  }
  begin[at] = c;
  add_like(r, pattern, size, begin, at + 1);
  if (!is_letter(c)) return;
  begin[at] = (char)(c ^ 0x20);
  add_like(r, pattern, size, begin, at + 1);
  add(r, field_of_bytes(begin, at) | (u64)0x80 << 8 * (FIELD_PREFIX - at),
      field_of_bytes(begin, at) | WORD_MAX >> 8 * at);
}

/* --- terms --- */

static int add_term(VecTable *vt, const FieldShape *field, int op, sqlite3_value *value, Ranges *r, u32 *word,
                    int *uncertain) {
  int is = sqlite3_value_type(value), is_bytes = field->type == FIELD_TEXT || field->type == FIELD_BLOB;
  int is_pattern = op == SQLITE_INDEX_CONSTRAINT_LIKE || op == SQLITE_INDEX_CONSTRAINT_GLOB;
  if (op == SQLITE_INDEX_CONSTRAINT_ISNULL || (op == SQLITE_INDEX_CONSTRAINT_IS && is == SQLITE_NULL)) {
    add(r, FIELD_NULL, FIELD_NULL);
  } else if (op == SQLITE_INDEX_CONSTRAINT_ISNOTNULL || (op == SQLITE_INDEX_CONSTRAINT_ISNOT && is == SQLITE_NULL)) {
    add_all(r);
  } else if (is == SQLITE_NULL) {
    /* no row compares with NULL */
  } else if (!is_bytes) {
    if (is_pattern) return 0;
    add_number(r, field->type, op, value, uncertain);
  } else if (is != (field->type == FIELD_TEXT ? SQLITE_TEXT : SQLITE_BLOB)) {
    return 0;
  } else if (field->type == FIELD_TEXT && !vtab_is_utf8(vt) && op != SQLITE_INDEX_CONSTRAINT_EQ) {
    return 0;
  } else if (is_pattern && field->type == FIELD_BLOB) {
    return 0;
  } else if (is_pattern) {
    char begin[LIKE_PREFIX];
    u64 size;
    const char *pattern = bytes_of(r, FIELD_TEXT, value, &size);
    if (op == SQLITE_INDEX_CONSTRAINT_GLOB)
      add_glob(r, pattern, size);
    else if (size == 0 || strchr("%_", pattern[0]) == NULL)
      add_like(r, pattern, size, begin, 0);
    else
      return 0;
    *uncertain = 1;
  } else {
    add_bytes(r, vt, field->type, op, value, word, uncertain);
  }
  return 1;
}

/* IN: equal to one of the values. For texts and blobs all by their hashes, since one of them may be long. */
static int add_in(VecTable *vt, const FieldShape *field, sqlite3_value *list, Ranges *r, u32 *word, int *uncertain) {
  int is_bytes = field->type == FIELD_TEXT || field->type == FIELD_BLOB, known = 1;
  sqlite3_value *value;
  int rc = sqlite3_vtab_in_first(list, &value);

  *word += (u32)is_bytes;
  for (; rc == SQLITE_OK && known; rc = sqlite3_vtab_in_next(list, &value)) {
    int is = sqlite3_value_type(value);
    u64 size;
    if (is == SQLITE_NULL) continue;
    if (!is_bytes) {
      add_number(r, field->type, SQLITE_INDEX_CONSTRAINT_EQ, value, uncertain);
    } else if (is == (field->type == FIELD_TEXT ? SQLITE_TEXT : SQLITE_BLOB)) {
      const void *bytes = bytes_of(r, field->type, value, &size);
      u64 hash = field_hash(table_field_key(vt->table), bytes, size);
      add(r, hash, hash);
    } else {
      known = 0;
    }
  }
  if (rc != SQLITE_OK && rc != SQLITE_DONE) r->rc = rc;
  return known;
}

int words_add(VecTable *vt, const PlanTerm *term, sqlite3_value *arg, Filter *filter, int *known) {
  const FieldShape *field;
  Ranges r = {0};
  u32 word;
  int uncertain = 0, rc;

  *known = 0;
  if (term->column < 0 || vt->column_field[term->column] < 0) return SQLITE_OK;
  field = &table_shape(vt->table)->field[vt->column_field[term->column]];
  word = field->word;
  *known = term->kind == TERM_FILTER_IN ? add_in(vt, field, arg, &r, &word, &uncertain)
                                        : add_term(vt, field, term->op, arg, &r, &word, &uncertain);
  rc = r.rc;
  if (rc == SQLITE_OK && *known) rc = filter_add(filter, word, r.range, r.count);
  filter->uncertain |= uncertain;
  mem_free(r.range);
  return rc;
}
