/*
 * pagefile.c: the page file from outside. See pagefile.h.
 */
#include "pagefile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY 32u
#define ROOT_ITEMS (BODY + 48u)
#define CATALOG_ITEMS (BODY + 16u)
#define TABLE_REFS (BODY + 64u)
#define TABLE_BOUNDS (BODY + 3168u)
#define TABLE_STRUCTURES (BODY + 3808u)
#define GRAPH_REFS (BODY + 64u)
#define GRAPH_ARRAYS 3u
#define FIELDS_REFS (BODY + 64u)
#define IVF_REFS (BODY + 64u)
#define IVF_ARRAYS 4u
#define INVERTED_REFS (BODY + 64u)
#define INVERTED_SEGMENTS (BODY + 1600u)
#define REF_SIZE 32u
#define PLACE_SIZE 16u /* of a vector that is not in its slot; others have at least a cache line */
#define ENTRY_SIZE 16u

static const char *const kind_names[PF_KINDS] = {
    "head",    "root",    "catalog",   "table",     "leaf",   "node",  "graph",    "fields", "ivf",   "inverted",
    "rowids",  "vectors", "places",    "present",   "codes",  "words", "lines",    "chunks", "links", "sq4",
    "learned", "records", "centroids", "directory", "blocks", "blobs", "postings", "free"};
const char *pf_kind_name(PfKind kind) { return kind_names[kind]; }

/* References of arrays, one after another. */
#define ARRAY_REFS(kind, at)                                                                                           \
  {kind, "array_page", (at), 4, PF_ITEM}, {kind, "array_crc", (at) + 4, 4, PF_ITEM},                                   \
      {kind, "array_levels", (at) + 8, 1, PF_ITEM}, {kind, "array_extent_pages", (at) + 9, 1, PF_ITEM},                \
      {kind, "array_stride", (at) + 12, 4, PF_ITEM}, {kind, "array_count", (at) + 16, 8, PF_ITEM}, {                   \
    kind, "array_tag", (at) + 24, 8, PF_ITEM                                                                           \
  }
#define HEADER(kind)                                                                                                   \
  {kind, "crc", 0, 4, PF_ONCE}, {kind, "kind", 4, 1, PF_ONCE}, {kind, "level", 5, 1, PF_ONCE},                         \
      {kind, "zero", 6, 2, PF_ONCE}, {kind, "fold", 8, 8, PF_ONCE}, {kind, "owner", 16, 8, PF_ONCE},                   \
      {kind, "logical", 24, 8, PF_ONCE}, {                                                                             \
    kind, "unused", 4088, 8, PF_ONCE                                                                                   \
  }
#define BULK(kind, size)                                                                                               \
  {kind, "item", 0, size, PF_ITEM}, { kind, "unused", 4088, 8, PF_ONCE }

