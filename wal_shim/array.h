/*
 * array.h: copy-on-write arrays of fixed-size items in extents: vectors, row ids, bits, keys.
 *
 * An array is `count` items of `stride` bytes. Items lie in extents of `extent_pages` pages (<= 64), items_per_extent each, dense from the
 * extent's start, never across extents; the last extent has only the pages it needs. A directory of structure pages (PAGE_ARRAY) describes
 * the extents: level 0 has one entry per extent,
 *
 *     u32 first page, u32 pages, u32 checksum of each of its pages (extent_pages of them; unused ones 0)
 *
 * higher levels have PageRefs (u32 page, u32 checksum) of the pages below. The reference to an array, ARRAY_REF_SIZE bytes in its
 * table page, is
 *
 *     u32 root page, u32 its checksum, u8 levels (0: empty), u8 extent_pages, u16 zero, u32 stride, u64 count, u64 tag
 *
 *   A1  An extent that a root reaches is never written; changing an item copies its extent (S1).
 *   A2  Everything read from a directory is checked against the root's page count and the array's own numbers before use.
 *
 * stride is a divisor of PAGE_SIZE or a multiple of 64, so that items are as aligned as they can be.
 */
#ifndef QUIRE_ARRAY_H
#define QUIRE_ARRAY_H

#include "pages.h"

#define ARRAY_REF_SIZE 32u
#define ARRAY_MAX_LEVELS 4u

/* What names an array among all: the table it belongs to and a number within it. */
typedef struct ArrayId {
  u64 owner;
  u32 tag;
} ArrayId;

typedef struct Extent {
  u32 pgno, pages;
} Extent;

/* An immutable version of an array, its directory read at first use. */
typedef struct Array {
  Pages *pages;
  ArrayId id;
  u32 stride, extent_pages, per_extent, levels;
  u64 count;
  PageRef root;
  /* the directory, loaded by array_load */
  u32 extent_count;
  u8 *entries;                           /* extent_count entries as on the page */
  PageRef *nodes;                        /* all directory pages, level 0 first */
  u32 level_start[ARRAY_MAX_LEVELS + 1]; /* where each level begins in nodes; the last: their count */
  int loaded;
} Array;

/* The shape of an array that is empty so far. `stride` as above, extent_pages*4096 >= stride. */
int array_init(Array *array, Pages *pages, ArrayId id, u32 stride, u32 extent_pages);
/* Read a reference; checks every field but reads no page. `stride` and `extent_pages` must be as expected. */
int array_open(Array *array, Pages *pages, ArrayId id, u32 stride, u32 extent_pages, const u8 *ref);
/* The reference of this version. */
void array_put_ref(const Array *array, u8 *ref);
int array_load(Array *array);
void array_free(Array *array);
/*
 * The items of extent `index`: *items of them from *out, which stays valid until pages_release. Loads the directory when
 * needed.
 */
int array_extent(Array *array, u32 index, const u8 **out, u32 *items, PageHold *hold);
/* One item; only the pages that it lies on are read and checked. */
int array_item(Array *array, u64 index, const u8 **out, PageHold *hold);
/* `count` items (>= 1) that lie in one extent; SQLITE_CORRUPT_VTAB if they do not. */
int array_items(Array *array, u64 index, u32 count, const u8 **out, PageHold *hold);
/* One item, copied. */
int array_read(Array *array, u64 index, void *item);

/*
 * Addresses of single items, for whoever reads many in no order: the place of an extent is looked up once and kept. What it points to stays
 * valid until array_map_close, in homes that cannot map too (there the pages touched stay in memory).
 *
 *   whole  every page of an extent is checked when it is first touched, so that array_map_item alone is enough; else only the
 *          pages of the items asked for are (array_map_known).
 *
 * Extents that were written together mostly lie one after another: ARRAY_RUN of them have one place in `run`, a table that stays in the
 * processor's nearest cache where that of all extents does not.
 */
#define ARRAY_RUN 16u
typedef struct ArrayMap {
  Array *array;
  const u8 **extent; /* by extent: where it is, or NULL. Writers use array_map_put */
  const u8 **run; /* by ARRAY_RUN extents: where the first is, if all are known and lie one after another, else NULL */
  PageHold *hold; /* by extent */
  u64 *checked;   /* not whole: a bit per page, extent_pages of them for each extent */
  u64 magic;      /* index / per_extent = index * magic >> shift, for any index below 2^31 */
  u32 shift, per_extent, stride, extent_pages;
  int powers; /* per_extent, stride and extent_pages are powers of two, the first two of these exponents: */
  u32 per_shift, stride_shift;
  u32 extents;
  int whole;
} ArrayMap;

