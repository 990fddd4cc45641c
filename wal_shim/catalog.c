/*
 * catalog.c: the root page of a fold and the pages that continue it. Format in store.c.
 *
 * Pages are written last to first, since each holds the reference of the next; the page count in the root includes the root itself, which is the
 * last page allocated.
 */
#include "catalog.h"

#include "bytes.h"

#define MAX_FOLDS (INT64_MAX / 2) /* no store lives as long */
#define ENTRY_SIZE 16u
#define ROOT_FIXED 48u
#define MORE_FIXED 16u
#define ROOT_ENTRIES ((PAGE_BODY_SIZE - ROOT_FIXED) / ENTRY_SIZE)
#define MORE_ENTRIES ((PAGE_BODY_SIZE - MORE_FIXED) / ENTRY_SIZE)

void state_missing(State *out) {
  memset(out, 0, sizeof *out);
  out->format = FORMAT_UNREADABLE;
  CORRUPT(0);
}

void state_from_row(sqlite3_stmt *stmt, int column, State *out) {
  i64 root, crc, pages;
  const void *uuid = NULL;
  memset(out, 0, sizeof *out);
  out->format = sqlite3_column_int64(stmt, column);
  if (sqlite3_column_type(stmt, column + 1) == SQLITE_BLOB && sqlite3_column_bytes(stmt, column + 1) == UUID_SIZE)
    uuid = sqlite3_column_blob(stmt, column + 1);
  if (uuid) memcpy(out->uuid, uuid, UUID_SIZE);
  out->n = sqlite3_column_int64(stmt, column + 2);
  out->gen = sqlite3_column_int64(stmt, column + 3);
  root = sqlite3_column_int64(stmt, column + 4);
  crc = sqlite3_column_int64(stmt, column + 5);
  pages = sqlite3_column_int64(stmt, column + 6);
  out->owner = sqlite3_column_int64(stmt, column + 7);
  if (uuid == NULL || out->n < 0 || out->n > MAX_FOLDS || root < 0 || root > 0xffffffffLL || crc < 0 ||
      crc > 0xffffffffLL || pages < 0 || pages > 0xffffffffLL || (root && root >= pages)) {
    i64 gen = out->gen;
    state_missing(out);
    out->gen = gen;
    return;
  }
  out->root.pgno = (u32)root;
  out->root.crc = (u32)crc;
  out->pages = (u32)pages;
}

static void read_entries(const u8 *p, u32 count, CatalogEntry *out) {
  u32 i;
  for (i = 0; i < count; i++, p += ENTRY_SIZE) {
    out[i].id = load64(p);
    out[i].ref.pgno = load32(p + 8);
    out[i].ref.crc = load32(p + 12);
  }
}

/* The pages after the root, appended to entries[have..total). */
static int read_more(Pages *pages, PageRef next, CatalogEntry *entries, u64 have, u64 total) {
  u64 number = 1;
  while (have < total) {
    const u8 *page, *body;
    PageHold hold;
    u32 here;
    int rc = pages_get_structure(pages, next, PAGE_CATALOG, 0, number++, &page, &hold);
    if (rc) return rc;
    body = page + PAGE_HEADER_SIZE;
    here = load32(body);
    if (here == 0 || here > MORE_ENTRIES || here > total - have) {
      rc = CORRUPT(next.pgno);
    } else {
      read_entries(body + MORE_FIXED, here, entries + have);
      have += here;
      next.pgno = load32(body + 8);
      next.crc = load32(body + 12);
    }
    pages_release(pages, &hold);
    if (rc) return rc;
  }
  return SQLITE_OK;
}

int catalog_read(Pages *pages, const State *state, CatalogEntry **out, u64 *count) {
  const u8 *page, *body;
  PageHold hold;
  CatalogEntry *entries = NULL;
  PageRef next;
  u32 total, here;
  int rc = pages_get_structure(pages, state->root, PAGE_ROOT, 0, 0, &page, &hold);
  if (rc) return rc;
  body = page + PAGE_HEADER_SIZE;
  total = load32(body + 36);
  here = MIN(total, ROOT_ENTRIES);
  if (memcmp(body, state->uuid, UUID_SIZE) != 0 || load64(body + 16) != (u64)state->gen ||
      load64(body + 24) != (u64)state->n || load32(body + 32) != state->pages || total > state->pages) {
    rc = CORRUPT(state->root.pgno);
    goto done;
  }
  entries = mem_array(&rc, total, sizeof *entries);
  if (rc) goto done;
  next.pgno = load32(body + 40);
  next.crc = load32(body + 44);
  read_entries(body + ROOT_FIXED, here, entries);
  rc = read_more(pages, next, entries, here, total);
  if (rc) goto done;
  *out = entries;
  *count = total;
  entries = NULL;
done:
  pages_release(pages, &hold);
  mem_free(entries);
  return rc;
}

