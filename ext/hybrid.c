/*
 * hybrid.c: quire_hybrid(fts, match, table, query [, options]): one ranking from an FTS5 table and a vector table.
 *
 * Columns: id (the rowid that both tables know a thing by), score, fts_rank, fts_score (BM25, smaller is better), vector_rank,
 * distance, group_key. A side that is asked with NULL, or did not find the row, gives NULL. Options are a JSON object:
 *
 *   limit 10              rows in the result
 *   candidates            rows taken from each side; 10 times the limit, at least 100, if it does not say
 *   method 'rrf'          reciprocal rank fusion: the sum over both sides of weight / (rrf_k + rank). Cormack, Clarke and Büttcher 2009
 *          'weights'      the sum of weight * (worst - x) / (worst - best) among the candidates of a side
 *   rrf_k 60, fts_weight 1, vector_weight 1
 *   column                the vector column; the first one
 *   filter                a SELECT whose first column says which rowids may come at all, from either side
 *   fts_where, vector_where   conditions in SQL on the columns of one table, for the rows that it finds
 *   group                 a column of the vector table: only the best row of each value comes
 *   mmr                   0 to 1: rows are chosen one by one by mmr * score / best score - (1 - mmr) * the largest cosine
 *                         similarity to a row chosen before. Carbonell and Goldstein 1998
 *
 * Filters hold inside each search, not after it: as many rows come as there are, up to the limit. Start at fill_hybrid().
 */
#include <math.h>
#include <stdlib.h>

#include "../vtab/script.h"
#include "companions.h"

typedef struct Options {
  i64 limit, candidates;
  double rrf_k, fts_weight, vector_weight, mmr;
  int by_weights, has_mmr;
  char *column, *filter, *fts_where, *vector_where, *group; /* NULL: not given */
} Options;

typedef struct Hit {
  i64 id;
  double score, value[2]; /* of each side */
  i64 rank[2];            /* from 1; 0: not found */
  sqlite3_value *group;
  float *vector; /* of length 1, for mmr; NULL: none */
  void *sparse;  /* or the BLOB of a sparse one */
  u32 dim;
  double similarity; /* the largest to a row that was chosen */
  int chosen;
} Hit;

typedef struct Hybrid {
  TableCall *call;
  const char *fts, *table;
  Options options;
  Hit *hit;
  u64 count, cap;
} Hybrid;

enum { FTS, VECTORS };

#define MAX_CANDIDATES 10000 /* of one side: both are compared with each other */

/* --- options --- */

static int set_text(Hybrid *h, sqlite3_value *value, char **out) {
  (void)h;
  sqlite3_free(*out);
  *out = sqlite3_mprintf("%s", (const char *)sqlite3_value_text(value));
  return *out ? SQLITE_OK : SQLITE_NOMEM;
}

static int set_option(Hybrid *h, const char *name, sqlite3_value *value) {
  Options *o = &h->options;
  const struct {
    const char *name;
    double *number;
    i64 *integer;
    char **text;
  } known[] = {{"limit", NULL, &o->limit, NULL},
               {"candidates", NULL, &o->candidates, NULL},
               {"rrf_k", &o->rrf_k, NULL, NULL},
               {"fts_weight", &o->fts_weight, NULL, NULL},
               {"vector_weight", &o->vector_weight, NULL, NULL},
               {"mmr", &o->mmr, NULL, NULL},
               {"column", NULL, NULL, &o->column},
               {"filter", NULL, NULL, &o->filter},
               {"fts_where", NULL, NULL, &o->fts_where},
               {"vector_where", NULL, NULL, &o->vector_where},
               {"group", NULL, NULL, &o->group}};
  int type = sqlite3_value_type(value);
  int is_number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;

  if (strcmp(name, "method") == 0) {
    const char *method = type == SQLITE_NULL ? "null" : (const char *)sqlite3_value_text(value);
    if (method == NULL) return SQLITE_NOMEM;
    o->by_weights = strcmp(method, "weights") == 0;
    if (o->by_weights || strcmp(method, "rrf") == 0) return SQLITE_OK;
    return call_fail(h->call, SQLITE_ERROR, "method must be 'rrf' or 'weights', found '%s'", method);
  }
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(name, known[i].name) != 0) continue;
    if (known[i].text ? type != SQLITE_TEXT : known[i].integer ? type != SQLITE_INTEGER : !is_number)
      return call_fail(h->call, SQLITE_ERROR, "option %s must be %s", name,
                       known[i].text      ? "text"
                       : known[i].integer ? "an integer"
                                          : "a number");
    if (known[i].text) return set_text(h, value, known[i].text);
    if (known[i].integer)
      *known[i].integer = sqlite3_value_int64(value);
    else
      *known[i].number = sqlite3_value_double(value);
    if (known[i].number == &o->mmr) o->has_mmr = 1;
    return SQLITE_OK;
  }
  return call_fail(
      h->call, SQLITE_ERROR,
      "unknown option '%s': known are limit, candidates, method, rrf_k, fts_weight, vector_weight, column, "
      "filter, fts_where, vector_where, group, mmr",
      name);
}

