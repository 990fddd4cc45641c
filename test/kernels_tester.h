/*
 * kernels_tester.h: what the tests of kernels share: counting, random numbers, guarded memory, elements. Each test prints a line
 * per failure and at the end "N passed, N failed". With KERNELS_TEST_SHIM the few functions of SQLite that the tests
 * come to are from here, for cross builds; functions that call others are left out by the linker. Define _GNU_SOURCE before any include.
 */
#ifndef QUIRE_KERNELS_TESTER_H
#define QUIRE_KERNELS_TESTER_H

#include "../vector/distance.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__GNUC__)
#define MAY_BE_UNUSED __attribute__((unused))
#else
#define MAY_BE_UNUSED
#endif

#if defined(KERNELS_TEST_SHIM)
void *sqlite3_malloc64(sqlite3_uint64 n) { return malloc((size_t)n); }
void *sqlite3_realloc64(void *p, sqlite3_uint64 n) { return realloc(p, (size_t)n); }
void sqlite3_free(void *p) { free(p); }
void sqlite3_log(int code, const char *format, ...) {
  (void)code;
  (void)format;
}
char *sqlite3_vmprintf(const char *format, va_list args) {
  char *text = malloc(1000);
  vsnprintf(text, 1000, format, args);
  return text;
}
char *sqlite3_mprintf(const char *format, ...) {
  va_list args;
  char *text;
  va_start(args, format);
  text = sqlite3_vmprintf(format, args);
  va_end(args);
  return text;
}
char *sqlite3_snprintf(int n, char *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(text, (size_t)n, format, args);
  va_end(args);
  return text;
}
#endif

static u32 passed, failed;

#define LEVELS 4
static const char *const levels[LEVELS] = {"plain", "avx2", "avx512", "neon"};

/* Counts; prints only the first failures of a run. */
#define CHECK(condition, ...)                                                                                          \
  do {                                                                                                                 \
    if (condition) {                                                                                                   \
      passed++;                                                                                                        \
    } else if (failed++ < 50) {                                                                                        \
      printf("FAIL %s:%d: %s: ", __FILE__, __LINE__, #condition);                                                      \
      printf(__VA_ARGS__);                                                                                             \
      printf("\n");                                                                                                    \
    }                                                                                                                  \
  } while (0)

MAY_BE_UNUSED static void print_levels(void) {
  u32 i;
  for (i = 0; i < LEVELS; i++) {
    printf("level %s: %s\n", levels[i], simd_force(levels[i]) ? "tested" : "skipped, not on this machine");
  }
}

static u64 seed = 1;

/* splitmix64 */
static u64 random64(void) {
  u64 z = seed += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

MAY_BE_UNUSED static u32 random_below(u32 n) { return (u32)(random64() % n); }

/* In [-1, 1), exactly representable as float. */
MAY_BE_UNUSED static double random_unit(void) { return (double)(random64() >> 40) * 0x1p-23 - 1; }

/* Nearly normal: the sum of twelve, without any function that differs between C libraries. */
MAY_BE_UNUSED static double random_normal(void) {
  double sum = 0;
  u32 i;
  for (i = 0; i < 12; i++) sum += random_unit();
  return sum / 2;
}

/* Pages between two without access. */
typedef struct Guarded {
  u8 *start, *end;
} Guarded;

MAY_BE_UNUSED static Guarded guarded_new(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
  u8 *p = mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Guarded g;
  if (p == MAP_FAILED || mprotect(p + page, whole, PROT_READ | PROT_WRITE)) {
    printf("no memory\n");
    exit(1);
  }
  g.start = p + page;
  g.end = g.start + whole;
  return g;
}

MAY_BE_UNUSED static void guarded_free(Guarded *g) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  munmap(g->start - page, (size_t)(g->end - g->start) + 2 * page);
}

/* Set an element of float32, float16 or bfloat16: the nearest finite one. */
MAY_BE_UNUSED static void put(Elem elem, u8 *v, u32 i, double value) {
  u16 h;
  if (elem == ELEM_F32) {
    float f = (float)value;
    if (!isfinite(f)) f = value < 0 ? -FLT_MAX : FLT_MAX;
    memcpy(v + 4 * (size_t)i, &f, 4);
    return;
  }
  h = elem == ELEM_F16 ? f32_to_f16((float)value) : f32_to_bf16((float)value);
  if (!isfinite(elem == ELEM_F16 ? f16_to_f32(h) : bf16_to_f32(h))) h--;
  memcpy(v + 2 * (size_t)i, &h, 2);
}

#endif
