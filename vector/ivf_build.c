/*
 * ivf_build.c: the next version of a column's lists: rows added, lists split, all written anew.
 *
 *   V1  A fold either keeps the blocks of the old version and adds to them, or writes all lists anew: when there are none yet, when slots have new
 *       numbers (compaction), and when what codes are made with is learned again.
 *   V2  New centroids are learned (k-means on a sample of SAMPLE_ROWS rows a list, evenly spread) when there are none, and at a compaction when the number of
 *       rows has changed by a factor of RETRAIN.
 *   V3  A list that would become longer than its limit is taken out of its blocks, without its dead rows, and divided by k-means with two centroids; the second
 *       part gets a new number at the end. Where that does not divide it (equal vectors) it stays as long as it is.
 *   V5  Slots that are another row's now (L4 of slots.h) are taken out of the blocks they were in, and dead ones beside them; the list's new rows fill the room.
 *   V6  From MANY_LISTS on, k-means and what compares many rows with centroids go by groups, whose number is the root of that of lists: k-means of a few groups, then
 *       of each group; and centroids of the nearest groups alone are compared. Groups are made anew by each fold that has rows enough, and are not kept.
 *   V4  Pages of the old version are never changed: blocks are edited through ArrayWriter, which copies.
 *
 * Start at ivf_fold().
 */
#include <math.h>
#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "ivf.h"
#include "kmeans.h"
#include "workers.h"

#define NO_LIST 0xffffffffu
#define NO_BLOCK 0xffffffffu
#define SAMPLE_ROWS 40u           /* for a centroid */
#define SAMPLE_BYTES (128u << 20) /* and at most so much of all of them */
#define SPLIT_LENGTH 2.0          /* times the length that lists shall have */
#define SPLIT_MIN 64u             /* a list of so few rows is never split */
#define SPLIT_SAMPLE 512u
#define SPLITS_OF_ONE 32u /* of one list in one fold */
#define RETRAIN 4u
#define LIST_ROWS 256   /* how long lists shall be where there are more than the root of the rows, up to */
#define LISTS_OF_ROOT 4 /* times as many */
#define MANY_LISTS 256u
#define GROUPS_TRIED 5u
#define GROUPED_ROWS 4u   /* times the lists: for fewer rows it is not worth it */
#define CODE_SAMPLE 4096u /* vectors that codes are learned from */
#define BATCH 2048u       /* rows that are assigned at once, */
#define PIECE 64u         /* by a worker */
#define POLL_ROWS 1024u

/* What each thread has for itself. */
typedef struct Hand {
  float *point, *value;
  u64 *order;
} Hand;

/* Points group by group, by their numbers: those of group g are member[start[g]] to member[start[g + 1] - 1]. */
typedef struct Groups {
  u32 count;
  float *centroid; /* dense */
  u32 *start, *member;
} Groups;

typedef struct Builder {
  const StructureFold *f;
  SlotColumn *col; /* of the new version */
  IvfArrays old;
  IvfHead head;
  int keep; /* V1: the old blocks */
  ArrayMap present, vectors;
  ListCodes codes;
  int learned; /* anew: what they are made with */
  /* centroids, as they will be */
  float *centroid;
  u64 centroid_cap;
  u32 floats; /* from one to the next */
  u8 *changed;
  u64 changed_cap;
  int trained;
  DistanceScan near;
  Workers *workers;
  Hand hand[MAX_WORKERS];
  Groups groups;  /* V6: of the centroids; NULL: they are not grouped */
  float *grouped; /* these, dense, in the order of groups.member */
  /* rows to be put into lists: list_of[slot - base] */
  u32 *list_of;
  u64 base;
  u32 batch;
  u32 batch_slot[BATCH];
  const u8 *batch_vector[BATCH];
  u32 batch_list[BATCH];
  /* the old blocks, where they are kept */
  IvfDirectory directory;
  u8 *reused;  /* by slot below `covered`: V5; NULL: none is */
  u32 *length; /* by list: rows, dead ones included */
  u64 length_cap;
  u32 *unused; /* blocks that are free: unused[0 .. unused_count) */
  u64 unused_count, unused_cap;
  ArrayWriter blocks;
  /* the directory, as it will be */
  u64 *entry; /* list << 32 | rows */
  u8 *entry_changed;
  u64 entry_cap, entry_changed_cap;
  u64 limit; /* V3 */
  u32 most_lists;
} Builder;

static int interrupted(void *tx) { return page_tx_interrupted(tx); }

static int lives(Builder *b, u64 slot, int *alive) {
  const u8 *word;
  int rc = array_map_get(&b->present, slot / 64, &word);
  if (rc == SQLITE_OK) *alive = (int)(load64(word) >> slot % 64 & 1);
  return rc;
}

static float *centroid_of(Builder *b, u32 list) { return b->centroid + (size_t)list * b->floats; }

/* Make room for one more list; its centroid is for the caller to fill in. */
static int add_list(Builder *b) {
  u64 need = (u64)b->head.lists + 1;
  int rc = mem_reserve(&b->centroid, &b->centroid_cap, need, (u64)b->floats * sizeof *b->centroid);
  if (rc == SQLITE_OK) rc = mem_reserve(&b->changed, &b->changed_cap, need, 1);
  if (rc == SQLITE_OK) rc = mem_reserve(&b->length, &b->length_cap, need, sizeof *b->length);
  if (rc) return rc;
  memset(centroid_of(b, b->head.lists), 0, b->floats * sizeof *b->centroid);
  b->changed[b->head.lists] = 1;
  b->length[b->head.lists] = 0;
  b->head.lists++;
  return SQLITE_OK;
}

static void set_centroid(Builder *b, u32 list, const float *from) {
  memcpy(centroid_of(b, list), from, b->col->dim * sizeof *from);
  b->changed[list] = 1;
}

/* --- live rows of the new version --- */

