/*
 * search.c: nearest rows of a snapshot: pages by the column's index, the overlay exactly, or content rows when there is no page file.
 *
 * A pass fills a pool with candidates by the scan kernels' values; their distances are then computed exactly. What the caller gets
 * is exact:
 *
 *   Q1  When the pool is full with largest value w, a row that is not in it has a value >= w, so its true distance is at least w - e with
 *       e = distance_error(w). Candidates below that are complete; if they are too few the pass is repeated with a larger pool.
 *   Q2  A pass after the first leaves out rows that were given: those at or before the last hit's (distance, rowid).
 *   Q3  Where float32 overflowed or could not tell, the value is the true one (scan_value), so every value in a pool is finite.
 *   Q4  With an index that approximates, the first pass gives its best; a later one looks further and leaves out the rows that were given (`seen`), by
 *       their rowids, since one that was missed may be nearer than the last given: what one call gives is sorted as a whole. When it would have to look at a good part of all rows,
 *       or distances are bounded or rows chosen, the search is exact, to the last row. Of what a pass of a graph has found (`found`) more is
 *       compared only when more is asked for: half of what was compared can be given, and no more than the pass was for.
 *   Q5  A damaged page before the first hit: the search starts anew over the content rows; after it: SQLITE_CORRUPT_VTAB (S15), or what snapshot_damaged says.
 *   Q6  Where the values in a pool are distances (the content rows' are, and those of an index that says so), a full pool is complete to its largest
 *       (distance, rowid), and the next pass begins after the last hit's.
 *   Q7  A row that is named is looked for at the slot that the rowid map says. Whether that is the row's slot is checked when it is given.
 */
#include "search.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "index.h"
#include "portable.h"

#define RETRY_GROWTH 8u
/* With fewer chosen slots than this share of all, they are visited one by one, else the scan runs over all. */
#define GATHER_SHARE 4u
#define RESOLVE_BATCH 4096u
#define PASS_GROWTH 4u
#define MAX_GROWTH (1u << 12)

struct Search {
  Snapshot *snap; /* or, where it is NULL: */
  SearchRows *rows_given;
  SnapshotParts at;
  Slots *slots;
  u32 column;
  Elem elem;
  Metric metric;
  u32 dim;
  IndexShape index; /* of the snapshot: commands may change the table's while this search goes on */
  void *query;
  CodeQuery *codes; /* NULL: not needed yet */
  const i64 *rowids;
  u64 rowid_count;
  Filter *filter;
  double min, max;
  int min_open, max_open;
  int (*interrupted)(void *arg);
  void *interrupt_arg;

  int content; /* answer from content rows */
  /* the rows that are chosen, if not all are */
  int restricted;
  u32 *list; /* their slots, ascending, and the same as bits: each made when it is needed */
  u64 *bits;
  u64 chosen;       /* how many */
  SlotBits *passed; /* by the filter: `bits` are these */
  int guessed;      /* which these are is not known yet (F3), and `chosen` is a guess */
  SlotSet *set;     /* those named: `list` are these, and `bits` */
  u32 *rows;        /* of the overlay, those of the rowid set */
  u64 row_count;
  float norm2_max;
  int norm2_known; /* a pass over all rows has been made */
  double query_norm2;

  const IndexMethods *method; /* of this pass */
  const IndexMethods *scan;   /* the exact one */
  int distances;              /* Q6 */
  int compare_all;
  int by_codes;               /* of the last pass: IndexPass */
  u32 ef, nprobe, oversample; /* of an approximate pass; the first two times `growth` */
  u64 likely;                 /* rows that may be asked for before there is another one */
  u32 growth;
  SlotQueue found; /* by the last of them, which was for `pass_rows`, with those given before */
  u64 pass_rows;
  i64 *seen; /* rowids given by approximate passes; ascending, but for those given since the last */
  u64 seen_count, seen_cap;

  u64 compared; /* rows so far */
  u64 late;     /* Q4: nearer than one before */
  double farthest;
  SearchHit *ready;
  u64 ready_at, ready_count, ready_cap;
  int exhausted;
  int given;     /* `last` is the last hit of an exact pass */
  int delivered; /* any hit at all was given */
  SearchHit last;
};

/* --- opening --- */

