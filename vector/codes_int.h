/*
 * codes_int.h: what the files of code rows share: the prepared query, the header of a row, the table of kernels of a level.
 *
 * How one level is made: codes_<level>.c includes wide_<level>.h and codes_encode.h once per element type; then it defines a
 * dozen inline functions on vectors of four floats, beside the two sums over codes, and includes
 * codes_scan.h. The loops and the bounds are there.
 */
#ifndef QUIRE_CODES_INT_H
#define QUIRE_CODES_INT_H

#include "codes.h"
#include "wide.h"

#define CODES_HEADER 16 /* bytes before the codes */
#define CODES_PIECE 16  /* codes of a row are padded to a multiple of this: WIDE_LANES */

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

/* Sums over the elements of a vector: that of element i is in lane i % CODES_PIECE. */
typedef struct CodeSums {
  float residual[CODES_PIECE]; /* of e*e, or |e| for l1 */
  float codes[CODES_PIECE];    /* of c*c, or |c| for l1 */
  float norm[CODES_PIECE];     /* cosine: of x*x */
} CodeSums;

/* The largest |element|; NaN is passed over. */
typedef float (*CodeLargest)(const u8 *v, u32 dim);
/* Codes (and zeros to a whole piece) of a vector: its elements times `inverse`, rounded. */
typedef void (*CodeRound)(Metric metric, const u8 *v, u32 dim, float inverse, float scale, u8 *codes, CodeSums *out);

enum { CODES_L2, CODES_DOT, CODES_L1, CODES_BOUNDS }; /* dot: cosine too */

typedef struct CodeKernels {
  const char *level;
  CodeScan scan[CODES_BOUNDS];
  CodeScanApart apart[CODES_BOUNDS];
  CodeLargest largest[ELEM_BF16 + 1];
  CodeRound round[ELEM_BF16 + 1];
} CodeKernels;

/* The last members of a level whose file has included codes_encode.h for every type. */
#define CODES_LARGEST                                                                                                  \
  { [ELEM_F32] = largest_f32, [ELEM_F16] = largest_f16, [ELEM_BF16] = largest_bf16 }
#define CODES_ROUND                                                                                                    \
  { [ELEM_F32] = round_f32, [ELEM_F16] = round_f16, [ELEM_BF16] = round_bf16 }

extern const CodeKernels codes_plain;
#if defined(HAVE_AVX2)
extern const CodeKernels codes_avx2, codes_avx512;
#endif
#if defined(HAVE_NEON)
extern const CodeKernels codes_neon;
#endif

#endif
