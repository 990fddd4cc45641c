/*
 * vtab_index.c: indexes as CREATE VIRTUAL TABLE (INDEXED BY) and the command 'rebuild=...' name them, and every message about them.
 *
 *   index  = kind "(" [ option { "," option } ] ")"
 *   option = name "=" value
 *
 * What a kind takes, and its ranges, are the tables below. `rescore` is sqlite-vec's scan of quantized vectors with re-ranking:
 * its options are checked and forgotten, as a flat scan reads code rows too and misses nothing. A flat scan of shorter codes, which may miss
 * rows, is one list (scan_of_codes). Defaults are filled in where type and metric are known (resolve_index), once, at CREATE or by the command: the
 * registry keeps the result.
 */
#include "args_int.h"

#define DEFAULT_M 16
#define DEFAULT_EF_CONSTRUCTION 200
#define DEFAULT_EF_SEARCH 64
#define DEFAULT_NPROBE 48
/* Measured by bench/quantizers.tcl: what is quickest of those that lose at most 0.005 of recall to full vectors. */
#define INT4_MIN_DIM 64            /* fewer dimensions are walked on int8; */
#define BIT_MIN_DIM 128u           /* lists of so many are of bits, but by dot */
#define FROM_ROWS_OPEN 0xffffffffu /* auto() or ivf() that does not say */
#define FROM_ROWS_NEVER 0x7fffffffu

typedef struct ValueWord {
  const char *name;
  u32 value;
} ValueWord;

typedef struct Option {
  const char *name;
  size_t at;             /* of its u32 in an IndexShape */
  const ValueWord *word; /* the words it may be, or NULL: a number ... */
  u32 low, high, unit;   /* ... from low to high, stored in units of 1/unit: 1 or 100 */
} Option;

typedef struct Kind {
  const char *name;
  IndexKind kind;
  u32 from_rows;
  const Option *option;
} Kind;

static const ValueWord quantizer_words[] = {{"bit", QUANTIZER_BIT},   {"binary", QUANTIZER_BIT},
                                            {"int4", QUANTIZER_INT4}, {"int8", QUANTIZER_INT8},
                                            {"none", QUANTIZER_NONE}, {NULL, 0}};
static const ValueWord rescore_words[] = {{"bit", QUANTIZER_NONE}, {"int8", QUANTIZER_NONE}, {NULL, 0}};

#define AT(member) offsetof(IndexShape, member)
#define GRAPH_OPTIONS                                                                                                  \
  {"m", AT(m), NULL, 4, 128, 1}, {"ef_construction", AT(ef_construction), NULL, 8, 4096, 1},                           \
      {"ef_search", AT(ef_search), NULL, EF_SEARCH_MIN, EF_SEARCH_MAX, 1},                                             \
      {"quantizer", AT(quantizer), quantizer_words, 0, 0, 0}, {                                                        \
    "oversample", AT(oversample), NULL, 1, OVERSAMPLE_MAX, 100                                                         \
  }
static const Option hnsw_options[] = {GRAPH_OPTIONS, {0}};
static const Option auto_options[] = {GRAPH_OPTIONS, {"from_rows", AT(from_rows), NULL, 1, 0x7fffffff, 1}, {0}};
static const Option ivf_options[] = {{"nlist", AT(nlist), NULL, 1, 65535, 1},
                                     {"nprobe", AT(nprobe), NULL, NPROBE_MIN, NPROBE_MAX, 1},
                                     {"quantizer", AT(quantizer), quantizer_words, 0, 0, 0},
                                     {"oversample", AT(oversample), NULL, 1, OVERSAMPLE_MAX, 100},
                                     {"from_rows", AT(from_rows), NULL, 1, 0x7fffffff, 1},
                                     {0}};
static const Option flat_options[] = {{"quantizer", AT(quantizer), quantizer_words, 0, 0, 0},
                                      {"oversample", AT(oversample), NULL, 1, OVERSAMPLE_MAX, 100},
                                      {0}};
static const Option rescore_options[] = {
    {"quantizer", AT(quantizer), rescore_words, 0, 0, 0}, {"oversample", AT(oversample), NULL, 1, 128, 100}, {0}};
static const Option no_options[] = {{0}};

static const Kind kinds[] = {
    {"auto", INDEX_HNSW, FROM_ROWS_OPEN, auto_options}, {"hnsw", INDEX_HNSW, 0, hnsw_options},
    {"ivf", INDEX_IVF, FROM_ROWS_OPEN, ivf_options},    {"flat", INDEX_FLAT, FROM_ROWS_OPEN, flat_options},
    {"rescore", INDEX_FLAT, 0, rescore_options},        {"inverted", INDEX_INVERTED, 0, no_options},
};

/* --- options --- */

static u32 *member(IndexShape *index, const Option *option) { return (u32 *)((char *)index + option->at); }

/* The value that is next, taken: letters, digits, signs and points. */
static const char *take_value(Parser *p, int *size) {
  const char *value = peek_word(p, size);
  *size = (int)strcspn(value, ",()= \t\r\n\f\v");
  p->at += *size;
  return value;
}

