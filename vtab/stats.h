/*
 * stats.h: what a connection's searches did, per vector table: how many, how long.
 *
 * Kept as long as the connection, whatever becomes of the tables' objects. The clock is the caller's (ext/): none is read below
 * it. One search costs two looks at the clock for each batch, and a few additions.
 */
#ifndef QUIRE_STATS_H
#define QUIRE_STATS_H

#include "../vector/search.h"

#define STATS_BUCKETS 26 /* bucket i: shorter than 2^i microseconds; the last one: any */

typedef struct SearchStats {
  char *schema, *table;
  u64 searches, hits, distances; /* distances: rows compared with the query */
  u64 mode[SEARCH_MODES];        /* searches by how they ended: search.h's SearchMode */
  u64 chosen;                    /* rows that conditions left: search_chosen */
  u64 late;                      /* rows that came after a farther one: search_late */
  u64 dropped;                   /* rows that a filter let through, and the row itself did not */
  u64 nanoseconds;               /* of all searches, in our code */
  u64 bucket[STATS_BUCKETS];     /* searches by duration, each in one bucket */
  struct SearchStats *next;
} SearchStats;

typedef u64 StatsClock(void); /* nanoseconds, of any beginning */

typedef struct Stats {
  u32 refs;
  StatsClock *now;
  SearchStats *first;
} Stats;

/* Counted. */
int stats_new(StatsClock *now, Stats **out);
Stats *stats_retain(Stats *stats);
void stats_release(Stats *stats);
/* The entry of a table, made if it is new; lives as long as `stats`. NULL: out of memory. */
SearchStats *stats_of(Stats *stats, const char *schema, const char *table);
void stats_add(SearchStats *of, u64 nanoseconds, u64 hits, u64 distances, u64 chosen, SearchMode mode);

#endif
