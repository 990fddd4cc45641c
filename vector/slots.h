/*
 * slots.h: the inside of a vector table's pages: vectors, row ids and which of them live, by slot.
 *
 * A slot is a dense number of a stored vector row, from 0, given in the order of folding and within a fold in the order of rowids; dead ones are
 * given again.
 * One structure page (PAGE_TABLE) holds
 *
 *      0  u32 array references in use   4  u32 vector columns   8  u32 runs of the rowid map
 *     12  u32 1: no content row is bare (without any vector), so that these are all rows; 0: not known
 *     16  u64 slots                    24  u64 live slots
 *     32  PageRef of the page of fields (fields.h), 0: none    40  zeros
 *     64  array references (array.h): 0 rowids (i64 by slot); 1+3c vectors of column c; 2+3c its presence bits (u64 words, bit
 *         slot%64 of word slot/64); 3+3c its code rows (codes.h), empty if its type has none; from 1+3*columns on two per run of the
 *         rowid map. What a sparse column has in 1+3c and 3+3c instead, forms.h says.
 *   3168  per run of the map: i64 smallest and largest rowid
 *   3808  per column: PageRef of its index's structure page (structure.h), 0: none; u64 slots that it covers
 *
 *   L1  A slot lives if any column's presence bit is set. A dead slot stays dead in this version; a row that comes back gets one anew.
 *   L2  When more slots are dead than live the fold drops them all and numbers anew, in the order of rowids (at most one more row is
 *       moved per row deleted). It does so when a quarter as many are dead (FoldHow.dead_share), if the fold may do that much work (PageTx.spare). When it is asked
 *       to, and nothing is dead or out of order, pages are left as they are.
 *       What new rows will fill of them (L4) does not count as dead.
 *   L4  A new row that has all vectors gets a dead slot: any in full extents of vectors of which half is dead, then, but for a share of them all (dead_let_be), where most are; so a
 *       table whose rows come and go keeps its length, and no fold writes all of it. The rowid map then says of the row that was there that it is gone.
 *       Not in the middle of a transaction, nor for more rows than half of those that may go into indexes.
 *   L3  Vectors on pages are finite; one that is not is corruption.
 */
#ifndef QUIRE_SLOTS_H
#define QUIRE_SLOTS_H

#include "../wal_shim/overlay.h"
#include "../wal_shim/store.h"
#include "codes.h"
#include "filter.h"
#include "rowmap.h"

typedef struct StructureMethods StructureMethods; /* structure.h */
typedef struct VectorForm VectorForm;             /* forms.h */

typedef struct SlotColumn {
  Elem elem;
  Metric metric;
  const VectorForm *form;
  u32 dim, size, stride; /* size: of a vector; 0: they have different ones */
  u32 code_stride;       /* 0: no code rows */
  u32 beside;            /* bytes of an item of `codes` */
  IndexShape index;
  Array vectors, present, codes;
  ArrayMap present_map;                  /* opened by the first slots_present */
  ArrayMap chosen_codes, chosen_vectors; /* opened by the first search of chosen slots (flat.c) */
  const StructureMethods *structure;     /* what its index keeps; NULL: nothing */
  PageRef structure_ref;                 /* {0,0}: not made (yet) */
  u64 covered;                           /* slots below this are in it */
  void *opened;                          /* by the first search, whose index knows what it is */
} SlotColumn;

typedef struct Slots {
  u32 refs;
  Pages *pages;
  u64 id;
  u32 columns;
  u64 slots, live;
  int complete; /* no content row is bare */
  PageRef table;
  Array rowids;
  ArrayMap rowid_map; /* opened by the first slots_rowid */
  SlotColumn column[MAX_VECTOR_COLUMNS];
  Rowmap map;
  Fields fields;
  FilterCache *filters;
  struct RowPlaces *places; /* opened by the first read of a row (rows.c) */
} Slots;

int slots_open(Pages *pages, u64 id, const TableShape *shape, PageRef ref, void **out);
void slots_release(void *view);
/* The slot of a live row; NO_SLOT if there is none. */
int slots_find(Slots *s, i64 rowid, u32 *slot);
/* Of the slots of rows, NO_SLOT among them, as the rowid map says, those that live. That they are these rows' is not looked at: who gives a row does that. */
int slots_keep_live(Slots *s, u32 *slot, u64 *count);
/* The row of a slot, dead or alive. */
int slots_rowid(Slots *s, u64 slot, i64 *rowid);
/* Whether column `column` of the slot has a vector. */
int slots_present(Slots *s, u32 column, u64 slot, int *present);

#endif
