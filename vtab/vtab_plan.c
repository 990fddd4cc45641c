/*
 * vtab_plan.c: xBestIndex, and the plan as it travels to xFilter.
 *
 * idxNum is not used. idxStr is the plan in words, which EXPLAIN QUERY PLAN shows and plan_decode() reads back:
 *
 *   plan    = "knn" name index "by(" mode { "," mode } ")" { term } [ "filter(" item { "," item } ")" ] [ "order" ]
 *           | "point" term [ "vectors" ] [ "map" ]
 *           | "points" "rowid-in" [ "order" | "order-desc" ] [ "vectors" ] [ "map" ]
 *           | "scan" [ "filter(" ... ")" ] [ "order" | "order-desc" ] [ "vectors" ] [ "map" ]
 *   index   = "flat" | "hnsw" | "auto" | "ivf" | "inverted"
 *   mode    = "graph" | "graph-filtered" | "chosen-codes" | "chosen" | "scan"
 *   term    = "k" | "limit" | "ef_search" | "exact" | "oversample" | "nprobe" | "distance" compare | "rowid=" | "key=" | "rowid-in" | "key-in"
 *   item    = name ( compare | "!=" | " in" | " like" | " glob" | " is" | " is-not" | " null" | " not-null" )
 *   compare = "=" | "<" | "<=" | ">" | ">="
 *   name    = letters, digits and underscores | "any text" with doubled quotes
 *
 * Index and modes are for readers: they are those of the connection's last snapshot, and the search takes what it finds. Modes are how the search may
 * find its rows (search.h), by the words of its counters in quire_stats, which say how it did.
 *
 * "map": only rowid and vectors are wanted, of rows chosen by rowid alone, so that pages and overlay answer (vtab_rows.c).
 *
 * Arguments of xFilter: the query vector of a knn plan, then one for each term and item, in the order of the text.
 *
 * What is handed over, and what is not:
 *   - MATCH always; if SQLite could not use it, the plan is refused (SQLITE_CONSTRAINT).
 *   - k = ? is a cap, applied after all conditions handed over and before all others. LIMIT is only a hint (SQLite is wrong about it
 *     in some versions), never a cut; OFFSET is SQLite's.
 *   - ef_search = ?, nprobe = ?, exact = ? and oversample = ? are the search's settings.
 *   - rowid = ? with MATCH is the exact distance of that row. With k it is left to SQLite: else, in a join, what k
 *     means would depend on which table comes first.
 *   - rowid IN (...) brings all its values at once; beside other conditions on rowid SQLite looks at those.
 *   - Comparisons with a collation other than BINARY are SQLite's (C3 in content.c). LIKE and GLOB are functions and
 *     have none. Conditions on numeric columns are `omit`ted, as the answer is certainly the same; SQLite looks at those on other
 *     columns again, as the affinity of the other side is unknown here.
 *
 * Costs are such that a join runs the search once and outermost unless few rows come from the other side (measured
 * with (1000, 100): SQLITE-HOOKS, section 7).
 */
#include "vtab_int.h"

typedef struct Planner {
  VecTable *vt;
  sqlite3_index_info *info;
  Plan plan;
  int constraint[MAX_TERMS]; /* of term i */
  int omit[MAX_TERMS];
} Planner;

/* --- terms --- */

static int add_term(Planner *p, int constraint, TermKind kind, int column, int op, int omit) {
  Plan *plan = &p->plan;
  if (plan->term_count == MAX_TERMS) return 0;
  plan->term[plan->term_count] = (PlanTerm){kind, column, op};
  p->constraint[plan->term_count] = constraint;
  p->omit[plan->term_count] = omit;
  plan->term_count++;
  return 1;
}

static int has_term(const Plan *plan, TermKind kind) {
  for (int i = 0; i < plan->term_count; i++) {
    if (plan->term[i].kind == kind) return 1;
  }
  return 0;
}

static int is_of_one_row(const Plan *plan) { return has_term(plan, TERM_ROWID) || has_term(plan, TERM_KEY); }

