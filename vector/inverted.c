/*
 * inverted.c: opening segments, searching them, checking them. See inverted.h.
 *
 * Each row has a score: with dot and cosine the sum of the products of what query and row have in common, with l2 that less half of the row's squared norm; the
 * larger it is, the nearer is the row. A pass goes through the segments window by window and adds products up, term by term, in float32:
 *
 *   M1  A block says between what its weights lie, so that sums of the blocks of a window are bounds of its rows' scores. A window whose bound is below the least score
 *       that the pool wants is passed over. (Ding and Suel, "Faster top-k document retrieval using block-max indexes", SIGIR 2011.)
 *   M2  Within a window, terms are added from the one with the largest bound on, until those left cannot make a row wanted that has none of the others
 *       (MaxScore: Turtle and Flood, IPM 1995). If few rows are then near enough to be wanted, they are compared; else the rest is added, too.
 *   M3  A row whose score may be wanted is compared on its vector, as everywhere: what the pool is offered are distances. A sum of n products, each
 *       and the sum rounded n + 3 times by 2^-24 at most, is off by no more than (n + 4) * 2^-23 times the sum of their magnitudes, which blocks bound, too; products
 *       below the range of float32 are off by 2^-149. Distances are rounded to float32: the least score wanted is taken as lower by four times that.
 *   M4  A row that has no term of the query has distance 0 (dot) or 1 (cosine), without being looked at. Sums begin with -0, which no product leaves as it is
 *       unless that is too small for float32: then such rows are compared, too.
 *
 * With few chosen rows, or a segment's rest that it does not cover, rows are compared one by one.
 */
#include "inverted.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "elem_int.h"
#include "forms.h"
#include "index.h"
#include "portable.h"
#include "sparse.h"

#define POLL_ROWS 4096u
#define COMPARE_POSTINGS 256u /* a comparison takes about as long as adding so many postings */
#define CHOSEN_SHARE 64u      /* chosen rows that are fewer than this share of all are compared one by one */
#define LARGEST_SUM 1e37      /* magnitudes whose sum could overflow float32 */
#define LEAST_PRODUCT 1e-30

/* One term of the query in a segment. */
typedef struct Cursor {
  u32 blocks;     /* still to come, */
  u64 head, data; /* the first of them, and its postings */
  float weight;   /* of the query */
  /* the block of this window */
  u32 count;
  u64 at;
  double up, magnitude; /* what it adds to a score at most, at least 0; the largest magnitude of that */
} Cursor;

typedef struct Inverted {
  InvertedArrays at;
  Slots *slots;
  u32 column;
  ArrayMap words[INVERTED_SEGMENTS];
  float *sum; /* of a window's rows */
  Cursor *cursor;
  Cursor **active;
  u64 cursor_cap, active_cap;
} Inverted;

/* One search. */
typedef struct Scan {
  IndexPass *p;
  Pool *pool;
  const SlotColumn *col;
  Inverted *v;
  Sparse query;
  double scale, norm2; /* N3; of the query */
  double least;        /* the largest magnitude that a term's weight in the query may lack, for M4 */
  const u64 *allowed;
} Scan;

/* --- opening --- */

static ArrayId inverted_array_id(u64 owner, u32 column, u32 array) {
  ArrayId id;
  id.owner = owner;
  id.tag = 0x30000 + column * INVERTED_SEGMENTS + array;
  return id;
}

static int open_segment(InvertedArrays *v, const SlotColumn *col, u32 i, u64 first, const u8 *at) {
  Segment *s = &v->segment[i];
  u64 words = v->words[i].count;
  s->first = load64(at);
  s->slots = load32(at + 8);
  s->terms = load32(at + 12);
  s->postings = load64(at + 16);
  s->least = f32_of_bits(load32(at + 24));
  if (s->first != first || s->slots == 0 || s->slots > SEGMENT_MAX_SLOTS || words >= 0x80000000u ||
      terms_at(col, s) + (u64)s->terms * TERM_WORDS > words)
    return CORRUPT(v->page.pgno);
  return SQLITE_OK;
}

