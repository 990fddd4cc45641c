/*
 * inverted_build.c: writing segments. See inverted.h.
 *
 * A segment is written in two passes over its vectors: the first counts the postings of each term, the second puts them where they belong, term by
 * term. Memory is 8 bytes for each posting, of SEGMENT_MAX_POSTINGS at most; more rows are several segments.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "../wal_shim/bytes.h"
#include "elem_int.h"
#include "forms.h"
#include "inverted.h"
#include "sparse.h"

#define MERGE_FACTOR 2u /* a segment is taken into one that is at least its size divided by this */
#define STEP_POSTINGS                                                                                                  \
  (1u << 22) /* of segments before that a commit takes in at most; commands take in all that are small enough */
#define POLL_SLOTS 1024u

typedef struct Term {
  u32 term, count, blocks;
  u64 start; /* of its postings; then where the next one goes */
} Term;

typedef struct Builder {
  const StructureFold *f;
  SlotColumn *col; /* of the new version */
  InvertedArrays old;
  int whole; /* all are put into one */
  u32 segments;
  Segment segment[INVERTED_SEGMENTS];
  u8 refs[INVERTED_SEGMENTS * ARRAY_REF_SIZE];
  /* the segment that is being written */
  Segment now;
  Term *term;
  u64 term_cap;
  u32 *hash; /* of numbers of terms + 1 */
  u32 hash_size;
  u32 *slot;     /* by posting, within the segment */
  float *weight; /* by posting */
  ArrayWriter words;
} Builder;

double inverted_scale(const SlotColumn *col, const void *vector) {
  Sparse x = sparse_view(vector);
  double norm2 = col->metric == METRIC_COSINE ? sparse_norm2(&x) : 1;
  return norm2 > 0 ? 1 / sqrt(norm2) : 0;
}

float inverted_bias(const void *vector) {
  Sparse x = sparse_view(vector);
  double half = sparse_norm2(&x) / 2;
  return half < (double)FLT_MAX ? (float)-half : NAN;
}

/* --- terms --- */

static u32 bucket_of(const Builder *b, u32 term) {
  u32 i = (u32)mix64(term) & (b->hash_size - 1);
  while (b->hash[i] && b->term[b->hash[i] - 1].term != term) i = (i + 1) & (b->hash_size - 1);
  return i;
}

static int grow_hash(Builder *b) {
  u32 size = b->hash_size ? b->hash_size * 2 : 1024, i, *hash;
  int rc = SQLITE_OK;
  if ((u64)b->now.terms * 2 < b->hash_size) return SQLITE_OK;
  hash = mem_zeroed(&rc, size, sizeof *hash);
  if (rc) return rc;
  mem_free(b->hash);
  b->hash = hash;
  b->hash_size = size;
  for (i = 0; i < b->now.terms; i++) b->hash[bucket_of(b, b->term[i].term)] = i + 1;
  return SQLITE_OK;
}

static int count_term(Builder *b, u32 term) {
  u32 at;
  int rc = grow_hash(b);
  if (rc) return rc;
  at = bucket_of(b, term);
  if (b->hash[at] == 0) {
    rc = mem_reserve(&b->term, &b->term_cap, (u64)b->now.terms + 1, sizeof *b->term);
    if (rc) return rc;
    b->term[b->now.terms] = (Term){term, 0, 0, 0};
    b->hash[at] = ++b->now.terms;
  }
  b->term[b->hash[at] - 1].count++;
  return SQLITE_OK;
}

/* The vector of a slot that has one; else NULL. */
static int vector_at(const Builder *b, u64 slot, const u8 **vector, PageHold *hold) {
  Slots *s = b->f->after;
  int present = 0, rc = slots_present(s, b->f->column, slot, &present);
  *vector = NULL;
  hold->block = NULL;
  return rc || !present ? rc : b->col->form->get(s, b->f->column, slot, vector, hold);
}

