/*
 * ivf.c: opening lists, searching them, checking them. See ivf.h.
 *
 * A search compares the query with all centroids, by 8-bit codes of theirs that are made when the lists are opened, then scans lists from the nearest on: nprobe of them, and more until there are as many rows as
 * are asked for. What is found is compared on full vectors (Collector): at the end the best by code, `keep` of them; or, where codes give bounds, after each
 * list all whose bound is below the value of the keep-th best so far. Slots that are in no list are scanned (I1).
 */
#include "ivf.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "portable.h"

#define CENTROID_PAGES 16u
#define MIN_RERANK 40u
#define VISITED_SHARE 32u /* of the lists, where that is more than nprobe */
#define RERANK_SHARE 2u   /* and one more candidate for so many lists visited */
#define FOUND_ROOM 4u     /* times the candidates kept: so many are gathered before the best are chosen; */
#define BOUND_ROOM 512u   /* by bounds as many more; */
#define BOUND_WAITING 96u /* so many wait for the limit to fall, */
#define BOUND_SOME 16u    /* which it does after each so many that are compared */
#define FETCH_AHEAD 8u
#define CENTROIDS_AT_ONCE 256u
#define FILTERED_POWER 0.5
#define POLL_ROWS 65536u
#define BLOCKS_AHEAD 2u         /* are fetched before they are scanned: */
#define MAX_BLOCK_FETCHED 8192u /* bytes of a block */
#define ROW_NS 1.0              /* about what a row of a list takes, and 32 bytes of it, */
#define ROW_32_BYTES_NS 0.7
#define CENTROID_32_BYTES_NS 0.7 /* 32 bytes of a centroid, */
#define RERANK_NS 60.0           /* and a row that is compared in full */

/* What becomes of rows that are found. */
typedef struct Ivf Ivf;
typedef struct Collector {
  u64 (*room)(u64 keep);               /* of `found` */
  int (*full)(Ivf *v, IndexPass *p);   /* make room */
  int (*listed)(Ivf *v, IndexPass *p); /* a list was scanned */
  int (*end)(Ivf *v, IndexPass *p);
  void (*offered)(Ivf *v); /* a row was compared */
} Collector;

/* Rows of a block that may be near, and their values. */
typedef struct Hits {
  const u8 *block;
  u32 count;
  u16 *row;
  u32 *value;
} Hits;

struct Ivf {
  IvfArrays at;
  Slots *slots;
  u32 column;
  ArrayMap centroids, blocks, vectors, present, rowids;
  IvfDirectory directory;
  ListCodes codes;
  DistanceScan near; /* of a point to centroids; */
  Space quick;       /* to code rows of theirs, which are a quarter of the bytes */
  u8 *centroid_code; /* by list; NULL: too few dimensions */
  void *quick_query;
  Hits hits[2]; /* of the block that is scanned, and of the one before */
  u32 scanned;  /* which one is of the block that is */
  /* of one search */
  float *point, *value;
  u64 *order; /* distance << 32 | list */
  const Collector *collector;
  Pool *pool;
  u64 *found; /* value by code << 32 | slot */
  u64 found_cap, count, room;
  u64 keep;  /* how many are compared on full vectors at least, if there are as many */
  u64 met;   /* rows that were found so far */
  u32 worst; /* a value from which on rows are no candidates */
};

static const Collector by_rank, by_bound;

/* --- opening --- */

static ArrayId ivf_array_id(u64 owner, u32 column, u32 array) {
  ArrayId id;
  id.owner = owner;
  id.tag = 0x20000 + column * IVF_ARRAYS + array;
  return id;
}

static u32 padded_slots(u32 rows) { return (rows * 4 + 63) / 64 * 64; }

static void init_arrays(IvfArrays *v, Slots *slots, u32 column) {
  const SlotColumn *col = &slots->column[column];
  const ListCodesMethods *codes = list_codes_of(col);
  u32 size, pages;
  v->row_bytes = codes->row_bytes(col);
  pages = MIN((codes->block_rows * (v->row_bytes + 4) + PAGE_SIZE - 1) / PAGE_SIZE, EXTENT_MAX_PAGES);
  size = pages * PAGE_SIZE;
  v->room = size / (v->row_bytes + 4) / codes->group * codes->group;
  while (padded_slots(v->room) + v->room * v->row_bytes > size) v->room -= codes->group;
  v->rows_at = padded_slots(v->room);
  array_init(&v->centroids, slots->pages, ivf_array_id(slots->id, column, 0), ivf_centroid_stride(col->dim),
             CENTROID_PAGES);
  array_init(&v->directory, slots->pages, ivf_array_id(slots->id, column, 1), IVF_DIRECTORY_STRIDE, 1);
  array_init(&v->blocks, slots->pages, ivf_array_id(slots->id, column, 2), size, pages);
  array_init(&v->learned, slots->pages, ivf_array_id(slots->id, column, 3), 64, 16);
}

