/*
 * wide.h: sixteen floats as one value, W, for loops that must give the same bytes at every level.
 *
 * A kernel file defines CODE, the target attribute of its level, and includes wide_<level>.h, which defines:
 *
 *   <type>_wide(p)       W from WIDE_LANES elements at p, any alignment; f32, f16, bf16
 *   w_all(f), w_load(p), w_store(p, a)
 *   w_add, w_sub, w_mul(a, b): each rounded; never fused
 *   w_abs(a), w_max, w_min(a, b): b where a is NaN
 *   w_codes(p, a)        the low byte of the bits of each float, to WIDE_LANES bytes
 *   w_hadamard(a)        the Walsh-Hadamard transform of the lanes, not normalised: for h = 1, 2, 4, 8 in this order
 *                        a[i], a[i+h] become a[i] + a[i+h], a[i] - a[i+h]
 */
#ifndef QUIRE_WIDE_H
#define QUIRE_WIDE_H

#include "distance_int.h"

#define WIDE_LANES 16

/* Adding this to a number of at most 2^21 rounds it to an integer, whose low byte is then that of the float's bits. */
#define WIDE_ROUNDER 0x1.8p23f

#endif
