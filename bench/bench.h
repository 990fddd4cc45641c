/*
 * bench.h: what the benchmarks share: clocks, medians, databases and their rows. Errors end the program with a message.
 */
#ifndef BENCH_H
#define BENCH_H

#include <sqlite3.h>
#include <stddef.h>

#if defined(__GNUC__)
#define BENCH_FORMAT __attribute__((format(printf, 1, 2)))
#else
#define BENCH_FORMAT
#endif

#define MAX_RUNS 101 /* of a measurement */

_Noreturn BENCH_FORMAT void bench_fail(const char *format, ...);
void *bench_alloc(size_t size);
/* Seconds: of a clock on the wall, of the processor time of this process (all threads). */
double bench_now(void);
double bench_cpu(void);
/* The middle of v[0..n), or the mean of the two in the middle. Sorts v. */
double bench_median(double *v, size_t n);

_Noreturn void bench_fail_db(sqlite3 *db, const char *what);
void db_run(sqlite3 *db, const char *sql);
/* The integer that a statement answers with; it must answer. */
sqlite3_int64 db_value(sqlite3 *db, const char *sql);
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql);
/* Remove a database with all that may lie beside it. */
void db_remove(const char *path);
/* Open or make a database: WAL, synchronous NORMAL, with the extension `lib` unless NULL. */
sqlite3 *db_open(const char *path, const char *lib);

typedef enum { INSERT_ALL, INSERT_SINGLY } InsertHow; /* one transaction, or one for each row */
/*
 * Seconds to insert vectors as rows of t(rowid, e), with rowids from `first_rowid`.
 *   latency  count seconds of the single inserts; NULL: not wanted
 */
double db_insert(sqlite3 *db, const float *vector, size_t count, size_t dim, sqlite3_int64 first_rowid, InsertHow how,
                 double *latency);

#endif
