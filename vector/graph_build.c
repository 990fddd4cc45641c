/*
 * graph_build.c: a graph's next version: insertion, repair around dead nodes, moving to new slot numbers.
 *
 *   B1  Nodes are inserted in batches of up to BATCH, in slot order. Each node's neighbours are searched for in the graph before the batch, and
 *       among the batch's nodes before it; then all links are made (G5).
 *   B2  A node's links are chosen by the heuristic of the HNSW paper: of the candidates from near to far, one that is not nearer to
 *       one already chosen than to the node. At most a quarter of them may be copies of the node itself, so that equal vectors do not
 *       close in on themselves.
 *   B3  Each node gets one link that pruning keeps (GRAPH_TREE), from the nearest of its neighbours that has fewer than TREE_MAX such.
 *   B4  What is changed is copied: pages of the old version are read where they lie, and each changed page is written once, at the end.
 *   B5  Candidates are found by a walk on the codes that searches walk on, where these order rows well enough (GraphCodes.finds), and then compared, as all else is, in
 *       the space of the builder: code rows of 8 bits, or vectors. So the codes of the new version are made first. A walk reads a row of 64 bytes then (128
 *       dimensions) where it would one of 144. It keeps ef_construction nodes: three quarters of them would take a seventh less time, and lose 0.0005 of recall in
 *       100,000 rows, but 0.006 in 1,000,000 of the hard set (ef 128). It ends early when those that will be compared have stayed the same for a quarter of them
 *       (G8): 0.93 of the time of building, and of 300,000 and 1,000,000 of the hard set the recall of walks to the end, at most 0.0005 off.
 *
 * Start at graph_fold().
 */
#include "graph.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "portable.h"
#include "workers.h"

#define BATCH 64u
#define TREE_MAX 8u
#define UNMEASURED 0xffffffffu /* a distance, of a link that is kept whatever it is */
#define SAMPLE 4096u           /* vectors that codes are learned from */
/* Of ef_construction nodes found by codes the nearest are candidates: the others are hardly ever chosen. */
#define FOUND_SHARE 2u
#define POLL_SLOTS 1024u

/* --- arrays being changed --- */

/* An array of items whose pages are copied when first changed. */
typedef struct Sheet {
  Array *base; /* the old version, or `none` */
  Array none;
  u32 stride, per;
  u64 count;
  ArrayMap map; /* places of the old pages and the copies */
  u8 *own;      /* by page: it is a copy */
  u8 **block;   /* by ARRAY_RUN pages: memory for their copies */
} Sheet;

/* `keep`: base's items are there to begin with. `room`: items that there may be. */
static int sheet_open(Sheet *s, Array *base, int keep, u64 room) {
  int rc;
  memset(s, 0, sizeof *s);
  array_init(&s->none, base->pages, base->id, base->stride, base->extent_pages);
  s->base = keep ? base : &s->none;
  s->stride = base->stride;
  s->per = base->per_extent;
  s->count = s->base->count;
  rc = array_map_open(&s->map, s->base, MAX(room, s->count), 1);
  s->own = mem_zeroed(&rc, MAX(s->map.extents, 1), 1);
  s->block = mem_zeroed(&rc, s->map.extents / ARRAY_RUN + 1, sizeof *s->block);
  return rc;
}

static void sheet_close(Sheet *s) {
  u32 i;
  for (i = 0; s->block && i <= s->map.extents / ARRAY_RUN; i++) mem_aligned_free(s->block[i]);
  mem_free(s->block);
  mem_free(s->own);
  array_map_close(&s->map);
  memset(s, 0, sizeof *s);
}

/* Make the page of item `index` one that can be changed; grows the sheet up to the item, with 0xff... (GRAPH_NULL) for new pages. */
static int sheet_own(Sheet *s, u32 index) {
  u32 e = array_map_extent(&s->map, index), size = s->base->extent_pages * PAGE_SIZE, i;
  const u8 *old = NULL;
  u8 *page, **block = &s->block[e / ARRAY_RUN];
  int rc = SQLITE_OK;
  if (e >= s->map.extents) return CORRUPT(0);
  s->count = MAX(s->count, (u64)index + 1);
  if (s->own[e]) return SQLITE_OK;
  if ((u64)e * s->per < s->base->count) {
    rc = array_map_touch(&s->map, e);
    if (rc) return rc;
    old = s->map.extent[e];
  }
  if (*block == NULL) *block = mem_aligned(&rc, (u64)size * ARRAY_RUN);
  if (rc) return rc;
  page = *block + (size_t)(e % ARRAY_RUN) * size;
  for (i = 0; i < size; i += 4) store32(page + i, GRAPH_NULL);
  if (old) memcpy(page, old, (size_t)MIN((u64)s->per, s->base->count - (u64)e * s->per) * s->stride);
  array_map_put(&s->map, e, page);
  s->own[e] = 1;
  return SQLITE_OK;
}

/* An item of an own page. */
static u32 *sheet_item(const Sheet *s, u32 index) {
  return (u32 *)(uintptr_t)(const void *)array_map_item(&s->map, index);
}

/* Own pages become pages of a new version. */
static int sheet_write(Sheet *s, PageTx *tx, u8 *ref) {
  ArrayWriter w;
  u32 e;
  int rc = array_writer_begin(&w, tx, s->base, 1);
  for (e = 0; e < s->map.extents && rc == SQLITE_OK; e++) {
    u64 first = (u64)e * s->per, end, got = 0;
    const u8 *from = s->map.extent[e];
    u8 *out;
    if (!s->own[e]) continue;
    end = MIN(first + s->per, s->count);
    if (first < w.count) { /* items of the old version */
      u64 old = MIN(end, w.count) - first;
      rc = array_writer_edit(&w, first, &out);
      if (rc) break;
      memcpy(out, from, (size_t)old * s->stride);
      first += old;
      from += (size_t)old * s->stride;
    }
    if (first == end) continue;
    rc = array_writer_append(&w, end - first, &out, &got);
    if (rc == SQLITE_OK && got != end - first) rc = CORRUPT(0);
    if (rc == SQLITE_OK) memcpy(out, from, (size_t)got * s->stride);
  }
  if (rc == SQLITE_OK) rc = array_writer_finish(&w, ref);
  array_writer_end(&w);
  return rc;
}

static void link_set(u32 *p, u32 value) { store32((u8 *)p, value); }

/* --- the builder --- */

/* Candidates of one choice, from near to far. */
typedef struct Choice {
  u64 *key; /* distance << 32 | node << 1 | on the tree */
  const u8 **row;
  u8 *dropped;
  u64 cap;
  u32 count;
  u32 *distance;
  const u8 **rest;
  u32 *rest_at;
} Choice;

/* A node that another row's slot makes of one that was in the graph: where its records are. */
typedef struct Again {
  u32 slot, level;
  u32 record[GRAPH_MAX_LEVELS]; /* of level 1, 2, ... */
} Again;

/* A node on its way in. */
typedef struct Insert {
  const Again *again; /* NULL: it was not in the graph */
  u32 slot, level;
  u32 first; /* level >= 1: its record of level 1; of level l: records[l-1] before the batch and how many of the batch come before it */
  u32 record[GRAPH_MAX_LEVELS];
  u32 picked[1 + GRAPH_MAX_LEVELS]; /* by level */
  u64 *pick;                        /* `width` per level: distance << 32 | node */
  int rc;
} Insert;

/* A link that `target` shall get. */
typedef struct Backlink {
  u32 level, target, node, slot, distance;
  int tree;
  int known; /* the target may have the link already */
  int done;
} Backlink;

/* What each thread has for itself. */
typedef struct Hand {
  Walker walker;
  Choice choice;
  void *self, *query; /* of the builder's space: the node at hand, any other */
  double *sum;        /* to make a query of the walk */
  u8 *vector;
  int rc;
} Hand;

typedef struct Builder {
  const StructureFold *f;
  const IndexShape *index;
  GraphArrays old;
  GraphHead head, frozen;
  u32 root; /* slot of the entry node */
  Sheet sheet[1 + GRAPH_MAX_LEVELS];
  LayerMaps maps;
  ArrayMap present; /* of the new version */
  u8 *other;        /* by slot: it is another row now, and not linked as that yet; NULL: none is */
  Space space;
  Space *walk, coded; /* what is walked on (B5): `space`, or the codes */
  Sheet codes;
  const GraphCodes *kept; /* as the codes are; NULL: none are kept */
  Sq4 *sq4;
  int learned; /* anew */
  u64 slots;
  u64 to;       /* nodes that there will be */
  u32 width[2]; /* links of a node on level 0, of a record */
  Workers *workers;
  Hand hand[MAX_WORKERS];
  u32 hands;
  Again *again; /* ascending by slot */
  u64 again_count;
  /* the batch */
  Insert insert[BATCH];
  u32 batch;
  int ground;  /* see insert_batch */
  u8 *reached; /* by slot: from the root along the tree; while nodes that are not are put back */
  u64 *picks;
  Backlink *back;
  u64 back_count, back_cap;
  u32 *group; /* where each target's links begin in back[] */
  u64 group_count, group_cap;
} Builder;

