/*
 * sq4_int.h: what the files of 4-bit codes share: what was learned, the prepared query, the table of kernels of a level.
 *
 * How one level is made: sq4_<level>.c includes wide_<level>.h, defines the values of four codes and includes sq4_level.h,
 * where all loops are. Every float operation there is rounded, and their order is fixed, so that all levels give the same bytes.
 */
#ifndef QUIRE_SQ4_INT_H
#define QUIRE_SQ4_INT_H

#include "sq4.h"
#include "wide.h"

/* Floats of a vector, padded with zeros to whole W. */
#define SQ4_PADDED(dim) (((dim) + WIDE_LANES - 1) / WIDE_LANES * WIDE_LANES)

struct Sq4 {
  Metric metric;
  Elem elem;
  u32 dim, padded, blocks; /* padded: SQ4_PADDED(dim) */
  float step;
  float unit;    /* a power of two near 1/step: vectors are centred in these units, where nothing overflows */
  float inverse; /* 1/(step*unit) */
  u32 length;    /* of the transforms: the largest power of two that is at most dim */
  u32 rounds;
  float *mean;   /* dim floats; in one block with the next two, 64-byte aligned */
  float *centre; /* mean*unit, padded with zeros */
  float *signs; /* `rounds` times `length` floats: a sign times the root of 1/length, which makes a round orthonormal */
};

struct Sq4Query {
  u32 blocks, head; /* head: 0, or so many of them */
  u32 measured,
      share; /* rows whose heads were; what the head of a far row has more of than this, in 65536ths of a squared distance */
  i8 table[16]; /* 4x - 60 at x, or zeros for dot */
  /* Sums of (60 + u)^2 over the dimensions, and over those of the head: with 16 times a sum of terms, 16 times the squared distance. */
  u64 constant, head_constant;
  u64 sum2; /* of the shares of the measured rows, in 65536ths: the sums of their squares and of them; their least deviation */
  u32 sum, deviation;
  i8 minus[]; /* -u: 128 for each block, zeros beyond dim */
};

typedef struct Sq4Kernels {
  const char *level;
  Sq4Distances distances, heads;
  /* `dim` elements to floats, and zeros to a whole W. */
  void (*widen[ELEM_BF16 + 1])(const u8 *v, u32 dim, float *x);
  /* On `padded` floats: the largest |x|, NaN passed over; the sum of squares, in WIDE_LANES sums added up in order. */
  float (*largest)(const float *x, u32 padded);
  double (*squares)(const float *x, u32 padded);
  void (*scale)(float *x, u32 padded, float factor);
  /* x = (x*unit - centre) * inverse; what is beyond +-2^60 (or NaN) before the last product becomes that. */
  void (*centre)(const Sq4 *sq4, float *x);
  void (*rotate)(const Sq4 *sq4, float *x);
  /* x*factor + offset, clamped to low..high (integers of at most 8 bits) and rounded; out may be where x is. */
  void (*round)(const float *x, u32 padded, float factor, float offset, float low, float high, u8 *out);
} Sq4Kernels;

extern const Sq4Kernels sq4_plain;
#if defined(HAVE_AVX2)
extern const Sq4Kernels sq4_avx2, sq4_avx512;
#endif
#if defined(HAVE_NEON)
extern const Sq4Kernels sq4_neon;
#endif

/* The coordinates that are encoded: centred, rotated, in steps; sq4->padded floats, of which those beyond dim are meaningless. */
void sq4_coordinates(const Sq4 *sq4, const void *vector, float *x);
/* The same of `dim` floats as they are: for cosine of a mean of unit vectors, say. */
void sq4_point_coordinates(const Sq4 *sq4, const float *point, float *x);
/* A vector rotated, not centred, scaled by a power of two so that its squares can be summed; by what to multiply it to have the vector's again. */
float sq4_direction(const Sq4 *sq4, const void *vector, float *x);

#endif
