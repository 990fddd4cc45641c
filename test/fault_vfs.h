/*
 * fault_vfs.h: the parts of the test VFS. fault_vfs.c is the file system, powercut.c its log and the cuts, order.c the order checker.
 *
 * One thread at a time: the tests open several connections, but in one Tcl process.
 */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <sqlite3ext.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

/* Never returns NULL: a test without memory ends here. */
void *must_realloc(void *p, u64 size);

typedef struct Bytes {
  u8 *data;
  i64 size, cap;
} Bytes;

/* Write n bytes at off; what lies between the end and off reads as zeros. */
void bytes_write(Bytes *b, i64 off, const void *data, i64 n);
void bytes_truncate(Bytes *b, i64 size);
void bytes_copy(Bytes *to, const Bytes *from);
void bytes_free(Bytes *b);

/* --- the file system, for the log --- */

/* Remove all names. -1 if a file is open. */
int fs_clear(void);
/* Add a file. Takes over `content`. */
void fs_put(const char *name, u32 inode, Bytes *content);
/* Calls `each` for every name. */
void fs_each(void (*each)(void *arg, const char *name, u32 inode, const Bytes *content), void *arg);
int fs_open_count(void);
Bytes *fs_find(const char *name);
u32 fs_new_inode(void);

/* --- the log, for the file system: each change, after it was made --- */

void log_write(u32 inode, i64 off, const void *data, i64 n);
void log_truncate(u32 inode, i64 size);
void log_sync(u32 inode, int ok);
void log_create(const char *name, u32 inode);
void log_delete(const char *name, u32 inode);
void log_dirsync(void);

/* --- the log, for the order checker --- */

typedef enum { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_SYNC_FAILED, OP_CREATE, OP_DELETE, OP_DIRSYNC, OP_MARK } OpKind;

typedef struct Op {
  OpKind kind;
  u32 inode;
  i64 off, n; /* truncate: n is the size; mark: n is its number */
  u8 *data;   /* write: n bytes; create, delete, mark: a name */
} Op;

/* Operations of the log that is recorded now. */
i64 log_count(void);
const Op *log_op(i64 i);
int log_inode_like(u32 inode, const char *glob);

/* Forget the commits told to the order checker. */
void order_reset(void);

/* Registers the SQL functions of fault_vfs.c, powercut.c, order.c. */
int fault_functions(sqlite3 *db);
int powercut_functions(sqlite3 *db);
int order_functions(sqlite3 *db);

/* splitmix64, for every random choice. */
static inline u64 mix(u64 x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

typedef struct Config {
  int sector; /* 512 or 4096: what xSectorSize says, and the step at which writes tear */
  int psow;   /* SQLITE_IOCAP_POWERSAFE_OVERWRITE is declared */
  int known;  /* answers Quire's file-control */
  int readonly;
} Config;
extern Config pc_config;

#endif
