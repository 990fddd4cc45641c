/*
 * pages.h: checked reading of pages, and the pages that one fold writes.
 *
 * Structure pages begin with a header of 32 bytes:
 *
 *     0  u32  CRC-32C of bytes 4..4095
 *     4  u8   kind (PageKind)        5  u8 level        6  u16 zero
 *     8  u64  fold number n of the fold that wrote it
 *    16  u64  owner: table id, 0 for the store's own pages
 *    24  u64  logical id: what the page is to its owner (see the kinds)
 *
 * Bulk pages have no header. In both cases the parent keeps the checksum (for a structure page its first four bytes), so that a lost
 * write, a foreign or an older page is noticed (R4).
 *
 *   P1  A page is compared with the checksum its parent expects at its first touch by this connection; what is remembered is
 *       that checksum, so a page that was legally rewritten is checked again (S14).
 *   P2  Page numbers from disk are checked against the page count of the root, which was checked against the file's size (S19).
 *   P3  A page that any root ever put into a state row can reach is never written (R5, S2). PageTx is the only writer: it takes pages that
 *       the horizon allows, or new ones at the end of the file (S7).
 */
#ifndef QUIRE_PAGES_H
#define QUIRE_PAGES_H

#include "home.h"

#define PAGE_HEADER_SIZE 32u
#define PAGE_BODY_SIZE (PAGE_SIZE - PAGE_HEADER_SIZE)
#define EXTENT_MAX_PAGES 64u
#define PAGE_FORMAT 0u /* in page 0 and in the state row; 0 before the first release: others are refused */

typedef enum {
  PAGE_ROOT = 1,    /* logical id 0; the catalog's first page */
  PAGE_CATALOG = 2, /* logical id = its number in the chain */
  PAGE_TABLE = 3,   /* logical id 0 */
  PAGE_ARRAY = 4,   /* logical id = array tag << 40 | level << 32 | number of the page in its level */
  PAGE_GRAPH = 5,   /* logical id = the vector column's number (vector/graph.h) */
  PAGE_FIELDS = 6,  /* logical id 0 (vector/fields.h) */
  PAGE_IVF = 7,     /* logical id = the vector column's number (vector/ivf.h) */
  PAGE_INVERTED = 8 /* logical id = the vector column's number (vector/inverted.h) */
} PageKind;

typedef struct Pages Pages;

/* Where a page or a run of pages is. pgno 0: nowhere. */
typedef struct PageRef {
  u32 pgno, crc;
} PageRef;

/* A held page or extent; pages_release gives it back. In a mapped home there is nothing to hold. */
typedef struct PageHold {
  void *block;
} PageHold;

int pages_open(Home *home, Pages **out); /* takes the home */
void pages_close(Pages *pages);
Home *pages_home(Pages *pages);

/* SQLITE_NOTADB if page 0 is missing or not ours; SQLITE_CANTOPEN if there is no file. */
int pages_check_head(Pages *pages);
/*
 * Make the home ready to be written. `first`: no root that can be read was ever committed, so the file may be missing, or a
 * leftover of an attempt that ended before its head was durable. Else, and in a file of more pages, a wrong head is SQLITE_NOTADB (S8, S18).
 */
int pages_prepare(Pages *pages, int first);

/*
 * The root that is read from now on has `count` pages; SQLITE_CORRUPT_VTAB if the home has fewer (S19). Roots of before, which cursors may hold,
 * can go on being read as far as the home goes.
 */
int pages_set_count(Pages *pages, u32 count);
/* The same when nothing of before is read any more: pages from `count` on are out of range. */
int pages_limit(Pages *pages, u32 count);
/*
 * The root that is read from now on is not one that this connection wrote: copies of pages may be older than others' legal reuse of these (S14). Those in use stay with
 * their readers. Nothing to do in a mapped home.
 */
void pages_forget_copies(Pages *pages);
/* Give back what the home has from `count` pages on; *pages_left are there then. The caller knows that nobody needs them (S19). */
int pages_truncate(Pages *pages, u32 count, u32 *pages_left);

/*
 * `count` consecutive bulk pages from `pgno`, each checked against crc[i] (an array of little-endian u32).
 *   *out   count*4096 bytes, 64-byte aligned, valid until pages_release
 * SQLITE_CORRUPT_VTAB if a checksum differs or a page is out of range.
 */
int pages_get(Pages *pages, u32 pgno, u32 count, const u8 *crc, const u8 **out, PageHold *hold);
/* The same without the checksums: each page is then checked by pages_check before anything on it is used. */
int pages_get_unchecked(Pages *pages, u32 pgno, u32 count, const u8 **out, PageHold *hold);
/* Whether page `pgno`, which lies at `data`, has the checksum that `crc` points to; SQLITE_CORRUPT_VTAB if not. */
int pages_check(Pages *pages, u32 pgno, const u8 *crc, const u8 *data);
/* One structure page, its header checked too. *out points to the whole page. */
int pages_get_structure(Pages *pages, PageRef ref, PageKind kind, u64 owner, u64 logical, const u8 **out,
                        PageHold *hold);
