/*
 * vtab_scan.c: cursors: xOpen to xColumn.
 *
 *   knn     hits come from a Search, batch by batch, for as long as SQLite asks; k ends it early. The rest of the
 *           row is looked up in the content table when its first column is asked for, so that SELECT rowid, distance reads none.
 *   point   one row of the content table by its key, or of pages and overlay (vtab_rows.c)
 *   points  the same for the keys of an IN, all given at once
 *   scan    a statement over the content table in rowid order, stepped row by row, or pages and overlay in that order; rows of which nothing is
 *           asked for are only counted, most of them (W5)
 *
 *   V1  A search works on the snapshot taken in xFilter; a row of it that has vanished from the content table since (own
 *       writes while the cursor is open) reads as NULL.
 *   V2  Statements on loan go back in xClose and xFilter. A pending read does not hinder COMMIT, and SQLite closes
 *       cursors before it ends the statement they serve, so that none outlives its read transaction.
 *   V3  Values that an UPDATE leaves alone are not read (sqlite3_vtab_nochange), but for those of a map, whose record needs them all.
 */
#include "../vector/record.h"
#include "vtab_int.h"

#include <math.h>

#define FIRST_BATCH 16
#define MAX_FIRST_BATCH ((u64)1 << 16) /* however large k: the table may be small */
#define MAX_BATCH ((u64)1 << 20)
#define BATCH_GROWTH 4
#define MAX_PLAN_TEXT 160
#define MAX_OPEN_CURSORS 256 /* of one table: a view that stands for its content could read it, without end */

struct Cursor {
  sqlite3_vtab_cursor base;
  Plan plan;
  char text[MAX_PLAN_TEXT]; /* of the plan, if it is not longer; "": none */
  int eof;
  i64 rowid;
  /* knn */
  Search *search;
  Restriction restriction; /* read by the search */
  SearchHit *hit;
  u64 hit_cap, hit_count, hit_at;
  u64 batch, left;                /* next size, 0: nobody has said; hits that k still allows */
  u64 nanoseconds, hits, dropped; /* of this search, for the counters */
  int exhausted;
  int has_k;
  i64 k;
  u32 ef_search; /* 0: there is none, the column has no graph */
  int exact;
  u32 nprobe;     /* 0: the column has no lists */
  u32 oversample; /* in hundredths; 0: none */
  /* point, points, scan */
  Query *rows;
  MapCursor *map;
  int mapping; /* rows come from `map` */
  /* of a scan; ROWS_COUNTED: this row and the `to_pass` after it are known by their number alone */
  enum { ROWS_READ, ROWS_MAY_COUNT, ROWS_COUNTED } counting;
  u64 to_pass;
  /* the row's other columns, by rowid */
  Query *row;
  int row_has_vectors;
  enum { ROW_UNREAD, ROW_READ, ROW_MISSING } row_state;
  int rewound;
};

static Cursor *cursor_of(sqlite3_vtab_cursor *base) { return (Cursor *)base; }
static VecTable *table_of(const Cursor *cur) { return (VecTable *)cur->base.pVtab; }

/* --- open and close --- */

int vtab_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
  VecTable *vt = (VecTable *)base;
  Cursor *cur = vt->spare;
  int rc = SQLITE_OK;

  if (vt->open_cursors >= MAX_OPEN_CURSORS)
    return vtab_error(vt, SQLITE_ERROR, "table %s is read more than %d times at once: does its content read it?",
                      vt->name, MAX_OPEN_CURSORS);
  vt->spare = NULL;
  if (cur == NULL) cur = mem_zeroed(&rc, 1, sizeof *cur);
  if (rc) return rc;
  vt->open_cursors++;
  *out = &cur->base;
  return SQLITE_OK;
}

/* Count the search that ends. */
static void count_search(Cursor *cur) {
  VecTable *vt = table_of(cur);
  if (vt->searches == NULL) vt->searches = stats_of(vt->stats, vt->schema, vt->name);
  if (vt->searches == NULL) return;
  vt->searches->dropped += cur->dropped;
  vt->searches->late += search_late(cur->search);
  stats_add(vt->searches, cur->nanoseconds, cur->hits, search_distances(cur->search), search_chosen(cur->search),
            search_mode(cur->search));
}

