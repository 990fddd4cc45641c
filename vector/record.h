/*
 * record.h: the values of a row as one BLOB, each found without the others: what a quire_map keeps in place of a vector.
 *
 * The BLOB, little-endian:
 *
 *   0   u32          RECORD_MARK: the bytes 'R', 'C', 0xb1, 0x7f, as of a sparse vector (sparse.h)
 *   4   u32 columns  1 to RECORD_MAX_COLUMNS
 *   8   u32          bytes of all of it, a multiple of 4
 *   12  u32[columns] the type in the low 3 bits (0 NULL, 1 integer, 2 float, 3 text in UTF-8, 4 blob), above them where the value ends, from the
 *                    start of the BLOB
 *       the values, one after the other: integers in the fewest of 0 (zero), 1, 2, 4 and 8 bytes that hold them, in two's complement; floats in 8;
 *       then 0 to 3 zeros
 *
 *   R1  Equal rows are equal bytes.
 */
#ifndef QUIRE_RECORD_H
#define QUIRE_RECORD_H

#include "../wal_shim/field.h"

#define RECORD_MARK 0x7fb14352u
#define RECORD_HEADER 12
#define RECORD_MAX_COLUMNS 60u
/* The most bytes of one: it has room in an extent of pages. */
#define RECORD_MAX_BYTES ((u64)256 << 10)

/* Bytes of the record of these values. */
u64 record_size(const FieldValue *values, u32 columns);
/* Write it: `out` has room for record_size() bytes, which are RECORD_MAX_BYTES at most. */
void record_write(const FieldValue *values, u32 columns, u8 *out);
/* Whether these bytes are a record of so many columns, in all that R1 and this page say. */
int record_valid(const void *bytes, u64 size, u32 columns);
/*
 * Value `column` of a record of `size` bytes that has so many columns: into its bytes. 0: it is damaged; memory is safe whatever the bytes are.
 */
int record_get(const u8 *record, u64 size, u32 column, FieldValue *out);

#endif
