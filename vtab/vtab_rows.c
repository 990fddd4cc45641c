/*
 * vtab_rows.c: rows chosen by rowid, of which only rowid and vectors are wanted: answered from pages and overlay (vector/rows.h), without
 * the content table.
 *
 *   W1  A row that the map has is one of the snapshot's. One that it has not may still be bare (without any vector): unless the snapshot is known to have
 *       none of those, a scan goes to the content table, and so does a point for a row that was not found.
 *   W2  A degraded snapshot sends the query to the content table, and so does a page that cannot be read or is damaged, wherever it is met: from
 *       the row on that was to come (map_bounds), for one vector, for the keys that are left. Content and pages are of one snapshot.
 *   W3  Vectors of pages are given as they lie there (SQLITE_STATIC), as rows_vector says when; those of the overlay are copied.
 *   W4  Rows are read by blocks, ahead of SQLite, and so are the addresses of their vectors, of each column when one is first asked for: the snapshot does not
 *       change. A vector without an address is read when its row comes, so that what is wrong is met there and not before.
 *   W5  A scan of which neither a rowid nor a column has been asked for in its first blocks (count(*), most of all) only counts the others, if that
 *       takes no reading of them.
 *   W6  A cursor that is not in use keeps its snapshot: most statements of a transaction read the same. It costs memory alone (pages are held by busy
 *       statements, S6), and that is let go when this object's table is written (map_release).
 */
#include "../vector/rows.h"

#include <math.h>
#include <stdlib.h>

#include "vtab_int.h"

#define FIRST_ROWS 4u  /* of a scan, which LIMIT may end soon; then */
#define ROWS_GROWTH 4u /* times as many */

struct MapCursor {
  RowReader reader; /* its snapshot is kept from one use to the next, which may be of the same (W6) */
  int reading;      /* it is this use's */
  int point;        /* block[] has all rows */
  int descending;
  int placed;    /* the current row is one of pages or overlay */
  int counts;    /* scan: rows may be counted (W5) */
  i64 low, high; /* scan: bounds */
  u64 given;     /* scan: rows of this block and of those before */
  u64 counted;   /* scan: rows after those; they are not read */
  i64 *key;      /* points: ascending and distinct */
  u64 key_count, key_cap, key_at;
  RowPlace block[ROWS_MANY];                   /* rows, or the keys before key_at, in the cursor's direction */
  u32 block_at, block_count;                   /* block_at: behind the current row */
  const u8 *at[MAX_VECTOR_COLUMNS][ROWS_MANY]; /* rows_locate's, */
  u32 located;                                 /* of columns whose bit is set */
  int apart;                                   /* of some column they do not lie one after the other */
};

static int new_cursor(MapCursor **map) {
  int rc = SQLITE_OK;
  if (*map == NULL) *map = mem_zeroed(&rc, 1, sizeof **map);
  return rc;
}

void map_rewind(MapCursor *m) {
  if (m == NULL) return;
  rows_rewind(&m->reader);
  m->reading = m->placed = m->point = m->apart = 0;
  m->key_count = m->key_at = 0;
  m->block_at = m->block_count = m->located = 0;
  m->counts = 0;
  m->given = m->counted = 0;
}

void map_release(MapCursor *m) {
  if (m && !m->reading) rows_close(&m->reader);
}

void map_free(MapCursor *m) {
  if (m == NULL) return;
  rows_free(&m->reader);
  mem_free(m->key);
  mem_free(m);
}

/* --- rowids that a comparison lets through --- */

/* The largest integer that is not larger than a number within i64's range; *whole: it equals it. */
static i64 floor_of(double real, int *whole) {
  double down = floor(real);
  *whole = down == real;
  return (i64)down;
}

