/*
 * companions.c: registration of companions, quire_create and quire_drop, and what their functions share. See companions.h.
 *
 *   quire_create(kind, name [, option ...])   kind 'kv', 'documents' or 'events'; gives the name
 *   quire_drop(name [, 'schema=...'])         removes what it made; not a log that something writes to
 *
 * What there is under a name is in the table {name}_meta: kind, options. Creating the same again does nothing;
 * creating something else under a taken name is refused. Kept statements are finalized when SQLite disconnects an eponymous
 * table of ours (table_function.c), which a closing connection does before it looks for open statements; statement_borrow sees to it that
 * one is connected.
 */
#include "companions.h"

#include <stdarg.h>

#include "../vtab/script.h"
#include "schema_sql.h"

#define MAX_KEPT 64

struct Companions {
  u32 refs;
  sqlite3 *db;
  Stats *stats;
  Kept kept[MAX_KEPT];
  u32 kept_count, oldest;
  sqlite3 *watcher;
  i64 noted;
};

int companions_new(sqlite3 *db, Stats *stats, Companions **out) {
  int rc = SQLITE_OK;
  Companions *c = mem_zeroed(&rc, 1, sizeof *c);
  if (rc) return rc;
  c->refs = 1;
  c->db = db;
  c->stats = stats_retain(stats);
  *out = c;
  return SQLITE_OK;
}

Companions *companions_retain(Companions *companions) {
  companions->refs++;
  return companions;
}

static void kept_free(Kept *kept) {
  sqlite3_finalize(kept->stmt);
  mem_free(kept->name);
  memset(kept, 0, sizeof *kept);
}

void companions_close_statements(Companions *c) {
  for (u32 i = 0; i < c->kept_count; i++) kept_free(&c->kept[i]);
  c->kept_count = c->oldest = 0;
  sqlite3_close(c->watcher);
  c->watcher = NULL;
}

const Stats *companions_stats(const Companions *companions) { return companions->stats; }

i64 *companions_noted(Companions *companions) { return &companions->noted; }
sqlite3 **companions_watcher(Companions *companions) { return &companions->watcher; }

void companions_release(Companions *companions) {
  if (companions == NULL || --companions->refs) return;
  companions_close_statements(companions);
  stats_release(companions->stats);
  mem_free(companions);
}

/* --- arguments and results --- */

Companions *this_companions(sqlite3_context *ctx) { return sqlite3_user_data(ctx); }

void result_message(sqlite3_context *ctx, const char *fmt, ...) {
  va_list ap;
  char *text;
  va_start(ap, fmt);
  text = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  result_failure(ctx, text ? SQLITE_ERROR : SQLITE_NOMEM, text);
}

void result_db_failure(sqlite3_context *ctx, int rc) {
  if (rc == SQLITE_NOMEM) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  sqlite3_result_error(ctx, sqlite3_errmsg(sqlite3_context_db_handle(ctx)), -1);
  sqlite3_result_error_code(ctx, rc);
}

const char *argument_text(sqlite3_context *ctx, sqlite3_value *value, const char *what) {
  const char *text;
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    result_message(ctx, "%s must be text", what);
    return NULL;
  }
  text = (const char *)sqlite3_value_text(value);
  if (text == NULL) sqlite3_result_error_nomem(ctx);
  return text;
}

/* --- savepoints --- */

int in_savepoint(sqlite3 *db, int (*work)(sqlite3 *db, void *arg, char **error), void *arg, char **error) {
  int rc = sqlite3_exec(db, "SAVEPOINT quire_call", NULL, NULL, error);

  if (rc) return rc;
  rc = work(db, arg, error);
  if (rc && rc != SQLITE_NOMEM && *error == NULL) *error = sqlite3_mprintf("%s", sqlite3_errmsg(db));
  if (rc == SQLITE_OK) rc = sqlite3_exec(db, "RELEASE quire_call", NULL, NULL, error); /* may commit, and fail */
  if (rc) (void)sqlite3_exec(db, "ROLLBACK TO quire_call; RELEASE quire_call", NULL, NULL, NULL);
  return rc;
}

