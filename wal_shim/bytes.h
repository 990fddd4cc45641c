/*
 * bytes.h: little-endian loads and stores at any alignment, through which everything on disk goes; the big-endian load that SQLite's files want; the mixing
 * of a word's bits.
 */
#ifndef QUIRE_BYTES_H
#define QUIRE_BYTES_H

#include "base.h"

static inline u16 load16(const u8 *p) { return (u16)(p[0] | (u16)p[1] << 8); }
static inline u32 load32(const u8 *p) { return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24; }
static inline u64 load64(const u8 *p) { return (u64)load32(p) | (u64)load32(p + 4) << 32; }
static inline u32 load32_big(const u8 *p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }
static inline void store16(u8 *p, u16 v) {
  p[0] = (u8)v;
  p[1] = (u8)(v >> 8);
}
static inline void store32(u8 *p, u32 v) {
  store16(p, (u16)v);
  store16(p + 2, (u16)(v >> 16));
}
static inline void store64(u8 *p, u64 v) {
  store32(p, (u32)v);
  store32(p + 4, (u32)(v >> 32));
}

/* splitmix64 (Steele, Lea and Flood 2014): its finalizer, and the next number of a state. What is stored depends on it: codes, levels of graphs, lists. */
#define MIX64_STEP 0x9e3779b97f4a7c15u
static inline u64 mix64(u64 x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}
static inline u64 mix64_next(u64 *state) { return mix64(*state += MIX64_STEP); }

#endif