static Layer layer_of(Builder *b, const GraphHead *head, u32 level) {
  return graph_layer(head, &b->maps, level, b->to); /* of later slots there are no codes */
}

static int row_of(Builder *b, u32 slot, const u8 **row) { return array_map_get(&b->space.rows, slot, row); }

static int find_root(Builder *b) {
  u32 down;
  Layer top;
  b->root = b->head.entry;
  if (b->head.levels == 0) return SQLITE_OK;
  top = layer_of(b, &b->head, b->head.levels);
  return graph_record(&top, b->head.entry, &b->root, &down);
}

/* Slot of a node or record. Records of the batch have been written when this is asked. */
static int slot_of(Builder *b, u32 level, u32 node, u32 *slot) {
  u32 down;
  Layer layer;
  *slot = node;
  if (level == 0) return node < b->to ? SQLITE_OK : CORRUPT(0);
  layer = layer_of(b, &b->head, level);
  return graph_record(&layer, node, slot, &down);
}

/* Whether the node is still where the row was that the slot had before. */
static int is_other(const Builder *b, u32 slot) { return b->other && b->other[slot]; }

/* Whether a slot has a live vector. */
static int lives(Builder *b, u32 slot, int *alive) {
  const u8 *word;
  int rc = array_map_get(&b->present, slot / 64, &word);
  if (rc == SQLITE_OK) *alive = (int)(load64(word) >> slot % 64 & 1);
  return rc;
}

/* --- choosing links (B2) --- */

static int choice_reserve(Choice *c, u64 count) {
  u64 cap = c->cap, k;
  int rc;
  if (count <= cap) return SQLITE_OK;
  count += count / 2;
  k = cap;
  rc = mem_reserve(&c->key, &k, count, sizeof *c->key);
  if (rc == SQLITE_OK) k = cap, rc = mem_reserve(&c->row, &k, count, sizeof *c->row);
  if (rc == SQLITE_OK) k = cap, rc = mem_reserve(&c->dropped, &k, count, 1);
  if (rc == SQLITE_OK) k = cap, rc = mem_reserve(&c->distance, &k, count, sizeof *c->distance);
  if (rc == SQLITE_OK) k = cap, rc = mem_reserve(&c->rest, &k, count, sizeof *c->rest);
  if (rc == SQLITE_OK) k = cap, rc = mem_reserve(&c->rest_at, &k, count, sizeof *c->rest_at);
  if (rc == SQLITE_OK) c->cap = k;
  return rc;
}

static void choice_free(Choice *c) {
  mem_free(c->key);
  mem_free(c->row);
  mem_free(c->dropped);
  mem_free(c->distance);
  mem_free(c->rest);
  mem_free(c->rest_at);
}

/* Insertion sort: candidates come nearly sorted, or are few. */
static void choice_sort(Choice *c, u32 first) {
  u32 i;
  for (i = first + 1; i < c->count; i++) {
    u64 key = c->key[i];
    u32 at = i;
    for (; at > first && c->key[at - 1] > key; at--) c->key[at] = c->key[at - 1];
    c->key[at] = key;
  }
}

/*
 * Choose up to `limit` of the candidates, their rows filled in, sorted from the `first`-th on; those before it, and those on the tree, are
 * always chosen. The chosen ones are moved to the front, in order; their number is given. `self`: the distance of the node to a copy of itself.
 */
static u32 choose_links(Builder *b, Hand *h, u32 first, u32 limit, u32 self) {
  Choice *c = &h->choice;
  u32 i, k, n, picked = 0, copies = 0, tree = 0;
  if (c->count) memset(c->dropped, 0, c->count); /* else it may be NULL */
  for (i = 0; i < c->count; i++) tree += (u32)(c->key[i] & 1);
  for (i = 0; i < c->count && picked < limit; i++) {
    u64 key = c->key[i];
    const u8 *row = c->row[i];
    int on_tree = (int)(key & 1);
    if (i < first) {
      tree -= (u32)on_tree;
    } else if (!on_tree) {
      if (c->dropped[i] || picked + tree >= limit) continue;
      if (pool_distance(key) <= self && ++copies > MAX(limit / 4, 1)) continue;
    } else {
      tree--;
    }
    c->key[picked] = key;
    c->row[picked++] = row;
    if (picked == limit) break;
    for (k = MAX(i + 1, first), n = 0; k < c->count; k++) {
      if (c->dropped[k] || c->key[k] & 1) continue;
      c->rest[n] = c->row[k];
      c->rest_at[n++] = k;
    }
    if (n == 0) continue;
    b->space.methods->from_row(&b->space, row, h->query);
    b->space.methods->distances(&b->space, h->query, c->rest, n, c->distance);
    for (k = 0; k < n; k++) c->dropped[c->rest_at[k]] |= c->distance[k] < pool_distance(c->key[c->rest_at[k]]);
  }
  return picked;
}

/* The rows of the candidates, whose nodes are of `level`. */
static int choice_rows(Builder *b, Choice *c, u32 level) {
  u32 i, slot;
  int rc = SQLITE_OK;
  for (i = 0; i < c->count && rc == SQLITE_OK; i++) {
    rc = slot_of(b, level, pool_node(c->key[i]), &slot);
    if (rc == SQLITE_OK) rc = row_of(b, slot, &c->row[i]);
  }
  return rc;
}

/* One of those that are there twice: way points that are also in the batch. */
static void choice_once(Choice *c) {
  u32 i, n = MIN(c->count, 1);
  for (i = 1; i < c->count; i++) {
    if (c->key[i] != c->key[n - 1]) c->key[n++] = c->key[i];
  }
  c->count = n;
}

/* --- one node (runs in any thread) --- */

/* How far a node is from a copy of itself. */
static u32 self_distance(Builder *b, const void *query, const u8 *row) {
  u32 distance;
  b->space.methods->distances(&b->space, query, &row, 1, &distance);
  return distance;
}

/* The nodes of the batch before node i that are on this level, as candidates. */
static int add_batch(Builder *b, Hand *h, u32 i, u32 level) {
  Choice *c = &h->choice;
  u64 worst = c->count >= b->index->ef_construction ? c->key[c->count - 1] : ~(u64)0;
  u32 k, n = 0;
  int rc = choice_reserve(c, (u64)c->count + i);
  for (k = 0; k < i && rc == SQLITE_OK; k++) {
    if (b->insert[k].level < level) continue;
    rc = row_of(b, b->insert[k].slot, &c->rest[n]);
    c->rest_at[n++] = level ? b->insert[k].record[level - 1] : b->insert[k].slot;
  }
  if (rc || n == 0) return rc;
  b->space.methods->distances(&b->space, h->self, c->rest, n, c->distance);
  for (k = 0; k < n; k++) {
    u64 key = (u64)c->distance[k] << 32 | (u64)c->rest_at[k] << 1;
    if (key < worst) c->key[c->count++] = key;
  }
  return SQLITE_OK;
}

/* None of the nodes found will do: a dead one must, or, for a node on the ground, the root. */
static int add_way_point(Builder *b, Hand *h, u32 level, u32 self) {
  Choice *c = &h->choice;
  const u8 *row;
  u32 distance, i, slot = self;
  int rc = SQLITE_OK;
  if (!b->ground) {
    for (i = 0; i < h->walker.count && rc == SQLITE_OK && slot == self; i++)
      rc = slot_of(b, level, pool_node(h->walker.pool[i]), &slot);
    if (slot != self) c->key[c->count++] = h->walker.pool[i - 1] & ~(u64)1;
    return rc;
  }
  rc = row_of(b, b->root, &row);
  if (rc) return rc;
  b->space.methods->distances(&b->space, h->self, &row, 1, &distance);
  c->key[c->count++] = (u64)distance << 32 | (u64)b->root << 1;
  return SQLITE_OK;
}

/* Of candidates that are found by codes. */
static u32 most_compared(const Builder *b) { return MAX(b->index->ef_construction / FOUND_SHARE, b->width[0]); }

/* The candidates were found by codes: compare the nearer ones in the builder's space. */
static int compare_found(Builder *b, Hand *h, u32 level) {
  Choice *c = &h->choice;
  u32 i;
  int rc;
  c->count = MIN(c->count, most_compared(b));
  rc = choice_rows(b, c, level);
  if (rc) return rc;
  for (i = 0; i < c->count; i++) fetch_row(c->row[i], b->space.row_bytes);
  b->space.methods->distances(&b->space, h->self, c->row, c->count, c->distance);
  for (i = 0; i < c->count; i++) c->key[i] = (u64)c->distance[i] << 32 | (u32)c->key[i];
  choice_sort(c, 0);
  return SQLITE_OK;
}

