/*
 * graph.h: the graph index (HNSW) of one vector column, on pages.
 *
 * Malkov and Yashunin's hierarchical navigable small world graph (IEEE TPAMI 2020; arXiv:1603.09320): every node has at most 2m links on
 * level 0, and one in m nodes has links on the next level. Node numbers are slot numbers (slots.h).
 *
 *   G1  The graph covers the slots below `nodes`. Later slots (a bulk insert before its commit, a build that was interrupted, a table
 *       smaller than from_rows) are searched exactly beside it, as the overlay is. So a graph may lag behind, and is never wrong by it.
 *   G2  Links point below `nodes`. A link with GRAPH_TREE set is kept by pruning; along such links alone every node can be reached from the
 *       entry node: each node got one from a neighbour, and each new entry node got one to the one before.
 *   G3  Dead nodes stay as way points until the table is compacted: their lists are kept, searches pass through them and do not give them.
 *       A node that linked to a dead one on its list gets new links in its place when the death is folded in.
 *   G4  The walk compares codes (Space); what is given is compared on full vectors, always.
 *   G5  The graph depends on the order of slots alone: levels come from a hash of the slot's number, nodes are inserted in batches whose
 *       searches see the graph before the batch, and links are applied in slot order. The number of threads does not matter, nor does the processor: codes
 *       have the same bytes everywhere, and their distances too (walk8.h; sums of the full-vector kernels may differ in the last bit).
 *
 * The table page names one graph page (PAGE_GRAPH, logical id = column) per graph:
 *
 *      0  u32 m   4  u32 upper levels in use   8  u32 entry: record of the top level, or node; GRAPH_NULL: none   12  u32 bytes learned (sq4_size; 0: none)
 *     16  u64 nodes   24  u64 slots when codes were learned   32  f32 largest squared norm (dot)   36  u32 zero
 *     64  array references: 0 links of level 0, 1 4-bit codes by slot, 2 what was learned for them (bytes, in blocks of 64), from 3 on
 *         one per upper level
 *
 *   level 0   per node 2m u32 links (rounded up to a multiple of 64 bytes), GRAPH_NULL from the first unused one on
 *   level 1.. per node of that level a record: u32 slot, u32 record on the level below (level 1: the slot),
 *             then `width` u32 links (records of this level; GRAPH_NULL from the first unused), then as many u32: the slots of these
 */
#ifndef QUIRE_GRAPH_H
#define QUIRE_GRAPH_H

#include "../wal_shim/bytes.h"
#include "../wal_shim/table_methods.h"
#include "index.h"
#include "sq4.h"
#include "walk8.h"

#define GRAPH_MAX_LEVELS 16u
#define GRAPH_NULL 0x7fffffffu
#define GRAPH_TREE 0x80000000u
#define GRAPH_MAX_M 128u
#define GRAPH_CODE_PAGES 1u
#define GRAPH_MAX_LINKS (2 * GRAPH_MAX_M)
#define GRAPH_ARRAYS 3u
#define GRAPH_REFS_AT 64u

/* Bytes of a node's links on level 0, of a record above. */
static inline u32 graph_link_stride(u32 m) { return (2 * m * 4 + 63) / 64 * 64; }
static inline u32 graph_record_stride(u32 m) { return (8 * m + 63) / 64 * 64; }

/* --- spaces: where distances between nodes, and from a query to nodes, come from --- */

/*
 * A space has rows, one per slot, and gives distances of rows to a query as order-preserving u32. A query is a block of memory that
 * from_vector (of a user) or from_row (a node) fills.
 */
typedef struct Space Space;
typedef struct SpaceMethods {
  const char *name;
  u32 (*query_size)(const Space *space);
  void (*from_vector)(const Space *space, const void *vector, void *query);
  void (*from_row)(const Space *space, const u8 *row, void *query);
  void (*distances)(const Space *space, const void *query, const u8 *const *rows, u32 count, u32 *out);
} SpaceMethods;

struct Space {
  const SpaceMethods *methods;
  Metric metric;
  Elem elem;
  u32 dim, size;   /* of a vector */
  u32 row_bytes;   /* read of each row */
  float max_norm2; /* dot: of any node, for building */
  ArrayMap rows;
  const Sq4 *sq4;
  union {
    Sq4Distances sq4;
    Walk8Distances walk8;
    DistanceScan scan;
  } kernel;
};

