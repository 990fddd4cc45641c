/*
 * rowmap_write.c: building runs, appending to them, merging them. See rowmap.h for M1..M5.
 */
#include "rowmap_int.h"

#define RUN_RATIO 4u /* M2 */
/* Entries are gathered until a chunk of any form can be chosen from them. */
#define WAITING (3 * (u64)CHUNK_MAX_KEYS)

/* --- one run --- */

int rowmap_writer_begin(RowmapWriter *w, Rowmap *map, u32 run, PageTx *tx) {
  int rc;
  memset(w, 0, sizeof *w);
  w->tx = tx;
  array_init(&w->empty_lines, map->pages, rowmap_array(map, run, 0), CHUNK_LINE, LINES_EXTENT_PAGES);
  array_init(&w->empty_chunks, map->pages, rowmap_array(map, run, 1), CHUNK_RECORD_SIZE, CHUNKS_EXTENT_PAGES);
  rc = array_writer_begin(&w->lines, tx, &w->empty_lines, 0);
  if (rc == SQLITE_OK) rc = array_writer_begin(&w->chunks, tx, &w->empty_chunks, 0);
  w->entry = mem_array(&rc, WAITING, sizeof *w->entry);
  return rc;
}

static int put_chunk(RowmapWriter *w, ChunkRecord *chunk, const RowmapEntry *entries) {
  u8 *out;
  u64 got;
  int rc;
  chunk->line = (u32)w->lines.count;
  rc = array_writer_append(&w->lines, chunk->lines, &out, &got);
  if (rc) return rc;
  chunk_write(chunk, entries, out);
  rc = array_writer_append(&w->chunks, 1, &out, &got);
  if (rc == SQLITE_OK) chunk_put_record(chunk, out);
  return rc;
}

/* Make chunks of the waiting entries, while at least `need` are waiting. */
static int put_waiting(RowmapWriter *w, u64 need) {
  u64 at = 0;
  int rc = SQLITE_OK;
  while (w->waiting - at >= need && w->waiting > at && rc == SQLITE_OK) {
    ChunkRecord chunk;
    u32 room = w->lines.per_extent - (u32)(w->lines.count % w->lines.per_extent);
    if (w->lines.count > 0xffffffffu - CHUNK_MAX_LINES) return SQLITE_FULL;
    chunk_choose(w->entry + at, w->waiting - at, MIN(room, CHUNK_MAX_LINES), w->hint, &chunk);
    rc = put_chunk(w, &chunk, w->entry + at);
    w->hint = chunk.form > FORM_DIRECT ? chunk.count : 0;
    at += chunk.count;
  }
  w->waiting -= at;
  memmove(w->entry, w->entry + at, (size_t)w->waiting * sizeof *w->entry);
  return rc;
}

int rowmap_writer_add(RowmapWriter *w, i64 rowid, u32 slot) {
  if (UNLIKELY(w->waiting == WAITING)) {
    int rc = put_waiting(w, CHUNK_MAX_KEYS);
    if (rc) return rc;
  }
  if (!w->any) w->min = rowid;
  w->any = 1;
  w->max = rowid;
  w->entry[w->waiting].rowid = rowid;
  w->entry[w->waiting++].slot = slot;
  return SQLITE_OK;
}

int rowmap_writer_finish(RowmapWriter *w, u8 *refs, u8 *bounds) {
  int rc = put_waiting(w, 1);
  if (rc == SQLITE_OK) rc = array_writer_finish(&w->lines, refs);
  if (rc == SQLITE_OK) rc = array_writer_finish(&w->chunks, refs + ARRAY_REF_SIZE);
  store64(bounds, (u64)w->min);
  store64(bounds + 8, (u64)w->max);
  return rc;
}

void rowmap_writer_end(RowmapWriter *w) {
  array_writer_end(&w->lines);
  array_writer_end(&w->chunks);
  mem_free(w->entry);
  w->entry = NULL;
}

static int free_run(RowmapRun *run, PageTx *tx) {
  int rc = array_free_pages(&run->lines, tx);
  if (rc == SQLITE_OK) rc = array_free_pages(&run->chunks, tx);
  return rc;
}

int rowmap_free_pages(Rowmap *map, PageTx *tx) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < map->run_count && rc == SQLITE_OK; i++) rc = free_run(&map->run[i], tx);
  return rc;
}

/* --- appending --- */

