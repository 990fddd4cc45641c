/*
 * graph_codes.h: what a graph is walked on, by quantizer: vectors, code rows of the column, or codes that the graph keeps itself.
 *
 * A walk keeps ef nodes, or more, and the nearest of these by their codes are compared on full vectors, such that recall@10 loses at most 0.005 to a walk on
 * full vectors with the same ef: by bench/quantizers.tcl, 64 dimensions or more, 4,000 to 100,000 rows. Codes of four bits and more order rows so well that the
 * nearest are in the first third, or less of many. Estimates from one bit are off by a share of the distances that falls with the root of the number of
 * dimensions (rabitq_row.h): with few of them more nodes are kept and all compared, with many not all are. Where many rows are asked for, more than these
 * are kept and compared: codes do not tell the last of them from the next (of 100,000 x 128, k = 50 and ef = 64, lost when 50 were compared: 0.032, now 0).
 */
#ifndef QUIRE_GRAPH_CODES_H
#define QUIRE_GRAPH_CODES_H

#include "space.h"

#define GRAPH_CODES_MOST 6.0        /* times ef are kept */
#define GRAPH_CODES_LEAST (1.0 / 3) /* of them are compared */
#define GRAPH_CODES_FIRST 20.0      /* and of 4 bits and more no more than these and one in eight */
#define GRAPH_CODES_EIGHTH 0.125
#define GRAPH_CODES_FEWEST 15.0 /* are, of any; and COMPARED_TIMES as many as are asked for */

typedef struct GraphCodes {
  u32 quantizer;    /* of codes that the graph keeps by slot, as its page says it; 0: it keeps none */
  const char *what; /* one of these, in sentences about problems */
  u32 walk_dim;     /* of fewer dimensions a walk keeps more nodes than ef, in inverse proportion */
  u32 compare_dim;  /* of more dimensions not all of them are compared, in inverse proportion, but a third */
  double wanted;    /* times as many as are asked for are kept at least */
  /* Of codes that the graph keeps: bytes of one; 0: the column can have none. How one is written, all of it. */
  u32 (*stride)(Metric metric, Elem elem, u32 dim);
  void (*put)(const Sq4 *sq4, const void *vector, u8 *code);
  /* Whether a graph is built by walks on them: what is near by them is near, and by the distance that nodes are linked by. */
  int (*finds)(const SlotColumn *col);
  /* Bytes that cost as much as what a walk does for a node that it keeps. */
  u32 (*cost_bytes)(const SlotColumn *col);
  /* The space of a walk. codes, sq4: the graph's, if it keeps them. */
  int (*open)(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out);
} GraphCodes;

/* By the column's options. */
const GraphCodes *graph_codes_of(const SlotColumn *col);
/* Those that a graph has which keeps none. */
const GraphCodes *graph_codes_unkept(const SlotColumn *col);
/* Those that a page names and the column can have; NULL: none such. */
const GraphCodes *graph_codes_kept(const SlotColumn *col, u32 quantizer);

static inline u32 graph_codes_stride(const GraphCodes *codes, const SlotColumn *col) {
  return codes->quantizer ? codes->stride(col->metric, col->elem, col->dim) : 0;
}

/* Nodes that a walk keeps for ef where `want` are asked for; of these those that are compared. */
static inline double graph_codes_walked(const GraphCodes *codes, const SlotColumn *col, u32 ef, u64 want) {
  double more = (double)codes->walk_dim / col->dim;
  return MAX(ef, codes->wanted * (double)want) * (more < 1 ? 1 : MIN(more, GRAPH_CODES_MOST));
}
static inline double graph_codes_compared(const GraphCodes *codes, const SlotColumn *col, u32 ef, u64 want) {
  double share = (double)codes->compare_dim / col->dim, walked = graph_codes_walked(codes, col, ef, want),
         compared = walked * (share > 1 ? 1 : MAX(share, GRAPH_CODES_LEAST));
  if (codes->compare_dim == 0) compared = MIN(compared, GRAPH_CODES_FIRST + GRAPH_CODES_EIGHTH * walked);
  return MAX(MAX(compared, COMPARED_TIMES * (double)want), GRAPH_CODES_FEWEST);
}

#endif
