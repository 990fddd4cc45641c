/*
 * distance_scan.h: scan kernels of one element type, as a template.
 *
 * Included once per type by a kernel file that defines before:
 *
 *   CODE                      target attribute of the level
 *   SCAN_TYPE                 f32, f16, bf16 or i8: prefix of the functions below, suffix of the kernels
 *   SCAN_ELEM_SIZE            bytes of an element
 *   SCAN_LANES                elements of one vector
 *   SCAN_NO_UNDERFLOW         1 if sums of squares are finite, and 0 only for the zero vector
 *   SCAN_VEC, SCAN_SUM        types: a vector of elements, a vector of partial sums
 *   <type>_load(p)            a vector from SCAN_LANES elements at p
 *   <type>_tail(v, dim, n)    the last n < SCAN_LANES of the dim elements of v, zeros elsewhere; reads nothing else
 *   <type>_zero()             partial sums, all zero
 *   <type>_products(s, a, b)  s plus the products
 *   <type>_squares(s, a, b)   s plus the squared differences
 *   <type>_absolutes(s, a, b) s plus the absolute differences
 *   <type>_reduce(s, out)     SCAN_ROWS vectors of partial sums to as many floats (integers are summed as such)
 *
 * It defines scan_l2_<type>, scan_l1_<type>, scan_dot_<type>, scan_cosine_<type>, and undefines the SCAN_ macros.
 *
 * Rows are taken SCAN_ROWS at a time: each loaded piece of the query serves all of them, and their sums make independent
 * chains. The last rows of a scan are padded by repeating the last one.
 */
#if defined(SCAN_TYPE)

#define SCAN_CAT3(a, b) a##_##b
#define SCAN_CAT2(a, b) SCAN_CAT3(a, b)
#define SCAN_FN(name) SCAN_CAT2(SCAN_TYPE, name)     /* a primitive, or a helper of this file */
#define SCAN_KERNEL(name) SCAN_CAT2(name, SCAN_TYPE) /* a kernel */

/*
 * out[0..3] = the sums of STEP over the elements of query and four rows; ALSO is a second statement per row and piece, for
 * which `also` holds sums.
 */
#define SCAN_PIECE(LOAD, STEP, ALSO)                                                                                   \
  {                                                                                                                    \
    SCAN_VEC q = LOAD(query), r0 = LOAD(row[0]), r1 = LOAD(row[1]), r2 = LOAD(row[2]), r3 = LOAD(row[3]);              \
    sum[0] = SCAN_FN(STEP)(sum[0], q, r0);                                                                             \
    sum[1] = SCAN_FN(STEP)(sum[1], q, r1);                                                                             \
    sum[2] = SCAN_FN(STEP)(sum[2], q, r2);                                                                             \
    sum[3] = SCAN_FN(STEP)(sum[3], q, r3);                                                                             \
    ALSO                                                                                                               \
  }
#define SCAN_LOAD(v) SCAN_FN(load)((v) + (size_t)i * SCAN_ELEM_SIZE)
#define SCAN_TAIL(v) SCAN_FN(tail)((v), dim, dim - i)
#define SCAN_AHEAD                                                                                                     \
  {                                                                                                                    \
    PREFETCH((uintptr_t)row[0] + ahead + (size_t)i * SCAN_ELEM_SIZE);                                                  \
    PREFETCH((uintptr_t)row[1] + ahead + (size_t)i * SCAN_ELEM_SIZE);                                                  \
    PREFETCH((uintptr_t)row[2] + ahead + (size_t)i * SCAN_ELEM_SIZE);                                                  \
    PREFETCH((uintptr_t)row[3] + ahead + (size_t)i * SCAN_ELEM_SIZE);                                                  \
  }
#define SCAN_NORMS                                                                                                     \
  also[0] = SCAN_FN(products)(also[0], r0, r0);                                                                        \
  also[1] = SCAN_FN(products)(also[1], r1, r1);                                                                        \
  also[2] = SCAN_FN(products)(also[2], r2, r2);                                                                        \
  also[3] = SCAN_FN(products)(also[3], r3, r3);
#define SCAN_NOTHING

#define SCAN_LOOP(STEP, ALSO)                                                                                          \
  for (; dim - i >= SCAN_LANES; i += SCAN_LANES) {                                                                     \
    SCAN_AHEAD                                                                                                         \
    SCAN_PIECE(SCAN_LOAD, STEP, ALSO)                                                                                  \
  }                                                                                                                    \
  if (i < dim) SCAN_PIECE(SCAN_TAIL, STEP, ALSO)

#define SCAN_ZEROS                                                                                                     \
  { SCAN_FN(zero)(), SCAN_FN(zero)(), SCAN_FN(zero)(), SCAN_FN(zero)() }

/* Inner products to dot[], squared norms of the rows to norm2[]. */
CODE ALWAYS_INLINE void SCAN_FN(dot_rows)(const u8 *query, const u8 *const row[SCAN_ROWS], size_t ahead, u32 dim,
                                          float *dot, float *norm2) {
  SCAN_SUM sum[SCAN_ROWS] = SCAN_ZEROS, also[SCAN_ROWS] = SCAN_ZEROS;
  u32 i = 0;
  SCAN_LOOP(products, SCAN_NORMS)
  SCAN_FN(reduce)(sum, dot);
  SCAN_FN(reduce)(also, norm2);
}

