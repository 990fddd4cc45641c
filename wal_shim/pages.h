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
  PAGE_FIELDS = 6   /* logical id 0 (vector/fields.h) */
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

/* The root that is read from now on has `count` pages; SQLITE_CORRUPT_VTAB if the home has fewer (S19). */
int pages_set_count(Pages *pages, u32 count);

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
  PageRange *freed; /* ranges that this fold frees */
  u64 freed_count, freed_cap;
  u32 base;      /* pages according to the state row */
  u32 end;       /* new pages come from here: the end of the file */
  int extended;  /* they did */
  u32 used_free; /* pages taken from `free` */
  int (*interrupted)(void *arg);
  void *interrupt_arg;
} PageTx;

/* `reusable` (may be empty) becomes the transaction's; count pages exist according to the state row. */
int page_tx_begin(PageTx *tx, Pages *pages, u64 n, u32 state_count, PageRange *reusable, u64 reusable_count);
/*
 * Pages of the store when this fold is done. What lies beyond the state row's count counts only if this fold wrote behind it: else it may be growth that
 * a failed sync has lost (R6, R7).
 */
static inline u32 page_tx_count(const PageTx *tx) {
  return tx->extended || DEFECT(growth_not_synced) ? tx->end : tx->base;
}
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