static void rewind_search(Cursor *cur) {
  if (cur->search) count_search(cur);
  cur->nanoseconds = cur->hits = cur->dropped = 0;
  search_close(cur->search);
  cur->search = NULL;
  restriction_close(&cur->restriction);
  cur->hit_count = cur->hit_at = 0;
  cur->exhausted = cur->has_k = 0;
}

/* Forget the rows, but keep the plan and its statements: an inner loop of a join runs them again and again. */
static void cursor_rewind(Cursor *cur) {
  if (cur->rewound) return;
  cur->rewound = 1;
  if (cur->plan.kind == PLAN_KNN) rewind_search(cur);
  map_rewind(cur->map);
  cur->mapping = 0;
  cur->counting = ROWS_READ;
  cur->to_pass = 0;
  if (cur->rows) sqlite3_reset(cur->rows->stmt);
  if (cur->row) sqlite3_reset(cur->row->stmt);
  cur->row_state = ROW_UNREAD;
  cur->eof = 1;
}

/* Give back everything but the plan, which the next statement likely has, too; what remains can be filtered anew or freed. */
static void cursor_clear(Cursor *cur, VecTable *vt) {
  cursor_rewind(cur);
  if (cur->rows) content_return(vt->content, cur->rows);
  if (cur->row) content_return(vt->content, cur->row);
  cur->rows = cur->row = NULL;
  cur->row_has_vectors = 0;
}

static void cursor_free(Cursor *cur) {
  if (cur == NULL) return;
  mem_free(cur->hit);
  map_free(cur->map);
  mem_free(cur);
}

int vtab_close(sqlite3_vtab_cursor *base) {
  Cursor *cur = cursor_of(base);
  VecTable *vt = table_of(cur);

  cursor_clear(cur, vt);
  vt->open_cursors--;
  if (vt->spare || cur->hit_cap > 4096) {
    cursor_free(cur);
  } else {
    vt->spare = cur;
  }
  return SQLITE_OK;
}

void vtab_release_spare(VecTable *vt) {
  if (vt->spare) map_release(vt->spare->map);
}

void vtab_free_spare(VecTable *vt) {
  cursor_free(vt->spare);
  vt->spare = NULL;
}

/* --- knn --- */

static int poll_interrupt(void *arg) {
  VecTable *vt = arg;
#if SQLITE_VERSION_NUMBER >= 3041000
  if (sqlite3_libversion_number() >= 3041000) return sqlite3_is_interrupted(vt->db);
#endif
  return content_poll(vt->content) == SQLITE_INTERRUPT;
}

/* The sizes that the query asks for: k, or the hint of LIMIT. */
static int read_size(Cursor *cur, const PlanTerm *term, sqlite3_value *value) {
  VecTable *vt = table_of(cur);
  i64 n = sqlite3_value_int64(value);

  if (term->kind == TERM_LIMIT) {
    if (n > 0) cur->batch = MIN(MAX((u64)n, FIRST_BATCH), MAX_FIRST_BATCH);
    return SQLITE_OK;
  }
  if (n < 0) return vtab_error(vt, SQLITE_ERROR, "k value in knn queries must be greater than or equal to 0.");
  if (n > vt->spec->dialect->max_k)
    return vtab_error(vt, SQLITE_ERROR, "k value in knn query too large, provided %lld and the limit is %lld",
                      (long long)n, (long long)vt->spec->dialect->max_k);
  cur->has_k = 1;
  cur->k = n;
  cur->left = (u64)n;
  cur->batch = MIN((u64)n, MAX_FIRST_BATCH);
  return SQLITE_OK;
}

/* An integer from low to high that the query gives for a hidden column. */
static int read_setting(Cursor *cur, sqlite3_value *value, const char *name, int low, int high, u32 *out) {
  i64 n = sqlite3_value_int64(value);
  const char *found;

  if (sqlite3_value_numeric_type(value) == SQLITE_INTEGER && n >= low && n <= high) {
    *out = (u32)n;
    return SQLITE_OK;
  }
  switch (sqlite3_value_type(value)) {
    case SQLITE_NULL: found = "NULL"; break;
    case SQLITE_BLOB: found = "a BLOB"; break;
    default: found = (const char *)sqlite3_value_text(value);
  }
  return vtab_error(table_of(cur), SQLITE_ERROR, "%s in knn queries must be an integer from %d to %d, found %s", name,
                    low, high, found);
}

