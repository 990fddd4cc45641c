/*
 * home_file.c: pages in the file `<database>-quire`.
 *
 *   F1  Everything is written, synced and sized through the database's sqlite3_vfs, so that one test VFS sees SQLite's writes and
 *       ours in their true order. No lock is ever taken on the file.
 *   F2  Where the VFS is a plain one the file is read through a read-only map of our own, made in segments of 64 MB. Segments are only
 *       added, never moved or unmapped before close (S6). A segment may reach beyond the end of the file: who asks for a page
 *       has compared it with the file's size (S19).
 *   F3  The file has the database's mode and owner (`modeof`), and is never opened through a symlink. It is created as
 *       MAIN_JOURNAL type, whose first sync also syncs the directory, then opened as MAIN_DB (S18).
 *       When the name has come to mean another file, the maps of the old one are put aside until close: cursors may point into them.
 *   F4  A database that cannot be written opens the file read-only.
 *   F5  Pages that are free stay in the file until it is cut; a store that has moved to another home leaves the file as it is: other snapshots read it,
 *       and ROLLBACK may bring it back (S7, S8).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* O_CLOEXEC, O_NOFOLLOW, madvise */
#endif
#include "home.h"

#if defined(__unix__) || defined(__APPLE__)
#define HAVE_MMAP 1
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#define CALL_PAGES 16u /* SQLite never moves more than 64 KB at once, and its unix VFS cuts lengths to 17 bits */
#define SEGMENT_SIZE ((size_t)SEGMENT_PAGES * PAGE_SIZE)
#define OPEN_NOFOLLOW 0x01000000 /* SQLITE_OPEN_NOFOLLOW, SQLite 3.31 */

/* The maps of a file that the name does not mean any more. */
typedef struct Retired {
  struct Retired *next;
  u8 **segment;
  u64 segment_cap;
} Retired;

typedef struct HomeFile {
  Home base;
  sqlite3_vfs *vfs;
  char *name;         /* made by sqlite3_create_filename, with modeof= */
  sqlite3_file *file; /* NULL until it is needed, or while it is missing */
  int read_only, plain;
  int fd; /* for maps only; -1: none */
  u8 **segment;
  u64 segment_cap;
  Retired *retired;
} HomeFile;

static int open_file(HomeFile *f, int flags) {
  int out_flags = 0, rc = SQLITE_OK;
  sqlite3_file *file = mem_zeroed(&rc, 1, (u64)f->vfs->szOsFile);
  if (rc) return rc;
  rc = f->vfs->xOpen(f->vfs, f->name, file, flags | OPEN_NOFOLLOW, &out_flags);
  if (rc) {
    if (file->pMethods) file->pMethods->xClose(file);
    mem_free(file);
    return rc;
  }
  f->file = file;
  return SQLITE_OK;
}

static void close_file(HomeFile *f) {
  if (f->file == NULL) return;
  f->file->pMethods->xClose(f->file);
  mem_free(f->file);
  f->file = NULL;
}

/* Open the file, which exists. */
static int open_existing(HomeFile *f) {
  int rc = SQLITE_CANTOPEN;
  if (!f->read_only) rc = open_file(f, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB);
  if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_PERM) {
    rc = open_file(f, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB);
  }
  return rc;
}

/* Open the file unless that is done; SQLITE_CANTOPEN if there is none, or an empty one (which xAccess does not tell apart). */
static int need_file(HomeFile *f) {
  int exists = 0, rc;
  if (f->file) return SQLITE_OK;
  rc = f->vfs->xAccess(f->vfs, f->name, SQLITE_ACCESS_EXISTS, &exists);
  if (rc) return rc;
  return exists ? open_existing(f) : SQLITE_CANTOPEN;
}

