/*
 * vector_file.c: quire_read(path [, format]), a row for each vector of a file: number (from 0) and vector.
 *
 *   INSERT INTO t(rowid, e) SELECT number, vector FROM quire_read('base.fvecs');
 *
 *   .fvecs, .bvecs, .ivecs   rows of an i32, the dimension, and as many float32, u8, i32; all rows have the same dimension
 *   .npy                     NumPy's format 1, 2 and 3: a two-dimensional array in C order of <f4, <f8, <f2, i1, u1
 *
 * `format` is one of these names, else the end of the path tells. Vectors come as float32; those of <f2 as float16, of i1 as int8. i32, which
 * are mostly numbers of rows, come as JSON text. <f8 are rounded. Everything is little-endian.
 *
 *   R1  The file is another's: sizes are checked against the file's before they are believed, and what is none of the above, ends in
 *       the middle of a row, or has elements that are NaN or infinite is an error with path and row.
 *   R2  Rows are read when asked for, a window of them at a time: memory does not grow with the file.
 *   R3  Files are opened through SQLite's VFS: closing a database's file by hand would lose its locks in this process.
 *
 * An eponymous virtual table, SQLITE_VTAB_DIRECTONLY: it reads files, which no schema may do. Start at open_file().
 */
#include "vector_file.h"

#include <math.h>
#include <stdarg.h>

#include "../wal_shim/bytes.h"
#include "functions_int.h"

#define WINDOW_SIZE ((u64)1 << 18)
#define MAX_FILE_DIM ((u32)1 << 20)
#define MAX_NPY_HEADER 65536u

enum { COLUMN_NUMBER, COLUMN_VECTOR, COLUMN_PATH, COLUMN_FORMAT };

/* xBestIndex to xFilter; arguments come in this order, after the path. */
enum { HAS_FORMAT = 1, HAS_EQUAL = 2, HAS_LOWER = 4, HAS_UPPER = 8 };

/* What elements are in the file, and what they become; JSON text where `elem` is 0. */
typedef struct ElementType {
  const char *npy;
  u32 size;
  Elem elem;
  double (*get)(const u8 *at);
} ElementType;

typedef struct FileCursor {
  sqlite3_vtab_cursor base;
  char *path, *format; /* as given; format may be NULL */
  const char *name;    /* of the VFS, sqlite3_free_filename */
  sqlite3_file *file;  /* open if file->pMethods */
  u64 size;            /* of the file */
  u64 header;          /* before the first row */
  u32 prefix;          /* of each row, its dimension; 0 or 4 */
  u32 dim;
  const ElementType *type;
  u64 row_size, count;
  u64 at, end; /* the row, and where to stop */
  u8 *window;  /* rows from window_at on */
  u64 window_at, window_count, window_cap;
} FileCursor;

/* --- elements --- */