/* So many times as many candidates as are asked for; in hundredths, as the table's own setting. */
static int read_oversample(Cursor *cur, sqlite3_value *value, u32 *out) {
  int type = sqlite3_value_numeric_type(value);
  double factor = sqlite3_value_double(value);

  if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) || !(factor >= 1 && factor <= OVERSAMPLE_MAX))
    return vtab_error(table_of(cur), SQLITE_ERROR, "oversample in knn queries must be a number from 1 to %d",
                      OVERSAMPLE_MAX);
  *out = (u32)(factor * 100 + 0.5);
  return SQLITE_OK;
}

/* Narrow the range of distances by `distance op value`; 0 if no distance can pass. */
static int narrow(SearchRequest *request, int op, sqlite3_value *value) {
  int type = sqlite3_value_numeric_type(value);
  int lower = op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE || op == SQLITE_INDEX_CONSTRAINT_EQ;
  int upper = op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_EQ;
  int open = op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_LT;
  double d;

  if (type == SQLITE_NULL) return 0;
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return !lower; /* numbers sort before texts and blobs */
  d = sqlite3_value_double(value);
  if (lower && (d > request->min || (d == request->min && open))) {
    request->min = d;
    request->min_open = open;
  }
  if (upper && (d < request->max || (d == request->max && open))) {
    request->max = d;
    request->max_open = open;
  }
  return 1;
}

/* Drop hits that the filter was not certain about and that fail. */
static int drop_failing(Cursor *cur) {
  u64 used = 0;
  for (u64 i = 0; i < cur->hit_count; i++) {
    int passes = 0;
    int rc = restriction_check(&cur->restriction, cur->hit[i].rowid, &passes);
    if (rc) return rc;
    if (passes) cur->hit[used++] = cur->hit[i];
  }
  cur->dropped += cur->hit_count - used;
  cur->hit_count = used;
  return SQLITE_OK;
}

/* Get the next hits; *eof when there are none. Where some are dropped, more are asked for than k allows. */
static int next_batch(Cursor *cur) {
  int checked = cur->restriction.check != NULL, rc = SQLITE_OK;

  cur->hit_count = cur->hit_at = 0;
  while (rc == SQLITE_OK && cur->hit_count == 0 && !cur->exhausted && cur->left > 0) {
    u64 want = checked ? cur->batch : MIN(cur->batch, cur->left);
    /* for rows that may never be asked for there is no other pass */
    u64 least = cur->has_k || cur->hits + cur->dropped == 0 ? want : 1;
    rc = mem_reserve(&cur->hit, &cur->hit_cap, want, sizeof *cur->hit);
    if (rc == SQLITE_OK) rc = search_next(cur->search, least, want, cur->hit, &cur->hit_count);
    cur->exhausted = cur->hit_count < least;
    cur->batch = MIN(cur->batch * BATCH_GROWTH, MAX_BATCH);
    if (rc == SQLITE_OK && checked) rc = drop_failing(cur);
  }
  if (rc) return rc;
  cur->hit_count = MIN(cur->hit_count, cur->left);
  cur->hits += cur->hit_count;
  cur->left -= cur->hit_count;
  cur->eof = cur->hit_count == 0;
  if (!cur->eof) cur->rowid = cur->hit[0].rowid;
  return SQLITE_OK;
}

/* Read all arguments but the rows' filters. *possible: whether any row can come. */
static int read_terms(Cursor *cur, sqlite3_value **argv, SearchRequest *request, int *possible) {
  const Plan *plan = &cur->plan;
  int rc = SQLITE_OK;

  *possible = 1;
  for (int i = 0; i < plan->term_count && rc == SQLITE_OK; i++) {
    const PlanTerm *term = &plan->term[i];
    if (term->kind == TERM_K || term->kind == TERM_LIMIT)
      rc = read_size(cur, term, argv[i]);
    else if (term->kind == TERM_EF)
      rc = read_setting(cur, argv[i], "ef_search", EF_SEARCH_MIN, EF_SEARCH_MAX, &request->ef_search);
    else if (term->kind == TERM_NPROBE)
      rc = read_setting(cur, argv[i], "nprobe", NPROBE_MIN, NPROBE_MAX, &request->nprobe);
    else if (term->kind == TERM_EXACT)
      rc = read_setting(cur, argv[i], "exact", 0, 1, &request->exact);
    else if (term->kind == TERM_OVERSAMPLE)
      rc = read_oversample(cur, argv[i], &request->oversample);
    else if (term->kind == TERM_MODEL)
      rc = vtab_check_model(table_of(cur), argv[i], "the query");
    else if (term->kind == TERM_DISTANCE && !narrow(request, term->op, argv[i]))
      *possible = 0;
  }
  if (cur->left == 0) *possible = 0;
  return rc;
}

