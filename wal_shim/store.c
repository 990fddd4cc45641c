/*
 * store.c: connections, the state row, and the root behind it.
 *
 * The root page (PAGE_ROOT) and the catalog pages that follow it (PAGE_CATALOG) say which version of each table belongs to a fold:
 *
 *     root     16 bytes uuid, u64 gen, u64 n, u32 page count, u32 entries in all, PageRef next, then entries
 *     catalog  u32 entries here, u32 zero, PageRef next, then entries
 *     entry    u64 table id, PageRef of its table page
 *
 * The state row names the root, its checksum, uuid, n and gen; a root that says otherwise belongs to another file or
 * another moment, and is treated as a missing one: reads answer from the content rows, writes go to rows, nothing is folded
 * until 'rebuild'.
 *
 * Start at store_open() and store_refresh().
 */
#include "store_int.h"

#include <stdarg.h>
#include <stdio.h>

#include "bytes.h"
#include "catalog.h"
#include "schema_sql.h"

#define BULK_BYTES (8u << 20)
#define FCNTL_KNOWN_VFS 0x51756972 /* "Quir": a test VFS answers it to be treated as one we know (DESIGN, section 10) */

/* --- connections --- */

/* For tags and generations, which only have to differ; ids and uuids come from sqlite3_randomness alone. */
u64 conn_random(Conn *conn) { return mix64_next(&conn->random[0]) ^ conn->random[1]; }

int conn_new(sqlite3 *db, Conn **out) {
  int rc = SQLITE_OK;
  Conn *c = mem_zeroed(&rc, 1, sizeof *c);
  if (rc) return rc;
  c->refs = 1;
  c->db = db;
  sqlite3_randomness(sizeof c->random, c->random);
  do {
    sqlite3_randomness(sizeof c->token, &c->token);
  } while (c->token == OWNER_FILE || c->token == OWNER_INLINE);
  *out = c;
  return SQLITE_OK;
}

Conn *conn_retain(Conn *conn) {
  conn->refs++;
  return conn;
}

static void close_store(Store *store);

void conn_release(Conn *conn) {
  if (conn == NULL || --conn->refs) return;
  while (conn->stores) {
    Store *s = conn->stores;
    conn->stores = s->next;
    close_store(s);
  }
  mem_free(conn);
}

/* --- errors and statements --- */

void store_set_error(Store *store, const char *format, ...) {
  va_list args;
  sqlite3_free(store->error);
  va_start(args, format);
  store->error = sqlite3_vmprintf(format, args);
  va_end(args);
}

void store_clear_error(Store *store) {
  if (store->error == NULL) return;
  sqlite3_free(store->error);
  store->error = NULL;
}

const char *store_error(Store *store) { return store->error; }

/* Keep SQLite's words for a failed nested statement. */
static int nested_error(Store *store, int rc) {
  if (rc && rc != SQLITE_NOMEM) store_set_error(store, "%s", sqlite3_errmsg(store->db));
  return rc;
}

int store_prepare(Store *store, sqlite3_stmt **stmt, const char *format, ...) {
  va_list args;
  char *sql;
  int rc;
  if (*stmt) return SQLITE_OK;
  va_start(args, format);
  sql = sqlite3_vmprintf(format, args);
  va_end(args);
  if (sql == NULL) return SQLITE_NOMEM;
  rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
  sqlite3_free(sql);
  return nested_error(store, rc);
}

int store_exec(Store *store, const char *format, ...) {
  va_list args;
  char *sql;
  int rc;
  va_start(args, format);
  sql = sqlite3_vmprintf(format, args);
  va_end(args);
  if (sql == NULL) return SQLITE_NOMEM;
  rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
  sqlite3_free(sql);
  return nested_error(store, rc);
}