const PfField pf_fields[] = {
    {PF_HEAD, "magic", 0, 8, PF_ONCE},
    {PF_HEAD, "magic2", 8, 8, PF_ONCE},
    {PF_HEAD, "format", 16, 4, PF_ONCE},
    {PF_HEAD, "page_size", 20, 4, PF_ONCE},
    {PF_HEAD, "crc", 24, 4, PF_ONCE},
    {PF_HEAD, "unused", 4088, 8, PF_ONCE},

    HEADER(PF_ROOT),
    {PF_ROOT, "uuid", BODY, 8, PF_ONCE},
    {PF_ROOT, "uuid2", BODY + 8, 8, PF_ONCE},
    {PF_ROOT, "gen", BODY + 16, 8, PF_ONCE},
    {PF_ROOT, "n", BODY + 24, 8, PF_ONCE},
    {PF_ROOT, "pages", BODY + 32, 4, PF_ONCE},
    {PF_ROOT, "entries", BODY + 36, 4, PF_ONCE},
    {PF_ROOT, "next_page", BODY + 40, 4, PF_ONCE},
    {PF_ROOT, "next_crc", BODY + 44, 4, PF_ONCE},
    {PF_ROOT, "table_id", ROOT_ITEMS, 8, PF_ITEM},
    {PF_ROOT, "table_page", ROOT_ITEMS + 8, 4, PF_ITEM},
    {PF_ROOT, "table_crc", ROOT_ITEMS + 12, 4, PF_ITEM},

    HEADER(PF_CATALOG),
    {PF_CATALOG, "entries", BODY, 4, PF_ONCE},
    {PF_CATALOG, "zero2", BODY + 4, 4, PF_ONCE},
    {PF_CATALOG, "next_page", BODY + 8, 4, PF_ONCE},
    {PF_CATALOG, "next_crc", BODY + 12, 4, PF_ONCE},
    {PF_CATALOG, "table_id", CATALOG_ITEMS, 8, PF_ITEM},
    {PF_CATALOG, "table_page", CATALOG_ITEMS + 8, 4, PF_ITEM},
    {PF_CATALOG, "table_crc", CATALOG_ITEMS + 12, 4, PF_ITEM},

    HEADER(PF_TABLE),
    {PF_TABLE, "arrays", BODY, 4, PF_ONCE},
    {PF_TABLE, "columns", BODY + 4, 4, PF_ONCE},
    {PF_TABLE, "runs", BODY + 8, 4, PF_ONCE},
    {PF_TABLE, "zero2", BODY + 12, 4, PF_ONCE},
    {PF_TABLE, "slots", BODY + 16, 8, PF_ONCE},
    {PF_TABLE, "live", BODY + 24, 8, PF_ONCE},
    {PF_TABLE, "fields_page", BODY + 32, 4, PF_ONCE},
    {PF_TABLE, "fields_crc", BODY + 36, 4, PF_ONCE},
    {PF_TABLE, "reserved", BODY + 40, 8, PF_ONCE},
    ARRAY_REFS(PF_TABLE, TABLE_REFS),
    {PF_TABLE, "array_zero", TABLE_REFS + 10, 2, PF_ITEM},
    {PF_TABLE, "run_min", TABLE_BOUNDS, 8, PF_RUN},
    {PF_TABLE, "run_max", TABLE_BOUNDS + 8, 8, PF_RUN},
    {PF_TABLE, "structure_page", TABLE_STRUCTURES, 4, PF_COLUMN},
    {PF_TABLE, "structure_crc", TABLE_STRUCTURES + 4, 4, PF_COLUMN},
    {PF_TABLE, "structure_slots", TABLE_STRUCTURES + 8, 8, PF_COLUMN},

    HEADER(PF_GRAPH),
    {PF_GRAPH, "m", BODY, 4, PF_ONCE},
    {PF_GRAPH, "levels", BODY + 4, 4, PF_ONCE},
    {PF_GRAPH, "entry", BODY + 8, 4, PF_ONCE},
    {PF_GRAPH, "learned", BODY + 12, 4, PF_ONCE},
    {PF_GRAPH, "nodes", BODY + 16, 8, PF_ONCE},
    {PF_GRAPH, "learned_at", BODY + 24, 8, PF_ONCE},
    {PF_GRAPH, "max_norm2", BODY + 32, 4, PF_ONCE},
    {PF_GRAPH, "coded", BODY + 36, 4, PF_ONCE},
    {PF_GRAPH, "mean_norm2", BODY + 40, 4, PF_ONCE},
    {PF_GRAPH, "quantizer", BODY + 44, 4, PF_ONCE},
    ARRAY_REFS(PF_GRAPH, GRAPH_REFS),

    HEADER(PF_FIELDS),
    {PF_FIELDS, "words", BODY, 4, PF_ONCE},
    {PF_FIELDS, "zero2", BODY + 4, 4, PF_ONCE},
    {PF_FIELDS, "others", BODY + 8, 8, PF_ONCE},
    ARRAY_REFS(PF_FIELDS, FIELDS_REFS),

    HEADER(PF_IVF),
    {PF_IVF, "lists", BODY, 4, PF_ONCE},
    {PF_IVF, "learned", BODY + 4, 4, PF_ONCE},
    {PF_IVF, "row_bytes", BODY + 8, 4, PF_ONCE},
    {PF_IVF, "zero2", BODY + 12, 4, PF_ONCE},
    {PF_IVF, "covered", BODY + 16, 8, PF_ONCE},
    {PF_IVF, "learned_at", BODY + 24, 8, PF_ONCE},
    {PF_IVF, "trained_at", BODY + 32, 8, PF_ONCE},
    {PF_IVF, "coded", BODY + 40, 4, PF_ONCE},
    ARRAY_REFS(PF_IVF, IVF_REFS),

    HEADER(PF_INVERTED),
    {PF_INVERTED, "segments", BODY, 4, PF_ONCE},
    {PF_INVERTED, "zero2", BODY + 4, 4, PF_ONCE},
    {PF_INVERTED, "covered", BODY + 16, 8, PF_ONCE},
    ARRAY_REFS(PF_INVERTED, INVERTED_REFS),
    {PF_INVERTED, "first", INVERTED_SEGMENTS, 8, PF_ITEM},
    {PF_INVERTED, "slots", INVERTED_SEGMENTS + 8, 4, PF_ITEM},
    {PF_INVERTED, "terms", INVERTED_SEGMENTS + 12, 4, PF_ITEM},
    {PF_INVERTED, "postings", INVERTED_SEGMENTS + 16, 8, PF_ITEM},
    {PF_INVERTED, "least", INVERTED_SEGMENTS + 24, 4, PF_ITEM},

    HEADER(PF_LEAF),
    {PF_LEAF, "extent_page", BODY, 4, PF_ITEM},
    {PF_LEAF, "extent_pages", BODY + 4, 4, PF_ITEM},
    {PF_LEAF, "page_crc", BODY + 8, 4, PF_ITEM},
    {PF_LEAF, "page2_crc", BODY + 12, 4, PF_ITEM},

    HEADER(PF_NODE),
    {PF_NODE, "child_page", BODY, 4, PF_ITEM},
    {PF_NODE, "child_crc", BODY + 4, 4, PF_ITEM},

    BULK(PF_ROWIDS, 8),
    BULK(PF_VECTORS, 4),
    {PF_VECTORS, "first16", 0, 2, PF_ITEM},
    {PF_VECTORS, "first8", 0, 1, PF_ITEM},
    {PF_PLACES, "at", 0, 8, PF_ITEM},
    {PF_PLACES, "words", 8, 4, PF_ITEM},
    {PF_PLACES, "zero", 12, 4, PF_ITEM},
    {PF_PLACES, "unused", 4088, 8, PF_ONCE},
    BULK(PF_PRESENT, 8),
    {PF_CODES, "scale", 0, 4, PF_ITEM},
    {PF_CODES, "radius", 4, 4, PF_ITEM},
    {PF_CODES, "norm", 8, 4, PF_ITEM},
    {PF_CODES, "zero", 12, 4, PF_ITEM},
    {PF_CODES, "code", 16, 1, PF_ITEM},
    {PF_CODES, "unused", 4088, 8, PF_ONCE},
    BULK(PF_BLOBS, 4),
    BULK(PF_POSTINGS, 4),
    {PF_POSTINGS, "first16", 0, 2, PF_ITEM},
    BULK(PF_WORDS, 8),
    {PF_LINES, "word", 0, 8, PF_ITEM},
    {PF_LINES, "second", 4, 4, PF_ITEM},
    {PF_LINES, "last", 60, 4, PF_ITEM},
    {PF_LINES, "unused", 4088, 8, PF_ONCE},
    {PF_CHUNKS, "base", 0, 8, PF_ITEM},
    {PF_CHUNKS, "slope", 8, 8, PF_ITEM},
    {PF_CHUNKS, "line", 16, 4, PF_ITEM},
    {PF_CHUNKS, "first_slot", 20, 4, PF_ITEM},
    {PF_CHUNKS, "keys", 24, 2, PF_ITEM},
    {PF_CHUNKS, "lines", 26, 2, PF_ITEM},
    {PF_CHUNKS, "intercept", 28, 2, PF_ITEM},
    {PF_CHUNKS, "form", 30, 1, PF_ITEM},
    {PF_CHUNKS, "epsilon", 31, 1, PF_ITEM},
    {PF_CHUNKS, "unused", 4088, 8, PF_ONCE},
    {PF_LINKS, "link", 0, 4, PF_ITEM},
    {PF_LINKS, "link2", 4, 4, PF_ITEM},
    {PF_LINKS, "unused", 4088, 8, PF_ONCE},
    BULK(PF_SQ4, 4),
    BULK(PF_LEARNED, 4),
    {PF_RECORDS, "slot", 0, 4, PF_ITEM},
    {PF_RECORDS, "below", 4, 4, PF_ITEM},
    {PF_RECORDS, "link", 8, 4, PF_ITEM},
    {PF_RECORDS, "last", 60, 4, PF_ITEM},
    {PF_RECORDS, "unused", 4088, 8, PF_ONCE},
    BULK(PF_CENTROIDS, 4),
    {PF_DIRECTORY, "list", 0, 4, PF_ITEM},
    {PF_DIRECTORY, "rows", 4, 4, PF_ITEM},
    {PF_DIRECTORY, "unused", 4088, 8, PF_ONCE},
    {PF_BLOCKS, "slot", 0, 4, PF_ONCE},
    {PF_BLOCKS, "slot2", 4, 4, PF_ONCE},
    {PF_BLOCKS, "row", 4032, 4, PF_ONCE},
    {PF_FREE, "bytes", 0, 8, PF_ONCE},
};
const u32 pf_field_count = sizeof pf_fields / sizeof pf_fields[0];

