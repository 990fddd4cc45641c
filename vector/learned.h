/*
 * learned.h: chunks of a sorted map from i64 keys to u32 slots: each in the form that suits its keys, found by a model that says where to look.
 *
 * A chunk is 1 to CHUNK_MAX_KEYS ascending keys with their slots, in 1 to CHUNK_MAX_LINES whole lines of 64 bytes. Keys are counted from
 * the chunk's first key, its base: d = key - base, below CHUNK_MAX_SPAN. Its form is one of
 *
 *   FORM_BITMAP     a line is u16 rank (keys of the chunk before the line), then 496 bits: bit i of line l is d = 496*l + i. The slot of a key
 *                   is first_slot + its rank in the chunk
 *   FORM_DIRECT     a line is 16 u32: place i of line l is the slot of d = 16*l + i, NO_SLOT if there is no such key
 *   FORM_U32        a line is 16 u32: d of 16 keys in order; the slot is first_slot + the key's number in the chunk
 *   FORM_U32_SLOTS  a line is 8 u32 d of 8 keys, then their 8 u32 slots
 *   FORM_U64        a line is 8 u64: d of 8 keys; slots as in FORM_U32
 *   FORM_U64_SLOTS  a line is 5 u64 d of 5 keys, then their 5 u32 slots, then u32 zero
 *
 * Places of the last line that have no key hold all ones and slot 0. What describes a chunk is a record of CHUNK_RECORD_SIZE bytes,
 *
 *      0  i64 base    8  f64 slope (0 .. 1)    16  u32 its first line in the run    20  u32 first_slot (0 in forms that store slots)
 *     24  u16 keys - 1    26  u16 lines    28  i16 intercept    30  u8 form    31  u8 epsilon
 *
 *   C1  Of the last four forms the key number i has |floor(d * slope) + intercept - i| <= epsilon (a piecewise-linear model: Ferragina and
 *       Vinciguerra, VLDB 2020; here the slope is that from first to last key). epsilon is 0 in the first two, which need no model.
 *   C2  The model says where to look first and never what is there: a search that does not find its key between the keys it has looked at
 *       goes on over the whole chunk.
 *   C3  epsilon is at most two lines of keys in chunks of more than CHUNK_SURE_LINES lines: a search reads five lines, at worst sixteen,
 *       whatever the keys. So there are at most keys/65 chunks, and no key takes more than 13.3 bytes.
 *   C4  Nothing read is trusted beyond memory safety: chunk_record_sound() says whether a record can be used, chunk_check() whether
 *       lines and record are what the builder writes.
 *
 * Here are no pages: rowmap.c has runs of chunks, their directory, and the ways to change them.
 */
#ifndef QUIRE_LEARNED_H
#define QUIRE_LEARNED_H

#include "../wal_shim/bytes.h"

#define CHUNK_LINE 64u
#define CHUNK_RECORD_SIZE 32u
#define CHUNK_MAX_LINES 64u
#define CHUNK_SURE_LINES 13u
#define CHUNK_MAX_SPAN ((u64)1 << 62)
#define BITMAP_LINE_KEYS 496u
#define BITMAP_MAX_LINES 32u
#define CHUNK_MAX_KEYS (BITMAP_MAX_LINES * BITMAP_LINE_KEYS)
#define CHUNK_PART_KEYS 64u

typedef enum { FORM_BITMAP, FORM_DIRECT, FORM_U32, FORM_U32_SLOTS, FORM_U64, FORM_U64_SLOTS, FORM_COUNT } ChunkForm;

typedef struct RowmapEntry {
  i64 rowid;
  u32 slot;
} RowmapEntry;

typedef struct ChunkRecord {
  i64 base;
  double slope;
  u32 line, first_slot, count, lines;
  i32 intercept;
  u32 form, epsilon;
} ChunkRecord;

/* The most keys that a line of this form holds. */
u32 form_line_keys(u32 form);

/*
 * Choose the next chunk of `count` (>= 1) ascending entries, of at most `max_lines` lines. Unless no more follow, there should be at
 * least CHUNK_MAX_KEYS of them, or the chunk may end with them.
 *
 *   hint  keys of the chunk before, by which sizes are tried; 0: none
 *   out   all but `line`; out->count entries from the first are the chunk's
 */
void chunk_choose(const RowmapEntry *entries, u64 count, u32 max_lines, u32 hint, ChunkRecord *out);
/* Write the lines of a chunk that chunk_choose chose from these entries. */
void chunk_write(const ChunkRecord *chunk, const RowmapEntry *entries, u8 *lines);

void chunk_put_record(const ChunkRecord *chunk, u8 *record);
void chunk_get_record(const u8 *record, ChunkRecord *chunk);
/* Whether a record from disk may be searched and read: form, sizes, slope, base + span within i64. */
int chunk_record_sound(const ChunkRecord *chunk);

/* The entries of line `line` of a sound chunk, at most BITMAP_LINE_KEYS; gives their number. */
u32 chunk_read_line(const ChunkRecord *chunk, const u8 *lines, u32 line, RowmapEntry *out);
/*
 * The same by parts, for whoever reads in order: as many whole lines as CHUNK_PART_KEYS keys have room in, or a word of a bitmap.
 */
u32 chunk_parts(const ChunkRecord *chunk);
u32 chunk_read_part(const ChunkRecord *chunk, const u8 *lines, u32 part, RowmapEntry *out);
/* A distance from the base that no entry of a part before `part` reaches, and none of the part is below: where it begins. */
u64 chunk_part_begins(const ChunkRecord *chunk, const u8 *lines, u32 part);
/* How many entries come before those of a part. */
u32 chunk_part_rank(const ChunkRecord *chunk, const u8 *lines, u32 part);
/* Whether the lines of a sound chunk are as chunk_write writes them and the model keeps C1; *last is its largest key. */
int chunk_check(const ChunkRecord *chunk, const u8 *lines, i64 *last);

/* The number at which the model expects d. */
static inline i64 chunk_predict(double slope, i32 intercept, u64 d) {
  return (i64)((double)(i64)d * slope) + intercept;
}

#endif