/* --- statements that are kept --- */

/* Have an eponymous table of ours connected. */
static int connect_table(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM quire_relations LIMIT 0", -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  return rc;
}

static int find_kept(Companions *c, const char *script, const char *name, Kept *out) {
  for (u32 i = 0; i < c->kept_count; i++) {
    Kept *kept = &c->kept[i];
    if (kept->script != script || strcmp(kept->name, name) != 0) continue;
    *out = *kept;
    *kept = c->kept[--c->kept_count];
    memset(&c->kept[c->kept_count], 0, sizeof *kept);
    return 1;
  }
  return 0;
}

int statement_borrow(sqlite3_context *ctx, const char *kind, const char *script, const char *name, Kept *out) {
  Companions *c = this_companions(ctx);
  ScriptName names[] = {{"name", name}, {"now", NOW_SQL}, {NULL, NULL}};
  int rc = SQLITE_OK;

  if (find_kept(c, script, name, out)) return 1;
  memset(out, 0, sizeof *out);
  out->script = script;
  out->name = mem_strdup(&rc, name);
  if (rc == SQLITE_OK && c->kept_count == 0) rc = connect_table(c->db);
  if (rc == SQLITE_OK) rc = script_prepare(c->db, script, names, &out->stmt);
  if (rc == SQLITE_OK) return 1;
  if (rc == SQLITE_ERROR)
    result_message(ctx, "there is no %s '%s' (SELECT quire_create makes one): %s", kind, name, sqlite3_errmsg(c->db));
  else
    result_db_failure(ctx, rc);
  kept_free(out);
  return 0;
}

void statement_return(sqlite3_context *ctx, Kept *kept) {
  Companions *c = this_companions(ctx);
  Kept *place;

  sqlite3_reset(kept->stmt);
  sqlite3_clear_bindings(kept->stmt);
  if (c->kept_count < MAX_KEPT) {
    place = &c->kept[c->kept_count++];
  } else {
    place = &c->kept[c->oldest++ % MAX_KEPT];
    kept_free(place);
  }
  *place = *kept;
  memset(kept, 0, sizeof *kept);
}

/* --- what there is --- */

int store_info(sqlite3 *db, const char *schema, const char *name, StoreInfo *out) {
  ScriptName names[] = {{"schema", schema}, {"name", name}, {NULL, NULL}};
  char *options = NULL;
  int found = 0;
  int rc = script_one(db, "SELECT 1 FROM \"{schema}\".sqlite_schema WHERE name = ?1 || '_meta' COLLATE NOCASE", names,
                      name, &found, NULL, NULL);

  memset(out, 0, sizeof *out);
  if (rc || !found) return rc;
  rc = script_one(db,
                  "SELECT kind FROM \"{schema}\".\"{name}_meta\" WHERE kind IN ('kv', 'documents', 'events')"
                  " AND typeof(options) = 'text' AND typeof(floor) = 'integer'",
                  names, NULL, &found, NULL, &out->kind);
  if (rc == SQLITE_ERROR) return SQLITE_OK; /* a table of somebody else's */
  if (rc == SQLITE_OK && found)
    rc = script_one(db, "SELECT options FROM \"{schema}\".\"{name}_meta\"", names, NULL, &found, NULL, &options);
  if (rc == SQLITE_OK && options && strncmp(options, "events=", 7) == 0 && options[7] != '\n') {
    const char *end = strchr(options, '\n');
    out->log = sqlite3_mprintf("%.*s", end ? (int)(end - options - 7) : -1, options + 7);
    if (out->log == NULL) rc = SQLITE_NOMEM;
  }
  sqlite3_free(options);
  if (rc) store_info_clear(out);
  return rc;
}

void store_info_clear(StoreInfo *info) {
  sqlite3_free(info->kind);
  sqlite3_free(info->log);
  memset(info, 0, sizeof *info);
}

