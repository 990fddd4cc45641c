/*
 * filter.h: which slots pass conditions on fields (wal_shim/field.h).
 *
 * A filter is a conjunction of terms; a term says in which ranges a word must lie. What passes is certain, unless the filter or a value
 * (FIELD_OTHER) is not: then the rows that pass are all those that may, and the caller looks at the rows themselves.
 *
 *   F1  The slots of the pages that pass a filter are computed by a scan of the words, and the last filters of each version of the table are kept
 *       with it. The overlay's patches are laid over a copy.
 *   F2  So is the last set of rowids, and where these rows lie: a set that a query of a join or a loop names again is not looked up again.
 *   F3  A filter that is asked for the first time may be looked at slot by slot: a sample says about how many pass, and a search that meets few slots reads few
 *       words. At the second time the slots are computed and kept; those of a first one are not, so that filters which come once do not fill the processor's caches.
 *   F4  Where conditions that are not kept have read words of a field for about as long as it takes to make narrow words of it (narrow.h), these are made, and kept with the
 *       version: from then on a condition looks at words only where the narrow ones do not tell.
 */
#ifndef QUIRE_FILTER_H
#define QUIRE_FILTER_H

#include "../wal_shim/overlay.h"
#include "fields.h"

#define FILTER_MAX_TERMS 64u

typedef struct FieldRange {
  u64 low, high; /* both included */
} FieldRange;

typedef struct FilterTerm {
  u32 word, count;
  FieldRange *range; /* ascending, apart from each other; owned */
} FilterTerm;

typedef struct Filter {
  u32 count;
  int uncertain; /* a term lets through more than it should */
  FilterTerm term[FILTER_MAX_TERMS];
} Filter;

/* Add a term of `count` ranges in any order, which may overlap: copied. Terms of one word become one. SQLITE_FULL: there are too many. */
int filter_add(Filter *filter, u32 word, const FieldRange *ranges, u64 count);
void filter_clear(Filter *filter);
/* Let FIELD_OTHER pass in these words. */
/* Once, before the filter is used. */
void filter_allow_others(Filter *filter, u64 words);
/* Whether a row with these fields passes. */
int filter_passes(const Filter *filter, const u64 *fields);

/* Slots as bits. Counted. */
typedef struct SlotBits {
  u32 refs;
  u64 chosen; /* bits that are set */
  u64 *bits;
} SlotBits;
void slot_bits_release(SlotBits *bits);
/* Set the bits that are set in an array of words (of presence). */
int slot_bits_add(Array *words, u64 *bits);

/* Whether the filter was asked for before (F3), of column `column`; it is noted that it is now. */
typedef struct FilterCache FilterCache;
int filter_is_known(FilterCache *cache, u32 column, const Filter *filter);
/* Note that it was asked for; and which share of the slots in `present` about passes. */
int filter_guess(FilterCache **cache, Fields *fields, Array *present, u32 column, const Filter *filter, double *share);
/* Ask memory for what filter_passes_slot looks at first. */
void filter_fetch_slot(const Fields *fields, const Filter *filter, u32 slot);
int filter_passes_slot(Fields *fields, const Filter *filter, const Overlay *overlay, u32 length, u32 slot, int *passes);
/* About how many nanoseconds filter_slots() takes for a filter that is not kept. */
double filter_cost(const Fields *fields, const Filter *filter, u64 slots);

/* Ascending rowids, and the slots of those that are in the pages and live: ascending, and as bits, made when needed (slot_set_bits). Counted. */
typedef struct SlotSet {
  u32 refs;
  u64 rowids, chosen;
  i64 *rowid;
  u32 *slot;
  u64 *bits;
} SlotSet;
/* A new one: a copy of `count` rowids, and room for as many slots. */
int slot_set_new(const i64 *rowids, u64 count, SlotSet **out);
void slot_set_release(SlotSet *set);
/* Set the bits of slots. */
void slots_to_bits(const u32 *slots, u64 count, u64 *bits);
/* The bits of its slots; the table has `slots` of them. */
int slot_set_bits(SlotSet *set, u64 slots);

/* Filters of one version of a table, and what passed them. */
void filter_cache_free(FilterCache *cache);
/*
 * The slots that pass, of those in `present`, the bits of a vector column; `column` tells filters of several columns apart. *cache is made at
 * the first use. *out is counted; NULL on failure.
 */
int filter_slots(FilterCache **cache, Fields *fields, Array *present, u32 column, const Filter *filter,
                 const Overlay *overlay, u32 length, SlotBits **out);
/* The last set, counted, if it is of these rowids, else NULL. Keep a set as the last; one that is too large, or without memory for that, is not kept. */
SlotSet *filter_last_set(const FilterCache *cache, const i64 *rowids, u64 count);
void filter_keep_set(FilterCache **cache, SlotSet *set);
/* Keep those of the ascending slots that pass. */
int filter_list(Fields *fields, const Filter *filter, const Overlay *overlay, u32 length, u32 *list, u64 *count);

#endif
