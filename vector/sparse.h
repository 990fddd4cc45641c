/*
 * sparse.h: sparse vectors: float32 values at few of up to 2^31 places.
 *
 * The BLOB, little-endian:
 *
 *   0   u32          SPARSE_MARK: the bytes 'S', 'P', 0xb1, 0x7f. Read as any float type it is NaN, so that no dense
 *                    vector of floats begins like that
 *   4   u32          dimensions, 1 to 2^31
 *   8   u32 count    how many values there are
 *   12  u32[count]   their indexes, from 0, ascending, each once, below the dimensions
 *       f32[count]   the values: finite, not zero
 *
 *   P1  Equal vectors are equal bytes.
 *
 * Texts: pgvector's sparsevec, {index:value,...}/dimensions, with indexes from 1. JSON, with indexes from 0:
 * {"dim":n,"indices":[...],"values":[...]}, or {"index":value,...}, whose dimensions the caller has to know. White space may be
 * anywhere between; indexes in any order; zeros are left out. Numbers are read as in elem.h.
 */
#ifndef QUIRE_SPARSE_H
#define QUIRE_SPARSE_H

#include "distance.h"

#define SPARSE_MARK 0x7fb15053u
#define SPARSE_HEADER 12
#define SPARSE_MAX_DIM ((u64)1 << 31)
/* The most values of one in a vector table: it has room in an extent of pages. */
#define SPARSE_MAX_VALUES 32766u

/* A view of a checked BLOB. */
typedef struct Sparse {
  u32 dim, count;
  const u8 *index, *value; /* count u32 and f32 each, at any alignment */
} Sparse;

/* Whether it says that it is one; nothing else is checked. */
int sparse_marked(const void *blob, u64 size);
/* The view of a BLOB that was checked before. */
Sparse sparse_view(const void *blob);
/*
 * Check all of a BLOB. On SQLITE_ERROR a message in *error (sqlite3_mprintf), which is NULL if memory is out.
 */
int sparse_open(const void *blob, u64 size, Sparse *out, char **error);
/*
 * Make the BLOB of a text.
 *   dim    the dimensions if they are known, else 0; a text that says others is refused
 *   *blob  freed by mem_free
 * SQLITE_ERROR with *error, or SQLITE_NOMEM.
 */
int sparse_parse(const char *text, u64 length, u64 dim, void **blob, u64 *size, char **error);
/* Make the BLOB of a dense vector; *blob freed by mem_free. SQLITE_OK, SQLITE_NOMEM, SQLITE_TOOBIG. */
int sparse_of_dense(Elem elem, const void *vector, u32 dim, void **blob, u64 *size);

/* Index and value number i. */
u32 sparse_index(const Sparse *sparse, u32 i);
float sparse_value(const Sparse *sparse, u32 i);

/* pgvector's text, and JSON; from sqlite3_malloc, NULL if memory is out. */
char *sparse_to_text(const Sparse *sparse);
char *sparse_to_json(const Sparse *sparse);

/* The sum of squares, in double, by ascending index: the same bits on every CPU. */
double sparse_norm2(const Sparse *sparse);
/* Whether the metric is one of sparse vectors: l2, cosine, dot, l1. */
int sparse_metric_fits(Metric metric);
/*
 * The distance of two vectors of the same dimensions, in the units of distance_exact. Sums are in double, by ascending index: the same bits
 * on every CPU.
 */
double sparse_distance(Metric metric, const Sparse *a, const Sparse *b);

#endif