/* Take the last chunk's entries back into the writer, so that it can grow. */
static int reopen_last_chunk(RowmapWriter *w, RowmapRun *run) {
  u32 last = run->index.count - 1, line;
  ChunkRecord record;
  const u8 *lines;
  PageHold hold;
  int rc;
  run_index_record(&run->index, last, &record);
  rc = rowmap_lines(run, last, &lines, &hold);
  if (rc) return rc;
  for (line = 0; line < record.lines; line++) {
    w->waiting += chunk_read_line(&record, lines, line, w->entry + w->waiting);
  }
  pages_release(run->lines.pages, &hold);
  if (w->waiting != record.count || w->entry[w->waiting - 1].rowid != run->max) return CORRUPT(run->lines.root.pgno);
  rc = array_writer_truncate(&w->lines, record.line);
  return rc ? rc : array_writer_truncate(&w->chunks, last);
}

/* Append to run `i`; all entries are larger than what it has. */
static int append_to_run(Rowmap *map, u32 i, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds) {
  RowmapRun *run = &map->run[i];
  RowmapWriter w;
  u64 k;
  int rc;
  memset(&w, 0, sizeof w);
  w.tx = tx;
  rc = array_writer_begin(&w.lines, tx, &run->lines, 1);
  if (rc == SQLITE_OK) rc = array_writer_begin(&w.chunks, tx, &run->chunks, 1);
  w.entry = mem_array(&rc, WAITING, sizeof *w.entry);
  if (rc == SQLITE_OK) rc = reopen_last_chunk(&w, run);
  w.any = 1;
  w.min = run->min;
  for (k = 0; k < count && rc == SQLITE_OK; k++) rc = rowmap_writer_add(&w, entries[k].rowid, entries[k].slot);
  if (rc == SQLITE_OK) rc = rowmap_writer_finish(&w, refs + 2 * i * ARRAY_REF_SIZE, bounds + 16 * i);
  rowmap_writer_end(&w);
  return rc;
}

/* --- merging --- */

/* A source has at most so many entries in one block. */
#define BLOCK_KEYS CHUNK_PART_KEYS
#define BLOCK_MOST (BLOCK_KEYS * (ROWMAP_MAX_RUNS + 1))

/* How many of `count` ascending entries are at or before `bound`. */
static u32 entries_upto(const RowmapEntry *entries, u32 count, i64 bound) {
  u32 n = 0;
  if (count && entries[count - 1].rowid <= bound) return count;
  while (n < count && entries[n].rowid <= bound) n++;
  return n;
}

/* Two ascending arrays as one; of entries with the same rowid, that of `newer`. Which of them comes next is not to be foretold: no branch on it. */
static u32 merge_two(const RowmapEntry *older, u32 older_count, const RowmapEntry *newer, u32 newer_count,
                     RowmapEntry *out) {
  u32 i = 0, k = 0, n = 0;
  while (i < older_count && k < newer_count) {
    const RowmapEntry *const from[2] = {&newer[k], &older[i]};
    i64 old_rowid = older[i].rowid, new_rowid = newer[k].rowid;
    u32 take_older = old_rowid < new_rowid;
    out[n++] = *from[take_older];
    i += old_rowid <= new_rowid;
    k += !take_older;
  }
  memcpy(out + n, older + i, (older_count - i) * sizeof *out);
  n += older_count - i;
  memcpy(out + n, newer + k, (newer_count - k) * sizeof *out);
  return n + newer_count - k;
}

/*
 * The next entries of all that are merged: those up to the first place where a source has been read to. Runs are met from old to new, then `entries`.
 *   *block  the merged ones, *count of them, in one of the two buffers; 0: there are no more
 *   *taken  how many of `entries` are among them
 */
static int next_block(RowmapCursor *c, const RowmapEntry *entries, u64 left, RowmapEntry (*buffer)[BLOCK_MOST],
                      const RowmapEntry **block, u32 *count, u32 *taken) {
  u32 own = (u32)MIN(left, BLOCK_KEYS), i, turn = 0;
  i64 bound = own ? entries[own - 1].rowid : INT64_MAX;
  int rc = SQLITE_OK;
  for (i = c->first; i < c->end; i++) {
    const RunCursor *run = &c->run[i];
    if (run->at < run->count) bound = MIN(bound, run->entry[run->count - 1].rowid);
  }
  *count = 0;
  for (i = c->first; i < c->end && rc == SQLITE_OK; i++) {
    RunCursor *run = &c->run[i];
    u32 n = entries_upto(run->entry + run->at, run->count - run->at, bound);
    if (n == 0) continue;
    *count = merge_two(*block, *count, run->entry + run->at, n, buffer[turn]);
    *block = buffer[turn];
    turn ^= 1;
    rc = rowmap_pass_entries(run, n, 0);
  }
  *taken = entries_upto(entries, own, bound);
  *count = merge_two(*block, *count, entries, *taken, buffer[turn]);
  *block = buffer[turn];
  return rc;
}