static int start_search(Cursor *cur, sqlite3_value **argv, SearchRequest *request) {
  VecTable *vt = table_of(cur);
  Restriction *r = &cur->restriction;
  int rc = restriction_open(vt, &cur->plan, argv, r);

  if (rc) return vtab_store_error(vt, rc);
  request->rowids = r->rowids;
  request->rowid_count = r->rowid_count;
  request->filter = r->filter;
  request->rows = cur->batch;
  if (r->rowids && r->rowid_count == 0) return SQLITE_OK;
  rc = vt->storage->search(vt, request, &cur->search);
  cur->exact = request->exact != 0;
  cur->ef_search = request->ef_search ? request->ef_search : vtab_index(vt, cur->plan.column)->ef_search;
  cur->nprobe = rc ? 0 : search_nprobe(cur->search);
  cur->oversample = request->oversample ? request->oversample : vtab_index(vt, cur->plan.column)->oversample;
  if (cur->batch == 0 && rc == SQLITE_OK) cur->batch = search_first(cur->search);
  if (rc == SQLITE_OK && (vt->storage->rows_may_be_gone || !search_is_certain(cur->search)))
    rc = restriction_prepare_check(vt, &cur->plan, argv, r);
  if (rc == SQLITE_OK) rc = next_batch(cur);
  return vtab_store_error(vt, rc);
}

static int filter_knn(Cursor *cur, sqlite3_value **argv) {
  static const VectorWords words = {"Query vector on", "Query vector for", "query vector for"};
  VecTable *vt = table_of(cur);
  Vector query = {0};
  SearchRequest request = {.min = -HUGE_VAL, .max = HUGE_VAL, .interrupted = poll_interrupt, .interrupt_arg = vt};
  int possible;
  int rc = vtab_vector(vt, cur->plan.column, argv[0], &words, &query);

  if (rc) return rc;
  cur->batch = 0;
  cur->left = INT64_MAX;
  request.column = vtab_vector_index(vt, cur->plan.column);
  request.query = query.data;
  rc = read_terms(cur, argv, &request, &possible);
  if (rc == SQLITE_OK && possible) {
    u64 start = vt->stats->now();
    rc = start_search(cur, argv, &request);
    cur->nanoseconds = vt->stats->now() - start;
  }
  vector_clear(&query);
  return rc;
}

/* --- point and scan --- */

static int step_rows(Cursor *cur) {
  int rc = sqlite3_step(cur->rows->stmt);

  cur->eof = rc != SQLITE_ROW;
  if (rc == SQLITE_ROW) {
    cur->rowid = sqlite3_column_int64(cur->rows->stmt, 0);
    return SQLITE_OK;
  }
  sqlite3_reset(cur->rows->stmt);
  return rc == SQLITE_DONE ? SQLITE_OK : vtab_store_error(table_of(cur), rc);
}

/* The statement of the plan, on loan to cur->rows. */
static int borrow_rows(Cursor *cur) {
  const Plan *plan = &cur->plan;
  VecTable *vt = table_of(cur);
  Condition condition[MAX_TERMS];
  Selection selection = {condition, plan->term_count, plan->order, content_plain_columns(vt->content)};

  if (plan->kind == PLAN_POINT && plan->term[0].kind == TERM_ROWID)
    return content_row(vt->content, plan->vectors, &cur->rows);

  if (plan->vectors) selection.columns = content_all_columns(vt->content);
  for (int i = 0; i < plan->term_count; i++) {
    const PlanTerm *term = &plan->term[i];
    condition[i].op = term->op;
    condition[i].column = term->column;
    if (term->kind == TERM_ROWID) condition[i].column = CONTENT_ROWID;
    if (term->kind == TERM_KEY) condition[i].column = vt->spec->key;
  }
  return content_select(vt->content, &selection, &cur->rows);
}

/*
 * Go on with rows of the content table in place of the map's, from the one on that is next: `first` if none has been given yet. The order is
 * kept, so that no row comes twice.
 */
