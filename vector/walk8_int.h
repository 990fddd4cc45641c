/*
 * walk8_int.h: what the files of distances between code rows share: the prepared query, the sums of each level.
 *
 * A level brings one function: integer dot products, which are exact and so the same at every level. All float arithmetic is
 * in walk8.c. walk8_<level>.c has four rows at a time.
 */
#ifndef QUIRE_WALK8_INT_H
#define QUIRE_WALK8_INT_H

#include "codes_int.h"
#include "walk8.h"

/* dots[i] = the sum of the query's codes times those of rows[i]. */
typedef void (*Walk8Dots)(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *dots);

struct Walk8Query {
  Walk8Dots dots;
  u32 pieces; /* of CODES_PIECE codes */
  float scale;
  float norm2;  /* |x|^2 */
  float bound2; /* M^2; negative for a dot query */
  float rest;   /* a; dot alone */
  int unknown;  /* of infinite radius */
  u8 unused[64 - sizeof(Walk8Dots) - 6 * 4];
  i8 codes[]; /* padded with zeros to a multiple of 64 */
};

void walk8_dots_plain(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *dots);
#if defined(HAVE_AVX2)
void walk8_dots_avx2(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *dots);
void walk8_dots_avx512(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *dots);
#endif
#if defined(HAVE_NEON)
void walk8_dots_neon(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *dots);
#endif

#endif
