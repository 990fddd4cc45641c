/*
 * structure.h: what an index keeps in the pages of a table, whichever index it is.
 *
 * A column's entry in the table page (slots.h) is a reference to one structure page, whose kind says what it is: a graph (graph.h) or lists
 * (ivf.h); and how many slots the structure covers. Later slots are searched exactly beside it, so that it may lag behind and is never
 * wrong by it.
 */
#ifndef QUIRE_STRUCTURE_H
#define QUIRE_STRUCTURE_H

#include "../wal_shim/table_methods.h"
#include "slots.h"

typedef int (*PageVisit)(void *arg, u32 pgno, u32 count);

typedef struct StructureFold {
  Slots *before; /* the version whose structure is the old one */
  Slots *after;  /* the new one; its arrays are written, all but structures */
  u32 column;
  const u32 *moved; /* by slot of before: its slot in after or NO_SLOT; NULL: slots have kept their numbers */
  const u32 *dead;  /* without `moved`: slots that died, ascending */
  u64 dead_count;
  u64 rows; /* without `moved`: slots that it may add; more lag behind */
  u32 threads;
  PageTx *tx;
  IndexWork *work; /* added to */
} StructureFold;

struct StructureMethods {
  PageKind page;
  /* Bytes of a row in it, about. */
  u32 (*row_bytes)(const SlotColumn *col);
  /* The next version, {0,0} if there is none yet, and how many slots it covers. Frees the pages it replaces. */
  int (*fold)(const StructureFold *fold, PageRef *out, u64 *covered);
  /* Every page, verified. */
  int (*visit)(Slots *slots, u32 column, PageVisit visit, void *arg);
  /* Every page of one whose column is not known any more. */
  int (*visit_at)(Pages *pages, u64 id, u32 column, PageRef ref, PageVisit visit, void *arg);
  /* *problem a sentence if something does not fit. */
  int (*check)(Slots *slots, u32 column, char **problem);
  /* Add to the counts for reports. */
  void (*count)(Slots *slots, u32 column, TableCounts *counts);
  /* What searches of a version have opened (SlotColumn.opened); accepts NULL. */
  void (*close)(void *opened);
};

extern const StructureMethods graph_structure, ivf_structure;

/* That of an IndexKind; NULL: the index keeps nothing. */
const StructureMethods *structure_of(u32 kind);
/* That of a structure page; NULL: none has such a page. */
const StructureMethods *structure_of_page(PageKind page);

#endif