/* Vectors of up to `most` live slots below `end`, evenly spread. */
static int spread(Builder *b, u64 end, u64 most, int (*take)(Builder *b, const u8 *vector, void *arg), void *arg) {
  u64 count = MIN(most, end), i;
  int rc = SQLITE_OK;
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    u64 slot = i * end / count;
    const u8 *vector;
    int alive = 0;
    rc = lives(b, slot, &alive);
    if (rc || !alive) continue;
    rc = array_map_get(&b->vectors, slot, &vector);
    if (rc == SQLITE_OK) rc = take(b, vector, arg);
    if (rc == SQLITE_OK && i % POLL_ROWS == POLL_ROWS - 1 && page_tx_interrupted(b->f->tx)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

static int count_live(Builder *b, u64 *count) {
  u64 i;
  int rc = SQLITE_OK;
  *count = 0;
  for (i = 0; i < b->f->after->slots && rc == SQLITE_OK; i++) {
    int alive = 0;
    rc = lives(b, i, &alive);
    *count += (u64)alive;
  }
  return rc;
}

/* --- centroids (V2) --- */

typedef struct Sample {
  float *point;
  u64 count, cap;
} Sample;

static int take_point(Builder *b, const u8 *vector, void *arg) {
  Sample *s = arg;
  if (s->count == s->cap) return SQLITE_OK;
  ivf_point(b->col, vector, s->point + s->count++ * b->col->dim);
  return SQLITE_OK;
}

/* k-means of dense points; the centroids are dense too. */
static int train(Builder *b, const float *points, u64 count, u32 k, u64 seed, float *centroids, u32 *found) {
  KMeans km;
  memset(&km, 0, sizeof km);
  km.dim = b->col->dim;
  km.k = k;
  km.seed = seed;
  km.interrupted = interrupted;
  km.interrupt_arg = b->f->tx;
  return kmeans_train(&km, points, count, centroids, found);
}

/* How many lists so many rows shall have: the root of their number, or more, so that they have LIST_ROWS each, up to LISTS_OF_ROOT times as many. */
static u32 target_lists(u32 nlist, u64 rows) {
  double root = sqrt((double)rows), lists = MAX(root, MIN((double)rows / LIST_ROWS, root * LISTS_OF_ROOT));
  if (nlist) return nlist;
  return (u32)MIN(MAX(lists, 1), IVF_MAX_LISTS);
}

/* --- groups of points, where there are many centroids (V6) --- */

static void free_groups(Groups *g) {
  mem_free(g->centroid);
  mem_free(g->start);
  mem_free(g->member);
  memset(g, 0, sizeof *g);
}

static u32 least(const float *value, u32 count) {
  u32 i, best = 0;
  for (i = 1; i < count; i++) {
    if (space_order(value[i]) < space_order(value[best])) best = i;
  }
  return best;
}

/* k-means of dense points, with the root of `lists` centroids; each point is in the group of the nearest. */
static int group_points(Builder *b, const float *points, u64 count, u32 lists, Groups *g) {
  u32 dim = b->col->dim, most = (u32)MAX(sqrt((double)lists), 1);
  u32 *of;
  float *value, none = 0;
  u64 i;
  int rc = SQLITE_OK;
  memset(g, 0, sizeof *g);
  of = mem_array(&rc, count, sizeof *of);
  value = mem_array(&rc, most, sizeof *value);
  g->centroid = mem_array(&rc, most, dim * sizeof(float));
  g->start = mem_zeroed(&rc, (u64)most + 2, sizeof *g->start);
  g->member = mem_array(&rc, count, sizeof *g->member);
  if (rc == SQLITE_OK) rc = train(b, points, count, most, 2, g->centroid, &g->count);
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    b->near(points + i * dim, g->centroid, dim * sizeof(float), g->count, dim, value, &none);
    of[i] = least(value, g->count);
    g->start[of[i] + 2]++;
    if (i % POLL_ROWS == POLL_ROWS - 1 && page_tx_interrupted(b->f->tx)) rc = SQLITE_INTERRUPT;
  }
  for (i = 2; i < (u64)most + 2 && rc == SQLITE_OK; i++) g->start[i] += g->start[i - 1];
  for (i = 0; i < count && rc == SQLITE_OK; i++) g->member[g->start[of[i] + 1]++] = (u32)i;
  mem_free(of);
  mem_free(value);
  return rc;
}

/* k-means of each group, with a share of the k centroids as it has points. */
static int train_groups(Builder *b, const float *points, u64 count, u32 k, const Groups *g, float *centroids,
                        u32 *found) {
  u32 dim = b->col->dim, i, j, most = 0;
  float *part;
  int rc = SQLITE_OK;
  for (i = 0; i < g->count; i++) most = MAX(most, g->start[i + 1] - g->start[i]);
  part = mem_array(&rc, most, dim * sizeof(float));
  *found = 0;
  for (i = 0; i < g->count && rc == SQLITE_OK; i++) {
    u32 from = g->start[i], n = g->start[i + 1] - from, got = 0;
    u32 share = (u32)((u64)g->start[i + 1] * k / count - (u64)from * k / count);
    for (j = 0; j < n; j++)
      memcpy(part + (size_t)j * dim, points + (size_t)g->member[from + j] * dim, dim * sizeof *part);
    if (share) rc = train(b, part, n, share, i, centroids + (size_t)*found * dim, &got);
    *found += got;
  }
  mem_free(part);
  return rc;
}

static int train_centroids(Builder *b, const float *points, u64 count, u32 k, float *centroids, u32 *found) {
  Groups g;
  int rc;
  if (k < MANY_LISTS || count < k) return train(b, points, count, k, 1, centroids, found);
  rc = group_points(b, points, count, k, &g);
  if (rc == SQLITE_OK) rc = train_groups(b, points, count, k, &g, centroids, found);
  free_groups(&g);
  return rc;
}

static int train_all(Builder *b) {
  u32 dim = b->col->dim, nlist = b->col->index.nlist, found = 0, i;
  u64 live = 0;
  float *centroids = NULL;
  Sample s;
  int rc = count_live(b, &live);
  memset(&s, 0, sizeof s);
  b->head.lists = 0;
  b->head.trained_at = b->f->after->slots;
  b->trained = 1;
  if (rc || live == 0) return rc;
  nlist = (u32)MIN(target_lists(nlist, live), live);
  s.cap = MIN(live, MAX(MIN((u64)nlist * SAMPLE_ROWS, SAMPLE_BYTES / (dim * sizeof(float))), nlist));
  s.point = mem_array(&rc, s.cap, dim * sizeof(float));
  centroids = mem_array(&rc, nlist, dim * sizeof(float));
  if (rc == SQLITE_OK) rc = spread(b, b->f->after->slots, b->f->after->slots * s.cap / live, take_point, &s);
  if (rc == SQLITE_OK) rc = train_centroids(b, s.point, s.count, nlist, centroids, &found);
  for (i = 0; i < found && rc == SQLITE_OK; i++) {
    rc = add_list(b);
    if (rc == SQLITE_OK) set_centroid(b, i, centroids + (size_t)i * dim);
  }
  b->f->work->trained++;
  mem_free(s.point);
  mem_free(centroids);
  return rc;
}

static int load_centroids(Builder *b) {
  u32 lists = b->old.head.lists, i;
  u8 *item;
  int rc = SQLITE_OK;
  b->head.lists = 0;
  item = mem_array(&rc, b->old.centroids.stride, 1);
  for (i = 0; i < lists && rc == SQLITE_OK; i++) {
    rc = array_read(&b->old.centroids, i, item);
    if (rc == SQLITE_OK) rc = add_list(b);
    if (rc == SQLITE_OK) set_centroid(b, i, (const float *)(const void *)item);
    if (rc == SQLITE_OK) b->changed[i] = 0;
  }
  mem_free(item);
  return rc;
}

/* --- codes --- */

typedef struct Pointers {
  const void *vector[CODE_SAMPLE];
  u32 count;
} Pointers;

static int take_pointer(Builder *b, const u8 *vector, void *arg) {
  Pointers *p = arg;
  (void)b;
  if (p->count < CODE_SAMPLE) p->vector[p->count++] = vector;
  return SQLITE_OK;
}

static int learn(Builder *b, Sq4 **sq4) {
  SlotColumn *col = b->col;
  int rc = SQLITE_OK;
  Pointers *p = mem_zeroed(&rc, 1, sizeof *p);
  if (rc == SQLITE_OK) rc = spread(b, b->f->after->slots, CODE_SAMPLE, take_pointer, p);
  if (rc == SQLITE_OK) rc = sq4_learn(col->metric, col->elem, col->dim, p->vector, p->count, sq4);
  b->head.learned_at = b->f->after->slots;
  b->head.learned_bytes = list_codes_of(col)->learned_bytes(col);
  b->learned = 1;
  mem_free(p);
  return rc;
}

/* What codes are made with; learned when there is nothing yet, or it does not fit any more. */
static int choose_codes(Builder *b) {
  const SlotColumn *col = b->col;
  const IvfHead *old = &b->old.head;
  u64 slots = b->f->after->slots;
  Sq4 *sq4 = NULL;
  int again = old->learned_bytes == 0, rc = SQLITE_OK;
  b->head.learned_bytes = b->head.lists ? old->learned_bytes : 0;
  if (b->head.lists == 0 || list_codes_of(col)->learned_bytes(col) == 0) return list_codes_open(&b->codes, col, NULL);
  b->head.coded = structure_coded(b->f, old->coded, slots - (b->f->moved ? 0 : old->covered));
  again |= structure_outgrown(slots, slots, old->learned_at, b->head.coded);
  if (!again) {
    rc = structure_learned(&b->old.learned, old->learned_bytes, col, &sq4);
    if (rc == SQLITE_OK) rc = list_codes_open(&b->codes, col, sq4);
    if (rc == SQLITE_OK && b->codes.methods->ranges)
      rc = structure_left_range(b->col, b->codes.sq4, slots, b->head.coded, &again);
    if (rc || !again) return rc;
    list_codes_close(&b->codes);
  }
  b->keep = 0;
  b->head.coded = 0;
  rc = learn(b, &sq4);
  return rc ? rc : list_codes_open(&b->codes, col, sq4);
}

/* --- assigning rows to lists --- */

/* The nearest centroid; ties: the first. What is not finite is far away. */
static u32 nearest_of_all(const Builder *b, Hand *h) {
  float none = 0;
  b->near(h->point, b->centroid, b->floats * sizeof *b->centroid, b->head.lists, b->col->dim, h->value, &none);
  return least(h->value, b->head.lists);
}

/* The nearest of those in the nearest groups, which are one in GROUPS_TRIED. */
static u32 nearest_of_groups(const Builder *b, Hand *h) {
  const Groups *g = &b->groups;
  u32 dim = b->col->dim, tried = (g->count + GROUPS_TRIED - 1) / GROUPS_TRIED, i, j, at;
  u64 best = ~(u64)0, key, *order = h->order;
  float none = 0;
  b->near(h->point, g->centroid, dim * sizeof(float), g->count, dim, h->value, &none);
  for (i = 0; i < g->count; i++) { /* the nearest `tried`, in order */
    key = (u64)space_order(h->value[i]) << 32 | i;
    for (at = MIN(i, tried); at > 0 && order[at - 1] > key; at--) {
      if (at < tried) order[at] = order[at - 1];
    }
    if (at < tried) order[at] = key;
  }
  for (i = 0; i < tried; i++) {
    u32 from = g->start[(u32)order[i]], n = g->start[(u32)order[i] + 1] - from;
    b->near(h->point, b->grouped + (size_t)from * dim, dim * sizeof(float), n, dim, h->value, &none);
    for (j = 0; j < n; j++) {
      key = (u64)space_order(h->value[j]) << 32 | g->member[from + j];
      best = MIN(best, key);
    }
  }
  return (u32)best;
}

static u32 nearest(const Builder *b, Hand *h, const void *vector) {
  ivf_point(b->col, vector, h->point);
  return b->grouped ? nearest_of_groups(b, h) : nearest_of_all(b, h);
}

/* V6, of the centroids, for `rows` rows. */
static int group_lists(Builder *b, u64 rows) {
  u32 lists = b->head.lists, dim = b->col->dim, i;
  float *dense;
  int rc = SQLITE_OK;
  if (lists < MANY_LISTS || rows / GROUPED_ROWS < lists) return SQLITE_OK;
  dense = mem_array(&rc, lists, dim * sizeof(float));
  b->grouped = mem_array(&rc, lists, dim * sizeof(float));
  for (i = 0; i < lists && rc == SQLITE_OK; i++)
    memcpy(dense + (size_t)i * dim, centroid_of(b, i), dim * sizeof *dense);
  if (rc == SQLITE_OK) rc = group_points(b, dense, lists, lists, &b->groups);
  for (i = 0; i < lists && rc == SQLITE_OK; i++)
    memcpy(b->grouped + (size_t)i * dim, dense + (size_t)b->groups.member[i] * dim, dim * sizeof *dense);
  mem_free(dense);
  return rc;
}

static void assign_piece(void *arg, u32 worker, u32 index) {
  Builder *b = arg;
  u32 i, end = MIN((index + 1) * PIECE, b->batch);
  for (i = index * PIECE; i < end; i++) b->batch_list[i] = nearest(b, &b->hand[worker], b->batch_vector[i]);
}

static void assign_batch(Builder *b) {
  u32 i;
  workers_run(b->workers, assign_piece, b, (b->batch + PIECE - 1) / PIECE);
  for (i = 0; i < b->batch; i++) b->list_of[b->batch_slot[i] - b->base] = b->batch_list[i];
  b->f->work->added += b->batch;
  b->batch = 0;
}

static int assign_slot(Builder *b, u64 slot) {
  int rc = array_map_get(&b->vectors, slot, &b->batch_vector[b->batch]);
  if (rc) return rc;
  b->batch_slot[b->batch++] = (u32)slot;
  if (b->batch < BATCH) return SQLITE_OK;
  assign_batch(b);
  return page_tx_interrupted(b->f->tx) ? SQLITE_INTERRUPT : SQLITE_OK;
}

/* V5: the rows that these slots have now. */
static int assign_reused(Builder *b) {
  u64 i;
  int rc = SQLITE_OK;
  for (i = 0; i < b->f->reused_count && rc == SQLITE_OK && b->f->reused[i] < b->old.head.covered; i++)
    rc = assign_slot(b, b->f->reused[i]);
  return rc;
}

/* Slots from `from` on that are in no list yet, as many as the fold may add; *end: where it stopped. */
static int assign(Builder *b, u64 from, u64 *end) {
  u64 slots = b->f->after->slots, most = b->f->moved ? slots : b->f->rows, count = 0, slot;
  int rc = SQLITE_OK;
  for (slot = from; slot < slots && rc == SQLITE_OK; slot++) {
    int alive = 0;
    if (b->list_of[slot - b->base] != NO_LIST) continue;
    rc = lives(b, slot, &alive);
    if (rc || !alive) continue;
    if (count == most) break;
    count++;
    rc = assign_slot(b, slot);
  }
  if (rc == SQLITE_OK && b->batch) assign_batch(b);
  *end = slot;
  return rc;
}

/* For `rows` rows; few are not worth a thread. */
static int open_hands(Builder *b, u64 rows) {
  u32 i;
  int rc = workers_open(rows < BATCH ? 1 : b->f->threads, &b->workers);
  for (i = 0; rc == SQLITE_OK && i < workers_count(b->workers); i++) {
    b->hand[i].point = mem_aligned(&rc, b->col->dim * sizeof(float));
    b->hand[i].value = mem_array(&rc, MAX(b->head.lists, 1), sizeof(float));
    b->hand[i].order = mem_array(&rc, b->groups.count + 1, sizeof(u64));
  }
  return rc;
}

/* Which lists the rows of the old blocks are in, by their new numbers. */
static int take_over(Builder *b) {
  const StructureFold *f = b->f;
  u32 n, i;
  ArrayMap blocks;
  int rc = array_map_open(&blocks, &b->old.blocks, 0, 1);
  for (n = 0; n < b->directory.blocks && rc == SQLITE_OK; n++) {
    const u8 *block;
    if (b->directory.list[n] == IVF_FREE) continue;
    rc = array_map_get(&blocks, n, &block);
    for (i = 0; i < b->directory.rows[n] && rc == SQLITE_OK; i++) {
      u32 slot = load32(block + 4 * (size_t)i);
      int alive = 0;
      if (slot >= b->old.head.covered) {
        rc = CORRUPT(b->old.page.pgno);
        break;
      }
      if (b->reused && b->reused[slot]) continue;
      if (f->moved) slot = f->moved[slot];
      if (slot == NO_SLOT) continue;
      rc = lives(b, slot, &alive);
      if (alive) b->list_of[slot] = b->directory.list[n];
    }
    if (rc == SQLITE_OK && page_tx_interrupted(f->tx)) rc = SQLITE_INTERRUPT;
  }
  array_map_close(&blocks);
  return rc;
}

/* --- writing blocks --- */

static void set_entry(Builder *b, u32 block, u32 list, u32 rows) {
  b->entry[block] = (u64)list << 32 | rows;
  b->entry_changed[block] = 1;
}

static int add_entry(Builder *b, u64 block) {
  int rc = mem_reserve(&b->entry, &b->entry_cap, block + 1, sizeof *b->entry);
  if (rc == SQLITE_OK) rc = mem_reserve(&b->entry_changed, &b->entry_changed_cap, block + 1, 1);
  return rc;
}

static int add_unused(Builder *b, u32 number) {
  int rc = mem_reserve(&b->unused, &b->unused_cap, b->unused_count + 1, sizeof *b->unused);
  if (rc == SQLITE_OK) b->unused[b->unused_count++] = number;
  return rc;
}

/* An empty block of a list: a free one, or a new one at the end. */
static int new_block(Builder *b, u32 *number, u8 **block) {
  u64 got;
  int rc;
  if (b->unused_count) {
    *number = b->unused[--b->unused_count];
    rc = array_writer_edit(&b->blocks, *number, block);
  } else {
    *number = (u32)b->blocks.count;
    if (b->blocks.count >= NO_BLOCK) return SQLITE_FULL;
    rc = add_entry(b, *number);
    if (rc == SQLITE_OK) rc = array_writer_append(&b->blocks, 1, block, &got);
  }
  if (rc == SQLITE_OK) memset(*block, 0, b->blocks.stride);
  return rc;
}

static int is_of(const Builder *b, u32 block, u32 list) { return (u32)(b->entry[block] >> 32) == list; }
static u32 rows_of(const Builder *b, u32 block) { return (u32)b->entry[block]; }

/* A block of the old version of the list that has room, or a new one; *used: rows that it has. */
static int open_block(Builder *b, u32 list, u32 *number, u32 *used, u8 **block) {
  const IvfDirectory *d = &b->directory;
  u32 n, end = b->keep && list < b->old.head.lists ? d->start[list + 1] : 0;
  *used = 0;
  for (n = end ? d->start[list] : 0; n < end; n++) {
    *number = d->block[n];
    if (!is_of(b, *number, list) || rows_of(b, *number) == b->old.room) continue;
    *used = rows_of(b, *number);
    return array_writer_edit(&b->blocks, *number, block);
  }
  return new_block(b, number, block);
}

/* Row number `at` of a block, of the list that `codes` has the centroid of. */
static int put_row(Builder *b, u8 *block, u32 at, u32 slot) {
  const u8 *vector;
  int rc = array_map_get(&b->vectors, slot, &vector);
  if (rc) return rc;
  store32(block + 4 * (size_t)at, slot);
  b->codes.methods->put(&b->codes, vector, block + b->old.rows_at, at);
  return SQLITE_OK;
}

/* Add rows to a list, in the order given. */
static int put_rows(Builder *b, u32 list, const u32 *slots, u64 count) {
  u32 used = b->old.room, number = NO_BLOCK, room = b->old.room;
  u8 *block = NULL;
  u64 i;
  int rc = SQLITE_OK;
  b->codes.methods->centre(&b->codes, centroid_of(b, list));
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    if (used == room) {
      if (block) set_entry(b, number, list, used);
      rc = open_block(b, list, &number, &used, &block);
      if (rc) return rc;
    }
    rc = put_row(b, block, used++, slots[i]);
  }
  if (rc == SQLITE_OK && block) set_entry(b, number, list, used);
  return rc;
}