static int compare_slots(const void *a, const void *b) {
  u32 x = *(const u32 *)a, y = *(const u32 *)b;
  return (x > y) - (x < y);
}

/* The slots that pass the filter. */
static int find_passed(Search *s) {
  Slots *slots = s->slots;
  int rc = filter_slots(&slots->filters, &slots->fields, &slots->column[s->column].present, s->column, s->filter,
                        s->at.overlay, s->at.length, &s->passed);
  if (rc) return rc;
  s->bits = s->passed->bits;
  s->chosen = s->passed->chosen;
  s->guessed = 0;
  return SQLITE_OK;
}

/* The slots that pass, or, for a method that may do without, about how many these are. */
static int resolve_filter(Search *s) {
  Slots *slots = s->slots;
  Array *present = &slots->column[s->column].present;
  double share = 0;
  int rc;
  if (slots->slots == 0) return SQLITE_OK;
  if (!s->method->codes || filter_is_known(slots->filters, s->column, s->filter)) return find_passed(s);
  rc = filter_guess(&slots->filters, &slots->fields, present, s->column, s->filter, &share);
  s->chosen = (u64)MAX(share * (double)slots->live, 1);
  s->guessed = 1;
  return rc;
}

/* The slots of the set's rows; dead ones and unknown ones left out. */
static int find_slots(Search *s, SlotSet *set) {
  u64 first, i;
  int rc = SQLITE_OK;
  for (first = 0; first < set->rowids && rc == SQLITE_OK; first += RESOLVE_BATCH) {
    u64 n = MIN(set->rowids - first, RESOLVE_BATCH);
    u32 *slot = set->slot + set->chosen;
    rc = rowmap_find_many(&s->slots->map, set->rowid + first, n, slot);
    if (rc == SQLITE_OK) rc = slots_keep_live(s->slots, slot, &n);
    if (rc == SQLITE_OK) set->chosen += n;
    if (s->interrupted && s->interrupted(s->interrupt_arg)) rc = SQLITE_INTERRUPT;
  }
  for (i = 1; i < set->chosen && set->slot[i - 1] < set->slot[i]; i++) {
  }
  if (rc || i >= set->chosen) return rc;
  qsort(set->slot, (size_t)set->chosen, sizeof *set->slot, compare_slots);
  for (i = 1; i < set->chosen; i++) {
    if (set->slot[i - 1] == set->slot[i]) return CORRUPT(s->slots->table.pgno); /* of two rows */
  }
  return SQLITE_OK;
}

/* Rows that the pages have, by name (F2). */
static int resolve_in_pages(Search *s, const i64 *rowids, u64 count) {
  SlotSet *set = filter_last_set(s->slots->filters, rowids, count);
  int rc = SQLITE_OK;
  if (set == NULL) {
    rc = slot_set_new(rowids, count, &set);
    if (rc == SQLITE_OK) rc = find_slots(s, set);
    if (rc == SQLITE_OK) filter_keep_set(&s->slots->filters, set);
  }
  if (rc) {
    slot_set_release(set);
    return rc;
  }
  s->set = set;
  s->list = set->slot;
  s->chosen = set->chosen;
  return SQLITE_OK;
}

/* Those of the named rows that pass the filter, too: a list of this search's own. */
static int filter_set(Search *s) {
  int rc = SQLITE_OK;
  u32 *own = mem_array(&rc, s->chosen, sizeof *own);
  if (rc) return rc;
  if (s->chosen) memcpy(own, s->list, (size_t)s->chosen * sizeof *own);
  slot_set_release(s->set);
  s->set = NULL;
  s->list = own;
  return filter_list(&s->slots->fields, s->filter, s->at.overlay, s->at.length, s->list, &s->chosen);
}

/* Where the rows of the set lie: slots of the pages, rows of the overlay. */
static int resolve_set(Search *s) {
  i64 *rest = NULL; /* not in the overlay */
  u64 i, n = 0;
  int rc = SQLITE_OK;
  if (s->content) return SQLITE_OK;
  if (s->rowids == NULL) return s->filter ? resolve_filter(s) : SQLITE_OK;
  if (s->at.overlay->rows == 0) {
    rc = resolve_in_pages(s, s->rowids, s->rowid_count);
  } else {
    rest = mem_array(&rc, s->rowid_count, sizeof *rest);
    s->rows = mem_array(&rc, s->rowid_count, sizeof *s->rows);
    for (i = 0; i < s->rowid_count && rc == SQLITE_OK; i++) {
      u32 row = overlay_find(s->at.overlay, s->at.length, s->rowids[i]);
      if (row == NO_ROW)
        rest[n++] = s->rowids[i];
      else
        s->rows[s->row_count++] = row;
    }
    if (rc == SQLITE_OK) rc = resolve_in_pages(s, rest, n);
    mem_free(rest);
  }
  return rc == SQLITE_OK && s->filter ? filter_set(s) : rc;
}

