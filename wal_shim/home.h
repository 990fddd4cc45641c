/*
 * home.h: where the pages of a store live. One struct of functions per home; pages.c is the only caller.
 *
 *   file    beside the database, `<database>-quire`, written through the database's sqlite3_vfs, read through a
 *           read-only map where the VFS is a plain one, else through xRead (home_file.c)
 *   memory  blocks of this process, for :memory:, temp and memdb databases (home_memory.c)
 *   inline  BLOB rows of the database itself, for whatever copies, replicates or encrypts one file (home_inline.c)
 *
 * A page has the same 4096 bytes in each. Page 0 is the head page; pages are numbered from 1.
 */
#ifndef QUIRE_HOME_H
#define QUIRE_HOME_H

#include "base.h"

#define PAGE_SIZE 4096u
/* No extent crosses a multiple of this many pages (64 MB): the unit in which a file is mapped. A rule of the format. */
#define SEGMENT_PAGES 16384u

typedef struct Home Home;

typedef struct HomeMethods {
  const char *name;
  const char *place; /* what the pages are, in messages: "the ..." */
  /* The pages are in the database: SQLite undoes them, copies them, and gives each snapshot its own. Nobody else's can be there. */
  int in_database;
  /* No snapshot of another connection reads a page that a committed fold freed, whatever is written there (horizon.c). */
  int apart;
  /*
   * Look whether the name means another file by now (deleted, restored, made anew by another process) and turn to that one; *changed says so. Pointers
   * given by map stay valid, but are of the file that was.
   */
  int (*follow)(Home *home, int *changed);
  /* Pages that exist, the head page included: the file's size, rounded down. */
  int (*size)(Home *home, u32 *pages);
  /*
   * Direct pointer to `count` pages that exist, or NULL in *out if this home cannot give one (the caller uses read). Valid until close,
   * or until these pages are written.
   */
  int (*map)(Home *home, u32 pgno, u32 count, const u8 **out);
  int (*read)(Home *home, u32 pgno, u32 count, u8 *buffer);
  int (*write)(Home *home, u32 pgno, u32 count, const u8 *data);
  /* The pages from `pages` on exist no more. No root that anybody can still see has them (S19). */
  int (*truncate)(Home *home, u32 pages);
  /* Nobody reads these pages any more, nor does any root that SQLite does not bring them back with: what they take may be given back. */
  int (*discard)(Home *home, u32 pgno, u32 count);
  /* The store has another home now, in a transaction that may yet be rolled back. Nothing of this connection reads the pages here. */
  int (*leave)(Home *home);
  /* Everything written is durable, the directory entry too. */
  int (*sync)(Home *home);
  /*
   * Make sure that the home exists and can be written; `first`: the store's first root is about to be written, so its directory entry
   * has to be made durable even if the file is there (S18).
   */
  int (*prepare)(Home *home, int first);
  void (*close)(Home *home);
} HomeMethods;

struct Home {
  const HomeMethods *methods;
  i64 owner; /* what the state row says of it: OWNER_FILE, OWNER_INLINE, or the token of the connection that has the memory (S10) */
};
#define OWNER_FILE 0
#define OWNER_INLINE (-1)

/* Its pages go with the connection. */
static inline int home_is_memory(const Home *home) { return home->owner != OWNER_FILE && home->owner != OWNER_INLINE; }

/* What home_file.c needs to know of the database. All strings are copied. */
typedef struct HomeFileSpec {
  void *vfs;            /* the database's sqlite3_vfs */
  const char *database; /* as sqlite3_db_filename() gives it */
  int plain;            /* the VFS is one of SQLite's own: files may be mapped */
  int read_only;
} HomeFileSpec;

int home_file_open(const HomeFileSpec *spec, Home **out);
int home_memory_open(i64 owner, Home **out);
/* What homes have nothing to do for. */
int home_keeps(Home *home, u32 pgno, u32 count);
int home_stays(Home *home);

#endif
