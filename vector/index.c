/*
 * index.c: which index for which table.
 */
#include "index.h"

#define FROM_BYTES (2u << 20) /* of code rows: a scan of fewer is as fast as a walk ... */
#define FROM_ROWS_MIN 2000u   /* ... but not of fewer rows than this */
#define FROM_ROWS_MAX 20000u  /* ... nor more */

u32 index_default_from_rows(u32 dim, Elem elem) {
  u32 code_row = 16 + (elem == ELEM_BIT ? dim / 8 : dim);
  return MIN(MAX(FROM_BYTES / code_row, FROM_ROWS_MIN), FROM_ROWS_MAX);
}