/* Column of the spec that a constraint or an ORDER BY names: CONTENT_ROWID for rowid and integer key, -2 for hidden ones. */
#define HIDDEN_COLUMN (-2)
static int column_of(const VecTable *vt, int declared) {
  const TableSpec *spec = vt->spec;
  int column;

  if (declared < 0) return CONTENT_ROWID;
  if (declared == 0 && !vt->text_key) return CONTENT_ROWID;
  column = vt->layout.spec_column[declared];
  if (column < 0 || column >= spec->column_count) return HIDDEN_COLUMN;
  return spec->column[column].kind == COL_RECORD ? HIDDEN_COLUMN : column; /* values are SQLite's to compare */
}

static int is_vector(const VecTable *vt, int column) {
  return column >= 0 && vt->spec->column[column].kind == COL_VECTOR;
}

static int is_numeric(const VecTable *vt, int column) {
  ValueType type = column == CONTENT_ROWID ? TYPE_INTEGER : vt->spec->column[column].type;
  return type == TYPE_INTEGER || type == TYPE_FLOAT || type == TYPE_BOOLEAN;
}

static int is_order(int op) {
  return op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_GT ||
         op == SQLITE_INDEX_CONSTRAINT_GE;
}

static int is_compare(int op) { return op == SQLITE_INDEX_CONSTRAINT_EQ || is_order(op); }

static int is_function(int op) { return op == SQLITE_INDEX_CONSTRAINT_LIKE || op == SQLITE_INDEX_CONSTRAINT_GLOB; }

/* --- KNN --- */

/* Find MATCH on a vector column: its constraint, -1 for none. SQLITE_CONSTRAINT if it cannot be used, SQLITE_ERROR for two. */
static int find_match(Planner *p, int *match) {
  *match = -1;
  for (int i = 0; i < p->info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];
    if (c->op != SQLITE_INDEX_CONSTRAINT_MATCH || !is_vector(p->vt, column_of(p->vt, c->iColumn))) continue;
    if (!c->usable) return SQLITE_CONSTRAINT;
    if (*match >= 0)
      return vtab_error(p->vt, SQLITE_ERROR, "only 1 MATCH operator is allowed in a single %s query",
                        p->vt->spec->dialect->module);
    *match = i;
  }
  return SQLITE_OK;
}

/*
 * Find `column = ?` for a hidden column (-1: there is no such column): its constraint, -1 for none. The first counts; SQLite compares
 * the column with any other. SQLITE_CONSTRAINT if it cannot be used.
 */
static int find_setting(Planner *p, int column, int *found) {
  *found = -1;
  for (int i = 0; i < p->info->nConstraint && column >= 0; i++) {
    const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];
    if (c->iColumn != column || c->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!c->usable) return SQLITE_CONSTRAINT;
    if (*found < 0) *found = i;
  }
  return SQLITE_OK;
}

static int plan_setting(Planner *p, int column, TermKind kind) {
  int found;
  int rc = find_setting(p, column, &found);

  if (rc == SQLITE_OK && found >= 0) add_term(p, found, kind, 0, SQLITE_INDEX_CONSTRAINT_EQ, 1);
  return rc;
}

/*
 * k and LIMIT. The column k of a search that was not told is NULL, so that no row would come where it is compared otherwise: that is an error. (The other
 * settings have values to compare with.)
 */
static int plan_size(Planner *p) {
  int k = -1, limit = -1, others = 0;
  int rc = find_setting(p, p->vt->layout.k, &k);

  if (rc) return rc;
  for (int i = 0; i < p->info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];
    if (c->op == SQLITE_INDEX_CONSTRAINT_LIMIT && c->usable) limit = i;
    others |= p->vt->layout.k >= 0 && c->iColumn == p->vt->layout.k && is_order(c->op);
  }
  if (k < 0 && others)
    return vtab_error(p->vt, SQLITE_ERROR, "k in knn queries is given by `k = ?`, not by another comparison");
  if (k >= 0 && limit >= 0 && p->vt->spec->dialect->refuse_k_and_limit)
    return vtab_error(p->vt, SQLITE_ERROR, "Only LIMIT or 'k =?' can be provided, not both");
  if (k >= 0)
    add_term(p, k, TERM_K, 0, SQLITE_INDEX_CONSTRAINT_EQ, 1);
  else if (limit >= 0)
    add_term(p, limit, TERM_LIMIT, 0, 0, 0);
  return SQLITE_OK;
}