static int need_list(Search *s) {
  u64 words = (s->slots->slots + 63) / 64, i, n = 0;
  int rc = SQLITE_OK;
  if (s->list) return SQLITE_OK;
  s->list = mem_array(&rc, s->chosen, sizeof *s->list);
  for (i = 0; i < words && rc == SQLITE_OK; i++) {
    u64 word = s->bits[i];
    for (; word && n < s->chosen; word &= word - 1) s->list[n++] = (u32)(i * 64 + low_bit(word));
  }
  return rc;
}

static int need_bits(Search *s) {
  int rc;
  if (s->bits) return SQLITE_OK;
  if (s->set) {
    rc = slot_set_bits(s->set, s->slots->slots);
    s->bits = s->set->bits;
    return rc;
  }
  rc = SQLITE_OK;
  s->bits = mem_zeroed(&rc, (s->slots->slots + 63) / 64, sizeof *s->bits);
  if (rc == SQLITE_OK) slots_to_bits(s->list, s->chosen, s->bits);
  return rc;
}

/* The bits of the slots that pass, or of the set's rows, for a pass that finds out that it needs them. */
static int find_for_pass(void *arg, IndexPass *pass) {
  Search *s = arg;
  int rc = s->list ? need_bits(s) : find_passed(s);
  pass->allowed = s->bits;
  pass->chosen = s->chosen;
  return rc;
}

/* Q5 */
static int fall_to_content(Search *s, int rc) {
  if (rc != SQLITE_CORRUPT_VTAB || s->content) return rc;
  rc = snapshot_damaged(s->snap);
  if (s->delivered) return rc;
  s->content = s->distances = 1;
  s->method = s->scan;
  return SQLITE_OK;
}

static double norm2(Elem elem, const void *v, u32 dim) {
  double sum = 0;
  u32 i;
  for (i = 0; i < dim; i++) sum += elem_get(elem, v, i) * elem_get(elem, v, i);
  return sum;
}

/* What all passes have in common. */
static void describe_pass(Search *s, u64 want, IndexPass *pass) {
  memset(pass, 0, sizeof *pass);
  pass->slots = s->slots;
  pass->column = s->column;
  pass->query = s->query;
  pass->overlay = s->at.overlay;
  pass->length = s->at.length;
  pass->chosen = s->chosen;
  pass->only = s->list;
  pass->allowed = s->bits;
  pass->filter = s->guessed ? s->filter : NULL;
  pass->find_allowed = find_for_pass;
  pass->find_arg = s;
  pass->codes = &s->codes;
  pass->found = &s->found;
  pass->norm2_max = s->norm2_max;
  pass->ef = s->ef;
  pass->nprobe = s->nprobe;
  pass->growth = s->growth;
  pass->want = want;
  pass->likely = MAX(want, s->likely);
  pass->oversample = s->oversample;
  pass->compare_all = s->compare_all;
  pass->interrupted = s->interrupted;
  pass->interrupt_arg = s->interrupt_arg;
}

/* Chosen rows are compared one by one when they are few; and when that is quicker than to walk a graph among the others. */
static int by_list(const Search *s) { return s->restricted && s->chosen <= s->slots->slots / GATHER_SHARE; }
static int exact_is_quicker(Search *s, u64 want) {
  static const u32 any;
  static const u64 some;
  IndexPass pass;
  double walk;
  if (!s->restricted) return 0;
  describe_pass(s, want, &pass);
  pass.only = s->list && s->method->codes && by_list(s) ? &any : NULL;
  pass.allowed = s->guessed || pass.only ? NULL : &some;
  walk = s->method->cost(&pass);
  pass.only = by_list(s) ? &any : NULL;
  pass.allowed = s->guessed || s->list ? NULL : &some;
  return flat_index.cost(&pass) <= walk;
}