/* Search one level for the candidates of the node at slot `self`, live ones. node, slot: where to start; then the nearest found. */
static int find_candidates(Builder *b, Hand *h, u32 level, u32 self, u32 *node, u32 *slot) {
  Walker *w = &h->walker;
  Choice *c = &h->choice;
  Layer layer = layer_of(b, &b->frozen, level);
  u32 i, down;
  int rc = walk_begin(w, b->index->ef_construction);
  if (rc == SQLITE_OK) rc = walk_enter(w, b->walk, *node, *slot);
  if (b->walk != &b->space) walk_watch(w, most_compared(b), b->index->ef_construction / PATIENCE_SHARE);
  if (rc == SQLITE_OK) rc = walk_run(w, &layer, b->walk);
  if (rc == SQLITE_OK) rc = choice_reserve(c, w->count);
  if (rc) return rc;
  for (i = 0, c->count = 0; i < w->count && rc == SQLITE_OK; i++) {
    u32 at = pool_node(w->pool[i]);
    int alive = 0;
    if (level) rc = graph_record(&layer, at, &at, &down);
    if (rc == SQLITE_OK) rc = lives(b, at, &alive);
    if (at != self && alive && !is_other(b, at) && (!b->ground || b->reached[at]))
      c->key[c->count++] = w->pool[i] & ~(u64)1;
  }
  if (rc == SQLITE_OK && c->count == 0) rc = add_way_point(b, h, level, self);
  if (rc == SQLITE_OK && b->walk != &b->space) rc = compare_found(b, h, level);
  if (rc) return rc;
  *node = *slot = pool_node(w->pool[0]);
  if (level == 0) return SQLITE_OK;
  rc = graph_record(&layer, *node, slot, &down);
  if (rc == SQLITE_OK && down >= (level == 1 ? b->frozen.nodes : b->frozen.records[level - 2])) rc = CORRUPT(0);
  *node = down;
  return rc;
}

/* The node whose row this is, as a query of both spaces. */
static void make_queries(Builder *b, Hand *h, const u8 *row) {
  const Space *s = &b->space;
  u32 i;
  s->methods->from_row(s, row, h->self);
  if (b->walk == s) {
    memcpy(h->walker.query, h->self, s->methods->query_size(s));
    return;
  }
  memset(h->sum, 0, s->dim * sizeof *h->sum);
  s->methods->add_row(s, row, h->sum);
  for (i = 0; i < s->dim; i++) elem_put(s->elem, h->vector, i, (float)h->sum[i]);
  b->walk->methods->from_vector(b->walk, h->vector, h->walker.query);
}

static int plan_insert(Builder *b, Hand *h, u32 i) {
  Insert *in = &b->insert[i];
  u32 level, node = 0, slot = 0, from = MIN(in->level, b->frozen.levels), self;
  int is_empty = b->frozen.entry == GRAPH_NULL, rc;
  const u8 *row;
  rc = row_of(b, in->slot, &row);
  if (rc) return rc;
  make_queries(b, h, row);
  self = self_distance(b, h->self, row);
  if (!is_empty) rc = walk_descend(&h->walker, &b->frozen, &b->maps, b->walk, b->to, from, &node, &slot);
  for (level = in->level + 1; level-- > 0 && rc == SQLITE_OK;) {
    Choice *c = &h->choice;
    u32 k, width = b->width[level > 0];
    c->count = 0;
    if (!is_empty && level <= from) rc = find_candidates(b, h, level, in->slot, &node, &slot);
    if (rc == SQLITE_OK) rc = add_batch(b, h, i, level);
    if (rc) break;
    choice_sort(c, 0);
    choice_once(c);
    for (k = 0; k < c->count && rc == SQLITE_OK; k++) {
      u32 at = pool_node(c->key[k]);
      if (level) { /* a record of the graph before the batch, or of the batch */
        if (at < b->frozen.records[level - 1]) {
          rc = slot_of(b, level, at, &at);
        } else {
          u32 n = 0;
          while (b->insert[n].level < level || b->insert[n].record[level - 1] != at) n++;
          at = b->insert[n].slot;
        }
      }
      if (rc == SQLITE_OK) rc = row_of(b, at, &c->row[k]);
    }
    if (rc) break;
    in->picked[level] = choose_links(b, h, 0, MIN(b->head.m, width), self);
    if (in->picked[level]) memcpy(in->pick + (size_t)level * b->width[0], c->key, in->picked[level] * sizeof *c->key);
  }
  return rc;
}

static void insert_job(void *arg, u32 worker, u32 index) {
  Builder *b = arg;
  b->insert[index].rc = plan_insert(b, &b->hand[worker], index);
}

/* --- links of the batch --- */

static u32 tree_links(const u32 *links, u32 width) {
  u32 i, n = 0;
  for (i = 0; i < width && link_get(&links[i]) != GRAPH_NULL; i++) n += link_get(&links[i]) >> 31;
  return n;
}

/* Tree links that `node` has or will have from this batch. */
static int tree_load(Builder *b, u32 node, u32 *load) {
  const u8 *at;
  u64 i;
  int rc = array_map_get(&b->sheet[0].map, node, &at);
  if (rc) return rc;
  *load = tree_links((const u32 *)(const void *)at, b->width[0]);
  for (i = 0; i < b->back_count; i++) *load += b->back[i].tree && b->back[i].target == node;
  return SQLITE_OK;
}

/* The r-th of the tree links of `node`: those on its list, then those that this batch adds. */
static int tree_child(Builder *b, u32 node, u32 r, u32 *child) {
  const u8 *at;
  u32 i;
  u64 k;
  int rc = array_map_get(&b->sheet[0].map, node, &at);
  *child = GRAPH_NULL;
  for (i = 0; i < b->width[0] && rc == SQLITE_OK && *child == GRAPH_NULL; i++) {
    u32 link = link_get((const u32 *)(const void *)at + i);
    if (link == GRAPH_NULL) break;
    if (link >> 31 && r-- == 0) *child = link & ~GRAPH_TREE;
  }
  for (k = 0; k < b->back_count && rc == SQLITE_OK && *child == GRAPH_NULL; k++) {
    if (b->back[k].tree && b->back[k].target == node && r-- == 0) *child = b->back[k].node;
  }
  return rc;
}

/* The node that holds the new one on the tree (B3). */
static int find_parent(Builder *b, const Insert *in, u32 *parent) {
  u64 steps;
  u32 i, load = 0;
  int rc = SQLITE_OK;
  for (i = 0; i < in->picked[0] && rc == SQLITE_OK; i++) {
    *parent = pool_node(in->pick[i]);
    rc = tree_load(b, *parent, &load);
    if (load < TREE_MAX) return rc;
  }
  /*
   * All are full: down the tree from the nearest to a node that is not. At each a child is drawn: an entry has a link from the entry after it besides that
   * of its parent, so that there are circles, which a fixed choice may not leave.
   */
  *parent = pool_node(in->pick[0]);
  for (steps = 0; rc == SQLITE_OK; steps++) {
    u32 child = GRAPH_NULL;
    rc = tree_load(b, *parent, &load);
    if (rc || load < b->width[0]) return rc;
    rc = tree_child(b, *parent, (u32)(mix64((u64)in->slot << 32 | (u32)steps) % load), &child);
    /* the links of a damaged file may lead off the graph, or nowhere */
    if (rc == SQLITE_OK && (child >= b->head.nodes || steps > b->head.nodes + 1000)) rc = CORRUPT(0);
    *parent = child;
  }
  return rc;
}

static int add_back(Builder *b, u32 level, u32 target, u32 node, u32 slot, u32 distance, int tree) {
  Backlink *l;
  if (mem_reserve(&b->back, &b->back_cap, b->back_count + 1, sizeof *b->back)) return SQLITE_NOMEM;
  l = &b->back[b->back_count++];
  l->level = level;
  l->target = target;
  l->node = node;
  l->slot = slot;
  l->distance = distance;
  l->tree = tree;
  l->known = distance == UNMEASURED || b->other; /* a way point may be of the batch, and pick the node itself */
  l->done = 0;
  return SQLITE_OK;
}

/* The links of `item` that are the tree's, first; how many there are. */
static u32 keep_tree(u32 *item, u32 width) {
  u32 i, n = 0;
  for (i = 0; i < width && link_get(&item[i]) != GRAPH_NULL; i++) {
    if (link_get(&item[i]) >> 31) link_set(&item[n++], link_get(&item[i]));
  }
  return n;
}

/* Which of the first `count` links, on the tree or not, is to `node`; `count`: none. */
static u32 find_link(const u32 *links, u32 count, u32 node) {
  u32 i;
  for (i = 0; i < count && (link_get(&links[i]) & ~GRAPH_TREE) != node; i++) {
  }
  return i;
}