/* Count the terms of slots from now.first on; now.slots: how many slots the segment has. */
static int count_terms(Builder *b, u64 end) {
  u64 slot;
  int rc = SQLITE_OK, full = 0;
  for (slot = b->now.first; slot < end && rc == SQLITE_OK; slot++) {
    const u8 *vector;
    PageHold hold;
    Sparse x = {0};
    u32 i;
    rc = vector_at(b, slot, &vector, &hold);
    if (rc) return rc;
    if (vector) x = sparse_view(vector);
    full = b->now.slots == SEGMENT_MAX_SLOTS || b->now.postings + x.count > SEGMENT_MAX_POSTINGS;
    for (i = 0; i < x.count && !full && rc == SQLITE_OK; i++) rc = count_term(b, sparse_index(&x, i));
    pages_release(b->f->after->pages, &hold);
    if (full) break;
    b->now.postings += x.count;
    b->now.slots++;
    if (rc == SQLITE_OK && slot % POLL_SLOTS == 0 && page_tx_interrupted(b->f->tx)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

static int compare_terms(const void *a, const void *b) {
  u32 x = ((const Term *)a)->term, y = ((const Term *)b)->term;
  return (x > y) - (x < y);
}

/* Terms ascending, and where the postings of each begin. */
static void sort_terms(Builder *b) {
  u64 start = 0;
  u32 i;
  if (b->now.terms > 1) qsort(b->term, b->now.terms, sizeof *b->term, compare_terms);
  if (b->hash) memset(b->hash, 0, b->hash_size * sizeof *b->hash);
  for (i = 0; i < b->now.terms; i++) {
    b->hash[bucket_of(b, b->term[i].term)] = i + 1;
    b->term[i].start = start;
    start += b->term[i].count;
  }
}

/* --- postings --- */

static int put_word(Builder *b, u32 word) {
  u8 *out;
  u64 got;
  int rc = array_writer_append(&b->words, 1, &out, &got);
  if (rc == SQLITE_OK) store32(out, word);
  return rc;
}

/* The postings of a slot, and, with metric l2, its norm. */
static int take_slot(Builder *b, u32 slot) {
  const u8 *vector;
  PageHold hold;
  int rc = vector_at(b, b->now.first + slot, &vector, &hold);
  if (rc) return rc;
  if (vector) {
    Sparse x = sparse_view(vector);
    double scale = inverted_scale(b->col, vector);
    u32 i;
    for (i = 0; i < x.count; i++) {
      Term *t = &b->term[b->hash[bucket_of(b, sparse_index(&x, i))] - 1];
      float weight = (float)((double)sparse_value(&x, i) * scale);
      b->slot[t->start] = slot;
      b->weight[t->start++] = weight;
      b->now.least = MIN(b->now.least, fabsf(weight));
    }
  }
  if (b->col->metric == METRIC_L2) rc = put_word(b, f32_bits(vector ? inverted_bias(vector) : -HUGE_VALF));
  pages_release(b->f->after->pages, &hold);
  return rc;
}

/* Postings from `first` on that are in the window of the first. */
static u32 in_window(const Builder *b, u64 first, u64 end) {
  u32 window = b->slot[first] / INVERTED_WINDOW;
  u64 i = first + 1;
  while (i < end && b->slot[i] / INVERTED_WINDOW == window) i++;
  return (u32)(i - first);
}

static int put_block_head(Builder *b, u64 first, u32 count) {
  float most = b->weight[first], least = b->weight[first];
  u64 i;
  int rc;
  for (i = first + 1; i < first + count; i++) {
    most = MAX(most, b->weight[i]);
    least = MIN(least, b->weight[i]);
  }
  rc = put_word(b, (b->slot[first] / INVERTED_WINDOW) << 16 | (count - 1));
  if (rc == SQLITE_OK) rc = put_word(b, f32_bits(most));
  return rc ? rc : put_word(b, f32_bits(least));
}

static int put_block(Builder *b, u64 first, u32 count) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < count && rc == SQLITE_OK; i += 2) {
    u32 low = b->slot[first + i] % INVERTED_WINDOW, high = 0;
    if (i + 1 < count) high = b->slot[first + i + 1] % INVERTED_WINDOW;
    rc = put_word(b, high << 16 | low);
  }
  for (i = 0; i < count && rc == SQLITE_OK; i++) rc = put_word(b, f32_bits(b->weight[first + i]));
  return rc;
}

/* Call `put` for each block of a term. */
static int each_block(Builder *b, const Term *t, int (*put)(Builder *, u64, u32)) {
  u64 end = t->start, i = end - t->count; /* take_slot has moved start to the end */
  int rc = SQLITE_OK;
  while (i < end && rc == SQLITE_OK) {
    u32 count = in_window(b, i, end);
    rc = put(b, i, count);
    i += count;
  }
  return rc;
}

/* The entries of terms, each with the word where its blocks begin. */
static int put_terms(Builder *b) {
  u64 at = terms_at(b->col, &b->now) + (u64)b->now.terms * TERM_WORDS;
  u32 n;
  int rc = SQLITE_OK;
  for (n = 0; n < b->now.terms && rc == SQLITE_OK; n++) {
    Term *t = &b->term[n];
    u64 i = t->start - t->count, words = 0;
    while (i < t->start) {
      u32 count = in_window(b, i, t->start);
      words += BLOCK_WORDS + block_words(count);
      t->blocks++;
      i += count;
    }
    rc = put_word(b, t->term);
    if (rc == SQLITE_OK) rc = put_word(b, (u32)at);
    if (rc == SQLITE_OK) rc = put_word(b, t->blocks);
    at += words;
  }
  return rc;
}

static int put_postings(Builder *b) {
  u32 i;
  int rc = SQLITE_OK;
  for (i = 0; i < b->now.terms && rc == SQLITE_OK; i++) {
    rc = each_block(b, &b->term[i], put_block_head);
    if (rc == SQLITE_OK) rc = each_block(b, &b->term[i], put_block);
    if (rc == SQLITE_OK && i % POLL_SLOTS == 0 && page_tx_interrupted(b->f->tx)) rc = SQLITE_INTERRUPT;
  }
  return rc;
}

/* --- segments --- */

/* One segment of slots from `first` on, as many as it takes, before `end`. */
static int write_segment(Builder *b, u64 first, u64 end) {
  u32 i;
  int rc;
  b->now = (Segment){.first = first, .least = FLT_MAX};
  if (b->hash) memset(b->hash, 0, b->hash_size * sizeof *b->hash);
  rc = count_terms(b, end);
  if (rc) return rc;
  sort_terms(b);
  b->slot = mem_array(&rc, b->now.postings, sizeof *b->slot);
  b->weight = mem_array(&rc, b->now.postings, sizeof *b->weight);
  if (rc == SQLITE_OK) rc = array_writer_begin(&b->words, b->f->tx, &b->old.words[b->segments], 0);
  for (i = 0; i < b->now.slots && rc == SQLITE_OK; i++) {
    rc = take_slot(b, i);
    if (rc == SQLITE_OK && i % POLL_SLOTS == 0 && page_tx_interrupted(b->f->tx)) rc = SQLITE_INTERRUPT;
  }
  if (rc == SQLITE_OK) rc = put_terms(b);
  if (rc == SQLITE_OK) rc = put_postings(b);
  if (rc == SQLITE_OK) rc = array_writer_finish(&b->words, b->refs + b->segments * ARRAY_REF_SIZE);
  array_writer_end(&b->words);
  mem_free(b->slot);
  mem_free(b->weight);
  b->slot = NULL;
  b->weight = NULL;
  b->segment[b->segments++] = b->now;
  b->f->work->segments++;
  return rc;
}

/* How many of the old segments stay; *first: the slot that the new ones begin with. */
static u32 segments_kept(const Builder *b, u64 end, u64 *first) {
  u32 kept = b->old.segments;
  u64 postings = 0, most = b->f->rows == UINT64_MAX || kept == INVERTED_SEGMENTS ? SEGMENT_MAX_POSTINGS : STEP_POSTINGS;
  *first = b->old.covered;
  if (b->f->moved || b->whole) kept = 0;
  while (kept) {
    const Segment *last = &b->old.segment[kept - 1];
    int small = last->slots <= MERGE_FACTOR * (end - *first) && postings + last->postings <= most;
    if (!small && kept < INVERTED_SEGMENTS) break;
    postings += last->postings;
    *first = last->first;
    kept--;
  }
  if (kept == 0) *first = 0;
  b->f->work->segments_merged += b->f->moved ? 0 : b->old.segments - kept;
  return kept;
}

static int write_page(Builder *b, u64 covered, PageRef *out) {
  int rc = SQLITE_OK;
  u32 i;
  u8 *page = mem_zeroed(&rc, 1, PAGE_SIZE), *body;
  if (rc) return rc;
  body = page + PAGE_HEADER_SIZE;
  store32(body, b->segments);
  store64(body + 16, covered);
  memcpy(body + STRUCTURE_REFS_AT, b->refs, sizeof b->refs);
  for (i = 0; i < b->segments; i++) {
    const Segment *s = &b->segment[i];
    u8 *at = body + INVERTED_SEGMENTS_AT + i * INVERTED_SEGMENT_SIZE;
    store64(at, s->first);
    store32(at + 8, s->slots);
    store32(at + 12, s->terms);
    store64(at + 16, s->postings);
    store32(at + 24, f32_bits(s->least));
  }
  rc = page_tx_put_structure(b->f->tx, page, PAGE_INVERTED, 0, b->f->after->id, b->f->column, out);
  if (rc == SQLITE_OK && b->old.page.pgno) rc = page_tx_free(b->f->tx, b->old.page.pgno, 1);
  mem_free(page);
  return rc;
}

static int build(Builder *b, u64 end, PageRef *out, u64 *covered) {
  u64 first;
  u32 kept = segments_kept(b, end, &first), i;
  int rc = SQLITE_OK;
  for (i = 0; i < kept && rc == SQLITE_OK; i++) {
    b->segment[i] = b->old.segment[i];
    rc = array_move(&b->old.words[i], b->f->tx, b->refs + i * ARRAY_REF_SIZE);
  }
  for (i = kept; i < b->old.segments && rc == SQLITE_OK; i++) rc = array_free_pages(&b->old.words[i], b->f->tx);
  b->segments = kept;
  while (first < end && b->segments < INVERTED_SEGMENTS && rc == SQLITE_OK) {
    rc = write_segment(b, first, end);
    first += b->now.slots;
  }
  *covered = first;
  return rc ? rc : write_page(b, first, out);
}

/* The same segments, their pages where the transaction wants them. */
static int move_pages(Builder *b, PageRef *out) {
  if (b->f->tx->move_from == 0) return SQLITE_OK;
  return structure_move(b->f, PAGE_INVERTED, b->old.words, INVERTED_SEGMENTS, out);
}

int inverted_fold(const StructureFold *f, PageRef *out, u64 *covered) {
  const SlotColumn *before = &f->before->column[f->column];
  u64 wanted = f->after->slots, end;
  Builder *b;
  int rc = SQLITE_OK, same;
  *out = before->structure_ref;
  *covered = before->covered;
  if (before->structure_ref.pgno == 0 && (wanted < MAX(before->index.from_rows, 1) || (!f->moved && f->rows == 0)))
    return SQLITE_OK;
  b = mem_zeroed(&rc, 1, sizeof *b);
  if (rc) return rc;
  b->f = f;
  b->col = &f->after->column[f->column];
  rc = inverted_open(&b->old, f->before, f->column, before->structure_ref);
  b->whole = f->whole && b->old.segments > 1;
  end = f->moved || f->rows > wanted - before->covered ? wanted : before->covered + f->rows;
  same = !f->moved && !b->whole && end == before->covered;
  if (rc == SQLITE_OK) rc = same ? move_pages(b, out) : build(b, end, out, covered);
  inverted_close(&b->old);
  mem_free(b->term);
  mem_free(b->hash);
  mem_free(b);
  return rc;
}
