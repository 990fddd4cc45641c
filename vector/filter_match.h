/*
 * filter_match.h: the kernels of filter.c: which words lie in a few ranges, which narrow words (narrow.h) are of some parts.
 */
#ifndef QUIRE_FILTER_MATCH_H
#define QUIRE_FILTER_MATCH_H

#include "filter.h"

#define MATCH_MAX_RANGES 4u

/*
 * `count` little-endian words at `words`, from slot 0 on: bit i of bits[] is cleared if word i lies in none of the `ranges` <= MATCH_MAX_RANGES.
 * Bits beyond `count` stay.
 */
typedef void (*FilterMatch)(const u8 *words, u32 count, const FieldRange *range, u32 ranges, u64 *bits);

/* A set of parts, a bit for each; bytes by the low half of the part's number, so that 16 of them are one look-up. */
typedef struct PartSet {
  u8 of[2][16];
} PartSet;
static inline void part_set_add(PartSet *set, u32 part) { set->of[part / 128][part % 16] |= (u8)(1u << part / 16 % 8); }
static inline u32 part_set_has(const PartSet *set, u32 part) {
  return (u32)set->of[part / 128][part % 16] >> part / 16 % 8 & 1;
}

/* The same for the bytes at `parts`: bits of those that are not in the set are cleared. */
typedef void (*NarrowMatch)(const u8 *parts, u32 count, const PartSet *set, u64 *bits);

/* The kernels of the level that simd_level() names. */
FilterMatch filter_match(void);
NarrowMatch narrow_match(void);

#endif