/* Where the page's repeated part begins. */
static u32 items_start(PfKind kind) {
  switch (kind) {
    case PF_ROOT: return ROOT_ITEMS;
    case PF_CATALOG: return CATALOG_ITEMS;
    case PF_TABLE: return TABLE_REFS;
    case PF_GRAPH: return GRAPH_REFS;
    case PF_FIELDS: return FIELDS_REFS;
    case PF_IVF: return IVF_REFS;
    case PF_INVERTED: return INVERTED_SEGMENTS; /* after as many references */
    case PF_LEAF:
    case PF_NODE: return BODY;
    default: return 0;
  }
}

/* The first byte after all that is in use. */
static u32 used_end(const PfPage *p) {
  u32 end = items_start(p->kind) + p->items * p->stride;
  if (p->kind == PF_HEAD) return 28;
  return p->kind == PF_TABLE ? TABLE_STRUCTURES + 16 * p->columns : end;
}

u32 pf_field_repeats(const PfPage *p, const PfField *f) {
  if (f->kind != p->kind) return 0;
  if (strcmp(f->name, "unused") == 0) return used_end(p) <= f->off;
  if (f->repeat == PF_ITEM && f->off + f->size > items_start(p->kind) + p->stride) return 0;
  return f->repeat == PF_ONCE ? 1 : f->repeat == PF_RUN ? p->runs : f->repeat == PF_COLUMN ? p->columns : p->items;
}