static int open_page(InvertedArrays *v, const SlotColumn *col, const u8 *body) {
  u64 first = 0;
  u32 i;
  int rc;
  v->segments = load32(body);
  v->covered = load64(body + 16);
  if (v->segments > INVERTED_SEGMENTS || v->covered != col->covered) return CORRUPT(v->page.pgno);
  rc = structure_open(v->words, INVERTED_SEGMENTS, body + STRUCTURE_REFS_AT);
  for (i = 0; i < v->segments && rc == SQLITE_OK; i++) {
    rc = open_segment(v, col, i, first, body + INVERTED_SEGMENTS_AT + i * INVERTED_SEGMENT_SIZE);
    first += v->segment[i].slots;
  }
  return rc == SQLITE_OK && first != v->covered ? CORRUPT(v->page.pgno) : rc;
}

int inverted_open(InvertedArrays *v, Slots *slots, u32 column, PageRef ref) {
  const u8 *page;
  PageHold hold;
  u32 i;
  int rc;
  memset(v, 0, sizeof *v);
  v->page = ref;
  for (i = 0; i < INVERTED_SEGMENTS; i++)
    array_init(&v->words[i], slots->pages, inverted_array_id(slots->id, column, i), INVERTED_WORD, EXTENT_MAX_PAGES);
  if (ref.pgno == 0) return SQLITE_OK;
  rc = pages_get_structure(slots->pages, ref, PAGE_INVERTED, slots->id, column, &page, &hold);
  if (rc) return rc;
  rc = open_page(v, &slots->column[column], page + PAGE_HEADER_SIZE);
  pages_release(slots->pages, &hold);
  return rc;
}

void inverted_close(InvertedArrays *v) { structure_close(v->words, INVERTED_SEGMENTS); }

static void close_opened(void *opened) {
  Inverted *v = opened;
  u32 i;
  if (v == NULL) return;
  for (i = 0; i < INVERTED_SEGMENTS; i++) {
    if (v->words[i].array) array_map_close(&v->words[i]);
  }
  inverted_close(&v->at);
  mem_aligned_free(v->sum);
  mem_free(v->cursor);
  mem_free(v->active);
  mem_free(v);
}

/* The column's segments; *out NULL if there are none. */
static int inverted_of(Slots *slots, u32 column, Inverted **out) {
  SlotColumn *col = &slots->column[column];
  int rc = SQLITE_OK;
  u32 i;
  Inverted *v = col->opened;
  *out = v;
  if (v || col->structure_ref.pgno == 0) return SQLITE_OK;
  v = mem_zeroed(&rc, 1, sizeof *v);
  if (rc) return rc;
  v->slots = slots;
  v->column = column;
  rc = inverted_open(&v->at, slots, column, col->structure_ref);
  for (i = 0; i < v->at.segments && rc == SQLITE_OK; i++) rc = array_map_open(&v->words[i], &v->at.words[i], 0, 1);
  v->sum = mem_aligned(&rc, INVERTED_WINDOW * sizeof *v->sum);
  if (rc) {
    close_opened(v);
    return rc;
  }
  *out = col->opened = v;
  return SQLITE_OK;
}

/* --- words --- */

/* Word `at` of a segment, and how many lie there together. */
static int words_at(ArrayMap *map, u64 at, const u8 **out, u64 *run) {
  u64 count = map->array->count;
  u32 extent;
  if (at >= count) return CORRUPT(map->array->root.pgno);
  extent = array_map_extent(map, (u32)at);
  if (map->extent[extent] == NULL) {
    int rc = array_map_touch(map, extent);
    if (rc) return rc;
  }
  *run = MIN(map->per_extent - at % map->per_extent, count - at);
  *out = array_map_item(map, (u32)at);
  return SQLITE_OK;
}

/* Some words, copied. */
static int read_words(ArrayMap *map, u64 at, u32 count, u32 *out) {
  u32 i = 0;
  int rc = SQLITE_OK;
  while (i < count && rc == SQLITE_OK) {
    const u8 *words = NULL;
    u64 run = 0, k;
    rc = words_at(map, at + i, &words, &run);
    for (k = 0; k < run && i < count; k++) out[i++] = load32(words + 4 * k);
  }
  return rc;
}