/* Exact wherever that is asked for, or is what the index would come to (Q4). */
static const IndexMethods *first_method(const Search *s, const SearchRequest *r) {
  const IndexMethods *index = index_find(s->index.kind);
  if (!index->approximate || s->content || r->exact || !index->ready(s->slots, r->column)) return s->scan;
  return isinf(r->min) && isinf(r->max) ? index : s->scan;
}

u32 search_modes(const IndexShape *index, int restricted, int ranged) {
  u32 modes = 1u << SEARCH_SCAN;
  if (restricted) modes |= 1u << SEARCH_CHOSEN;
  if (index_find(index->kind)->approximate && !ranged) {
    modes |= 1u << (restricted ? SEARCH_INDEX_FILTERED : SEARCH_INDEX);
    if (restricted && index_find(index->kind)->codes) modes |= 1u << SEARCH_CHOSEN_CODES;
  }
  return modes;
}

/* A search of rows of this shape; where the rows are is the caller's to say. */
static Search *search_new(const SearchRequest *r, const VectorShape *shape, int *rc) {
  u64 size;
  Search *s = mem_zeroed(rc, 1, sizeof *s);
  if (s == NULL) return NULL;
  s->column = r->column;
  s->elem = (Elem)shape->elem;
  s->metric = (Metric)shape->metric;
  s->dim = shape->dim;
  s->index = shape->index;
  s->rowids = r->rowids;
  s->filter = r->filter;
  s->restricted = r->rowids || r->filter;
  s->rowid_count = r->rowid_count;
  s->min = r->min;
  s->max = r->max;
  s->min_open = r->min_open;
  s->max_open = r->max_open;
  s->interrupted = r->interrupted;
  s->interrupt_arg = r->interrupt_arg;
  s->compare_all = r->exact != 0;
  s->scan = index_find(s->index.kind);
  if (s->scan->approximate) s->scan = &flat_index;
  s->method = s->scan;
  s->distances = s->scan->distances;
  size = vector_bytes(s->elem, s->dim, r->query);
  s->query = mem_aligned(rc, MAX(size, 64));
  if (*rc) {
    search_close(s);
    return NULL;
  }
  memcpy(s->query, r->query, (size_t)size);
  if (s->metric == METRIC_DOT && !s->distances) s->query_norm2 = norm2(s->elem, s->query, s->dim);
  return s;
}

int search_open(const SearchRequest *r, Search **out) {
  SnapshotParts at;
  int rc = SQLITE_OK;
  Search *s;
  snapshot_parts(r->snap, &at);
  s = search_new(r, &at.shape->vector[r->column], &rc);
  if (rc) return rc;
  s->snap = snapshot_retain(r->snap);
  s->at = at;
  s->slots = at.view;
  s->content = at.degraded;
  s->distances |= s->content;
  s->method = first_method(s, r);
  s->oversample = r->oversample ? r->oversample : s->index.oversample;
  s->ef = r->ef_search ? r->ef_search : s->index.ef_search;
  s->nprobe = r->nprobe ? r->nprobe : s->index.nprobe;
  if (r->nprobe == 0 && s->method->probes) s->nprobe = s->method->probes(s->slots, s->column, s->nprobe);
  s->likely = r->rows ? 0 : s->ef;
  s->growth = 1;
  if (r->filter) filter_allow_others(r->filter, s->content ? ~(u64)0 : s->slots->fields.others | s->at.overlay->others);
  rc = fall_to_content(s, resolve_set(s));
  if (rc) {
    search_close(s);
    return rc;
  }
  *out = s;
  return SQLITE_OK;
}

int search_open_rows(const SearchRequest *r, const VectorShape *shape, SearchRows *rows, Search **out) {
  int rc = SQLITE_OK;
  Search *s = search_new(r, shape, &rc);
  if (rc) {
    rows->close(rows);
    return rc;
  }
  s->rows_given = rows;
  s->content = s->distances = 1;
  *out = s;
  return SQLITE_OK;
}

