/*
 * fault_vfs.c: the VFS "powercut": files in memory, locks and shared memory within the process, faults on demand.
 *
 * A loadable extension. Every change of a named file goes to the log of powercut.c. Temporary files (no name, or
 * deleted on close) are private and are not logged. Shared memory is memory: a power cut loses it, and so it is not logged.
 *
 * Like the unix VFS: the first sync of a file opened as journal or WAL with SQLITE_OPEN_CREATE syncs the directory too;
 * xAccess says that an empty file does not exist; a failed write may have written a part.
 *
 *   pc_fault(kind, n, forever [, glob])   the n-th call of that kind from now on fails (n = 1: the next); with forever,
 *                                         so do all after it. glob: only calls on files with such names count.
 *                                         open read short write full sync truncate size delete access lock busy shm
 *   pc_fault_off()                        no more faults; gives the number of faults raised since pc_fault
 *                                         n = 0: none fails, calls are counted
 *   pc_calls(kind)                        calls of that kind (on files like the glob) since pc_fault or pc_fault_off
 *   pc_config(name, value)                sector, psow, known, readonly (see Config)
 *   pc_files()                            names and sizes, as text
 *   pc_get(name), pc_put(name, blob)      a whole file; pc_put makes it or replaces its bytes
 *   pc_do(call, name, off, n)             one call on a file, logged as if SQLite had made it: create, write (n ones), sync, failsync,
 *                                         truncate (to off), delete, dirsync
 *   pc_seed(n)                            seeds SQLite's random numbers, so that a run can be repeated
 *
 * Start at mem_open().
 */
#include "fault_vfs.h"

#include <stdio.h>
#include <stdlib.h>

SQLITE_EXTENSION_INIT1

#define QUIRE_FCNTL_KNOWN 0x51756972 /* "Quir": does this VFS keep the promises the page file needs? */
#define MAX_SHM_REGIONS 256

typedef struct MemFile MemFile;

typedef struct Inode {
  u32 id;
  int names, opens; /* freed when both are 0 */
  int logged;
  Bytes content;
  MemFile *files; /* open on it */
  int shm_users, shm_count;
  u8 *shm[MAX_SHM_REGIONS];
} Inode;

struct MemFile {
  sqlite3_file base;
  Inode *inode;
  MemFile *next;
  char *name; /* NULL: temporary */
  int delete_on_close, readonly, sync_dir;
  int lock; /* SQLITE_LOCK_x */
  int shm_mapped;
  u32 shm_shared, shm_excl; /* one bit a lock slot */
};

typedef struct Name {
  char *name;
  Inode *inode;
} Name;

Config pc_config = {512, 1, 1, 0};

static Name *names;
static int name_count;
static int open_count;
static u32 last_inode;

/* --- bytes --- */

void *must_realloc(void *p, u64 size) {
  void *q = size > SIZE_MAX ? NULL : realloc(p, size ? (size_t)size : 1);
  if (!q) {
    fprintf(stderr, "test VFS: out of memory\n");
    abort();
  }
  return q;
}

static char *must_strdup(const char *s) {
  size_t n = strlen(s) + 1;
  return memcpy(must_realloc(NULL, n), s, n);
}

static void bytes_reserve(Bytes *b, i64 size) {
  if (size <= b->cap) return;
  b->cap = size + size / 2 + 4096;
  b->data = must_realloc(b->data, (u64)b->cap);
}

void bytes_truncate(Bytes *b, i64 size) {
  bytes_reserve(b, size);
  if (size > b->size) memset(b->data + b->size, 0, (size_t)(size - b->size));
  b->size = size;
}

void bytes_write(Bytes *b, i64 off, const void *data, i64 n) {
  if (n <= 0) return;
  if (off + n > b->size) bytes_truncate(b, off + n);
  memcpy(b->data + off, data, (size_t)n);
}

void bytes_copy(Bytes *to, const Bytes *from) {
  to->size = 0;
  bytes_reserve(to, from->size);
  if (from->size) memcpy(to->data, from->data, (size_t)from->size);
  to->size = from->size;
}

void bytes_free(Bytes *b) {
  free(b->data);
  memset(b, 0, sizeof *b);
}

/* --- names and inodes --- */

u32 fs_new_inode(void) { return ++last_inode; }

static Inode *inode_new(u32 id) {
  Inode *inode = memset(must_realloc(NULL, sizeof *inode), 0, sizeof *inode);
  inode->id = id;
  if (id > last_inode) last_inode = id;
  return inode;
}