int store_interrupted(void *arg) {
  Store *store = arg;
  sqlite3_stmt **stmt = &store->stmt[STMT_ALIVE];
  int rc = store_prepare(store, stmt, "SELECT 1");
  if (rc) return rc == SQLITE_INTERRUPT;
  rc = sqlite3_step(*stmt);
  sqlite3_reset(*stmt);
  return rc == SQLITE_INTERRUPT;
}

int store_threads(Store *store) { return MAX(sqlite3_limit(store->db, SQLITE_LIMIT_WORKER_THREADS, -1), 1); }

int store_other_statements_busy(Store *store) {
  sqlite3_stmt *s = NULL;
  int busy = 0;
  while ((s = sqlite3_next_stmt(store->db, s)) != NULL) busy += sqlite3_stmt_busy(s) != 0;
  return busy > 1 && !DEFECT(busy_statements_ignored);
}

/* --- the root --- */

int store_usable(const Store *store) {
  return store->root_status != ROOT_BAD && !(store->damaged && store->damaged_gen == store->state.gen);
}

static const char *place(const Store *store) { return pages_home(store->pages)->methods->place; }

void store_mark_damaged(Store *store, i64 gen) {
  if (!store->damaged || store->damaged_gen != gen) store->stats.degraded++;
  store->damaged = 1;
  store->damaged_gen = gen;
}

const char *store_problem(Store *store) {
  if (store->root_status != ROOT_BAD)
    snprintf(store->root_problem, sizeof store->root_problem, "the %s is damaged", place(store));
  return store->root_problem;
}

PageRef store_catalog_ref(const Store *store, u64 id) {
  PageRef none = {0, 0};
  u64 i;
  for (i = 0; i < store->catalog_count; i++) {
    if (store->catalog[i].id == id) return store->catalog[i].ref;
  }
  return none;
}

PRINTF_LIKE(2, 3) static int bad_root(Store *store, const char *format, ...) {
  va_list args;
  store->stats.degraded++;
  store->root_status = ROOT_BAD;
  va_start(args, format);
  vsnprintf(store->root_problem, sizeof store->root_problem, format, args);
  va_end(args);
  return SQLITE_OK;
}

/* A state row that cannot be read does not say where the pages are: where some are. */
static Pages *guess_home(Store *store) {
  Pages *in = store->home[HOME_INLINE];
  u32 size = 0;
  if (in && pages_home(in)->methods->size(pages_home(in), &size) == SQLITE_OK && size) return in;
  return store->home[HOME_OWN];
}

/*
 * Turn to the home that the state row names. 0: this connection has no such home, and 'rebuild' will make the pages in its own, which is also that of a
 * store without pages unless another was chosen.
 */
static int turn_to_home(Store *store) {
  const State *st = &store->state;
  int i;
  for (i = 0; i < HOME_COUNT; i++) {
    if (store->home[i] == NULL || pages_home(store->home[i])->owner != st->owner) continue;
    store->pages = store->home[i];
    return 1;
  }
  store->pages = store->home[HOME_OWN];
  return st->root.pgno == 0 && st->owner == OWNER_FILE;
}

/* Compare page 0 and the root with what the state row says. SQLITE_OK with a status; NOMEM and read errors are errors. */
static int verify_root(Store *store) {
  const State *st = &store->state;
  int has_home, rc;
  mem_free(store->catalog);
  store->catalog = NULL;
  store->catalog_count = 0;
  store->root_status = ROOT_NONE;
  if (st->format == FORMAT_UNREADABLE) {
    store->pages = guess_home(store);
    return bad_root(store, "the state row is missing or damaged");
  }
  has_home = turn_to_home(store);
  if (st->format != PAGE_FORMAT) return bad_root(store, "the pages are of another version of Quire");
  if (!has_home && st->owner == OWNER_FILE)
    return bad_root(store, "the pages are in a file, and Quire keeps none beside this database");
  if (!has_home) return bad_root(store, "the pages are in another connection's memory");
  if (st->root.pgno == 0) return SQLITE_OK;
  rc = pages_check_head(store->pages);
  if (rc == SQLITE_CANTOPEN) return bad_root(store, "the %s is missing", place(store));
  if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT_VTAB)
    return bad_root(store, "the %s is not one of Quire's", place(store));
  if (rc) return rc;
  rc = store_other_statements_busy(store) ? pages_set_count(store->pages, st->pages)
                                          : pages_limit(store->pages, st->pages);
  if (rc == SQLITE_CORRUPT_VTAB) return bad_root(store, "the %s is too short", place(store));
  if (rc) return rc;
  rc = catalog_read(store->pages, st, &store->catalog, &store->catalog_count);
  if (rc == SQLITE_CORRUPT_VTAB) {
    return bad_root(store, "the %s is foreign, of another moment, or damaged", place(store));
  }
  if (rc) return rc;
  store->root_status = ROOT_SOUND;
  return SQLITE_OK;
}

