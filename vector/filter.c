/*
 * filter.c: conditions on fields over all slots. See filter.h.
 */
#include "filter.h"

#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "filter_match.h"
#include "portable.h"

#define FILTER_CACHE 32u              /* filters of one version that are kept ... */
#define FILTER_CACHE_BYTES (8u << 20) /* ... if their bits are not more than this, but at least two; nor their ranges */
#define GUESS_BLOCKS 48u              /* of 64 slots are looked at for a guess */
#define WORD_NS 0.5                   /* about what a word takes to be matched */
#define MOST_RANGES (FILTER_CACHE_BYTES / FILTER_CACHE / sizeof(FieldRange))

/* --- filters --- */

static int compare_ranges(const void *a, const void *b) {
  const FieldRange *x = a, *y = b;
  return (x->low > y->low) - (x->low < y->low);
}

/* Bring ranges into order, those that overlap into one; there are `count` of them. */
static void settle_ranges(FilterTerm *t, u64 count) {
  u64 i;
  if (count > 1) qsort(t->range, (size_t)count, sizeof *t->range, compare_ranges);
  t->count = 0;
  for (i = 0; i < count; i++) {
    FieldRange r = t->range[i];
    if (r.low > r.high) continue;
    if (t->count && r.low <= t->range[t->count - 1].high)
      t->range[t->count - 1].high = MAX(t->range[t->count - 1].high, r.high);
    else
      t->range[t->count++] = r;
  }
}

/* Leave of a term's ranges what lies in those of another one, too. */
static int intersect_ranges(FilterTerm *t, const FilterTerm *with) {
  u32 i = 0, k = 0, count = 0;
  int rc = SQLITE_OK;
  FieldRange *both = mem_array(&rc, (u64)t->count + with->count + 1, sizeof *both); /* one more: filter_allow_others */
  if (rc) return rc;
  while (i < t->count && k < with->count) {
    const FieldRange *a = &t->range[i], *b = &with->range[k];
    FieldRange r = {MAX(a->low, b->low), MIN(a->high, b->high)};
    if (r.low <= r.high) both[count++] = r;
    if (a->high < b->high)
      i++;
    else
      k++;
  }
  mem_free(t->range);
  t->range = both;
  t->count = count;
  return SQLITE_OK;
}

int filter_add(Filter *f, u32 word, const FieldRange *ranges, u64 count) {
  FilterTerm *t = &f->term[f->count];
  u32 i;
  int rc = SQLITE_OK;
  if (f->count == FILTER_MAX_TERMS || count >= UINT32_MAX) return SQLITE_FULL;
  t->word = word;
  t->range = mem_array(&rc, count + 1, sizeof *t->range); /* one more: filter_allow_others */
  if (rc) return rc;
  if (count) memcpy(t->range, ranges, (size_t)count * sizeof *ranges);
  settle_ranges(t, count);
  for (i = 0; i < f->count && f->term[i].word != word; i++) {
  }
  if (i == f->count) {
    f->count++;
    return SQLITE_OK;
  }
  rc = intersect_ranges(&f->term[i], t);
  mem_free(t->range);
  return rc;
}

void filter_clear(Filter *f) {
  u32 i;
  for (i = 0; i < f->count; i++) mem_free(f->term[i].range);
  f->count = 0;
  f->uncertain = 0;
}

void filter_allow_others(Filter *f, u64 words) {
  u32 i;
  for (i = 0; i < f->count; i++) {
    FilterTerm *t = &f->term[i];
    if (!(words >> t->word & 1)) continue;
    f->uncertain = 1;
    t->range[t->count].low = t->range[t->count].high = FIELD_OTHER;
    settle_ranges(t, (u64)t->count + 1);
  }
}

/* Whether a word lies in one of the ranges. */
static int in_ranges(const FilterTerm *t, u64 word) {
  u32 low = 0, high = t->count;
  while (low < high) {
    u32 middle = low + (high - low) / 2;
    if (t->range[middle].high < word)
      low = middle + 1;
    else
      high = middle;
  }
  return low < t->count && t->range[low].low <= word;
}

int filter_passes(const Filter *f, const u64 *fields) {
  u32 i;
  for (i = 0; i < f->count; i++) {
    if (!in_ranges(&f->term[i], fields[f->term[i].word])) return 0;
  }
  return 1;
}

/* --- bits --- */