/* The space that nodes are compared in when the graph is built: code rows if the column has them, else vectors. */
int space_build(Slots *slots, u32 column, float max_norm2, Space *out);
/* The space of full vectors, of code rows, of 4-bit codes. */
int space_full(Slots *slots, u32 column, float max_norm2, Space *out);
int space_rows(Slots *slots, u32 column, float max_norm2, Space *out);
int space_sq4(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out);
void space_close(Space *space);
/* An order-preserving integer of a float; NaN is the largest. */
static inline u32 space_order(float value) {
  u32 bits;
  memcpy(&bits, &value, 4);
  if (value != value) return 0xffffffffu;
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* --- reading a graph --- */

typedef struct GraphHead {
  u32 m, levels, entry, learned_bytes;
  u64 nodes, learned_at;
  float max_norm2;
  u32 records[GRAPH_MAX_LEVELS]; /* of level 1, 2, ... */
} GraphHead;

/* A graph's arrays as its page names them. */
typedef struct GraphArrays {
  GraphHead head;
  PageRef page;
  Array links, codes, learned, upper[GRAPH_MAX_LEVELS];
} GraphArrays;

/* `ref` as in the table page; {0,0}: a graph of no nodes. Links, nodes and codes must fit the slots. */
int graph_arrays_open(GraphArrays *g, Slots *slots, u32 column, PageRef ref);
void graph_arrays_close(GraphArrays *g);
/* The 4-bit codes' parameters; *out NULL if the graph has no such codes. */
int graph_learned(GraphArrays *g, const SlotColumn *col, Sq4 **out);
ArrayId graph_array_id(u64 owner, u32 column, u32 array);

/* What searches of one version need and keep: part of the view, opened by the first search. */
typedef struct Graph Graph;
/* The column's graph; *out NULL if it has no nodes. */
int graph_of(Slots *slots, u32 column, Graph **out);
void graph_close(Graph *graph);

/* --- walking (graph_walk.c) --- */

/* One level as the walk sees it. */
typedef struct Layer {
  ArrayMap *links;
  u32 width; /* links per node or record */
  u32 count; /* nodes or records */
  u64 slots; /* rows of the space */
  int upper;
} Layer;
/* Where a graph's lists lie: of level 0, 1, ... */
typedef struct LayerMaps {
  ArrayMap *level[1 + GRAPH_MAX_LEVELS];
} LayerMaps;
Layer graph_layer(const GraphHead *head, const LayerMaps *maps, u32 level, u64 slots);
/* Slot of a record, and its record on the level below; checked. */
int graph_record(const Layer *layer, u32 record, u32 *slot, u32 *down);
/* Links are little-endian on pages. */
static inline u32 link_get(const u32 *p) { return load32((const u8 *)p); }

/* Memory of one walk. pool[i] = distance << 32 | node << 1 | expanded, ascending. */
typedef struct Walker {
  u8 *visited; /* by node or record: the walk that saw it last */
  u64 visited_size;
  u64 *pool;
  u64 pool_cap;
  void *query;
  u32 count, ef, epoch;
  u64 compared; /* distances computed so far */
} Walker;

/* For graphs of up to `visited` nodes and queries of up to query_size bytes. */
int walker_open(Walker *w, u64 visited, u32 ef, u32 query_size);
void walker_close(Walker *w);
static inline u32 pool_node(u64 key) { return (u32)key >> 1; }
static inline u32 pool_distance(u64 key) { return (u32)(key >> 32); }
/* Begin a walk that keeps the `ef` nearest. */
int walk_begin(Walker *w, u32 ef);
/* Make `node`, whose row is that of `slot`, a starting point. */
int walk_enter(Walker *w, Space *space, u32 node, u32 slot);
/* Walk until no node in the pool is left unexpanded. */
int walk_run(Walker *w, const Layer *layer, Space *space);
/* From the top level down to above level `to`, greedily: the node or record of level `to` to start from, and its slot. */
int walk_descend(Walker *w, const GraphHead *head, const LayerMaps *maps, Space *space, u64 slots, u32 to, u32 *node,
                 u32 *slot);

/* --- folding (graph_build.c) --- */

typedef struct GraphFold {
  Slots *before; /* the version whose graph is the old one */
  Slots *after;  /* the new one; its arrays are written, all but graphs */
  u32 column;
  const u32 *moved; /* by slot of before: its slot in after or NO_SLOT; NULL: slots have kept their numbers */
  const u32 *dead;  /* without `moved`: slots that died, ascending */
  u64 dead_count;
  u64 rows; /* without `moved`: slots that it may add to the graph; more lag behind (G1) */
  u32 threads;
  PageTx *tx;
  GraphWork *work; /* added to */
} GraphFold;

/* The graph's next version, {0,0} if there is none yet, and how many slots it covers. Frees the pages it replaces. */
int graph_fold(const GraphFold *fold, PageRef *out, u64 *nodes);
/* Report all pages of a graph whose column is not known any more. */
int graph_pages_at(Pages *pages, u64 id, u32 column, PageRef ref, int (*visit)(void *arg, u32 pgno, u32 count),
                   void *arg);
/* Every page of the graph, verified. */
int graph_pages(Slots *slots, u32 column, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);
/* Links, levels, reachability, codes; *problem a sentence if something does not fit. */
int graph_check(Slots *slots, u32 column, char **problem);

#endif
