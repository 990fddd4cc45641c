/*
 * run_find.h: the search in a run's directory and chunks, as a template.
 *
 * Included once per level by run_find.c, which defines before it (and once without, for what it includes):
 *
 *   FIND(name)            the level's name for a function; INDEX_TABLE and INDEX_LEVEL its table and word
 *   CODE                  target attribute of the level
 *   node_rank(node, key)  how many of INDEX_NODE keys are <= key
 *   bits_in(word)         bits set in a u64
 *   place32(line, n, d), place64(line, n, d)
 *                         the place of d among the first n (8 or 16; 5 or 8) keys of a line; n or more if it is not there
 */
#include "distance_int.h"
#include "run_index.h"

#if defined(INDEX_TABLE)

#if !defined(QUIRE_RUN_FIND_H)
#define QUIRE_RUN_FIND_H
/* Of word i of a line those bits that come before a place in word `word`, in which `below` are. No branches: they could not be predicted. */
ALWAYS_INLINE u64 bits_before(u32 i, u32 word, u64 below) {
  return (0 - (u64)(i < word)) | (below & (0 - (u64)(i == word)));
}
#endif

/* The chunk whose base is the largest <= key: 1 + its number; 0 if there is none. */
CODE ALWAYS_INLINE u32 FIND(chunk)(const RunIndex *x, i64 key) {
  u32 node = 0, level, at;
  for (level = x->levels - 1; level > 0; level--) {
    node = node * (INDEX_NODE + 1) + node_rank(x->tree + x->start[level] + (size_t)node * INDEX_NODE, key);
    node = MIN(node, x->nodes[level - 1] - 1); /* of a key INT64_MAX */
  }
  at = node * INDEX_NODE + node_rank(x->tree + (size_t)node * INDEX_NODE, key);
  return MIN(at, x->count);
}

CODE ALWAYS_INLINE int FIND(full)(const IndexChunk *c, u64 d, u32 *slot) {
  *slot = c->first_slot + (u32)d;
  return d < c->count;
}

CODE ALWAYS_INLINE int FIND(bitmap)(const IndexChunk *c, const u8 *lines, u64 d, u32 *slot) {
  u32 line, bit, word, rank;
  const u8 *p;
  u64 below;
  if (d >= (u64)c->line_count * BITMAP_LINE_KEYS) return 0;
  line = (u32)d / BITMAP_LINE_KEYS;
  bit = (u32)d % BITMAP_LINE_KEYS + 16;
  word = bit / 64;
  p = lines + (size_t)line * CHUNK_LINE;
  if (!(load64(p + 8 * (size_t)word) >> bit % 64 & 1)) return 0;
  below = ((u64)1 << bit % 64) - 1;
  rank = load16(p) + bits_in(load64(p) & ~(u64)0xffff & bits_before(0, word, below));
  rank += bits_in(load64(p + 8) & bits_before(1, word, below)) + bits_in(load64(p + 16) & bits_before(2, word, below)) +
          bits_in(load64(p + 24) & bits_before(3, word, below)) +
          bits_in(load64(p + 32) & bits_before(4, word, below)) +
          bits_in(load64(p + 40) & bits_before(5, word, below)) +
          bits_in(load64(p + 48) & bits_before(6, word, below)) + bits_in(load64(p + 56) & bits_before(7, word, below));
  *slot = c->first_slot + rank;
  return 1;
}

CODE ALWAYS_INLINE int FIND(direct)(const IndexChunk *c, const u8 *lines, u64 d, u32 *slot) {
  if (d >= (u64)c->line_count * 16) return 0;
  *slot = load32(lines + 4 * (size_t)d);
  return *slot != NO_SLOT;
}

CODE ALWAYS_INLINE u64 FIND(line_key)(const u8 *lines, u32 line, int wide) {
  const u8 *p = lines + (size_t)line * CHUNK_LINE;
  return wide ? load64(p) : load32(p);
}

