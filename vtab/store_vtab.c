/*
 * store_vtab.c: the module quire_store, whose one table per database is named `quire`.
 *
 *   SELECT name, "table", value FROM quire     what the store reports, one line each; "table" is NULL for the store's own
 *   INSERT INTO quire(quire) VALUES('fold')    a command for all vector tables
 *   INSERT INTO quire(quire) VALUES('home=inline')           moves the pages to that home
 *   CREATE VIRTUAL TABLE quire USING quire_store(home=...)   chooses one beforehand; else the first vector table makes `quire`
 *
 * As a virtual table it makes the store's shadow tables (quire_state, quire_free, quire_wm, quire_tables, quire_pages) ones that a
 * defensive connection protects. It cannot be renamed, nor dropped while there are vector tables.
 */
#include "vtab_int.h"

#include <stdarg.h>

#define STORE_NAME "quire"
enum { COLUMN_NAME, COLUMN_TABLE, COLUMN_VALUE, COLUMN_COMMAND };

typedef struct StoreVtab {
  sqlite3_vtab base;
  sqlite3 *db;
  Store *store;
} StoreVtab;

typedef struct Line {
  char *name, *table, *text; /* text: the value, if it is one */
  sqlite3_int64 value;
} Line;

typedef struct StoreCursor {
  sqlite3_vtab_cursor base;
  Line *line;
  u64 count, cap, at;
  int rc; /* of collecting */
} StoreCursor;

/* --- errors --- */

PRINTF_LIKE(3, 4) static int fail(StoreVtab *sv, int rc, const char *fmt, ...) {
  va_list ap;

  sqlite3_free(sv->base.zErrMsg);
  va_start(ap, fmt);
  sv->base.zErrMsg = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  return sv->base.zErrMsg ? rc : SQLITE_NOMEM;
}

static int fail_store(StoreVtab *sv, int rc) {
  const char *words;
  if (rc == SQLITE_OK || rc == SQLITE_NOMEM || sv->base.zErrMsg) return rc;
  words = store_error(sv->store);
  return words ? fail(sv, rc, "%s", words) : rc;
}

/* --- create, connect, drop --- */

/* The value of home=..., or NULL if the argument is something else. */
static const char *home_argument(const char *arg) {
  if (sqlite3_strnicmp(arg, "home", 4) != 0) return NULL;
  arg += 4;
  while (*arg == ' ') arg++;
  if (*arg++ != '=') return NULL;
  while (*arg == ' ') arg++;
  return arg;
}

static int check_arguments(int argc, const char *const *argv, const char **home, char **error) {
  *home = NULL;
  if (sqlite3_stricmp(argv[2], STORE_NAME) != 0) {
    *error = sqlite3_mprintf("the table of quire_store is named " STORE_NAME ", not %s", argv[2]);
    return SQLITE_ERROR;
  }
  for (int i = 3; i < argc; i++) {
    *home = home_argument(argv[i]);
    if (*home) continue;
    *error = sqlite3_mprintf("quire_store constructor error: Unknown table option: %s", argv[i]);
    return SQLITE_ERROR;
  }
  return SQLITE_OK;
}

static int open_table(sqlite3 *db, Conn *conn, const char *schema, sqlite3_vtab **out, char **error) {
  int rc = SQLITE_OK;
  StoreVtab *sv = mem_zeroed(&rc, 1, sizeof *sv);

  if (rc) return rc;
  sv->db = db;
  rc = sqlite3_declare_vtab(db, "CREATE TABLE x(name TEXT, \"table\" TEXT, value, quire HIDDEN)");
  if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  if (rc == SQLITE_OK) rc = store_open(conn, schema, 0, &sv->store, error);
  if (rc)
    mem_free(sv);
  else
    *out = &sv->base;
  return rc;
}

static int disconnect(sqlite3_vtab *base) {
  StoreVtab *sv = (StoreVtab *)base;
  store_release(sv->store);
  sqlite3_free(sv->base.zErrMsg);
  mem_free(sv);
  return SQLITE_OK;
}

static int create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  const ModuleData *module = aux;
  const char *home, *words;
  int rc = check_arguments(argc, argv, &home, error);

  if (rc == SQLITE_OK) rc = store_create_shadow(module->conn, argv[1], error);
  if (rc == SQLITE_OK) rc = open_table(db, module->conn, argv[1], out, error);
  if (rc || home == NULL) return rc;
  rc = store_set_home(((StoreVtab *)*out)->store, home);
  if (rc == SQLITE_OK) return rc;
  words = store_error(((StoreVtab *)*out)->store);
  if (words) *error = sqlite3_mprintf("quire_store: %s", words);
  disconnect(*out);
  return rc;
}

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  const ModuleData *module = aux;
  (void)argc;
  return open_table(db, module->conn, argv[1], out, error);
}

