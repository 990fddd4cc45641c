/*
 * powercut.c: the log of the test VFS and the file systems that a power cut may leave.
 *
 * The log is one ordered list of operations on all files: write, truncate, sync, failed sync, create, delete, directory
 * sync, and marks of the test itself. Its base is the file system at its beginning. A cut at k means: operations
 * 0 .. k-1 were issued. What is then on disk:
 *
 *   D1  A write or truncate is durable once its file was synced after it, a create or delete once the directory was.
 *   D2  What is issued and not durable is pending; any subset of it may have reached the disk, in part too.
 *   D3  A failed sync makes nothing durable, and what was pending for the file is lost for ever, or an arbitrary part of it is
 *       kept (chosen by the operation's number); no later sync brings it back.
 *   D4  Writes tear at multiples of the sector size in the file; a torn write damages only its own bytes.
 *   D5  A truncate is not ahead of an earlier create or delete: file systems keep their own changes in order. (SQLite needs that:
 *       VACUUM without EXTRA truncates after it deleted the journal, and a journal that comes back wants the tail.)
 *
 * Logs are a stack: pc_push() starts one whose base is the present file system, to record a recovery and to cut that again.
 *
 *   pc_reset()                    forget all files and logs, record anew; closes nothing: connections must be closed
 *   pc_push(), pc_pop()           see above
 *   pc_record(on)                 record or not (on after reset and push; pc_restore turns it off)
 *   pc_mark(kind, n)              a mark; kind is a word, such as attempt or ack
 *   pc_ops()                      length of the log
 *   pc_op(i)                      operation i in words
 *   pc_pending(k)                 number of pending operations at a cut at k
 *   pc_last(kind, k)              the n of the last such mark before k; -1 if there is none
 *   pc_low(kind, k, rule [,glob]) the n of the last such mark that must survive; rule: none; last; sync: a file like glob was
 *                                 synced after it; dirsync: the directory was
 *   pc_restore(k, mode, arg)      make the file system of a cut at k, and say in words which. Pending operations are dropped but:
 *                                 none; all; mask: those whose bit is set in arg; but: all save number arg; only: number arg;
 *                                 torn: those before number arg, and a part of number arg; random: arg is the seed
 *   pc_check_writes(from, to, glob, pgno, size)  1 if an operation in [from, to) wrote page pgno (of that size) of such a file
 *
 * Start at restore(). Whether the log obeys the rules of the page file: order.c.
 */
#include "fault_vfs.h"

#include <stdio.h>
#include <stdlib.h>

SQLITE_EXTENSION_INIT3

typedef struct DiskInode {
  u32 id;
  Bytes content;
} DiskInode;

typedef struct DiskName {
  char *name;
  u32 inode;
} DiskName;

/* What is durable before some operation, and what is pending there. */
typedef struct Disk {
  i64 at;
  DiskInode *inode;
  int inode_count;
  DiskName *name;
  int name_count;
  i64 *pending; /* numbers of operations, ascending */
  int pending_count, pending_cap;
} Disk;

typedef struct Log Log;
struct Log {
  Log *below;
  int recording;
  Op *op;
  i64 count, cap;
  Disk base, disk; /* disk: the last one asked for; moves forward from base */
};

static Log *top;

/* --- disks --- */

static Bytes *disk_content(Disk *disk, u32 id) {
  for (int i = 0; i < disk->inode_count; i++)
    if (disk->inode[i].id == id) return &disk->inode[i].content;
  disk->inode = must_realloc(disk->inode, sizeof *disk->inode * (u64)(disk->inode_count + 1));
  memset(&disk->inode[disk->inode_count], 0, sizeof *disk->inode);
  disk->inode[disk->inode_count].id = id;
  return &disk->inode[disk->inode_count++].content;
}

static void disk_unlink(Disk *disk, const char *name) {
  for (int i = 0; i < disk->name_count; i++) {
    if (strcmp(disk->name[i].name, name) != 0) continue;
    free(disk->name[i].name);
    disk->name[i] = disk->name[--disk->name_count];
    return;
  }
}