static void plan_distance(Planner *p) {
  for (int i = 0; i < p->info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];
    if (p->vt->layout.distance < 0 || c->iColumn != p->vt->layout.distance) continue;
    if (c->usable && is_compare(c->op)) add_term(p, i, TERM_DISTANCE, 0, c->op, 1);
  }
}

/* A plan by rowid = ? or, else, by rowid IN. The rest is SQLite's. */
static void plan_rowid(Planner *p) {
  for (int in = 0; in < 2; in++) {
    for (int i = 0; i < p->info->nConstraint; i++) {
      const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];

      if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ || column_of(p->vt, c->iColumn) != CONTENT_ROWID) continue;
      if (sqlite3_vtab_in(p->info, i, -1) != in) continue;
      if (in) {
        sqlite3_vtab_in(p->info, i, 1);
        p->plan.kind = PLAN_POINTS;
      }
      add_term(p, i, in ? TERM_ROWID_IN : TERM_ROWID, CONTENT_ROWID, c->op, 1);
      return;
    }
  }
}

/* key = ? and key IN: which rows, by name. In a KNN query, IN brings all its values at once. */
static void plan_key(Planner *p) {
  for (int i = 0; i < p->info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];
    int column = column_of(p->vt, c->iColumn);
    int is_text = p->vt->text_key && column == p->vt->spec->key;

    if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (column != CONTENT_ROWID && !is_text) continue;
    if (is_text && sqlite3_stricmp(sqlite3_vtab_collation(p->info, i), "BINARY") != 0) continue;
    if (p->plan.kind != PLAN_KNN) {
      add_term(p, i, is_text ? TERM_KEY : TERM_ROWID, column, c->op, !is_text);
      return;
    }
    if (sqlite3_vtab_in(p->info, i, -1)) {
      if (add_term(p, i, is_text ? TERM_KEY_IN : TERM_ROWID_IN, column, c->op, !is_text))
        sqlite3_vtab_in(p->info, i, 1);
    } else if (!has_term(&p->plan, TERM_K) && !has_term(&p->plan, TERM_ROWID) && !has_term(&p->plan, TERM_KEY)) {
      add_term(p, i, is_text ? TERM_KEY : TERM_ROWID, column, c->op, !is_text);
    }
  }
}

/* Whether constraint i is a condition that content_select answers as SQLite would. */
static int can_filter(Planner *p, int i, int *column) {
  const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];

  if (!c->usable || c->op == SQLITE_INDEX_CONSTRAINT_LIMIT || c->op == SQLITE_INDEX_CONSTRAINT_OFFSET) return 0;
  *column = column_of(p->vt, c->iColumn);
  if (*column == HIDDEN_COLUMN || is_vector(p->vt, *column) || !content_knows(c->op)) return 0;
  return is_function(c->op) || sqlite3_stricmp(sqlite3_vtab_collation(p->info, i), "BINARY") == 0;
}

static int is_taken(const Planner *p, int constraint) {
  for (int i = 0; i < p->plan.term_count; i++) {
    if (p->constraint[i] == constraint) return 1;
  }
  return 0;
}

static void plan_filters(Planner *p) {
  for (int i = 0; i < p->info->nConstraint; i++) {
    int op = p->info->aConstraint[i].op;
    int column, omit;

    if (is_taken(p, i) || !can_filter(p, i, &column)) continue;
    if (op == SQLITE_INDEX_CONSTRAINT_EQ && column == CONTENT_ROWID) continue; /* plan_key left it to SQLite */
    if (op == SQLITE_INDEX_CONSTRAINT_EQ && column == p->vt->spec->key) continue;
    omit = is_numeric(p->vt, column) && !is_function(op);
    if (p->plan.kind == PLAN_KNN && op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(p->info, i, -1)) {
      if (add_term(p, i, TERM_FILTER_IN, column, op, omit)) sqlite3_vtab_in(p->info, i, 1);
    } else {
      add_term(p, i, TERM_FILTER, column, op, omit);
    }
  }
}

