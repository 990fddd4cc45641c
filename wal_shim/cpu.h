/*
 * cpu.h: what the processor can do, asked at run time.
 *
 * Code for an instruction set is compiled by a function attribute (`AVX2_CODE static int f()`), never by flags of a file, so
 * that the same sources can be linked into any program; it is called only after cpu_features() has named the set.
 */
#ifndef QUIRE_CPU_H
#define QUIRE_CPU_H

#include "base.h"

#define CPU_CRC32C 1u /* x86-64: SSE4.2 and PCLMULQDQ; AArch64: CRC32 */
#define CPU_AVX2 2u   /* AVX2, FMA, F16C, POPCNT, and an OS that saves YMM */
#define CPU_AVX512 4u /* F, BW, DQ, VL, VNNI, VPOPCNTDQ (Ice Lake, Zen 4), CPU_AVX2, and an OS that saves ZMM */
#define CPU_NEON 8u   /* AArch64 */

/* The sets above that this processor and this build have. Asks the processor each time: keep the answer. */
u32 cpu_features(void);

/* Which sets this compiler can produce code for. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define HAVE_AVX2 1
#define HAVE_AVX512 1
#endif
#if defined(__GNUC__) && defined(__aarch64__) && !defined(__AARCH64EB__)
#define HAVE_NEON 1
#endif

/*
 * One word that several threads read and may set to the same thing: a function chosen on first use. No order is
 * implied: what is pointed to must be constant.
 */
#if defined(__GNUC__)
#define RELAXED_LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define RELAXED_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#else
#define RELAXED_LOAD(p) (*(p))
#define RELAXED_STORE(p, v) (*(p) = (v))
#endif

#endif
