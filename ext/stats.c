/*
 * stats.c: quire_stats, the counters of this connection, and quire_metrics(), the same as Prometheus text.
 *
 *   SELECT schema, "table", name, value FROM quire_stats
 *
 * Lines with a table are about that table, others about the schema's store (what SELECT * FROM quire says: pages, folds, cache, delta).
 * searches, hits, distances, chosen_rows, dropped_hits, late_hits, search_seconds and search_seconds_le_* are of searches: of the last, the value is how many
 * took no longer than so many seconds. scan_, chosen_, chosen_codes_, graph_, graph_filtered_ and content_searches say how searches ended (vector/search.h).
 * Text values are for people and are left out of the metrics.
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#else
#include <windows.h>
#endif

#include "../vtab/script.h"
#include "companions.h"

u64 stats_clock(void) {
#ifdef _WIN32
  LARGE_INTEGER frequency, count;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&count);
  return (u64)((double)count.QuadPart * 1e9 / (double)frequency.QuadPart);
#else
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
#endif
}

/* One counter. `le`: the upper end in seconds of a line of the histogram, else below 0. */
typedef struct Counter {
  const char *schema, *table, *name; /* table may be NULL */
  double le;
  double value;
  const char *text; /* not NULL: instead of the value */
} Counter;

typedef int Emit(void *arg, const Counter *counter);

/* --- where they come from --- */

static int each_search(const SearchStats *of, Emit *emit, void *arg) {
  const struct {
    const char *name;
    double value;
  } line[] = {{"searches", (double)of->searches},
              {"hits", (double)of->hits},
              {"distances", (double)of->distances},
              {"chosen_rows", (double)of->chosen},
              {"scan_searches", (double)of->mode[SEARCH_SCAN]},
              {"chosen_searches", (double)of->mode[SEARCH_CHOSEN]},
              {"chosen_codes_searches", (double)of->mode[SEARCH_CHOSEN_CODES]},
              {"graph_searches", (double)of->mode[SEARCH_INDEX]},
              {"graph_filtered_searches", (double)of->mode[SEARCH_INDEX_FILTERED]},
              {"content_searches", (double)of->mode[SEARCH_CONTENT]},
              {"dropped_hits", (double)of->dropped},
              {"late_hits", (double)of->late},
              {"search_seconds", (double)of->nanoseconds / 1e9}};
  u64 sum = 0;
  int rc = SQLITE_OK;

  for (size_t i = 0; i < sizeof line / sizeof *line && rc == SQLITE_OK; i++)
    rc = emit(arg, &(Counter){of->schema, of->table, line[i].name, -1, line[i].value, NULL});
  for (u32 i = 0; i + 1 < STATS_BUCKETS && rc == SQLITE_OK; i++) {
    sum += of->bucket[i];
    rc = emit(arg,
              &(Counter){of->schema, of->table, "search_seconds_le", (double)((u64)1 << i) / 1e6, (double)sum, NULL});
  }
  return rc;
}

/* The lines of one schema's table quire; none if it has none. */
static int each_of_store(sqlite3 *db, const char *schema, Emit *emit, void *arg) {
  ScriptName names[] = {{"schema", schema}, {NULL, NULL}};
  sqlite3_stmt *stmt = NULL;
  int found = 0, end;
  int rc = script_one(db, "SELECT 1 FROM \"{schema}\".sqlite_schema WHERE name = 'quire_state'", names, NULL, &found,
                      NULL, NULL);

  if (rc || !found) return rc;
  rc = script_prepare(db, "SELECT name, \"table\", value FROM \"{schema}\".quire", names, &stmt);
  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    int is_text = sqlite3_column_type(stmt, 2) == SQLITE_TEXT;
    Counter counter = {schema,
                       (const char *)sqlite3_column_text(stmt, 1),
                       (const char *)sqlite3_column_text(stmt, 0),
                       -1,
                       sqlite3_column_double(stmt, 2),
                       is_text ? (const char *)sqlite3_column_text(stmt, 2) : NULL};
    rc = counter.name ? emit(arg, &counter) : SQLITE_NOMEM;
  }
  end = sqlite3_finalize(stmt);
  return rc ? rc : end;
}

static int each_counter(sqlite3 *db, const Stats *stats, Emit *emit, void *arg) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, "PRAGMA database_list", -1, &stmt, NULL), end;

  while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *schema = (const char *)sqlite3_column_text(stmt, 1);
    rc = schema ? each_of_store(db, schema, emit, arg) : SQLITE_NOMEM;
  }
  end = sqlite3_finalize(stmt);
  if (rc == SQLITE_OK) rc = end;
  for (const SearchStats *of = stats->first; of && rc == SQLITE_OK; of = of->next) rc = each_search(of, emit, arg);
  return rc;
}

/* --- quire_stats --- */

static int emit_row(void *arg, const Counter *counter) {
  TableCall *call = arg;
  char name[64];
  int rc = rows_begin(call);

  if (counter->le >= 0)
    sqlite3_snprintf(sizeof name, name, "%s_%.6f", counter->name, counter->le);
  else
    sqlite3_snprintf(sizeof name, name, "%s", counter->name);
  if (rc == SQLITE_OK) rc = rows_text(call, counter->schema);
  if (rc == SQLITE_OK) rc = rows_text(call, counter->table);
  if (rc == SQLITE_OK) rc = rows_text(call, name);
  if (rc) return rc;
  if (counter->text) return rows_text(call, counter->text);
  if (counter->value == (double)(i64)counter->value && strcmp(counter->name, "search_seconds") != 0)
    return rows_integer(call, (i64)counter->value);
  return rows_real(call, counter->value);
}