static void inode_unref(Inode *inode) {
  if (inode->names || inode->opens) return;
  for (int i = 0; i < inode->shm_count; i++) free(inode->shm[i]);
  bytes_free(&inode->content);
  free(inode);
}

static int name_index(const char *name) {
  for (int i = 0; i < name_count; i++)
    if (strcmp(names[i].name, name) == 0) return i;
  return -1;
}

static void name_add(const char *name, Inode *inode) {
  names = must_realloc(names, sizeof *names * (u64)(name_count + 1));
  names[name_count].name = must_strdup(name);
  names[name_count++].inode = inode;
  inode->names++;
}

static void name_remove(int i) {
  Inode *inode = names[i].inode;
  free(names[i].name);
  names[i] = names[--name_count];
  inode->names--;
  inode_unref(inode);
}

int fs_open_count(void) { return open_count; }

int fs_clear(void) {
  if (open_count) return -1;
  while (name_count) name_remove(name_count - 1);
  return 0;
}

void fs_put(const char *name, u32 id, Bytes *content) {
  Inode *inode = inode_new(id);
  inode->logged = 1;
  inode->content = *content;
  memset(content, 0, sizeof *content);
  name_add(name, inode);
}

void fs_each(void (*each)(void *arg, const char *name, u32 inode, const Bytes *content), void *arg) {
  for (int i = 0; i < name_count; i++) each(arg, names[i].name, names[i].inode->id, &names[i].inode->content);
}

Bytes *fs_find(const char *name) {
  int i = name_index(name);
  return i < 0 ? NULL : &names[i].inode->content;
}

/* --- faults --- */

typedef enum {
  F_OPEN,
  F_READ,
  F_SHORT,
  F_WRITE,
  F_FULL,
  F_SYNC,
  F_TRUNCATE,
  F_SIZE,
  F_DELETE,
  F_ACCESS,
  F_LOCK,
  F_BUSY,
  F_SHM,
  F_COUNT
} FaultKind;

static const char *const fault_name[F_COUNT] = {"open", "read",   "short",  "write", "full", "sync", "truncate",
                                                "size", "delete", "access", "lock",  "busy", "shm"};

static struct {
  FaultKind kind;
  i64 at; /* 0: none */
  int forever;
  char glob[64];
  i64 raised, matched;
  i64 calls[F_COUNT];
} fault;

/* Who wants to know of each call that pc_fault() counts, from where it is made: faults.c. */
__attribute__((visibility("default"))) void (*pc_on_call)(sqlite3_int64 call) = NULL;

static void fault_clear(void) { memset(&fault, 0, sizeof fault); }

/* Count a call; true if it shall fail. */
static int fails(FaultKind kind, const char *name) {
  fault.calls[kind]++;
  if (fault.kind != kind || (fault.glob[0] && (!name || sqlite3_strglob(fault.glob, name) != 0))) return 0;
  fault.matched++;
  if (pc_on_call) pc_on_call(fault.matched);
  if (!fault.at) return 0;
  if (fault.forever ? fault.matched < fault.at : fault.matched != fault.at) return 0;
  fault.raised++;
  return 1;
}

/* --- files --- */

static int mem_close(sqlite3_file *f) {
  MemFile *file = (MemFile *)f;
  Inode *inode = file->inode;
  MemFile **p = &inode->files;

  while (*p != file) p = &(*p)->next;
  *p = file->next;
  inode->opens--;
  open_count--;
  inode_unref(inode);
  free(file->name);
  return SQLITE_OK;
}

static int mem_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 off) {
  MemFile *file = (MemFile *)f;
  const Bytes *b = &file->inode->content;
  i64 have = b->size > off ? b->size - off : 0;

  if (fails(F_READ, file->name)) return SQLITE_IOERR_READ;
  if (have > n) have = n;
  if (fails(F_SHORT, file->name)) have /= 2;
  if (have) memcpy(buf, b->data + off, (size_t)have);
  if (have == n) return SQLITE_OK;
  memset((u8 *)buf + have, 0, (size_t)(n - have));
  return SQLITE_IOERR_SHORT_READ;
}

static int mem_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 off) {
  MemFile *file = (MemFile *)f;
  int rc = SQLITE_OK;

  if (file->readonly) return SQLITE_READONLY;
  if (fails(F_FULL, file->name)) rc = SQLITE_FULL;
  if (fails(F_WRITE, file->name)) rc = SQLITE_IOERR_WRITE;
  if (rc) n = n / 2;
  bytes_write(&file->inode->content, off, data, n);
  if (file->inode->logged && n) log_write(file->inode->id, off, data, n);
  return rc;
}

