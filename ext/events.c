/*
 * events.c: event logs: snapshots, retention, rebuilding stores from them, waiting for new events.
 *
 *   quire_snapshot(log [, offset])  stores the state at that event, by default the last one; gives its offset
 *   quire_retain(log, offset)     drops events up to `offset`, but none newer than the last snapshot, nor the last one; gives how many
 *   quire_rebuild(store)          makes a key-value store or documents equal to what its log says; 0: they were already
 *   quire_tail(log, after [, timeout_ms [, schema]])
 *                                 table-valued: the events with offsets above `after`; when there are none, waits for some
 *   quire_unhex(text)             the BLOB of a hexadecimal text, for the scripts (SQLite has unhex() since 3.41)
 *
 * All take 'schema=...' as a further argument but quire_tail, which takes the bare name.
 */
#include "companions.h"

#include "../vtab/script.h"
#include "schema_sql.h"

/* --- snapshot, retain, rebuild --- */

typedef struct LogCall {
  const char *name, *schema;
  int has_offset;
  i64 offset, result;
} LogCall;

static int fail(char **error, char *message) {
  *error = message;
  return message ? SQLITE_ERROR : SQLITE_NOMEM;
}

static int check_log(sqlite3 *db, const char *schema, const char *name, char **error) {
  StoreInfo info;
  int rc = store_info(db, schema, name, &info);
  if (rc == SQLITE_OK && (info.kind == NULL || strcmp(info.kind, "events") != 0))
    rc = fail(error, sqlite3_mprintf("schema %s has no event log %s: SELECT quire_create('events', '%s') makes one",
                                     schema, name, name));
  store_info_clear(&info);
  return rc;
}

/* The events from the last snapshot to `offset` are there: none after it was ever dropped. */
static int check_offset(sqlite3 *db, const LogCall *call, const ScriptName *names, i64 last, char **error) {
  i64 newest = 0;
  int found = 0;
  int rc =
      script_one(db, "SELECT max(offset) FROM \"{schema}\".\"{name}_snapshots\"", names, NULL, &found, &newest, NULL);

  if (rc) return rc;
  if (call->offset < newest)
    return fail(error, sqlite3_mprintf("the log %s has a snapshot at offset %lld: an earlier one than that cannot be"
                                       " taken any more",
                                       call->name, (long long)newest));
  if (call->offset < 1 || call->offset > last)
    return fail(error, sqlite3_mprintf("the log %s has events up to offset %lld, none at %lld", call->name,
                                       (long long)last, (long long)call->offset));
  return SQLITE_OK;
}

static int take_snapshot(sqlite3 *db, void *arg, char **error) {
  LogCall *call = arg;
  char number[24];
  ScriptName names[] = {
      {"schema", call->schema}, {"name", call->name}, {"now", NOW_SQL}, {"offset", number}, {NULL, NULL}};
  i64 last = 0;
  int found = 0;
  int rc = check_log(db, call->schema, call->name, error);

  if (rc == SQLITE_OK)
    rc = script_one(db, "SELECT max(offset) FROM \"{schema}\".\"{name}\" HAVING max(offset) IS NOT NULL", names, NULL,
                    &found, &last, NULL);
  if (rc == SQLITE_OK && !found)
    rc = fail(error, sqlite3_mprintf("the log %s has no events to take a snapshot of", call->name));
  if (!call->has_offset) call->offset = last;
  if (rc == SQLITE_OK) rc = check_offset(db, call, names, last, error);
  sqlite3_snprintf(sizeof number, number, "%lld", (long long)call->offset);
  call->result = call->offset;
  return rc ? rc : script_run(db, EVENTS_SNAPSHOT_SQL, names, error);
}

static int retain(sqlite3 *db, void *arg, char **error) {
  LogCall *call = arg;
  char number[24];
  ScriptName names[] = {{"schema", call->schema}, {"name", call->name}, {"offset", number}, {NULL, NULL}};
  i64 before = 0, after = 0;
  int found = 0;
  int rc = check_log(db, call->schema, call->name, error);

  sqlite3_snprintf(sizeof number, number, "%lld", (long long)call->offset);
  if (rc == SQLITE_OK)
    rc = script_one(db, "SELECT count(*) FROM \"{schema}\".\"{name}\"", names, NULL, &found, &before, NULL);
  if (rc == SQLITE_OK) rc = script_run(db, EVENTS_RETAIN_SQL, names, error);
  if (rc == SQLITE_OK)
    rc = script_one(db, "SELECT count(*) FROM \"{schema}\".\"{name}\"", names, NULL, &found, &after, NULL);
  call->result = before - after;
  return rc;
}