int store_install_events(sqlite3 *db, const char *schema, const char *name, const StoreInfo *info, char **error) {
  ScriptName names[] = {
      {"schema", schema}, {"name", name}, {"log", info->log}, {"payload", KV_PAYLOAD_SQL}, {NULL, NULL}};
  return script_run(db, strcmp(info->kind, "kv") == 0 ? KV_EVENTS_SQL : DOCUMENTS_EVENTS_SQL, names, error);
}

/* --- quire_create --- */

typedef struct Create {
  const char *kind, *name, *schema;
  const char *events; /* NULL: none */
  int pending;
  char *options; /* as they are stored: "events=LOG\npending=0" */
} Create;

PRINTF_LIKE(2, 3) static int fail(char **error, const char *fmt, ...) {
  va_list ap;
  sqlite3_free(*error);
  va_start(ap, fmt);
  *error = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  return *error ? SQLITE_ERROR : SQLITE_NOMEM;
}

/* Whether the same is there already; something else of one of the names is an error. */
static int check_names(sqlite3 *db, const Create *c, int *same, char **error) {
  ScriptName names[] = {{"schema", c->schema}, {"name", c->name}, {NULL, NULL}};
  StoreInfo info;
  char *there = NULL, *options = NULL;
  int found = 0;
  int rc = store_info(db, c->schema, c->name, &info);

  if (rc == SQLITE_OK && info.kind) {
    rc = script_one(db, "SELECT options FROM \"{schema}\".\"{name}_meta\"", names, NULL, &found, NULL, &options);
    *same = rc == SQLITE_OK && strcmp(info.kind, c->kind) == 0 && strcmp(options, c->options) == 0;
    if (rc == SQLITE_OK && !*same)
      rc = fail(error, "%s is there already: a %s store or log with other options; quire_drop removes it", c->name,
                info.kind);
  } else if (rc == SQLITE_OK) {
    rc = script_one(db,
                    "SELECT type || ' ' || name FROM \"{schema}\".sqlite_schema WHERE lower(name) IN (lower(?1),"
                    " lower(?1 || '_meta'), lower(?1 || '_data'), lower(?1 || '_expires'), lower(?1 || '_pending'),"
                    " lower(?1 || '_snapshots'), lower(?1 || '_state'), lower(?1 || '_floors'))",
                    names, c->name, &found, NULL, &there);
    if (rc == SQLITE_OK && found)
      rc = fail(error, "cannot create %s %s: the name of %s is in the way", c->kind, c->name, there);
  }
  store_info_clear(&info);
  sqlite3_free(options);
  sqlite3_free(there);
  return rc;
}

static int check_log(sqlite3 *db, const Create *c, char **error) {
  StoreInfo log;
  int rc = store_info(db, c->schema, c->events, &log);
  if (rc == SQLITE_OK && (log.kind == NULL || strcmp(log.kind, "events") != 0))
    rc = fail(error, "events=%s: schema %s has no event log of that name: SELECT quire_create('events', '%s') first",
              c->events, c->schema, c->events);
  store_info_clear(&log);
  return rc;
}

static int create(sqlite3 *db, void *arg, char **error) {
  static const struct {
    const char *kind, *script;
  } kinds[] = {{"kv", KV_SQL}, {"documents", DOCUMENTS_SQL}, {"events", EVENTS_SQL}};
  Create *c = arg;
  ScriptName names[] = {
      {"schema", c->schema}, {"name", c->name}, {"options", c->options}, {"now", NOW_SQL}, {NULL, NULL}};
  StoreInfo info = {(char *)c->kind, (char *)c->events};
  const char *script = NULL;
  int same = 0, rc;

  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].kind, c->kind) == 0) script = kinds[i].script;
  }
  if (script == NULL) return fail(error, "cannot create '%s': known are kv, documents, events", c->kind);
  if (c->pending && strcmp(c->kind, "documents") != 0) return fail(error, "pending= is an option of documents");
  if (c->events && strcmp(c->kind, "events") == 0) return fail(error, "events= is no option of an event log");
  if (*c->name == 0 || strchr(c->name, '/'))
    return fail(error, "'%s' cannot be a name: it is empty or has a slash", c->name);
  rc = check_names(db, c, &same, error);
  if (rc || same) return rc;
  if (c->events) rc = check_log(db, c, error);
  if (rc == SQLITE_OK) rc = script_run(db, script, names, error);
  if (rc == SQLITE_OK && c->pending) rc = script_run(db, DOCUMENTS_PENDING_SQL, names, error);
  if (rc == SQLITE_OK && c->events) rc = store_install_events(db, c->schema, c->name, &info, error);
  return rc;
}