int slot_set_new(const i64 *rowids, u64 count, SlotSet **out) {
  int rc = SQLITE_OK;
  SlotSet *s = mem_zeroed(&rc, 1, sizeof *s);
  if (rc) return rc;
  s->refs = 1;
  s->rowid = mem_array(&rc, count, sizeof *s->rowid);
  s->slot = mem_array(&rc, count, sizeof *s->slot);
  if (rc) {
    slot_set_release(s);
    return rc;
  }
  memcpy(s->rowid, rowids, (size_t)count * sizeof *rowids);
  s->rowids = count;
  *out = s;
  return SQLITE_OK;
}

void slot_set_release(SlotSet *set) {
  if (set == NULL || --set->refs) return;
  mem_free(set->rowid);
  mem_free(set->slot);
  mem_free(set->bits);
  mem_free(set);
}

void slots_to_bits(const u32 *slots, u64 count, u64 *bits) {
  u64 i;
  for (i = 0; i < count; i++) bits[slots[i] / 64] |= (u64)1 << slots[i] % 64;
}

int slot_set_bits(SlotSet *set, u64 slots) {
  int rc = SQLITE_OK;
  if (set->bits) return SQLITE_OK;
  set->bits = mem_zeroed(&rc, (slots + 63) / 64, sizeof *set->bits);
  if (rc == SQLITE_OK) slots_to_bits(set->slot, set->chosen, set->bits);
  return rc;
}

static int bits_new(u64 words, SlotBits **out) {
  int rc = SQLITE_OK;
  SlotBits *b = mem_zeroed(&rc, 1, sizeof *b);
  if (rc) return rc;
  b->refs = 1;
  b->bits = mem_zeroed(&rc, words, sizeof *b->bits);
  if (rc) {
    mem_free(b);
    return rc;
  }
  *out = b;
  return SQLITE_OK;
}

void slot_bits_release(SlotBits *b) {
  if (b == NULL || --b->refs) return;
  mem_free(b->bits);
  mem_free(b);
}

static void drop_bits(SlotBits **bits) {
  slot_bits_release(*bits);
  *bits = NULL;
}

/* Words of one term from a multiple of 64 on: bits of those that do not pass are cleared. */
static void match_words(const FilterTerm *t, const u8 *words, u32 count, u64 *bits) {
  u32 i;
  if (t->count <= MATCH_MAX_RANGES) {
    filter_match()(words, count, t->range, t->count, bits);
    return;
  }
  for (i = 0; i < count; i++) {
    u64 bit = (u64)1 << i % 64;
    if (bits[i / 64] & bit && !in_ranges(t, load64(words + 8 * (size_t)i))) bits[i / 64] &= ~bit;
  }
}

/* Of all slots. */
static int match_term(Fields *f, const FilterTerm *t, u64 *bits) {
  Array *array = &f->word[t->word];
  u32 e, items = 0;
  int rc = array_load(array);
  for (e = 0; e < array->extent_count && rc == SQLITE_OK; e++) {
    u64 slot = (u64)e * array->per_extent; /* a multiple of 64: extents are whole pages of 512 words */
    const u8 *words;
    PageHold hold;
    rc = array_extent(array, e, &words, &items, &hold);
    if (rc) return rc;
    match_words(t, words, items, bits + slot / 64);
    pages_release(f->pages, &hold);
  }
  return rc;
}

int slot_bits_add(Array *array, u64 *bits) {
  u32 e, items = 0, i;
  int rc = array_load(array);
  for (e = 0; e < array->extent_count && rc == SQLITE_OK; e++) {
    u64 first = (u64)e * array->per_extent;
    const u8 *words;
    PageHold hold;
    rc = array_extent(array, e, &words, &items, &hold);
    if (rc) return rc;
    for (i = 0; i < items; i++) bits[first + i] |= load64(words + 8 * (size_t)i);
    pages_release(array->pages, &hold);
  }
  return rc;
}

static int compute(Fields *f, Array *present, const Filter *filter, SlotBits **out) {
  u64 words = present->count, i;
  u32 t;
  int rc = bits_new(words, out);
  if (rc) return rc;
  rc = slot_bits_add(present, (*out)->bits);
  for (t = 0; t < filter->count && rc == SQLITE_OK; t++) rc = match_term(f, &filter->term[t], (*out)->bits);
  for (i = 0; i < words && rc == SQLITE_OK; i++) (*out)->chosen += count_bits((*out)->bits[i]);
  if (rc) drop_bits(out);
  return rc;
}

/* --- the cache --- */

typedef struct CachedFilter {
  u32 column;
  u64 hash;
  u64 used; /* the number of the last use */
  Filter filter;
  SlotBits *bits; /* NULL: not computed yet (F3) */
} CachedFilter;

struct FilterCache {
  u64 uses;
  u32 count;
  CachedFilter entry[FILTER_CACHE];
  SlotSet *last_set;
};

