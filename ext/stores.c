/*
 * stores.c: key-value stores and documents by function. The same can be done in SQL on the views; a function takes fewer
 * words, and its messages say which revision there is.
 *
 *   kv_get(store, key)                          the value; NULL if there is none
 *   kv_set(store, key, value [, ttl])           sets; gives the new revision. ttl in ms
 *   kv_cas(store, key, value, revision [, ttl]) sets if `revision` is the current one (0: the key is not there); gives the new one
 *   kv_delete(store, key [, revision])          1 if there was a value; with a revision only that one
 *   kv_purge(store)                             removes expired rows; gives how many
 *
 *   doc_get(store, collection, id [, path])     the JSON, or what is at a path
 *   doc_put(store, collection, id, json [, revision])     sets, gives the new revision
 *   doc_patch(store, collection, id, patch [, revision])  merge patch (RFC 7396), gives the new revision
 *   doc_delete(store, collection, id [, revision])        1 if there was a document
 *
 * Each is one statement on {name}_data, kept for the next call, so that it is atomic by itself and part of any transaction.
 */
#include "companions.h"

#define KV "key-value store"
#define DOCUMENTS "document store"

#define ALIVE "(expires IS NULL OR expires > {now})"

static const char kv_get_sql[] = "SELECT value FROM \"{name}_data\" WHERE key = ?1 AND " ALIVE;
/* 1 key, 2 value, 3 ttl */
static const char kv_set_sql[] =
    "INSERT INTO \"{name}_data\"(key, value, revision, expires)"
    " VALUES(?1, ?2, quire_note((SELECT floor + 1 FROM \"{name}_meta\")), iif(?3 IS NULL, NULL, {now} + ?3))"
    " ON CONFLICT(key) DO UPDATE SET value = excluded.value, revision = quire_note(revision + 1),"
    " expires = excluded.expires";
/* The same for a key that is there: no look at the floor. */
static const char kv_change_sql[] = "UPDATE \"{name}_data\" SET value = ?2, revision = quire_note(revision + 1),"
                                    " expires = iif(?3 IS NULL, NULL, {now} + ?3) WHERE key = ?1";
static const char kv_add_sql[] =
    "INSERT INTO \"{name}_data\"(key, value, revision, expires)"
    " VALUES(?1, ?2, quire_note((SELECT floor + 1 FROM \"{name}_meta\")), iif(?3 IS NULL, NULL, {now} + ?3))"
    " ON CONFLICT(key) DO UPDATE SET value = excluded.value, revision = quire_note(revision + 1),"
    " expires = excluded.expires WHERE expires <= {now}";
/* 4 revision */
static const char kv_cas_sql[] = "UPDATE \"{name}_data\" SET value = ?2, revision = quire_note(revision + 1), expires "
                                 "= iif(?3 IS NULL, NULL, {now} + ?3)"
                                 " WHERE key = ?1 AND revision = ?4 AND " ALIVE;
static const char kv_delete_sql[] =
    "DELETE FROM \"{name}_data\" WHERE key = ?1 AND quire_note(coalesce(expires > {now}, 1)) >= 0";
static const char kv_delete_revision_sql[] =
    "DELETE FROM \"{name}_data\" WHERE key = ?1 AND revision = ?2 AND " ALIVE " AND quire_note(1)";
static const char kv_revision_sql[] = "SELECT revision FROM \"{name}_data\" WHERE key = ?1 AND " ALIVE;
static const char kv_purge_sql[] = "DELETE FROM \"{name}_data\" WHERE expires <= {now}";

static const char doc_get_sql[] = "SELECT body FROM \"{name}_data\" WHERE collection = ?1 AND id = ?2";
static const char doc_path_sql[] = "SELECT body ->> ?3 FROM \"{name}_data\" WHERE collection = ?1 AND id = ?2";
/* 1 collection, 2 id, 3 body, 4 revision */
static const char doc_put_sql[] =
    "INSERT INTO \"{name}_data\"(collection, id, body, revision)"
    " VALUES(?1, ?2, json(?3), quire_note((SELECT floor + 1 FROM \"{name}_meta\")))"
    " ON CONFLICT(collection, id) DO UPDATE SET body = excluded.body, revision = quire_note(revision + 1)";