static double get_f4(const u8 *at) {
  u32 bits = load32(at);
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

static double get_f8(const u8 *at) {
  u64 bits = load64(at);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double get_f2(const u8 *at) { return (double)f16_to_f32(load16(at)); }
static double get_i1(const u8 *at) { return (double)(i8)*at; }
static double get_u1(const u8 *at) { return (double)*at; }
static double get_i4(const u8 *at) { return (double)(i32)load32(at); }

static const ElementType type_f4 = {"f4", 4, ELEM_F32, get_f4};
static const ElementType type_u1 = {"u1", 1, ELEM_F32, get_u1};
static const ElementType type_i4 = {NULL, 4, (Elem)0, get_i4};
static const ElementType type_f8 = {"f8", 8, ELEM_F32, get_f8};
static const ElementType type_f2 = {"f2", 2, ELEM_F16, get_f2};
static const ElementType type_i1 = {"i1", 1, ELEM_I8, get_i1};
static const ElementType *const npy_types[] = {&type_f4, &type_f8, &type_f2, &type_i1, &type_u1};
#define NPY_TYPES "<f4, <f8, <f2, |i1 or |u1"

/* --- errors --- */

PRINTF_LIKE(3, 4) static int fail(FileCursor *cur, int rc, const char *fmt, ...) {
  sqlite3_vtab *vtab = cur->base.pVtab;
  va_list ap;
  char *text;

  va_start(ap, fmt);
  text = sqlite3_vmprintf(fmt, ap);
  va_end(ap);
  sqlite3_free(vtab->zErrMsg);
  vtab->zErrMsg = text ? sqlite3_mprintf("quire_read: %s: %z", cur->path, text) : NULL;
  return vtab->zErrMsg ? rc : SQLITE_NOMEM;
}

static int read_at(FileCursor *cur, void *to, u64 size, u64 off) {
  int rc = cur->file->pMethods->xRead(cur->file, to, (int)size, (sqlite3_int64)off);
  if (rc == SQLITE_OK || rc == SQLITE_NOMEM) return rc;
  return fail(cur, rc == SQLITE_IOERR_SHORT_READ ? SQLITE_ERROR : rc, "cannot read %llu bytes at %llu: %s",
              (unsigned long long)size, (unsigned long long)off, sqlite3_errstr(rc));
}

/* --- formats --- */

/* The dimension and with it the size of a row; how many there are is known afterwards. */
static int set_dim(FileCursor *cur, u64 dim) {
  if (dim < 1 || dim > MAX_FILE_DIM)
    return fail(cur, SQLITE_ERROR, "vectors have %llu elements; from 1 to %u are supported", (unsigned long long)dim,
                MAX_FILE_DIM);
  cur->dim = (u32)dim;
  cur->row_size = cur->prefix + dim * cur->type->size;
  return SQLITE_OK;
}

static int open_vecs(FileCursor *cur, const ElementType *type) {
  u8 dim[4];
  int rc;

  cur->type = type;
  cur->prefix = 4;
  if (cur->size == 0) return SQLITE_OK; /* no rows */
  if (cur->size < 4) return fail(cur, SQLITE_ERROR, "the file ends within its first number, which is the dimension");
  rc = read_at(cur, dim, sizeof dim, 0);
  if (rc == SQLITE_OK) rc = set_dim(cur, load32(dim));
  if (rc) return rc;
  cur->count = cur->size / cur->row_size;
  if (cur->size % cur->row_size)
    return fail(cur, SQLITE_ERROR,
                "the file has %llu bytes, which is no multiple of %llu, the size of a row of dimension %u",
                (unsigned long long)cur->size, (unsigned long long)cur->row_size, cur->dim);
  return SQLITE_OK;
}

static int open_fvecs(FileCursor *cur) { return open_vecs(cur, &type_f4); }
static int open_bvecs(FileCursor *cur) { return open_vecs(cur, &type_u1); }
static int open_ivecs(FileCursor *cur) { return open_vecs(cur, &type_i4); }

/* The header of a .npy file: a Python dict of three. */
typedef struct NpyHeader {
  const char *at;
  char type[8];
  int known, fortran; /* known: bit i: key i was there */
  u64 shape[2];
  int axes;
} NpyHeader;

static void skip(NpyHeader *h) {
  while (*h->at == ' ' || *h->at == '\n') h->at++;
}

static int take(NpyHeader *h, const char *word) {
  size_t size = strlen(word);
  skip(h);
  if (strncmp(h->at, word, size) != 0) return 0;
  h->at += size;
  return 1;
}

/* 'text', of fewer than `cap` bytes. */
static int take_text(NpyHeader *h, char *out, size_t cap) {
  char quote;
  size_t size = 0;
  skip(h);
  quote = *h->at;
  if (quote != '\'' && quote != '"') return 0;
  for (h->at++; *h->at && *h->at != quote; h->at++) {
    if (size + 1 >= cap) return 0;
    out[size++] = *h->at;
  }
  out[size] = 0;
  return *h->at++ == quote;
}

static int take_shape(NpyHeader *h) {
  if (!take(h, "(")) return 0;
  while (!take(h, ")")) {
    u64 value = 0;
    skip(h);
    if (*h->at < '0' || *h->at > '9') return 0;
    for (; *h->at >= '0' && *h->at <= '9'; h->at++) value = MIN(value * 10 + (u64)(*h->at - '0'), (u64)1 << 56);
    if (h->axes < 2) h->shape[h->axes] = value;
    h->axes++;
    if (!take(h, ",") && *h->at != ')') return 0;
  }
  return 1;
}

static int take_entry(NpyHeader *h) {
  char key[16];
  if (!take_text(h, key, sizeof key) || !take(h, ":")) return 0;
  if (strcmp(key, "descr") == 0) {
    h->known |= 1;
    return take_text(h, h->type, sizeof h->type);
  }
  if (strcmp(key, "fortran_order") == 0) {
    h->known |= 2;
    h->fortran = take(h, "True");
    return h->fortran || take(h, "False");
  }
  if (strcmp(key, "shape") != 0) return 0;
  h->known |= 4;
  return take_shape(h);
}

/* The text between magic and data; 0 if it is none. */
static int parse_header(NpyHeader *h) {
  if (!take(h, "{")) return 0;
  while (!take(h, "}")) {
    if (!take_entry(h)) return 0;
    if (!take(h, ",") && *h->at != '}') return 0;
  }
  skip(h);
  return *h->at == 0 && h->known == 7;
}

/* Little-endian or of one byte, and a type that we know. */
static const ElementType *npy_type(const char *name) {
  for (size_t i = 0; i < sizeof npy_types / sizeof *npy_types; i++) {
    const ElementType *type = npy_types[i];
    if (name[0] != '<' && !(type->size == 1 && name[0] == '|')) continue;
    if (strcmp(name + 1, type->npy) == 0) return type;
  }
  return NULL;
}

static int apply_header(FileCursor *cur, const NpyHeader *h) {
  u64 bytes = cur->size - cur->header;
  int rc;

  cur->type = npy_type(h->type);
  if (cur->type == NULL) return fail(cur, SQLITE_ERROR, "elements are '%s'; " NPY_TYPES " are supported", h->type);
  if (h->axes != 2)
    return fail(cur, SQLITE_ERROR, "the array has %d dimensions; 2 are expected, rows and elements", h->axes);
  if (h->fortran)
    return fail(cur, SQLITE_ERROR, "the array is in Fortran order; numpy.ascontiguousarray() makes one in C order");
  rc = set_dim(cur, h->shape[1]);
  if (rc) return rc;
  cur->count = h->shape[0];
  if (bytes % cur->row_size || bytes / cur->row_size != cur->count)
    return fail(cur, SQLITE_ERROR, "%llu bytes of elements are expected for the shape (%llu, %u), the file has %llu",
                (unsigned long long)(cur->count * cur->row_size), (unsigned long long)cur->count, cur->dim,
                (unsigned long long)bytes);
  return SQLITE_OK;
}

static int open_npy(FileCursor *cur) {
  NpyHeader h;
  u8 magic[12];
  char *text = NULL;
  u32 size, start;
  int rc = SQLITE_OK;

  memset(&h, 0, sizeof h);
  if (cur->size >= sizeof magic) rc = read_at(cur, magic, sizeof magic, 0);
  if (rc) return rc;
  if (cur->size < sizeof magic || memcmp(magic, "\x93NUMPY", 6) != 0 || magic[6] < 1 || magic[6] > 3)
    return fail(cur, SQLITE_ERROR, "the file is no .npy of version 1 to 3");
  start = magic[6] == 1 ? 10 : 12;
  size = magic[6] == 1 ? load16(magic + 8) : load32(magic + 8);
  if (size > MAX_NPY_HEADER || start + size > cur->size)
    return fail(cur, SQLITE_ERROR, "the header has %u bytes, which is more than the file or than %u", size,
                MAX_NPY_HEADER);
  cur->header = start + size;
  text = mem_zeroed(&rc, (u64)size + 1, 1);
  if (rc == SQLITE_OK && size) rc = read_at(cur, text, size, start);
  h.at = text;
  if (rc == SQLITE_OK)
    rc = parse_header(&h) ? apply_header(cur, &h)
                          : fail(cur, SQLITE_ERROR, "the header is no dict of descr, fortran_order and shape");
  mem_free(text);
  return rc;
}

static const struct {
  const char *name;
  int (*open)(FileCursor *);
} formats[] = {{"fvecs", open_fvecs}, {"bvecs", open_bvecs}, {"ivecs", open_ivecs}, {"npy", open_npy}};
#define FORMAT_NAMES "fvecs, bvecs, ivecs or npy"

/* --- the file --- */

static void close_file(FileCursor *cur) {
  if (cur->file && cur->file->pMethods) cur->file->pMethods->xClose(cur->file);
  mem_free(cur->file);
  cur->file = NULL;
  sqlite3_free_filename(cur->name);
  cur->name = NULL;
  mem_free(cur->path);
  mem_free(cur->format);
  cur->path = cur->format = NULL;
  cur->size = cur->header = cur->row_size = cur->count = cur->at = cur->end = cur->window_count = 0;
  cur->prefix = cur->dim = 0;
}

/* Open the file and ask its size. */
static int open_handle(FileCursor *cur) {
  static const char *const no_parameters[] = {NULL};
  sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
  sqlite3_int64 size = 0;
  int rc = SQLITE_OK;
  char *full = mem_zeroed(&rc, (u64)vfs->mxPathname + 1, 1);

  if (rc == SQLITE_OK) rc = vfs->xFullPathname(vfs, cur->path, vfs->mxPathname + 1, full);
  rc &= 0xff; /* 3.39 and later: SQLITE_OK_SYMLINK */
  if (rc == SQLITE_OK) cur->name = sqlite3_create_filename(full, "", "", 0, (const char **)no_parameters);
  if (rc == SQLITE_OK && cur->name == NULL) rc = SQLITE_NOMEM;
  cur->file = mem_zeroed(&rc, 1, (u64)vfs->szOsFile);
  if (rc == SQLITE_OK) rc = vfs->xOpen(vfs, cur->name, cur->file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, NULL);
  if (rc == SQLITE_OK) rc = cur->file->pMethods->xFileSize(cur->file, &size);
  mem_free(full);
  cur->size = (u64)size;
  if (rc == SQLITE_OK || rc == SQLITE_NOMEM) return rc;
  return fail(cur, rc, "%s", sqlite3_errstr(rc));
}

/* The end of the path after its last point. */
static const char *extension(const char *path) {
  const char *point = strrchr(path, '.');
  return point ? point + 1 : "";
}

static int open_file(FileCursor *cur) {
  const char *format = cur->format ? cur->format : extension(cur->path);
  size_t i = 0, known = sizeof formats / sizeof *formats;
  int rc;

  while (i < known && sqlite3_stricmp(format, formats[i].name) != 0) i++;
  if (i == known)
    return fail(cur, SQLITE_ERROR,
                "the format is '%s'; " FORMAT_NAMES " is expected, as the path's end or the second argument", format);
  rc = open_handle(cur);
  if (rc == SQLITE_OK) rc = formats[i].open(cur);
  cur->end = cur->count;
  return rc;
}

/* The bytes of row cur->at. */
static int read_row(FileCursor *cur, const u8 **out) {
  u64 want = MIN(MAX(WINDOW_SIZE / cur->row_size, 1), cur->count - cur->at);
  int rc;

  if (cur->at < cur->window_at || cur->at >= cur->window_at + cur->window_count) {
    cur->window_count = 0;
    rc = mem_reserve(&cur->window, &cur->window_cap, want * cur->row_size, 1);
    if (rc == SQLITE_OK) rc = read_at(cur, cur->window, want * cur->row_size, cur->header + cur->at * cur->row_size);
    if (rc) return rc;
    cur->window_at = cur->at;
    cur->window_count = want;
  }
  *out = cur->window + (cur->at - cur->window_at) * cur->row_size;
  if (cur->prefix && load32(*out) != cur->dim)
    return fail(cur, SQLITE_ERROR, "row %llu has dimension %u, the first has %u", (unsigned long long)cur->at,
                load32(*out), cur->dim);
  *out += cur->prefix;
  return SQLITE_OK;
}

/* --- results --- */

static int result_json(FileCursor *cur, const u8 *row, sqlite3_context *ctx) {
  sqlite3_str *text = sqlite3_str_new(NULL);
  int size;

  for (u32 i = 0; i < cur->dim; i++)
    sqlite3_str_appendf(text, "%c%d", i ? ',' : '[', (int)cur->type->get(row + (size_t)i * cur->type->size));
  sqlite3_str_appendall(text, "]");
  size = sqlite3_str_length(text);
  if (sqlite3_str_errcode(text)) {
    sqlite3_free(sqlite3_str_finish(text));
    return SQLITE_NOMEM;
  }
  sqlite3_result_text(ctx, sqlite3_str_finish(text), size, sqlite3_free);
  return SQLITE_OK;
}

/* The file's bytes are the vector's where it has elements of the same form. */
static int same_bytes(const ElementType *type) { return type == &type_f4 || type == &type_f2 || type == &type_i1; }

static int convert(FileCursor *cur, const u8 *row, Vector *out) {
  int rc = vector_new(cur->type->elem, cur->dim, out);

  if (rc) return rc;
  if (same_bytes(cur->type)) {
    i64 bad;
    memcpy(out->owned, row, (size_t)elem_size(out->elem, out->dim));
    bad = elem_first_nonfinite(out->elem, out->owned, out->dim);
    if (bad < 0) return SQLITE_OK;
    return fail(cur, SQLITE_ERROR, "row %llu: element %lld is %s", (unsigned long long)cur->at, (long long)bad,
                isnan(elem_get(out->elem, out->owned, (u32)bad)) ? "NaN" : "infinite");
  }
  for (u32 i = 0; i < cur->dim; i++) {
    double value = cur->type->get(row + (size_t)i * cur->type->size);
    if (!vector_set(out, i, value))
      return fail(cur, SQLITE_ERROR, "row %llu: element %u is %s", (unsigned long long)cur->at, i,
                  isnan(value)   ? "NaN"
                  : isinf(value) ? "infinite"
                                 : "out of range for float32");
  }
  return SQLITE_OK;
}

static int result_vector_of(FileCursor *cur, sqlite3_context *ctx) {
  Vector vector = {0};
  const u8 *row;
  int rc = read_row(cur, &row);

  if (rc) return rc;
  if (cur->type->elem == 0) return result_json(cur, row, ctx);
  rc = convert(cur, row, &vector);
  if (rc == SQLITE_OK) result_vector(ctx, &vector);
  vector_clear(&vector);
  return rc;
}

/* --- the module --- */

static int file_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(number INTEGER, vector, path HIDDEN, format HIDDEN)");
  (void)aux, (void)argc, (void)argv, (void)error;
  if (rc) return rc;
  (void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  *out = mem_zeroed(&rc, 1, sizeof **out);
  return rc;
}

static int file_disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab->zErrMsg);
  mem_free(vtab);
  return SQLITE_OK;
}