void search_close(Search *s) {
  if (s == NULL) return;
  mem_aligned_free(s->query);
  codes_query_free(s->codes);
  if (s->set == NULL) mem_free(s->list);
  if (s->set == NULL && s->passed == NULL) mem_free(s->bits);
  slot_bits_release(s->passed);
  slot_set_release(s->set);
  mem_free(s->rows);
  mem_free(s->ready);
  mem_free(s->seen);
  mem_free(s->found.slot);
  snapshot_release(s->snap);
  if (s->rows_given) s->rows_given->close(s->rows_given);
  mem_free(s);
}

int search_is_certain(const Search *s) { return s->filter == NULL || !s->filter->uncertain; }

u64 search_late(const Search *s) { return s->late; }

u64 search_first(const Search *s) { return s->method->compare ? PASS_ROWS : MAX(s->ef, PASS_ROWS); }

u64 search_chosen(const Search *s) { return s->chosen; }

u64 search_distances(const Search *s) { return s->compared; }

u32 search_nprobe(const Search *s) { return s->nprobe; }

SearchMode search_mode(const Search *s) {
  if (s->content) return SEARCH_CONTENT;
  if (s->method != &flat_index && !s->compare_all) {
    if (!s->restricted) return SEARCH_INDEX;
    return s->by_codes ? SEARCH_CHOSEN_CODES : SEARCH_INDEX_FILTERED;
  }
  return by_list(s) ? SEARCH_CHOSEN : SEARCH_SCAN;
}

/* --- units: what the user sees, and what the scan kernels give --- */

static double order_value(const Search *s, double distance) {
  return s->metric == METRIC_L2 && !s->distances ? distance * distance : distance;
}

/* Slack around an order value: the kernels' error, and the rounding of the distances that users see to float. */
static double slack(const Search *s, double value) {
  double product;
  if (s->distances) return 0;
  product = s->metric == METRIC_DOT ? s->query_norm2 * (double)s->norm2_max : 0;
  return distance_error(s->metric, s->elem, s->dim, fabs(value), product) + fabs(value) * (4.0 * FLT_EPSILON) + FLT_MIN;
}

/* --- one pass --- */

static double exact(const Search *s, const void *vector) {
  return distance_exact(s->metric, s->elem, s->query, vector, s->dim);
}

