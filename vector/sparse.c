/*
 * sparse.c: sparse vectors. See sparse.h.
 */
#include "sparse.h"

#include "exact_float.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "elem_int.h"

typedef struct Entry {
  u32 index;
  float value;
} Entry;

PRINTF_LIKE(2, 3) static int fail(char **error, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  *error = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  return *error ? SQLITE_ERROR : SQLITE_NOMEM;
}

/* --- the BLOB --- */

u32 sparse_index(const Sparse *sparse, u32 i) { return load32_fast(sparse->index + 4 * (size_t)i); }
float sparse_value(const Sparse *sparse, u32 i) { return f32_at(sparse->value, i); }

Sparse sparse_view(const void *blob) {
  const u8 *p = blob;
  Sparse view = {load32(p + 4), load32(p + 8), p + SPARSE_HEADER, NULL};
  view.value = view.index + 4 * (size_t)view.count;
  return view;
}

int sparse_marked(const void *blob, u64 size) { return size >= 4 && load32(blob) == SPARSE_MARK; }

int sparse_open(const void *blob, u64 size, Sparse *out, char **error) {
  const u8 *p = blob;

  memset(out, 0, sizeof *out);
  if (size < SPARSE_HEADER || load32(p) != SPARSE_MARK)
    return fail(error, "no sparse vector: the BLOB of %llu bytes does not begin with the mark of one",
                (unsigned long long)size);
  out->dim = load32(p + 4);
  out->count = load32(p + 8);
  out->index = p + SPARSE_HEADER;
  out->value = out->index + 4 * (size_t)out->count;
  if (size != SPARSE_HEADER + (u64)8 * out->count)
    return fail(error, "damaged sparse vector: %u values need a BLOB of %llu bytes, found %llu", out->count,
                (unsigned long long)SPARSE_HEADER + (unsigned long long)8 * out->count, (unsigned long long)size);
  if (out->dim == 0 || out->dim > SPARSE_MAX_DIM)
    return fail(error, "damaged sparse vector: dimensions are 1 to 2147483648, found %u", out->dim);
  for (u32 i = 0; i < out->count; i++) {
    u32 index = sparse_index(out, i);
    float value = sparse_value(out, i);
    if (index >= out->dim)
      return fail(error, "damaged sparse vector: index %u is beyond %u dimensions", index, out->dim);
    if (i > 0 && index <= sparse_index(out, i - 1))
      return fail(error, "damaged sparse vector: index %u comes after %u", index, sparse_index(out, i - 1));
    if (!isfinite(value) || value == 0)
      return fail(error, "damaged sparse vector: the value at index %u is %s", index,
                  value == 0       ? "zero"
                  : value != value ? "NaN"
                                   : "Inf");
  }
  return SQLITE_OK;
}

/* The BLOB of entries in ascending order, none of them zero. */
static int make_blob(u32 dim, const Entry *entry, u32 count, void **blob, u64 *size) {
  int rc = SQLITE_OK;
  u8 *p;

  *size = SPARSE_HEADER + (u64)8 * count;
  p = mem_array(&rc, *size, 1);
  if (rc) return rc;
  store32(p, SPARSE_MARK);
  store32(p + 4, dim);
  store32(p + 8, count);
  for (u32 i = 0; i < count; i++) {
    store32(p + SPARSE_HEADER + 4 * (size_t)i, entry[i].index);
    store32(p + SPARSE_HEADER + 4 * ((size_t)count + i), f32_bits(entry[i].value));
  }
  *blob = p;
  return SQLITE_OK;
}

int sparse_of_dense(Elem elem, const void *vector, u32 dim, void **blob, u64 *size) {
  Entry *entry;
  u32 count = 0, used = 0;
  int rc = SQLITE_OK;

  if (dim > SPARSE_MAX_DIM) return SQLITE_TOOBIG;
  for (u32 i = 0; i < dim; i++) count += elem_get(elem, vector, i) != 0;
  entry = mem_array(&rc, count, sizeof *entry);
  if (rc) return rc;
  for (u32 i = 0; i < dim; i++) {
    double value = elem_get(elem, vector, i);
    if (value != 0) entry[used++] = (Entry){i, (float)value};
  }
  rc = make_blob(dim, entry, count, blob, size);
  mem_free(entry);
  return rc;
}