static int open_page(IvfArrays *v, Slots *slots, u32 column, const u8 *body) {
  const SlotColumn *col = &slots->column[column];
  IvfHead *h = &v->head;
  u32 learned = list_codes_of(col)->learned_bytes(col);
  int rc;
  h->lists = load32(body);
  h->learned_bytes = load32(body + 4);
  h->covered = load64(body + 16);
  h->learned_at = load64(body + 24);
  h->coded = load32(body + 40);
  h->trained_at = load64(body + 32);
  if (h->lists > IVF_MAX_LISTS || h->covered != col->covered || load32(body + 8) != v->row_bytes ||
      h->learned_bytes != (h->lists ? learned : 0))
    return CORRUPT(v->page.pgno);
  rc = structure_open(v->all, IVF_ARRAYS, body + STRUCTURE_REFS_AT);
  if (rc) return rc;
  if (v->centroids.count != h->lists || v->directory.count != v->blocks.count ||
      v->learned.count != (h->learned_bytes + 63) / 64 || (h->lists == 0 && v->blocks.count))
    return CORRUPT(v->page.pgno);
  return SQLITE_OK;
}

int ivf_arrays_open(IvfArrays *v, Slots *slots, u32 column, PageRef ref) {
  const u8 *page;
  PageHold hold;
  int rc;
  memset(v, 0, sizeof *v);
  v->page = ref;
  init_arrays(v, slots, column);
  if (ref.pgno == 0) return SQLITE_OK;
  rc = pages_get_structure(slots->pages, ref, PAGE_IVF, slots->id, column, &page, &hold);
  if (rc) return rc;
  rc = open_page(v, slots, column, page + PAGE_HEADER_SIZE);
  pages_release(slots->pages, &hold);
  return rc;
}

void ivf_arrays_close(IvfArrays *v) { structure_close(v->all, IVF_ARRAYS); }

void ivf_directory_free(IvfDirectory *d) {
  mem_free(d->list);
  mem_free(d->rows);
  mem_free(d->start);
  mem_free(d->block);
  memset(d, 0, sizeof *d);
}

/* The directory as it is on pages; nothing but list numbers and sizes. */
static int read_directory(IvfArrays *v, IvfDirectory *d) {
  u32 e, i, n = 0;
  int rc = array_load(&v->directory);
  for (e = 0; e < v->directory.extent_count && rc == SQLITE_OK; e++) {
    const u8 *items;
    PageHold hold;
    u32 count = 0;
    rc = array_extent(&v->directory, e, &items, &count, &hold);
    for (i = 0; i < count && rc == SQLITE_OK; i++, n++) {
      d->list[n] = load32(items + 8 * i);
      d->rows[n] = load32(items + 8 * i + 4);
      if (d->list[n] == IVF_FREE ? d->rows[n] != 0
                                 : d->list[n] >= v->head.lists || d->rows[n] == 0 || d->rows[n] > v->room)
        rc = CORRUPT(v->page.pgno);
    }
    pages_release(v->directory.pages, &hold);
  }
  return rc;
}

int ivf_directory_load(IvfArrays *v, IvfDirectory *d) {
  u32 lists = v->head.lists, i;
  int rc = array_load(&v->blocks); /* so its number is one that the file can hold */
  memset(d, 0, sizeof *d);
  if (rc) return rc;
  d->blocks = (u32)v->blocks.count;
  d->list = mem_array(&rc, d->blocks, sizeof *d->list);
  d->rows = mem_array(&rc, d->blocks, sizeof *d->rows);
  d->block = mem_array(&rc, d->blocks, sizeof *d->block);
  d->start = mem_zeroed(&rc, (u64)lists + 2, sizeof *d->start);
  if (rc == SQLITE_OK) rc = read_directory(v, d);
  if (rc) {
    ivf_directory_free(d);
    return rc;
  }
  /* start[i + 2] counts the blocks of list i; then start[i + 1] is where the next one goes, and ends where list i + 1 begins */
  for (i = 0; i < d->blocks; i++) {
    if (d->list[i] != IVF_FREE) d->start[d->list[i] + 2]++;
  }
  for (i = 2; i < lists + 2; i++) d->start[i] += d->start[i - 1];
  for (i = 0; i < d->blocks; i++) {
    if (d->list[i] != IVF_FREE) d->block[d->start[d->list[i] + 1]++] = i;
  }
  return SQLITE_OK;
}

