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
 *       A slot that another row gets (L4 of slots.h) is a node already: it is searched for and linked anew on its levels, and keeps those links of
 *       its list that are the tree's, as do the nodes that hold it on the tree.
 *   G4  The walk compares codes (Space); what is given is compared on full vectors, always.
 *   G5  The graph depends on the order of slots alone: levels come from a hash of the slot's number, nodes are inserted in batches whose
 *       searches see the graph before the batch, and links are applied in slot order. The number of threads does not matter, nor does the processor: codes
 *       have the same bytes everywhere, and their distances too (walk8.h; sums of the full-vector kernels may differ in the last bit).
 *   G6  By dot, nodes are linked by inner products of vectors that have one more coordinate, so that the nearest of a row are those of the l2 distance (Bachrach et
 *       al., RecSys 2014) as long as all have the same length M with it. M is the largest length, but at most twice the root mean square: else a few rows
 *       far longer than the others would make these all alike, and no link would lead to the long ones, which are nearest to everything. Rows beyond M have
 *       the coordinate 0. Measured with the largest length alone (5,000 x 128, recall@10): lengths that differ by a factor of eight 0.79, now 0.91; one in 50 rows
 *       forty times as long 0.16, now 0.92; without the coordinate MNIST comes down from 0.99 to 0.92.
 *   G7  Nodes are not numbered by where they lie, though 'optimize' could do that. Measured at 1,000,000 x 128 (the hard set of bench/data.c) with nodes ordered by k-means in
 *       k-means, links and codes in that order, and inserted in it: 20.3 pages of codes behind a list instead of 23.1, but searches took 0.98 to 1.03 of the time at the same
 *       ef, building 1.00; and chosen rows, which come by slot, would need a table back. What costs is each list and code, wherever it lies, and the tables that say
 *       where: these are small (ARRAY_RUN of array.h, the bits of Walker).
 *   G8  A search of level 0 ends early when what it will give has settled: when the nearest of its pool, four times as many as are asked for and 40 at least, have
 *       stayed the same while a quarter of the pool was expanded (Teofili and Lin, ECIR 2025). Easy queries are done sooner, and hard ones can have a larger ef for
 *       the same time on the whole. Distances computed at the same recall, of those of walks to the end: 100,000 x 128 0.975 at recall 0.95 and 0.89 at
 *       0.99, 100,000 x 768 0.95 and 0.83, 1,000,000 x 128 of the hard set 0.92 and 0.83. At the same ef recall is lower by 0.003 at most. Watching 30 saves 0.02
 *       more and loses 0.004.
 *
 * The table page names one graph page (PAGE_GRAPH, logical id = column) per graph:
 *
 *      0  u32 m   4  u32 upper levels in use   8  u32 entry: record of the top level, or node; GRAPH_NULL: none   12  u32 bytes learned (sq4_size; 0: none)
 *     16  u64 nodes   24  u64 slots when codes were learned   32  f32 largest squared norm (dot)   36  u32 codes made since they were learned
 *     40  f32 mean of the squared norms (dot)   44  u32 Quantizer of its codes (0: as 3, of files before 1-bit codes; without codes 0)
 *     64  array references: 0 links of level 0, 1 4-bit or 1-bit codes by slot, 2 what was learned for them (bytes, in blocks of 64), from 3 on
 *         one per upper level
 *
 *   level 0   per node 2m u32 links (rounded up to a multiple of 64 bytes), GRAPH_NULL from the first unused one on
 *   level 1.. per node of that level a record: u32 slot, u32 record on the level below (level 1: the slot),
 *             then `width` u32 links (records of this level; GRAPH_NULL from the first unused), then as many u32: the slots of these
 */
#ifndef QUIRE_GRAPH_H
#define QUIRE_GRAPH_H

#include "../wal_shim/bytes.h"
#include "graph_codes.h"
#include "index.h"
#include "space.h"
#include "structure.h"

#define GRAPH_MAX_LEVELS 16u
#define GRAPH_NULL 0x7fffffffu
#define GRAPH_TREE 0x80000000u
#define GRAPH_MAX_M 128u
#define GRAPH_CODE_PAGES 1u
#define PATIENCE_SHARE 4u /* of a pool (G8) */
#define GRAPH_MAX_LINKS (2 * GRAPH_MAX_M)
#define GRAPH_ARRAYS 3u /* beside those of the upper levels */
#define GRAPH_ALL_ARRAYS (GRAPH_ARRAYS + GRAPH_MAX_LEVELS)