static int rebuild(sqlite3 *db, void *arg, char **error) {
  LogCall *call = arg;
  StoreInfo info;
  i64 before = sqlite3_total_changes(db);
  int rc = store_info(db, call->schema, call->name, &info);

  if (rc == SQLITE_OK && (info.kind == NULL || strcmp(info.kind, "events") == 0))
    rc = fail(error,
              sqlite3_mprintf("schema %s has no key-value store or documents named %s", call->schema, call->name));
  if (rc == SQLITE_OK && info.log == NULL)
    rc = fail(error,
              sqlite3_mprintf("%s was created without events=LOG: there is nothing to rebuild it from", call->name));
  if (rc == SQLITE_OK) {
    int is_kv = strcmp(info.kind, "kv") == 0;
    ScriptName names[] = {
        {"schema", call->schema}, {"name", call->name}, {"log", info.log}, {"state", ""}, {NULL, NULL}};
    char *state = script_expand(is_kv ? KV_STATE_SQL : DOCUMENTS_STATE_SQL, names);
    names[3].value = state;
    rc = state ? script_run(db, EVENTS_OFF_SQL, names, error) : SQLITE_NOMEM;
    if (rc == SQLITE_OK) rc = script_run(db, is_kv ? KV_REBUILD_SQL : DOCUMENTS_REBUILD_SQL, names, error);
    sqlite3_free(state);
    names[3].value = "";
    call->result = sqlite3_total_changes(db) - before;
    if (rc == SQLITE_OK) rc = script_run(db, REBUILD_FLOOR_SQL, names, error);
    if (rc == SQLITE_OK) rc = store_install_events(db, call->schema, call->name, &info, error);
  }
  store_info_clear(&info);
  return rc;
}

/* Read name, `least` to `most` offsets (0 or 1) and schema, and do the work in a savepoint. */
static void log_call(sqlite3_context *ctx, int argc, sqlite3_value **argv, int least, int most, const char *usage,
                     int (*work)(sqlite3 *, void *, char **)) {
  LogCall call = {.schema = "main"};
  char *error = NULL;
  int rc, next = 1;

  if (argc > 1 && most && sqlite3_value_type(argv[1]) == SQLITE_INTEGER) {
    call.has_offset = 1;
    call.offset = sqlite3_value_int64(argv[next++]);
  }
  if (argc < next || argc > next + 1 || call.has_offset < least) {
    result_message(ctx, "usage: %s", usage);
    return;
  }
  call.name = argument_text(ctx, argv[0], "the name");
  if (call.name == NULL) return;
  if (argc > next) {
    const char *text = argument_text(ctx, argv[next], "an option");
    if (text == NULL) return;
    if (sqlite3_strnicmp(text, "schema=", 7) != 0) {
      result_message(ctx, "unknown option '%s'; usage: %s", text, usage);
      return;
    }
    call.schema = text + 7;
  }
  rc = in_savepoint(sqlite3_context_db_handle(ctx), work, &call, &error);
  if (rc)
    result_failure(ctx, rc, error);
  else
    sqlite3_result_int64(ctx, call.result);
}

static void quire_snapshot(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  log_call(ctx, argc, argv, 0, 1, "quire_snapshot(log, offset, 'schema=...')", take_snapshot);
}

static void quire_retain(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  log_call(ctx, argc, argv, 1, 1, "quire_retain(log, offset, 'schema=...')", retain);
}

static void quire_rebuild(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  log_call(ctx, argc, argv, 0, 0, "quire_rebuild(store, 'schema=...')", rebuild);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/* NULL for what is no hexadecimal text. */
static void quire_unhex(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const char *text = (const char *)sqlite3_value_text(argv[0]);
  int size = sqlite3_value_bytes(argv[0]), rc = SQLITE_OK;
  u8 *blob;

  (void)argc;
  if (text == NULL || size % 2) return;
  blob = mem_array(&rc, (u64)size / 2, 1);
  if (rc) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  for (int i = 0; i < size / 2; i++) {
    int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      mem_free(blob);
      return;
    }
    blob[i] = (u8)(high << 4 | low);
  }
  sqlite3_result_blob(ctx, blob, size / 2, mem_free);
}