static int need_cache(FilterCache **cache) {
  int rc = SQLITE_OK;
  if (*cache == NULL) *cache = mem_zeroed(&rc, 1, sizeof **cache);
  return rc;
}

static void forget(CachedFilter *e) {
  filter_clear(&e->filter);
  slot_bits_release(e->bits);
  memset(e, 0, sizeof *e);
}

void filter_cache_free(FilterCache *cache) {
  u32 i;
  if (cache == NULL) return;
  for (i = 0; i < cache->count; i++) forget(&cache->entry[i]);
  slot_set_release(cache->last_set);
  mem_free(cache);
}

SlotSet *filter_last_set(const FilterCache *cache, const i64 *rowids, u64 count) {
  SlotSet *set = cache ? cache->last_set : NULL;
  if (set == NULL || set->rowids != count || memcmp(set->rowid, rowids, (size_t)count * sizeof *rowids)) return NULL;
  set->refs++;
  return set;
}

void filter_keep_set(FilterCache **cache, SlotSet *set) {
  if (set->rowids * (sizeof *set->rowid + sizeof *set->slot) > FILTER_CACHE_BYTES) return;
  if (need_cache(cache)) return;
  slot_set_release((*cache)->last_set);
  (*cache)->last_set = set;
  set->refs++;
}

/* FNV-1a over words; equality is compared in full */
static u64 filter_hash(const Filter *f) {
  u64 h = 0xcbf29ce484222325u;
  u32 i, k;
  for (i = 0; i < f->count; i++) {
    h = (h ^ f->term[i].word) * 0x100000001b3u;
    for (k = 0; k < f->term[i].count; k++)
      h = ((h ^ f->term[i].range[k].low) * 0x100000001b3u ^ f->term[i].range[k].high) * 0x100000001b3u;
  }
  return h;
}

static int same_filter(const Filter *a, const Filter *b) {
  u32 i;
  if (a->count != b->count) return 0;
  for (i = 0; i < a->count; i++) {
    const FilterTerm *x = &a->term[i], *y = &b->term[i];
    if (x->word != y->word || x->count != y->count || memcmp(x->range, y->range, x->count * sizeof *x->range)) return 0;
  }
  return 1;
}

/* Where a new filter may be kept: an entry that is free, or the one unused for longest. */
static CachedFilter *make_room(FilterCache *cache, u64 bytes) {
  u32 most = (u32)MIN(MAX(FILTER_CACHE_BYTES / MAX(bytes, 1), 2), FILTER_CACHE), i, oldest = 0;
  if (cache->count < most) return &cache->entry[cache->count++];
  for (i = 1; i < cache->count; i++) {
    if (cache->entry[i].used < cache->entry[oldest].used) oldest = i;
  }
  forget(&cache->entry[oldest]);
  return &cache->entry[oldest];
}

/* Keep what was computed; without memory, or with too many ranges (a long IN), it is just not kept. */
static void keep(FilterCache *cache, u32 column, const Filter *filter, u64 hash, u64 words, SlotBits *bits) {
  CachedFilter *e;
  u64 ranges = 0;
  u32 i;
  for (i = 0; i < filter->count; i++) ranges += filter->term[i].count;
  if (ranges > MOST_RANGES) return;
  e = make_room(cache, words * 8);
  for (i = 0; i < filter->count; i++) {
    if (filter_add(&e->filter, filter->term[i].word, filter->term[i].range, filter->term[i].count)) {
      filter_clear(&e->filter);
      e->column = UINT32_MAX; /* of no column: the next to go */
      return;
    }
  }
  e->column = column;
  e->hash = hash;
  e->used = ++cache->uses;
  e->bits = bits;
  if (bits) bits->refs++;
}

/* The entry of a filter; NULL if there is none. */
static CachedFilter *find_filter(FilterCache *cache, u32 column, const Filter *filter, u64 hash) {
  u32 i;
  for (i = 0; cache && i < cache->count; i++) {
    CachedFilter *e = &cache->entry[i];
    if (e->column == column && e->hash == hash && same_filter(&e->filter, filter)) return e;
  }
  return NULL;
}

static int cached_slots(FilterCache **cache, Fields *f, Array *present, u32 column, const Filter *filter,
                        SlotBits **out) {
  u64 hash = filter_hash(filter);
  CachedFilter *e = find_filter(*cache, column, filter, hash);
  int rc;
  if (e) e->used = ++(*cache)->uses;
  if (e && e->bits) {
    e->bits->refs++;
    *out = e->bits;
    return SQLITE_OK;
  }
  rc = need_cache(cache);
  if (rc == SQLITE_OK) rc = compute(f, present, filter, out);
  if (rc) return rc;
  if (e) {
    e->bits = *out;
    e->bits->refs++;
  } else {
    keep(*cache, column, filter, hash, present->count, *out);
  }
  return SQLITE_OK;
}