/* Whether a row of an old block is the one that it was put there for, and lives. */
static int still_there(Builder *b, u32 slot, int *stays) {
  int rc;
  *stays = 0;
  if (slot >= b->old.head.covered) return CORRUPT(b->old.page.pgno);
  rc = lives(b, slot, stays);
  if (b->reused && b->reused[slot]) *stays = 0;
  return rc;
}

static int free_block(Builder *b, u32 number) {
  set_entry(b, number, IVF_FREE, 0);
  return add_unused(b, number);
}

/* Take out of a block what is not there any more: its last rows come in the place of that. */
static int thin_block(Builder *b, u32 list, u32 number) {
  u32 rows = rows_of(b, number), left = rows, at = 0;
  u8 *block = NULL;
  int rc = array_writer_edit(&b->blocks, number, &block);
  b->codes.methods->centre(&b->codes, centroid_of(b, list));
  while (rc == SQLITE_OK && at < left) {
    int stays = 0;
    rc = still_there(b, load32(block + 4 * (size_t)at), &stays);
    if (stays) {
      at++;
    } else if (rc == SQLITE_OK) {
      u32 last = load32(block + 4 * (size_t)--left);
      store32(block + 4 * (size_t)left, 0);
      if (left > at) rc = still_there(b, last, &stays);
      if (stays) rc = put_row(b, block, at, last);
    }
  }
  if (rc) return rc;
  b->length[list] -= rows - left;
  if (left == 0) return free_block(b, number);
  set_entry(b, number, list, left);
  return SQLITE_OK;
}

