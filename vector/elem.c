/*
 * elem.c: element types: sizes, names, single conversions, finite checks. Text forms are in elem_json.c. See elem.h.
 */
#include "elem_int.h"
#include "record.h"
#include "sparse.h"

#include <math.h>

typedef struct ElemInfo {
  const char *name;
  unsigned subtype;
  u32 bytes; /* of one element; bits: 0 */
} ElemInfo;

static const ElemInfo info[ELEM_RECORD + 1] = {
    [0] = {"unknown", 0, 0},
    [ELEM_F32] = {"float32", SUBTYPE_F32, 4},
    [ELEM_F16] = {"float16", SUBTYPE_F16, 2},
    [ELEM_BF16] = {"bfloat16", SUBTYPE_BF16, 2},
    [ELEM_I8] = {"int8", SUBTYPE_I8, 1},
    [ELEM_BIT] = {"bit", SUBTYPE_BIT, 0},
    [ELEM_SPARSE] = {"sparse", SUBTYPE_SPARSE, 0},
    [ELEM_RECORD] = {"record", 0, 0},
};

/* An enum may hold any number that came from disk. */
static const ElemInfo *info_of(Elem elem) { return &info[(u32)elem <= ELEM_RECORD ? (u32)elem : 0]; }

u64 elem_size(Elem elem, u32 dim) {
  if (elem == ELEM_BIT) return ((u64)dim + 7) / 8;
  return (u64)dim * info_of(elem)->bytes;
}

u64 vector_bytes(Elem elem, u32 dim, const void *vector) {
  if (elem == ELEM_SPARSE) return SPARSE_HEADER + (u64)8 * load32((const u8 *)vector + 8);
  if (elem == ELEM_RECORD) return load32((const u8 *)vector + 8);
  return elem_size(elem, dim);
}

u64 elem_count(Elem elem, u64 size) {
  u32 bytes = info_of(elem)->bytes;
  if (elem == ELEM_BIT) return size <= UINT64_MAX / 8 ? 8 * size : 0;
  if (bytes == 0 || size % bytes != 0) return 0;
  return size / bytes;
}

const char *elem_name(Elem elem) { return info_of(elem)->name; }

unsigned elem_subtype(Elem elem) { return info_of(elem)->subtype; }

Elem elem_of_subtype(unsigned subtype) {
  u32 elem;
  for (elem = 1; elem <= ELEM_LAST; elem++) {
    if (info[elem].subtype == subtype) return (Elem)elem;
  }
  return (Elem)0;
}

/*
 * Finite checks: whole blocks first, without a branch inside, so that they become a few vector instructions; only a block
 * with a bad element is looked at again. The largest finite magnitude less that of a bad one is negative.
 */
#define BLOCK 64
#define F32_LARGEST 0x7f7fffff
#define F16_LARGEST 0x7bff
#define BF16_LARGEST 0x7f7f

static int f32_bad(const u8 *v) { return F32_LARGEST - (i32)(load32_fast(v) & 0x7fffffff) < 0; }
static int half_bad(const u8 *v, int largest) { return largest - (load16_fast(v) & 0x7fff) < 0; }

static int f32_block_bad(const u8 *v) {
  i32 sign = 0;
  u32 i;
  for (i = 0; i < BLOCK; i++) sign |= F32_LARGEST - (i32)(load32_fast(v + 4 * i) & 0x7fffffff);
  return sign < 0;
}

static int half_block_bad(const u8 *v, int largest) {
  i16 sign = 0;
  u32 i;
  for (i = 0; i < BLOCK; i++) sign = (i16)(sign | (i16)(largest - (load16_fast(v + 2 * i) & 0x7fff)));
  return sign < 0;
}

static i64 f32_first_bad(const u8 *v, u32 dim) {
  u32 i = 0;
  while (dim - i >= BLOCK && !f32_block_bad(v + 4 * (size_t)i)) i += BLOCK;
  for (; i < dim; i++) {
    if (f32_bad(v + 4 * (size_t)i)) return i;
  }
  return -1;
}

static i64 half_first_bad(const u8 *v, u32 dim, int largest) {
  u32 i = 0;
  while (dim - i >= BLOCK && !half_block_bad(v + 2 * (size_t)i, largest)) i += BLOCK;
  for (; i < dim; i++) {
    if (half_bad(v + 2 * (size_t)i, largest)) return i;
  }
  return -1;
}

i64 elem_first_nonfinite(Elem elem, const void *vector, u32 dim) {
  switch (elem) {
    case ELEM_F32: return f32_first_bad(vector, dim);
    case ELEM_F16: return half_first_bad(vector, dim, F16_LARGEST);
    case ELEM_BF16: return half_first_bad(vector, dim, BF16_LARGEST);
    case ELEM_I8:
    case ELEM_BIT:
    case ELEM_SPARSE:
    case ELEM_RECORD: break;
  }
  return -1;
}

float f16_to_f32(u16 h) { return f16_widen(h); }

float bf16_to_f32(u16 h) { return bf16_widen(h); }

u16 f32_to_f16(float f) { return f64_to_f16((double)f); }

u16 f32_to_bf16(float f) {
  u32 bits = f32_bits(f);
  if ((bits & 0x7fffffff) > 0x7f800000) return (u16)(bits >> 16 | 0x40); /* NaN: quiet, and never to infinity */
  return (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/*
 * Round a double to `fraction` bits after the point and the exponent range of a 16-bit format whose smallest normal number is
 * 2^min_exp. Scaled so that the last place is worth one, the number is rounded by nearbyint() (to nearest even).
 */
static u16 narrow(double d, int fraction, int min_exp) {
  u32 sign = signbit(d) ? 0x8000u : 0;
  u32 infinite = (0x7fffu >> fraction) << fraction;
  double magnitude = fabs(d), step;
  u32 bits;
  int exp;

  if (isnan(d)) return (u16)(sign | infinite | 1u << (fraction - 1));
  if (magnitude == 0) return (u16)sign;
  if (isinf(d)) return (u16)(sign | infinite);
  frexp(magnitude, &exp);
  exp--;
  if (exp < min_exp) exp = min_exp;
  step = ldexp(magnitude, fraction - exp);  /* in units of the last place: below 2^(fraction+1), exact */
  bits = (u32)nearbyint(step);              /* with the implicit bit, unless subnormal */
  bits += (u32)(exp - min_exp) << fraction; /* a carry moves into the exponent, which is right */
  if (bits >= infinite) bits = infinite;
  return (u16)(sign | bits);
}

u16 f64_to_f16(double d) { return narrow(d, 10, -14); }

u16 f64_to_bf16(double d) { return narrow(d, 7, -126); }

double elem_get(Elem elem, const void *vector, u32 i) {
  const u8 *v = vector;
  switch (elem) {
    case ELEM_F32: return (double)f32_at(v, i);
    case ELEM_F16: return (double)f16_at(v, i);
    case ELEM_BF16: return (double)bf16_at(v, i);
    case ELEM_I8: return (double)(i8)v[i];
    case ELEM_BIT: return v[i / 8] >> (i % 8) & 1;
    case ELEM_SPARSE:
    case ELEM_RECORD: break;
  }
  return 0;
}

void elem_put(Elem elem, void *vector, u32 i, float value) {
  u8 *v = vector;
  if (elem == ELEM_F32)
    store32(v + 4 * i, f32_bits(value));
  else
    store16(v + 2 * i, elem == ELEM_F16 ? f32_to_f16(value) : f32_to_bf16(value));
}
