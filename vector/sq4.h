/*
 * sq4.h: 4-bit codes of vectors, from which a walk of a graph estimates distances: an eighth of the bytes of float32 and less.
 *
 * What is learned from a sample of the data (Sq4): its mean and a step. A vector (for cosine divided by its norm) is centred by
 * the mean, rotated, and each coordinate rounded to one of 16 values: code c, 0..15, stands for (c - 7.5) * step. The rotation is a
 * fixed function of the dimension: random signs and Walsh-Hadamard transforms, which even out the dimensions, so that
 * one step serves all. The range of +-7.5 steps is +-2.7 standard deviations, the best clip for normal data.
 *
 * A code is made of blocks of 64 bytes for 128 dimensions: low nibbles hold dimensions 0-63, high nibbles 64-127.
 * Dimensions beyond the vector's have code 0. Codes and what is learned are the same bytes on every processor.
 *
 * Estimates only order rows: a search re-ranks the best on the vectors themselves. Values are u32, smaller is nearer:
 *
 *   l2, cosine   SQ4_ZERO + sum x(4x - 60) - xu over dimensions, where x is the code and u the query's coordinate in eighths of
 *                a step, rounded and clamped to -127..127: up to a constant of the query, the squared distance in units of
 *                step^2 / 4 (of the normalised vectors, for cosine)
 *   dot          SQ4_ZERO - sum xu, u the query's rotated coordinate in units of 1/127 of the largest: the order of -q.x
 *
 * Of a long code the head alone, the first third of its blocks, tells that most rows are far. After an even rotation h of d dimensions have h/d of
 * a squared distance, with a standard deviation of sqrt(2/h (1 - h/d)) of that. Ours is less even where dim is little below twice a power of two and
 * differences lie in few directions, so the share is measured: by each query, on the rows that it reads whole first. A row is taken to be
 * further than the limit if its head is further than the mean share of that by SQ4_MARGIN deviations. In a walk of a graph (clustered data, 768
 * dimensions, cosine) a third of the bytes tells 70 of 100 rows so, and 0.2 % of what is nearer than the limit is lost, all of it close to it.
 *
 * A term lies in -15 * 127 .. 15 * 127 (4x^2 - (60 + u)x is largest and smallest at x = 15, for u = -127 and 127, where it is 1905
 * and -1905). So |sum| <= 1905 * MAX_DIM < 2^24 < SQ4_ZERO: no sum overflows, no value wraps, and all are below 2^27.
 */
#ifndef QUIRE_SQ4_H
#define QUIRE_SQ4_H

#include "distance.h"

#define SQ4_ZERO (1u << 26)
#define SQ4_BLOCK 64     /* bytes of a code for 128 dimensions */
#define SQ4_MARGIN 2.5   /* standard deviations */
#define SQ4_MEASURED 16u /* rows before the share of heads is known */

/* What was learned. Read-only once made: threads may share it. */
typedef struct Sq4 Sq4;

/* A query made ready for the kernels, in a block of the caller: see sq4_query. */
typedef struct Sq4Query Sq4Query;

/* Bytes of a code: SQ4_BLOCK for each 128 dimensions begun. 0 unless l2, cosine or dot on float32, float16 or bfloat16. */
u32 sq4_stride(Metric metric, Elem elem, u32 dim);

/*
 * Learn from `count` vectors of `dim` elements, any alignment. Only if sq4_stride() is not 0.
 *
 * Vectors with an element that is not finite are passed over, and so are those more than five times as far from the mean as half of them are, which
 * would widen the range for all (not for dot, by which they are the nearest). Where there is no variance the step is taken from the size of the
 * mean; without any vectors, or all of them zero, it is that of standard normal data (cosine: of unit vectors). Freed by
 * sq4_free, which accepts NULL. On SQLITE_NOMEM *out is NULL.
 */
int sq4_learn(Metric metric, Elem elem, u32 dim, const void *const *sample, u32 count, Sq4 **out);
void sq4_free(Sq4 *sq4);

/* Bytes of what was learned: little-endian, u32 SQ4_FORMAT, f32 step, dim f32 mean. */
#define SQ4_FORMAT 1
u32 sq4_size(u32 dim);
void sq4_store(const Sq4 *sq4, u8 *bytes);

/*
 * Read what sq4_store wrote, sq4_size(dim) bytes. SQLITE_CORRUPT_VTAB if it is of another format, the step is not a positive
 * finite number, or an element of the mean is not finite or beyond 2^21 steps, which sq4_learn never gives.
 */
int sq4_load(Metric metric, Elem elem, u32 dim, const u8 *bytes, Sq4 **out);

/*
 * Write the code of a vector (any alignment), all sq4_stride() bytes of it; how many coordinates were clipped, that is
 * lay outside +-8 steps, where the nearest value has no code (of normal data with the learned deviation 0.4 %).
 */
u32 sq4_encode(const Sq4 *sq4, const void *vector, u8 *code);

/* Make a query ready (any alignment) in a 64-byte aligned block of sq4_query_size() bytes. */
u32 sq4_query_size(const Sq4 *sq4);
void sq4_query(const Sq4 *sq4, const void *vector, Sq4Query *out);

/* Bytes of the head of a code. 0: all of it is to be read (dot, of which no part says the whole; codes of less than three blocks). */
u32 sq4_head(const Sq4 *sq4);

/* Note what share of their squared distance `count` rows have in their heads, by the values of both. Whether the share is known now. */
int sq4_measure_heads(Sq4Query *query, const u32 *values, const u32 *heads, u32 count);
/* Once it is: the value of a head above which a row is taken to be further than one of value `limit`. */
u32 sq4_head_limit(const Sq4Query *query, u32 limit);

/*
 * Values of `count` rows, given by pointers to their codes (any alignment, fastest where 64-byte aligned): out[i] as above, the
 * same at every level. Reads nothing beyond sq4_stride() bytes of each. Nothing is prefetched: the caller has done so.
 */
typedef void (*Sq4Distances)(const Sq4Query *query, const u8 *const *codes, u32 count, u32 *out);

/* The kernel of the level that simd_level() names, and that of heads: of sq4_head() bytes of each row. */
Sq4Distances sq4_distances(void);
Sq4Distances sq4_heads(void);

#endif
