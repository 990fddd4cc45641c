/*
 * order.c: the order checker: does the log of the test VFS obey the rules of the page file?
 *
 * The test tells after a commit which pages it needs: all below its page count that its list of free pages does not have. With that
 * and the log alone, of one workload from its beginning, these are proven:
 *
 *   Q1  When the record of a commit is written, every page that the commit needs has been written, and synced after its last write by a sync that
 *       succeeded, and no sync of that write failed before (R6, R7). So has the file's growth, and its directory entry.
 *   Q2  No page is written that is needed by a commit which a power cut could bring back at that moment, or which a held snapshot
 *       reads (R5, H1).
 *   Q3  The page file is never deleted (S8), and never truncated below the page count of a commit that a power cut could bring back at that moment,
 *       or which a held snapshot reads (S19).
 *   Q4  After a commit whose sync failed, which a recovery may yet find in the log, none of the pages that it wrote is written until a commit succeeds, or the
 *       log has been deleted durably.
 *
 * The record of commit n lies between the marks `attempt n` and `ack n`: in a WAL the first frame that ends a transaction, else the last
 * truncation, deletion or write of the journal. Which commits a power cut can bring back follows from the rule for what must survive:
 *
 *   last     the last one alone           sync GLOB   since the last sync of a file like GLOB           dirsync   of the directory
 *
 * Snapshots are held from a mark `hold n` to a mark `release n`.
 *
 *   pc_root(n, pages, free)            commit n and those after it, until the next such call, need a file of `pages` pages, and all of them but those in `free`,
 *                                      a text "first count first count ..."
 *   pc_check_order(glob, rule, log)    "" or the first breach in words. glob: the page file; log: the GLOB of the rule
 *
 * Start at check_order().
 */
#include "fault_vfs.h"

#include <stdio.h>
#include <stdlib.h>

SQLITE_EXTENSION_INIT3

#define PAGE 4096

typedef struct Root {
  i64 commit, pages;
  u8 *needed; /* a byte per page */
} Root;

static Root *roots; /* ascending by commit */
static int root_count;

void order_reset(void) {
  while (root_count) free(roots[--root_count].needed);
}

/* --- commits --- */

typedef struct Record {
  i64 commit, at; /* at: the operation that is its record, or its ack if it wrote nothing */
} Record;

static int ends_transaction(const Op *op) { /* a frame's header with the database's size: walformat.html */
  return op->kind == OP_WRITE && op->n == 24 && (op->data[4] | op->data[5] | op->data[6] | op->data[7]) != 0;
}

static i64 record_of(i64 attempt, i64 ack) {
  i64 at = ack;
  for (i64 i = attempt; i < ack; i++) {
    const Op *op = log_op(i);
    if (op->kind == OP_MARK || op->kind == OP_DIRSYNC || op->kind == OP_SYNC || op->kind == OP_SYNC_FAILED) continue;
    if (log_inode_like(op->inode, "*-wal") && ends_transaction(op)) return i;
    if (log_inode_like(op->inode, "*-journal") && op->kind != OP_CREATE) at = i;
  }
  return at;
}

/* The records of all acknowledged commits, in order; the caller frees them. */
static Record *find_records(int *count) {
  Record *records = NULL;
  i64 attempt = 0;
  *count = 0;
  for (i64 i = 0; i < log_count(); i++) {
    const Op *op = log_op(i);
    if (op->kind != OP_MARK) continue;
    if (strcmp((const char *)op->data, "attempt") == 0) attempt = i;
    if (strcmp((const char *)op->data, "ack") != 0) continue;
    records = must_realloc(records, sizeof *records * (u64)(*count + 1));
    records[*count].commit = op->n;
    records[(*count)++].at = record_of(attempt, i);
  }
  return records;
}

/* The root that commit n has; NULL if there is none yet. */
static const Root *root_of(i64 commit) {
  for (int i = root_count - 1; i >= 0; i--)
    if (roots[i].commit <= commit) return &roots[i];
  return NULL;
}

