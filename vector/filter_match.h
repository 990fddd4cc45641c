/*
 * filter_match.h: the kernel of filter.c: which words lie in a few ranges.
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

/* The kernel of the level that simd_level() names. */
FilterMatch filter_match(void);
/* The kernel in plain C, for tests. */
extern const FilterMatch filter_match_plain;

#endif
