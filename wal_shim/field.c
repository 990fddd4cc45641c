/*
 * field.c: values as words. See field.h.
 */
#include "field.h"

#include <string.h>

#include "bytes.h"

#define SIGN ((u64)1 << 63)

u32 field_words(FieldType type) { return type == FIELD_TEXT || type == FIELD_BLOB ? 2 : 1; }

u64 field_of_integer(i64 value) { return MAX((u64)value ^ SIGN, FIELD_FIRST); }

u64 field_of_float(double value) {
  u64 bits;
  value += 0.0; /* -0 becomes 0 */
  memcpy(&bits, &value, 8);
  return MAX(bits & SIGN ? ~bits : bits | SIGN, FIELD_FIRST); /* no number is so small */
}

u64 field_of_bytes(const void *bytes, u64 size) {
  const u8 *p = bytes;
  u64 word = 0;
  u32 i;
  for (i = 0; i < FIELD_PREFIX; i++) word = word << 8 | (i < size ? p[i] : 0);
  /* the empty one has the word 1 + 0, which is taken: lengths are counted from FIELD_FIRST */
  return word << 8 | (size > FIELD_PREFIX ? FIELD_LONG : size + FIELD_FIRST);
}

u64 field_hash(u64 key, const void *bytes, u64 size) {
  const u8 *p = bytes;
  u8 rest[8] = {0};
  u64 h = mix64(key ^ size), left = size;
  for (; left >= 8; left -= 8, p += 8) h = mix64(h ^ load64(p)) + key;
  if (left) memcpy(rest, p, (size_t)left);
  return MAX(mix64(h ^ load64(rest)), FIELD_FIRST);
}

int field_is_exact(FieldType type, u64 order) {
  if (type == FIELD_INTEGER) return order != FIELD_FIRST;
  return type == FIELD_FLOAT || (order & 0xff) != FIELD_LONG;
}

void field_put(FieldType type, u64 key, const FieldValue *value, u64 *words) {
  int is = value->type;
  words[0] = is == SQLITE_NULL ? FIELD_NULL : FIELD_OTHER;
  if (field_words(type) == 1) {
    if (type == FIELD_INTEGER && is == SQLITE_INTEGER) words[0] = field_of_integer(value->integer);
    if (type == FIELD_FLOAT && is == SQLITE_INTEGER) words[0] = field_of_float((double)value->integer);
    if (type == FIELD_FLOAT && is == SQLITE_FLOAT) words[0] = field_of_float(value->real);
  } else {
    words[1] = words[0];
    if (is != (type == FIELD_TEXT ? SQLITE_TEXT : SQLITE_BLOB)) return;
    words[0] = field_of_bytes(value->bytes, value->size);
    words[1] = field_hash(key, value->bytes, value->size);
  }
}