static void disk_link(Disk *disk, const char *name, u32 inode) {
  size_t n = strlen(name) + 1;
  disk_unlink(disk, name);
  disk->name = must_realloc(disk->name, sizeof *disk->name * (u64)(disk->name_count + 1));
  disk->name[disk->name_count].name = memcpy(must_realloc(NULL, n), name, n);
  disk->name[disk->name_count++].inode = inode;
}

static void disk_free(Disk *disk) {
  for (int i = 0; i < disk->inode_count; i++) bytes_free(&disk->inode[i].content);
  for (int i = 0; i < disk->name_count; i++) free(disk->name[i].name);
  free(disk->inode);
  free(disk->name);
  free(disk->pending);
  memset(disk, 0, sizeof *disk);
}

static void disk_copy(Disk *to, const Disk *from) {
  memset(to, 0, sizeof *to);
  to->at = from->at;
  for (int i = 0; i < from->inode_count; i++) bytes_copy(disk_content(to, from->inode[i].id), &from->inode[i].content);
  for (int i = 0; i < from->name_count; i++) disk_link(to, from->name[i].name, from->name[i].inode);
}

static void disk_pend(Disk *disk, i64 op) {
  if (disk->pending_count == disk->pending_cap) {
    disk->pending_cap = disk->pending_cap * 2 + 16;
    disk->pending = must_realloc(disk->pending, sizeof *disk->pending * (u64)disk->pending_cap);
  }
  disk->pending[disk->pending_count++] = op;
}

static int is_directory_op(const Op *op) { return op->kind == OP_CREATE || op->kind == OP_DELETE; }

/* The whole effect of an operation. */
static void apply(Disk *disk, const Op *op) {
  switch (op->kind) {
    case OP_WRITE: bytes_write(disk_content(disk, op->inode), op->off, op->data, op->n); break;
    case OP_TRUNCATE: bytes_truncate(disk_content(disk, op->inode), op->n); break;
    case OP_CREATE: disk_link(disk, (const char *)op->data, op->inode); break;
    case OP_DELETE: disk_unlink(disk, (const char *)op->data); break;
    default: break;
  }
}

/* D1, D3: settle the pending operations of one file, or of the directory (inode 0). */
static void settle(const Log *log, Disk *disk, u32 inode, int failed) {
  int kept = 0;
  u64 choice = mix((u64)disk->at);

  for (int i = 0; i < disk->pending_count; i++) {
    const Op *op = &log->op[disk->pending[i]];
    int mine = inode ? !is_directory_op(op) && op->inode == inode : is_directory_op(op);
    if (!mine) {
      disk->pending[kept++] = disk->pending[i];
    } else if (!failed || ((choice & 1) && (mix(choice + (u64)i) & 1))) {
      apply(disk, op);
    }
  }
  disk->pending_count = kept;
}

/* The disk of a cut at k. */
static Disk *disk_at(Log *log, i64 k) {
  Disk *disk = &log->disk;

  if (disk->at > k) {
    disk_free(disk);
    disk_copy(disk, &log->base);
  }
  for (; disk->at < k; disk->at++) {
    const Op *op = &log->op[disk->at];
    switch (op->kind) {
      case OP_SYNC: settle(log, disk, op->inode, 0); break;
      case OP_SYNC_FAILED: settle(log, disk, op->inode, 1); break;
      case OP_DIRSYNC: settle(log, disk, 0, 0); break;
      case OP_MARK: break;
      default: disk_pend(disk, disk->at);
    }
  }
  return disk;
}

/* --- recording --- */

static Op *record(OpKind kind, u32 inode) {
  Op *op;
  if (!top || !top->recording) return NULL;
  if (top->count == top->cap) {
    top->cap = top->cap * 2 + 256;
    top->op = must_realloc(top->op, sizeof *top->op * (u64)top->cap);
  }
  op = memset(&top->op[top->count++], 0, sizeof *op);
  op->kind = kind;
  op->inode = inode;
  return op;
}

static u8 *copy_data(const void *data, i64 n) { return memcpy(must_realloc(NULL, (u64)n), data, (size_t)n); }

static void record_name(OpKind kind, const char *name, u32 inode) {
  Op *op = record(kind, inode);
  if (op) op->data = copy_data(name, (i64)strlen(name) + 1);
}