/* The last line of lo..hi that begins at or before d, or lo. */
CODE ALWAYS_INLINE u32 FIND(line)(const u8 *lines, u32 lo, u32 hi, u64 d, int wide) {
  u32 n = hi - lo + 1;
  while (n > 1) {
    u32 half = n / 2;
    lo += half & (u32) - (FIND(line_key)(lines, lo + half, wide) <= d);
    n -= half;
  }
  return lo;
}

/* The lines where the model expects d. */
CODE ALWAYS_INLINE void FIND(window)(const IndexChunk *c, u64 d, u32 per, u32 *lo, u32 *hi) {
  i64 expected = chunk_predict(c->slope, c->intercept, d), end = c->count - 1;
  i64 from = expected - c->epsilon, to = expected + c->epsilon;
  from = MIN(MAX(from, 0), end);
  to = MIN(MAX(to, 0), end);
  *lo = (u32)from / per;
  *hi = (u32)to / per;
}

CODE ALWAYS_INLINE int FIND(keys)(const IndexChunk *c, const u8 *lines, u64 d, u32 per, int wide, u32 *slot) {
  u32 lo, hi, line, at, i;
  const u8 *p;
  if (UNLIKELY(d >= CHUNK_MAX_SPAN)) return 0;
  FIND(window)(c, d, per, &lo, &hi);
  for (i = lo; i <= hi; i++) PREFETCH(lines + (size_t)i * CHUNK_LINE);
  line = FIND(line)(lines, lo, hi, d, wide);
  p = lines + (size_t)line * CHUNK_LINE;
  at = wide ? place64(p, per, d) : place32(p, per, (u32)d);
  if (at >= per) {
    int enough = (lo == 0 || FIND(line_key)(lines, lo, wide) <= d) &&
                 (hi + 1 == c->line_count || FIND(line_key)(lines, hi + 1, wide) > d);
    if (LIKELY(enough)) return 0;
    line = FIND(line)(lines, 0, c->line_count - 1u, d, wide); /* C2 */
    p = lines + (size_t)line * CHUNK_LINE;
    at = wide ? place64(p, per, d) : place32(p, per, (u32)d);
    if (at >= per) return 0;
  }
  if (line * per + at >= c->count) return 0;
  if (per == 16 || (wide && per == 8))
    *slot = c->first_slot + line * per + at;
  else
    *slot = load32(p + (wide ? 40 : 32) + 4 * (size_t)at);
  return 1;
}

CODE static int FIND(in_chunk)(const IndexChunk *c, const u8 *lines, u64 d, u32 *slot) {
  switch (c->form) {
    case FORM_FULL: return FIND(full)(c, d, slot);
    case FORM_BITMAP: return FIND(bitmap)(c, lines, d, slot);
    case FORM_DIRECT: return FIND(direct)(c, lines, d, slot);
    case FORM_U32: return d >= 0xffffffffu ? 0 : FIND(keys)(c, lines, d, 16, 0, slot);
    case FORM_U32_SLOTS: return d >= 0xffffffffu ? 0 : FIND(keys)(c, lines, d, 8, 0, slot);
    case FORM_U64: return FIND(keys)(c, lines, d, 8, 1, slot);
    default: return FIND(keys)(c, lines, d, 5, 1, slot);
  }
}

CODE static IndexAnswer FIND(one)(const RunIndex *x, i64 key, u32 *slot, u32 *chunk) {
  u32 at = FIND(chunk)(x, key);
  const IndexChunk *c;
  if (at == 0) return INDEX_ABSENT;
  c = &x->chunk[at - 1];
  if (UNLIKELY(c->lines == NULL && c->form != FORM_FULL)) {
    *chunk = at - 1;
    return INDEX_UNREAD;
  }
  return FIND(in_chunk)(c, c->lines, (u64)key - (u64)x->tree[at - 1], slot) ? INDEX_FOUND : INDEX_ABSENT;
}