static int leave_map(Cursor *cur, int first) {
  static const Condition condition[] = {{CONTENT_ROWID, SQLITE_INDEX_CONSTRAINT_GE},
                                        {CONTENT_ROWID, SQLITE_INDEX_CONSTRAINT_LE}};
  VecTable *vt = table_of(cur);
  int descending = cur->plan.order == ORDER_ROWID_DESC, rc;
  Selection selection = {condition, 2, descending ? ORDER_ROWID_DESC : ORDER_ROWID, content_plain_columns(vt->content)};
  i64 low, high;

  cur->mapping = 0;
  cur->text[0] = 0; /* the statement is not the plan's */
  map_bounds(cur->map, &low, &high);
  if (!first && cur->rowid == (descending ? low : high)) {
    cur->eof = 1;
    return SQLITE_OK;
  }
  if (!first && descending) high = cur->rowid - 1;
  if (!first && !descending) low = cur->rowid + 1;
  if (cur->plan.vectors) selection.columns = content_all_columns(vt->content);
  content_return(vt->content, cur->rows);
  cur->rows = NULL;
  rc = content_select(vt->content, &selection, &cur->rows);
  if (rc == SQLITE_OK) rc = sqlite3_bind_int64(cur->rows->stmt, 1, low);
  if (rc == SQLITE_OK) rc = sqlite3_bind_int64(cur->rows->stmt, 2, high);
  return rc ? rc : step_rows(cur);
}