/* "schema=...", "events=...", "pending=yes"; reports others and gives 0. */
static int read_option(sqlite3_context *ctx, const char *text, Create *c) {
  if (sqlite3_strnicmp(text, "schema=", 7) == 0) {
    c->schema = text + 7;
  } else if (sqlite3_strnicmp(text, "events=", 7) == 0 && text[7]) {
    c->events = text + 7;
  } else if (sqlite3_stricmp(text, "pending=yes") == 0) {
    c->pending = 1;
  } else {
    result_message(ctx, "unknown option '%s': known are events=LOG, pending=yes, schema=NAME", text);
    return 0;
  }
  return 1;
}

static void quire_create(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Create c = {.schema = "main"};
  char *error = NULL;
  int rc;

  if (argc < 2) {
    result_message(ctx, "usage: quire_create(kind, name, 'events=LOG', ...), kind one of kv, documents, events");
    return;
  }
  c.kind = argument_text(ctx, argv[0], "the kind");
  c.name = c.kind ? argument_text(ctx, argv[1], "the name") : NULL;
  if (c.name == NULL) return;
  for (int i = 2; i < argc; i++) {
    const char *text = argument_text(ctx, argv[i], "an option");
    if (text == NULL || !read_option(ctx, text, &c)) return;
  }
  c.options = sqlite3_mprintf("events=%s\npending=%d", c.events ? c.events : "", c.pending);
  rc = c.options ? in_savepoint(sqlite3_context_db_handle(ctx), create, &c, &error) : SQLITE_NOMEM;
  sqlite3_free(c.options);
  if (rc)
    result_failure(ctx, rc, error);
  else
    sqlite3_result_value(ctx, argv[1]);
}

/* --- quire_drop --- */

/* What is left of a name in the text of CREATE VIRTUAL TABLE when blanks and quotes do not count. */
#define BARE(x)                                                                                                        \
  "replace(replace(replace(replace(replace(replace(lower(" x                                                           \
  "), ' ', ''), char(9), ''), char(10), ''), char(13), ''),"                                                           \
  " char(34), ''), char(39), '')"

/* A store that writes to the log; *writer is NULL, or its name, freed by sqlite3_free. */
static int find_writing_store(sqlite3 *db, const char *schema, const char *log, char **writer) {
  ScriptName names[] = {{"schema", schema}, {NULL, NULL}};
  sqlite3_stmt *stmt = NULL;
  int rc = script_prepare(db,
                          "SELECT substr(name, 1, length(name) - 5) FROM \"{schema}\".sqlite_schema"
                          " WHERE type = 'table' AND substr(name, -5) = '_meta' COLLATE NOCASE",
                          names, &stmt);
  int end;

  while (rc == SQLITE_OK && *writer == NULL && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    StoreInfo info = {0};
    rc = name ? store_info(db, schema, name, &info) : SQLITE_NOMEM;
    if (rc == SQLITE_OK && info.log && sqlite3_stricmp(info.log, log) == 0) {
      *writer = sqlite3_mprintf("%s", name);
      if (*writer == NULL) rc = SQLITE_NOMEM;
    }
    store_info_clear(&info);
  }
  end = sqlite3_finalize(stmt);
  return rc ? rc : end;
}