/* `room`: items that there will be (at least those of the array), for a map that a writer goes on with. */
int array_map_open(ArrayMap *map, Array *array, u64 room, int whole);
void array_map_close(ArrayMap *map);
/* Make extent `index` known. */
int array_map_touch(ArrayMap *map, u32 index);
int array_map_touch_all(ArrayMap *map);
/* Extent `index` is at `data` from now on. */
void array_map_put(ArrayMap *map, u32 index, const u8 *data);
static inline u32 array_map_extent(const ArrayMap *map, u32 index) {
  return (u32)((u64)index * map->magic >> map->shift);
}
/* Item `index`, of a whole map; NULL if its extent was not touched yet. The caller checks that the index is one. */
static inline const u8 *array_map_item(const ArrayMap *map, u32 index) {
  const u8 *at;
  u32 e;
  if (map->powers) {
    at = map->run[index / ARRAY_RUN >> map->per_shift];
    if (LIKELY(at != NULL)) return at + ((size_t)(index & (map->per_extent * ARRAY_RUN - 1)) << map->stride_shift);
    at = map->extent[index >> map->per_shift];
    return at ? at + ((size_t)(index & (map->per_extent - 1)) << map->stride_shift) : NULL;
  }
  e = array_map_extent(map, index);
  at = map->extent[e];
  return at ? at + (size_t)(index - e * map->per_extent) * map->stride : NULL;
}
/*
 * `items` items (>= 1) from `index` (below 2^31) on, their extent touched and their pages checked where they were not. The caller checks that the
 * array has them; SQLITE_CORRUPT_VTAB if they do not lie in one extent.
 */
int array_map_items(ArrayMap *map, u64 index, u32 items, const u8 **out);
/* The same, of a map that is not whole, where all this was found out before; else NULL. */
static inline const u8 *array_map_known(const ArrayMap *map, u32 index, u32 items) {
  u32 e = map->powers ? index >> map->per_shift : array_map_extent(map, index), within = index - e * map->per_extent;
  u32 offset = within * map->stride, page = offset / PAGE_SIZE, last;
  if (map->extent[e] == NULL || items > map->per_extent - within) return NULL;
  last = (offset + items * map->stride - 1) / PAGE_SIZE;
  for (; page <= last; page++) {
    u64 bit = (u64)e * map->extent_pages + page;
    if (!(map->checked[bit / 64] >> bit % 64 & 1)) return NULL;
  }
  return map->extent[e] + offset;
}
/* How many of the items after an item lie on its page as a whole. */
static inline u32 array_map_beside(const ArrayMap *map, u32 index) {
  u32 within = index - array_map_extent(map, index) * map->per_extent, offset = within * map->stride % PAGE_SIZE;
  u32 fit = (PAGE_SIZE - offset) / map->stride;
  return fit ? MIN(fit, map->per_extent - within) - 1 : 0;
}
static inline int array_map_get(ArrayMap *map, u64 index, const u8 **out) {
  return array_map_items(map, index, 1, out);
}

/* --- writing a new version --- */

typedef struct ArrayWriter {
  PageTx *tx;
  Array *base; /* the version it starts from; only read */
  ArrayId id;
  u32 stride, extent_pages, per_extent, entry_size, per_page;
  u64 count;
  u32 extent_count;
  u8 *entries;
  u64 entries_cap; /* in entries */
  int kept;        /* base's extents and directory are carried on */
  u8 *dirty;       /* by level-0 directory page */
  u64 dirty_cap;
  u8 *buffer;      /* the extent being changed; written when another one is opened, or at the end */
  u32 open_extent; /* its number, or NO_EXTENT */
} ArrayWriter;

/* With keep=0 it starts empty (and frees nothing of base: array_free_pages does). */
int array_writer_begin(ArrayWriter *w, PageTx *tx, Array *base, int keep);
/* Make item `index` (< count) changeable: *out points into the buffer until the next call. Ascending order is cheap. */
int array_writer_edit(ArrayWriter *w, u64 index, u8 **out);
/* Append up to `want` items: *out has room for *got of them, which are counted as appended (the caller fills them in). */
int array_writer_append(ArrayWriter *w, u64 want, u8 **out, u64 *got);
/* Item `index`, which there is (array_writer_edit) or which is the next one, of zeros. */
int array_writer_item(ArrayWriter *w, u64 index, u8 **out);
/* Drop the items from `count` (<= w->count) on. */
int array_writer_truncate(ArrayWriter *w, u64 count);
/* Write what is left and the directory; ref gets the new reference. */
int array_writer_finish(ArrayWriter *w, u8 *ref);
void array_writer_end(ArrayWriter *w);
/* Free every page of this version. */
int array_free_pages(Array *array, PageTx *tx);
/* Report every range of pages of an array whose shape is not known; what is in them is not looked at. */
int array_pages_at(Pages *pages, ArrayId id, const u8 *ref, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);
/*
 * The same array with those of its pages moved that page_tx_moves wants elsewhere; ref gets the reference. array_writer_finish does that
 * for the arrays that it carries on.
 */
int array_move(Array *array, PageTx *tx, u8 *ref);
/* Report every range of pages the version reaches; verifies all checksums. */
int array_walk(Array *array, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);

#endif
