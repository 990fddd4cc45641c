/*
 * elem.h: element types of vectors: sizes, names, checks, text forms.
 *
 * A vector is `dim` elements, little-endian, dense: float32, float16 (IEEE binary16), bfloat16, int8, or bits packed
 * eight to a byte with element i in bit i%8 of byte i/8 (as sqlite-vec packs them); or it is the BLOB of a sparse one (sparse.h), whose
 * bytes are not elements, or no vector at all but the record of a map (record.h): vector_bytes() says how many they are. The numbers of the enums are stored
 * in databases: never renumber.
 */
#ifndef QUIRE_ELEM_H
#define QUIRE_ELEM_H

#include "../wal_shim/base.h"

typedef enum {
  ELEM_F32 = 1,
  ELEM_F16 = 2,
  ELEM_BF16 = 3,
  ELEM_I8 = 4,
  ELEM_BIT = 5,
  ELEM_SPARSE = 6,
  ELEM_RECORD = 7
} Elem;
#define ELEM_LAST ELEM_BIT /* of the dense ones */

/* Subtypes of SQL values that hold a vector; 223..225 are sqlite-vec's, the others ours. */
#define SUBTYPE_F32 223
#define SUBTYPE_BIT 224
#define SUBTYPE_I8 225
#define SUBTYPE_F16 226
#define SUBTYPE_BF16 227
#define SUBTYPE_SPARSE 228

/* Bytes of a vector of `dim` elements. For bits: dim/8 rounded up. 0 for sparse ones and records, which have different sizes. */
u64 elem_size(Elem elem, u32 dim);
/* Bytes of this vector, a sound one. */
u64 vector_bytes(Elem elem, u32 dim, const void *vector);
/* Elements in a blob of `size` bytes, or 0 if the size does not fit the type. For bits: 8*size. */
u64 elem_count(Elem elem, u64 size);
/* SQL name: "float32", "float16", "bfloat16", "int8", "bit" (as vec_type() answers). */
const char *elem_name(Elem elem);
/* SQL subtype of a value of this type, and back (0: not that of a dense vector). */
unsigned elem_subtype(Elem elem);
Elem elem_of_subtype(unsigned subtype);

/* Index of the first element that is NaN or infinite, or -1. Always -1 for int8 and bit. Unaligned input is fine. */
i64 elem_first_nonfinite(Elem elem, const void *vector, u32 dim);

/* Conversion of single elements; round to nearest even. */
float f16_to_f32(u16 h);
u16 f32_to_f16(float f);
float bf16_to_f32(u16 h);
u16 f32_to_bf16(float f);

/*
 * The value of element i as a double (bits: 0 or 1).
 */
double elem_get(Elem elem, const void *vector, u32 i);
/* Set element i of a vector of a float type, rounded to it. */
void elem_put(Elem elem, void *vector, u32 i, float value);

/*
 * Parse a JSON array of numbers into a vector of type `elem` (not ELEM_BIT).
 *
 *   text    size bytes, need not be terminated
 *   *out    dim elements, freed by mem_free
 *   *error  on SQLITE_ERROR a message in sqlite-vec's words (sqlite3_mprintf; the caller frees it)
 *
 * Numbers are parsed exactly (correctly rounded). NaN, infinity and values that overflow the type are errors.
 */
int elem_parse_json(Elem elem, const char *text, size_t size, void **out, u32 *dim, char **error);
/*
 * Read one number as a float32, by the same rules; *p goes to what follows it, and stays if there is none.
 */
typedef enum { NUMBER_OK, NUMBER_MALFORMED, NUMBER_RANGE } NumberResult;
NumberResult elem_read_number(const char **p, const char *end, float *out);
/* Write one as elem_to_json does; gives how many bytes. */
#define ELEM_NUMBER_TEXT 64
u32 elem_write_number(float value, char out[ELEM_NUMBER_TEXT]);

/* JSON text of a vector, exact enough to parse back to the same value, sqlite-vec's format. sqlite3_malloc'ed. */
char *elem_to_json(Elem elem, const void *vector, u32 dim);

#endif