static int mem_truncate(sqlite3_file *f, sqlite3_int64 size) {
  MemFile *file = (MemFile *)f;

  if (file->readonly) return SQLITE_READONLY;
  if (fails(F_TRUNCATE, file->name)) return SQLITE_IOERR_TRUNCATE;
  bytes_truncate(&file->inode->content, size);
  if (file->inode->logged) log_truncate(file->inode->id, size);
  return SQLITE_OK;
}

static int mem_sync(sqlite3_file *f, int flags) {
  MemFile *file = (MemFile *)f;
  int bad = fails(F_SYNC, file->name);

  (void)flags;
  if (!file->inode->logged) return bad ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  log_sync(file->inode->id, !bad);
  if (bad) return SQLITE_IOERR_FSYNC;
  if (file->sync_dir) {
    log_dirsync();
    file->sync_dir = 0;
  }
  return SQLITE_OK;
}

static int mem_size(sqlite3_file *f, sqlite3_int64 *size) {
  MemFile *file = (MemFile *)f;

  if (fails(F_SIZE, file->name)) return SQLITE_IOERR_FSTAT;
  *size = file->inode->content.size;
  return SQLITE_OK;
}

/* The highest lock that another handle of this inode holds. */
static int highest_other_lock(MemFile *file) {
  int level = SQLITE_LOCK_NONE;
  for (MemFile *other = file->inode->files; other; other = other->next)
    if (other != file && other->lock > level) level = other->lock;
  return level;
}

static int mem_lock(sqlite3_file *f, int level) {
  MemFile *file = (MemFile *)f;
  int others = highest_other_lock(file);

  if (file->lock >= level) return SQLITE_OK;
  if (fails(F_LOCK, file->name)) return SQLITE_IOERR_LOCK;
  if (fails(F_BUSY, file->name)) return SQLITE_BUSY;
  if (level == SQLITE_LOCK_SHARED) {
    if (others >= SQLITE_LOCK_PENDING) return SQLITE_BUSY;
  } else if (others >= SQLITE_LOCK_RESERVED) {
    return SQLITE_BUSY;
  } else if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
    file->lock = SQLITE_LOCK_PENDING;
    return SQLITE_BUSY;
  }
  file->lock = level;
  return SQLITE_OK;
}

static int mem_unlock(sqlite3_file *f, int level) {
  MemFile *file = (MemFile *)f;
  if (file->lock > level) file->lock = level;
  return SQLITE_OK;
}

static int mem_check_reserved(sqlite3_file *f, int *out) {
  MemFile *file = (MemFile *)f;
  *out = file->lock >= SQLITE_LOCK_RESERVED || highest_other_lock(file) >= SQLITE_LOCK_RESERVED;
  return SQLITE_OK;
}

static int mem_file_control(sqlite3_file *f, int op, void *arg) {
  MemFile *file = (MemFile *)f;
  switch (op) {
    case QUIRE_FCNTL_KNOWN:
      if (!pc_config.known) return SQLITE_NOTFOUND;
      *(int *)arg = 1;
      return SQLITE_OK;
    case SQLITE_FCNTL_LOCKSTATE: *(int *)arg = file->lock; return SQLITE_OK;
    case SQLITE_FCNTL_HAS_MOVED: *(int *)arg = file->inode->names == 0; return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME: *(char **)arg = sqlite3_mprintf("powercut"); return SQLITE_OK;
    default: return SQLITE_NOTFOUND;
  }
}

static int mem_sector_size(sqlite3_file *f) {
  (void)f;
  return pc_config.sector;
}

static int mem_characteristics(sqlite3_file *f) {
  (void)f;
  return pc_config.psow ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

static int mem_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out) {
  MemFile *file = (MemFile *)f;
  Inode *inode = file->inode;

  *out = NULL;
  if (fails(F_SHM, file->name)) return SQLITE_IOERR_SHMMAP;
  if (region >= MAX_SHM_REGIONS) return SQLITE_IOERR_SHMMAP;
  if (!file->shm_mapped) {
    file->shm_mapped = 1;
    inode->shm_users++;
  }
  if (region >= inode->shm_count && !extend) return SQLITE_OK;
  while (inode->shm_count <= region)
    inode->shm[inode->shm_count++] = memset(must_realloc(NULL, (u64)size), 0, (size_t)size);
  *out = inode->shm[region];
  return SQLITE_OK;
}

