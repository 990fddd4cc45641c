/*
 * rabitq_row.h: codes of one bit a dimension that stand alone, for walks of a graph, whose rows come one by one and in no order.
 *
 * As rabitq.h has it, with the learned mean as the centre: in the coordinates of Sq4 a row keeps the signs s of r, and f = |r|^2 / <s, r>. A row:
 *
 *      0  f32 |r|^2 (dot: 0)   4  f32 f   8  signs: a bit that is set is +1, dimension d is bit d % 8 of byte d / 8; then zeros
 *
 * of rabitq_row_stride() bytes. A row beyond floats has FLT_MAX and 0: far away. Values are estimates without bias, up to what is the same for all
 * rows, as order-preserving floats, smaller is nearer:
 *
 *   l2, cosine   |r|^2 - 2 f <s, q>: the squared distance less |q|^2, in steps^2
 *   dot          - f <s, q>: the negative inner product less that of the mean
 *
 * q is rounded to 1/127 of its largest coordinate, whose sums are exact, so that values are the same bits at every level. The deviation of an
 * estimate is about f |q| SHARE (rabitq.h), which is far more than by 4 bits: see graph_codes.c for what a walk does about it.
 */
#ifndef QUIRE_RABITQ_ROW_H
#define QUIRE_RABITQ_ROW_H

#include "sq4.h"

/* Bytes of a row: a power of two up to a cache line, then whole cache lines. 0 unless sq4_stride() is not 0. */
u32 rabitq_row_stride(Metric metric, Elem elem, u32 dim);

/* Write the row of a vector (any alignment), all rabitq_row_stride() bytes of it. */
void rabitq_row_put(const Sq4 *sq4, const void *vector, u8 *row);

/* A query made ready (any alignment), in a 64-byte aligned block of rabitq_row_query_size() bytes. */
typedef struct RabitqRowQuery RabitqRowQuery;
u32 rabitq_row_query_size(u32 dim);
void rabitq_row_query(const Sq4 *sq4, const void *vector, RabitqRowQuery *out);

/*
 * Values of `count` rows, given by pointers (any alignment); NaN only for hostile bytes. Reads nothing beyond rabitq_row_stride() bytes of each. Nothing is
 * prefetched: the caller has done so.
 */
void rabitq_row_values(const RabitqRowQuery *query, const u8 *const *rows, u32 count, float *out);

#endif
