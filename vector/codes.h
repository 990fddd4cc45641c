/*
 * codes.h: code rows: a quarter of the bytes of a float32 vector, from which a lower bound of a distance is proven.
 *
 * A scan that looks for the nearest rows reads the code rows and, of those few whose bound does not exceed the worst
 * candidate so far, the vectors themselves. Its answer is that of a scan of the vectors: the bound holds for every input,
 * rounding included (proof in codes.c).
 *
 * A code row is little-endian, a multiple of 16 bytes:
 *
 *      0  f32 scale s   4  f32 radius r   8  f32 square of the norm of s*c (l2), norm of s*c (cosine, dot), else 0
 *     12  f32 zero     16  dim codes c, int8, in -127..127; then zeros to a multiple of 16
 *
 * For cosine all three are divided by the norm of the vector. r is infinite for a vector beyond the range of the codes: then
 * nothing can be told of the row, and it is always read. The bytes depend on vector, type and metric alone, not on the
 * processor. Only float32, float16 and bfloat16 have codes, for l2, cosine, dot and l1.
 */
#ifndef QUIRE_CODES_H
#define QUIRE_CODES_H

#include "distance.h"

/* Bytes of a code row, a multiple of 16; 0 if this metric, type and dimension have no codes. */
u32 codes_stride(Metric metric, Elem elem, u32 dim);

/* Write the code row of a vector (any alignment), all codes_stride() bytes of it. Only if codes_stride() is not 0. */
void codes_encode(Metric metric, Elem elem, const void *vector, u32 dim, u8 *row);

/* Add the dim elements that a row decodes to (cosine: of the normalised vector) to numbers. */
void codes_add(const u8 *row, u32 dim, double *sum);

/* A query made ready for scans of code rows. Read-only once made: several scans may share it. */
typedef struct CodeQuery CodeQuery;

/* Only if codes_stride() is not 0. Freed by codes_query_free, which accepts NULL. On SQLITE_NOMEM *out is NULL. */
int codes_query(Metric metric, Elem elem, const void *query, u32 dim, CodeQuery **out);
void codes_query_free(CodeQuery *query);

/*
 * Lower bounds of `count` code rows, `stride` bytes apart: lower[i] is at most the order-preserving value (l2: squared) of the
 * true distance, and at most that of distance_exact(). Never NaN; -INFINITY, or for l2 a number of at most 0, where nothing
 * can be told. Values of distance_scan() may be below the bound by distance_error(). Reads nothing beyond codes_stride() bytes
 * of each row. Any alignment; fastest where rows are 16-byte aligned.
 */
typedef void (*CodeScan)(const CodeQuery *query, const u8 *rows, size_t stride, u32 count, float *lower);

/* The same of rows that lie apart, given by pointers; nothing is prefetched: the caller has done so. */
typedef void (*CodeScanApart)(const CodeQuery *query, const u8 *const *rows, u32 count, float *lower);

/* The kernels of the level that simd_level() names; NULL if metric and type have no codes. */
CodeScan codes_scan(Metric metric, Elem elem);
CodeScanApart codes_scan_apart(Metric metric, Elem elem);

#endif