static void forget_copies(Store *store) {
  int i;
  for (i = 0; i < HOME_COUNT; i++) {
    if (store->home[i]) pages_forget_copies(store->home[i]);
  }
}

static int install(Store *store, const State *state, int own) {
  int rc;
  if (store->state_known && store->state.gen == state->gen) return SQLITE_OK;
  if (DEFECT(gen_not_checked) && store->state_known && store->state.n == state->n) return SQLITE_OK;
  if (DEFECT(newer_root_used) && store->state_known && store->state.n > state->n) return SQLITE_OK;
  store->state = *state;
  store->state_known = 0;
  if (!own && !DEFECT(old_copies_kept)) forget_copies(store);
  rc = verify_root(store);
  if (rc == SQLITE_OK) store->state_known = 1;
  return rc;
}

int store_install(Store *store, const State *state) { return install(store, state, 0); }
int store_install_own(Store *store, const State *state) { return install(store, state, 1); }

int store_refresh(Store *store) {
  sqlite3_stmt **stmt = &store->stmt[STMT_STATE];
  State state;
  int rc = store_prepare(store, stmt,
                         "SELECT format, uuid, n, gen, root, crc, pages, owner FROM %s.quire_state WHERE id = 1",
                         store->quoted);
  if (rc) return rc;
  rc = sqlite3_step(*stmt);
  if (rc == SQLITE_ROW) {
    state_from_row(*stmt, 0, &state);
  } else if (rc == SQLITE_DONE) {
    state_missing(&state);
  } else {
    nested_error(store, rc);
  }
  sqlite3_reset(*stmt);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  return store_install(store, &state);
}

int store_look_again(Store *store) {
  store->state_known = 0;
  return store_refresh(store);
}

int store_in_memory(Store *store, int *memory) {
  int rc = store_refresh(store);
  *memory = home_is_memory(pages_home(store->pages));
  return rc;
}

/* --- opening and closing --- */

static const char *const plain_vfs[] = {"unix",  "unix-excl",      "unix-none", "unix-dotfile",
                                        "win32", "win32-longpath", "win32-none"};

/* Whether the schema's VFS is one of SQLite's own (*plain: files may be mapped), or says that we know it. */
static int known_vfs(Store *store, int *plain) {
  char *name = NULL;
  int known = 0;
  u32 i;
  *plain = 0;
  if (sqlite3_file_control(store->db, store->schema, SQLITE_FCNTL_VFSNAME, &name) != SQLITE_OK) name = NULL;
  for (i = 0; name && i < sizeof plain_vfs / sizeof plain_vfs[0]; i++) {
    if (strcmp(name, plain_vfs[i]) == 0) known = *plain = 1;
  }
  if (name && strncmp(name, "memdb", 5) == 0) store->memory = 1; /* it answers memdb(address,size) */
  sqlite3_free(name);
  if (!known && sqlite3_file_control(store->db, store->schema, FCNTL_KNOWN_VFS, &known) != SQLITE_OK) known = 0;
  return known;
}

static const char database_magic[16] = "SQLite format 3";