static int read_options(Hybrid *h, sqlite3_value *json) {
  sqlite3_stmt *stmt = NULL;
  Options *o = &h->options;
  int rc = SQLITE_OK;

  o->limit = 10;
  o->rrf_k = 60;
  o->fts_weight = o->vector_weight = 1;
  if (json && sqlite3_value_type(json) != SQLITE_NULL) {
    rc = sqlite3_prepare_v2(h->call->db, "SELECT key, value FROM json_each(?1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_bind_value(stmt, 1, json);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
      const char *name = (const char *)sqlite3_column_text(stmt, 0);
      if (sqlite3_column_type(stmt, 0) != SQLITE_TEXT)
        rc = call_fail(h->call, SQLITE_ERROR, "the options must be a JSON object");
      else
        rc = name ? set_option(h, name, sqlite3_column_value(stmt, 1)) : SQLITE_NOMEM;
    }
    if (rc == SQLITE_DONE) rc = SQLITE_OK;
    rc = call_fail_db(h->call, rc);
    sqlite3_finalize(stmt);
  }
  if (rc) return rc;
  if (o->limit < 0 || o->candidates < 0 || o->candidates > MAX_CANDIDATES || o->limit > MAX_CANDIDATES)
    return call_fail(h->call, SQLITE_ERROR, "limit and candidates must be from 0 to %d", MAX_CANDIDATES);
  if (!(o->rrf_k > 0) || !(o->fts_weight >= 0) || !(o->vector_weight >= 0))
    return call_fail(h->call, SQLITE_ERROR, "rrf_k must be above 0, weights not below 0");
  if (o->has_mmr && !(o->mmr >= 0 && o->mmr <= 1)) return call_fail(h->call, SQLITE_ERROR, "mmr must be from 0 to 1");
  if (o->candidates == 0) o->candidates = MIN(MAX(o->limit * 10, 100), MAX_CANDIDATES);
  return SQLITE_OK;
}

/* --- both searches --- */

/* The hit of this id, made if it is new. Candidates are few, and new ones mostly come once: a scan of the other side's. */
static int find_hit(Hybrid *h, i64 id, u64 first_side, Hit **out) {
  int rc;
  for (u64 i = 0; i < first_side; i++) {
    if (h->hit[i].id != id) continue;
    *out = &h->hit[i];
    return SQLITE_OK;
  }
  rc = mem_reserve(&h->hit, &h->cap, h->count + 1, sizeof *h->hit);
  if (rc) return rc;
  *out = &h->hit[h->count++];
  memset(*out, 0, sizeof **out);
  (*out)->id = id;
  return SQLITE_OK;
}

/* Run one side's SELECT of (rowid, value), best first, and add what it gives to the scores. */
static int search(Hybrid *h, int side, const char *script, const ScriptName *names, sqlite3_value *query) {
  Options *o = &h->options;
  double weight = side == FTS ? o->fts_weight : o->vector_weight, best = 0, worst = 0;
  sqlite3_stmt *stmt = NULL;
  u64 before = h->count;
  i64 rank = 0;
  int rc = script_prepare(h->call->db, script, names, &stmt);

  if (rc == SQLITE_OK) rc = sqlite3_bind_value(stmt, 1, query);
  if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, o->candidates);
  while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    Hit *hit;
    rc = find_hit(h, sqlite3_column_int64(stmt, 0), before, &hit);
    if (rc) break;
    hit->rank[side] = ++rank;
    hit->value[side] = worst = sqlite3_column_double(stmt, 1);
    if (rank == 1) best = worst;
  }
  if (rc == SQLITE_DONE) rc = SQLITE_OK;
  rc = call_fail_db(h->call, rc);
  sqlite3_finalize(stmt);
  for (u64 i = 0; i < h->count && rc == SQLITE_OK; i++) {
    Hit *hit = &h->hit[i];
    if (hit->rank[side] == 0) continue;
    if (!o->by_weights)
      hit->score += weight / (o->rrf_k + (double)hit->rank[side]);
    else
      hit->score += weight * (worst > best ? (worst - hit->value[side]) / (worst - best) : 1);
  }
  return rc;
}

