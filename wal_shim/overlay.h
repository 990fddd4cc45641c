/*
 * overlay.h: one table's delta since the last fold, in memory, as one connection sees it.
 *
 * An overlay is a log of operations, numbered from 0: rows that gained vectors, rows that lost them. A reader holds the overlay and
 * a length and sees the operations below it:
 *
 *   O1  Row data never moves and is never changed once added; removing a row notes the number of the operation, so that readers of a shorter
 *       length still see it (S13).
 *   O2  A rollback makes a new overlay; one that others hold is never cut.
 *   O3  Which rows of the pages are dead is part of the log: by slot ("kills"), or all of them.
 *   O4  A row of the pages whose fields change, but not its vectors, stays where it is: its new fields are part of the log ("patches"; of several
 *       for one slot the last that is visible counts).
 *   O5  That the content has got a bare row is an operation, too: one without any vector, of which neither overlay nor pages say
 *       anything else.
 *
 * Vectors of one column lie in chunks of OVERLAY_CHUNK rows, stride bytes apart, 64-byte aligned, so that the scan kernels run
 * over them as over an extent. Where they have different sizes the chunk has their addresses, and their bytes are in blocks beside the chunks.
 */
#ifndef QUIRE_OVERLAY_H
#define QUIRE_OVERLAY_H

#include "field.h"

#define OVERLAY_CHUNK 256u
#define NO_ROW 0xffffffffu

typedef struct OverlayRow {
  i64 rowid;
  u32 from, until; /* visible at length L if from < L && L <= until */
  u32 older;       /* the row of the same rowid before this one, or NO_ROW */
  u16 present;     /* bit i: it has a vector in column i */
} OverlayRow;

typedef struct OverlayChunk {
  OverlayRow row[OVERLAY_CHUNK];
  u8 *vectors[MAX_VECTOR_COLUMNS];
  u64 *fields; /* field_words of each row; NULL if there are none */
} OverlayChunk;

/* What happened to slots of the pages, found by slot. */
typedef struct SlotEvent {
  u32 slot, at; /* so at length L if at < L */
  u32 older;    /* the event of this slot before, or NO_EVENT */
} SlotEvent;
#define NO_EVENT 0xffffffffu

typedef struct SlotLog {
  SlotEvent *event;
  u64 count, cap;
  u32 *hash; /* open addressing; the slot's last event + 1 */
  u32 hash_size;
} SlotLog;

typedef struct Overlay {
  u32 refs;
  u32 columns, field_words;
  u32 size[MAX_VECTOR_COLUMNS]; /* 0: they have different sizes, */
  u32 stride[MAX_VECTOR_COLUMNS];
  u64 (*bytes)(const void *vector); /* which this gives; set by who makes an overlay with such a column */
  u8 **block;                       /* that hold them; the last has room at `block_used` */
  u64 blocks, block_cap, block_used, block_size;
  u64 block_bytes; /* of all blocks */
  OverlayChunk **chunk;
  u64 chunk_cap;
  u32 chunks; /* that there are */
  u32 rows;
  u32 length;      /* operations so far */
  u32 all_dead_at; /* every row of the pages is dead at length L if all_dead_at < L; 0xffffffff: no such operation */
  u32 bare_at;     /* there may be bare rows at length L if bare_at < L; 0xffffffff: no such operation */
  SlotLog kills, patches;
  u64 *patch_fields; /* field_words of each patch */
  u64 patch_fields_cap;
  u64 others;    /* words that may be FIELD_OTHER in a row or patch */
  u32 *row_hash; /* open addressing; row number + 1 */
  u32 row_hash_size, row_hash_used;
  /* Where the delta ends that this overlay mirrors (table.c, D2). */
  i64 last_seq, last_tag;     /* the last delta row; INT64_MIN: none */
  i64 pages_max;              /* the largest rowid that the pages have had; INT64_MIN: none */
  i64 last_row, last_row_tag; /* the largest rowid of the content; pages_max if it is not larger */
  int last_row_removed;       /* by an operation since; its delta row is last_seq or before it */
  i64 max_rowid;              /* the largest rowid seen */
  u32 passed_over; /* delta rows that are no operations here: the content tells of their rows, or these have no vectors */
} Overlay;

/* Bytes from one vector to the next, in overlays and extents alike: the size rounded up to a power of two below 64, to a multiple of 64 above. */
u32 vector_stride(u32 size);

int overlay_new(u32 columns, const u32 *sizes, u32 field_words, Overlay **out);
/* Empty it and keep its memory, for whoever holds the only reference. */
void overlay_reset(Overlay *o);
Overlay *overlay_retain(Overlay *o);
void overlay_release(Overlay *o);

/* vectors[i] NULL: none in column i; else its bytes are copied. fields: field_words of them. */
int overlay_add(Overlay *o, i64 rowid, const void *const *vectors, const u64 *fields);
/* The row at `slot` of the pages has these fields. */
int overlay_patch(Overlay *o, u32 slot, const u64 *fields);
/* `slot`: where the row lies in the pages, or NO_SLOT. */
int overlay_remove(Overlay *o, i64 rowid, u32 slot);
int overlay_remove_all(Overlay *o);
/* Note that the content has got a bare row; once is enough. */
int overlay_note_bare(Overlay *o);

static inline OverlayRow *overlay_row(const Overlay *o, u32 row) {
  return &o->chunk[row / OVERLAY_CHUNK]->row[row % OVERLAY_CHUNK];
}
/* Delta that a fold would do away with: operations, and delta rows passed over. */
static inline u32 overlay_pending(const Overlay *o) { return o->length + o->passed_over; }
/* Bytes that the operations take, about: what a bulk fold would give back. */
u64 overlay_weight(const Overlay *o);
/* Bytes that it holds, about, used or kept. */
u64 overlay_memory(const Overlay *o);
/* Where the row has one. */
const u8 *overlay_vector(const Overlay *o, u32 row, u32 column);
const u64 *overlay_fields(const Overlay *o, u32 row);
static inline int overlay_visible(const OverlayRow *r, u32 length) { return r->from < length && length <= r->until; }
/* The row that `rowid` has at this length, or NO_ROW. */
u32 overlay_find(const Overlay *o, u32 length, i64 rowid);
/* The fields that the row at `slot` of the pages was given, or NULL: those that it has there. */
const u64 *overlay_patched(const Overlay *o, u32 length, u32 slot);
/* Whether the row at `slot` of the pages is dead at this length. */
int overlay_killed(const Overlay *o, u32 length, u32 slot);
/* How many of its rows within bounds are visible at this length. */
u64 overlay_count(const Overlay *o, u32 length, i64 low, i64 high);
/* How many slots of the pages it has killed at this length: those of the first events of `kills`, each once. */
u64 overlay_kills(const Overlay *o, u32 length);

#endif