void log_write(u32 inode, i64 off, const void *data, i64 n) {
  Op *op = record(OP_WRITE, inode);
  if (!op) return;
  op->off = off;
  op->n = n;
  op->data = copy_data(data, n);
}

void log_truncate(u32 inode, i64 size) {
  Op *op = record(OP_TRUNCATE, inode);
  if (op) op->n = size;
}

void log_sync(u32 inode, int ok) { record(ok ? OP_SYNC : OP_SYNC_FAILED, inode); }
void log_create(const char *name, u32 inode) { record_name(OP_CREATE, name, inode); }
void log_delete(const char *name, u32 inode) { record_name(OP_DELETE, name, inode); }
void log_dirsync(void) { record(OP_DIRSYNC, 0); }

static void base_add(void *arg, const char *name, u32 inode, const Bytes *content) {
  Disk *base = arg;
  disk_link(base, name, inode);
  bytes_copy(disk_content(base, inode), content);
}

static void log_push(void) {
  Log *log = memset(must_realloc(NULL, sizeof *log), 0, sizeof *log);
  fs_each(base_add, &log->base);
  disk_copy(&log->disk, &log->base);
  log->below = top;
  log->recording = 1;
  top = log;
}

static void log_pop(void) {
  Log *log = top;
  if (!log) return;
  top = log->below;
  for (i64 i = 0; i < log->count; i++) free(log->op[i].data);
  free(log->op);
  disk_free(&log->base);
  disk_free(&log->disk);
  free(log);
}

/* --- cuts --- */

typedef enum { DROP, APPLY, TEAR, SCATTER, GROW, GARBLE } Fate;
static const char *const fate_name[] = {"drop", "apply", "tear", "scatter", "grow", "garble"};

/* Offset in a write of the end of the sector that starts at or after its byte `from` (D4). */
static i64 sector_end(const Op *op, i64 from) {
  i64 sector = pc_config.sector;
  i64 end = ((op->off + from) / sector + 1) * sector - op->off;
  return end > op->n ? op->n : end;
}

/* The part of a write that `fate` lets through; `seed` chooses which. */
static void apply_part(Disk *disk, const Op *op, Fate fate, u64 seed) {
  Bytes *content = disk_content(disk, op->inode);
  i64 sectors = (op->off + op->n - 1) / pc_config.sector - op->off / pc_config.sector + 1;
  i64 whole = (i64)(mix(seed) % (u64)(sectors + (fate == TEAR))); /* sectors that get through at the front */
  i64 from = 0, end;

  if (fate == GROW) {
    if (op->off + op->n > content->size) bytes_truncate(content, op->off + op->n);
    return;
  }
  for (i64 i = 0; i < sectors; i++, from = end) {
    end = sector_end(op, from);
    if (fate == SCATTER ? (int)(mix(seed + (u64)i) & 1) : i < whole) {
      bytes_write(content, op->off + from, op->data + from, end - from);
    } else if (fate == GARBLE && i == whole) {
      for (i64 j = from; j < end; j++) {
        u8 noise = (u8)mix(seed ^ (u64)(j * 977));
        bytes_write(content, op->off + j, &noise, 1);
      }
    }
  }
}

static Fate random_fate(u64 seed) {
  u64 r = mix(seed);
  u64 bias = mix(seed >> 32) % 9 + 1; /* the high bits are the cut's: one bias for all of it */
  if (r % 8 == 0) return (Fate)(TEAR + (r >> 8) % 4);
  return (r >> 16) % 10 < bias ? APPLY : DROP;
}

static Fate fate_of(const char *mode, i64 arg, int i) {
  if (strcmp(mode, "all") == 0) return APPLY;
  if (strcmp(mode, "mask") == 0) return i < 63 && (arg >> i & 1) ? APPLY : DROP;
  if (strcmp(mode, "but") == 0) return i == arg ? DROP : APPLY;
  if (strcmp(mode, "only") == 0) return i == arg ? APPLY : DROP;
  if (strcmp(mode, "torn") == 0) return i < arg ? APPLY : i > arg ? DROP : (Fate)(TEAR + mix((u64)arg) % 4);
  if (strcmp(mode, "random") == 0) return random_fate((mix((u64)arg) << 32) | (u32)i);
  return DROP;
}

