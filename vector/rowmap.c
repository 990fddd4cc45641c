/*
 * rowmap.c: from rowid to slot, over sorted runs of chunks: opening, searching, reading in order, checking. See rowmap.h for M1..M4.
 * Writing is in rowmap_write.c.
 */
#include "rowmap_int.h"

ArrayId rowmap_array(const Rowmap *map, u32 run, u32 which) {
  ArrayId id = {map->owner, map->first_tag + 2 * run + which};
  return id;
}

int rowmap_open(Rowmap *map, Pages *pages, u64 owner, u32 first_tag, u32 runs, const u8 *refs, const u8 *bounds) {
  u32 i;
  int rc = SQLITE_OK;
  memset(map, 0, sizeof *map);
  map->pages = pages;
  map->owner = owner;
  map->first_tag = first_tag;
  if (runs > ROWMAP_MAX_RUNS) return CORRUPT(0);
  for (i = 0; i < runs && rc == SQLITE_OK; i++) {
    RowmapRun *run = &map->run[i];
    rc = array_open(&run->lines, pages, rowmap_array(map, i, 0), CHUNK_LINE, LINES_EXTENT_PAGES,
                    refs + 2 * i * ARRAY_REF_SIZE);
    if (rc == SQLITE_OK) {
      rc = array_open(&run->chunks, pages, rowmap_array(map, i, 1), CHUNK_RECORD_SIZE, CHUNKS_EXTENT_PAGES,
                      refs + (2 * i + 1) * ARRAY_REF_SIZE);
    }
    run->min = (i64)load64(bounds + 16 * i);
    run->max = (i64)load64(bounds + 16 * i + 8);
    if (rc == SQLITE_OK && (run->chunks.count == 0 || run->chunks.count > run->lines.count || run->min > run->max ||
                            run->lines.count > 0xffffffffu)) {
      rc = CORRUPT(0);
    }
    if (rc == SQLITE_OK) map->run_count++;
  }
  return rc;
}

void rowmap_close(Rowmap *map) {
  u32 i;
  for (i = 0; i < ROWMAP_MAX_RUNS; i++) {
    array_free(&map->run[i].lines);
    array_free(&map->run[i].chunks);
    run_index_free(&map->run[i].index);
  }
}

/* --- the directory --- */

/* Read all chunk records; M1 is checked, save what the lines say. */
static int read_records(RowmapRun *run, ChunkRecord *records) {
  u64 line = 0;
  u32 extent, n = 0, i, items = 0;
  for (extent = 0; extent < run->chunks.extent_count; extent++) {
    const u8 *data;
    PageHold hold;
    int rc = array_extent(&run->chunks, extent, &data, &items, &hold);
    if (rc) return rc;
    for (i = 0; i < items; i++, n++) {
      ChunkRecord *r = &records[n];
      chunk_get_record(data + (size_t)i * CHUNK_RECORD_SIZE, r);
      if (!chunk_record_sound(r) || r->line != line || (n && r->base <= records[n - 1].base) ||
          r->line / run->lines.per_extent != (r->line + r->lines - 1) / run->lines.per_extent) {
        rc = CORRUPT(run->chunks.root.pgno);
        break;
      }
      line += r->lines;
    }
    pages_release(run->chunks.pages, &hold);
    if (rc) return rc;
  }
  if (n != run->chunks.count || line != run->lines.count || records[0].base != run->min ||
      records[n - 1].base > run->max) {
    return CORRUPT(run->chunks.root.pgno);
  }
  return SQLITE_OK;
}

int rowmap_load_run(RowmapRun *run) {
  ChunkRecord *records;
  int rc;
  if (run->index.count) return SQLITE_OK;
  rc = array_load(&run->chunks); /* which refuses counts that the file cannot back */
  if (rc) return rc;
  records = mem_array(&rc, run->chunks.count, sizeof *records);
  if (rc == SQLITE_OK) rc = read_records(run, records);
  if (rc == SQLITE_OK) rc = run_index_build(&run->index, records, (u32)run->chunks.count, run->max);
  mem_free(records);
  return rc;
}

