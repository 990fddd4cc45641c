/*
 * graph_codes.c: see graph_codes.h.
 */
#include "graph_codes.h"

#define COMPARED_BYTES                                                                                                 \
  320u /* of codes are read in the time that one comparison on full vectors takes (64 to 768 dimensions) */

static int open_vectors(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out) {
  (void)codes;
  (void)sq4;
  return space_full(slots, column, 0, out);
}

static int open_rows(Slots *slots, u32 column, Array *codes, const Sq4 *sq4, Space *out) {
  (void)codes;
  (void)sq4;
  return space_rows(slots, column, 0, out);
}

static void put_sq4(const Sq4 *sq4, const void *vector, u8 *code) { sq4_encode(sq4, vector, code); }

/* What a node costs by the bytes of the rows that exact scans read: fitted so, comparisons of a third of them included. */
static u32 cost_of_rows(const SlotColumn *col) { return col->code_stride ? col->code_stride : col->stride; }

static u32 cost_of_bits(const SlotColumn *col) {
  return rabitq_row_stride(col->metric, col->elem, col->dim) + COMPARED_BYTES;
}

static int never(const SlotColumn *col) {
  (void)col;
  return 0;
}

/* By dot nodes are linked by another distance (G6 of graph.h). */
static int finds_sq4(const SlotColumn *col) { return col->metric != METRIC_DOT; }

static const GraphCodes vectors = {0, "vector", 0, 0, 1, NULL, NULL, never, cost_of_rows, open_vectors};
static const GraphCodes int8 = {0, "8-bit code", 0, 0, 1, NULL, NULL, never, cost_of_rows, open_rows};
static const GraphCodes int4 = {QUANTIZER_INT4, "4-bit code", 0,        0, 1.5, sq4_stride, put_sq4,
                                finds_sq4,      cost_of_rows, space_sq4};
static const GraphCodes bit = {QUANTIZER_BIT,     "1-bit code",   384,   768,          3,
                               rabitq_row_stride, rabitq_row_put, never, cost_of_bits, space_bit};

static const GraphCodes *const kept[] = {&int4, &bit};

const GraphCodes *graph_codes_kept(const SlotColumn *col, u32 quantizer) {
  u32 i;
  for (i = 0; i < sizeof kept / sizeof *kept; i++) {
    if (kept[i]->quantizer == quantizer && kept[i]->stride(col->metric, col->elem, col->dim)) return kept[i];
  }
  return NULL;
}

const GraphCodes *graph_codes_unkept(const SlotColumn *col) {
  return col->index.quantizer != QUANTIZER_NONE && col->code_stride && walk8_fits(col->metric) ? &int8 : &vectors;
}

const GraphCodes *graph_codes_of(const SlotColumn *col) {
  const GraphCodes *codes = graph_codes_kept(col, col->index.quantizer);
  return codes ? codes : graph_codes_unkept(col);
}
