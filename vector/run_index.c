/*
 * run_index.c: building the directory of a run. Layout and I1 in run_index.h; the search is run_find.c.
 */
#include "run_index.h"

#include "distance.h"

/* First key of the subtree of node `node` at `level`; INT64_MAX beyond the last. */
static i64 first_key(const RunIndex *x, u32 level, u64 node) {
  while (level-- > 0) node *= INDEX_NODE + 1;
  node *= INDEX_NODE;
  return node < x->count ? x->tree[node] : INT64_MAX;
}

static const IndexKernels *choose_kernels(void) {
  const IndexKernels *const all[] = {index_avx512(), index_avx2(), &index_plain};
  const char *level = simd_level();
  u32 i;
  for (i = 0; i < 2; i++) {
    if (all[i] && strcmp(all[i]->level, level) == 0) return all[i];
  }
  return &index_plain;
}

/* I2. `last`: the largest key that the chunk may have. */
static int is_full(const ChunkRecord *r, i64 last) {
  return r->form == FORM_BITMAP && (u64)last - (u64)r->base == r->count - 1u;
}

int run_index_build(RunIndex *x, const ChunkRecord *records, u32 count, i64 max) {
  u32 nodes = (count + INDEX_NODE - 1) / INDEX_NODE, level, i, k;
  u64 size = 0;
  int rc = SQLITE_OK;
  memset(x, 0, sizeof *x);
  x->kernels = choose_kernels();
  for (level = 0;; level++) {
    x->nodes[level] = nodes;
    x->start[level] = size;
    size += (u64)nodes * INDEX_NODE;
    if (nodes == 1) break;
    nodes = (nodes + INDEX_NODE) / (INDEX_NODE + 1);
  }
  x->levels = level + 1;
  x->tree = mem_aligned(&rc, size * sizeof *x->tree);
  x->chunk = mem_aligned(&rc, (u64)count * sizeof *x->chunk);
  if (rc) {
    run_index_free(x);
    return rc;
  }
  x->count = count;
  x->dense = 1;
  x->first_slot = records[0].first_slot;
  for (i = 0; i < count; i++) {
    const ChunkRecord *r = &records[i];
    IndexChunk *c = &x->chunk[i];
    int full = is_full(r, i + 1 < count ? records[i + 1].base - 1 : max);
    x->dense &= full && r->first_slot == x->first_slot + (u32)x->keys;
    x->tree[i] = r->base;
    x->keys += r->count;
    c->slope = r->slope;
    c->lines = NULL;
    c->first_slot = r->first_slot;
    c->line = r->line;
    c->count = (u16)r->count;
    c->line_count = (u16)r->lines;
    c->intercept = (i16)r->intercept;
    c->form = full ? FORM_FULL : (u8)r->form;
    c->epsilon = (u8)r->epsilon;
  }
  for (i = count; i < x->nodes[0] * INDEX_NODE; i++) x->tree[i] = INT64_MAX;
  for (level = 1; level < x->levels; level++) {
    for (i = 0; i < x->nodes[level]; i++) {
      for (k = 0; k < INDEX_NODE; k++) {
        x->tree[x->start[level] + (u64)i * INDEX_NODE + k] = first_key(x, level - 1, (u64)i * (INDEX_NODE + 1) + k + 1);
      }
    }
  }
  return SQLITE_OK;
}

void run_index_free(RunIndex *x) {
  mem_aligned_free(x->tree);
  mem_aligned_free(x->chunk);
  memset(x, 0, sizeof *x);
}

u32 run_index_chunk(const RunIndex *x, i64 key) {
  u32 lo = 0, hi = x->count;
  while (lo < hi) {
    u32 mid = lo + (hi - lo) / 2;
    if (x->tree[mid] <= key)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

void run_index_record(const RunIndex *x, u32 chunk, ChunkRecord *out) {
  const IndexChunk *c = &x->chunk[chunk];
  out->base = x->tree[chunk];
  out->slope = c->slope;
  out->line = c->line;
  out->first_slot = c->first_slot;
  out->count = c->count;
  out->lines = c->line_count;
  out->intercept = c->intercept;
  out->form = c->form == FORM_FULL ? FORM_BITMAP : c->form;
  out->epsilon = c->epsilon;
}
