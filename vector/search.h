/*
 * search.h: nearest rows of a snapshot, in order, for as long as the caller asks.
 *
 * A Search is a resumable producer. Each call of search_next gives the next hits in ascending (distance, rowid); a row is
 * given once; fewer hits than asked for means that there are no more. Distances are distance_exact()'s.
 */
#ifndef QUIRE_SEARCH_H
#define QUIRE_SEARCH_H

#include "../wal_shim/store.h"
#include "distance.h"
#include "filter.h"

typedef struct Search Search;

typedef struct SearchHit {
  i64 rowid;
  double distance;
} SearchHit;

typedef struct SearchRequest {
  Snapshot *snap;         /* retained by the search */
  u32 column;             /* which vector column */
  const void *query;      /* the column's dim and elem; copied */
  const i64 *rowids;      /* only these rows, ascending and distinct; NULL: all. Must live as long as the search. */
  u64 rowid_count;        /* with rowids */
  Filter *filter;         /* and only rows that pass; NULL: all. As rowids. search_is_certain() says whether they do. */
  double min, max;        /* only distances in the range; -HUGE_VAL, HUGE_VAL: all */
  int min_open, max_open; /* whether the end is excluded */
  u32 ef_search;          /* candidates of a graph search; 0: the table's */
  u32 nprobe;             /* lists that a search visits; 0: as the table has it */
  u32 oversample; /* hundredths: candidates compared on full vectors per row asked for, at least; 0: the table's */
  u32 exact;      /* not 0: compare every row */
  u64 rows;       /* how many will be asked for; 0: nobody says */
  int (*interrupted)(void *arg); /* polled now and then; non-zero ends the search with SQLITE_INTERRUPT. May be NULL. */
  void *interrupt_arg;
} SearchRequest;

int search_open(const SearchRequest *request, Search **out);

/* Rows that are no store's: every row that has a vector is given, as by snapshot_content, but without fields. */
typedef struct SearchRows SearchRows;
struct SearchRows {
  int (*each)(const SearchRows *rows, ContentRow *row, void *arg);
  void (*close)(SearchRows *rows);
};
/* A search of such rows, in `shape`; the request has no filter, its snap and ef_search are not looked at. `rows` is taken over, also on failure. */
int search_open_rows(const SearchRequest *request, const VectorShape *shape, SearchRows *rows, Search **out);
/*
 * `least` hits to `want` into hits[]: no more than `least` where more would take another pass. *count < least: exhausted.
 */
int search_next(Search *search, u64 least, u64 want, SearchHit *hits, u64 *count);
/* Whether each hit passes the filter; else it may, and the caller must look at the row. */
int search_is_certain(const Search *search);
/* How the last hits were found, for counters. */
typedef enum {
  SEARCH_SCAN,           /* all rows of the pages compared */
  SEARCH_CHOSEN,         /* those that rowids or filter have left, one by one */
  SEARCH_INDEX,          /* an index that approximates */
  SEARCH_INDEX_FILTERED, /* the same, what it finds filtered */
  SEARCH_CHOSEN_CODES,   /* the codes of such an index, of those that rowids or filter have left, one by one */
  SEARCH_CONTENT         /* the content rows, since the pages could not be used */
} SearchMode;
#define SEARCH_MODES 6
SearchMode search_mode(const Search *search);
/*
 * The modes that a search of the pages may come to, a bit for each: with rowids or a filter (`restricted`), with a range of distances (`ranged`). Which one it is, depends on how
 * many rows there are and are left.
 */
u32 search_modes(const IndexShape *index, int restricted, int ranged);
/* Lists that it visits; 0: there are none. */
u32 search_nprobe(const Search *search);
/* Rows that came after a farther one, since an index missed them at first (Q4). */
u64 search_late(const Search *search);
/*
 * How many hits to ask for first where nobody says how many will be: as many as the first pass finds, in order; or few, where it compares more of them only
 * when more are asked for.
 */
u64 search_first(const Search *search);
/* Rows of the pages that rowids and filter have left, by which it was chosen how to search; 0 without. */
u64 search_chosen(const Search *search);
/* Rows compared with the query so far, by code or by vector. */
u64 search_distances(const Search *search);
void search_close(Search *search);

#endif
