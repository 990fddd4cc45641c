/*
 * ivf.h: the index of lists (IVF) of one vector column, on pages.
 *
 * The rows are divided among lists, each about a centroid; a search scans the lists whose centroids are nearest to the query. (Jegou, Douze and
 * Schmid, IEEE TPAMI 2011; residuals in 1-bit codes alone.) Quick to build and to add to, and read in sequence.
 *
 *   I1  The lists cover the slots below `covered`: each that has a vector and lives is in exactly one list. Later slots are searched exactly
 *       beside them, and so are all of a table smaller than from_rows.
 *   I2  A list holds codes (list_codes.h): 1-bit or 4-bit codes, code rows or vectors, as the column's quantizer says; what is given is compared on full vectors, always.
 *   I3  Dead slots stay in the lists, and are passed over by the presence bits, until their list is split or the table is compacted.
 *   I4  Centroids are means, by squared l2, of vectors as float32: as they are, or for cosine divided by their norms. A row is in the list of the
 *       nearest at the time it came (V6: of many it may be another near one); centroids stay. A list that becomes twice as long as lists of so many rows shall be is
 *       split in two, so that growth and drift need no rebuild. nlist=N is the most lists that there may be.
 *   I5  All depends on the order of slots alone, not on the number of threads: seeds are constants, and rows are assigned one by one.
 *
 * The table page names one page (PAGE_IVF, logical id = column) per set of lists:
 *
 *      0  u32 lists   4  u32 bytes learned (sq4_size; 0: none)   8  u32 bytes of a row   12  u32 zero
 *     16  u64 covered   24  u64 slots when codes were learned   32  u64 slots when centroids were   40  u32 codes made since they were learned   44  u32 zero
 *     64  array references: 0 centroids (float32, by list), 1 directory (by block: u32 list or IVF_FREE, u32 rows), 2 blocks,
 *         3 what was learned for codes of 4 bits or 1 (bytes, in blocks of 64)
 *
 *   block   u32 slots, as many as a block has room for, padded to a multiple of 64 bytes; then their rows, as list_codes.h says
 *
 * The blocks of a list are those that the directory says, in the order of their numbers; all but one may be taken to be full. A block is an extent of its
 * array, so that a row that is added copies one block. Where all lists are written at once, those of a list are neighbours.
 */
#ifndef QUIRE_IVF_H
#define QUIRE_IVF_H

#include "list_codes.h"
#include "structure.h"

#define IVF_FREE 0xffffffffu
#define IVF_ARRAYS 4u
#define IVF_MAX_LISTS 65535u
#define IVF_DIRECTORY_STRIDE 8u

typedef struct IvfHead {
  u32 lists, learned_bytes;
  u64 covered, learned_at, trained_at;
  u32 coded; /* codes made since then */
} IvfHead;

/* The arrays as the page names them. */
typedef struct IvfArrays {
  IvfHead head;
  PageRef page;
  u32 row_bytes, room; /* of a row in a block; rows in a block */
  u32 rows_at;         /* where they begin */
  union {
    struct {
      Array centroids, directory, blocks, learned;
    };
    Array all[IVF_ARRAYS];
  };
} IvfArrays;

/* `ref` as in the table page; {0,0}: no lists. */
int ivf_arrays_open(IvfArrays *v, Slots *slots, u32 column, PageRef ref);
void ivf_arrays_close(IvfArrays *v);

/* The blocks of each list: block[start[i]] to block[start[i + 1] - 1] of list i, ascending, of rows[block] rows. */
typedef struct IvfDirectory {
  u32 blocks;
  u32 *list, *rows; /* by block */
  u32 *start, *block;
} IvfDirectory;

int ivf_directory_load(IvfArrays *v, IvfDirectory *out);
void ivf_directory_free(IvfDirectory *d);

/* The vector that is compared with centroids, dim floats. */
void ivf_point(const SlotColumn *col, const void *vector, float *out);
/* Bytes from one centroid to the next. */
static inline u32 ivf_centroid_stride(u32 dim) { return vector_stride(dim * (u32)sizeof(float)); }

/* --- folding (ivf_build.c) --- */

int ivf_fold(const StructureFold *fold, PageRef *out, u64 *covered);

#endif
