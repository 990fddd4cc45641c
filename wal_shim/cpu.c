/*
 * cpu.c: see cpu.h.
 *
 * We ask CPUID ourselves rather than the compiler's run-time support: its names for features differ between compilers
 * and versions, and some C libraries lack it.
 */
#include "cpu.h"

#if defined(HAVE_AVX2)

#include <cpuid.h>

#define BIT(n) (1u << (n))

/* Extended control register 0: the register state that the OS saves. Only if CPUID reports OSXSAVE. */
static u32 saved_state(void) {
  u32 lo, hi;
  __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  (void)hi;
  return lo;
}

/* What follows from leaf 1 (ecx), leaf 7 (ebx, ecx) and XCR0. */
static u32 features_of(u32 c, u32 b7, u32 c7, u32 state) {
  const u32 ymm = BIT(1) | BIT(2);                             /* XCR0: SSE, AVX */
  const u32 zmm = ymm | BIT(5) | BIT(6) | BIT(7);              /* and opmask, two parts of ZMM */
  const u32 crc_1c = BIT(20) | BIT(1);                         /* leaf 1 ecx: SSE4.2, PCLMULQDQ */
  const u32 avx2_1c = BIT(12) | BIT(28) | BIT(29) | BIT(23);   /* leaf 1 ecx: FMA, AVX, F16C, POPCNT */
  const u32 avx512_7b = BIT(16) | BIT(17) | BIT(30) | BIT(31); /* leaf 7 ebx: F, DQ, BW, VL */
  const u32 avx512_7c = BIT(11) | BIT(14);                     /* leaf 7 ecx: VNNI, VPOPCNTDQ */
  u32 found = 0;
#if defined(__x86_64__)
  if ((c & crc_1c) == crc_1c) found |= CPU_CRC32C;
#else
  (void)crc_1c;
#endif
  if ((state & ymm) == ymm && (c & avx2_1c) == avx2_1c && (b7 & BIT(5))) {
    found |= CPU_AVX2;
    if ((state & zmm) == zmm && (b7 & avx512_7b) == avx512_7b && (c7 & avx512_7c) == avx512_7c) found |= CPU_AVX512;
  }
  return found;
}

u32 cpu_features(void) {
  u32 a, b, c, d, b7 = 0, c7 = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if (__get_cpuid_max(0, NULL) >= 7) {
    u32 a7, d7;
    __cpuid_count(7, 0, a7, b7, c7, d7);
    (void)a7;
    (void)d7;
  }
  return features_of(c, b7, c7, c & BIT(27) ? saved_state() : 0);
}

#elif defined(HAVE_NEON)

#if defined(__linux__)
#include <sys/auxv.h>
#define HWCAP_CRC32_BIT (1ul << 7)
static int has_crc(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32_BIT) != 0; }
#elif defined(__APPLE__) || defined(__ARM_FEATURE_CRC32)
static int has_crc(void) { return 1; }
#else
static int has_crc(void) { return 0; }
#endif

u32 cpu_features(void) { return CPU_NEON | (has_crc() ? CPU_CRC32C : 0); }

#else

u32 cpu_features(void) { return 0; }

#endif