/* Write the node's own lists, and note the links back. */
static int put_node(Builder *b, const Insert *in) {
  u32 level, i, parent = GRAPH_NULL;
  int rc = sheet_own(&b->sheet[0], in->slot);
  if (rc == SQLITE_OK && b->head.entry != GRAPH_NULL && in->again == NULL) rc = find_parent(b, in, &parent);
  for (level = 0; level <= in->level && rc == SQLITE_OK; level++) {
    u32 self = level ? in->record[level - 1] : in->slot, width = b->width[level > 0], used = 0, *item;
    const u64 *pick = in->pick + (size_t)level * b->width[0];
    int has_parent = 0;
    rc = sheet_own(&b->sheet[level], self);
    if (rc) break;
    item = sheet_item(&b->sheet[level], self);
    if (level) {
      link_set(item++, in->slot);
      link_set(item++, level > 1 ? in->record[level - 2] : in->slot);
    } else if (in->again) {
      used = keep_tree(item, width);
    }
    for (i = 0; i < in->picked[level] && rc == SQLITE_OK; i++) {
      u32 other = pool_node(pick[i]), slot = other;
      if (level) rc = slot_of(b, level, other, &slot);
      if (used < width && find_link(item, used, other) == used) {
        link_set(item + used, other);
        if (level) link_set(item + width + used, slot);
        used++;
      }
      if (rc == SQLITE_OK)
        rc = add_back(b, level, other, self, in->slot, pool_distance(pick[i]), level == 0 && other == parent);
      has_parent |= other == parent;
    }
    for (; (b->ground || in->again) && used < width; used++) { /* of the list it had */
      link_set(item + used, GRAPH_NULL);
      if (level) link_set(item + width + used, GRAPH_NULL);
    }
    if (level == 0 && parent != GRAPH_NULL && !has_parent && rc == SQLITE_OK) {
      rc = add_back(b, 0, parent, in->slot, in->slot, UNMEASURED, 1);
    }
  }
  if (rc || in->again || (b->head.entry != GRAPH_NULL && in->level <= b->head.levels)) return rc;
  /* a new entry node leads to the old one, and so to all others */
  if (b->head.entry != GRAPH_NULL) rc = add_back(b, 0, in->slot, b->root, b->root, UNMEASURED, 1);
  b->head.levels = in->level;
  b->head.entry = in->level ? in->record[in->level - 1] : in->slot;
  b->root = in->slot;
  return rc;
}

/* Write the chosen links of a node or record. */
static int put_links(Builder *b, u32 level, u32 node, const u64 *key, u32 count) {
  u32 *item = sheet_item(&b->sheet[level], node) + (level ? 2 : 0), width = b->width[level > 0], i;
  int rc = SQLITE_OK;
  for (i = 0; i < width && rc == SQLITE_OK; i++) {
    u32 other = i < count ? pool_node(key[i]) : GRAPH_NULL, slot = GRAPH_NULL;
    if (level && i < count) rc = slot_of(b, level, other, &slot);
    link_set(item + i, i < count && key[i] & 1 ? other | GRAPH_TREE : other);
    if (level) link_set(item + width + i, slot);
  }
  return rc;
}

/* Candidates: the nodes of a list; distances from the node at hand. */
static int add_links(Builder *b, Hand *h, u32 level, const u32 *links) {
  Choice *c = &h->choice;
  u32 i, n = 0, width = b->width[level > 0], slot;
  int rc = choice_reserve(c, (u64)c->count + width);
  for (i = 0; i < width && rc == SQLITE_OK && link_get(&links[i]) != GRAPH_NULL; i++, n++) {
    rc = slot_of(b, level, link_get(&links[i]) & ~GRAPH_TREE, &slot);
    if (rc == SQLITE_OK) rc = row_of(b, slot, &c->rest[n]);
  }
  if (rc) return rc;
  b->space.methods->distances(&b->space, h->self, c->rest, n, c->distance);
  for (i = 0; i < n; i++) {
    u32 link = link_get(&links[i]);
    c->key[c->count++] = (u64)c->distance[i] << 32 | (u64)(link & ~GRAPH_TREE) << 1 | link >> 31;
  }
  return SQLITE_OK;
}

/* Whether the link is there; it becomes one of the tree if it shall be. */
static int has_link(u32 *links, u32 width, const Backlink *back) {
  u32 i = find_link(links, width, back->node);
  if (i < width && back->tree) link_set(&links[i], back->node | GRAPH_TREE);
  return i < width;
}

/* All links of the batch to one target. */
static int take_backlinks(Builder *b, Hand *h, Backlink *back, u32 count) {
  u32 level = back->level, width = b->width[level > 0], used = 0, fresh = count, i, slot, self;
  u32 *links = sheet_item(&b->sheet[level], back->target) + (level ? 2 : 0);
  Choice *c = &h->choice;
  const u8 *row;
  int rc;
  for (i = 0; i < count; i++) {
    if (back[i].known && has_link(links, width, &back[i])) back[i].done = 1, fresh--;
  }
  while (used < width && link_get(&links[used]) != GRAPH_NULL) used++;
  if (used + fresh <= width) {
    for (i = 0; i < count; i++) {
      if (back[i].done) continue;
      link_set(links + used, back[i].tree ? back[i].node | GRAPH_TREE : back[i].node);
      if (level) link_set(links + width + used, back[i].slot);
      used++;
    }
    return SQLITE_OK;
  }
  rc = slot_of(b, level, back->target, &slot);
  if (rc == SQLITE_OK) rc = row_of(b, slot, &row);
  if (rc) return rc;
  b->space.methods->from_row(&b->space, row, h->self);
  self = self_distance(b, h->self, row);
  c->count = 0;
  rc = add_links(b, h, level, links);
  if (rc == SQLITE_OK) rc = choice_reserve(c, (u64)c->count + count);
  if (rc) return rc;
  for (i = 0; i < count; i++) {
    if (back[i].done) continue;
    c->key[c->count++] = (u64)back[i].distance << 32 | (u64)back[i].node << 1 | (u64)(back[i].tree != 0);
  }
  choice_sort(c, 0);
  rc = choice_rows(b, c, level);
  if (rc) return rc;
  return put_links(b, level, back->target, c->key, choose_links(b, h, 0, width, self));
}

static void backlink_job(void *arg, u32 worker, u32 index) {
  Builder *b = arg;
  u32 first = b->group[index], end = index + 1 < b->group_count ? b->group[index + 1] : (u32)b->back_count;
  int rc = take_backlinks(b, &b->hand[worker], b->back + first, end - first);
  if (rc) b->hand[worker].rc = rc;
}