static int mem_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
  MemFile *file = (MemFile *)f;
  u32 mask = ((1u << n) - 1) << offset;

  if (flags & SQLITE_SHM_UNLOCK) {
    file->shm_shared &= ~mask;
    file->shm_excl &= ~mask;
    return SQLITE_OK;
  }
  if (fails(F_LOCK, file->name)) return SQLITE_IOERR_SHMLOCK;
  if (fails(F_BUSY, file->name)) return SQLITE_BUSY;
  for (MemFile *other = file->inode->files; other; other = other->next) {
    if (other == file) continue;
    if (other->shm_excl & mask) return SQLITE_BUSY;
    if ((flags & SQLITE_SHM_EXCLUSIVE) && (other->shm_shared & mask)) return SQLITE_BUSY;
  }
  if (flags & SQLITE_SHM_EXCLUSIVE) {
    file->shm_excl |= mask;
  } else {
    file->shm_shared |= mask;
  }
  return SQLITE_OK;
}

static void mem_shm_barrier(sqlite3_file *f) {
  (void)f;
  __sync_synchronize();
}

static int mem_shm_unmap(sqlite3_file *f, int delete) {
  MemFile *file = (MemFile *)f;
  Inode *inode = file->inode;

  (void)delete;
  if (!file->shm_mapped) return SQLITE_OK;
  file->shm_mapped = 0;
  file->shm_shared = file->shm_excl = 0;
  if (--inode->shm_users == 0) {
    for (int i = 0; i < inode->shm_count; i++) free(inode->shm[i]);
    inode->shm_count = 0;
  }
  return SQLITE_OK;
}

static const sqlite3_io_methods mem_methods = {
    .iVersion = 2,
    .xClose = mem_close,
    .xRead = mem_read,
    .xWrite = mem_write,
    .xTruncate = mem_truncate,
    .xSync = mem_sync,
    .xFileSize = mem_size,
    .xLock = mem_lock,
    .xUnlock = mem_unlock,
    .xCheckReservedLock = mem_check_reserved,
    .xFileControl = mem_file_control,
    .xSectorSize = mem_sector_size,
    .xDeviceCharacteristics = mem_characteristics,
    .xShmMap = mem_shm_map,
    .xShmLock = mem_shm_lock,
    .xShmBarrier = mem_shm_barrier,
    .xShmUnmap = mem_shm_unmap,
};

/* --- the VFS --- */

/* The inode a name stands for, made if flags allow it; NULL if it cannot be opened. */
static Inode *open_inode(const char *name, int flags) {
  int i = name ? name_index(name) : -1;
  Inode *inode;

  if (i >= 0) return (flags & SQLITE_OPEN_EXCLUSIVE) ? NULL : names[i].inode;
  if (name && (!(flags & SQLITE_OPEN_CREATE) || pc_config.readonly)) return NULL;
  inode = inode_new(fs_new_inode());
  if (!name) return inode;
  name_add(name, inode);
  if (!(flags & SQLITE_OPEN_DELETEONCLOSE)) {
    inode->logged = 1;
    log_create(name, inode->id);
  }
  return inode;
}

static int mem_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags) {
  MemFile *file = (MemFile *)f;
  int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
  Inode *inode;

  (void)vfs;
  memset(file, 0, sizeof *file);
  if (fails(F_OPEN, name)) return SQLITE_CANTOPEN;
  inode = open_inode(name, flags);
  if (!inode) return SQLITE_CANTOPEN;
  file->readonly = (flags & SQLITE_OPEN_READONLY) || (pc_config.readonly && name);
  file->inode = inode;
  file->name = name ? must_strdup(name) : NULL;
  file->sync_dir = (flags & SQLITE_OPEN_CREATE) && (flags & journals);
  file->next = inode->files;
  inode->files = file;
  inode->opens++;
  open_count++;
  if (name && (flags & SQLITE_OPEN_DELETEONCLOSE)) name_remove(name_index(name));
  if (out_flags) {
    *out_flags = flags;
    if (file->readonly) *out_flags = (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY;
  }
  file->base.pMethods = &mem_methods;
  return SQLITE_OK;
}

static int mem_delete(sqlite3_vfs *vfs, const char *name, int sync_dir) {
  int i = name_index(name);

  (void)vfs;
  if (i < 0) return SQLITE_IOERR_DELETE_NOENT;
  if (fails(F_DELETE, name) || pc_config.readonly) return SQLITE_IOERR_DELETE;
  if (names[i].inode->logged) log_delete(name, names[i].inode->id);
  name_remove(i);
  if (sync_dir) log_dirsync();
  return SQLITE_OK;
}

static int mem_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
  const Bytes *b = fs_find(name);

  (void)vfs;
  if (fails(F_ACCESS, name)) return SQLITE_IOERR_ACCESS;
  *out = b && (flags != SQLITE_ACCESS_EXISTS || b->size > 0);
  if (flags == SQLITE_ACCESS_READWRITE && pc_config.readonly) *out = 0;
  return SQLITE_OK;
}