static int check_fts(Hybrid *h) {
  ScriptName names[] = {{"fts", h->fts}, {NULL, NULL}};
  int found = 0;
  int rc =
      script_one(h->call->db, "SELECT 1 FROM pragma_module_list WHERE name = 'fts5'", names, NULL, &found, NULL, NULL);
  if (rc == SQLITE_OK && !found)
    return call_fail(h->call, SQLITE_ERROR, "quire_hybrid needs FTS5, and this SQLite is built without it");
  if (rc == SQLITE_OK)
    rc = script_one(h->call->db, "SELECT 1 FROM pragma_table_xinfo('{fts}') WHERE name = 'rank' AND hidden", names,
                    NULL, &found, NULL, NULL);
  if (rc == SQLITE_OK && !found) return call_fail(h->call, SQLITE_ERROR, "%s is no FTS5 table", h->fts);
  return call_fail_db(h->call, rc);
}

/* The first vector column, or the one that is named. */
static int find_column(Hybrid *h) {
  ScriptName names[] = {{"table", h->table}, {NULL, NULL}};
  const char *named = h->options.column;
  int found = 0, rc;

  rc = script_one(h->call->db,
                  "SELECT v.name FROM pragma_table_info('{table}') v JOIN pragma_table_info('{table}_content') c"
                  " ON c.name = v.name WHERE v.type = '' AND c.type = 'BLOB'"
                  " AND (?1 IS NULL OR v.name = ?1 COLLATE NOCASE) ORDER BY v.cid",
                  names, named, &found, NULL, named ? NULL : &h->options.column);
  if (rc == SQLITE_OK && !found)
    return named ? call_fail(h->call, SQLITE_ERROR, "%s has no vector column %s", h->table, named)
                 : call_fail(h->call, SQLITE_ERROR, "%s is no vector table", h->table);
  return call_fail_db(h->call, rc);
}

static int run_searches(Hybrid *h, sqlite3_value *match, sqlite3_value *query) {
  Options *o = &h->options;
  ScriptName names[] = {{"fts", h->fts},
                        {"table", h->table},
                        {"column", o->column},
                        {"filter", o->filter ? o->filter : ""},
                        {"open", o->filter ? " AND rowid IN (" : ""},
                        {"close", o->filter ? ")" : ""},
                        {"fts_where", o->fts_where ? o->fts_where : "1"},
                        {"vector_where", o->vector_where ? o->vector_where : "1"},
                        {NULL, NULL}};
  int rc = SQLITE_OK;

  if (sqlite3_value_type(match) != SQLITE_NULL)
    rc = search(h, FTS,
                "SELECT rowid, rank FROM \"{fts}\" WHERE \"{fts}\" MATCH ?1 AND ({fts_where}){open}{filter}{close}"
                " ORDER BY rank LIMIT ?2",
                names, match);
  if (rc == SQLITE_OK && sqlite3_value_type(query) != SQLITE_NULL)
    rc = search(h, VECTORS,
                "SELECT rowid, distance FROM \"{table}\" WHERE \"{column}\" MATCH ?1 AND ({vector_where})"
                "{open}{filter}{close} ORDER BY distance LIMIT ?2",
                names, query);
  return rc;
}

/* --- groups, vectors --- */

static int compare_hits(const void *a, const void *b) {
  const Hit *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? 1 : -1;
  return (x->id > y->id) - (x->id < y->id);
}

static void hit_clear(Hit *hit) {
  sqlite3_value_free(hit->group);
  mem_free(hit->vector);
  mem_free(hit->sparse);
}