/* Look for a term among the entries from *from on, which is set to the next after it. */
static int find_term(ArrayMap *map, u64 entries, u32 terms, u32 term, u32 *from, u32 *entry, int *found) {
  u32 lo = *from, hi = terms, step = 1;
  int rc = SQLITE_OK;
  *found = 0;
  while (lo < hi) { /* steps that double, then halves */
    u32 at = step ? MIN(lo + step, hi) - 1 : lo + (hi - lo) / 2;
    rc = read_words(map, entries + (u64)at * TERM_WORDS, TERM_WORDS, entry);
    if (rc) return rc;
    if (entry[0] == term) {
      *from = at + 1;
      *found = 1;
      return SQLITE_OK;
    }
    if (entry[0] < term) {
      lo = at + 1;
      step *= 2;
    } else {
      hi = at;
      step = 0;
    }
  }
  *from = lo;
  return rc;
}

/* --- comparing rows --- */

/* Whether a slot's row is one that the pass looks for. */
static int is_wanted(const Scan *s, u64 slot, int *wanted) {
  IndexPass *p = s->p;
  *wanted = 0;
  if (s->allowed && !(s->allowed[slot / 64] >> slot % 64 & 1)) return SQLITE_OK;
  if (overlay_killed(p->overlay, p->length, (u32)slot)) return SQLITE_OK;
  return slots_present(p->slots, p->column, slot, wanted);
}

static int offer(const Scan *s, u64 slot, double distance) {
  i64 rowid = 0;
  int rc;
  if (!pool_wants(s->pool, distance)) return SQLITE_OK;
  rc = slots_rowid(s->p->slots, slot, &rowid);
  if (rc == SQLITE_OK) pool_offer(s->pool, distance, rowid, slot);
  return rc;
}

/* Compare a slot's vector, and offer it. */
static int compare(const Scan *s, u64 slot) {
  IndexPass *p = s->p;
  const SlotColumn *col = s->col;
  const u8 *vector;
  PageHold hold;
  double distance;
  int wanted, rc = is_wanted(s, slot, &wanted);
  if (rc || !wanted) return rc;
  rc = col->form->get(p->slots, p->column, slot, &vector, &hold);
  if (rc) return rc;
  distance = distance_exact(col->metric, col->elem, p->query, vector, col->dim);
  pages_release(p->slots->pages, &hold);
  p->compared++;
  return offer(s, slot, distance);
}

static int interrupted(const IndexPass *p) { return p->interrupted && p->interrupted(p->interrupt_arg); }

