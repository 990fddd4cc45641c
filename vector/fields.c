/*
 * fields.c: words of fields on pages. Format in fields.h.
 */
#include "fields.h"

#include <stdlib.h>

#include "../wal_shim/bytes.h"

#define FIELD_EXTENT_PAGES 16u
#define FIELD_TAG 0x8000u
#define REFS_AT 64u

static ArrayId word_id(u64 table, u32 word) {
  ArrayId id;
  id.owner = table;
  id.tag = FIELD_TAG + word;
  return id;
}

void fields_init(Fields *f, Pages *pages, u64 id, u32 words) {
  u32 w;
  memset(f, 0, sizeof *f);
  f->pages = pages;
  f->id = id;
  f->words = words;
  for (w = 0; w < words; w++) array_init(&f->word[w], pages, word_id(id, w), 8, FIELD_EXTENT_PAGES);
}

int fields_open(Fields *f, PageRef ref, u64 slots) {
  const u8 *page, *body;
  PageHold hold;
  u32 w;
  int rc;
  f->page = ref;
  if (ref.pgno == 0) return f->words && slots ? CORRUPT(0) : SQLITE_OK;
  rc = pages_get_structure(f->pages, ref, PAGE_FIELDS, f->id, 0, &page, &hold);
  if (rc) return rc;
  body = page + PAGE_HEADER_SIZE;
  if (load32(body) != f->words) rc = CORRUPT(ref.pgno);
  f->others = load64(body + 8);
  for (w = 0; w < f->words && rc == SQLITE_OK; w++) {
    rc = array_open(&f->word[w], f->pages, word_id(f->id, w), 8, FIELD_EXTENT_PAGES,
                    body + REFS_AT + w * ARRAY_REF_SIZE);
    if (rc == SQLITE_OK && f->word[w].count != slots) rc = CORRUPT(ref.pgno);
  }
  pages_release(f->pages, &hold);
  return rc;
}

void fields_close(Fields *f) {
  u32 w;
  for (w = 0; w < f->words; w++) {
    array_free(&f->word[w]);
    mem_free(f->narrow[w]);
  }
}

u64 fields_narrow_bytes(const Fields *f) {
  u64 bytes = 0;
  u32 w;
  for (w = 0; w < f->words; w++) bytes += narrow_bytes(f->narrow[w]);
  return bytes;
}

int fields_read(Fields *f, const Overlay *o, u32 length, u32 slot, u64 *out) {
  const u64 *patched = overlay_patched(o, length, slot);
  u32 w;
  if (patched) memcpy(out, patched, f->words * sizeof *out);
  if (patched) return SQLITE_OK;
  for (w = 0; w < f->words; w++) {
    u8 word[8];
    int rc = array_read(&f->word[w], slot, word);
    if (rc) return rc;
    out[w] = load64(word);
  }
  return SQLITE_OK;
}

int fields_check(Fields *f, int *sound) {
  u32 w, e, items = 0, i;
  int rc = SQLITE_OK;
  *sound = 1;
  for (w = 0; w < f->words && rc == SQLITE_OK; w++) {
    Array *array = &f->word[w];
    if (f->others >> w & 1) continue;
    rc = array_load(array);
    for (e = 0; e < array->extent_count && rc == SQLITE_OK; e++) {
      const u8 *words;
      PageHold hold;
      rc = array_extent(array, e, &words, &items, &hold);
      if (rc) return rc;
      for (i = 0; i < items; i++) *sound &= load64(words + 8 * (size_t)i) != FIELD_OTHER;
      pages_release(f->pages, &hold);
    }
  }
  return rc;
}

int fields_walk(Fields *f, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  u32 w;
  int rc = f->page.pgno ? visit(arg, f->page.pgno, 1) : SQLITE_OK;
  for (w = 0; w < f->words && rc == SQLITE_OK; w++) rc = array_walk(&f->word[w], visit, arg);
  return rc;
}

int fields_free_pages(Fields *f, PageTx *tx) {
  u32 w;
  int rc = SQLITE_OK;
  for (w = 0; w < f->words && rc == SQLITE_OK; w++) rc = array_free_pages(&f->word[w], tx);
  return rc;
}

