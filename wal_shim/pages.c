/*
 * pages.c: checked reading of pages, and the pages that one fold writes. See pages.h for P1..P3.
 *
 * In a home that cannot map, extents are read into blocks kept in a small cache: blocks in use are counted, blocks not
 * in use are dropped oldest first when they exceed CACHE_PAGES.
 */
#include "pages.h"

#include <stdlib.h>

#include "bytes.h"

#define CACHE_PAGES 4096u
#define CACHE_BUCKETS 1024u

typedef struct CacheBlock {
  struct CacheBlock *next; /* in its bucket */
  u8 *data;
  u32 pgno, count, uses;
  struct CacheBlock *older, *newer; /* of those not in use, by their last release */
} CacheBlock;

struct Pages {
  Home *home;
  u32 count;     /* of the current root */
  u32 *verified; /* by pgno: the checksum found right; 0: none, so a checksum of 0 is computed each time */
  u64 verified_cap;
  CacheBlock *bucket[CACHE_BUCKETS];
  CacheBlock *oldest, *newest; /* not in use */
  u64 cached_pages;
  PagesStats stats;
};

int pages_open(Home *home, Pages **out) {
  int rc = SQLITE_OK;
  Pages *p = mem_zeroed(&rc, 1, sizeof *p);
  if (rc) {
    home->methods->close(home);
    return rc;
  }
  p->home = home;
  *out = p;
  return SQLITE_OK;
}

void pages_close(Pages *pages) {
  u32 i;
  if (pages == NULL) return;
  for (i = 0; i < CACHE_BUCKETS; i++) {
    while (pages->bucket[i]) {
      CacheBlock *b = pages->bucket[i];
      pages->bucket[i] = b->next;
      mem_aligned_free(b->data);
      mem_free(b);
    }
  }
  pages->home->methods->close(pages->home);
  mem_free(pages->verified);
  mem_free(pages);
}

Home *pages_home(Pages *pages) { return pages->home; }

const PagesStats *pages_stats(const Pages *pages) { return &pages->stats; }

static int set_count(Pages *pages, u32 count, u32 keep) {
  u64 old_cap = pages->verified_cap;
  u32 size = 0;
  int rc = pages->home->methods->size(pages->home, &size);
  if (rc) return rc;
  if (count > size) return CORRUPT(size);
  rc = mem_reserve(&pages->verified, &pages->verified_cap, count, sizeof *pages->verified);
  if (rc) return rc;
  if (pages->verified_cap > old_cap) {
    memset(pages->verified + old_cap, 0, (size_t)(pages->verified_cap - old_cap) * sizeof *pages->verified);
  }
  pages->count = MIN(MAX(count, keep), size);
  return SQLITE_OK;
}

int pages_set_count(Pages *pages, u32 count) { return set_count(pages, count, pages->count); }
int pages_limit(Pages *pages, u32 count) { return set_count(pages, count, 0); }

static void forget_range(Pages *pages, u32 pgno, u32 count);

int pages_truncate(Pages *pages, u32 count, u32 *pages_left) {
  int rc = pages->home->methods->size(pages->home, pages_left);
  if (rc || *pages_left <= count) return rc;
  forget_range(pages, count, *pages_left - count);
  if ((u64)count < pages->verified_cap)
    memset(pages->verified + count, 0, (size_t)(pages->verified_cap - count) * sizeof *pages->verified);
  pages->count = MIN(pages->count, count);
  rc = pages->home->methods->truncate(pages->home, count);
  return rc ? rc : pages->home->methods->size(pages->home, pages_left);
}

/*
 * Page 0: magic, then format version, page size and the checksum of the bytes before it. Written once, synced before any
 * other page is written (S8).
 */
static const char head_magic[16] = "Quire pages\r\n\032\n";

static void make_head(u8 *page) {
  memset(page, 0, PAGE_SIZE);
  memcpy(page, head_magic, sizeof head_magic);
  store32(page + 16, PAGE_FORMAT);
  store32(page + 20, PAGE_SIZE);
  store32(page + 24, crc32c(0, page, 24));
}

