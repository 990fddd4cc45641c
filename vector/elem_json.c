/*
 * elem_json.c: vectors as JSON text, and back.
 *
 * Reading. The grammar is JSON's, with what sqlite-vec accepts besides where the meaning is plain: white space instead of
 * a comma ("[1 2]", as numpy prints), a comma before the bracket, a leading plus or zeros, "1." and ".5". Refused,
 * though sqlite-vec takes them: text without the closing bracket or with more behind it, two commas in a row, hexadecimal
 * numbers, NaN, infinity, and numbers too large for the type.
 *
 * Rounding is correct in one step from decimal to the element type. The first 19 digits times a power of ten give a double
 * that is off by less than 2^-40 of its value; where both ends of that interval round to the same element, that is the answer.
 * Else the interval holds the midpoint of two neighbours, and whole numbers decide on which side the text lies. The C
 * library's strtod is not used: it obeys the locale, and would round twice.
 *
 * Writing. sqlite-vec's format: six decimals. Where they would not read back as the same value, more digits follow, and
 * where twelve decimals do not suffice (tiny numbers), nine digits and an exponent.
 */
#include "elem_int.h"

#include <math.h>

/* ---- decimal numbers ------------------------------------------------------------------------------------------- */

typedef struct Decimal {
  int negative;
  u64 mantissa;       /* the first significant digits, at most 19 */
  i64 exp10;          /* |value| is mantissa * 10^exp10, and a little more if digits were left out */
  const char *digits; /* from the first significant digit; may hold one point */
  const char *end;    /* of the digits */
  i64 top;            /* the first significant digit is worth 10^top */
} Decimal;

#define MANTISSA_DIGITS 19
#define EXP10_MAX 40  /* 10^40 is beyond every element type */
#define EXP10_MIN -60 /* and 10^-60 rounds to zero in all */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* Read a number at p; gives what follows it, or NULL if there is none. */
static const char *decimal_read(const char *p, const char *end, Decimal *d) {
  i64 whole = 0, exponent = 0; /* digits before the point; the exponent as written */
  i64 leading = 0, all = 0;    /* zeros before the first significant digit; digits in all */
  u32 kept = 0;
  int point = 0;

  memset(d, 0, sizeof *d);
  if (p < end && (*p == '-' || *p == '+')) d->negative = *p++ == '-';
  d->digits = p;
  for (; p < end && (is_digit(*p) || (*p == '.' && !point)); p++) {
    if (*p == '.') {
      point = 1;
      continue;
    }
    all++;
    if (!point) whole++;
    if (kept == 0 && *p == '0') {
      leading++;
      d->digits = p + 1;
    } else if (kept < MANTISSA_DIGITS) {
      d->mantissa = d->mantissa * 10 + (u64)(*p - '0');
      kept++;
    }
  }
  d->end = p;
  if (all == 0) return NULL;
  if (p < end && (*p == 'e' || *p == 'E')) {
    int minus = 0;
    p++;
    if (p < end && (*p == '-' || *p == '+')) minus = *p++ == '-';
    if (p == end || !is_digit(*p)) return NULL;
    for (; p < end && is_digit(*p); p++) {
      if (exponent < INT32_MAX) exponent = exponent * 10 + (*p - '0');
    }
    if (minus) exponent = -exponent;
  }
  d->top = whole - leading - 1 + exponent;
  d->exp10 = d->top - (i64)kept + 1;
  return p;
}

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define EXACT_POWERS 22

/* mantissa * 10^exp10 to within 2^-45 of its value; |exp10| < 100. */
static double approximate(u64 mantissa, int exp10) {
  double v = (double)mantissa;
  for (; exp10 > EXACT_POWERS; exp10 -= EXACT_POWERS) v *= 1e22;
  for (; exp10 < -EXACT_POWERS; exp10 += EXACT_POWERS) v /= 1e22;
  return exp10 >= 0 ? v * powers_of_ten[exp10] : v / powers_of_ten[-exp10];
}

/* The element nearest to a double, as a double; may be infinite. */
static double nearest(Elem elem, double v) {
  if (elem == ELEM_F32) return (double)(float)v;
  if (elem == ELEM_F16) return (double)f16_widen(f64_to_f16(v));
  return (double)bf16_widen(f64_to_bf16(v));
}

/* Round mantissa * 10^exp10, give or take 2^-40 of it. If the ends differ, they are neighbours. */
static int round_interval(Elem elem, u64 mantissa, int exp10, double *low, double *high) {
  double v = approximate(mantissa, exp10);
  *low = nearest(elem, v * (1 - 0x1p-40));
  *high = nearest(elem, v * (1 + 0x1p-40));
  return *low == *high;
}

/* ---- whole numbers, for the rare case ---------------------------------------------------------------------------- */

/*
 * BIG_DIGITS decimals are more than any midpoint between two elements has (113), so that digits beyond them matter only as
 * "and a little more". Largest number: 160 digits, or a midpoint times 10^219, times 2^150: under 1100 bits.
 */
#define BIG_DIGITS 160
#define BIG_WORDS 48

