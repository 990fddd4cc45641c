/*
 * vec_each.h: the table-valued function vec_each(v).
 */
#ifndef QUIRE_VEC_EACH_H
#define QUIRE_VEC_EACH_H

#include "../wal_shim/base.h"

/* Eponymous; its client data is unused. */
extern const sqlite3_module vec_each_module;

#endif