/* Nothing that is known of the pages holds for another file of that name. */
static int follow_name(Pages *pages) {
  int changed = 0, rc = pages->home->methods->follow(pages->home, &changed);
  if (!changed) return rc;
  forget_range(pages, 0, 0xffffffff);
  if (pages->verified) memset(pages->verified, 0, (size_t)pages->verified_cap * sizeof *pages->verified);
  pages->count = 0;
  return rc;
}

int pages_check_head(Pages *pages) {
  u8 head[PAGE_SIZE], want[PAGE_SIZE];
  u32 size = 0;
  int rc = follow_name(pages);
  if (rc == SQLITE_OK) rc = pages->home->methods->size(pages->home, &size);
  if (rc) return rc;
  if (size == 0) return SQLITE_NOTADB;
  rc = pages->home->methods->read(pages->home, 0, 1, head);
  if (rc) return rc;
  make_head(want);
  return memcmp(head, want, 28) == 0 ? SQLITE_OK : SQLITE_NOTADB;
}

int pages_prepare(Pages *pages, int first) {
  u8 head[PAGE_SIZE];
  u32 size = 0;
  int rc = follow_name(pages);
  if (rc == SQLITE_OK) rc = pages->home->methods->prepare(pages->home, first);
  if (rc == SQLITE_OK) rc = pages->home->methods->size(pages->home, &size);
  if (rc) return rc;
  /* More than the head: it was durable before the rest was written, so either it is sound or the file is not ours (in the database all is). */
  if (!first || (size > 1 && !pages->home->methods->in_database)) return pages_check_head(pages);
  make_head(head); /* even over a head that looks right: a sync that failed may have lost it (R7) */
  rc = pages->home->methods->write(pages->home, 0, 1, head);
  if (rc == SQLITE_OK) rc = pages->home->methods->sync(pages->home);
  return rc;
}

/* --- cache of blocks, for homes that cannot map --- */

static CacheBlock **find_block(Pages *pages, u32 pgno, u32 count) {
  CacheBlock **at = &pages->bucket[pgno % CACHE_BUCKETS];
  while (*at && ((*at)->pgno != pgno || (*at)->count != count)) at = &(*at)->next;
  return at;
}

/* A block comes into use. */
static void unqueue(Pages *pages, CacheBlock *b) {
  *(b->older ? &b->older->newer : &pages->oldest) = b->newer;
  *(b->newer ? &b->newer->older : &pages->newest) = b->older;
  b->older = b->newer = NULL;
}

static void queue(Pages *pages, CacheBlock *b) {
  b->older = pages->newest;
  *(b->older ? &b->older->newer : &pages->oldest) = b;
  pages->newest = b;
}

/* One that is not in use. */
static void drop_block(Pages *pages, CacheBlock **at) {
  CacheBlock *b = *at;
  unqueue(pages, b);
  *at = b->next;
  pages->cached_pages -= b->count;
  mem_aligned_free(b->data);
  mem_free(b);
}

static void trim_cache(Pages *pages) {
  while (pages->cached_pages > CACHE_PAGES && pages->oldest)
    drop_block(pages, find_block(pages, pages->oldest->pgno, pages->oldest->count));
}

/* Forget unused copies of pages that are about to be written. A copy in use stays what its reader saw. */
static void forget_range(Pages *pages, u32 pgno, u32 count) {
  u32 first = pgno - MIN(pgno, EXTENT_MAX_PAGES - 1), i; /* where a block that overlaps can begin */
  u64 buckets = MIN((u64)pgno + count - first, (u64)CACHE_BUCKETS);
  for (i = 0; i < buckets && pages->cached_pages; i++) {
    CacheBlock **at = &pages->bucket[(first + i) % CACHE_BUCKETS];
    while (*at) {
      CacheBlock *b = *at;
      if (b->pgno < pgno + count && pgno < b->pgno + b->count) {
        if (b->uses == 0) {
          drop_block(pages, at);
          continue;
        }
        pages->cached_pages -= b->count;
        b->count = 0; /* never found again; freed at its last release */
      }
      at = &b->next;
    }
  }
}

void pages_forget_copies(Pages *pages) { forget_range(pages, 0, 0xffffffff); }