static int compare_from(const Scan *s, u64 first) {
  u64 slot;
  int rc = SQLITE_OK;
  for (slot = first; slot < s->p->slots->slots && rc == SQLITE_OK; slot++) {
    rc = compare(s, slot);
    if (rc == SQLITE_OK && slot % POLL_ROWS == 0 && interrupted(s->p)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

static int compare_chosen(const Scan *s) {
  u64 i;
  int rc = SQLITE_OK;
  for (i = 0; i < s->p->chosen && rc == SQLITE_OK; i++) {
    rc = compare(s, s->p->only[i]);
    if (rc == SQLITE_OK && i % POLL_ROWS == 0 && interrupted(s->p)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

/* --- scores and distances (M3) --- */

/* A row with a smaller score is farther than this distance. */
static double score_at_most(const Scan *s, double distance) {
  switch (s->col->metric) {
    case METRIC_DOT: return -distance - fabs(distance) * 0x1p-22;
    case METRIC_COSINE: return 1 - distance - 0x1p-22;
    default: return (s->norm2 - distance * distance * (1 + 0x1p-21)) / 2 - s->norm2 * 0x1p-40;
  }
}

/* A row with a larger score is nearer than this distance. */
static double score_at_least(const Scan *s, double distance) {
  switch (s->col->metric) {
    case METRIC_DOT: return -distance + fabs(distance) * 0x1p-22;
    case METRIC_COSINE: return 1 - distance + 0x1p-22;
    default:
      return distance <= 0 ? HUGE_VAL : (s->norm2 - distance * distance * (1 - 0x1p-21)) / 2 + s->norm2 * 0x1p-40;
  }
}

/* The largest float that is not larger. */
static float float_below(double x) {
  float f = (float)x;
  return (double)f > x ? nextafterf(f, -HUGE_VALF) : f;
}

/* --- windows --- */

/* One window of a segment. */
typedef struct Window {
  const Segment *segment;
  ArrayMap *map;
  u64 first; /* slot */
  u32 slots;
  u32 active;                       /* terms that have a block in it, those with the largest bounds first */
  double up, magnitude, error;      /* of sums of products; M3 */
  double bias_most, bias_magnitude; /* l2 */
  int unsure;                       /* float32 could overflow: all rows are compared */
  int small;                        /* a product could be too small for float32 (M4) */
} Window;

/* The block of this window, if the term has one. */
static int next_block(const Window *w, u32 number, Cursor *c) {
  u64 words = w->map->array->count;
  u32 head[BLOCK_WORDS];
  float most, least;
  double a, b;
  int rc;
  c->count = 0;
  if (c->blocks == 0) return SQLITE_OK;
  rc = read_words(w->map, c->head, BLOCK_WORDS, head);
  if (rc || head[0] >> 16 > number) return rc;
  c->count = (head[0] & 0xffff) + 1;
  c->at = c->data;
  if (head[0] >> 16 < number || c->count > w->slots || c->data + block_words(c->count) > words)
    return CORRUPT(w->map->array->root.pgno);
  c->head += BLOCK_WORDS;
  c->data += block_words(c->count);
  c->blocks--;
  most = f32_of_bits(head[1]);
  least = f32_of_bits(head[2]);
  a = (double)c->weight * (double)most;
  b = (double)c->weight * (double)least;
  c->up = MAX(MAX(a, b), 0.0);
  c->magnitude = MAX(fabs(a), fabs(b));
  return SQLITE_OK;
}

static int compare_bounds(const void *a, const void *b) {
  double x = (*(Cursor *const *)a)->up, y = (*(Cursor *const *)b)->up;
  return (x < y) - (x > y);
}

/* The terms of the window, by bound. */
static int gather(Scan *s, Window *w, u32 cursors, u32 number) {
  Inverted *v = s->v;
  u32 i;
  int rc = SQLITE_OK;
  w->active = 0;
  w->up = w->magnitude = 0;
  for (i = 0; i < cursors && rc == SQLITE_OK; i++) {
    Cursor *c = &v->cursor[i];
    rc = next_block(w, number, c);
    if (rc || c->count == 0) continue;
    v->active[w->active++] = c;
    w->up += c->up;
    w->magnitude += c->magnitude;
  }
  if (w->active > 1) qsort(v->active, w->active, sizeof(Cursor *), compare_bounds);
  return rc;
}

/* Sums as they are without any term: -0 (M4), or with l2 the words of norms. */
static int begin_sums(const Scan *s, Window *w) {
  float *sum = s->v->sum;
  u32 i;
  int rc = SQLITE_OK;
  w->bias_most = w->bias_magnitude = 0;
  if (s->col->metric != METRIC_L2) {
    for (i = 0; i < w->slots; i++) sum[i] = -0.0f;
    return SQLITE_OK;
  }
  w->bias_most = -HUGE_VAL;
  for (i = 0; i < w->slots && rc == SQLITE_OK;) {
    const u8 *words = NULL;
    u64 run = 0, k;
    rc = words_at(w->map, w->first - w->segment->first + i, &words, &run);
    for (k = 0; k < run && i < w->slots; k++, i++) {
      float bias = f32_at(words, (size_t)k);
      sum[i] = bias;
      if (bias != bias) {
        w->bias_most = 0;
      } else if (bias >= -FLT_MAX) {
        w->bias_most = MAX(w->bias_most, (double)bias);
        w->bias_magnitude = MAX(w->bias_magnitude, -(double)bias);
      }
    }
  }
  return rc;
}

/* Add a term's products. */
static int add_block(const Window *w, const Cursor *c, float *sum) {
  u64 slots_begin = c->at, weights_begin = c->at + (c->count + 1) / 2;
  u32 i = 0;
  while (i < c->count) {
    const u8 *slots, *weights;
    u64 slot_run, weight_run, n, k;
    int rc = words_at(w->map, slots_begin + i / 2, &slots, &slot_run);
    if (rc == SQLITE_OK) rc = words_at(w->map, weights_begin + i, &weights, &weight_run);
    if (rc) return rc;
    n = MIN(MIN(slot_run * 2 - i % 2, weight_run), c->count - i);
    slots += 2 * (i % 2);
    for (k = 0; k < n; k++) sum[load16_fast(slots + 2 * k) % INVERTED_WINDOW] += c->weight * f32_at(weights, (size_t)k);
    i += (u32)n;
  }
  return SQLITE_OK;
}

/* The least and the largest score that the pool wants. */
static float least_wanted(const Scan *s, const Window *w, double left) {
  if (w->unsure) return -HUGE_VALF;
  return float_below(score_at_most(s, s->pool->worst) - left - w->error);
}

/*
 * Compare the rows whose sums are enough. `left`: what terms that were not added can add; `whole`: there are none.
 */
static int take_rows(Scan *s, const Window *w, double left, int whole) {
  const float *sum = s->v->sum;
  int dot = s->col->metric == METRIC_DOT, skip = s->col->metric != METRIC_L2 && whole && !w->small && !w->unsure;
  double most = whole && !w->unsure && isfinite(s->pool->low) ? score_at_least(s, s->pool->low) + w->error : HUGE_VAL;
  double worst = s->pool->worst;
  float least = least_wanted(s, w, left);
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < w->slots && rc == SQLITE_OK; i++) {
    if (LIKELY(sum[i] < least)) continue;
    if ((double)sum[i] > most) continue;
    if (skip && f32_bits(sum[i]) == 0x80000000u) { /* M4 */
      double distance = dot ? 0 : 1;
      int wanted = 0;
      if (!pool_wants(s->pool, distance)) continue;
      rc = is_wanted(s, w->first + i, &wanted);
      if (rc == SQLITE_OK && wanted) rc = offer(s, w->first + i, distance);
    } else {
      rc = compare(s, w->first + i);
    }
    if (s->pool->worst != worst) {
      worst = s->pool->worst;
      least = least_wanted(s, w, left);
    }
  }
  return rc;
}

/* Rows that take_rows would look at. */
static u64 count_rows(const Scan *s, const Window *w, double left) {
  const float *sum = s->v->sum;
  float least = least_wanted(s, w, left);
  u64 n = 0;
  u32 i;
  for (i = 0; i < w->slots; i++) n += !(sum[i] < least);
  return n;
}

static int allowed_in(const Scan *s, const Window *w) {
  u64 slot = w->first, end = w->first + w->slots;
  if (s->allowed == NULL) return 1;
  for (; slot < end; slot += 64 - slot % 64) {
    if (s->allowed[slot / 64]) return 1;
  }
  return 0;
}

/* M1, M2 */
static int scan_window(Scan *s, Window *w) {
  Cursor **active = s->v->active;
  double wanted, left = 0;
  u64 postings = 0;
  u32 first, i;
  int rc;
  if (!allowed_in(s, w)) return SQLITE_OK;
  w->unsure = !(w->magnitude < LARGEST_SUM);
  w->error = (w->active + 4) * 0x1p-23 * w->magnitude + w->active * 0x1p-149;
  if (s->col->metric != METRIC_L2 && !w->unsure && w->up + w->error < score_at_most(s, s->pool->worst))
    return SQLITE_OK;
  rc = begin_sums(s, w);
  if (rc) return rc;
  w->unsure |= !(w->bias_magnitude < LARGEST_SUM);
  w->error += (w->active + 4) * 0x1p-23 * w->bias_magnitude;
  wanted = score_at_most(s, s->pool->worst) - w->bias_most - w->error;
  if (!w->unsure && w->up < wanted) return SQLITE_OK;
  first = w->active;
  while (!w->unsure && first > 0 && left + active[first - 1]->up < wanted) {
    left += active[--first]->up;
    postings += active[first]->count;
  }
  for (i = 0; i < first && rc == SQLITE_OK; i++) rc = add_block(w, active[i], s->v->sum);
  if (rc == SQLITE_OK && first < w->active && !isfinite(s->pool->low) &&
      count_rows(s, w, left) * COMPARE_POSTINGS <= postings)
    return take_rows(s, w, left, 0);
  for (i = first; i < w->active && rc == SQLITE_OK; i++) rc = add_block(w, active[i], s->v->sum);
  return rc ? rc : take_rows(s, w, 0, 1);
}

/* The query's terms that the segment has. */
static int open_cursors(Scan *s, u32 number, u32 *count) {
  Inverted *v = s->v;
  ArrayMap *map = &v->words[number];
  const Segment *segment = &v->at.segment[number];
  u32 i, from = 0, entry[TERM_WORDS];
  int rc = mem_reserve(&v->cursor, &v->cursor_cap, s->query.count, sizeof *v->cursor), found;
  if (rc == SQLITE_OK) rc = mem_reserve(&v->active, &v->active_cap, s->query.count, sizeof *v->active);
  *count = 0;
  for (i = 0; i < s->query.count && rc == SQLITE_OK; i++) {
    Cursor *c = &v->cursor[*count];
    rc = find_term(map, terms_at(s->col, segment), segment->terms, sparse_index(&s->query, i), &from, entry, &found);
    if (rc || !found) continue;
    memset(c, 0, sizeof *c);
    c->weight = (float)((double)sparse_value(&s->query, i) * s->scale);
    c->head = entry[1];
    c->blocks = entry[2];
    c->data = c->head + (u64)c->blocks * BLOCK_WORDS;
    ++*count;
  }
  return rc;
}

static int scan_segment(Scan *s, u32 number) {
  const Segment *segment = &s->v->at.segment[number];
  u32 windows = (segment->slots + INVERTED_WINDOW - 1) / INVERTED_WINDOW, cursors = 0, i;
  int rc = open_cursors(s, number, &cursors);
  Window w;
  memset(&w, 0, sizeof w);
  w.segment = segment;
  w.map = &s->v->words[number];
  w.small = !(s->least * (double)segment->least > LEAST_PRODUCT);
  for (i = 0; i < windows && rc == SQLITE_OK; i++) {
    w.first = segment->first + (u64)i * INVERTED_WINDOW;
    w.slots = MIN(INVERTED_WINDOW, segment->slots - i * INVERTED_WINDOW);
    rc = gather(s, &w, cursors, i);
    if (rc == SQLITE_OK) rc = scan_window(s, &w);
    if (rc == SQLITE_OK && interrupted(s->p)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

/* --- the whole --- */

static void describe_query(Scan *s) {
  u32 i;
  s->query = sparse_view(s->p->query);
  s->scale = inverted_scale(s->col, s->p->query);
  s->norm2 = sparse_norm2(&s->query);
  s->least = HUGE_VAL;
  for (i = 0; i < s->query.count; i++) s->least = MIN(s->least, fabs((double)sparse_value(&s->query, i) * s->scale));
}

/* The chosen slots as bits. */
static int chosen_bits(const IndexPass *p, u64 **out) {
  u64 i;
  int rc = SQLITE_OK;
  *out = mem_zeroed(&rc, (p->slots->slots + 63) / 64, sizeof **out);
  for (i = 0; i < p->chosen && rc == SQLITE_OK; i++) (*out)[p->only[i] / 64] |= (u64)1 << p->only[i] % 64;
  return rc;
}

static int inverted_search(IndexPass *p, Pool *pool) {
  Scan s = {.p = p, .pool = pool, .col = &p->slots->column[p->column], .allowed = p->allowed};
  u64 *bits = NULL;
  u32 i;
  int rc = SQLITE_OK;
  if (p->slots->slots == 0 || p->overlay->all_dead_at < p->length) return SQLITE_OK;
  if (!p->compare_all && s.col->metric != METRIC_L1) rc = inverted_of(p->slots, p->column, &s.v);
  if (rc) return rc;
  if (p->only && (s.v == NULL || p->chosen <= p->slots->slots / CHOSEN_SHARE)) return compare_chosen(&s);
  if (p->only) {
    rc = chosen_bits(p, &bits);
    s.allowed = bits;
  }
  describe_query(&s);
  for (i = 0; s.v && i < s.v->at.segments && rc == SQLITE_OK; i++) rc = scan_segment(&s, i);
  if (rc == SQLITE_OK) rc = compare_from(&s, s.v ? s.v->at.covered : 0);
  mem_free(bits);
  return rc;
}

static int inverted_ready(const Slots *slots, u32 column) {
  (void)slots, (void)column;
  return 1;
}

const IndexMethods inverted_index = {"inverted", inverted_ready, 1, 0, 0, NULL, NULL, NULL, inverted_search, NULL};

/* --- checking --- */

static int inverted_pages(Slots *slots, u32 column, PageVisit visit, void *arg) {
  InvertedArrays v;
  PageRef ref = slots->column[column].structure_ref;
  int rc = inverted_open(&v, slots, column, ref);
  if (rc == SQLITE_OK) rc = structure_walk(v.words, INVERTED_SEGMENTS, ref, visit, arg);
  inverted_close(&v);
  return rc;
}

static int say(char **problem, const char *format, u64 number) {
  if (*problem) return SQLITE_OK;
  *problem = sqlite3_mprintf(format, number);
  return *problem ? SQLITE_OK : SQLITE_NOMEM;
}

/* A segment that is checked. */
typedef struct Check {
  Inverted *v;
  const Segment *segment;
  ArrayMap *map;
  u64 met; /* postings of rows that live */
  char **problem;
} Check;

/* Whether a posting is what the slot's vector says. */
static int check_posting(Check *k, u32 term, u32 slot, float weight) {
  const SlotColumn *col = &k->v->slots->column[k->v->column];
  u64 at = k->segment->first + slot;
  const u8 *vector;
  PageHold hold;
  Sparse x;
  u32 lo = 0, hi;
  int present = 0, rc = slots_present(k->v->slots, k->v->column, at, &present);
  if (rc || !present) return rc;
  rc = col->form->get(k->v->slots, k->v->column, at, &vector, &hold);
  if (rc) return rc;
  x = sparse_view(vector);
  for (hi = x.count; lo < hi;) {
    u32 middle = lo + (hi - lo) / 2;
    if (sparse_index(&x, middle) < term)
      lo = middle + 1;
    else
      hi = middle;
  }
  if (lo == x.count || sparse_index(&x, lo) != term ||
      weight != (float)((double)sparse_value(&x, lo) * inverted_scale(col, vector)))
    rc = say(k->problem, "inverted lists: a posting of slot %llu is not its vector's", at);
  pages_release(k->v->slots->pages, &hold);
  k->met++;
  return rc;
}

/* A term's blocks: in order, within their bounds. */
static int check_term(Check *k, u32 term, u64 head, u32 blocks) {
  u64 data = head + (u64)blocks * BLOCK_WORDS;
  i64 before = -1;
  u32 b, i, words[BLOCK_WORDS], word;
  int rc = SQLITE_OK;
  for (b = 0; b < blocks && rc == SQLITE_OK && *k->problem == NULL; b++) {
    u32 count;
    rc = read_words(k->map, head + (u64)b * BLOCK_WORDS, BLOCK_WORDS, words);
    count = (words[0] & 0xffff) + 1;
    for (i = 0; i < count && rc == SQLITE_OK && *k->problem == NULL; i++) {
      float weight;
      i64 slot;
      rc = read_words(k->map, data + i / 2, 1, &word);
      if (rc) break;
      slot = (i64)(words[0] >> 16) * INVERTED_WINDOW + (i % 2 ? word >> 16 : word & 0xffff);
      rc = read_words(k->map, data + (count + 1) / 2 + i, 1, &word);
      if (rc) break;
      weight = f32_of_bits(word);
      if (slot <= before || slot >= k->segment->slots || slot / INVERTED_WINDOW != words[0] >> 16)
        return say(k->problem, "inverted lists: the slots of term %llu do not ascend", term);
      if (!(weight <= f32_of_bits(words[1]) && weight >= f32_of_bits(words[2]) && fabsf(weight) >= k->segment->least))
        return say(k->problem, "inverted lists: a weight of term %llu is beyond the bounds of its block", term);
      before = slot;
      rc = check_posting(k, term, (u32)slot, weight);
    }
    data += block_words(count);
  }
  return rc;
}

/* The norms, and that no vector has more terms than were met. */
static int check_slots(Check *k) {
  const SlotColumn *col = &k->v->slots->column[k->v->column];
  u64 values = 0;
  u32 i, word = 0;
  int rc = SQLITE_OK;
  for (i = 0; i < k->segment->slots && rc == SQLITE_OK && *k->problem == NULL; i++) {
    u64 slot = k->segment->first + i;
    const u8 *vector;
    PageHold hold;
    int present = 0;
    rc = slots_present(k->v->slots, k->v->column, slot, &present);
    if (rc || !present) continue;
    rc = col->form->get(k->v->slots, k->v->column, slot, &vector, &hold);
    if (rc) break;
    values += sparse_view(vector).count;
    if (col->metric == METRIC_L2) {
      rc = read_words(k->map, i, 1, &word);
      if (rc == SQLITE_OK && word != f32_bits(inverted_bias(vector)))
        rc = say(k->problem, "inverted lists: the norm of slot %llu is not its vector's", slot);
    }
    pages_release(k->v->slots->pages, &hold);
  }
  if (rc == SQLITE_OK && values != k->met)
    rc = say(k->problem, "inverted lists: %llu values are in none of them", values - k->met);
  return rc;
}

static int check_segment(Check *k) {
  u64 entries = terms_at(&k->v->slots->column[k->v->column], k->segment);
  u32 i, entry[TERM_WORDS];
  i64 before = -1;
  int rc = SQLITE_OK;
  k->met = 0;
  for (i = 0; i < k->segment->terms && rc == SQLITE_OK && *k->problem == NULL; i++) {
    rc = read_words(k->map, entries + (u64)i * TERM_WORDS, TERM_WORDS, entry);
    if (rc) break;
    if (entry[0] <= before) return say(k->problem, "inverted lists: term %llu is not in order", entry[0]);
    before = entry[0];
    rc = check_term(k, entry[0], entry[1], entry[2]);
  }
  return rc || *k->problem ? rc : check_slots(k);
}

static int inverted_check(Slots *slots, u32 column, char **problem) {
  Check k = {.problem = problem};
  u32 i;
  int rc = inverted_of(slots, column, &k.v);
  for (i = 0; k.v && i < k.v->at.segments && rc == SQLITE_OK && *problem == NULL; i++) {
    k.segment = &k.v->at.segment[i];
    k.map = &k.v->words[i];
    rc = check_segment(&k);
  }
  return rc;
}

static u32 inverted_row_bytes(const SlotColumn *col) {
  return (u32)MIN(col->form->row_bytes(col), 0x7fffffff); /* postings are about as large as vectors */
}

static void inverted_count(Slots *slots, u32 column, TableCounts *counts) {
  InvertedArrays v;
  u32 i;
  counts->list_rows = MAX(counts->list_rows, slots->column[column].covered);
  if (inverted_open(&v, slots, column, slots->column[column].structure_ref) == SQLITE_OK) {
    counts->segments += v.segments;
    for (i = 0; i < v.segments; i++) counts->lists += v.segment[i].terms;
  }
  inverted_close(&v);
}

const StructureMethods inverted_structure = {
    PAGE_INVERTED,  INVERTED_SEGMENTS, inverted_array_id, inverted_row_bytes, inverted_fold,
    inverted_pages, inverted_check,    inverted_count,    close_opened,       0};