u32 pf_field_at(const PfPage *p, const PfField *f, u32 i) {
  return f->off + i * (f->repeat == PF_ONCE ? 0 : f->repeat == PF_ITEM ? p->stride : 16);
}

/* --- finding the pages --- */

void pf_add(PageFile *file, PfPage page) {
  if (file->count == file->cap) {
    file->cap = file->cap ? 2 * file->cap : 64;
    file->page = realloc(file->page, file->cap * sizeof *file->page);
    if (file->page == NULL) abort();
  }
  file->page[file->count++] = page;
}

void pf_free(PageFile *file) {
  free(file->page);
  memset(file, 0, sizeof *file);
}

static u8 *page_at(const PageFile *file, u32 pgno) {
  return (u64)pgno * PF_PAGE + PF_PAGE <= file->size ? file->bytes + (size_t)pgno * PF_PAGE : NULL;
}

/* What an array of a table holds. */
static PfKind role_of(u32 columns, u32 tag) {
  static const PfKind of_column[] = {PF_VECTORS, PF_PRESENT, PF_CODES}, of_run[] = {PF_LINES, PF_CHUNKS};
  if (tag == 0) return PF_ROWIDS;
  return tag <= 3 * columns ? of_column[(tag - 1) % 3] : of_run[(tag - 1 - 3 * columns) % 2];
}