int fields_pages_at(Pages *pages, u64 id, PageRef ref, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  const u8 *page, *body;
  PageHold hold;
  u32 words, w;
  int rc = pages_get_structure(pages, ref, PAGE_FIELDS, id, 0, &page, &hold);
  if (rc) return rc;
  body = page + PAGE_HEADER_SIZE;
  words = load32(body);
  if (words > MAX_FIELD_WORDS) rc = CORRUPT(ref.pgno);
  for (w = 0; w < words && rc == SQLITE_OK; w++)
    rc = array_pages_at(pages, word_id(id, w), body + REFS_AT + w * ARRAY_REF_SIZE, visit, arg);
  if (rc == SQLITE_OK) rc = visit(arg, ref.pgno, 1);
  pages_release(pages, &hold);
  return rc;
}

/* --- the next version --- */

int fields_writer_begin(FieldsWriter *w, PageTx *tx, Fields *base, int keep) {
  u32 i;
  int rc = SQLITE_OK;
  memset(w, 0, sizeof *w);
  w->base = base;
  w->tx = tx;
  w->keep = keep;
  w->others = keep ? base->others : 0;
  w->touched = !keep;
  for (i = 0; i < base->words && rc == SQLITE_OK; i++) rc = array_writer_begin(&w->word[i], tx, &base->word[i], keep);
  return rc;
}

void fields_writer_end(FieldsWriter *w) {
  u32 i;
  for (i = 0; i < MAX_FIELD_WORDS; i++) array_writer_end(&w->word[i]);
}

static void note_other(FieldsWriter *w, u32 word, u64 value) {
  if (value == FIELD_OTHER) w->others |= (u64)1 << word;
}

int fields_writer_put(FieldsWriter *w, u64 slot, const u64 *words) {
  u32 i;
  w->touched = 1;
  for (i = 0; i < w->base->words; i++) {
    u8 *out;
    int rc = array_writer_item(&w->word[i], slot, &out);
    if (rc) return rc;
    store64(out, words[i]);
    note_other(w, i, words[i]);
  }
  return SQLITE_OK;
}

static int compare_slots(const void *a, const void *b) {
  u32 x = *(const u32 *)a, y = *(const u32 *)b;
  return (x > y) - (x < y);
}

int fields_writer_patch(FieldsWriter *w, const Overlay *o) {
  u32 *slots;
  u64 i;
  u32 k;
  int rc = SQLITE_OK;
  if (o->patches.count == 0) return SQLITE_OK;
  w->touched = 1;
  slots = mem_array(&rc, o->patches.count, sizeof *slots);
  for (i = 0; i < o->patches.count && rc == SQLITE_OK; i++) slots[i] = o->patches.event[i].slot;
  if (rc == SQLITE_OK) qsort(slots, (size_t)o->patches.count, sizeof *slots, compare_slots);
  for (k = 0; k < w->base->words && rc == SQLITE_OK; k++) {
    for (i = 0; i < o->patches.count && rc == SQLITE_OK; i++) {
      u64 value = overlay_patched(o, o->length, slots[i])[k];
      u8 *out;
      if (i > 0 && slots[i - 1] == slots[i]) continue;
      rc = array_writer_edit(&w->word[k], slots[i], &out);
      if (rc) break;
      store64(out, value);
      note_other(w, k, value);
    }
  }
  mem_free(slots);
  return rc;
}

int fields_writer_finish(FieldsWriter *w, PageRef *ref) {
  u8 *page;
  u32 i;
  int rc = SQLITE_OK;
  *ref = w->base->page;
  if (w->base->words == 0 || !w->touched) return SQLITE_OK;
  page = mem_zeroed(&rc, 1, PAGE_SIZE);
  if (rc) return rc;
  for (i = 0; i < w->base->words && rc == SQLITE_OK; i++)
    rc = array_writer_finish(&w->word[i], page + PAGE_HEADER_SIZE + REFS_AT + i * ARRAY_REF_SIZE);
  store32(page + PAGE_HEADER_SIZE, w->base->words);
  store64(page + PAGE_HEADER_SIZE + 8, w->others);
  if (rc == SQLITE_OK) rc = page_tx_put_structure(w->tx, page, PAGE_FIELDS, 0, w->base->id, 0, ref);
  if (rc == SQLITE_OK && w->base->page.pgno) rc = page_tx_free(w->tx, w->base->page.pgno, 1);
  mem_free(page);
  return rc;
}
