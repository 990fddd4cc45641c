/*
 * inverted.h: the inverted index of a sparse column, on pages.
 *
 * Which rows have a term, and with what weight. The slots are divided among segments, each a stretch of them with lists of its own that are never changed: a
 * fold writes one over the slots that it adds, together with those of the last segments that are not more than twice as many, so that there are
 * O(log n) of them and a row is written O(log n) times (O'Neil et al., "The log-structured merge-tree", 1996; Lucene's segments). Nothing but the vectors is read
 * to write one. A commit takes in only so much, lest it waits for long: then there are more segments, until a command or their number makes larger ones.
 *
 *   N1  The segments cover the slots below `covered`, in order and without gaps. Each slot that has a vector and lives is in the lists of all its terms. Later slots
 *       are compared one by one, and so are all rows with metric l1, which the lists tell nothing of.
 *   N2  Dead slots stay in lists until their segment is written anew; they are passed over by the presence bits.
 *   N3  Weights are as in the vector, for cosine divided by its norm. They serve bounds: a row that may be wanted is compared on its vector (inverted.c).
 *   N4  What lies on pages depends on the order of slots alone: norms are sums in double in a fixed order, the same on every CPU.
 *
 * The table page names one page (PAGE_INVERTED, logical id = column):
 *
 *      0  u32 segments   4  u32 zero   8  u64 zero   16  u64 covered   24  zeros
 *     64  array references: the words of each segment, INVERTED_SEGMENTS of them
 *   1600  per segment: u64 first slot, u32 slots, u32 terms, u64 postings, f32 smallest magnitude of a weight, u32 zero
 *
 * The words (u32, or f32 in their place) of a segment are
 *
 *   with metric l2 by slot: half of its squared norm, negative; minus infinity without a vector; NaN where float32 has no such number
 *   by term, ascending: the term, the word where its blocks begin, the number of its blocks
 *   per term: for each block its window << 16 | postings - 1, largest and smallest weight; then for each its slots, within the window, two to a word, and its weights
 *
 * A window is INVERTED_WINDOW slots of a segment; a block is what a term has in one.
 */
#ifndef QUIRE_INVERTED_H
#define QUIRE_INVERTED_H

#include "structure.h"

#define INVERTED_SEGMENTS 48u
#define INVERTED_WINDOW 8192u
#define INVERTED_WORD 4u
#define TERM_WORDS 3u  /* of a term's entry */
#define BLOCK_WORDS 3u /* of a block's head */
#define SEGMENT_MAX_POSTINGS (1u << 25)
#define SEGMENT_MAX_SLOTS (1u << 29) /* so that windows have 16 bits */

typedef struct Segment {
  u64 first, postings;
  u32 slots, terms;
  float least;
} Segment;

/* As the page names them. */
typedef struct InvertedArrays {
  u32 segments;
  u64 covered;
  PageRef page;
  Segment segment[INVERTED_SEGMENTS];
  Array words[INVERTED_SEGMENTS];
} InvertedArrays;

/* `ref` as in the table page; {0,0}: no segments. */
int inverted_open(InvertedArrays *v, Slots *slots, u32 column, PageRef ref);
void inverted_close(InvertedArrays *v);

/* Words of a block of `count` postings. */
static inline u32 block_words(u32 count) { return (count + 1) / 2 + count; }
/* Where the entries of terms begin. */
static inline u64 terms_at(const SlotColumn *col, const Segment *s) { return col->metric == METRIC_L2 ? s->slots : 0; }
/* What N3 multiplies values by. */
double inverted_scale(const SlotColumn *col, const void *vector);
/* The word of a slot's norm, with metric l2. */
float inverted_bias(const void *vector);

/* --- folding (inverted_build.c) --- */

int inverted_fold(const StructureFold *fold, PageRef *out, u64 *covered);
#define INVERTED_SEGMENTS_AT (STRUCTURE_REFS_AT + INVERTED_SEGMENTS * ARRAY_REF_SIZE)
#define INVERTED_SEGMENT_SIZE 32u

#endif
