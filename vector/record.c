/*
 * record.c: the values of a row as one BLOB. See record.h.
 */
#include "record.h"

#include "../wal_shim/bytes.h"

enum { TYPE_NULL, TYPE_INTEGER, TYPE_FLOAT, TYPE_TEXT, TYPE_BLOB };
#define TYPE_BITS 3

/* The fewest bytes that hold an integer. */
static u32 integer_size(i64 n) {
  if (n == 0) return 0;
  if (n >= INT8_MIN && n <= INT8_MAX) return 1;
  if (n >= INT16_MIN && n <= INT16_MAX) return 2;
  return n >= INT32_MIN && n <= INT32_MAX ? 4 : 8;
}

static u64 value_size(const FieldValue *v) {
  switch (v->type) {
    case SQLITE_INTEGER: return integer_size(v->integer);
    case SQLITE_FLOAT: return 8;
    case SQLITE_TEXT:
    case SQLITE_BLOB: return v->size;
    default: return 0;
  }
}

u64 record_size(const FieldValue *values, u32 columns) {
  u64 size = RECORD_HEADER + (u64)4 * columns;
  u32 i;
  for (i = 0; i < columns; i++) size += value_size(&values[i]);
  return (size + 3) / 4 * 4;
}

static void put_integer(i64 n, u32 size, u8 *out) {
  u32 i;
  for (i = 0; i < size; i++) out[i] = (u8)((u64)n >> (8 * i));
}

static i64 get_integer(const u8 *p, u64 size) {
  switch (size) {
    case 0: return 0;
    case 1: return (i8)p[0];
    case 2: return (i16)load16(p);
    case 4: return (i32)load32(p);
    default: return (i64)load64(p);
  }
}

void record_write(const FieldValue *values, u32 columns, u8 *out) {
  u64 at = RECORD_HEADER + (u64)4 * columns;
  u32 i;
  store32(out, RECORD_MARK);
  store32(out + 4, columns);
  for (i = 0; i < columns; i++) {
    const FieldValue *v = &values[i];
    u64 size = value_size(v), bits;
    u32 type = TYPE_NULL;
    switch (v->type) {
      case SQLITE_INTEGER:
        type = TYPE_INTEGER;
        put_integer(v->integer, (u32)size, out + at);
        break;
      case SQLITE_FLOAT:
        type = TYPE_FLOAT;
        memcpy(&bits, &v->real, 8);
        store64(out + at, bits);
        break;
      case SQLITE_TEXT:
      case SQLITE_BLOB:
        type = v->type == SQLITE_TEXT ? TYPE_TEXT : TYPE_BLOB;
        if (size) memcpy(out + at, v->bytes, (size_t)size);
        break;
      default: break;
    }
    at += size;
    store32(out + RECORD_HEADER + 4 * i, (u32)at << TYPE_BITS | type);
  }
  while (at % 4) out[at++] = 0;
  store32(out + 8, (u32)at);
}

int record_get(const u8 *record, u64 size, u32 column, FieldValue *out) {
  const u8 *tags = record + RECORD_HEADER;
  u32 columns = load32(record + 4), tag = load32(tags + 4 * column);
  u64 end = tag >> TYPE_BITS, start = RECORD_HEADER + (u64)4 * columns, bits, length;
  if (column) start = load32(tags + 4 * (column - 1)) >> TYPE_BITS;
  if (end > size || start > end) return 0;
  length = end - start;
  switch (tag & ((1u << TYPE_BITS) - 1)) {
    case TYPE_NULL: out->type = SQLITE_NULL; return length == 0;
    case TYPE_INTEGER:
      if (length != 0 && length != 1 && length != 2 && length != 4 && length != 8) return 0;
      out->type = SQLITE_INTEGER;
      out->integer = get_integer(record + start, length);
      return 1;
    case TYPE_FLOAT:
      if (length != 8) return 0;
      out->type = SQLITE_FLOAT;
      bits = load64(record + start);
      memcpy(&out->real, &bits, 8);
      return 1;
    case TYPE_TEXT: out->type = SQLITE_TEXT; break;
    case TYPE_BLOB: out->type = SQLITE_BLOB; break;
    default: return 0;
  }
  out->bytes = record + start;
  out->size = length;
  return 1;
}

int record_valid(const void *bytes, u64 size, u32 columns) {
  const u8 *p = bytes;
  u64 end = RECORD_HEADER + (u64)4 * columns, next;
  FieldValue v;
  u32 i;
  if (p == NULL || size < end || size % 4 || size > RECORD_MAX_BYTES || columns == 0 || columns > RECORD_MAX_COLUMNS)
    return 0;
  if (load32(p) != RECORD_MARK || load32(p + 4) != columns || load32(p + 8) != size) return 0;
  for (i = 0; i < columns; i++) {
    next = load32(p + RECORD_HEADER + 4 * i) >> TYPE_BITS;
    if (next < end || !record_get(p, size, i, &v)) return 0;
    if (v.type == SQLITE_INTEGER && next - end != integer_size(v.integer)) return 0; /* R1 */
    if (v.type == SQLITE_FLOAT && v.real != v.real) return 0;                        /* SQLite has no NaN */
    end = next;
  }
  for (; end % 4; end++) {
    if (p[end]) return 0;
  }
  return end == size;
}