/* What map_next has said, if it is not SQLITE_OK. */
NOINLINE static int end_map(Cursor *cur, int rc, int first) {
  if (rc == SQLITE_NOTFOUND) return leave_map(cur, first);
  if (rc == SQLITE_ROW) {
    cur->counting = ROWS_COUNTED;
    cur->to_pass = map_counted(cur->map) - 1;
    return SQLITE_OK;
  }
  cur->eof = 1;
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int step_map(Cursor *cur, int first) {
  int rc = map_next(cur->map, &cur->rowid);
  if (UNLIKELY(rc)) return end_map(cur, rc, first);
  cur->eof = 0;
  return SQLITE_OK;
}

/* A rowid or a column is asked for, so that no row is to be counted: those that were are read, up to this one. */
NOINLINE static int read_on(Cursor *cur) {
  u64 rows = map_counted(cur->map) - cur->to_pass;
  int rc = SQLITE_OK;

  map_read_on(cur->map);
  cur->counting = ROWS_READ;
  cur->to_pass = 0;
  for (; rows && rc == SQLITE_OK && !cur->eof; rows--) rc = cur->mapping ? step_map(cur, 0) : step_rows(cur);
  return rc == SQLITE_OK && cur->eof ? SQLITE_CORRUPT_VTAB : rc;
}

static int filter_rows(Cursor *cur, sqlite3_value **argv) {
  int rc = SQLITE_OK;

  if (cur->plan.map && table_of(cur)->storage->map)
    rc = map_filter(table_of(cur), &cur->map, &cur->plan, argv, &cur->mapping);
  if (rc) return rc;
  if (cur->mapping) {
    cur->counting = plan_may_count(&cur->plan) ? ROWS_MAY_COUNT : ROWS_READ;
    return step_map(cur, 1);
  }
  if (cur->rows == NULL) rc = borrow_rows(cur);
  if (rc == SQLITE_ERROR) return vtab_error(table_of(cur), rc, "%s", sqlite3_errmsg(table_of(cur)->db));
  for (int i = 0; i < cur->plan.term_count && rc == SQLITE_OK; i++) {
    if (i < sqlite3_bind_parameter_count(cur->rows->stmt)) rc = sqlite3_bind_value(cur->rows->stmt, i + 1, argv[i]);
  }
  return rc ? rc : step_rows(cur);
}

/* --- the row's other columns --- */

/* Look the row up, with the vectors if one is asked for; they then come with all further rows. */
static int read_row(Cursor *cur, int with_vectors) {
  VecTable *vt = table_of(cur);
  int rc = SQLITE_OK;

  if (cur->row_state == ROW_MISSING) return SQLITE_OK;
  if (cur->row_state == ROW_READ && cur->row_has_vectors >= with_vectors) return SQLITE_OK;
  if (cur->row && (cur->row_has_vectors < with_vectors || !content_is_current(vt->content, cur->row))) {
    content_return(vt->content, cur->row);
    cur->row = NULL;
  }
  if (cur->row == NULL) {
    rc = content_row(vt->content, with_vectors, &cur->row);
    if (rc) return rc;
    cur->row_has_vectors = with_vectors;
  }
  sqlite3_bind_int64(cur->row->stmt, 1, cur->rowid);
  rc = sqlite3_step(cur->row->stmt);
  cur->row_state = rc == SQLITE_ROW ? ROW_READ : ROW_MISSING;
  if (rc != SQLITE_ROW) sqlite3_reset(cur->row->stmt);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : vtab_store_error(vt, rc);
}

/* Go on to the next key of a points plan that has a row. */
static int step_points(Cursor *cur) {
  int known, rc;

  while ((rc = map_next_point(cur->map, &cur->rowid, &known)) == SQLITE_OK) {
    cur->eof = 0;
    if (known) return SQLITE_OK;
    rc = read_row(cur, cur->plan.vectors);
    if (rc || cur->row_state == ROW_READ) return rc;
    cur->row_state = ROW_UNREAD;
  }
  cur->eof = 1;
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- moving --- */

/* Read the plan, unless it is the one the cursor has. */
static int set_plan(Cursor *cur, const char *text, int argc) {
  VecTable *vt = table_of(cur);
  size_t size;
  int rc;

  if (strcmp(text, cur->text) == 0 && !(cur->rows && !content_is_current(vt->content, cur->rows))) {
    cursor_rewind(cur);
    return SQLITE_OK;
  }
  cursor_clear(cur, vt);
  cur->text[0] = 0;
  size = strlen(text) + 1;
  rc = plan_decode(vt, text, &cur->plan);
  if (rc == SQLITE_OK && argc != cur->plan.term_count) rc = SQLITE_INTERNAL;
  if (rc == SQLITE_OK && size <= sizeof cur->text) memcpy(cur->text, text, size);
  return rc;
}

int vtab_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv) {
  Cursor *cur = cursor_of(base);
  int rc = set_plan(cur, text, argc);

  (void)number;
  cur->rewound = 0;
  if (rc) return rc;
  switch (cur->plan.kind) {
    case PLAN_KNN: return filter_knn(cur, argv);
    case PLAN_POINTS:
      rc = map_filter_points(table_of(cur), &cur->map, &cur->plan, argv);
      return rc ? rc : step_points(cur);
    default: return filter_rows(cur, argv);
  }
}

/* xNext but for rows of a map that have been read from it alone. */
NOINLINE static int next_row(Cursor *cur) {
  if (cur->row && cur->row_state != ROW_UNREAD) sqlite3_reset(cur->row->stmt);
  cur->row_state = ROW_UNREAD;
  if (cur->mapping) return step_map(cur, 0);
  if (cur->plan.kind == PLAN_POINTS) return step_points(cur);
  if (cur->plan.kind == PLAN_SCAN) return step_rows(cur);
  if (cur->plan.kind == PLAN_POINT) {
    cur->eof = 1;
    return SQLITE_OK;
  }
  if (++cur->hit_at >= cur->hit_count) {
    VecTable *vt = table_of(cur);
    u64 start = vt->stats->now();
    int rc = next_batch(cur);
    cur->nanoseconds += vt->stats->now() - start;
    return vtab_store_error(vt, rc);
  }
  cur->rowid = cur->hit[cur->hit_at].rowid;
  return SQLITE_OK;
}

int vtab_next(sqlite3_vtab_cursor *base) {
  Cursor *cur = cursor_of(base);
  if (cur->to_pass) {
    cur->to_pass--;
    return SQLITE_OK;
  }
  return LIKELY(cur->mapping && cur->row_state == ROW_UNREAD) ? step_map(cur, 0) : next_row(cur);
}

int vtab_eof(sqlite3_vtab_cursor *base) { return cursor_of(base)->eof; }

int vtab_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  Cursor *cur = cursor_of(base);
  int rc = UNLIKELY(cur->counting != ROWS_READ) ? read_on(cur) : SQLITE_OK;
  *rowid = cur->rowid;
  return rc;
}

/* --- columns --- */