static int take_sparse(sqlite3_value *value, Hit *hit) {
  SparseVector vector;
  char *error = NULL;
  int rc = value_sparse(value, 0, &vector, &error);

  sqlite3_free(error);
  if (rc) return rc == SQLITE_NOMEM ? rc : SQLITE_OK;
  hit->sparse = mem_array(&rc, vector.size, 1);
  if (rc == SQLITE_OK) memcpy(hit->sparse, vector.blob, (size_t)vector.size);
  sparse_vector_clear(&vector);
  return rc;
}

/* A vector's elements as floats, scaled to length 1; a sparse one as it is. */
static int take_vector(sqlite3_value *value, Hit *hit) {
  Vector vector = {0};
  char *error = NULL;
  double length = 0;
  int rc;

  if (value_is_sparse(value)) return take_sparse(value, hit);
  rc = value_vector(value, &vector, &error);

  sqlite3_free(error);
  if (rc) return rc == SQLITE_NOMEM ? rc : SQLITE_OK;
  hit->dim = vector.dim;
  hit->vector = mem_array(&rc, vector.dim, sizeof(float));
  for (u32 i = 0; i < vector.dim && rc == SQLITE_OK; i++) {
    double x = elem_get(vector.elem, vector.data, i);
    hit->vector[i] = (float)x;
    length += x * x;
  }
  for (u32 i = 0; i < vector.dim && rc == SQLITE_OK && length > 0; i++)
    hit->vector[i] = (float)(hit->vector[i] / sqrt(length));
  vector_clear(&vector);
  return rc;
}

/* Read from the vector table what groups and mmr need of each hit. */
static int read_rows(Hybrid *h) {
  Options *o = &h->options;
  ScriptName names[] = {{"table", h->table}, {"column", o->column}, {"group", o->group ? o->group : ""}, {NULL, NULL}};
  sqlite3_stmt *stmt = NULL;
  int rc;

  if (!o->group && !o->has_mmr) return SQLITE_OK;
  rc = script_prepare(h->call->db,
                      o->group ? "SELECT \"{column}\", \"{table}\".\"{group}\" FROM \"{table}\" WHERE rowid = ?1"
                               : "SELECT \"{column}\", NULL FROM \"{table}\" WHERE rowid = ?1",
                      names, &stmt);
  for (u64 i = 0; i < h->count && rc == SQLITE_OK; i++) {
    Hit *hit = &h->hit[i];
    rc = sqlite3_bind_int64(stmt, 1, hit->id);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
      hit->group = sqlite3_value_dup(sqlite3_column_value(stmt, 1));
      if (hit->group == NULL) rc = SQLITE_NOMEM;
      if (rc == SQLITE_OK && o->has_mmr && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        rc = take_vector(sqlite3_column_value(stmt, 0), hit);
    }
    if (rc == SQLITE_OK) rc = sqlite3_reset(stmt);
  }
  rc = call_fail_db(h->call, rc);
  sqlite3_finalize(stmt);
  return rc;
}

static int same_group(sqlite3_value *a, sqlite3_value *b) {
  int type, size;
  if (a == NULL || b == NULL) return 0;
  type = sqlite3_value_type(a);
  if (type == SQLITE_NULL || type != sqlite3_value_type(b)) return 0;
  if (type == SQLITE_INTEGER) return sqlite3_value_int64(a) == sqlite3_value_int64(b);
  if (type == SQLITE_FLOAT) return sqlite3_value_double(a) == sqlite3_value_double(b);
  size = sqlite3_value_bytes(a);
  return size == sqlite3_value_bytes(b) &&
         (size == 0 || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)size) == 0);
}

/* Keep the best hit of each group; hits are sorted. A hit without a value is a group of its own. */
static void keep_best_of_groups(Hybrid *h) {
  u64 kept = 0;
  for (u64 i = 0; i < h->count; i++) {
    u64 j = 0;
    while (j < kept && !same_group(h->hit[j].group, h->hit[i].group)) j++;
    if (j < kept) {
      hit_clear(&h->hit[i]);
    } else {
      Hit hit = h->hit[i];
      h->hit[kept++] = hit;
    }
  }
  h->count = kept;
}

/* --- the result --- */

