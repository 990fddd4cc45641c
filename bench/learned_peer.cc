/*
 * learned_peer.cc: an in-memory B-tree (absl::btree_map) as a peer of bench/learned.c.
 *
 * Abseil is found by the Makefile; without it the bench prints no such column.
 */
#include <cstdint>

#include "absl/container/btree_map.h"

typedef absl::btree_map<int64_t, uint32_t> Tree;

extern "C" {
void *btree_build(const int64_t *keys, const uint32_t *slots, uint64_t count) {
  Tree *t = new Tree;
  for (uint64_t i = 0; i < count; i++) t->insert(t->end(), Tree::value_type(keys[i], slots[i]));
  return t;
}
/* The slot, or 0xffffffff. */
uint32_t btree_find(const void *tree, int64_t key) {
  const Tree *t = static_cast<const Tree *>(tree);
  Tree::const_iterator at = t->find(key);
  return at == t->end() ? 0xffffffffu : at->second;
}
/* The sum of the slots of `count` keys from the first >= from. */
uint64_t btree_range(const void *tree, int64_t from, uint64_t count) {
  const Tree *t = static_cast<const Tree *>(tree);
  uint64_t sum = 0;
  for (Tree::const_iterator at = t->lower_bound(from); at != t->end() && count; ++at, count--) sum += at->second;
  return sum;
}
void btree_insert(void *tree, const int64_t *keys, const uint32_t *slots, uint64_t count) {
  Tree *t = static_cast<Tree *>(tree);
  for (uint64_t i = 0; i < count; i++) (*t)[keys[i]] = slots[i];
}
void btree_free(void *tree) { delete static_cast<Tree *>(tree); }
}
