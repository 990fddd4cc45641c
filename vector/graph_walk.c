/*
 * graph_walk.c: best-first search of one level of a graph.
 *
 * The pool is one sorted array of the ef nearest nodes so far. Step i takes the first node of it that is not expanded yet, asks for the rows of its
 * unvisited neighbours, and while these arrive from memory computes the distances of the rows asked for in step i - 1. Of long codes it asks for heads
 * (sq4.h), and for the rest of those alone that these do not tell to be far. Where a few rows are chosen, the
 * pool takes these one after another, without a walk.
 */
#include "graph.h"

#include "portable.h"

#define WALK_AHEAD (12 * CACHE_LINE) /* longer rows are streams, which the processor fetches ahead by itself */
#define AMONG_ROWS 32u
/* The lists that are asked for ahead: of what enters the pool so near the node whose turn it is, and of the node whose turn it will be. Most that enter are never expanded. */
#define LINKS_NEAR 16u
#define LINKS_AHEAD 2u

int walker_open(Walker *w, u64 nodes, u32 ef, u32 query_size) {
  int rc = SQLITE_OK;
  memset(w, 0, sizeof *w);
  w->words = w->seen_cap = MAX((nodes + 63) / 64, 1);
  w->visited = mem_zeroed(&rc, w->words, sizeof *w->visited);
  w->seen = mem_array(&rc, w->seen_cap, sizeof *w->seen);
  w->query = mem_aligned(&rc, MAX(query_size, 64));
  if (rc == SQLITE_OK) rc = mem_reserve(&w->pool, &w->pool_cap, (u64)ef + 1, sizeof *w->pool);
  if (rc) walker_close(w);
  return rc;
}

void walker_close(Walker *w) {
  mem_free(w->visited);
  mem_free(w->seen);
  mem_free(w->pool);
  mem_aligned_free(w->query);
  memset(w, 0, sizeof *w);
}

/* Note nodes whose bits were set. */
ALWAYS_INLINE void note_seen(Walker *w, const u32 *node, u32 count) {
  if (LIKELY(w->seen_count + count <= w->seen_cap)) memcpy(w->seen + w->seen_count, node, count * sizeof *node);
  w->seen_count += count;
}

int walk_begin(Walker *w, u32 ef) {
  u64 i;
  if (w->seen_count > w->seen_cap) {
    memset(w->visited, 0, (size_t)w->words * sizeof *w->visited);
  } else {
    for (i = 0; i < w->seen_count; i++) w->visited[w->seen[i] / 64] = 0;
  }
  w->seen_count = 0;
  w->count = 0;
  w->head_bytes = 0;
  w->watched = 0;
  w->ef = ef;
  return mem_reserve(&w->pool, &w->pool_cap, (u64)ef + 1, sizeof *w->pool);
}

/* How many of the first `count` keys are smaller. */
ALWAYS_INLINE u32 pool_below(const u64 *pool, u32 count, u64 key) {
  const u64 *base = pool;
  while (count > 1) {
    u32 half = count / 2;
    base += (size_t)(base[half - 1] < key) * half; /* no branch: it could not be predicted */
    count -= half;
  }
  return (u32)(base - pool) + (count == 1 && *base < key);
}

/*
 * Merge ascending keys into the pool, each stretch of it moved once; what is beyond ef falls out. Gives the first place that changed. Where the keys
 * belong is looked up for all before anything moves, so that the searches run at the same time.
 */
ALWAYS_INLINE u32 pool_merge(Walker *w, const u64 *key, u32 n) {
  u64 *pool = w->pool;
  u32 place[GRAPH_MAX_LINKS], end = w->count, i;
  for (i = 0; i < n; i++) place[i] = pool_below(pool, end, key[i]);
  w->count = MIN(end + n, w->ef);
  for (i = n; i-- > 0; end = place[i]) {
    u32 to = place[i] + i + 1;
    if (to < w->ef) memmove(pool + to, pool + place[i], (size_t)MIN(end - place[i], w->ef - to) * sizeof *pool);
    if (to <= w->ef) pool[to - 1] = key[i];
  }
  return place[0];
}

int walk_enter(Walker *w, Space *space, u32 node, u32 slot) {
  const u8 *row;
  u32 distance;
  u64 key;
  int rc = array_map_get(&space->rows, slot, &row);
  if (rc) return rc;
  w->visited[node / 64] |= (u64)1 << node % 64;
  note_seen(w, &node, 1);
  space->methods->distances(space, w->query, &row, 1, &distance);
  key = (u64)distance << 32 | (u64)node << 1;
  pool_merge(w, &key, 1);
  return SQLITE_OK;
}

typedef struct Batch {
  u32 count;
  u32 node[GRAPH_MAX_LINKS];
  const u8 *row[GRAPH_MAX_LINKS];
} Batch;

/* An item of a whole map. */
ALWAYS_INLINE int item_of(ArrayMap *map, u32 index, const u8 **out) {
  *out = array_map_item(map, index);
  return LIKELY(*out != NULL) ? SQLITE_OK : array_map_get(map, index, out);
}