int rowmap_lines(RowmapRun *run, u32 chunk, const u8 **lines, PageHold *hold) {
  IndexChunk *c = &run->index.chunk[chunk];
  u32 items = 0, per = run->lines.per_extent;
  int rc;
  hold->block = NULL;
  *lines = c->lines;
  if (*lines) return SQLITE_OK;
  rc = array_extent(&run->lines, c->line / per, lines, &items, hold);
  if (rc) return rc;
  *lines += (size_t)(c->line % per) * CHUNK_LINE;
  if (hold->block == NULL) c->lines = *lines; /* I1 */
  return SQLITE_OK;
}

/* --- search --- */

/* A search that came to a chunk whose lines are not known yet. */
static int find_unread(RowmapRun *run, u32 chunk, i64 rowid, u32 *slot) {
  const u8 *lines;
  PageHold hold;
  int found, rc = rowmap_lines(run, chunk, &lines, &hold);
  if (rc) return rc;
  found = run->index.kernels->find_in_chunk(&run->index.chunk[chunk], lines,
                                            (u64)rowid - (u64)run_index_base(&run->index, chunk), slot);
  pages_release(run->lines.pages, &hold);
  return found ? SQLITE_OK : SQLITE_NOTFOUND;
}

int rowmap_find(Rowmap *map, i64 rowid, u32 *slot) {
  u32 i, chunk = 0;
  for (i = map->run_count; i > 0; i--) {
    RowmapRun *run = &map->run[i - 1];
    IndexAnswer answer;
    int rc;
    if (rowid < run->min || rowid > run->max) continue;
    if (UNLIKELY(run->index.count == 0)) {
      rc = rowmap_load_run(run);
      if (rc) return rc;
    }
    if (run->index.dense) { /* I2 */
      *slot = run->index.first_slot + (u32)((u64)rowid - (u64)run->min);
      return SQLITE_OK;
    }
    answer = run->index.kernels->find(&run->index, rowid, slot, &chunk);
    if (answer == INDEX_ABSENT) continue;
    rc = LIKELY(answer == INDEX_FOUND) ? SQLITE_OK : find_unread(run, chunk, rowid, slot);
    if (rc == SQLITE_OK && UNLIKELY(*slot == ROWMAP_GONE)) return SQLITE_NOTFOUND; /* M5 */
    if (rc != SQLITE_NOTFOUND) return rc;
  }
  return SQLITE_NOTFOUND;
}

/* Those of n <= INDEX_BATCH rowids that one run has. */
static int find_batch(RowmapRun *run, const i64 *rowids, const u32 *which, u32 n, u32 *slots) {
  i64 key[INDEX_BATCH];
  u32 slot[INDEX_BATCH], i;
  IndexAnswer answer[INDEX_BATCH];
  int rc = rowmap_load_run(run);
  if (rc) return rc;
  if (run->index.dense) { /* I2 */
    for (i = 0; i < n; i++) slots[which[i]] = run->index.first_slot + (u32)((u64)rowids[which[i]] - (u64)run->min);
    return SQLITE_OK;
  }
  for (i = 0; i < n; i++) key[i] = rowids[which[i]];
  run->index.kernels->find_many(&run->index, key, n, slot, answer);
  for (i = 0; i < n; i++) {
    if (answer[i] == INDEX_UNREAD) {
      rc = find_unread(run, run_index_chunk(&run->index, key[i]) - 1, key[i], &slot[i]);
      if (rc == SQLITE_OK) answer[i] = INDEX_FOUND;
      if (rc && rc != SQLITE_NOTFOUND) return rc;
    }
    if (answer[i] == INDEX_FOUND) slots[which[i]] = slot[i];
  }
  return SQLITE_OK;
}