static int read_block(Pages *pages, u32 pgno, u32 count, CacheBlock **out) {
  CacheBlock **at = find_block(pages, pgno, count);
  CacheBlock *b = *at;
  int rc = SQLITE_OK;
  if (b == NULL) {
    trim_cache(pages);
    b = mem_zeroed(&rc, 1, sizeof *b);
    if (rc) return rc;
    b->data = mem_aligned(&rc, (u64)count * PAGE_SIZE);
    if (rc == SQLITE_OK) rc = pages->home->methods->read(pages->home, pgno, count, b->data);
    if (rc) {
      mem_aligned_free(b->data);
      mem_free(b);
      return rc;
    }
    pages->stats.read += count;
    b->pgno = pgno;
    b->count = count;
    b->next = pages->bucket[pgno % CACHE_BUCKETS];
    pages->bucket[pgno % CACHE_BUCKETS] = b;
    pages->cached_pages += count;
    memset(pages->verified + pgno, 0, count * sizeof *pages->verified); /* these bytes are new to us */
  } else if (b->uses == 0) {
    unqueue(pages, b);
  }
  b->uses++;
  *out = b;
  return SQLITE_OK;
}

void pages_release(Pages *pages, PageHold *hold) {
  CacheBlock *b = hold->block;
  hold->block = NULL;
  if (b == NULL) return;
  if (--b->uses) return;
  queue(pages, b);
  if (b->count == 0) {
    CacheBlock **at = &pages->bucket[b->pgno % CACHE_BUCKETS];
    while (*at != b) at = &(*at)->next;
    drop_block(pages, at);
  }
}

/* --- checked reading --- */

static int get_raw(Pages *pages, u32 pgno, u32 count, const u8 **out, PageHold *hold) {
  CacheBlock *block = NULL;
  int rc;
  hold->block = NULL;
  *out = NULL;
  if (pgno == 0 || count == 0 || count > EXTENT_MAX_PAGES || (u64)pgno + count > pages->count) return CORRUPT(pgno);
  rc = pages->home->methods->map(pages->home, pgno, count, out);
  if (rc || *out) return rc;
  rc = read_block(pages, pgno, count, &block);
  if (rc) return rc;
  hold->block = block;
  *out = block->data;
  return SQLITE_OK;
}

static int known(const Pages *pages, u32 pgno, u32 crc) {
  return (crc != 0 && pages->verified[pgno] == crc) || DEFECT(checksums_not_compared);
}

int pages_get_unchecked(Pages *pages, u32 pgno, u32 count, const u8 **out, PageHold *hold) {
  return get_raw(pages, pgno, count, out, hold);
}

int pages_check(Pages *pages, u32 pgno, const u8 *crc, const u8 *data) {
  u32 want = load32(crc);
  if (LIKELY(known(pages, pgno, want))) return SQLITE_OK;
  if (crc32c(0, data, PAGE_SIZE) != want) return CORRUPT(pgno);
  pages->verified[pgno] = want;
  pages->stats.verified++;
  return SQLITE_OK;
}

int pages_get(Pages *pages, u32 pgno, u32 count, const u8 *crc, const u8 **out, PageHold *hold) {
  u32 i;
  int rc = get_raw(pages, pgno, count, out, hold);
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    rc = pages_check(pages, pgno + i, crc + 4 * i, *out + (size_t)i * PAGE_SIZE);
  }
  if (rc) {
    pages_release(pages, hold);
    *out = NULL;
  }
  return rc;
}

int pages_get_structure(Pages *pages, PageRef ref, PageKind kind, u64 owner, u64 logical, const u8 **out,
                        PageHold *hold) {
  const u8 *page;
  int rc = get_raw(pages, ref.pgno, 1, out, hold);
  if (rc) return rc;
  page = *out;
  if (!known(pages, ref.pgno, ref.crc)) {
    if (crc32c(0, page + 4, PAGE_SIZE - 4) != ref.crc) goto corrupt;
    pages->verified[ref.pgno] = ref.crc;
    pages->stats.verified++;
  }
  if (load32(page) != ref.crc || page[4] != (u8)kind || load64(page + 16) != owner || load64(page + 24) != logical) {
    goto corrupt;
  }
  return SQLITE_OK;
corrupt:
  pages_release(pages, hold);
  *out = NULL;
  return CORRUPT(ref.pgno);
}

