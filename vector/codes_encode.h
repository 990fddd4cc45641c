/*
 * codes_encode.h: the loops over elements that write code rows, as a template.
 *
 * Included once per element type by a kernel file that defines before:
 *
 *   CODE                 target attribute of the level
 *   ENCODE_TYPE          f32, f16 or bf16
 *   ENCODE_SIZE          bytes of an element
 *   W and its functions  by including wide_<level>.h; CODES_PIECE floats
 *
 * It defines largest_<type> and round_<type> (codes_int.h), and undefines the ENCODE_ macros. Every operation is rounded, in
 * the order written here: a level must not fuse them, because the bytes of a row are the same at every level.
 */
#if defined(ENCODE_TYPE)

#define ENCODE_CAT3(a, b) a##_##b
#define ENCODE_CAT2(a, b) ENCODE_CAT3(a, b)
#define ENCODE_FN(name) ENCODE_CAT2(name, ENCODE_TYPE)
#define ENCODE_WIDE ENCODE_CAT2(ENCODE_TYPE, wide)

/* The last n < CODES_PIECE of dim elements, then zeros. */
CODE ALWAYS_INLINE W ENCODE_FN(tail)(const u8 *v, u32 dim, u32 n) {
  u8 buffer[CODES_PIECE * ENCODE_SIZE] = {0};
  memcpy(buffer, v + (size_t)(dim - n) * ENCODE_SIZE, (size_t)n * ENCODE_SIZE);
  return ENCODE_WIDE(buffer);
}

CODE static float ENCODE_FN(largest)(const u8 *v, u32 dim) {
  float all[CODES_PIECE];
  W max = w_all(0);
  u32 i;
  for (i = 0; dim - i >= CODES_PIECE; i += CODES_PIECE)
    max = w_max(w_abs(ENCODE_WIDE(v + (size_t)i * ENCODE_SIZE)), max);
  if (i < dim) max = w_max(w_abs(ENCODE_FN(tail)(v, dim, dim - i)), max);
  w_store(all, max);
  for (i = 1; i < CODES_PIECE; i++) all[0] = all[i] > all[0] ? all[i] : all[0];
  return all[0];
}

/* The sums of one metric: `absolute` for l1, `norms` for cosine. */
typedef struct ENCODE_FN(Sums) {
  W residual, codes, norm;
} ENCODE_FN(Sums);

CODE ALWAYS_INLINE void ENCODE_FN(step)(int absolute, int norms, W x, W inverse, W scale, u8 *codes,
                                        ENCODE_FN(Sums) * s) {
  const W rounder = w_all(WIDE_ROUNDER);
  W shifted = w_add(w_mul(x, inverse), rounder), c = w_sub(shifted, rounder), e = w_sub(x, w_mul(c, scale));
  w_codes(codes, shifted);
  s->residual = w_add(s->residual, absolute ? w_abs(e) : w_mul(e, e));
  s->codes = w_add(s->codes, absolute ? w_abs(c) : w_mul(c, c));
  if (norms) s->norm = w_add(s->norm, w_mul(x, x));
}

CODE ALWAYS_INLINE void ENCODE_FN(round_all)(int absolute, int norms, const u8 *v, u32 dim, float inverse, float scale,
                                             u8 *codes, CodeSums *out) {
  const W factor = w_all(inverse), unit = w_all(scale);
  ENCODE_FN(Sums) s;
  u32 i;
  s.residual = s.codes = s.norm = w_all(0);
  for (i = 0; dim - i >= CODES_PIECE; i += CODES_PIECE) {
    ENCODE_FN(step)(absolute, norms, ENCODE_WIDE(v + (size_t)i * ENCODE_SIZE), factor, unit, codes + i, &s);
  }
  if (i < dim) ENCODE_FN(step)(absolute, norms, ENCODE_FN(tail)(v, dim, dim - i), factor, unit, codes + i, &s);
  w_store(out->residual, s.residual);
  w_store(out->codes, s.codes);
  w_store(out->norm, s.norm);
}

CODE static void ENCODE_FN(round)(Metric metric, const u8 *v, u32 dim, float inverse, float scale, u8 *codes,
                                  CodeSums *out) {
  if (metric == METRIC_L1) {
    ENCODE_FN(round_all)(1, 0, v, dim, inverse, scale, codes, out);
  } else if (metric == METRIC_COSINE) {
    ENCODE_FN(round_all)(0, 1, v, dim, inverse, scale, codes, out);
  } else {
    ENCODE_FN(round_all)(0, 0, v, dim, inverse, scale, codes, out);
  }
}

#undef ENCODE_CAT3
#undef ENCODE_CAT2
#undef ENCODE_FN
#undef ENCODE_WIDE
#undef ENCODE_TYPE
#undef ENCODE_SIZE

#endif