int rowmap_find_many(Rowmap *map, const i64 *rowids, u64 count, u32 *slots) {
  u64 first;
  u32 i, k;
  for (first = 0; first < count; first += INDEX_BATCH) {
    const i64 *key = rowids + first;
    u32 n = (u32)MIN(count - first, INDEX_BATCH);
    for (k = 0; k < n; k++) slots[first + k] = NO_SLOT;
    for (i = map->run_count; i > 0; i--) {
      RowmapRun *run = &map->run[i - 1];
      u32 which[INDEX_BATCH], left = 0;
      int rc;
      for (k = 0; k < n; k++) {
        if (slots[first + k] == NO_SLOT && key[k] >= run->min && key[k] <= run->max) which[left++] = k;
      }
      if (left == 0) continue;
      rc = find_batch(run, key, which, left, slots + first);
      if (rc) return rc;
    }
    for (k = 0; k < n; k++) {
      if (slots[first + k] == ROWMAP_GONE) slots[first + k] = NO_SLOT;
    }
  }
  return SQLITE_OK;
}

/* --- in order --- */

static void enter_chunk(RunCursor *c, u32 chunk) {
  c->chunk = chunk;
  run_index_record(&c->run->index, chunk, &c->record);
}

/* Read part c->part of chunk c->chunk. */
static int read_part(RunCursor *c) {
  const u8 *lines;
  PageHold hold;
  u32 i, disorder = 0;
  int rc = rowmap_lines(c->run, c->chunk, &lines, &hold);
  if (rc) return rc;
  c->at = 0;
  c->count = chunk_read_part(&c->record, lines, c->part, c->entry);
  pages_release(c->run->lines.pages, &hold);
  if (c->record.form <= FORM_DIRECT) /* whose keys are places: in order, unless they wrap around */
    disorder = c->count && c->entry[c->count - 1].rowid < c->entry[0].rowid;
  else
    for (i = 1; i < c->count; i++) disorder |= c->entry[i].rowid <= c->entry[i - 1].rowid;
  return disorder ? CORRUPT(c->run->lines.root.pgno) : SQLITE_OK; /* M1 */
}

/* Go on to the next part that has entries; at == count if there is none. */
static int next_part(RunCursor *c, int descending) {
  i64 edge = c->count ? c->entry[descending ? 0 : c->count - 1].rowid : 0;
  int had = c->count != 0, rc;
  do {
    if (descending) {
      if (c->part == 0) {
        if (c->chunk == 0) break;
        enter_chunk(c, c->chunk - 1);
        c->part = chunk_parts(&c->record);
      }
      c->part--;
    } else if (++c->part == chunk_parts(&c->record)) {
      if (c->chunk + 1 == c->run->index.count) break;
      enter_chunk(c, c->chunk + 1);
      c->part = 0;
    }
    rc = read_part(c);
    if (rc) return rc;
    if (c->count == 0) continue;
    if (had && (descending ? c->entry[c->count - 1].rowid >= edge : c->entry[0].rowid <= edge))
      return CORRUPT(c->run->lines.root.pgno); /* M1 */
    return SQLITE_OK;
  } while (1);
  c->at = c->count = 0;
  return SQLITE_OK;
}

/* The last part of a chunk that begins at or before `from`, or the first one. */
static u32 part_of(const ChunkRecord *record, const u8 *lines, i64 from) {
  u32 lo = 0, hi = chunk_parts(record);
  while (hi - lo > 1) {
    u32 mid = lo + (hi - lo) / 2;
    if (chunk_part_begins(record, lines, mid) <= (u64)from - (u64)record->base)
      lo = mid;
    else
      hi = mid;
  }
  return lo;
}

/* Stand on the first entry at or after (at or before) `from`. */
static int seek_run(RunCursor *c, RowmapRun *run, i64 from, int descending) {
  u32 at;
  const u8 *lines;
  PageHold hold;
  int rc = rowmap_load_run(run);
  c->run = run;
  c->at = c->count = 0;
  if (rc) return rc;
  if (c->entry == NULL) c->entry = mem_array(&rc, CHUNK_PART_KEYS, sizeof *c->entry);
  if (rc) return rc;
  from =
      descending ? MIN(from, run->max) : MAX(from, run->min); /* there is nothing beyond, and an end is found at once */
  at = run_index_chunk(&run->index, from);
  if (at == 0 && descending) return SQLITE_OK;
  enter_chunk(c, at ? at - 1 : 0);
  rc = rowmap_lines(run, c->chunk, &lines, &hold);
  if (rc) return rc;
  c->part = at ? part_of(&c->record, lines, from) : 0;
  pages_release(run->lines.pages, &hold);
  rc = read_part(c);
  while (rc == SQLITE_OK) {
    if (descending) {
      while (c->at < c->count && c->entry[c->count - 1 - c->at].rowid > from) c->at++;
    } else {
      while (c->at < c->count && c->entry[c->at].rowid < from) c->at++;
    }
    if (c->at < c->count) return SQLITE_OK;
    rc = next_part(c, descending);
    if (c->count == 0) break;
  }
  return rc;
}

