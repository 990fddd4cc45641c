/*
 * rowmap.h: from rowid to slot, over sorted runs of (rowid, slot) with binary search.
 *
 *   M1  A run is two arrays of the same length: ascending distinct rowids (i64) and their slots (u32). Runs are ordered from old to new; the newest
 *       run that has a rowid decides.
 *   M2  A fold adds one run, or appends to the newest one when all its rowids are larger than those in it. Runs are merged
 *       while the older of the last two is not twice as long as the newer, so there are at most log2(rows) of them and each row is rewritten
 *       at most as often.
 *   M3  What is found is where the row was put; whether it still lives there is the caller's to check (slots.c).
 *
 * In the table page: per run the references of its two arrays, and its smallest and largest rowid.
 */
#ifndef QUIRE_ROWMAP_H
#define QUIRE_ROWMAP_H

#include "../wal_shim/array.h"

#define ROWMAP_MAX_RUNS 24u

typedef struct RowmapEntry {
  i64 rowid;
  u32 slot;
} RowmapEntry;

typedef struct RowmapRun {
  Array keys, slots;
  i64 min, max;
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

/*
 * The map with `count` entries (ascending, distinct) added; `keep` 0: with nothing else. Frees what it replaces.
 *   refs, bounds  as in rowmap_open, room for ROWMAP_MAX_RUNS; *runs is set
 */
int rowmap_fold(Rowmap *map, int keep, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds,
                u32 *runs);

/* All entries in ascending order of rowid, newest of each. */
typedef struct RowmapCursor {
  Rowmap *map;
  u64 at[ROWMAP_MAX_RUNS];
  RowmapEntry head[ROWMAP_MAX_RUNS];
  int has[ROWMAP_MAX_RUNS];
} RowmapCursor;
int rowmap_first(RowmapCursor *c, Rowmap *map);
/* SQLITE_DONE after the last. */
int rowmap_next(RowmapCursor *c, RowmapEntry *out);

/* Builds a map of one run from entries that come in ascending order. */
typedef struct RowmapWriter {
  PageTx *tx;
  Array empty_keys, empty_slots;
  ArrayWriter keys, slots;
  i64 min, max;
} RowmapWriter;
int rowmap_writer_begin(RowmapWriter *w, Rowmap *map, u32 run, PageTx *tx);
int rowmap_writer_add(RowmapWriter *w, i64 rowid, u32 slot);
int rowmap_writer_finish(RowmapWriter *w, u8 *refs, u8 *bounds);
void rowmap_writer_end(RowmapWriter *w);

int rowmap_free_pages(Rowmap *map, PageTx *tx);
int rowmap_walk(Rowmap *map, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);

#endif