/* Whether ORDER BY is (distance), (distance, rowid) or goes on after rowid, which is unique. */
static int is_distance_order(const Planner *p) {
  const sqlite3_index_info *info = p->info;

  if (info->nOrderBy == 0 || p->vt->layout.distance < 0) return 0;
  if (info->aOrderBy[0].iColumn != p->vt->layout.distance || info->aOrderBy[0].desc) return 0;
  if (info->nOrderBy == 1) return 1;
  return column_of(p->vt, info->aOrderBy[1].iColumn) == CONTENT_ROWID && !info->aOrderBy[1].desc;
}

static int plan_knn(Planner *p, int match) {
  sqlite3_index_info *info = p->info;
  int rc;

  p->plan.kind = PLAN_KNN;
  p->plan.column = column_of(p->vt, info->aConstraint[match].iColumn);
  add_term(p, match, TERM_QUERY, 0, 0, 1);
  rc = plan_size(p);
  if (rc == SQLITE_OK) rc = plan_setting(p, p->vt->layout.ef_search, TERM_EF);
  if (rc == SQLITE_OK) rc = plan_setting(p, p->vt->layout.exact, TERM_EXACT);
  if (rc == SQLITE_OK) rc = plan_setting(p, p->vt->layout.oversample, TERM_OVERSAMPLE);
  if (rc == SQLITE_OK) rc = plan_setting(p, p->vt->layout.nprobe, TERM_NPROBE);
  if (rc == SQLITE_OK) rc = plan_setting(p, p->vt->layout.model, TERM_MODEL);
  if (rc) return rc;
  plan_distance(p);
  plan_key(p);
  plan_filters(p);
  if (is_of_one_row(&p->plan)) {
    info->estimatedCost = 2;
    info->estimatedRows = 1;
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    info->orderByConsumed = 1;
    return SQLITE_OK;
  }
  info->estimatedCost = 1000;
  info->estimatedRows = 100;
  p->plan.by_distance = is_distance_order(p);
  info->orderByConsumed = p->plan.by_distance;
  return SQLITE_OK;
}

/* --- point and scan --- */

static void plan_order(Planner *p) {
  const sqlite3_index_info *info = p->info;
  if (info->nOrderBy == 0 || column_of(p->vt, info->aOrderBy[0].iColumn) != CONTENT_ROWID) return;
  p->plan.order = info->aOrderBy[0].desc ? ORDER_ROWID_DESC : ORDER_ROWID;
}

/* Whether vector columns are read, or values: SQLite gives bit 63 for all columns from there on. */
static int wants_vectors(const Planner *p) {
  for (int i = 0; i < p->vt->layout.count; i++) {
    int column = p->vt->layout.spec_column[i];
    if (column >= 0 && column_in_pages(&p->vt->spec->column[column]) && (p->info->colUsed >> MIN(i, 63) & 1)) return 1;
  }
  return 0;
}

/* Whether a column is read that is neither rowid nor in pages nor hidden. */
static int wants_others(const Planner *p) {
  for (int i = 0; i < p->vt->spec->column_count; i++) {
    int declared = p->vt->layout.declared[i];
    if (column_in_pages(&p->vt->spec->column[i]) || (i == p->vt->spec->key && !p->vt->text_key)) continue;
    if (p->info->colUsed >> MIN(declared, 63) & 1) return 1;
  }
  return 0;
}

/* Whether all terms are about the rowid, as narrow() in vtab_rows.c knows them. */
static int is_by_rowid(const Plan *plan) {
  for (int i = 0; i < plan->term_count; i++) {
    const PlanTerm *term = &plan->term[i];
    if (term->column != CONTENT_ROWID || !is_compare(term->op)) return 0;
  }
  return 1;
}