/*
 * The unvisited neighbours of a node, their rows on the way from memory. What is unvisited cannot be predicted, so the choice among them is
 * made without branches.
 */
ALWAYS_INLINE int gather(Walker *w, const Layer *layer, Space *space, u32 node, const int upper, Batch *out) {
  const u8 *at;
  const u32 *links, *slots;
  const u32 width = layer->width, count = layer->count,
            bytes = MIN(w->head_bytes ? w->head_bytes : space->row_bytes, WALK_AHEAD);
  u32 slot_of_record[GRAPH_MAX_LINKS], *nodes = out->node, *slot = upper ? slot_of_record : nodes, i, n = 0;
  u64 *visited = w->visited;
  int rc = item_of(layer->links, node, &at);
  if (rc) return rc;
  links = (const u32 *)(const void *)at + (upper ? 2 : 0);
  slots = links + width;
  for (i = 0; i < width; i++) {
    u32 next = link_get(&links[i]) & ~GRAPH_TREE;
    u64 word;
    if (UNLIKELY(next >= count)) {
      if (next == GRAPH_NULL) break;
      note_seen(w, nodes, n); /* their bits are set */
      return CORRUPT(0);
    }
    nodes[n] = next;
    if (upper) slot[n] = link_get(&slots[i]);
    word = visited[next / 64];
    n += !(word >> next % 64 & 1);
    visited[next / 64] = word | (u64)1 << next % 64;
  }
  note_seen(w, nodes, n);
  for (i = 0; i < n; i++) {
    if (upper && slot[i] >= layer->slots) return CORRUPT(0);
    rc = item_of(&space->rows, slot[i], &out->row[i]);
    if (rc) return rc;
    fetch_row(out->row[i], bytes);
  }
  out->count = n;
  return SQLITE_OK;
}

/* Ask for the list of one in the pool, unless it was read. */
ALWAYS_INLINE void fetch_links(const Layer *layer, u64 key) {
  const u8 *links = key & 1 ? NULL : array_map_item(layer->links, pool_node(key));
  if (links) fetch_row(links, MIN(layer->links->stride, 2 * CACHE_LINE));
}

/*
 * Distances of a batch; what is near enough enters the pool. Gives the first place that changed, or `first` if it is before. `heads`: the rows are met on a
 * walk of the ground, so those that fill the pool say what heads of near rows are like; once it is full, heads tell far rows.
 */
ALWAYS_INLINE u32 take_in(Walker *w, const Layer *layer, Space *space, Batch *b, u32 first, const int heads) {
  u32 distance[GRAPH_MAX_LINKS], i, n = 0, at;
  u64 worst = w->count == w->ef ? w->pool[w->count - 1] : ~(u64)0, key[GRAPH_MAX_LINKS], last;
  int known = 0;
  w->compared += b->count;
  if (heads && w->head_bytes)
    b->count = space->methods->drop_far(space, w->query, (u32)(worst >> 32), b->row, b->node, b->count);
  space->methods->distances(space, w->query, b->row, b->count, distance);
  if (heads && w->head_bytes < space->head_bytes)
    known = space->methods->measure_heads(space, w->query, b->row, distance, b->count);
  for (i = 0; i < b->count; i++) {
    key[n] = (u64)distance[i] << 32 | (u64)b->node[i] << 1;
    n += key[n] < worst;
  }
  if (n == 0) return first;
  for (i = 0; i < n; i++) {
    u64 k = key[i];
    u32 to = i;
    for (; to > 0 && key[to - 1] > k; to--) key[to] = key[to - 1];
    key[to] = k;
  }
  at = pool_merge(w, key, n);
  if (at < w->watched || w->count < w->ef) w->quiet = 0;
  if (known && w->count == w->ef) w->head_bytes = space->head_bytes;
  last = w->pool[MIN(first + LINKS_NEAR, w->count - 1)];
  for (i = 0; i < n && key[i] <= last; i++) fetch_links(layer, key[i]);
  return MIN(first, at);
}

ALWAYS_INLINE int run(Walker *w, const Layer *layer, Space *space, u32 until, const int upper) {
  Batch batch[2];
  u32 next = 0, side = 0;
  int rc;
  batch[0].count = batch[1].count = 0;
  for (;;) {
    Batch *asked = &batch[side], *arrived = &batch[side ^ 1];
    asked->count = 0;
    while (next < w->count && w->pool[next] & 1) next++;
    if (next < MIN(w->count, until) && (w->watched == 0 || w->quiet <= w->patience)) {
      w->quiet++;
      if (next + LINKS_AHEAD < w->count) fetch_links(layer, w->pool[next + LINKS_AHEAD]);
      w->pool[next] |= 1;
      rc = gather(w, layer, space, pool_node(w->pool[next]), upper, asked);
      if (rc) return rc;
    } else if (arrived->count == 0) {
      return SQLITE_OK;
    }
    if (arrived->count) next = take_in(w, layer, space, arrived, next, !upper);
    side ^= 1;
  }
}

