/*
 * fuzz.h: what the fuzzers share. Each is a program with LLVMFuzzerTestOneInput: under clang with libFuzzer (`make fuzz`), elsewhere with
 * fuzz_main.c, which runs it once on each file it is given (fuzz.test replays test/corpus/NAME).
 *
 *   literal  vectors as text and BLOB to every type         ddl      arguments of CREATE VIRTUAL TABLE
 *   sql      statements on small tables against a mirror    kernels  every SIMD level against the plain one
 *   pages    a damaged page file (corrupt.c)
 */
#ifndef FUZZ_H
#define FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ext/quire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise is broken: the input is kept as a finding. */
#define FINDING(...)                                                                                                   \
  do {                                                                                                                 \
    fprintf(stderr, "finding: ");                                                                                      \
    fprintf(stderr, __VA_ARGS__);                                                                                      \
    fprintf(stderr, "\n");                                                                                             \
    abort();                                                                                                           \
  } while (0)

/* A database in memory with Quire; little memory, so that nothing can ask for much. */
static inline sqlite3 *fuzz_open(void) {
  sqlite3 *db = NULL;
  if (sqlite3_open(":memory:", &db) || sqlite3_quire_init(db, NULL, NULL)) FINDING("no database");
  sqlite3_hard_heap_limit64(96 << 20);
  return db;
}

static inline void fuzz_must(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL)) FINDING("%s: %s", sql, sqlite3_errmsg(db));
}

/* The first value of the first row as a text, or "" if there is none; the caller frees it. NULL: an error. */
static inline char *fuzz_text(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt = NULL;
  char *text = NULL;
  int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) {
    const char *value = (const char *)sqlite3_column_text(stmt, 0);
    text = strdup(value ? value : "");
  } else if (rc == SQLITE_DONE) {
    text = strdup("");
  }
  sqlite3_finalize(stmt);
  return text;
}

#endif