/*
 * Whether the log has a first page that begins as SQLite's does: a checkpoint that power cut short may have torn the one in the database, which
 * SQLite repairs from the log.
 */
static int wal_has_plain_page(Store *store, sqlite3_vfs *vfs) {
  const char *name = sqlite3_filename_wal(sqlite3_db_filename(store->db, store->schema));
  int rc = SQLITE_OK, flags = 0, plain = 0;
  sqlite3_int64 size = 0, at, step;
  u8 head[LOG_HEADER], frame[FRAME_HEADER + 16]; /* of the log; of a frame, with the first bytes of its page */
  sqlite3_file *wal = mem_zeroed(&rc, 1, (u64)vfs->szOsFile);
  if (wal == NULL) return 0;
  rc = vfs->xOpen(vfs, name, wal, SQLITE_OPEN_READONLY | SQLITE_OPEN_WAL, &flags);
  if (rc == SQLITE_OK) rc = wal->pMethods->xFileSize(wal, &size);
  if (rc == SQLITE_OK && size >= LOG_HEADER) rc = wal->pMethods->xRead(wal, head, sizeof head, 0);
  if (rc == SQLITE_OK && size >= LOG_HEADER) {
    step = FRAME_HEADER + (sqlite3_int64)load32_big(head + LOG_PAGE_SIZE);
    for (at = LOG_HEADER; at + (int)sizeof frame <= size && step > FRAME_HEADER && !plain; at += step) {
      if (wal->pMethods->xRead(wal, frame, sizeof frame, at) != SQLITE_OK) break;
      plain = load32_big(frame) == 1 && memcmp(frame + FRAME_HEADER, database_magic, 16) == 0;
    }
  }
  if (wal->pMethods) wal->pMethods->xClose(wal);
  mem_free(wal);
  return plain;
}

/*
 * S20: a database whose first bytes are not SQLite's is encrypted; vectors beside it would lie in plain text. Zeros are a first page not written yet.
 */
static int looks_encrypted(Store *store, sqlite3_vfs *vfs) {
  sqlite3_file *file = store->file;
  sqlite3_int64 size = 0;
  char head[16];
  static const char unwritten[16];
  if (file == NULL || file->pMethods == NULL) return 0;
  if (file->pMethods->xFileSize(file, &size) != SQLITE_OK || size < 16) return 0;
  if (file->pMethods->xRead(file, head, 16, 0) != SQLITE_OK) return 0;
  if (memcmp(head, database_magic, 16) == 0 || memcmp(head, unwritten, 16) == 0) return 0;
  return !wal_has_plain_page(store, vfs);
}

static int answers_cipher_version(Store *store) {
  sqlite3_stmt *stmt = NULL;
  int answers = 0;
  if (sqlite3_prepare_v2(store->db, "PRAGMA cipher_version", -1, &stmt, NULL) == SQLITE_OK) {
    answers = sqlite3_step(stmt) == SQLITE_ROW;
  }
  sqlite3_finalize(stmt);
  return answers;
}

/* The home that the kind of database suggests (DESIGN, sections 3 and 10; S20). */
static int open_own_home(Store *store, Home **out) {
  HomeFileSpec spec;
  sqlite3_vfs *vfs = NULL;
  int plain = 0, known;
  store->memory = store->path[0] == 0;
  known = known_vfs(store, &plain);
  if (store->memory) return home_memory_open(store->conn->token, out);
  if (sqlite3_file_control(store->db, store->schema, SQLITE_FCNTL_VFS_POINTER, &vfs) != SQLITE_OK) vfs = NULL;
  if (vfs == NULL || !known || looks_encrypted(store, vfs) || answers_cipher_version(store))
    return home_inline_open(store, out);
  spec.vfs = vfs;
  spec.database = store->path;
  spec.plain = plain;
  spec.read_only = sqlite3_db_readonly(store->db, store->schema) == 1;
  return home_file_open(&spec, out);
}