static void ivf_close(void *opened) {
  Ivf *v = opened;
  u32 i;
  if (v == NULL) return;
  list_codes_close(&v->codes);
  array_map_close(&v->centroids);
  array_map_close(&v->blocks);
  array_map_close(&v->vectors);
  array_map_close(&v->present);
  array_map_close(&v->rowids);
  ivf_directory_free(&v->directory);
  ivf_arrays_close(&v->at);
  mem_aligned_free(v->point);
  mem_aligned_free(v->quick_query);
  mem_aligned_free(v->centroid_code);
  for (i = 0; i < 2; i++) {
    mem_free(v->hits[i].row);
    mem_free(v->hits[i].value);
  }
  mem_free(v->value);
  mem_free(v->order);
  mem_free(v->found);
  mem_free(v);
}

/* Code rows of the centroids, where there are such. */
static int encode_centroids(Ivf *v) {
  SlotColumn col;
  u32 i, lists = v->at.head.lists;
  int rc = SQLITE_OK;
  memset(&col, 0, sizeof col);
  col.elem = ELEM_F32;
  col.metric = v->slots->column[v->column].metric == METRIC_DOT ? METRIC_DOT : METRIC_L2;
  col.dim = v->slots->column[v->column].dim;
  col.index.quantizer = QUANTIZER_INT8;
  col.code_stride = codes_stride(col.metric, col.elem, col.dim);
  if (col.code_stride == 0) return SQLITE_OK;
  space_rowless(&col, NULL, &v->quick);
  v->quick_query = mem_aligned(&rc, v->quick.methods->query_size(&v->quick));
  v->centroid_code = mem_aligned(&rc, MAX((u64)lists * v->quick.row_bytes, 64));
  for (i = 0; i < lists && rc == SQLITE_OK; i++) {
    const u8 *centroid;
    rc = array_map_get(&v->centroids, i, &centroid);
    if (rc == SQLITE_OK)
      v->quick.methods->put_row(&v->quick, centroid, v->centroid_code + (size_t)i * v->quick.row_bytes);
  }
  return rc;
}

static int open_all(Ivf *v, PageRef ref) {
  SlotColumn *col = &v->slots->column[v->column];
  Sq4 *sq4 = NULL;
  u32 i;
  int rc = ivf_arrays_open(&v->at, v->slots, v->column, ref);
  if (rc == SQLITE_OK) rc = array_map_open(&v->centroids, &v->at.centroids, 0, 1);
  if (rc == SQLITE_OK) rc = array_map_open(&v->blocks, &v->at.blocks, 0, 1);
  if (rc == SQLITE_OK) rc = array_map_open(&v->vectors, &col->vectors, 0, 0);
  if (rc == SQLITE_OK) rc = array_map_open(&v->present, &col->present, 0, 1);
  if (rc == SQLITE_OK) rc = array_map_open(&v->rowids, &v->slots->rowids, 0, 0);
  if (rc == SQLITE_OK) rc = ivf_directory_load(&v->at, &v->directory);
  if (rc == SQLITE_OK) rc = structure_learned(&v->at.learned, v->at.head.learned_bytes, col, &sq4);
  if (rc == SQLITE_OK) rc = list_codes_open(&v->codes, col, sq4);
  if (rc == SQLITE_OK) rc = encode_centroids(v);
  if (rc) return rc;
  v->collector = v->codes.methods->bounds ? &by_bound : &by_rank;
  v->near = distance_scan(col->metric == METRIC_DOT ? METRIC_DOT : METRIC_L2, ELEM_F32);
  for (i = 0; i < 2; i++) {
    v->hits[i].row = mem_array(&rc, v->at.room, sizeof *v->hits[i].row);
    v->hits[i].value = mem_array(&rc, v->at.room, sizeof *v->hits[i].value);
  }
  v->point = mem_aligned(&rc, (u64)col->dim * sizeof(float));
  v->value = mem_array(&rc, v->at.head.lists, sizeof *v->value);
  v->order = mem_array(&rc, v->at.head.lists, sizeof *v->order);
  return rc;
}

/* The column's lists; *out NULL if there are none. */
static int ivf_of(Slots *slots, u32 column, Ivf **out) {
  SlotColumn *col = &slots->column[column];
  int rc = SQLITE_OK;
  Ivf *v = col->opened;
  *out = v;
  if (v || col->structure_ref.pgno == 0) return SQLITE_OK;
  v = mem_zeroed(&rc, 1, sizeof *v);
  if (rc) return rc;
  v->slots = slots;
  v->column = column;
  rc = open_all(v, col->structure_ref);
  if (rc) {
    ivf_close(v);
    return rc;
  }
  *out = col->opened = v;
  return SQLITE_OK;
}

