/*
 * walk8_plain.c: dot products of code rows in C alone. See walk8_int.h.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#include "walk8_int.h"

#define CODE

ALWAYS_INLINE void walk8_four(const Walk8Query *q, const u8 *const row[SCAN_ROWS], i32 *dots) {
  u32 r, i, n = q->pieces * CODES_PIECE;
  for (r = 0; r < SCAN_ROWS; r++) {
    const i8 *c = (const i8 *)row[r] + CODES_HEADER;
    i32 sum = 0;
    for (i = 0; i < n; i++) sum += (i32)q->codes[i] * c[i];
    dots[r] = sum;
  }
}

CODE void walk8_dots_plain(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *out) {
  ROWS_BY_FOUR(i32, walk8_four, query);
}