/* Which of `slots` a constraint belongs to; -1: none. */
static int slot_of(int column, int op) {
  if (column == COLUMN_PATH) return op == SQLITE_INDEX_CONSTRAINT_EQ ? 0 : -1;
  if (column == COLUMN_FORMAT) return op == SQLITE_INDEX_CONSTRAINT_EQ ? 1 : -1;
  if (column > COLUMN_NUMBER) return -1;
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ: return 2;
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE: return 3;
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE: return 4;
    default: return -1;
  }
}

/* The path must be given. Numbers narrow what is read; SQLite compares them itself. */
static int file_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int slot[5] = {-1, -1, -1, -1, -1}, args = 0;

  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    int at = slot_of(c->iColumn, c->op);
    if (at < 0) continue;
    if (!c->usable && at < 2) return SQLITE_CONSTRAINT;
    if (c->usable) slot[at] = i;
  }
  if (slot[0] < 0) {
    sqlite3_free(vtab->zErrMsg);
    vtab->zErrMsg = sqlite3_mprintf("quire_read needs a path: quire_read('base.fvecs')");
    return SQLITE_ERROR;
  }
  for (int at = 0; at < 5; at++) {
    if (slot[at] < 0) continue;
    info->aConstraintUsage[slot[at]].argvIndex = ++args;
    info->aConstraintUsage[slot[at]].omit = at < 2;
    if (at > 0) info->idxNum |= 1 << (at - 1);
  }
  info->estimatedCost = info->idxNum & HAS_EQUAL ? 10 : 1e6;
  info->estimatedRows = info->idxNum & HAS_EQUAL ? 1 : 1000000;
  for (int i = 0; i < info->nOrderBy; i++) {
    if (info->aOrderBy[i].iColumn > COLUMN_NUMBER || info->aOrderBy[i].desc) return SQLITE_OK;
  }
  info->orderByConsumed = 1;
  return SQLITE_OK;
}

