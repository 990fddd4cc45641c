/*
 * vtab_filter.c: which rows may a KNN search return?
 *
 * Rows that are named (rowid = ?, rowid IN, key IN) make sets of rowids, which are intersected. Other predicates become ranges of the words
 * that stand for values beside the vectors (vtab_words.c), which the search itself looks at. Where one of them has no such form, all
 * become one SELECT over the content table, answered by SQLite itself, or, when rows are named too, one look at each of those.
 * IN on other columns is not part of the SELECT, since lists are longer than there may be parameters: its column is selected, and looked
 * up in the sorted set of its values.
 */
#include "vtab_int.h"

#include <stdlib.h>

/* --- sets of rowids --- */

typedef struct RowidSet {
  i64 *rowid;
  u64 count, cap;
} RowidSet;

static int set_add(RowidSet *set, i64 rowid) {
  if (set->count == set->cap) {
    int rc = mem_reserve(&set->rowid, &set->cap, set->count + 1, sizeof *set->rowid);
    if (rc) return rc;
  }
  set->rowid[set->count++] = rowid;
  return SQLITE_OK;
}

static int compare_rowids(const void *a, const void *b) {
  i64 x = *(const i64 *)a, y = *(const i64 *)b;
  return (x > y) - (x < y);
}

/* Sort, and drop repetitions. */
static void set_sort(RowidSet *set) {
  u64 used = 0, sorted = 1;
  while (sorted < set->count && set->rowid[sorted - 1] < set->rowid[sorted]) sorted++;
  if (sorted >= set->count) return; /* as SQLite's own sets come */
  if (set->count > 1) qsort(set->rowid, (size_t)set->count, sizeof *set->rowid, compare_rowids);
  for (u64 i = 0; i < set->count; i++) {
    if (used == 0 || set->rowid[used - 1] != set->rowid[i]) set->rowid[used++] = set->rowid[i];
  }
  set->count = used;
}

/* Keep in `set` what is in `other` too; both sorted. */
static void set_intersect(RowidSet *set, const RowidSet *other) {
  u64 used = 0, j = 0;
  for (u64 i = 0; i < set->count; i++) {
    while (j < other->count && other->rowid[j] < set->rowid[i]) j++;
    if (j < other->count && other->rowid[j] == set->rowid[i]) set->rowid[used++] = set->rowid[i];
  }
  set->count = used;
}

/* --- rows that are named --- */

/* The rowid that equals the value; SQLITE_NOTFOUND if none does. */
static int rowid_of(sqlite3_value *value, i64 *rowid) {
  double real;

  switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER: *rowid = sqlite3_value_int64(value); return SQLITE_OK;
    case SQLITE_FLOAT:
      real = sqlite3_value_double(value);
      if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0)) return SQLITE_NOTFOUND;
      *rowid = (i64)real;
      return (double)*rowid == real ? SQLITE_OK : SQLITE_NOTFOUND;
    default: return SQLITE_NOTFOUND;
  }
}

/* Add the row whose key is `value`, if there is one. */
static int add_key(VecTable *vt, TermKind kind, sqlite3_value *value, RowidSet *set) {
  int by_text = kind == TERM_KEY || kind == TERM_KEY_IN;
  i64 rowid = 0;
  int rc = by_text ? content_find(vt->content, value, &rowid) : rowid_of(value, &rowid);

  if (rc == SQLITE_NOTFOUND) return SQLITE_OK;
  return rc ? rc : set_add(set, rowid);
}