/* V5, for one list. */
static int thin_list(Builder *b, u32 list) {
  const IvfDirectory *d = &b->directory;
  u32 n, i;
  int rc = SQLITE_OK;
  if (b->reused == NULL || !b->keep || list >= b->old.head.lists) return SQLITE_OK;
  for (n = d->start[list]; n < d->start[list + 1] && rc == SQLITE_OK; n++) {
    u32 number = d->block[n], items = 0;
    const u8 *block;
    PageHold hold;
    int any = 0;
    rc = array_extent(&b->old.blocks, number, &block, &items, &hold);
    for (i = 0; i < d->rows[number] && rc == SQLITE_OK && !any; i++) {
      u32 slot = load32(block + 4 * (size_t)i);
      if (slot >= b->old.head.covered) rc = CORRUPT(b->old.page.pgno);
      any = rc == SQLITE_OK && b->reused[slot];
    }
    pages_release(b->old.blocks.pages, &hold);
    if (any) rc = thin_block(b, list, number);
  }
  return rc;
}

/* --- splitting (V3) --- */

/* Slots of one list on their way into blocks. */
typedef struct Members {
  u32 *slot;
  u64 count, cap;
} Members;

/* The live rows of the old blocks of a list, which become free. */
static int take_out(Builder *b, u32 list, Members *m) {
  const IvfDirectory *d = &b->directory;
  u32 n, i, from, end;
  int rc = SQLITE_OK;
  if (!b->keep || list >= b->old.head.lists) return SQLITE_OK;
  from = d->start[list];
  end = d->start[list + 1];
  for (n = from; n < end && rc == SQLITE_OK; n++) {
    u32 number = d->block[n];
    const u8 *block;
    PageHold hold;
    u32 items = 0;
    if (!is_of(b, number, list)) continue; /* V5 has left nothing */
    rc = array_extent(&b->old.blocks, number, &block, &items, &hold);
    if (rc == SQLITE_OK) rc = mem_reserve(&m->slot, &m->cap, m->count + d->rows[number], sizeof *m->slot);
    for (i = 0; i < d->rows[number] && rc == SQLITE_OK; i++) {
      u32 slot = load32(block + 4 * (size_t)i);
      int stays = 0;
      rc = still_there(b, slot, &stays);
      if (stays) m->slot[m->count++] = slot;
    }
    pages_release(b->old.blocks.pages, &hold);
    if (rc == SQLITE_OK) rc = free_block(b, number);
  }
  b->length[list] = 0;
  return rc;
}