static void put_file(Disk *disk, const char *name, u32 inode) {
  Bytes copy = {0};
  bytes_copy(&copy, disk_content(disk, inode));
  fs_put(name, inode, &copy);
}

/* Make the live file system what a cut at k leaves under the given choice; appends the choice in words. */
static int restore(Log *log, i64 k, const char *mode, i64 arg, sqlite3_str *words) {
  const Disk *at = disk_at(log, k);
  int behind = 0; /* a create or delete was dropped */
  Disk disk;

  if (fs_clear()) return -1;
  disk_copy(&disk, at);
  for (int i = 0; i < at->pending_count; i++) {
    const Op *op = &log->op[at->pending[i]];
    Fate fate = fate_of(mode, arg, i);
    u64 seed = mix((u64)arg * 31 + (u64)at->pending[i]);

    if (op->kind != OP_WRITE && fate > APPLY) fate = DROP;
    if (op->kind == OP_TRUNCATE && behind) fate = DROP; /* D5 */
    if (is_directory_op(op) && fate == DROP) behind = 1;
    if (fate == APPLY) apply(&disk, op);
    if (fate > APPLY) apply_part(&disk, op, fate, seed);
    if (fate != DROP) sqlite3_str_appendf(words, " %s:%lld", fate_name[fate], at->pending[i]);
  }
  for (int i = 0; i < disk.name_count; i++) put_file(&disk, disk.name[i].name, disk.name[i].inode);
  disk_free(&disk);
  log->recording = 0;
  return 0;
}

/* --- questions about the log --- */

/* The name a file had when it was created or in the base. */
static const char *inode_name(const Log *log, u32 inode) {
  const char *name = "?";
  for (int i = 0; i < log->base.name_count; i++)
    if (log->base.name[i].inode == inode) name = log->base.name[i].name;
  for (i64 i = 0; i < log->count; i++)
    if (log->op[i].kind == OP_CREATE && log->op[i].inode == inode) name = (const char *)log->op[i].data;
  return name;
}

static int inode_like(const Log *log, u32 inode, const char *glob) {
  return sqlite3_strglob(glob, inode_name(log, inode)) == 0;
}

i64 log_count(void) { return top ? top->count : 0; }
const Op *log_op(i64 i) { return &top->op[i]; }
int log_inode_like(u32 inode, const char *glob) { return inode_like(top, inode, glob); }

/* True if `op` makes the commits before it durable, by the rule. */
static int makes_durable(const Log *log, const Op *op, const char *rule, const char *glob) {
  if (strcmp(rule, "dirsync") == 0) return op->kind == OP_DIRSYNC;
  return strcmp(rule, "sync") == 0 && op->kind == OP_SYNC && inode_like(log, op->inode, glob);
}

static i64 last_mark(const Log *log, const char *kind, i64 k) {
  while (--k >= 0)
    if (log->op[k].kind == OP_MARK && strcmp((const char *)log->op[k].data, kind) == 0) return log->op[k].n;
  return -1;
}

/* --- SQL functions --- */

static const char *text_arg(sqlite3_value *value) {
  const char *s = (const char *)sqlite3_value_text(value);
  return s ? s : "";
}

/* The position argument, within the log; there must be a log. */
static i64 position(sqlite3_value *value) {
  i64 k = sqlite3_value_int64(value);
  return k < 0 ? 0 : k > top->count ? top->count : k;
}

static int no_log(sqlite3_context *ctx) {
  if (top) return 0;
  sqlite3_result_error(ctx, "no log: pc_reset() first", -1);
  return 1;
}

static void reset_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  if (fs_clear()) {
    sqlite3_result_error(ctx, "files are open", -1);
    return;
  }
  while (top) log_pop();
  order_reset();
  log_push();
}

static void push_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)ctx, (void)argc, (void)argv;
  log_push();
}

static void pop_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)ctx, (void)argc, (void)argv;
  log_pop();
}

static void record_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (!no_log(ctx)) top->recording = sqlite3_value_int(argv[0]);
}

static void mark_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (no_log(ctx)) return;
  record_name(OP_MARK, text_arg(argv[0]), 0);
  if (top->recording) top->op[top->count - 1].n = sqlite3_value_int64(argv[1]);
  sqlite3_result_int64(ctx, top->count);
}

