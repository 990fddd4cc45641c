/*
 * home_memory.c: pages in blocks of this process's memory.
 *
 * Every write of `count` pages makes one aligned block; `block[pgno]` says which block holds a page and `page[pgno]` where. A block is freed
 * when the last of its pages has been written again. Pages that a reader may still see are never written
 * again (S16), so pointers given by map stay good.
 */
#include "home.h"

typedef struct Block {
  u8 *data;
  u32 live; /* pages of it still current */
} Block;

typedef struct MemoryPage {
  Block *block;
  u8 *data;
} MemoryPage;

typedef struct HomeMemory {
  Home base;
  MemoryPage *page;
  u64 cap;
  u32 count; /* pages that exist, the head page included */
} HomeMemory;

static void drop_page(MemoryPage *page) {
  Block *block = page->block;
  page->block = NULL;
  page->data = NULL;
  if (block && --block->live == 0) {
    mem_aligned_free(block->data);
    mem_free(block);
  }
}

static int memory_follow(Home *home, int *changed) {
  (void)home;
  *changed = 0;
  return SQLITE_OK;
}

static int memory_size(Home *home, u32 *pages) {
  *pages = ((HomeMemory *)home)->count;
  return SQLITE_OK;
}

static int memory_map(Home *home, u32 pgno, u32 count, const u8 **out) {
  HomeMemory *m = (HomeMemory *)home;
  u32 i;
  *out = NULL;
  if ((u64)pgno + count > m->count) return CORRUPT(pgno);
  if (m->page[pgno].data == NULL) return CORRUPT(pgno);
  for (i = 1; i < count; i++) {
    if (m->page[pgno + i].data != m->page[pgno].data + (size_t)i * PAGE_SIZE) return SQLITE_OK;
  }
  *out = m->page[pgno].data;
  return SQLITE_OK;
}

static int memory_read(Home *home, u32 pgno, u32 count, u8 *buffer) {
  HomeMemory *m = (HomeMemory *)home;
  u32 i;
  if ((u64)pgno + count > m->count) return CORRUPT(pgno);
  for (i = 0; i < count; i++) {
    if (m->page[pgno + i].data == NULL) return CORRUPT(pgno + i);
    memcpy(buffer + (size_t)i * PAGE_SIZE, m->page[pgno + i].data, PAGE_SIZE);
  }
  return SQLITE_OK;
}

static int memory_write(Home *home, u32 pgno, u32 count, const u8 *data) {
  HomeMemory *m = (HomeMemory *)home;
  Block *block = NULL;
  u64 end = (u64)pgno + count;
  u32 i;
  int rc = SQLITE_OK;

  if (end > m->count) {
    u64 old_cap = m->cap;
    rc = mem_reserve(&m->page, &m->cap, end, sizeof *m->page);
    if (rc) return rc;
    memset(m->page + old_cap, 0, (size_t)(m->cap - old_cap) * sizeof *m->page);
  }
  block = mem_zeroed(&rc, 1, sizeof *block);
  if (rc) return rc;
  block->data = mem_aligned(&rc, (u64)count * PAGE_SIZE);
  if (rc) {
    mem_free(block);
    return rc;
  }
  memcpy(block->data, data, (size_t)count * PAGE_SIZE);
  block->live = count;
  for (i = 0; i < count; i++) {
    drop_page(&m->page[pgno + i]);
    m->page[pgno + i].block = block;
    m->page[pgno + i].data = block->data + (size_t)i * PAGE_SIZE;
  }
  if (end > m->count) m->count = (u32)end;
  return SQLITE_OK;
}

static int memory_truncate(Home *home, u32 pages) {
  HomeMemory *m = (HomeMemory *)home;
  while (m->count > pages) drop_page(&m->page[--m->count]);
  return SQLITE_OK;
}

static int memory_sync(Home *home) {
  (void)home;
  return SQLITE_OK;
}

static int memory_prepare(Home *home, int first) {
  (void)home;
  (void)first;
  return SQLITE_OK;
}

static void memory_close(Home *home) {
  HomeMemory *m = (HomeMemory *)home;
  u32 i;
  for (i = 0; i < m->count; i++) drop_page(&m->page[i]);
  mem_free(m->page);
  mem_free(m);
}

static const HomeMethods memory_methods = {
    .name = "memory",
    .place = "memory of the pages",
    .apart = 1,
    .follow = memory_follow,
    .size = memory_size,
    .map = memory_map,
    .read = memory_read,
    .write = memory_write,
    .truncate = memory_truncate,
    .discard = home_keeps,
    .leave = home_stays,
    .sync = memory_sync,
    .prepare = memory_prepare,
    .close = memory_close,
};

int home_memory_open(i64 owner, Home **out) {
  int rc = SQLITE_OK;
  HomeMemory *m = mem_zeroed(&rc, 1, sizeof *m);
  if (rc) return rc;
  m->base.methods = &memory_methods;
  m->base.owner = owner;
  *out = &m->base;
  return SQLITE_OK;
}