/* Two centroids of some of the members; *found < 2: they cannot be told apart. */
static int halve(Builder *b, const u32 *slot, u64 count, u32 list, float *centroids, u32 *found) {
  u64 step = MAX(count / SPLIT_SAMPLE, 1), i, n = 0;
  u32 dim = b->col->dim;
  float *points;
  int rc = SQLITE_OK;
  points = mem_array(&rc, count / step + 1, dim * sizeof(float));
  for (i = 0; i < count && rc == SQLITE_OK; i += step) {
    const u8 *vector;
    rc = array_map_get(&b->vectors, slot[i], &vector);
    if (rc == SQLITE_OK) ivf_point(b->col, vector, points + n++ * dim);
  }
  if (rc == SQLITE_OK) rc = train(b, points, n, 2, list, centroids, found);
  mem_free(points);
  return rc;
}

/* Move the members that are nearer to the second centroid to the end; *first: how many are not. */
static int divide(Builder *b, u32 *slot, u64 count, const float *centroids, u64 *first) {
  u32 dim = b->col->dim, *second;
  float value[2], none = 0;
  u64 i, n = 0;
  int rc = SQLITE_OK;
  *first = 0;
  second = mem_array(&rc, count, sizeof *second);
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    const u8 *vector;
    rc = array_map_get(&b->vectors, slot[i], &vector);
    if (rc) break;
    ivf_point(b->col, vector, b->hand[0].point);
    b->near(b->hand[0].point, centroids, dim * sizeof(float), 2, dim, value, &none);
    if (space_order(value[0]) <= space_order(value[1]))
      slot[(*first)++] = slot[i];
    else
      second[n++] = slot[i];
  }
  if (rc == SQLITE_OK) memcpy(slot + *first, second, (size_t)n * sizeof *second);
  mem_free(second);
  return rc;
}

