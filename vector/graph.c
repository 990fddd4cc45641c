/*
 * graph.c: opening a graph, searching it, checking it. See graph.h; the walk itself is in graph_walk.c.
 *
 * A search goes from the top level down, then walks level 0 with a pool of ef, or more. The best live nodes of the pool are compared on full vectors (how
 * many: graph_codes.h), and the slots that the graph does not cover are scanned (G1).
 */
#include "graph.h"

#include <math.h>

#include "portable.h"

#define MAX_POOL 1e6
#define FILTERED_POWER 0.6
#define FILTERED_ROOM 1.5
/* Nodes of the pool, and times as many as are asked for: while these stay the same a walk goes on for a share of its pool (G8). */
#define WATCHED_LEAST 40.0
#define WATCHED_TIMES 4.0
#define NODE_NS                                                                                                        \
  200.0 /* about what a node of the pool takes to be walked, by 32 bytes of its code row, by the length of the pool */
#define NODE_32_BYTES_NS 25.0
#define NODE_POOL_NS 0.1
#define AMONG_NS                                                                                                       \
  2000.0 /* ... and what it takes to compare the codes of chosen nodes: of each, of 32 bytes of it, of 64 slots. Less
            would do, but of few rows the true nearest are better */
#define AMONG_ROW_NS 4.0
#define AMONG_32_BYTES_NS 1.5
#define AMONG_WORD_NS 0.25
#define AMONG_POLL_WORDS 1024u
#define AMONG_POLL_ROWS 16384u
#define FILTER_AHEAD 8u /* nodes whose values are asked for together */

struct Graph {
  GraphArrays at;
  Slots *slots;
  u32 column;
  ArrayMap links, upper[GRAPH_MAX_LEVELS];
  LayerMaps maps;
  ArrayMap vectors, present, rowids;
  const GraphCodes *codes;
  Space walk;
  Sq4 *sq4;
  Walker walker;
};

/* --- opening --- */

static ArrayId graph_array_id(u64 owner, u32 column, u32 array) {
  ArrayId id;
  id.owner = owner;
  id.tag = 0x10000 + column * 64 + array;
  return id;
}

void graph_codes_init(Array *array, Slots *slots, u32 column, const GraphCodes *codes) {
  u32 stride = codes ? graph_codes_stride(codes, &slots->column[column]) : 0;
  array_init(array, slots->pages, graph_array_id(slots->id, column, 1), stride ? stride : SQ4_BLOCK, GRAPH_CODE_PAGES);
}

static void init_arrays(GraphArrays *g, Slots *slots, u32 column) {
  u32 i;
  array_init(&g->links, slots->pages, graph_array_id(slots->id, column, 0), graph_link_stride(g->head.m), 1);
  graph_codes_init(&g->codes, slots, column, NULL);
  array_init(&g->learned, slots->pages, graph_array_id(slots->id, column, 2), 64, 16);
  for (i = 0; i < GRAPH_MAX_LEVELS; i++) {
    array_init(&g->upper[i], slots->pages, graph_array_id(slots->id, column, GRAPH_ARRAYS + i),
               graph_record_stride(g->head.m), 1);
  }
}

static int open_page(GraphArrays *g, Slots *slots, u32 column, const u8 *body) {
  const SlotColumn *col = &slots->column[column];
  GraphHead *h = &g->head;
  u64 below;
  u32 i, quantizer = load32(body + 44);
  int rc;
  if (load32(body) != h->m) return CORRUPT(g->page.pgno);
  h->levels = load32(body + 4);
  h->entry = load32(body + 8);
  h->learned_bytes = load32(body + 12);
  h->nodes = load64(body + 16);
  h->learned_at = load64(body + 24);
  h->coded = load32(body + 36);
  memcpy(&h->max_norm2, body + 32, 4);
  memcpy(&h->mean_norm2, body + 40, 4);
  if (h->levels > GRAPH_MAX_LEVELS || h->nodes != col->covered || h->nodes >= GRAPH_NULL || !(h->max_norm2 >= 0) ||
      !(h->mean_norm2 >= 0) || (h->learned_bytes && h->learned_bytes != sq4_size(col->dim)) ||
      (h->learned_bytes == 0 && quantizer)) {
    return CORRUPT(g->page.pgno);
  }
  if (h->learned_bytes) {
    g->kept = graph_codes_kept(col, quantizer ? quantizer : QUANTIZER_INT4);
    if (g->kept == NULL) return CORRUPT(g->page.pgno);
    graph_codes_init(&g->codes, slots, column, g->kept);
  }
  rc = structure_open(g->all, GRAPH_ALL_ARRAYS, body + STRUCTURE_REFS_AT);
  if (rc) return rc;
  if (g->links.count != h->nodes || g->codes.count != (h->learned_bytes ? h->nodes : 0) ||
      g->learned.count != (h->learned_bytes + 63) / 64) {
    return CORRUPT(g->page.pgno);
  }
  for (i = 0, below = h->nodes; i < GRAPH_MAX_LEVELS; below = g->upper[i++].count) {
    if (i < h->levels ? g->upper[i].count == 0 || g->upper[i].count > below : g->upper[i].count != 0)
      return CORRUPT(g->page.pgno);
    h->records[i] = (u32)g->upper[i].count;
  }
  if (h->levels == 0 && h->entry == GRAPH_NULL) return SQLITE_OK;
  return h->entry < (h->levels ? h->records[h->levels - 1] : h->nodes) ? SQLITE_OK : CORRUPT(g->page.pgno);
}

