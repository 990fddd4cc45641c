/*
 * learned.c: choosing, writing, reading and checking chunks. Forms and C1..C4 in learned.h; searching is in rowmap_find.h.
 */
#include "learned.h"

#include "portable.h"

/* Beside its lines a chunk costs its record and a place in the directory; and short chunks make searches slow. In bytes. */
#define CHUNK_COST 128u

static const struct {
  u32 line_keys, max_lines;
  u32 epsilon; /* C3 */
  int stores_slots;
} form[FORM_COUNT] = {
    [FORM_BITMAP] = {BITMAP_LINE_KEYS, BITMAP_MAX_LINES, 0, 0},
    [FORM_DIRECT] = {16, CHUNK_MAX_LINES, 0, 1},
    [FORM_U32] = {16, CHUNK_MAX_LINES, 32, 0},
    [FORM_U32_SLOTS] = {8, CHUNK_MAX_LINES, 16, 1},
    [FORM_U64] = {8, CHUNK_MAX_LINES, 16, 0},
    [FORM_U64_SLOTS] = {5, CHUNK_MAX_LINES, 10, 1},
};

u32 form_line_keys(u32 which) { return form[which].line_keys; }

static u64 distance(const RowmapEntry *entries, u64 i) { return (u64)entries[i].rowid - (u64)entries[0].rowid; }