/* --- points --- */

static void to_unit(float *x, u32 dim) {
  double sum = 0;
  u32 i;
  for (i = 0; i < dim; i++) sum += (double)x[i] * (double)x[i];
  if (!(sum > 0)) return;
  sum = 1 / sqrt(sum);
  for (i = 0; i < dim; i++) x[i] = (float)((double)x[i] * sum);
}

void ivf_point(const SlotColumn *col, const void *vector, float *out) {
  u32 i;
  if (col->elem == ELEM_F32)
    memcpy(out, vector, (size_t)col->dim * sizeof *out);
  else
    for (i = 0; i < col->dim; i++) out[i] = (float)elem_get(col->elem, vector, i);
  if (col->metric == METRIC_COSINE) to_unit(out, col->dim);
}

/* --- the smallest of keys --- */

static void swap_keys(u64 *a, u64 *b) {
  u64 t = *a;
  *a = *b;
  *b = t;
}

/* Bring the `most` smallest of n different keys to the front, in no order (Hoare's quickselect, by the median of three). */
static void select_smallest(u64 *key, u64 n, u64 most) {
  while (n > 16 && most > 0 && most < n) {
    u64 middle = n / 2, i = 0, j = n - 1, pivot;
    if (key[middle] < key[0]) swap_keys(&key[middle], &key[0]);
    if (key[n - 1] < key[0]) swap_keys(&key[n - 1], &key[0]);
    if (key[n - 1] < key[middle]) swap_keys(&key[n - 1], &key[middle]);
    pivot = key[middle];
    for (;;) {
      while (key[i] < pivot) i++;
      while (key[j] > pivot) j--;
      if (i >= j) break;
      swap_keys(&key[i], &key[j]);
      i++;
      j--;
    }
    /* keys before i are at most the pivot, those from i on at least */
    if (key[i] == pivot && i < most) i++;
    if (most < i) {
      n = i;
    } else if (i == most) {
      return;
    } else {
      key += i;
      n -= i;
      most -= i;
    }
  }
  if (most > 0 && most < n) { /* few are left: sort them */
    u64 i, at;
    for (i = 1; i < n; i++) {
      u64 k = key[i];
      for (at = i; at > 0 && key[at - 1] > k; at--) key[at] = key[at - 1];
      key[at] = k;
    }
  }
}

static int compare_keys(const void *a, const void *b) {
  u64 x = *(const u64 *)a, y = *(const u64 *)b;
  return (x > y) - (x < y);
}

static void sort_keys(u64 *key, u64 n) {
  u64 i, at;
  if (n > 64) {
    qsort(key, (size_t)n, sizeof *key, compare_keys);
    return;
  }
  for (i = 1; i < n; i++) {
    u64 k = key[i];
    for (at = i; at > 0 && key[at - 1] > k; at--) key[at] = key[at - 1];
    key[at] = k;
  }
}

/* --- searching --- */

/* Lists that a pass visits: more as rows do not pass its filter. */
static u64 lists_of(const IndexPass *p, u32 lists) {
  double live = (double)(p->slots->live - MIN(p->slots->live, p->overlay->kills.count));
  double visit = (double)p->nprobe * p->growth;
  if (p->allowed) visit *= pow(MIN((double)MAX(p->chosen, 1) / MAX(live, 1), 1), -FILTERED_POWER);
  return (u64)MAX(MIN(visit, (double)lists), 1);
}

/* Candidates that are compared on full vectors, at least. */
static u64 keep_of(const IndexPass *p, u64 visit) {
  const SlotColumn *col = &p->slots->column[p->column];
  u64 over = p->want * p->oversample / 100;
  u64 most = MAX(MIN_RERANK, 2 * p->want) + visit / RERANK_SHARE;
  if (col->index.quantizer == QUANTIZER_NONE || list_codes_of(col)->bounds) most = MAX(p->want, PASS_ROWS);
  return MAX(most, over);
}

static int ivf_room(const IndexPass *p, u64 *out) {
  Ivf *v;
  u64 visit;
  int rc = ivf_of(p->slots, p->column, &v);
  *out = 0;
  if (rc || v == NULL || v->at.head.lists == 0) return rc;
  visit = lists_of(p, v->at.head.lists);
  if (p->want > MAX_CANDIDATES || p->want > v->at.head.covered / EXACT_SHARE) return SQLITE_OK;
  if (p->growth > 1 && visit >= v->at.head.lists / 2) return SQLITE_OK;
  *out = keep_of(p, visit);
  return SQLITE_OK;
}