static int destroy(sqlite3_vtab *base) {
  StoreVtab *sv = (StoreVtab *)base;
  int rc = store_drop_shadow(sv->store);

  if ((rc & 0xff) == SQLITE_CONSTRAINT) { /* SQLite drops the words of xDestroy: the log has them */
    sqlite3_log(rc, "quire: the table quire holds the vectors of this database: drop its vector tables first");
    return rc;
  }
  return rc ? fail_store(sv, rc) : disconnect(base);
}

static int rename_table(sqlite3_vtab *base, const char *name) {
  (void)name;
  return fail((StoreVtab *)base, SQLITE_ERROR, "the table quire cannot be renamed: vector tables find it by its name");
}

static int shadow_name(const char *suffix) {
  static const char *const names[] = {"state", "free", "wm", "tables", "pages"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (sqlite3_stricmp(suffix, names[i]) == 0) return 1;
  }
  return 0;
}

/* --- reading --- */

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
  (void)base;
  info->estimatedCost = 1000;
  info->estimatedRows = 100;
  return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
  int rc = SQLITE_OK;
  StoreCursor *cur = mem_zeroed(&rc, 1, sizeof *cur);
  (void)base;
  if (cur) *out = &cur->base;
  return rc;
}

static void clear_lines(StoreCursor *cur) {
  for (u64 i = 0; i < cur->count; i++) {
    mem_free(cur->line[i].name);
    mem_free(cur->line[i].table);
    mem_free(cur->line[i].text);
  }
  cur->count = cur->at = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  StoreCursor *cur = (StoreCursor *)base;
  clear_lines(cur);
  mem_free(cur->line);
  mem_free(cur);
  return SQLITE_OK;
}

/* store_report's callback: keep one line. */
static int collect(void *arg, const char *name, const char *table, sqlite3_int64 value, const char *text) {
  StoreCursor *cur = arg;
  Line *line;

  cur->rc = mem_reserve(&cur->line, &cur->cap, cur->count + 1, sizeof *cur->line);
  if (cur->rc) return cur->rc;
  line = &cur->line[cur->count++];
  memset(line, 0, sizeof *line);
  line->value = value;
  line->name = mem_strdup(&cur->rc, name);
  if (table) line->table = mem_strdup(&cur->rc, table);
  if (text) line->text = mem_strdup(&cur->rc, text);
  return cur->rc;
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv) {
  StoreCursor *cur = (StoreCursor *)base;
  StoreVtab *sv = (StoreVtab *)base->pVtab;
  int rc;

  (void)number;
  (void)text;
  (void)argc;
  (void)argv;
  clear_lines(cur);
  cur->rc = SQLITE_OK;
  rc = store_report(sv->store, collect, cur);
  if (cur->rc) rc = cur->rc;
  return fail_store(sv, rc);
}

static int next(sqlite3_vtab_cursor *base) {
  ((StoreCursor *)base)->at++;
  return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base) {
  const StoreCursor *cur = (StoreCursor *)base;
  return cur->at >= cur->count;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i) {
  const StoreCursor *cur = (StoreCursor *)base;
  const Line *line = &cur->line[cur->at];

  if (i == COLUMN_NAME) sqlite3_result_text(ctx, line->name, -1, SQLITE_TRANSIENT);
  if (i == COLUMN_TABLE && line->table) sqlite3_result_text(ctx, line->table, -1, SQLITE_TRANSIENT);
  if (i == COLUMN_VALUE && line->text) sqlite3_result_text(ctx, line->text, -1, SQLITE_TRANSIENT);
  if (i == COLUMN_VALUE && !line->text) sqlite3_result_int64(ctx, line->value);
  return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
  *out = (sqlite3_int64)((StoreCursor *)base)->at + 1;
  return SQLITE_OK;
}

/* --- commands --- */

static int run_integrity_check(StoreVtab *sv) {
  char *problem = NULL;
  int rc = store_integrity(sv->store, &problem);

  if (rc == SQLITE_OK && problem) rc = fail(sv, SQLITE_CORRUPT_VTAB, "%s", problem);
  mem_free(problem);
  return fail_store(sv, rc);
}

