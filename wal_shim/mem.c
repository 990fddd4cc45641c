/*
 * mem.c: checked allocation and corruption reports. See base.h.
 */
#include "base.h"

int corrupt_at(const char *file, int line, u64 pgno) {
  sqlite3_log(SQLITE_CORRUPT_VTAB, "quire: corruption at %s:%d, page %llu", file, line, (unsigned long long)pgno);
  return SQLITE_CORRUPT_VTAB;
}

void *mem_array(int *rc, u64 count, u64 size) {
  void *p;
  if (*rc) return NULL;
  if (size != 0 && count > (u64)0x7fffffff00000000 / size) {
    *rc = SQLITE_NOMEM;
    return NULL;
  }
  p = sqlite3_malloc64(MAX(count * size, 1));
  if (p == NULL) *rc = SQLITE_NOMEM;
  return p;
}

void *mem_zeroed(int *rc, u64 count, u64 size) {
  void *p = mem_array(rc, count, size);
  if (p) memset(p, 0, (size_t)(count * size));
  return p;
}

int mem_reserve(void *array, u64 *cap, u64 need, u64 size) {
  void **slot = (void **)array;
  u64 want = *cap ? *cap : 16;
  void *p;
  if (need <= *cap) return SQLITE_OK;
  while (want < need) want *= 2;
  if (want > (u64)0x7fffffff00000000 / size) return SQLITE_NOMEM;
  p = sqlite3_realloc64(*slot, want * size);
  if (p == NULL) return SQLITE_NOMEM;
  *slot = p;
  *cap = want;
  return SQLITE_OK;
}

char *mem_strdup(int *rc, const char *text) {
  size_t n = strlen(text) + 1;
  char *p = mem_array(rc, n, 1);
  if (p) memcpy(p, text, n);
  return p;
}

void mem_free(void *p) { sqlite3_free(p); }

void *mem_aligned(int *rc, u64 size) {
  u8 *raw = mem_array(rc, size + 64 + sizeof(void *), 1);
  u8 *p;
  if (raw == NULL) return NULL;
  p = (u8 *)(((uintptr_t)raw + sizeof(void *) + 63) & ~(uintptr_t)63);
  memcpy(p - sizeof(void *), &raw, sizeof raw);
  return p;
}

void mem_aligned_free(void *p) {
  void *raw;
  if (p == NULL) return;
  memcpy(&raw, (u8 *)p - sizeof(void *), sizeof raw);
  sqlite3_free(raw);
}