static int compare_back(const void *a, const void *c) {
  const Backlink *x = a, *y = c;
  if (x->level != y->level) return x->level < y->level ? -1 : 1;
  if (x->target != y->target) return x->target < y->target ? -1 : 1;
  return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Group the links back by target and make them, each target by one thread. */
static int link_back(Builder *b) {
  u64 i;
  u32 k;
  int rc = SQLITE_OK;
  if (b->back_count) qsort(b->back, (size_t)b->back_count, sizeof *b->back, compare_back);
  b->group_count = 0;
  for (i = 0; i < b->back_count && rc == SQLITE_OK; i++) {
    if (i && b->back[i].level == b->back[i - 1].level && b->back[i].target == b->back[i - 1].target) continue;
    rc = mem_reserve(&b->group, &b->group_cap, b->group_count + 1, sizeof *b->group);
    if (rc) return rc;
    b->group[b->group_count++] = (u32)i;
    rc = sheet_own(&b->sheet[b->back[i].level], b->back[i].target);
  }
  if (rc) return rc;
  workers_run(b->workers, backlink_job, b, (u32)b->group_count);
  for (k = 0; k < b->hands && rc == SQLITE_OK; k++) rc = b->hand[k].rc;
  b->back_count = 0;
  return rc;
}

/* --- batches --- */

/* One in m nodes is on the next level: by a hash of the slot. */
static u32 level_of(const Builder *b, u32 slot) {
  u64 x = mix64(((u64)b->f->column << 32 | slot) + MIX64_STEP);
  u32 level = 0;
  for (; x % b->head.m == 0 && level < GRAPH_MAX_LEVELS; x /= b->head.m) level++;
  return level;
}

static int compare_again(const void *slot, const void *again) {
  u32 x = *(const u32 *)slot, y = ((const Again *)again)->slot;
  return (x > y) - (x < y);
}

static Again *again_of(const Builder *b, u32 slot) {
  if (b->again_count == 0) return NULL;
  return bsearch(&slot, b->again, (size_t)b->again_count, sizeof *b->again, compare_again);
}

/*
 * Insert slot[0..count). `ground`: one, on level 0 alone, that is on the levels above already and that the root does not reach; it gets a list of
 * nodes that are reached, so that those which are not cannot hang on each other.
 */
static int insert_batch(Builder *b, const u32 *slot, u32 count, int ground) {
  u32 i, level;
  int rc = SQLITE_OK;
  b->frozen = b->head;
  b->batch = count;
  b->ground = ground;
  for (i = 0; i < count; i++) {
    Insert *in = &b->insert[i];
    in->slot = slot[i];
    in->pick = b->picks + (size_t)i * (1 + GRAPH_MAX_LEVELS) * b->width[0];
    in->again = again_of(b, slot[i]);
    if (in->again) {
      in->level = in->again->level;
      memcpy(in->record, in->again->record, sizeof in->record);
      continue;
    }
    in->level = ground ? 0 : level_of(b, slot[i]);
    for (level = 1; level <= in->level; level++) in->record[level - 1] = b->head.records[level - 1]++;
  }
  workers_run(b->workers, insert_job, b, count);
  for (i = 0; i < count && rc == SQLITE_OK; i++) rc = b->insert[i].rc;
  if (rc == SQLITE_OK) b->head.nodes = MAX(b->head.nodes, (u64)slot[count - 1] + 1);
  for (i = 0; i < count && rc == SQLITE_OK; i++) rc = put_node(b, &b->insert[i]);
  if (ground) b->reached[slot[0]] = 1;
  if (rc == SQLITE_OK) rc = link_back(b);
  for (i = 0; i < count && b->other; i++) b->other[slot[i]] = 0;
  return rc;
}

/* Insert slots in order; `linked`: how many nodes the graph has. */
static int insert_all(Builder *b, const u32 *slot, u64 count, u64 linked, int ground) {
  u64 done = 0;
  int rc = SQLITE_OK;
  while (done < count && rc == SQLITE_OK) {
    u32 n = ground ? 1 : (u32)MIN(MIN((u64)BATCH, MAX((linked + done) / 4, 1)), count - done);
    if (page_tx_interrupted(b->f->tx)) return SQLITE_INTERRUPT;
    rc = insert_batch(b, slot + done, n, ground);
    done += n;
    b->f->work->linked += n;
  }
  return rc;
}

/* --- dead nodes --- */

/*
 * The list of a node `self` anew: its live links, and in place of each dead one the live links of that. Where `map` is given, lists are of
 * the old version, in old slot numbers, and what counts as live is what has a new one. `list_of` gives an old list.
 */
typedef struct Renewal {
  const u32 *map;   /* old slot or record to new, NO_SLOT: dead; NULL: numbers stay */
  ArrayMap *lists;  /* the lists that are read */
  u32 width, count; /* of the level */
  u32 level;
} Renewal;

static int renewed(Builder *b, const Renewal *r, u32 old, u32 *now) {
  int alive = 0, rc;
  *now = NO_SLOT;
  if (old >= r->count) return CORRUPT(0);
  if (r->map) {
    *now = r->map[old];
    return SQLITE_OK;
  }
  rc = lives(b, old, &alive);
  if (rc == SQLITE_OK && alive && !is_other(b, old)) *now = old;
  return rc;
}

static int old_list(const Renewal *r, u32 node, const u32 **links) {
  const u8 *at;
  int rc = node < r->count ? array_map_get(r->lists, node, &at) : CORRUPT(0);
  if (rc == SQLITE_OK) *links = (const u32 *)(const void *)at + (r->level ? 2 : 0);
  return rc;
}

/* Add a candidate unless it is there or is the node itself. */
static int add_candidate(Choice *c, u32 node, u32 self, u32 tree) {
  u32 i;
  int rc;
  if (node == self) return SQLITE_OK;
  for (i = 0; i < c->count; i++) {
    if (pool_node(c->key[i]) != node) continue;
    c->key[i] |= tree;
    return SQLITE_OK;
  }
  rc = choice_reserve(c, (u64)c->count + 1);
  if (rc == SQLITE_OK) c->key[c->count++] = (u64)node << 1 | tree;
  return rc;
}

/* Candidates for node `self` (new number) from the list of `old`: first its live links, *kept of them, then what is behind *dead dead ones. */
static int gather_renewed(Builder *b, const Renewal *r, Choice *c, u32 old, u32 self, u32 *kept, u32 *dead) {
  const u32 *links = NULL, *further = NULL;
  u32 i, k, now, link;
  int rc = old_list(r, old, &links), behind;
  c->count = 0;
  *kept = *dead = 0;
  for (behind = 0; behind < 2; behind++) {
    for (i = 0; i < r->width && rc == SQLITE_OK && (link = link_get(&links[i])) != GRAPH_NULL; i++) {
      u32 tree = r->map ? 0 : link >> 31;
      link &= ~GRAPH_TREE;
      rc = renewed(b, r, link, &now);
      if (rc) return rc;
      if (now != NO_SLOT || tree) {
        if (!behind) rc = add_candidate(c, now == NO_SLOT ? link : now, self, tree);
        continue;
      }
      *dead += !behind;
      if (behind) rc = old_list(r, link, &further);
      for (k = 0; behind && k < r->width && rc == SQLITE_OK && link_get(&further[k]) != GRAPH_NULL; k++) {
        rc = renewed(b, r, link_get(&further[k]) & ~GRAPH_TREE, &now);
        if (rc == SQLITE_OK && now != NO_SLOT) rc = add_candidate(c, now, self, 0);
      }
    }
    if (!behind) *kept = c->count;
  }
  return rc;
}

/* Choose among the gathered candidates and write the list of `self`: it keeps its live links and gets others for the dead ones. */
static int put_renewed(Builder *b, Hand *h, u32 level, u32 self, u32 kept, u32 dead) {
  Choice *c = &h->choice;
  u32 i, width = b->width[level > 0], slot, copy, count = c->count, picked;
  const u8 *row;
  int rc = sheet_own(&b->sheet[level], self);
  b->f->work->repairs += dead > 0;
  if (rc == SQLITE_OK && dead) {
    rc = slot_of(b, level, self, &slot);
    if (rc == SQLITE_OK) rc = row_of(b, slot, &row);
    if (rc == SQLITE_OK) rc = choice_rows(b, c, level);
    if (rc) return rc;
    b->space.methods->from_row(&b->space, row, h->self);
    copy = self_distance(b, h->self, row);
    b->space.methods->distances(&b->space, h->self, c->row, c->count, c->distance);
    for (i = 0; i < c->count; i++) c->key[i] |= (u64)c->distance[i] << 32;
    choice_sort(c, kept);
    rc = choice_rows(b, c, level);
    if (rc) return rc;
    picked = choose_links(b, h, kept, MIN(kept + dead, width), copy);
    count = picked;
  }
  return rc ? rc : put_links(b, level, self, c->key, count);
}

/* Give the nodes that a dead one links to, and that link back, new links in its place (G3). */
static int repair_around(Builder *b, u32 dead_slot) {
  Renewal r = {NULL, &b->sheet[0].map, b->width[0], (u32)b->head.nodes, 0};
  Hand *h = &b->hand[0];
  u32 near[GRAPH_MAX_LINKS], n = 0, i, k, kept, dead;
  const u32 *links;
  int rc = old_list(&r, dead_slot, &links);
  for (i = 0; i < r.width && rc == SQLITE_OK && link_get(&links[i]) != GRAPH_NULL; i++)
    near[n++] = link_get(&links[i]) & ~GRAPH_TREE;
  for (i = 0; i < n && rc == SQLITE_OK; i++) {
    int alive = 0, back = 0;
    rc = old_list(&r, near[i], &links); /* refuses what is no node */
    if (rc == SQLITE_OK) rc = lives(b, near[i], &alive);
    if (rc || !alive || is_other(b, near[i])) continue;
    for (k = 0; k < r.width && !back; k++) back = link_get(&links[k]) == dead_slot; /* not as a branch of the tree */
    if (!back) continue;
    rc = gather_renewed(b, &r, &h->choice, near[i], near[i], &kept, &dead);
    if (rc == SQLITE_OK) rc = put_renewed(b, h, 0, near[i], kept, dead);
  }
  return rc;
}

static int repair(Builder *b) {
  const StructureFold *f = b->f;
  u64 i, done = 0;
  int rc = SQLITE_OK;
  for (i = 0; i < f->dead_count && rc == SQLITE_OK; i++) {
    if (f->dead[i] >= b->head.nodes) break;
    if (done++ == f->rows) break; /* the rest stay way points */
    if (done % 64 == 0 && page_tx_interrupted(f->tx)) return SQLITE_INTERRUPT;
    rc = repair_around(b, f->dead[i]);
  }
  return rc;
}

/* --- new slot numbers --- */

typedef struct Moved {
  u32 now, old; /* record numbers */
} Moved;

/* Old lists under new numbers; `map[level]`, by old record: the new one, for levels >= 1. */
static int move_level(Builder *b, u32 level, const u32 *map, ArrayMap *lists, u32 count, const u32 *slot_map,
                      const u32 *below) {
  Renewal r = {map, lists, b->width[level > 0], count, level};
  u32 i, kept, dead;
  int rc = SQLITE_OK;
  for (i = 0; i < count && rc == SQLITE_OK; i++) { /* first what records stand for, which put_links asks for */
    const u8 *at;
    u32 *item, slot, down;
    if (level == 0 || map[i] == NO_SLOT) continue;
    rc = array_map_get(lists, i, &at);
    if (rc == SQLITE_OK) rc = sheet_own(&b->sheet[level], map[i]);
    if (rc) return rc;
    slot = link_get((const u32 *)(const void *)at);
    down = link_get((const u32 *)(const void *)at + 1);
    if (slot >= b->old.head.nodes || down >= (level > 1 ? b->old.head.records[level - 2] : b->old.head.nodes))
      return CORRUPT(b->old.page.pgno);
    item = sheet_item(&b->sheet[level], map[i]);
    link_set(item, slot_map[slot]);
    link_set(item + 1, below[down]);
  }
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    if (map[i] == NO_SLOT) continue;
    if (i % 1024 == 0 && page_tx_interrupted(b->f->tx)) return SQLITE_INTERRUPT;
    rc = gather_renewed(b, &r, &b->hand[0].choice, i, map[i], &kept, &dead);
    if (rc == SQLITE_OK) rc = put_renewed(b, &b->hand[0], level, map[i], kept, dead);
  }
  return rc;
}

