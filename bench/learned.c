/*
 * learned.c: the map from rowid to slot beside an in-memory B-tree (absl::btree_map) and a plain S+tree of all keys.
 *
 *   learned [KEYS [RUNS]]      default 10,000,000 keys, 5 runs of each (median), in turns
 *
 * For each set of keys: bytes a key in pages and in memory; one lookup whose key depends on the answer before ("point"), the same in batches
 * of 1,024 keys ("batch"), 1,000 keys in order from a random one ("range", per key), keys that are not there ("absent"); building from
 * sorted entries; of up to 2,000,000 keys the row of one, 64 bytes by its slot, copied ("row"), beside the same by sqlite3_blob_reopen and
 * sqlite3_blob_read from a table in memory. Slots are those of a bulk load ("in order") or mixed ("stored": slots are kept beside the keys). Then on the first set:
 * appends in folds of 65,536, random inserts into it in folds of 65,536 with all their merges, checking. Every key that is looked for
 * is there, and every answer is compared. Pages are in memory.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../vector/distance_int.h"
#include "../vector/rowmap.h"
#include "keys.h"

#define OWNER 7u
#define TAG 3u
#define LOOKUPS 1000000u
#define FOLD 65536u
#define MAX_RUNS 101

#if defined(HAVE_BTREE)
void *btree_build(const i64 *keys, const u32 *slots, u64 count);
u32 btree_find(const void *tree, i64 key);
u64 btree_range(const void *tree, i64 from, u64 count);
void btree_insert(void *tree, const i64 *keys, const u32 *slots, u64 count);
void btree_free(void *tree);
#endif

static u64 count = 10000000;
static int runs = 5;

/* Of this thread alone, so that other work on the machine counts only by the caches it takes. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what) {
  fprintf(stderr, "bench: %s\n", what);
  exit(1);
}

static u64 random_state = 1;
static u64 random64(void) { return next_random(&random_state); }

static double median(double *v, int n) {
  int i, j;
  for (i = 1; i < n; i++) {
    double x = v[i];
    for (j = i; j > 0 && v[j - 1] > x; j--) v[j] = v[j - 1];
    v[j] = x;
  }
  return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/*
 * --- the plain S+tree: nodes of 16 keys, all keys at the bottom, slots beside them. Ranks in a node by AVX-512 where the processor has it; else scalar ones, which are no
 * measure of ours ---
 */

typedef struct Plain {
  i64 *tree;
  u64 start[12], nodes[12], n;
  u32 levels, *slots;
} Plain;

static void plain_build(Plain *p, const i64 *keys, const u32 *slots, u64 n) {
  u64 size = 0, nodes = (n + 15) / 16, i;
  u32 level = 0, k;
  for (;; level++) {
    p->nodes[level] = nodes;
    p->start[level] = size;
    size += nodes * 16;
    if (nodes == 1) break;
    nodes = (nodes + 16) / 17;
  }
  p->levels = level + 1;
  p->n = n;
  p->tree = aligned_alloc(64, size * sizeof *p->tree);
  p->slots = aligned_alloc(64, (p->nodes[0] * 16 * sizeof *p->slots + 63) & ~(size_t)63);
  if (p->tree == NULL || p->slots == NULL) die("no memory");
  for (i = 0; i < p->nodes[0] * 16; i++) p->tree[i] = i < n ? keys[i] : INT64_MAX;
  memcpy(p->slots, slots, n * sizeof *slots);
  for (level = 1; level < p->levels; level++) {
    for (i = 0; i < p->nodes[level]; i++) {
      for (k = 0; k < 16; k++) {
        u64 node = i * 17 + k + 1;
        u32 l;
        for (l = 1; l < level; l++) node *= 17;
        p->tree[p->start[level] + i * 16 + k] = node * 16 < n ? keys[node * 16] : INT64_MAX;
      }
    }
  }
}

