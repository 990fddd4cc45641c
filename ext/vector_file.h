/*
 * vector_file.h: the table-valued function quire_read(path), the vectors of a file.
 */
#ifndef QUIRE_VECTOR_FILE_H
#define QUIRE_VECTOR_FILE_H

#include "../wal_shim/base.h"

/* Eponymous; its client data is unused. */
extern const sqlite3_module vector_file_module;

#endif
