/*
 * codes_int.h: what the files of code rows share: the prepared query, the header of a row, the table of kernels of a level.
 *
 * How one level is made: codes_<level>.c defines a dozen inline functions on vectors of four floats and the two sums over codes,
 * then includes codes_scan.h, where the loops and the bounds are.
 */
#ifndef QUIRE_CODES_INT_H
#define QUIRE_CODES_INT_H

#include "codes.h"
#include "distance_int.h"

#define CODES_HEADER 16 /* bytes before the codes */
#define CODES_PIECE 16  /* codes of a row are padded to a multiple of this */

/* What a kernel needs of a query; the terms are those of the proof in codes.c. */
struct CodeQuery {
  u32 pieces;   /* of CODES_PIECE codes */
  float scale;  /* l2: 2t; dot: t; cosine: t/|q| */
  float radius; /* l2: F; dot: F', cosine: F'/|q|; l1: 0; all: infinite if nothing can be told */
  float norm;   /* l2: square of the norm of tk; dot: Q; cosine: Q/|q|; l1: the factor 1-g */
  float base;   /* dot: -FLT_MIN; cosine: 1 */
  i16 *whole;   /* k, then zeros; 64-byte aligned */
  float *exact; /* l1: q, then zeros; 64-byte aligned */
};

typedef struct CodeKernels {
  const char *level;
  CodeScan l2, dot, l1;
} CodeKernels;

extern const CodeKernels codes_plain;
#if defined(HAVE_AVX2)
extern const CodeKernels codes_avx2, codes_avx512;
#endif
#if defined(HAVE_NEON)
extern const CodeKernels codes_neon;
#endif

#endif