static void plan_rows(Planner *p) {
  sqlite3_index_info *info = p->info;
  double rows = 1e6;

  p->plan.kind = PLAN_POINT;
  p->plan.vectors = wants_vectors(p);
  if (p->vt->text_key)
    plan_key(p);
  else
    plan_rowid(p);
  p->plan.map = p->vt->storage->map && !wants_others(p) && is_by_rowid(&p->plan);
  if (p->plan.kind == PLAN_POINTS) {
    plan_order(p);
    info->estimatedCost = 100;
    info->estimatedRows = 25; /* as SQLite guesses the length of an IN */
    info->orderByConsumed = p->plan.order != ORDER_NONE;
    return;
  }
  if (p->plan.term_count) {
    info->estimatedCost = 5;
    info->estimatedRows = 1;
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    info->orderByConsumed = 1;
    return;
  }
  p->plan.kind = PLAN_SCAN;
  plan_filters(p);
  plan_order(p);
  p->plan.map = p->plan.map && is_by_rowid(&p->plan);
  info->estimatedCost = p->plan.term_count ? 5e5 : 1e6;
  for (int i = 0; i < p->plan.term_count; i++) {
    const PlanTerm *term = &p->plan.term[i];
    int by_index = term->kind == TERM_FILTER && term->op == SQLITE_INDEX_CONSTRAINT_EQ &&
                   term->column == vtab_indexed_column(p->vt);
    rows /= term->op == SQLITE_INDEX_CONSTRAINT_EQ ? (by_index ? 1e5 : 10) : 3;
    if (by_index) info->estimatedCost = 50;
  }
  info->estimatedRows = (sqlite3_int64)MAX(rows, 1);
  info->orderByConsumed = p->plan.order != ORDER_NONE;
}

/* --- words --- */

static const struct {
  int op;
  const char *text;
} operator_words[] = {
    /* the longer of two that begin alike comes first */
    {SQLITE_INDEX_CONSTRAINT_EQ, "="},          {SQLITE_INDEX_CONSTRAINT_NE, "!="},
    {SQLITE_INDEX_CONSTRAINT_LE, "<="},         {SQLITE_INDEX_CONSTRAINT_LT, "<"},
    {SQLITE_INDEX_CONSTRAINT_GE, ">="},         {SQLITE_INDEX_CONSTRAINT_GT, ">"},
    {SQLITE_INDEX_CONSTRAINT_LIKE, " like"},    {SQLITE_INDEX_CONSTRAINT_GLOB, " glob"},
    {SQLITE_INDEX_CONSTRAINT_ISNOT, " is-not"}, {SQLITE_INDEX_CONSTRAINT_IS, " is"},
    {SQLITE_INDEX_CONSTRAINT_ISNULL, " null"},  {SQLITE_INDEX_CONSTRAINT_ISNOTNULL, " not-null"},
};
#define OPERATOR_COUNT (sizeof operator_words / sizeof *operator_words)
#define IN_WORD " in"

static const struct {
  TermKind kind;
  const char *text;
} term_words[] = {
    /* the longer of two that begin alike comes first */
    {TERM_KEY, " key="},      {TERM_KEY_IN, " key-in"}, {TERM_K, " k"},
    {TERM_LIMIT, " limit"},   {TERM_ROWID, " rowid="},  {TERM_ROWID_IN, " rowid-in"},
    {TERM_EF, " ef_search"},  {TERM_EXACT, " exact"},   {TERM_OVERSAMPLE, " oversample"},
    {TERM_NPROBE, " nprobe"}, {TERM_MODEL, " model"},
};
#define TERM_WORD_COUNT (sizeof term_words / sizeof *term_words)

static int is_plain_name(const char *name) {
  for (; *name; name++) {
    char c = *name;
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return 0;
  }
  return 1;
}

static const char *column_name(const VecTable *vt, int column) {
  return column == CONTENT_ROWID ? content_rowid(vt->content) : vt->spec->column[column].name;
}

static void write_name(sqlite3_str *out, const char *name) {
  sqlite3_str_appendf(out, is_plain_name(name) ? "%s" : "\"%w\"", name);
}

static void write_operator(sqlite3_str *out, int op) {
  for (size_t i = 0; i < OPERATOR_COUNT; i++) {
    if (operator_words[i].op == op) sqlite3_str_appendall(out, operator_words[i].text);
  }
}

static int is_filter(const PlanTerm *term) { return term->kind == TERM_FILTER || term->kind == TERM_FILTER_IN; }