static int needs(const Root *root, i64 page) { return root && page < root->pages && root->needed[page]; }

/* --- the check --- */

typedef enum { NEVER, WRITTEN, LOST, SYNCED } PageState;
static const char *const state_words[] = {"was never written", "is not synced", "was lost by a sync that failed", ""};

typedef struct Check {
  u8 *state;           /* PageState of each page of the file */
  i64 *tried;          /* by page: the attempt that wrote it last */
  i64 attempt, unsure; /* the attempt that goes on; the one whose sync failed, -1: none */
  i64 log_deleted;     /* when that was last */
  i64 pages;
  u32 inode; /* of the page file; 0: there is none */
  int entry_durable;
  i64 last, low; /* commits: the newest recorded, the oldest that a power cut may bring back */
  i64 held;      /* -1: none */
  char *breach;
} Check;

/* Q1 */
static void at_record(Check *c, i64 commit) {
  const Root *root = root_of(commit);
  if (!root || c->breach) return;
  for (i64 page = 0; page < root->pages; page++) {
    PageState state = page < c->pages ? (PageState)c->state[page] : NEVER;
    if (!root->needed[page] || state == SYNCED) continue;
    c->breach = sqlite3_mprintf("commit %lld needs page %lld, which %s", commit, page, state_words[state]);
    return;
  }
  if (root->pages && !c->entry_durable)
    c->breach = sqlite3_mprintf("commit %lld needs the page file, whose directory entry is not synced", commit);
}

/* Q2 */
static void at_write(Check *c, i64 i, const Op *op) {
  i64 end = (op->off + op->n + PAGE - 1) / PAGE;
  if (end > c->pages) {
    c->state = must_realloc(c->state, (u64)end);
    memset(c->state + c->pages, NEVER, (size_t)(end - c->pages));
    c->tried = must_realloc(c->tried, (u64)end * sizeof *c->tried);
    for (i64 page = c->pages; page < end; page++) c->tried[page] = -1;
    c->pages = end;
  }
  for (i64 page = op->off / PAGE; page < end; page++) {
    i64 who = needs(root_of(c->held), page) ? c->held : -1;
    for (i64 n = c->low; n <= c->last && who < 0; n++)
      if (needs(root_of(n), page)) who = n;
    c->state[page] = WRITTEN;
    if (c->unsure >= 0 && c->tried[page] == c->unsure && c->attempt != c->unsure && !c->breach)
      c->breach =
          sqlite3_mprintf("operation %lld writes page %lld, which a commit may need whose sync failed", i, page);
    c->tried[page] = c->attempt;
    if (who < 0 || c->breach) continue;
    c->breach = sqlite3_mprintf("operation %lld writes page %lld, which commit %lld needs (%s; newest commit %lld)", i,
                                page, who, who == c->held ? "held by a reader" : "not yet replaced for good", c->last);
  }
}

/* Q3 */
static void at_truncate(Check *c, i64 i, i64 pages) {
  i64 n, who = -1;
  if (c->held >= 0 && root_of(c->held) && root_of(c->held)->pages > pages) who = c->held;
  for (n = c->low; n <= c->last && who < 0; n++)
    if (root_of(n) && root_of(n)->pages > pages) who = n;
  if (who >= 0 && !c->breach)
    c->breach = sqlite3_mprintf(
        "operation %lld truncates the page file to %lld pages; commit %lld has %lld (newest commit %lld)", i, pages,
        who, root_of(who)->pages, c->last);
  c->pages = c->pages < pages ? c->pages : pages;
}

static void settle_pages(Check *c, PageState to) {
  for (i64 page = 0; page < c->pages; page++)
    if (c->state[page] == WRITTEN) c->state[page] = (u8)to;
}