/* Narrow low..high to what satisfies `rowid op value`, compared as SQLite does; 0 if nothing is left. */
static int narrow(int op, sqlite3_value *value, i64 *low, i64 *high) {
  int type = sqlite3_value_numeric_type(value), whole = 1;
  int less = op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE;
  int greater = op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE;
  i64 n;

  if (LIKELY(type == SQLITE_INTEGER && op == SQLITE_INDEX_CONSTRAINT_EQ)) {
    n = sqlite3_value_int64(value);
    *low = MAX(*low, n);
    *high = MIN(*high, n);
    return *low <= *high;
  }
  if (type == SQLITE_NULL) return 0;
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return less; /* integers sort before texts and blobs */
  if (type == SQLITE_INTEGER) {
    n = sqlite3_value_int64(value);
  } else {
    double real = sqlite3_value_double(value);
    if (real >= 9223372036854775808.0) return less;
    if (real < -9223372036854775808.0) return greater;
    n = floor_of(real, &whole);
  }
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      if (!whole) return 0;
      *low = MAX(*low, n);
      *high = MIN(*high, n);
      break;
    case SQLITE_INDEX_CONSTRAINT_GE:
      if (whole) {
        *low = MAX(*low, n);
        break;
      } /* else it is the same as > */
      /* fall through */
    case SQLITE_INDEX_CONSTRAINT_GT:
      if (n == INT64_MAX) return 0;
      *low = MAX(*low, n + 1);
      break;
    case SQLITE_INDEX_CONSTRAINT_LT:
      if (whole && n == INT64_MIN) return 0;
      *high = MIN(*high, whole ? n - 1 : n);
      break;
    default: *high = MIN(*high, n);
  }
  return *low <= *high;
}

/* --- one row, and rows in order --- */

