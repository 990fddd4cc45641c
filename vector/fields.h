/*
 * fields.h: the words of fields (wal_shim/field.h) by slot: an array for each word, and the page that names them.
 *
 *   PAGE_FIELDS, logical id 0:
 *      0  u32 words of a row   4  u32 zero   8  u64 bit w: word w may be FIELD_OTHER in some slot
 *     64  array references: word w of each slot, u64
 *
 * Dead slots keep their words. A row whose fields change alone keeps its slot: the extents of its words are copied (S1).
 */
#ifndef QUIRE_FIELDS_H
#define QUIRE_FIELDS_H

#include "../wal_shim/array.h"
#include "../wal_shim/overlay.h"
#include "narrow.h"

/* The words of one version of a table; empty if it has no fields. */
typedef struct Fields {
  Pages *pages;
  u64 id; /* of the table */
  u32 words;
  PageRef page;
  u64 others; /* words that may be FIELD_OTHER */
  Array word[MAX_FIELD_WORDS];
  Narrow *narrow[MAX_FIELD_WORDS];  /* NULL: not made (yet) */
  double spent_ns[MAX_FIELD_WORDS]; /* about, on reading words for want of it (F4 of filter.h) */
} Fields;

void fields_init(Fields *f, Pages *pages, u64 id, u32 words);
/* What `page` names: `slots` words of each; {0,0} for no slots. */
int fields_open(Fields *f, PageRef page, u64 slots);
void fields_close(Fields *f);
/* Bytes of narrow words. */
u64 fields_narrow_bytes(const Fields *f);
/* The words of a slot, with what the overlay says of it at `length`. */
int fields_read(Fields *f, const Overlay *overlay, u32 length, u32 slot, u64 *out);
/* Whether a value is FIELD_OTHER though the page says that there is none. */
int fields_check(Fields *f, int *sound);
int fields_walk(Fields *f, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);
/* Free the pages of all words. */
int fields_free_pages(Fields *f, PageTx *tx);
/* Report every range of pages, of a table whose shape is not known. */
int fields_pages_at(Pages *pages, u64 id, PageRef page, int (*visit)(void *arg, u32 pgno, u32 count), void *arg);

/* --- the next version --- */

typedef struct FieldsWriter {
  Fields *base;
  PageTx *tx;
  int keep;
  u64 others;
  u8 touched; /* something differs from the base */
  ArrayWriter word[MAX_FIELD_WORDS];
} FieldsWriter;

int fields_writer_begin(FieldsWriter *w, PageTx *tx, Fields *base, int keep);
/* The words of a slot: one that there is, or the next. */
int fields_writer_put(FieldsWriter *w, u64 slot, const u64 *words);
/* What the overlay changed of the slots that stay. Before any fields_writer_put. */
int fields_writer_patch(FieldsWriter *w, const Overlay *overlay);
/* Write what is left; *page is {0,0} if the table has no fields. Frees the page it replaces, and with keep the extents. */
int fields_writer_finish(FieldsWriter *w, PageRef *page);
void fields_writer_end(FieldsWriter *w);

#endif