int graph_arrays_open(GraphArrays *g, Slots *slots, u32 column, PageRef ref) {
  const u8 *page;
  PageHold hold;
  int rc;
  memset(g, 0, sizeof *g);
  g->head.m = slots->column[column].index.m;
  g->page = ref;
  if (g->head.m == 0 || g->head.m > GRAPH_MAX_M)
    return CORRUPT(ref.pgno); /* the registry's options are not the graph's */
  init_arrays(g, slots, column);
  if (ref.pgno == 0) return SQLITE_OK;
  rc = pages_get_structure(slots->pages, ref, PAGE_GRAPH, slots->id, column, &page, &hold);
  if (rc) return rc;
  rc = open_page(g, slots, column, page + PAGE_HEADER_SIZE);
  pages_release(slots->pages, &hold);
  return rc;
}

void graph_arrays_close(GraphArrays *g) { structure_close(g->all, GRAPH_ALL_ARRAYS); }

static int open_walk_space(Graph *g) {
  const SlotColumn *col = &g->slots->column[g->column];
  int rc = structure_learned(&g->at.learned, g->at.head.learned_bytes, col, &g->sq4);
  if (rc) return rc;
  g->codes = g->at.kept ? g->at.kept : graph_codes_unkept(col);
  return g->codes->open(g->slots, g->column, &g->at.codes, g->sq4, &g->walk);
}

static int open_maps(Graph *g) {
  SlotColumn *col = &g->slots->column[g->column];
  u32 i;
  int rc = array_map_open(&g->links, &g->at.links, 0, 1);
  g->maps.level[0] = &g->links;
  for (i = 0; i < GRAPH_MAX_LEVELS; i++) g->maps.level[1 + i] = &g->upper[i];
  for (i = 0; i < g->at.head.levels && rc == SQLITE_OK; i++) rc = array_map_open(&g->upper[i], &g->at.upper[i], 0, 1);
  if (rc == SQLITE_OK) rc = array_map_open(&g->vectors, &col->vectors, 0, 0);
  if (rc == SQLITE_OK) rc = array_map_open(&g->present, &col->present, 0, 1);
  if (rc == SQLITE_OK) rc = array_map_open(&g->rowids, &g->slots->rowids, 0, 0);
  return rc;
}

static void graph_close(void *opened) {
  Graph *g = opened;
  u32 i;
  if (g == NULL) return;
  walker_close(&g->walker);
  space_close(&g->walk);
  sq4_free(g->sq4);
  array_map_close(&g->links);
  for (i = 0; i < GRAPH_MAX_LEVELS; i++) array_map_close(&g->upper[i]);
  array_map_close(&g->vectors);
  array_map_close(&g->present);
  array_map_close(&g->rowids);
  graph_arrays_close(&g->at);
  mem_free(g);
}

int graph_of(Slots *slots, u32 column, Graph **out) {
  SlotColumn *col = &slots->column[column];
  int rc = SQLITE_OK;
  Graph *g = col->opened;
  *out = g;
  if (g || col->structure_ref.pgno == 0) return SQLITE_OK;
  g = mem_zeroed(&rc, 1, sizeof *g);
  if (rc) return rc;
  g->slots = slots;
  g->column = column;
  rc = graph_arrays_open(&g->at, slots, column, col->structure_ref);
  if (rc == SQLITE_OK) rc = open_maps(g);
  if (rc == SQLITE_OK) rc = open_walk_space(g);
  if (rc == SQLITE_OK)
    rc = walker_open(&g->walker, g->at.head.nodes, col->index.ef_search, g->walk.methods->query_size(&g->walk));
  if (rc) {
    graph_close(g);
    return rc;
  }
  *out = col->opened = g;
  return SQLITE_OK;
}