#define PLAIN_FIND(name, rank)                                                                                         \
  static u32 name(const Plain *p, i64 key) {                                                                           \
    u64 node = 0, at;                                                                                                  \
    u32 level;                                                                                                         \
    for (level = p->levels - 1; level > 0; level--) {                                                                  \
      node = node * 17 + rank(p->tree + p->start[level] + node * 16, key);                                             \
      node = MIN(node, p->nodes[level - 1] - 1);                                                                       \
    }                                                                                                                  \
    at = node * 16 + rank(p->tree + node * 16, key);                                                                   \
    return at && p->tree[at - 1] == key ? p->slots[at - 1] : NO_SLOT;                                                  \
  }

ALWAYS_INLINE u32 plain_rank(const i64 *node, i64 key) {
  u32 r = 0, i;
  for (i = 0; i < 16; i++) r += node[i] <= key;
  return r;
}
PLAIN_FIND(plain_find_scalar, plain_rank);
static u32 (*plain_find)(const Plain *p, i64 key) = plain_find_scalar; /* as the processor can */

#if defined(HAVE_AVX512)
#include <immintrin.h>
#define PLAIN_AVX2 __attribute__((target("avx2")))
PLAIN_AVX2 ALWAYS_INLINE u32 plain_rank_avx2(const i64 *node, i64 key) {
  __m256i k = _mm256_set1_epi64x(key);
  u32 mask = 1u << 16, i;
  for (i = 0; i < 4; i++) {
    __m256i greater = _mm256_cmpgt_epi64(_mm256_loadu_si256((const __m256i *)node + i), k);
    mask |= (u32)_mm256_movemask_pd(_mm256_castsi256_pd(greater)) << 4 * i;
  }
  return (u32)__builtin_ctz(mask);
}
PLAIN_AVX2 PLAIN_FIND(plain_find_avx2, plain_rank_avx2);

#define PLAIN_AVX512 __attribute__((target("avx512f")))
PLAIN_AVX512 ALWAYS_INLINE u32 plain_rank_avx512(const i64 *node, i64 key) {
  __m512i k = _mm512_set1_epi64(key);
  u32 mask = (u32)_mm512_cmpgt_epi64_mask(_mm512_loadu_si512(node), k) |
             (u32)_mm512_cmpgt_epi64_mask(_mm512_loadu_si512(node + 8), k) << 8;
  return (u32)__builtin_ctz(mask | 1u << 16);
}
PLAIN_AVX512 PLAIN_FIND(plain_find_avx512, plain_rank_avx512);
#endif

/* --- ours --- */

typedef struct Ours {
  Pages *pages;
  Rowmap map;
  u8 refs[2 * ROWMAP_MAX_RUNS * ARRAY_REF_SIZE], bounds[16 * ROWMAP_MAX_RUNS];
  u32 count;
  u64 fold;
} Ours;

/* Freed pages are used again at once: nobody else reads them. */
static FreePages reusable;

