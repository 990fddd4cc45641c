/*
 * overlay.c: one table's delta in memory. See overlay.h for O1..O3.
 */
#include "overlay.h"

#include "bytes.h"

#define BLOCK_FIRST (16u << 10)  /* bytes of the first block of vectors; each further one is twice as large ... */
#define BLOCK_LARGEST (1u << 20) /* ... up to this, or as large as one vector */

u32 vector_stride(u32 size) {
  u32 stride = 1;
  if (size >= 64) return (size + 63) & ~63u;
  while (stride < size) stride *= 2;
  return stride;
}

int overlay_new(u32 columns, const u32 *sizes, u32 field_words, Overlay **out) {
  int rc = SQLITE_OK;
  u32 i;
  Overlay *o = mem_zeroed(&rc, 1, sizeof *o);
  if (rc) return rc;
  o->refs = 1;
  o->columns = columns;
  o->field_words = field_words;
  o->all_dead_at = o->bare_at = 0xffffffff;
  for (i = 0; i < columns; i++) {
    o->size[i] = sizes[i];
    o->stride[i] = vector_stride(sizes[i] ? sizes[i] : (u32)sizeof(u8 *));
  }
  *out = o;
  return SQLITE_OK;
}

Overlay *overlay_retain(Overlay *o) {
  if (o) o->refs++;
  return o;
}

static void free_log(SlotLog *log) {
  mem_free(log->event);
  mem_free(log->hash);
}

static void empty_log(SlotLog *log) {
  if (log->hash_size) memset(log->hash, 0, log->hash_size * sizeof *log->hash);
  log->count = 0;
}

static void free_chunk(OverlayChunk *c, u32 columns) {
  u32 k;
  if (c == NULL) return;
  for (k = 0; k < columns; k++) mem_aligned_free(c->vectors[k]);
  mem_free(c->fields);
  mem_free(c);
}

static void free_blocks(Overlay *o) {
  while (o->blocks) mem_free(o->block[--o->blocks]);
  o->block_used = o->block_size = o->block_bytes = 0;
}

void overlay_release(Overlay *o) {
  u32 i;
  if (o == NULL || --o->refs) return;
  free_blocks(o);
  mem_free(o->block);
  for (i = 0; i < o->chunks; i++) free_chunk(o->chunk[i], o->columns);
  mem_free(o->chunk);
  free_log(&o->kills);
  free_log(&o->patches);
  mem_free(o->patch_fields);
  mem_free(o->row_hash);
  mem_free(o);
}

void overlay_reset(Overlay *o) {
  if (o->row_hash_size) memset(o->row_hash, 0, o->row_hash_size * sizeof *o->row_hash);
  empty_log(&o->kills);
  empty_log(&o->patches);
  o->row_hash_used = o->rows = o->length = o->passed_over = 0;
  o->others = 0;
  o->all_dead_at = o->bare_at = 0xffffffff;
  free_blocks(o);
}

static u64 row_bytes(const Overlay *o) {
  u64 row = sizeof(OverlayRow) + 8 + 8 * (u64)o->field_words;
  u32 i;
  for (i = 0; i < o->columns; i++) row += o->stride[i];
  return row;
}

static u64 patch_bytes(const Overlay *o) { return sizeof(SlotEvent) + 8 + 8 * (u64)o->field_words; }

u64 overlay_weight(const Overlay *o) {
  return o->rows * row_bytes(o) + o->block_bytes + o->kills.count * (sizeof(SlotEvent) + 8) +
         o->patches.count * patch_bytes(o);
}

u64 overlay_memory(const Overlay *o) {
  return (u64)o->chunks * OVERLAY_CHUNK * row_bytes(o) + o->block_bytes + o->kills.cap * sizeof(SlotEvent) +
         o->patches.cap * patch_bytes(o) +
         ((u64)o->row_hash_size + o->kills.hash_size + o->patches.hash_size) * sizeof(u32);
}

static u8 *vector_place(const Overlay *o, u32 row, u32 column) {
  return o->chunk[row / OVERLAY_CHUNK]->vectors[column] + (size_t)(row % OVERLAY_CHUNK) * o->stride[column];
}

const u8 *overlay_vector(const Overlay *o, u32 row, u32 column) {
  const u8 *place = vector_place(o, row, column), *at;
  if (o->size[column]) return place;
  memcpy(&at, place, sizeof at);
  return at;
}

static u64 *row_fields(const Overlay *o, u32 row) {
  return o->chunk[row / OVERLAY_CHUNK]->fields + (size_t)(row % OVERLAY_CHUNK) * o->field_words;
}

const u64 *overlay_fields(const Overlay *o, u32 row) { return row_fields(o, row); }

/* The bucket of rowid: where it is, or the empty one where it belongs. */
static u32 row_bucket(const Overlay *o, const u32 *hash, u32 size, i64 rowid) {
  u32 i = (u32)mix64((u64)rowid) & (size - 1);
  while (hash[i] && overlay_row(o, hash[i] - 1)->rowid != rowid) i = (i + 1) & (size - 1);
  return i;
}

