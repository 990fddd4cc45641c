/*
 * structure.c: what the structures of all indexes do alike with their pages.
 */
#include "structure.h"

#define RELEARN_GROWTH 8u     /* learned again when there are this many times as many slots, */
#define RELEARN_LIMIT 100000u /* up to this many; */
#define RELEARN_CODED 5u      /* or when there was a new code for one in so many, */
#define RELEARN_CLIPPED 20u   /* if more than 1 in this many coordinates is out of range */
#define RELEARN_SAMPLE 4096u  /* of rows that are looked at for that, at least */

int structure_open(Array *array, u32 count, const u8 *refs) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < count && rc == SQLITE_OK; i++)
    rc = array_open(&array[i], array[i].pages, array[i].id, array[i].stride, array[i].extent_pages,
                    refs + i * ARRAY_REF_SIZE);
  return rc;
}

void structure_close(Array *array, u32 count) {
  u32 i;
  for (i = 0; i < count; i++) array_free(&array[i]);
}

int structure_walk(Array *array, u32 count, PageRef page, PageVisit visit, void *arg) {
  u32 i;
  int rc = visit(arg, page.pgno, 1);
  for (i = 0; i < count && rc == SQLITE_OK; i++) rc = array_walk(&array[i], visit, arg);
  return rc;
}

int structure_walk_at(const StructureMethods *methods, Pages *pages, u64 id, u32 column, PageRef page, PageVisit visit,
                      void *arg) {
  const u8 *bytes, *refs;
  PageHold hold;
  u32 i;
  int rc = pages_get_structure(pages, page, methods->page, id, column, &bytes, &hold);
  if (rc) return rc;
  refs = bytes + PAGE_HEADER_SIZE + STRUCTURE_REFS_AT;
  for (i = 0; i < methods->arrays && rc == SQLITE_OK; i++)
    rc = array_pages_at(pages, methods->array_id(id, column, i), refs + i * ARRAY_REF_SIZE, visit, arg);
  if (rc == SQLITE_OK) rc = visit(arg, page.pgno, 1);
  pages_release(pages, &hold);
  return rc;
}

int structure_move(const StructureFold *f, PageKind kind, Array *array, u32 count, PageRef *page) {
  const u8 *old;
  PageHold hold;
  u32 before = f->tx->moved, i;
  int rc = SQLITE_OK;
  u8 *bytes = mem_array(&rc, 1, PAGE_SIZE);
  if (rc == SQLITE_OK) rc = pages_get_structure(f->tx->pages, *page, kind, f->before->id, f->column, &old, &hold);
  if (rc == SQLITE_OK) {
    memcpy(bytes, old, PAGE_SIZE);
    pages_release(f->tx->pages, &hold);
    for (i = 0; i < count && rc == SQLITE_OK; i++)
      rc = array_move(&array[i], f->tx, bytes + PAGE_HEADER_SIZE + STRUCTURE_REFS_AT + i * ARRAY_REF_SIZE);
  }
  if (rc == SQLITE_OK && (f->tx->moved != before || page_tx_moves(f->tx, page->pgno, 1))) {
    rc = page_tx_free(f->tx, page->pgno, 1);
    if (rc == SQLITE_OK) rc = page_tx_put_structure(f->tx, bytes, kind, 0, f->before->id, f->column, page);
  }
  mem_free(bytes);
  return rc;
}

int structure_learned(Array *learned, u32 bytes, const SlotColumn *col, Sq4 **out) {
  u8 *block;
  u64 i;
  int rc = SQLITE_OK;
  *out = NULL;
  if (bytes == 0) return SQLITE_OK;
  block = mem_array(&rc, learned->count, 64);
  for (i = 0; i < learned->count && rc == SQLITE_OK; i++) rc = array_read(learned, i, block + 64 * i);
  if (rc == SQLITE_OK) rc = sq4_load(col->metric, col->elem, col->dim, block, out);
  mem_free(block);
  return rc;
}

u32 structure_coded(const StructureFold *f, u32 before, u64 fresh) {
  return (u32)MIN(before + fresh + f->reused_count, 0xffffffffu);
}

int structure_outgrown(u64 covered, u64 slots, u64 learned_at, u32 coded) {
  return coded >= covered || (slots >= RELEARN_GROWTH * learned_at && learned_at < RELEARN_LIMIT);
}

int structure_left_range(SlotColumn *col, const Sq4 *sq4, u64 covered, u32 coded, int *left) {
  u64 step = MAX(covered / RELEARN_SAMPLE, 1), slot, clipped = 0, seen = 0;
  ArrayMap present, vectors;
  u8 *code;
  int rc;
  *left = 0;
  if (coded < covered / RELEARN_CODED) return SQLITE_OK;
  memset(&vectors, 0, sizeof vectors);
  rc = array_map_open(&present, &col->present, 0, 0);
  if (rc == SQLITE_OK) rc = array_map_open(&vectors, &col->vectors, 0, 0);
  code = mem_array(&rc, sq4_stride(col->metric, col->elem, col->dim), 1);
  for (slot = 0; slot < covered && rc == SQLITE_OK; slot += step) {
    const u8 *word, *vector;
    rc = array_map_get(&present, slot / 64, &word);
    if (rc || !(load64(word) >> slot % 64 & 1)) continue;
    rc = array_map_get(&vectors, slot, &vector);
    if (rc == SQLITE_OK) clipped += sq4_encode(sq4, vector, code);
    seen += col->dim;
  }
  *left = clipped > seen / RELEARN_CLIPPED;
  mem_free(code);
  array_map_close(&present);
  array_map_close(&vectors);
  return rc;
}

int structure_put_learned(Array *old, PageTx *tx, const Sq4 *sq4, u32 dim, u8 *ref) {
  ArrayWriter w;
  u32 at, size = sq4_size(dim);
  int rc = array_writer_begin(&w, tx, old, 0);
  u8 *bytes = mem_zeroed(&rc, (size + 63) / 64, 64);
  if (rc == SQLITE_OK) sq4_store(sq4, bytes);
  for (at = 0; at < size && rc == SQLITE_OK; at += 64) {
    u8 *out;
    u64 got;
    rc = array_writer_append(&w, 1, &out, &got);
    if (rc == SQLITE_OK) memcpy(out, bytes + at, 64);
  }
  if (rc == SQLITE_OK) rc = array_writer_finish(&w, ref);
  array_writer_end(&w);
  mem_free(bytes);
  return rc;
}