const ScalarFunction event_functions[] = {
    {"quire_snapshot", -1, SQLITE_DIRECTONLY, quire_snapshot},
    {"quire_retain", -1, SQLITE_DIRECTONLY, quire_retain},
    {"quire_rebuild", -1, SQLITE_DIRECTONLY, quire_rebuild},
    {"quire_unhex", 1, SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC, quire_unhex},
    {NULL, 0, 0, NULL},
};

/* --- quire_tail --- */

/*
 * The statement that waits holds a snapshot of its own connection and would never see a commit. So a second connection to the
 * same file looks: PRAGMA data_version between sleeps, which costs a few microseconds, and the log only when that has changed. Sleeps
 * begin at MIN_SLEEP and grow to MAX_SLEEP: an event is seen MAX_SLEEP / 2 after its commit on average.
 */
#define MIN_SLEEP 1 /* ms */
#define MAX_SLEEP 4
#define DEFAULT_TIMEOUT 1000
#define LOCKED_TRIES 100 /* a millisecond each, then SQLITE_BUSY */

typedef struct Tail {
  TableCall *call;
  sqlite3 *watcher;
  sqlite3_stmt *version, *select;
  i64 last_version;
} Tail;

/* Open the watching connection on the file of `schema`, unless it is open. Databases in memory have none: *out is the connection itself. */
static int open_watcher(TableCall *call, const char *schema, sqlite3 **out) {
  sqlite3 **watcher = companions_watcher(call->companions);
  const char *path = sqlite3_db_filename(call->db, schema);
  sqlite3_vfs *vfs = NULL;
  int rc;

  *out = call->db;
  if (path == NULL || *path == 0) return SQLITE_OK;
  if (*watcher) {
    const char *open = sqlite3_db_filename(*watcher, "main");
    if (open && strcmp(open, path) == 0) {
      *out = *watcher;
      return SQLITE_OK;
    }
    sqlite3_close(*watcher);
    *watcher = NULL;
  }
  (void)sqlite3_file_control(call->db, schema, SQLITE_FCNTL_VFS_POINTER, &vfs);
  rc = sqlite3_open_v2(path, watcher, SQLITE_OPEN_READWRITE, vfs ? vfs->zName : NULL);
  if (rc == SQLITE_READONLY || rc == SQLITE_CANTOPEN || rc == SQLITE_PERM) {
    sqlite3_close(*watcher);
    rc = sqlite3_open_v2(path, watcher, SQLITE_OPEN_READONLY, vfs ? vfs->zName : NULL);
  }
  if (rc) {
    rc = call_fail(call, rc, "quire_tail cannot open a second connection to %s: %s", path, sqlite3_errmsg(*watcher));
    sqlite3_close(*watcher);
    *watcher = NULL;
    return rc;
  }
  *out = *watcher;
  return SQLITE_OK;
}

static int is_busy(int rc) { return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED; }

/* Whether anything was committed since the last look. A writer in the way is no news. */
static int has_changed(Tail *tail, int *changed) {
  int rc = sqlite3_step(tail->version);
  i64 version = rc == SQLITE_ROW ? sqlite3_column_int64(tail->version, 0) : tail->last_version;

  sqlite3_reset(tail->version);
  *changed = version != tail->last_version;
  tail->last_version = version;
  return rc == SQLITE_ROW || is_busy(rc) ? SQLITE_OK : rc;
}

static int prepare_tail(Tail *tail, const char *schema, const char *log) {
  ScriptName names[] = {{"schema", tail->watcher == tail->call->db ? schema : "main"}, {"name", log}, {NULL, NULL}};
  int rc, tries = LOCKED_TRIES;

  do { /* the schema cannot be read while a writer commits */
    rc = script_prepare(tail->watcher,
                        "SELECT offset, time, type, collection, key, revision, payload FROM \"{schema}\".\"{name}\""
                        " WHERE offset > ?1 ORDER BY offset",
                        names, &tail->select);
    if (is_busy(rc)) sqlite3_sleep(MIN_SLEEP);
  } while (is_busy(rc) && --tries > 0 && !is_interrupted(tail->call->db));
  if (rc == SQLITE_OK) rc = sqlite3_prepare_v2(tail->watcher, "PRAGMA data_version", -1, &tail->version, NULL);
  if (rc == SQLITE_ERROR)
    rc = call_fail(tail->call, rc, "there is no event log %s: %s", log, sqlite3_errmsg(tail->watcher));
  return rc;
}