static void write_term(sqlite3_str *out, const VecTable *vt, const PlanTerm *term) {
  if (is_filter(term)) {
    write_name(out, column_name(vt, term->column));
    if (term->kind == TERM_FILTER)
      write_operator(out, term->op);
    else
      sqlite3_str_appendall(out, IN_WORD);
    return;
  }
  if (term->kind == TERM_DISTANCE) {
    sqlite3_str_appendall(out, " distance");
    write_operator(out, term->op);
    return;
  }
  for (size_t i = 0; i < TERM_WORD_COUNT; i++) {
    if (term_words[i].kind == term->kind) sqlite3_str_appendall(out, term_words[i].text);
  }
}

/* Whether terms leave only some rows. */
static int is_restricted(const Plan *plan) {
  return is_of_one_row(plan) || has_term(plan, TERM_ROWID_IN) || has_term(plan, TERM_KEY_IN) ||
         has_term(plan, TERM_FILTER) || has_term(plan, TERM_FILTER_IN);
}

/* The modes that the search may come to. */
static void write_modes(sqlite3_str *out, const Plan *plan, const IndexShape *index) {
  static const struct {
    SearchMode mode;
    const char *word;
  } words[] = {{SEARCH_INDEX, "graph"},
               {SEARCH_INDEX_FILTERED, "graph-filtered"},
               {SEARCH_CHOSEN_CODES, "chosen-codes"},
               {SEARCH_CHOSEN, "chosen"},
               {SEARCH_SCAN, "scan"}};
  u32 modes = search_modes(index, is_restricted(plan), has_term(plan, TERM_DISTANCE)), count = 0;

  if (is_of_one_row(plan)) modes = 1u << SEARCH_CHOSEN;

  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (modes >> words[i].mode & 1) sqlite3_str_appendf(out, "%s%s", count++ ? "," : " by(", words[i].word);
  }
  sqlite3_str_appendall(out, ")");
}

/* The plan in words; NULL if memory is out. */
static char *plan_encode(const VecTable *vt, const Plan *plan) {
  static const char *const order_words[] = {
      [ORDER_NONE] = "", [ORDER_ROWID] = " order", [ORDER_ROWID_DESC] = " order-desc"};
  static const char *const kind_words[] = {
      [PLAN_SCAN] = "scan", [PLAN_POINT] = "point", [PLAN_POINTS] = "points", [PLAN_KNN] = "knn "};
  sqlite3_str *out = sqlite3_str_new(vt->db);
  int filters = 0;

  sqlite3_str_appendall(out, kind_words[plan->kind]);
  if (plan->kind == PLAN_KNN) {
    write_name(out, vt->spec->column[plan->column].name);
    sqlite3_str_appendf(out, " %s", index_word(vtab_index(vt, plan->column)));
    write_modes(out, plan, vtab_index(vt, plan->column));
  }
  for (int i = 0; i < plan->term_count; i++) {
    if (is_filter(&plan->term[i])) sqlite3_str_appendall(out, filters++ ? "," : " filter(");
    write_term(out, vt, &plan->term[i]);
  }
  if (filters) sqlite3_str_appendall(out, ")");
  sqlite3_str_appendall(out, plan->by_distance ? " order" : order_words[plan->order]);
  if (plan->vectors) sqlite3_str_appendall(out, " vectors");
  if (plan->map) sqlite3_str_appendall(out, " map");
  return sqlite3_str_finish(out);
}

/* Take `word` if the text goes on with it. */
static int take(const char **at, const char *word) {
  size_t size = strlen(word);
  if (strncmp(*at, word, size) != 0) return 0;
  *at += size;
  return 1;
}

/* Take a name as write_name wrote it, if it is `name`. */
static int take_this_name(const char **at, const char *name) {
  const char *p = *at;

  if (is_plain_name(name)) {
    size_t size = strlen(name);
    char after;
    if (!take(&p, name)) return 0;
    after = (*at)[size];
    if (after != 0 && strchr(" =!<>", after) == NULL) return 0;
    *at = p;
    return 1;
  }
  if (*p++ != '"') return 0;
  for (; *name; name++) {
    if (*p++ != *name || (*name == '"' && *p++ != '"')) return 0;
  }
  if (*p++ != '"') return 0;
  *at = p;
  return 1;
}

static int take_column(const VecTable *vt, const char **at, int *column) {
  for (*column = CONTENT_ROWID; *column < vt->spec->column_count; ++*column) {
    if (take_this_name(at, column_name(vt, *column))) return 1;
  }
  return 0;
}

