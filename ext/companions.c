/*
 * companions.c: registration of companions, and what their functions share. See companions.h.
 */
#include "companions.h"

#include <stdarg.h>

struct Companions {
  u32 refs;
  sqlite3 *db;
};

int companions_new(sqlite3 *db, Companions **out) {
  int rc = SQLITE_OK;
  Companions *c = mem_zeroed(&rc, 1, sizeof *c);
  if (rc) return rc;
  c->refs = 1;
  c->db = db;
  *out = c;
  return SQLITE_OK;
}

Companions *companions_retain(Companions *companions) {
  companions->refs++;
  return companions;
}

void companions_release(Companions *companions) {
  if (companions == NULL || --companions->refs) return;
  mem_free(companions);
}

void companions_close_statements(Companions *companions) { (void)companions; }

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
  const char *words = sqlite3_errmsg(sqlite3_context_db_handle(ctx));
  result_failure(ctx, rc, rc == SQLITE_NOMEM ? NULL : sqlite3_mprintf("%s", words));
  if (rc != SQLITE_NOMEM) sqlite3_result_error_code(ctx, rc);
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
  if (rc) (void)sqlite3_exec(db, "ROLLBACK TO quire_call", NULL, NULL, NULL);
  if (rc) {
    (void)sqlite3_exec(db, "RELEASE quire_call", NULL, NULL, NULL);
    return rc;
  }
  rc = sqlite3_exec(db, "RELEASE quire_call", NULL, NULL, error);
  if (rc)
    (void)sqlite3_exec(db, "ROLLBACK TO quire_call; RELEASE quire_call", NULL, NULL, NULL); /* a commit that failed */
  return rc;
}

/* --- registering --- */

static void release(void *p) { companions_release(p); }

int companions_register(sqlite3 *db, Companions *companions) {
  static const ScalarFunction *const functions[] = {relation_functions};
  static const TableFunction *const tables[] = {&quire_relations};
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