typedef struct Array {
  PfKind role;
  u32 stride, extent_pages;
  u64 left; /* items not met yet */
} Array;

static const char *walk_extent(PageFile *file, Array *a, u32 leaf, u32 at) {
  const u8 *entry = page_at(file, file->page[leaf].pgno) + at;
  u32 first = (u32)pf_load(entry, 4), pages = (u32)pf_load(entry + 4, 4), i;
  u64 per = (u64)a->extent_pages * PF_PAGE / a->stride, here = a->left < per ? a->left : per;
  a->left -= here;
  for (i = 0; i < pages; i++) {
    PfPage p = {.kind = a->role, .pgno = first + i, .parent = leaf, .crc_at = at + 8 + 4 * i};
    /* items that begin on this page */
    u64 from = ((u64)i * PF_PAGE + a->stride - 1) / a->stride,
        to = ((u64)(i + 1) * PF_PAGE + a->stride - 1) / a->stride;
    to = to < here ? to : here;
    p.stride = a->stride < PF_PAGE ? a->stride : PF_PAGE;
    p.items = to > from ? (u32)(to - from) : 0;
    if (a->stride > PF_PAGE || PF_PAGE % a->stride) p.items = 1; /* it begins anywhere: only the first bytes */
    if (page_at(file, p.pgno) == NULL) return "an extent ends beyond the file";
    pf_add(file, p);
  }
  return NULL;
}

static const char *walk_array(PageFile *file, Array *a, u32 levels, u32 pgno, u32 parent, u32 crc_at) {
  PfPage p = {.kind = levels == 1 ? PF_LEAF : PF_NODE, .pgno = pgno, .parent = parent, .crc_at = crc_at};
  u32 per, i, self = file->count;
  u64 below = (4064u / (8 + 4 * a->extent_pages)) * ((u64)a->extent_pages * PF_PAGE / a->stride), k;
  const char *wrong = NULL;
  p.stride = levels == 1 ? 8 + 4 * a->extent_pages : 8;
  per = 4064u / p.stride;
  if (page_at(file, pgno) == NULL) return "a directory page lies beyond the file";
  for (k = 2; k < levels; k++) below *= 508; /* items under one child */
  if (levels == 1) below = (u64)a->extent_pages * PF_PAGE / a->stride;
  p.items = (u32)((a->left + below - 1) / below < per ? (a->left + below - 1) / below : per);
  pf_add(file, p);
  for (i = 0; i < p.items && wrong == NULL; i++) {
    u32 at = BODY + i * p.stride;
    wrong = levels == 1 ? walk_extent(file, a, self, at)
                        : walk_array(file, a, levels - 1, (u32)pf_load(page_at(file, pgno) + at, 4), self, at + 4);
  }
  return wrong;
}

/* The arrays that references from `at` on name. */
static const char *walk_refs(PageFile *file, u32 self, u32 at, u32 count, PfKind (*role)(u32 columns, u32 number),
                             u32 columns) {
  const u8 *page = page_at(file, file->page[self].pgno);
  const char *wrong = NULL;
  for (u32 i = 0; i < count && wrong == NULL; i++, at += REF_SIZE) {
    const u8 *ref = page + at;
    Array a = {role(columns, i), (u32)pf_load(ref + 12, 4), ref[9], pf_load(ref + 16, 8)};
    if (a.role == PF_CODES && a.stride == 4) a.role = PF_BLOBS;
    if (a.role == PF_VECTORS && a.stride == PLACE_SIZE) a.role = PF_PLACES;
    if (ref[8]) wrong = walk_array(file, &a, ref[8], (u32)pf_load(ref, 4), self, at + 4);
  }
  return wrong;
}

