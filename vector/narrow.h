/*
 * narrow.h: the words of a field once more, in a byte each, so that a condition on all slots reads an eighth of them.
 *
 * Words are divided into at most 256 parts, in order, about as many slots in each: by a sample. A slot's byte is the number of its part; of each part the smallest
 * and the largest word in it are known. So a condition lets through all slots of a part, or none, or must look at their words.
 *
 *   N1  What the bytes say is certain: smallest and largest are those of the words themselves, not of the sample.
 *   N2  NULL, and FIELD_OTHER, are parts of their own. So is a value that many slots have, and each value where there are few.
 *   N3  They are of one version of the words, and say nothing of the overlay's patches. The same words give the same bytes.
 */
#ifndef QUIRE_NARROW_H
#define QUIRE_NARROW_H

#include "../wal_shim/array.h"

#define NARROW_PARTS 256u

typedef struct Narrow {
  u64 count;                                 /* slots */
  u64 low[NARROW_PARTS], high[NARROW_PARTS]; /* of a part's words; low > high: no slot is in it */
  u8 part[];                                 /* by slot */
} Narrow;

/* Of an array of words, which has some. The caller frees it with mem_free. */
int narrow_new(Array *words, Narrow **out);
static inline u64 narrow_bytes(const Narrow *n) { return n ? sizeof *n + n->count : 0; }

#endif