/*
 * Outside WAL the statement that waits holds a read lock, which no commit gets past: it would wait for what it prevents.
 * Databases in memory have nobody to wait for.
 */
static int check_can_wait(Tail *tail) {
  ScriptName names[] = {{NULL, NULL}};
  char *mode = NULL;
  int found = 0;
  int rc = script_one(tail->watcher, "PRAGMA journal_mode", names, NULL, &found, NULL, &mode);
  if (is_busy(rc)) rc = SQLITE_OK;
  if (rc == SQLITE_OK && mode && sqlite3_stricmp(mode, "wal") != 0)
    rc = call_fail(
        tail->call, SQLITE_ERROR,
        "quire_tail can wait in WAL mode only (PRAGMA journal_mode is %s): ask with a timeout of 0, again and again",
        mode);
  sqlite3_free(mode);
  return rc;
}

/* Read what there is; else sleep until there is something, or `timeout` ms are over. */
static int wait_for_events(Tail *tail, i64 timeout) {
  int sleep = MIN_SLEEP, changed = 1, rc = SQLITE_OK;
  i64 waited = 0;

  for (;;) {
    if (rc == SQLITE_OK) rc = has_changed(tail, &changed); /* before the look: what comes between is seen next time */
    if (rc == SQLITE_OK && (changed || waited == 0)) rc = rows_statement(tail->call, tail->select);
    if (is_busy(rc)) {
      rc = SQLITE_OK;
      tail->last_version = -1; /* look again */
    }
    if (rc || rows_count(tail->call) || waited >= timeout) return rc;
    if (tail->watcher == tail->call->db) return SQLITE_OK; /* nobody else can write to it */
    if (waited == 0) rc = check_can_wait(tail);
    if (rc) return rc;
    if (is_interrupted(tail->call->db)) return SQLITE_INTERRUPT;
    waited += sqlite3_sleep((int)MIN(sleep, timeout - waited));
    sleep = MIN(sleep + 1, MAX_SLEEP);
  }
}

static int fill_tail(TableCall *call) {
  const char *log = (const char *)sqlite3_value_text(call->argument[0]);
  const char *schema = call->argument[3] ? (const char *)sqlite3_value_text(call->argument[3]) : "main";
  i64 timeout = call->argument[2] ? sqlite3_value_int64(call->argument[2]) : DEFAULT_TIMEOUT;
  Tail tail = {.call = call, .last_version = -1};
  int rc;

  if (log == NULL || schema == NULL) return call_fail(call, SQLITE_ERROR, "the log's name must be text");
  rc = open_watcher(call, schema, &tail.watcher);
  if (rc == SQLITE_OK) rc = prepare_tail(&tail, schema, log);
  if (rc == SQLITE_OK) rc = sqlite3_bind_value(tail.select, 1, call->argument[1]);
  if (rc == SQLITE_OK) rc = wait_for_events(&tail, MAX(timeout, 0));
  if (rc && rc != SQLITE_INTERRUPT && call->error == NULL && tail.watcher)
    rc = call_fail(call, rc, "%s", sqlite3_errmsg(tail.watcher));
  sqlite3_finalize(tail.select);
  sqlite3_finalize(tail.version);
  return rc;
}

const TableFunction quire_tail = {
    .name = "quire_tail",
    .declaration = "CREATE TABLE x(offset INTEGER, time INTEGER, type TEXT, collection TEXT, key, revision INTEGER,"
                   " payload TEXT, log HIDDEN, after HIDDEN, timeout HIDDEN, \"schema\" HIDDEN)",
    .columns = 7,
    .arguments = 4,
    .required = 2,
    .usage = "quire_tail(log, after, timeout_ms, schema)",
    .fill = fill_tail,
};