/* Put the members of a list into blocks, in as many lists as are needed; `splits`: how many there were of the list already. */
static int put_parts(Builder *b, u32 list, u32 *slot, u64 count, u32 *splits) {
  float *centroids;
  u32 found = 0, other = b->head.lists;
  u64 first = count;
  int rc = SQLITE_OK;
  if (count <= b->limit || *splits == SPLITS_OF_ONE || other >= b->most_lists) return put_rows(b, list, slot, count);
  centroids = mem_array(&rc, 2, b->col->dim * sizeof(float));
  if (rc == SQLITE_OK) rc = halve(b, slot, count, list, centroids, &found);
  if (rc == SQLITE_OK && found == 2) rc = divide(b, slot, count, centroids, &first);
  if (rc == SQLITE_OK && (first == count || first == 0)) {
    mem_free(centroids);
    return put_rows(b, list, slot, count);
  }
  ++*splits;
  b->f->work->splits++;
  if (rc == SQLITE_OK) rc = add_list(b);
  if (rc == SQLITE_OK) {
    set_centroid(b, list, centroids);
    set_centroid(b, other, centroids + b->col->dim);
  }
  mem_free(centroids);
  if (rc == SQLITE_OK) rc = put_parts(b, list, slot, first, splits); /* at most SPLITS_OF_ONE deep */
  return rc ? rc : put_parts(b, other, slot + first, count - first, splits);
}

static int put_list(Builder *b, u32 list, const u32 *slots, u64 count) {
  Members m;
  u32 splits = 0;
  int rc;
  if (b->length[list] + count <= b->limit || b->head.lists >= b->most_lists) return put_rows(b, list, slots, count);
  memset(&m, 0, sizeof m);
  rc = take_out(b, list, &m);
  if (rc == SQLITE_OK) rc = mem_reserve(&m.slot, &m.cap, m.count + count, sizeof *m.slot);
  if (rc == SQLITE_OK) {
    memcpy(m.slot + m.count, slots, (size_t)count * sizeof *slots);
    rc = put_parts(b, list, m.slot, m.count + count, &splits);
  }
  mem_free(m.slot);
  return rc;
}

/* --- all lists --- */