/* A decimal number in units of 1/unit; 0 if it is none, or has more digits after the point than `unit` has zeros. */
static int read_number(const char *text, int size, u32 unit, u64 *out) {
  u32 scale = 0; /* 0: before the point, then the unit of the next digit */
  u64 value = 0;
  int i, digits = 0;

  for (i = 0; i < size && value < UINT32_MAX; i++) {
    if (text[i] == '.' && scale == 0 && unit > 1) {
      scale = unit;
      value *= unit;
    } else if (text[i] < '0' || text[i] > '9') {
      return 0;
    } else if (scale == 0) {
      value = value * 10 + (u64)(text[i] - '0');
      digits++;
    } else {
      scale /= 10;
      if (scale == 0) return 0;
      value += (u64)(text[i] - '0') * scale;
      digits++;
    }
  }
  *out = scale ? value : value * unit;
  return digits > 0;
}

/* The names of options or words, as in "int4, int8 or none"; NULL if memory is out. */
static char *list_words(Parser *p, const Option *option, const ValueWord *word) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  int count = 0, i;
  char *text;

  while (option ? option[count].name != NULL : word[count].name != NULL) count++;
  for (i = 0; i < count; i++) {
    sqlite3_str_appendf(out, "%s%s",
                        i == 0          ? ""
                        : i + 1 < count ? ", "
                        : option        ? " and "
                                        : " or ",
                        option ? option[i].name : word[i].name);
  }
  text = sqlite3_str_finish(out);
  if (text == NULL && p->rc == SQLITE_OK) p->rc = SQLITE_NOMEM;
  return text;
}

static void read_value(Parser *p, const Kind *kind, const Option *option, IndexShape *index) {
  int size;
  const char *value = take_value(p, &size);
  u64 number = 0;

  for (const ValueWord *w = option->word; w && w->name; w++) {
    if (word_is(value, size, w->name)) number = w->value;
  }
  if (option->word && number == 0) {
    char *words = list_words(p, NULL, option->word);
    parser_fail(p, "%s of %s() must be %s, found '%.*s'", option->name, kind->name, words, size, value);
    sqlite3_free(words);
  } else if (!option->word && (!read_number(value, size, option->unit, &number) ||
                               number < (u64)option->low * option->unit || number > (u64)option->high * option->unit)) {
    parser_fail(p, "%s of %s() must be a %s from %u to %u, found '%.*s'", option->name, kind->name,
                option->unit > 1 ? "number (with two decimals at most)" : "whole number", option->low, option->high,
                size, value);
  }
  *member(index, option) = (u32)number;
}

/* One option; `seen` has a bit for each that was given. */
static void parse_index_option(Parser *p, const Kind *kind, u32 *seen, IndexShape *index) {
  int size;
  const char *name = peek_word(p, &size);

  for (u32 i = 0; kind->option[i].name; i++) {
    const Option *option = &kind->option[i];
    if (!take_word(p, option->name)) continue;
    if (*seen >> i & 1) parser_fail(p, "%s of %s() is given twice", option->name, kind->name);
    *seen |= 1u << i;
    if (!take_char(p, '=')) parser_fail(p, "expected '=' after %s of %s(): %s", option->name, kind->name, p->arg);
    if (p->rc == SQLITE_OK) read_value(p, kind, option, index);
    return;
  }
  if (kind->option[0].name == NULL) {
    parser_fail(p, "%s() takes no options", kind->name);
  } else {
    char *words = list_words(p, kind->option, NULL);
    parser_fail(p, "%s() has no option '%.*s': it takes %s", kind->name, size, name, words);
    sqlite3_free(words);
  }
}

/* --- indexes --- */

static void fail_kind(Parser *p, const char *word, int size) {
  static const char use[] = "use auto(), hnsw(), ivf() or flat()";
  if (word_is(word, size, "diskann"))
    parser_fail(p, "INDEXED BY diskann is sqlite-vec's own and is not supported: use hnsw(), Quire's graph index");
  else
    parser_fail(p, "unknown index '%.*s': %s", size, word, use);
}

void parse_index(Parser *p, IndexShape *out) {
  int size;
  const char *word = peek_word(p, &size);
  const Kind *kind = NULL;
  u32 seen = 0;

  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (word_is(word, size, kinds[i].name)) kind = &kinds[i];
  }
  if (kind == NULL) {
    fail_kind(p, word, size);
    return;
  }
  p->at += size;
  memset(out, 0, sizeof *out);
  out->kind = kind->kind;
  out->from_rows = kind->from_rows;
  if (!take_char(p, '(')) parser_fail(p, "%s needs parentheses, %s(): %s", kind->name, kind->name, p->arg);
  if (p->rc || take_char(p, ')')) return;
  do {
    parse_index_option(p, kind, &seen, out);
  } while (p->rc == SQLITE_OK && take_char(p, ','));
  if (!take_char(p, ')')) parser_fail(p, "expected ',' or ')' in %s(): %s", kind->name, p->arg);
}

IndexShape index_default(const Dialect *dialect, Elem elem) {
  IndexShape index = {.kind = INDEX_FLAT};
  if (elem == ELEM_SPARSE) return (IndexShape){.kind = INDEX_INVERTED};
  if (dialect->default_auto) index = (IndexShape){.kind = INDEX_HNSW, .from_rows = FROM_ROWS_OPEN};
  return index;
}