/* The rows that one term names, sorted. */
static int named_rows(VecTable *vt, const PlanTerm *term, sqlite3_value *arg, RowidSet *set) {
  sqlite3_value *value;
  int rc;

  if (term->kind == TERM_ROWID || term->kind == TERM_KEY) return add_key(vt, term->kind, arg, set);
  rc = sqlite3_vtab_in_first(arg, &value);
  while (rc == SQLITE_OK) {
    rc = add_key(vt, term->kind, value, set);
    if (rc == SQLITE_OK) rc = sqlite3_vtab_in_next(arg, &value);
  }
  set_sort(set);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int is_naming(TermKind kind) {
  return kind == TERM_ROWID || kind == TERM_KEY || kind == TERM_ROWID_IN || kind == TERM_KEY_IN;
}

/* The rows that all naming terms name; *named says whether there were any terms. */
static int all_named_rows(VecTable *vt, const Plan *plan, sqlite3_value **argv, RowidSet *set, int *named) {
  RowidSet one = {0};
  int rc = SQLITE_OK;

  *named = 0;
  for (int i = 0; i < plan->term_count && rc == SQLITE_OK; i++) {
    if (!is_naming(plan->term[i].kind)) continue;
    one.count = 0;
    rc = named_rows(vt, &plan->term[i], argv[i], *named ? &one : set);
    if (*named) set_intersect(set, &one);
    *named = 1;
  }
  mem_free(one.rowid);
  return rc;
}

/* --- sets of values, for IN --- */

typedef struct ValueSet {
  int column;
  sqlite3_value **value; /* sorted */
  u64 count, cap;
  int has_number;
} ValueSet;

/* An integer against a real, exactly: -1, 0, 1. */
static int compare_mixed(i64 i, double real) {
  i64 whole;
  if (real < -9223372036854775808.0) return 1;
  if (real >= 9223372036854775808.0) return -1;
  whole = (i64)real;
  if (i != whole) return i < whole ? -1 : 1;
  return ((double)i > real) - ((double)i < real);
}

static int compare_numbers(sqlite3_value *a, sqlite3_value *b) {
  int a_is_integer = sqlite3_value_type(a) == SQLITE_INTEGER, b_is_integer = sqlite3_value_type(b) == SQLITE_INTEGER;
  double x, y;

  if (a_is_integer && b_is_integer) {
    i64 i = sqlite3_value_int64(a), j = sqlite3_value_int64(b);
    return (i > j) - (i < j);
  }
  if (a_is_integer) return compare_mixed(sqlite3_value_int64(a), sqlite3_value_double(b));
  if (b_is_integer) return -compare_mixed(sqlite3_value_int64(b), sqlite3_value_double(a));
  x = sqlite3_value_double(a);
  y = sqlite3_value_double(b);
  return (x > y) - (x < y);
}

static int compare_bytes(const void *a, int a_size, const void *b, int b_size) {
  int order = MIN(a_size, b_size) > 0 ? memcmp(a, b, (size_t)MIN(a_size, b_size)) : 0;
  return order ? order : a_size - b_size;
}

/* Order of SQL values under BINARY: numbers, texts, blobs. */
static int compare_values(sqlite3_value *a, sqlite3_value *b) {
  static const int rank[] = {
      [SQLITE_INTEGER] = 1, [SQLITE_FLOAT] = 1, [SQLITE_TEXT] = 2, [SQLITE_BLOB] = 3, [SQLITE_NULL] = 0};
  int type = sqlite3_value_type(a);
  int order = rank[type] - rank[sqlite3_value_type(b)];

  if (order || type == SQLITE_NULL) return order;
  if (rank[type] == 1) return compare_numbers(a, b);
  if (type == SQLITE_TEXT) {
    const void *x = sqlite3_value_text(a), *y = sqlite3_value_text(b);
    return compare_bytes(x, sqlite3_value_bytes(a), y, sqlite3_value_bytes(b));
  }
  return compare_bytes(sqlite3_value_blob(a), sqlite3_value_bytes(a), sqlite3_value_blob(b), sqlite3_value_bytes(b));
}

static int compare_items(const void *a, const void *b) {
  return compare_values(*(sqlite3_value *const *)a, *(sqlite3_value *const *)b);
}

static int values_add(ValueSet *set, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  int rc;

  if (type == SQLITE_NULL) return SQLITE_OK; /* equals nothing */
  rc = mem_reserve(&set->value, &set->cap, set->count + 1, sizeof *set->value);
  if (rc) return rc;
  set->value[set->count] = sqlite3_value_dup(value);
  if (set->value[set->count] == NULL) return SQLITE_NOMEM;
  set->count++;
  set->has_number |= type == SQLITE_INTEGER || type == SQLITE_FLOAT;
  return SQLITE_OK;
}

static int values_load(ValueSet *set, sqlite3_value *arg) {
  sqlite3_value *value;
  int rc = sqlite3_vtab_in_first(arg, &value);

  while (rc == SQLITE_OK) {
    rc = values_add(set, value);
    if (rc == SQLITE_OK) rc = sqlite3_vtab_in_next(arg, &value);
  }
  if (rc != SQLITE_DONE) return rc;
  if (set->count > 1) qsort(set->value, (size_t)set->count, sizeof *set->value, compare_items);
  return SQLITE_OK;
}

static int values_find(const ValueSet *set, sqlite3_value *value) {
  u64 low = 0, high = set->count;
  while (low < high) {
    u64 middle = low + (high - low) / 2;
    int order = compare_values(value, set->value[middle]);
    if (order == 0) return 1;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return 0;
}

/* A text is compared as a number too, if numbers are left in the set: SQLite would have made them texts otherwise. */
static int values_have(const ValueSet *set, sqlite3_value *value) {
  if (sqlite3_value_type(value) == SQLITE_NULL) return 0;
  if (values_find(set, value)) return 1;
  if (!set->has_number || sqlite3_value_type(value) != SQLITE_TEXT) return 0;
  return sqlite3_value_numeric_type(value) != SQLITE_TEXT && values_find(set, value);
}

static void values_clear(ValueSet *set) {
  for (u64 i = 0; i < set->count; i++) sqlite3_value_free(set->value[i]);
  mem_free(set->value);
}

/* --- the SELECT --- */

struct RowFilter {
  VecTable *vt;
  Query *query;
  ValueSet set[MAX_TERMS];
  int set_count;
  int parameters;
};

/* Prepare and bind the SELECT of the filter terms; with `by_rowid`, its last parameter is a rowid. */
static int row_filter_open(RowFilter *f, const Plan *plan, sqlite3_value **argv, int by_rowid) {
  Condition condition[MAX_TERMS + 1];
  sqlite3_value *bound[MAX_TERMS];
  Selection selection = {condition, 0, by_rowid ? ORDER_NONE : ORDER_ROWID, 0};
  int rc = SQLITE_OK;

  for (int i = 0; i < plan->term_count && rc == SQLITE_OK; i++) {
    const PlanTerm *term = &plan->term[i];
    if (term->kind == TERM_FILTER) {
      bound[selection.condition_count] = argv[i];
      condition[selection.condition_count++] = (Condition){term->column, term->op};
    } else if (term->kind == TERM_FILTER_IN) {
      f->set[f->set_count].column = term->column;
      selection.columns |= (u64)1 << term->column;
      rc = values_load(&f->set[f->set_count++], argv[i]);
    }
  }
  f->parameters = selection.condition_count;
  if (rc) return rc;
  if (by_rowid) condition[selection.condition_count++] = (Condition){CONTENT_ROWID, SQLITE_INDEX_CONSTRAINT_EQ};
  rc = content_select(f->vt->content, &selection, &f->query);
  for (int i = 0; i < f->parameters && rc == SQLITE_OK; i++) {
    if (sqlite3_bind_parameter_count(f->query->stmt) > i) rc = sqlite3_bind_value(f->query->stmt, i + 1, bound[i]);
  }
  return rc;
}

/* Whether the row that the statement stands on passes the IN terms. */
static int passes_sets(const RowFilter *f) {
  for (int i = 0; i < f->set_count; i++) {
    if (!values_have(&f->set[i], sqlite3_column_value(f->query->stmt, 1 + f->set[i].column))) return 0;
  }
  return 1;
}

/* All rows that pass. */
static int filter_all(RowFilter *f, RowidSet *set) {
  int rc;
  while ((rc = sqlite3_step(f->query->stmt)) == SQLITE_ROW) {
    if (!passes_sets(f)) continue;
    rc = set_add(set, sqlite3_column_int64(f->query->stmt, 0));
    if (rc) return rc;
  }
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Whether row `rowid` passes. */
static int passes_row(RowFilter *f, i64 rowid, int *passes) {
  int rc;
  sqlite3_bind_int64(f->query->stmt, f->parameters + 1, rowid);
  rc = sqlite3_step(f->query->stmt);
  *passes = rc == SQLITE_ROW && passes_sets(f);
  sqlite3_reset(f->query->stmt);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Keep those rows of the set that pass. */
static int filter_named(RowFilter *f, RowidSet *set) {
  u64 used = 0;
  for (u64 i = 0; i < set->count; i++) {
    int passes = 0;
    int rc = passes_row(f, set->rowid[i], &passes);
    if (rc) return rc;
    if (passes) set->rowid[used++] = set->rowid[i];
  }
  set->count = used;
  return SQLITE_OK;
}

static void row_filter_close(RowFilter *f) {
  if (f == NULL) return;
  content_return(f->vt->content, f->query);
  for (int i = 0; i < f->set_count; i++) values_clear(&f->set[i]);
  mem_free(f);
}

static int row_filter_new(VecTable *vt, const Plan *plan, sqlite3_value **argv, int by_rowid, RowFilter **out) {
  int rc = SQLITE_OK;
  RowFilter *f = mem_zeroed(&rc, 1, sizeof *f);
  if (rc) return rc;
  f->vt = vt;
  rc = row_filter_open(f, plan, argv, by_rowid);
  if (rc)
    row_filter_close(f);
  else
    *out = f;
  return rc;
}

/* Ask SQLite for the rows: those of the set that pass, or all. */
static int select_rows(VecTable *vt, const Plan *plan, sqlite3_value **argv, int named, RowidSet *set) {
  RowFilter *f = NULL;
  int rc = row_filter_new(vt, plan, argv, named, &f);
  if (rc) return rc;
  rc = named ? filter_named(f, set) : filter_all(f, set);
  row_filter_close(f);
  return rc;
}

/* --- the whole --- */

static int has_conditions(const Plan *plan) {
  for (int i = 0; i < plan->term_count; i++) {
    if (plan->term[i].kind == TERM_FILTER || plan->term[i].kind == TERM_FILTER_IN) return 1;
  }
  return 0;
}

/* The conditions as words; *out stays NULL if one has no such form. */
static int conditions_as_words(VecTable *vt, const Plan *plan, sqlite3_value **argv, Filter **out) {
  int rc = SQLITE_OK, known = 1;
  Filter *filter = mem_zeroed(&rc, 1, sizeof *filter);
  for (int i = 0; i < plan->term_count && rc == SQLITE_OK && known; i++) {
    const PlanTerm *term = &plan->term[i];
    if (term->kind == TERM_FILTER || term->kind == TERM_FILTER_IN) rc = words_add(vt, term, argv[i], filter, &known);
  }
  if (rc == SQLITE_OK && known) {
    *out = filter;
    return SQLITE_OK;
  }
  if (filter) filter_clear(filter);
  mem_free(filter);
  return rc;
}

int restriction_open(VecTable *vt, const Plan *plan, sqlite3_value **argv, Restriction *out) {
  RowidSet set = {0};
  int named, conditions = has_conditions(plan);
  int rc = all_named_rows(vt, plan, argv, &set, &named);

  memset(out, 0, sizeof *out);
  if (rc == SQLITE_OK && conditions) rc = conditions_as_words(vt, plan, argv, &out->filter);
  if (rc == SQLITE_OK && conditions && out->filter == NULL) {
    rc = select_rows(vt, plan, argv, named, &set);
    named = 1;
  }
  /* an empty set is still an array: NULL would mean all rows */
  if (rc == SQLITE_OK && named && set.rowid == NULL) set.rowid = mem_array(&rc, 1, sizeof *set.rowid);
  out->rowids = set.rowid;
  out->rowid_count = set.count;
  if (rc) restriction_close(out);
  return rc;
}

int restriction_prepare_check(VecTable *vt, const Plan *plan, sqlite3_value **argv, Restriction *r) {
  return row_filter_new(vt, plan, argv, 1, &r->check);
}

int restriction_check(Restriction *r, i64 rowid, int *passes) { return passes_row(r->check, rowid, passes); }

void restriction_close(Restriction *r) {
  mem_free(r->rowids);
  if (r->filter) filter_clear(r->filter);
  mem_free(r->filter);
  row_filter_close(r->check);
  memset(r, 0, sizeof *r);
}
