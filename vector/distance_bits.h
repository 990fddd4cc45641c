/*
 * distance_bits.h: scan kernels of bit vectors, as a template.
 *
 * Included once by a kernel file that defines before:
 *
 *   CODE                   target attribute of the level
 *   BITS_VEC_SIZE          bytes of one vector, or 0: the level has none
 *   BITS_COUNTS            type: a vector of partial counts
 *   bits_zero()            partial counts, all zero
 *   bits_xor(c, a, b)      c plus the bits set in BITS_VEC_SIZE bytes at a xor b
 *   bits_and(c, a, b), bits_or(c, a, b)
 *   bits_sum(c)            u32: the count
 *   bits_word(w)           u32: the bits set in a u64
 *
 * It defines scan_hamming_bit and scan_jaccard_bit. Bits beyond dim in the last byte are masked off.
 */
#if defined(BITS_VEC_SIZE)

/* The n < 8 bytes at p as a word; `mask` goes over the last byte. */
CODE ALWAYS_INLINE u64 bits_last(const u8 *p, u32 n, u8 mask) {
  u64 w = (u64)(p[n - 1] & mask);
  u32 i;
  for (i = n - 1; i-- > 0;) w = w << 8 | p[i];
  return w;
}

/* A row shorter than this is counted in words: summing up a vector would cost more. */
#define BITS_WORTHWHILE 64u

/* Rows follow each other too fast for the processor to guess: how far ahead of a row to prefetch. */
#define BITS_AHEAD 1024u

/* Count, over all pieces of q and r, with VECTOR whole vectors into v, and with WORDS u64 a and b. */
#define BITS_LOOP(VECTOR, WORDS)                                                                                       \
  u32 size = dim / 8 + (dim % 8 != 0), i = 0;                                                                          \
  u32 whole = dim / 8; /* bytes without bits beyond dim */                                                             \
  u8 mask = (u8)(dim % 8 ? (1u << dim % 8) - 1 : 255);                                                                 \
  u64 a, b;                                                                                                            \
  for (; i < size; i += 64) PREFETCH((uintptr_t)r + BITS_AHEAD + i);                                                   \
  i = 0;                                                                                                               \
  VECTOR                                                                                                               \
  for (; whole - i >= 8; i += 8) {                                                                                     \
    a = load64_fast(q + i);                                                                                            \
    b = load64_fast(r + i);                                                                                            \
    WORDS                                                                                                              \
  }                                                                                                                    \
  if (i < size) {                                                                                                      \
    a = bits_last(q + i, size - i, mask);                                                                              \
    b = bits_last(r + i, size - i, mask);                                                                              \
    WORDS                                                                                                              \
  }

ALWAYS_INLINE u64 load64_fast(const u8 *p) {
#if LITTLE_ENDIAN_HOST
  u64 w;
  memcpy(&w, p, sizeof w);
  return w;
#else
  return load64(p);
#endif
}

#if BITS_VEC_SIZE > 0
#define BITS_XOR_VECTOR                                                                                                \
  if (whole >= BITS_WORTHWHILE) {                                                                                      \
    BITS_COUNTS c = bits_zero();                                                                                       \
    for (; whole - i >= BITS_VEC_SIZE; i += BITS_VEC_SIZE) c = bits_xor(c, q + i, r + i);                              \
    count += bits_sum(c);                                                                                              \
  }
#define BITS_AND_OR_VECTOR                                                                                             \
  if (whole >= BITS_WORTHWHILE) {                                                                                      \
    BITS_COUNTS c = bits_zero(), d = bits_zero();                                                                      \
    for (; whole - i >= BITS_VEC_SIZE; i += BITS_VEC_SIZE) {                                                           \
      c = bits_and(c, q + i, r + i);                                                                                   \
      d = bits_or(d, q + i, r + i);                                                                                    \
    }                                                                                                                  \
    both += bits_sum(c);                                                                                               \
    any += bits_sum(d);                                                                                                \
  }
#else
#define BITS_XOR_VECTOR
#define BITS_AND_OR_VECTOR
#endif

CODE static void scan_hamming_bit(const void *query, const void *rows, size_t stride, u32 rows_left, u32 dim,
                                  float *out, float *norm2_max) {
  const u8 *q = query, *r = rows;
  (void)norm2_max;
  for (; rows_left > 0; rows_left--) {
    u32 count = 0;
    BITS_LOOP(BITS_XOR_VECTOR, count += bits_word(a ^ b);)
    *out++ = (float)count;
    if (rows_left > 1) r += stride;
  }
}

CODE static void scan_jaccard_bit(const void *query, const void *rows, size_t stride, u32 rows_left, u32 dim,
                                  float *out, float *norm2_max) {
  const u8 *q = query, *r = rows;
  (void)norm2_max;
  for (; rows_left > 0; rows_left--) {
    u32 both = 0, any = 0;
    BITS_LOOP(BITS_AND_OR_VECTOR, both += bits_word(a & b); any += bits_word(a | b);)
    *out++ = any ? (float)(1 - (double)both / (double)any) : 0;
    if (rows_left > 1) r += stride;
  }
}

#endif