static PfKind role_in_graph(u32 columns, u32 number) {
  static const PfKind roles[] = {PF_LINKS, PF_SQ4, PF_LEARNED, PF_RECORDS};
  (void)columns;
  return roles[number < GRAPH_ARRAYS ? number : GRAPH_ARRAYS];
}

static const char *walk_graph(PageFile *file, u32 pgno, u32 parent, u32 crc_at) {
  const u8 *page = page_at(file, pgno);
  PfPage p = {.kind = PF_GRAPH, .pgno = pgno, .parent = parent, .crc_at = crc_at, .stride = REF_SIZE};
  p.items = GRAPH_ARRAYS + (u32)pf_load(page + BODY + 4, 4);
  pf_add(file, p);
  return walk_refs(file, file->count - 1, GRAPH_REFS, p.items, role_in_graph, 0);
}

static PfKind role_in_fields(u32 columns, u32 number) {
  (void)columns;
  (void)number;
  return PF_WORDS;
}

static const char *walk_fields(PageFile *file, u32 pgno, u32 parent, u32 crc_at) {
  const u8 *page = page_at(file, pgno);
  PfPage p = {.kind = PF_FIELDS, .pgno = pgno, .parent = parent, .crc_at = crc_at, .stride = REF_SIZE};
  if (page == NULL) return "a page of fields lies beyond the file";
  p.items = (u32)pf_load(page + BODY, 4);
  pf_add(file, p);
  return walk_refs(file, file->count - 1, FIELDS_REFS, p.items, role_in_fields, 0);
}

static PfKind role_in_ivf(u32 columns, u32 number) {
  static const PfKind roles[IVF_ARRAYS] = {PF_CENTROIDS, PF_DIRECTORY, PF_BLOCKS, PF_LEARNED};
  (void)columns;
  return roles[number];
}

static const char *walk_ivf(PageFile *file, u32 pgno, u32 parent, u32 crc_at) {
  PfPage p = {
      .kind = PF_IVF, .pgno = pgno, .parent = parent, .crc_at = crc_at, .items = IVF_ARRAYS, .stride = REF_SIZE};
  pf_add(file, p);
  return walk_refs(file, file->count - 1, IVF_REFS, p.items, role_in_ivf, 0);
}

static PfKind role_in_inverted(u32 columns, u32 number) {
  (void)columns;
  (void)number;
  return PF_POSTINGS;
}

static const char *walk_inverted(PageFile *file, u32 pgno, u32 parent, u32 crc_at) {
  PfPage p = {.kind = PF_INVERTED, .pgno = pgno, .parent = parent, .crc_at = crc_at, .stride = REF_SIZE};
  p.items = (u32)pf_load(page_at(file, pgno) + BODY, 4);
  pf_add(file, p);
  return walk_refs(file, file->count - 1, INVERTED_REFS, p.items, role_in_inverted, 0);
}

/* The page's kind says what it is. */
static const char *walk_structure(PageFile *file, u32 pgno, u32 parent, u32 crc_at) {
  const u8 *page = page_at(file, pgno);
  if (page == NULL) return "a structure page of an index lies beyond the file";
  switch (page[4]) {
    case 5: return walk_graph(file, pgno, parent, crc_at);
    case 7: return walk_ivf(file, pgno, parent, crc_at);
    case 8: return walk_inverted(file, pgno, parent, crc_at);
    default: return "a structure page of an index has an unknown kind";
  }
}

static const char *walk_table(PageFile *file, u32 pgno, u32 parent, u32 crc_at) {
  const u8 *page = page_at(file, pgno);
  PfPage p = {.kind = PF_TABLE, .pgno = pgno, .parent = parent, .crc_at = crc_at, .stride = REF_SIZE};
  u32 self = file->count, i;
  const char *wrong;
  if (page == NULL) return "a table page lies beyond the file";
  p.items = (u32)pf_load(page + BODY, 4);
  p.columns = (u32)pf_load(page + BODY + 4, 4);
  p.runs = (u32)pf_load(page + BODY + 8, 4);
  pf_add(file, p);
  wrong = walk_refs(file, self, TABLE_REFS, p.items, role_of, p.columns);
  if (wrong == NULL && pf_load(page + BODY + 32, 4))
    wrong = walk_fields(file, (u32)pf_load(page + BODY + 32, 4), self, BODY + 36);
  for (i = 0; i < p.columns && wrong == NULL; i++) {
    u32 at = TABLE_STRUCTURES + 16 * i, structure = (u32)pf_load(page + at, 4);
    if (structure) wrong = walk_structure(file, structure, self, at + 4);
  }
  return wrong;
}

