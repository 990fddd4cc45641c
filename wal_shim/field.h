/*
 * field.h: a column's value as fixed-size words beside the vectors, so that filters need not look at the row.
 *
 * A field is a partition or metadata column of a vector table. Its value has one or two words (u64):
 *
 *   order  compares as SQLite compares the values under BINARY. FIELD_NULL and FIELD_OTHER, which are below all others, stand for NULL and
 *          for a value that is not of the column's type (written into the content table by hand): of that only the row can tell.
 *            integer  the number, its sign bit flipped; the smallest ones share a word (FIELD_FIRST)
 *            float    the bits of the double, flipped so that they order; -0 is 0
 *            text, blob  the first seven bytes, then 1 + the length, or FIELD_LONG for more than seven bytes: these share a word with others
 *   hash   text and blob only: a keyed hash of the bytes, the same for equal ones; for NULL and others as the order word
 *
 * Texts are taken in UTF-8, whatever the database's encoding; so in a UTF-16 database they order otherwise than SQLite orders them.
 */
#ifndef QUIRE_FIELD_H
#define QUIRE_FIELD_H

#include "base.h"

typedef enum { FIELD_INTEGER = 1, FIELD_FLOAT = 2, FIELD_TEXT = 3, FIELD_BLOB = 4 } FieldType;

#define FIELD_NULL ((u64)0)
#define FIELD_OTHER ((u64)1)
#define FIELD_FIRST ((u64)2)
#define FIELD_PREFIX 7u  /* bytes of a text in its order word */
#define FIELD_LONG 0xffu /* the last byte of the order word of a longer one */
#define MAX_FIELD_WORDS 32u

/* Words of a value. */
u32 field_words(FieldType type);
/* A value of SQLite's: of the members that of its type counts. */
typedef struct FieldValue {
  int type; /* SQLITE_INTEGER, ... */
  i64 integer;
  double real;
  const void *bytes; /* text in UTF-8, blob; any pointer if size is 0 */
  u64 size;
} FieldValue;
/* The words of a value; `key` is the table's, of hashes. */
void field_put(FieldType type, u64 key, const FieldValue *value, u64 *words);
/* The order word of an integer, of a double; of bytes. */
u64 field_of_integer(i64 value);
u64 field_of_float(double value);
u64 field_of_bytes(const void *bytes, u64 size);
u64 field_hash(u64 key, const void *bytes, u64 size);
/* Whether a value with this order word is known by it: no other value has the same. */
int field_is_exact(FieldType type, u64 order);

#endif