/* --- searching --- */

/* Whether a slot may be given. */
static int is_wanted(Graph *g, const IndexPass *p, u32 slot, int *wanted) {
  const u8 *word;
  int rc;
  *wanted = 0;
  if (p->allowed && !(p->allowed[slot / 64] >> slot % 64 & 1)) return SQLITE_OK;
  rc = array_map_get(&g->present, slot / 64, &word);
  if (rc) return rc;
  *wanted =
      (int)(load64(word) >> slot % 64 & 1) && !(p->overlay->kills.count && overlay_killed(p->overlay, p->length, slot));
  if (p->allowed || p->filter == NULL || !*wanted) return SQLITE_OK;
  return filter_passes_slot(&p->slots->fields, p->filter, p->overlay, p->length, slot, wanted);
}

/* The nodes of the pool, for hnsw_compare. */
static int queue_found(const Walker *w, SlotQueue *found) {
  u32 i;
  int rc = mem_reserve(&found->slot, &found->cap, w->count, sizeof *found->slot);
  found->at = found->count = found->compared = 0;
  if (rc) return rc;
  for (i = 0; i < w->count; i++) found->slot[i] = pool_node(w->pool[i]);
  found->count = w->count;
  return SQLITE_OK;
}

/*
 * The next live nodes that were found, their vectors and rowids on the way from memory: *count of them, in the queue from where it stood, in places that it is
 * through with.
 */
static int choose(Graph *g, const IndexPass *p, u64 most, u64 *count) {
  SlotQueue *found = p->found;
  u64 first = found->at;
  int rc = SQLITE_OK;
  *count = 0;
  for (; found->at < found->count && *count < most && rc == SQLITE_OK; found->at++) {
    u32 slot = found->slot[found->at];
    const u8 *vector, *rowid;
    int wanted = 0;
    rc = is_wanted(g, p, slot, &wanted);
    if (rc || !wanted) continue;
    rc = array_map_get(&g->vectors, slot, &vector);
    if (rc == SQLITE_OK) rc = array_map_get(&g->rowids, slot, &rowid);
    if (rc) break;
    fetch_row(vector, g->vectors.stride);
    PREFETCH(rowid);
    found->slot[first + (*count)++] = slot;
  }
  return rc;
}

/* Compare on full vectors. */
static int compare_found(Graph *g, IndexPass *p, Pool *pool, u64 most) {
  const SlotColumn *col = &g->slots->column[g->column];
  u64 first = p->found->at, count, i;
  int rc = choose(g, p, most, &count);
  p->compared += count;
  p->found->compared += count;
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    const u32 slot = p->found->slot[first + i];
    const u8 *vector, *rowid;
    double value;
    rc = array_map_get(&g->vectors, slot, &vector);
    if (rc == SQLITE_OK) rc = array_map_get(&g->rowids, slot, &rowid);
    if (rc) return rc;
    value = scan_value(col->metric, col->elem, col->dim, p->query, vector, NAN);
    pool_offer(pool, value, (i64)load64(rowid), slot | POOL_EXACT);
  }
  return rc;
}

static int hnsw_compare(IndexPass *p, Pool *pool, u64 most) {
  Graph *g;
  int rc = graph_of(p->slots, p->column, &g);
  return rc || g == NULL ? rc : compare_found(g, p, pool, most);
}

static u32 ef_of(const IndexPass *p) {
  return (u32)MAX(MIN((u64)MAX(p->ef, PASS_ROWS) * p->growth, MAX_CANDIDATES + 1),
                  MIN(MAX(p->want, PASS_ROWS), MAX_CANDIDATES + 1));
}

static int hnsw_room(const IndexPass *p, u64 *out) {
  const SlotColumn *col = &p->slots->column[p->column];
  u32 ef = ef_of(p), kept = (u32)graph_codes_walked(graph_codes_of(col), col, ef, 0);
  *out = ef > MAX_CANDIDATES || kept >= p->slots->slots / EXACT_SHARE
             ? 0
             : MAX(ef / 2, COMPARED_TIMES * MAX(p->want, PASS_ROWS));
  return SQLITE_OK;
}