/* Runs from..end and the new entries merged into one run at place `from`; *runs: how many there are then. */
static int merge_runs(Rowmap *map, u32 from, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds,
                      u32 *runs) {
  RowmapCursor c;
  RowmapWriter w;
  RowmapEntry(*buffer)[BLOCK_MOST];
  u64 k = 0;
  u32 i, n = 1, taken;
  int rc = rowmap_writer_begin(&w, map, from, tx);
  memset(&c, 0, sizeof c);
  buffer = mem_array(&rc, 2, sizeof *buffer);
  if (rc == SQLITE_OK) rc = rowmap_seek_runs(&c, map, from, INT64_MIN, 0);
  while (rc == SQLITE_OK && n) {
    const RowmapEntry *block = buffer[0];
    rc = next_block(&c, entries + k, count - k, buffer, &block, &n, &taken);
    k += taken;
    for (i = 0; i < n && rc == SQLITE_OK; i++) {
      if (from > 0 || block[i].slot != ROWMAP_GONE) rc = rowmap_writer_add(&w, block[i].rowid, block[i].slot); /* M5 */
    }
  }
  *runs = from + (w.any != 0);
  if (rc == SQLITE_OK && w.any) rc = rowmap_writer_finish(&w, refs + 2 * from * ARRAY_REF_SIZE, bounds + 16 * from);
  for (i = from; i < map->run_count && rc == SQLITE_OK; i++) rc = free_run(&map->run[i], tx);
  mem_free(buffer);
  rowmap_cursor_end(&c);
  rowmap_writer_end(&w);
  return rc;
}

/* The first `count` runs stay as they are, where the transaction wants them. */
static int move_runs(Rowmap *map, u32 count, PageTx *tx, u8 *refs) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    rc = array_move(&map->run[i].lines, tx, refs + 2 * i * ARRAY_REF_SIZE);
    if (rc == SQLITE_OK) rc = array_move(&map->run[i].chunks, tx, refs + (2 * i + 1) * ARRAY_REF_SIZE);
  }
  return rc;
}

int rowmap_fold(Rowmap *map, int keep, const RowmapEntry *entries, u64 count, PageTx *tx, u8 *refs, u8 *bounds,
                u32 *runs) {
  u32 have = keep ? map->run_count : 0, from = have, i;
  u64 size = count;
  Rowmap none;
  int rc;
  for (i = 0; i < have; i++) {
    array_put_ref(&map->run[i].lines, refs + 2 * i * ARRAY_REF_SIZE);
    array_put_ref(&map->run[i].chunks, refs + (2 * i + 1) * ARRAY_REF_SIZE);
    store64(bounds + 16 * i, (u64)map->run[i].min);
    store64(bounds + 16 * i + 8, (u64)map->run[i].max);
  }
  *runs = have;
  if (count == 0) return move_runs(map, have, tx, refs);
  for (i = 0; i < have; i++) {
    rc = rowmap_load_run(&map->run[i]);
    if (rc) return rc;
  }
  if (have && entries[0].rowid > map->run[have - 1].max) {
    size += map->run[have - 1].index.keys;
    if (have == 1 || map->run[have - 2].index.keys >= RUN_RATIO * size) {
      rc = append_to_run(map, have - 1, entries, count, tx, refs, bounds);
      return rc ? rc : move_runs(map, have - 1, tx, refs);
    }
    size -= map->run[have - 1].index.keys;
  }
  while (from > 0 && (map->run[from - 1].index.keys < RUN_RATIO * size || from == ROWMAP_MAX_RUNS)) {
    size += map->run[--from].index.keys; /* M2 */
  }
  memset(refs + 2 * from * ARRAY_REF_SIZE, 0, (size_t)(have - from) * 2 * ARRAY_REF_SIZE);
  if (keep) {
    rc = merge_runs(map, from, entries, count, tx, refs, bounds, runs);
    return rc ? rc : move_runs(map, from, tx, refs);
  }
  memset(&none, 0, sizeof none);
  none.pages = map->pages;
  none.owner = map->owner;
  none.first_tag = map->first_tag;
  return merge_runs(&none, 0, entries, count, tx, refs, bounds, runs);
}