/* The rows of list_of, list by list, into blocks. */
static int put_all(Builder *b, u64 end) {
  u32 lists = b->head.lists, list, *slots; /* those before any split */
  u64 n = end - b->base, i, *start;
  int rc = SQLITE_OK;
  start = mem_zeroed(&rc, (u64)lists + 2, sizeof *start);
  slots = mem_array(&rc, n, sizeof *slots);
  if (rc == SQLITE_OK) {
    for (i = 0; i < n; i++) {
      if (b->list_of[i] != NO_LIST) start[b->list_of[i] + 2]++;
    }
    for (i = 2; i < (u64)lists + 2; i++) start[i] += start[i - 1];
    for (i = 0; i < n; i++) {
      if (b->list_of[i] != NO_LIST) slots[start[b->list_of[i] + 1]++] = (u32)(b->base + i);
    }
  }
  for (list = 0; list < lists && rc == SQLITE_OK; list++) {
    u64 from = start[list], count = start[list + 1] - from;
    rc = thin_list(b, list);
    if (rc == SQLITE_OK && count) rc = put_list(b, list, slots + from, count);
    if (rc == SQLITE_OK && page_tx_interrupted(b->f->tx)) rc = SQLITE_INTERRUPT;
  }
  mem_free(start);
  mem_free(slots);
  return rc;
}

static int load_blocks(Builder *b) {
  const IvfDirectory *d = &b->directory;
  u32 list, i;
  int rc = SQLITE_OK;
  for (list = 0; list < b->old.head.lists; list++) {
    for (i = d->start[list]; i < d->start[list + 1]; i++) b->length[list] += d->rows[d->block[i]];
  }
  if (d->blocks) rc = add_entry(b, d->blocks - 1);
  for (i = d->blocks; i-- > 0 && rc == SQLITE_OK;) { /* the lowest are used first */
    b->entry[i] = (u64)d->list[i] << 32 | d->rows[i];
    b->entry_changed[i] = 0;
    if (d->list[i] == IVF_FREE) rc = add_unused(b, i);
  }
  return rc;
}

static int put_centroids(Builder *b, u8 *ref) {
  ArrayWriter w;
  u32 i, have = b->trained ? 0 : b->old.head.lists;
  int rc = array_writer_begin(&w, b->f->tx, &b->old.centroids, !b->trained);
  for (i = 0; i < b->head.lists && rc == SQLITE_OK; i++) {
    u8 *item;
    u64 got;
    if (!b->changed[i]) continue;
    rc = i < have ? array_writer_edit(&w, i, &item) : array_writer_append(&w, 1, &item, &got);
    if (rc == SQLITE_OK) memcpy(item, centroid_of(b, i), b->old.centroids.stride);
  }
  if (rc == SQLITE_OK) rc = array_writer_finish(&w, ref);
  array_writer_end(&w);
  if (rc == SQLITE_OK && b->trained) rc = array_free_pages(&b->old.centroids, b->f->tx);
  return rc;
}

static int put_directory(Builder *b, u8 *ref) {
  ArrayWriter w;
  u64 i, have = b->keep ? b->old.directory.count : 0;
  int rc = array_writer_begin(&w, b->f->tx, &b->old.directory, b->keep);
  for (i = 0; i < b->blocks.count && rc == SQLITE_OK; i++) {
    u8 *item;
    u64 got;
    if (!b->entry_changed[i]) continue;
    rc = i < have ? array_writer_edit(&w, i, &item) : array_writer_append(&w, 1, &item, &got);
    if (rc) break;
    store32(item, (u32)(b->entry[i] >> 32));
    store32(item + 4, (u32)b->entry[i]);
  }
  if (rc == SQLITE_OK) rc = array_writer_finish(&w, ref);
  array_writer_end(&w);
  if (rc == SQLITE_OK && !b->keep) rc = array_free_pages(&b->old.directory, b->f->tx);
  return rc;
}

static int put_learned(Builder *b, u8 *ref) {
  int rc = SQLITE_OK;
  if (b->head.lists && !b->learned) return array_move(&b->old.learned, b->f->tx, ref);
  if (b->head.lists) rc = structure_put_learned(&b->old.learned, b->f->tx, b->codes.sq4, b->col->dim, ref);
  return rc ? rc : array_free_pages(&b->old.learned, b->f->tx);
}

static int write_page(Builder *b, const u8 *refs, PageRef *out) {
  const IvfHead *h = &b->head;
  int rc = SQLITE_OK;
  u8 *page = mem_zeroed(&rc, 1, PAGE_SIZE), *body;
  if (rc) return rc;
  body = page + PAGE_HEADER_SIZE;
  store32(body, h->lists);
  store32(body + 4, h->learned_bytes);
  store32(body + 8, b->old.row_bytes);
  store64(body + 16, h->covered);
  store64(body + 24, h->learned_at);
  store32(body + 40, h->coded);
  store64(body + 32, h->trained_at);
  memcpy(body + STRUCTURE_REFS_AT, refs, IVF_ARRAYS * ARRAY_REF_SIZE);
  rc = page_tx_put_structure(b->f->tx, page, PAGE_IVF, 0, b->f->after->id, b->f->column, out);
  if (rc == SQLITE_OK && b->old.page.pgno) rc = page_tx_free(b->f->tx, b->old.page.pgno, 1);
  mem_free(page);
  return rc;
}

/* Blocks, directory, centroids, what was learned, page. */
static int write_lists(Builder *b, u64 end, PageRef *out) {
  u8 refs[IVF_ARRAYS * ARRAY_REF_SIZE];
  PageTx *tx = b->f->tx;
  int rc;
  memset(refs, 0, sizeof refs);
  rc = array_writer_begin(&b->blocks, tx, &b->old.blocks, b->keep);
  if (rc == SQLITE_OK && b->keep) rc = load_blocks(b);
  if (rc == SQLITE_OK) rc = put_all(b, end);
  if (rc == SQLITE_OK) rc = put_centroids(b, refs);
  if (rc == SQLITE_OK) rc = put_directory(b, refs + ARRAY_REF_SIZE);
  if (rc == SQLITE_OK) rc = array_writer_finish(&b->blocks, refs + 2 * ARRAY_REF_SIZE);
  if (rc == SQLITE_OK) rc = put_learned(b, refs + 3 * ARRAY_REF_SIZE);
  if (rc == SQLITE_OK && !b->keep) rc = array_free_pages(&b->old.blocks, tx);
  return rc ? rc : write_page(b, refs, out);
}