/* Whether an error is the pages' own: the content table may still be read. */
static int is_of_pages(int rc) {
  int code = rc & 0xff;
  return (code == SQLITE_CORRUPT || code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && rc != SQLITE_IOERR_NOMEM;
}

/* W2: if `rc` is the pages' own, stop reading them. */
static int leave_pages(MapCursor *m, int rc) {
  if (!is_of_pages(rc)) return rc;
  if (m->reading && rc == SQLITE_CORRUPT_VTAB) snapshot_damaged(m->reader.snap);
  rows_close(&m->reader);
  m->reading = m->placed = 0;
  return SQLITE_OK;
}

/* Read this connection's snapshot, unless it is degraded or cannot be read. */
NOINLINE static int open_reader(VecTable *vt, MapCursor *m) {
  SnapshotParts parts;
  Snapshot *snap = NULL;
  int rc;

  rows_close(&m->reader);
  rc = table_snapshot(vt->table, &snap);
  if (is_of_pages(rc)) return SQLITE_OK;
  if (rc) return vtab_store_error(vt, rc);
  snapshot_parts(snap, &parts);
  if (!parts.degraded) {
    rc = rows_open(&m->reader, snap);
    m->reading = rc == SQLITE_OK;
  }
  snapshot_release(snap);
  return rc;
}

/* The same, of the snapshot that the reader has if that is still the one (W6). */
static int begin_reading(VecTable *vt, MapCursor *m) {
  m->reading = m->reader.snap && table_is_at(vt->table, m->reader.snap);
  return LIKELY(m->reading) ? SQLITE_OK : open_reader(vt, m);
}

/* The row of a point plan. */
static int find_point(MapCursor *m, int vectors, i64 rowid, int *answers) {
  int rc = rows_find(&m->reader, rowid, &m->block[0]);

  *answers = rc == SQLITE_OK || (rc == SQLITE_NOTFOUND && rows_complete(&m->reader)); /* W1 */
  m->block_count = rc == SQLITE_OK;
  m->placed = rc == SQLITE_OK;
  if (rc) return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
  if (vectors && m->reader.at.shape->vector_count == 1) { /* memory is asked for it before SQLite does */
    m->at[0][0] = rows_place(&m->reader, 0, &m->block[0]);
    m->located = 1;
  }
  return SQLITE_OK;
}

int map_filter(VecTable *vt, MapCursor **map, const Plan *plan, sqlite3_value **argv, int *answers) {
  i64 low = INT64_MIN, high = INT64_MAX;
  MapCursor *m;
  int possible = 1, rc = new_cursor(map);

  *answers = 0;
  if (rc) return rc;
  m = *map;
  map_rewind(m);
  for (int i = 0; i < plan->term_count && possible; i++) possible = narrow(plan->term[i].op, argv[i], &low, &high);
  m->point = plan->kind == PLAN_POINT || !possible;
  m->counts = plan_may_count(plan);
  if (!possible) {
    *answers = 1;
    return SQLITE_OK;
  }
  rc = begin_reading(vt, m);
  if (rc || !m->reading) return rc;
  if (m->point) {
    rc = find_point(m, plan->vectors, low, answers);
  } else {
    *answers = rows_complete(&m->reader);
    if (*answers) rc = rows_seek(&m->reader, low, high, plan->order == ORDER_ROWID_DESC);
  }
  if (rc) rc = leave_pages(m, rc);
  *answers = *answers && m->reading;
  if (!*answers) map_rewind(m);
  m->low = low;
  m->high = high;
  return rc;
}

/* Count the rows that are still to come: SQLITE_ROW if there are some, SQLITE_NOTFOUND if they must be read. */
static int count_rows(MapCursor *m) {
  u64 count;
  int rc = rows_within(&m->reader, m->low, m->high, &count);

  m->counts = 0;
  if (rc == SQLITE_NOTFOUND || is_of_pages(rc) || (rc == SQLITE_OK && count < m->given)) return SQLITE_NOTFOUND;
  if (rc) return rc;
  m->counted = count - m->given;
  return m->counted ? SQLITE_ROW : SQLITE_DONE;
}

/* The next rows of a scan. */
NOINLINE static int next_rows(MapCursor *m) {
  u32 room = m->block_count ? MIN(m->block_count * ROWS_GROWTH, ROWS_MANY) : FIRST_ROWS;
  int rc = SQLITE_NOTFOUND;

  m->placed = 0;
  m->located = 0;
  if (m->point || m->counted) return SQLITE_DONE;
  if (UNLIKELY(m->counts) && room == ROWS_MANY) rc = count_rows(m);
  if (rc != SQLITE_NOTFOUND) return rc;
  m->block_at = 0;
  rc = rows_next_many(&m->reader, m->block, room, &m->block_count);
  m->placed = rc == SQLITE_OK;
  m->given += m->block_count;
  if (rc == SQLITE_OK || rc == SQLITE_DONE) return rc;
  rc = leave_pages(m, rc);
  return rc ? rc : SQLITE_NOTFOUND;
}

int map_next(MapCursor *m, i64 *rowid) {
  if (UNLIKELY(m->block_at == m->block_count)) {
    int rc = next_rows(m);
    if (rc) return rc;
  }
  *rowid = m->block[m->block_at++].rowid;
  return SQLITE_OK;
}

u64 map_counted(const MapCursor *m) { return m->counted; }

void map_read_on(MapCursor *m) {
  m->counts = 0;
  m->counted = 0;
}

void map_bounds(const MapCursor *m, i64 *low, i64 *high) {
  *low = m->low;
  *high = m->high;
}

/* Find the vectors of this row and of those after it. */
static void locate(MapCursor *m, u32 vector) {
  u32 from = m->block_at - 1;

  m->apart |= rows_locate(&m->reader, vector, m->block + from, m->block_count - from, m->at[vector] + from);
  m->located |= 1u << vector;
}

/* W2, of one vector. */
static int leave_vector(MapCursor *m, int rc) {
  if (!is_of_pages(rc)) return rc;
  if (rc == SQLITE_CORRUPT_VTAB) snapshot_damaged(m->reader.snap);
  return SQLITE_NOTFOUND;
}

/* map_result where the vector has no address yet, or none that lasts, or where memory is to be asked for others. */
NOINLINE static int look_up(MapCursor *m, u32 vector, int value, sqlite3_context *ctx) {
  const VectorShape *shape;
  u32 i = m->block_at - 1;
  const u8 *bytes;
  PageHold hold;
  int lasts, rc;

  if (!m->placed) return SQLITE_NOTFOUND;
  shape = &m->reader.at.shape->vector[vector];
  if (!m->point && !(m->located >> vector & 1)) locate(m, vector);
  bytes = m->point ? NULL : m->at[vector][i];
  if (m->apart && i % ROWS_AHEAD == 0) rows_fetch(&m->reader, vector, m->at[vector], i, m->block_count);
  if (LIKELY(bytes != NULL)) {
    rc = vtab_result(shape, value, bytes, 1, ctx);
  } else {
    rc = rows_vector(&m->reader, vector, &m->block[i], &bytes, &lasts, &hold);
    if (rc == SQLITE_OK && bytes) {
      rc = vtab_result(shape, value, bytes, lasts, ctx);
      rows_release(&m->reader, &hold);
    }
  }
  return leave_vector(m, rc);
}

int map_result(MapCursor *m, u32 vector, int value, sqlite3_context *ctx) {
  u32 i = m->block_at - 1;
  const u8 *bytes = m->located >> vector & 1 ? m->at[vector][i] : NULL;
  int rc;
  if (UNLIKELY(bytes == NULL || (m->apart && i % ROWS_AHEAD == 0))) return look_up(m, vector, value, ctx);
  rc = vtab_result(&m->reader.at.shape->vector[vector], value, bytes, 1, ctx);
  return LIKELY(rc == SQLITE_OK) ? rc : leave_vector(m, rc);
}

/* --- rowid IN --- */

static int compare_keys(const void *a, const void *b) {
  i64 x = *(const i64 *)a, y = *(const i64 *)b;
  return (x > y) - (x < y);
}

static int load_keys(MapCursor *m, sqlite3_value *list) {
  sqlite3_value *value;
  u64 used = 0;
  int sorted = 1, rc = sqlite3_vtab_in_first(list, &value);

  while (rc == SQLITE_OK) {
    i64 low = INT64_MIN, high = INT64_MAX;
    if (narrow(SQLITE_INDEX_CONSTRAINT_EQ, value, &low, &high)) {
      rc = mem_reserve(&m->key, &m->key_cap, m->key_count + 1, sizeof *m->key);
      if (rc) return rc;
      if (m->key_count && m->key[m->key_count - 1] >= low) sorted = 0;
      m->key[m->key_count++] = low;
    }
    rc = sqlite3_vtab_in_next(list, &value);
  }
  if (rc != SQLITE_DONE) return rc;
  if (sorted) return SQLITE_OK;
  qsort(m->key, (size_t)m->key_count, sizeof *m->key, compare_keys);
  for (u64 i = 0; i < m->key_count; i++) {
    if (used == 0 || m->key[used - 1] != m->key[i]) m->key[used++] = m->key[i];
  }
  m->key_count = used;
  return SQLITE_OK;
}

int map_filter_points(VecTable *vt, MapCursor **map, const Plan *plan, sqlite3_value **argv) {
  MapCursor *m;
  int rc = new_cursor(map);

  if (rc) return rc;
  m = *map;
  map_rewind(m);
  m->descending = plan->order == ORDER_ROWID_DESC;
  rc = load_keys(m, argv[0]);
  if (rc == SQLITE_OK && plan->map && vt->storage->map) rc = begin_reading(vt, m);
  return rc;
}

/* Look for the next keys. */
static int next_block(MapCursor *m) {
  i64 key[ROWS_MANY] = {0};
  u32 n = (u32)MIN(m->key_count - m->key_at, ROWS_MANY);
  int rc = SQLITE_OK;

  for (u32 i = 0; i < n; i++, m->key_at++) key[i] = m->key[m->descending ? m->key_count - 1 - m->key_at : m->key_at];
  m->block_at = m->located = 0;
  m->block_count = n;
  if (m->reading) rc = rows_find_many(&m->reader, key, n, m->block);
  if (rc) rc = leave_pages(m, rc);
  for (u32 i = 0; i < n && !m->reading; i++) m->block[i] = (RowPlace){key[i], NO_ROW, NO_SLOT};
  return rc;
}

int map_next_point(MapCursor *m, i64 *rowid, int *known) {
  for (;;) {
    const RowPlace *place;
    if (m->block_at == m->block_count) {
      int rc;
      m->placed = 0;
      if (m->key_at == m->key_count) return SQLITE_DONE;
      rc = next_block(m);
      if (rc) return rc;
    }
    place = &m->block[m->block_at++];
    *rowid = place->rowid;
    *known = m->placed = place->row != NO_ROW || place->slot != NO_SLOT;
    if (*known || !m->reading || !rows_complete(&m->reader)) return SQLITE_OK; /* W1 */
  }
}