/* Bytes of a node's links on level 0, of a record above. */
static inline u32 graph_link_stride(u32 m) { return (2 * m * 4 + 63) / 64 * 64; }
static inline u32 graph_record_stride(u32 m) { return (8 * m + 63) / 64 * 64; }

/* --- reading a graph --- */

typedef struct GraphHead {
  u32 m, levels, entry, learned_bytes;
  u64 nodes, learned_at;
  u32 coded; /* codes made since then */
  float max_norm2, mean_norm2;
  u32 records[GRAPH_MAX_LEVELS]; /* of level 1, 2, ... */
} GraphHead;

/* A graph's arrays as its page names them. */
typedef struct GraphArrays {
  GraphHead head;
  const GraphCodes *kept; /* NULL: it has no codes of its own */
  PageRef page;
  union {
    struct {
      Array links, codes, learned, upper[GRAPH_MAX_LEVELS];
    };
    Array all[GRAPH_ALL_ARRAYS];
  };
} GraphArrays;

/* `ref` as in the table page; {0,0}: a graph of no nodes. Links, nodes and codes must fit the slots. */
int graph_arrays_open(GraphArrays *g, Slots *slots, u32 column, PageRef ref);
void graph_arrays_close(GraphArrays *g);
/* The array of codes, empty; of none if `codes` keeps none. */
void graph_codes_init(Array *array, Slots *slots, u32 column, const GraphCodes *codes);

/* What searches of one version need and keep: part of the view, opened by the first search. */
typedef struct Graph Graph;
/* The column's graph; *out NULL if it has no nodes. */
int graph_of(Slots *slots, u32 column, Graph **out);

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
  u64 *visited; /* a bit per node or record: this walk has seen it */
  u32 *seen;    /* these nodes, the first seen_cap of them, so that the next walk can begin without clearing all bits */
  u64 words, seen_count, seen_cap;
  u64 *pool;
  u64 pool_cap;
  void *query;
  u32 count, ef;
  u32 watched, patience; /* see walk_watch; 0: go on to the end */
  u32 quiet;             /* nodes expanded since one of the watched changed */
  u32 head_bytes; /* asked for of a row, to tell by these if it is far (space.h); 0: not known yet, or not for this walk */
  u64 compared; /* distances computed so far, heads that told far rows included */
} Walker;

/* For graphs of up to `nodes` nodes and queries of up to query_size bytes. */
int walker_open(Walker *w, u64 nodes, u32 ef, u32 query_size);
void walker_close(Walker *w);
static inline u32 pool_node(u64 key) { return (u32)key >> 1; }
static inline u32 pool_distance(u64 key) { return (u32)(key >> 32); }
/* Begin a walk that keeps the `ef` nearest. */
int walk_begin(Walker *w, u32 ef);
/*
 * Have the walk that was begun end early, once its pool is full: when `patience` nodes have been expanded since the `nearest` of the pool changed. 0: not.
 */
static inline void walk_watch(Walker *w, u32 nearest, u32 patience) {
  w->watched = nearest;
  w->patience = patience;
  w->quiet = 0;
}
/* Make `node`, whose row is that of `slot`, a starting point. */
int walk_enter(Walker *w, Space *space, u32 node, u32 slot);
/* Walk until no node in the pool is left unexpanded, or the walk ends early (walk_watch). */
int walk_run(Walker *w, const Layer *layer, Space *space);
/* The same for the nearest `until` of the pool alone, which are then what a walk that keeps so many would find; it can be gone on with. */
int walk_run_until(Walker *w, const Layer *layer, Space *space, u32 until);
/* Compare, instead of walking, the nodes of level 0 whose bits are set in words `first` .. `end` - 1. */
int walk_among(Walker *w, const Layer *ground, Space *space, const u64 *bits, u32 first, u32 end);
/* The same for `count` nodes of level 0 in a list. */
int walk_listed(Walker *w, const Layer *ground, Space *space, const u32 *nodes, u32 count);
/* From the top level down to above level `to`, greedily: the node or record of level `to` to start from, and its slot. */
int walk_descend(Walker *w, const GraphHead *head, const LayerMaps *maps, Space *space, u64 slots, u32 to, u32 *node,
                 u32 *slot);

/* --- folding (graph_build.c) --- */

int graph_fold(const StructureFold *fold, PageRef *out, u64 *nodes);

#endif
