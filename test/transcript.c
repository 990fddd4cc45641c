/*
 * transcript.c: run SQL scripts and write down what each statement gives, for builds that must all answer the same.
 *
 *   transcript DIR SCRIPT...       the database of each script is DIR/transcript.db, made anew
 *
 * Links libquire.a and SQLite, so that it runs where nothing can be loaded: for another word size, under valgrind. A line of a script that begins
 * with `--: ` is a comment here, and so is a first line that is none in SQL (test/faults). For each statement its text, its rows and, if it
 * fails, the code and message are written; numbers as SQLite writes them. Exit code 1: a database could not be opened, or memory was left behind.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ext/quire.h"

int sqlite3_testfuncs_init(sqlite3 *db, char **error, const struct sqlite3_api_routines *api);

/* The file's text, or NULL. */
static char *read_file(const char *name) {
  FILE *f = fopen(name, "rb");
  char *text = NULL;
  long size = -1;
  if (f == NULL) return NULL;
  if (fseek(f, 0, SEEK_END) == 0) size = ftell(f);
  if (size >= 0 && fseek(f, 0, SEEK_SET) == 0) text = malloc((size_t)size + 1);
  if (text && fread(text, 1, (size_t)size, f) != (size_t)size) {
    free(text);
    text = NULL;
  }
  if (text) text[size] = 0;
  fclose(f);
  return text;
}

static void print_value(sqlite3_stmt *stmt, int i) {
  const unsigned char *bytes;
  int k, n;
  if (sqlite3_column_type(stmt, i) != SQLITE_BLOB) {
    const char *text = (const char *)sqlite3_column_text(stmt, i);
    printf("%s", text ? text : "NULL");
    return;
  }
  bytes = sqlite3_column_blob(stmt, i);
  n = sqlite3_column_bytes(stmt, i);
  printf("x'");
  for (k = 0; k < n; k++) printf("%02x", bytes[k]);
  printf("'");
}

static void run_statement(sqlite3 *db, sqlite3_stmt *stmt) {
  const char *sql = sqlite3_sql(stmt);
  int rc, i;
  printf("> %s\n", sql + strspn(sql, " \n"));
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    for (i = 0; i < sqlite3_column_count(stmt); i++) {
      if (i) printf("|");
      print_value(stmt, i);
    }
    printf("\n");
  }
  if (rc != SQLITE_DONE) printf("error %d: %s\n", sqlite3_extended_errcode(db), sqlite3_errmsg(db));
}

static void run_text(sqlite3 *db, const char *text) {
  while (*text) {
    sqlite3_stmt *stmt = NULL;
    const char *next = text;
    if (sqlite3_prepare_v2(db, text, -1, &stmt, &next) != SQLITE_OK) {
      printf("error %d: %s\n", sqlite3_extended_errcode(db), sqlite3_errmsg(db));
      next = strchr(text, ';');
      if (next == NULL) return;
      next++;
    }
    if (stmt) run_statement(db, stmt);
    sqlite3_finalize(stmt);
    text = next;
  }
}

static int run_script(const char *dir, const char *script) {
  static const char *const suffix[] = {"", "-wal", "-shm", "-journal", "-quire"};
  const char *base = strrchr(script, '/');
  char *text = read_file(script), *start = text, *name = sqlite3_mprintf("%s/transcript.db", dir);
  sqlite3 *db = NULL;
  size_t i;
  int rc = text && name ? SQLITE_OK : SQLITE_CANTOPEN;

  printf("== %s\n", base ? base + 1 : script);
  for (i = 0; rc == SQLITE_OK && i < sizeof suffix / sizeof *suffix; i++) {
    char *file = sqlite3_mprintf("%s%s", name, suffix[i]);
    if (file) remove(file);
    sqlite3_free(file);
  }
  if (rc == SQLITE_OK && strncmp(text, "--", 2) != 0 && strstr(text, "\n--: ")) start = strstr(text, "\n--: ");
  if (rc == SQLITE_OK) rc = sqlite3_open(name, &db);
  if (rc == SQLITE_OK) rc = sqlite3_quire_init(db, NULL, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_testfuncs_init(db, NULL, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_exec(db, "PRAGMA journal_mode = wal", NULL, NULL, NULL);
  if (rc == SQLITE_OK) run_text(db, start);
  if (rc) fprintf(stderr, "transcript: %s: %s\n", script, db ? sqlite3_errmsg(db) : "cannot be read");
  sqlite3_close(db);
  sqlite3_free(name);
  free(text);
  return rc;
}

int main(int argc, char **argv) {
  int rc = SQLITE_OK, i;
  if (argc < 3) {
    fprintf(stderr, "usage: transcript DIR SCRIPT...\n");
    return 2;
  }
  for (i = 2; i < argc && rc == SQLITE_OK; i++) rc = run_script(argv[1], argv[i]);
  if (rc == SQLITE_OK && sqlite3_memory_used() != 0) {
    fprintf(stderr, "transcript: %lld bytes were not freed\n", (long long)sqlite3_memory_used());
    rc = SQLITE_ERROR;
  }
  return rc != SQLITE_OK;
}
