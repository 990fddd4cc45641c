/*
 * rowmap.h: from rowid to slot: sorted runs of learned chunks (learned.h), newest first.
 *
 *   M1  A run is an array of lines (64 bytes) and an array of chunk records (32 bytes, learned.h). Chunks follow one another in the order of
 *       their keys, which are distinct; the lines of chunk i+1 follow those of chunk i, and no chunk crosses an extent of the array of lines.
 *       Runs are ordered from old to new; the newest run that has a rowid decides.
 *   M2  A fold adds one run, or appends to the newest one when all its rowids are larger than those in it. Runs are merged
 *       while the older of the last two is not RUN_RATIO times as long as the newer, so there are at most log(rows) of them and each row is
 *       rewritten about as often.
 *   M3  What is found is where the row was put; whether it still lives there is the caller's to check (slots.c).
 *   M4  A run's chunk records are read at its first use and kept in memory (run_index.h), about 40 bytes a chunk; lines are read, and
 *       verified, when a search first comes to their chunk, unless no key is missing there (I2 in run_index.h).
 *   M5  An entry whose slot is ROWMAP_GONE says that the rowid is not there (its slot is another row's now), whatever older runs say. It is left
 *       out where the oldest run is among those that are merged.
 *
 * In the table page: per run the references of its two arrays, and its smallest and largest rowid.
 */
#ifndef QUIRE_ROWMAP_H
#define QUIRE_ROWMAP_H

#include "../wal_shim/array.h"
#include "run_index.h"

#define ROWMAP_MAX_RUNS 24u
#define ROWMAP_GONE (NO_SLOT - 1) /* M5 */

typedef struct RowmapRun {
  Array lines, chunks;
  i64 min, max;
  RunIndex index; /* empty until the first use */
} RowmapRun;

typedef struct Rowmap {
  Pages *pages;
  u64 owner;
  u32 first_tag; /* run i has the array tags first_tag + 2*i, + 1 */
  u32 run_count;
  RowmapRun run[ROWMAP_MAX_RUNS];
} Rowmap;

/* refs: 2*runs array references; bounds: runs pairs of i64. */
int rowmap_open(Rowmap *map, Pages *pages, u64 owner, u32 first_tag, u32 runs, const u8 *refs, const u8 *bounds);
void rowmap_close(Rowmap *map);

/* SQLITE_NOTFOUND if no run has it. */
int rowmap_find(Rowmap *map, i64 rowid, u32 *slot);
/* The slots of `count` rowids in any order; NO_SLOT for those that no run has. INDEX_BATCH of them are looked for at once. */
int rowmap_find_many(Rowmap *map, const i64 *rowids, u64 count, u32 *slots);

/*
 * The map with `count` entries (ascending, distinct) added; `keep` 0: with nothing else. Frees what it replaces.
 *   refs, bounds  as in rowmap_open, room for ROWMAP_MAX_RUNS; *runs is set
 */
int rowmap_fold(Rowmap *map, int keep, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds,
                u32 *runs);

/*
 * How many entries low..high has, those that are ROWMAP_GONE too, of a map of one run; SQLITE_NOTFOUND if there are more runs, whose entries may stand for one another.
 */
int rowmap_count(Rowmap *map, i64 low, i64 high, u64 *count);

/* --- in order --- */

/* Where a cursor stands in one run: a part's entries, read at once. */
typedef struct RunCursor {
  RowmapRun *run;
  ChunkRecord record;
  u32 chunk, part; /* of `entry`; the next one read lies beyond it */
  u32 at, count;   /* entry[at] is next, in the cursor's direction; at == count: the run is at its end */
  RowmapEntry *entry;
} RunCursor;

/* All entries in order of rowid, newest of each. Zeroed before its first use; rowmap_cursor_end frees what it holds. */
typedef struct RowmapCursor {
  Rowmap *map;
  int descending;
  u32 first, end; /* the runs that it merges */
  u32 best, left; /* so many entries of run `best` come before those of all others; 0: not known */
  RunCursor run[ROWMAP_MAX_RUNS];
} RowmapCursor;
/* From the first entry with rowid >= from (descending: <= from). */
int rowmap_seek(RowmapCursor *c, Rowmap *map, i64 from, int descending);
/* SQLITE_DONE after the last. */
int rowmap_next(RowmapCursor *c, RowmapEntry *out);
/*
 * Many at once, those that are ROWMAP_GONE too: *head is the next entry, its neighbours in the cursor's direction are those after it, *count of them. They stay
 * until rowmap_pass, which goes past the first n. SQLITE_DONE after the last.
 */
int rowmap_span(RowmapCursor *c, const RowmapEntry **head, u32 *count);
int rowmap_pass(RowmapCursor *c, u32 n);
void rowmap_cursor_end(RowmapCursor *c);

/* --- building --- */

/* Builds a map of one run from entries that come in ascending order. */
typedef struct RowmapWriter {
  PageTx *tx;
  Array empty_lines, empty_chunks;
  ArrayWriter lines, chunks;
  RowmapEntry *entry; /* waiting for their chunk */
  u64 waiting;
  u32 hint; /* of chunk_choose */
  int any;
  i64 min, max;
} RowmapWriter;
int rowmap_writer_begin(RowmapWriter *w, Rowmap *map, u32 run, PageTx *tx);
int rowmap_writer_add(RowmapWriter *w, i64 rowid, u32 slot);
int rowmap_writer_finish(RowmapWriter *w, u8 *refs, u8 *bounds);
void rowmap_writer_end(RowmapWriter *w);

int rowmap_free_pages(Rowmap *map, PageTx *tx);
int rowmap_walk(Rowmap *map, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);
/* Every record, line and directory entry: SQLITE_CORRUPT_VTAB if one is not as the writer makes it. */
int rowmap_check(Rowmap *map);
/* Bytes in pages and in memory, for reports. */
void rowmap_size(const Rowmap *map, u64 *page_bytes, u64 *memory_bytes);

#endif