/* The next rows, at most SCAN_ROWS of `left`. */
ALWAYS_INLINE void SCAN_FN(point)(const u8 *rows, size_t stride, u32 left, const u8 *row[SCAN_ROWS]) {
  row[0] = rows;
  row[1] = left > 1 ? rows + stride : rows;
  row[2] = left > 2 ? row[1] + stride : row[1];
  row[3] = left > 3 ? row[2] + stride : row[2];
}

/* How far ahead of a piece to prefetch: the same piece of the next rows, or nothing new near the end. */
#define SCAN_NEXT(left) ((left) > SCAN_ROWS ? SCAN_ROWS * stride : 0)

/* Metrics that are one sum: STEP over the pieces. */
#define SCAN_SUM_KERNEL(NAME, STEP)                                                                                    \
  CODE ALWAYS_INLINE void SCAN_FN(STEP##_rows)(const u8 *query, const u8 *const row[SCAN_ROWS], size_t ahead, u32 dim, \
                                               float *out) {                                                           \
    SCAN_SUM sum[SCAN_ROWS] = SCAN_ZEROS;                                                                              \
    u32 i = 0;                                                                                                         \
    SCAN_LOOP(STEP, SCAN_NOTHING)                                                                                      \
    SCAN_FN(reduce)(sum, out);                                                                                         \
  }                                                                                                                    \
  CODE static void SCAN_KERNEL(NAME)(const void *query, const void *rows, size_t stride, u32 count, u32 dim,           \
                                     float *out, float *norm2_max) {                                                   \
    const u8 *p = rows, *row[SCAN_ROWS];                                                                               \
    float value[SCAN_ROWS];                                                                                            \
    u32 n;                                                                                                             \
    (void)norm2_max;                                                                                                   \
    for (; count > 0; count -= n, out += n) {                                                                          \
      n = MIN(count, SCAN_ROWS);                                                                                       \
      SCAN_FN(point)(p, stride, count, row);                                                                           \
      SCAN_FN(STEP##_rows)(query, row, SCAN_NEXT(count), dim, value);                                                  \
      memcpy(out, value, n * sizeof *out);                                                                             \
      if (count > SCAN_ROWS) p += SCAN_ROWS * stride;                                                                  \
    }                                                                                                                  \
  }

SCAN_SUM_KERNEL(scan_l2, squares)
SCAN_SUM_KERNEL(scan_l1, absolutes)

CODE static void SCAN_KERNEL(scan_dot)(const void *query, const void *rows, size_t stride, u32 count, u32 dim,
                                       float *out, float *norm2_max) {
  const u8 *p = rows, *row[SCAN_ROWS];
  float dot[SCAN_ROWS], norm2[SCAN_ROWS], max = *norm2_max;
  u32 n, i;
  for (; count > 0; count -= n) {
    n = MIN(count, SCAN_ROWS);
    SCAN_FN(point)(p, stride, count, row);
    SCAN_FN(dot_rows)(query, row, SCAN_NEXT(count), dim, dot, norm2);
    for (i = 0; i < n; i++) {
      *out++ = 0 - dot[i];
      raise_norm2(norm2[i], &max);
    }
    if (count > SCAN_ROWS) p += SCAN_ROWS * stride;
  }
  *norm2_max = max;
}

CODE static void SCAN_KERNEL(scan_cosine)(const void *query, const void *rows, size_t stride, u32 count, u32 dim,
                                          float *out, float *norm2_max) {
  const u8 *p = rows, *row[SCAN_ROWS];
  float dot[SCAN_ROWS], norm2[SCAN_ROWS], query2;
  u32 n, i;
  (void)norm2_max;
  SCAN_FN(point)(query, 0, 1, row);
  SCAN_FN(dot_rows)(query, row, 0, dim, dot, norm2);
  query2 = norm2[0];
  for (; count > 0; count -= n) {
    n = MIN(count, SCAN_ROWS);
    SCAN_FN(point)(p, stride, count, row);
    SCAN_FN(dot_rows)(query, row, SCAN_NEXT(count), dim, dot, norm2);
    for (i = 0; i < n; i++) *out++ = finish_cosine(dot[i], query2, norm2[i], SCAN_NO_UNDERFLOW);
    if (count > SCAN_ROWS) p += SCAN_ROWS * stride;
  }
}

#undef SCAN_CAT3
#undef SCAN_CAT2
#undef SCAN_FN
#undef SCAN_KERNEL
#undef SCAN_PIECE
#undef SCAN_LOAD
#undef SCAN_TAIL
#undef SCAN_AHEAD
#undef SCAN_NORMS
#undef SCAN_NOTHING
#undef SCAN_LOOP
#undef SCAN_ZEROS
#undef SCAN_NEXT
#undef SCAN_SUM_KERNEL
#undef SCAN_TYPE
#undef SCAN_ELEM_SIZE
#undef SCAN_LANES
#undef SCAN_NO_UNDERFLOW
#undef SCAN_VEC
#undef SCAN_SUM

#endif
