/*
 * codes_plain.c: scans of code rows in C alone. See codes_int.h for how a level is made.
 *
 * The loops over lanes have a fixed length, so that compilers turn them into whatever vector instructions their baseline has.
 */
#include "codes_int.h"

#if !defined(__SANITIZE_ADDRESS__) /* takes minutes at O3 */
#define EXACT_FLOAT_O3
#endif
#include "exact_float.h"

#define CODE

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

#include "wide_plain.h"

#define ENCODE_TYPE f32
#define ENCODE_SIZE 4
#include "codes_encode.h"

#define ENCODE_TYPE f16
#define ENCODE_SIZE 2
#include "codes_encode.h"

#define ENCODE_TYPE bf16
#define ENCODE_SIZE 2
#include "codes_encode.h"

/* ---- scans ---------------------------------------------------------------------------------------------------------- */

typedef struct V4 {
  float lane[SCAN_ROWS];
} V4;

#define EACH_ROW(r) for (r = 0; r < SCAN_ROWS; r++)

ALWAYS_INLINE V4 v4_all(float f) {
  V4 v;
  u32 r;
  EACH_ROW(r) v.lane[r] = f;
  return v;
}

ALWAYS_INLINE V4 v4_add(V4 a, V4 b) {
  u32 r;
  EACH_ROW(r) a.lane[r] += b.lane[r];
  return a;
}

ALWAYS_INLINE V4 v4_sub(V4 a, V4 b) {
  u32 r;
  EACH_ROW(r) a.lane[r] -= b.lane[r];
  return a;
}

ALWAYS_INLINE V4 v4_mul(V4 a, V4 b) {
  u32 r;
  EACH_ROW(r) a.lane[r] *= b.lane[r];
  return a;
}

ALWAYS_INLINE V4 v4_max(V4 a, V4 b) {
  u32 r;
  EACH_ROW(r) a.lane[r] = a.lane[r] > b.lane[r] ? a.lane[r] : b.lane[r];
  return a;
}

ALWAYS_INLINE V4 v4_sqrt(V4 a) {
  u32 r;
  EACH_ROW(r) a.lane[r] = sqrtf(a.lane[r]);
  return a;
}

ALWAYS_INLINE void v4_store(float *p, V4 v) { memcpy(p, v.lane, sizeof v.lane); }

ALWAYS_INLINE void codes_heads(const u8 *const row[SCAN_ROWS], V4 h[3]) {
  u32 r, i;
  for (i = 0; i < 3; i++) EACH_ROW(r) h[i].lane[r] = f32_at(row[r], i);
}

ALWAYS_INLINE V4 codes_dots(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead) {
  V4 out;
  u32 r, i, n = q->pieces * CODES_PIECE;
  EACH_ROW(r) {
    const i8 *c = (const i8 *)row[r] + CODES_HEADER;
    i32 sum = 0;
    for (i = 0; i < n; i += 64) PREFETCH((uintptr_t)c + ahead + i);
    for (i = 0; i < n; i++) sum += (i32)q->whole[i] * c[i];
    out.lane[r] = (float)sum;
  }
  return out;
}

ALWAYS_INLINE V4 codes_absolutes(const CodeQuery *q, const u8 *const row[SCAN_ROWS], size_t ahead, V4 s) {
  V4 out;
  u32 r, i, j;
  EACH_ROW(r) {
    const i8 *c = (const i8 *)row[r] + CODES_HEADER;
    const float *x = q->exact;
    float sum[SUM_LANES] = {0};
    for (i = 0; i < q->pieces * CODES_PIECE; i += SUM_LANES, c += SUM_LANES, x += SUM_LANES) {
      if (i % 64 == 0) PREFETCH((uintptr_t)c + ahead);
      for (j = 0; j < SUM_LANES; j++) sum[j] += fabsf(x[j] - s.lane[r] * (float)c[j]);
    }
    out.lane[r] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
  }
  return out;
}

#define CODES_LEVEL "plain"
#define CODES_TABLE codes_plain
#include "codes_scan.h"
