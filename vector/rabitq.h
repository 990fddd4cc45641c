/*
 * rabitq.h: codes of one bit a dimension of the residuals of vectors to a centre, after RaBitQ (Gao and Long, SIGMOD 2024).
 *
 * Vectors are taken in the coordinates of Sq4 (sq4.h): for cosine divided by the norm, centred by the mean, rotated, in steps. The
 * residual r of a vector o to a centre c is kept as its signs s (+-1), and a factor f = |r|^2 / <s, r>. As the rotation is random with
 * respect to the data, f <s, x> estimates <r, x> for any x without bias, with a standard deviation of about SHARE f |x|, where SHARE^2 =
 * 1 - 2/pi. A value is, smaller is nearer, up to what is the same for all rows of a centre:
 *
 *   l2, cosine   w = |r|^2 - 2 f <s, q - c> = add - 2 f <s, q>, with add = |r|^2 + 2 f <s, c>: the squared distance less |q - c|^2
 *   dot          w = - f <s, q>: the negative inner product less that of the centre
 *
 * and what a scan gives is w less so many standard deviations, RABITQ_EPSILON: a bound that most rows keep. <s, q> is summed from
 * tables: for each four dimensions one of 16 sums, rounded to 7 bits; that error is within the deviation too.
 *
 * Rows stand in groups of RABITQ_ROWS (fast scan: Andre, Kermarrec and Le Scouarnec, VLDB 2015), as many bytes as rabitq_row_bytes() says for each:
 *
 *   f32 add of each row, f32 factor of each row, then for each eight dimensions a byte of each row: the low nibble the signs of the
 *   first four, the high nibble those of the next; a bit that is set is +1, dimensions beyond the vector's have none
 *
 * A row beyond floats has add = FLT_MAX and factor = 0: far away. Codes are the same bytes on every processor, and so are values.
 */
#ifndef QUIRE_RABITQ_H
#define QUIRE_RABITQ_H

#include "sq4.h"

#define RABITQ_ROWS 32u

/* Bytes that a row takes in a group; 0 unless sq4_stride() is not 0. */
u32 rabitq_row_bytes(Metric metric, Elem elem, u32 dim);

/* Floats of a centre's coordinates; put there those of a point: `dim` floats (cosine: of a mean of unit vectors, as it is). */
u32 rabitq_floats(u32 dim);
void rabitq_centre(const Sq4 *sq4, const float *point, float *centre);

/* Write the code of a vector (any alignment) as row i of a group. Groups may have any alignment. */
void rabitq_put(const Sq4 *sq4, const float *centre, const void *vector, u8 *group, u32 i);

/* A query made ready (any alignment), in a 64-byte aligned block of rabitq_query_size() bytes. */
typedef struct RabitqQuery RabitqQuery;
u32 rabitq_query_size(u32 dim);
void rabitq_query(const Sq4 *sq4, const void *vector, RabitqQuery *out);

/* Its rows about one centre: the value of a row, in the units of distance_scan() (of cosine 1 - cos), is base + scale * w. */
typedef struct RabitqList {
  float base, scale, offset;
} RabitqList;

/*
 * distance: for l2 and cosine the squared l2 distance of query and centre (of points as in rabitq_centre), for dot the negative inner product of
 * query and centre.
 */
void rabitq_list(const RabitqQuery *query, float distance, RabitqList *out);

/*
 * w of the rows of a group, of which the bits that are set are not above `limit` (or not a number). Reads rabitq_row_bytes() of each
 * of them all.
 */
u32 rabitq_scan(const RabitqQuery *query, const RabitqList *list, const u8 *group, float limit, float *w);

#endif