/* --- reading texts --- */

/* A text that is being read. rc is sticky: after a failure nothing more is read. */
typedef struct Reader {
  const char *start, *p, *end;
  u64 dim; /* 0: not known yet */
  Entry *entry;
  u64 count, cap;
  char **error;
  int rc;
} Reader;

static void expected(Reader *r, const char *what) {
  if (r->rc) return;
  if (r->p == r->end)
    r->rc = fail(r->error, "sparse vector: expected %s, found the end of the text", what);
  else
    r->rc = fail(r->error, "sparse vector: expected %s at byte %lld, found '%c'", what, (long long)(r->p - r->start),
                 *r->p >= ' ' && *r->p < 127 ? *r->p : '?');
}

static void skip_space(Reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}

/* Whether the next sign is `c`, which is passed then. */
static int accept(Reader *r, char c) {
  if (r->rc) return 0;
  skip_space(r);
  if (r->p == r->end || *r->p != c) return 0;
  r->p++;
  return 1;
}

static void require(Reader *r, char c) {
  char what[] = {'\'', c, '\'', 0};
  if (!accept(r, c)) expected(r, what);
}

/* A whole number, at most 2^31; above: 2^31 + 1. */
static u64 read_whole(Reader *r, const char *what) {
  u64 n = 0;
  if (r->rc) return 0;
  skip_space(r);
  if (r->p == r->end || *r->p < '0' || *r->p > '9') expected(r, what);
  for (; r->rc == SQLITE_OK && r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
    n = MIN(n * 10 + (u64)(*r->p - '0'), SPARSE_MAX_DIM + 1);
  return n;
}

static float read_number(Reader *r) {
  float value = 0;
  if (r->rc) return 0;
  skip_space(r);
  switch (elem_read_number(&r->p, r->end, &value)) {
    case NUMBER_OK: break;
    case NUMBER_MALFORMED: expected(r, "a number"); break;
    case NUMBER_RANGE:
      r->rc = fail(r->error, "sparse vector: the number before byte %lld is out of range for float32",
                   (long long)(r->p - r->start));
  }
  return value;
}

static void set_dim(Reader *r, u64 dim) {
  if (r->rc) return;
  if (dim < 1 || dim > SPARSE_MAX_DIM)
    r->rc = fail(r->error, "sparse vector: dimensions are 1 to 2147483648");
  else if (r->dim && r->dim != dim)
    r->rc = fail(r->error, "sparse vector: the text says %llu dimensions where %llu are expected",
                 (unsigned long long)dim, (unsigned long long)r->dim);
  r->dim = dim;
}

static Entry *add_entry(Reader *r, u64 index) {
  if (r->rc == SQLITE_OK && index >= SPARSE_MAX_DIM)
    r->rc = fail(r->error, "sparse vector: an index is beyond 2147483648 dimensions");
  if (r->rc == SQLITE_OK) r->rc = mem_reserve(&r->entry, &r->cap, r->count + 1, sizeof *r->entry);
  if (r->rc) return NULL;
  r->entry[r->count] = (Entry){(u32)index, 0};
  return &r->entry[r->count++];
}

/* {1:0.5,3:2}/5 after the brace. */
static void read_pgvector(Reader *r) {
  u64 dim;
  if (!accept(r, '}')) {
    do {
      u64 index = read_whole(r, "an index");
      Entry *entry;
      if (r->rc == SQLITE_OK && index == 0)
        r->rc = fail(r->error, "sparse vector: index 0 in a text of the form {index:value,...}/dimensions, where they"
                               " begin with 1");
      require(r, ':');
      entry = add_entry(r, index - 1);
      if (entry) entry->value = read_number(r);
    } while (accept(r, ','));
    require(r, '}');
  }
  require(r, '/');
  dim = read_whole(r, "the number of dimensions");
  set_dim(r, dim);
}

/* A JSON string without escapes, which no name of ours needs; *length is 0 and *name NULL if there is none. */
static const char *read_name(Reader *r, size_t *length) {
  const char *name;
  require(r, '"');
  name = r->p;
  while (r->rc == SQLITE_OK && r->p < r->end && *r->p != '"') r->p++;
  *length = (size_t)(r->p - name);
  require(r, '"');
  return name;
}

/* An array of numbers into the entries, from the first on: their indexes, or their values. */
static u64 read_array(Reader *r, int of_values) {
  u64 count = 0;
  require(r, '[');
  if (accept(r, ']')) return 0;
  do {
    u64 index = of_values ? 0 : read_whole(r, "an index");
    float value = of_values ? read_number(r) : 0;
    Entry *entry = count < r->count && r->rc == SQLITE_OK ? &r->entry[count] : add_entry(r, 0);
    count++;
    if (entry && of_values) entry->value = value;
    if (entry && !of_values) entry->index = (u32)MIN(index, SPARSE_MAX_DIM);
  } while (accept(r, ','));
  require(r, ']');
  return count;
}

/* "index": value, of which the name was read. */
static void read_pair(Reader *r, const char *name, size_t length) {
  Reader digits = *r;
  u64 index;
  Entry *entry;

  digits.p = name;
  digits.end = name + length;
  index = length && *name != ' ' ? read_whole(&digits, "an index") : 0;
  if (r->rc == SQLITE_OK && (digits.rc || digits.p != digits.end || length == 0)) {
    if (digits.rc == SQLITE_ERROR) sqlite3_free(*r->error); /* the words below are better */
    r->rc = digits.rc == SQLITE_NOMEM
                ? SQLITE_NOMEM
                : fail(r->error, "sparse vector: expected an index, dim, indices or values in quotes, found \"%.*s\"",
                       (int)MIN(length, 40), name);
  }
  entry = add_entry(r, index);
  if (entry) entry->value = read_number(r);
}

/* A JSON object after the brace. */
static void read_json(Reader *r) {
  u64 indices = UINT64_MAX, values = UINT64_MAX; /* how many; not there */
  int pairs = 0;

  if (accept(r, '}')) return;
  do {
    size_t length;
    const char *name = read_name(r, &length);
    require(r, ':');
    if (r->rc) return;
    if (length == 3 && memcmp(name, "dim", 3) == 0) {
      set_dim(r, read_whole(r, "the number of dimensions"));
    } else if (length == 7 && memcmp(name, "indices", 7) == 0 && indices == UINT64_MAX) {
      indices = read_array(r, 0);
    } else if (length == 6 && memcmp(name, "values", 6) == 0 && values == UINT64_MAX) {
      values = read_array(r, 1);
    } else {
      read_pair(r, name, length);
      pairs = 1;
    }
  } while (accept(r, ','));
  require(r, '}');
  if (r->rc == SQLITE_OK && (indices != values || (pairs && indices != UINT64_MAX)))
    r->rc =
        fail(r->error, "sparse vector: indices and values must be two arrays of the same length, without pairs beside"
                       " them");
}

static int compare_entries(const void *a, const void *b) {
  u32 x = ((const Entry *)a)->index, y = ((const Entry *)b)->index;
  return (x > y) - (x < y);
}

/* Sort, look for indexes that do not fit, leave out zeros. */
static void settle_entries(Reader *r) {
  u64 kept = 0;
  if (r->rc) return;
  if (r->dim == 0) {
    r->rc = fail(r->error, "sparse vector: the number of dimensions is not known: say \"dim\", or give it to"
                           " vec_sparse(x, dims)");
    return;
  }
  if (r->count > 1) qsort(r->entry, (size_t)r->count, sizeof *r->entry, compare_entries);
  for (u64 i = 0; i < r->count && r->rc == SQLITE_OK; i++) {
    if (r->entry[i].index >= r->dim)
      r->rc = fail(r->error, "sparse vector: an index is beyond its %llu dimensions", (unsigned long long)r->dim);
    else if (i > 0 && r->entry[i].index == r->entry[i - 1].index)
      r->rc = fail(r->error, "sparse vector: an index comes twice");
  }
  for (u64 i = 0; i < r->count; i++) {
    Entry entry = r->entry[i];
    if (entry.value != 0) r->entry[kept++] = entry;
  }
  r->count = kept;
}

int sparse_parse(const char *text, u64 length, u64 dim, void **blob, u64 *size, char **error) {
  Reader r = {.start = text, .p = text, .end = text + length, .error = error};

  if (dim) set_dim(&r, dim);
  require(&r, '{');
  skip_space(&r);
  if (r.p < r.end && *r.p == '"') {
    read_json(&r);
  } else if (r.p < r.end && *r.p == '}' && dim) { /* {}, or {}/5 */
    r.p++;
    if (accept(&r, '/')) set_dim(&r, read_whole(&r, "the number of dimensions"));
  } else {
    read_pgvector(&r);
  }
  skip_space(&r);
  if (r.p != r.end) expected(&r, "the end of the text");
  settle_entries(&r);
  if (r.rc == SQLITE_OK) r.rc = make_blob((u32)r.dim, r.entry, (u32)r.count, blob, size);
  mem_free(r.entry);
  return r.rc;
}

/* --- writing texts --- */

static void append_value(sqlite3_str *text, float value) {
  char number[ELEM_NUMBER_TEXT];
  sqlite3_str_append(text, number, (int)elem_write_number(value, number));
}

char *sparse_to_text(const Sparse *sparse) {
  sqlite3_str *text = sqlite3_str_new(NULL);
  sqlite3_str_appendchar(text, 1, '{');
  for (u32 i = 0; i < sparse->count; i++) {
    sqlite3_str_appendf(text, "%s%llu:", i ? "," : "", (unsigned long long)sparse_index(sparse, i) + 1);
    append_value(text, sparse_value(sparse, i));
  }
  sqlite3_str_appendf(text, "}/%u", sparse->dim);
  return sqlite3_str_finish(text);
}

char *sparse_to_json(const Sparse *sparse) {
  sqlite3_str *text = sqlite3_str_new(NULL);
  sqlite3_str_appendf(text, "{\"dim\":%u,\"indices\":[", sparse->dim);
  for (u32 i = 0; i < sparse->count; i++) sqlite3_str_appendf(text, "%s%u", i ? "," : "", sparse_index(sparse, i));
  sqlite3_str_appendall(text, "],\"values\":[");
  for (u32 i = 0; i < sparse->count; i++) {
    if (i) sqlite3_str_appendchar(text, 1, ',');
    append_value(text, sparse_value(sparse, i));
  }
  sqlite3_str_appendall(text, "]}");
  return sqlite3_str_finish(text);
}

/* --- distances --- */

int sparse_metric_fits(Metric metric) {
  return metric == METRIC_L2 || metric == METRIC_COSINE || metric == METRIC_DOT || metric == METRIC_L1;
}

/* The sum of products at the indexes that both have. */
static double inner_product(const Sparse *a, const Sparse *b) {
  double sum = 0;
  u32 i = 0, j = 0;
  while (i < a->count && j < b->count) {
    u32 x = sparse_index(a, i), y = sparse_index(b, j);
    if (x == y) sum += (double)sparse_value(a, i) * (double)sparse_value(b, j);
    i += x <= y;
    j += y <= x;
  }
  return sum;
}

double sparse_norm2(const Sparse *sparse) { return inner_product(sparse, sparse); }

/* The sum of squared (or absolute) differences. */
static double differences(const Sparse *a, const Sparse *b, int squared) {
  double sum = 0;
  u32 i = 0, j = 0;
  while (i < a->count || j < b->count) {
    u32 x = i < a->count ? sparse_index(a, i) : UINT32_MAX, y = j < b->count ? sparse_index(b, j) : UINT32_MAX;
    double d = (x <= y ? (double)sparse_value(a, i) : 0) - (y <= x ? (double)sparse_value(b, j) : 0);
    sum += squared ? d * d : fabs(d);
    i += x <= y;
    j += y <= x;
  }
  return sum;
}

double sparse_distance(Metric metric, const Sparse *a, const Sparse *b) {
  switch (metric) {
    case METRIC_L2: return distance_rounded(sqrt(differences(a, b, 1)));
    case METRIC_L1: return distance_rounded(differences(a, b, 0));
    case METRIC_COSINE:
      return distance_rounded(distance_cosine(inner_product(a, b), inner_product(a, a), inner_product(b, b)));
    default: return distance_rounded(0 - inner_product(a, b));
  }
}