int pages_structure_kind(Pages *pages, PageRef ref, PageKind *kind) {
  const u8 *page;
  PageHold hold;
  int rc = get_raw(pages, ref.pgno, 1, &page, &hold);
  if (rc) return rc;
  rc = load32(page) == ref.crc && crc32c(0, page + 4, PAGE_SIZE - 4) == ref.crc ? SQLITE_OK : CORRUPT(ref.pgno);
  *kind = (PageKind)page[4];
  pages_release(pages, &hold);
  return rc;
}

/* --- writing --- */

int page_tx_begin(PageTx *tx, Pages *pages, u64 n, u32 state_count, u32 known, FreePages *free_pages) {
  int rc;
  memset(tx, 0, sizeof *tx);
  tx->pages = pages;
  tx->n = n;
  tx->free = free_pages->reusable;
  tx->free_count = tx->free_cap = free_pages->reusable_count;
  tx->waiting = free_pages->waiting;
  tx->waiting_count = free_pages->waiting_count;
  tx->complete = free_pages->complete;
  memset(free_pages, 0, sizeof *free_pages);
  rc = pages->home->methods->size(pages->home, &tx->size);
  if (rc) return rc;
  tx->base = tx->top = MAX(state_count, 1);
  tx->known = MAX(known, tx->base);
  tx->end = DEFECT(growth_from_count) ? tx->base : MAX(tx->known, tx->size);
  return SQLITE_OK;
}

/* What lies between the pages that are known and the file's end is garbage of attempts that did not commit: it is free from now on (S7). */
static int extend(PageTx *tx) {
  if (tx->extended) return SQLITE_OK;
  tx->extended = 1;
  return page_tx_free(tx, tx->known, tx->end - MIN(tx->known, tx->end));
}

void page_tx_end(PageTx *tx) {
  mem_free(tx->free);
  mem_free(tx->waiting);
  mem_free(tx->freed);
  memset(tx, 0, sizeof *tx);
}

int page_tx_interrupted(PageTx *tx) { return tx->interrupted && tx->interrupted(tx->interrupt_arg); }

int page_tx_free(PageTx *tx, u32 pgno, u32 count) {
  PageRange *last = tx->freed_count ? &tx->freed[tx->freed_count - 1] : NULL;
  if (count == 0) return SQLITE_OK;
  if (pgno == 0 || (u64)pgno + count > tx->end) return CORRUPT(pgno);
  if (last && last->first + last->count == pgno) {
    last->count += count;
    return SQLITE_OK;
  }
  if (mem_reserve(&tx->freed, &tx->freed_cap, tx->freed_count + 1, sizeof *tx->freed)) return SQLITE_NOMEM;
  tx->freed[tx->freed_count].first = pgno;
  tx->freed[tx->freed_count].count = count;
  tx->freed_count++;
  return SQLITE_OK;
}

int page_tx_free_range(void *tx, u32 pgno, u32 count) { return page_tx_free(tx, pgno, count); }

/* First position in the range where `count` pages fit without crossing a segment; 0 if none. */
static u32 fit(const PageRange *range, u32 count) {
  u64 first = range->first, end = first + range->count;
  while (first + count <= end) {
    u64 limit = (first / SEGMENT_PAGES + 1) * SEGMENT_PAGES;
    if (first + count <= limit) return (u32)first;
    first = limit;
  }
  return 0;
}

/* The lowest range that begins below `end`, has less than `limit` pages, and where `count` fit; free_count: none. */
static u64 lowest_range(const PageTx *tx, u32 end, u32 limit, u32 count) {
  u64 i;
  for (i = 0; i < tx->free_count && tx->free[i].first < end; i++) {
    if (tx->free[i].count < limit && fit(&tx->free[i], count)) return i;
  }
  return tx->free_count;
}