static const char doc_add_sql[] = "INSERT INTO \"{name}_data\"(collection, id, body, revision)"
                                  " VALUES(?1, ?2, json(?3), quire_note((SELECT floor + 1 FROM \"{name}_meta\")))"
                                  " ON CONFLICT(collection, id) DO NOTHING";
static const char doc_cas_sql[] = "UPDATE \"{name}_data\" SET body = json(?3), revision = quire_note(revision + 1)"
                                  " WHERE collection = ?1 AND id = ?2 AND revision = ?4";
static const char doc_patch_sql[] =
    "UPDATE \"{name}_data\" SET body = json_patch(body, ?3), revision = quire_note(revision + 1)"
    " WHERE collection = ?1 AND id = ?2";
static const char doc_patch_revision_sql[] =
    "UPDATE \"{name}_data\" SET body = json_patch(body, ?3), revision = quire_note(revision + 1)"
    " WHERE collection = ?1 AND id = ?2 AND revision = ?4";
static const char doc_delete_sql[] = "DELETE FROM \"{name}_data\" WHERE collection = ?1 AND id = ?2 AND quire_note(1)";
static const char doc_delete_revision_sql[] =
    "DELETE FROM \"{name}_data\" WHERE collection = ?1 AND id = ?2 AND revision = ?3 AND quire_note(1)";
static const char doc_revision_sql[] = "SELECT revision FROM \"{name}_data\" WHERE collection = ?1 AND id = ?2";

/* --- one call --- */

/* A store's statement with its arguments. */
typedef struct Call {
  sqlite3_context *ctx;
  const char *kind, *name;
  Kept kept;
} Call;

/* Bind a value that lives until the statement has run: texts and blobs are not copied. */
static int bind_static(sqlite3_stmt *stmt, int i, sqlite3_value *value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_TEXT: {
      const char *text = (const char *)sqlite3_value_text(value);
      return text ? sqlite3_bind_text(stmt, i, text, sqlite3_value_bytes(value), SQLITE_STATIC) : SQLITE_NOMEM;
    }
    case SQLITE_BLOB: {
      int size = sqlite3_value_bytes(value);
      if (size == 0) return sqlite3_bind_zeroblob(stmt, i, 0);
      return sqlite3_bind_blob(stmt, i, sqlite3_value_blob(value), size, SQLITE_STATIC);
    }
    default: return sqlite3_bind_value(stmt, i, value);
  }
}

/* Borrow a statement and bind values to it; reports a failure and gives 0. */
static int call_begin(Call *call, const char *script, int count, sqlite3_value **values) {
  int rc = SQLITE_OK;
  if (!statement_borrow(call->ctx, call->kind, script, call->name, &call->kept)) return 0;
  for (int i = 0; i < count && rc == SQLITE_OK; i++) {
    if (values[i]) rc = bind_static(call->kept.stmt, i + 1, values[i]);
  }
  if (rc == SQLITE_OK) return 1;
  result_db_failure(call->ctx, rc);
  statement_return(call->ctx, &call->kept);
  return 0;
}

/*
 * Run to the end. The result of the function is the first row's value, or, of a statement that gives no rows, what it noted.
 * *found: whether there was a row, or a row changed. 0 on failure.
 */
static int call_finish(Call *call, int *found) {
  sqlite3_stmt *stmt = call->kept.stmt;
  int rc = sqlite3_step(stmt);

  *found = rc == SQLITE_ROW;
  if (rc == SQLITE_ROW) {
    sqlite3_result_value(call->ctx, sqlite3_column_value(stmt, 0));
    rc = SQLITE_DONE; /* of a key there is one row: no step to find out */
  } else if (rc == SQLITE_DONE && sqlite3_column_count(stmt) == 0) {
    *found = sqlite3_changes(sqlite3_context_db_handle(call->ctx)) > 0;
    if (*found) sqlite3_result_int64(call->ctx, *companions_noted(this_companions(call->ctx)));
  }
  if (rc != SQLITE_DONE) result_db_failure(call->ctx, rc);
  statement_return(call->ctx, &call->kept);
  return rc == SQLITE_DONE;
}

/* quire_note(x): x, which the statement's caller gets to know. RETURNING would do, but opens a table in memory for each call. */
static void quire_note(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  *companions_noted(this_companions(ctx)) = sqlite3_value_int64(argv[0]);
  sqlite3_result_value(ctx, argv[0]);
}

