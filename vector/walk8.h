/*
 * walk8.h: distances between code rows of codes.h, for building a graph and for walking one on 8-bit codes.
 *
 * Both sides are code rows; x = s*c is what a row decodes to (cosine: of the normalised vector). Values are floats, smaller is
 * nearer, the same bits at every level, never NaN and never beyond +-FLT_MAX:
 *
 *   l2, cosine          |x-y|^2; a zero vector is the origin
 *   dot, WALK8_QUERY    -x.y
 *   dot, WALK8_BUILD    -x'.y', where x' is x with one more coordinate a = sqrt(max(0, M^2 - |x|^2)): of those that have the norm M with it, the
 *                       largest inner product is the smallest l2 distance. A row beyond M has a = 0.
 *
 * A row of infinite radius (its vector is beyond the range of codes) is FLT_MAX from everything, and so is all from such a query.
 */
#ifndef QUIRE_WALK8_H
#define QUIRE_WALK8_H

#include "codes.h"

typedef enum { WALK8_QUERY, WALK8_BUILD } Walk8Use;

/* A code row made ready for the kernels, in a block of the caller: see walk8_query. */
typedef struct Walk8Query Walk8Query;

/* Whether code rows of this metric can be walked: l2, cosine and dot. */
int walk8_fits(Metric metric);

/*
 * Make a code row ready in a 64-byte aligned block of walk8_query_size() bytes.
 *
 *   row        codes_stride() bytes, any alignment; may be freed afterwards
 *   bound2     M^2, for dot with WALK8_BUILD; else unused
 */
u32 walk8_query_size(u32 dim);
void walk8_query(Metric metric, Walk8Use use, u32 dim, const u8 *row, float bound2, Walk8Query *out);

/*
 * Values of `count` rows, given by pointers (any alignment): out[i] as above. Reads nothing beyond codes_stride() bytes of each
 * row. Nothing is prefetched: the caller has done so.
 */
typedef void (*Walk8Distances)(const Walk8Query *query, const u8 *const *rows, u32 count, float *out);

/* The function for queries of this metric, of both uses; NULL unless walk8_fits(). The level is that of walk8_query()'s call. */
Walk8Distances walk8_distances(Metric metric);

#endif
