/*
 * chunks.h: the rows of a vec0 table as sqlite-vec stores them, read only.
 *
 * A table t in this form has, all in its schema,
 *
 *   t_rowids(rowid, id, chunk_id, chunk_offset)         a row's place; id: its text key, else NULL
 *   t_chunks(chunk_id, size, [sequence_id, partitionNN], validity, rowids)
 *                                                       `size` rows in places 0 to size-1: a bit each, from the low end of each byte,
 *                                                       whether there is one, and its rowid; a chunk's rows share their partition keys
 *   t_vector_chunksNN(rowid, vectors)                   by chunk_id: the vectors of column NN
 *   t_metadatachunksNN(rowid, data)                     by chunk_id: of column NN a bit (boolean), 8 bytes (integer, float), or 16 each:
 *                                                       a text's size as u32 and its first 12 bytes
 *   t_metadatatextNN(rowid, data)                       by the row's rowid: texts of more than 12 bytes
 *   t_auxiliary(rowid, valueNN)                         by the row's rowid
 *   t_info(key, value)                                  who made it; not in those of the first versions
 *
 * Vectors, metadata and auxiliary columns are counted apart, from 00, in the order of declaration. Numbers are little-endian.
 *
 *   K1  Nothing here is trusted: a table, column or row that is missing, a blob of a wrong size, a place that has another row is
 *       SQLITE_CORRUPT_VTAB, with words (chunks_error).
 *   K2  `rowid` of the tables with blobs is a column, no alias of SQLite's own rowid: blobs are found by it, which VACUUM leaves alone.
 *
 *   K3  The shadow tables are ordinary tables: a view or a virtual table of that name could read the table that is being read, without end.
 *
 * To SQL the rows are the table-valued function quire_chunks(P), P a pointer to Chunks (sqlite3_bind_pointer), so that nobody else can call
 * it: content.c selects from it, and SQLite itself answers conditions. Order is that of chunks and places.
 */
#ifndef QUIRE_CHUNKS_H
#define QUIRE_CHUNKS_H

#include "spec.h"

#define CONTENT_ROWID (-1) /* the integer key, whoever's it is, among columns of the spec */

typedef struct Chunks Chunks;

/* Whether table `name` has sqlite-vec's shadow tables, and not ours. */
int chunks_found(sqlite3 *db, const char *schema, const char *name, int *found);
/* Reads nothing yet. `schema`, `name` are copied, `spec` must outlive the Chunks. */
int chunks_open(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, Chunks **out);
/* Accepts NULL. No statement on quire_chunks may be running. */
void chunks_close(Chunks *chunks);
/* Words for the last SQLITE_CORRUPT (of a nested statement; SQLITE_CORRUPT_VTAB), or NULL. */
const char *chunks_error(const Chunks *chunks);

/* Register the module quire_chunks. */
int chunks_register(sqlite3 *db);
#define CHUNKS_POINTER "quire-chunks"
/* The name in quire_chunks of a column of the spec; with the column's affinity, so that comparisons are what they are on the table. */
void chunks_column(sqlite3_str *sql, const TableSpec *spec, int column);

/* Every row's vector of column `column`, whose number among the vectors is `vector`; as snapshot_content, without fields. */
int chunks_vectors(Chunks *chunks, int column, u32 vector, ContentRow *row, void *arg);
/* Read everything. *problem: NULL if sound, else a sentence, freed by mem_free. */
int chunks_integrity(Chunks *chunks, char **problem);
/* The shadow tables follow their table, now called `name`. */
int chunks_rename(Chunks *chunks, const char *name);
/* Drop the shadow tables. */
int chunks_drop(Chunks *chunks);
/*
 * Delete all rows, which have moved elsewhere. SQLite drops no table while a statement runs, so that the empty tables stay until their
 * table is dropped (chunks_drop_emptied). t_rowids and t_chunks get other names, so that sqlite-vec finds no table rather than an empty one.
 */
int chunks_empty(Chunks *chunks);
int chunks_drop_emptied(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec);
int chunks_rename_emptied(sqlite3 *db, const char *schema, const char *name, const TableSpec *spec, const char *to);

/* Whether `suffix` is what a shadow table's name ends with, as xShadowName is asked. */
int chunks_shadow_name(const char *suffix);

#endif