static int call_run(Call *call, const char *script, int count, sqlite3_value **values, int *found) {
  return call_begin(call, script, count, values) && call_finish(call, found);
}

/* The expected revision was not there: say which is. `values` are the key's, for `script`. */
static void report_conflict(Call *call, const char *script, int count, sqlite3_value **values,
                            sqlite3_value *expected) {
  sqlite3_int64 revision = 0;
  const char *key = (const char *)sqlite3_value_text(values[count - 1]);

  if (!call_begin(call, script, count, values)) return;
  if (sqlite3_step(call->kept.stmt) == SQLITE_ROW) revision = sqlite3_column_int64(call->kept.stmt, 0);
  statement_return(call->ctx, &call->kept);
  if (revision)
    result_message(call->ctx, "%s: revision conflict on '%s': expected %lld, the current revision is %lld", call->name,
                   key ? key : "", (long long)sqlite3_value_int64(expected), (long long)revision);
  else
    result_message(call->ctx, "%s: revision conflict on '%s': expected %lld, but it is not there (revision 0)",
                   call->name, key ? key : "", (long long)sqlite3_value_int64(expected));
}

/* Count and types of arguments; reports and gives 0. Texts are the first `texts`, integers those from `first_integer`. */
static int check_arguments(Call *call, int argc, sqlite3_value **argv, int least, int most, int texts,
                           int first_integer, const char *usage) {
  if (argc < least || argc > most) {
    result_message(call->ctx, "usage: %s", usage);
    return 0;
  }
  for (int i = 0; i < argc; i++) {
    int type = sqlite3_value_type(argv[i]);
    if ((i < texts && type != SQLITE_TEXT) || (i >= first_integer && type != SQLITE_INTEGER && type != SQLITE_NULL)) {
      result_message(call->ctx, "argument %d must be %s; usage: %s", i + 1, i < texts ? "text" : "an integer", usage);
      return 0;
    }
  }
  call->name = (const char *)sqlite3_value_text(argv[0]);
  if (call->name == NULL) sqlite3_result_error_nomem(call->ctx);
  return call->name != NULL;
}

static int is_given(int argc, sqlite3_value **argv, int i) {
  return i < argc && sqlite3_value_type(argv[i]) != SQLITE_NULL;
}

/* --- key-value --- */

static void kv_get(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Call call = {.ctx = ctx, .kind = KV};
  int found;
  if (!check_arguments(&call, argc, argv, 2, 2, 2, 9, "kv_get(store, key)")) return;
  (void)call_run(&call, kv_get_sql, 1, argv + 1, &found);
}

static void kv_set(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Call call = {.ctx = ctx, .kind = KV};
  int found;
  if (!check_arguments(&call, argc, argv, 3, 4, 2, 3, "kv_set(store, key, value, ttl_ms)")) return;
  if (call_run(&call, kv_change_sql, argc - 1, argv + 1, &found) && !found)
    (void)call_run(&call, kv_set_sql, argc - 1, argv + 1, &found);
}

static void kv_cas(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Call call = {.ctx = ctx, .kind = KV};
  sqlite3_value *values[4];
  int found, is_new;
  if (!check_arguments(&call, argc, argv, 4, 5, 2, 3, "kv_cas(store, key, value, revision, ttl_ms)")) return;
  values[0] = argv[1];
  values[1] = argv[2];
  values[2] = argc > 4 ? argv[4] : NULL;
  values[3] = argv[3];
  is_new = sqlite3_value_int64(argv[3]) == 0;
  if (call_run(&call, is_new ? kv_add_sql : kv_cas_sql, is_new ? 3 : 4, values, &found) && !found)
    report_conflict(&call, kv_revision_sql, 1, argv + 1, argv[3]);
}

static void kv_delete(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Call call = {.ctx = ctx, .kind = KV};
  int found, checked = is_given(argc, argv, 2);
  if (!check_arguments(&call, argc, argv, 2, 3, 2, 2, "kv_delete(store, key, revision)")) return;
  if (!call_run(&call, checked ? kv_delete_revision_sql : kv_delete_sql, checked ? 2 : 1, argv + 1, &found) || found)
    return;
  if (checked)
    report_conflict(&call, kv_revision_sql, 1, argv + 1, argv[2]);
  else
    sqlite3_result_int(ctx, 0);
}