static int open_homes(Store *store) {
  Home *home = NULL;
  int rc = open_own_home(store, &home), both;
  if (rc) return rc;
  both = !home->methods->in_database;
  rc = pages_open(home, &store->home[HOME_OWN]);
  if (rc == SQLITE_OK && both) rc = home_inline_open(store, &home);
  if (rc == SQLITE_OK && both) rc = pages_open(home, &store->home[HOME_INLINE]);
  store->pages = store->home[HOME_OWN];
  return rc;
}

static void finalize_statements(Store *store) {
  u32 i;
  for (i = 0; i < STORE_STMT_COUNT; i++) {
    sqlite3_finalize(store->stmt[i]);
    store->stmt[i] = NULL;
  }
}

static void close_store(Store *store) {
  int i;
  finalize_statements(store);
  for (i = 0; i < HOME_COUNT; i++) pages_close(store->home[i]);
  mem_free(store->catalog);
  sqlite3_free(store->error);
  mem_free(store->schema);
  sqlite3_free(store->quoted);
  mem_free(store->path);
  mem_free(store);
}

void store_release(Store *store) {
  Store **at;
  if (store == NULL || --store->refs) return;
  /* Pages that the open transaction refers to must be durable even if no hook comes any more (S3). */
  if (store->unsynced) {
    Home *home = pages_home(store->pages);
    home->methods->sync(home);
  }
  if (store->memory) { /* T2 */
    finalize_statements(store);
    store->state_known = 0;
    store->txn_unknown = 1;
    return;
  }
  for (at = &store->conn->stores; *at != store; at = &(*at)->next) {
  }
  *at = store->next;
  close_store(store);
}

static int new_store(Conn *conn, const char *schema, void *file, const char *path, Store **out) {
  int rc = SQLITE_OK;
  Store *s = mem_zeroed(&rc, 1, sizeof *s);
  if (rc) return rc;
  s->conn = conn;
  s->db = conn->db;
  s->file = file;
  s->schema = mem_strdup(&rc, schema);
  s->quick = strcmp(schema, "main") == 0 ? NULL : s->schema;
  s->path = mem_strdup(&rc, path);
  s->quoted = sqlite3_mprintf("\"%w\"", schema);
  if (s->quoted == NULL) rc = SQLITE_NOMEM;
  s->bulk_bytes = BULK_BYTES;
  s->settled_log = -1;
  /* It may be opened in the middle of a transaction that has folded already: not if none has written. */
  s->txn_unknown = sqlite3_txn_state(s->db, schema) == SQLITE_TXN_WRITE;
  if (rc == SQLITE_OK) rc = open_homes(s);
  if (rc) {
    close_store(s);
    return rc;
  }
  s->next = conn->stores;
  conn->stores = s;
  *out = s;
  return SQLITE_OK;
}

/* What the schema has under the name `quire`: 0 nothing, 1 our store, 2 something else. */
static int find_quire(Conn *conn, const char *schema, int *found) {
  sqlite3_stmt *stmt = NULL;
  char *sql = sqlite3_mprintf("SELECT sql FROM \"%w\".sqlite_schema WHERE name = 'quire' COLLATE NOCASE", schema);
  int rc = sql ? sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL) : SQLITE_NOMEM;
  *found = 0;
  if (rc == SQLITE_OK) {
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
      const char *text = (const char *)sqlite3_column_text(stmt, 0);
      *found = text && sqlite3_strlike("CREATE VIRTUAL TABLE%USING%quire_store%", text, 0) == 0 ? 1 : 2;
    }
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) rc = SQLITE_OK;
  }
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return rc;
}

