/*
 * rabitq_plain.c: 1-bit codes in C alone. See rabitq_int.h.
 */
#include "rabitq_int.h"

#define EXACT_FLOAT_O3
#include "exact_float.h"

u32 rabitq_scan_plain(const RabitqQuery *q, float offset, const u8 *group, float limit, float *w) {
  u32 sum[RABITQ_ROWS] = {0}, hits = 0, b, i;
  for (b = 0; b < q->bytes; b++) {
    const u8 *code = group + RABITQ_CODES_AT + b * RABITQ_ROWS, *table = q->table + 32 * b;
    for (i = 0; i < RABITQ_ROWS; i++) sum[i] += (u32)table[code[i] & 15] + table[16 + (code[i] >> 4)];
  }
  for (i = 0; i < RABITQ_ROWS; i++) {
    float y = (float)sum[i] * q->slope;
    y = y + offset;
    y = y * f32_at(group, RABITQ_ROWS + i);
    w[i] = y + f32_at(group, i);
    hits |= (u32) !(w[i] > limit) << i;
  }
  return hits;
}