static int file_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  int rc = SQLITE_OK;
  FileCursor *cur = mem_zeroed(&rc, 1, sizeof *cur);
  (void)vtab;
  if (cur) *out = &cur->base;
  return rc;
}

static int file_close(sqlite3_vtab_cursor *base) {
  FileCursor *cur = (FileCursor *)base;
  close_file(cur);
  mem_free(cur->window);
  mem_free(cur);
  return SQLITE_OK;
}

/* Narrow the rows by a comparison of their number; what is no integer narrows nothing. */
static void narrow(FileCursor *cur, int plan, sqlite3_value **argv) {
  int arg = 0;
  for (int bit = HAS_EQUAL; bit <= HAS_UPPER; bit *= 2) {
    sqlite3_value *value;
    i64 n;
    if (!(plan & bit)) continue;
    value = argv[arg++];
    if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER) continue;
    n = sqlite3_value_int64(value);
    if (bit != HAS_UPPER && n > 0) cur->at = MAX(cur->at, MIN((u64)n, cur->count));
    if (bit != HAS_LOWER) cur->end = n < 0 ? 0 : MIN(cur->end, (u64)n + 1);
  }
}

/* A copy of an argument's text; NULL for NULL. */
static char *copy_text(int *rc, sqlite3_value *value) {
  const char *text;
  if (sqlite3_value_type(value) == SQLITE_NULL) return NULL;
  text = (const char *)sqlite3_value_text(value);
  if (text == NULL) *rc = SQLITE_NOMEM;
  return *rc ? NULL : mem_strdup(rc, text);
}

