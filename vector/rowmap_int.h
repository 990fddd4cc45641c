/*
 * rowmap_int.h: what rowmap.c and rowmap_write.c share.
 */
#ifndef QUIRE_ROWMAP_INT_H
#define QUIRE_ROWMAP_INT_H

#include "rowmap.h"

#define LINES_EXTENT_PAGES 16u
#define CHUNKS_EXTENT_PAGES 4u

ArrayId rowmap_array(const Rowmap *map, u32 run, u32 which);
/* Read the run's directory, if it has not been read. */
int rowmap_load_run(RowmapRun *run);
/* The lines of a chunk of a run that is loaded; valid until pages_release. */
int rowmap_lines(RowmapRun *run, u32 chunk, const u8 **lines, PageHold *hold);
/* rowmap_seek over runs from `first` on. */
int rowmap_seek_runs(RowmapCursor *c, Rowmap *map, u32 first, i64 from, int descending);
/* Go past n entries of a run, which have been read. */
int rowmap_pass_entries(RunCursor *run, u32 n, int descending);

#endif