/* --- a filter that is new --- */

int filter_is_known(FilterCache *cache, u32 column, const Filter *filter) {
  return find_filter(cache, column, filter, filter_hash(filter)) != NULL;
}

double filter_cost(const Filter *filter, u64 slots) { return (double)slots * filter->count * WORD_NS; }

/* The bits of 64 slots from 64 * `at` on that pass, of those that are set in `bits`. */
static int match_block(Fields *f, const Filter *filter, u64 at, u64 *bits) {
  u32 t;
  int rc = SQLITE_OK;
  for (t = 0; t < filter->count && *bits && rc == SQLITE_OK; t++) {
    Array *array = &f->word[filter->term[t].word];
    u32 n = (u32)MIN(array->count - MIN(array->count, at * 64), 64);
    const u8 *words;
    PageHold hold;
    if (n == 0) return CORRUPT(array->root.pgno);
    rc = array_items(array, at * 64, n, &words, &hold);
    if (rc) return rc;
    match_words(&filter->term[t], words, n, bits);
    pages_release(f->pages, &hold);
  }
  return rc;
}

int filter_guess(FilterCache **cache, Fields *f, Array *present, u32 column, const Filter *filter, double *share) {
  u64 step = MAX(present->count / GUESS_BLOCKS, 1), at, seen = 0, passed = 0;
  int rc = need_cache(cache);
  if (rc) return rc;
  keep(*cache, column, filter, filter_hash(filter), present->count, NULL);
  for (at = step / 2; at < present->count && rc == SQLITE_OK; at += step) {
    u8 word[8];
    u64 bits = 0;
    rc = array_read(present, at, word);
    if (rc) return rc;
    bits = load64(word);
    seen += count_bits(bits);
    rc = match_block(f, filter, at, &bits);
    passed += count_bits(bits);
  }
  *share = seen ? (double)passed / (double)seen : 0;
  return rc;
}

int filter_passes_slot(Fields *f, const Filter *filter, const Overlay *o, u32 length, u32 slot, int *passes) {
  const u64 *patched = o->patches.count ? overlay_patched(o, length, slot) : NULL;
  u32 t;
  *passes = 1;
  if (patched) {
    *passes = filter_passes(filter, patched);
    return SQLITE_OK;
  }
  for (t = 0; t < filter->count && *passes; t++) {
    u8 word[8];
    int rc = array_read(&f->word[filter->term[t].word], slot, word);
    if (rc) return rc;
    *passes = in_ranges(&filter->term[t], load64(word));
  }
  return SQLITE_OK;
}

/* What the overlay says of single slots, over a copy. */
static int lay_patches(const Filter *filter, const Overlay *o, u32 length, u64 words, SlotBits **bits) {
  SlotBits *copy = NULL;
  u64 i;
  int rc = bits_new(words, &copy);
  if (rc) return rc;
  memcpy(copy->bits, (*bits)->bits, (size_t)words * sizeof *copy->bits);
  copy->chosen = (*bits)->chosen;
  for (i = 0; i < o->patches.count; i++) {
    u32 slot = o->patches.event[i].slot;
    const u64 *fields = overlay_patched(o, length, slot);
    u64 bit = (u64)1 << slot % 64, *word = &copy->bits[slot / 64];
    int passes;
    if (fields == NULL || slot / 64 >= words) continue;
    passes = filter_passes(filter, fields);
    copy->chosen += (u64)passes;
    copy->chosen -= (*word & bit) != 0;
    *word = passes ? *word | bit : *word & ~bit;
  }
  slot_bits_release(*bits);
  *bits = copy;
  return SQLITE_OK;
}

int filter_slots(FilterCache **cache, Fields *f, Array *present, u32 column, const Filter *filter, const Overlay *o,
                 u32 length, SlotBits **out) {
  int rc = cached_slots(cache, f, present, column, filter, out);
  if (rc || o->patches.count == 0) return rc;
  rc = lay_patches(filter, o, length, present->count, out);
  if (rc) drop_bits(out);
  return rc;
}

int filter_list(Fields *f, const Filter *filter, const Overlay *o, u32 length, u32 *list, u64 *count) {
  u64 words[MAX_FIELD_WORDS], i, used = 0;
  for (i = 0; i < *count; i++) {
    int rc = fields_read(f, o, length, list[i], words);
    if (rc) return rc;
    if (filter_passes(filter, words)) list[used++] = list[i];
  }
  *count = used;
  return SQLITE_OK;
}
