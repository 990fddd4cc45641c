/*
 * structure.h: what an index keeps in the pages of a table, whichever index it is.
 *
 * A column's entry in the table page (slots.h) is a reference to one structure page, whose kind says what it is: a graph (graph.h), lists
 * (ivf.h) or an inverted index (inverted.h); and how many slots the structure covers. Later slots are searched exactly beside it, so that it may lag behind and is never
 * wrong by it.
 *
 * The page has a head of its own and, from STRUCTURE_REFS_AT on, references to its arrays, whose numbers are their places there. One of the arrays may
 * have what 4-bit and 1-bit codes are made with, in blocks of 64 bytes.
 */
#ifndef QUIRE_STRUCTURE_H
#define QUIRE_STRUCTURE_H

#include "../wal_shim/table_methods.h"
#include "slots.h"
#include "sq4.h"

#define STRUCTURE_REFS_AT 64u

typedef int (*PageVisit)(void *arg, u32 pgno, u32 count);

typedef struct StructureFold {
  Slots *before; /* the version whose structure is the old one */
  Slots *after;  /* the new one; its arrays are written, all but structures */
  u32 column;
  const u32 *moved; /* by slot of before: its slot in after or NO_SLOT; NULL: slots have kept their numbers */
  const u32 *dead;  /* without `moved`: slots that died, ascending */
  u64 dead_count;
  const u32 *reused; /* without `moved`: slots that had another row, or none, in before, ascending */
  u64 reused_count;
  u64 rows;  /* without `moved`: slots that it may add beside those; more lag behind */
  int whole; /* what is in pieces shall be put together */
  u32 threads;
  PageTx *tx;
  IndexWork *work; /* added to */
} StructureFold;

struct StructureMethods {
  PageKind page;
  u32 arrays; /* of a page */
  ArrayId (*array_id)(u64 owner, u32 column, u32 array);
  /* Bytes of a row in it, about. */
  u32 (*row_bytes)(const SlotColumn *col);
  /* The next version, {0,0} if there is none yet, and how many slots it covers. Frees the pages it replaces. */
  int (*fold)(const StructureFold *fold, PageRef *out, u64 *covered);
  /* Every page, verified. */
  int (*visit)(Slots *slots, u32 column, PageVisit visit, void *arg);
  /* *problem a sentence if something does not fit. */
  int (*check)(Slots *slots, u32 column, char **problem);
  /* Add to the counts for reports. */
  void (*count)(Slots *slots, u32 column, TableCounts *counts);
  /* What searches of a version have opened (SlotColumn.opened); accepts NULL. */
  void (*close)(void *opened);
  int reuses; /* fold knows what to do about reused slots; else there are none */
};

extern const StructureMethods graph_structure, ivf_structure, inverted_structure;

/* That of an IndexKind; NULL: the index keeps nothing. */
const StructureMethods *structure_of(u32 kind);
/* That of a structure page; NULL: none has such a page. */
const StructureMethods *structure_of_page(PageKind page);

/* --- what they do alike (structure.c): `array` has all arrays of a page --- */

/* Of arrays that are initialized. refs: the page's. */
int structure_open(Array *array, u32 count, const u8 *refs);
void structure_close(Array *array, u32 count);
/* Every page, verified; the structure's is `page`. */
int structure_walk(Array *array, u32 count, PageRef page, PageVisit visit, void *arg);
/* Every page of a structure whose column is not known any more. */
int structure_walk_at(const StructureMethods *methods, Pages *pages, u64 id, u32 column, PageRef page, PageVisit visit,
                      void *arg);
/* The same structure, its pages where the transaction wants them. *page: as it is now, and then as it will be. */
int structure_move(const StructureFold *f, PageKind kind, Array *array, u32 count, PageRef *page);
/* What the codes of `bytes` bytes are made with; *out NULL if `bytes` is 0. */
int structure_learned(Array *learned, u32 bytes, const SlotColumn *col, Sq4 **out);
/* Codes made since it was learned: `before`, and those of `fresh` slots and of the reused ones. */
u32 structure_coded(const StructureFold *f, u32 before, u64 fresh);
/*
 * Whether it has to be learned again for `covered` of `slots` slots: there are many more than when it was, or a new code was made for each.
 *   learned_at   slots then   coded   codes made since
 */
int structure_outgrown(u64 covered, u64 slots, u64 learned_at, u32 coded);
/* Whether the data has left its range: some codes were made since, and of the rows below `covered` too many coordinates are clipped. */
int structure_left_range(SlotColumn *col, const Sq4 *sq4, u64 covered, u32 coded, int *left);
/* Write it anew, of sq4_size(dim) bytes. The pages of `old` are not freed. */
int structure_put_learned(Array *old, PageTx *tx, const Sq4 *sq4, u32 dim, u8 *ref);

#endif
