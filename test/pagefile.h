/*
 * pagefile.h: the page file from outside: which pages there are, which fields they have, who keeps whose checksum.
 *
 * Used by the corruption matrix (corrupt.c) and the page fuzzer (fuzz_pages.c) to damage a page and to make the checksums
 * right again, up to the state row. Knows the format from the comments of wal_shim/ and vector/, and shares no code with them.
 *
 * A new kind of page: a name in PfKind and pf_kind_name, its fields in pf_fields, and a line in pf_walk (or, if it is an array of a
 * table, in role_of) that finds it. pf_unknown then proves that no page is left out: each page is one of the walk, or free.
 */
#ifndef PAGEFILE_H
#define PAGEFILE_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#define PF_PAGE 4096u
#define PF_NONE 0xffffffffu

typedef enum PfKind {
  PF_HEAD,
  PF_ROOT,
  PF_CATALOG,
  PF_TABLE,
  PF_LEAF, /* PAGE_ARRAY of level 0: extents */
  PF_NODE, /* PAGE_ARRAY of a higher level */
  PF_GRAPH,
  PF_FIELDS,
  PF_IVF,
  PF_INVERTED,
  PF_ROWIDS,
  PF_VECTORS,
  PF_PLACES, /* of vectors that are in PF_BLOBS */
  PF_PRESENT,
  PF_CODES,
  PF_WORDS,   /* of fields */
  PF_LINES,   /* of the rowid map */
  PF_CHUNKS,  /* their records */
  PF_LINKS,   /* of a graph: level 0 */
  PF_SQ4,     /* 4-bit codes */
  PF_LEARNED, /* what was learned for them */
  PF_RECORDS, /* links of higher levels */
  PF_CENTROIDS,
  PF_DIRECTORY, /* of the blocks of lists */
  PF_BLOCKS,
  PF_BLOBS,    /* sparse vectors, records */
  PF_POSTINGS, /* of a segment */
  PF_FREE,
  PF_KINDS
} PfKind;

const char *pf_kind_name(PfKind kind);
static inline int pf_is_structure(PfKind kind) { return kind >= PF_ROOT && kind <= PF_INVERTED; }

typedef struct PfPage {
  PfKind kind;
  u32 pgno;
  u32 parent;        /* its place in PageFile.page; PF_NONE: the state row has the checksum, or nobody */
  u32 crc_at;        /* where the parent's page keeps the checksum */
  u32 items, stride; /* of the repeated part: how many on this page, bytes from one to the next */
  u32 runs, columns; /* PF_TABLE */
} PfPage;

typedef struct PageFile {
  u8 *bytes; /* borrowed */
  u64 size;
  PfPage *page;
  u32 count, cap;
} PageFile;

/* PF_ONCE: one on the page. PF_ITEM: in each of its items. PF_RUN, PF_COLUMN: per run and per column of a table page. */
typedef enum { PF_ONCE, PF_ITEM, PF_RUN, PF_COLUMN } PfRepeat;

typedef struct PfField {
  PfKind kind;
  const char *name;
  u32 off, size; /* from the page's start; of the first item */
  PfRepeat repeat;
} PfField;

extern const PfField pf_fields[];
extern const u32 pf_field_count;

/* How often the field is on the page (0: not at all), and where the i-th is. */
u32 pf_field_repeats(const PfPage *page, const PfField *field);
u32 pf_field_at(const PfPage *page, const PfField *field, u32 i);

/* All pages that `root` reaches, and page 0. The file must be sound: NULL, or what is wrong with it. */
const char *pf_walk(PageFile *file, u8 *bytes, u64 size, u32 root);
/* Another page, for instance a free one. */
void pf_add(PageFile *file, PfPage page);
void pf_free(PageFile *file);
/* The first page below `pages` that is not among those of the walk or added; 0 if there is none. */
u32 pf_unknown(const PageFile *file, u32 pages);

/* Make the page's own checksum right (structure pages and the head; nothing else has one). */
void pf_fix_own(const PageFile *file, u32 index);
/* Make all checksums right from this page up. Gives the checksum that the state row must have; 0 for pages below no root. */
u32 pf_forge(const PageFile *file, u32 index);

/* splitmix64, for every random choice. */
static inline u64 pf_mix(u64 x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static inline u64 pf_load(const u8 *p, u32 size) {
  u64 v = 0;
  for (u32 i = size; i > 0; i--) v = v << 8 | p[i - 1];
  return v;
}
static inline void pf_store(u8 *p, u32 size, u64 v) {
  for (u32 i = 0; i < size; i++, v >>= 8) p[i] = (u8)v;
}

#endif