static int fill_stats(TableCall *call) {
  int rc = each_counter(call->db, companions_stats(call->companions), emit_row, call);
  return call_fail_db(call, rc);
}

const TableFunction quire_stats = {
    .name = "quire_stats",
    .declaration = "CREATE TABLE x(schema TEXT, \"table\" TEXT, name TEXT, value)",
    .columns = 4,
    .fill = fill_stats,
};

/* --- quire_metrics --- */

/* A label's value: backslash, quote and line feed escaped. */
static void append_label(sqlite3_str *text, const char *name, const char *value) {
  sqlite3_str_appendf(text, "%s=\"", name);
  for (; *value; value++) {
    if (*value == '\\' || *value == '"') sqlite3_str_appendchar(text, 1, '\\');
    if (*value == '\n')
      sqlite3_str_appendall(text, "\\n");
    else
      sqlite3_str_appendchar(text, 1, *value);
  }
  sqlite3_str_appendchar(text, 1, '"');
}

/* All lines of one metric have to follow each other: they are collected by name. */
typedef struct MetricText {
  char *name;
  sqlite3_str *text;
} MetricText;

typedef struct Metrics {
  MetricText *metric;
  u64 count, cap;
} Metrics;

static int find_metric(Metrics *m, const char *name, const char *type, sqlite3_str **out) {
  int rc = SQLITE_OK;
  for (u64 i = 0; i < m->count; i++) {
    if (strcmp(m->metric[i].name, name) != 0) continue;
    *out = m->metric[i].text;
    return SQLITE_OK;
  }
  rc = mem_reserve(&m->metric, &m->cap, m->count + 1, sizeof *m->metric);
  if (rc) return rc;
  m->metric[m->count].name = mem_strdup(&rc, name);
  if (rc) return rc;
  m->metric[m->count].text = *out = sqlite3_str_new(NULL);
  m->count++;
  sqlite3_str_appendf(*out, "# TYPE quire_%s %s\n", name, type);
  return SQLITE_OK;
}

/* Values that go up and down; all others only grow while the connection lives. */
static int is_gauge(const char *name) {
  static const char *const gauges[] = {"format", "fold_number", "pages",      "free_pages",
                                       "slots",  "live_slots",  "delta_rows", "narrow_bytes"};
  for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++) {
    if (strcmp(name, gauges[i]) == 0) return 1;
  }
  return 0;
}

static void append_labels(sqlite3_str *text, const Counter *counter) {
  sqlite3_str_appendchar(text, 1, '{');
  append_label(text, "schema", counter->schema);
  if (counter->table) {
    sqlite3_str_appendchar(text, 1, ',');
    append_label(text, "table", counter->table);
  }
}

static int emit_metric(void *arg, const Counter *counter) {
  Metrics *m = arg;
  int in_histogram =
      counter->le >= 0 || strcmp(counter->name, "search_seconds") == 0 || strcmp(counter->name, "searches") == 0;
  const char *suffix = counter->le >= 0 ? "_bucket" : strcmp(counter->name, "searches") == 0 ? "_count" : "_sum";
  sqlite3_str *text;
  char name[64];
  int rc;

  if (counter->text) return SQLITE_OK;
  if (in_histogram) {
    rc = find_metric(m, "search_seconds", "histogram", &text);
    if (rc) return rc;
    sqlite3_str_appendf(text, "quire_search_seconds%s", suffix);
    append_labels(text, counter);
    if (counter->le >= 0) sqlite3_str_appendf(text, ",le=\"%.6f\"", counter->le);
    sqlite3_str_appendf(text, "} %!.15g\n", counter->value);
    if (strcmp(suffix, "_count") == 0) { /* the last bucket holds all */
      sqlite3_str_appendall(text, "quire_search_seconds_bucket");
      append_labels(text, counter);
      sqlite3_str_appendf(text, ",le=\"+Inf\"} %!.15g\n", counter->value);
    }
    return SQLITE_OK;
  }
  sqlite3_snprintf(sizeof name, name, is_gauge(counter->name) ? "%s" : "%s_total", counter->name);
  rc = find_metric(m, name, is_gauge(counter->name) ? "gauge" : "counter", &text);
  if (rc) return rc;
  sqlite3_str_appendf(text, "quire_%s", name);
  append_labels(text, counter);
  sqlite3_str_appendf(text, "} %!.15g\n", counter->value);
  return SQLITE_OK;
}

static void quire_metrics(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Metrics m = {0};
  sqlite3_str *all = sqlite3_str_new(NULL);
  int rc = each_counter(sqlite3_context_db_handle(ctx), companions_stats(this_companions(ctx)), emit_metric, &m);
  char *text;

  (void)argc, (void)argv;
  for (u64 i = 0; i < m.count; i++) {
    char *part = sqlite3_str_finish(m.metric[i].text);
    if (part) sqlite3_str_appendall(all, part);
    if (part == NULL && rc == SQLITE_OK) rc = SQLITE_NOMEM;
    sqlite3_free(part);
    mem_free(m.metric[i].name);
  }
  mem_free(m.metric);
  if (rc == SQLITE_OK) rc = sqlite3_str_errcode(all);
  text = sqlite3_str_finish(all);
  if (rc) {
    sqlite3_free(text);
    result_db_failure(ctx, rc);
  } else if (text) {
    sqlite3_result_text(ctx, text, -1, sqlite3_free);
  } else {
    sqlite3_result_text(ctx, "", 0, SQLITE_STATIC);
  }
}

const ScalarFunction stats_functions[] = {
    {"quire_metrics", 0, SQLITE_DIRECTONLY, quire_metrics},
    {NULL, 0, 0, NULL},
};
