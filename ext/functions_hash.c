/*
 * functions_hash.c: vec_hash_text(text, dims): a vector for a text without any model.
 *
 * Texts that share letter sequences get near vectors (cosine): good enough for typos, names and near-duplicates, and
 * for trying the extension out; it knows nothing of meaning.
 *
 *   1. The text's code points are folded to lower case (fold_case), and each run of white space becomes one space.
 *   2. A marker U+0002 goes before the first and U+0003 after the last.
 *   3. Each three consecutive code points are a feature, hashed with 64-bit FNV-1a over their little-endian 32-bit
 *      numbers, then mixed by MurmurHash3's 64-bit finalizer (both public domain; FNV: draft-eastlake-fnv).
 *   4. Bit 0 of the hash is the sign, the other bits modulo `dims` the element to which +1 or -1 is added: the hashing
 *      trick of Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
 *   5. The vector is divided by its Euclidean length. Counts are integers and division and square root are correctly
 *      rounded, so that every machine gives the same bytes.
 *
 * A text without a feature (empty) gives the zero vector. The steps are frozen: vectors made by them are stored.
 */
#include "functions_int.h"

#include <math.h>

#define TEXT_BEGIN 0x02u
#define TEXT_END 0x03u

/* The next code point of UTF-8 text; U+FFFD for each byte that is not part of a well-formed sequence. */
static u32 next_code_point(const u8 **at, const u8 *end) {
  const u8 *p = *at;
  static const u32 smallest[] = {0, 0x80, 0x800, 0x10000};
  u32 c = *p++;
  int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0, i;

  *at = p;
  if (c < 0x80) return c;
  if (more == 0 || c >= 0xf8 || end - p < more) return 0xfffd;
  c &= 0x3fu >> more;
  for (i = 0; i < more; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0xfffd;
    c = c << 6 | (p[i] & 0x3fu);
  }
  if (c < smallest[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0xfffd;
  *at = p + more;
  return c;
}

/* Simple lower case of ASCII, Latin-1, Latin Extended-A, Greek, Cyrillic and Armenian; all else is itself. */
static u32 fold_case(u32 c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c >= 0xc0 && c <= 0xde) return c == 0xd7 ? c : c + 32;
  if (c >= 0x100 && c <= 0x177) {
    if (c == 0x130 || c == 0x131 || c == 0x138 || c == 0x149) return c;
    return c >= 0x139 && c <= 0x148 ? c + (c & 1) : c | 1;
  }
  if (c == 0x178) return 0xff;
  if (c >= 0x179 && c <= 0x17e) return c + (c & 1);
  if (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) return c + 32;
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  if (c >= 0x410 && c <= 0x42f) return c + 32;
  if (c >= 0x531 && c <= 0x556) return c + 48;
  return c;
}

static int is_space(u32 c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || c == 0x3000; }

static u64 hash_trigram(const u32 trigram[3]) {
  u64 hash = 0xcbf29ce484222325u;
  int i, shift;
  for (i = 0; i < 3; i++) {
    for (shift = 0; shift < 32; shift += 8) hash = (hash ^ (trigram[i] >> shift & 0xff)) * 0x100000001b3u;
  }
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
  return hash ^ hash >> 33;
}

/* The trigram that slides over the text. */
typedef struct TrigramCounter {
  u32 window[3];
  u32 filled; /* how many of the window are set */
  u32 dim;
  i32 *count; /* dim of them */
} TrigramCounter;

static void add_code_point(TrigramCounter *counter, u32 c) {
  u64 hash;
  counter->window[0] = counter->window[1];
  counter->window[1] = counter->window[2];
  counter->window[2] = c;
  if (counter->filled < 3) counter->filled++;
  if (counter->filled < 3) return;
  hash = hash_trigram(counter->window);
  counter->count[(hash >> 1) % counter->dim] += hash & 1 ? 1 : -1;
}

static void count_trigrams(TrigramCounter *counter, const u8 *text, int size) {
  const u8 *end = text + size;
  int was_space = 0;

  add_code_point(counter, TEXT_BEGIN);
  while (text < end) {
    u32 c = next_code_point(&text, end);
    int space = is_space(c);
    if (!space || !was_space) add_code_point(counter, space ? ' ' : fold_case(c));
    was_space = space;
  }
  add_code_point(counter, TEXT_END);
}

/* out[i] = count[i] / |count| */
static void normalize_counts(const TrigramCounter *counter, Vector *out) {
  double norm = 0;
  u32 i;
  for (i = 0; i < counter->dim; i++) norm += (double)counter->count[i] * counter->count[i];
  norm = norm > 0 ? sqrt(norm) : 1;
  for (i = 0; i < counter->dim; i++) (void)vector_set(out, i, counter->count[i] / norm);
}

/* vec_hash_text(text, dims): float32, dims from 1 to 8192. NULL gives NULL; numbers are hashed as their text. */
void vec_hash_text(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  i64 dims = sqlite3_value_int64(argv[1]);
  TrigramCounter counter = {0};
  Vector vector = {0};
  const u8 *text;
  int rc = SQLITE_OK;

  (void)argc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  if (dims < 1 || dims > (i64)MAX_DIM) {
    char *message = sqlite3_mprintf("vec_hash_text() takes 1 to %u dimensions, not %lld", MAX_DIM, (long long)dims);
    result_failure(ctx, message ? SQLITE_ERROR : SQLITE_NOMEM, message);
    return;
  }
  text = sqlite3_value_text(argv[0]);
  if (text == NULL) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  counter.dim = (u32)dims;
  counter.count = mem_zeroed(&rc, counter.dim, sizeof *counter.count);
  if (rc == SQLITE_OK) rc = vector_new(ELEM_F32, counter.dim, &vector);
  if (rc == SQLITE_OK) {
    count_trigrams(&counter, text, sqlite3_value_bytes(argv[0]));
    normalize_counts(&counter, &vector);
    result_vector(ctx, &vector);
  } else {
    sqlite3_result_error_nomem(ctx);
  }
  mem_free(counter.count);
  vector_clear(&vector);
}