static double ivf_cost(const IndexPass *p) {
  const SlotColumn *col = &p->slots->column[p->column];
  double rows = (double)p->slots->slots, visit;
  u32 lists = (u32)MAX(sqrt(rows), 1);
  if (col->opened) lists = MAX(((const Ivf *)col->opened)->at.head.lists, 1);
  visit = (double)lists_of(p, lists);
  return visit / lists * rows * (ROW_NS + ROW_32_BYTES_NS / 32 * list_codes_of(col)->row_bytes(col)) +
         lists * CENTROID_32_BYTES_NS / 32 * (4.0 * col->dim) + (double)keep_of(p, (u64)visit) * RERANK_NS;
}

/* The distances of the point to all centroids, by their codes. *told: all are known. */
static void compare_codes(Ivf *v, int *told) {
  const u8 *row[CENTROIDS_AT_ONCE];
  u32 order[CENTROIDS_AT_ONCE], lists = v->at.head.lists, first, i, n;
  const Space *s = &v->quick;
  s->methods->from_vector(s, v->point, v->quick_query);
  *told = 1;
  for (first = 0; first < lists; first += n) {
    n = MIN(CENTROIDS_AT_ONCE, lists - first);
    for (i = 0; i < n; i++) row[i] = v->centroid_code + (size_t)(first + i) * s->row_bytes;
    s->methods->distances(s, v->quick_query, row, n, order);
    for (i = 0; i < n; i++) {
      v->value[first + i] = space_unorder(order[i]);
      *told &= v->value[first + i] < FLT_MAX;
    }
  }
}

/* The same, by themselves. */
static int compare_centroids(Ivf *v) {
  u32 e, lists = v->at.head.lists, per = v->at.centroids.per_extent, dim = v->slots->column[v->column].dim;
  float norm2 = 0;
  int rc = SQLITE_OK;
  for (e = 0; e * per < lists && rc == SQLITE_OK; e++) {
    rc = array_map_touch(&v->centroids, e);
    if (rc == SQLITE_OK)
      v->near(v->point, v->centroids.extent[e], v->at.centroids.stride, MIN(per, lists - e * per), dim,
              v->value + e * per, &norm2);
  }
  return rc;
}

static int order_lists(Ivf *v, IndexPass *p) {
  u32 i, lists = v->at.head.lists;
  int told = 0, rc = SQLITE_OK;
  ivf_point(&v->slots->column[v->column], p->query, v->point);
  if (v->centroid_code) compare_codes(v, &told);
  if (!told) rc = compare_centroids(v);
  for (i = 0; i < lists && rc == SQLITE_OK; i++) v->order[i] = (u64)space_order(v->value[i]) << 32 | i;
  return rc;
}

/* Whether a slot may be given. */
static int is_wanted(Ivf *v, const IndexPass *p, u32 slot, int *wanted) {
  const u8 *word;
  int rc;
  *wanted = 0;
  if (slot >= v->at.head.covered) return CORRUPT(v->at.page.pgno);
  if (p->allowed && !(p->allowed[slot / 64] >> slot % 64 & 1)) return SQLITE_OK;
  rc = array_map_get(&v->present, slot / 64, &word);
  if (rc) return rc;
  *wanted =
      (int)(load64(word) >> slot % 64 & 1) && !(p->overlay->kills.count && overlay_killed(p->overlay, p->length, slot));
  return SQLITE_OK;
}

/* --- what was found --- */

/* Compare found[from .. to) on full vectors, those still below `worst`; these and rowids are fetched ahead. */
static int refine(Ivf *v, IndexPass *p, u64 from, u64 to) {
  const SlotColumn *col = &v->slots->column[v->column];
  u64 i, fetched = from;
  int rc = SQLITE_OK;
  for (i = from; i < to && rc == SQLITE_OK; i++) {
    const u8 *vector, *rowid;
    u32 slot = (u32)v->found[i];
    double value;
    for (; fetched < MIN(i + FETCH_AHEAD, to) && rc == SQLITE_OK; fetched++) {
      rc = array_map_get(&v->vectors, (u32)v->found[fetched], &vector);
      if (rc == SQLITE_OK) rc = array_map_get(&v->rowids, (u32)v->found[fetched], &rowid);
      if (rc) return rc;
      fetch_row(vector, v->vectors.stride);
      PREFETCH(rowid);
    }
    if (rc || (u32)(v->found[i] >> 32) >= v->worst) continue;
    rc = array_map_get(&v->vectors, slot, &vector);
    if (rc) return rc;
    value = scan_value(col->metric, col->elem, col->dim, p->query, vector, NAN);
    p->compared++;
    if (!pool_wants(v->pool, value)) continue;
    rc = array_map_get(&v->rowids, slot, &rowid);
    if (rc) return rc;
    pool_offer(v->pool, value, (i64)load64(rowid), slot | POOL_EXACT);
    v->collector->offered(v);
  }
  return rc;
}