static int mem_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out) {
  (void)vfs;
  sqlite3_snprintf(n, out, "%s%s", name[0] == '/' ? "" : "/", name);
  return SQLITE_OK;
}

#define PARENT ((sqlite3_vfs *)vfs->pAppData)

static void *mem_dlopen(sqlite3_vfs *vfs, const char *name) { return PARENT->xDlOpen(PARENT, name); }
static void mem_dlerror(sqlite3_vfs *vfs, int n, char *out) { PARENT->xDlError(PARENT, n, out); }
static void (*mem_dlsym(sqlite3_vfs *vfs, void *lib, const char *name))(void) {
  return PARENT->xDlSym(PARENT, lib, name);
}
static void mem_dlclose(sqlite3_vfs *vfs, void *lib) { PARENT->xDlClose(PARENT, lib); }
static int mem_randomness(sqlite3_vfs *vfs, int n, char *out) { return PARENT->xRandomness(PARENT, n, out); }
static int mem_sleep(sqlite3_vfs *vfs, int us) {
  (void)vfs;
  return us;
}
static int mem_time(sqlite3_vfs *vfs, double *out) { return PARENT->xCurrentTime(PARENT, out); }
static int mem_time64(sqlite3_vfs *vfs, sqlite3_int64 *out) { return PARENT->xCurrentTimeInt64(PARENT, out); }
static int mem_last_error(sqlite3_vfs *vfs, int n, char *out) {
  (void)vfs;
  if (n > 0) out[0] = 0;
  return 0;
}

static sqlite3_vfs mem_vfs = {
    .iVersion = 2,
    .szOsFile = sizeof(MemFile),
    .mxPathname = 512,
    .zName = "powercut",
    .xOpen = mem_open,
    .xDelete = mem_delete,
    .xAccess = mem_access,
    .xFullPathname = mem_full_path,
    .xDlOpen = mem_dlopen,
    .xDlError = mem_dlerror,
    .xDlSym = mem_dlsym,
    .xDlClose = mem_dlclose,
    .xRandomness = mem_randomness,
    .xSleep = mem_sleep,
    .xCurrentTime = mem_time,
    .xGetLastError = mem_last_error,
    .xCurrentTimeInt64 = mem_time64,
};

/* --- SQL functions --- */

static const char *text_arg(sqlite3_value *value) {
  const char *s = (const char *)sqlite3_value_text(value);
  return s ? s : "";
}

static int fault_kind(const char *name) {
  for (int i = 0; i < F_COUNT; i++)
    if (strcmp(fault_name[i], name) == 0) return i;
  return -1;
}

static void fault_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int kind = argc >= 3 ? fault_kind(text_arg(argv[0])) : -1;

  if (kind < 0) {
    sqlite3_result_error(ctx, "pc_fault(kind, n, forever [, glob])", -1);
    return;
  }
  fault_clear();
  fault.kind = (FaultKind)kind;
  fault.at = sqlite3_value_int64(argv[1]);
  fault.forever = sqlite3_value_int(argv[2]);
  if (argc > 3) sqlite3_snprintf(sizeof fault.glob, fault.glob, "%s", text_arg(argv[3]));
}

static void fault_off_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  sqlite3_result_int64(ctx, fault.raised);
  fault_clear();
}

static void calls_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int kind = fault_kind(text_arg(argv[0]));
  (void)argc;
  if (kind < 0) {
    sqlite3_result_error(ctx, "no such kind of call", -1);
  } else {
    sqlite3_result_int64(ctx, (int)fault.kind == kind && fault.glob[0] ? fault.matched : fault.calls[kind]);
  }
}

static void config_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  static const struct {
    const char *name;
    int *value;
  } options[] = {{"sector", &pc_config.sector},
                 {"psow", &pc_config.psow},
                 {"known", &pc_config.known},
                 {"readonly", &pc_config.readonly}};
  (void)argc;
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
    if (strcmp(options[i].name, text_arg(argv[0])) != 0) continue;
    *options[i].value = sqlite3_value_int(argv[1]);
    return;
  }
  sqlite3_result_error(ctx, "no such option", -1);
}

