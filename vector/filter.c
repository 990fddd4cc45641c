/*
 * filter.c: conditions on fields over all slots. See filter.h.
 */
#include "filter.h"

#include <math.h>
#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "filter_match.h"
#include "portable.h"

#define FILTER_CACHE 32u              /* filters of one version that are kept ... */
#define FILTER_CACHE_BYTES (8u << 20) /* ... if their bits are not more than this, but at least two; nor their ranges */
#define GUESS_BLOCKS 48u              /* of 64 slots are looked at for a guess */
#define CHUNK_SLOTS 4096u             /* are matched together; a divisor of the words of an extent */
#define WORD_NS 0.2                   /* about what a word takes to be matched ... */
#define READ_NS 25.0                  /* ... beside what it takes to find it, ... */
#define NARROW_NS 0.05                /* ... what a narrow one takes, */
#define NARROW_MAKE_NS 1.25           /* ... and to make it ... */
#define NARROW_FIRST_NS 2500.0        /* ... beside the first of them */
#define NARROW_BYTES ((u64)64 << 20)  /* of one version at most */
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

/* The first range that does not end before a word; `count`: there is none. */
static u32 range_at(const FilterTerm *t, u64 word) {
  u32 low = 0, high = t->count;
  while (low < high) {
    u32 middle = low + (high - low) / 2;
    if (t->range[middle].high < word)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Whether a word lies in one of the ranges. */
static int in_ranges(const FilterTerm *t, u64 word) {
  u32 i = range_at(t, word);
  return i < t->count && t->range[i].low <= word;
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

/* --- narrow words --- */

/* F4. Without memory, or with a page that is damaged, words are read: whoever needs that page will come to it. */
static void need_narrow(Fields *f, const Filter *filter) {
  u32 t;
  for (t = 0; t < filter->count; t++) {
    u32 w = filter->term[t].word;
    u64 slots = f->word[w].count;
    if (f->narrow[w] || f->spent_ns[w] < NARROW_FIRST_NS + NARROW_MAKE_NS * (double)slots) continue;
    if (fields_narrow_bytes(f) + slots > NARROW_BYTES || narrow_new(&f->word[w], &f->narrow[w]))
      f->spent_ns[w] = -HUGE_VAL; /* never */
  }
}

/* --- slots in chunks --- */

/* A filter, and what each of its terms says of parts of narrow words: some of it passes, if not all; of that words must be asked. */
typedef struct Matcher {
  Fields *fields;
  const Filter *filter;
  struct {
    PartSet some, ask;
  } term[FILTER_MAX_TERMS];
} Matcher;

typedef enum { PASS_NONE, PASS_ALL, PASS_SOME } Passing;

/* Which of the words low..high pass. */
static Passing passing(const FilterTerm *t, u64 low, u64 high) {
  u32 i = range_at(t, low);
  if (i == t->count || t->range[i].low > high) return PASS_NONE;
  return t->range[i].low <= low && t->range[i].high >= high ? PASS_ALL : PASS_SOME;
}

static const Narrow *narrow_of(const Fields *f, const FilterTerm *t) { return f->narrow[t->word]; }

static void matcher_open(Matcher *m, Fields *f, const Filter *filter) {
  u32 t, p;
  m->fields = f;
  m->filter = filter;
  for (t = 0; t < filter->count; t++) {
    const Narrow *n = narrow_of(f, &filter->term[t]);
    memset(&m->term[t], 0, sizeof m->term[t]);
    for (p = 0; n && p < NARROW_PARTS; p++) {
      Passing is = n->low[p] <= n->high[p] ? passing(&filter->term[t], n->low[p], n->high[p]) : PASS_NONE;
      if (is != PASS_NONE) part_set_add(&m->term[t].some, p);
      if (is == PASS_SOME) part_set_add(&m->term[t].ask, p);
    }
  }
}

/* Of those of the chunk whose narrow word does not tell, the words. */
static int ask_words(const Matcher *m, u32 t, u64 first, u32 count, u64 *bits) {
  const FilterTerm *term = &m->filter->term[t];
  Array *array = &m->fields->word[term->word];
  u64 ask[CHUNK_SLOTS / 64];
  u16 asked[CHUNK_SLOTS];
  u32 i, n = 0, blocks = (count + 63) / 64;
  const u8 *words;
  PageHold hold;
  int rc;
  memcpy(ask, bits, blocks * sizeof *ask);
  if (count % 64) ask[blocks - 1] &= ~(~(u64)0 << count % 64);
  narrow_match()(narrow_of(m->fields, term)->part + first, count, &m->term[t].ask, ask);
  for (i = 0; i < blocks; i++) {
    for (; ask[i]; ask[i] &= ask[i] - 1) asked[n++] = (u16)(i * 64 + low_bit(ask[i]));
  }
  if (n == 0) return SQLITE_OK;
  rc = array_items(array, first, count, &words, &hold);
  if (rc) return rc;
  for (i = 0; i < n; i++) PREFETCH(words + 8 * (size_t)asked[i]);
  for (i = 0; i < n; i++)
    bits[asked[i] / 64] &= ~((u64)!in_ranges(term, load64(words + 8 * (size_t)asked[i])) << asked[i] % 64);
  pages_release(array->pages, &hold);
  return SQLITE_OK;
}

static int read_words(const Matcher *m, u32 t, u64 first, u32 count, u64 *bits) {
  const FilterTerm *term = &m->filter->term[t];
  Array *array = &m->fields->word[term->word];
  const u8 *words;
  PageHold hold;
  int rc = array_items(array, first, count, &words, &hold);
  if (rc) return rc;
  match_words(term, words, count, bits);
  pages_release(array->pages, &hold);
  m->fields->spent_ns[term->word] += READ_NS + count * WORD_NS;
  return SQLITE_OK;
}

/* Of `count` slots from `first` on, a multiple of 64, those that do not pass: their bits are cleared. CHUNK_SLOTS at most, and in one extent. */
static int match_slots(const Matcher *m, u64 first, u32 count, u64 *bits) {
  const Filter *filter = m->filter;
  u32 t;
  int rc = SQLITE_OK;
  for (t = 0; t < filter->count; t++) {
    const Narrow *n = narrow_of(m->fields, &filter->term[t]);
    if (n) narrow_match()(n->part + first, count, &m->term[t].some, bits);
  }
  for (t = 0; t < filter->count && rc == SQLITE_OK; t++) {
    int is_narrow = narrow_of(m->fields, &filter->term[t]) != NULL;
    rc = is_narrow ? ask_words(m, t, first, count, bits) : read_words(m, t, first, count, bits);
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
  u64 words = present->count, slots = filter->count ? f->word[filter->term[0].word].count : 0, at;
  Matcher m;
  int rc = bits_new(words, out);
  if (rc) return rc;
  need_narrow(f, filter);
  matcher_open(&m, f, filter);
  rc = slot_bits_add(present, (*out)->bits);
  for (at = 0; at < slots && rc == SQLITE_OK; at += CHUNK_SLOTS)
    rc = match_slots(&m, at, (u32)MIN(slots - at, CHUNK_SLOTS), (*out)->bits + at / 64);
  for (at = 0; at < words && rc == SQLITE_OK; at++) (*out)->chosen += count_bits((*out)->bits[at]);
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
  int again;      /* it was asked for a second time */
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
  if (e && e->again) {
    e->bits = *out;
    e->bits->refs++;
  } else if (e == NULL) {
    keep(*cache, column, filter, hash, present->count, *out);
  }
  return SQLITE_OK;
}

/* --- a filter that is new --- */

int filter_is_known(FilterCache *cache, u32 column, const Filter *filter) {
  CachedFilter *e = find_filter(cache, column, filter, filter_hash(filter));
  if (e) e->again = 1;
  return e != NULL;
}

double filter_cost(const Fields *f, const Filter *filter, u64 slots) {
  double ns = 0;
  u32 t;
  for (t = 0; t < filter->count; t++) ns += narrow_of(f, &filter->term[t]) ? NARROW_NS : WORD_NS;
  return ns * (double)slots;
}

int filter_guess(FilterCache **cache, Fields *f, Array *present, u32 column, const Filter *filter, double *share) {
  u64 step = MAX(present->count / GUESS_BLOCKS, 1), slots = f->word[filter->term[0].word].count, at, seen = 0,
      passed = 0;
  Matcher m;
  int rc = need_cache(cache);
  if (rc) return rc;
  need_narrow(f, filter);
  matcher_open(&m, f, filter);
  keep(*cache, column, filter, filter_hash(filter), present->count, NULL);
  for (at = step / 2; at < present->count && rc == SQLITE_OK; at += step) {
    u8 word[8];
    u64 bits = 0;
    rc = array_read(present, at, word);
    if (rc) return rc;
    bits = load64(word);
    seen += count_bits(bits);
    rc = match_slots(&m, at * 64, (u32)MIN(slots - MIN(slots, at * 64), 64), &bits);
    passed += count_bits(bits);
  }
  *share = seen ? (double)passed / (double)seen : 0;
  return rc;
}

void filter_fetch_slot(const Fields *f, const Filter *filter, u32 slot) {
  u32 t;
  for (t = 0; t < filter->count; t++) {
    const Narrow *n = narrow_of(f, &filter->term[t]);
    if (n && slot < n->count) PREFETCH(n->part + slot);
  }
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
    const FilterTerm *term = &filter->term[t];
    const Narrow *n = narrow_of(f, term);
    Passing is = PASS_SOME;
    u8 word[8];
    int rc;
    if (n && slot < n->count) is = passing(term, n->low[n->part[slot]], n->high[n->part[slot]]);
    *passes = is != PASS_NONE;
    if (is != PASS_SOME) continue;
    rc = array_read(&f->word[term->word], slot, word);
    if (rc) return rc;
    *passes = in_ranges(term, load64(word));
    if (n == NULL) f->spent_ns[term->word] += READ_NS;
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
  u64 i, used = 0;
  for (i = 0; i < *count; i++) {
    int passes = 0, rc = filter_passes_slot(f, filter, o, length, list[i], &passes);
    if (rc) return rc;
    if (passes) list[used++] = list[i];
  }
  *count = used;
  return SQLITE_OK;
}
