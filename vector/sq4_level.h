/*
 * sq4_level.h: the loops of 4-bit codes, as a template.
 *
 * Included once by a kernel file that has included wide_<level>.h and defines before:
 *
 *   CODE                 target attribute of the level
 *   SQ4_LEVEL            its name, a string; SQ4_TABLE the variable of its kernels
 *   sq4_four(q, blocks, row, out)  values of the first `blocks` blocks of four codes
 */
#if defined(SQ4_TABLE)

#define SQ4_WIDEN(type, size)                                                                                          \
  CODE static void widen_##type(const u8 *v, u32 dim, float *x) {                                                      \
    u8 last[WIDE_LANES * size] = {0};                                                                                  \
    u32 i;                                                                                                             \
    for (i = 0; dim - i >= WIDE_LANES; i += WIDE_LANES) w_store(x + i, type##_wide(v + (size_t)i * size));             \
    if (i == dim) return;                                                                                              \
    memcpy(last, v + (size_t)i * size, (size_t)(dim - i) * size);                                                      \
    w_store(x + i, type##_wide(last));                                                                                 \
  }

SQ4_WIDEN(f32, 4)
SQ4_WIDEN(f16, 2)
SQ4_WIDEN(bf16, 2)

CODE static float largest(const float *x, u32 padded) {
  float all[WIDE_LANES];
  W max = w_all(0);
  u32 i;
  for (i = 0; i < padded; i += WIDE_LANES) max = w_max(w_abs(w_load(x + i)), max);
  w_store(all, max);
  for (i = 1; i < WIDE_LANES; i++) all[0] = all[i] > all[0] ? all[i] : all[0];
  return all[0];
}

CODE static double squares(const float *x, u32 padded) {
  float all[WIDE_LANES];
  W sums = w_all(0);
  double sum = 0;
  u32 i;
  for (i = 0; i < padded; i += WIDE_LANES) sums = w_add(sums, w_mul(w_load(x + i), w_load(x + i)));
  w_store(all, sums);
  for (i = 0; i < WIDE_LANES; i++) sum += (double)all[i];
  return sum;
}

CODE static void scale(float *x, u32 padded, float factor) {
  const W f = w_all(factor);
  u32 i;
  for (i = 0; i < padded; i += WIDE_LANES) w_store(x + i, w_mul(w_load(x + i), f));
}

CODE static void centre(const Sq4 *sq4, float *x) {
  const W unit = w_all(sq4->unit), inverse = w_all(sq4->inverse), low = w_all(-0x1p60f), high = w_all(0x1p60f);
  u32 i;
  for (i = 0; i < sq4->padded; i += WIDE_LANES) {
    W d = w_sub(w_mul(w_load(x + i), unit), w_load(sq4->centre + i));
    w_store(x + i, w_mul(w_min(w_max(d, low), high), inverse));
  }
}

CODE static void round_all(const float *x, u32 padded, float factor, float offset, float low, float high, u8 *out) {
  const W f = w_all(factor), o = w_all(offset), l = w_all(low), h = w_all(high), rounder = w_all(WIDE_ROUNDER);
  u32 i;
  for (i = 0; i < padded; i += WIDE_LANES) {
    W y = w_add(w_mul(w_load(x + i), f), o);
    w_codes(out + i, w_add(w_min(w_max(y, l), h), rounder));
  }
}

/* ---- Walsh-Hadamard transforms: stages h = 1, 2, 4, … in this order, whatever the number of them in one pass -------------- */

#define SUM_AND_DIFFERENCE(a, b)                                                                                       \
  do {                                                                                                                 \
    W difference = w_sub(a, b);                                                                                        \
    a = w_add(a, b);                                                                                                   \
    b = difference;                                                                                                    \
  } while (0)

CODE ALWAYS_INLINE void pass2(float *x, u32 h) {
  W a = w_load(x), b = w_load(x + h);
  SUM_AND_DIFFERENCE(a, b);
  w_store(x, a);
  w_store(x + h, b);
}

CODE ALWAYS_INLINE void pass4(float *x, u32 h) {
  W a = w_load(x), b = w_load(x + h), c = w_load(x + 2 * h), d = w_load(x + 3 * h);
  SUM_AND_DIFFERENCE(a, b);
  SUM_AND_DIFFERENCE(c, d);
  SUM_AND_DIFFERENCE(a, c);
  SUM_AND_DIFFERENCE(b, d);
  w_store(x, a);
  w_store(x + h, b);
  w_store(x + 2 * h, c);
  w_store(x + 3 * h, d);
}

/* Signs, and the stages within W. */
CODE ALWAYS_INLINE W first_stages(const float *x, const float *signs) {
  return w_hadamard(w_mul(w_load(x), w_load(signs)));
}

/* The first six stages of 64 floats. */
CODE ALWAYS_INLINE void first64(float *x, const float *signs) {
  W a = first_stages(x, signs), b = first_stages(x + 16, signs + 16);
  W c = first_stages(x + 32, signs + 32), d = first_stages(x + 48, signs + 48);
  SUM_AND_DIFFERENCE(a, b);
  SUM_AND_DIFFERENCE(c, d);
  SUM_AND_DIFFERENCE(a, c);
  SUM_AND_DIFFERENCE(b, d);
  w_store(x, a);
  w_store(x + 16, b);
  w_store(x + 32, c);
  w_store(x + 48, d);
}

/* Fewer than WIDE_LANES floats. */
CODE static void transform_few(float *x, const float *signs, u32 length) {
  float all[WIDE_LANES] = {0}, sign[WIDE_LANES] = {0};
  u32 i, h;
  memcpy(all, x, length * sizeof *x);
  memcpy(sign, signs, length * sizeof *x);
  w_store(all, w_mul(w_load(all), w_load(sign)));
  for (h = 1; h < length; h *= 2) {
    for (i = 0; i < length; i++) {
      float a = all[i], b = all[i | h];
      if (i & h) continue;
      all[i] = a + b;
      all[i | h] = a - b;
    }
  }
  memcpy(x, all, length * sizeof *x);
}

CODE static void transform(float *x, const float *signs, u32 length) {
  u32 i, k, h = 64;
  if (length < WIDE_LANES) {
    transform_few(x, signs, length);
    return;
  }
  if (length < 64) {
    for (i = 0; i < length; i += WIDE_LANES) w_store(x + i, first_stages(x + i, signs + i));
    if (length == 32) pass2(x, 16);
    return;
  }
  for (i = 0; i < length; i += 64) first64(x + i, signs + i);
  for (; h < length / 2; h *= 4) {
    for (i = 0; i < length; i += 4 * h) {
      for (k = 0; k < h; k += WIDE_LANES) pass4(x + i + k, h);
    }
  }
  for (k = 0; h < length && k < h; k += WIDE_LANES) pass2(x + k, h);
}

/* Rounds on the first and the last `length` floats in turn: the same where that is all. */
CODE static void rotate(const Sq4 *sq4, float *x) {
  u32 round;
  for (round = 0; round < sq4->rounds; round++) {
    transform(round % 2 ? x + sq4->dim - sq4->length : x, sq4->signs + (size_t)round * sq4->length, sq4->length);
  }
}

/* ---- values of rows ------------------------------------------------------------------------------------------------------ */

CODE ALWAYS_INLINE void values(const Sq4Query *q, u32 blocks, const u8 *const *rows, u32 count, u32 *out) {
  ROWS_BY_FOUR(u32, sq4_four, q, blocks);
}

/* A single block, up to 128 dimensions, without the loop. */
CODE static void distances(const Sq4Query *query, const u8 *const *codes, u32 count, u32 *out) {
  if (query->blocks == 1) {
    values(query, 1, codes, count, out);
  } else {
    values(query, query->blocks, codes, count, out);
  }
}

CODE static void heads(const Sq4Query *query, const u8 *const *codes, u32 count, u32 *out) {
  values(query, query->head, codes, count, out);
}

const Sq4Kernels SQ4_TABLE = {
    SQ4_LEVEL, distances, heads, {[ELEM_F32] = widen_f32, [ELEM_F16] = widen_f16, [ELEM_BF16] = widen_bf16},
    largest,   squares,   scale, centre,
    rotate,    round_all,
};

#endif