static int need_quire(Conn *conn, const char *schema, char **error) {
  int found = 0, rc = find_quire(conn, schema, &found);
  char *sql;
  if (rc) return rc;
  if (found == 2) {
    *error = sqlite3_mprintf("the schema %s has a table named quire of its own; Quire needs that name for its store: "
                             "rename the table",
                             schema);
    return SQLITE_ERROR;
  }
  if (found == 1) return SQLITE_OK;
  sql = sqlite3_mprintf("CREATE VIRTUAL TABLE \"%w\".\"quire\" USING quire_store", schema);
  if (sql == NULL) return SQLITE_NOMEM;
  rc = sqlite3_exec(conn->db, sql, NULL, NULL, error);
  sqlite3_free(sql);
  return rc;
}

int store_open(Conn *conn, const char *schema, int create, Store **out, char **error) {
  const char *path = sqlite3_db_filename(conn->db, schema);
  void *file = NULL;
  Store *s;
  int rc = SQLITE_OK;
  *out = NULL;
  if (path == NULL) path = "";
  if (create) rc = need_quire(conn, schema, error);
  if (rc) return rc;
  if (sqlite3_file_control(conn->db, schema, SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK) file = NULL;
  for (s = conn->stores; s; s = s->next) {
    if (s->file == file && sqlite3_stricmp(s->schema, schema) == 0 && strcmp(s->path, path) == 0) break;
  }
  if (s == NULL) {
    rc = new_store(conn, schema, file, path, &s);
    if (rc) return rc;
  }
  s->refs++;
  *out = s;
  return SQLITE_OK;
}

void store_set_bulk_bytes(Store *store, sqlite3_int64 bytes) {
  store->bulk_bytes = bytes > 0 ? (u64)bytes : BULK_BYTES;
}

/* --- shadow tables --- */

int store_create_shadow(Conn *conn, const char *schema, char **error) {
  u8 uuid[UUID_SIZE];
  char *quoted = NULL, *ddl = NULL, *sql = NULL;
  i64 gen = (i64)conn_random(conn);
  int rc = SQLITE_NOMEM;
  sqlite3_randomness(sizeof uuid, uuid);
  quoted = sqlite3_mprintf("\"%w\"", schema);
  if (quoted) ddl = sqlite3_mprintf(SCHEMA_SQL, quoted, quoted, quoted, quoted);
  if (ddl) {
    sql = sqlite3_mprintf("%s INSERT INTO %s.quire_state VALUES(1, %d, x'%08x%08x%08x%08x', 0, %lld, 0, 0, 0, 0);", ddl,
                          quoted, (int)PAGE_FORMAT, load32(uuid), load32(uuid + 4), load32(uuid + 8), load32(uuid + 12),
                          (long long)gen);
  }
  if (sql) rc = sqlite3_exec(conn->db, sql, NULL, NULL, error);
  sqlite3_free(quoted);
  sqlite3_free(ddl);
  sqlite3_free(sql);
  return rc;
}

/* Whether any vector table is left. */
static int count_tables(Store *store, i64 *count) {
  sqlite3_stmt *stmt = NULL;
  int rc =
      store_prepare(store, &stmt, "SELECT count(name) FROM %s.quire_tables WHERE id <> %d", store->quoted, STORE_ID);
  if (rc) return rc;
  rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) *count = sqlite3_column_int64(stmt, 0);
  return nested_error(store, sqlite3_finalize(stmt));
}

int store_drop_shadow(Store *store) {
  i64 tables = 0;
  int rc = count_tables(store, &tables);
  if (rc) return rc;
  if (tables) {
    store_set_error(
        store,
        "table quire cannot be dropped: %lld vector table(s) of schema %s keep their pages in it; drop them first",
        (long long)tables, store->schema);
    return SQLITE_CONSTRAINT;
  }
  finalize_statements(store);
  return store_exec(
      store,
      "DROP TABLE %s.quire_state; DROP TABLE %s.quire_free; DROP TABLE %s.quire_wm; DROP TABLE %s.quire_tables; "
      "DROP TABLE IF EXISTS %s.quire_pages;",
      store->quoted, store->quoted, store->quoted, store->quoted, store->quoted);
}