int walk_run_until(Walker *w, const Layer *layer, Space *space, u32 until) {
  return layer->upper ? run(w, layer, space, until, 1) : run(w, layer, space, until, 0);
}

int walk_run(Walker *w, const Layer *layer, Space *space) { return walk_run_until(w, layer, space, w->ef); }

/* The next rows whose bits are set, on the way from memory; `word` is what is left of word *at. */
static int gather_chosen(Space *space, const u64 *bits, u32 *at, u32 end, u32 nodes, u64 *word, Batch *out) {
  u32 n = 0;
  while (n < AMONG_ROWS) {
    u32 node;
    int rc;
    while (*word == 0 && ++*at < end) *word = bits[*at];
    if (*at >= end) break;
    node = *at * 64 + low_bit(*word);
    if (UNLIKELY(node >= nodes)) { /* in the last word */
      *at = end;
      break;
    }
    *word &= *word - 1;
    rc = item_of(&space->rows, node, &out->row[n]);
    if (rc) return rc;
    fetch_row(out->row[n], space->row_bytes);
    out->node[n++] = node;
  }
  out->count = n;
  return SQLITE_OK;
}

int walk_among(Walker *w, const Layer *ground, Space *space, const u64 *bits, u32 first, u32 end) {
  Batch batch[2];
  u64 word = first < end ? bits[first] : 0;
  u32 side = 0;
  batch[0].count = batch[1].count = 0;
  do {
    int rc = gather_chosen(space, bits, &first, end, ground->count, &word, &batch[side]);
    if (rc) return rc;
    side ^= 1;
    if (batch[side].count) take_in(w, ground, space, &batch[side], 0, 0);
  } while (batch[side ^ 1].count);
  return SQLITE_OK;
}

int walk_listed(Walker *w, const Layer *ground, Space *space, const u32 *nodes, u32 count) {
  Batch batch[2];
  u32 at = 0, side = 0, i;
  batch[0].count = batch[1].count = 0;
  do {
    Batch *asked = &batch[side];
    asked->count = MIN(count - at, AMONG_ROWS);
    for (i = 0; i < asked->count; i++) {
      int rc = nodes[at] < ground->count ? item_of(&space->rows, nodes[at], &asked->row[i]) : CORRUPT(0);
      if (rc) return rc;
      fetch_row(asked->row[i], space->row_bytes);
      asked->node[i] = nodes[at++];
    }
    side ^= 1;
    if (batch[side].count) take_in(w, ground, space, &batch[side], 0, 0);
  } while (batch[side ^ 1].count);
  return SQLITE_OK;
}

Layer graph_layer(const GraphHead *head, const LayerMaps *maps, u32 level, u64 slots) {
  Layer layer;
  layer.upper = level > 0;
  layer.links = maps->level[level];
  layer.width = level ? graph_record_stride(head->m) / 8 - 1 : graph_link_stride(head->m) / 4;
  layer.count = level ? head->records[level - 1] : (u32)head->nodes;
  layer.slots = slots;
  return layer;
}

int graph_record(const Layer *layer, u32 record, u32 *slot, u32 *down) {
  const u8 *at;
  int rc = record < layer->count ? array_map_get(layer->links, record, &at) : CORRUPT(0);
  if (rc) return rc;
  *slot = link_get((const u32 *)(const void *)at);
  *down = link_get((const u32 *)(const void *)at + 1);
  return *slot < layer->slots ? SQLITE_OK : CORRUPT(0);
}

int walk_descend(Walker *w, const GraphHead *head, const LayerMaps *maps, Space *space, u64 slots, u32 to, u32 *node,
                 u32 *slot) {
  u32 level, record = head->entry, down;
  int rc = SQLITE_OK;
  *node = *slot = head->entry;
  if (head->levels == 0) return head->entry < head->nodes ? SQLITE_OK : CORRUPT(0);
  for (level = head->levels; level > to && rc == SQLITE_OK; level--) {
    Layer layer = graph_layer(head, maps, level, slots);
    rc = walk_begin(w, 1);
    if (rc == SQLITE_OK) rc = graph_record(&layer, record, slot, &down);
    if (rc == SQLITE_OK) rc = walk_enter(w, space, record, *slot);
    if (rc == SQLITE_OK) rc = walk_run(w, &layer, space);
    if (rc == SQLITE_OK) rc = graph_record(&layer, pool_node(w->pool[0]), slot, &down);
    record = down;
  }
  if (rc) return rc;
  *node = record;
  if (to == 0) { /* the record below level 1 is the node itself */
    *slot = record;
    if (record >= head->nodes) rc = CORRUPT(0);
  } else {
    Layer layer = graph_layer(head, maps, to, slots);
    rc = graph_record(&layer, record, slot, &down);
  }
  return rc;
}