static void write_entries(u8 *p, u32 count, const CatalogEntry *entries) {
  u32 i;
  for (i = 0; i < count; i++, p += ENTRY_SIZE) {
    store64(p, entries[i].id);
    store32(p + 8, entries[i].ref.pgno);
    store32(p + 12, entries[i].ref.crc);
  }
}

int catalog_write(PageTx *tx, State *state, const CatalogEntry *entries, u64 count) {
  u64 in_root = MIN(count, ROOT_ENTRIES), more = (count - in_root + MORE_ENTRIES - 1) / MORE_ENTRIES, i;
  PageRef next = {0, 0};
  int rc = SQLITE_OK;
  u8 *page = mem_array(&rc, 1, PAGE_SIZE), *body = page ? page + PAGE_HEADER_SIZE : NULL;
  for (i = more; i > 0 && rc == SQLITE_OK; i--) {
    u64 first = in_root + (i - 1) * MORE_ENTRIES;
    u32 here = (u32)MIN((u64)MORE_ENTRIES, count - first);
    memset(page, 0, PAGE_SIZE);
    store32(body, here);
    store32(body + 8, next.pgno);
    store32(body + 12, next.crc);
    write_entries(body + MORE_FIXED, here, entries + first);
    rc = page_tx_put_structure(tx, page, PAGE_CATALOG, 0, 0, i, &next);
  }
  if (rc == SQLITE_OK) {
    u32 pgno = 0;
    memset(page, 0, PAGE_SIZE);
    /* the root's own place has to be known for its page count: reserve it, then write it there */
    rc = page_tx_alloc(tx, 1, &pgno);
    if (DEFECT(written_in_place) && state->root.pgno) pgno = state->root.pgno;
    if (DEFECT(sync_before_last_page)) rc = pages_home(tx->pages)->methods->sync(pages_home(tx->pages));
    if (rc == SQLITE_OK) {
      page_tx_cut(tx);
      state->pages = page_tx_count(tx);
      memcpy(body, state->uuid, UUID_SIZE);
      store64(body + 16, (u64)state->gen);
      store64(body + 24, (u64)state->n);
      store32(body + 32, state->pages);
      store32(body + 36, (u32)count);
      store32(body + 40, next.pgno);
      store32(body + 44, next.crc);
      write_entries(body + ROOT_FIXED, (u32)in_root, entries);
      rc = page_tx_put_structure_at(tx, page, PAGE_ROOT, 0, 0, 0, pgno, &state->root);
    }
  }
  mem_free(page);
  return rc;
}

int catalog_walk(Pages *pages, const State *state, int (*visit)(void *arg, u32 pgno, u32 count), void *arg) {
  const u8 *page;
  PageHold hold;
  PageRef next;
  u64 number = 1;
  int rc = pages_get_structure(pages, state->root, PAGE_ROOT, 0, 0, &page, &hold);
  if (rc) return rc;
  next.pgno = load32(page + PAGE_HEADER_SIZE + 40);
  next.crc = load32(page + PAGE_HEADER_SIZE + 44);
  pages_release(pages, &hold);
  rc = visit(arg, state->root.pgno, 1);
  while (rc == SQLITE_OK && next.pgno) {
    u32 pgno = next.pgno;
    rc = pages_get_structure(pages, next, PAGE_CATALOG, 0, number++, &page, &hold);
    if (rc) return rc;
    next.pgno = load32(page + PAGE_HEADER_SIZE + 8);
    next.crc = load32(page + PAGE_HEADER_SIZE + 12);
    pages_release(pages, &hold);
    rc = visit(arg, pgno, 1);
  }
  return rc;
}