/* The best by code, compared at the end. */
static u64 rank_room(u64 keep) { return FOUND_ROOM * keep; }

static int keep_best(Ivf *v, IndexPass *p) {
  u64 i;
  (void)p;
  if (v->count < v->keep) return SQLITE_OK;
  select_smallest(v->found, v->count, v->keep);
  v->count = v->keep;
  v->worst = 0;
  for (i = 0; i < v->keep; i++) v->worst = MAX(v->worst, (u32)(v->found[i] >> 32));
  return SQLITE_OK;
}

static int nothing_yet(Ivf *v, IndexPass *p) {
  (void)v;
  (void)p;
  return SQLITE_OK;
}

static int refine_best(Ivf *v, IndexPass *p) {
  keep_best(v, p);
  v->worst = 0xffffffffu;
  return refine(v, p, 0, v->count);
}

static void nothing_changes(Ivf *v) { (void)v; }

static const Collector by_rank = {rank_room, keep_best, nothing_yet, refine_best, nothing_changes};

/* All whose bound is below the value of the keep-th best, for which the pool has room. */
static u64 bound_room(u64 keep) { return FOUND_ROOM * keep + BOUND_ROOM; }

static void tighten(Ivf *v) {
  if (pool_full(v->pool)) v->worst = MIN(v->worst, space_order((float)v->pool->worst));
}

/* Leave those that are still below `worst`. */
static void drop_beyond(Ivf *v, u64 from) {
  u64 i, n = 0;
  for (i = from; i < v->count; i++) {
    v->found[n] = v->found[i];
    n += (u32)(v->found[i] >> 32) < v->worst;
  }
  v->count = n;
}

/* The most promising of them, by which the limit falls; the others may be spared. */
static int refine_some(Ivf *v, IndexPass *p) {
  u64 some = MIN(pool_full(v->pool) ? BOUND_SOME : v->keep, v->count);
  int rc;
  select_smallest(v->found, v->count, some);
  rc = refine(v, p, 0, some);
  drop_beyond(v, some);
  return rc;
}

static int refine_if_many(Ivf *v, IndexPass *p) {
  int rc = SQLITE_OK;
  while (rc == SQLITE_OK && (v->count >= BOUND_WAITING || (v->count >= v->keep && !pool_full(v->pool))))
    rc = refine_some(v, p);
  return rc;
}

static int refine_all(Ivf *v, IndexPass *p) {
  int rc = SQLITE_OK;
  while (v->count && rc == SQLITE_OK) rc = refine_some(v, p);
  return rc;
}

static const Collector by_bound = {bound_room, refine_some, refine_if_many, refine_all, tighten};

/* --- lists --- */

/* Rows of the block before: their slots were fetched while this one was scanned. */
static int take_hits(Ivf *v, IndexPass *p) {
  Hits *h = &v->hits[v->scanned ^ 1];
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < h->count && rc == SQLITE_OK; i++) {
    u32 slot = load32(h->block + 4 * (size_t)h->row[i]);
    int wanted = 0;
    if (h->value[i] >= v->worst) continue;
    rc = is_wanted(v, p, slot, &wanted);
    if (rc || !wanted) continue;
    v->met++;
    v->found[v->count++] = (u64)h->value[i] << 32 | slot;
    if (v->count == v->room) rc = v->collector->full(v, p);
  }
  h->count = 0;
  return rc;
}

static int scan_block(Ivf *v, IndexPass *p, const u8 *block, u32 count) {
  Hits *h = &v->hits[v->scanned];
  u32 i;
  int rc;
  h->block = block;
  h->count = v->codes.methods->scan(&v->codes, block + v->at.rows_at, count, v->worst, h->row, h->value);
  for (i = 0; i < h->count; i++) PREFETCH(block + 4 * (size_t)h->row[i]);
  p->compared += count;
  rc = take_hits(v, p);
  v->scanned ^= 1;
  return rc;
}

/*
 * The blocks of the first `lists` lists of the order, one after the other. Memory answers slowly and has only so many requests at once, so a block is fetched piece by piece
 * while the ones before are scanned (list_codes.h).
 */
typedef struct Coming {
  const u8 *block;
  u32 rows, list;
} Coming;

typedef struct BlockWalk {
  u64 lists, ordered; /* of the order, so many are sorted */
  u64 next;           /* the list after this one: */
  u32 list, at, end;  /* and its blocks that are left, by their places in the directory */
  Coming coming[BLOCKS_AHEAD];
  u32 first, count;
  u32 scanned; /* the list of the block before */
} BlockWalk;