/* The smallest of those below the store's end. */
static u64 smallest_range(const PageTx *tx, u32 count) {
  u64 i, best = tx->free_count;
  for (i = 0; i < tx->free_count && tx->free[i].first < tx->base; i++) {
    const PageRange *r = &tx->free[i];
    if (r->count < count || (best < i && r->count >= tx->free[best].count) || fit(r, count) == 0) continue;
    best = i;
    if (r->count == count) break;
  }
  return best;
}

/*
 * The range that `count` pages are taken from. Ranges that take a whole extent are not broken as long as others do: where pages are moved, the lowest of those, so
 * that what is left closes up, else the smallest. If there is none, the lowest of all.
 */
static u64 choose_range(const PageTx *tx, u32 count) {
  u64 i = tx->move_from ? lowest_range(tx, tx->move_from, EXTENT_MAX_PAGES, count) : smallest_range(tx, count);
  return i < tx->free_count ? i : lowest_range(tx, 0xffffffffu, 0xffffffffu, count);
}

static int alloc_reused(PageTx *tx, u32 count, u32 *pgno) {
  u64 i = choose_range(tx, count);
  PageRange *r;
  u32 at;
  if (i == tx->free_count) return SQLITE_NOTFOUND;
  r = &tx->free[i];
  at = fit(r, count);
  if (at > r->first) { /* split: the part before stays free */
    if (mem_reserve(&tx->free, &tx->free_cap, tx->free_count + 1, sizeof *tx->free)) return SQLITE_NOMEM;
    memmove(&tx->free[i + 1], &tx->free[i], (size_t)(tx->free_count - i) * sizeof *tx->free);
    tx->free_count++;
    tx->free[i].count = at - tx->free[i].first;
    r = &tx->free[++i];
    r->count -= at - r->first;
  }
  r->first = at + count;
  r->count -= count;
  if (r->count == 0) {
    memmove(&tx->free[i], &tx->free[i + 1], (size_t)(tx->free_count - i - 1) * sizeof *tx->free);
    tx->free_count--;
  }
  tx->used_free += count;
  tx->pages->stats.reused += count;
  tx->top = MAX(tx->top, at + count);
  *pgno = at;
  return SQLITE_OK;
}

int page_tx_alloc(PageTx *tx, u32 count, u32 *pgno) {
  u32 room;
  int rc = alloc_reused(tx, count, pgno);
  if (rc != SQLITE_NOTFOUND) return rc;
  rc = extend(tx);
  if (rc) return rc;
  room = SEGMENT_PAGES - tx->end % SEGMENT_PAGES;
  if (room < count) {
    tx->end += room;
    rc = page_tx_free(tx, tx->end - room, room);
    if (rc) return rc;
  }
  if ((u64)tx->end + count > 0xfffffff0u) return SQLITE_FULL;
  *pgno = tx->end;
  tx->end += count;
  tx->top = tx->end;
  tx->pages->stats.extended += count;
  return SQLITE_OK;
}

/* --- moving, and a lower end --- */

int page_tx_plan_closing(PageTx *tx) {
  u64 i, w, waiting = 0;
  for (i = 0; i < tx->free_count && tx->free[i].first < tx->base; i++) {
    if (fit(&tx->free[i], EXTENT_MAX_PAGES)) return 0;
  }
  if (i == 0 || tx->spare == 0) return 0;
  for (w = 0; w < tx->waiting_count && tx->waiting[w].first < tx->base; w++) waiting += tx->waiting[w].count;
  if (waiting >= EXTENT_MAX_PAGES) return 0;
  tx->move_from = tx->free[0].first + tx->free[0].count;
  return 1;
}