/* Number the live records of an old level anew. */
static int number_records(Builder *b, ArrayMap *lists, u32 count, const u32 *slot_map, u32 *map, u32 *live) {
  u32 i;
  int rc = SQLITE_OK;
  *live = 0;
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    const u8 *at;
    u32 slot;
    rc = array_map_get(lists, i, &at);
    if (rc) break;
    slot = link_get((const u32 *)(const void *)at);
    if (slot >= b->old.head.nodes) return CORRUPT(b->old.page.pgno);
    map[i] = slot_map[slot] == NO_SLOT ? NO_SLOT : (*live)++;
  }
  return rc;
}

/* The tree over what can be reached from the entry, breadth first; the others in lost[]. */
static int grow_tree(Builder *b, const u8 *linked, u32 **lost, u64 *lost_count) {
  u8 *reached;
  u64 nodes = b->head.nodes, cap = 0;
  u32 head = 0, tail = 0, i, k;
  int rc = SQLITE_OK;
  u32 *queue = mem_array(&rc, nodes, sizeof *queue);
  b->reached = reached = mem_zeroed(&rc, nodes, 1);
  if (rc == SQLITE_OK && b->root != GRAPH_NULL) {
    reached[b->root] = 1;
    queue[tail++] = b->root;
  }
  while (rc == SQLITE_OK && head < tail) {
    u32 *links = sheet_item(&b->sheet[0], queue[head++]);
    for (k = 0; k < b->width[0] && link_get(&links[k]) != GRAPH_NULL; k++) {
      u32 next = link_get(&links[k]);
      if (reached[next]) continue;
      reached[next] = 1;
      queue[tail++] = next;
      link_set(&links[k], next | GRAPH_TREE);
    }
  }
  for (i = 0; i < nodes && rc == SQLITE_OK; i++) {
    if (!linked[i] || reached[i]) continue;
    rc = mem_reserve(lost, &cap, *lost_count + 1, sizeof **lost);
    if (rc == SQLITE_OK) (*lost)[(*lost_count)++] = i;
  }
  mem_free(queue);
  return rc;
}

/* The old graph under new slot numbers, without its dead nodes; then every node it lacked is inserted. */
static int move_graph(Builder *b) {
  const StructureFold *f = b->f;
  ArrayMap lists[1 + GRAPH_MAX_LEVELS];
  u32 *map[1 + GRAPH_MAX_LEVELS] = {NULL}, *lost = NULL, level, opened = 0, live, levels = b->old.head.levels;
  u64 i, lost_count = 0, linked_count = 0, count = 0;
  u8 *linked;
  u32 *fresh;
  int rc = SQLITE_OK;
  linked = mem_zeroed(&rc, b->slots, 1);
  fresh = mem_array(&rc, b->slots, sizeof *fresh);
  b->head.nodes = b->slots;
  for (i = 0; i < b->slots && rc == SQLITE_OK; i += b->sheet[0].per) rc = sheet_own(&b->sheet[0], (u32)i);
  if (rc == SQLITE_OK && b->slots) rc = sheet_own(&b->sheet[0], (u32)b->slots - 1);
  for (level = 0; level <= levels && rc == SQLITE_OK; level++) {
    Array *array = level ? &b->old.upper[level - 1] : &b->old.links;
    rc = array_map_open(&lists[level], array, 0, 1);
    if (rc) break;
    opened++;
    map[level] = mem_array(&rc, array->count, sizeof *map[level]);
    if (rc) break;
    if (level == 0) {
      memcpy(map[0], f->moved, (size_t)array->count * sizeof *map[0]);
      for (i = 0; i < array->count && rc == SQLITE_OK; i++) {
        int alive = 0; /* a row may be without a vector */
        if (map[0][i] != NO_SLOT) rc = lives(b, map[0][i], &alive);
        if (alive) linked[map[0][i]] = 1, linked_count++;
      }
      continue;
    }
    rc = number_records(b, &lists[level], b->old.head.records[level - 1], map[0], map[level], &live);
    if (rc || live == 0) break;
    b->head.records[level - 1] = live;
    b->head.levels = level;
  }
  for (level = 0; level <= b->head.levels && rc == SQLITE_OK; level++) {
    rc =
        move_level(b, level, map[level], &lists[level], level ? b->old.head.records[level - 1] : (u32)b->old.head.nodes,
                   map[0], level ? map[level - 1] : NULL);
  }
  if (rc == SQLITE_OK && b->head.levels) { /* the old entry if it lives, else any */
    u32 old = b->head.levels == levels ? b->old.head.entry : NO_SLOT;
    b->head.entry = old != NO_SLOT && map[levels][old] != NO_SLOT ? map[levels][old] : 0;
  } else if (rc == SQLITE_OK) {
    for (i = 0; i < b->slots && !linked[i]; i++) {
    }
    b->head.entry = i < b->slots ? (u32)i : GRAPH_NULL;
  }
  if (rc == SQLITE_OK) rc = find_root(b);
  if (rc == SQLITE_OK) rc = grow_tree(b, linked, &lost, &lost_count);
  if (rc == SQLITE_OK) rc = insert_all(b, lost, lost_count, linked_count, 1);
  for (i = 0; i < b->slots && rc == SQLITE_OK; i++) {
    int alive = 0;
    if (linked[i]) continue;
    rc = lives(b, (u32)i, &alive);
    if (alive) fresh[count++] = (u32)i;
  }
  if (rc == SQLITE_OK) rc = insert_all(b, fresh, count, linked_count, 0);
  while (opened) array_map_close(&lists[--opened]);
  for (level = 0; level <= GRAPH_MAX_LEVELS; level++) mem_free(map[level]);
  mem_free(lost);
  mem_free(linked);
  mem_free(fresh);
  return rc;
}

/* --- slots that are another row's now --- */

/* Where the records of these nodes are. */
static int find_records(Builder *b) {
  u32 level, record;
  int rc = SQLITE_OK;
  for (level = 1; level <= b->head.levels && rc == SQLITE_OK; level++) {
    Layer layer = layer_of(b, &b->head, level);
    for (record = 0; record < b->head.records[level - 1] && rc == SQLITE_OK; record++) {
      u32 slot = 0, down;
      Again *again;
      rc = graph_record(&layer, record, &slot, &down);
      if (rc || slot >= b->slots || !b->other[slot]) continue;
      again = again_of(b, slot);
      if (again->level != level - 1) return CORRUPT(b->old.page.pgno);
      again->record[level - 1] = record;
      again->level = level;
    }
  }
  return rc;
}

/* Note which of them are in the graph: a slot that had no vector here is not. */
static int find_again(Builder *b) {
  const StructureFold *f = b->f;
  u64 i, count;
  int rc = SQLITE_OK;
  if (f->reused_count == 0 || f->reused[0] >= b->head.nodes) return SQLITE_OK;
  b->other = mem_zeroed(&rc, b->slots, 1);
  b->again = mem_zeroed(&rc, f->reused_count, sizeof *b->again);
  for (i = 0; i < f->reused_count && rc == SQLITE_OK && f->reused[i] < b->head.nodes; i++) {
    b->other[f->reused[i]] = 1;
    b->again[b->again_count++].slot = f->reused[i];
  }
  if (rc == SQLITE_OK) rc = find_records(b);
  count = b->again_count;
  b->again_count = 0;
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    const Again again = b->again[i];
    const u8 *at;
    rc = array_map_get(&b->sheet[0].map, again.slot, &at);
    if (rc) break;
    if (again.level || again.slot == b->root || link_get((const u32 *)(const void *)at) != GRAPH_NULL)
      b->again[b->again_count++] = again;
    else
      b->other[again.slot] = 0;
  }
  return rc;
}

