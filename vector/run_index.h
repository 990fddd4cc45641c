/*
 * run_index.h: the directory of a run of chunks in memory, and the search in it.
 *
 * An S+tree over the chunks' first keys: nodes of INDEX_NODE keys, without pointers, each level stored node by node; level 0 has all first
 * keys, node j of level h the first keys of the subtrees of nodes j*17+1 .. j*17+16 of level h-1. Places without a key hold INT64_MAX.
 * A search is one count of smaller keys per level and takes no branch that depends on keys (Slotin, "Algorithms for Modern Hardware",
 * 12.3). What the chunk at the end of it has, learned.h says.
 *
 *   I1  A chunk's lines are a pointer once they have been read and verified; until then the search says INDEX_UNREAD and which chunk.
 *       The pointer stays valid for the life of the index: pages that a root reaches are not rewritten (P3), and homes that give
 *       pointers at all keep them.
 *   I2  A bitmap with as many keys as there are from its base to the next chunk's (of the last one, to the run's largest) has every one of them,
 *       since keys are distinct: it is FORM_FULL here, and its record answers without its lines. A run of such chunks whose slots go on from one to the
 *       next is `dense`, and answers without a search.
 */
#ifndef QUIRE_RUN_INDEX_H
#define QUIRE_RUN_INDEX_H

#include "learned.h"

#define INDEX_NODE 16u
#define INDEX_MAX_LEVELS 8u
#define INDEX_BATCH 16u      /* searches in flight together */
#define FORM_FULL FORM_COUNT /* of a chunk in memory only (I2) */

/* What a search needs of a chunk; 32 bytes. */
typedef struct IndexChunk {
  double slope;
  const u8 *lines; /* NULL: not read yet */
  u32 first_slot, line;
  u16 count, line_count;
  i16 intercept;
  u8 form, epsilon;
} IndexChunk;

typedef enum { INDEX_ABSENT, INDEX_FOUND, INDEX_UNREAD } IndexAnswer;

struct RunIndex;
/* Look for a key; *chunk is set if the answer is INDEX_UNREAD. */
typedef IndexAnswer (*IndexFind)(const struct RunIndex *index, i64 key, u32 *slot, u32 *chunk);
/* The same for n <= INDEX_BATCH keys at once. */
typedef void (*IndexFindMany)(const struct RunIndex *index, const i64 *keys, u32 n, u32 *slots, IndexAnswer *answers);
/* Look in one chunk, whose lines are at `lines`; d = key - base. */
typedef int (*ChunkFind)(const IndexChunk *chunk, const u8 *lines, u64 d, u32 *slot);

typedef struct IndexKernels {
  const char *level; /* of simd_level() */
  IndexFind find;
  IndexFindMany find_many;
  ChunkFind find_in_chunk;
} IndexKernels;

typedef struct RunIndex {
  const IndexKernels *kernels;
  u32 count; /* chunks; 0: the index is not loaded */
  int dense; /* I2: a key of the run has slot first_slot + key - the run's smallest */
  u32 first_slot;
  u64 keys; /* of all chunks */
  u32 levels;
  u32 nodes[INDEX_MAX_LEVELS];
  u64 start[INDEX_MAX_LEVELS]; /* of a level in `tree` */
  i64 *tree;                   /* 64-byte aligned */
  IndexChunk *chunk;
} RunIndex;

/* Build from `count` (>= 1) records that are sound and ascending by base; `max`: the largest key, not below the last base. */
int run_index_build(RunIndex *index, const ChunkRecord *records, u32 count, i64 max);
void run_index_free(RunIndex *index);

static inline i64 run_index_base(const RunIndex *index, u32 chunk) { return index->tree[chunk]; }
/* The chunk whose keys begin at or before `key`: 1 + its number; 0 if all begin after it. */
u32 run_index_chunk(const RunIndex *index, i64 key);
/* The record again (`line` included). */
void run_index_record(const RunIndex *index, u32 chunk, ChunkRecord *out);

extern const IndexKernels index_plain;
/* Those for an instruction set, or NULL if this build has none. */
const IndexKernels *index_avx2(void);
const IndexKernels *index_avx512(void);

#endif
