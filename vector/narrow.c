/*
 * narrow.c: making narrow words. See narrow.h.
 */
#include "narrow.h"

#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "../wal_shim/field.h"
#include "portable.h"

#define SPLITS (NARROW_PARTS - 1)
#define SAMPLE_SHARE 64u /* one of so many words is in the sample, ... */
#define SAMPLE_MIN 1024u /* ... but so many at least, or all, and at most */
#define SAMPLE_MAX 8192u

static int compare_words(const void *a, const void *b) {
  u64 x = *(const u64 *)a, y = *(const u64 *)b;
  return (x > y) - (x < y);
}

/* `count` words, one from each of as many stretches, ascending. Which one changes from stretch to stretch, since values may come in turns. */
static int take_sample(Array *words, u64 *sample, u64 count) {
  u64 i, state = 1;
  int rc = SQLITE_OK;
  for (i = 0; i < count && rc == SQLITE_OK; i++) {
    u64 from = words->count * i / count, end = words->count * (i + 1) / count;
    u8 word[8];
    state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth, TAOCP 3.3.4 */
    rc = array_read(words, from + (state >> 33) % (end - from), word);
    sample[i] = load64(word);
  }
  if (rc == SQLITE_OK) qsort(sample, (size_t)count, sizeof *sample, compare_words);
  return rc;
}

/* Where parts begin, ascending, all but the first one; unused places are UINT64_MAX. */
static void choose_splits(const u64 *sample, u64 count, u64 *split) {
  u64 i, end, values = 0, in_part = 0;
  u32 used = 0;
  split[used++] = FIELD_OTHER;
  split[used++] = FIELD_FIRST;
  for (i = 0; i < count; i++) values += i == 0 || sample[i] != sample[i - 1];
  for (i = 0; i < count && used < SPLITS; i = end) {
    u64 share = values <= SPLITS - used ? 1 : (count - i + SPLITS - used - 1) / (SPLITS - used);
    for (end = i + 1; end < count && sample[end] == sample[i]; end++) {
    }
    values--;
    if (in_part >= share || end - i >= share) {
      if (sample[i] > split[used - 1]) split[used++] = sample[i];
      in_part = 0;
    }
    in_part += end - i;
  }
  while (used < SPLITS) split[used++] = UINT64_MAX;
}

/* How many splits are not larger: a search without branches, since they could not be predicted. */
ALWAYS_INLINE u32 part_of(const u64 *split, u64 word) {
  u32 part = 0;
  part += (u32)(split[part + 127] <= word) * 128;
  part += (u32)(split[part + 63] <= word) * 64;
  part += (u32)(split[part + 31] <= word) * 32;
  part += (u32)(split[part + 15] <= word) * 16;
  part += (u32)(split[part + 7] <= word) * 8;
  part += (u32)(split[part + 3] <= word) * 4;
  part += (u32)(split[part + 1] <= word) * 2;
  return part + (u32)(split[part] <= word);
}

static int divide(Array *words, const u64 *split, Narrow *n) {
  u32 e, items = 0, i;
  int rc = array_load(words);
  for (i = 0; i < NARROW_PARTS; i++) {
    n->low[i] = UINT64_MAX;
    n->high[i] = 0;
  }
  for (e = 0; e < words->extent_count && rc == SQLITE_OK; e++) {
    u8 *part = n->part + (u64)e * words->per_extent;
    const u8 *at;
    PageHold hold;
    rc = array_extent(words, e, &at, &items, &hold);
    if (rc) return rc;
    for (i = 0; i < items; i++) part[i] = (u8)part_of(split, load64(at + 8 * (size_t)i));
    for (i = 0; i < items; i++) {
      u64 word = load64(at + 8 * (size_t)i);
      n->low[part[i]] = MIN(n->low[part[i]], word);
      n->high[part[i]] = MAX(n->high[part[i]], word);
    }
    pages_release(words->pages, &hold);
  }
  return rc;
}

int narrow_new(Array *words, Narrow **out) {
  u64 split[SPLITS], count = MIN(MIN(MAX(words->count / SAMPLE_SHARE, SAMPLE_MIN), SAMPLE_MAX), words->count);
  int rc = SQLITE_OK;
  u64 *sample = mem_array(&rc, count, sizeof *sample);
  Narrow *n = mem_array(&rc, sizeof *n + words->count, 1);
  if (rc == SQLITE_OK) rc = take_sample(words, sample, count);
  if (rc == SQLITE_OK) {
    n->count = words->count;
    choose_splits(sample, count, split);
    rc = divide(words, split, n);
  }
  mem_free(sample);
  if (rc) {
    mem_free(n);
    return rc;
  }
  *out = n;
  return SQLITE_OK;
}