static void at_page_file(Check *c, i64 i, const Op *op) {
  switch (op->kind) {
    case OP_WRITE: at_write(c, i, op); break;
    case OP_SYNC: settle_pages(c, SYNCED); break;
    case OP_SYNC_FAILED: settle_pages(c, LOST); break;
    case OP_TRUNCATE: at_truncate(c, i, op->n / PAGE); break;
    case OP_DELETE: /* Q3 */
      if (!c->breach) c->breach = sqlite3_mprintf("operation %lld deletes the page file", i);
      break;
    default: break;
  }
}

static void at_mark(Check *c, i64 i, const Op *op) {
  if (strcmp((const char *)op->data, "attempt") == 0) c->attempt = i;
  if (strcmp((const char *)op->data, "hold") == 0) c->held = op->n;
  if (strcmp((const char *)op->data, "release") == 0) c->held = -1;
}

/* What makes the newest commit the only one that can come back, by the rule. */
static int makes_last(const Op *op, const char *rule, const char *log) {
  if (strcmp(rule, "dirsync") == 0) return op->kind == OP_DIRSYNC;
  if (strcmp(rule, "sync") == 0) return op->kind == OP_SYNC && log_inode_like(op->inode, log);
  return 1;
}

/* NULL or the first breach; from sqlite3_mprintf. */
static char *check_order(const char *glob, const char *rule, const char *log) {
  int record_count = 0, next = 0;
  Record *records = find_records(&record_count);
  Check c = {.last = -1, .low = -1, .held = -1, .unsure = -1};

  for (i64 i = 0; i < log_count() && !c.breach; i++) {
    const Op *op = log_op(i);
    while (next < record_count && records[next].at == i) {
      at_record(&c, records[next].commit);
      c.last = records[next++].commit;
      c.unsure = -1;
    }
    if (op->kind == OP_MARK) at_mark(&c, i, op);
    if (op->kind == OP_SYNC_FAILED && c.inode && op->inode != c.inode) c.unsure = c.attempt; /* Q4 */
    if (op->kind == OP_DELETE && log_inode_like(op->inode, log)) c.log_deleted = i;
    if (op->kind == OP_DIRSYNC && c.log_deleted > c.unsure) c.unsure = -1;
    if (op->kind == OP_CREATE && sqlite3_strglob(glob, (const char *)op->data) == 0) {
      c.inode = op->inode;
      c.entry_durable = 0;
    }
    if (op->kind == OP_DIRSYNC) c.entry_durable = c.inode != 0;
    if (c.inode && op->inode == c.inode && op->kind != OP_MARK) at_page_file(&c, i, op);
    if (makes_last(op, rule, log)) c.low = c.last;
  }
  free(records);
  free(c.state);
  free(c.tried);
  return c.breach;
}

/* --- SQL functions --- */

static const char *text_arg(sqlite3_value *value) {
  const char *s = (const char *)sqlite3_value_text(value);
  return s ? s : "";
}

static void root_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const char *p = text_arg(argv[2]);
  long long first, count;
  int used;
  Root *root;

  (void)argc, (void)ctx;
  roots = must_realloc(roots, sizeof *roots * (u64)(root_count + 1));
  root = &roots[root_count++];
  root->commit = sqlite3_value_int64(argv[0]);
  root->pages = sqlite3_value_int64(argv[1]);
  root->needed = memset(must_realloc(NULL, (u64)root->pages), 1, (size_t)root->pages);
  for (; sscanf(p, " %lld %lld%n", &first, &count, &used) == 2; p += used)
    for (i64 page = first; page < first + count && page < root->pages; page++) root->needed[page] = 0;
}

static void check_order_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  char *breach = check_order(text_arg(argv[0]), text_arg(argv[1]), text_arg(argv[2]));
  (void)argc;
  sqlite3_result_text(ctx, breach ? breach : "", -1, SQLITE_TRANSIENT);
  sqlite3_free(breach);
}

int order_functions(sqlite3 *db) {
  int rc = sqlite3_create_function(db, "pc_root", 3, SQLITE_UTF8, NULL, root_func, NULL, NULL);
  if (rc) return rc;
  return sqlite3_create_function(db, "pc_check_order", 3, SQLITE_UTF8, NULL, check_order_func, NULL, NULL);
}