/*
 * How many nodes a walk keeps: as many as its codes want (graph_codes.h), and more as the pool holds nodes that are not given. Room for dead nodes is at most
 * doubled; where a share s of the nodes may be given, s^-0.6 times as many, and 1.5/s of those that are asked for: measured, so that recall is that of a walk
 * without a filter.
 */
static double walk_size(const IndexPass *p, const GraphCodes *codes) {
  double slots = (double)p->slots->slots,
         live = (double)(p->slots->live - MIN(p->slots->live, p->overlay->kills.count));
  return graph_codes_walked(codes, &p->slots->column[p->column], ef_of(p), p->likely) * MIN(slots / MAX(live, 1), 2);
}

static double filtered_size(const IndexPass *p, double size, double share) {
  return MIN(MAX(size * pow(share, -FILTERED_POWER), FILTERED_ROOM * (double)p->want / share), MAX_POOL);
}

/* Of rows spread evenly. */
static double share_chosen(const IndexPass *p) {
  return MIN((double)MAX(p->chosen, 1) / (double)MAX(p->slots->live, 1), 1);
}

static int is_restricted(const IndexPass *p) { return p->allowed || p->filter || p->only; }

/* The bits of the slots that pass, where they are not known yet. */
static int need_allowed(IndexPass *p) {
  return p->allowed == NULL && is_restricted(p) ? p->find_allowed(p->find_arg, p) : SQLITE_OK;
}

/* What it costs to walk until `size` nodes are kept and expanded; to compare the codes of the chosen ones one after another. */
static double walk_cost(const IndexPass *p, const GraphCodes *codes, double size) {
  return size *
         (NODE_NS + NODE_32_BYTES_NS / 32 * codes->cost_bytes(&p->slots->column[p->column]) + NODE_POOL_NS * size);
}

static double among_cost(const IndexPass *p, const GraphCodes *codes) {
  const SlotColumn *col = &p->slots->column[p->column];
  double find = p->allowed || p->only ? 0 : filter_cost(&p->slots->fields, p->filter, p->slots->slots);
  u32 bytes = codes->quantizer ? graph_codes_stride(codes, col) : codes->cost_bytes(col);
  if (p->only == NULL) find += (double)p->slots->slots / 64 * AMONG_WORD_NS;
  return AMONG_NS + find + (double)p->chosen * (AMONG_ROW_NS + AMONG_32_BYTES_NS / 32 * bytes);
}

static double hnsw_cost(const IndexPass *p) {
  const GraphCodes *codes = graph_codes_of(&p->slots->column[p->column]);
  double size = walk_size(p, codes);
  if (!is_restricted(p)) return walk_cost(p, codes, size);
  return MIN(walk_cost(p, codes, filtered_size(p, size, share_chosen(p))), among_cost(p, codes));
}

/* How many of the nearest `count` of the pool may be given. */
static int count_wanted(Graph *g, const IndexPass *p, u32 count, u32 *out) {
  const Walker *w = &g->walker;
  u32 i;
  int rc = SQLITE_OK;
  *out = 0;
  for (i = 0; i < MIN(count, w->count) && rc == SQLITE_OK; i++) {
    int wanted = 0;
    if (p->allowed == NULL && i + FILTER_AHEAD < w->count)
      filter_fetch_slot(&p->slots->fields, p->filter, pool_node(w->pool[i + FILTER_AHEAD]));
    rc = is_wanted(g, p, pool_node(w->pool[i]), &wanted);
    *out += (u32)wanted;
  }
  return rc;
}