/* Link them anew. */
static int insert_reused(Builder *b) {
  const StructureFold *f = b->f;
  u64 count = 0;
  while (count < f->reused_count && f->reused[count] < b->head.nodes) count++; /* the others are new nodes */
  return insert_all(b, f->reused, count, b->head.nodes, 0);
}

/* The slots that become nodes: those of a move, else as many as the fold may do. */
static int find_end(Builder *b) {
  u64 fresh = 0;
  int rc = SQLITE_OK;
  b->to = b->slots;
  if (b->f->moved) return SQLITE_OK;
  for (b->to = b->head.nodes; b->to < b->slots && rc == SQLITE_OK; b->to++) {
    int alive = 0;
    rc = lives(b, (u32)b->to, &alive);
    if (alive && fresh++ == b->f->rows) break;
  }
  return rc;
}

/* New slots after the old ones. */
static int append_nodes(Builder *b) {
  u64 from = b->head.nodes, i, count = 0;
  u32 *fresh;
  int rc = SQLITE_OK;
  fresh = mem_array(&rc, b->to - from, sizeof *fresh);
  for (i = from; i < b->to && rc == SQLITE_OK; i++) {
    int alive = 0;
    rc = lives(b, (u32)i, &alive);
    if (alive) fresh[count++] = (u32)i;
  }
  if (rc == SQLITE_OK) rc = insert_all(b, fresh, count, from, 0);
  for (; from < b->to && rc == SQLITE_OK; from = (from / b->sheet[0].per + 1) * b->sheet[0].per)
    rc = sheet_own(&b->sheet[0], (u32)from); /* dead ones among them have empty lists */
  if (rc == SQLITE_OK && b->to > b->head.nodes) rc = sheet_own(&b->sheet[0], (u32)b->to - 1);
  b->head.nodes = MAX(b->head.nodes, b->to);
  mem_free(fresh);
  return rc;
}

/* --- codes of its own --- */

/* Vectors of live slots, evenly spread. The pointers stay valid while the map is open. */
static int take_sample(Builder *b, ArrayMap *vectors, const void **sample, u32 *count) {
  u64 i, step = MAX(b->slots / SAMPLE, 1);
  int rc = SQLITE_OK;
  *count = 0;
  for (i = 0; i < b->slots && *count < SAMPLE && rc == SQLITE_OK; i += step) {
    const u8 *v;
    int alive = 0;
    rc = lives(b, (u32)i, &alive);
    if (rc || !alive) continue;
    rc = array_map_get(vectors, i, &v);
    if (rc == SQLITE_OK) sample[(*count)++] = v;
  }
  return rc;
}

static int learn(Builder *b, Sq4 **sq4) {
  SlotColumn *col = &b->f->after->column[b->f->column];
  ArrayMap vectors;
  u32 count = 0;
  int rc = array_map_open(&vectors, &col->vectors, 0, 0);
  const void **sample = mem_array(&rc, SAMPLE, sizeof *sample);
  if (rc == SQLITE_OK) rc = take_sample(b, &vectors, sample, &count);
  if (rc == SQLITE_OK) rc = sq4_learn(col->metric, col->elem, col->dim, sample, count, sq4);
  b->head.learned_at = b->slots;
  mem_free(sample);
  array_map_close(&vectors);
  return rc;
}

/* The code of a slot's vector. */
static int encode(Builder *b, u32 slot) {
  const u8 *vector;
  PageHold hold;
  int rc = sheet_own(&b->codes, slot);
  if (rc == SQLITE_OK) rc = array_item(&b->f->after->column[b->f->column].vectors, slot, &vector, &hold);
  if (rc) return rc;
  b->kept->put(b->sq4, vector, (u8 *)sheet_item(&b->codes, slot));
  pages_release(b->f->after->pages, &hold);
  return SQLITE_OK;
}

/* What the codes of the new version are made with. If it is learned now, all of them are made anew. */
static int learn_codes(Builder *b) {
  SlotColumn *col = &b->f->after->column[b->f->column];
  const GraphHead *old = &b->old.head;
  int rc = SQLITE_OK;
  b->learned = b->old.kept != b->kept || structure_outgrown(b->to, b->slots, old->learned_at, b->head.coded);
  if (!b->learned) rc = structure_learned(&b->old.learned, old->learned_bytes, col, &b->sq4);
  if (rc == SQLITE_OK && !b->learned) rc = structure_left_range(col, b->sq4, b->to, b->head.coded, &b->learned);
  if (rc || !b->learned) return rc;
  sq4_free(b->sq4);
  b->sq4 = NULL;
  b->head.coded = 0;
  return learn(b, &b->sq4);
}

/* Codes of the nodes that there will be. */
static int make_codes(Builder *b) {
  const SlotColumn *col = &b->f->after->column[b->f->column];
  u64 from = b->f->moved ? 0 : b->old.codes.count, slot, i;
  Array fresh, *base = &b->old.codes;
  int rc;
  b->head.learned_bytes = b->kept ? sq4_size(col->dim) : 0;
  if (b->kept == NULL) return SQLITE_OK;
  b->head.coded = structure_coded(b->f, b->old.head.coded, b->to - from);
  rc = learn_codes(b);
  if (rc) return rc;
  if (b->learned) from = 0;
  if (b->old.kept != b->kept) {
    graph_codes_init(&fresh, b->f->before, b->f->column, b->kept);
    base = &fresh;
  }
  rc = sheet_open(&b->codes, base, from > 0, b->to);
  for (i = 0; i < b->f->reused_count && rc == SQLITE_OK && b->f->reused[i] < from; i++) rc = encode(b, b->f->reused[i]);
  for (slot = from; slot < b->to && rc == SQLITE_OK; slot++) {
    if (slot % POLL_SLOTS == 0 && page_tx_interrupted(b->f->tx)) return SQLITE_INTERRUPT;
    rc = encode(b, (u32)slot);
  }
  if (rc || !b->kept->finds(col)) return rc;
  space_rowless(col, b->sq4, &b->coded);
  b->coded.rows = b->codes.map; /* the same places */
  b->walk = &b->coded;
  return SQLITE_OK;
}

static int put_codes(Builder *b, u8 *refs) {
  u8 *codes_ref = refs + ARRAY_REF_SIZE, *learned_ref = refs + 2 * ARRAY_REF_SIZE;
  int rc = SQLITE_OK;
  if (b->kept == NULL || b->learned || b->f->moved) rc = array_free_pages(&b->old.codes, b->f->tx);
  if (rc == SQLITE_OK && (b->kept == NULL || b->learned)) rc = array_free_pages(&b->old.learned, b->f->tx);
  if (rc || b->kept == NULL) return rc;
  rc = sheet_write(&b->codes, b->f->tx, codes_ref);
  if (rc) return rc;
  if (!b->learned) return array_move(&b->old.learned, b->f->tx, learned_ref);
  return structure_put_learned(&b->old.learned, b->f->tx, b->sq4, b->f->after->column[b->f->column].dim, learned_ref);
}

/* --- the whole --- */

#define NORM2_MOST (FLT_MAX / 4)

/* Squared norms, for dot (G6): the largest one, and the mean, with those of the rows that the old graph did not have. */
static int measure_norms(Builder *b) {
  SlotColumn *col = &b->f->after->column[b->f->column];
  GraphHead *h = &b->head;
  DistanceScan scan = distance_scan(col->metric, col->elem);
  u32 per = col->vectors.per_extent, e;
  u64 first = b->f->moved ? 0 : b->old.head.nodes, slot;
  double sum;
  int rc = SQLITE_OK;
  if (col->metric != METRIC_DOT) return SQLITE_OK;
  if (b->f->reused_count) first = MIN(first, b->f->reused[0]);
  slot = first;
  sum = (double)h->mean_norm2 * (double)first;
  for (e = (u32)(first / per); e < col->vectors.extent_count && rc == SQLITE_OK; e++) {
    const u8 *rows;
    u32 items = 0, i;
    PageHold hold;
    rc = array_extent(&col->vectors, e, &rows, &items, &hold);
    for (i = (u32)(slot % per); i < items && rc == SQLITE_OK; i++, slot++) {
      const u8 *row = rows + (size_t)i * col->stride;
      float product, norm2 = 0; /* product: minus its square; the scan wants a place for the norm */
      scan(row, row, col->stride, 1, col->dim, &product, &norm2);
      norm2 = product > -NORM2_MOST ? MAX(-product, 0) : NORM2_MOST;
      h->max_norm2 = MAX(h->max_norm2, norm2);
      sum += (double)norm2;
    }
    pages_release(b->f->after->pages, &hold);
  }
  h->mean_norm2 = slot ? (float)(sum / (double)slot) : 0;
  return rc;
}

/* M^2 */
static float bound_of(const GraphHead *h) { return MIN(h->max_norm2, 4 * h->mean_norm2); }