/* How many entries of a run, from its chunk *chunk on, are at or before `key`, which has that chunk. */
static int rank_in_chunk(RowmapRun *run, i64 key, u32 *chunk, u32 *rank) {
  RowmapEntry entry[CHUNK_PART_KEYS];
  ChunkRecord record;
  const u8 *lines;
  PageHold hold;
  u32 at = run_index_chunk(&run->index, key), part, n, i;
  int rc;
  *chunk = *rank = 0;
  if (at == 0) return SQLITE_OK;
  *chunk = at - 1;
  rc = rowmap_lines(run, *chunk, &lines, &hold);
  if (rc) return rc;
  run_index_record(&run->index, *chunk, &record);
  part = part_of(&record, lines, key);
  *rank = chunk_part_rank(&record, lines, part);
  n = chunk_read_part(&record, lines, part, entry);
  pages_release(run->lines.pages, &hold);
  for (i = 0; i < n; i++) *rank += entry[i].rowid <= key;
  return SQLITE_OK;
}

int rowmap_count(Rowmap *map, i64 low, i64 high, u64 *count) {
  RowmapRun *run = &map->run[0];
  u32 first = 0, before = 0, last, upto, i;
  int rc;
  *count = 0;
  if (map->run_count > 1) return SQLITE_NOTFOUND;
  if (map->run_count == 0 || low > high) return SQLITE_OK;
  rc = rowmap_load_run(run);
  if (rc == SQLITE_OK && low > INT64_MIN) rc = rank_in_chunk(run, low - 1, &first, &before);
  if (rc == SQLITE_OK) rc = rank_in_chunk(run, high, &last, &upto);
  if (rc) return rc;
  for (i = first; i < last; i++) *count += run->index.chunk[i].count;
  *count += upto;
  if (*count < before || *count - before > run->index.keys) return CORRUPT(run->lines.root.pgno);
  *count -= before;
  return SQLITE_OK;
}

static const RowmapEntry *entry_of(const RunCursor *c, u32 at, int descending) {
  return &c->entry[descending ? c->count - 1 - at : at];
}

static const RowmapEntry *head_of(const RunCursor *c, int descending) { return entry_of(c, c->at, descending); }

int rowmap_seek_runs(RowmapCursor *c, Rowmap *map, u32 first, i64 from, int descending) {
  u32 i;
  int rc = SQLITE_OK;
  c->map = map;
  c->descending = descending;
  c->first = first;
  c->end = map->run_count;
  c->left = 0;
  for (i = first; i < c->end && rc == SQLITE_OK; i++) rc = seek_run(&c->run[i], &map->run[i], from, descending);
  return rc;
}

int rowmap_seek(RowmapCursor *c, Rowmap *map, i64 from, int descending) {
  return rowmap_seek_runs(c, map, 0, from, descending);
}