const char *pf_walk(PageFile *file, u8 *bytes, u64 size, u32 root) {
  PfPage p = {.kind = PF_HEAD, .parent = PF_NONE};
  u32 left, next, at = 0;
  const u8 *page;
  const char *wrong = NULL;
  memset(file, 0, sizeof *file);
  file->bytes = bytes;
  file->size = size;
  pf_add(file, p);
  page = page_at(file, root);
  if (root == 0 || page == NULL) return "no root";
  left = (u32)pf_load(page + BODY + 36, 4);
  p.kind = PF_ROOT;
  p.pgno = root;
  p.stride = ENTRY_SIZE;
  next = (u32)pf_load(page + BODY + 40, 4);
  at = BODY + 44;
  for (;;) {
    u32 self = file->count, first = items_start(p.kind), room = (PF_PAGE - first) / ENTRY_SIZE, i;
    p.items = left < room ? left : room;
    left -= p.items;
    pf_add(file, p);
    for (i = 0; i < p.items && wrong == NULL; i++) {
      u32 entry = first + ENTRY_SIZE * i;
      wrong = walk_table(file, (u32)pf_load(page + entry + 8, 4), self, entry + 12);
    }
    if (wrong || left == 0) return wrong;
    page = page_at(file, next);
    if (page == NULL) return "a catalog page lies beyond the file";
    p.kind = PF_CATALOG;
    p.pgno = next;
    p.parent = self;
    p.crc_at = at;
    next = (u32)pf_load(page + BODY + 8, 4);
    at = BODY + 12;
  }
}

u32 pf_unknown(const PageFile *file, u32 pages) {
  u8 *known = calloc(pages, 1);
  u32 i, found = 0;
  if (known == NULL) abort();
  for (i = 0; i < file->count; i++) {
    if (file->page[i].pgno < pages) known[file->page[i].pgno] = 1;
  }
  for (i = 1; i < pages && !found; i++) found = known[i] ? 0 : i;
  free(known);
  return found;
}

/* --- checksums --- */

/* CRC-32C, RFC 3720 appendix B.4, by bytes. */
static u32 crc32c(const u8 *p, size_t n) {
  static u32 table[256];
  u32 crc = 0xffffffffu, i, k;
  if (table[1] == 0) {
    for (i = 0; i < 256; i++) {
      table[i] = i;
      for (k = 0; k < 8; k++) table[i] = table[i] >> 1 ^ (0x82f63b78u & (0u - (table[i] & 1)));
    }
  }
  for (; n > 0; n--) crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
  return ~crc;
}

void pf_fix_own(const PageFile *file, u32 index) {
  const PfPage *p = &file->page[index];
  u8 *page = page_at(file, p->pgno);
  if (p->kind == PF_HEAD) pf_store(page + 24, 4, crc32c(page, 24));
  if (pf_is_structure(p->kind)) pf_store(page, 4, crc32c(page + 4, PF_PAGE - 4));
}

u32 pf_forge(const PageFile *file, u32 index) {
  for (;;) {
    const PfPage *p = &file->page[index];
    u8 *page = page_at(file, p->pgno);
    u32 crc;
    pf_fix_own(file, index);
    if (p->kind == PF_HEAD || p->kind == PF_FREE) return 0;
    crc = pf_is_structure(p->kind) ? (u32)pf_load(page, 4) : crc32c(page, PF_PAGE);
    if (p->parent == PF_NONE) return crc;
    pf_store(page_at(file, file->page[p->parent].pgno) + p->crc_at, 4, crc);
    index = p->parent;
  }
}