static int take_operator(const char **at, int *op) {
  for (size_t i = 0; i < OPERATOR_COUNT; i++) {
    if (!take(at, operator_words[i].text)) continue;
    *op = operator_words[i].op;
    return 1;
  }
  return 0;
}

static int take_filter(const VecTable *vt, const char **at, PlanTerm *term) {
  if (!take_column(vt, at, &term->column)) return 0;
  term->op = SQLITE_INDEX_CONSTRAINT_EQ;
  term->kind = TERM_FILTER_IN;
  if (take(at, IN_WORD)) return 1;
  term->kind = TERM_FILTER;
  return take_operator(at, &term->op);
}

static int take_term(const char **at, PlanTerm *term) {
  for (size_t i = 0; i < TERM_WORD_COUNT; i++) {
    if (!take(at, term_words[i].text)) continue;
    *term = (PlanTerm){term_words[i].kind, 0, SQLITE_INDEX_CONSTRAINT_EQ};
    return 1;
  }
  if (!take(at, " distance")) return 0;
  *term = (PlanTerm){TERM_DISTANCE, 0, 0};
  return take_operator(at, &term->op);
}

static int take_index(const char **at) {
  return take(at, " flat") || take(at, " hnsw") || take(at, " auto") || take(at, " ivf") || take(at, " inverted");
}

/* Modes, whatever they are; 0 if there are none. */
static int take_modes(const char **at) {
  if (!take(at, " by(")) return 0;
  *at += strspn(*at, "abcdefghijklmnopqrstuvwxyz-,");
  return take(at, ")");
}

/* The terms in order; 0 if the text is none of ours. */
static int take_terms(const VecTable *vt, const char **at, Plan *plan) {
  while (plan->term_count < MAX_TERMS && take_term(at, &plan->term[plan->term_count])) plan->term_count++;
  if (!take(at, " filter(")) return 1;
  do {
    if (plan->term_count == MAX_TERMS) return 0;
    if (!take_filter(vt, at, &plan->term[plan->term_count])) return 0;
    plan->term_count++;
  } while (take(at, ","));
  return take(at, ")");
}

int plan_decode(const VecTable *vt, const char *text, Plan *plan) {
  const char *at = text;

  plan->kind = PLAN_SCAN;
  plan->column = plan->term_count = plan->by_distance = plan->vectors = plan->map = 0;
  plan->order = ORDER_NONE;
  if (take(&at, "knn ")) {
    plan->kind = PLAN_KNN;
    if (!take_column(vt, &at, &plan->column) || !take_index(&at) || !take_modes(&at)) return SQLITE_INTERNAL;
    plan->term[plan->term_count++] = (PlanTerm){TERM_QUERY, 0, 0};
  } else if (take(&at, "points")) {
    plan->kind = PLAN_POINTS;
  } else if (take(&at, "point")) {
    plan->kind = PLAN_POINT;
  } else if (!take(&at, "scan")) {
    return SQLITE_INTERNAL;
  }
  if (!take_terms(vt, &at, plan)) return SQLITE_INTERNAL;
  if (take(&at, " order-desc"))
    plan->order = ORDER_ROWID_DESC;
  else if (take(&at, " order"))
    plan->order = ORDER_ROWID;
  plan->by_distance = plan->kind == PLAN_KNN && plan->order == ORDER_ROWID;
  plan->vectors = take(&at, " vectors");
  plan->map = take(&at, " map");
  return *at == 0 ? SQLITE_OK : SQLITE_INTERNAL;
}

/* --- the hook --- */

int vtab_best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
  Planner p = {.vt = (VecTable *)base, .info = info};
  int match;
  int rc = find_match(&p, &match);

  if (rc) return rc;
  if (match >= 0)
    rc = plan_knn(&p, match);
  else
    plan_rows(&p);
  if (rc) return rc;
  for (int i = 0; i < p.plan.term_count; i++) {
    info->aConstraintUsage[p.constraint[i]].argvIndex = i + 1;
    info->aConstraintUsage[p.constraint[i]].omit = (unsigned char)p.omit[i];
  }
  info->idxStr = plan_encode(p.vt, &p.plan);
  info->needToFreeIdxStr = 1;
  return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}