/* Compare the codes of all chosen nodes, by bits or in a list; the pool has the nearest then. */
static int walk_chosen(Graph *g, IndexPass *p, const Layer *ground, u64 most) {
  u32 end, first, next, step = p->only ? AMONG_POLL_ROWS : AMONG_POLL_WORDS;
  int rc = p->only ? SQLITE_OK : need_allowed(p);
  if (rc == SQLITE_OK)
    rc = walk_begin(&g->walker, (u32)MIN((p->overlay->kills.count ? 2.0 : 1.0) * (double)most, MAX_POOL));
  p->by_codes = 1;
  end = (u32)(p->only ? slots_below(p->only, p->chosen, ground->count) : ((u64)ground->count + 63) / 64);
  for (first = 0; first < end && rc == SQLITE_OK; first = next) {
    next = (u32)MIN((u64)first + step, end);
    rc = p->only ? walk_listed(&g->walker, ground, &g->walk, p->only + first, next - first)
                 : walk_among(&g->walker, ground, &g->walk, p->allowed, first, next);
    if (rc == SQLITE_OK && p->interrupted && p->interrupted(p->interrupt_arg)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

/* Begin a walk of level 0 that keeps `size` nodes, near the query. */
static int enter_ground(Graph *g, double size) {
  const GraphHead *h = &g->at.head;
  u32 node, slot;
  int rc = walk_descend(&g->walker, h, &g->maps, &g->walk, h->nodes, 0, &node, &slot);
  if (rc == SQLITE_OK) rc = walk_begin(&g->walker, (u32)MIN(size, MAX_POOL));
  return rc ? rc : walk_enter(&g->walker, &g->walk, node, slot);
}

/* Have a walk to the first `until` nodes of its pool end early (G8); a share of what it meets may be given. */
static void watch(Walker *w, const IndexPass *p, double share, double until) {
  double watched = MAX(WATCHED_LEAST, WATCHED_TIMES * (double)p->want) / share;
  walk_watch(w, watched < until ? (u32)watched : 0, (u32)until / PATIENCE_SHARE);
}

/*
 * Walk where not all may be given: to as many nodes as filtered_size() says of rows spread evenly. Rows that lie together are met all at once or late, so
 * what was met says when less is enough, and when more is needed. Where the way would be longer than to compare all chosen rows, these are compared.
 */
static int walk_filtered(Graph *g, IndexPass *p, const Layer *ground, u64 most) {
  const double least = walk_size(p, g->codes), share = share_chosen(p), even = filtered_size(p, least, share),
               among = among_cost(p, g->codes);
  double room = 0, until = least, size, spent;
  int rc = p->filter ? SQLITE_OK : need_allowed(p);
  while (rc == SQLITE_OK) {
    u32 wanted = 0;
    if (until > room) { /* anew: what the pool had no room for is lost */
      room = MAX(until, even);
      rc = enter_ground(g, room);
    }
    watch(&g->walker, p, share, until);
    if (rc == SQLITE_OK) rc = walk_run_until(&g->walker, ground, &g->walk, (u32)until);
    if (rc == SQLITE_OK) rc = count_wanted(g, p, (u32)until, &wanted);
    if (rc || g->walker.count < (u32)until || until >= MAX_POOL) return rc;
    if (until < even && filtered_size(p, least, MAX(wanted - sqrt(wanted), 0.5) / until) <= until) return SQLITE_OK;
    size = filtered_size(p, least, MAX(wanted, 0.5) / until);
    if (until >= even && size <= 1.5 * until) return SQLITE_OK;
    spent = size > room ? 0 : walk_cost(p, g->codes, until);
    if (walk_cost(p, g->codes, size) - spent > among) return walk_chosen(g, p, ground, most);
    until = until < even && size < 2 * even ? even : size;
  }
  return rc;
}

static int walk_graph(Graph *g, IndexPass *p, Pool *pool) {
  Walker *w = &g->walker;
  const GraphHead *h = &g->at.head;
  const SlotColumn *col = &g->slots->column[g->column];
  u64 most = MAX((u64)graph_codes_compared(g->codes, col, ef_of(p), p->want), p->want * p->oversample / 100);
  Layer ground = graph_layer(h, &g->maps, 0, h->nodes);
  int rc;
  g->walk.methods->from_vector(&g->walk, p->query, w->query);
  if (!is_restricted(p)) {
    rc = enter_ground(g, walk_size(p, g->codes));
    watch(w, p, 1, w->ef);
    if (rc == SQLITE_OK) rc = walk_run(w, &ground, &g->walk);
  } else if (hnsw_cost(p) < among_cost(p, g->codes)) {
    rc = walk_filtered(g, p, &ground, most);
  } else {
    rc = walk_chosen(g, p, &ground, most);
  }
  if (rc == SQLITE_OK) rc = queue_found(w, p->found);
  p->compared += w->compared;
  w->compared = 0;
  return rc ? rc : compare_found(g, p, pool, most);
}

static int hnsw_search(IndexPass *p, Pool *pool) {
  Graph *g;
  u64 nodes = 0;
  int rc = graph_of(p->slots, p->column, &g);
  if (rc || p->slots->slots == 0 || p->overlay->all_dead_at < p->length) return rc;
  if (g) {
    nodes = g->at.head.nodes;
    if (g->at.head.entry != GRAPH_NULL) rc = walk_graph(g, p, pool);
  }
  if (rc == SQLITE_OK && nodes < p->slots->slots && p->only == NULL) rc = need_allowed(p);
  return rc ? rc : flat_search_from(p, pool, nodes);
}

static int hnsw_ready(const Slots *slots, u32 column) { return slots->column[column].covered > 0; }

const IndexMethods hnsw_index = {"hnsw", hnsw_ready, 0, 1, 1, NULL, hnsw_room, hnsw_cost, hnsw_search, hnsw_compare};

/* --- checking --- */

static int graph_pages(Slots *slots, u32 column, PageVisit visit, void *arg) {
  GraphArrays g;
  PageRef ref = slots->column[column].structure_ref;
  int rc = graph_arrays_open(&g, slots, column, ref);
  if (rc == SQLITE_OK) rc = structure_walk(g.all, GRAPH_ALL_ARRAYS, ref, visit, arg);
  graph_arrays_close(&g);
  return rc;
}

/* One list of links: in range, none after the first unused, none to itself, none twice. */
static int list_is_sound(const u32 *links, u32 width, u32 self, u32 count) {
  u32 i, k, used = 0;
  while (used < width && link_get(&links[used]) != GRAPH_NULL) used++;
  for (i = used; i < width; i++) {
    if (link_get(&links[i]) != GRAPH_NULL) return 0;
  }
  for (i = 0; i < used; i++) {
    u32 node = link_get(&links[i]) & ~GRAPH_TREE;
    if (node >= count || node == self) return 0;
    for (k = 0; k < i; k++) {
      if ((link_get(&links[k]) & ~GRAPH_TREE) == node) return 0;
    }
  }
  return 1;
}

typedef struct GraphCheck {
  Graph *g;
  char **problem;
  u8 *reached;
  u32 *queue;
} GraphCheck;

static int say(GraphCheck *c, const char *format, u32 a, u32 b) {
  if (*c->problem) return SQLITE_OK;
  *c->problem = sqlite3_mprintf(format, a, b);
  return *c->problem ? SQLITE_OK : SQLITE_NOMEM;
}

static int check_records(GraphCheck *c, u32 level) {
  Graph *g = c->g;
  Layer layer = graph_layer(&g->at.head, &g->maps, level, g->at.head.nodes);
  Layer below = graph_layer(&g->at.head, &g->maps, level - 1, g->at.head.nodes);
  u32 i, k, slot, down, other = 0, ignored;
  int rc = SQLITE_OK;
  for (i = 0; i < layer.count && rc == SQLITE_OK; i++) {
    const u8 *at;
    const u32 *links;
    rc = graph_record(&layer, i, &slot, &down);
    if (rc == SQLITE_OK) rc = array_map_get(layer.links, i, &at);
    if (rc) break;
    links = (const u32 *)(const void *)at + 2;
    if (level == 1) {
      other = down;
    } else {
      rc = graph_record(&below, down, &other, &ignored);
    }
    if (rc == SQLITE_OK && other != slot) rc = say(c, "graph level %u: record %u has another node below", level, i);
    if (rc == SQLITE_OK && !list_is_sound(links, layer.width, i, layer.count))
      return say(c, "graph level %u: the links of record %u are wrong", level, i);
    for (k = 0; k < layer.width && rc == SQLITE_OK && link_get(&links[k]) != GRAPH_NULL; k++) {
      rc = graph_record(&layer, link_get(&links[k]), &other, &ignored);
      if (rc == SQLITE_OK && other != link_get(&links[layer.width + k]))
        rc = say(c, "graph level %u: a link of record %u names another node", level, i);
    }
  }
  return rc;
}

/* Level 0, breadth first along the tree: every node with links is reached. */
static int check_ground(GraphCheck *c) {
  Graph *g = c->g;
  const GraphHead *h = &g->at.head;
  Layer ground = graph_layer(h, &g->maps, 0, h->nodes);
  u32 node = h->entry, slot, head = 0, tail = 0, i, k, level;
  int rc = SQLITE_OK;
  for (level = h->levels; level > 0 && rc == SQLITE_OK; level--) {
    Layer layer = graph_layer(h, &g->maps, level, h->nodes);
    rc = graph_record(&layer, node, &slot, &node);
  }
  if (rc) return rc;
  if (node != GRAPH_NULL) {
    if (node >= h->nodes) return CORRUPT(g->at.page.pgno);
    c->reached[node] = 1;
    c->queue[tail++] = node;
  }
  while (head < tail && rc == SQLITE_OK) {
    const u8 *at;
    const u32 *links;
    node = c->queue[head++];
    rc = array_map_get(&g->links, node, &at);
    if (rc) return rc;
    links = (const u32 *)(const void *)at;
    if (!list_is_sound(links, ground.width, node, ground.count))
      return say(c, "graph: the links of slot %u are wrong", node, 0);
    for (k = 0; k < ground.width && link_get(&links[k]) != GRAPH_NULL; k++) {
      u32 next = link_get(&links[k]);
      if (!(next & GRAPH_TREE)) continue;
      next &= ~GRAPH_TREE;
      if (c->reached[next]) continue; /* a former entry node */
      c->reached[next] = 1;
      c->queue[tail++] = next;
    }
  }
  for (i = 0; i < h->nodes && rc == SQLITE_OK; i++) {
    const u8 *at;
    int present = 0;
    rc = slots_present(g->slots, g->column, i, &present);
    if (rc == SQLITE_OK && present && !c->reached[i]) rc = say(c, "graph: slot %u cannot be reached", i, 0);
    if (rc == SQLITE_OK) rc = array_map_get(&g->links, i, &at);
    if (rc == SQLITE_OK && !c->reached[i] && link_get((const u32 *)(const void *)at) != GRAPH_NULL)
      rc = say(c, "graph: slot %u has links and cannot be reached", i, 0);
  }
  return rc;
}

static int say_code(GraphCheck *c, u32 slot) {
  if (*c->problem) return SQLITE_OK;
  *c->problem = sqlite3_mprintf("graph: the %s of slot %u differs from its vector", c->g->codes->what, slot);
  return *c->problem ? SQLITE_OK : SQLITE_NOMEM;
}

static int check_codes(GraphCheck *c) {
  Graph *g = c->g;
  u8 *code;
  u64 i;
  int rc = SQLITE_OK;
  if (g->at.kept == NULL) return SQLITE_OK;
  code = mem_array(&rc, g->at.codes.stride, 1);
  for (i = 0; i < g->at.codes.count && rc == SQLITE_OK; i++) {
    const u8 *vector, *stored;
    int present = 0;
    rc = slots_present(g->slots, g->column, i, &present);
    if (rc || !present) continue;
    rc = array_map_get(&g->vectors, i, &vector);
    if (rc == SQLITE_OK) rc = array_map_get(&g->walk.rows, i, &stored);
    if (rc) break;
    g->codes->put(g->sq4, vector, code);
    if (memcmp(code, stored, g->at.codes.stride)) rc = say_code(c, (u32)i);
  }
  mem_free(code);
  return rc;
}

/* Links, levels, reachability, codes. */
static int graph_check(Slots *slots, u32 column, char **problem) {
  GraphCheck c;
  Graph *g;
  u32 level;
  int rc = graph_of(slots, column, &g);
  if (rc || g == NULL || g->at.head.nodes == 0) return rc;
  memset(&c, 0, sizeof c);
  c.g = g;
  c.problem = problem;
  c.reached = mem_zeroed(&rc, g->at.head.nodes, 1);
  c.queue = mem_array(&rc, g->at.head.nodes, sizeof *c.queue);
  for (level = 1; level <= g->at.head.levels && rc == SQLITE_OK; level++) rc = check_records(&c, level);
  if (rc == SQLITE_OK) rc = check_ground(&c);
  if (rc == SQLITE_OK) rc = check_codes(&c);
  mem_free(c.reached);
  mem_free(c.queue);
  return rc;
}

static u32 graph_row_bytes(const SlotColumn *col) {
  return graph_link_stride(col->index.m) + graph_codes_stride(graph_codes_of(col), col);
}

static void graph_count(Slots *slots, u32 column, TableCounts *counts) {
  counts->graph_nodes = MAX(counts->graph_nodes, slots->column[column].covered);
}

const StructureMethods graph_structure = {PAGE_GRAPH,  GRAPH_ALL_ARRAYS, graph_array_id, graph_row_bytes, graph_fold,
                                          graph_pages, graph_check,      graph_count,    graph_close,     1};