static int take_up(Ivf *v, BlockWalk *w) {
  const IvfDirectory *d = &v->directory;
  u32 group = v->codes.methods->group;
  int rc = SQLITE_OK;
  while (w->count < BLOCKS_AHEAD && rc == SQLITE_OK) {
    Coming *c = &w->coming[(w->first + w->count) % BLOCKS_AHEAD];
    while (w->at == w->end && w->next < w->lists) {
      w->list = (u32)v->order[w->next++];
      w->at = d->start[w->list];
      w->end = d->start[w->list + 1];
    }
    if (w->at == w->end) return SQLITE_OK;
    rc = array_map_get(&v->blocks, d->block[w->at], &c->block);
    if (rc) break;
    c->rows = d->rows[d->block[w->at++]];
    c->list = w->list;
    w->count++;
    list_codes_fetch_next(&v->codes, c->block + v->at.rows_at,
                          MIN((c->rows + group - 1) / group * group * v->at.row_bytes, MAX_BLOCK_FETCHED));
  }
  return rc;
}

/* More lists, when their blocks are at an end: `visit` at first, then one by one while fewer than `need` rows were found. */
static int more_lists(Ivf *v, IndexPass *p, u64 visit, u64 need, BlockWalk *w, int *more) {
  u64 lists = v->at.head.lists;
  int rc = take_hits(v, p);
  *more = w->lists < lists && (w->lists < visit || v->met < need);
  if (rc || !*more) return rc;
  if (w->lists == w->ordered) {
    u64 n = MIN(w->lists < visit ? visit - w->lists : MAX(w->lists, 1), lists - w->lists);
    select_smallest(v->order + w->lists, lists - w->lists, n);
    sort_keys(v->order + w->lists, n);
    w->ordered += n;
  }
  w->lists = w->lists < visit ? w->ordered : w->lists + 1;
  return SQLITE_OK;
}

static int scan_next(Ivf *v, IndexPass *p, BlockWalk *w) {
  Coming now = w->coming[w->first];
  int rc = SQLITE_OK;
  w->first = (w->first + 1) % BLOCKS_AHEAD;
  w->count--;
  if (now.list != w->scanned) {
    if (w->scanned != IVF_FREE) rc = v->collector->listed(v, p);
    v->codes.methods->list(&v->codes, v->value[now.list]);
    w->scanned = now.list;
  }
  return rc ? rc : scan_block(v, p, now.block, now.rows);
}

static int scan_lists(Ivf *v, IndexPass *p, u64 visit, u64 need) {
  u64 polled = 0;
  BlockWalk w;
  memset(&w, 0, sizeof w);
  w.scanned = IVF_FREE;
  v->hits[0].count = v->hits[1].count = 0;
  list_codes_fetch_next(&v->codes, NULL, 0);
  for (;;) {
    int more = 1, rc = take_up(v, &w);
    if (rc == SQLITE_OK) rc = w.count ? scan_next(v, p, &w) : more_lists(v, p, visit, need, &w, &more);
    if (rc || !more) return rc;
    if (p->compared - polled < POLL_ROWS) continue;
    polled = p->compared;
    if (p->interrupted && p->interrupted(p->interrupt_arg)) return SQLITE_INTERRUPT;
  }
}

static int search_lists(Ivf *v, IndexPass *p, Pool *pool) {
  u64 visit = lists_of(p, v->at.head.lists);
  int rc;
  v->keep = keep_of(p, visit);
  v->room = v->collector->room(v->keep);
  rc = mem_reserve(&v->found, &v->found_cap, v->room, sizeof *v->found);
  if (rc == SQLITE_OK) rc = order_lists(v, p);
  if (rc) return rc;
  v->codes.methods->query(&v->codes, p->query);
  v->pool = pool;
  v->count = v->met = 0;
  v->worst = 0xffffffffu;
  rc = scan_lists(v, p, visit, p->want);
  return rc ? rc : v->collector->end(v, p);
}

static int ivf_search(IndexPass *p, Pool *pool) {
  Ivf *v;
  u64 covered = 0;
  int rc = ivf_of(p->slots, p->column, &v);
  if (rc || p->slots->slots == 0 || p->overlay->all_dead_at < p->length) return rc;
  if (v) {
    covered = v->at.head.covered;
    if (v->at.head.lists) rc = search_lists(v, p, pool);
  }
  return rc ? rc : flat_search_from(p, pool, covered);
}

