/*
 * stats.c: what a connection's searches did. See stats.h.
 */
#include "stats.h"

#include <string.h>

int stats_new(StatsClock *now, Stats **out) {
  int rc = SQLITE_OK;
  Stats *stats = mem_zeroed(&rc, 1, sizeof *stats);
  if (rc) return rc;
  stats->refs = 1;
  stats->now = now;
  *out = stats;
  return SQLITE_OK;
}

Stats *stats_retain(Stats *stats) {
  stats->refs++;
  return stats;
}

void stats_release(Stats *stats) {
  if (stats == NULL || --stats->refs) return;
  while (stats->first) {
    SearchStats *entry = stats->first;
    stats->first = entry->next;
    mem_free(entry->schema);
    mem_free(entry->table);
    mem_free(entry);
  }
  mem_free(stats);
}

SearchStats *stats_of(Stats *stats, const char *schema, const char *table) {
  int rc = SQLITE_OK;
  SearchStats *entry;

  for (entry = stats->first; entry; entry = entry->next) {
    if (sqlite3_stricmp(entry->table, table) == 0 && sqlite3_stricmp(entry->schema, schema) == 0) return entry;
  }
  entry = mem_zeroed(&rc, 1, sizeof *entry);
  if (rc) return NULL;
  entry->schema = mem_strdup(&rc, schema);
  entry->table = mem_strdup(&rc, table);
  if (rc) {
    mem_free(entry->schema);
    mem_free(entry->table);
    mem_free(entry);
    return NULL;
  }
  entry->next = stats->first;
  stats->first = entry;
  return entry;
}

void stats_add(SearchStats *of, u64 nanoseconds, u64 hits, u64 distances, u64 chosen, SearchMode mode) {
  u32 i = 0;
  while (i + 1 < STATS_BUCKETS && nanoseconds >= (u64)1000 << i) i++;
  of->searches++;
  of->hits += hits;
  of->distances += distances;
  of->chosen += chosen;
  of->mode[mode]++;
  of->nanoseconds += nanoseconds;
  of->bucket[i]++;
}