/* How many of the run's entries that were read come before `rowid`. */
static u32 entries_before(const RunCursor *run, i64 rowid, int descending) {
  u32 lo = run->at, hi = run->count;
  while (lo < hi) {
    u32 mid = lo + (hi - lo) / 2;
    i64 there = entry_of(run, mid, descending)->rowid;
    if (descending ? there > rowid : there < rowid)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo - run->at;
}

int rowmap_pass_entries(RunCursor *run, u32 n, int descending) {
  run->at += n;
  return run->at < run->count ? SQLITE_OK : next_part(run, descending);
}

/* Find out which run is next, and for how long. */
static int choose_run(RowmapCursor *c) {
  u32 i, best = c->end;
  i64 rowid = 0;
  int rc = SQLITE_OK;
  for (i = c->first; i < c->end; i++) { /* equal rowids: the newest run is met last and wins */
    const RunCursor *run = &c->run[i];
    i64 head;
    if (run->at == run->count) continue;
    head = head_of(run, c->descending)->rowid;
    if (best == c->end || (c->descending ? head >= rowid : head <= rowid)) {
      best = i;
      rowid = head;
    }
  }
  if (best == c->end) return SQLITE_DONE;
  for (i = c->first; i < best && rc == SQLITE_OK; i++) {
    RunCursor *run = &c->run[i];
    if (run->at < run->count && head_of(run, c->descending)->rowid == rowid)
      rc = rowmap_pass_entries(run, 1, c->descending);
  }
  if (rc) return rc;
  c->best = best;
  c->left = c->run[best].count - c->run[best].at;
  for (i = c->first; i < c->end; i++) {
    const RunCursor *run = &c->run[i];
    if (i == best || run->at == run->count) continue;
    c->left = MIN(c->left, entries_before(&c->run[best], head_of(run, c->descending)->rowid, c->descending));
  }
  return SQLITE_OK;
}

int rowmap_span(RowmapCursor *c, const RowmapEntry **head, u32 *count) {
  int rc = c->left ? SQLITE_OK : choose_run(c);
  if (rc) return rc;
  *head = head_of(&c->run[c->best], c->descending);
  *count = c->left;
  return SQLITE_OK;
}

int rowmap_pass(RowmapCursor *c, u32 n) {
  c->left -= n;
  return rowmap_pass_entries(&c->run[c->best], n, c->descending);
}

int rowmap_next(RowmapCursor *c, RowmapEntry *out) {
  const RowmapEntry *head;
  u32 count;
  int rc;
  do {
    rc = rowmap_span(c, &head, &count);
    if (rc) return rc;
    *out = *head;
    rc = rowmap_pass(c, 1);
  } while (rc == SQLITE_OK && UNLIKELY(out->slot == ROWMAP_GONE));
  return rc;
}

void rowmap_cursor_end(RowmapCursor *c) {
  u32 i;
  for (i = 0; i < ROWMAP_MAX_RUNS; i++) mem_free(c->run[i].entry);
  memset(c, 0, sizeof *c);
}

/* --- pages, checks --- */

int rowmap_walk(Rowmap *map, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < map->run_count && rc == SQLITE_OK; i++) {
    rc = array_walk(&map->run[i].lines, visit, arg);
    if (rc == SQLITE_OK) rc = array_walk(&map->run[i].chunks, visit, arg);
  }
  return rc;
}

static int check_run(RowmapRun *run) {
  u32 i;
  i64 before = 0;
  int rc = rowmap_load_run(run);
  for (i = 0; i < run->index.count && rc == SQLITE_OK; i++) {
    ChunkRecord record;
    const u8 *lines;
    PageHold hold;
    i64 last = 0;
    rc = rowmap_lines(run, i, &lines, &hold);
    if (rc) return rc;
    run_index_record(&run->index, i, &record);
    if (!chunk_check(&record, lines, &last) || (i && record.base <= before)) rc = CORRUPT(run->lines.root.pgno);
    pages_release(run->lines.pages, &hold);
    before = last;
  }
  if (rc == SQLITE_OK && before != run->max) rc = CORRUPT(run->chunks.root.pgno);
  return rc;
}

int rowmap_check(Rowmap *map) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < map->run_count && rc == SQLITE_OK; i++) rc = check_run(&map->run[i]);
  return rc;
}

void rowmap_size(const Rowmap *map, u64 *page_bytes, u64 *memory_bytes) {
  u32 i, level;
  *page_bytes = *memory_bytes = 0;
  for (i = 0; i < map->run_count; i++) {
    const RowmapRun *run = &map->run[i];
    *page_bytes += run->lines.count * CHUNK_LINE + run->chunks.count * CHUNK_RECORD_SIZE;
    *memory_bytes += run->index.count * (u64)sizeof(IndexChunk);
    for (level = 0; level < run->index.levels; level++) *memory_bytes += run->index.nodes[level] * INDEX_NODE * 8u;
  }
}
