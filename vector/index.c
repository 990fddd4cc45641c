/*
 * index.c: which index for which table.
 */
#include "index.h"

#include "structure.h"

#define FROM_BYTES (2u << 20) /* of code rows: a scan of fewer is as fast as a walk ... */
#define FROM_ROWS_MIN 2000u   /* ... but not of fewer rows than this */
#define FROM_ROWS_MAX 20000u  /* ... nor more */

u32 index_default_from_rows(u32 dim, Elem elem) {
  u32 code_row = 16 + (elem == ELEM_BIT ? dim / 8 : dim);
  return MIN(MAX(FROM_BYTES / code_row, FROM_ROWS_MIN), FROM_ROWS_MAX);
}

static const struct {
  u32 kind;
  const IndexMethods *index;
  const StructureMethods *structure;
} kinds[] = {{INDEX_HNSW, &hnsw_index, &graph_structure},
             {INDEX_IVF, &ivf_index, &ivf_structure},
             {INDEX_INVERTED, &inverted_index, &inverted_structure}};
#define KIND_COUNT (sizeof kinds / sizeof *kinds)

const IndexMethods *index_find(u32 kind) {
  size_t i;
  for (i = 0; i < KIND_COUNT; i++) {
    if (kinds[i].kind == kind) return kinds[i].index;
  }
  return &flat_index;
}

const StructureMethods *structure_of(u32 kind) {
  size_t i;
  for (i = 0; i < KIND_COUNT; i++) {
    if (kinds[i].kind == kind) return kinds[i].structure;
  }
  return NULL;
}

const StructureMethods *structure_of_page(PageKind page) {
  size_t i;
  for (i = 0; i < KIND_COUNT; i++) {
    if (kinds[i].structure->page == page) return kinds[i].structure;
  }
  return NULL;
}
