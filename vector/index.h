/*
 * index.h: what an index is to a search: a struct of functions, filled once by each index; and the numbers in an IndexShape.
 *
 *   kind             of IndexKind
 *   m                links a node gets; twice as many at most on the lowest layer
 *   ef_construction  candidates while a node is linked
 *   ef_search        candidates of a search that does not say how many
 *   nlist            ivf: lists; 0: about as many as the root of the number of rows, more as it grows
 *   nprobe           ivf: lists that a search visits at least that does not say how many
 *   quantizer        what the walk reads
 *   oversample       hundredths: candidates re-ranked on full vectors are k * oversample / 100 at least; 0: the default
 *   from_rows        auto(), ivf(), inverted(): the search compares all until the table has so many rows; 0: never
 *
 * A flat index has a kind only. Sparse columns have an inverted one, and no other column has. The numbers of the enums are stored in databases: never renumber.
 */
#ifndef QUIRE_INDEX_H
#define QUIRE_INDEX_H

#include <float.h>

#include "pool.h"
#include "slots.h"

typedef enum { INDEX_FLAT = 1, INDEX_HNSW = 2, INDEX_IVF = 3, INDEX_INVERTED = 4 } IndexKind;

/* Full vectors, the code rows of codes.h, 4-bit codes, 1-bit codes. */
typedef enum { QUANTIZER_NONE = 1, QUANTIZER_INT8 = 2, QUANTIZER_INT4 = 3, QUANTIZER_BIT = 4 } Quantizer;

/* auto()'s from_rows for vectors of this dimension and type. */
u32 index_default_from_rows(u32 dim, Elem elem);

/* Slots that a pass has found, the nearest by their codes first; those from `at` on have not been compared. */
typedef struct SlotQueue {
  u32 *slot;
  u64 at, count, cap;
  u64 compared; /* of those before `at`: the others may not be given */
} SlotQueue;

/* One pass over the pages of a table. */
typedef struct IndexPass IndexPass;
struct IndexPass {
  Slots *slots;
  u32 column;
  const void *query;
  CodeQuery **codes;      /* the same query for code rows, kept by the search and made when it is first needed */
  const Overlay *overlay; /* which slots are dead at `length` */
  u32 length;
  const u32 *only;    /* ascending slots to look at; NULL: all */
  const u64 *allowed; /* a bit per slot, or NULL: all. With `only`, where it is needed: find_allowed */
  u64 chosen;         /* with `only` or `allowed`: how many slots these are */
  /* Of a method that looks at single slots (`codes`), instead of the two: those that pass this (filter_passes_slot), about `chosen` of them; and how to find them all,
     which sets `allowed` and `chosen` */
  const Filter *filter;
  int (*find_allowed)(void *arg, IndexPass *pass);
  void *find_arg;
  int compare_all; /* an exact index shall look at every row */
  u64 compared;    /* raised by the rows that were compared with the query, by code or vector */
  int by_codes;    /* set if an index that approximates has compared the codes of all chosen slots */
  float norm2_max; /* raised as by DistanceScan */
  /* for an index that approximates */
  u32 ef,
      nprobe; /* how many candidates it keeps, lists it visits; `growth` times as many, as this pass shall look further */
  u32 growth;
  u64 want; /* how many rows are asked for, those of passes before included; and as many as `likely` may be without another pass */
  u64 likely;
  u32 oversample;   /* hundredths: how many times as many candidates are compared on full vectors, at least */
  SlotQueue *found; /* the search's, of an index that has `compare` */
  int (*interrupted)(void *arg);
  void *interrupt_arg;
};

typedef struct IndexMethods {
  const char *name;
  /* Whether this version of the table has the index, so that it is worth asking. */
  int (*ready)(const Slots *slots, u32 column);
  int distances; /* exact, and what the pool is offered are distances (distance_exact) instead of order-preserving values */
  int approximate; /* the pool may miss rows that it wants, and what it is offered has exact values (POOL_EXACT) */
  int codes; /* it looks at single slots, and has codes of them by which a pass may compare all chosen ones (IndexPass.by_codes) */
  /* Lists that a search visits that does not say how many, by what the table says; NULL: the index has none. */
  u32 (*probes)(Slots *slots, u32 column, u32 nprobe);
  /* Approximate ones: how many candidates the pool needs room for; 0: an exact pass is no worse than this one. */
  int (*room)(const IndexPass *pass, u64 *out);
  /*
   * Flat and approximate ones: about how many nanoseconds a pass takes, for choosing between these; of a processor that has the memory for itself. What counts is how they
   * compare. Measured by forcing each way at 1,000,000 x 128 of the hard set (data.c), two cores with other work, where a row of a scan takes 20 ns, four times the 5 of
   * flat.c: a chosen row 95 to 140, on its code 30, a node of a walk 1,000 to 1,700, a word 0.6, a narrow one 0.2, to make that 5; from 12 to 40 chosen rows on codes are faster.
   * Of 13 conditions from 100 to 500,000 rows none took more than 1.3 times as long as by its fastest way (graph walk, codes, vectors), but 100 rows 2.4 times, which are compared on vectors.
   */
  double (*cost)(const IndexPass *pass);
  /*
   * Offer to the pool live slots, among them every one whose value the pool wants (an exact index), or the ones the index finds
   * nearest. A slot is offered at most once.
   */
  int (*search)(IndexPass *pass, Pool *pool);
  /* Offer the next of pass->found that may be given, `most` at most, after a search whose pass said the same but for `want`; NULL: it leaves none there. */
  int (*compare)(IndexPass *pass, Pool *pool, u64 most);
} IndexMethods;

/* So many times as many candidates as are given have been compared, unless there are no more: codes do not tell the last of them from the next. */
#define COMPARED_TIMES 2u

/*
 * The value of a row for a pool: what the scan kernel gave, or, where float32 overflowed or could not tell (not finite), the true one.
 */
double scan_value(Metric metric, Elem elem, u32 dim, const void *query, const void *row, float value);

/* Whether a row is worth a closer look for what the scan kernel gave; what is not finite says nothing, not even "far away". */
static inline int scan_wants(const Pool *pool, float value) {
  return pool_wants(pool, (double)value) || !(value >= -FLT_MAX && value <= FLT_MAX);
}

/* An approximate pass over more than this share of the rows, or with more candidates than this, is no better than an exact one. */
#define EXACT_SHARE 4u
#define MAX_CANDIDATES 4096u
/* The fewest rows that a pass is made for. */
#define PASS_ROWS 16u

extern const IndexMethods flat_index, hnsw_index, ivf_index, inverted_index;
/* How many of ascending slots are below `end`. */
u64 slots_below(const u32 *slots, u64 count, u64 end);
/* The exact scan of the slots from `first` on. */
int flat_search_from(IndexPass *pass, Pool *pool, u64 first);

/* By stored number; unknown numbers are answered by flat, which needs no structure of its own. */
const IndexMethods *index_find(u32 kind);

#endif