/* Fetch the lines that the search for d will look at. */
CODE ALWAYS_INLINE void FIND(fetch)(const IndexChunk *c, u64 d) {
  u32 per = c->form == FORM_U32 ? 16 : c->form == FORM_U64_SLOTS ? 5 : 8, lo, hi;
  if (c->lines == NULL || c->form == FORM_FULL) return;
  if (c->form <= FORM_DIRECT) {
    u64 line = d / (c->form == FORM_BITMAP ? BITMAP_LINE_KEYS : 16);
    if (line < c->line_count) PREFETCH(c->lines + line * CHUNK_LINE);
    return;
  }
  if (d >= CHUNK_MAX_SPAN) return;
  FIND(window)(c, d, per, &lo, &hi);
  for (; lo <= hi; lo++) PREFETCH(c->lines + (size_t)lo * CHUNK_LINE);
}

/* Ascending keys are often all of one chunk: 1 + its number; 0: they are not. */
CODE ALWAYS_INLINE u32 FIND(one_chunk)(const RunIndex *x, const i64 *keys, u32 n) {
  u32 i, at, ascending = 1;
  for (i = 1; i < n; i++) ascending &= keys[i - 1] < keys[i];
  if (!ascending) return 0;
  at = FIND(chunk)(x, keys[0]);
  return at == x->count || (at && keys[n - 1] < x->tree[at]) ? at : 0;
}

/* The chunk of each key: 1 + its number; 0: none. */
CODE ALWAYS_INLINE void FIND(chunks)(const RunIndex *x, const i64 *keys, u32 n, u32 *node) {
  u32 level, i;
  for (i = 0; i < n; i++) node[i] = 0;
  for (level = x->levels - 1; level > 0; level--) {
    for (i = 0; i < n; i++) {
      u32 next =
          node[i] * (INDEX_NODE + 1) + node_rank(x->tree + x->start[level] + (size_t)node[i] * INDEX_NODE, keys[i]);
      node[i] = MIN(next, x->nodes[level - 1] - 1);
      PREFETCH(x->tree + x->start[level - 1] + (size_t)node[i] * INDEX_NODE);
      PREFETCH(x->tree + x->start[level - 1] + (size_t)node[i] * INDEX_NODE + 8);
    }
  }
  for (i = 0; i < n; i++) {
    u32 at = node[i] * INDEX_NODE + node_rank(x->tree + (size_t)node[i] * INDEX_NODE, keys[i]);
    node[i] = MIN(at, x->count);
    if (node[i]) PREFETCH(&x->chunk[node[i] - 1]);
  }
}

CODE static void FIND(many)(const RunIndex *x, const i64 *keys, u32 n, u32 *slots, IndexAnswer *answers) {
  u32 node[INDEX_BATCH], i, chunk = FIND(one_chunk)(x, keys, n);
  for (i = 0; i < n && chunk; i++) node[i] = chunk;
  if (chunk == 0) FIND(chunks)(x, keys, n, node);
  for (i = 0; i < n; i++) {
    if (node[i]) FIND(fetch)(&x->chunk[node[i] - 1], (u64)keys[i] - (u64)x->tree[node[i] - 1]);
  }
  for (i = 0; i < n; i++) {
    const IndexChunk *c = &x->chunk[node[i] ? node[i] - 1 : 0];
    answers[i] = INDEX_ABSENT;
    if (node[i] == 0) continue;
    if (c->lines == NULL && c->form != FORM_FULL)
      answers[i] = INDEX_UNREAD;
    else if (FIND(in_chunk)(c, c->lines, (u64)keys[i] - (u64)x->tree[node[i] - 1], &slots[i]))
      answers[i] = INDEX_FOUND;
  }
}

INDEX_TABLE = {INDEX_LEVEL, FIND(one), FIND(many), FIND(in_chunk)};

#endif