/* Whether the open file has lost its name to another one, or to none. */
static int has_moved(HomeFile *f) {
  int moved = 0;
  return f->file && f->file->pMethods->xFileControl(f->file, SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

static int retire_maps(HomeFile *f) {
  int rc = SQLITE_OK;
  Retired *r;
#ifdef HAVE_MMAP
  if (f->fd >= 0) close(f->fd);
  f->fd = -1;
#endif
  if (f->segment == NULL) return SQLITE_OK;
  r = mem_zeroed(&rc, 1, sizeof *r);
  if (rc) return rc;
  r->next = f->retired;
  r->segment = f->segment;
  r->segment_cap = f->segment_cap;
  f->retired = r;
  f->segment = NULL;
  f->segment_cap = 0;
  return SQLITE_OK;
}

static int file_follow(Home *home, int *changed) {
  HomeFile *f = (HomeFile *)home;
  int rc;
  *changed = has_moved(f);
  if (!*changed) return SQLITE_OK;
  rc = retire_maps(f);
  if (rc == SQLITE_OK) close_file(f);
  return rc;
}

static int file_size(Home *home, u32 *pages) {
  HomeFile *f = (HomeFile *)home;
  sqlite3_int64 size = 0;
  int rc = need_file(f);
  *pages = 0;
  if (rc) return rc;
  rc = f->file->pMethods->xFileSize(f->file, &size);
  if (rc) return rc;
  *pages = (u32)MIN((u64)size / PAGE_SIZE, (u64)0xffffffff);
  return SQLITE_OK;
}

#ifdef HAVE_MMAP
static int map_segment(HomeFile *f, u32 index) {
  u64 old_cap = f->segment_cap;
  void *p;
  int rc;
  if (f->fd < 0) {
    f->fd = open(f->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (f->fd < 0) return SQLITE_CANTOPEN;
    if (has_moved(f)) { /* this may be another file than the one that is read and sized */
      close(f->fd);
      f->fd = -1;
      return SQLITE_CANTOPEN;
    }
  }
  rc = mem_reserve(&f->segment, &f->segment_cap, (u64)index + 1, sizeof *f->segment);
  if (rc) return rc;
  memset(f->segment + old_cap, 0, (size_t)(f->segment_cap - old_cap) * sizeof *f->segment);
  p = mmap(NULL, SEGMENT_SIZE, PROT_READ, MAP_SHARED, f->fd, (off_t)index * (off_t)SEGMENT_SIZE);
  if (p == MAP_FAILED) return SQLITE_IOERR_MMAP;
#ifdef MADV_HUGEPAGE
  (void)madvise(p, SEGMENT_SIZE, MADV_HUGEPAGE);
#endif
  f->segment[index] = p;
  return SQLITE_OK;
}
#endif

static int file_map(Home *home, u32 pgno, u32 count, const u8 **out) {
  HomeFile *f = (HomeFile *)home;
  *out = NULL;
#ifdef HAVE_MMAP
  if (f->plain) {
    u32 index = pgno / SEGMENT_PAGES;
    if (index != (pgno + count - 1) / SEGMENT_PAGES) return CORRUPT(pgno);
    if (index >= f->segment_cap || f->segment[index] == NULL) {
      int rc = map_segment(f, index);
      if (rc == SQLITE_NOMEM) return rc;
      if (rc) {
        f->plain = 0; /* the address space is full, or no descriptor is left: read instead */
        return SQLITE_OK;
      }
    }
    *out = f->segment[index] + (size_t)(pgno % SEGMENT_PAGES) * PAGE_SIZE;
  }
#else
  (void)f;
  (void)pgno;
  (void)count;
#endif
  return SQLITE_OK;
}

static int file_read(Home *home, u32 pgno, u32 count, u8 *buffer) {
  HomeFile *f = (HomeFile *)home;
  int rc = need_file(f);
  while (count && rc == SQLITE_OK) {
    u32 n = MIN(count, CALL_PAGES);
    rc = f->file->pMethods->xRead(f->file, buffer, (int)(n * PAGE_SIZE), (sqlite3_int64)pgno * PAGE_SIZE);
    buffer += (size_t)n * PAGE_SIZE;
    pgno += n;
    count -= n;
  }
  if (rc == SQLITE_IOERR_SHORT_READ) return CORRUPT(pgno);
  return rc;
}

static int file_write(Home *home, u32 pgno, u32 count, const u8 *data) {
  HomeFile *f = (HomeFile *)home;
  int rc = need_file(f);
  while (count && rc == SQLITE_OK) {
    u32 n = MIN(count, CALL_PAGES);
    rc = f->file->pMethods->xWrite(f->file, data, (int)(n * PAGE_SIZE), (sqlite3_int64)pgno * PAGE_SIZE);
    data += (size_t)n * PAGE_SIZE;
    pgno += n;
    count -= n;
  }
  return rc;
}

/* Maps stay as they are: nobody looks behind the end of the file (F2). */
static int file_truncate(Home *home, u32 pages) {
  HomeFile *f = (HomeFile *)home;
  int rc = need_file(f);
  if (rc) return rc;
  return f->file->pMethods->xTruncate(f->file, (sqlite3_int64)pages * PAGE_SIZE);
}

static int file_sync(Home *home) {
  HomeFile *f = (HomeFile *)home;
  int rc = need_file(f);
  if (rc) return rc;
  return f->file->pMethods->xSync(f->file, SQLITE_SYNC_NORMAL);
}

/* Make the directory entry durable: SQLite syncs the directory of a journal that it created (F3). */
static int create_durably(HomeFile *f) {
  int rc = open_file(f, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_JOURNAL);
  if (rc) return rc;
  if (!DEFECT(creation_not_synced)) rc = f->file->pMethods->xSync(f->file, SQLITE_SYNC_NORMAL);
  close_file(f);
  return rc;
}

static int file_prepare(Home *home, int first) {
  HomeFile *f = (HomeFile *)home;
  int exists = 0, rc;
  if (f->read_only) return SQLITE_READONLY;
  rc = f->vfs->xAccess(f->vfs, f->name, SQLITE_ACCESS_EXISTS, &exists);
  if (rc) return rc;
  if (!exists || first) {
    close_file(f);
    rc = create_durably(f);
    if (rc) return rc;
  }
  return f->file ? SQLITE_OK : open_existing(f);
}

static void unmap_segments(u8 **segment, u64 count) {
#ifdef HAVE_MMAP
  u64 i;
  for (i = 0; i < count; i++) {
    if (segment[i]) munmap(segment[i], SEGMENT_SIZE);
  }
#else
  (void)count;
#endif
  mem_free(segment);
}

static void file_close(Home *home) {
  HomeFile *f = (HomeFile *)home;
  close_file(f);
  unmap_segments(f->segment, f->segment_cap);
  while (f->retired) {
    Retired *r = f->retired;
    f->retired = r->next;
    unmap_segments(r->segment, r->segment_cap);
    mem_free(r);
  }
#ifdef HAVE_MMAP
  if (f->fd >= 0) close(f->fd);
#endif
  if (f->name) sqlite3_free_filename(f->name);
  mem_free(f);
}

int home_keeps(Home *home, u32 pgno, u32 count) {
  (void)home;
  (void)pgno;
  (void)count;
  return SQLITE_OK;
}

int home_stays(Home *home) {
  (void)home;
  return SQLITE_OK;
}

static const HomeMethods file_methods = {
    .name = "file",
    .place = "page file",
    .follow = file_follow,
    .size = file_size,
    .map = file_map,
    .read = file_read,
    .write = file_write,
    .truncate = file_truncate,
    .discard = home_keeps,
    .leave = home_stays,
    .sync = file_sync,
    .prepare = file_prepare,
    .close = file_close,
};

int home_file_open(const HomeFileSpec *spec, Home **out) {
  const char *param[2] = {"modeof", spec->database};
  int rc = SQLITE_OK;
  char *path = NULL, *journal = NULL, *wal = NULL;
  HomeFile *f = mem_zeroed(&rc, 1, sizeof *f);
  if (rc) return rc;
  f->base.methods = &file_methods;
  f->base.owner = OWNER_FILE;
  f->vfs = spec->vfs;
  f->plain = spec->plain;
  f->read_only = spec->read_only;
  f->fd = -1;
  path = sqlite3_mprintf("%s-quire", spec->database);
  journal = sqlite3_mprintf("%s-quire-journal", spec->database);
  wal = sqlite3_mprintf("%s-quire-wal", spec->database);
  if (path && journal && wal) f->name = (char *)sqlite3_create_filename(path, journal, wal, 1, param);
  mem_free(path);
  mem_free(journal);
  mem_free(wal);
  if (f->name == NULL) {
    file_close(&f->base);
    return SQLITE_NOMEM;
  }
  *out = &f->base;
  return SQLITE_OK;
}