static int grow_row_hash(Overlay *o) {
  u32 size = o->row_hash_size ? o->row_hash_size * 2 : 64, i;
  int rc = SQLITE_OK;
  u32 *hash;
  if (o->row_hash_used * 2 < o->row_hash_size) return SQLITE_OK;
  hash = mem_zeroed(&rc, size, sizeof *hash);
  if (rc) return rc;
  for (i = 0; i < o->row_hash_size; i++) {
    if (o->row_hash[i]) hash[row_bucket(o, hash, size, overlay_row(o, o->row_hash[i] - 1)->rowid)] = o->row_hash[i];
  }
  mem_free(o->row_hash);
  o->row_hash = hash;
  o->row_hash_size = size;
  return SQLITE_OK;
}

/* --- slot logs --- */

static u32 slot_bucket(const SlotLog *log, const u32 *hash, u32 size, u32 slot) {
  u32 i = (u32)mix64(slot) & (size - 1);
  while (hash[i] && log->event[hash[i] - 1].slot != slot) i = (i + 1) & (size - 1);
  return i;
}

static int grow_slot_hash(SlotLog *log) {
  u32 size = log->hash_size ? log->hash_size * 2 : 64;
  int rc = SQLITE_OK;
  u32 *hash;
  u64 i;
  if (log->count * 2 < log->hash_size) return SQLITE_OK;
  hash = mem_zeroed(&rc, size, sizeof *hash);
  if (rc) return rc;
  for (i = 0; i < log->count; i++) hash[slot_bucket(log, hash, size, log->event[i].slot)] = (u32)i + 1;
  mem_free(log->hash);
  log->hash = hash;
  log->hash_size = size;
  return SQLITE_OK;
}

static int log_add(SlotLog *log, u32 slot, u32 at) {
  SlotEvent *e;
  u32 bucket;
  int rc = mem_reserve(&log->event, &log->cap, log->count + 1, sizeof *log->event);
  if (rc == SQLITE_OK) rc = grow_slot_hash(log);
  if (rc) return rc;
  bucket = slot_bucket(log, log->hash, log->hash_size, slot);
  e = &log->event[log->count];
  e->slot = slot;
  e->at = at;
  e->older = log->hash[bucket] ? log->hash[bucket] - 1 : NO_EVENT;
  log->hash[bucket] = (u32)++log->count;
  return SQLITE_OK;
}

/* The slot's last event at this length, or NO_EVENT. */
static u32 log_find(const SlotLog *log, u32 length, u32 slot) {
  u32 at;
  if (log->hash_size == 0) return NO_EVENT;
  at = log->hash[slot_bucket(log, log->hash, log->hash_size, slot)];
  if (at == 0) return NO_EVENT;
  for (at--; at != NO_EVENT && log->event[at].at >= length; at = log->event[at].older) {
  }
  return at;
}

static int new_chunk(Overlay *o) {
  u32 k;
  int rc = mem_reserve(&o->chunk, &o->chunk_cap, (u64)o->chunks + 1, sizeof *o->chunk);
  OverlayChunk *c = mem_zeroed(&rc, 1, sizeof *c);
  if (c) {
    for (k = 0; k < o->columns; k++) {
      u64 size = (u64)o->stride[k] * OVERLAY_CHUNK;
      c->vectors[k] = mem_aligned(&rc, size);
      if (rc) break;
      memset(c->vectors[k], 0, (size_t)size);
    }
    if (o->field_words) c->fields = mem_zeroed(&rc, (u64)o->field_words * OVERLAY_CHUNK, sizeof *c->fields);
  }
  if (rc) {
    free_chunk(c, o->columns);
    return rc;
  }
  o->chunk[o->chunks++] = c;
  return SQLITE_OK;
}

static void note_others(Overlay *o, const u64 *fields) {
  u32 w;
  for (w = 0; w < o->field_words; w++) o->others |= (u64)(fields[w] == FIELD_OTHER) << w;
}

/* A vector's bytes where they do not move. */
static int put_block(Overlay *o, const void *vector, u64 size, const u8 **out) {
  int rc = SQLITE_OK;
  if (o->blocks == 0 || o->block_size - o->block_used < size) {
    u64 fresh = MAX(MIN(MAX(o->block_size * 2, BLOCK_FIRST), BLOCK_LARGEST), size);
    rc = mem_reserve(&o->block, &o->block_cap, o->blocks + 1, sizeof *o->block);
    if (rc) return rc;
    o->block[o->blocks] = mem_array(&rc, fresh, 1);
    if (rc) return rc;
    o->blocks++;
    o->block_bytes += fresh;
    o->block_size = fresh;
    o->block_used = 0;
  }
  *out = memcpy(o->block[o->blocks - 1] + o->block_used, vector, (size_t)size);
  o->block_used += size;
  return rc;
}

static int put_vector(Overlay *o, u32 row, u32 column, const void *vector) {
  u8 *place = vector_place(o, row, column);
  const u8 *at;
  int rc;
  if (o->size[column]) {
    memcpy(place, vector, o->size[column]);
    return SQLITE_OK;
  }
  rc = put_block(o, vector, o->bytes(vector), &at);
  if (rc == SQLITE_OK) memcpy(place, &at, sizeof at);
  return rc;
}