/* Whether an ascending list has the rowid. */
static int has_rowid(const i64 *rowids, u64 count, i64 rowid) {
  u64 lo = 0, hi = count;
  while (lo < hi) {
    u64 mid = lo + (hi - lo) / 2;
    if (rowids[mid] < rowid)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < count && rowids[lo] == rowid;
}

static int in_set(const Search *s, i64 rowid) {
  return s->rowids == NULL || has_rowid(s->rowids, s->rowid_count, rowid);
}

/* Whether a hit lies in the asked range and was not given yet (Q2, Q4). */
static int counts(const Search *s, double d, i64 rowid) {
  if (d < s->min || (s->min_open && d == s->min) || d > s->max || (s->max_open && d == s->max)) return 0;
  if (s->seen_count && has_rowid(s->seen, s->seen_count, rowid)) return 0;
  if (!s->given) return 1;
  return d > s->last.distance || (d == s->last.distance && rowid > s->last.rowid);
}

static void offer_row(Search *s, Pool *pool, u32 row, double value) {
  const OverlayRow *r = overlay_row(s->at.overlay, row);
  if (!pool_wants(pool, value) || !overlay_visible(r, s->at.length) || !(r->present >> s->column & 1)) return;
  if (s->filter && !filter_passes(s->filter, overlay_fields(s->at.overlay, row))) return;
  pool_offer(pool, value, r->rowid, POOL_OVERLAY | row);
}

/* The same, with the true value. */
static void compare_row(Search *s, Pool *pool, u32 row) {
  const OverlayRow *r = overlay_row(s->at.overlay, row);
  if (!overlay_visible(r, s->at.length) || !(r->present >> s->column & 1)) return;
  s->compared++;
  offer_row(s, pool, row, order_value(s, exact(s, overlay_vector(s->at.overlay, row, s->column))));
}

static void scan_overlay(Search *s, Pool *pool) {
  const Overlay *o = s->at.overlay;
  DistanceScan scan = distance_scan(s->metric, s->elem);
  float value[OVERLAY_CHUNK];
  u32 first, i;
  if (s->rowids) {
    u64 k;
    for (k = 0; k < s->row_count; k++) compare_row(s, pool, s->rows[k]);
    return;
  }
  if (s->distances) {
    for (i = 0; i < o->rows; i++) compare_row(s, pool, i);
    return;
  }
  for (first = 0; first < o->rows; first += OVERLAY_CHUNK) {
    u32 n = MIN(OVERLAY_CHUNK, o->rows - first);
    const u8 *rows = overlay_vector(o, first, s->column);
    scan(s->query, rows, o->stride[s->column], n, s->dim, value, &s->norm2_max);
    s->compared += n;
    for (i = 0; i < n; i++) {
      if (!scan_wants(pool, value[i])) continue;
      offer_row(s, pool, first + i,
                scan_value(s->metric, s->elem, s->dim, s->query, rows + (size_t)i * o->stride[s->column], value[i]));
    }
  }
}

static int scan_pages(Search *s, Pool *pool, u64 want) {
  IndexPass pass;
  int rc = s->guessed && !s->method->codes ? find_passed(s) : SQLITE_OK;
  int as_list = by_list(s) && (!s->method->approximate || (s->method->codes && s->list));
  if (rc || (s->restricted && s->chosen == 0)) return rc;
  if (s->restricted && !s->guessed) rc = as_list ? need_list(s) : need_bits(s);
  if (rc) return rc;
  describe_pass(s, want, &pass);
  if (!as_list) pass.only = NULL;
  rc = s->method->search(&pass, pool);
  s->norm2_max = pass.norm2_max;
  s->compared += pass.compared;
  s->by_codes = pass.by_codes;
  return rc;
}

typedef struct ContentScan {
  Search *search;
  Pool *pool;
  u64 polled;
} ContentScan;

static int content_row(void *arg, i64 rowid, const void *const *vectors, const u64 *fields) {
  ContentScan *c = arg;
  Search *s = c->search;
  double d;
  if (++c->polled % 4096 == 0 && s->interrupted && s->interrupted(s->interrupt_arg)) return SQLITE_INTERRUPT;
  if (vectors[s->column] == NULL || !in_set(s, rowid)) return SQLITE_OK;
  if (s->filter && !filter_passes(s->filter, fields)) return SQLITE_OK;
  d = exact(s, vectors[s->column]);
  s->compared++;
  if (pool_wants(c->pool, d) && counts(s, d, rowid)) pool_offer(c->pool, d, rowid, 0);
  return SQLITE_OK;
}

/* The exact distance of a candidate. */
static int candidate_distance(Search *s, const Candidate *c, double *distance) {
  SlotColumn *col;
  const u8 *row;
  PageHold hold;
  int rc;
  if (s->distances) {
    *distance = c->value;
    return SQLITE_OK;
  }
  if (c->ref & POOL_EXACT) {
    *distance = s->metric == METRIC_L2 ? sqrt(c->value)
                                       : c->value; /* the square of a float, so that its root is that float again */
    return SQLITE_OK;
  }
  if (c->ref & POOL_OVERLAY) {
    *distance = exact(s, overlay_vector(s->at.overlay, (u32)c->ref, s->column));
    return SQLITE_OK;
  }
  col = &s->slots->column[s->column];
  rc = array_item(&col->vectors, c->ref, &row, &hold);
  if (rc) return rc;
  *distance = exact(s, row);
  pages_release(s->slots->pages, &hold);
  return isnan(*distance) ? CORRUPT(s->slots->table.pgno) : SQLITE_OK;
}

static int compare_hits(const void *a, const void *b) {
  const SearchHit *x = a, *y = b;
  if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
  return (x->rowid > y->rowid) - (x->rowid < y->rowid);
}

/* A few are sorted by insertion, which asks for no memory. */
static void sort_hits(SearchHit *hits, u64 n) {
  u64 i, at;
  if (n > 64) {
    qsort(hits, (size_t)n, sizeof *hits, compare_hits);
    return;
  }
  for (i = 1; i < n; i++) {
    SearchHit hit = hits[i];
    for (at = i; at > 0 && compare_hits(&hits[at - 1], &hit) > 0; at--) hits[at] = hits[at - 1];
    hits[at] = hit;
  }
}

/* Turn the pool into ready hits: those that are complete (Q1) and not given before (Q2), among those that are ready. */
static int take_hits(Search *s, const Pool *pool) {
  double bound = HUGE_VAL; /* hits with a smaller order value are complete */
  u64 i, n = s->ready_count - s->ready_at;
  int rc = mem_reserve(&s->ready, &s->ready_cap, n + pool->count, sizeof *s->ready);
  if (rc) return rc;
  if (s->ready_at) memmove(s->ready, s->ready + s->ready_at, (size_t)n * sizeof *s->ready);
  s->ready_at = 0;
  s->ready_count = n;
  if (pool_full(pool) && !s->distances && !s->method->approximate)
    bound = pool->heap[0].value - slack(s, pool->heap[0].value);
  for (i = 0; i < pool->count; i++) {
    SearchHit hit;
    hit.rowid = pool->heap[i].rowid;
    rc = candidate_distance(s, &pool->heap[i], &hit.distance);
    if (rc) return rc;
    if (order_value(s, hit.distance) >= bound || !counts(s, hit.distance, hit.rowid)) continue;
    if (!in_set(s, hit.rowid)) return CORRUPT(0); /* Q7 */
    s->ready[n++] = hit;
  }
  sort_hits(s->ready, n);
  s->ready_count = n;
  s->exhausted = !pool_full(pool) && !s->method->approximate;
  return SQLITE_OK;
}

/* What a pass has offered to the pool becomes hits, if all is well; the pool is freed. */
static int end_pass(Search *s, Pool *pool, int rc) {
  if (rc == SQLITE_OK) rc = pool->rc;
  if (rc == SQLITE_OK && pool->nonfinite) rc = CORRUPT(0); /* Q3; stored vectors are finite (L3) */
  if (rc == SQLITE_OK) rc = take_hits(s, pool);
  pool_free(pool);
  return rc;
}

static int run_pass(Search *s, u64 cap, u64 want) {
  Pool pool;
  double low = -HUGE_VAL, limit = HUGE_VAL, from = s->given ? MAX(s->min, s->last.distance) : s->min;
  int slack_known = s->metric != METRIC_DOT || s->norm2_known || s->distances, rc;
  if (isfinite(from) && slack_known) low = order_value(s, from) - slack(s, order_value(s, from));
  if (s->metric == METRIC_L2 && from < 0) low = -HUGE_VAL;
  if (isfinite(s->max) && slack_known) limit = order_value(s, s->max) + slack(s, order_value(s, s->max));
  if (s->metric == METRIC_L2 && s->max < 0) limit = -1;
  if (s->distances) {
    low = from;
    limit = s->max;
  }
  s->ready_at = s->ready_count = 0;
  pool_init(&pool, cap, low, limit);
  if (s->distances && s->given) pool_after(&pool, s->last.distance, s->last.rowid);
  if (s->content) {
    ContentScan scan = {s, &pool, 0};
    rc = s->rows_given ? s->rows_given->each(s->rows_given, content_row, &scan)
                       : snapshot_content(s->snap, content_row, &scan);
  } else {
    rc = scan_pages(s, &pool, want);
    scan_overlay(s, &pool);
    if (rc == SQLITE_OK) s->norm2_known = 1;
  }
  return end_pass(s, &pool, rc);
}

static int compare_rowids(const void *a, const void *b) {
  i64 x = *(const i64 *)a, y = *(const i64 *)b;
  return (x > y) - (x < y);
}

/* Whether more of what the last pass has found is worth comparing. */
static int more_found(const Search *s) {
  return s->method->compare && s->seen_count < s->pass_rows && s->found.at < s->found.count;
}

/* How many of the ready hits can be given now. */
static u64 givable(const Search *s) {
  u64 ready = s->ready_count - s->ready_at, sure = s->pass_rows;
  if (s->method->compare == NULL) return ready;
  if (more_found(s)) sure = MIN(sure, s->found.compared / COMPARED_TIMES);
  return MIN(ready, sure - MIN(sure, s->seen_count));
}

/* Compare more of what the last pass has found. */
static int compare_more(Search *s, u64 want) {
  u64 most = COMPARED_TIMES * (s->seen_count + want);
  IndexPass pass;
  Pool pool;
  int rc;
  most = MAX(most - MIN(most, s->found.compared), PASS_ROWS);
  pool_init(&pool, most, -HUGE_VAL, HUGE_VAL);
  describe_pass(s, s->seen_count + want, &pass);
  rc = s->method->compare(&pass, &pool, most);
  s->compared += pass.compared;
  return end_pass(s, &pool, rc);
}

/* The next approximate pass, or more of the last one, or the turn to exact ones (Q4). *done: hits can be given. */
static int fill_approximately(Search *s, u64 want, int *done) {
  u64 total = s->seen_count + MAX(want, PASS_ROWS), room = 0;
  IndexPass pass;
  int rc;
  *done = 0;
  if (s->seen_count) qsort(s->seen, (size_t)s->seen_count, sizeof *s->seen, compare_rowids);
  if (more_found(s)) {
    rc = compare_more(s, want);
    if (rc == SQLITE_OK) *done = givable(s) > 0;
    return rc;
  }
  if (s->seen_count) s->growth = MIN(s->growth * PASS_GROWTH, MAX_GROWTH);
  describe_pass(s, total, &pass);
  rc = s->method->room(&pass, &room);
  if (rc) return rc;
  if (room == 0 || exact_is_quicker(s, s->seen_count + want)) {
    s->method = s->scan;
    return SQLITE_OK;
  }
  s->found.at = s->found.count = s->found.compared = 0;
  s->pass_rows = MAX(total, s->likely);
  rc = run_pass(s, MAX(total, room), s->seen_count + want);
  if (rc == SQLITE_OK && s->ready_count == 0) s->method = s->scan;
  *done = givable(s) > 0;
  return rc;
}

/* Make at least one hit ready, `want` if there are as many. */
static int fill(Search *s, u64 want) {
  u64 need = MAX(want, PASS_ROWS), cap = need + MAX(need / 8, 16) + s->seen_count;
  for (;;) {
    int was_content = s->content, rc, done = 0;
    if (s->method->approximate) {
      rc = fall_to_content(s, fill_approximately(s, want, &done));
      if (rc || done) return rc;
      continue;
    }
    /* one more than there are rows is never full */
    if (!s->content) cap = MIN(cap, s->slots->slots + s->at.overlay->rows + 1);
    rc = run_pass(s, cap, 0);
    rc = fall_to_content(s, rc);
    if (rc) return rc;
    if (s->content && !was_content) continue;
    if (s->exhausted || s->ready_count >= need || (s->ready_count && s->ready_count >= want)) return SQLITE_OK;
    if (cap > (u64)1 << 40) return SQLITE_NOMEM;
    cap *= RETRY_GROWTH;
  }
}

/* Note what an approximate pass gave. */
static int note_seen(Search *s, const SearchHit *hits, u64 count) {
  u64 i;
  int rc = mem_reserve(&s->seen, &s->seen_cap, s->seen_count + count, sizeof *s->seen);
  for (i = 0; i < count && rc == SQLITE_OK; i++) s->seen[s->seen_count++] = hits[i].rowid;
  return rc;
}

static void count_late(Search *s, const SearchHit *hits, u64 count) {
  u64 i;
  for (i = 0; i < count; i++) {
    if (s->delivered && hits[i].distance < s->farthest) s->late++;
    s->farthest = s->delivered || i ? MAX(s->farthest, hits[i].distance) : hits[i].distance;
  }
}

int search_next(Search *s, u64 least, u64 want, SearchHit *hits, u64 *count) {
  u64 sorted = 0; /* hits of passes before the last, where a pass may find what one before has missed */
  *count = 0;
  while (*count < want) {
    u64 n = givable(s);
    if (n == 0) {
      int rc;
      if (s->exhausted || (*count >= least && !more_found(s))) break;
      if (s->method->approximate) sorted = *count;
      rc = fill(s, want - *count);
      if (rc) return rc;
      if (s->ready_count == 0) break;
      n = givable(s);
    }
    n = MIN(want - *count, n);
    memcpy(hits + *count, s->ready + s->ready_at, (size_t)n * sizeof *hits);
    s->ready_at += n;
    count_late(s, hits + *count, n);
    if (s->method->approximate) {
      int rc = note_seen(s, hits + *count, n);
      if (rc) return rc;
    } else {
      s->last = hits[*count + n - 1];
      s->given = 1;
    }
    *count += n;
    s->delivered = 1;
  }
  if (sorted) sort_hits(hits, *count);
  return SQLITE_OK;
}