static int file_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv) {
  FileCursor *cur = (FileCursor *)base;
  int rc = SQLITE_OK, at = 1;

  (void)text, (void)argc;
  close_file(cur);
  cur->path = copy_text(&rc, argv[0]);
  if (plan & HAS_FORMAT) cur->format = copy_text(&rc, argv[at++]);
  if (rc) return rc;
  if (cur->path == NULL) return SQLITE_OK; /* of no file no rows, as joins expect of NULL */
  rc = open_file(cur);
  if (rc)
    cur->end = 0;
  else
    narrow(cur, plan, argv + at);
  return rc;
}

static int file_next(sqlite3_vtab_cursor *base) {
  ((FileCursor *)base)->at++;
  return SQLITE_OK;
}

static int file_eof(sqlite3_vtab_cursor *base) {
  const FileCursor *cur = (const FileCursor *)base;
  return cur->at >= cur->end;
}

static int file_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column) {
  FileCursor *cur = (FileCursor *)base;

  switch (column) {
    case COLUMN_NUMBER: sqlite3_result_int64(ctx, (i64)cur->at); return SQLITE_OK;
    case COLUMN_VECTOR: return result_vector_of(cur, ctx);
    case COLUMN_PATH: sqlite3_result_text(ctx, cur->path, -1, SQLITE_TRANSIENT); return SQLITE_OK;
    default:
      if (cur->format) sqlite3_result_text(ctx, cur->format, -1, SQLITE_TRANSIENT);
      return SQLITE_OK;
  }
}

static int file_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = (i64)((const FileCursor *)base)->at;
  return SQLITE_OK;
}

const sqlite3_module vector_file_module = {
    .iVersion = 0,
    .xConnect = file_connect,
    .xBestIndex = file_best_index,
    .xDisconnect = file_disconnect,
    .xOpen = file_open,
    .xClose = file_close,
    .xFilter = file_filter,
    .xNext = file_next,
    .xEof = file_eof,
    .xColumn = file_column,
    .xRowid = file_rowid,
};
