/*
 * run_find.c: the search of run_find.h for each level of instructions.
 */
#include "run_find.h"

/* --- plain C --- */

#define FIND(name) plain_##name
#define CODE
#define INDEX_TABLE const IndexKernels index_plain
#define INDEX_LEVEL "plain"
#define node_rank plain_node_rank
#define bits_in count_bits
#define place32 plain_place32
#define place64 plain_place64

ALWAYS_INLINE u32 plain_node_rank(const i64 *node, i64 key) {
  u32 rank = 0, i;
  for (i = 0; i < INDEX_NODE; i++) rank += node[i] <= key;
  return rank;
}

ALWAYS_INLINE u32 plain_place32(const u8 *line, u32 n, u32 d) {
  u32 below = 0, i;
  for (i = 0; i < n; i++) below += load32(line + 4 * i) < d;
  return below < n && load32(line + 4 * (size_t)below) == d ? below : n;
}

ALWAYS_INLINE u32 plain_place64(const u8 *line, u32 n, u64 d) {
  u32 below = 0, i;
  for (i = 0; i < n; i++) below += load64(line + 8 * i) < d;
  return below < n && load64(line + 8 * (size_t)below) == d ? below : n;
}

#include "run_find.h"

#undef FIND
#undef CODE
#undef INDEX_TABLE
#undef INDEX_LEVEL
#undef node_rank
#undef bits_in
#undef place32
#undef place64

#if defined(HAVE_AVX2)

#include <immintrin.h>

#define bits_in(word) ((u32)__builtin_popcountll(word))

/* --- AVX2 --- */

#define FIND(name) avx2_##name
#define CODE __attribute__((target("avx2,fma,f16c,popcnt")))
#define INDEX_TABLE static const IndexKernels table_avx2
#define INDEX_LEVEL "avx2"
#define node_rank avx2_node_rank
#define place32 avx2_place32
#define place64 avx2_place64

CODE ALWAYS_INLINE u32 larger4(const i64 *p, __m256i key) {
  __m256i larger = _mm256_cmpgt_epi64(_mm256_loadu_si256((const __m256i *)(const void *)p), key);
  return (u32)_mm256_movemask_pd(_mm256_castsi256_pd(larger));
}

CODE ALWAYS_INLINE u32 avx2_node_rank(const i64 *node, i64 key) {
  __m256i k = _mm256_set1_epi64x(key);
  u32 mask = larger4(node, k) | larger4(node + 4, k) << 4 | larger4(node + 8, k) << 8 | larger4(node + 12, k) << 12;
  return (u32)__builtin_ctz(mask | 1u << INDEX_NODE);
}

CODE ALWAYS_INLINE u32 equal32(const u8 *p, __m256i key) {
  __m256i equal = _mm256_cmpeq_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p), key);
  return (u32)_mm256_movemask_ps(_mm256_castsi256_ps(equal));
}

CODE ALWAYS_INLINE u32 avx2_place32(const u8 *line, u32 n, u32 d) {
  __m256i k = _mm256_set1_epi32((int)d);
  u32 mask = equal32(line, k) | (n > 8 ? equal32(line + 32, k) << 8 : 0);
  return (u32)__builtin_ctz(mask | 1u << n);
}

CODE ALWAYS_INLINE u32 equal64(const u8 *p, __m256i key) {
  __m256i equal = _mm256_cmpeq_epi64(_mm256_loadu_si256((const __m256i *)(const void *)p), key);
  return (u32)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
}

CODE ALWAYS_INLINE u32 avx2_place64(const u8 *line, u32 n, u64 d) {
  __m256i k = _mm256_set1_epi64x((i64)d);
  u32 mask = equal64(line, k) | equal64(line + 32, k) << 4;
  return (u32)__builtin_ctz((mask & ((1u << n) - 1)) | 1u << n);
}

#include "run_find.h"

const IndexKernels *index_avx2(void) { return &table_avx2; }

#undef FIND
#undef CODE
#undef INDEX_TABLE
#undef INDEX_LEVEL
#undef node_rank
#undef place32
#undef place64

/* --- AVX-512 --- */

#define FIND(name) avx512_##name
#define CODE __attribute__((target("avx2,fma,f16c,popcnt,avx512f,avx512bw,avx512dq,avx512vl")))
#define INDEX_TABLE static const IndexKernels table_avx512
#define INDEX_LEVEL "avx512"
#define node_rank avx512_node_rank
#define place32 avx512_place32
#define place64 avx512_place64

CODE ALWAYS_INLINE u32 avx512_node_rank(const i64 *node, i64 key) {
  __m512i k = _mm512_set1_epi64(key);
  u32 mask = (u32)_mm512_cmpgt_epi64_mask(_mm512_loadu_si512(node), k) |
             (u32)_mm512_cmpgt_epi64_mask(_mm512_loadu_si512(node + 8), k) << 8;
  return (u32)__builtin_ctz(mask | 1u << INDEX_NODE);
}

CODE ALWAYS_INLINE u32 avx512_place32(const u8 *line, u32 n, u32 d) {
  u32 mask = (u32)_mm512_cmpeq_epi32_mask(_mm512_loadu_si512(line), _mm512_set1_epi32((int)d));
  return (u32)__builtin_ctz((mask & ((1u << n) - 1)) | 1u << n);
}

CODE ALWAYS_INLINE u32 avx512_place64(const u8 *line, u32 n, u64 d) {
  u32 mask = (u32)_mm512_cmpeq_epi64_mask(_mm512_loadu_si512(line), _mm512_set1_epi64((i64)d));
  return (u32)__builtin_ctz((mask & ((1u << n) - 1)) | 1u << n);
}

#include "run_find.h"

const IndexKernels *index_avx512(void) { return &table_avx512; }

#else

const IndexKernels *index_avx2(void) { return NULL; }
const IndexKernels *index_avx512(void) { return NULL; }

#endif