typedef struct Big {
  u32 count;
  u32 word[BIG_WORDS]; /* least significant first; no leading zeros */
} Big;

static void big_multiply_add(Big *b, u32 factor, u32 carry) {
  u64 c = carry;
  u32 i;
  for (i = 0; i < b->count; i++) {
    c += (u64)b->word[i] * factor;
    b->word[i] = (u32)c;
    c >>= 32;
  }
  if (c != 0 && b->count < BIG_WORDS) b->word[b->count++] = (u32)c;
}

static void big_scale(Big *b, u32 factor, i64 times) {
  for (; times > 0; times--) big_multiply_add(b, factor, 0);
}

static int big_compare(const Big *a, const Big *b) {
  u32 i;
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (i = a->count; i-- > 0;) {
    if (a->word[i] != b->word[i]) return a->word[i] < b->word[i] ? -1 : 1;
  }
  return 0;
}

/* Sign of |d| - mid, exactly. mid > 0. */
static int decimal_compare(const Decimal *d, double mid) {
  Big left = {0}, right = {0};
  i64 used = 0, exp10;
  int more = 0, exp2, order;
  const char *p;
  u64 bits;

  for (p = d->digits; p < d->end; p++) {
    if (*p == '.') continue;
    if (used < BIG_DIGITS) {
      big_multiply_add(&left, 10, (u32)(*p - '0'));
      used++;
    } else if (*p != '0') {
      more = 1;
    }
  }
  exp10 = d->top - used + 1;

  bits = (u64)ldexp(frexp(mid, &exp2), 53);
  exp2 -= 53;
  for (; (bits & 1) == 0; bits >>= 1) exp2++;
  big_multiply_add(&right, 1, (u32)(bits >> 32));
  big_scale(&right, 1u << 16, 2);
  big_multiply_add(&right, 1, (u32)bits);

  big_scale(exp10 >= 0 ? &left : &right, 10, exp10 >= 0 ? exp10 : -exp10);
  big_scale(exp2 >= 0 ? &right : &left, 2, exp2 >= 0 ? exp2 : -exp2);
  order = big_compare(&left, &right);
  return order == 0 && more ? 1 : order;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static void store_element(Elem elem, double v, u8 *out) {
  if (elem == ELEM_F32) {
    store32(out, f32_bits((float)v));
  } else {
    store16(out, elem == ELEM_F16 ? f64_to_f16(v) : f64_to_bf16(v));
  }
}

static int is_odd(Elem elem, double v) {
  u8 bytes[4];
  store_element(elem, v, bytes);
  return bytes[0] & 1;
}

/* Round to an element and store it; 0 if it is too large. */
static int store_decimal(Elem elem, const Decimal *d, u8 *out) {
  double low = 0, high = 0;
  if (d->mantissa != 0 && d->top > EXP10_MAX) return 0;
  if (d->mantissa != 0 && d->top >= EXP10_MIN && !round_interval(elem, d->mantissa, (int)d->exp10, &low, &high)) {
    double beyond = isinf(high) ? (elem == ELEM_F16 ? 0x1p16 : 0x1p128) : high; /* as if the exponent went on */
    int order = decimal_compare(d, (low + beyond) / 2);
    if (order > 0 || (order == 0 && is_odd(elem, low))) low = high;
  }
  if (isinf(low)) return 0;
  store_element(elem, d->negative ? -low : low, out);
  return 1;
}

static NumberResult read_float(Elem elem, const char **p, const char *end, u8 *out) {
  Decimal d;
  const char *next = decimal_read(*p, end, &d);
  if (next == NULL) return NUMBER_MALFORMED;
  *p = next;
  return store_decimal(elem, &d, out) ? NUMBER_OK : NUMBER_RANGE;
}

NumberResult elem_read_number(const char **p, const char *end, float *out) {
  u8 bytes[4];
  NumberResult result = read_float(ELEM_F32, p, end, bytes);
  if (result == NUMBER_OK) *out = f32_at(bytes, 0);
  return result;
}

static NumberResult read_i8(const char **p, const char *end, u8 *out) {
  const char *q = *p;
  int negative = 0;
  i32 v = 0;
  if (q < end && (*q == '-' || *q == '+')) negative = *q++ == '-';
  if (q == end || !is_digit(*q)) return NUMBER_MALFORMED;
  for (; q < end && is_digit(*q); q++) {
    if (v < 1000) v = v * 10 + (*q - '0');
  }
  *p = q;
  if (negative) v = -v;
  if (v < INT8_MIN || v > INT8_MAX) return NUMBER_RANGE;
  *out = (u8)v;
  return NUMBER_OK;
}

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static const char *skip_space(const char *p, const char *end) {
  while (p < end && is_space(*p)) p++;
  return p;
}

#define MESSAGE "JSON parsing error"

int elem_parse_json(Elem elem, const char *text, size_t size, void **out, u32 *dim, char **error) {
  const char *p = text, *end = text + size;
  const char *message = NULL;
  u64 width = elem_size(elem, 1);
  u64 count = 0, cap = 0;
  u8 *values = NULL;
  int rc = SQLITE_OK, separated = 1;

  if (size == 0) {
    message = "zero-length vectors are not supported.";
    goto done;
  }
  p = skip_space(p, end);
  if (p == end || *p != '[') {
    message = "JSON array parsing error: Input does not start with '['";
    goto done;
  }
  p = skip_space(p + 1, end);
  if (p == end || *p == ']') {
    message = "zero-length vectors are not supported.";
    goto done;
  }
  while (p < end && *p != ']') {
    NumberResult result;
    if (!separated || count == UINT32_MAX) {
      message = MESSAGE;
      goto done;
    }
    rc = mem_reserve(&values, &cap, count + 1, width);
    if (rc) goto done;
    result =
        elem == ELEM_I8 ? read_i8(&p, end, values + count * width) : read_float(elem, &p, end, values + count * width);
    if (result != NUMBER_OK) {
      message = result == NUMBER_MALFORMED ? MESSAGE : "";
      goto done;
    }
    count++;
    separated = p < end && is_space(*p);
    p = skip_space(p, end);
    if (p < end && *p == ',') {
      separated = 1;
      p = skip_space(p + 1, end);
    }
  }
  if (p == end) {
    message = MESSAGE ": Input does not end with ']'";
    goto done;
  }
  if (skip_space(p + 1, end) != end) {
    message = MESSAGE ": characters after the closing ']'";
    goto done;
  }
  *out = values;
  *dim = (u32)count;
  values = NULL;
done:
  if (message) {
    rc = SQLITE_ERROR;
    *error = *message ? sqlite3_mprintf("%s", message)
                      : sqlite3_mprintf(MESSAGE ": value out of range for %s", elem_name(elem));
    if (*error == NULL) rc = SQLITE_NOMEM;
  }
  mem_free(values);
  return rc;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

#define ELEMENT_TEXT ELEM_NUMBER_TEXT /* bytes that one element and its comma may need */
#define MIN_DECIMALS 6
#define MAX_DECIMALS 12

/* n with `decimals` digits behind the point. */
static u32 write_fixed(u64 n, int decimals, char *out) {
  char reversed[24];
  u32 count = 0, used = 0;
  while (n > 0 || count <= (u32)decimals) {
    reversed[count++] = (char)('0' + n % 10);
    n /= 10;
  }
  while (count > 0) {
    if (count == (u32)decimals) out[used++] = '.';
    out[used++] = reversed[--count];
  }
  return used;
}

/* The magnitude of an element, v > 0. Products below are exact: 24 bits of v, at most 28 of 5^decimals. */
static u32 write_magnitude(Elem elem, double v, char *out) {
  int decimals;
  for (decimals = MIN_DECIMALS; decimals <= MAX_DECIMALS; decimals++) {
    double scaled = v * powers_of_ten[decimals] + 0.5, low, high;
    u64 n;
    if (scaled >= 0x1p53) break;
    n = (u64)scaled;
    if (n && round_interval(elem, n, -decimals, &low, &high) && low == v) return write_fixed(n, decimals, out);
  }
  sqlite3_snprintf(ELEMENT_TEXT, out, v < 1 ? "%.9g" : "%.6f", v);
  return (u32)strlen(out);
}

static u32 write_float(Elem elem, double v, char *out) {
  u32 used = 0;
  if (isnan(v)) {
    memcpy(out, "null", 4);
    return 4;
  }
  if (v < 0) out[used++] = '-';
  v = fabs(v);
  if (isinf(v)) {
    memcpy(out + used, "Inf", 3);
    return used + 3;
  }
  if (v == 0) return used + write_fixed(0, MIN_DECIMALS, out + used);
  return used + write_magnitude(elem, v, out + used);
}

u32 elem_write_number(float value, char out[ELEM_NUMBER_TEXT]) { return write_float(ELEM_F32, (double)value, out); }

static u32 write_whole(i32 v, char *out) {
  char reversed[12];
  u32 count = 0, used = 0, n = (u32)(v < 0 ? -v : v);
  if (v < 0) out[used++] = '-';
  do {
    reversed[count++] = (char)('0' + n % 10);
    n /= 10;
  } while (n > 0);
  while (count > 0) out[used++] = reversed[--count];
  return used;
}

char *elem_to_json(Elem elem, const void *vector, u32 dim) {
  char *text = NULL;
  u64 used = 0, cap = 0;
  u32 i;

  if (mem_reserve(&text, &cap, (u64)dim * 4 + ELEMENT_TEXT, 1)) return NULL;
  text[used++] = '[';
  for (i = 0; i < dim; i++) {
    double v = elem_get(elem, vector, i);
    if (mem_reserve(&text, &cap, used + 2 * ELEMENT_TEXT, 1)) {
      mem_free(text);
      return NULL;
    }
    if (i > 0) text[used++] = ',';
    if (elem == ELEM_I8 || elem == ELEM_BIT) {
      used += write_whole((i32)v, text + used);
    } else {
      used += write_float(elem, v, text + used);
    }
  }
  text[used++] = ']';
  text[used] = 0;
  return text;
}