static void files_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  sqlite3_str *s = sqlite3_str_new(NULL);
  (void)argc, (void)argv;
  for (int i = 0; i < name_count; i++)
    sqlite3_str_appendf(s, "%s%s %lld", i ? " " : "", names[i].name, names[i].inode->content.size);
  sqlite3_result_text(ctx, sqlite3_str_finish(s), -1, sqlite3_free);
}

static void get_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const Bytes *b = fs_find(text_arg(argv[0]));
  (void)argc;
  if (b) sqlite3_result_blob64(ctx, b->size ? (const void *)b->data : "", (u64)b->size, SQLITE_TRANSIENT);
}

static void put_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const char *name = text_arg(argv[0]);
  Bytes *b = fs_find(name);
  int n = sqlite3_value_bytes(argv[1]);
  const void *data = sqlite3_value_blob(argv[1]);
  (void)argc;
  (void)ctx;
  if (!b) {
    Bytes none = {0};
    fs_put(name, fs_new_inode(), &none);
    b = fs_find(name);
  }
  bytes_truncate(b, 0);
  bytes_write(b, 0, data, n);
}

static void do_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  const char *call = text_arg(argv[0]), *name = text_arg(argv[1]);
  i64 off = sqlite3_value_int64(argv[2]), n = sqlite3_value_int64(argv[3]);
  int i = name_index(name);
  u8 *bytes;

  (void)argc;
  if (strcmp(call, "create") == 0) {
    open_inode(name, SQLITE_OPEN_CREATE);
  } else if (strcmp(call, "dirsync") == 0) {
    log_dirsync();
  } else if (i < 0) {
    sqlite3_result_error(ctx, "no such file", -1);
  } else if (strcmp(call, "write") == 0) {
    bytes = memset(must_realloc(NULL, (u64)n), 1, (size_t)n);
    bytes_write(&names[i].inode->content, off, bytes, n);
    log_write(names[i].inode->id, off, bytes, n);
    free(bytes);
  } else if (strcmp(call, "truncate") == 0) {
    bytes_truncate(&names[i].inode->content, off);
    log_truncate(names[i].inode->id, off);
  } else if (strcmp(call, "delete") == 0) {
    log_delete(name, names[i].inode->id);
    name_remove(i);
  } else if (strcmp(call, "sync") == 0 || strcmp(call, "failsync") == 0) {
    log_sync(names[i].inode->id, strcmp(call, "sync") == 0);
  } else {
    sqlite3_result_error(ctx, "no such call", -1);
  }
}

static void seed_func(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, sqlite3_value_int(argv[0]), (sqlite3 *)NULL);
  sqlite3_randomness(0, NULL);
  (void)ctx;
}

int fault_functions(sqlite3 *db) {
  static const struct {
    const char *name;
    int args;
    void (*func)(sqlite3_context *, int, sqlite3_value **);
  } functions[] = {
      {"pc_fault", -1, fault_func}, {"pc_fault_off", 0, fault_off_func},
      {"pc_calls", 1, calls_func},  {"pc_config", 2, config_func},
      {"pc_files", 0, files_func},  {"pc_get", 1, get_func},
      {"pc_put", 2, put_func},      {"pc_do", 4, do_func},
      {"pc_seed", 1, seed_func},
  };
  int rc = SQLITE_OK;
  for (size_t i = 0; !rc && i < sizeof functions / sizeof functions[0]; i++)
    rc = sqlite3_create_function(db, functions[i].name, functions[i].args, SQLITE_UTF8, NULL, functions[i].func, NULL,
                                 NULL);
  return rc;
}

int sqlite3_testvfs_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);

__attribute__((visibility("default"))) int sqlite3_testvfs_init(sqlite3 *db, char **error,
                                                                const sqlite3_api_routines *api) {
  int rc;

  SQLITE_EXTENSION_INIT2(api);
  (void)error;
  if (!sqlite3_vfs_find("powercut")) {
    sqlite3_vfs *parent = sqlite3_vfs_find(NULL);
    mem_vfs.pAppData = parent;
    rc = sqlite3_vfs_register(&mem_vfs, 0);
    if (rc) return rc;
  }
  rc = fault_functions(db);
  if (!rc) rc = powercut_functions(db);
  if (!rc) rc = order_functions(db);
  return rc ? rc : SQLITE_OK_LOAD_PERMANENTLY;
}