/* Whether a column has codes to walk on. */
static int has_codes(const Column *column) {
  int is_float = column->elem == ELEM_F32 || column->elem == ELEM_F16 || column->elem == ELEM_BF16;
  return is_float && (column->metric == METRIC_L2 || column->metric == METRIC_COSINE || column->metric == METRIC_DOT);
}

static const char *quantizer_word(u32 quantizer) {
  const ValueWord *w = quantizer_words;
  while (w->value != quantizer) w++;
  return w->name;
}

static void or_default(u32 *value, u32 otherwise) {
  if (*value == 0) *value = otherwise;
}

static Quantizer default_quantizer(const Column *column, IndexKind kind) {
  if (!has_codes(column)) return QUANTIZER_NONE;
  if (kind == INDEX_IVF && column->dim >= BIT_MIN_DIM && column->metric != METRIC_DOT) return QUANTIZER_BIT;
  return column->dim < INT4_MIN_DIM ? QUANTIZER_INT8 : QUANTIZER_INT4;
}

static void check_quantizer(Parser *p, const Column *column, u32 quantizer) {
  if (quantizer != QUANTIZER_NONE && !has_codes(column))
    parser_fail(p,
                "quantizer=%s does not fit column %s (%s, %s): it takes quantizer=none; all others are for float types "
                "with l2, cosine or dot",
                quantizer_word(quantizer), column->name, elem_name(column->elem), metric_name(column->metric));
}

/*
 * flat() with a quantizer: codes of 4 bits or one, all in one list, and those that may be among the nearest compared by their full vectors. 8 bits, from
 * which a distance can be bounded, and none are a flat scan as it is.
 */
static void scan_of_codes(Parser *p, const Column *column, IndexShape *index) {
  u32 quantizer = index->quantizer ? index->quantizer : QUANTIZER_NONE;

  check_quantizer(p, column, quantizer);
  if (quantizer != QUANTIZER_INT4 && quantizer != QUANTIZER_BIT) {
    *index = (IndexShape){.kind = INDEX_FLAT};
    return;
  }
  index->kind = INDEX_IVF;
  index->nlist = index->nprobe = 1;
}

void resolve_index(Parser *p, const Column *column, IndexShape *index) {
  if (column->elem == ELEM_RECORD) {
    parser_fail(p, "%s() does not fit a map, which has no vectors: 'rebuild' makes its pages anew", index_word(index));
    return;
  }
  if ((column->elem == ELEM_SPARSE) != (index->kind == INDEX_INVERTED)) {
    if (column->elem == ELEM_SPARSE)
      parser_fail(
          p, "%s() does not fit column %s: a sparse column has an inverted index, which is exact: leave INDEXED BY out",
          index_word(index), column->name);
    else
      parser_fail(p,
                  "inverted() does not fit column %s (%s): it is the index of sparse columns; use auto(), hnsw(), "
                  "ivf() or flat()",
                  column->name, elem_name(column->elem));
    return;
  }
  if (index->kind == INDEX_INVERTED) { /* lists tell nothing about absolute differences */
    *index = (IndexShape){.kind = INDEX_INVERTED, .from_rows = column->metric == METRIC_L1 ? FROM_ROWS_NEVER : 0};
    return;
  }
  if (index->kind == INDEX_FLAT) scan_of_codes(p, column, index);
  if (index->kind == INDEX_FLAT || p->rc) return;
  if (index->kind == INDEX_IVF) {
    or_default(&index->nprobe, DEFAULT_NPROBE);
    if (column->elem == ELEM_BIT)
      parser_fail(p,
                  "ivf() does not fit column %s (%s): lists are about means, which bits have none of; use hnsw() or "
                  "flat()",
                  column->name, elem_name(column->elem));
  } else {
    or_default(&index->m, DEFAULT_M);
    or_default(&index->ef_construction, DEFAULT_EF_CONSTRUCTION);
    or_default(&index->ef_search, DEFAULT_EF_SEARCH);
  }
  if (index->from_rows == FROM_ROWS_OPEN) index->from_rows = index_default_from_rows(column->dim, column->elem);
  or_default(&index->quantizer, default_quantizer(column, (IndexKind)index->kind));
  check_quantizer(p, column, index->quantizer);
}

int spec_parse_index(const TableSpec *spec, int column, const char *text, IndexShape *out, char **error) {
  Parser p = {.arg = text, .at = text, .error = error};

  parse_index(&p, out);
  if (p.rc == SQLITE_OK && !at_end(&p)) parser_fail(&p, "expected nothing after ')': %s", text);
  if (p.rc == SQLITE_OK) resolve_index(&p, &spec->column[column], out);
  return p.rc;
}

const char *index_word(const IndexShape *index) {
  if (index->kind == INDEX_IVF) return "ivf";
  if (index->kind == INDEX_INVERTED) return "inverted";
  if (index->kind != INDEX_HNSW) return "flat";
  return index->from_rows ? "auto" : "hnsw";
}
