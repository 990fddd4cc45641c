/*
 * kernels_test.c: the pure part of vector/ and the CRC, without a database.
 *
 *   crc      published vectors, every length, continuation; in C alone too; which processor has what
 *   halves   all 65536 values of both half formats, and every tie between neighbours
 *   finite   a bad element at every place
 *   json     what is read and refused, correct rounding at ties, round trips, no byte read beyond the text
 *   exact    special values; one checksum over many distances that must come out on every processor and compiler
 *   scans    every kernel of every level this machine has: error within distance_error() of a long double reference, nothing
 *            read outside query and rows (pages without access on both sides), any alignment and stride
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "kernels_tester.h"

#include "../wal_shim/cpu.h"

#include <locale.h>

/* Once more, for what this processor does not choose. */
#define crc32c crc32c_inside
#define cpu_features cpu_features_inside
#include "../wal_shim/cpu.c"
#include "../wal_shim/crc32c.c"
#undef crc32c
#undef cpu_features

/* In [-1, 1). */
static float random_float(void) { return (float)((double)(random64() >> 11) * 0x1p-52 - 1); }

static float float_of(u32 bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static u32 bits_of(float f) {
  u32 bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

/* ---- crc ------------------------------------------------------------------------------------------------------------ */

static u32 crc_by_bits(u32 crc, const u8 *p, size_t n) {
  u32 i;
  crc = ~crc;
  for (; n > 0; n--) {
    crc ^= *p++;
    for (i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

static void test_crc(void) {
  static const u8 command[48] = {0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
                                 0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
                                 0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0};
  static u8 bytes[20000];
  size_t n;
  u32 i;
  memset(bytes, 0, 32);
  CHECK(crc32c(0, bytes, 32) == 0x8a9136aa, "32 zeros");
  memset(bytes, 255, 32);
  CHECK(crc32c(0, bytes, 32) == 0x62a8ab43, "32 ones");
  for (i = 0; i < 32; i++) bytes[i] = (u8)i;
  CHECK(crc32c(0, bytes, 32) == 0x46dd794e, "ascending");
  for (i = 0; i < 32; i++) bytes[i] = (u8)(31 - i);
  CHECK(crc32c(0, bytes, 32) == 0x113fdb5c, "descending");
  CHECK(crc32c(0, command, 48) == 0xd9963a56, "iSCSI read command");
  CHECK(crc32c(0, "123456789", 9) == 0xe3069283, "check value");
  CHECK(crc32c(7, bytes, 0) == 7, "nothing");
  for (i = 0; i < sizeof bytes; i++) bytes[i] = (u8)random64();
  for (n = 0; n < 1500; n++) {
    u32 off = random_below(16), crc = (u32)random64();
    CHECK(crc32c(crc, bytes + off, n) == crc_by_bits(crc, bytes + off, n), "length %zu", n);
  }
  for (i = 0; i < 50; i++) {
    size_t split = random_below(10000);
    n = 10000 + random_below(9000);
    CHECK(crc32c(0, bytes, n) == crc_by_bits(0, bytes, n), "length %zu", n);
    CHECK(crc32c(crc32c(0, bytes, split), bytes + split, n - split) == crc32c(0, bytes, n), "split at %zu", split);
  }
}

/* The table's way on machines that have an instruction, and the choice at the first call. */
static void test_crc_plain(void) {
  static u8 bytes[600];
  u32 i;
  for (i = 0; i < sizeof bytes; i++) bytes[i] = (u8)random64();
  for (i = 0; i < 500; i++) {
    u32 off = random_below(16), crc = (u32)random64();
    CHECK(~crc_plain(~crc, bytes + off, i) == crc_by_bits(crc, bytes + off, i), "length %u", i);
  }
  CHECK(crc32c_inside(0, bytes, 500) == crc_by_bits(0, bytes, 500), "first call");
  CHECK(crc32c_inside(0, bytes, 600) == crc_by_bits(0, bytes, 600), "second call");
}

#if defined(HAVE_AVX2)
/* Every bit that a level needs, taken away from a processor that has them all. */
static void test_features(void) {
  const u32 all = 0xffffffffu, avx2_1c = BIT(12) | BIT(28) | BIT(29) | BIT(23);
  const u32 with_crc = features_of(BIT(20) | BIT(1), 0, 0, 0);
  u32 i;
#if defined(__x86_64__)
  CHECK(with_crc == CPU_CRC32C, "SSE4.2 and PCLMULQDQ");
#endif
  CHECK(features_of(all, all, all, all) == (with_crc | CPU_AVX2 | CPU_AVX512), "all");
  CHECK(features_of(0, 0, 0, 0) == 0 && features_of(0, all, all, all) == 0, "none");
  CHECK(features_of(all, all, all, 0) == with_crc, "an OS that saves no wide registers");
  for (i = 0; i < 32; i++) {
    u32 less = all & ~BIT(i), wide;
    wide = features_of(less, all, all, all) & (CPU_AVX2 | CPU_AVX512);
    CHECK(wide == (avx2_1c >> i & 1 ? 0 : CPU_AVX2 | CPU_AVX512), "leaf 1 without bit %u", i);
    CHECK((features_of(less, 0, 0, 0) != with_crc) == (with_crc && (i == 20 || i == 1)), "CRC without bit %u", i);
    wide = features_of(all, less, all, all) & (CPU_AVX2 | CPU_AVX512);
    CHECK(wide == (i == 5                          ? 0
                   : i == 16 || i == 17 || i >= 30 ? CPU_AVX2
                                                   : CPU_AVX2 | CPU_AVX512),
          "leaf 7 ebx without bit %u", i);
    wide = features_of(all, all, less, all) & (CPU_AVX2 | CPU_AVX512);
    CHECK(wide == (i == 11 || i == 14 ? CPU_AVX2 : CPU_AVX2 | CPU_AVX512), "leaf 7 ecx without bit %u", i);
    wide = features_of(all, all, all, less) & (CPU_AVX2 | CPU_AVX512);
    CHECK(wide == (i == 1 || i == 2   ? 0
                   : i >= 5 && i <= 7 ? CPU_AVX2
                                      : CPU_AVX2 | CPU_AVX512),
          "XCR0 without bit %u", i);
  }
  CHECK(cpu_features_inside() == cpu_features(), "this processor");
}
#else
static void test_features(void) {}
#endif

/* ---- halves --------------------------------------------------------------------------------------------------------- */

typedef struct Half {
  Elem elem;
  int fraction, bias;
  float (*widen)(u16);
  u16 (*narrow)(float);
} Half;

static const Half halves[] = {{ELEM_F16, 10, 15, f16_to_f32, f32_to_f16},
                              {ELEM_BF16, 7, 127, bf16_to_f32, f32_to_bf16}};

static double half_value(const Half *half, u32 h) {
  u32 exp = (h & 0x7fff) >> half->fraction, fraction = h & ((1u << half->fraction) - 1);
  double sign = h & 0x8000 ? -1 : 1;
  if (exp == 0) return sign * ldexp(fraction, 1 - half->bias - half->fraction);
  return sign * ldexp(fraction + (1u << half->fraction), (int)exp - half->bias - half->fraction);
}

static void test_half(const Half *half) {
  u32 infinite = (0x7fffu >> half->fraction) << half->fraction, h, i;
  for (h = 0; h < 65536; h++) {
    float f = half->widen((u16)h);
    u16 back = half->narrow(f);
    if ((h & 0x7fff) > infinite) {
      CHECK(isnan(f) && (back & 0x7fff) > infinite, "NaN %04x gives %04x", h, back);
      continue;
    }
    if ((h & 0x7fff) == infinite) {
      CHECK(isinf(f), "infinity %04x", h);
    } else {
      CHECK((double)f == half_value(half, h), "%04x is %g", h, (double)f);
      CHECK(elem_get(half->elem, &(u16){(u16)h}, 0) == half_value(half, h), "%04x", h);
    }
    CHECK(back == h && !signbit(f) == !(h & 0x8000), "%04x comes back as %04x", h, back);
  }
  for (h = 0; h < infinite; h++) {
    /* The midpoint to the next number, which above the largest is that which infinity stands for. */
    double mid = (half_value(half, h) + half_value(half, h + 1)) / 2;
    float f = (float)mid;
    u16 even = (u16)(h + (h & 1)), got = half->narrow(f);
    CHECK((double)f == mid, "midpoint of %04x", h);
    CHECK(got == even, "tie above %04x gives %04x", h, got);
    CHECK(half->narrow(-f) == (even | 0x8000), "negative tie above %04x", h);
    CHECK(half->narrow(nextafterf(f, 0)) == h, "below the tie above %04x", h);
    CHECK(half->narrow(nextafterf(f, INFINITY)) == h + 1, "above the tie above %04x", h);
  }
  CHECK(half->narrow(INFINITY) == infinite && half->narrow(-INFINITY) == (infinite | 0x8000), "infinity");
  CHECK(half->narrow(FLT_MAX) == infinite, "the largest float");
  CHECK(half->narrow(float_of(1)) == 0 && half->narrow(-0.0f) == 0x8000, "the smallest float");
  for (i = 0; i < 100; i++) {
    u16 nan = half->narrow(float_of(0x7f800001u + random_below(0x7ffffe)));
    CHECK((nan & 0x7fff) > infinite, "NaN becomes %04x", nan);
  }
}

/* ---- elements ------------------------------------------------------------------------------------------------------- */

static void test_elements(void) {
  u32 elem, dim, i;
  static u8 buffer[4 * 300 + 1];
  CHECK(elem_size(ELEM_F32, 3) == 12 && elem_size(ELEM_F16, 3) == 6 && elem_size(ELEM_BF16, 3) == 6, "sizes");
  CHECK(elem_size(ELEM_I8, 3) == 3 && elem_size(ELEM_BIT, 8) == 1 && elem_size(ELEM_BIT, 9) == 2, "sizes");
  CHECK(elem_size(ELEM_F32, UINT32_MAX) == 4 * (u64)UINT32_MAX && elem_size((Elem)99, 1) == 0, "sizes");
  CHECK(elem_count(ELEM_F32, 12) == 3 && elem_count(ELEM_F32, 13) == 0 && elem_count(ELEM_BIT, 2) == 16, "counts");
  CHECK(elem_count((Elem)0, 4) == 0 && elem_count(ELEM_F16, 3) == 0 && elem_count(ELEM_I8, 3) == 3, "counts");
  for (elem = 1; elem <= ELEM_LAST; elem++) {
    CHECK(elem_of_subtype(elem_subtype((Elem)elem)) == (Elem)elem, "subtype of %s", elem_name((Elem)elem));
  }
  CHECK(elem_of_subtype(0) == 0 && elem_of_subtype(74) == 0, "no subtype");
  for (elem = ELEM_F32; elem <= ELEM_BF16; elem++) {
    static const u32 bad[3][4] = {{0x7f800000, 0xff800000, 0x7fc00000, 0xff800001},
                                  {0x7c00, 0xfc00, 0x7e00, 0xfc01},
                                  {0x7f80, 0xff80, 0x7fc0, 0xff81}};
    static const u32 good[3][2] = {{0x7f7fffff, 0xff7fffff}, {0x7bff, 0xfbff}, {0x7f7f, 0xff7f}};
    size_t width = (size_t)elem_size((Elem)elem, 1);
    u32 shift = 0;
    for (dim = 0; dim <= 300; dim++, shift ^= 1) {
      u8 *v = buffer + shift;
      for (i = 0; i < dim; i++) memcpy(v + i * width, &good[elem - 1][i & 1], width);
      CHECK(elem_first_nonfinite((Elem)elem, v, dim) == -1, "%s[%u]", elem_name((Elem)elem), dim);
      for (i = 0; i < dim; i++) {
        memcpy(v + i * width, &bad[elem - 1][i & 3], width);
        CHECK(elem_first_nonfinite((Elem)elem, v, dim) == i, "%s[%u] at %u", elem_name((Elem)elem), dim, i);
        if (i + 1 < dim) memcpy(v + (dim - 1) * width, &bad[elem - 1][0], width);
        CHECK(elem_first_nonfinite((Elem)elem, v, dim) == i, "%s[%u] at %u and the end", elem_name((Elem)elem), dim, i);
        memcpy(v + (dim - 1) * width, &good[elem - 1][(dim - 1) & 1], width);
        memcpy(v + i * width, &good[elem - 1][i & 1], width);
      }
    }
  }
  CHECK(elem_first_nonfinite(ELEM_I8, "\xff\x80", 2) == -1, "int8");
  CHECK(elem_get(ELEM_BIT, "\x81", 7) == 1 && elem_get(ELEM_BIT, "\x81", 6) == 0 &&
            elem_get(ELEM_I8, "\x80", 0) == -128,
        "elem_get");
}

/* ---- json ------------------------------------------------------------------------------------------------------------ */

static Guarded json_memory;

/* Parse text that ends where memory does. */
static int parse(Elem elem, const char *text, size_t size, void **out, u32 *dim, char **error) {
  char *copy = (char *)json_memory.end - size;
  memcpy(copy, text, size);
  *out = NULL;
  *error = NULL;
  *dim = 0;
  return elem_parse_json(elem, copy, size, out, dim, error);
}

/* Text, and what elem_to_json makes of the vector, or the message. */
static void read_as(Elem elem, const char *text, const char *wanted) {
  void *v;
  u32 dim;
  char *error, *got;
  int rc = parse(elem, text, strlen(text), &v, &dim, &error);
  got = rc == SQLITE_OK ? elem_to_json(elem, v, dim) : error;
  CHECK(got && strcmp(got, wanted) == 0, "%s of '%s' is '%s', not '%s'", elem_name(elem), text, got ? got : "", wanted);
  CHECK((rc == SQLITE_OK) == (v != NULL) && (rc == SQLITE_ERROR) == (error != NULL), "outputs for '%s'", text);
  mem_free(got);
  mem_free(v);
}

/* One number; NaN if refused. */
static double read_number(Elem elem, const char *number) {
  char text[2000];
  void *v;
  u32 dim;
  char *error;
  double value = NAN;
  int size = snprintf(text, sizeof text, "[%s]", number);
  if (parse(elem, text, (size_t)size, &v, &dim, &error) == SQLITE_OK && dim == 1) value = elem_get(elem, v, 0);
  mem_free(error);
  mem_free(v);
  return value;
}

#define REFUSED "JSON parsing error"
#define UNCLOSED REFUSED ": Input does not end with ']'"
#define BEHIND REFUSED ": characters after the closing ']'"
#define NO_ARRAY "JSON array parsing error: Input does not start with '['"
#define EMPTY "zero-length vectors are not supported."

static void test_json_grammar(void) {
  static const char *const malformed[] = {"[,1]",   "[-]",    "[1e]",   "[1e+]",   "[.]",     "[nan]",  "[NaN]",
                                          "[inf]",  "[-inf]", "[null]", "[\"1\"]", "[[1]]",   "[0x10]", "[1;2]",
                                          "[true]", "[--1]",  "[1e5x]", "[1_0]",   "[1,,2]",  "[1,2}",  "[1\v,2]",
                                          "[e5]",   "[+]",    "[1-2]",  "[1+2]",   "[1.2.3]", "[.e1]"};
  void *v;
  char *error;
  u32 i, dim;
  for (i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    read_as(ELEM_F32, malformed[i], REFUSED);
    read_as(ELEM_I8, malformed[i], REFUSED);
  }
  read_as(ELEM_F32, "[1,2,3]", "[1.000000,2.000000,3.000000]");
  read_as(ELEM_F32, " \t\r\n[ 1 ,\n2 ] \n", "[1.000000,2.000000]");
  read_as(ELEM_F32, "[1 2]", "[1.000000,2.000000]");
  read_as(ELEM_F32, "[1,]", "[1.000000]");
  read_as(ELEM_F32, "[+1,.5,2.,007,-0,-.25e+1,1E2,1e-2]",
          "[1.000000,0.500000,2.000000,7.000000,0.000000,-2.500000,100.000000,0.010000]");
  read_as(ELEM_F32, "", EMPTY);
  read_as(ELEM_F32, "[]", EMPTY);
  read_as(ELEM_I8, "[]", EMPTY);
  read_as(ELEM_F32, "[", EMPTY);
  read_as(ELEM_F32, " ", NO_ARRAY);
  read_as(ELEM_F32, "]", NO_ARRAY);
  read_as(ELEM_I8, "{}", NO_ARRAY);
  read_as(ELEM_F32, "[1", UNCLOSED);
  read_as(ELEM_F32, "[1,", UNCLOSED);
  read_as(ELEM_F32, "[1.", UNCLOSED);
  read_as(ELEM_F32, "[1e", REFUSED);
  read_as(ELEM_F32, "[1e-", REFUSED);
  read_as(ELEM_F32, "[-", REFUSED);
  read_as(ELEM_I8, "[1", UNCLOSED);
  read_as(ELEM_I8, "[-", REFUSED);
  read_as(ELEM_F32, "[1]]", BEHIND);
  read_as(ELEM_F32, "[1] x", BEHIND);
  read_as(ELEM_I8, "[-128, +5, 007, 127 ]", "[-128,5,7,127]");
  read_as(ELEM_I8, "[128]", REFUSED ": value out of range for int8");
  read_as(ELEM_I8, "[-129]", REFUSED ": value out of range for int8");
  read_as(ELEM_I8, "[99999999999999999999999]", REFUSED ": value out of range for int8");
  read_as(ELEM_I8, "[1.0]", REFUSED);
  read_as(ELEM_F32, "[1e39]", REFUSED ": value out of range for float32");
  read_as(ELEM_F32, "[-1e99999999999999999999]", REFUSED ": value out of range for float32");
  read_as(ELEM_F16, "[65520]", REFUSED ": value out of range for float16");
  read_as(ELEM_F16, "[65519.99]", "[65504.000000]");
  read_as(ELEM_BF16, "[3.4e38]", REFUSED ": value out of range for bfloat16");
  read_as(ELEM_F32, "[0e99999999999999999999, 1e-99999999999999999999]", "[0.000000,0.000000]");
  read_as(ELEM_F32, "[0.1, 0.3333333333, 1e-10, 1.40129846e-45]", "[0.100000,0.33333334,0.0000000001,1.40129846e-45]");
  CHECK(parse(ELEM_F32, "[1\0]", 4, &v, &dim, &error) == SQLITE_ERROR && strcmp(error, REFUSED) == 0, "a zero byte");
  mem_free(error);
}

/* A tie, and both sides of it, at any number of digits. glibc prints doubles exactly. */
static void check_tie(Elem elem, double below, double above, int below_is_even) {
  char text[600], *e;
  double mid = below / 2 + above / 2;
  int size = snprintf(text, 400, "%.200e", mid);
  (void)size;
  CHECK(read_number(elem, text) == (below_is_even ? below : above), "tie %s", text);
  e = strchr(text, 'e');
  if (e) {
    char exponent[32];
    snprintf(exponent, sizeof exponent, "%s", e);
    snprintf(e, 300, "%0100d1%s", 0, exponent);
    CHECK(read_number(elem, text) == above, "above the tie %s", text);
  }
  snprintf(text, sizeof text, "%.17e", nextafter(mid, 0));
  CHECK(read_number(elem, text) == below, "below the tie %s", text);
}

static void test_json_numbers(void) {
  char text[200];
  u32 i, k;
  for (k = 0; k < 2; k++) {
    const Half *half = &halves[k];
    u32 infinite = (0x7fffu >> half->fraction) << half->fraction;
    u16 *all = malloc(2 * sizeof *all * infinite), *back;
    char *json, *error;
    u32 dim;
    for (i = 0; i < infinite; i++) {
      all[2 * i] = (u16)i;
      all[2 * i + 1] = (u16)(i ? i | 0x8000 : 0);
    }
    json = elem_to_json(half->elem, all, 2 * infinite);
    CHECK(elem_parse_json(half->elem, json, strlen(json), (void **)&back, &dim, &error) == SQLITE_OK, "round trip");
    CHECK(dim == 2 * infinite && memcmp(all, back, dim * sizeof *all) == 0, "all of %s come back",
          elem_name(half->elem));
    mem_free(json);
    mem_free(back);
    free(all);
    for (i = 0; i + 1 < infinite; i += 7) check_tie(half->elem, half_value(half, i), half_value(half, i + 1), !(i & 1));
  }
  for (i = 0; i < 3000; i++) {
    u32 bits = i < 200 ? i : random_below(0x7f7fffff);
    check_tie(ELEM_F32, (double)float_of(bits), (double)float_of(bits + 1), !(bits & 1));
  }
  CHECK(read_number(ELEM_F32, "340282356779733661637539395458142568447") == (double)FLT_MAX,
        "just below the largest tie");
  CHECK(isnan(read_number(ELEM_F32, "340282356779733661637539395458142568448")), "the largest tie");
  for (i = 0; i < 100000; i++) {
    float f = float_of((u32)random64() & 0xff7fffff);
    static const char *const formats[] = {"%.9g", "%.6f", "%.3e", "%.30e", "%.12f"};
    float wanted;
    snprintf(text, sizeof text, formats[i % 5], (double)f);
    wanted = strtof(text, NULL);
    CHECK(bits_of((float)read_number(ELEM_F32, text)) == bits_of(wanted), "%s is %a", text, (double)wanted);
  }
  for (i = 0; i < 100000; i++) {
    float f = i & 1 ? float_of((u32)random64() & 0xff7fffff) : random_float();
    char *json = elem_to_json(ELEM_F32, &f, 1);
    json[strlen(json) - 1] = 0;
    CHECK(read_number(ELEM_F32, json + 1) == (double)f, "%a is written as %s", (double)f, json + 1);
    mem_free(json);
  }
}

static void test_json(void) {
  static const char *const locales[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fr_FR"};
  u32 i;
  json_memory = guarded_new(4096);
  test_json_grammar();
  test_json_numbers();
  for (i = 0; i < 4; i++) {
    if (setlocale(LC_NUMERIC, locales[i])) break;
  }
  printf("json in a locale with a decimal comma: %s\n", i < 4 ? locales[i] : "skipped, none installed");
  if (i < 4) test_json_grammar();
  setlocale(LC_NUMERIC, "C");
}

/* ---- vectors for distances ------------------------------------------------------------------------------------------- */

typedef enum { UNIFORM, WIDE, CLOSE, EXTREME, KINDS } Kind;

static float extreme(void) {
  static const u32 bits[] = {0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x3f800000};
  return float_of(bits[random_below(9)]);
}

static u16 clip_half(const Half *half, float f) {
  u16 h = half->narrow(f);
  return isfinite(half->widen(h)) ? h : (u16)(h - 1);
}

/* A random vector; `near` is one to stay close to, for CLOSE. */
static void fill(Elem elem, Kind kind, u32 dim, const u8 *near, u8 *out) {
  u32 i;
  for (i = 0; i < elem_size(elem, dim) && elem >= ELEM_I8; i++) {
    out[i] = (u8)random64();
    if (kind == EXTREME) out[i] = random64() & 1 ? 0x80 : 0x7f;
    if (kind == CLOSE && near) out[i] = near[i];
  }
  for (i = 0; i < dim && elem < ELEM_I8; i++) {
    float f = random_float();
    if (kind == WIDE) f = ldexpf(f, (int)random_below(elem == ELEM_F16 ? 30 : 80) - (elem == ELEM_F16 ? 15 : 40));
    if (kind == CLOSE && near) f = (float)elem_get(elem, near, i) + f * 0x1p-10f; /* exact, fused or not */
    if (kind == EXTREME) f = extreme();
    if (elem == ELEM_F32) {
      memcpy(out + 4 * (size_t)i, &f, 4);
    } else {
      u16 h = clip_half(&halves[elem == ELEM_BF16], f);
      memcpy(out + 2 * (size_t)i, &h, 2);
    }
  }
}

/* The true, order-preserving value, and the squared norms of both vectors. */
typedef struct Truth {
  long double value, a2, b2;
} Truth;

static Truth reference(Metric metric, Elem elem, const u8 *a, const u8 *b, u32 dim) {
  long double dot = 0, a2 = 0, b2 = 0, l1 = 0, l2 = 0;
  u32 i, differ = 0, both = 0, any = 0;
  for (i = 0; i < dim; i++) {
    long double x = elem_get(elem, a, i), y = elem_get(elem, b, i);
    dot += x * y;
    a2 += x * x;
    b2 += y * y;
    l1 += fabsl(x - y);
    l2 += (x - y) * (x - y);
    differ += x != y;
    both += x != 0 && y != 0;
    any += x != 0 || y != 0;
  }
  Truth truth = {0, a2, b2};
  if (metric == METRIC_L2) truth.value = l2;
  if (metric == METRIC_COSINE) truth.value = a2 == 0 || b2 == 0 ? 1 : 1 - dot / sqrtl(a2 * b2);
  if (metric == METRIC_DOT) truth.value = -dot;
  if (metric == METRIC_L1) truth.value = l1;
  if (metric == METRIC_HAMMING) truth.value = differ;
  if (metric == METRIC_JACCARD) truth.value = any ? 1 - (long double)both / any : 0;
  return truth;
}

/* ---- exact ------------------------------------------------------------------------------------------------------------ */

#define F32(...)                                                                                                       \
  (const float[]) { __VA_ARGS__ }

static void test_exact_values(void) {
  static const Metric all[] = {METRIC_L2, METRIC_COSINE, METRIC_L1, METRIC_HAMMING, METRIC_JACCARD};
  static u8 v[4 * 100];
  u32 elem, i, dim;
  CHECK(distance_exact(METRIC_L2, ELEM_F32, F32(1, 2, 3), F32(4, 6, 3), 3) == 5, "l2");
  CHECK(distance_exact(METRIC_L1, ELEM_F32, F32(1, 2, 3), F32(4, 6, 3), 3) == 7, "l1");
  CHECK(distance_exact(METRIC_DOT, ELEM_F32, F32(1, 2, 3), F32(4, 6, 3), 3) == -25, "dot");
  CHECK(distance_exact(METRIC_COSINE, ELEM_F32, F32(1, 0), F32(0, 1), 2) == 1, "cosine");
  CHECK(distance_exact(METRIC_COSINE, ELEM_F32, F32(1, 0), F32(-2, 0), 2) == 2, "cosine");
  CHECK(distance_exact(METRIC_COSINE, ELEM_F32, F32(1, 0), F32(0, 0), 2) == 1, "cosine of zero");
  CHECK(distance_exact(METRIC_COSINE, ELEM_F32, F32(1e-30f, 0), F32(1e-40f, 1e-40f), 2) ==
            (double)(float)(1 - sqrt(0.5)),
        "cosine of small vectors: %.17g",
        distance_exact(METRIC_COSINE, ELEM_F32, F32(1e-30f, 0), F32(1e-40f, 1e-40f), 2));
  CHECK(distance_exact(METRIC_COSINE, ELEM_I8, "\0\0", "\1\2", 2) == 1, "cosine of zero");
  CHECK(!signbit(distance_exact(METRIC_DOT, ELEM_F32, F32(0), F32(1), 1)), "no minus zero");
  CHECK(!signbit(distance_exact(METRIC_DOT, ELEM_I8, "\0", "\1", 1)), "no minus zero");
  CHECK(distance_exact(METRIC_L2, ELEM_F32, F32(FLT_MAX), F32(-FLT_MAX), 1) == 2 * (double)FLT_MAX, "beyond float");
  CHECK(distance_exact(METRIC_L2, ELEM_F32, F32(float_of(1)), F32(0), 1) == (double)float_of(1), "subnormal");
  CHECK(distance_exact(METRIC_DOT, ELEM_F32, F32(float_of(1)), F32(float_of(1)), 1) == -0x1p-298, "below float");
  CHECK(distance_exact(METRIC_L2, ELEM_I8, "\x80", "\x7f", 1) == 255, "int8");
  CHECK(distance_exact(METRIC_HAMMING, ELEM_BIT, "\xff\xf1", "\x0f\x00", 9) == 5, "bits beyond the dimension");
  CHECK(distance_exact(METRIC_JACCARD, ELEM_BIT, "\x00\xf0", "\x00\x80", 9) == 0, "bits beyond the dimension");
  CHECK(distance_exact(METRIC_JACCARD, ELEM_BIT, "\x03", "\x05", 8) == (double)(float)(2.0 / 3), "jaccard");
  CHECK(isnan(distance_exact(METRIC_L2, ELEM_BIT, "", "", 0)) && distance_scan(METRIC_L2, ELEM_BIT) == NULL,
        "no such pair");
  for (dim = 1; dim < 100; dim++) {
    for (elem = 1; elem <= ELEM_LAST; elem++) {
      fill((Elem)elem, UNIFORM, dim, NULL, v);
      for (i = 0; i < 5; i++) {
        if (!metric_fits(all[i], (Elem)elem)) continue;
        CHECK(distance_exact(all[i], (Elem)elem, v, v, dim) == 0, "%s of %s[%u] to itself", metric_name(all[i]),
              elem_name((Elem)elem), dim);
      }
    }
  }
  CHECK(metric_parse("Cosine", 6) == METRIC_COSINE && metric_parse("l2x", 2) == METRIC_L2, "names");
  CHECK(metric_parse("l", 1) == 0 && metric_parse("", 0) == 0 && metric_parse("l22", 3) == 0, "no names");
  CHECK(simd_force("mmx") == 0, "no such level");
}

/*
 * What rounding to float would hide: sums beyond the range of float, which stay double, and cosines so near 0 that the last
 * bits of a sum show.
 */
static void fill_telling(Elem elem, int huge, u32 dim, u8 *a, u8 *b) {
  u32 i;
  fill(elem, UNIFORM, dim, NULL, a);
  fill(elem, UNIFORM, dim, NULL, b);
  if (elem == ELEM_F32) {
    for (i = 0; i < dim; i++) {
      u32 bits[2];
      memcpy(&bits[0], a + 4 * (size_t)i, 4);
      memcpy(&bits[1], b + 4 * (size_t)i, 4);
      bits[1] = huge ? bits[1] + (126u << 23) : bits[0] ^ (i % 5 == 0);
      if (huge) bits[0] += 126u << 23;
      memcpy(a + 4 * (size_t)i, &bits[0], 4);
      memcpy(b + 4 * (size_t)i, &bits[1], 4);
    }
  }
  if (elem == ELEM_BF16) {
    for (i = 0; i < dim; i++) {
      a[2 * (size_t)i + 1] = (u8)((a[2 * (size_t)i + 1] & 0x80) | 0x7e);
      b[2 * (size_t)i + 1] = (u8)((b[2 * (size_t)i + 1] & 0x80) | 0x7e);
    }
  }
}

static void add_exact_bits(Elem elem, u32 dim, const u8 *a, const u8 *b, u32 *crc) {
  u32 metric;
  for (metric = 1; metric <= METRIC_LAST; metric++) {
    double d;
    if (!metric_fits((Metric)metric, elem)) continue;
    d = distance_exact((Metric)metric, elem, a, b, dim);
    CHECK(isfinite(d), "%s %s[%u]", metric_name((Metric)metric), elem_name(elem), dim);
    *crc = crc32c(*crc, &d, sizeof d);
  }
}

/* The same bits on every processor, at every level, from every compiler. */
static void test_exact_bits(const char *level) {
  static u8 a[4 * 1000], b[4 * 1000];
  u32 elem, dim, crc = 0;
  int kind;
  if (!simd_force(level)) return;
  seed = 42;
  for (dim = 1; dim < 1000; dim += 1 + dim / 8) {
    for (elem = 1; elem <= ELEM_LAST; elem++) {
      for (kind = 0; kind < KINDS; kind++) {
        fill((Elem)elem, (Kind)kind, dim, NULL, a);
        fill((Elem)elem, (Kind)kind, dim, a, b);
        add_exact_bits((Elem)elem, dim, a, b, &crc);
      }
      for (kind = 0; kind < 2; kind++) {
        fill_telling((Elem)elem, kind, dim, a, b);
        add_exact_bits((Elem)elem, dim, a, b, &crc);
      }
    }
  }
  CHECK(crc == 0xb63d43d8u, "%s: checksum of exact distances is %08x", level, crc);
}

/* ---- scans -------------------------------------------------------------------------------------------------------------- */

#define ROWS 9

typedef struct Placement {
  size_t padding;   /* between rows */
  size_t query_gap; /* from the query to the page without access behind it */
  size_t row_gap;
  int at_start; /* in front of which the page without access lies instead */
} Placement;

static const Placement placements[] = {{0, 0, 0, 0}, {3, 1, 0, 0}, {64, 0, 1, 0}, {0, 0, 0, 1}, {5, 3, 2, 1}};

static Guarded query_memory, row_memory;

static void scan_case(Metric metric, Elem elem, u32 dim, Kind kind, const Placement *place, u32 count, const u8 *query,
                      const u8 *const row[ROWS], const Truth truth[ROWS]) {
  size_t size = (size_t)elem_size(elem, dim), stride = size + place->padding;
  size_t all = (count - 1) * stride + size;
  u8 *q = place->at_start ? query_memory.start + place->query_gap : query_memory.end - place->query_gap - size;
  u8 *rows = place->at_start ? row_memory.start + place->row_gap : row_memory.end - place->row_gap - all;
  float out[ROWS + 1], norm2_max = 0;
  u32 i;

  memset(rows, 255, all); /* what lies between rows is NaN */
  memcpy(q, query, size);
  for (i = 0; i < count; i++) memcpy(rows + i * stride, row[i], size);
  for (i = 0; i <= ROWS; i++) out[i] = -77;
  distance_scan(metric, elem)(q, rows, stride, count, dim, out, &norm2_max);
  CHECK(out[count] == -77, "writes too much");
  for (i = 0; i < count; i++) {
    double norm2 = (double)truth[i].a2 * (double)norm2_max;
    double bound = distance_error(metric, elem, dim, (double)truth[i].value, norm2);
    long double error = fabsl((long double)out[i] - truth[i].value);
    if (kind == EXTREME && elem != ELEM_I8 && !isfinite(out[i])) continue;
    CHECK(error <= (long double)bound, "%s %s %s[%u] kind %d row %u of %u: %.9g, truth %.9Lg, error %.3Lg, bound %.3g",
          simd_level(), metric_name(metric), elem_name(elem), dim, kind, i, count, (double)out[i], truth[i].value,
          error, bound);
  }
}

/* Rounded to float, after sums in double. */
static void check_exact(Metric metric, Elem elem, u32 dim, double exact, const Truth *truth) {
  long double wanted = metric == METRIC_L2 ? sqrtl(truth->value) : truth->value;
  long double tolerance = fabsl(wanted) * (0x1p-24L + 0x1p-40L);
  if (metric == METRIC_DOT) tolerance += dim * 0x1p-52L * sqrtl(truth->a2 * truth->b2);
  if (metric == METRIC_COSINE) tolerance += dim * 0x1p-50L;
  CHECK(fabsl((long double)exact - wanted) <= tolerance, "%s %s[%u]: exact %.17g, truth %.17Lg", metric_name(metric),
        elem_name(elem), dim, exact, wanted);
}

static void test_scans_of(Metric metric, Elem elem, u32 dim) {
  static u8 query[4 * MAX_DIM], data[ROWS][4 * MAX_DIM];
  const u8 *row[ROWS];
  Truth truth[ROWS];
  u32 i, level, place;
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    fill(elem, (Kind)kind, dim, NULL, query);
    for (i = 0; i < ROWS; i++) {
      row[i] = data[i];
      fill(elem, (Kind)kind, dim, query, data[i]);
      if (i == 2 && kind == UNIFORM) memcpy(data[i], query, sizeof query);
      truth[i] = reference(metric, elem, query, data[i], dim);
      check_exact(metric, elem, dim, distance_exact(metric, elem, query, data[i], dim), &truth[i]);
    }
    for (level = 0; level < 4; level++) {
      if (!simd_force(levels[level])) continue;
      for (place = 0; place < 5; place++) {
        scan_case(metric, elem, dim, (Kind)kind, &placements[place], 1 + (dim + place + (u32)kind) % ROWS, query, row,
                  truth);
      }
    }
  }
}

/* Rows of zeros, and sums that overflow or vanish: NaN or the right value, never a wrong one. */
static void test_scan_specials(const char *level) {
  static float zero[40], ones[40], tiny[40], huge[40];
  float out[4], norm2_max = 0;
  u32 i, n;
  if (!simd_force(level)) return;
  for (i = 0; i < 40; i++) {
    ones[i] = 1;
    tiny[i] = 1e-30f;
    huge[i] = FLT_MAX;
  }
  for (n = 1; n <= 40; n++) {
    const float *all[4];
    u32 k;
    all[0] = zero;
    all[1] = tiny;
    all[2] = huge;
    all[3] = ones;
    for (k = 0; k < 4; k++) {
      distance_scan(METRIC_COSINE, ELEM_F32)(ones, all[k], 4, 1, n, out, &norm2_max);
      CHECK(isnan(out[0]) == (k < 3) && (k < 3 || fabsf(out[0]) < 1e-6f), "%s cosine %u: %g", level, k, (double)out[0]);
      distance_scan(METRIC_COSINE, ELEM_F32)(all[k], ones, 4, 1, n, out, &norm2_max);
      CHECK(isnan(out[0]) == (k < 3), "%s cosine %u: %g", level, k, (double)out[0]);
    }
    distance_scan(METRIC_COSINE, ELEM_F16)(ones, zero, 4, 1, n, out, &norm2_max);
    CHECK(out[0] == 1, "%s cosine of a zero row of float16", level);
    distance_scan(METRIC_COSINE, ELEM_I8)(ones, zero, 4, 1, n, out, &norm2_max);
    CHECK(out[0] == 1, "%s cosine of a zero row of int8", level);
    distance_scan(METRIC_L2, ELEM_F32)(huge, zero, 4, 1, n, out, &norm2_max);
    CHECK(isinf(out[0]), "%s l2 of huge", level);
    distance_scan(METRIC_DOT, ELEM_F32)(ones, ones, 4, 1, n, out, &norm2_max);
    CHECK(out[0] == -(float)n && norm2_max >= (float)n && norm2_max <= 1.001f * (float)n, "%s dot", level);
    distance_scan(METRIC_DOT, ELEM_F32)(ones, zero, 4, 1, n, out, &norm2_max);
    CHECK(out[0] == 0 && !signbit(out[0]) && norm2_max >= (float)n, "%s dot keeps the largest norm", level);
    distance_scan(METRIC_DOT, ELEM_F32)(ones, zero, 4, 0, n, NULL, &norm2_max);
  }
}

static void test_scans(void) {
  static const u32 large[] = {320, 383, 384, 511, 512, 513, 768, 1000, 1023, 1024, 1536, 3071, 4096, 4097, 8191, 8192};
  u32 metric, elem, dim, i;
  query_memory = guarded_new(4 * MAX_DIM + 16);
  row_memory = guarded_new(ROWS * (4 * MAX_DIM + 64) + 16);
  print_levels();
  for (metric = 1; metric <= METRIC_LAST; metric++) {
    for (elem = 1; elem <= ELEM_LAST; elem++) {
      if (!metric_fits((Metric)metric, (Elem)elem)) continue;
      for (dim = 1; dim <= 300; dim++) test_scans_of((Metric)metric, (Elem)elem, dim);
      for (i = 0; i < sizeof large / sizeof *large; i++) test_scans_of((Metric)metric, (Elem)elem, large[i]);
    }
  }
  for (i = 0; i < 4; i++) test_scan_specials(levels[i]);
}

int main(void) {
  u32 i;
  printf("level chosen: %s\n", simd_level());
  test_crc();
  test_crc_plain();
  test_features();
  test_half(&halves[0]);
  test_half(&halves[1]);
  test_elements();
  test_json();
  test_exact_values();
  for (i = 0; i < 4; i++) test_exact_bits(levels[i]);
  test_scans();
  printf("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