static void kv_purge(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Call call = {.ctx = ctx, .kind = KV};
  int found;
  if (!check_arguments(&call, argc, argv, 1, 1, 1, 9, "kv_purge(store)")) return;
  if (call_run(&call, kv_purge_sql, 0, NULL, &found))
    sqlite3_result_int64(ctx, sqlite3_changes(sqlite3_context_db_handle(ctx)));
}

/* --- documents --- */

static void doc_get(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Call call = {.ctx = ctx, .kind = DOCUMENTS};
  int found;
  if (!check_arguments(&call, argc, argv, 3, 4, 4, 9, "doc_get(store, collection, id, path)")) return;
  (void)call_run(&call, argc > 3 ? doc_path_sql : doc_get_sql, argc - 1, argv + 1, &found);
}

/* Put or patch. `missing`: whether the document may not be missing, revision or no. */
static void change_document(sqlite3_context *ctx, int argc, sqlite3_value **argv, const char *plain,
                            const char *revision, const char *usage) {
  Call call = {.ctx = ctx, .kind = DOCUMENTS};
  sqlite3_value *values[4];
  int found, checked = is_given(argc, argv, 4);
  const char *script = plain;

  if (!check_arguments(&call, argc, argv, 4, 5, 4, 4, usage)) return;
  for (int i = 0; i < 4; i++) values[i] = i + 1 < argc ? argv[i + 1] : NULL;
  if (checked) script = sqlite3_value_int64(argv[4]) == 0 && plain == doc_put_sql ? doc_add_sql : revision;
  if (!call_begin(&call, script, checked && script != doc_add_sql ? 4 : 3, values)) return;
  if (call_finish(&call, &found)) {
    if (!found && checked)
      report_conflict(&call, doc_revision_sql, 2, argv + 1, argv[4]);
    else if (!found)
      result_message(ctx, "%s: there is no document '%s' to patch", call.name,
                     (const char *)sqlite3_value_text(argv[2]));
  } else if (sqlite3_strlike("malformed JSON%", sqlite3_errmsg(sqlite3_context_db_handle(ctx)), 0) == 0) {
    result_message(ctx, "%s: what is given for '%s' is not valid JSON", call.name,
                   (const char *)sqlite3_value_text(argv[2]));
  }
}

static void doc_put(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  change_document(ctx, argc, argv, doc_put_sql, doc_cas_sql, "doc_put(store, collection, id, json, revision)");
}

static void doc_patch(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  change_document(ctx, argc, argv, doc_patch_sql, doc_patch_revision_sql,
                  "doc_patch(store, collection, id, patch, revision)");
}

static void doc_delete(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Call call = {.ctx = ctx, .kind = DOCUMENTS};
  int found, checked = is_given(argc, argv, 3);
  if (!check_arguments(&call, argc, argv, 3, 4, 3, 3, "doc_delete(store, collection, id, revision)")) return;
  if (!call_run(&call, checked ? doc_delete_revision_sql : doc_delete_sql, checked ? 3 : 2, argv + 1, &found) || found)
    return;
  if (checked)
    report_conflict(&call, doc_revision_sql, 2, argv + 1, argv[3]);
  else
    sqlite3_result_int(ctx, 0);
}

const ScalarFunction store_functions[] = {
    {"quire_note", 1, SQLITE_DIRECTONLY, quire_note},
    {"kv_get", -1, SQLITE_DIRECTONLY, kv_get},
    {"kv_set", -1, SQLITE_DIRECTONLY, kv_set},
    {"kv_cas", -1, SQLITE_DIRECTONLY, kv_cas},
    {"kv_delete", -1, SQLITE_DIRECTONLY, kv_delete},
    {"kv_purge", -1, SQLITE_DIRECTONLY, kv_purge},
    {"doc_get", -1, SQLITE_DIRECTONLY, doc_get},
    {"doc_put", -1, SQLITE_DIRECTONLY, doc_put},
    {"doc_patch", -1, SQLITE_DIRECTONLY, doc_patch},
    {"doc_delete", -1, SQLITE_DIRECTONLY, doc_delete},
    {NULL, 0, 0, NULL},
};
