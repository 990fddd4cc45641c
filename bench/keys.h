/*
 * keys.h: the sets of keys that maps from keys are measured on, the same on every machine.
 */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include <stdint.h>

typedef enum {
  KEYS_SEQUENTIAL,
  KEYS_GAPS,
  KEYS_UNIFORM,
  KEYS_LOGNORMAL,
  KEYS_SNOWFLAKE,
  KEYS_ADVERSARIAL,
  KEY_SETS
} KeySet;
extern const char *const key_set_name[KEY_SETS];

/* The next number of a generator (splitmix64): any state is a seed. */
uint64_t next_random(uint64_t *state);
/* Ascending, by their digits: a few nanoseconds a key. scratch: room for as many. */
void sort_keys(int64_t *keys, int64_t *scratch, uint64_t count);
/* Make about `count` keys of a set, positive, ascending, none twice. How many there are. */
uint64_t keys_make(KeySet set, int64_t *keys, uint64_t count);

#endif
