/*
 * codes_scan.h: the scans of code rows, as a template.
 *
 * Included once by a kernel file that defines before:
 *
 *   CODE                     target attribute of the level
 *   CODES_LEVEL              its name, a string; CODES_TABLE the variable of its kernels
 *   V4                       type: four floats, one per row
 *   v4_all(f)                four times f
 *   v4_add, v4_sub, v4_mul(a, b), v4_sqrt(a)
 *   v4_max(a, b)             the larger; b where a is NaN
 *   v4_store(p, v)
 *   codes_heads(row, h)      h[0..2] = the first three floats of the headers of four rows
 *   codes_dots(q, row, ahead)       four sums of q->whole times codes, exact and then rounded to float
 *   codes_absolutes(q, row, ahead, s)  four sums of |q->exact - s*code|, each over at least eight partial sums
 *
 * Rows are taken SCAN_ROWS at a time; the last rows of a scan are padded by repeating the last one. `ahead` is how far beyond
 * each piece to prefetch. The bounds are proven in codes.c.
 */
#if defined(CODES_TABLE)

#include <float.h>

/* Bytes between what is worked on and what is fetched: the next rows, or further. */
#define CODES_AHEAD(stride) MAX(SCAN_ROWS *(stride), (size_t)2048)

CODE ALWAYS_INLINE V4 bounds_l2(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead) {
  V4 h[3], sum, square, distance;
  V4 dot = codes_dots(q, row, ahead);
  codes_heads(row, h);
  sum = v4_add(h[2], v4_all(q->norm));
  square = v4_sub(sum, v4_mul(v4_mul(h[0], v4_all(q->scale)), dot));
  square = v4_sub(square, v4_mul(sum, v4_all(0x1p-19f)));
  distance = v4_sub(v4_sqrt(v4_max(square, v4_all(0))), v4_add(h[1], v4_all(q->radius)));
  distance = v4_max(distance, v4_all(0));
  return v4_sub(v4_mul(v4_mul(distance, distance), v4_all(1 - 0x1p-21f)), v4_all(FLT_MIN));
}

CODE ALWAYS_INLINE V4 bounds_dot(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead) {
  V4 h[3], slack, bound;
  V4 dot = codes_dots(q, row, ahead);
  codes_heads(row, h);
  slack = v4_add(v4_mul(h[1], v4_all(q->norm)), v4_mul(h[2], v4_all(q->radius)));
  bound = v4_sub(v4_all(q->base), v4_mul(v4_mul(h[0], v4_all(q->scale)), dot));
  return v4_max(v4_sub(bound, slack), v4_all(-INFINITY));
}

CODE ALWAYS_INLINE V4 bounds_l1(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead) {
  V4 h[3], sum;
  codes_heads(row, h);
  sum = v4_mul(codes_absolutes(q, row, ahead, h[0]), v4_all(q->norm));
  return v4_max(v4_sub(sum, v4_add(h[1], v4_all(q->radius))), v4_all(-INFINITY));
}

#define CODES_KERNEL(name, bounds)                                                                                     \
  CODE static void name(const CodeQuery *query, const u8 *rows, size_t stride, u32 count, float *lower) {              \
    const CodeQuery q = *query;                                                                                        \
    const size_t ahead = CODES_AHEAD(stride);                                                                          \
    const u8 *row[SCAN_ROWS];                                                                                          \
    float last[SCAN_ROWS];                                                                                             \
    for (; count >= SCAN_ROWS; count -= SCAN_ROWS, rows += SCAN_ROWS * stride, lower += SCAN_ROWS) {                   \
      row[0] = rows;                                                                                                   \
      row[1] = rows + stride;                                                                                          \
      row[2] = row[1] + stride;                                                                                        \
      row[3] = row[2] + stride;                                                                                        \
      v4_store(lower, bounds(&q, row, ahead));                                                                         \
    }                                                                                                                  \
    if (count == 0) return;                                                                                            \
    row[0] = rows;                                                                                                     \
    row[1] = count > 1 ? rows + stride : rows;                                                                         \
    row[2] = count > 2 ? row[1] + stride : row[1];                                                                     \
    row[3] = row[2];                                                                                                   \
    v4_store(last, bounds(&q, row, 0));                                                                                \
    memcpy(lower, last, count * sizeof *lower);                                                                        \
  }

CODES_KERNEL(scan_l2, bounds_l2)
CODES_KERNEL(scan_dot, bounds_dot)
CODES_KERNEL(scan_l1, bounds_l1)

/* The same of rows that lie apart, which the caller has fetched. */
#define CODES_APART(name, bounds)                                                                                      \
  CODE static void name(const CodeQuery *query, const u8 *const *row, u32 count, float *lower) {                       \
    const CodeQuery q = *query;                                                                                        \
    const u8 *rest[SCAN_ROWS];                                                                                         \
    float last[SCAN_ROWS];                                                                                             \
    u32 i;                                                                                                             \
    for (; count >= SCAN_ROWS; count -= SCAN_ROWS, row += SCAN_ROWS, lower += SCAN_ROWS)                               \
      v4_store(lower, bounds(&q, row, 0));                                                                             \
    if (count == 0) return;                                                                                            \
    for (i = 0; i < SCAN_ROWS; i++) rest[i] = row[MIN(i, count - 1)];                                                  \
    v4_store(last, bounds(&q, rest, 0));                                                                               \
    memcpy(lower, last, count * sizeof *lower);                                                                        \
  }

CODES_APART(apart_l2, bounds_l2)
CODES_APART(apart_dot, bounds_dot)
CODES_APART(apart_l1, bounds_l1)

const CodeKernels CODES_TABLE = {
    CODES_LEVEL, {scan_l2, scan_dot, scan_l1}, {apart_l2, apart_dot, apart_l1}, CODES_LARGEST, CODES_ROUND};

#endif
