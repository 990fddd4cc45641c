#define _GNU_SOURCE 1
#include "keys.h"

#include <math.h>
#include <stdlib.h>

const char *const key_set_name[KEY_SETS] = {"sequential", "gaps", "uniform", "lognormal", "snowflake", "adversarial"};

uint64_t next_random(uint64_t *state) {
  uint64_t x = *state += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

int compare_keys(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static double uniform(uint64_t *state) { return ((double)(next_random(state) >> 11) + 0.5) / 9007199254740992.0; }

static int64_t make_key(KeySet set, uint64_t i, uint64_t *state) {
  double u;
  switch (set) {
    case KEYS_SEQUENTIAL: return (int64_t)i + 1;
    case KEYS_GAPS: return (int64_t)(i * 10 / 9 + 1); /* one in ten is left out */
    case KEYS_UNIFORM: return (int64_t)(next_random(state) >> 1);
    case KEYS_LOGNORMAL:
      u = sqrt(-2 * log(uniform(state)));
      return (int64_t)(exp(2 * u * cos(6.283185307179586 * uniform(state))) * 1e12);
    case KEYS_SNOWFLAKE: /* milliseconds of a clock, worker, sequence: about ten a millisecond from 8 workers */
      return (int64_t)((((uint64_t)1 << 40) + i / 10) << 22 | (next_random(state) & 7) << 12 | (i % 10));
    default: /* runs of a length near the model's error, at distances that grow and shrink by powers of two */
      return (int64_t)((i / 40) * ((uint64_t)1 << 41) + (i % 40) * ((uint64_t)1 << (i / 40 * 7 % 35)));
  }
}

uint64_t keys_make(KeySet set, int64_t *keys, uint64_t count) {
  uint64_t i, n = 0, state = 1 + (uint64_t)set;
  for (i = 0; i < count; i++) keys[i] = make_key(set, i, &state);
  qsort(keys, count, sizeof *keys, compare_keys);
  for (i = 0; i < count; i++) {
    if (n == 0 || keys[n - 1] != keys[i]) keys[n++] = keys[i];
  }
  return n;
}