static int open_builder(Builder *b, const StructureFold *f) {
  const IndexShape *index = &f->after->column[f->column].index;
  u64 records[GRAPH_MAX_LEVELS] = {0}, slot;
  int keep = f->moved == NULL, rc;
  u32 i;
  b->f = f;
  b->index = index;
  b->slots = f->after->slots;
  rc = array_load(&f->after->column[f->column].vectors);
  if (rc == SQLITE_OK)
    rc = graph_arrays_open(&b->old, f->before, f->column, f->before->column[f->column].structure_ref);
  if (rc) return rc;
  b->head = b->old.head;
  b->head.m = index->m;
  if (!keep || b->head.nodes == 0) {
    b->head.entry = GRAPH_NULL;
    b->head.levels = 0;
    b->head.nodes = 0;
    memset(b->head.records, 0, sizeof b->head.records);
  }
  b->kept = graph_codes_kept(&f->after->column[f->column], index->quantizer);
  b->walk = &b->space;
  b->width[0] = graph_link_stride(index->m) / 4;
  b->width[1] = graph_record_stride(index->m) / 8 - 1;
  rc = measure_norms(b);
  if (rc == SQLITE_OK) rc = array_map_open(&b->present, &f->after->column[f->column].present, 0, 1);
  if (rc == SQLITE_OK) rc = space_build(f->after, f->column, bound_of(&b->head), &b->space);
  if (rc == SQLITE_OK) rc = sheet_open(&b->sheet[0], &b->old.links, keep, b->slots);
  for (slot = b->head.nodes; slot < b->slots; slot++) {
    for (i = level_of(b, (u32)slot); i > 0; i--) records[i - 1]++;
  }
  for (slot = 0; slot < f->reused_count; slot++) {
    for (i = level_of(b, f->reused[slot]); i > 0; i--) records[i - 1]++;
  }
  for (i = 1; i <= GRAPH_MAX_LEVELS && rc == SQLITE_OK; i++)
    rc = sheet_open(&b->sheet[i], &b->old.upper[i - 1], keep, b->old.upper[i - 1].count + records[i - 1]);
  for (i = 0; i <= GRAPH_MAX_LEVELS; i++) b->maps.level[i] = &b->sheet[i].map;
  if (rc == SQLITE_OK) rc = workers_open(f->threads, &b->workers);
  if (rc) return rc;
  b->hands = workers_count(b->workers);
  b->picks = mem_array(&rc, (u64)BATCH * (1 + GRAPH_MAX_LEVELS) * b->width[0], sizeof *b->picks);
  if (rc == SQLITE_OK && b->hands > 1) { /* what threads read must be there */
    rc = array_map_touch_all(&b->space.rows);
    if (rc == SQLITE_OK) rc = array_map_touch_all(&b->present);
    for (i = 0; i <= GRAPH_MAX_LEVELS && rc == SQLITE_OK; i++) rc = array_map_touch_all(&b->sheet[i].map);
  }
  if (rc == SQLITE_OK) rc = find_end(b);
  return rc;
}

/* What the threads have, when it is known what they walk on. */
static int open_hands(Builder *b) {
  u32 size = b->space.methods->query_size(&b->space), i;
  int rc = b->hands > 1 && b->walk != &b->space ? array_map_touch_all(&b->walk->rows) : SQLITE_OK;
  for (i = 0; i < b->hands && rc == SQLITE_OK; i++) {
    Hand *h = &b->hand[i];
    rc = walker_open(&h->walker, b->slots, b->index->ef_construction, b->walk->methods->query_size(b->walk));
    h->self = mem_aligned(&rc, MAX(size, 64));
    h->query = mem_aligned(&rc, MAX(size, 64));
    h->sum = mem_array(&rc, b->space.dim, sizeof *h->sum);
    h->vector = mem_array(&rc, b->space.size, 1);
  }
  return rc;
}

static void close_builder(Builder *b) {
  u32 i;
  workers_close(b->workers);
  for (i = 0; i < MAX_WORKERS; i++) {
    walker_close(&b->hand[i].walker);
    choice_free(&b->hand[i].choice);
    mem_aligned_free(b->hand[i].self);
    mem_aligned_free(b->hand[i].query);
    mem_free(b->hand[i].sum);
    mem_free(b->hand[i].vector);
  }
  for (i = 0; i <= GRAPH_MAX_LEVELS; i++) sheet_close(&b->sheet[i]);
  sheet_close(&b->codes);
  sq4_free(b->sq4);
  space_close(&b->space);
  array_map_close(&b->present);
  graph_arrays_close(&b->old);
  mem_free(b->picks);
  mem_free(b->other);
  mem_free(b->again);
  mem_free(b->reached);
  mem_free(b->back);
  mem_free(b->group);
}

/* Pages of arrays that the new version has none of, or has written anew from nothing. */
static int free_old_lists(Builder *b) {
  u32 i;
  int rc = SQLITE_OK;
  if (b->f->moved == NULL) return SQLITE_OK;
  rc = array_free_pages(&b->old.links, b->f->tx);
  for (i = 0; i < GRAPH_MAX_LEVELS && rc == SQLITE_OK; i++) rc = array_free_pages(&b->old.upper[i], b->f->tx);
  return rc;
}

static int write_graph(Builder *b, PageRef *out) {
  GraphHead *h = &b->head;
  int rc = SQLITE_OK;
  u8 *page = mem_zeroed(&rc, 1, PAGE_SIZE), *body, *refs;
  u32 i;
  if (rc) return rc;
  body = page + PAGE_HEADER_SIZE;
  refs = body + STRUCTURE_REFS_AT;
  rc = sheet_write(&b->sheet[0], b->f->tx, refs);
  for (i = 0; i < GRAPH_MAX_LEVELS && rc == SQLITE_OK; i++)
    rc = sheet_write(&b->sheet[1 + i], b->f->tx, refs + (GRAPH_ARRAYS + i) * ARRAY_REF_SIZE);
  if (rc == SQLITE_OK) rc = put_codes(b, refs);
  if (rc == SQLITE_OK) rc = free_old_lists(b);
  store32(body, h->m);
  store32(body + 4, h->levels);
  store32(body + 8, h->entry);
  store32(body + 12, h->learned_bytes);
  store64(body + 16, h->nodes);
  store64(body + 24, h->learned_at);
  memcpy(body + 32, &h->max_norm2, 4);
  memcpy(body + 40, &h->mean_norm2, 4);
  store32(body + 36, h->coded);
  store32(body + 44, h->learned_bytes ? graph_codes_of(&b->f->after->column[b->f->column])->quantizer : 0);
  if (rc == SQLITE_OK) rc = page_tx_put_structure(b->f->tx, page, PAGE_GRAPH, 0, b->f->after->id, b->f->column, out);
  if (rc == SQLITE_OK && b->old.page.pgno) rc = page_tx_free(b->f->tx, b->old.page.pgno, 1);
  mem_free(page);
  return rc;
}

/* The same graph, its pages where the transaction wants them. */
static int move_pages(const StructureFold *f, PageRef *out) {
  GraphArrays g;
  int rc;
  if (f->tx->move_from == 0) return SQLITE_OK;
  rc = graph_arrays_open(&g, f->before, f->column, *out);
  if (rc == SQLITE_OK) rc = structure_move(f, PAGE_GRAPH, g.all, GRAPH_ALL_ARRAYS, out);
  graph_arrays_close(&g);
  return rc;
}

int graph_fold(const StructureFold *f, PageRef *out, u64 *nodes) {
  const SlotColumn *before = &f->before->column[f->column];
  u64 wanted = f->after->slots;
  Builder *b;
  int rc = SQLITE_OK;
  *out = before->structure_ref;
  *nodes = before->covered;
  if (f->moved == NULL && (f->rows == 0 || (before->covered == wanted && f->dead_count == 0 && f->reused_count == 0)))
    return before->structure_ref.pgno ? move_pages(f, out) : SQLITE_OK;
  if (before->structure_ref.pgno == 0 && wanted < MAX(f->after->column[f->column].index.from_rows, 1)) return SQLITE_OK;
  b = mem_zeroed(&rc, 1, sizeof *b);
  if (rc) return rc;
  rc = open_builder(b, f);
  if (rc == SQLITE_OK) rc = make_codes(b);
  if (rc == SQLITE_OK) rc = open_hands(b);
  if (rc == SQLITE_OK) rc = find_root(b);
  if (rc == SQLITE_OK && f->moved) rc = move_graph(b);
  if (rc == SQLITE_OK && !f->moved) rc = find_again(b);
  if (rc == SQLITE_OK && !f->moved && f->dead_count) rc = repair(b);
  if (rc == SQLITE_OK && !f->moved) rc = insert_reused(b);
  if (rc == SQLITE_OK && !f->moved) rc = append_nodes(b);
  if (rc == SQLITE_OK) rc = write_graph(b, out);
  *nodes = b->head.nodes;
  if (rc == SQLITE_OK) f->work->graphs++;
  close_builder(b);
  mem_free(b);
  return rc;
}
