/*
 * exact_float.h: included next to the own header where float operations have to give the same bits everywhere: each is the IEEE one, in the order in
 * which they stand. Nothing is fused, and i386 computes in SSE registers.
 *
 *   EXACT_FLOAT_O3   defined before: the functions that follow are compiled at that level
 */
#ifndef QUIRE_EXACT_FLOAT_H
#define QUIRE_EXACT_FLOAT_H

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#if defined(EXACT_FLOAT_O3)
#pragma GCC optimize("O3", "fp-contract=off")
#else
#pragma GCC optimize("fp-contract=off")
#endif
#if defined(__i386__)
#pragma GCC target("sse2,fpmath=sse")
#endif
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#endif