/* How many of the entries have d < limit. */
static u64 entries_below(const RowmapEntry *entries, u64 count, u64 limit) {
  u64 lo = 0, hi = count;
  if (count == 0 || distance(entries, count - 1) < limit) return count;
  while (lo < hi) {
    u64 mid = lo + (hi - lo) / 2;
    if (distance(entries, mid) < limit)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* How many of the first `count` entries have consecutive slots. */
static u64 consecutive_slots(const RowmapEntry *entries, u64 count) {
  u64 i;
  for (i = 1; i < count && entries[i].slot == entries[0].slot + (u32)i; i++) {
  }
  return MIN(i, count);
}

static u32 lines_for(u32 which, const RowmapEntry *entries, u64 count) {
  if (which == FORM_BITMAP || which == FORM_DIRECT)
    return (u32)(distance(entries, count - 1) / form[which].line_keys) + 1;
  return (u32)((count + form[which].line_keys - 1) / form[which].line_keys);
}

/* The model of the first n entries. Its epsilon is out->epsilon; 0 if that is seen to be larger than `limit`. */
static int fit(const RowmapEntry *entries, u32 n, u32 limit, ChunkRecord *out) {
  i64 low = 0, high = 0;
  u32 i, stop;
  out->slope = n > 1 ? (double)(n - 1) / (double)(i64)distance(entries, n - 1) : 0;
  for (i = 1; i < n && high - low <= 2 * (i64)limit;) {
    for (stop = MIN(n, i + 32); i < stop; i++) {
      i64 error = (i64)i - chunk_predict(out->slope, 0, distance(entries, i));
      low = MIN(low, error);
      high = MAX(high, error);
    }
  }
  out->intercept = (i32)((low + high) / 2);
  out->epsilon = (u32)MAX(high - out->intercept, out->intercept - low);
  return out->epsilon <= limit;
}

/* Take as many of the n entries as a model of bounded error can (C3). */
static void take_modelled(const RowmapEntry *entries, u32 n, u32 hint, ChunkRecord *out) {
  u32 per = form[out->form].line_keys, sure = CHUNK_SURE_LINES * per;
  if (hint && n > 2 * hint) n = 2 * hint;
  for (;;) {
    if (n > per) n -= n % per;
    if (fit(entries, n, n <= sure ? n : form[out->form].epsilon, out)) break;
    n = MAX(n / 2, sure);
  }
  out->count = n;
}

void chunk_choose(const RowmapEntry *entries, u64 count, u32 max_lines, u32 hint, ChunkRecord *out) {
  u64 best_count = 0, run;
  double best_cost = 0;
  u32 which, best = FORM_U64_SLOTS;
  memset(out, 0, sizeof *out);
  count = MIN(count, CHUNK_MAX_KEYS);
  /* no chunk without stored slots has more keys than a bitmap can take, or lines of u32 */
  run = entries_below(entries, count, BITMAP_MAX_LINES * BITMAP_LINE_KEYS);
  run = consecutive_slots(entries, MIN(count, MAX(run, CHUNK_MAX_LINES * form[FORM_U32].line_keys)));
  for (which = 0; which < FORM_COUNT; which++) {
    u64 lines = MIN(max_lines, form[which].max_lines), n = form[which].stores_slots ? count : run;
    double cost;
    if (which == FORM_BITMAP || which == FORM_DIRECT) {
      n = entries_below(entries, n, lines * form[which].line_keys);
    } else {
      n = MIN(n, lines * form[which].line_keys);
      n = entries_below(entries, n, which <= FORM_U32_SLOTS ? 0xffffffffu : CHUNK_MAX_SPAN);
    }
    cost = (double)(lines_for(which, entries, n) * CHUNK_LINE + CHUNK_COST) / (double)n;
    if (best_count && cost >= best_cost) continue;
    best = which;
    best_count = n;
    best_cost = cost;
  }
  out->base = entries[0].rowid;
  out->form = best;
  out->count = (u32)best_count;
  if (!form[best].stores_slots) out->first_slot = entries[0].slot;
  if (best > FORM_DIRECT) take_modelled(entries, (u32)best_count, hint, out);
  out->lines = lines_for(best, entries, out->count);
}

/* --- lines --- */

static void write_bitmap(const ChunkRecord *c, const RowmapEntry *entries, u8 *lines) {
  u32 i, line, next = 0;
  memset(lines, 0, (size_t)c->lines * CHUNK_LINE);
  for (i = 0; i < c->count; i++) {
    u32 d = (u32)distance(entries, i), bit;
    line = d / BITMAP_LINE_KEYS;
    while (next <= line) store16(lines + (size_t)next++ * CHUNK_LINE, (u16)i);
    bit = d % BITMAP_LINE_KEYS + 16;
    lines[(size_t)line * CHUNK_LINE + bit / 8] = (u8)(lines[(size_t)line * CHUNK_LINE + bit / 8] | 1u << bit % 8);
  }
}

static void write_direct(const ChunkRecord *c, const RowmapEntry *entries, u8 *lines) {
  u32 i;
  memset(lines, 0xff, (size_t)c->lines * CHUNK_LINE);
  for (i = 0; i < c->count; i++) store32(lines + 4 * (size_t)distance(entries, i), entries[i].slot);
}

/* One line of n keys (at most as many as fit) of a chunk with this base. */
static void write_key_line(u32 which, i64 base, const RowmapEntry *entries, u32 n, u8 *line) {
  u32 slots_at = which == FORM_U64_SLOTS ? 40 : 32, i;
  if (n < form[which].line_keys || which == FORM_U64_SLOTS) {
    memset(line, 0xff, CHUNK_LINE);
    if (form[which].stores_slots) memset(line + slots_at, 0, CHUNK_LINE - slots_at);
  }
  if (which >= FORM_U64) {
    for (i = 0; i < n; i++) store64(line + 8 * i, (u64)entries[i].rowid - (u64)base);
  } else {
    for (i = 0; i < n; i++) store32(line + 4 * i, (u32)((u64)entries[i].rowid - (u64)base));
  }
  if (!form[which].stores_slots) return;
  for (i = 0; i < n; i++) store32(line + slots_at + 4 * i, entries[i].slot);
}

static void write_keys(const ChunkRecord *c, const RowmapEntry *entries, u8 *lines) {
  u32 per = form[c->form].line_keys, line;
  for (line = 0; line < c->lines; line++) {
    write_key_line(c->form, c->base, entries + line * per, MIN(per, c->count - line * per), lines + line * CHUNK_LINE);
  }
}

void chunk_write(const ChunkRecord *c, const RowmapEntry *entries, u8 *lines) {
  if (c->form == FORM_BITMAP)
    write_bitmap(c, entries, lines);
  else if (c->form == FORM_DIRECT)
    write_direct(c, entries, lines);
  else
    write_keys(c, entries, lines);
}

/* --- reading --- */

#define BITMAP_WORDS (CHUNK_LINE / 8)

static u64 bitmap_word(const u8 *line, u32 w) { return load64(line + 8 * w) & (w ? ~(u64)0 : ~(u64)0xffff); }

/* The entries of a word whose first bit is rowid `base`; the first entry has slot `slot`. */
static u32 read_word(u64 word, i64 base, u32 slot, RowmapEntry *out) {
  u32 n = 0;
  for (; word; word &= word - 1, n++) {
    out[n].rowid = (i64)((u64)base + low_bit(word));
    out[n].slot = slot + n;
  }
  return n;
}

/* How many entries come before those of word w of a line. */
static u32 bitmap_rank(const u8 *line, u32 w) {
  u32 rank = load16(line), i;
  for (i = 0; i < w; i++) rank += count_bits(bitmap_word(line, i));
  return rank;
}

/* Words w..end of a line of a bitmap. */
static u32 read_bitmap(const ChunkRecord *c, const u8 *lines, u32 line, u32 w, u32 end, RowmapEntry *out) {
  const u8 *p = lines + (size_t)line * CHUNK_LINE;
  i64 base = (i64)((u64)c->base + (u64)line * BITMAP_LINE_KEYS - 16);
  u32 slot = c->first_slot + bitmap_rank(p, w), n = 0;
  for (; w < end; w++) n += read_word(bitmap_word(p, w), (i64)((u64)base + 64 * w), slot + n, out + n);
  return n;
}

static u32 read_direct(const ChunkRecord *c, const u8 *lines, u32 line, u32 end, RowmapEntry *out) {
  u32 i, n = 0;
  for (i = line * form[FORM_DIRECT].line_keys; i < end * form[FORM_DIRECT].line_keys; i++) {
    out[n].rowid = (i64)((u64)c->base + i);
    out[n].slot = load32(lines + 4 * (size_t)i);
    n += out[n].slot != NO_SLOT;
  }
  return n;
}

/* Lines line..end of keys, `per` to a line; slots_at: where a line has their slots, 0: nowhere. */
ALWAYS_INLINE u32 read_keys(const ChunkRecord *c, const u8 *lines, u32 line, u32 end, u32 per, int wide, u32 slots_at,
                            RowmapEntry *out) {
  u32 n = 0, i;
  for (; line < end; line++) {
    const u8 *p = lines + (size_t)line * CHUNK_LINE;
    u32 first = line * per, here = MIN(per, c->count - first);
    for (i = 0; i < here; i++, n++) {
      out[n].rowid = (i64)((u64)c->base + (wide ? load64(p + 8 * i) : load32(p + 4 * i)));
      out[n].slot = slots_at ? load32(p + slots_at + 4 * i) : c->first_slot + first + i;
    }
  }
  return n;
}

/* Lines line..end, of any form but FORM_BITMAP. */
static u32 read_lines(const ChunkRecord *c, const u8 *lines, u32 line, u32 end, RowmapEntry *out) {
  switch (c->form) {
    case FORM_DIRECT: return read_direct(c, lines, line, end, out);
    case FORM_U32: return read_keys(c, lines, line, end, form[FORM_U32].line_keys, 0, 0, out);
    case FORM_U32_SLOTS: return read_keys(c, lines, line, end, form[FORM_U32_SLOTS].line_keys, 0, 32, out);
    case FORM_U64: return read_keys(c, lines, line, end, form[FORM_U64].line_keys, 1, 0, out);
    default: return read_keys(c, lines, line, end, form[FORM_U64_SLOTS].line_keys, 1, 40, out);
  }
}

u32 chunk_read_line(const ChunkRecord *c, const u8 *lines, u32 line, RowmapEntry *out) {
  if (c->form == FORM_BITMAP) return read_bitmap(c, lines, line, 0, BITMAP_WORDS, out);
  return read_lines(c, lines, line, line + 1, out);
}

/* Lines of a part, of any form but FORM_BITMAP. */
static u32 part_lines(const ChunkRecord *c) { return CHUNK_PART_KEYS / form[c->form].line_keys; }

u32 chunk_parts(const ChunkRecord *c) {
  if (c->form == FORM_BITMAP) return c->lines * BITMAP_WORDS;
  return (c->lines + part_lines(c) - 1) / part_lines(c);
}

u32 chunk_read_part(const ChunkRecord *c, const u8 *lines, u32 part, RowmapEntry *out) {
  u32 w = part % BITMAP_WORDS, first;
  if (c->form == FORM_BITMAP) return read_bitmap(c, lines, part / BITMAP_WORDS, w, w + 1, out);
  first = part * part_lines(c);
  return read_lines(c, lines, first, MIN(first + part_lines(c), c->lines), out);
}

u32 chunk_part_rank(const ChunkRecord *c, const u8 *lines, u32 part) {
  u32 first, i, n = 0;
  if (c->form == FORM_BITMAP)
    return bitmap_rank(lines + (size_t)(part / BITMAP_WORDS) * CHUNK_LINE, part % BITMAP_WORDS);
  first = part * part_lines(c) * form[c->form].line_keys;
  if (c->form != FORM_DIRECT) return first;
  for (i = 0; i < first; i++) n += load32(lines + 4 * (size_t)i) != NO_SLOT;
  return n;
}

u64 chunk_part_begins(const ChunkRecord *c, const u8 *lines, u32 part) {
  u32 w = part % BITMAP_WORDS, line;
  const u8 *p;
  if (c->form == FORM_BITMAP) return (u64)(part / BITMAP_WORDS) * BITMAP_LINE_KEYS + (w ? 64 * w - 16 : 0);
  line = part * part_lines(c);
  if (c->form == FORM_DIRECT) return (u64)line * form[FORM_DIRECT].line_keys;
  p = lines + (size_t)line * CHUNK_LINE;
  return c->form >= FORM_U64 ? load64(p) : load32(p);
}

/* --- records --- */

void chunk_put_record(const ChunkRecord *c, u8 *record) {
  u64 bits;
  memcpy(&bits, &c->slope, sizeof bits);
  store64(record, (u64)c->base);
  store64(record + 8, bits);
  store32(record + 16, c->line);
  store32(record + 20, c->first_slot);
  store16(record + 24, (u16)(c->count - 1));
  store16(record + 26, (u16)c->lines);
  store16(record + 28, (u16)(i16)c->intercept);
  record[30] = (u8)c->form;
  record[31] = (u8)c->epsilon;
}

void chunk_get_record(const u8 *record, ChunkRecord *c) {
  u64 bits = load64(record + 8);
  memcpy(&c->slope, &bits, sizeof bits);
  c->base = (i64)load64(record);
  c->line = load32(record + 16);
  c->first_slot = load32(record + 20);
  c->count = (u32)load16(record + 24) + 1;
  c->lines = load16(record + 26);
  c->intercept = (i16)load16(record + 28);
  c->form = record[30];
  c->epsilon = record[31];
}

int chunk_record_sound(const ChunkRecord *c) {
  if (c->form >= FORM_COUNT || c->lines == 0 || c->lines > form[c->form].max_lines) return 0;
  if (!(c->slope >= 0 && c->slope <= 1)) return 0; /* NaN neither */
  if (c->form > FORM_DIRECT) return c->lines == (c->count + form[c->form].line_keys - 1) / form[c->form].line_keys;
  return c->count <= c->lines * form[c->form].line_keys;
}

int chunk_check(const ChunkRecord *c, const u8 *lines, i64 *last) {
  RowmapEntry entry[BITMAP_LINE_KEYS];
  u8 again[CHUNK_LINE];
  u32 line, count = 0, i, modelled = c->form > FORM_DIRECT;
  u64 before = 0;
  if (form[c->form].stores_slots && c->first_slot) return 0;
  if (!modelled && (c->epsilon || c->intercept || c->slope > 0)) return 0;
  if (modelled && c->lines > CHUNK_SURE_LINES && c->epsilon > form[c->form].epsilon) return 0; /* C3 */
  for (line = 0; line < c->lines; line++) {
    const u8 *p = lines + (size_t)line * CHUNK_LINE;
    u32 n = chunk_read_line(c, lines, line, entry);
    if (n == 0 && line + 1 == c->lines) return 0;
    if (c->form == FORM_BITMAP && load16(p) != count) return 0;
    for (i = 0; i < n; i++, count++) {
      u64 d = (u64)entry[i].rowid - (u64)c->base;
      i64 off = chunk_predict(c->slope, c->intercept, d) - (i64)count;
      if (count ? d <= before : d != 0) return 0;
      if (d >= CHUNK_MAX_SPAN || entry[i].rowid < c->base) return 0;
      /* one more than epsilon: a machine that rounds twice may differ from the one that wrote it */
      if (modelled && (off > (i64)c->epsilon + 1 || off < -(i64)c->epsilon - 1)) return 0; /* C1 */
      before = d;
    }
    if (!modelled) continue;
    write_key_line(c->form, c->base, entry, n, again);
    if (memcmp(p, again, CHUNK_LINE)) return 0;
  }
  *last = (i64)((u64)c->base + before);
  return count == c->count;
}
