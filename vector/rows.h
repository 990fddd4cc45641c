/*
 * rows.h: rows of a snapshot by rowid, from pages and overlay alone: one, many, in order.
 *
 * The content table is not touched, so a row is its rowid and its vectors here, and bare rows (without any vector) are not seen: whoever
 * wants all rows asks rows_complete() first. A degraded snapshot cannot be read.
 *
 * SQLITE_CORRUPT_VTAB means a damaged page: the caller answers from content then (S15).
 */
#ifndef QUIRE_ROWS_H
#define QUIRE_ROWS_H

#include "slots.h"

/* Where a row lies: in the overlay (row), or, with row NO_ROW, in the pages. */
typedef struct RowPlace {
  i64 rowid;
  u32 row, slot;
} RowPlace;

typedef struct OverlayPlace {
  i64 rowid;
  u32 row;
} OverlayPlace;

/* Zeroed before its first use. */
typedef struct RowReader {
  Snapshot *snap;
  SnapshotParts at;
  Slots *slots;
  int no_pages; /* every row of the pages is dead */
  int checks;   /* some rows of the pages are dead */
  /* in order */
  RowmapCursor cursor;
  i64 last; /* bound in the cursor's direction */
  int pages_done, descending;
  int failed; /* what comes after the rows that were given: SQLITE_OK: more */
  OverlayPlace *rows;
  u64 row_count, row_cap, row_at;
} RowReader;

/* Read `snap`, which is not degraded and is retained until rows_close. */
int rows_open(RowReader *r, Snapshot *snap);
/* Keeps the snapshot, of which other rows may then be read, */
void rows_rewind(RowReader *r);
/* or only memory for the next rows_open. */
void rows_close(RowReader *r);
void rows_free(RowReader *r);
/* Whether there are no other rows than those that can be read here. */
int rows_complete(const RowReader *r);

/* SQLITE_NOTFOUND if there is no such row. */
int rows_find(RowReader *r, i64 rowid, RowPlace *out);
/* place[i].row and .slot are NO_ROW and NO_SLOT for rowids that are not there. */
int rows_find_many(RowReader *r, const i64 *rowids, u32 count, RowPlace *places);
#define ROWS_MANY 64u /* the most that are asked for at once */

/* How many rows have low <= rowid <= high, where that is known without reading them; SQLITE_NOTFOUND where it is not. */
int rows_within(RowReader *r, i64 low, i64 high, u64 *count);
/* The rows with low <= rowid <= high. */
int rows_seek(RowReader *r, i64 low, i64 high, int descending);
/* The next rows, `room` (>= 1) at most and at least one; SQLITE_DONE after the last. An error comes after the rows before it. */
int rows_next_many(RowReader *r, RowPlace *out, u32 room, u32 *count);

/*
 * A row's vector: NULL if it has none in this column.
 *   *lasts  it stays valid until the store is closed, or its pages are written again, which waits for every statement that may have
 *           seen it (S6, S16); else until rows_close or pages_release of `hold`
 */
int rows_vector(RowReader *r, u32 column, const RowPlace *place, const u8 **vector, int *lasts, PageHold *hold);
void rows_release(RowReader *r, PageHold *hold);
/*
 * Where the vectors of many rows lie, without a hold and as long as *lasts of rows_vector says. at[i] NULL: rows_vector must say (none, of the overlay, of a home
 * that does not map, or damaged). Gives whether some do not lie one after the other, so that rows_fetch helps.
 */
int rows_locate(RowReader *r, u32 column, const RowPlace *places, u32 count, const u8 **at);
/* The same for one row, which memory is asked for. */
const u8 *rows_place(RowReader *r, u32 column, const RowPlace *place);
/*
 * Ask memory for the vectors from i + ROWS_AHEAD on, as many: before vector i is read, a multiple of ROWS_AHEAD. Together, since a processor
 * waits where it asks until it knows the page, but looks for several pages at once.
 */
void rows_fetch(const RowReader *r, u32 column, const u8 *const *at, u32 i, u32 count);
#define ROWS_AHEAD 8u /* those of the first are asked for by rows_locate */

/* Part of Slots. */
void row_places_free(struct RowPlaces *places);

#endif