static void ops_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  if (!no_log(ctx)) sqlite3_result_int64(ctx, top->count);
}

static void op_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  static const char *const words[] = {"write",  "truncate", "sync",    "failed sync",
                                      "create", "delete",   "dirsync", "mark"};
  i64 i = sqlite3_value_int64(argv[0]);
  const Op *op;
  char *text;

  (void)argc;
  if (no_log(ctx) || i < 0 || i >= top->count) return;
  op = &top->op[i];
  if (op->kind == OP_MARK) {
    text = sqlite3_mprintf("mark %s %lld", op->data, op->n);
  } else {
    text = sqlite3_mprintf("%s %s %lld+%lld", words[op->kind], op->inode ? inode_name(top, op->inode) : "/", op->off,
                           op->n);
  }
  sqlite3_result_text(ctx, text, -1, sqlite3_free);
}

static void pending_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (!no_log(ctx)) sqlite3_result_int(ctx, disk_at(top, position(argv[0]))->pending_count);
}

static void last_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (!no_log(ctx)) sqlite3_result_int64(ctx, last_mark(top, text_arg(argv[0]), position(argv[1])));
}

static void low_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const char *rule = argc > 2 ? text_arg(argv[2]) : "last";
  const char *glob = argc > 3 ? text_arg(argv[3]) : "*";
  i64 k;

  if (no_log(ctx)) return;
  k = position(argv[1]);
  if (strcmp(rule, "none") == 0) k = 0;
  if (strcmp(rule, "sync") == 0 || strcmp(rule, "dirsync") == 0)
    while (k > 0 && !makes_durable(top, &top->op[k - 1], rule, glob)) k--;
  sqlite3_result_int64(ctx, last_mark(top, text_arg(argv[0]), k));
}

static void restore_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  sqlite3_str *words;
  i64 k, arg;

  (void)argc;
  if (no_log(ctx)) return;
  k = position(argv[0]);
  arg = sqlite3_value_int64(argv[2]);
  words = sqlite3_str_new(NULL);
  sqlite3_str_appendf(words, "cut %lld %s %lld:", k, text_arg(argv[1]), arg);
  if (restore(top, k, text_arg(argv[1]), arg, words)) {
    sqlite3_free(sqlite3_str_finish(words));
    sqlite3_result_error(ctx, "files are open", -1);
    return;
  }
  sqlite3_result_text(ctx, sqlite3_str_finish(words), -1, sqlite3_free);
}

static void check_writes_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  i64 from, to, size = sqlite3_value_int64(argv[4]), start = sqlite3_value_int64(argv[3]) * size;
  const char *glob = text_arg(argv[2]);
  int found = 0;

  (void)argc;
  if (no_log(ctx)) return;
  from = position(argv[0]);
  to = position(argv[1]);
  for (i64 i = from; !found && i < to; i++) {
    const Op *op = &top->op[i];
    found =
        op->kind == OP_WRITE && op->off < start + size && op->off + op->n > start && inode_like(top, op->inode, glob);
  }
  sqlite3_result_int(ctx, found);
}

int powercut_functions(sqlite3 *db) {
  static const struct {
    const char *name;
    int args;
    void (*func)(sqlite3_context *, int, sqlite3_value **);
  } functions[] = {
      {"pc_reset", 0, reset_func},   {"pc_push", 0, push_func},       {"pc_pop", 0, pop_func},
      {"pc_record", 1, record_func}, {"pc_mark", 2, mark_func},       {"pc_ops", 0, ops_func},
      {"pc_op", 1, op_func},         {"pc_pending", 1, pending_func}, {"pc_last", 2, last_func},
      {"pc_low", -1, low_func},      {"pc_restore", 3, restore_func}, {"pc_check_writes", 5, check_writes_func},
  };
  int rc = SQLITE_OK;
  for (size_t i = 0; !rc && i < sizeof functions / sizeof functions[0]; i++)
    rc = sqlite3_create_function(db, functions[i].name, functions[i].args, SQLITE_UTF8, NULL, functions[i].func, NULL,
                                 NULL);
  return rc;
}
