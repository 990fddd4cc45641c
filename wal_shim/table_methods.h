/*
 * table_methods.h: what the store needs from vector/, as a struct of functions, so that includes point down.
 */
#ifndef QUIRE_TABLE_METHODS_H
#define QUIRE_TABLE_METHODS_H

#include "overlay.h"
#include "pages.h"
#include "store.h"

/*
 * What the store needs from vector/: the inside of a table's pages. A view is an immutable version of them, counted.
 * `ref` {0,0} is the empty table.
 */
/* What folds did to indexes, added up. */
typedef struct IndexWork {
  u64 graphs;                    /* written */
  u64 linked;                    /* nodes inserted */
  u64 repairs;                   /* nodes that got others for links to dead nodes */
  u64 ivfs;                      /* sets of lists written */
  u64 trained;                   /* of these with new centroids */
  u64 added;                     /* rows put into lists */
  u64 splits;                    /* lists that had become too long */
  u64 segments, segments_merged; /* of inverted indexes: written; that went into these */
  u64 reused;                    /* dead slots that new rows got */
} IndexWork;

/* What a fold does beside moving the overlay into pages. */
typedef struct FoldHow {
  int compact;    /* without dead slots, in rowid order */
  u32 dead_share; /* the same if one is dead for so many that live, and the fold may do that much work */
  u64 index_rows; /* rows that may be put into indexes; the rest is for later folds. 0: in the middle of a transaction */
  u32 threads;    /* that may work on it */
  IndexWork *work;
} FoldHow;

typedef struct TableCounts {
  u64 slots, live;
  u64 graph_nodes;  /* the most slots that a graph covers */
  u64 list_rows;    /* that lists do */
  u64 lists;        /* of all columns */
  u64 segments;     /* of inverted indexes */
  u64 narrow_bytes; /* of narrow words, in memory */
} TableCounts;

typedef struct TableMethods {
  /* Whether these bytes are a vector of this shape (finite elements). */
  int (*valid)(const VectorShape *shape, const void *bytes, u64 size);
  /* Whether a column of this type can have an index of this kind: vectors that differ in size have one of their own, and it no others. */
  int (*takes)(const VectorShape *shape, u32 kind);
  /* The bytes of a vector, which is one, where they have different sizes. */
  u64 (*bytes)(const void *vector);
  int (*open)(Pages *pages, u64 id, const TableShape *shape, PageRef ref, void **view);
  void *(*retain)(void *view);
  void (*release)(void *view);
  /* The slot of a live row, or NO_SLOT. */
  int (*slot)(void *view, i64 rowid, u32 *slot);
  u64 (*rows)(void *view);
  /* The largest rowid that any slot was given, dead ones included; INT64_MIN if there is none. */
  i64 (*max_rowid)(void *view);
  /* Whether every content row has a vector, so that the pages know all rows. */
  int (*complete)(void *view);
  /* The table with the overlay's operations done. Frees what it replaces. */
  int (*fold)(void *view, const Overlay *overlay, const FoldHow *how, PageTx *tx, PageRef *out);
  /* Whether an index does not have all rows of the pages yet. */
  int (*lags)(void *view);
  /* Visit every page of a table whose shape is not known any more. */
  int (*pages_at)(Pages *pages, u64 id, PageRef ref, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);
  /* Every page verified and visited; *problem a sentence if the inside does not fit together. */
  int (*check)(void *view, int (*visit)(void *arg, u32 pgno, u32 count), void *arg, char **problem);
  /* Counts for reports. */
  void (*counts)(void *view, TableCounts *counts);
  /* The vector of a live row, copied; *present 0 if it has none in that column. */
  int (*vector)(void *view, u32 slot, u32 column, VectorCopy *out, int *present);
  /* Whether a live row has this vector in that column; NULL: none. For integrity-check. */
  int (*same)(void *view, u32 slot, u32 column, const void *vector, int *same);
  /* The fields of a live row, with the overlay's patches. */
  int (*fields)(void *view, const Overlay *overlay, u32 length, u32 slot, u64 *out);
} TableMethods;

/* The seam between the two layers: vector/slots.c defines it. */
extern const TableMethods table_methods;

#endif