/* --- the whole --- */

static int open_builder(Builder *b) {
  const StructureFold *f = b->f;
  int rc = ivf_arrays_open(&b->old, f->before, f->column, f->before->column[f->column].structure_ref);
  if (rc) return rc;
  b->col = &f->after->column[f->column];
  b->head = b->old.head;
  b->floats = ivf_centroid_stride(b->col->dim) / (u32)sizeof(float);
  b->near = distance_scan(METRIC_L2, ELEM_F32);
  b->keep = f->moved == NULL && b->old.head.lists > 0;
  rc = array_map_open(&b->present, &b->col->present, 0, 1);
  if (rc == SQLITE_OK) rc = array_map_open(&b->vectors, &b->col->vectors, 0, 0);
  if (rc == SQLITE_OK) rc = ivf_directory_load(&b->old, &b->directory);
  return rc;
}

static void close_builder(Builder *b) {
  u32 i;
  workers_close(b->workers);
  for (i = 0; i < MAX_WORKERS; i++) {
    mem_aligned_free(b->hand[i].point);
    mem_free(b->hand[i].value);
    mem_free(b->hand[i].order);
  }
  array_writer_end(&b->blocks);
  list_codes_close(&b->codes);
  array_map_close(&b->present);
  array_map_close(&b->vectors);
  ivf_directory_free(&b->directory);
  ivf_arrays_close(&b->old);
  mem_free(b->centroid);
  mem_free(b->grouped);
  free_groups(&b->groups);
  mem_free(b->changed);
  mem_free(b->list_of);
  mem_free(b->reused);
  mem_free(b->length);
  mem_free(b->unused);
  mem_free(b->entry);
  mem_free(b->entry_changed);
  mem_free(b);
}

static int must_train(const Builder *b) {
  u64 slots = b->f->after->slots, at = b->old.head.trained_at;
  if (b->old.head.lists == 0) return 1;
  return b->f->moved && (slots / RETRAIN >= at || slots <= at / RETRAIN);
}

/* V5 */
static int note_reused(Builder *b) {
  const StructureFold *f = b->f;
  u64 i;
  int rc = SQLITE_OK;
  if (f->reused_count == 0 || f->reused[0] >= b->old.head.covered) return SQLITE_OK;
  b->reused = mem_zeroed(&rc, b->old.head.covered, 1);
  for (i = 0; i < f->reused_count && rc == SQLITE_OK && f->reused[i] < b->old.head.covered; i++)
    b->reused[f->reused[i]] = 1;
  return rc;
}

static int build(Builder *b, PageRef *out) {
  u64 slots = b->f->after->slots, live = b->f->after->live, from = b->f->moved ? 0 : b->old.head.covered, end = 0;
  int fresh = must_train(b), rc = fresh ? train_all(b) : load_centroids(b);
  if (rc == SQLITE_OK) rc = choose_codes(b);
  if (rc == SQLITE_OK && !fresh) rc = note_reused(b);
  if (rc) return rc;
  if (fresh) from = 0;
  b->base = b->keep && !b->reused ? from : 0;
  b->list_of = mem_array(&rc, slots - b->base, sizeof *b->list_of);
  if (rc) return rc;
  memset(b->list_of, 0xff, (size_t)(slots - b->base) * sizeof *b->list_of);
  b->most_lists = b->col->index.nlist ? b->col->index.nlist : IVF_MAX_LISTS;
  b->limit = (u64)MAX(SPLIT_LENGTH * (double)live / target_lists(b->col->index.nlist, live), SPLIT_MIN);
  if (!b->keep && !fresh) rc = take_over(b);
  if (rc == SQLITE_OK) rc = group_lists(b, slots - from);
  if (rc == SQLITE_OK) rc = open_hands(b, slots - from);
  if (rc == SQLITE_OK && b->reused) rc = assign_reused(b);
  if (rc == SQLITE_OK && b->head.lists) rc = assign(b, from, &end);
  if (b->head.lists == 0) end = slots; /* there are no vectors at all */
  b->head.covered = end;
  if (rc == SQLITE_OK) rc = write_lists(b, end, out);
  b->f->work->ivfs++;
  return rc;
}

/* The same lists, their pages where the transaction wants them. */
static int move_pages(const StructureFold *f, PageRef *out) {
  IvfArrays v;
  int rc;
  if (f->tx->move_from == 0) return SQLITE_OK;
  rc = ivf_arrays_open(&v, f->before, f->column, *out);
  if (rc == SQLITE_OK) rc = structure_move(f, PAGE_IVF, v.all, IVF_ARRAYS, out);
  ivf_arrays_close(&v);
  return rc;
}

int ivf_fold(const StructureFold *f, PageRef *out, u64 *covered) {
  const SlotColumn *before = &f->before->column[f->column];
  u64 wanted = f->after->slots;
  Builder *b;
  int rc = SQLITE_OK;
  *out = before->structure_ref;
  *covered = before->covered;
  if (f->moved == NULL && (f->rows == 0 || (before->covered == wanted && f->reused_count == 0)))
    return before->structure_ref.pgno ? move_pages(f, out) : SQLITE_OK;
  if (before->structure_ref.pgno == 0 && wanted < MAX(f->after->column[f->column].index.from_rows, 1)) return SQLITE_OK;
  b = mem_zeroed(&rc, 1, sizeof *b);
  if (rc) return rc;
  b->f = f;
  rc = open_builder(b);
  if (rc == SQLITE_OK) rc = build(b, out);
  *covered = b->head.covered;
  close_builder(b);
  return rc;
}
