/*
 * base.h: what every file of Quire may use: integer types, result codes, memory, corruption reports.
 *
 * SQLite's result codes are the only error codes, from disk to prompt. Memory comes from sqlite3_malloc64 alone, with
 * checked sizes (mem.c). Below vtab/ nothing else of SQLite is used, save in store.c, home_file.c and horizon.c.
 */
#ifndef QUIRE_BASE_H
#define QUIRE_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef SQLITE_CORE
#include <sqlite3.h>
#else
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#endif

#define QUIRE_VERSION "0.1.0"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

#define MAX_DIM 8192u         /* dimensions of a dense vector */
#define MAX_VECTOR_COLUMNS 16 /* of one table */
#define NO_SLOT 0xffffffffu   /* of a table's slots */

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((noinline)) /* what is called seldom, by what must save no registers for it */
#else
#define PRINTF_LIKE(fmt, args)
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#define NOINLINE
#endif

/*
 * Conditions that only a mistake of ours elsewhere could make false (ALWAYS) or true (NEVER), and that are handled all the same. What comes from disk,
 * from SQL or from SQLite is no such condition. With QUIRE_DEBUG (sanitizers, fuzzers) the mistake stops the program; under
 * QUIRE_COVERAGE they are constants, so that the outcome that does not happen is not counted as missed. No side effects in x.
 */
#if defined(QUIRE_COVERAGE)
#define ALWAYS(x) (1 || (x))
#define NEVER(x) (0 && (x))
#elif defined(QUIRE_DEBUG)
#include <assert.h>
#define ALWAYS(x) ((x) ? 1 : (assert(0 && "ALWAYS(" #x ")"), 0))
#define NEVER(x) ((x) ? (assert(0 && "NEVER(" #x ")"), 1) : 0)
#else
#define ALWAYS(x) (x)
#define NEVER(x) (x)
#endif

#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

/*
 * Report corruption of page `pgno` (0: no page in particular): logs file, line and page with sqlite3_log and
 * gives SQLITE_CORRUPT_VTAB. The one place where a debugger stops on bad bytes.
 */
#define CORRUPT(pgno) corrupt_at(__FILE__, __LINE__, (u64)(pgno))
int corrupt_at(const char *file, int line, u64 pgno);

/*
 * A mistake made on purpose, to show that the tests find it: true in a build with -DQUIRE_DEFECT='"name"', else nothing. test/defects.tcl
 * has the names; `make defects` builds and hunts each.
 */
#ifdef QUIRE_DEFECT
#define DEFECT(name) (strcmp(QUIRE_DEFECT, #name) == 0)
#else
#define DEFECT(name) 0
#endif

/*
 * Memory: sqlite3_malloc64 behind checked products. `mem_array` and `mem_zeroed` are no-ops giving NULL when *rc is already
 * set, and set *rc to SQLITE_NOMEM when memory is out or count*size overflows. A product of 0 gives a
 * valid pointer to free. Everything is freed by mem_free, which accepts NULL.
 */
void *mem_array(int *rc, u64 count, u64 size);
void *mem_zeroed(int *rc, u64 count, u64 size);
/* Grow *array (item size `size`) so that it holds at least `need` items; doubles *cap. Keeps *array on failure. */
int mem_reserve(void *array, u64 *cap, u64 need, u64 size);
char *mem_strdup(int *rc, const char *text);
void mem_free(void *p);

/* 64-byte aligned block of sqlite3 memory, for arrays that kernels read. Freed by mem_aligned_free only. */
void *mem_aligned(int *rc, u64 size);
void mem_aligned_free(void *p);

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of n bytes, continued from `crc` (0 to start). */
u32 crc32c(u32 crc, const void *data, size_t n);

#endif