/* Of which kind a structure page says that it is, its checksum right. */
int pages_structure_kind(Pages *pages, PageRef ref, PageKind *kind);
void pages_release(Pages *pages, PageHold *hold);

/* Counters for the `quire` table. */
typedef struct PagesStats {
  u64 verified, read, written, reused, extended;
} PagesStats;
const PagesStats *pages_stats(const Pages *pages);

/* --- writing --- */

/* `count` pages from `first`; `at` is the fold that freed them. */
typedef struct PageRange {
  u32 first, count;
} PageRange;

typedef struct PageTx {
  Pages *pages;
  u64 n;           /* the fold being written */
  PageRange *free; /* ranges that may be written, ascending */
  u64 free_count, free_cap;
  PageRange *waiting; /* free ranges that may not be written yet, ascending */
  u64 waiting_count;
  PageRange *freed; /* ranges that this fold frees */
  u64 freed_count, freed_cap;
  u32 base;      /* pages according to the state row */
  u32 end;       /* new pages come from here: the end of the file */
  int extended;  /* they did */
  u32 known;     /* pages from here to `end` are in no list */
  u32 size;      /* of the file when it began */
  u32 top;       /* one more than the last page it has allocated, at least `base` */
  u32 cut;       /* 0 or, by page_tx_cut, one more than the last page in use */
  int complete;  /* `free` and `waiting` are all free pages below `known` */
  u32 used_free; /* pages taken from `free` */
  u32 spare;     /* pages of work, about, that it may do beside what it must: */
  u32 move_from; /* pages from here on are moved to lower places, if there are any (page_tx_moves); 0: none are */
  u32 moved;     /* pages that were */
  int (*interrupted)(void *arg);
  void *interrupt_arg;
} PageTx;

/* The pages that no root reaches, as the state row's transaction has them: ascending, apart. */
typedef struct FreePages {
  PageRange *reusable, *waiting;
  u64 reusable_count, waiting_count;
  int complete; /* nothing is missing */
} FreePages;

/*
 * The lists of free_pages become the transaction's, in case of errors, too. state_count pages are the store's according to the state row; what the
 * file has from `known` on is not known to be anybody's.
 */
int page_tx_begin(PageTx *tx, Pages *pages, u64 n, u32 state_count, u32 known, FreePages *free_pages);
/*
 * Pages of the store when this fold is done. What lies beyond the state row's count counts only if this fold wrote behind it: else it may be growth that
 * a failed sync has lost (R6, R7).
 */
static inline u32 page_tx_count(const PageTx *tx) { return tx->cut ? tx->cut : tx->top; }
/*
 * Choose what is to be moved so that the store ends lower: as much from its end as `spare` allows and reusable pages can take, but for `reserve` of them, which
 * the fold will need for itself. With nothing reusable, nothing.
 */
void page_tx_plan_moves(PageTx *tx, u64 reserve);
/*
 * The same where no reusable range takes an extent, so that the end might not fit anywhere: all that lies behind the first such range is to be moved as low
 * as it fits, for ranges to become one. 0: some range takes one, or is still to come, or there is none.
 */
int page_tx_plan_closing(PageTx *tx);
/* Whether `count` pages at `pgno` are to be moved now: they are to, the work is still allowed (it is counted), and a lower place is free. */
int page_tx_moves(PageTx *tx, u32 pgno, u32 count);
/* From now on the count is without the free pages at the end, if all free ones are known; no pages are allocated after that. */
void page_tx_cut(PageTx *tx);
/* `count` <= 64 consecutive pages that do not cross a segment. */
int page_tx_alloc(PageTx *tx, u32 count, u32 *pgno);
int page_tx_free(PageTx *tx, u32 pgno, u32 count);
/* The same for those who visit pages. */
int page_tx_free_range(void *tx, u32 pgno, u32 count);
/* Allocate and write bulk pages; crc[i] is set to the checksum of each (little-endian u32). */
int page_tx_put(PageTx *tx, u32 count, const u8 *data, u8 *crc, u32 *pgno);
/* Fill in the header of `page` (4096 bytes, body done), allocate, write. */
int page_tx_put_structure(PageTx *tx, u8 *page, PageKind kind, u8 level, u64 owner, u64 logical, PageRef *out);
/* The same at a page already allocated. */
int page_tx_put_structure_at(PageTx *tx, u8 *page, PageKind kind, u8 level, u64 owner, u64 logical, u32 pgno,
                             PageRef *out);
int page_tx_interrupted(PageTx *tx);
void page_tx_end(PageTx *tx);

#endif
