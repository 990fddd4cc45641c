#define _GNU_SOURCE 1
#include "keys.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const key_set_name[KEY_SETS] = {"sequential", "gaps", "uniform", "lognormal", "snowflake", "adversarial"};

uint64_t next_random(uint64_t *state) {
  uint64_t x = *state += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

#define DIGIT_BITS 11
#define DIGITS 6
#define DIGIT(key, d) (((uint64_t)(key) ^ (uint64_t)1 << 63) >> DIGIT_BITS * (d) & ((1u << DIGIT_BITS) - 1))

void sort_keys(int64_t *keys, int64_t *scratch, uint64_t count) {
  static uint64_t at[DIGITS][1 << DIGIT_BITS];
  int64_t *from = keys, *to = scratch;
  memset(at, 0, sizeof at);
  for (uint64_t i = 0; i < count; i++) {
    for (int d = 0; d < DIGITS; d++) at[d][DIGIT(keys[i], d)]++;
  }
  for (int d = 0; d < DIGITS; d++) {
    uint64_t sum = 0;
    for (uint64_t value = 0; value < 1 << DIGIT_BITS; value++) {
      uint64_t n = at[d][value];
      at[d][value] = sum;
      sum += n;
    }
    for (uint64_t i = 0; i < count; i++) to[at[d][DIGIT(from[i], d)]++] = from[i];
    int64_t *t = from;
    from = to;
    to = t;
  }
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
  int64_t *scratch;
  for (i = 0; i < count; i++) keys[i] = make_key(set, i, &state);
  scratch = malloc(count * sizeof *keys);
  if (scratch == NULL) {
    fprintf(stderr, "bench: no memory\n");
    exit(1);
  }
  sort_keys(keys, scratch, count);
  free(scratch);
  for (i = 0; i < count; i++) {
    if (n == 0 || keys[n - 1] != keys[i]) keys[n++] = keys[i];
  }
  return n;
}