static int run_bulk_bytes(StoreVtab *sv, sqlite3_int64 bytes) {
  store_set_bulk_bytes(sv->store, bytes);
  return SQLITE_OK;
}

static int run_merge(StoreVtab *sv, sqlite3_int64 pages) { return store_merge(sv->store, (u32)pages); }
static int run_automerge(StoreVtab *sv, sqlite3_int64 pages) { return store_set_automerge(sv->store, (u32)pages); }

/* Commands that take a number. */
static const struct NumberCommand {
  const char *prefix, *unit;
  sqlite3_int64 max;
  int (*run)(StoreVtab *sv, sqlite3_int64 number);
} number_commands[] = {{"bulk_bytes=", "bytes (0: the default)", VTAB_NUMBER_MAX, run_bulk_bytes},
                       {"merge=", "pages of work", 0xffffffffLL, run_merge},
                       {"automerge=", "pages of work (0: none)", 0xffffffffLL, run_automerge}};

/* The number is all of the text behind the prefix. */
static int run_number_command(StoreVtab *sv, const struct NumberCommand *command, const char *text) {
  const char *number = text + strlen(command->prefix);
  sqlite3_int64 value;

  if (!vtab_number(number, command->max, &value))
    return fail(sv, SQLITE_ERROR, "%sN: expected a number of %s up to %lld, found '%s'", command->prefix, command->unit,
                command->max, number);
  return fail_store(sv, command->run(sv, value));
}

static int run_home(StoreVtab *sv, const char *name) { return fail_store(sv, store_set_home(sv->store, name)); }

static int run_command(StoreVtab *sv, const char *text) {
  static const struct {
    const char *name;
    int (*run)(Store *);
  } commands[] = {{"fold", store_fold_now}, {"optimize", store_optimize}, {"rebuild", store_rebuild}};

  if (text == NULL) return SQLITE_NOMEM;
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (sqlite3_stricmp(text, commands[i].name) == 0) return fail_store(sv, commands[i].run(sv->store));
  }
  if (sqlite3_stricmp(text, "integrity-check") == 0) return run_integrity_check(sv);
  if (sqlite3_strnicmp(text, "home=", 5) == 0) return run_home(sv, text + 5);
  for (size_t i = 0; i < sizeof number_commands / sizeof *number_commands; i++) {
    const struct NumberCommand *command = &number_commands[i];
    if (sqlite3_strnicmp(text, command->prefix, (int)strlen(command->prefix)) == 0)
      return run_number_command(sv, command, text);
  }
  return fail(sv, SQLITE_ERROR,
              "unknown quire command: '%s' (known: fold, optimize, merge=N, rebuild, home=NAME, integrity-check, "
              "automerge=N, bulk_bytes=N)",
              text);
}

static int update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *out) {
  StoreVtab *sv = (StoreVtab *)base;
  sqlite3_int64 last_rowid = sqlite3_last_insert_rowid(sv->db);
  int rc;

  sqlite3_free(sv->base.zErrMsg);
  sv->base.zErrMsg = NULL;
  if (argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL ||
      sqlite3_value_type(argv[2 + COLUMN_COMMAND]) == SQLITE_NULL)
    return fail(sv, SQLITE_ERROR, "the table quire takes commands only: INSERT INTO quire(quire) VALUES('fold')");
  rc = run_command(sv, (const char *)sqlite3_value_text(argv[2 + COLUMN_COMMAND]));
  *out = last_rowid;
  sqlite3_set_last_insert_rowid(sv->db, last_rowid);
  return rc;
}

/* --- transactions: commands work on the store without any vector table taking part --- */

static int begin(sqlite3_vtab *base) {
  (void)base;
  return SQLITE_OK;
}

static int sync_store(sqlite3_vtab *base) {
  StoreVtab *sv = (StoreVtab *)base;
  return fail_store(sv, store_sync_hook(sv->store));
}

static int commit(sqlite3_vtab *base) {
  store_end_hook(((StoreVtab *)base)->store, 1);
  return SQLITE_OK;
}

static int rollback(sqlite3_vtab *base) {
  store_end_hook(((StoreVtab *)base)->store, 0);
  return SQLITE_OK;
}

const sqlite3_module store_module = {
    .iVersion = 3,
    .xCreate = create,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xDestroy = destroy,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
    .xUpdate = update,
    .xBegin = begin,
    .xSync = sync_store,
    .xCommit = commit,
    .xRollback = rollback,
    .xRename = rename_table,
    .xShadowName = shadow_name,
};