static u32 ivf_probes(Slots *slots, u32 column, u32 nprobe) {
  Ivf *v;
  int rc = ivf_of(slots, column, &v); /* the search will meet what is wrong */
  return rc || v == NULL ? nprobe : MAX(nprobe, v->at.head.lists / VISITED_SHARE);
}

static int ivf_ready(const Slots *slots, u32 column) { return slots->column[column].covered > 0; }

const IndexMethods ivf_index = {"ivf", ivf_ready, 0, 1, 0, ivf_probes, ivf_room, ivf_cost, ivf_search, NULL};

/* --- checking --- */

static int ivf_pages(Slots *slots, u32 column, PageVisit visit, void *arg) {
  IvfArrays v;
  PageRef ref = slots->column[column].structure_ref;
  int rc = ivf_arrays_open(&v, slots, column, ref);
  if (rc == SQLITE_OK) rc = structure_walk(v.all, IVF_ARRAYS, ref, visit, arg);
  ivf_arrays_close(&v);
  return rc;
}

static int say(char **problem, const char *format, u32 number) {
  if (*problem) return SQLITE_OK;
  *problem = sqlite3_mprintf(format, number);
  return *problem ? SQLITE_OK : SQLITE_NOMEM;
}

/* The rows of a block: slots that are met for the first time, with the codes of their vectors. */
static int check_block(Ivf *v, u32 number, u8 *met, char **problem) {
  const u8 *block, *vector, *centroid;
  u32 i;
  int rc = array_map_get(&v->centroids, v->directory.list[number], &centroid);
  if (rc == SQLITE_OK) v->codes.methods->centre(&v->codes, (const float *)(const void *)centroid);
  if (rc == SQLITE_OK) rc = array_map_get(&v->blocks, number, &block);
  for (i = 0; i < v->directory.rows[number] && rc == SQLITE_OK; i++) {
    u32 slot = load32(block + 4 * (size_t)i);
    int present = 0;
    if (slot >= v->at.head.covered) return say(problem, "lists: block %u names a slot that they do not cover", number);
    if (met[slot]) return say(problem, "lists: slot %u is in them twice", slot);
    met[slot] = 1;
    rc = slots_present(v->slots, v->column, slot, &present);
    if (rc || !present) continue;
    rc = array_map_get(&v->vectors, slot, &vector);
    if (rc) break;
    if (!v->codes.methods->same(&v->codes, vector, block + v->at.rows_at, i))
      return say(problem, "lists: the code of slot %u differs from its vector", slot);
  }
  return rc;
}

static int check_centroids(Ivf *v, char **problem) {
  u32 i, dim = v->slots->column[v->column].dim;
  int rc = SQLITE_OK;
  for (i = 0; i < v->at.head.lists && rc == SQLITE_OK; i++) {
    const u8 *centroid;
    rc = array_map_get(&v->centroids, i, &centroid);
    if (rc == SQLITE_OK && elem_first_nonfinite(ELEM_F32, centroid, dim) >= 0)
      rc = say(problem, "lists: centroid %u is not finite", i);
  }
  return rc;
}

static int ivf_check(Slots *slots, u32 column, char **problem) {
  u8 *met = NULL;
  Ivf *v;
  u32 i;
  int rc = ivf_of(slots, column, &v);
  if (rc || v == NULL) return rc;
  met = mem_zeroed(&rc, v->at.head.covered, 1);
  if (rc == SQLITE_OK) rc = check_centroids(v, problem);
  for (i = 0; i < v->directory.blocks && rc == SQLITE_OK; i++) {
    if (v->directory.list[i] != IVF_FREE) rc = check_block(v, i, met, problem);
  }
  for (i = 0; i < v->at.head.covered && rc == SQLITE_OK; i++) {
    int present = 0;
    if (met[i]) continue;
    rc = slots_present(slots, column, i, &present);
    if (rc == SQLITE_OK && present) rc = say(problem, "lists: slot %u is in none of them", i);
  }
  mem_free(met);
  return rc;
}

static u32 ivf_row_bytes(const SlotColumn *col) { return list_codes_of(col)->row_bytes(col) + 4; }

static void ivf_count(Slots *slots, u32 column, TableCounts *counts) {
  IvfArrays v;
  counts->list_rows = MAX(counts->list_rows, slots->column[column].covered);
  if (ivf_arrays_open(&v, slots, column, slots->column[column].structure_ref) == SQLITE_OK)
    counts->lists += v.head.lists;
  ivf_arrays_close(&v);
}

const StructureMethods ivf_structure = {PAGE_IVF,  IVF_ARRAYS, ivf_array_id, ivf_row_bytes, ivf_fold,
                                        ivf_pages, ivf_check,  ivf_count,    ivf_close,     1};
