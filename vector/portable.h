/*
 * portable.h: what compilers call by names of their own: inlining, fetching ahead, bits of a word.
 */
#ifndef QUIRE_PORTABLE_H
#define QUIRE_PORTABLE_H

#include "../wal_shim/base.h"

#define CACHE_LINE 64u
#define ROW_AHEAD                                                                                                      \
  1024u /* bytes of a row that are worth asking for: of longer ones the processor fetches the rest by itself */

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch((const void *)(p))
#else
#define PREFETCH(p) ((void)(p))
#endif

#if defined(_MSC_VER)
#define ALIGNED64 __declspec(align(64))
#else
#define ALIGNED64 __attribute__((aligned(64)))
#endif

#if defined(QUIRE_COVERAGE)
#define ALWAYS_INLINE                                                                                                  \
  static __attribute__((noinline, unused)) /* its branches count once, not at each place of inlining */
#elif defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

/* Ask for the cache lines of `bytes` bytes, as many as are worth it. */
ALWAYS_INLINE void fetch_row(const u8 *row, u32 bytes) {
  u32 at;
  for (at = 0; at < MIN(bytes, ROW_AHEAD); at += CACHE_LINE) PREFETCH(row + at);
}

/* Bits set in a word, without an instruction for it (Knuth, TAOCP 4A, 7.1.3). */
ALWAYS_INLINE u32 count_bits(u64 w) {
  w -= w >> 1 & 0x5555555555555555u;
  w = (w & 0x3333333333333333u) + (w >> 2 & 0x3333333333333333u);
  w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return (u32)(w * 0x0101010101010101u >> 56);
}

/* The number of the lowest bit that is set; one is. */
ALWAYS_INLINE u32 low_bit(u64 word) {
#if defined(__GNUC__)
  return (u32)__builtin_ctzll(word);
#else
  return count_bits((word & (0 - word)) - 1);
#endif
}

#endif
