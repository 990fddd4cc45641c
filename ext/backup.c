/*
 * backup.c: quire_backup(path [, schema [, progress]]): a copy of the database and of its page file, to be opened as it is (wal_shim/backup.c).
 *
 *   path      the copy; path-quire is its page file. Neither may be there, unless empty
 *   schema    main, if it is not given or NULL
 *   progress  the name of an SQL function of two arguments, called with pages done and pages in all; an error of it ends the backup
 *
 * Gives the number of pages of the page file that were copied. DIRECTONLY: no schema can make it write files.
 */
#include "backup.h"

#include "functions_int.h"

typedef struct Progress {
  sqlite3 *db;
  sqlite3_stmt *stmt;
  char *words; /* of its failure */
} Progress;

static int call_progress(void *arg, sqlite3_int64 done, sqlite3_int64 total) {
  Progress *p = arg;
  int rc;
  sqlite3_bind_int64(p->stmt, 1, done);
  sqlite3_bind_int64(p->stmt, 2, total);
  sqlite3_step(p->stmt);
  rc = sqlite3_reset(p->stmt);
  if (rc && p->words == NULL) p->words = sqlite3_mprintf("quire_backup: %s", sqlite3_errmsg(p->db));
  return rc;
}

static int prepare_progress(Progress *p, const char *function) {
  char *sql = sqlite3_mprintf("SELECT \"%w\"(?1, ?2)", function);
  int rc = sql ? sqlite3_prepare_v2(p->db, sql, -1, &p->stmt, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc && rc != SQLITE_NOMEM) p->words = sqlite3_mprintf("quire_backup: progress: %s", sqlite3_errmsg(p->db));
  return rc;
}

/* The text of an argument; NULL if it is missing or NULL. *rc: none, or one that is no text. */
static const char *text_argument(int argc, sqlite3_value **argv, int i, const char *what, char **words, int *rc) {
  const char *text = NULL;
  if (*rc || i >= argc || sqlite3_value_type(argv[i]) == SQLITE_NULL) return NULL;
  if (sqlite3_value_type(argv[i]) == SQLITE_TEXT) {
    text = (const char *)sqlite3_value_text(argv[i]);
    if (text == NULL) *rc = SQLITE_NOMEM;
    if (text && strlen(text) == (size_t)sqlite3_value_bytes(argv[i])) return text;
  }
  if (*rc == SQLITE_OK) {
    *words = sqlite3_mprintf("quire_backup: %s must be a text without NUL characters", what);
    *rc = SQLITE_ERROR;
  }
  return NULL;
}

static void quire_backup(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Conn *conn = sqlite3_user_data(ctx);
  Progress progress = {sqlite3_context_db_handle(ctx), NULL, NULL};
  char *words = NULL;
  sqlite3_int64 pages = 0;
  int rc = SQLITE_OK;
  const char *path = text_argument(argc, argv, 0, "the path", &words, &rc);
  const char *schema = text_argument(argc, argv, 1, "the schema", &words, &rc);
  const char *function = text_argument(argc, argv, 2, "the name of the progress function", &words, &rc);

  if (rc == SQLITE_OK && path == NULL) {
    words = sqlite3_mprintf("quire_backup: the path is missing: quire_backup('copy.db')");
    rc = SQLITE_ERROR;
  }
  if (rc == SQLITE_OK && function) rc = prepare_progress(&progress, function);
  if (rc == SQLITE_OK)
    rc = store_backup(conn, schema ? schema : "main", path, function ? call_progress : NULL, &progress, &pages, &words);
  sqlite3_finalize(progress.stmt);
  if (rc == SQLITE_OK)
    sqlite3_result_int64(ctx, pages);
  else
    result_failure(ctx, rc, progress.words ? progress.words : words);
  if (progress.words) sqlite3_free(words);
}

static void release(void *conn) { conn_release(conn); }

int backup_register(sqlite3 *db, Conn *conn) {
  int rc = SQLITE_OK, n;
  for (n = 1; n <= 3 && rc == SQLITE_OK; n++)
    rc = sqlite3_create_function_v2(db, "quire_backup", n, SQLITE_UTF8 | SQLITE_DIRECTONLY, conn_retain(conn),
                                    quire_backup, NULL, NULL, release);
  return rc;
}