static int compare_ranges(const void *a, const void *b) {
  const PageRange *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

/* What a fold has left free, and what it has freed, for the next one. */
static void keep_free(const PageTx *tx) {
  u64 ranges = tx->free_count + tx->freed_count, i, n = 0;
  int rc = 0;
  PageRange *range = mem_array(&rc, ranges, sizeof *range);
  if (rc) die("no memory");
  if (tx->free_count) memcpy(range, tx->free, (size_t)tx->free_count * sizeof *range);
  if (tx->freed_count) memcpy(range + tx->free_count, tx->freed, (size_t)tx->freed_count * sizeof *range);
  if (ranges) qsort(range, (size_t)ranges, sizeof *range, compare_ranges);
  for (i = 0; i < ranges; i++) {
    if (n && range[n - 1].first + range[n - 1].count == range[i].first)
      range[n - 1].count += range[i].count;
    else
      range[n++] = range[i];
  }
  reusable = (FreePages){.reusable = range, .reusable_count = n, .complete = 1};
}

static void ours_new(Ours *o) {
  Home *home = NULL;
  u8 head[PAGE_SIZE] = {0};
  memset(o, 0, sizeof *o);
  if (home_memory_open(1, &home) || pages_open(home, &o->pages) || home->methods->write(home, 0, 1, head)) die("pages");
  o->count = 1;
  if (rowmap_open(&o->map, o->pages, OWNER, TAG, 0, o->refs, o->bounds)) die("open");
}

static void ours_free(Ours *o) {
  mem_free(reusable.reusable);
  reusable = (FreePages){0};
  rowmap_close(&o->map);
  pages_close(o->pages);
}

static void ours_fold(Ours *o, const RowmapEntry *entries, u64 n) {
  PageTx tx;
  u32 map_runs = 0;
  if (page_tx_begin(&tx, o->pages, ++o->fold, o->count, o->count, &reusable)) die("begin");
  if (rowmap_fold(&o->map, 1, entries, n, &tx, o->refs, o->bounds, &map_runs)) die("fold");
  o->count = page_tx_count(&tx);
  rowmap_close(&o->map);
  if (pages_set_count(o->pages, o->count)) die("count");
  if (rowmap_open(&o->map, o->pages, OWNER, TAG, map_runs, o->refs, o->bounds)) die("open");
  keep_free(&tx);
  page_tx_end(&tx);
}

static void report(const char *name, double seconds, double ops, double peer, double plain) {
  printf("  %-10s %8.1f ns", name, seconds / ops * 1e9);
  if (peer > 0) printf("   btree_map %8.1f ns  x%-6.2f", peer / ops * 1e9, peer / seconds);
  if (plain > 0) printf("  S+tree %7.1f ns  x%-5.2f", plain / ops * 1e9, plain / seconds);
  printf("\n");
  fflush(stdout);
}

/* What is looked for, and its slot, read in order: only the map is read at random. */
static i64 *probe;
static u32 *expect;
static volatile u32 no_bits; /* 0: a key that depends on the answer before, and is the same */

/* One lookup at a time, each waiting for the one before. */
static double point_ours(Ours *o, u64 n) {
  double start = now();
  u64 i;
  u32 slot = 0, none = no_bits;
  for (i = 0; i < n; i++) {
    if (rowmap_find(&o->map, probe[i] + (slot & none), &slot) || slot != expect[i]) die("a key was not found");
  }
  return now() - start;
}

static double point_plain(const Plain *p, u64 n) {
  double start = now();
  u64 i;
  u32 slot = 0, none = no_bits;
  for (i = 0; i < n; i++) {
    slot = plain_find(p, probe[i] + (slot & none));
    if (slot != expect[i]) die("S+tree: a key was not found");
  }
  return now() - start;
}

#if defined(HAVE_BTREE)
static double point_btree(const void *t, u64 n) {
  double start = now();
  u64 i;
  u32 slot = 0, none = no_bits;
  for (i = 0; i < n; i++) {
    slot = btree_find(t, probe[i] + (slot & none));
    if (slot != expect[i]) die("btree: a key was not found");
  }
  return now() - start;
}
#endif

static double batch_ours(Ours *o, u64 n) {
  static u32 slot[1024];
  double start = now();
  u64 i;
  for (i = 0; i + 1024 <= n; i += 1024) {
    if (rowmap_find_many(&o->map, probe + i, 1024, slot)) die("find_many");
    if (memcmp(slot, expect + i, sizeof slot)) die("batch: a key was not found");
  }
  return now() - start;
}

static double range_ours(Ours *o, u64 n, u64 *sum) {
  RowmapCursor c;
  RowmapEntry e;
  double start = now();
  u64 i, k;
  memset(&c, 0, sizeof c);
  *sum = 0;
  for (i = 0; i < n; i++) {
    if (rowmap_seek(&c, &o->map, probe[i], 0)) die("seek");
    for (k = 0; k < 1000 && rowmap_next(&c, &e) == SQLITE_OK; k++) *sum += e.slot;
  }
  rowmap_cursor_end(&c);
  return now() - start;
}

/* Slots in the order of keys, or mixed; keys to be looked for, and where they are. */
static void choose(int stored, const i64 *keys, u64 n, u64 lookups, u32 *slots, u32 *order) {
  u64 i;
  for (i = 0; i < n; i++) slots[i] = (u32)i;
  for (i = n - 1; stored && i > 0; i--) {
    u64 k = random64() % (i + 1);
    u32 t = slots[i];
    slots[i] = slots[k];
    slots[k] = t;
  }
  for (i = 0; i < lookups; i++) {
    order[i] = (u32)(random64() % (n - 1));
    probe[i] = keys[order[i]];
    expect[i] = slots[order[i]];
  }
}

/* Keys that follow those that are there. */
static void bench_absent(Ours *o, u64 lookups) {
  double seconds[MAX_RUNS];
  u64 absent = 0, i;
  int r;
  for (r = 0; r < runs; r++) {
    double start = now();
    u32 slot = 0, none = no_bits;
    absent = 0;
    for (i = 0; i < lookups; i++) {
      i64 key = probe[i] + 1 + (slot & none);
      absent += rowmap_find(&o->map, key, &slot) == SQLITE_NOTFOUND;
    }
    seconds[r] = now() - start;
  }
  printf("  %-10s %8.1f ns   (%.0f %% of them absent)\n", "key + 1", median(seconds, runs) / (double)lookups * 1e9,
         100.0 * (double)absent / (double)lookups);
}

/* --- rows --- */

#define ROW 64
#define MOST_ROWS 2000000u

static void db_step(sqlite3_stmt *s) {
  if (sqlite3_step(s) == SQLITE_ERROR || sqlite3_reset(s)) die("SQLite");
}

/* A table t(k, row) in memory: the keys, and rows that begin with them. */
static sqlite3 *rows_table(const i64 *keys, u64 n) {
  sqlite3 *db;
  sqlite3_stmt *s;
  u8 row[ROW] = {0};
  u64 i;
  if (sqlite3_open(":memory:", &db)) die("SQLite");
  if (sqlite3_exec(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, row BLOB); BEGIN", NULL, NULL, NULL) ||
      sqlite3_prepare_v2(db, "INSERT INTO t VALUES(?1, ?2)", -1, &s, NULL))
    die("SQLite");
  for (i = 0; i < n; i++) {
    memcpy(row, &keys[i], sizeof keys[i]);
    sqlite3_bind_int64(s, 1, keys[i]);
    sqlite3_bind_blob(s, 2, row, ROW, SQLITE_STATIC);
    db_step(s);
  }
  sqlite3_finalize(s);
  return db;
}

static double row_ours(Ours *o, const u8 *rows, u64 n) {
  double start = now();
  u8 row[ROW] = {0};
  u64 i;
  for (i = 0; i < n; i++) {
    u32 slot = 0;
    i64 key = probe[i] + (row[ROW - 1] & no_bits);
    if (rowmap_find(&o->map, key, &slot)) die("a key was not found");
    memcpy(row, rows + (size_t)slot * ROW, ROW);
    if (memcmp(row, &key, sizeof key)) die("another row");
  }
  return now() - start;
}

static double row_blob(sqlite3_blob *blob, u64 n) {
  double start = now();
  u8 row[ROW] = {0};
  u64 i;
  for (i = 0; i < n; i++) {
    i64 key = probe[i] + (row[ROW - 1] & no_bits);
    if (sqlite3_blob_reopen(blob, key) || sqlite3_blob_read(blob, row, ROW, 0)) die("SQLite");
    if (memcmp(row, &key, sizeof key)) die("another row");
  }
  return now() - start;
}

static void bench_rows(Ours *o, const i64 *keys, const u32 *slots, u64 n, u64 lookups) {
  double ours[MAX_RUNS], blobs[MAX_RUNS];
  u8 *rows = calloc(n, ROW);
  sqlite3 *db = rows_table(keys, n);
  sqlite3_blob *blob;
  u64 i;
  int r;
  if (rows == NULL) die("no memory");
  for (i = 0; i < n; i++) memcpy(rows + (size_t)slots[i] * ROW, &keys[i], sizeof keys[i]);
  if (sqlite3_blob_open(db, "main", "t", "row", keys[0], 0, &blob)) die("SQLite");
  for (r = 0; r < runs; r++) {
    ours[r] = row_ours(o, rows, lookups);
    blobs[r] = row_blob(blob, lookups);
  }
  printf("  %-10s %8.1f ns   blob_reopen %6.1f ns  x%.2f\n", "row", median(ours, runs) / (double)lookups * 1e9,
         median(blobs, runs) / (double)lookups * 1e9, median(blobs, runs) / median(ours, runs));
  sqlite3_blob_close(blob);
  sqlite3_close(db);
  free(rows);
}

static void bench_set(KeySet set, int stored, i64 *keys, u32 *slots, u32 *order) {
  u64 n = keys_make(set, keys, count), i, page_bytes, memory;
  RowmapEntry *entries = malloc(n * sizeof *entries);
  double ours[MAX_RUNS], peer[MAX_RUNS], plain[MAX_RUNS], build[MAX_RUNS];
  u64 lookups = MIN(LOOKUPS, n - 1), sum = 0;
  Ours o;
  Plain p;
  int r;
#if defined(HAVE_BTREE)
  void *tree = NULL;
#endif
  if (entries == NULL) die("no memory");
  choose(stored, keys, n, lookups, slots, order);
  for (i = 0; i < n; i++) entries[i] = (RowmapEntry){keys[i], slots[i]};
  for (r = 0; r < runs; r++) {
    double start = now();
    if (r) ours_free(&o);
    ours_new(&o);
    ours_fold(&o, entries, n);
    build[r] = now() - start;
  }
  plain_build(&p, keys, slots, n);
#if defined(HAVE_BTREE)
  tree = btree_build(keys, slots, n);
#endif
  point_ours(&o, lookups); /* every page is read and verified */
  rowmap_size(&o.map, &page_bytes, &memory);
  printf("%s, slots %s: %llu keys, %.3f bytes a key in pages, %.3f in memory; built at %.1f M keys/s\n",
         key_set_name[set], stored ? "stored" : "in order", (unsigned long long)n, (double)page_bytes / (double)n,
         (double)memory / (double)n, (double)n / median(build, runs) / 1e6);
  for (r = 0; r < runs; r++) {
    ours[r] = point_ours(&o, lookups);
    plain[r] = point_plain(&p, lookups);
    peer[r] = 0;
#if defined(HAVE_BTREE)
    peer[r] = point_btree(tree, lookups);
#endif
  }
  report("point", median(ours, runs), (double)lookups, median(peer, runs), median(plain, runs));
  for (r = 0; r < runs; r++) ours[r] = batch_ours(&o, lookups);
  report("batch", median(ours, runs), (double)(lookups / 1024 * 1024), 0, 0);
  for (r = 0; r < runs; r++) {
    ours[r] = range_ours(&o, 1000, &sum);
    peer[r] = 0;
#if defined(HAVE_BTREE)
    {
      double start = now();
      u64 other = 0;
      for (i = 0; i < 1000; i++) other += btree_range(tree, probe[i], 1000);
      peer[r] = now() - start;
      if (other != sum) die("ranges differ");
    }
#endif
  }
  report("range", median(ours, runs), 1e6, median(peer, runs), 0);
  bench_absent(&o, lookups);
  if (n <= MOST_ROWS) bench_rows(&o, keys, slots, n, lookups);
#if defined(HAVE_BTREE)
  btree_free(tree);
#endif
  free(p.tree);
  free(p.slots);
  ours_free(&o);
  free(entries);
}

/* Appends, random inserts, merges, checks. */
static void bench_changes(i64 *keys, u32 *slots) {
  static i64 scratch[FOLD];
  u64 n = keys_make(KEYS_SEQUENTIAL, keys, count), i, k, at;
  RowmapEntry *entries = malloc(FOLD * sizeof *entries);
  RowmapEntry *all = malloc(n * sizeof *all);
  double start, spent;
  u64 inserted = 0, added = MIN(n / 2, 4000000u);
  Ours o;
  if (entries == NULL || all == NULL) die("no memory");
  ours_new(&o);
  start = now();
  for (at = 0; at < n; at += FOLD) {
    u64 m = MIN(FOLD, n - at);
    for (k = 0; k < m; k++) entries[k] = (RowmapEntry){keys[at + k], (u32)(at + k)};
    ours_fold(&o, entries, m);
  }
  spent = now() - start;
  printf("append in folds of %u: %.1f M keys/s\n", FOLD, (double)n / spent / 1e6);
  start = now();
  if (rowmap_check(&o.map)) die("check");
  printf("check: %.1f M keys/s\n", (double)n / (now() - start) / 1e6);
  ours_free(&o);

  n = keys_make(KEYS_UNIFORM, keys, count);
  for (i = 0; i < n; i++) all[i] = (RowmapEntry){keys[i], (u32)i};
  ours_new(&o);
  ours_fold(&o, all, n);
  spent = 0;
  random_state = 99;
  while (inserted < added) {
    for (k = 0; k < FOLD; k++) keys[k] = (i64)(random64() >> 1);
    start = now(); /* the keys come unsorted: sorting them is part of the work */
    sort_keys(keys, scratch, FOLD);
    spent += now() - start;
    for (k = 1; k < FOLD; k++) {
      if (keys[k] == keys[k - 1]) die("two keys are the same");
    }
    for (k = 0; k < FOLD; k++) entries[k] = (RowmapEntry){keys[k], (u32)(n + inserted + k)};
    start = now();
    ours_fold(&o, entries, FOLD);
    spent += now() - start;
    inserted += FOLD;
    for (k = 0; k < FOLD; k += 997) {
      if (rowmap_find(&o.map, keys[k], &slots[0]) || slots[0] != entries[k].slot) die("an insert was not found");
    }
  }
  printf("random inserts into %llu keys, in folds of %u, sorting and merging included: %.1f M keys/s, %u runs now\n",
         (unsigned long long)n, FOLD, (double)inserted / spent / 1e6, o.map.run_count);
  if (rowmap_check(&o.map)) die("check");
#if defined(HAVE_BTREE)
  {
    void *tree = btree_build(&all[0].rowid, slots, 0);
    for (i = 0; i < n; i++) keys[i] = all[i].rowid;
    btree_free(tree);
    tree = btree_build(keys, slots, n);
    random_state = 99;
    for (k = 0; k < added; k++) keys[k] = (i64)(random64() >> 1);
    start = now();
    btree_insert(tree, keys, slots, added);
    printf("  btree_map, the same keys: %.1f M keys/s\n", (double)added / (now() - start) / 1e6);
    btree_free(tree);
  }
#endif
  ours_free(&o);
  free(entries);
  free(all);
}

int main(int argc, char **argv) {
  i64 *keys;
  u32 *slots, *order;
  int set;
  if (argc > 1) count = strtoull(argv[1], NULL, 10);
  if (argc > 2) runs = MIN(MAX(atoi(argv[2]), 1), MAX_RUNS);
  if (count < 1000 || count > 0xfffffff0u) die("usage: learned [KEYS [RUNS]]");
  sqlite3_initialize();
#if defined(HAVE_AVX512)
  if (cpu_features() & CPU_AVX2) plain_find = plain_find_avx2;
  if (cpu_features() & CPU_AVX512) plain_find = plain_find_avx512;
#endif
  keys = malloc(count * sizeof *keys);
  slots = malloc((count + 4000000) * sizeof *slots);
  order = malloc(LOOKUPS * sizeof *order);
  probe = malloc(LOOKUPS * sizeof *probe);
  expect = malloc(LOOKUPS * sizeof *expect);
  if (keys == NULL || slots == NULL || order == NULL || probe == NULL || expect == NULL) die("no memory");
  for (set = 0; set < KEY_SETS; set++) {
    bench_set((KeySet)set, 0, keys, slots, order);
    bench_set((KeySet)set, 1, keys, slots, order);
  }
  bench_changes(keys, slots);
  free(keys);
  free(slots);
  free(order);
  free(probe);
  free(expect);
  return 0;
}