/* Whoever writes to a log could not be changed any more without it. */
static int check_no_writer(sqlite3 *db, const char *schema, const char *log, char **error) {
  ScriptName names[] = {{"schema", schema}, {NULL, NULL}};
  char *writer = NULL;
  int found = 0;
  int rc = find_writing_store(db, schema, log, &writer);

  if (rc == SQLITE_OK && writer == NULL)
    rc = script_one(
        db,
        "SELECT name FROM \"{schema}\".sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'"
        " AND (instr(" BARE("sql") ", ',events=' || " BARE("?1") " || ',') OR instr(" BARE(
            "sql") ", ',events=' || " BARE("?1") " || ')'))",
        names, log, &found, NULL, &writer);
  if (rc == SQLITE_OK && writer)
    rc = fail(error, "%s cannot be dropped: %s writes to it (events=%s) and has to go first", log, writer, log);
  sqlite3_free(writer);
  return rc;
}

static int drop(sqlite3 *db, void *arg, char **error) {
  Create *c = arg;
  StoreInfo info;
  int is_log;
  int rc = store_info(db, c->schema, c->name, &info);

  if (rc == SQLITE_OK && info.kind == NULL)
    rc = fail(error, "schema %s has no store or log named %s", c->schema, c->name);
  if (rc == SQLITE_OK) {
    /* DROP … IF EXISTS complains of a view that is a table; of a log, the table is in the place of the view */
    is_log = strcmp(info.kind, "events") == 0;
    if (is_log) rc = check_no_writer(db, c->schema, c->name, error);
    ScriptName names[] = {{"schema", c->schema},
                          {"name", c->name},
                          {"table", is_log ? c->name : "quire_none"},
                          {"view", is_log ? "quire_none" : c->name},
                          {NULL, NULL}};
    if (rc == SQLITE_OK) rc = script_run(db, DROP_SQL, names, error);
  }
  store_info_clear(&info);
  return rc;
}

static void quire_drop(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Create c = {.schema = "main"};
  char *error = NULL;
  int rc;

  if (argc < 1) {
    result_message(ctx, "usage: quire_drop(name)");
    return;
  }
  c.name = argument_text(ctx, argv[0], "the name");
  if (c.name == NULL) return;
  for (int i = 1; i < argc; i++) {
    const char *text = argument_text(ctx, argv[i], "an option");
    if (text == NULL || !read_option(ctx, text, &c)) return;
  }
  companions_close_statements(this_companions(ctx));
  rc = in_savepoint(sqlite3_context_db_handle(ctx), drop, &c, &error);
  if (rc)
    result_failure(ctx, rc, error);
  else
    sqlite3_result_value(ctx, argv[0]);
}

/* --- registering --- */

static const ScalarFunction companion_functions[] = {
    {"quire_create", -1, SQLITE_DIRECTONLY, quire_create},
    {"quire_drop", -1, SQLITE_DIRECTONLY, quire_drop},
    {NULL, 0, 0, NULL},
};

static void release(void *p) { companions_release(p); }

int companions_register(sqlite3 *db, Companions *companions) {
  static const ScalarFunction *const functions[] = {companion_functions, store_functions, event_functions,
                                                    relation_functions, stats_functions};
  static const TableFunction *const tables[] = {&quire_hybrid, &quire_relations, &quire_stats, &quire_tail, &vec_rows};
  int rc = SQLITE_OK;

  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    for (const ScalarFunction *f = functions[i]; f->name && rc == SQLITE_OK; f++) {
      rc = sqlite3_create_function_v2(db, f->name, f->arg_count, SQLITE_UTF8 | f->flags, companions_retain(companions),
                                      f->call, NULL, NULL, release); /* releases also if it fails */
    }
  }
  for (size_t i = 0; i < sizeof tables / sizeof *tables && rc == SQLITE_OK; i++)
    rc = table_function_register(db, tables[i], companions);
  return rc;
}