static double cosine(const Hit *a, const Hit *b) {
  double sum = 0;
  if (a->sparse && b->sparse)
    return 1 - distance_exact(METRIC_COSINE, ELEM_SPARSE, a->sparse, b->sparse, sparse_view(a->sparse).dim);
  if (a->vector == NULL || b->vector == NULL || a->dim != b->dim) return 0;
  for (u32 i = 0; i < a->dim; i++) sum += (double)a->vector[i] * b->vector[i];
  return sum;
}

/* The next row by maximal marginal relevance; NULL when all are chosen. */
static Hit *choose(Hybrid *h, double best) {
  double lambda = h->options.mmr, highest = 0;
  Hit *chosen = NULL;
  for (u64 i = 0; i < h->count; i++) {
    Hit *hit = &h->hit[i];
    double value = lambda * (best > 0 ? hit->score / best : 0) - (1 - lambda) * hit->similarity;
    if (hit->chosen || (chosen && value <= highest)) continue;
    chosen = hit;
    highest = value;
  }
  if (chosen == NULL) return NULL;
  chosen->chosen = 1;
  for (u64 i = 0; i < h->count; i++) {
    double similarity = cosine(chosen, &h->hit[i]);
    if (similarity > h->hit[i].similarity) h->hit[i].similarity = similarity;
  }
  return chosen;
}

static int add_row(Hybrid *h, const Hit *hit) {
  int rc = rows_begin(h->call);
  if (rc == SQLITE_OK) rc = rows_integer(h->call, hit->id);
  if (rc == SQLITE_OK) rc = rows_real(h->call, hit->score);
  for (int side = FTS; side <= VECTORS && rc == SQLITE_OK; side++) {
    rc = hit->rank[side] ? rows_integer(h->call, hit->rank[side]) : rows_null(h->call);
    if (rc == SQLITE_OK) rc = hit->rank[side] ? rows_real(h->call, hit->value[side]) : rows_null(h->call);
  }
  if (rc == SQLITE_OK) rc = hit->group ? rows_value(h->call, hit->group) : rows_null(h->call);
  return rc;
}

static int add_rows(Hybrid *h) {
  double best = h->count ? h->hit[0].score : 0;
  int rc = SQLITE_OK;
  for (u64 i = 0; i < h->count && i < (u64)h->options.limit && rc == SQLITE_OK; i++) {
    const Hit *hit = h->options.has_mmr ? choose(h, best) : &h->hit[i];
    rc = add_row(h, hit);
  }
  return rc;
}

static int fill_hybrid(TableCall *call) {
  Hybrid h = {.call = call};
  int rc;

  h.fts = (const char *)sqlite3_value_text(call->argument[0]);
  h.table = (const char *)sqlite3_value_text(call->argument[2]);
  if (h.fts == NULL || h.table == NULL) return call_fail(call, SQLITE_ERROR, "the names of the tables must be text");
  rc = read_options(&h, call->argument[4]);
  if (rc == SQLITE_OK) rc = check_fts(&h);
  if (rc == SQLITE_OK) rc = find_column(&h);
  if (rc == SQLITE_OK) rc = run_searches(&h, call->argument[1], call->argument[3]);
  if (rc == SQLITE_OK) rc = read_rows(&h);
  if (rc == SQLITE_OK && h.count > 1) qsort(h.hit, (size_t)h.count, sizeof *h.hit, compare_hits);
  if (rc == SQLITE_OK && h.options.group) keep_best_of_groups(&h);
  if (rc == SQLITE_OK) rc = add_rows(&h);
  for (u64 i = 0; i < h.count; i++) hit_clear(&h.hit[i]);
  mem_free(h.hit);
  sqlite3_free(h.options.column);
  sqlite3_free(h.options.filter);
  sqlite3_free(h.options.fts_where);
  sqlite3_free(h.options.vector_where);
  sqlite3_free(h.options.group);
  return rc;
}

const TableFunction quire_hybrid = {
    .name = "quire_hybrid",
    .declaration =
        "CREATE TABLE x(id INTEGER, score REAL, fts_rank INTEGER, fts_score REAL, vector_rank INTEGER,"
        " distance REAL, group_key, fts HIDDEN, match HIDDEN, \"table\" HIDDEN, query HIDDEN, options HIDDEN)",
    .columns = 7,
    .arguments = 5,
    .required = 4,
    .usage = "quire_hybrid(fts_table, match, vector_table, query, options)",
    .fill = fill_hybrid,
};