void page_tx_plan_moves(PageTx *tx, u64 reserve) {
  u64 f = tx->free_count, w = tx->waiting_count, i, room = 0, work = 0, limit;
  u32 top = tx->base;
  while (f && tx->free[f - 1].first >= tx->base) f--;
  while (w && tx->waiting[w - 1].first >= tx->base) w--;
  for (i = 0; i < f; i++) room += tx->free[i].count;
  tx->move_from = 0;
  if (tx->spare == 0) return;
  while (room > reserve && top > 1) { /* all from `top` on is free, or among the `work` pages to be moved into `room` */
    const PageRange *a = f ? &tx->free[f - 1] : NULL, *b = w ? &tx->waiting[w - 1] : NULL;
    int reusable = a && (b == NULL || a->first > b->first);
    const PageRange *r = reusable ? a : b;
    u32 used = top - (r ? r->first + r->count : 1);
    /* an extent that the work ends in is moved, too */
    limit = MIN((u64)tx->spare + EXTENT_MAX_PAGES, room - reserve);
    if (work + used > limit) {
      if (limit > work) top -= (u32)(limit - work);
      break;
    }
    work += used;
    top -= used;
    if (r == NULL || (reusable && reserve + work > room - r->count))
      break; /* else there would not be room for it below */
    top = r->first;
    if (reusable) {
      room -= r->count;
      f--;
    } else {
      w--;
    }
  }
  if (top < tx->base) tx->move_from = top;
}

int page_tx_moves(PageTx *tx, u32 pgno, u32 count) {
  u64 i;
  if (tx->move_from == 0 || pgno < tx->move_from || tx->spare == 0) return 0;
  i = choose_range(tx, count);
  if (i == tx->free_count || fit(&tx->free[i], count) >= pgno) return 0;
  tx->spare -= MIN(count, tx->spare);
  tx->moved += count;
  return 1;
}

static int compare_ranges(const void *a, const void *b) {
  u32 x = ((const PageRange *)a)->first, y = ((const PageRange *)b)->first;
  return (x > y) - (x < y);
}

void page_tx_cut(PageTx *tx) {
  const PageRange *range[3] = {tx->free, tx->waiting, tx->freed};
  u64 left[3] = {tx->free_count, tx->waiting_count, tx->freed_count};
  u32 end = DEFECT(growth_not_synced) ? tx->end : tx->top;
  int i, more = 1;
  if (!tx->complete) return;
  if (tx->freed_count) qsort(tx->freed, (size_t)tx->freed_count, sizeof *tx->freed, compare_ranges);
  while (more) {
    more = 0;
    for (i = 0; i < 3; i++) {
      const PageRange *last;
      while (left[i] && range[i][left[i] - 1].first >= end) left[i]--; /* behind the store's pages already */
      last = left[i] ? &range[i][left[i] - 1] : NULL;
      if (last == NULL || last->first + last->count < end) continue;
      end = last->first;
      more = 1;
    }
  }
  tx->cut = end;
}

static int write_pages(PageTx *tx, u32 pgno, u32 count, const u8 *data) {
  Pages *pages = tx->pages;
  if ((u64)pgno < pages->verified_cap) {
    memset(pages->verified + pgno, 0, (size_t)MIN((u64)count, pages->verified_cap - pgno) * sizeof *pages->verified);
  }
  forget_range(pages, pgno, count);
  pages->stats.written += count;
  return pages->home->methods->write(pages->home, pgno, count, data);
}

int page_tx_put(PageTx *tx, u32 count, const u8 *data, u8 *crc, u32 *pgno) {
  u32 i;
  int rc = page_tx_alloc(tx, count, pgno);
  if (rc) return rc;
  for (i = 0; i < count; i++) store32(crc + 4 * i, crc32c(0, data + (size_t)i * PAGE_SIZE, PAGE_SIZE));
  return write_pages(tx, *pgno, count, data);
}

int page_tx_put_structure_at(PageTx *tx, u8 *page, PageKind kind, u8 level, u64 owner, u64 logical, u32 pgno,
                             PageRef *out) {
  page[4] = (u8)kind;
  page[5] = level;
  page[6] = page[7] = 0;
  store64(page + 8, tx->n);
  store64(page + 16, owner);
  store64(page + 24, logical);
  out->pgno = pgno;
  out->crc = crc32c(0, page + 4, PAGE_SIZE - 4);
  store32(page, out->crc);
  return write_pages(tx, pgno, 1, page);
}

int page_tx_put_structure(PageTx *tx, u8 *page, PageKind kind, u8 level, u64 owner, u64 logical, PageRef *out) {
  u32 pgno = 0;
  int rc = page_tx_alloc(tx, 1, &pgno);
  if (rc) return rc;
  return page_tx_put_structure_at(tx, page, kind, level, owner, logical, pgno, out);
}