int overlay_add(Overlay *o, i64 rowid, const void *const *vectors, const u64 *fields) {
  OverlayRow *r;
  u32 row = o->rows, bucket, k;
  int rc;
  if (o->length >= 0x7fffffff) return SQLITE_FULL;
  rc = grow_row_hash(o);
  if (rc == SQLITE_OK && row / OVERLAY_CHUNK == o->chunks) rc = new_chunk(o);
  if (rc) return rc;
  bucket = row_bucket(o, o->row_hash, o->row_hash_size, rowid);
  r = &o->chunk[row / OVERLAY_CHUNK]->row[row % OVERLAY_CHUNK];
  r->rowid = rowid;
  r->from = o->length;
  r->until = 0xffffffff;
  r->older = o->row_hash[bucket] ? o->row_hash[bucket] - 1 : NO_ROW;
  r->present = 0;
  for (k = 0; k < o->columns; k++) {
    if (vectors[k] == NULL) continue;
    rc = put_vector(o, row, k, vectors[k]);
    if (rc) return rc;
    r->present = (u16)(r->present | 1u << k);
  }
  if (r->older != NO_ROW && overlay_row(o, r->older)->until == 0xffffffff) overlay_row(o, r->older)->until = o->length;
  if (o->field_words) {
    memcpy(row_fields(o, row), fields, o->field_words * sizeof *fields);
    note_others(o, fields);
  }
  if (o->row_hash[bucket] == 0) o->row_hash_used++;
  o->row_hash[bucket] = row + 1;
  o->rows++;
  o->length++;
  return SQLITE_OK;
}

int overlay_patch(Overlay *o, u32 slot, const u64 *fields) {
  u64 words = o->field_words, first = o->patches.count * words;
  int rc;
  if (o->length >= 0x7fffffff) return SQLITE_FULL;
  rc = mem_reserve(&o->patch_fields, &o->patch_fields_cap, first + words, sizeof *o->patch_fields);
  if (rc == SQLITE_OK) rc = log_add(&o->patches, slot, o->length);
  if (rc) return rc;
  memcpy(o->patch_fields + first, fields, (size_t)words * sizeof *fields);
  note_others(o, fields);
  o->length++;
  return SQLITE_OK;
}

const u64 *overlay_patched(const Overlay *o, u32 length, u32 slot) {
  u32 at = log_find(&o->patches, length, slot);
  return at == NO_EVENT ? NULL : o->patch_fields + (u64)at * o->field_words;
}

int overlay_remove(Overlay *o, i64 rowid, u32 slot) {
  int rc = SQLITE_OK;
  u32 row;
  if (o->length >= 0x7fffffff) return SQLITE_FULL;
  if (slot != NO_SLOT && !overlay_killed(o, o->length, slot)) {
    rc = log_add(&o->kills, slot, o->length);
    if (rc) return rc;
  }
  row = overlay_find(o, o->length, rowid);
  if (row != NO_ROW) overlay_row(o, row)->until = o->length;
  o->length++;
  return SQLITE_OK;
}

int overlay_remove_all(Overlay *o) {
  u32 i;
  if (o->length >= 0x7fffffff) return SQLITE_FULL;
  for (i = 0; i < o->rows; i++) {
    OverlayRow *r = overlay_row(o, i);
    if (r->until == 0xffffffff) r->until = o->length;
  }
  if (o->all_dead_at == 0xffffffff) o->all_dead_at = o->length;
  o->length++;
  return SQLITE_OK;
}

int overlay_note_bare(Overlay *o) {
  if (o->bare_at != 0xffffffff) return SQLITE_OK;
  if (o->length >= 0x7fffffff) return SQLITE_FULL;
  o->bare_at = o->length++;
  return SQLITE_OK;
}

u32 overlay_find(const Overlay *o, u32 length, i64 rowid) {
  u32 row;
  if (o->row_hash_size == 0) return NO_ROW;
  row = o->row_hash[row_bucket(o, o->row_hash, o->row_hash_size, rowid)];
  if (row == 0) return NO_ROW;
  for (row--; row != NO_ROW; row = overlay_row(o, row)->older) {
    if (overlay_visible(overlay_row(o, row), length)) return row;
  }
  return NO_ROW;
}

int overlay_killed(const Overlay *o, u32 length, u32 slot) {
  return o->all_dead_at < length || log_find(&o->kills, length, slot) != NO_EVENT;
}

u64 overlay_count(const Overlay *o, u32 length, i64 low, i64 high) {
  u64 count = 0;
  u32 i;
  for (i = 0; i < o->rows; i++) {
    const OverlayRow *r = overlay_row(o, i);
    count += r->rowid >= low && r->rowid <= high && overlay_visible(r, length);
  }
  return count;
}

u64 overlay_kills(const Overlay *o, u32 length) {
  u64 count = o->kills.count;
  while (count && o->kills.event[count - 1].at >= length) count--;
  return count;
}