/* What the cell of a content row, or the pages in its place, has of a column in pages; `value`: which value of a record. */
static int result_of_cell(Cursor *cur, sqlite3_context *ctx, int column, int value, sqlite3_value *cell) {
  VecTable *vt = table_of(cur);
  const Column *c = &vt->spec->column[column];
  u32 vector = vtab_vector_index(vt, column);
  const void *bytes = NULL;
  VectorShape shape;
  int rc = vt->storage->vector(vt, cur->rowid, vector, cell, &bytes);

  if (rc) return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
  vtab_vector_shape(vt, vector, &shape);
  if (bytes) return vtab_result(&shape, value, bytes, 0, ctx);
  if (c->kind == COL_RECORD) {
    const void *record = sqlite3_value_blob(cell);
    if (record_valid(record, (u64)sqlite3_value_bytes(cell), c->dim)) return vtab_result(&shape, value, record, 0, ctx);
    return vtab_error(vt, SQLITE_CORRUPT_VTAB, "table %s, row %lld: its content row has no record of %u values",
                      vt->name, (long long)cur->rowid, c->dim);
  }
  sqlite3_result_value(ctx, cell);
  if (sqlite3_value_type(cell) == SQLITE_BLOB) sqlite3_result_subtype(ctx, elem_subtype(c->elem));
  return SQLITE_OK;
}

/* The value of a column of the spec; none set means NULL. `value`: which one of a record. */
static int result_cell(Cursor *cur, sqlite3_context *ctx, int column, int value) {
  int is_vector = column_in_pages(&table_of(cur)->spec->column[column]);
  sqlite3_stmt *stmt;

  if (cur->rows && !cur->mapping && (cur->plan.vectors || !is_vector)) {
    stmt = cur->rows->stmt;
  } else {
    int rc = read_row(cur, is_vector);
    if (rc) return rc;
    if (cur->row_state == ROW_MISSING) return SQLITE_OK;
    stmt = cur->row->stmt;
  }
  if (is_vector) return result_of_cell(cur, ctx, column, value, sqlite3_column_value(stmt, 1 + column));
  sqlite3_result_value(ctx, sqlite3_column_value(stmt, 1 + column));
  return SQLITE_OK;
}

/* A column that the map does not have. */
static int look_up(Cursor *cur, sqlite3_context *ctx, int i) {
  const VecTable *vt = table_of(cur);
  int column = vt->layout.spec_column[i];

  if (column >= 0) {
    return result_cell(cur, ctx, column, vt->layout.value[i]);
  } else if (cur->plan.kind == PLAN_KNN && i == vt->layout.distance) {
    sqlite3_result_double(ctx, cur->hit[cur->hit_at].distance);
  } else if (cur->has_k && i == vt->layout.k) {
    sqlite3_result_int64(ctx, cur->k);
  } else if (cur->plan.kind == PLAN_KNN && cur->ef_search && i == vt->layout.ef_search) {
    sqlite3_result_int64(ctx, cur->ef_search);
  } else if (cur->plan.kind == PLAN_KNN && cur->nprobe && i == vt->layout.nprobe) {
    sqlite3_result_int64(ctx, cur->nprobe);
  } else if (cur->plan.kind == PLAN_KNN && (cur->ef_search || cur->nprobe) && cur->oversample &&
             i == vt->layout.oversample) {
    sqlite3_result_double(ctx, cur->oversample / 100.0);
  } else if (cur->plan.kind == PLAN_KNN && i == vt->layout.exact) {
    sqlite3_result_int(ctx, cur->exact);
  } else if (i == vt->layout.model) {
    sqlite3_result_text(ctx, vt->spec->model, -1, SQLITE_TRANSIENT);
  }
  return SQLITE_OK;
}

/* Any column but a rowid that is at hand. */
NOINLINE static int result_column(Cursor *cur, sqlite3_context *ctx, int i) {
  const VecTable *vt = table_of(cur);
  int vector = vt->layout.vector[i], rc;

  if (UNLIKELY(cur->counting != ROWS_READ)) {
    rc = read_on(cur);
    return rc ? rc : vtab_column(&cur->base, ctx, i);
  }
  if ((vector < 0 || vt->spec->value_count == 0) && sqlite3_vtab_nochange(ctx)) return SQLITE_OK; /* V3 */
  if (vector >= 0 && cur->map) {
    rc = map_result(cur->map, (u32)vector, vt->layout.value[i], ctx);
    if (LIKELY(rc != SQLITE_NOTFOUND)) return rc;
  }
  return look_up(cur, ctx, i);
}

int vtab_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i) {
  Cursor *cur = cursor_of(base);

  if (i || table_of(cur)->text_key || cur->counting != ROWS_READ) return result_column(cur, ctx, i);
  sqlite3_result_int64(ctx, cur->rowid);
  return SQLITE_OK;
}
